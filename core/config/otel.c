#include "core/config/otel.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

static const struct {
    const char *variable, *value, *help;
    bool secret;
} rows[LEX_OTEL_COUNT] = {
#define LEX_OTEL(id, its_variable, its_default, is_secret, meaning) \
    [LEX_OTEL_##id] = {its_variable, its_default, meaning, is_secret},
#include "core/config/otel.def"
#undef LEX_OTEL
};

static const char compression[] = "OTEL_EXPORTER_OTLP_COMPRESSION";

/* ---- the environment ---- */

/* An empty variable is not set (specification, "Parsing empty value"). */
static const char *variable(char *const *environment, const char *name)
{
    size_t len = strlen(name);
    for (; *environment != NULL; environment++)
        if (strncmp(*environment, name, len) == 0 && (*environment)[len] == '=' &&
            (*environment)[len + 1] != '\0')
            return *environment + len + 1;
    return NULL;
}

static LEX_STATUS read_all(char *const *environment, struct lex_arena *arena, struct lex_otel *otel,
                           struct lex_error *err)
{
    for (size_t i = 0; i < LEX_OTEL_COUNT; i++) {
        const char *value = variable(environment, rows[i].variable);
        if (value == NULL)
            continue;
        if (strlen(value) > LEX_OTEL_VALUE_MAX_BYTES)
            return lex_fail(err, LEX_REJECT, "%s: more than %d bytes", rows[i].variable,
                            LEX_OTEL_VALUE_MAX_BYTES);
        otel->given[i] = (const char *)lex_arena_printf(arena, "%s", value).data;
        if (otel->given[i] == NULL)
            return lex_fail(err, LEX_LIMIT, "out of memory");
    }
    const char *asked = variable(environment, compression);
    otel->compression_ignored = asked != NULL && strcmp(asked, "none") != 0;
    return LEX_OK;
}

/* The value in force, and in *ret_id whose it is: that of traces alone wins. */
static const char *value_of(const struct lex_otel *otel, enum lex_otel_id own, enum lex_otel_id id,
                            enum lex_otel_id *ret_id)
{
    *ret_id = otel->given[own] != NULL ? own : id;
    return otel->given[*ret_id] != NULL ? otel->given[*ret_id] : rows[id].value;
}

static const char *text_of(const struct lex_otel *otel, enum lex_otel_id id)
{
    return otel->given[id] != NULL ? otel->given[id] : rows[id].value;
}

/* ---- whether traces are exported ---- */

static LEX_STATUS read_switches(struct lex_otel *otel, struct lex_error *err)
{
    const char *disabled = text_of(otel, LEX_OTEL_SDK_DISABLED);
    const char *exporter = text_of(otel, LEX_OTEL_TRACES_EXPORTER);
    bool off = strcasecmp(disabled, "true") == 0 || strcmp(exporter, "none") == 0;
    otel->on = !off && (otel->given[LEX_OTEL_ENDPOINT] != NULL ||
                        otel->given[LEX_OTEL_TRACES_ENDPOINT] != NULL);
    if (!otel->on)
        return LEX_OK;
    if (strcasecmp(disabled, "false") != 0)
        return lex_fail(err, LEX_REJECT, "OTEL_SDK_DISABLED: expected true or false, got '%.100s'",
                        disabled);
    if (strcmp(exporter, "otlp") != 0)
        return lex_fail(err, LEX_REJECT,
                        "OTEL_TRACES_EXPORTER: expected otlp or none, got '%.100s'", exporter);
    return LEX_OK;
}

/* ---- where to, and how ---- */

static LEX_STATUS check_url(const char *url, const char *name, struct lex_error *err)
{
    const char *host = strncasecmp(url, "http://", 7) == 0    ? url + 7
                       : strncasecmp(url, "https://", 8) == 0 ? url + 8
                                                              : NULL;
    bool good = host != NULL && isalnum((unsigned char)host[0]) != 0;
    good = good || (host != NULL && host[0] == '[');
    for (size_t i = 0; good && url[i] != '\0'; i++)
        good = url[i] > ' ' && url[i] < 0x7f;
    if (good)
        return LEX_OK;
    return lex_fail(err, LEX_REJECT,
                    "%s: expected a URL such as http://collector:4318 or https://collector:4318, "
                    "got '%.200s'",
                    name, url);
}

static LEX_STATUS read_endpoint(struct lex_otel *otel, struct lex_arena *arena,
                                struct lex_error *err)
{
    enum lex_otel_id id;
    const char *url = value_of(otel, LEX_OTEL_TRACES_ENDPOINT, LEX_OTEL_ENDPOINT, &id);
    LEX_TRY(check_url(url, rows[id].variable, err));
    bool slash = url[strlen(url) - 1] == '/';
    otel->endpoint =
        id == LEX_OTEL_TRACES_ENDPOINT
            ? url
            : (const char *)lex_arena_printf(arena, "%s%sv1/traces", url, slash ? "" : "/").data;
    return otel->endpoint != NULL ? LEX_OK : lex_fail(err, LEX_LIMIT, "out of memory");
}

static LEX_STATUS check_protocol(const struct lex_otel *otel, struct lex_error *err)
{
    enum lex_otel_id id;
    const char *protocol = value_of(otel, LEX_OTEL_TRACES_PROTOCOL, LEX_OTEL_PROTOCOL, &id);
    if (strcmp(protocol, "http/protobuf") == 0)
        return LEX_OK;
    return lex_fail(err, LEX_REJECT,
                    "%s: expected http/protobuf, got '%.100s', which is not spoken here; set it to "
                    "http/protobuf and the endpoint to the collector's port for OTLP over HTTP "
                    "(4318 by default), or OTEL_TRACES_EXPORTER to none",
                    rows[id].variable, protocol);
}

static LEX_STATUS read_certificate(struct lex_otel *otel, struct lex_error *err)
{
    enum lex_otel_id id;
    const char *path = value_of(otel, LEX_OTEL_TRACES_CERTIFICATE, LEX_OTEL_CERTIFICATE, &id);
    if (path[0] == '\0')
        return LEX_OK;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return lex_fail(err, LEX_REJECT, "%s: expected a readable PEM file, got '%.200s': %s",
                        rows[id].variable, path, strerror(errno));
    (void)fclose(file);
    otel->certificate = path;
    return LEX_OK;
}

/* ---- lists of pairs: name=value,name=value, as W3C Baggage writes them ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place; a percent sign that begins no escape stays. */
static void unescape(char *text)
{
    char *out = text;
    for (; *text != '\0'; text++, out++) {
        int high = text[0] == '%' ? hex_digit(text[1]) : -1;
        int low = high >= 0 ? hex_digit(text[2]) : -1;
        *out = low >= 0 ? (char)(high * 16 + low) : *text;
        text += low >= 0 ? 2 : 0;
    }
    *out = '\0';
}

static char *trim(char *text)
{
    while (*text == ' ' || *text == '\t')
        text++;
    for (size_t len = strlen(text); len != 0 && (text[len - 1] == ' ' || text[len - 1] == '\t');)
        text[--len] = '\0';
    return text;
}

static bool is_pair(const char *key, const char *value)
{
    bool good = key[0] != '\0';
    for (; good && *key != '\0'; key++)
        good = *key > ' ' && *key < 0x7f && strchr(":=,;\"\\", *key) == NULL;
    for (; good && *value != '\0'; value++)
        good = (unsigned char)*value >= ' ' && *value != 0x7f;
    return good;
}

/* A value is never told: it may be a credential. */
static LEX_STATUS take_pair(char *item, struct lex_otel_pair *ret_pair, const char *name,
                            struct lex_error *err)
{
    char *value = strchr(item, '=');
    if (value != NULL)
        *value++ = '\0';
    char *key = trim(item);
    if (value != NULL) {
        value = trim(value);
        unescape(value);
    }
    if (value == NULL || !is_pair(key, value))
        return lex_fail(err, LEX_REJECT,
                        "%s: expected name=value,name=value with values percent-encoded; the item "
                        "that begins with '%.20s' is none",
                        name, value == NULL ? "" : key);
    *ret_pair = (struct lex_otel_pair){key, value};
    return LEX_OK;
}

static LEX_STATUS read_pairs(const char *text, const char *name, struct lex_arena *arena,
                             struct lex_otel_pair pairs[LEX_OTEL_PAIRS_MAX], size_t *ret_count,
                             struct lex_error *err)
{
    size_t count = 0;
    char *copy = (char *)(uintptr_t)lex_arena_printf(arena, "%s", text).data, *item;
    if (copy == NULL)
        return lex_fail(err, LEX_LIMIT, "out of memory");
    while ((item = strsep(&copy, ",")) != NULL) {
        if (trim(item)[0] == '\0')
            continue;
        if (count == LEX_OTEL_PAIRS_MAX)
            return lex_fail(err, LEX_REJECT, "%s: more than %d", name, LEX_OTEL_PAIRS_MAX);
        LEX_TRY(take_pair(item, &pairs[count++], name, err));
    }
    *ret_count = count;
    return LEX_OK;
}

static LEX_STATUS read_headers(struct lex_otel *otel, struct lex_arena *arena,
                               struct lex_error *err)
{
    enum lex_otel_id id;
    struct lex_otel_pair pairs[LEX_OTEL_PAIRS_MAX];
    const char *text = value_of(otel, LEX_OTEL_TRACES_HEADERS, LEX_OTEL_HEADERS, &id);
    LEX_TRY(read_pairs(text, rows[id].variable, arena, pairs, &otel->headers_count, err));
    for (size_t i = 0; i < otel->headers_count; i++) {
        otel->headers[i] =
            (const char *)lex_arena_printf(arena, "%s: %s", pairs[i].key, pairs[i].value).data;
        if (otel->headers[i] == NULL)
            return lex_fail(err, LEX_LIMIT, "out of memory");
    }
    return LEX_OK;
}

static LEX_STATUS read_resource(struct lex_otel *otel, struct lex_arena *arena,
                                struct lex_error *err)
{
    LEX_TRY(read_pairs(text_of(otel, LEX_OTEL_RESOURCE_ATTRIBUTES),
                       rows[LEX_OTEL_RESOURCE_ATTRIBUTES].variable, arena, otel->attributes,
                       &otel->attributes_count, err));
    otel->service_name = text_of(otel, LEX_OTEL_SERVICE_NAME);
    if (otel->given[LEX_OTEL_SERVICE_NAME] != NULL)
        return LEX_OK;
    for (size_t i = 0; i < otel->attributes_count; i++)
        if (strcmp(otel->attributes[i].key, "service.name") == 0)
            otel->service_name = otel->attributes[i].value;
    return LEX_OK;
}

/* ---- numbers and words ---- */

static LEX_STATUS read_number(const char *text, const char *name, int64_t min, int64_t max,
                              int64_t *ret_number, struct lex_error *err)
{
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || number < min || number > max)
        return lex_fail(err, LEX_REJECT,
                        "%s: expected a whole number from %lld to %lld, got '%.100s'", name,
                        (long long)min, (long long)max, text);
    *ret_number = number;
    return LEX_OK;
}

static LEX_STATUS read_numbers(struct lex_otel *otel, struct lex_error *err)
{
    enum { TIME_MAX_MS = 600000 };
    enum lex_otel_id id;
    const char *timeout = value_of(otel, LEX_OTEL_TRACES_TIMEOUT, LEX_OTEL_TIMEOUT, &id);
    LEX_TRY(read_number(timeout, rows[id].variable, 1, TIME_MAX_MS, &otel->timeout_ms, err));
    const struct {
        enum lex_otel_id id;
        int64_t min, max;
        int64_t *field;
    } numbers[] = {
        {LEX_OTEL_LINKS, 0, 128, &otel->links_max},
        {LEX_OTEL_SCHEDULE_DELAY, 1, TIME_MAX_MS, &otel->schedule_delay_ms},
        {LEX_OTEL_EXPORT_TIMEOUT, 1, TIME_MAX_MS, &otel->export_timeout_ms},
        {LEX_OTEL_QUEUE_SIZE, 1, LEX_OTEL_QUEUE_MAX, &otel->queue_size},
        {LEX_OTEL_BATCH_SIZE, 1, LEX_OTEL_BATCH_MAX, &otel->batch_size},
    };
    for (size_t i = 0; i < LEX_COUNT_OF(numbers); i++)
        LEX_TRY(read_number(text_of(otel, numbers[i].id), rows[numbers[i].id].variable,
                            numbers[i].min, numbers[i].max, numbers[i].field, err));
    if (otel->batch_size > otel->queue_size)
        otel->batch_size = otel->queue_size;
    return LEX_OK;
}

static LEX_STATUS read_sampler(struct lex_otel *otel, struct lex_error *err)
{
    static const char prefix[] = "parentbased_";
    static const char *const names[] = {[LEX_OTEL_ALWAYS_ON] = "always_on",
                                        [LEX_OTEL_ALWAYS_OFF] = "always_off",
                                        [LEX_OTEL_RATIO] = "traceidratio"};
    const char *given = text_of(otel, LEX_OTEL_SAMPLER), *name = given;
    otel->parent_based = strncmp(name, prefix, sizeof prefix - 1) == 0;
    if (otel->parent_based)
        name += sizeof prefix - 1;
    size_t i = 0;
    while (i < LEX_COUNT_OF(names) && strcmp(names[i], name) != 0)
        i++;
    if (i == LEX_COUNT_OF(names))
        return lex_fail(err, LEX_REJECT,
                        "OTEL_TRACES_SAMPLER: expected always_on, always_off or traceidratio, "
                        "each also with parentbased_ before it, got '%.100s'",
                        given);
    otel->sampler = (enum lex_otel_sampler)i;
    const char *text = text_of(otel, LEX_OTEL_SAMPLER_ARG);
    char *end;
    otel->ratio = strtod(text, &end);
    if (end != text && *end == '\0' && otel->ratio >= 0 && otel->ratio <= 1)
        return LEX_OK;
    return lex_fail(err, LEX_REJECT,
                    "OTEL_TRACES_SAMPLER_ARG: expected a number from 0 to 1, got '%.100s'", text);
}

LEX_STATUS lex_otel_load(char *const *environment, struct lex_arena *arena,
                         struct lex_otel *ret_otel, struct lex_error *err)
{
    struct lex_otel otel = {0};
    LEX_TRY(read_all(environment, arena, &otel, err));
    LEX_TRY(read_switches(&otel, err));
    if (otel.on) {
        LEX_TRY(check_protocol(&otel, err)); /* first: with grpc, the endpoint is another one */
        LEX_TRY(read_endpoint(&otel, arena, err));
        LEX_TRY(read_certificate(&otel, err));
        LEX_TRY(read_headers(&otel, arena, err));
        LEX_TRY(read_resource(&otel, arena, err));
        LEX_TRY(read_numbers(&otel, err));
        LEX_TRY(read_sampler(&otel, err));
    }
    *ret_otel = otel;
    return LEX_OK;
}

/* ---- what the table prints ---- */

void lex_otel_print(const struct lex_otel *otel, struct lex_buf *out)
{
    for (size_t i = 0; i < LEX_OTEL_COUNT; i++) {
        const char *text = text_of(otel, (enum lex_otel_id)i);
        bool set = otel->given[i] != NULL;
        if (!otel->on && !set)
            continue; /* nothing is exported: what would be in force otherwise is no news */
        size_t start = out->len;
        lex_buf_printf(out, "%s = ", rows[i].variable);
        lex_buf_put_json(out, lex_span_str(set && rows[i].secret ? "********" : text));
        while (lex_buf_ok(out) && out->len - start < 60)
            lex_buf_putc(out, ' ');
        lex_buf_printf(out, "  # %s\n", set ? "environment" : "default");
    }
}

void lex_otel_page(struct lex_buf *out)
{
    lex_buf_puts(out,
                 "\n## Traces\n\n"
                 "Variables of the OpenTelemetry specification, taken from the environment only; "
                 "see [tracing.md](tracing.md).\n\n"
                 "| variable | default | meaning |\n|---|---|---|\n");
    for (size_t i = 0; i < LEX_OTEL_COUNT; i++) {
        lex_buf_printf(out, "| `%s` | ", rows[i].variable);
        if (rows[i].value[0] != '\0')
            lex_buf_printf(out, "`%s`", rows[i].value);
        lex_buf_printf(out, " | %s |\n", rows[i].help);
    }
}
