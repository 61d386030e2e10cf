/* Worker and policies: what a chain that names one policy does under another (pipeline.md, rule
 * 11).
 */
#include <stdio.h>

#include "core/ledger/events.h"
#include "core/ledger/verify.h"
#include "core/worker/worker.h"
#include "tests/unit/lex_check.h"

enum { PARTITION = 3, WAIT_US = 30 * 1000000, STEPS_MAX = 100 };

static struct lex_keyring *keyring;
static struct lex_codec *codec;
static struct lex_worker *worker;
static struct lex_worker_options options;
static struct lex_actions actions;
static struct lex_arena arena;
static struct lex_error err;
static int64_t now_us;
static struct lex_head head;          /* of the partition, as it was committed */
static int policies;                  /* policy entries that were published */
static enum lex_policy_change change; /* what the last one says */

static void setup(void)
{
    static const uint8_t seed[32] = {7};
    ck_assert_int_eq(lex_crypto_init(&err), LEX_OK);
    ck_assert_int_eq(lex_keyring_from_seed(seed, "t/one", &keyring, &err), LEX_OK);
    ck_assert_int_eq(lex_codec_new(&(struct lex_codec_options){0}, &codec, &err), LEX_OK);
    lex_arena_init(&arena, 1 << 16, 16 << 20);
    now_us = 1000000;
    policies = 0;
    options = (struct lex_worker_options){
        .keyring = keyring,
        .codec = codec,
        .node_id = LEX_SPAN("n"),
        .origin_prefix = LEX_SPAN("t/one"),
        .requests_topic = LEX_SPAN("requests"),
        .ledger_topic = LEX_SPAN("ledger"),
        .ttl_us = 300000000,
        .policy_wait_us = WAIT_US,
        .commit_interval_us = 50000,
        .commit_max_records = 100,
        .commit_max_bytes = 64 << 20,
        .batch_max_records = 50,
        .sign_batch_max = 8,
        .request_max_bytes = 1 << 20,
        .output_max_bytes = 1 << 20,
        .arena_max_bytes = 4 << 20,
    };
}

static void teardown(void)
{
    lex_worker_free(worker);
    lex_codec_free(codec);
    lex_keyring_free(keyring);
    lex_arena_fini(&arena);
}

static struct lex_policy *policy_of(const char *id, const char *version, const char *action)
{
    char text[512];
    struct lex_policy *policy;
    snprintf(text, sizeof text,
             "{\"policy_id\":\"%s\",\"version\":\"%s\",\"relations\":[{\"type\":\"permits\","
             "\"subject\":\"user\",\"action\":\"%s\"}]}",
             id, version, action);
    ck_assert_int_eq(lex_policy_load(lex_span_str(text), "p", &policy, &err), LEX_OK);
    return policy;
}

/* The chain stands at entry 5, and names this policy. */
static void chain_names(const char *id, const char *version, const char *action)
{
    struct lex_policy *policy = policy_of(id, version, action);
    const struct lex_policy_info *info = lex_policy_info(policy);
    head = (struct lex_head){.seq = 5, .last_source_offset = 9};
    lex_head_set_policy(&head, info->id, info->version, info->hash);
    lex_policy_unref(policy);
}

static const struct lex_action *feed(struct lex_event event)
{
    event.wall_us = 1767225600000000 + (now_us += 1000);
    event.mono_us = now_us;
    lex_worker_step(worker, &event, &actions);
    return &actions.items[actions.count - 1];
}

static const struct lex_action *load(const char *id, const char *version, const char *action)
{
    struct lex_policy *policy = policy_of(id, version, action);
    const struct lex_action *next =
        feed((struct lex_event){.kind = LEX_EVENT_POLICY_LOADED, .policy = policy});
    lex_policy_unref(policy);
    return next;
}

static void note_published(const struct lex_action *action)
{
    for (size_t i = 0; i < action->count; i++) {
        struct lex_ledger_entry entry;
        struct lex_policy_detail detail;
        ck_assert_int_eq(action->outputs[i].kind, LEX_OUTPUT_LEDGER);
        ck_assert_int_eq(lex_ledger_decode(action->outputs[i].value, &arena, &entry, &err), LEX_OK);
        ck_assert_int_eq(entry.event_type, LEX_EVENT_TYPE_POLICY);
        ck_assert_int_eq(lex_event_policy_read(entry.detail, &arena, &detail), LEX_OK);
        policies++;
        change = detail.change;
    }
}

/* Answer whatever the worker asks, as a cluster would whose request partition is empty. */
static void serve(const struct lex_action *action, int steps)
{
    static const int32_t partition = PARTITION;
    char metadata[LEX_HEAD_TEXT_MAX_BYTES];
    size_t len = lex_head_write(&head, metadata);
    struct lex_offset_found offset = {.partition = PARTITION,
                                      .status = LEX_OK,
                                      .offset = 10,
                                      .metadata = lex_span_of(metadata, len),
                                      .high = 10};
    struct lex_tail_found tail = {.partition = PARTITION, .status = LEX_OK, .ever_held = true};
    struct lex_history_found history = {.partition = PARTITION, .status = LEX_OK};
    bool assigned = lex_worker_partitions(worker, &(struct lex_partition_view){0}, 1) != 0;
    for (int i = 0; i < steps; i++) {
        struct lex_event event = {.kind = LEX_EVENT_TICK};
        if (action->kind == LEX_ACTION_INIT)
            event = (struct lex_event){.kind = LEX_EVENT_INITED, .status = LEX_OK};
        else if (action->kind == LEX_ACTION_FETCH_OFFSETS)
            event = (struct lex_event){.kind = LEX_EVENT_OFFSETS, .offsets = &offset, .count = 1};
        else if (action->kind == LEX_ACTION_FETCH_TAIL)
            event = (struct lex_event){.kind = LEX_EVENT_TAIL, .tails = &tail, .count = 1};
        else if (action->kind == LEX_ACTION_FETCH_HISTORY)
            event = (struct lex_event){.kind = LEX_EVENT_HISTORY, .history = &history, .count = 1};
        else if (action->kind == LEX_ACTION_PUBLISH) {
            note_published(action);
            event = (struct lex_event){.kind = LEX_EVENT_PUBLISHED,
                                       .published = action->commit ? LEX_PUBLISHED_COMMITTED
                                                                   : LEX_PUBLISHED_QUEUED};
        } else if (!assigned) {
            assigned = true;
            event = (struct lex_event){
                .kind = LEX_EVENT_ASSIGNED, .partitions = &partition, .count = 1};
        }
        action = feed(event);
    }
}

static void start(const char *id, const char *version, const char *action)
{
    ck_assert_msg(lex_worker_new(&options, &worker, &err) == LEX_OK, "%s", err.text);
    serve(load(id, version, action), STEPS_MAX);
}

static const char *state(void)
{
    struct lex_partition_view view = {.state = ""};
    ck_assert_uint_eq(lex_worker_partitions(worker, &view, 1), 1);
    return view.state;
}

static void wait_out(int64_t us)
{
    now_us += us;
    serve(feed((struct lex_event){.kind = LEX_EVENT_TICK}), STEPS_MAX);
}

START_TEST(the_policy_that_the_chain_names_goes_on_without_an_entry)
{
    chain_names("p", "2", "read");
    start("p", "2", "read");
    ck_assert_str_eq(state(), "active");
    ck_assert_int_eq(policies, 0);
}
END_TEST

START_TEST(a_newer_one_is_recorded_and_nothing_more_is_said)
{
    chain_names("p", "2", "read");
    start("p", "10", "read");
    ck_assert_str_eq(state(), "active");
    ck_assert_int_eq(policies, 1);
    ck_assert_int_eq(change, LEX_POLICY_FORWARD);
}
END_TEST

START_TEST(an_older_one_waits_and_then_is_recorded_as_regressed)
{
    chain_names("p", "2", "read");
    start("p", "1", "read");
    ck_assert_str_eq(state(), "waiting");
    ck_assert(!lex_worker_ready(worker));
    ck_assert_int_eq(policies, 0);
    wait_out(WAIT_US);
    ck_assert_str_eq(state(), "active");
    ck_assert(lex_worker_ready(worker));
    ck_assert_int_eq(policies, 1);
    ck_assert_int_eq(change, LEX_POLICY_REGRESSED);
}
END_TEST

START_TEST(the_newer_one_that_comes_in_time_ends_the_wait)
{
    chain_names("p", "2", "read");
    start("p", "1", "read");
    serve(load("p", "2", "read"), STEPS_MAX);
    ck_assert_str_eq(state(), "active");
    ck_assert_int_eq(policies, 0);
}
END_TEST

START_TEST(an_older_one_that_is_allowed_goes_on_at_once_as_rollback)
{
    options.policy_allow_rollback = true;
    chain_names("p", "2", "read");
    start("p", "1", "read");
    ck_assert_str_eq(state(), "active");
    ck_assert_int_eq(policies, 1);
    ck_assert_int_eq(change, LEX_POLICY_ROLLBACK);
}
END_TEST

START_TEST(an_older_one_after_a_newer_one_waits_too_and_what_follows_is_forward_again)
{
    options.policy_allow_rollback = true;
    chain_names("p", "2", "read");
    start("p", "3", "read");
    serve(load("p", "1", "read"), STEPS_MAX);
    ck_assert_int_eq(policies, 2);
    ck_assert_int_eq(change, LEX_POLICY_ROLLBACK);
    serve(load("p", "3", "write"), STEPS_MAX);
    ck_assert_int_eq(policies, 3);
    ck_assert_int_eq(change, LEX_POLICY_FORWARD);
}
END_TEST

START_TEST(a_file_may_be_edited_under_its_version)
{
    chain_names("p", "2", "read");
    start("p", "2", "write");
    ck_assert_str_eq(state(), "active");
    ck_assert_int_eq(policies, 1);
    ck_assert_int_eq(change, LEX_POLICY_FORWARD);
}
END_TEST

/* ---- published ones ---- */

START_TEST(a_published_older_one_waits_without_end_whatever_is_allowed)
{
    options.policy_published = options.policy_allow_rollback = true;
    chain_names("p", "2", "read");
    start("p", "1", "read");
    wait_out(100 * (int64_t)WAIT_US);
    ck_assert_str_eq(state(), "waiting");
    ck_assert(!lex_worker_ready(worker));
    ck_assert_int_eq(policies, 0);
    serve(load("p", "3", "read"), STEPS_MAX);
    ck_assert_str_eq(state(), "active");
    ck_assert_int_eq(policies, 1);
    ck_assert_int_eq(change, LEX_POLICY_FORWARD);
}
END_TEST

START_TEST(a_published_one_under_the_chains_version_with_another_content_waits_without_end)
{
    options.policy_published = true;
    chain_names("p", "2", "read");
    start("p", "2", "write");
    wait_out(100 * (int64_t)WAIT_US);
    ck_assert_str_eq(state(), "waiting");
    ck_assert_int_eq(policies, 0);
    serve(load("p", "2", "read"), STEPS_MAX);
    ck_assert_str_eq(state(), "active");
    ck_assert_int_eq(policies, 0);
}
END_TEST

START_TEST(another_published_policy_is_no_older_one)
{
    options.policy_published = true;
    chain_names("p", "2", "read");
    start("q", "1", "read");
    ck_assert_str_eq(state(), "active");
    ck_assert_int_eq(policies, 1);
    ck_assert_int_eq(change, LEX_POLICY_FORWARD);
}
END_TEST

LEX_CHECK_MAIN_WITH("worker_policy", setup, teardown,
                    the_policy_that_the_chain_names_goes_on_without_an_entry,
                    a_newer_one_is_recorded_and_nothing_more_is_said,
                    an_older_one_waits_and_then_is_recorded_as_regressed,
                    the_newer_one_that_comes_in_time_ends_the_wait,
                    an_older_one_that_is_allowed_goes_on_at_once_as_rollback,
                    an_older_one_after_a_newer_one_waits_too_and_what_follows_is_forward_again,
                    a_file_may_be_edited_under_its_version,
                    a_published_older_one_waits_without_end_whatever_is_allowed,
                    a_published_one_under_the_chains_version_with_another_content_waits_without_end,
                    another_published_policy_is_no_older_one)
