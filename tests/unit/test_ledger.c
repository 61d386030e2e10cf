/* Ledger: origins, chains, heads and events have one form each, and whatever is done to a chain is
 * found by whoever reads it. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/json.h"
#include "core/base/text.h"
#include "core/codec/codec.h"
#include "core/ledger/chain.h"
#include "core/ledger/events.h"
#include "core/ledger/head.h"
#include "core/ledger/verify.h"
#include "tests/unit/lex_check.h"

#define PREFIX "example.com/test"
#define ORIGIN PREFIX "/lexecon.ledger/3"

enum { ENTRIES = 8 };

struct fixture {
    struct lex_arena arena, scratch;
    struct lex_chain chain;
    struct lex_span values[ENTRIES];
    struct lex_hash leaves[ENTRIES];
};

static struct lex_ledger_entry blank_entry(enum lex_event_type type)
{
    return (struct lex_ledger_entry){.recorded_at = 1767225600000000,
                                     .event_type = type,
                                     .node_id = LEX_SPAN("node-1"),
                                     .source = {.topic = LEX_SPAN("lexecon.requests"),
                                                .partition = 3,
                                                .offset = -1,
                                                .timestamp = -1},
                                     .replayable = true};
}

static void fixture_init(struct fixture *f)
{
    struct lex_error err;
    ck_assert_int_eq(lex_crypto_init(&err), LEX_OK);
    lex_arena_init(&f->arena, 64 << 10, 4 << 20);
    lex_arena_init(&f->scratch, 64 << 10, 4 << 20);
    f->chain = lex_chain_genesis(LEX_SPAN(ORIGIN));
    for (int i = 0; i < ENTRIES; i++) {
        struct lex_ledger_entry entry =
            blank_entry(i == 0 ? LEX_EVENT_TYPE_GENESIS : LEX_EVENT_TYPE_DECISION);
        entry.source.offset = i - 1;
        entry.request_id = lex_arena_printf(&f->arena, "request-%d", i);
        ck_assert_int_eq(
            lex_chain_append(&f->chain, &entry, &f->arena, &f->values[i], &f->leaves[i]), LEX_OK);
    }
}

static void fixture_fini(struct fixture *f)
{
    lex_arena_fini(&f->arena);
    lex_arena_fini(&f->scratch);
}

/* ---- origins ---- */

START_TEST(origins_are_written_and_taken_apart)
{
    char out[LEX_ORIGIN_MAX_BYTES];
    struct lex_error err;
    struct lex_span topic;
    int32_t partition;
    ck_assert_int_eq(lex_origin_format(LEX_SPAN(PREFIX), LEX_SPAN("lexecon.ledger"), 3, out, &err),
                     LEX_OK);
    ck_assert_str_eq(out, ORIGIN);
    ck_assert_int_eq(lex_origin_parse(LEX_SPAN(ORIGIN), LEX_SPAN(PREFIX), &topic, &partition, &err),
                     LEX_OK);
    ck_assert_span_eq(topic, "lexecon.ledger");
    ck_assert_int_eq(partition, 3);
    static const char *const bad[] = {PREFIX,
                                      PREFIX "/",
                                      PREFIX "/t",
                                      PREFIX "/t/",
                                      PREFIX "/t/03",
                                      PREFIX "/t/-1",
                                      PREFIX "/t/3/4",
                                      PREFIX "//3",
                                      PREFIX "/t/2147483648",
                                      PREFIX "x/t/3",
                                      "example.com/other/t/3",
                                      PREFIX "/t t/3",
                                      PREFIX "/t/3 ",
                                      PREFIX "/t+/3"};
    for (size_t i = 0; i < LEX_COUNT_OF(bad); i++)
        ck_assert_msg(lex_origin_parse(lex_span_str(bad[i]), LEX_SPAN(PREFIX), &topic, &partition,
                                       &err) == LEX_REJECT,
                      "%s", bad[i]);
    ck_assert_int_eq(lex_origin_format(LEX_SPAN(PREFIX), LEX_SPAN("a+b"), 0, out, &err),
                     LEX_REJECT);
    ck_assert_int_eq(lex_origin_format(LEX_SPAN(PREFIX), LEX_SPAN("t"), -1, out, &err), LEX_REJECT);
    ck_assert_int_eq(lex_origin_format(LEX_SPAN("a b/c"), LEX_SPAN("t"), 0, out, &err), LEX_REJECT);
}
END_TEST

START_TEST(the_longest_prefix_and_topic_fit_an_origin_and_one_byte_more_does_not)
{
    char prefix[LEX_ORIGIN_PREFIX_MAX_BYTES], topic[LEX_TOPIC_MAX_BYTES + 1],
        out[LEX_ORIGIN_MAX_BYTES];
    memset(prefix, 'p', sizeof prefix);
    memset(topic, 't', sizeof topic);
    prefix[3] = '/';
    ck_assert_int_eq(lex_origin_format(lex_span_of(prefix, sizeof prefix),
                                       lex_span_of(topic, sizeof topic - 1), INT32_MAX, out, NULL),
                     LEX_OK);
    ck_assert_int_eq(lex_origin_format(lex_span_of(prefix, sizeof prefix),
                                       lex_span_of(topic, sizeof topic), 0, out, NULL),
                     LEX_REJECT);
}
END_TEST

START_TEST(decision_ids_are_ulids_of_their_place_and_repeat_exactly)
{
    char id[LEX_DECISION_ID_CHARS + 1];
    lex_decision_id(0, 0, 0, 0, id);
    ck_assert_str_eq(id, "dec_00000000000000000000000000");
    lex_decision_id((INT64_C(1) << 48) - 1, 0xffff, (INT64_C(1) << 48) - 1, 0xffff, id);
    ck_assert_str_eq(id, "dec_7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
    /* the ULID specification's example of a time: 1469918176385 is 01ARYZ6S41 */
    lex_decision_id(1469918176385, 3, 41, 0x1234, id);
    ck_assert_mem_eq(id, "dec_01ARYZ6S41", 14);
    ck_assert_uint_eq(strlen(id), LEX_DECISION_ID_CHARS);
    lex_decision_id(-1, 0, 1, 0, id);
    ck_assert_str_eq(id, "dec_00000000000000000000002000");
}
END_TEST

/* ---- the chain ---- */

START_TEST(a_chain_counts_links_and_hashes_what_it_encoded)
{
    struct fixture f;
    struct lex_hash leaf, genesis;
    struct lex_ledger_entry entry;
    struct lex_error err;
    fixture_init(&f);
    lex_genesis_hash(LEX_SPAN(ORIGIN), &genesis);
    ck_assert_int_eq(f.chain.seq, ENTRIES);
    for (int i = 0; i < ENTRIES; i++) {
        ck_assert_msg(lex_ledger_decode(f.values[i], &f.scratch, &entry, &err) == LEX_OK, "%s",
                      err.text);
        ck_assert_int_eq(entry.seq, i);
        ck_assert_span_eq(entry.log, ORIGIN);
        ck_assert_mem_eq(entry.prev.data, i == 0 ? genesis.bytes : f.leaves[i - 1].bytes, 32);
        lex_leaf_hash(f.values[i], &leaf);
        ck_assert_mem_eq(leaf.bytes, f.leaves[i].bytes, 32);
    }
    ck_assert(lex_hash_eq(&f.chain.prev, &f.leaves[ENTRIES - 1]));
    struct lex_chain again = lex_chain_at(LEX_SPAN(ORIGIN), f.chain.seq, &f.chain.prev);
    ck_assert_int_eq(again.tag, f.chain.tag);
    ck_assert_int_eq(again.tag, lex_origin_tag(LEX_SPAN(ORIGIN)));
    fixture_fini(&f);
}
END_TEST

static enum lex_status append_detail(struct lex_chain *chain, struct lex_arena *arena, size_t bytes)
{
    static char text[LEX_LEDGER_ENTRY_MAX_BYTES + 1];
    struct lex_span value;
    struct lex_hash leaf;
    struct lex_ledger_entry entry = blank_entry(LEX_EVENT_TYPE_RECOVERY);
    memset(text, 'x', sizeof text);
    entry.detail = lex_span_of(text, bytes);
    return lex_chain_append(chain, &entry, arena, &value, &leaf);
}

START_TEST(an_entry_one_byte_over_the_ceiling_leaves_the_chain_where_it_was)
{
    struct fixture f;
    fixture_init(&f);
    struct lex_chain before = f.chain;
    ck_assert_int_eq(append_detail(&f.chain, &f.arena, LEX_LEDGER_ENTRY_MAX_BYTES), LEX_LIMIT);
    ck_assert_mem_eq(&f.chain.prev, &before.prev, 32);
    ck_assert_int_eq(f.chain.seq, before.seq);
    /* the largest that fits, and one more */
    size_t low = 0, high = LEX_LEDGER_ENTRY_MAX_BYTES;
    while (low + 1 < high) {
        size_t middle = (low + high) / 2;
        struct lex_chain trial = before;
        struct lex_arena_mark mark = lex_arena_mark(&f.scratch);
        *(append_detail(&trial, &f.scratch, middle) == LEX_OK ? &low : &high) = middle;
        lex_arena_rollback(&f.scratch, mark);
    }
    struct lex_ledger_entry entry = blank_entry(LEX_EVENT_TYPE_RECOVERY);
    char *text = lex_arena_calloc(&f.scratch, 1, low);
    memset(text, 'x', low);
    struct lex_span value;
    struct lex_hash leaf;
    entry.detail = lex_span_of(text, low);
    ck_assert_int_eq(lex_chain_append(&f.chain, &entry, &f.arena, &value, &leaf), LEX_OK);
    ck_assert_uint_eq(value.len, LEX_LEDGER_ENTRY_MAX_BYTES);
    fixture_fini(&f);
}
END_TEST

START_TEST(a_full_arena_leaves_the_chain_where_it_was)
{
    struct fixture f;
    fixture_init(&f);
    struct lex_arena tiny;
    struct lex_chain before = f.chain;
    lex_arena_init(&tiny, 16, 64);
    ck_assert_int_eq(append_detail(&f.chain, &tiny, 10), LEX_LIMIT);
    ck_assert_int_eq(f.chain.seq, before.seq);
    lex_arena_fini(&tiny);
    fixture_fini(&f);
}
END_TEST

/* ---- heads ---- */

static struct lex_head some_head(void)
{
    struct lex_head head = {.seq = 42, .last_source_offset = 40};
    uint8_t hash[32] = {0xab, 0xcd};
    head.prev.bytes[0] = 0x01;
    lex_head_set_policy(&head, LEX_SPAN("payments: eu"), LEX_SPAN("1.2.0"), hash);
    return head;
}

START_TEST(a_head_reads_back_as_it_was_written)
{
    char text[LEX_HEAD_TEXT_MAX_BYTES];
    struct lex_head head = some_head(), back;
    struct lex_error err;
    size_t len = lex_head_write(&head, text);
    ck_assert_str_eq(text, "lexhead/1 42 "
                           "0100000000000000000000000000000000000000000000000000000000000000 40 "
                           "abcd000000000000000000000000000000000000000000000000000000000000 "
                           "12:payments: eu 5:1.2.0");
    ck_assert_msg(lex_head_parse(lex_span_of(text, len), &back, &err) == LEX_OK, "%s", err.text);
    ck_assert(lex_head_eq(&head, &back));
    struct lex_head first = {.seq = 0, .last_source_offset = -1};
    len = lex_head_write(&first, text);
    ck_assert_int_eq(lex_head_parse(lex_span_of(text, len), &back, &err), LEX_OK);
    ck_assert(lex_head_eq(&first, &back));
    ck_assert(!back.has_policy);
    uint8_t hash[32] = {0};
    lex_head_set_policy(&first, LEX_SPAN(""), (struct lex_span){NULL, 0}, hash);
    len = lex_head_write(&first, text);
    ck_assert_int_eq(lex_head_parse(lex_span_of(text, len), &back, &err), LEX_OK);
    ck_assert(lex_head_eq(&first, &back));
}
END_TEST

START_TEST(the_largest_head_stays_under_its_ceiling)
{
    char text[LEX_HEAD_TEXT_MAX_BYTES], name[LEX_HEAD_NAME_MAX_BYTES + 1];
    uint8_t hash[32];
    struct lex_head head = {.seq = INT64_MAX, .last_source_offset = INT64_MAX}, back;
    memset(name, '~', sizeof name);
    memset(hash, 0xff, sizeof hash);
    lex_head_set_policy(&head, lex_span_of(name, 128), lex_span_of(name, 128), hash);
    ck_assert_uint_eq(strlen(head.policy_id), 128);
    size_t len = lex_head_write(&head, text);
    ck_assert_uint_lt(len, LEX_HEAD_TEXT_MAX_BYTES);
    ck_assert_int_eq(lex_head_parse(lex_span_of(text, len), &back, NULL), LEX_OK);
    ck_assert(lex_head_eq(&head, &back));
    /* one byte more, or one that is not printable, stands as its hash */
    lex_head_set_policy(&head, lex_span_of(name, 129), LEX_SPAN("v\n1"), hash);
    ck_assert_uint_eq(strlen(head.policy_id), 64);
    ck_assert_uint_eq(strlen(head.policy_version), 64);
    ck_assert(lex_head_has_policy(&head, lex_span_of(name, 129), LEX_SPAN("v\n1"), hash));
    ck_assert(!lex_head_has_policy(&head, lex_span_of(name, 128), LEX_SPAN("v\n1"), hash));
    hash[31] ^= 1;
    ck_assert(!lex_head_has_policy(&head, lex_span_of(name, 129), LEX_SPAN("v\n1"), hash));
    struct lex_head none = {.seq = 0};
    ck_assert(!lex_head_has_policy(&none, LEX_SPAN(""), LEX_SPAN(""), none.policy_hash.bytes));
}
END_TEST

START_TEST(a_head_that_is_not_byte_for_byte_ours_is_refused)
{
    char text[LEX_HEAD_TEXT_MAX_BYTES + 64];
    struct lex_head head = some_head(), back = {.seq = 7};
    struct lex_error err;
    size_t len = lex_head_write(&head, text);
    for (size_t cut = 0; cut < len; cut++)
        ck_assert_msg(lex_head_parse(lex_span_of(text, cut), &back, &err) == LEX_REJECT,
                      "cut at %zu", cut);
    for (size_t at = 0; at < len; at++) { /* one blank slipped in anywhere */
        char with[sizeof text];
        memcpy(with, text, at);
        with[at] = ' ';
        memcpy(with + at + 1, text + at, len - at);
        ck_assert_msg(lex_head_parse(lex_span_of(with, len + 1), &back, &err) == LEX_REJECT,
                      "blank at %zu", at);
    }
#define Z32 "00000000000000000000000000000000"
    static const char *const bad[] = {"lexhead/2 0 " Z32 Z32 " -1 -",
                                      "lexhead/1 -1 " Z32 Z32 " -1 -",
                                      "lexhead/1 00 " Z32 Z32 " -1 -",
                                      "lexhead/1 +1 " Z32 Z32 " -1 -",
                                      "lexhead/1 0 " Z32 " -1 -",
                                      "lexhead/1 0 " Z32 Z32 " -2 -",
                                      "lexhead/1 0 " Z32 Z32 " -0 -",
                                      "lexhead/1 0 " Z32 Z32 " -1 - ",
                                      "lexhead/1 0 " Z32 Z32 " -1",
                                      "lexhead/1 9223372036854775808 " Z32 Z32 " -1 -",
                                      "lexhead/1 0 A0000000000000000000000000000000" Z32 " -1 -",
                                      "lexhead/1 0 " Z32 Z32 " -1 " Z32 Z32 " 1:a 1:bc",
                                      "lexhead/1 0 " Z32 Z32 " -1 " Z32 Z32 " 129:a 1:b",
                                      "lexhead/1 0 " Z32 Z32 " -1 " Z32 Z32 " 1:a",
                                      "lexhead/1 0 " Z32 Z32 " -1 -\n",
                                      "{\"seq\":0}",
                                      ""};
    for (size_t i = 0; i < LEX_COUNT_OF(bad); i++)
        ck_assert_msg(lex_head_parse(lex_span_str(bad[i]), &back, &err) == LEX_REJECT, "%s",
                      bad[i]);
    ck_assert_int_eq(back.seq, 7);
    ck_assert_int_eq(lex_head_parse(LEX_SPAN("lexhead/1 0 " Z32 Z32 " -1 -"), &back, &err), LEX_OK);
    memset(text, ' ', LEX_HEAD_TEXT_MAX_BYTES);
    ck_assert_int_eq(lex_head_parse(lex_span_of(text, LEX_HEAD_TEXT_MAX_BYTES), &back, &err),
                     LEX_REJECT);
}
END_TEST

/* ---- verification ---- */

static enum lex_status verify_all(struct fixture *f, struct lex_chain_verifier *verifier,
                                  const struct lex_span *values, size_t count,
                                  struct lex_chain_break *ret_break)
{
    struct lex_chain_step step;
    struct lex_error err;
    enum lex_status status = LEX_OK;
    for (size_t i = 0; i < count && status == LEX_OK; i++)
        status = lex_chain_verify(verifier, values[i], &f->scratch, &step, ret_break, &err);
    return status;
}

START_TEST(an_untouched_chain_verifies_from_genesis_and_from_anywhere)
{
    struct fixture f;
    struct lex_chain_verifier verifier;
    struct lex_chain_break broken;
    fixture_init(&f);
    lex_chain_verifier_init(&verifier, LEX_SPAN(ORIGIN));
    ck_assert_int_eq(verify_all(&f, &verifier, f.values, ENTRIES, &broken), LEX_OK);
    ck_assert_int_eq(verifier.entries, ENTRIES);
    ck_assert_int_eq(verifier.first_seq, 0);
    ck_assert(lex_hash_eq(&verifier.prev, &f.chain.prev));
    lex_chain_verifier_open(&verifier, LEX_SPAN(ORIGIN));
    ck_assert_int_eq(verify_all(&f, &verifier, f.values + 3, ENTRIES - 3, &broken), LEX_OK);
    ck_assert_int_eq(verifier.first_seq, 3);
    lex_chain_verifier_at(&verifier, LEX_SPAN(ORIGIN), 5, &f.leaves[4]);
    ck_assert_int_eq(verify_all(&f, &verifier, f.values + 5, ENTRIES - 5, &broken), LEX_OK);
    lex_chain_verifier_at(&verifier, LEX_SPAN(ORIGIN), 5, &f.leaves[3]);
    ck_assert_int_eq(verify_all(&f, &verifier, f.values + 5, ENTRIES - 5, &broken), LEX_REJECT);
    ck_assert_int_eq(broken.kind, LEX_BREAK_PREV);
    fixture_fini(&f);
}
END_TEST

static void expect_break(struct fixture *f, const struct lex_span *values, size_t count,
                         enum lex_break_kind kind, int64_t expected_seq, int64_t got_seq)
{
    struct lex_chain_verifier verifier;
    struct lex_chain_break broken = {.kind = LEX_BREAK_KINDS};
    lex_chain_verifier_init(&verifier, LEX_SPAN(ORIGIN));
    ck_assert_int_eq(verify_all(f, &verifier, values, count, &broken), LEX_REJECT);
    ck_assert_str_eq(lex_break_name(broken.kind), lex_break_name(kind));
    ck_assert_int_eq(broken.expected_seq, expected_seq);
    ck_assert_int_eq(broken.got_seq, got_seq);
    ck_assert_int_eq(verifier.seq, expected_seq);
    ck_assert(verifier.broken);
}

START_TEST(a_removed_repeated_or_moved_entry_is_a_break)
{
    struct fixture f;
    struct lex_span v[ENTRIES + 1];
    fixture_init(&f);
    memcpy(v, f.values, sizeof f.values);
    memmove(&v[3], &v[4], 4 * sizeof v[0]); /* 3 is gone */
    expect_break(&f, v, ENTRIES - 1, LEX_BREAK_SEQ, 3, 4);
    expect_break(&f, f.values + 1, ENTRIES - 1, LEX_BREAK_SEQ, 0, 1); /* genesis is gone */
    memcpy(v, f.values, sizeof f.values);
    v[3] = f.values[2];
    expect_break(&f, v, ENTRIES, LEX_BREAK_SEQ, 3, 2);
    v[3] = f.values[4];
    v[4] = f.values[3];
    expect_break(&f, v, ENTRIES, LEX_BREAK_SEQ, 3, 4);
    fixture_fini(&f);
}
END_TEST

START_TEST(an_inserted_entry_of_a_forked_chain_is_a_break)
{
    struct fixture f;
    struct lex_span v[ENTRIES], value;
    struct lex_hash leaf;
    fixture_init(&f);
    /* a forger who knows the chain writes another entry 4 that links well: entry 5 tells */
    struct lex_chain fork = lex_chain_at(LEX_SPAN(ORIGIN), 4, &f.leaves[3]);
    struct lex_ledger_entry entry = blank_entry(LEX_EVENT_TYPE_DECISION);
    entry.allowed = true;
    ck_assert_int_eq(lex_chain_append(&fork, &entry, &f.arena, &value, &leaf), LEX_OK);
    memcpy(v, f.values, sizeof v);
    v[4] = value;
    expect_break(&f, v, ENTRIES, LEX_BREAK_PREV, 5, 5);
    /* and an entry of another log at the right place */
    struct lex_chain other = lex_chain_at(LEX_SPAN(PREFIX "/lexecon.ledger/4"), 4, &f.leaves[3]);
    ck_assert_int_eq(lex_chain_append(&other, &entry, &f.arena, &value, &leaf), LEX_OK);
    v[4] = value;
    expect_break(&f, v, ENTRIES, LEX_BREAK_LOG, 4, 4);
    fixture_fini(&f);
}
END_TEST

START_TEST(any_bit_altered_in_an_entry_breaks_the_chain_there_or_at_the_next_one)
{
    struct fixture f;
    struct lex_span v[ENTRIES];
    fixture_init(&f);
    uint8_t *bytes = malloc(f.values[3].len);
    for (size_t bit = 0; bit < 8 * f.values[3].len; bit++) {
        struct lex_chain_verifier verifier;
        struct lex_chain_break broken;
        memcpy(v, f.values, sizeof v);
        memcpy(bytes, f.values[3].data, f.values[3].len);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        v[3] = lex_span_of(bytes, f.values[3].len);
        lex_arena_reset(&f.scratch);
        lex_chain_verifier_init(&verifier, LEX_SPAN(ORIGIN));
        ck_assert_int_eq(verify_all(&f, &verifier, v, ENTRIES, &broken), LEX_REJECT);
        ck_assert_msg(verifier.seq == 3 || verifier.seq == 4, "bit %zu: %lld", bit,
                      (long long)verifier.seq);
    }
    free(bytes);
    fixture_fini(&f);
}
END_TEST

START_TEST(bytes_that_are_no_entry_of_a_shipped_schema_are_a_break)
{
    struct fixture f;
    struct lex_span v[ENTRIES];
    static uint8_t large[LEX_LEDGER_ENTRY_MAX_BYTES + 1];
    fixture_init(&f);
    memcpy(v, f.values, sizeof v);
    const struct lex_span bad[] = {{(const uint8_t *)"", 0},
                                   LEX_SPAN("{\"seq\":3}"),
                                   {f.values[3].data, f.values[3].len - 1},
                                   {f.values[3].data, LEX_FRAME_BYTES},
                                   {large, sizeof large}};
    for (size_t i = 0; i < LEX_COUNT_OF(bad); i++) {
        v[3] = bad[i];
        expect_break(&f, v, ENTRIES, LEX_BREAK_MALFORMED, 3, -1);
    }
    fixture_fini(&f);
}
END_TEST

/* ---- events ---- */

static struct lex_recovery jump(int64_t ledger_seq, int64_t head_seq)
{
    return (struct lex_recovery){
        .kind = LEX_RECOVERY_CHOSE_HEAD,
        .head = {.present = true, .seq = head_seq, .last_source_offset = head_seq},
        .ledger = {.present = true, .seq = ledger_seq, .last_source_offset = ledger_seq}};
}

static struct lex_span recovery_entry(struct fixture *f, const struct lex_recovery *recovery,
                                      enum lex_event_type type, int64_t seq)
{
    struct lex_span detail, value;
    struct lex_error err;
    struct lex_hash leaf, prev = {{7}};
    ck_assert_msg(lex_event_recovery(recovery, &f->arena, &detail, &err) == LEX_OK, "%s", err.text);
    struct lex_chain chain = lex_chain_at(LEX_SPAN(ORIGIN), seq, &prev);
    struct lex_ledger_entry entry = blank_entry(type);
    entry.detail = detail;
    ck_assert_int_eq(lex_chain_append(&chain, &entry, &f->arena, &value, &leaf), LEX_OK);
    return value;
}

START_TEST(a_recovery_entry_declares_exactly_its_own_gap_and_no_other)
{
    struct fixture f;
    struct lex_chain_verifier verifier;
    struct lex_chain_step step;
    struct lex_chain_break broken;
    struct lex_error err;
    fixture_init(&f);
    struct lex_recovery chosen = jump(ENTRIES, 12), other = jump(ENTRIES, 13);
    lex_chain_verifier_init(&verifier, LEX_SPAN(ORIGIN));
    ck_assert_int_eq(verify_all(&f, &verifier, f.values, ENTRIES, &broken), LEX_OK);
    struct lex_chain_verifier before = verifier;
    struct lex_span good = recovery_entry(&f, &chosen, LEX_EVENT_TYPE_RECOVERY, 12);
    ck_assert_int_eq(lex_chain_verify(&verifier, good, &f.scratch, &step, &broken, &err), LEX_OK);
    ck_assert(step.gap);
    ck_assert_int_eq(step.gap_from, ENTRIES);
    ck_assert_int_eq(step.gap_to, 11);
    ck_assert_int_eq(verifier.seq, 13);
    const struct lex_span bad[] = {
        recovery_entry(&f, &other, LEX_EVENT_TYPE_RECOVERY, 12),  /* names another range */
        recovery_entry(&f, &chosen, LEX_EVENT_TYPE_DECISION, 12), /* is no recovery */
        recovery_entry(&f, &chosen, LEX_EVENT_TYPE_RECOVERY, 13)};
    for (size_t i = 0; i < LEX_COUNT_OF(bad); i++) {
        verifier = before;
        ck_assert_int_eq(lex_chain_verify(&verifier, bad[i], &f.scratch, &step, &broken, &err),
                         LEX_REJECT);
        ck_assert_int_eq(broken.kind, LEX_BREAK_SEQ);
    }
    fixture_fini(&f);
}
END_TEST

START_TEST(a_choice_that_would_use_numbers_twice_is_refused)
{
    struct fixture f;
    struct lex_span detail;
    struct lex_error err;
    fixture_init(&f);
    struct lex_recovery back = jump(12, 8), level = jump(8, 8),
                        none = {.kind = LEX_RECOVERY_CHOSE_LEDGER};
    ck_assert_int_eq(lex_event_recovery(&back, &f.arena, &detail, &err), LEX_REJECT);
    ck_assert_int_eq(lex_event_recovery(&none, &f.arena, &detail, &err), LEX_REJECT);
    ck_assert_int_eq(lex_event_recovery(&level, &f.arena, &detail, &err), LEX_OK);
    int64_t from, to;
    ck_assert(!lex_event_declares_gap(detail, &f.scratch, &from, &to));
    ck_assert(!lex_event_declares_gap((struct lex_span){NULL, 0}, &f.scratch, &from, &to));
    ck_assert(!lex_event_declares_gap(LEX_SPAN("{\"ledger_gap\":{\"from\":3,\"to\":2}}"),
                                      &f.scratch, &from, &to));
    fixture_fini(&f);
}
END_TEST

static const struct lex_json *json_of(struct fixture *f, struct lex_span detail)
{
    const struct lex_json *root;
    struct lex_error err;
    ck_assert_msg(lex_json_parse(&f->scratch, detail, &root, &err) == LEX_OK, "%s", err.text);
    return root;
}

START_TEST(details_are_json_and_keep_hostile_text_inside_it)
{
    struct fixture f;
    struct lex_span detail;
    struct lex_keyring *keyring;
    struct lex_error err;
    fixture_init(&f);
    const uint8_t seed[32] = {5};
    ck_assert_int_eq(lex_keyring_from_seed(seed, PREFIX, &keyring, &err), LEX_OK);
    ck_assert_int_eq(lex_event_genesis(keyring, &f.arena, &detail), LEX_OK);
    ck_assert_int_eq(lex_json_get(json_of(&f, detail), "keys")->count, LEX_KEY_ROLES);
    lex_keyring_free(keyring);
    ck_assert_int_eq(lex_event_rejection(LEX_SPAN("MALFORMED_JSON"), LEX_SPAN("bad\"\n\xff\"}"),
                                         LEX_SPAN("abc"), &f.arena, &detail),
                     LEX_OK);
    const struct lex_json *root = json_of(&f, detail);
    ck_assert_span_eq(lex_json_get(root, "reason")->text, "MALFORMED_JSON");
    ck_assert_span_eq(lex_json_get(root, "sha256")->text,
                      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    ck_assert_span_eq(lex_json_get(root, "bytes")->text, "3");
    ck_assert_int_eq(lex_event_policy(LEX_SPAN("{\"mode\": \"strict\"}"), LEX_POLICY_REGRESSED,
                                      &f.arena, &detail),
                     LEX_OK);
    root = json_of(&f, detail);
    ck_assert_span_eq(lex_json_get(root, "document")->text, "{\"mode\": \"strict\"}");
    ck_assert(lex_json_get(root, "regressed")->boolean);
    fixture_fini(&f);
}
END_TEST

static struct lex_policy_detail read_policy(struct fixture *f, struct lex_span detail)
{
    struct lex_policy_detail found;
    ck_assert_int_eq(lex_event_policy_read(detail, &f->arena, &found), LEX_OK);
    return found;
}

START_TEST(a_policy_detail_is_read_back_as_it_was_written)
{
    struct fixture f;
    struct lex_span detail, document = LEX_SPAN("{\"a\":\"\\u00e9 \x7f \xe2\x80\xa8\"}\n");
    fixture_init(&f);
    for (unsigned change = LEX_POLICY_FORWARD; change <= LEX_POLICY_ROLLBACK; change++) {
        ck_assert_int_eq(lex_event_policy(document, change, &f.arena, &detail), LEX_OK);
        struct lex_policy_detail found = read_policy(&f, detail);
        ck_assert(lex_span_eq(found.document, document));
        ck_assert_int_eq(found.bytes, (int64_t)document.len);
        ck_assert_int_eq(found.change, change);
        const struct lex_json *root = json_of(&f, detail);
        ck_assert_int_eq(lex_json_get(root, "regressed") != NULL, change == LEX_POLICY_REGRESSED);
        ck_assert_int_eq(lex_json_get(root, "rollback") != NULL, change == LEX_POLICY_ROLLBACK);
    }
    fixture_fini(&f);
}
END_TEST

START_TEST(a_policy_detail_that_contradicts_itself_is_refused)
{
    static const char *const details[] = {
        "",
        "{}",
        "[]",
        "{\"bytes\":1,\"sha256\":\"00\",\"document\":null}",
        "{\"bytes\":\"1\",\"sha256\":"
        "\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015"
        "ad\",\"document\":\"abc\"}",
        "{\"bytes\":3,\"sha256\":"
        "\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\","
        "\"document\":\"abd\"}",
        "{\"bytes\":4,\"sha256\":"
        "\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\","
        "\"document\":\"abc\"}"};
    struct fixture f;
    struct lex_policy_detail found;
    fixture_init(&f);
    for (size_t i = 0; i < LEX_COUNT_OF(details); i++)
        ck_assert_int_eq(lex_event_policy_read(lex_span_str(details[i]), &f.arena, &found),
                         LEX_REJECT);
    ck_assert_int_eq(lex_event_policy_read((struct lex_span){NULL, 0}, &f.arena, &found),
                     LEX_REJECT);
    fixture_fini(&f);
}
END_TEST

START_TEST(a_policy_too_large_for_an_entry_is_named_by_size_and_hash)
{
    struct fixture f;
    struct lex_span detail;
    fixture_init(&f);
    char *text = malloc(LEX_POLICY_EMBED_MAX_BYTES + 1);
    memset(text, 'x', LEX_POLICY_EMBED_MAX_BYTES + 1);
    ck_assert_int_eq(lex_event_policy(lex_span_of(text, LEX_POLICY_EMBED_MAX_BYTES),
                                      LEX_POLICY_FORWARD, &f.arena, &detail),
                     LEX_OK);
    ck_assert_uint_eq(lex_json_get(json_of(&f, detail), "document")->text.len,
                      LEX_POLICY_EMBED_MAX_BYTES);
    ck_assert_int_eq(lex_event_policy(lex_span_of(text, LEX_POLICY_EMBED_MAX_BYTES + 1),
                                      LEX_POLICY_FORWARD, &f.arena, &detail),
                     LEX_OK);
    ck_assert(lex_json_is(lex_json_get(json_of(&f, detail), "document"), LEX_JSON_NULL));
    ck_assert(lex_span_absent(read_policy(&f, detail).document));
    ck_assert(lex_event_policy_embeds(lex_span_of(text, LEX_POLICY_EMBED_MAX_BYTES)));
    ck_assert(!lex_event_policy_embeds(lex_span_of(text, LEX_POLICY_EMBED_MAX_BYTES + 1)));
    memset(text, '"', LEX_POLICY_EMBED_MAX_BYTES); /* twice as large once it is escaped */
    ck_assert_int_eq(lex_event_policy(lex_span_of(text, LEX_POLICY_EMBED_MAX_BYTES),
                                      LEX_POLICY_FORWARD, &f.arena, &detail),
                     LEX_OK);
    ck_assert(lex_json_is(lex_json_get(json_of(&f, detail), "document"), LEX_JSON_NULL));
    ck_assert(!lex_event_policy_embeds(lex_span_of(text, LEX_POLICY_EMBED_MAX_BYTES)));
    ck_assert_int_eq(append_detail(&f.chain, &f.arena, LEX_EVENT_DETAIL_MAX_BYTES), LEX_OK);
    free(text);
    fixture_fini(&f);
}
END_TEST

/* ---- exported files ---- */

static void write_file(const char *path, const void *bytes, size_t count)
{
    FILE *file = fopen(path, "w");
    ck_assert_uint_eq(fwrite(bytes, 1, count, file), count);
    fclose(file);
}

START_TEST(an_exported_file_gives_back_every_record)
{
    struct fixture f;
    char path[] = "/tmp/lex_export_XXXXXX";
    struct lex_export_reader reader;
    struct lex_error err;
    struct lex_span value;
    fixture_init(&f);
    FILE *file = fdopen(mkstemp(path), "w");
    for (int i = 0; i < ENTRIES; i++)
        ck_assert_int_eq(lex_export_write(file, f.values[i], &err), LEX_OK);
    static uint8_t large[LEX_LEDGER_ENTRY_MAX_BYTES + 1];
    ck_assert_int_eq(lex_export_write(file, lex_span_of(large, sizeof large), &err), LEX_REJECT);
    ck_assert_int_eq(lex_export_write(file, LEX_SPAN(""), &err), LEX_REJECT);
    fclose(file);
    ck_assert_int_eq(lex_export_open(path, &reader, &err), LEX_OK);
    for (int i = 0; i < ENTRIES; i++) {
        ck_assert_msg(lex_export_next(&reader, &value, &err) == LEX_OK, "%s", err.text);
        ck_assert(lex_span_eq(value, f.values[i]));
    }
    ck_assert_int_eq(lex_export_next(&reader, &value, &err), LEX_OK);
    ck_assert(lex_span_absent(value));
    lex_export_close(&reader);
    unlink(path);
    ck_assert_int_eq(lex_export_open(path, &reader, &err), LEX_REJECT);
    fixture_fini(&f);
}
END_TEST

START_TEST(an_exported_file_that_is_cut_off_or_claims_too_much_is_refused)
{
    static const struct {
        const char *bytes;
        size_t count;
        const char *says;
    } bad[] = {{"\0\0", 2, "inside a length"},
               {"\0\0\0\x05"
                "abc",
                7, "inside a record"},
               {"\0\0\0\0", 4, "0 bytes"},
               {"\0\x01\0\0", 4, "65536 bytes"},
               {"\xff\xff\xff\xff", 4, "4294967295 bytes"}};
    char path[] = "/tmp/lex_export_XXXXXX";
    close(mkstemp(path));
    for (size_t i = 0; i < LEX_COUNT_OF(bad); i++) {
        struct lex_export_reader reader;
        struct lex_error err;
        struct lex_span value;
        write_file(path, bad[i].bytes, bad[i].count);
        ck_assert_int_eq(lex_export_open(path, &reader, &err), LEX_OK);
        ck_assert_int_eq(lex_export_next(&reader, &value, &err), LEX_REJECT);
        ck_assert_msg(strstr(err.text, bad[i].says) != NULL, "case %zu: %s", i, err.text);
        lex_export_close(&reader);
    }
    unlink(path);
}
END_TEST

LEX_CHECK_MAIN("ledger", origins_are_written_and_taken_apart,
               the_longest_prefix_and_topic_fit_an_origin_and_one_byte_more_does_not,
               decision_ids_are_ulids_of_their_place_and_repeat_exactly,
               a_chain_counts_links_and_hashes_what_it_encoded,
               an_entry_one_byte_over_the_ceiling_leaves_the_chain_where_it_was,
               a_full_arena_leaves_the_chain_where_it_was, a_head_reads_back_as_it_was_written,
               the_largest_head_stays_under_its_ceiling,
               a_head_that_is_not_byte_for_byte_ours_is_refused,
               an_untouched_chain_verifies_from_genesis_and_from_anywhere,
               a_removed_repeated_or_moved_entry_is_a_break,
               an_inserted_entry_of_a_forked_chain_is_a_break,
               any_bit_altered_in_an_entry_breaks_the_chain_there_or_at_the_next_one,
               bytes_that_are_no_entry_of_a_shipped_schema_are_a_break,
               a_recovery_entry_declares_exactly_its_own_gap_and_no_other,
               a_choice_that_would_use_numbers_twice_is_refused,
               details_are_json_and_keep_hostile_text_inside_it,
               a_policy_detail_is_read_back_as_it_was_written,
               a_policy_detail_that_contradicts_itself_is_refused,
               a_policy_too_large_for_an_entry_is_named_by_size_and_hash,
               an_exported_file_gives_back_every_record,
               an_exported_file_that_is_cut_off_or_claims_too_much_is_refused)
