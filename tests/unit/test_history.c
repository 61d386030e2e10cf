/* History: the law is that who ran through and who restarted answer alike; the rest are ceilings,
 * the transaction, and what "unknown" means. */
#include <malloc.h>
#include <stdlib.h>

#include "core/history/history.h"
#include "tests/unit/lex_check.h"

static const int64_t SECOND = 1000000;
static const int64_t HOUR = 3600 * (int64_t)1000000;

static struct lex_history *h;

/* check notes every assertion in a file: too slow for a million of them. */
#define MUST(condition)                     \
    do {                                    \
        if (!(condition))                   \
            ck_abort_msg("%s", #condition); \
    } while (0)

static void setup(void)
{
    ck_assert_int_eq(lex_history_new(&h), LEX_OK);
}

static void teardown(void)
{
    lex_history_free(h);
    h = NULL;
}

static struct lex_history_key key(unsigned number)
{
    struct lex_history_key made;
    struct lex_span part = lex_span_of(&number, sizeof number);
    lex_history_key(LEX_HISTORY_RATE, &part, 1, &made);
    return made;
}

static void add(unsigned series, int64_t time_us, int64_t amount)
{
    struct lex_history_item item = {key(series), time_us, amount, series};
    MUST(lex_history_add(h, &item) == LEX_OK);
}

/* -1: unknown */
static int64_t count(unsigned series, int64_t since_us)
{
    struct lex_history_key k = key(series);
    int64_t n, total;
    return lex_history_window(h, &k, since_us, 0, &n, &total) ? n : -1;
}

static int64_t total(unsigned series, int64_t since_us)
{
    struct lex_history_key k = key(series);
    int64_t n, sum;
    return lex_history_window(h, &k, since_us, 0, &n, &sum) ? sum : -1;
}

/* ---- keys ---- */

START_TEST(a_key_depends_on_the_kind_and_on_where_one_part_ends)
{
    struct lex_span a[] = {LEX_SPAN("ab"), LEX_SPAN("c")}, b[] = {LEX_SPAN("a"), LEX_SPAN("bc")};
    struct lex_history_key first, second;
    lex_history_key(LEX_HISTORY_RATE, a, 2, &first);
    lex_history_key(LEX_HISTORY_RATE, a, 2, &second);
    ck_assert_mem_eq(&first, &second, sizeof first);
    lex_history_key(LEX_HISTORY_RATE, b, 2, &second);
    ck_assert_mem_ne(&first, &second, sizeof first);
    lex_history_key(LEX_HISTORY_DUTY, a, 2, &second);
    ck_assert_mem_ne(&first, &second, sizeof first);
}
END_TEST

/* ---- windows ---- */

START_TEST(a_window_counts_what_is_later_than_its_beginning)
{
    lex_history_entry(h, 0, 10);
    add(1, 10, 5);
    lex_history_entry(h, 1, 20);
    add(1, 20, 7);
    add(2, 20, 100);
    ck_assert_int_eq(count(1, 9), 2);
    ck_assert_int_eq(total(1, 9), 12);
    ck_assert_int_eq(count(1, 10), 1); /* exclusive */
    ck_assert_int_eq(count(1, 20), 0);
    ck_assert_int_eq(count(3, 0), 0);
}
END_TEST

START_TEST(counting_stops_where_a_limit_needs_to_know_no_more)
{
    struct lex_history_key k = key(1);
    int64_t n, sum;
    lex_history_entry(h, 0, 10);
    for (int i = 0; i < 5; i++)
        add(1, 10, 1);
    ck_assert(lex_history_window(h, &k, 0, 3, &n, &sum));
    ck_assert_int_eq(n, 3);
}
END_TEST

START_TEST(a_sum_beyond_all_numbers_stays_at_the_largest)
{
    lex_history_entry(h, 0, 10);
    add(1, 10, INT64_MAX - 1);
    add(1, 10, 2);
    ck_assert_int_eq(total(1, 0), INT64_MAX);
}
END_TEST

START_TEST(a_sum_of_large_amounts_is_exact)
{
    const int64_t large = INT64_MAX / 4;
    lex_history_entry(h, 0, 10);
    add(1, 10, large);
    lex_history_entry(h, 1, 20);
    add(1, 20, large);
    add(1, 20, 1);
    ck_assert_int_eq(total(1, 0), 2 * large + 1);
    ck_assert_int_eq(total(1, 10), large + 1);
}
END_TEST

START_TEST(time_that_goes_back_hides_no_item_and_counts_none_too_many)
{
    lex_history_entry(h, 0, 100);
    add(1, 100, 1);
    lex_history_entry(h, 1, 50);
    add(1, 50, 2);
    lex_history_entry(h, 2, 80);
    add(1, 80, 4);
    ck_assert_int_eq(total(1, 60), 5);
    ck_assert_int_eq(total(1, 90), 1);
    ck_assert_int_eq(total(1, 40), 7);
}
END_TEST

START_TEST(a_walk_goes_from_the_newest_item_to_the_beginning_of_the_window)
{
    struct lex_history_key k = key(1);
    uint64_t cursor = 0;
    for (int i = 0; i < 4; i++) {
        lex_history_entry(h, i, 10 * i);
        add(1, 10 * i, i);
        add(2, 10 * i, 100);
    }
    ck_assert_int_eq(lex_history_next(h, &k, 5, &cursor)->amount, 3);
    ck_assert_int_eq(lex_history_next(h, &k, 5, &cursor)->amount, 2);
    ck_assert_int_eq(lex_history_next(h, &k, 5, &cursor)->amount, 1);
    ck_assert_ptr_null(lex_history_next(h, &k, 5, &cursor));
    ck_assert_ptr_null(lex_history_next(h, &k, 5, &cursor));
}
END_TEST

/* ---- what is not known ---- */

START_TEST(a_new_history_is_complete_and_a_reset_one_only_since_then)
{
    ck_assert(lex_history_complete(h, INT64_MIN));
    lex_history_entry(h, 0, 10);
    add(1, 10, 1);
    lex_history_reset(h, 100);
    ck_assert_int_eq(count(1, 99), -1);
    ck_assert_int_eq(count(1, 100), 0);
    ck_assert_uint_eq(lex_history_count(h), 0);
}
END_TEST

START_TEST(what_is_older_than_span_and_skew_is_forgotten_and_unknown)
{
    int64_t keep = HOUR + LEX_HISTORY_SKEW_S * SECOND;
    lex_history_entry(h, 0, 0);
    add(1, 0, 1);
    lex_history_entry(h, 1, keep - 1);
    ck_assert_int_eq(count(1, -1), 1);
    lex_history_entry(h, 2, keep);
    ck_assert_uint_eq(lex_history_count(h), 0);
    ck_assert_int_eq(count(1, -1), -1);
    ck_assert_int_eq(count(1, 0), 0);
}
END_TEST

START_TEST(an_owner_whose_clock_is_behind_still_knows_a_whole_hour)
{
    lex_history_entry(h, 0, 2 * HOUR);
    lex_history_entry(h, 1, 5 * HOUR);
    int64_t now_us = 5 * HOUR - LEX_HISTORY_SKEW_S * SECOND;
    ck_assert(lex_history_complete(h, now_us - HOUR));
    ck_assert(!lex_history_complete(h, now_us - HOUR - 1));
}
END_TEST

START_TEST(a_hole_in_the_chain_makes_what_lies_before_it_unknown)
{
    lex_history_entry(h, 0, 10);
    add(1, 10, 1);
    lex_history_entry(h, 2, 30);
    ck_assert_int_eq(count(1, 29), -1);
    ck_assert_int_eq(count(1, 30), 0);
}
END_TEST

START_TEST(one_item_over_the_ceiling_drops_the_oldest_and_says_so)
{
    lex_history_entry(h, 0, 10);
    add(1, 10, 1);
    lex_history_entry(h, 1, 20);
    for (int i = 1; i < LEX_HISTORY_ITEMS_MAX; i++)
        add(2, 20, 1);
    ck_assert_int_eq(count(1, 0), 1);
    ck_assert_uint_eq(lex_history_count(h), LEX_HISTORY_ITEMS_MAX);
    add(2, 20, 1);
    ck_assert_uint_eq(lex_history_count(h), LEX_HISTORY_ITEMS_MAX);
    ck_assert_int_eq(count(1, 0), -1);
    ck_assert_int_eq(count(1, 10), 0);
    ck_assert_int_eq(count(2, 10), LEX_HISTORY_ITEMS_MAX);
}
END_TEST

/* Entries without items, until a block of LEX_HISTORY_ALIGN has begun. */
static void next_block(int64_t *seq, int64_t time_us)
{
    do
        lex_history_entry(h, ++*seq, time_us);
    while (*seq % LEX_HISTORY_ALIGN != 0);
}

static void fill_up_to_the_ceiling(int64_t *seq)
{
    add(1, 10, 1);
    next_block(seq, 20);
    while (lex_history_count(h) < LEX_HISTORY_ITEMS_MAX)
        add(2, 20, 1);
    lex_history_settle(h);
}

START_TEST(what_the_ceiling_dropped_stays_unknown_when_the_next_block_begins)
{
    int64_t seq = 0;
    lex_history_entry(h, 0, 10);
    fill_up_to_the_ceiling(&seq);
    add(2, 20, 1);
    next_block(&seq, 30);
    ck_assert_int_eq(count(1, 9), -1);
    ck_assert_int_eq(count(1, 10), 0);
}
END_TEST

START_TEST(a_drop_that_is_rolled_back_leaves_no_trace_in_any_block)
{
    int64_t seq = 0;
    lex_history_entry(h, 0, 10);
    fill_up_to_the_ceiling(&seq);
    for (int i = 0; i < 3; i++)
        add(2, 20, 1);
    lex_history_rollback(h);
    next_block(&seq, 30);
    ck_assert_int_eq(count(1, 9), 1);
    ck_assert_int_lt(lex_history_complete_since(h), 0);
}
END_TEST

START_TEST(a_time_that_is_rolled_back_leaves_no_trace_in_its_block)
{
    int64_t seq = 0;
    lex_history_entry(h, 0, 10);
    add(1, 10, 1);
    lex_history_settle(h);
    lex_history_entry(h, 1, 9 * HOUR);
    lex_history_rollback(h);
    next_block(&seq, 10);
    ck_assert_int_eq(count(1, 9), 1);
}
END_TEST

START_TEST(what_was_forgotten_stays_unknown_when_time_goes_back)
{
    int64_t keep = HOUR + LEX_HISTORY_SKEW_S * SECOND, seq = 1;
    lex_history_entry(h, 0, 50);
    add(1, 50, 1);
    lex_history_entry(h, 1, keep + 100);
    lex_history_entry(h, ++seq, 200);
    ck_assert_int_eq(count(1, 40), -1);
    next_block(&seq, 200);
    ck_assert_int_eq(count(1, 40), -1);
    ck_assert_int_eq(count(1, 100), 0);
}
END_TEST

START_TEST(what_is_too_old_is_not_shown_because_it_is_still_there)
{
    struct lex_history_key k = key(1);
    uint64_t cursor = 0;
    int64_t keep = HOUR + LEX_HISTORY_SKEW_S * SECOND;
    lex_history_entry(h, 0, 1000);
    add(1, 1000, 1);
    lex_history_entry(h, 1, 50);
    add(1, 50, 2);
    lex_history_entry(h, 2, keep + 500);
    ck_assert_int_eq(lex_history_next(h, &k, INT64_MIN, &cursor)->amount, 1);
    ck_assert_ptr_null(lex_history_next(h, &k, INT64_MIN, &cursor));
}
END_TEST

START_TEST(of_many_series_each_is_found_until_it_is_forgotten)
{
    enum { MANY = 20000 };
    int64_t keep = HOUR + LEX_HISTORY_SKEW_S * SECOND;
    for (unsigned s = 0; s < MANY; s++) {
        lex_history_entry(h, s, s);
        add(s, s, 1);
        if (s == MANY / 2)
            lex_history_settle(h);
    }
    lex_history_rollback(h);
    for (unsigned s = 0; s < MANY; s++)
        MUST(count(s, -1) == (s <= MANY / 2));
    lex_history_entry(h, MANY / 2 + 1, keep + MANY / 4);
    lex_history_settle(h);
    for (unsigned s = 0; s < MANY; s++)
        MUST(count(s, MANY / 4) == (s > MANY / 4 && s <= MANY / 2));
    for (unsigned s = 0; s < MANY; s++)
        add(MANY + s, keep + MANY / 4, 1); /* where the forgotten ones were */
    for (unsigned s = 0; s < 2 * MANY; s++)
        MUST(count(s, MANY / 4) == ((s > MANY / 4 && s <= MANY / 2) || s >= MANY));
}
END_TEST

START_TEST(series_that_come_and_go_take_no_room_for_ever)
{
    for (unsigned s = 0; s < 50000; s++) {
        lex_history_entry(h, s, (int64_t)s * 200 * SECOND);
        add(s, (int64_t)s * 200 * SECOND, 1);
        lex_history_settle(h);
        MUST(count(s, (int64_t)s * 200 * SECOND - 1) == 1);
    }
    ck_assert_uint_eq(lex_history_count(h), 20);
}
END_TEST

START_TEST(a_transaction_holds_so_many_items_and_not_one_more)
{
    struct lex_history_item item = {key(1), 10, 1, 0};
    lex_history_entry(h, 0, 10);
    for (int i = 0; i < LEX_HISTORY_HELD_MAX; i++)
        add(1, 10, 1);
    ck_assert_int_eq(lex_history_add(h, &item), LEX_LIMIT);
    ck_assert_uint_eq(lex_history_count(h), LEX_HISTORY_ITEMS_MAX);
    lex_history_settle(h);
    ck_assert_int_eq(lex_history_add(h, &item), LEX_OK);
}
END_TEST

START_TEST(an_entry_that_no_rebuild_would_read_is_forgotten)
{
    int64_t seq = 0;
    lex_history_entry(h, seq, 0);
    add(1, 0, 1);
    while (seq < LEX_HISTORY_ENTRIES_MAX - 1)
        lex_history_entry(h, ++seq, 100);
    ck_assert_int_eq(lex_history_first_entry(seq + 1), 0);
    ck_assert_int_eq(count(1, -1), 1);
    lex_history_settle(h);
    lex_history_entry(h, ++seq, 100);
    ck_assert_int_eq(lex_history_first_entry(seq + 1), LEX_HISTORY_ALIGN);
    ck_assert_int_eq(count(1, -1), -1);
    ck_assert_uint_eq(lex_history_count(h), 0);
    lex_history_rollback(h);
    ck_assert_int_eq(count(1, -1), 1);
}
END_TEST

/* ---- transactions ---- */

START_TEST(a_rollback_undoes_what_was_added_and_what_was_forgotten)
{
    lex_history_entry(h, 0, 0);
    add(1, 0, 1);
    lex_history_settle(h);
    lex_history_entry(h, 1, 2 * HOUR);
    add(1, 2 * HOUR, 2);
    add(2, 2 * HOUR, 4);
    ck_assert_int_eq(count(1, -1), -1);
    lex_history_rollback(h);
    ck_assert_int_eq(total(1, -1), 1);
    ck_assert_int_eq(total(2, -1), 0);
    lex_history_entry(h, 1, 10);
    add(1, 10, 8);
    ck_assert_int_eq(total(1, -1), 9);
}
END_TEST

START_TEST(a_rollback_to_a_mark_leaves_what_came_before_it)
{
    lex_history_entry(h, 0, 10);
    add(1, 10, 1);
    struct lex_history_mark mark = lex_history_mark(h);
    lex_history_entry(h, 1, 20);
    add(1, 20, 2);
    lex_history_rollback_to(h, mark);
    ck_assert_int_eq(total(1, 0), 1);
    lex_history_entry(h, 1, 15);
    add(1, 15, 4);
    ck_assert_int_eq(total(1, 0), 5);
    lex_history_rollback(h);
    ck_assert_int_eq(total(1, 0), 0);
}
END_TEST

START_TEST(what_is_settled_is_not_rolled_back)
{
    lex_history_entry(h, 0, 10);
    add(1, 10, 1);
    lex_history_settle(h);
    lex_history_rollback(h);
    ck_assert_int_eq(total(1, 0), 1);
}
END_TEST

START_TEST(an_idle_partition_costs_less_than_a_kibibyte)
{
    size_t before = mallinfo2().uordblks;
    struct lex_history *other;
    ck_assert_int_eq(lex_history_new(&other), LEX_OK);
    for (int64_t seq = 0; seq < 3 * LEX_HISTORY_ALIGN; seq++) {
        lex_history_entry(other, seq, seq);
        lex_history_settle(other);
    }
    size_t after = mallinfo2().uordblks;
    lex_history_free(other);
    ck_assert_uint_lt(after - before, 1024);
}
END_TEST

/* ---- the law ---- */

enum { SERIES = 40, ITEMS_OF_ENTRY_MAX = 3 };

struct entry {
    int64_t time_us;
    unsigned items, series[ITEMS_OF_ENTRY_MAX];
};

static uint64_t state;
static uint64_t below(uint64_t bound)
{
    uint64_t z = state += 0x9e3779b97f4a7c15u; /* splitmix64 (Steele, Lea, Flood 2014) */
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (z ^ z >> 31) % bound;
}

static struct lex_history_key keys[SERIES];

static void remember(struct lex_history *into, int64_t seq, const struct entry *e)
{
    lex_history_entry(into, seq, e->time_us);
    for (unsigned i = 0; i < e->items; i++) {
        struct lex_history_item item = {keys[e->series[i]], e->time_us, seq % 7, (uint64_t)seq};
        MUST(lex_history_add(into, &item) == LEX_OK);
    }
}

static bool counted_one_by_one(const struct lex_history *history, unsigned series, int64_t since_us,
                               int64_t n, int64_t sum)
{
    const struct lex_history_item *item;
    uint64_t cursor = 0;
    while ((item = lex_history_next(history, &keys[series], since_us, &cursor)) != NULL) {
        n--;
        sum -= item->amount;
    }
    return n == 0 && sum == 0;
}

static void expect_same(const struct lex_history *a, const struct lex_history *b, int64_t now_us)
{
    ck_assert_int_eq(lex_history_complete_since(a), lex_history_complete_since(b));
    for (unsigned s = 0; s < SERIES; s++) {
        const int64_t windows[] = {SECOND, 60 * SECOND, HOUR, HOUR + 200 * SECOND, 3 * HOUR};
        const struct lex_history_item *x, *y;
        uint64_t at = 0, bt = 0;
        for (size_t w = 0; w < LEX_COUNT_OF(windows); w++) {
            int64_t since_us = now_us - windows[w], n[2] = {0}, sum[2] = {0};
            bool known = lex_history_window(a, &keys[s], since_us, 0, &n[0], &sum[0]);
            MUST(known == lex_history_window(b, &keys[s], since_us, 0, &n[1], &sum[1]));
            MUST(!known || counted_one_by_one(a, s, since_us, n[0], sum[0]));
            MUST(n[0] == n[1]);
            MUST(sum[0] == sum[1]);
        }
        do {
            x = lex_history_next(a, &keys[s], INT64_MIN, &at);
            y = lex_history_next(b, &keys[s], INT64_MIN, &bt);
            MUST((x == NULL) == (y == NULL));
            MUST(x == NULL || (x->tag == y->tag && x->time_us == y->time_us));
        } while (x != NULL);
    }
}

static void expect_rebuilt_alike(const struct entry *entries, int64_t seq)
{
    struct lex_history *rebuilt;
    ck_assert_int_eq(lex_history_new(&rebuilt), LEX_OK);
    for (int64_t n = lex_history_first_entry(seq); n < seq; n++) {
        remember(rebuilt, n, &entries[n]);
        if (n % 1000 == 0)
            lex_history_settle(rebuilt);
    }
    lex_history_settle(rebuilt);
    int64_t now_us = seq == 0 ? 0 : entries[seq - 1].time_us;
    expect_same(h, rebuilt, now_us);
    expect_same(h, rebuilt, now_us - 150 * SECOND);
    lex_history_free(rebuilt);
}

static struct entry draw(int64_t *time_us, int64_t pace_us, unsigned items_in_hundred)
{
    struct entry e = {.time_us = *time_us += (int64_t)below((uint64_t)(2 * pace_us))};
    if (below(200) == 0)
        e.time_us -= (int64_t)below(100 * (uint64_t)SECOND); /* another owner's clock */
    if (below(100) < items_in_hundred)
        e.items = 1 + (unsigned)below(ITEMS_OF_ENTRY_MAX);
    for (unsigned i = 0; i < e.items; i++)
        e.series[i] = (unsigned)below(1 + below(SERIES));
    return e;
}

/* A partition lives: transactions of some entries, of which some abort, some lose a record in the
 * middle; what is committed is noted, and now and then somebody restarts. */
static void live(uint64_t seed, int64_t length, int64_t pace_us, unsigned items_in_hundred,
                 unsigned restarts)
{
    struct entry *entries = calloc((size_t)length + 512, sizeof *entries);
    int64_t seq = 0, time_us = 1000 * HOUR;
    state = seed;
    for (unsigned s = 0; s < SERIES; s++)
        keys[s] = key(s);
    while (seq < length) {
        int64_t count_now = 1 + (int64_t)below(below(4) == 0 ? 400 : 8), at = seq;
        bool aborts = below(5) == 0;
        for (int64_t i = 0; i < count_now; i++, at++) {
            entries[at] = draw(&time_us, pace_us, items_in_hundred);
            struct lex_history_mark mark = lex_history_mark(h);
            remember(h, at, &entries[at]);
            if (below(10) == 0) {
                lex_history_rollback_to(h, mark);
                entries[at].items = 0;
                remember(h, at, &entries[at]);
            }
        }
        if (aborts) {
            lex_history_rollback(h);
        } else {
            lex_history_settle(h);
            seq = at;
        }
        if (below((uint64_t)length) < restarts * (uint64_t)count_now)
            expect_rebuilt_alike(entries, seq);
    }
    expect_rebuilt_alike(entries, seq);
    free(entries);
}

START_TEST(who_restarts_answers_as_who_ran_through)
{
    live((uint64_t)_i + 1, 20000, SECOND / 2, 70, 40);
}
END_TEST

START_TEST(who_restarts_answers_alike_where_the_item_ceiling_drops)
{
    live(77, 250000, SECOND / 100, 90, 12);
}
END_TEST

START_TEST(who_restarts_answers_alike_where_the_chain_is_longer_than_a_rebuild_reads)
{
    live(78, LEX_HISTORY_ENTRIES_MAX + 150000, SECOND / 1000, 2, 6);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_key_depends_on_the_kind_and_on_where_one_part_ends,
        a_window_counts_what_is_later_than_its_beginning,
        counting_stops_where_a_limit_needs_to_know_no_more,
        a_sum_beyond_all_numbers_stays_at_the_largest,
        a_sum_of_large_amounts_is_exact,
        time_that_goes_back_hides_no_item_and_counts_none_too_many,
        a_walk_goes_from_the_newest_item_to_the_beginning_of_the_window,
        a_new_history_is_complete_and_a_reset_one_only_since_then,
        what_is_older_than_span_and_skew_is_forgotten_and_unknown,
        an_owner_whose_clock_is_behind_still_knows_a_whole_hour,
        a_hole_in_the_chain_makes_what_lies_before_it_unknown,
        one_item_over_the_ceiling_drops_the_oldest_and_says_so,
        what_the_ceiling_dropped_stays_unknown_when_the_next_block_begins,
        a_drop_that_is_rolled_back_leaves_no_trace_in_any_block,
        a_time_that_is_rolled_back_leaves_no_trace_in_its_block,
        what_was_forgotten_stays_unknown_when_time_goes_back,
        what_is_too_old_is_not_shown_because_it_is_still_there,
        of_many_series_each_is_found_until_it_is_forgotten,
        series_that_come_and_go_take_no_room_for_ever,
        a_transaction_holds_so_many_items_and_not_one_more,
        an_entry_that_no_rebuild_would_read_is_forgotten,
        a_rollback_undoes_what_was_added_and_what_was_forgotten,
        a_rollback_to_a_mark_leaves_what_came_before_it,
        what_is_settled_is_not_rolled_back,
        an_idle_partition_costs_less_than_a_kibibyte,
        who_restarts_answers_alike_where_the_item_ceiling_drops,
        who_restarts_answers_alike_where_the_chain_is_longer_than_a_rebuild_reads,
    };
    Suite *suite = suite_create("history");
    TCase *tcase = tcase_create("history");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 120);
    for (size_t i = 0; i < LEX_COUNT_OF(tests); i++)
        tcase_add_test(tcase, tests[i]);
    tcase_add_loop_test(tcase, who_restarts_answers_as_who_ran_through, 0, 10);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
