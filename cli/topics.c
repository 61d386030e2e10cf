#include "cli/topics.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "core/base/clock.h"

enum { MORE_MAX = 16, PAUSE_MS = 500, TEXT_MAX_BYTES = 64 << 10, WAIT_MAX_S = 3600 };

enum lex_exit lex_cli_topics_exit(enum lex_status status)
{
    switch (status) {
    case LEX_OK: return LEX_EXIT_OK;
    case LEX_REJECT: return LEX_EXIT_USAGE;
    case LEX_LIMIT: return LEX_EXIT_INTERNAL;
    default: return LEX_EXIT_UNAVAILABLE;
    }
}

void lex_cli_topics_duration(int64_t ms, char out[32])
{
    if (ms < 0)
        (void)snprintf(out, 32, "for ever");
    else if (ms % 86400000 == 0)
        (void)snprintf(out, 32, "%lld days", (long long)(ms / 86400000));
    else
        (void)snprintf(out, 32, "%.1f hours", (double)ms / 3600000.0);
}

/* ---- flags ---- */

static enum lex_status check_range(const char *flag, long long value, long long low, long long high,
                                   struct lex_error *err)
{
    if (value >= low && value <= high)
        return LEX_OK;
    return lex_fail(err, LEX_REJECT, "--%s: expected a number from %lld to %lld", flag, low, high);
}

static enum lex_status wishes_of(const struct lex_cli_topics *flags, struct lex_topic_wishes *ret,
                                 struct lex_error *err)
{
    LEX_TRY(check_range("partitions", flags->partitions, 0, LEX_TOPIC_PARTITIONS_MAX, err));
    LEX_TRY(check_range("replication", flags->replication, 0, 1000, err));
    LEX_TRY(check_range("min-isr", flags->min_isr, 0, 1000, err));
    LEX_TRY(check_range("wait", flags->wait_s, 0, WAIT_MAX_S, err));
    if (flags->retention_days != LEX_TOPIC_UNSAID)
        LEX_TRY(check_range("retention-days", flags->retention_days, -1, 100000, err));
    *ret = (struct lex_topic_wishes){.partitions = (int32_t)flags->partitions,
                                     .replication = (int32_t)flags->replication,
                                     .min_insync_replicas = flags->min_isr,
                                     .ledger_days = flags->retention_days};
    return LEX_OK;
}

static enum lex_status load(const struct lex_cli_topics *flags, bool broker,
                            struct lex_config **ret_config, struct lex_error *err)
{
    const struct {
        const char *flag, *value;
    } given[] = {
        {"--requests-topic", flags->requests}, {"--verdicts-topic", flags->verdicts},
        {"--ledger-topic", flags->ledger},     {"--dead-letters-topic", flags->dead_letters},
        {"--policies-topic", flags->policies}, {"--ledger-requirements", flags->requirements}};
    const char *more[MORE_MAX] = {NULL};
    size_t count = 0;
    for (size_t i = 0; i < LEX_COUNT_OF(given); i++)
        if (given[i].value != NULL) {
            more[count++] = given[i].flag;
            more[count++] = given[i].value;
        }
    lex_log_init(LEX_LOG_CRITICAL, LEX_LOG_TEXT, fileno(stderr)); /* stdout is for the answer */
    return broker ? lex_cli_cluster_load(&flags->cluster, more, ret_config, err)
                  : lex_cli_cluster_load_only(&flags->cluster, more, ret_config, err);
}

static void fill_tools(const struct lex_cli_topics *flags, struct lex_cli_topics_run *run)
{
    const char *servers = lex_config_kafka_get(run->config, "bootstrap.servers");
    run->tools.servers = servers != NULL ? servers : "kafka:9092";
    run->tools.command_config = flags->command_config;
}

/* ---- the plan ---- */

LEX_STATUS lex_cli_topics_load(const struct lex_cli_topics *flags,
                               struct lex_cli_topics_run *ret_run, struct lex_error *err)
{
    struct lex_cli_topics_run run = {.config = NULL};
    struct lex_topic_wishes wishes;
    LEX_TRY(wishes_of(flags, &wishes, err));
    LEX_TRY(load(flags, false, &run.config, err));
    enum lex_status status = lex_topic_plan_make(run.config, &wishes, 0, run.plans, err);
    if (status != LEX_OK) {
        lex_cli_topics_fini(&run);
        return status;
    }
    fill_tools(flags, &run);
    *ret_run = run;
    return LEX_OK;
}

void lex_cli_topics_fini(struct lex_cli_topics_run *run)
{
    lex_topics_free(run->topics);
    lex_config_free(run->config);
    *run = (struct lex_cli_topics_run){.config = NULL};
}

/* ---- the cluster ---- */

static enum lex_status look_once(struct lex_cli_topics_run *run, struct lex_error *err)
{
    LEX_TRY(lex_topics_new(run->config, &run->topics, err));
    for (int role = 0; role < LEX_TOPIC_ROLES; role++)
        LEX_TRY(lex_topics_look(run->topics, lex_topic_name(run->config, (enum lex_topic_role)role),
                                &run->found[role], err));
    return LEX_OK;
}

/* A client that gave up is not asked again: a new one reads the addresses anew. */
static enum lex_status look(struct lex_cli_topics_run *run, long long wait_s, struct lex_error *err)
{
    const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
    int64_t until_us = lex_clock_mono_us() + wait_s * 1000000;
    enum lex_status status = look_once(run, err);
    while (status == LEX_RETRY && lex_clock_mono_us() < until_us) {
        lex_topics_free(run->topics);
        run->topics = NULL;
        (void)nanosleep(&pause, NULL);
        status = look_once(run, err);
    }
    return status;
}

LEX_STATUS lex_cli_topics_look(const struct lex_cli_topics *flags,
                               struct lex_cli_topics_run *ret_run, struct lex_error *err)
{
    struct lex_cli_topics_run run = {.config = NULL};
    struct lex_topic_wishes wishes;
    LEX_TRY(wishes_of(flags, &wishes, err));
    LEX_TRY(load(flags, true, &run.config, err));
    enum lex_status status = look(&run, flags->wait_s, err);
    if (status == LEX_OK)
        status = lex_topic_plan_make(run.config, &wishes, run.found[LEX_TOPIC_REQUESTS].partitions,
                                     run.plans, err);
    if (status != LEX_OK) {
        lex_cli_topics_fini(&run);
        return status;
    }
    fill_tools(flags, &run);
    *ret_run = run;
    return LEX_OK;
}

/* ---- what differs ---- */

struct printing {
    struct lex_buf table, commands, json;
    size_t wrong, notes;
};

static void put_json(struct printing *p, const struct lex_topic_plan *plan,
                     const struct lex_topic_difference *difference, const char *command)
{
    lex_buf_puts(&p->json, p->json.len != 0 ? ",{\"topic\":" : "{\"topic\":");
    lex_buf_put_json(&p->json, lex_span_str(plan->name));
    lex_buf_printf(&p->json,
                   ",\"what\":\"%s\",\"found\":", lex_topic_field_word(difference->field));
    lex_buf_put_json(&p->json, lex_span_str(difference->found));
    lex_buf_puts(&p->json, ",\"wanted\":");
    lex_buf_put_json(&p->json, lex_span_str(difference->wanted));
    lex_buf_printf(&p->json, ",\"wrong\":%s,\"command\":", difference->note ? "false" : "true");
    lex_buf_put_json(&p->json, lex_span_str(command));
    lex_buf_putc(&p->json, '}');
}

static void put_difference(struct printing *p, const struct lex_topic_plan *plan,
                           const struct lex_topic_difference *difference,
                           const struct lex_topic_tools *tools)
{
    LEX_CLEANUP(lex_buf_fini) struct lex_buf command;
    lex_buf_init(&command, TEXT_MAX_BYTES);
    lex_topic_mend_command(plan, difference, tools, &command);
    lex_buf_printf(&p->table, "%-5s  %-28s  %-20s  found %s, wanted %s\n",
                   difference->note ? "note" : "WRONG", plan->name,
                   lex_topic_field_word(difference->field), difference->found, difference->wanted);
    lex_buf_printf(&p->commands, "%s\n", lex_buf_str(&command));
    put_json(p, plan, difference, lex_buf_str(&command));
    p->wrong += !difference->note;
    p->notes += difference->note;
}

/* A topic's settings are looked at where it is, and where this user may. The ledger's must be seen,
 * since what it guarantees is refused or taken for them. */
static enum lex_status compare_one(struct lex_cli_topics_run *run, int role, struct printing *p,
                                   struct lex_error *err)
{
    struct lex_topic_settings settings;
    struct lex_topic_difference differences[LEX_TOPIC_FIELDS];
    const struct lex_topic_plan *plan = &run->plans[role];
    bool known = false;
    if (run->found[role].exists) {
        enum lex_status status = lex_topics_settings(run->topics, plan->name, &settings, err);
        if (status == LEX_REJECT)
            (void)fprintf(stderr, "lexecon: not compared: %s\n", err->text);
        else
            LEX_TRY(status);
        known = status == LEX_OK;
        p->wrong += !known && role == LEX_TOPIC_LEDGER;
    }
    size_t count =
        lex_topic_plan_compare(plan, &run->found[role], known ? &settings : NULL, differences);
    for (size_t i = 0; i < count; i++)
        put_difference(p, plan, &differences[i], &run->tools);
    return LEX_OK;
}

static void print(const struct printing *p, bool json)
{
    if (json) {
        (void)printf("{\"agrees\":%s,\"differences\":[%s]}\n", p->wrong == 0 ? "true" : "false",
                     lex_buf_str(&p->json));
        return;
    }
    (void)fputs(lex_buf_str(&p->table), stdout);
    if (p->wrong + p->notes != 0)
        (void)printf("\nWhat mends them, in this order:\n\n%s", lex_buf_str(&p->commands));
    else if (p->wrong == 0)
        (void)puts("the cluster is as planned");
}

/* More partitions for those who answer before there are more that ask: the requests come last. */
static enum lex_status compare_all(struct lex_cli_topics_run *run, struct printing *p,
                                   struct lex_error *err)
{
    for (int role = LEX_TOPIC_REQUESTS + 1; role < LEX_TOPIC_ROLES; role++)
        LEX_TRY(compare_one(run, role, p, err));
    return compare_one(run, LEX_TOPIC_REQUESTS, p, err);
}

LEX_STATUS lex_cli_topics_compare(struct lex_cli_topics_run *run, bool json, size_t *ret_wrong,
                                  struct lex_error *err)
{
    struct printing p = {.wrong = 0};
    lex_buf_init(&p.table, TEXT_MAX_BYTES);
    lex_buf_init(&p.commands, TEXT_MAX_BYTES);
    lex_buf_init(&p.json, TEXT_MAX_BYTES);
    enum lex_status status = compare_all(run, &p, err);
    if (status == LEX_OK) {
        print(&p, json);
        *ret_wrong = p.wrong;
    }
    lex_buf_fini(&p.table);
    lex_buf_fini(&p.commands);
    lex_buf_fini(&p.json);
    return status;
}
