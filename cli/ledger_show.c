/* `lexecon ledger show`: print entries by their place, decision id or request id. */
#include <stdio.h>

#include "cli/ledger_print.h"
#include "core/base/json.h"
#include "core/ledger/verify.h"

enum { ARENA_CHUNK_BYTES = 256 << 10, ARENA_MAX_BYTES = 32 << 20 };

static struct lex_ledger_source_options from = {.partition = -1};
static const char *decision, *request;
static bool json;
static const struct lex_cli_flag flags[] = {
#include "cli/ledger_source_flags.def"
    {"partition", "N", "Only this partition.", LEX_CLI_INT, &from.partition, false},
    {"decision", "ID", "The entry of this decision id (dec_...).", LEX_CLI_STR, &decision, false},
    {"request", "ID", "The entries of this request id.", LEX_CLI_STR, &request, false},
    {"json", NULL, "One JSON object per entry.", LEX_CLI_BOOL, &json, false},
};
static const struct lex_cli_usage usage = {
    .path = "ledger show",
    .operands = "[SEQ]",
    .text = "Print the entries that match: by sequence number, decision id or request id. It shows "
            "what\n"
            "is there and checks nothing; `lexecon ledger verify` does.\n\n"
            "  lexecon ledger show --mirror mirror.db --partition 3 42\n"
            "  lexecon ledger show --mirror mirror.db --decision dec_01KDZ2...\n\n"
            "Exit status: 0 something was printed; 1 nothing matched; 2 the source cannot be read.",
    .flags = flags,
    .flags_count = LEX_COUNT_OF(flags),
    .operands_max = 1,
};

struct run {
    struct lex_ledger_source *source;
    struct lex_arena arena;
    int64_t seq; /* -1: any */
    int64_t printed, unreadable;
};

static bool matches(const struct run *run, const struct lex_ledger_entry *entry)
{
    return (run->seq < 0 || entry->seq == run->seq) &&
           (decision == NULL || lex_span_eq(entry->decision_id, lex_span_str(decision))) &&
           (request == NULL || lex_span_eq(entry->request_id, lex_span_str(request)));
}

static enum lex_status print(struct run *run, const struct lex_ledger_item *item,
                             const struct lex_ledger_entry *entry, struct lex_error *err)
{
    LEX_CLEANUP(lex_buf_fini) struct lex_buf out;
    lex_buf_init(&out, LEX_CLI_ENTRY_TEXT_MAX_BYTES);
    if (!json && run->printed > 0)
        lex_buf_putc(&out, '\n');
    enum lex_status status = json ? lex_ledger_print_json(item, entry, &run->arena, &out)
                                  : lex_ledger_print_page(item, entry, &run->arena, &out);
    if (status != LEX_OK)
        return lex_fail(err, status, "entry %lld cannot be printed", (long long)entry->seq);
    (void)fwrite(out.data, 1, out.len, stdout);
    run->printed++;
    return LEX_OK;
}

static enum lex_status take(void *user, const struct lex_ledger_item *item, struct lex_error *err)
{
    struct run *run = user;
    struct lex_ledger_entry entry;
    lex_arena_reset(&run->arena);
    if (lex_ledger_decode(item->value, &run->arena, &entry, NULL) != LEX_OK) {
        run->unreadable++;
        return LEX_OK;
    }
    if (!lex_ledger_in_partition(&entry, from.partition) || !matches(run, &entry))
        return LEX_OK;
    return print(run, item, &entry, err);
}

static int show(struct run *run)
{
    struct lex_error err;
    enum lex_status status = lex_ledger_source_open(&from, &run->source, &err);
    if (status != LEX_OK)
        return lex_cli_fail(&usage, lex_ledger_source_exit(status, true), "%s", err.text);
    status = lex_ledger_source_each(run->source, take, run, &err);
    run->source->close(run->source);
    if (run->unreadable > 0)
        (void)lex_cli_fail(&usage, LEX_EXIT_NO,
                           "%lld records are no entries; `lexecon ledger verify` "
                           "says which",
                           (long long)run->unreadable);
    if (status != LEX_OK)
        return lex_cli_fail(&usage, lex_ledger_source_exit(status, false), "%s", err.text);
    return run->printed > 0 ? LEX_EXIT_OK : lex_cli_fail(&usage, LEX_EXIT_NO, "no entry matches");
}

int lex_cli_ledger_show(int argc, char **argv)
{
    struct lex_cli_list operands = {.count = 0};
    struct lex_error err;
    struct run run = {.seq = -1};
    int parsed = lex_cli_parse(&usage, argc, argv, &operands);
    if (parsed != 0)
        return parsed == 1 ? LEX_EXIT_OK : LEX_EXIT_USAGE;
    if (operands.count == 0 && decision == NULL && request == NULL)
        return lex_cli_fail(&usage, LEX_EXIT_USAGE,
                            "expected a sequence number, --decision ID or --request ID");
    if (operands.count > 0 &&
        (lex_json_int64(lex_span_str(operands.items[0]), &run.seq) != LEX_OK || run.seq < 0))
        return lex_cli_fail(&usage, LEX_EXIT_USAGE, "'%s' is no sequence number",
                            operands.items[0]);
    if (lex_crypto_init(&err) != LEX_OK)
        return lex_cli_fail(&usage, LEX_EXIT_INTERNAL, "%s", err.text);
    lex_arena_init(&run.arena, ARENA_CHUNK_BYTES, ARENA_MAX_BYTES);
    int status = show(&run);
    lex_arena_fini(&run.arena);
    return status;
}
