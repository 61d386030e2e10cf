/* JSON writer: a record as a JSON object, driven by its table; the counterpart of json_reader.h. */
#ifndef LEX_CODEC_JSON_WRITER_H
#define LEX_CODEC_JSON_WRITER_H

#include "core/codec/record.h"
#include "core/codec/text_writer.h"

/* Most that the object takes. */
size_t lex_json_bound(const struct lex_record_type *type, const void *record);
/* Write the object; absent optional members are left out. A LEX_TEXT_JSON string is written as the
 * value that it holds, or as a string where it is no JSON after all.
 * @errors LEX_REJECT a LEX_TEXT_OBJECT string is no object */
LEX_STATUS lex_json_write(struct lex_text *out, const struct lex_record_type *type,
                          const void *record);
/* One member's value. */
LEX_STATUS lex_json_write_field(struct lex_text *out, const struct lex_field *field,
                                const void *record);

#endif
