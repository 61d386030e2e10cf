/* Tables: what the generator says about a record, for the codec that is driven by it.
 *
 * generate.py writes one struct per .avsc record (schemas/records.h) and one table per record
 * (records.c): where each field stands in the struct, how Avro encodes it, what JSON shows. A codec
 * written by hand per record would have to be changed in five places for each new field, and the
 * place that is forgotten is found by an auditor; with tables there is one place, the .avsc. */
#ifndef LEX_SCHEMAS_TABLES_H
#define LEX_SCHEMAS_TABLES_H

#include "core/base/value.h"

/* How a field is stored in the struct and encoded in Avro. OPT_: a union of null and the type. */
enum lex_field_kind {
    LEX_FIELD_BOOL,        /* bool */
    LEX_FIELD_INT,         /* int32_t */
    LEX_FIELD_LONG,        /* int64_t */
    LEX_FIELD_OPT_LONG,    /* struct lex_opt_i64 */
    LEX_FIELD_STRING,      /* struct lex_span */
    LEX_FIELD_OPT_STRING,  /* struct lex_span, absent for null */
    LEX_FIELD_FIXED,       /* struct lex_span of exactly `size` bytes */
    LEX_FIELD_OPT_FIXED,   /* the same, absent for null */
    LEX_FIELD_ENUM,        /* an enum, an int in memory */
    LEX_FIELD_RECORD,      /* a nested struct */
    LEX_FIELD_STRING_LIST, /* struct lex_span_list */
    LEX_FIELD_FIXED_LIST,  /* struct lex_span_list, each of `size` bytes */
    LEX_FIELD_RECORD_LIST, /* { const struct X *items; size_t count; } */
    LEX_FIELD_VALUE_MAP,   /* struct lex_member_list */
};

/* How JSON shows a field that is no plain JSON value. */
enum lex_field_text {
    LEX_TEXT_PLAIN,
    LEX_TEXT_MICROS, /* a long: RFC 3339 with six digits */
    LEX_TEXT_MILLIS, /* a long: RFC 3339 with three digits */
    LEX_TEXT_JSON,   /* a string that holds JSON text: shown as the value that it is */
    LEX_TEXT_OBJECT, /* the same, and it must be an object */
    LEX_TEXT_HEX,    /* a fixed: lower-case hexadecimal; others are base64 */
};

struct lex_enum_type {
    struct lex_span name; /* without namespace */
    const struct lex_span *symbols;
    uint32_t count;
    int32_t fallback; /* the schema's enum default, -1 for none */
};

struct lex_record_type;

struct lex_field {
    struct lex_span name;
    const struct lex_span *aliases;
    uint32_t alias_count;
    uint8_t kind;          /* enum lex_field_kind */
    uint8_t text;          /* enum lex_field_text */
    bool required;         /* the schema gives no default */
    uint16_t offset;       /* in the record's struct */
    uint32_t size;         /* bytes of a fixed */
    uint32_t max_items;    /* ceiling of an array or a map */
    struct lex_span fixed; /* the fixed type's name, without namespace */
    const struct lex_enum_type *symbols;
    const struct lex_record_type *record;
};

struct lex_record_type {
    struct lex_span name; /* without namespace */
    const struct lex_span *aliases;
    uint32_t alias_count;
    const struct lex_field *fields;
    uint32_t field_count;
    uint32_t size; /* of the struct */
    uint32_t
        scalar_bytes;     /* most that the encoding takes beside the content of strings and lists */
    uint32_t min_bytes;   /* least that any encoding takes: bounds an array's count */
    const void *defaults; /* the struct with every default filled, required fields absent */
    struct lex_span schema;    /* self-contained JSON; absent for nested types */
    struct lex_span canonical; /* parsing canonical form */
    uint8_t frame[10];         /* C3 01 and the CRC-64-AVRO fingerprint, little-endian */
};

/* The larger of all structs: what a decoder needs to fill one before it shows it to anybody. */
#define LEX_RECORD_STRUCT_MAX_BYTES 2048

extern const struct lex_record_type lex_type_request, lex_type_ledger_entry, lex_type_verdict;

/* Every schema that was ever published, oldest first: what a writer may still speak. */
extern const struct lex_span lex_published_schemas[];
extern const uint32_t lex_published_schemas_count;

#endif
