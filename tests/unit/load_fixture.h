/* What the tests of loading share: policies in one line each, and what is wrong with them. */
#ifndef LEX_TESTS_LOAD_FIXTURE_H
#define LEX_TESTS_LOAD_FIXTURE_H

#include <stdio.h>

#include "core/policy/model.h"
#include "tests/unit/lex_check.h"

static struct lex_arena fixture_arena;
static struct lex_error fixture_err;

/* JSON with ' for ", so that a policy stays readable in C. */
static inline struct lex_span quoted(const char *text)
{
    struct lex_span copy = lex_arena_dup(&fixture_arena, lex_span_str(text));
    char *at = (char *)(uintptr_t)copy.data;
    for (size_t i = 0; i < copy.len; i++)
        at[i] = at[i] == '\'' ? '"' : at[i];
    return copy;
}

static inline void fixture_start(void)
{
    lex_arena_fini(&fixture_arena);
    lex_arena_init(&fixture_arena, 64 << 10, 64 << 20);
}

static inline enum lex_status try_load(const char *text, struct lex_policy **ret)
{
    fixture_start();
    fixture_err.text[0] = 0;
    return lex_policy_load(quoted(text), "p.json", ret, &fixture_err);
}

static inline struct lex_policy *load(const char *text)
{
    struct lex_policy *policy = NULL;
    ck_assert_msg(try_load(text, &policy) == LEX_OK, "%s: %s", text, fixture_err.text);
    return policy;
}

/* The error begins with `place` and has `part` in it, and no policy came of the text. */
static inline void refused(const char *text, const char *place, const char *part)
{
    struct lex_policy *policy = NULL;
    enum lex_status status = try_load(text, &policy);
    ck_assert_msg(status == LEX_REJECT || status == LEX_LIMIT, "taken: %s", text);
    ck_assert_ptr_null(policy);
    ck_assert_msg(strncmp(fixture_err.text, place, strlen(place)) == 0, "%s: %s", text,
                  fixture_err.text);
    ck_assert_msg(strstr(fixture_err.text, part) != NULL, "'%s' not in: %s", part,
                  fixture_err.text);
}

/* The first lint of a kind, NULL when there is none. */
static inline const struct lex_policy_lint *lint_of(const struct lex_policy *policy,
                                                    const char *kind)
{
    const struct lex_policy_lint *lints;
    size_t count = lex_policy_lints(policy, &lints);
    for (size_t i = 0; i < count; i++)
        if (strcmp(lints[i].kind, kind) == 0)
            return &lints[i];
    return NULL;
}

static inline bool has_lint(const struct lex_policy *policy, const char *kind)
{
    return lint_of(policy, kind) != NULL;
}

/* "tests/../path": from the place of this file. */
static inline const char *repository_path(const char *path)
{
    static char text[4096];
    const char *here = strstr(__FILE__, "tests/unit/");
    (void)snprintf(text, sizeof text, "%.*s%s", (int)(here - __FILE__), __FILE__, path);
    return text;
}

/* A policy of the reference system, unchanged. */
static inline struct lex_policy *load_compat(const char *name)
{
    char path[256];
    struct lex_policy *policy = NULL;
    fixture_start();
    (void)snprintf(path, sizeof path, "policies/compat/%s_policy.json", name);
    ck_assert_msg(lex_policy_load_path(repository_path(path), &policy, &fixture_err) == LEX_OK,
                  "%s", fixture_err.text);
    return policy;
}

static inline lex_term_id term_of(const struct lex_policy *policy, enum lex_kind kind,
                                  const char *name)
{
    return lex_policy_resolve(policy, kind, lex_span_str(name));
}

/* By id, NULL when no rule has it. */
static inline const struct lex_rule *rule_of(const struct lex_policy *policy, const char *id)
{
    for (size_t i = 0; i < policy->rules_count; i++)
        if (lex_span_eq(policy->rules[i].id, lex_span_str(id)))
            return &policy->rules[i];
    return NULL;
}

static inline bool holds_term(struct lex_terms_above list, lex_term_id term)
{
    for (size_t i = 0; i < list.count; i++)
        if (list.items[i] == term)
            return true;
    return false;
}

#endif
