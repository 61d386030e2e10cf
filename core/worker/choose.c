#include "core/worker/choose.h"

static struct lex_recovery_state state_of(bool present, const struct lex_head *head)
{
    return (struct lex_recovery_state){present, head->seq, head->prev, head->last_source_offset};
}

static void describe(const struct lex_recover_input *in, const struct lex_recovered *found,
                     struct lex_recovery *ret)
{
    struct lex_head empty = {.last_source_offset = -1};
    lex_genesis_hash(in->origin, &empty.prev);
    ret->head = state_of(found->has_head, &found->from_head);
    ret->ledger = state_of(found->has_tail, &found->from_tail);
    if (!in->ever_held) /* what an empty ledger says is known: it ends before its first entry */
        ret->ledger = state_of(true, &empty);
}

static enum lex_status take_head(const struct lex_recovered *found, struct lex_chosen *out,
                                 struct lex_error *err)
{
    if (!found->has_head)
        return lex_fail(err, LEX_REJECT, "there is no readable head to take");
    if (found->has_tail && found->from_head.seq <= found->from_tail.seq)
        return lex_fail(err, LEX_REJECT,
                        "the head's next entry is %lld, the ledger already holds entries up to "
                        "%lld: taking the head would fork the chain; take the ledger",
                        (long long)found->from_head.seq, (long long)found->from_tail.seq - 1);
    out->recovery.kind = LEX_RECOVERY_CHOSE_HEAD;
    out->head = found->from_head;
    out->next_offset = found->committed_offset;
    return LEX_OK;
}

static enum lex_status take_ledger(const struct lex_recovered *found, struct lex_chosen *out,
                                   struct lex_error *err)
{
    const struct lex_head *head = &found->from_head, *tail = &found->from_tail;
    if (!found->has_tail)
        return lex_fail(err, LEX_REJECT, "the ledger has no last entry that could be taken");
    out->recovery.kind = LEX_RECOVERY_CHOSE_LEDGER;
    bool same = found->has_head && head->seq == tail->seq && lex_hash_eq(&head->prev, &tail->prev);
    out->head = same ? *head : *tail; /* the same place: then the head's policy holds too */
    out->next_offset = tail->last_source_offset + 1;
    return LEX_OK;
}

/* The chosen place lies behind all requests there are: only a person knows whether those were
 * decided. */
static enum lex_status place_by_hand(const struct lex_recover_input *in, int64_t next_offset,
                                     struct lex_chosen *out, struct lex_error *err)
{
    if (next_offset < 0)
        return lex_fail(
            err, LEX_REJECT,
            "the next request would be %lld, but the request partition holds %lld to "
            "%lld: add --next-offset %lld if its requests were never decided (the topic "
            "was made anew), --next-offset %lld if they were (it lost its end)",
            (long long)out->next_offset, (long long)in->low, (long long)in->high - 1,
            (long long)in->low, (long long)in->high);
    if (next_offset < in->low || next_offset > in->high)
        return lex_fail(err, LEX_REJECT, "--next-offset %lld: expected %lld to %lld",
                        (long long)next_offset, (long long)in->low, (long long)in->high);
    out->next_offset = next_offset;
    return LEX_OK;
}

static enum lex_status place_next(const struct lex_recover_input *in, int64_t next_offset,
                                  struct lex_chosen *out, struct lex_error *err)
{
    if (out->next_offset > in->high)
        return place_by_hand(in, next_offset, out, err);
    if (next_offset >= 0)
        return lex_fail(err, LEX_REJECT,
                        "--next-offset: the choice names the next request itself, %lld; leave the "
                        "flag away",
                        (long long)out->next_offset);
    if (out->next_offset >= in->low)
        return LEX_OK;
    out->recovery.has_source_gap = true;
    out->recovery.source_from = out->next_offset;
    out->recovery.source_to = in->low - 1;
    out->next_offset = in->low;
    return LEX_OK;
}

LEX_STATUS lex_choose(const struct lex_recover_input *input, const struct lex_recovered *found,
                      enum lex_choice choice, int64_t next_offset, struct lex_chosen *ret_chosen,
                      struct lex_error *err)
{
    struct lex_chosen chosen = {.next_offset = -1};
    if (found->kind != LEX_RECOVERED_HALT)
        return lex_fail(err, LEX_REJECT, "nothing contradicts itself: there is nothing to choose");
    if (found->foreign_tail)
        return lex_fail(
            err, LEX_REJECT,
            "this is another log's ledger: put origin_prefix and the ledger topic right");
    describe(input, found, &chosen.recovery);
    LEX_TRY(choice == LEX_CHOICE_HEAD ? take_head(found, &chosen, err)
                                      : take_ledger(found, &chosen, err));
    LEX_TRY(place_next(input, next_offset, &chosen, err));
    chosen.head.last_source_offset = chosen.next_offset - 1;
    *ret_chosen = chosen;
    return LEX_OK;
}
