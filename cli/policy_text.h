/* Policy text: the documents that old decisions were made under, found by their hash.
 *
 * A policy entry embeds its document, or the archive holds it (producer/policies.h). Either way the
 * text is believed for one reason only: it loads, and its hash is the one that was asked for. */
#ifndef LEX_CLI_POLICY_TEXT_H
#define LEX_CLI_POLICY_TEXT_H

#include "cli/cluster.h"
#include "core/ledger/events.h"
#include "core/policy/policy.h"

/* The policy that a policy entry embeds. @post *ret_policy is NULL where the entry says that the
 * text is archived
 * @owns   the caller's reference
 * @errors LEX_REJECT the entry contradicts itself: err says how; LEX_LIMIT memory */
LEX_STATUS lex_policy_text_embedded(const struct lex_ledger_entry *entry, struct lex_arena *arena,
                                    struct lex_policy **ret_policy, struct lex_error *err);

/* Where the archive is: whatever the flags, the environment and the file say of Kafka. */
struct lex_policy_archive {
    const struct lex_cli_cluster *cluster;
    const char *topic;         /* NULL: the configured policies_topic */
    struct lex_config *config; /* once it was asked for */
};
/* @errors LEX_REJECT the archive does not have it; LEX_RETRY no broker is named, or none answers */
LEX_STATUS lex_policy_archive_find(struct lex_policy_archive *archive, const struct lex_hash *hash,
                                   struct lex_policy **ret_policy, struct lex_error *err);
void lex_policy_archive_fini(struct lex_policy_archive *archive);

#endif
