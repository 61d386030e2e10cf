#include "core/codec/schema.h"

#include "core/base/json.h"

struct parser {
    struct lex_span text;
    struct lex_arena *arena;
    struct lex_error *err;
    const struct lex_schema *names[LEX_SCHEMA_NAMES_MAX];
    uint32_t name_count;
};

static const char *const type_names[] = {"null",   "boolean", "int",    "long",   "float",
                                         "double", "bytes",   "string", "record", "enum",
                                         "fixed",  "array",   "map",    "union"};

const char *lex_avro_type_name(enum lex_avro_type type)
{
    return (size_t)type < LEX_COUNT_OF(type_names) ? type_names[type] : "?";
}

struct lex_span lex_schema_short_name(struct lex_span full_name)
{
    size_t at = full_name.len;
    while (at > 0 && full_name.data[at - 1] != '.')
        at--;
    return lex_span_of(full_name.data + at, full_name.len - at);
}

static enum lex_status refuse(struct parser *p, const struct lex_json *node, const char *what)
{
    unsigned line, column;
    lex_json_where(p->text, node->at, &line, &column);
    return lex_fail(p->err, LEX_REJECT, "line %u column %u: %s", line, column, what);
}

static enum lex_status out_of_memory(struct parser *p)
{
    return lex_fail(p->err, LEX_LIMIT, "the schema needs more memory than schemas may have");
}

/* ---- names ---- */

static bool letter(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

static bool is_name(struct lex_span name, bool dots)
{
    bool start = true;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.data[i];
        if (c == '.' ? !dots || start : !(letter(c) || (!start && c >= '0' && c <= '9')))
            return false;
        start = c == '.';
    }
    return name.len != 0 && !start;
}

static bool has_dot(struct lex_span name)
{
    return name.len != 0 && memchr(name.data, '.', name.len) != NULL;
}

static struct lex_span space_of(struct lex_span full_name)
{
    size_t shorter = lex_schema_short_name(full_name).len;
    return lex_span_of(full_name.data, shorter == full_name.len ? 0 : full_name.len - shorter - 1);
}

static enum lex_status join(struct parser *p, struct lex_span space, struct lex_span name,
                            struct lex_span *ret)
{
    *ret = name;
    if (has_dot(name) || space.len == 0)
        return LEX_OK;
    *ret = lex_arena_printf(p->arena, "%.*s.%.*s", LEX_SPAN_FMT(space), LEX_SPAN_FMT(name));
    return lex_span_absent(*ret) ? out_of_memory(p) : LEX_OK;
}

static const struct lex_schema *find(const struct parser *p, struct lex_span full_name)
{
    for (uint32_t i = 0; i < p->name_count; i++)
        if (lex_span_eq(p->names[i]->name, full_name))
            return p->names[i];
    return NULL;
}

static enum lex_status define(struct parser *p, const struct lex_json *node, struct lex_span space,
                              struct lex_schema *schema)
{
    const struct lex_json *name = lex_json_get(node, "name");
    const struct lex_json *own = lex_json_get(node, "namespace");
    if (!lex_json_is(name, LEX_JSON_STRING) || !is_name(name->text, true))
        return refuse(p, node, "a record, an enum or a fixed needs a valid \"name\"");
    if (own != NULL &&
        (own->type != LEX_JSON_STRING || (own->text.len != 0 && !is_name(own->text, true))))
        return refuse(p, own, "a \"namespace\" is a dotted name");
    LEX_TRY(join(p, own != NULL ? own->text : space, name->text, &schema->name));
    if (find(p, schema->name) != NULL)
        return refuse(p, name, "this name is already defined");
    if (p->name_count == LEX_SCHEMA_NAMES_MAX)
        return refuse(p, name, "a schema has at most 1024 named types");
    schema->number = p->name_count;
    p->names[p->name_count++] = schema;
    return LEX_OK;
}

/* ---- types ---- */

static enum lex_status parse_type(struct parser *p, const struct lex_json *node,
                                  struct lex_span space, const struct lex_schema **ret);

static enum lex_status parse_reference(struct parser *p, const struct lex_json *node,
                                       struct lex_span space, const struct lex_schema **ret)
{
    static const struct lex_schema primitives[] = {
        {.type = LEX_AVRO_NULL, .min_bytes = 0},  {.type = LEX_AVRO_BOOLEAN, .min_bytes = 1},
        {.type = LEX_AVRO_INT, .min_bytes = 1},   {.type = LEX_AVRO_LONG, .min_bytes = 1},
        {.type = LEX_AVRO_FLOAT, .min_bytes = 4}, {.type = LEX_AVRO_DOUBLE, .min_bytes = 8},
        {.type = LEX_AVRO_BYTES, .min_bytes = 1}, {.type = LEX_AVRO_STRING, .min_bytes = 1},
    };
    struct lex_span full;
    for (size_t i = 0; i < LEX_COUNT_OF(primitives); i++) {
        if (!lex_span_eq(node->text, lex_span_str(type_names[i])))
            continue;
        *ret = &primitives[i];
        return LEX_OK;
    }
    LEX_TRY(join(p, space, node->text, &full));
    *ret = find(p, full);
    return *ret != NULL ? LEX_OK : refuse(p, node, "no type of this name is defined before here");
}

static enum lex_status parse_field(struct parser *p, const struct lex_json *node,
                                   struct lex_span space, const struct lex_schema_field *before,
                                   size_t count, struct lex_schema_field *ret)
{
    const struct lex_json *name = lex_json_get(node, "name"), *type = lex_json_get(node, "type");
    if (!lex_json_is(name, LEX_JSON_STRING) || !is_name(name->text, false))
        return refuse(p, node, "a field needs a valid \"name\"");
    if (type == NULL)
        return refuse(p, node, "a field needs a \"type\"");
    for (size_t i = 0; i < count; i++)
        if (lex_span_eq(before[i].name, name->text))
            return refuse(p, name, "a field of this name stands before it");
    ret->name = name->text;
    return parse_type(p, type, space, &ret->type);
}

static enum lex_status parse_record(struct parser *p, const struct lex_json *node,
                                    struct lex_schema *schema)
{
    const struct lex_json *list = lex_json_get(node, "fields");
    if (!lex_json_is(list, LEX_JSON_ARRAY))
        return refuse(p, node, "a record needs \"fields\", an array");
    struct lex_schema_field *fields = lex_arena_calloc(p->arena, list->count + 1, sizeof *fields);
    if (fields == NULL)
        return out_of_memory(p);
    uint64_t min_bytes = 0;
    for (const struct lex_json *at = list->child; at != NULL; at = at->next) {
        struct lex_schema_field *field = &fields[schema->count];
        LEX_TRY(parse_field(p, at, space_of(schema->name), fields, schema->count, field));
        min_bytes += field->type->min_bytes;
        schema->count++;
    }
    schema->fields = fields;
    schema->min_bytes = min_bytes < UINT32_MAX ? (uint32_t)min_bytes : UINT32_MAX;
    return LEX_OK;
}

static enum lex_status parse_enum(struct parser *p, const struct lex_json *node,
                                  struct lex_schema *schema)
{
    const struct lex_json *list = lex_json_get(node, "symbols");
    if (!lex_json_is(list, LEX_JSON_ARRAY) || list->count == 0)
        return refuse(p, node, "an enum needs \"symbols\", an array that is not empty");
    struct lex_span *symbols = lex_arena_calloc(p->arena, list->count, sizeof *symbols);
    if (symbols == NULL)
        return out_of_memory(p);
    for (const struct lex_json *at = list->child; at != NULL; at = at->next) {
        if (at->type != LEX_JSON_STRING || !is_name(at->text, false))
            return refuse(p, at, "a symbol is a name");
        for (uint32_t i = 0; i < schema->count; i++)
            if (lex_span_eq(symbols[i], at->text))
                return refuse(p, at, "this symbol stands twice");
        symbols[schema->count++] = at->text;
    }
    schema->symbols = symbols;
    schema->min_bytes = 1;
    return LEX_OK;
}

static enum lex_status parse_fixed(struct parser *p, const struct lex_json *node,
                                   struct lex_schema *schema)
{
    const struct lex_json *size = lex_json_get(node, "size");
    int64_t bytes = -1;
    if (!lex_json_is(size, LEX_JSON_NUMBER) || lex_json_int64(size->text, &bytes) != LEX_OK ||
        bytes < 0 || bytes > INT32_MAX)
        return refuse(p, node, "a fixed needs \"size\", a number of bytes");
    schema->size = schema->min_bytes = (uint32_t)bytes;
    return LEX_OK;
}

static enum lex_status parse_items(struct parser *p, const struct lex_json *node,
                                   struct lex_span space, struct lex_schema *schema)
{
    bool map = schema->type == LEX_AVRO_MAP;
    const struct lex_json *items = lex_json_get(node, map ? "values" : "items");
    if (items == NULL)
        return refuse(p, node, map ? "a map needs \"values\"" : "an array needs \"items\"");
    schema->min_bytes = 1;
    return parse_type(p, items, space, &schema->items);
}

static bool same_branch(const struct lex_schema *a, const struct lex_schema *b)
{
    return a->type == b->type && lex_span_eq(a->name, b->name);
}

static enum lex_status parse_union(struct parser *p, const struct lex_json *node,
                                   struct lex_span space, struct lex_schema *schema)
{
    const struct lex_schema **branches =
        lex_arena_calloc(p->arena, node->count, sizeof(const struct lex_schema *));
    if (branches == NULL)
        return out_of_memory(p);
    if (node->count == 0)
        return refuse(p, node, "a union needs a branch");
    for (const struct lex_json *at = node->child; at != NULL; at = at->next) {
        if (at->type == LEX_JSON_ARRAY)
            return refuse(p, at, "a union may not contain a union");
        LEX_TRY(parse_type(p, at, space, &branches[schema->count]));
        for (uint32_t i = 0; i < schema->count; i++)
            if (same_branch(branches[i], branches[schema->count]))
                return refuse(p, at, "a union may not contain a type twice");
        schema->count++;
    }
    schema->type = LEX_AVRO_UNION;
    schema->branches = branches;
    schema->min_bytes = 1;
    return LEX_OK;
}

/* {"type": "...", ...} of a type that is not a primitive. */
static enum lex_status parse_complex(struct parser *p, const struct lex_json *node,
                                     enum lex_avro_type type, struct lex_span space,
                                     struct lex_schema *schema)
{
    schema->type = type;
    if (type == LEX_AVRO_ARRAY || type == LEX_AVRO_MAP)
        return parse_items(p, node, space, schema);
    LEX_TRY(define(p, node, space, schema));
    if (type == LEX_AVRO_ENUM)
        return parse_enum(p, node, schema);
    return type == LEX_AVRO_FIXED ? parse_fixed(p, node, schema) : parse_record(p, node, schema);
}

static enum lex_status parse_object(struct parser *p, const struct lex_json *node,
                                    struct lex_span space, struct lex_schema *schema,
                                    const struct lex_schema **ret)
{
    const struct lex_json *type = lex_json_get(node, "type");
    if (type == NULL)
        return refuse(p, node, "a schema object needs \"type\"");
    for (int i = LEX_AVRO_RECORD; i <= LEX_AVRO_MAP; i++) {
        if (type->type != LEX_JSON_STRING || !lex_span_eq(type->text, lex_span_str(type_names[i])))
            continue;
        *ret = schema;
        return parse_complex(p, node, (enum lex_avro_type)i, space, schema);
    }
    return parse_type(p, type, space, ret);
}

static enum lex_status parse_type(struct parser *p, const struct lex_json *node,
                                  struct lex_span space, const struct lex_schema **ret)
{
    if (node->type == LEX_JSON_STRING)
        return parse_reference(p, node, space, ret);
    if (node->type != LEX_JSON_OBJECT && node->type != LEX_JSON_ARRAY)
        return refuse(p, node, "a schema is a name, an object or an array");
    struct lex_schema *schema = lex_arena_calloc(p->arena, 1, sizeof *schema);
    if (schema == NULL)
        return out_of_memory(p);
    if (node->type == LEX_JSON_OBJECT)
        return parse_object(p, node, space, schema, ret);
    *ret = schema;
    return parse_union(p, node, space, schema);
}

LEX_STATUS lex_schema_parse(struct lex_span text, struct lex_arena *arena,
                            const struct lex_schema **ret_schema, struct lex_error *err)
{
    const struct lex_json *root = NULL;
    const struct lex_schema *schema = NULL;
    if (text.len > LEX_SCHEMA_TEXT_MAX_BYTES)
        return lex_fail(err, LEX_LIMIT, "a schema has at most %d bytes, this one has %zu",
                        LEX_SCHEMA_TEXT_MAX_BYTES, text.len);
    LEX_TRY(lex_json_parse(arena, text, &root, err));
    struct parser *p = lex_arena_calloc(arena, 1, sizeof *p);
    if (p == NULL)
        return lex_fail(err, LEX_LIMIT, "the schema needs more memory than schemas may have");
    p->text = text;
    p->arena = arena;
    p->err = err;
    LEX_TRY(parse_type(p, root, (struct lex_span){NULL, 0}, &schema));
    *ret_schema = schema;
    return LEX_OK;
}

/* ---- canonical form and fingerprint ---- */

struct printer {
    struct lex_buf *out;
    bool defined[LEX_SCHEMA_NAMES_MAX];
};

static void put_name(struct printer *p, struct lex_span name)
{
    lex_buf_putc(p->out, '"');
    lex_buf_put_span(p->out, name);
    lex_buf_putc(p->out, '"');
}

static void put_type(struct printer *p, const struct lex_schema *schema);

static void put_fields(struct printer *p, const struct lex_schema *schema)
{
    lex_buf_puts(p->out, ",\"fields\":[");
    for (uint32_t i = 0; i < schema->count; i++) {
        lex_buf_puts(p->out, i == 0 ? "{\"name\":" : ",{\"name\":");
        put_name(p, schema->fields[i].name);
        lex_buf_puts(p->out, ",\"type\":");
        put_type(p, schema->fields[i].type);
        lex_buf_putc(p->out, '}');
    }
    lex_buf_putc(p->out, ']');
}

static void put_symbols(struct printer *p, const struct lex_schema *schema)
{
    lex_buf_puts(p->out, ",\"symbols\":[");
    for (uint32_t i = 0; i < schema->count; i++) {
        if (i != 0)
            lex_buf_putc(p->out, ',');
        put_name(p, schema->symbols[i]);
    }
    lex_buf_putc(p->out, ']');
}

/* A named type is spelled out once and named afterwards. */
static void put_named(struct printer *p, const struct lex_schema *schema)
{
    if (p->defined[schema->number]) {
        put_name(p, schema->name);
        return;
    }
    p->defined[schema->number] = true;
    lex_buf_puts(p->out, "{\"name\":");
    put_name(p, schema->name);
    lex_buf_printf(p->out, ",\"type\":\"%s\"", type_names[schema->type]);
    if (schema->type == LEX_AVRO_RECORD)
        put_fields(p, schema);
    else if (schema->type == LEX_AVRO_ENUM)
        put_symbols(p, schema);
    else
        lex_buf_printf(p->out, ",\"size\":%u", schema->size);
    lex_buf_putc(p->out, '}');
}

static void put_union(struct printer *p, const struct lex_schema *schema)
{
    lex_buf_putc(p->out, '[');
    for (uint32_t i = 0; i < schema->count; i++) {
        if (i != 0)
            lex_buf_putc(p->out, ',');
        put_type(p, schema->branches[i]);
    }
    lex_buf_putc(p->out, ']');
}

static void put_type(struct printer *p, const struct lex_schema *schema)
{
    switch (schema->type) {
    case LEX_AVRO_RECORD:
    case LEX_AVRO_ENUM:
    case LEX_AVRO_FIXED: put_named(p, schema); break;
    case LEX_AVRO_UNION: put_union(p, schema); break;
    case LEX_AVRO_ARRAY:
    case LEX_AVRO_MAP:
        lex_buf_puts(p->out, schema->type == LEX_AVRO_ARRAY ? "{\"type\":\"array\",\"items\":"
                                                            : "{\"type\":\"map\",\"values\":");
        put_type(p, schema->items);
        lex_buf_putc(p->out, '}');
        break;
    default: lex_buf_printf(p->out, "\"%s\"", type_names[schema->type]);
    }
}

void lex_schema_canonical(const struct lex_schema *schema, struct lex_buf *out)
{
    struct printer p = {.out = out};
    put_type(&p, schema);
}

uint64_t lex_crc64_avro(struct lex_span bytes)
{
    const uint64_t empty = 0xc15d213aa4d7a795u;
    uint64_t crc = empty;
    for (size_t i = 0; i < bytes.len; i++) {
        uint64_t step = (crc ^ bytes.data[i]) & 0xff;
        for (int bit = 0; bit < 8; bit++)
            step = step >> 1 ^ (empty & (0 - (step & 1)));
        crc = crc >> 8 ^ step;
    }
    return crc;
}

LEX_STATUS lex_schema_fingerprint(const struct lex_schema *schema, uint64_t *ret_fingerprint)
{
    struct lex_buf buf;
    lex_buf_init(&buf, 4 * LEX_SCHEMA_TEXT_MAX_BYTES);
    lex_schema_canonical(schema, &buf);
    enum lex_status status = lex_buf_ok(&buf) ? LEX_OK : LEX_LIMIT;
    if (status == LEX_OK)
        *ret_fingerprint = lex_crc64_avro(lex_buf_span(&buf));
    lex_buf_fini(&buf);
    return status;
}
