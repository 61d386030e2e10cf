/* A small HTTP server for tests of its clients: a thread that answers what the test says, one
 * connection at a time, and keeps what it was asked. */
#ifndef LEX_TESTS_WEB_FIXTURE_H
#define LEX_TESTS_WEB_FIXTURE_H

#include "tests/unit/lex_check.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/buf.h"

enum { WEB_ASKED_MAX = 256 << 10 };

struct web_server {
    int fd;
    uint16_t port;
    char url[64];
    pthread_t thread;
    _Atomic bool stop, hangs; /* hangs: takes connections and answers nothing */
    _Atomic int calls;
    pthread_mutex_t lock;      /* over `asked` */
    char asked[WEB_ASKED_MAX]; /* the last request, headers and body */
    /* Fill in the whole answer; `path` is the request's. On the server's thread. */
    void (*answer)(const char *method, const char *path, int call, struct lex_buf *out);
};

static struct web_server web_server;

static void web_answer(struct lex_buf *out, const char *status, const char *headers,
                       struct lex_span body)
{
    lex_buf_printf(out, "HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: %zu\r\n%s\r\n", status,
                   body.len, headers);
    lex_buf_put_span(out, body);
}

static size_t web_body_bytes(const char *asked)
{
    const char *at = strcasestr(asked, "content-length:");
    return at == NULL ? 0 : (size_t)atol(at + 15);
}

/* Until the blank line and the body behind it. */
static bool web_read(struct web_server *s, int fd, char *asked)
{
    size_t len = 0;
    for (;;) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        if (s->stop || poll(&ready, 1, 50) < 0)
            return false;
        if (ready.revents == 0)
            continue;
        ssize_t n = recv(fd, asked + len, WEB_ASKED_MAX - 1 - len, 0);
        if (n <= 0)
            return false;
        len += (size_t)n;
        asked[len] = 0;
        const char *end = strstr(asked, "\r\n\r\n");
        if (end != NULL && len >= (size_t)(end + 4 - asked) + web_body_bytes(asked))
            return true;
    }
}

static void web_send(int fd, const struct lex_buf *out)
{
    for (size_t at = 0; at < out->len;) {
        ssize_t n = send(fd, out->data + at, out->len - at, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        at += (size_t)n;
    }
}

static void web_serve(struct web_server *s, int fd)
{
    static char asked[WEB_ASKED_MAX];
    char method[16] = "", path[1024] = "";
    struct lex_buf out;
    if (!web_read(s, fd, asked))
        return;
    pthread_mutex_lock(&s->lock);
    memcpy(s->asked, asked, sizeof asked);
    pthread_mutex_unlock(&s->lock);
    int call = s->calls++;
    while (s->hangs && !s->stop)
        usleep(10000);
    (void)sscanf(asked, "%15s %1023s", method, path);
    lex_buf_init(&out, 64 << 20);
    s->answer(method, path, call, &out);
    web_send(fd, &out);
    lex_buf_fini(&out);
}

static void *web_run(void *user)
{
    struct web_server *s = user;
    while (!s->stop) {
        struct pollfd ready = {.fd = s->fd, .events = POLLIN};
        int client = poll(&ready, 1, 50) > 0 ? accept(s->fd, NULL, NULL) : -1;
        if (client < 0)
            continue;
        web_serve(s, client);
        shutdown(client, SHUT_WR);
        char rest[4096]; /* read what is left, or the client might lose the answer to a reset */
        while (recv(client, rest, sizeof rest, MSG_DONTWAIT) > 0)
            ;
        close(client);
    }
    return NULL;
}

/* A port of its own, on which nobody listens before web_listen. */
static void web_bind(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    web_server.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(web_server.fd, (struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(getsockname(web_server.fd, (struct sockaddr *)&at, &len), 0);
    web_server.port = ntohs(at.sin_port);
    snprintf(web_server.url, sizeof web_server.url, "http://127.0.0.1:%u", web_server.port);
    pthread_mutex_init(&web_server.lock, NULL);
    unsetenv("http_proxy"); /* this machine's has no way to 127.0.0.1 */
    unsetenv("all_proxy");
    unsetenv("ALL_PROXY");
}

static void web_listen(void (*answer)(const char *, const char *, int, struct lex_buf *))
{
    web_server.answer = answer;
    ck_assert_int_eq(listen(web_server.fd, 16), 0);
    ck_assert_int_eq(pthread_create(&web_server.thread, NULL, web_run, &web_server), 0);
}

static inline void web_start(void (*answer)(const char *, const char *, int, struct lex_buf *))
{
    web_bind();
    web_listen(answer);
}

static inline void web_stop(void)
{
    web_server.stop = true;
    pthread_join(web_server.thread, NULL);
    close(web_server.fd);
}

/* Whether the last request had this in it. */
static inline bool web_was_asked(const char *text)
{
    pthread_mutex_lock(&web_server.lock);
    bool found = strstr(web_server.asked, text) != NULL;
    pthread_mutex_unlock(&web_server.lock);
    return found;
}

#endif
