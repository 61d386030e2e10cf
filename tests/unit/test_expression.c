/* Expressions: what each form compiles to, and where each mistake is found. */
#include "core/base/buf.h"
#include "tests/unit/load_fixture.h"

/* ---- a condition's text in, its postfix form out ---- */

static struct lex_buf expression_text;

static struct lex_span document_of(const char *expression, size_t len)
{
    lex_buf_fini(&expression_text);
    lex_buf_init(&expression_text, 1 << 20);
    lex_buf_puts(&expression_text,
                 "{\"terms\":{\"actors\":[\"a\"],\"actions\":[\"b\"],\"data_classes\":[\"phi\","
                 "{\"id\":\"d2\",\"label\":\"Two words\"}]},\"relations\":[{\"type\":\"permits\","
                 "\"subject\":\"a\",\"action\":\"b\",\"condition\":\n");
    lex_buf_put_json(&expression_text, lex_span_of(expression, len));
    lex_buf_puts(&expression_text, "}]}");
    ck_assert(lex_buf_ok(&expression_text));
    return lex_buf_span(&expression_text);
}

static enum lex_status try_compile(const char *expression, size_t len, struct lex_policy **ret)
{
    fixture_err.text[0] = 0;
    return lex_policy_load(document_of(expression, len), "p.json", ret, &fixture_err);
}

static void put_operand(struct lex_buf *out, const struct lex_policy *policy,
                        const struct lex_operand *operand)
{
    switch (operand->kind) {
    case LEX_OPERAND_FACT: lex_buf_put_span(out, policy->facts[operand->fact].name); break;
    case LEX_OPERAND_BOOL: lex_buf_puts(out, operand->boolean ? "true" : "false"); break;
    case LEX_OPERAND_NUMBER: lex_buf_printf(out, "%.15g", operand->number); break;
    case LEX_OPERAND_STRING: lex_buf_printf(out, "'%.*s'", LEX_SPAN_FMT(operand->text)); break;
    }
}

static enum lex_kind kind_of_set(const struct lex_fact_info *fact)
{
    switch (fact->source) {
    case LEX_FACT_DATA_CLASS: return LEX_KIND_DATA;
    case LEX_FACT_RESOURCE: return LEX_KIND_RESOURCE;
    case LEX_FACT_ACTOR: return LEX_KIND_ACTOR;
    case LEX_FACT_ACTION: return LEX_KIND_ACTION;
    default: ck_abort_msg("not a set"); return LEX_KIND_COUNT;
    }
}

static void put_node(struct lex_buf *out, const struct lex_policy *policy,
                     const struct lex_node *node)
{
    static const char *const ops[] = {"&&", "||", "!",  "",     "==",   "!=",    "<",
                                      "<=", ">",  ">=", " is ", " in ", " has ", " exists"};
    if (node->op <= LEX_OP_NOT) {
        lex_buf_puts(out, ops[node->op]);
        return;
    }
    put_operand(out, policy, &node->a);
    lex_buf_puts(out, ops[node->op]);
    if (node->op == LEX_OP_IS)
        lex_buf_put_span(
            out, lex_policy_term(policy, kind_of_set(&policy->facts[node->a.fact]), node->term)
                     ->canonical);
    else if ((node->op >= LEX_OP_EQ && node->op <= LEX_OP_GE) || node->op == LEX_OP_CONTAINS)
        put_operand(out, policy, &node->b);
    for (size_t i = 0; node->op == LEX_OP_IN && i < node->list.count; i++) {
        lex_buf_puts(out, i == 0 ? "" : "/");
        put_operand(out, policy, &node->list.items[i]);
    }
}

static const char *postfix(const struct lex_policy *policy, const struct lex_condition *condition)
{
    static struct lex_buf out;
    lex_buf_fini(&out);
    lex_buf_init(&out, 1 << 20);
    for (uint32_t i = 0; i < condition->nodes_count; i++) {
        lex_buf_puts(&out, i == 0 ? "" : " ");
        put_node(&out, policy, &condition->nodes[i]);
    }
    return lex_buf_str(&out);
}

static const char *compiled(const char *expression)
{
    static char text[4096];
    struct lex_policy *policy = NULL;
    ck_assert_msg(try_compile(expression, strlen(expression), &policy) == LEX_OK, "%s: %s",
                  expression, fixture_err.text);
    ck_assert_uint_eq(policy->conditions_count, 1);
    ck_assert_span_eq(policy->conditions[0].text, expression);
    (void)snprintf(text, sizeof text, "%s", postfix(policy, &policy->conditions[0]));
    lex_policy_unref(policy);
    return text;
}

/* Refused, in the condition's line, at a character of the expression (from 1). */
static void wrong(const char *expression, size_t character, const char *part)
{
    struct lex_policy *policy = NULL;
    char place[64], at[64];
    ck_assert_msg(try_compile(expression, strlen(expression), &policy) == LEX_REJECT, "taken: %s",
                  expression);
    (void)snprintf(place, sizeof place, "p.json:2:%zu: ", character + 1);
    (void)snprintf(at, sizeof at, "at character %zu of this condition: ", character);
    ck_assert_msg(strncmp(fixture_err.text, place, strlen(place)) == 0, "%s: %s", expression,
                  fixture_err.text);
    ck_assert_msg(strstr(fixture_err.text, at) != NULL, "%s: %s", expression, fixture_err.text);
    ck_assert_msg(strstr(fixture_err.text, part) != NULL, "'%s' not in: %s", part,
                  fixture_err.text);
}

/* ---- what is taken ---- */

START_TEST(operators_bind_as_the_grammar_says)
{
    static const char *const cases[][2] = {
        {"mfa", "mfa"},
        {"  mfa\t", "mfa"},
        {"!mfa", "mfa !"},
        {"!!mfa", "mfa"},
        {"! ! !mfa", "mfa !"},
        {"a && b || c", "a b && c ||"},
        {"a || b && c", "a b c && ||"},
        {"(a || b) && c", "a b || c &&"},
        {"a && b && c", "a b && c &&"},
        {"a || b || c", "a b || c ||"},
        {"!(a || b) && !c", "a b || ! c ! &&"},
        {"((a))", "a"},
        {"a&&b", "a b &&"},
        {"!(a == 1)", "a==1 !"},
        {"a\n&&\r\nb", "a b &&"},
    };
    for (size_t i = 0; i < LEX_COUNT_OF(cases); i++)
        ck_assert_str_eq(compiled(cases[i][0]), cases[i][1]);
}
END_TEST

START_TEST(every_comparison_is_taken_with_the_fact_on_either_side)
{
    static const char *const cases[][2] = {
        {"x == 1", "x==1"},
        {"x != 1", "x!=1"},
        {"x < 1", "x<1"},
        {"x <= 1", "x<=1"},
        {"x > 1", "x>1"},
        {"x >= 1", "x>=1"},
        {"1 <= x", "1<=x"},
        {"x<y", "x<y"},
        {"x == true", "x==true"},
        {"false != x", "false!=x"},
        {"x == 'a b'", "x=='a b'"},
        {"x == \"a'b\"", "x=='a'b'"},
        {"x == ''", "x==''"},
        {"x == 'a\\'b\\\\c\\\"d'", "x=='a'b\\c\"d'"},
        {"x == 'gr\xc3\xbc\xc3\x9f'", "x=='gr\xc3\xbc\xc3\x9f'"},
        {"requests_per_hour > 1000", "requests_per_hour>1000"},
        {"action.purpose == original_consent.purpose", "action.purpose==original_consent.purpose"},
        {"arguments.amount >= 10.5 && token.sub == request.actor",
         "arguments.amount>=10.5 token.sub==request.actor &&"},
        {"_x.y_1.2 == actor_x", "_x.y_1.2==actor_x"},
    };
    for (size_t i = 0; i < LEX_COUNT_OF(cases); i++)
        ck_assert_str_eq(compiled(cases[i][0]), cases[i][1]);
}
END_TEST

START_TEST(numbers_have_units_that_become_seconds)
{
    static const char *const cases[][2] = {
        {"x > 90_days", "x>7776000"}, {"x > 90days", "x>7776000"},
        {"x > 1_day", "x>86400"},     {"x > 2d", "x>172800"},
        {"x > 2_d", "x>172800"},      {"x > 1h", "x>3600"},
        {"x > 3_hours", "x>10800"},   {"x > 1hour", "x>3600"},
        {"x > 5m", "x>300"},          {"x > 5_minutes", "x>300"},
        {"x > 1minute", "x>60"},      {"x > 7s", "x>7"},
        {"x > 7_seconds", "x>7"},     {"x > 1second", "x>1"},
        {"x > 1.5h", "x>5400"},       {"x > -3", "x>-3"},
        {"x > -2.25", "x>-2.25"},     {"x == 0", "x==0"},
        {"-1_m < x", "-60<x"},        {"x == 9007199254740991", "x==9.00719925474099e+15"}};
    for (size_t i = 0; i < LEX_COUNT_OF(cases); i++)
        ck_assert_str_eq(compiled(cases[i][0]), cases[i][1]);
}
END_TEST

START_TEST(sets_are_tested_for_terms_by_name)
{
    static const char *const cases[][2] = {
        {"data_class == phi", "data_class is data:phi"},
        {"data_class != phi", "data_class is data:phi !"},
        {"data_class == 'data:phi'", "data_class is data:phi"},
        {"data_class == \"Two words\"", "data_class is data:d2"},
        {"actor == a && action == b", "actor is actor:a action is action:b &&"},
        {"resource == 'db-1/x'", "resource is resource:db-1/x"},
        {"!(resource == r) || action != new.name",
         "resource is resource:r ! action is action:new.name ! ||"},
    };
    for (size_t i = 0; i < LEX_COUNT_OF(cases); i++)
        ck_assert_str_eq(compiled(cases[i][0]), cases[i][1]);
}
END_TEST

START_TEST(only_a_condition_that_tests_data_class_is_judged_for_each_class)
{
    static const struct {
        const char *text;
        bool reads;
    } cases[] = {{"data_class == phi", true},
                 {"a || !(b && data_class != phi)", true},
                 {"resource == r && actor == a", false},
                 {"request.data_classes == x", false}};
    for (size_t i = 0; i < LEX_COUNT_OF(cases); i++) {
        struct lex_policy *policy = NULL;
        ck_assert_int_eq(try_compile(cases[i].text, strlen(cases[i].text), &policy), LEX_OK);
        ck_assert_msg(policy->conditions[0].reads_class == cases[i].reads, "%s", cases[i].text);
        lex_policy_unref(policy);
    }
}
END_TEST

START_TEST(a_name_that_no_term_has_becomes_one_with_a_lint)
{
    struct lex_policy *policy = NULL;
    ck_assert_int_eq(try_compile("data_class == phl", 17, &policy), LEX_OK);
    ck_assert_uint_lt(term_of(policy, LEX_KIND_DATA, "phl"), policy->terms[LEX_KIND_DATA].count);
    const struct lex_policy_lint *lint = lint_of(policy, "did_you_mean");
    ck_assert_ptr_nonnull(lint);
    ck_assert_uint_eq(lint->line, 2);
    ck_assert_uint_eq(lint->column, 16); /* the name, inside the string */
    lex_policy_unref(policy);
}
END_TEST

START_TEST(a_constant_is_a_condition_with_a_lint)
{
    static const char *const constants[] = {"true", "false", "!true", "((false))"};
    struct lex_policy *policy = NULL;
    ck_assert_str_eq(compiled("!false"), "false !");
    for (size_t i = 0; i < LEX_COUNT_OF(constants); i++) {
        ck_assert_int_eq(try_compile(constants[i], strlen(constants[i]), &policy), LEX_OK);
        ck_assert_msg(has_lint(policy, "constant_condition"), "%s", constants[i]);
        lex_policy_unref(policy);
    }
    ck_assert_int_eq(try_compile("a", 1, &policy), LEX_OK);
    ck_assert(!has_lint(policy, "constant_condition"));
    lex_policy_unref(policy);
}
END_TEST

/* ---- what is refused, and where ---- */

START_TEST(a_mistake_is_found_at_its_character)
{
    wrong("a &&", 5, "expected a path, a number, a string");
    wrong("a & b", 3, "expected &&, not a single &");
    wrong("a | b", 3, "expected ||");
    wrong("x = 1", 3, "expected ==");
    wrong("x === 1", 5, "expected ==");
    wrong("(a", 3, "the ) of the ( at character 1");
    wrong("a)", 2, "closes nothing");
    wrong("()", 2, "expected a path");
    wrong("a b", 3, "expected && or || or the end");
    wrong("a and b", 3, "write &&");
    wrong("a or b", 3, "write ||");
    wrong("x in [1]", 3, "write == with ||");
    wrong("not a", 5, "expected && or ||");
    wrong("a == ", 6, "expected a path");
    wrong("x > 5 kilos", 7, "expected && or ||");
    wrong("x > 5kilos", 6, "unknown unit \"kilos\"");
    wrong("x > 1e3", 6, "unknown unit \"e3\"");
    wrong("x > 007", 5, "no number");
    wrong("x > 5.", 5, "no number");
    wrong("x > .5", 5, "expected a path");
    wrong("x > 1.2.3", 8, "expected");
    wrong("x > +1", 5, "expected a path");
    wrong("x > --1", 5, "expected a path");
    wrong("x - 1 > 0", 3, "expected a path");
    wrong("a..b", 3, "after the dot");
    wrong("a. == 1", 3, "after the dot");
    wrong(".a", 1, "expected a path");
    wrong("x == 'abc", 6, "does not end");
    wrong("x == 'abc\\", 10, "after a backslash");
    wrong("x == 'a\\n'", 8, "after a backslash");
    wrong("x == $1", 6, "expected a path");
    wrong("my-path == 1", 3, "expected a path");
    wrong("data:phi", 5, "stands in quotes");
    wrong("\xc3\xbc == 1", 1, "expected a path");
}
END_TEST

START_TEST(what_could_be_read_in_two_ways_is_refused)
{
    wrong("!a == b", 4, "write !( ... )");
    wrong("a < b < c", 7, "between two values");
    wrong("(a) == b", 5, "between two values");
    wrong("a == (b)", 6, "expected a path");
    wrong("1 == 2", 1, "two constants");
    wrong("'a' == 'a'", 1, "two constants");
    wrong("true == false", 1, "two constants");
    wrong("5", 1, "a number alone");
    wrong("'text'", 1, "a string alone");
    wrong("x > 'abc'", 5, "only numbers");
    wrong("x <= true", 6, "only numbers");
    wrong("'a' < x", 1, "only numbers");
}
END_TEST

START_TEST(a_set_stands_before_equals_and_nowhere_else)
{
    wrong("action", 1, "set of names");
    wrong("data_class && a", 1, "set of names");
    wrong("!resource", 2, "set of names");
    wrong("actor > 1", 1, "set of names");
    wrong("x == data_class", 6, "set of names");
    wrong("phi == data_class", 8, "set of names");
    wrong("data_class == resource", 15, "expected the name of a data_class");
    wrong("data_class == 5", 15, "expected the name of a data_class");
    wrong("action == true", 11, "expected the name of an action");
    struct lex_policy *policy = NULL;
    const char *const names[] = {"data_class == ''", "data_class == '*'",
                                 "data_class == 'actor:a'"};
    for (size_t i = 0; i < LEX_COUNT_OF(names); i++) {
        ck_assert_int_eq(try_compile(names[i], strlen(names[i]), &policy), LEX_REJECT);
        ck_assert_msg(strncmp(fixture_err.text, "p.json:2:16: ", 13) == 0, "%s", fixture_err.text);
    }
}
END_TEST

START_TEST(the_first_word_of_a_path_decides_where_it_leads)
{
    static const struct {
        const char *name;
        enum lex_fact_source source;
        const char *path;
    } cases[] = {
        {"mfa", LEX_FACT_CONTEXT, "mfa"},
        {"a.b.c", LEX_FACT_CONTEXT, "a.b.c"},
        {"actor.x", LEX_FACT_CONTEXT, "actor.x"},
        {"argumentsx", LEX_FACT_CONTEXT, "argumentsx"},
        {"risk_level_x", LEX_FACT_CONTEXT, "risk_level_x"},
        {"arguments.a.b", LEX_FACT_ARGUMENT, "a.b"},
        {"token.sub", LEX_FACT_TOKEN, "sub"},
        {"request.tool", LEX_FACT_REQUEST, "tool"},
        {"request.user_id", LEX_FACT_REQUEST, "user_id"},
        {"risk_level", LEX_FACT_RISK_LEVEL, "risk_level"},
        {"risk_score", LEX_FACT_RISK_SCORE, "risk_score"},
    };
    for (size_t i = 0; i < LEX_COUNT_OF(cases); i++) {
        struct lex_policy *policy = NULL;
        char text[64];
        (void)snprintf(text, sizeof text, "%s == x", cases[i].name);
        ck_assert_int_eq(try_compile(text, strlen(text), &policy), LEX_OK);
        uint32_t fact = lex_policy_fact(policy, lex_span_str(cases[i].name));
        ck_assert_uint_lt(fact, policy->facts_count);
        ck_assert_int_eq(policy->facts[fact].source, cases[i].source);
        ck_assert_span_eq(policy->facts[fact].path, cases[i].path);
        lex_policy_unref(policy);
    }
}
END_TEST

static void wrong_path(const char *expression, const char *part)
{
    struct lex_policy *policy = NULL;
    ck_assert_int_eq(try_compile(expression, strlen(expression), &policy), LEX_REJECT);
    ck_assert_msg(strncmp(fixture_err.text, "p.json:2:2: ", 12) == 0, "%s", fixture_err.text);
    ck_assert_msg(strstr(fixture_err.text, part) != NULL, "%s", fixture_err.text);
}

START_TEST(a_path_that_leads_nowhere_is_refused)
{
    wrong_path("arguments", "alone has no value");
    wrong_path("token == 1", "alone has no value");
    wrong_path("request", "alone has no value");
    wrong_path("request.tol == 'x'", "did you mean \"tool\"?");
    wrong_path("request.colour == 'x'", "no field \"colour\"");
    wrong_path("request.tool.name == 'x'", "no field \"tool.name\"");
}
END_TEST

START_TEST(characters_are_counted_in_the_text_and_bytes_in_the_file)
{
    static const char text[] = "x == '\xc3\xbc\xe2\x82\xac' && &";
    struct lex_policy *policy = NULL;
    ck_assert_int_eq(try_compile(text, sizeof text - 1, &policy), LEX_REJECT);
    ck_assert_msg(strstr(fixture_err.text, "p.json:2:18: at character 14 of") != NULL, "%s",
                  fixture_err.text);
}
END_TEST

START_TEST(the_place_is_right_behind_escapes_of_json)
{
    struct lex_policy *policy = NULL;
    /* the expression is:  x == "é" && &  with the quotes and the letter escaped */
    static const char text[] =
        "{\"constraints\":[{\"name\":\"n\",\"action\":\"deny\",\"condition\":\n"
        "\"x == \\\"\\u00e9\\\" && &\"}]}";
    fixture_start();
    ck_assert_int_eq(lex_policy_load(lex_span_str(text), "p.json", &policy, &fixture_err),
                     LEX_REJECT);
    ck_assert_msg(strstr(fixture_err.text, "p.json:2:21: at character 13 of") != NULL, "%s",
                  fixture_err.text);
    static const char wide[] =
        "{\"constraints\":[{\"name\":\"n\",\"action\":\"deny\",\"condition\":\n"
        "\"x == '\\ud83d\\ude00\\n\\u20ac' && &\"}]}";
    ck_assert_int_eq(lex_policy_load(lex_span_str(wide), "p.json", &policy, &fixture_err),
                     LEX_REJECT);
    ck_assert_msg(strstr(fixture_err.text, "p.json:2:33: at character 15 of") != NULL, "%s",
                  fixture_err.text);
}
END_TEST

START_TEST(a_condition_named_by_a_requires_has_its_place_too)
{
    refused("{'relations':[{'type':'requires','source':'action:b',\n'target':'condition:a &'}]}",
            "p.json:2:23: ", "at character 3 of");
}
END_TEST

/* ---- ceilings ---- */

static void ceiling(const char *what, const char *text, size_t len, enum lex_status wanted)
{
    struct lex_policy *policy = NULL;
    enum lex_status status = try_compile(text, len, &policy);
    ck_assert_msg(status == wanted, "%s: %s", what, fixture_err.text);
    lex_policy_unref(policy);
}

START_TEST(one_byte_over_the_longest_text_is_refused)
{
    static char text[LEX_EXPRESSION_MAX_BYTES + 1];
    memset(text, ' ', sizeof text);
    text[0] = 'a';
    ceiling("65536 bytes", text, LEX_EXPRESSION_MAX_BYTES, LEX_OK);
    ceiling("65537 bytes", text, LEX_EXPRESSION_MAX_BYTES + 1, LEX_LIMIT);
    ck_assert_ptr_nonnull(strstr(fixture_err.text, "65536 bytes at most"));
}
END_TEST

START_TEST(one_parenthesis_over_the_deepest_nesting_is_refused)
{
    char text[512];
    for (int depth = LEX_EXPRESSION_STACK_MAX; depth <= LEX_EXPRESSION_STACK_MAX + 1; depth++) {
        memset(text, '(', (size_t)depth);
        text[depth] = 'a';
        memset(text + depth + 1, ')', (size_t)depth);
        ceiling("parentheses", text, (size_t)(2 * depth + 1),
                depth == LEX_EXPRESSION_STACK_MAX ? LEX_OK : LEX_REJECT);
    }
    ck_assert_ptr_nonnull(strstr(fixture_err.text, "nested 64 deep"));
}
END_TEST

/* a||(a||(...(a||a))) holds all its operands open. */
START_TEST(one_operand_over_the_stack_is_refused)
{
    char text[1024];
    for (int operands = LEX_EXPRESSION_STACK_MAX; operands <= LEX_EXPRESSION_STACK_MAX + 1;
         operands++) {
        size_t n = 0;
        for (int i = 0; i < operands - 1; i++)
            n += (size_t)snprintf(text + n, sizeof text - n, "a||(");
        n += (size_t)snprintf(text + n, sizeof text - n, "a");
        memset(text + n, ')', (size_t)operands - 1);
        ceiling("operands", text, n + (size_t)operands - 1,
                operands == LEX_EXPRESSION_STACK_MAX ? LEX_OK : LEX_REJECT);
    }
}
END_TEST

START_TEST(one_part_over_the_longest_expression_is_refused)
{
    static char text[8 * LEX_EXPRESSION_NODES_MAX];
    size_t n = (size_t)snprintf(text, sizeof text, "!a"); /* two nodes; each "&&a" is two more */
    for (int i = 0; i < LEX_EXPRESSION_NODES_MAX / 2 - 1; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "&&a");
    ceiling("4096 nodes", text, n, LEX_OK);
    n += (size_t)snprintf(text + n, sizeof text - n, "&&a");
    ceiling("4098 nodes", text, n, LEX_REJECT);
    ck_assert_ptr_nonnull(strstr(fixture_err.text, "4096 parts"));
}
END_TEST

START_TEST(many_nots_need_no_stack)
{
    static char text[LEX_EXPRESSION_MAX_BYTES];
    memset(text, '!', sizeof text);
    text[sizeof text - 1] = 'a';
    ceiling("nots", text, sizeof text, LEX_OK);
}
END_TEST

START_TEST(a_whole_number_that_no_double_holds_is_refused)
{
    ck_assert_str_eq(compiled("x == -9007199254740991"), "x==-9.00719925474099e+15");
    wrong("x == 9007199254740992", 6, "to be exact");
    wrong("x == 9007199254740991_days", 6, "to be exact");
}
END_TEST

/* ---- context_check and data_class: leaves of the same kind ---- */

static const char *leaf(const char *condition)
{
    static char text[512];
    char document[1024];
    (void)snprintf(document, sizeof document,
                   "{'relations':[{'type':'permits','subject':'a','action':'b','condition':%s}]}",
                   condition);
    struct lex_policy *policy = load(document);
    (void)snprintf(text, sizeof text, "%s", postfix(policy, &policy->conditions[0]));
    lex_policy_unref(policy);
    return text;
}

START_TEST(structured_checks_are_expressions_of_one_leaf)
{
    static const char *const cases[][2] = {
        {"{'type':'context_check','field':'x','operator':'equals','value':1}", "x==1"},
        {"{'type':'context_check','field':'x','operator':'equals','value':true}", "x==true"},
        {"{'type':'context_check','field':'x','operator':'not_equals','value':'y'}", "x!='y'"},
        {"{'type':'context_check','field':'x','operator':'gt','value':1.5}", "x>1.5"},
        {"{'type':'context_check','field':'x','operator':'gte','value':1}", "x>=1"},
        {"{'type':'context_check','field':'x','operator':'lt','value':-1}", "x<-1"},
        {"{'type':'context_check','field':'x','operator':'lte','value':1e3}", "x<=1000"},
        {"{'type':'context_check','field':'x','operator':'in','value':[1,'a',true]}",
         "x in 1/'a'/true"},
        {"{'type':'context_check','field':'x','operator':'not_in','value':['a']}", "x in 'a' !"},
        {"{'type':'context_check','field':'x','operator':'contains','value':'a'}", "x has 'a'"},
        {"{'type':'context_check','field':'arguments.to','operator':'exists'}",
         "arguments.to exists"},
        {"{'type':'context_check','field':'x','operator':'exists','value':true}", "x exists"},
        {"{'type':'context_check','field':'a flat key!','operator':'equals','value':1}",
         "a flat key!==1"},
        {"{'type':'context_check','field':'risk_level','operator':'gte','value':4}",
         "risk_level>=4"},
        {"{'type':'context_check','field':'request.tool','operator':'equals','value':'x'}",
         "request.tool=='x'"},
        {"{'type':'data_class','value':'phi'}", "data_class is data:phi"},
    };
    for (size_t i = 0; i < LEX_COUNT_OF(cases); i++)
        ck_assert_str_eq(leaf(cases[i][0]), cases[i][1]);
}
END_TEST

LEX_CHECK_MAIN(
    "expression", operators_bind_as_the_grammar_says,
    every_comparison_is_taken_with_the_fact_on_either_side, numbers_have_units_that_become_seconds,
    sets_are_tested_for_terms_by_name,
    only_a_condition_that_tests_data_class_is_judged_for_each_class,
    a_name_that_no_term_has_becomes_one_with_a_lint, a_constant_is_a_condition_with_a_lint,
    a_mistake_is_found_at_its_character, what_could_be_read_in_two_ways_is_refused,
    a_set_stands_before_equals_and_nowhere_else, the_first_word_of_a_path_decides_where_it_leads,
    a_path_that_leads_nowhere_is_refused, characters_are_counted_in_the_text_and_bytes_in_the_file,
    the_place_is_right_behind_escapes_of_json, a_condition_named_by_a_requires_has_its_place_too,
    one_byte_over_the_longest_text_is_refused, one_parenthesis_over_the_deepest_nesting_is_refused,
    one_operand_over_the_stack_is_refused, one_part_over_the_longest_expression_is_refused,
    many_nots_need_no_stack, a_whole_number_that_no_double_holds_is_refused,
    structured_checks_are_expressions_of_one_leaf)
