/* History: what a partition did lately, as far as rules ask: how often, how much, who did what, and
 * which attestations were used.
 *
 * It is part of the partition's working chain: items are added as entries are appended, an abort
 * rolls them back, a commit settles them. It holds nothing that is not in the ledger, so a new
 * owner rebuilds the same history from the ledger's tail, item by item, with the same ceilings;
 * that is what makes a verdict the same whether its worker ran through or was killed and restarted.
 *
 * What it cannot know it calls unknown: reaching back further than it is complete is never answered
 * with a count. The mistake it prevents: a limit that starts again at zero because a pod did.
 *
 * Every answer is a function of the entries from lex_history_first_entry() on, and of nothing else:
 * a history that ran through since genesis and one that was rebuilt from there answer alike, also
 * where the clocks of two owners differ and time goes back a little from one entry to the next. */
#ifndef LEX_HISTORY_HISTORY_H
#define LEX_HISTORY_HISTORY_H

#include "core/base/span.h"
#include "core/base/status.h"

enum {
    LEX_HISTORY_SPAN_S = 3600,         /* as far back as a question may reach */
    LEX_HISTORY_SKEW_S = 300,          /* items are kept so much longer: the next owner's clock may
                                          lie behind the last one's */
    LEX_HISTORY_ITEMS_MAX = 1 << 17,   /* of one partition; the oldest is dropped for one more, and
                                          the history is complete only after it */
    LEX_HISTORY_ENTRIES_MAX = 1 << 20, /* ledger entries that a rebuild reads back at most */
    LEX_HISTORY_ALIGN = 4096, /* the rebuild begins at a multiple of it, so that who ran through and
                                 who restarted forget at the same entry */
    LEX_HISTORY_HELD_MAX = 2 * LEX_HISTORY_ITEMS_MAX, /* with those that an open transaction forgot
                                                         and its abort would bring back */
};

/* Names an item's series: SHA-256 of the kind and the length-prefixed parts, 16 bytes of it. */
struct lex_history_key {
    uint8_t bytes[16];
};
enum lex_history_kind {
    LEX_HISTORY_RATE, /* rule id, actor: an approved use of a limited rule */
    LEX_HISTORY_DUTY, /* actor, action: an approved action that some conflict names */
    LEX_HISTORY_USED, /* kid, jti: an attestation that counted in an approved verdict */
};
void lex_history_key(enum lex_history_kind kind, const struct lex_span *parts, size_t count,
                     struct lex_history_key *ret_key);

struct lex_history_item {
    struct lex_history_key key;
    int64_t time_us; /* evaluated_at of its entry */
    int64_t amount;  /* RATE: millionths of the sum, >= 0; else 0 */
    uint64_t tag;    /* DUTY: which resource, and how (core/decision/remember.c); else 0 */
};

struct lex_history;

/* An empty history, complete since ever (INT64_MIN): that of a chain that begins at genesis.
 * @errors LEX_LIMIT no memory */
LEX_STATUS lex_history_new(struct lex_history **ret_history);
void lex_history_free(struct lex_history *history);
/* Empty again, complete since `since_us` only. A rebuild that begins where it should gives
 * INT64_MIN; one that finds a later entry first gives that entry's time. */
void lex_history_reset(struct lex_history *history, int64_t since_us);

/* ---- the writer: the worker that owns the partition ---- */

/* An entry was appended to the chain: `seq` and its evaluated_at or recorded_at. Moves the horizon:
 * items of entries before align_up(seq + 1 - LEX_HISTORY_ENTRIES_MAX), or older than the span and
 * the skew, are forgotten, and the history is complete since then. Call before lex_history_add of
 * that entry. Without memory it is complete since never, until it is reset. */
void lex_history_entry(struct lex_history *history, int64_t seq, int64_t time_us);
/* Add an item of the entry noted last.
 * @errors LEX_LIMIT no memory, or LEX_HISTORY_HELD_MAX are held until the transaction ends:
 *         nothing was added; the caller must not answer as if it were */
LEX_STATUS lex_history_add(struct lex_history *history, const struct lex_history_item *item);
/* What was added or forgotten since the last settle is undone: the transaction aborted. */
void lex_history_rollback(struct lex_history *history);
/* A place inside the transaction to come back to: one record that could not be answered. A plain
 * value, and what a rollback restores is all of it; void after settle, reset or rollback. */
struct lex_history_mark {
    uint64_t oldest, next; /* item numbers: those held are [oldest, next) */
    int64_t seq, first_seq;
    int64_t complete_us;
    int64_t time_us;     /* the latest of the block that seq lies in */
    int64_t dropped_us;  /* the latest that was dropped of the block that the oldest item is of */
    uint64_t drop_block; /* that block */
};
struct lex_history_mark lex_history_mark(const struct lex_history *history);
void lex_history_rollback_to(struct lex_history *history, struct lex_history_mark mark);
/* It committed. Only now is memory of forgotten items given back. */
void lex_history_settle(struct lex_history *history);

/* ---- the reader ---- */

/* Count and sum of a series after `since_us` (exclusive) up to now; what a later time says is
 * counted too. The count is at most `count_max` (0: no bound), which is as far as a limit needs to
 * know. Costs the logarithm of the count, unless time went back within the window.
 * @return false: unknown, the history is not complete since then */
bool lex_history_window(const struct lex_history *history, const struct lex_history_key *key,
                        int64_t since_us, int64_t count_max, int64_t *ret_count,
                        int64_t *ret_total);
/* Walk a series from the newest item back to since_us (exclusive), or to where the history is
 * complete. Start with *cursor = 0.
 * @return NULL at the end. Say unknown only by lex_history_complete. */
const struct lex_history_item *lex_history_next(const struct lex_history *history,
                                                const struct lex_history_key *key, int64_t since_us,
                                                uint64_t *cursor);
/* Whether everything after `since_us` is in it. */
bool lex_history_complete(const struct lex_history *history, int64_t since_us);
int64_t lex_history_complete_since(const struct lex_history *history);
size_t lex_history_count(const struct lex_history *history); /* items that it holds */

/* From which entry a rebuild must read, for a chain whose next entry is `seq`. */
int64_t lex_history_first_entry(int64_t seq);

#endif
