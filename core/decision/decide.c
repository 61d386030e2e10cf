/* Decide: the coordinator. It prepares what a verdict must say in any case, lets the steps lower
 * the tally, and turns the tally into a decision. */
#include <stdio.h>

#include "core/decision/eval.h"

struct lex_span lex_reason_name(enum lex_reason reason)
{
    static const struct lex_span names[] = {
#define LEX_REASON(name) LEX_SPAN_INIT(#name),
#include "core/decision/reasons.def"
#undef LEX_REASON
    };
    LEX_ASSERT((size_t)reason < LEX_COUNT_OF(names));
    return names[reason];
}

/* ---- mode, risk, validity ---- */

static enum lex_mode mode_of(struct lex_span text)
{
    if (lex_span_eq(text, LEX_SPAN("permissive")))
        return LEX_MODE_PERMISSIVE;
    if (lex_span_eq(text, LEX_SPAN("strict")))
        return LEX_MODE_STRICT;
    return lex_span_eq(text, LEX_SPAN("paranoid")) ? LEX_MODE_PARANOID : LEX_MODE_UNSET;
}

/* The strictest of the three that say something; enum lex_mode is in rising order. */
static enum lex_mode strictest(enum lex_mode a, enum lex_mode b)
{
    return a > b ? a : b;
}

static int64_t valid_until(const struct lex_decide_input *input)
{
    int64_t until;
    if (__builtin_add_overflow(input->now_us, input->ttl_us, &until))
        until = INT64_MAX;
    if (input->policy != NULL && input->policy->info.effective_until_us < until)
        until = input->policy->info.effective_until_us;
    return until;
}

void lex_decide_denied(const struct lex_decide_input *input, enum lex_reason code,
                       struct lex_span reason, struct lex_decision *ret)
{
    const struct lex_request *request = input->request;
    bool risk_valid = request->risk_level >= 1 && request->risk_level <= 5;
    *ret = (struct lex_decision){
        .outcome = LEX_OUTCOME_DENIED,
        .reason_code = code,
        .reason = reason,
        .mode_given = mode_of(request->policy_mode),
        .mode_policy = input->policy == NULL ? LEX_MODE_UNSET : input->policy->info.mode,
        .mode_server = input->server_mode,
        .risk_given = risk_valid ? request->risk_level : 0,
        .risk_effective = risk_valid ? 20 * request->risk_level : 0,
        .valid_until_us = valid_until(input),
    };
    ret->mode_effective = strictest(strictest(ret->mode_given, ret->mode_policy), ret->mode_server);
}

/* ---- before any name is looked up ---- */

static void deny_plain(struct lex_eval *eval, enum lex_reason code, const char *lead,
                       const char *detail)
{
    struct lex_sentence sentence = {.len = 0};
    (void)lex_tally_lower(&eval->tally, LEX_OUTCOME_DENIED, code);
    lex_sentence_put(&sentence, lex_span_str(lead));
    lex_sentence_put(&sentence, lex_span_str(detail));
    lex_eval_reason(eval, &sentence);
}

static void check_entry(struct lex_eval *eval)
{
    const struct lex_decide_input *input = eval->input;
    const char *problem = lex_request_problem(input, eval->arena);
    if (problem != NULL)
        deny_plain(eval, LEX_REASON_INVALID_REQUEST, "Denied: ", problem);
    else if (input->request->deadline.present && input->now_us > input->request->deadline.value)
        deny_plain(eval, LEX_REASON_REQUEST_EXPIRED, "Denied: the request's deadline has passed",
                   "");
    else if (input->policy == NULL)
        deny_plain(eval, LEX_REASON_NO_ACTIVE_POLICY, "Denied: no policy is loaded", "");
    else if (input->now_us < input->policy->info.effective_from_us ||
             input->now_us >= input->policy->info.effective_until_us)
        deny_plain(eval, LEX_REASON_NO_ACTIVE_POLICY, "Denied: the policy is not in effect now",
                   "");
}

/* The proposed action's own risk, and that of a tool that is an action too. */
static int32_t risk_score(const struct lex_eval *eval)
{
    int32_t level = eval->request->risk_level;
    for (size_t i = 0; i < eval->actions_count; i++) {
        if (eval->actions[i] >= eval->policy->terms[LEX_KIND_ACTION].count)
            continue;
        int32_t own = lex_policy_term(eval->policy, LEX_KIND_ACTION, eval->actions[i])->risk_level;
        level = own > level ? own : level;
    }
    return 20 * level;
}

static void evaluate(struct lex_eval *eval)
{
    check_entry(eval);
    if (!lex_tally_open(&eval->tally))
        return;
    lex_eval_resolve(eval);
    if (eval->failed)
        return;
    eval->risk_score = risk_score(eval);
    if (lex_tally_open(&eval->tally))
        lex_evaluate(eval);
}

/* ---- from the tally to the decision ---- */

/* Obligations that belong to a bound this low or higher: an escalated verdict names approvals
 * first, then what is to be verified; a denied one names nothing, since nothing discharges it. */
static size_t copy_obligations(struct lex_tally *tally, enum lex_outcome outcome,
                               struct lex_obligation *out)
{
    static const enum lex_outcome from[LEX_OBLIGATION_TYPE_COUNT] = {
        [LEX_OBLIGATION_TYPE_APPROVAL] = LEX_OUTCOME_ESCALATED,
        [LEX_OBLIGATION_TYPE_VERIFY] = LEX_OUTCOME_CONDITIONAL,
        [LEX_OBLIGATION_TYPE_ADVICE] = LEX_OUTCOME_APPROVED,
    };
    size_t count = 0;
    if (outcome == LEX_OUTCOME_DENIED)
        return 0;
    for (unsigned type = 0; type < LEX_OBLIGATION_TYPE_COUNT; type++)
        for (size_t i = 0; from[type] >= outcome && i < tally->obligations_count[type]; i++) {
            if (count == LEX_DECISION_OBLIGATIONS_MAX)
                tally->cut++;
            else
                out[count++] = tally->obligations[type][i];
        }
    return count;
}

static bool copy_lists(struct lex_eval *eval, struct lex_decision *ret)
{
    struct lex_tally *tally = &eval->tally;
    struct lex_obligation obligations[LEX_DECISION_OBLIGATIONS_MAX];
    size_t obligations_count = copy_obligations(tally, tally->outcome, obligations);
    struct lex_span *rules = lex_arena_calloc(eval->arena, tally->rules_count, sizeof *rules);
    struct lex_span *warnings =
        lex_arena_calloc(eval->arena, eval->warnings_count, sizeof *warnings);
    struct lex_fact *facts = lex_arena_calloc(eval->arena, eval->facts_count, sizeof *facts);
    struct lex_obligation *kept = lex_arena_calloc(eval->arena, obligations_count, sizeof *kept);
    if (rules == NULL || warnings == NULL || facts == NULL || kept == NULL)
        return false;
    memcpy(rules, tally->rules, tally->rules_count * sizeof *rules);
    memcpy(warnings, eval->warnings, eval->warnings_count * sizeof *warnings);
    memcpy(facts, eval->facts, eval->facts_count * sizeof *facts);
    memcpy(kept, obligations, obligations_count * sizeof *kept);
    ret->rules = (struct lex_span_list){rules, tally->rules_count};
    ret->warnings = (struct lex_span_list){warnings, eval->warnings_count};
    ret->facts = (struct lex_fact_list){facts, eval->facts_count};
    ret->obligations = (struct lex_obligation_list){kept, obligations_count};
    return true;
}

static void finish(struct lex_eval *eval, struct lex_decision *ret)
{
    const struct lex_tally *tally = &eval->tally;
    bool decided = tally->outcome >= LEX_OUTCOME_DENIED && tally->outcome <= LEX_OUTCOME_APPROVED;
    ret->reason_code = LEX_REASON_EVALUATION_ERROR;
    ret->reason = LEX_SPAN("Denied: the evaluation did not finish");
    if (eval->failed || !decided || lex_span_absent(tally->reason) || !copy_lists(eval, ret))
        return;
    ret->outcome = tally->outcome;
    ret->allowed = tally->outcome == LEX_OUTCOME_APPROVED;
    ret->reason_code = tally->code;
    ret->reason = tally->reason;
    ret->cut = tally->cut;
}

void lex_decide(const struct lex_decide_input *input, struct lex_arena *arena,
                struct lex_decision *ret)
{
    struct lex_eval eval;
    lex_decide_denied(input, LEX_REASON_EVALUATION_ERROR, LEX_SPAN(""), ret);
    memset(&eval, 0, offsetof(struct lex_eval, tally));
    lex_tally_init(&eval.tally);
    eval.input = input;
    eval.request = input->request;
    eval.policy = input->policy;
    eval.arena = arena;
    eval.mode = ret->mode_effective;
    if (ret->mode_given != LEX_MODE_UNSET && ret->mode_given < ret->mode_effective)
        lex_eval_warn(&eval, LEX_SPAN("MODE_WEAKENING_IGNORED"));
    evaluate(&eval);
    if (eval.risk_score > ret->risk_effective)
        ret->risk_effective = eval.risk_score;
    finish(&eval, ret);
}
