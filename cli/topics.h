/* Topics: what `topics plan`, `check` and `create` share: their flags, the cluster, the plan. */
#ifndef LEX_CLI_TOPICS_H
#define LEX_CLI_TOPICS_H

#include "cli/cluster.h"
#include "consumer/topics.h"

/* Filled by the rows of cli/topics_flags.def, which each of them includes into its own table. */
struct lex_cli_topics {
    struct lex_cli_cluster cluster;
    const char *command_config;
    long long partitions, replication, min_isr, retention_days; /* 0, and UNSAID: not given */
    long long wait_s;
    const char *requests, *verdicts, *ledger, *dead_letters, *policies, *requirements;
};
#define LEX_CLI_TOPICS_UNSAID              \
    {                                      \
        .retention_days = LEX_TOPIC_UNSAID \
    }

struct lex_cli_topics_run {
    struct lex_config *config;
    struct lex_topics *topics; /* NULL: no broker was asked */
    struct lex_topic found[LEX_TOPIC_ROLES];
    struct lex_topic_plan plans[LEX_TOPIC_ROLES];
    struct lex_topic_tools tools;
};

/* The configuration and the plan alone; what is not there has no partitions.
 * @errors LEX_REJECT a flag or setting is wrong: err says which */
LEX_STATUS lex_cli_topics_load(const struct lex_cli_topics *flags,
                               struct lex_cli_topics_run *ret_run, struct lex_error *err);
/* The same after a look at the cluster, waiting up to wait_s for a broker that does not answer.
 * @errors LEX_RETRY no broker answers; LEX_REJECT also: this user may not look at a topic */
LEX_STATUS lex_cli_topics_look(const struct lex_cli_topics *flags,
                               struct lex_cli_topics_run *ret_run, struct lex_error *err);
/* What differs, printed: a table, then a command for each. @return how many are no mere notes */
LEX_STATUS lex_cli_topics_compare(struct lex_cli_topics_run *run, bool json, size_t *ret_wrong,
                                  struct lex_error *err);
void lex_cli_topics_fini(struct lex_cli_topics_run *run);

/* "7 days", "for ever", "90 s" */
void lex_cli_topics_duration(int64_t ms, char out[32]);
enum lex_exit lex_cli_topics_exit(enum lex_status status);

#endif
