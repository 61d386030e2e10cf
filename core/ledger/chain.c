#include "core/ledger/chain.h"

#include <stdio.h>

#include "core/codec/codec.h"

/* ---- origins ---- */

/* Kafka's own rule for topic names: letters, digits, dot, underscore, hyphen. */
static bool topic_is_legal(struct lex_span topic)
{
    if (topic.len == 0 || topic.len > LEX_TOPIC_MAX_BYTES)
        return false;
    for (size_t i = 0; i < topic.len; i++) {
        uint8_t c = topic.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '.' || c == '_' || c == '-'))
            return false;
    }
    return true;
}

LEX_STATUS lex_origin_format(struct lex_span prefix, struct lex_span topic, int32_t partition,
                             char out[LEX_ORIGIN_MAX_BYTES], struct lex_error *err)
{
    LEX_TRY(lex_origin_prefix_check(prefix, err));
    if (!topic_is_legal(topic))
        return lex_fail(
            err, LEX_REJECT,
            "ledger topic: expected 1 to %d letters, digits, dots, underscores or hyphens",
            LEX_TOPIC_MAX_BYTES);
    if (partition < 0)
        return lex_fail(err, LEX_REJECT, "partition %d: expected 0 or more", partition);
    int len = snprintf(out, LEX_ORIGIN_MAX_BYTES, "%.*s/%.*s/%d", LEX_SPAN_FMT(prefix),
                       LEX_SPAN_FMT(topic), partition);
    LEX_ASSERT(len > 0 && len < LEX_ORIGIN_MAX_BYTES);
    return LEX_OK;
}

/* Decimal without leading zeros, up to INT32_MAX. */
static bool partition_of(struct lex_span digits, int32_t *ret)
{
    int64_t value = 0;
    if (digits.len == 0 || digits.len > 10 || (digits.len > 1 && digits.data[0] == '0'))
        return false;
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9')
            return false;
        value = value * 10 + (digits.data[i] - '0');
    }
    if (value > INT32_MAX)
        return false;
    *ret = (int32_t)value;
    return true;
}

LEX_STATUS lex_origin_parse(struct lex_span origin, struct lex_span prefix,
                            struct lex_span *ret_topic, int32_t *ret_partition,
                            struct lex_error *err)
{
    int32_t partition = 0;
    if (origin.len <= prefix.len + 1 || origin.data[prefix.len] != '/' ||
        !lex_span_eq(lex_span_of(origin.data, prefix.len), prefix))
        return lex_fail(
            err, LEX_REJECT, "the log %.*s is not under the prefix %.*s",
            (int)(origin.len > LEX_ORIGIN_MAX_BYTES ? LEX_ORIGIN_MAX_BYTES : origin.len),
            (const char *)origin.data, LEX_SPAN_FMT(prefix));
    struct lex_span rest = lex_span_of(origin.data + prefix.len + 1, origin.len - prefix.len - 1);
    const uint8_t *slash = memchr(rest.data, '/', rest.len);
    struct lex_span topic = lex_span_of(rest.data, slash == NULL ? 0 : (size_t)(slash - rest.data));
    if (slash == NULL || !topic_is_legal(topic) ||
        !partition_of(lex_span_of(slash + 1, rest.len - topic.len - 1), &partition))
        return lex_fail(err, LEX_REJECT, "the log's name does not go on with <topic>/<partition>");
    *ret_topic = topic;
    *ret_partition = partition;
    return LEX_OK;
}

/* ---- the chain ---- */

uint16_t lex_origin_tag(struct lex_span origin)
{
    struct lex_hash hash;
    lex_sha256(&origin, 1, &hash);
    return (uint16_t)(hash.bytes[0] << 8 | hash.bytes[1]);
}

struct lex_chain lex_chain_genesis(struct lex_span origin)
{
    struct lex_chain chain = {.origin = origin, .tag = lex_origin_tag(origin)};
    lex_genesis_hash(origin, &chain.prev);
    return chain;
}

struct lex_chain lex_chain_at(struct lex_span origin, int64_t seq, const struct lex_hash *prev)
{
    LEX_ASSERT(seq >= 0);
    return (struct lex_chain){
        .origin = origin, .tag = lex_origin_tag(origin), .seq = seq, .prev = *prev};
}

LEX_STATUS lex_chain_append(struct lex_chain *chain, struct lex_ledger_entry *entry,
                            struct lex_arena *arena, struct lex_span *ret_value,
                            struct lex_hash *ret_leaf)
{
    struct lex_span value = {NULL, 0};
    /* a copy, since chain->prev moves while the entry may still be read */
    struct lex_span prev = lex_arena_dup(arena, lex_span_of(chain->prev.bytes, LEX_HASH_BYTES));
    if (lex_span_absent(prev))
        return LEX_LIMIT;
    entry->log = chain->origin;
    entry->seq = chain->seq;
    entry->prev = prev;
    LEX_TRY(lex_encode_framed(&lex_type_ledger_entry, entry, arena, LEX_LEDGER_ENTRY_MAX_BYTES,
                              &value));
    lex_leaf_hash(value, ret_leaf);
    *ret_value = value;
    chain->seq++;
    chain->prev = *ret_leaf;
    return LEX_OK;
}

/* ---- decision ids ---- */

void lex_decision_id(int64_t timestamp_ms, int32_t partition, int64_t offset, uint16_t tag,
                     char out[LEX_DECISION_ID_CHARS + 1])
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"; /* Crockford's */
    const uint64_t mask48 = (UINT64_C(1) << 48) - 1;
    uint64_t high = (timestamp_ms < 0 ? 0 : (uint64_t)timestamp_ms & mask48) << 16 |
                    ((uint64_t)partition & 0xffff);
    uint64_t low = ((uint64_t)offset & mask48) << 16 | tag;
    memcpy(out, "dec_", 4);
    for (size_t i = LEX_DECISION_ID_CHARS; i-- > 4;) {
        out[i] = digits[low & 31]; /* five bits at a time, from the right: 26 digits for 128 bits */
        low = low >> 5 | high << 59;
        high >>= 5;
    }
    out[LEX_DECISION_ID_CHARS] = '\0';
}
