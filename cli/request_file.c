#include "cli/request_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/decision/decision.h"

enum {
    ARENA_CHUNK_BYTES = 256 << 10,
    ARENA_MAX_BYTES = 256 << 20,
    ULID_BYTES = 16,
    ULID_CHARS = 26,
    JSON_ARENA_MAX_BYTES = 16 << 20,
};

/* ---- ids ---- */

/* The layout of a ULID: 48 bits of milliseconds, 80 of randomness, in Crockford's base 32. */
static void ulid(int64_t now_us, char out[ULID_CHARS + 1])
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    uint8_t bytes[ULID_BYTES];
    uint64_t ms = (uint64_t)now_us / 1000;
    LEX_ASSERT(getrandom(bytes, sizeof bytes, 0) == (ssize_t)sizeof bytes);
    for (int i = 0; i < 6; i++)
        bytes[i] = (uint8_t)(ms >> (40 - 8 * i));
    unsigned window = 0, bits = 2; /* 130 bits of digits for 128: two zeros lead */
    const uint8_t *next = bytes;
    for (int i = 0; i < ULID_CHARS; i++) {
        if (bits < 5) {
            window = (window << 8 | *next++) & 0xffff;
            bits += 8;
        }
        bits -= 5;
        out[i] = digits[window >> bits & 31];
    }
    out[ULID_CHARS] = '\0';
}

static enum lex_status name_request(struct lex_request_file *file, struct lex_request *request,
                                    struct lex_error *err)
{
    char id[ULID_CHARS + 1];
    if (!lex_span_absent(request->request_id))
        return LEX_OK;
    ulid(lex_clock_wall_us(), id);
    request->request_id = lex_arena_printf(&file->arena, "req_%s", id);
    return lex_span_absent(request->request_id) ? lex_fail(err, LEX_LIMIT, "out of memory")
                                                : LEX_OK;
}

/* ---- reading ---- */

static enum lex_status begin(struct lex_request_file *file, size_t lines, struct lex_error *err)
{
    *file = (struct lex_request_file){.codec = NULL};
    lex_arena_init(&file->arena, ARENA_CHUNK_BYTES, ARENA_MAX_BYTES);
    LEX_TRY(lex_codec_new(NULL, &file->codec, err));
    file->lines = lex_arena_calloc(&file->arena, lines, sizeof *file->lines);
    return file->lines != NULL ? LEX_OK : lex_fail(err, LEX_LIMIT, "out of memory");
}

static enum lex_status add(struct lex_request_file *file, struct lex_span json, size_t line,
                           struct lex_error *err)
{
    enum lex_format format;
    enum lex_undecodable why;
    struct lex_request_line *row = &file->lines[file->count];
    struct lex_span kept = lex_arena_dup(&file->arena, json);
    if (lex_span_absent(kept))
        return lex_fail(err, LEX_LIMIT, "out of memory");
    LEX_TRY(lex_decode_request(file->codec, kept, &file->arena, &row->request, &format, &why, err));
    LEX_TRY(name_request(file, &row->request, err));
    row->line = line;
    file->count++;
    return LEX_OK;
}

LEX_STATUS lex_request_file_one(struct lex_span json, struct lex_request_file *ret_file,
                                struct lex_error *err)
{
    struct lex_request_file file;
    enum lex_status status = begin(&file, 1, err);
    if (status == LEX_OK)
        status = add(&file, json, 1, err);
    if (status == LEX_OK)
        *ret_file = file;
    else
        lex_request_file_fini(&file);
    return status;
}

static bool is_blank(struct lex_span line)
{
    for (size_t i = 0; i < line.len; i++)
        if (line.data[i] == '\0' || strchr(" \t\r", line.data[i]) == NULL)
            return false;
    return true;
}

static enum lex_status add_lines(struct lex_request_file *file, struct lex_span text,
                                 const char *path, struct lex_error *err)
{
    struct lex_error why;
    for (size_t line = 1; text.len > 0; line++) {
        const uint8_t *end = memchr(text.data, '\n', text.len);
        struct lex_span row =
            lex_span_of(text.data, end == NULL ? text.len : (size_t)(end - text.data));
        size_t used = row.len + (end != NULL);
        text = lex_span_of(text.data + used, text.len - used);
        if (is_blank(row))
            continue;
        if (file->count == LEX_REQUEST_FILE_MAX)
            return lex_fail(err, LEX_LIMIT, "%s:%zu: more than %d requests; split the file", path,
                            line, LEX_REQUEST_FILE_MAX);
        enum lex_status status = add(file, row, line, &why);
        if (status != LEX_OK)
            return lex_fail(err, status, "%s:%zu: %s", path, line, why.text);
    }
    if (file->count == 0)
        return lex_fail(err, LEX_REJECT, "%s: no request; expected one JSON object a line", path);
    return LEX_OK;
}

static enum lex_status read_all(const char *path, struct lex_buf *out, struct lex_error *err)
{
    char piece[16384];
    size_t got;
    bool standard = strcmp(path, "-") == 0;
    FILE *in = standard ? stdin : fopen(path, "rbe");
    if (in == NULL)
        return lex_fail(err, LEX_REJECT, "%s: %s", path, strerror(errno));
    while (lex_buf_ok(out) && (got = fread(piece, 1, sizeof piece, in)) > 0)
        lex_buf_put(out, piece, got);
    bool good = ferror(in) == 0;
    if (!standard)
        (void)fclose(in);
    if (!good)
        return lex_fail(err, LEX_REJECT, "%s: cannot be read", path);
    return lex_buf_ok(out) ? LEX_OK
                           : lex_fail(err, LEX_LIMIT, "%s: more than %d bytes; split the file",
                                      path, LEX_REQUEST_FILE_MAX_BYTES);
}

LEX_STATUS lex_request_file_load(const char *path, struct lex_request_file *ret_file,
                                 struct lex_error *err)
{
    struct lex_request_file file;
    LEX_CLEANUP(lex_buf_fini) struct lex_buf text;
    lex_buf_init(&text, LEX_REQUEST_FILE_MAX_BYTES);
    LEX_TRY(read_all(path, &text, err));
    enum lex_status status = begin(&file, LEX_REQUEST_FILE_MAX, err);
    if (status == LEX_OK)
        status =
            add_lines(&file, lex_buf_span(&text), strcmp(path, "-") == 0 ? "stdin" : path, err);
    if (status == LEX_OK)
        *ret_file = file;
    else
        lex_request_file_fini(&file);
    return status;
}

void lex_request_file_fini(struct lex_request_file *file)
{
    lex_codec_free(file->codec);
    lex_arena_fini(&file->arena);
}

/* ---- flags ---- */

/* The flags that are one text each, and the members they become. */
static const struct text_flag {
    const char *flag, *member;
    size_t offset;
} text_flags[] = {
#define TEXT_FLAG(flag, member, field)                          \
    {                                                           \
        flag, member, offsetof(struct lex_request_flags, field) \
    }
    TEXT_FLAG("request-id", "request_id", request_id),
    TEXT_FLAG("actor", "actor", actor),
    TEXT_FLAG("action", "proposed_action", action),
    TEXT_FLAG("tool", "tool", tool),
    TEXT_FLAG("user-intent", "user_intent", user_intent),
    TEXT_FLAG("resource", "resource", resource),
    TEXT_FLAG("output-type", "requested_output_type", output_type),
    TEXT_FLAG("mode", "policy_mode", mode),
    TEXT_FLAG("user-id", "user_id", user_id),
    TEXT_FLAG("nonce", "nonce", nonce),
#undef TEXT_FLAG
};

static const char *text_of(const struct lex_request_flags *flags, const struct text_flag *row)
{
    return *(const char *const *)(const void *)((const char *)flags + row->offset);
}

bool lex_request_flags_given(const struct lex_request_flags *flags)
{
    for (size_t i = 0; i < LEX_COUNT_OF(text_flags); i++)
        if (text_of(flags, &text_flags[i]) != NULL)
            return true;
    return flags->arguments != NULL || flags->deadline != NULL ||
           flags->risk != LEX_RISK_NOT_GIVEN || flags->want_token ||
           flags->data_classes.count != 0 || flags->context.count != 0;
}

static void put_name(struct lex_buf *out, const char *name)
{
    lex_buf_puts(out, out->len > 1 ? ",\"" : "\"");
    lex_buf_puts(out, name);
    lex_buf_puts(out, "\":");
}

static enum lex_status put_text(struct lex_buf *out, const char *flag, const char *text,
                                struct lex_error *err)
{
    if (!lex_utf8_valid(lex_span_str(text)))
        return lex_fail(err, LEX_REJECT, "--%s: not valid UTF-8", flag);
    lex_buf_put_json(out, lex_span_str(text));
    return LEX_OK;
}

/* A value that is JSON already, whole and by itself: nothing it holds can become a member beside
 * it.
 */
static enum lex_status put_json(struct lex_buf *out, const char *flag, const char *json,
                                struct lex_error *err)
{
    const struct lex_json *root;
    struct lex_error why;
    struct lex_arena arena;
    lex_arena_init(&arena, 64 << 10, JSON_ARENA_MAX_BYTES);
    enum lex_status status = lex_json_parse(&arena, lex_span_str(json), &root, &why);
    lex_arena_fini(&arena);
    if (status != LEX_OK)
        return lex_fail(err, LEX_REJECT, "--%s: expected JSON (a text needs its quotes): %s", flag,
                        why.text);
    lex_buf_puts(out, json);
    return LEX_OK;
}

static enum lex_status put_context(struct lex_buf *out, const struct lex_cli_list *list,
                                   struct lex_error *err)
{
    put_name(out, "context");
    for (size_t i = 0; i < list->count; i++) {
        const char *item = list->items[i], *equals = strchr(item, '=');
        if (equals == NULL)
            return lex_fail(
                err, LEX_REJECT,
                "--context: expected KEY=JSON, such as amount=12.5 or ticket='\"T-1\"', "
                "got '%.100s'",
                item);
        struct lex_span key = lex_span_of(item, (size_t)(equals - item));
        if (!lex_utf8_valid(key))
            return lex_fail(err, LEX_REJECT, "--context: not valid UTF-8");
        lex_buf_putc(out, i == 0 ? '{' : ',');
        lex_buf_put_json(out, key);
        lex_buf_putc(out, ':');
        LEX_TRY(put_json(out, "context", equals + 1, err));
    }
    lex_buf_putc(out, '}');
    return LEX_OK;
}

static enum lex_status put_classes(struct lex_buf *out, const struct lex_cli_list *list,
                                   struct lex_error *err)
{
    put_name(out, "data_classes");
    for (size_t i = 0; i < list->count; i++) {
        lex_buf_putc(out, i == 0 ? '[' : ',');
        LEX_TRY(put_text(out, "data-class", list->items[i], err));
    }
    lex_buf_putc(out, ']');
    return LEX_OK;
}

/* +30s, +5m, +2h from now, or an instant as it stands. */
static enum lex_status put_deadline(struct lex_buf *out, const char *text, int64_t now_us,
                                    struct lex_error *err)
{
    static const struct {
        const char *unit;
        int64_t seconds;
    } units[] = {{"s", 1}, {"m", 60}, {"h", 3600}};
    put_name(out, "deadline");
    if (text[0] != '+')
        return put_text(out, "deadline", text, err);
    char *end;
    errno = 0;
    long amount = strtol(text + 1, &end, 10);
    bool number = text[1] >= '0' && text[1] <= '9' && errno == 0 && amount <= 86400;
    for (size_t i = 0; number && i < LEX_COUNT_OF(units); i++) {
        if (strcmp(end, units[i].unit) != 0)
            continue;
        char instant[LEX_RFC3339_MAX];
        lex_rfc3339_micros(now_us + amount * units[i].seconds * INT64_C(1000000), instant);
        return put_text(out, "deadline", instant, err);
    }
    return lex_fail(err, LEX_REJECT,
                    "--deadline: expected +30s, +5m, +2h or an instant such as "
                    "2026-01-01T12:00:00Z, got '%.60s'",
                    text);
}

static enum lex_status put_lists(const struct lex_request_flags *flags, int64_t now_us,
                                 struct lex_buf *out, struct lex_error *err)
{
    if (flags->data_classes.count != 0)
        LEX_TRY(put_classes(out, &flags->data_classes, err));
    if (flags->context.count != 0)
        LEX_TRY(put_context(out, &flags->context, err));
    if (flags->arguments != NULL) {
        put_name(out, "arguments");
        LEX_TRY(put_json(out, "arguments", flags->arguments, err));
    }
    return flags->deadline == NULL ? LEX_OK : put_deadline(out, flags->deadline, now_us, err);
}

LEX_STATUS lex_request_flags_json(const struct lex_request_flags *flags, int64_t now_us,
                                  struct lex_buf *out, struct lex_error *err)
{
    lex_buf_clear(out);
    lex_buf_putc(out, '{');
    for (size_t i = 0; i < LEX_COUNT_OF(text_flags); i++) {
        const char *text = text_of(flags, &text_flags[i]);
        if (text == NULL)
            continue;
        put_name(out, text_flags[i].member);
        LEX_TRY(put_text(out, text_flags[i].flag, text, err));
    }
    LEX_TRY(put_lists(flags, now_us, out, err));
    if (flags->risk != LEX_RISK_NOT_GIVEN) {
        put_name(out, "risk_level");
        lex_buf_printf(out, "%lld", flags->risk);
    }
    if (flags->want_token) {
        put_name(out, "want_token");
        lex_buf_puts(out, "true");
    }
    lex_buf_putc(out, '}');
    return lex_buf_ok(out) ? LEX_OK : lex_fail(err, LEX_LIMIT, "the request is too large");
}
