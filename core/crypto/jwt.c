#include "core/crypto/jwt.h"

#include <stdio.h>

#include "core/base/text.h"

/* ---- names ---- */

static const char *const alg_names[LEX_JWT_ALGS] = {
    [LEX_JWT_EDDSA] = "EdDSA",
    [LEX_JWT_ED25519] = "Ed25519",
};

const char *lex_jwt_alg_name(enum lex_jwt_alg alg)
{
    return alg_names[alg];
}

bool lex_jwt_alg_of(struct lex_span name, enum lex_jwt_alg *ret_alg)
{
    for (unsigned alg = 0; alg < LEX_JWT_ALGS; alg++)
        if (!lex_span_absent(name) && lex_span_eq(name, lex_span_str(alg_names[alg]))) {
            *ret_alg = alg;
            return true;
        }
    return false;
}

bool lex_kid_valid(struct lex_span kid)
{
    if (kid.len == 0 || kid.len > LEX_KID_MAX_BYTES)
        return false;
    for (size_t i = 0; i < kid.len; i++)
        if (kid.data[i] <= ' ' || kid.data[i] > '~' || kid.data[i] == '"' || kid.data[i] == '\\')
            return false;
    return true;
}

/* ---- read ---- */

static enum lex_status problem(enum lex_jws_problem what, enum lex_jws_problem *ret_problem)
{
    *ret_problem = what;
    return LEX_REJECT;
}

/* Up to the next dot, which is taken as well. Without one: all that is left. */
static struct lex_span take_part(struct lex_span *text)
{
    const uint8_t *dot = text->len == 0 ? NULL : memchr(text->data, '.', text->len);
    size_t len = dot == NULL ? text->len : (size_t)(dot - text->data);
    struct lex_span part = lex_span_of(text->data, len);
    size_t skip = dot == NULL ? len : len + 1;
    *text = lex_span_of(text->data + skip, text->len - skip);
    return part;
}

/* An empty part decodes to an empty, present span. */
static enum lex_status decode_part(struct lex_span part, size_t max_bytes, struct lex_arena *arena,
                                   struct lex_span *ret)
{
    size_t cap = part.len / 4 * 3 + 3, len = 0;
    if (cap > max_bytes + 3)
        return LEX_REJECT;
    uint8_t *bytes = lex_arena_alloc(arena, cap);
    if (bytes == NULL)
        return LEX_LIMIT;
    if (lex_base64url_decode(part, bytes, cap, &len) != LEX_OK || len > max_bytes)
        return LEX_REJECT;
    *ret = lex_span_of(bytes, len);
    return LEX_OK;
}

/* A header parameter that, where it is there, must be a string. */
static bool header_text(const struct lex_json *header, const char *name, struct lex_span *ret)
{
    const struct lex_json *member = lex_json_get(header, name);
    *ret = lex_span_str(NULL);
    if (member == NULL)
        return true;
    *ret = member->text;
    return member->type == LEX_JSON_STRING;
}

static enum lex_status read_header(struct lex_span text, struct lex_arena *arena,
                                   struct lex_jws *jws, enum lex_jws_problem *ret_problem)
{
    const struct lex_json *header;
    enum lex_status status = lex_json_parse(arena, text, &header, NULL);
    if (status == LEX_LIMIT)
        return status;
    if (status != LEX_OK || header->type != LEX_JSON_OBJECT)
        return problem(LEX_JWS_MALFORMED, ret_problem);
    if (lex_json_get(header, "crit") != NULL)
        return problem(LEX_JWS_CRITICAL, ret_problem);
    if (!header_text(header, "alg", &jws->alg) || !header_text(header, "typ", &jws->typ) ||
        !header_text(header, "kid", &jws->kid))
        return problem(LEX_JWS_MALFORMED, ret_problem);
    return LEX_OK;
}

LEX_STATUS lex_jws_read(struct lex_span text, size_t max_bytes, struct lex_arena *arena,
                        struct lex_jws *ret_jws, enum lex_jws_problem *ret_problem)
{
    struct lex_jws jws;
    struct lex_span rest = text, decoded = {NULL, 0};
    size_t len = 0;
    if (text.len > max_bytes)
        return problem(LEX_JWS_MALFORMED, ret_problem);
    struct lex_span header = take_part(&rest);
    jws.payload_base64 = take_part(&rest);
    jws.signed_text = lex_span_of(text.data, header.len + 1 + jws.payload_base64.len);
    if (jws.signed_text.len >= text.len || /* fewer than two dots; a third is no base64url */
        lex_base64url_decode(rest, jws.signature, sizeof jws.signature, &len) != LEX_OK ||
        len != sizeof jws.signature)
        return problem(LEX_JWS_MALFORMED, ret_problem);
    enum lex_status status = decode_part(header, LEX_JWS_HEADER_MAX_BYTES, arena, &decoded);
    if (status == LEX_REJECT)
        return problem(LEX_JWS_MALFORMED, ret_problem);
    LEX_TRY(status);
    LEX_TRY(read_header(decoded, arena, &jws, ret_problem));
    *ret_jws = jws;
    return LEX_OK;
}

LEX_STATUS lex_jws_open(const struct lex_jws *jws, const struct lex_public_key *key,
                        enum lex_jwt_alg alg, struct lex_arena *arena, struct lex_span *ret_payload,
                        enum lex_jws_problem *ret_problem)
{
    struct lex_span name = lex_span_str(lex_jwt_alg_name(alg));
    if (lex_span_absent(jws->alg) || !lex_span_eq(jws->alg, name))
        return problem(LEX_JWS_ALGORITHM, ret_problem);
    if (!lex_signature_verify(key, jws->signed_text, jws->signature))
        return problem(LEX_JWS_SIGNATURE, ret_problem);
    enum lex_status status =
        decode_part(jws->payload_base64, LEX_JWS_MAX_BYTES, arena, ret_payload);
    return status == LEX_REJECT ? problem(LEX_JWS_MALFORMED, ret_problem) : status;
}

/* ---- write ---- */

LEX_STATUS lex_jws_begin(enum lex_jwt_alg alg, const char *typ, struct lex_span kid,
                         struct lex_span payload, struct lex_arena *arena,
                         struct lex_span *ret_signed_text)
{
    char header[LEX_JWS_HEADER_MAX_BYTES], named[LEX_KID_MAX_BYTES + 16] = "";
    LEX_ASSERT(lex_span_absent(kid) || lex_kid_valid(kid));
    if (!lex_span_absent(kid))
        (void)snprintf(named, sizeof named, ",\"kid\":\"%.*s\"", LEX_SPAN_FMT(kid));
    int len = snprintf(header, sizeof header, "{\"alg\":\"%s\",\"typ\":\"%s\"%s}",
                       lex_jwt_alg_name(alg), typ, named);
    LEX_ASSERT(len > 0 && (size_t)len < sizeof header);
    size_t bytes = lex_base64url_len((size_t)len) + 1 + lex_base64url_len(payload.len);
    uint8_t *text = lex_arena_alloc(arena, bytes);
    if (text == NULL)
        return LEX_LIMIT;
    size_t at = lex_base64url_encode(lex_span_of(header, (size_t)len), text);
    text[at++] = '.';
    at += lex_base64url_encode(payload, text + at);
    *ret_signed_text = lex_span_of(text, at);
    return LEX_OK;
}

LEX_STATUS lex_jws_end(struct lex_span signed_text, const uint8_t signature[LEX_SIGNATURE_BYTES],
                       struct lex_arena *arena, struct lex_span *ret_text)
{
    size_t bytes = signed_text.len + 1 + lex_base64url_len(LEX_SIGNATURE_BYTES);
    uint8_t *text = lex_arena_alloc(arena, bytes);
    if (text == NULL)
        return LEX_LIMIT;
    memcpy(text, signed_text.data, signed_text.len);
    text[signed_text.len] = '.';
    (void)lex_base64url_encode(lex_span_of(signature, LEX_SIGNATURE_BYTES),
                               text + signed_text.len + 1);
    *ret_text = lex_span_of(text, bytes);
    return LEX_OK;
}

/* ---- claims ---- */

bool lex_jwt_seconds(const struct lex_json *claims, const char *name, int64_t *ret_s)
{
    const struct lex_json *member = lex_json_get(claims, name);
    int64_t value;
    if (!lex_json_is(member, LEX_JSON_NUMBER) || !member->integer ||
        lex_json_int64(member->text, &value) != LEX_OK || value < 0 || value > LEX_JWT_SECONDS_MAX)
        return false;
    *ret_s = value;
    return true;
}
