#include "cli/cli.h"

#include <stdio.h>

#include "core/base/json.h"
#include "core/base/text.h"

enum { HELP_COLUMN = 26, HELP_WIDTH = 96 };

int lex_cli_fail(const struct lex_cli_usage *usage, enum lex_exit status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)fflush(stdout);
    (void)fprintf(stderr, "lexecon %s: ", usage->path);
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
    va_end(args);
    return (int)status;
}

/* ---- the help page ---- */

/* `text` from `column` on, broken between words before HELP_WIDTH. */
static void put_wrapped(FILE *out, const char *text, int column)
{
    int at = column;
    while (*text != '\0') {
        int word = (int)strcspn(text, " \n");
        if (at > column && at + 1 + word > HELP_WIDTH) {
            (void)fprintf(out, "\n%*s", column, "");
            at = column;
        }
        if (at > column) {
            (void)fputc(' ', out);
            at++;
        }
        (void)fprintf(out, "%.*s", word, text);
        at += word;
        text += word;
        text += strspn(text, " \n");
    }
    (void)fputc('\n', out);
}

static void put_flag(FILE *out, const char *name, const char *value, const char *help)
{
    int at = fprintf(out, "  --%s%s%s", name, value != NULL ? " " : "", value != NULL ? value : "");
    if (at >= HELP_COLUMN - 1) {
        (void)fputc('\n', out);
        at = 0;
    }
    (void)fprintf(out, "%*s", HELP_COLUMN - at, "");
    put_wrapped(out, help, HELP_COLUMN);
}

static void put_help(FILE *out, const struct lex_cli_usage *usage)
{
    (void)fprintf(out, "usage: lexecon %s", usage->path);
    for (size_t i = 0; i < usage->flags_count; i++)
        if (usage->flags[i].required)
            (void)fprintf(out, " --%s %s", usage->flags[i].name, usage->flags[i].value);
    (void)fprintf(out, " [flags]%s%s\n\n%s\n\nFlags:\n", usage->operands[0] != '\0' ? " " : "",
                  usage->operands, usage->text);
    for (size_t i = 0; i < usage->flags_count; i++)
        put_flag(out, usage->flags[i].name, usage->flags[i].value, usage->flags[i].help);
    put_flag(out, "help", NULL, "Print this page.");
}

/* ---- flags ---- */

static int unknown_flag(const struct lex_cli_usage *usage, struct lex_span name)
{
    const char *nearest = NULL;
    size_t best = 4;
    for (size_t i = 0; i < usage->flags_count; i++) {
        size_t distance = lex_edit_distance(name, lex_span_str(usage->flags[i].name), 3);
        if (distance < best) {
            best = distance;
            nearest = usage->flags[i].name;
        }
    }
    if (nearest != NULL)
        return lex_cli_fail(usage, LEX_EXIT_USAGE, "unknown flag --%.*s; did you mean --%s?",
                            LEX_SPAN_FMT(name), nearest);
    return lex_cli_fail(usage, LEX_EXIT_USAGE,
                        "unknown flag --%.*s; `lexecon %s --help` lists the flags",
                        LEX_SPAN_FMT(name), usage->path);
}

static const struct lex_cli_flag *find_flag(const struct lex_cli_usage *usage, struct lex_span name)
{
    for (size_t i = 0; i < usage->flags_count; i++)
        if (lex_span_eq(name, lex_span_str(usage->flags[i].name)))
            return &usage->flags[i];
    return NULL;
}

static int store_int(const struct lex_cli_usage *usage, const struct lex_cli_flag *flag,
                     const char *value)
{
    int64_t number;
    if (lex_json_int64(lex_span_str(value), &number) != LEX_OK)
        return lex_cli_fail(usage, LEX_EXIT_USAGE, "--%s: expected a whole number, got '%s'",
                            flag->name, value);
    *(long long *)flag->target = number;
    return 0;
}

static int store_list(const struct lex_cli_usage *usage, const struct lex_cli_flag *flag,
                      const char *value)
{
    struct lex_cli_list *list = flag->target;
    if (list->count == LEX_CLI_LIST_MAX)
        return lex_cli_fail(usage, LEX_EXIT_USAGE, "--%s: at most %d times", flag->name,
                            LEX_CLI_LIST_MAX);
    list->items[list->count++] = value;
    return 0;
}

/* `value` is NULL where none was given, which only a switch allows. */
static int store(const struct lex_cli_usage *usage, const struct lex_cli_flag *flag,
                 const char *value)
{
    if (flag->kind == LEX_CLI_BOOL) {
        if (value != NULL && strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
            return lex_cli_fail(usage, LEX_EXIT_USAGE, "--%s: expected true or false, got '%s'",
                                flag->name, value);
        *(bool *)flag->target = value == NULL || strcmp(value, "true") == 0;
        return 0;
    }
    if (value == NULL)
        return lex_cli_fail(usage, LEX_EXIT_USAGE, "--%s needs a value: --%s %s", flag->name,
                            flag->name, flag->value);
    switch (flag->kind) {
    case LEX_CLI_INT: return store_int(usage, flag, value);
    case LEX_CLI_LIST: return store_list(usage, flag, value);
    default: *(const char **)flag->target = value; return 0;
    }
}

/* One flag at argv[*at], with its value in the same word or the next; moves *at to its last word.
 */
static int take_flag(const struct lex_cli_usage *usage, int argc, char **argv, int *at,
                     uint64_t *seen)
{
    const char *name = argv[*at] + 2;
    const char *equals = strchr(name, '=');
    struct lex_span name_span =
        lex_span_of(name, equals != NULL ? (size_t)(equals - name) : strlen(name));
    const struct lex_cli_flag *flag = find_flag(usage, name_span);
    if (flag == NULL)
        return unknown_flag(usage, name_span);
    const char *value = equals != NULL ? equals + 1 : NULL;
    if (value == NULL && flag->kind != LEX_CLI_BOOL && *at + 1 < argc)
        value = argv[++*at];
    *seen |= UINT64_C(1) << (flag - usage->flags);
    return store(usage, flag, value);
}

static int check_required(const struct lex_cli_usage *usage, uint64_t seen)
{
    for (size_t i = 0; i < usage->flags_count; i++)
        if (usage->flags[i].required && (seen >> i & 1) == 0)
            return lex_cli_fail(usage, LEX_EXIT_USAGE,
                                "--%s %s is required; see `lexecon %s --help`",
                                usage->flags[i].name, usage->flags[i].value, usage->path);
    return 0;
}

static int check_operands(const struct lex_cli_usage *usage, size_t count)
{
    if (count < usage->operands_min)
        return lex_cli_fail(usage, LEX_EXIT_USAGE, "missing operand: %s; see `lexecon %s --help`",
                            usage->operands, usage->path);
    if (count > usage->operands_max)
        return lex_cli_fail(usage, LEX_EXIT_USAGE, "too many operands (%zu, at most %zu)", count,
                            usage->operands_max);
    return 0;
}

static bool wants_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

/* Set while somebody wants to see the table instead of having it used. */
static struct {
    void (*see)(void *user, const struct lex_cli_usage *usage);
    void *user;
} viewer;

void lex_cli_show(int (*run)(int argc, char **argv),
                  void (*see)(void *user, const struct lex_cli_usage *usage), void *user)
{
    char name[] = "lexecon", flag[] = "--help";
    char *argv[] = {name, flag, NULL};
    viewer.see = see;
    viewer.user = user;
    (void)run(2, argv);
    LEX_ASSERT(viewer.see == NULL);
}

int lex_cli_parse(const struct lex_cli_usage *usage, int argc, char **argv,
                  struct lex_cli_list *ret_operands)
{
    LEX_ASSERT(usage->flags_count <= 64);
    if (viewer.see != NULL) {
        viewer.see(viewer.user, usage);
        viewer.see = NULL;
        return 1;
    }
    if (wants_help(argc, argv)) {
        put_help(stdout, usage);
        return 1;
    }
    struct lex_cli_list operands = {.count = 0};
    uint64_t seen = 0;
    bool only_operands = false;
    for (int i = 1; i < argc; i++) {
        if (!only_operands && strcmp(argv[i], "--") == 0) {
            only_operands = true;
        } else if (!only_operands && strncmp(argv[i], "--", 2) == 0) {
            if (take_flag(usage, argc, argv, &i, &seen) != 0)
                return LEX_EXIT_USAGE;
        } else if (!only_operands && argv[i][0] == '-' && argv[i][1] != '\0') {
            return lex_cli_fail(usage, LEX_EXIT_USAGE, "unknown flag %s; flags have two dashes",
                                argv[i]);
        } else if (operands.count == LEX_CLI_LIST_MAX) {
            return lex_cli_fail(usage, LEX_EXIT_USAGE, "at most %d operands", LEX_CLI_LIST_MAX);
        } else {
            operands.items[operands.count++] = argv[i];
        }
    }
    if (check_required(usage, seen) != 0 || check_operands(usage, operands.count) != 0)
        return LEX_EXIT_USAGE;
    *ret_operands = operands;
    return 0;
}
