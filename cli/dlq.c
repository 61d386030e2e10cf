#include "cli/dlq.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/json.h"
#include "core/base/text.h"

static const char *const REASONS[] = {
#define LEX_UNDECODABLE(name, text) #name,
#include "core/codec/undecodable.def"
#undef LEX_UNDECODABLE
};

/* ---- what a letter says ---- */

static int64_t number_of(struct lex_span text)
{
    int64_t number;
    return !lex_span_absent(text) && lex_json_int64(text, &number) == LEX_OK && number >= 0 ? number
                                                                                            : -1;
}

static struct lex_span header_of(const struct lex_dlq_letter *letter, const char *name)
{
    for (size_t i = 0; i < letter->headers_count; i++)
        if (strcmp(letter->headers[i].name, name) == 0)
            return letter->headers[i].value;
    return (struct lex_span){0};
}

void lex_dlq_read(struct lex_dlq_letter *letter)
{
    letter->source_topic = header_of(letter, "__connect.errors.topic");
    letter->source_partition = number_of(header_of(letter, "__connect.errors.partition"));
    letter->source_offset = number_of(header_of(letter, "__connect.errors.offset"));
    letter->reason = header_of(letter, "__connect.errors.exception.class.name");
    letter->message = header_of(letter, "__connect.errors.exception.message");
    letter->original_bytes = number_of(header_of(letter, "lexecon.original.bytes"));
    letter->has_hash =
        lex_hex_decode(header_of(letter, "lexecon.original.sha256"), letter->original_hash.bytes,
                       sizeof letter->original_hash.bytes) == LEX_OK;
}

enum lex_dlq_state lex_dlq_state_of(const struct lex_dlq_letter *letter)
{
    struct lex_hash hash;
    if (letter->original_bytes < 0 || !letter->has_hash || letter->source_partition < 0 ||
        letter->source_offset < 0)
        return LEX_DLQ_FOREIGN;
    if ((uint64_t)letter->original_bytes != letter->value.len)
        return LEX_DLQ_CUT;
    lex_sha256(&letter->value, 1, &hash);
    return lex_hash_eq(&hash, &letter->original_hash) ? LEX_DLQ_WHOLE : LEX_DLQ_BLANKED;
}

const char *lex_dlq_state_text(enum lex_dlq_state state)
{
    switch (state) {
    case LEX_DLQ_WHOLE: return "whole";
    case LEX_DLQ_BLANKED: return "blanked";
    case LEX_DLQ_CUT: return "cut";
    case LEX_DLQ_FOREIGN: return "foreign";
    }
    return "";
}

/* ---- choosing ---- */

static enum lex_status read_place(const char *text, int64_t *ret_partition, int64_t *ret_offset,
                                  struct lex_error *err)
{
    const char *slash = strchr(text, '/');
    int64_t partition = slash != NULL ? number_of(lex_span_of(text, (size_t)(slash - text))) : -1;
    int64_t offset = slash != NULL ? number_of(lex_span_str(slash + 1)) : -1;
    if (partition < 0 || offset < 0)
        return lex_fail(err, LEX_REJECT, "--letter %s: expected PARTITION/OFFSET of a dead letter",
                        text);
    *ret_partition = partition;
    *ret_offset = offset;
    return LEX_OK;
}

static enum lex_status check_reason(const char *word, struct lex_error *err)
{
    const char *nearest = REASONS[0];
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < LEX_COUNT_OF(REASONS); i++) {
        size_t distance = lex_edit_distance(lex_span_str(word), lex_span_str(REASONS[i]), 12);
        if (distance == 0)
            return LEX_OK;
        if (distance < best) {
            best = distance;
            nearest = REASONS[i];
        }
    }
    return lex_fail(err, LEX_REJECT, "--reason %s: no dead letter has it; did you mean %s?", word,
                    nearest);
}

LEX_STATUS lex_dlq_filter_check(const struct lex_dlq_filter *filter, struct lex_error *err)
{
    int64_t partition, offset;
    for (size_t i = 0; i < filter->reasons.count; i++)
        LEX_TRY(check_reason(filter->reasons.items[i], err));
    for (size_t i = 0; i < filter->letters.count; i++)
        LEX_TRY(read_place(filter->letters.items[i], &partition, &offset, err));
    return LEX_OK;
}

static bool has_reason(const struct lex_cli_list *reasons, struct lex_span reason)
{
    for (size_t i = 0; i < reasons->count; i++)
        if (lex_span_eq(reason, lex_span_str(reasons->items[i])))
            return true;
    return reasons->count == 0;
}

static bool is_listed(const struct lex_cli_list *letters, const struct lex_dlq_letter *letter)
{
    for (size_t i = 0; i < letters->count; i++) {
        int64_t partition, offset;
        if (read_place(letters->items[i], &partition, &offset, NULL) == LEX_OK &&
            partition == letter->partition && offset == letter->offset)
            return true;
    }
    return letters->count == 0;
}

bool lex_dlq_matches(const struct lex_dlq_filter *filter, const struct lex_dlq_letter *letter)
{
    return has_reason(&filter->reasons, letter->reason) && is_listed(&filter->letters, letter) &&
           (filter->since_ms < 0 || letter->timestamp_ms >= filter->since_ms);
}

/* "15m": @return milliseconds, -1 where it is none */
static int64_t duration_of(const char *text)
{
    static const struct {
        char unit;
        int64_t ms;
    } units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}};
    size_t len = strlen(text);
    int64_t number = len >= 2 ? number_of(lex_span_of(text, len - 1)) : -1;
    for (size_t i = 0; i < LEX_COUNT_OF(units) && number >= 0; i++)
        if (text[len - 1] == units[i].unit && number <= 36500LL * 86400000 / units[i].ms)
            return number * units[i].ms;
    return -1;
}

LEX_STATUS lex_dlq_since(const char *text, int64_t now_us, int64_t *ret_ms, struct lex_error *err)
{
    int64_t at_us, ago_ms = duration_of(text);
    if (ago_ms >= 0) {
        *ret_ms = now_us / 1000 > ago_ms ? now_us / 1000 - ago_ms : 0;
        return LEX_OK;
    }
    if (lex_rfc3339_parse(lex_span_str(text), &at_us) != LEX_OK || at_us < 0)
        return lex_fail(err, LEX_REJECT,
                        "--since %s: expected an instant (2026-01-01T00:00:00Z) or so long ago "
                        "(30s, 15m, 2h, 7d)",
                        text);
    *ret_ms = at_us / 1000;
    return LEX_OK;
}

/* ---- putting it back ---- */

bool lex_dlq_header_kept(const char *name)
{
    static const char connect[] = "__connect.errors.", ours[] = "lexecon.original.";
    return strncmp(name, connect, sizeof connect - 1) != 0 &&
           strncmp(name, ours, sizeof ours - 1) != 0 && strcmp(name, LEX_DLQ_REPLAYED_FROM) != 0;
}

void lex_dlq_place(const char *topic, const struct lex_dlq_letter *letter,
                   char out[LEX_DLQ_PLACE_MAX_BYTES])
{
    (void)snprintf(out, LEX_DLQ_PLACE_MAX_BYTES, "%s/%d/%lld", topic, letter->partition,
                   (long long)letter->offset);
}

/* ---- showing ---- */

/* Control characters, line separators, and what turns the direction of writing (Unicode 15, section
 * 23.2). */
static bool is_shown(uint32_t code)
{
    return code >= ' ' && !(code >= 0x7f && code <= 0x9f) && code != 0x200e && code != 0x200f &&
           !(code >= 0x2028 && code <= 0x202e) && !(code >= 0x2066 && code <= 0x2069) &&
           code != 0xfeff;
}

void lex_dlq_put_shown(struct lex_span bytes, struct lex_buf *out)
{
    size_t step;
    for (size_t at = 0; at < bytes.len; at += step) {
        uint32_t code;
        step = lex_utf8_next(lex_span_of(bytes.data + at, bytes.len - at), &code);
        if (step == 0) {
            step = 1;
            lex_buf_printf(out, "\\x%02x", bytes.data[at]);
        } else if (code == '\\') {
            lex_buf_puts(out, "\\\\");
        } else if (is_shown(code)) {
            lex_buf_put(out, bytes.data + at, step);
        } else {
            lex_buf_printf(out, code < 0x100 ? "\\x%02x" : "\\u%04x", code);
        }
    }
}

/* ---- reading ---- */

LEX_STATUS lex_dlq_next(struct lex_record_reader *reader, struct lex_dlq_letter *ret_letter,
                        bool *ret_found, struct lex_error *err)
{
    struct lex_read_record record;
    LEX_TRY(lex_record_reader_next(reader, &record, ret_found, err));
    if (!*ret_found)
        return LEX_OK;
    *ret_letter = (struct lex_dlq_letter){.partition = record.partition,
                                          .offset = record.offset,
                                          .timestamp_ms = record.timestamp_ms,
                                          .key = record.key,
                                          .value = record.value};
    struct lex_dlq_header *header = ret_letter->headers;
    while (ret_letter->headers_count < LEX_DLQ_HEADERS_MAX &&
           lex_record_reader_header(reader, ret_letter->headers_count, &header->name,
                                    &header->value)) {
        ret_letter->headers_count++;
        header++;
    }
    lex_dlq_read(ret_letter);
    return LEX_OK;
}
