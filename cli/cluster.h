/* Cluster: the flags by which a client command finds its Kafka, the same for all of them.
 *
 * A client reads what the service reads, in the same order (flags over environment over file), so
 * that in the service's own container no flag is needed at all. */
#ifndef LEX_CLI_CLUSTER_H
#define LEX_CLI_CLUSTER_H

#include "cli/cli.h"
#include "core/config/config.h"

/* Filled by the rows of cli/cluster_flags.def, which a command includes into its own table. */
struct lex_cli_cluster {
    const char *config, *bootstrap;
    struct lex_cli_list kafka;
};

/* @param more  more flags of the service ("--requests-topic", "x"), NULL-terminated; may be NULL
 * @errors LEX_REJECT err says which setting, and that none names a broker */
LEX_STATUS lex_cli_cluster_load(const struct lex_cli_cluster *cluster, const char *const *more,
                                struct lex_config **ret_config, struct lex_error *err);
/* The same where no broker is asked: none needs to be named. */
LEX_STATUS lex_cli_cluster_load_only(const struct lex_cli_cluster *cluster, const char *const *more,
                                     struct lex_config **ret_config, struct lex_error *err);

#endif
