#include "cli/policy_text.h"

#include <stdio.h>

#include "consumer/policy_topic.h"

enum { ARCHIVE_TIMEOUT_MS = 60000 };

/* ---- embedded ---- */

static enum lex_status check_hash(const struct lex_ledger_entry *entry,
                                  const struct lex_policy *policy, struct lex_error *err)
{
    const struct lex_policy_info *info = lex_policy_info(policy);
    if (lex_span_eq(entry->policy_hash, lex_span_of(info->hash, sizeof info->hash)))
        return LEX_OK;
    return lex_fail(err, LEX_REJECT,
                    "the document that the entry embeds has another hash than the "
                    "entry says");
}

LEX_STATUS lex_policy_text_embedded(const struct lex_ledger_entry *entry, struct lex_arena *arena,
                                    struct lex_policy **ret_policy, struct lex_error *err)
{
    struct lex_policy_detail detail;
    struct lex_policy *policy;
    enum lex_status status = lex_event_policy_read(entry->detail, arena, &detail);
    if (status != LEX_OK)
        return lex_fail(err, status,
                        "the entry's detail is none of a policy, or contradicts itself");
    *ret_policy = NULL;
    if (lex_span_absent(detail.document))
        return LEX_OK;
    LEX_TRY(lex_policy_load(detail.document, "ledger", &policy, err));
    status = check_hash(entry, policy, err);
    if (status != LEX_OK)
        lex_policy_unref(policy);
    else
        *ret_policy = policy;
    return status;
}

/* ---- archived ---- */

static enum lex_status open_archive(struct lex_policy_archive *archive, struct lex_error *err)
{
    const char *const more[] = {"--policies-topic", archive->topic, NULL};
    if (archive->config != NULL)
        return LEX_OK;
    lex_log_init(LEX_LOG_CRITICAL, LEX_LOG_TEXT, fileno(stderr)); /* stdout is for the answer */
    if (lex_cli_cluster_load(archive->cluster, archive->topic != NULL ? more : NULL,
                             &archive->config, err) != LEX_OK)
        return LEX_RETRY;
    return LEX_OK;
}

LEX_STATUS lex_policy_archive_find(struct lex_policy_archive *archive, const struct lex_hash *hash,
                                   struct lex_policy **ret_policy, struct lex_error *err)
{
    LEX_TRY(open_archive(archive, err));
    return lex_policy_topic_archived(archive->config, hash, ARCHIVE_TIMEOUT_MS, ret_policy, err);
}

void lex_policy_archive_fini(struct lex_policy_archive *archive)
{
    lex_config_free(archive->config);
    archive->config = NULL;
}
