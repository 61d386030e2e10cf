#include "consumer/health.h"

#include <stdio.h>

#include "core/base/clock.h"
#include "core/base/metrics.h"
#include "core/base/text.h"

void lex_health_init(struct lex_health *health, size_t workers_count, int64_t stuck_after_us)
{
    LEX_ASSERT(workers_count <= LEX_HEALTH_WORKERS_MAX);
    *health = (struct lex_health){.started_mono_us = lex_clock_mono_us(),
                                  .stuck_after_us = stuck_after_us,
                                  .workers_count = workers_count};
    atomic_store(&health->topics_usable, true);
    (void)pthread_mutex_init(&health->problem.lock, NULL);
    health->policy_problem = &health->problem;
    (void)pthread_mutex_init(&health->registry_text.lock, NULL);
    health->registry_problem = &health->registry_text;
}

static void set_text(struct lex_health_text *text, const char *value)
{
    (void)pthread_mutex_lock(&text->lock);
    (void)snprintf(text->text, sizeof text->text, "%s", value);
    (void)pthread_mutex_unlock(&text->lock);
}

void lex_health_set_policy_problem(struct lex_health *health, const char *text)
{
    set_text(&health->problem, text);
}

void lex_health_set_registry_problem(struct lex_health *health, const char *text)
{
    set_text(&health->registry_text, text);
}

/* ---- the checks ---- */

/* What a check says: whether it holds, and in words what is so or what to do. */
struct finding {
    bool good;
    char details[LEX_HEALTH_TEXT_MAX + 64];
};

static int64_t poll_age_us(const struct lex_health_worker *worker, int64_t now)
{
    int64_t last = atomic_load(&worker->last_poll_mono_us);
    return last == 0 || last > now ? 0 : now - last;
}

static struct finding find_words(bool good, const char *when_good, const char *when_not)
{
    struct finding finding = {.good = good};
    (void)snprintf(finding.details, sizeof finding.details, "%s", good ? when_good : when_not);
    return finding;
}

static struct finding check_startup(const struct lex_health *health, int64_t now)
{
    (void)now;
    return find_words(atomic_load(&health->startup_done), "started", "still starting");
}

static struct finding check_workers(const struct lex_health *health, int64_t now)
{
    struct finding finding = {.good = true};
    for (size_t i = 0; i < health->workers_count; i++) {
        int64_t age = poll_age_us(&health->workers[i], now);
        bool fatal = atomic_load(&health->workers[i].fatal);
        if (!fatal && age <= health->stuck_after_us)
            continue;
        finding.good = false;
        (void)snprintf(finding.details, sizeof finding.details,
                       fatal ? "worker %zu met a fatal client error; the log names it"
                             : "worker %zu has not polled for %lld s",
                       i, (long long)(age / 1000000));
        return finding;
    }
    (void)snprintf(finding.details, sizeof finding.details, "%zu running", health->workers_count);
    return finding;
}

static struct finding check_broker(const struct lex_health *health, int64_t now)
{
    static const char away[] = "no connection to a broker now; the log says why";
    (void)now;
    if (!atomic_load(&health->broker_configured))
        return find_words(false, "",
                          "no broker is named: set LEXECON_KAFKA_BOOTSTRAP_SERVERS, or run with "
                          "--embedded");
    if (health->audit)
        return find_words(atomic_load(&health->mirror_connected), "connected", away);
    size_t connected = 0;
    bool refused = false;
    for (size_t i = 0; i < health->workers_count; i++) {
        connected += atomic_load(&health->workers[i].broker_connected);
        refused = refused || atomic_load(&health->workers[i].refused);
    }
    if (refused)
        return find_words(false, "",
                          "connected, but what this node asks is refused; the log says what");
    return find_words(connected == health->workers_count && connected > 0, "connected", away);
}

static struct finding check_topics(const struct lex_health *health, int64_t now)
{
    (void)now;
    return find_words(atomic_load(&health->topics_usable), "usable",
                      "a topic is missing or not good enough; the log says which and why");
}

static void add_policy_problem(const struct lex_health *health, struct finding *finding)
{
    struct lex_health_text *problem = health->policy_problem;
    (void)pthread_mutex_lock(&problem->lock);
    if (problem->text[0] != 0)
        (void)snprintf(finding->details, sizeof finding->details, "%s: %s",
                       finding->good ? "in effect; the last load was refused"
                                     : "no policy is in effect",
                       problem->text);
    (void)pthread_mutex_unlock(&problem->lock);
}

static struct finding check_policy(const struct lex_health *health, int64_t now)
{
    (void)now;
    for (size_t i = 0; i < health->workers_count; i++)
        if (atomic_load(&health->workers[i].policy_behind))
            return find_words(false, "", "older than the ledger's; waiting for the newer one");
    struct finding finding =
        find_words(atomic_load(&health->policy_loaded), "in effect",
                   "no policy is in effect: set LEXECON_POLICY to a policy file");
    add_policy_problem(health, &finding);
    return finding;
}

static struct finding check_keys(const struct lex_health *health, int64_t now)
{
    (void)now;
    return find_words(atomic_load(&health->keys_loaded), "loaded",
                      "no signing keys: `lexecon keys generate` makes them");
}

static struct finding check_partitions(const struct lex_health *health, int64_t now)
{
    (void)now;
    int64_t halted = atomic_load(&health->halted_partitions);
    int64_t assigned = atomic_load(&health->assigned_partitions);
    int64_t recovering = 0;
    for (size_t i = 0; i < health->workers_count; i++)
        recovering += atomic_load(&health->workers[i].recovering);
    struct finding finding = {.good = halted == 0 && recovering == 0};
    if (halted == 0 && recovering > 0)
        (void)snprintf(finding.details, sizeof finding.details,
                       "%lld not recovered for long; the log says what is asked again",
                       (long long)recovering);
    else if (halted > 0)
        (void)snprintf(finding.details, sizeof finding.details,
                       "%lld halted; `lexecon ledger recover` is the way on", (long long)halted);
    else if (assigned == 0)
        (void)snprintf(finding.details, sizeof finding.details, "idle: none assigned");
    else
        (void)snprintf(finding.details, sizeof finding.details, "%lld assigned",
                       (long long)assigned);
    return finding;
}

static struct finding check_mirror(const struct lex_health *health, int64_t now)
{
    (void)now;
    struct finding finding = {.good = !atomic_load(&health->mirror_broken)};
    if (!finding.good)
        (void)snprintf(finding.details, sizeof finding.details,
                       "stopped at a break in the chain; the log names the entry");
    else if (!atomic_load(&health->mirror_on))
        (void)snprintf(finding.details, sizeof finding.details, "off");
    else
        (void)snprintf(finding.details, sizeof finding.details, "%lld entries behind",
                       (long long)atomic_load(&health->mirror_lag));
    return finding;
}

/* A registry that does not answer stops only what waits for it: known schemas go on. */
static struct finding check_registry(const struct lex_health *health, int64_t now)
{
    struct lex_health_text *problem = health->registry_problem;
    bool needed = atomic_load(&health->registry_needed);
    int64_t waiting = atomic_load(&health->registry_waiting);
    struct finding finding = {.good = true};
    (void)now;
    if (!atomic_load(&health->registry_on))
        return find_words(true, "off", "");
    (void)pthread_mutex_lock(&problem->lock);
    const char *said = problem->text[0] != 0 ? problem->text : "no answer yet";
    finding.good = !needed && (waiting == 0 || problem->text[0] == 0);
    if (needed)
        (void)snprintf(finding.details, sizeof finding.details,
                       "no id for the verdict's schema: %.480s", said);
    else if (waiting != 0)
        (void)snprintf(finding.details, sizeof finding.details,
                       "%lld partitions wait for a schema: %.480s", (long long)waiting, said);
    else
        (void)snprintf(finding.details, sizeof finding.details, "%s%.480s",
                       problem->text[0] != 0 ? "nothing waits for it, and it fails: " : "answering",
                       problem->text);
    (void)pthread_mutex_unlock(&problem->lock);
    return finding;
}

static struct finding check_stopping(const struct lex_health *health, int64_t now)
{
    (void)now;
    return find_words(!atomic_load(&health->stopping), "serving", "stopping");
}

/* Each check, the probes that need it, and whether it means something where nothing is decided. */
static const struct check {
    const char *name;
    struct finding (*find)(const struct lex_health *health, int64_t now);
    bool live, ready, startup, audit;
} checks[] = {
    {"startup", check_startup, false, true, true, true},
    {"workers", check_workers, true, true, false, false},
    {"broker", check_broker, false, true, false, true},
    {"topics", check_topics, false, true, false, true},
    {"policy", check_policy, false, true, false, false},
    {"keys", check_keys, false, true, false, false},
    {"partitions", check_partitions, false, true, false, false},
    {"schema_registry", check_registry, false, true, false, false},
    {"mirror", check_mirror, false, true, false, true},
    {"lifecycle", check_stopping, false, true, false, true},
};

static bool needed(const struct check *check, const struct lex_health *health,
                   enum lex_health_probe probe)
{
    if (health->audit && !check->audit)
        return false;
    switch (probe) {
    case LEX_PROBE_LIVE: return check->live;
    case LEX_PROBE_READY: return check->ready;
    case LEX_PROBE_STARTUP: return check->startup;
    case LEX_PROBE_HEALTH: return true;
    }
    return true;
}

static bool all_good(const struct lex_health *health, enum lex_health_probe probe, int64_t now)
{
    for (size_t i = 0; i < LEX_COUNT_OF(checks); i++)
        if (needed(&checks[i], health, probe) && !checks[i].find(health, now).good)
            return false;
    return true;
}

bool lex_health_probe(const struct lex_health *health, enum lex_health_probe probe,
                      int64_t now_mono_us)
{
    return all_good(health, probe == LEX_PROBE_HEALTH ? LEX_PROBE_LIVE : probe, now_mono_us);
}

static const char *status_word(const struct lex_health *health, int64_t now)
{
    if (!all_good(health, LEX_PROBE_LIVE, now))
        return "unhealthy";
    return all_good(health, LEX_PROBE_READY, now) ? "healthy" : "degraded";
}

static void put_check(const struct check *check, const struct finding *finding, struct lex_buf *out)
{
    lex_buf_printf(out, "{\"name\":\"%s\",\"status\":\"%s\",\"details\":", check->name,
                   finding->good ? "healthy"
                   : check->live ? "unhealthy"
                                 : "degraded");
    lex_buf_put_json(out, lex_span_str(finding->details));
    lex_buf_putc(out, '}');
}

bool lex_health_write(const struct lex_health *health, enum lex_health_probe probe,
                      int64_t now_mono_us, struct lex_buf *out)
{
    bool good = lex_health_probe(health, probe, now_mono_us);
    char now[LEX_RFC3339_MAX];
    lex_rfc3339_millis(lex_clock_wall_us(), now);
    const char *status = probe == LEX_PROBE_HEALTH ? status_word(health, now_mono_us)
                         : good                    ? "healthy"
                                                   : "unhealthy";
    lex_buf_printf(
        out,
        "{\"status\":\"%s\",\"timestamp\":\"%s\",\"uptime_seconds\":%.3f,\"role\":\"%s\","
        "\"checks\":[",
        status, now, (double)(now_mono_us - health->started_mono_us) / 1e6,
        health->audit ? "audit" : "decide");
    const char *separator = "";
    for (size_t i = 0; i < LEX_COUNT_OF(checks); i++) {
        if (!needed(&checks[i], health, probe))
            continue;
        struct finding finding = checks[i].find(health, now_mono_us);
        lex_buf_puts(out, separator);
        put_check(&checks[i], &finding, out);
        separator = ",";
    }
    lex_buf_puts(out, "]}\n");
    return good;
}

void lex_health_summary(const struct lex_health *health, int64_t now_mono_us, char *out,
                        size_t size)
{
    (void)snprintf(out, size, "ready");
    for (size_t i = 0; i < LEX_COUNT_OF(checks); i++) {
        if (!needed(&checks[i], health, LEX_PROBE_READY))
            continue;
        struct finding finding = checks[i].find(health, now_mono_us);
        if (finding.good)
            continue;
        (void)snprintf(out, size, "not ready: %s: %s", checks[i].name, finding.details);
        return;
    }
}

void lex_health_to_metrics(const struct lex_health *health, int64_t now_mono_us)
{
    lex_metric_set(LEX_METRIC_READY,
                   lex_health_probe(health, LEX_PROBE_READY, now_mono_us) ? 1 : 0);
    lex_metric_set(LEX_METRIC_ASSIGNED_PARTITIONS,
                   (double)atomic_load(&health->assigned_partitions));
    lex_metric_set(LEX_METRIC_HALTED_PARTITIONS, (double)atomic_load(&health->halted_partitions));
    lex_metric_set(LEX_METRIC_PRODUCER_QUEUE_MESSAGES,
                   (double)atomic_load(&health->producer_queue));
    lex_metric_set(LEX_METRIC_MIRROR_LAG_ENTRIES, (double)atomic_load(&health->mirror_lag));
    lex_metric_set(LEX_METRIC_ACTIVE_POLICIES, atomic_load(&health->policy_loaded) ? 1 : 0);
    for (size_t i = 0; i < health->workers_count; i++) {
        char number[24];
        (void)snprintf(number, sizeof number, "%zu", i);
        struct lex_span label = lex_span_str(number);
        double age = (double)poll_age_us(&health->workers[i], now_mono_us) / 1e6;
        lex_series_set(lex_metric_series(LEX_METRIC_POLL_AGE_SECONDS, &label, 1), age);
    }
}
