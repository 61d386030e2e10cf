#include "consumer/web.h"

#include <curl/curl.h>
#include <stdlib.h>

#include "core/base/buf.h"

/* A header section that never ends is an endless answer too; curl bounds a line, not their sum. */
enum { HEADERS_MAX_BYTES = 64 << 10, CONNECTIONS_MAX = 1 };

struct lex_web {
    CURL *curl; /* keeps the connection between calls */
    char *ca_file;
    long timeout_ms;
    const _Atomic bool *cancel;
    struct lex_buf body;
    size_t header_bytes;
    char error[CURL_ERROR_SIZE]; /* curl's words; they name hosts, never credentials */
};

LEX_STATUS lex_web_init(struct lex_error *err)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return lex_fail(err, LEX_LIMIT, "libcurl does not start");
    return LEX_OK;
}

LEX_STATUS lex_web_new(const struct lex_web_options *options, struct lex_web **ret_web,
                       struct lex_error *err)
{
    struct lex_web *web = calloc(1, sizeof *web);
    if (web != NULL) {
        web->curl = curl_easy_init();
        web->ca_file = options->ca_file == NULL ? NULL : strdup(options->ca_file);
        web->timeout_ms = options->timeout_ms;
        web->cancel = options->cancel;
        lex_buf_init(&web->body, options->answer_max_bytes);
    }
    if (web == NULL || web->curl == NULL || (options->ca_file != NULL && web->ca_file == NULL)) {
        lex_web_free(web);
        return lex_fail(err, LEX_LIMIT, "out of memory");
    }
    *ret_web = web;
    return LEX_OK;
}

void lex_web_free(struct lex_web *web)
{
    if (web == NULL)
        return;
    curl_easy_cleanup(web->curl);
    free(web->ca_file);
    lex_buf_fini(&web->body);
    free(web);
}

/* ---- what curl calls, on the caller's thread ---- */

static size_t on_body(char *data, size_t size, size_t count, void *user)
{
    struct lex_web *web = user;
    lex_buf_put(&web->body, data, size * count);
    return lex_buf_ok(&web->body) ? size * count : 0;
}

static size_t on_header(char *data, size_t size, size_t count, void *user)
{
    struct lex_web *web = user;
    (void)data;
    web->header_bytes += size * count;
    return web->header_bytes <= HEADERS_MAX_BYTES ? size * count : 0;
}

static int on_progress(void *user, curl_off_t down_max, curl_off_t down, curl_off_t up_max,
                       curl_off_t up)
{
    const struct lex_web *web = user;
    (void)down_max, (void)down, (void)up_max, (void)up;
    return web->cancel != NULL && *web->cancel ? 1 : 0;
}

/* ---- a call ---- */

/* Nothing that could end a line and begin one of its own. */
static bool is_one_line(const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c != 0; c++)
        if (*c < 0x20 || *c == 0x7f)
            return false;
    return true;
}

/* Credentials in a URL end up in logs and process lists: they belong into a file. */
LEX_STATUS lex_web_check_url(const char *url, struct lex_error *err)
{
    CURLU *parts = curl_url();
    char *user = NULL;
    bool valid = parts != NULL && is_one_line(url) &&
                 (strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0) &&
                 curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK;
    bool named = valid && curl_url_get(parts, CURLUPART_USER, &user, 0) == CURLUE_OK;
    curl_free(user);
    curl_url_cleanup(parts);
    if (named)
        return lex_fail(err, LEX_REJECT,
                        "a URL must not carry a user or password: put them into the auth file");
    if (!valid)
        return lex_fail(err, LEX_REJECT,
                        "not a URL that can be called: expected http://HOST[:PORT]/PATH or https");
    return LEX_OK;
}

static void free_list(struct curl_slist **list)
{
    curl_slist_free_all(*list);
}

static enum lex_status add_header(struct curl_slist **list, const char *header,
                                  struct lex_error *err)
{
    if (!is_one_line(header))
        return lex_fail(err, LEX_REJECT, "a header has a line break or a control character");
    struct curl_slist *grown = curl_slist_append(*list, header);
    if (grown == NULL)
        return lex_fail(err, LEX_LIMIT, "out of memory");
    *list = grown;
    return LEX_OK;
}

static enum lex_status make_headers(const struct lex_web_request *request, struct curl_slist **list,
                                    struct lex_error *err)
{
    LEX_TRY(add_header(list, "Expect:", err)); /* a body at once, without asking first */
    for (size_t i = 0; i < LEX_WEB_HEADERS_MAX && request->headers[i] != NULL; i++)
        LEX_TRY(add_header(list, request->headers[i], err));
    return LEX_OK;
}

/* One table: curl's setters are a macro that wants each value's own type. */
static bool set_options(struct lex_web *web, const struct lex_web_request *request,
                        struct curl_slist *headers)
{
    CURL *c = web->curl;
    CURLcode bad = CURLE_OK;
    curl_easy_reset(c); /* options only: the connection stays */
    bad |= curl_easy_setopt(c, CURLOPT_URL, request->url);
    bad |= curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    bad |= curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    bad |= curl_easy_setopt(c, CURLOPT_MAXCONNECTS, (long)CONNECTIONS_MAX);
    bad |= curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L); /* threads: no SIGALRM, no SIGPIPE games */
    bad |= curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, web->timeout_ms);
    bad |= curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, web->timeout_ms);
    bad |= curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    bad |= curl_easy_setopt(c, CURLOPT_USERAGENT, "lexecon/" LEX_VERSION);
    bad |= curl_easy_setopt(c, CURLOPT_ERRORBUFFER, web->error);
    bad |= curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    bad |= curl_easy_setopt(c, CURLOPT_WRITEDATA, web);
    bad |= curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
    bad |= curl_easy_setopt(c, CURLOPT_HEADERDATA, web);
    bad |= curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
    bad |= curl_easy_setopt(c, CURLOPT_XFERINFODATA, web);
    bad |= curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    bad |= curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    if (web->ca_file != NULL)
        bad |= curl_easy_setopt(c, CURLOPT_CAINFO, web->ca_file);
    if (strcmp(request->method, "GET") == 0)
        return bad == CURLE_OK;
    bad |= curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
    bad |= curl_easy_setopt(c, CURLOPT_POSTFIELDS,
                            request->body.len == 0 ? "" : (const char *)request->body.data);
    bad |= curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, request->method);
    return bad == CURLE_OK;
}

static enum lex_status failed(const struct lex_web *web, CURLcode code, struct lex_error *err)
{
    if (!lex_buf_ok(&web->body))
        return lex_fail(err, LEX_LIMIT, "the answer is longer than %zu bytes", web->body.max);
    if (web->header_bytes > HEADERS_MAX_BYTES)
        return lex_fail(err, LEX_LIMIT, "the answer's headers are longer than %d bytes",
                        HEADERS_MAX_BYTES);
    if (code == CURLE_ABORTED_BY_CALLBACK)
        return lex_fail(err, LEX_RETRY, "the call was given up: the service stops");
    return lex_fail(err, LEX_RETRY, "no answer: %s",
                    web->error[0] != 0 ? web->error : curl_easy_strerror(code));
}

LEX_STATUS lex_web_call(struct lex_web *web, const struct lex_web_request *request,
                        struct lex_web_answer *ret_answer, struct lex_error *err)
{
    LEX_CLEANUP(free_list) struct curl_slist *headers = NULL;
    long status = 0;
    curl_off_t retry_after_s = 0;
    LEX_TRY(lex_web_check_url(request->url, err));
    LEX_TRY(make_headers(request, &headers, err));
    if (!set_options(web, request, headers))
        return lex_fail(err, LEX_REJECT, "libcurl refuses the request's options");
    lex_buf_clear(&web->body);
    web->header_bytes = 0;
    web->error[0] = 0;
    CURLcode code = curl_easy_perform(web->curl);
    (void)curl_easy_setopt(web->curl, CURLOPT_HTTPHEADER, NULL); /* `headers` ends here */
    if (code != CURLE_OK)
        return failed(web, code, err);
    (void)curl_easy_getinfo(web->curl, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(web->curl, CURLINFO_RETRY_AFTER, &retry_after_s);
    *ret_answer = (struct lex_web_answer){
        .status = (int)status,
        .retry_after_s = retry_after_s > 0 ? (int64_t)retry_after_s : -1,
        .body = lex_buf_span(&web->body),
    };
    return LEX_OK;
}
