/* Policy: a loaded, compiled, immutable policy snapshot.
 *
 * A snapshot is built off-line and never changes; whoever holds a reference may read it from any
 * thread. Loading either gives a whole snapshot or an error and nothing else, so a bad file can
 * never leave half a policy in force. */
#ifndef LEX_POLICY_POLICY_H
#define LEX_POLICY_POLICY_H

#include "core/base/status.h"
#include "schemas/records.h"

enum { LEX_POLICY_MAX_BYTES = 64 << 20 };

struct lex_policy; /* opaque; its compiled shape (model.h) is for core/policy and core/decision */

/* What the outside may know of a snapshot. All spans live as long as the snapshot. */
struct lex_policy_info {
    struct lex_span id;         /* policy_id, else name, else "policy" */
    struct lex_span version;    /* absent when the document names none */
    uint8_t hash[32];           /* policy.md section 10: canonical, order-free */
    uint8_t legacy_hash[32];    /* the reference system's hash */
    enum lex_mode mode;         /* the document's; LEX_MODE_STRICT when it names none */
    struct lex_span document;   /* the source text, byte for byte */
    int64_t effective_from_us;  /* INT64_MIN when absent */
    int64_t effective_until_us; /* INT64_MAX when absent; exclusive */
    size_t terms, relations, constraints;
    size_t documents_count, shadows_count;
    bool asks_facts, asks_approvals; /* an attestation of that kind could change a decision */
    bool remembers; /* a rate limit or a conflict between actions: decisions need the partition's
                       history */
    uint8_t history_hash[32]; /* of what the history must hold: two policies with the same one read
                                 the same history */
};

/* One document of a policy: a file of a directory, a record of the policy topic. */
struct lex_policy_document {
    const char *source;   /* for messages: a file's name */
    struct lex_span text; /* byte for byte */
    struct lex_span id, version;
    uint8_t hash[32], legacy_hash[32];
    bool log_only; /* "enforcement": "log_only" */
};

/* Parse, validate and compile one document, or an array of documents: the text of a policy that was
 * loaded from several (info.document) is such an array, and loads as the same policy.
 * @param source  a file name for messages: "source:line:column: problem"
 * @owns   the text is copied; the snapshot starts with one reference
 * @errors LEX_REJECT err names file, line, column, what was expected; LEX_LIMIT over a ceiling
 * @thread any */
LEX_STATUS lex_policy_load(struct lex_span text, const char *source, struct lex_policy **ret_policy,
                           struct lex_error *err);
/* The same from a file, or from the *.json files of a directory, which are one policy together
 * (policy.md section 10, "Several documents"): terms and rules unite, rule ids become
 * `policy_id/id`, a forbid wins. The ones that are log_only become shadows; if all are, an error.
 */
LEX_STATUS lex_policy_load_path(const char *path, struct lex_policy **ret_policy,
                                struct lex_error *err);
/* The same from texts. @param documents source and text are read; the rest is filled in the copy
 * that the snapshot keeps. The outcome does not depend on their order. */
enum { LEX_POLICY_MAX_DOCUMENTS = 256 };
LEX_STATUS lex_policy_load_documents(const struct lex_policy_document *documents, size_t count,
                                     struct lex_policy **ret_policy, struct lex_error *err);
const struct lex_policy_document *lex_policy_documents(const struct lex_policy *policy,
                                                       size_t *ret_count);
/* Policies that are evaluated beside this one and change nothing; they live as long as it does. */
const struct lex_policy *lex_policy_shadow(const struct lex_policy *policy, size_t index);

struct lex_policy *lex_policy_ref(struct lex_policy *policy); /* atomic; returns its argument */
void lex_policy_unref(struct lex_policy *policy);             /* NULL is fine */
const struct lex_policy_info *lex_policy_info(const struct lex_policy *policy);

/* Lints of a loaded snapshot, worst first: each with line and column in the document. */
struct lex_policy_lint {
    unsigned line, column;
    const char *source; /* of its document */
    const char *rank;   /* "danger", "doubt", "style" */
    const char *kind;   /* a stable word for tools: "unreachable_permit", lints.def */
    struct lex_span text;
};
size_t lex_policy_lints(const struct lex_policy *policy, const struct lex_policy_lint **ret_lints);

/* What is wrong with a name ("is empty", "has a control character", ...), NULL when nothing is: 1
 * to 512 bytes of UTF-8 without control characters. For policies and requests alike. */
const char *lex_name_problem(struct lex_span name);

/* The one name of an actor, however it is spelled: the canonical name of the term that `name`
 * means; `name` itself where it means none, or more than one. */
struct lex_span lex_policy_actor_name(const struct lex_policy *policy, struct lex_span name);

/* Compare two version strings as policy.md section 10 does: dot-separated numbers as such, all
 * others above those and among themselves by bytes; an absent one is never older. <0, 0, >0. */
int lex_policy_version_cmp(struct lex_span a, struct lex_span b);

#endif
