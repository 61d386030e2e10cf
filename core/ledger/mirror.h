/* Mirror: the ledger's reader that keeps a verified copy (pipeline.md, "The mirror").
 *
 * Everything but Kafka and threads: records go in, rows come out. Whoever owns the consumer asks
 * where to begin (assign), feeds records in the order of their offsets, and commits when its input
 * is drained.
 *
 *               assign                       feed: fits
 *      (unknown) ------> FOLLOWING  <------------------------+
 *                          |   |______________________________|
 *                feed: breaks |
 *                          v
 *                        BROKEN    stands at the last good entry; the bad bytes are kept aside;
 *                                  further records are ignored until the partition is assigned
 * again
 *
 * Invariants: a row is in the file only if its entry verified; entries and positions move together;
 * a missing range is written down as a gap before the entry behind it. After a failure (LEX_RETRY)
 * the mirror stands where the last commit left it, and the caller seeks each partition to
 * lex_mirror_next_offset and goes on: nothing is lost, since the topic has it all. */
#ifndef LEX_LEDGER_MIRROR_H
#define LEX_LEDGER_MIRROR_H

#include "core/ledger/store.h"
#include "core/ledger/verify.h"

enum lex_mirror_scope {
    LEX_MIRROR_OWNED, /* the partitions that this process decides; the file equals the ledger over
                         the ranges it claims */
    LEX_MIRROR_ALL,   /* every partition from genesis: gap-free, rebuilds itself */
    LEX_MIRROR_OFF,
};

enum {
    LEX_MIRROR_PARTITIONS_MAX = 4096,
    LEX_MIRROR_BEGINNING = -2, /* as Kafka's: the first offset that the topic holds */
};

struct lex_mirror_options {
    enum lex_mirror_scope scope;
    struct lex_span origin_prefix; /* borrowed, outlives the mirror */
    struct lex_span ledger_topic;  /* borrowed */
    /* Rows a transaction may hold, 1 .. LEX_STORE_TRANSACTION_MAX_ROWS; 0: that maximum. */
    int64_t transaction_rows;
};

/* Where an owner's chain stands on assignment, for a partition that the file does not know. */
struct lex_mirror_start {
    int64_t seq; /* of the next entry */
    struct lex_hash prev;
    int64_t kafka_offset; /* ledger records before it belong to earlier entries */
};

struct lex_mirror; /* @thread the mirror's own */

/* @owns the store is borrowed and outlives the mirror
 * @pre  scope is not LEX_MIRROR_OFF
 * @errors LEX_LIMIT no memory */
LEX_STATUS lex_mirror_new(const struct lex_mirror_options *options, struct lex_store *store,
                          struct lex_mirror **ret_mirror, struct lex_error *err);
void lex_mirror_free(struct lex_mirror *mirror); /* what is not committed is rolled back */

/* Follow a partition: from where the file stands; else from `start`, with the entries before it as
 * a gap (scope owned); else from genesis (scope all, or start NULL).
 * @post   *ret_next_offset is the ledger offset to read from, or LEX_MIRROR_BEGINNING
 * @errors LEX_HALT the file holds another log under this partition, or its last entry does not lead
 * to its own position: err says what to do; LEX_RETRY; LEX_LIMIT too many partitions */
LEX_STATUS lex_mirror_assign(struct lex_mirror *mirror, int32_t partition,
                             const struct lex_mirror_start *start, int64_t *ret_next_offset,
                             struct lex_error *err);
/* Commit, and no longer follow the partition. */
LEX_STATUS lex_mirror_revoke(struct lex_mirror *mirror, int32_t partition, struct lex_error *err);
/* The topic holds nothing before `log_start_offset` any more, and the mirror wanted it: the next
 * entry is taken where it stands, and what is missing before it is a gap. */
void lex_mirror_truncated(struct lex_mirror *mirror, int32_t partition, int64_t log_start_offset);

enum lex_mirror_result {
    LEX_MIRROR_TAKEN,   /* verified, and a row of the open transaction */
    LEX_MIRROR_SKIPPED, /* in the file already, or not followed */
    LEX_MIRROR_BROKE,   /* broke the chain just now: err says how; what was good is committed */
    LEX_MIRROR_IGNORED, /* of a partition whose chain is broken */
};
/* One ledger record. Commits by itself when the transaction is full.
 * @errors LEX_RETRY, LEX_HALT of the store: the mirror stands at its last commit */
LEX_STATUS lex_mirror_feed(struct lex_mirror *mirror, int32_t partition, int64_t kafka_offset,
                           struct lex_span value, enum lex_mirror_result *ret_result,
                           struct lex_error *err);
/* Nothing to commit is fine. @errors as lex_mirror_feed */
LEX_STATUS lex_mirror_commit(struct lex_mirror *mirror, struct lex_error *err);

/* Where to read on after a failure. LEX_MIRROR_BEGINNING for one that has none; -1: not followed.
 */
int64_t lex_mirror_next_offset(const struct lex_mirror *mirror, int32_t partition);

struct lex_mirror_stats {
    int64_t verified; /* entries, integrity checks that passed */
    int64_t broken;   /* integrity checks that failed */
    int64_t committed_rows;
    int64_t broken_partitions; /* followed now, and broken */
};
struct lex_mirror_stats lex_mirror_stats(const struct lex_mirror *mirror);

#endif
