/* Tokens: an approval that a gateway can check without asking anybody (docs/identity.md).
 *
 * A capability token is a JWT made from an approved ledger entry and nothing else, bound to the one
 * call that was approved: actor, action, tool, resource, data classes and the fingerprint of the
 * whole request. The mistake that this prevents is leave that fits more than it was given for:
 * what is not approved gets none, and one that is presented says only what it was issued for. */
#ifndef LEX_IDENTITY_TOKEN_H
#define LEX_IDENTITY_TOKEN_H

#include "core/crypto/jwt.h"
#include "core/identity/identity.h"

enum { LEX_TOKEN_MAX_BYTES = 64 << 10 }; /* one of the largest entry fits into a verdict */

/* ---- to issue ---- */

struct lex_token_claims {
    struct lex_span iss, aud;               /* the options token_issuer and token_audience */
    struct lex_span sub, jti;               /* the actor; the decision's id */
    int64_t iat_s, exp_s;                   /* nbf is iat */
    struct lex_span action, tool, resource; /* as requested; absent: null in the token */
    struct lex_span_list dc;                /* the declared data classes */
    struct lex_span req, policy_hash;       /* 32 bytes each */
    struct lex_span log;
    int64_t seq;
};

/* The claims of an entry's token: exp is the earlier of valid_until and evaluated_at + max_ttl.
 * @owns   ret_claims borrows from the entry, iss and aud
 * @errors LEX_REJECT no token: the entry is no approved decision, it expires within its second, or
 *         the token would be over LEX_TOKEN_MAX_BYTES */
LEX_STATUS lex_token_claims_of(const struct lex_ledger_entry *entry, struct lex_span iss,
                               struct lex_span aud, int64_t max_ttl_us,
                               struct lex_token_claims *ret_claims);

/* The compact JWT, signed with the keyring's token key.
 * @owns   ret_token lives in the arena
 * @pre    the claims come from lex_token_claims_of
 * @errors LEX_LIMIT the arena is full
 * @thread any; the keyring is immutable */
LEX_STATUS lex_token_issue(const struct lex_keyring *keyring, const struct lex_token_claims *claims,
                           enum lex_jwt_alg alg, struct lex_arena *arena,
                           struct lex_span *ret_token);

/* ---- to verify ---- */

struct lex_token_expect {
    struct lex_span iss, aud; /* must be these */
    struct lex_span sub;      /* the presenter's actor; absent: any */
    int64_t now_us;
};

/* Verify a token: signature by a key of the list, kid, alg, typ, iss, aud, sub, time, and that all
 * claims are there. Whether it fits a call is for the caller to compare: action, tool, resource and
 * req, exactly.
 * @owns   ret_claims lives in the arena: one member for each claim that is not null, named iss,
 * aud, sub, iat, nbf, exp, jti, action, tool, resource, dc, req, policy_hash, led.log, led.seq. It
 * is what lex_facts.token takes
 * @errors LEX_REJECT *ret_why says why; LEX_LIMIT the arena is full */
LEX_STATUS lex_token_verify(const struct lex_jwk_list *keys, struct lex_span token,
                            const struct lex_token_expect *expect, struct lex_arena *arena,
                            struct lex_member_list *ret_claims, enum lex_identity_why *ret_why);

/* ---- tokens that were issued here and have not expired ---- */

/* @thread any; tokens of one process. LEX_TOKEN_LIFETIME_MAX_S is the ceiling of max_ttl. */
enum { LEX_TOKEN_LIFETIME_MAX_S = 86400 };
void lex_token_active_add(int64_t exp_s);
size_t lex_token_active_count(int64_t now_s);

/* ---- a published policy: the document's bytes under the policy key ---- */

/* @errors LEX_REJECT err says what does not hold
 *         LEX_LIMIT  the arena is full
 * @owns   ret_document lives in the arena. `key` is the pinned one; the header's kid, if it has
 * one, is not looked at */
LEX_STATUS lex_policy_jws_verify(const struct lex_public_key *key, struct lex_span text,
                                 struct lex_arena *arena, struct lex_span *ret_document,
                                 struct lex_error *err);
LEX_STATUS lex_policy_jws_sign(const struct lex_signer *signer, struct lex_span document,
                               struct lex_arena *arena, struct lex_span *ret_text,
                               struct lex_error *err);

#endif
