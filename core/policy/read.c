/* Read: members with their aliases, and problems with their places. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/jcs.h"
#include "core/base/text.h"
#include "core/policy/load.h"

/* ---- errors ---- */

/* A document's own words stand in its messages; none of them may break a line or a terminal. */
static void harmless(char *text)
{
    for (; *text != 0; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = '?';
}

void lex_load_enter(struct lex_loader *loader, size_t document)
{
    const struct lex_policy_document *entered = &loader->policy->documents[document];
    loader->document = (uint16_t)document;
    loader->root = loader->roots[document];
    loader->source = entered->source;
    loader->text = entered->text;
}

enum lex_status lex_load_fail(struct lex_loader *loader, enum lex_status status, size_t at,
                              const char *format, ...)
{
    char text[LEX_ERROR_TEXT_MAX];
    unsigned line, column;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    harmless(text);
    lex_json_where(loader->text, at, &line, &column);
    return lex_fail(loader->err, status, "%s:%u:%u: %s", loader->source, line, column, text);
}

enum lex_status lex_load_no_memory(struct lex_loader *loader)
{
    return lex_fail(loader->err, LEX_LIMIT,
                    "%s: not enough memory to load this policy; the one in force stays",
                    loader->source);
}

LEX_STATUS lex_load_grow(struct lex_loader *loader, void **items, size_t count, size_t *capacity,
                         size_t item_bytes)
{
    if (count < *capacity)
        return LEX_OK;
    size_t wanted = *capacity == 0 ? 16 : 2 * *capacity;
    void *grown = reallocarray(*items, wanted, item_bytes);
    if (grown == NULL)
        return lex_load_no_memory(loader);
    *items = grown;
    *capacity = wanted;
    return LEX_OK;
}

LEX_STATUS lex_load_list_put(struct lex_loader *loader, uint32_t number)
{
    void *items = loader->list;
    LEX_TRY(lex_load_grow(loader, &items, loader->list_count, &loader->list_capacity,
                          sizeof *loader->list));
    loader->list = items;
    loader->list[loader->list_count++] = number;
    return LEX_OK;
}

struct lex_span lex_load_keep(struct lex_loader *loader, struct lex_span span)
{
    uintptr_t start = (uintptr_t)loader->text.data, at = (uintptr_t)span.data;
    if (at >= start && at - start <= loader->text.len)
        return span; /* borrowed from our own copy of the text */
    return lex_arena_dup(&loader->policy->arena, span);
}

/* ---- lints ---- */

static const struct {
    enum lex_lint_rank rank;
    const char *word;
} lint_table[] = {
#define LEX_LINT(name, word, rank, text) {LEX_RANK_##rank, word},
#include "core/policy/lints.def"
#undef LEX_LINT
};

void lex_load_lint(struct lex_loader *loader, enum lex_lint lint, size_t at, const char *format,
                   ...)
{
    char text[LEX_ERROR_TEXT_MAX];
    void *items = loader->lints;
    va_list args;
    bool full = loader->lints_count == LEX_POLICY_MAX_LINTS;
    if (full || lex_load_grow(loader, &items, loader->lints_count, &loader->lints_capacity,
                              sizeof *loader->lints) != LEX_OK) {
        loader->lints_dropped++;
        return;
    }
    loader->lints = items;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    harmless(text);
    struct lex_span kept = lex_arena_printf(&loader->policy->arena, "%s", text);
    loader->lints[loader->lints_count++] = (struct lex_raw_lint){lint, loader->document, at, kept};
}

static int by_place(const void *a, const void *b)
{
    const struct lex_raw_lint *x = a, *y = b;
    if (x->document != y->document)
        return x->document < y->document ? -1 : 1;
    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    return (x->lint > y->lint) - (x->lint < y->lint);
}

static int by_rank(const void *a, const void *b)
{
    const struct lex_raw_lint *x = a, *y = b;
    enum lex_lint_rank p = lint_table[x->lint].rank, q = lint_table[y->lint].rank;
    if (p != q)
        return p < q ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

/* A place that moves on in one text, and knows its line. */
struct place {
    struct lex_span text;
    size_t at, line_at;
    unsigned line;
};

static void move_to(struct place *place, size_t at)
{
    const uint8_t *data = place->text.data, *end;
    at = at < place->text.len ? at : place->text.len;
    while ((end = memchr(data + place->at, '\n', at - place->at)) != NULL) {
        place->at = place->line_at = (size_t)(end - data) + 1;
        place->line++;
    }
    place->at = at;
}

/* Lines and columns of lints that are sorted by place: one walk over each text, not one for each
 * lint. */
static void find_places(const struct lex_loader *loader, struct lex_policy_lint *places)
{
    const struct lex_policy_document *documents = loader->policy->documents;
    struct place place = {.line = 0};
    for (size_t i = 0; i < loader->lints_count; i++) {
        const struct lex_raw_lint *lint = &loader->lints[i];
        if (i == 0 || lint->document != loader->lints[i - 1].document)
            place = (struct place){.text = documents[lint->document].text, .line = 1};
        move_to(&place, lint->at);
        places[i] = (struct lex_policy_lint){.line = place.line,
                                             .column = (unsigned)(place.at - place.line_at) + 1,
                                             .source = documents[lint->document].source,
                                             .text = lint->text};
    }
}

static void name_lint(struct lex_policy_lint *lint, enum lex_lint kind)
{
    static const char *const ranks[] = {"danger", "doubt", "style"};
    lint->kind = lint_table[kind].word;
    lint->rank = ranks[lint_table[kind].rank];
}

static void count_dropped(struct lex_loader *loader, struct lex_policy_lint *lint)
{
    *lint = (struct lex_policy_lint){
        .line = 1,
        .column = 1,
        .source = loader->policy->documents[0].source,
        .text = lex_arena_printf(&loader->policy->arena, "%zu more lints", loader->lints_dropped)};
    name_lint(lint, LEX_LINT_MORE_LINTS);
}

LEX_STATUS lex_load_finish_lints(struct lex_loader *loader)
{
    struct lex_policy *policy = loader->policy;
    size_t count = loader->lints_count;
    struct lex_policy_lint *lints = lex_arena_calloc(&policy->arena, count + 1, sizeof *lints);
    struct lex_policy_lint *places = lex_arena_calloc(&loader->tree, count + 1, sizeof *places);
    if (lints == NULL || places == NULL)
        return lex_load_no_memory(loader);
    if (count != 0)
        qsort(loader->lints, count, sizeof *loader->lints, by_place);
    find_places(loader, places);
    for (size_t i = 0; i < count; i++)
        loader->lints[i].at = i; /* from here on, an index into places */
    if (count != 0)
        qsort(loader->lints, count, sizeof *loader->lints, by_rank);
    for (size_t i = 0; i < count; i++) {
        lints[i] = places[loader->lints[i].at];
        name_lint(&lints[i], loader->lints[i].lint);
    }
    if (loader->lints_dropped != 0)
        count_dropped(loader, &lints[count++]);
    policy->lints = lints;
    policy->lints_count = count;
    return LEX_OK;
}

/* ---- words and members ---- */

int lex_load_word(struct lex_span text, const char *const *words)
{
    for (int i = 0; words[i] != NULL; i++)
        if (lex_span_eq(text, lex_span_str(words[i])))
            return i;
    return -1;
}

const char *lex_load_suggest(struct lex_span text, const char *const *words, char *out,
                             size_t out_bytes)
{
    size_t best = 3;
    out[0] = 0;
    for (size_t i = 0; words[i] != NULL; i++) {
        size_t distance = lex_edit_distance(text, lex_span_str(words[i]), 2);
        if (distance >= best)
            continue;
        best = distance;
        (void)snprintf(out, out_bytes, "; did you mean \"%s\"?", words[i]);
    }
    return out;
}

LEX_STATUS lex_load_expect(struct lex_loader *loader, const struct lex_json *node,
                           enum lex_json_type type, const char *what)
{
    if (node->type == type)
        return LEX_OK;
    return lex_load_fail(loader, LEX_REJECT, node->at, "%s must be %s, but it is %s", what,
                         lex_json_type_name(type), lex_json_type_name(node->type));
}

LEX_STATUS lex_load_known_keys(struct lex_loader *loader, const struct lex_json *object,
                               const char *const *known, const char *what)
{
    char suggestion[128];
    for (const struct lex_json *member = object->child; member != NULL; member = member->next)
        if (lex_load_word(member->key, known) < 0)
            return lex_load_fail(
                loader, LEX_REJECT, member->key_at,
                "unknown key \"%.*s\" in %s%s (a key that is dropped could widen a rule, so it is "
                "refused)",
                LEX_SPAN_FMT(member->key), what,
                lex_load_suggest(member->key, known, suggestion, sizeof suggestion));
    return LEX_OK;
}

void lex_load_lint_keys(struct lex_loader *loader, const struct lex_json *object,
                        const char *const *known, const char *what)
{
    char suggestion[128];
    for (const struct lex_json *member = object->child; member != NULL; member = member->next)
        if (lex_load_word(member->key, known) < 0)
            lex_load_lint(loader, LEX_LINT_UNKNOWN_KEY, member->key_at,
                          "unknown key \"%.*s\" in %s is kept and hashed, but has no effect%s",
                          LEX_SPAN_FMT(member->key), what,
                          lex_load_suggest(member->key, known, suggestion, sizeof suggestion));
}

static const struct lex_json *member_of_path(const struct lex_json *object, const char *key)
{
    static const char inner[] = "metadata.";
    const struct lex_json *node =
        strncmp(key, inner, sizeof inner - 1) == 0
            ? lex_json_get(lex_json_get(object, "metadata"), key + sizeof inner - 1)
            : lex_json_get(object, key);
    return lex_json_is(node, LEX_JSON_NULL) ? NULL : node;
}

/* Same value: same canonical form. */
static LEX_STATUS same_value(struct lex_loader *loader, const struct lex_json *a,
                             const struct lex_json *b, bool *ret_same)
{
    struct lex_buf x, y;
    lex_buf_init(&x, SIZE_MAX / 2);
    lex_buf_init(&y, SIZE_MAX / 2);
    lex_jcs_put(&x, a);
    lex_jcs_put(&y, b);
    bool ok = lex_buf_ok(&x) && lex_buf_ok(&y);
    *ret_same = ok && lex_span_eq(lex_buf_span(&x), lex_buf_span(&y));
    lex_buf_fini(&x);
    lex_buf_fini(&y);
    return ok ? LEX_OK : lex_load_no_memory(loader);
}

LEX_STATUS lex_load_alias(struct lex_loader *loader, const struct lex_json *object,
                          const char *const *keys, const struct lex_json **ret_node)
{
    const struct lex_json *found = NULL;
    const char *found_key = "";
    for (size_t i = 0; keys[i] != NULL; i++) {
        const struct lex_json *node = member_of_path(object, keys[i]);
        bool same = true;
        if (node == NULL)
            continue;
        if (found != NULL)
            LEX_TRY(same_value(loader, found, node, &same));
        if (!same)
            return lex_load_fail(loader, LEX_REJECT, node->key_at,
                                 "\"%s\" and \"%s\" are two names of the same thing, with "
                                 "different values; keep one of them",
                                 keys[i], found_key);
        if (found == NULL) {
            found = node;
            found_key = keys[i];
        }
    }
    *ret_node = found;
    return LEX_OK;
}

LEX_STATUS lex_load_text(struct lex_loader *loader, const struct lex_json *object,
                         const char *const *keys, struct lex_span *ret_text)
{
    const struct lex_json *node;
    char what[64];
    LEX_TRY(lex_load_alias(loader, object, keys, &node));
    *ret_text = (struct lex_span){NULL, 0};
    if (node == NULL)
        return LEX_OK;
    (void)snprintf(what, sizeof what, "\"%s\"", keys[0]);
    LEX_TRY(lex_load_expect(loader, node, LEX_JSON_STRING, what));
    *ret_text = lex_load_keep(loader, node->text);
    return lex_span_absent(*ret_text) ? lex_load_no_memory(loader) : LEX_OK;
}

LEX_STATUS lex_load_own_id(struct lex_loader *loader, struct lex_span id, size_t at,
                           struct lex_span *ret_id)
{
    struct lex_span own = id;
    if (loader->prefixed)
        own = lex_arena_printf(&loader->policy->arena, "%.*s/%.*s",
                               LEX_SPAN_FMT(loader->policy->documents[loader->document].id),
                               LEX_SPAN_FMT(id));
    if (lex_span_absent(own))
        return lex_load_no_memory(loader);
    const char *problem = lex_name_problem(own);
    if (problem != NULL)
        return lex_load_fail(loader, LEX_REJECT, at, "this rule's id %s", problem);
    *ret_id = own;
    return LEX_OK;
}
