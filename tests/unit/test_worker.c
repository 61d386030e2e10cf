/* Worker: what one step makes of one batch. Faults and interleavings are the simulator's business;
 * here stand the contents: entries, verdicts, dead letters, ceilings, the order of actions. */
#include <stdio.h>

#include "core/ledger/events.h"
#include "core/worker/worker.h"
#include "tests/unit/lex_check.h"

static const char POLICY[] =
    "{\"policy_id\":\"p\",\"version\":\"1\",\"mode\":\"strict\",\"terms\":["
    "{\"id\":\"actor:user\",\"type\":\"actor\"},{\"id\":\"action:read\",\"type\":\"action\"}],"
    "\"relations\":[{\"type\":\"permits\",\"subject\":\"actor:user\",\"action\":\"action:read\"}]}";

struct bench {
    struct lex_keyring *keyring;
    struct lex_pins *pins;
    struct lex_codec *codec;
    struct lex_policy *policy;
    struct lex_worker *worker;
    struct lex_worker_options options;
    struct lex_actions actions;
    struct lex_arena arena;
    int64_t now_us;
    size_t settled;
};

static struct bench b;

static void count_settled(void *user, const struct lex_settled *items, size_t count)
{
    (void)items;
    ((struct bench *)user)->settled += count;
}

static const struct lex_action *last(void)
{
    return &b.actions.items[b.actions.count - 1];
}

static const struct lex_action *feed(struct lex_event event)
{
    event.wall_us = 1767225600000000 + (b.now_us += 1000);
    event.mono_us = b.now_us;
    lex_worker_step(b.worker, &event, &b.actions);
    return last();
}

static const struct lex_action *published(enum lex_published result)
{
    return feed((struct lex_event){.kind = LEX_EVENT_PUBLISHED, .published = result});
}

static void setup(void)
{
    static const uint8_t seed[32] = {7};
    struct lex_error err;
    struct lex_buf pins;
    b = (struct bench){.now_us = 1000000};
    lex_buf_init(&pins, 1 << 16);
    lex_arena_init(&b.arena, 1 << 16, 16 << 20);
    ck_assert_int_eq(lex_crypto_init(&err), LEX_OK);
    ck_assert_int_eq(lex_keyring_from_seed(seed, "t/one", &b.keyring, &err), LEX_OK);
    ck_assert_int_eq(lex_pins_write(b.keyring, &pins), LEX_OK);
    ck_assert_int_eq(lex_pins_parse(lex_buf_span(&pins), &b.pins, &err), LEX_OK);
    ck_assert_int_eq(lex_codec_new(&(struct lex_codec_options){0}, &b.codec, &err), LEX_OK);
    ck_assert_int_eq(lex_policy_load(lex_span_str(POLICY), "p", &b.policy, &err), LEX_OK);
    lex_buf_fini(&pins);
    b.options = (struct lex_worker_options){
        .keyring = b.keyring,
        .codec = b.codec,
        .observer = {.user = &b, .settled = count_settled},
        .node_id = LEX_SPAN("n"),
        .origin_prefix = LEX_SPAN("t/one"),
        .requests_topic = LEX_SPAN("requests"),
        .ledger_topic = LEX_SPAN("ledger"),
        .ttl_us = 300000000,
        .commit_interval_us = 50000,
        .commit_max_records = 100,
        .commit_max_bytes = 64 << 20,
        .batch_max_records = 50,
        .sign_batch_max = 8,
        .request_max_bytes = 1 << 20,
        .dead_letter_max_bytes = 100,
        .output_max_bytes = 1 << 20,
        .arena_max_bytes = 4 << 20,
    };
}

/* A worker with partition 3 active; its genesis and policy entries are committed. */
static void start(void)
{
    static const int32_t partition = 3;
    struct lex_error err;
    struct lex_offset_found offset = {
        .partition = 3, .status = LEX_OK, .offset = -1, .high = 1000000};
    struct lex_tail_found tail = {.partition = 3, .status = LEX_OK};
    ck_assert_int_eq(lex_worker_new(&b.options, &b.worker, &err), LEX_OK);
    ck_assert_int_eq(
        feed((struct lex_event){.kind = LEX_EVENT_POLICY_LOADED, .policy = b.policy})->kind,
        LEX_ACTION_INIT);
    ck_assert_int_eq(feed((struct lex_event){.kind = LEX_EVENT_INITED, .status = LEX_OK})->kind,
                     LEX_ACTION_POLL);
    ck_assert_int_eq(
        feed((struct lex_event){.kind = LEX_EVENT_ASSIGNED, .partitions = &partition, .count = 1})
            ->kind,
        LEX_ACTION_FETCH_OFFSETS);
    ck_assert_int_eq(
        feed((struct lex_event){.kind = LEX_EVENT_OFFSETS, .offsets = &offset, .count = 1})->kind,
        LEX_ACTION_FETCH_TAIL);
    const struct lex_action *action =
        feed((struct lex_event){.kind = LEX_EVENT_TAIL, .tails = &tail, .count = 1});
    ck_assert_int_eq(action->kind, LEX_ACTION_PUBLISH);
    ck_assert_uint_eq(action->count, 2);
    ck_assert_uint_eq(action->commits_count, 1);
    ck_assert_int_eq(published(LEX_PUBLISHED_COMMITTED)->kind, LEX_ACTION_POLL);
}

static void teardown(void)
{
    lex_worker_free(b.worker);
    lex_policy_unref(b.policy);
    lex_codec_free(b.codec);
    lex_pins_free(b.pins);
    lex_keyring_free(b.keyring);
    lex_arena_fini(&b.arena);
}

static const struct lex_action *give(const char *const *values, size_t count, int64_t first,
                                     bool drained)
{
    static struct lex_record records[64];
    b.now_us += 10000; /* the pause between two small transactions is over */
    for (size_t i = 0; i < count; i++)
        records[i] = (struct lex_record){.partition = 3,
                                         .offset = first + (int64_t)i,
                                         .timestamp_ms = 1767225600000,
                                         .key = LEX_SPAN("k"),
                                         .value = lex_span_str(values[i])};
    return feed((struct lex_event){
        .kind = LEX_EVENT_RECORDS, .records = records, .count = count, .drained = drained});
}

static const struct lex_output *output(const struct lex_action *action, enum lex_output_kind kind)
{
    for (size_t i = 0; i < action->count; i++)
        if (action->outputs[i].kind == kind)
            return &action->outputs[i];
    return NULL;
}

static struct lex_ledger_entry entry_of(const struct lex_output *out)
{
    struct lex_ledger_entry entry;
    struct lex_error err = {{0}};
    ck_assert_ptr_nonnull(out);
    ck_assert_msg(lex_decode_framed(&lex_type_ledger_entry, out->value, &b.arena, &entry, &err) ==
                      LEX_OK,
                  "%s", err.text);
    return entry;
}

static const char READ[] = "{\"request_id\":\"r\",\"actor\":\"user\",\"proposed_action\":\"read\"}";

START_TEST(a_request_becomes_an_entry_and_a_verdict_that_verifies)
{
    const char *const values[] = {READ};
    start();
    const struct lex_action *action = give(values, 1, 0, true);
    ck_assert_int_eq(action->kind, LEX_ACTION_PUBLISH);
    ck_assert(action->commit);
    ck_assert_uint_eq(action->count, 2);
    struct lex_ledger_entry entry = entry_of(output(action, LEX_OUTPUT_LEDGER));
    ck_assert_int_eq(entry.outcome, LEX_OUTCOME_APPROVED);
    ck_assert(entry.allowed);
    ck_assert_span_eq(entry.reason_code, "PERMITTED");
    ck_assert_span_eq(entry.log, "t/one/ledger/3");
    ck_assert_int_eq(entry.seq, 2);
    ck_assert_int_eq(entry.source.offset, 0);
    struct lex_verdict verdict;
    struct lex_span bytes;
    struct lex_hash leaf;
    struct lex_error err = {{0}};
    const struct lex_output *out = output(action, LEX_OUTPUT_VERDICT);
    ck_assert_span_eq(out->key, "k");
    ck_assert_int_eq(lex_decode_verdict_json(out->value, &b.arena, &verdict, &bytes, &err), LEX_OK);
    ck_assert(lex_span_eq(bytes, output(action, LEX_OUTPUT_LEDGER)->value));
    lex_leaf_hash(bytes, &leaf);
    ck_assert_int_eq(lex_attestation_verify(b.pins, entry.log, &leaf, &verdict.attestation, &err),
                     LEX_OK);
    ck_assert_uint_eq(b.settled, 0);
    (void)published(LEX_PUBLISHED_COMMITTED);
    ck_assert_uint_eq(b.settled, 1);
    ck_assert_uint_eq(lex_worker_held(b.worker), 0);
}
END_TEST

START_TEST(an_aborted_batch_is_decided_again_with_the_same_seq_and_id)
{
    const char *const values[] = {READ};
    start();
    struct lex_ledger_entry before = entry_of(output(give(values, 1, 0, true), LEX_OUTPUT_LEDGER));
    const struct lex_action *wait = published(LEX_PUBLISHED_ABORTED);
    ck_assert_int_eq(wait->kind, LEX_ACTION_POLL);
    ck_assert_uint_eq(wait->max_records, 0);
    ck_assert_uint_eq(lex_worker_held(b.worker), 1);
    b.now_us += 2000000;
    const struct lex_action *again = feed((struct lex_event){.kind = LEX_EVENT_TICK});
    struct lex_ledger_entry after = entry_of(output(again, LEX_OUTPUT_LEDGER));
    ck_assert_int_eq(after.seq, before.seq);
    ck_assert(lex_span_eq(after.prev, before.prev));
    ck_assert(lex_span_eq(after.decision_id, before.decision_id));
}
END_TEST

START_TEST(an_unknown_commit_is_asked_again_before_anything_else)
{
    const char *const values[] = {READ};
    start();
    (void)give(values, 1, 0, true);
    ck_assert_int_eq(published(LEX_PUBLISHED_UNKNOWN)->kind, LEX_ACTION_RESUME_COMMIT);
    ck_assert_int_eq(published(LEX_PUBLISHED_UNKNOWN)->kind, LEX_ACTION_RESUME_COMMIT);
    ck_assert_int_eq(published(LEX_PUBLISHED_COMMITTED)->kind, LEX_ACTION_POLL);
}
END_TEST

START_TEST(under_load_a_batch_is_produced_and_the_commit_waits_for_its_time)
{
    const char *const values[] = {READ, READ};
    start();
    const struct lex_action *action = give(values, 2, 0, false);
    ck_assert(!action->commit);
    ck_assert_uint_eq(action->count, 4);
    const struct lex_action *poll = published(LEX_PUBLISHED_QUEUED);
    ck_assert_int_eq(poll->kind, LEX_ACTION_POLL);
    ck_assert_int_eq(poll->timeout_ms, 0); /* an open transaction waits for nothing */
    const struct lex_action *commit = feed((struct lex_event){.kind = LEX_EVENT_TICK});
    ck_assert_int_eq(commit->kind, LEX_ACTION_PUBLISH);
    ck_assert(commit->commit);
    ck_assert_int_eq(commit->commits[0].next_offset, 2);
}
END_TEST

START_TEST(what_cannot_be_decoded_is_a_rejection_and_a_dead_letter_and_no_verdict)
{
    const char *const values[] = {
        "{\"actor\":1,\"capability_token\":\"eyJhbGciOi.eyJzdWIiOi.c2ln\"}"};
    start();
    const struct lex_action *action = give(values, 1, 0, true);
    ck_assert_ptr_null(output(action, LEX_OUTPUT_VERDICT));
    struct lex_ledger_entry entry = entry_of(output(action, LEX_OUTPUT_LEDGER));
    ck_assert_int_eq(entry.event_type, LEX_EVENT_TYPE_REJECTION);
    ck_assert(!entry.allowed);
    const struct lex_output *letter = output(action, LEX_OUTPUT_DEAD_LETTER);
    ck_assert_ptr_nonnull(letter);
    ck_assert_span_eq(letter->headers[0].value, "requests");
    ck_assert_span_eq(letter->headers[1].value, "3");
    ck_assert_span_eq(letter->headers[3].value, "WRONG_TYPE");
    /* the token is blanked, all else stands */
    ck_assert_span_eq(letter->value,
                      "{\"actor\":1,\"capability_token\":\"**************************\"}");
    ck_assert_int_eq(action->commits[0].next_offset, 1);
}
END_TEST

START_TEST(a_dead_letter_carries_no_byte_more_than_its_ceiling)
{
    static char text[202];
    memset(text, '[', 200);
    const char *const values[] = {text, "{"};
    start();
    const struct lex_action *action = give(values, 2, 0, true);
    ck_assert_uint_eq(output(action, LEX_OUTPUT_DEAD_LETTER)->value.len, 100);
    ck_assert_span_eq(output(action, LEX_OUTPUT_DEAD_LETTER)->headers[5].value, "200");
}
END_TEST

START_TEST(a_token_cut_off_by_the_ceiling_is_blanked_too)
{
    static char text[300];
    (void)snprintf(text, sizeof text,
                   "{\"x\":%070d,\"t\":\"eyJhbGciOiJFZERTQSJ9eyJzdWIiOiJ1c2VyIn0.sig\"", 0);
    const char *const values[] = {text};
    start();
    struct lex_span value = output(give(values, 1, 0, true), LEX_OUTPUT_DEAD_LETTER)->value;
    ck_assert_uint_eq(value.len, 100);
    for (size_t i = 0; i + 3 <= value.len; i++)
        ck_assert(memcmp(value.data + i, "eyJ", 3) != 0);
}
END_TEST

START_TEST(an_incomplete_request_is_denied_and_recorded)
{
    const char *const values[] = {"{\"request_id\":\"r\",\"proposed_action\":\"read\"}"};
    start();
    struct lex_ledger_entry entry = entry_of(output(give(values, 1, 0, true), LEX_OUTPUT_LEDGER));
    ck_assert_int_eq(entry.event_type, LEX_EVENT_TYPE_DECISION);
    ck_assert_int_eq(entry.outcome, LEX_OUTCOME_DENIED);
    ck_assert_span_eq(entry.reason_code, "INVALID_REQUEST");
}
END_TEST

START_TEST(an_over_long_name_is_denied_and_stands_cut_in_the_entry)
{
    static char text[1000];
    (void)snprintf(text, sizeof text,
                   "{\"request_id\":\"r\",\"actor\":\"%0513d\",\"proposed_action\":\"read\"}", 0);
    const char *const values[] = {text};
    start();
    struct lex_ledger_entry entry = entry_of(output(give(values, 1, 0, true), LEX_OUTPUT_LEDGER));
    ck_assert_span_eq(entry.reason_code, "INVALID_REQUEST");
    ck_assert_uint_eq(entry.actor.len, 512);
}
END_TEST

START_TEST(a_request_over_request_max_bytes_is_refused_unread)
{
    static char text[2000];
    (void)snprintf(text, sizeof text, "{\"request_id\":\"%01100d\"}", 0);
    const char *const values[] = {text};
    b.options.request_max_bytes = 1024;
    start();
    const struct lex_output *letter = output(give(values, 1, 0, true), LEX_OUTPUT_DEAD_LETTER);
    ck_assert_span_eq(letter->headers[3].value, "TOO_LARGE");
}
END_TEST

START_TEST(a_number_beyond_double_precision_is_denied)
{
    const char *const values[] = {"{\"request_id\":\"r\",\"actor\":\"user\",\"proposed_action\":"
                                  "\"read\",\"arguments\":{\"n\":9007199254740993}}"};
    start();
    struct lex_ledger_entry entry = entry_of(output(give(values, 1, 0, true), LEX_OUTPUT_LEDGER));
    ck_assert_int_eq(entry.outcome, LEX_OUTCOME_DENIED);
    ck_assert_span_eq(entry.reason_code, "INVALID_REQUEST");
    ck_assert(lex_span_absent(entry.request_fingerprint));
}
END_TEST

START_TEST(attested_identity_denies_an_actor_that_nobody_attests)
{
    const char *const values[] = {READ};
    b.options.identity_attested = true;
    start();
    struct lex_ledger_entry entry = entry_of(output(give(values, 1, 0, true), LEX_OUTPUT_LEDGER));
    ck_assert_int_eq(entry.outcome, LEX_OUTCOME_DENIED);
    ck_assert_span_eq(entry.reason_code, "UNKNOWN_ACTOR");
    ck_assert_span_eq(entry.identity, "attested");
}
END_TEST

START_TEST(full_content_embeds_the_request_without_its_token)
{
    const char *const values[] = {"{\"request_id\":\"r\",\"actor\":\"user\",\"proposed_action\":"
                                  "\"read\",\"capability_token\":\"eyJ.a.b\"}"};
    b.options.content_full = true;
    start();
    struct lex_ledger_entry entry = entry_of(output(give(values, 1, 0, true), LEX_OUTPUT_LEDGER));
    ck_assert(!lex_span_absent(entry.request));
    for (size_t i = 0; i + 3 <= entry.request.len; i++)
        ck_assert(memcmp(entry.request.data + i, "eyJ", 3) != 0);
}
END_TEST

START_TEST(more_records_than_one_signature_serves_get_several)
{
    const char *values[20];
    for (size_t i = 0; i < 20; i++)
        values[i] = READ;
    start();
    const struct lex_action *action = give(values, 20, 0, true);
    int64_t sizes[3] = {0};
    size_t verdicts = 0;
    for (size_t i = 0; i < action->count; i++) {
        struct lex_verdict verdict;
        struct lex_span bytes;
        struct lex_hash leaf;
        struct lex_error err = {{0}};
        if (action->outputs[i].kind != LEX_OUTPUT_VERDICT)
            continue;
        ck_assert_int_eq(
            lex_decode_verdict_json(action->outputs[i].value, &b.arena, &verdict, &bytes, &err),
            LEX_OK);
        lex_leaf_hash(bytes, &leaf);
        ck_assert_int_eq(
            lex_attestation_verify(b.pins, verdict.entry.log, &leaf, &verdict.attestation, &err),
            LEX_OK);
        sizes[verdicts++ / 8] = verdict.attestation.size;
    }
    ck_assert_uint_eq(verdicts, 20);
    ck_assert_int_eq(sizes[0], 8);
    ck_assert_int_eq(sizes[1], 8);
    ck_assert_int_eq(sizes[2], 4);
}
END_TEST

START_TEST(a_record_that_was_decided_before_is_not_decided_again)
{
    const char *const values[] = {READ};
    start();
    (void)give(values, 1, 5, true);
    (void)published(LEX_PUBLISHED_COMMITTED);
    const struct lex_action *action = give(values, 1, 5, true);
    ck_assert_int_eq(action->kind, LEX_ACTION_POLL);
    ck_assert_uint_eq(lex_worker_held(b.worker), 0);
}
END_TEST

START_TEST(a_small_transaction_follows_the_last_one_after_a_short_pause)
{
    static const struct lex_record record = {
        .partition = 3, .offset = 1, .value = LEX_SPAN_INIT("{}")};
    const char *const values[] = {READ};
    start();
    (void)give(values, 1, 0, true);
    (void)published(LEX_PUBLISHED_COMMITTED);
    const struct lex_action *action = feed((struct lex_event){
        .kind = LEX_EVENT_RECORDS, .records = &record, .count = 1, .drained = true});
    ck_assert_int_eq(action->kind, LEX_ACTION_POLL);
    ck_assert_int_le(action->timeout_ms, 4);
    b.now_us += 4000;
    ck_assert_int_eq(feed((struct lex_event){.kind = LEX_EVENT_TICK})->kind, LEX_ACTION_PUBLISH);
}
END_TEST

START_TEST(a_revoke_ends_the_transaction_before_the_partition_goes)
{
    const char *const values[] = {READ};
    static const int32_t partition = 3;
    start();
    (void)give(values, 1, 0, false);
    (void)published(LEX_PUBLISHED_QUEUED);
    const struct lex_action *action =
        feed((struct lex_event){.kind = LEX_EVENT_REVOKED, .partitions = &partition, .count = 1});
    ck_assert_int_eq(action->kind, LEX_ACTION_PUBLISH);
    ck_assert(action->commit);
    (void)published(LEX_PUBLISHED_COMMITTED);
    ck_assert_int_eq(b.actions.items[0].kind, LEX_ACTION_ACK_REVOKE);
}
END_TEST

START_TEST(a_lost_assignment_aborts_and_never_commits)
{
    const char *const values[] = {READ};
    static const int32_t partition = 3;
    start();
    (void)give(values, 1, 0, false);
    (void)published(LEX_PUBLISHED_QUEUED);
    const struct lex_action *action =
        feed((struct lex_event){.kind = LEX_EVENT_LOST, .partitions = &partition, .count = 1});
    ck_assert_int_eq(action->kind, LEX_ACTION_ABORT);
    (void)published(LEX_PUBLISHED_ABORTED);
    ck_assert_int_eq(b.actions.items[0].kind, LEX_ACTION_ACK_REVOKE);
    ck_assert_uint_eq(b.settled, 0);
}
END_TEST

START_TEST(a_stop_commits_what_is_open_and_then_says_stopped)
{
    const char *const values[] = {READ};
    start();
    (void)give(values, 1, 0, false);
    (void)published(LEX_PUBLISHED_QUEUED);
    const struct lex_action *action = feed((struct lex_event){.kind = LEX_EVENT_STOP});
    ck_assert_int_eq(action->kind, LEX_ACTION_PUBLISH);
    ck_assert(action->commit);
    ck_assert_int_eq(published(LEX_PUBLISHED_COMMITTED)->kind, LEX_ACTION_STOPPED);
}
END_TEST

START_TEST(without_a_policy_a_worker_makes_no_producer_and_is_not_ready)
{
    struct lex_error err;
    ck_assert_int_eq(lex_worker_new(&b.options, &b.worker, &err), LEX_OK);
    const struct lex_action *action = feed((struct lex_event){.kind = LEX_EVENT_TICK});
    ck_assert_int_eq(action->kind, LEX_ACTION_POLL);
    ck_assert_uint_eq(action->max_records, 0);
    ck_assert(!lex_worker_ready(b.worker));
}
END_TEST

START_TEST(options_out_of_range_are_named)
{
    struct lex_error err;
    struct lex_worker *worker;
    b.options.sign_batch_max = LEX_BATCH_MAX + 1;
    ck_assert_int_eq(lex_worker_new(&b.options, &worker, &err), LEX_REJECT);
    ck_assert_ptr_nonnull(strstr(err.text, "sign_batch_max"));
    b.options.sign_batch_max = 1;
    b.options.batch_max_records = LEX_WORKER_BATCH_MAX + 1;
    ck_assert_int_eq(lex_worker_new(&b.options, &worker, &err), LEX_REJECT);
    ck_assert_ptr_nonnull(strstr(err.text, "batch_max_records"));
}
END_TEST

START_TEST(a_key_over_its_ceiling_is_left_out_and_one_at_it_is_kept)
{
    static uint8_t key[LEX_OUTPUT_KEY_MAX_BYTES + 1];
    struct lex_record records[2] = {
        {.partition = 3, .offset = 0, .key = {key, sizeof key - 1}, .value = LEX_SPAN("{")},
        {.partition = 3, .offset = 1, .key = {key, sizeof key}, .value = LEX_SPAN("{")}};
    memset(key, 'k', sizeof key);
    start();
    const struct lex_action *action = feed((struct lex_event){
        .kind = LEX_EVENT_RECORDS, .records = records, .count = 2, .drained = true});
    size_t kept = 0, left_out = 0;
    for (size_t i = 0; i < action->count; i++) {
        kept += action->outputs[i].key.len == sizeof key - 1;
        left_out += lex_span_absent(action->outputs[i].key);
    }
    ck_assert_uint_eq(kept, 2); /* the entry and the dead letter */
    ck_assert_uint_eq(left_out, 2);
}
END_TEST

START_TEST(a_small_request_behind_a_full_transaction_still_gets_its_verdict)
{
    static char intent[4001];
    static char text[4200];
    memset(intent, 'i', 4000);
    (void)snprintf(text, sizeof text,
                   "{\"request_id\":\"r\",\"actor\":\"user\",\"proposed_action\":\"read\","
                   "\"user_intent\":\"%s\"}",
                   intent);
    const char *const values[] = {text};
    b.options.arena_max_bytes = 5 << 20;
    b.options.commit_max_records = 4000;
    b.options.commit_interval_us = 1000000000;
    start();
    size_t commits = 0, verdicts = 0;
    for (int64_t offset = 0; offset < 2000; offset++) {
        const struct lex_action *action = give(values, 1, offset, false);
        while (action->kind == LEX_ACTION_PUBLISH) {
            ck_assert_ptr_null(output(action, LEX_OUTPUT_DEAD_LETTER));
            verdicts += output(action, LEX_OUTPUT_VERDICT) != NULL;
            commits += action->commit;
            action = published(action->commit ? LEX_PUBLISHED_COMMITTED : LEX_PUBLISHED_QUEUED);
        }
        ck_assert_int_eq(action->kind, LEX_ACTION_POLL);
    }
    ck_assert_uint_eq(verdicts, 2000);
    ck_assert_uint_ge(commits, 2); /* the memory did run full, and more than once */
}
END_TEST

LEX_CHECK_MAIN_WITH(
    "worker", setup, teardown, a_request_becomes_an_entry_and_a_verdict_that_verifies,
    an_aborted_batch_is_decided_again_with_the_same_seq_and_id,
    an_unknown_commit_is_asked_again_before_anything_else,
    under_load_a_batch_is_produced_and_the_commit_waits_for_its_time,
    what_cannot_be_decoded_is_a_rejection_and_a_dead_letter_and_no_verdict,
    a_dead_letter_carries_no_byte_more_than_its_ceiling,
    a_token_cut_off_by_the_ceiling_is_blanked_too, an_incomplete_request_is_denied_and_recorded,
    an_over_long_name_is_denied_and_stands_cut_in_the_entry,
    a_request_over_request_max_bytes_is_refused_unread, a_number_beyond_double_precision_is_denied,
    attested_identity_denies_an_actor_that_nobody_attests,
    full_content_embeds_the_request_without_its_token,
    more_records_than_one_signature_serves_get_several,
    a_record_that_was_decided_before_is_not_decided_again,
    a_small_transaction_follows_the_last_one_after_a_short_pause,
    a_revoke_ends_the_transaction_before_the_partition_goes,
    a_lost_assignment_aborts_and_never_commits, a_stop_commits_what_is_open_and_then_says_stopped,
    without_a_policy_a_worker_makes_no_producer_and_is_not_ready,
    a_key_over_its_ceiling_is_left_out_and_one_at_it_is_kept,
    a_small_request_behind_a_full_transaction_still_gets_its_verdict,
    options_out_of_range_are_named)
