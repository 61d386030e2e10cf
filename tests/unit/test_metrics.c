/* Metrics: the page's form, the ceilings on labels, and that no count is lost between threads. */
#include "tests/unit/lex_check.h"

#include <pthread.h>
#include <stdio.h>

#include "core/base/metrics.h"

static struct lex_buf page;

static const char *scrape(bool openmetrics)
{
    lex_buf_fini(&page);
    lex_buf_init(&page, LEX_METRIC_PAGE_MAX);
    lex_metrics_write(&page, openmetrics);
    ck_assert(lex_buf_ok(&page));
    return lex_buf_str(&page);
}

static bool has(const char *text, const char *line)
{
    return strstr(text, line) != NULL;
}

static size_t count(const char *text, const char *part)
{
    size_t found = 0;
    for (; (text = strstr(text, part)) != NULL; text += strlen(part))
        found++;
    return found;
}

static struct lex_series *decisions(const char *allowed, const char *actor, const char *risk)
{
    const struct lex_span labels[] = {lex_span_str(allowed), lex_span_str(actor),
                                      lex_span_str(risk)};
    return lex_metric_series(LEX_METRIC_DECISIONS, labels, 3);
}

START_TEST(counters_exist_at_zero_before_anything_happens)
{
    const char *text = scrape(false);
    ck_assert(has(text, "\nlexecon_ledger_entries_total 0\n"));
    ck_assert(has(text, "\nlexecon_transactions_total{result=\"aborted\"} 0\n"));
    ck_assert(has(text, "\nlexecon_ledger_integrity_checks_total{result=\"failed\"} 0\n"));
    ck_assert(has(text, "\nlexecon_batch_requests_count 0\n"));
}
END_TEST

START_TEST(values_and_labels_stand_on_the_page)
{
    lex_metric_add(LEX_METRIC_LEDGER_ENTRIES, 3);
    lex_metric_add(LEX_METRIC_LEDGER_ENTRIES, 4);
    lex_metric_set(LEX_METRIC_ACTIVE_POLICIES, 1);
    lex_series_add(decisions("true", "agent-1", "2"), 5);
    lex_series_add(decisions("true", "agent-1", "2"), 1);
    const char *text = scrape(false);
    ck_assert(has(text, "# TYPE lexecon_ledger_entries_total counter\n"));
    ck_assert(has(text, "\nlexecon_ledger_entries_total 7\n"));
    ck_assert(has(text, "\nlexecon_active_policies 1\n"));
    ck_assert(has(text, "\nlexecon_decisions_total{allowed=\"true\",actor=\"agent-1\",risk_level="
                        "\"2\"} 6\n"));
    ck_assert(!has(text, "# EOF"));
}
END_TEST

START_TEST(openmetrics_names_families_without_total_and_ends_with_eof)
{
    const char *text = scrape(true);
    ck_assert(has(text, "# TYPE lexecon_ledger_entries counter\n"));
    ck_assert(has(text, "\nlexecon_ledger_entries_total 0\n"));
    ck_assert(has(text, "le=\"1.0\""));
    ck_assert_str_eq(text + strlen(text) - 6, "# EOF\n");
    ck_assert(has(lex_metrics_content_type(true), "openmetrics-text"));
    ck_assert(has(lex_metrics_content_type(false), "text/plain; version=0.0.4"));
}
END_TEST

START_TEST(histogram_buckets_add_up_and_hold_their_bound)
{
    lex_metric_observe(LEX_METRIC_SIGN_BATCH_VERDICTS, 1);
    lex_metric_observe(LEX_METRIC_SIGN_BATCH_VERDICTS, 2);
    lex_metric_observe(LEX_METRIC_SIGN_BATCH_VERDICTS, 2.5);
    lex_metric_observe(LEX_METRIC_SIGN_BATCH_VERDICTS, 1e9);
    const char *text = scrape(false);
    ck_assert(has(text, "lexecon_sign_batch_verdicts_bucket{le=\"1\"} 1\n"));
    ck_assert(has(text, "lexecon_sign_batch_verdicts_bucket{le=\"2\"} 2\n"));
    ck_assert(has(text, "lexecon_sign_batch_verdicts_bucket{le=\"4\"} 3\n"));
    ck_assert(has(text, "lexecon_sign_batch_verdicts_bucket{le=\"10000\"} 3\n"));
    ck_assert(has(text, "lexecon_sign_batch_verdicts_bucket{le=\"+Inf\"} 4\n"));
    ck_assert(has(text, "lexecon_sign_batch_verdicts_count 4\n"));
    ck_assert(has(text, "lexecon_sign_batch_verdicts_sum 1000000005.5\n"));
}
END_TEST

START_TEST(ten_thousand_hostile_actors_leave_a_bounded_number_of_series)
{
    for (int i = 0; i < 10000; i++) {
        char actor[32];
        snprintf(actor, sizeof actor, "hostile-%d", i);
        lex_series_add(decisions("false", actor, "1"), 1);
    }
    const char *text = scrape(false);
    ck_assert_uint_eq(count(text, "lexecon_decisions_total{"), 101);
    ck_assert(has(text, "actor=\"hostile-99\""));
    ck_assert(!has(text, "actor=\"hostile-100\""));
    ck_assert(has(text, "{allowed=\"false\",actor=\"other\",risk_level=\"1\"} 9900\n"));
}
END_TEST

START_TEST(a_kept_actor_keeps_its_series_for_other_labels_after_the_cap)
{
    for (int i = 0; i < 200; i++) {
        char actor[32];
        snprintf(actor, sizeof actor, "actor-%d", i);
        lex_series_add(decisions("true", actor, "1"), 1);
    }
    lex_series_add(decisions("false", "actor-7", "5"), 1);
    lex_series_add(decisions("false", "actor-150", "5"), 1);
    const char *text = scrape(false);
    ck_assert(has(text, "{allowed=\"false\",actor=\"actor-7\",risk_level=\"5\"} 1\n"));
    ck_assert(has(text, "{allowed=\"false\",actor=\"other\",risk_level=\"5\"} 1\n"));
}
END_TEST

START_TEST(over_the_ceiling_of_series_nothing_grows_and_the_drop_is_counted)
{
    for (int i = 0; i < 33; i++) {
        char reason[32];
        snprintf(reason, sizeof reason, "R%d", i);
        struct lex_span label = lex_span_str(reason);
        lex_series_add(lex_metric_series(LEX_METRIC_DEAD_LETTERS, &label, 1), 1);
    }
    const char *text = scrape(false);
    ck_assert_uint_eq(count(text, "lexecon_dead_letters_total{"), 32);
    ck_assert(has(text, "reason=\"R31\"") && !has(text, "reason=\"R32\""));
    ck_assert(has(text, "\nlexecon_metrics_series_dropped_total 1\n"));
}
END_TEST

START_TEST(label_values_are_escaped_cut_and_valid_utf8)
{
    static char longest[LEX_METRIC_VALUE_MAX + 1];
    memset(longest, 'x', LEX_METRIC_VALUE_MAX - 1);
    lex_series_add(decisions("true", "a\"b\\c\nd", "1"), 1);
    lex_series_add(decisions("true", "\xff", "1"), 1);
    lex_series_add(decisions("true", "\xfe", "1"), 1); /* prints the same, so it is the same */
    char over[LEX_METRIC_VALUE_MAX + 8];
    snprintf(over, sizeof over, "%s\xc3\xa9", longest); /* the cut would fall inside the é */
    lex_series_add(decisions("true", over, "1"), 1);
    const char *text = scrape(false);
    ck_assert(has(text, "actor=\"a\\\"b\\\\c\\nd\""));
    ck_assert(has(text, "actor=\"\xef\xbf\xbd\",risk_level=\"1\"} 2\n"));
    snprintf(over, sizeof over, "actor=\"%.100s", longest);
    ck_assert(has(text, over));
    ck_assert(!has(text, "x\xc3"));
}
END_TEST

START_TEST(control_characters_never_reach_the_page)
{
    lex_series_add(decisions("true", "\x1b[31m", "1"), 1);
    lex_series_add(decisions("true", "\xc2\x9b[31m", "1"), 1); /* prints the same */
    lex_series_add(decisions("true", "l\xe2\x80\xa8\xe2\x80\xa9", "1"), 1);
    lex_series_add(decisions("true", "caf\xc3\xa9", "1"), 1);
    const char *text = scrape(false);
    ck_assert(has(text, "actor=\"\xef\xbf\xbd[31m\",risk_level=\"1\"} 2\n"));
    ck_assert(has(text, "actor=\"l\xef\xbf\xbd\xef\xbf\xbd\""));
    ck_assert(has(text, "actor=\"caf\xc3\xa9\""));
    ck_assert(!has(text, "\x1b"));
}
END_TEST

START_TEST(a_dropped_series_vanishes_and_comes_back_from_zero)
{
    struct lex_span zero = LEX_SPAN("0"), one = LEX_SPAN("1");
    lex_series_set(lex_metric_series(LEX_METRIC_CHAIN_ENTRIES, &zero, 1), 10);
    lex_series_set(lex_metric_series(LEX_METRIC_CHAIN_ENTRIES, &one, 1), 20);
    lex_metric_drop(LEX_METRIC_CHAIN_ENTRIES, &one, 1);
    const char *text = scrape(false);
    ck_assert(has(text, "lexecon_chain_entries{partition=\"0\"} 10\n"));
    ck_assert(!has(text, "partition=\"1\""));
    (void)lex_metric_series(LEX_METRIC_CHAIN_ENTRIES, &one, 1);
    ck_assert(has(scrape(false), "lexecon_chain_entries{partition=\"1\"} 0\n"));
    struct lex_span none = LEX_SPAN("77");
    lex_metric_drop(LEX_METRIC_CHAIN_ENTRIES, &none, 1);
    ck_assert(!has(scrape(false), "partition=\"77\""));
}
END_TEST

START_TEST(the_process_is_measured)
{
    const char *text = scrape(false);
    static const char *const names[] = {"process_cpu_seconds_total ",
                                        "process_resident_memory_bytes ", "process_open_fds ",
                                        "process_start_time_seconds "};
    for (size_t i = 0; i < 4; i++) {
        char line[64];
        snprintf(line, sizeof line, "\n%s", names[i]);
        const char *at = strstr(text, line);
        ck_assert_ptr_nonnull(at);
        ck_assert(i == 0 || atof(at + strlen(line)) > 0);
    }
    ck_assert(has(text, "\nlexecon_memory_limit_bytes "));
    ck_assert(has(text, "\nlexecon_node_uptime_seconds "));
}
END_TEST

/* Names are a promise to dashboards and alerts: a change here breaks somebody's. */
START_TEST(promised_names_stay_what_they_are)
{
    static const char *const names[] = {
        "lexecon_http_requests_total counter",
        "lexecon_http_request_duration_seconds histogram",
        "lexecon_decisions_total counter",
        "lexecon_decision_evaluation_duration_seconds histogram",
        "lexecon_decisions_denied_total counter",
        "lexecon_policies_loaded_total counter",
        "lexecon_active_policies gauge",
        "lexecon_policy_evaluation_errors_total counter",
        "lexecon_ledger_entries_total counter",
        "lexecon_ledger_verification_duration_seconds histogram",
        "lexecon_ledger_integrity_checks_total counter",
        "lexecon_node_info gauge",
        "lexecon_node_uptime_seconds gauge",
        "lexecon_consumer_lag gauge",
        "lexecon_consumer_lag_seconds gauge",
        "lexecon_assigned_partitions gauge",
        "lexecon_poll_age_seconds gauge",
        "lexecon_batch_requests histogram",
        "lexecon_transactions_total counter",
        "lexecon_transaction_duration_seconds histogram",
        "lexecon_request_age_seconds histogram",
        "lexecon_rebalances_total counter",
        "lexecon_dead_letters_total counter",
        "lexecon_producer_queue_messages gauge",
        "lexecon_chain_entries gauge",
        "lexecon_mirror_lag_entries gauge",
        "lexecon_signatures_total counter",
        "lexecon_sign_batch_verdicts histogram",
        "lexecon_halted_partitions gauge",
        "lexecon_build_info gauge",
        "lexecon_memory_limit_bytes gauge",
    };
    const char *text = scrape(false);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char line[128];
        snprintf(line, sizeof line, "# TYPE %s\n", names[i]);
        ck_assert_msg(has(text, line), "no '%s'", line);
    }
}
END_TEST

START_TEST(every_metric_has_help_and_type_once)
{
    const char *text = scrape(false);
    ck_assert_uint_eq(count(text, "# HELP "), LEX_METRIC_COUNT);
    ck_assert_uint_eq(count(text, "# TYPE "), LEX_METRIC_COUNT);
}
END_TEST

enum { THREADS = 4, ROUNDS = 20000 };

static void *hammer(void *context)
{
    int number = *(const int *)context;
    for (int i = 0; i < ROUNDS; i++) {
        char actor[32];
        snprintf(actor, sizeof actor, "t%d", i % 300);
        lex_series_add(decisions(number % 2 ? "true" : "false", actor, "3"), 1);
        lex_metric_observe(LEX_METRIC_BATCH_REQUESTS, 1);
    }
    return NULL;
}

START_TEST(no_count_is_lost_between_threads)
{
    pthread_t threads[THREADS];
    int numbers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, hammer, &numbers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    const char *text = scrape(false);
    unsigned long long total = 0;
    for (const char *at = text; (at = strstr(at, "risk_level=\"3\"} ")) != NULL; at++)
        total += strtoull(at + strlen("risk_level=\"3\"} "), NULL, 10);
    ck_assert_uint_eq(total, THREADS * ROUNDS);
    char want[64];
    snprintf(want, sizeof want, "\nlexecon_batch_requests_sum %d\n", THREADS * ROUNDS);
    ck_assert(has(text, want));
}
END_TEST

LEX_CHECK_MAIN("metrics", counters_exist_at_zero_before_anything_happens,
               values_and_labels_stand_on_the_page,
               openmetrics_names_families_without_total_and_ends_with_eof,
               histogram_buckets_add_up_and_hold_their_bound,
               ten_thousand_hostile_actors_leave_a_bounded_number_of_series,
               a_kept_actor_keeps_its_series_for_other_labels_after_the_cap,
               over_the_ceiling_of_series_nothing_grows_and_the_drop_is_counted,
               label_values_are_escaped_cut_and_valid_utf8, control_characters_never_reach_the_page,
               a_dropped_series_vanishes_and_comes_back_from_zero, the_process_is_measured,
               promised_names_stay_what_they_are, every_metric_has_help_and_type_once,
               no_count_is_lost_between_threads)
