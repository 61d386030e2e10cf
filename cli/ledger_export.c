/* `lexecon ledger export`: a ledger as files that outlive its topic.
 *
 * Every entry is checked on its way, so a broken chain is found by the backup and not by the
 * restore. A file that is there is gone on with: it is read and checked, an end that an interrupted
 * export cut off is removed, and what the source holds behind its last entry is appended. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/ledger_file.h"
#include "cli/ledger_print.h"
#include "cli/ledger_source.h"

enum {
    LOGS_MAX = 512, /* open files of one export; more partitions are exported a few at a time */
    PATH_MAX_BYTES = 4096,
    ARENA_CHUNK_BYTES = 256 << 10,
    ARENA_MAX_BYTES = 32 << 20,
};

static struct lex_ledger_source_options from = {.partition = -1};
static const char *pins_path, *out_dir;
static bool late_start;
static const struct lex_cli_flag flags[] = {
#include "cli/ledger_source_flags.def"
    {"out", "DIR", "Directory of the files, <topic>-<partition>.ledger; made where it is missing.",
     LEX_CLI_STR, &out_dir, true},
    {"pins", "FILE", "Pinned keys and origin prefix, from `lexecon keys show --pin`.", LEX_CLI_STR,
     &pins_path, true},
    {"partition", "N", "Only this partition.", LEX_CLI_INT, &from.partition, false},
    {"late-start", NULL,
     "Take a ledger that begins behind its genesis, since retention deleted what was before.",
     LEX_CLI_BOOL, &late_start, false},
};
static const struct lex_cli_usage usage = {
    .path = "ledger export",
    .operands = "",
    .text =
        "Copy a ledger into files, one for each partition, and check every link on the way. Run\n"
        "again, it appends what was written since. `lexecon ledger verify --file FILE` checks such "
        "a\n"
        "file, `lexecon ledger restore` puts it into a new topic.\n\n"
        "  lexecon ledger export --topic lexecon.ledger --bootstrap kafka:9092 \\\n"
        "      --pins pins.json --out backup/ledger\n\n"
        "Exit status: 0 everything is in the files; 1 a chain breaks, or a file holds another "
        "chain:\n"
        "what was good is in the files; 2 source or files cannot be opened; 3 Kafka does not "
        "answer.",
    .flags = flags,
    .flags_count = LEX_COUNT_OF(flags),
};

struct log_file {
    struct lex_ledger_file file;
    char path[PATH_MAX_BYTES];
    FILE *out;
    int64_t added;
    int64_t source_seq; /* of the last entry that the source holds */
};

struct run {
    struct lex_ledger_source *source;
    struct lex_pins *pins;
    struct lex_arena arena, file_arena;
    struct log_file *logs[LOGS_MAX];
    size_t count;
};

/* ---- files ---- */

static struct log_file *find_log(const struct run *run, struct lex_span origin)
{
    for (size_t i = 0; i < run->count; i++)
        if (lex_span_eq(origin, lex_span_str(run->logs[i]->file.verifier.origin)))
            return run->logs[i];
    return NULL;
}

/* What is there stays, if it is this log's; a cut-off end goes. */
static enum lex_status resume(struct run *run, struct log_file *log, struct lex_error *err)
{
    struct lex_ledger_file found;
    LEX_TRY(lex_ledger_file_check(log->path, run->pins, late_start, &run->file_arena, &found, err));
    if (strcmp(found.verifier.origin, log->file.verifier.origin) != 0)
        return lex_fail(err, LEX_REJECT, "%s holds the log %s, not %s", log->path,
                        found.verifier.origin, log->file.verifier.origin);
    if (found.cut && truncate(log->path, (off_t)found.bytes) != 0)
        return lex_fail(err, LEX_REJECT, "%s: %s", log->path, strerror(errno));
    log->file = found;
    return LEX_OK;
}

static enum lex_status open_file(struct run *run, struct log_file *log, struct lex_error *err)
{
    struct stat info;
    int len = snprintf(log->path, sizeof log->path, "%s/%s-%d.ledger", out_dir, log->file.topic,
                       log->file.partition);
    if (len < 0 || (size_t)len >= sizeof log->path)
        return lex_fail(err, LEX_REJECT, "--out: the path is too long");
    if (stat(log->path, &info) == 0 && info.st_size > 0)
        LEX_TRY(resume(run, log, err));
    log->out = fopen(log->path, "abe");
    if (log->out == NULL)
        return lex_fail(err, LEX_REJECT, "%s: %s", log->path, strerror(errno));
    return LEX_OK;
}

static enum lex_status new_log(struct run *run, struct lex_span origin, struct log_file **ret,
                               struct lex_error *err)
{
    struct log_file *log = run->count < LOGS_MAX ? calloc(1, sizeof *log) : NULL;
    if (log == NULL)
        return lex_fail(err, LEX_LIMIT, "more than %d partitions: export them by --partition",
                        LOGS_MAX);
    run->logs[run->count++] = log;
    LEX_TRY(lex_ledger_file_init(&log->file, origin, run->pins, late_start, err));
    LEX_TRY(open_file(run, log, err));
    *ret = log;
    return LEX_OK;
}

/* Everything is on the disk before anybody is told that it is. */
static enum lex_status close_files(struct run *run, struct lex_error *err)
{
    enum lex_status status = LEX_OK;
    for (size_t i = 0; i < run->count; i++) {
        struct log_file *log = run->logs[i];
        if (log->out == NULL)
            continue;
        bool kept = fflush(log->out) == 0 && fsync(fileno(log->out)) == 0;
        kept = fclose(log->out) == 0 && kept;
        log->out = NULL;
        if (!kept)
            status = lex_fail(err, LEX_REJECT, "%s: %s", log->path, strerror(errno));
    }
    return status;
}

/* ---- entries ---- */

/* An entry that the file holds already. Only its last one can be compared without reading it again,
 * and that one names all before it. */
static enum lex_status compare(const struct log_file *log, const struct lex_ledger_entry *entry,
                               struct lex_span value, struct lex_error *err)
{
    struct lex_hash leaf;
    if (entry->seq != log->file.verifier.seq - 1)
        return LEX_OK;
    lex_leaf_hash(value, &leaf);
    if (lex_hash_eq(&leaf, &log->file.verifier.prev))
        return LEX_OK;
    return lex_fail(
        err, LEX_REJECT,
        "%s: its last entry %lld is not the one that stands in %s now: the file, or the "
        "ledger, was altered; keep both, and export into another directory",
        log->path, (long long)entry->seq, log->file.verifier.origin);
}

static enum lex_status append(struct run *run, struct log_file *log,
                              const struct lex_ledger_entry *entry, struct lex_span value,
                              struct lex_error *err)
{
    struct lex_chain_step step;
    struct lex_chain_break broken;
    struct lex_error why;
    if (log->file.verifier.anchored && entry->seq < log->file.verifier.seq)
        return compare(log, entry, value, err);
    enum lex_status status = lex_chain_verify_entry(&log->file.verifier, entry, value, &run->arena,
                                                    &step, &broken, &why);
    if (status != LEX_OK)
        return lex_fail(err, status, "%s: %s", log->file.verifier.origin, why.text);
    LEX_TRY(lex_export_write(log->out, value, err));
    log->added++;
    return LEX_OK;
}

static enum lex_status take(void *user, const struct lex_ledger_item *item, struct lex_error *err)
{
    struct run *run = user;
    struct lex_ledger_entry entry;
    lex_arena_reset(&run->arena);
    LEX_TRY(lex_ledger_decode(item->value, &run->arena, &entry, err));
    if (!lex_ledger_in_partition(&entry, from.partition))
        return LEX_OK;
    struct log_file *log = find_log(run, entry.log);
    if (log == NULL)
        LEX_TRY(new_log(run, entry.log, &log, err));
    log->source_seq = entry.seq;
    if (item->partition >= 0 && item->partition != log->file.partition)
        return lex_fail(err, LEX_REJECT, "an entry of %s lies in partition %d",
                        log->file.verifier.origin, item->partition);
    return append(run, log, &entry, item->value, err);
}

/* ---- the run ---- */

/* A source that ends before the file does has lost entries. */
static int check_ends(const struct run *run)
{
    for (size_t i = 0; i < run->count; i++) {
        const struct log_file *log = run->logs[i];
        if (log->source_seq < log->file.verifier.seq - 1)
            return lex_cli_fail(&usage, LEX_EXIT_NO,
                                "%s ends with entry %lld, but %s holds entries up to %lld: the "
                                "ledger lost its end; keep the file",
                                log->file.verifier.origin, (long long)log->source_seq, log->path,
                                (long long)log->file.verifier.seq - 1);
    }
    return LEX_EXIT_OK;
}

static int report(const struct run *run)
{
    for (size_t i = 0; i < run->count; i++) {
        const struct log_file *log = run->logs[i];
        const struct lex_chain_verifier *verifier = &log->file.verifier;
        (void)printf("%s: %lld entries, %lld to %lld, %lld new, in %s\n", verifier->origin,
                     (long long)verifier->entries, (long long)verifier->first_seq,
                     (long long)verifier->seq - 1, (long long)log->added, log->path);
    }
    if (run->count == 0)
        return lex_cli_fail(&usage, LEX_EXIT_NO, "there was no entry to export");
    return check_ends(run);
}

static int export_from(struct run *run)
{
    struct lex_error err, closing;
    enum lex_status status = lex_ledger_source_open(&from, &run->source, &err);
    if (status != LEX_OK)
        return lex_cli_fail(&usage, lex_ledger_source_exit(status, true), "%s", err.text);
    status = lex_ledger_source_each(run->source, take, run, &err);
    run->source->close(run->source);
    if (close_files(run, &closing) != LEX_OK)
        return lex_cli_fail(&usage, LEX_EXIT_USAGE, "%s", closing.text);
    int reported = report(run);
    if (status != LEX_OK)
        return lex_cli_fail(&usage, lex_ledger_source_exit(status, false), "%s", err.text);
    return reported;
}

static void release(struct run *run)
{
    for (size_t i = 0; i < run->count; i++)
        free(run->logs[i]);
    lex_arena_fini(&run->arena);
    lex_arena_fini(&run->file_arena);
    lex_pins_free(run->pins);
}

int lex_cli_ledger_export(int argc, char **argv)
{
    struct lex_cli_list operands;
    struct lex_error err;
    struct run run = {.source = NULL};
    int parsed = lex_cli_parse(&usage, argc, argv, &operands);
    if (parsed != 0)
        return parsed == 1 ? LEX_EXIT_OK : LEX_EXIT_USAGE;
    if (lex_crypto_init(&err) != LEX_OK)
        return lex_cli_fail(&usage, LEX_EXIT_INTERNAL, "%s", err.text);
    if (mkdir(out_dir, 0700) != 0 && errno != EEXIST)
        return lex_cli_fail(&usage, LEX_EXIT_USAGE, "--out %s: %s", out_dir, strerror(errno));
    if (lex_pins_load(pins_path, &run.pins, &err) != LEX_OK)
        return lex_cli_fail(&usage, LEX_EXIT_USAGE, "%s", err.text);
    lex_arena_init(&run.arena, ARENA_CHUNK_BYTES, ARENA_MAX_BYTES);
    lex_arena_init(&run.file_arena, ARENA_CHUNK_BYTES, ARENA_MAX_BYTES);
    int status = export_from(&run);
    release(&run);
    return status;
}
