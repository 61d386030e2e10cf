#include "consumer/release.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "consumer/intake.h"
#include "consumer/ledger_reader.h"
#include "core/base/clock.h"
#include "core/base/host.h"
#include "producer/publisher.h"

enum {
    FETCH_WAIT_MS = 20,
    PREFETCH_KB = 1024,
    LOOK_TIMEOUT_MS = 30000, /* as long as a dead owner's transaction may hold offsets back */
    AGAIN_MS = 300,
    SETTLE_MS = 1500, /* between two looks that must agree */
    COMMIT_TIMEOUT_MS = 20000,
    ARENA_CHUNK_BYTES = 64 << 10,
    ARENA_MAX_BYTES = 1 << 20,
};

struct lex_release {
    const struct lex_config *config;
    int32_t partition;
    struct lex_intake *intake;
    struct lex_ledger_reader *reader;
    struct lex_publisher *publisher; /* NULL: only looking */
    struct lex_arena arena;          /* of what was looked at and what is written */
    char origin[LEX_ORIGIN_MAX_BYTES];
    struct lex_recover_input input;
    struct lex_recovered found;
    bool looked;
};

static void ignore_rebalance(void *user, enum lex_event_kind kind, const int32_t *partitions,
                             size_t count)
{
    (void)user;
    (void)kind;
    (void)partitions;
    (void)count;
}

/* No member, generation -1: the broker takes it, and what it would check is checked above. */
static rd_kafka_consumer_group_metadata_t *no_member(void *user, const struct lex_commit *commits,
                                                     size_t count)
{
    const struct lex_release *r = user;
    if (count != 1 || commits[0].partition != r->partition)
        return NULL;
    return rd_kafka_consumer_group_metadata_new(r->config->group);
}

static enum lex_status init_publisher(struct lex_release *r, struct lex_error *err)
{
    const struct lex_membership membership = {r, no_member};
    int64_t until_us = lex_clock_mono_us() + COMMIT_TIMEOUT_MS * 1000;
    enum lex_status status;
    LEX_TRY(lex_publisher_new(r->config, r->partition, membership, &r->publisher, err));
    do {
        status = lex_publisher_init(r->publisher, err);
    } while (status == LEX_RETRY && lex_clock_mono_us() < until_us);
    return status;
}

static enum lex_status check_partition(struct lex_release *r, struct lex_error *err)
{
    int32_t count;
    LEX_TRY(lex_ledger_reader_partitions(r->reader, &count, err));
    if (r->partition < count)
        return LEX_OK;
    return lex_fail(err, LEX_REJECT, "partition %d: the topic %s has %d, from 0 on", r->partition,
                    r->config->ledger_topic, count);
}

static enum lex_status open_all(struct lex_release *r, bool writing, struct lex_error *err)
{
    const struct lex_intake_listener listener = {r, ignore_rebalance};
    LEX_TRY(lex_origin_format(lex_span_str(r->config->origin_prefix),
                              lex_span_str(r->config->ledger_topic), r->partition, r->origin, err));
    LEX_TRY(lex_intake_new(r->config, 0, listener, &r->intake, err));
    LEX_TRY(lex_ledger_reader_new(r->config, "lexecon.recovery", FETCH_WAIT_MS, PREFETCH_KB,
                                  &r->reader, err));
    LEX_TRY(check_partition(r, err));
    return writing ? init_publisher(r, err) : LEX_OK;
}

LEX_STATUS lex_release_open(const struct lex_config *config, int32_t partition, bool writing,
                            struct lex_release **ret_release, struct lex_error *err)
{
    struct lex_release *r = calloc(1, sizeof *r);
    if (r == NULL)
        return lex_fail(err, LEX_LIMIT, "out of memory");
    r->config = config;
    r->partition = partition;
    lex_arena_init(&r->arena, ARENA_CHUNK_BYTES, ARENA_MAX_BYTES);
    enum lex_status status = open_all(r, writing, err);
    if (status != LEX_OK) {
        lex_release_close(r);
        return status;
    }
    *ret_release = r;
    return LEX_OK;
}

void lex_release_close(struct lex_release *release)
{
    if (release == NULL)
        return;
    lex_publisher_free(release->publisher);
    lex_ledger_reader_free(release->reader);
    if (release->intake != NULL)
        lex_intake_free(release->intake);
    lex_arena_fini(&release->arena);
    free(release);
}

/* ---- looking ---- */

static void sleep_ms(int ms)
{
    struct timespec wait = {ms / 1000, (long)(ms % 1000) * 1000000};
    (void)nanosleep(&wait, NULL);
}

static enum lex_status answer(enum lex_status status, const char *reason, struct lex_error *err)
{
    if (status == LEX_OK)
        return LEX_OK;
    return lex_fail(err, status, "%s",
                    reason != NULL ? reason : "no answer yet, or a transaction is open on it");
}

static enum lex_status look_once(struct lex_release *r, struct lex_recover_input *ret_input,
                                 struct lex_error *err)
{
    struct lex_offset_found offset;
    struct lex_tail_found tail;
    lex_intake_offsets(r->intake, &r->partition, 1, &offset);
    LEX_TRY(answer(offset.status, offset.reason, err));
    lex_ledger_reader_tails(r->reader, &r->partition, 1, &tail);
    LEX_TRY(answer(tail.status, tail.reason, err));
    *ret_input = (struct lex_recover_input){
        .origin = lex_span_str(r->origin),
        .offset = offset.offset,
        .metadata = lex_arena_dup(&r->arena, offset.metadata),
        .low = offset.low,
        .high = offset.high,
        .ever_held = tail.ever_held,
        .entry = lex_arena_dup(&r->arena, tail.entry),
        .start_latest = r->config->start_offset == LEX_START_LATEST,
    };
    bool copied = lex_span_absent(offset.metadata) == lex_span_absent(ret_input->metadata) &&
                  lex_span_absent(tail.entry) == lex_span_absent(ret_input->entry);
    return copied ? LEX_OK : lex_fail(err, LEX_LIMIT, "out of memory");
}

static enum lex_status look_patiently(struct lex_release *r, struct lex_recover_input *ret_input,
                                      struct lex_error *err)
{
    int64_t until_us = lex_clock_mono_us() + LOOK_TIMEOUT_MS * 1000LL;
    for (;;) {
        enum lex_status status = look_once(r, ret_input, err);
        if (status != LEX_RETRY || lex_clock_mono_us() > until_us)
            return status;
        sleep_ms(AGAIN_MS);
    }
}

static bool is_same_state(const struct lex_recover_input *a, const struct lex_recover_input *b)
{
    return a->offset == b->offset && lex_span_eq(a->metadata, b->metadata) &&
           a->ever_held == b->ever_held && lex_span_eq(a->entry, b->entry);
}

LEX_STATUS lex_release_look(struct lex_release *release, struct lex_release_view *ret_view,
                            struct lex_error *err)
{
    struct lex_recover_input first;
    lex_arena_reset(&release->arena);
    LEX_TRY(look_patiently(release, &first, err));
    LEX_TRY(lex_recover(&first, &release->arena, &release->found));
    release->input = first;
    if (release->found.kind == LEX_RECOVERED_HALT) {
        sleep_ms(SETTLE_MS);
        LEX_TRY(look_patiently(release, &release->input, err));
        LEX_TRY(lex_recover(&release->input, &release->arena, &release->found));
        if (!is_same_state(&first, &release->input))
            return lex_fail(err, LEX_RETRY,
                            "partition %d moves: a worker decides on it, it is not halted",
                            release->partition);
    }
    release->looked = true;
    *ret_view = (struct lex_release_view){&release->input, &release->found};
    return LEX_OK;
}

/* ---- taking ---- */

static enum lex_status append_recovery(struct lex_release *r, struct lex_chosen *chosen,
                                       struct lex_output *ret_output, struct lex_error *err)
{
    char host[LEX_HOST_NAME_MAX], node[LEX_HOST_NAME_MAX + 32];
    lex_host_name(host);
    (void)snprintf(node, sizeof node, "ledger-recover@%s", host);
    struct lex_ledger_entry entry = {
        .recorded_at = lex_clock_wall_us(),
        .event_type = LEX_EVENT_TYPE_RECOVERY,
        .node_id = lex_span_str(node),
        .replayable = true,
        .source = {.topic = lex_span_str(r->config->requests_topic),
                   .partition = r->partition,
                   .offset = chosen->head.last_source_offset,
                   .timestamp = -1},
    };
    struct lex_hash leaf;
    struct lex_chain chain =
        lex_chain_at(lex_span_str(r->origin), chosen->head.seq, &chosen->head.prev);
    LEX_TRY(lex_event_recovery(&chosen->recovery, &r->arena, &entry.detail, err));
    *ret_output = (struct lex_output){.kind = LEX_OUTPUT_LEDGER, .partition = r->partition};
    if (lex_chain_append(&chain, &entry, &r->arena, &ret_output->value, &leaf) != LEX_OK)
        return lex_fail(err, LEX_LIMIT, "the recovery entry cannot be written");
    chosen->head.seq = chain.seq;
    chosen->head.prev = chain.prev;
    return LEX_OK;
}

static enum lex_status publish(struct lex_release *r, const struct lex_action *action,
                               struct lex_error *err)
{
    int64_t until_us = lex_clock_mono_us() + COMMIT_TIMEOUT_MS * 1000;
    enum lex_published result = lex_publisher_publish(r->publisher, action, err);
    while (result == LEX_PUBLISHED_UNKNOWN && lex_clock_mono_us() < until_us)
        result = lex_publisher_resume_commit(r->publisher, err);
    switch (result) {
    case LEX_PUBLISHED_COMMITTED: return LEX_OK;
    case LEX_PUBLISHED_UNKNOWN: return LEX_HALT;
    default: return LEX_RETRY;
    }
}

LEX_STATUS lex_release_take(struct lex_release *release, enum lex_choice choice,
                            int64_t next_offset, struct lex_chosen *ret_chosen,
                            struct lex_error *err)
{
    char text[LEX_HEAD_TEXT_MAX_BYTES];
    struct lex_chosen chosen;
    struct lex_output output;
    LEX_ASSERT(release->looked && release->publisher != NULL);
    LEX_TRY(lex_choose(&release->input, &release->found, choice, next_offset, &chosen, err));
    LEX_TRY(append_recovery(release, &chosen, &output, err));
    size_t len = lex_head_write(&chosen.head, text);
    const struct lex_commit commit = {.partition = release->partition,
                                      .next_offset = chosen.next_offset,
                                      .metadata = lex_span_of(text, len)};
    const struct lex_action action = {.kind = LEX_ACTION_PUBLISH,
                                      .commit = true,
                                      .outputs = &output,
                                      .count = 1,
                                      .commits = &commit,
                                      .commits_count = 1};
    LEX_TRY(publish(release, &action, err));
    *ret_chosen = chosen;
    return LEX_OK;
}
