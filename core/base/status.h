/* Status: what a failure asks of its caller.
 *
 * A status is a class, not a cause. The class is the caller's decision (try again, abort the
 * transaction, refuse the input, stop the partition); the cause is text for a person and lives in
 * struct lex_error. Keeping the two apart is what stops a new cause from falling through an old
 * switch, which is how a failure would turn into "allow". */
#ifndef LEX_BASE_STATUS_H
#define LEX_BASE_STATUS_H

#include <stdarg.h>
#include <stddef.h>

enum lex_status {
    LEX_OK = 0,
    LEX_RETRY,  /* transient: the same call again, with back-off */
    LEX_ABORT,  /* the transaction is lost: abort it, decide the held batch again */
    LEX_REJECT, /* the input is wrong: deny it, dead-letter it, or refuse to start with it */
    LEX_HALT,   /* fenced, corrupt or inconsistent: nothing more on this path without a person */
    LEX_LIMIT,  /* a named ceiling was reached, memory included */
};

/* Every function that can fail returns this, and nobody may drop it. */
#define LEX_STATUS __attribute__((warn_unused_result)) enum lex_status

const char *lex_status_name(enum lex_status status);

/* Return early with a failure's class. */
#define LEX_TRY(expr)                      \
    do {                                   \
        enum lex_status lex_try_ = (expr); \
        if (lex_try_ != LEX_OK)            \
            return lex_try_;               \
    } while (0)

enum { LEX_ERROR_TEXT_MAX = 1024 };

/* What went wrong, for a person: where, what was expected, what to do. Owned by the caller, filled
 * by whoever fails first; may be NULL wherever a function takes one. */
struct lex_error {
    char text[LEX_ERROR_TEXT_MAX];
};

/* Fill `err` (may be NULL) and return `status`, so that a guard is one line. Cut, never overrun. */
enum lex_status lex_fail(struct lex_error *err, enum lex_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Our own bugs only; stays on in release. Input never trips one. */
void lex_assert_failed(const char *file, int line, const char *expr) __attribute__((noreturn));
#define LEX_ASSERT(expr) ((expr) ? (void)0 : lex_assert_failed(__FILE__, __LINE__, #expr))

#define LEX_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define LEX_CLEANUP(fn) __attribute__((cleanup(fn)))

#endif
