/* Input: what several subcommands make of a file that text_file.h reads: a token, one request. */
#ifndef LEX_CLI_INPUT_H
#define LEX_CLI_INPUT_H

#include "cli/request_file.h"
#include "core/decision/decision.h"

/* Without blanks and line ends around it. */
struct lex_span lex_input_trim(struct lex_span text);

/* The one request of a file (a JSON object, on as many lines as it likes) and its fingerprint.
 * @owns ret_file is the caller's: lex_request_file_fini
 * @errors as lex_text_file_read; LEX_REJECT not one request */
LEX_STATUS lex_input_request(const char *path, struct lex_request_file *ret_file,
                             uint8_t ret_fingerprint[32], struct lex_error *err);

#endif
