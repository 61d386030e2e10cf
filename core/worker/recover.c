#include "core/worker/recover.h"

#include <stdio.h>

#include "core/codec/codec.h"

static enum lex_status halt(struct lex_recovered *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static enum lex_status halt(struct lex_recovered *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(out->reason, sizeof out->reason, format, args);
    va_end(args);
    out->kind = LEX_RECOVERED_HALT;
    return LEX_OK;
}

static bool has_metadata(const struct lex_recover_input *in)
{
    return in->offset >= 0 && in->metadata.len != 0;
}

/* What the ledger's last entry says. Its source offset is the last decided request's, whatever the
 * entry's kind: events repeat the head's (formats.md). */
static enum lex_status read_tail(const struct lex_recover_input *in, struct lex_arena *arena,
                                 struct lex_recovered *out, bool *ret_bad)
{
    struct lex_ledger_entry entry;
    struct lex_error err = {{0}};
    *ret_bad = false;
    if (lex_span_absent(in->entry))
        return LEX_OK;
    enum lex_status status =
        lex_decode_framed(&lex_type_ledger_entry, in->entry, arena, &entry, &err);
    if (status == LEX_LIMIT)
        return status;
    *ret_bad = true;
    if (status != LEX_OK)
        return halt(out, "the ledger's last record is no entry: %.150s", err.text);
    out->foreign_tail = !lex_span_eq(entry.log, in->origin);
    if (out->foreign_tail)
        return halt(out, "the ledger's last entry belongs to the log %.*s: check origin_prefix",
                    entry.log.len > 120 ? 120 : (int)entry.log.len, (const char *)entry.log.data);
    *ret_bad = false;
    out->has_tail = true;
    out->from_tail.seq = entry.seq + 1;
    out->from_tail.last_source_offset = entry.source.offset;
    lex_leaf_hash(in->entry, &out->from_tail.prev);
    return LEX_OK;
}

static enum lex_status continue_at(const struct lex_recover_input *in, enum lex_recovered_kind kind,
                                   const struct lex_head *head, int64_t next,
                                   struct lex_recovered *out)
{
    if (next > in->high)
        return halt(out,
                    "the next request is %lld, but the request partition ends at %lld: was the "
                    "topic made anew?",
                    (long long)next, (long long)in->high);
    out->kind = kind;
    out->head = *head;
    out->deleted_from = next;
    out->next_offset = next < in->low ? in->low : next;
    /* What is skipped is settled: entries say so, or a chain whose head gets lost would go back. */
    out->head.last_source_offset = out->next_offset - 1;
    return LEX_OK;
}

static enum lex_status genesis(const struct lex_recover_input *in, struct lex_recovered *out)
{
    struct lex_head head = {.last_source_offset = -1};
    lex_genesis_hash(in->origin, &head.prev);
    int64_t next = in->offset >= 0 ? in->offset : in->start_latest ? in->high : 0;
    return continue_at(in, LEX_RECOVERED_GENESIS, &head, next, out);
}

static enum lex_status from_ledger(const struct lex_recover_input *in, struct lex_recovered *out)
{
    if (!out->has_tail)
        return halt(out, "the commit has no head, and retention left nothing of the ledger");
    return continue_at(in, LEX_RECOVERED_FROM_LEDGER, &out->from_tail,
                       out->from_tail.last_source_offset + 1, out);
}

static enum lex_status check_agreement(const struct lex_recover_input *in,
                                       struct lex_recovered *out)
{
    const struct lex_head *head = &out->from_head, *tail = &out->from_tail;
    if (head->seq != tail->seq)
        return halt(out, "the head names entry %lld as the next, the ledger's last entry is %lld",
                    (long long)head->seq, (long long)tail->seq - 1);
    if (memcmp(head->prev.bytes, tail->prev.bytes, LEX_HASH_BYTES) != 0)
        return halt(out, "the head and the ledger's last entry %lld have different hashes",
                    (long long)tail->seq - 1);
    if (in->offset < tail->last_source_offset + 1)
        return halt(out, "the committed offset %lld lies before %lld, already decided: a rewind",
                    (long long)in->offset, (long long)tail->last_source_offset + 1);
    return LEX_OK;
}

LEX_STATUS lex_recover(const struct lex_recover_input *input, struct lex_arena *arena,
                       struct lex_recovered *ret)
{
    struct lex_error err = {{0}};
    bool bad_head = false, bad_tail;
    *ret =
        (struct lex_recovered){.kind = LEX_RECOVERED_CONTINUE, .committed_offset = input->offset};
    if (has_metadata(input)) {
        ret->has_head = lex_head_parse(input->metadata, &ret->from_head, &err) == LEX_OK;
        bad_head = !ret->has_head;
    }
    if (bad_head)
        LEX_TRY(halt(ret, "the commit's metadata is no head: %.150s", err.text));
    LEX_TRY(read_tail(input, arena, ret, &bad_tail)); /* told even then: a choice may need it */
    if (bad_head || bad_tail)
        return LEX_OK;
    if (!ret->has_head)
        return input->ever_held ? from_ledger(input, ret) : genesis(input, ret);
    if (!ret->has_tail && !input->ever_held && ret->from_head.seq > 0)
        return halt(ret, "the head names %lld entries, but the ledger partition never held one",
                    (long long)ret->from_head.seq);
    if (ret->has_tail)
        LEX_TRY(check_agreement(input, ret));
    if (ret->kind == LEX_RECOVERED_HALT)
        return LEX_OK;
    return continue_at(input, LEX_RECOVERED_CONTINUE, &ret->from_head, input->offset, ret);
}
