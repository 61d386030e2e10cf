#include "core/base/status.h"

#include <stdio.h>
#include <stdlib.h>

const char *lex_status_name(enum lex_status status)
{
    static const char *const names[] = {"ok", "retry", "abort", "reject", "halt", "limit"};
    return (size_t)status < LEX_COUNT_OF(names) ? names[status] : "?";
}

enum lex_status lex_fail(struct lex_error *err, enum lex_status status, const char *format, ...)
{
    if (err != NULL) {
        va_list args;
        va_start(args, format);
        (void)vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
    }
    return status;
}

void lex_assert_failed(const char *file, int line, const char *expr)
{
    (void)fprintf(stderr, "lexecon: internal error: %s:%d: %s\n", file, line, expr);
    abort();
}
