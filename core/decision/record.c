/* Record: what an entry must keep of an evaluation, so that it can be made again from the entry and
 * the policy, and so that the partition's history can be made again from its ledger.
 *
 * The engine's own facts (#...) come first and are never cut: the history is made of them, so an
 * evaluation whose own facts do not fit is an error, and no approval. What else does not fit only
 * makes the decision one that cannot be replayed, and the entry says so. */
#include "core/base/jcs.h"
#include "core/decision/eval.h"

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
