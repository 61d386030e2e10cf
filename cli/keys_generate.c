#include <stdio.h>

#include "cli/cli.h"
#include "cli/keys.h"

static const char *dir, *prefix;
static bool policy_key;
static const struct lex_cli_flag flags[] = {
    {"dir", "DIR", "Directory for the key files, made with mode 0700 where it is missing.",
     LEX_CLI_STR, &dir, true},
    {"origin-prefix", "PREFIX",
     "The service's origin_prefix, <org>/<cluster>; key ids depend on it. Default: "
     "LEXECON_ORIGIN_PREFIX, else the service's default.",
     LEX_CLI_STR, &prefix, false},
    {"policy-key", NULL,
     "Make policy.pem too, which signs policies. Keep it off the machines that run the service.",
     LEX_CLI_BOOL, &policy_key, false},
};
static const struct lex_cli_usage usage = {
    .path = "keys generate",
    .operands = "",
    .text =
        "Make the Ed25519 keys that are missing in DIR: verdict.pem, log.pem and token.pem\n"
        "(PKCS#8, mode 0600). A key that exists is never touched.\n\n"
        "  lexecon keys generate --dir keys --origin-prefix example.com/production\n"
        "  lexecon keys show --dir keys --origin-prefix example.com/production --pin > pins.json",
    .flags = flags,
    .flags_count = LEX_COUNT_OF(flags),
};

static void print_files(unsigned wanted, unsigned made)
{
    for (unsigned role = 0; role < LEX_KEY_ROLES; role++)
        if ((wanted & 1u << role) != 0)
            (void)printf("%s/%s.pem  %s\n", dir, lex_key_role_name(role),
                         (made & 1u << role) != 0 ? "made" : "was there, kept");
}

int lex_cli_keys_generate(int argc, char **argv)
{
    struct lex_cli_list operands;
    struct lex_error err;
    struct lex_keyring *keyring = NULL;
    unsigned made = 0;
    int parsed = lex_cli_parse(&usage, argc, argv, &operands);
    if (parsed != 0)
        return parsed == 1 ? LEX_EXIT_OK : LEX_EXIT_USAGE;
    unsigned wanted = policy_key ? LEX_KEYS_ALL : LEX_KEYS_SERVICE;
    prefix = prefix != NULL ? prefix : lex_cli_origin_prefix();
    if (lex_crypto_init(&err) != LEX_OK)
        return lex_cli_fail(&usage, LEX_EXIT_INTERNAL, "%s", err.text);
    if (lex_origin_prefix_check(lex_span_str(prefix), &err) != LEX_OK ||
        lex_keyring_generate(dir, wanted, &made, &err) != LEX_OK ||
        lex_keyring_load(dir, prefix, &keyring, &err) != LEX_OK)
        return lex_cli_fail(&usage, LEX_EXIT_USAGE, "%s", err.text);
    print_files(wanted, made);
    LEX_CLEANUP(lex_buf_fini) struct lex_buf text;
    lex_buf_init(&text, LEX_CLI_KEYS_TEXT_MAX_BYTES);
    lex_cli_keys_text(keyring, &text);
    (void)printf("\n%s", lex_buf_str(&text));
    lex_keyring_free(keyring);
    return LEX_EXIT_OK;
}
