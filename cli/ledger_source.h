/* Ledger source: where the commands that read a ledger read from, behind one interface. A
 * further source is one file with an opener, and one row in cli/ledger_sources.def. */
#ifndef LEX_CLI_LEDGER_SOURCE_H
#define LEX_CLI_LEDGER_SOURCE_H

#include "cli/cluster.h"
#include "core/crypto/crypto.h"

struct lex_ledger_item {
    int32_t partition;     /* -1 where the source does not say; the entry's log does */
    int64_t kafka_offset;  /* of the ledger record, -1 where the source does not say */
    struct lex_span value; /* until the next call */
    bool gap;              /* the source itself knows that entries before this one are missing */
    int64_t gap_from, gap_to;
};

struct lex_ledger_source_options {
#define LEX_LEDGER_SOURCE(flag, value, help, open) const char *flag;
#include "cli/ledger_sources.def"
#undef LEX_LEDGER_SOURCE
    struct lex_cli_cluster cluster; /* of a topic */
    long long partition;            /* -1: all */
    long long last; /* > 0: only about that many entries of each partition are wanted */
};

struct lex_ledger_source {
    /* The next record, in the order of its partition.
     * @post   *ret_found is false at the present end; another call looks again
     * @errors LEX_REJECT what is read is damaged; LEX_RETRY it does not answer (in time) */
    LEX_STATUS(*next)
    (struct lex_ledger_source *source, struct lex_ledger_item *ret_item, bool *ret_found,
     struct lex_error *err);
    /* Where the source itself says that a partition's chain stands (the mirror's position, a
     * committed head): what a chain alone cannot prove, its last entry, is held against it. May be
     * NULL. */
    LEX_STATUS(*head)
    (struct lex_ledger_source *source, int32_t partition, int64_t *ret_seq,
     struct lex_hash *ret_prev, bool *ret_known, struct lex_error *err);
    void (*close)(struct lex_ledger_source *source); /* frees the source too */
    bool grows;                                      /* a later look may find more */
};

/* Every opener: @errors LEX_REJECT it cannot be opened; LEX_RETRY a peer does not answer */
#define LEX_LEDGER_SOURCE(flag, value, help, open)                   \
    LEX_STATUS open(const struct lex_ledger_source_options *options, \
                    struct lex_ledger_source **ret_source, struct lex_error *err);
#include "cli/ledger_sources.def"
#undef LEX_LEDGER_SOURCE

/* Open the one that was named. @errors LEX_REJECT none, or more than one, was named */
LEX_STATUS lex_ledger_source_open(const struct lex_ledger_source_options *options,
                                  struct lex_ledger_source **ret_source, struct lex_error *err);
/* Hand over every record up to the present end. @errors those of `next` and of `take` */
typedef enum lex_status lex_ledger_take(void *user, const struct lex_ledger_item *item,
                                        struct lex_error *err);
LEX_STATUS lex_ledger_source_each(struct lex_ledger_source *source, lex_ledger_take *take,
                                  void *user, struct lex_error *err);
/* The exit status for a failure of open or next. */
enum lex_exit lex_ledger_source_exit(enum lex_status status, bool opening);

#endif
