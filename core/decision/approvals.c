/* Approvals: who said yes to this very request, and whether that is enough.
 *
 * A record counts only if its signer is somebody else than the requester, by key and by term, no
 * AI, and the approver that is asked for, itself or through the hierarchy. A quorum needs as many
 * records with pairwise distinct keys and terms: one person with two keys is one approver, and so
 * are two names on one key. At most four records come with a request, so all choices are tried. */
#include "core/decision/eval.h"

void lex_eval_use_statement(struct lex_eval *eval, uint8_t statement)
{
    const struct lex_facts *facts = eval->input->facts;
    if (statement >= facts->statements_count || statement >= LEX_ATTESTATIONS_MAX)
        return;
    eval->statements_used |= 1u << statement;
    if (facts->statements[statement].expires_us < eval->valid_until_us)
        eval->valid_until_us = facts->statements[statement].expires_us;
}

/* A machine, or a member of machines. */
static bool is_ai(const struct lex_policy *policy, lex_term_id actor)
{
    const struct lex_term *term = lex_policy_term(policy, LEX_KIND_ACTOR, actor);
    bool ai = term->ai;
    for (size_t i = 0; i < term->above.count && !ai; i++)
        ai = lex_policy_term(policy, LEX_KIND_ACTOR, term->above.items[i])->ai;
    return ai;
}

static bool counts(const struct lex_eval *eval, const struct lex_approval *approval,
                   lex_term_id approver, uint32_t timeout_s, lex_term_id *ret_term)
{
    const struct lex_facts *facts = eval->input->facts;
    lex_term_id term = lex_policy_resolve(eval->policy, LEX_KIND_ACTOR, approval->approver);
    int64_t age_us = eval->input->now_us - approval->issued_us;
    if (term == LEX_TERM_UNKNOWN || term == LEX_TERM_AMBIGUOUS || term == eval->actor)
        return false;
    if (!lex_span_absent(facts->requester_key) && lex_span_eq(facts->requester_key, approval->key))
        return false;
    if (age_us > (int64_t)timeout_s * 1000000 || is_ai(eval->policy, term))
        return false;
    *ret_term = term;
    return lex_policy_is_a(eval->policy, LEX_KIND_ACTOR, term, approver);
}

static bool distinct(const struct lex_approval *approvals, const lex_term_id *terms, unsigned mask)
{
    for (unsigned i = 0; i < LEX_ATTESTATIONS_MAX; i++)
        for (unsigned j = i + 1; j < LEX_ATTESTATIONS_MAX; j++)
            if ((mask >> i & 1) != 0 && (mask >> j & 1) != 0 &&
                (terms[i] == terms[j] || lex_span_eq(approvals[i].key, approvals[j].key)))
                return false;
    return true;
}

bool lex_eval_approved(struct lex_eval *eval, lex_term_id approver, uint32_t quorum,
                       uint32_t timeout_s)
{
    const struct lex_facts *facts = eval->input->facts;
    lex_term_id terms[LEX_ATTESTATIONS_MAX] = {0};
    unsigned valid = 0;
    if (facts == NULL || approver == LEX_TERM_UNKNOWN || quorum > LEX_ATTESTATIONS_MAX)
        return false;
    for (unsigned i = 0; i < facts->approvals_count && i < LEX_ATTESTATIONS_MAX; i++)
        valid |= counts(eval, &facts->approvals[i], approver, timeout_s, &terms[i]) ? 1u << i : 0;
    for (unsigned mask = 1; mask <= valid; mask++) {
        if ((mask & ~valid) != 0 || (unsigned)__builtin_popcount(mask) != quorum ||
            !distinct(facts->approvals, terms, mask))
            continue;
        for (unsigned i = 0; i < LEX_ATTESTATIONS_MAX; i++)
            if ((mask >> i & 1) != 0)
                lex_eval_use_statement(eval, facts->approvals[i].statement);
        return true;
    }
    return false;
}

bool lex_eval_approved_by_default(struct lex_eval *eval, uint32_t quorum)
{
    return lex_eval_approved(eval, eval->policy->options.approver_term, quorum,
                             LEX_APPROVAL_DEFAULT_S);
}
