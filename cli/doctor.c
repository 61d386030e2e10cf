/* `lexecon doctor`: what is wrong with the service's configuration, and how to mend it. */
#include "cli/doctor.h"

#include <stdio.h>
#include <unistd.h>

#include "cli/cluster.h"
#include "cli/properties.h"
#include "consumer/web.h"
#include "core/crypto/crypto.h"

enum { SERVICE_ARGS_MAX = 128 };

static struct lex_cli_cluster cluster;
static const char *format = "text", *reader, *client;
static bool no_writes, list;
static const struct lex_cli_flag flags[] = {
    {"format", "text|json", "For people, or one JSON object a line.", LEX_CLI_STR, &format, false},
    {"no-writes", NULL,
     "Do not try the rights to write: trying one leaves an aborted record in the topic, which no "
     "reader of committed records sees.",
     LEX_CLI_BOOL, &no_writes, false},
    {"list", NULL, "Print the steps and what each tries, and do nothing.", LEX_CLI_BOOL, &list,
     false},
    {"reader", "FILE",
     "Check a client's properties file instead: whoever reads verdicts or the ledger.", LEX_CLI_STR,
     &reader, false},
    {"client", "java|librdkafka",
     "Whose file that is, where its keys do not tell; their defaults differ.", LEX_CLI_STR, &client,
     false},
#define LEX_CLUSTER_FLAG(name, value, help, kind, member) \
    {name, value, help, kind, &cluster.member, false},
#include "cli/cluster_flags.def"
#undef LEX_CLUSTER_FLAG
};
static const struct lex_cli_usage usage = {
    .path = "doctor",
    .operands = "[-- SERVICE FLAG...]",
    .text =
        "Try the service's own configuration step by step, and say what is wrong and how to mend\n"
        "it. It reads what lexecon-consumer reads: its file, LEXECON_* variables, and behind -- "
        "its\n"
        "flags. In the service's container it needs none at all:\n\n"
        "  kubectl exec deployment/lexecon -- lexecon doctor\n"
        "  lexecon doctor --bootstrap kafka:9092 -- --policy policy.json --keys-dir keys\n"
        "  lexecon doctor --reader client.properties\n\n"
        "It joins no group, commits nothing and makes nothing; --no-writes says what else. A step\n"
        "that fails does not end it. Lines begin with ok, warn or FAIL.\n\n"
        "Exit status: 0 all is well, warnings allowed; 1 something fails; 2 a flag or the\n"
        "configuration is wrong; 3 no broker, registry or other peer answers, and nothing else is\n"
        "wrong.",
    .flags = flags,
    .flags_count = LEX_COUNT_OF(flags),
    .operands_max = LEX_CLI_LIST_MAX,
};

/* ---- the report ---- */

static const char *const LEVELS[LEX_DOCTOR_LEVELS] = {"ok", "warn", "FAIL", "FAIL"};

static void say_json(const struct lex_doctor *doctor, enum lex_doctor_level level, const char *text,
                     const char *mend)
{
    char memory[4 * LEX_DOCTOR_TEXT_MAX_BYTES];
    struct lex_buf out;
    lex_buf_borrow(&out, memory, sizeof memory);
    lex_buf_printf(&out, "{\"step\":\"%s\",\"result\":\"%s\",\"text\":", doctor->step,
                   level == LEX_DOCTOR_OK     ? "ok"
                   : level == LEX_DOCTOR_WARN ? "warn"
                                              : "fail");
    lex_buf_put_json(&out, lex_span_str(text));
    lex_buf_puts(&out, ",\"mend\":");
    if (mend != NULL)
        lex_buf_put_json(&out, lex_span_str(mend));
    else
        lex_buf_puts(&out, "null");
    lex_buf_printf(&out, ",\"unreachable\":%s}\n",
                   level == LEX_DOCTOR_UNREACHABLE ? "true" : "false");
    (void)fputs(lex_buf_str(&out), stdout);
}

/* What others wrote (a broker's error, a file's name) must not speak to the terminal. */
static void put_clean(const char *text)
{
    for (; *text != 0; text++)
        (void)putchar((unsigned char)*text < ' ' || *text == 0x7f ? ' ' : *text);
}

void lex_doctor_say(struct lex_doctor *doctor, enum lex_doctor_level level, const char *mend,
                    const char *format_text, ...)
{
    char text[LEX_DOCTOR_TEXT_MAX_BYTES];
    va_list args;
    va_start(args, format_text);
    (void)vsnprintf(text, sizeof text, format_text, args);
    va_end(args);
    doctor->counts[level]++;
    if (mend != NULL && mend[0] == 0)
        mend = NULL;
    if (doctor->json) {
        say_json(doctor, level, text, mend);
    } else {
        (void)printf("%-4s  %-10s  ", LEVELS[level], doctor->step);
        put_clean(text);
        if (mend != NULL) {
            (void)fputs("  -  ", stdout);
            put_clean(mend);
        }
        (void)putchar('\n');
    }
    (void)fflush(stdout);
}

/* A probe's error may have its advice on a second line. */
void lex_doctor_say_error(struct lex_doctor *doctor, enum lex_status status, const char *mend,
                          const struct lex_error *err)
{
    const char *newline = strchr(err->text, '\n');
    int len = newline != NULL ? (int)(newline - err->text) : (int)strlen(err->text);
    lex_doctor_say(doctor, status == LEX_RETRY ? LEX_DOCTOR_UNREACHABLE : LEX_DOCTOR_FAIL,
                   mend == NULL && newline != NULL ? newline + 1 : mend, "%.*s", len, err->text);
}

const char *lex_doctor_servers(const struct lex_doctor *doctor)
{
    const char *servers = lex_config_kafka_get(doctor->config, "bootstrap.servers");
    return servers != NULL ? servers : "HOST:PORT";
}

/* ---- the steps ---- */

enum need { NOTHING, BROKER, TOPICS };
static const struct {
    const char *name, *tries;
    enum need need;
    void (*run)(struct lex_doctor *doctor);
} STEPS[] = {
#define LEX_DOCTOR(step, needs, function, tries) {step, tries, needs, function},
#include "cli/doctor.def"
#undef LEX_DOCTOR
};

static bool is_met(const struct lex_doctor *doctor, enum need need)
{
    return need == NOTHING || (need == BROKER && doctor->broker) ||
           (need == TOPICS && doctor->looked);
}

static void run_steps(struct lex_doctor *doctor)
{
    for (size_t i = 0; i < LEX_COUNT_OF(STEPS); i++) {
        doctor->step = STEPS[i].name;
        if (is_met(doctor, STEPS[i].need))
            STEPS[i].run(doctor);
    }
}

static int print_steps(void)
{
    for (size_t i = 0; i < LEX_COUNT_OF(STEPS); i++)
        (void)printf("%-10s  %s\n", STEPS[i].name, STEPS[i].tries);
    return LEX_EXIT_OK;
}

static int summarize(const struct lex_doctor *doctor)
{
    size_t failed = doctor->counts[LEX_DOCTOR_FAIL],
           silent = doctor->counts[LEX_DOCTOR_UNREACHABLE];
    if (!doctor->json)
        (void)printf("\n%zu ok, %zu to look at, %zu wrong\n", doctor->counts[LEX_DOCTOR_OK],
                     doctor->counts[LEX_DOCTOR_WARN], failed + silent);
    return failed != 0 ? LEX_EXIT_NO : silent != 0 ? LEX_EXIT_UNAVAILABLE : LEX_EXIT_OK;
}

/* ---- the configuration ---- */

/* lex_config_load reads a command line: the service's flags, from behind the dashes. */
static enum lex_status load(const struct lex_cli_list *operands, struct lex_config **ret_config,
                            struct lex_error *err)
{
    const char *more[LEX_CLI_LIST_MAX + 1] = {NULL};
    for (size_t i = 0; i < operands->count; i++)
        more[i] = operands->items[i];
    LEX_TRY(lex_cli_cluster_load_only(&cluster, more, ret_config, err));
    if ((*ret_config)->action == LEX_CONFIG_RUN)
        return LEX_OK;
    lex_config_free(*ret_config);
    return lex_fail(err, LEX_REJECT, "flags that print and end are lexecon-consumer's own");
}

static int examine(const struct lex_cli_list *operands)
{
    static struct lex_doctor doctor;
    struct lex_error err = {{0}};
    doctor = (struct lex_doctor){.json = strcmp(format, "json") == 0,
                                 .no_writes = no_writes,
                                 .written.broker_ms = -1,
                                 .step = "config"};
    if (load(operands, &doctor.config, &err) != LEX_OK) {
        lex_doctor_say(&doctor, LEX_DOCTOR_FAIL,
                       "put it right; the service refuses to start with it, and nothing else can "
                       "be tried",
                       "%s", err.text);
        return LEX_EXIT_USAGE;
    }
    lex_doctor_say(&doctor, LEX_DOCTOR_OK, NULL, "the configuration is valid%s%s",
                   doctor.config->file != NULL ? ": " : "",
                   doctor.config->file != NULL ? doctor.config->file : "");
    run_steps(&doctor);
    lex_topics_free(doctor.topics);
    lex_config_free(doctor.config);
    return summarize(&doctor);
}

int lex_cli_doctor(int argc, char **argv)
{
    struct lex_cli_list operands;
    struct lex_error err = {{0}};
    int parsed = lex_cli_parse(&usage, argc, argv, &operands);
    if (parsed != 0)
        return parsed == 1 ? LEX_EXIT_OK : LEX_EXIT_USAGE;
    if (strcmp(format, "text") != 0 && strcmp(format, "json") != 0)
        return lex_cli_fail(&usage, LEX_EXIT_USAGE, "--format %s: expected text or json", format);
    if (list)
        return print_steps();
    if (reader != NULL)
        return lex_properties_check(&usage, reader, client, strcmp(format, "json") == 0);
    lex_log_init(LEX_LOG_CRITICAL, LEX_LOG_TEXT, fileno(stderr));
    if (lex_crypto_init(&err) != LEX_OK || lex_web_init(&err) != LEX_OK)
        return lex_cli_fail(&usage, LEX_EXIT_INTERNAL, "%s", err.text);
    return examine(&operands);
}
