/* Domain parts: what the files of the domain share. Private to them.
 *
 * A domain is built once for two policies; a pair (an actor, perhaps a role, and an action) is
 * built anew in `scratch` for each, and a point is a digit for each of the pair's dimensions, where
 * 0 is always the plainest: absent, none, unset. */
#ifndef LEX_DECISION_DOMAIN_PARTS_H
#define LEX_DECISION_DOMAIN_PARTS_H

#include "core/crypto/crypto.h"
#include "core/decision/domain.h"
#include "core/decision/eval.h"

enum { OLD, NEW, SIDES };

/* A name and what it means in each policy. */
struct domain_name {
    struct lex_span text;
    lex_term_id term[SIDES]; /* or LEX_TERM_UNKNOWN, LEX_TERM_AMBIGUOUS */
    bool same;               /* it means the same in both, with all above it */
};
struct domain_names {
    const struct domain_name **items;
    size_t count;
};

/* A set of terms of one kind that rules can tell apart, on each side. */
struct domain_marks {
    bool *on[SIDES];
};

struct domain {
    const struct lex_policy *policy[SIDES];
    const struct lex_diff_options *options;
    struct lex_arena *out, keep, scratch,
        work;                                  /* the answer's; the domain's; a pair's; a point's */
    struct domain_names names[LEX_KIND_COUNT]; /* every meaning once, the unknown name last */
    struct lex_span unknown[LEX_KIND_COUNT][2]; /* names that neither policy knows */
    bool same_kind[LEX_KIND_COUNT];             /* all names of the kind mean the same */
    bool same_options, same_constraints;
    bool by_text[LEX_KIND_COUNT];       /* some condition compares the request's own text */
    struct lex_hash *rules[SIDES];      /* what each rule says, by its index */
    struct lex_hash *conditions[SIDES]; /* likewise */
    bool *changed[SIDES];               /* constraints that the other policy has not */
    bool *conflict_changed[SIDES];
    bool failed; /* out of memory */
};

void *domain_take(struct domain *d, struct lex_arena *arena, size_t count, size_t size);
/* Room for one more in a vector that lives in the arena. @return false when memory is out */
bool domain_grow(struct domain *d, struct lex_arena *arena, void **items, size_t count,
                 size_t *capacity, size_t size);

/* ---- domain_names.c ---- */
void domain_build_names(struct domain *d);
struct domain_marks domain_marks_new(struct domain *d, struct lex_arena *arena, enum lex_kind kind);
/* One name for each way to lie below the marked terms, the unknown name last. */
struct domain_names domain_collapse(struct domain *d, struct lex_arena *arena, enum lex_kind kind,
                                    const struct domain_marks *marks);
static inline bool domain_known(lex_term_id term)
{
    return term < LEX_TERM_AMBIGUOUS;
}
/* Whether the name lies below the term (or is it), on one side. */
bool domain_is_a(const struct domain *d, int side, enum lex_kind kind,
                 const struct domain_name *name, lex_term_id term);

/* ---- domain_rules.c ---- */
void domain_build_rules(struct domain *d);
/* The kind of terms that a set's fact tests: data_class, resource, actor, action. */
enum lex_kind domain_kind_of(enum lex_fact_source source);
/* Whether a node is a test, and whether its second operand is one. */
static inline bool domain_is_leaf(const struct lex_node *node)
{
    return node->op != LEX_OP_AND && node->op != LEX_OP_OR && node->op != LEX_OP_NOT;
}
static inline bool domain_has_b(const struct lex_node *node)
{
    return domain_is_leaf(node) && node->op != LEX_OP_TRUTH && node->op != LEX_OP_IS &&
           node->op != LEX_OP_IN && node->op != LEX_OP_EXISTS;
}
/* Every term that some rule, conflict or condition of a side names. */
void domain_mark_all(const struct domain *d, enum lex_kind kind, struct domain_marks *marks);
/* Actors that approvals are asked of, in both. */
void domain_mark_approvers(const struct domain *d, struct domain_marks *marks);

struct domain_rule {
    const struct lex_rule *rule;
    bool changed; /* the other policy says nothing like it here */
};

/* ---- a pair ---- */

/* How a fact is said. */
enum domain_how { HOW_ABSENT, HOW_ATTESTED, HOW_CALLER, HOW_REQUEST };
struct domain_option {
    enum domain_how how;
    struct lex_value value;
    struct lex_span issuer;
};

/* A fact that decides, and what it may be. */
struct domain_variable {
    struct lex_span name, path;
    enum lex_fact_source source;
    uint8_t field;
    struct domain_option *options; /* [0] is absent */
    size_t options_count;
    size_t chosen; /* of a fact that is held: its option */
};

struct domain_risk {
    int32_t level, assessed;
};

struct domain_approvals {
    struct lex_approval items[LEX_ATTESTATIONS_MAX];
    uint32_t age_s;
    size_t count;
};

/* What was done before: one way for each option, several series at once. */
struct domain_use {
    const struct lex_rule *rule[SIDES]; /* a limited rule, or */
    struct lex_span action, resource;   /* an action that was done; resource absent: nowhere */
    bool duty;
    uint32_t age_s, times;
    int64_t millionths;
};
struct domain_series {
    struct domain_use *uses; /* option n is uses[n - 1]; option 0 is nothing */
    size_t count;
};

enum domain_dimension {
    DIM_CLASSES,
    DIM_RESOURCE,
    DIM_MODE,
    DIM_RISK,
    DIM_TIME,
    DIM_APPROVALS,
    DIM_HISTORY,
    DIM_FACTS, /* the first of the variables */
};

struct domain_pair {
    const struct domain_name *actor, *role, *action; /* role NULL: none */
    struct lex_term_list actors[SIDES];              /* with all above */
    struct domain_rule *rules[SIDES];
    size_t rules_count[SIDES];
    bool same;   /* nothing that could decide differs */
    bool duties; /* a conflict between actions meets it */

    const struct domain_name **class_sets; /* LEX_DIFF_CLASSES_MAX each, NULL behind the last */
    size_t class_sets_count;
    struct domain_names resources; /* after the absent one */
    enum lex_mode modes[3];
    size_t modes_count;
    struct domain_risk *risks;
    size_t risks_count;
    int64_t *times;
    size_t times_count;
    struct domain_approvals *approvals;
    size_t approvals_count;
    struct domain_series *series;
    size_t series_count;
    size_t histories_count;         /* the last one is unknown, where there are series */
    bool histories_single;          /* one series at a time, and all at once */
    struct lex_history **histories; /* [time * histories_count + number], made when needed */
    struct domain_variable *variables, *fixed; /* fixed: as chosen, to hold rules open */
    size_t variables_count, fixed_count;
    const char *small; /* why the domain does not tell all apart; NULL: it does */
};

static inline void domain_mark(struct domain_marks *marks, int side, lex_term_id id)
{
    if (domain_known(id))
        marks->on[side][id] = true;
}
/* The first reason stands. */
static inline void domain_small(struct domain_pair *pair, const char *why)
{
    pair->small = pair->small == NULL ? why : pair->small;
}

/* Rules that reach the pair, and whether anything differs. */
void domain_pair_rules(struct domain *d, struct domain_pair *pair);
/* Everything else, in this order; only for a pair that is not the same. */
void domain_pair_sets(struct domain *d, struct domain_pair *pair); /* classes, resources, modes */
void domain_pair_times(struct domain *d, struct domain_pair *pair);
void domain_pair_approvals(struct domain *d, struct domain_pair *pair);
void domain_pair_facts(struct domain *d, struct domain_pair *pair); /* and risk */
void domain_pair_history(struct domain *d, struct domain_pair *pair);
void domain_pair_fini(struct domain_pair *pair);

/* Whether a constraint can lower a verdict at all. */
static inline bool domain_restricts(const struct lex_constraint *constraint)
{
    return constraint->effect != LEX_EFFECT_ADVICE;
}
/* Call `visit` with each condition that may decide the pair: its rules', and all constraints'. */
typedef void domain_visit(struct domain *d, struct domain_pair *pair, int side,
                          const struct lex_condition *condition, void *context);
void domain_each_condition(struct domain *d, struct domain_pair *pair, domain_visit *visit,
                           void *context);

/* ---- a point ---- */

/* What lex_decide reads, made of digits. */
struct domain_point {
    struct lex_request request;
    struct lex_facts facts;
    struct lex_span classes[LEX_DIFF_CLASSES_MAX], role;
    struct lex_attested_fact attested[LEX_DIFF_DIMENSIONS_MAX];
    struct lex_member context[LEX_DIFF_DIMENSIONS_MAX], token[LEX_DIFF_DIMENSIONS_MAX];
    size_t context_count, token_count;
    struct lex_approval approvals[LEX_ATTESTATIONS_MAX];
    const struct lex_history *history;
    int64_t now_us;
};

/* @return false: no request can look so (an argument inside another), or memory is out */
bool domain_make_point(struct domain *d, struct domain_pair *pair, const uint32_t *digits,
                       struct domain_point *ret);
/* The options of series that a history number stands for. */
size_t domain_history_option(const struct domain_pair *pair, size_t history, size_t series);
/* The point as a case, in JSON. Absent when memory is out. */
struct lex_span domain_example(struct domain *d, struct domain_pair *pair, const uint32_t *digits);

#endif
