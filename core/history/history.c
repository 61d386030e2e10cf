/* History: a ring of items in the order of their entries, a chain through each series, and a small
 * table of blocks of LEX_HISTORY_ALIGN entries each.
 *
 * Items have numbers from 1 up, dense, and stand at number & mask. Each names the previous one of
 * its series, and a hash table leads from a key to the newest. Each also names one further back, in
 * the pattern of skew-binary numbers (Myers, "An applicative random-access stack", 1983), and
 * carries its series' running count and sum: so a window costs the logarithm of its items, not
 * their number. Forgetting moves `oldest` and frees
 * nothing until the transaction is settled, so that a rollback is a few assignments.
 *
 * Why blocks: clocks of two owners differ, so times may go back from one entry to the next, and the
 * latest time seen so far would depend on where reading began. What the history says of itself is
 * made from the blocks that a rebuild reads too: the latest time in each, and the latest item that
 * the ceiling dropped from it. */
#include "core/history/history.h"

#include <stdlib.h>

#include "core/crypto/crypto.h"

/* So many of them add up to less than INT64_MAX. */
static const int64_t AMOUNT_EVEN_MAX = INT64_MAX / LEX_HISTORY_HELD_MAX;

enum {
    RING_FIRST = 16, /* items; doubled as needed, halved when an eighth is left */
    BLOCKS_FIRST = 4,
    BLOCKS_MAX = 4 * (LEX_HISTORY_ENTRIES_MAX / LEX_HISTORY_ALIGN), /* a transaction's included */
};
static const int64_t KEEP_US = (int64_t)(LEX_HISTORY_SPAN_S + LEX_HISTORY_SKEW_S) * 1000000;

struct item {
    struct lex_history_item said;
    int64_t seq;
    int64_t latest_us;       /* of all items up to it: behind it in the chain none is later */
    uint32_t previous, jump; /* how many numbers back in its series; 0: none was held */
    uint32_t rank;   /* items of its series up to it; rank, uneven and total may wrap: only */
    uint32_t uneven; /* their differences are read. Those that a window must look at one by
                        one: time went back before them, or sums of them could overflow */
    uint64_t total;  /* of the amounts */
};

struct block {
    int64_t time_us;    /* the latest of its entries */
    int64_t dropped_us; /* the latest of its items that the ceiling dropped; INT64_MIN: none */
};

struct lex_history {
    struct lex_history_mark now, settled;
    int64_t floor_us; /* complete since then at best: what reset said */
    bool broken;      /* no memory for a block: complete since never */
    struct item *ring;
    uint64_t *newest; /* open addressing, twice as many slots as the ring has; 0: free */
    size_t capacity;  /* of the ring, a power of two; 0 before the first item */
    struct block *blocks;
    size_t blocks_capacity;
};

/* ---- keys ---- */

void lex_history_key(enum lex_history_kind kind, const struct lex_span *parts, size_t count,
                     struct lex_history_key *ret_key)
{
    enum { PARTS_MAX = 4 };
    struct lex_span hashed[1 + 2 * PARTS_MAX];
    uint8_t lengths[PARTS_MAX][4], word = (uint8_t)kind;
    struct lex_hash hash;
    LEX_ASSERT(count <= PARTS_MAX);
    hashed[0] = lex_span_of(&word, 1);
    for (size_t i = 0; i < count; i++) {
        for (unsigned b = 0; b < 4; b++)
            lengths[i][b] = (uint8_t)(parts[i].len >> (8 * b));
        hashed[1 + 2 * i] = lex_span_of(lengths[i], 4);
        hashed[2 + 2 * i] = parts[i];
    }
    lex_sha256(hashed, 1 + 2 * count, &hash);
    memcpy(ret_key->bytes, hash.bytes, sizeof ret_key->bytes);
}

/* ---- life ---- */

LEX_STATUS lex_history_new(struct lex_history **ret_history)
{
    struct lex_history *history = calloc(1, sizeof *history);
    if (history == NULL)
        return LEX_LIMIT;
    lex_history_reset(history, INT64_MIN);
    *ret_history = history;
    return LEX_OK;
}

static void free_items(struct lex_history *h)
{
    free(h->ring);
    free(h->newest);
    h->ring = NULL;
    h->newest = NULL;
    h->capacity = 0;
}

void lex_history_free(struct lex_history *history)
{
    if (history == NULL)
        return;
    free_items(history);
    free(history->blocks);
    free(history);
}

void lex_history_reset(struct lex_history *history, int64_t since_us)
{
    free_items(history);
    history->broken = false;
    history->floor_us = since_us;
    history->now = (struct lex_history_mark){
        .oldest = 1, .next = 1, .seq = -1, .first_seq = -1, .complete_us = since_us};
    history->settled = history->now;
}

/* ---- the table of series ---- */

static struct item *item_at(const struct lex_history *h, uint64_t number)
{
    return &h->ring[number & (h->capacity - 1)];
}

/* Numbers of the items that an item names; 0: none. They may be forgotten. */
static uint64_t previous_of(const struct lex_history *h, uint64_t number)
{
    uint32_t back = item_at(h, number)->previous;
    return back == 0 ? 0 : number - back;
}

static uint64_t jump_of(const struct lex_history *h, uint64_t number)
{
    uint32_t back = item_at(h, number)->jump;
    return back == 0 ? 0 : number - back;
}

static size_t home_of(const struct lex_history *h, const struct lex_history_key *key)
{
    uint64_t hash; /* keys are hashes: any eight bytes of one are as good as another */
    memcpy(&hash, key->bytes, sizeof hash);
    return (size_t)hash & (2 * h->capacity - 1);
}

/* The slot that holds the key's newest item, or the free one where it belongs. */
static uint64_t *slot_of(const struct lex_history *h, const struct lex_history_key *key)
{
    size_t at = home_of(h, key);
    while (h->newest[at] != 0 &&
           memcmp(item_at(h, h->newest[at])->said.key.bytes, key->bytes, sizeof key->bytes) != 0)
        at = (at + 1) & (2 * h->capacity - 1);
    return &h->newest[at];
}

/* Empty a slot; what had to stand behind it moves up, so that no search ends too early. */
static void empty_slot(struct lex_history *h, uint64_t *slot)
{
    size_t mask = 2 * h->capacity - 1, hole = (size_t)(slot - h->newest), at = hole;
    for (;;) {
        at = (at + 1) & mask;
        if (h->newest[at] == 0)
            break;
        size_t home = home_of(h, &item_at(h, h->newest[at])->said.key);
        if (((at - home) & mask) < ((at - hole) & mask))
            continue; /* its home lies behind the hole */
        h->newest[hole] = h->newest[at];
        hole = at;
    }
    h->newest[hole] = 0;
}

/* The same items in a ring of another size. */
static bool resize(struct lex_history *h, size_t capacity)
{
    struct item *ring = calloc(capacity, sizeof *ring);
    uint64_t *newest = calloc(2 * capacity, sizeof *newest);
    if (ring == NULL || newest == NULL) {
        free(ring);
        free(newest);
        return false;
    }
    for (uint64_t n = h->settled.oldest; n < h->now.next; n++)
        ring[n & (capacity - 1)] = *item_at(h, n);
    free_items(h);
    h->ring = ring;
    h->newest = newest;
    h->capacity = capacity;
    for (uint64_t n = h->settled.oldest; n < h->now.next; n++)
        *slot_of(h, &item_at(h, n)->said.key) = n;
    return true;
}

/* ---- blocks and the horizon ---- */

static uint64_t block_of(int64_t seq)
{
    return (uint64_t)seq / LEX_HISTORY_ALIGN;
}

static struct block *block_at(const struct lex_history *h, uint64_t number)
{
    return &h->blocks[number & (h->blocks_capacity - 1)];
}

int64_t lex_history_first_entry(int64_t seq)
{
    int64_t first = seq - LEX_HISTORY_ENTRIES_MAX;
    return first <= 0 ? 0 : (first + LEX_HISTORY_ALIGN - 1) / LEX_HISTORY_ALIGN * LEX_HISTORY_ALIGN;
}

/* The first block that still counts at a place in the chain. */
static uint64_t first_block(const struct lex_history_mark *at)
{
    int64_t horizon = lex_history_first_entry(at->seq + 1);
    return block_of(horizon > at->first_seq ? horizon : at->first_seq);
}

static bool begin_block(struct lex_history *h, uint64_t number, int64_t time_us)
{
    bool none = h->settled.seq < 0;
    uint64_t first = none ? block_of(h->now.first_seq) : first_block(&h->settled);
    if (number - first >= h->blocks_capacity) {
        size_t capacity = h->blocks_capacity == 0 ? BLOCKS_FIRST : 2 * h->blocks_capacity;
        struct block *blocks = capacity > BLOCKS_MAX ? NULL : calloc(capacity, sizeof *blocks);
        if (blocks == NULL)
            return false;
        for (uint64_t n = first; n < number; n++)
            blocks[n & (capacity - 1)] = *block_at(h, n);
        free(h->blocks);
        h->blocks = blocks;
        h->blocks_capacity = capacity;
    }
    *block_at(h, number) = (struct block){time_us, INT64_MIN};
    return true;
}

static void raise(int64_t *value, int64_t to)
{
    if (to > *value)
        *value = to;
}

/* Since when everything is there, from the blocks that a rebuild would read. */
static int64_t complete_since(const struct lex_history *h)
{
    int64_t complete_us = h->floor_us;
    uint64_t first = first_block(&h->now);
    int64_t horizon = lex_history_first_entry(h->now.seq + 1);
    if (horizon != 0 && horizon >= h->now.first_seq)
        raise(&complete_us, block_at(h, first)->time_us); /* what lay before it is forgotten */
    for (uint64_t n = first; n <= block_of(h->now.seq); n++) {
        raise(&complete_us, block_at(h, n)->time_us - KEEP_US);
        raise(&complete_us, block_at(h, n)->dropped_us);
    }
    return complete_us;
}

static void forget_old(struct lex_history *h)
{
    int64_t horizon = lex_history_first_entry(h->now.seq + 1);
    int64_t before_us = h->now.time_us - KEEP_US;
    while (h->now.oldest < h->now.next) {
        const struct item *item = item_at(h, h->now.oldest);
        if (item->seq >= horizon && item->said.time_us > before_us)
            return;
        h->now.oldest++;
    }
}

void lex_history_entry(struct lex_history *history, int64_t seq, int64_t time_us)
{
    struct lex_history_mark *now = &history->now;
    if (history->broken)
        return;
    if (now->seq >= 0 && seq != now->seq + 1)
        lex_history_reset(history, time_us); /* what lies between is not known */
    bool begins = now->seq < 0 || block_of(seq) != block_of(now->seq);
    if (now->seq < 0)
        now->first_seq = seq;
    if (begins && !begin_block(history, block_of(seq), time_us)) {
        history->broken = true;
        return;
    }
    now->seq = seq;
    if (begins || time_us > now->time_us)
        now->time_us = block_at(history, block_of(seq))->time_us = time_us;
    if (begins)
        now->complete_us = complete_since(history);
    raise(&now->complete_us, now->time_us - KEEP_US);
    forget_old(history);
}

/* ---- items ---- */

static void drop_oldest(struct lex_history *h)
{
    const struct item *item = item_at(h, h->now.oldest++);
    raise(&block_at(h, block_of(item->seq))->dropped_us, item->said.time_us);
    raise(&h->now.complete_us, item->said.time_us);
}

/* How far a rank's jump goes: the last digit's weight when the rank is written as a sum of numbers
 * 2^k - 1, the largest first. */
static uint32_t jump_length(uint32_t rank)
{
    uint32_t weight = 1;
    while (weight < UINT32_MAX / 2 && 2 * weight + 1 <= rank)
        weight = 2 * weight + 1;
    for (; rank != 0; weight /= 2)
        for (; rank >= weight; rank -= weight)
            if (rank == weight)
                return weight;
    return 1; /* rank 0: after all that 32 bits can count */
}

/* The item that stands that far back: the previous one, or where two equal jumps lead. */
static uint64_t find_jump(const struct lex_history *h, uint64_t previous, uint32_t rank)
{
    if (previous == 0 || jump_length(rank) == 1)
        return previous;
    uint64_t middle = jump_of(h, previous);
    return middle < h->settled.oldest ? 0 : jump_of(h, middle);
}

static bool is_uneven(const struct item *item)
{
    return item->said.time_us != item->latest_us || item->said.amount > AMOUNT_EVEN_MAX;
}

/* Put an item behind the `previous` one of its series (0: none). */
static void append(struct lex_history *h, const struct lex_history_item *said, uint64_t previous)
{
    uint64_t number = h->now.next;
    bool first = number == h->settled.oldest;
    struct item item = {.said = *said,
                        .seq = h->now.seq,
                        .latest_us = first ? said->time_us : item_at(h, number - 1)->latest_us};
    raise(&item.latest_us, said->time_us);
    item.rank = 1;
    item.uneven = is_uneven(&item);
    item.total = (uint64_t)said->amount;
    if (previous != 0) {
        const struct item *before = item_at(h, previous);
        item.rank += before->rank;
        item.uneven += before->uneven;
        item.total += before->total;
        item.previous = (uint32_t)(number - previous);
        uint64_t jump = find_jump(h, previous, item.rank);
        item.jump = jump == 0 ? 0 : (uint32_t)(number - jump);
    }
    *item_at(h, number) = item;
    h->now.next++;
}

LEX_STATUS lex_history_add(struct lex_history *history, const struct lex_history_item *item)
{
    struct lex_history *h = history;
    LEX_ASSERT(h->broken || h->now.seq >= 0);
    if (h->broken)
        return LEX_OK; /* it knows nothing until it is reset */
    uint64_t held = h->now.next - h->settled.oldest;
    if (held == LEX_HISTORY_HELD_MAX)
        return LEX_LIMIT;
    if (held == h->capacity && !resize(h, h->capacity == 0 ? RING_FIRST : 2 * h->capacity))
        return LEX_LIMIT;
    uint64_t *slot = slot_of(h, &item->key);
    append(h, item, *slot);
    *slot = h->now.next - 1;
    if (h->now.next - h->now.oldest > LEX_HISTORY_ITEMS_MAX)
        drop_oldest(h);
    return LEX_OK;
}

/* ---- the transaction ---- */

struct lex_history_mark lex_history_mark(const struct lex_history *history)
{
    struct lex_history_mark mark = history->now;
    if (mark.seq < 0 || history->broken)
        return mark;
    mark.drop_block =
        block_of(mark.oldest < mark.next ? item_at(history, mark.oldest)->seq : mark.seq);
    mark.dropped_us = block_at(history, mark.drop_block)->dropped_us;
    return mark;
}

/* The ceiling drops from the oldest item on: at the mark, no block behind that one had lost any. */
static void restore_blocks(struct lex_history *h, const struct lex_history_mark *mark)
{
    if (mark->seq < 0)
        return;
    block_at(h, block_of(mark->seq))->time_us = mark->time_us;
    block_at(h, mark->drop_block)->dropped_us = mark->dropped_us;
    for (uint64_t n = mark->drop_block + 1; n <= block_of(mark->seq); n++)
        block_at(h, n)->dropped_us = INT64_MIN;
}

void lex_history_rollback_to(struct lex_history *history, struct lex_history_mark mark)
{
    while (history->now.next > mark.next) {
        uint64_t number = --history->now.next, previous = previous_of(history, number);
        uint64_t *slot = slot_of(history, &item_at(history, number)->said.key);
        if (previous != 0) /* what was in the table when it was added is still held */
            *slot = previous;
        else
            empty_slot(history, slot);
    }
    if (!history->broken)
        restore_blocks(history, &mark);
    history->now = mark;
}

void lex_history_rollback(struct lex_history *history)
{
    lex_history_rollback_to(history, history->settled);
}

void lex_history_settle(struct lex_history *history)
{
    struct lex_history *h = history;
    for (uint64_t n = h->settled.oldest; n < h->now.oldest; n++) {
        uint64_t *slot = slot_of(h, &item_at(h, n)->said.key);
        if (*slot == n)
            empty_slot(h, slot);
    }
    h->settled = lex_history_mark(h);
    uint64_t held = h->now.next - h->now.oldest;
    if (held == 0)
        free_items(h);
    else if (held < h->capacity / 8 && h->capacity > RING_FIRST)
        (void)resize(h, h->capacity / 2); /* without memory it stays as large as it is */
}

/* ---- the reader ---- */

bool lex_history_complete(const struct lex_history *history, int64_t since_us)
{
    return !history->broken && since_us >= history->now.complete_us;
}

int64_t lex_history_complete_since(const struct lex_history *history)
{
    return history->broken ? INT64_MAX : history->now.complete_us;
}

size_t lex_history_count(const struct lex_history *history)
{
    return (size_t)(history->now.next - history->now.oldest);
}

const struct lex_history_item *lex_history_next(const struct lex_history *history,
                                                const struct lex_history_key *key, int64_t since_us,
                                                uint64_t *cursor)
{
    const struct lex_history *h = history;
    if (h->capacity == 0 || h->broken || *cursor == UINT64_MAX)
        return NULL;
    raise(&since_us, h->now.complete_us); /* what is older may be there or not */
    uint64_t number = *cursor == 0 ? *slot_of(h, key) : previous_of(h, *cursor);
    while (number >= h->now.oldest) {
        const struct item *item = item_at(h, number);
        if (item->latest_us <= since_us)
            break;
        if (item->said.time_us > since_us) {
            *cursor = number;
            return &item->said;
        }
        number = previous_of(h, number);
    }
    *cursor = UINT64_MAX;
    return NULL;
}

static bool is_within(const struct lex_history *h, uint64_t number, int64_t since_us)
{
    return number >= h->now.oldest && item_at(h, number)->latest_us > since_us;
}

/* The last item, seen from `number` back, behind which all are older. @pre number is not */
static uint64_t oldest_within(const struct lex_history *h, uint64_t number, int64_t since_us)
{
    for (;;) {
        if (is_within(h, jump_of(h, number), since_us))
            number = jump_of(h, number);
        else if (is_within(h, previous_of(h, number), since_us))
            number = previous_of(h, number);
        else
            return number;
    }
}

static void walk(const struct lex_history *h, const struct lex_history_key *key, int64_t since_us,
                 int64_t *ret_count, int64_t *ret_total)
{
    const struct lex_history_item *item;
    uint64_t cursor = 0;
    while ((item = lex_history_next(h, key, since_us, &cursor)) != NULL) {
        ++*ret_count;
        if (__builtin_add_overflow(*ret_total, item->amount, ret_total))
            *ret_total = INT64_MAX;
    }
}

bool lex_history_window(const struct lex_history *history, const struct lex_history_key *key,
                        int64_t since_us, int64_t count_max, int64_t *ret_count, int64_t *ret_total)
{
    const struct lex_history *h = history;
    if (!lex_history_complete(h, since_us))
        return false;
    *ret_count = *ret_total = 0;
    uint64_t newest = h->capacity == 0 ? 0 : *slot_of(h, key);
    if (!is_within(h, newest, since_us))
        return true;
    const struct item *last = item_at(h, newest);
    const struct item *first = item_at(h, oldest_within(h, newest, since_us));
    if (last->uneven != first->uneven || is_uneven(first)) {
        walk(h, key, since_us, ret_count, ret_total);
    } else {
        *ret_count = (int64_t)(last->rank - first->rank) + 1;
        *ret_total = (int64_t)(last->total - first->total) + first->said.amount;
    }
    if (count_max != 0 && *ret_count > count_max)
        *ret_count = count_max;
    return true;
}
