/* Issuers: what issuers.json pins, as the verifier reads it.
 *
 * One list holds every key of every issuer, sorted by kid, since a message is found by its kid and
 * nothing else. Lists of names hold exact names, or `*` alone; there are no patterns, because a
 * pattern that is a little too wide is how somebody speaks for more than was meant. */
#ifndef LEX_IDENTITY_ISSUERS_H
#define LEX_IDENTITY_ISSUERS_H

#include "core/crypto/jwt.h"
#include "core/identity/identity.h"

struct lex_issuer_names {
    bool any;               /* `*` */
    struct lex_span *names; /* sorted by bytes */
    size_t count;
};

struct lex_issuer {
    struct lex_span iss;
    struct lex_issuer_names actors, facts, approvers, roles;
};

struct lex_issuer_key {
    struct lex_jwk jwk;
    const struct lex_issuer *issuer;
};

/* NULL where no key is pinned under this kid; `identity` may be NULL. */
const struct lex_issuer_key *lex_issuer_key_find(const struct lex_identity *identity,
                                                 struct lex_span kid);
/* A name that can be pinned or attested: 1 to LEX_NAME_MAX_BYTES, no control characters, and none
 * that begins with #, which are the engine's own. */
bool lex_issuer_name_valid(struct lex_span name);
bool lex_issuer_may(const struct lex_issuer_names *names, struct lex_span name);

#endif
