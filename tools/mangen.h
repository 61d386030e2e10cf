/* Mangen: manual pages and shell completions, from the tables that the programs themselves parse
 * with.
 *
 * A page that is written by hand is wrong from the next change on. So nothing here says what a flag
 * is: commands.def, each subcommand's flags, options.def and exits.def do, and this turns them into
 * roff and into what bash, zsh and fish load.
 *
 *     lex_mangen man DIR DATE     lexecon.1, one lexecon-COMMAND.1 each, lexecon-consumer.8,
 * lexecon.json.5 lex_mangen completions DIR  in bash, zsh and fish: one for each of the two
 * programs
 */
#ifndef LEX_TOOLS_MANGEN_H
#define LEX_TOOLS_MANGEN_H

#include <stdio.h>

#include "cli/cli.h"
#include "core/base/buf.h"
#include "core/config/config.h"

enum { LEX_MANGEN_PAGE_MAX_BYTES = 4 << 20 };

struct lex_mangen_command {
    const char *path, *summary; /* "ledger verify" */
    int (*run)(int argc, char **argv);
};
extern const struct lex_mangen_command lex_mangen_commands[];
extern const size_t lex_mangen_commands_count;

/* What lexecon-consumer takes besides its options. */
struct lex_mangen_action {
    const char *flag, *value, *help; /* value NULL for none */
};
extern const struct lex_mangen_action lex_mangen_actions[];
extern const size_t lex_mangen_actions_count;

/* One page each; `date` is YYYY-MM-DD. */
void lex_mangen_man_lexecon(const char *date, struct lex_buf *out);
void lex_mangen_man_command(const struct lex_mangen_command *command, const char *date,
                            struct lex_buf *out);
void lex_mangen_man_consumer(const char *date, struct lex_buf *out);
void lex_mangen_man_config(const char *date, struct lex_buf *out);

/* What follows a flag or an operand, as its name in the help says it. */
enum lex_mangen_kind { LEX_MANGEN_NOTHING, LEX_MANGEN_FILE, LEX_MANGEN_DIR, LEX_MANGEN_WORDS };
/* "FILE" -> FILE, "json|avro" -> WORDS and "json avro", "MODE" -> WORDS and the modes. */
enum lex_mangen_kind lex_mangen_kind_of(const char *value,
                                        char ret_words[LEX_CONFIG_DESCRIPTION_MAX]);

void lex_mangen_bash_lexecon(struct lex_buf *out);
void lex_mangen_bash_consumer(struct lex_buf *out);
void lex_mangen_zsh_lexecon(struct lex_buf *out);
void lex_mangen_zsh_consumer(struct lex_buf *out);
void lex_mangen_fish_lexecon(struct lex_buf *out);
void lex_mangen_fish_consumer(struct lex_buf *out);

#endif
