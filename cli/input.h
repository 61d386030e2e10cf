/* Input: what several subcommands read whole: a token, a document, one request. */
#ifndef LEX_CLI_INPUT_H
#define LEX_CLI_INPUT_H

#include "cli/request_file.h"
#include "core/decision/decision.h"

/* @param path "-" is standard input
 * @param out  initialised by the caller; its ceiling is the file's
 * @errors LEX_REJECT err names the file; LEX_LIMIT it is over the ceiling */
LEX_STATUS lex_input_read(const char *path, struct lex_buf *out, struct lex_error *err);
/* Without blanks and line ends around it. */
struct lex_span lex_input_trim(struct lex_span text);

/* The one request of a file (a JSON object, on as many lines as it likes) and its fingerprint.
 * @owns ret_file is the caller's: lex_request_file_fini
 * @errors as lex_input_read; LEX_REJECT not one request */
LEX_STATUS lex_input_request(const char *path, struct lex_request_file *ret_file,
                             uint8_t ret_fingerprint[32], struct lex_error *err);

#endif
