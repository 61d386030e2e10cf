/* Load: what the parts of the loader share. Private to core/policy.
 *
 * The loader walks the documents' trees and fills a policy that nobody else can see yet. The first
 * problem ends it, with the place in the file; what is odd but clear becomes a lint. Several
 * documents are read one after the other by the same code: the loader stands in one of them at any
 * time (lex_load_enter), and that is where a byte offset belongs. */
#ifndef LEX_POLICY_LOAD_H
#define LEX_POLICY_LOAD_H

#include "core/base/json.h"
#include "core/policy/model.h"

/* X => Y between two terms of one kind. */
struct lex_edge {
    lex_term_id from, to;
    size_t at;
    uint16_t document;
    bool member; /* member_of, which is is-a; else implies */
    bool grants; /* implies between actions: a permit on `from` covers `to` */
};

/* Worse first: the order in which lints are shown. */
enum lex_lint_rank { LEX_RANK_DANGER, LEX_RANK_DOUBT, LEX_RANK_STYLE };
enum lex_lint {
#define LEX_LINT(name, word, rank, text) LEX_LINT_##name,
#include "core/policy/lints.def"
#undef LEX_LINT
    LEX_LINT_COUNT
};
struct lex_raw_lint {
    enum lex_lint lint;
    uint16_t document;
    size_t at;
    struct lex_span text;
};

/* As what a fact is read, for lints: bits. */
enum lex_fact_use {
    LEX_USE_TRUTH = 1,
    LEX_USE_NUMBER = 2,
    LEX_USE_STRING = 4,
    LEX_USE_LIST = 8,
    LEX_USE_ANY = 16, /* beside another fact, or only whether it is there */
};
struct lex_fact_seen {
    unsigned uses; /* 0: declared, and read by no condition */
    uint16_t document;
    size_t at;
};

struct lex_loader {
    struct lex_policy *policy;
    struct lex_arena tree; /* the documents' nodes; gone when loading ends */
    struct lex_error *err;
    const struct lex_json **roots; /* by document */
    size_t enforced;               /* documents that make this policy, the first of them all */
    bool prefixed;                 /* ids of rules carry their policy's id */
    uint16_t document;             /* where the loader stands, and its: */
    const struct lex_json *root;
    const char *source;
    struct lex_span text;
    struct lex_names created[LEX_KIND_COUNT]; /* canonical names of undeclared terms */
    struct lex_names declared; /* of several documents: canonical name -> its last one */
    struct lex_edge *edges[LEX_KIND_COUNT];
    size_t edges_count[LEX_KIND_COUNT], edges_capacity[LEX_KIND_COUNT];
    struct lex_condition *conditions; /* growing; moved into the policy at the end */
    uint32_t *conditions_rule;        /* the last rule (its number) that took it */
    size_t conditions_count, conditions_capacity, conditions_rule_capacity;
    struct lex_names known_lists;       /* of rules, by their bytes */
    struct lex_names known_expressions; /* by their text */
    struct lex_names known_structured;  /* by their text as written, and by their canonical text: a
                                           string that equals one of them is another condition */
    struct lex_fact_info *facts;        /* likewise */
    struct lex_fact_seen *seen;         /* beside each fact */
    size_t facts_count, facts_capacity, seen_capacity;
    struct lex_node *nodes; /* of the expression that is being read */
    size_t nodes_count, nodes_capacity;
    uint32_t *list; /* of the rule that is being read */
    size_t list_count, list_capacity;
    uint32_t rule_number;
    struct lex_raw_lint *lints;
    size_t lints_count, lints_capacity, lints_dropped;
    size_t guesses_left; /* comparisons that "did you mean" may still make */
};

/* ---- read.c: errors, lints, members ---- */

/* Stand in a document: errors, lints and offsets are its own from here on. */
void lex_load_enter(struct lex_loader *loader, size_t document);
/* Fill the error as "source:line:column: text" and return `status`. */
enum lex_status lex_load_fail(struct lex_loader *loader, enum lex_status status, size_t at,
                              const char *format, ...) __attribute__((format(printf, 4, 5)));
enum lex_status lex_load_no_memory(struct lex_loader *loader);
void lex_load_lint(struct lex_loader *loader, enum lex_lint lint, size_t at, const char *format,
                   ...) __attribute__((format(printf, 4, 5)));
/* Sort the lints, find their lines, move them into the policy. */
LEX_STATUS lex_load_finish_lints(struct lex_loader *loader);

/* A span that lives as long as the policy. Absent when out of memory. */
struct lex_span lex_load_keep(struct lex_loader *loader, struct lex_span span);
/* Grow a heap vector to hold one item more. */
LEX_STATUS lex_load_grow(struct lex_loader *loader, void **items, size_t count, size_t *capacity,
                         size_t item_bytes);
/* Put one number at the end of loader->list. */
LEX_STATUS lex_load_list_put(struct lex_loader *loader, uint32_t number);

/* A list of words that ends with NULL. */
typedef const char *const lex_words[];
/* `, did you mean "x"?` for the nearest word at distance 1 or 2, else "". */
const char *lex_load_suggest(struct lex_span text, const char *const *words, char *out,
                             size_t out_bytes);
/* The index of `text` in `words`, or -1. */
int lex_load_word(struct lex_span text, const char *const *words);
/* Refuse (or, with a lint, keep) members that are not in `known`. */
LEX_STATUS lex_load_known_keys(struct lex_loader *loader, const struct lex_json *object,
                               const char *const *known, const char *what);
void lex_load_lint_keys(struct lex_loader *loader, const struct lex_json *object,
                        const char *const *known, const char *what);
/* The member under any of `keys` (NULL where there is none; null is none); two that differ are an
 * error. A key "metadata.x" looks into the member `metadata`. */
LEX_STATUS lex_load_alias(struct lex_loader *loader, const struct lex_json *object,
                          const char *const *keys, const struct lex_json **ret_node);
/* The same, which must be a string if it is there; ret is absent if it is not. Kept. */
LEX_STATUS lex_load_text(struct lex_loader *loader, const struct lex_json *object,
                         const char *const *keys, struct lex_span *ret_text);
LEX_STATUS lex_load_expect(struct lex_loader *loader, const struct lex_json *node,
                           enum lex_json_type type, const char *what);
/* `id`, or "policy_id/id" where several documents are one policy: ids of rules stay distinct. */
LEX_STATUS lex_load_own_id(struct lex_loader *loader, struct lex_span id, size_t at,
                           struct lex_span *ret_id);

/* ---- names.c, terms.c ---- */
LEX_STATUS lex_names_put(struct lex_names *names, struct lex_span text, struct lex_name name);
const struct lex_name *lex_names_find(const struct lex_names *names, struct lex_span text);
void lex_names_fini(struct lex_names *names);

LEX_STATUS lex_load_terms(struct lex_loader *loader); /* of all documents */
/* What a rule's name in a position of `kind` means; an undeclared one becomes a term. */
LEX_STATUS lex_load_ref(struct lex_loader *loader, enum lex_kind kind, struct lex_span name,
                        size_t at, lex_term_id *ret_term);
/* Enter the names of the terms that rules made. Afterwards no name may be resolved any more. */
LEX_STATUS lex_load_finish_terms(struct lex_loader *loader);
/* Kind by prefix; LEX_KIND_COUNT when the name has none. */
enum lex_kind lex_kind_of_prefix(struct lex_span name);
/* @param edge  document and at are filled from where the loader stands */
LEX_STATUS lex_load_edge(struct lex_loader *loader, enum lex_kind kind, struct lex_edge edge);

/* ---- facts.c, expression.c, conditions.c, constraints.c, relations.c ---- */

/* The index of a fact by its name; a new one is entered.
 * @param use  enum lex_fact_use, 0 for a declaration
 * @errors LEX_REJECT a name that names nothing: "request.colour", "arguments", "#x" */
LEX_STATUS lex_load_fact(struct lex_loader *loader, struct lex_span name, size_t at, unsigned use,
                         uint32_t *ret_fact);
/* options.facts, after the facts' readers may or may not have been seen. */
LEX_STATUS lex_load_fact_options(struct lex_loader *loader, const struct lex_json *facts);
/* Move conditions and facts into the policy. */
LEX_STATUS lex_load_finish_conditions(struct lex_loader *loader);
LEX_STATUS lex_load_finish_facts(struct lex_loader *loader);

/* Compile a condition's text (policy.md sections 5 and 12) into postfix nodes.
 * @param node  the string
 * @post  condition's nodes, nodes_count and reads_class are set
 * @errors LEX_REJECT err names the place in the string and what was expected */
LEX_STATUS lex_load_expression(struct lex_loader *loader, const struct lex_json *node,
                               struct lex_condition *condition);
/* One leaf as a whole condition. */
LEX_STATUS lex_load_leaf(struct lex_loader *loader, const struct lex_node *leaf, bool negated,
                         struct lex_condition *condition);

/* The relations and constraints of the document where the loader stands. */
LEX_STATUS lex_load_relations(struct lex_loader *loader);
LEX_STATUS lex_load_constraints(struct lex_loader *loader);
/* Make room for those of all documents. */
LEX_STATUS lex_load_allocate_relations(struct lex_loader *loader);
LEX_STATUS lex_load_allocate_constraints(struct lex_loader *loader);
/* Where a condition stands decides which types it may have. */
enum lex_condition_place { LEX_PLACE_GRANT, LEX_PLACE_RESTRICTION, LEX_PLACE_TRIGGER };
/* Put the indexes of conditions on loader->list, each once.
 * @param nodes  NULL ones are skipped; each a condition or a list of them; together one AND */
LEX_STATUS lex_load_conditions(struct lex_loader *loader, enum lex_condition_place place,
                               const struct lex_json *const *nodes, size_t nodes_count);

/* A member that is a duration ("5m"), in seconds, at most INT32_MAX of them. */
LEX_STATUS lex_load_duration(struct lex_loader *loader, const struct lex_json *node,
                             const char *key, bool required, int64_t fallback, int64_t *ret);

/* ---- hierarchy.c, index.c, hash.c, lint.c: over the whole policy ---- */
LEX_STATUS lex_load_hierarchy(struct lex_loader *loader);
LEX_STATUS lex_load_index(struct lex_loader *loader);
LEX_STATUS lex_load_check_conflicts(struct lex_loader *loader); /* after the index */
LEX_STATUS lex_load_lint_policy(struct lex_loader *loader);
/* Both hashes of the document where the loader stands. */
LEX_STATUS lex_load_hashes(struct lex_loader *loader, struct lex_policy_document *document);
/* Those of the whole policy, and what it needs of a history. */
LEX_STATUS lex_load_policy_hashes(struct lex_loader *loader);
LEX_STATUS lex_load_history_hash(struct lex_loader *loader);

/* Canonical bytes of a document, or of its options, with its sets sorted (hash.c); the buffer's max
 * bounds it. */
struct lex_buf;
void lex_policy_canonical(const struct lex_json *document, struct lex_buf *out);
void lex_policy_canonical_options(const struct lex_json *options, struct lex_buf *out);
/* The bytes that the reference system hashes. */
void lex_policy_legacy_canonical(const struct lex_json *document, struct lex_buf *out);

/* ---- load.c: what documents.c needs of it ---- */
/* @param shadow  the documents are log_only, and that is what is wanted */
LEX_STATUS lex_load_set(const struct lex_policy_document *documents, size_t count, bool shadow,
                        struct lex_policy **ret_policy, struct lex_error *err);

#endif
