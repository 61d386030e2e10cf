/* `lexecon policy test`: cases beside a policy, each decided as the service would, and which rules
 * none of them decides. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "cli/case.h"
#include "cli/cli.h"
#include "cli/text_file.h"
#include "core/base/jcs.h"
#include "core/decision/coverage.h"

enum {
    OUTPUT_MAX_BYTES = 64 << 20,
    FILES_MAX = 1024,
    PATH_MAX_BYTES = 4096,
    TREE_MAX_BYTES = 1 << 30
};

/* ---- expectations ---- */

/* One member of "expect": whether the decision meets it; what was wanted and what came, for the
 * report. */
struct check {
    const struct lex_case_text *document;
    const struct lex_decision *decision;
    struct lex_buf *report; /* lines of what was not met */
    struct lex_error *err;
};

static void miss(struct check *check, const struct lex_json *wanted, struct lex_span got)
{
    lex_buf_printf(check->report, "#   %.*s: expected ", LEX_SPAN_FMT(wanted->key));
    lex_jcs_put(check->report, wanted);
    lex_buf_puts(check->report, ", got ");
    lex_buf_put_span(check->report, got);
    lex_buf_putc(check->report, '\n');
}

static enum lex_status must_be(struct check *check, const struct lex_json *node, const char *what)
{
    return lex_case_fail(check->document, node->at, check->err, "\"%.*s\" must be %s, but it is %s",
                         LEX_SPAN_FMT(node->key), what, lex_json_type_name(node->type));
}

static void miss_word(struct check *check, const struct lex_json *wanted, struct lex_span got)
{
    struct lex_buf text;
    lex_buf_init(&text, OUTPUT_MAX_BYTES);
    lex_buf_put_json(&text, got);
    miss(check, wanted, lex_buf_span(&text));
    lex_buf_fini(&text);
}

/* A word of a fixed list: one that is not on it can never be met, which is an error in the case. */
static enum lex_status check_word(struct check *check, const struct lex_json *node,
                                  const char *const *words, const char *what, struct lex_span got)
{
    if (node->type != LEX_JSON_STRING)
        return must_be(check, node, what);
    size_t i = 0;
    while (words[i] != NULL && !lex_span_eq(node->text, lex_span_str(words[i])))
        i++;
    if (words[i] == NULL) {
        const char *nearest = lex_case_nearest(node->text, words);
        return lex_case_fail(check->document, node->at, check->err, "\"%.*s\" is not %s%s%s%s",
                             LEX_SPAN_FMT(node->text), what,
                             nearest == NULL ? "" : "; did you mean \"",
                             nearest == NULL ? "" : nearest, nearest == NULL ? "" : "\"?");
    }
    if (!lex_span_eq(node->text, got))
        miss_word(check, node, got);
    return LEX_OK;
}

static enum lex_status check_outcome(struct check *check, const struct lex_json *node)
{
    static const char *const words[] = {"denied", "escalated", "conditional", "approved", NULL};
    return check_word(check, node, words, "one of denied, escalated, conditional, approved",
                      lex_outcome_name(check->decision->outcome));
}

static enum lex_status check_code(struct check *check, const struct lex_json *node)
{
    static const char *const words[] = {
#define LEX_REASON(name) #name,
#include "core/decision/reasons.def"
#undef LEX_REASON
        NULL};
    return check_word(check, node, words, "a reason code",
                      lex_reason_name(check->decision->reason_code));
}

static enum lex_status check_allowed(struct check *check, const struct lex_json *node)
{
    if (node->type != LEX_JSON_BOOL)
        return must_be(check, node, "true or false");
    if (node->boolean != check->decision->allowed)
        lex_buf_printf(check->report, "#   allowed: expected %s, got %s\n",
                       node->boolean ? "true" : "false",
                       check->decision->allowed ? "true" : "false");
    return LEX_OK;
}

/* As sets: the order of rules and warnings is the engine's business. */
static enum lex_status check_names(struct check *check, const struct lex_json *node,
                                   const struct lex_span_list *got)
{
    struct lex_buf text;
    size_t found = 0;
    if (node->type != LEX_JSON_ARRAY)
        return must_be(check, node, "an array of strings");
    for (const struct lex_json *item = node->child; item != NULL; item = item->next) {
        bool is_there = false;
        if (item->type != LEX_JSON_STRING)
            return must_be(check, node, "an array of strings");
        for (size_t i = 0; i < got->count; i++)
            is_there = is_there || lex_span_eq(got->items[i], item->text);
        found += is_there;
    }
    if (found == node->count && found == got->count)
        return LEX_OK;
    lex_buf_init(&text, OUTPUT_MAX_BYTES);
    lex_put_list(&text, got);
    miss(check, node, lex_buf_span(&text));
    lex_buf_fini(&text);
    return LEX_OK;
}

static enum lex_status check_rules(struct check *check, const struct lex_json *node)
{
    return check_names(check, node, &check->decision->rules);
}

static enum lex_status check_warnings(struct check *check, const struct lex_json *node)
{
    return check_names(check, node, &check->decision->warnings);
}

/* ---- obligations: an expected one names the members that matter ---- */

static bool same_text(const struct lex_json *wanted, struct lex_span got)
{
    return wanted == NULL || (wanted->type == LEX_JSON_STRING && lex_span_eq(wanted->text, got));
}

static bool same_number(const struct lex_json *wanted, int64_t got)
{
    int64_t number;
    return wanted == NULL || (wanted->type == LEX_JSON_NUMBER &&
                              lex_json_int64(wanted->text, &number) == LEX_OK && number == got);
}

static bool same_obligation(const struct lex_json *wanted, const struct lex_obligation *got)
{
    return same_text(lex_json_get(wanted, "type"), lex_obligation_type_name(got->type)) &&
           same_text(lex_json_get(wanted, "approver"), got->approver) &&
           same_text(lex_json_get(wanted, "rule"), got->rule) &&
           same_text(lex_json_get(wanted, "condition"), got->condition) &&
           same_text(lex_json_get(wanted, "action"), got->action) &&
           same_number(lex_json_get(wanted, "quorum"), got->quorum) &&
           same_number(lex_json_get(wanted, "timeout_s"), got->timeout_s);
}

/* Each expected one takes one that came; none may be left over. @return whether all were paired */
static bool pair_obligations(const struct lex_json *wanted,
                             const struct lex_obligation_list *obligations)
{
    bool taken[LEX_DECISION_OBLIGATIONS_MAX] = {false};
    for (const struct lex_json *item = wanted->child; item != NULL; item = item->next) {
        size_t i = 0;
        while (i < obligations->count &&
               (taken[i] || !same_obligation(item, &obligations->items[i])))
            i++;
        if (i == obligations->count)
            return false;
        taken[i] = true;
    }
    return wanted->count == obligations->count;
}

static enum lex_status check_obligations(struct check *check, const struct lex_json *node)
{
    static const char *const known[] = {"type", "approver",  "quorum", "timeout_s",
                                        "rule", "condition", "action", NULL};
    const struct lex_obligation_list *got = &check->decision->obligations;
    struct lex_buf text;
    if (node->type != LEX_JSON_ARRAY)
        return must_be(check, node, "an array of objects");
    for (const struct lex_json *item = node->child; item != NULL; item = item->next) {
        if (item->type != LEX_JSON_OBJECT)
            return must_be(check, node, "an array of objects");
        LEX_TRY(lex_case_known_members(check->document, item, known, check->err));
    }
    if (pair_obligations(node, got))
        return LEX_OK;
    lex_buf_init(&text, OUTPUT_MAX_BYTES);
    lex_buf_putc(&text, '[');
    for (size_t i = 0; i < got->count; i++) {
        lex_buf_puts(&text, i == 0 ? "" : ",");
        lex_put_obligation(&text, &got->items[i]);
    }
    lex_buf_putc(&text, ']');
    miss(check, node, lex_buf_span(&text));
    lex_buf_fini(&text);
    return LEX_OK;
}

static const struct {
    const char *name;
    enum lex_status (*check)(struct check *check, const struct lex_json *node);
} expectations[] = {
    {"outcome", check_outcome}, {"reason_code", check_code},  {"rules", check_rules},
    {"allowed", check_allowed}, {"warnings", check_warnings}, {"obligations", check_obligations},
};

static enum lex_status check_all(struct check *check, const struct lex_json *expect)
{
    static const char *const known[] = {"outcome",     "reason_code", "rules", "allowed",
                                        "obligations", "warnings",    NULL};
    LEX_TRY(lex_case_known_members(check->document, expect, known, check->err));
    for (size_t i = 0; i < LEX_COUNT_OF(expectations); i++) {
        const struct lex_json *node = lex_json_get(expect, expectations[i].name);
        if (node != NULL)
            LEX_TRY(expectations[i].check(check, node));
    }
    return LEX_OK;
}

/* ---- a run ---- */

struct run {
    struct lex_offline offline;
    struct lex_coverage coverage;
    struct lex_arena kept; /* the coverage's, and the files' trees */
    struct lex_buf out;
    bool json;
    size_t cases, failed;
};

static void put_result(struct run *run, const struct lex_case *one, const char *source,
                       const struct lex_case_text *document, const struct lex_decision *decision,
                       struct lex_span report)
{
    bool failed = report.len != 0;
    unsigned line, column;
    lex_json_where(document->text, one->at, &line, &column);
    if (run->json) {
        lex_buf_puts(&run->out, run->cases == 1 ? "{\"source\":" : ",{\"source\":");
        lex_buf_put_json(&run->out, lex_span_str(source));
        lex_buf_printf(&run->out, ",\"line\":%u,\"passed\":%s", line, failed ? "false" : "true");
        lex_put_member(&run->out, "name", one->name);
        lex_buf_puts(&run->out, ",\"verdict\":{");
        lex_put_decision(&run->out, decision);
        lex_buf_putc(&run->out, '}');
        lex_put_member(&run->out, "failures", failed ? report : (struct lex_span){NULL, 0});
        lex_buf_putc(&run->out, '}');
        return;
    }
    lex_buf_printf(&run->out, "%sok %zu - ", failed ? "not " : "", run->cases);
    if (lex_span_absent(one->name))
        lex_buf_printf(&run->out, "%s:%u", source, line);
    else
        lex_buf_put_json(&run->out, one->name);
    lex_buf_putc(&run->out, '\n');
    if (!failed)
        return;
    lex_buf_printf(&run->out, "#   at %s:%u:%u\n", source, line, column);
    lex_buf_put_span(&run->out, report);
    lex_buf_puts(&run->out, "#   reason: ");
    lex_buf_put_json(&run->out, decision->reason);
    lex_buf_putc(&run->out, '\n');
}

static enum lex_status judge_case(struct run *run, const struct lex_case_text *document,
                                  const struct lex_case *one, struct lex_error *err)
{
    struct lex_decision decision;
    struct lex_buf report;
    struct check check = {document, &decision, &report, err};
    struct lex_decide_input input = lex_case_input(&run->offline, one);
    if (one->expect == NULL || one->expect->type != LEX_JSON_OBJECT || one->expect->count == 0)
        return lex_case_fail(document, one->at, err,
                             "the case expects nothing; give it an \"expect\" with an \"outcome\"");
    lex_decide(&input, &run->offline.arena, &decision);
    lex_buf_init(&report, OUTPUT_MAX_BYTES);
    enum lex_status status = check_all(&check, one->expect);
    if (status == LEX_OK) {
        run->cases++;
        run->failed += report.len != 0;
        lex_coverage_add(&run->coverage, &decision);
        put_result(run, one, document->source, document, &decision, lex_buf_span(&report));
    }
    lex_buf_fini(&report);
    return status;
}

static enum lex_status run_case(struct run *run, const struct lex_case_text *document,
                                const struct lex_json *node, struct lex_error *err)
{
    struct lex_case one = {.history = NULL};
    enum lex_status status = lex_case_read(&run->offline, document, node, true, &one, err);
    if (status == LEX_OK)
        status = judge_case(run, document, &one, err);
    lex_case_fini(&one);
    lex_arena_reset(&run->offline.arena);
    return status;
}

static enum lex_status run_document(struct run *run, const struct lex_case_text *document,
                                    struct lex_error *err)
{
    static const char *const known[] = {"cases", NULL};
    const struct lex_json *root;
    struct lex_error problem;
    enum lex_status status = lex_json_parse(&run->kept, document->text, &root, &problem);
    if (status != LEX_OK)
        return lex_fail(err, status, "%s: %s", document->source, problem.text);
    const struct lex_json *cases = lex_json_get(root, "cases");
    if (root->type == LEX_JSON_OBJECT)
        LEX_TRY(lex_case_known_members(document, root, known, err));
    if (!lex_json_is(cases, LEX_JSON_ARRAY))
        return lex_case_fail(document, root->at, err,
                             "a file of cases must be an object with an array \"cases\"");
    for (const struct lex_json *node = cases->child; node != NULL; node = node->next)
        LEX_TRY(run_case(run, document, node, err));
    return LEX_OK;
}

static enum lex_status run_file(struct run *run, const char *path, struct lex_error *err)
{
    LEX_CLEANUP(lex_buf_fini) struct lex_buf text;
    lex_buf_init(&text, LEX_TEXT_FILE_MAX_BYTES);
    LEX_TRY(lex_text_file_read(path, &text, err));
    const struct lex_case_text document = {path, lex_buf_span(&text)};
    return run_document(run, &document, err);
}

/* ---- which files ---- */

struct files {
    char *paths[FILES_MAX];
    size_t count;
};

static void files_fini(struct files *files)
{
    for (size_t i = 0; i < files->count; i++)
        free(files->paths[i]);
}

static enum lex_status add_file(struct files *files, const char *start, const char *between,
                                const char *end, struct lex_error *err)
{
    char path[PATH_MAX_BYTES];
    int n = snprintf(path, sizeof path, "%s%s%s", start, between, end);
    if (files->count == FILES_MAX || n < 0 || (size_t)n >= sizeof path)
        return lex_fail(err, LEX_LIMIT,
                        "%s: more than %d files of cases, or a name of more than %d bytes", start,
                        FILES_MAX, PATH_MAX_BYTES - 1);
    char *copy = strdup(path);
    if (copy == NULL)
        return lex_fail(err, LEX_LIMIT, "not enough memory");
    files->paths[files->count++] = copy;
    return LEX_OK;
}

static bool is_cases_name(const char *name)
{
    static const char end[] = ".test.json";
    size_t len = strlen(name);
    return name[0] != '.' && len >= sizeof end && strcmp(name + len - sizeof end + 1, end) == 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static enum lex_status list_directory(struct files *files, const char *path, struct lex_error *err)
{
    DIR *directory = opendir(path);
    enum lex_status status = LEX_OK;
    if (directory == NULL)
        return lex_fail(err, LEX_REJECT, "%s: cannot be opened: %s", path, strerror(errno));
    for (const struct dirent *entry; status == LEX_OK && (entry = readdir(directory)) != NULL;)
        if (is_cases_name(entry->d_name))
            status = add_file(files, path, "/", entry->d_name, err);
    (void)closedir(directory);
    qsort(files->paths, files->count, sizeof(char *), by_name);
    if (status == LEX_OK && files->count == 0)
        return lex_fail(err, LEX_REJECT,
                        "%s: has no cases; put at least one file *.test.json there", path);
    return status;
}

/* Beside the policy: x.json has its cases in x.test.json, a directory in its *.test.json. */
static enum lex_status find_files(struct files *files, const char *policy, struct lex_error *err)
{
    struct stat info;
    size_t len = strlen(policy);
    char stem[PATH_MAX_BYTES];
    if (stat(policy, &info) == 0 && S_ISDIR(info.st_mode))
        return list_directory(files, policy, err);
    if (len > 5 && strcmp(policy + len - 5, ".json") == 0)
        len -= 5;
    (void)snprintf(stem, sizeof stem, "%.*s", (int)len, policy);
    LEX_TRY(add_file(files, stem, ".test", ".json", err));
    if (lex_text_file_readable(files->paths[0]))
        return LEX_OK;
    return lex_fail(err, LEX_REJECT, "%s: has no cases; write %s, or name their files", policy,
                    files->paths[0]);
}

static enum lex_status add_operands(struct files *files, const struct lex_cli_list *operands,
                                    struct lex_error *err)
{
    struct stat info;
    if (operands->count == 1)
        return find_files(files, operands->items[0], err);
    for (size_t i = 1; i < operands->count; i++) {
        const char *path = operands->items[i];
        if (stat(path, &info) == 0 && S_ISDIR(info.st_mode))
            LEX_TRY(list_directory(files, path, err));
        else
            LEX_TRY(add_file(files, path, "", "", err));
    }
    return LEX_OK;
}

/* ---- coverage ---- */

/* Whole percent, rounded down: 100 is said only of all. A policy without rules is covered. */
static unsigned percent(const struct run *run)
{
    size_t covered = lex_coverage_covered(&run->coverage);
    return run->coverage.count == 0 ? 100 : (unsigned)(covered * 100 / run->coverage.count);
}

static void put_uncovered_json(struct run *run)
{
    bool first = true;
    lex_buf_printf(&run->out,
                   "],\"passed\":%zu,\"failed\":%zu,\"coverage\":{\"percent\":%u,"
                   "\"rules\":%zu,\"covered\":%zu,\"uncovered\":[",
                   run->cases - run->failed, run->failed, percent(run), run->coverage.count,
                   lex_coverage_covered(&run->coverage));
    for (size_t i = 0; i < run->coverage.count; i++) {
        const struct lex_covered_rule *rule = &run->coverage.rules[i];
        if (rule->verdicts != 0)
            continue;
        lex_buf_puts(&run->out, first ? "{\"id\":" : ",{\"id\":");
        lex_buf_put_json(&run->out, rule->id);
        lex_buf_printf(&run->out, ",\"kind\":\"%s\",\"source\":", rule->kind);
        lex_buf_put_json(&run->out, lex_span_str(rule->source));
        lex_buf_printf(&run->out, ",\"line\":%u,\"column\":%u}", rule->line, rule->column);
        first = false;
    }
    lex_buf_puts(&run->out, "]}}\n");
}

static void put_uncovered(struct run *run)
{
    lex_buf_printf(&run->out, "1..%zu\n# %zu passed, %zu failed\n", run->cases,
                   run->cases - run->failed, run->failed);
    lex_buf_printf(&run->out, "# coverage: %zu of %zu rules decide a case (%u %%)\n",
                   lex_coverage_covered(&run->coverage), run->coverage.count, percent(run));
    for (size_t i = 0; i < run->coverage.count; i++) {
        const struct lex_covered_rule *rule = &run->coverage.rules[i];
        if (rule->verdicts == 0)
            lex_buf_printf(&run->out, "#   no case decides %s %.*s  %s:%u:%u\n", rule->kind,
                           LEX_SPAN_FMT(rule->id), rule->source, rule->line, rule->column);
    }
}

/* ---- the command ---- */

static enum lex_status run_all(struct run *run, const struct lex_cli_list *operands,
                               struct lex_error *err)
{
    LEX_CLEANUP(files_fini) struct files files = {.count = 0};
    if (lex_coverage_init(run->offline.policy, &run->kept, &run->coverage) != LEX_OK)
        return lex_fail(err, LEX_LIMIT, "not enough memory for the coverage");
    LEX_TRY(add_operands(&files, operands, err));
    lex_buf_puts(&run->out, run->json ? "{\"cases\":[" : "TAP version 13\n");
    for (size_t i = 0; i < files.count; i++)
        LEX_TRY(run_file(run, files.paths[i], err));
    if (run->json)
        put_uncovered_json(run);
    else
        put_uncovered(run);
    return LEX_OK;
}

static int finish(const struct lex_cli_usage *usage, const struct run *run, enum lex_status status,
                  long long coverage_min, const struct lex_error *err)
{
    if (!run->json || status == LEX_OK)
        (void)fputs(lex_buf_str(&run->out), stdout);
    if (status != LEX_OK)
        return lex_cli_fail(usage, LEX_EXIT_USAGE, "%s", err->text);
    if (!lex_buf_ok(&run->out))
        return lex_cli_fail(usage, LEX_EXIT_INTERNAL, "the report is too long");
    if (run->cases == 0)
        return lex_cli_fail(usage, LEX_EXIT_NO, "there is no case; a test that asks nothing fails");
    if ((long long)percent(run) < coverage_min)
        return lex_cli_fail(usage, LEX_EXIT_NO, "the coverage is %u %%, less than %lld %%",
                            percent(run), coverage_min);
    return run->failed == 0 ? LEX_EXIT_OK : LEX_EXIT_NO;
}

static int test_policy(const struct lex_cli_usage *usage, const struct lex_cli_list *operands,
                       bool json, long long coverage_min)
{
    struct run run = {.json = json};
    struct lex_error err;
    lex_arena_init(&run.kept, 64 << 10, TREE_MAX_BYTES);
    lex_buf_init(&run.out, OUTPUT_MAX_BYTES);
    enum lex_status status = lex_offline_init(&run.offline, operands->items[0], &err);
    if (status == LEX_OK)
        status = run_all(&run, operands, &err);
    int result = finish(usage, &run, status, coverage_min, &err);
    lex_offline_fini(&run.offline);
    lex_buf_fini(&run.out);
    lex_arena_fini(&run.kept);
    return result;
}

int lex_cli_policy_test(int argc, char **argv)
{
    bool json = false;
    long long coverage_min = 0;
    const struct lex_cli_flag flags[] = {
        {"coverage-min", "N", "fail where cases decide less than N percent of the rules",
         LEX_CLI_INT, &coverage_min, false},
        {"json", NULL, "one JSON object instead of text", LEX_CLI_BOOL, &json, false},
    };
    const struct lex_cli_usage usage = {
        .path = "policy test",
        .operands = "POLICY [CASES...]",
        .text =
            "Decide each case under the policy (a file or a directory) and compare. The cases of\n"
            "agents.json are those of agents.test.json beside it, those of a directory all its\n"
            "*.test.json, unless CASES names other files. A file of cases:\n\n"
            "  {\"cases\": [{\"name\": \"an agent may read\",\n"
            "              \"request\": {\"actor\": \"agent\", \"proposed_action\": \"read\"},\n"
            "              \"facts\": {\"attested\": {\"mfa\": true}}, \"now\": "
            "\"2026-01-31T12:00:00Z\",\n"
            "              \"mode\": \"strict\",\n"
            "              \"expect\": {\"outcome\": \"approved\", \"reason_code\": "
            "\"PERMITTED\",\n"
            "                         \"rules\": [\"r1\"], \"allowed\": true, \"warnings\": [],\n"
            "                         \"obligations\": [{\"type\": \"advice\"}]}}]}\n\n"
            "facts as for `decide`; facts, now and mode may be absent, and of expect whatever does "
            "not\nmatter. rules and warnings are compared as sets; of an obligation the members "
            "that are given.\n\n"
            "Then the coverage: a forbid, a requires, a conflict or a constraint counts where it "
            "decided\nsome case's verdict or put an obligation on it, a permit where a verdict was "
            "approved with it.\n\n"
            "  lexecon policy test --coverage-min 90 policies/agents.json\n\n"
            "Exit status: 0 all hold; 1 at least one does not, there is none, or the coverage is "
            "too low;\n2 the policy does not load, or a case cannot be read.",
        .flags = flags,
        .flags_count = LEX_COUNT_OF(flags),
        .operands_min = 1,
        .operands_max = LEX_CLI_LIST_MAX,
    };
    struct lex_cli_list operands = {.count = 0};
    int parsed = lex_cli_parse(&usage, argc, argv, &operands);
    if (parsed != 0)
        return parsed == 1 ? LEX_EXIT_OK : LEX_EXIT_USAGE;
    if (coverage_min < 0 || coverage_min > 100)
        return lex_cli_fail(&usage, LEX_EXIT_USAGE, "--coverage-min: expected 0 to 100, got %lld",
                            coverage_min);
    return test_policy(&usage, &operands, json, coverage_min);
}
