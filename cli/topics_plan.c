/* `lexecon topics plan`: which topics there are to be, for a person, a program, Kafka's tools or
 * Strimzi. Asks no broker. */
#include <stdio.h>

#include "cli/strimzi.h"
#include "cli/topics.h"

enum { OUT_MAX_BYTES = 64 << 10 };

static struct lex_cli_topics given = LEX_CLI_TOPICS_UNSAID;
static const char *format = "table", *strimzi_cluster = "kafka";
static const struct lex_cli_flag flags[] = {
    {"format", "table|json|markdown|kafka-topics|strimzi",
     "For people; one JSON object; a table for a page; commands of Kafka's own tools; KafkaTopic "
     "resources of the "
     "Strimzi operator.",
     LEX_CLI_STR, &format, false},
    {"strimzi-cluster", "NAME", "Name of the Kafka resource in those (default kafka).", LEX_CLI_STR,
     &strimzi_cluster, false},
#define LEX_CLUSTER_FLAG(name, value, help, kind, member) \
    {name, value, help, kind, &given.cluster.member, false},
#include "cli/cluster_flags.def"
#undef LEX_CLUSTER_FLAG
#define LEX_TOPICS_FLAG(name, value, help, kind, member) \
    {name, value, help, kind, &given.member, false},
#include "cli/topics_flags.def"
#undef LEX_TOPICS_FLAG
};
static const struct lex_cli_usage usage = {
    .path = "topics plan",
    .operands = "",
    .text =
        "Print the topics that the service works on, with the settings that they are to have at\n"
        "least. Names and requirements are the service's (flags, environment, file); no broker is\n"
        "asked. `lexecon topics check` compares a cluster with this, `lexecon topics create` "
        "makes\n"
        "what is missing.\n\n"
        "  lexecon topics plan --partitions 12\n"
        "  lexecon topics plan --partitions 12 --format kafka-topics --bootstrap kafka:9092\n"
        "  lexecon topics plan --partitions 12 --format strimzi > kafka-topics.yaml\n\n"
        "Exit status: 0 printed; 2 a flag or setting is wrong.",
    .flags = flags,
    .flags_count = LEX_COUNT_OF(flags),
};

/* ---- formats ---- */

static void put_table(const struct lex_cli_topics_run *run, struct lex_buf *out)
{
    char retention[32];
    lex_buf_printf(out, "%-28s %10s %11s %7s %-8s %-10s %s\n", "TOPIC", "PARTITIONS", "REPLICATION",
                   "MIN-ISR", "CLEANUP", "RETENTION", "WHY");
    for (int i = 0; i < LEX_TOPIC_ROLES; i++) {
        const struct lex_topic_plan *plan = &run->plans[i];
        lex_cli_topics_duration(plan->retention_ms, retention);
        lex_buf_printf(out, "%-28s %10d %11d %7lld %-8s %-10s %s%s\n", plan->name, plan->partitions,
                       plan->replication, (long long)plan->min_insync_replicas,
                       plan->cleanup_policy, retention,
                       plan->needed ? "" : "if wanted: ", plan->why);
    }
}

static void put_markdown(const struct lex_cli_topics_run *run, struct lex_buf *out)
{
    char retention[32];
    lex_buf_puts(out,
                 "| topic | partitions | cleanup.policy | kept | why |\n|---|---|---|---|---|\n");
    for (int i = 0; i < LEX_TOPIC_ROLES; i++) {
        const struct lex_topic_plan *plan = &run->plans[i];
        lex_cli_topics_duration(plan->retention_ms, retention);
        lex_buf_printf(out, "| `%s` | %s | %s | %s | %s%s |\n", plan->name,
                       plan->role == LEX_TOPIC_POLICIES   ? "1"
                       : plan->role == LEX_TOPIC_REQUESTS ? "as many as you like"
                                                          : "at least as many as requests",
                       plan->cleanup_policy, retention,
                       plan->needed ? "" : "if wanted: ", plan->why);
    }
}

struct settings {
    struct lex_buf *out;
    size_t count;
};

static void put_json_setting(void *user, const char *name, const char *value)
{
    struct settings *s = user;
    lex_buf_printf(s->out, "%s\"%s\":\"%s\"", s->count++ != 0 ? "," : "", name, value);
}

static void put_json(const struct lex_cli_topics_run *run, struct lex_buf *out)
{
    lex_buf_puts(out, "{\"topics\":[");
    for (int i = 0; i < LEX_TOPIC_ROLES; i++) {
        const struct lex_topic_plan *plan = &run->plans[i];
        struct settings settings = {out, 0};
        lex_buf_puts(out, i != 0 ? ",{\"topic\":" : "{\"topic\":");
        lex_buf_put_json(out, lex_span_str(plan->name));
        lex_buf_printf(out, ",\"role\":\"%s\",\"needed\":%s,\"partitions\":%d,\"replication\":%d",
                       lex_topic_role_word(plan->role), plan->needed ? "true" : "false",
                       plan->partitions, plan->replication);
        lex_buf_puts(out, ",\"config\":{");
        lex_topic_plan_settings(plan, put_json_setting, &settings);
        lex_buf_puts(out, "},\"why\":");
        lex_buf_put_json(out, lex_span_str(plan->why));
        lex_buf_putc(out, '}');
    }
    lex_buf_puts(out, "]}\n");
}

static void put_commands(const struct lex_cli_topics_run *run, struct lex_buf *out)
{
    for (int i = 0; i < LEX_TOPIC_ROLES; i++) {
        const struct lex_topic_plan *plan = &run->plans[i];
        lex_buf_printf(out, "# %s%s\n", plan->needed ? "" : "if wanted: ", plan->why);
        lex_topic_plan_command(plan, &run->tools, out);
        lex_buf_putc(out, '\n');
    }
}

static void put_strimzi_setting(void *user, const char *name, const char *value)
{
    lex_buf_printf(user, "    %s: %s\n", name, value);
}

static void put_strimzi(const struct lex_cli_topics_run *run, struct lex_buf *out)
{
    lex_strimzi_head("lexecon topics plan --format strimzi", out);
    for (int i = 0; i < LEX_TOPIC_ROLES; i++) {
        const struct lex_topic_plan *plan = &run->plans[i];
        lex_strimzi_begin("KafkaTopic", plan->name, strimzi_cluster, plan->why, out);
        lex_buf_printf(out, "  topicName: %s\n  partitions: %d\n  replicas: %d\n  config:\n",
                       plan->name, plan->partitions, plan->replication);
        lex_topic_plan_settings(plan, put_strimzi_setting, out);
    }
}

static const struct {
    const char *word;
    void (*put)(const struct lex_cli_topics_run *run, struct lex_buf *out);
} FORMATS[] = {{"table", put_table},
               {"json", put_json},
               {"markdown", put_markdown},
               {"kafka-topics", put_commands},
               {"strimzi", put_strimzi}};

/* ---- all of it ---- */

static int print(const struct lex_cli_topics_run *run)
{
    LEX_CLEANUP(lex_buf_fini) struct lex_buf out;
    lex_buf_init(&out, OUT_MAX_BYTES);
    for (size_t i = 0; i < LEX_COUNT_OF(FORMATS); i++)
        if (strcmp(format, FORMATS[i].word) == 0) {
            FORMATS[i].put(run, &out);
            if (!lex_buf_ok(&out) || fputs(lex_buf_str(&out), stdout) == EOF)
                return lex_cli_fail(&usage, LEX_EXIT_INTERNAL, "out of memory");
            return LEX_EXIT_OK;
        }
    return lex_cli_fail(&usage, LEX_EXIT_USAGE,
                        "--format %s: expected table, json, markdown, kafka-topics or strimzi",
                        format);
}

int lex_cli_topics_plan(int argc, char **argv)
{
    struct lex_cli_list operands;
    struct lex_cli_topics_run run = {.config = NULL};
    struct lex_error err = {{0}};
    int parsed = lex_cli_parse(&usage, argc, argv, &operands);
    if (parsed != 0)
        return parsed == 1 ? LEX_EXIT_OK : LEX_EXIT_USAGE;
    if (lex_cli_topics_load(&given, &run, &err) != LEX_OK)
        return lex_cli_fail(&usage, LEX_EXIT_USAGE, "%s", err.text);
    int status = print(&run);
    lex_cli_topics_fini(&run);
    return status;
}
