/* CLI: what every subcommand of `lexecon` shares: its row in the table, its flags, its exit status.
 *
 * A subcommand is one file `cli/<path with _>.c` with one public function and one row in
 * cli/commands.def. Flags are tables, so `--help`, the parser and the reference page cannot differ.
 */
#ifndef LEX_CLI_CLI_H
#define LEX_CLI_CLI_H

#include <stdbool.h>

#include "core/base/status.h"

/* Exit statuses, the same for every subcommand. */
enum lex_exit {
#define LEX_EXIT(name, status, text) LEX_EXIT_##name = (status),
#include "cli/exits.def"
#undef LEX_EXIT
};

enum lex_cli_kind { LEX_CLI_BOOL, LEX_CLI_STR, LEX_CLI_INT, LEX_CLI_LIST };
enum { LEX_CLI_LIST_MAX = 64 };
struct lex_cli_list {
    const char *items[LEX_CLI_LIST_MAX];
    size_t count;
};

struct lex_cli_flag {
    const char *name;  /* "policy" is --policy VALUE or --policy=VALUE */
    const char *value; /* the value's name in the help, NULL for a BOOL */
    const char *help;
    enum lex_cli_kind kind;
    void *target; /* bool *, const char **, long long *, struct lex_cli_list * */
    bool required;
};

struct lex_cli_usage {
    const char *path;     /* "ledger verify" */
    const char *operands; /* "FILE...", or "" */
    const char *text; /* what it does, with an example, exit statuses that mean something here */
    const struct lex_cli_flag *flags;
    size_t flags_count;
    size_t operands_min, operands_max;
};

/* Parse argv (argv[0] is the subcommand's last word). `--help` prints the page and says so.
 * @return 0 go on; 1 help was printed, exit 0; 2 usage error, printed to stderr with the nearest
 * flag
 * @post operands point into argv */
int lex_cli_parse(const struct lex_cli_usage *usage, int argc, char **argv,
                  struct lex_cli_list *ret_operands);

/* Show what a subcommand parses with, its table of flags, to whoever writes manual pages and
 * completions from it.
 * @param run a subcommand of cli/commands.def; it gets as far as its parser
 * @param see called once; `usage` may live no longer than the call
 * @thread main */
void lex_cli_show(int (*run)(int argc, char **argv),
                  void (*see)(void *user, const struct lex_cli_usage *usage), void *user);

/* Print "lexecon <path>: <text>" to stderr and return `status`, so that a failure is one line. */
int lex_cli_fail(const struct lex_cli_usage *usage, enum lex_exit status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Every subcommand: int lex_cli_<path with _>(int argc, char **argv). */
#define LEX_COMMAND(function, path, summary) int function(int argc, char **argv);
#include "cli/commands.def"
#undef LEX_COMMAND

#endif
