/* Eval: the state of one evaluation, shared by the files of core/decision. Private to this folder.
 *
 * Every step contributes an upper bound, the verdict is the minimum. The tally below is the only
 * way to a verdict: it starts above approved, only ever goes down, and what was never contributed
 * to is denied. So a step that is forgotten or fails can lose an approval, never make one.
 *
 * The way through the files: names.c (what was said -> terms), match.c (terms -> rules), facts.c
 * and expression.c (facts -> truths), conditions.c (truths -> bounds), evaluate.c and permission.c
 * (the steps), tally.c (bounds -> verdict), record.c (what the entry
 * keeps), decide.c (the whole). */
#ifndef LEX_DECISION_EVAL_H
#define LEX_DECISION_EVAL_H

#include "core/base/json.h"
#include "core/decision/decision.h"
#include "core/decision/explain.h"
#include "core/history/history.h"
#include "core/policy/model.h"

struct lex_tally {
    enum lex_outcome outcome; /* LEX_OUTCOME_COUNT before the first contribution */
    enum lex_reason code;
    struct lex_span reason;
    struct lex_span rules[LEX_DECISION_RULES_MAX];
    size_t rules_count;
    struct lex_obligation obligations[LEX_OBLIGATION_TYPE_COUNT][LEX_DECISION_OBLIGATIONS_MAX];
    size_t obligations_count[LEX_OBLIGATION_TYPE_COUNT];
    uint32_t cut;
};

/* ---- truths (policy.md section 5) ---- */

/* A truth is a set of what may be the case: true, false, unknown. Nearly always it is one of them,
 * and AND, OR and NOT are Kleene's. In a trigger, a name that the policy does not know may be any,
 * so a test on it is true or false: both. The connectives work on each pair of members, so "both
 * and unknown" is false or unknown, and a trigger can still be met. */
typedef uint8_t lex_truths;
enum { LEX_TRUE = 1, LEX_FALSE = 2, LEX_UNKNOWN = 4, LEX_BOTH = LEX_TRUE | LEX_FALSE };

/* The same question asked twice: of the server's and attested facts, and of all of them. Where the
 * first is known the second is the same. */
struct lex_truth {
    lex_truths trusted, all;
};

/* Where a condition stands decides what its truth does. */
enum lex_side { LEX_SIDE_GRANT, LEX_SIDE_RESTRICTION, LEX_SIDE_TRIGGER };

/* ---- what the request came to ---- */

/* A class of the request: its name as given and the term, or LEX_TERM_UNKNOWN. */
struct lex_class {
    struct lex_span name;
    lex_term_id term;
};

enum { LEX_EVAL_TERMS_INLINE = 16, LEX_EVAL_RULES_INLINE = 8, LEX_EVAL_CLASSES_INLINE = 8 };

/* Terms, each once, in no order. Few are kept in place, more in the arena. */
struct lex_term_list {
    lex_term_id *items;
    size_t count, capacity;
    lex_term_id inside[LEX_EVAL_TERMS_INLINE];
};

/* Rules of one verb that the request's actors and action reach, in the documents' order. */
struct lex_rule_list {
    const struct lex_rule **items;
    size_t count, capacity;
    const struct lex_rule *inside[LEX_EVAL_RULES_INLINE];
};

/* A fact that was read: it enters the entry, so that the decision can be made again. */
struct lex_read {
    struct lex_span name;
    enum lex_provenance provenance;
    const struct lex_value *value; /* or NULL, and the JSON text */
    struct lex_span json;
    const struct lex_conflict *of; /* of a duty */
};

/* A rate limit that was looked at; reserved once the verdict is approved. */
struct lex_rate_use {
    const struct lex_rule *rule;
    const struct lex_condition *condition;
    struct lex_history_key key;
    int64_t used, add; /* requests or millionths */
    bool reserved;
};
enum { LEX_RATES_MAX = 16 }; /* looked at in one evaluation; one more is unknown */

/* A fact's reading, as it is: the way to an argument can be long, and rules ask again for each
 * class.
 */
struct lex_reading {
    bool trusted_present, all_present;
    bool ill_typed; /* there, but not of the type that options.facts declares */
    const struct lex_value *trusted,
        *all; /* NULL with `present`: there, but of no comparable type */
};
enum { LEX_READINGS_KEPT = 16 };

struct lex_eval {
    const struct lex_decide_input *input;
    const struct lex_request *request;
    const struct lex_policy *policy;
    struct lex_arena *arena;
    const struct lex_json *arguments; /* parsed once; NULL where there are none */
    enum lex_mode mode;
    bool caller_trusted; /* context_trust=caller */
    int32_t risk_score;
    lex_term_id said_actor, said_action; /* what their names mean, before anything is checked */
    lex_term_id actor, resource;         /* or LEX_TERM_UNKNOWN */
    lex_term_id actions[2];              /* the proposed one, and the tool's where it is another */
    size_t actions_count;
    size_t actions_above;      /* of actions_up */
    lex_term_id action;        /* of `actions`, the one under evaluation */
    bool has_roles;            /* attested ones */
    bool actor_known;          /* by its own name or by a role */
    struct lex_class *classes; /* sorted by name, each once */
    size_t classes_count, unknown_classes;
    const struct lex_class *class; /* the one that data_class means now, NULL: none */
    size_t warnings_count, reads_count, rates_count, duties_count;
    uint32_t readings_kept;   /* a bit for each of `readings` that is set */
    uint32_t statements_used; /* a bit for each of facts->statements */
    int64_t valid_until_us;
    bool failed;    /* the arena is full: EVALUATION_ERROR, whatever else was found */
    bool reads_cut; /* a fact did not fit: the decision cannot be made again from its entry */
    /* From here on nothing is cleared at the start: counts above and inside say what is set. */
    struct lex_term_list actors_up;  /* the actor, its attested roles and all above them */
    struct lex_term_list actions_up; /* the action and all above it: `actions_above` of them; then
                                        those whose permits alone cover it */
    struct lex_rule_list rules[LEX_RULE_VERBS];
    struct lex_tally tally;
    struct {
        uint32_t fact;
        struct lex_reading reading;
    } readings[LEX_READINGS_KEPT];
    struct lex_class classes_inside[LEX_EVAL_CLASSES_INLINE];
    struct lex_span warnings[LEX_DECISION_WARNINGS_MAX];
    struct lex_read reads[LEX_DECISION_FACTS_MAX];
    struct lex_rate_use rates[LEX_RATES_MAX];
    struct lex_read duties[LEX_DECISION_FACTS_MAX];
};

/* ---- tally.c ---- */
void lex_tally_init(struct lex_tally *tally);
/* Contribute a bound. True when it is what stands now, so that its rules and its reason count. */
static inline bool lex_tally_lower(struct lex_tally *tally, enum lex_outcome outcome,
                                   enum lex_reason code)
{
    if (outcome > tally->outcome)
        return false;
    if (outcome == tally->outcome)
        return true; /* the first one gave code and reason */
    tally->outcome = outcome;
    tally->code = code;
    tally->reason = (struct lex_span){NULL, 0};
    tally->rules_count = 0;
    return true;
}
/* True while no bound is denied: nothing lower can come. */
static inline bool lex_tally_open(const struct lex_tally *tally)
{
    return tally->outcome != LEX_OUTCOME_DENIED;
}
void lex_tally_rule(struct lex_tally *tally, struct lex_span rule);
void lex_tally_oblige(struct lex_tally *tally, const struct lex_obligation *obligation);

/* Text for a person, cut at LEX_REASON_MAX_BYTES on a whole character. */
struct lex_sentence {
    size_t len;
    bool full;
    char text[LEX_REASON_MAX_BYTES];
};
static inline void lex_sentence_init(struct lex_sentence *sentence)
{
    sentence->len = 0;
    sentence->full = false;
}
void lex_sentence_put(struct lex_sentence *sentence, struct lex_span part);
void lex_sentence_name(struct lex_sentence *sentence, struct lex_span name); /* in quotes */
/* Make it the reason, unless an earlier contribution to the same bound gave one. */
void lex_eval_reason(struct lex_eval *eval, const struct lex_sentence *sentence);
/* Make a text that outlives the decision the reason, likewise. */
void lex_eval_reason_is(struct lex_eval *eval, struct lex_span text);
/* The first three justifications, or `before` the count `after`; permits and forbids carry their
 * lead. A single rule's text is borrowed from the policy. */
void lex_eval_reason_rules(struct lex_eval *eval, const struct lex_rule *const *rules, size_t count,
                           const char *before, const char *after);

/* ---- validate.c: what makes a request invalid, NULL when nothing does ---- */
const char *lex_request_problem(struct lex_eval *eval);

/* ---- names.c: the request's names to terms; a contribution where one must be denied ---- */
/* Look actor and action up, and ask the memory for their rules: the rules of a large policy lie far
 * from the processor, and what is to be checked first (validate.c) takes about as long as the way.
 * Nothing is decided here. */
void lex_eval_look_ahead(struct lex_eval *eval);
void lex_eval_look_further(const struct lex_eval *eval);
void lex_eval_resolve(struct lex_eval *eval);
void lex_eval_warn(struct lex_eval *eval, struct lex_span warning);
bool lex_eval_actor_is(const struct lex_eval *eval, lex_term_id term);
/* The key of a series of history: the resolved term, or the name as given. */
struct lex_span lex_eval_actor_key(const struct lex_eval *eval);

/* ---- match.c ---- */
/* Fill eval->rules for eval->action, and eval->actions_up. */
void lex_eval_collect(struct lex_eval *eval);
enum lex_match lex_match_object(const struct lex_eval *eval, const struct lex_rule *rule);
enum lex_match lex_match_resource(const struct lex_eval *eval, const struct lex_rule *rule);
/* Whether the rule's action position holds for this verb: a permit spreads only through granting
 * edges. */
bool lex_match_action(const struct lex_eval *eval, const struct lex_rule *rule);
/* Whether a permit covers a class (NULL: the request declares none). */
bool lex_permit_covers(const struct lex_eval *eval, const struct lex_rule *rule,
                       const struct lex_class *class);
bool lex_permit_resource(const struct lex_eval *eval, const struct lex_rule *rule);

/* ---- facts.c ---- */
/* A fact as its two readers see it. */
struct lex_reading lex_eval_read(struct lex_eval *eval, uint32_t fact);
/* A JSON value as a fact has it. @errors LEX_REJECT an object, a list of other than strings, a
 * number that no double holds; LEX_LIMIT the arena is full */
LEX_STATUS lex_fact_value(const struct lex_json *node, struct lex_arena *arena,
                          struct lex_value *ret);
/* Whether request.<field> is what leave is asked for, or the caller's own words. */
bool lex_request_field_governed(uint8_t field);
/* Note a fact that decided. */
void lex_eval_note(struct lex_eval *eval, const struct lex_read *read);
/* One recorded fact of the engine's own; NULL when it was not recorded. */
const struct lex_fact *lex_recorded(const struct lex_decide_input *input, struct lex_span name);

/* ---- record.c ---- */
/* What was noted, the engine's own facts first, as it stands in an entry.
 * @errors LEX_LIMIT the arena is full, or the engine's own facts do not fit */
LEX_STATUS lex_eval_facts(struct lex_eval *eval, struct lex_fact_list *ret_facts);

/* ---- expression.c ---- */
struct lex_truth lex_truth_and(struct lex_truth a, struct lex_truth b);
struct lex_truth lex_truth_or(struct lex_truth a, struct lex_truth b);
/* The truth of an expression for eval->class. */
struct lex_truth lex_eval_expression(struct lex_eval *eval, const struct lex_condition *condition,
                                     enum lex_side side);

/* ---- conditions.c ---- */
/* The truth of a condition, over the request's classes where it reads them. */
struct lex_truth lex_eval_condition(struct lex_eval *eval, const struct lex_rule *rule,
                                    const struct lex_condition *condition, enum lex_side side);
/* The bound of a grant under its conditions. */
struct lex_judgement {
    enum lex_outcome bound;
    enum lex_reason code;
    const struct lex_condition *condition; /* the first that decided */
};
struct lex_judgement lex_judge_rule(struct lex_eval *eval, const struct lex_rule *rule);
/* A restriction's conditions: NO not in force, MAYBE cannot be excluded, YES known or admitted. */
enum lex_match lex_judge_restriction(struct lex_eval *eval, const struct lex_rule *rule);
bool lex_judge_trigger(struct lex_eval *eval, const struct lex_constraint *constraint);
/* What discharges an unknown grant: an obligation for each condition that is not true. */
void lex_oblige_conditions(struct lex_eval *eval, const struct lex_rule *rule);
/* An approval by the policy's approver within five minutes. */
void lex_oblige_approval(struct lex_eval *eval, struct lex_span rule, uint32_t quorum,
                         struct lex_span condition, struct lex_span action);

/* ---- approvals.c ---- */
enum { LEX_APPROVAL_DEFAULT_S = 300 };
/* Whether `quorum` valid approvals by `approver` are there; those that count are noted as used. */
bool lex_eval_approved(struct lex_eval *eval, lex_term_id approver, uint32_t quorum,
                       uint32_t timeout_s);
/* The same by options.approver, within five minutes. */
bool lex_eval_approved_by_default(struct lex_eval *eval, uint32_t quorum);
void lex_eval_use_statement(struct lex_eval *eval, uint8_t statement);

/* ---- rates.c ---- */
struct lex_truth lex_eval_rate(struct lex_eval *eval, const struct lex_rule *rule,
                               const struct lex_condition *condition);
void lex_eval_reserve(struct lex_eval *eval, const struct lex_rule *rule);
/* The series of a limit: the rule, the actor, and what is counted. */
void lex_rate_key(const struct lex_policy *policy, const struct lex_rule *rule,
                  const struct lex_condition *condition, struct lex_span actor,
                  struct lex_history_key *ret_key);
/* "#rate.<n>.<rule>": the name of what is recorded of a limit, the n-th condition of its rule. */
struct lex_span lex_rate_name(const struct lex_eval *eval, const struct lex_rule *rule,
                              const struct lex_condition *condition);

/* ---- duties.c: conflicts ---- */
void lex_step_conflicts(struct lex_eval *eval);
/* The series of a duty: who, and which action. */
void lex_duty_key(struct lex_span actor, const struct lex_term *action,
                  struct lex_history_key *ret_key);
/* What an item of a duty says of the resource: its name's hash, or LEX_DUTY_NOWHERE where the
 * request named none, and whether it is the resource itself, one above it, or a name that the
 * policy does not know. */
enum { LEX_DUTY_ITSELF, LEX_DUTY_ABOVE, LEX_DUTY_UNKNOWN, LEX_DUTY_NOWHERE };
uint64_t lex_duty_tag(struct lex_span resource, unsigned how);

/* ---- permission.c, evaluate.c: the steps from names to the risk gate ---- */
void lex_step_permission(struct lex_eval *eval);
void lex_evaluate(struct lex_eval *eval);
/* "<lead><condition>, by <rule>" */
void lex_say_judgement(struct lex_eval *eval, const struct lex_rule *rule,
                       const struct lex_judgement *judgement);

/* ---- decide.c ---- */
/* Everything up to the first step; false when a verdict stands already. */
bool lex_eval_begin(struct lex_eval *eval, const struct lex_decide_input *input,
                    struct lex_arena *arena, struct lex_decision *ret);

#endif
