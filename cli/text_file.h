/* Text file: a whole file of the command line in memory, with a ceiling and an error that says
 * which file. For documents that are read once; whatever is streamed (requests, ledgers) is not
 * read so. */
#ifndef LEX_CLI_TEXT_FILE_H
#define LEX_CLI_TEXT_FILE_H

#include "core/base/buf.h"

enum { LEX_TEXT_FILE_MAX_BYTES = 64 << 20 };

/* @param path "-" is standard input
 * @owns   *ret_text is the caller's: lex_buf_fini, also after a failure
 * @errors LEX_REJECT it cannot be opened or read; LEX_LIMIT over LEX_TEXT_FILE_MAX_BYTES */
LEX_STATUS lex_text_file_read(const char *path, struct lex_buf *ret_text, struct lex_error *err);

/* Whether the path can be read at all, as a file or a directory: "unreadable" is another exit
 * status than "invalid". */
bool lex_text_file_readable(const char *path);

#endif
