/* `lexecon policy diff`: which verdicts a change of a policy widens, and which it narrows. */
#include <stdio.h>

#include "cli/case.h"
#include "cli/cli.h"
#include "core/decision/domain.h"

enum { REPORT_MAX_BYTES = 256 << 20, CHUNK_BYTES = 256 << 10, DEFAULT_EVALUATIONS = 10000000 };

enum fail_on { ON_ANY, ON_WIDEN, ON_NARROW };

struct flags {
    const char *fail_on;
    long long max_evaluations, limit;
    bool json;
};

/* ---- for people ---- */

static void put_who(struct lex_buf *out, struct lex_span actor, struct lex_span role,
                    struct lex_span action)
{
    lex_buf_printf(out, "%.*s", LEX_SPAN_FMT(actor));
    if (!lex_span_absent(role))
        lex_buf_printf(out, " with role %.*s", LEX_SPAN_FMT(role));
    lex_buf_printf(out, " -> %.*s", LEX_SPAN_FMT(action));
}

static bool widens(const struct lex_diff_group *group)
{
    return group->new_outcome > group->old_outcome;
}

static void put_group(struct lex_buf *out, const struct lex_diff_group *group)
{
    lex_buf_puts(out, widens(group) ? "widened   " : "narrowed  ");
    put_who(out, group->actor, group->role, group->action);
    lex_buf_printf(out, "\n  %.*s %.*s -> %.*s %.*s  (%llu combination%s)\n  example: %.*s\n",
                   LEX_SPAN_FMT(lex_outcome_name(group->old_outcome)),
                   LEX_SPAN_FMT(lex_reason_name(group->old_code)),
                   LEX_SPAN_FMT(lex_outcome_name(group->new_outcome)),
                   LEX_SPAN_FMT(lex_reason_name(group->new_code)), (unsigned long long)group->count,
                   group->count == 1 ? "" : "s", LEX_SPAN_FMT(group->example));
}

static void put_groups(struct lex_buf *out, const struct lex_diff *diff, bool widened,
                       long long limit)
{
    size_t shown = 0, all = widened ? diff->widened : diff->narrowed;
    for (size_t i = 0; i < diff->groups_count && shown < (size_t)limit; i++)
        if (widens(&diff->groups[i]) == widened) {
            put_group(out, &diff->groups[i]);
            shown++;
        }
    if (shown < all)
        lex_buf_printf(out, "%s  %zu more kinds of change; --limit shows more\n",
                       widened ? "widened " : "narrowed", all - shown);
}

static void put_cuts(struct lex_buf *out, const struct lex_diff *diff, long long limit)
{
    for (size_t i = 0; i < diff->cuts_count && i < (size_t)limit; i++) {
        const struct lex_diff_cut *cut = &diff->cuts[i];
        lex_buf_puts(out, "incomplete ");
        put_who(out, cut->actor, cut->role, cut->action);
        lex_buf_printf(out, "\n  %s", cut->why);
        if (cut->combinations > 0)
            lex_buf_printf(out, ": %llu of %.3g", (unsigned long long)cut->asked,
                           cut->combinations);
        lex_buf_putc(out, '\n');
    }
    if (diff->cuts_count > (size_t)limit)
        lex_buf_printf(out, "incomplete: %zu more\n", diff->cuts_count - (size_t)limit);
}

static void put_text(struct lex_buf *out, const struct lex_diff *diff, long long limit)
{
    put_groups(out, diff, true, limit);
    put_groups(out, diff, false, limit);
    put_cuts(out, diff, limit);
    lex_buf_printf(out,
                   "%zu kinds of verdict widened, %zu narrowed%s; %llu pairs of actor and action, "
                   "%llu the same, %llu evaluations\n",
                   diff->widened, diff->narrowed,
                   diff->groups_dropped != 0 ? " (and more than are counted)" : "",
                   (unsigned long long)diff->pairs, (unsigned long long)diff->pairs_same,
                   (unsigned long long)diff->evaluations);
    if (diff->cuts_count != 0)
        lex_buf_printf(out, "NOT complete: %zu pairs were not enumerated completely\n",
                       diff->cuts_count);
}

/* ---- for tools ---- */

static void put_json_who(struct lex_buf *out, struct lex_span actor, struct lex_span role,
                         struct lex_span action)
{
    lex_buf_puts(out, "{\"actor\":");
    lex_buf_put_json(out, actor);
    lex_put_member(out, "role", role);
    lex_put_member(out, "action", action);
}

static void put_json_verdict(struct lex_buf *out, const char *name, enum lex_outcome outcome,
                             enum lex_reason code)
{
    lex_buf_printf(out, ",\"%s\":{\"outcome\":\"%.*s\",\"reason_code\":\"%.*s\"}", name,
                   LEX_SPAN_FMT(lex_outcome_name(outcome)), LEX_SPAN_FMT(lex_reason_name(code)));
}

static void put_json_group(struct lex_buf *out, const struct lex_diff_group *group)
{
    put_json_who(out, group->actor, group->role, group->action);
    lex_buf_printf(out, ",\"change\":\"%s\"", widens(group) ? "widened" : "narrowed");
    put_json_verdict(out, "old", group->old_outcome, group->old_code);
    put_json_verdict(out, "new", group->new_outcome, group->new_code);
    lex_buf_printf(out, ",\"combinations\":%llu,\"example\":%.*s}",
                   (unsigned long long)group->count, LEX_SPAN_FMT(group->example));
}

static void put_json(struct lex_buf *out, const struct lex_diff *diff, long long limit)
{
    lex_buf_printf(out,
                   "{\"complete\":%s,\"widened\":%zu,\"narrowed\":%zu,\"pairs\":%llu,"
                   "\"pairs_same\":%llu,\"evaluations\":%llu,\"changes\":[",
                   diff->cuts_count == 0 && diff->groups_dropped == 0 ? "true" : "false",
                   diff->widened, diff->narrowed, (unsigned long long)diff->pairs,
                   (unsigned long long)diff->pairs_same, (unsigned long long)diff->evaluations);
    for (size_t i = 0; i < diff->groups_count && i < (size_t)limit; i++) {
        lex_buf_puts(out, i == 0 ? "" : ",");
        put_json_group(out, &diff->groups[i]);
    }
    lex_buf_puts(out, "],\"incomplete\":[");
    for (size_t i = 0; i < diff->cuts_count && i < (size_t)limit; i++) {
        const struct lex_diff_cut *cut = &diff->cuts[i];
        lex_buf_puts(out, i == 0 ? "" : ",");
        put_json_who(out, cut->actor, cut->role, cut->action);
        lex_put_member(out, "why", lex_span_str(cut->why));
        lex_buf_printf(out, ",\"asked\":%llu}", (unsigned long long)cut->asked);
    }
    lex_buf_puts(out, "]}\n");
}

/* ---- the command ---- */

static enum lex_exit status_of(const struct lex_diff *diff, enum fail_on fail_on)
{
    bool widened = diff->widened != 0 || diff->groups_dropped != 0;
    bool narrowed = diff->narrowed != 0 || diff->groups_dropped != 0;
    bool failed = diff->cuts_count != 0 || (fail_on != ON_NARROW && widened) ||
                  (fail_on != ON_WIDEN && narrowed);
    return failed ? LEX_EXIT_NO : LEX_EXIT_OK;
}

static int compare(const struct lex_cli_usage *usage, const struct lex_policy *const policies[2],
                   const struct flags *flags, enum fail_on fail_on)
{
    LEX_CLEANUP(lex_arena_fini) struct lex_arena arena;
    LEX_CLEANUP(lex_buf_fini) struct lex_buf out;
    struct lex_diff_options options = {.max_evaluations = (uint64_t)flags->max_evaluations};
    struct lex_diff diff;
    lex_arena_init(&arena, CHUNK_BYTES, SIZE_MAX / 4);
    lex_buf_init(&out, REPORT_MAX_BYTES);
    if (lex_policy_diff(policies[0], policies[1], &options, &arena, &diff) != LEX_OK)
        return lex_cli_fail(usage, LEX_EXIT_INTERNAL, "not enough memory to compare");
    if (flags->json)
        put_json(&out, &diff, flags->limit);
    else
        put_text(&out, &diff, flags->limit);
    if (!lex_buf_ok(&out))
        return lex_cli_fail(usage, LEX_EXIT_INTERNAL, "the report is too long; lower --limit");
    (void)fputs(lex_buf_str(&out), stdout);
    return (int)status_of(&diff, fail_on);
}

static int load_and_compare(const struct lex_cli_usage *usage, const struct lex_cli_list *paths,
                            const struct flags *flags, enum fail_on fail_on)
{
    struct lex_policy *old_policy = NULL, *new_policy = NULL;
    struct lex_error err;
    int status = LEX_EXIT_USAGE;
    if (lex_policy_load_path(paths->items[0], &old_policy, &err) != LEX_OK ||
        lex_policy_load_path(paths->items[1], &new_policy, &err) != LEX_OK)
        (void)lex_cli_fail(usage, LEX_EXIT_USAGE, "%s", err.text);
    else
        status = compare(usage, (const struct lex_policy *const[]){old_policy, new_policy}, flags,
                         fail_on);
    lex_policy_unref(old_policy);
    lex_policy_unref(new_policy);
    return status;
}

static bool read_fail_on(const char *text, enum fail_on *ret)
{
    static const char *const words[] = {"any", "widen", "narrow"};
    for (size_t i = 0; i < LEX_COUNT_OF(words); i++)
        if (strcmp(text, words[i]) == 0) {
            *ret = (enum fail_on)i;
            return true;
        }
    return false;
}

int lex_cli_policy_diff(int argc, char **argv)
{
    struct flags given = {.fail_on = "any", .max_evaluations = DEFAULT_EVALUATIONS, .limit = 20};
    enum fail_on fail_on = ON_ANY;
    const struct lex_cli_flag flags[] = {
        {"fail-on", "WHAT", "which changes are a failure: any (the default), widen or narrow",
         LEX_CLI_STR, &given.fail_on, false},
        {"max-evaluations", "N", "ask no more than N times (10000000: some seconds)", LEX_CLI_INT,
         &given.max_evaluations, false},
        {"limit", "N", "show N kinds of change of each direction (20)", LEX_CLI_INT, &given.limit,
         false},
        {"json", NULL, "one JSON object instead of text", LEX_CLI_BOOL, &given.json, false},
    };
    const struct lex_cli_usage usage = {
        .path = "policy diff",
        .operands = "OLD NEW",
        .text =
            "Decide one request of each kind that the two policies (files or directories) can "
            "tell\n"
            "apart under both, and say whose verdicts become higher (widened) or lower (narrowed): "
            "for\neach actor, alone and with one attested role, and each action, over data "
            "classes, resources,\nmodes, risk, time windows, approvals, history, and every value "
            "of every fact that a\ncondition tells apart, attested and as the caller says. A "
            "change of text, order or ids is\nno change.\n\n"
            "Each kind of change has one example, as plain as possible: a case for `lexecon "
            "decide`,\n`policy explain` and `policy test`.\n\n"
            "Pairs with more combinations than the evaluations allow are asked a choice of them "
            "and are\nreported as incomplete, which counts as a failure.\n\n"
            "  lexecon policy diff --fail-on widen main/agents.json branch/agents.json\n\n"
            "Exit status: 0 no such change; 1 a change, or the answer is not complete; 2 a policy "
            "does not\nload.",
        .flags = flags,
        .flags_count = LEX_COUNT_OF(flags),
        .operands_min = 2,
        .operands_max = 2,
    };
    struct lex_cli_list paths = {.count = 0};
    int parsed = lex_cli_parse(&usage, argc, argv, &paths);
    if (parsed != 0)
        return parsed == 1 ? LEX_EXIT_OK : LEX_EXIT_USAGE;
    if (!read_fail_on(given.fail_on, &fail_on))
        return lex_cli_fail(&usage, LEX_EXIT_USAGE,
                            "--fail-on %s is unknown; expected any, widen or narrow",
                            given.fail_on);
    if (given.max_evaluations < 1 || given.limit < 0)
        return lex_cli_fail(&usage, LEX_EXIT_USAGE,
                            "--max-evaluations must be at least 1, --limit not negative");
    return load_and_compare(&usage, &paths, &given, fail_on);
}
