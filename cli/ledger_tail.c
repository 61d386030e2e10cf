/* `lexecon ledger tail`: the last entries of a ledger, and those that follow. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "cli/ledger_print.h"
#include "core/ledger/verify.h"

enum {
    ARENA_CHUNK_BYTES = 256 << 10,
    ARENA_MAX_BYTES = 32 << 20,
    LINES_MAX = 10000,
    POLL_MS = 500
};

static struct lex_ledger_source_options from = {.partition = -1};
static long long lines = 10;
static bool json, follow;
static const struct lex_cli_flag flags[] = {
#include "cli/ledger_source_flags.def"
    {"partition", "N", "Only this partition.", LEX_CLI_INT, &from.partition, false},
    {"lines", "N", "How many entries, 0 to 10000 (default 10).", LEX_CLI_INT, &lines, false},
    {"follow", NULL, "Go on printing what is written, until interrupted.", LEX_CLI_BOOL, &follow,
     false},
    {"json", NULL, "One JSON object per entry.", LEX_CLI_BOOL, &json, false},
};
static const struct lex_cli_usage usage = {
    .path = "ledger tail",
    .operands = "",
    .text =
        "Print the last entries, a line each: partition/seq, when it was recorded, what it is. It\n"
        "shows what is there and checks nothing; `lexecon ledger verify` does.\n\n"
        "  lexecon ledger tail --mirror mirror.db --follow\n"
        "  lexecon ledger tail --topic lexecon.ledger --bootstrap kafka:9092 --follow\n\n"
        "Exit status: 0 printed; 1 the source is damaged; 2 it cannot be read; 3 Kafka does not "
        "answer.",
    .flags = flags,
    .flags_count = LEX_COUNT_OF(flags),
};

/* A ring of the last printed texts, so that a long ledger costs no memory. */
struct run {
    struct lex_ledger_source *source;
    struct lex_arena arena;
    char **ring;
    size_t next;    /* place of the next text */
    bool following; /* the first round is over: print at once */
};

static void keep(struct run *run, const struct lex_buf *text)
{
    if (run->following) {
        (void)fputs(lex_buf_str(text), stdout);
        return;
    }
    if (lines == 0)
        return;
    free(run->ring[run->next]);
    run->ring[run->next] = strdup(lex_buf_str(text));
    run->next = (run->next + 1) % (size_t)lines;
}

static void print_ring(struct run *run)
{
    for (size_t i = 0; i < (size_t)lines; i++) {
        char **text = &run->ring[(run->next + i) % (size_t)lines];
        if (*text != NULL)
            (void)fputs(*text, stdout);
        free(*text);
        *text = NULL;
    }
}

static enum lex_status take(void *user, const struct lex_ledger_item *item, struct lex_error *err)
{
    struct run *run = user;
    struct lex_ledger_entry entry;
    struct lex_error why;
    LEX_CLEANUP(lex_buf_fini) struct lex_buf out;
    lex_buf_init(&out, LEX_CLI_ENTRY_TEXT_MAX_BYTES);
    lex_arena_reset(&run->arena);
    if (lex_ledger_decode(item->value, &run->arena, &entry, &why) != LEX_OK) {
        lex_buf_puts(&out, json ? "{\"problem\":" : "?  no entry: ");
        lex_buf_put_json(&out, lex_span_str(why.text));
        lex_buf_puts(&out, json ? "}\n" : "\n");
    } else if (!lex_ledger_in_partition(&entry, from.partition)) {
        return LEX_OK;
    } else if (!json) {
        lex_ledger_print_line(item, &entry, &out);
    } else if (lex_ledger_print_json(item, &entry, &run->arena, &out) != LEX_OK) {
        return lex_fail(err, LEX_LIMIT, "entry %lld cannot be printed", (long long)entry.seq);
    }
    keep(run, &out);
    return LEX_OK;
}

static enum lex_status read_all(struct run *run, struct lex_error *err)
{
    const struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};
    LEX_TRY(lex_ledger_source_each(run->source, take, run, err));
    print_ring(run);
    run->following = true;
    while (follow) {
        (void)fflush(stdout);
        (void)nanosleep(&pause, NULL);
        LEX_TRY(lex_ledger_source_each(run->source, take, run, err));
    }
    return LEX_OK;
}

static int tail(struct run *run)
{
    struct lex_error err;
    from.last = lines > 0 ? lines : 1;
    enum lex_status status = lex_ledger_source_open(&from, &run->source, &err);
    if (status != LEX_OK)
        return lex_cli_fail(&usage, lex_ledger_source_exit(status, true), "%s", err.text);
    if (follow && !run->source->grows) {
        run->source->close(run->source);
        return lex_cli_fail(&usage, LEX_EXIT_USAGE, "--follow: an exported file does not grow");
    }
    status = read_all(run, &err);
    run->source->close(run->source);
    print_ring(run);
    if (status != LEX_OK)
        return lex_cli_fail(&usage, lex_ledger_source_exit(status, false), "%s", err.text);
    return LEX_EXIT_OK;
}

int lex_cli_ledger_tail(int argc, char **argv)
{
    struct lex_cli_list operands;
    struct lex_error err;
    struct run run = {.source = NULL};
    int parsed = lex_cli_parse(&usage, argc, argv, &operands);
    if (parsed != 0)
        return parsed == 1 ? LEX_EXIT_OK : LEX_EXIT_USAGE;
    if (lines < 0 || lines > LINES_MAX)
        return lex_cli_fail(&usage, LEX_EXIT_USAGE, "--lines: expected 0 to %d", LINES_MAX);
    if (lex_crypto_init(&err) != LEX_OK)
        return lex_cli_fail(&usage, LEX_EXIT_INTERNAL, "%s", err.text);
    run.ring = calloc((size_t)lines + 1, sizeof *run.ring);
    if (run.ring == NULL)
        return lex_cli_fail(&usage, LEX_EXIT_INTERNAL, "no memory for %lld lines", lines);
    lex_arena_init(&run.arena, ARENA_CHUNK_BYTES, ARENA_MAX_BYTES);
    int status = tail(&run);
    free(run.ring);
    lex_arena_fini(&run.arena);
    return status;
}
