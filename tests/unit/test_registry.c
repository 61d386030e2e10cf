/* Registry: which schema an id stands for, what is asked again and for how long, and what is never
 * guessed. The registry is a small server in this process. */
#include "tests/unit/web_fixture.h"

#include <sys/stat.h>

#include "consumer/registry.h"
#include "consumer/web.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/crypto/crypto.h"
#include "schemas/tables.h"
#include "tests/unit/codec_fixture.h"

enum { PATIENCE_US = 20 * 1000 * 1000, TIMEOUT_MS = 400 };

static struct lex_registry *registry;
static struct lex_registry_options options;
static struct lex_health health;
static struct lex_error err;
static struct lex_arena arena;
static _Atomic int wakes, status = 200; /* what the server answers, while not 200 */
static _Atomic bool odd;                /* ... or an answer of status 200 that is none */
static const char *_Atomic odd_text;
static char auth_path[] = "/tmp/lexecon-auth-XXXXXX";

/* ---- the server: Confluent's API, as far as it is asked ---- */

static void put_schema(struct lex_buf *body, struct lex_span schema, const char *more)
{
    lex_buf_puts(body, "{\"schema\":");
    lex_buf_put_json(body, schema);
    lex_buf_printf(body, "%s}", more);
}

static const char INCOMPATIBLE[] =
    "{\"type\":\"record\",\"name\":\"Request\",\"namespace\":\"lexecon\",\"fields\":"
    "[{\"name\":\"something\",\"type\":\"string\"}]}";
static const char REFERENCES[] =
    ",\"references\":[{\"name\":\"a\",\"subject\":\"b\",\"version\":1}]";

/* 1..: the shipped schema; 8xx: what is odd about it. */
static void put_id(struct lex_buf *body, int id)
{
    if (id == 801)
        put_schema(body, LEX_SPAN("{\"type\":\"object\"}"), ",\"schemaType\":\"JSON\"");
    else if (id == 802)
        put_schema(body, LEX_SPAN("syntax = \"proto3\";"), ",\"schemaType\":\"PROTOBUF\"");
    else if (id == 803)
        put_schema(body, lex_type_request.schema, REFERENCES);
    else if (id == 804)
        put_schema(body, LEX_SPAN("{\"type\":"), "");
    else if (id == 805)
        put_schema(body, lex_span_str(INCOMPATIBLE), "");
    else if (id == 806)
        put_schema(body, lex_type_request.schema, ",\"schemaType\":\"XML\"");
    else
        put_schema(body, lex_type_request.schema, ",\"schemaType\":\"AVRO\",\"references\":[]");
}

static void answer_error(struct lex_buf *out)
{
    char line[32];
    int code = status == 404 ? 40403 : status;
    struct lex_buf body;
    lex_buf_init(&body, 1 << 20);
    lex_buf_printf(&body, "{\"error_code\":%d,\"message\":\"no\"}", code);
    snprintf(line, sizeof line, "%d Odd", status);
    web_answer(out, line, status == 302 ? "Location: /schemas/ids/1\r\n" : "", lex_buf_span(&body));
    lex_buf_fini(&body);
}

static void answer_api(const char *method, const char *path, int call, struct lex_buf *out)
{
    int id = 0;
    struct lex_buf body;
    (void)call;
    if (odd) {
        web_answer(out, "200 OK", "", lex_span_str(odd_text));
        return;
    }
    if (status != 200) {
        answer_error(out);
        return;
    }
    lex_buf_init(&body, 4 << 20);
    if (sscanf(path, "/schemas/ids/%d", &id) == 1 || strncmp(path, "/schemas/guids/", 15) == 0)
        put_id(&body, id);
    else if (strcmp(method, "POST") == 0 && strcmp(path, "/subjects/v-value/versions") == 0)
        lex_buf_puts(&body, "{\"id\":42}");
    else
        lex_buf_puts(&body, "{\"error_code\":40401}");
    bool found = body.len > 0 && strstr(lex_buf_str(&body), "40401") == NULL;
    web_answer(out, found ? "200 OK" : "404 Not Found", "", lex_buf_span(&body));
    lex_buf_fini(&body);
}

/* ---- frame ---- */

static void wake(void *user)
{
    (void)user;
    wakes++;
}

static void setup(void)
{
    web_bind();
    options = (struct lex_registry_options){
        .url = web_server.url, .timeout_ms = TIMEOUT_MS, .wake = wake, .health = &health};
    lex_log_init(LEX_LOG_CRITICAL, LEX_LOG_JSON, STDOUT_FILENO);
    lex_health_init(&health, 0, 1);
    lex_arena_init(&arena, 1 << 16, 1 << 24);
    ck_assert_int_eq(lex_crypto_init(&err), LEX_OK);
    ck_assert_int_eq(lex_web_init(&err), LEX_OK);
}

static void begin(void)
{
    ck_assert_msg(lex_registry_start(&options, &registry, &err) == LEX_OK, "%s", err.text);
}

static void start(void)
{
    web_listen(answer_api);
    begin();
}

static void teardown(void)
{
    lex_registry_free(registry);
    if (web_server.answer != NULL)
        web_stop();
    lex_arena_fini(&arena);
}

static struct lex_schema_ref ref_of(uint32_t id)
{
    return (struct lex_schema_ref){
        .bytes = {(uint8_t)(id >> 24), (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id}};
}

static struct lex_lookup look(uint32_t id)
{
    struct lex_schema_ref ref = ref_of(id);
    return lex_registry_lookup(registry, &ref);
}

static struct lex_lookup look_until_ref(const struct lex_schema_ref *ref, enum lex_lookup_kind kind)
{
    int64_t until_us = lex_clock_mono_us() + PATIENCE_US;
    for (;;) {
        struct lex_lookup found = lex_registry_lookup(registry, ref);
        if (found.kind == kind)
            return found;
        ck_assert_msg(found.kind == LEX_LOOKUP_WAIT || found.kind == LEX_LOOKUP_UNKNOWN,
                      "found too early");
        ck_assert_msg(lex_clock_mono_us() < until_us, "never came");
        usleep(5000);
    }
}

static struct lex_lookup look_until(uint32_t id, enum lex_lookup_kind kind)
{
    struct lex_schema_ref ref = ref_of(id);
    return look_until_ref(&ref, kind);
}

static void find_and_let_go(uint32_t id)
{
    lex_registered_unref(look_until(id, LEX_LOOKUP_FOUND).registered);
}

static bool problem_says(const char *text)
{
    pthread_mutex_lock(&health.registry_text.lock);
    bool says = strstr(health.registry_text.text, text) != NULL;
    pthread_mutex_unlock(&health.registry_text.lock);
    return says;
}

/* Look it up until the registry's problem is this one: an id that nobody looks up is not asked for.
 */
static void wait_problem(uint32_t id, const char *text)
{
    int64_t until_us = lex_clock_mono_us() + PATIENCE_US;
    while (!problem_says(text)) {
        ck_assert_msg(lex_clock_mono_us() < until_us, "no problem like '%s', but '%s'", text,
                      health.registry_text.text);
        ck_assert_int_eq(look(id).kind, LEX_LOOKUP_WAIT);
        usleep(5000);
    }
}

static struct lex_span body_of_request(void)
{
    struct lex_request request = fixture_request();
    struct lex_span value;
    ck_assert_int_eq(lex_encode_request(LEX_FORMAT_AVRO, &request, &arena, &value), LEX_OK);
    return lex_span_of(value.data + LEX_FRAME_BYTES, value.len - LEX_FRAME_BYTES);
}

static enum lex_status decode(const struct lex_registered *registered, struct lex_span body,
                              enum lex_format *ret_format, enum lex_undecodable *ret_why)
{
    struct lex_request request;
    enum lex_status got =
        lex_decode_registered(registered, body, &arena, &request, ret_format, ret_why, &err);
    if (got == LEX_OK)
        ck_assert_span_eq(request.request_id, "req-1");
    return got;
}

/* ---- an id that is known ---- */

START_TEST(an_id_is_asked_for_once_and_reads_bodies)
{
    enum lex_format format;
    enum lex_undecodable why;
    start();
    ck_assert_int_eq(look(7).kind, LEX_LOOKUP_WAIT);
    struct lex_lookup found = look_until(7, LEX_LOOKUP_FOUND);
    ck_assert(web_was_asked("GET /schemas/ids/7 HTTP"));
    ck_assert_int_eq(decode(found.registered, body_of_request(), &format, &why), LEX_OK);
    ck_assert_int_eq(format, LEX_FORMAT_CONFLUENT);
    for (int i = 0; i < 100; i++)
        find_and_let_go(7);
    ck_assert_int_eq(web_server.calls, 1);
    ck_assert_int_ge(wakes, 1);
    lex_registered_unref(found.registered);
}
END_TEST

START_TEST(a_guid_is_asked_for_by_its_own_path)
{
    struct lex_schema_ref ref = {.guid = true,
                                 .bytes = {0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99,
                                           0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}};
    start();
    lex_registered_unref(look_until_ref(&ref, LEX_LOOKUP_FOUND).registered);
    ck_assert(web_was_asked("GET /schemas/guids/00112233-4455-6677-8899-aabbccddeeff HTTP"));
    status = 404; /* an older registry has no such path at all */
    ref.bytes[0] = 9;
    (void)look_until_ref(&ref, LEX_LOOKUP_UNKNOWN);
}
END_TEST

START_TEST(a_json_schema_says_that_the_body_is_json)
{
    enum lex_format format;
    enum lex_undecodable why;
    start();
    struct lex_lookup found = look_until(801, LEX_LOOKUP_FOUND);
    ck_assert_int_eq(
        decode(found.registered,
               LEX_SPAN("{\"request_id\":\"req-1\",\"actor\":\"a\",\"proposed_action\":\"b\"}"),
               &format, &why),
        LEX_OK);
    ck_assert_int_eq(format, LEX_FORMAT_JSON);
    ck_assert_int_eq(decode(found.registered, body_of_request(), &format, &why), LEX_REJECT);
    lex_registered_unref(found.registered);
}
END_TEST

static void is_refused(uint32_t id, enum lex_undecodable expected, const char *text)
{
    enum lex_format format;
    enum lex_undecodable why = LEX_UNDECODABLE_COUNT;
    struct lex_lookup found = look_until(id, LEX_LOOKUP_FOUND);
    ck_assert_int_eq(decode(found.registered, body_of_request(), &format, &why), LEX_REJECT);
    ck_assert_int_eq(why, expected);
    ck_assert_msg(strstr(err.text, text) != NULL, "%s", err.text);
    lex_registered_unref(found.registered);
}

START_TEST(what_requests_cannot_be_read_by_is_refused_and_says_why)
{
    start();
    is_refused(802, LEX_UNDECODABLE_UNKNOWN_SCHEMA, "schema 802: Protobuf is not supported");
    is_refused(803, LEX_UNDECODABLE_UNKNOWN_SCHEMA, "refers to other schemas");
    is_refused(804, LEX_UNDECODABLE_INCOMPATIBLE_SCHEMA, "");
    is_refused(805, LEX_UNDECODABLE_INCOMPATIBLE_SCHEMA, "request_id");
    is_refused(806, LEX_UNDECODABLE_UNKNOWN_SCHEMA, "neither AVRO nor JSON");
}
END_TEST

/* ---- an id that is not known ---- */

START_TEST(an_id_that_is_registered_later_is_found)
{
    status = 404;
    start();
    struct lex_lookup unknown = look_until(7, LEX_LOOKUP_UNKNOWN);
    ck_assert_ptr_nonnull(strstr(unknown.reason, "does not know"));
    ck_assert_int_le(unknown.met_us, lex_clock_mono_us());
    ck_assert(problem_says("")); /* it answers: nothing is wrong with it */
    status = 200;
    find_and_let_go(7);
}
END_TEST

START_TEST(an_id_is_met_once_however_often_it_is_looked_up)
{
    status = 404;
    start();
    int64_t met_us = look_until(7, LEX_LOOKUP_UNKNOWN).met_us;
    for (int i = 0; i < 60; i++) {
        struct lex_lookup again = look(7);
        if (again.kind == LEX_LOOKUP_UNKNOWN)
            ck_assert_int_eq(again.met_us, met_us);
        usleep(20000);
    }
    ck_assert_int_ge(web_server.calls, 3); /* asked again, with growing distance */
    ck_assert_int_le(web_server.calls, 8);
}
END_TEST

START_TEST(not_known_is_believed_for_a_second_only)
{
    status = 404;
    start();
    (void)look_until(7, LEX_LOOKUP_UNKNOWN);
    struct lex_schema_ref ref = ref_of(7);
    lex_registry_give_up(registry, &ref);
    int calls = web_server.calls;
    usleep(1200 * 1000);
    ck_assert_int_le(web_server.calls, calls + 1); /* nobody waits: nothing is asked */
    status = 200;
    ck_assert_int_eq(look(7).kind, LEX_LOOKUP_WAIT);
    find_and_let_go(7);
}
END_TEST

START_TEST(an_answer_that_is_too_long_ends_like_an_unknown_id)
{
    static char text[LEX_REGISTRY_ANSWER_MAX_BYTES + 2];
    memset(text, ' ', sizeof text - 1);
    odd_text = text;
    odd = true;
    start();
    struct lex_lookup unknown = look_until(7, LEX_LOOKUP_UNKNOWN);
    ck_assert_ptr_nonnull(strstr(unknown.reason, "longer than a schema may be"));
    odd = false;
    find_and_let_go(7);
}
END_TEST

/* ---- a registry that fails: asked without end, and nothing is guessed ---- */

static void fails_then_answers(int failing_status, const char *text)
{
    status = failing_status;
    start();
    wait_problem(7, text);
    status = 200;
    find_and_let_go(7);
    ck_assert(!problem_says(text));
}

START_TEST(an_error_of_the_server_is_asked_again)
{
    fails_then_answers(500, "HTTP status 500");
}
END_TEST

START_TEST(missing_rights_are_asked_again_and_named)
{
    fails_then_answers(401, "schema_registry_auth_file");
}
END_TEST

START_TEST(a_redirect_is_not_followed)
{
    status = 302;
    start();
    wait_problem(7, "redirects are not followed");
    ck_assert_int_eq(look(7).kind, LEX_LOOKUP_WAIT);
    ck_assert(web_was_asked("GET /schemas/ids/7 HTTP"));
}
END_TEST

static const char *const garbage[] = {
    "", "hello", "[]", "{}", "{\"schema\":7}", "{\"schema\":\"a\"", "<html></html>"};

START_TEST(an_answer_that_is_no_schema_is_asked_again)
{
    odd_text = garbage[_i];
    odd = true;
    start();
    wait_problem(7, _i == 3 || _i == 4 ? "the answer has no schema" : "not the JSON object");
    ck_assert_int_eq(look(7).kind, LEX_LOOKUP_WAIT);
    odd = false;
    find_and_let_go(7);
}
END_TEST

static void answer_elsewhere(const char *method, const char *path, int call, struct lex_buf *out)
{
    (void)method, (void)path, (void)call;
    web_answer(out, "404 Not Found", "", LEX_SPAN("<html>no such page</html>"));
}

START_TEST(a_404_that_is_not_the_registrys_means_a_wrong_url)
{
    web_listen(answer_elsewhere);
    begin();
    wait_problem(7, "does schema_registry_url name the base of its API");
    ck_assert_int_eq(look(7).kind, LEX_LOOKUP_WAIT);
}
END_TEST

START_TEST(nobody_there_is_asked_again_until_somebody_is)
{
    begin();
    wait_problem(7, "no answer");
    ck_assert_int_eq(look(7).kind, LEX_LOOKUP_WAIT);
    web_listen(answer_api);
    find_and_let_go(7);
}
END_TEST

START_TEST(one_id_that_fails_does_not_hold_the_others_up)
{
    start();
    odd_text = "{}";
    odd = true;
    wait_problem(7, "no schema");
    wait_problem(7, "no schema");
    odd = false;
    int64_t begin_us = lex_clock_mono_us();
    find_and_let_go(8);
    ck_assert_int_lt(lex_clock_mono_us() - begin_us, 5 * 1000 * 1000);
}
END_TEST

START_TEST(a_slow_registry_costs_the_time_of_a_call_and_a_stop_is_prompt)
{
    start();
    web_server.hangs = true;
    wait_problem(7, "no answer");
    options.timeout_ms = 60000;
    struct lex_registry *slow;
    ck_assert_int_eq(lex_registry_start(&options, &slow, &err), LEX_OK);
    struct lex_schema_ref ref = ref_of(7);
    ck_assert_int_eq(lex_registry_lookup(slow, &ref).kind, LEX_LOOKUP_WAIT);
    usleep(200 * 1000);
    int64_t begin_us = lex_clock_mono_us();
    lex_registry_stop(slow);
    ck_assert_int_lt(lex_clock_mono_us() - begin_us, 20 * 1000 * 1000);
    ck_assert_int_eq(lex_registry_lookup(slow, &ref).kind, LEX_LOOKUP_WAIT); /* and still safe */
    lex_registry_free(slow);
    web_server.hangs = false;
}
END_TEST

/* ---- ceilings ---- */

START_TEST(the_schema_used_least_goes_when_one_more_comes)
{
    start();
    for (uint32_t id = 1; id <= LEX_REGISTRY_CACHED_MAX; id++)
        find_and_let_go(id);
    find_and_let_go(1); /* so that 2 is the one used least */
    ck_assert_int_eq(web_server.calls, LEX_REGISTRY_CACHED_MAX);
    find_and_let_go(LEX_REGISTRY_CACHED_MAX + 1);
    struct lex_lookup first = look(1);
    ck_assert_int_eq(first.kind, LEX_LOOKUP_FOUND);
    lex_registered_unref(first.registered);
    ck_assert_int_eq(look(2).kind, LEX_LOOKUP_WAIT);
    find_and_let_go(2);
}
END_TEST

START_TEST(a_schema_in_use_outlives_its_place)
{
    enum lex_format format;
    enum lex_undecodable why;
    start();
    struct lex_lookup kept = look_until(1, LEX_LOOKUP_FOUND);
    for (uint32_t id = 2; id <= LEX_REGISTRY_CACHED_MAX + 1; id++)
        find_and_let_go(id);
    ck_assert_int_eq(look(1).kind, LEX_LOOKUP_WAIT);
    ck_assert_int_eq(decode(kept.registered, body_of_request(), &format, &why), LEX_OK);
    lex_registered_unref(kept.registered);
}
END_TEST

START_TEST(ids_over_the_ceiling_wait_for_a_place)
{
    enum { MORE = LEX_REGISTRY_PENDING_MAX + 1 };
    status = 404;
    start();
    for (uint32_t id = 1; id <= LEX_REGISTRY_PENDING_MAX; id++)
        (void)look(id);
    for (int i = 0; i < 30; i++) {
        ck_assert_int_eq(look(MORE).kind, LEX_LOOKUP_WAIT);
        usleep(10000);
    }
    struct lex_schema_ref gone = ref_of(5);
    lex_registry_give_up(registry, &gone);
    (void)look_until(MORE, LEX_LOOKUP_UNKNOWN);
}
END_TEST

/* ---- credentials ---- */

static void write_auth(const char *text, mode_t mode)
{
    char path[] = "/tmp/lexecon-auth-XXXXXX";
    if (strstr(auth_path, "XXXXXX") != NULL) {
        int fd = mkstemp(path);
        ck_assert_int_ge(fd, 0);
        close(fd);
        memcpy(auth_path, path, sizeof path);
    }
    FILE *file = fopen(auth_path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
    ck_assert_int_eq(chmod(auth_path, mode), 0);
    options.auth_file = auth_path;
}

START_TEST(credentials_are_sent_and_read_anew_for_each_call)
{
    write_auth("user:pass word\n", 0600);
    start();
    find_and_let_go(1);
    ck_assert(web_was_asked("\r\nAuthorization: Basic dXNlcjpwYXNzIHdvcmQ=\r\n"));
    write_auth("Bearer abc.def\n", 0600);
    find_and_let_go(2);
    ck_assert(web_was_asked("\r\nAuthorization: Bearer abc.def\r\n"));
    write_auth("nonsense-that-nobody-shall-see\n", 0600);
    wait_problem(3, "expected user:password");
    ck_assert(!problem_says("nonsense"));
    unlink(auth_path);
    wait_problem(4, "No such file");
}
END_TEST

static void refuses_auth(const char *text, mode_t mode, const char *why)
{
    write_auth(text, mode);
    ck_assert_int_eq(lex_registry_start(&options, &registry, &err), LEX_REJECT);
    ck_assert_msg(strstr(err.text, why) != NULL, "%s", err.text);
    ck_assert_ptr_null(strstr(err.text, "secret"));
    ck_assert_ptr_null(registry);
}

START_TEST(a_file_that_others_can_read_or_that_says_nothing_is_refused)
{
    refuses_auth("user:secret", 0644, "lets others at the credentials");
    refuses_auth("user:secret", 0640, "lets others at the credentials");
    refuses_auth("secret", 0600, "expected user:password");
    refuses_auth("Bearer ", 0600, "expected user:password");
    refuses_auth("", 0600, "expected user:password");
    static char much[LEX_REGISTRY_AUTH_MAX_BYTES + 2];
    memset(much, 'a', sizeof much - 1);
    much[1] = ':';
    refuses_auth(much, 0600, "more than");
    much[LEX_REGISTRY_AUTH_MAX_BYTES] = 0;
    write_auth(much, 0600);
    start();
    unlink(auth_path);
}
END_TEST

START_TEST(a_url_that_cannot_be_called_is_refused_at_the_start)
{
    static const char *const bad[] = {"ftp://a/", "registry:8081", "http://u:secret@a/"};
    for (size_t i = 0; i < LEX_COUNT_OF(bad); i++) {
        options.url = bad[i];
        ck_assert_int_eq(lex_registry_start(&options, &registry, &err), LEX_REJECT);
        ck_assert_ptr_nonnull(strstr(err.text, "schema_registry_url"));
        ck_assert_ptr_null(strstr(err.text, "secret"));
    }
}
END_TEST

/* ---- the verdict's schema ---- */

static void wait_verdict_id(uint32_t id)
{
    int64_t until_us = lex_clock_mono_us() + PATIENCE_US;
    while (lex_registry_verdict_id(registry) != id) {
        ck_assert_msg(lex_clock_mono_us() < until_us, "no id");
        usleep(5000);
    }
}

START_TEST(the_verdicts_schema_is_registered_where_nobody_did)
{
    options.verdict_topic = "v";
    options.verdict_id_required = true;
    begin();
    ck_assert_uint_eq(lex_registry_verdict_id(registry), 0);
    ck_assert(health.registry_needed);
    web_listen(answer_api);
    wait_verdict_id(42);
    ck_assert(web_was_asked("POST /subjects/v-value/versions HTTP"));
    ck_assert(web_was_asked("Verdict\\\""));
    ck_assert(!health.registry_needed);
    ck_assert_int_ge(wakes, 1);
}
END_TEST

START_TEST(an_id_that_is_none_is_not_taken)
{
    static const char *const none[] = {"{\"id\":0}", "{\"id\":-1}", "{\"id\":2147483648}",
                                       "{\"id\":\"1\"}", "{}"};
    options.verdict_topic = "v";
    odd = true;
    web_listen(answer_api);
    for (size_t i = 0; i < LEX_COUNT_OF(none); i++) {
        odd_text = none[i];
        begin();
        int64_t until_us = lex_clock_mono_us() + PATIENCE_US;
        while (!problem_says("the answer has no id") && lex_clock_mono_us() < until_us)
            usleep(5000);
        ck_assert(problem_says("the answer has no id"));
        ck_assert_uint_eq(lex_registry_verdict_id(registry), 0);
        lex_registry_free(registry);
        lex_health_set_registry_problem(&health, "");
    }
    odd_text = "{\"id\":2147483647}";
    begin();
    wait_verdict_id(2147483647);
}
END_TEST

/* ---- health ---- */

static bool health_says(const char *text)
{
    struct lex_buf out;
    lex_buf_init(&out, 1 << 16);
    (void)lex_health_write(&health, LEX_PROBE_HEALTH, lex_clock_mono_us(), &out);
    bool says = strstr(lex_buf_str(&out), text) != NULL;
    lex_buf_fini(&out);
    return says;
}

START_TEST(health_says_who_waits_and_why)
{
    ck_assert(health_says("\"schema_registry\",\"status\":\"healthy\",\"details\":\"off\""));
    begin();
    wait_problem(7, "no answer");
    ck_assert(
        health_says("\"schema_registry\",\"status\":\"healthy\",\"details\":\"nothing waits"));
    lex_registry_tell_waiting(registry, 2);
    ck_assert(
        health_says("\"status\":\"degraded\",\"details\":\"2 partitions wait for a schema: "));
    lex_registry_tell_waiting(registry, -2);
    web_listen(answer_api);
    find_and_let_go(7);
    ck_assert(health_says("\"schema_registry\",\"status\":\"healthy\",\"details\":\"answering\""));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        an_id_is_asked_for_once_and_reads_bodies,
        a_guid_is_asked_for_by_its_own_path,
        a_json_schema_says_that_the_body_is_json,
        what_requests_cannot_be_read_by_is_refused_and_says_why,
        an_id_that_is_registered_later_is_found,
        an_id_is_met_once_however_often_it_is_looked_up,
        not_known_is_believed_for_a_second_only,
        an_answer_that_is_too_long_ends_like_an_unknown_id,
        an_error_of_the_server_is_asked_again,
        missing_rights_are_asked_again_and_named,
        a_redirect_is_not_followed,
        a_404_that_is_not_the_registrys_means_a_wrong_url,
        nobody_there_is_asked_again_until_somebody_is,
        one_id_that_fails_does_not_hold_the_others_up,
        a_slow_registry_costs_the_time_of_a_call_and_a_stop_is_prompt,
        the_schema_used_least_goes_when_one_more_comes,
        a_schema_in_use_outlives_its_place,
        ids_over_the_ceiling_wait_for_a_place,
        credentials_are_sent_and_read_anew_for_each_call,
        a_file_that_others_can_read_or_that_says_nothing_is_refused,
        a_url_that_cannot_be_called_is_refused_at_the_start,
        the_verdicts_schema_is_registered_where_nobody_did,
        an_id_that_is_none_is_not_taken,
        health_says_who_waits_and_why,
    };
    Suite *suite = suite_create("registry");
    TCase *tcase = tcase_create("registry");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 120);
    for (size_t i = 0; i < LEX_COUNT_OF(tests); i++)
        tcase_add_test(tcase, tests[i]);
    tcase_add_loop_test(tcase, an_answer_that_is_no_schema_is_asked_again, 0,
                        LEX_COUNT_OF(garbage));
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
