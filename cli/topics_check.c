/* `lexecon topics check`: does the cluster have the topics as planned, and what mends what differs.
 */
#include "cli/topics.h"

static struct lex_cli_topics given = LEX_CLI_TOPICS_UNSAID;
static bool json;
static const struct lex_cli_flag flags[] = {
#define LEX_CLUSTER_FLAG(name, value, help, kind, member) \
    {name, value, help, kind, &given.cluster.member, false},
#include "cli/cluster_flags.def"
#undef LEX_CLUSTER_FLAG
    {"wait", "SECONDS", "How long to wait for a broker to answer (default 0: one attempt).",
     LEX_CLI_INT, &given.wait_s, false},
    {"json", NULL, "Print one JSON object.", LEX_CLI_BOOL, &json, false},
#define LEX_TOPICS_FLAG(name, value, help, kind, member) \
    {name, value, help, kind, &given.member, false},
#include "cli/topics_flags.def"
#undef LEX_TOPICS_FLAG
};
static const struct lex_cli_usage usage = {
    .path = "topics check",
    .operands = "",
    .text =
        "Compare the topics of a cluster with what `lexecon topics plan` prints: which are "
        "missing,\n"
        "or have too few partitions or replicas, which clean up otherwise than planned, and what\n"
        "the ledger guarantees. More than planned is fine. Each difference comes with the command\n"
        "of Kafka's own tools that mends it; nothing is changed.\n\n"
        "  lexecon topics check --bootstrap kafka:9092\n\n"
        "A note is worth knowing and no reason to fail: what a topic other than the ledger keeps,\n"
        "and a policies topic that is missing where policies come by file.\n\n"
        "It needs Describe on the topics, and DescribeConfigs.\n\n"
        "Exit status: 0 as planned; 1 something differs; 2 a flag or setting is wrong, or this "
        "user\n"
        "may not look; 3 no broker answers.",
    .flags = flags,
    .flags_count = LEX_COUNT_OF(flags),
};

int lex_cli_topics_check(int argc, char **argv)
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
        status = lex_cli_topics_compare(&run, json, &wrong, &err);
    lex_cli_topics_fini(&run);
    if (status != LEX_OK)
        return lex_cli_fail(&usage, lex_cli_topics_exit(status), "%s", err.text);
    return wrong == 0 ? LEX_EXIT_OK : LEX_EXIT_NO;
}
