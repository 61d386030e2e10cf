/* Looking up where a ledger ends, on the mock broker: a dead leader holds nobody up for long. */
#include "consumer/ledger_reader.h"
#include "core/base/clock.h"
#include "tests/mock/mock.h"

enum { HANGS_AFTER_US = 30 * 1000 * 1000 }; /* a look-up takes some 12 s at most */

static struct mock mock;
static struct lex_ledger_reader *reader;

/* One partition of the ledger is led by each of two brokers. */
static void setup(void)
{
    struct lex_error err = {{0}};
    mock.brokers = 2;
    mock_start(&mock, NULL);
    for (int32_t p = 0; p < MOCK_PARTITIONS; p++)
        ck_assert_int_eq(
            rd_kafka_mock_partition_set_leader(mock.cluster, "lexecon.ledger", p, MOCK_BROKER + p),
            0);
    ck_assert_int_eq(lex_ledger_reader_new(mock.config, "test", 10, 64, &reader, &err), LEX_OK);
}

static void teardown(void)
{
    lex_ledger_reader_free(reader);
    mock_stop(&mock);
}

/* Ask for both until the first is found and the second is `wanted`. */
static void look_up_until(enum lex_status wanted)
{
    const int32_t partitions[MOCK_PARTITIONS] = {0, 1};
    struct lex_tail_found found[MOCK_PARTITIONS] = {{0}};
    int64_t until_us = lex_clock_mono_us() + HANGS_AFTER_US;
    do {
        lex_ledger_reader_tails(reader, partitions, MOCK_PARTITIONS, found);
        ck_assert_msg(lex_clock_mono_us() < until_us, "%d and %d, expected %d and %d",
                      (int)found[0].status, (int)found[1].status, (int)LEX_OK, (int)wanted);
    } while (found[0].status != LEX_OK || found[1].status != wanted);
}

START_TEST(the_ends_of_empty_ledgers_are_found)
{
    look_up_until(LEX_OK);
}
END_TEST

START_TEST(a_dead_leader_costs_the_others_nothing_and_is_asked_again_when_it_is_back)
{
    look_up_until(LEX_OK); /* from now on the client knows the leaders */
    rd_kafka_mock_broker_set_down(mock.cluster, MOCK_BROKER + 1);
    look_up_until(LEX_RETRY);
    rd_kafka_mock_broker_set_up(mock.cluster, MOCK_BROKER + 1);
    look_up_until(LEX_OK);
}
END_TEST

LEX_CHECK_MAIN_WITH("tails on the mock broker", setup, teardown,
                    the_ends_of_empty_ledgers_are_found,
                    a_dead_leader_costs_the_others_nothing_and_is_asked_again_when_it_is_back)
