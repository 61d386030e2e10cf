/* JSON reader: a JSON object into a record's struct, in one pass, driven by the record's table.
 *
 * Strict on purpose: a member that stands twice, that nobody knows or that has another type is an
 * error with its place, never a guess; two parsers that guess differently about one request are how
 * a gateway allows what a policy denied. Members whose name begins with "x_" are skipped, but they
 * are still checked to be JSON. */
#ifndef LEX_CODEC_JSON_READER_H
#define LEX_CODEC_JSON_READER_H

#include "core/base/json.h"
#include "core/codec/record.h"

/* Defaults are filled; required members that are missing are left absent. Forms: an instant is an
 * RFC 3339 string, LEX_TEXT_OBJECT is an object whose source text is kept, a fixed is base64 or
 * hexadecimal, null for a member with a default is its absence. Strings borrow from text or arena.
 * @pre    the type has no nested records or enums, and at most 64 fields
 * @errors LEX_REJECT *ret_why and err (line, column, member, what was expected); LEX_LIMIT arena
 * @post   record may be partly written on failure */
LEX_STATUS lex_json_read(const struct lex_record_type *type, struct lex_span text,
                         struct lex_arena *arena, void *record, enum lex_undecodable *ret_why,
                         struct lex_error *err);

#endif
