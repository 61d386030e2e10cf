/* `lexecon policy get`: the text of a policy, by its hash. */
#include <errno.h>
#include <stdio.h>

#include "cli/ledger_source.h"
#include "cli/policy_text.h"
#include "core/base/text.h"
#include "core/ledger/verify.h"

enum { ARENA_CHUNK_BYTES = 256 << 10, ARENA_MAX_BYTES = 32 << 20 };

static struct lex_ledger_source_options from = {.partition = -1};
static const char *policies_topic, *output;
static const struct lex_cli_flag flags[] = {
#include "cli/ledger_source_flags.def"
    {"policies-topic", "NAME", "The topic of the archive (or the option policies_topic).",
     LEX_CLI_STR, &policies_topic, false},
    {"output", "FILE", "Write the text there instead of to standard output.", LEX_CLI_STR, &output,
     false},
};
static const struct lex_cli_usage usage = {
    .path = "policy get",
    .operands = "HASH",
    .text =
        "Print the text of the policy with this hash, as it was when it came into force: what a\n"
        "verdict or an entry names as policy_hash. It is looked for in the ledger that a flag\n"
        "names, where each policy entry embeds its document, then in the archive topic, which has\n"
        "the documents that are too large for an entry. Without a flag the cluster's own ledger\n"
        "topic is read after the archive. What is printed was loaded, and has this hash. A policy\n"
        "of several documents is printed as an array of them, which loads as the same policy.\n\n"
        "  lexecon policy get 3f9a... --mirror mirror.db --output policy.json\n"
        "  lexecon policy get 3f9a... --bootstrap kafka:9092\n\n"
        "Exit status: 0 printed; 1 it is not there; 2 a flag or a source is wrong; 3 a broker did\n"
        "not answer in time.",
    .flags = flags,
    .flags_count = LEX_COUNT_OF(flags),
    .operands_min = 1,
    .operands_max = 1,
};

struct run {
    struct lex_hash hash;
    struct lex_arena arena;
    struct lex_policy_archive archive;
    struct lex_policy *policy; /* what was found */
};

/* ---- in a ledger ---- */

/* An entry that does not decode, or lies about its document, is passed over: another may tell. */
static void look_at(struct run *run, struct lex_span value)
{
    struct lex_ledger_entry entry;
    struct lex_error ignored;
    lex_arena_reset(&run->arena);
    if (lex_ledger_decode(value, &run->arena, &entry, &ignored) != LEX_OK ||
        entry.event_type != LEX_EVENT_TYPE_POLICY ||
        !lex_span_eq(entry.policy_hash, lex_span_of(run->hash.bytes, sizeof run->hash.bytes)))
        return;
    if (lex_policy_text_embedded(&entry, &run->arena, &run->policy, &ignored) != LEX_OK)
        run->policy = NULL;
}

static enum lex_status scan(struct run *run, struct lex_ledger_source *source,
                            struct lex_error *err)
{
    struct lex_ledger_item item;
    bool found = true;
    while (found && run->policy == NULL) {
        LEX_TRY(source->next(source, &item, &found, err));
        if (found)
            look_at(run, item.value);
    }
    return LEX_OK;
}

static enum lex_status search_ledger(struct run *run, struct lex_error *err)
{
    struct lex_ledger_source *source;
    LEX_TRY(lex_ledger_source_open(&from, &source, err));
    enum lex_status status = scan(run, source, err);
    source->close(source);
    return status;
}

/* ---- everywhere ---- */

static bool names_ledger(void)
{
#define LEX_LEDGER_SOURCE(flag, value, help, open) \
    if (from.flag != NULL)                         \
        return true;
#include "cli/ledger_sources.def"
#undef LEX_LEDGER_SOURCE
    return false;
}

/* The archive first: it is the shorter one. */
static enum lex_status search_cluster(struct run *run, struct lex_error *err)
{
    enum lex_status status = lex_policy_archive_find(&run->archive, &run->hash, &run->policy, err);
    if (status != LEX_REJECT)
        return status;
    from.topic = run->archive.config->ledger_topic;
    return search_ledger(run, err);
}

static enum lex_status search(struct run *run, struct lex_error *err)
{
    struct lex_error ignored;
    if (!names_ledger())
        return search_cluster(run, err);
    LEX_TRY(search_ledger(run, err));
    if (run->policy != NULL)
        return LEX_OK;
    /* Whoever named a file may have no broker at all. */
    enum lex_status status =
        lex_policy_archive_find(&run->archive, &run->hash, &run->policy, &ignored);
    return status == LEX_LIMIT ? lex_fail(err, status, "%s", ignored.text) : LEX_OK;
}

static int write_text(struct lex_span text)
{
    FILE *file = output == NULL ? stdout : fopen(output, "we");
    if (file == NULL)
        return lex_cli_fail(&usage, LEX_EXIT_USAGE, "--output %s: %s", output, strerror(errno));
    bool written = fwrite(text.data, 1, text.len, file) == text.len && fflush(file) == 0;
    if (file != stdout)
        written = fclose(file) == 0 && written;
    return written ? LEX_EXIT_OK
                   : lex_cli_fail(&usage, LEX_EXIT_USAGE, "the text cannot be written: %s",
                                  strerror(errno));
}

static int get(struct run *run)
{
    struct lex_error err = {{0}};
    enum lex_status status = search(run, &err);
    if (status != LEX_OK)
        return lex_cli_fail(&usage, (enum lex_exit)lex_ledger_source_exit(status, true), "%s",
                            err.text);
    if (run->policy == NULL)
        return lex_cli_fail(&usage, LEX_EXIT_NO,
                            "no policy with this hash is there; name another ledger, or the broker "
                            "of the archive");
    return write_text(lex_policy_info(run->policy)->document);
}

int lex_cli_policy_get(int argc, char **argv)
{
    struct lex_cli_list operands;
    struct lex_error err;
    struct run run = {.policy = NULL};
    int parsed = lex_cli_parse(&usage, argc, argv, &operands);
    if (parsed != 0)
        return parsed == 1 ? LEX_EXIT_OK : LEX_EXIT_USAGE;
    if (lex_hex_decode(lex_span_str(operands.items[0]), run.hash.bytes, sizeof run.hash.bytes) !=
        LEX_OK)
        return lex_cli_fail(&usage, LEX_EXIT_USAGE,
                            "expected a policy_hash, 64 hexadecimal digits");
    if (lex_crypto_init(&err) != LEX_OK)
        return lex_cli_fail(&usage, LEX_EXIT_INTERNAL, "%s", err.text);
    run.archive = (struct lex_policy_archive){.cluster = &from.cluster, .topic = policies_topic};
    lex_arena_init(&run.arena, ARENA_CHUNK_BYTES, ARENA_MAX_BYTES);
    int status = get(&run);
    lex_policy_unref(run.policy);
    lex_policy_archive_fini(&run.archive);
    lex_arena_fini(&run.arena);
    return status;
}
