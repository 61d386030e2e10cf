/* Manual pages in the man macros (man(7)): what every formatter understands. */
#include <ctype.h>

#include "core/base/text.h"
#include "tools/mangen.h"

/* ---- roff ---- */

/* One character that roff would take for its own. A hyphen is one that can be copied into a shell.
 */
static void put_char(struct lex_buf *out, char c)
{
    switch (c) {
    case '\\': lex_buf_puts(out, "\\e"); return;
    case '-': lex_buf_puts(out, "\\-"); return;
    case '\'': lex_buf_puts(out, "\\(aq"); return;
    case '`': lex_buf_puts(out, "\\(ga"); return;
    case '^': lex_buf_puts(out, "\\(ha"); return;
    case '~': lex_buf_puts(out, "\\(ti"); return;
    case '"': lex_buf_puts(out, "\\(dq"); return;
    default: lex_buf_putc(out, c);
    }
}

static void put_plain(struct lex_buf *out, const char *text)
{
    if (*text == '.')
        lex_buf_puts(out, "\\&");
    for (; *text != '\0'; text++)
        put_char(out, *text);
}

static void put_upper(struct lex_buf *out, const char *text)
{
    for (; *text != '\0'; text++)
        put_char(out, *text == ' ' ? '-' : (char)toupper((unsigned char)*text));
}

/* Running text; what stands in backquotes is bold. Every sentence begins a line, as roff wants it.
 */
static void put_prose(struct lex_buf *out, const char *text, size_t len)
{
    bool bold = false, line_start = true;
    for (size_t i = 0; i < len; i++) {
        bool sentence_end = text[i] == ' ' && i > 0 && i + 1 < len && !bold &&
                            (text[i - 1] == '.' || text[i - 1] == ':') &&
                            isupper((unsigned char)text[i + 1]);
        if (text[i] == '`') {
            lex_buf_puts(out, bold ? "\\fR" : "\\fB");
            bold = !bold;
        } else if (text[i] == '\n' || sentence_end) {
            lex_buf_putc(out, '\n');
        } else {
            if (line_start && text[i] == '.')
                lex_buf_puts(out, "\\&");
            put_char(out, text[i]);
        }
        line_start = text[i] == '\n' || sentence_end;
    }
    lex_buf_puts(out, bold ? "\\fR\n" : "\n");
}

static void put_sentence(struct lex_buf *out, const char *text)
{
    put_prose(out, text, strlen(text));
}

/* Lines as they are, without the two blanks that mark them in a help page. */
static void put_example(struct lex_buf *out, const char *text, size_t len)
{
    lex_buf_puts(out, ".PP\n.nf\n");
    while (len > 0) {
        const char *end = memchr(text, '\n', len);
        size_t line = end != NULL ? (size_t)(end - text) : len;
        size_t skip = line >= 2 && text[0] == ' ' && text[1] == ' ' ? 2 : 0;
        lex_buf_puts(out, "\\&");
        for (size_t i = skip; i < line; i++)
            put_char(out, text[i]);
        lex_buf_putc(out, '\n');
        line += end != NULL;
        text += line;
        len -= line;
    }
    lex_buf_puts(out, ".fi\n");
}

static const char exit_status[] = "Exit status: ";

/* The paragraphs of a help page: examples are indented, and what tells the exit status comes later.
 */
static void put_paragraphs(struct lex_buf *out, const char *text)
{
    for (bool first = true; *text != '\0'; first = false) {
        const char *end = strstr(text, "\n\n");
        size_t len = end != NULL ? (size_t)(end - text) : strlen(text);
        if (text[0] == ' ') {
            put_example(out, text, len);
        } else if (strncmp(text, exit_status, sizeof exit_status - 1) != 0) {
            lex_buf_puts(out, first ? "" : ".PP\n");
            put_prose(out, text, len);
        }
        text += len;
        text += strspn(text, "\n");
    }
}

static void put_exit_status(struct lex_buf *out, const char *text)
{
    lex_buf_puts(out, ".SH EXIT STATUS\n");
    const char *at = strstr(text, exit_status);
    if (at == NULL) {
        lex_buf_puts(out, "As \\fBlexecon\\fR(1) has it for every command.\n");
        return;
    }
    at += sizeof exit_status - 1;
    const char *end = strstr(at, "\n\n");
    put_prose(out, at, end != NULL ? (size_t)(end - at) : strlen(at));
}

static void put_heading(struct lex_buf *out, const char *name, int section, const char *date,
                        const char *summary)
{
    lex_buf_puts(out, ".\\\" Written by lex_mangen from the tables of the program.\n.TH ");
    put_upper(out, name);
    lex_buf_printf(out, " %d \"%s\" \"lexecon %s\" \"Lexecon\"\n.SH NAME\n", section, date,
                   LEX_VERSION);
    for (const char *at = name; *at != '\0'; at++)
        put_char(out, *at == ' ' ? '-' : *at);
    lex_buf_puts(out, " \\- ");
    put_sentence(out, summary);
}

static void put_flag(struct lex_buf *out, const char *flag, const char *value)
{
    lex_buf_puts(out, ".TP\n\\fB");
    put_plain(out, flag);
    lex_buf_puts(out, "\\fR");
    if (value != NULL && value[0] != '\0') {
        lex_buf_puts(out, " \\fI");
        put_plain(out, value);
        lex_buf_puts(out, "\\fR");
    }
    lex_buf_putc(out, '\n');
}

static void put_see_also(struct lex_buf *out, const char *except)
{
    static const struct {
        const char *name;
        int section;
    } pages[] = {{"lexecon", 1}, {"lexecon.json", 5}, {"lexecon-consumer", 8}};
    const char *separator = ".SH SEE ALSO\n";
    for (size_t i = 0; i < LEX_COUNT_OF(pages); i++) {
        if (strcmp(pages[i].name, except) == 0)
            continue;
        lex_buf_printf(out, "%s\\fB", separator);
        put_plain(out, pages[i].name);
        lex_buf_printf(out, "\\fR(%d)", pages[i].section);
        separator = ",\n";
    }
    lex_buf_putc(out, '\n');
}

/* ---- lexecon(1) ---- */

void lex_mangen_man_lexecon(const char *date, struct lex_buf *out)
{
    put_heading(out, "lexecon", 1, date, "command of operators, auditors and agents of Lexecon");
    lex_buf_puts(
        out, ".SH SYNOPSIS\n\\fBlexecon\\fR \\fICOMMAND\\fR [\\fIflags\\fR] [\\fIoperands\\fR]\n"
             ".SH DESCRIPTION\n");
    put_paragraphs(out,
                   "Lexecon decides what AI agents may do, signs its verdicts, and keeps a ledger "
                   "that anyone can verify. The service itself is `lexecon-consumer`.\n\n"
                   "Flags have two dashes and may stand anywhere behind the command; `--` ends "
                   "them. A value is the next word or follows an equals sign.\n");
    lex_buf_puts(out, ".SH COMMANDS\n");
    for (size_t i = 0; i < lex_mangen_commands_count; i++) {
        lex_buf_puts(out, ".TP\n\\fBlexecon\\-");
        for (const char *at = lex_mangen_commands[i].path; *at != '\0'; at++)
            put_char(out, *at == ' ' ? '-' : *at);
        lex_buf_puts(out, "\\fR(1)\n");
        put_sentence(out, lex_mangen_commands[i].summary);
    }
    lex_buf_puts(out, ".SH OPTIONS\n");
    put_flag(out, "--help", NULL);
    put_sentence(out, "Print the commands, or behind a command its flags.");
    put_flag(out, "--version", NULL);
    put_sentence(out, "Print the version.");
    lex_buf_puts(out, ".SH ENVIRONMENT\n");
    put_sentence(out, "Commands that speak to Kafka read the variables of the service too, such as "
                      "`LEXECON_KAFKA_BOOTSTRAP_SERVERS`.");
    lex_buf_puts(out, ".SH EXIT STATUS\n");
#define LEX_EXIT(name, status, text)          \
    lex_buf_printf(out, ".TP\n%d\n", status); \
    put_sentence(out, text);
#include "cli/exits.def"
#undef LEX_EXIT
    put_see_also(out, "lexecon");
}

/* ---- lexecon-<command>(1) ---- */

struct page {
    const struct lex_mangen_command *command;
    const char *date;
    struct lex_buf *out;
};

static void put_synopsis(struct lex_buf *out, const struct lex_cli_usage *usage)
{
    lex_buf_puts(out, ".SH SYNOPSIS\n\\fBlexecon ");
    put_plain(out, usage->path);
    lex_buf_puts(out, "\\fR");
    for (size_t i = 0; i < usage->flags_count; i++) {
        if (!usage->flags[i].required)
            continue;
        lex_buf_puts(out, " \\fB\\-\\-");
        put_plain(out, usage->flags[i].name);
        lex_buf_puts(out, "\\fR \\fI");
        put_plain(out, usage->flags[i].value);
        lex_buf_puts(out, "\\fR");
    }
    lex_buf_puts(out, " [\\fIflags\\fR]");
    if (usage->operands[0] != '\0') {
        lex_buf_puts(out, " \\fI");
        put_plain(out, usage->operands);
        lex_buf_puts(out, "\\fR");
    }
    lex_buf_putc(out, '\n');
}

static void see_usage(void *user, const struct lex_cli_usage *usage)
{
    const struct page *page = user;
    struct lex_buf *out = page->out;
    char name[128];
    (void)snprintf(name, sizeof name, "lexecon-%s", page->command->path);
    put_heading(out, name, 1, page->date, page->command->summary);
    put_synopsis(out, usage);
    lex_buf_puts(out, ".SH DESCRIPTION\n");
    put_paragraphs(out, usage->text);
    lex_buf_puts(out, ".SH OPTIONS\n");
    for (size_t i = 0; i < usage->flags_count; i++) {
        (void)snprintf(name, sizeof name, "--%s", usage->flags[i].name);
        put_flag(out, name, usage->flags[i].value);
        put_sentence(out, usage->flags[i].help);
    }
    put_flag(out, "--help", NULL);
    put_sentence(out, "Print a page such as this.");
    put_exit_status(out, usage->text);
    put_see_also(out, name);
}

void lex_mangen_man_command(const struct lex_mangen_command *command, const char *date,
                            struct lex_buf *out)
{
    struct page page = {.command = command, .date = date, .out = out};
    lex_cli_show(command->run, see_usage, &page);
}

/* ---- the service ---- */

/* Each option under its heading, named as `put_name` does it. */
static void put_options(struct lex_buf *out,
                        void (*put_name)(struct lex_buf *out,
                                         const struct lex_config_description *option))
{
    const char *section = "";
    for (size_t i = 0; i < LEX_OPTION_COUNT; i++) {
        struct lex_config_description option;
        lex_config_describe(i, &option);
        if (strcmp(section, option.section) != 0) {
            section = option.section;
            lex_buf_puts(out, ".SS ");
            put_plain(out, section);
            lex_buf_putc(out, '\n');
        }
        put_name(out, &option);
        put_sentence(out, option.help);
        lex_buf_puts(out, "Default: ");
        put_plain(out, option.fallback);
        lex_buf_puts(out, ".\n");
    }
}

static void put_flag_of(struct lex_buf *out, const struct lex_config_description *option)
{
    put_flag(out, option->flag, option->value);
}

static void put_key_of(struct lex_buf *out, const struct lex_config_description *option)
{
    put_flag(out, option->name, NULL);
    lex_buf_puts(out, "Expected: ");
    put_plain(out, option->expected);
    lex_buf_puts(out, ".\nVariable: \\fB");
    put_plain(out, option->variable);
    lex_buf_puts(out, "\\fR.\n");
}

void lex_mangen_man_consumer(const char *date, struct lex_buf *out)
{
    put_heading(out, "lexecon-consumer", 8, date, "the decision service");
    lex_buf_puts(out,
                 ".SH SYNOPSIS\n\\fBlexecon\\-consumer\\fR [\\fB\\-\\-config\\fR \\fIFILE\\fR] "
                 "[\\fIflags\\fR]\n.SH DESCRIPTION\n");
    put_paragraphs(
        out,
        "Consumes decision requests from Kafka, decides them against the policy in force, and "
        "publishes signed verdicts and ledger entries, exactly once. With `--role audit` it "
        "decides "
        "nothing, and mirrors and verifies every ledger.\n\n"
        "Each option is a key in the file (node_id), a variable (`LEXECON_NODE_ID`) and a flag "
        "(`--node-id`). A flag wins over a variable, a variable over the file, the file over the "
        "default. Settings of librdkafka stand under kafka in the file, or in variables: "
        "`LEXECON_KAFKA_BOOTSTRAP_SERVERS` is bootstrap.servers.\n");
    lex_buf_puts(out, ".SH OPTIONS\n");
    for (size_t i = 0; i < lex_mangen_actions_count; i++) {
        put_flag(out, lex_mangen_actions[i].flag, lex_mangen_actions[i].value);
        put_sentence(out, lex_mangen_actions[i].help);
    }
    put_options(out, put_flag_of);
    lex_buf_puts(out, ".SH SIGNALS\n.TP\n\\fBSIGTERM\\fR, \\fBSIGINT\\fR\n");
    put_sentence(
        out, "Finish the open transaction, leave the group, and end. A second one ends at once: "
             "what is open aborts, and nothing is lost.");
    lex_buf_puts(out, ".TP\n\\fBSIGHUP\\fR\n");
    put_sentence(out,
                 "Look at the policy file now. One that does not load leaves the one before in "
                 "force.");
    lex_buf_puts(out, ".SH EXIT STATUS\n.TP\n0\n");
    put_sentence(out, "Ended by a signal, or did what a flag asked for.");
    lex_buf_puts(out, ".TP\n1\n");
    put_sentence(
        out, "Ended by itself: a worker met an error that only a new process mends, or the stop "
             "took too long.");
    lex_buf_puts(out, ".TP\n2\n");
    put_sentence(out, "A setting is wrong; the message says which. Starting again does not help.");
    lex_buf_puts(out, ".SH FILES\n.TP\n\\fI/etc/lexecon/lexecon.json\\fR\n");
    put_sentence(out, "The configuration of the packaged service.");
    lex_buf_puts(out, ".TP\n\\fI/var/lib/lexecon\\fR\n");
    put_sentence(out, "Its data directory: generated keys and the mirror of the ledger.");
    put_see_also(out, "lexecon-consumer");
}

void lex_mangen_man_config(const char *date, struct lex_buf *out)
{
    put_heading(out, "lexecon.json", 5, date, "configuration of the decision service");
    lex_buf_puts(out, ".SH DESCRIPTION\n");
    put_paragraphs(
        out,
        "`lexecon-consumer --config` reads its options from a JSON object. A key that does not "
        "exist, or whose value has another type, is an error that names the place. What stands "
        "under "
        "kafka is handed to librdkafka as it is.\n\n"
        "  {\n"
        "    \"node_id\": \"decisions-1\",\n"
        "    \"policy\": \"/etc/lexecon/policy.json\",\n"
        "    \"kafka\": {\"bootstrap.servers\": \"kafka-1:9092,kafka-2:9092\"}\n"
        "  }\n\n"
        "`lexecon-consumer --config FILE --check-config` says whether a file is good, and "
        "`--print-config` where each value came from.\n");
    lex_buf_puts(out, ".SH KEYS\n");
    put_options(out, put_key_of);
    lex_buf_puts(out, ".SH FILES\n.TP\n\\fI/etc/lexecon/lexecon.json\\fR\n");
    put_sentence(out, "The configuration of the packaged service.");
    put_see_also(out, "lexecon.json");
}
