/* Cluster: the flags by which a client command finds its Kafka, the same for all of them.
 *
 * A client reads what the service reads, in the same order (flags over environment over file), so
 * that in the service's own container no flag is needed at all. */
#ifndef LEX_CLI_CLUSTER_H
#define LEX_CLI_CLUSTER_H

#include "cli/cli.h"
#include "core/config/config.h"

struct lex_cli_cluster {
    const char *config, *bootstrap;
    struct lex_cli_list kafka;
};

/* Rows for a command's table of flags. */
#define LEX_CLI_CLUSTER_FLAGS(cluster)                                                             \
    {"bootstrap", "HOST:PORT,...", "Brokers (or kafka.bootstrap.servers).", LEX_CLI_STR,           \
     &(cluster).bootstrap, false},                                                                 \
        {"kafka",                                                                                  \
         "KEY=VALUE",                                                                              \
         "A librdkafka setting, such as security.protocol=sasl_ssl; repeatable. Passwords belong " \
         "into the environment (LEXECON_KAFKA_SASL_PASSWORD) or the file.",                        \
         LEX_CLI_LIST,                                                                             \
         &(cluster).kafka,                                                                         \
         false},                                                                                   \
    {                                                                                              \
        "config", "FILE", "The service's configuration file; its topics and kafka.* are used.",    \
            LEX_CLI_STR, &(cluster).config, false                                                  \
    }

/* @param more  more flags of the service ("--requests-topic", "x"), NULL-terminated; may be NULL
 * @errors LEX_REJECT err says which setting, and that none names a broker */
LEX_STATUS lex_cli_cluster_load(const struct lex_cli_cluster *cluster, const char *const *more,
                                struct lex_config **ret_config, struct lex_error *err);

#endif
