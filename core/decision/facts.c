/* Facts: where a fact comes from, and who said so.
 *
 * A fact is read twice, as policy.md section 5 asks: once as the server or a signed statement says
 * it, once as anyone does, the caller last. What was read is noted (record.c makes it part of the
 * entry). In a decision that is made again, the entry's facts stand in for the arguments, the token
 * and the history. */
#include "core/base/jcs.h"
#include "core/decision/eval.h"

/* ---- what is noted ---- */

void lex_eval_note(struct lex_eval *eval, const struct lex_read *read)
{
    for (size_t i = 0; i < eval->reads_count; i++)
        if (eval->reads[i].provenance == read->provenance &&
            lex_span_eq(eval->reads[i].name, read->name))
            return;
    if (eval->reads_count == LEX_DECISION_FACTS_MAX)
        eval->reads_cut = true;
    else
        eval->reads[eval->reads_count++] = *read;
}

/* ---- recorded facts ---- */

static const struct lex_fact *recorded(const struct lex_decide_input *input, struct lex_span name,
                                       enum lex_provenance provenance)
{
    for (size_t i = 0; i < input->recorded->count; i++)
        if (input->recorded->items[i].provenance == provenance &&
            lex_span_eq(input->recorded->items[i].name, name))
            return &input->recorded->items[i];
    return NULL;
}

const struct lex_fact *lex_recorded(const struct lex_decide_input *input, struct lex_span name)
{
    return recorded(input, name, LEX_PROVENANCE_SERVER);
}

/* ---- JSON values ---- */

static enum lex_status list_of(const struct lex_json *array, struct lex_arena *arena,
                               struct lex_value *ret)
{
    struct lex_span *items = lex_arena_alloc(arena, array->count * sizeof *items);
    size_t count = 0;
    if (items == NULL)
        return LEX_LIMIT;
    for (const struct lex_json *item = array->child; item != NULL; item = item->next) {
        if (item->type != LEX_JSON_STRING)
            return LEX_REJECT;
        items[count++] = item->text;
    }
    *ret = (struct lex_value){LEX_VALUE_LIST, {.list = {items, count}}};
    return LEX_OK;
}

LEX_STATUS lex_fact_value(const struct lex_json *node, struct lex_arena *arena,
                          struct lex_value *ret)
{
    double number;
    switch (node->type) {
    case LEX_JSON_NULL: *ret = (struct lex_value){.type = LEX_VALUE_NULL}; return LEX_OK;
    case LEX_JSON_BOOL:
        *ret = (struct lex_value){LEX_VALUE_BOOL, {.boolean = node->boolean}};
        return LEX_OK;
    case LEX_JSON_STRING:
        *ret = (struct lex_value){LEX_VALUE_STRING, {.text = node->text}};
        return LEX_OK;
    case LEX_JSON_NUMBER:
        LEX_TRY(lex_json_double(node->text, &number));
        *ret = (struct lex_value){LEX_VALUE_DOUBLE, {.f64 = number}};
        return LEX_OK;
    case LEX_JSON_ARRAY: return list_of(node, arena, ret);
    default: return LEX_REJECT;
    }
}

/* NULL where the node has no type that a fact can have: an object, a list of other than strings. */
static const struct lex_value *value_of(struct lex_eval *eval, const struct lex_json *node)
{
    struct lex_value *kept = lex_arena_alloc(eval->arena, sizeof *kept);
    enum lex_status status = kept == NULL ? LEX_LIMIT : lex_fact_value(node, eval->arena, kept);
    eval->failed = eval->failed || status == LEX_LIMIT;
    return status == LEX_OK ? kept : NULL;
}

static struct lex_reading both(bool present, const struct lex_value *value)
{
    return (struct lex_reading){present, present, false, value, value};
}

/* ---- the sources ---- */

static struct lex_reading read_recorded(struct lex_eval *eval, struct lex_span name)
{
    const struct lex_fact *fact = lex_recorded(eval->input, name);
    const struct lex_json *node;
    if (fact == NULL)
        return both(false, NULL);
    if (lex_json_parse(eval->arena, fact->value, &node, NULL) != LEX_OK) {
        eval->failed = true;
        return both(false, NULL);
    }
    struct lex_read read = {name, LEX_PROVENANCE_SERVER, NULL, fact->value, NULL};
    lex_eval_note(eval, &read);
    return both(true, value_of(eval, node));
}

static const struct lex_json *member(const struct lex_json *object, struct lex_span key)
{
    if (!lex_json_is(object, LEX_JSON_OBJECT))
        return NULL;
    for (const struct lex_json *node = object->child; node != NULL; node = node->next)
        if (lex_span_eq(node->key, key))
            return node;
    return NULL;
}

static const struct lex_json *walk(const struct lex_json *node, struct lex_span path)
{
    while (path.len != 0 && node != NULL) {
        size_t end = 0;
        while (end < path.len && path.data[end] != '.')
            end++;
        node = member(node, lex_span_of(path.data, end));
        size_t skip = end < path.len ? end + 1 : end;
        path = lex_span_of(path.data + skip, path.len - skip);
    }
    return node != NULL && node->type != LEX_JSON_NULL ? node : NULL;
}

/* A value that no fact can have is noted by its canonical text. */
static struct lex_span canonical(struct lex_eval *eval, const struct lex_json *node)
{
    struct lex_buf buf;
    lex_buf_init(&buf, LEX_FACT_MAX_BYTES);
    lex_jcs_put(&buf, node);
    struct lex_span text = lex_buf_ok(&buf) ? lex_arena_dup(eval->arena, lex_buf_span(&buf))
                                            : (struct lex_span){NULL, 0};
    eval->reads_cut = eval->reads_cut || lex_span_absent(text);
    lex_buf_fini(&buf);
    return text;
}

static struct lex_reading read_argument(struct lex_eval *eval, const struct lex_fact_info *fact)
{
    if (eval->input->recorded != NULL)
        return read_recorded(eval, fact->name);
    const struct lex_json *node = walk(eval->arguments, fact->path);
    if (node == NULL)
        return both(false, NULL);
    const struct lex_value *value = value_of(eval, node);
    struct lex_read read = {fact->name, LEX_PROVENANCE_SERVER, value, {NULL, 0}, NULL};
    if (value == NULL)
        read.json = canonical(eval, node);
    if (value != NULL || !lex_span_absent(read.json))
        lex_eval_note(eval, &read);
    return both(true, value);
}

static const struct lex_value *find_member(const struct lex_member_list *list, struct lex_span name)
{
    for (size_t i = 0; i < list->count; i++)
        if (lex_span_eq(list->items[i].key, name))
            return list->items[i].value.type == LEX_VALUE_NULL ? NULL : &list->items[i].value;
    return NULL;
}

static struct lex_reading read_token(struct lex_eval *eval, const struct lex_fact_info *fact)
{
    if (eval->input->recorded != NULL)
        return read_recorded(eval, fact->name);
    const struct lex_value *value =
        eval->input->facts == NULL ? NULL : find_member(&eval->input->facts->token, fact->path);
    if (value == NULL)
        return both(false, NULL);
    struct lex_read read = {fact->name, LEX_PROVENANCE_SERVER, value, {NULL, 0}, NULL};
    lex_eval_note(eval, &read);
    return both(true, value);
}

static struct lex_reading keep(struct lex_eval *eval, const struct lex_value *value, bool governed)
{
    struct lex_value *kept = lex_arena_alloc(eval->arena, sizeof *kept);
    if (kept == NULL) {
        eval->failed = true;
        return both(false, NULL);
    }
    *kept = *value;
    return (struct lex_reading){governed, true, false, governed ? kept : NULL, kept};
}

static struct lex_reading read_text(struct lex_eval *eval, struct lex_span text, bool governed)
{
    struct lex_value value = {LEX_VALUE_STRING, {.text = text}};
    return lex_span_absent(text) ? both(false, NULL) : keep(eval, &value, governed);
}

/* The caller's own words of the request are facts of its context: noted, and read from there when
 * the decision is made again. What is governed stands in the entry itself. */
static struct lex_reading read_said(struct lex_eval *eval, const struct lex_fact_info *fact,
                                    struct lex_span text)
{
    if (eval->input->recorded != NULL) {
        const struct lex_value *value = find_member(&eval->request->context, fact->name);
        text = value == NULL || value->type != LEX_VALUE_STRING ? (struct lex_span){NULL, 0}
                                                                : value->text;
    }
    struct lex_reading reading = read_text(eval, text, false);
    struct lex_read read = {fact->name, LEX_PROVENANCE_CALLER, reading.all, {NULL, 0}, NULL};
    if (reading.all != NULL)
        lex_eval_note(eval, &read);
    return reading;
}

bool lex_request_field_governed(uint8_t field)
{
    static const bool governed_fields[] = {
#define LEX_REQUEST_FIELD(name, word, governed) governed,
#include "core/policy/request_fields.def"
#undef LEX_REQUEST_FIELD
    };
    return governed_fields[field];
}

static struct lex_reading read_request(struct lex_eval *eval, const struct lex_fact_info *fact)
{
    const struct lex_request *request = eval->request;
    struct lex_value value = {.type = LEX_VALUE_NULL};
    switch ((enum lex_request_field)fact->field) {
    case LEX_REQUEST_FIELD_ACTOR: return read_text(eval, request->actor, true);
    case LEX_REQUEST_FIELD_PROPOSED_ACTION: return read_text(eval, request->proposed_action, true);
    case LEX_REQUEST_FIELD_TOOL: return read_text(eval, request->tool, true);
    case LEX_REQUEST_FIELD_RESOURCE: return read_text(eval, request->resource, true);
    case LEX_REQUEST_FIELD_DATA_CLASSES:
        value = (struct lex_value){LEX_VALUE_LIST, {.list = request->data_classes}};
        return keep(eval, &value, true);
    case LEX_REQUEST_FIELD_RISK_LEVEL:
        value = (struct lex_value){LEX_VALUE_LONG, {.i64 = request->risk_level}};
        return keep(eval, &value, true);
    case LEX_REQUEST_FIELD_USER_INTENT: return read_said(eval, fact, request->user_intent);
    case LEX_REQUEST_FIELD_REQUESTED_OUTPUT_TYPE:
        return read_said(eval, fact, request->requested_output_type);
    case LEX_REQUEST_FIELD_POLICY_MODE: return read_said(eval, fact, request->policy_mode);
    case LEX_REQUEST_FIELD_USER_ID: return read_said(eval, fact, request->user_id);
    default: return both(false, NULL);
    }
}

static bool may_attest(const struct lex_fact_info *fact, struct lex_span issuer)
{
    for (size_t i = 0; i < fact->attesters.count; i++)
        if (lex_span_eq(fact->attesters.items[i], issuer))
            return true;
    return fact->attesters.count == 0;
}

static bool attests(const struct lex_eval *eval, const struct lex_attested_fact *attested,
                    const struct lex_fact_info *fact)
{
    return lex_span_eq(attested->member.key, fact->name) &&
           attested->member.value.type != LEX_VALUE_NULL &&
           (eval->input->recorded != NULL || may_attest(fact, attested->issuer));
}

static bool same_list(const struct lex_span_list *a, const struct lex_span_list *b)
{
    for (size_t i = 0; a->count == b->count && i < a->count; i++)
        if (!lex_span_eq(a->items[i], b->items[i]))
            return false;
    return a->count == b->count;
}

static bool same_value(const struct lex_value *a, const struct lex_value *b)
{
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case LEX_VALUE_BOOL: return a->boolean == b->boolean;
    case LEX_VALUE_LONG: return a->i64 == b->i64;
    case LEX_VALUE_DOUBLE: return !(a->f64 < b->f64) && !(a->f64 > b->f64);
    case LEX_VALUE_STRING: return lex_span_eq(a->text, b->text);
    case LEX_VALUE_LIST: return same_list(&a->list, &b->list);
    default: return true;
    }
}

/* What signed statements say. Two that disagree establish nothing: which of them stands first is
 * the caller's choice, and must not be what decides. */
static struct lex_reading read_attested(struct lex_eval *eval, const struct lex_fact_info *fact)
{
    const struct lex_facts *facts = eval->input->facts;
    const struct lex_value *value = NULL;
    for (size_t i = 0; facts != NULL && i < facts->attested_count; i++) {
        const struct lex_attested_fact *attested = &facts->attested[i];
        if (!attests(eval, attested, fact))
            continue;
        if (value != NULL && !same_value(value, &attested->member.value)) {
            eval->reads_cut = true; /* an entry has room for one of them */
            return both(true, NULL);
        }
        value = &attested->member.value;
        lex_eval_use_statement(eval, attested->statement);
    }
    struct lex_read read = {fact->name, LEX_PROVENANCE_ATTESTED, value, {NULL, 0}, NULL};
    if (value != NULL)
        lex_eval_note(eval, &read);
    return both(value != NULL, value);
}

/* Attested over caller. */
static struct lex_reading read_context(struct lex_eval *eval, const struct lex_fact_info *fact)
{
    struct lex_reading attested = read_attested(eval, fact);
    if (attested.all_present)
        return attested;
    const struct lex_value *value = find_member(&eval->request->context, fact->name);
    if (value == NULL)
        return both(false, NULL);
    struct lex_read read = {fact->name, LEX_PROVENANCE_CALLER, value, {NULL, 0}, NULL};
    lex_eval_note(eval, &read);
    return (struct lex_reading){false, true, false, NULL, value};
}

static struct lex_reading read_number(struct lex_eval *eval, int32_t number)
{
    struct lex_value value = {LEX_VALUE_LONG, {.i64 = number}};
    return keep(eval, &value, true);
}

static struct lex_reading read_source(struct lex_eval *eval, const struct lex_fact_info *fact)
{
    switch (fact->source) {
    case LEX_FACT_CONTEXT: return read_context(eval, fact);
    case LEX_FACT_ARGUMENT: return read_argument(eval, fact);
    case LEX_FACT_REQUEST: return read_request(eval, fact);
    case LEX_FACT_TOKEN: return read_token(eval, fact);
    case LEX_FACT_RISK_LEVEL: return read_number(eval, (eval->risk_score + 19) / 20);
    case LEX_FACT_RISK_SCORE: return read_number(eval, eval->risk_score);
    default: return both(false, NULL); /* a set has no value of its own */
    }
}

/* ---- the declared type ---- */

static bool has_type(const struct lex_value *value, enum lex_fact_type type)
{
    switch (type) {
    case LEX_FACT_BOOLEAN: return value->type == LEX_VALUE_BOOL;
    case LEX_FACT_NUMBER: return value->type == LEX_VALUE_LONG || value->type == LEX_VALUE_DOUBLE;
    case LEX_FACT_STRING: return value->type == LEX_VALUE_STRING;
    case LEX_FACT_LIST: return value->type == LEX_VALUE_LIST;
    default: return true;
    }
}

static const struct lex_value *typed(const struct lex_value *value, enum lex_fact_type type,
                                     bool *ill_typed)
{
    if (value == NULL || has_type(value, type))
        return value;
    *ill_typed = true;
    return NULL;
}

static struct lex_reading read_typed(struct lex_eval *eval, const struct lex_fact_info *info)
{
    struct lex_reading reading = read_source(eval, info);
    reading.trusted = typed(reading.trusted, info->type, &reading.ill_typed);
    reading.all = typed(reading.all, info->type, &reading.ill_typed);
    return reading;
}

/* Nothing that a fact is read from changes while a request is evaluated. */
struct lex_reading lex_eval_read(struct lex_eval *eval, uint32_t fact)
{
    uint32_t slot = fact % LEX_READINGS_KEPT;
    if ((eval->readings_kept >> slot & 1) != 0 && eval->readings[slot].fact == fact)
        return eval->readings[slot].reading;
    struct lex_reading reading = read_typed(eval, &eval->policy->facts[fact]);
    eval->readings_kept |= 1u << slot;
    eval->readings[slot].fact = fact;
    eval->readings[slot].reading = reading;
    return reading;
}
