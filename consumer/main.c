/* lexecon-consumer: the service. Everything it can be told is an option; see --help. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "consumer/service.h"

static int print(void (*write)(const struct lex_config *, struct lex_buf *),
                 const struct lex_config *config)
{
    struct lex_buf out;
    lex_buf_init(&out, 1 << 20);
    write(config, &out);
    (void)fputs(lex_buf_str(&out), stdout);
    int status = lex_buf_ok(&out) && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    lex_buf_fini(&out);
    return status;
}

static void write_help(const struct lex_config *config, struct lex_buf *out)
{
    (void)config;
    lex_config_help("lexecon-consumer", out);
}

static void write_version(const struct lex_config *config, struct lex_buf *out)
{
    (void)config;
    lex_buf_puts(out, "lexecon-consumer " LEX_VERSION "\n");
}

static void write_checked(const struct lex_config *config, struct lex_buf *out)
{
    lex_buf_printf(out, "the configuration is valid%s%s\n", config->file != NULL ? ": " : "",
                   config->file != NULL ? config->file : "");
}

int main(int argc, char **argv)
{
    struct lex_config *config;
    struct lex_error err = {{0}};
    if (lex_config_load(argc, argv, environ, &config, &err) != LEX_OK) {
        (void)fprintf(stderr, "lexecon-consumer: %s\n", err.text);
        return 2;
    }
    int status = EXIT_SUCCESS;
    switch (config->action) {
    case LEX_CONFIG_HELP: status = print(write_help, config); break;
    case LEX_CONFIG_VERSION: status = print(write_version, config); break;
    case LEX_CONFIG_PRINT: status = print(lex_config_print, config); break;
    case LEX_CONFIG_CHECK: status = print(write_checked, config); break;
    case LEX_CONFIG_RUN: status = lex_service_run(config); break;
    }
    lex_config_free(config);
    return status;
}
