#include "consumer/service.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "consumer/embedded.h"
#include "consumer/http.h"
#include "consumer/loop.h"
#include "consumer/mirror_thread.h"
#include "consumer/notify.h"
#include "consumer/policy_watch.h"
#include "consumer/preflight.h"
#include "consumer/registry.h"
#include "consumer/series.h"
#include "consumer/tracer.h"
#include "consumer/web.h"
#include "core/base/clock.h"

enum {
    TICK_MS = 200,
    STUCK_AFTER_MS = 60 * 1000, /* at least; and three times what a transaction may take */
    PREFLIGHT_EVERY_US = 5 * 1000 * 1000,
    KEYS_EVERY_US = 5 * 1000 * 1000,
    REGISTRY_TIMEOUT_MS = 5000,
    TRACES_FLUSH_MS = 3000, /* of a stop, for what was not sent yet */
};

static const char LOGGER[] = "lexecon.main";

struct service {
    struct lex_config *config;
    struct lex_health health;
    struct lex_policy_slot policies;
    struct lex_keyring *keyring;
    struct lex_identity *identity; /* NULL: no issuers */
    struct lex_embedded *embedded;
    struct lex_http *http;
    struct lex_policy_watch *watch;
    struct lex_mirror_thread *mirror;
    struct lex_registry *registry; /* NULL: none */
    struct lex_tracer *tracer;     /* NULL: no traces */
    struct lex_notify notify;      /* to systemd */
    struct lex_loop *loops[LEX_HEALTH_WORKERS_MAX];
    _Atomic size_t
        loops_count; /* how many are running: 0 until keys, policy and topics are there */
    int64_t preflight_at_us, keys_at_us;
    char last_problem[LEX_ERROR_TEXT_MAX];
};

/* ---- signals: taken by main with sigtimedwait, so no handler runs anywhere ---- */

static sigset_t signals(void)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    return set;
}

static int next_signal(int timeout_ms)
{
    sigset_t set = signals();
    struct timespec wait = {timeout_ms / 1000, (long)(timeout_ms % 1000) * 1000000};
    return sigtimedwait(&set, NULL, &wait);
}

/* ---- what must be there before workers start ---- */

/* The same problem is told once, then again when it changed. */
static void tell_problem(struct service *s, enum lex_log_level level, const char *message,
                         const char *text)
{
    if (strcmp(s->last_problem, text) == 0)
        return;
    (void)snprintf(s->last_problem, sizeof s->last_problem, "%s", text);
    LEX_LOG(level, LOGGER, message, lex_log_str("error", text));
}

static bool have_keys(struct service *s, int64_t now_us)
{
    struct lex_error err = {{0}};
    const struct lex_config *c = s->config;
    if (s->keyring != NULL)
        return true;
    if (now_us < s->keys_at_us)
        return false;
    s->keys_at_us = now_us + KEYS_EVERY_US;
    enum lex_status status =
        c->keys == LEX_KEYS_GENERATE
            ? lex_keyring_load_or_generate(c->keys_dir, c->origin_prefix, &s->keyring, &err)
            : lex_keyring_load(c->keys_dir, c->origin_prefix, &s->keyring, &err);
    if (status != LEX_OK)
        tell_problem(s, LEX_LOG_ERROR, "No signing keys: this node decides nothing", err.text);
    else
        lex_http_publish_keys(s->http, s->keyring);
    s->health.keys_loaded = status == LEX_OK;
    return status == LEX_OK;
}

static bool have_topics(struct service *s, int64_t now_us)
{
    struct lex_error err = {{0}};
    if (s->health.topics_usable)
        return true;
    if (now_us < s->preflight_at_us)
        return false;
    enum lex_status status = lex_preflight(s->config, &err);
    s->preflight_at_us = lex_clock_mono_us() + PREFLIGHT_EVERY_US;
    if (status != LEX_OK)
        tell_problem(s, status == LEX_RETRY ? LEX_LOG_ERROR : LEX_LOG_CRITICAL,
                     "Kafka is not ready for this node", err.text);
    s->health.topics_usable = status == LEX_OK;
    return status == LEX_OK;
}

/* Where every verdict is in Confluent's framing, nothing can be decided without its schema's id. */
static bool have_registry(const struct service *s)
{
    return !atomic_load(&s->health.registry_needed);
}

/* ---- workers ---- */

static void wake_workers(void *user)
{
    struct service *s = user;
    for (size_t i = 0; i < s->loops_count; i++)
        lex_loop_wake(s->loops[i]);
}

static enum lex_status start_workers(struct service *s, struct lex_error *err)
{
    struct lex_loop_shared shared = {
        .config = s->config,
        .keyring = s->keyring,
        .identity = s->identity,
        .policies = &s->policies,
        .health = &s->health,
        .registry = s->registry,
        .tracer = s->tracer,
    };
    if (s->mirror != NULL) {
        shared.owned = lex_mirror_thread_owned;
        shared.owned_user = s->mirror;
    }
    for (size_t i = 0; i < s->health.workers_count; i++) {
        LEX_TRY(lex_loop_new(&shared, (int)i, &s->loops[i], err));
        LEX_TRY(lex_loop_start(s->loops[i], err));
        s->loops_count = i + 1;
    }
    LEX_LOG(LEX_LOG_INFO, LOGGER, "Workers started",
            lex_log_i64("workers", (int64_t)s->loops_count));
    return LEX_OK;
}

/* Once all that a worker needs is there. A broker outage later is the workers' own business. */
static enum lex_status start_when_possible(struct service *s, struct lex_error *err)
{
    int64_t now_us = lex_clock_mono_us();
    if (s->loops_count != 0 || !s->health.broker_configured)
        return LEX_OK;
    if (s->health.audit) {
        (void)have_topics(s, now_us); /* the mirror goes by itself; this says what it waits for */
        return LEX_OK;
    }
    bool keys = have_keys(s, now_us);
    if (!keys || !have_topics(s, now_us) || !have_registry(s))
        return LEX_OK;
    s->last_problem[0] = 0;
    return start_workers(s, err);
}

static bool a_worker_ended(const struct service *s)
{
    for (size_t i = 0; i < s->loops_count; i++)
        if (lex_loop_ended(s->loops[i]))
            return true;
    return false;
}

/* ---- start ---- */

static enum lex_status start_embedded(struct service *s, struct lex_error *err)
{
    struct lex_config *c = s->config;
    if (!c->embedded)
        return LEX_OK;
    LEX_TRY(lex_embedded_start(c, (int)c->create_topics_partitions, &s->embedded, err));
    LEX_TRY(lex_config_use_bootstrap(c, lex_embedded_bootstrap(s->embedded), err));
    LEX_LOG(LEX_LOG_WARNING, LOGGER,
            "Embedded broker: for a first look. It proves nothing about atomicity, and nothing "
            "survives a restart",
            lex_log_str("bootstrap_servers", lex_embedded_bootstrap(s->embedded)));
    return LEX_OK;
}

static enum lex_status make_data_dir(const struct lex_config *c, struct lex_error *err)
{
    if (mkdir(c->data_dir, 0700) == 0 || errno == EEXIST)
        return LEX_OK;
    return lex_fail(err, LEX_REJECT,
                    "data_dir %s cannot be made: %s; set LEXECON_DATA_DIR to a "
                    "directory that this process may write",
                    c->data_dir, strerror(errno));
}

static void tell_without_effect(const struct service *s)
{
    LEX_CLEANUP(lex_buf_fini) struct lex_buf names;
    lex_buf_init(&names, LEX_OPTION_COUNT * 64);
    lex_config_without_effect(s->config, &names);
    if (names.len != 0)
        LEX_LOG(LEX_LOG_WARNING, LOGGER, "Options without effect: an audit node decides nothing",
                lex_log_str("options", lex_buf_str(&names)));
}

static void tell_what_is_missing(const struct service *s)
{
    if (!s->health.broker_configured)
        LEX_LOG(LEX_LOG_WARNING, LOGGER, "No broker: this node decides nothing",
                lex_log_str("todo", "set LEXECON_KAFKA_BOOTSTRAP_SERVERS to host:port of a broker, "
                                    "or --embedded for a first look"));
    tell_without_effect(s);
    if (s->config->cache_evaluations && !s->health.audit)
        LEX_LOG(LEX_LOG_INFO, LOGGER,
                "cache_evaluations has no effect: an evaluation costs what a look-up would");
}

static enum lex_status start_registry(struct service *s, struct lex_error *err)
{
    const struct lex_config *c = s->config;
    bool confluent = c->verdict_format == LEX_VERDICT_CONFLUENT;
    struct lex_registry_options options = {
        .url = c->schema_registry_url,
        .auth_file = c->schema_registry_auth_file,
        .ca_file = c->schema_registry_ca_file,
        .verdict_topic =
            confluent || c->verdict_format == LEX_VERDICT_SAME ? c->verdicts_topic : NULL,
        .verdict_id_required = confluent,
        .timeout_ms = REGISTRY_TIMEOUT_MS,
        .wake = wake_workers,
        .user = s,
        .health = &s->health,
    };
    if (c->schema_registry_url == NULL && confluent)
        return lex_fail(err, LEX_REJECT,
                        "verdict_format=confluent needs schema_registry_url: set it to the base of "
                        "the registry's API");
    return c->schema_registry_url == NULL ? LEX_OK
                                          : lex_registry_start(&options, &s->registry, err);
}

/* What deciding takes. Workers come later, once there are topics too. */
static enum lex_status start_deciding(struct service *s, struct lex_error *err)
{
    struct lex_config *c = s->config;
    if (s->health.audit)
        return LEX_OK;
    LEX_TRY(start_registry(s, err));
    LEX_TRY(lex_policy_watch_start(c, &s->policies, &s->health, wake_workers, s, &s->watch, err));
    (void)have_keys(s, lex_clock_mono_us());
    return LEX_OK;
}

static enum lex_status start(struct service *s, struct lex_error *err)
{
    struct lex_config *c = s->config;
    bool audit = c->role == LEX_ROLE_AUDIT;
    LEX_TRY(lex_crypto_init(err));
    LEX_TRY(lex_web_init(err));
    LEX_TRY(make_data_dir(c, err));
    if (c->issuers != NULL && !audit)
        LEX_TRY(lex_identity_load(c->issuers, &s->identity, err));
    int64_t stuck_after_ms = 3 * c->transaction_timeout_ms + 15000;
    lex_health_init(&s->health, audit ? 0 : (size_t)c->server_workers,
                    (stuck_after_ms > STUCK_AFTER_MS ? stuck_after_ms : STUCK_AFTER_MS) * 1000);
    s->health.audit = audit;
    lex_policy_slot_init(&s->policies);
    s->health.topics_usable = false;
    lex_series_preset(c->node_id, lex_config_word("lex_config_role", (int)c->role));
    LEX_TRY(start_embedded(s, err));
    s->health.broker_configured = lex_config_kafka_get(c, "bootstrap.servers") != NULL;
    LEX_TRY(lex_http_start(c, &s->health, &s->http, err));
    LEX_LOG(LEX_LOG_INFO, LOGGER, "Lexecon starts", lex_log_str("version", LEX_VERSION),
            lex_log_str("node_id", c->node_id),
            lex_log_str("role", lex_config_word("lex_config_role", (int)c->role)),
            lex_log_i64("http_port", lex_http_port(s->http)));
    LEX_TRY(lex_tracer_start(c, &s->tracer, err));
    LEX_TRY(lex_mirror_thread_start(c, &s->health, &s->mirror, err));
    LEX_TRY(start_deciding(s, err));
    tell_what_is_missing(s);
    LEX_TRY(start_when_possible(s, err));
    s->health.startup_done = true;
    return LEX_OK;
}

/* ---- stop ---- */

/* A second signal, or shutdown_timeout_ms, ends the process at once: what is open aborts. */
static void *end_at_once(void *user)
{
    const struct service *s = user;
    int64_t until_us = lex_clock_mono_us() + s->config->shutdown_timeout_ms * 1000;
    for (;;) {
        int signal = next_signal(TICK_MS);
        if (signal == SIGTERM || signal == SIGINT)
            _exit(128 + signal);
        if (lex_clock_mono_us() > until_us) {
            LEX_LOG(LEX_LOG_ERROR, LOGGER, "The stop took too long: ending now");
            _exit(EXIT_FAILURE);
        }
    }
    return NULL;
}

static void guard_stop(struct service *s)
{
    pthread_t guard;
    if (pthread_create(&guard, NULL, end_at_once, s) == 0)
        (void)pthread_detach(guard);
}

static void stop(struct service *s)
{
    s->health.stopping = true;
    lex_policy_watch_stop(s->watch);
    lex_registry_stop(s->registry); /* it wakes workers: before they go */
    for (size_t i = 0; i < s->loops_count; i++)
        lex_loop_stop(s->loops[i]);
    for (size_t i = 0; i < s->loops_count; i++)
        lex_loop_join(s->loops[i]);
    lex_registry_free(s->registry);
    lex_mirror_thread_stop(s->mirror, (int)s->config->shutdown_timeout_ms / 2);
    lex_tracer_stop(s->tracer, TRACES_FLUSH_MS);
    lex_http_stop(s->http);
    lex_embedded_stop(s->embedded);
    lex_policy_slot_fini(&s->policies);
    lex_keyring_free(s->keyring);
    lex_identity_free(s->identity);
}

/* ---- the process ---- */

/* A manager that cannot be told is no reason not to serve. */
static void open_notify(struct service *s)
{
    struct lex_error err = {{0}};
    if (lex_notify_open(getenv("NOTIFY_SOCKET"), getenv("WATCHDOG_USEC"), getenv("WATCHDOG_PID"),
                        &s->notify, &err) != LEX_OK)
        LEX_LOG(LEX_LOG_WARNING, LOGGER, "systemd is told nothing", lex_log_str("error", err.text));
}

static int serve(struct service *s)
{
    struct lex_error err = {{0}};
    for (;;) {
        int signal = next_signal(TICK_MS);
        if (signal == SIGHUP) {
            lex_notify_reloading(&s->notify, lex_clock_mono_us());
            lex_policy_watch_now(s->watch);
        }
        lex_notify_tick(&s->notify, &s->health, lex_clock_mono_us());
        if (signal == SIGTERM || signal == SIGINT)
            return EXIT_SUCCESS;
        if (a_worker_ended(s))
            return EXIT_FAILURE; /* a pod that consumes nothing must not look alive */
        if (start_when_possible(s, &err) != LEX_OK) {
            LEX_LOG(LEX_LOG_CRITICAL, LOGGER, "Workers do not start",
                    lex_log_str("error", err.text));
            return EXIT_FAILURE;
        }
    }
}

int lex_service_run(struct lex_config *config)
{
    static struct service service;
    struct lex_error err = {{0}};
    sigset_t set = signals();
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL); /* inherited by every thread */
    (void)signal(SIGPIPE, SIG_IGN);
    lex_log_init(config->log_level, config->log_format, STDOUT_FILENO);
    service.config = config;
    open_notify(&service);
    if (start(&service, &err) != LEX_OK) {
        LEX_LOG(LEX_LOG_CRITICAL, LOGGER, "Lexecon does not start", lex_log_str("error", err.text));
        return 2;
    }
    int status = serve(&service);
    lex_notify_stopping(&service.notify);
    LEX_LOG(LEX_LOG_INFO, LOGGER, "Lexecon stops");
    guard_stop(&service);
    stop(&service);
    lex_notify_close(&service.notify);
    LEX_LOG(LEX_LOG_INFO, LOGGER, "Lexecon stopped");
    return status;
}
