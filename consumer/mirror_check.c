#include "consumer/mirror_check.h"

#include <stdlib.h>

#include "core/base/clock.h"
#include "core/ledger/verify.h"

enum {
    CLOCK_EVERY = 256, /* rows between two looks at the clock */
    ARENA_CHUNK_BYTES = 128 << 10,
    ARENA_MAX_BYTES = 8 << 20,
};

struct lex_mirror_check {
    struct lex_store *store;
    struct lex_arena arena;
    int32_t partition; /* in work; -1 before the first one and between two */
    int32_t after;     /* the last one that is through */
    struct lex_store_position until;
    struct lex_chain_verifier verifier;
    int64_t next_seq; /* of the next row that is wanted */
    int64_t entries;
};

LEX_STATUS lex_mirror_check_new(const char *path, struct lex_mirror_check **ret_check,
                                struct lex_error *err)
{
    struct lex_mirror_check *check = calloc(1, sizeof *check);
    if (check == NULL)
        return lex_fail(err, LEX_LIMIT, "no memory to verify the mirror");
    check->partition = check->after = -1;
    lex_arena_init(&check->arena, ARENA_CHUNK_BYTES, ARENA_MAX_BYTES);
    enum lex_status status = lex_store_open(path, LEX_STORE_READ, &check->store, err);
    if (status != LEX_OK) {
        lex_mirror_check_free(check);
        return status;
    }
    *ret_check = check;
    return LEX_OK;
}

void lex_mirror_check_free(struct lex_mirror_check *check)
{
    if (check == NULL)
        return;
    lex_store_close(check->store);
    lex_arena_fini(&check->arena);
    free(check);
}

int64_t lex_mirror_check_entries(const struct lex_mirror_check *check)
{
    return check->entries;
}

/* Begin the partition behind the last one. @post partition is -1 where there is none */
static enum lex_status next_partition(struct lex_mirror_check *check, struct lex_error *err)
{
    bool found = false;
    LEX_TRY(lex_store_next_partition(check->store, check->after, &check->partition, err));
    if (check->partition < 0)
        return LEX_OK;
    LEX_TRY(lex_store_position(check->store, check->partition, &check->until, &found, err));
    if (!found)
        return lex_fail(err, LEX_REJECT, "partition %d: its position is gone", check->partition);
    lex_chain_verifier_init(&check->verifier, lex_span_str(check->until.origin));
    check->next_seq = 0;
    return LEX_OK;
}

/* A row that is not the next one is right only behind a gap that the file itself has noted; what
 * follows it stands where its own entry says. */
static enum lex_status pass_gap(struct lex_mirror_check *check, int64_t to_seq,
                                struct lex_error *err)
{
    struct lex_store_gap gap;
    bool found = false;
    LEX_TRY(lex_store_next_gap(check->store, check->partition, check->next_seq, &gap, &found, err));
    if (!found || gap.from != check->next_seq || gap.to != to_seq - 1)
        return lex_fail(err, LEX_REJECT, "partition %d: entries %lld to %lld are missing",
                        check->partition, (long long)check->next_seq, (long long)to_seq - 1);
    lex_chain_verifier_open(&check->verifier, lex_span_str(check->until.origin));
    return LEX_OK;
}

static enum lex_status verify_row(struct lex_mirror_check *check, const struct lex_store_row *row,
                                  struct lex_error *err)
{
    struct lex_chain_step step;
    struct lex_chain_break broken;
    struct lex_error why = {{0}};
    if (row->seq != check->next_seq)
        LEX_TRY(pass_gap(check, row->seq, err));
    lex_arena_reset(&check->arena);
    enum lex_status status =
        lex_chain_verify(&check->verifier, row->value, &check->arena, &step, &broken, &why);
    if (status == LEX_OK && step.entry.seq != row->seq)
        (void)lex_fail(&why, status = LEX_REJECT, "its entry says %lld", (long long)step.entry.seq);
    if (status != LEX_OK)
        return lex_fail(err, status, "partition %d, row %lld: %s", check->partition,
                        (long long)row->seq, why.text);
    check->next_seq = row->seq + 1;
    check->entries++;
    return LEX_OK;
}

/* The chain has to lead to the position that was stored with its last row. */
static enum lex_status check_end(struct lex_mirror_check *check, struct lex_error *err)
{
    if (check->next_seq < check->until.next_seq)
        LEX_TRY(pass_gap(check, check->until.next_seq, err)); /* nothing stored behind it yet */
    else if (!lex_hash_eq(&check->verifier.prev, &check->until.prev))
        return lex_fail(err, LEX_REJECT, "partition %d: entry %lld is not the one that was stored",
                        check->partition, (long long)check->next_seq - 1);
    check->after = check->partition;
    check->partition = -1;
    return LEX_OK;
}

/* Rows of the partition in work until it ends or time is up. */
static enum lex_status walk(struct lex_mirror_check *check, int64_t until_us, struct lex_error *err)
{
    struct lex_store_row row;
    bool found = true;
    LEX_TRY(lex_store_walk(check->store, check->partition, check->next_seq, err));
    for (int64_t rows = 1; check->next_seq < check->until.next_seq; rows++) {
        LEX_TRY(lex_store_walk_next(check->store, &row, &found, err));
        if (!found || row.seq >= check->until.next_seq)
            break;
        LEX_TRY(verify_row(check, &row, err));
        if (rows % CLOCK_EVERY == 0 && lex_clock_mono_us() > until_us)
            return LEX_OK;
    }
    return check_end(check, err);
}

static enum lex_status step(struct lex_mirror_check *check, int64_t until_us, bool *ret_done,
                            struct lex_error *err)
{
    do {
        if (check->partition < 0)
            LEX_TRY(next_partition(check, err));
        if (check->partition < 0) {
            *ret_done = true;
            return LEX_OK;
        }
        LEX_TRY(walk(check, until_us, err));
    } while (lex_clock_mono_us() < until_us);
    return LEX_OK;
}

LEX_STATUS lex_mirror_check_step(struct lex_mirror_check *check, int64_t slice_us, bool *ret_done,
                                 struct lex_error *err)
{
    *ret_done = false;
    enum lex_status status = step(check, lex_clock_mono_us() + slice_us, ret_done, err);
    lex_store_rollback(check->store); /* ends the walk, and with it the read transaction */
    lex_store_drop_cache(check->store);
    return status;
}
