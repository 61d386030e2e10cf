/* `lexecon ledger verify`: read every entry, check every link, say where a chain breaks. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/ledger_source.h"
#include "core/ledger/verify.h"

enum {
    LOGS_MAX = 4096,
    GAPS_TEXT_MAX_BYTES = 256 << 10, /* of one log's list; the count goes on */
    ARENA_CHUNK_BYTES = 256 << 10,
    ARENA_MAX_BYTES = 32 << 20,
};

static struct lex_ledger_source_options from = {.partition = -1};
static const char *pins_path;
static bool json, allow_gaps;
static const struct lex_cli_flag flags[] = {
#include "cli/ledger_source_flags.def"
    {"pins", "FILE", "Pinned keys and origin prefix, from `lexecon keys show --pin`.", LEX_CLI_STR,
     &pins_path, true},
    {"partition", "N", "Only this partition.", LEX_CLI_INT, &from.partition, false},
    {"allow-gaps", NULL,
     "Accept a ledger that begins after its genesis, and gaps that the mirror or a recovery entry "
     "declares; they are reported all the same.",
     LEX_CLI_BOOL, &allow_gaps, false},
    {"json", NULL, "One JSON object per log on stdout.", LEX_CLI_BOOL, &json, false},
};
static const struct lex_cli_usage usage = {
    .path = "ledger verify",
    .operands = "",
    .text =
        "Check the chain of every partition from genesis: the sequence has no hole, each entry "
        "names\n"
        "the hash of the one before, every entry is of its log, under the pinned prefix. The last\n"
        "entry of a chain is named by nothing yet; where the source knows the head, it is held\n"
        "against that.\n\n"
        "  lexecon ledger verify --mirror mirror.db --pins pins.json\n"
        "  lexecon ledger verify --topic lexecon.ledger --bootstrap kafka:9092 --pins pins.json\n\n"
        "Exit status: 0 every chain holds; 1 one is broken, has a gap, or there was no entry; 2 "
        "the\n"
        "source cannot be read.",
    .flags = flags,
    .flags_count = LEX_COUNT_OF(flags),
};

/* One chain under verification. */
struct log_state {
    struct lex_chain_verifier verifier;
    int32_t partition;
    int64_t gaps;
    struct lex_buf gaps_json;
    bool broken;
    struct lex_chain_break break_;
    char why[LEX_ERROR_TEXT_MAX];
};

struct run {
    struct lex_ledger_source *source;
    struct lex_pins *pins;
    struct lex_arena arena;
    struct log_state **logs;
    size_t count;
    int64_t strays; /* records that belong to no log we may verify */
};

/* ---- logs ---- */

static struct log_state *find_log(const struct run *run, struct lex_span origin)
{
    for (size_t i = run->count; i-- > 0;)
        if (lex_span_eq(origin, lex_span_str(run->logs[i]->verifier.origin)))
            return run->logs[i];
    return NULL;
}

static enum lex_status new_log(struct run *run, struct lex_span origin, int32_t partition,
                               struct log_state **ret, struct lex_error *err)
{
    struct log_state *log = run->count < LOGS_MAX ? calloc(1, sizeof *log) : NULL;
    if (log == NULL)
        return lex_fail(err, LEX_LIMIT, "more than %d logs, or no memory for one more", LOGS_MAX);
    if (allow_gaps)
        lex_chain_verifier_open(&log->verifier, origin);
    else
        lex_chain_verifier_init(&log->verifier, origin);
    lex_buf_init(&log->gaps_json, GAPS_TEXT_MAX_BYTES);
    log->partition = partition;
    run->logs[run->count++] = log;
    *ret = log;
    return LEX_OK;
}

static void note_gap(struct log_state *log, int64_t gap_from, int64_t gap_to, const char *by)
{
    log->gaps++;
    lex_buf_printf(&log->gaps_json, "%s{\"from\":%lld,\"to\":%lld,\"declared_by\":\"%s\"}",
                   log->gaps > 1 ? "," : "", (long long)gap_from, (long long)gap_to, by);
    if (!json)
        (void)printf("%s: entries %lld to %lld are missing, declared by %s\n", log->verifier.origin,
                     (long long)gap_from, (long long)gap_to, by);
}

static void note_break(struct log_state *log, const struct lex_chain_break *broken, const char *why)
{
    log->broken = true;
    log->break_ = *broken;
    (void)snprintf(log->why, sizeof log->why, "%s", why);
}

/* ---- entries ---- */

static void check_entry(struct run *run, struct log_state *log, const struct lex_ledger_item *item,
                        const struct lex_ledger_entry *entry)
{
    struct lex_chain_step step;
    struct lex_chain_break broken;
    struct lex_error why;
    struct lex_chain_verifier *verifier = &log->verifier;
    bool jump = allow_gaps && verifier->anchored && item->gap && item->gap_from == verifier->seq &&
                item->gap_to == entry->seq - 1;
    int64_t entries = verifier->entries, first_seq = verifier->first_seq;
    int64_t anchor = verifier->anchored ? verifier->seq : 0;
    if (jump)
        lex_chain_verifier_open(verifier, entry->log); /* after the gap it is a new beginning */
    if (lex_chain_verify_entry(verifier, entry, item->value, &run->arena, &step, &broken, &why) !=
        LEX_OK) {
        note_break(log, &broken, why.text);
        return;
    }
    if (jump) {
        verifier->entries += entries;
        verifier->first_seq = first_seq;
    }
    if (step.gap)
        note_gap(log, step.gap_from, step.gap_to, "a recovery entry");
    else if (jump || entry->seq > anchor)
        note_gap(log, anchor, entry->seq - 1, jump ? "the mirror" : "where the ledger begins");
}

/* What cannot be decoded says no log itself; the source may. */
static void note_stray(struct run *run, const struct lex_ledger_item *item, const char *why)
{
    for (size_t i = 0; i < run->count; i++)
        if (run->logs[i]->partition == item->partition || run->count == 1) {
            struct lex_chain_break broken = {.kind = LEX_BREAK_MALFORMED,
                                             .expected_seq = run->logs[i]->verifier.seq,
                                             .got_seq = -1};
            if (!run->logs[i]->broken)
                note_break(run->logs[i], &broken, why);
            return;
        }
    run->strays++;
    (void)lex_cli_fail(&usage, LEX_EXIT_NO, "a record of partition %d, offset %lld: %s",
                       item->partition, (long long)item->kafka_offset, why);
}

static enum lex_status take(void *user, const struct lex_ledger_item *item, struct lex_error *err)
{
    struct run *run = user;
    struct lex_ledger_entry entry;
    struct lex_error why;
    struct lex_span topic;
    int32_t partition = -1;
    lex_arena_reset(&run->arena);
    if (lex_ledger_decode(item->value, &run->arena, &entry, &why) != LEX_OK ||
        lex_origin_parse(entry.log, lex_pins_origin_prefix(run->pins), &topic, &partition, &why) !=
            LEX_OK) {
        note_stray(run, item, why.text);
        return LEX_OK;
    }
    if (from.partition >= 0 && partition != from.partition)
        return LEX_OK;
    struct log_state *log = find_log(run, entry.log);
    if (log == NULL)
        LEX_TRY(new_log(run, entry.log, partition, &log, err));
    if (!log->broken && item->partition >= 0 && item->partition != partition) {
        struct lex_chain_break broken = {
            .kind = LEX_BREAK_LOG, .expected_seq = log->verifier.seq, .got_seq = entry.seq};
        note_break(log, &broken, "an entry of this log lies in another partition");
    }
    if (!log->broken)
        check_entry(run, log, item, &entry);
    return LEX_OK;
}

static enum lex_status check_head(struct run *run, struct log_state *log, struct lex_error *err)
{
    int64_t seq = 0;
    struct lex_hash prev;
    bool known = false;
    if (log->broken || run->source->head == NULL)
        return LEX_OK;
    LEX_TRY(run->source->head(run->source, log->partition, &seq, &prev, &known, err));
    if (!known || (seq == log->verifier.seq && lex_hash_eq(&prev, &log->verifier.prev)))
        return LEX_OK;
    struct lex_chain_break broken = {.kind =
                                         seq == log->verifier.seq ? LEX_BREAK_PREV : LEX_BREAK_SEQ,
                                     .expected_seq = seq,
                                     .got_seq = log->verifier.seq,
                                     .expected_prev = prev,
                                     .got_prev = log->verifier.prev};
    note_break(
        log, &broken,
        "the last entry does not lead to the head that the source knows: entries at the end were "
        "removed or altered");
    return LEX_OK;
}

static enum lex_status read_all(struct run *run, struct lex_error *err)
{
    LEX_TRY(lex_ledger_source_each(run->source, take, run, err));
    for (size_t i = 0; i < run->count; i++)
        LEX_TRY(check_head(run, run->logs[i], err));
    return LEX_OK;
}

/* ---- the report ---- */

static bool holds(const struct log_state *log)
{
    return !log->broken && (allow_gaps || log->gaps == 0);
}

static void print_json(const struct log_state *log)
{
    const struct lex_chain_verifier *verifier = &log->verifier;
    LEX_CLEANUP(lex_buf_fini) struct lex_buf out;
    lex_buf_init(&out, 2 * GAPS_TEXT_MAX_BYTES);
    lex_buf_puts(&out, "{\"log\":");
    lex_buf_put_json(&out, lex_span_str(verifier->origin));
    lex_buf_printf(&out,
                   ",\"ok\":%s,\"entries\":%lld,\"first_seq\":%lld,\"next_seq\":%lld,\"head\":\"",
                   holds(log) ? "true" : "false", (long long)verifier->entries,
                   (long long)verifier->first_seq, (long long)verifier->seq);
    lex_buf_put_hex(&out, verifier->prev.bytes, sizeof verifier->prev.bytes);
    lex_buf_printf(&out, "\",\"gap_count\":%lld,\"gaps\":[%s],\"break\":", (long long)log->gaps,
                   lex_buf_ok(&log->gaps_json) ? lex_buf_str(&log->gaps_json) : "");
    if (!log->broken)
        lex_buf_puts(&out, "null}");
    else {
        lex_buf_printf(&out, "{\"kind\":\"%s\",\"expected_seq\":%lld,\"got_seq\":%lld,\"text\":",
                       lex_break_name(log->break_.kind), (long long)log->break_.expected_seq,
                       (long long)log->break_.got_seq);
        lex_buf_put_json(&out, lex_span_str(log->why));
        lex_buf_puts(&out, "}}");
    }
    (void)puts(lex_buf_str(&out));
}

static void print_text(const struct log_state *log)
{
    const struct lex_chain_verifier *verifier = &log->verifier;
    (void)printf("%s: ", verifier->origin);
    if (log->broken) {
        LEX_CLEANUP(lex_buf_fini) struct lex_buf why;
        lex_buf_init(&why, 8192);
        lex_buf_put_json(&why, lex_span_str(log->why)); /* may quote what somebody slipped in */
        (void)printf("BROKEN at entry %lld (%s): %s; %lld entries before it hold\n",
                     (long long)log->break_.expected_seq, lex_break_name(log->break_.kind),
                     lex_buf_str(&why), (long long)verifier->entries);
        return;
    }
    (void)printf("%lld entries, %lld to %lld, %s", (long long)verifier->entries,
                 (long long)verifier->first_seq, (long long)verifier->seq - 1,
                 holds(log) ? "the chain holds" : "NOT whole");
    if (log->gaps > 0)
        (void)printf("; %lld gap%s%s", (long long)log->gaps, log->gaps == 1 ? "" : "s",
                     allow_gaps ? "" : " (--allow-gaps accepts declared ones)");
    (void)putchar('\n');
}

static int report(const struct run *run)
{
    bool good = run->count > 0 && run->strays == 0;
    for (size_t i = 0; i < run->count; i++) {
        good = good && holds(run->logs[i]);
        (json ? print_json : print_text)(run->logs[i]);
    }
    if (run->count == 0 && run->strays == 0)
        return lex_cli_fail(&usage, LEX_EXIT_NO, "there was no entry to verify");
    return good ? LEX_EXIT_OK : LEX_EXIT_NO;
}

static int verify(struct run *run)
{
    struct lex_error err;
    enum lex_status status = lex_ledger_source_open(&from, &run->source, &err);
    if (status != LEX_OK)
        return lex_cli_fail(&usage, lex_ledger_source_exit(status, true), "%s", err.text);
    status = read_all(run, &err);
    run->source->close(run->source);
    if (status == LEX_OK)
        return report(run);
    (void)report(run); /* as far as it came */
    return lex_cli_fail(&usage, lex_ledger_source_exit(status, false), "%s", err.text);
}

int lex_cli_ledger_verify(int argc, char **argv)
{
    struct lex_cli_list operands;
    struct lex_error err;
    struct run run = {.source = NULL};
    int parsed = lex_cli_parse(&usage, argc, argv, &operands);
    if (parsed != 0)
        return parsed == 1 ? LEX_EXIT_OK : LEX_EXIT_USAGE;
    if (lex_crypto_init(&err) != LEX_OK)
        return lex_cli_fail(&usage, LEX_EXIT_INTERNAL, "%s", err.text);
    if (lex_pins_load(pins_path, &run.pins, &err) != LEX_OK)
        return lex_cli_fail(&usage, LEX_EXIT_USAGE, "%s", err.text);
    lex_arena_init(&run.arena, ARENA_CHUNK_BYTES, ARENA_MAX_BYTES);
    run.logs = calloc(LOGS_MAX, sizeof *run.logs);
    int status = run.logs != NULL
                     ? verify(&run)
                     : lex_cli_fail(&usage, LEX_EXIT_INTERNAL, "no memory for the logs");
    for (size_t i = 0; i < run.count; i++) {
        lex_buf_fini(&run.logs[i]->gaps_json);
        free(run.logs[i]);
    }
    free(run.logs);
    lex_arena_fini(&run.arena);
    lex_pins_free(run.pins);
    return status;
}
