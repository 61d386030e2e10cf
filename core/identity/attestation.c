/* Attestations, in the order of what a check costs and of whom it trusts: the size, the header (a
 * stranger's), the pinned key, the signature; only then the claims (an issuer's own words), and
 * last whether it was used. So what strangers send costs a small header and at most one signature.
 */
#include "core/identity/issuers.h"

#include "core/base/jcs.h"
#include "core/identity/claims.h"

struct run {
    const struct lex_identity *identity;
    const struct lex_identity_input *input;
    struct lex_arena *arena;
    struct lex_statement *statements; /* LEX_ATTESTATIONS_MAX of them */
    struct lex_facts facts;           /* what has counted so far */
    enum lex_identity_why why;        /* of the last LEX_REJECT */
};

/* One attestation on its way. */
struct message {
    enum lex_statement_kind kind;
    const struct lex_issuer_key *key;
    const struct lex_json *claims;
    struct lex_statement statement;
};

static enum lex_status refuse(struct run *run, enum lex_identity_why why)
{
    return lex_refuse(why, &run->why);
}

/* ---- the envelope ---- */

static bool kind_of(struct lex_span typ, enum lex_statement_kind *ret_kind)
{
    static const struct lex_span names[] = {
        [LEX_STATEMENT_IDENTITY] = LEX_SPAN_INIT("lexecon-identity+jwt"),
        [LEX_STATEMENT_FACT] = LEX_SPAN_INIT("lexecon-fact+jwt"),
        [LEX_STATEMENT_APPROVAL] = LEX_SPAN_INIT("lexecon-approval+jwt"),
    };
    for (unsigned kind = 0; kind < LEX_COUNT_OF(names); kind++)
        if (!lex_span_absent(typ) && lex_span_eq(typ, names[kind])) {
            *ret_kind = kind;
            return true;
        }
    return false;
}

/* Signature, then the claims as JSON. */
static enum lex_status open_message(struct run *run, const struct lex_jws *jws,
                                    struct message *message)
{
    enum lex_jws_problem problem;
    struct lex_span payload;
    enum lex_status status = lex_jws_open(jws, &message->key->jwk.key, message->key->jwk.alg,
                                          run->arena, &payload, &problem);
    if (status == LEX_REJECT)
        return refuse(run, lex_why_of_jws(problem));
    LEX_TRY(status);
    status = lex_json_parse(run->arena, payload, &message->claims, NULL);
    if (status == LEX_REJECT || (status == LEX_OK && message->claims->type != LEX_JSON_OBJECT))
        return refuse(run, LEX_IDENTITY_MALFORMED);
    return status;
}

/* ---- claims of every kind ---- */

/* `<org>/<cluster>` of `<org>/<cluster>/<topic>/<partition>`: a topic's name holds no slash. */
static struct lex_span origin_prefix(struct lex_span origin)
{
    for (int slashes = 0; origin.len > 0 && slashes < 2; origin.len--)
        slashes += origin.data[origin.len - 1] == '/';
    return origin;
}

/* RFC 7519 section 4.1.3: whoever is not named in an audience that is there must refuse. */
static bool audience_fits(const struct lex_json *claims, struct lex_span origin)
{
    const struct lex_json *aud = lex_json_get(claims, "aud");
    struct lex_span prefix = origin_prefix(origin);
    if (aud == NULL)
        return true;
    const struct lex_json *one = aud->type == LEX_JSON_ARRAY ? aud->child : aud;
    for (; one != NULL; one = aud->type == LEX_JSON_ARRAY ? one->next : NULL)
        if (lex_json_is(one, LEX_JSON_STRING) &&
            (lex_span_eq(one->text, origin) || lex_span_eq(one->text, prefix)))
            return true;
    return false;
}

static enum lex_status check_common(struct run *run, struct message *message)
{
    const struct lex_json *claims = message->claims;
    const struct lex_identity_input *input = run->input;
    int64_t iat_s, exp_s;
    if (!lex_claim_is(claims, "iss", message->key->issuer->iss))
        return refuse(run, LEX_IDENTITY_WRONG_ISSUER);
    if (!audience_fits(claims, input->origin))
        return refuse(run, LEX_IDENTITY_WRONG_AUDIENCE);
    LEX_TRY(lex_claims_time(claims, input->now_us, LEX_STATEMENT_LIFETIME_MAX_S, &iat_s, &exp_s,
                            &run->why));
    struct lex_span jti = lex_claim_text(claims, "jti");
    if (!lex_kid_valid(jti))
        return refuse(run, LEX_IDENTITY_MALFORMED);
    if (!lex_claim_is(claims, "sub", input->request->actor))
        return refuse(run, LEX_IDENTITY_WRONG_SUBJECT);
    bool bound = message->kind != LEX_STATEMENT_IDENTITY || lex_json_get(claims, "req") != NULL;
    if (bound && !lex_claim_is_hash(claims, "req", input->fingerprint))
        return refuse(run, LEX_IDENTITY_WRONG_REQUEST);
    message->statement = (struct lex_statement){.kind = message->kind,
                                                .kid = message->key->jwk.kid,
                                                .jti = jti,
                                                .issued_us = iat_s * 1000000,
                                                .expires_us = exp_s * 1000000};
    return LEX_OK;
}

static bool same_statement(const struct lex_statement *a, const struct lex_statement *b)
{
    if (a->kind == LEX_STATEMENT_IDENTITY && b->kind == LEX_STATEMENT_IDENTITY)
        return true; /* one request has one identity, and the first one stands */
    return lex_span_eq(a->kid, b->kid) && lex_span_eq(a->jti, b->jti);
}

static enum lex_status check_unused(struct run *run, const struct lex_statement *statement)
{
    const struct lex_identity_input *input = run->input;
    for (size_t i = 0; i < run->facts.statements_count; i++)
        if (same_statement(&run->statements[i], statement))
            return refuse(run, LEX_IDENTITY_DUPLICATE);
    if (statement->kind != LEX_STATEMENT_IDENTITY &&
        input->used(input->used_context, statement->kid, statement->jti, statement->issued_us))
        return refuse(run, LEX_IDENTITY_REUSED);
    return LEX_OK;
}

/* ---- identity ---- */

static enum lex_status take_identity(struct run *run, const struct message *message)
{
    const struct lex_json *roles = lex_json_get(message->claims, "roles");
    const struct lex_issuer *issuer = message->key->issuer;
    size_t count = 0;
    if (roles != NULL && (roles->type != LEX_JSON_ARRAY || roles->count > LEX_STATEMENT_ROLES_MAX))
        return refuse(run, LEX_IDENTITY_MALFORMED);
    if (!lex_issuer_may(&issuer->actors, run->input->request->actor))
        return refuse(run, LEX_IDENTITY_NOT_ALLOWED);
    struct lex_span *items =
        lex_arena_calloc(run->arena, roles != NULL ? roles->count : 0, sizeof *items);
    if (items == NULL)
        return LEX_LIMIT;
    for (const struct lex_json *role = roles != NULL ? roles->child : NULL; role != NULL;
         role = role->next) {
        if (role->type != LEX_JSON_STRING || !lex_issuer_name_valid(role->text))
            return refuse(run, LEX_IDENTITY_MALFORMED);
        if (!lex_issuer_may(&issuer->roles, role->text))
            return refuse(run, LEX_IDENTITY_NOT_ALLOWED);
        items[count++] = role->text;
    }
    run->facts.roles = (struct lex_span_list){items, count};
    run->facts.requester_key = message->statement.kid;
    run->facts.identity = true;
    return LEX_OK;
}

/* ---- facts ---- */

static enum lex_status list_of(struct run *run, const struct lex_json *node,
                               struct lex_value *ret_value)
{
    size_t count = 0;
    if (node->count > LEX_STATEMENT_LIST_MAX)
        return refuse(run, LEX_IDENTITY_MALFORMED);
    struct lex_span *items = lex_arena_calloc(run->arena, node->count, sizeof *items);
    if (items == NULL)
        return LEX_LIMIT;
    for (const struct lex_json *item = node->child; item != NULL; item = item->next) {
        if (item->type != LEX_JSON_STRING)
            return refuse(run, LEX_IDENTITY_MALFORMED);
        items[count++] = item->text;
    }
    *ret_value = (struct lex_value){.type = LEX_VALUE_LIST, .list = {items, count}};
    return LEX_OK;
}

/* A number must come out as it was written: an integer beyond 2^53 - 1 does not in most of the
 * languages that an issuer is written in. */
static enum lex_status number_of(struct run *run, const struct lex_json *node,
                                 struct lex_value *ret_value)
{
    struct lex_value value = {.type = LEX_VALUE_LONG};
    if (lex_jcs_inexact(node) != NULL)
        return refuse(run, LEX_IDENTITY_MALFORMED);
    if (!node->integer || lex_json_int64(node->text, &value.i64) != LEX_OK) {
        value.type = LEX_VALUE_DOUBLE;
        if (lex_json_double(node->text, &value.f64) != LEX_OK)
            return refuse(run, LEX_IDENTITY_MALFORMED);
    }
    *ret_value = value;
    return LEX_OK;
}

static enum lex_status value_of(struct run *run, const struct lex_json *node,
                                struct lex_value *ret_value)
{
    switch (node->type) {
    case LEX_JSON_NULL: *ret_value = (struct lex_value){.type = LEX_VALUE_NULL}; return LEX_OK;
    case LEX_JSON_BOOL:
        *ret_value = (struct lex_value){.type = LEX_VALUE_BOOL, .boolean = node->boolean};
        return LEX_OK;
    case LEX_JSON_STRING:
        *ret_value = (struct lex_value){.type = LEX_VALUE_STRING, .text = node->text};
        return LEX_OK;
    case LEX_JSON_NUMBER: return number_of(run, node, ret_value);
    case LEX_JSON_ARRAY: return list_of(run, node, ret_value);
    case LEX_JSON_OBJECT: break;
    }
    return refuse(run, LEX_IDENTITY_MALFORMED);
}

/* The facts behind those that stand already, in a new array: nothing is added before all hold. */
static enum lex_status read_facts(struct run *run, const struct message *message,
                                  const struct lex_json *facts, struct lex_attested_fact *into)
{
    for (const struct lex_json *node = facts->child; node != NULL; node = node->next, into++) {
        if (!lex_issuer_name_valid(node->key))
            return refuse(run, LEX_IDENTITY_MALFORMED);
        if (!lex_issuer_may(&message->key->issuer->facts, node->key))
            return refuse(run, LEX_IDENTITY_NOT_ALLOWED);
        *into = (struct lex_attested_fact){.member = {.key = node->key},
                                           .issuer = message->key->issuer->iss,
                                           .statement = (uint8_t)run->facts.statements_count};
        LEX_TRY(value_of(run, node, &into->member.value));
    }
    return LEX_OK;
}

static enum lex_status take_facts(struct run *run, const struct message *message)
{
    const struct lex_json *facts = lex_json_get(message->claims, "facts");
    size_t before = run->facts.attested_count;
    if (!lex_json_is(facts, LEX_JSON_OBJECT) || facts->count == 0 ||
        facts->count > LEX_STATEMENT_FACTS_MAX)
        return refuse(run, LEX_IDENTITY_MALFORMED);
    struct lex_attested_fact *all =
        lex_arena_calloc(run->arena, before + facts->count, sizeof *all);
    if (all == NULL)
        return LEX_LIMIT;
    for (size_t i = 0; i < before; i++)
        all[i] = run->facts.attested[i];
    LEX_TRY(read_facts(run, message, facts, all + before));
    run->facts.attested = all;
    run->facts.attested_count = before + facts->count;
    return LEX_OK;
}

/* ---- approvals ---- */

/* dec_ and a ULID: 26 digits of Crockford's base 32 (formats.md, "Ledger entry"). */
static bool decision_id_valid(struct lex_span id)
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    if (id.len != 30 || memcmp(id.data, "dec_", 4) != 0)
        return false;
    for (size_t i = 4; i < id.len; i++)
        if (id.data[i] == '\0' || strchr(digits, id.data[i]) == NULL)
            return false;
    return true;
}

static enum lex_status take_approval(struct run *run, const struct message *message)
{
    struct lex_span approver = lex_claim_text(message->claims, "approver");
    size_t before = run->facts.approvals_count;
    if (!lex_issuer_name_valid(approver) ||
        !decision_id_valid(lex_claim_text(message->claims, "decision_id")))
        return refuse(run, LEX_IDENTITY_MALFORMED);
    if (!lex_claim_is(message->claims, "log", run->input->origin))
        return refuse(run, LEX_IDENTITY_WRONG_LOG);
    if (!lex_issuer_may(&message->key->issuer->approvers, approver))
        return refuse(run, LEX_IDENTITY_NOT_ALLOWED);
    struct lex_approval *all = lex_arena_calloc(run->arena, before + 1, sizeof *all);
    if (all == NULL)
        return LEX_LIMIT;
    for (size_t i = 0; i < before; i++)
        all[i] = run->facts.approvals[i];
    all[before] = (struct lex_approval){.approver = approver,
                                        .key = message->statement.kid,
                                        .issued_us = message->statement.issued_us,
                                        .statement = (uint8_t)run->facts.statements_count};
    run->facts.approvals = all;
    run->facts.approvals_count = before + 1;
    return LEX_OK;
}

/* ---- one statement, all of them ---- */

static enum lex_status take(struct run *run, const struct message *message)
{
    switch (message->kind) {
    case LEX_STATEMENT_IDENTITY: return take_identity(run, message);
    case LEX_STATEMENT_FACT: return take_facts(run, message);
    case LEX_STATEMENT_APPROVAL: return take_approval(run, message);
    }
    return refuse(run, LEX_IDENTITY_WRONG_TYPE);
}

/* Everything after the header. */
static enum lex_status count_in(struct run *run, const struct lex_jws *jws,
                                enum lex_statement_kind kind)
{
    struct message message = {.kind = kind, .key = lex_issuer_key_find(run->identity, jws->kid)};
    if (message.key == NULL)
        return refuse(run, LEX_IDENTITY_UNKNOWN_KEY);
    LEX_TRY(open_message(run, jws, &message));
    LEX_TRY(check_common(run, &message));
    LEX_TRY(check_unused(run, &message.statement));
    LEX_TRY(take(run, &message));
    run->statements[run->facts.statements_count++] = message.statement;
    return LEX_OK;
}

static enum lex_status verify_one(struct run *run, struct lex_span text, struct lex_jws *jws)
{
    enum lex_jws_problem problem;
    enum lex_statement_kind kind;
    if (text.len > LEX_STATEMENT_MAX_BYTES)
        return refuse(run, LEX_IDENTITY_TOO_LARGE);
    enum lex_status status = lex_jws_read(text, LEX_STATEMENT_MAX_BYTES, run->arena, jws, &problem);
    if (status == LEX_REJECT)
        return refuse(run, lex_why_of_jws(problem));
    LEX_TRY(status);
    if (!kind_of(jws->typ, &kind))
        return refuse(run, LEX_IDENTITY_WRONG_TYPE);
    return (run->input->kinds & 1u << kind) == 0 ? LEX_OK : count_in(run, jws, kind);
}

/* The header's kid stands in memory that is given up: what is printed of it is copied first. */
static enum lex_status report(struct run *run, size_t index, struct lex_span kid,
                              struct lex_arena_mark mark, struct lex_identity_problems *problems)
{
    uint8_t copy[LEX_KID_MAX_BYTES];
    bool named = lex_kid_valid(kid);
    if (named)
        memcpy(copy, kid.data, kid.len);
    lex_arena_rollback(run->arena, mark);
    struct lex_span kept =
        named ? lex_arena_dup(run->arena, lex_span_of(copy, kid.len)) : lex_span_str(NULL);
    if (named && lex_span_absent(kept))
        return LEX_LIMIT;
    problems->items[problems->count++] =
        (struct lex_identity_problem){.why = run->why, .index = index, .kid = kept};
    return LEX_OK;
}

static enum lex_status verify_all(struct run *run, struct lex_identity_problems *problems)
{
    const struct lex_span_list *list = &run->input->request->attestations;
    run->statements = lex_arena_calloc(run->arena, LEX_ATTESTATIONS_MAX, sizeof *run->statements);
    if (run->statements == NULL)
        return LEX_LIMIT;
    for (size_t i = 0; i < list->count && i < LEX_ATTESTATIONS_MAX; i++) {
        struct lex_arena_mark mark = lex_arena_mark(run->arena);
        struct lex_jws jws = {.kid = {NULL, 0}};
        enum lex_status status = verify_one(run, list->items[i], &jws);
        if (status == LEX_REJECT)
            status = report(run, i, jws.kid, mark, problems);
        LEX_TRY(status);
    }
    run->facts.statements = run->statements;
    return LEX_OK;
}

static void put_facts(const struct lex_facts *verified, struct lex_facts *ret_facts)
{
    struct lex_facts facts = *verified;
    facts.token = ret_facts->token;
    facts.risk_score = ret_facts->risk_score;
    *ret_facts = facts;
}

LEX_STATUS lex_identity_verify(const struct lex_identity *identity,
                               const struct lex_identity_input *input, struct lex_arena *arena,
                               struct lex_facts *ret_facts,
                               struct lex_identity_problems *ret_problems)
{
    struct run run = {.identity = identity, .input = input, .arena = arena};
    struct lex_identity_problems problems = {.count = 0};
    enum lex_status status = LEX_OK;
    if (input->request->attestations.count > 0)
        status = verify_all(&run, &problems);
    if (status != LEX_OK) {
        run.facts = (struct lex_facts){.identity = false};
        problems.count = 0;
    }
    put_facts(&run.facts, ret_facts);
    *ret_problems = problems;
    return status;
}
