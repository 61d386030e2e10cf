#include "core/ledger/verify.h"

#include <errno.h>
#include <stdlib.h>

#include "core/codec/codec.h"
#include "core/ledger/events.h"

LEX_STATUS lex_ledger_decode(struct lex_span value, struct lex_arena *arena,
                             struct lex_ledger_entry *ret_entry, struct lex_error *err)
{
    if (value.len > LEX_LEDGER_ENTRY_MAX_BYTES)
        return lex_fail(err, LEX_REJECT, "a record of %zu bytes, an entry has at most %d",
                        value.len, LEX_LEDGER_ENTRY_MAX_BYTES);
    return lex_decode_framed(&lex_type_ledger_entry, value, arena, ret_entry, err);
}

const char *lex_break_name(enum lex_break_kind kind)
{
    static const char *const names[LEX_BREAK_KINDS] = {"malformed", "log", "seq", "prev"};
    LEX_ASSERT((unsigned)kind < LEX_BREAK_KINDS);
    return names[kind];
}

/* ---- where a verifier stands ---- */

void lex_chain_verifier_at(struct lex_chain_verifier *verifier, struct lex_span origin, int64_t seq,
                           const struct lex_hash *prev)
{
    LEX_ASSERT(origin.len < LEX_ORIGIN_MAX_BYTES);
    *verifier =
        (struct lex_chain_verifier){.anchored = true, .seq = seq, .prev = *prev, .first_seq = -1};
    memcpy(verifier->origin, origin.data, origin.len);
}

void lex_chain_verifier_init(struct lex_chain_verifier *verifier, struct lex_span origin)
{
    struct lex_hash genesis;
    lex_genesis_hash(origin, &genesis);
    lex_chain_verifier_at(verifier, origin, 0, &genesis);
}

void lex_chain_verifier_open(struct lex_chain_verifier *verifier, struct lex_span origin)
{
    lex_chain_verifier_init(verifier, origin);
    verifier->anchored = false;
}

/* ---- one step ---- */

static enum lex_status broken(struct lex_chain_verifier *verifier, struct lex_chain_break *ret,
                              enum lex_break_kind kind, int64_t got_seq)
{
    verifier->broken = true;
    *ret =
        (struct lex_chain_break){.kind = kind, .expected_seq = verifier->seq, .got_seq = got_seq};
    return LEX_REJECT;
}

static void hash_of(struct lex_span bytes, struct lex_hash *ret)
{
    LEX_ASSERT(bytes.len == LEX_HASH_BYTES);
    memcpy(ret->bytes, bytes.data, LEX_HASH_BYTES);
}

/* A recovery entry that names exactly the numbers between what was expected and its own. */
static bool declares_this_gap(const struct lex_chain_verifier *verifier,
                              const struct lex_ledger_entry *entry, struct lex_arena *arena)
{
    int64_t from = 0, to = 0;
    return entry->event_type == LEX_EVENT_TYPE_RECOVERY && entry->seq > verifier->seq &&
           lex_event_declares_gap(entry->detail, arena, &from, &to) && from == verifier->seq &&
           to == entry->seq - 1;
}

static enum lex_status check_prev(struct lex_chain_verifier *verifier,
                                  const struct lex_ledger_entry *entry, const struct lex_hash *prev,
                                  struct lex_chain_break *ret_break, struct lex_error *err)
{
    struct lex_hash got;
    hash_of(entry->prev, &got);
    if (lex_hash_eq(&got, prev))
        return LEX_OK;
    (void)broken(verifier, ret_break, LEX_BREAK_PREV, entry->seq);
    ret_break->expected_prev = *prev;
    ret_break->got_prev = got;
    return lex_fail(
        err, LEX_REJECT,
        "entry %lld names another entry before it: entry %lld, or entry %lld itself, was "
        "altered",
        (long long)entry->seq, (long long)entry->seq - 1, (long long)entry->seq);
}

static enum lex_status check_place(struct lex_chain_verifier *verifier,
                                   const struct lex_ledger_entry *entry, struct lex_arena *arena,
                                   struct lex_chain_step *step, struct lex_chain_break *ret_break,
                                   struct lex_error *err)
{
    /* an open beginning: the entry's own place, but genesis is genesis */
    if (!verifier->anchored && entry->seq > 0)
        return LEX_OK;
    if (entry->seq == verifier->seq)
        return check_prev(verifier, entry, &verifier->prev, ret_break, err);
    if (declares_this_gap(verifier, entry, arena)) {
        step->gap = true;
        step->gap_from = verifier->seq;
        step->gap_to = entry->seq - 1;
        return LEX_OK;
    }
    (void)broken(verifier, ret_break, LEX_BREAK_SEQ, entry->seq);
    return lex_fail(err, LEX_REJECT, "expected entry %lld, got entry %lld: something was %s",
                    (long long)verifier->seq, (long long)entry->seq,
                    entry->seq > verifier->seq ? "removed" : "repeated, moved or slipped in");
}

static enum lex_status check_log(struct lex_chain_verifier *verifier,
                                 const struct lex_ledger_entry *entry,
                                 struct lex_chain_break *ret_break, struct lex_error *err)
{
    if (lex_span_eq(entry->log, lex_span_str(verifier->origin)) && entry->seq >= 0)
        return LEX_OK;
    (void)broken(verifier, ret_break, LEX_BREAK_LOG, entry->seq);
    return lex_fail(
        err, LEX_REJECT, "expected an entry of the log %s, got one of %.*s", verifier->origin,
        (int)(entry->log.len > LEX_ORIGIN_MAX_BYTES ? LEX_ORIGIN_MAX_BYTES : entry->log.len),
        (const char *)entry->log.data);
}

LEX_STATUS lex_chain_verify_entry(struct lex_chain_verifier *verifier,
                                  const struct lex_ledger_entry *entry, struct lex_span value,
                                  struct lex_arena *arena, struct lex_chain_step *ret_step,
                                  struct lex_chain_break *ret_break, struct lex_error *err)
{
    struct lex_chain_step step = {.entry = *entry};
    LEX_ASSERT(!verifier->broken);
    LEX_TRY(check_log(verifier, entry, ret_break, err));
    LEX_TRY(check_place(verifier, entry, arena, &step, ret_break, err));
    lex_leaf_hash(value, &step.leaf);
    if (verifier->first_seq < 0)
        verifier->first_seq = entry->seq;
    verifier->anchored = true;
    verifier->seq = entry->seq + 1;
    verifier->prev = step.leaf;
    verifier->entries++;
    *ret_step = step;
    return LEX_OK;
}

LEX_STATUS lex_chain_verify(struct lex_chain_verifier *verifier, struct lex_span value,
                            struct lex_arena *arena, struct lex_chain_step *ret_step,
                            struct lex_chain_break *ret_break, struct lex_error *err)
{
    struct lex_ledger_entry entry;
    enum lex_status status = lex_ledger_decode(value, arena, &entry, err);
    if (status == LEX_REJECT)
        return broken(verifier, ret_break, LEX_BREAK_MALFORMED, -1);
    LEX_TRY(status);
    return lex_chain_verify_entry(verifier, &entry, value, arena, ret_step, ret_break, err);
}

/* ---- verdicts ---- */

LEX_STATUS lex_verdict_read(struct lex_span value, struct lex_arena *arena,
                            struct lex_verdict *ret_verdict, struct lex_span *ret_entry_value,
                            struct lex_error *err)
{
    bool single = value.len >= 2 && value.data[0] == 0xc3 && value.data[1] == 0x01;
    bool avro = single || (value.len != 0 && value.data[0] == 0x00); /* Confluent's frame */
    return avro ? lex_decode_verdict(value, arena, ret_verdict, ret_entry_value, err)
                : lex_decode_verdict_json(value, arena, ret_verdict, ret_entry_value, err);
}

LEX_STATUS lex_verdict_prove(const struct lex_pins *pins, const struct lex_verdict *verdict,
                             struct lex_span entry_value, struct lex_hash *ret_leaf,
                             int32_t *ret_partition, struct lex_error *err)
{
    int32_t partition;
    struct lex_hash leaf;
    struct lex_span topic;
    const struct lex_ledger_entry *entry = &verdict->entry;
    LEX_TRY(lex_origin_parse(entry->log, lex_pins_origin_prefix(pins), &topic, &partition, err));
    lex_leaf_hash(entry_value, &leaf);
    LEX_TRY(lex_attestation_verify(pins, entry->log, &leaf, &verdict->attestation, err));
    if (entry->event_type != LEX_EVENT_TYPE_DECISION)
        return lex_fail(err, LEX_REJECT, "the entry is no decision, so it is nobody's verdict");
    if (entry->allowed != (entry->outcome == LEX_OUTCOME_APPROVED))
        return lex_fail(err, LEX_REJECT, "the entry's `allowed` contradicts its outcome");
    *ret_leaf = leaf;
    *ret_partition = partition;
    return LEX_OK;
}

/* ---- exported files ---- */

enum { LENGTH_BYTES = 4 };

LEX_STATUS lex_export_open(const char *path, struct lex_export_reader *ret_reader,
                           struct lex_error *err)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : fopen(path, "rbe");
    if (file == NULL)
        return lex_fail(err, LEX_REJECT, "%s: %s", path, strerror(errno));
    uint8_t *value = malloc(LEX_LEDGER_ENTRY_MAX_BYTES);
    if (value == NULL) {
        if (!standard)
            (void)fclose(file);
        return lex_fail(err, LEX_LIMIT, "%s: no memory to read it", path);
    }
    *ret_reader = (struct lex_export_reader){.file = file, .value = value};
    return LEX_OK;
}

void lex_export_close(struct lex_export_reader *reader)
{
    if (reader->file != NULL && reader->file != stdin)
        (void)fclose(reader->file);
    free(reader->value);
    *reader = (struct lex_export_reader){.file = NULL};
}

LEX_STATUS lex_export_next(struct lex_export_reader *reader, struct lex_span *ret_value,
                           struct lex_error *err)
{
    uint8_t head[LENGTH_BYTES];
    size_t got = fread(head, 1, sizeof head, reader->file);
    if (got == 0 && feof(reader->file)) {
        *ret_value = (struct lex_span){NULL, 0};
        return LEX_OK;
    }
    if (got != sizeof head)
        return lex_fail(err, LEX_REJECT, "byte %lld: the file is cut off inside a length",
                        (long long)reader->at);
    size_t bytes = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
    if (bytes == 0 || bytes > LEX_LEDGER_ENTRY_MAX_BYTES)
        return lex_fail(
            err, LEX_REJECT,
            "byte %lld: a record of %zu bytes, expected 1 to %d; this is no exported ledger, "
            "or its framing was altered",
            (long long)reader->at, bytes, LEX_LEDGER_ENTRY_MAX_BYTES);
    if (fread(reader->value, 1, bytes, reader->file) != bytes)
        return lex_fail(err, LEX_REJECT,
                        "byte %lld: the file is cut off inside a record of %zu bytes",
                        (long long)reader->at, bytes);
    reader->at += (int64_t)(sizeof head + bytes);
    *ret_value = lex_span_of(reader->value, bytes);
    return LEX_OK;
}

LEX_STATUS lex_export_write(FILE *file, struct lex_span value, struct lex_error *err)
{
    if (value.len == 0 || value.len > LEX_LEDGER_ENTRY_MAX_BYTES)
        return lex_fail(err, LEX_REJECT, "a record of %zu bytes, expected 1 to %d", value.len,
                        LEX_LEDGER_ENTRY_MAX_BYTES);
    uint8_t head[LENGTH_BYTES] = {0, 0, (uint8_t)(value.len >> 8), (uint8_t)value.len};
    if (fwrite(head, 1, sizeof head, file) != sizeof head ||
        fwrite(value.data, 1, value.len, file) != value.len)
        return lex_fail(err, LEX_RETRY, "the export cannot be written: %s", strerror(errno));
    return LEX_OK;
}
