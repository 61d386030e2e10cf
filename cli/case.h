/* Case: a request and everything that stands beside it, as JSON, for the commands that decide
 * offline: `decide`, `policy test`, `policy explain` and the examples of `policy diff` read and
 * write the same object, so that one can be pasted into the other.
 *
 *     {"name": "an agent reads", "request": {"actor": "model", "proposed_action": "read"},
 *      "facts": {"attested": {"mfa": true}}, "now": "2026-01-31T12:00:00Z", "mode": "strict",
 *      "expect": {"outcome": "approved"}}
 *
 * Only "request" is needed, and a bare request stands for itself. The service never reads this
 * form: there, facts come from verified statements and the clock is its own. */
#ifndef LEX_CLI_CASE_H
#define LEX_CLI_CASE_H

#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/codec/codec.h"
#include "core/decision/decision.h"
#include "core/history/history.h"

/* What every case of a run shares. */
struct lex_offline {
    struct lex_policy *policy;
    struct lex_codec *codec;
    struct lex_arena arena; /* a case's; reset between them */
    struct lex_buf facts;   /* a file's text */
    int64_t now_us;         /* a case's clock where it names none; INT64_MIN: the wall's */
    enum lex_mode mode;     /* the server's, likewise */
};

/* @param policy_path a file or a directory
 * @errors LEX_REJECT the policy does not load: err names the place; LEX_LIMIT memory */
LEX_STATUS lex_offline_init(struct lex_offline *offline, const char *policy_path,
                            struct lex_error *err);
/* Facts for cases that bring none, read once and checked. @errors LEX_REJECT err names the place */
LEX_STATUS lex_offline_facts(struct lex_offline *offline, const char *path, struct lex_error *err);
/* @param text NULL leaves it as it is. @errors LEX_REJECT */
LEX_STATUS lex_offline_now(struct lex_offline *offline, const char *text, struct lex_error *err);
LEX_STATUS lex_offline_mode(struct lex_offline *offline, const char *text, struct lex_error *err);
/* Also of one that was never initialised but zeroed. */
void lex_offline_fini(struct lex_offline *offline);

struct lex_case {
    struct lex_span name, now_text; /* absent where the case has none */
    struct lex_request request;
    struct lex_facts facts;
    struct lex_history *history; /* owned */
    enum lex_mode mode;
    int64_t now_us;
    const struct lex_json *expect; /* NULL: none */
    size_t at;                     /* byte offset of the case */
};

/* The document that a case stands in. */
struct lex_case_text {
    const char *source; /* for "source:line:column:"; NULL: "line n column n:" alone */
    struct lex_span text;
};

/* @param expecting whether "expect" may stand here
 * @owns   ret_case until lex_case_fini; its strings live in the offline arena and the text
 * @errors LEX_REJECT err names the place and what was expected; LEX_LIMIT memory
 * @post   on failure ret_case->request.request_id is set where the request has one, to be echoed */
LEX_STATUS lex_case_read(struct lex_offline *offline, const struct lex_case_text *document,
                         const struct lex_json *node, bool expecting, struct lex_case *ret_case,
                         struct lex_error *err);
/* The same from a whole text. */
LEX_STATUS lex_case_parse(struct lex_offline *offline, const struct lex_case_text *document,
                          struct lex_case *ret_case, struct lex_error *err);
void lex_case_fini(struct lex_case *one);
/* What lex_decide reads; borrows from both. */
struct lex_decide_input lex_case_input(const struct lex_offline *offline,
                                       const struct lex_case *one);

/* Fill the error with the place of a byte offset and return LEX_REJECT. */
enum lex_status lex_case_fail(const struct lex_case_text *document, size_t at,
                              struct lex_error *err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Refuse members of `object` that are not in `known` (it ends with NULL), with the nearest one;
 * members of one's own begin with x_. */
LEX_STATUS lex_case_known_members(const struct lex_case_text *document,
                                  const struct lex_json *object, const char *const *known,
                                  struct lex_error *err);
/* The nearest of `known` at distance 2 or less, NULL when there is none. */
const char *lex_case_nearest(struct lex_span text, const char *const *known);

/* ---- decisions as JSON ---- */

/* A decision's members, without the braces: "outcome" to "warnings". */
void lex_put_decision(struct lex_buf *out, const struct lex_decision *decision);
void lex_put_obligation(struct lex_buf *out, const struct lex_obligation *obligation);
/* ,"policy":{"id":..,"version":..,"hash":..} */
void lex_put_policy(struct lex_buf *out, const struct lex_policy_info *info);
/* ,"name":"text", nothing where it is absent. */
void lex_put_member(struct lex_buf *out, const char *name, struct lex_span text);
/* ["..",".."] */
void lex_put_list(struct lex_buf *out, const struct lex_span_list *list);

#endif
