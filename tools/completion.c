/* Completions for bash, zsh and fish. A shell's script is a few lines that find out which command
 * is being typed, and a case for each command that is written from its table of flags. */
#include "tools/mangen.h"

enum { FLAGS_MAX = LEX_OPTION_COUNT + 64 };

/* One flag, of a subcommand or of the service. */
struct shown {
    char name[64];     /* without dashes */
    const char *value; /* NULL for a switch */
    const char *help;
    bool repeatable;
};

struct flags {
    struct shown items[FLAGS_MAX];
    size_t count;
    const char *operands;
};

/* ---- collecting ---- */

static void add(struct flags *flags, const char *name, const char *value, const char *help,
                bool repeatable)
{
    LEX_ASSERT(flags->count < FLAGS_MAX);
    struct shown *shown = &flags->items[flags->count++];
    *shown = (struct shown){.value = value, .help = help, .repeatable = repeatable};
    (void)snprintf(shown->name, sizeof shown->name, "%s", name);
}

static void collect_usage(const struct lex_cli_usage *usage, struct flags *ret)
{
    *ret = (struct flags){.operands = usage->operands};
    for (size_t i = 0; i < usage->flags_count; i++) {
        const struct lex_cli_flag *flag = &usage->flags[i];
        add(ret, flag->name, flag->kind == LEX_CLI_BOOL ? NULL : flag->value, flag->help,
            flag->kind == LEX_CLI_LIST);
    }
    add(ret, "help", NULL, "Print the flags.", false);
}

static const struct flags *collect_options(void)
{
    static struct lex_config_description options[LEX_OPTION_COUNT];
    static struct flags flags;
    flags = (struct flags){.operands = ""};
    for (size_t i = 0; i < lex_mangen_actions_count; i++)
        add(&flags, lex_mangen_actions[i].flag + 2, lex_mangen_actions[i].value,
            lex_mangen_actions[i].help, false);
    for (size_t i = 0; i < LEX_OPTION_COUNT; i++) {
        lex_config_describe(i, &options[i]);
        add(&flags, options[i].flag + 2, options[i].is_switch ? NULL : options[i].value,
            options[i].help, false);
    }
    return &flags;
}

/* ---- the commands' words ---- */

/* "ledger verify" -> "ledger" and "verify"; the second is NULL where there is none. */
static const char *split(const char *path, char ret_first[64])
{
    size_t len = strcspn(path, " ");
    (void)snprintf(ret_first, 64, "%.*s", (int)len, path);
    return path[len] == ' ' ? path + len + 1 : NULL;
}

/* Whether no command before this one begins with the same word. */
static bool is_new(size_t command)
{
    char mine[64], other[64];
    (void)split(lex_mangen_commands[command].path, mine);
    for (size_t i = 0; i < command; i++) {
        (void)split(lex_mangen_commands[i].path, other);
        if (strcmp(mine, other) == 0)
            return false;
    }
    return true;
}

/* Call `put` for each second word behind `first`. @return how many there are */
static size_t each_second(struct lex_buf *out, const char *first,
                          void (*put)(struct lex_buf *out, const char *first, const char *second,
                                      const char *summary))
{
    size_t count = 0;
    for (size_t i = 0; i < lex_mangen_commands_count; i++) {
        char word[64];
        const char *second = split(lex_mangen_commands[i].path, word);
        if (second == NULL || strcmp(word, first) != 0)
            continue;
        if (put != NULL)
            put(out, first, second, lex_mangen_commands[i].summary);
        count++;
    }
    return count;
}

/* A branch of a shell's `case` for each first word that a second follows. */
static void put_seconds(struct lex_buf *out, const char *open,
                        void (*put)(struct lex_buf *out, const char *first, const char *second,
                                    const char *summary),
                        const char *close)
{
    char first[64];
    for (size_t i = 0; i < lex_mangen_commands_count; i++) {
        (void)split(lex_mangen_commands[i].path, first);
        if (!is_new(i) || each_second(out, first, NULL) == 0)
            continue;
        lex_buf_printf(out, "\t%s) %s", first, open);
        (void)each_second(out, first, put);
        lex_buf_puts(out, close);
    }
}

/* What a first word is about: its summary, or the words that follow it. */
static void put_about(struct lex_buf *out, size_t command)
{
    char first[64], word[64];
    const char *separator = "";
    if (split(lex_mangen_commands[command].path, first) == NULL) {
        lex_buf_puts(out, lex_mangen_commands[command].summary);
        return;
    }
    for (size_t i = command; i < lex_mangen_commands_count; i++) {
        const char *second = split(lex_mangen_commands[i].path, word);
        if (second == NULL || strcmp(word, first) != 0)
            continue;
        lex_buf_printf(out, "%s%s", separator, second);
        separator = ", ";
    }
}

/* ---- bash ---- */

static const char bash_head[] =
    "# bash completion, written by lex_mangen from the tables of the program.\n";

/* bash takes --flag=value for three words. What completes is chosen by `kind`; the cases set it. */
static const char bash_open[] =
    "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
    "\tlocal flags='' kind='' words=''\n"
    "\tCOMPREPLY=()\n"
    "\tif [ \"$cur\" = = ]; then\n\t\tcur=''\n"
    "\telif [ \"$prev\" = = ]; then\n\t\tprev=${COMP_WORDS[COMP_CWORD-2]}\n\tfi\n";
static const char bash_close[] =
    "\tif [ -z \"$kind\" ] && [[ $cur == -* ]]; then\n\t\tkind=words words=$flags\n\tfi\n"
    "\tcase ${kind:-$operand} in\n"
    "\tfile) compopt -o filenames 2>/dev/null\n"
    "\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$cur\") ;;\n"
    "\tdir) compopt -o filenames 2>/dev/null\n"
    "\t\tmapfile -t COMPREPLY < <(compgen -d -- \"$cur\") ;;\n"
    "\twords) mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\") ;;\n"
    "\tesac\n";

static const char *kind_word(enum lex_mangen_kind kind)
{
    static const char *const words[] = {[LEX_MANGEN_NOTHING] = "nothing",
                                        [LEX_MANGEN_FILE] = "file",
                                        [LEX_MANGEN_DIR] = "dir",
                                        [LEX_MANGEN_WORDS] = "words"};
    return words[kind];
}

static void put_bash_kind(struct lex_buf *out, const char *variable, const char *value)
{
    char words[LEX_CONFIG_DESCRIPTION_MAX];
    enum lex_mangen_kind kind = lex_mangen_kind_of(value, words);
    lex_buf_printf(out, "%s='%s'", variable, kind_word(kind));
    if (kind == LEX_MANGEN_WORDS)
        lex_buf_printf(out, " words='%s'", words);
}

static void put_bash_flags(struct lex_buf *out, const struct flags *flags)
{
    lex_buf_puts(out, "\t\tflags='");
    for (size_t i = 0; i < flags->count; i++)
        lex_buf_printf(out, "%s--%s", i > 0 ? " " : "", flags->items[i].name);
    lex_buf_puts(out, "'\n\t\t");
    put_bash_kind(out, "operand", flags->operands);
    lex_buf_puts(out, "\n\t\tcase $prev in\n");
    for (size_t i = 0; i < flags->count; i++) {
        if (flags->items[i].value == NULL)
            continue;
        lex_buf_printf(out, "\t\t--%s) ", flags->items[i].name);
        put_bash_kind(out, "kind", flags->items[i].value);
        lex_buf_puts(out, " ;;\n");
    }
    lex_buf_puts(out, "\t\tesac\n");
}

static void see_for_bash(void *user, const struct lex_cli_usage *usage)
{
    struct lex_buf *out = user;
    struct flags flags;
    collect_usage(usage, &flags);
    lex_buf_printf(out, "\t'%s')\n", usage->path);
    put_bash_flags(out, &flags);
    lex_buf_puts(out, "\t\t;;\n");
}

static void put_bash_second(struct lex_buf *out, const char *first, const char *second,
                            const char *summary)
{
    (void)first;
    (void)summary;
    lex_buf_printf(out, "%s ", second);
}

static void put_bash_first(struct lex_buf *out)
{
    char first[64];
    lex_buf_puts(out, "\tlocal command=${COMP_WORDS[1]} first='");
    for (size_t i = 0; i < lex_mangen_commands_count; i++)
        if (is_new(i)) {
            (void)split(lex_mangen_commands[i].path, first);
            lex_buf_printf(out, "%s ", first);
        }
    lex_buf_puts(out, "help'\n"
                      "\tif [ \"$COMP_CWORD\" = 1 ]; then\n"
                      "\t\tmapfile -t COMPREPLY < <(compgen -W \"$first --help --version\" -- "
                      "\"$cur\")\n\t\treturn\n\tfi\n\tcase $command in\n");
    put_seconds(out, "words='", put_bash_second, "' ;;\n");
    lex_buf_puts(out, "\thelp) words=$first ;;\n\tesac\n"
                      "\tif [ -n \"$words\" ] && [ \"$COMP_CWORD\" = 2 ]; then\n"
                      "\t\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
                      "\t\treturn\n\tfi\n"
                      "\t[ -z \"$words\" ] || command=\"$command ${COMP_WORDS[2]}\"\n\twords=''\n");
}

void lex_mangen_bash_lexecon(struct lex_buf *out)
{
    lex_buf_printf(out, "%s_lexecon() {\n%s\tlocal operand=nothing\n", bash_head, bash_open);
    put_bash_first(out);
    lex_buf_puts(out, "\tcase $command in\n");
    for (size_t i = 0; i < lex_mangen_commands_count; i++)
        lex_cli_show(lex_mangen_commands[i].run, see_for_bash, out);
    lex_buf_printf(out, "\tesac\n%s}\ncomplete -F _lexecon lexecon\n", bash_close);
}

void lex_mangen_bash_consumer(struct lex_buf *out)
{
    lex_buf_printf(out, "%s_lexecon_consumer() {\n%s\tlocal operand=nothing\n", bash_head,
                   bash_open);
    put_bash_flags(out, collect_options());
    lex_buf_printf(out, "%s}\ncomplete -F _lexecon_consumer lexecon-consumer\n", bash_close);
}

/* ---- zsh ---- */

static const char zsh_note[] = "# Written by lex_mangen from the tables of the program.\n";

/* Inside of '...' in a specification of _arguments: quotes for the shell, the rest for zsh. */
static void put_zsh_text(struct lex_buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            lex_buf_puts(out, "'\\''");
        else if (strchr("[]:\\", *text) != NULL)
            lex_buf_printf(out, "\\%c", *text);
        else
            lex_buf_putc(out, *text == '\n' ? ' ' : *text);
    }
}

static void put_zsh_action(struct lex_buf *out, const char *value)
{
    char words[LEX_CONFIG_DESCRIPTION_MAX];
    enum lex_mangen_kind kind = lex_mangen_kind_of(value, words);
    lex_buf_putc(out, ':');
    put_zsh_text(out, kind == LEX_MANGEN_WORDS ? "value" : value);
    if (kind == LEX_MANGEN_WORDS)
        lex_buf_printf(out, ":(%s)", words);
    else
        lex_buf_puts(out, kind == LEX_MANGEN_FILE  ? ":_files"
                          : kind == LEX_MANGEN_DIR ? ":_files -/"
                                                   : ": ");
}

static void put_zsh_arguments(struct lex_buf *out, const struct flags *flags)
{
    lex_buf_puts(out, "\t\t_arguments");
    for (size_t i = 0; i < flags->count; i++) {
        const struct shown *flag = &flags->items[i];
        lex_buf_printf(out, " \\\n\t\t\t'%s--%s%s[", flag->repeatable ? "*" : "", flag->name,
                       flag->value != NULL ? "=" : "");
        put_zsh_text(out, flag->help);
        lex_buf_putc(out, ']');
        if (flag->value != NULL)
            put_zsh_action(out, flag->value);
        lex_buf_putc(out, '\'');
    }
    if (flags->operands[0] != '\0') {
        lex_buf_puts(out, " \\\n\t\t\t'*");
        put_zsh_action(out, flags->operands);
        lex_buf_putc(out, '\'');
    }
    lex_buf_putc(out, '\n');
}

static void see_for_zsh(void *user, const struct lex_cli_usage *usage)
{
    struct lex_buf *out = user;
    struct flags flags;
    collect_usage(usage, &flags);
    lex_buf_printf(out, "\t'%s')\n", usage->path);
    put_zsh_arguments(out, &flags);
    lex_buf_puts(out, "\t\t;;\n");
}

static void put_zsh_word(struct lex_buf *out, const char *word, const char *about)
{
    lex_buf_printf(out, " '%s:", word);
    put_zsh_text(out, about);
    lex_buf_putc(out, '\'');
}

static void put_zsh_second(struct lex_buf *out, const char *first, const char *second,
                           const char *summary)
{
    (void)first;
    put_zsh_word(out, second, summary);
}

static void put_zsh_first(struct lex_buf *out)
{
    char first[64];
    lex_buf_puts(out, "\tlocal -a first second\n\tfirst=(");
    for (size_t i = 0; i < lex_mangen_commands_count; i++) {
        if (!is_new(i))
            continue;
        LEX_CLEANUP(lex_buf_fini) struct lex_buf about;
        lex_buf_init(&about, 4096);
        put_about(&about, i);
        (void)split(lex_mangen_commands[i].path, first);
        put_zsh_word(out, first, lex_buf_str(&about));
    }
    lex_buf_puts(out,
                 " 'help:flags and examples of a command')\n"
                 "\tif (( CURRENT == 2 )); then\n\t\t_describe command first\n\t\treturn\n\tfi\n"
                 "\tlocal command=$words[2]\n\tshift words\n\t(( CURRENT-- ))\n"
                 "\tcase $command in\n");
    put_seconds(out, "second=(", put_zsh_second, ") ;;\n");
    lex_buf_puts(out, "\thelp) second=($first) ;;\n\tesac\n"
                      "\tif (( $#second )); then\n"
                      "\t\tif (( CURRENT == 2 )); then\n\t\t\t_describe command second\n"
                      "\t\t\treturn\n\t\tfi\n"
                      "\t\tcommand+=\" $words[2]\"\n\t\tshift words\n\t\t(( CURRENT-- ))\n\tfi\n");
}

void lex_mangen_zsh_lexecon(struct lex_buf *out)
{
    lex_buf_printf(out, "#compdef lexecon\n%s_lexecon() {\n", zsh_note);
    put_zsh_first(out);
    lex_buf_puts(out, "\tcase $command in\n");
    for (size_t i = 0; i < lex_mangen_commands_count; i++)
        lex_cli_show(lex_mangen_commands[i].run, see_for_zsh, out);
    lex_buf_puts(out, "\tesac\n}\n_lexecon \"$@\"\n");
}

void lex_mangen_zsh_consumer(struct lex_buf *out)
{
    lex_buf_printf(out, "#compdef lexecon-consumer\n%s_lexecon_consumer() {\n", zsh_note);
    put_zsh_arguments(out, collect_options());
    lex_buf_puts(out, "}\n_lexecon_consumer \"$@\"\n");
}

/* ---- fish ---- */

static void put_fish_text(struct lex_buf *out, const char *text)
{
    lex_buf_putc(out, '\'');
    for (; *text != '\0'; text++) {
        if (*text == '\'' || *text == '\\')
            lex_buf_putc(out, '\\');
        lex_buf_putc(out, *text == '\n' ? ' ' : *text);
    }
    lex_buf_putc(out, '\'');
}

/* @param where the condition, "" for none */
static void put_fish_line(struct lex_buf *out, const char *program, const char *where)
{
    lex_buf_printf(out, "complete -c %s", program);
    if (where[0] != '\0')
        lex_buf_printf(out, " -n '%s'", where);
}

static void put_fish_value(struct lex_buf *out, const char *value)
{
    char words[LEX_CONFIG_DESCRIPTION_MAX];
    switch (lex_mangen_kind_of(value, words)) {
    case LEX_MANGEN_FILE: lex_buf_puts(out, " -r -F"); return;
    case LEX_MANGEN_DIR: lex_buf_puts(out, " -x -a '(__fish_complete_directories)'"); return;
    case LEX_MANGEN_WORDS: lex_buf_printf(out, " -x -a '%s'", words); return;
    case LEX_MANGEN_NOTHING: lex_buf_puts(out, " -x"); return;
    }
}

static void put_fish_operands(struct lex_buf *out, const char *program, const char *where,
                              const char *operands)
{
    char words[LEX_CONFIG_DESCRIPTION_MAX];
    enum lex_mangen_kind kind = lex_mangen_kind_of(operands, words);
    if (kind == LEX_MANGEN_NOTHING)
        return;
    put_fish_line(out, program, where);
    if (kind == LEX_MANGEN_WORDS)
        lex_buf_printf(out, " -a '%s'\n", words);
    else
        lex_buf_puts(out, " -F\n");
}

static void put_fish_flags(struct lex_buf *out, const char *program, const char *where,
                           const struct flags *flags)
{
    for (size_t i = 0; i < flags->count; i++) {
        put_fish_line(out, program, where);
        lex_buf_printf(out, " -l %s", flags->items[i].name);
        if (flags->items[i].value != NULL)
            put_fish_value(out, flags->items[i].value);
        lex_buf_puts(out, " -d ");
        put_fish_text(out, flags->items[i].help);
        lex_buf_putc(out, '\n');
    }
    put_fish_operands(out, program, where, flags->operands);
}

static void see_for_fish(void *user, const struct lex_cli_usage *usage)
{
    struct lex_buf *out = user;
    struct flags flags;
    char where[128];
    collect_usage(usage, &flags);
    (void)snprintf(where, sizeof where, "__lexecon_at %s", usage->path);
    put_fish_flags(out, "lexecon", where, &flags);
}

static void put_fish_word(struct lex_buf *out, const char *behind, const char *word,
                          const char *about)
{
    lex_buf_printf(out, "complete -c lexecon -n '__lexecon_behind %s' -a %s -d ", behind, word);
    put_fish_text(out, about);
    lex_buf_putc(out, '\n');
}

static void put_fish_second(struct lex_buf *out, const char *first, const char *second,
                            const char *summary)
{
    put_fish_word(out, first, second, summary);
}

static void put_fish_first(struct lex_buf *out)
{
    char first[64];
    for (size_t i = 0; i < lex_mangen_commands_count; i++) {
        if (!is_new(i))
            continue;
        LEX_CLEANUP(lex_buf_fini) struct lex_buf about;
        lex_buf_init(&about, 4096);
        put_about(&about, i);
        (void)split(lex_mangen_commands[i].path, first);
        put_fish_word(out, "", first, lex_buf_str(&about));
        put_fish_word(out, "help", first, lex_buf_str(&about));
        (void)each_second(out, first, put_fish_second);
    }
    put_fish_word(out, "", "help", "flags and examples of a command");
}

void lex_mangen_fish_lexecon(struct lex_buf *out)
{
    lex_buf_puts(out,
                 "# fish completion, written by lex_mangen from the tables of the program.\n"
                 "function __lexecon_words\n"
                 "    set -l words (commandline -opc)\n"
                 "    set -e words[1]\n"
                 "    printf '%s\\n' $words\n"
                 "end\n"
                 "# the words so far are these and no more\n"
                 "function __lexecon_behind\n"
                 "    set -l words (__lexecon_words)\n"
                 "    test \"$words\" = \"$argv\"\n"
                 "end\n"
                 "# the words so far begin with these\n"
                 "function __lexecon_at\n"
                 "    set -l words (__lexecon_words)\n"
                 "    set -l count (count $argv)\n"
                 "    test (count $words) -ge $count; and test \"$words[1..$count]\" = \"$argv\"\n"
                 "end\n"
                 "complete -c lexecon -f\n");
    put_fish_first(out);
    for (size_t i = 0; i < lex_mangen_commands_count; i++)
        lex_cli_show(lex_mangen_commands[i].run, see_for_fish, out);
}

void lex_mangen_fish_consumer(struct lex_buf *out)
{
    lex_buf_puts(out, "# fish completion, written by lex_mangen from the tables of the program.\n"
                      "complete -c lexecon-consumer -f\n");
    put_fish_flags(out, "lexecon-consumer", "", collect_options());
}
