#include "consumer/preflight.h"

#include <stdio.h>

#include "consumer/topics.h"

enum { DAY_MS = 86400000 };

static const char LOGGER[] = "lexecon.topics";

struct preflight {
    const struct lex_config *config;
    struct lex_topics *topics;
    const char *names[LEX_TOPIC_ROLES];
    struct lex_topic found[LEX_TOPIC_ROLES];
    struct lex_buf problems; /* what has to be changed, one sentence each */
};

static const char *servers(const struct preflight *p)
{
    const char *text = lex_config_kafka_get(p->config, "bootstrap.servers");
    return text != NULL ? text : "HOST:PORT";
}

static void begin_problem(struct preflight *p)
{
    if (p->problems.len != 0)
        lex_buf_puts(&p->problems, ". ");
}

/* ---- existence ---- */

static bool is_needed(const struct preflight *p, int role)
{
    return lex_topic_needed(p->config, (enum lex_topic_role)role);
}

/* As the table has it, with what is there of the requests. Asked for nothing, it fits. */
static struct lex_topic_plan plan_of(const struct preflight *p, enum lex_topic_role role)
{
    static const struct lex_topic_wishes nothing = {.ledger_days = LEX_TOPIC_UNSAID};
    struct lex_topic_plan plans[LEX_TOPIC_ROLES];
    enum lex_status status = lex_topic_plan_make(
        p->config, &nothing, p->found[LEX_TOPIC_REQUESTS].partitions, plans, NULL);
    LEX_ASSERT(status == LEX_OK);
    return plans[role];
}

/* Whoever only reads a ledger does not make it; its name may be misspelt, or it comes later. */
static void tell_no_ledger(struct preflight *p)
{
    if (!p->found[LEX_TOPIC_LEDGER].exists)
        lex_buf_printf(&p->problems,
                       "the ledger topic %s does not exist on %s, and an audit node makes none: "
                       "check ledger_topic, and that a node that decides has started on this "
                       "cluster",
                       p->names[LEX_TOPIC_LEDGER], servers(p));
}

/* One command for all of them: one each would not fit into a message. */
static void tell_missing(struct preflight *p)
{
    struct lex_topic_plan plan = plan_of(p, LEX_TOPIC_LEDGER);
    const char *separator = "these topics do not exist: ";
    for (int role = 0; role < LEX_TOPIC_ROLES; role++)
        if (!p->found[role].exists && is_needed(p, role)) {
            lex_buf_printf(&p->problems, "%s%s", separator, p->names[role]);
            separator = ", ";
        }
    if (p->problems.len == 0)
        return;
    lex_buf_printf(&p->problems,
                   ": set create_topics=true, or for each kafka-topics.sh --bootstrap-server %s "
                   "--create --partitions %d --replication-factor %d --config "
                   "min.insync.replicas=%lld --topic NAME",
                   servers(p), plan.partitions, plan.replication,
                   (long long)plan.min_insync_replicas);
    if (!p->found[LEX_TOPIC_LEDGER].exists)
        lex_buf_puts(&p->problems, ", for the ledger with --config retention.ms=-1 --config "
                                   "cleanup.policy=delete too");
    if (!p->found[LEX_TOPIC_POLICIES].exists && is_needed(p, LEX_TOPIC_POLICIES))
        lex_buf_puts(&p->problems, ", for the policies with --partitions 1 and --config "
                                   "cleanup.policy=compact");
}

static enum lex_status make(struct preflight *p, enum lex_topic_role role, struct lex_error *err)
{
    struct lex_topic_plan plan = plan_of(p, role);
    LEX_TRY(lex_topics_create(p->topics, &plan, err));
    LEX_LOG(LEX_LOG_INFO, LOGGER, "Topic made", lex_log_str("topic", plan.name),
            lex_log_i64("partitions", plan.partitions),
            lex_log_i64("replication", plan.replication));
    return lex_topics_look(p->topics, plan.name, &p->found[role], err);
}

static enum lex_status look_at(struct preflight *p, enum lex_topic_role role, struct lex_error *err)
{
    LEX_TRY(lex_topics_look(p->topics, p->names[role], &p->found[role], err));
    if (!p->found[role].exists && p->config->create_topics)
        LEX_TRY(make(p, role, err));
    return LEX_OK;
}

/* What may be missing is made where that is allowed, and missed where it is not. */
static enum lex_status look_at_topics(struct preflight *p, struct lex_error *err)
{
    for (int role = 0; role < LEX_TOPIC_ROLES; role++) {
        if (!is_needed(p, role) && !p->config->create_topics)
            continue;
        enum lex_status status = look_at(p, (enum lex_topic_role)role, err);
        if (status == LEX_REJECT && !is_needed(p, role))
            LEX_LOG(LEX_LOG_WARNING, LOGGER, "No topic for the texts of large policies",
                    lex_log_str("error", err->text));
        else
            LEX_TRY(status);
    }
    if (p->config->role == LEX_ROLE_AUDIT)
        tell_no_ledger(p);
    else
        tell_missing(p);
    return LEX_OK;
}

/* ---- partitions ---- */

static void check_partitions(struct preflight *p)
{
    int32_t wanted = p->found[LEX_TOPIC_REQUESTS].partitions;
    bool any = false;
    for (int role = LEX_TOPIC_VERDICTS; role <= LEX_TOPIC_DEAD_LETTERS; role++) {
        if (!p->found[role].exists || p->found[role].partitions >= wanted)
            continue;
        if (!any)
            begin_problem(p);
        lex_buf_printf(&p->problems, "%s%s has %d", any ? ", " : "", p->names[role],
                       p->found[role].partitions);
        any = true;
    }
    if (any)
        lex_buf_printf(&p->problems,
                       " partitions, %s %d, and what partition p asks is answered in partition p: "
                       "kafka-topics.sh --bootstrap-server %s --alter --partitions %d --topic NAME",
                       p->names[LEX_TOPIC_REQUESTS], wanted, servers(p), wanted);
}

/* ---- the ledger ---- */

/* What is wrong with its settings, and what would put all of it right at once. */
struct findings {
    struct lex_buf wrong, settings;
    bool replicas;
};

static void find(struct findings *f, const char *setting, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void find(struct findings *f, const char *setting, const char *format, ...)
{
    char text[128];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    lex_buf_printf(&f->wrong, "%s%s", f->wrong.len != 0 ? ", " : "", text);
    if (setting != NULL)
        lex_buf_printf(&f->settings, "%s%s", f->settings.len != 0 ? "," : "", setting);
}

static void find_unmet(struct preflight *p, const struct lex_topic_settings *settings,
                       struct findings *f)
{
    char setting[64];
    const struct lex_config_requirements *required = &p->config->ledger_required;
    if (settings->retention_ms >= 0 && settings->retention_ms / DAY_MS < required->retention_days)
        find(f, "retention.ms=-1", "keeps entries for %.1f days (asked: %lld)",
             (double)settings->retention_ms / (double)DAY_MS, (long long)required->retention_days);
    (void)snprintf(setting, sizeof setting, "min.insync.replicas=%lld",
                   (long long)required->min_isr);
    if (settings->min_insync_replicas < required->min_isr)
        find(f, setting, "has min.insync.replicas=%lld (asked: %lld)",
             (long long)settings->min_insync_replicas, (long long)required->min_isr);
    f->replicas = p->found[LEX_TOPIC_LEDGER].replication < required->replication;
    if (f->replicas)
        find(f, NULL, "has %d replicas (asked: %lld)", p->found[LEX_TOPIC_LEDGER].replication,
             (long long)required->replication);
    if (settings->retention_bytes >= 0)
        LEX_LOG(LEX_LOG_WARNING, LOGGER,
                "The ledger topic has a retention.bytes: entries may be deleted before their time",
                lex_log_str("topic", p->names[LEX_TOPIC_LEDGER]),
                lex_log_i64("retention_bytes", settings->retention_bytes));
}

static void tell_findings(struct preflight *p, const struct findings *f)
{
    if (f->wrong.len == 0)
        return;
    begin_problem(p);
    lex_buf_printf(&p->problems, "the ledger %s %s", p->names[LEX_TOPIC_LEDGER],
                   lex_buf_str(&f->wrong));
    if (f->settings.len != 0)
        lex_buf_printf(&p->problems,
                       ": kafka-configs.sh --bootstrap-server %s --alter --entity-type topics "
                       "--entity-name %s --add-config %s",
                       servers(p), p->names[LEX_TOPIC_LEDGER], lex_buf_str(&f->settings));
    if (f->replicas)
        lex_buf_puts(&p->problems, ". More replicas: kafka-reassign-partitions.sh");
    if (p->config->ledger_required.on)
        lex_buf_puts(&p->problems, ". Or say in ledger_requirements what this ledger is to "
                                   "guarantee; `off` takes any");
}

/* A compacted ledger loses entries whatever else is asked of it. Where nothing is asked, the right
 * to read the settings is not asked for either. */
static enum lex_status check_ledger(struct preflight *p, struct lex_error *err)
{
    struct lex_topic_settings settings;
    bool required = p->config->ledger_required.on;
    if (!p->found[LEX_TOPIC_LEDGER].exists)
        return LEX_OK;
    enum lex_status status =
        lex_topics_settings(p->topics, p->names[LEX_TOPIC_LEDGER], &settings, err);
    if (status == LEX_REJECT && !required) {
        LEX_LOG(LEX_LOG_WARNING, LOGGER, "Not checked whether the ledger topic is compacted",
                lex_log_str("error", err->text));
        return LEX_OK;
    }
    LEX_TRY(status);
    struct findings found = {.replicas = false};
    lex_buf_init(&found.wrong, LEX_ERROR_TEXT_MAX);
    lex_buf_init(&found.settings, LEX_ERROR_TEXT_MAX);
    if (strstr(settings.cleanup_policy, "compact") != NULL)
        find(&found, "cleanup.policy=delete", "is compacted, which deletes entries");
    if (required)
        find_unmet(p, &settings, &found);
    tell_findings(p, &found);
    lex_buf_fini(&found.wrong);
    lex_buf_fini(&found.settings);
    return LEX_OK;
}

/* ---- rights ---- */

/* Without these a worker would wait for requests and never get one. The right to write shows when
 * the first transaction is refused: it cannot be asked for without writing. */
static enum lex_status check_reading(struct preflight *p, struct lex_error *err)
{
    if (is_needed(p, LEX_TOPIC_REQUESTS))
        LEX_TRY(lex_topics_read(p->topics, p->names[LEX_TOPIC_REQUESTS], err));
    if (is_needed(p, LEX_TOPIC_POLICIES))
        LEX_TRY(lex_topics_read(p->topics, p->names[LEX_TOPIC_POLICIES], err));
    return lex_topics_read(p->topics, p->names[LEX_TOPIC_LEDGER], err);
}

/* ---- all of it ---- */

static enum lex_status check_all(struct preflight *p, struct lex_error *err)
{
    LEX_TRY(look_at_topics(p, err));
    if (p->found[LEX_TOPIC_REQUESTS].exists)
        check_partitions(p);
    LEX_TRY(check_ledger(p, err));
    if (p->problems.len == 0)
        return check_reading(p, err);
    return lex_fail(err, LEX_REJECT, "%s", lex_buf_str(&p->problems));
}

LEX_STATUS lex_preflight(const struct lex_config *config, struct lex_error *err)
{
    struct preflight p = {
        .config = config,
    };
    if (config->embedded)
        return LEX_OK;
    for (int role = 0; role < LEX_TOPIC_ROLES; role++)
        p.names[role] = lex_topic_name(config, (enum lex_topic_role)role);
    LEX_TRY(lex_topics_new(config, &p.topics, err));
    lex_buf_init(&p.problems, 4 * LEX_ERROR_TEXT_MAX);
    enum lex_status status = check_all(&p, err);
    lex_buf_fini(&p.problems);
    lex_topics_free(p.topics);
    return status;
}
