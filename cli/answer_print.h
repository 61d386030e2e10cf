/* Answer print: what `submit` shows of its answers: a table for people, a JSON object a line for
 * programs. Both say "denied" wherever nothing was proven, since a reader may look at one word. */
#ifndef LEX_CLI_ANSWER_PRINT_H
#define LEX_CLI_ANSWER_PRINT_H

#include <stdio.h>

#include "core/base/buf.h"
#include "producer/client.h"

/* @param requests  as many as answers, in the same order
 * @param colour    escape sequences for a terminal
 * @errors LEX_LIMIT out of memory */
LEX_STATUS lex_answer_table(const struct lex_request *const *requests,
                            const struct lex_answer *answers, size_t count, bool colour, FILE *out);
/* One line. */
void lex_answer_json(const struct lex_request *request, const struct lex_answer *answer,
                     struct lex_buf *out);

#endif
