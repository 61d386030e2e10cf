/* Backlog: records whose schema is not known yet, kept back with all that stand behind them.
 *
 * A partition is decided in order, so a record that cannot be read yet holds its partition, and
 * only that one: fetching of it is paused, the worker polls on, the others go on. Once the registry
 * answered, the kept records come first and then the partition is fetched again.
 *
 *     arrives -- schema known --------------------------------> handed over
 *        |                                                          ^
 *        +-- not yet --> kept, partition paused -- answered --------+
 *                             |                 \- not known, and patience is over: handed over as
 *                             |                    REFUSED, which makes it a dead letter
 *                             +-- too much kept: dropped, and read again once the first is known
 *
 * Invariants: what a partition keeps stands before all that comes of it later; a record is handed
 * over once, with an answer that never changes; nothing here is an offset, so whatever is lost with
 * a rebalance is read again by the next owner.
 *
 * Patience: an id that the registry does not know may be registered a moment later, so it is asked
 * for again, for schema_registry_unknown_ms. A writer of ever new ids could stop a partition with
 * that; so what was waited in vain is taken off, and comes back at a tenth of the time that passes.
 * When it is used up, one answer "not known" is enough. */
#ifndef LEX_CONSUMER_BACKLOG_H
#define LEX_CONSUMER_BACKLOG_H

#include <librdkafka/rdkafka.h>

#include "consumer/registry.h"

enum {
    LEX_BACKLOG_MAX_RECORDS = 16384, /* kept in all; past it only the first of each partition */
};

struct lex_backlog_options {
    struct lex_registry *registry;
    int64_t unknown_ms;
    size_t max_bytes;         /* kept in all, as LEX_BACKLOG_MAX_RECORDS */
    size_t request_max_bytes; /* what is larger is refused anyway, and asks nobody */
    bool needs_verdict_id;    /* an answer may be in Confluent's framing: its id comes first */
    void (*pause)(void *user, int32_t partition, bool on);
    void *user;
};

/* What the worker needs to read a record. */
struct lex_framed {
    struct lex_registered *registered; /* a reference; NULL: the value says it itself */
    size_t frame_bytes;
    struct lex_span header; /* of the message; absent where it has none */
};

struct lex_backlog;

/* @errors LEX_LIMIT memory */
LEX_STATUS lex_backlog_new(const struct lex_backlog_options *options,
                           struct lex_backlog **ret_backlog, struct lex_error *err);
void lex_backlog_free(struct lex_backlog *backlog);

/* A record that has just arrived. @return true: hand it over, `*ret` says how it is read; false: it
 * is the backlog's now */
bool lex_backlog_admit(struct lex_backlog *backlog, rd_kafka_message_t *message,
                       struct lex_framed *ret);
/* What may be handed over now, in order for each partition; it is the caller's. */
size_t lex_backlog_take(struct lex_backlog *backlog, rd_kafka_message_t **ret_messages,
                        struct lex_framed *ret_framed, size_t max);
/* Records were dropped whose turn has come: consume every partition again from behind what was
 * handed over, after lex_backlog_clear. */
bool lex_backlog_must_rewind(const struct lex_backlog *backlog);
/* Forget everything: what was kept will be read again. Pauses nothing and resumes nothing. */
void lex_backlog_clear(struct lex_backlog *backlog);
/* Every record that is kept. */
void lex_backlog_each(const struct lex_backlog *backlog,
                      void (*each)(void *user, const rd_kafka_message_t *message), void *user);
bool lex_backlog_keeps(const struct lex_backlog *backlog, int32_t partition);
size_t lex_backlog_waiting(const struct lex_backlog *backlog); /* partitions */

#endif
