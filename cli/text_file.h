/* Text file: a whole file of the command line in memory, with a ceiling and an error that says
 * which file. For documents that are read once; whatever is streamed (requests, ledgers) is not
 * read so. */
#ifndef LEX_CLI_TEXT_FILE_H
#define LEX_CLI_TEXT_FILE_H

#include "core/base/buf.h"

enum { LEX_TEXT_FILE_MAX_BYTES = 64 << 20 };

/* @param path "-" is standard input
 * @param text initialised by the caller, who gives it its ceiling
 * @errors LEX_REJECT it cannot be opened or read: err names it; LEX_LIMIT over the ceiling */
LEX_STATUS lex_text_file_read(const char *path, struct lex_buf *text, struct lex_error *err);

/* Whether the path can be read at all, as a file or a directory: "unreadable" is another exit
 * status than "invalid". */
bool lex_text_file_readable(const char *path);

#endif
