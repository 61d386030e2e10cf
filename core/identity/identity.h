/* Identity: who speaks (docs/identity.md).
 *
 * A request carries at most four attestations: JWTs in which somebody other than the caller says
 * who the caller is, that a fact holds, or that a person approves. What each key may speak for is
 * pinned in issuers.json. Here they are verified and turned into the facts that the decision reads.
 *
 * What must always hold: an attestation counts whole or not at all; one that does not count is
 * reported and contributes nothing. It never fails the request, and never opens anything: a
 * request without it is decided as if it had not been sent. The mistake that this prevents is a
 * statement that means less than it seems to: of another request, another actor, another
 * partition, of a key that may not say so, or one that was used up before. */
#ifndef LEX_IDENTITY_IDENTITY_H
#define LEX_IDENTITY_IDENTITY_H

#include "core/decision/decision.h"

/* ---- issuers.json: what is pinned ---- */

struct lex_identity; /* immutable; any thread */

enum {
    LEX_ISSUERS_FILE_MAX_BYTES = 1 << 20,
    LEX_ISSUERS_MAX = 256,
    LEX_ISSUER_KEYS_MAX = 16,    /* of one issuer */
    LEX_ISSUER_NAMES_MAX = 4096, /* in one list of one issuer */
};

/* @errors LEX_REJECT err names the file, line, column and what was expected; LEX_LIMIT memory */
LEX_STATUS lex_identity_load(const char *issuers_path, struct lex_identity **ret_identity,
                             struct lex_error *err);
/* The same from text. Nothing borrows from `json` afterwards. */
LEX_STATUS lex_identity_parse(struct lex_span json, struct lex_identity **ret_identity,
                              struct lex_error *err);
void lex_identity_free(struct lex_identity *identity);

/* ---- attestations ---- */

enum {
    LEX_STATEMENT_MAX_BYTES = 8 << 10, /* of one compact JWT */
    LEX_STATEMENT_LIFETIME_MAX_S = 600,
    LEX_CLOCK_SKEW_S = 30, /* how far an issuer's clock may be ahead; behind needs no tolerance */
    LEX_STATEMENT_FACTS_MAX = 32,
    LEX_STATEMENT_ROLES_MAX = 32,
    LEX_STATEMENT_LIST_MAX = 64, /* strings in one fact that is a list */
};

/* Why a statement or a token does not count: words for logs and metrics. */
enum lex_identity_why {
#define LEX_IDENTITY_WHY(name, text) LEX_IDENTITY_##name,
#include "core/identity/why.def"
#undef LEX_IDENTITY_WHY
    LEX_IDENTITY_WHY_COUNT
};
struct lex_span lex_identity_why_name(enum lex_identity_why why); /* "BAD_SIGNATURE" */
const char *lex_identity_why_text(enum lex_identity_why why);     /* for a person */

struct lex_identity_problem {
    enum lex_identity_why why;
    size_t index;        /* which of the request's attestations, from 0 */
    struct lex_span kid; /* as the header names it; absent where it cannot be read. Not verified: a
                            stranger may have written it */
};
struct lex_identity_problems {
    struct lex_identity_problem items[LEX_ATTESTATIONS_MAX];
    size_t count;
};

/* Whether (kid, jti) counted in an approved verdict before. True as well when that is not known
 * yet: what may have been used does not count again. */
typedef bool lex_used_fn(void *context, struct lex_span kid, struct lex_span jti,
                         int64_t issued_us);

enum {
    LEX_STATEMENTS_ALL =
        1u << LEX_STATEMENT_IDENTITY | 1u << LEX_STATEMENT_FACT | 1u << LEX_STATEMENT_APPROVAL,
};

struct lex_identity_input {
    const struct lex_request *request;
    const uint8_t *fingerprint; /* the request's, 32 bytes */
    struct lex_span origin;     /* of this partition's log: what an approval must name */
    int64_t now_us;             /* the server's clock, wall */
    lex_used_fn *used;          /* asked for facts and approvals only, after all other checks */
    void *used_context;
    unsigned kinds; /* mask of 1u << enum lex_statement_kind: those that the policy asks for; others
                       are passed over without being verified or reported. LEX_STATEMENTS_ALL */
};

/* Verify the request's attestations, the first LEX_ATTESTATIONS_MAX of them (more is
 * INVALID_REQUEST to the decision), and fill the facts: statements, attested, approvals, roles,
 * identity, requester_key. `token` and `risk_score` are left as they are.
 * @param identity NULL: no issuers are pinned, every statement is UNKNOWN_KEY
 * @owns  what ret_facts and the problems point to lives in the arena or in `identity`
 * @errors LEX_LIMIT the arena is full: nothing is attested; decide EVALUATION_ERROR
 * @thread any */
LEX_STATUS lex_identity_verify(const struct lex_identity *identity,
                               const struct lex_identity_input *input, struct lex_arena *arena,
                               struct lex_facts *ret_facts,
                               struct lex_identity_problems *ret_problems);

#endif
