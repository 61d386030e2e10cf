/* Worker: what one step makes of one batch. Faults and interleavings are the simulator's business;
 * here stand the contents: entries, verdicts, dead letters, ceilings, the order of actions. */
#include "tests/unit/worker_bench.h"

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
    what_cannot_be_decoded_is_a_rejection_and_a_dead_letter_and_no_verdict,
    a_trace_context_is_handed_on_with_all_that_answers_its_request,
    what_is_no_trace_context_goes_nowhere,
    a_request_without_a_trace_context_has_outputs_without_headers,
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
    without_a_policy_a_worker_makes_no_producer_and_is_not_ready, options_out_of_range_are_named,
    a_key_over_its_ceiling_is_left_out_and_one_at_it_is_kept,
    a_small_request_behind_a_full_transaction_still_gets_its_verdict,
    a_log_only_policy_is_recorded_where_it_differs_and_changes_nothing)
