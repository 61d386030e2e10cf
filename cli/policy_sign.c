/* `lexecon policy sign`: a policy that the policies topic may carry.
 *
 * The document's bytes are signed as they stand. One that does not load is not signed: nobody
 * should be able to publish what every node then refuses. */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/input.h"
#include "cli/text_file.h"
#include "core/identity/token.h"
#include "core/policy/policy.h"

enum { DOCUMENT_MAX_BYTES = 64 << 20, ARENA_MAX_BYTES = 400 << 20 };

static const char *key_path;
static const struct lex_cli_flag flags[] = {
    {"key", "FILE", "The policy key, policy.pem (PKCS#8 PEM, 0600).", LEX_CLI_STR, &key_path, true},
};
static const struct lex_cli_usage usage = {
    .path = "policy sign",
    .operands = "FILE",
    .text =
        "Sign a policy document with the policy key and print the compact JWS, what the policies\n"
        "topic carries under the key policy/<id>. The service takes it when its option policy_key\n"
        "names the public key.\n\n"
        "  lexecon keys generate --dir author --policy-key\n"
        "  lexecon policy sign --key author/policy.pem policy.json > policy.jws\n"
        "  openssl pkey -in author/policy.pem -pubout -out policy-public.pem\n\n"
        "Exit status: 0 printed; 1 the policy does not load; 2 a flag or a file is wrong.",
    .flags = flags,
    .flags_count = LEX_COUNT_OF(flags),
    .operands_min = 1,
    .operands_max = 1,
};

static int sign(const struct lex_signer *signer, struct lex_span document)
{
    struct lex_arena arena;
    struct lex_span text;
    struct lex_error err;
    lex_arena_init(&arena, 64 << 10, ARENA_MAX_BYTES);
    enum lex_status status = lex_policy_jws_sign(signer, document, &arena, &text, &err);
    if (status == LEX_OK)
        (void)printf("%.*s\n", LEX_SPAN_FMT(text));
    lex_arena_fini(&arena);
    return status == LEX_OK ? LEX_EXIT_OK : lex_cli_fail(&usage, LEX_EXIT_INTERNAL, "%s", err.text);
}

int lex_cli_policy_sign(int argc, char **argv)
{
    struct lex_cli_list operands;
    struct lex_policy *policy = NULL;
    struct lex_signer *signer = NULL;
    struct lex_error err;
    LEX_CLEANUP(lex_buf_fini) struct lex_buf document;
    lex_buf_init(&document, DOCUMENT_MAX_BYTES);
    int parsed = lex_cli_parse(&usage, argc, argv, &operands);
    if (parsed != 0)
        return parsed == 1 ? LEX_EXIT_OK : LEX_EXIT_USAGE;
    if (lex_crypto_init(&err) != LEX_OK)
        return lex_cli_fail(&usage, LEX_EXIT_INTERNAL, "%s", err.text);
    if (lex_text_file_read(operands.items[0], &document, &err) != LEX_OK ||
        lex_signer_load(key_path, &signer, &err) != LEX_OK)
        return lex_cli_fail(&usage, LEX_EXIT_USAGE, "%s", err.text);
    int status = LEX_EXIT_NO;
    if (lex_policy_load(lex_buf_span(&document), operands.items[0], &policy, &err) == LEX_OK)
        status = sign(signer, lex_buf_span(&document));
    else
        status = lex_cli_fail(&usage, LEX_EXIT_NO, "%s", err.text);
    lex_policy_unref(policy);
    lex_signer_free(signer);
    return status;
}
