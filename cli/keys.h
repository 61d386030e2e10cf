/* What the `keys` subcommands share: where the origin prefix comes from, and how keys are printed.
 */
#ifndef LEX_CLI_KEYS_H
#define LEX_CLI_KEYS_H

#include "core/crypto/crypto.h"

/* Key names and ids depend on the prefix, so it must be the service's: LEXECON_ORIGIN_PREFIX, else
 * the service's own default. */
const char *lex_cli_origin_prefix(void);

enum { LEX_CLI_KEYS_TEXT_MAX_BYTES = 64 << 10 };
/* One line per key: role, id, public key, note name. */
void lex_cli_keys_text(const struct lex_keyring *keyring, struct lex_buf *out);

#endif
