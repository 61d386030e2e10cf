/* `lexecon ledger restore`: an exported ledger, back into a topic that lost it.
 *
 * What a restore may honestly do: put the same bytes at the same places of their chains. So every
 * file is checked whole before anything is written, what the topic holds must be a beginning of the
 * file, and afterwards all of it is read back and compared. It cannot bring back what was written
 * after the export; the service's recovery entry says where the chain went on. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/ledger_file.h"
#include "cli/ledger_source.h"
#include "producer/ledger_writer.h"

enum {
    FILES_MAX = LEX_CLI_LIST_MAX, /* of one call; the others in another one */
    ARENA_CHUNK_BYTES = 256 << 10,
    ARENA_MAX_BYTES = 32 << 20,
};

static struct lex_cli_cluster cluster;
static const char *pins_path, *ledger_topic, *group;
static bool yes, late_start;
static const struct lex_cli_flag flags[] = {
    {"pins", "FILE", "Pinned keys and origin prefix, from `lexecon keys show --pin`.", LEX_CLI_STR,
     &pins_path, true},
    {"yes", NULL, "Yes, write. Without it the files are checked and compared only.", LEX_CLI_BOOL,
     &yes, false},
#define LEX_CLUSTER_FLAG(name, value, help, kind, member) \
    {name, value, help, kind, &cluster.member, false},
#include "cli/cluster_flags.def"
#undef LEX_CLUSTER_FLAG
    {"ledger-topic", "NAME", "Default lexecon.ledger. The entries name it: it cannot be another.",
     LEX_CLI_STR, &ledger_topic, false},
    {"group", "NAME", "The service's consumer group, which must have no member (default lexecon).",
     LEX_CLI_STR, &group, false},
    {"late-start", NULL, "Take files that begin behind their genesis.", LEX_CLI_BOOL, &late_start,
     false},
};
static const struct lex_cli_usage usage = {
    .path = "ledger restore",
    .operands = "FILE...",
    .text =
        "Put exported ledgers (`lexecon ledger export`) back into their topic, each into its own\n"
        "partition, byte for byte. What the topic holds already must be the beginning of the file; "
        "a\n"
        "restore that was interrupted goes on. Every node of the service is stopped before.\n\n"
        "  lexecon ledger restore backup/ledger/*.ledger --pins pins.json --bootstrap kafka:9092\n"
        "  lexecon ledger restore backup/ledger/*.ledger --pins pins.json --bootstrap kafka:9092 "
        "--yes\n\n"
        "The keys of the records are not in an export, and nothing needs them. It needs Read, "
        "Write and\n"
        "Describe on the ledger topic, Describe on the group.\n\n"
        "Exit status: 0 the topic holds every entry of the files (without --yes: it could); 1 a "
        "file or\n"
        "the topic does not fit, nothing was written; 2 wrong flags; 3 Kafka does not answer.",
    .flags = flags,
    .flags_count = LEX_COUNT_OF(flags),
    .operands_min = 1,
    .operands_max = FILES_MAX,
};

/* One file and its partition. */
struct piece {
    const char *path;
    struct lex_ledger_file file;
    int64_t there; /* so many of its entries the topic holds */
    bool beyond;   /* all of them, and more behind them: there is nothing to write */
};

struct run {
    struct lex_config *config;
    struct lex_pins *pins;
    struct lex_arena arena;
    struct piece pieces[FILES_MAX];
    size_t count;
};

/* ---- files ---- */

static enum lex_status check_file(struct run *run, const char *path, struct lex_error *err)
{
    struct piece *piece = &run->pieces[run->count];
    *piece = (struct piece){.path = path};
    LEX_TRY(lex_ledger_file_check(path, run->pins, late_start, &run->arena, &piece->file, err));
    if (piece->file.cut)
        return lex_fail(err, LEX_REJECT,
                        "%s: its last record is cut off at byte %lld; `lexecon ledger export` "
                        "mends it, or cut the file there",
                        path, (long long)piece->file.bytes);
    if (strcmp(piece->file.topic, run->config->ledger_topic) != 0)
        return lex_fail(err, LEX_REJECT,
                        "%s is of the log %s: its entries belong into a topic %s, not %s", path,
                        piece->file.verifier.origin, piece->file.topic, run->config->ledger_topic);
    for (size_t i = 0; i < run->count; i++)
        if (run->pieces[i].file.partition == piece->file.partition)
            return lex_fail(err, LEX_REJECT, "%s and %s are of the same partition %d",
                            run->pieces[i].path, path, piece->file.partition);
    run->count++;
    return LEX_OK;
}

static enum lex_status check_files(struct run *run, const struct lex_cli_list *paths,
                                   struct lex_error *err)
{
    for (size_t i = 0; i < paths->count; i++)
        LEX_TRY(check_file(run, paths->items[i], err));
    return LEX_OK;
}

/* ---- the topic against a file ---- */

static enum lex_status compare_all(struct piece *piece, struct lex_ledger_source *source,
                                   struct lex_export_reader *reader, struct lex_error *err)
{
    struct lex_ledger_item item;
    struct lex_span value;
    bool found = true;
    piece->there = 0;
    piece->beyond = false;
    for (;;) {
        LEX_TRY(source->next(source, &item, &found, err));
        if (!found)
            return LEX_OK;
        LEX_TRY(lex_export_next(reader, &value, err));
        piece->beyond = lex_span_absent(value);
        if (piece->beyond)
            return LEX_OK;
        if (!lex_span_eq(value, item.value))
            return lex_fail(err, LEX_REJECT,
                            "partition %d of the topic holds another record than the file at its "
                            "%lld. place (offset %lld): only an empty topic, or the beginning of "
                            "the file, can be gone on with; make the topic anew",
                            piece->file.partition, (long long)piece->there + 1,
                            (long long)item.kafka_offset);
        piece->there++;
    }
}

static enum lex_status compare(struct piece *piece, struct lex_error *err)
{
    struct lex_export_reader reader;
    struct lex_ledger_source *source = NULL;
    struct lex_ledger_source_options options = {
        .topic = piece->file.topic, .cluster = cluster, .partition = piece->file.partition};
    LEX_TRY(lex_ledger_open_topic(&options, &source, err));
    enum lex_status status = lex_export_open(piece->path, &reader, err);
    if (status == LEX_OK) {
        status = compare_all(piece, source, &reader, err);
        lex_export_close(&reader);
    }
    source->close(source);
    return status;
}

static enum lex_status compare_pieces(struct run *run, struct lex_error *err)
{
    for (size_t i = 0; i < run->count; i++)
        LEX_TRY(compare(&run->pieces[i], err));
    return LEX_OK;
}

/* ---- writing ---- */

static enum lex_status write_piece(struct run *run, struct lex_ledger_writer *writer,
                                   const struct piece *piece, struct lex_export_reader *reader,
                                   struct lex_error *err)
{
    struct lex_span value;
    for (int64_t at = 0; at < piece->file.verifier.entries; at++) {
        struct lex_ledger_entry entry;
        LEX_TRY(lex_export_next(reader, &value, err));
        if (at < piece->there)
            continue;
        lex_arena_reset(&run->arena);
        LEX_TRY(lex_ledger_decode(value, &run->arena, &entry, err));
        LEX_TRY(lex_ledger_writer_put(writer, piece->file.partition, entry.recorded_at / 1000,
                                      value, err));
    }
    return lex_ledger_writer_flush(writer, err);
}

static enum lex_status write_pieces(struct run *run, struct lex_error *err)
{
    struct lex_ledger_writer *writer = NULL;
    enum lex_status status = lex_ledger_writer_new(run->config, &writer, err);
    for (size_t i = 0; i < run->count && status == LEX_OK; i++) {
        struct lex_export_reader reader;
        status = lex_export_open(run->pieces[i].path, &reader, err);
        if (status != LEX_OK)
            break;
        status = write_piece(run, writer, &run->pieces[i], &reader, err);
        lex_export_close(&reader);
    }
    lex_ledger_writer_free(writer);
    return status;
}

/* ---- the run ---- */

static void print_pieces(const struct run *run)
{
    for (size_t i = 0; i < run->count; i++) {
        const struct piece *piece = &run->pieces[i];
        int64_t missing = piece->file.verifier.entries - piece->there;
        (void)printf("%s: %lld entries, the topic holds %lld of them, %s%lld %s%s\n",
                     piece->file.verifier.origin, (long long)piece->file.verifier.entries,
                     (long long)piece->there, missing != 0 && !yes ? "would write " : "",
                     (long long)missing, missing == 0 || yes ? "missing" : "more",
                     piece->beyond ? "; it goes on behind them" : "");
    }
}

static enum lex_status restore(struct run *run, const struct lex_cli_list *paths,
                               struct lex_error *err)
{
    LEX_TRY(check_files(run, paths, err));
    LEX_TRY(compare_pieces(run, err));
    if (!yes)
        return LEX_OK;
    LEX_TRY(write_pieces(run, err));
    LEX_TRY(compare_pieces(run, err)); /* what was written is what is there */
    for (size_t i = 0; i < run->count; i++)
        if (run->pieces[i].there != run->pieces[i].file.verifier.entries)
            return lex_fail(err, LEX_RETRY, "%s: not all of it can be read back; run it again",
                            run->pieces[i].path);
    return LEX_OK;
}

static int finish(const struct run *run, enum lex_status status, const struct lex_error *err)
{
    if (status == LEX_REJECT)
        return lex_cli_fail(&usage, LEX_EXIT_NO, "%s", err->text);
    if (status == LEX_LIMIT)
        return lex_cli_fail(&usage, LEX_EXIT_INTERNAL, "%s", err->text);
    if (status != LEX_OK)
        return lex_cli_fail(&usage, LEX_EXIT_UNAVAILABLE, "%s", err->text);
    print_pieces(run);
    return LEX_EXIT_OK;
}

static enum lex_status load(struct run *run, struct lex_error *err)
{
    const char *more[5] = {NULL};
    size_t count = 0;
    if (ledger_topic != NULL) {
        more[count++] = "--ledger-topic";
        more[count++] = ledger_topic;
    }
    if (group != NULL) {
        more[count++] = "--group";
        more[count++] = group;
    }
    LEX_TRY(lex_pins_load(pins_path, &run->pins, err));
    return lex_cli_cluster_load(&cluster, more, &run->config, err);
}

int lex_cli_ledger_restore(int argc, char **argv)
{
    struct lex_cli_list operands;
    struct lex_error err = {{0}};
    int parsed = lex_cli_parse(&usage, argc, argv, &operands);
    if (parsed != 0)
        return parsed == 1 ? LEX_EXIT_OK : LEX_EXIT_USAGE;
    lex_log_init(LEX_LOG_CRITICAL, LEX_LOG_TEXT, fileno(stderr));
    if (lex_crypto_init(&err) != LEX_OK)
        return lex_cli_fail(&usage, LEX_EXIT_INTERNAL, "%s", err.text);
    struct run *run = calloc(1, sizeof *run);
    if (run == NULL)
        return lex_cli_fail(&usage, LEX_EXIT_INTERNAL, "out of memory");
    lex_arena_init(&run->arena, ARENA_CHUNK_BYTES, ARENA_MAX_BYTES);
    int result = load(run, &err) == LEX_OK ? finish(run, restore(run, &operands, &err), &err)
                                           : lex_cli_fail(&usage, LEX_EXIT_USAGE, "%s", err.text);
    lex_arena_fini(&run->arena);
    lex_config_free(run->config);
    lex_pins_free(run->pins);
    free(run);
    return result;
}
