/* Policies: what writes to the policies topic, and how its keys are read.
 *
 *     policy/<id>                              a published policy: a JWS by the policy key
 *     archive/<id>@<version>#<hash>/<n>        the n-th piece of a document that is too large for
 * its ledger entry; never loaded as a policy
 *
 * Id and version stand as they do in a partition's head (core/ledger/head.h), so that no key is
 * long or unprintable. A document is cut into pieces of LEX_ARCHIVE_CHUNK_BYTES; the last one is
 * shorter, and empty where the document ends with a whole piece: so a reader knows its end without
 * being told a length. The same document always gives the same keys and values: archiving it twice
 * changes nothing, and a compacted topic keeps one of each.
 *
 * What must always hold: a policy is in the archive before anything is decided under it, or the
 * decisions could never be made again. So archiving waits for every acknowledgement. */
#ifndef LEX_PRODUCER_POLICIES_H
#define LEX_PRODUCER_POLICIES_H

#include "core/config/config.h"
#include "core/crypto/crypto.h"
#include "core/ledger/head.h"
#include "core/policy/policy.h"

enum {
    LEX_ARCHIVE_CHUNK_BYTES = 512 << 10,
    LEX_ARCHIVE_CHUNKS_MAX = LEX_POLICY_MAX_BYTES / LEX_ARCHIVE_CHUNK_BYTES + 1,
    LEX_POLICIES_KEY_MAX_BYTES = 2 * LEX_HEAD_NAME_MAX_BYTES + 2 * LEX_HASH_BYTES + 32,
    /* Of one record, at the client; the broker's and the topic's own limits are lower by default.
     */
    LEX_PUBLISHED_MAX_BYTES = 96 << 20,
};

/* ---- keys ---- */

enum lex_policies_kind { LEX_POLICIES_OTHER, LEX_POLICIES_PUBLISHED, LEX_POLICIES_ARCHIVED };
struct lex_policies_key {
    enum lex_policies_kind kind;
    struct lex_span id;   /* of PUBLISHED, as in a head */
    struct lex_hash hash; /* of ARCHIVED */
    size_t piece;
};
void lex_policies_published_key(struct lex_span id, char out[LEX_POLICIES_KEY_MAX_BYTES]);
void lex_policies_archive_key(const struct lex_policy_info *info, size_t piece,
                              char out[LEX_POLICIES_KEY_MAX_BYTES]);
/* What a key names; anything else in the topic is OTHER. `id` borrows from `key`. */
struct lex_policies_key lex_policies_read_key(struct lex_span key);

/* ---- writing ---- */

/* Both write with a producer of their own, idempotent and acknowledged by all replicas, that ends
 * with the call: policies come seldom. The topic must exist, or the broker might make one that
 * forgets.
 * @thread any; blocks for timeout_ms at most
 * @errors LEX_RETRY  not all of it was acknowledged in time: call again
 *         LEX_REJECT refused: err says what to change */
LEX_STATUS lex_policies_archive(const struct lex_config *config, const struct lex_policy_info *info,
                                int timeout_ms, struct lex_error *err);
/* @param signed_text as `lexecon policy sign` writes it, verified by the caller */
LEX_STATUS lex_policies_publish(const struct lex_config *config, struct lex_span id,
                                struct lex_span signed_text, int timeout_ms, struct lex_error *err);

#endif
