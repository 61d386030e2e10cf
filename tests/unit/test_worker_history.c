/* Worker: what a partition remembers, within a transaction, over transactions and over owners. */
#include "tests/unit/worker_bench.h"

static const char AUDIT[] =
    "{\"request_id\":\"r\",\"actor\":\"user\",\"proposed_action\":\"audit\"}";

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

LEX_CHECK_MAIN_WITH("worker: history", setup, teardown,
                    a_limit_holds_over_transactions_and_within_one,
                    an_aborted_batch_uses_nothing_up,
                    a_successor_reads_the_history_before_it_decides,
                    a_policy_that_does_not_remember_reads_nothing_back,
                    a_ledger_that_retention_cut_is_complete_from_its_first_entry_on,
                    a_ledger_without_entries_leaves_everything_unknown,
                    an_entry_that_does_not_link_makes_what_lies_before_it_unknown,
                    a_record_that_is_no_entry_makes_what_lies_before_it_unknown,
                    entries_before_the_wanted_one_do_no_harm,
                    a_ledger_that_cannot_be_read_holds_a_partition_up_for_half_a_minute,
                    a_policy_that_remembers_something_else_has_the_history_read_again,
                    a_policy_that_remembers_the_same_delays_nothing)
