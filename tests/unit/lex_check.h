/* The frame of a unit test: one suite per file, tests named by the behaviour they pin down.
 *
 *     START_TEST(arena_over_its_ceiling_gives_null) { ... } END_TEST
 *     LEX_CHECK_MAIN("arena", arena_over_its_ceiling_gives_null, ...)
 */
#ifndef LEX_TESTS_CHECK_H
#define LEX_TESTS_CHECK_H

#include <check.h>
#include <stdlib.h>

#include "core/base/span.h"

#define LEX_CHECK_MAIN(name, ...) LEX_CHECK_MAIN_WITH(name, NULL, NULL, __VA_ARGS__)

/* The same with a function that runs before and one that runs after each test. */
#define LEX_CHECK_MAIN_WITH(name, setup, teardown, ...)             \
    int main(void)                                                  \
    {                                                               \
        const TTest *const tests[] = {__VA_ARGS__};                 \
        Suite *suite = suite_create(name);                          \
        TCase *tcase = tcase_create(name);                          \
        tcase_add_checked_fixture(tcase, setup, teardown);          \
        tcase_set_timeout(tcase, 120);                              \
        for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) \
            tcase_add_test(tcase, tests[i]);                        \
        suite_add_tcase(suite, tcase);                              \
        SRunner *runner = srunner_create(suite);                    \
        srunner_run_all(runner, CK_NORMAL);                         \
        int failed = srunner_ntests_failed(runner);                 \
        srunner_free(runner);                                       \
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;           \
    }

#define ck_assert_span_eq(span, literal)                                                \
    do {                                                                                \
        struct lex_span got_ = (span), want_ = lex_span_str(literal);                   \
        ck_assert_msg(lex_span_eq(got_, want_), "expected '%s', got '%.*s'", (literal), \
                      (int)got_.len, (const char *)got_.data);                          \
    } while (0)

#endif
