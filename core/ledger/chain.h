/* Chain: the per-partition hash chain of ledger entries (formats.md, "Ledger entry").
 *
 *     leaf(e)  = SHA-256(0x00 || the record's value)             RFC 6962 leaf hash
 *     prev_0   = SHA-256("lexecon-genesis/v1\n" || origin || "\n"),   prev_i = leaf(e_{i-1})
 *
 * Invariants: seq is dense from 0; entry n names the hash of entry n-1; an entry is encoded once
 * and hashed once. The chain moves only after the transaction that carries the entry has committed:
 * the struct is a plain value, so a worker appends to a copy and, on COMMITTED, assigns it back. An
 * abort drops the copy, and that is the whole of "an aborted batch leaves the chain where it was".
 */
#ifndef LEX_LEDGER_CHAIN_H
#define LEX_LEDGER_CHAIN_H

#include "core/base/arena.h"
#include "core/crypto/crypto.h"
#include "schemas/records.h"

enum {
    LEX_LEDGER_ENTRY_MAX_BYTES = 65535, /* what a tile of C2SP tlog-tiles can serve */
    LEX_TOPIC_MAX_BYTES = 249,          /* Kafka's own limit */
    LEX_DECISION_ID_CHARS = 30,         /* "dec_" and a ULID; one more for the NUL */
};

/* ---- origins: `<prefix>/<topic>/<partition>`, the name of a log ----
 * lex_origin_prefix_check is crypto's, since keys are named under the prefix too. */

/* Write an origin, NUL-terminated.
 * @errors LEX_REJECT a bad prefix or topic, or a negative partition */
LEX_STATUS lex_origin_format(struct lex_span prefix, struct lex_span topic, int32_t partition,
                             char out[LEX_ORIGIN_MAX_BYTES], struct lex_error *err);
/* Take an origin under a known prefix apart; the topic borrows from `origin`.
 * @errors LEX_REJECT another prefix, or not an origin that lex_origin_format writes */
LEX_STATUS lex_origin_parse(struct lex_span origin, struct lex_span prefix,
                            struct lex_span *ret_topic, int32_t *ret_partition,
                            struct lex_error *err);

/* ---- the chain ---- */

struct lex_chain {
    struct lex_span origin; /* borrowed from whoever owns the partition */
    uint16_t tag;           /* of the origin, for decision ids */
    int64_t seq;            /* of the next entry */
    struct lex_hash prev;   /* what the next entry names */
};

/* A chain that never held an entry. */
struct lex_chain lex_chain_genesis(struct lex_span origin);
/* A chain that goes on where a head, or the ledger's tail, says. */
struct lex_chain lex_chain_at(struct lex_span origin, int64_t seq, const struct lex_hash *prev);

/* Append one entry to the chain's working copy. `entry->log`, `seq` and `prev` are filled here,
 * whatever they held; a verdict may be made from `entry` and `*ret_value` afterwards.
 * @owns    `*ret_value` and `entry->prev` live in the arena; entry->log borrows the chain's origin
 * @errors  LEX_REJECT  the entry has a field that the schema cannot hold, chain unchanged
 *          LEX_LIMIT   over LEX_LEDGER_ENTRY_MAX_BYTES or the arena is full, chain unchanged
 * @thread  the worker that owns the partition
 * @post    chain->seq grew by one and chain->prev is *ret_leaf */
LEX_STATUS lex_chain_append(struct lex_chain *chain, struct lex_ledger_entry *entry,
                            struct lex_arena *arena, struct lex_span *ret_value,
                            struct lex_hash *ret_leaf);

/* ---- decision ids ---- */

/* First 16 bits of SHA-256(origin). */
uint16_t lex_origin_tag(struct lex_span origin);
/* `dec_` and the Crockford base-32 of 128 bits: 48 of the request's timestamp in milliseconds, 16
 * of the partition, 48 of the offset, 16 of the origin's tag (ULID's layout). Deterministic, so
 * that a batch that is decided again gives the same ids. A negative timestamp counts as 0. */
void lex_decision_id(int64_t timestamp_ms, int32_t partition, int64_t offset, uint16_t tag,
                     char out[LEX_DECISION_ID_CHARS + 1]);

#endif
