/* One row of the option table in words, for whoever writes pages or completions. */
#include <stdio.h>

#include "core/config/config.h"
#include "core/config/options.h"

/* The heading above an option. */
static const char *section_of(size_t option)
{
    static const char *titles[LEX_OPTION_COUNT];
    size_t count = 0;
    const char *title = "";
#define LEX_OPTION_SECTION(its_title) title = its_title;
#define LEX_OPTION_STR(...) titles[count++] = title;
#define LEX_OPTION_INT(...) titles[count++] = title;
#define LEX_OPTION_BOOL(...) titles[count++] = title;
#define LEX_OPTION_ENUM(...) titles[count++] = title;
#include "core/config/options.def"
#undef LEX_OPTION_SECTION
#undef LEX_OPTION_STR
#undef LEX_OPTION_INT
#undef LEX_OPTION_BOOL
#undef LEX_OPTION_ENUM
    LEX_ASSERT(count == LEX_OPTION_COUNT);
    return titles[option];
}

/* "one of a, b, c" -> "a|b|c" */
static void put_choices(const struct lex_option *option, char out[LEX_CONFIG_DESCRIPTION_MAX])
{
    static const char lead[] = "one of ";
    LEX_CLEANUP(lex_buf_fini) struct lex_buf expected;
    lex_buf_init(&expected, LEX_CONFIG_DESCRIPTION_MAX);
    lex_option_expected(option, &expected);
    const char *at = lex_buf_str(&expected) + sizeof lead - 1;
    for (; *at != '\0'; at++)
        if (*at != ' ')
            *out++ = *at == ',' ? '|' : *at;
    *out = '\0';
}

static void put_value(const struct lex_option *option, char out[LEX_CONFIG_DESCRIPTION_MAX])
{
    const char *word = option->kind == LEX_KIND_INT     ? "N"
                       : option->kind != LEX_KIND_STR   ? ""
                       : option->form == LEX_FORM_PATH  ? "PATH"
                       : option->form == LEX_FORM_URL   ? "URL"
                       : option->form == LEX_FORM_TOPIC ? "TOPIC"
                                                        : "TEXT";
    if (option->kind == LEX_KIND_ENUM)
        put_choices(option, out);
    else
        (void)snprintf(out, LEX_CONFIG_DESCRIPTION_MAX, "%s", word);
}

static void put_fallback(const struct lex_option *option, char out[LEX_CONFIG_DESCRIPTION_MAX])
{
    const char *word = option->shown != NULL           ? option->shown
                       : option->kind == LEX_KIND_STR  ? option->text
                       : option->kind == LEX_KIND_BOOL ? (option->number != 0 ? "true" : "false")
                       : option->kind == LEX_KIND_ENUM
                           ? lex_config_word(option->type, (int)option->number)
                           : NULL;
    if (word != NULL)
        (void)snprintf(out, LEX_CONFIG_DESCRIPTION_MAX, "%s", word);
    else
        (void)snprintf(out, LEX_CONFIG_DESCRIPTION_MAX, "%lld", (long long)option->number);
}

void lex_config_describe(size_t option, struct lex_config_description *ret)
{
    LEX_ASSERT(option < LEX_OPTION_COUNT);
    const struct lex_option *row = &lex_options[option];
    LEX_CLEANUP(lex_buf_fini) struct lex_buf expected;
    lex_buf_init(&expected, LEX_CONFIG_DESCRIPTION_MAX);
    *ret = (struct lex_config_description){
        .section = section_of(option),
        .name = row->name,
        .help = row->help,
        .is_switch = row->kind == LEX_KIND_BOOL,
    };
    lex_option_spell(row->name, LEX_SPELL_FLAG, ret->flag);
    lex_option_spell(row->name, LEX_SPELL_VARIABLE, ret->variable);
    lex_option_expected(row, &expected);
    (void)snprintf(ret->expected, sizeof ret->expected, "%s", lex_buf_str(&expected));
    put_value(row, ret->value);
    put_fallback(row, ret->fallback);
}
