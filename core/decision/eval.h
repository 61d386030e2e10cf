/* Eval: the state of one evaluation, shared by the files of core/decision. Private to this folder.
 *
 * Every step contributes an upper bound, the verdict is the minimum. The tally below is the only
 * way to a verdict: it starts above approved, only ever goes down, and what was never contributed
 * to is denied. So a step that is forgotten or fails can lose an approval, never make one. */
#ifndef LEX_DECISION_EVAL_H
#define LEX_DECISION_EVAL_H

#include "core/decision/decision.h"
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

/* A class of the request: its name as given and the term, or LEX_TERM_UNKNOWN. */
struct lex_class {
    struct lex_span name;
    lex_term_id term;
};

struct lex_term_list {
    lex_term_id *items;
    size_t count;
};

struct lex_eval {
    const struct lex_decide_input *input;
    const struct lex_request *request;
    const struct lex_policy *policy;
    struct lex_arena *arena;
    enum lex_mode mode;
    int32_t risk_score;
    lex_term_id actor, resource; /* or LEX_TERM_UNKNOWN */
    lex_term_id actions[2];      /* the proposed one, and the tool's where it is another */
    size_t actions_count;
    bool actor_known;               /* by its own name or by a role */
    struct lex_term_list actors;    /* the actor and its attested roles, as far as known */
    struct lex_term_list actors_up; /* and all above them */
    struct lex_class *classes;      /* sorted by name, each once */
    size_t classes_count, unknown_classes;
    size_t warnings_count, facts_count;
    bool failed; /* the arena is full: EVALUATION_ERROR, whatever else was found */
    /* From here on nothing is cleared at the start: counts above and inside say what is set. */
    struct lex_tally tally;
    struct lex_span warnings[LEX_DECISION_WARNINGS_MAX];
    struct lex_fact facts[LEX_DECISION_FACTS_MAX];
};

/* ---- tally.c ---- */
void lex_tally_init(struct lex_tally *tally);
/* Contribute a bound. True when it is what stands now, so that its rules and its reason count. */
bool lex_tally_lower(struct lex_tally *tally, enum lex_outcome outcome, enum lex_reason code);
/* True while no bound is denied: nothing lower can come. */
bool lex_tally_open(const struct lex_tally *tally);
void lex_tally_rule(struct lex_tally *tally, struct lex_span rule);
void lex_tally_oblige(struct lex_tally *tally, const struct lex_obligation *obligation);

/* Text for a person, cut at LEX_REASON_MAX_BYTES on a whole character. */
struct lex_sentence {
    char text[LEX_REASON_MAX_BYTES];
    size_t len;
    bool full;
};
void lex_sentence_put(struct lex_sentence *sentence, struct lex_span part);
void lex_sentence_name(struct lex_sentence *sentence, struct lex_span name); /* in quotes */
/* Make it the reason, if `lower` just said that this bound stands alone. */
void lex_eval_reason(struct lex_eval *eval, const struct lex_sentence *sentence);
/* "<lead>: j1; j2; j3" of the first three justifications, else "<otherwise> with the count". */
void lex_sentence_rules(struct lex_sentence *sentence, const char *lead,
                        const struct lex_rule *const *rules, size_t count, const char *before,
                        const char *after);

/* ---- validate.c: what makes a request invalid, NULL when nothing does ---- */
const char *lex_request_problem(const struct lex_decide_input *input, struct lex_arena *arena);

/* ---- conditions.c ---- */
/* The bound of a grant under its conditions: approved only when it has none. */
struct lex_judgement {
    enum lex_outcome bound;
    enum lex_reason code;
    const struct lex_condition *condition; /* the first that decided */
};
struct lex_judgement lex_judge(struct lex_eval *eval, const struct lex_condition *conditions,
                               size_t count);
/* What discharges an unknown grant: an obligation for each condition. */
void lex_oblige_conditions(struct lex_eval *eval, const struct lex_rule *rule);
/* An approval by the policy's approver within five minutes. */
void lex_oblige_approval(struct lex_eval *eval, struct lex_span rule, uint32_t quorum,
                         struct lex_span condition, struct lex_span action);

/* ---- evaluate.c: the steps from names to the risk gate ---- */
void lex_evaluate(struct lex_eval *eval);
/* ---- names.c: the request's names to terms; a contribution where one must be denied ---- */
void lex_eval_resolve(struct lex_eval *eval);
void lex_eval_warn(struct lex_eval *eval, struct lex_span warning);

#endif
