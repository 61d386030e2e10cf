/* `lexecon topics create`: make the topics that are missing.
 *
 * It changes no topic that exists. The client library can only replace all of a topic's settings at
 * once, so a repair of one could undo another that somebody made meanwhile; the commands that
 * `topics check` prints change exactly one. */
#include <stdio.h>

#include "cli/topics.h"

static struct lex_cli_topics given = LEX_CLI_TOPICS_UNSAID;
static const struct lex_cli_flag flags[] = {
#define LEX_CLUSTER_FLAG(name, value, help, kind, member) \
    {name, value, help, kind, &given.cluster.member, false},
#include "cli/cluster_flags.def"
#undef LEX_CLUSTER_FLAG
    {"wait", "SECONDS", "How long to wait for a broker to answer (default 0: one attempt).",
     LEX_CLI_INT, &given.wait_s, false},
#define LEX_TOPICS_FLAG(name, value, help, kind, member) \
    {name, value, help, kind, &given.member, false},
#include "cli/topics_flags.def"
#undef LEX_TOPICS_FLAG
};
static const struct lex_cli_usage usage = {
    .path = "topics create",
    .operands = "",
    .text =
        "Make the topics that are missing, as `lexecon topics plan` prints them, and wait until\n"
        "brokers tell of them; then compare as `lexecon topics check` does. It may be run any\n"
        "number of times: a topic that exists is never changed, only compared.\n\n"
        "  lexecon topics create --bootstrap kafka:9092 --partitions 12\n"
        "  lexecon topics create --bootstrap kafka:9092 --ledger-requirements off --wait 60\n\n"
        "It needs Create on the cluster or the topics, Describe and DescribeConfigs.\n\n"
        "Exit status: 0 all are there, as planned; 1 one that existed differs; 2 a flag or "
        "setting\n"
        "is wrong, or a broker refuses to make one; 3 no broker answers in time.",
    .flags = flags,
    .flags_count = LEX_COUNT_OF(flags),
};

static enum lex_status make(struct lex_cli_topics_run *run, int role, struct lex_error *err)
{
    const struct lex_topic_plan *plan = &run->plans[role];
    LEX_TRY(lex_topics_create(run->topics, plan, err));
    LEX_TRY(lex_topics_look(run->topics, plan->name, &run->found[role], err));
    (void)printf("made   %s, partitions %d, replication %d, min.insync.replicas %lld\n", plan->name,
                 plan->partitions, plan->replication, (long long)plan->min_insync_replicas);
    return LEX_OK;
}

static enum lex_status make_missing(struct lex_cli_topics_run *run, struct lex_error *err)
{
    for (int role = 0; role < LEX_TOPIC_ROLES; role++) {
        if (!run->found[role].exists)
            LEX_TRY(make(run, role, err));
        else
            (void)printf("there  %s, partitions %d\n", run->plans[role].name,
                         run->found[role].partitions);
    }
    return LEX_OK;
}

int lex_cli_topics_create(int argc, char **argv)
{
    struct lex_cli_list operands;
    struct lex_cli_topics_run run = {.config = NULL};
    struct lex_error err = {{0}};
    size_t wrong = 0;
    int parsed = lex_cli_parse(&usage, argc, argv, &operands);
    if (parsed != 0)
        return parsed == 1 ? LEX_EXIT_OK : LEX_EXIT_USAGE;
    enum lex_status status = lex_cli_topics_look(&given, &run, &err);
    if (status == LEX_OK)
        status = make_missing(&run, &err);
    if (status == LEX_OK)
        status = lex_cli_topics_compare(&run, false, &wrong, &err);
    lex_cli_topics_fini(&run);
    if (status != LEX_OK)
        return lex_cli_fail(&usage, lex_cli_topics_exit(status), "%s", err.text);
    return wrong == 0 ? LEX_EXIT_OK : LEX_EXIT_NO;
}
