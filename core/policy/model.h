/* Model: the compiled shape of a policy. For core/policy, which builds it, and core/decision, which
 * reads it; nobody else includes this.
 *
 * Names are resolved once, at load: a compiled rule holds term numbers, never text to compare, so a
 * decision is look-ups on numbers and no spelling can match by halves. Everything here is written
 * before the snapshot's first reference leaves core/policy and is never written again. */
#ifndef LEX_POLICY_MODEL_H
#define LEX_POLICY_MODEL_H

#include "core/base/arena.h"
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
    LEX_POLICY_NAME_MAX_BYTES = 512,
};

/* A term's number within its kind, or one of three that are no term. */
typedef uint32_t lex_term_id;
#define LEX_TERM_ANY UINT32_MAX             /* a rule's open position */
#define LEX_TERM_UNKNOWN (UINT32_MAX - 1)   /* a name that names nothing */
#define LEX_TERM_AMBIGUOUS (UINT32_MAX - 2) /* a name that names two terms: poisoned */

/* Terms above a term through member_of and implies, transitive, the term itself not among them. */
struct lex_terms_above {
    const lex_term_id *items;
    size_t count;
};

struct lex_term {
    struct lex_span canonical; /* prefix + local */
    struct lex_span id;        /* as declared, or as the first rule named it */
    struct lex_span label;     /* absent when it has none */
    size_t at;                 /* byte offset in the document */
    struct lex_terms_above above;
    uint8_t risk_level; /* of an action, the highest of its own and what it entails; 0: none */
    bool declared, used, ai;
};

/* Names of one kind: open addressing, at most half full. */
struct lex_name {
    struct lex_span text; /* absent: a free slot */
    lex_term_id term;
    uint8_t level; /* 0 id and canonical, 1 local, 2 alias, 3 label: the lowest number wins */
    bool poisoned; /* two terms at this level */
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

enum lex_condition_type {
    LEX_CONDITION_EXPRESSION,
#define LEX_CONDITION(name, type) LEX_CONDITION_##name,
#include "core/policy/conditions.def"
#undef LEX_CONDITION
    LEX_CONDITION_COUNT
};

struct lex_condition {
    enum lex_condition_type type;
    struct lex_span text; /* the expression, or the canonical JSON of a structured condition */
    struct lex_span name; /* of an expression that is one fact, or a context_check's field */
    struct {
        uint16_t start, end; /* minutes of the day, both inclusive */
        int16_t zone;        /* minutes east of UTC */
        uint8_t days;        /* bit 0 is Monday */
    } window;
    struct {
        lex_term_id approver; /* an actor, or LEX_TERM_UNKNOWN where it names none */
        uint32_t quorum, timeout_s;
    } approval;
    lex_term_id data_class;
};

enum lex_verb {
#define LEX_VERB(name, word) LEX_VERB_##name,
#include "core/policy/verbs.def"
#undef LEX_VERB
    LEX_VERB_COUNT
};

/* A permit, forbid or requires. */
struct lex_rule {
    struct lex_span id;
    struct lex_span justification; /* absent when it has none */
    size_t at;
    const lex_term_id *objects, *resources; /* none: any */
    const struct lex_condition *conditions; /* all must hold */
    uint32_t objects_count, resources_count, conditions_count;
    lex_term_id actor, action; /* or LEX_TERM_ANY */
    enum lex_verb verb;
};

struct lex_conflict {
    struct lex_span id, justification;
    size_t at;
    enum lex_kind kind; /* actor (roles), action or data_class */
    lex_term_id a, b;
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
    enum lex_effect effect;
    uint32_t quorum; /* of an escalation */
    const struct lex_condition *conditions;
    uint32_t conditions_count;
};

/* Rules of one verb with one (actor, action) key, in the document's order. */
struct lex_rule_group {
    enum lex_verb verb;
    lex_term_id actor, action;
    const uint32_t *rules; /* NULL: a free slot */
    size_t count;
};

struct lex_options {
    bool open_world[LEX_KIND_COUNT];
    bool undeclared_is_none;
    bool strict_terms;
    struct lex_span approver; /* canonical name; "actor:human" where none is given */
};

struct lex_policy {
    struct lex_policy_info info;
    struct lex_options options;
    struct lex_terms terms[LEX_KIND_COUNT];
    struct lex_rule *rules;
    struct lex_conflict *conflicts;
    struct lex_constraint *constraints;
    size_t rules_count, conflicts_count, constraints_count;
    struct lex_rule_group *groups; /* open addressing over (verb, actor, action) */
    size_t groups_capacity;
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
const struct lex_term *lex_policy_term(const struct lex_policy *policy, enum lex_kind kind,
                                       lex_term_id id);
/* Whether `id` is `target` or lies below it. Unknown names are below nothing. */
bool lex_policy_is_a(const struct lex_policy *policy, enum lex_kind kind, lex_term_id id,
                     lex_term_id target);
/* Whether a path of an expression belongs to the request itself or is a word of the language, and
 * is thus no fact that could be absent. */
bool lex_path_is_governed(struct lex_span path);
/* The rules that name exactly this pair; LEX_TERM_ANY for an open position. */
struct lex_rule_refs {
    const uint32_t *items; /* indexes of policy->rules, rising */
    size_t count;
};
struct lex_rule_refs lex_policy_rules(const struct lex_policy *policy, enum lex_verb verb,
                                      lex_term_id actor, lex_term_id action);

#endif
