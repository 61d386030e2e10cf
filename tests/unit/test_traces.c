/* Traces: which bytes are a trace context, what a span looks like on the wire, what the OTEL_
 * variables mean, and what is decided about sampling and trying again. Delivery itself is tested
 * with a collector, in tests/ops/traces. */
#include "tests/unit/lex_check.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "consumer/batch_span.h"
#include "consumer/web.h"
#include "core/config/config.h"
#include "core/config/otel.h"
#include "core/crypto/crypto.h"

/* ---- traceparent ---- */

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define PARENT "b7ad6b7169203331"

static bool parses(const char *text)
{
    struct lex_trace trace;
    return lex_trace_parse(lex_span_str(text), &trace);
}

START_TEST(a_traceparent_gives_its_ids_and_flags)
{
    struct lex_trace trace;
    ck_assert(lex_trace_parse(LEX_SPAN("00-" TRACE "-" PARENT "-01"), &trace));
    ck_assert_span_eq(trace.trace_id, TRACE);
    ck_assert_span_eq(trace.span_id, PARENT);
    ck_assert_uint_eq(trace.flags, 1);
    ck_assert(lex_trace_parse(LEX_SPAN("00-" TRACE "-" PARENT "-fe"), &trace));
    ck_assert_uint_eq(trace.flags, 0xfe);
}
END_TEST

START_TEST(what_is_not_exactly_a_traceparent_is_none)
{
    ck_assert(!parses(NULL));
    ck_assert(!parses(""));
    ck_assert(!parses("00-" TRACE "-" PARENT "-0"));
    ck_assert(!parses("00-" TRACE "-" PARENT "-01-"));
    ck_assert(!parses("00-" TRACE "-" PARENT "-0g"));
    ck_assert(!parses("00-0AF7651916cd43dd8448eb211c80319c-" PARENT "-01"));
    ck_assert(!parses("00-00000000000000000000000000000000-" PARENT "-01"));
    ck_assert(!parses("00-" TRACE "-0000000000000000-01"));
    ck_assert(!parses("ff-" TRACE "-" PARENT "-01"));
    ck_assert(!parses("0x-" TRACE "-" PARENT "-01"));
    ck_assert(!parses("00_" TRACE "-" PARENT "-01"));
    ck_assert(!parses("00-" TRACE "_" PARENT "-01"));
    ck_assert(!parses("00-" TRACE "-" PARENT "_01"));
}
END_TEST

START_TEST(a_later_version_may_go_on_up_to_the_ceiling)
{
    char text[LEX_TRACEPARENT_MAX_BYTES + 2] = "01-" TRACE "-" PARENT "-01";
    ck_assert(parses(text));
    memset(text + LEX_TRACEPARENT_BYTES, 'x', LEX_TRACEPARENT_MAX_BYTES - LEX_TRACEPARENT_BYTES);
    ck_assert(!parses(text)); /* no dash behind the flags */
    text[LEX_TRACEPARENT_BYTES] = '-';
    ck_assert_uint_eq(strlen(text), LEX_TRACEPARENT_MAX_BYTES);
    ck_assert(parses(text));
    text[LEX_TRACEPARENT_MAX_BYTES] = 'x';
    ck_assert(!parses(text));
}
END_TEST

/* ---- protobuf ---- */

static struct lex_buf out;

static void setup(void)
{
    lex_buf_init(&out, 1 << 20);
}

static void teardown(void)
{
    lex_buf_fini(&out);
}

static void check_hex(const char *expected)
{
    struct lex_buf hex;
    lex_buf_init(&hex, 1 << 20);
    lex_buf_put_hex(&hex, out.data, out.len);
    ck_assert_str_eq(lex_buf_str(&hex), expected);
    lex_buf_fini(&hex);
}

/* Written by hand from the field numbers of trace.proto; tests/ops/traces has a second reader. */
START_TEST(a_span_is_the_bytes_that_its_definition_says)
{
    struct lex_otlp_attribute attributes[] = {lex_otlp_text("k", LEX_SPAN("v")),
                                              lex_otlp_number("n", 300),
                                              lex_otlp_numbers("l", (const int64_t[]){1, -1}, 2)};
    struct lex_otlp_link link = {.flags = 1};
    memset(link.trace_id, 0xaa, 16);
    memset(link.span_id, 0xbb, 8);
    struct lex_otlp_span span = {.name = LEX_SPAN("s"),
                                 .kind = LEX_OTLP_CONSUMER,
                                 .begin_us = 1,
                                 .end_us = 2,
                                 .attributes = attributes,
                                 .attributes_count = 3,
                                 .links = &link,
                                 .links_count = 1,
                                 .links_dropped = 2,
                                 .error = LEX_SPAN("e")};
    memset(span.trace_id, 0x11, 16);
    memset(span.span_id, 0x22, 8);
    lex_otlp_put_span(&out, &span);
    check_hex("129301"
              "0a1011111111111111111111111111111111"
              "12082222222222222222"
              "2a0173"
              "3005"
              "39e803000000000000"
              "41d007000000000000"
              "4a08"
              "0a016b12030a0176"
              "4a08"
              "0a016e120318ac02"
              "4a18"
              "0a016c12132a11"
              "0a021801"
              "0a0b18ffffffffffffffffff01"
              "6a21"
              "0a10aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
              "1208bbbbbbbbbbbbbbbb"
              "3501030000"
              "7002"
              "7a05"
              "120165"
              "1802"
              "850101000000");
}
END_TEST

START_TEST(a_span_without_an_error_has_no_status)
{
    struct lex_otlp_span span = {.name = LEX_SPAN("s"), .kind = LEX_OTLP_CONSUMER};
    lex_otlp_put_span(&out, &span);
    ck_assert(memmem(out.data, out.len, "\x7a", 1) == NULL);
}
END_TEST

START_TEST(a_request_wraps_resource_scope_and_spans)
{
    struct lex_otlp_attribute name = lex_otlp_text("k", LEX_SPAN("v"));
    struct lex_otlp_resource resource = {&name, 1, LEX_SPAN("a"), LEX_SPAN("b")};
    struct lex_span spans[] = {LEX_SPAN("\x12\x01x"), LEX_SPAN("\x12\x01y")};
    lex_otlp_put_request(&out, &resource, spans, 2);
    check_hex("0a1c"
              "0a0a0a080a016b12030a0176"
              "120e"
              "0a060a016112"
              "0162"
              "120178120179");
}
END_TEST

START_TEST(what_is_no_utf8_or_too_long_is_cut_between_characters)
{
    char text[LEX_OTLP_STRING_MAX_BYTES + 2];
    memset(text, 'x', sizeof text);
    struct lex_otlp_attribute cut[] = {lex_otlp_text("a", LEX_SPAN("ab\xff"
                                                                   "cd")),
                                       lex_otlp_text("b", lex_span_of(text, sizeof text)),
                                       lex_otlp_text("c", (struct lex_span){0})};
    struct lex_otlp_span span = {
        .name = LEX_SPAN(""), .kind = LEX_OTLP_CONSUMER, .attributes = cut, .attributes_count = 3};
    lex_otlp_put_span(&out, &span);
    ck_assert(memmem(out.data, out.len,
                     "\x0a\x02"
                     "ab",
                     4) != NULL);
    ck_assert(memmem(out.data, out.len, "\xff", 1) == NULL);
    size_t longest = 0, run = 0;
    for (size_t i = 0; i < out.len; i++) {
        run = out.data[i] == 'x' ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    ck_assert_uint_eq(longest, LEX_OTLP_STRING_MAX_BYTES);
}
END_TEST

START_TEST(a_span_over_a_buffers_ceiling_fails_and_writes_nothing_outside)
{
    char memory[32];
    struct lex_buf small;
    lex_buf_borrow(&small, memory, sizeof memory);
    struct lex_otlp_span span = {.name = LEX_SPAN("process"), .kind = LEX_OTLP_CONSUMER};
    lex_otlp_put_span(&small, &span);
    ck_assert(!lex_buf_ok(&small));
}
END_TEST

START_TEST(an_answer_says_how_many_spans_were_refused)
{
    ck_assert_int_eq(lex_otlp_rejected(LEX_SPAN("")), 0);
    ck_assert_int_eq(lex_otlp_rejected(LEX_SPAN("\x0a\x00")), 0);
    ck_assert_int_eq(lex_otlp_rejected(LEX_SPAN("\x0a\x07\x08\xac\x02\x12\x02no")), 300);
    /* fields that a later version may have */
    ck_assert_int_eq(lex_otlp_rejected(LEX_SPAN("\x12\x01x\x0a\x02\x08\x05")), 5);
}
END_TEST

START_TEST(an_answer_that_is_no_message_says_nothing)
{
    ck_assert_int_eq(lex_otlp_rejected(LEX_SPAN("{\"partialSuccess\":{}}")), 0);
    ck_assert_int_eq(lex_otlp_rejected(LEX_SPAN("\x0a\x7f\x08")), 0);
    ck_assert_int_eq(lex_otlp_rejected(LEX_SPAN("\x0a\x02\x08\x80")), 0);
    ck_assert_int_eq(lex_otlp_rejected(LEX_SPAN("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")),
                     0);
    ck_assert_int_eq(
        lex_otlp_rejected(LEX_SPAN("\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")), 0);
}
END_TEST

/* ---- the variables ---- */

static struct lex_arena arena;
static struct lex_error err;

static enum lex_status load(struct lex_otel *otel, const char *const *environment)
{
    lex_arena_fini(&arena);
    lex_arena_init(&arena, 4096, 1 << 20);
    return lex_otel_load((char *const *)(uintptr_t)environment, &arena, otel, &err);
}
#define LOAD(otel, ...) load(otel, (const char *[]){__VA_ARGS__, NULL})
#define ENDPOINT "OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318"

static void refuses(const char *variable, const char *expected, const char *value)
{
    struct lex_otel otel;
    ck_assert_int_eq(LOAD(&otel, ENDPOINT, value), LEX_REJECT);
    ck_assert_msg(strstr(err.text, variable) != NULL && strstr(err.text, expected) != NULL, "%s",
                  err.text);
}

START_TEST(without_an_endpoint_nothing_is_exported_and_nothing_refused)
{
    struct lex_otel otel;
    ck_assert_int_eq(LOAD(&otel, "PATH=/bin"), LEX_OK);
    ck_assert(!otel.on);
    ck_assert_int_eq(LOAD(&otel, "OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "OTEL_BSP_MAX_QUEUE_SIZE=x"),
                     LEX_OK);
    ck_assert(!otel.on);
    ck_assert_int_eq(LOAD(&otel, "OTEL_EXPORTER_OTLP_ENDPOINT="), LEX_OK);
    ck_assert(!otel.on);
}
END_TEST

START_TEST(an_endpoint_turns_the_export_on_and_two_variables_turn_it_off)
{
    struct lex_otel otel;
    ck_assert_int_eq(LOAD(&otel, ENDPOINT), LEX_OK);
    ck_assert(otel.on);
    ck_assert_str_eq(otel.endpoint, "http://c:4318/v1/traces");
    ck_assert_str_eq(otel.service_name, "lexecon");
    ck_assert(otel.parent_based && otel.sampler == LEX_OTEL_ALWAYS_ON);
    ck_assert_int_eq(otel.queue_size, 2048);
    ck_assert_int_eq(otel.links_max, 128);
    ck_assert_int_eq(LOAD(&otel, ENDPOINT, "OTEL_SDK_DISABLED=TRUE"), LEX_OK);
    ck_assert(!otel.on);
    ck_assert_int_eq(LOAD(&otel, ENDPOINT, "OTEL_TRACES_EXPORTER=none"), LEX_OK);
    ck_assert(!otel.on);
}
END_TEST

START_TEST(what_is_said_of_traces_alone_wins)
{
    struct lex_otel otel;
    ck_assert_int_eq(LOAD(&otel, ENDPOINT, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=https://t/x",
                          "OTEL_EXPORTER_OTLP_HEADERS=a=1", "OTEL_EXPORTER_OTLP_TRACES_HEADERS=b=2",
                          "OTEL_EXPORTER_OTLP_TIMEOUT=5", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT=6",
                          "OTEL_EXPORTER_OTLP_PROTOCOL=grpc",
                          "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/protobuf"),
                     LEX_OK);
    ck_assert_str_eq(otel.endpoint, "https://t/x");
    ck_assert_uint_eq(otel.headers_count, 1);
    ck_assert_str_eq(otel.headers[0], "b: 2");
    ck_assert_int_eq(otel.timeout_ms, 6);
    ck_assert_int_eq(LOAD(&otel, "OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318/base/"), LEX_OK);
    ck_assert_str_eq(otel.endpoint, "http://c:4318/base/v1/traces");
}
END_TEST

START_TEST(pairs_are_unescaped_and_trimmed)
{
    struct lex_otel otel;
    ck_assert_int_eq(
        LOAD(&otel, ENDPOINT, "OTEL_EXPORTER_OTLP_HEADERS= authorization = Basic%20YQ== ,,x-k=%zz",
             "OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=prod,service.name=l2"),
        LEX_OK);
    ck_assert_uint_eq(otel.headers_count, 2);
    ck_assert_str_eq(otel.headers[0], "authorization: Basic YQ==");
    ck_assert_str_eq(otel.headers[1], "x-k: %zz");
    ck_assert_str_eq(otel.service_name, "l2");
    ck_assert_str_eq(otel.attributes[0].key, "deployment.environment.name");
    ck_assert_str_eq(otel.attributes[0].value, "prod");
    ck_assert_int_eq(
        LOAD(&otel, ENDPOINT, "OTEL_RESOURCE_ATTRIBUTES=service.name=l2", "OTEL_SERVICE_NAME=l3"),
        LEX_OK);
    ck_assert_str_eq(otel.service_name, "l3");
}
END_TEST

START_TEST(a_header_cannot_smuggle_another_one_in)
{
    refuses("OTEL_EXPORTER_OTLP_HEADERS", "percent-encoded",
            "OTEL_EXPORTER_OTLP_HEADERS=a=b%0d%0aX: y");
    refuses("OTEL_EXPORTER_OTLP_HEADERS", "percent-encoded", "OTEL_EXPORTER_OTLP_HEADERS=a:b=c");
}
END_TEST

START_TEST(an_error_does_not_tell_what_may_be_a_credential)
{
    struct lex_otel otel;
    ck_assert_int_eq(LOAD(&otel, ENDPOINT, "OTEL_EXPORTER_OTLP_HEADERS=s3cret"), LEX_REJECT);
    ck_assert(strstr(err.text, "s3cret") == NULL);
    ck_assert_int_eq(LOAD(&otel, ENDPOINT, "OTEL_EXPORTER_OTLP_HEADERS=a=s3cret%01"), LEX_REJECT);
    ck_assert(strstr(err.text, "s3cret") == NULL);
}
END_TEST

START_TEST(what_cannot_be_meant_is_refused_with_what_was_expected)
{
    refuses("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc");
    refuses("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf",
            "OTEL_EXPORTER_OTLP_PROTOCOL=http/json");
    refuses("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "URL",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=c:4318");
    refuses("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "URL",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://");
    refuses("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "URL",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=file:///x");
    refuses("OTEL_EXPORTER_OTLP_CERTIFICATE", "PEM",
            "OTEL_EXPORTER_OTLP_CERTIFICATE=/nowhere/ca.pem");
    refuses("OTEL_EXPORTER_OTLP_TIMEOUT", "whole number", "OTEL_EXPORTER_OTLP_TIMEOUT=0");
    refuses("OTEL_BSP_MAX_QUEUE_SIZE", "16384", "OTEL_BSP_MAX_QUEUE_SIZE=16385");
    refuses("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2048", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE=2049");
    refuses("OTEL_SPAN_LINK_COUNT_LIMIT", "128", "OTEL_SPAN_LINK_COUNT_LIMIT=129");
    refuses("OTEL_TRACES_SAMPLER", "traceidratio", "OTEL_TRACES_SAMPLER=jaeger_remote");
    refuses("OTEL_TRACES_SAMPLER_ARG", "0 to 1", "OTEL_TRACES_SAMPLER_ARG=1.5");
    refuses("OTEL_TRACES_SAMPLER_ARG", "0 to 1", "OTEL_TRACES_SAMPLER_ARG=nan");
    refuses("OTEL_TRACES_EXPORTER", "otlp or none", "OTEL_TRACES_EXPORTER=zipkin");
    refuses("OTEL_SDK_DISABLED", "true or false", "OTEL_SDK_DISABLED=yes");
}
END_TEST

START_TEST(a_list_of_pairs_and_a_value_have_ceilings)
{
    struct lex_otel otel;
    char list[512] = "OTEL_RESOURCE_ATTRIBUTES=k=v";
    for (int i = 1; i < LEX_OTEL_PAIRS_MAX; i++)
        snprintf(list + strlen(list), sizeof list - strlen(list), ",k%d=v", i);
    ck_assert_int_eq(LOAD(&otel, ENDPOINT, list), LEX_OK);
    ck_assert_uint_eq(otel.attributes_count, LEX_OTEL_PAIRS_MAX);
    snprintf(list + strlen(list), sizeof list - strlen(list), ",one=more");
    refuses("OTEL_RESOURCE_ATTRIBUTES", "more than", list);
    static char value[LEX_OTEL_VALUE_MAX_BYTES + 64] = "OTEL_SERVICE_NAME=";
    size_t prefix = strlen(value);
    memset(value + prefix, 'x', LEX_OTEL_VALUE_MAX_BYTES);
    ck_assert_int_eq(LOAD(&otel, ENDPOINT, value), LEX_OK);
    value[prefix + LEX_OTEL_VALUE_MAX_BYTES] = 'x';
    refuses("OTEL_SERVICE_NAME", "bytes", value);
}
END_TEST

START_TEST(print_config_shows_what_is_in_force_and_masks_headers)
{
    struct lex_otel otel;
    ck_assert_int_eq(LOAD(&otel, ENDPOINT, "OTEL_EXPORTER_OTLP_HEADERS=a=s3cret"), LEX_OK);
    lex_otel_print(&otel, &out);
    ck_assert(strstr(lex_buf_str(&out), "OTEL_BSP_SCHEDULE_DELAY = \"5000\"") != NULL);
    ck_assert(strstr(lex_buf_str(&out), "OTEL_EXPORTER_OTLP_HEADERS = \"********\"") != NULL);
    ck_assert(strstr(lex_buf_str(&out), "s3cret") == NULL);
    lex_buf_clear(&out);
    ck_assert_int_eq(LOAD(&otel, "PATH=/bin"), LEX_OK);
    lex_otel_print(&otel, &out);
    ck_assert_uint_eq(out.len, 0);
}
END_TEST

/* ---- sampling, and trying again ---- */

START_TEST(a_batch_is_sampled_as_its_sampler_says)
{
    struct lex_otel otel = {.sampler = LEX_OTEL_ALWAYS_ON};
    ck_assert(lex_batch_span_sampled(&otel, 3, 0, 0));
    otel.sampler = LEX_OTEL_ALWAYS_OFF;
    ck_assert(!lex_batch_span_sampled(&otel, 3, 3, 0));
    otel = (struct lex_otel){.sampler = LEX_OTEL_RATIO, .ratio = 0.25};
    ck_assert(lex_batch_span_sampled(&otel, 0, 0, UINT64_MAX / 5));
    ck_assert(!lex_batch_span_sampled(&otel, 0, 0, UINT64_MAX / 3));
    otel.ratio = 1;
    ck_assert(lex_batch_span_sampled(&otel, 0, 0, UINT64_MAX));
    otel.ratio = 0;
    ck_assert(!lex_batch_span_sampled(&otel, 0, 0, 0));
}
END_TEST

START_TEST(a_parent_based_sampler_follows_the_requests_where_they_have_traces)
{
    struct lex_otel otel = {.sampler = LEX_OTEL_ALWAYS_OFF, .parent_based = true};
    ck_assert(lex_batch_span_sampled(&otel, 3, 1, 0));
    ck_assert(!lex_batch_span_sampled(&otel, 0, 0, 0));
    otel.sampler = LEX_OTEL_ALWAYS_ON;
    ck_assert(!lex_batch_span_sampled(&otel, 3, 0, 0));
    ck_assert(lex_batch_span_sampled(&otel, 0, 0, 0));
}
END_TEST

START_TEST(only_what_may_come_right_is_tried_again)
{
    ck_assert_int_eq(lex_tracer_next(200), LEX_TRACER_SENT);
    ck_assert_int_eq(lex_tracer_next(202), LEX_TRACER_SENT);
    for (size_t i = 0; i < 5; i++)
        ck_assert_int_eq(lex_tracer_next((const int[]){0, 429, 502, 503, 504}[i]),
                         LEX_TRACER_AGAIN);
    for (size_t i = 0; i < 6; i++)
        ck_assert_int_eq(lex_tracer_next((const int[]){301, 400, 401, 404, 413, 500}[i]),
                         LEX_TRACER_GIVE_UP);
}
END_TEST

START_TEST(pauses_grow_to_a_ceiling_and_retry_after_lengthens_them)
{
    ck_assert_int_eq(lex_tracer_pause_ms(1, 0, -1), 1000);
    ck_assert_int_eq(lex_tracer_pause_ms(1, 500, -1), 500);
    ck_assert_int_eq(lex_tracer_pause_ms(1, 501, -1), 1000);
    ck_assert_int_eq(lex_tracer_pause_ms(4, 0, -1), 8000);
    ck_assert_int_eq(lex_tracer_pause_ms(1000000, 0, -1), 30000);
    ck_assert_int_eq(lex_tracer_pause_ms(1, 0, 7), 7000);
    ck_assert_int_eq(lex_tracer_pause_ms(6, 0, 7), 30000);
    ck_assert_int_eq(lex_tracer_pause_ms(1, 0, INT64_MAX), 3600000);
}
END_TEST

/* ---- a batch's span, as it arrives ---- */

static int listener = -1;
static struct lex_buf received;

/* One call: the whole of it, answered 200. */
static void *collect(void *user)
{
    static const char answer[] =
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    char part[65536];
    ssize_t got;
    (void)user;
    int fd = accept(listener, NULL, NULL);
    ck_assert_int_ge(fd, 0);
    for (;;) {
        const char *end = received.len == 0 ? NULL : strstr(lex_buf_str(&received), "\r\n\r\n");
        const char *length =
            end == NULL ? NULL : strstr(lex_buf_str(&received), "Content-Length: ");
        if (length != NULL && received.len >= (size_t)(end + 4 - lex_buf_str(&received)) +
                                                  strtoul(length + 16, NULL, 10))
            break;
        if ((got = recv(fd, part, sizeof part, 0)) <= 0)
            break;
        lex_buf_put(&received, part, (size_t)got);
    }
    (void)send(fd, answer, sizeof answer - 1, 0);
    close(fd);
    return NULL;
}

static struct lex_config *config_for(uint16_t port)
{
    struct lex_config *config;
    char endpoint[128], program[] = "t", *argv[] = {program, NULL};
    snprintf(endpoint, sizeof endpoint, "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:%u", port);
    char delay[] = "OTEL_BSP_SCHEDULE_DELAY=60000", *environment[] = {endpoint, delay, NULL};
    ck_assert_msg(lex_config_load(1, argv, environment, &config, &err) == LEX_OK, "%s", err.text);
    return config;
}

static uint16_t listen_anywhere(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof address;
    listener = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, len), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    return ntohs(address.sin_port);
}

/* A verdict of a traced request, its ledger entry, and a dead letter of one without a trace. */
static void publish(struct lex_batch_span *span)
{
    static const struct lex_header trace = {"traceparent",
                                            LEX_SPAN_INIT("00-" TRACE "-" PARENT "-01")};
    struct lex_output outputs[] = {
        {.kind = LEX_OUTPUT_LEDGER, .partition = 3, .headers = &trace, .headers_count = 1},
        {.kind = LEX_OUTPUT_VERDICT, .partition = 3, .headers = &trace, .headers_count = 1},
        {.kind = LEX_OUTPUT_DEAD_LETTER, .partition = 4}};
    struct lex_action action = {.kind = LEX_ACTION_PUBLISH, .outputs = outputs, .count = 3};
    lex_batch_span_received(span);
    lex_batch_span_publish(span, &action);
}

static bool arrived(const char *text, size_t len)
{
    return memmem(received.data, received.len, text, len) != NULL;
}
#define ARRIVED(literal) arrived(literal, sizeof(literal) - 1)

/* What a batch that ends like this looks like to a collector. */
static void deliver(enum lex_published result, const char *error)
{
    static struct lex_batch_span span;
    struct lex_tracer *tracer;
    pthread_t collector;
    lex_buf_init(&received, 1 << 20);
    struct lex_config *config = config_for(listen_anywhere());
    ck_assert_int_eq(pthread_create(&collector, NULL, collect, NULL), 0);
    ck_assert_int_eq(lex_crypto_init(&err), LEX_OK);
    ck_assert_int_eq(lex_web_init(&err), LEX_OK);
    ck_assert_int_eq(lex_tracer_start(config, &tracer, &err), LEX_OK);
    lex_batch_span_init(&span, tracer, config, 0);
    publish(&span);
    lex_batch_span_end(&span, LEX_PUBLISHED_UNKNOWN, "no answer");
    lex_batch_span_end(&span, result, error);
    lex_batch_span_end(&span, result, error); /* it has ended: nothing more is told */
    lex_tracer_stop(tracer, 10000);
    ck_assert_int_eq(pthread_join(collector, NULL), 0);
    close(listener);
    lex_config_free(config);
}

START_TEST(an_aborted_batch_is_an_error_with_its_links)
{
    deliver(LEX_PUBLISHED_ABORTED, "fenced by another");
    ck_assert(ARRIVED("\x7a\x15\x12\x11"
                      "fenced by another\x18\x02"));
    ck_assert(ARRIVED("\x0a\x10\x0a\xf7\x65\x19\x16\xcd\x43\xdd"));
    ck_assert(ARRIVED("error.type\x12\x09\x0a\x07"
                      "aborted"));
    ck_assert(ARRIVED("messaging.batch.message_count\x12\x02\x18\x02"));
    ck_assert(ARRIVED("lexecon.commits.unanswered\x12\x02\x18\x01"));
    lex_buf_fini(&received);
}
END_TEST

START_TEST(a_committed_batch_is_none_whatever_was_said_before)
{
    deliver(LEX_PUBLISHED_COMMITTED, "");
    ck_assert(ARRIVED("lexecon.transaction.result\x12\x0b\x0a\x09"
                      "committed"));
    ck_assert(ARRIVED("lexecon.dead_letters\x12\x02\x18\x01"));
    ck_assert(!ARRIVED("error.type"));
    ck_assert(!ARRIVED("\x18\x02\x85\x01"));
    lex_buf_fini(&received);
}
END_TEST

LEX_CHECK_MAIN_WITH(
    "traces", setup, teardown, a_traceparent_gives_its_ids_and_flags,
    what_is_not_exactly_a_traceparent_is_none, a_later_version_may_go_on_up_to_the_ceiling,
    a_span_is_the_bytes_that_its_definition_says, a_span_without_an_error_has_no_status,
    a_request_wraps_resource_scope_and_spans, what_is_no_utf8_or_too_long_is_cut_between_characters,
    a_span_over_a_buffers_ceiling_fails_and_writes_nothing_outside,
    an_answer_says_how_many_spans_were_refused, an_answer_that_is_no_message_says_nothing,
    without_an_endpoint_nothing_is_exported_and_nothing_refused,
    an_endpoint_turns_the_export_on_and_two_variables_turn_it_off,
    what_is_said_of_traces_alone_wins, pairs_are_unescaped_and_trimmed,
    a_header_cannot_smuggle_another_one_in, an_error_does_not_tell_what_may_be_a_credential,
    what_cannot_be_meant_is_refused_with_what_was_expected,
    a_list_of_pairs_and_a_value_have_ceilings,
    print_config_shows_what_is_in_force_and_masks_headers, a_batch_is_sampled_as_its_sampler_says,
    a_parent_based_sampler_follows_the_requests_where_they_have_traces,
    only_what_may_come_right_is_tried_again,
    pauses_grow_to_a_ceiling_and_retry_after_lengthens_them,
    an_aborted_batch_is_an_error_with_its_links, a_committed_batch_is_none_whatever_was_said_before)
