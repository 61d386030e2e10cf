/* Recorded: a decision, made again from its ledger entry and its policy.
 *
 * The entry holds what was asked, by whom, when, and each fact that decided with who said it. That
 * is all an evaluation reads, so an auditor with no access to the agent, the request or the service
 * gets the same answer, or knows that the entry lies. */
#include "core/decision/eval.h"

struct rebuilt {
    struct lex_request request;
    struct lex_facts facts;
    struct lex_member *context;
    struct lex_attested_fact *attested;
    struct lex_approval *approvals;
    struct lex_statement *statements;
};

static bool starts(struct lex_span text, const char *prefix)
{
    return text.len >= strlen(prefix) && memcmp(text.data, prefix, strlen(prefix)) == 0;
}

static struct lex_span text_member(const struct lex_json *object, const char *key)
{
    const struct lex_json *member = lex_json_get(object, key);
    return lex_json_is(member, LEX_JSON_STRING) ? member->text : (struct lex_span){NULL, 0};
}

/* ---- facts into what they were ---- */

/* An approval that counted: the one with its own key, as it was when it was used. */
static enum lex_status take_statement(struct rebuilt *r, const struct lex_json *value)
{
    const struct lex_json *issued = lex_json_get(value, "iat_us");
    struct lex_statement statement = {.kind = LEX_STATEMENT_FACT, .expires_us = INT64_MAX};
    statement.kid = text_member(value, "kid");
    statement.jti = text_member(value, "jti");
    struct lex_span approver = text_member(value, "approver");
    if (lex_json_is(issued, LEX_JSON_NUMBER) &&
        lex_json_int64(issued->text, &statement.issued_us) != LEX_OK)
        return LEX_REJECT;
    if (!lex_span_absent(approver)) {
        statement.kind = LEX_STATEMENT_APPROVAL;
        r->approvals[r->facts.approvals_count++] = (struct lex_approval){
            approver, statement.kid, statement.issued_us, (uint8_t)r->facts.statements_count};
    }
    r->statements[r->facts.statements_count++] = statement;
    return LEX_OK;
}

static enum lex_status take_identity(struct rebuilt *r, const struct lex_json *value,
                                     struct lex_arena *arena)
{
    const struct lex_json *roles = lex_json_get(value, "roles");
    struct lex_value list = {.type = LEX_VALUE_LIST};
    r->facts.identity = true;
    r->facts.requester_key = text_member(value, "key");
    if (roles != NULL)
        LEX_TRY(lex_fact_value(roles, arena, &list));
    if (list.type != LEX_VALUE_LIST)
        return LEX_REJECT;
    r->facts.roles = list.list;
    return LEX_OK;
}

static enum lex_status take_risk(struct rebuilt *r, const struct lex_json *value)
{
    int64_t score;
    if (!lex_json_is(value, LEX_JSON_NUMBER) || lex_json_int64(value->text, &score) != LEX_OK ||
        score < 0 || score > 100)
        return LEX_REJECT;
    r->facts.risk_score = (int32_t)score;
    return LEX_OK;
}

static enum lex_status take_fact(struct rebuilt *r, const struct lex_fact *fact,
                                 struct lex_arena *arena)
{
    const struct lex_json *node;
    struct lex_value value;
    LEX_TRY(lex_json_parse(arena, fact->value, &node, NULL));
    if (lex_span_eq(fact->name, LEX_SPAN("#risk")))
        return take_risk(r, node);
    if (fact->provenance == LEX_PROVENANCE_SERVER)
        return LEX_OK; /* read by its name, where it is asked for */
    if (starts(fact->name, "#statement."))
        return take_statement(r, node);
    if (starts(fact->name, "#identity"))
        return take_identity(r, node, arena);
    LEX_TRY(lex_fact_value(node, arena, &value));
    struct lex_member member = {fact->name, value};
    if (fact->provenance == LEX_PROVENANCE_CALLER)
        r->context[r->request.context.count++] = member;
    else
        r->attested[r->facts.attested_count++] =
            (struct lex_attested_fact){member, {NULL, 0}, UINT8_MAX};
    return LEX_OK;
}

/* ---- the request ---- */

static void take_request(struct rebuilt *r, const struct lex_ledger_entry *entry)
{
    r->request = (struct lex_request){
        .request_id = entry->request_id,
        .actor = entry->actor,
        .proposed_action = entry->action,
        .tool = entry->tool,
        .resource = entry->resource,
        .data_classes = entry->data_classes,
        .risk_level = entry->risk_given,
        .user_id = entry->user_id,
    };
    if (entry->mode_given != LEX_MODE_UNSET)
        r->request.policy_mode = lex_mode_name(entry->mode_given);
}

static enum lex_status rebuild(struct rebuilt *r, const struct lex_ledger_entry *entry,
                               struct lex_arena *arena)
{
    size_t count = entry->facts.count + 1;
    *r = (struct rebuilt){
        .context = lex_arena_alloc(arena, count * sizeof *r->context),
        .attested = lex_arena_alloc(arena, count * sizeof *r->attested),
        .approvals = lex_arena_alloc(arena, count * sizeof *r->approvals),
        .statements = lex_arena_alloc(arena, count * sizeof *r->statements),
    };
    if (r->context == NULL || r->attested == NULL || r->approvals == NULL || r->statements == NULL)
        return LEX_LIMIT;
    take_request(r, entry);
    for (size_t i = 0; i < entry->facts.count; i++)
        LEX_TRY(take_fact(r, &entry->facts.items[i], arena));
    r->request.context.items = r->context;
    r->facts.attested = r->attested;
    r->facts.approvals = r->approvals;
    r->facts.statements = r->statements;
    return LEX_OK;
}

static bool is_replayable(const struct lex_ledger_entry *entry)
{
    return entry->event_type == LEX_EVENT_TYPE_DECISION && entry->replayable &&
           entry->evaluated_at.present;
}

LEX_STATUS lex_decide_recorded(const struct lex_ledger_entry *entry,
                               const struct lex_policy *policy, struct lex_arena *arena,
                               struct lex_decision *ret, struct lex_error *err)
{
    struct rebuilt r;
    if (!is_replayable(entry))
        return lex_fail(err, LEX_REJECT, "the entry is no decision that its facts can replay");
    enum lex_status status = rebuild(&r, entry, arena);
    if (status != LEX_OK)
        return lex_fail(err, status,
                        status == LEX_LIMIT ? "not enough memory"
                                            : "the entry holds a fact that no engine wrote");
    struct lex_decide_input input = {
        .policy = policy,
        .request = &r.request,
        .facts = &r.facts,
        .recorded = &entry->facts,
        .server_mode = entry->mode_server,
        .now_us = entry->evaluated_at.value,
        .ttl_us =
            entry->valid_until.present ? entry->valid_until.value - entry->evaluated_at.value : 0,
        .request_id_optional = true,
        .identity_required = lex_span_eq(entry->identity, LEX_SPAN("attested")),
    };
    lex_decide(&input, arena, ret);
    return LEX_OK;
}
