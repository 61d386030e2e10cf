/* JCS: canonical JSON (RFC 8785), the one byte form of a JSON value, for everything that is hashed.
 *
 * No blanks, members sorted by UTF-16 code units, numbers as ECMAScript prints them, strings with
 * the fewest escapes. Two texts with the same value have the same form; that is what lets a hash
 * name a policy or a request whoever wrote it. Numbers are IEEE doubles here, so whoever must not
 * lose a digit refuses integers beyond 2^53 - 1 first (lex_jcs_inexact). */
#ifndef LEX_BASE_JCS_H
#define LEX_BASE_JCS_H

#include "core/base/buf.h"
#include "core/base/json.h"

/* Append the canonical form. A number that no double holds (1e999) fails the buffer. */
void lex_jcs_put(struct lex_buf *buf, const struct lex_json *node);

/* A string with its quotes. @pre valid UTF-8 */
void lex_jcs_put_string(struct lex_buf *buf, struct lex_span text);
/* ECMAScript Number::toString (RFC 8785 section 3.2.2.3). Not finite: fails the buffer. */
void lex_jcs_put_double(struct lex_buf *buf, double value);
void lex_jcs_put_int64(struct lex_buf *buf, int64_t value);

/* Writes one member's value; what lets a caller order the arrays inside. */
typedef void lex_jcs_member(struct lex_buf *buf, const struct lex_json *member, void *context);
/* An object: members sorted, each value by `put`. */
void lex_jcs_put_object(struct lex_buf *buf, const struct lex_json *object, lex_jcs_member *put,
                        void *context);

/* The order of member names: UTF-16 code units, compared on UTF-8. <0, 0, >0. @pre valid UTF-8 */
int lex_jcs_cmp(struct lex_span a, struct lex_span b);

/* The first number below `node` (itself included) that the canonical form would change: an integer
 * beyond 2^53 - 1 (RFC 7493 section 2.2) or one that no double holds. NULL when there is none. */
const struct lex_json *lex_jcs_inexact(const struct lex_json *node);

enum { LEX_JCS_DIGITS_MAX = 17 }; /* that always read back as the same double */
/* The shortest decimal digits that read back as `value`: its digits, without zeros at the end, and
 * the exponent n in 0.DIGITS x 10^n. Returns their number; 0 gives one digit "0" and n = 1.
 * @pre finite and not negative */
size_t lex_double_digits(double value, char ret_digits[LEX_JCS_DIGITS_MAX + 1], int *ret_exponent);

#endif
