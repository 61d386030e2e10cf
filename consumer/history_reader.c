#include "consumer/history_reader.h"

#include <stdlib.h>

#include "core/base/clock.h"

enum {
    WAIT_MS = 5,
    PREFETCH_KB = 32 << 10,     /* a second of reading: librdkafka 2.0.2 pauses when it is full */
    FIRST_STEP = 4096,          /* offsets back from the end, then four times as many, ... */
    SEARCH_TIMEOUT_MS = 5000,   /* for the place where reading begins */
    PIECE_TIMEOUT_MS = 200,     /* the other partitions wait meanwhile */
    RECORD_MAX_BYTES = 2 << 20, /* what one record may be, whatever wrote it */
};

struct lex_history_reader {
    struct lex_ledger_reader *ledger;
    int32_t partition;      /* that is being read, -1: none */
    struct lex_arena arena; /* of the piece, and of what is decoded in between */
    struct lex_span values[LEX_HISTORY_PIECE_ENTRIES];
    size_t count, bytes;
    bool ended;
    struct lex_error err;
};

/* ---- life ---- */

LEX_STATUS lex_history_reader_new(const struct lex_config *config,
                                  struct lex_history_reader **ret_reader, struct lex_error *err)
{
    struct lex_history_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL)
        return lex_fail(err, LEX_LIMIT, "out of memory");
    enum lex_status status = lex_ledger_reader_new(config, "lexecon.history", WAIT_MS, PREFETCH_KB,
                                                   &reader->ledger, err);
    if (status != LEX_OK) {
        free(reader);
        return status;
    }
    reader->partition = -1;
    lex_arena_init(&reader->arena, 1 << 20, LEX_HISTORY_PIECE_BYTES + 2 * RECORD_MAX_BYTES);
    *ret_reader = reader;
    return LEX_OK;
}

void lex_history_reader_free(struct lex_history_reader *reader)
{
    if (reader == NULL)
        return;
    lex_ledger_reader_free(reader->ledger);
    lex_arena_fini(&reader->arena);
    free(reader);
}

/* ---- one record ---- */

/* Keep the next record of the partition, or note its end.
 * @errors LEX_RETRY nothing yet, or the place is gone; LEX_HALT it cannot be read */
static enum lex_status take_next(struct lex_history_reader *r, int timeout_ms)
{
    struct lex_ledger_record item;
    LEX_TRY(lex_ledger_reader_next(r->ledger, timeout_ms, &item, &r->err));
    if (item.gone) {
        r->partition = -1; /* retention passed by */
        return LEX_RETRY;
    }
    if (item.end) {
        /* The end of committed reading; behind it a transaction may be open, our own last one too
         * until its markers are written. */
        r->ended = lex_ledger_reader_lag(r->ledger, item.partition, item.offset) <= 0;
        return r->ended ? LEX_OK : LEX_RETRY;
    }
    struct lex_span copy = lex_arena_dup(&r->arena, item.value);
    if (lex_span_absent(copy) && item.value.len != 0)
        return lex_fail(&r->err, LEX_HALT, "a record of %zu bytes is no ledger entry",
                        item.value.len);
    r->values[r->count++] = copy;
    r->bytes += copy.len;
    return LEX_OK;
}

/* What an entry says of its place; nothing where it is none: the worker judges that. */
static bool place_of(struct lex_history_reader *r, struct lex_span value, int64_t *ret_seq,
                     int64_t *ret_time_us)
{
    struct lex_ledger_entry entry;
    struct lex_arena_mark mark = lex_arena_mark(&r->arena);
    bool read = lex_decode_framed(&lex_type_ledger_entry, value, &r->arena, &entry, NULL) == LEX_OK;
    *ret_seq = read ? entry.seq : -1;
    *ret_time_us = read ? entry.recorded_at : INT64_MAX;
    lex_arena_rollback(&r->arena, mark);
    return read;
}

/* ---- where to begin ---- */

static void empty(struct lex_history_reader *r)
{
    lex_arena_reset(&r->arena);
    r->count = 0;
    r->bytes = 0;
    r->ended = false;
}

/* Seek, and read the first record that is there, or the end. */
static enum lex_status probe(struct lex_history_reader *r, int64_t offset, int64_t until_us)
{
    struct lex_position position = {r->partition, offset};
    empty(r);
    LEX_TRY(lex_ledger_reader_seek(r->ledger, &position, 1, &r->err));
    enum lex_status status = LEX_RETRY;
    while (status == LEX_RETRY && r->partition >= 0 && lex_clock_mono_us() < until_us)
        status = take_next(r, 100);
    return status;
}

static bool is_early_enough(struct lex_history_reader *r, const struct lex_history_wanted *wanted)
{
    int64_t seq, time_us;
    return r->count != 0 && place_of(r, r->values[0], &seq, &time_us) &&
           (seq <= wanted->from || time_us <= wanted->since_us);
}

static enum lex_status find_begin(struct lex_history_reader *r,
                                  const struct lex_history_wanted *wanted)
{
    int64_t low, high, until_us = lex_clock_mono_us() + SEARCH_TIMEOUT_MS * 1000;
    LEX_TRY(lex_ledger_reader_range(r->ledger, wanted->partition, &low, &high, &r->err));
    r->partition = wanted->partition;
    for (int64_t step = FIRST_STEP;; step *= 4) {
        int64_t offset = high - low > step ? high - step : low;
        LEX_TRY(probe(r, offset, until_us));
        if (offset == low || is_early_enough(r, wanted))
            return LEX_OK;
    }
}

/* ---- a piece ---- */

static enum lex_status read_on(struct lex_history_reader *r)
{
    int64_t until_us = lex_clock_mono_us() + PIECE_TIMEOUT_MS * 1000;
    while (!r->ended && r->count < LEX_HISTORY_PIECE_ENTRIES &&
           r->bytes < LEX_HISTORY_PIECE_BYTES) {
        int left_ms = lex_clock_left_ms(until_us);
        if (left_ms == 0)
            return LEX_OK;
        enum lex_status status = take_next(r, left_ms);
        if (status == LEX_RETRY && (r->partition < 0 || r->count != 0))
            return r->partition < 0 ? LEX_RETRY : LEX_OK;
        if (status != LEX_OK && status != LEX_RETRY)
            return status;
    }
    return LEX_OK;
}

static bool is_whole(struct lex_history_reader *r, const struct lex_history_wanted *wanted)
{
    int64_t seq, time_us;
    return r->ended || (r->count != 0 && place_of(r, r->values[r->count - 1], &seq, &time_us) &&
                        seq >= wanted->to - 1);
}

static enum lex_status read_piece(struct lex_history_reader *r,
                                  const struct lex_history_wanted *wanted)
{
    if (!wanted->more)
        LEX_TRY(find_begin(r, wanted));
    else if (r->partition != wanted->partition)
        return LEX_RETRY; /* it stands elsewhere by now */
    else
        empty(r);
    return read_on(r);
}

void lex_history_reader_read(struct lex_history_reader *reader,
                             const struct lex_history_wanted *wanted,
                             struct lex_history_found *ret_found)
{
    reader->err.text[0] = 0;
    enum lex_status status = read_piece(reader, wanted);
    *ret_found = (struct lex_history_found){.partition = wanted->partition,
                                            .status = status == LEX_HALT ? LEX_REJECT : status,
                                            .reason = reader->err.text};
    if (status != LEX_OK) {
        reader->partition = -1;
        return;
    }
    ret_found->values = reader->values;
    ret_found->count = reader->count;
    ret_found->more = !is_whole(reader, wanted);
}
