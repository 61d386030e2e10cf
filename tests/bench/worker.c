/* lex_bench_worker: the worker alone, without Kafka: bytes in, outputs out, nothing sent. What a
 * decision costs us, apart from what Kafka costs. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/worker/worker.h"

enum { BATCH = 1000 };

struct bench {
    struct lex_worker *worker;
    struct lex_actions actions;
    struct lex_record records[BATCH];
    int64_t offset;
    size_t outputs, output_bytes;
};

static void must(enum lex_status status, const struct lex_error *err)
{
    if (status == LEX_OK)
        return;
    (void)fprintf(stderr, "lex_bench_worker: %s\n", err->text);
    exit(1);
}

static void feed(struct bench *b, struct lex_event event)
{
    event.wall_us = lex_clock_wall_us();
    event.mono_us = lex_clock_mono_us();
    lex_worker_step(b->worker, &event, &b->actions);
}

/* Answer the last action; true when it was a poll, whose answer is the caller's. */
static bool answer(struct bench *b)
{
    static const int32_t partition = 0;
    static const struct lex_offset_found offset = {
        .status = LEX_OK, .offset = -1, .high = INT32_MAX};
    static const struct lex_tail_found tail = {.status = LEX_OK};
    const struct lex_action *action = &b->actions.items[b->actions.count - 1];
    switch (action->kind) {
    case LEX_ACTION_INIT:
        feed(b, (struct lex_event){.kind = LEX_EVENT_INITED, .status = LEX_OK});
        feed(b,
             (struct lex_event){.kind = LEX_EVENT_ASSIGNED, .partitions = &partition, .count = 1});
        return false;
    case LEX_ACTION_FETCH_OFFSETS:
        feed(b, (struct lex_event){.kind = LEX_EVENT_OFFSETS, .offsets = &offset, .count = 1});
        return false;
    case LEX_ACTION_FETCH_TAIL:
        feed(b, (struct lex_event){.kind = LEX_EVENT_TAIL, .tails = &tail, .count = 1});
        return false;
    case LEX_ACTION_PUBLISH:
        b->outputs += action->count;
        for (size_t i = 0; i < action->count; i++)
            b->output_bytes += action->outputs[i].value.len;
        feed(b, (struct lex_event){.kind = LEX_EVENT_PUBLISHED,
                                   .published = action->commit ? LEX_PUBLISHED_COMMITTED
                                                               : LEX_PUBLISHED_QUEUED});
        return false;
    default: return true;
    }
}

static struct lex_span request(struct lex_arena *arena, bool avro)
{
    static const struct lex_member context[] = {
        {LEX_SPAN_INIT("purpose"), {.type = LEX_VALUE_STRING, .text = LEX_SPAN_INIT("support")}},
        {LEX_SPAN_INIT("ticket"), {.type = LEX_VALUE_LONG, .i64 = 48213}}};
    struct lex_span value;
    struct lex_request r = {
        .request_id = LEX_SPAN("3-48213"),
        .actor = LEX_SPAN("user"),
        .proposed_action = LEX_SPAN("read"),
        .tool = LEX_SPAN("crm.lookup"),
        .user_intent = LEX_SPAN("find the customer's last invoice"),
        .resource = LEX_SPAN("res:crm/customers"),
        .risk_level = 1,
        .context = {context, LEX_COUNT_OF(context)},
        .user_id = LEX_SPAN("u-4711"),
    };
    struct lex_error err = {{0}};
    must(lex_encode_request(avro ? LEX_FORMAT_AVRO : LEX_FORMAT_JSON, &r, arena, &value), &err);
    return value;
}

static void run(struct bench *b, struct lex_span value, long rounds, const char *name)
{
    b->outputs = b->output_bytes = 0;
    int64_t begin_us = lex_clock_mono_us();
    for (long round = 0; round < rounds; round++) {
        for (size_t i = 0; i < BATCH; i++)
            b->records[i] = (struct lex_record){.offset = b->offset++,
                                                .timestamp_ms = 1700000000000,
                                                .key = LEX_SPAN("3-48213"),
                                                .value = value};
        feed(b,
             (struct lex_event){.kind = LEX_EVENT_RECORDS, .records = b->records, .count = BATCH});
        while (!answer(b))
            ;
    }
    double ns = (double)(lex_clock_mono_us() - begin_us) * 1000 / (double)(rounds * BATCH);
    printf("%-5s %7.0f ns a decision, verdict and entry %zu bytes\n", name, ns,
           b->output_bytes / (b->outputs / 2));
}

int main(int argc, char **argv)
{
    static struct bench b;
    static const uint8_t seed[32] = {1};
    struct lex_error err = {{0}};
    struct lex_keyring *keyring;
    struct lex_codec *codec;
    struct lex_policy *policy;
    struct lex_arena arena;
    if (argc < 2) {
        (void)fputs("usage: lex_bench_worker POLICY [THOUSANDS]\n", stderr);
        return 2;
    }
    long rounds = argc > 2 ? strtol(argv[2], NULL, 10) : 200;
    must(lex_crypto_init(&err), &err);
    must(lex_keyring_from_seed(seed, "bench/one", &keyring, &err), &err);
    must(lex_codec_new(&(struct lex_codec_options){0}, &codec, &err), &err);
    must(lex_policy_load_path(argv[1], &policy, &err), &err);
    struct lex_worker_options options = {
        .keyring = keyring,
        .codec = codec,
        .node_id = LEX_SPAN("bench"),
        .origin_prefix = LEX_SPAN("bench/one"),
        .requests_topic = LEX_SPAN("lexecon.requests"),
        .ledger_topic = LEX_SPAN("lexecon.ledger"),
        .ttl_us = 300000000,
        .commit_interval_us = 50000,
        .commit_max_records = 10000,
        .commit_max_bytes = 64 << 20,
        .batch_max_records = BATCH,
        .sign_batch_max = 256,
        .request_max_bytes = 1 << 20,
        .dead_letter_max_bytes = 65536,
        .output_max_bytes = 1900000,
        .arena_max_bytes = 64 << 20,
    };
    must(lex_worker_new(&options, &b.worker, &err), &err);
    feed(&b, (struct lex_event){.kind = LEX_EVENT_POLICY_LOADED, .policy = policy});
    while (!answer(&b))
        ;
    lex_arena_init(&arena, 4096, 1 << 20);
    run(&b, request(&arena, true), rounds, "avro");
    run(&b, request(&arena, false), rounds, "json");
    lex_arena_fini(&arena);
    lex_worker_free(b.worker);
    lex_policy_unref(policy);
    lex_codec_free(codec);
    lex_keyring_free(keyring);
    return 0;
}
