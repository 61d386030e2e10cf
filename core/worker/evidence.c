/* Evidence: what stands beside a request when it is decided, from verified statements only.
 *
 * Attestations and a presented token are verified here, once; what does not count is reported and
 * contributes nothing, so that a request with a forged statement is decided as if it came without.
 * Single use is the partition's memory: a statement that counted in an approved verdict, or that
 * may have counted before the history begins, is none. */
#include "core/worker/state.h"

static bool was_used(void *context, struct lex_span kid, struct lex_span jti, int64_t issued_us)
{
    const struct partition *p = context;
    struct lex_history_key key;
    struct lex_span parts[] = {kid, jti};
    uint64_t cursor = 0;
    /* An issuer's clock may be ahead: it may have been used before it says it was issued, at the
     * earliest at this very microsecond, which what is asked for excludes. */
    int64_t since_us = issued_us - (int64_t)LEX_CLOCK_SKEW_S * 1000000 - 1;
    if (p->history == NULL || !lex_history_complete(p->history, since_us))
        return true;
    lex_history_key(LEX_HISTORY_USED, parts, LEX_COUNT_OF(parts), &key);
    return lex_history_next(p->history, &key, since_us, &cursor) != NULL;
}

/* Verifying costs more than deciding: only what the policy, or one beside it, may ask for. */
static unsigned asked_for(const struct lex_worker *w)
{
    const struct lex_policy_info *info = lex_policy_info(w->policy);
    unsigned kinds = 1u << LEX_STATEMENT_IDENTITY;
    kinds |= info->asks_facts ? 1u << LEX_STATEMENT_FACT : 0;
    kinds |= info->asks_approvals ? 1u << LEX_STATEMENT_APPROVAL : 0;
    return kinds;
}

static enum lex_status gather_statements(struct lex_worker *w, struct slot *slot,
                                         const struct lex_request *request,
                                         const uint8_t fingerprint[32], struct lex_facts *ret_facts)
{
    struct lex_identity_input in = {
        .request = request,
        .fingerprint = fingerprint,
        .origin = slot->partition->working.chain.origin,
        .now_us = w->wall_us,
        .used = was_used,
        .used_context = slot->partition,
        .kinds = asked_for(w),
    };
    struct lex_identity_problems *problems = lex_arena_calloc(&w->arena, 1, sizeof *problems);
    if (problems == NULL)
        return LEX_LIMIT;
    LEX_TRY(lex_identity_verify(w->options.identity, &in, &w->arena, ret_facts, problems));
    if (problems->count != 0)
        slot->problems = problems;
    return LEX_OK;
}

static enum lex_status gather_token(struct lex_worker *w, struct slot *slot,
                                    const struct lex_request *request, struct lex_facts *ret_facts)
{
    struct lex_token_expect expect = {
        .iss = w->options.token_issuer,
        .aud = w->options.token_audience,
        .sub = request->actor,
        .now_us = w->wall_us,
    };
    slot->token_presented = true;
    enum lex_status status =
        lex_token_verify(&w->options.token_keys, request->capability_token, &expect, &w->arena,
                         &ret_facts->token, &slot->token_why);
    return status == LEX_REJECT ? LEX_OK : status;
}

LEX_STATUS lex_evidence_gather(struct lex_worker *w, struct slot *slot,
                               const struct lex_request *request, const uint8_t fingerprint[32],
                               struct lex_facts *ret_facts)
{
    *ret_facts = (struct lex_facts){0};
    if (request->attestations.count != 0)
        LEX_TRY(gather_statements(w, slot, request, fingerprint, ret_facts));
    if (request->capability_token.len != 0)
        LEX_TRY(gather_token(w, slot, request, ret_facts));
    return LEX_OK;
}

LEX_STATUS lex_evidence_token(struct lex_worker *w, struct slot *slot,
                              const struct lex_ledger_entry *entry, bool wanted)
{
    struct lex_token_claims claims;
    if (!entry->allowed || !(wanted || w->options.token_always))
        return LEX_OK;
    if (lex_token_claims_of(entry, w->options.token_issuer, w->options.token_audience,
                            w->options.token_max_ttl_us, &claims) != LEX_OK)
        return LEX_OK; /* it would expire within its second */
    LEX_TRY(lex_token_issue(w->options.keyring, &claims, w->options.token_alg, &w->arena,
                            &slot->token));
    slot->token_exp_s = claims.exp_s;
    return LEX_OK;
}
