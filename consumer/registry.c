#include "consumer/registry.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "consumer/web.h"
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/base/metrics.h"
#include "core/base/text.h"
#include "core/crypto/crypto.h"
#include "schemas/tables.h"

enum {
    STEP_FIRST_MS = 100,
    PENDING_IDLE_US = 10 * 1000 * 1000, /* not looked up for so long: nobody waits */
    UNKNOWN_GOOD_US = 1000 * 1000,      /* how long "not known" is believed */
    ANSWER_ARENA_BYTES = 64 << 10,
    ANSWER_ARENA_MAX_BYTES = 4 << 20,
    URL_MAX_BYTES = 2048,
    BODY_MAX_BYTES = 1 << 20,
};

static const char LOGGER[] = "lexecon.registry";
static const char MEDIA_TYPE[] = "application/vnd.schemaregistry.v1+json";

/* Confluent's error codes begin with the HTTP status; these are of its API's page. */
enum { SUBJECT_NOT_FOUND = 40401, SCHEMA_NOT_FOUND = 40403 };

struct cached {
    struct lex_schema_ref ref;
    struct lex_registered *registered; /* NULL: a free place */
    uint64_t used;
};

struct pending {
    bool used, given_up;
    struct lex_schema_ref ref;
    int64_t met_us, looked_us, due_us;
    int64_t unknown_us; /* when it was last answered "not known"; 0: it was not */
    const char *reason; /* of that */
    int64_t step_ms;
};

struct lex_registry {
    struct lex_registry_options options;
    char *url; /* without a slash at the end */
    struct lex_web *web;
    pthread_t thread;
    bool started;
    _Atomic bool stop;
    _Atomic uint32_t verdict_id;
    _Atomic int64_t waiting;

    pthread_mutex_t lock; /* over what follows */
    pthread_cond_t changed;
    struct cached cached[LEX_REGISTRY_CACHED_MAX];
    size_t cached_count, cached_bytes;
    uint64_t uses;
    struct pending pending[LEX_REGISTRY_PENDING_MAX];

    /* The thread's own. */
    struct lex_arena arena; /* of one answer */
    int64_t down_until_us, down_step_ms;
    int64_t verdict_due_us, verdict_step_ms;
    bool failing; /* the last call failed: its end is told once */
};

/* ---- what a call came to ---- */

enum result { GOT, UNKNOWN, TOO_LONG, FAILED, MALFORMED, REFUSED, UNREACHABLE };

static const char *const result_names[] = {
    [GOT] = "found",
    [UNKNOWN] = "unknown",
    [TOO_LONG] = "too_long",
    [FAILED] = "error",
    [MALFORMED] = "malformed",
    [REFUSED] = "refused",
    [UNREACHABLE] = "unreachable",
};

static void count(enum result result)
{
    struct lex_span label = lex_span_str(result_names[result]);
    lex_series_add(lex_metric_series(LEX_METRIC_SCHEMA_REGISTRY_REQUESTS, &label, 1), 1);
}

static void tell_problem(struct lex_registry *r, const char *text)
{
    if (r->options.health != NULL)
        lex_health_set_registry_problem(r->options.health, text);
}

static void tell_result(struct lex_registry *r, enum result result, const struct lex_error *err)
{
    count(result);
    if (result == GOT || result == UNKNOWN) {
        if (r->failing)
            LEX_LOG(LEX_LOG_INFO, LOGGER, "Schema registry answers again");
        r->failing = false;
        tell_problem(r, "");
        return;
    }
    r->failing = true;
    tell_problem(r, err->text);
    LEX_LOG(LEX_LOG_WARNING, LOGGER, "Schema registry: asking again",
            lex_log_str("result", result_names[result]), lex_log_str("error", err->text));
}

/* ---- credentials ---- */

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

/* As a private key: a file of our own is for us; root may hand one to an unprivileged process
 * through its group, as Kubernetes does with a mounted Secret. */
static enum lex_status check_mode(int fd, const char *path, struct lex_error *err)
{
    struct stat info;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
        return lex_fail(err, LEX_REJECT, "schema_registry_auth_file %s: not a regular file", path);
    mode_t forbidden = info.st_uid == 0 && geteuid() != 0 ? 037 : 077;
    if ((info.st_mode & forbidden) == 0)
        return LEX_OK;
    return lex_fail(err, LEX_REJECT,
                    "schema_registry_auth_file %s: mode %04o lets others at the credentials, "
                    "expected 0600; run: chmod 600 %s",
                    path, (unsigned)info.st_mode & 07777u, path);
}

static enum lex_status read_auth(const char *path, char text[LEX_REGISTRY_AUTH_MAX_BYTES + 1],
                                 struct lex_error *err)
{
    LEX_CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return lex_fail(err, LEX_REJECT, "schema_registry_auth_file %s: %s", path, strerror(errno));
    LEX_TRY(check_mode(fd, path, err));
    ssize_t n = read(fd, text, LEX_REGISTRY_AUTH_MAX_BYTES + 1);
    if (n < 0 || n > LEX_REGISTRY_AUTH_MAX_BYTES)
        return lex_fail(err, LEX_REJECT,
                        "schema_registry_auth_file %s: cannot be read, or has more than %d bytes",
                        path, LEX_REGISTRY_AUTH_MAX_BYTES);
    while (n > 0 && strchr(" \t\r\n", text[n - 1]) != NULL)
        n--;
    text[n] = 0;
    return LEX_OK;
}

/* `Bearer <token>` as it is, anything else is user:password (RFC 7617). */
static bool put_authorization(struct lex_buf *out, const char *text)
{
    lex_buf_puts(out, "Authorization: ");
    if (strncmp(text, "Bearer ", 7) == 0) {
        lex_buf_puts(out, text);
        return text[7] != 0;
    }
    lex_buf_puts(out, "Basic ");
    lex_buf_put_base64(out, lex_span_str(text));
    return strchr(text, ':') != NULL;
}

static void wipe(struct lex_buf *buf)
{
    if (buf->data != NULL)
        explicit_bzero(buf->data, buf->cap);
    lex_buf_fini(buf);
}

/* Read anew for each call, so that rotated credentials need no restart. */
static enum lex_status authorization(const char *path, struct lex_buf *out, struct lex_error *err)
{
    char text[LEX_REGISTRY_AUTH_MAX_BYTES + 1];
    enum lex_status status = path == NULL ? LEX_OK : read_auth(path, text, err);
    if (path == NULL || status != LEX_OK)
        return status;
    bool good = put_authorization(out, text);
    explicit_bzero(text, sizeof text);
    return good ? LEX_OK
                : lex_fail(err, LEX_REJECT,
                           "schema_registry_auth_file %s: expected user:password, or Bearer and a "
                           "token, in one line",
                           path);
}

/* ---- a call ---- */

struct question {
    const char *method;
    const char *path; /* behind the base */
    struct lex_span body;
};

static enum lex_status call(struct lex_registry *r, const struct question *question,
                            struct lex_web_answer *ret, struct lex_error *err)
{
    char url[URL_MAX_BYTES], accept[96], type[96];
    LEX_CLEANUP(wipe) struct lex_buf secret;
    lex_buf_init(&secret, 4 * LEX_REGISTRY_AUTH_MAX_BYTES);
    (void)snprintf(accept, sizeof accept, "Accept: %s, application/json", MEDIA_TYPE);
    (void)snprintf(type, sizeof type, "Content-Type: %s", MEDIA_TYPE);
    int len = snprintf(url, sizeof url, "%s%s", r->url, question->path);
    if (len < 0 || (size_t)len >= sizeof url)
        return lex_fail(err, LEX_REJECT, "the URL is longer than %d bytes", URL_MAX_BYTES);
    LEX_TRY(authorization(r->options.auth_file, &secret, err));
    struct lex_web_request request = {
        .method = question->method,
        .url = url,
        .headers = {accept, type, secret.len != 0 ? lex_buf_str(&secret) : NULL},
        .body = question->body,
    };
    return lex_web_call(r->web, &request, ret, err);
}

/* The member `error_code` of an answer that says no; 0 where it has none. */
static int64_t error_code(const struct lex_json *root)
{
    const struct lex_json *code = lex_json_get(root, "error_code");
    int64_t value = 0;
    if (!lex_json_is(code, LEX_JSON_NUMBER) || !code->integer ||
        lex_json_int64(code->text, &value) != LEX_OK)
        return 0;
    return value;
}

/* Ask; what is neither a schema nor "not known" is told apart here, in one place.
 * @post GOT: *ret_root is an answer of status 200; UNKNOWN: 404 and *ret_root is what it says, NULL
 *       where that is no JSON */
static enum result ask(struct lex_registry *r, const struct question *question,
                       const struct lex_json **ret_root, struct lex_error *err)
{
    struct lex_web_answer answer = {.status = 0};
    struct lex_error why = {{0}};
    *ret_root = NULL;
    lex_arena_reset(&r->arena);
    enum lex_status status = call(r, question, &answer, &why);
    if (status != LEX_OK) {
        (void)lex_fail(err, status, "%.300s: %.600s", r->url, why.text);
        return status == LEX_RETRY ? UNREACHABLE : status == LEX_LIMIT ? TOO_LONG : REFUSED;
    }
    bool json = lex_json_parse(&r->arena, answer.body, ret_root, NULL) == LEX_OK &&
                lex_json_is(*ret_root, LEX_JSON_OBJECT);
    if (!json)
        *ret_root = NULL;
    if (answer.status == 404)
        return UNKNOWN;
    if (answer.status == 200 && json)
        return GOT;
    (void)lex_fail(
        err, LEX_RETRY, "%.300s%.300s: HTTP status %d: %s", r->url, question->path, answer.status,
        answer.status == 200                           ? "not the JSON object that was expected"
        : answer.status == 401 || answer.status == 403 ? "look at schema_registry_auth_file, and "
                                                         "at what this user may do there"
        : answer.status >= 300 && answer.status < 400  ? "redirects are not followed: set "
                                                         "schema_registry_url to where it leads"
                                                       : "the registry's log says more");
    return answer.status == 200                           ? MALFORMED
           : answer.status == 401 || answer.status == 403 ? REFUSED
                                                          : FAILED;
}

/* ---- a schema ---- */

/* Not the registry's fault for sure, and asking without end would let whoever may register a schema
 * stop a partition: so both end the same way. */
static const char NOT_KNOWN[] = "the schema registry does not know it";
static const char IS_TOO_LONG[] = "what the schema registry answers is longer than a schema may be";

static struct lex_registered *refused(const char *id, const char *what)
{
    struct lex_error reason;
    (void)lex_fail(&reason, LEX_REJECT, "schema %s: %s", id, what);
    return lex_registered_refused(LEX_UNDECODABLE_UNKNOWN_SCHEMA, reason.text);
}

/* An answer of status 200. @return NULL: it is none */
static struct lex_registered *registered_of(const struct lex_json *root, const char *id)
{
    const struct lex_json *text = lex_json_get(root, "schema");
    const struct lex_json *type = lex_json_get(root, "schemaType");
    const struct lex_json *references = lex_json_get(root, "references");
    bool typed = lex_json_is(type, LEX_JSON_STRING);
    if (!lex_json_is(text, LEX_JSON_STRING))
        return NULL;
    if (references != NULL && references->count != 0)
        return refused(id, "it refers to other schemas, which is not supported: register one "
                           "self-contained schema");
    if (!typed || lex_span_eq(type->text, LEX_SPAN("AVRO")))
        return lex_registered_avro(text->text);
    if (lex_span_eq(type->text, LEX_SPAN("JSON")))
        return lex_registered_json();
    if (lex_span_eq(type->text, LEX_SPAN("PROTOBUF")))
        return refused(id, "Protobuf is not supported: send Avro or JSON");
    return refused(id, "its schemaType is neither AVRO nor JSON");
}

/* A 404 that is no registry's means that the URL leads elsewhere. For a GUID it may also be a
 * registry that is too old for them, which must not stop a partition for ever. */
static bool says_not_known(const struct lex_schema_ref *ref, const struct lex_json *root)
{
    return ref->guid || error_code(root) == SCHEMA_NOT_FOUND;
}

static enum result fetch(struct lex_registry *r, const struct lex_schema_ref *ref,
                         struct lex_registered **ret, const char **ret_reason,
                         struct lex_error *err)
{
    char id[LEX_SCHEMA_REF_TEXT_MAX], path[96];
    const struct lex_json *root;
    lex_schema_ref_text(ref, id);
    (void)snprintf(path, sizeof path, "/schemas/%s/%s", ref->guid ? "guids" : "ids", id);
    enum result result = ask(r, &(struct question){"GET", path, {NULL, 0}}, &root, err);
    *ret_reason = result == TOO_LONG ? IS_TOO_LONG : NOT_KNOWN;
    if (result == UNKNOWN && !says_not_known(ref, root)) {
        (void)lex_fail(err, LEX_RETRY,
                       "%.300s%.96s: HTTP status 404, and not the registry's own: does "
                       "schema_registry_url name the base of its API?",
                       r->url, path);
        return FAILED;
    }
    if (result != GOT)
        return result;
    *ret = registered_of(root, id);
    if (*ret != NULL)
        return GOT;
    (void)lex_fail(err, LEX_RETRY, "%.300s%.96s: the answer has no schema", r->url, path);
    return MALFORMED;
}

/* ---- the verdict's schema ---- */

static bool take_id(const struct lex_json *root, uint32_t *ret)
{
    const struct lex_json *id = lex_json_get(root, "id");
    int64_t value = 0;
    if (!lex_json_is(id, LEX_JSON_NUMBER) || !id->integer ||
        lex_json_int64(id->text, &value) != LEX_OK || value < 1 || value > INT32_MAX)
        return false;
    *ret = (uint32_t)value;
    return true;
}

/* Looked up first: who may only read can still work with a schema that somebody registered.
 * TopicNameStrategy: the subject is the topic's name and "-value". */
static enum result fetch_verdict_id(struct lex_registry *r, uint32_t *ret, struct lex_error *err)
{
    char path[512];
    const struct lex_json *root;
    LEX_CLEANUP(lex_buf_fini) struct lex_buf body;
    lex_buf_init(&body, BODY_MAX_BYTES);
    lex_buf_puts(&body, "{\"schema\":");
    lex_buf_put_json(&body, lex_type_verdict.schema);
    lex_buf_putc(&body, '}');
    (void)snprintf(path, sizeof path, "/subjects/%s-value", r->options.verdict_topic);
    enum result result = ask(r, &(struct question){"POST", path, lex_buf_span(&body)}, &root, err);
    if (result == UNKNOWN) {
        (void)snprintf(path, sizeof path, "/subjects/%s-value/versions", r->options.verdict_topic);
        result = ask(r, &(struct question){"POST", path, lex_buf_span(&body)}, &root, err);
    }
    if (result == GOT && take_id(root, ret))
        return GOT;
    if (result == GOT || result == UNKNOWN)
        (void)lex_fail(err, LEX_RETRY, "%.300s%.500s: the answer has no id", r->url, path);
    return result == GOT || result == UNKNOWN ? MALFORMED : result;
}

/* ---- waiting ---- */

/* Three quarters to five quarters of it: nodes that failed together do not come back together. */
static int64_t jittered_us(int64_t ms)
{
    uint16_t dice;
    lex_random(&dice, sizeof dice);
    return ms * 750 + ms * 500 * dice / UINT16_MAX;
}

static int64_t longer(int64_t step_ms, int64_t max_ms)
{
    int64_t next = step_ms == 0 ? STEP_FIRST_MS : 2 * step_ms;
    return next < max_ms ? next : max_ms;
}

static void note_reachable(struct lex_registry *r, enum result result, int64_t now_us)
{
    if (result != UNREACHABLE) {
        r->down_step_ms = r->down_until_us = 0;
        return;
    }
    r->down_step_ms = longer(r->down_step_ms, LEX_REGISTRY_AWAY_MAX_MS);
    r->down_until_us = now_us + jittered_us(r->down_step_ms);
}

/* ---- the tables, under the lock ---- */

static bool same_ref(const struct lex_schema_ref *a, const struct lex_schema_ref *b)
{
    return a->guid == b->guid && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

static struct cached *find_cached(struct lex_registry *r, const struct lex_schema_ref *ref)
{
    for (size_t i = 0; i < LEX_REGISTRY_CACHED_MAX; i++)
        if (r->cached[i].registered != NULL && same_ref(&r->cached[i].ref, ref))
            return &r->cached[i];
    return NULL;
}

static void drop_cached(struct lex_registry *r, struct cached *cached)
{
    r->cached_bytes -= lex_registered_bytes(cached->registered);
    r->cached_count--;
    lex_registered_unref(cached->registered);
    cached->registered = NULL;
}

static struct cached *least_used(struct lex_registry *r)
{
    struct cached *least = NULL;
    for (size_t i = 0; i < LEX_REGISTRY_CACHED_MAX; i++)
        if (r->cached[i].registered != NULL && (least == NULL || r->cached[i].used < least->used))
            least = &r->cached[i];
    return least;
}

/* Whoever holds a record that was read by a schema keeps that schema; here it may go. */
static void keep(struct lex_registry *r, const struct lex_schema_ref *ref,
                 struct lex_registered *registered)
{
    struct cached *place = r->cached;
    size_t bytes = lex_registered_bytes(registered);
    while (r->cached_count != 0 && (r->cached_count == LEX_REGISTRY_CACHED_MAX ||
                                    r->cached_bytes + bytes > LEX_REGISTRY_CACHED_MAX_BYTES))
        drop_cached(r, least_used(r));
    while (place->registered != NULL)
        place++;
    *place = (struct cached){*ref, registered, ++r->uses};
    r->cached_count++;
    r->cached_bytes += bytes;
    lex_metric_set(LEX_METRIC_SCHEMA_REGISTRY_CACHED_SCHEMAS, (double)r->cached_count);
}

static struct pending *find_pending(struct lex_registry *r, const struct lex_schema_ref *ref)
{
    for (size_t i = 0; i < LEX_REGISTRY_PENDING_MAX; i++)
        if (r->pending[i].used && same_ref(&r->pending[i].ref, ref))
            return &r->pending[i];
    return NULL;
}

static bool nobody_waits(const struct pending *pending, int64_t now_us)
{
    return pending->given_up || now_us - pending->looked_us > PENDING_IDLE_US;
}

/* A free place, else that of an id for which nobody waits; NULL: all are taken. */
static struct pending *free_place(struct lex_registry *r, int64_t now_us)
{
    struct pending *oldest = NULL;
    for (size_t i = 0; i < LEX_REGISTRY_PENDING_MAX; i++) {
        struct pending *p = &r->pending[i];
        if (!p->used)
            return p;
        if (nobody_waits(p, now_us) && (oldest == NULL || p->looked_us < oldest->looked_us))
            oldest = p;
    }
    return oldest;
}

static void meet(struct pending *p, const struct lex_schema_ref *ref, int64_t now_us)
{
    *p = (struct pending){
        .used = true, .ref = *ref, .met_us = now_us, .looked_us = now_us, .due_us = now_us};
}

static struct lex_lookup look_pending(struct lex_registry *r, const struct lex_schema_ref *ref,
                                      int64_t now_us)
{
    struct lex_lookup wait = {.kind = LEX_LOOKUP_WAIT};
    struct pending *p = find_pending(r, ref);
    if (p == NULL || now_us - p->looked_us > PENDING_IDLE_US) {
        p = p != NULL ? p : free_place(r, now_us);
        if (p != NULL)
            meet(p, ref, now_us); /* else at a later look: places come free */
        return wait;
    }
    p->looked_us = now_us;
    p->given_up = false;
    if (p->unknown_us == 0 || now_us - p->unknown_us > UNKNOWN_GOOD_US)
        return wait;
    return (struct lex_lookup){
        .kind = LEX_LOOKUP_UNKNOWN, .met_us = p->met_us, .reason = p->reason};
}

static struct lex_lookup look(struct lex_registry *r, const struct lex_schema_ref *ref)
{
    struct cached *cached = find_cached(r, ref);
    if (cached == NULL)
        return look_pending(r, ref, lex_clock_mono_us());
    cached->used = ++r->uses;
    return (struct lex_lookup){.kind = LEX_LOOKUP_FOUND,
                               .registered = lex_registered_ref(cached->registered)};
}

struct lex_lookup lex_registry_lookup(struct lex_registry *registry,
                                      const struct lex_schema_ref *ref)
{
    (void)pthread_mutex_lock(&registry->lock);
    struct lex_lookup lookup = look(registry, ref);
    if (lookup.kind == LEX_LOOKUP_WAIT)
        (void)pthread_cond_signal(&registry->changed);
    (void)pthread_mutex_unlock(&registry->lock);
    return lookup;
}

void lex_registry_give_up(struct lex_registry *registry, const struct lex_schema_ref *ref)
{
    (void)pthread_mutex_lock(&registry->lock);
    struct pending *p = find_pending(registry, ref);
    if (p != NULL)
        p->given_up = true;
    (void)pthread_mutex_unlock(&registry->lock);
}

/* ---- the thread ---- */

static bool verdict_wanted(const struct lex_registry *r)
{
    return r->options.verdict_topic != NULL && r->verdict_id == 0;
}

/* What is due first; NULL: nothing is asked for. */
static struct pending *next_pending(struct lex_registry *r, int64_t now_us)
{
    struct pending *first = NULL;
    for (size_t i = 0; i < LEX_REGISTRY_PENDING_MAX; i++) {
        struct pending *p = &r->pending[i];
        if (p->used && !nobody_waits(p, now_us) && (first == NULL || p->due_us < first->due_us))
            first = p;
    }
    return first;
}

static void settle_pending(struct lex_registry *r, struct pending *p, enum result result,
                           struct lex_registered *registered, const char *reason, int64_t now_us)
{
    switch (result) {
    case GOT:
        keep(r, &p->ref, registered);
        p->used = false;
        return;
    case UNKNOWN:
    case TOO_LONG:
        p->unknown_us = now_us;
        p->reason = reason;
        p->step_ms = longer(p->step_ms, LEX_REGISTRY_UNKNOWN_STEP_MAX_MS);
        break;
    case UNREACHABLE: return; /* not the id's fault: asked as soon as anybody answers */
    case FAILED:
    case MALFORMED:
    case REFUSED: p->step_ms = longer(p->step_ms, LEX_REGISTRY_BACKOFF_MAX_MS); break;
    }
    p->due_us = now_us + jittered_us(p->step_ms);
}

/* The lock is let go during the call; the entry is looked for again after it. */
static void serve_pending(struct lex_registry *r, const struct pending *due)
{
    struct lex_error err = {{0}};
    struct lex_registered *registered = NULL;
    const char *reason = "";
    struct lex_schema_ref ref = due->ref;
    (void)pthread_mutex_unlock(&r->lock);
    enum result result = fetch(r, &ref, &registered, &reason, &err);
    int64_t now_us = lex_clock_mono_us();
    tell_result(r, result, &err);
    note_reachable(r, result, now_us);
    (void)pthread_mutex_lock(&r->lock);
    struct pending *p = find_pending(r, &ref);
    if (p != NULL)
        settle_pending(r, p, result, registered, reason, now_us);
    else
        lex_registered_unref(registered);
}

static void serve_verdict(struct lex_registry *r)
{
    struct lex_error err = {{0}};
    uint32_t id = 0;
    (void)pthread_mutex_unlock(&r->lock);
    enum result result = fetch_verdict_id(r, &id, &err);
    int64_t now_us = lex_clock_mono_us();
    tell_result(r, result, &err);
    note_reachable(r, result, now_us);
    r->verdict_step_ms =
        result == UNREACHABLE ? 0 : longer(r->verdict_step_ms, LEX_REGISTRY_BACKOFF_MAX_MS);
    r->verdict_due_us = now_us + jittered_us(r->verdict_step_ms);
    if (result == GOT) {
        r->verdict_id = id;
        if (r->options.health != NULL)
            r->options.health->registry_needed = false;
        LEX_LOG(LEX_LOG_INFO, LOGGER, "Verdict schema registered",
                lex_log_str("topic", r->options.verdict_topic), lex_log_i64("id", id));
    }
    (void)pthread_mutex_lock(&r->lock);
}

static void sleep_until(struct lex_registry *r, int64_t until_us)
{
    struct timespec until = {until_us / 1000000, (long)(until_us % 1000000) * 1000};
    (void)pthread_cond_timedwait(&r->changed, &r->lock, &until);
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* One call, or a wait for the next one that is due. @return true when something was answered */
static bool serve(struct lex_registry *r)
{
    int64_t now_us = lex_clock_mono_us();
    int64_t due_us = now_us + PENDING_IDLE_US;
    const struct pending *p = next_pending(r, now_us);
    if (verdict_wanted(r))
        due_us = later(r->verdict_due_us, r->down_until_us);
    if (verdict_wanted(r) && due_us <= now_us) {
        serve_verdict(r);
        return true;
    }
    if (p != NULL && later(p->due_us, r->down_until_us) <= now_us) {
        serve_pending(r, p);
        return true;
    }
    if (p != NULL && later(p->due_us, r->down_until_us) < due_us)
        due_us = later(p->due_us, r->down_until_us);
    sleep_until(r, due_us);
    return false;
}

static void *run(void *user)
{
    struct lex_registry *r = user;
    (void)pthread_mutex_lock(&r->lock);
    while (!r->stop) {
        if (!serve(r) || r->options.wake == NULL)
            continue;
        (void)pthread_mutex_unlock(&r->lock); /* a lookup may follow at once */
        r->options.wake(r->options.user);
        (void)pthread_mutex_lock(&r->lock);
    }
    (void)pthread_mutex_unlock(&r->lock);
    return NULL;
}

/* ---- life ---- */

static enum lex_status check_auth(const char *path, const char *url, struct lex_error *err)
{
    LEX_CLEANUP(wipe) struct lex_buf secret;
    lex_buf_init(&secret, 4 * LEX_REGISTRY_AUTH_MAX_BYTES);
    LEX_TRY(authorization(path, &secret, err));
    if (path != NULL && strncmp(url, "http://", 7) == 0)
        LEX_LOG(LEX_LOG_WARNING, LOGGER,
                "Credentials for the schema registry go over plain http: use https outside of one "
                "machine");
    return LEX_OK;
}

static enum lex_status build(struct lex_registry *r, struct lex_error *err)
{
    struct lex_error why = {{0}};
    struct lex_web_options web = {.ca_file = r->options.ca_file,
                                  .timeout_ms = r->options.timeout_ms,
                                  .answer_max_bytes = LEX_REGISTRY_ANSWER_MAX_BYTES,
                                  .cancel = &r->stop};
    if (lex_web_check_url(r->options.url, &why) != LEX_OK)
        return lex_fail(err, LEX_REJECT, "schema_registry_url: %.500s", why.text);
    LEX_TRY(check_auth(r->options.auth_file, r->options.url, err));
    r->url = strdup(r->options.url);
    if (r->url == NULL)
        return lex_fail(err, LEX_LIMIT, "out of memory");
    for (size_t len = strlen(r->url); len > 0 && r->url[len - 1] == '/'; len--)
        r->url[len - 1] = 0;
    LEX_TRY(lex_web_new(&web, &r->web, err));
    if (pthread_create(&r->thread, NULL, run, r) != 0)
        return lex_fail(err, LEX_LIMIT, "the schema registry's thread does not start");
    r->started = true;
    return LEX_OK;
}

LEX_STATUS lex_registry_start(const struct lex_registry_options *options,
                              struct lex_registry **ret_registry, struct lex_error *err)
{
    pthread_condattr_t monotonic;
    struct lex_registry *r = calloc(1, sizeof *r);
    if (r == NULL)
        return lex_fail(err, LEX_LIMIT, "out of memory");
    r->options = *options;
    lex_arena_init(&r->arena, ANSWER_ARENA_BYTES, ANSWER_ARENA_MAX_BYTES);
    (void)pthread_mutex_init(&r->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&r->changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    if (options->health != NULL) {
        options->health->registry_on = true;
        options->health->registry_needed = options->verdict_id_required;
    }
    enum lex_status status = build(r, err);
    if (status != LEX_OK) {
        lex_registry_free(r);
        return status;
    }
    *ret_registry = r;
    return LEX_OK;
}

void lex_registry_stop(struct lex_registry *registry)
{
    if (registry == NULL || !registry->started)
        return;
    registry->stop = true;
    (void)pthread_mutex_lock(&registry->lock);
    (void)pthread_cond_signal(&registry->changed);
    (void)pthread_mutex_unlock(&registry->lock);
    (void)pthread_join(registry->thread, NULL);
    registry->started = false;
}

void lex_registry_free(struct lex_registry *registry)
{
    if (registry == NULL)
        return;
    lex_registry_stop(registry);
    for (size_t i = 0; i < LEX_REGISTRY_CACHED_MAX; i++)
        lex_registered_unref(registry->cached[i].registered);
    lex_web_free(registry->web);
    lex_arena_fini(&registry->arena);
    (void)pthread_cond_destroy(&registry->changed);
    (void)pthread_mutex_destroy(&registry->lock);
    free(registry->url);
    free(registry);
}

uint32_t lex_registry_verdict_id(const struct lex_registry *registry)
{
    return registry->verdict_id;
}

void lex_registry_tell_waiting(struct lex_registry *registry, int64_t more)
{
    int64_t waiting = atomic_fetch_add(&registry->waiting, more) + more;
    lex_metric_set(LEX_METRIC_SCHEMA_REGISTRY_WAITING_PARTITIONS, (double)waiting);
    if (registry->options.health != NULL)
        registry->options.health->registry_waiting = waiting;
}
