/* Permission: whether permits cover what is asked.
 *
 * Every class of the request must be covered, possibly by different permits; without a class a
 * permit without object is needed. A class's bound is the best of the permits that cover it, the
 * request's the worst of its classes (policy.md section 6). Limits are reserved for the permits
 * that the verdict rests on and for no others: for each class that no unlimited true permit covers,
 * the first limited one. */
#include "core/decision/eval.h"

struct permit {
    const struct lex_rule *rule;
    const struct lex_condition *condition; /* that decided the bound */
    enum lex_outcome bound;
    enum lex_reason code;
    bool covers_something, limited;
};

struct permits {
    struct permit *items;
    size_t count;
};

/* The best permit of one class, and the bound it gives. */
struct cover {
    const struct permit *permit; /* NULL: none covers it */
    enum lex_outcome bound;
    enum lex_reason code;
};

enum { PERMITS_INLINE = 8 };

/* ---- which permits, and how good they are ---- */

static bool is_limited(const struct lex_eval *eval, const struct lex_rule *rule)
{
    const uint32_t *conditions = lex_rule_conditions(rule);
    for (unsigned i = 0; i < rule->conditions_count; i++)
        if (eval->policy->conditions[conditions[i]].type == LEX_CONDITION_RATE_LIMIT)
            return true;
    return false;
}

static void find_permits(struct lex_eval *eval, struct permits *permits)
{
    const struct lex_rule_list *rules = &eval->rules[LEX_VERB_PERMITS];
    permits->count = 0;
    if (rules->count > PERMITS_INLINE)
        permits->items = lex_arena_alloc(eval->arena, rules->count * sizeof *permits->items);
    if (permits->items == NULL) {
        eval->failed = true;
        return;
    }
    for (size_t i = 0; i < rules->count; i++) {
        const struct lex_rule *rule = rules->items[i];
        struct permit *permit = &permits->items[permits->count];
        if (!lex_permit_resource(eval, rule))
            continue;
        *permit =
            (struct permit){rule, NULL, LEX_OUTCOME_APPROVED, LEX_REASON_PERMITTED, false, false};
        permits->count++;
        if (rule->conditions_count == 0)
            continue;
        struct lex_judgement judgement = lex_judge_rule(eval, rule);
        permit->bound = judgement.bound;
        permit->code = judgement.code;
        permit->condition = judgement.condition;
        permit->limited = is_limited(eval, rule);
    }
}

/* Why nothing covers it: in an open world an unknown name is the likelier cause. */
static enum lex_reason code_uncovered(const struct lex_eval *eval, const struct lex_class *class)
{
    if (class != NULL && class->term == LEX_TERM_UNKNOWN)
        return LEX_REASON_UNKNOWN_DATA_CLASS;
    if (!eval->actor_known)
        return LEX_REASON_UNKNOWN_ACTOR;
    return eval->action == LEX_TERM_UNKNOWN ? LEX_REASON_UNKNOWN_ACTION : LEX_REASON_NOT_PERMITTED;
}

static struct cover cover_class(const struct lex_eval *eval, struct permits *permits,
                                const struct lex_class *class)
{
    struct cover best = {NULL, LEX_OUTCOME_DENIED, LEX_REASON_NOT_PERMITTED};
    for (size_t i = 0; i < permits->count; i++) {
        struct permit *permit = &permits->items[i];
        if (!lex_permit_covers(eval, permit->rule, class))
            continue;
        permit->covers_something = true;
        if (best.permit == NULL || permit->bound > best.bound)
            best = (struct cover){permit, permit->bound, permit->code};
    }
    if (best.permit == NULL)
        best.code = code_uncovered(eval, class);
    return best;
}

/* ---- approved ---- */

static void reserve(struct lex_eval *eval, const struct permits *permits,
                    const struct lex_class *class)
{
    const struct lex_rule *limited = NULL;
    for (size_t i = 0; i < permits->count; i++) {
        const struct permit *permit = &permits->items[i];
        if (permit->bound != LEX_OUTCOME_APPROVED || !lex_permit_covers(eval, permit->rule, class))
            continue;
        if (!permit->limited)
            return;
        limited = limited == NULL ? permit->rule : limited;
    }
    LEX_ASSERT(limited != NULL); /* a covered class has a true permit */
    lex_eval_reserve(eval, limited);
}

static void approve(struct lex_eval *eval, const struct permits *permits)
{
    const struct lex_rule *inside[PERMITS_INLINE], **rules = inside;
    size_t count = 0;
    if (permits->count > PERMITS_INLINE)
        rules = lex_arena_alloc(eval->arena, permits->count * sizeof(const struct lex_rule *));
    if (rules == NULL) {
        eval->failed = true;
        return;
    }
    for (size_t i = 0; i < permits->count; i++)
        if (permits->items[i].covers_something && permits->items[i].bound == LEX_OUTCOME_APPROVED)
            rules[count++] = permits->items[i].rule;
    if (!lex_tally_lower(&eval->tally, LEX_OUTCOME_APPROVED, LEX_REASON_PERMITTED))
        return;
    for (size_t i = 0; i < count; i++)
        lex_tally_rule(&eval->tally, rules[i]->id);
    if (count == 1 && lex_span_absent(rules[0]->said))
        lex_eval_reason_is(eval, LEX_SPAN("Permitted by 1 rule(s), no conflicts"));
    else
        lex_eval_reason_rules(eval, rules, count, "Permitted by ", " rule(s), no conflicts");
}

/* ---- not approved ---- */

static void say_uncovered(struct lex_eval *eval, enum lex_reason code,
                          const struct lex_class *class)
{
    struct lex_sentence sentence;
    lex_sentence_init(&sentence);
    switch (code) {
    case LEX_REASON_UNKNOWN_DATA_CLASS:
        lex_sentence_put(&sentence, LEX_SPAN("Denied: the policy knows no data class "));
        lex_sentence_name(&sentence, class->name);
        break;
    case LEX_REASON_UNKNOWN_ACTOR:
        lex_sentence_put(&sentence, LEX_SPAN("Denied: the policy knows no actor "));
        lex_sentence_name(&sentence, eval->request->actor);
        break;
    case LEX_REASON_UNKNOWN_ACTION:
        lex_sentence_put(&sentence, LEX_SPAN("Denied: the policy knows no action "));
        lex_sentence_name(&sentence, eval->request->proposed_action);
        break;
    default: lex_eval_reason_is(eval, LEX_SPAN("Action not explicitly permitted")); return;
    }
    lex_eval_reason(eval, &sentence);
}

/* One class's bound below approved. */
static void lower_class(struct lex_eval *eval, const struct cover *cover,
                        const struct lex_class *class)
{
    if (cover->permit != NULL && cover->bound != LEX_OUTCOME_DENIED)
        lex_oblige_conditions(eval, cover->permit->rule);
    if (!lex_tally_lower(&eval->tally, cover->bound, cover->code))
        return;
    if (cover->permit == NULL) {
        say_uncovered(eval, cover->code, class);
        return;
    }
    lex_tally_rule(&eval->tally, cover->permit->rule->id);
    struct lex_judgement judgement = {cover->bound, cover->code, cover->permit->condition};
    lex_say_judgement(eval, cover->permit->rule, &judgement);
}

static void approve_by_default(struct lex_eval *eval)
{
    if (lex_tally_lower(&eval->tally, LEX_OUTCOME_APPROVED, LEX_REASON_DEFAULT_PERMIT))
        lex_eval_reason_is(eval,
                           LEX_SPAN("Permitted by default: permissive mode, nothing forbids it"));
}

/* ---- the step ---- */

static const struct lex_class *class_at(const struct lex_eval *eval, size_t index)
{
    return eval->classes_count == 0 ? NULL : &eval->classes[index];
}

void lex_step_permission(struct lex_eval *eval)
{
    struct permit inside[PERMITS_INLINE];
    struct permits permits = {inside, 0};
    size_t classes = eval->classes_count == 0 ? 1 : eval->classes_count;
    bool whole = true, permissive = eval->mode == LEX_MODE_PERMISSIVE;
    find_permits(eval, &permits);
    for (size_t i = 0; i < classes && !eval->failed; i++) {
        const struct lex_class *class = class_at(eval, i);
        struct cover cover = cover_class(eval, &permits, class);
        if (cover.bound == LEX_OUTCOME_APPROVED)
            continue;
        whole = false;
        if (!permissive)
            lower_class(eval, &cover, class);
    }
    if (eval->failed || (!whole && !permissive))
        return;
    if (!whole) {
        approve_by_default(eval);
        return;
    }
    for (size_t i = 0; i < classes && eval->rates_count != 0; i++)
        reserve(eval, &permits, class_at(eval, i));
    approve(eval, &permits);
}
