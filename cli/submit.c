/* `lexecon submit`: ask a running service as an agent's gateway would, and believe only what is
 * proven. What it does with silence is what every client should do: it denies. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/answer_print.h"
#include "cli/cluster.h"
#include "cli/request_file.h"
#include "core/base/clock.h"
#include "core/base/trace.h"

enum {
    TIMEOUT_MAX_S = 3600,
    RATE_MAX = 100000,
    LINE_MAX_BYTES = 1 << 20,
    ARENA_CHUNK_BYTES = 256 << 10
};

static struct lex_request_flags request = {.risk = LEX_RISK_NOT_GIVEN};
static struct lex_cli_cluster cluster;
static const char *file_path, *format_word = "json", *pins_path, *key, *save_path, *traceparent;
static const char *requests_topic, *verdicts_topic;
static long long timeout_s = 10, rate;
static bool json, any_outcome, verbose;

static const struct lex_cli_flag flags[] = {
    {"actor", "NAME", "Who wants to act.", LEX_CLI_STR, &request.actor, false},
    {"action", "NAME", "What it wants to do.", LEX_CLI_STR, &request.action, false},
    {"tool", "NAME", "The tool that would be called.", LEX_CLI_STR, &request.tool, false},
    {"resource", "NAME", "What it would act upon.", LEX_CLI_STR, &request.resource, false},
    {"data-class", "NAME", "A class of data that the action touches; repeatable.", LEX_CLI_LIST,
     &request.data_classes, false},
    {"risk", "1..5", "The caller's risk level (default 1).", LEX_CLI_INT, &request.risk, false},
    {"mode", "MODE", "permissive, strict or paranoid; only a stricter mode takes effect.",
     LEX_CLI_STR, &request.mode, false},
    {"user-intent", "TEXT", "What the user asked for.", LEX_CLI_STR, &request.user_intent, false},
    {"output-type", "NAME", "The requested output type.", LEX_CLI_STR, &request.output_type, false},
    {"context", "KEY=JSON", "A fact as the caller says it; repeatable.", LEX_CLI_LIST,
     &request.context, false},
    {"arguments", "JSON", "The tool call's arguments, a JSON object.", LEX_CLI_STR,
     &request.arguments, false},
    {"user-id", "ID", "The user on whose behalf.", LEX_CLI_STR, &request.user_id, false},
    {"request-id", "ID", "The request's name (default: a new one).", LEX_CLI_STR,
     &request.request_id, false},
    {"deadline", "WHEN", "+30s, +5m, or an RFC 3339 instant: decided later, it is denied.",
     LEX_CLI_STR, &request.deadline, false},
    {"nonce", "TEXT", "Makes a guessable request unguessable.", LEX_CLI_STR, &request.nonce, false},
    {"want-token", NULL, "Ask for a capability token with an approval.", LEX_CLI_BOOL,
     &request.want_token, false},
    {"file", "FILE.jsonl", "Requests instead, one JSON object a line; - is standard input.",
     LEX_CLI_STR, &file_path, false},
    {"format", "json|avro", "How requests are written (default json).", LEX_CLI_STR, &format_word,
     false},
    {"key", "TEXT", "The Kafka key, which chooses the partition (default: the actor).", LEX_CLI_STR,
     &key, false},
    {"traceparent", "TEXT",
     "W3C trace context that the requests belong to: a header of each record.", LEX_CLI_STR,
     &traceparent, false},
    {"pins", "FILE", "Pinned keys, from `lexecon keys show --pin`. There is no way without.",
     LEX_CLI_STR, &pins_path, false},
#define LEX_CLUSTER_FLAG(name, value, help, kind, member) \
    {name, value, help, kind, &cluster.member, false},
#include "cli/cluster_flags.def"
#undef LEX_CLUSTER_FLAG
    {"requests-topic", "NAME", "Default lexecon.requests.", LEX_CLI_STR, &requests_topic, false},
    {"verdicts-topic", "NAME", "Default lexecon.verdicts.", LEX_CLI_STR, &verdicts_topic, false},
    {"timeout", "SECONDS", "How long to wait for verdicts, 1 to 3600 (default 10).", LEX_CLI_INT,
     &timeout_s, false},
    {"rate", "PER_SECOND",
     "Send at this rate, 1 to 100000, instead of all at once; --json then has each answer's "
     "latency_us, from sending to proof. The timeout counts from the last request's turn.",
     LEX_CLI_INT, &rate, false},
    {"json", NULL, "One JSON object per answer instead of the table.", LEX_CLI_BOOL, &json, false},
    {"save", "FILE", "Append the proven verdicts to FILE, for `lexecon verdict verify`.",
     LEX_CLI_STR, &save_path, false},
    {"any-outcome", NULL, "Exit with 0 when every verdict came and verified, whatever it says.",
     LEX_CLI_BOOL, &any_outcome, false},
    {"verbose", NULL, "Print what the Kafka client logs.", LEX_CLI_BOOL, &verbose, false},
};
static const struct lex_cli_usage usage = {
    .path = "submit",
    .operands = "",
    .text =
        "Send requests to a running service, wait for the verdicts, and verify each: signed by a\n"
        "pinned key, for exactly this request, still valid. Whatever does not come in time, or\n"
        "does not verify, is a denial.\n\n"
        "  lexecon submit --bootstrap localhost:9092 --pins pins.json \\\n"
        "      --actor model --action search --resource orders --data-class pii\n"
        "  lexecon submit --bootstrap localhost:9092 --pins pins.json --file requests.jsonl "
        "--json\n\n"
        "Settings of the service are read too: LEXECON_KAFKA_..., LEXECON_REQUESTS_TOPIC, ...\n\n"
        "Exit status: 0 all approved, and proven; 1 every verdict came, but one is not approved\n"
        "or does not verify; 2 a wrong flag, file or setting, nothing was sent; 3 at least one\n"
        "verdict did not come in time, or no broker answers.",
    .flags = flags,
    .flags_count = LEX_COUNT_OF(flags),
};

struct run {
    struct lex_config *config;
    struct lex_pins *pins;
    struct lex_request_file file;
    struct lex_client *client;
    FILE *save;
    enum lex_format format;
    const struct lex_request **requests;
    struct lex_ask *asks;
};

/* ---- before ---- */

static int check_flags(struct run *run)
{
    if (strcmp(format_word, "json") != 0 && strcmp(format_word, "avro") != 0)
        return lex_cli_fail(&usage, LEX_EXIT_USAGE, "--format: expected json or avro, got '%s'",
                            format_word);
    run->format = strcmp(format_word, "avro") == 0 ? LEX_FORMAT_AVRO : LEX_FORMAT_JSON;
    if (timeout_s < 1 || timeout_s > TIMEOUT_MAX_S)
        return lex_cli_fail(&usage, LEX_EXIT_USAGE, "--timeout: expected 1 to %d seconds",
                            TIMEOUT_MAX_S);
    if (rate < 0 || rate > RATE_MAX)
        return lex_cli_fail(&usage, LEX_EXIT_USAGE, "--rate: expected 1 to %d requests a second",
                            RATE_MAX);
    if (file_path != NULL && lex_request_flags_given(&request))
        return lex_cli_fail(&usage, LEX_EXIT_USAGE,
                            "--file brings whole requests: leave --actor and its like away");
    if (file_path == NULL && (request.actor == NULL || request.action == NULL))
        return lex_cli_fail(&usage, LEX_EXIT_USAGE,
                            "give --actor and --action, or --file; see `lexecon submit --help`");
    struct lex_trace trace;
    if (traceparent != NULL && !lex_trace_parse(lex_span_str(traceparent), &trace))
        return lex_cli_fail(&usage, LEX_EXIT_USAGE,
                            "--traceparent: expected 00-<32 hex digits>-<16 hex digits>-<2>, as in "
                            "W3C Trace Context");
    if (pins_path == NULL)
        return lex_cli_fail(&usage, LEX_EXIT_USAGE,
                            "--pins FILE is required: a verdict that nobody checks is worth "
                            "nothing. Get the file, from who runs the service, by\n"
                            "  lexecon keys show --dir <data_dir>/keys --origin-prefix "
                            "<org>/<cluster> --pin > pins.json");
    return LEX_EXIT_OK;
}

static enum lex_status load_requests(struct run *run, struct lex_error *err)
{
    if (file_path != NULL)
        return lex_request_file_load(file_path, &run->file, err);
    LEX_CLEANUP(lex_buf_fini) struct lex_buf text;
    lex_buf_init(&text, LINE_MAX_BYTES);
    LEX_TRY(lex_request_flags_json(&request, lex_clock_wall_us(), &text, err));
    return lex_request_file_one(lex_buf_span(&text), &run->file, err);
}

static enum lex_status load_config(struct run *run, struct lex_error *err)
{
    const char *more[5] = {NULL};
    size_t count = 0;
    if (requests_topic != NULL) {
        more[count++] = "--requests-topic";
        more[count++] = requests_topic;
    }
    if (verdicts_topic != NULL) {
        more[count++] = "--verdicts-topic";
        more[count++] = verdicts_topic;
    }
    return lex_cli_cluster_load(&cluster, more, &run->config, err);
}

static enum lex_status open_save(struct run *run, struct lex_error *err)
{
    if (save_path == NULL)
        return LEX_OK;
    run->save = fopen(save_path, "abe");
    return run->save != NULL
               ? LEX_OK
               : lex_fail(err, LEX_REJECT, "--save %s: %s", save_path, strerror(errno));
}

static enum lex_status fill_asks(struct run *run, struct lex_error *err)
{
    size_t count = run->file.count;
    run->requests = calloc(count, sizeof *run->requests);
    run->asks = calloc(count, sizeof *run->asks);
    if (run->requests == NULL || run->asks == NULL)
        return lex_fail(err, LEX_LIMIT, "out of memory");
    for (size_t i = 0; i < count; i++) {
        run->requests[i] = &run->file.lines[i].request;
        run->asks[i] = (struct lex_ask){run->requests[i], run->format, lex_span_str(key),
                                        lex_span_str(traceparent)};
    }
    return LEX_OK;
}

static enum lex_status prepare(struct run *run, struct lex_error *err)
{
    LEX_TRY(lex_pins_load(pins_path, &run->pins, err));
    LEX_TRY(load_requests(run, err));
    LEX_TRY(load_config(run, err));
    LEX_TRY(open_save(run, err));
    return fill_asks(run, err);
}

/* ---- after ---- */

static void save_verdict(struct run *run, const struct lex_answer *answer)
{
    struct lex_span text;
    struct lex_arena arena;
    const struct lex_verdict *verdict = &answer->verdict;
    lex_arena_init(&arena, ARENA_CHUNK_BYTES, 2 * LINE_MAX_BYTES);
    if (lex_encode_verdict(LEX_FORMAT_JSON, &verdict->entry, answer->entry_value,
                           &verdict->attestation, verdict->token, &arena, LINE_MAX_BYTES,
                           &text) == LEX_OK)
        (void)fprintf(run->save, "%.*s\n", LEX_SPAN_FMT(text));
    else
        (void)fprintf(stderr, "lexecon submit: a verdict is too large for %s\n", save_path);
    lex_arena_fini(&arena);
}

static void print_json(struct run *run, const struct lex_answer *answers)
{
    LEX_CLEANUP(lex_buf_fini) struct lex_buf line;
    lex_buf_init(&line, LINE_MAX_BYTES);
    for (size_t i = 0; i < run->file.count; i++) {
        lex_buf_clear(&line);
        lex_answer_json(run->requests[i], &answers[i], &line);
        (void)fputs(lex_buf_str(&line), stdout);
    }
}

static int show(struct run *run, const struct lex_answer *answers)
{
    bool colour = isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL;
    if (json)
        print_json(run, answers);
    else if (lex_answer_table(run->requests, answers, run->file.count, colour, stdout) != LEX_OK)
        return lex_cli_fail(&usage, LEX_EXIT_INTERNAL, "out of memory");
    for (size_t i = 0; i < run->file.count && run->save != NULL; i++)
        if (answers[i].kind == LEX_ANSWER_PROVEN)
            save_verdict(run, &answers[i]);
    if (fflush(stdout) != 0 || (run->save != NULL && fflush(run->save) != 0))
        return lex_cli_fail(&usage, LEX_EXIT_INTERNAL, "the answers cannot be written: %s",
                            strerror(errno));
    return LEX_EXIT_OK;
}

static int judge(const struct lex_answer *answers, size_t count)
{
    int status = LEX_EXIT_OK;
    for (size_t i = 0; i < count; i++) {
        if (answers[i].kind == LEX_ANSWER_NONE)
            return LEX_EXIT_UNAVAILABLE;
        if (answers[i].kind == LEX_ANSWER_REFUSED || (!answers[i].allowed && !any_outcome))
            status = LEX_EXIT_NO;
    }
    return status;
}

/* ---- the run ---- */

static int exit_of(enum lex_status status)
{
    return status == LEX_RETRY ? LEX_EXIT_UNAVAILABLE : LEX_EXIT_USAGE;
}

static int failed_ask(struct run *run, size_t bad, enum lex_status status,
                      const struct lex_error *err)
{
    if (bad < run->file.count && file_path != NULL)
        return lex_cli_fail(&usage, LEX_EXIT_USAGE, "%s:%zu: %s",
                            strcmp(file_path, "-") == 0 ? "stdin" : file_path,
                            run->file.lines[bad].line, err->text);
    return lex_cli_fail(&usage, (enum lex_exit)exit_of(status), "%s", err->text);
}

static int submit(struct run *run)
{
    struct lex_error err;
    size_t bad = run->file.count;
    const struct lex_answer *answers;
    enum lex_status status = lex_client_new(run->config, run->pins, &run->client, &err);
    if (status != LEX_OK)
        return lex_cli_fail(&usage, (enum lex_exit)exit_of(status), "%s", err.text);
    lex_client_pace(run->client, (long)rate);
    int64_t sending_ms = rate > 0 ? (int64_t)run->file.count * 1000 / rate : 0;
    status = lex_client_ask(run->client, run->asks, run->file.count, timeout_s * 1000 + sending_ms,
                            &answers, &bad, &err);
    if (status != LEX_OK)
        return failed_ask(run, bad, status, &err);
    int shown = show(run, answers);
    return shown != LEX_EXIT_OK ? shown : judge(answers, run->file.count);
}

static void release(struct run *run)
{
    lex_client_free(run->client);
    if (run->save != NULL)
        (void)fclose(run->save);
    free(run->asks);
    free(run->requests);
    lex_config_free(run->config);
    if (run->file.codec != NULL)
        lex_request_file_fini(&run->file);
    lex_pins_free(run->pins);
}

int lex_cli_submit(int argc, char **argv)
{
    struct lex_cli_list operands;
    struct run run = {.config = NULL};
    struct lex_error err;
    int parsed = lex_cli_parse(&usage, argc, argv, &operands);
    if (parsed != 0)
        return parsed == 1 ? LEX_EXIT_OK : LEX_EXIT_USAGE;
    int status = check_flags(&run);
    if (status != LEX_EXIT_OK)
        return status;
    lex_log_init(verbose ? LEX_LOG_DEBUG : LEX_LOG_CRITICAL, LEX_LOG_TEXT, STDERR_FILENO);
    if (lex_crypto_init(&err) != LEX_OK)
        return lex_cli_fail(&usage, LEX_EXIT_INTERNAL, "%s", err.text);
    status = prepare(&run, &err) == LEX_OK ? submit(&run)
                                           : lex_cli_fail(&usage, LEX_EXIT_USAGE, "%s", err.text);
    release(&run);
    return status;
}
