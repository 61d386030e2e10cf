/* lex_laws: the engine as a line-by-line server, for run.py.
 *
 * Each line of input is a JSON object, each answer one line:
 *     {"policy": "<text>"} or {"documents": ["<text>", ..]}    loads, and is current from then on
 *         -> {"loaded":true,"hash":"<hex>"} or {"error":"<why>"}
 *     {"request": {..}, "facts": {..}, "now_us": 0, "mode": "strict"}    decides under it
 *         -> the decision, or {"error":"<why>"}
 * Each decision is also decided again from its ledger entry alone; "replay" says how that went.
 * With "remember":true the history is not that of the facts but the server's own, which begins
 * empty with the policy and takes in what the decision leaves behind, as a partition's does. A
 * policy that does not load leaves none: what follows is refused. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/buf.h"
#include "core/codec/codec.h"
#include "core/codec/facts.h"

enum { CHUNK_BYTES = 1 << 16, ARENA_BYTES = 64 << 20, ANSWER_BYTES = 1 << 20 };

struct server {
    struct lex_codec *codec;
    struct lex_policy *policy;
    struct lex_history *history; /* of the lines that remember */
    int64_t decided;             /* how many of them there were */
    struct lex_arena arena;
    struct lex_buf out;
    struct lex_error err;
};

/* ---- answers ---- */

static void put_text(struct lex_buf *out, const char *key, struct lex_span text)
{
    lex_buf_printf(out, "\"%s\":", key);
    if (lex_span_absent(text))
        lex_buf_puts(out, "null");
    else
        lex_buf_put_json(out, text);
}

static void put_texts(struct lex_buf *out, const char *key, struct lex_span_list list)
{
    lex_buf_printf(out, ",\"%s\":[", key);
    for (size_t i = 0; i < list.count; i++) {
        lex_buf_puts(out, i == 0 ? "" : ",");
        lex_buf_put_json(out, list.items[i]);
    }
    lex_buf_puts(out, "]");
}

static void put_obligations(struct lex_buf *out, struct lex_obligation_list list)
{
    lex_buf_puts(out, ",\"obligations\":[");
    for (size_t i = 0; i < list.count; i++) {
        const struct lex_obligation *item = &list.items[i];
        lex_buf_puts(out, i == 0 ? "[" : ",[");
        lex_buf_put_json(out, lex_obligation_type_name(item->type));
        const struct lex_span texts[] = {item->rule, item->condition, item->action};
        lex_buf_puts(out, ",");
        if (lex_span_absent(item->approver))
            lex_buf_puts(out, "null");
        else
            lex_buf_put_json(out, item->approver);
        lex_buf_printf(out, ",%d,%d", item->quorum, item->timeout_s);
        for (size_t j = 0; j < LEX_COUNT_OF(texts); j++) {
            lex_buf_puts(out, ",");
            if (lex_span_absent(texts[j]))
                lex_buf_puts(out, "null");
            else
                lex_buf_put_json(out, texts[j]);
        }
        lex_buf_puts(out, "]");
    }
    lex_buf_puts(out, "]");
}

static void put_facts(struct lex_buf *out, struct lex_fact_list list)
{
    lex_buf_puts(out, ",\"facts\":[");
    for (size_t i = 0; i < list.count; i++) {
        lex_buf_puts(out, i == 0 ? "{" : ",{");
        put_text(out, "name", list.items[i].name);
        lex_buf_puts(out, ",");
        put_text(out, "provenance", lex_provenance_name(list.items[i].provenance));
        lex_buf_puts(out, ",");
        put_text(out, "value", list.items[i].value);
        lex_buf_puts(out, "}");
    }
    lex_buf_puts(out, "]");
}

static void put_decision(struct lex_buf *out, const struct lex_decision *decision,
                         const char *replay)
{
    const enum lex_mode modes[] = {decision->mode_given, decision->mode_policy,
                                   decision->mode_server, decision->mode_effective};
    lex_buf_puts(out, "{");
    put_text(out, "outcome", lex_outcome_name(decision->outcome));
    lex_buf_printf(out, ",\"allowed\":%s,", decision->allowed ? "true" : "false");
    put_text(out, "reason_code", lex_reason_name(decision->reason_code));
    lex_buf_puts(out, ",");
    put_text(out, "reason", decision->reason);
    put_texts(out, "rules", decision->rules);
    put_obligations(out, decision->obligations);
    put_texts(out, "warnings", decision->warnings);
    lex_buf_puts(out, ",\"modes\":[");
    for (size_t i = 0; i < LEX_COUNT_OF(modes); i++) {
        lex_buf_puts(out, i == 0 ? "" : ",");
        lex_buf_put_json(out, lex_mode_name(modes[i]));
    }
    lex_buf_printf(out, "],\"risk\":%d,\"cut\":%u", decision->risk_effective, decision->cut);
    put_facts(out, decision->facts);
    lex_buf_printf(out, ",\"replay\":\"%s\"}", replay);
}

static void put_error(struct server *server)
{
    lex_buf_clear(&server->out);
    lex_buf_puts(&server->out, "{");
    put_text(&server->out, "error", lex_span_str(server->err.text));
    lex_buf_puts(&server->out, "}");
}

/* ---- a policy ---- */

static enum lex_status load_documents(struct server *server, const struct lex_json *list,
                                      struct lex_policy **ret_policy)
{
    struct lex_policy_document *documents =
        lex_arena_calloc(&server->arena, list->count, sizeof *documents);
    size_t count = 0;
    if (documents == NULL)
        return lex_fail(&server->err, LEX_LIMIT, "no memory");
    for (const struct lex_json *item = list->child; item != NULL; item = item->next) {
        struct lex_span source = lex_arena_printf(&server->arena, "%zu.json", count);
        documents[count].source = (const char *)source.data;
        documents[count++].text = item->text;
    }
    return lex_policy_load_documents(documents, count, ret_policy, &server->err);
}

static enum lex_status load(struct server *server, const struct lex_json *line)
{
    const struct lex_json *text = lex_json_get(line, "policy");
    struct lex_policy *policy = NULL;
    enum lex_status status;
    if (text != NULL)
        status = lex_policy_load(text->text, "policy", &policy, &server->err);
    else
        status = load_documents(server, lex_json_get(line, "documents"), &policy);
    lex_policy_unref(server->policy);
    server->policy = policy;
    server->decided = 0;
    lex_history_reset(server->history, INT64_MIN);
    if (status != LEX_OK)
        return status;
    lex_buf_puts(&server->out, "{\"loaded\":true,\"hash\":\"");
    lex_buf_put_hex(&server->out, lex_policy_info(policy)->hash, 32);
    lex_buf_puts(&server->out, "\"}");
    return LEX_OK;
}

/* ---- a decision again, from its entry alone ---- */

static struct lex_ledger_entry entry_of(const struct lex_decide_input *input,
                                        const struct lex_decision *decision)
{
    const struct lex_request *request = input->request;
    const struct lex_policy_info *info = lex_policy_info(input->policy);
    return (struct lex_ledger_entry){
        .event_type = LEX_EVENT_TYPE_DECISION,
        .recorded_at = input->now_us,
        .request_id = request->request_id,
        .actor = request->actor,
        .action = request->proposed_action,
        .tool = request->tool,
        .resource = request->resource,
        .data_classes = request->data_classes,
        .risk_given = decision->risk_given,
        .risk_effective = decision->risk_effective,
        .mode_given = decision->mode_given,
        .mode_policy = decision->mode_policy,
        .mode_server = decision->mode_server,
        .mode_effective = decision->mode_effective,
        .outcome = decision->outcome,
        .allowed = decision->allowed,
        .reason_code = lex_reason_name(decision->reason_code),
        .reason = decision->reason,
        .rules = decision->rules,
        .obligations = decision->obligations,
        .warnings = decision->warnings,
        .facts = decision->facts,
        .policy_id = info->id,
        .policy_version = info->version,
        .policy_hash = lex_span_of(info->hash, sizeof info->hash),
        .evaluated_at = {true, input->now_us},
        .valid_until = {true, decision->valid_until_us},
        .user_id = request->user_id,
        .replayable = decision->replayable,
    };
}

static bool same_texts(struct lex_span_list a, struct lex_span_list b)
{
    bool same = a.count == b.count;
    for (size_t i = 0; same && i < a.count; i++)
        same = lex_span_eq(a.items[i], b.items[i]);
    return same;
}

static bool same_obligations(struct lex_obligation_list a, struct lex_obligation_list b)
{
    bool same = a.count == b.count;
    for (size_t i = 0; same && i < a.count; i++) {
        const struct lex_obligation *x = &a.items[i], *y = &b.items[i];
        same = x->type == y->type && x->quorum == y->quorum && x->timeout_s == y->timeout_s &&
               lex_span_eq(x->approver, y->approver) && lex_span_eq(x->rule, y->rule) &&
               lex_span_eq(x->condition, y->condition) && lex_span_eq(x->action, y->action);
    }
    return same;
}

static const char *replay(struct server *server, const struct lex_ledger_entry *entry,
                          const struct lex_decision *decision)
{
    struct lex_decision again;
    struct lex_error err = {.text = ""};
    if (lex_decide_recorded(entry, server->policy, &server->arena, &again, &err) != LEX_OK)
        return decision->replayable ? "refused" : "not replayable";
    if (again.outcome != decision->outcome || again.reason_code != decision->reason_code)
        return "another verdict";
    if (!same_texts(again.rules, decision->rules))
        return "other rules";
    return same_obligations(again.obligations, decision->obligations) ? "same"
                                                                      : "other obligations";
}

/* ---- what a decision leaves behind ---- */

static enum lex_status remember(struct server *server, const struct lex_ledger_entry *entry)
{
    const struct lex_history_item *items = NULL;
    size_t count = 0;
    lex_history_entry(server->history, server->decided++, entry->recorded_at);
    LEX_TRY(lex_remember(server->policy, entry, &server->arena, &items, &count));
    for (size_t i = 0; i < count; i++)
        LEX_TRY(lex_history_add(server->history, &items[i]));
    lex_history_settle(server->history);
    return LEX_OK;
}

/* ---- a request ---- */

static enum lex_mode mode_of(const struct lex_json *line)
{
    const struct lex_json *mode = lex_json_get(line, "mode");
    for (int i = 0; mode != NULL && i < LEX_MODE_COUNT; i++)
        if (lex_span_eq(mode->text, lex_mode_name((enum lex_mode)i)))
            return (enum lex_mode)i;
    return LEX_MODE_UNSET;
}

static enum lex_status decide(struct server *server, const struct lex_json *line)
{
    struct lex_request request;
    struct lex_facts facts;
    struct lex_history *history = NULL;
    struct lex_decision decision;
    enum lex_format format;
    enum lex_undecodable why;
    int64_t now_us = 0;
    const struct lex_json *now = lex_json_get(line, "now_us");
    if (now != NULL)
        LEX_TRY(lex_json_int64(now->text, &now_us));
    if (server->policy == NULL)
        return lex_fail(&server->err, LEX_REJECT, "no policy is loaded");
    LEX_TRY(lex_decode_request(server->codec, lex_json_get(line, "request")->text, &server->arena,
                               &request, &format, &why, &server->err));
    LEX_TRY(lex_facts_from_json(lex_json_get(line, "facts"), server->policy, now_us, &server->arena,
                                &facts, &history, &server->err));
    bool keep = lex_json_get(line, "remember") != NULL;
    struct lex_decide_input input = {.policy = server->policy,
                                     .request = &request,
                                     .facts = &facts,
                                     .history = keep ? server->history : history,
                                     .server_mode = mode_of(line),
                                     .now_us = now_us,
                                     .ttl_us = 1000000};
    lex_decide(&input, &server->arena, &decision);
    lex_history_free(history);
    const struct lex_ledger_entry entry = entry_of(&input, &decision);
    put_decision(&server->out, &decision, replay(server, &entry, &decision));
    return keep ? remember(server, &entry) : LEX_OK;
}

/* ---- lines ---- */

static void answer(struct server *server, struct lex_span text)
{
    const struct lex_json *line = NULL;
    server->err.text[0] = 0;
    lex_arena_reset(&server->arena);
    lex_buf_clear(&server->out);
    enum lex_status status = lex_json_parse(&server->arena, text, &line, &server->err);
    if (status == LEX_OK)
        status = lex_json_get(line, "request") != NULL ? decide(server, line) : load(server, line);
    if (status != LEX_OK)
        put_error(server);
    lex_buf_putc(&server->out, '\n');
    (void)fwrite(lex_buf_str(&server->out), 1, server->out.len, stdout);
}

int main(void)
{
    struct server server = {.policy = NULL};
    char *line = NULL;
    size_t capacity = 0;
    ssize_t len;
    if (lex_codec_new(&(struct lex_codec_options){NULL}, &server.codec, &server.err) != LEX_OK ||
        lex_history_new(&server.history) != LEX_OK)
        return EXIT_FAILURE;
    lex_arena_init(&server.arena, CHUNK_BYTES, ARENA_BYTES);
    lex_buf_init(&server.out, ANSWER_BYTES);
    while ((len = getline(&line, &capacity, stdin)) > 0) {
        answer(&server, lex_span_of(line, (size_t)len));
        (void)fflush(stdout);
    }
    free(line);
    lex_buf_fini(&server.out);
    lex_arena_fini(&server.arena);
    lex_policy_unref(server.policy);
    lex_history_free(server.history);
    lex_codec_free(server.codec);
    return EXIT_SUCCESS;
}
