#include "core/identity/token.h"

#include "core/base/text.h"
#include "core/codec/text_writer.h"
#include "core/identity/claims.h"

#define TOKEN_TYPE "lexecon-cap+jwt"

enum { CLAIMS_FIXED_BYTES = 1024, CLAIMS_MEMBERS_MAX = 16 };

/* ---- to issue ---- */

static int64_t floor_seconds(int64_t us)
{
    return us / 1000000 - (us % 1000000 < 0);
}

static bool approved(const struct lex_ledger_entry *entry)
{
    return entry->event_type == LEX_EVENT_TYPE_DECISION && entry->outcome == LEX_OUTCOME_APPROVED &&
           entry->allowed && entry->evaluated_at.present && entry->valid_until.present &&
           entry->request_fingerprint.len == LEX_HASH_BYTES;
}

/* Most that the claims take as JSON. Each text is looked at: a token has a ceiling, and one that is
 * refused by a loose bound would be refused for nothing. */
static size_t claims_bound(const struct lex_token_claims *claims)
{
    const struct lex_span texts[] = {claims->iss,    claims->aud,  claims->sub,      claims->jti,
                                     claims->action, claims->tool, claims->resource, claims->log};
    size_t bytes = CLAIMS_FIXED_BYTES;
    for (size_t i = 0; i < LEX_COUNT_OF(texts); i++)
        bytes += lex_text_long_bound(texts[i]);
    for (size_t i = 0; i < claims->dc.count; i++)
        bytes += lex_text_long_bound(claims->dc.items[i]) + 1;
    return bytes;
}

/* Header, two dots, signature. */
static bool fits(const struct lex_token_claims *claims)
{
    size_t around =
        lex_base64url_len(LEX_JWS_HEADER_MAX_BYTES) + 2 + lex_base64url_len(LEX_SIGNATURE_BYTES);
    return lex_base64url_len(claims_bound(claims)) <= LEX_TOKEN_MAX_BYTES - around;
}

LEX_STATUS lex_token_claims_of(const struct lex_ledger_entry *entry, struct lex_span iss,
                               struct lex_span aud, int64_t max_ttl_us,
                               struct lex_token_claims *ret_claims)
{
    if (!approved(entry))
        return LEX_REJECT;
    int64_t until_us = entry->evaluated_at.value + max_ttl_us;
    if (entry->valid_until.value < until_us)
        until_us = entry->valid_until.value;
    int64_t iat_s = floor_seconds(entry->evaluated_at.value), exp_s = floor_seconds(until_us);
    if (exp_s <= iat_s)
        return LEX_REJECT;
    struct lex_token_claims claims = {.iss = iss,
                                      .aud = aud,
                                      .sub = entry->actor,
                                      .jti = entry->decision_id,
                                      .iat_s = iat_s,
                                      .exp_s = exp_s,
                                      .action = entry->action,
                                      .tool = entry->tool,
                                      .resource = entry->resource,
                                      .dc = entry->data_classes,
                                      .req = entry->request_fingerprint,
                                      .policy_hash = entry->policy_hash,
                                      .log = entry->log,
                                      .seq = entry->seq};
    if (!fits(&claims))
        return LEX_REJECT;
    *ret_claims = claims;
    return LEX_OK;
}

static void put_classes(struct lex_text *out, const struct lex_span_list *classes)
{
    LEX_TEXT_LITERAL(out, ",\"dc\":[");
    for (size_t i = 0; i < classes->count; i++) {
        if (i > 0)
            lex_text_char(out, ',');
        lex_text_string(out, classes->items[i]);
    }
    lex_text_char(out, ']');
}

/* What the call does not have is null, not left out: a gateway that compares the member with the
 * call's must find it in every token. */
static void put_text(struct lex_text *out, struct lex_span name, struct lex_span value)
{
    lex_text_put(out, name);
    if (lex_span_absent(value))
        LEX_TEXT_LITERAL(out, "null");
    else
        lex_text_string(out, value);
}

static void put_hash(struct lex_text *out, struct lex_span name, struct lex_span hash)
{
    lex_text_put(out, name);
    if (lex_span_absent(hash))
        LEX_TEXT_LITERAL(out, "null");
    else
        lex_text_hex(out, hash);
}

static void put_number(struct lex_text *out, struct lex_span name, int64_t value)
{
    lex_text_put(out, name);
    lex_text_i64(out, value);
}

static void put_claims(struct lex_text *out, const struct lex_token_claims *claims)
{
    put_text(out, LEX_SPAN("{\"iss\":"), claims->iss);
    put_text(out, LEX_SPAN(",\"aud\":"), claims->aud);
    put_text(out, LEX_SPAN(",\"sub\":"), claims->sub);
    put_number(out, LEX_SPAN(",\"iat\":"), claims->iat_s);
    put_number(out, LEX_SPAN(",\"nbf\":"), claims->iat_s);
    put_number(out, LEX_SPAN(",\"exp\":"), claims->exp_s);
    put_text(out, LEX_SPAN(",\"jti\":"), claims->jti);
    put_text(out, LEX_SPAN(",\"action\":"), claims->action);
    put_text(out, LEX_SPAN(",\"tool\":"), claims->tool);
    put_text(out, LEX_SPAN(",\"resource\":"), claims->resource);
    put_classes(out, &claims->dc);
    put_hash(out, LEX_SPAN(",\"req\":"), claims->req);
    put_hash(out, LEX_SPAN(",\"policy_hash\":"), claims->policy_hash);
    put_text(out, LEX_SPAN(",\"led\":{\"log\":"), claims->log);
    put_number(out, LEX_SPAN(",\"seq\":"), claims->seq);
    LEX_TEXT_LITERAL(out, "}}");
}

LEX_STATUS lex_token_issue(const struct lex_keyring *keyring, const struct lex_token_claims *claims,
                           enum lex_jwt_alg alg, struct lex_arena *arena,
                           struct lex_span *ret_token)
{
    char kid[LEX_KID_HEX_BYTES];
    uint8_t signature[LEX_SIGNATURE_BYTES];
    struct lex_jwk jwk;
    struct lex_text out;
    struct lex_span payload, signed_text, token;
    lex_jwk_of_keyring(keyring, alg, kid, &jwk);
    LEX_TRY(lex_text_begin(&out, arena, claims_bound(claims)));
    put_claims(&out, claims);
    LEX_TRY(lex_text_end(&out, arena, LEX_TOKEN_MAX_BYTES, &payload));
    LEX_TRY(lex_jws_begin(alg, TOKEN_TYPE, jwk.kid, payload, arena, &signed_text));
    lex_keyring_sign(keyring, LEX_KEY_TOKEN, signed_text, signature);
    LEX_TRY(lex_jws_end(signed_text, signature, arena, &token));
    LEX_ASSERT(token.len <= LEX_TOKEN_MAX_BYTES);
    *ret_token = token;
    return LEX_OK;
}

/* ---- to verify ---- */

static enum lex_status open_token(const struct lex_jwk_list *keys, struct lex_span token,
                                  struct lex_arena *arena, const struct lex_json **ret_claims,
                                  enum lex_identity_why *ret_why)
{
    enum lex_jws_problem problem;
    struct lex_jws jws;
    struct lex_span payload;
    enum lex_status status = lex_jws_read(token, LEX_TOKEN_MAX_BYTES, arena, &jws, &problem);
    if (status == LEX_REJECT)
        return lex_refuse(lex_why_of_jws(problem), ret_why);
    LEX_TRY(status);
    if (lex_span_absent(jws.typ) || !lex_span_eq(jws.typ, LEX_SPAN(TOKEN_TYPE)))
        return lex_refuse(LEX_IDENTITY_WRONG_TYPE, ret_why);
    const struct lex_jwk *key = lex_span_absent(jws.kid) ? NULL : lex_jwk_find(keys, jws.kid);
    if (key == NULL)
        return lex_refuse(LEX_IDENTITY_UNKNOWN_KEY, ret_why);
    status = lex_jws_open(&jws, &key->key, key->alg, arena, &payload, &problem);
    if (status == LEX_REJECT)
        return lex_refuse(lex_why_of_jws(problem), ret_why);
    LEX_TRY(status);
    status = lex_json_parse(arena, payload, ret_claims, NULL);
    if (status == LEX_REJECT || (status == LEX_OK && (*ret_claims)->type != LEX_JSON_OBJECT))
        return lex_refuse(LEX_IDENTITY_MALFORMED, ret_why);
    return status;
}

static enum lex_status check_claims(const struct lex_json *claims,
                                    const struct lex_token_expect *expect,
                                    enum lex_identity_why *ret_why)
{
    int64_t iat_s, exp_s;
    if (!lex_claim_is(claims, "iss", expect->iss))
        return lex_refuse(LEX_IDENTITY_WRONG_ISSUER, ret_why);
    if (!lex_claim_is(claims, "aud", expect->aud))
        return lex_refuse(LEX_IDENTITY_WRONG_AUDIENCE, ret_why);
    LEX_TRY(
        lex_claims_time(claims, expect->now_us, LEX_TOKEN_LIFETIME_MAX_S, &iat_s, &exp_s, ret_why));
    if (!lex_span_absent(expect->sub) && !lex_claim_is(claims, "sub", expect->sub))
        return lex_refuse(LEX_IDENTITY_WRONG_SUBJECT, ret_why);
    return LEX_OK;
}

/* The claims of a token, in its order: their types and whether they may be null. */
enum claim_type { TEXT, TEXT_OR_NULL, NUMBER, HASH, HASH_OR_NULL, CLASSES };
static const struct claim {
    const char *name;
    enum claim_type type;
} token_claims[] = {
    {"iss", TEXT},
    {"aud", TEXT},
    {"sub", TEXT},
    {"iat", NUMBER},
    {"nbf", NUMBER},
    {"exp", NUMBER},
    {"jti", TEXT},
    {"action", TEXT},
    {"tool", TEXT_OR_NULL},
    {"resource", TEXT_OR_NULL},
    {"dc", CLASSES},
    {"req", HASH},
    {"policy_hash", HASH_OR_NULL},
};
static const struct claim log_claims[] = {{"log", TEXT}, {"seq", NUMBER}};

static bool hash_valid(const struct lex_json *node)
{
    uint8_t hash[LEX_HASH_BYTES];
    return node->type == LEX_JSON_STRING && lex_hex_decode(node->text, hash, sizeof hash) == LEX_OK;
}

static enum lex_status read_classes(const struct lex_json *node, struct lex_arena *arena,
                                    struct lex_value *ret_value)
{
    size_t count = 0;
    if (node->type != LEX_JSON_ARRAY || node->count > LEX_DATA_CLASSES_MAX)
        return LEX_REJECT;
    struct lex_span *items = lex_arena_calloc(arena, node->count, sizeof *items);
    if (items == NULL)
        return LEX_LIMIT;
    for (const struct lex_json *item = node->child; item != NULL; item = item->next) {
        if (item->type != LEX_JSON_STRING)
            return LEX_REJECT;
        items[count++] = item->text;
    }
    *ret_value = (struct lex_value){.type = LEX_VALUE_LIST, .list = {items, count}};
    return LEX_OK;
}

static enum lex_status read_claim(const struct claim *claim, const struct lex_json *node,
                                  struct lex_arena *arena, struct lex_value *ret_value)
{
    if (node == NULL)
        return LEX_REJECT;
    bool may_lack = claim->type == TEXT_OR_NULL || claim->type == HASH_OR_NULL;
    if (node->type == LEX_JSON_NULL && may_lack) {
        *ret_value = (struct lex_value){.type = LEX_VALUE_NULL};
        return LEX_OK;
    }
    if (claim->type == CLASSES)
        return read_classes(node, arena, ret_value);
    if (claim->type == NUMBER) {
        *ret_value = (struct lex_value){.type = LEX_VALUE_LONG};
        return node->type == LEX_JSON_NUMBER ? lex_json_int64(node->text, &ret_value->i64)
                                             : LEX_REJECT;
    }
    bool hash = claim->type == HASH || claim->type == HASH_OR_NULL;
    if (node->type != LEX_JSON_STRING || (hash && !hash_valid(node)))
        return LEX_REJECT;
    *ret_value = (struct lex_value){.type = LEX_VALUE_STRING, .text = node->text};
    return LEX_OK;
}

/* The claims of one object, as members named with `prefix`. One that is null is none. */
static enum lex_status read_claims(const struct claim *claims, size_t count,
                                   const struct lex_json *object, const char *prefix,
                                   struct lex_arena *arena, struct lex_member *items,
                                   size_t *items_count)
{
    for (size_t i = 0; i < count; i++) {
        struct lex_member *member = &items[*items_count];
        LEX_TRY(
            read_claim(&claims[i], lex_json_get(object, claims[i].name), arena, &member->value));
        member->key = lex_arena_printf(arena, "%s%s", prefix, claims[i].name);
        if (lex_span_absent(member->key))
            return LEX_LIMIT;
        *items_count += member->value.type != LEX_VALUE_NULL;
    }
    return LEX_OK;
}

LEX_STATUS lex_token_verify(const struct lex_jwk_list *keys, struct lex_span token,
                            const struct lex_token_expect *expect, struct lex_arena *arena,
                            struct lex_member_list *ret_claims, enum lex_identity_why *ret_why)
{
    const struct lex_json *claims;
    size_t count = 0;
    if (token.len > LEX_TOKEN_MAX_BYTES)
        return lex_refuse(LEX_IDENTITY_TOO_LARGE, ret_why);
    LEX_TRY(open_token(keys, token, arena, &claims, ret_why));
    LEX_TRY(check_claims(claims, expect, ret_why));
    struct lex_member *items = lex_arena_calloc(arena, CLAIMS_MEMBERS_MAX, sizeof *items);
    if (items == NULL)
        return LEX_LIMIT;
    enum lex_status status =
        read_claims(token_claims, LEX_COUNT_OF(token_claims), claims, "", arena, items, &count);
    if (status == LEX_OK)
        status = read_claims(log_claims, LEX_COUNT_OF(log_claims), lex_json_get(claims, "led"),
                             "led.", arena, items, &count);
    if (status == LEX_REJECT)
        return lex_refuse(LEX_IDENTITY_MALFORMED, ret_why);
    LEX_TRY(status);
    *ret_claims = (struct lex_member_list){items, count};
    return LEX_OK;
}
