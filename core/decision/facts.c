/* Facts: where a fact comes from, who said so, and what of it the entry must keep.
 *
 * A fact is read twice, as policy.md section 5 asks: once as the server or a signed statement says
 * it, once as anyone does, the caller last. What was read is noted: an auditor who has the entry
 * and the policy decides again without the request. In a decision that is made again, the entry's
 * facts stand in for the arguments, the token and the history. */
#include "core/base/jcs.h"
#include "core/base/text.h"
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

static void put_list(struct lex_buf *buf, const struct lex_span_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        lex_buf_putc(buf, i == 0 ? '[' : ',');
        lex_jcs_put_string(buf, list->items[i]);
    }
    lex_buf_puts(buf, list->count == 0 ? "[]" : "]");
}

static void put_value(struct lex_buf *buf, const struct lex_value *value)
{
    switch (value->type) {
    case LEX_VALUE_NULL: lex_buf_puts(buf, "null"); break;
    case LEX_VALUE_BOOL: lex_buf_puts(buf, value->boolean ? "true" : "false"); break;
    case LEX_VALUE_LONG: lex_jcs_put_int64(buf, value->i64); break;
    case LEX_VALUE_DOUBLE: lex_jcs_put_double(buf, value->f64); break;
    case LEX_VALUE_STRING: lex_jcs_put_string(buf, value->text); break;
    case LEX_VALUE_LIST: put_list(buf, &value->list); break;
    }
}

/* The value's JSON, at most LEX_FACT_MAX_BYTES; absent when it has more. */
static enum lex_status text_of(struct lex_eval *eval, const struct lex_read *read,
                               struct lex_span *ret)
{
    char memory[LEX_FACT_MAX_BYTES + 1];
    struct lex_buf buf;
    *ret = (struct lex_span){NULL, 0};
    if (read->value != NULL && read->value->type == LEX_VALUE_BOOL) {
        *ret = read->value->boolean ? LEX_SPAN("true") : LEX_SPAN("false");
        return LEX_OK;
    }
    if (read->value == NULL) {
        *ret = read->json.len <= LEX_FACT_MAX_BYTES ? read->json : *ret;
        return LEX_OK;
    }
    lex_buf_borrow(&buf, memory, sizeof memory);
    put_value(&buf, read->value);
    if (!lex_buf_ok(&buf))
        return LEX_OK;
    *ret = lex_arena_dup(eval->arena, lex_buf_span(&buf));
    return lex_span_absent(*ret) ? LEX_LIMIT : LEX_OK;
}

static enum lex_status put_fact(struct lex_eval *eval, const struct lex_read *read,
                                struct lex_fact *items, size_t *count)
{
    struct lex_span text = {NULL, 0};
    bool room = *count < LEX_DECISION_FACTS_MAX;
    if (room)
        LEX_TRY(text_of(eval, read, &text));
    if (lex_span_absent(text)) {
        bool own = read->name.data[0] == '#';
        eval->reads_cut = true;
        eval->tally.cut++;
        return own ? LEX_LIMIT : LEX_OK; /* what the history is made of is never cut */
    }
    items[(*count)++] = (struct lex_fact){read->name, read->provenance, text};
    return LEX_OK;
}

/* ---- the engine's own facts ---- */

static enum lex_status put_own(struct lex_eval *eval, struct lex_span name,
                               enum lex_provenance provenance, const struct lex_buf *buf,
                               struct lex_fact *items, size_t *count)
{
    struct lex_read read = {.name = name, .provenance = provenance};
    if (lex_span_absent(name) || !lex_buf_ok(buf))
        return LEX_LIMIT;
    read.json = lex_arena_dup(eval->arena, lex_buf_span(buf));
    return lex_span_absent(read.json) ? LEX_LIMIT : put_fact(eval, &read, items, count);
}

/* Who asked, as attested: the key it was signed with, and the roles. */
static enum lex_status put_identity(struct lex_eval *eval, struct lex_fact *items, size_t *count)
{
    char memory[LEX_FACT_MAX_BYTES + 1];
    const struct lex_facts *facts = eval->input->facts;
    struct lex_buf buf;
    if (facts == NULL || !facts->identity)
        return LEX_OK;
    lex_buf_borrow(&buf, memory, sizeof memory);
    lex_buf_puts(&buf, "{\"key\":");
    if (lex_span_absent(facts->requester_key))
        lex_buf_puts(&buf, "null");
    else
        lex_jcs_put_string(&buf, facts->requester_key);
    lex_buf_puts(&buf, ",\"roles\":");
    put_list(&buf, &facts->roles);
    lex_buf_putc(&buf, '}');
    if (lex_buf_ok(&buf))
        return put_own(eval, LEX_SPAN("#identity"), LEX_PROVENANCE_ATTESTED, &buf, items, count);
    eval->reads_cut = true; /* too many roles for an entry: nothing of the history is lost */
    eval->tally.cut++;
    return LEX_OK;
}

static void put_approver(struct lex_buf *buf, const struct lex_facts *facts, size_t statement)
{
    for (size_t i = 0; i < facts->approvals_count; i++)
        if (facts->approvals[i].statement == statement) {
            lex_buf_puts(buf, ",\"approver\":");
            lex_jcs_put_string(buf, facts->approvals[i].approver);
            return;
        }
}

/* A statement that counted: which it was, so that it counts once. */
static enum lex_status put_statement(struct lex_eval *eval, size_t index, struct lex_fact *items,
                                     size_t *count)
{
    static const char *const kinds[] = {"identity", "fact", "approval"};
    char memory[LEX_FACT_MAX_BYTES + 1];
    const struct lex_facts *facts = eval->input->facts;
    const struct lex_statement *statement = &facts->statements[index];
    struct lex_buf buf;
    lex_buf_borrow(&buf, memory, sizeof memory);
    lex_buf_printf(&buf, "{\"kind\":\"%s\",\"kid\":", kinds[statement->kind]);
    lex_jcs_put_string(&buf, statement->kid);
    lex_buf_puts(&buf, ",\"jti\":");
    lex_jcs_put_string(&buf, statement->jti);
    lex_buf_puts(&buf, ",\"iat_us\":");
    lex_jcs_put_int64(&buf, statement->issued_us);
    put_approver(&buf, facts, index);
    lex_buf_putc(&buf, '}');
    if (!lex_buf_ok(&buf)) { /* the approver's name is long: it is in the obligations too */
        lex_buf_borrow(&buf, memory, sizeof memory);
        lex_buf_printf(&buf, "{\"kind\":\"%s\",\"kid\":", kinds[statement->kind]);
        lex_jcs_put_string(&buf, statement->kid);
        lex_buf_puts(&buf, ",\"jti\":");
        lex_jcs_put_string(&buf, statement->jti);
        lex_buf_putc(&buf, '}');
        eval->reads_cut = true;
    }
    return put_own(eval, lex_arena_printf(eval->arena, "#statement.%zu", index),
                   LEX_PROVENANCE_ATTESTED, &buf, items, count);
}

static enum lex_status put_rate(struct lex_eval *eval, const struct lex_rate_use *rate,
                                struct lex_fact *items, size_t *count)
{
    char memory[LEX_FACT_MAX_BYTES + 1];
    struct lex_buf buf;
    lex_buf_borrow(&buf, memory, sizeof memory);
    lex_buf_printf(&buf, "{\"add\":%lld,\"key\":\"",
                   rate->reserved && eval->tally.outcome == LEX_OUTCOME_APPROVED
                       ? (long long)rate->add
                       : -1LL);
    lex_buf_put_hex(&buf, rate->key.bytes, sizeof rate->key.bytes);
    lex_buf_printf(&buf, "\",\"used\":%lld}", (long long)rate->used);
    return put_own(eval, lex_rate_name(eval, rate->rule, rate->condition), LEX_PROVENANCE_SERVER,
                   &buf, items, count);
}

static enum lex_status put_risk(struct lex_eval *eval, struct lex_fact *items, size_t *count)
{
    char memory[16];
    struct lex_buf buf;
    if (eval->input->facts == NULL || eval->input->facts->risk_score == 0)
        return LEX_OK;
    lex_buf_borrow(&buf, memory, sizeof memory);
    lex_jcs_put_int64(&buf, eval->input->facts->risk_score);
    return put_own(eval, LEX_SPAN("#risk"), LEX_PROVENANCE_SERVER, &buf, items, count);
}

/* Whether the facts beside the request have to be told. */
static bool stands_on(const struct lex_facts *facts)
{
    return facts != NULL && (facts->identity || facts->risk_score != 0);
}

LEX_STATUS lex_eval_facts(struct lex_eval *eval, struct lex_fact_list *ret_facts)
{
    size_t most = eval->reads_count + eval->rates_count + eval->duties_count;
    size_t count = 0;
    if (most == 0 && eval->statements_used == 0 && !stands_on(eval->input->facts)) {
        *ret_facts = (struct lex_fact_list){NULL, 0};
        return LEX_OK;
    }
    struct lex_fact *items = lex_arena_alloc(eval->arena, LEX_DECISION_FACTS_MAX * sizeof *items);
    if (items == NULL)
        return LEX_LIMIT;
    for (size_t i = 0; i < LEX_ATTESTATIONS_MAX; i++)
        if ((eval->statements_used >> i & 1) != 0)
            LEX_TRY(put_statement(eval, i, items, &count));
    for (size_t i = 0; i < eval->rates_count; i++)
        LEX_TRY(put_rate(eval, &eval->rates[i], items, &count));
    for (size_t i = 0; i < eval->duties_count; i++)
        LEX_TRY(put_fact(eval, &eval->duties[i], items, &count));
    LEX_TRY(put_risk(eval, items, &count));
    LEX_TRY(put_identity(eval, items, &count));
    for (size_t i = 0; i < eval->reads_count; i++)
        LEX_TRY(put_fact(eval, &eval->reads[i], items, &count));
    *ret_facts = (struct lex_fact_list){items, count};
    return LEX_OK;
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
    struct lex_read read = {name, LEX_PROVENANCE_SERVER, NULL, fact->value};
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
    struct lex_read read = {fact->name, LEX_PROVENANCE_SERVER, value, {NULL, 0}};
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
    struct lex_read read = {fact->name, LEX_PROVENANCE_SERVER, value, {NULL, 0}};
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
    struct lex_read read = {fact->name, LEX_PROVENANCE_CALLER, reading.all, {NULL, 0}};
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
    struct lex_read read = {fact->name, LEX_PROVENANCE_ATTESTED, value, {NULL, 0}};
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
    struct lex_read read = {fact->name, LEX_PROVENANCE_CALLER, value, {NULL, 0}};
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

struct lex_reading lex_eval_read(struct lex_eval *eval, uint32_t fact)
{
    const struct lex_fact_info *info = &eval->policy->facts[fact];
    struct lex_reading reading = read_source(eval, info);
    reading.trusted = typed(reading.trusted, info->type, &reading.ill_typed);
    reading.all = typed(reading.all, info->type, &reading.ill_typed);
    return reading;
}
