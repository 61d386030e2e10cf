#include "consumer/topic_plan.h"

#include <stdio.h>

enum partitions_rule { CHOSEN, AS_REQUESTS, ONE };
static const int64_t DAY_MS = 86400000;

struct row {
    const char *word, *cleanup, *why;
    size_t option; /* offset of the name in struct lex_config */
    enum partitions_rule partitions;
    int64_t days;
};
static const struct row ROWS[] = {
#define LEX_TOPIC(role, word, option, partitions, cleanup, days, why) \
    {word, cleanup, why, offsetof(struct lex_config, option), partitions, days},
#include "consumer/topics.def"
#undef LEX_TOPIC
};

const char *lex_topic_role_word(enum lex_topic_role role)
{
    return ROWS[role].word;
}

const char *lex_topic_name(const struct lex_config *config, enum lex_topic_role role)
{
    const char *name;
    memcpy(&name, (const char *)config + ROWS[role].option, sizeof name);
    return name;
}

bool lex_topic_needed(const struct lex_config *config, enum lex_topic_role role)
{
    if (config->role == LEX_ROLE_AUDIT)
        return role == LEX_TOPIC_LEDGER;
    return role != LEX_TOPIC_POLICIES || lex_config_policy_topic(config) != NULL;
}

/* ---- the plan ---- */

static int32_t partitions_of(const struct lex_config *config, const struct lex_topic_wishes *wishes,
                             int32_t existing, enum partitions_rule rule)
{
    if (rule == ONE)
        return 1;
    int32_t asked = wishes->partitions;
    if (asked == 0)
        return existing != 0 ? existing : (int32_t)config->create_topics_partitions;
    return rule == AS_REQUESTS && existing > asked ? existing : asked;
}

static int64_t retention_of(const struct lex_topic_wishes *wishes, enum lex_topic_role role)
{
    int64_t days = ROWS[role].days;
    if (role == LEX_TOPIC_LEDGER && wishes->ledger_days != LEX_TOPIC_UNSAID)
        days = wishes->ledger_days;
    return days < 0 ? -1 : days * DAY_MS;
}

/* What ledger_requirements asks for, which may be 0, and may be off. */
static int64_t at_least_one(const struct lex_config *config, bool min_isr)
{
    const struct lex_config_requirements *required = &config->ledger_required;
    int64_t asked = min_isr ? required->min_isr : required->replication;
    return required->on && asked > 1 ? asked : 1;
}

static struct lex_topic_plan plan_of(const struct lex_config *config,
                                     const struct lex_topic_wishes *wishes, int32_t existing,
                                     enum lex_topic_role role)
{
    int64_t min_isr =
        wishes->min_insync_replicas != 0 ? wishes->min_insync_replicas : at_least_one(config, true);
    int64_t replication =
        wishes->replication != 0 ? wishes->replication : at_least_one(config, false);
    bool asked = wishes->replication != 0 || wishes->min_insync_replicas != 0;
    if (!asked && replication < min_isr)
        replication = min_isr;
    return (struct lex_topic_plan){
        .role = role,
        .name = lex_topic_name(config, role),
        .cleanup_policy = ROWS[role].cleanup,
        .why = ROWS[role].why,
        .partitions = partitions_of(config, wishes, existing, ROWS[role].partitions),
        .replication = (int32_t)replication,
        .min_insync_replicas = min_isr,
        .retention_ms = retention_of(wishes, role),
        .needed = lex_topic_needed(config, role),
    };
}

/* A plan that the service would refuse is no plan. */
static enum lex_status check_required(const struct lex_config_requirements *required,
                                      const struct lex_topic_plan *ledger, struct lex_error *err)
{
    static const char remedy[] =
        "ask for more, or say less in ledger_requirements (`off` takes any)";
    if (!required->on)
        return LEX_OK;
    if (ledger->replication < required->replication)
        return lex_fail(err, LEX_REJECT,
                        "replication %d is below what ledger_requirements asks for (%lld): %s",
                        ledger->replication, (long long)required->replication, remedy);
    if (ledger->min_insync_replicas < required->min_isr)
        return lex_fail(
            err, LEX_REJECT, "min ISR %lld is below what ledger_requirements asks for (%lld): %s",
            (long long)ledger->min_insync_replicas, (long long)required->min_isr, remedy);
    if (ledger->retention_ms >= 0 && ledger->retention_ms / DAY_MS < required->retention_days)
        return lex_fail(
            err, LEX_REJECT,
            "%lld days of ledger are below what ledger_requirements asks for (%lld): %s",
            (long long)(ledger->retention_ms / DAY_MS), (long long)required->retention_days,
            remedy);
    return LEX_OK;
}

LEX_STATUS lex_topic_plan_make(const struct lex_config *config,
                               const struct lex_topic_wishes *wishes, int32_t existing,
                               struct lex_topic_plan ret_plans[LEX_TOPIC_ROLES],
                               struct lex_error *err)
{
    struct lex_topic_plan plans[LEX_TOPIC_ROLES];
    for (int role = 0; role < LEX_TOPIC_ROLES; role++)
        plans[role] = plan_of(config, wishes, existing, (enum lex_topic_role)role);
    const struct lex_topic_plan *ledger = &plans[LEX_TOPIC_LEDGER];
    if (ledger->min_insync_replicas > ledger->replication)
        return lex_fail(err, LEX_REJECT,
                        "min ISR %lld is more than replication %d: nothing could be written",
                        (long long)ledger->min_insync_replicas, ledger->replication);
    LEX_TRY(check_required(&config->ledger_required, ledger, err));
    memcpy(ret_plans, plans, sizeof plans);
    return LEX_OK;
}

void lex_topic_plan_settings(const struct lex_topic_plan *plan, lex_topic_setting_fn *tell,
                             void *user)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%lld", (long long)plan->min_insync_replicas);
    tell(user, "min.insync.replicas", text);
    tell(user, "cleanup.policy", plan->cleanup_policy);
    (void)snprintf(text, sizeof text, "%lld", (long long)plan->retention_ms);
    if (strcmp(plan->cleanup_policy, "delete") == 0)
        tell(user, "retention.ms", text);
    if (plan->role == LEX_TOPIC_LEDGER)
        tell(user, "retention.bytes", "-1");
}

/* ---- differences ---- */

static const char *const FIELD_WORDS[LEX_TOPIC_FIELDS] = {
    [LEX_TOPIC_FIELD_MISSING] = "topic",
    [LEX_TOPIC_FIELD_PARTITIONS] = "partitions",
    [LEX_TOPIC_FIELD_REPLICATION] = "replication",
    [LEX_TOPIC_FIELD_MIN_ISR] = "min.insync.replicas",
    [LEX_TOPIC_FIELD_RETENTION] = "retention.ms",
    [LEX_TOPIC_FIELD_RETENTION_BYTES] = "retention.bytes",
    [LEX_TOPIC_FIELD_CLEANUP] = "cleanup.policy",
};

const char *lex_topic_field_word(enum lex_topic_field field)
{
    return FIELD_WORDS[field];
}

struct differences {
    struct lex_topic_difference *list;
    size_t count;
};

static struct lex_topic_difference *differ(struct differences *d, enum lex_topic_field field,
                                           bool note)
{
    struct lex_topic_difference *one = &d->list[d->count++];
    *one = (struct lex_topic_difference){.field = field, .note = note};
    return one;
}

static void differ_number(struct differences *d, enum lex_topic_field field, bool note,
                          int64_t found, int64_t wanted)
{
    struct lex_topic_difference *one = differ(d, field, note);
    (void)snprintf(one->found, sizeof one->found, "%lld", (long long)found);
    (void)snprintf(one->wanted, sizeof one->wanted, "%lld", (long long)wanted);
}

static void differ_text(struct differences *d, enum lex_topic_field field, bool note,
                        const char *found, const char *wanted)
{
    struct lex_topic_difference *one = differ(d, field, note);
    (void)snprintf(one->found, sizeof one->found, "%s", found);
    (void)snprintf(one->wanted, sizeof one->wanted, "%s", wanted);
}

/* -1 is more than any number. */
static bool keeps_less(int64_t found, int64_t wanted)
{
    return found >= 0 && (wanted < 0 || found < wanted);
}

/* Compaction deletes what has the key of a later record: of a ledger, entries; of requests, those
 * that were not decided yet. Only policies want it. */
static bool cleans_otherwise(const char *found, const char *wanted)
{
    return (strstr(found, "compact") != NULL) != (strcmp(wanted, "compact") == 0) ||
           (strcmp(wanted, "compact") == 0 && strstr(found, "delete") != NULL);
}

/* What a topic other than the ledger keeps is for its owner to say: a note. The ledger's is held to
 * the plan. */
static void compare_settings(const struct lex_topic_plan *plan,
                             const struct lex_topic_settings *settings, struct differences *d)
{
    bool ledger = plan->role == LEX_TOPIC_LEDGER;
    bool deletes = strcmp(plan->cleanup_policy, "delete") == 0;
    if (cleans_otherwise(settings->cleanup_policy, plan->cleanup_policy))
        differ_text(d, LEX_TOPIC_FIELD_CLEANUP, false, settings->cleanup_policy,
                    plan->cleanup_policy);
    if (settings->min_insync_replicas < plan->min_insync_replicas)
        differ_number(d, LEX_TOPIC_FIELD_MIN_ISR, false, settings->min_insync_replicas,
                      plan->min_insync_replicas);
    if (deletes && keeps_less(settings->retention_ms, plan->retention_ms))
        differ_number(d, LEX_TOPIC_FIELD_RETENTION, !ledger, settings->retention_ms,
                      plan->retention_ms);
    if (ledger && settings->retention_bytes >= 0)
        differ_number(d, LEX_TOPIC_FIELD_RETENTION_BYTES, true, settings->retention_bytes, -1);
}

size_t lex_topic_plan_compare(const struct lex_topic_plan *plan, const struct lex_topic *found,
                              const struct lex_topic_settings *settings,
                              struct lex_topic_difference ret[LEX_TOPIC_FIELDS])
{
    struct differences d = {ret, 0};
    if (!found->exists) {
        differ_text(&d, LEX_TOPIC_FIELD_MISSING, !plan->needed, "missing", "there");
        return d.count;
    }
    if (found->partitions < plan->partitions)
        differ_number(&d, LEX_TOPIC_FIELD_PARTITIONS, false, found->partitions, plan->partitions);
    if (found->replication < plan->replication)
        differ_number(&d, LEX_TOPIC_FIELD_REPLICATION, false, found->replication,
                      plan->replication);
    if (settings != NULL)
        compare_settings(plan, settings, &d);
    return d.count;
}

/* ---- commands ---- */

static void begin_command(const char *tool, const struct lex_topic_tools *tools,
                          struct lex_buf *out)
{
    lex_buf_printf(out, "%s --bootstrap-server %s", tool, tools->servers);
    if (tools->command_config != NULL)
        lex_buf_printf(out, " --command-config %s", tools->command_config);
}

static void put_config(void *user, const char *name, const char *value)
{
    lex_buf_printf(user, " --config %s=%s", name, value);
}

void lex_topic_plan_command(const struct lex_topic_plan *plan, const struct lex_topic_tools *tools,
                            struct lex_buf *out)
{
    begin_command("kafka-topics.sh", tools, out);
    lex_buf_printf(out, " --create --if-not-exists --topic %s --partitions %d", plan->name,
                   plan->partitions);
    lex_buf_printf(out, " --replication-factor %d", plan->replication);
    lex_topic_plan_settings(plan, put_config, out);
}

/* No tool changes a replication by a number: it takes a file that says which brokers. */
static void replicas_command(const struct lex_topic_plan *plan, const struct lex_topic_tools *tools,
                             struct lex_buf *out)
{
    begin_command("kafka-reassign-partitions.sh", tools, out);
    lex_buf_printf(out,
                   " --execute --reassignment-json-file FILE    # in it %d brokers for each "
                   "partition of %s",
                   plan->replication, plan->name);
}

void lex_topic_mend_command(const struct lex_topic_plan *plan,
                            const struct lex_topic_difference *difference,
                            const struct lex_topic_tools *tools, struct lex_buf *out)
{
    switch (difference->field) {
    case LEX_TOPIC_FIELD_MISSING: lex_topic_plan_command(plan, tools, out); return;
    case LEX_TOPIC_FIELD_REPLICATION: replicas_command(plan, tools, out); return;
    case LEX_TOPIC_FIELD_PARTITIONS:
        begin_command("kafka-topics.sh", tools, out);
        lex_buf_printf(out, " --alter --topic %s --partitions %s", plan->name, difference->wanted);
        return;
    default:
        begin_command("kafka-configs.sh", tools, out);
        lex_buf_printf(out, " --alter --entity-type topics --entity-name %s --add-config %s=%s",
                       plan->name, lex_topic_field_word(difference->field), difference->wanted);
    }
}
