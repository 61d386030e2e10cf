/* Record: one record's body, driven by its table. The shared inside of the codec's public
 * functions; nothing outside core/codec includes this. */
#ifndef LEX_CODEC_RECORD_H
#define LEX_CODEC_RECORD_H

#include "core/codec/cursor.h"

/* ---- encode: a bound first, then a writer that needs no checks ---- */

/* At least what the body takes; exact in the strings, generous in the numbers. */
size_t lex_record_bound(const struct lex_record_type *type, const void *record);
/* Write the body. @pre lex_record_bound() bytes are there
 * @return behind the last byte, NULL where the schema cannot hold a field */
uint8_t *lex_record_write(const struct lex_record_type *type, const void *record, uint8_t *out);
/* The same for the fields from `first` on: what follows the entry in a verdict. */
uint8_t *lex_record_write_from(const struct lex_record_type *type, uint32_t first,
                               const void *record, uint8_t *out);

/* ---- decode ---- */

/* Fill the struct from the cursor. @pre record has type->size bytes; partly written on failure
 * @errors LEX_REJECT the cursor says why; LEX_LIMIT the arena is full */
LEX_STATUS lex_record_decode(struct lex_cursor *cursor, const struct lex_record_type *type,
                             void *record);
LEX_STATUS lex_record_decode_from(struct lex_cursor *cursor, const struct lex_record_type *type,
                                  uint32_t first, void *record);
/* Turn the cursor's failure into a message that names record and field. */
enum lex_status lex_cursor_explain(const struct lex_cursor *cursor, enum lex_status status,
                                   const struct lex_record_type *type, struct lex_error *err);

/* Every list struct of the records has this shape. */
struct lex_any_list {
    const void *items;
    size_t count;
};

/* A field's place in its struct. */
static inline const void *lex_field_of(const void *record, const struct lex_field *field)
{
    return (const uint8_t *)record + field->offset;
}
static inline void *lex_field_in(void *record, const struct lex_field *field)
{
    return (uint8_t *)record + field->offset;
}

#endif
