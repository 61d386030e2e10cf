/* Verify: a chain of entries checked from its bytes, one at a time.
 *
 * What a chain proves: nothing between its first and its last entry was removed, altered, moved or
 * slipped in. What it cannot prove alone is its last entry, which nothing names yet: that is what a
 * verdict's signature, the committed head and the checkpoint are for.
 *
 * A verifier holds one position per partition. It stops at the first break, since after it every
 * further entry would only be compared with a guess. A recovery entry may declare that sequence
 * numbers were lost (an operator's choice, see events.h); such a gap is told apart from a break,
 * and it is believed only if the entry names exactly the numbers that are missing. */
#ifndef LEX_LEDGER_VERIFY_H
#define LEX_LEDGER_VERIFY_H

#include <stdio.h>

#include "core/ledger/chain.h"

/* Decode one ledger record: a shipped schema's, and no larger than an entry may be.
 * @owns   the entry borrows from `value` and the arena
 * @errors LEX_REJECT err says what it is instead; LEX_LIMIT the arena is full */
LEX_STATUS lex_ledger_decode(struct lex_span value, struct lex_arena *arena,
                             struct lex_ledger_entry *ret_entry, struct lex_error *err);

enum lex_break_kind {
    LEX_BREAK_MALFORMED, /* no entry of a shipped schema */
    LEX_BREAK_LOG,       /* an entry of another log */
    LEX_BREAK_SEQ,       /* not the next number: something was removed, repeated or moved */
    LEX_BREAK_PREV,      /* names another entry before it: that one, or this one, was altered */
    LEX_BREAK_KINDS
};
const char *lex_break_name(enum lex_break_kind kind); /* "malformed", "log", "seq", "prev" */

struct lex_chain_break {
    enum lex_break_kind kind;
    int64_t expected_seq, got_seq;           /* got: -1 where it could not be read */
    struct lex_hash expected_prev, got_prev; /* of a LEX_BREAK_PREV */
};

struct lex_chain_verifier {
    char origin[LEX_ORIGIN_MAX_BYTES];
    bool anchored; /* false: the first entry says where the chain stands */
    bool broken;
    int64_t seq; /* expected next; 0 before an anchor */
    struct lex_hash prev;
    int64_t first_seq; /* of the first entry that was verified; -1 before */
    int64_t entries;   /* verified so far */
};

/* What a verified entry was. */
struct lex_chain_step {
    struct lex_ledger_entry entry;
    struct lex_hash leaf;
    bool gap; /* the entry declares that entries gap_from .. gap_to (inclusive) are missing */
    int64_t gap_from, gap_to;
};

/* @pre origin is at most LEX_ORIGIN_MAX_BYTES - 1 */
void lex_chain_verifier_init(struct lex_chain_verifier *verifier, struct lex_span origin);
/* Go on at a known place. */
void lex_chain_verifier_at(struct lex_chain_verifier *verifier, struct lex_span origin, int64_t seq,
                           const struct lex_hash *prev);
/* Begin anywhere: the first entry's own seq and prev are believed (genesis is still checked where
 * it is the first). For a ledger whose beginning retention has deleted. */
void lex_chain_verifier_open(struct lex_chain_verifier *verifier, struct lex_span origin);

/* Check the next record. `*ret_step` borrows from `value` and the arena.
 * @errors LEX_REJECT a break: *ret_break and err say which; the verifier stays where it was, broken
 *         LEX_LIMIT the arena is full, nothing changed
 * @post   on LEX_OK seq grew past the entry */
LEX_STATUS lex_chain_verify(struct lex_chain_verifier *verifier, struct lex_span value,
                            struct lex_arena *arena, struct lex_chain_step *ret_step,
                            struct lex_chain_break *ret_break, struct lex_error *err);
/* The same for an entry that was decoded already. */
LEX_STATUS lex_chain_verify_entry(struct lex_chain_verifier *verifier,
                                  const struct lex_ledger_entry *entry, struct lex_span value,
                                  struct lex_arena *arena, struct lex_chain_step *ret_step,
                                  struct lex_chain_break *ret_break, struct lex_error *err);

/* ---- verdicts ---- */

/* Read a verdict in either form: Avro single-object, else JSON. Nothing is proven by it.
 * @errors LEX_REJECT neither, or a readable member that disagrees with the entry; LEX_LIMIT arena
 */
LEX_STATUS lex_verdict_read(struct lex_span value, struct lex_arena *arena,
                            struct lex_verdict *ret_verdict, struct lex_span *ret_entry_value,
                            struct lex_error *err);
/* What pinned keys prove of it: its log is under the pinned prefix, the entry's leaf leads to a
 * batch that a pinned key signed, and the entry is a decision that does not contradict itself.
 * @errors LEX_REJECT err says which of these fails */
LEX_STATUS lex_verdict_prove(const struct lex_pins *pins, const struct lex_verdict *verdict,
                             struct lex_span entry_value, struct lex_hash *ret_leaf,
                             int32_t *ret_partition, struct lex_error *err);

/* ---- exported files: a 4-byte big-endian length and the record's value, repeated ---- */

struct lex_export_reader {
    FILE *file;
    int64_t at;     /* byte offset of the next record */
    uint8_t *value; /* LEX_LEDGER_ENTRY_MAX_BYTES, owned */
};
/* @param path "-" is standard input
 * @errors LEX_REJECT it cannot be opened */
LEX_STATUS lex_export_open(const char *path, struct lex_export_reader *ret_reader,
                           struct lex_error *err);
/* @owns   *ret_value lives until the next call; absent at the end of the file
 * @errors LEX_REJECT cut off, or a length that no entry has: err says at which byte */
LEX_STATUS lex_export_next(struct lex_export_reader *reader, struct lex_span *ret_value,
                           struct lex_error *err);
void lex_export_close(struct lex_export_reader *reader);
/* @errors LEX_REJECT over LEX_LEDGER_ENTRY_MAX_BYTES; LEX_RETRY the file cannot be written */
LEX_STATUS lex_export_write(FILE *file, struct lex_span value, struct lex_error *err);

#endif
