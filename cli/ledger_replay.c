/* `lexecon ledger replay`: decide again what a ledger says was decided.
 *
 * `ledger verify` proves that nobody changed the ledger since it was written. This asks whether
 * what was written was right: from each decision's entry and the text of its policy alone, without
 * the agent, the request or the service, the same answer must come out. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/ledger_print.h"
#include "cli/policy_text.h"
#include "core/decision/decision.h"
#include "core/ledger/verify.h"

enum {
    POLICIES_MAX = 1024, /* different ones in one replay */
    ARENA_CHUNK_BYTES = 256 << 10,
    ARENA_MAX_BYTES = 64 << 20,
    LINE_MAX_BYTES = 64 << 10,
    SHOWN_DEFAULT = 20,
};

static struct lex_ledger_source_options from = {.partition = -1};
static struct lex_cli_list policy_paths;
static const char *policies_topic;
static long long shown_max = SHOWN_DEFAULT;
static bool json;
static const struct lex_cli_flag flags[] = {
#include "cli/ledger_source_flags.def"
    {"policy", "PATH",
     "A policy that decisions were made under, where the ledger does not embed it; a file or a "
     "directory, repeatable. It is used for the hash that it has.",
     LEX_CLI_LIST, &policy_paths, false},
    {"policies-topic", "NAME", "The topic of the archive (or the option policies_topic).",
     LEX_CLI_STR, &policies_topic, false},
    {"partition", "N", "Only this partition.", LEX_CLI_INT, &from.partition, false},
    {"show", "N", "Print at most so many differences (default 20); all are counted.", LEX_CLI_INT,
     &shown_max, false},
    {"json", NULL, "One JSON object a line; the last one has the counts.", LEX_CLI_BOOL, &json,
     false},
};
static const struct lex_cli_usage usage = {
    .path = "ledger replay",
    .operands = "",
    .text =
        "Decide every decision of a ledger again, from its entry and its policy's text alone, and\n"
        "compare outcome, reason code, rules and obligations. The texts stand in the ledger's\n"
        "policy entries; those that are too large for an entry are read from the archive topic,\n"
        "or given with --policy. Decisions whose facts are masked, and those that were made "
        "before\n"
        "a policy was asked (INVALID_REQUEST, REQUEST_EXPIRED, EVALUATION_ERROR), cannot be\n"
        "replayed and are counted. The chain itself is for `lexecon ledger verify`.\n\n"
        "  lexecon ledger replay --mirror mirror.db\n"
        "  lexecon ledger replay --topic lexecon.ledger --bootstrap kafka:9092 --json\n\n"
        "Exit status: 0 all that can be replayed comes out as recorded; 1 something differs, a\n"
        "policy's text was not found, or there was no decision; 2 a flag or the source is wrong; "
        "3 a\n"
        "broker did not answer in time.",
    .flags = flags,
    .flags_count = LEX_COUNT_OF(flags),
};

struct known {
    struct lex_hash hash;
    struct lex_policy *policy; /* NULL: looked for, and not found */
};

struct run {
    struct lex_ledger_source *source;
    struct lex_policy_archive archive;
    struct lex_arena arena;
    struct known *known;
    size_t known_count;
    int64_t decisions, alike, different, unreplayable, without_policy, unreadable, lies, shown;
};

/* ---- policies ---- */

static struct known *find_known(const struct run *run, struct lex_span hash)
{
    for (size_t i = run->known_count; i-- > 0;)
        if (lex_span_eq(hash, lex_span_of(run->known[i].hash.bytes, LEX_HASH_BYTES)))
            return &run->known[i];
    return NULL;
}

/* @owns takes over the reference */
static enum lex_status know(struct run *run, const uint8_t *hash, struct lex_policy *policy,
                            struct lex_error *err)
{
    if (run->known_count == POLICIES_MAX) {
        lex_policy_unref(policy);
        return lex_fail(err, LEX_LIMIT,
                        "more than %d policies in one ledger: replay it partition "
                        "by partition",
                        POLICIES_MAX);
    }
    struct known *known = &run->known[run->known_count++];
    memcpy(known->hash.bytes, hash, LEX_HASH_BYTES);
    known->policy = policy;
    return LEX_OK;
}

static enum lex_status know_paths(struct run *run, struct lex_error *err)
{
    for (size_t i = 0; i < policy_paths.count; i++) {
        struct lex_policy *policy;
        LEX_TRY(lex_policy_load_path(policy_paths.items[i], &policy, err));
        LEX_TRY(know(run, lex_policy_info(policy)->hash, policy, err));
    }
    return LEX_OK;
}

/* ---- telling ---- */

static void tell(struct run *run, const struct lex_ledger_entry *entry, const char *what,
                 struct lex_span recorded, struct lex_span replayed)
{
    LEX_CLEANUP(lex_buf_fini) struct lex_buf out;
    lex_buf_init(&out, LINE_MAX_BYTES);
    if (run->shown++ >= shown_max)
        return;
    lex_buf_puts(&out, json ? "{\"log\":" : "");
    lex_buf_put_json(&out, entry->log);
    lex_buf_printf(&out, json ? ",\"seq\":%lld,\"what\":" : " entry %lld: ", (long long)entry->seq);
    lex_buf_put_json(&out, lex_span_str(what));
    lex_buf_puts(&out, json ? ",\"recorded\":" : " is recorded as ");
    lex_buf_put_json(&out, recorded);
    lex_buf_puts(&out, json ? ",\"replayed\":" : ", and comes out as ");
    lex_buf_put_json(&out, replayed);
    lex_buf_puts(&out, json ? "}" : "");
    (void)puts(lex_buf_str(&out));
}

static void tell_problem(struct run *run, const struct lex_ledger_entry *entry, const char *text)
{
    LEX_CLEANUP(lex_buf_fini) struct lex_buf out;
    lex_buf_init(&out, LINE_MAX_BYTES);
    if (run->shown++ >= shown_max)
        return;
    lex_buf_puts(&out, json ? "{\"log\":" : "");
    lex_buf_put_json(&out, entry->log);
    lex_buf_printf(&out,
                   json ? ",\"seq\":%lld,\"problem\":" : " entry %lld: ", (long long)entry->seq);
    lex_buf_put_json(&out, lex_span_str(text));
    lex_buf_puts(&out, json ? "}" : "");
    (void)puts(lex_buf_str(&out));
}

/* ---- comparing ---- */

static struct lex_span joined(struct lex_arena *arena, struct lex_span_list list)
{
    LEX_CLEANUP(lex_buf_fini) struct lex_buf out;
    lex_buf_init(&out, LINE_MAX_BYTES / 4);
    for (size_t i = 0; i < list.count; i++)
        lex_buf_printf(&out, "%s%.*s", i == 0 ? "" : ", ", LEX_SPAN_FMT(list.items[i]));
    return lex_arena_dup(arena, lex_buf_span(&out));
}

static struct lex_span obligations_text(struct lex_arena *arena, struct lex_obligation_list list)
{
    LEX_CLEANUP(lex_buf_fini) struct lex_buf out;
    lex_buf_init(&out, LINE_MAX_BYTES / 4);
    for (size_t i = 0; i < list.count; i++) {
        const struct lex_obligation *o = &list.items[i];
        lex_buf_printf(&out, "%s%.*s(%.*s, %.*s, %.*s, %.*s, %d, %d)", i == 0 ? "" : ", ",
                       LEX_SPAN_FMT(lex_obligation_type_name(o->type)), LEX_SPAN_FMT(o->approver),
                       LEX_SPAN_FMT(o->rule), LEX_SPAN_FMT(o->condition), LEX_SPAN_FMT(o->action),
                       o->quorum, o->timeout_s);
    }
    return lex_arena_dup(arena, lex_buf_span(&out));
}

static bool same(struct run *run, const struct lex_ledger_entry *entry, const char *what,
                 struct lex_span recorded, struct lex_span replayed)
{
    if (lex_span_eq(recorded, replayed))
        return true;
    tell(run, entry, what, recorded, replayed);
    return false;
}

/* The first difference is told: what follows from it is no further one. */
static bool compare(struct run *run, const struct lex_ledger_entry *entry,
                    const struct lex_decision *again)
{
    struct lex_arena *arena = &run->arena;
    static const struct lex_span words[] = {LEX_SPAN_INIT("false"), LEX_SPAN_INIT("true")};
    return same(run, entry, "outcome", lex_outcome_name(entry->outcome),
                lex_outcome_name(again->outcome)) &&
           same(run, entry, "allowed", words[entry->allowed], words[again->allowed]) &&
           same(run, entry, "reason_code", entry->reason_code,
                lex_reason_name(again->reason_code)) &&
           same(run, entry, "rules", joined(arena, entry->rules), joined(arena, again->rules)) &&
           same(run, entry, "obligations", obligations_text(arena, entry->obligations),
                obligations_text(arena, again->obligations));
}

/* ---- entries ---- */

static enum lex_status take_policy(struct run *run, const struct lex_ledger_entry *entry,
                                   struct lex_error *err)
{
    struct lex_policy *policy;
    struct lex_error why;
    if (entry->policy_hash.len != LEX_HASH_BYTES || find_known(run, entry->policy_hash) != NULL)
        return LEX_OK;
    enum lex_status status = lex_policy_text_embedded(entry, &run->arena, &policy, &why);
    if (status == LEX_LIMIT)
        return lex_fail(err, status, "%s", why.text);
    if (status != LEX_OK) {
        run->lies++;
        tell_problem(run, entry, why.text);
        return LEX_OK;
    }
    return policy != NULL ? know(run, entry->policy_hash.data, policy, err) : LEX_OK;
}

/* Where no policy entry brought it, the archive may have it. Each is looked for once. */
static enum lex_status policy_of(struct run *run, const struct lex_ledger_entry *entry,
                                 const struct lex_policy **ret_policy, struct lex_error *err)
{
    struct lex_policy *policy = NULL;
    struct lex_error why;
    struct lex_hash hash;
    *ret_policy = NULL;
    if (entry->policy_hash.len != LEX_HASH_BYTES)
        return LEX_OK;
    struct known *known = find_known(run, entry->policy_hash);
    if (known == NULL) {
        memcpy(hash.bytes, entry->policy_hash.data, LEX_HASH_BYTES);
        if (lex_policy_archive_find(&run->archive, &hash, &policy, &why) != LEX_OK) {
            policy = NULL;
            tell_problem(run, entry, why.text);
        }
        LEX_TRY(know(run, hash.bytes, policy, err));
        known = find_known(run, entry->policy_hash);
    }
    *ret_policy = known->policy;
    return LEX_OK;
}

static enum lex_status take_decision(struct run *run, const struct lex_ledger_entry *entry,
                                     struct lex_error *err)
{
    const struct lex_policy *policy;
    struct lex_decision again;
    struct lex_error why;
    run->decisions++;
    LEX_TRY(policy_of(run, entry, &policy, err));
    if (policy == NULL) {
        run->without_policy++;
        return LEX_OK;
    }
    enum lex_status status = lex_decide_recorded(entry, policy, &run->arena, &again, &why);
    if (status == LEX_LIMIT)
        return lex_fail(err, status, "%s", why.text);
    if (status != LEX_OK)
        run->unreplayable++;
    else if (compare(run, entry, &again))
        run->alike++;
    else
        run->different++;
    return LEX_OK;
}

static enum lex_status take(void *user, const struct lex_ledger_item *item, struct lex_error *err)
{
    struct run *run = user;
    struct lex_ledger_entry entry;
    struct lex_error ignored;
    lex_arena_reset(&run->arena);
    if (lex_ledger_decode(item->value, &run->arena, &entry, &ignored) != LEX_OK) {
        run->unreadable++;
        return LEX_OK;
    }
    if (!lex_ledger_in_partition(&entry, from.partition))
        return LEX_OK;
    if (entry.event_type == LEX_EVENT_TYPE_POLICY)
        return take_policy(run, &entry, err);
    return entry.event_type == LEX_EVENT_TYPE_DECISION ? take_decision(run, &entry, err) : LEX_OK;
}

/* ---- the report ---- */

static int report(const struct run *run)
{
    size_t policies = 0;
    for (size_t i = 0; i < run->known_count; i++)
        policies += run->known[i].policy != NULL;
    (void)printf(
        json ? "{\"decisions\":%lld,\"alike\":%lld,\"different\":%lld,\"not_replayable\":%lld,"
               "\"without_policy\":%lld,\"unreadable\":%lld,\"false_policies\":%lld,"
               "\"policies\":%zu}\n"
             : "%lld decisions: %lld come out as recorded, %lld differ, %lld cannot be replayed, "
               "%lld are without their policy's text; %lld entries are unreadable, %lld policy "
               "entries contradict themselves; %zu policies\n",
        (long long)run->decisions, (long long)run->alike, (long long)run->different,
        (long long)run->unreplayable, (long long)run->without_policy, (long long)run->unreadable,
        (long long)run->lies, policies);
    bool good = run->decisions != 0 && run->different == 0 && run->without_policy == 0 &&
                run->unreadable == 0 && run->lies == 0;
    return good ? LEX_EXIT_OK : LEX_EXIT_NO;
}

static int replay(struct run *run)
{
    struct lex_error err = {{0}};
    enum lex_status status = know_paths(run, &err);
    if (status != LEX_OK)
        return lex_cli_fail(&usage, LEX_EXIT_USAGE, "%s", err.text);
    status = lex_ledger_source_open(&from, &run->source, &err);
    if (status != LEX_OK)
        return lex_cli_fail(&usage, lex_ledger_source_exit(status, true), "%s", err.text);
    status = lex_ledger_source_each(run->source, take, run, &err);
    run->source->close(run->source);
    int answer = report(run); /* as far as it came */
    return status == LEX_OK
               ? answer
               : lex_cli_fail(&usage, lex_ledger_source_exit(status, false), "%s", err.text);
}

int lex_cli_ledger_replay(int argc, char **argv)
{
    struct lex_cli_list operands;
    struct lex_error err;
    struct run run = {.source = NULL};
    int parsed = lex_cli_parse(&usage, argc, argv, &operands);
    if (parsed != 0)
        return parsed == 1 ? LEX_EXIT_OK : LEX_EXIT_USAGE;
    if (lex_crypto_init(&err) != LEX_OK)
        return lex_cli_fail(&usage, LEX_EXIT_INTERNAL, "%s", err.text);
    run.archive = (struct lex_policy_archive){.cluster = &from.cluster, .topic = policies_topic};
    run.known = calloc(POLICIES_MAX, sizeof *run.known);
    if (run.known == NULL)
        return lex_cli_fail(&usage, LEX_EXIT_INTERNAL, "no memory for the policies");
    lex_arena_init(&run.arena, ARENA_CHUNK_BYTES, ARENA_MAX_BYTES);
    int status = replay(&run);
    for (size_t i = 0; i < run.known_count; i++)
        lex_policy_unref(run.known[i].policy);
    free(run.known);
    lex_policy_archive_fini(&run.archive);
    lex_arena_fini(&run.arena);
    return status;
}
