/* `lexecon decide`: the service's own evaluation, offline, a line in and a line out. */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/decide_line.h"
#include "core/base/buf.h"
#include "core/base/clock.h"

enum {
    ARENA_CHUNK_BYTES = 64 << 10,
    ARENA_MAX_BYTES = 256 << 20, /* a line of 1 MiB of the smallest JSON nodes, twice over */
    VERDICT_MAX_BYTES = 8 << 20,
};

struct session {
    struct lex_policy *policy;
    enum lex_mode mode;
    struct lex_arena arena;
    struct lex_buf line, out;
};

/* ---- output ---- */

static void put_member(struct lex_buf *out, const char *name, struct lex_span text)
{
    if (lex_span_absent(text))
        return;
    lex_buf_printf(out, ",\"%s\":", name);
    lex_buf_put_json(out, text);
}

static void put_list(struct lex_buf *out, const char *name, const struct lex_span_list *list)
{
    lex_buf_printf(out, ",\"%s\":[", name);
    for (size_t i = 0; i < list->count; i++) {
        if (i != 0)
            lex_buf_putc(out, ',');
        lex_buf_put_json(out, list->items[i]);
    }
    lex_buf_putc(out, ']');
}

static void put_obligation(struct lex_buf *out, const struct lex_obligation *obligation)
{
    static const char *const types[] = {"approval", "verify", "advice"};
    lex_buf_printf(out, "{\"type\":\"%s\"", types[obligation->type]);
    put_member(out, "approver", obligation->approver);
    if (obligation->type == LEX_OBLIGATION_TYPE_APPROVAL)
        lex_buf_printf(out, ",\"quorum\":%d,\"timeout_s\":%d", obligation->quorum,
                       obligation->timeout_s);
    put_member(out, "rule", obligation->rule);
    put_member(out, "condition", obligation->condition);
    put_member(out, "action", obligation->action);
    lex_buf_putc(out, '}');
}

static void put_policy(struct lex_buf *out, const struct lex_policy_info *info)
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

static void put_verdict(struct lex_buf *out, const struct lex_policy_info *info,
                        struct lex_span request_id, const struct lex_decision *decision)
{
    static const char *const outcomes[] = {"none", "denied", "escalated", "conditional",
                                           "approved"};
    struct lex_span code = lex_reason_name(decision->reason_code);
    lex_buf_printf(out, "{\"outcome\":\"%s\",\"allowed\":%s,\"reason_code\":\"%.*s\"",
                   outcomes[decision->outcome], decision->allowed ? "true" : "false",
                   LEX_SPAN_FMT(code));
    put_member(out, "reason", decision->reason);
    put_list(out, "rules", &decision->rules);
    lex_buf_puts(out, ",\"obligations\":[");
    for (size_t i = 0; i < decision->obligations.count; i++) {
        if (i != 0)
            lex_buf_putc(out, ',');
        put_obligation(out, &decision->obligations.items[i]);
    }
    lex_buf_putc(out, ']');
    put_list(out, "warnings", &decision->warnings);
    put_policy(out, info);
    put_member(out, "request_id", request_id);
    lex_buf_puts(out, "}\n");
}

/* ---- one line ---- */

static void answer(struct session *session)
{
    struct lex_decide_line line;
    struct lex_decision decision;
    struct lex_error err = {"the line is longer than 1048576 bytes"};
    struct lex_decide_input input = {.policy = session->policy,
                                     .request = &line.request,
                                     .facts = &line.facts,
                                     .server_mode = session->mode,
                                     .ttl_us = 300000000,
                                     .request_id_optional = true};
    bool whole = lex_buf_ok(&session->line);
    line = (struct lex_decide_line){.request = {.risk_level = 1}};
    enum lex_status status =
        whole ? lex_decide_line_parse(lex_buf_span(&session->line), &session->arena, &line, &err)
              : LEX_REJECT;
    input.now_us = line.now_us.present ? line.now_us.value : lex_clock_wall_us();
    if (status == LEX_OK) {
        lex_decide(&input, &session->arena, &decision);
    } else {
        struct lex_span reason = lex_arena_printf(&session->arena, "Denied: %s", err.text);
        lex_decide_denied(&input, LEX_REASON_INVALID_REQUEST, reason, &decision);
    }
    lex_buf_clear(&session->out);
    put_verdict(&session->out, lex_policy_info(session->policy), line.request.request_id,
                &decision);
    lex_arena_reset(&session->arena);
}

/* The next line without its newline. What is over the ceiling is read and dropped, so that the next
 * line begins where it should. False at the end of the input. */
static bool next_line(FILE *in, struct lex_buf *line)
{
    int c = getc_unlocked(in);
    lex_buf_clear(line);
    if (c == EOF)
        return false;
    for (; c != EOF && c != '\n'; c = getc_unlocked(in))
        lex_buf_putc(line, (char)c);
    return true;
}

static int answer_all(const struct lex_cli_usage *usage, struct session *session)
{
    while (next_line(stdin, &session->line)) {
        answer(session);
        if (!lex_buf_ok(&session->out))
            return lex_cli_fail(usage, LEX_EXIT_INTERNAL, "not enough memory for a verdict");
        struct lex_span out = lex_buf_span(&session->out);
        if (fwrite(out.data, 1, out.len, stdout) != out.len || fflush(stdout) != 0)
            return lex_cli_fail(usage, LEX_EXIT_UNAVAILABLE, "cannot write a verdict to stdout");
    }
    return ferror(stdin) ? lex_cli_fail(usage, LEX_EXIT_USAGE, "cannot read stdin") : LEX_EXIT_OK;
}

/* ---- the command ---- */

static bool read_mode(const char *text, enum lex_mode *ret_mode)
{
    static const char *const names[] = {"permissive", "strict", "paranoid"};
    *ret_mode = LEX_MODE_UNSET;
    for (size_t i = 0; text != NULL && i < LEX_COUNT_OF(names); i++)
        if (strcmp(text, names[i]) == 0)
            *ret_mode = (enum lex_mode)(LEX_MODE_PERMISSIVE + i);
    return text == NULL || *ret_mode != LEX_MODE_UNSET;
}

static int run(const struct lex_cli_usage *usage, const char *path, enum lex_mode mode)
{
    struct session session = {.mode = mode};
    struct lex_error err;
    if (lex_policy_load_file(path, &session.policy, &err) != LEX_OK)
        return lex_cli_fail(usage, LEX_EXIT_USAGE, "%s", err.text);
    lex_arena_init(&session.arena, ARENA_CHUNK_BYTES, ARENA_MAX_BYTES);
    lex_buf_init(&session.line, LEX_REQUEST_MAX_BYTES);
    lex_buf_init(&session.out, VERDICT_MAX_BYTES);
    int status = answer_all(usage, &session);
    lex_buf_fini(&session.out);
    lex_buf_fini(&session.line);
    lex_arena_fini(&session.arena);
    lex_policy_unref(session.policy);
    return status;
}

int lex_cli_decide(int argc, char **argv)
{
    const char *path = NULL, *mode_text = NULL;
    enum lex_mode mode;
    const struct lex_cli_flag flags[] = {
        {"policy", "FILE", "the policy to decide under", LEX_CLI_STR, &path, true},
        {"mode", "MODE", "the server's mode: permissive, strict or paranoid", LEX_CLI_STR,
         &mode_text, false},
    };
    const struct lex_cli_usage usage = {
        .path = "decide",
        .operands = "",
        .text = "Answer requests offline: one JSON request a line on stdin, one verdict a line on "
                "stdout,\nin the same order. A line that is no valid request is denied "
                "INVALID_REQUEST.\n\n"
                "A line may carry, besides a request's members, what a service would know from\n"
                "attestations and its clock: attested_context {fact: value}, roles [names],\n"
                "approvals [{approver, key, age_seconds}] and now (RFC 3339).\n\n"
                "  echo '{\"actor\":\"user\",\"proposed_action\":\"read\"}' |\n"
                "    lexecon decide --policy policies/compat/example_policy.json\n\n"
                "Exit status: 0 every line was answered (allowed or not); 2 the policy does not "
                "load.",
        .flags = flags,
        .flags_count = LEX_COUNT_OF(flags),
    };
    struct lex_cli_list operands = {.count = 0};
    int parsed = lex_cli_parse(&usage, argc, argv, &operands);
    if (parsed != 0)
        return parsed == 1 ? LEX_EXIT_OK : LEX_EXIT_USAGE;
    if (!read_mode(mode_text, &mode))
        return lex_cli_fail(&usage, LEX_EXIT_USAGE,
                            "--mode %s is unknown; expected permissive, strict or paranoid",
                            mode_text);
    return run(&usage, path, mode);
}
