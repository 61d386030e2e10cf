/* `lexecon policy check`: would these policies load, and what is odd about them? */
#include <stdio.h>

#include "cli/case.h"
#include "cli/cli.h"
#include "cli/text_file.h"

enum { REPORT_MAX_BYTES = 16 << 20 };

/* ---- lints, of the policy and of those that are evaluated beside it ---- */

typedef void put_lint(struct lex_buf *out, const struct lex_policy_lint *lint, bool first);

static size_t put_lints(struct lex_buf *out, const struct lex_policy *policy, put_lint *put)
{
    size_t shadows = lex_policy_info(policy)->shadows_count, all = 0;
    for (size_t p = 0; p <= shadows; p++) {
        const struct lex_policy_lint *lints;
        const struct lex_policy *one = p == 0 ? policy : lex_policy_shadow(policy, p - 1);
        size_t count = lex_policy_lints(one, &lints);
        for (size_t i = 0; i < count; i++)
            put(out, &lints[i], all++ == 0);
    }
    return all;
}

static void put_text_lint(struct lex_buf *out, const struct lex_policy_lint *lint, bool first)
{
    (void)first;
    lex_buf_printf(out, "%s:%u:%u: %s: %s: %.*s\n", lint->source, lint->line, lint->column,
                   lint->rank, lint->kind, LEX_SPAN_FMT(lint->text));
}

static void put_json_lint(struct lex_buf *out, const struct lex_policy_lint *lint, bool first)
{
    lex_buf_puts(out, first ? "{\"source\":" : ",{\"source\":");
    lex_buf_put_json(out, lex_span_str(lint->source));
    lex_buf_printf(out, ",\"line\":%u,\"column\":%u,\"rank\":\"%s\",\"kind\":\"%s\"", lint->line,
                   lint->column, lint->rank, lint->kind);
    lex_put_member(out, "text", lint->text);
    lex_buf_putc(out, '}');
}

/* ---- one policy's report ---- */

static size_t put_text(struct lex_buf *out, const char *path, const struct lex_policy *policy,
                       const struct lex_error *err)
{
    if (policy == NULL) {
        lex_buf_printf(out, "error: %s\n", err->text);
        return 0;
    }
    const struct lex_policy_info *info = lex_policy_info(policy);
    size_t count = put_lints(out, policy, put_text_lint);
    lex_buf_printf(out, "ok: %s: ", path);
    if (info->documents_count + info->shadows_count > 1)
        lex_buf_printf(out, "%zu documents, ", info->documents_count + info->shadows_count);
    lex_buf_printf(out, "%zu terms, %zu relations, %zu constraints, %zu lints\n", info->terms,
                   info->relations, info->constraints, count);
    return count;
}

static void put_identity(struct lex_buf *out, const struct lex_policy_info *info)
{
    lex_put_member(out, "id", info->id);
    lex_buf_puts(out, ",\"version\":");
    if (lex_span_absent(info->version))
        lex_buf_puts(out, "null");
    else
        lex_buf_put_json(out, info->version);
    lex_buf_puts(out, ",\"hash\":\"");
    lex_buf_put_hex(out, info->hash, sizeof info->hash);
    lex_buf_puts(out, "\",\"legacy_hash\":\"");
    lex_buf_put_hex(out, info->legacy_hash, sizeof info->legacy_hash);
    lex_buf_printf(out,
                   "\",\"documents\":%zu,\"log_only\":%zu,\"terms\":%zu,\"relations\":%zu,"
                   "\"constraints\":%zu",
                   info->documents_count, info->shadows_count, info->terms, info->relations,
                   info->constraints);
}

static size_t put_json(struct lex_buf *out, const char *path, const struct lex_policy *policy,
                       const struct lex_error *err)
{
    size_t count = 0;
    lex_buf_puts(out, "{\"file\":");
    lex_buf_put_json(out, lex_span_str(path));
    lex_buf_printf(out, ",\"valid\":%s,\"error\":", policy == NULL ? "false" : "true");
    if (policy == NULL)
        lex_buf_put_json(out, lex_span_str(err->text));
    else
        lex_buf_puts(out, "null");
    if (policy != NULL)
        put_identity(out, lex_policy_info(policy));
    lex_buf_puts(out, ",\"lints\":[");
    if (policy != NULL)
        count = put_lints(out, policy, put_json_lint);
    lex_buf_puts(out, "]}\n");
    return count;
}

static enum lex_exit check_path(const char *path, bool json, bool deny_warnings)
{
    LEX_CLEANUP(lex_buf_fini) struct lex_buf out;
    struct lex_policy *policy = NULL;
    struct lex_error err = {""};
    bool valid = lex_policy_load_path(path, &policy, &err) == LEX_OK;
    lex_buf_init(&out, REPORT_MAX_BYTES);
    size_t lints = json ? put_json(&out, path, policy, &err) : put_text(&out, path, policy, &err);
    lex_policy_unref(policy);
    (void)fputs(lex_buf_str(&out), stdout);
    if (!lex_buf_ok(&out))
        return LEX_EXIT_INTERNAL;
    if (!valid && !lex_text_file_readable(path))
        return LEX_EXIT_USAGE;
    return valid && (lints == 0 || !deny_warnings) ? LEX_EXIT_OK : LEX_EXIT_NO;
}

/* ---- the command ---- */

int lex_cli_policy_check(int argc, char **argv)
{
    bool json = false, deny_warnings = false;
    const struct lex_cli_flag flags[] = {
        {"json", NULL, "one JSON object a path instead of text", LEX_CLI_BOOL, &json, false},
        {"deny-warnings", NULL, "a lint counts as an error", LEX_CLI_BOOL, &deny_warnings, false},
    };
    const struct lex_cli_usage usage = {
        .path = "policy check",
        .operands = "PATH...",
        .text = "Load each policy as the service would, a file or a directory of them, and report "
                "its first\nerror, or its lints, worst first, a line each:\n\n"
                "  file:line:column: danger|doubt|style: kind: what is odd\n\n"
                "  lexecon policy check policies/compat/*.json\n"
                "  lexecon policy check --deny-warnings policies/\n\n"
                "Exit status: 0 all load (and are clean, with --deny-warnings); 1 at least one "
                "does not;\n2 at least one cannot be read.",
        .flags = flags,
        .flags_count = LEX_COUNT_OF(flags),
        .operands_min = 1,
        .operands_max = LEX_CLI_LIST_MAX,
    };
    struct lex_cli_list paths = {.count = 0};
    enum lex_exit worst = LEX_EXIT_OK;
    int parsed = lex_cli_parse(&usage, argc, argv, &paths);
    if (parsed != 0)
        return parsed == 1 ? LEX_EXIT_OK : LEX_EXIT_USAGE;
    for (size_t i = 0; i < paths.count; i++) {
        enum lex_exit status = check_path(paths.items[i], json, deny_warnings);
        worst = status > worst ? status : worst;
    }
    return (int)worst;
}
