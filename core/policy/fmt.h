/* Fmt: a policy document laid out for people, one way.
 *
 * Two spaces, keys in a fixed order, whatever fits on a line on one line: so that a change of a
 * policy is a change of few lines, and nobody argues about layout. Only blanks, escapes and the
 * order of members change; numbers keep their digits, and arrays their order. That the document
 * still means the same is not trusted but checked: both of its hashes' texts must come out equal.
 */
#ifndef LEX_POLICY_FMT_H
#define LEX_POLICY_FMT_H

#include "core/base/buf.h"

enum { LEX_FMT_COLUMNS = 100 };

/* @param source for messages
 * @param out    appended to: one document, or an array of them, and a newline. May be left with a
 *               part of it after a failure
 * @errors LEX_REJECT no JSON object, or the layout would change a hash; LEX_LIMIT memory */
LEX_STATUS lex_policy_format(struct lex_span text, const char *source, struct lex_buf *out,
                             struct lex_error *err);

#endif
