#include "consumer/backlog.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/worker/worker.h"

enum {
    RECENT_MAX = 16,             /* schemas that this worker looks up without the lock */
    KEPT_FIRST = 64,             /* room of a partition's first records */
    LONG_WAIT_US = 5000 * 1000,  /* an operator hears of it */
    PATIENCE_COMES_BACK_IN = 10, /* times what was used up */
};

static const char LOGGER[] = "lexecon.registry";
static const char HEADER[] = "__value_schema_id";

struct waiting {
    int32_t partition;
    rd_kafka_message_t **kept; /* oldest first, from `first` on */
    size_t first, end, cap;
    int64_t since_us; /* since when the oldest is waited for */
    bool told;
    bool dropped; /* more stood behind the oldest, and will be read again */
};

/* What a partition has left to wait for ids that are not known. */
struct patience {
    int32_t partition;
    int64_t left_us, at_us; /* at 0: full */
};

struct recent {
    struct lex_schema_ref ref;
    struct lex_registered *registered;
};

struct lex_backlog {
    struct lex_backlog_options options;
    struct waiting *waiting[LEX_WORKER_PARTITIONS_MAX];
    size_t waiting_count, records, bytes;
    bool must_rewind;
    struct recent recent[RECENT_MAX];
    struct lex_registered *broken; /* what a header of another form stands for */
    /* Two partitions in one place forget each other's: they have 1024 others between them. */
    struct patience patience[LEX_WORKER_PARTITIONS_MAX];
};

/* ---- patience ---- */

static struct patience *patience_of(struct lex_backlog *b, int32_t partition, int64_t now_us)
{
    struct patience *p = &b->patience[(size_t)partition % LEX_WORKER_PARTITIONS_MAX];
    int64_t full_us = b->options.unknown_ms * 1000;
    if (p->at_us == 0 || p->partition != partition)
        *p = (struct patience){partition, full_us, now_us};
    p->left_us += (now_us - p->at_us) / PATIENCE_COMES_BACK_IN;
    p->at_us = now_us;
    if (p->left_us > full_us)
        p->left_us = full_us;
    return p;
}

static void use_up(struct patience *p, int64_t waited_us)
{
    p->left_us -= waited_us < p->left_us ? waited_us : p->left_us;
}

/* ---- one record ---- */

static struct lex_span header_of(const rd_kafka_message_t *message)
{
    rd_kafka_headers_t *headers;
    const void *value;
    size_t size;
    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        rd_kafka_header_get_last(headers, HEADER, &value, &size) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return (struct lex_span){0};
    return lex_span_of(value != NULL ? value : "", size);
}

static struct recent *recent_of(struct lex_backlog *b, const struct lex_schema_ref *ref)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < sizeof ref->bytes; i++)
        sum = (uint8_t)(sum + ref->bytes[i]);
    return &b->recent[sum % RECENT_MAX];
}

static bool is_recent(const struct recent *recent, const struct lex_schema_ref *ref)
{
    return recent->registered != NULL && recent->ref.guid == ref->guid &&
           memcmp(recent->ref.bytes, ref->bytes, sizeof ref->bytes) == 0;
}

static void remember(struct lex_backlog *b, const struct lex_schema_ref *ref,
                     struct lex_registered *registered)
{
    struct recent *recent = recent_of(b, ref);
    lex_registered_unref(recent->registered);
    *recent = (struct recent){*ref, lex_registered_ref(registered)};
}

/* Patience is over: this record is refused, and the next one may be luckier. */
static struct lex_registered *give_up(struct lex_backlog *b, const rd_kafka_message_t *message,
                                      const struct lex_schema_ref *ref,
                                      const struct lex_lookup *lookup, int64_t now_us)
{
    char id[LEX_SCHEMA_REF_TEXT_MAX];
    struct lex_error text;
    lex_schema_ref_text(ref, id);
    lex_registry_give_up(b->options.registry, ref);
    (void)lex_fail(&text, LEX_REJECT,
                   "schema %s: %s (asked for %lld ms); register the schema, then send the request "
                   "again",
                   id, lookup->reason, (long long)((now_us - lookup->met_us) / 1000));
    LEX_LOG(LEX_LOG_WARNING, LOGGER, "Schema not to be had: the request is a dead letter",
            lex_log_i64("partition", message->partition), lex_log_i64("offset", message->offset),
            lex_log_str("error", text.text));
    return lex_registered_refused(LEX_UNDECODABLE_UNKNOWN_SCHEMA, text.text);
}

/* @param since_us when this record began to wait; now for one that arrives
 * @return NULL: not yet */
static struct lex_registered *resolve(struct lex_backlog *b, const rd_kafka_message_t *message,
                                      const struct lex_schema_ref *ref, int64_t since_us)
{
    const struct recent *recent = recent_of(b, ref);
    if (b->options.needs_verdict_id && lex_registry_verdict_id(b->options.registry) == 0)
        return NULL;
    if (is_recent(recent, ref))
        return lex_registered_ref(recent->registered);
    struct lex_lookup lookup = lex_registry_lookup(b->options.registry, ref);
    if (lookup.kind == LEX_LOOKUP_FOUND) {
        remember(b, ref, lookup.registered);
        return lookup.registered;
    }
    int64_t now_us = lex_clock_mono_us();
    struct patience *patience = patience_of(b, message->partition, now_us);
    if (lookup.kind == LEX_LOOKUP_WAIT || now_us - lookup.met_us < patience->left_us)
        return NULL;
    use_up(patience, now_us - since_us);
    return give_up(b, message, ref, &lookup, now_us);
}

/* @return true: `*ret` says how it is read */
static bool read_frame(struct lex_backlog *b, const rd_kafka_message_t *message, int64_t since_us,
                       struct lex_framed *ret)
{
    struct lex_schema_ref ref;
    struct lex_framed framed = {.header = header_of(message)};
    struct lex_span value = lex_span_of(message->payload, message->len);
    enum lex_framing framing = message->len > b->options.request_max_bytes
                                   ? LEX_FRAMING_NONE
                                   : lex_framing_read(value, framed.header, &ref);
    if (framing == LEX_FRAMING_BROKEN && !lex_span_absent(framed.header))
        framed.registered = lex_registered_ref(b->broken);
    if (framing == LEX_FRAMING_PREFIX || framing == LEX_FRAMING_HEADER) {
        framed.registered = resolve(b, message, &ref, since_us);
        framed.frame_bytes = framing == LEX_FRAMING_PREFIX ? LEX_CONFLUENT_FRAME_BYTES : 0;
        if (framed.registered == NULL)
            return false;
    }
    *ret = framed;
    return true;
}

/* ---- a partition that waits ---- */

static struct waiting *find(const struct lex_backlog *b, int32_t partition)
{
    for (size_t i = 0; i < b->waiting_count; i++)
        if (b->waiting[i]->partition == partition)
            return b->waiting[i];
    return NULL;
}

static size_t bytes_of(const rd_kafka_message_t *message)
{
    return message->len + message->key_len;
}

/* Take the oldest or the newest out. */
static rd_kafka_message_t *pop(struct lex_backlog *b, struct waiting *w, bool oldest)
{
    rd_kafka_message_t *message = oldest ? w->kept[w->first++] : w->kept[--w->end];
    b->records--;
    b->bytes -= bytes_of(message);
    return message;
}

static void push(struct lex_backlog *b, struct waiting *w, rd_kafka_message_t *message)
{
    if (w->end == w->cap) {
        w->cap = w->cap == 0 ? KEPT_FIRST : 2 * w->cap;
        w->kept = realloc(w->kept, w->cap * sizeof(rd_kafka_message_t *));
        LEX_ASSERT(w->kept != NULL); /* bounded by LEX_BACKLOG_MAX_RECORDS */
    }
    w->kept[w->end++] = message;
    b->records++;
    b->bytes += bytes_of(message);
}

static bool is_full(const struct lex_backlog *b)
{
    return b->records >= LEX_BACKLOG_MAX_RECORDS || b->bytes >= b->options.max_bytes;
}

/* Too much is kept: what stands behind the oldest will be read again. */
static void drop_behind(struct lex_backlog *b, struct waiting *w)
{
    while (w->end - w->first > 1)
        rd_kafka_message_destroy(pop(b, w, false));
    w->dropped = true;
}

static void append(struct lex_backlog *b, struct waiting *w, rd_kafka_message_t *message)
{
    if (w->end != w->first && !w->dropped && is_full(b))
        drop_behind(b, w);
    if (w->dropped)
        rd_kafka_message_destroy(message);
    else
        push(b, w, message);
}

static void begin_waiting(struct lex_backlog *b, rd_kafka_message_t *message)
{
    struct waiting *w = calloc(1, sizeof *w);
    LEX_ASSERT(w != NULL && b->waiting_count < LEX_WORKER_PARTITIONS_MAX);
    w->partition = message->partition;
    w->since_us = lex_clock_mono_us();
    b->waiting[b->waiting_count++] = w;
    push(b, w, message);
    lex_registry_tell_waiting(b->options.registry, 1);
    b->options.pause(b->options.user, w->partition, true);
}

static void free_waiting(struct lex_backlog *b, struct waiting *w)
{
    while (w->end != w->first)
        rd_kafka_message_destroy(pop(b, w, false));
    free(w->kept);
    free(w);
    lex_registry_tell_waiting(b->options.registry, -1);
}

/* All that it kept was handed over. Where more was dropped it stays, and drops what still arrives,
 * until everything is read again from there. */
static void end_waiting(struct lex_backlog *b, size_t index)
{
    struct waiting *w = b->waiting[index];
    if (w->dropped) {
        b->must_rewind = true;
        return;
    }
    b->options.pause(b->options.user, w->partition, false);
    b->waiting[index] = b->waiting[--b->waiting_count];
    free_waiting(b, w);
}

static void tell_long_wait(struct waiting *w, int64_t now_us)
{
    if (w->told || now_us - w->since_us < LONG_WAIT_US)
        return;
    w->told = true;
    LEX_LOG(LEX_LOG_WARNING, LOGGER, "Partition waits for the schema of its next request",
            lex_log_i64("partition", w->partition),
            lex_log_i64("offset", w->kept[w->first]->offset),
            lex_log_i64("waits_ms", (now_us - w->since_us) / 1000));
}

/* ---- public ---- */

LEX_STATUS lex_backlog_new(const struct lex_backlog_options *options,
                           struct lex_backlog **ret_backlog, struct lex_error *err)
{
    struct lex_backlog *b = calloc(1, sizeof *b);
    struct lex_registered *broken = lex_registered_refused(
        LEX_UNDECODABLE_UNKNOWN_FRAMING,
        "the header __value_schema_id is neither 01 and a GUID of 16 bytes nor 00 and an id of 4");
    if (b == NULL || broken == NULL) {
        lex_registered_unref(broken);
        free(b);
        return lex_fail(err, LEX_LIMIT, "out of memory");
    }
    b->options = *options;
    b->broken = broken;
    *ret_backlog = b;
    return LEX_OK;
}

void lex_backlog_free(struct lex_backlog *backlog)
{
    if (backlog == NULL)
        return;
    lex_backlog_clear(backlog);
    for (size_t i = 0; i < RECENT_MAX; i++)
        lex_registered_unref(backlog->recent[i].registered);
    lex_registered_unref(backlog->broken);
    free(backlog);
}

bool lex_backlog_admit(struct lex_backlog *backlog, rd_kafka_message_t *message,
                       struct lex_framed *ret)
{
    struct waiting *w = find(backlog, message->partition);
    if (w != NULL)
        append(backlog, w, message);
    else if (read_frame(backlog, message, lex_clock_mono_us(), ret))
        return true;
    else
        begin_waiting(backlog, message);
    return false;
}

size_t lex_backlog_take(struct lex_backlog *backlog, rd_kafka_message_t **ret_messages,
                        struct lex_framed *ret_framed, size_t max)
{
    size_t count = 0;
    int64_t now_us = lex_clock_mono_us();
    for (size_t i = backlog->waiting_count; i-- > 0;) {
        struct waiting *w = backlog->waiting[i];
        while (w->first != w->end && count < max &&
               read_frame(backlog, w->kept[w->first], w->since_us, &ret_framed[count])) {
            ret_messages[count++] = pop(backlog, w, true);
            w->since_us = now_us;
            w->told = false;
        }
        if (w->first == w->end)
            end_waiting(backlog, i);
        else
            tell_long_wait(w, now_us);
    }
    return count;
}

bool lex_backlog_must_rewind(const struct lex_backlog *backlog)
{
    return backlog->must_rewind;
}

void lex_backlog_clear(struct lex_backlog *backlog)
{
    while (backlog->waiting_count != 0)
        free_waiting(backlog, backlog->waiting[--backlog->waiting_count]);
    backlog->must_rewind = false;
}

void lex_backlog_each(const struct lex_backlog *backlog,
                      void (*each)(void *user, const rd_kafka_message_t *message), void *user)
{
    for (size_t i = 0; i < backlog->waiting_count; i++)
        for (size_t k = backlog->waiting[i]->first; k < backlog->waiting[i]->end; k++)
            each(user, backlog->waiting[i]->kept[k]);
}

bool lex_backlog_keeps(const struct lex_backlog *backlog, int32_t partition)
{
    return find(backlog, partition) != NULL;
}

size_t lex_backlog_waiting(const struct lex_backlog *backlog)
{
    return backlog->waiting_count;
}
