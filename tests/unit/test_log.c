/* Log: what a stranger's string can do to a line (nothing), and what the limiter lets through. */
#include "tests/unit/lex_check.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "core/base/json.h"
#include "core/base/log.h"

static int ends[2];
static char text[1 << 20];

static void open_log(enum lex_log_level level, enum lex_log_format format)
{
    ck_assert_int_eq(pipe(ends), 0);
    lex_log_init(level, format, ends[1]);
}

/* Everything written since open_log. */
static const char *close_log(void)
{
    close(ends[1]);
    size_t len = 0;
    ssize_t n;
    while ((n = read(ends[0], text + len, sizeof text - 1 - len)) > 0)
        len += (size_t)n;
    text[len] = '\0';
    close(ends[0]);
    return text;
}

static size_t count_lines(const char *from)
{
    size_t lines = 0;
    for (; *from != '\0'; from++)
        lines += *from == '\n';
    return lines;
}

START_TEST(json_line_is_one_object_with_the_promised_members)
{
    open_log(LEX_LOG_INFO, LEX_LOG_JSON);
    LEX_LOG(LEX_LOG_INFO, "lexecon.worker", "Partition recovered", lex_log_i64("partition", 3),
            lex_log_bool("again", true), lex_log_str("topic", "a\"b"), lex_log_str("none", NULL),
            lex_log_raw("decision", LEX_SPAN("{\"allowed\":false}")));
    struct lex_arena arena;
    lex_arena_init(&arena, 4096, 1 << 20);
    const struct lex_json *root;
    struct lex_span line = lex_span_str(close_log());
    ck_assert_int_eq(lex_json_parse(&arena, line, &root, NULL), LEX_OK);
    ck_assert_span_eq(lex_json_get(root, "level")->text, "INFO");
    ck_assert_span_eq(lex_json_get(root, "logger")->text, "lexecon.worker");
    ck_assert_span_eq(lex_json_get(root, "message")->text, "Partition recovered");
    ck_assert_span_eq(lex_json_get(root, "partition")->text, "3");
    ck_assert_span_eq(lex_json_get(root, "topic")->text, "a\"b");
    ck_assert(lex_json_get(root, "again")->boolean);
    ck_assert_int_eq(lex_json_get(root, "none")->type, LEX_JSON_NULL);
    ck_assert_int_eq(lex_json_get(root, "decision")->type, LEX_JSON_OBJECT);
    struct lex_span time = lex_json_get(root, "timestamp")->text;
    ck_assert_uint_eq(time.len, strlen("2026-01-01T00:00:00.000Z"));
    ck_assert_int_eq(time.data[time.len - 1], 'Z');
    lex_arena_fini(&arena);
}
END_TEST

START_TEST(hostile_strings_break_neither_line_nor_terminal)
{
    static const char hostile[] = "a\n{\"level\":\"CRITICAL\"}\r\x1b[2J\x7f\xc2\x9b"
                                  "31m\xe2\x80\xa8\xe2\x80\xa9\xff\xc3";
    for (int format = LEX_LOG_TEXT; format <= LEX_LOG_JSON; format++) {
        open_log(LEX_LOG_INFO, (enum lex_log_format)format);
        LEX_LOG(LEX_LOG_WARNING, "lexecon.test", "Refused",
                lex_log_span("actor", lex_span_of(hostile, sizeof hostile - 1)));
        const char *line = close_log();
        ck_assert_uint_eq(count_lines(line), 1);
        ck_assert_ptr_null(strpbrk(line, "\r\x1b\x7f"));
        ck_assert_ptr_null(strstr(line, "\xc2\x9b"));
        ck_assert_ptr_null(strstr(line, "\xe2\x80\xa8"));
        ck_assert_ptr_null(strstr(line, "\xff"));
        ck_assert_ptr_nonnull(strstr(line, "\\u001b[2J"));
        ck_assert_ptr_nonnull(strstr(line, "\\ufffd"));
    }
}
END_TEST

START_TEST(what_is_below_the_level_is_not_written)
{
    open_log(LEX_LOG_WARNING, LEX_LOG_TEXT);
    LEX_LOG(LEX_LOG_INFO, "lexecon.test", "too low");
    LEX_LOG(LEX_LOG_WARNING, "lexecon.test", "high enough");
    const char *line = close_log();
    ck_assert_ptr_null(strstr(line, "too low"));
    ck_assert_ptr_nonnull(strstr(line, "WARNING  lexecon.test: high enough"));
}
END_TEST

START_TEST(a_site_over_its_limit_is_counted_in_the_next_seconds_line)
{
    open_log(LEX_LOG_INFO, LEX_LOG_JSON);
    struct lex_log_site site = {0};
    const struct lex_log_field none[] = {{0}};
    /* the limit holds within one second, which a slow machine may leave: two seconds' worth at most
     */
    for (int i = 0; i < 10 * LEX_LOG_PER_SECOND; i++)
        lex_log_write(&site, LEX_LOG_INFO, "lexecon.test", "flood", none);
    uint32_t dropped = site.dropped;
    ck_assert_uint_ge(dropped, 8 * LEX_LOG_PER_SECOND);
    site.second -= 1; /* the next second has come */
    lex_log_write(&site, LEX_LOG_INFO, "lexecon.test", "flood", none);
    const char *lines = close_log();
    char want[64];
    snprintf(want, sizeof want, "\"dropped_lines\":%u}", dropped);
    ck_assert_uint_le(count_lines(lines), 2 * LEX_LOG_PER_SECOND + 1);
    ck_assert_ptr_nonnull(strstr(lines, want));
}
END_TEST

START_TEST(other_sites_are_not_silenced_by_a_flood)
{
    open_log(LEX_LOG_INFO, LEX_LOG_JSON);
    for (int i = 0; i < 10 * LEX_LOG_PER_SECOND; i++)
        LEX_LOG(LEX_LOG_INFO, "lexecon.test", "flood");
    LEX_LOG(LEX_LOG_INFO, "lexecon.test", "quiet");
    ck_assert_ptr_nonnull(strstr(close_log(), "quiet"));
}
END_TEST

START_TEST(a_field_that_does_not_fit_is_left_out_whole)
{
    static char huge[20 << 10];
    memset(huge, 'a', sizeof huge - 1);
    open_log(LEX_LOG_INFO, LEX_LOG_JSON);
    LEX_LOG(LEX_LOG_INFO, "lexecon.test", "cut", lex_log_str("huge", huge),
            lex_log_i64("after", 7));
    const char *line = close_log();
    ck_assert_ptr_null(strstr(line, "huge"));
    ck_assert_ptr_nonnull(strstr(line, "\"message\":\"cut\",\"after\":7}\n"));
}
END_TEST

static void *write_lines(void *context)
{
    struct lex_log_site *site = context;
    const struct lex_log_field fields[] = {lex_log_str("x", "aaaaaaaaaaaaaaaaaaaaaaaaa"), {0}};
    for (int i = 0; i < LEX_LOG_PER_SECOND; i++)
        lex_log_write(site, LEX_LOG_INFO, "lexecon.test", "m", fields);
    return NULL;
}

START_TEST(lines_of_several_threads_do_not_mix)
{
    open_log(LEX_LOG_INFO, LEX_LOG_TEXT);
    struct lex_log_site sites[4] = {0};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, write_lines, &sites[i]), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    const char *at = close_log();
    ck_assert_uint_eq(count_lines(at), 4 * LEX_LOG_PER_SECOND);
    while (*at != '\0') {
        const char *end = strchr(at, '\n');
        static const char tail[] = " m x=\"aaaaaaaaaaaaaaaaaaaaaaaaa\"";
        ck_assert_int_eq(end - at, 24 + strlen(" INFO     lexecon.test:") + strlen(tail));
        ck_assert_int_eq(strncmp(end - strlen(tail), tail, strlen(tail)), 0);
        at = end + 1;
    }
}
END_TEST

LEX_CHECK_MAIN("log", json_line_is_one_object_with_the_promised_members,
               hostile_strings_break_neither_line_nor_terminal,
               what_is_below_the_level_is_not_written,
               a_site_over_its_limit_is_counted_in_the_next_seconds_line,
               other_sites_are_not_silenced_by_a_flood, a_field_that_does_not_fit_is_left_out_whole,
               lines_of_several_threads_do_not_mix)
