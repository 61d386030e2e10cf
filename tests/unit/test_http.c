/* HTTP and health: what each probe concludes, what is bounded, and who may read the metrics. */
#include "tests/unit/lex_check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "consumer/http.h"
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/crypto/jwt.h"
#include "core/identity/token.h"

static struct lex_health health;
static struct lex_http *http;
static struct lex_config *config;
static struct lex_error err;
static char answer[1 << 20];

static void make_config(const char *api_key_file)
{
    char program[] = "t", port[] = "--http-port=0", address[] = "--http-address=127.0.0.1";
    char key[256];
    snprintf(key, sizeof key, "--api-key-file=%s", api_key_file != NULL ? api_key_file : "");
    char *argv[] = {program, port, address, key, NULL}, *none[] = {NULL};
    int argc = api_key_file != NULL ? 4 : 3;
    ck_assert_int_eq(lex_config_load(argc, argv, none, &config, &err), LEX_OK);
}

/* A process that serves: started, connected, with policy and keys. */
static void make_healthy(void)
{
    lex_health_init(&health, 2, 60000000);
    health.startup_done = health.broker_configured = health.keys_loaded = true;
    health.policy_loaded = true;
    for (size_t i = 0; i < 2; i++) {
        health.workers[i].broker_connected = true;
        health.workers[i].last_poll_mono_us = lex_clock_mono_us();
    }
}

static void start(const char *api_key_file)
{
    make_config(api_key_file);
    make_healthy();
    ck_assert_msg(lex_http_start(config, &health, &http, &err) == LEX_OK, "%s", err.text);
    ck_assert_uint_ne(lex_http_port(http), 0);
}

static void stop(void)
{
    lex_http_stop(http);
    lex_config_free(config);
}

static int open_client(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(lex_http_port(http)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

/* Send, read to the end. @return the status, 0 when the connection was closed without one */
static int ask(const char *request)
{
    int fd = open_client();
    ck_assert_int_eq(send(fd, request, strlen(request), MSG_NOSIGNAL), (ssize_t)strlen(request));
    size_t len = 0;
    ssize_t n;
    while ((n = recv(fd, answer + len, sizeof answer - 1 - len, 0)) > 0)
        len += (size_t)n;
    answer[len] = '\0';
    close(fd);
    int status = 0;
    sscanf(answer, "HTTP/1.1 %d", &status);
    return status;
}

static int get(const char *path, const char *headers)
{
    char request[512];
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n",
             path, headers);
    return ask(request);
}

static const char *body(void)
{
    const char *at = strstr(answer, "\r\n\r\n");
    return at != NULL ? at + 4 : "";
}

static bool says(const char *text)
{
    return strstr(answer, text) != NULL;
}

START_TEST(a_serving_process_is_healthy_on_every_probe)
{
    start(NULL);
    static const char *const paths[] = {"/health", "/health/live", "/health/ready",
                                        "/health/startup"};
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(get(paths[i], ""), 200);
        ck_assert(says("\"status\":\"healthy\",\"timestamp\":\"20"));
    }
    stop();
}
END_TEST

START_TEST(the_body_is_json_with_the_promised_members)
{
    start(NULL);
    ck_assert_int_eq(get("/health", ""), 200);
    struct lex_arena arena;
    lex_arena_init(&arena, 4096, 1 << 20);
    const struct lex_json *root;
    ck_assert_int_eq(lex_json_parse(&arena, lex_span_str(body()), &root, NULL), LEX_OK);
    ck_assert_span_eq(lex_json_get(root, "status")->text, "healthy");
    ck_assert_int_eq(lex_json_get(root, "timestamp")->type, LEX_JSON_STRING);
    ck_assert_int_eq(lex_json_get(root, "uptime_seconds")->type, LEX_JSON_NUMBER);
    const struct lex_json *checks = lex_json_get(root, "checks");
    ck_assert_uint_ge(checks->count, 7);
    for (const struct lex_json *check = checks->child; check != NULL; check = check->next) {
        ck_assert(lex_json_is(lex_json_get(check, "name"), LEX_JSON_STRING));
        ck_assert_span_eq(lex_json_get(check, "status")->text, "healthy");
        ck_assert(lex_json_is(lex_json_get(check, "details"), LEX_JSON_STRING));
    }
    lex_arena_fini(&arena);
    stop();
}
END_TEST

/* All four probes at once, as "hlrs" with a dash for each that fails. */
static void check_probes(const char *want)
{
    static const enum lex_health_probe probes[] = {LEX_PROBE_HEALTH, LEX_PROBE_LIVE,
                                                   LEX_PROBE_READY, LEX_PROBE_STARTUP};
    char got[5] = "hlrs";
    for (size_t i = 0; i < 4; i++)
        if (!lex_health_probe(&health, probes[i], lex_clock_mono_us()))
            got[i] = '-';
    ck_assert_str_eq(got, want);
}

START_TEST(what_stops_requests_fails_ready_and_nothing_else)
{
    _Atomic bool *const must_be_true[] = {&health.broker_configured, &health.keys_loaded,
                                          &health.policy_loaded, &health.topics_usable,
                                          &health.workers[1].broker_connected};
    _Atomic bool *const must_be_false[] = {&health.mirror_broken, &health.workers[0].policy_behind,
                                           &health.stopping};
    make_healthy();
    check_probes("hlrs");
    for (size_t i = 0; i < 5; i++) {
        *must_be_true[i] = false;
        check_probes("hl-s");
        *must_be_true[i] = true;
    }
    for (size_t i = 0; i < 3; i++) {
        *must_be_false[i] = true;
        check_probes("hl-s");
        *must_be_false[i] = false;
    }
    health.halted_partitions = 1;
    check_probes("hl-s");
    health.halted_partitions = 0;
    check_probes("hlrs");
}
END_TEST

/* An audit node: no worker, no policy, no keys. */
static void make_auditing(void)
{
    lex_health_init(&health, 0, 60000000);
    health.audit = true;
    health.startup_done = health.broker_configured = true;
    health.mirror_on = health.mirror_connected = true;
}

START_TEST(an_audit_node_is_ready_without_policy_keys_and_workers)
{
    make_auditing();
    check_probes("hlrs");
    health.audit = false; /* the same node, if it were to decide */
    check_probes("hl-s");
}
END_TEST

START_TEST(what_stops_the_audit_fails_ready_and_nothing_else)
{
    _Atomic bool *const must_be_true[] = {&health.broker_configured, &health.mirror_connected,
                                          &health.topics_usable};
    _Atomic bool *const must_be_false[] = {&health.mirror_broken, &health.stopping};
    make_auditing();
    for (size_t i = 0; i < 3; i++) {
        *must_be_true[i] = false;
        check_probes("hl-s");
        *must_be_true[i] = true;
    }
    for (size_t i = 0; i < 2; i++) {
        *must_be_false[i] = true;
        check_probes("hl-s");
        *must_be_false[i] = false;
    }
    health.mirror_lag = 100000; /* behind is late, not wrong */
    check_probes("hlrs");
}
END_TEST

START_TEST(the_body_names_the_role_and_only_its_checks)
{
    static const char *const deciding[] = {"workers", "policy", "keys", "partitions"};
    static const char *const common[] = {"startup", "broker", "topics", "mirror", "lifecycle"};
    struct lex_buf audit, decide;
    char name[64];
    lex_buf_init(&audit, 1 << 16);
    lex_buf_init(&decide, 1 << 16);
    make_auditing();
    ck_assert(lex_health_write(&health, LEX_PROBE_HEALTH, lex_clock_mono_us(), &audit));
    make_healthy();
    ck_assert(lex_health_write(&health, LEX_PROBE_HEALTH, lex_clock_mono_us(), &decide));
    ck_assert_ptr_nonnull(strstr(lex_buf_str(&audit), "\"role\":\"audit\""));
    ck_assert_ptr_nonnull(strstr(lex_buf_str(&decide), "\"role\":\"decide\""));
    for (size_t i = 0; i < LEX_COUNT_OF(common); i++) {
        snprintf(name, sizeof name, "{\"name\":\"%s\"", common[i]);
        ck_assert_ptr_nonnull(strstr(lex_buf_str(&audit), name));
        ck_assert_ptr_nonnull(strstr(lex_buf_str(&decide), name));
    }
    for (size_t i = 0; i < LEX_COUNT_OF(deciding); i++) {
        snprintf(name, sizeof name, "{\"name\":\"%s\"", deciding[i]);
        ck_assert_ptr_null(strstr(lex_buf_str(&audit), name));
        ck_assert_ptr_nonnull(strstr(lex_buf_str(&decide), name));
    }
    lex_buf_fini(&audit);
    lex_buf_fini(&decide);
}
END_TEST

START_TEST(before_the_start_ends_only_live_and_health_hold)
{
    lex_health_init(&health, 2, 60000000);
    check_probes("hl--");
}
END_TEST

START_TEST(a_stuck_or_fatal_worker_fails_live)
{
    make_healthy();
    health.workers[1].last_poll_mono_us = lex_clock_mono_us() - 61000000;
    check_probes("---s");
    health.workers[1].last_poll_mono_us = lex_clock_mono_us() - 50000000;
    check_probes("hlrs");
    health.workers[0].fatal = true;
    check_probes("---s");
}
END_TEST

START_TEST(a_worker_that_does_not_poll_on_purpose_is_not_stuck)
{
    make_healthy();
    health.policy_loaded = false; /* without a policy a worker joins no group */
    health.workers[0].last_poll_mono_us = health.workers[1].last_poll_mono_us = 0;
    check_probes("hl-s");
}
END_TEST

START_TEST(a_member_without_partitions_is_idle_and_ready)
{
    start(NULL);
    health.assigned_partitions = 0;
    ck_assert_int_eq(get("/health/ready", ""), 200);
    ck_assert(says("idle: none assigned"));
    stop();
}
END_TEST

START_TEST(without_a_broker_health_is_degraded_and_ready_is_503)
{
    start(NULL);
    health.broker_configured = false;
    ck_assert_int_eq(get("/health", ""), 200);
    ck_assert(says("{\"status\":\"degraded\""));
    ck_assert_int_eq(get("/health/ready", ""), 503);
    ck_assert(says("LEXECON_KAFKA_BOOTSTRAP_SERVERS"));
    ck_assert_int_eq(get("/health/live", ""), 200);
    health.workers[0].fatal = true;
    ck_assert_int_eq(get("/health", ""), 503);
    ck_assert(says("{\"status\":\"unhealthy\""));
    ck_assert_int_eq(get("/health/live", ""), 503);
    stop();
}
END_TEST

START_TEST(metrics_come_in_the_format_that_accept_asks_for)
{
    start(NULL);
    ck_assert_int_eq(get("/metrics", ""), 200);
    ck_assert(says("Content-Type: text/plain; version=0.0.4"));
    ck_assert(says("\nlexecon_ledger_entries_total 0\n") && !says("# EOF"));
    ck_assert_int_eq(get("/metrics", "Accept: application/openmetrics-text;version=1.0.0\r\n"),
                     200);
    ck_assert(says("Content-Type: application/openmetrics-text; version=1.0.0") && says("# EOF"));
    stop();
}
END_TEST

START_TEST(version_names_program_and_node)
{
    start(NULL);
    ck_assert_int_eq(get("/version", ""), 200);
    ck_assert(says("\"version\":\"" LEX_VERSION "\"") && says("\"node_id\":\""));
    stop();
}
END_TEST

START_TEST(the_key_set_is_there_once_there_are_keys)
{
    struct lex_arena arena;
    struct lex_jwk_list keys;
    struct lex_keyring *keyring = NULL;
    uint8_t seed[LEX_SEED_BYTES] = {3};
    start(NULL);
    ck_assert_int_eq(get("/.well-known/jwks.json", ""), 503);
    ck_assert(says("Cache-Control: no-store"));
    ck_assert_int_eq(lex_crypto_init(&err), LEX_OK);
    ck_assert_int_eq(lex_keyring_from_seed(seed, "a/b", &keyring, &err), LEX_OK);
    lex_http_publish_keys(http, keyring);
    ck_assert_int_eq(get("/.well-known/jwks.json", ""), 200);
    ck_assert(says("Content-Type: application/jwk-set+json"));
    ck_assert(says("Cache-Control: public, max-age=300"));
    lex_arena_init(&arena, 4096, 1 << 20);
    ck_assert_int_eq(lex_jwks_parse(lex_span_str(body()), &arena, &keys, &err), LEX_OK);
    ck_assert_uint_eq(keys.count, 1);
    ck_assert(memcmp(&keys.items[0].key, lex_keyring_public(keyring, LEX_KEY_TOKEN),
                     LEX_PUBLIC_KEY_BYTES) == 0);
    ck_assert_int_eq(keys.items[0].alg, LEX_JWT_EDDSA);
    ck_assert_int_eq(get("/.well-known/", ""), 404);
    lex_arena_fini(&arena);
    stop();
    lex_keyring_free(keyring);
}
END_TEST

START_TEST(metrics_count_the_tokens_that_are_alive)
{
    int64_t now_s = lex_clock_wall_us() / 1000000;
    start(NULL);
    ck_assert_int_eq(get("/metrics", ""), 200);
    ck_assert(says("\nlexecon_active_tokens 0\n"));
    lex_token_active_add(now_s + 600);
    lex_token_active_add(now_s - 1);
    ck_assert_int_eq(get("/metrics", ""), 200);
    ck_assert(says("\nlexecon_active_tokens 1\n"));
    ck_assert(says("\nlexecon_tokens_verified_total{valid=\"true\"} 0\n"));
    ck_assert(says("\nlexecon_tokens_verified_total{valid=\"false\"} 0\n"));
    stop();
}
END_TEST

START_TEST(unknown_paths_and_methods_are_refused_and_counted_under_other)
{
    start(NULL);
    ck_assert_int_eq(get("/nothing", ""), 404);
    ck_assert_int_eq(get("/health/", ""), 404);
    ck_assert_int_eq(get("/metrics/../health", ""), 404);
    ck_assert_int_eq(ask("POST /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                         "Content-Length: 2\r\n\r\n{}"),
                     405);
    ck_assert(says("Allow: GET, HEAD"));
    ck_assert_int_eq(ask("BREW /pot HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), 405);
    ck_assert_int_eq(get("/health", ""), 200);
    ck_assert_int_eq(get("/metrics", ""), 200);
    ck_assert(says("http_requests_total{method=\"GET\",endpoint=\"other\",status=\"404\"} 3\n"));
    ck_assert(says("http_requests_total{method=\"other\",endpoint=\"other\",status=\"405\"} 1\n"));
    ck_assert(says("http_requests_total{method=\"GET\",endpoint=\"/health\",status=\"200\"} 1\n"));
    /* timed when the last byte is out, which the client may see a little earlier */
    static const char timed[] = "duration_seconds_count{method=\"GET\",endpoint=\"/health\"} 1\n";
    for (int i = 0; i < 100 && !says(timed); i++)
        ck_assert_int_eq(get("/metrics", ""), 200);
    ck_assert(says(timed));
    ck_assert(!says("nothing") && !says("BREW"));
    stop();
}
END_TEST

START_TEST(head_answers_without_a_body)
{
    start(NULL);
    ck_assert_int_eq(ask("HEAD /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), 200);
    ck_assert_str_eq(body(), "");
    stop();
}
END_TEST

static const char *write_key(const char *key)
{
    static char path[64];
    snprintf(path, sizeof path, "/tmp/lex_http_key_%d", (int)getpid());
    FILE *out = fopen(path, "w");
    fputs(key, out);
    fclose(out);
    return path;
}

START_TEST(an_api_key_guards_metrics_and_only_them)
{
    const char *path = write_key("s3cret\n");
    start(path);
    ck_assert_int_eq(get("/metrics", ""), 401);
    ck_assert(says("WWW-Authenticate: Bearer") && !says("lexecon_ledger"));
    ck_assert_int_eq(get("/metrics", "Authorization: Bearer s3cre\r\n"), 401);
    ck_assert_int_eq(get("/metrics", "Authorization: Bearer s3crets\r\n"), 401);
    ck_assert_int_eq(get("/metrics", "Authorization: Bearer \r\n"), 401);
    ck_assert_int_eq(get("/metrics", "Authorization: s3cret\r\n"), 401);
    ck_assert_int_eq(get("/metrics", "Authorization: Bearer s3cret\r\n"), 200);
    ck_assert_int_eq(get("/health/ready", ""), 200);
    write_key("rotated");
    ck_assert_int_eq(get("/metrics", "Authorization: Bearer s3cret\r\n"), 401);
    ck_assert_int_eq(get("/metrics", "Authorization: Bearer rotated\r\n"), 200);
    unlink(path); /* a lost key opens no door */
    ck_assert_int_eq(get("/metrics", "Authorization: Bearer rotated\r\n"), 401);
    ck_assert_int_eq(get("/metrics", "Authorization: Bearer \r\n"), 401);
    stop();
}
END_TEST

START_TEST(a_key_file_that_is_missing_or_empty_or_too_long_refuses_the_start)
{
    static char longest[LEX_HTTP_API_KEY_MAX_BYTES + 2];
    memset(longest, 'k', LEX_HTTP_API_KEY_MAX_BYTES + 1);
    const char *const keys[] = {"", " \n", longest};
    for (size_t i = 0; i < 3; i++) {
        make_config(write_key(keys[i]));
        ck_assert_int_eq(lex_http_start(config, &health, &http, &err), LEX_REJECT);
        ck_assert_ptr_nonnull(strstr(err.text, "api_key_file: expected a readable file"));
        lex_config_free(config);
    }
    longest[LEX_HTTP_API_KEY_MAX_BYTES] = '\0';
    start(write_key(longest));
    unlink(config->api_key_file);
    stop();
    make_config("/nonexistent/key");
    ck_assert_int_eq(lex_http_start(config, &health, &http, &err), LEX_REJECT);
    lex_config_free(config);
}
END_TEST

START_TEST(a_taken_port_is_refused_with_what_to_do)
{
    start(NULL);
    struct lex_config *again = config;
    again->http_port = lex_http_port(http);
    struct lex_http *second = NULL;
    ck_assert_int_eq(lex_http_start(again, &health, &second, &err), LEX_REJECT);
    ck_assert_ptr_null(second);
    ck_assert_ptr_nonnull(strstr(err.text, "set http_port to a free one"));
    stop();
}
END_TEST

START_TEST(a_header_over_its_ceiling_is_refused_and_the_server_goes_on)
{
    start(NULL);
    static char request[LEX_HTTP_HEADER_MAX_BYTES + 256];
    size_t len = (size_t)snprintf(request, sizeof request, "GET /health HTTP/1.1\r\nX-Long: ");
    memset(request + len, 'a', LEX_HTTP_HEADER_MAX_BYTES);
    len += LEX_HTTP_HEADER_MAX_BYTES;
    snprintf(request + len, sizeof request - len, "\r\n\r\n");
    int status = ask(request);
    ck_assert_msg(status == 431 || status == 413 || status == 414 || status == 0, "%d", status);
    ck_assert_int_eq(get("/health", ""), 200);
    stop();
}
END_TEST

static bool closed_within(int fd, int seconds)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    char byte;
    return poll(&wait, 1, seconds * 1000) == 1 && recv(fd, &byte, 1, 0) <= 0;
}

START_TEST(slow_clients_are_cut_and_cannot_keep_a_probe_out)
{
    start(NULL);
    int fds[LEX_HTTP_CONNECTIONS_MAX];
    for (int i = 0; i < LEX_HTTP_CONNECTIONS_MAX; i++) {
        fds[i] = open_client();
        ck_assert_int_eq(send(fds[i], "GET /", 5, MSG_NOSIGNAL), 5);
    }
    /* a byte now and then renews an idle time-out, not this one */
    for (int i = 0; i < 3 * LEX_HTTP_REQUEST_SECONDS / 2; i++) {
        usleep(500000);
        (void)send(fds[0], "a", 1, MSG_NOSIGNAL);
    }
    for (int i = 0; i < LEX_HTTP_CONNECTIONS_MAX; i++) {
        ck_assert(closed_within(fds[i], 2 * LEX_HTTP_REQUEST_SECONDS));
        close(fds[i]);
    }
    ck_assert_int_eq(get("/health/live", ""), 200);
    stop();
}
END_TEST

static const char whole_request[] = "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n";

static bool answered(int fd, int milliseconds)
{
    (void)send(fd, whole_request, strlen(whole_request), MSG_NOSIGNAL);
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    return poll(&wait, 1, milliseconds) == 1 && recv(fd, answer, sizeof answer, 0) > 0;
}

START_TEST(one_client_over_the_ceiling_gets_no_answer)
{
    start(NULL);
    int fds[LEX_HTTP_CONNECTIONS_MAX];
    for (int i = 0; i < LEX_HTTP_CONNECTIONS_MAX; i++)
        fds[i] = open_client();
    usleep(300000); /* all are accepted */
    int over = open_client();
    ck_assert(!answered(over, 500));
    close(over);
    ck_assert(answered(fds[LEX_HTTP_CONNECTIONS_MAX - 1], 5000));
    for (int i = 0; i < LEX_HTTP_CONNECTIONS_MAX; i++)
        close(fds[i]);
    stop();
}
END_TEST

LEX_CHECK_MAIN("http", a_serving_process_is_healthy_on_every_probe,
               the_body_is_json_with_the_promised_members,
               what_stops_requests_fails_ready_and_nothing_else,
               an_audit_node_is_ready_without_policy_keys_and_workers,
               what_stops_the_audit_fails_ready_and_nothing_else,
               the_body_names_the_role_and_only_its_checks,
               before_the_start_ends_only_live_and_health_hold, a_stuck_or_fatal_worker_fails_live,
               a_worker_that_does_not_poll_on_purpose_is_not_stuck,
               a_member_without_partitions_is_idle_and_ready,
               without_a_broker_health_is_degraded_and_ready_is_503,
               metrics_come_in_the_format_that_accept_asks_for, version_names_program_and_node,
               the_key_set_is_there_once_there_are_keys, metrics_count_the_tokens_that_are_alive,
               unknown_paths_and_methods_are_refused_and_counted_under_other,
               head_answers_without_a_body, an_api_key_guards_metrics_and_only_them,
               a_key_file_that_is_missing_or_empty_or_too_long_refuses_the_start,
               a_taken_port_is_refused_with_what_to_do,
               a_header_over_its_ceiling_is_refused_and_the_server_goes_on,
               slow_clients_are_cut_and_cannot_keep_a_probe_out,
               one_client_over_the_ceiling_gets_no_answer)
