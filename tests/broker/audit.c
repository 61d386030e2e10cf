/* lex_audit: a reader that counts. Was every request answered once, in order, on one chain?
 *
 * It shares nothing with the worker but the formats (codec, hashes, signatures): the requests are
 * read from their topic, what each must lead to follows from its key, and verdicts, ledger entries
 * and dead letters are matched with them one by one. A request "p-i" is the load's request i of
 * partition p; one whose key begins with "bad-" cannot be decoded.
 *
 * Properties are checked in one pass over each topic, so the first violation ends the program with
 * the place where it stands; the lines "ok - ..." are printed only when nothing was found. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/json.h"
#include "core/codec/codec.h"
#include "core/crypto/crypto.h"
#include "core/ledger/store.h"
#include "tests/broker/topic.h"

enum { MIRRORS_MAX = 8, REASON_MAX = 32, ARENA_MAX_BYTES = 64 << 20 };

struct request {
    int64_t offset;
    long i; /* of "p-i"; -1: it cannot be decoded */
};

struct entry {
    struct lex_hash leaf;
    int64_t kafka_offset, source_offset;
    enum lex_event_type type;
    bool matched; /* by a verdict, or a dead letter */
    char reason[REASON_MAX];
};

struct part {
    struct request *requests;
    size_t requests_count, requests_cap;
    int64_t begin, end; /* of the request partition */

    struct entry *entries; /* by seq */
    size_t entries_count, entries_cap;
    char origin[LEX_ORIGIN_MAX_BYTES];
    struct lex_hash prev;
    int64_t settled; /* the last request offset that an entry settled */
    size_t next;     /* of requests, the first that no entry settled */
    bool has_policy;
    struct lex_hash policy;

    int64_t last_verdict;
    bool has_proof; /* of the last verified signature: what it covers */
    struct lex_hash root;
    int64_t size;
    uint8_t signature[LEX_SIGNATURE_BYTES], key_id[LEX_KEY_ID_BYTES];
};

struct audit {
    const char *bootstrap, *pins_path, *mirrors[MIRRORS_MAX];
    size_t mirrors_count;
    const char *prefix;
    char requests[256], verdicts[256], ledger[256], dead_letters[256];
    long count;
    struct lex_pins *pins;
    struct part *parts;
    int parts_count;
    struct lex_arena arena;
    size_t total_requests, total_verdicts, total_entries, total_dead_letters, total_lost;
    size_t events[LEX_EVENT_TYPE_COUNT], signatures;
};

static const char *wanted = "";

/* A violation: the property, the place, what is there. */
static void violated(const char *topic, int32_t partition, int64_t offset, int64_t seq,
                     const char *format, ...) __attribute__((format(printf, 5, 6), noreturn));
static void violated(const char *topic, int32_t partition, int64_t offset, int64_t seq,
                     const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("not ok - %s\n# %s partition %d offset %lld seq %lld: ", wanted, topic, partition,
           (long long)offset, (long long)seq);
    (void)vprintf(format, args);
    (void)putchar('\n');
    va_end(args);
    exit(1);
}

static void *grow(void *items, size_t count, size_t *cap, size_t size)
{
    if (count < *cap)
        return items;
    *cap = *cap == 0 ? 1024 : 2 * *cap;
    items = realloc(items, *cap * size);
    if (items == NULL)
        topic_die("out of memory");
    return items;
}

static struct part *part_of(struct audit *a, const char *topic, const rd_kafka_message_t *message)
{
    if (message->partition >= a->parts_count)
        violated(topic, message->partition, message->offset, -1,
                 "a partition that the request topic does not have");
    return &a->parts[message->partition];
}

static struct lex_span value_of(const rd_kafka_message_t *message)
{
    return lex_span_of(message->payload, message->len);
}

static struct lex_span key_of(const rd_kafka_message_t *message)
{
    return lex_span_of(message->key, message->key_len);
}

/* ---- requests ---- */

/* "p-i", or "bad-..." */
static long number_of(struct lex_span key, int32_t partition)
{
    char text[64], *end;
    if (key.len >= 4 && memcmp(key.data, "bad-", 4) == 0)
        return -1;
    (void)snprintf(text, sizeof text, "%.*s", LEX_SPAN_FMT(key));
    long p = strtol(text, &end, 10);
    if (p != partition || *end != '-')
        topic_die("the request key %s is none of lex_load's for partition %d", text, partition);
    return strtol(end + 1, NULL, 10);
}

static void take_request(void *user, const rd_kafka_message_t *message)
{
    struct audit *a = user;
    struct part *part = part_of(a, a->requests, message);
    part->requests =
        grow(part->requests, part->requests_count, &part->requests_cap, sizeof *part->requests);
    part->requests[part->requests_count++] =
        (struct request){message->offset, number_of(key_of(message), message->partition)};
    a->total_requests++;
}

/* ---- the ledger ---- */

/* What example_policy.json says of the load's four kinds of request, worked out by hand. */
static const struct {
    const char *actor, *action, *reason;
    enum lex_outcome outcome;
} ANSWERS[] = {
    {"user", "read", "PERMITTED", LEX_OUTCOME_APPROVED},
    {"model", "search", "PERMITTED", LEX_OUTCOME_APPROVED},
    {"model", "write", "FORBIDDEN", LEX_OUTCOME_DENIED},
    {"user", "write", "PERMITTED", LEX_OUTCOME_APPROVED},
};

static bool says(struct lex_span span, const char *text)
{
    return lex_span_eq(span, lex_span_str(text));
}

static const struct lex_json *member(const struct audit *a, const struct lex_json *object,
                                     const char *name, const rd_kafka_message_t *at, int64_t seq)
{
    const struct lex_json *found = lex_json_get(object, name);
    if (found == NULL)
        violated(a->ledger, at->partition, at->offset, seq, "its detail has no %s", name);
    return found;
}

static const struct lex_json *detail_of(struct audit *a, const struct lex_ledger_entry *entry,
                                        const rd_kafka_message_t *at)
{
    const struct lex_json *root = NULL;
    struct lex_error err;
    if (lex_json_parse(&a->arena, entry->detail, &root, &err) != LEX_OK)
        violated(a->ledger, at->partition, at->offset, entry->seq, "its detail: %s", err.text);
    return root;
}

/* The request that an entry settles is the next one that nothing settled, or one that the topic has
 * deleted since. NULL for the latter. */
static const struct request *settle(struct audit *a, struct part *part,
                                    const struct lex_ledger_entry *entry,
                                    const rd_kafka_message_t *at)
{
    int64_t offset = entry->source.offset;
    if (entry->source.partition != at->partition || !says(entry->source.topic, a->requests))
        violated(a->ledger, at->partition, at->offset, entry->seq,
                 "its source is another partition: %d", entry->source.partition);
    if (offset <= part->settled)
        violated(a->ledger, at->partition, at->offset, entry->seq,
                 "it settles request %lld, and %lld was settled before it", (long long)offset,
                 (long long)part->settled);
    part->settled = offset;
    if (offset < part->begin)
        return NULL;
    if (part->next == part->requests_count || part->requests[part->next].offset != offset)
        violated(a->ledger, at->partition, at->offset, entry->seq,
                 "it settles request %lld, but the next unsettled one is %lld", (long long)offset,
                 part->next < part->requests_count ? (long long)part->requests[part->next].offset
                                                   : -1LL);
    return &part->requests[part->next++];
}

static void check_decision(struct audit *a, struct part *part, const struct lex_ledger_entry *entry,
                           const rd_kafka_message_t *at)
{
    const struct request *request = settle(a, part, entry, at);
    char id[64];
    if (!part->has_policy || entry->policy_hash.len != LEX_HASH_BYTES ||
        memcmp(entry->policy_hash.data, part->policy.bytes, LEX_HASH_BYTES) != 0)
        violated(a->ledger, at->partition, at->offset, entry->seq,
                 "it names another policy than the chain's last policy entry");
    if (!lex_span_eq(entry->request_id, key_of(at)))
        violated(a->ledger, at->partition, at->offset, entry->seq,
                 "the key %.*s is not the request's id", (int)at->key_len, (const char *)at->key);
    if (request == NULL)
        return;
    (void)snprintf(id, sizeof id, "%d-%ld", at->partition, request->i);
    if (request->i < 0 || !says(entry->request_id, id))
        violated(a->ledger, at->partition, at->offset, entry->seq,
                 "a decision about %.*s, where the request's key says %s",
                 LEX_SPAN_FMT(entry->request_id), request->i < 0 ? "bad" : id);
    size_t kind = (size_t)request->i % LEX_COUNT_OF(ANSWERS);
    if (!says(entry->actor, ANSWERS[kind].actor) || !says(entry->action, ANSWERS[kind].action) ||
        entry->outcome != ANSWERS[kind].outcome ||
        !says(entry->reason_code, ANSWERS[kind].reason) ||
        entry->allowed != (ANSWERS[kind].outcome == LEX_OUTCOME_APPROVED))
        violated(a->ledger, at->partition, at->offset, entry->seq,
                 "%.*s may not be answered %.*s: %s %s is %s", LEX_SPAN_FMT(entry->request_id),
                 LEX_SPAN_FMT(entry->reason_code), ANSWERS[kind].actor, ANSWERS[kind].action,
                 ANSWERS[kind].reason);
}

static void check_rejection(struct audit *a, struct part *part,
                            const struct lex_ledger_entry *entry, struct entry *kept,
                            const rd_kafka_message_t *at)
{
    const struct request *request = settle(a, part, entry, at);
    const struct lex_json *reason = member(a, detail_of(a, entry, at), "reason", at, entry->seq);
    (void)snprintf(kept->reason, sizeof kept->reason, "%.*s", LEX_SPAN_FMT(reason->text));
    if (request != NULL && request->i >= 0)
        violated(a->ledger, at->partition, at->offset, entry->seq,
                 "request %ld can be decoded, and was rejected: %s", request->i, kept->reason);
}

/* Requests that nobody decided: only those that the topic does not have any more. */
static void check_recovery(struct audit *a, struct part *part, const struct lex_ledger_entry *entry,
                           const rd_kafka_message_t *at)
{
    int64_t from, to;
    const struct lex_json *detail = detail_of(a, entry, at);
    const struct lex_json *gap = member(a, detail, "source_gap", at, entry->seq);
    printf("# recovery at %d/%lld: %.*s%s%.*s\n", at->partition, (long long)entry->seq,
           LEX_SPAN_FMT(member(a, detail, "kind", at, entry->seq)->text),
           gap->type == LEX_JSON_NULL ? "" : ", undecided ", LEX_SPAN_FMT(gap->text));
    if (gap->type == LEX_JSON_NULL)
        return;
    if (lex_json_int64(member(a, gap, "from", at, entry->seq)->text, &from) != LEX_OK ||
        lex_json_int64(member(a, gap, "to", at, entry->seq)->text, &to) != LEX_OK)
        violated(a->ledger, at->partition, at->offset, entry->seq, "its range is no range");
    if (from != part->settled + 1 || to < from || to >= part->begin)
        violated(a->ledger, at->partition, at->offset, entry->seq,
                 "it gives up requests %lld to %lld, where %lld is next and %lld is still there",
                 (long long)from, (long long)to, (long long)part->settled + 1,
                 (long long)part->begin);
    part->settled = to;
    a->total_lost += (size_t)(to - from + 1);
}

static void check_by_type(struct audit *a, struct part *part, const struct lex_ledger_entry *entry,
                          struct entry *kept, const rd_kafka_message_t *at)
{
    bool answers = entry->event_type == LEX_EVENT_TYPE_DECISION ||
                   entry->event_type == LEX_EVENT_TYPE_REJECTION;
    if ((entry->event_type == LEX_EVENT_TYPE_GENESIS) != (entry->seq == 0))
        violated(a->ledger, at->partition, at->offset, entry->seq,
                 "genesis stands first, and nowhere else");
    if (entry->event_type == LEX_EVENT_TYPE_DECISION)
        check_decision(a, part, entry, at);
    if (entry->event_type == LEX_EVENT_TYPE_REJECTION)
        check_rejection(a, part, entry, kept, at);
    if (entry->event_type == LEX_EVENT_TYPE_RECOVERY)
        check_recovery(a, part, entry, at);
    if (entry->event_type == LEX_EVENT_TYPE_POLICY) {
        if (entry->policy_hash.len != LEX_HASH_BYTES)
            violated(a->ledger, at->partition, at->offset, entry->seq, "a policy without its hash");
        part->has_policy = true;
        memcpy(part->policy.bytes, entry->policy_hash.data, LEX_HASH_BYTES);
    }
    if (!answers && entry->source.offset != part->settled)
        violated(a->ledger, at->partition, at->offset, entry->seq,
                 "an event's source is %lld, not the last settled request, %lld",
                 (long long)entry->source.offset, (long long)part->settled);
}

static void take_entry(void *user, const rd_kafka_message_t *message)
{
    struct audit *a = user;
    struct part *part = part_of(a, a->ledger, message);
    struct lex_ledger_entry entry;
    struct lex_error err;
    struct entry kept = {.kafka_offset = message->offset};
    int64_t seq = (int64_t)part->entries_count;
    lex_arena_reset(&a->arena);
    if (lex_decode_framed(&lex_type_ledger_entry, value_of(message), &a->arena, &entry, &err) !=
        LEX_OK)
        violated(a->ledger, message->partition, message->offset, seq, "no entry: %s", err.text);
    if (entry.seq != seq)
        violated(a->ledger, message->partition, message->offset, entry.seq, "expected seq %lld",
                 (long long)seq);
    if (!says(entry.log, part->origin))
        violated(a->ledger, message->partition, message->offset, seq, "it belongs to the log %.*s",
                 LEX_SPAN_FMT(entry.log));
    if (entry.prev.len != LEX_HASH_BYTES ||
        memcmp(entry.prev.data, part->prev.bytes, LEX_HASH_BYTES) != 0)
        violated(a->ledger, message->partition, message->offset, seq,
                 "prev is not the hash of the entry before");
    check_by_type(a, part, &entry, &kept, message);
    lex_leaf_hash(value_of(message), &part->prev);
    kept.leaf = part->prev;
    kept.source_offset = entry.source.offset;
    kept.type = entry.event_type;
    part->entries =
        grow(part->entries, part->entries_count, &part->entries_cap, sizeof *part->entries);
    part->entries[part->entries_count++] = kept;
    a->events[entry.event_type]++;
    a->total_entries++;
}

static void check_all_settled(struct audit *a)
{
    for (int p = 0; p < a->parts_count; p++) {
        const struct part *part = &a->parts[p];
        if (part->next < part->requests_count)
            violated(a->requests, p, part->requests[part->next].offset, -1,
                     "request %ld has no entry; %zu of the partition have none",
                     part->requests[part->next].i, part->requests_count - part->next);
    }
}

/* ---- verdicts ---- */

static bool same_proof(const struct part *part, const struct lex_attestation *proof,
                       const struct lex_hash *root)
{
    return part->has_proof && part->size == proof->size && lex_hash_eq(&part->root, root) &&
           proof->signature.len == LEX_SIGNATURE_BYTES && proof->key_id.len == LEX_KEY_ID_BYTES &&
           memcmp(part->signature, proof->signature.data, LEX_SIGNATURE_BYTES) == 0 &&
           memcmp(part->key_id, proof->key_id.data, LEX_KEY_ID_BYTES) == 0;
}

/* One signature serves many verdicts: where the path leads to the root that it was just verified
 * over, under the same key, it need not be verified again. */
static void check_proof(struct audit *a, struct part *part, const struct lex_hash *leaf,
                        const struct lex_attestation *proof, const rd_kafka_message_t *at,
                        int64_t seq)
{
    struct lex_hash root;
    struct lex_error err;
    if (lex_merkle_root_of(leaf, proof->index, proof->size, proof->path, &root) != LEX_OK)
        violated(a->verdicts, at->partition, at->offset, seq, "its path does not fit its tree");
    if (same_proof(part, proof, &root))
        return;
    if (lex_attestation_verify(a->pins, lex_span_str(part->origin), leaf, proof, &err) != LEX_OK)
        violated(a->verdicts, at->partition, at->offset, seq, "%s", err.text);
    part->has_proof = true;
    part->root = root;
    part->size = proof->size;
    memcpy(part->signature, proof->signature.data, LEX_SIGNATURE_BYTES);
    memcpy(part->key_id, proof->key_id.data, LEX_KEY_ID_BYTES);
    a->signatures++;
}

static void check_verdict(struct audit *a, struct part *part, const struct lex_verdict *verdict,
                          struct lex_span entry_value, const rd_kafka_message_t *at)
{
    struct lex_hash leaf;
    int64_t seq = verdict->entry.seq;
    if (seq < 0 || (size_t)seq >= part->entries_count)
        violated(a->verdicts, at->partition, at->offset, seq, "the ledger has no such entry");
    struct entry *entry = &part->entries[seq];
    lex_leaf_hash(entry_value, &leaf);
    if (!lex_hash_eq(&leaf, &entry->leaf))
        violated(a->verdicts, at->partition, at->offset, seq,
                 "its entry is not the ledger's, byte for byte");
    if (entry->type != LEX_EVENT_TYPE_DECISION)
        violated(a->verdicts, at->partition, at->offset, seq, "its entry is no decision");
    if (entry->matched)
        violated(a->verdicts, at->partition, at->offset, seq, "the second verdict of its entry");
    if (seq <= part->last_verdict)
        violated(a->verdicts, at->partition, at->offset, seq,
                 "it stands behind the verdict of %lld", (long long)part->last_verdict);
    if (!lex_span_eq(verdict->entry.request_id, key_of(at)))
        violated(a->verdicts, at->partition, at->offset, seq,
                 "the key %.*s is not the request's id", (int)at->key_len, (const char *)at->key);
    part->last_verdict = seq;
    entry->matched = true;
    check_proof(a, part, &leaf, &verdict->attestation, at, seq);
}

static void take_verdict(void *user, const rd_kafka_message_t *message)
{
    struct audit *a = user;
    struct part *part = part_of(a, a->verdicts, message);
    struct lex_span value = value_of(message), entry_value;
    struct lex_verdict verdict;
    struct lex_error err;
    lex_arena_reset(&a->arena);
    bool avro = value.len > 2 && (value.data[0] == 0xc3 || value.data[0] == 0x00);
    enum lex_status status =
        avro ? lex_decode_verdict(value, &a->arena, &verdict, &entry_value, &err)
             : lex_decode_verdict_json(value, &a->arena, &verdict, &entry_value, &err);
    if (status != LEX_OK)
        violated(a->verdicts, message->partition, message->offset, -1, "no verdict: %s", err.text);
    check_verdict(a, part, &verdict, entry_value, message);
    a->total_verdicts++;
}

/* ---- dead letters ---- */

static struct lex_span header(const struct audit *a, const rd_kafka_message_t *message,
                              const char *name)
{
    rd_kafka_headers_t *headers;
    const void *value;
    size_t size;
    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        rd_kafka_header_get_last(headers, name, &value, &size) != RD_KAFKA_RESP_ERR_NO_ERROR)
        violated(a->dead_letters, message->partition, message->offset, -1, "no header %s", name);
    return lex_span_of(value, size);
}

static struct entry *rejection_of(struct part *part, int64_t source_offset)
{
    for (size_t i = 0; i < part->entries_count; i++)
        if (part->entries[i].type == LEX_EVENT_TYPE_REJECTION &&
            part->entries[i].source_offset == source_offset)
            return &part->entries[i];
    return NULL;
}

static void take_dead_letter(void *user, const rd_kafka_message_t *message)
{
    struct audit *a = user;
    struct part *part = part_of(a, a->dead_letters, message);
    int64_t offset = -1, partition = -1;
    struct lex_span reason = header(a, message, "__connect.errors.exception.class.name");
    if (lex_json_int64(header(a, message, "__connect.errors.offset"), &offset) != LEX_OK ||
        lex_json_int64(header(a, message, "__connect.errors.partition"), &partition) != LEX_OK ||
        partition != message->partition)
        violated(a->dead_letters, message->partition, message->offset, -1,
                 "its headers name no request of this partition");
    struct entry *entry = rejection_of(part, offset);
    if (entry == NULL || entry->matched)
        violated(a->dead_letters, message->partition, message->offset, -1,
                 "request %lld has %s rejection", (long long)offset,
                 entry ? "one letter per" : "no");
    if (!says(reason, entry->reason))
        violated(a->dead_letters, message->partition, message->offset, entry - part->entries,
                 "it says %.*s, the ledger %s", LEX_SPAN_FMT(reason), entry->reason);
    entry->matched = true;
    a->total_dead_letters++;
}

static void check_matched(struct audit *a, enum lex_event_type type, const char *topic)
{
    for (int p = 0; p < a->parts_count; p++)
        for (size_t i = 0; i < a->parts[p].entries_count; i++) {
            const struct entry *entry = &a->parts[p].entries[i];
            if (entry->type == type && !entry->matched)
                violated(topic, p, -1, (int64_t)i, "nothing for request %lld",
                         (long long)entry->source_offset);
        }
}

/* ---- mirrors ---- */

static void check_row(const struct part *part, const char *path, int32_t p,
                      const struct lex_store_row *row)
{
    struct lex_hash leaf;
    lex_leaf_hash(row->value, &leaf);
    if (row->seq < 0 || (size_t)row->seq >= part->entries_count ||
        row->kafka_offset != part->entries[row->seq].kafka_offset ||
        !lex_hash_eq(&leaf, &part->entries[row->seq].leaf))
        violated(path, p, row->kafka_offset, row->seq, "the row is not the topic's record");
}

static void check_mirror_partition(struct audit *a, struct lex_store *store, const char *path,
                                   int32_t p)
{
    struct lex_error err;
    struct lex_store_row row;
    struct lex_store_position position;
    const struct part *part = &a->parts[p];
    bool found = true;
    int64_t rows = 0;
    if (lex_store_position(store, p, &position, &found, &err) != LEX_OK ||
        lex_store_walk(store, p, 0, &err) != LEX_OK)
        topic_die("%s: %s", path, err.text);
    if (part->entries_count != 0 && (!found || position.next_seq != (int64_t)part->entries_count))
        violated(path, p, -1, found ? position.next_seq : -1,
                 "the mirror's position is not the ledger's end, %zu", part->entries_count);
    for (;;) {
        if (lex_store_walk_next(store, &row, &found, &err) != LEX_OK)
            topic_die("%s: %s", path, err.text);
        if (!found)
            break;
        if (row.seq != rows)
            violated(path, p, row.kafka_offset, row.seq, "row %lld is missing", (long long)rows);
        check_row(part, path, p, &row);
        rows++;
    }
    if (rows != (int64_t)part->entries_count)
        violated(path, p, -1, rows, "%lld rows, %zu entries", (long long)rows, part->entries_count);
}

static void check_mirror(struct audit *a, const char *path)
{
    struct lex_store *store;
    struct lex_error err;
    int64_t broken;
    if (lex_store_open(path, LEX_STORE_READ, &store, &err) != LEX_OK ||
        lex_store_count_broken(store, &broken, &err) != LEX_OK)
        topic_die("%s: %s", path, err.text);
    if (broken != 0)
        violated(path, -1, -1, -1, "it keeps %lld broken records", (long long)broken);
    for (int p = 0; p < a->parts_count; p++)
        check_mirror_partition(a, store, path, p);
    lex_store_close(store);
}

/* ---- the program ---- */

static void prepare_parts(struct audit *a)
{
    rd_kafka_t *rk = topic_consumer(&(struct topic_client){a->bootstrap, NULL, false});
    int64_t *begins, *ends;
    struct lex_span prefix = lex_pins_origin_prefix(a->pins);
    a->parts_count = topic_partitions(rk, a->requests);
    a->parts = calloc((size_t)a->parts_count + 1, sizeof *a->parts);
    topic_range(rk, a->requests, a->parts_count, &begins, &ends);
    for (int p = 0; p < a->parts_count; p++) {
        struct part *part = &a->parts[p];
        part->begin = begins[p];
        part->end = ends[p];
        part->settled = part->last_verdict = -1;
        (void)snprintf(part->origin, sizeof part->origin, "%.*s/%s/%d", LEX_SPAN_FMT(prefix),
                       a->ledger, p);
        lex_genesis_hash(lex_span_str(part->origin), &part->prev);
    }
    free(begins);
    free(ends);
    rd_kafka_destroy(rk);
}

static void settle_topics(const struct audit *a)
{
    const char *const topics[] = {a->verdicts, a->ledger, a->dead_letters};
    wanted = "no transaction is left open";
    for (size_t i = 0; i < LEX_COUNT_OF(topics); i++)
        if (!topic_settle(a->bootstrap, topics[i], 30))
            violated(topics[i], -1, -1, -1, "a transaction is open for 30 s");
}

static void read_all(struct audit *a)
{
    const struct topic_client client = {a->bootstrap, NULL, true};
    topic_read(&client, a->requests, take_request, a);
    wanted = "as many requests as were put";
    if (a->count > 0 && a->total_requests != (size_t)a->count)
        violated(a->requests, -1, -1, -1, "%zu requests, expected %ld", a->total_requests,
                 a->count);
    wanted = "one chained entry per request, in order, with the right answer";
    topic_read(&client, a->ledger, take_entry, a);
    check_all_settled(a);
    wanted = "one verdict per decision, its entry the ledger's, its signature good";
    topic_read(&client, a->verdicts, take_verdict, a);
    check_matched(a, LEX_EVENT_TYPE_DECISION, a->verdicts);
    wanted = "one dead letter per rejection";
    topic_read(&client, a->dead_letters, take_dead_letter, a);
    check_matched(a, LEX_EVENT_TYPE_REJECTION, a->dead_letters);
    wanted = "the mirror equals the ledger";
    for (size_t i = 0; i < a->mirrors_count; i++)
        check_mirror(a, a->mirrors[i]);
}

static void report(const struct audit *a)
{
    printf("# requests %zu verdicts %zu entries %zu dead-letters %zu lost %zu signatures %zu\n",
           a->total_requests, a->total_verdicts, a->total_entries, a->total_dead_letters,
           a->total_lost, a->signatures);
    printf("# events");
    for (int type = 0; type < LEX_EVENT_TYPE_COUNT; type++)
        if (a->events[type] != 0)
            printf(" %.*s %zu", LEX_SPAN_FMT(lex_event_type_name((enum lex_event_type)type)),
                   a->events[type]);
    printf("\nok - exactly one ledger entry per request, in order\n"
           "ok - every chain is dense from genesis, and every entry names the one before\n"
           "ok - every answer is what the policy says, under the chain's last policy\n"
           "ok - exactly one verdict per decision, its entry the ledger's byte for byte\n"
           "ok - every verdict's signature is a pinned key's\n"
           "ok - dead letters and rejections are one to one\n");
    if (a->mirrors_count != 0)
        printf("ok - %zu mirrors equal the ledger\n", a->mirrors_count);
}

static int usage(void)
{
    (void)fputs("usage: lex_audit --bootstrap HOST:PORT --pins FILE [--prefix lexecon]\n"
                "         [--count REQUESTS] [--mirror FILE]...\n"
                "Exit status: 0 nothing found; 1 a violation; 2 it could not look.\n",
                stderr);
    return 2;
}

static bool take_flag(struct audit *a, const char *flag, const char *value)
{
    if (strcmp(flag, "--bootstrap") == 0)
        a->bootstrap = value;
    else if (strcmp(flag, "--pins") == 0)
        a->pins_path = value;
    else if (strcmp(flag, "--prefix") == 0)
        a->prefix = value;
    else if (strcmp(flag, "--count") == 0)
        a->count = strtol(value, NULL, 10);
    else if (strcmp(flag, "--mirror") == 0 && a->mirrors_count < MIRRORS_MAX)
        a->mirrors[a->mirrors_count++] = value;
    else
        return false;
    return true;
}

static void name_topics(struct audit *a)
{
    (void)snprintf(a->requests, sizeof a->requests, "%s.requests", a->prefix);
    (void)snprintf(a->verdicts, sizeof a->verdicts, "%s.verdicts", a->prefix);
    (void)snprintf(a->ledger, sizeof a->ledger, "%s.ledger", a->prefix);
    (void)snprintf(a->dead_letters, sizeof a->dead_letters, "%s.dead-letters", a->prefix);
}

int main(int argc, char **argv)
{
    static struct audit a = {.prefix = "lexecon"};
    struct lex_error err;
    for (int i = 1; i + 1 < argc; i += 2)
        if (!take_flag(&a, argv[i], argv[i + 1]))
            return usage();
    if (a.bootstrap == NULL || a.pins_path == NULL || argc % 2 == 0)
        return usage();
    if (lex_crypto_init(&err) != LEX_OK || lex_pins_load(a.pins_path, &a.pins, &err) != LEX_OK)
        topic_die("%s", err.text);
    lex_arena_init(&a.arena, 256 << 10, ARENA_MAX_BYTES);
    name_topics(&a);
    prepare_parts(&a);
    settle_topics(&a);
    read_all(&a);
    report(&a);
    for (int p = 0; p < a.parts_count; p++) {
        free(a.parts[p].requests);
        free(a.parts[p].entries);
    }
    free(a.parts);
    lex_pins_free(a.pins);
    lex_arena_fini(&a.arena);
    return 0;
}
