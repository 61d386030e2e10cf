/* The mirror's file as a ledger source: partition after partition, and round again for what was
 * written since. */
#include <stdlib.h>

#include "cli/ledger_source.h"
#include "core/ledger/store.h"

enum { PLACES_MAX = 4096 };

/* Where a partition was left, and its head as it was before its entries were read: a mirror that is
 * being written grows meanwhile, and a round ends at the head that it began with. */
struct place {
    int32_t partition;
    int64_t next_seq;
    struct lex_store_position head;
    bool head_known;
};

struct mirror_source {
    struct lex_ledger_source base;
    struct lex_store *store;
    int64_t wanted, last; /* partition or -1; entries of each or 0 */
    int32_t partition;    /* being walked; -1 between rounds */
    struct place *places; /* where each partition was left */
    size_t count;
    struct place *here;
};

static struct place *known_place(struct mirror_source *own, int32_t partition)
{
    for (size_t i = 0; i < own->count; i++)
        if (own->places[i].partition == partition)
            return &own->places[i];
    return NULL;
}

/* Where a partition was left, or where the reader wants to begin with it. */
static enum lex_status find_place(struct mirror_source *own, int32_t partition,
                                  struct lex_error *err)
{
    struct lex_store_position head = {0};
    bool found = false;
    struct place *place = known_place(own, partition);
    if (place == NULL && own->count == PLACES_MAX)
        return lex_fail(err, LEX_LIMIT, "more than %d partitions in the mirror", PLACES_MAX);
    LEX_TRY(lex_store_position(own->store, partition, &head, &found, err));
    if (place == NULL) {
        place = &own->places[own->count++];
        *place = (struct place){.partition = partition};
        if (found && own->last > 0 && head.next_seq > own->last)
            place->next_seq = head.next_seq - own->last;
    }
    place->head = head;
    place->head_known = found;
    own->here = place;
    return LEX_OK;
}

/* Begin with the partition behind the present one. @post own->partition is -1 at the round's end */
static enum lex_status next_partition(struct mirror_source *own, struct lex_error *err)
{
    int32_t after = own->partition;
    do {
        LEX_TRY(lex_store_next_partition(own->store, after, &after, err));
    } while (after >= 0 && own->wanted >= 0 && after != own->wanted);
    own->partition = after;
    if (after < 0)
        return LEX_OK;
    LEX_TRY(find_place(own, after, err));
    return lex_store_walk(own->store, after, own->here->next_seq, err);
}

static enum lex_status note_gap(struct mirror_source *own, int64_t seq,
                                struct lex_ledger_item *item, struct lex_error *err)
{
    struct lex_store_gap gap;
    bool found = false;
    if (seq == own->here->next_seq)
        return LEX_OK;
    LEX_TRY(lex_store_next_gap(own->store, own->partition, own->here->next_seq, &gap, &found, err));
    item->gap = found && gap.from == own->here->next_seq && gap.to == seq - 1;
    item->gap_from = own->here->next_seq;
    item->gap_to = seq - 1;
    return LEX_OK;
}

static enum lex_status take(struct mirror_source *own, const struct lex_store_row *row,
                            struct lex_ledger_item *ret_item, struct lex_error *err)
{
    struct lex_ledger_item item = {
        .partition = own->partition, .kafka_offset = row->kafka_offset, .value = row->value};
    LEX_TRY(note_gap(own, row->seq, &item, err));
    own->here->next_seq = row->seq + 1;
    *ret_item = item;
    return LEX_OK;
}

static enum lex_status mirror_next(struct lex_ledger_source *source,
                                   struct lex_ledger_item *ret_item, bool *ret_found,
                                   struct lex_error *err)
{
    struct mirror_source *own = (struct mirror_source *)source;
    struct lex_store_row row;
    *ret_found = false;
    if (own->partition < 0)
        LEX_TRY(next_partition(own, err));
    while (own->partition >= 0) {
        LEX_TRY(lex_store_walk_next(own->store, &row, ret_found, err));
        if (*ret_found && (!own->here->head_known || row.seq < own->here->head.next_seq))
            return take(own, &row, ret_item, err);
        *ret_found = false;
        LEX_TRY(next_partition(own, err));
    }
    return LEX_OK;
}

static enum lex_status mirror_head(struct lex_ledger_source *source, int32_t partition,
                                   int64_t *ret_seq, struct lex_hash *ret_prev, bool *ret_known,
                                   struct lex_error *err)
{
    const struct place *place = known_place((struct mirror_source *)source, partition);
    (void)err;
    *ret_known = place != NULL && place->head_known;
    if (*ret_known) {
        *ret_seq = place->head.next_seq;
        *ret_prev = place->head.prev;
    }
    return LEX_OK;
}

static void mirror_close(struct lex_ledger_source *source)
{
    struct mirror_source *own = (struct mirror_source *)source;
    lex_store_close(own->store);
    free(own->places);
    free(own);
}

LEX_STATUS lex_ledger_open_mirror(const struct lex_ledger_source_options *options,
                                  struct lex_ledger_source **ret_source, struct lex_error *err)
{
    struct mirror_source *own = calloc(1, sizeof *own);
    struct place *places = calloc(PLACES_MAX, sizeof *places);
    if (own == NULL || places == NULL) {
        free(own);
        free(places);
        return lex_fail(err, LEX_LIMIT, "no memory to read %s", options->mirror);
    }
    own->base = (struct lex_ledger_source){
        .next = mirror_next, .head = mirror_head, .close = mirror_close, .grows = true};
    own->places = places;
    own->wanted = options->partition;
    own->last = options->last;
    own->partition = -1;
    enum lex_status status = lex_store_open(options->mirror, LEX_STORE_READ, &own->store, err);
    if (status != LEX_OK) {
        mirror_close(&own->base);
        return status;
    }
    *ret_source = &own->base;
    return LEX_OK;
}
