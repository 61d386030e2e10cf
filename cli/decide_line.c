#include "cli/decide_line.h"

#include <math.h>

#include "core/base/json.h"
#include "core/base/text.h"

/* Everything a member's reader may need; `base` is the struct that the member's offset is in. */
struct reader {
    struct lex_arena *arena;
    struct lex_error *err;
    struct lex_decide_line *line;
};

static enum lex_status expected(struct reader *reader, const struct lex_json *member,
                                const char *what)
{
    return lex_fail(reader->err, LEX_REJECT, "%.*s must be %s, but it is %s",
                    LEX_SPAN_FMT(member->key), what, lex_json_type_name(member->type));
}

static enum lex_status no_memory(struct reader *reader)
{
    return lex_fail(reader->err, LEX_LIMIT, "the line needs more memory than it may have");
}

/* ---- members of plain types ---- */

static enum lex_status read_string(struct reader *reader, const struct lex_json *member, void *out)
{
    if (member->type != LEX_JSON_STRING)
        return expected(reader, member, "a string");
    *(struct lex_span *)out = member->text;
    return LEX_OK;
}

static enum lex_status read_strings(struct reader *reader, const struct lex_json *member, void *out)
{
    size_t count = 0;
    if (member->type != LEX_JSON_ARRAY)
        return expected(reader, member, "an array of strings");
    struct lex_span *items = lex_arena_calloc(reader->arena, member->count, sizeof *items);
    if (items == NULL)
        return no_memory(reader);
    for (const struct lex_json *item = member->child; item != NULL; item = item->next) {
        if (item->type != LEX_JSON_STRING)
            return expected(reader, member, "an array of strings");
        items[count++] = item->text;
    }
    *(struct lex_span_list *)out = (struct lex_span_list){items, count};
    return LEX_OK;
}

static enum lex_status read_int32(struct reader *reader, const struct lex_json *member, void *out)
{
    int64_t value;
    if (member->type != LEX_JSON_NUMBER || !member->integer ||
        lex_json_int64(member->text, &value) != LEX_OK || value < INT32_MIN || value > INT32_MAX)
        return expected(reader, member, "a whole number of 32 bits");
    *(int32_t *)out = (int32_t)value;
    return LEX_OK;
}

static enum lex_status read_bool(struct reader *reader, const struct lex_json *member, void *out)
{
    if (member->type != LEX_JSON_BOOL)
        return expected(reader, member, "true or false");
    *(bool *)out = member->boolean;
    return LEX_OK;
}

static enum lex_status read_instant(struct reader *reader, const struct lex_json *member, void *out)
{
    struct lex_opt_i64 *micros = out;
    if (member->type != LEX_JSON_STRING ||
        lex_rfc3339_parse(member->text, &micros->value) != LEX_OK)
        return expected(reader, member, "an instant with its zone, like 2026-01-31T12:00:00Z");
    micros->present = true;
    return LEX_OK;
}

/* Its own text; what is inside is the decision's business. */
static enum lex_status read_object(struct reader *reader, const struct lex_json *member, void *out)
{
    if (member->type != LEX_JSON_OBJECT)
        return expected(reader, member, "an object");
    *(struct lex_span *)out = member->text;
    return LEX_OK;
}

/* ---- facts ---- */

static enum lex_status read_number(struct reader *reader, const struct lex_json *member,
                                   struct lex_value *ret)
{
    if (member->integer) {
        ret->type = LEX_VALUE_LONG;
        return lex_json_int64(member->text, &ret->i64) == LEX_OK
                   ? LEX_OK
                   : expected(reader, member, "a number of at most 64 bits");
    }
    ret->type = LEX_VALUE_DOUBLE;
    return lex_json_double(member->text, &ret->f64) == LEX_OK
               ? LEX_OK
               : expected(reader, member, "a number within the range of a double");
}

static enum lex_status read_value(struct reader *reader, const struct lex_json *member,
                                  struct lex_value *ret)
{
    *ret = (struct lex_value){.type = LEX_VALUE_NULL};
    switch (member->type) {
    case LEX_JSON_NULL: return LEX_OK;
    case LEX_JSON_BOOL:
        ret->type = LEX_VALUE_BOOL;
        ret->boolean = member->boolean;
        return LEX_OK;
    case LEX_JSON_NUMBER: return read_number(reader, member, ret);
    case LEX_JSON_STRING:
        ret->type = LEX_VALUE_STRING;
        ret->text = member->text;
        return LEX_OK;
    case LEX_JSON_ARRAY:
        ret->type = LEX_VALUE_LIST;
        return read_strings(reader, member, &ret->list);
    default: return expected(reader, member, "null, a boolean, a number, a string or strings");
    }
}

static enum lex_status read_facts(struct reader *reader, const struct lex_json *member, void *out)
{
    size_t count = 0;
    if (member->type != LEX_JSON_OBJECT)
        return expected(reader, member, "an object");
    struct lex_member *items = lex_arena_calloc(reader->arena, member->count, sizeof *items);
    if (items == NULL)
        return no_memory(reader);
    for (const struct lex_json *fact = member->child; fact != NULL; fact = fact->next) {
        items[count].key = fact->key;
        LEX_TRY(read_value(reader, fact, &items[count++].value));
    }
    *(struct lex_member_list *)out = (struct lex_member_list){items, count};
    return LEX_OK;
}

static enum lex_status read_approval(struct reader *reader, const struct lex_json *member,
                                     const struct lex_json *node, struct lex_approval *ret)
{
    const struct lex_json *approver = lex_json_get(node, "approver");
    const struct lex_json *key = lex_json_get(node, "key");
    const struct lex_json *age = lex_json_get(node, "age_seconds");
    double seconds = -1;
    bool whole = lex_json_is(node, LEX_JSON_OBJECT) && node->count == 3 &&
                 lex_json_is(approver, LEX_JSON_STRING) && lex_json_is(key, LEX_JSON_STRING) &&
                 lex_json_is(age, LEX_JSON_NUMBER) &&
                 lex_json_double(age->text, &seconds) == LEX_OK;
    if (!whole || seconds < 0 || seconds > 1e9)
        return expected(reader, member,
                        "an array of {\"approver\": name, \"key\": text, \"age_seconds\": number}");
    *ret = (struct lex_approval){approver->text, key->text, (int64_t)(seconds * 1e6)};
    return LEX_OK;
}

static enum lex_status read_approvals(struct reader *reader, const struct lex_json *member,
                                      void *out)
{
    struct lex_facts *facts = out;
    size_t count = 0;
    if (member->type != LEX_JSON_ARRAY)
        return expected(reader, member, "an array");
    struct lex_approval *items = lex_arena_calloc(reader->arena, member->count, sizeof *items);
    if (items == NULL)
        return no_memory(reader);
    for (const struct lex_json *node = member->child; node != NULL; node = node->next)
        LEX_TRY(read_approval(reader, member, node, &items[count++]));
    facts->approvals = items;
    facts->approvals_count = count;
    return LEX_OK;
}

/* ---- the line ---- */

#define IN_REQUEST(field) offsetof(struct lex_decide_line, request.field)

static const struct {
    const char *name;
    enum lex_status (*read)(struct reader *reader, const struct lex_json *member, void *out);
    size_t offset;
} members[] = {
    {"request_id", read_string, IN_REQUEST(request_id)},
    {"actor", read_string, IN_REQUEST(actor)},
    {"proposed_action", read_string, IN_REQUEST(proposed_action)},
    {"tool", read_string, IN_REQUEST(tool)},
    {"user_intent", read_string, IN_REQUEST(user_intent)},
    {"resource", read_string, IN_REQUEST(resource)},
    {"data_classes", read_strings, IN_REQUEST(data_classes)},
    {"risk_level", read_int32, IN_REQUEST(risk_level)},
    {"requested_output_type", read_string, IN_REQUEST(requested_output_type)},
    {"policy_mode", read_string, IN_REQUEST(policy_mode)},
    {"context", read_facts, IN_REQUEST(context)},
    {"arguments", read_object, IN_REQUEST(arguments)},
    {"attestations", read_strings, IN_REQUEST(attestations)},
    {"capability_token", read_string, IN_REQUEST(capability_token)},
    {"user_id", read_string, IN_REQUEST(user_id)},
    {"want_token", read_bool, IN_REQUEST(want_token)},
    {"deadline", read_instant, IN_REQUEST(deadline)},
    {"nonce", read_string, IN_REQUEST(nonce)},
    {"attested_context", read_facts, offsetof(struct lex_decide_line, facts.attested)},
    {"roles", read_strings, offsetof(struct lex_decide_line, facts.roles)},
    {"approvals", read_approvals, offsetof(struct lex_decide_line, facts)},
    {"now", read_instant, offsetof(struct lex_decide_line, now_us)},
};

static enum lex_status unknown_member(struct reader *reader, struct lex_span key)
{
    const char *near = NULL;
    size_t best = 3;
    for (size_t i = 0; i < LEX_COUNT_OF(members); i++) {
        size_t distance = lex_edit_distance(key, lex_span_str(members[i].name), 2);
        if (distance < best) {
            best = distance;
            near = members[i].name;
        }
    }
    return lex_fail(reader->err, LEX_REJECT, "unknown member \"%.*s\"%s%s%s", LEX_SPAN_FMT(key),
                    near == NULL ? "; members of your own begin with x_" : "; did you mean \"",
                    near == NULL ? "" : near, near == NULL ? "" : "\"?");
}

/* A member that is null is absent. */
static enum lex_status read_member(struct reader *reader, const struct lex_json *member)
{
    if (member->key.len >= 2 && memcmp(member->key.data, "x_", 2) == 0)
        return LEX_OK;
    for (size_t i = 0; i < LEX_COUNT_OF(members); i++)
        if (lex_span_eq(member->key, lex_span_str(members[i].name)))
            return member->type == LEX_JSON_NULL
                       ? LEX_OK
                       : members[i].read(reader, member, (char *)reader->line + members[i].offset);
    return unknown_member(reader, member->key);
}

LEX_STATUS lex_decide_line_parse(struct lex_span text, struct lex_arena *arena,
                                 struct lex_decide_line *ret, struct lex_error *err)
{
    struct reader reader = {arena, err, ret};
    const struct lex_json *root, *id;
    *ret = (struct lex_decide_line){.request = {.risk_level = 1}};
    LEX_TRY(lex_json_parse(arena, text, &root, err));
    if (root->type != LEX_JSON_OBJECT)
        return lex_fail(err, LEX_REJECT, "a request must be an object, but it is %s",
                        lex_json_type_name(root->type));
    id = lex_json_get(root, "request_id");
    if (lex_json_is(id, LEX_JSON_STRING))
        ret->request.request_id = id->text;
    for (const struct lex_json *member = root->child; member != NULL; member = member->next)
        LEX_TRY(read_member(&reader, member));
    return LEX_OK;
}
