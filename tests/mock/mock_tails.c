/* Looking up where a ledger ends, on the mock broker: a dead leader holds nobody up for long. */
#include "consumer/ledger_reader.h"
#include "core/base/clock.h"
#include "tests/mock/mock.h"

enum { HANGS_AFTER_US = 30 * 1000 * 1000 }; /* a look-up takes 8 s at most */

static struct mock mock;
static struct lex_ledger_reader *reader;

static void setup(void)
{
    struct lex_error err = {{0}};
    mock_start(&mock, NULL);
    ck_assert_int_eq(lex_ledger_reader_new(mock.config, "test", 10, 64, &reader, &err), LEX_OK);
}

static void teardown(void)
{
    lex_ledger_reader_free(reader);
    mock_stop(&mock);
}

static enum lex_status look_up(void)
{
    const int32_t partition = 1;
    struct lex_tail_found found;
    lex_ledger_reader_tails(reader, &partition, 1, &found);
    return found.status;
}

static void look_up_until(enum lex_status wanted)
{
    int64_t until_us = lex_clock_mono_us() + HANGS_AFTER_US;
    while (look_up() != wanted)
        ck_assert_msg(lex_clock_mono_us() < until_us, "%d never came", (int)wanted);
    ck_assert_msg(lex_clock_mono_us() < until_us, "one look-up took over half a minute");
}

START_TEST(the_end_of_an_empty_ledger_is_found)
{
    look_up_until(LEX_OK);
}
END_TEST

START_TEST(a_dead_leader_is_given_up_and_asked_again_when_it_is_back)
{
    look_up_until(LEX_OK); /* from now on the client knows the leader */
    rd_kafka_mock_broker_set_down(mock.cluster, MOCK_BROKER);
    look_up_until(LEX_RETRY);
    rd_kafka_mock_broker_set_up(mock.cluster, MOCK_BROKER);
    look_up_until(LEX_OK);
}
END_TEST

LEX_CHECK_MAIN_WITH("tails on the mock broker", setup, teardown,
                    the_end_of_an_empty_ledger_is_found,
                    a_dead_leader_is_given_up_and_asked_again_when_it_is_back)
