/* Head: where a partition's chain stands, carried in the metadata of its offset commit.
 *
 * The head travels with the offset, in the same transaction, so that a new owner knows both or
 * neither (pipeline.md, rule 3). The broker keeps text and mangles other bytes, and takes 4,096 of
 * them: the form is printable ASCII of at most LEX_HEAD_TEXT_MAX_BYTES, and policy names that would
 * not fit are replaced by their hash.
 *
 *     lexhead/1 <seq> <prev, hex> <last source offset> -
 *     lexhead/1 <seq> <prev, hex> <last source offset> <policy hash, hex> <n>:<id> <n>:<version>
 *
 * One head has exactly one text: the parser takes nothing that the writer does not write, since a
 * head that is read loosely is a chain that forks quietly. */
#ifndef LEX_LEDGER_HEAD_H
#define LEX_LEDGER_HEAD_H

#include "core/crypto/crypto.h"

enum {
    LEX_HEAD_TEXT_MAX_BYTES = 1024, /* the NUL included */
    LEX_HEAD_NAME_MAX_BYTES = 128,
};

struct lex_head {
    int64_t seq;                /* of the next entry */
    struct lex_hash prev;       /* what the next entry names */
    int64_t last_source_offset; /* of the last settled request (decided, rejected, or declared
                                   deleted), or of the one before the chain's start; -1: none */
    bool has_policy; /* a `policy` entry stands in the chain; the rest means something only then */
    char policy_id[LEX_HEAD_NAME_MAX_BYTES + 1];
    char policy_version[LEX_HEAD_NAME_MAX_BYTES + 1]; /* "" where the policy names none */
    struct lex_hash policy_hash;
};

/* Note the policy in force. An id or version over LEX_HEAD_NAME_MAX_BYTES, or with anything but
 * printable ASCII, stands as the lower-case hex of its SHA-256. An absent version is "". */
void lex_head_set_policy(struct lex_head *head, struct lex_span id, struct lex_span version,
                         const uint8_t hash[LEX_HASH_BYTES]);
/* Whether the head names exactly this policy; false before the first one. */
bool lex_head_has_policy(const struct lex_head *head, struct lex_span id, struct lex_span version,
                         const uint8_t hash[LEX_HASH_BYTES]);

/* Write the metadata text, NUL-terminated; returns its length without the NUL.
 * @pre seq >= 0, last_source_offset >= -1, names as lex_head_set_policy leaves them */
size_t lex_head_write(const struct lex_head *head, char out[LEX_HEAD_TEXT_MAX_BYTES]);
/* @errors LEX_REJECT not a head of this version, byte for byte: err says where it stops to be one
 */
LEX_STATUS lex_head_parse(struct lex_span text, struct lex_head *ret_head, struct lex_error *err);
bool lex_head_eq(const struct lex_head *a, const struct lex_head *b);

#endif
