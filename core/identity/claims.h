/* Claims: what attestations and tokens have in common once their signature holds. */
#ifndef LEX_IDENTITY_CLAIMS_H
#define LEX_IDENTITY_CLAIMS_H

#include "core/crypto/jwt.h"
#include "core/identity/identity.h"

enum { LEX_HEX_HASH_BYTES = 2 * LEX_HASH_BYTES };

/* A claim that is a string; absent where it is missing or anything else. */
struct lex_span lex_claim_text(const struct lex_json *claims, const char *name);
bool lex_claim_is(const struct lex_json *claims, const char *name, struct lex_span text);
/* Whether a claim is these 32 bytes in lower-case hexadecimal, the one spelling there is. */
bool lex_claim_is_hash(const struct lex_json *claims, const char *name, const uint8_t hash[32]);

/* iat, exp and, where it is there, nbf: whole seconds, exp after iat, iat and nbf not in the future
 * (but for LEX_CLOCK_SKEW_S), exp not reached, at most `lifetime_max_s` apart.
 * @errors LEX_REJECT *ret_why */
LEX_STATUS lex_claims_time(const struct lex_json *claims, int64_t now_us, int64_t lifetime_max_s,
                           int64_t *ret_iat_s, int64_t *ret_exp_s, enum lex_identity_why *ret_why);

/* What went wrong with the JWS, in this module's words. */
enum lex_identity_why lex_why_of_jws(enum lex_jws_problem problem);

/* Set the reason and refuse, so that a guard is one line. */
static inline enum lex_status lex_refuse(enum lex_identity_why why, enum lex_identity_why *ret_why)
{
    *ret_why = why;
    return LEX_REJECT;
}

#endif
