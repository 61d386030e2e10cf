/* Value: the small shapes that generated record structs are made of. All of them borrow. */
#ifndef LEX_BASE_VALUE_H
#define LEX_BASE_VALUE_H

#include "core/base/span.h"

struct lex_span_list {
    const struct lex_span *items;
    size_t count;
};

/* An optional long (an Avro union of null and long). */
struct lex_opt_i64 {
    bool present;
    int64_t value;
};

/* One value of the request's context: Avro's union of null, boolean, long, double, string and array
 * of string, in the schema's order. */
enum lex_value_type {
    LEX_VALUE_NULL,
    LEX_VALUE_BOOL,
    LEX_VALUE_LONG,
    LEX_VALUE_DOUBLE,
    LEX_VALUE_STRING,
    LEX_VALUE_LIST,
};

struct lex_value {
    enum lex_value_type type;
    union {
        bool boolean;
        int64_t i64;
        double f64;
        struct lex_span text;
        struct lex_span_list list;
    };
};

struct lex_member {
    struct lex_span key;
    struct lex_value value;
};

struct lex_member_list {
    const struct lex_member *items;
    size_t count;
};

#endif
