/* Log: one line per event on stdout, JSON or text. Thread-safe; a line is written with one write().
 *
 * What a request says can never break a line or a terminal: every value is escaped. Keys, tokens
 * and payloads are never logged. Each call site is limited (LEX_LOG_PER_SECOND lines a second, the
 * next line counts what was dropped), so that a broken input cannot fill a disk. */
#ifndef LEX_BASE_LOG_H
#define LEX_BASE_LOG_H

#include "core/base/span.h"
#include "core/base/status.h"

enum lex_log_level {
    LEX_LOG_DEBUG,
    LEX_LOG_INFO,
    LEX_LOG_WARNING,
    LEX_LOG_ERROR,
    LEX_LOG_CRITICAL
};
enum lex_log_format { LEX_LOG_TEXT, LEX_LOG_JSON };
enum { LEX_LOG_PER_SECOND = 20 };

/* @thread main, before threads start; may be called again to change the level. fd is not owned */
void lex_log_init(enum lex_log_level level, enum lex_log_format format, int fd);
bool lex_log_enabled(enum lex_log_level level);

/* A typed field. Make them with the helpers below; a list ends with {0}. */
struct lex_log_field {
    const char *key; /* NULL ends the list */
    enum { LEX_LOG_I64, LEX_LOG_STR, LEX_LOG_BOOL, LEX_LOG_RAW } type;
    int64_t i64;
    struct lex_span text; /* RAW: JSON written as it is, ours only */
};
static inline struct lex_log_field lex_log_i64(const char *key, int64_t value)
{
    return (struct lex_log_field){.key = key, .type = LEX_LOG_I64, .i64 = value};
}
static inline struct lex_log_field lex_log_bool(const char *key, bool value)
{
    return (struct lex_log_field){.key = key, .type = LEX_LOG_BOOL, .i64 = value};
}
static inline struct lex_log_field lex_log_span(const char *key, struct lex_span text)
{
    return (struct lex_log_field){.key = key, .type = LEX_LOG_STR, .text = text};
}
static inline struct lex_log_field lex_log_str(const char *key, const char *text)
{
    return lex_log_span(key, lex_span_str(text));
}
static inline struct lex_log_field lex_log_raw(const char *key, struct lex_span json)
{
    return (struct lex_log_field){.key = key, .type = LEX_LOG_RAW, .text = json};
}

/* One per call site, static: the limiter's state. */
struct lex_log_site {
    _Atomic int64_t second;
    _Atomic uint32_t lines, dropped;
};

void lex_log_write(struct lex_log_site *site, enum lex_log_level level, const char *logger,
                   const char *message, const struct lex_log_field *fields);

/* LEX_LOG(LEX_LOG_INFO, "lexecon.worker", "Partition recovered", lex_log_i64("partition", 3)); */
#define LEX_LOG(level, logger, message, ...)                                              \
    do {                                                                                  \
        static struct lex_log_site lex_site_;                                             \
        if (lex_log_enabled(level))                                                       \
            lex_log_write(&lex_site_, level, logger, message,                             \
                          (const struct lex_log_field[]){__VA_ARGS__ __VA_OPT__(, ){0}}); \
    } while (0)

#endif
