#include "core/config/options.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#include "core/base/json.h"
#include "core/base/text.h"

#define FIELD(name) offsetof(struct lex_config, name)

static const char *const ledger_defaults = "retention_days=180,replication=3,min_isr=2";

const struct lex_option lex_options[LEX_OPTION_COUNT] = {
#define LEX_OPTION_SECTION(title)
#define LEX_OPTION_STR(key, fallback, its_form, as, sentence) \
    [LEX_OPTION_##key] = {.name = #key,                       \
                          .kind = LEX_KIND_STR,               \
                          .offset = FIELD(key),               \
                          .form = LEX_FORM_##its_form,        \
                          .text = (fallback),                 \
                          .shown = (as),                      \
                          .help = (sentence)},
#define LEX_OPTION_INT(key, fallback, least, most, its_unit, as, sentence) \
    [LEX_OPTION_##key] = {.name = #key,                                    \
                          .kind = LEX_KIND_INT,                            \
                          .offset = FIELD(key),                            \
                          .number = (fallback),                            \
                          .min = (least),                                  \
                          .max = (most),                                   \
                          .unit = (its_unit),                              \
                          .shown = (as),                                   \
                          .help = (sentence)},
#define LEX_OPTION_BOOL(key, fallback, as, sentence) \
    [LEX_OPTION_##key] = {.name = #key,              \
                          .kind = LEX_KIND_BOOL,     \
                          .offset = FIELD(key),      \
                          .number = (fallback),      \
                          .shown = (as),             \
                          .help = (sentence)},
#define LEX_OPTION_ENUM(key, its_type, fallback, as, sentence) \
    [LEX_OPTION_##key] = {.name = #key,                        \
                          .kind = LEX_KIND_ENUM,               \
                          .offset = FIELD(key),                \
                          .type = #its_type,                   \
                          .number = (fallback),                \
                          .shown = (as),                       \
                          .help = (sentence)},
#include "core/config/options.def"
#undef LEX_OPTION_SECTION
#undef LEX_OPTION_STR
#undef LEX_OPTION_INT
#undef LEX_OPTION_BOOL
#undef LEX_OPTION_ENUM
};

struct choice {
    const char *type, *word;
    int value;
};

static const struct choice choices[] = {
#define LEX_CHOICE(type, value, word) {#type, word, value},
#include "core/config/choices.def"
#undef LEX_CHOICE
};

const char *lex_config_word(const char *type, int value)
{
    for (size_t i = 0; i < LEX_COUNT_OF(choices); i++)
        if (choices[i].value == value && strcmp(choices[i].type, type) == 0)
            return choices[i].word;
    return "?";
}

const struct lex_option *lex_option_find(struct lex_span name)
{
    for (size_t i = 0; i < LEX_OPTION_COUNT; i++)
        if (lex_span_eq(name, lex_span_str(lex_options[i].name)))
            return &lex_options[i];
    return NULL;
}

const char *lex_option_nearest(struct lex_span name)
{
    const char *nearest = NULL;
    size_t best = 4;
    for (size_t i = 0; i < LEX_OPTION_COUNT; i++) {
        size_t distance = lex_edit_distance(name, lex_span_str(lex_options[i].name), 3);
        if (distance < best) {
            best = distance;
            nearest = lex_options[i].name;
        }
    }
    return nearest;
}

void lex_option_spell(const char *name, enum lex_option_spelling spelling,
                      char out[LEX_OPTION_NAME_MAX])
{
    static const char *const prefixes[] = {
        [LEX_SPELL_KEY] = "", [LEX_SPELL_VARIABLE] = "LEXECON_", [LEX_SPELL_FLAG] = "--"};
    int len = snprintf(out, LEX_OPTION_NAME_MAX, "%s", prefixes[spelling]);
    for (; *name != '\0' && len < LEX_OPTION_NAME_MAX - 1; name++) {
        char c = *name;
        if (spelling == LEX_SPELL_VARIABLE)
            c = (char)toupper((unsigned char)c);
        else if (spelling == LEX_SPELL_FLAG && c == '_')
            c = '-';
        out[len++] = c;
    }
    out[len] = '\0';
}

/* ---- forms of strings ---- */

static bool plain(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

static bool all_plain(struct lex_span text, size_t max)
{
    for (size_t i = 0; i < text.len; i++)
        if (!plain(text.data[i]))
            return false;
    return text.len >= 1 && text.len <= max;
}

static bool is_name(struct lex_span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] <= ' ' || text.data[i] >= 0x7f)
            return false;
    return text.len >= 1 && text.len <= 128;
}

static bool is_prefix(struct lex_span text)
{
    const uint8_t *slash = text.len > 0 ? memchr(text.data, '/', text.len) : NULL;
    if (slash == NULL)
        return false;
    size_t org = (size_t)(slash - text.data);
    return all_plain(lex_span_of(text.data, org), 64) &&
           all_plain(lex_span_of(slash + 1, text.len - org - 1), 64);
}

static bool is_path(struct lex_span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] < ' ' || text.data[i] == 0x7f)
            return false;
    return text.len >= 1 && text.len <= 4095 && lex_utf8_valid(text);
}

static bool starts_with(struct lex_span text, struct lex_span start)
{
    return text.len > start.len && memcmp(text.data, start.data, start.len) == 0;
}

/* A password in a URL would stand in --print-config and in logs; it belongs into a file. */
static bool is_url(struct lex_span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] <= ' ' || text.data[i] >= 0x7f || text.data[i] == '@')
            return false;
    return text.len <= 1023 &&
           (starts_with(text, LEX_SPAN("http://")) || starts_with(text, LEX_SPAN("https://")));
}

static LEX_STATUS set_requirement(struct lex_span name, struct lex_span value,
                                  struct lex_config_requirements *ret)
{
    const struct {
        struct lex_span name;
        int64_t *field, max;
    } known[] = {{LEX_SPAN("retention_days"), &ret->retention_days, 100000},
                 {LEX_SPAN("replication"), &ret->replication, 1000},
                 {LEX_SPAN("min_isr"), &ret->min_isr, 1000}};
    for (size_t i = 0; i < LEX_COUNT_OF(known); i++) {
        if (!lex_span_eq(name, known[i].name))
            continue;
        int64_t number;
        LEX_TRY(lex_json_int64(value, &number));
        if (number < 0 || number > known[i].max)
            return LEX_REJECT;
        *known[i].field = number;
        return LEX_OK;
    }
    return LEX_REJECT;
}

static LEX_STATUS parse_requirements(struct lex_span text, struct lex_config_requirements *ret)
{
    while (text.len > 0) {
        const uint8_t *comma = memchr(text.data, ',', text.len);
        size_t len = comma != NULL ? (size_t)(comma - text.data) : text.len;
        const uint8_t *equals = memchr(text.data, '=', len);
        if (equals == NULL)
            return LEX_REJECT;
        size_t name = (size_t)(equals - text.data);
        LEX_TRY(set_requirement(lex_span_of(text.data, name),
                                lex_span_of(equals + 1, len - name - 1), ret));
        if (comma != NULL && len + 1 == text.len)
            return LEX_REJECT;
        len += comma != NULL;
        text = lex_span_of(text.data + len, text.len - len);
    }
    return LEX_OK;
}

/* What is not named keeps its default: leaving one out must not switch it off. */
LEX_STATUS lex_option_requirements(struct lex_span text, struct lex_config_requirements *ret)
{
    struct lex_config_requirements parsed = {.on = true};
    if (lex_span_eq(text, LEX_SPAN("off"))) {
        *ret = (struct lex_config_requirements){.on = false};
        return LEX_OK;
    }
    LEX_TRY(parse_requirements(lex_span_str(ledger_defaults), &parsed));
    if (text.len == 0)
        return LEX_REJECT;
    LEX_TRY(parse_requirements(text, &parsed));
    *ret = parsed;
    return LEX_OK;
}

static bool has_form(enum lex_option_form form, struct lex_span text)
{
    struct lex_config_requirements ignored;
    switch (form) {
    case LEX_FORM_NAME: return is_name(text);
    case LEX_FORM_TOPIC:
        return all_plain(text, 249) && !lex_span_eq(text, LEX_SPAN(".")) &&
               !lex_span_eq(text, LEX_SPAN(".."));
    case LEX_FORM_PREFIX: return is_prefix(text);
    case LEX_FORM_PATH: return is_path(text);
    case LEX_FORM_URL: return is_url(text);
    case LEX_FORM_REQUIREMENTS: return lex_option_requirements(text, &ignored) == LEX_OK;
    }
    return false;
}

/* ---- setting a field ---- */

static void *field_of(struct lex_config *config, const struct lex_option *option)
{
    return (char *)config + option->offset;
}

static const void *field_in(const struct lex_config *config, const struct lex_option *option)
{
    return (const char *)config + option->offset;
}

/* An enumeration's field has the size of an int here; its type differs from field to field. */
static void store_number(struct lex_config *config, const struct lex_option *option, int64_t number)
{
    _Static_assert(sizeof(enum lex_mode) == sizeof(int), "enumerations are ints");
    void *field = field_of(config, option);
    int as_int = (int)number;
    switch (option->kind) {
    case LEX_KIND_INT: memcpy(field, &number, sizeof number); return;
    case LEX_KIND_BOOL: *(bool *)field = number != 0; return;
    case LEX_KIND_ENUM: memcpy(field, &as_int, sizeof as_int); return;
    case LEX_KIND_STR: return;
    }
}

void lex_option_set_default(struct lex_config *config, const struct lex_option *option)
{
    if (option->kind == LEX_KIND_STR)
        memcpy(field_of(config, option), &option->text, sizeof option->text);
    else
        store_number(config, option, option->number);
}

static void put_choices(const char *type, struct lex_buf *out)
{
    const char *separator = "";
    for (size_t i = 0; i < LEX_COUNT_OF(choices); i++) {
        if (strcmp(choices[i].type, type) != 0)
            continue;
        lex_buf_printf(out, "%s%s", separator, choices[i].word);
        separator = ", ";
    }
}

void lex_option_expected(const struct lex_option *option, struct lex_buf *out)
{
    static const char *const forms[] = {
        [LEX_FORM_NAME] = "1 to 128 printable ASCII characters without blanks",
        [LEX_FORM_TOPIC] = "a topic's name: 1 to 249 of A-Z a-z 0-9 . _ -",
        [LEX_FORM_PREFIX] = "<org>/<cluster>, each 1 to 64 of A-Z a-z 0-9 . _ -",
        [LEX_FORM_PATH] = "a path",
        [LEX_FORM_URL] = "http:// or https:// with a host, without blanks, user and password",
        [LEX_FORM_REQUIREMENTS] = "off, or retention_days=N,replication=N,min_isr=N",
    };
    switch (option->kind) {
    case LEX_KIND_STR: lex_buf_puts(out, forms[option->form]); return;
    case LEX_KIND_BOOL: lex_buf_puts(out, "true or false"); return;
    case LEX_KIND_INT:
        lex_buf_printf(out, "a whole number from %lld to %lld (%s)", (long long)option->min,
                       (long long)option->max, option->unit);
        return;
    case LEX_KIND_ENUM: lex_buf_puts(out, "one of "); put_choices(option->type, out);
    }
}

static LEX_STATUS refuse(const struct lex_option *option, struct lex_span value, const char *place,
                         struct lex_error *err)
{
    LEX_CLEANUP(lex_buf_fini) struct lex_buf expected, got;
    lex_buf_init(&expected, 512);
    lex_buf_init(&got, 512);
    lex_option_expected(option, &expected);
    lex_buf_put_json(&got, lex_span_of(value.data, value.len < 64 ? value.len : 64));
    return lex_fail(err, LEX_REJECT, "%s: expected %s, got %s", place, lex_buf_str(&expected),
                    lex_buf_str(&got));
}

static bool equals_word(struct lex_span value, const char *word)
{
    return value.len == strlen(word) && strncasecmp((const char *)value.data, word, value.len) == 0;
}

static bool parse_bool(struct lex_span value, int64_t *ret)
{
    static const char *const words[] = {"false", "true", "0", "1", "no", "yes", "off", "on"};
    for (size_t i = 0; i < LEX_COUNT_OF(words); i++) {
        if (equals_word(value, words[i])) {
            *ret = i % 2;
            return true;
        }
    }
    return false;
}

static bool parse_choice(const char *type, struct lex_span value, int64_t *ret)
{
    for (size_t i = 0; i < LEX_COUNT_OF(choices); i++) {
        if (strcmp(choices[i].type, type) == 0 && equals_word(value, choices[i].word)) {
            *ret = choices[i].value;
            return true;
        }
    }
    return false;
}

static bool parse_number(const struct lex_option *option, struct lex_span value, int64_t *ret)
{
    switch (option->kind) {
    case LEX_KIND_BOOL: return parse_bool(value, ret);
    case LEX_KIND_ENUM: return parse_choice(option->type, value, ret);
    default:
        return lex_json_int64(value, ret) == LEX_OK && *ret >= option->min && *ret <= option->max;
    }
}

LEX_STATUS lex_option_set(struct lex_config *config, struct lex_arena *arena,
                          const struct lex_option *option, struct lex_span value, const char *place,
                          struct lex_error *err)
{
    if (option->kind != LEX_KIND_STR) {
        int64_t number;
        if (!parse_number(option, value, &number))
            return refuse(option, value, place, err);
        store_number(config, option, number);
        return LEX_OK;
    }
    if (!has_form(option->form, value))
        return refuse(option, value, place, err);
    struct lex_span copy = lex_arena_printf(arena, "%.*s", LEX_SPAN_FMT(value));
    if (lex_span_absent(copy))
        return lex_fail(err, LEX_LIMIT, "%s: out of memory", place);
    memcpy(field_of(config, option), &copy.data, sizeof copy.data);
    return LEX_OK;
}

void lex_option_text(const struct lex_config *config, const struct lex_option *option,
                     struct lex_buf *out)
{
    const void *field = field_in(config, option);
    const char *text;
    int64_t number;
    int choice;
    switch (option->kind) {
    case LEX_KIND_STR:
        memcpy(&text, field, sizeof text);
        lex_buf_puts(out, text != NULL ? text : "");
        return;
    case LEX_KIND_INT:
        memcpy(&number, field, sizeof number);
        lex_buf_printf(out, "%lld", (long long)number);
        return;
    case LEX_KIND_BOOL: lex_buf_puts(out, *(const bool *)field ? "true" : "false"); return;
    case LEX_KIND_ENUM:
        memcpy(&choice, field, sizeof choice);
        lex_buf_puts(out, lex_config_word(option->type, choice));
    }
}
