/* `lexecon policy fmt`: one layout for policies. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/text_file.h"
#include "core/policy/fmt.h"

enum { FORMATTED_MAX_BYTES = 4 * LEX_TEXT_FILE_MAX_BYTES, PATH_MAX_BYTES = 4096 };

enum action { PRINT, CHECK, WRITE };

/* ---- writing: the whole new file, or the old one ---- */

static enum lex_status write_all(int fd, struct lex_span text)
{
    while (text.len != 0) {
        ssize_t n = write(fd, text.data, text.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return LEX_REJECT;
        text = lex_span_of(text.data + n, text.len - (size_t)n);
    }
    return fsync(fd) == 0 ? LEX_OK : LEX_REJECT;
}

static enum lex_status fill(int fd, const char *path, struct lex_span text)
{
    struct stat info;
    if (stat(path, &info) != 0 || fchmod(fd, info.st_mode & 07777) != 0)
        return LEX_REJECT;
    return write_all(fd, text);
}

static enum lex_status replace(const char *path, struct lex_span text, struct lex_error *err)
{
    char beside[PATH_MAX_BYTES];
    int n = snprintf(beside, sizeof beside, "%s.XXXXXX", path);
    if (n < 0 || (size_t)n >= sizeof beside)
        return lex_fail(err, LEX_LIMIT, "%s: the name is too long", path);
    int fd = mkstemp(beside);
    if (fd < 0)
        return lex_fail(err, LEX_REJECT, "%s: cannot be created: %s", beside, strerror(errno));
    enum lex_status status = fill(fd, path, text);
    if (close(fd) != 0 || (status == LEX_OK && rename(beside, path) != 0))
        status = LEX_REJECT;
    if (status == LEX_OK)
        return LEX_OK;
    (void)lex_fail(err, status, "%s: cannot be written: %s", path, strerror(errno));
    (void)unlink(beside);
    return status;
}

/* ---- one file ---- */

static enum lex_exit format_file(const struct lex_cli_usage *usage, const char *path,
                                 enum action action)
{
    LEX_CLEANUP(lex_buf_fini) struct lex_buf text;
    LEX_CLEANUP(lex_buf_fini) struct lex_buf made;
    struct lex_error err;
    const char *source = strcmp(path, "-") == 0 ? "stdin" : path;
    lex_buf_init(&made, FORMATTED_MAX_BYTES);
    lex_buf_init(&text, LEX_TEXT_FILE_MAX_BYTES);
    if (lex_text_file_read(path, &text, &err) != LEX_OK ||
        lex_policy_format(lex_buf_span(&text), source, &made, &err) != LEX_OK)
        return (enum lex_exit)lex_cli_fail(usage, LEX_EXIT_USAGE, "%s", err.text);
    bool same = lex_span_eq(lex_buf_span(&text), lex_buf_span(&made));
    if (action == PRINT) {
        (void)fwrite(made.data, 1, made.len, stdout);
        return LEX_EXIT_OK;
    }
    if (same)
        return LEX_EXIT_OK;
    if (action == WRITE && replace(path, lex_buf_span(&made), &err) != LEX_OK)
        return (enum lex_exit)lex_cli_fail(usage, LEX_EXIT_USAGE, "%s", err.text);
    (void)printf("%s\n", path);
    return action == WRITE ? LEX_EXIT_OK : LEX_EXIT_NO;
}

/* ---- the command ---- */

static int format_all(const struct lex_cli_usage *usage, const struct lex_cli_list *files,
                      enum action action)
{
    enum lex_exit worst = LEX_EXIT_OK;
    for (size_t i = 0; i < files->count; i++) {
        if (action == WRITE && strcmp(files->items[i], "-") == 0)
            return lex_cli_fail(usage, LEX_EXIT_USAGE, "--write: stdin cannot be written");
        enum lex_exit status = format_file(usage, files->items[i], action);
        worst = status > worst ? status : worst;
    }
    return (int)worst;
}

int lex_cli_policy_fmt(int argc, char **argv)
{
    bool check = false, write_back = false;
    const struct lex_cli_flag flags[] = {
        {"check", NULL, "print the names of files that are laid out otherwise, and fail",
         LEX_CLI_BOOL, &check, false},
        {"write", NULL, "write the files back, and print the names of those that changed",
         LEX_CLI_BOOL, &write_back, false},
    };
    const struct lex_cli_usage usage = {
        .path = "policy fmt",
        .operands = "FILE...",
        .text = "Lay policies out for people: two spaces, keys in a fixed order, a term or a rule "
                "on one line\nwhere it fits into 100 columns. No value changes, and no hash does: "
                "that is checked, and a\nfile whose hash would change is left alone. Without a "
                "flag the result goes to stdout; - is\nstdin.\n\n"
                "  lexecon policy fmt --write policies/agents.json\n\n"
                "Exit status: 0 done; 1 --check found a file that is laid out otherwise; 2 a file "
                "cannot be\nread, is no JSON object, or cannot be written.",
        .flags = flags,
        .flags_count = LEX_COUNT_OF(flags),
        .operands_min = 1,
        .operands_max = LEX_CLI_LIST_MAX,
    };
    struct lex_cli_list files = {.count = 0};
    int parsed = lex_cli_parse(&usage, argc, argv, &files);
    if (parsed != 0)
        return parsed == 1 ? LEX_EXIT_OK : LEX_EXIT_USAGE;
    if (check && write_back)
        return lex_cli_fail(&usage, LEX_EXIT_USAGE, "--check and --write exclude each other");
    return format_all(&usage, &files, check ? CHECK : write_back ? WRITE : PRINT);
}
