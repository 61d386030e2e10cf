#include "core/base/log.h"

#include <errno.h>
#include <stdatomic.h>
#include <unistd.h>

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/metrics.h"
#include "core/base/text.h"

/* A line is at most this long: a request's strings have ceilings far below it. What does not fit is
 * cut by leaving whole fields out, never in the middle of one. */
enum { LINE_MAX_BYTES = 16 << 10 };

static struct {
    _Atomic int level, format, fd;
} state = {LEX_LOG_INFO, LEX_LOG_JSON, STDOUT_FILENO};

static const char *const level_names[] = {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"};

void lex_log_init(enum lex_log_level level, enum lex_log_format format, int fd)
{
    atomic_store(&state.level, (int)level);
    atomic_store(&state.format, (int)format);
    atomic_store(&state.fd, fd);
}

bool lex_log_enabled(enum lex_log_level level)
{
    return (int)level >= atomic_load_explicit(&state.level, memory_order_relaxed);
}

/* Whether this site may write now. A new second hands over the count of what was dropped in the one
 * before. Two threads that meet at the turn may let one line more through: a limit, not an account.
 */
static bool admit(struct lex_log_site *site, int64_t second, uint32_t *ret_dropped)
{
    *ret_dropped = 0;
    int64_t last = atomic_load(&site->second);
    if (last != second && atomic_compare_exchange_strong(&site->second, &last, second)) {
        atomic_store(&site->lines, 0);
        *ret_dropped = atomic_exchange(&site->dropped, 0);
    }
    if (atomic_fetch_add(&site->lines, 1) < LEX_LOG_PER_SECOND)
        return true;
    atomic_fetch_add(&site->dropped, 1);
    lex_metric_add(LEX_METRIC_LOG_LINES_DROPPED, 1);
    return false;
}

static void put_value(struct lex_buf *line, const struct lex_log_field *field)
{
    switch (field->type) {
    case LEX_LOG_I64: lex_buf_printf(line, "%lld", (long long)field->i64); return;
    case LEX_LOG_BOOL: lex_buf_puts(line, field->i64 != 0 ? "true" : "false"); return;
    case LEX_LOG_RAW: lex_buf_put_span(line, field->text); return;
    case LEX_LOG_STR:
        if (lex_span_absent(field->text))
            lex_buf_puts(line, "null");
        else
            lex_buf_put_json(line, field->text);
    }
}

/* One field, or nothing of it where the line has no room. */
static void put_field(struct lex_buf *line, enum lex_log_format format,
                      const struct lex_log_field *field)
{
    size_t before = line->len;
    if (format == LEX_LOG_JSON)
        lex_buf_printf(line, ",\"%s\":", field->key);
    else
        lex_buf_printf(line, " %s=", field->key);
    put_value(line, field);
    if (!lex_buf_ok(line)) {
        line->len = before;
        line->failed = false;
    }
}

static void put_head(struct lex_buf *line, enum lex_log_format format, enum lex_log_level level,
                     const char *logger, const char *message)
{
    char now[LEX_RFC3339_MAX];
    lex_rfc3339_millis(lex_clock_wall_us(), now);
    if (format == LEX_LOG_TEXT) {
        lex_buf_printf(line, "%s %-8s %s: %s", now, level_names[level], logger, message);
        return;
    }
    lex_buf_printf(line,
                   "{\"timestamp\":\"%s\",\"level\":\"%s\",\"logger\":\"%s\",\"message\":", now,
                   level_names[level], logger);
    lex_buf_put_json(line, lex_span_str(message));
}

/* One write for the whole line, so that lines of several threads do not mix. A full pipe is waited
 * for by the kernel; any other failure of the log has nowhere to be told. */
static void put_out(struct lex_span line)
{
    int fd = atomic_load_explicit(&state.fd, memory_order_relaxed);
    while (line.len > 0) {
        ssize_t n = write(fd, line.data, line.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        line = lex_span_of(line.data + n, line.len - (size_t)n);
    }
}

void lex_log_write(struct lex_log_site *site, enum lex_log_level level, const char *logger,
                   const char *message, const struct lex_log_field *fields)
{
    uint32_t dropped;
    if (!admit(site, lex_clock_mono_us() / 1000000, &dropped))
        return;
    enum lex_log_format format = (enum lex_log_format)atomic_load(&state.format);
    LEX_CLEANUP(lex_buf_fini) struct lex_buf line;
    lex_buf_init(&line, LINE_MAX_BYTES);
    put_head(&line, format, level, logger, message);
    for (; fields->key != NULL; fields++)
        put_field(&line, format, fields);
    if (dropped > 0) {
        struct lex_log_field field = lex_log_i64("dropped_lines", dropped);
        put_field(&line, format, &field);
    }
    line.max += 2; /* the end always fits */
    lex_buf_puts(&line, format == LEX_LOG_JSON ? "}\n" : "\n");
    put_out(lex_buf_span(&line));
}
