#include "core/policy/fmt.h"

#include <stdlib.h>

#include "core/base/jcs.h"
#include "core/policy/load.h"

enum { TREE_CHUNK_BYTES = 256 << 10, CANONICAL_MAX_BYTES = LEX_POLICY_MAX_BYTES * 8 };

/* ---- which key comes when ---- */

static const char *const document_keys[] = {
    "policy_id",       "id",          "name",  "version",
    "description",     "enforcement", "mode",  "effective_from",
    "effective_until", "options",     "terms", "relations",
    "constraints",     NULL};
static const char *const term_keys[] = {"term_id",    "id",   "term_type",   "type",
                                        "label",      "name", "description", "member_of",
                                        "risk_level", NULL};
static const char *const rule_keys[] = {
    "relation_id", "id",           "relation_type", "type",      "source",
    "subject",     "actor",        "target",        "action",    "object",
    "data_class",  "data_classes", "resource",      "condition", "conditions",
    "grants",      "scope",        "window",        NULL};
static const char *const constraint_keys[] = {"id",     "name",   "condition", "conditions",
                                              "effect", "action", NULL};
static const char *const condition_keys[] = {"type", NULL};
/* Behind all others, wherever they stand. */
static const char *const last_keys[] = {"justification", "reason", "metadata", NULL};
static const char *const no_keys[] = {NULL};

/* What a value is, by its way from the root: a list of terms, or lists of them by kind. */
enum place { IN_DOCUMENT, IN_TERMS, IN_RELATIONS, IN_CONSTRAINTS, IN_CONDITION, IN_OTHER };

static const char *const *const keys_of[] = {
    [IN_DOCUMENT] = document_keys,      [IN_TERMS] = term_keys,          [IN_RELATIONS] = rule_keys,
    [IN_CONSTRAINTS] = constraint_keys, [IN_CONDITION] = condition_keys, [IN_OTHER] = no_keys};

static size_t index_of(struct lex_span key, const char *const *keys)
{
    size_t i = 0;
    while (keys[i] != NULL && !lex_span_eq(key, lex_span_str(keys[i])))
        i++;
    return i;
}

/* A named key's place, then those of the document's own, then the last ones. */
static size_t rank_of(struct lex_span key, enum place place)
{
    size_t rank = index_of(key, keys_of[place]), last = index_of(key, last_keys);
    bool is_last = place != IN_OTHER && place != IN_CONDITION && last_keys[last] != NULL;
    return is_last ? 1000 + last : rank;
}

static enum place place_of_member(enum place parent, struct lex_span key)
{
    if (parent == IN_DOCUMENT)
        return lex_span_eq(key, LEX_SPAN("terms"))         ? IN_TERMS
               : lex_span_eq(key, LEX_SPAN("relations"))   ? IN_RELATIONS
               : lex_span_eq(key, LEX_SPAN("constraints")) ? IN_CONSTRAINTS
                                                           : IN_OTHER;
    bool condition =
        lex_span_eq(key, LEX_SPAN("condition")) || lex_span_eq(key, LEX_SPAN("conditions"));
    return condition && (parent == IN_RELATIONS || parent == IN_CONSTRAINTS) ? IN_CONDITION
                                                                             : IN_OTHER;
}

/* A dict of lists has the kinds of its list as members, which keep the place. */
static bool is_dict_of_lists(const struct lex_json *object, enum place place)
{
    if (place != IN_TERMS && place != IN_RELATIONS && place != IN_CONSTRAINTS)
        return false;
    for (const struct lex_json *member = object->child; member != NULL; member = member->next)
        if (member->type != LEX_JSON_ARRAY && member->type != LEX_JSON_OBJECT)
            return false;
    return object->child != NULL;
}

struct ordered {
    const struct lex_json *member;
    size_t rank, order;
};

static int by_rank(const void *a, const void *b)
{
    const struct ordered *x = a, *y = b;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

struct formatter {
    struct lex_buf *out;
    struct lex_arena *arena;
    bool failed;
};

/* Members in their order; NULL when memory is out. */
static struct ordered *order_members(struct formatter *f, const struct lex_json *object,
                                     enum place place)
{
    size_t count = 0;
    struct ordered *items = lex_arena_calloc(f->arena, (size_t)object->count + 1, sizeof *items);
    f->failed = f->failed || items == NULL;
    if (items == NULL)
        return NULL;
    for (const struct lex_json *member = object->child; member != NULL; member = member->next) {
        items[count] = (struct ordered){member, rank_of(member->key, place), count};
        count++;
    }
    qsort(items, count, sizeof *items, by_rank);
    return items;
}

/* ---- on one line ---- */

static void put_flat(struct formatter *f, struct lex_buf *out, const struct lex_json *node,
                     enum place place);

static void put_flat_object(struct formatter *f, struct lex_buf *out, const struct lex_json *object,
                            enum place place)
{
    struct ordered *items = order_members(f, object, place);
    lex_buf_putc(out, '{');
    for (size_t i = 0; items != NULL && i < object->count && lex_buf_ok(out); i++) {
        const struct lex_json *member = items[i].member;
        lex_buf_puts(out, i == 0 ? "" : ", ");
        lex_jcs_put_string(out, member->key);
        lex_buf_puts(out, ": ");
        put_flat(f, out, member, place_of_member(place, member->key));
    }
    lex_buf_putc(out, '}');
}

static void put_flat(struct formatter *f, struct lex_buf *out, const struct lex_json *node,
                     enum place place)
{
    switch (node->type) {
    case LEX_JSON_NULL: lex_buf_puts(out, "null"); break;
    case LEX_JSON_BOOL: lex_buf_puts(out, node->boolean ? "true" : "false"); break;
    case LEX_JSON_NUMBER: lex_buf_put_span(out, node->text); break;
    case LEX_JSON_STRING: lex_jcs_put_string(out, node->text); break;
    case LEX_JSON_OBJECT: put_flat_object(f, out, node, place); break;
    case LEX_JSON_ARRAY:
        lex_buf_putc(out, '[');
        for (const struct lex_json *item = node->child; item != NULL && lex_buf_ok(out);
             item = item->next) {
            put_flat(f, out, item, place);
            lex_buf_puts(out, item->next == NULL ? "" : ", ");
        }
        lex_buf_putc(out, ']');
        break;
    }
}

/* ---- on several lines ---- */

/* Characters, not bytes: a line is as long as it looks. */
static size_t width_of(struct lex_span text)
{
    size_t width = 0;
    for (size_t i = 0; i < text.len; i++)
        width += (text.data[i] & 0xc0) != 0x80;
    return width;
}

static void indent(struct formatter *f, unsigned depth)
{
    lex_buf_putc(f->out, '\n');
    for (unsigned i = 0; i < depth; i++)
        lex_buf_puts(f->out, "  ");
}

/* The value on what is left of a line, room for a comma included. False: it does not fit. */
static bool put_if_short(struct formatter *f, const struct lex_json *node, enum place place,
                         size_t column)
{
    char memory[4 * LEX_FMT_COLUMNS + 1];
    struct lex_buf line;
    if (column + 1 >= LEX_FMT_COLUMNS)
        return false;
    lex_buf_borrow(&line, memory, sizeof memory);
    put_flat(f, &line, node, place);
    if (!lex_buf_ok(&line) || column + width_of(lex_buf_span(&line)) + 1 > LEX_FMT_COLUMNS)
        return false;
    lex_buf_put_span(f->out, lex_buf_span(&line));
    return true;
}

static bool is_block(const struct lex_json *node, enum place place)
{
    bool list = place == IN_TERMS || place == IN_RELATIONS || place == IN_CONSTRAINTS;
    return node->child != NULL &&
           ((list && (node->type == LEX_JSON_ARRAY || is_dict_of_lists(node, place))) ||
            place == IN_DOCUMENT);
}

static void put_node(struct formatter *f, const struct lex_json *node, enum place place,
                     unsigned depth, size_t column);

static void put_block_object(struct formatter *f, const struct lex_json *object, enum place place,
                             unsigned depth)
{
    bool lists = is_dict_of_lists(object, place);
    struct ordered *items = order_members(f, object, lists ? IN_OTHER : place);
    lex_buf_putc(f->out, '{');
    for (size_t i = 0; items != NULL && i < object->count; i++) {
        const struct lex_json *member = items[i].member;
        size_t start = f->out->len;
        indent(f, depth + 1);
        lex_jcs_put_string(f->out, member->key);
        lex_buf_puts(f->out, ": ");
        struct lex_span line = lex_buf_span(f->out);
        put_node(f, member, lists ? place : place_of_member(place, member->key), depth + 1,
                 width_of(lex_span_of(line.data + start + 1, line.len - start - 1)));
        lex_buf_puts(f->out, i + 1 == object->count ? "" : ",");
    }
    indent(f, depth);
    lex_buf_putc(f->out, '}');
}

static void put_block_array(struct formatter *f, const struct lex_json *array, enum place place,
                            unsigned depth)
{
    lex_buf_putc(f->out, '[');
    for (const struct lex_json *item = array->child; item != NULL; item = item->next) {
        indent(f, depth + 1);
        put_node(f, item, place, depth + 1, 2 * ((size_t)depth + 1));
        lex_buf_puts(f->out, item->next == NULL ? "" : ",");
    }
    indent(f, depth);
    lex_buf_putc(f->out, ']');
}

static void put_node(struct formatter *f, const struct lex_json *node, enum place place,
                     unsigned depth, size_t column)
{
    bool nested = node->type == LEX_JSON_OBJECT || node->type == LEX_JSON_ARRAY;
    bool block =
        nested && is_block(node, place) &&
        (node->type == LEX_JSON_ARRAY || place == IN_DOCUMENT || is_dict_of_lists(node, place));
    if (!lex_buf_ok(f->out) || (!block && put_if_short(f, node, place, column)))
        return;
    if (!nested || node->child == NULL)
        put_flat(f, f->out, node, place);
    else if (node->type == LEX_JSON_OBJECT)
        put_block_object(f, node, place, depth);
    else
        put_block_array(f, node, place, depth);
}

/* ---- the check ---- */

typedef void canonical(const struct lex_json *document, struct lex_buf *out);

static bool same_text(const struct lex_json *a, const struct lex_json *b, canonical *put)
{
    LEX_CLEANUP(lex_buf_fini) struct lex_buf x;
    LEX_CLEANUP(lex_buf_fini) struct lex_buf y;
    lex_buf_init(&x, CANONICAL_MAX_BYTES);
    lex_buf_init(&y, CANONICAL_MAX_BYTES);
    put(a, &x);
    put(b, &y);
    return lex_buf_ok(&x) && lex_buf_ok(&y) && lex_span_eq(lex_buf_span(&x), lex_buf_span(&y));
}

static bool same_documents(const struct lex_json *a, const struct lex_json *b)
{
    if (a->type != b->type || a->count != b->count)
        return false;
    if (a->type == LEX_JSON_OBJECT)
        return same_text(a, b, lex_policy_canonical) &&
               same_text(a, b, lex_policy_legacy_canonical);
    for (a = a->child, b = b->child; a != NULL && b != NULL; a = a->next, b = b->next)
        if (a->type != LEX_JSON_OBJECT || b->type != LEX_JSON_OBJECT || !same_documents(a, b))
            return false;
    return a == b;
}

static enum lex_status parse(struct lex_arena *arena, struct lex_span text, const char *source,
                             const struct lex_json **ret_root, struct lex_error *err)
{
    struct lex_error problem;
    enum lex_status status = lex_json_parse(arena, text, ret_root, &problem);
    if (status != LEX_OK)
        return lex_fail(err, status, "%s: %s", source, problem.text);
    bool document = (*ret_root)->type == LEX_JSON_OBJECT;
    bool list = (*ret_root)->type == LEX_JSON_ARRAY && (*ret_root)->child != NULL;
    for (const struct lex_json *item = list ? (*ret_root)->child : NULL; item != NULL;
         item = item->next)
        list = list && item->type == LEX_JSON_OBJECT;
    if (!document && !list)
        return lex_fail(err, LEX_REJECT,
                        "%s:1:1: a policy must be an object, or an array of objects", source);
    return LEX_OK;
}

LEX_STATUS lex_policy_format(struct lex_span text, const char *source, struct lex_buf *out,
                             struct lex_error *err)
{
    LEX_CLEANUP(lex_arena_fini) struct lex_arena arena;
    const struct lex_json *before, *after;
    size_t start = out->len;
    struct formatter f = {out, &arena, false};
    lex_arena_init(&arena, TREE_CHUNK_BYTES, SIZE_MAX / 4);
    LEX_TRY(parse(&arena, text, source, &before, err));
    put_node(&f, before, IN_DOCUMENT, 0, 0);
    lex_buf_putc(out, '\n');
    if (f.failed || !lex_buf_ok(out))
        return lex_fail(err, LEX_LIMIT, "%s: not enough memory to lay it out", source);
    struct lex_span made = lex_span_of(lex_buf_span(out).data + start, out->len - start);
    LEX_TRY(parse(&arena, made, source, &after, err));
    if (!same_documents(before, after))
        return lex_fail(err, LEX_REJECT, "%s: is left alone: laid out, its hash would not stay",
                        source);
    return LEX_OK;
}
