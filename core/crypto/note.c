/* Notes: the texts that are signed, and the names of the keys that sign them (C2SP signed-note).
 *
 * A signature is over a text that names its own purpose in the first line, so that a batch's
 * signature can never pass for a checkpoint's, nor one log's for another's. */
#include <stdio.h>

#include "core/base/text.h"
#include "core/crypto/crypto.h"

const char *lex_key_role_name(enum lex_key_role role)
{
    static const char *const names[LEX_KEY_ROLES] = {"verdict", "log", "token", "policy"};
    LEX_ASSERT((unsigned)role < LEX_KEY_ROLES);
    return names[role];
}

void lex_key_id(struct lex_span note_name, const struct lex_public_key *key,
                uint8_t ret_id[LEX_KEY_ID_BYTES])
{
    struct lex_hash hash;
    lex_sha256((const struct lex_span[]){note_name,
                                         LEX_SPAN_INIT("\n\x01"),
                                         {key->bytes, sizeof key->bytes}},
               3, &hash);
    memcpy(ret_id, hash.bytes, LEX_KEY_ID_BYTES);
}

LEX_STATUS lex_origin_prefix_check(struct lex_span prefix, struct lex_error *err)
{
    static const char want[] = "expected <org>/<cluster>, such as example.com/production";
    if (prefix.len == 0 || prefix.len > LEX_ORIGIN_PREFIX_MAX_BYTES)
        return lex_fail(err, LEX_REJECT, "origin prefix: %zu bytes, allowed are 1 to %d; %s",
                        prefix.len, LEX_ORIGIN_PREFIX_MAX_BYTES, want);
    if (memchr(prefix.data, '/', prefix.len) == NULL)
        return lex_fail(err, LEX_REJECT, "origin prefix: no slash in it; %s", want);
    for (size_t i = 0; i < prefix.len; i++) {
        uint8_t c = prefix.data[i];
        if (c <= ' ' || c > '~' || c == '+')
            return lex_fail(err, LEX_REJECT,
                            "origin prefix: byte %zu is 0x%02x; blanks, plus signs, control and "
                            "non-ASCII characters cannot stand in it; %s",
                            i + 1, c, want);
        if (c == '/' && (i == 0 || i + 1 == prefix.len || prefix.data[i + 1] == '/'))
            return lex_fail(err, LEX_REJECT, "origin prefix: an empty segment at byte %zu; %s",
                            i + 1, want);
    }
    return LEX_OK;
}

LEX_STATUS lex_note_batch(struct lex_span origin, int64_t size, const struct lex_hash *root,
                          char out[LEX_NOTE_MAX_BYTES], size_t *ret_len)
{
    if (origin.len > LEX_ORIGIN_MAX_BYTES)
        return LEX_LIMIT;
    LEX_CLEANUP(lex_buf_fini) struct lex_buf base64;
    lex_buf_init(&base64, 64);
    lex_buf_put_base64(&base64, lex_span_of(root->bytes, sizeof root->bytes));
    if (!lex_buf_ok(&base64))
        return LEX_LIMIT;
    int len = snprintf(out, LEX_NOTE_MAX_BYTES, "lexecon-verdict-batch/v1\n%.*s\n%lld\n%s\n",
                       LEX_SPAN_FMT(origin), (long long)size, lex_buf_str(&base64));
    LEX_ASSERT(len > 0 && len < LEX_NOTE_MAX_BYTES);
    *ret_len = (size_t)len;
    return LEX_OK;
}
