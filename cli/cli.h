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
    LEX_EXIT_OK = 0,          /* done; whatever was checked holds */
    LEX_EXIT_NO = 1,          /* done, and the answer is no: not allowed, not verified, not valid */
    LEX_EXIT_USAGE = 2,       /* wrong flags or unreadable input: nothing was done */
    LEX_EXIT_UNAVAILABLE = 3, /* a broker, topic or peer did not answer in time */
    LEX_EXIT_INTERNAL = 4,    /* out of memory or our own bug */
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

/* Print "lexecon <path>: <text>" to stderr and return `status`, so that a failure is one line. */
int lex_cli_fail(const struct lex_cli_usage *usage, enum lex_exit status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Every subcommand: int lex_cli_<path with _>(int argc, char **argv). */
#define LEX_COMMAND(function, path, summary) int function(int argc, char **argv);
#include "cli/commands.def"
#undef LEX_COMMAND

#endif
