/* The ledger topic as a ledger source: read_committed, outside any group, so that looking at a
 * ledger leaves no trace and disturbs nobody. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/ledger_source.h"
#include "consumer/ledger_reader.h"
#include "core/base/clock.h"

enum {
    PLACES_MAX = 4096,
    FETCH_WAIT_MS = 100,
    PREFETCH_KB = 65536,
    POLL_MS = 100,
    AGAIN_MS = 20,               /* a later look: what has come is there already */
    SILENCE_US = 15 * 1000000LL, /* so long may a broker say nothing of a partition */
};

struct topic_source {
    struct lex_ledger_source base;
    struct lex_config *config;
    struct lex_ledger_reader *reader;
    struct lex_position positions[PLACES_MAX];
    bool ended[PLACES_MAX]; /* by place: read to its end at least once */
    size_t count, open;     /* places; those of them that have not ended */
    int64_t silent_us;      /* monotonic: since when nothing came */
};

static void note_end(struct topic_source *own, int32_t partition)
{
    for (size_t i = 0; i < own->count; i++)
        if (own->positions[i].partition == partition && !own->ended[i]) {
            own->ended[i] = true;
            own->open--;
        }
}

static enum lex_status silence(struct topic_source *own, struct lex_error *err)
{
    if (lex_clock_mono_us() - own->silent_us < SILENCE_US)
        return LEX_OK;
    return lex_fail(err, LEX_RETRY, "topic %s: %zu partitions do not answer in time: %s",
                    own->config->ledger_topic, own->open, err != NULL ? err->text : "");
}

/* @post *ret_found without a record: an end or a silence, ask again while something is open */
static enum lex_status one_look(struct topic_source *own, struct lex_ledger_record *ret_record,
                                bool *ret_found, struct lex_error *err)
{
    enum lex_status status =
        lex_ledger_reader_next(own->reader, own->open != 0 ? POLL_MS : AGAIN_MS, ret_record, err);
    *ret_found = false;
    if (status == LEX_RETRY)
        return own->open != 0 ? silence(own, err) : LEX_OK;
    if (status != LEX_OK)
        return LEX_RETRY; /* not the ledger's fault, so no "no" */
    own->silent_us = lex_clock_mono_us();
    if (ret_record->gone)
        return lex_fail(err, LEX_RETRY,
                        "topic %s, partition %d: entries were deleted while they were read; ask "
                        "again",
                        own->config->ledger_topic, ret_record->partition);
    if (ret_record->end)
        note_end(own, ret_record->partition);
    *ret_found = !ret_record->end;
    return LEX_OK;
}

static enum lex_status topic_next(struct lex_ledger_source *source,
                                  struct lex_ledger_item *ret_item, bool *ret_found,
                                  struct lex_error *err)
{
    struct topic_source *own = (struct topic_source *)source;
    struct lex_ledger_record record;
    do {
        LEX_TRY(one_look(own, &record, ret_found, err));
    } while (!*ret_found && own->open != 0);
    if (*ret_found)
        *ret_item = (struct lex_ledger_item){
            .partition = record.partition, .kafka_offset = record.offset, .value = record.value};
    return LEX_OK;
}

static void topic_close(struct lex_ledger_source *source)
{
    struct topic_source *own = (struct topic_source *)source;
    lex_ledger_reader_free(own->reader);
    lex_config_free(own->config);
    free(own);
}

/* Where `last` entries begin, about: most transactions of a quiet ledger hold one entry and leave
 * one marker. */
static enum lex_status first_offset(struct topic_source *own, int32_t partition, long long last,
                                    int64_t *ret_offset, struct lex_error *err)
{
    int64_t low, high;
    *ret_offset = LEX_LEDGER_BEGIN;
    if (last <= 0)
        return LEX_OK;
    LEX_TRY(lex_ledger_reader_range(own->reader, partition, &low, &high, err));
    if (high - low > 2 * last + 16)
        *ret_offset = high - 2 * last - 16;
    return LEX_OK;
}

static enum lex_status place(struct topic_source *own,
                             const struct lex_ledger_source_options *options, struct lex_error *err)
{
    int32_t partitions;
    LEX_TRY(lex_ledger_reader_partitions(own->reader, &partitions, err));
    if (options->partition >= partitions || partitions > PLACES_MAX)
        return lex_fail(
            err, LEX_REJECT,
            "topic %s has %d partitions, from 0 on: expected --partition below that, and "
            "at most %d partitions",
            options->topic, partitions, PLACES_MAX);
    for (int32_t p = 0; p < partitions; p++) {
        if (options->partition >= 0 && options->partition != p)
            continue;
        struct lex_position *position = &own->positions[own->count++];
        position->partition = p;
        LEX_TRY(first_offset(own, p, options->last, &position->next_offset, err));
    }
    own->open = own->count;
    own->silent_us = lex_clock_mono_us();
    return lex_ledger_reader_seek(own->reader, own->positions, own->count, err);
}

static enum lex_status open_topic(struct topic_source *own,
                                  const struct lex_ledger_source_options *options,
                                  struct lex_error *err)
{
    const char *const more[] = {"--ledger-topic", options->topic, NULL};
    lex_log_init(LEX_LOG_CRITICAL, LEX_LOG_TEXT, fileno(stderr)); /* stdout is for entries */
    LEX_TRY(lex_cli_cluster_load(&options->cluster, more, &own->config, err));
    LEX_TRY(lex_ledger_reader_new(own->config, "lexecon.ledger", FETCH_WAIT_MS, PREFETCH_KB,
                                  &own->reader, err));
    return place(own, options, err);
}

LEX_STATUS lex_ledger_open_topic(const struct lex_ledger_source_options *options,
                                 struct lex_ledger_source **ret_source, struct lex_error *err)
{
    struct topic_source *own = calloc(1, sizeof *own);
    if (own == NULL)
        return lex_fail(err, LEX_LIMIT, "no memory to read %s", options->topic);
    own->base = (struct lex_ledger_source){.next = topic_next, .close = topic_close, .grows = true};
    enum lex_status status = open_topic(own, options, err);
    if (status != LEX_OK) {
        topic_close(&own->base);
        return status;
    }
    *ret_source = &own->base;
    return LEX_OK;
}
