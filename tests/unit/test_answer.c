/* Answer: a verdict counts for exactly the request that was sent, and for nothing else. */
#include "producer/answer.h"

#include "core/decision/decision.h"
#include "core/ledger/chain.h"
#include "tests/unit/codec_fixture.h"
#include "tests/unit/lex_check.h"

static const int64_t now_us = INT64_C(1767225601000000);
static struct lex_arena arena;
static struct lex_error err;
static struct lex_keyring *keyring;
static struct lex_pins *pins;
static struct lex_request request;
static struct lex_question question;
static struct lex_ledger_entry entry;

static struct lex_pins *pins_of(const struct lex_keyring *keys)
{
    struct lex_buf text;
    struct lex_pins *made = NULL;
    lex_buf_init(&text, 1 << 16);
    ck_assert_int_eq(lex_pins_write(keys, &text), LEX_OK);
    ck_assert_int_eq(lex_pins_parse(lex_buf_span(&text), &made, &err), LEX_OK);
    lex_buf_fini(&text);
    return made;
}

static struct lex_keyring *keys_of(uint8_t first, const char *prefix)
{
    uint8_t seed[LEX_SEED_BYTES] = {first};
    struct lex_keyring *made = NULL;
    ck_assert_int_eq(lex_keyring_from_seed(seed, prefix, &made, &err), LEX_OK);
    return made;
}

/* The question, and the entry that answers it. */
static void setup(void)
{
    ck_assert_int_eq(lex_crypto_init(&err), LEX_OK);
    lex_arena_init(&arena, 1 << 16, 64 << 20);
    keyring = keys_of(1, "acme/main");
    pins = pins_of(keyring);
    request = fixture_request();
    ck_assert_int_eq(lex_question_init(&request, &arena, &question, &err), LEX_OK);
    question.topic = LEX_SPAN("lexecon.requests");
    question.partition = 3;
    question.offset = 77;
    entry = fixture_entry();
    entry.log = LEX_SPAN("acme/main/lexecon.ledger/3");
    entry.event_type = LEX_EVENT_TYPE_DECISION;
    entry.source = (struct lex_source){question.topic, 3, 77, 1767225600000};
    entry.request_id = request.request_id;
    entry.actor = request.actor;
    entry.action = request.proposed_action;
    entry.request_fingerprint = lex_span_of(question.fingerprint, LEX_HASH_BYTES);
    entry.outcome = LEX_OUTCOME_APPROVED;
    entry.allowed = true;
    entry.evaluated_at = (struct lex_opt_i64){true, now_us - 1000000};
    entry.valid_until = (struct lex_opt_i64){true, now_us + 1000000};
}

static void teardown(void)
{
    lex_pins_free(pins);
    lex_keyring_free(keyring);
    lex_arena_fini(&arena);
}

/* The entry as a verdict, signed for the log that it names. */
static struct lex_span signed_verdict(enum lex_format format)
{
    struct lex_hash leaf;
    struct lex_attestation attestation;
    struct lex_span value, verdict;
    ck_assert_int_eq(lex_encode_framed(&lex_type_ledger_entry, &entry, &arena,
                                       LEX_LEDGER_ENTRY_MAX_BYTES, &value),
                     LEX_OK);
    lex_leaf_hash(value, &leaf);
    ck_assert_int_eq(lex_attest_batch(keyring, entry.log, &leaf, 1, &arena, &attestation), LEX_OK);
    ck_assert_int_eq(lex_encode_verdict(format, &entry, value, &attestation,
                                        (struct lex_span){NULL, 0}, &arena, 1 << 20, &verdict),
                     LEX_OK);
    return verdict;
}

static enum lex_status check_value(struct lex_span value)
{
    struct lex_verdict verdict;
    struct lex_span entry_value;
    return lex_answer_check(pins, &question, value, now_us, &arena, &verdict, &entry_value, &err);
}

static void refused_because(const char *words)
{
    for (int format = LEX_FORMAT_AVRO; format <= LEX_FORMAT_JSON; format++) {
        ck_assert_int_eq(check_value(signed_verdict(format)), LEX_REJECT);
        ck_assert_msg(strstr(err.text, words) != NULL, "'%s' does not say '%s'", err.text, words);
    }
}

START_TEST(verdict_for_this_request_is_proven_in_both_formats)
{
    struct lex_verdict verdict;
    struct lex_span entry_value, id;
    for (int format = LEX_FORMAT_AVRO; format <= LEX_FORMAT_JSON; format++) {
        struct lex_span value = signed_verdict(format);
        ck_assert_msg(lex_answer_check(pins, &question, value, now_us, &arena, &verdict,
                                       &entry_value, &err) == LEX_OK,
                      "%s", err.text);
        ck_assert(verdict.entry.allowed);
        ck_assert_int_eq(lex_answer_peek(value, &arena, &id, &err), LEX_OK);
        ck_assert_span_eq(id, "req-1");
    }
}
END_TEST

START_TEST(answer_to_another_request_is_refused)
{
    struct lex_span own = entry.request_id;
    entry.request_id = LEX_SPAN("req-2");
    refused_because("request_id");
    entry.request_id = own;
    entry.actor = LEX_SPAN("agent:other");
    refused_because("actor");
    entry.actor = (struct lex_span){NULL, 0};
    refused_because("actor");
    entry.actor = request.actor;
    entry.action = LEX_SPAN("write");
    refused_because("action");
}
END_TEST

START_TEST(answer_to_the_same_words_with_other_arguments_is_refused)
{
    struct lex_question other;
    request.arguments = LEX_SPAN("{\"z\":2}");
    ck_assert_int_eq(lex_question_init(&request, &arena, &other, &err), LEX_OK);
    entry.request_fingerprint = lex_span_of(other.fingerprint, LEX_HASH_BYTES);
    refused_because("request_fingerprint");
    entry.request_fingerprint = (struct lex_span){NULL, 0};
    refused_because("request_fingerprint");
}
END_TEST

START_TEST(answer_to_another_record_is_refused)
{
    entry.source.offset = 78;
    refused_because("another record");
    entry.source.offset = 77;
    entry.source.topic = LEX_SPAN("other.requests");
    refused_because("another record");
    entry.source.topic = question.topic;
    entry.source.partition = 4;
    refused_because("another record");
    entry.source.partition = 3;
    entry.log = LEX_SPAN("acme/main/lexecon.ledger/4");
    refused_because("another record");
}
END_TEST

START_TEST(offset_that_the_broker_did_not_say_is_not_compared)
{
    question.offset = -1;
    ck_assert_int_eq(check_value(signed_verdict(LEX_FORMAT_AVRO)), LEX_OK);
}
END_TEST

START_TEST(verdict_is_valid_to_its_last_microsecond)
{
    entry.valid_until.value = now_us;
    ck_assert_int_eq(check_value(signed_verdict(LEX_FORMAT_AVRO)), LEX_OK);
    entry.valid_until.value = now_us - 1;
    refused_because("no longer valid");
    entry.valid_until.present = false;
    refused_because("no longer valid");
}
END_TEST

START_TEST(key_that_is_not_pinned_proves_nothing)
{
    lex_keyring_free(keyring);
    keyring = keys_of(2, "acme/main");
    refused_because("pinned");
}
END_TEST

START_TEST(log_outside_the_pinned_prefix_proves_nothing)
{
    entry.log = LEX_SPAN("acme/other/lexecon.ledger/3");
    ck_assert_int_eq(check_value(signed_verdict(LEX_FORMAT_AVRO)), LEX_REJECT);
}
END_TEST

START_TEST(any_altered_byte_of_an_avro_verdict_is_refused)
{
    struct lex_span good = signed_verdict(LEX_FORMAT_AVRO);
    for (size_t i = 0; i < good.len; i++) {
        struct lex_span copy = lex_arena_dup(&arena, good);
        ((uint8_t *)(uintptr_t)copy.data)[i] ^= 1;
        ck_assert_msg(check_value(copy) != LEX_OK, "byte %zu", i);
    }
}
END_TEST

START_TEST(entry_that_is_no_decision_or_contradicts_itself_is_refused)
{
    entry.event_type = LEX_EVENT_TYPE_REJECTION;
    refused_because("no decision");
    entry.event_type = LEX_EVENT_TYPE_DECISION;
    entry.outcome = LEX_OUTCOME_DENIED;
    refused_because("contradicts");
}
END_TEST

START_TEST(request_that_no_verdict_could_name_is_not_sent)
{
    struct lex_question other;
    char name[LEX_NAME_MAX_BYTES + 2];
    memset(name, 'a', sizeof name);
    request.actor = lex_span_of(name, LEX_NAME_MAX_BYTES);
    ck_assert_int_eq(lex_question_init(&request, &arena, &other, &err), LEX_OK);
    request.actor.len++;
    ck_assert_int_eq(lex_question_init(&request, &arena, &other, &err), LEX_REJECT);
    request = fixture_request();
    request.request_id = (struct lex_span){NULL, 0};
    ck_assert_int_eq(lex_question_init(&request, &arena, &other, &err), LEX_REJECT);
    request = fixture_request();
    request.arguments = LEX_SPAN("[1]");
    ck_assert_int_eq(lex_question_init(&request, &arena, &other, &err), LEX_REJECT);
}
END_TEST

LEX_CHECK_MAIN_WITH("answer", setup, teardown, verdict_for_this_request_is_proven_in_both_formats,
                    answer_to_another_request_is_refused,
                    answer_to_the_same_words_with_other_arguments_is_refused,
                    answer_to_another_record_is_refused,
                    offset_that_the_broker_did_not_say_is_not_compared,
                    verdict_is_valid_to_its_last_microsecond, key_that_is_not_pinned_proves_nothing,
                    log_outside_the_pinned_prefix_proves_nothing,
                    any_altered_byte_of_an_avro_verdict_is_refused,
                    entry_that_is_no_decision_or_contradicts_itself_is_refused,
                    request_that_no_verdict_could_name_is_not_sent)
