/* `lexecon dlq list`: the requests that could not be decoded, and why. */
#include <stdio.h>
#include <unistd.h>

#include "cli/dlq.h"
#include "core/base/clock.h"
#include "core/base/text.h"

enum { LINE_MAX_BYTES = 8 << 20, KEY_SHOWN_BYTES = 40 };

static struct lex_cli_cluster cluster;
static struct lex_dlq_filter filter = {.since_ms = -1};
static const char *since, *topic;
static long long limit = 100;
static bool json, show;
static const struct lex_cli_flag flags[] = {
    {"reason", "REASON", "Only these, such as UNKNOWN_SCHEMA; repeatable.", LEX_CLI_LIST,
     &filter.reasons, false},
    {"letter", "PARTITION/OFFSET", "Only this one; repeatable.", LEX_CLI_LIST, &filter.letters,
     false},
    {"since", "WHEN", "Only those not older: an instant, or so long ago (30s, 15m, 2h, 7d).",
     LEX_CLI_STR, &since, false},
    {"limit", "N", "At most so many (default 100).", LEX_CLI_INT, &limit, false},
    {"show", NULL, "Also what they carry, with control characters escaped.", LEX_CLI_BOOL, &show,
     false},
    {"json", NULL, "One JSON object a line.", LEX_CLI_BOOL, &json, false},
    {"dead-letters-topic", "NAME", "Default lexecon.dead-letters.", LEX_CLI_STR, &topic, false},
#define LEX_CLUSTER_FLAG(name, value, help, kind, member) \
    {name, value, help, kind, &cluster.member, false},
#include "cli/cluster_flags.def"
#undef LEX_CLUSTER_FLAG
};
static const struct lex_cli_usage usage = {
    .path = "dlq list",
    .operands = "",
    .text =
        "List the dead letters: requests that could not be decoded, with the reason and the place\n"
        "in the request topic. STATE says whether the request is in it: `whole`; `blanked`, its\n"
        "tokens are; `cut`, only a part or a digest is; `foreign`, not written by the service.\n\n"
        "  lexecon dlq list --bootstrap kafka:9092 --since 2h\n"
        "  lexecon dlq list --bootstrap kafka:9092 --reason UNKNOWN_SCHEMA --show\n\n"
        "It needs Read on the dead letters. What is in them may say what a request said.\n\n"
        "Exit status: 0 printed, also where there are none; 2 a flag or setting is wrong; 3 a\n"
        "broker did not answer in time.",
    .flags = flags,
    .flags_count = LEX_COUNT_OF(flags),
};

static void put_span_json(const char *name, struct lex_span span, struct lex_buf *out)
{
    lex_buf_printf(out, ",\"%s\":", name);
    if (lex_span_absent(span))
        lex_buf_puts(out, "null");
    else
        lex_buf_put_json(out, span);
}

static void put_json(const struct lex_dlq_letter *letter, struct lex_buf *out)
{
    char time[LEX_RFC3339_MAX];
    lex_rfc3339_millis(letter->timestamp_ms * 1000, time);
    lex_buf_printf(out, "{\"partition\":%d,\"offset\":%lld,\"time\":\"%s\"", letter->partition,
                   (long long)letter->offset, time);
    put_span_json("reason", letter->reason, out);
    put_span_json("message", letter->message, out);
    put_span_json("source_topic", letter->source_topic, out);
    lex_buf_printf(out,
                   ",\"source_partition\":%lld,\"source_offset\":%lld,\"bytes\":%lld,\"held\":%zu,"
                   "\"state\":\"%s\"",
                   (long long)letter->source_partition, (long long)letter->source_offset,
                   (long long)letter->original_bytes, letter->value.len,
                   lex_dlq_state_text(lex_dlq_state_of(letter)));
    put_span_json("key", letter->key, out);
    if (show) {
        lex_buf_puts(out, ",\"value_base64\":\"");
        lex_buf_put_base64(out, letter->value);
        lex_buf_putc(out, '"');
    }
    lex_buf_puts(out, "}\n");
}

static void put_line(const struct lex_dlq_letter *letter, struct lex_buf *out)
{
    char time[LEX_RFC3339_MAX], place[48], source[80];
    struct lex_span key = letter->key;
    lex_rfc3339_millis(letter->timestamp_ms * 1000, time);
    (void)snprintf(place, sizeof place, "%d/%lld", letter->partition, (long long)letter->offset);
    (void)snprintf(source, sizeof source, "%lld/%lld", (long long)letter->source_partition,
                   (long long)letter->source_offset);
    key.len = key.len < KEY_SHOWN_BYTES ? key.len : KEY_SHOWN_BYTES;
    lex_buf_printf(out, "%-12s  %s  ", place, time);
    lex_dlq_put_shown(letter->reason, out);
    lex_buf_printf(out, "  %-12s  %8lld  %-7s  ", source, (long long)letter->original_bytes,
                   lex_dlq_state_text(lex_dlq_state_of(letter)));
    if (lex_span_absent(key))
        lex_buf_putc(out, '-');
    else
        lex_dlq_put_shown(key, out);
    lex_buf_puts(out, "  ");
    lex_dlq_put_shown(letter->message, out);
    lex_buf_putc(out, '\n');
    if (show) {
        lex_buf_puts(out, "    ");
        lex_dlq_put_shown(letter->value, out);
        lex_buf_putc(out, '\n');
    }
}

static int print(const struct lex_dlq_letter *letter, struct lex_buf *out)
{
    lex_buf_clear(out);
    if (json)
        put_json(letter, out);
    else
        put_line(letter, out);
    return lex_buf_ok(out) && fputs(lex_buf_str(out), stdout) != EOF ? LEX_EXIT_OK
                                                                     : LEX_EXIT_INTERNAL;
}

static int print_all(struct lex_record_reader *reader)
{
    struct lex_dlq_letter letter;
    struct lex_error err = {{0}};
    bool found = true;
    LEX_CLEANUP(lex_buf_fini) struct lex_buf out;
    lex_buf_init(&out, LINE_MAX_BYTES);
    if (!json)
        (void)puts("LETTER        TIME                      REASON  SOURCE        BYTES  STATE    "
                   "KEY  MESSAGE");
    for (long long printed = 0; printed < limit;) {
        enum lex_status status = lex_dlq_next(reader, &letter, &found, &err);
        if (status != LEX_OK)
            return lex_cli_fail(&usage, status == LEX_RETRY ? LEX_EXIT_UNAVAILABLE : LEX_EXIT_USAGE,
                                "%s", err.text);
        if (!found)
            return LEX_EXIT_OK;
        if (!lex_dlq_matches(&filter, &letter))
            continue;
        if (print(&letter, &out) != LEX_EXIT_OK)
            return lex_cli_fail(&usage, LEX_EXIT_INTERNAL, "out of memory");
        printed++;
    }
    (void)fprintf(stderr, "lexecon: --limit %lld is reached, there may be more\n", limit);
    return LEX_EXIT_OK;
}

static enum lex_status check(struct lex_error *err)
{
    if (limit < 1)
        return lex_fail(err, LEX_REJECT, "--limit: expected 1 or more");
    if (since != NULL)
        LEX_TRY(lex_dlq_since(since, lex_clock_wall_us(), &filter.since_ms, err));
    return lex_dlq_filter_check(&filter, err);
}

int lex_cli_dlq_list(int argc, char **argv)
{
    struct lex_cli_list operands;
    struct lex_config *config = NULL;
    struct lex_record_reader *reader;
    struct lex_error err = {{0}};
    const char *more[3] = {NULL};
    int parsed = lex_cli_parse(&usage, argc, argv, &operands);
    if (parsed != 0)
        return parsed == 1 ? LEX_EXIT_OK : LEX_EXIT_USAGE;
    more[0] = topic != NULL ? "--dead-letters-topic" : NULL;
    more[1] = topic;
    lex_log_init(LEX_LOG_CRITICAL, LEX_LOG_TEXT, fileno(stderr));
    if (lex_crypto_init(&err) != LEX_OK)
        return lex_cli_fail(&usage, LEX_EXIT_INTERNAL, "%s", err.text);
    if (check(&err) != LEX_OK || lex_cli_cluster_load(&cluster, more, &config, &err) != LEX_OK)
        return lex_cli_fail(&usage, LEX_EXIT_USAGE, "%s", err.text);
    enum lex_status status =
        lex_record_reader_new(config, config->dead_letters_topic, filter.since_ms, &reader, &err);
    int result =
        status == LEX_OK
            ? print_all(reader)
            : lex_cli_fail(&usage, status == LEX_RETRY ? LEX_EXIT_UNAVAILABLE : LEX_EXIT_USAGE,
                           "%s", err.text);
    if (status == LEX_OK)
        lex_record_reader_free(reader);
    lex_config_free(config);
    return result;
}
