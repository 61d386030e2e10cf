/* `lexecon policy hash`: a policy's identity, as verdicts and ledger entries name it. */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/text_file.h"
#include "core/policy/policy.h"

enum { LINE_MAX_BYTES = 1 << 20 };

static void put_identity(struct lex_buf *out, const char *path, const struct lex_policy_info *info)
{
    lex_buf_puts(out, "{\"file\":");
    lex_buf_put_json(out, lex_span_str(path));
    lex_buf_puts(out, ",\"policy_id\":");
    lex_buf_put_json(out, info->id);
    lex_buf_puts(out, ",\"version\":");
    if (lex_span_absent(info->version))
        lex_buf_puts(out, "null");
    else
        lex_buf_put_json(out, info->version);
    lex_buf_puts(out, ",\"policy_hash\":\"");
    lex_buf_put_hex(out, info->hash, sizeof info->hash);
    lex_buf_puts(out, "\",\"legacy_policy_hash\":\"");
    lex_buf_put_hex(out, info->legacy_hash, sizeof info->legacy_hash);
    lex_buf_puts(out, "\"}\n");
}

static enum lex_exit hash_path(const struct lex_cli_usage *usage, const char *path)
{
    LEX_CLEANUP(lex_buf_fini) struct lex_buf out;
    struct lex_policy *policy;
    struct lex_error err;
    lex_buf_init(&out, LINE_MAX_BYTES);
    if (lex_policy_load_path(path, &policy, &err) != LEX_OK)
        return (enum lex_exit)lex_cli_fail(
            usage, lex_text_file_readable(path) ? LEX_EXIT_NO : LEX_EXIT_USAGE, "%s", err.text);
    put_identity(&out, path, lex_policy_info(policy));
    lex_policy_unref(policy);
    if (!lex_buf_ok(&out))
        return (enum lex_exit)lex_cli_fail(usage, LEX_EXIT_INTERNAL, "the identity is too long");
    (void)fputs(lex_buf_str(&out), stdout);
    return LEX_EXIT_OK;
}

int lex_cli_policy_hash(int argc, char **argv)
{
    const struct lex_cli_usage usage = {
        .path = "policy hash",
        .operands = "PATH...",
        .text =
            "Print each policy's id, version and hashes as one JSON object a line. policy_hash "
            "is the\nSHA-256 of the whole document's canonical JSON (RFC 8785, its sets "
            "sorted), so neither\nlayout nor order changes it; a directory's is that of its "
            "documents' sorted hashes.\nlegacy_policy_hash is the reference system's, over mode, "
            "terms and relations in file order.\n\n"
            "  lexecon policy hash policies/compat/example_policy.json\n\n"
            "Exit status: 0 all load; 1 at least one does not; 2 at least one cannot be read.",
        .operands_min = 1,
        .operands_max = LEX_CLI_LIST_MAX,
    };
    struct lex_cli_list paths = {.count = 0};
    enum lex_exit worst = LEX_EXIT_OK;
    int parsed = lex_cli_parse(&usage, argc, argv, &paths);
    if (parsed != 0)
        return parsed == 1 ? LEX_EXIT_OK : LEX_EXIT_USAGE;
    for (size_t i = 0; i < paths.count; i++) {
        enum lex_exit status = hash_path(&usage, paths.items[i]);
        worst = status > worst ? status : worst;
    }
    return (int)worst;
}
