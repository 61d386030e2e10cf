/* `lexecon decide`: the service's own evaluation, offline, a line in and a line out. */
#include <stdio.h>

#include "cli/case.h"
#include "cli/cli.h"

enum { VERDICT_MAX_BYTES = 8 << 20 };

struct session {
    struct lex_offline offline;
    struct lex_buf line, out;
};

/* ---- one line ---- */

static void put_verdict(struct lex_buf *out, const struct lex_policy_info *info,
                        struct lex_span request_id, const struct lex_decision *decision)
{
    lex_buf_putc(out, '{');
    lex_put_decision(out, decision);
    lex_put_policy(out, info);
    lex_put_member(out, "request_id", request_id);
    lex_buf_puts(out, "}\n");
}

static enum lex_status read_line(struct session *session, struct lex_case *one,
                                 struct lex_error *err)
{
    const struct lex_case_text document = {NULL, lex_buf_span(&session->line)};
    *one = (struct lex_case){.request = {.risk_level = 1}};
    if (!lex_buf_ok(&session->line))
        return lex_fail(err, LEX_REJECT, "the line is longer than %d bytes", LEX_REQUEST_MAX_BYTES);
    return lex_case_parse(&session->offline, &document, one, err);
}

static void answer(struct session *session)
{
    struct lex_case one;
    struct lex_decision decision;
    struct lex_error err;
    enum lex_status status = read_line(session, &one, &err);
    struct lex_decide_input input = lex_case_input(&session->offline, &one);
    if (status == LEX_OK) {
        lex_decide(&input, &session->offline.arena, &decision);
    } else {
        struct lex_span reason = lex_arena_printf(&session->offline.arena, "Denied: %s", err.text);
        lex_decide_denied(&input, LEX_REASON_INVALID_REQUEST, reason, &decision);
    }
    lex_buf_clear(&session->out);
    put_verdict(&session->out, lex_policy_info(session->offline.policy), one.request.request_id,
                &decision);
    lex_case_fini(&one);
    lex_arena_reset(&session->offline.arena);
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

struct flags {
    const char *policy, *facts, *now, *mode;
};

static enum lex_status open_session(struct session *session, const struct flags *flags,
                                    struct lex_error *err)
{
    lex_buf_init(&session->line, LEX_REQUEST_MAX_BYTES);
    lex_buf_init(&session->out, VERDICT_MAX_BYTES);
    LEX_TRY(lex_offline_init(&session->offline, flags->policy, err));
    LEX_TRY(lex_offline_mode(&session->offline, flags->mode, err));
    LEX_TRY(lex_offline_now(&session->offline, flags->now, err));
    return lex_offline_facts(&session->offline, flags->facts, err);
}

static int run(const struct lex_cli_usage *usage, const struct flags *flags)
{
    struct session session;
    struct lex_error err;
    int status = open_session(&session, flags, &err) == LEX_OK
                     ? answer_all(usage, &session)
                     : lex_cli_fail(usage, LEX_EXIT_USAGE, "%s", err.text);
    lex_buf_fini(&session.out);
    lex_buf_fini(&session.line);
    lex_offline_fini(&session.offline);
    return status;
}

int lex_cli_decide(int argc, char **argv)
{
    struct flags given = {NULL, NULL, NULL, NULL};
    const struct lex_cli_flag flags[] = {
        {"policy", "PATH", "the policy to decide under: a file, or a directory of them",
         LEX_CLI_STR, &given.policy, true},
        {"facts", "FILE", "what a service would know from attestations, tokens and its history",
         LEX_CLI_STR, &given.facts, false},
        {"now", "INSTANT", "the clock (RFC 3339); else the machine's", LEX_CLI_STR, &given.now,
         false},
        {"mode", "MODE", "the server's mode: permissive, strict or paranoid", LEX_CLI_STR,
         &given.mode, false},
    };
    const struct lex_cli_usage usage = {
        .path = "decide",
        .operands = "",
        .text = "Answer requests offline: one JSON request a line on stdin, one verdict a line on "
                "stdout,\nin the same order. A line that is no valid request is denied "
                "INVALID_REQUEST.\n\n"
                "  echo '{\"actor\":\"user\",\"proposed_action\":\"read\"}' |\n"
                "    lexecon decide --policy policies/compat/example_policy.json\n\n"
                "--facts stands in for what a service knows from verified statements and its own\n"
                "records. All of its members may be absent; ages are seconds before the clock:\n\n"
                "  {\"attested\": {\"mfa\": true}, \"roles\": [\"actor:oncall\"], \"identity\": "
                "true,\n"
                "   \"approvals\": [{\"approver\": \"actor:human\", \"key\": \"k2\", \"age_s\": "
                "12}],\n"
                "   \"token\": {\"action\": \"action:read\"}, \"history\": {\"complete\": true,\n"
                "    \"rates\": [{\"rule\": \"r1\", \"actor\": \"actor:a\", \"age_s\": 5}],\n"
                "    \"duties\": [{\"actor\": \"actor:a\", \"action\": \"action:pay\", \"age_s\": "
                "60}]}}\n\n"
                "A line may also be a case, which brings its own: {\"request\": {..}, \"facts\": "
                "{..},\n\"now\": \"2026-01-31T12:00:00Z\", \"mode\": \"strict\"}, as `policy test` "
                "and `policy diff` have them.\n\n"
                "Exit status: 0 every line was answered (allowed or not); 2 the policy or the "
                "facts do\nnot load.",
        .flags = flags,
        .flags_count = LEX_COUNT_OF(flags),
    };
    struct lex_cli_list operands = {.count = 0};
    int parsed = lex_cli_parse(&usage, argc, argv, &operands);
    if (parsed != 0)
        return parsed == 1 ? LEX_EXIT_OK : LEX_EXIT_USAGE;
    return run(&usage, &given);
}
