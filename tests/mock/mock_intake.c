/* The consumer's side on the mock broker: what is delivered and when, what a rebalance, a loss, a
 * deleted offset and a fenced member turn into, and when offsets may be sent. */
#include <string.h>
#include <unistd.h>

#include "consumer/intake.h"
#include "core/base/clock.h"
#include "tests/mock/mock.h"

enum { WAIT_US = 20 * 1000 * 1000 };

static struct mock mock;
static struct lex_intake *intake;
static struct lex_error err;
static int events[LEX_EVENT_COUNT];
static size_t assigned_count;

static const struct lex_record *records;
static size_t records_count;
static int32_t gone[LEX_WORKER_PARTITIONS_MAX];

static void rebalanced(void *user, enum lex_event_kind kind, const int32_t *partitions,
                       size_t count)
{
    (void)user;
    (void)partitions;
    events[kind]++;
    assigned_count = kind == LEX_EVENT_ASSIGNED ? count : 0;
}

static void setup(void)
{
    static const char *const name[] = {"LEXECON_INSTANCE=one", NULL};
    mock_start(&mock, name);
    struct lex_intake_listener listener = {NULL, rebalanced};
    ck_assert_int_eq(lex_intake_new(mock.config, 0, listener, &intake, &err), LEX_OK);
    ck_assert_int_eq(lex_intake_subscribe(intake, &err), LEX_OK);
}

static void teardown(void)
{
    lex_intake_free(intake);
    mock_stop(&mock);
}

static enum lex_polled poll_once(size_t max)
{
    bool drained;
    return lex_intake_poll(intake, 100, max, &records, &records_count, &drained, gone, &err);
}

/* Poll until this comes; what else comes on the way is let go. */
static void poll_until(enum lex_polled wanted, size_t max)
{
    int64_t until = lex_clock_mono_us() + WAIT_US;
    enum lex_polled got;
    while ((got = poll_once(max)) != wanted)
        ck_assert_msg(lex_clock_mono_us() < until, "%d never came: %d, %s", (int)wanted, (int)got,
                      err.text);
}

static void poll_until_event(enum lex_event_kind kind, int times)
{
    int64_t until = lex_clock_mono_us() + WAIT_US;
    while (events[kind] < times) {
        ck_assert_msg(lex_clock_mono_us() < until, "event %d came %d times", (int)kind,
                      events[kind]);
        (void)poll_once(0);
    }
}

static void resume(int64_t offset)
{
    const struct lex_position positions[] = {{0, offset}, {1, offset}};
    lex_intake_resume(intake, positions, 2);
}

static bool may_send(int32_t partition)
{
    const struct lex_commit commit = {partition, 1, LEX_SPAN("head")};
    struct lex_membership membership = lex_intake_membership(intake);
    rd_kafka_consumer_group_metadata_t *group = membership.metadata(membership.user, &commit, 1);
    if (group != NULL)
        rd_kafka_consumer_group_metadata_destroy(group);
    return group != NULL;
}

START_TEST(nothing_is_delivered_before_it_is_said_from_where)
{
    mock_put(&mock, 0, 0, 3);
    poll_until_event(LEX_EVENT_ASSIGNED, 1);
    ck_assert_uint_eq(assigned_count, MOCK_PARTITIONS);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(poll_once(10), LEX_POLLED_NOTHING);
    resume(1);
    poll_until(LEX_POLLED_RECORDS, 10);
    ck_assert_int_eq(records[0].partition, 0);
    ck_assert_int_eq(records[0].offset, 1);
    ck_assert_span_eq(records[0].value, "1");
}
END_TEST

START_TEST(records_come_in_order_and_no_more_than_asked)
{
    mock_put(&mock, 1, 0, 5);
    poll_until_event(LEX_EVENT_ASSIGNED, 1);
    resume(0);
    for (int64_t next = 0; next < 5; next += (int64_t)records_count) {
        poll_until(LEX_POLLED_RECORDS, 2);
        ck_assert_uint_le(records_count, 2);
        for (size_t i = 0; i < records_count; i++)
            ck_assert_int_eq(records[i].offset, next + (int64_t)i);
    }
    lex_intake_release(intake, 0);
}
END_TEST

/* Held back while no records are wanted, and given out in order later. */
START_TEST(records_held_back_are_not_lost)
{
    mock_put(&mock, 0, 0, 4);
    poll_until_event(LEX_EVENT_ASSIGNED, 1);
    resume(0);
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(poll_once(0), LEX_POLLED_NOTHING);
    for (int64_t next = 0; next < 4; next += (int64_t)records_count) {
        poll_until(LEX_POLLED_RECORDS, 3);
        for (size_t i = 0; i < records_count; i++)
            ck_assert_int_eq(records[i].offset, next + (int64_t)i);
    }
}
END_TEST

/* Records that were held back belong to nobody after a rebalance. One that was kept would keep its
 * partition alive in the library, and closing would hang for ever. */
START_TEST(records_held_back_are_dropped_by_a_rebalance)
{
    mock_put(&mock, 0, 0, 4);
    poll_until_event(LEX_EVENT_ASSIGNED, 1);
    resume(0);
    for (int i = 0; i < 20; i++)
        (void)poll_once(0);
    mock_push(&mock, API_HEARTBEAT, 1, RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, 0);
    poll_until_event(LEX_EVENT_LOST, 1);
    poll_until_event(LEX_EVENT_ASSIGNED, 2);
    resume(0);
    poll_until(LEX_POLLED_RECORDS, 10);
    ck_assert_int_eq(records[0].offset, 0);
}
END_TEST

/* A wait longer than the stash is deep still hears the group, and nothing is lost or out of order.
 */
START_TEST(a_full_stash_still_hears_a_revoke)
{
    mock_put(&mock, 0, 0, 1500);
    poll_until_event(LEX_EVENT_ASSIGNED, 1);
    resume(0);
    for (int i = 0; i < 1100; i++) {
        bool drained;
        ck_assert_int_eq(lex_intake_poll(intake, i < 1000 ? 20 : 1, 0, &records, &records_count,
                                         &drained, gone, &err),
                         LEX_POLLED_NOTHING);
    }
    for (int64_t next = 0; next < 1500; next += (int64_t)records_count) {
        poll_until(LEX_POLLED_RECORDS, 1000);
        for (size_t i = 0; i < records_count; i++)
            ck_assert_int_eq(records[i].offset, next + (int64_t)i);
        lex_intake_release(intake, 0);
    }
    mock_put(&mock, 0, 0, 1500);
    for (int i = 0; i < 1100; i++)
        (void)poll_once(0);
    mock_push(&mock, API_HEARTBEAT, 1, RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS, 0);
    poll_until_event(LEX_EVENT_REVOKED, 1);
}
END_TEST

/* The end of a partition is told between its records, and a full stash pauses all of them. What
 * comes after both is the next request, not the one behind it: librdkafka 2.2.0 to 2.13.1 counts an
 * end that is taken in a batch as a record. */
START_TEST(a_request_after_an_end_and_a_pause_is_not_passed_over)
{
    mock_put(&mock, 0, 0, 1);
    mock_put(&mock, 1, 0, 1);
    poll_until_event(LEX_EVENT_ASSIGNED, 1);
    resume(0);
    (void)usleep(1500 * 1000); /* the records and the ends of both are waiting, in one queue */
    for (int i = 0; i < 10; i++)
        (void)poll_once(1000);
    lex_intake_release(intake, 0);
    mock_put(&mock, 0, 1, 1500);
    for (int i = 0; i < 1100; i++)
        (void)poll_once(0);
    mock_put(&mock, 1, 1, 2);
    bool came = false;
    for (int64_t until = lex_clock_mono_us() + WAIT_US; !came && lex_clock_mono_us() < until;) {
        bool some = poll_once(1000) == LEX_POLLED_RECORDS;
        for (size_t i = 0; some && i < records_count; i++)
            came = came || (records[i].partition == 1 && records[i].offset == 1);
        lex_intake_release(intake, 0);
    }
    ck_assert_msg(came, "request 1 of partition 1 was never seen");
}
END_TEST

START_TEST(member_that_the_broker_forgot_loses_its_partitions)
{
    poll_until_event(LEX_EVENT_ASSIGNED, 1);
    resume(0);
    ck_assert(may_send(0));
    mock_push(&mock, API_HEARTBEAT, 1, RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, 0);
    poll_until_event(LEX_EVENT_LOST, 1);
    ck_assert_int_eq(events[LEX_EVENT_REVOKED], 0);
    ck_assert(!may_send(0));
    poll_until_event(LEX_EVENT_ASSIGNED, 2);
    ck_assert(!may_send(0));
    resume(0);
    ck_assert(may_send(0));
}
END_TEST

START_TEST(rebalance_revokes_before_it_assigns)
{
    poll_until_event(LEX_EVENT_ASSIGNED, 1);
    resume(0);
    mock_push(&mock, API_HEARTBEAT, 1, RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS, 0);
    poll_until_event(LEX_EVENT_REVOKED, 1);
    ck_assert_int_eq(events[LEX_EVENT_LOST], 0);
    poll_until_event(LEX_EVENT_ASSIGNED, 2);
}
END_TEST

START_TEST(member_fenced_by_its_name_ends_the_process)
{
    poll_until_event(LEX_EVENT_ASSIGNED, 1);
    resume(0);
    mock_push(&mock, API_HEARTBEAT, 1, RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, 0);
    poll_until(LEX_POLLED_FATAL, 10);
    ck_assert_msg(strstr(err.text, "LEXECON_INSTANCE") != NULL, "%s", err.text);
}
END_TEST

START_TEST(offset_that_the_topic_does_not_have_is_gone)
{
    mock_put(&mock, 0, 0, 1);
    poll_until_event(LEX_EVENT_ASSIGNED, 1);
    const struct lex_position positions[] = {{0, 100}};
    lex_intake_resume(intake, positions, 1);
    poll_until(LEX_POLLED_GONE, 10);
    ck_assert_uint_eq(records_count, 1);
    ck_assert_int_eq(gone[0], 0);
}
END_TEST

/* The library tells it once: beside records it must not get lost. */
START_TEST(an_offset_that_is_gone_is_told_also_beside_records)
{
    mock_put(&mock, 1, 0, 50);
    poll_until_event(LEX_EVENT_ASSIGNED, 1);
    const struct lex_position positions[] = {{0, 100}, {1, 0}};
    lex_intake_resume(intake, positions, 2);
    (void)sleep(2); /* both are there before anything is taken */
    poll_until(LEX_POLLED_GONE, 100);
    ck_assert_uint_eq(records_count, 1);
    ck_assert_int_eq(gone[0], 0);
}
END_TEST

START_TEST(fetch_errors_pass_and_records_come)
{
    mock_put(&mock, 0, 0, 1);
    poll_until_event(LEX_EVENT_ASSIGNED, 1);
    mock_push(&mock, API_FETCH, 3, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, 0);
    resume(0);
    poll_until(LEX_POLLED_RECORDS, 10);
    ck_assert_int_eq(records[0].offset, 0);
}
END_TEST

START_TEST(offsets_are_sent_for_our_own_partitions_only)
{
    ck_assert(!may_send(0));
    poll_until_event(LEX_EVENT_ASSIGNED, 1);
    ck_assert(!may_send(0)); /* assigned, but not recovered yet */
    const struct lex_position positions[] = {{1, 0}};
    lex_intake_resume(intake, positions, 1);
    ck_assert(may_send(1));
    ck_assert(!may_send(0));
    lex_intake_close(intake);
    ck_assert(!may_send(1));
}
END_TEST

START_TEST(partition_without_an_offset_is_found_with_its_range)
{
    const int32_t ids[] = {0, 1};
    struct lex_offset_found found[2];
    mock_put(&mock, 1, 0, 1);
    mock_put(&mock, 1, 1, 2);
    poll_until_event(LEX_EVENT_ASSIGNED, 1);
    lex_intake_offsets(intake, ids, 2, found);
    ck_assert_int_eq(found[0].status, LEX_OK);
    ck_assert_int_eq(found[1].status, LEX_OK);
    ck_assert_int_eq(found[1].offset, -1);
    ck_assert_uint_eq(found[1].metadata.len, 0);
    ck_assert_int_eq(found[1].low, 0);
    ck_assert_int_eq(found[1].high, 2);
}
END_TEST

/* A predecessor's transaction is pending: ask again, never guess. */
START_TEST(offset_that_is_not_stable_is_asked_for_again)
{
    const int32_t ids[] = {0};
    struct lex_offset_found found;
    poll_until_event(LEX_EVENT_ASSIGNED, 1);
    rd_kafka_resp_err_t unstable[200];
    for (size_t i = 0; i < LEX_COUNT_OF(unstable); i++)
        unstable[i] = RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT;
    rd_kafka_mock_push_request_errors_array(mock.cluster, API_OFFSET_FETCH, LEX_COUNT_OF(unstable),
                                            unstable);
    lex_intake_offsets(intake, ids, 1, &found);
    ck_assert_int_eq(found.status, LEX_RETRY);
    rd_kafka_mock_clear_request_errors(mock.cluster, API_OFFSET_FETCH);
    lex_intake_offsets(intake, ids, 1, &found);
    ck_assert_int_eq(found.status, LEX_OK);
}
END_TEST

START_TEST(range_that_cannot_be_read_is_asked_for_again)
{
    const int32_t ids[] = {0};
    struct lex_offset_found found;
    poll_until_event(LEX_EVENT_ASSIGNED, 1);
    for (size_t answered = 0; answered < 2; answered++) { /* the beginning, and the end */
        mock_push(&mock, API_LIST_OFFSETS, answered, RD_KAFKA_RESP_ERR_NO_ERROR, 0);
        mock_push(&mock, API_LIST_OFFSETS, 1, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, 0);
        lex_intake_offsets(intake, ids, 1, &found);
        ck_assert_int_eq(found.status, LEX_RETRY);
        ck_assert_uint_eq(mock_left(&mock, API_LIST_OFFSETS), 0);
        lex_intake_offsets(intake, ids, 1, &found);
        ck_assert_int_eq(found.status, LEX_OK);
    }
}
END_TEST

START_TEST(broker_that_is_down_is_noticed_and_its_return_too)
{
    poll_until_event(LEX_EVENT_ASSIGNED, 1);
    ck_assert(lex_intake_ping(intake, 5000));
    rd_kafka_mock_broker_set_down(mock.cluster, MOCK_BROKER);
    ck_assert(!lex_intake_ping(intake, 500));
    rd_kafka_mock_broker_set_up(mock.cluster, MOCK_BROKER);
    ck_assert(lex_intake_ping(intake, 10000));
}
END_TEST

static void add_case(Suite *suite, const char *name, const TTest *const *tests, size_t count)
{
    TCase *tcase = tcase_create(name);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 90);
    for (size_t i = 0; i < count; i++)
        tcase_add_test(tcase, tests[i]);
    suite_add_tcase(suite, tcase);
}

/* Each waits for the mock broker's slow groups: `run` runs the cases side by side. */
int main(void)
{
    const TTest *const delivery[] = {
        nothing_is_delivered_before_it_is_said_from_where,
        records_come_in_order_and_no_more_than_asked,
        records_held_back_are_not_lost,
        offset_that_the_topic_does_not_have_is_gone,
        an_offset_that_is_gone_is_told_also_beside_records,
        fetch_errors_pass_and_records_come,
        broker_that_is_down_is_noticed_and_its_return_too,
    };
    const TTest *const rebalance[] = {
        records_held_back_are_dropped_by_a_rebalance,
        a_full_stash_still_hears_a_revoke,
        a_request_after_an_end_and_a_pause_is_not_passed_over,
        rebalance_revokes_before_it_assigns,
    };
    const TTest *const membership[] = {
        member_that_the_broker_forgot_loses_its_partitions,
        member_fenced_by_its_name_ends_the_process,
        offsets_are_sent_for_our_own_partitions_only,
    };
    const TTest *const lookup[] = {
        partition_without_an_offset_is_found_with_its_range,
        offset_that_is_not_stable_is_asked_for_again,
        range_that_cannot_be_read_is_asked_for_again,
    };
    Suite *suite = suite_create("intake on the mock broker");
    add_case(suite, "delivery", delivery, LEX_COUNT_OF(delivery));
    add_case(suite, "rebalance", rebalance, LEX_COUNT_OF(rebalance));
    add_case(suite, "membership", membership, LEX_COUNT_OF(membership));
    add_case(suite, "lookup", lookup, LEX_COUNT_OF(lookup));
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
