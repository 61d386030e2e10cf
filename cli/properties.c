#include "cli/properties.h"

#include <ctype.h>
#include <stdio.h>

#include "cli/text_file.h"
#include "core/base/text.h"

/* ---- the file ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\f';
}

static char *skip_blanks(char *at)
{
    while (is_blank(*at))
        at++;
    return at;
}

/* Whether the line ends in an odd number of backslashes: it goes on. */
static bool goes_on(const char *begin, const char *end)
{
    size_t count = 0;
    while (end > begin && *--end == '\\')
        count++;
    return count % 2 == 1;
}

/* One logical line, its continuations joined in place. @return the next one, NULL at the end */
static char *join(char *line, unsigned *at_line)
{
    char *out = line + strcspn(line, "\n"), *rest = *out != 0 ? out + 1 : NULL;
    if (out > line && out[-1] == '\r')
        out--;
    *out = 0;
    (*at_line)++;
    while (rest != NULL && goes_on(line, out)) {
        char *more = skip_blanks(rest);
        size_t len = strcspn(more, "\n");
        rest = more[len] != 0 ? more + len + 1 : NULL;
        len -= len > 0 && more[len - 1] == '\r';
        out--;
        memmove(out, more, len);
        out += len;
        *out = 0;
        (*at_line)++;
    }
    return rest;
}

static char *find_separator(char *key)
{
    char *at = key;
    while (*at != 0 && *at != '=' && *at != ':' && !is_blank(*at))
        at += *at == '\\' && at[1] != 0 ? 2 : 1;
    return at;
}

static void trim_end(char *text)
{
    size_t len = strlen(text);
    while (len > 0 && isspace((unsigned char)text[len - 1]))
        text[--len] = 0;
}

static enum lex_status take(char *line, unsigned at_line, struct lex_properties *ret,
                            struct lex_error *err)
{
    char *key = skip_blanks(line);
    if (*key == 0 || *key == '#' || *key == '!')
        return LEX_OK;
    if (ret->count == LEX_PROPERTIES_MAX)
        return lex_fail(err, LEX_LIMIT, "line %u: more than %d settings", at_line,
                        LEX_PROPERTIES_MAX);
    char *value = find_separator(key), *end = value;
    value = skip_blanks(value);
    if (*value == '=' || *value == ':')
        value = skip_blanks(value + 1);
    if (end - key > LEX_PROPERTIES_KEY_MAX_BYTES)
        return lex_fail(err, LEX_REJECT, "line %u: a key of more than %d bytes", at_line,
                        LEX_PROPERTIES_KEY_MAX_BYTES);
    if (*end != 0)
        *end = 0;
    trim_end(value);
    ret->list[ret->count++] = (struct lex_property){key, value, at_line};
    return LEX_OK;
}

LEX_STATUS lex_properties_parse(char *text, struct lex_properties *ret, struct lex_error *err)
{
    unsigned at_line = 0;
    ret->count = 0;
    for (char *line = text, *next; line != NULL; line = next) {
        unsigned first = at_line + 1;
        next = join(line, &at_line);
        LEX_TRY(take(line, first, ret, err));
    }
    return LEX_OK;
}

const struct lex_property *lex_properties_get(const struct lex_properties *properties,
                                              const char *key)
{
    for (size_t i = properties->count; i > 0; i--)
        if (strcmp(properties->list[i - 1].key, key) == 0)
            return &properties->list[i - 1];
    return NULL;
}

/* ---- whose it is ---- */

static const char *const JAVA_KEYS[] = {
    "key.deserializer",      "value.deserializer", "sasl.jaas.config", "ssl.truststore.location",
    "ssl.keystore.location", "max.poll.records",   "fetch.max.wait.ms"};
static const char *const LIBRDKAFKA_KEYS[] = {
    "sasl.username",        "sasl.password",     "ssl.ca.location",        "ssl.ca.pem",
    "enable.partition.eof", "fetch.wait.max.ms", "statistics.interval.ms", "metadata.broker.list"};

static size_t count_known(const struct lex_properties *properties, const char *const *keys,
                          size_t count)
{
    size_t known = 0;
    for (size_t i = 0; i < count; i++)
        known += lex_properties_get(properties, keys[i]) != NULL;
    return known;
}

enum lex_client_kind lex_properties_client(const struct lex_properties *properties)
{
    size_t java = count_known(properties, JAVA_KEYS, LEX_COUNT_OF(JAVA_KEYS));
    size_t librdkafka = count_known(properties, LIBRDKAFKA_KEYS, LEX_COUNT_OF(LIBRDKAFKA_KEYS));
    if ((java != 0) == (librdkafka != 0))
        return LEX_CLIENT_UNKNOWN;
    return java != 0 ? LEX_CLIENT_JAVA : LEX_CLIENT_LIBRDKAFKA;
}

/* ---- what is judged ---- */

struct judging {
    const struct lex_properties *properties;
    enum lex_client_kind client;
    lex_finding_fn *tell;
    void *user;
};

static const char *value_of(const struct judging *j, const char *key)
{
    const struct lex_property *found = lex_properties_get(j->properties, key);
    return found != NULL ? found->value : NULL;
}

static bool is(const struct judging *j, const char *key, const char *value)
{
    const char *found = value_of(j, key);
    return found != NULL && strcasecmp(found, value) == 0;
}

static void judge_isolation(const struct judging *j)
{
    static const char mend[] = "isolation.level=read_committed";
    const char *value = value_of(j, "isolation.level");
    if (value != NULL && strcmp(value, "read_committed") == 0)
        j->tell(j->user, LEX_FINDING_OK, "isolation.level=read_committed", "");
    else if (value != NULL)
        j->tell(j->user, LEX_FINDING_FAIL,
                "isolation.level is not read_committed: verdicts that were taken back are read too",
                mend);
    else if (j->client == LEX_CLIENT_LIBRDKAFKA)
        j->tell(j->user, LEX_FINDING_OK,
                "isolation.level is not set: librdkafka's default is read_committed", "");
    else if (j->client == LEX_CLIENT_JAVA)
        j->tell(j->user, LEX_FINDING_FAIL,
                "isolation.level is not set, and Java's default is read_uncommitted: verdicts that "
                "were taken back are read too",
                mend);
    else
        j->tell(j->user, LEX_FINDING_FAIL,
                "isolation.level is not set, and whose file this is does not show: Java's default "
                "is read_uncommitted, librdkafka's read_committed",
                "isolation.level=read_committed, or say --client java|librdkafka");
}

/* A key that is a little wrong is silently ignored, or a warning in a log. */
static void judge_spelling(const struct judging *j)
{
    char text[2 * LEX_PROPERTIES_KEY_MAX_BYTES];
    const struct lex_span wanted = LEX_SPAN("isolation.level");
    for (size_t i = 0; i < j->properties->count; i++) {
        const struct lex_property *one = &j->properties->list[i];
        size_t distance = lex_edit_distance(lex_span_str(one->key), wanted, 3);
        if (distance == 0 || distance > 3)
            continue;
        (void)snprintf(text, sizeof text, "line %u: clients ignore %s", one->line, one->key);
        j->tell(j->user, LEX_FINDING_WARN, text, "isolation.level=read_committed");
    }
}

static void judge_commits(const struct judging *j)
{
    if (is(j, "enable.auto.commit", "false"))
        j->tell(j->user, LEX_FINDING_OK, "enable.auto.commit=false", "");
    else
        j->tell(j->user, LEX_FINDING_WARN,
                "offsets are committed by the clock: after a crash, what was read and not used yet "
                "is passed over",
                "enable.auto.commit=false, and commit behind the work; or assign partitions by "
                "hand and commit nothing");
}

static void judge_group(const struct judging *j)
{
    const char *group = value_of(j, "group.id");
    if (group != NULL && strcmp(group, "lexecon") == 0)
        j->tell(j->user, LEX_FINDING_FAIL,
                "group.id=lexecon is the service's own: this client would take its partitions away",
                "another group.id");
}

static void judge_creation(const struct judging *j)
{
    const char *value = value_of(j, "allow.auto.create.topics");
    bool on = value != NULL ? strcasecmp(value, "true") == 0 : j->client != LEX_CLIENT_LIBRDKAFKA;
    if (on)
        j->tell(j->user, LEX_FINDING_WARN,
                "a topic that is missing is made by reading it, with the broker's defaults",
                "allow.auto.create.topics=false");
}

/* Whoever can answer as the broker can withhold a verdict; it cannot forge one. */
static void judge_transport(const struct judging *j)
{
    const char *protocol = value_of(j, "security.protocol");
    const char *algorithm = value_of(j, "ssl.endpoint.identification.algorithm");
    bool none = algorithm != NULL && (algorithm[0] == 0 || strcasecmp(algorithm, "none") == 0);
    if (none || is(j, "enable.ssl.certificate.verification", "false"))
        j->tell(j->user, LEX_FINDING_FAIL,
                "the broker's certificate is not checked: anybody can answer as the broker",
                "remove ssl.endpoint.identification.algorithm, "
                "enable.ssl.certificate.verification");
    if (protocol == NULL || strcasecmp(protocol, "plaintext") == 0 ||
        strcasecmp(protocol, "sasl_plaintext") == 0)
        j->tell(j->user, LEX_FINDING_WARN,
                "verdicts and passwords travel in clear text (security.protocol)",
                "security.protocol=SASL_SSL, or SSL");
}

void lex_properties_judge(const struct lex_properties *properties, enum lex_client_kind client,
                          lex_finding_fn *tell, void *user)
{
    const struct judging j = {properties, client, tell, user};
    judge_isolation(&j);
    judge_spelling(&j);
    judge_commits(&j);
    judge_group(&j);
    judge_creation(&j);
    judge_transport(&j);
}

/* ---- the command ---- */

struct report {
    bool json, failed;
};

static void print_finding(void *user, enum lex_finding_level level, const char *text,
                          const char *mend)
{
    static const char *const words[] = {"ok", "warn", "FAIL"};
    struct report *report = user;
    report->failed = report->failed || level == LEX_FINDING_FAIL;
    if (!report->json) {
        (void)printf("%-4s  %-10s  %s%s%s\n", words[level], "reader", text,
                     mend[0] != 0 ? "  -  " : "", mend);
        return;
    }
    LEX_CLEANUP(lex_buf_fini) struct lex_buf out;
    lex_buf_init(&out, 16 << 10);
    lex_buf_printf(&out, "{\"step\":\"reader\",\"result\":\"%s\",\"text\":",
                   level == LEX_FINDING_FAIL ? "fail" : words[level]);
    lex_buf_put_json(&out, lex_span_str(text));
    lex_buf_puts(&out, ",\"mend\":");
    if (mend[0] != 0)
        lex_buf_put_json(&out, lex_span_str(mend));
    else
        lex_buf_puts(&out, "null");
    lex_buf_puts(&out, ",\"unreachable\":false}\n");
    (void)fputs(lex_buf_str(&out), stdout);
}

static enum lex_status kind_of(const char *client, const struct lex_properties *properties,
                               enum lex_client_kind *ret, struct lex_error *err)
{
    if (client == NULL)
        *ret = lex_properties_client(properties);
    else if (strcmp(client, "java") == 0)
        *ret = LEX_CLIENT_JAVA;
    else if (strcmp(client, "librdkafka") == 0)
        *ret = LEX_CLIENT_LIBRDKAFKA;
    else
        return lex_fail(err, LEX_REJECT, "--client %s: expected java or librdkafka", client);
    return LEX_OK;
}

int lex_properties_check(const struct lex_cli_usage *usage, const char *path, const char *client,
                         bool json)
{
    static struct lex_properties properties;
    enum lex_client_kind kind = LEX_CLIENT_UNKNOWN;
    struct report report = {json, false};
    struct lex_error err = {{0}};
    LEX_CLEANUP(lex_buf_fini) struct lex_buf text;
    lex_buf_init(&text, LEX_PROPERTIES_MAX_BYTES);
    if (lex_text_file_read(path, &text, &err) != LEX_OK)
        return lex_cli_fail(usage, LEX_EXIT_USAGE, "%s", err.text);
    lex_buf_putc(&text, '\n'); /* so that there is a text to take apart */
    if (memchr(text.data, 0, text.len) != NULL)
        return lex_cli_fail(usage, LEX_EXIT_USAGE, "%s: a NUL byte: this is no text", path);
    if (lex_properties_parse((char *)text.data, &properties, &err) != LEX_OK)
        return lex_cli_fail(usage, LEX_EXIT_USAGE, "%s: %s", path, err.text);
    if (kind_of(client, &properties, &kind, &err) != LEX_OK)
        return lex_cli_fail(usage, LEX_EXIT_USAGE, "%s", err.text);
    lex_properties_judge(&properties, kind, print_finding, &report);
    return report.failed ? LEX_EXIT_NO : LEX_EXIT_OK;
}
