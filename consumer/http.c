#include "consumer/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/metrics.h"
#include "core/crypto/jwt.h"
#include "core/identity/token.h"

/* One client. libmicrohttpd's own time-out starts anew with every byte, so a client that sends one
 * now and then would keep its place for ever; `since` is what it cannot move. */
struct client {
    bool used;
    int fd;
    int64_t since_mono_us; /* connected, or answered last */
    int64_t request_mono_us;
    const char *method, *endpoint; /* of the request being answered; bounded words */
};

struct lex_http {
    const struct lex_config *config;
    const struct lex_health *health;
    _Atomic(const struct lex_keyring *) keyring; /* NULL until there are keys */
    struct MHD_Daemon *daemon;
    pthread_t thread;
    _Atomic bool stop;
    uint16_t port;
    struct client clients[LEX_HTTP_CONNECTIONS_MAX]; /* the HTTP thread's */
};

enum { WAIT_MS = 200, BODY_MAX_BYTES = 64 << 10 };

/* ---- the API key ---- */

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

/* Read anew for each request, so that a rotated key needs no restart.
 * @return its length without trailing blanks; 0 when there is none to be had */
static size_t read_api_key(const char *path, uint8_t key[LEX_HTTP_API_KEY_MAX_BYTES + 1])
{
    LEX_CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, key, LEX_HTTP_API_KEY_MAX_BYTES + 1);
    if (n <= 0 || n > LEX_HTTP_API_KEY_MAX_BYTES)
        return 0;
    size_t len = (size_t)n;
    while (len > 0 && strchr(" \t\r\n", key[len - 1]) != NULL)
        len--;
    return len;
}

/* In a time that does not depend on where the first difference is. */
static bool same_secret(const uint8_t *key, size_t key_len, const char *given)
{
    size_t given_len = strlen(given);
    volatile uint8_t difference = given_len != key_len;
    for (size_t i = 0; i < key_len; i++)
        difference |= (uint8_t)(key[i] ^ (given_len > 0 ? (uint8_t)given[i % given_len] : 0));
    return difference == 0;
}

/* Without a readable key nobody gets in: a lost file must not open the door. */
static bool authorized(const struct lex_http *http, struct MHD_Connection *connection)
{
    static const char scheme[] = "Bearer ";
    if (http->config->api_key_file == NULL)
        return true;
    uint8_t key[LEX_HTTP_API_KEY_MAX_BYTES + 1];
    size_t len = read_api_key(http->config->api_key_file, key);
    const char *header =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION);
    if (len == 0 || header == NULL || strncasecmp(header, scheme, strlen(scheme)) != 0)
        return false;
    return same_secret(key, len, header + strlen(scheme));
}

/* ---- answers ---- */

struct answer {
    unsigned status;
    const char *content_type;
    const char *cache_control;
    struct lex_buf body;
};

static const char json_type[] = "application/json; charset=utf-8";

static void answer_probe(const struct lex_http *http, enum lex_health_probe probe,
                         struct answer *answer)
{
    bool good = lex_health_write(http->health, probe, lex_clock_mono_us(), &answer->body);
    answer->status = good ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
}

static void get_health(const struct lex_http *http, struct MHD_Connection *connection,
                       struct answer *answer)
{
    (void)connection;
    answer_probe(http, LEX_PROBE_HEALTH, answer);
}

static void get_live(const struct lex_http *http, struct MHD_Connection *connection,
                     struct answer *answer)
{
    (void)connection;
    answer_probe(http, LEX_PROBE_LIVE, answer);
}

static void get_ready(const struct lex_http *http, struct MHD_Connection *connection,
                      struct answer *answer)
{
    (void)connection;
    answer_probe(http, LEX_PROBE_READY, answer);
}

static void get_startup(const struct lex_http *http, struct MHD_Connection *connection,
                        struct answer *answer)
{
    (void)connection;
    answer_probe(http, LEX_PROBE_STARTUP, answer);
}

static void get_metrics(const struct lex_http *http, struct MHD_Connection *connection,
                        struct answer *answer)
{
    if (!authorized(http, connection)) {
        answer->status = MHD_HTTP_UNAUTHORIZED;
        lex_buf_puts(&answer->body, "{\"error\":\"expected Authorization: Bearer <key>\"}\n");
        return;
    }
    const char *accept =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
    bool openmetrics = accept != NULL && strstr(accept, "application/openmetrics-text") != NULL;
    lex_health_to_metrics(http->health, lex_clock_mono_us());
    lex_metric_set(LEX_METRIC_ACTIVE_TOKENS,
                   (double)lex_token_active_count(lex_clock_wall_us() / 1000000));
    answer->content_type = lex_metrics_content_type(openmetrics);
    answer->body.max = LEX_METRIC_PAGE_MAX;
    lex_metrics_write(&answer->body, openmetrics);
}

/* Short enough that a gateway sees a new key before the old one's tokens have gone. */
#define JWKS_CACHE_CONTROL "public, max-age=300"
static const char jwks_type[] = "application/jwk-set+json"; /* RFC 7517 section 8.5.2 */

static void get_jwks(const struct lex_http *http, struct MHD_Connection *connection,
                     struct answer *answer)
{
    (void)connection;
    const struct lex_keyring *keyring = atomic_load(&http->keyring);
    char kid[LEX_KID_HEX_BYTES];
    struct lex_jwk jwk;
    if (keyring == NULL) {
        answer->status = MHD_HTTP_SERVICE_UNAVAILABLE;
        lex_buf_puts(&answer->body, "{\"error\":\"this node has no keys yet\"}\n");
        return;
    }
    bool newer = http->config->token_alg == LEX_TOKEN_ALG_ED25519;
    lex_jwk_of_keyring(keyring, newer ? LEX_JWT_ED25519 : LEX_JWT_EDDSA, kid, &jwk);
    answer->content_type = jwks_type;
    answer->cache_control = JWKS_CACHE_CONTROL;
    /* a body over its ceiling is noticed once, for all pages */
    (void)!lex_jwks_write(&(struct lex_jwk_list){&jwk, 1}, &answer->body);
}

static void get_version(const struct lex_http *http, struct MHD_Connection *connection,
                        struct answer *answer)
{
    (void)connection;
    lex_buf_puts(&answer->body,
                 "{\"name\":\"lexecon\",\"version\":\"" LEX_VERSION "\",\"node_id\":");
    lex_buf_put_json(&answer->body, lex_span_str(http->config->node_id));
    lex_buf_puts(&answer->body, "}\n");
}

static const struct endpoint {
    const char *path;
    void (*get)(const struct lex_http *http, struct MHD_Connection *connection,
                struct answer *answer);
} endpoints[] = {
    {"/health", get_health},
    {"/health/live", get_live},
    {"/health/ready", get_ready},
    {"/health/startup", get_startup},
    {"/metrics", get_metrics},
    {"/version", get_version},
    {"/.well-known/jwks.json", get_jwks},
};

static const struct endpoint *find_endpoint(const char *path)
{
    for (size_t i = 0; i < LEX_COUNT_OF(endpoints); i++)
        if (strcmp(endpoints[i].path, path) == 0)
            return &endpoints[i];
    return NULL;
}

/* What is asked for every few seconds stands at 0 before it is asked for the first time. */
static void preset_series(void)
{
    for (size_t i = 0; i < LEX_COUNT_OF(endpoints); i++) {
        const struct lex_span labels[] = {LEX_SPAN("GET"), lex_span_str(endpoints[i].path),
                                          LEX_SPAN("200")};
        (void)lex_metric_series(LEX_METRIC_HTTP_REQUESTS, labels, 3);
        (void)lex_metric_series(LEX_METRIC_HTTP_REQUEST_DURATION, labels, 2);
    }
}

/* Hand the body over to libmicrohttpd, which frees it. */
static enum MHD_Result send_answer(struct MHD_Connection *connection, struct answer *answer)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(answer->body.len, answer->body.data, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        lex_buf_fini(&answer->body);
        return MHD_NO;
    }
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->content_type);
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, answer->cache_control);
    (void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (answer->status == MHD_HTTP_UNAUTHORIZED)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    if (answer->status == MHD_HTTP_METHOD_NOT_ALLOWED)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    enum MHD_Result result = MHD_queue_response(connection, answer->status, response);
    MHD_destroy_response(response);
    return result;
}

static void make_answer(const struct lex_http *http, struct MHD_Connection *connection,
                        bool readable, const struct endpoint *endpoint, struct answer *answer)
{
    if (!readable) {
        answer->status = MHD_HTTP_METHOD_NOT_ALLOWED;
        lex_buf_puts(&answer->body, "{\"error\":\"only GET and HEAD\"}\n");
    } else if (endpoint == NULL) {
        answer->status = MHD_HTTP_NOT_FOUND;
        lex_buf_puts(&answer->body, "{\"error\":\"no such page\"}\n");
    } else {
        endpoint->get(http, connection, answer);
    }
    if (lex_buf_ok(&answer->body))
        return;
    lex_buf_clear(&answer->body);
    answer->status = MHD_HTTP_INTERNAL_SERVER_ERROR;
    answer->content_type = json_type;
    answer->cache_control = "no-store";
    lex_buf_puts(&answer->body, "{\"error\":\"the answer is too large\"}\n");
}

static void count_request(const struct client *client, unsigned code)
{
    char status[16];
    (void)snprintf(status, sizeof status, "%u", code);
    const struct lex_span labels[] = {lex_span_str(client->method), lex_span_str(client->endpoint),
                                      lex_span_str(status)};
    lex_series_add(lex_metric_series(LEX_METRIC_HTTP_REQUESTS, labels, 3), 1);
}

static void time_request(const struct client *client)
{
    const struct lex_span labels[] = {lex_span_str(client->method), lex_span_str(client->endpoint)};
    lex_series_observe(lex_metric_series(LEX_METRIC_HTTP_REQUEST_DURATION, labels, 2),
                       (double)(lex_clock_mono_us() - client->request_mono_us) / 1e6);
}

/* Answers at the first call, before any body is read: libmicrohttpd then closes the connection
 * behind the answer, which frees its place at once and leaves nothing to read from whoever sends a
 * body.
 * @thread HTTP, from libmicrohttpd */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection,
                                  const char *path, const char *method, const char *version,
                                  const char *upload, size_t *upload_size, void **request_context)
{
    (void)version;
    (void)upload;
    (void)upload_size;
    struct lex_http *http = context;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct client *client = info != NULL ? info->socket_context : NULL;
    if (client == NULL)
        return MHD_NO;
    bool head = strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
    bool readable = head || strcmp(method, MHD_HTTP_METHOD_GET) == 0;
    const struct endpoint *endpoint = find_endpoint(path);
    struct answer answer = {
        .status = MHD_HTTP_OK, .content_type = json_type, .cache_control = "no-store"};
    lex_buf_init(&answer.body, BODY_MAX_BYTES);
    client->request_mono_us = lex_clock_mono_us();
    make_answer(http, connection, readable, endpoint, &answer);
    client->method = head ? "HEAD" : readable ? "GET" : "other";
    client->endpoint = endpoint != NULL ? endpoint->path : "other";
    count_request(client, answer.status);
    *request_context = client;
    return send_answer(connection, &answer);
}

/* @thread HTTP, from libmicrohttpd */
static void on_completed(void *context, struct MHD_Connection *connection, void **request_context,
                         enum MHD_RequestTerminationCode code)
{
    (void)context;
    (void)connection;
    (void)code;
    struct client *client = *request_context;
    if (client == NULL)
        return;
    time_request(client);
    client->since_mono_us = lex_clock_mono_us();
    *request_context = NULL;
}

/* ---- clients ---- */

static struct client *free_client(struct lex_http *http)
{
    for (size_t i = 0; i < LEX_HTTP_CONNECTIONS_MAX; i++)
        if (!http->clients[i].used)
            return &http->clients[i];
    return NULL;
}

/* @thread HTTP, from libmicrohttpd */
static void on_connection(void *context, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct lex_http *http = context;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        struct client *client = *socket_context;
        if (client != NULL)
            client->used = false;
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct client *client = free_client(http);
    if (client == NULL || info == NULL)
        return;
    *client =
        (struct client){.used = true, .fd = info->connect_fd, .since_mono_us = lex_clock_mono_us()};
    *socket_context = client;
}

/* Cut whoever has taken too long; libmicrohttpd then sees the end of the stream and cleans up. */
static void cut_slow_clients(struct lex_http *http)
{
    int64_t now = lex_clock_mono_us();
    for (size_t i = 0; i < LEX_HTTP_CONNECTIONS_MAX; i++) {
        struct client *client = &http->clients[i];
        if (client->used &&
            now - client->since_mono_us > (int64_t)LEX_HTTP_REQUEST_SECONDS * 1000000)
            (void)shutdown(client->fd, SHUT_RDWR);
    }
}

static void *serve(void *context)
{
    struct lex_http *http = context;
    (void)pthread_setname_np(pthread_self(), "lex-http");
    while (!atomic_load(&http->stop)) {
        if (MHD_run_wait(http->daemon, WAIT_MS) != MHD_YES)
            (void)usleep(WAIT_MS * 1000);
        cut_slow_clients(http);
    }
    return NULL;
}

/* ---- start and stop ---- */

static LEX_STATUS parse_address(const struct lex_config *config, struct sockaddr_storage *ret,
                                struct lex_error *err)
{
    struct sockaddr_storage address = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address;
    uint16_t port = htons((uint16_t)config->http_port);
    if (inet_pton(AF_INET, config->http_address, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = port;
    } else if (inet_pton(AF_INET6, config->http_address, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = port;
    } else {
        return lex_fail(err, LEX_REJECT,
                        "http_address: expected an IPv4 or IPv6 address such as 0.0.0.0, got '%s'",
                        config->http_address);
    }
    *ret = address;
    return LEX_OK;
}

/* libmicrohttpd reports no reason, so the socket is made here, where errno says which it was. */
static LEX_STATUS listen_on(const struct lex_config *config, int *ret_fd, uint16_t *ret_port,
                            struct lex_error *err)
{
    struct sockaddr_storage address;
    LEX_TRY(parse_address(config, &address, err));
    LEX_CLEANUP(close_fd)
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t len =
        address.ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    int on = 1;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, (struct sockaddr *)&address, len) != 0 ||
        listen(fd, LEX_HTTP_CONNECTIONS_MAX) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        return lex_fail(err, LEX_REJECT,
                        "http_port: cannot listen on %s port %lld: %s; set http_port to a free one",
                        config->http_address, (long long)config->http_port, strerror(errno));
    *ret_port = ntohs(address.ss_family == AF_INET ? ((struct sockaddr_in *)&address)->sin_port
                                                   : ((struct sockaddr_in6 *)&address)->sin6_port);
    *ret_fd = fd;
    fd = -1;
    return LEX_OK;
}

static LEX_STATUS check_api_key(const struct lex_config *config, struct lex_error *err)
{
    uint8_t key[LEX_HTTP_API_KEY_MAX_BYTES + 1];
    if (config->api_key_file == NULL || read_api_key(config->api_key_file, key) > 0)
        return LEX_OK;
    return lex_fail(err, LEX_REJECT,
                    "api_key_file: expected a readable file with a key of 1 to %d bytes, got '%s'",
                    LEX_HTTP_API_KEY_MAX_BYTES, config->api_key_file);
}

static LEX_STATUS start_daemon(struct lex_http *http, struct lex_error *err)
{
    int fd = -1;
    LEX_TRY(listen_on(http->config, &fd, &http->port, err));
    http->daemon =
        MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, http, MHD_OPTION_LISTEN_SOCKET,
                         fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)LEX_HTTP_CONNECTIONS_MAX,
                         MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)LEX_HTTP_HEADER_MAX_BYTES,
                         MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)LEX_HTTP_REQUEST_SECONDS,
                         MHD_OPTION_NOTIFY_COMPLETED, on_completed, http,
                         MHD_OPTION_NOTIFY_CONNECTION, on_connection, http, MHD_OPTION_END);
    if (http->daemon == NULL) {
        (void)close(fd);
        return lex_fail(err, LEX_LIMIT, "the HTTP server could not be made: out of memory");
    }
    if (pthread_create(&http->thread, NULL, serve, http) != 0) {
        MHD_stop_daemon(http->daemon);
        return lex_fail(err, LEX_LIMIT, "the HTTP thread could not be started");
    }
    return LEX_OK;
}

LEX_STATUS lex_http_start(const struct lex_config *config, const struct lex_health *health,
                          struct lex_http **ret_http, struct lex_error *err)
{
    LEX_TRY(check_api_key(config, err));
    struct lex_http *http = calloc(1, sizeof *http);
    if (http == NULL)
        return lex_fail(err, LEX_LIMIT, "out of memory");
    http->config = config;
    http->health = health;
    preset_series();
    enum lex_status status = start_daemon(http, err);
    if (status != LEX_OK) {
        free(http);
        return status;
    }
    *ret_http = http;
    return LEX_OK;
}

void lex_http_stop(struct lex_http *http)
{
    if (http == NULL)
        return;
    atomic_store(&http->stop, true);
    (void)pthread_join(http->thread, NULL);
    MHD_stop_daemon(http->daemon);
    free(http);
}

void lex_http_publish_keys(struct lex_http *http, const struct lex_keyring *keyring)
{
    atomic_store(&http->keyring, keyring);
}

uint16_t lex_http_port(const struct lex_http *http)
{
    return http->port;
}
