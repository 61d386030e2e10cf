#include "cli/case.h"

#include <stdio.h>

#include "cli/text_file.h"
#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/codec/facts.h"

enum {
    ARENA_CHUNK_BYTES = 64 << 10,
    ARENA_MAX_BYTES = 256 << 20, /* a line of 1 MiB of the smallest JSON nodes, twice over */
    DEFAULT_TTL_US = 300000000,
};

/* ---- errors with their place ---- */

enum lex_status lex_case_fail(const struct lex_case_text *document, size_t at,
                              struct lex_error *err, const char *format, ...)
{
    struct lex_error problem;
    unsigned line, column;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(problem.text, sizeof problem.text, format, args);
    va_end(args);
    lex_json_where(document->text, at, &line, &column);
    if (document->source == NULL)
        return lex_fail(err, LEX_REJECT, "line %u column %u: %s", line, column, problem.text);
    return lex_fail(err, LEX_REJECT, "%s:%u:%u: %s", document->source, line, column, problem.text);
}

const char *lex_case_nearest(struct lex_span text, const char *const *known)
{
    const char *nearest = NULL;
    size_t best = 3;
    for (; *known != NULL; known++) {
        size_t distance = lex_edit_distance(text, lex_span_str(*known), 2);
        if (distance < best) {
            best = distance;
            nearest = *known;
        }
    }
    return nearest;
}

static bool is_known(struct lex_span key, const char *const *known)
{
    for (; *known != NULL; known++)
        if (lex_span_eq(key, lex_span_str(*known)))
            return true;
    return key.len >= 2 && memcmp(key.data, "x_", 2) == 0;
}

LEX_STATUS lex_case_known_members(const struct lex_case_text *document,
                                  const struct lex_json *object, const char *const *known,
                                  struct lex_error *err)
{
    for (const struct lex_json *member = object->child; member != NULL; member = member->next) {
        if (is_known(member->key, known))
            continue;
        const char *nearest = lex_case_nearest(member->key, known);
        return lex_case_fail(document, member->key_at, err, "unknown member \"%.*s\"%s%s%s",
                             LEX_SPAN_FMT(member->key),
                             nearest == NULL ? "; members of your own begin with x_"
                                             : "; did you mean \"",
                             nearest == NULL ? "" : nearest, nearest == NULL ? "" : "\"?");
    }
    return LEX_OK;
}

static enum lex_status expected(const struct lex_case_text *document, const struct lex_json *node,
                                const char *what, struct lex_error *err)
{
    return lex_case_fail(document, node->at, err, "\"%.*s\" must be %s, but it is %s",
                         LEX_SPAN_FMT(node->key), what, lex_json_type_name(node->type));
}

/* ---- the run ---- */

LEX_STATUS lex_offline_init(struct lex_offline *offline, const char *policy_path,
                            struct lex_error *err)
{
    *offline = (struct lex_offline){.now_us = INT64_MIN};
    lex_arena_init(&offline->arena, ARENA_CHUNK_BYTES, ARENA_MAX_BYTES);
    lex_buf_init(&offline->facts, 0);
    LEX_TRY(lex_policy_load_path(policy_path, &offline->policy, err));
    return lex_codec_new(&(struct lex_codec_options){NULL}, &offline->codec, err);
}

void lex_offline_fini(struct lex_offline *offline)
{
    lex_policy_unref(offline->policy);
    lex_codec_free(offline->codec);
    lex_arena_fini(&offline->arena);
    lex_buf_fini(&offline->facts);
}

LEX_STATUS lex_offline_now(struct lex_offline *offline, const char *text, struct lex_error *err)
{
    if (text == NULL || lex_rfc3339_parse(lex_span_str(text), &offline->now_us) == LEX_OK)
        return LEX_OK;
    return lex_fail(err, LEX_REJECT,
                    "--now: expected an instant with its zone, like 2026-01-31T12:00:00Z, got '%s'",
                    text);
}

static const char *const mode_words[] = {"permissive", "strict", "paranoid", NULL};

static enum lex_mode mode_of(struct lex_span text)
{
    for (size_t i = 0; mode_words[i] != NULL; i++)
        if (lex_span_eq(text, lex_span_str(mode_words[i])))
            return (enum lex_mode)(LEX_MODE_PERMISSIVE + i);
    return LEX_MODE_UNSET;
}

LEX_STATUS lex_offline_mode(struct lex_offline *offline, const char *text, struct lex_error *err)
{
    if (text == NULL)
        return LEX_OK;
    offline->mode = mode_of(lex_span_str(text));
    if (offline->mode != LEX_MODE_UNSET)
        return LEX_OK;
    const char *nearest = lex_case_nearest(lex_span_str(text), mode_words);
    return lex_fail(err, LEX_REJECT,
                    "--mode %s is unknown; expected permissive, strict or paranoid%s%s%s", text,
                    nearest == NULL ? "" : "; did you mean ", nearest == NULL ? "" : nearest,
                    nearest == NULL ? "" : "?");
}

/* ---- facts ---- */

static enum lex_status read_facts(struct lex_offline *offline, const struct lex_case_text *document,
                                  const struct lex_json *node, int64_t now_us,
                                  struct lex_facts *ret_facts, struct lex_history **ret_history,
                                  struct lex_error *err)
{
    static const char *const known[] = {"attested",      "roles",     "identity",
                                        "requester_key", "approvals", "token",
                                        "risk_score",    "history",   NULL};
    struct lex_error problem;
    if (node->type != LEX_JSON_OBJECT)
        return lex_case_fail(document, node->at, err, "facts must be an object, but they are %s",
                             lex_json_type_name(node->type));
    LEX_TRY(lex_case_known_members(document, node, known, err));
    enum lex_status status = lex_facts_from_json(node, offline->policy, now_us, &offline->arena,
                                                 ret_facts, ret_history, &problem);
    if (status == LEX_REJECT)
        return lex_case_fail(document, node->at, err, "%s", problem.text);
    return status == LEX_OK ? LEX_OK : lex_fail(err, status, "%s", problem.text);
}

/* The file's facts, or none, with the case's own clock: ages count from it. */
static enum lex_status default_facts(struct lex_offline *offline, struct lex_case *one,
                                     struct lex_error *err)
{
    struct lex_span text = offline->facts.len == 0 ? LEX_SPAN("{}") : lex_buf_span(&offline->facts);
    const struct lex_case_text document = {.source = "facts", .text = text};
    const struct lex_json *node;
    LEX_TRY(lex_json_parse(&offline->arena, text, &node, err));
    return read_facts(offline, &document, node, one->now_us, &one->facts, &one->history, err);
}

LEX_STATUS lex_offline_facts(struct lex_offline *offline, const char *path, struct lex_error *err)
{
    struct lex_facts facts;
    struct lex_history *history = NULL;
    struct lex_error problem;
    const struct lex_json *node;
    if (path == NULL)
        return LEX_OK;
    lex_buf_fini(&offline->facts);
    lex_buf_init(&offline->facts, LEX_TEXT_FILE_MAX_BYTES);
    LEX_TRY(lex_text_file_read(path, &offline->facts, err));
    struct lex_case_text document = {path, lex_buf_span(&offline->facts)};
    enum lex_status status = lex_json_parse(&offline->arena, document.text, &node, &problem);
    if (status != LEX_OK)
        return lex_fail(err, status, "%s: %s", path, problem.text);
    status = read_facts(offline, &document, node, 0, &facts, &history, err);
    lex_history_free(history);
    lex_arena_reset(&offline->arena);
    return status;
}

/* ---- the request ---- */

static const char *const request_members[] = {
    "request_id", "actor",        "proposed_action", "tool",        "user_intent",
    "resource",   "data_classes", "risk_level",      "policy_mode", "requested_output_type",
    "context",    "arguments",    "attestations",    "user_id",     "capability_token",
    "want_token", "deadline",     "nonce",           NULL};

/* Again, for the message alone, with what stands before the request blanked: so the codec's line
 * and column are the document's. */
static enum lex_status explain_request(struct lex_offline *offline,
                                       const struct lex_case_text *document,
                                       const struct lex_json *node, struct lex_error *err)
{
    struct lex_request request;
    enum lex_format format;
    enum lex_undecodable why;
    struct lex_error problem = {"is no request"};
    unsigned line = 1, column = 1;
    int skip = 0;
    LEX_TRY(lex_case_known_members(document, node, request_members, err));
    struct lex_span text = lex_span_of(document->text.data, node->at + node->text.len);
    struct lex_span copy = lex_arena_dup(&offline->arena, text);
    uint8_t *bytes = (uint8_t *)(uintptr_t)copy.data;
    for (size_t i = 0; bytes != NULL && i < node->at; i++)
        bytes[i] = bytes[i] == '\n' ? '\n' : ' ';
    if (bytes == NULL || lex_decode_request(offline->codec, copy, &offline->arena, &request,
                                            &format, &why, &problem) == LEX_OK)
        return lex_case_fail(document, node->at, err, "the request cannot be read");
    if (document->source == NULL ||
        sscanf(problem.text, "line %u column %u: %n", &line, &column, &skip) != 2 || skip == 0)
        return lex_fail(err, LEX_REJECT, "%s", problem.text);
    return lex_fail(err, LEX_REJECT, "%s:%u:%u: %s", document->source, line, column,
                    problem.text + skip);
}

static enum lex_status read_request(struct lex_offline *offline,
                                    const struct lex_case_text *document,
                                    const struct lex_json *node, struct lex_request *ret,
                                    struct lex_error *err)
{
    enum lex_format format;
    enum lex_undecodable why;
    const struct lex_json *id = lex_json_get(node, "request_id");
    if (lex_json_is(id, LEX_JSON_STRING))
        ret->request_id = id->text;
    if (node->type != LEX_JSON_OBJECT)
        return lex_case_fail(document, node->at, err, "a request must be an object, but it is %s",
                             lex_json_type_name(node->type));
    enum lex_status status =
        lex_decode_request(offline->codec, node->text, &offline->arena, ret, &format, &why, err);
    return status == LEX_REJECT ? explain_request(offline, document, node, err) : status;
}

/* ---- the case ---- */

static enum lex_status read_now(const struct lex_case_text *document, const struct lex_json *node,
                                struct lex_case *one, struct lex_error *err)
{
    if (node == NULL)
        return LEX_OK;
    if (node->type != LEX_JSON_STRING || lex_rfc3339_parse(node->text, &one->now_us) != LEX_OK)
        return expected(document, node, "an instant with its zone, like 2026-01-31T12:00:00Z", err);
    one->now_text = node->text;
    return LEX_OK;
}

static enum lex_status read_mode(const struct lex_case_text *document, const struct lex_json *node,
                                 struct lex_case *one, struct lex_error *err)
{
    if (node == NULL)
        return LEX_OK;
    one->mode = node->type == LEX_JSON_STRING ? mode_of(node->text) : LEX_MODE_UNSET;
    if (one->mode == LEX_MODE_UNSET)
        return expected(document, node, "permissive, strict or paranoid", err);
    return LEX_OK;
}

static enum lex_status read_members(struct lex_offline *offline,
                                    const struct lex_case_text *document,
                                    const struct lex_json *node, bool expecting,
                                    struct lex_case *one, struct lex_error *err)
{
    static const char *const known[] = {"request", "name", "facts", "now", "mode", "expect", NULL};
    const struct lex_json *name = lex_json_get(node, "name"), *facts = lex_json_get(node, "facts");
    one->expect = lex_json_get(node, "expect");
    LEX_TRY(read_request(offline, document, lex_json_get(node, "request"), &one->request, err));
    LEX_TRY(lex_case_known_members(document, node, known, err));
    if (one->expect != NULL && !expecting)
        one->expect = NULL; /* a case of a test, decided or explained */
    if (name != NULL && name->type != LEX_JSON_STRING)
        return expected(document, name, "a string", err);
    if (name != NULL)
        one->name = name->text;
    LEX_TRY(read_now(document, lex_json_get(node, "now"), one, err));
    LEX_TRY(read_mode(document, lex_json_get(node, "mode"), one, err));
    return facts == NULL
               ? default_facts(offline, one, err)
               : read_facts(offline, document, facts, one->now_us, &one->facts, &one->history, err);
}

LEX_STATUS lex_case_read(struct lex_offline *offline, const struct lex_case_text *document,
                         const struct lex_json *node, bool expecting, struct lex_case *ret_case,
                         struct lex_error *err)
{
    *ret_case = (struct lex_case){.request = {.risk_level = 1},
                                  .mode = offline->mode,
                                  .now_us = offline->now_us == INT64_MIN ? lex_clock_wall_us()
                                                                         : offline->now_us,
                                  .at = node->at};
    if (lex_json_get(node, "request") != NULL)
        return read_members(offline, document, node, expecting, ret_case, err);
    if (expecting)
        return lex_case_fail(document, node->at, err,
                             "a case must be an object with a \"request\"");
    LEX_TRY(read_request(offline, document, node, &ret_case->request, err));
    return default_facts(offline, ret_case, err);
}

LEX_STATUS lex_case_parse(struct lex_offline *offline, const struct lex_case_text *document,
                          struct lex_case *ret_case, struct lex_error *err)
{
    const struct lex_json *node;
    struct lex_error problem;
    *ret_case = (struct lex_case){.request = {.risk_level = 1}};
    enum lex_status status = lex_json_parse(&offline->arena, document->text, &node, &problem);
    if (status != LEX_OK)
        return lex_fail(err, status, "%s%s%s", document->source == NULL ? "" : document->source,
                        document->source == NULL ? "" : ": ", problem.text);
    return lex_case_read(offline, document, node, false, ret_case, err);
}

void lex_case_fini(struct lex_case *one)
{
    lex_history_free(one->history);
    one->history = NULL;
}

struct lex_decide_input lex_case_input(const struct lex_offline *offline,
                                       const struct lex_case *one)
{
    return (struct lex_decide_input){.policy = offline->policy,
                                     .request = &one->request,
                                     .facts = &one->facts,
                                     .history = one->history,
                                     .server_mode = one->mode,
                                     .now_us = one->now_us,
                                     .ttl_us = DEFAULT_TTL_US,
                                     .request_id_optional = true};
}

/* ---- decisions as JSON ---- */

void lex_put_member(struct lex_buf *out, const char *name, struct lex_span text)
{
    if (lex_span_absent(text))
        return;
    lex_buf_printf(out, ",\"%s\":", name);
    lex_buf_put_json(out, text);
}

void lex_put_list(struct lex_buf *out, const struct lex_span_list *list)
{
    lex_buf_putc(out, '[');
    for (size_t i = 0; i < list->count; i++) {
        lex_buf_puts(out, i == 0 ? "" : ",");
        lex_buf_put_json(out, list->items[i]);
    }
    lex_buf_putc(out, ']');
}

void lex_put_obligation(struct lex_buf *out, const struct lex_obligation *obligation)
{
    lex_buf_printf(out, "{\"type\":\"%.*s\"",
                   LEX_SPAN_FMT(lex_obligation_type_name(obligation->type)));
    lex_put_member(out, "approver", obligation->approver);
    if (obligation->type == LEX_OBLIGATION_TYPE_APPROVAL)
        lex_buf_printf(out, ",\"quorum\":%d,\"timeout_s\":%d", obligation->quorum,
                       obligation->timeout_s);
    lex_put_member(out, "rule", obligation->rule);
    lex_put_member(out, "condition", obligation->condition);
    lex_put_member(out, "action", obligation->action);
    lex_buf_putc(out, '}');
}

void lex_put_decision(struct lex_buf *out, const struct lex_decision *decision)
{
    lex_buf_printf(out, "\"outcome\":\"%.*s\",\"allowed\":%s,\"reason_code\":\"%.*s\"",
                   LEX_SPAN_FMT(lex_outcome_name(decision->outcome)),
                   decision->allowed ? "true" : "false",
                   LEX_SPAN_FMT(lex_reason_name(decision->reason_code)));
    lex_put_member(out, "reason", decision->reason);
    lex_buf_puts(out, ",\"rules\":");
    lex_put_list(out, &decision->rules);
    lex_buf_puts(out, ",\"obligations\":[");
    for (size_t i = 0; i < decision->obligations.count; i++) {
        lex_buf_puts(out, i == 0 ? "" : ",");
        lex_put_obligation(out, &decision->obligations.items[i]);
    }
    lex_buf_puts(out, "],\"warnings\":");
    lex_put_list(out, &decision->warnings);
}

void lex_put_policy(struct lex_buf *out, const struct lex_policy_info *info)
{
    lex_buf_puts(out, ",\"policy\":{\"id\":");
    lex_buf_put_json(out, info->id);
    lex_buf_puts(out, ",\"version\":");
    if (lex_span_absent(info->version))
        lex_buf_puts(out, "null");
    else
        lex_buf_put_json(out, info->version);
    lex_buf_puts(out, ",\"hash\":\"");
    lex_buf_put_hex(out, info->hash, sizeof info->hash);
    lex_buf_puts(out, "\"}");
}
