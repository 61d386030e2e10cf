/* Worker: what one step makes of one batch. Faults and interleavings are the simulator's business;
 * here stand the contents: entries, verdicts, dead letters, ceilings, the order of actions. */
#include <stdio.h>

#include "core/base/text.h"
#include "core/crypto/jwt.h"
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

static void count_settled(void *user, const struct lex_settled *items, size_t count)
{
    ((struct bench *)user)->settled += count;
    ((struct bench *)user)->last = items[count - 1];
}

static void note_remembered(void *user, int32_t partition, int64_t entries, int64_t complete_us,
                            const char *problem)
{
    struct bench *bench = user;
    (void)partition;
    (void)complete_us;
    bench->remembered = entries;
    bench->problem = problem;
}

static const struct lex_action *last(void)
{
    return &b.actions.items[b.actions.count - 1];
}

static const struct lex_action *feed(struct lex_event event)
{
    event.wall_us = EPOCH_US + (b.now_us += 1000);
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

static const char *traceparent; /* of the records that are given; NULL: none */

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
                                         .value = lex_span_str(values[i]),
                                         .traceparent = lex_span_str(traceparent)};
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

/* Whether all outputs of a request and of what is none carry `header`, and the entry `trace_id`. */
static void check_handed_on(const char *header, const char *trace_id)
{
    const char *const values[] = {READ, "{"};
    start();
    const struct lex_action *action = give(values, 2, 0, true);
    for (size_t i = 0; i < action->count; i++) {
        const struct lex_output *out = &action->outputs[i];
        size_t last = out->headers_count - 1;
        if (out->headers_count == 0 || strcmp(out->headers[last].name, "traceparent") != 0)
            ck_assert_ptr_null(header);
        else
            ck_assert_span_eq(out->headers[last].value, header);
    }
    struct lex_ledger_entry entry = entry_of(output(action, LEX_OUTPUT_LEDGER));
    ck_assert(lex_span_eq(entry.trace_id, lex_span_str(trace_id)));
}

START_TEST(a_trace_context_is_handed_on_with_all_that_answers_its_request)
{
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    check_handed_on(traceparent, "0af7651916cd43dd8448eb211c80319c");
}
END_TEST

START_TEST(what_is_no_trace_context_goes_nowhere)
{
    traceparent = "00-00000000000000000000000000000000-b7ad6b7169203331-01";
    check_handed_on(NULL, NULL);
}
END_TEST

START_TEST(a_request_without_a_trace_context_has_outputs_without_headers)
{
    traceparent = NULL;
    check_handed_on(NULL, NULL);
}
END_TEST

/* ---- a schema that a registry names ---- */

static const struct lex_action *give_registered(const struct lex_registered *registered,
                                                struct lex_span value, struct lex_span header,
                                                uint32_t verdict_schema)
{
    static struct lex_record record;
    b.now_us += 10000;
    record = (struct lex_record){.partition = 3,
                                 .timestamp_ms = 1767225600000,
                                 .key = LEX_SPAN("k"),
                                 .value = value,
                                 .registered = registered,
                                 .frame_bytes = lex_span_absent(header) ? 5 : 0,
                                 .schema_header = header,
                                 .verdict_schema = verdict_schema};
    return feed((struct lex_event){
        .kind = LEX_EVENT_RECORDS, .records = &record, .count = 1, .drained = true});
}

/* A request's bytes behind a frame of five. */
static struct lex_span framed_request(void)
{
    struct lex_span value;
    struct lex_request request = {.request_id = LEX_SPAN("r"),
                                  .actor = LEX_SPAN("user"),
                                  .proposed_action = LEX_SPAN("read"),
                                  .risk_level = 1};
    ck_assert_int_eq(lex_encode_request(LEX_FORMAT_AVRO, &request, &b.arena, &value), LEX_OK);
    return lex_span_of(value.data + 5, value.len - 5);
}

static void check_framed_verdict(const struct lex_action *action, const char *frame)
{
    struct lex_verdict verdict;
    struct lex_span bytes;
    struct lex_error err = {{0}};
    const struct lex_output *out = output(action, LEX_OUTPUT_VERDICT);
    ck_assert_ptr_nonnull(out);
    ck_assert_mem_eq(out->value.data, frame, 5);
    ck_assert_int_eq(lex_decode_verdict(out->value, &b.arena, &verdict, &bytes, &err), LEX_OK);
    ck_assert(verdict.entry.allowed);
    ck_assert(lex_span_eq(bytes, output(action, LEX_OUTPUT_LEDGER)->value));
    ck_assert_uint_eq(output(action, LEX_OUTPUT_LEDGER)->value.data[0], 0xc3);
}

START_TEST(a_framed_request_is_answered_in_its_framing_and_again_after_an_abort)
{
    struct lex_registered *ours = lex_registered_avro(lex_type_request.schema);
    start();
    check_framed_verdict(
        give_registered(ours, framed_request(), (struct lex_span){NULL, 0}, 0x01020304),
        "\0\1\2\3\4");
    (void)published(LEX_PUBLISHED_ABORTED);
    b.now_us += 1000000;
    check_framed_verdict(feed((struct lex_event){.kind = LEX_EVENT_TICK}), "\0\1\2\3\4");
    (void)published(LEX_PUBLISHED_COMMITTED);
    lex_registered_unref(ours);
}
END_TEST

START_TEST(a_json_request_is_answered_with_an_id_where_every_verdict_is)
{
    static struct lex_record record;
    b.options.verdict_format = LEX_VERDICTS_CONFLUENT;
    start();
    b.now_us += 10000;
    record = (struct lex_record){.partition = 3,
                                 .timestamp_ms = 1767225600000,
                                 .key = LEX_SPAN("k"),
                                 .value = lex_span_str(READ),
                                 .verdict_schema = 9};
    check_framed_verdict(
        feed((struct lex_event){
            .kind = LEX_EVENT_RECORDS, .records = &record, .count = 1, .drained = true}),
        "\0\0\0\0\11");
}
END_TEST

START_TEST(a_framed_json_request_is_answered_in_plain_json)
{
    char value[200] = {0};
    struct lex_registered *json = lex_registered_json();
    start();
    memcpy(value + 5, READ, sizeof READ);
    const struct lex_action *action = give_registered(json, lex_span_of(value, 5 + sizeof READ - 1),
                                                      (struct lex_span){NULL, 0}, 9);
    ck_assert_uint_eq(output(action, LEX_OUTPUT_VERDICT)->value.data[0], '{');
    lex_registered_unref(json);
}
END_TEST

START_TEST(a_refused_schema_is_a_dead_letter_that_keeps_the_header)
{
    struct lex_registered *refused =
        lex_registered_refused(LEX_UNDECODABLE_UNKNOWN_SCHEMA, "schema 7: unknown");
    start();
    const struct lex_action *action =
        give_registered(refused, LEX_SPAN("body"), LEX_SPAN("\0\0\0\0\7"), 9);
    const struct lex_output *letter = output(action, LEX_OUTPUT_DEAD_LETTER);
    ck_assert_ptr_null(output(action, LEX_OUTPUT_VERDICT));
    ck_assert_span_eq(letter->value, "body");
    ck_assert_span_eq(letter->headers[3].value, "UNKNOWN_SCHEMA");
    ck_assert_span_eq(letter->headers[4].value, "schema 7: unknown");
    ck_assert_uint_eq(letter->headers_count, 8);
    ck_assert_str_eq(letter->headers[7].name, "__value_schema_id");
    ck_assert(lex_span_eq(letter->headers[7].value, LEX_SPAN("\0\0\0\0\7")));
    lex_registered_unref(refused);
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
    b.options.identity_required = true;
    start();
    struct lex_ledger_entry entry = entry_of(output(give(values, 1, 0, true), LEX_OUTPUT_LEDGER));
    ck_assert_int_eq(entry.outcome, LEX_OUTCOME_DENIED);
    ck_assert_span_eq(entry.reason_code, "UNKNOWN_ACTOR");
    ck_assert_span_eq(entry.identity, "attested");
}
END_TEST

/* ---- whose key it is ---- */

/* One request under one key. */
static struct lex_ledger_entry ask(const char *actor, struct lex_span key, int64_t offset)
{
    struct lex_record record = {.partition = 3,
                                .offset = offset,
                                .timestamp_ms = 1767225600000,
                                .key = key,
                                .value = lex_arena_printf(&b.arena,
                                                          "{\"request_id\":\"r\",\"actor\":\"%s\","
                                                          "\"proposed_action\":\"read\"}",
                                                          actor)};
    b.now_us += 10000;
    struct lex_ledger_entry entry = entry_of(
        output(feed((struct lex_event){
                   .kind = LEX_EVENT_RECORDS, .records = &record, .count = 1, .drained = true}),
               LEX_OUTPUT_LEDGER));
    (void)published(LEX_PUBLISHED_COMMITTED);
    return entry;
}

static void check_misplaced(struct lex_ledger_entry entry)
{
    ck_assert_int_eq(entry.event_type, LEX_EVENT_TYPE_DECISION);
    ck_assert_int_eq(entry.outcome, LEX_OUTCOME_DENIED);
    ck_assert_span_eq(entry.reason_code, "INVALID_REQUEST");
    ck_assert_span_eq(
        entry.reason,
        "Denied: the record's key is not its actor's canonical name (key_check=actor)");
    ck_assert(!lex_span_absent(entry.request_fingerprint));
    ck_assert(!entry.replayable); /* the entry does not hold the key */
}

START_TEST(under_key_check_every_spelling_of_an_actor_has_one_key)
{
    b.options.key_check_actor = true;
    start();
    ck_assert(ask("actor:user", LEX_SPAN("actor:user"), 0).allowed);
    ck_assert(ask("user", LEX_SPAN("actor:user"), 1).allowed);
    ck_assert(ask("act_user", LEX_SPAN("actor:user"), 2).allowed);
    check_misplaced(ask("user", LEX_SPAN("user"), 3));
    check_misplaced(ask("act_user", LEX_SPAN("act_user"), 4));
}
END_TEST

START_TEST(under_key_check_a_wrong_key_and_none_are_denied)
{
    b.options.key_check_actor = true;
    start();
    check_misplaced(ask("user", LEX_SPAN("actor:use"), 0));
    check_misplaced(ask("user", LEX_SPAN("actor:user2"), 1));
    check_misplaced(ask("user", LEX_SPAN(""), 2));
    check_misplaced(ask("user", (struct lex_span){NULL, 0}, 3));
}
END_TEST

START_TEST(under_key_check_an_unknown_actor_has_the_name_it_gives)
{
    b.options.key_check_actor = true;
    start();
    ck_assert_span_eq(ask("nobody", LEX_SPAN("nobody"), 0).reason_code, "UNKNOWN_ACTOR");
    check_misplaced(ask("nobody", LEX_SPAN("actor:nobody"), 1));
    struct lex_ledger_entry nameless = ask("", LEX_SPAN("k"), 2);
    ck_assert_span_eq(nameless.reason_code, "INVALID_REQUEST");
    ck_assert_ptr_null(memmem(nameless.reason.data, nameless.reason.len, "key_check", 9));
}
END_TEST

START_TEST(without_key_check_any_key_is_taken)
{
    start();
    ck_assert(ask("user", LEX_SPAN("user"), 0).allowed);
    ck_assert(ask("user", LEX_SPAN("other"), 1).allowed);
    ck_assert(ask("user", (struct lex_span){NULL, 0}, 2).allowed);
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

/* ---- the history ---- */

static const char PAY[] = "{\"request_id\":\"r\",\"actor\":\"user\",\"proposed_action\":\"pay\"}";
static const char AUDIT[] =
    "{\"request_id\":\"r\",\"actor\":\"user\",\"proposed_action\":\"audit\"}";

static void use_policy(const char *text)
{
    struct lex_error err;
    lex_policy_unref(b.policy);
    ck_assert_msg(lex_policy_load(lex_span_str(text), "p", &b.policy, &err) == LEX_OK, "%s",
                  err.text);
}

static struct lex_ledger_entry decide_one(const char *request, int64_t offset)
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

static void keep(const struct lex_action *action)
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
static void live_before(const char *const *requests, size_t count)
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
static const struct lex_action *take_over(void)
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

static const struct lex_action *piece(size_t from, size_t to, bool more)
{
    struct lex_history_found found = {.partition = 3,
                                      .status = LEX_OK,
                                      .values = &past.values[from],
                                      .count = to - from,
                                      .more = more};
    return feed((struct lex_event){.kind = LEX_EVENT_HISTORY, .history = &found, .count = 1});
}

static const struct lex_action *no_piece(enum lex_status status)
{
    struct lex_history_found found = {.partition = 3, .status = status};
    return feed((struct lex_event){.kind = LEX_EVENT_HISTORY, .history = &found, .count = 1});
}

static bool resumed(void)
{
    for (size_t i = 0; i < b.actions.count; i++)
        if (b.actions.items[i].kind == LEX_ACTION_RESUME && b.actions.items[i].count != 0)
            return true;
    return false;
}

START_TEST(a_limit_holds_over_transactions_and_within_one)
{
    const char *const values[] = {READ, READ, READ};
    use_policy(REMEMBERING);
    start();
    ck_assert(decide_one(READ, 0).allowed);
    const struct lex_action *action = give(values, 3, 1, true);
    size_t allowed = 0;
    for (size_t i = 0; i < action->count; i++)
        if (action->outputs[i].kind == LEX_OUTPUT_LEDGER)
            allowed += entry_of(&action->outputs[i]).allowed;
    ck_assert_uint_eq(allowed, 1);
}
END_TEST

START_TEST(an_aborted_batch_uses_nothing_up)
{
    const char *const values[] = {READ, READ};
    use_policy(REMEMBERING);
    start();
    for (int i = 0; i < 3; i++) {
        ck_assert_uint_eq(give(values, 2, 2 * i, true)->kind, LEX_ACTION_PUBLISH);
        (void)published(LEX_PUBLISHED_ABORTED);
        b.now_us += 2000000;
        const struct lex_action *again = feed((struct lex_event){.kind = LEX_EVENT_TICK});
        ck_assert_int_eq(entry_of(output(again, LEX_OUTPUT_LEDGER)).allowed, i == 0);
        (void)published(LEX_PUBLISHED_COMMITTED);
    }
}
END_TEST

START_TEST(a_successor_reads_the_history_before_it_decides)
{
    const char *const before[] = {READ, PAY};
    use_policy(REMEMBERING);
    live_before(before, 2);
    ck_assert_uint_eq(past.count, 4);
    const struct lex_action *fetch = take_over();
    ck_assert_int_eq(fetch->kind, LEX_ACTION_FETCH_HISTORY);
    ck_assert_int_eq(fetch->history.partition, 3);
    ck_assert_int_eq(fetch->history.from, 0);
    ck_assert_int_eq(fetch->history.to, 4);
    ck_assert(!fetch->history.more);
    const struct lex_action *next = piece(0, 2, true);
    ck_assert_int_eq(next->kind, LEX_ACTION_POLL); /* the others' turn, and at once */
    ck_assert_int_eq(next->timeout_ms, 0);
    ck_assert(!resumed());
    fetch = feed((struct lex_event){.kind = LEX_EVENT_TICK});
    ck_assert_int_eq(fetch->kind, LEX_ACTION_FETCH_HISTORY);
    ck_assert(fetch->history.more);
    ck_assert_int_eq(fetch->history.from, 2);
    (void)piece(2, 4, false);
    ck_assert(resumed());
    ck_assert_int_eq(b.remembered, 4);
    ck_assert_ptr_null(b.problem);
    ck_assert(decide_one(READ, 2).allowed);
    ck_assert_span_eq(decide_one(READ, 3).reason_code, "RATE_LIMITED");
    ck_assert_span_eq(decide_one(AUDIT, 4).reason_code, "SOD_CONFLICT");
}
END_TEST

START_TEST(a_policy_that_does_not_remember_reads_nothing_back)
{
    const char *const before[] = {READ};
    live_before(before, 1);
    ck_assert_int_eq(take_over()->kind, LEX_ACTION_POLL);
    ck_assert(resumed());
    ck_assert_int_eq(b.remembered, -1);
}
END_TEST

START_TEST(a_ledger_that_retention_cut_is_complete_from_its_first_entry_on)
{
    const char *const before[] = {READ, READ, PAY};
    use_policy(REMEMBERING);
    live_before(before, 3);
    (void)take_over();
    (void)piece(4, 5, false);
    ck_assert(resumed());
    ck_assert_span_eq(decide_one(READ, 3).reason_code, "CONDITION_UNVERIFIED");
    b.now_us += 3600 * (int64_t)1000000; /* an hour later it knows again what it needs to */
    ck_assert(decide_one(READ, 4).allowed);
}
END_TEST

START_TEST(a_ledger_without_entries_leaves_everything_unknown)
{
    const char *const before[] = {PAY};
    use_policy(REMEMBERING);
    live_before(before, 1);
    (void)take_over();
    (void)piece(0, 0, false);
    ck_assert(resumed());
    ck_assert_ptr_nonnull(b.problem);
    ck_assert_span_eq(decide_one(AUDIT, 1).reason_code, "SOD_STATE_UNAVAILABLE");
}
END_TEST

START_TEST(an_entry_that_does_not_link_makes_what_lies_before_it_unknown)
{
    const char *const before[] = {READ, READ, PAY};
    uint8_t forged[1024];
    use_policy(REMEMBERING);
    live_before(before, 3);
    size_t len = past.values[2].len;
    memcpy(forged, past.values[2].data, len);
    forged[len - 1] ^= 0x40;
    past.values[2] = lex_span_of(forged, len);
    (void)take_over();
    (void)piece(0, 5, false);
    ck_assert(resumed());
    ck_assert_ptr_nonnull(b.problem);
    ck_assert_span_eq(decide_one(READ, 3).reason_code, "CONDITION_UNVERIFIED");
}
END_TEST

START_TEST(a_record_that_is_no_entry_makes_what_lies_before_it_unknown)
{
    const char *const before[] = {READ, READ, PAY};
    use_policy(REMEMBERING);
    live_before(before, 3);
    past.values[3] = LEX_SPAN("no entry");
    (void)take_over();
    (void)piece(0, 5, false);
    ck_assert(resumed());
    ck_assert_ptr_nonnull(b.problem);
    ck_assert_span_eq(decide_one(READ, 3).reason_code, "CONDITION_UNVERIFIED");
}
END_TEST

START_TEST(entries_before_the_wanted_one_do_no_harm)
{
    const char *const before[] = {READ};
    use_policy(REMEMBERING);
    live_before(before, 1);
    (void)take_over();
    (void)piece(0, 2, true);
    (void)feed((struct lex_event){.kind = LEX_EVENT_TICK});
    (void)no_piece(LEX_RETRY);
    b.now_us += 200000;
    const struct lex_action *fetch = feed((struct lex_event){.kind = LEX_EVENT_TICK});
    ck_assert_int_eq(fetch->kind, LEX_ACTION_FETCH_HISTORY);
    ck_assert(!fetch->history.more);
    ck_assert_int_eq(fetch->history.from, 2);
    (void)piece(0, 3, false);
    ck_assert_ptr_null(b.problem);
    ck_assert(decide_one(READ, 1).allowed);
    ck_assert(!decide_one(READ, 2).allowed);
}
END_TEST

START_TEST(a_ledger_that_cannot_be_read_holds_a_partition_up_for_half_a_minute)
{
    const char *const before[] = {PAY};
    use_policy(REMEMBERING);
    live_before(before, 1);
    (void)take_over();
    int64_t begin_us = b.now_us;
    while (!resumed()) {
        (void)no_piece(LEX_RETRY);
        ck_assert_int_lt(b.now_us - begin_us, 32 * (int64_t)1000000);
        if (resumed())
            break;
        b.now_us += 200000;
        ck_assert_int_eq(feed((struct lex_event){.kind = LEX_EVENT_TICK})->kind,
                         LEX_ACTION_FETCH_HISTORY);
    }
    ck_assert_int_ge(b.now_us - begin_us, 30 * (int64_t)1000000);
    ck_assert_ptr_nonnull(b.problem);
    ck_assert_span_eq(decide_one(AUDIT, 1).reason_code, "SOD_STATE_UNAVAILABLE");
}
END_TEST

START_TEST(a_policy_that_remembers_something_else_has_the_history_read_again)
{
    struct lex_error err;
    struct lex_policy *other;
    start();
    ck_assert(decide_one(READ, 0).allowed);
    ck_assert_int_eq(lex_policy_load(lex_span_str(REMEMBERING), "p", &other, &err), LEX_OK);
    const struct lex_action *action =
        feed((struct lex_event){.kind = LEX_EVENT_POLICY_LOADED, .policy = other});
    ck_assert_int_eq(action->kind, LEX_ACTION_FETCH_HISTORY);
    ck_assert_int_eq(action->history.to, 3);
    lex_policy_unref(other);
}
END_TEST

START_TEST(a_policy_that_remembers_the_same_delays_nothing)
{
    struct lex_error err;
    struct lex_policy *same;
    use_policy(REMEMBERING);
    start();
    ck_assert_int_eq(lex_policy_load(lex_span_str(REMEMBERING), "p", &same, &err), LEX_OK);
    const struct lex_action *action =
        feed((struct lex_event){.kind = LEX_EVENT_POLICY_LOADED, .policy = same});
    ck_assert_int_eq(action->kind, LEX_ACTION_POLL);
    ck_assert(!resumed());
    lex_policy_unref(same);
}
END_TEST

/* ---- statements and tokens ---- */

static struct lex_signer *signer;
static struct lex_identity *identity;

static void use_issuer(void)
{
    static const uint8_t seed[LEX_SEED_BYTES] = {9};
    struct lex_error err;
    struct lex_buf json;
    lex_buf_init(&json, 4096);
    ck_assert_int_eq(lex_signer_from_seed(seed, &signer, &err), LEX_OK);
    lex_buf_puts(&json, "{\"issuers\":[{\"iss\":\"hr\",\"approvers\":[\"actor:human\"],"
                        "\"actors\":[\"user\"],\"keys\":[{\"kid\":\"k1\",\"public_key\":\"");
    lex_buf_put_base64(&json, lex_span_of(lex_signer_public(signer)->bytes, LEX_PUBLIC_KEY_BYTES));
    lex_buf_puts(&json, "\"}]}]}");
    ck_assert_msg(lex_identity_parse(lex_buf_span(&json), &identity, &err) == LEX_OK, "%s",
                  err.text);
    lex_buf_fini(&json);
    b.options.identity = identity;
}

static void drop_issuer(void)
{
    lex_identity_free(identity);
    lex_signer_free(signer);
}

static const char *jwt(const char *type, const char *claims)
{
    struct lex_buf text;
    uint8_t signature[LEX_SIGNATURE_BYTES];
    char header[96];
    int len = snprintf(header, sizeof header,
                       "{\"alg\":\"EdDSA\",\"typ\":\"lexecon-%s+jwt\",\"kid\":\"k1\"}", type);
    lex_buf_init(&text, 4096);
    lex_buf_put_base64url(&text, lex_span_of(header, (size_t)len));
    lex_buf_putc(&text, '.');
    lex_buf_put_base64url(&text, lex_span_str(claims));
    lex_signer_sign(signer, lex_buf_span(&text), signature);
    lex_buf_putc(&text, '.');
    lex_buf_put_base64url(&text, lex_span_of(signature, sizeof signature));
    const char *kept =
        (const char *)lex_arena_dup(&b.arena, lex_span_of(lex_buf_str(&text), text.len + 1)).data;
    lex_buf_fini(&text);
    return kept;
}

/* The deploy request with an approval of it that says it was issued then. */
static const char *deploy_approved_at(const char *jti, int64_t issued_s)
{
    struct lex_request request = {
        .actor = LEX_SPAN("user"), .proposed_action = LEX_SPAN("deploy"), .risk_level = 1};
    uint8_t hash[32];
    struct lex_buf claims;
    lex_buf_init(&claims, 4096);
    ck_assert_int_eq(lex_request_fingerprint(&request, &b.arena, hash, NULL), LEX_OK);
    lex_buf_printf(&claims,
                   "{\"iss\":\"hr\",\"sub\":\"user\",\"iat\":%lld,\"exp\":%lld,\"jti\":\"%s\","
                   "\"approver\":\"actor:human\",\"log\":\"t/one/ledger/3\",\"decision_id\":"
                   "\"dec_01ARZ3NDEKTSV4RRFFQ69G5FAV\",\"req\":\"",
                   (long long)issued_s, (long long)(issued_s + 600), jti);
    lex_buf_put_hex(&claims, hash, sizeof hash);
    lex_buf_puts(&claims, "\"}");
    struct lex_span text =
        lex_arena_printf(&b.arena,
                         "{\"request_id\":\"r\",\"actor\":\"user\",\"proposed_action\":\"deploy\","
                         "\"attestations\":[\"%s\"]}",
                         jwt("approval", lex_buf_str(&claims)));
    lex_buf_fini(&claims);
    return (const char *)text.data;
}

static const char *approved_deploy(const char *jti)
{
    return deploy_approved_at(jti, EPOCH_US / 1000000);
}

START_TEST(an_approval_counts_once)
{
    use_policy(REMEMBERING);
    use_issuer();
    start();
    const char *request = approved_deploy("j1");
    ck_assert(decide_one(request, 0).allowed);
    ck_assert_ptr_null(b.last.problems);
    ck_assert_span_eq(decide_one(request, 1).reason_code, "APPROVAL_REQUIRED");
    ck_assert_uint_eq(b.last.problems->count, 1);
    ck_assert_int_eq(b.last.problems->items[0].why, LEX_IDENTITY_REUSED);
    ck_assert(decide_one(approved_deploy("j2"), 2).allowed);
    drop_issuer();
}
END_TEST

START_TEST(an_approval_that_counted_at_the_first_moment_it_could_does_not_count_again)
{
    use_policy(REMEMBERING);
    use_issuer();
    start();
    b.now_us = 10000000 - 11000 - 1; /* decide_one takes 11 ms: a microsecond too early */
    ck_assert(!decide_one(deploy_approved_at("j1", EPOCH_US / 1000000 + 40), 0).allowed);
    ck_assert_int_eq(b.last.problems->items[0].why, LEX_IDENTITY_NOT_YET);
    const char *request = deploy_approved_at("j2", EPOCH_US / 1000000 + 50);
    b.now_us = 20000000 - 11000;
    struct lex_ledger_entry first = decide_one(request, 1);
    ck_assert_int_eq(first.evaluated_at.value, EPOCH_US + 20000000);
    ck_assert(first.allowed);
    ck_assert_span_eq(decide_one(request, 2).reason_code, "APPROVAL_REQUIRED");
    ck_assert_int_eq(b.last.problems->items[0].why, LEX_IDENTITY_REUSED);
    drop_issuer();
}
END_TEST

START_TEST(an_approval_that_was_used_before_the_restart_does_not_count_after_it)
{
    use_policy(REMEMBERING);
    use_issuer();
    const char *const before[] = {approved_deploy("j1")};
    live_before(before, 1);
    (void)take_over();
    (void)piece(0, past.count, false);
    ck_assert_span_eq(decide_one(before[0], 1).reason_code, "APPROVAL_REQUIRED");
    drop_issuer();
}
END_TEST

START_TEST(an_approval_from_before_what_is_known_does_not_count)
{
    use_policy(REMEMBERING);
    use_issuer();
    const char *const before[] = {PAY};
    live_before(before, 1);
    (void)take_over();
    (void)piece(0, 0, false);
    ck_assert_span_eq(decide_one(approved_deploy("j1"), 1).reason_code, "APPROVAL_REQUIRED");
    drop_issuer();
}
END_TEST

START_TEST(attested_identity_lets_the_attested_actor_in)
{
    char claims[256], text[1024];
    use_issuer();
    (void)snprintf(claims, sizeof claims,
                   "{\"iss\":\"hr\",\"sub\":\"user\",\"iat\":%lld,\"exp\":%lld,\"jti\":\"i\"}",
                   (long long)(EPOCH_US / 1000000), (long long)(EPOCH_US / 1000000 + 600));
    (void)snprintf(text, sizeof text,
                   "{\"request_id\":\"r\",\"actor\":\"user\",\"proposed_action\":\"read\","
                   "\"attestations\":[\"%s\"]}",
                   jwt("identity", claims));
    b.options.identity_required = true;
    start();
    struct lex_ledger_entry entry = decide_one(text, 0);
    ck_assert_span_eq(entry.reason_code, "PERMITTED");
    ck_assert(decide_one(text, 1).allowed); /* an identity is no single use */
    ck_assert_span_eq(decide_one(READ, 2).reason_code, "UNKNOWN_ACTOR");
    drop_issuer();
}
END_TEST

static struct lex_span token_of(const struct lex_action *action)
{
    struct lex_verdict verdict;
    struct lex_span bytes;
    struct lex_error err = {{0}};
    const struct lex_output *out = output(action, LEX_OUTPUT_VERDICT);
    ck_assert_int_eq(lex_decode_verdict_json(out->value, &b.arena, &verdict, &bytes, &err), LEX_OK);
    return verdict.token;
}

static const char WANTS_TOKEN[] = "{\"request_id\":\"r\",\"actor\":\"user\",\"proposed_action\":"
                                  "\"read\",\"want_token\":true}";
static const char WANTS_IN_VAIN[] = "{\"request_id\":\"r\",\"actor\":\"user\",\"proposed_action\":"
                                    "\"write\",\"want_token\":true}";

static void use_tokens(void)
{
    static char kid[LEX_KID_HEX_BYTES];
    static struct lex_jwk key;
    lex_jwk_of_keyring(b.keyring, LEX_JWT_EDDSA, kid, &key);
    b.options.token_keys = (struct lex_jwk_list){&key, 1};
    b.options.token_issuer = LEX_SPAN("t/one");
    b.options.token_audience = LEX_SPAN("gates");
    b.options.token_max_ttl_us = 3600 * (int64_t)1000000;
}

START_TEST(an_approval_that_asks_for_a_token_gets_one_and_a_denial_none)
{
    const char *const values[] = {WANTS_TOKEN, WANTS_IN_VAIN, READ};
    use_tokens();
    start();
    ck_assert_uint_ne(token_of(give(values, 1, 0, true)).len, 0);
    (void)published(LEX_PUBLISHED_COMMITTED);
    ck_assert_int_ne(b.last.token_exp_s, 0);
    ck_assert(lex_span_absent(token_of(give(values + 1, 1, 1, true))));
    (void)published(LEX_PUBLISHED_COMMITTED);
    ck_assert_int_eq(b.last.token_exp_s, 0);
    ck_assert(lex_span_absent(token_of(give(values + 2, 1, 2, true))));
}
END_TEST

START_TEST(with_jwt_always_every_approval_carries_a_token)
{
    const char *const values[] = {READ};
    use_tokens();
    b.options.token_always = true;
    start();
    ck_assert_uint_ne(token_of(give(values, 1, 0, true)).len, 0);
}
END_TEST

START_TEST(a_presented_token_is_verified_and_a_forged_one_is_none)
{
    const char *const first[] = {WANTS_TOKEN};
    char text[4096];
    use_tokens();
    start();
    struct lex_span token = lex_arena_dup(&b.arena, token_of(give(first, 1, 0, true)));
    (void)published(LEX_PUBLISHED_COMMITTED);
    ck_assert(!b.last.token_presented);
    for (int forged = 0; forged < 2; forged++) {
        (void)snprintf(text, sizeof text,
                       "{\"request_id\":\"r\",\"actor\":\"user\",\"proposed_action\":\"read\","
                       "\"capability_token\":\"%.*s%s\"}",
                       LEX_SPAN_FMT(token), forged ? "AA" : "");
        ck_assert(decide_one(text, 1 + forged).allowed);
        ck_assert(b.last.token_presented);
        ck_assert((b.last.token_why == LEX_IDENTITY_WHY_COUNT) == !forged);
    }
}
END_TEST

/* ---- shadows ---- */

START_TEST(a_log_only_policy_is_recorded_where_it_differs_and_changes_nothing)
{
    static const char forbids[] =
        "{\"policy_id\":\"shadow\",\"version\":\"2\",\"enforcement\":\"log_only\",\"mode\":"
        "\"strict\",\"terms\":[{\"id\":\"actor:user\",\"type\":\"actor\"},{\"id\":\"action:read\","
        "\"type\":\"action\"}],\"relations\":[{\"id\":\"no\",\"type\":\"forbids\",\"subject\":"
        "\"actor:user\",\"action\":\"action:read\"}]}";
    const struct lex_policy_document documents[] = {
        {.source = "p.json", .text = lex_span_str(POLICY)},
        {.source = "shadow.json", .text = lex_span_str(forbids)}};
    struct lex_error err;
    lex_policy_unref(b.policy);
    ck_assert_msg(lex_policy_load_documents(documents, 2, &b.policy, &err) == LEX_OK, "%s",
                  err.text);
    start();
    struct lex_ledger_entry entry = decide_one(READ, 0);
    ck_assert(entry.allowed);
    ck_assert_span_eq(entry.detail, "{\"log_only\":[{\"policy\":\"shadow\",\"version\":\"2\","
                                    "\"outcome\":\"denied\",\"reason_code\":\"FORBIDDEN\"}]}");
    ck_assert_uint_eq(b.last.flips, 1);
    entry =
        decide_one("{\"request_id\":\"r\",\"actor\":\"user\",\"proposed_action\":\"nothing\"}", 1);
    ck_assert(lex_span_absent(entry.detail));
    ck_assert_uint_eq(b.last.flips, 0);
}
END_TEST

LEX_CHECK_MAIN_WITH(
    "worker", setup, teardown, a_request_becomes_an_entry_and_a_verdict_that_verifies,
    an_aborted_batch_is_decided_again_with_the_same_seq_and_id,
    an_unknown_commit_is_asked_again_before_anything_else,
    under_load_a_batch_is_produced_and_the_commit_waits_for_its_time,
    a_trace_context_is_handed_on_with_all_that_answers_its_request,
    what_is_no_trace_context_goes_nowhere,
    a_request_without_a_trace_context_has_outputs_without_headers,
    what_cannot_be_decoded_is_a_rejection_and_a_dead_letter_and_no_verdict,
    a_framed_request_is_answered_in_its_framing_and_again_after_an_abort,
    a_json_request_is_answered_with_an_id_where_every_verdict_is,
    a_framed_json_request_is_answered_in_plain_json,
    a_refused_schema_is_a_dead_letter_that_keeps_the_header,
    a_dead_letter_carries_no_byte_more_than_its_ceiling,
    a_token_cut_off_by_the_ceiling_is_blanked_too, an_incomplete_request_is_denied_and_recorded,
    an_over_long_name_is_denied_and_stands_cut_in_the_entry,
    a_request_over_request_max_bytes_is_refused_unread, a_number_beyond_double_precision_is_denied,
    attested_identity_denies_an_actor_that_nobody_attests,
    under_key_check_every_spelling_of_an_actor_has_one_key,
    under_key_check_a_wrong_key_and_none_are_denied,
    under_key_check_an_unknown_actor_has_the_name_it_gives, without_key_check_any_key_is_taken,
    full_content_embeds_the_request_without_its_token,
    more_records_than_one_signature_serves_get_several,
    a_record_that_was_decided_before_is_not_decided_again,
    a_small_transaction_follows_the_last_one_after_a_short_pause,
    a_revoke_ends_the_transaction_before_the_partition_goes,
    a_lost_assignment_aborts_and_never_commits, a_stop_commits_what_is_open_and_then_says_stopped,
    without_a_policy_a_worker_makes_no_producer_and_is_not_ready,
    a_key_over_its_ceiling_is_left_out_and_one_at_it_is_kept,
    a_small_request_behind_a_full_transaction_still_gets_its_verdict,
    options_out_of_range_are_named, a_limit_holds_over_transactions_and_within_one,
    an_aborted_batch_uses_nothing_up, a_successor_reads_the_history_before_it_decides,
    a_policy_that_does_not_remember_reads_nothing_back,
    a_ledger_that_retention_cut_is_complete_from_its_first_entry_on,
    a_ledger_without_entries_leaves_everything_unknown,
    an_entry_that_does_not_link_makes_what_lies_before_it_unknown,
    a_record_that_is_no_entry_makes_what_lies_before_it_unknown,
    entries_before_the_wanted_one_do_no_harm,
    a_ledger_that_cannot_be_read_holds_a_partition_up_for_half_a_minute,
    a_policy_that_remembers_something_else_has_the_history_read_again,
    a_policy_that_remembers_the_same_delays_nothing, an_approval_counts_once,
    an_approval_that_counted_at_the_first_moment_it_could_does_not_count_again,
    an_approval_that_was_used_before_the_restart_does_not_count_after_it,
    an_approval_from_before_what_is_known_does_not_count,
    attested_identity_lets_the_attested_actor_in,
    an_approval_that_asks_for_a_token_gets_one_and_a_denial_none,
    with_jwt_always_every_approval_carries_a_token,
    a_presented_token_is_verified_and_a_forged_one_is_none,
    a_log_only_policy_is_recorded_where_it_differs_and_changes_nothing)
