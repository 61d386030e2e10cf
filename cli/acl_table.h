/* ACL table: which rights each kind of principal needs on the cluster, and why.
 *
 * The list that `lexecon acls` prints and the rights that `lexecon doctor` tries are the same rows,
 * so that what is granted by the list is what is asked for. Least privilege: tests/broker/acls
 * takes each right of the service away and sees something fail. */
#ifndef LEX_CLI_ACL_TABLE_H
#define LEX_CLI_ACL_TABLE_H

#include "core/config/config.h"

enum lex_acl_principal {
    LEX_ACL_SERVICE,
    LEX_ACL_GATEWAY,
    LEX_ACL_AUDITOR,
    LEX_ACL_POLICY_AUTHOR,
    LEX_ACL_ADMIN,
    LEX_ACL_PRINCIPALS
};
const char *lex_acl_principal_word(enum lex_acl_principal principal); /* "policy-author" */
const char *lex_acl_principal_text(enum lex_acl_principal principal); /* what it is */

enum lex_acl_when {
    LEX_ACL_ALWAYS,
    LEX_ACL_CHECKED,
    LEX_ACL_POLICY_TOPIC,
    LEX_ACL_LARGE_POLICIES,
    LEX_ACL_CREATE,
    LEX_ACL_OLD_BROKERS,
    LEX_ACL_WHENS
};
/* What holds under this configuration, as a mask of 1u << lex_acl_when. */
unsigned lex_acl_conditions(const struct lex_config *config);
/* @errors LEX_REJECT no such condition: err lists them */
LEX_STATUS lex_acl_condition(const char *word, enum lex_acl_when *ret_when, struct lex_error *err);

enum lex_acl_resource { LEX_ACL_TOPIC, LEX_ACL_GROUP, LEX_ACL_TXN, LEX_ACL_CLUSTER };

enum { LEX_ACL_MAX = 64, LEX_ACL_NAME_MAX_BYTES = 256 };
struct lex_acl {
    enum lex_acl_principal principal;
    enum lex_acl_resource resource;
    char name[LEX_ACL_NAME_MAX_BYTES];
    const char *operation, *why;
};
/* The rights under these conditions, in the table's order. @return how many */
size_t lex_acl_list(const struct lex_config *config, unsigned conditions,
                    struct lex_acl ret_acls[LEX_ACL_MAX]);
/* Whether both are about the same principal and resource. */
bool lex_acl_together(const struct lex_acl *a, const struct lex_acl *b);
/* "--operation Read --topic lexecon.requests", as kafka-acls.sh takes it, of `count` rights that
 * are together. */
void lex_acl_arguments(const struct lex_acl *acls, size_t count, struct lex_buf *out);
const char *lex_acl_resource_word(enum lex_acl_resource resource); /* "topic" */

#endif
