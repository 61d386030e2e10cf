/* Schema: a writer's Avro schema, read at run time.
 *
 * Only what decides about bytes is kept: types, names, fields, symbols, sizes. Defaults and aliases
 * belong to the reader, and the reader is a generated table (schemas/tables.h). Sources: Avro 1.11
 * specification, "Schema Declaration", "Names", "Parsing Canonical Form for Schemas", "Schema
 * Fingerprints". avro-c's parser is not used: what a file in schema_dir says decides how untrusted
 * bytes are read, so that one parser with named ceilings stands between them. */
#ifndef LEX_CODEC_SCHEMA_H
#define LEX_CODEC_SCHEMA_H

#include "core/base/arena.h"
#include "core/base/buf.h"

enum lex_avro_type {
    LEX_AVRO_NULL,
    LEX_AVRO_BOOLEAN,
    LEX_AVRO_INT,
    LEX_AVRO_LONG,
    LEX_AVRO_FLOAT,
    LEX_AVRO_DOUBLE,
    LEX_AVRO_BYTES,
    LEX_AVRO_STRING,
    LEX_AVRO_RECORD,
    LEX_AVRO_ENUM,
    LEX_AVRO_FIXED,
    LEX_AVRO_ARRAY,
    LEX_AVRO_MAP,
    LEX_AVRO_UNION,
};

enum {
    LEX_SCHEMA_TEXT_MAX_BYTES = 256 * 1024,
    LEX_SCHEMA_NAMES_MAX = 1024, /* named types in one schema */
};

struct lex_schema;
struct lex_schema_field {
    struct lex_span name;
    const struct lex_schema *type;
};

struct lex_schema {
    enum lex_avro_type type;
    uint32_t count;       /* fields, symbols or branches */
    uint32_t number;      /* of a named type, in order of definition */
    uint32_t size;        /* of a fixed */
    uint32_t min_bytes;   /* least that any encoding takes */
    struct lex_span name; /* full name of a named type */
    const struct lex_schema_field *fields;
    const struct lex_span *symbols;
    const struct lex_schema *const *branches;
    const struct lex_schema *items; /* of an array, or a map's values */
};

/* The name without its namespace. */
struct lex_span lex_schema_short_name(struct lex_span full_name);
const char *lex_avro_type_name(enum lex_avro_type type); /* "null", "record", ... */

/* Parse one self-contained schema. The result and `text`'s strings live in the arena and the text.
 * @errors LEX_REJECT err says where and what; LEX_LIMIT a ceiling or the arena */
LEX_STATUS lex_schema_parse(struct lex_span text, struct lex_arena *arena,
                            const struct lex_schema **ret_schema, struct lex_error *err);

/* Append the parsing canonical form. */
void lex_schema_canonical(const struct lex_schema *schema, struct lex_buf *out);
/* CRC-64-AVRO of any bytes; of the canonical form it is the schema's fingerprint. */
uint64_t lex_crc64_avro(struct lex_span bytes);
/* @errors LEX_LIMIT memory */
LEX_STATUS lex_schema_fingerprint(const struct lex_schema *schema, uint64_t *ret_fingerprint);

#endif
