/* `lexecon acls`: the access control list of a cluster, for people, Kafka's own tool or Strimzi. */
#include <ctype.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/acl_table.h"
#include "cli/cluster.h"
#include "cli/strimzi.h"

enum { OUT_MAX_BYTES = 64 << 10, PRINCIPAL_MAX_BYTES = 512 };

static struct lex_cli_cluster cluster;
static const char *format = "table", *strimzi_cluster = "kafka", *command_config;
static const char *users[LEX_ACL_PRINCIPALS] = {
    [LEX_ACL_SERVICE] = "lexecon",         [LEX_ACL_GATEWAY] = "lexecon-gateway",
    [LEX_ACL_AUDITOR] = "lexecon-auditor", [LEX_ACL_POLICY_AUTHOR] = "lexecon-policy-author",
    [LEX_ACL_ADMIN] = "lexecon-admin",
};
static struct lex_cli_list with, only;
static const struct lex_cli_flag flags[] = {
    {"format", "table|json|markdown|kafka-acls|strimzi",
     "For people; a JSON object a right; a table for a page; a script of kafka-acls.sh commands; "
     "KafkaUser resources of the Strimzi operator.",
     LEX_CLI_STR, &format, false},
    {"with", "CONDITION",
     "Also what is needed under it, whatever the configuration says: ledger-requirements, "
     "policy-topic, large-policies, create-topics, old-brokers; repeatable.",
     LEX_CLI_LIST, &with, false},
    {"only", "KIND",
     "Only this kind of principal: service, gateway, auditor, policy-author, admin; repeatable.",
     LEX_CLI_LIST, &only, false},
    {"principal-service", "NAME", "Its user (default lexecon).", LEX_CLI_STR,
     &users[LEX_ACL_SERVICE], false},
    {"principal-gateway", "NAME", "Default lexecon-gateway.", LEX_CLI_STR, &users[LEX_ACL_GATEWAY],
     false},
    {"principal-auditor", "NAME", "Default lexecon-auditor.", LEX_CLI_STR, &users[LEX_ACL_AUDITOR],
     false},
    {"principal-policy-author", "NAME", "Default lexecon-policy-author.", LEX_CLI_STR,
     &users[LEX_ACL_POLICY_AUTHOR], false},
    {"principal-admin", "NAME", "Default lexecon-admin.", LEX_CLI_STR, &users[LEX_ACL_ADMIN],
     false},
    {"command-config", "FILE", "Stands behind --command-config in the script.", LEX_CLI_STR,
     &command_config, false},
    {"strimzi-cluster", "NAME", "Name of the Kafka resource (default kafka).", LEX_CLI_STR,
     &strimzi_cluster, false},
#define LEX_CLUSTER_FLAG(name, value, help, kind, member) \
    {name, value, help, kind, &cluster.member, false},
#include "cli/cluster_flags.def"
#undef LEX_CLUSTER_FLAG
};
static const struct lex_cli_usage usage = {
    .path = "acls",
    .operands = "",
    .text =
        "Print the rights that each kind of principal needs on the cluster, no more and no less.\n"
        "Topics and group are the service's (environment, file); no broker is asked. Nobody else\n"
        "needs a right on these topics: who may write requests vouches for the actor in them, and\n"
        "a stranger's record in the ledger halts a partition.\n\n"
        "  lexecon acls\n"
        "  lexecon acls --format kafka-acls --bootstrap kafka:9092 > acls.sh\n"
        "  lexecon acls --format strimzi --with policy-topic > kafka-users.yaml\n\n"
        "Exit status: 0 printed; 2 a flag or setting is wrong.",
    .flags = flags,
    .flags_count = LEX_COUNT_OF(flags),
};

struct list {
    const struct lex_config *config;
    struct lex_acl acls[LEX_ACL_MAX];
    size_t count;
};

/* How many rights from `at` on are about the same principal and resource. */
static size_t together(const struct list *list, size_t at)
{
    size_t end = at + 1;
    while (end < list->count && lex_acl_together(&list->acls[at], &list->acls[end]))
        end++;
    return end - at;
}

static void put_operations(const struct lex_acl *acls, size_t count, struct lex_buf *out)
{
    for (size_t i = 0; i < count; i++)
        lex_buf_printf(out, "%s%s", i != 0 ? ", " : "", acls[i].operation);
}

/* Their reasons, each once. */
static void put_reasons(const struct lex_acl *acls, size_t count, struct lex_buf *out)
{
    for (size_t i = 0; i < count; i++) {
        bool told = false;
        for (size_t j = 0; j < i; j++)
            told = told || strcmp(acls[j].why, acls[i].why) == 0;
        if (!told)
            lex_buf_printf(out, "%s%s", i != 0 ? "; " : "", acls[i].why);
    }
}

static void resource_text(const struct lex_acl *acl, char out[LEX_ACL_NAME_MAX_BYTES + 40])
{
    const char *word = lex_acl_resource_word(acl->resource);
    if (acl->resource == LEX_ACL_CLUSTER)
        (void)snprintf(out, LEX_ACL_NAME_MAX_BYTES + 40, "%s", word);
    else
        (void)snprintf(out, LEX_ACL_NAME_MAX_BYTES + 40, "%s %s%s", word, acl->name,
                       acl->resource == LEX_ACL_TXN ? "*" : "");
}

/* ---- formats ---- */

static void put_table(const struct list *list, struct lex_buf *out)
{
    char resource[LEX_ACL_NAME_MAX_BYTES + 40];
    lex_buf_printf(out, "%-21s  %-36s  %-15s  %s\n", "PRINCIPAL", "ON", "OPERATION", "WHY");
    for (size_t i = 0; i < list->count; i++) {
        const struct lex_acl *acl = &list->acls[i];
        resource_text(acl, resource);
        lex_buf_printf(out, "%-21s  %-36s  %-15s  %s\n", users[acl->principal], resource,
                       acl->operation, acl->why);
    }
}

static void put_markdown(const struct list *list, struct lex_buf *out)
{
    char resource[LEX_ACL_NAME_MAX_BYTES + 40];
    lex_buf_puts(out, "| principal | on | operations | why |\n|---|---|---|---|\n");
    for (size_t i = 0; i < list->count; i += together(list, i)) {
        const struct lex_acl *acl = &list->acls[i];
        resource_text(acl, resource);
        lex_buf_printf(out, "| %s | %s | ", lex_acl_principal_word(acl->principal), resource);
        put_operations(acl, together(list, i), out);
        lex_buf_puts(out, " | ");
        put_reasons(acl, together(list, i), out);
        lex_buf_puts(out, " |\n");
    }
}

static void put_json(const struct list *list, struct lex_buf *out)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct lex_acl *acl = &list->acls[i];
        lex_buf_printf(out,
                       "{\"kind\":\"%s\",\"principal\":", lex_acl_principal_word(acl->principal));
        lex_buf_put_json(out, lex_span_str(users[acl->principal]));
        lex_buf_printf(out, ",\"resource\":\"%s\",\"name\":", lex_acl_resource_word(acl->resource));
        lex_buf_put_json(out, lex_span_str(acl->name));
        lex_buf_printf(out, ",\"pattern\":\"%s\",\"operation\":\"%s\",\"why\":",
                       acl->resource == LEX_ACL_TXN ? "prefixed" : "literal", acl->operation);
        lex_buf_put_json(out, lex_span_str(acl->why));
        lex_buf_puts(out, "}\n");
    }
}

/* For a shell: in single quotes, each of which in the text ends them, stands escaped, and opens
 * them again. */
static void put_quoted(const char *text, struct lex_buf *out)
{
    lex_buf_putc(out, '\'');
    for (; *text != 0; text++) {
        if (*text == '\'')
            lex_buf_puts(out, "'\\'");
        lex_buf_putc(out, *text);
    }
    lex_buf_putc(out, '\'');
}

static void put_script_head(const struct list *list, struct lex_buf *out)
{
    const char *servers = lex_config_kafka_get(list->config, "bootstrap.servers");
    lex_buf_puts(out, "#!/usr/bin/env bash\n# Made by `lexecon acls --format kafka-acls`: the "
                      "rights of each principal. It may run any number of times.\n"
                      "# KAFKA_ACLS is the tool, BOOTSTRAP the brokers, COMMAND_CONFIG a file of "
                      "client settings for it.\n"
                      "set -euo pipefail\nallow() {\n\tlocal user=$1\n\tshift\n"
                      "\t\"${KAFKA_ACLS:-kafka-acls.sh}\" --bootstrap-server \"${BOOTSTRAP:-");
    lex_buf_puts(out, servers != NULL ? servers : "kafka:9092");
    lex_buf_puts(out, "}\" \\\n\t\t${COMMAND_CONFIG:+--command-config \"$COMMAND_CONFIG\"} \\\n"
                      "\t\t--add --force --allow-principal \"User:$user\" \"$@\"\n}\n");
}

static void put_script(const struct list *list, struct lex_buf *out)
{
    put_script_head(list, out);
    if (command_config != NULL) {
        lex_buf_puts(out, "COMMAND_CONFIG=${COMMAND_CONFIG:-");
        put_quoted(command_config, out);
        lex_buf_puts(out, "}\n");
    }
    for (size_t i = 0; i < list->count; i += together(list, i)) {
        const struct lex_acl *acl = &list->acls[i];
        if (i == 0 || list->acls[i - 1].principal != acl->principal)
            lex_buf_printf(out, "\n# %s: %s\n", lex_acl_principal_word(acl->principal),
                           lex_acl_principal_text(acl->principal));
        lex_buf_puts(out, "allow ");
        put_quoted(users[acl->principal], out);
        lex_buf_putc(out, ' ');
        lex_acl_arguments(acl, together(list, i), out);
        lex_buf_puts(out, " # ");
        put_reasons(acl, together(list, i), out);
        lex_buf_putc(out, '\n');
    }
}

/* The operator spells resources in words of its own. */
static const char *strimzi_type(enum lex_acl_resource resource)
{
    return resource == LEX_ACL_TXN ? "transactionalId" : lex_acl_resource_word(resource);
}

static void put_strimzi_acl(const struct lex_acl *acl, size_t count, struct lex_buf *out)
{
    lex_buf_puts(out, "      # ");
    put_reasons(acl, count, out);
    lex_buf_printf(out, "\n      - resource:\n          type: %s\n", strimzi_type(acl->resource));
    if (acl->resource != LEX_ACL_CLUSTER)
        lex_buf_printf(out, "          name: %s\n          patternType: %s\n", acl->name,
                       acl->resource == LEX_ACL_TXN ? "prefix" : "literal");
    lex_buf_puts(out, "        operations:\n");
    for (size_t i = 0; i < count; i++)
        lex_buf_printf(out, "          - %s\n", acl[i].operation);
    lex_buf_puts(out, "        host: \"*\"\n");
}

static void put_strimzi(const struct list *list, struct lex_buf *out)
{
    lex_strimzi_head("lexecon acls --format strimzi", out);
    for (size_t i = 0; i < list->count; i += together(list, i)) {
        const struct lex_acl *acl = &list->acls[i];
        if (i == 0 || list->acls[i - 1].principal != acl->principal) {
            lex_strimzi_begin("KafkaUser", users[acl->principal], strimzi_cluster,
                              lex_acl_principal_text(acl->principal), out);
            lex_buf_puts(out, "  authentication:\n    type: scram-sha-512\n  authorization:\n"
                              "    type: simple\n    acls:\n");
        }
        put_strimzi_acl(acl, together(list, i), out);
    }
}

static const struct {
    const char *word;
    void (*put)(const struct list *list, struct lex_buf *out);
} FORMATS[] = {{"table", put_table},
               {"json", put_json},
               {"markdown", put_markdown},
               {"kafka-acls", put_script},
               {"strimzi", put_strimzi}};

/* ---- what is asked for ---- */

static enum lex_status only_mask(unsigned *ret_mask, struct lex_error *err)
{
    unsigned mask = 0;
    for (size_t i = 0; i < only.count; i++) {
        int kind = 0;
        while (kind < LEX_ACL_PRINCIPALS &&
               strcmp(only.items[i], lex_acl_principal_word((enum lex_acl_principal)kind)) != 0)
            kind++;
        if (kind == LEX_ACL_PRINCIPALS)
            return lex_fail(err, LEX_REJECT,
                            "--only %s: expected service, gateway, auditor, policy-author or admin",
                            only.items[i]);
        mask |= 1u << kind;
    }
    *ret_mask = only.count == 0 ? ~0u : mask;
    return LEX_OK;
}

/* A control character in a name could end the line that it stands in. */
static enum lex_status check_users(struct lex_error *err)
{
    for (size_t i = 0; i < LEX_ACL_PRINCIPALS; i++) {
        size_t len = strlen(users[i]);
        bool clean = len >= 1 && len <= PRINCIPAL_MAX_BYTES;
        for (size_t at = 0; at < len && clean; at++)
            clean = !iscntrl((unsigned char)users[i][at]);
        if (!clean)
            return lex_fail(err, LEX_REJECT,
                            "--principal-%s: expected 1 to %d bytes without control characters",
                            lex_acl_principal_word((enum lex_acl_principal)i), PRINCIPAL_MAX_BYTES);
        if (strncmp(users[i], "User:", 5) == 0)
            users[i] += 5;
    }
    return LEX_OK;
}

static enum lex_status make_list(struct list *list, struct lex_error *err)
{
    unsigned mask = 0, conditions = lex_acl_conditions(list->config);
    LEX_TRY(check_users(err));
    LEX_TRY(only_mask(&mask, err));
    for (size_t i = 0; i < with.count; i++) {
        enum lex_acl_when when;
        LEX_TRY(lex_acl_condition(with.items[i], &when, err));
        conditions |= 1u << when;
    }
    struct lex_acl all[LEX_ACL_MAX];
    size_t count = lex_acl_list(list->config, conditions, all);
    for (size_t i = 0; i < count; i++)
        if ((mask >> all[i].principal & 1) != 0)
            list->acls[list->count++] = all[i];
    return LEX_OK;
}

static int print(const struct list *list)
{
    LEX_CLEANUP(lex_buf_fini) struct lex_buf out;
    lex_buf_init(&out, OUT_MAX_BYTES);
    for (size_t i = 0; i < LEX_COUNT_OF(FORMATS); i++)
        if (strcmp(format, FORMATS[i].word) == 0) {
            FORMATS[i].put(list, &out);
            if (!lex_buf_ok(&out) || fputs(lex_buf_str(&out), stdout) == EOF)
                return lex_cli_fail(&usage, LEX_EXIT_INTERNAL, "out of memory");
            return LEX_EXIT_OK;
        }
    return lex_cli_fail(&usage, LEX_EXIT_USAGE,
                        "--format %s: expected table, json, markdown, kafka-acls or strimzi",
                        format);
}

int lex_cli_acls(int argc, char **argv)
{
    static struct list list;
    struct lex_cli_list operands;
    struct lex_config *config = NULL;
    struct lex_error err = {{0}};
    int parsed = lex_cli_parse(&usage, argc, argv, &operands);
    if (parsed != 0)
        return parsed == 1 ? LEX_EXIT_OK : LEX_EXIT_USAGE;
    lex_log_init(LEX_LOG_CRITICAL, LEX_LOG_TEXT, fileno(stderr));
    if (lex_cli_cluster_load_only(&cluster, NULL, &config, &err) != LEX_OK)
        return lex_cli_fail(&usage, LEX_EXIT_USAGE, "%s", err.text);
    list.config = config;
    enum lex_status status = make_list(&list, &err);
    int result =
        status == LEX_OK ? print(&list) : lex_cli_fail(&usage, LEX_EXIT_USAGE, "%s", err.text);
    lex_config_free(config);
    return result;
}
