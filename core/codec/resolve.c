#include "core/codec/resolve.h"

#include "core/codec/record.h"

/* A step reads one value of the writer into `at`, the place of the field, the item or the value. */
struct step;
typedef enum lex_status run_fn(struct lex_cursor *cursor, const struct step *step, void *at);

struct step {
    run_fn *run;
    const struct lex_schema *writer;
    const struct lex_record_type *record; /* of a record: what it becomes */
    const struct step *steps;             /* of a record, a union, a list, a map */
    struct lex_span field;                /* the writer's name of it, for messages */
    const int32_t *symbols;               /* of an enum: the writer's number -> ours, -1 */
    const char *problem;                  /* of a branch that does not resolve */
    uint32_t offset;                      /* in the record */
    uint32_t max_items, item_bytes;       /* of a list or a map */
};

struct lex_plan {
    struct step root;
};

/* ---- skipping what we do not want ---- */

static enum lex_status skip(struct lex_cursor *cursor, const struct lex_schema *schema,
                            unsigned depth);

static enum lex_status skip_items(struct lex_cursor *cursor, const struct lex_schema *schema,
                                  unsigned depth)
{
    bool map = schema->type == LEX_AVRO_MAP;
    size_t min_bytes = schema->items->min_bytes + (size_t)map;
    struct lex_block block;
    struct lex_span key;
    for (;;) {
        LEX_TRY(lex_cursor_block(cursor, min_bytes, &block));
        if (block.count == 0)
            return LEX_OK;
        for (size_t i = 0; i < block.count; i++) {
            if (map)
                LEX_TRY(lex_cursor_bytes(cursor, &key));
            LEX_TRY(skip(cursor, schema->items, depth));
        }
        LEX_TRY(lex_cursor_block_end(cursor, &block));
    }
}

static enum lex_status read_branch(struct lex_cursor *cursor, const struct lex_schema *schema,
                                   uint32_t *ret)
{
    int64_t branch = 0;
    LEX_TRY(lex_cursor_long(cursor, &branch));
    if (branch < 0 || branch >= schema->count)
        return lex_cursor_fail(cursor, LEX_UNDECODABLE_MALFORMED_AVRO,
                               "a union names a branch that it does not have");
    *ret = (uint32_t)branch;
    return LEX_OK;
}

static enum lex_status skip_record(struct lex_cursor *cursor, const struct lex_schema *schema,
                                   unsigned depth)
{
    for (uint32_t i = 0; i < schema->count; i++)
        LEX_TRY(skip(cursor, schema->fields[i].type, depth));
    return LEX_OK;
}

/* Schemas may be recursive, so that a message decides how deep this goes. */
static enum lex_status skip(struct lex_cursor *cursor, const struct lex_schema *schema,
                            unsigned depth)
{
    struct lex_span ignored;
    int64_t number;
    int32_t small;
    uint32_t branch = 0;
    bool flag;
    if (depth == LEX_CODEC_DEPTH_MAX)
        return lex_cursor_fail(cursor, LEX_UNDECODABLE_MALFORMED_AVRO, "nested more than 64 deep");
    switch (schema->type) {
    case LEX_AVRO_NULL: return LEX_OK;
    case LEX_AVRO_BOOLEAN: return lex_cursor_bool(cursor, &flag);
    case LEX_AVRO_INT: return lex_cursor_int(cursor, &small);
    case LEX_AVRO_ENUM:
    case LEX_AVRO_LONG: return lex_cursor_long(cursor, &number);
    case LEX_AVRO_FLOAT: return lex_cursor_fixed(cursor, 4, &ignored);
    case LEX_AVRO_DOUBLE: return lex_cursor_fixed(cursor, 8, &ignored);
    case LEX_AVRO_FIXED: return lex_cursor_fixed(cursor, schema->size, &ignored);
    case LEX_AVRO_BYTES:
    case LEX_AVRO_STRING: return lex_cursor_bytes(cursor, &ignored);
    case LEX_AVRO_RECORD: return skip_record(cursor, schema, depth + 1);
    case LEX_AVRO_ARRAY:
    case LEX_AVRO_MAP: return skip_items(cursor, schema, depth + 1);
    case LEX_AVRO_UNION:
        LEX_TRY(read_branch(cursor, schema, &branch));
        return skip(cursor, schema->branches[branch], depth + 1);
    }
    return LEX_REJECT;
}

/* ---- steps: run ---- */

static enum lex_status run_skip(struct lex_cursor *cursor, const struct step *step, void *at)
{
    (void)at;
    return skip(cursor, step->writer, 0);
}

static enum lex_status run_refuse(struct lex_cursor *cursor, const struct step *step, void *at)
{
    (void)at;
    return lex_cursor_fail(cursor, LEX_UNDECODABLE_INCOMPATIBLE_SCHEMA, step->problem);
}

static enum lex_status run_union(struct lex_cursor *cursor, const struct step *step, void *at)
{
    uint32_t branch = 0;
    LEX_TRY(read_branch(cursor, step->writer, &branch));
    return step->steps[branch].run(cursor, &step->steps[branch], at);
}

static enum lex_status run_bool(struct lex_cursor *cursor, const struct step *step, void *at)
{
    (void)step;
    return lex_cursor_bool(cursor, at);
}

static enum lex_status run_int(struct lex_cursor *cursor, const struct step *step, void *at)
{
    (void)step;
    return lex_cursor_int(cursor, at);
}

/* An int of the writer stays within its 32 bits when it becomes a long. */
static enum lex_status run_long(struct lex_cursor *cursor, const struct step *step, void *at)
{
    int32_t small = 0;
    if (step->writer->type == LEX_AVRO_LONG)
        return lex_cursor_long(cursor, at);
    LEX_TRY(lex_cursor_int(cursor, &small));
    *(int64_t *)at = small;
    return LEX_OK;
}

static enum lex_status run_no_long(struct lex_cursor *cursor, const struct step *step, void *at)
{
    (void)cursor, (void)step;
    *(struct lex_opt_i64 *)at = (struct lex_opt_i64){0};
    return LEX_OK;
}

static enum lex_status run_opt_long(struct lex_cursor *cursor, const struct step *step, void *at)
{
    struct lex_opt_i64 *value = at;
    value->present = true;
    return run_long(cursor, step, &value->value);
}

static enum lex_status run_no_span(struct lex_cursor *cursor, const struct step *step, void *at)
{
    (void)cursor, (void)step;
    *(struct lex_span *)at = (struct lex_span){NULL, 0};
    return LEX_OK;
}

static enum lex_status run_string(struct lex_cursor *cursor, const struct step *step, void *at)
{
    (void)step;
    return lex_cursor_string(cursor, at);
}

static enum lex_status run_fixed(struct lex_cursor *cursor, const struct step *step, void *at)
{
    return lex_cursor_fixed(cursor, step->writer->size, at);
}

static enum lex_status run_enum(struct lex_cursor *cursor, const struct step *step, void *at)
{
    int64_t number = 0;
    LEX_TRY(lex_cursor_long(cursor, &number));
    if (number < 0 || number >= step->writer->count)
        return lex_cursor_fail(cursor, LEX_UNDECODABLE_MALFORMED_AVRO,
                               "an enum names a symbol that it does not have");
    if (step->symbols[number] < 0)
        return lex_cursor_fail(cursor, LEX_UNDECODABLE_INCOMPATIBLE_SCHEMA,
                               "the writer's symbol is unknown here, and the enum has no default");
    memcpy(at, &step->symbols[number], sizeof(int32_t));
    return LEX_OK;
}

static enum lex_status run_record(struct lex_cursor *cursor, const struct step *step, void *at)
{
    memcpy(at, step->record->defaults, step->record->size);
    for (uint32_t i = 0; i < step->writer->count; i++) {
        const struct step *field = &step->steps[i];
        enum lex_status status = field->run(cursor, field, (uint8_t *)at + field->offset);
        if (status == LEX_OK)
            continue;
        if (lex_span_absent(cursor->where))
            cursor->where = field->field;
        return status;
    }
    return LEX_OK;
}

static enum lex_status run_list(struct lex_cursor *cursor, const struct step *step, void *at)
{
    struct lex_vector vector = {.item_bytes = step->item_bytes, .max = step->max_items};
    struct lex_block block;
    for (;;) {
        LEX_TRY(lex_cursor_block(cursor, step->writer->items->min_bytes, &block));
        if (block.count == 0)
            break;
        LEX_TRY(lex_vector_reserve(cursor, &vector, block.count));
        for (size_t i = 0; i < block.count; i++) {
            void *item = vector.items + vector.count++ * vector.item_bytes;
            LEX_TRY(step->steps->run(cursor, step->steps, item));
        }
        LEX_TRY(lex_cursor_block_end(cursor, &block));
    }
    struct lex_any_list list = {vector.items, vector.count};
    memcpy(at, &list, sizeof list);
    return LEX_OK;
}

static enum lex_status read_members(struct lex_cursor *cursor, const struct step *step,
                                    struct lex_vector *vector)
{
    struct lex_block block;
    for (;;) {
        LEX_TRY(lex_cursor_block(cursor, 1 + step->writer->items->min_bytes, &block));
        if (block.count == 0)
            return LEX_OK;
        LEX_TRY(lex_vector_reserve(cursor, vector, block.count));
        for (size_t i = 0; i < block.count; i++) {
            struct lex_member member = {{NULL, 0}, {0}};
            LEX_TRY(lex_cursor_string(cursor, &member.key));
            LEX_TRY(step->steps->run(cursor, step->steps, &member.value));
            memcpy(vector->items + vector->count++ * sizeof member, &member, sizeof member);
        }
        LEX_TRY(lex_cursor_block_end(cursor, &block));
    }
}

static enum lex_status run_map(struct lex_cursor *cursor, const struct step *step, void *at)
{
    struct lex_vector vector = {.item_bytes = sizeof(struct lex_member), .max = step->max_items};
    struct lex_span twice = {NULL, 0};
    LEX_TRY(read_members(cursor, step, &vector));
    struct lex_any_list list = {vector.items, vector.count};
    memcpy(at, &list, sizeof list);
    LEX_TRY(lex_members_duplicate(at, cursor->arena, &twice));
    return lex_span_absent(twice) ? LEX_OK
                                  : lex_cursor_fail(cursor, LEX_UNDECODABLE_DUPLICATE_MEMBER,
                                                    "a key stands twice in a map");
}

/* ---- steps that fill one value of the context ---- */

static enum lex_status run_value(struct lex_cursor *cursor, const struct step *step, void *at)
{
    struct lex_value *value = at;
    switch (step->writer->type) {
    case LEX_AVRO_NULL: value->type = LEX_VALUE_NULL; return LEX_OK;
    case LEX_AVRO_BOOLEAN:
        value->type = LEX_VALUE_BOOL;
        return lex_cursor_bool(cursor, &value->boolean);
    case LEX_AVRO_INT:
    case LEX_AVRO_LONG: value->type = LEX_VALUE_LONG; return run_long(cursor, step, &value->i64);
    case LEX_AVRO_FLOAT:
        value->type = LEX_VALUE_DOUBLE;
        return lex_cursor_float(cursor, &value->f64);
    case LEX_AVRO_DOUBLE:
        value->type = LEX_VALUE_DOUBLE;
        return lex_cursor_double(cursor, &value->f64);
    case LEX_AVRO_BYTES:
    case LEX_AVRO_STRING:
        value->type = LEX_VALUE_STRING;
        return lex_cursor_string(cursor, &value->text);
    case LEX_AVRO_ARRAY: value->type = LEX_VALUE_LIST; return run_list(cursor, step, &value->list);
    default: return LEX_REJECT;
    }
}

/* ---- steps: compile ---- */

/* What a value of the writer has to become. */
enum target { TARGET_FIELD, TARGET_ITEM, TARGET_VALUE };

struct compiler {
    struct lex_arena *arena;
    struct lex_error *err;
};

static enum lex_status mismatch(struct compiler *c, const struct lex_schema *writer,
                                const struct lex_field *field)
{
    return lex_fail(c->err, LEX_REJECT,
                    "field '%.*s': the writer's %s does not become what is read",
                    LEX_SPAN_FMT(field->name), lex_avro_type_name(writer->type));
}

static enum lex_status compile(struct compiler *c, const struct lex_schema *writer,
                               const struct lex_field *field, enum target target, struct step *ret);

static struct step *new_steps(struct compiler *c, size_t count)
{
    return lex_arena_calloc(c->arena, count + 1, sizeof(struct step));
}

/* Each branch by itself; one that does not resolve fails only the message that takes it. */
static enum lex_status compile_union(struct compiler *c, const struct lex_schema *writer,
                                     const struct lex_field *field, enum target target,
                                     struct step *ret)
{
    struct step *steps = new_steps(c, writer->count);
    uint32_t good = 0;
    if (steps == NULL)
        return LEX_LIMIT;
    for (uint32_t i = 0; i < writer->count; i++) {
        enum lex_status status = compile(c, writer->branches[i], field, target, &steps[i]);
        if (status == LEX_LIMIT)
            return status;
        good += status == LEX_OK;
        if (status != LEX_OK)
            steps[i] = (struct step){
                .run = run_refuse,
                .problem = "this branch of the writer's union does not become what is read"};
    }
    *ret = (struct step){.run = run_union, .writer = writer, .steps = steps};
    return good != 0 ? LEX_OK : LEX_REJECT;
}

static bool names_match(struct lex_span ours, const struct lex_span *aliases, uint32_t count,
                        struct lex_span writer)
{
    struct lex_span theirs = lex_schema_short_name(writer);
    for (uint32_t i = 0; i < count; i++)
        if (lex_span_eq(aliases[i], theirs))
            return true;
    return lex_span_eq(ours, theirs);
}

static enum lex_status compile_enum(struct compiler *c, const struct lex_schema *writer,
                                    const struct lex_field *field, struct step *ret)
{
    const struct lex_enum_type *ours = field->symbols;
    if (writer->type != LEX_AVRO_ENUM || !names_match(ours->name, NULL, 0, writer->name))
        return mismatch(c, writer, field);
    int32_t *symbols = lex_arena_calloc(c->arena, writer->count, sizeof *symbols);
    if (symbols == NULL)
        return LEX_LIMIT;
    for (uint32_t i = 0; i < writer->count; i++) {
        symbols[i] = ours->fallback;
        for (uint32_t k = 0; k < ours->count; k++)
            if (lex_span_eq(ours->symbols[k], writer->symbols[i]))
                symbols[i] = (int32_t)k;
    }
    *ret = (struct step){.run = run_enum, .writer = writer, .symbols = symbols};
    return LEX_OK;
}

static enum lex_status compile_fixed(struct compiler *c, const struct lex_schema *writer,
                                     const struct lex_field *field, struct step *ret)
{
    if (writer->type != LEX_AVRO_FIXED || writer->size != field->size ||
        !names_match(field->fixed, NULL, 0, writer->name))
        return mismatch(c, writer, field);
    *ret = (struct step){.run = run_fixed, .writer = writer};
    return LEX_OK;
}

static const struct lex_schema_field *writer_field(const struct lex_schema *writer,
                                                   struct lex_span name)
{
    for (uint32_t i = 0; i < writer->count; i++)
        if (lex_span_eq(writer->fields[i].name, name))
            return &writer->fields[i];
    return NULL;
}

/* The field of the writer that `field` is read from: of its name, or else of its first alias. */
static const struct lex_schema_field *source_of(const struct lex_schema *writer,
                                                const struct lex_field *field)
{
    const struct lex_schema_field *found = writer_field(writer, field->name);
    for (uint32_t i = 0; i < field->alias_count && found == NULL; i++)
        found = writer_field(writer, field->aliases[i]);
    return found;
}

static const struct lex_field *reader_of(const struct lex_schema *writer,
                                         const struct lex_record_type *reader,
                                         const struct lex_schema_field *source)
{
    for (uint32_t i = 0; i < reader->field_count; i++)
        if (source_of(writer, &reader->fields[i]) == source)
            return &reader->fields[i];
    return NULL;
}

static enum lex_status check_required(struct compiler *c, const struct lex_schema *writer,
                                      const struct lex_record_type *reader)
{
    for (uint32_t i = 0; i < reader->field_count; i++) {
        const struct lex_field *field = &reader->fields[i];
        if (field->required && source_of(writer, field) == NULL)
            return lex_fail(c->err, LEX_REJECT,
                            "the writer's %.*s has no field '%.*s', which is required",
                            LEX_SPAN_FMT(writer->name), LEX_SPAN_FMT(field->name));
    }
    return LEX_OK;
}

static enum lex_status compile_record(struct compiler *c, const struct lex_schema *writer,
                                      const struct lex_record_type *reader, struct step *ret)
{
    if (writer->type != LEX_AVRO_RECORD ||
        !names_match(reader->name, reader->aliases, reader->alias_count, writer->name))
        return lex_fail(c->err, LEX_REJECT, "the writer's type is no record %.*s",
                        LEX_SPAN_FMT(reader->name));
    LEX_TRY(check_required(c, writer, reader));
    struct step *steps = new_steps(c, writer->count);
    if (steps == NULL)
        return LEX_LIMIT;
    for (uint32_t i = 0; i < writer->count; i++) {
        const struct lex_schema_field *source = &writer->fields[i];
        const struct lex_field *field = reader_of(writer, reader, source);
        steps[i] = (struct step){.run = run_skip, .writer = source->type};
        if (field != NULL)
            LEX_TRY(compile(c, source->type, field, TARGET_FIELD, &steps[i]));
        steps[i].offset = field != NULL ? field->offset : 0;
        steps[i].field = source->name;
    }
    *ret = (struct step){.run = run_record, .writer = writer, .record = reader, .steps = steps};
    return LEX_OK;
}

/* An array or a map: one step for its items. */
static enum lex_status compile_items(struct compiler *c, const struct lex_schema *writer,
                                     const struct lex_field *field, enum target target,
                                     struct step *ret)
{
    bool map = target == TARGET_FIELD && field->kind == LEX_FIELD_VALUE_MAP;
    bool records = target == TARGET_FIELD && field->kind == LEX_FIELD_RECORD_LIST;
    if (writer->type != (map ? LEX_AVRO_MAP : LEX_AVRO_ARRAY))
        return mismatch(c, writer, field);
    struct step *item = new_steps(c, 1);
    if (item == NULL)
        return LEX_LIMIT;
    LEX_TRY(compile(c, writer->items, field, map ? TARGET_VALUE : TARGET_ITEM, item));
    *ret = (struct step){.run = map ? run_map : run_list,
                         .writer = writer,
                         .steps = item,
                         .max_items = field->max_items,
                         .item_bytes =
                             records ? field->record->size : (uint32_t)sizeof(struct lex_span)};
    return LEX_OK;
}

static enum lex_status compile_string(struct compiler *c, const struct lex_schema *writer,
                                      const struct lex_field *field, struct step *ret)
{
    if (writer->type != LEX_AVRO_STRING && writer->type != LEX_AVRO_BYTES)
        return mismatch(c, writer, field);
    *ret = (struct step){.run = run_string, .writer = writer};
    return LEX_OK;
}

static enum lex_status compile_item(struct compiler *c, const struct lex_schema *writer,
                                    const struct lex_field *field, struct step *ret)
{
    if (field->kind == LEX_FIELD_RECORD_LIST)
        return compile_record(c, writer, field->record, ret);
    return field->kind == LEX_FIELD_FIXED_LIST ? compile_fixed(c, writer, field, ret)
                                               : compile_string(c, writer, field, ret);
}

static enum lex_status compile_value(struct compiler *c, const struct lex_schema *writer,
                                     const struct lex_field *field, struct step *ret)
{
    if (writer->type == LEX_AVRO_ARRAY)
        LEX_TRY(compile_items(c, writer, field, TARGET_VALUE, ret));
    else if (writer->type > LEX_AVRO_STRING)
        return mismatch(c, writer, field);
    else
        *ret = (struct step){.writer = writer};
    ret->run = run_value;
    return LEX_OK;
}

static enum lex_status compile_simple(struct compiler *c, const struct lex_schema *writer,
                                      const struct lex_field *field, struct step *ret)
{
    enum lex_avro_type type = writer->type;
    bool whole = type == LEX_AVRO_INT || type == LEX_AVRO_LONG;
    run_fn *run = NULL;
    if (field->kind == LEX_FIELD_BOOL && type == LEX_AVRO_BOOLEAN)
        run = run_bool;
    else if (field->kind == LEX_FIELD_INT && type == LEX_AVRO_INT)
        run = run_int;
    else if (field->kind == LEX_FIELD_LONG && whole)
        run = run_long;
    else if (field->kind == LEX_FIELD_OPT_LONG && whole)
        run = run_opt_long;
    if (run == NULL)
        return mismatch(c, writer, field);
    *ret = (struct step){.run = run, .writer = writer};
    return LEX_OK;
}

static bool is_optional(enum lex_field_kind kind)
{
    return kind == LEX_FIELD_OPT_LONG || kind == LEX_FIELD_OPT_STRING ||
           kind == LEX_FIELD_OPT_FIXED;
}

static enum lex_status compile_field(struct compiler *c, const struct lex_schema *writer,
                                     const struct lex_field *field, struct step *ret)
{
    enum lex_field_kind kind = (enum lex_field_kind)field->kind;
    if (writer->type == LEX_AVRO_NULL && is_optional(kind)) {
        *ret = (struct step){.run = kind == LEX_FIELD_OPT_LONG ? run_no_long : run_no_span,
                             .writer = writer};
        return LEX_OK;
    }
    switch (kind) {
    case LEX_FIELD_BOOL:
    case LEX_FIELD_INT:
    case LEX_FIELD_LONG:
    case LEX_FIELD_OPT_LONG: return compile_simple(c, writer, field, ret);
    case LEX_FIELD_STRING:
    case LEX_FIELD_OPT_STRING: return compile_string(c, writer, field, ret);
    case LEX_FIELD_FIXED:
    case LEX_FIELD_OPT_FIXED: return compile_fixed(c, writer, field, ret);
    case LEX_FIELD_ENUM: return compile_enum(c, writer, field, ret);
    case LEX_FIELD_RECORD: return compile_record(c, writer, field->record, ret);
    case LEX_FIELD_STRING_LIST:
    case LEX_FIELD_FIXED_LIST:
    case LEX_FIELD_RECORD_LIST:
    case LEX_FIELD_VALUE_MAP: return compile_items(c, writer, field, TARGET_FIELD, ret);
    }
    return LEX_REJECT;
}

static enum lex_status compile(struct compiler *c, const struct lex_schema *writer,
                               const struct lex_field *field, enum target target, struct step *ret)
{
    if (writer->type == LEX_AVRO_UNION)
        return compile_union(c, writer, field, target, ret);
    if (target == TARGET_VALUE)
        return compile_value(c, writer, field, ret);
    return target == TARGET_ITEM ? compile_item(c, writer, field, ret)
                                 : compile_field(c, writer, field, ret);
}

LEX_STATUS lex_plan_new(const struct lex_schema *writer, const struct lex_record_type *reader,
                        struct lex_arena *arena, const struct lex_plan **ret_plan,
                        struct lex_error *err)
{
    struct compiler c = {arena, err};
    struct lex_plan *plan = lex_arena_calloc(arena, 1, sizeof *plan);
    enum lex_status status =
        plan == NULL ? LEX_LIMIT : compile_record(&c, writer, reader, &plan->root);
    if (status == LEX_LIMIT)
        return lex_fail(err, status, "the plan needs more memory than plans may have");
    if (status != LEX_OK)
        return status;
    *ret_plan = plan;
    return LEX_OK;
}

LEX_STATUS lex_plan_run(const struct lex_plan *plan, struct lex_cursor *cursor, void *record)
{
    return plan->root.run(cursor, &plan->root, record);
}
