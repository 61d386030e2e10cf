/* Records whose schema is not known yet, on the mock broker and a schema registry in this process:
 * what is kept back, in which order it comes, what is read again, and when patience ends. */
#include "tests/unit/web_fixture.h"

#include "consumer/backlog.h"
#include "consumer/intake.h"
#include "consumer/web.h"
#include "core/base/clock.h"
#include "core/crypto/crypto.h"
#include "schemas/tables.h"
#include "tests/mock/mock.h"

enum { WAIT_US = 30 * 1000 * 1000, BATCH = 4096, FRAMED = 7, LARGE_BYTES = 300 << 10 };

static struct mock mock;
static struct lex_intake *intake;
static struct lex_registry *registry;
static struct lex_registry_options options;
static struct lex_health health;
static struct lex_error err;
static _Atomic bool known; /* whether the registry knows the id */
static int assigned;
static int64_t seen[MOCK_PARTITIONS]; /* the offset that is due */
static int framed_seen, refused_seen;

/* ---- the registry ---- */

static void answer_api(const char *method, const char *path, int call, struct lex_buf *out)
{
    struct lex_buf body;
    (void)method, (void)path, (void)call;
    lex_buf_init(&body, 1 << 20);
    if (known) {
        lex_buf_puts(&body, "{\"schema\":");
        lex_buf_put_json(&body, lex_type_request.schema);
        lex_buf_puts(&body, ",\"id\":3}");
    } else {
        lex_buf_puts(&body, "{\"error_code\":40403}");
    }
    web_answer(out, known ? "200 OK" : "404 Not Found", "", lex_buf_span(&body));
    lex_buf_fini(&body);
}

/* ---- frame ---- */

static void rebalanced(void *user, enum lex_event_kind kind, const int32_t *partitions,
                       size_t count)
{
    (void)user, (void)partitions;
    assigned = kind == LEX_EVENT_ASSIGNED ? (int)count : 0;
}

static void start(const char *unknown_ms)
{
    const char *const more[] = {"LEXECON_INSTANCE=one", "LEXECON_VERDICT_FORMAT=json", unknown_ms,
                                NULL};
    struct lex_intake_listener listener = {NULL, rebalanced};
    mock_start(&mock, more);
    mock.config->memory_budget_mb = 32; /* 2 MiB are kept, and one poll can bring more */
    web_start(answer_api);
    lex_health_init(&health, 0, 1);
    ck_assert_int_eq(lex_crypto_init(&err), LEX_OK);
    ck_assert_int_eq(lex_web_init(&err), LEX_OK);
    options =
        (struct lex_registry_options){.url = web_server.url, .timeout_ms = 1000, .health = &health};
    ck_assert_int_eq(lex_registry_start(&options, &registry, &err), LEX_OK);
    ck_assert_int_eq(lex_intake_new(mock.config, 0, listener, &intake, &err), LEX_OK);
    ck_assert_int_eq(lex_intake_use_registry(intake, registry, &err), LEX_OK);
    ck_assert_int_eq(lex_intake_subscribe(intake, &err), LEX_OK);
}

static void stop(void)
{
    lex_intake_free(intake);
    ck_assert_int_eq(health.registry_waiting, 0);
    lex_registry_free(registry);
    web_stop();
    mock_stop(&mock);
}

/* `count` records of `bytes` on a partition, in Confluent's framing or plain. */
static void put(int32_t partition, int count, size_t bytes, bool framed)
{
    char text[256];
    static char value[1 << 20];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    (void)rd_kafka_conf_set(conf, "bootstrap.servers",
                            rd_kafka_mock_cluster_bootstraps(mock.cluster), text, sizeof text);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    memset(value, 'x', sizeof value);
    memcpy(value, framed ? "\0\0\0\0\7" : "{    ", 5);
    for (int i = 0; i < count; i++)
        ck_assert_int_eq(rd_kafka_producev(rk, RD_KAFKA_V_TOPIC("lexecon.requests"),
                                           RD_KAFKA_V_PARTITION(partition),
                                           RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                                           RD_KAFKA_V_VALUE(value, bytes), RD_KAFKA_V_END),
                         0);
    ck_assert_int_eq(rd_kafka_flush(rk, 20000), 0);
    rd_kafka_destroy(rk);
}

static void check(const struct lex_record *record)
{
    enum lex_format format;
    enum lex_undecodable why = LEX_UNDECODABLE_COUNT;
    struct lex_request request;
    struct lex_arena arena;
    ck_assert_int_eq(record->offset, seen[record->partition]++);
    bool framed = record->value.data[0] == 0;
    ck_assert_int_eq(record->frame_bytes, framed ? 5 : 0);
    ck_assert_int_eq(record->registered != NULL, framed);
    if (!framed)
        return;
    lex_arena_init(&arena, 1 << 16, 1 << 24);
    ck_assert_int_eq(lex_decode_registered(record->registered, record->value, &arena, &request,
                                           &format, &why, &err),
                     LEX_REJECT); /* the bodies are no requests: what matters is by which schema */
    lex_arena_fini(&arena);
    framed_seen += why != LEX_UNDECODABLE_UNKNOWN_SCHEMA;
    refused_seen += why == LEX_UNDECODABLE_UNKNOWN_SCHEMA;
}

static void poll_once(size_t max)
{
    const struct lex_record *records;
    size_t count;
    bool drained;
    int32_t gone[LEX_WORKER_PARTITIONS_MAX];
    if (lex_intake_poll(intake, 100, max, &records, &count, &drained, gone, &err) !=
        LEX_POLLED_RECORDS)
        return;
    for (size_t i = 0; i < count; i++)
        check(&records[i]);
    lex_intake_release(intake, 0);
}

static void poll_for(int64_t us, size_t max)
{
    for (int64_t until_us = lex_clock_mono_us() + us; lex_clock_mono_us() < until_us;)
        poll_once(max);
}

static void poll_until(int32_t partition, int64_t offset, size_t max)
{
    int64_t until_us = lex_clock_mono_us() + WAIT_US;
    while (seen[partition] < offset) {
        ck_assert_msg(lex_clock_mono_us() < until_us, "partition %d stands at %lld", partition,
                      (long long)seen[partition]);
        poll_once(max);
    }
}

static void resume(void)
{
    const struct lex_position positions[] = {{0, seen[0]}, {1, seen[1]}};
    lex_intake_resume(intake, positions, 2);
}

static void join(void)
{
    int64_t until_us = lex_clock_mono_us() + WAIT_US;
    while (assigned != MOCK_PARTITIONS && lex_clock_mono_us() < until_us)
        poll_once(0);
    ck_assert_int_eq(assigned, MOCK_PARTITIONS);
    resume();
}

/* ---- tests ---- */

START_TEST(a_partition_waits_for_its_schema_and_the_other_goes_on)
{
    start("LEXECON_SCHEMA_REGISTRY_UNKNOWN_MS=60000");
    put(0, 2, 20, false);
    put(0, 5, 20, true);
    put(0, 3, 20, false);
    put(1, 50, 20, false);
    join();
    poll_until(1, 50, BATCH);
    poll_for(300 * 1000, BATCH);
    ck_assert_int_eq(seen[0], 2); /* what stands before it is handed over */
    ck_assert_int_eq(health.registry_waiting, 1);
    put(1, 10, 20, false);
    poll_until(1, 60, BATCH);
    ck_assert_int_eq(seen[0], 2);
    known = true;
    put(0, 4, 20, true); /* behind what was kept, in order */
    poll_until(0, 14, 3);
    ck_assert_int_eq(framed_seen, 9);
    ck_assert_int_eq(health.registry_waiting, 0);
    stop();
}
END_TEST

START_TEST(an_id_is_given_up_after_its_time_and_the_next_one_sooner)
{
    start("LEXECON_SCHEMA_REGISTRY_UNKNOWN_MS=800");
    put(0, 1, 20, true);
    put(0, 1, 20, false);
    join();
    int64_t begin_us = lex_clock_mono_us();
    poll_until(0, 2, BATCH);
    ck_assert_int_ge(lex_clock_mono_us() - begin_us, 700 * 1000);
    ck_assert_int_eq(refused_seen, 1);
    put(0, 200, 20, true); /* one answer "not known" is enough for these */
    begin_us = lex_clock_mono_us();
    poll_until(0, 202, BATCH);
    ck_assert_int_eq(refused_seen, 201);
    ck_assert_int_lt(lex_clock_mono_us() - begin_us, 10 * 1000 * 1000);
    known = true; /* and it is found as soon as it is there */
    poll_for(1200 * 1000, BATCH);
    put(0, 1, 20, true);
    poll_until(0, 203, BATCH);
    ck_assert_int_eq(framed_seen, 1);
    stop();
}
END_TEST

START_TEST(what_is_more_than_is_kept_is_read_again_in_order)
{
    enum { COUNT = 14 }; /* 4 MiB, of the 5 that the mock broker holds */
    start("LEXECON_SCHEMA_REGISTRY_UNKNOWN_MS=60000");
    put(0, COUNT, LARGE_BYTES, true);
    put(1, 20, 20, false);
    join();
    sleep(3); /* all of it is fetched, so that one poll brings it */
    poll_until(1, 20, BATCH);
    poll_for(300 * 1000, BATCH);
    ck_assert_int_eq(seen[0], 0);
    known = true;
    poll_until(0, COUNT, BATCH);
    ck_assert_int_eq(framed_seen, COUNT);
    put(1, 5, 20, false);
    put(0, 5, 20, false);
    poll_until(1, 25, BATCH);
    poll_until(0, COUNT + 5, BATCH);
    stop();
}
END_TEST

START_TEST(what_is_kept_while_nothing_is_wanted_comes_later)
{
    start("LEXECON_SCHEMA_REGISTRY_UNKNOWN_MS=60000");
    put(0, 20, 20, true);
    put(1, 20, 20, false);
    join();
    poll_for(500 * 1000, 0); /* some of it goes to the stash, where no id is looked at */
    poll_for(300 * 1000, 2);
    poll_for(300 * 1000, 0);
    ck_assert_int_eq(seen[0], 0);
    known = true;
    poll_until(0, 20, 2);
    poll_until(1, 20, 2);
    ck_assert_int_eq(framed_seen, 20);
    stop();
}
END_TEST

/* A RESUME says where to go on, whatever was kept: it is read again, once. */
START_TEST(what_is_kept_is_read_again_after_a_resume)
{
    start("LEXECON_SCHEMA_REGISTRY_UNKNOWN_MS=60000");
    put(0, 30, 20, true);
    put(1, 3, 20, false);
    join();
    poll_until(1, 3, BATCH);
    for (int i = 0; i < 3; i++) {
        resume();
        ck_assert_int_eq(health.registry_waiting, 0);
        poll_for(300 * 1000, BATCH);
    }
    ck_assert_int_eq(health.registry_waiting, 1);
    known = true;
    poll_until(0, 30, BATCH);
    put(0, 3, 20, false);
    poll_until(0, 33, BATCH);
    ck_assert_int_eq(framed_seen, 30);
    stop();
}
END_TEST

LEX_CHECK_MAIN("backlog", a_partition_waits_for_its_schema_and_the_other_goes_on,
               an_id_is_given_up_after_its_time_and_the_next_one_sooner,
               what_is_more_than_is_kept_is_read_again_in_order,
               what_is_kept_while_nothing_is_wanted_comes_later,
               what_is_kept_is_read_again_after_a_resume)
