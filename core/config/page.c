/* What the option table prints: --print-config, --help and docs/configuration.md. */
#include <stdio.h>

#include "core/config/config.h"
#include "core/config/options.h"

enum { HELP_WIDTH = 92, HELP_INDENT = 6 };

enum { PAGE_SECTIONS_MAX = 16 };

/* A heading, and the number of the option that follows it. */
struct section {
    const char *title;
    size_t first;
};

static size_t list_sections(struct section sections[PAGE_SECTIONS_MAX])
{
    size_t count = 0, option = 0;
#define LEX_OPTION_SECTION(its_title)      \
    LEX_ASSERT(count < PAGE_SECTIONS_MAX); \
    sections[count++] = (struct section){its_title, option};
#define LEX_OPTION_STR(...) option++;
#define LEX_OPTION_INT(...) option++;
#define LEX_OPTION_BOOL(...) option++;
#define LEX_OPTION_ENUM(...) option++;
#include "core/config/options.def"
#undef LEX_OPTION_SECTION
#undef LEX_OPTION_STR
#undef LEX_OPTION_INT
#undef LEX_OPTION_BOOL
#undef LEX_OPTION_ENUM
    LEX_ASSERT(option == LEX_OPTION_COUNT);
    return count;
}

/* ---- --print-config ---- */

static const char *source_name(enum lex_config_source source)
{
    static const char *const names[] = {[LEX_SOURCE_DEFAULT] = "default",
                                        [LEX_SOURCE_FILE] = "file",
                                        [LEX_SOURCE_ENVIRONMENT] = "environment",
                                        [LEX_SOURCE_FLAG] = "flag"};
    return names[source];
}

static void print_line(struct lex_buf *out, const char *prefix, const char *name,
                       struct lex_span value, enum lex_config_source source)
{
    size_t start = out->len;
    lex_buf_printf(out, "%s%s = ", prefix, name);
    lex_buf_put_span(out, value);
    while (lex_buf_ok(out) && out->len - start < 60)
        lex_buf_putc(out, ' ');
    lex_buf_printf(out, "  # %s\n", source_name(source));
}

static bool bare(const struct lex_option *option)
{
    return option->kind == LEX_KIND_INT || option->kind == LEX_KIND_BOOL;
}

void lex_config_print(const struct lex_config *config, struct lex_buf *out)
{
    for (size_t i = 0; i < LEX_OPTION_COUNT; i++) {
        LEX_CLEANUP(lex_buf_fini) struct lex_buf text, value;
        lex_buf_init(&text, LEX_CONFIG_VALUE_MAX_BYTES);
        lex_buf_init(&value, 7 * LEX_CONFIG_VALUE_MAX_BYTES);
        lex_option_text(config, &lex_options[i], &text);
        if (bare(&lex_options[i]))
            lex_buf_put_span(&value, lex_buf_span(&text));
        else
            lex_buf_put_json(&value, lex_buf_span(&text));
        print_line(out, "", lex_options[i].name, lex_buf_span(&value), config->sources[i]);
    }
    for (size_t i = 0; i < config->kafka_count; i++) {
        const struct lex_config_kafka *setting = &config->kafka[i];
        LEX_CLEANUP(lex_buf_fini) struct lex_buf value;
        lex_buf_init(&value, 7 * LEX_CONFIG_VALUE_MAX_BYTES);
        lex_buf_put_json(
            &value,
            lex_span_str(lex_config_kafka_secret(setting->key) ? "********" : setting->value));
        print_line(out, "kafka.", setting->key, lex_buf_span(&value), setting->source);
    }
    lex_otel_print(&config->otel, out);
}

/* ---- --help ---- */

static void put_wrapped(struct lex_buf *out, const char *text)
{
    size_t at = HELP_INDENT;
    lex_buf_printf(out, "%*s", HELP_INDENT, "");
    while (*text != '\0') {
        size_t word = strcspn(text, " ");
        if (at > HELP_INDENT && at + 1 + word > HELP_WIDTH) {
            lex_buf_printf(out, "\n%*s", HELP_INDENT, "");
            at = HELP_INDENT;
        } else if (at > HELP_INDENT) {
            lex_buf_putc(out, ' ');
            at++;
        }
        lex_buf_put(out, text, word);
        at += word;
        text += word;
        text += strspn(text, " ");
    }
    lex_buf_putc(out, '\n');
}

static void put_default(struct lex_buf *out, const struct lex_option *option)
{
    if (option->shown != NULL)
        lex_buf_puts(out, option->shown);
    else if (option->kind == LEX_KIND_STR)
        lex_buf_puts(out, option->text);
    else if (option->kind == LEX_KIND_BOOL)
        lex_buf_puts(out, option->number != 0 ? "true" : "false");
    else if (option->kind == LEX_KIND_ENUM)
        lex_buf_puts(out, lex_config_word(option->type, (int)option->number));
    else
        lex_buf_printf(out, "%lld", (long long)option->number);
}

static void put_help_option(struct lex_buf *out, const struct lex_option *option)
{
    char flag[LEX_OPTION_NAME_MAX];
    lex_option_spell(option->name, LEX_SPELL_FLAG, flag);
    lex_buf_printf(out, "  %s  ", flag);
    lex_option_expected(option, out);
    lex_buf_puts(out, "; default ");
    put_default(out, option);
    lex_buf_putc(out, '\n');
    put_wrapped(out, option->help);
}

void lex_config_help(const char *program, struct lex_buf *out)
{
    lex_buf_printf(
        out,
        "usage: %s [flags]\n\n"
        "Consumes decision requests, decides them against the policy in force, and publishes "
        "signed\n"
        "verdicts and ledger entries, exactly once.\n\n"
        "  --config FILE     options as a JSON object: {\"node_id\": \"n1\", \"kafka\": "
        "{\"bootstrap.servers\": \"...\"}}\n"
        "  --print-config    print the effective values and where each came from, and exit\n"
        "  --check-config    check the configuration, and exit: 0 if it is good, 2 if not\n"
        "  --help, --version\n\n"
        "Each option is a key in the file (node_id), a variable (LEXECON_NODE_ID) and a flag\n"
        "(--node-id). A flag wins over a variable, a variable over the file. An empty variable is\n"
        "not set. librdkafka's own settings stand under \"kafka\" in the file, or in variables:\n"
        "LEXECON_KAFKA_BOOTSTRAP_SERVERS is bootstrap.servers.\n",
        program);
    struct section sections[PAGE_SECTIONS_MAX];
    size_t count = list_sections(sections);
    for (size_t s = 0; s < count; s++) {
        lex_buf_printf(out, "\n%s\n", sections[s].title);
        size_t end = s + 1 < count ? sections[s + 1].first : LEX_OPTION_COUNT;
        for (size_t i = sections[s].first; i < end; i++)
            put_help_option(out, &lex_options[i]);
    }
}

/* ---- docs/configuration.md ---- */

static void put_row(struct lex_buf *out, const struct lex_option *option)
{
    char variable[LEX_OPTION_NAME_MAX], flag[LEX_OPTION_NAME_MAX];
    lex_option_spell(option->name, LEX_SPELL_VARIABLE, variable);
    lex_option_spell(option->name, LEX_SPELL_FLAG, flag);
    lex_buf_printf(out, "| `%s`<br>`%s`<br>`%s` | ", option->name, variable, flag);
    lex_option_expected(option, out);
    lex_buf_puts(out, " | ");
    put_default(out, option);
    lex_buf_printf(out, " | %s |\n", option->help);
}

void lex_config_page(struct lex_buf *out)
{
    lex_buf_puts(
        out,
        "# Configuration\n\n"
        "Generated from core/config/options.def; `./dev docs` writes it again.\n\n"
        "`lexecon-consumer` takes each option from a file (`--config FILE`, or `LEXECON_CONFIG`), "
        "from "
        "the environment,\nor from a flag. A flag wins over a variable, a variable over the file, "
        "the "
        "file over the default.\nA key, variable (`LEXECON_...`) or flag that does not exist is an "
        "error that names the nearest one;\nan empty variable is not set, and the variables that "
        "Kubernetes makes for Services are no options.\n\n"
        "- `--print-config` prints the effective values and where each came from, secrets masked.\n"
        "- `--check-config` checks the configuration and exits: 0 if it is good, 2 if not.\n\n"
        "The file is JSON:\n\n"
        "```json\n"
        "{\n"
        "  \"node_id\": \"decisions-1\",\n"
        "  \"policy\": \"policies/example_policy.json\",\n"
        "  \"kafka\": {\"bootstrap.servers\": \"kafka-1:9092,kafka-2:9092\", "
        "\"security.protocol\": "
        "\"SSL\"}\n"
        "}\n"
        "```\n\n"
        "## Kafka's settings\n\n"
        "What stands under `kafka` in the file (or as a dotted key, `kafka.ssl.ca.location`), and "
        "what "
        "the environment\nnames `LEXECON_KAFKA_...` (an underscore stands for a dot: "
        "`LEXECON_KAFKA_BOOTSTRAP_SERVERS` is `bootstrap.servers`),\nis handed to librdkafka as it "
        "is: "
        "SASL, TLS and OAuth work as its users expect. Refused, because exactly-once\nrests on "
        "them: "
        "`group.id`, `transactional.id`, `isolation.level`, `acks`, `enable.idempotence`, "
        "`enable.auto.commit`.\n");
    struct section sections[PAGE_SECTIONS_MAX];
    size_t count = list_sections(sections);
    for (size_t s = 0; s < count; s++) {
        lex_buf_printf(out,
                       "\n## %s\n\n| option | value | default | meaning |\n|---|---|---|---|\n",
                       sections[s].title);
        size_t end = s + 1 < count ? sections[s + 1].first : LEX_OPTION_COUNT;
        for (size_t i = sections[s].first; i < end; i++)
            put_row(out, &lex_options[i]);
    }
    lex_otel_page(out);
}
