/* Recovery: where a chain goes on, from what the commit, the ledger and the request partition say;
 * and what an operator may choose where they contradict each other (pipeline.md, rule 3). Every
 * case has its twin, in which one witness says something else. */
#include <stdio.h>

#include "core/worker/choose.h"
#include "core/worker/recover.h"
#include "tests/unit/lex_check.h"

#define ORIGIN "example.com/test/lexecon.ledger/3"

enum { ENTRIES = 6 }; /* genesis, policy, and the requests 0 to 3 */

static struct lex_arena arena;
static struct lex_span values[ENTRIES];
static struct lex_hash leaves[ENTRIES];
static char text[LEX_HEAD_TEXT_MAX_BYTES];

static struct lex_span append(struct lex_chain *chain, struct lex_span log, int64_t source_offset,
                              struct lex_hash *ret_leaf)
{
    struct lex_span value;
    struct lex_ledger_entry entry = {.recorded_at = 1767225600000000,
                                     .event_type = LEX_EVENT_TYPE_DECISION,
                                     .node_id = LEX_SPAN("node-1"),
                                     .source = {.topic = LEX_SPAN("lexecon.requests"),
                                                .partition = 3,
                                                .offset = source_offset,
                                                .timestamp = -1},
                                     .replayable = true};
    chain->origin = log;
    ck_assert_int_eq(lex_chain_append(chain, &entry, &arena, &value, ret_leaf), LEX_OK);
    return value;
}

static void setup(void)
{
    struct lex_error err;
    ck_assert_int_eq(lex_crypto_init(&err), LEX_OK);
    lex_arena_init(&arena, 64 << 10, 4 << 20);
    struct lex_chain chain = lex_chain_genesis(LEX_SPAN(ORIGIN));
    for (int i = 0; i < ENTRIES; i++)
        values[i] = append(&chain, LEX_SPAN(ORIGIN), i < 2 ? -1 : i - 2, &leaves[i]);
}

static void teardown(void)
{
    lex_arena_fini(&arena);
}

/* The head after entry `last`, with a policy, as the worker commits it. */
static struct lex_head head_after(int last)
{
    struct lex_head head = {
        .seq = last + 1, .prev = leaves[last], .last_source_offset = last < 2 ? -1 : last - 2};
    lex_head_set_policy(&head, LEX_SPAN("p"), LEX_SPAN("1"), leaves[0].bytes);
    return head;
}

static struct lex_span metadata_of(struct lex_head head)
{
    return lex_span_of(text, lex_head_write(&head, text));
}

/* Six entries, four decided requests, ten in the topic: nothing is wrong. */
static struct lex_recover_input healthy(void)
{
    return (struct lex_recover_input){.origin = LEX_SPAN(ORIGIN),
                                      .offset = 4,
                                      .metadata = metadata_of(head_after(5)),
                                      .low = 0,
                                      .high = 10,
                                      .ever_held = true,
                                      .entry = values[5]};
}

static struct lex_recover_input empty(void)
{
    return (struct lex_recover_input){
        .origin = LEX_SPAN(ORIGIN), .offset = -1, .low = 0, .high = 10};
}

static struct lex_recovered judge(const struct lex_recover_input *in)
{
    struct lex_recovered found;
    ck_assert_int_eq(lex_recover(in, &arena, &found), LEX_OK);
    return found;
}

static struct lex_recovered halts(const struct lex_recover_input *in, const char *why)
{
    struct lex_recovered found = judge(in);
    ck_assert_int_eq(found.kind, LEX_RECOVERED_HALT);
    ck_assert_msg(strstr(found.reason, why) != NULL, "'%s' does not say '%s'", found.reason, why);
    return found;
}

/* ---- no metadata, no ledger: genesis ---- */

START_TEST(nothing_anywhere_is_genesis_from_the_first_request)
{
    struct lex_recover_input in = empty();
    struct lex_recovered found = judge(&in);
    struct lex_hash genesis;
    lex_genesis_hash(LEX_SPAN(ORIGIN), &genesis);
    ck_assert_int_eq(found.kind, LEX_RECOVERED_GENESIS);
    ck_assert_int_eq(found.head.seq, 0);
    ck_assert(lex_hash_eq(&found.head.prev, &genesis));
    ck_assert_int_eq(found.next_offset, 0);
    ck_assert_int_eq(found.head.last_source_offset, -1);
    ck_assert(!found.head.has_policy);
    ck_assert_int_eq(found.deleted_from, found.next_offset);
}
END_TEST

START_TEST(genesis_with_start_latest_begins_at_the_end)
{
    struct lex_recover_input in = empty();
    in.start_latest = true;
    struct lex_recovered found = judge(&in);
    ck_assert_int_eq(found.next_offset, 10);
    ck_assert_int_eq(found.deleted_from, 10); /* chosen, not deleted */
    ck_assert_int_eq(found.head.last_source_offset, 9);
}
END_TEST

START_TEST(genesis_keeps_an_offset_that_was_set_without_a_head)
{
    struct lex_recover_input in = empty();
    in.offset = 7;
    in.start_latest = true;
    struct lex_recovered found = judge(&in);
    ck_assert_int_eq(found.kind, LEX_RECOVERED_GENESIS);
    ck_assert_int_eq(found.next_offset, 7);
}
END_TEST

START_TEST(genesis_names_requests_that_were_deleted_before_it)
{
    struct lex_recover_input in = empty();
    in.low = 4;
    struct lex_recovered found = judge(&in);
    ck_assert_int_eq(found.kind, LEX_RECOVERED_GENESIS);
    ck_assert_int_eq(found.deleted_from, 0);
    ck_assert_int_eq(found.next_offset, 4);
    ck_assert_int_eq(found.head.last_source_offset, 3); /* settled: a lost head does not go back */
}
END_TEST

START_TEST(a_ledger_that_ever_held_an_entry_is_never_begun_again)
{
    struct lex_recover_input in = empty();
    in.ever_held = true;
    (void)halts(&in, "left nothing of the ledger");
    in.entry = values[5];
    ck_assert_int_eq(judge(&in).kind, LEX_RECOVERED_FROM_LEDGER);
}
END_TEST

/* ---- no metadata otherwise: the ledger is the authority ---- */

START_TEST(without_a_head_the_ledgers_last_entry_says_where_to_go_on)
{
    struct lex_recover_input in = healthy();
    in.metadata = (struct lex_span){0};
    for (int64_t offset = -1; offset <= 9; offset += 5) { /* reset to anything */
        in.offset = offset;
        struct lex_recovered found = judge(&in);
        ck_assert_int_eq(found.kind, LEX_RECOVERED_FROM_LEDGER);
        ck_assert_int_eq(found.head.seq, 6);
        ck_assert(lex_hash_eq(&found.head.prev, &leaves[5]));
        ck_assert_int_eq(found.next_offset, 4);
        ck_assert_int_eq(found.head.last_source_offset, 3);
        ck_assert(!found.head.has_policy); /* unknown: it is written again */
        ck_assert(found.has_tail && !found.has_head);
    }
}
END_TEST

START_TEST(metadata_without_an_offset_is_no_head)
{
    struct lex_recover_input in = healthy();
    in.offset = -1;
    ck_assert_int_eq(judge(&in).kind, LEX_RECOVERED_FROM_LEDGER);
}
END_TEST

START_TEST(a_ledger_of_events_alone_goes_on_with_the_first_request)
{
    struct lex_recover_input in = healthy();
    in.metadata = (struct lex_span){0};
    in.entry = values[1];
    struct lex_recovered found = judge(&in);
    ck_assert_int_eq(found.head.seq, 2);
    ck_assert_int_eq(found.next_offset, 0);
}
END_TEST

START_TEST(from_the_ledger_too_deleted_requests_are_named)
{
    struct lex_recover_input in = healthy();
    in.metadata = (struct lex_span){0};
    in.low = 8;
    struct lex_recovered found = judge(&in);
    ck_assert_int_eq(found.kind, LEX_RECOVERED_FROM_LEDGER);
    ck_assert_int_eq(found.deleted_from, 4);
    ck_assert_int_eq(found.next_offset, 8);
}
END_TEST

/* ---- metadata ---- */

START_TEST(head_and_ledger_that_agree_go_on)
{
    struct lex_recover_input in = healthy();
    struct lex_recovered found = judge(&in);
    ck_assert_int_eq(found.kind, LEX_RECOVERED_CONTINUE);
    ck_assert_int_eq(found.next_offset, 4);
    ck_assert_int_eq(found.deleted_from, 4);
    struct lex_head head = head_after(5);
    ck_assert(lex_head_eq(&found.head, &head));
    ck_assert(found.has_head && found.has_tail);
}
END_TEST

START_TEST(a_ledger_emptied_by_retention_leaves_the_head_as_authority)
{
    struct lex_recover_input in = healthy();
    in.entry = (struct lex_span){0};
    ck_assert_int_eq(judge(&in).kind, LEX_RECOVERED_CONTINUE);
    in.ever_held = false; /* the twin: it never held one, so it is another ledger */
    (void)halts(&in, "never held one");
}
END_TEST

START_TEST(a_head_of_an_empty_chain_and_an_empty_ledger_go_on)
{
    struct lex_recover_input in = empty();
    struct lex_head head = {.last_source_offset = -1};
    lex_genesis_hash(LEX_SPAN(ORIGIN), &head.prev);
    in.offset = 0;
    in.metadata = metadata_of(head);
    struct lex_recovered found = judge(&in);
    ck_assert_int_eq(found.kind, LEX_RECOVERED_CONTINUE);
    ck_assert_int_eq(found.head.seq, 0);
}
END_TEST

START_TEST(deleted_requests_are_skipped_and_named)
{
    struct lex_recover_input in = healthy();
    in.low = 4;
    ck_assert_int_eq(judge(&in).deleted_from, 4); /* exactly what was decided: nothing is lost */
    in.low = 9;
    struct lex_recovered found = judge(&in);
    ck_assert_int_eq(found.kind, LEX_RECOVERED_CONTINUE);
    ck_assert_int_eq(found.deleted_from, 4);
    ck_assert_int_eq(found.next_offset, 9);
    ck_assert_int_eq(found.head.last_source_offset, 8);
    ck_assert_int_eq(found.head.seq, 6); /* the chain itself has no hole */
}
END_TEST

START_TEST(offsets_that_hold_no_request_are_passed)
{
    struct lex_recover_input in = healthy();
    in.offset = 6; /* behind control records of the request partition */
    struct lex_recovered found = judge(&in);
    ck_assert_int_eq(found.kind, LEX_RECOVERED_CONTINUE);
    ck_assert_int_eq(found.next_offset, 6);
}
END_TEST

/* ---- contradictions ---- */

START_TEST(a_head_ahead_of_the_ledger_halts)
{
    struct lex_recover_input in = healthy();
    in.entry = values[4];
    struct lex_recovered found = halts(&in, "names entry 6 as the next");
    ck_assert(found.has_head && found.has_tail);
    ck_assert_int_eq(found.from_head.seq, 6);
    ck_assert_int_eq(found.from_tail.seq, 5);
    ck_assert_int_eq(found.from_tail.last_source_offset, 2);
    ck_assert_int_eq(found.committed_offset, 4);
}
END_TEST

START_TEST(a_ledger_ahead_of_the_head_halts)
{
    struct lex_recover_input in = healthy();
    in.offset = 3;
    in.metadata = metadata_of(head_after(4));
    (void)halts(&in, "last entry is 5");
}
END_TEST

START_TEST(the_same_length_with_another_hash_halts)
{
    struct lex_recover_input in = healthy();
    struct lex_head head = head_after(5);
    head.prev = leaves[4];
    in.metadata = metadata_of(head);
    (void)halts(&in, "different hashes");
}
END_TEST

START_TEST(a_rewind_halts_and_one_request_more_does_not)
{
    struct lex_recover_input in = healthy();
    in.offset = 3;
    (void)halts(&in, "a rewind");
    in.offset = 4;
    ck_assert_int_eq(judge(&in).kind, LEX_RECOVERED_CONTINUE);
}
END_TEST

START_TEST(metadata_that_is_no_head_halts_and_still_tells_the_ledger)
{
    struct lex_recover_input in = healthy();
    in.metadata = LEX_SPAN("somebody's own note");
    struct lex_recovered found = halts(&in, "is no head");
    ck_assert(!found.has_head && found.has_tail);
    ck_assert_int_eq(found.from_tail.seq, 6);
    in = healthy();
    in.metadata.len--; /* the twin: one byte less of a good one */
    (void)halts(&in, "is no head");
    in = empty(); /* nor does an empty ledger make a genesis of it */
    in.offset = 0;
    in.metadata = LEX_SPAN("x");
    (void)halts(&in, "is no head");
}
END_TEST

START_TEST(a_last_record_that_is_no_entry_halts)
{
    struct lex_recover_input in = healthy();
    in.entry = LEX_SPAN("garbage");
    ck_assert(!halts(&in, "is no entry").has_tail);
    in.metadata = (struct lex_span){0};
    (void)halts(&in, "is no entry");
    in = healthy();
    in.entry.len--;
    (void)halts(&in, "is no entry");
}
END_TEST

START_TEST(another_logs_entry_halts)
{
    struct lex_recover_input in = healthy();
    struct lex_chain chain = lex_chain_at(LEX_SPAN(ORIGIN), 5, &leaves[4]);
    struct lex_hash leaf;
    in.entry = append(&chain, LEX_SPAN("example.com/other/lexecon.ledger/3"), 3, &leaf);
    ck_assert(halts(&in, "check origin_prefix").foreign_tail);
    in = healthy();
    ck_assert(!judge(&in).foreign_tail);
}
END_TEST

START_TEST(requests_that_end_before_the_committed_offset_halt)
{
    struct lex_recover_input in = healthy();
    in.high = 4;
    ck_assert_int_eq(judge(&in).kind, LEX_RECOVERED_CONTINUE); /* all decided, none new */
    in.high = 3;
    (void)halts(&in, "made anew");
    in.metadata = (struct lex_span){0};
    (void)halts(&in, "made anew");
    in = empty();
    in.offset = 11;
    (void)halts(&in, "made anew");
}
END_TEST

START_TEST(an_arena_without_room_is_a_limit_and_no_verdict)
{
    struct lex_arena small;
    struct lex_recovered found;
    struct lex_recover_input in = healthy();
    const struct lex_span names[] = {LEX_SPAN("a"), LEX_SPAN("b")};
    struct lex_ledger_entry entry = {
        .node_id = LEX_SPAN("n"), .source.topic = LEX_SPAN("t"), .data_classes = {names, 2}};
    struct lex_chain chain = lex_chain_at(LEX_SPAN(ORIGIN), 5, &leaves[4]);
    struct lex_hash leaf;
    ck_assert_int_eq(lex_chain_append(&chain, &entry, &arena, &in.entry, &leaf), LEX_OK);
    (void)halts(&in, "different hashes"); /* with room it is read */
    lex_arena_init(&small, 16, 16);
    ck_assert_int_eq(lex_recover(&in, &small, &found), LEX_LIMIT);
    lex_arena_fini(&small);
}
END_TEST

/* ---- choices ---- */

static struct lex_chosen chooses(const struct lex_recover_input *in, enum lex_choice choice,
                                 int64_t next_offset)
{
    struct lex_chosen chosen;
    struct lex_error err = {{0}};
    struct lex_recovered found = judge(in);
    ck_assert_msg(lex_choose(in, &found, choice, next_offset, &chosen, &err) == LEX_OK, "%s",
                  err.text);
    return chosen;
}

static void refuses(const struct lex_recover_input *in, enum lex_choice choice, int64_t next_offset,
                    const char *why)
{
    struct lex_chosen chosen = {.next_offset = -77};
    struct lex_error err = {{0}};
    struct lex_recovered found = judge(in);
    ck_assert_int_eq(lex_choose(in, &found, choice, next_offset, &chosen, &err), LEX_REJECT);
    ck_assert_msg(strstr(err.text, why) != NULL, "'%s' does not say '%s'", err.text, why);
    ck_assert_int_eq(chosen.next_offset, -77);
}

/* What the tool writes is what the worker then finds: it must go on, at the chosen place. */
static void goes_on_after(const struct lex_recover_input *in, struct lex_chosen chosen)
{
    struct lex_hash leaf;
    struct lex_recover_input after = *in;
    struct lex_chain chain = lex_chain_at(in->origin, chosen.head.seq, &chosen.head.prev);
    after.entry = append(&chain, in->origin, chosen.head.last_source_offset, &leaf);
    after.ever_held = true;
    chosen.head.seq++;
    chosen.head.prev = leaf;
    after.metadata = metadata_of(chosen.head);
    after.offset = chosen.next_offset;
    struct lex_recovered found = judge(&after);
    ck_assert_msg(found.kind == LEX_RECOVERED_CONTINUE, "%s", found.reason);
    ck_assert_int_eq(found.next_offset, chosen.next_offset);
    after.metadata = (struct lex_span){0}; /* and the same where that head is lost again */
    after.offset = -1;
    found = judge(&after);
    ck_assert_int_eq(found.kind, LEX_RECOVERED_FROM_LEDGER);
    ck_assert_int_eq(found.next_offset, chosen.next_offset);
}

static void declares(const struct lex_chosen *chosen, bool gap, int64_t from, int64_t to)
{
    struct lex_span detail;
    struct lex_error err = {{0}};
    int64_t got_from, got_to;
    ck_assert_msg(lex_event_recovery(&chosen->recovery, &arena, &detail, &err) == LEX_OK, "%s",
                  err.text);
    ck_assert_int_eq(lex_event_declares_gap(detail, &arena, &got_from, &got_to), gap);
    if (gap) {
        ck_assert_int_eq(got_from, from);
        ck_assert_int_eq(got_to, to);
    }
}

START_TEST(without_a_contradiction_there_is_no_choice)
{
    struct lex_recover_input in = healthy();
    refuses(&in, LEX_CHOICE_HEAD, -1, "nothing contradicts");
    refuses(&in, LEX_CHOICE_LEDGER, -1, "nothing contradicts");
}
END_TEST

START_TEST(a_head_ahead_may_be_taken_and_declares_what_the_ledger_lacks)
{
    struct lex_recover_input in = healthy();
    in.entry = values[3];
    struct lex_chosen chosen = chooses(&in, LEX_CHOICE_HEAD, -1);
    ck_assert_int_eq(chosen.head.seq, 6);
    ck_assert_int_eq(chosen.next_offset, 4);
    ck_assert(chosen.head.has_policy);
    ck_assert_int_eq(chosen.recovery.kind, LEX_RECOVERY_CHOSE_HEAD);
    declares(&chosen, true, 4, 5);
    goes_on_after(&in, chosen);
}
END_TEST

START_TEST(a_head_that_is_not_ahead_is_refused)
{
    struct lex_recover_input in = healthy();
    in.offset = 3;
    in.metadata = metadata_of(head_after(4));
    refuses(&in, LEX_CHOICE_HEAD, -1, "would fork");
    struct lex_head same = head_after(5);
    same.prev = leaves[4];
    in.metadata = metadata_of(same);
    refuses(&in, LEX_CHOICE_HEAD, -1, "would fork");
    in.metadata = metadata_of(head_after(5)); /* a rewind: nothing is decided twice */
    in.offset = 1;
    refuses(&in, LEX_CHOICE_HEAD, -1, "would fork");
}
END_TEST

START_TEST(the_ledger_may_be_taken_behind_its_last_entry)
{
    struct lex_recover_input in = healthy();
    in.offset = 3;
    in.metadata = metadata_of(head_after(4));
    struct lex_chosen chosen = chooses(&in, LEX_CHOICE_LEDGER, -1);
    ck_assert_int_eq(chosen.head.seq, 6);
    ck_assert(lex_hash_eq(&chosen.head.prev, &leaves[5]));
    ck_assert_int_eq(chosen.next_offset, 4);
    ck_assert(!chosen.head.has_policy);
    ck_assert_int_eq(chosen.recovery.kind, LEX_RECOVERY_CHOSE_LEDGER);
    declares(&chosen, false, 0, 0);
    goes_on_after(&in, chosen);
}
END_TEST

START_TEST(after_a_rewind_the_ledger_keeps_the_heads_policy)
{
    struct lex_recover_input in = healthy();
    in.offset = 1;
    struct lex_chosen chosen = chooses(&in, LEX_CHOICE_LEDGER, -1);
    ck_assert_int_eq(chosen.next_offset, 4);
    ck_assert(chosen.head.has_policy);
    goes_on_after(&in, chosen);
}
END_TEST

START_TEST(a_choice_names_requests_that_were_deleted_meanwhile)
{
    struct lex_recover_input in = healthy();
    in.entry = values[3];
    in.low = 8;
    struct lex_chosen chosen = chooses(&in, LEX_CHOICE_LEDGER, -1);
    ck_assert(chosen.recovery.has_source_gap);
    ck_assert_int_eq(chosen.recovery.source_from, 2);
    ck_assert_int_eq(chosen.recovery.source_to, 7);
    ck_assert_int_eq(chosen.next_offset, 8);
    goes_on_after(&in, chosen);
    in.low = 2; /* exactly the next one: none is lost */
    ck_assert(!chooses(&in, LEX_CHOICE_LEDGER, -1).recovery.has_source_gap);
}
END_TEST

START_TEST(a_head_without_its_ledger_declares_everything_lost)
{
    struct lex_recover_input in = healthy();
    in.entry = (struct lex_span){0};
    in.ever_held = false;
    struct lex_chosen chosen = chooses(&in, LEX_CHOICE_HEAD, -1);
    declares(&chosen, true, 0, 5);
    goes_on_after(&in, chosen);
    refuses(&in, LEX_CHOICE_LEDGER, -1, "no last entry");
}
END_TEST

START_TEST(an_unreadable_witness_cannot_be_taken_and_the_other_can)
{
    struct lex_recover_input in = healthy();
    in.metadata = LEX_SPAN("x");
    refuses(&in, LEX_CHOICE_HEAD, -1, "no readable head");
    goes_on_after(&in, chooses(&in, LEX_CHOICE_LEDGER, -1));
    in = healthy();
    in.entry = LEX_SPAN("garbage");
    refuses(&in, LEX_CHOICE_LEDGER, -1, "no last entry");
    in.metadata = metadata_of(head_after(5));
    struct lex_chosen chosen = chooses(&in, LEX_CHOICE_HEAD, -1);
    declares(&chosen, false, 0, 0);
    goes_on_after(&in, chosen);
}
END_TEST

START_TEST(nothing_is_written_into_another_logs_ledger)
{
    struct lex_recover_input in = healthy();
    in.origin = LEX_SPAN("example.com/mistyped/lexecon.ledger/3");
    refuses(&in, LEX_CHOICE_HEAD, -1, "another log's");
    refuses(&in, LEX_CHOICE_LEDGER, -1, "another log's");
}
END_TEST

START_TEST(behind_the_end_of_the_requests_a_person_says_where_to_go_on)
{
    struct lex_recover_input in = healthy();
    in.low = 1;
    in.high = 3;
    refuses(&in, LEX_CHOICE_LEDGER, -1, "--next-offset 1");
    refuses(&in, LEX_CHOICE_LEDGER, 0, "expected 1 to 3");
    refuses(&in, LEX_CHOICE_LEDGER, 4, "expected 1 to 3");
    for (int64_t next = 1; next <= 3; next++) {
        struct lex_chosen chosen = chooses(&in, LEX_CHOICE_LEDGER, next);
        ck_assert_int_eq(chosen.next_offset, next);
        ck_assert_int_eq(chosen.head.last_source_offset, next - 1);
        goes_on_after(&in, chosen);
    }
}
END_TEST

START_TEST(elsewhere_nobody_may_say_so)
{
    struct lex_recover_input in = healthy();
    in.entry = values[3];
    refuses(&in, LEX_CHOICE_LEDGER, 2, "leave the flag away");
    refuses(&in, LEX_CHOICE_HEAD, 9, "leave the flag away");
}
END_TEST

LEX_CHECK_MAIN_WITH(
    "recover", setup, teardown, nothing_anywhere_is_genesis_from_the_first_request,
    genesis_with_start_latest_begins_at_the_end,
    genesis_keeps_an_offset_that_was_set_without_a_head,
    genesis_names_requests_that_were_deleted_before_it,
    a_ledger_that_ever_held_an_entry_is_never_begun_again,
    without_a_head_the_ledgers_last_entry_says_where_to_go_on,
    metadata_without_an_offset_is_no_head, a_ledger_of_events_alone_goes_on_with_the_first_request,
    from_the_ledger_too_deleted_requests_are_named, head_and_ledger_that_agree_go_on,
    a_ledger_emptied_by_retention_leaves_the_head_as_authority,
    a_head_of_an_empty_chain_and_an_empty_ledger_go_on, deleted_requests_are_skipped_and_named,
    offsets_that_hold_no_request_are_passed, a_head_ahead_of_the_ledger_halts,
    a_ledger_ahead_of_the_head_halts, the_same_length_with_another_hash_halts,
    a_rewind_halts_and_one_request_more_does_not,
    metadata_that_is_no_head_halts_and_still_tells_the_ledger, a_last_record_that_is_no_entry_halts,
    another_logs_entry_halts, requests_that_end_before_the_committed_offset_halt,
    an_arena_without_room_is_a_limit_and_no_verdict, without_a_contradiction_there_is_no_choice,
    a_head_ahead_may_be_taken_and_declares_what_the_ledger_lacks,
    a_head_that_is_not_ahead_is_refused, the_ledger_may_be_taken_behind_its_last_entry,
    after_a_rewind_the_ledger_keeps_the_heads_policy,
    a_choice_names_requests_that_were_deleted_meanwhile,
    a_head_without_its_ledger_declares_everything_lost,
    an_unreadable_witness_cannot_be_taken_and_the_other_can,
    nothing_is_written_into_another_logs_ledger,
    behind_the_end_of_the_requests_a_person_says_where_to_go_on, elsewhere_nobody_may_say_so)
