#include "tools/mangen.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

const struct lex_mangen_command lex_mangen_commands[] = {
#define LEX_COMMAND(function, path, summary) {path, summary, function},
#include "cli/commands.def"
#undef LEX_COMMAND
};
const size_t lex_mangen_commands_count = LEX_COUNT_OF(lex_mangen_commands);

const struct lex_mangen_action lex_mangen_actions[] = {
    {"--config", "FILE", "Options as a JSON object; see lexecon.json(5)."},
    {"--print-config", NULL, "Print the effective values and where each came from, and exit."},
    {"--check-config", NULL, "Check the configuration, and exit: 0 if it is good, 2 if it is not."},
    {"--help", NULL, "Print all options, and exit."},
    {"--version", NULL, "Print the version, and exit."},
};
const size_t lex_mangen_actions_count = LEX_COUNT_OF(lex_mangen_actions);

/* ---- values ---- */

static void put_modes(char out[LEX_CONFIG_DESCRIPTION_MAX])
{
    static const enum lex_mode modes[] = {LEX_MODE_PERMISSIVE, LEX_MODE_STRICT, LEX_MODE_PARANOID};
    size_t len = 0;
    for (size_t i = 0; i < LEX_COUNT_OF(modes); i++)
        len += (size_t)snprintf(out + len, LEX_CONFIG_DESCRIPTION_MAX - len, "%s%s",
                                i > 0 ? " " : "", lex_config_word("lex_mode", (int)modes[i]));
}

enum lex_mangen_kind lex_mangen_kind_of(const char *value,
                                        char ret_words[LEX_CONFIG_DESCRIPTION_MAX])
{
    ret_words[0] = '\0';
    if (value == NULL)
        return LEX_MANGEN_NOTHING;
    if (strcmp(value, "MODE") == 0) {
        put_modes(ret_words);
        return LEX_MANGEN_WORDS;
    }
    if (strcmp(value, "DIR") == 0)
        return LEX_MANGEN_DIR;
    static const char *const files[] = {"FILE", "PATH", "POLICY", "OLD"};
    for (size_t i = 0; i < LEX_COUNT_OF(files); i++)
        if (strstr(value, files[i]) != NULL)
            return LEX_MANGEN_FILE;
    if (strchr(value, '|') == NULL)
        return LEX_MANGEN_NOTHING;
    (void)snprintf(ret_words, LEX_CONFIG_DESCRIPTION_MAX, "%s", value);
    for (char *at = ret_words; *at != '\0'; at++)
        if (*at == '|')
            *at = ' ';
    return LEX_MANGEN_WORDS;
}

/* ---- files ---- */

static int failed(const char *path)
{
    (void)fprintf(stderr, "lex_mangen: %s: %s\n", path, strerror(errno));
    return 1;
}

static int make_dir(const char *path)
{
    return mkdir(path, 0755) == 0 || errno == EEXIST ? 0 : failed(path);
}

static int save(const char *dir, const char *name, const struct lex_buf *text)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = lex_buf_ok(text) ? fopen(path, "w") : NULL;
    if (file == NULL)
        return failed(path);
    bool good = fwrite(text->data, 1, text->len, file) == text->len;
    return fclose(file) == 0 && good ? 0 : failed(path);
}

static int save_command(const char *dir, const char *date, const struct lex_mangen_command *command)
{
    char name[128];
    LEX_CLEANUP(lex_buf_fini) struct lex_buf out;
    lex_buf_init(&out, LEX_MANGEN_PAGE_MAX_BYTES);
    (void)snprintf(name, sizeof name, "lexecon-%s.1", command->path);
    for (char *at = name; *at != '\0'; at++)
        if (*at == ' ')
            *at = '-';
    lex_mangen_man_command(command, date, &out);
    return save(dir, name, &out);
}

static int man(const char *dir, const char *date)
{
    static const struct {
        const char *name;
        void (*write)(const char *date, struct lex_buf *out);
    } pages[] = {{"lexecon.1", lex_mangen_man_lexecon},
                 {"lexecon-consumer.8", lex_mangen_man_consumer},
                 {"lexecon.json.5", lex_mangen_man_config}};
    int status = make_dir(dir);
    for (size_t i = 0; i < LEX_COUNT_OF(pages) && status == 0; i++) {
        LEX_CLEANUP(lex_buf_fini) struct lex_buf out;
        lex_buf_init(&out, LEX_MANGEN_PAGE_MAX_BYTES);
        pages[i].write(date, &out);
        status = save(dir, pages[i].name, &out);
    }
    for (size_t i = 0; i < lex_mangen_commands_count && status == 0; i++)
        status = save_command(dir, date, &lex_mangen_commands[i]);
    return status;
}

static int completions(const char *dir)
{
    static const struct {
        const char *shell, *name;
        void (*write)(struct lex_buf *out);
    } scripts[] = {{"bash", "lexecon", lex_mangen_bash_lexecon},
                   {"bash", "lexecon-consumer", lex_mangen_bash_consumer},
                   {"zsh", "_lexecon", lex_mangen_zsh_lexecon},
                   {"zsh", "_lexecon-consumer", lex_mangen_zsh_consumer},
                   {"fish", "lexecon.fish", lex_mangen_fish_lexecon},
                   {"fish", "lexecon-consumer.fish", lex_mangen_fish_consumer}};
    int status = make_dir(dir);
    for (size_t i = 0; i < LEX_COUNT_OF(scripts) && status == 0; i++) {
        char path[4096];
        LEX_CLEANUP(lex_buf_fini) struct lex_buf out;
        lex_buf_init(&out, LEX_MANGEN_PAGE_MAX_BYTES);
        (void)snprintf(path, sizeof path, "%s/%s", dir, scripts[i].shell);
        scripts[i].write(&out);
        status = make_dir(path) == 0 ? save(path, scripts[i].name, &out) : 1;
    }
    return status;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "man") == 0)
        return man(argv[2], argv[3]);
    if (argc == 3 && strcmp(argv[1], "completions") == 0)
        return completions(argv[2]);
    (void)fputs("usage: lex_mangen man DIR DATE | completions DIR\n", stderr);
    return 2;
}
