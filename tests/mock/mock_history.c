/* The history reader on the mock broker: a ledger read back from the place that is wanted. */
#include <stdio.h>

#include "consumer/history_reader.h"
#include "core/ledger/chain.h"
#include "tests/mock/mock.h"

enum { ENTRIES = 9000, SECOND_US = 1000000 };

static struct mock mock;
static struct lex_history_reader *reader;
static struct lex_arena arena;

/* ENTRIES entries on partition 1, a second apart; partition 0 stays empty. */
static void fill(void)
{
    struct lex_chain chain = lex_chain_genesis(LEX_SPAN("t/one/lexecon.ledger/1"));
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    (void)rd_kafka_conf_set(conf, "bootstrap.servers",
                            rd_kafka_mock_cluster_bootstraps(mock.cluster), text, sizeof text);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    ck_assert_ptr_nonnull(rk);
    for (int64_t i = 0; i < ENTRIES; i++) {
        struct lex_ledger_entry entry = {.event_type = LEX_EVENT_TYPE_OUTCOME,
                                         .recorded_at = i * SECOND_US,
                                         .node_id = LEX_SPAN("n"),
                                         .source = {.topic = LEX_SPAN("r"), .offset = -1}};
        struct lex_span value;
        struct lex_hash leaf;
        lex_arena_reset(&arena);
        if (lex_chain_append(&chain, &entry, &arena, &value, &leaf) != LEX_OK ||
            rd_kafka_producev(rk, RD_KAFKA_V_TOPIC("lexecon.ledger"), RD_KAFKA_V_PARTITION(1),
                              RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                              RD_KAFKA_V_VALUE((void *)value.data, value.len),
                              RD_KAFKA_V_END) != RD_KAFKA_RESP_ERR_NO_ERROR)
            ck_abort_msg("entry %lld", (long long)i);
    }
    ck_assert_int_eq(rd_kafka_flush(rk, 10000), 0);
    rd_kafka_destroy(rk);
}

static void setup(void)
{
    struct lex_error err = {{0}};
    lex_arena_init(&arena, 1 << 20, 16 << 20);
    ck_assert_int_eq(lex_crypto_init(&err), LEX_OK);
    mock_start(&mock, NULL);
    fill();
    ck_assert_msg(lex_history_reader_new(mock.config, &reader, &err) == LEX_OK, "%s", err.text);
}

static void teardown(void)
{
    lex_history_reader_free(reader);
    mock_stop(&mock);
    lex_arena_fini(&arena);
}

static struct lex_history_found next(struct lex_history_wanted wanted)
{
    struct lex_history_found found;
    for (int tries = 0;; tries++) {
        lex_history_reader_read(reader, &wanted, &found);
        if (tries == 50 || found.status != LEX_RETRY || wanted.more)
            return found;
    }
}

static int64_t seq_of(struct lex_span value)
{
    struct lex_ledger_entry entry;
    lex_arena_reset(&arena);
    return lex_decode_framed(&lex_type_ledger_entry, value, &arena, &entry, NULL) == LEX_OK
               ? entry.seq
               : -1;
}

/* All that is delivered, which has to be dense; the first entry of it. */
static int64_t read_all(struct lex_history_wanted wanted, int64_t *ret_next)
{
    int64_t first = -1, due = -1;
    struct lex_history_found found;
    do {
        found = next(wanted);
        ck_assert_int_eq(found.status, LEX_OK);
        ck_assert_uint_le(found.count, LEX_HISTORY_PIECE_ENTRIES);
        for (size_t i = 0; i < found.count; i++, due++) {
            int64_t seq = seq_of(found.values[i]);
            if (first < 0)
                first = due = seq;
            if (seq != due)
                ck_abort_msg("entry %lld where %lld was due", (long long)seq, (long long)due);
        }
        wanted.more = true;
    } while (found.more);
    *ret_next = due;
    return first;
}

START_TEST(a_ledger_is_read_from_its_beginning_in_pieces)
{
    int64_t end;
    struct lex_history_wanted wanted = {.partition = 1, .to = ENTRIES, .since_us = INT64_MIN};
    ck_assert_int_eq(read_all(wanted, &end), 0);
    ck_assert_int_eq(end, ENTRIES);
}
END_TEST

START_TEST(reading_begins_at_or_before_the_wanted_entry_and_not_at_the_beginning)
{
    int64_t end;
    struct lex_history_wanted wanted = {
        .partition = 1, .from = 8000, .to = ENTRIES, .since_us = INT64_MIN};
    int64_t first = read_all(wanted, &end);
    ck_assert_int_le(first, 8000);
    ck_assert_int_gt(first, 0);
    ck_assert_int_eq(end, ENTRIES);
}
END_TEST

START_TEST(nothing_older_than_what_matters_is_read_without_need)
{
    int64_t end, since_us = (int64_t)8000 * SECOND_US;
    struct lex_history_wanted wanted = {.partition = 1, .to = ENTRIES, .since_us = since_us};
    int64_t first = read_all(wanted, &end);
    ck_assert_int_le(first, 8000);
    ck_assert_int_gt(first, 0);
    wanted.since_us = (int64_t)100 * SECOND_US;
    ck_assert_int_le(read_all(wanted, &end), 100);
}
END_TEST

START_TEST(a_ledger_that_holds_nothing_ends_at_once)
{
    struct lex_history_found found =
        next((struct lex_history_wanted){.partition = 0, .to = 5, .since_us = INT64_MIN});
    ck_assert_int_eq(found.status, LEX_OK);
    ck_assert_uint_eq(found.count, 0);
    ck_assert(!found.more);
}
END_TEST

START_TEST(who_goes_on_where_nobody_stands_has_to_begin_again)
{
    struct lex_history_wanted one = {.partition = 1, .to = ENTRIES, .since_us = INT64_MIN};
    struct lex_history_wanted other = {.partition = 0, .to = 5, .since_us = INT64_MIN};
    one.more = true;
    ck_assert_int_eq(next(one).status, LEX_RETRY);
    one.more = false;
    ck_assert_int_eq(next(one).status, LEX_OK);
    (void)next(other);
    one.more = true;
    ck_assert_int_eq(next(one).status, LEX_RETRY);
}
END_TEST

LEX_CHECK_MAIN_WITH("history", setup, teardown, a_ledger_is_read_from_its_beginning_in_pieces,
                    reading_begins_at_or_before_the_wanted_entry_and_not_at_the_beginning,
                    nothing_older_than_what_matters_is_read_without_need,
                    a_ledger_that_holds_nothing_ends_at_once,
                    who_goes_on_where_nobody_stands_has_to_begin_again)
