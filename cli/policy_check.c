/* `lexecon policy check`: would these files load, and what is odd about them? */
#include <stdio.h>

#include "cli/cli.h"
#include "core/base/buf.h"
#include "core/policy/policy.h"

enum { REPORT_MAX_BYTES = 16 << 20 };

/* ---- one file's report ---- */

static void put_text(struct lex_buf *out, const char *path, const struct lex_policy *policy,
                     const struct lex_error *err)
{
    const struct lex_policy_lint *lints;
    if (policy == NULL) {
        lex_buf_printf(out, "error: %s\n", err->text);
        return;
    }
    const struct lex_policy_info *info = lex_policy_info(policy);
    size_t count = lex_policy_lints(policy, &lints);
    for (size_t i = 0; i < count; i++)
        lex_buf_printf(out, "lint: %s:%u:%u: %.*s\n", path, lints[i].line, lints[i].column,
                       LEX_SPAN_FMT(lints[i].text));
    lex_buf_printf(out, "ok: %s: %zu terms, %zu relations, %zu constraints, %zu lints\n", path,
                   info->terms, info->relations, info->constraints, count);
}

static void put_json(struct lex_buf *out, const char *path, const struct lex_policy *policy,
                     const struct lex_error *err)
{
    const struct lex_policy_lint *lints;
    lex_buf_puts(out, "{\"file\":");
    lex_buf_put_json(out, lex_span_str(path));
    lex_buf_printf(out, ",\"valid\":%s", policy == NULL ? "false" : "true");
    if (policy == NULL) {
        lex_buf_puts(out, ",\"error\":");
        lex_buf_put_json(out, lex_span_str(err->text));
        lex_buf_puts(out, ",\"lints\":[]}\n");
        return;
    }
    const struct lex_policy_info *info = lex_policy_info(policy);
    size_t count = lex_policy_lints(policy, &lints);
    lex_buf_printf(out, ",\"terms\":%zu,\"relations\":%zu,\"constraints\":%zu,\"lints\":[",
                   info->terms, info->relations, info->constraints);
    for (size_t i = 0; i < count; i++) {
        lex_buf_printf(out, "%s{\"line\":%u,\"column\":%u,\"text\":", i == 0 ? "" : ",",
                       lints[i].line, lints[i].column);
        lex_buf_put_json(out, lints[i].text);
        lex_buf_putc(out, '}');
    }
    lex_buf_puts(out, "]}\n");
}

static enum lex_exit check_file(const char *path, bool json, bool deny_warnings)
{
    LEX_CLEANUP(lex_buf_fini) struct lex_buf out;
    struct lex_policy *policy = NULL;
    struct lex_error err = {""};
    const struct lex_policy_lint *lints;
    bool valid = lex_policy_load_file(path, &policy, &err) == LEX_OK;
    bool clean = valid && lex_policy_lints(policy, &lints) == 0;
    lex_buf_init(&out, REPORT_MAX_BYTES);
    if (json)
        put_json(&out, path, policy, &err);
    else
        put_text(&out, path, policy, &err);
    lex_policy_unref(policy);
    (void)fputs(lex_buf_str(&out), stdout);
    if (!lex_buf_ok(&out))
        return LEX_EXIT_INTERNAL;
    return valid && (clean || !deny_warnings) ? LEX_EXIT_OK : LEX_EXIT_NO;
}

/* ---- the command ---- */

int lex_cli_policy_check(int argc, char **argv)
{
    bool json = false, deny_warnings = false;
    const struct lex_cli_flag flags[] = {
        {"json", NULL, "one JSON object a file instead of text", LEX_CLI_BOOL, &json, false},
        {"deny-warnings", NULL, "a lint counts as an error", LEX_CLI_BOOL, &deny_warnings, false},
    };
    const struct lex_cli_usage usage = {
        .path = "policy check",
        .operands = "FILE...",
        .text = "Load each policy as the service would and report its first error, or its lints, "
                "each\nwith file, line and column.\n\n"
                "  lexecon policy check policies/compat/*.json\n\n"
                "Exit status: 0 all load (and are clean, with --deny-warnings); 1 at least one "
                "does not.",
        .flags = flags,
        .flags_count = LEX_COUNT_OF(flags),
        .operands_min = 1,
        .operands_max = LEX_CLI_LIST_MAX,
    };
    struct lex_cli_list files = {.count = 0};
    enum lex_exit worst = LEX_EXIT_OK;
    int parsed = lex_cli_parse(&usage, argc, argv, &files);
    if (parsed != 0)
        return parsed == 1 ? LEX_EXIT_OK : LEX_EXIT_USAGE;
    for (size_t i = 0; i < files.count; i++) {
        enum lex_exit status = check_file(files.items[i], json, deny_warnings);
        worst = status > worst ? status : worst;
    }
    return (int)worst;
}
