#include "cli/keys.h"

#include <stdlib.h>

#include "core/base/text.h"

static const struct {
    const char *name, *value;
} text_options[] = {
#define LEX_OPTION_SECTION(title)
#define LEX_OPTION_STR(option, initial, ...) {#option, initial},
#define LEX_OPTION_INT(...)
#define LEX_OPTION_BOOL(...)
#define LEX_OPTION_ENUM(...)
#include "core/config/options.def"
#undef LEX_OPTION_SECTION
#undef LEX_OPTION_STR
#undef LEX_OPTION_INT
#undef LEX_OPTION_BOOL
#undef LEX_OPTION_ENUM
};

const char *lex_cli_origin_prefix(void)
{
    const char *set = getenv("LEXECON_ORIGIN_PREFIX");
    if (set != NULL && set[0] != '\0')
        return set;
    for (size_t i = 0; i < LEX_COUNT_OF(text_options); i++)
        if (strcmp(text_options[i].name, "origin_prefix") == 0)
            return text_options[i].value;
    LEX_ASSERT(false);
    return NULL;
}

void lex_cli_keys_text(const struct lex_keyring *keyring, struct lex_buf *out)
{
    struct lex_span prefix = lex_keyring_origin_prefix(keyring);
    for (unsigned role = 0; role < LEX_KEY_ROLES; role++) {
        const struct lex_public_key *key = lex_keyring_public(keyring, role);
        if (key == NULL)
            continue;
        lex_buf_printf(out, "%-8s  ", lex_key_role_name(role));
        lex_buf_put_hex(out, lex_keyring_id(keyring, role), LEX_KEY_ID_BYTES);
        lex_buf_puts(out, "  ");
        lex_buf_put_base64(out, lex_span_of(key->bytes, sizeof key->bytes));
        lex_buf_printf(out, "  %.*s/%s\n", LEX_SPAN_FMT(prefix), lex_key_role_name(role));
    }
}
