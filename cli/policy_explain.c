/* `lexecon policy explain`: why a request is decided as it is, rule by rule. */
#include <stdio.h>

#include "cli/case.h"
#include "cli/cli.h"
#include "cli/text_file.h"
#include "core/decision/explain.h"

enum { REPORT_MAX_BYTES = 64 << 20, EFFECT_COLUMN = 11, KIND_COLUMN = 10 };

/* ---- for people ---- */

/* Texts come from policies and requests: whatever could move a cursor or break a line is escaped.
 */
static void put_safe(struct lex_buf *out, struct lex_span text)
{
    struct lex_buf quoted;
    lex_buf_init(&quoted, REPORT_MAX_BYTES);
    lex_buf_put_json(&quoted, text);
    struct lex_span inner = lex_buf_span(&quoted);
    if (lex_buf_ok(&quoted))
        lex_buf_put(out, inner.data + 1, inner.len - 2);
    else
        out->failed = true;
    lex_buf_fini(&quoted);
}

/* A fact's value is JSON already, a condition's text the policy's own: quotes stay as they are. */
static void put_line(struct lex_buf *out, struct lex_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < 0x20 || text.data[i] == 0x7f)
            lex_buf_putc(out, ' ');
        else
            lex_buf_putc(out, (char)text.data[i]);
    }
}

static void put_list(struct lex_buf *out, const char *label, const struct lex_span_list *list)
{
    if (list->count == 0)
        return;
    lex_buf_puts(out, label);
    for (size_t i = 0; i < list->count; i++) {
        lex_buf_puts(out, i == 0 ? "" : ", ");
        put_safe(out, list->items[i]);
    }
    lex_buf_putc(out, '\n');
}

static void put_obligation_text(struct lex_buf *out, const struct lex_obligation *obligation)
{
    lex_buf_printf(out, "needs:    %.*s", LEX_SPAN_FMT(lex_obligation_type_name(obligation->type)));
    if (obligation->type == LEX_OBLIGATION_TYPE_APPROVAL) {
        lex_buf_printf(out, " by %d of ", obligation->quorum);
        put_safe(out, obligation->approver);
        lex_buf_printf(out, " within %d s", obligation->timeout_s);
    }
    if (!lex_span_absent(obligation->condition)) {
        lex_buf_puts(out, ": ");
        put_line(out, obligation->condition);
    } else if (!lex_span_absent(obligation->action)) {
        lex_buf_puts(out, ": ");
        put_safe(out, obligation->action);
    }
    if (!lex_span_absent(obligation->rule)) {
        lex_buf_puts(out, " (");
        put_safe(out, obligation->rule);
        lex_buf_putc(out, ')');
    }
    lex_buf_putc(out, '\n');
}

static void put_verdict(struct lex_buf *out, const struct lex_decision *decision)
{
    lex_buf_printf(
        out, "verdict:  %.*s %.*s\nreason:   ", LEX_SPAN_FMT(lex_outcome_name(decision->outcome)),
        LEX_SPAN_FMT(lex_reason_name(decision->reason_code)));
    put_safe(out, decision->reason);
    lex_buf_putc(out, '\n');
    put_list(out, "decided:  ", &decision->rules);
    for (size_t i = 0; i < decision->obligations.count; i++)
        put_obligation_text(out, &decision->obligations.items[i]);
    put_list(out, "warnings: ", &decision->warnings);
    lex_buf_printf(out, "mode:     %.*s\nrisk:     %d\n",
                   LEX_SPAN_FMT(lex_mode_name(decision->mode_effective)), decision->risk_effective);
}

static void put_facts(struct lex_buf *out, const struct lex_fact_list *facts)
{
    for (size_t i = 0; i < facts->count; i++) {
        lex_buf_puts(out, "                read: ");
        put_safe(out, facts->items[i].name);
        lex_buf_puts(out, " = ");
        put_line(out, facts->items[i].value);
        lex_buf_printf(out, " (%.*s)\n",
                       LEX_SPAN_FMT(lex_provenance_name(facts->items[i].provenance)));
    }
}

static void put_condition(struct lex_buf *out, const struct lex_explained_condition *condition)
{
    lex_buf_printf(out, "              if %-7s ", condition->truth);
    put_line(out, condition->text);
    lex_buf_printf(out, "  [%s]\n", condition->basis);
    put_facts(out, &condition->facts);
}

static const char *match_word(const struct lex_explained_rule *rule)
{
    switch (rule->match) {
    case LEX_MATCH_YES: return "matches";
    case LEX_MATCH_MAYBE: return "cannot be excluded by its ";
    default: return "misses on its ";
    }
}

static void put_rule(struct lex_buf *out, const struct lex_explained_rule *rule)
{
    lex_buf_printf(out, "%c %-*s %-*s ", rule->decided ? '*' : ' ', EFFECT_COLUMN, rule->effect,
                   KIND_COLUMN, rule->kind);
    put_safe(out, rule->id);
    if (strcmp(rule->kind, "constraint") != 0) /* which is asked of every request */
        lex_buf_printf(out, "  %s%s", match_word(rule),
                       rule->match == LEX_MATCH_YES || rule->missed == NULL ? "" : rule->missed);
    lex_buf_printf(out, "  %s:%u:%u\n", rule->source, rule->line, rule->column);
    if (!lex_span_absent(rule->justification)) {
        lex_buf_puts(out, "              because ");
        put_safe(out, rule->justification);
        lex_buf_putc(out, '\n');
    }
    for (size_t i = 0; i < rule->conditions_count && rule->match != LEX_MATCH_NO; i++)
        put_condition(out, &rule->conditions[i]);
}

/* Rules about somebody or something else: most of a large policy. */
static bool is_elsewhere(const struct lex_explained_rule *rule)
{
    return rule->match == LEX_MATCH_NO && !rule->decided &&
           (rule->missed == NULL || strcmp(rule->missed, "actor") == 0 ||
            strcmp(rule->missed, "action") == 0 || strcmp(rule->missed, "both sides") == 0);
}

static void put_text(struct lex_buf *out, const struct lex_explanation *explanation, bool all)
{
    size_t hidden = 0;
    put_verdict(out, &explanation->decision);
    if (explanation->count == 0) {
        lex_buf_puts(out, "\nNo rule was asked: the verdict stands before them.\n");
        return;
    }
    lex_buf_printf(out, "\n  %-*s %-*s rule (* decided)\n", EFFECT_COLUMN, "effect", KIND_COLUMN,
                   "kind");
    for (size_t i = 0; i < explanation->count; i++) {
        if (!all && is_elsewhere(&explanation->rules[i]))
            hidden++;
        else
            put_rule(out, &explanation->rules[i]);
    }
    if (hidden != 0)
        lex_buf_printf(out, "\n%zu rule%s about other actors or actions; --all shows them.\n",
                       hidden, hidden == 1 ? "" : "s");
}

/* ---- for tools ---- */

static void put_json_condition(struct lex_buf *out, const struct lex_explained_condition *condition)
{
    lex_buf_puts(out, "{\"text\":");
    lex_buf_put_json(out, condition->text);
    lex_buf_printf(out, ",\"truth\":\"%s\",\"basis\":\"%s\",\"facts\":[", condition->truth,
                   condition->basis);
    for (size_t i = 0; i < condition->facts.count; i++) {
        const struct lex_fact *fact = &condition->facts.items[i];
        lex_buf_puts(out, i == 0 ? "{\"name\":" : ",{\"name\":");
        lex_buf_put_json(out, fact->name);
        lex_buf_printf(out, ",\"provenance\":\"%.*s\",\"value\":",
                       LEX_SPAN_FMT(lex_provenance_name(fact->provenance)));
        lex_buf_put_span(out, fact->value);
        lex_buf_putc(out, '}');
    }
    lex_buf_puts(out, "]}");
}

static void put_json_rule(struct lex_buf *out, const struct lex_explained_rule *rule)
{
    static const char *const matches[] = {"no", "maybe", "yes"};
    lex_buf_puts(out, "{\"id\":");
    lex_buf_put_json(out, rule->id);
    lex_buf_printf(out, ",\"kind\":\"%s\"", rule->kind);
    lex_put_member(out, "justification", rule->justification);
    lex_buf_puts(out, ",\"source\":");
    lex_buf_put_json(out, lex_span_str(rule->source));
    lex_buf_printf(out, ",\"line\":%u,\"column\":%u,\"match\":\"%s\"", rule->line, rule->column,
                   matches[rule->match]);
    lex_put_member(out, "missed", lex_span_str(rule->missed));
    lex_buf_puts(out, ",\"conditions\":[");
    for (size_t i = 0; i < rule->conditions_count; i++) {
        lex_buf_puts(out, i == 0 ? "" : ",");
        put_json_condition(out, &rule->conditions[i]);
    }
    lex_buf_printf(out, "],\"effect\":\"%s\",\"decided\":%s}", rule->effect,
                   rule->decided ? "true" : "false");
}

static void put_json(struct lex_buf *out, const struct lex_policy_info *info,
                     const struct lex_explanation *explanation)
{
    lex_buf_putc(out, '{');
    lex_put_decision(out, &explanation->decision);
    lex_buf_printf(out, ",\"mode\":\"%.*s\",\"risk_score\":%d",
                   LEX_SPAN_FMT(lex_mode_name(explanation->decision.mode_effective)),
                   explanation->decision.risk_effective);
    lex_put_policy(out, info);
    lex_buf_puts(out, ",\"explained\":[");
    for (size_t i = 0; i < explanation->count; i++) {
        lex_buf_puts(out, i == 0 ? "" : ",");
        put_json_rule(out, &explanation->rules[i]);
    }
    lex_buf_puts(out, "]}\n");
}

/* ---- the command ---- */

struct flags {
    const char *policy, *facts, *now, *mode, *request;
    bool json, all;
};

static enum lex_status explain(struct lex_offline *offline, const struct flags *flags,
                               const struct lex_case *one, struct lex_buf *out,
                               struct lex_error *err)
{
    struct lex_explanation explanation;
    struct lex_decide_input input = lex_case_input(offline, one);
    if (lex_explain(&input, &offline->arena, &explanation) != LEX_OK)
        return lex_fail(err, LEX_LIMIT, "the policy is too large to be explained");
    if (flags->json)
        put_json(out, lex_policy_info(offline->policy), &explanation);
    else
        put_text(out, &explanation, flags->all);
    return lex_buf_ok(out) ? LEX_OK : lex_fail(err, LEX_LIMIT, "the explanation is too long");
}

static enum lex_status explain_file(struct lex_offline *offline, const struct flags *flags,
                                    struct lex_buf *out, struct lex_error *err)
{
    LEX_CLEANUP(lex_buf_fini) struct lex_buf text;
    struct lex_case one;
    lex_buf_init(&text, LEX_TEXT_FILE_MAX_BYTES);
    LEX_TRY(lex_text_file_read(flags->request, &text, err));
    const struct lex_case_text document = {
        strcmp(flags->request, "-") == 0 ? "stdin" : flags->request, lex_buf_span(&text)};
    enum lex_status status = lex_case_parse(offline, &document, &one, err);
    if (status == LEX_OK)
        status = explain(offline, flags, &one, out, err);
    lex_case_fini(&one);
    return status;
}

static enum lex_status open_all(struct lex_offline *offline, const struct flags *flags,
                                struct lex_error *err)
{
    LEX_TRY(lex_offline_init(offline, flags->policy, err));
    LEX_TRY(lex_offline_mode(offline, flags->mode, err));
    LEX_TRY(lex_offline_now(offline, flags->now, err));
    return lex_offline_facts(offline, flags->facts, err);
}

static int run(const struct lex_cli_usage *usage, const struct flags *flags)
{
    LEX_CLEANUP(lex_buf_fini) struct lex_buf out;
    LEX_CLEANUP(lex_offline_fini) struct lex_offline offline;
    struct lex_error err;
    lex_buf_init(&out, REPORT_MAX_BYTES);
    enum lex_status status = open_all(&offline, flags, &err);
    if (status == LEX_OK)
        status = explain_file(&offline, flags, &out, &err);
    if (status != LEX_OK)
        return lex_cli_fail(usage, status == LEX_LIMIT ? LEX_EXIT_INTERNAL : LEX_EXIT_USAGE, "%s",
                            err.text);
    (void)fputs(lex_buf_str(&out), stdout);
    return LEX_EXIT_OK;
}

int lex_cli_policy_explain(int argc, char **argv)
{
    struct flags given = {.request = "-"};
    const struct lex_cli_flag flags[] = {
        {"policy", "PATH", "the policy: a file, or a directory of them", LEX_CLI_STR, &given.policy,
         true},
        {"request", "FILE", "one JSON request, or a case; - (the default) is stdin", LEX_CLI_STR,
         &given.request, false},
        {"facts", "FILE", "what stands beside it, as for `decide`", LEX_CLI_STR, &given.facts,
         false},
        {"now", "INSTANT", "the clock (RFC 3339); else the machine's", LEX_CLI_STR, &given.now,
         false},
        {"mode", "MODE", "the server's mode: permissive, strict or paranoid", LEX_CLI_STR,
         &given.mode, false},
        {"all", NULL, "also the rules about other actors and actions", LEX_CLI_BOOL, &given.all,
         false},
        {"json", NULL, "one JSON object, with every rule", LEX_CLI_BOOL, &given.json, false},
    };
    const struct lex_cli_usage usage = {
        .path = "policy explain",
        .operands = "",
        .text = "Decide one request and say why: the verdict, then every rule with its effect, "
                "whether it\nmatches or what it misses on, each condition's truth, whose word that "
                "is, and the facts\nthat it read. Rules that decided have a star.\n\n"
                "  echo '{\"actor\":\"user\",\"proposed_action\":\"read\"}' |\n"
                "    lexecon policy explain --policy policies/compat/example_policy.json\n\n"
                "An example that `policy diff` prints is a case, and can be given as it is.\n\n"
                "Exit status: 0 explained (allowed or not); 2 the policy, the request or the facts "
                "cannot be\nread.",
        .flags = flags,
        .flags_count = LEX_COUNT_OF(flags),
    };
    struct lex_cli_list operands = {.count = 0};
    int parsed = lex_cli_parse(&usage, argc, argv, &operands);
    if (parsed != 0)
        return parsed == 1 ? LEX_EXIT_OK : LEX_EXIT_USAGE;
    return run(&usage, &given);
}
