#include "cli/cluster.h"

#include <unistd.h>

enum { ARGS_MAX = 80 };

/* lex_config_load reads a command line; this is the one that the flags amount to. */
static int fill_args(const struct lex_cli_cluster *cluster, const char *const *more,
                     const char *args[ARGS_MAX])
{
    int count = 0;
    args[count++] = "lexecon";
    if (cluster->config != NULL) {
        args[count++] = "--config";
        args[count++] = cluster->config;
    }
    for (; more != NULL && *more != NULL; more++) {
        LEX_ASSERT(count < ARGS_MAX - 1);
        args[count++] = *more;
    }
    args[count] = NULL;
    return count;
}

static enum lex_status apply(const struct lex_cli_cluster *cluster, struct lex_config *config,
                             struct lex_error *err)
{
    for (size_t i = 0; i < cluster->kafka.count; i++)
        LEX_TRY(lex_config_use_kafka(config, cluster->kafka.items[i], "--kafka", err));
    if (cluster->bootstrap != NULL)
        LEX_TRY(lex_config_use_bootstrap(config, cluster->bootstrap, err));
    return LEX_OK;
}

LEX_STATUS lex_cli_cluster_load_only(const struct lex_cli_cluster *cluster, const char *const *more,
                                     struct lex_config **ret_config, struct lex_error *err)
{
    const char *args[ARGS_MAX];
    struct lex_config *config = NULL;
    int count = fill_args(cluster, more, args);
    LEX_TRY(lex_config_load(count, (char *const *)(uintptr_t)args, environ, &config, err));
    enum lex_status status = apply(cluster, config, err);
    if (status != LEX_OK) {
        lex_config_free(config);
        return status;
    }
    *ret_config = config;
    return LEX_OK;
}

LEX_STATUS lex_cli_cluster_load(const struct lex_cli_cluster *cluster, const char *const *more,
                                struct lex_config **ret_config, struct lex_error *err)
{
    struct lex_config *config = NULL;
    LEX_TRY(lex_cli_cluster_load_only(cluster, more, &config, err));
    if (lex_config_kafka_get(config, "bootstrap.servers") == NULL) {
        lex_config_free(config);
        return lex_fail(err, LEX_REJECT,
                        "no broker is named: give --bootstrap HOST:PORT, or set "
                        "LEXECON_KAFKA_BOOTSTRAP_SERVERS");
    }
    *ret_config = config;
    return LEX_OK;
}
