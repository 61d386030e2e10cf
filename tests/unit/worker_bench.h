/* The bench of the worker's unit tests: one worker with partition 3, fed by hand, event by event.
 */
#ifndef LEX_TESTS_WORKER_BENCH_H
#define LEX_TESTS_WORKER_BENCH_H

#include <stdio.h>

#include "core/base/text.h"
#include "core/history/history.h"
#include "core/ledger/events.h"
#include "core/worker/worker.h"
#include "schemas/tables.h"
#include "tests/unit/lex_check.h"

static const char POLICY[] =
    "{\"policy_id\":\"p\",\"version\":\"1\",\"mode\":\"strict\",\"terms\":["
    "{\"id\":\"actor:user\",\"type\":\"actor\"},{\"id\":\"action:read\",\"type\":\"action\"}],"
    "\"relations\":[{\"type\":\"permits\",\"subject\":\"actor:user\",\"action\":\"action:read\"}]}";

/* Remembers: a limit, a conflict between actions, and an approval. */
static const char REMEMBERING[] =
    "{\"policy_id\":\"p\",\"version\":\"1\",\"mode\":\"strict\",\"terms\":["
    "{\"id\":\"actor:user\",\"type\":\"actor\"},{\"id\":\"actor:human\",\"type\":\"actor\"},"
    "{\"id\":\"action:read\",\"type\":\"action\"},{\"id\":\"action:pay\",\"type\":\"action\"},"
    "{\"id\":\"action:audit\",\"type\":\"action\"},"
    "{\"id\":\"action:deploy\",\"type\":\"action\"}],\"relations\":["
    "{\"id\":\"read\",\"type\":\"permits\",\"subject\":\"actor:user\",\"action\":\"action:read\","
    "\"condition\":{\"type\":\"rate_limit\",\"max_requests\":2,\"window\":\"1h\"}},"
    "{\"id\":\"pay\",\"type\":\"permits\",\"subject\":\"actor:user\",\"action\":\"action:pay\"},"
    "{\"id\":\"audit\",\"type\":\"permits\",\"subject\":\"actor:user\",\"action\":\"action:audit\"}"
    ","
    "{\"id\":\"deploy\",\"type\":\"permits\",\"subject\":\"actor:user\","
    "\"action\":\"action:deploy\",\"condition\":{\"type\":\"approval\"}},"
    "{\"id\":\"apart\",\"type\":\"conflicts\",\"source\":\"action:pay\",\"target\":\"action:"
    "audit\"}"
    "]}";

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
    struct lex_settled last; /* the newest that settled */
    int64_t remembered;      /* entries that a history was made from, -1: none was read */
    const char *problem;
};

static struct bench b;
static const int64_t EPOCH_US = 1767225600000000;

static inline void count_settled(void *user, const struct lex_settled *items, size_t count)
{
    ((struct bench *)user)->settled += count;
    ((struct bench *)user)->last = items[count - 1];
}

static inline void note_remembered(void *user, int32_t partition, int64_t entries,
                                   int64_t complete_us, const char *problem)
{
    struct bench *bench = user;
    (void)partition;
    (void)complete_us;
    bench->remembered = entries;
    bench->problem = problem;
}

static inline const struct lex_action *last(void)
{
    return &b.actions.items[b.actions.count - 1];
}

static inline const struct lex_action *feed(struct lex_event event)
{
    event.wall_us = EPOCH_US + (b.now_us += 1000);
    event.mono_us = b.now_us;
    lex_worker_step(b.worker, &event, &b.actions);
    return last();
}

static inline const struct lex_action *published(enum lex_published result)
{
    return feed((struct lex_event){.kind = LEX_EVENT_PUBLISHED, .published = result});
}

static inline void setup(void)
{
    static const uint8_t seed[32] = {7};
    struct lex_error err;
    struct lex_buf pins;
    b = (struct bench){.now_us = 1000000, .remembered = -1};
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
        .observer = {.user = &b, .settled = count_settled, .remembered = note_remembered},
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
static inline void start(void)
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

static inline void teardown(void)
{
    lex_worker_free(b.worker);
    lex_policy_unref(b.policy);
    lex_codec_free(b.codec);
    lex_pins_free(b.pins);
    lex_keyring_free(b.keyring);
    lex_arena_fini(&b.arena);
}

static const char *traceparent; /* of the records that are given; NULL: none */

static inline const struct lex_action *give(const char *const *values, size_t count, int64_t first,
                                            bool drained)
{
    static struct lex_record records[64];
    b.now_us += 10000; /* the pause between two small transactions is over */
    for (size_t i = 0; i < count; i++)
        records[i] = (struct lex_record){.partition = 3,
                                         .offset = first + (int64_t)i,
                                         .timestamp_ms = 1767225600000,
                                         .key = LEX_SPAN("k"),
                                         .value = lex_span_str(values[i]),
                                         .traceparent = lex_span_str(traceparent)};
    return feed((struct lex_event){
        .kind = LEX_EVENT_RECORDS, .records = records, .count = count, .drained = drained});
}

static inline const struct lex_output *output(const struct lex_action *action,
                                              enum lex_output_kind kind)
{
    for (size_t i = 0; i < action->count; i++)
        if (action->outputs[i].kind == kind)
            return &action->outputs[i];
    return NULL;
}

static inline struct lex_ledger_entry entry_of(const struct lex_output *out)
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
static const char PAY[] = "{\"request_id\":\"r\",\"actor\":\"user\",\"proposed_action\":\"pay\"}";

/* ---- one request, and a predecessor ---- */

static inline void use_policy(const char *text)
{
    struct lex_error err;
    lex_policy_unref(b.policy);
    ck_assert_msg(lex_policy_load(lex_span_str(text), "p", &b.policy, &err) == LEX_OK, "%s",
                  err.text);
}

static inline struct lex_ledger_entry decide_one(const char *request, int64_t offset)
{
    struct lex_ledger_entry entry =
        entry_of(output(give(&request, 1, offset, true), LEX_OUTPUT_LEDGER));
    (void)published(LEX_PUBLISHED_COMMITTED);
    return entry;
}

/* What the partition's topic holds, and its head, as a predecessor left them. */
static struct past {
    struct lex_span values[64];
    size_t count;
    char head[LEX_HEAD_TEXT_MAX_BYTES];
    int64_t next_offset;
} past;

static inline void keep(const struct lex_action *action)
{
    for (size_t i = 0; i < action->count; i++)
        if (action->outputs[i].kind == LEX_OUTPUT_LEDGER)
            past.values[past.count++] = lex_arena_dup(&b.arena, action->outputs[i].value);
    for (size_t i = 0; i < action->commits_count; i++) {
        memcpy(past.head, action->commits[i].metadata.data, action->commits[i].metadata.len + 1);
        past.next_offset = action->commits[i].next_offset;
    }
}

/* A predecessor with partition 3 that answers these requests and is gone. */
static inline void live_before(const char *const *requests, size_t count)
{
    static const int32_t partition = 3;
    struct lex_error err;
    past.count = 0;
    struct lex_offset_found offset = {
        .partition = 3, .status = LEX_OK, .offset = -1, .high = 1000000};
    struct lex_tail_found tail = {.partition = 3, .status = LEX_OK};
    ck_assert_int_eq(lex_worker_new(&b.options, &b.worker, &err), LEX_OK);
    (void)feed((struct lex_event){.kind = LEX_EVENT_POLICY_LOADED, .policy = b.policy});
    (void)feed((struct lex_event){.kind = LEX_EVENT_INITED, .status = LEX_OK});
    (void)feed(
        (struct lex_event){.kind = LEX_EVENT_ASSIGNED, .partitions = &partition, .count = 1});
    (void)feed((struct lex_event){.kind = LEX_EVENT_OFFSETS, .offsets = &offset, .count = 1});
    keep(feed((struct lex_event){.kind = LEX_EVENT_TAIL, .tails = &tail, .count = 1}));
    (void)published(LEX_PUBLISHED_COMMITTED);
    for (size_t i = 0; i < count; i++) {
        keep(give(&requests[i], 1, (int64_t)i, true));
        (void)published(LEX_PUBLISHED_COMMITTED);
    }
    lex_worker_free(b.worker);
    b.worker = NULL;
}

/* The successor, up to the action that follows on the tail. */
static inline const struct lex_action *take_over(void)
{
    static const int32_t partition = 3;
    struct lex_error err;
    struct lex_offset_found offset = {.partition = 3,
                                      .status = LEX_OK,
                                      .offset = past.next_offset,
                                      .metadata = lex_span_str(past.head),
                                      .high = 1000000};
    struct lex_tail_found tail = {
        .partition = 3, .status = LEX_OK, .ever_held = true, .entry = past.values[past.count - 1]};
    ck_assert_int_eq(lex_worker_new(&b.options, &b.worker, &err), LEX_OK);
    (void)feed((struct lex_event){.kind = LEX_EVENT_POLICY_LOADED, .policy = b.policy});
    (void)feed((struct lex_event){.kind = LEX_EVENT_INITED, .status = LEX_OK});
    (void)feed(
        (struct lex_event){.kind = LEX_EVENT_ASSIGNED, .partitions = &partition, .count = 1});
    (void)feed((struct lex_event){.kind = LEX_EVENT_OFFSETS, .offsets = &offset, .count = 1});
    return feed((struct lex_event){.kind = LEX_EVENT_TAIL, .tails = &tail, .count = 1});
}

static inline const struct lex_action *piece(size_t from, size_t to, bool more)
{
    struct lex_history_found found = {.partition = 3,
                                      .status = LEX_OK,
                                      .values = &past.values[from],
                                      .count = to - from,
                                      .more = more};
    return feed((struct lex_event){.kind = LEX_EVENT_HISTORY, .history = &found, .count = 1});
}

static inline const struct lex_action *no_piece(enum lex_status status)
{
    struct lex_history_found found = {.partition = 3, .status = status};
    return feed((struct lex_event){.kind = LEX_EVENT_HISTORY, .history = &found, .count = 1});
}

static inline bool resumed(void)
{
    for (size_t i = 0; i < b.actions.count; i++)
        if (b.actions.items[i].kind == LEX_ACTION_RESUME && b.actions.items[i].count != 0)
            return true;
    return false;
}

#endif
