/* Request file: what `submit` sends, from flags or from a file, read as strictly as the service
 * does. */
#include "cli/request_file.h"

#include <stdio.h>
#include <unistd.h>

#include "cli/answer_print.h"
#include "core/decision/decision.h"
#include "tests/unit/lex_check.h"

static const int64_t now_us = INT64_C(1767225600000000); /* 2026-01-01T00:00:00Z */
static struct lex_error err;
static struct lex_buf text;
static struct lex_request_flags flags;
static char path[] = "/tmp/lex_request_file_XXXXXX";

static void setup(void)
{
    lex_buf_init(&text, 1 << 20);
    flags = (struct lex_request_flags){.risk = LEX_RISK_NOT_GIVEN};
    flags.actor = "user";
    flags.action = "read";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    (void)close(fd);
}

static void teardown(void)
{
    (void)unlink(path);
    (void)snprintf(path, sizeof path, "/tmp/lex_request_file_XXXXXX");
    lex_buf_fini(&text);
}

/* ---- flags ---- */

static void flags_give(const char *json)
{
    ck_assert_msg(lex_request_flags_json(&flags, now_us, &text, &err) == LEX_OK, "%s", err.text);
    ck_assert_str_eq(lex_buf_str(&text), json);
}

static void flags_refused(const char *words)
{
    ck_assert_int_eq(lex_request_flags_json(&flags, now_us, &text, &err), LEX_REJECT);
    ck_assert_msg(strstr(err.text, words) != NULL, "'%s' does not say '%s'", err.text, words);
}

START_TEST(flags_that_are_not_given_are_no_members)
{
    flags_give("{\"actor\":\"user\",\"proposed_action\":\"read\"}");
    ck_assert(lex_request_flags_given(&flags));
    flags = (struct lex_request_flags){.risk = LEX_RISK_NOT_GIVEN};
    ck_assert(!lex_request_flags_given(&flags));
    flags.risk = 0;
    ck_assert(lex_request_flags_given(&flags));
}
END_TEST

START_TEST(every_flag_becomes_its_member_and_is_read_back)
{
    struct lex_request_file file;
    flags.tool = "t\"\n";
    flags.risk = 4;
    flags.want_token = true;
    flags.arguments = "{\"a\":[1]}";
    flags.deadline = "+5m";
    flags.data_classes = (struct lex_cli_list){{"pii", "a"}, 2};
    flags.context = (struct lex_cli_list){{"n=1.5", "t=\"x=y\"", "l=[\"a\"]"}, 3};
    ck_assert_msg(lex_request_flags_json(&flags, now_us, &text, &err) == LEX_OK, "%s", err.text);
    ck_assert_msg(lex_request_file_one(lex_buf_span(&text), &file, &err) == LEX_OK, "%s", err.text);
    const struct lex_request *request = &file.lines[0].request;
    ck_assert_span_eq(request->tool, "t\"\n");
    ck_assert_int_eq(request->risk_level, 4);
    ck_assert(request->want_token);
    ck_assert_span_eq(request->arguments, "{\"a\":[1]}");
    ck_assert_int_eq(request->deadline.value, now_us + INT64_C(300000000));
    ck_assert_uint_eq(request->data_classes.count, 2);
    ck_assert_uint_eq(request->context.count, 3);
    ck_assert_span_eq(request->context.items[1].value.text, "x=y");
    lex_request_file_fini(&file);
}
END_TEST

START_TEST(json_in_a_flag_cannot_bring_a_member_of_its_own)
{
    flags.arguments = "{},\"actor\":\"root\"";
    flags_refused("--arguments");
    flags.arguments = NULL;
    flags.context = (struct lex_cli_list){{"a=1},\"actor\":\"root\",\"x_\":{\"b\":1"}, 1};
    flags_refused("--context");
    flags.context = (struct lex_cli_list){{"a=word"}, 1};
    flags_refused("a text needs its quotes");
    flags.context = (struct lex_cli_list){{"a"}, 1};
    flags_refused("KEY=JSON");
}
END_TEST

START_TEST(bytes_that_are_no_utf8_are_told_and_not_replaced)
{
    flags.actor = "us\xff";
    flags_refused("--actor");
}
END_TEST

START_TEST(deadline_is_an_instant_or_counts_from_now)
{
    flags.deadline = "+30s";
    flags_give("{\"actor\":\"user\",\"proposed_action\":\"read\","
               "\"deadline\":\"2026-01-01T00:00:30.000000Z\"}");
    flags.deadline = "2026-01-01T00:00:30Z";
    flags_give("{\"actor\":\"user\",\"proposed_action\":\"read\","
               "\"deadline\":\"2026-01-01T00:00:30Z\"}");
    const char *const wrong[] = {"+", "+s", "+30", "+30x", "+-5s", "+999999h"};
    for (size_t i = 0; i < LEX_COUNT_OF(wrong); i++) {
        flags.deadline = wrong[i];
        flags_refused("--deadline");
    }
}
END_TEST

/* ---- files ---- */

static void write_file(const char *content)
{
    FILE *out = fopen(path, "w");
    ck_assert(out != NULL && fputs(content, out) >= 0 && fclose(out) == 0);
}

static void file_refused(const char *content, enum lex_status status, const char *words)
{
    struct lex_request_file file;
    write_file(content);
    ck_assert_int_eq(lex_request_file_load(path, &file, &err), status);
    ck_assert_msg(strstr(err.text, words) != NULL, "'%s' does not say '%s'", err.text, words);
}

START_TEST(lines_are_requests_and_blank_ones_are_counted)
{
    struct lex_request_file file;
    write_file("{\"request_id\":\"a\",\"actor\":\"u\",\"proposed_action\":\"r\"}\n \r\n"
               "{\"actor\":\"v\",\"proposed_action\":\"r\"}");
    ck_assert_msg(lex_request_file_load(path, &file, &err) == LEX_OK, "%s", err.text);
    ck_assert_uint_eq(file.count, 2);
    ck_assert_span_eq(file.lines[0].request.request_id, "a");
    ck_assert_uint_eq(file.lines[1].line, 3);
    ck_assert_span_eq(file.lines[1].request.actor, "v");
    lex_request_file_fini(&file);
}
END_TEST

START_TEST(request_without_a_name_gets_one_of_its_own)
{
    struct lex_request_file file;
    write_file("{\"actor\":\"v\"}\n{\"actor\":\"v\"}\n");
    ck_assert_int_eq(lex_request_file_load(path, &file, &err), LEX_OK);
    struct lex_span a = file.lines[0].request.request_id, b = file.lines[1].request.request_id;
    ck_assert_uint_eq(a.len, strlen("req_") + 26);
    ck_assert(memcmp(a.data, "req_0", 5) == 0);
    ck_assert(!lex_span_eq(a, b));
    lex_request_file_fini(&file);
}
END_TEST

START_TEST(wrong_line_is_told_with_its_number)
{
    file_refused("{\"actor\":\"u\"}\n\n{\"actr\":\"u\"}\n", LEX_REJECT, ":3: ");
    file_refused("{\"actor\":\"u\",\"actor\":\"v\"}\n", LEX_REJECT, ":1: ");
    file_refused("[1]\n", LEX_REJECT, ":1: ");
    file_refused("", LEX_REJECT, "no request");
    struct lex_request_file file;
    ck_assert_int_eq(lex_request_file_load("/nowhere/at/all", &file, &err), LEX_REJECT);
}
END_TEST

START_TEST(one_request_over_the_ceiling_is_too_many)
{
    struct lex_request_file file;
    static const char row[] = "{\"actor\":\"u\"}\n";
    char *content = calloc(LEX_REQUEST_FILE_MAX + 1, sizeof row);
    for (size_t i = 0; i < LEX_REQUEST_FILE_MAX; i++)
        memcpy(content + i * (sizeof row - 1), row, sizeof row - 1);
    write_file(content);
    ck_assert_int_eq(lex_request_file_load(path, &file, &err), LEX_OK);
    ck_assert_uint_eq(file.count, LEX_REQUEST_FILE_MAX);
    lex_request_file_fini(&file);
    memcpy(content + LEX_REQUEST_FILE_MAX * (sizeof row - 1), row, sizeof row - 1);
    file_refused(content, LEX_LIMIT, "split the file");
    free(content);
}
END_TEST

/* ---- answers ---- */

static struct lex_answer proven(enum lex_outcome outcome)
{
    static const struct lex_span rules[] = {LEX_SPAN_INIT("r1"), LEX_SPAN_INIT("r2")};
    struct lex_answer answer = {
        .kind = LEX_ANSWER_PROVEN, .allowed = outcome == LEX_OUTCOME_APPROVED, .why = ""};
    answer.verdict.entry.outcome = outcome;
    answer.verdict.entry.allowed = answer.allowed;
    answer.verdict.entry.reason_code = LEX_SPAN("PERMITTED");
    answer.verdict.entry.rules = (struct lex_span_list){rules, 2};
    answer.verdict.entry.source.partition = 3;
    answer.verdict.entry.seq = 17;
    return answer;
}

static char *table_of(const struct lex_answer *answers, size_t count)
{
    char *page = NULL;
    size_t len;
    struct lex_request rows[2] = {{.request_id = LEX_SPAN("one")},
                                  {.request_id = LEX_SPAN("t\033[2Jwo")}};
    const struct lex_request *requests[] = {&rows[0], &rows[1]};
    FILE *out = open_memstream(&page, &len);
    ck_assert_int_eq(lex_answer_table(requests, answers, count, false, out), LEX_OK);
    ck_assert_int_eq(fclose(out), 0);
    return page;
}

START_TEST(table_is_as_wide_as_its_content)
{
    struct lex_answer answer = proven(LEX_OUTCOME_APPROVED);
    char *page = table_of(&answer, 1);
    ck_assert_str_eq(page, "REQUEST  OUTCOME   REASON CODE  RULES  LEDGER  PROOF\n"
                           "one      approved  PERMITTED    r1 r2  3/17    signature verified\n");
    free(page);
}
END_TEST

START_TEST(what_is_not_proven_is_shown_as_denied)
{
    struct lex_answer answers[2] = {{.kind = LEX_ANSWER_NONE, .why = "late"},
                                    proven(LEX_OUTCOME_APPROVED)};
    answers[1].kind = LEX_ANSWER_REFUSED;
    answers[1].why = "forged";
    char *page = table_of(answers, 2);
    ck_assert(strstr(page, "NO ANSWER, treat as denied: late") != NULL);
    ck_assert(strstr(page, "NOT VERIFIED, treat as denied: forged") != NULL);
    ck_assert(strstr(page, "approved") == NULL);
    ck_assert(strchr(page, '\033') == NULL);
    free(page);
}
END_TEST

START_TEST(json_says_denied_where_nothing_is_proven)
{
    struct lex_request request = {.request_id = LEX_SPAN("one")};
    struct lex_answer answer = {.kind = LEX_ANSWER_NONE, .why = "late", .partition = -1};
    answer.offset = -1;
    lex_answer_json(&request, &answer, &text);
    ck_assert_str_eq(lex_buf_str(&text),
                     "{\"request_id\":\"one\",\"outcome\":\"denied\",\"allowed\":false,"
                     "\"verified\":false,\"answered\":false,\"why\":\"late\",\"partition\":-1,"
                     "\"offset\":-1}\n");
    lex_buf_clear(&text);
    answer = proven(LEX_OUTCOME_ESCALATED);
    lex_answer_json(&request, &answer, &text);
    ck_assert(strstr(lex_buf_str(&text), "\"outcome\":\"escalated\",\"allowed\":false,"
                                         "\"verified\":true") != NULL);
}
END_TEST

LEX_CHECK_MAIN_WITH("request_file", setup, teardown, flags_that_are_not_given_are_no_members,
                    every_flag_becomes_its_member_and_is_read_back,
                    json_in_a_flag_cannot_bring_a_member_of_its_own,
                    bytes_that_are_no_utf8_are_told_and_not_replaced,
                    deadline_is_an_instant_or_counts_from_now,
                    lines_are_requests_and_blank_ones_are_counted,
                    request_without_a_name_gets_one_of_its_own, wrong_line_is_told_with_its_number,
                    one_request_over_the_ceiling_is_too_many, table_is_as_wide_as_its_content,
                    what_is_not_proven_is_shown_as_denied, json_says_denied_where_nothing_is_proven)
