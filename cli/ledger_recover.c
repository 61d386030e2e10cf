/* `lexecon ledger recover`: what two witnesses of a halted partition say, and an operator's choice
 * between them. */
#include <stdio.h>

#include "cli/cluster.h"
#include "consumer/release.h"

static struct lex_cli_cluster cluster;
static const char *group, *requests_topic, *ledger_topic, *origin_prefix, *take;
static long long partition = -1, next_offset = -1;
static bool yes;
static const struct lex_cli_flag flags[] = {
    {"partition", "N", "The partition that is halted.", LEX_CLI_INT, &partition, true},
    {"take", "head|ledger",
     "Choose: go on where the committed head says, or behind the ledger's "
     "last entry.",
     LEX_CLI_STR, &take, false},
    {"yes", NULL, "Yes, write the choice.", LEX_CLI_BOOL, &yes, false},
    {"next-offset", "N", "Where requests go on, if their topic ends before the chosen place.",
     LEX_CLI_INT, &next_offset, false},
#define LEX_CLUSTER_FLAG(name, value, help, kind, member) \
    {name, value, help, kind, &cluster.member, false},
#include "cli/cluster_flags.def"
#undef LEX_CLUSTER_FLAG
    {"group", "NAME", "The service's consumer group (default lexecon).", LEX_CLI_STR, &group,
     false},
    {"requests-topic", "NAME", "Default lexecon.requests.", LEX_CLI_STR, &requests_topic, false},
    {"ledger-topic", "NAME", "Default lexecon.ledger.", LEX_CLI_STR, &ledger_topic, false},
    {"origin-prefix", "ORG/CLUSTER", "The service's origin_prefix.", LEX_CLI_STR, &origin_prefix,
     false},
};
static const struct lex_cli_usage usage = {
    .path = "ledger recover",
    .operands = "",
    .text =
        "A partition halts when its committed head and its ledger contradict each other: deciding\n"
        "on would fork a chain or decide twice. Without --take this shows what both say and what\n"
        "each choice means, and changes nothing. With --take and --yes it writes the choice in "
        "one\n"
        "transaction: a recovery entry that records both, the offset and the head. The worker "
        "looks\n"
        "every 5 seconds and goes on by itself.\n\n"
        "  lexecon ledger recover --partition 3 --bootstrap kafka:9092\n"
        "  lexecon ledger recover --partition 3 --bootstrap kafka:9092 --take ledger --yes\n\n"
        "Settings are the service's (file, LEXECON_* variables, flags). It needs Read and Describe "
        "on\n"
        "the group and both topics, Write on the ledger, and the prefixed right on transactional "
        "ids\n"
        "that begin with '<group>.'.\n\n"
        "Exit status: 0 shown, or written; 1 not halted, or the choice is refused; 3 Kafka does "
        "not\n"
        "answer, or the partition is being worked on.",
    .flags = flags,
    .flags_count = LEX_COUNT_OF(flags),
};

/* ---- what is shown ---- */

static void print_hash(const struct lex_hash *hash)
{
    for (size_t i = 0; i < 8; i++)
        (void)printf("%02x", hash->bytes[i]);
    (void)printf("...");
}

static void print_state(const char *name, bool present, const struct lex_head *state,
                        const char *otherwise)
{
    (void)printf("  %-16s ", name);
    if (!present) {
        (void)puts(otherwise);
        return;
    }
    (void)printf("next entry %lld, after ", (long long)state->seq);
    print_hash(&state->prev);
    (void)printf(", last request %lld\n", (long long)state->last_source_offset);
}

static const char *ledger_says(const struct lex_release_view *view)
{
    if (!lex_span_absent(view->input->entry))
        return "its last record cannot be used";
    return view->input->ever_held ? "nothing is left of it" : "it never held an entry";
}

static void print_states(const struct lex_config *config, const struct lex_release_view *view)
{
    const struct lex_recovered *found = view->found;
    (void)printf("partition %lld of %s, group %s; log %.*s\n", partition, config->requests_topic,
                 config->group, LEX_SPAN_FMT(view->input->origin));
    (void)printf("  %-16s %lld\n", "committed offset", (long long)view->input->offset);
    print_state("committed head", found->has_head, &found->from_head,
                view->input->metadata.len != 0 ? "cannot be read" : "none");
    print_state("ledger", found->has_tail, &found->from_tail, ledger_says(view));
    (void)printf("  %-16s %lld to %lld\n", "requests", (long long)view->input->low,
                 (long long)view->input->high - 1);
}

static void print_choice(const char *name, enum lex_choice choice,
                         const struct lex_release_view *view)
{
    struct lex_chosen chosen;
    struct lex_error err;
    (void)printf("  --take %-8s ", name);
    if (lex_choose(view->input, view->found, choice, next_offset, &chosen, &err) != LEX_OK) {
        (void)printf("not possible: %s\n", err.text);
        return;
    }
    const struct lex_recovery *r = &chosen.recovery;
    (void)printf("the chain goes on with entry %lld, requests with %lld",
                 (long long)chosen.head.seq, (long long)chosen.next_offset);
    if (choice == LEX_CHOICE_HEAD && r->ledger.present)
        (void)printf("; entries %lld to %lld are declared lost", (long long)r->ledger.seq,
                     (long long)chosen.head.seq - 1);
    if (r->has_source_gap)
        (void)printf("; requests %lld to %lld are declared deleted", (long long)r->source_from,
                     (long long)r->source_to);
    if (choice == LEX_CHOICE_LEDGER && chosen.next_offset < view->input->offset)
        (void)printf("; requests %lld to %lld count as undecided and are decided (again)",
                     (long long)chosen.next_offset, (long long)view->input->offset - 1);
    (void)putchar('\n');
}

static int show(const struct lex_config *config, const struct lex_release_view *view)
{
    print_states(config, view);
    if (view->found->kind != LEX_RECOVERED_HALT) {
        (void)puts("nothing contradicts itself: this partition needs no choice");
        return LEX_EXIT_NO;
    }
    (void)printf("\nhalted: %s\n\n", view->found->reason);
    print_choice("head", LEX_CHOICE_HEAD, view);
    print_choice("ledger", LEX_CHOICE_LEDGER, view);
    return LEX_EXIT_OK;
}

/* ---- doing ---- */

static int exit_of(enum lex_status status)
{
    switch (status) {
    case LEX_REJECT: return LEX_EXIT_NO;
    case LEX_LIMIT: return LEX_EXIT_INTERNAL;
    default: return LEX_EXIT_UNAVAILABLE;
    }
}

static int write_choice(struct lex_release *release, enum lex_choice choice)
{
    struct lex_chosen chosen;
    struct lex_error err = {{0}};
    enum lex_status status = lex_release_take(release, choice, next_offset, &chosen, &err);
    if (status == LEX_HALT)
        return lex_cli_fail(
            &usage, LEX_EXIT_UNAVAILABLE,
            "the commit's answer is missing (%s): look again whether it was written", err.text);
    if (status != LEX_OK)
        return lex_cli_fail(&usage, (enum lex_exit)exit_of(status), "nothing was written: %s",
                            err.text);
    (void)printf(
        "\nwritten: recovery entry %lld, next request %lld; the worker goes on within a few "
        "seconds\n",
        (long long)chosen.head.seq - 1, (long long)chosen.next_offset);
    return LEX_EXIT_OK;
}

static int look_and_take(const struct lex_config *config, struct lex_release *release, bool writing,
                         enum lex_choice choice)
{
    struct lex_release_view view;
    struct lex_error err = {{0}};
    enum lex_status status = lex_release_look(release, &view, &err);
    if (status != LEX_OK)
        return lex_cli_fail(&usage, (enum lex_exit)exit_of(status), "%s", err.text);
    int shown = show(config, &view);
    if (shown != LEX_EXIT_OK || !writing)
        return shown;
    return write_choice(release, choice);
}

static int recover(const struct lex_config *config, bool writing, enum lex_choice choice)
{
    struct lex_release *release = NULL;
    struct lex_error err = {{0}};
    enum lex_status status = lex_release_open(config, (int32_t)partition, writing, &release, &err);
    if (status != LEX_OK)
        return lex_cli_fail(&usage, status == LEX_RETRY ? LEX_EXIT_UNAVAILABLE : LEX_EXIT_USAGE,
                            "%s", err.text);
    int result = look_and_take(config, release, writing, choice);
    lex_release_close(release);
    return result;
}

/* ---- flags ---- */

static int check_flags(enum lex_choice *ret_choice)
{
    if (partition < 0 || partition > INT32_MAX)
        return lex_cli_fail(&usage, LEX_EXIT_USAGE, "--partition: expected 0 or more");
    if (take == NULL)
        return yes ? lex_cli_fail(&usage, LEX_EXIT_USAGE, "--yes without --take chooses nothing")
                   : LEX_EXIT_OK;
    if (strcmp(take, "ledger") == 0)
        *ret_choice = LEX_CHOICE_LEDGER;
    else if (strcmp(take, "head") != 0)
        return lex_cli_fail(&usage, LEX_EXIT_USAGE, "--take %s: expected head or ledger", take);
    if (!yes)
        return lex_cli_fail(&usage, LEX_EXIT_USAGE,
                            "--take writes to the ledger for good: look first without it, then add "
                            "--yes");
    return LEX_EXIT_OK;
}

/* The transactional id of whoever recovers this partition: <group>.recover.partition.<N>. */
static enum lex_status load(struct lex_config **ret_config, struct lex_error *err)
{
    const char *more[16] = {"--node-id", "recover", "--instance", "partition"};
    const struct {
        const char *flag, *value;
    } given[] = {{"--group", group},
                 {"--requests-topic", requests_topic},
                 {"--ledger-topic", ledger_topic},
                 {"--origin-prefix", origin_prefix}};
    size_t count = 4;
    for (size_t i = 0; i < LEX_COUNT_OF(given); i++)
        if (given[i].value != NULL) {
            more[count++] = given[i].flag;
            more[count++] = given[i].value;
        }
    return lex_cli_cluster_load(&cluster, more, ret_config, err);
}

int lex_cli_ledger_recover(int argc, char **argv)
{
    struct lex_cli_list operands;
    struct lex_error err = {{0}};
    struct lex_config *config = NULL;
    enum lex_choice choice = LEX_CHOICE_HEAD;
    int parsed = lex_cli_parse(&usage, argc, argv, &operands);
    if (parsed != 0)
        return parsed == 1 ? LEX_EXIT_OK : LEX_EXIT_USAGE;
    int checked = check_flags(&choice);
    if (checked != LEX_EXIT_OK)
        return checked;
    lex_log_init(LEX_LOG_CRITICAL, LEX_LOG_TEXT, fileno(stderr));
    if (lex_crypto_init(&err) != LEX_OK)
        return lex_cli_fail(&usage, LEX_EXIT_INTERNAL, "%s", err.text);
    if (load(&config, &err) != LEX_OK)
        return lex_cli_fail(&usage, LEX_EXIT_USAGE, "%s", err.text);
    int result = recover(config, take != NULL, choice);
    lex_config_free(config);
    return result;
}
