/* Doctor: the peers that are spoken to over HTTP. */
#include <stdio.h>
#include <unistd.h>

#include "cli/doctor.h"
#include "consumer/registry.h"
#include "consumer/web.h"
#include "core/base/text.h"

enum { TIMEOUT_MS = 5000, ANSWER_MAX_BYTES = 1 << 20 };

static enum lex_status call(const char *ca_file, const struct lex_web_request *request,
                            int *ret_status, struct lex_error *err)
{
    struct lex_web *web;
    struct lex_web_answer answer;
    const struct lex_web_options options = {
        .ca_file = ca_file, .timeout_ms = TIMEOUT_MS, .answer_max_bytes = ANSWER_MAX_BYTES};
    LEX_TRY(lex_web_new(&options, &web, err));
    enum lex_status status = lex_web_call(web, request, &answer, err);
    if (status == LEX_OK)
        *ret_status = answer.status;
    lex_web_free(web);
    return status;
}

/* ---- registry ---- */

static void ignore(void *user)
{
    (void)user;
}

/* As the service reads it: the URL and the auth file are judged before its thread asks anything. */
static enum lex_status check_settings(const struct lex_config *c, struct lex_error *err)
{
    static struct lex_health health;
    struct lex_registry *registry;
    const struct lex_registry_options options = {.url = c->schema_registry_url,
                                                 .auth_file = c->schema_registry_auth_file,
                                                 .ca_file = c->schema_registry_ca_file,
                                                 .timeout_ms = TIMEOUT_MS,
                                                 .wake = ignore,
                                                 .health = &health};
    LEX_TRY(lex_registry_start(&options, &registry, err));
    lex_registry_stop(registry);
    lex_registry_free(registry);
    return LEX_OK;
}

/* `user:password` in Basic's form (RFC 7617), or Bearer.
 * @pre check_settings found it right */
static void put_authorization(const char *path, struct lex_buf *header)
{
    char text[LEX_REGISTRY_AUTH_MAX_BYTES + 1];
    FILE *file = fopen(path, "re");
    size_t len = file != NULL ? fread(text, 1, sizeof text, file) : 0;
    if (file != NULL)
        (void)fclose(file);
    while (len > 0 && strchr(" \t\r\n", text[len - 1]) != NULL)
        len--;
    struct lex_span span = lex_span_of(text, len);
    bool bearer = len > 7 && memcmp(text, "Bearer ", 7) == 0;
    lex_buf_puts(header, bearer ? "Authorization: " : "Authorization: Basic ");
    if (bearer)
        lex_buf_put_span(header, span);
    else
        lex_buf_put_base64(header, span);
}

static enum lex_status ask_registry(const struct lex_config *c, int *ret_status,
                                    struct lex_error *err)
{
    char url[1200], memory[2 * LEX_REGISTRY_AUTH_MAX_BYTES + 64];
    struct lex_buf header;
    LEX_TRY(check_settings(c, err));
    size_t len = strlen(c->schema_registry_url);
    bool slash = c->schema_registry_url[len - 1] == '/';
    lex_buf_borrow(&header, memory, sizeof memory);
    (void)snprintf(url, sizeof url, "%s%ssubjects", c->schema_registry_url, slash ? "" : "/");
    struct lex_web_request request = {.method = "GET", .url = url};
    if (c->schema_registry_auth_file != NULL) {
        put_authorization(c->schema_registry_auth_file, &header);
        request.headers[0] = lex_buf_str(&header);
    }
    return call(c->schema_registry_ca_file, &request, ret_status, err);
}

void lex_doctor_registry(struct lex_doctor *d)
{
    int answered = 0;
    struct lex_error err = {{0}};
    const struct lex_config *c = d->config;
    if (c->schema_registry_url == NULL) {
        lex_doctor_say(d, LEX_DOCTOR_OK, NULL,
                       "none is set: requests in Confluent's framing are dead letters");
        return;
    }
    enum lex_status status = ask_registry(c, &answered, &err);
    if (status != LEX_OK)
        lex_doctor_say_error(d, status,
                             "check schema_registry_url, schema_registry_ca_file and that the port "
                             "is open; until it answers, such requests wait",
                             &err);
    else if (answered == 401 || answered == 403)
        lex_doctor_say(d, LEX_DOCTOR_FAIL, "check schema_registry_auth_file",
                       "%s answers %d: it refuses this user", c->schema_registry_url, answered);
    else if (answered != 200)
        lex_doctor_say(d, LEX_DOCTOR_FAIL,
                       "schema_registry_url is the base of Confluent's API: what "
                       "schema.registry.url takes elsewhere",
                       "%s/subjects answers %d", c->schema_registry_url, answered);
    else
        lex_doctor_say(d, LEX_DOCTOR_OK, NULL, "%s answers", c->schema_registry_url);
}

/* ---- traces ---- */

/* An empty message is a valid ExportTraceServiceRequest: no spans. */
void lex_doctor_traces(struct lex_doctor *d)
{
    int answered = 0;
    struct lex_error err = {{0}};
    const struct lex_otel *otel = &d->config->otel;
    if (!otel->on) {
        lex_doctor_say(d, LEX_DOCTOR_OK, NULL, "none are exported: no OTEL_EXPORTER_OTLP_ENDPOINT");
        return;
    }
    struct lex_web_request request = {.method = "POST", .url = otel->endpoint};
    size_t count = 0;
    request.headers[count++] = "Content-Type: application/x-protobuf";
    for (size_t i = 0; i < otel->headers_count && count < LEX_WEB_HEADERS_MAX - 1; i++)
        request.headers[count++] = otel->headers[i];
    enum lex_status status = call(otel->certificate, &request, &answered, &err);
    if (status != LEX_OK)
        lex_doctor_say(d, LEX_DOCTOR_WARN,
                       "check OTEL_EXPORTER_OTLP_ENDPOINT; spans are dropped until it answers, "
                       "decisions go on",
                       "%s", err.text);
    else if (answered < 200 || answered > 299)
        lex_doctor_say(d, LEX_DOCTOR_WARN,
                       "check OTEL_EXPORTER_OTLP_ENDPOINT and OTEL_EXPORTER_OTLP_HEADERS; it must "
                       "speak OTLP over HTTP, usually on port 4318",
                       "%s answers %d", otel->endpoint, answered);
    else
        lex_doctor_say(d, LEX_DOCTOR_OK, NULL, "%s takes them", otel->endpoint);
}
