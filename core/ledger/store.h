/* Store: the mirror's file (SQLite), the only place that knows it is SQLite.
 *
 * The file is a copy. The ledger topic is the authority, so nothing here has to survive a power cut
 * that the topic does not survive: WAL with synchronous=NORMAL is consistent after any crash, and
 * what the last moments lost is read from the topic again. What must always hold is that entries
 * and the position that says "these are in" move in one transaction; a position without its entries
 * would be a hole that nobody fills.
 *
 * Errors come in three kinds: LEX_RETRY (disk full, locked: the same again later, the transaction
 * is rolled back), LEX_HALT (corrupt, or not a mirror: delete the file, it rebuilds itself),
 * LEX_REJECT (the path itself is wrong). */
#ifndef LEX_LEDGER_STORE_H
#define LEX_LEDGER_STORE_H

#include "core/ledger/chain.h"

enum {
    LEX_STORE_VERSION = 1,
    LEX_STORE_TRANSACTION_MAX_ROWS = 10000,
    LEX_STORE_BROKEN_MAX_BYTES = 1 << 20, /* kept of one broken record */
    LEX_STORE_BROKEN_MAX_ROWS = 1000,     /* further ones are counted by the metric only */
};

enum lex_store_mode {
    LEX_STORE_READ,  /* of an existing file, also while the service writes it */
    LEX_STORE_WRITE, /* made where it is missing, mode 0600 */
};

struct lex_store;

/* @thread one thread per store
 * @errors LEX_REJECT the path; LEX_HALT not a mirror of this version, or corrupt: err says to
 * delete it; LEX_RETRY locked or the disk is full */
LEX_STATUS lex_store_open(const char *path, enum lex_store_mode mode, struct lex_store **ret_store,
                          struct lex_error *err);
void lex_store_close(
    struct lex_store *store); /* NULL is fine; an open transaction is rolled back */
/* Whether the file was deleted or replaced since it was opened: close it, and open it anew. */
bool lex_store_gone(const struct lex_store *store);
/* Take the file's pages out of the kernel's cache. Who reads a whole mirror again and again keeps
 * all of it there, and a container is measured with it: it would look full, and be scaled for that.
 */
void lex_store_drop_cache(const struct lex_store *store);

struct lex_store_position {
    char origin[LEX_ORIGIN_MAX_BYTES];
    int64_t next_kafka_offset;
    int64_t next_seq;
    struct lex_hash prev;
};
LEX_STATUS lex_store_position(struct lex_store *store, int32_t partition,
                              struct lex_store_position *ret_position, bool *ret_found,
                              struct lex_error *err);

/* ---- one transaction: entries, gaps and positions together ---- */
LEX_STATUS lex_store_begin(struct lex_store *store, struct lex_error *err);
/* @pre in a transaction (of all below) */
LEX_STATUS lex_store_append(struct lex_store *store, int32_t partition, int64_t seq,
                            int64_t kafka_offset, struct lex_span value, struct lex_error *err);
LEX_STATUS lex_store_add_gap(struct lex_store *store, int32_t partition, int64_t from, int64_t to,
                             const char *reason, struct lex_error *err);
LEX_STATUS lex_store_set_position(struct lex_store *store, int32_t partition,
                                  const struct lex_store_position *position, struct lex_error *err);
/* Keep bytes that broke a chain aside: the first LEX_STORE_BROKEN_MAX_BYTES of them, and at most
 * LEX_STORE_BROKEN_MAX_ROWS records; the same record again replaces itself. */
LEX_STATUS lex_store_keep_broken(struct lex_store *store, int32_t partition, int64_t kafka_offset,
                                 struct lex_span value, const char *reason, struct lex_error *err);
LEX_STATUS lex_store_commit(struct lex_store *store, struct lex_error *err);
void lex_store_rollback(struct lex_store *store); /* also where no transaction is open */

/* ---- reading ---- */
/* Entries of one partition (all: -1). */
LEX_STATUS lex_store_count(struct lex_store *store, int32_t partition, int64_t *ret_count,
                           struct lex_error *err);
LEX_STATUS lex_store_count_broken(struct lex_store *store, int64_t *ret_count,
                                  struct lex_error *err);
/* The partition that follows `after` (-1: the first) among those with a position; *ret_partition is
 * -1 at the end. */
LEX_STATUS lex_store_next_partition(struct lex_store *store, int32_t after, int32_t *ret_partition,
                                    struct lex_error *err);
struct lex_store_gap {
    int64_t from, to;
    char reason[64];
};
/* The first gap of a partition that begins at or after `from`. */
LEX_STATUS lex_store_next_gap(struct lex_store *store, int32_t partition, int64_t from,
                              struct lex_store_gap *ret_gap, bool *ret_found,
                              struct lex_error *err);

/* Walk entries of one partition in their order. One walk at a time per store. */
struct lex_store_row {
    int64_t seq, kafka_offset;
    struct lex_span value; /* until the next call */
};
LEX_STATUS lex_store_walk(struct lex_store *store, int32_t partition, int64_t from_seq,
                          struct lex_error *err);
/* @post *ret_found is false after the last one, and the walk is over */
LEX_STATUS lex_store_walk_next(struct lex_store *store, struct lex_store_row *ret_row,
                               bool *ret_found, struct lex_error *err);

/* For tests: let the file grow to `pages` pages and no further. */
LEX_STATUS lex_store_limit_pages(struct lex_store *store, unsigned pages, struct lex_error *err);

#endif
