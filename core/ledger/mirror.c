#include "core/ledger/mirror.h"

#include <stdlib.h>

enum { ARENA_CHUNK_BYTES = 256 << 10, ARENA_MAX_BYTES = 8 << 20 };

/* Where a partition stands: a plain value, so that a failed transaction is undone by assigning the
 * last committed one back. */
struct standing {
    struct lex_chain_verifier verifier;
    int64_t next_offset;
    bool reanchor; /* the topic was cut: the next entry is taken where it stands */
};

struct partition {
    int32_t id;
    bool dirty; /* working differs from committed */
    struct standing working, committed;
};

struct lex_mirror {
    struct lex_mirror_options options;
    struct lex_store *store;
    struct lex_arena arena;
    struct partition **partitions; /* ascending by id */
    size_t count, cap;
    struct partition *last; /* records come in runs of one partition */
    bool open;              /* a transaction */
    int64_t rows;           /* in it */
    struct lex_mirror_stats stats;
};

LEX_STATUS lex_mirror_new(const struct lex_mirror_options *options, struct lex_store *store,
                          struct lex_mirror **ret_mirror, struct lex_error *err)
{
    LEX_ASSERT(options->scope != LEX_MIRROR_OFF &&
               options->transaction_rows <= LEX_STORE_TRANSACTION_MAX_ROWS);
    struct lex_mirror *mirror = calloc(1, sizeof *mirror);
    if (mirror == NULL)
        return lex_fail(err, LEX_LIMIT, "no memory for the mirror");
    mirror->options = *options;
    mirror->store = store;
    if (mirror->options.transaction_rows <= 0)
        mirror->options.transaction_rows = LEX_STORE_TRANSACTION_MAX_ROWS;
    lex_arena_init(&mirror->arena, ARENA_CHUNK_BYTES, ARENA_MAX_BYTES);
    *ret_mirror = mirror;
    return LEX_OK;
}

void lex_mirror_free(struct lex_mirror *mirror)
{
    if (mirror == NULL)
        return;
    if (mirror->open)
        lex_store_rollback(mirror->store);
    for (size_t i = 0; i < mirror->count; i++)
        free(mirror->partitions[i]);
    free(mirror->partitions);
    lex_arena_fini(&mirror->arena);
    free(mirror);
}

/* ---- partitions ---- */

static size_t place_of(const struct lex_mirror *mirror, int32_t id)
{
    size_t low = 0, high = mirror->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (mirror->partitions[middle]->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct partition *find(const struct lex_mirror *mirror, int32_t id)
{
    if (mirror->last != NULL && mirror->last->id == id)
        return mirror->last;
    size_t at = place_of(mirror, id);
    bool found = at < mirror->count && mirror->partitions[at]->id == id;
    return found ? mirror->partitions[at] : NULL;
}

static enum lex_status grow(struct lex_mirror *mirror, struct lex_error *err)
{
    if (mirror->count < mirror->cap)
        return LEX_OK;
    size_t cap = mirror->cap == 0 ? 16 : 2 * mirror->cap;
    struct partition **bigger = NULL;
    if (cap <= LEX_MIRROR_PARTITIONS_MAX)
        bigger = reallocarray(mirror->partitions, cap, sizeof(struct partition *));
    if (bigger == NULL)
        return lex_fail(err, LEX_LIMIT, "the mirror follows at most %d partitions",
                        LEX_MIRROR_PARTITIONS_MAX);
    mirror->partitions = bigger;
    mirror->cap = cap;
    return LEX_OK;
}

static enum lex_status insert(struct lex_mirror *mirror, int32_t id, struct partition **ret,
                              struct lex_error *err)
{
    LEX_TRY(grow(mirror, err));
    struct partition *partition = calloc(1, sizeof *partition);
    if (partition == NULL)
        return lex_fail(err, LEX_LIMIT, "no memory for partition %d of the mirror", id);
    size_t at = place_of(mirror, id);
    memmove(&mirror->partitions[at + 1], &mirror->partitions[at],
            (mirror->count - at) * sizeof(struct partition *));
    partition->id = id;
    mirror->partitions[at] = partition;
    mirror->count++;
    *ret = partition;
    return LEX_OK;
}

static void drop(struct lex_mirror *mirror, int32_t id)
{
    struct partition *partition = find(mirror, id);
    if (partition == NULL)
        return;
    size_t at = place_of(mirror, id);
    mirror->count--;
    memmove(&mirror->partitions[at], &mirror->partitions[at + 1],
            (mirror->count - at) * sizeof(struct partition *));
    mirror->last = NULL;
    free(partition);
}

/* ---- the transaction ---- */

/* After any failure of the store: as if nothing had been fed since the last commit. */
static enum lex_status undo(struct lex_mirror *mirror, enum lex_status why)
{
    lex_store_rollback(mirror->store);
    for (size_t i = 0; i < mirror->count; i++) {
        mirror->partitions[i]->working = mirror->partitions[i]->committed;
        mirror->partitions[i]->dirty = false;
    }
    mirror->open = false;
    mirror->stats.verified -= mirror->rows;
    mirror->rows = 0;
    return why;
}

static enum lex_status begin(struct lex_mirror *mirror, struct lex_error *err)
{
    if (mirror->open)
        return LEX_OK;
    LEX_TRY(lex_store_begin(mirror->store, err));
    mirror->open = true;
    return LEX_OK;
}

static enum lex_status write_position(struct lex_mirror *mirror, const struct partition *partition,
                                      struct lex_error *err)
{
    const struct standing *now = &partition->working;
    struct lex_store_position position = {.next_kafka_offset = now->next_offset,
                                          .next_seq = now->verifier.seq,
                                          .prev = now->verifier.prev};
    memcpy(position.origin, now->verifier.origin, sizeof position.origin);
    return lex_store_set_position(mirror->store, partition->id, &position, err);
}

static enum lex_status write_and_commit(struct lex_mirror *mirror, struct lex_error *err)
{
    for (size_t i = 0; i < mirror->count; i++)
        if (mirror->partitions[i]->dirty)
            LEX_TRY(write_position(mirror, mirror->partitions[i], err));
    return lex_store_commit(mirror->store, err);
}

LEX_STATUS lex_mirror_commit(struct lex_mirror *mirror, struct lex_error *err)
{
    if (!mirror->open)
        return LEX_OK;
    enum lex_status status = write_and_commit(mirror, err);
    if (status != LEX_OK)
        return undo(mirror, status);
    for (size_t i = 0; i < mirror->count; i++) {
        mirror->partitions[i]->committed = mirror->partitions[i]->working;
        mirror->partitions[i]->dirty = false;
    }
    mirror->open = false;
    mirror->stats.committed_rows += mirror->rows;
    mirror->rows = 0;
    return LEX_OK;
}

/* ---- assignment ---- */

/* The last row must be what the position says: a file that was doctored, or put together from two,
 * is found here rather than blamed on the ledger. */
static enum lex_status check_last_row(struct lex_mirror *mirror, int32_t id,
                                      const struct lex_store_position *position,
                                      struct lex_error *err)
{
    struct lex_store_row row, ignored;
    struct lex_hash leaf = position->prev;
    bool found = false, more = false;
    LEX_TRY(lex_store_walk(mirror->store, id, position->next_seq - 1, err));
    LEX_TRY(lex_store_walk_next(mirror->store, &row, &found, err));
    bool fits = !found || row.seq == position->next_seq - 1;
    if (found) {
        lex_leaf_hash(row.value, &leaf);
        LEX_TRY(lex_store_walk_next(mirror->store, &ignored, &more, err));
    }
    if (!fits || more || !lex_hash_eq(&leaf, &position->prev))
        return lex_fail(
            err, LEX_HALT,
            "mirror: partition %d: the last entry does not lead to the position that the "
            "file claims; it was altered: keep a copy, delete it, and it rebuilds itself",
            id);
    return LEX_OK;
}

static enum lex_status resume(struct lex_mirror *mirror, struct partition *partition,
                              const char *origin, const struct lex_store_position *position,
                              struct lex_error *err)
{
    if (strcmp(position->origin, origin) != 0)
        return lex_fail(err, LEX_HALT,
                        "mirror: partition %d holds the log %s, this service writes %s; give each "
                        "cluster a file of its own",
                        partition->id, position->origin, origin);
    enum lex_status status = check_last_row(mirror, partition->id, position, err);
    if (status != LEX_OK) {
        lex_store_rollback(mirror->store); /* ends the walk */
        return status;
    }
    lex_chain_verifier_at(&partition->working.verifier, lex_span_str(origin), position->next_seq,
                          &position->prev);
    partition->working.next_offset = position->next_kafka_offset;
    return LEX_OK;
}

/* A partition that the file does not know. An owner's start is written down at once, with the gap
 * before it, so that the file claims it from now on. */
static enum lex_status start_at(struct lex_mirror *mirror, struct partition *partition,
                                const char *origin, const struct lex_mirror_start *start,
                                struct lex_error *err)
{
    lex_chain_verifier_at(&partition->working.verifier, lex_span_str(origin), start->seq,
                          &start->prev);
    partition->working.next_offset = start->kafka_offset;
    LEX_TRY(begin(mirror, err));
    if (start->seq > 0)
        LEX_TRY(lex_store_add_gap(mirror->store, partition->id, 0, start->seq - 1,
                                  "before this mirror followed", err));
    partition->dirty = true;
    return lex_mirror_commit(mirror, err);
}

static enum lex_status place(struct lex_mirror *mirror, struct partition *partition,
                             const struct lex_mirror_start *start, struct lex_error *err)
{
    char origin[LEX_ORIGIN_MAX_BYTES];
    struct lex_store_position position;
    bool found = false;
    LEX_TRY(lex_origin_format(mirror->options.origin_prefix, mirror->options.ledger_topic,
                              partition->id, origin, err));
    LEX_TRY(lex_store_position(mirror->store, partition->id, &position, &found, err));
    if (found)
        return resume(mirror, partition, origin, &position, err);
    if (mirror->options.scope == LEX_MIRROR_OWNED && start != NULL && start->seq > 0)
        return start_at(mirror, partition, origin, start, err);
    lex_chain_verifier_init(&partition->working.verifier, lex_span_str(origin));
    partition->working.next_offset = LEX_MIRROR_BEGINNING;
    return LEX_OK;
}

LEX_STATUS lex_mirror_assign(struct lex_mirror *mirror, int32_t partition,
                             const struct lex_mirror_start *start, int64_t *ret_next_offset,
                             struct lex_error *err)
{
    struct partition *new_one = NULL;
    LEX_TRY(lex_mirror_commit(mirror, err));
    drop(mirror, partition);
    LEX_TRY(insert(mirror, partition, &new_one, err));
    enum lex_status status = place(mirror, new_one, start, err);
    if (status != LEX_OK) {
        if (mirror->open)
            (void)undo(mirror, status);
        drop(mirror, partition);
        return status;
    }
    new_one->committed = new_one->working;
    *ret_next_offset = new_one->working.next_offset;
    return LEX_OK;
}

LEX_STATUS lex_mirror_revoke(struct lex_mirror *mirror, int32_t partition, struct lex_error *err)
{
    enum lex_status status = lex_mirror_commit(mirror, err);
    drop(mirror, partition);
    return status;
}

void lex_mirror_truncated(struct lex_mirror *mirror, int32_t partition, int64_t log_start_offset)
{
    struct partition *found = find(mirror, partition);
    if (found == NULL || log_start_offset <= found->working.next_offset)
        return;
    found->working.next_offset = log_start_offset;
    found->working.reanchor = true;
}

int64_t lex_mirror_next_offset(const struct lex_mirror *mirror, int32_t partition)
{
    const struct partition *found = find(mirror, partition);
    return found == NULL ? -1 : found->working.next_offset;
}

struct lex_mirror_stats lex_mirror_stats(const struct lex_mirror *mirror)
{
    struct lex_mirror_stats stats = mirror->stats;
    for (size_t i = 0; i < mirror->count; i++)
        stats.broken_partitions += mirror->partitions[i]->working.verifier.broken ? 1 : 0;
    return stats;
}

/* ---- feeding ---- */

/* The good entries before it are committed first, then the bad bytes are kept aside, then it is
 * told: whatever happens in between, the file holds nothing but verified entries. */
static enum lex_status break_off(struct lex_mirror *mirror, struct partition *partition,
                                 int64_t kafka_offset, struct lex_span value, const char *reason,
                                 struct lex_error *err)
{
    partition->working.verifier.broken =
        false; /* until it is written down; a failure feeds it again */
    LEX_TRY(begin(mirror, err));
    enum lex_status status =
        lex_store_keep_broken(mirror->store, partition->id, kafka_offset, value, reason, err);
    if (status != LEX_OK)
        return undo(mirror, status);
    LEX_TRY(lex_mirror_commit(mirror, err));
    partition->working.verifier.broken = partition->committed.verifier.broken = true;
    mirror->stats.broken++;
    return LEX_OK;
}

static enum lex_status take(struct lex_mirror *mirror, struct partition *partition,
                            int64_t kafka_offset, struct lex_span value,
                            const struct lex_chain_step *step, struct lex_error *err)
{
    LEX_TRY(begin(mirror, err));
    enum lex_status status = LEX_OK;
    if (step->gap)
        status = lex_store_add_gap(mirror->store, partition->id, step->gap_from, step->gap_to,
                                   partition->working.reanchor ? "deleted from the ledger topic"
                                                               : "declared by a recovery entry",
                                   err);
    if (status == LEX_OK)
        status = lex_store_append(mirror->store, partition->id, step->entry.seq, kafka_offset,
                                  value, err);
    if (status != LEX_OK)
        return undo(mirror, status);
    partition->working.next_offset = kafka_offset + 1;
    partition->working.reanchor = false;
    partition->dirty = true;
    mirror->rows++;
    mirror->stats.verified++;
    return mirror->rows < mirror->options.transaction_rows ? LEX_OK
                                                           : lex_mirror_commit(mirror, err);
}

/* Where retention cut the topic, the next entry says where the chain stands; what lies between is a
 * gap. Only forwards: an entry that goes back is a break as ever. */
static enum lex_status verify(struct lex_mirror *mirror, struct partition *partition,
                              struct lex_span value, struct lex_chain_step *step,
                              struct lex_error *err)
{
    struct lex_chain_break broken;
    struct lex_ledger_entry entry;
    struct lex_chain_verifier *verifier = &partition->working.verifier;
    int64_t expected = verifier->seq;
    if (!partition->working.reanchor)
        return lex_chain_verify(verifier, value, &mirror->arena, step, &broken, err);
    LEX_TRY(lex_ledger_decode(value, &mirror->arena, &entry, err));
    struct lex_span origin = lex_span_str(verifier->origin);
    struct lex_chain_verifier moved;
    if (entry.seq <= expected)
        return lex_chain_verify_entry(verifier, &entry, value, &mirror->arena, step, &broken, err);
    lex_chain_verifier_open(&moved, origin);
    LEX_TRY(lex_chain_verify_entry(&moved, &entry, value, &mirror->arena, step, &broken, err));
    *verifier = moved;
    step->gap = true;
    step->gap_from = expected;
    step->gap_to = entry.seq - 1;
    return LEX_OK;
}

LEX_STATUS lex_mirror_feed(struct lex_mirror *mirror, int32_t partition, int64_t kafka_offset,
                           struct lex_span value, enum lex_mirror_result *ret_result,
                           struct lex_error *err)
{
    struct lex_chain_step step;
    struct lex_error why;
    struct partition *found = find(mirror, partition);
    *ret_result = LEX_MIRROR_SKIPPED;
    if (found == NULL || kafka_offset < found->working.next_offset)
        return LEX_OK;
    mirror->last = found;
    *ret_result = LEX_MIRROR_IGNORED;
    if (found->working.verifier.broken)
        return LEX_OK;
    lex_arena_reset(&mirror->arena);
    enum lex_status status = verify(mirror, found, value, &step, &why);
    if (status == LEX_OK) {
        *ret_result = LEX_MIRROR_TAKEN;
        return take(mirror, found, kafka_offset, value, &step, err);
    }
    *ret_result = LEX_MIRROR_BROKE;
    LEX_TRY(break_off(mirror, found, kafka_offset, value, why.text, err));
    (void)lex_fail(err, LEX_REJECT, "partition %d, ledger offset %lld: %s", partition,
                   (long long)kafka_offset, why.text);
    return LEX_OK;
}
