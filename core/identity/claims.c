#include "core/identity/claims.h"

struct lex_span lex_identity_why_name(enum lex_identity_why why)
{
    static const struct lex_span names[] = {
#define LEX_IDENTITY_WHY(name, text) LEX_SPAN_INIT(#name),
#include "core/identity/why.def"
#undef LEX_IDENTITY_WHY
    };
    return (unsigned)why < LEX_IDENTITY_WHY_COUNT ? names[why] : LEX_SPAN("UNKNOWN");
}

const char *lex_identity_why_text(enum lex_identity_why why)
{
    static const char *const texts[] = {
#define LEX_IDENTITY_WHY(name, text) text,
#include "core/identity/why.def"
#undef LEX_IDENTITY_WHY
    };
    return (unsigned)why < LEX_IDENTITY_WHY_COUNT ? texts[why] : "for no known reason";
}

enum lex_identity_why lex_why_of_jws(enum lex_jws_problem problem)
{
    switch (problem) {
    case LEX_JWS_CRITICAL: return LEX_IDENTITY_CRITICAL;
    case LEX_JWS_ALGORITHM: return LEX_IDENTITY_WRONG_ALGORITHM;
    case LEX_JWS_SIGNATURE: return LEX_IDENTITY_BAD_SIGNATURE;
    case LEX_JWS_MALFORMED: break;
    }
    return LEX_IDENTITY_MALFORMED;
}

struct lex_span lex_claim_text(const struct lex_json *claims, const char *name)
{
    const struct lex_json *claim = lex_json_get(claims, name);
    return lex_json_is(claim, LEX_JSON_STRING) ? claim->text : lex_span_str(NULL);
}

bool lex_claim_is(const struct lex_json *claims, const char *name, struct lex_span text)
{
    struct lex_span claim = lex_claim_text(claims, name);
    return !lex_span_absent(claim) && !lex_span_absent(text) && lex_span_eq(claim, text);
}

bool lex_claim_is_hash(const struct lex_json *claims, const char *name, const uint8_t hash[32])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t hex[LEX_HEX_HASH_BYTES];
    for (size_t i = 0; i < LEX_HASH_BYTES; i++) {
        hex[2 * i] = (uint8_t)digits[hash[i] >> 4];
        hex[2 * i + 1] = (uint8_t)digits[hash[i] & 15];
    }
    return lex_claim_is(claims, name, lex_span_of(hex, sizeof hex));
}

LEX_STATUS lex_claims_time(const struct lex_json *claims, int64_t now_us, int64_t lifetime_max_s,
                           int64_t *ret_iat_s, int64_t *ret_exp_s, enum lex_identity_why *ret_why)
{
    const int64_t second = 1000000, ahead_us = now_us + LEX_CLOCK_SKEW_S * second;
    int64_t iat_s, exp_s, nbf_s;
    if (!lex_jwt_seconds(claims, "iat", &iat_s) || !lex_jwt_seconds(claims, "exp", &exp_s) ||
        exp_s <= iat_s)
        return lex_refuse(LEX_IDENTITY_MALFORMED, ret_why);
    nbf_s = iat_s;
    if (lex_json_get(claims, "nbf") != NULL && !lex_jwt_seconds(claims, "nbf", &nbf_s))
        return lex_refuse(LEX_IDENTITY_MALFORMED, ret_why);
    if (exp_s - iat_s > lifetime_max_s)
        return lex_refuse(LEX_IDENTITY_TOO_LONG, ret_why);
    if (iat_s * second > ahead_us || nbf_s * second > ahead_us)
        return lex_refuse(LEX_IDENTITY_NOT_YET, ret_why);
    if (exp_s * second <= now_us)
        return lex_refuse(LEX_IDENTITY_EXPIRED, ret_why);
    *ret_iat_s = iat_s;
    *ret_exp_s = exp_s;
    return LEX_OK;
}
