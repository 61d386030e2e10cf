/* Errors of every class, met by the publisher where the broker would answer with them: what the
 * worker is told, and whether the next transaction works. */
#include <string.h>
#include <unistd.h>

#include "producer/publisher.h"
#include "tests/mock/mock.h"

static struct mock mock;
static struct lex_publisher *publisher;
static struct lex_error err;
static bool is_member;

static rd_kafka_consumer_group_metadata_t *metadata(void *user, const struct lex_commit *commits,
                                                    size_t count)
{
    (void)user;
    ck_assert_uint_eq(count, 1);
    ck_assert_int_eq(commits[0].partition, 1);
    return is_member ? rd_kafka_consumer_group_metadata_new_with_genid("lexecon", 1, "me", NULL)
                     : NULL;
}

/* The linker lets us see the publisher's client (--wrap), to do to it what a broker's restart does.
 */
static rd_kafka_t *client;
rd_kafka_error_t *__real_rd_kafka_begin_transaction(rd_kafka_t *rk);
rd_kafka_error_t *__wrap_rd_kafka_begin_transaction(rd_kafka_t *rk);
rd_kafka_error_t *__wrap_rd_kafka_begin_transaction(rd_kafka_t *rk)
{
    client = rk;
    return __real_rd_kafka_begin_transaction(rk);
}

static void setup(void)
{
    mock_start(&mock, NULL);
    is_member = true;
    struct lex_membership membership = {NULL, metadata};
    ck_assert_int_eq(lex_publisher_new(mock.config, 0, membership, &publisher, &err), LEX_OK);
    ck_assert_msg(lex_publisher_init(publisher, &err) == LEX_OK, "%s", err.text);
}

static void teardown(void)
{
    lex_publisher_free(publisher);
    mock_stop(&mock);
}

static enum lex_published publish(bool commit)
{
    const struct lex_output outputs[] = {
        {.kind = LEX_OUTPUT_LEDGER, .partition = 1, .value = LEX_SPAN("an entry")},
        {.kind = LEX_OUTPUT_VERDICT, .partition = 1, .key = LEX_SPAN("id"), .value = LEX_SPAN("v")},
    };
    const struct lex_commit commits[] = {{1, 7, LEX_SPAN("lexhead/1 ...")}};
    const struct lex_action action = {.kind = LEX_ACTION_PUBLISH,
                                      .commit = commit,
                                      .outputs = outputs,
                                      .count = 2,
                                      .commits = commits,
                                      .commits_count = commit ? 1 : 0};
    return lex_publisher_publish(publisher, &action, &err);
}

#define CHECK_PUBLISHED(got, want, what)                                                 \
    do {                                                                                 \
        enum lex_published got_ = (got);                                                 \
        ck_assert_msg(got_ == (want), "%s: result %d, expected %d: %s", what, (int)got_, \
                      (int)(want), err.text);                                            \
    } while (0)

struct pushed {
    const char *what;
    int16_t api;
    rd_kafka_resp_err_t code;
};

/* ---- retriable: the same call again ---- */

static const struct pushed RETRIABLE[] = {
    {"add partitions, loading", API_ADD_PARTITIONS_TO_TXN,
     RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS},
    {"add partitions, moved", API_ADD_PARTITIONS_TO_TXN, RD_KAFKA_RESP_ERR_NOT_COORDINATOR},
    {"add partitions, concurrent", API_ADD_PARTITIONS_TO_TXN,
     RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS},
    {"produce, leader moved", API_PRODUCE, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION},
    {"produce, timed out", API_PRODUCE, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT},
    {"produce, few replicas", API_PRODUCE, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS},
    {"add offsets, away", API_ADD_OFFSETS_TO_TXN, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE},
    {"add offsets, concurrent", API_ADD_OFFSETS_TO_TXN, RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS},
    {"offsets, loading", API_TXN_OFFSET_COMMIT, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS},
    {"offsets, moved", API_TXN_OFFSET_COMMIT, RD_KAFKA_RESP_ERR_NOT_COORDINATOR},
    {"end, loading", API_END_TXN, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS},
    {"end, moved", API_END_TXN, RD_KAFKA_RESP_ERR_NOT_COORDINATOR},
    {"end, away", API_END_TXN, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE},
};

START_TEST(retriable_error_is_retried_and_commits)
{
    const struct pushed *row = &RETRIABLE[_i];
    CHECK_PUBLISHED(publish(true), LEX_PUBLISHED_COMMITTED, "before");
    mock_push(&mock, row->api, 2, row->code, 0);
    CHECK_PUBLISHED(publish(true), LEX_PUBLISHED_COMMITTED, row->what);
    ck_assert_uint_eq(mock_left(&mock, row->api), 0);
    CHECK_PUBLISHED(publish(true), LEX_PUBLISHED_COMMITTED, "after");
}
END_TEST

/* ---- abortable: nothing of it is read, and deciding again works ---- */

/* As the worker does it: abort, wait, the same again. A right that was missing, and numbers that a
 * lost batch has used up, take the library another round or two. */
static void check_works_again(const char *what)
{
    enum lex_published result = LEX_PUBLISHED_ABORTED;
    for (int i = 0; i < 100 && result == LEX_PUBLISHED_ABORTED; i++) {
        result = publish(true);
        if (result == LEX_PUBLISHED_ABORTED)
            (void)usleep(100 * 1000);
    }
    CHECK_PUBLISHED(result, LEX_PUBLISHED_COMMITTED, what);
    CHECK_PUBLISHED(publish(true), LEX_PUBLISHED_COMMITTED, what);
}

static const struct pushed ABORTABLE[] = {
    {"offsets, old generation", API_TXN_OFFSET_COMMIT, RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION},
    {"offsets, unknown member", API_TXN_OFFSET_COMMIT, RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID},
    {"offsets, rebalance", API_TXN_OFFSET_COMMIT, RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS},
    {"offsets, fenced member", API_TXN_OFFSET_COMMIT, RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID},
    {"offsets, no right", API_TXN_OFFSET_COMMIT, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED},
    {"add partitions, no right", API_ADD_PARTITIONS_TO_TXN,
     RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED},
    {"produce, no right", API_PRODUCE, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED},
    {"produce, too large", API_PRODUCE, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE},
};

START_TEST(abortable_error_aborts_and_deciding_again_works)
{
    const struct pushed *row = &ABORTABLE[_i];
    mock_push(&mock, row->api, 1, row->code, 0);
    CHECK_PUBLISHED(publish(true), LEX_PUBLISHED_ABORTED, row->what);
    ck_assert_uint_eq(mock_left(&mock, row->api), 0);
    ck_assert_str_ne(err.text, "");
    check_works_again(row->what);
}
END_TEST

/* ---- fatal: a new producer under the same id ---- */

static const struct pushed FATAL[] = {
    {"add partitions, fenced", API_ADD_PARTITIONS_TO_TXN, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH},
    {"add offsets, wrong state", API_ADD_OFFSETS_TO_TXN, RD_KAFKA_RESP_ERR_INVALID_TXN_STATE},
    {"offsets, fenced", API_TXN_OFFSET_COMMIT, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH},
    {"end, fenced", API_END_TXN, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH},
    {"end, fenced by name", API_END_TXN, RD_KAFKA_RESP_ERR_PRODUCER_FENCED},
    {"end, no right", API_END_TXN, RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED},
    {"end, wrong state", API_END_TXN, RD_KAFKA_RESP_ERR_INVALID_TXN_STATE},
};

START_TEST(fatal_error_is_told_and_a_new_producer_works)
{
    const struct pushed *row = &FATAL[_i];
    mock_push(&mock, row->api, 1, row->code, 0);
    CHECK_PUBLISHED(publish(true), LEX_PUBLISHED_FATAL, row->what);
    ck_assert_uint_eq(mock_left(&mock, row->api), 0);
    ck_assert_msg(lex_publisher_init(publisher, &err) == LEX_OK, "%s", err.text);
    CHECK_PUBLISHED(publish(true), LEX_PUBLISHED_COMMITTED, "after");
}
END_TEST

START_TEST(dead_producer_commits_nothing_more)
{
    mock_push(&mock, API_END_TXN, 1, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, 0);
    CHECK_PUBLISHED(publish(true), LEX_PUBLISHED_FATAL, "fenced");
    CHECK_PUBLISHED(publish(true), LEX_PUBLISHED_FATAL, "fenced before");
}
END_TEST

/* ---- init ---- */

START_TEST(init_waits_for_a_coordinator_that_loads)
{
    mock_push(&mock, API_INIT_PRODUCER_ID, 2, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, 0);
    ck_assert_msg(lex_publisher_init(publisher, &err) == LEX_OK, "%s", err.text);
    CHECK_PUBLISHED(publish(true), LEX_PUBLISHED_COMMITTED, "after");
}
END_TEST

START_TEST(init_that_is_refused_says_what_to_change)
{
    mock_push(&mock, API_INIT_PRODUCER_ID, 1,
              RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, 0);
    ck_assert_int_eq(lex_publisher_init(publisher, &err), LEX_REJECT);
    ck_assert_msg(strstr(err.text, "prefixed ACL") != NULL, "%s", err.text);
    ck_assert_int_eq(lex_publisher_init(publisher, &err), LEX_OK);
    CHECK_PUBLISHED(publish(true), LEX_PUBLISHED_COMMITTED, "after");
}
END_TEST

START_TEST(init_that_is_fenced_works_again)
{
    mock_push(&mock, API_INIT_PRODUCER_ID, 1, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, 0);
    ck_assert_int_ne(lex_publisher_init(publisher, &err), LEX_OK);
    ck_assert_int_eq(lex_publisher_init(publisher, &err), LEX_OK);
    CHECK_PUBLISHED(publish(true), LEX_PUBLISHED_COMMITTED, "after");
}
END_TEST

/* ---- commits without an answer, aborts, membership ---- */

START_TEST(commit_without_an_answer_is_unknown_and_the_same_commit_resumes)
{
    mock_push(&mock, API_END_TXN, 1, RD_KAFKA_RESP_ERR_NO_ERROR, 6500);
    CHECK_PUBLISHED(publish(true), LEX_PUBLISHED_UNKNOWN, "no answer");
    enum lex_published result = LEX_PUBLISHED_UNKNOWN;
    for (int i = 0; i < 5 && result == LEX_PUBLISHED_UNKNOWN; i++)
        result = lex_publisher_resume_commit(publisher, &err);
    CHECK_PUBLISHED(result, LEX_PUBLISHED_COMMITTED, "resumed");
    CHECK_PUBLISHED(publish(true), LEX_PUBLISHED_COMMITTED, "after");
}
END_TEST

START_TEST(transaction_stays_open_until_it_is_aborted)
{
    CHECK_PUBLISHED(publish(false), LEX_PUBLISHED_QUEUED, "open");
    CHECK_PUBLISHED(publish(false), LEX_PUBLISHED_QUEUED, "still open");
    CHECK_PUBLISHED(lex_publisher_abort(publisher, &err), LEX_PUBLISHED_ABORTED, "aborted");
    CHECK_PUBLISHED(publish(true), LEX_PUBLISHED_COMMITTED, "after");
}
END_TEST

START_TEST(abort_is_retried_as_a_commit_is)
{
    CHECK_PUBLISHED(publish(false), LEX_PUBLISHED_QUEUED, "open");
    mock_push(&mock, API_END_TXN, 2, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, 0);
    CHECK_PUBLISHED(lex_publisher_abort(publisher, &err), LEX_PUBLISHED_ABORTED, "aborted");
    CHECK_PUBLISHED(publish(true), LEX_PUBLISHED_COMMITTED, "after");
}
END_TEST

START_TEST(abort_of_a_fenced_producer_is_fatal)
{
    CHECK_PUBLISHED(publish(false), LEX_PUBLISHED_QUEUED, "open");
    lex_publisher_poll(publisher);
    while (lex_publisher_queued(publisher) != 0)
        lex_publisher_poll(publisher);
    mock_push(&mock, API_END_TXN, 1, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, 0);
    CHECK_PUBLISHED(lex_publisher_abort(publisher, &err), LEX_PUBLISHED_FATAL, "fenced");
    ck_assert_int_eq(lex_publisher_init(publisher, &err), LEX_OK);
    CHECK_PUBLISHED(publish(true), LEX_PUBLISHED_COMMITTED, "after");
}
END_TEST

/* An offset is never sent without a member: the broker would take it (pipeline.md, rule 6). */
START_TEST(offsets_are_never_sent_without_a_member)
{
    is_member = false;
    mock_push(&mock, API_TXN_OFFSET_COMMIT, 1, RD_KAFKA_RESP_ERR_NOT_COORDINATOR, 0);
    CHECK_PUBLISHED(publish(true), LEX_PUBLISHED_ABORTED, "no member");
    ck_assert_uint_eq(mock_left(&mock, API_TXN_OFFSET_COMMIT), 1);
    is_member = true;
    CHECK_PUBLISHED(publish(true), LEX_PUBLISHED_COMMITTED, "a member again");
    ck_assert_uint_eq(mock_left(&mock, API_TXN_OFFSET_COMMIT), 0);
}
END_TEST

START_TEST(record_over_the_ceiling_aborts)
{
    static uint8_t large[2000001];
    const struct lex_output output = {
        .kind = LEX_OUTPUT_LEDGER, .partition = 1, .value = lex_span_of(large, sizeof large)};
    const struct lex_action action = {.outputs = &output, .count = 1};
    CHECK_PUBLISHED(lex_publisher_publish(publisher, &action, &err), LEX_PUBLISHED_ABORTED,
                    "large");
    CHECK_PUBLISHED(publish(true), LEX_PUBLISHED_COMMITTED, "after");
}
END_TEST

/* ---- the table itself ---- */

/* librdkafka does not count a purged record as failed: it would commit the transaction without it.
 */
START_TEST(record_that_was_purged_is_not_committed_around)
{
    CHECK_PUBLISHED(publish(false), LEX_PUBLISHED_QUEUED, "before");
    ck_assert_int_eq(rd_kafka_purge(client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT),
                     RD_KAFKA_RESP_ERR_NO_ERROR);
    CHECK_PUBLISHED(publish(true), LEX_PUBLISHED_ABORTED, "with records missing");
    ck_assert_msg(strstr(err.text, "were not delivered") != NULL, "%s", err.text);
    CHECK_PUBLISHED(publish(true), LEX_PUBLISHED_COMMITTED, "again");
}
END_TEST

START_TEST(unknown_error_is_fatal)
{
    ck_assert_int_eq(lex_kafka_class(RD_KAFKA_RESP_ERR_NO_ERROR), LEX_OK);
    ck_assert_int_eq(lex_kafka_class(RD_KAFKA_RESP_ERR__TIMED_OUT), LEX_RETRY);
    ck_assert_int_eq(lex_kafka_class(RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION), LEX_ABORT);
    ck_assert_int_eq(lex_kafka_class(RD_KAFKA_RESP_ERR__FENCED), LEX_HALT);
    ck_assert_int_eq(lex_kafka_class(RD_KAFKA_RESP_ERR_INVALID_TXN_STATE), LEX_HALT);
    ck_assert_int_eq(lex_kafka_class(RD_KAFKA_RESP_ERR_UNKNOWN), LEX_HALT);
    ck_assert_int_eq(lex_kafka_class((rd_kafka_resp_err_t)9999), LEX_HALT);
    ck_assert_int_eq(lex_kafka_error_class(NULL), LEX_OK);
}
END_TEST

/* What every handle has in common, seen at the one that sets the most of its own. */
static void check_setting(const char *key, const char *expected)
{
    char value[32] = "";
    size_t size = sizeof value;
    ck_assert_int_eq(rd_kafka_conf_get(rd_kafka_conf(client), key, value, &size), RD_KAFKA_CONF_OK);
    ck_assert_str_eq(value, expected);
}

START_TEST(moved_leader_and_returned_broker_are_looked_for_soon)
{
    CHECK_PUBLISHED(publish(true), LEX_PUBLISHED_COMMITTED, "the client is known");
    check_setting("topic.metadata.refresh.interval.ms", "10000");
    check_setting("reconnect.backoff.max.ms", "1000");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("publisher on the mock broker");
    TCase *tcase = tcase_create("publisher");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, retriable_error_is_retried_and_commits, 0, LEX_COUNT_OF(RETRIABLE));
    tcase_add_loop_test(tcase, abortable_error_aborts_and_deciding_again_works, 0,
                        LEX_COUNT_OF(ABORTABLE));
    tcase_add_loop_test(tcase, fatal_error_is_told_and_a_new_producer_works, 0,
                        LEX_COUNT_OF(FATAL));
    const TTest *const tests[] = {
        dead_producer_commits_nothing_more,
        init_waits_for_a_coordinator_that_loads,
        init_that_is_refused_says_what_to_change,
        init_that_is_fenced_works_again,
        commit_without_an_answer_is_unknown_and_the_same_commit_resumes,
        transaction_stays_open_until_it_is_aborted,
        abort_is_retried_as_a_commit_is,
        abort_of_a_fenced_producer_is_fatal,
        offsets_are_never_sent_without_a_member,
        record_over_the_ceiling_aborts,
        record_that_was_purged_is_not_committed_around,
        unknown_error_is_fatal,
        moved_leader_and_returned_broker_are_looked_for_soon,
    };
    for (size_t i = 0; i < LEX_COUNT_OF(tests); i++)
        tcase_add_test(tcase, tests[i]);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
