#include <stdio.h>

#include "cli/cli.h"
#include "cli/keys.h"

static const char *dir, *prefix;
static bool pin, json;
static const struct lex_cli_flag flags[] = {
    {"dir", "DIR", "Directory with the key files.", LEX_CLI_STR, &dir, true},
    {"origin-prefix", "PREFIX",
     "The service's origin_prefix, <org>/<cluster>; key ids depend on it. Default: "
     "LEXECON_ORIGIN_PREFIX, else the service's default.",
     LEX_CLI_STR, &prefix, false},
    {"pin", NULL, "Print the pin file (JSON) that submit, verdict verify and ledger verify take.",
     LEX_CLI_BOOL, &pin, false},
    {"json", NULL, "The same as --pin: public keys as JSON.", LEX_CLI_BOOL, &json, false},
};
static const struct lex_cli_usage usage = {
    .path = "keys show",
    .operands = "",
    .text =
        "Print the public keys of DIR: role, key id, key in base64, name. No secret is printed.\n"
        "With --pin, print what a verifier trusts; hand it to verifiers by a way that nobody who\n"
        "can write to the topics controls.\n\n"
        "  lexecon keys show --dir keys --origin-prefix example.com/production --pin > pins.json",
    .flags = flags,
    .flags_count = LEX_COUNT_OF(flags),
};

int lex_cli_keys_show(int argc, char **argv)
{
    struct lex_cli_list operands;
    struct lex_error err;
    struct lex_keyring *keyring = NULL;
    int parsed = lex_cli_parse(&usage, argc, argv, &operands);
    if (parsed != 0)
        return parsed == 1 ? LEX_EXIT_OK : LEX_EXIT_USAGE;
    prefix = prefix != NULL ? prefix : lex_cli_origin_prefix();
    if (lex_crypto_init(&err) != LEX_OK)
        return lex_cli_fail(&usage, LEX_EXIT_INTERNAL, "%s", err.text);
    if (lex_keyring_load(dir, prefix, &keyring, &err) != LEX_OK)
        return lex_cli_fail(&usage, LEX_EXIT_USAGE, "%s", err.text);
    LEX_CLEANUP(lex_buf_fini) struct lex_buf text;
    lex_buf_init(&text, LEX_CLI_KEYS_TEXT_MAX_BYTES);
    enum lex_status status = LEX_OK;
    if (pin || json)
        status = lex_pins_write(keyring, &text);
    else
        lex_cli_keys_text(keyring, &text);
    lex_keyring_free(keyring);
    if (status != LEX_OK || !lex_buf_ok(&text))
        return lex_cli_fail(&usage, LEX_EXIT_INTERNAL, "no memory for the keys' text");
    (void)fputs(lex_buf_str(&text), stdout);
    return LEX_EXIT_OK;
}
