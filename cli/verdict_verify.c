/* `lexecon verdict verify`: check that a verdict proves itself, from its bytes and the pinned keys.
 */
#include <errno.h>
#include <stdio.h>

#include "cli/cli.h"
#include "core/codec/codec.h"
#include "core/crypto/crypto.h"
#include "core/ledger/verify.h"

enum {
    INPUT_MAX_BYTES = 256 << 20, /* of one file, or of standard input */
    ARENA_CHUNK_BYTES = 256 << 10,
    ARENA_MAX_BYTES = 32 << 20,
    OPERANDS_MAX = LEX_CLI_LIST_MAX,
};

static const char *pins_path;
static bool json;
static const struct lex_cli_flag flags[] = {
    {"pins", "FILE", "Pinned keys and origin prefix, from `lexecon keys show --pin`.", LEX_CLI_STR,
     &pins_path, true},
    {"json", NULL, "One JSON object per verdict on stdout.", LEX_CLI_BOOL, &json, false},
};
static const struct lex_cli_usage usage = {
    .path = "verdict verify",
    .operands = "[FILE...]",
    .text =
        "Check verdicts against pinned keys: each FILE (or standard input) holds one Avro verdict\n"
        "(single-object encoding), one JSON verdict, or JSON verdicts one per line. What is "
        "checked:\n"
        "the entry's hash leads to the signed batch, the signature is a pinned key's, the log is\n"
        "under the pinned prefix, and the readable members agree with the entry.\n"
        "A verified verdict may well say denied: the exit status is about the proof only.\n\n"
        "  lexecon verdict verify --pins pins.json verdicts.jsonl\n\n"
        "Exit status: 0 every verdict verified; 1 one did not, or there was none; 2 a file cannot "
        "be\n"
        "read.",
    .flags = flags,
    .flags_count = LEX_COUNT_OF(flags),
    .operands_max = OPERANDS_MAX,
};

struct run {
    struct lex_pins *pins;
    struct lex_arena arena;
    size_t verified, failed;
};

/* ---- one verdict ---- */

static enum lex_status check_verdict(struct run *run, struct lex_span value,
                                     struct lex_verdict *ret_verdict, struct lex_hash *ret_leaf,
                                     struct lex_error *err)
{
    int32_t partition;
    struct lex_span entry_value;
    LEX_TRY(lex_verdict_read(value, &run->arena, ret_verdict, &entry_value, err));
    return lex_verdict_prove(run->pins, ret_verdict, entry_value, ret_leaf, &partition, err);
}

static void print_verified(const char *name, size_t line, const struct lex_verdict *verdict,
                           const struct lex_hash *leaf)
{
    const struct lex_ledger_entry *entry = &verdict->entry;
    struct lex_span outcome = lex_outcome_name(entry->outcome);
    LEX_CLEANUP(lex_buf_fini) struct lex_buf out;
    lex_buf_init(&out, 64 << 10);
    if (json) {
        lex_buf_puts(&out, "{\"source\":");
        lex_buf_put_json(&out, lex_span_str(name));
        lex_buf_printf(&out, ",\"line\":%zu,\"verified\":true,\"request_id\":", line);
        lex_buf_put_json(&out, entry->request_id);
        lex_buf_puts(&out, ",\"decision_id\":");
        lex_buf_put_json(&out, entry->decision_id);
        lex_buf_printf(&out, ",\"outcome\":\"%.*s\",\"allowed\":%s,\"log\":", LEX_SPAN_FMT(outcome),
                       entry->allowed ? "true" : "false");
        lex_buf_put_json(&out, entry->log);
        lex_buf_printf(&out, ",\"seq\":%lld,\"leaf\":\"", (long long)entry->seq);
        lex_buf_put_hex(&out, leaf->bytes, sizeof leaf->bytes);
        lex_buf_puts(&out, "\"}\n");
    } else {
        lex_buf_printf(&out, "%s:%zu: verified: request ", name, line);
        lex_buf_put_json(&out, entry->request_id);
        lex_buf_printf(&out, " was %.*s, entry %lld of %.*s\n", LEX_SPAN_FMT(outcome),
                       (long long)entry->seq, LEX_SPAN_FMT(entry->log));
    }
    (void)fputs(lex_buf_str(&out), stdout);
}

static void print_failed(const char *name, size_t line, const char *why)
{
    LEX_CLEANUP(lex_buf_fini) struct lex_buf out;
    lex_buf_init(&out, 64 << 10);
    if (json) {
        lex_buf_puts(&out, "{\"source\":");
        lex_buf_put_json(&out, lex_span_str(name));
        lex_buf_printf(&out, ",\"line\":%zu,\"verified\":false,\"reason\":", line);
        lex_buf_put_json(&out, lex_span_str(why));
        lex_buf_puts(&out, "}\n");
    } else {
        lex_buf_printf(&out, "%s:%zu: NOT verified: ", name, line);
        lex_buf_put_json(&out, lex_span_str(why));
        lex_buf_putc(&out, '\n');
    }
    (void)fputs(lex_buf_str(&out), stdout);
}

static void verify_one(struct run *run, const char *name, size_t line, struct lex_span value)
{
    struct lex_verdict verdict;
    struct lex_hash leaf;
    struct lex_error err;
    lex_arena_reset(&run->arena);
    if (check_verdict(run, value, &verdict, &leaf, &err) == LEX_OK) {
        run->verified++;
        print_verified(name, line, &verdict, &leaf);
        return;
    }
    run->failed++;
    print_failed(name, line, err.text);
}

/* ---- one file ---- */

static struct lex_span trim(struct lex_span text)
{
    while (text.len > 0 && strchr(" \t\r\n", text.data[0]) != NULL && text.data[0] != '\0') {
        text.data++;
        text.len--;
    }
    while (text.len > 0 && strchr(" \t\r\n", text.data[text.len - 1]) != NULL &&
           text.data[text.len - 1] != '\0')
        text.len--;
    return text;
}

static struct lex_span first_line(struct lex_span text)
{
    const uint8_t *end = text.len == 0 ? NULL : memchr(text.data, '\n', text.len);
    return lex_span_of(text.data, end == NULL ? text.len : (size_t)(end - text.data));
}

/* JSON that a person laid out over several lines ends its first line before its object ends. */
static bool one_per_line(struct lex_span text)
{
    struct lex_span line = trim(first_line(text));
    return line.len > 0 && line.data[line.len - 1] == '}';
}

static void verify_text(struct run *run, const char *name, struct lex_span text)
{
    size_t line = 1;
    bool single = text.len >= 2 && text.data[0] == 0xc3 && text.data[1] == 0x01;
    if (single || (text.len != 0 && text.data[0] == 0x00)) { /* or in Confluent's framing */
        verify_one(run, name, line, text);
        return;
    }
    if (trim(text).len > 0 && !one_per_line(text)) {
        verify_one(run, name, line, trim(text));
        return;
    }
    for (; text.len > 0; line++) {
        struct lex_span row = first_line(text);
        size_t skip = row.len < text.len ? row.len + 1 : row.len;
        text = lex_span_of(text.data + skip, text.len - skip);
        if (trim(row).len > 0)
            verify_one(run, name, line, trim(row));
    }
}

static bool read_file(FILE *file, struct lex_buf *out)
{
    char piece[16384];
    size_t got;
    while ((got = fread(piece, 1, sizeof piece, file)) > 0 && lex_buf_ok(out))
        lex_buf_put(out, piece, got);
    return ferror(file) == 0;
}

static int verify_file(struct run *run, const char *name)
{
    bool standard = strcmp(name, "-") == 0;
    FILE *file = standard ? stdin : fopen(name, "rbe");
    if (file == NULL)
        return lex_cli_fail(&usage, LEX_EXIT_USAGE, "%s: %s", name, strerror(errno));
    LEX_CLEANUP(lex_buf_fini) struct lex_buf text;
    lex_buf_init(&text, INPUT_MAX_BYTES);
    bool read = read_file(file, &text);
    if (!standard)
        (void)fclose(file);
    if (!read)
        return lex_cli_fail(&usage, LEX_EXIT_USAGE, "%s: cannot be read", name);
    if (!lex_buf_ok(&text))
        return lex_cli_fail(&usage, LEX_EXIT_USAGE, "%s: more than %d bytes", name,
                            INPUT_MAX_BYTES);
    verify_text(run, standard ? "stdin" : name, lex_buf_span(&text));
    return LEX_EXIT_OK;
}

int lex_cli_verdict_verify(int argc, char **argv)
{
    struct lex_cli_list operands = {.count = 0};
    struct run run = {.pins = NULL};
    struct lex_error err;
    int parsed = lex_cli_parse(&usage, argc, argv, &operands), status = LEX_EXIT_OK;
    if (parsed != 0)
        return parsed == 1 ? LEX_EXIT_OK : LEX_EXIT_USAGE;
    if (lex_crypto_init(&err) != LEX_OK)
        return lex_cli_fail(&usage, LEX_EXIT_INTERNAL, "%s", err.text);
    if (lex_pins_load(pins_path, &run.pins, &err) != LEX_OK)
        return lex_cli_fail(&usage, LEX_EXIT_USAGE, "%s", err.text);
    if (operands.count == 0)
        operands.items[operands.count++] = "-";
    lex_arena_init(&run.arena, ARENA_CHUNK_BYTES, ARENA_MAX_BYTES);
    for (size_t i = 0; i < operands.count && status == LEX_EXIT_OK; i++)
        status = verify_file(&run, operands.items[i]);
    lex_arena_fini(&run.arena);
    lex_pins_free(run.pins);
    if (status != LEX_EXIT_OK)
        return status;
    if (run.verified + run.failed == 0)
        return lex_cli_fail(&usage, LEX_EXIT_NO, "there was no verdict to verify");
    return run.failed == 0 ? LEX_EXIT_OK : LEX_EXIT_NO;
}
