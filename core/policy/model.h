/* Model: the compiled shape of a policy. For core/policy, which builds it, and core/decision, which
 * reads it; nobody else includes this.
 *
 * Names are resolved once, at load: a compiled rule holds term numbers, never text to compare, so a
 * decision is look-ups on numbers and no spelling can match by halves. Everything here is written
 * before the snapshot's first reference leaves core/policy and is never written again. */
#ifndef LEX_POLICY_MODEL_H
#define LEX_POLICY_MODEL_H

#include "core/base/arena.h"
#include "core/base/value.h"
#include "core/policy/policy.h"

/* Kinds of terms: the name in `term_type`, the list in the dict form, the prefix, the alias prefix.
 */
enum lex_kind {
#define LEX_KIND(name, type, list, prefix, alias) LEX_KIND_##name,
#include "core/policy/kinds.def"
#undef LEX_KIND
    LEX_KIND_COUNT
};

enum {
    LEX_POLICY_MAX_RELATIONS = 1 << 20, /* constraints have the same ceiling */
    LEX_POLICY_MAX_TERMS = 65535,       /* a kind */
    LEX_POLICY_MAX_CLOSURE = 1 << 24,   /* (term, term above it) pairs of the whole hierarchy */
    LEX_POLICY_MAX_LINTS = 1000,        /* more are counted, in one last lint */
    LEX_POLICY_MAX_FACTS = 65535,       /* distinct paths that conditions read */
    LEX_POLICY_NAME_MAX_BYTES = 512,
    LEX_RULE_LIST_MAX = 65535,     /* objects, resources or conditions of one rule */
    LEX_EXPRESSION_STACK_MAX = 64, /* operands that an expression may hold open: its nesting */
    LEX_EXPRESSION_NODES_MAX = 4096,
    LEX_EXPRESSION_MAX_BYTES = 64 << 10,
    LEX_RATE_WINDOW_MAX_S = 3600, /* as far as a partition's history reaches back */
};

/* A term's number within its kind, or one of three that are no term. */
typedef uint32_t lex_term_id;
#define LEX_TERM_ANY UINT32_MAX             /* a rule's open position */
#define LEX_TERM_UNKNOWN (UINT32_MAX - 1)   /* a name that names nothing */
#define LEX_TERM_AMBIGUOUS (UINT32_MAX - 2) /* a name that names two terms: poisoned */

/* Terms above a term, transitive, sorted, the term itself not among them. */
struct lex_terms_above {
    const lex_term_id *items;
    size_t count;
};

/* An actor with rules, and which actions they can be about. */
struct lex_ruled {
    uint64_t paired; /* a bit (lex_action_bit) for each action it has rules with */
    lex_term_id actor;
    bool any_action; /* it has rules with any action */
};
enum { LEX_RULED_MAX = 2, LEX_RULED_MORE = 255 };

struct lex_term {
    /* What a decision reads; the rest is for messages. */
    struct lex_ruled ruled[LEX_RULED_MAX]; /* of an actor: itself and those above it that have
                                              rules, kept in place where they are few */
    uint8_t ruled_count;                   /* or LEX_RULED_MORE: look at each of them */
    struct lex_terms_above above;   /* through member_of and implies: what it is, or entails */
    struct lex_terms_above granted; /* of an action: those whose permits cover it: what it is a
                                       member_of, and what implies it with "grants" (which stands
                                       below it: a permit on X covers the Y that X entails, never
                                       the other way); of other kinds the same as `above` */
    uint64_t paired;    /* of an actor: a bit (lex_action_bit) for each action it has rules with */
    uint8_t risk_level; /* of an action, the highest of its own and what it entails; 0: none */
    bool any_action;    /* of an actor: it has rules with any action */
    bool conflicted;    /* a conflicts names it */
    bool declared, used, ai;
    uint16_t document;         /* index of the document that first named it */
    struct lex_span canonical; /* prefix + local */
    struct lex_span id;        /* as declared, or as the first rule named it */
    struct lex_span label;     /* absent when it has none */
    size_t at;                 /* byte offset in its document */
};

static inline uint64_t lex_action_bit(lex_term_id action)
{
    return (uint64_t)1 << (action & 63);
}

/* Names of one kind: open addressing, at most half full. */
struct lex_name {
    struct lex_span text; /* absent: a free slot */
    uint32_t hash;
    lex_term_id term;
    uint8_t level; /* 0 id and canonical, 1 local, 2 alias, 3 label: the lowest number wins */
    bool poisoned; /* two terms at this level */
    bool used;     /* while loading: a reference of the policy was resolved by it */
};
struct lex_names {
    struct lex_name *slots;
    size_t capacity, count; /* capacity is a power of two, or 0 */
};

struct lex_terms {
    struct lex_term *items;
    size_t count, capacity;
    struct lex_names names;
};

/* ---- facts and expressions ---- */

enum lex_fact_source {
    LEX_FACT_CONTEXT,    /* attested, or the caller's context: one flat key, dots and all */
    LEX_FACT_ARGUMENT,   /* arguments.a.b: a walk into the call's arguments */
    LEX_FACT_REQUEST,    /* request.<field> */
    LEX_FACT_TOKEN,      /* token.<claim> of a presented, verified capability token */
    LEX_FACT_RISK_LEVEL, /* the effective score / 20, rounded up */
    LEX_FACT_RISK_SCORE,
    LEX_FACT_DATA_CLASS, /* the sets that == and != test; they have no value of their own */
    LEX_FACT_RESOURCE,
    LEX_FACT_ACTOR,
    LEX_FACT_ACTION,
};

enum lex_fact_type {
    LEX_FACT_ANY_TYPE,
    LEX_FACT_BOOLEAN,
    LEX_FACT_NUMBER,
    LEX_FACT_STRING,
    LEX_FACT_LIST
};

/* A path that some condition reads, once for the policy. */
struct lex_fact_info {
    struct lex_span name; /* "mfa", "arguments.amount", "data_class", ... */
    struct lex_span path; /* without its first word: "amount" */
    enum lex_fact_source source;
    uint8_t field;           /* of a REQUEST fact: enum lex_request_field */
    enum lex_fact_type type; /* as options.facts declares it, or as a request's field and a risk
                                always are; another type is ill-typed: unknown */
    bool required_declared, required; /* options.facts.X.required */
    bool restricts; /* an escalating, throttling or denying constraint names it: required by default
                       in paranoid */
    struct lex_span_list
        attesters; /* issuers that may attest it; none: any that issuers.json lets */
};

/* request.<field>: the governed ones have server provenance, the others caller. */
enum lex_request_field {
#define LEX_REQUEST_FIELD(name, word, governed) LEX_REQUEST_FIELD_##name,
#include "core/policy/request_fields.def"
#undef LEX_REQUEST_FIELD
    LEX_REQUEST_FIELD_COUNT
};

enum lex_operand_kind {
    LEX_OPERAND_FACT,
    LEX_OPERAND_BOOL,
    LEX_OPERAND_NUMBER,
    LEX_OPERAND_STRING
};

struct lex_operand {
    enum lex_operand_kind kind;
    union {
        uint32_t fact; /* index of policy->facts */
        bool boolean;
        double number; /* a unit suffix is converted to seconds */
        struct lex_span text;
    };
};

/* An expression in postfix order: leaves push a truth, NOT turns the top, AND and OR take two. A
 * context_check and a data_class condition are expressions of one leaf too. */
enum lex_op {
    LEX_OP_AND,
    LEX_OP_OR,
    LEX_OP_NOT,
    LEX_OP_TRUTH, /* a alone: a constant, or a fact that must be boolean */
    LEX_OP_EQ,
    LEX_OP_NE,
    LEX_OP_LT,
    LEX_OP_LE,
    LEX_OP_GT,
    LEX_OP_GE,
    LEX_OP_IS,       /* the set a (data_class, resource, actor, action) holds `term` */
    LEX_OP_IN,       /* a equals one of `list` */
    LEX_OP_CONTAINS, /* the list a has the element b, or the string a the part b */
    LEX_OP_EXISTS,
};

struct lex_node {
    enum lex_op op;
    lex_term_id term; /* of IS, a number of the kind that its set is of */
    struct lex_operand a;
    union {
        struct lex_operand b;
        struct {
            const struct lex_operand *items;
            size_t count;
        } list; /* of IN */
    };
};

enum lex_condition_type {
    LEX_CONDITION_EXPRESSION,
#define LEX_CONDITION(name, type) LEX_CONDITION_##name,
#include "core/policy/conditions.def"
#undef LEX_CONDITION
    LEX_CONDITION_COUNT
};

/* Conditions are interned: two rules that say the same share one, so that a request judges it once.
 */
struct lex_condition {
    enum lex_condition_type type;
    bool reads_class;     /* has data_class == name: judged once for each class of the request */
    struct lex_span text; /* the expression, or the canonical JSON of a structured condition */
    const struct lex_node *nodes; /* of EXPRESSION, CONTEXT_CHECK, DATA_CLASS */
    uint32_t nodes_count;
    union {
        struct {
            uint16_t start, end; /* minutes of the day, both inclusive */
            int16_t zone;        /* minutes east of UTC */
            uint8_t days;        /* bit 0 is Monday */
        } window;
        struct {
            lex_term_id approver; /* an actor, or LEX_TERM_UNKNOWN where it names none */
            uint32_t quorum, timeout_s;
        } approval;
        struct {
            int64_t max; /* requests, or millionths of the total */
            uint32_t window_s;
            uint32_t sum; /* the fact (an ARGUMENT) that is summed; UINT32_MAX: requests count */
        } rate;
    };
};

/* ---- rules ---- */

enum lex_verb {
#define LEX_VERB(name, word) LEX_VERB_##name,
#include "core/policy/verbs.def"
#undef LEX_VERB
    LEX_VERB_COUNT
};
enum { LEX_RULE_VERBS = 3 }; /* permits, forbids and requires, the first three */

/* A permit, forbid or requires. After loading, policy->rules is sorted by actor, action, verb and
 * order, so that one look-up finds all of a pair's rules side by side; and each begins on a line of
 * the cache and fills it (64 bytes). */
struct lex_rule {
    struct lex_span id;
    struct lex_span said;  /* a lead ("Permitted: ", "Denied: ", "") and the justification; absent
                              when it has none. The reason of the usual verdict needs no writing */
    const uint32_t *lists; /* objects (terms), then resources (terms), then conditions (indexes of
                              policy->conditions, all of which must hold); none: any, always */
    uint16_t objects_count, resources_count, conditions_count;
    uint8_t verb;              /* enum lex_verb */
    uint8_t document;          /* index of policy->documents */
    uint32_t order : 31;       /* its place in the document, over all documents */
    uint32_t last : 1;         /* of its pair */
    uint32_t at;               /* byte offset in its document */
    lex_term_id actor, action; /* or LEX_TERM_ANY */
};
_Static_assert(sizeof(struct lex_rule) == 64, "a rule fills one line of the cache");

static inline const lex_term_id *lex_rule_objects(const struct lex_rule *rule)
{
    return rule->lists;
}
static inline const lex_term_id *lex_rule_resources(const struct lex_rule *rule)
{
    return rule->lists + rule->objects_count;
}
static inline const uint32_t *lex_rule_conditions(const struct lex_rule *rule)
{
    return rule->lists + rule->objects_count + rule->resources_count;
}
/* The justification alone; absent when it has none. */
struct lex_span lex_rule_justification(const struct lex_rule *rule);

enum lex_scope { LEX_SCOPE_GLOBAL, LEX_SCOPE_RESOURCE, LEX_SCOPE_SESSION };

struct lex_conflict {
    struct lex_span id, justification;
    size_t at;
    uint16_t document;
    enum lex_kind kind; /* actor (roles), action or data_class */
    lex_term_id a, b;
    enum lex_scope scope; /* between actions; GLOBAL where the document says nothing */
    uint32_t window_s;    /* likewise; an hour */
};

enum lex_effect {
#define LEX_EFFECT(name, word) LEX_EFFECT_##name,
#include "core/policy/effects.def"
#undef LEX_EFFECT
    LEX_EFFECT_COUNT
};

struct lex_constraint {
    struct lex_span name, id; /* "constraint:" + name */
    struct lex_span verb, justification;
    size_t at;
    uint16_t document;
    enum lex_effect effect;
    bool good_case;  /* deny_if_*, deny_unless_* without an explicit effect: what holds is good */
    uint32_t quorum; /* of an escalation */
    const uint32_t *conditions; /* indexes of policy->conditions: one AND */
    uint32_t conditions_count;
    uint32_t done; /* the fact done.<name>, which discharges an OBLIGE; UINT32_MAX for the others */
};

/* From a term to the conflicts that name it, sorted by kind and term. */
struct lex_conflict_ref {
    enum lex_kind kind;
    lex_term_id term;
    uint32_t number; /* index of policy->conflicts */
};

enum lex_trust { LEX_TRUST_BY_MODE, LEX_TRUST_ATTESTED, LEX_TRUST_CALLER };

struct lex_options {
    bool open_world[LEX_KIND_COUNT];
    bool undeclared_is_none;
    bool strict_terms;
    enum lex_trust context_trust;
    struct lex_span approver;  /* canonical name; "actor:human" where none is given */
    lex_term_id approver_term; /* LEX_TERM_UNKNOWN: nobody can approve */
};

struct lex_policy {
    struct lex_policy_info info;
    struct lex_options options;
    struct lex_terms terms[LEX_KIND_COUNT];
    struct lex_rule *rules;
    struct lex_conflict *conflicts;
    struct lex_constraint *constraints;
    size_t rules_count, conflicts_count, constraints_count;
    struct lex_condition *conditions;
    struct lex_fact_info *facts;
    size_t conditions_count, facts_count;
    struct lex_names fact_names; /* name -> index of facts */
    uint32_t *pairs;             /* open addressing over (actor, action): see index.c */
    size_t pairs_capacity;
    uint64_t any_actor_paired; /* as lex_term.paired, of the rules for any actor */
    bool any_actor_any_action;
    struct lex_conflict_ref *conflict_refs;
    size_t conflict_refs_count;
    struct lex_policy_document *documents; /* info.documents */
    struct lex_policy **shadows;           /* log_only documents: evaluated beside, never merged */
    struct lex_policy_lint *lints;
    size_t lints_count;
    struct lex_arena arena; /* owns all texts and arrays above but terms' */
    _Atomic uint32_t references;
};

/* The fixed words of a kind. */
struct lex_kind_words {
    struct lex_span type, list, prefix, alias; /* alias is absent for context */
};
struct lex_kind_words lex_kind_words(enum lex_kind kind);

/* The term a name means, exactly; LEX_TERM_UNKNOWN or LEX_TERM_AMBIGUOUS. One look-up. */
lex_term_id lex_policy_resolve(const struct lex_policy *policy, enum lex_kind kind,
                               struct lex_span name);
/* @pre id is a term of this kind */
static inline const struct lex_term *lex_policy_term(const struct lex_policy *policy,
                                                     enum lex_kind kind, lex_term_id id)
{
    LEX_ASSERT(id < policy->terms[kind].count);
    return &policy->terms[kind].items[id];
}
/* Most lists are short enough to walk, long ones are halved. */
bool lex_terms_hold(const struct lex_terms_above *above, lex_term_id target);
/* Whether `id` is `target` or lies below it. Unknown names are below nothing. */
bool lex_policy_is_a(const struct lex_policy *policy, enum lex_kind kind, lex_term_id id,
                     lex_term_id target);
/* The first of the rules that name exactly this pair (LEX_TERM_ANY for an open position), permits
 * before forbids before requires, up to and with the one that is `last`; NULL when none does. */
const struct lex_rule *lex_policy_pair(const struct lex_policy *policy, lex_term_id actor,
                                       lex_term_id action);
/* Ask the memory for what lex_policy_pair() will read first, and, once that is there, for the rule.
 * Both change nothing; they let other work hide the wait. */
void lex_policy_ask_pair(const struct lex_policy *policy, lex_term_id actor, lex_term_id action);
void lex_policy_ask_rule(const struct lex_policy *policy, lex_term_id actor, lex_term_id action);
/* The conflicts that name a term: refs[0 .. count). */
size_t lex_policy_conflicts(const struct lex_policy *policy, enum lex_kind kind, lex_term_id term,
                            const struct lex_conflict_ref **ret_refs);
/* The index of a fact by its whole name, UINT32_MAX when no condition reads it. */
uint32_t lex_policy_fact(const struct lex_policy *policy, struct lex_span name);

#endif
