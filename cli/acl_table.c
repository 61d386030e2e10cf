#include "cli/acl_table.h"

#include <stdio.h>

struct row {
    enum lex_acl_principal principal;
    enum lex_acl_when when;
    enum lex_acl_resource resource;
    size_t option; /* offset of the name in struct lex_config */
    const char *operation, *why;
};
static const struct row ROWS[] = {
#define LEX_ACL(principal, when, resource, name, operation, why) \
    {LEX_ACL_##principal, LEX_ACL_##when,                        \
     LEX_ACL_##resource,  offsetof(struct lex_config, name),     \
     operation,           why},
#include "cli/acls.def"
#undef LEX_ACL
};
_Static_assert(LEX_COUNT_OF(ROWS) <= LEX_ACL_MAX, "as many as a list takes");

static const char *const PRINCIPALS[LEX_ACL_PRINCIPALS][2] = {
    [LEX_ACL_SERVICE] = {"service", "lexecon-consumer, all processes alike"},
    [LEX_ACL_GATEWAY] = {"gateway", "asks for leave on behalf of agents"},
    [LEX_ACL_AUDITOR] = {"auditor", "verifies the ledger"},
    [LEX_ACL_POLICY_AUTHOR] = {"policy-author", "publishes signed policies by topic"},
    [LEX_ACL_ADMIN] = {"admin", "makes and checks topics, looks at dead letters"},
};
static const char *const RESOURCES[] = {
    [LEX_ACL_TOPIC] = "topic",
    [LEX_ACL_GROUP] = "group",
    [LEX_ACL_TXN] = "transactional-id",
    [LEX_ACL_CLUSTER] = "cluster",
};
static const char *const WHENS[LEX_ACL_WHENS] = {
    [LEX_ACL_ALWAYS] = "",
    [LEX_ACL_CHECKED] = "ledger-requirements",
    [LEX_ACL_POLICY_TOPIC] = "policy-topic",
    [LEX_ACL_LARGE_POLICIES] = "large-policies",
    [LEX_ACL_CREATE] = "create-topics",
    [LEX_ACL_OLD_BROKERS] = "old-brokers",
};

const char *lex_acl_principal_word(enum lex_acl_principal principal)
{
    return PRINCIPALS[principal][0];
}

const char *lex_acl_principal_text(enum lex_acl_principal principal)
{
    return PRINCIPALS[principal][1];
}

const char *lex_acl_resource_word(enum lex_acl_resource resource)
{
    return RESOURCES[resource];
}

unsigned lex_acl_conditions(const struct lex_config *config)
{
    unsigned mask = 1u << LEX_ACL_ALWAYS;
    if (config->ledger_required.on)
        mask |= 1u << LEX_ACL_CHECKED;
    if (lex_config_policy_topic(config) != NULL)
        mask |= 1u << LEX_ACL_POLICY_TOPIC;
    if (config->create_topics)
        mask |= 1u << LEX_ACL_CREATE;
    return mask;
}

LEX_STATUS lex_acl_condition(const char *word, enum lex_acl_when *ret_when, struct lex_error *err)
{
    for (int when = LEX_ACL_CHECKED; when < LEX_ACL_WHENS; when++)
        if (strcmp(word, WHENS[when]) == 0) {
            *ret_when = (enum lex_acl_when)when;
            return LEX_OK;
        }
    return lex_fail(err, LEX_REJECT,
                    "--with %s: expected ledger-requirements, policy-topic, large-policies, "
                    "create-topics or old-brokers",
                    word);
}

static void put_name(const struct lex_config *config, const struct row *row, struct lex_acl *acl)
{
    const char *name;
    memcpy(&name, (const char *)config + row->option, sizeof name);
    if (row->resource == LEX_ACL_CLUSTER)
        name = "kafka-cluster"; /* what brokers call the only one */
    (void)snprintf(acl->name, sizeof acl->name, "%s%s", name,
                   row->resource == LEX_ACL_TXN ? "." : "");
}

size_t lex_acl_list(const struct lex_config *config, unsigned conditions,
                    struct lex_acl ret_acls[LEX_ACL_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < LEX_COUNT_OF(ROWS); i++) {
        const struct row *row = &ROWS[i];
        if ((conditions >> row->when & 1) == 0)
            continue;
        struct lex_acl *acl = &ret_acls[count++];
        *acl = (struct lex_acl){.principal = row->principal,
                                .resource = row->resource,
                                .operation = row->operation,
                                .why = row->why};
        put_name(config, row, acl);
    }
    return count;
}

bool lex_acl_together(const struct lex_acl *a, const struct lex_acl *b)
{
    return a->principal == b->principal && a->resource == b->resource &&
           strcmp(a->name, b->name) == 0;
}

void lex_acl_arguments(const struct lex_acl *acls, size_t count, struct lex_buf *out)
{
    for (size_t i = 0; i < count; i++)
        lex_buf_printf(out, "%s--operation %s", i != 0 ? " " : "", acls[i].operation);
    switch (acls[0].resource) {
    case LEX_ACL_CLUSTER: lex_buf_puts(out, " --cluster"); return;
    case LEX_ACL_TXN:
        lex_buf_printf(out, " --resource-pattern-type prefixed --transactional-id %s",
                       acls[0].name);
        return;
    default: lex_buf_printf(out, " --%s %s", lex_acl_resource_word(acls[0].resource), acls[0].name);
    }
}
