/* Request file: the requests that `submit` sends, from a JSONL file or from flags.
 *
 * Both ways end in the same strict reader that the service uses, so that what it would put into
 * the dead letters is told here, with its line, before anything is sent. A request without an id
 * gets one: a name that nobody else has, and that sorts by time. */
#ifndef LEX_CLI_REQUEST_FILE_H
#define LEX_CLI_REQUEST_FILE_H

#include <limits.h>

#include "cli/cli.h"
#include "core/base/buf.h"
#include "core/codec/codec.h"

enum {
    LEX_REQUEST_FILE_MAX = 10000, /* requests of one file */
    LEX_REQUEST_FILE_MAX_BYTES = 64 << 20,
};

struct lex_request_line {
    struct lex_request request;
    size_t line; /* in the file, from 1 */
};

struct lex_request_file {
    struct lex_arena arena;
    struct lex_codec *codec;
    struct lex_request_line *lines;
    size_t count;
};

/* @param path "-" is standard input
 * @errors LEX_REJECT err names file, line and what was expected; LEX_LIMIT too many, or too large
 */
LEX_STATUS lex_request_file_load(const char *path, struct lex_request_file *ret_file,
                                 struct lex_error *err);
/* One JSON object as one request. @errors LEX_REJECT */
LEX_STATUS lex_request_file_one(struct lex_span json, struct lex_request_file *ret_file,
                                struct lex_error *err);
void lex_request_file_fini(struct lex_request_file *file);

/* ---- one request from flags ---- */

#define LEX_RISK_NOT_GIVEN LLONG_MIN
struct lex_request_flags {
    const char *actor, *action, *tool, *resource, *mode, *user_intent, *arguments, *user_id;
    const char *request_id, *deadline, *nonce, *output_type;
    struct lex_cli_list data_classes, context;
    long long risk; /* LEX_RISK_NOT_GIVEN, so that 0 is told to be wrong by who decides */
    bool want_token;
};

/* Whether any of them was given. */
bool lex_request_flags_given(const struct lex_request_flags *flags);
/* The request as one JSON object.
 * @param now_us what a deadline of +30s counts from
 * @errors LEX_REJECT err names the flag and what was expected */
LEX_STATUS lex_request_flags_json(const struct lex_request_flags *flags, int64_t now_us,
                                  struct lex_buf *out, struct lex_error *err);

#endif
