#include "core/ledger/head.h"

#include <stdio.h>

#include "core/base/text.h"

static const char version_word[] = "lexhead/1";

/* ---- policy names ---- */

static bool is_printable(struct lex_span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] < ' ' || text.data[i] > '~')
            return false;
    return true;
}

static void hex_of(const uint8_t *bytes, size_t count, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < count; i++) {
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    *out = '\0';
}

static void set_name(char out[LEX_HEAD_NAME_MAX_BYTES + 1], struct lex_span name)
{
    if (name.len <= LEX_HEAD_NAME_MAX_BYTES && is_printable(name)) {
        if (name.len > 0)
            memcpy(out, name.data, name.len);
        out[name.len] = '\0';
        return;
    }
    struct lex_hash hash;
    lex_sha256(&name, 1, &hash);
    hex_of(hash.bytes, sizeof hash.bytes, out);
}

void lex_head_set_policy(struct lex_head *head, struct lex_span id, struct lex_span version,
                         const uint8_t hash[LEX_HASH_BYTES])
{
    head->has_policy = true;
    set_name(head->policy_id, id);
    set_name(head->policy_version, version);
    memcpy(head->policy_hash.bytes, hash, LEX_HASH_BYTES);
}

bool lex_head_has_policy(const struct lex_head *head, struct lex_span id, struct lex_span version,
                         const uint8_t hash[LEX_HASH_BYTES])
{
    struct lex_head other = *head;
    lex_head_set_policy(&other, id, version, hash);
    return lex_head_eq(head, &other);
}

bool lex_head_eq(const struct lex_head *a, const struct lex_head *b)
{
    if (a->seq != b->seq || !lex_hash_eq(&a->prev, &b->prev) ||
        a->last_source_offset != b->last_source_offset || a->has_policy != b->has_policy)
        return false;
    return !a->has_policy || (strcmp(a->policy_id, b->policy_id) == 0 &&
                              strcmp(a->policy_version, b->policy_version) == 0 &&
                              lex_hash_eq(&a->policy_hash, &b->policy_hash));
}

/* ---- write ---- */

size_t lex_head_write(const struct lex_head *head, char out[LEX_HEAD_TEXT_MAX_BYTES])
{
    char prev[2 * LEX_HASH_BYTES + 1], policy[2 * LEX_HASH_BYTES + 1];
    LEX_ASSERT(head->seq >= 0 && head->last_source_offset >= -1);
    hex_of(head->prev.bytes, LEX_HASH_BYTES, prev);
    int len = snprintf(out, LEX_HEAD_TEXT_MAX_BYTES, "%s %lld %s %lld -", version_word,
                       (long long)head->seq, prev, (long long)head->last_source_offset);
    if (head->has_policy) {
        hex_of(head->policy_hash.bytes, LEX_HASH_BYTES, policy);
        len = snprintf(out, LEX_HEAD_TEXT_MAX_BYTES, "%s %lld %s %lld %s %zu:%s %zu:%s",
                       version_word, (long long)head->seq, prev,
                       (long long)head->last_source_offset, policy, strlen(head->policy_id),
                       head->policy_id, strlen(head->policy_version), head->policy_version);
    }
    LEX_ASSERT(len > 0 && len < LEX_HEAD_TEXT_MAX_BYTES);
    return (size_t)len;
}

/* ---- parse ----
 * The fields are read loosely and the result is written again: only a text that comes out byte for
 * byte is a head. That one comparison stands for every rule about blanks, zeros, signs and case. */

struct cursor {
    struct lex_span left;
};

static bool take_word(struct cursor *cursor, struct lex_span *ret)
{
    struct lex_span left = cursor->left;
    const uint8_t *blank = left.len == 0 ? NULL : memchr(left.data, ' ', left.len);
    size_t len = blank == NULL ? left.len : (size_t)(blank - left.data);
    size_t skip = blank == NULL ? len : len + 1;
    *ret = lex_span_of(left.data, len);
    cursor->left = lex_span_of(left.data + skip, left.len - skip);
    return len > 0;
}

static bool number_of(struct lex_span digits, int64_t *ret)
{
    bool minus = digits.len > 0 && digits.data[0] == '-';
    int64_t value = 0;
    for (size_t i = minus ? 1 : 0; i < digits.len; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9' ||
            __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, digits.data[i] - '0', &value))
            return false;
    }
    *ret = minus ? -value : value;
    return digits.len > (minus ? 1u : 0u);
}

static bool take_number(struct cursor *cursor, int64_t *ret)
{
    struct lex_span word;
    return take_word(cursor, &word) && number_of(word, ret);
}

static bool take_hash(struct cursor *cursor, struct lex_hash *ret)
{
    struct lex_span word;
    return take_word(cursor, &word) && lex_hex_decode(word, ret->bytes, LEX_HASH_BYTES) == LEX_OK;
}

/* `<n>:<n bytes>`, and the blank behind it where there is one. */
static bool take_name(struct cursor *cursor, char out[LEX_HEAD_NAME_MAX_BYTES + 1])
{
    int64_t len = 0;
    struct lex_span left = cursor->left;
    const uint8_t *colon = left.len == 0 ? NULL : memchr(left.data, ':', left.len);
    if (colon == NULL || !number_of(lex_span_of(left.data, (size_t)(colon - left.data)), &len))
        return false;
    size_t room = left.len - (size_t)(colon - left.data) - 1;
    if (len < 0 || len > LEX_HEAD_NAME_MAX_BYTES || (size_t)len > room)
        return false;
    memcpy(out, colon + 1, (size_t)len);
    out[len] = '\0';
    size_t skip = (size_t)len + ((size_t)len < room ? 1 : 0);
    cursor->left = lex_span_of(colon + 1 + skip, room - skip);
    return is_printable(lex_span_of(out, (size_t)len));
}

static enum lex_status parse_policy(struct cursor *cursor, struct lex_head *head,
                                    struct lex_error *err)
{
    if (lex_span_eq(cursor->left, LEX_SPAN("-")))
        return LEX_OK;
    head->has_policy = true;
    if (!take_hash(cursor, &head->policy_hash))
        return lex_fail(err, LEX_REJECT, "head: the policy's hash is not 64 hexadecimal digits");
    if (!take_name(cursor, head->policy_id) || !take_name(cursor, head->policy_version))
        return lex_fail(err, LEX_REJECT, "head: the policy's id or version is not <length>:<text>");
    return LEX_OK;
}

LEX_STATUS lex_head_parse(struct lex_span text, struct lex_head *ret_head, struct lex_error *err)
{
    char again[LEX_HEAD_TEXT_MAX_BYTES];
    struct lex_head head = {.seq = 0};
    struct cursor cursor = {text};
    struct lex_span word = {NULL, 0};
    if (text.len == 0 || text.len >= LEX_HEAD_TEXT_MAX_BYTES || !is_printable(text))
        return lex_fail(err, LEX_REJECT, "head: %zu bytes, expected 1 to %d of printable ASCII",
                        text.len, LEX_HEAD_TEXT_MAX_BYTES - 1);
    if (!take_word(&cursor, &word) || !lex_span_eq(word, lex_span_str(version_word)))
        return lex_fail(
            err, LEX_REJECT,
            "head: it does not begin with %s; another program, or another version, commits "
            "offsets in this group",
            version_word);
    if (!take_number(&cursor, &head.seq) || head.seq < 0)
        return lex_fail(err, LEX_REJECT, "head: the sequence number is none");
    if (!take_hash(&cursor, &head.prev))
        return lex_fail(err, LEX_REJECT, "head: the previous hash is not 64 hexadecimal digits");
    if (!take_number(&cursor, &head.last_source_offset) || head.last_source_offset < -1)
        return lex_fail(err, LEX_REJECT, "head: the last source offset is none");
    LEX_TRY(parse_policy(&cursor, &head, err));
    if (!lex_span_eq(text, lex_span_of(again, lex_head_write(&head, again))))
        return lex_fail(err, LEX_REJECT, "head: not in the one form that this program writes");
    *ret_head = head;
    return LEX_OK;
}
