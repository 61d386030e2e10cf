/* lexecon: the operator's, the auditor's and the agent's command. Finds the subcommand in
 * cli/commands.def and hands over; everything else is in the subcommand's own file. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "core/base/text.h"

struct command {
    const char *path, *summary;
    int (*run)(int argc, char **argv);
};

static const struct command commands[] = {
#define LEX_COMMAND(function, path, summary) {path, summary, function},
#include "cli/commands.def"
#undef LEX_COMMAND
};

enum { PATH_MAX_BYTES = 64 };

static void put_help(FILE *out)
{
    (void)fputs(
        "usage: lexecon COMMAND [flags] [operands]\n\n"
        "Lexecon decides what AI agents may do, signs its verdicts, and keeps a ledger that "
        "anyone\n"
        "can verify. This command is for operators, auditors and agents; the service itself is\n"
        "lexecon-consumer.\n\nCommands:\n",
        out);
    for (size_t i = 0; i < LEX_COUNT_OF(commands); i++)
        (void)fprintf(out, "  %-16s  %s\n", commands[i].path, commands[i].summary);
    (void)fputs("\n  help COMMAND      a command's flags and examples (also COMMAND --help)\n"
                "  --version         print the version\n\n"
                "Exit status:\n",
                out);
#define LEX_EXIT(name, status, text) (void)fprintf(out, "  %d  %s\n", status, text);
#include "cli/exits.def"
#undef LEX_EXIT
}

/* How many words of argv the command's path takes; 0 when they are not its path. */
static int path_words(const char *path, int argc, char **argv)
{
    int words = 0;
    while (*path != '\0') {
        size_t len = strcspn(path, " ");
        if (words >= argc || strlen(argv[words]) != len || memcmp(argv[words], path, len) != 0)
            return 0;
        words++;
        path += len;
        path += strspn(path, " ");
    }
    return words;
}

static const struct command *find_command(int argc, char **argv, int *ret_words)
{
    for (size_t i = 0; i < LEX_COUNT_OF(commands); i++) {
        int words = path_words(commands[i].path, argc, argv);
        if (words > 0) {
            *ret_words = words;
            return &commands[i];
        }
    }
    return NULL;
}

/* The first one or two words, as they would stand in a path. */
static void typed_path(int argc, char **argv, int words, char out[PATH_MAX_BYTES])
{
    if (words == 2 && argc >= 2 && argv[1][0] != '-')
        (void)snprintf(out, PATH_MAX_BYTES, "%s %s", argv[0], argv[1]);
    else
        (void)snprintf(out, PATH_MAX_BYTES, "%s", argv[0]);
}

static const char *nearest_command(int argc, char **argv)
{
    const char *nearest = NULL;
    size_t best = 4;
    for (size_t i = 0; i < LEX_COUNT_OF(commands); i++) {
        char typed[PATH_MAX_BYTES];
        typed_path(argc, argv, strchr(commands[i].path, ' ') != NULL ? 2 : 1, typed);
        size_t distance = lex_edit_distance(lex_span_str(typed), lex_span_str(commands[i].path), 3);
        if (distance < best) {
            best = distance;
            nearest = commands[i].path;
        }
    }
    return nearest;
}

/* "lexecon ledger": the commands that begin so. @return how many */
static int put_family(const char *word)
{
    int found = 0;
    size_t len = strlen(word);
    for (size_t i = 0; i < LEX_COUNT_OF(commands); i++) {
        if (strncmp(commands[i].path, word, len) != 0 || commands[i].path[len] != ' ')
            continue;
        if (found++ == 0)
            (void)fprintf(stderr, "lexecon: `%s` needs one more word:\n", word);
        (void)fprintf(stderr, "  %-16s  %s\n", commands[i].path, commands[i].summary);
    }
    return found;
}

/* "lexecon ledgr": the commands that begin with the word that was probably meant. @return how many
 */
static int put_nearest_family(const char *word)
{
    for (size_t i = 0; i < LEX_COUNT_OF(commands); i++) {
        char first[PATH_MAX_BYTES];
        (void)snprintf(first, sizeof first, "%.*s", (int)strcspn(commands[i].path, " "),
                       commands[i].path);
        if (lex_edit_distance(lex_span_str(word), lex_span_str(first), 2) > 2)
            continue;
        (void)fprintf(stderr, "lexecon: unknown command '%s'; did you mean `%s`?\n", word, first);
        return put_family(first);
    }
    return 0;
}

static int unknown_command(int argc, char **argv)
{
    const char *nearest = nearest_command(argc, argv);
    if ((argc == 1 || argv[1][0] == '-') && put_family(argv[0]) > 0)
        return LEX_EXIT_USAGE;
    char typed[PATH_MAX_BYTES];
    typed_path(argc, argv, nearest != NULL && strchr(nearest, ' ') != NULL ? 2 : 1, typed);
    if (nearest != NULL)
        (void)fprintf(stderr, "lexecon: unknown command '%s'; did you mean `lexecon %s`?\n", typed,
                      nearest);
    else if (put_family(argv[0]) == 0 && put_nearest_family(argv[0]) == 0)
        (void)fprintf(
            stderr, "lexecon: unknown command '%s'; `lexecon --help` lists the commands\n", typed);
    return LEX_EXIT_USAGE;
}

static int help(int argc, char **argv)
{
    if (argc == 0) {
        put_help(stdout);
        return LEX_EXIT_OK;
    }
    int words = 0;
    const struct command *command = find_command(argc, argv, &words);
    if (command == NULL)
        return unknown_command(argc, argv);
    char flag[] = "--help";
    char *args[] = {argv[words - 1], flag, NULL};
    return command->run(2, args);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        put_help(stderr);
        return LEX_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        (void)printf("lexecon %s\n", LEX_VERSION);
        return LEX_EXIT_OK;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return help(0, NULL);
    if (strcmp(argv[1], "help") == 0)
        return help(argc - 2, argv + 2);
    int words = 0;
    const struct command *command = find_command(argc - 1, argv + 1, &words);
    if (command == NULL)
        return unknown_command(argc - 1, argv + 1);
    return command->run(argc - words, argv + words);
}
