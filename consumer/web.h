/* Web: one HTTP client for the two peers that the service speaks to as a client, the schema
 * registry and the collector of traces. The one door to libcurl.
 *
 * A peer is not trusted: its answer is bounded before it is kept, redirects are not followed (they
 * would carry the credentials elsewhere), only http and https are spoken, and every call ends after
 * its time. Proxies are taken from the environment as curl's users expect (http_proxy, no_proxy).
 */
#ifndef LEX_CONSUMER_WEB_H
#define LEX_CONSUMER_WEB_H

#include "core/base/span.h"
#include "core/base/status.h"

struct lex_web; /* one keep-alive connection; @thread one at a time */

struct lex_web_options {
    const char *ca_file;     /* PEM; NULL: the system's */
    int timeout_ms;          /* of a whole call */
    size_t answer_max_bytes; /* a longer body is LEX_LIMIT */
    /* Once true, a call that waits ends within a second, LEX_RETRY; may be NULL. */
    const _Atomic bool *cancel;
};

/* Before any thread uses the library. @thread main, once */
LEX_STATUS lex_web_init(struct lex_error *err);
LEX_STATUS lex_web_new(const struct lex_web_options *options, struct lex_web **ret_web,
                       struct lex_error *err);
void lex_web_free(struct lex_web *web);

enum { LEX_WEB_HEADERS_MAX = 32 };
struct lex_web_request {
    const char *method; /* "GET", "POST" */
    const char *url;
    const char *headers[LEX_WEB_HEADERS_MAX]; /* "Name: value", NULL-terminated if fewer */
    struct lex_span body;
};
struct lex_web_answer {
    int status;            /* any HTTP status is an answer */
    int64_t retry_after_s; /* Retry-After in seconds (RFC 9110, 10.2.3), -1 without one */
    struct lex_span body;  /* until the next call */
};
/* @errors LEX_REJECT no URL of http or https, or one with credentials in it: err says which */
LEX_STATUS lex_web_check_url(const char *url, struct lex_error *err);

/* @errors LEX_RETRY nobody answered: refused, no such name, TLS, time is up; err says which
 *         LEX_LIMIT the answer is over answer_max_bytes; LEX_REJECT a URL or header that cannot be
 * sent
 */
LEX_STATUS lex_web_call(struct lex_web *web, const struct lex_web_request *request,
                        struct lex_web_answer *ret_answer, struct lex_error *err);

#endif
