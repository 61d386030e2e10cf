/* Load: what the parts of the loader share. Private to core/policy.
 *
 * The loader walks the document's tree once and fills a policy that nobody else can see yet. The
 * first problem ends it, with the place in the file; what is odd but clear becomes a lint. */
#ifndef LEX_POLICY_LOAD_H
#define LEX_POLICY_LOAD_H

#include "core/base/json.h"
#include "core/policy/model.h"

/* X => Y between two terms of one kind. */
struct lex_edge {
    lex_term_id from, to;
    size_t at;
};

/* Worse first: the order in which lints are shown. */
enum lex_lint_rank { LEX_LINT_DANGER, LEX_LINT_DOUBT, LEX_LINT_STYLE };
struct lex_raw_lint {
    enum lex_lint_rank rank;
    size_t at;
    struct lex_span text;
};

struct lex_loader {
    struct lex_policy *policy;
    struct lex_arena tree; /* the document's nodes; gone when loading ends */
    const struct lex_json *root;
    const char *source;
    struct lex_error *err;
    struct lex_names created[LEX_KIND_COUNT]; /* canonical names of undeclared terms */
    struct lex_edge *edges[LEX_KIND_COUNT];
    size_t edges_count[LEX_KIND_COUNT], edges_capacity[LEX_KIND_COUNT];
    struct lex_raw_lint *lints;
    size_t lints_count, lints_capacity, lints_dropped;
    size_t guesses_left; /* comparisons that "did you mean" may still make */
};

/* ---- read.c: errors, lints, members ---- */

/* Fill the error as "source:line:column: text" and return `status`. */
enum lex_status lex_load_fail(struct lex_loader *loader, enum lex_status status, size_t at,
                              const char *format, ...) __attribute__((format(printf, 4, 5)));
enum lex_status lex_load_no_memory(struct lex_loader *loader);
void lex_load_lint(struct lex_loader *loader, enum lex_lint_rank rank, size_t at,
                   const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Sort the lints, find their lines, move them into the policy. */
LEX_STATUS lex_load_finish_lints(struct lex_loader *loader);

/* A span that lives as long as the policy. Absent when out of memory. */
struct lex_span lex_load_keep(struct lex_loader *loader, struct lex_span span);
/* Grow a heap vector to hold one item more. */
LEX_STATUS lex_load_grow(struct lex_loader *loader, void **items, size_t count, size_t *capacity,
                         size_t item_bytes);

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

/* ---- names.c, terms.c ---- */
LEX_STATUS lex_names_put(struct lex_names *names, struct lex_span text, struct lex_name name);
const struct lex_name *lex_names_find(const struct lex_names *names, struct lex_span text);
void lex_names_fini(struct lex_names *names);

LEX_STATUS lex_load_terms(struct lex_loader *loader);
/* What a rule's name in a position of `kind` means; an undeclared one becomes a term. */
LEX_STATUS lex_load_ref(struct lex_loader *loader, enum lex_kind kind, struct lex_span name,
                        size_t at, lex_term_id *ret_term);
/* Enter the names of the terms that rules made. Afterwards no name may be resolved any more. */
LEX_STATUS lex_load_finish_terms(struct lex_loader *loader);
/* Kind by prefix; LEX_KIND_COUNT when the name has none. */
enum lex_kind lex_kind_of_prefix(struct lex_span name);
LEX_STATUS lex_load_edge(struct lex_loader *loader, enum lex_kind kind, lex_term_id from,
                         lex_term_id to, size_t at);

/* ---- relations.c, conditions.c, constraints.c ---- */
LEX_STATUS lex_load_relations(struct lex_loader *loader);
LEX_STATUS lex_load_constraints(struct lex_loader *loader);
/* Where a condition stands decides which types it may have. */
enum lex_condition_place { LEX_PLACE_GRANT, LEX_PLACE_RESTRICTION, LEX_PLACE_TRIGGER };
/* `nodes` (NULL ones skipped): each a condition or a list of them; all together are one AND. */
LEX_STATUS lex_load_conditions(struct lex_loader *loader, enum lex_condition_place place,
                               const struct lex_json *const *nodes, size_t nodes_count,
                               const struct lex_condition **ret_items, uint32_t *ret_count);

/* A member that is a duration ("5m"), in seconds, at most INT32_MAX of them. */
LEX_STATUS lex_load_duration(struct lex_loader *loader, const struct lex_json *node,
                             const char *key, bool required, int64_t fallback, int64_t *ret);

/* ---- hierarchy.c, index.c, hash.c, lint.c: over the whole policy ---- */
LEX_STATUS lex_load_hierarchy(struct lex_loader *loader);
LEX_STATUS lex_load_index(struct lex_loader *loader);
LEX_STATUS lex_load_check_conflicts(struct lex_loader *loader); /* after the index */
LEX_STATUS lex_load_hashes(struct lex_loader *loader);
void lex_load_lint_policy(struct lex_loader *loader);

/* Canonical bytes of a document with its sets sorted (hash.c); the buffer's max bounds it. */
struct lex_buf;
void lex_policy_canonical(const struct lex_json *document, struct lex_buf *out);
/* The bytes that the reference system hashes. */
void lex_policy_legacy_canonical(const struct lex_json *document, struct lex_buf *out);

#endif
