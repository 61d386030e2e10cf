/* `lexecon dlq replay`: write requests again that could not be decoded before.
 *
 * Two passes. The first chooses letters and says what would become of each; the second, with --yes,
 * writes. What was replayed before is known from the request topic itself: each replayed request
 * carries the place of its letter in a header, and those headers are read from the time of the
 * oldest chosen letter on. A file beside the tool would know only what this machine did; the topic
 * knows what everybody did, as far as its retention reaches. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/dlq.h"
#include "core/base/clock.h"
#include "producer/resend.h"

enum {
    ARENA_CHUNK_BYTES = 1 << 20,
    ARENA_MAX_BYTES = 256 << 20, /* of the letters that are chosen */
    LEEWAY_MS = 3600000,         /* writers' clocks may differ so much */
    SHOWN_MAX_BYTES = 64 << 10,
};

static struct lex_cli_cluster cluster;
static struct lex_dlq_filter filter = {.since_ms = -1};
static const char *since, *topic, *requests_topic;
static long long limit = 1000;
static bool yes, again, all, blanked;
static const struct lex_cli_flag flags[] = {
    {"reason", "REASON", "These, such as UNKNOWN_SCHEMA; repeatable.", LEX_CLI_LIST,
     &filter.reasons, false},
    {"letter", "PARTITION/OFFSET", "This one, as `dlq list` names it; repeatable.", LEX_CLI_LIST,
     &filter.letters, false},
    {"all", NULL, "All of them, where neither --reason nor --letter chooses.", LEX_CLI_BOOL, &all,
     false},
    {"since", "WHEN", "Only those not older: an instant, or so long ago (30s, 15m, 2h, 7d).",
     LEX_CLI_STR, &since, false},
    {"limit", "N", "At most so many (default 1000, at most 10000).", LEX_CLI_INT, &limit, false},
    {"yes", NULL, "Yes, write them. Without it this only says what it would do.", LEX_CLI_BOOL,
     &yes, false},
    {"again", NULL, "Also those that were replayed already.", LEX_CLI_BOOL, &again, false},
    {"blanked", NULL, "Also those whose tokens and attestations were blanked: they come without.",
     LEX_CLI_BOOL, &blanked, false},
    {"dead-letters-topic", "NAME", "Default lexecon.dead-letters.", LEX_CLI_STR, &topic, false},
    {"requests-topic", "NAME", "Default lexecon.requests.", LEX_CLI_STR, &requests_topic, false},
#define LEX_CLUSTER_FLAG(name, value, help, kind, member) \
    {name, value, help, kind, &cluster.member, false},
#include "cli/cluster_flags.def"
#undef LEX_CLUSTER_FLAG
};
static const struct lex_cli_usage usage = {
    .path = "dlq replay",
    .operands = "",
    .text =
        "Write chosen dead letters to the request topic again, once what was wrong is mended: a\n"
        "schema that is known now, a limit that was raised. Key and headers are the request's "
        "own,\n"
        "so the key leads to the partition that it leads to; one without a key goes to where it\n"
        "was. It is a new request: it gets a verdict and an entry of its own, under the policy of\n"
        "then, and a deadline that has passed denies it.\n\n"
        "Refused are letters that were cut or are digests; those whose tokens were blanked, "
        "unless\n"
        "--blanked (a replayed request then comes without its capability token and attestations);\n"
        "and those replayed already, unless --again. That is seen in the request topic, whose\n"
        "records carry lexecon-replayed-from: what its retention deleted is not seen, and neither\n"
        "is what somebody else replays in the same moment.\n\n"
        "  lexecon dlq replay --bootstrap kafka:9092 --reason UNKNOWN_SCHEMA --since 2h\n"
        "  lexecon dlq replay --bootstrap kafka:9092 --reason UNKNOWN_SCHEMA --since 2h --yes\n\n"
        "It needs Read on the dead letters, Read and Write on the requests.\n\n"
        "Exit status: 0 all chosen ones are replayed, or would be; 1 some are refused; 2 a flag "
        "or\n"
        "setting is wrong; 3 a broker did not answer in time.",
    .flags = flags,
    .flags_count = LEX_COUNT_OF(flags),
};

struct chosen {
    struct lex_dlq_letter letter; /* its spans in the arena */
    char place[LEX_DLQ_PLACE_MAX_BYTES];
    bool replayed;
};
struct run {
    struct lex_config *config;
    struct lex_arena arena;
    struct chosen *list; /* LEX_DLQ_LETTERS_MAX of them */
    size_t count, scanned, refused, written;
    int64_t oldest_ms;
};

/* ---- choosing ---- */

static bool keep(struct run *run, struct lex_span *span)
{
    if (lex_span_absent(*span))
        return true;
    *span = lex_arena_dup(&run->arena, *span);
    return !lex_span_absent(*span);
}

static enum lex_status choose(struct run *run, const struct lex_dlq_letter *letter,
                              struct lex_error *err)
{
    struct chosen *one = &run->list[run->count];
    *one = (struct chosen){.letter = *letter};
    bool kept = keep(run, &one->letter.key) && keep(run, &one->letter.value);
    for (size_t i = 0; i < letter->headers_count && kept; i++) {
        struct lex_dlq_header *header = &one->letter.headers[i];
        struct lex_span name = lex_arena_printf(&run->arena, "%s", header->name);
        kept = !lex_span_absent(name) && keep(run, &header->value);
        header->name = (const char *)name.data;
    }
    if (!kept)
        return lex_fail(err, LEX_LIMIT, "the chosen letters have more than %d MiB: choose fewer",
                        ARENA_MAX_BYTES >> 20);
    lex_dlq_read(&one->letter);
    lex_dlq_place(run->config->dead_letters_topic, letter, one->place);
    if (run->count == 0 || letter->timestamp_ms < run->oldest_ms)
        run->oldest_ms = letter->timestamp_ms;
    run->count++;
    return LEX_OK;
}

static enum lex_status choose_all(struct run *run, struct lex_error *err)
{
    struct lex_record_reader *reader;
    struct lex_dlq_letter letter;
    bool found = true;
    LEX_TRY(lex_record_reader_new(run->config, run->config->dead_letters_topic, filter.since_ms,
                                  &reader, err));
    enum lex_status status = LEX_OK;
    while (status == LEX_OK && found && run->count < (size_t)limit) {
        status = lex_dlq_next(reader, &letter, &found, err);
        if (status == LEX_OK && found && lex_dlq_matches(&filter, &letter))
            status = choose(run, &letter, err);
    }
    lex_record_reader_free(reader);
    return status;
}

/* ---- what was replayed already ---- */

static void note_replayed(struct run *run, struct lex_span place)
{
    for (size_t i = 0; i < run->count; i++)
        if (lex_span_eq(place, lex_span_str(run->list[i].place)))
            run->list[i].replayed = true;
}

static void look_at_headers(struct run *run, struct lex_record_reader *reader)
{
    const char *name;
    struct lex_span value;
    for (size_t i = 0; lex_record_reader_header(reader, i, &name, &value); i++)
        if (strcmp(name, LEX_DLQ_REPLAYED_FROM) == 0)
            note_replayed(run, value);
}

static enum lex_status scan_requests(struct run *run, struct lex_error *err)
{
    struct lex_record_reader *reader;
    struct lex_read_record record;
    bool found = true;
    int64_t from_ms = run->oldest_ms > LEEWAY_MS ? run->oldest_ms - LEEWAY_MS : 0;
    LEX_TRY(lex_record_reader_new(run->config, run->config->requests_topic, from_ms, &reader, err));
    enum lex_status status = LEX_OK;
    while (status == LEX_OK && found) {
        status = lex_record_reader_next(reader, &record, &found, err);
        if (status != LEX_OK || !found)
            break;
        run->scanned++;
        look_at_headers(run, reader);
    }
    lex_record_reader_free(reader);
    return status;
}

/* ---- judging and writing ---- */

/* NULL: it may be replayed. */
static const char *refusal(const struct run *run, const struct chosen *one)
{
    enum lex_dlq_state state = lex_dlq_state_of(&one->letter);
    if (state == LEX_DLQ_FOREIGN)
        return "it was not written by the service";
    if (!lex_span_eq(one->letter.source_topic, lex_span_str(run->config->requests_topic)))
        return "it came from another request topic";
    if (state == LEX_DLQ_CUT)
        return "the request is not in it: it was cut (dead_letter_max_bytes), or is a digest "
               "(dead_letter_content)";
    if (state == LEX_DLQ_BLANKED && !blanked)
        return "its tokens were blanked; --blanked replays it without them";
    if (one->replayed && !again)
        return "it was replayed already; --again does it once more";
    return NULL;
}

static enum lex_status write_one(struct run *run, struct lex_resend *resend, struct chosen *one,
                                 int32_t *ret_partition, int64_t *ret_offset, struct lex_error *err)
{
    struct lex_resend_header headers[LEX_DLQ_HEADERS_MAX + 1];
    size_t count = 0;
    for (size_t i = 0; i < one->letter.headers_count; i++)
        if (lex_dlq_header_kept(one->letter.headers[i].name))
            headers[count++] = (struct lex_resend_header){one->letter.headers[i].name,
                                                          one->letter.headers[i].value};
    headers[count++] = (struct lex_resend_header){LEX_DLQ_REPLAYED_FROM, lex_span_str(one->place)};
    bool keyed = !lex_span_absent(one->letter.key);
    const struct lex_resend_record record = {
        .topic = run->config->requests_topic,
        .partition = keyed ? -1 : (int32_t)one->letter.source_partition,
        .key = one->letter.key,
        .value = one->letter.value,
        .headers = headers,
        .headers_count = count,
    };
    return lex_resend_write(resend, &record, ret_partition, ret_offset, err);
}

static void say(const struct chosen *one, const char *verb, const char *more)
{
    LEX_CLEANUP(lex_buf_fini) struct lex_buf out;
    lex_buf_init(&out, SHOWN_MAX_BYTES);
    lex_buf_printf(&out, "%-13s %s  ", verb, one->place);
    lex_dlq_put_shown(one->letter.reason, &out);
    if (lex_dlq_state_of(&one->letter) == LEX_DLQ_BLANKED)
        lex_buf_puts(&out, "  without its tokens");
    (void)printf("%s%s%s\n", lex_buf_str(&out), more[0] != 0 ? "  " : "", more);
}

static enum lex_status take_one(struct run *run, struct lex_resend *resend, struct chosen *one,
                                struct lex_error *err)
{
    char where[96];
    int32_t partition = -1;
    int64_t offset = -1;
    const char *why = refusal(run, one);
    if (why != NULL) {
        run->refused++;
        say(one, "refused", why);
        return LEX_OK;
    }
    if (resend == NULL) {
        say(one, "would replay", "");
    } else {
        LEX_TRY(write_one(run, resend, one, &partition, &offset, err));
        (void)snprintf(where, sizeof where, "as %d/%lld", partition, (long long)offset);
        say(one, "replayed", where);
    }
    run->written++;
    return LEX_OK;
}

static enum lex_status take_all(struct run *run, struct lex_error *err)
{
    struct lex_resend *resend = NULL;
    if (yes)
        LEX_TRY(lex_resend_new(run->config, &resend, err));
    enum lex_status status = LEX_OK;
    for (size_t i = 0; i < run->count && status == LEX_OK; i++)
        status = take_one(run, resend, &run->list[i], err);
    lex_resend_free(resend);
    return status;
}

static void summarize(const struct run *run)
{
    (void)printf("\n%zu chosen, %zu %s, %zu refused; %zu requests looked at for what was replayed "
                 "already\n",
                 run->count, run->written, yes ? "replayed" : "would be replayed", run->refused,
                 run->scanned);
    if (!yes && run->written != 0)
        (void)puts("nothing was written: --yes does it");
}

static enum lex_status replay(struct run *run, struct lex_error *err)
{
    LEX_TRY(choose_all(run, err));
    if (run->count != 0)
        LEX_TRY(scan_requests(run, err));
    enum lex_status status = take_all(run, err);
    summarize(run);
    return status;
}

/* ---- before ---- */

static enum lex_status check(struct lex_error *err)
{
    if (limit < 1 || limit > LEX_DLQ_LETTERS_MAX)
        return lex_fail(err, LEX_REJECT, "--limit: expected 1 to %d", LEX_DLQ_LETTERS_MAX);
    if (filter.reasons.count == 0 && filter.letters.count == 0 && !all)
        return lex_fail(err, LEX_REJECT,
                        "nothing is chosen: --reason, --letter, or --all for all of them");
    if (since != NULL)
        LEX_TRY(lex_dlq_since(since, lex_clock_wall_us(), &filter.since_ms, err));
    return lex_dlq_filter_check(&filter, err);
}

static enum lex_status load(struct run *run, struct lex_error *err)
{
    const char *more[5] = {NULL};
    size_t count = 0;
    if (topic != NULL) {
        more[count++] = "--dead-letters-topic";
        more[count++] = topic;
    }
    if (requests_topic != NULL) {
        more[count++] = "--requests-topic";
        more[count++] = requests_topic;
    }
    LEX_TRY(check(err));
    return lex_cli_cluster_load(&cluster, more, &run->config, err);
}

static int run_all(struct run *run)
{
    struct lex_error err = {{0}};
    run->list = calloc(LEX_DLQ_LETTERS_MAX, sizeof *run->list);
    if (run->list == NULL)
        return lex_cli_fail(&usage, LEX_EXIT_INTERNAL, "out of memory");
    enum lex_status status = replay(run, &err);
    free(run->list);
    if (status != LEX_OK)
        return lex_cli_fail(&usage, status == LEX_RETRY ? LEX_EXIT_UNAVAILABLE : LEX_EXIT_USAGE,
                            "%s", err.text);
    return run->refused == 0 ? LEX_EXIT_OK : LEX_EXIT_NO;
}

int lex_cli_dlq_replay(int argc, char **argv)
{
    struct lex_cli_list operands;
    struct lex_error err = {{0}};
    struct run run = {.config = NULL};
    int parsed = lex_cli_parse(&usage, argc, argv, &operands);
    if (parsed != 0)
        return parsed == 1 ? LEX_EXIT_OK : LEX_EXIT_USAGE;
    lex_log_init(LEX_LOG_CRITICAL, LEX_LOG_TEXT, fileno(stderr));
    if (lex_crypto_init(&err) != LEX_OK)
        return lex_cli_fail(&usage, LEX_EXIT_INTERNAL, "%s", err.text);
    if (load(&run, &err) != LEX_OK)
        return lex_cli_fail(&usage, LEX_EXIT_USAGE, "%s", err.text);
    lex_arena_init(&run.arena, ARENA_CHUNK_BYTES, ARENA_MAX_BYTES);
    int status = run_all(&run);
    lex_arena_fini(&run.arena);
    lex_config_free(run.config);
    return status;
}
