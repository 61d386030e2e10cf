/* Web: what a peer may do to its client, and what the client sends. */
#include "tests/unit/web_fixture.h"

#include "consumer/web.h"
#include "core/base/clock.h"

enum { ANSWER_MAX = 1000, TIMEOUT_MS = 1500 };

static struct lex_web *web;
static struct lex_web_answer answer;
static struct lex_error err;
static _Atomic bool cancel;

static void open_web(int timeout_ms)
{
    struct lex_web_options options = {
        .timeout_ms = timeout_ms, .answer_max_bytes = ANSWER_MAX, .cancel = &cancel};
    ck_assert_int_eq(lex_web_init(&err), LEX_OK);
    ck_assert_int_eq(lex_web_new(&options, &web, &err), LEX_OK);
}

static void start(void (*how)(const char *, const char *, int, struct lex_buf *))
{
    web_start(how);
    open_web(TIMEOUT_MS);
}

static void stop(void)
{
    lex_web_free(web);
    web_stop();
}

static enum lex_status ask(const char *url)
{
    struct lex_web_request request = {.method = "GET", .url = url, .headers = {"X-Name: value"}};
    return lex_web_call(web, &request, &answer, &err);
}

static void say_hello(const char *method, const char *path, int call, struct lex_buf *out)
{
    (void)method, (void)path, (void)call;
    web_answer(out, "200 OK", "", LEX_SPAN("hello"));
}

START_TEST(an_answer_comes_with_its_status_and_body)
{
    start(say_hello);
    ck_assert_int_eq(ask(web_server.url), LEX_OK);
    ck_assert_int_eq(answer.status, 200);
    ck_assert_int_eq(answer.retry_after_s, -1);
    ck_assert_span_eq(answer.body, "hello");
    ck_assert(web_was_asked("GET / HTTP/1.1\r\n"));
    ck_assert(web_was_asked("\r\nX-Name: value\r\n"));
    stop();
}
END_TEST

START_TEST(a_body_is_posted_whole)
{
    static uint8_t body[5000] = {'a', 0, 'b'};
    char url[128];
    start(say_hello);
    snprintf(url, sizeof url, "%s/some/path", web_server.url);
    struct lex_web_request request = {
        .method = "POST", .url = url, .headers = {NULL}, .body = lex_span_of(body, sizeof body)};
    ck_assert_int_eq(lex_web_call(web, &request, &answer, &err), LEX_OK);
    ck_assert(web_was_asked("POST /some/path HTTP/1.1\r\n"));
    ck_assert(web_was_asked("Content-Length: 5000\r\n"));
    ck_assert(!web_was_asked("Expect:"));
    stop();
}
END_TEST

static size_t body_bytes;
static void say_so_much(const char *method, const char *path, int call, struct lex_buf *out)
{
    static uint8_t zeros[10 * ANSWER_MAX];
    (void)method, (void)path, (void)call;
    web_answer(out, "200 OK", "", lex_span_of(zeros, body_bytes));
}

START_TEST(an_answer_at_its_ceiling_is_taken_and_one_byte_more_is_not)
{
    start(say_so_much);
    body_bytes = ANSWER_MAX;
    ck_assert_int_eq(ask(web_server.url), LEX_OK);
    ck_assert_uint_eq(answer.body.len, ANSWER_MAX);
    body_bytes = ANSWER_MAX + 1;
    ck_assert_int_eq(ask(web_server.url), LEX_LIMIT);
    ck_assert_ptr_nonnull(strstr(err.text, "longer than 1000 bytes"));
    body_bytes = 1; /* and the next call starts anew */
    ck_assert_int_eq(ask(web_server.url), LEX_OK);
    ck_assert_uint_eq(answer.body.len, 1);
    stop();
}
END_TEST

static void say_many_headers(const char *method, const char *path, int call, struct lex_buf *out)
{
    (void)method, (void)path, (void)call;
    lex_buf_puts(out, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n");
    for (int i = 0; i < 2000; i++)
        lex_buf_printf(out, "X-%d: 0123456789012345678901234567890123456789\r\n", i);
    lex_buf_puts(out, "\r\n");
}

START_TEST(headers_without_end_are_refused)
{
    start(say_many_headers);
    ck_assert_int_eq(ask(web_server.url), LEX_LIMIT);
    ck_assert_ptr_nonnull(strstr(err.text, "headers"));
    stop();
}
END_TEST

static void redirect(const char *method, const char *path, int call, struct lex_buf *out)
{
    char location[128];
    (void)method, (void)path, (void)call;
    snprintf(location, sizeof location, "Location: %s/elsewhere\r\nRetry-After: 7\r\n",
             web_server.url);
    web_answer(out, "302 Found", location, LEX_SPAN(""));
}

START_TEST(a_redirect_is_an_answer_and_nothing_to_follow)
{
    start(redirect);
    ck_assert_int_eq(ask(web_server.url), LEX_OK);
    ck_assert_int_eq(answer.status, 302);
    ck_assert_int_eq(answer.retry_after_s, 7);
    ck_assert_int_eq(web_server.calls, 1);
    stop();
}
END_TEST

START_TEST(a_peer_that_says_nothing_costs_the_time_of_a_call)
{
    int64_t begin_us = lex_clock_mono_us();
    web_start(say_hello);
    open_web(300);
    web_server.hangs = true;
    ck_assert_int_eq(ask(web_server.url), LEX_RETRY);
    ck_assert_ptr_nonnull(strstr(err.text, "no answer"));
    ck_assert_int_lt(lex_clock_mono_us() - begin_us, 5 * 1000 * 1000);
    web_server.hangs = false;
    stop();
}
END_TEST

static void *cancel_soon(void *user)
{
    usleep(200 * 1000);
    cancel = true;
    return user;
}

START_TEST(a_call_that_waits_is_given_up_at_once)
{
    pthread_t thread;
    int64_t begin_us = lex_clock_mono_us();
    web_start(say_hello);
    open_web(60000);
    web_server.hangs = true;
    ck_assert_int_eq(pthread_create(&thread, NULL, cancel_soon, NULL), 0);
    ck_assert_int_eq(ask(web_server.url), LEX_RETRY);
    ck_assert_ptr_nonnull(strstr(err.text, "given up"));
    ck_assert_int_lt(lex_clock_mono_us() - begin_us, 20 * 1000 * 1000);
    pthread_join(thread, NULL);
    stop();
}
END_TEST

START_TEST(nobody_there_is_to_be_tried_again)
{
    web_bind(); /* and never listens */
    open_web(TIMEOUT_MS);
    ck_assert_int_eq(ask(web_server.url), LEX_RETRY);
    ck_assert_ptr_nonnull(strstr(err.text, "no answer: "));
    lex_web_free(web);
    close(web_server.fd);
}
END_TEST

START_TEST(only_http_without_credentials_is_called)
{
    static const char *const bad[] = {
        "",        "ftp://127.0.0.1/", "file:///etc/passwd", "127.0.0.1:80",
        "http://", "http://a b/",      "http://a/\r\nX: y",  "https:/a"};
    open_web(TIMEOUT_MS);
    for (size_t i = 0; i < LEX_COUNT_OF(bad); i++) {
        ck_assert_msg(ask(bad[i]) == LEX_REJECT, "%s was called", bad[i]);
        ck_assert_msg(lex_web_check_url(bad[i], &err) == LEX_REJECT, "%s", bad[i]);
    }
    ck_assert_int_eq(ask("http://me:secret@127.0.0.1/"), LEX_REJECT);
    ck_assert_ptr_nonnull(strstr(err.text, "auth file"));
    ck_assert_ptr_null(strstr(err.text, "secret"));
    ck_assert_int_eq(lex_web_check_url("https://registry.example:8081/path", &err), LEX_OK);
    lex_web_free(web);
}
END_TEST

START_TEST(a_header_cannot_bring_another)
{
    start(say_hello);
    struct lex_web_request request = {
        .method = "GET", .url = web_server.url, .headers = {"X: a\r\nY: b"}};
    ck_assert_int_eq(lex_web_call(web, &request, &answer, &err), LEX_REJECT);
    ck_assert_int_eq(web_server.calls, 0);
    stop();
}
END_TEST

LEX_CHECK_MAIN("web", an_answer_comes_with_its_status_and_body, a_body_is_posted_whole,
               an_answer_at_its_ceiling_is_taken_and_one_byte_more_is_not,
               headers_without_end_are_refused, a_redirect_is_an_answer_and_nothing_to_follow,
               a_peer_that_says_nothing_costs_the_time_of_a_call,
               a_call_that_waits_is_given_up_at_once, nobody_there_is_to_be_tried_again,
               only_http_without_credentials_is_called, a_header_cannot_bring_another)
