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
    if (lex_span_absent(text))
        return LEX_MODE_UNSET;
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
    memset(ret, 0, sizeof *ret);
    ret->outcome = LEX_OUTCOME_DENIED;
    ret->reason_code = code;
    ret->reason = reason;
    ret->mode_given = mode_of(request->policy_mode);
    ret->mode_policy = input->policy == NULL ? LEX_MODE_UNSET : input->policy->info.mode;
    ret->mode_server = input->server_mode;
    ret->risk_given = risk_valid ? request->risk_level : 0;
    ret->risk_effective = risk_valid ? 20 * request->risk_level : 0;
    ret->valid_until_us = valid_until(input);
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
    const char *problem = lex_request_problem(eval);
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

/* The highest of what the caller says, the actions carry and the server assessed. */
static int32_t risk_score(const struct lex_eval *eval)
{
    int32_t level = eval->request->risk_level;
    int32_t assessed = eval->input->facts == NULL ? 0 : eval->input->facts->risk_score;
    for (size_t i = 0; i < eval->actions_count; i++) {
        if (eval->actions[i] == LEX_TERM_UNKNOWN)
            continue;
        int32_t own = lex_policy_term(eval->policy, LEX_KIND_ACTION, eval->actions[i])->risk_level;
        level = own > level ? own : level;
    }
    return 20 * level > assessed ? 20 * level : assessed;
}

static bool trusts_caller(const struct lex_eval *eval)
{
    enum lex_trust trust = eval->policy->options.context_trust;
    return trust == LEX_TRUST_CALLER ||
           (trust == LEX_TRUST_BY_MODE && eval->mode == LEX_MODE_PERMISSIVE);
}

/* identity=attested: whoever cannot prove who it is is nobody the policy knows. */
static bool check_identity(struct lex_eval *eval)
{
    const struct lex_facts *facts = eval->input->facts;
    if (!eval->input->identity_required || (facts != NULL && facts->identity))
        return true;
    deny_plain(eval, LEX_REASON_UNKNOWN_ACTOR,
               "Denied: no valid identity attestation for the actor", "");
    return false;
}

static void note_identity(struct lex_eval *eval)
{
    const struct lex_facts *facts = eval->input->facts;
    for (size_t i = 0; facts != NULL && i < facts->statements_count; i++)
        if (facts->statements[i].kind == LEX_STATEMENT_IDENTITY &&
            facts->statements[i].expires_us < eval->valid_until_us)
            eval->valid_until_us = facts->statements[i].expires_us;
}

bool lex_eval_begin(struct lex_eval *eval, const struct lex_decide_input *input,
                    struct lex_arena *arena, struct lex_decision *ret)
{
    memset(eval, 0, offsetof(struct lex_eval, actors_up));
    eval->input = input;
    eval->request = input->request;
    eval->policy = input->policy;
    eval->arena = arena;
    if (input->policy != NULL)
        lex_eval_look_ahead(eval);
    lex_tally_init(&eval->tally);
    lex_decide_denied(input, LEX_REASON_EVALUATION_ERROR, LEX_SPAN(""), ret);
    eval->mode = ret->mode_effective;
    eval->valid_until_us = ret->valid_until_us;
    if (ret->mode_given != LEX_MODE_UNSET && ret->mode_given < ret->mode_effective)
        lex_eval_warn(eval, LEX_SPAN("MODE_WEAKENING_IGNORED"));
    check_entry(eval);
    if (!lex_tally_open(&eval->tally))
        return false;
    lex_eval_look_further(eval);
    eval->caller_trusted = trusts_caller(eval);
    if (!check_identity(eval))
        return false;
    note_identity(eval);
    lex_eval_resolve(eval);
    if (eval->failed)
        return false;
    eval->risk_score = risk_score(eval);
    return lex_tally_open(&eval->tally);
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

static bool copy_rules(struct lex_eval *eval, struct lex_decision *ret)
{
    struct lex_tally *tally = &eval->tally;
    struct lex_span *rules = lex_arena_alloc(eval->arena, tally->rules_count * sizeof *rules);
    if (rules == NULL)
        return false;
    memcpy(rules, tally->rules, tally->rules_count * sizeof *rules);
    ret->rules = (struct lex_span_list){rules, tally->rules_count};
    return true;
}

static bool copy_warnings(struct lex_eval *eval, struct lex_decision *ret)
{
    struct lex_span *warnings =
        lex_arena_alloc(eval->arena, eval->warnings_count * sizeof *warnings);
    if (warnings == NULL)
        return false;
    memcpy(warnings, eval->warnings, eval->warnings_count * sizeof *warnings);
    ret->warnings = (struct lex_span_list){warnings, eval->warnings_count};
    return true;
}

static bool copy_obligations_to(struct lex_eval *eval, struct lex_decision *ret)
{
    struct lex_obligation obligations[LEX_DECISION_OBLIGATIONS_MAX];
    size_t count = copy_obligations(&eval->tally, eval->tally.outcome, obligations);
    struct lex_obligation *kept = lex_arena_alloc(eval->arena, count * sizeof *kept);
    if (kept == NULL)
        return false;
    memcpy(kept, obligations, count * sizeof *kept);
    ret->obligations = (struct lex_obligation_list){kept, count};
    return true;
}

/* What is empty, as most of it is in the usual verdict, takes no memory. */
static bool copy_lists(struct lex_eval *eval, struct lex_decision *ret)
{
    const struct lex_tally *tally = &eval->tally;
    bool obliged = false;
    for (unsigned type = 0; type < LEX_OBLIGATION_TYPE_COUNT; type++)
        obliged = obliged || tally->obligations_count[type] != 0;
    return (tally->rules_count == 0 || copy_rules(eval, ret)) &&
           (eval->warnings_count == 0 || copy_warnings(eval, ret)) &&
           (!obliged || copy_obligations_to(eval, ret)) &&
           lex_eval_facts(eval, &ret->facts) == LEX_OK;
}

/* What was wrong with the request itself is not in the entry. */
static bool before_policy(enum lex_reason code)
{
    return code == LEX_REASON_INVALID_REQUEST || code == LEX_REASON_REQUEST_EXPIRED;
}

/* Whatever did not finish is denied, with nothing that the attempt left behind. */
static void give_up(struct lex_decision *ret)
{
    ret->reason_code = LEX_REASON_EVALUATION_ERROR;
    ret->reason = LEX_SPAN("Denied: the evaluation did not finish");
    ret->rules = (struct lex_span_list){NULL, 0};
    ret->warnings = (struct lex_span_list){NULL, 0};
    ret->obligations = (struct lex_obligation_list){NULL, 0};
    ret->facts = (struct lex_fact_list){NULL, 0};
}

static void finish(struct lex_eval *eval, struct lex_decision *ret)
{
    const struct lex_tally *tally = &eval->tally;
    bool decided = tally->outcome >= LEX_OUTCOME_DENIED && tally->outcome <= LEX_OUTCOME_APPROVED;
    if (eval->failed || !decided || lex_span_absent(tally->reason) || !copy_lists(eval, ret) ||
        eval->failed) {
        give_up(ret);
        return;
    }
    ret->outcome = tally->outcome;
    ret->allowed = tally->outcome == LEX_OUTCOME_APPROVED;
    ret->reason_code = tally->code;
    ret->reason = tally->reason;
    ret->cut = tally->cut;
    ret->replayable = !eval->reads_cut && !before_policy(tally->code);
    ret->valid_until_us = eval->valid_until_us;
}

void lex_decide(const struct lex_decide_input *input, struct lex_arena *arena,
                struct lex_decision *ret)
{
    struct lex_eval eval;
    if (lex_eval_begin(&eval, input, arena, ret))
        lex_evaluate(&eval);
    if (eval.risk_score > ret->risk_effective)
        ret->risk_effective = eval.risk_score;
    finish(&eval, ret);
}
