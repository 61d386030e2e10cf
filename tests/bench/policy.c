/* lex_bench_policy: what a decision costs, from the decoded request's strings to the verdict.
 *
 *     lex_bench_policy [rounds [shape [relations]]]
 *
 * Shapes: flat (an actor, an action), conditions (the same with two conditions), hierarchy (the
 * actor is in a team that is in a role, the class is below the rule's class), both. Each line: ns
 * per decision, p50 and p99 of single decisions and the mean of all; the load in ms, without the
 * JSON parse; the snapshot's memory; allocations per decision, counted by the linker's --wrap.
 *
 * Requests are drawn at random over the whole policy, four of five permitted, so that at 100k
 * relations the caches meet what a service would give them. A single decision is timed with the
 * processor's counter; the median cost of an empty pair of readings is taken off. */
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/crypto/crypto.h"
#include "core/decision/decision.h"

enum { REQUESTS = 1 << 14, ACTIONS_MAX = 100 };

static size_t allocations;
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
    allocations++;
    return __real_malloc(size);
}

static uint64_t state = 1;
static uint32_t pick(uint32_t below)
{
    state = state * 6364136223846793005 + 1442695040888963407; /* D. Knuth, MMIX */
    return (uint32_t)(state >> 33) % below;
}

static int64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static inline uint64_t ticks(void)
{
#if defined(__x86_64__)
    return __rdtsc();
#else
    return (uint64_t)now_ns();
#endif
}

/* ---- the policy ---- */

struct shape {
    const char *name;
    bool hierarchy, conditions;
    uint32_t relations, actors, actions;
};

static void put_terms(struct lex_buf *buf, const struct shape *shape)
{
    lex_buf_puts(buf, "{\"mode\":\"strict\",\"terms\":{\"actors\":[");
    for (uint32_t i = 0; i < shape->actors; i++)
        lex_buf_printf(buf, "%s\"role-%u\"", i == 0 ? "" : ",", i);
    for (uint32_t i = 0; shape->hierarchy && i < shape->actors; i++)
        lex_buf_printf(buf,
                       ",{\"id\":\"team-%u\",\"member_of\":[\"role-%u\"]},{\"id\":\"user-%u\","
                       "\"member_of\":[\"team-%u\"]}",
                       i, i, i, i);
    lex_buf_puts(buf, "],\"actions\":[");
    for (uint32_t i = 0; i < shape->actions; i++)
        lex_buf_printf(buf, "%s\"action-%u\"", i == 0 ? "" : ",", i);
    lex_buf_puts(buf, "],\"data_classes\":[\"personal\",{\"id\":\"health\",\"member_of\":["
                      "\"personal\"]},\"public\"]},\"relations\":[");
}

/* Nine of ten permit, one forbids. */
static void put_relations(struct lex_buf *buf, const struct shape *shape)
{
    for (uint32_t i = 0; i < shape->relations; i++) {
        lex_buf_printf(buf,
                       "%s{\"id\":\"r%u\",\"type\":\"%s\",\"subject\":\"role-%u\",\"action\":"
                       "\"action-%u\",\"justification\":\"ticket %u\"",
                       i == 0 ? "" : ",", i, i % 10 == 9 ? "forbids" : "permits",
                       i / shape->actions, i % shape->actions, i);
        if (shape->hierarchy)
            lex_buf_puts(buf, ",\"object\":\"personal\"");
        if (shape->conditions)
            lex_buf_puts(buf, ",\"conditions\":[\"mfa\",\"risk_level <= 3\"]");
        lex_buf_puts(buf, "}");
    }
    lex_buf_puts(buf, "]}");
}

static void put_policy(struct lex_buf *buf, const struct shape *shape)
{
    lex_buf_init(buf, (size_t)64 << 20);
    put_terms(buf, shape);
    put_relations(buf, shape);
    if (lex_buf_ok(buf))
        return;
    fprintf(stderr, "the policy has more than 64 MiB\n");
    exit(2);
}

/* ---- the requests ---- */

struct question {
    struct lex_request request;
    struct lex_span class;
    char actor[32], action[32];
};

static struct question *make_questions(const struct shape *shape)
{
    static const char *const kinds[] = {"role", "user"};
    struct question *all = calloc(REQUESTS, sizeof *all);
    for (size_t i = 0; all != NULL && i < REQUESTS; i++) {
        struct question *q = &all[i];
        uint32_t rule = pick(shape->relations);
        if (rule % 10 == 9 && pick(2) == 0)
            rule--;
        bool miss = pick(10) == 0;
        (void)snprintf(q->actor, sizeof q->actor, "%s-%u", kinds[shape->hierarchy],
                       rule / shape->actions);
        (void)snprintf(q->action, sizeof q->action, "action-%u%s", rule % shape->actions,
                       miss ? "x" : "");
        q->class = LEX_SPAN("health");
        q->request = (struct lex_request){.request_id = LEX_SPAN("r-1"),
                                          .actor = lex_span_str(q->actor),
                                          .proposed_action = lex_span_str(q->action),
                                          .risk_level = 1};
        if (shape->hierarchy)
            q->request.data_classes = (struct lex_span_list){&q->class, 1};
    }
    return all;
}

/* ---- measuring ---- */

static int by_ticks(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static double ns_per_tick(void)
{
    int64_t begin = now_ns();
    uint64_t from = ticks();
    while (now_ns() - begin < 20000000)
        continue;
    return (double)(now_ns() - begin) / (double)(ticks() - from);
}

static uint32_t empty_ticks(void)
{
    static uint32_t samples[4096];
    for (size_t i = 0; i < LEX_COUNT_OF(samples); i++) {
        uint64_t from = ticks();
        samples[i] = (uint32_t)(ticks() - from);
    }
    qsort(samples, LEX_COUNT_OF(samples), sizeof *samples, by_ticks);
    return samples[LEX_COUNT_OF(samples) / 2];
}

struct result {
    double p50, p99, mean, load_ms, memory_mib, allocations, approved;
};

static struct lex_decide_input input_of(const struct lex_policy *policy)
{
    static const struct lex_attested_fact mfa = {
        .member = {LEX_SPAN_INIT("mfa"), {LEX_VALUE_BOOL, {.boolean = true}}}};
    static const struct lex_facts facts = {.attested = &mfa, .attested_count = 1};
    return (struct lex_decide_input){
        .policy = policy, .facts = &facts, .now_us = 1700000000000000, .ttl_us = 300000000};
}

/* The codec has just written the request's strings: they are in the cache, as here. */
static void warm_up(struct question *hot, const struct question *question)
{
    *hot = *question;
    hot->request.actor.data = (const uint8_t *)hot->actor;
    hot->request.proposed_action.data = (const uint8_t *)hot->action;
    hot->request.data_classes.items = &hot->class;
}

static void measure(const struct lex_policy *policy, const struct question *questions,
                    uint32_t rounds, struct result *ret)
{
    struct lex_decide_input input = input_of(policy);
    struct lex_decision decision;
    struct lex_arena arena;
    size_t count = (size_t)rounds * REQUESTS, approved = 0;
    uint32_t *samples = calloc(count, sizeof *samples), empty = empty_ticks();
    double scale = ns_per_tick();
    lex_arena_init(&arena, 1 << 20, 64 << 20);
    struct question hot;
    input.request = &hot.request;
    size_t before = 0;
    int64_t total = 0;
    for (size_t i = 0; samples != NULL && i < count + REQUESTS; i++) {
        if (i == REQUESTS) /* the first pass warms up */
            before = allocations;
        if (i % 1024 == 0)
            lex_arena_reset(&arena);
        warm_up(&hot, &questions[i % REQUESTS]);
        uint64_t from = ticks();
        lex_decide(&input, &arena, &decision);
        uint64_t took = ticks() - from;
        approved += decision.allowed && i >= REQUESTS;
        if (i >= REQUESTS)
            samples[i - REQUESTS] = (uint32_t)(took > empty ? took - empty : 0);
    }
    for (size_t i = 0; i < count; i++)
        total += samples[i];
    qsort(samples, count, sizeof *samples, by_ticks);
    ret->p50 = scale * samples[count / 2];
    ret->p99 = scale * samples[count / 100 * 99];
    ret->mean = scale * (double)total / (double)count;
    ret->allocations = (double)(allocations - before) / (double)count;
    ret->approved = (double)approved / (double)count;
    lex_arena_fini(&arena);
    free(samples);
}

static double parse_ms(struct lex_span text)
{
    struct lex_arena arena;
    const struct lex_json *root;
    lex_arena_init(&arena, 64 << 10, (size_t)6 << 30);
    int64_t begin = now_ns();
    if (lex_json_parse(&arena, text, &root, NULL) != LEX_OK)
        abort();
    double took = (double)(now_ns() - begin) / 1e6;
    lex_arena_fini(&arena);
    return took;
}

static void run(struct shape *shape, uint32_t rounds)
{
    struct lex_buf text;
    struct lex_policy *policy;
    struct lex_error err;
    struct result result = {0};
    shape->actions = shape->relations < 1000 ? 5 : shape->relations < 10000 ? 20 : ACTIONS_MAX;
    shape->actors = (shape->relations + shape->actions - 1) / shape->actions;
    put_policy(&text, shape);
    double parse = parse_ms(lex_buf_span(&text));
    size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    int64_t begin = now_ns();
    if (lex_policy_load(lex_buf_span(&text), "bench", &policy, &err) != LEX_OK) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    result.load_ms = (double)(now_ns() - begin) / 1e6 - parse;
    result.memory_mib =
        (double)(mallinfo2().uordblks + mallinfo2().hblkhd - before) / (1024 * 1024);
    struct question *questions = make_questions(shape);
    measure(policy, questions, rounds, &result);
    printf("%-10s %7u  p50 %6.0f ns  p99 %6.0f ns  mean %6.0f ns  load %7.1f ms (and parse %6.1f)  "
           "memory %6.1f MiB  allocations %.3f  approved %2.0f%%\n",
           shape->name, shape->relations, result.p50, result.p99, result.mean, result.load_ms,
           parse, result.memory_mib, result.allocations, 100 * result.approved);
    (void)fflush(stdout);
    lex_policy_unref(policy);
    lex_buf_fini(&text);
    free(questions);
}

int main(int argc, char **argv)
{
    static const struct shape shapes[] = {
        {.name = "flat"},
        {.name = "conditions", .conditions = true},
        {.name = "hierarchy", .hierarchy = true},
        {.name = "both", .hierarchy = true, .conditions = true},
    };
    static const uint32_t sizes[] = {10, 1000, 100000};
    uint32_t rounds = argc > 1 ? (uint32_t)atoi(argv[1]) : 20;
    struct lex_error err;
    if (rounds == 0 || rounds > 1000 || lex_crypto_init(&err) != LEX_OK) {
        fprintf(stderr, "usage: lex_bench_policy [rounds (1 to 1000) [shape [relations]]]\n");
        return 2;
    }
    for (size_t i = 0; i < LEX_COUNT_OF(shapes); i++)
        for (size_t j = 0; j < LEX_COUNT_OF(sizes); j++) {
            struct shape shape = shapes[i];
            shape.relations = sizes[j];
            if ((argc > 2 && strcmp(argv[2], shape.name) != 0) ||
                (argc > 3 && (uint32_t)atoi(argv[3]) != sizes[j]))
                continue;
            run(&shape, rounds);
        }
    return 0;
}
