/* Hashes: the same for the same meaning, another for any change; the reference system's beside. */
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/policy/load.h"
#include "tests/unit/load_fixture.h"

static bool same_hash(const char *a, const char *b)
{
    struct lex_policy *x = load(a);
    struct lex_policy_info info = *lex_policy_info(x);
    struct lex_policy *y = load(b);
    bool same = memcmp(info.hash, lex_policy_info(y)->hash, 32) == 0;
    lex_policy_unref(x);
    lex_policy_unref(y);
    return same;
}

START_TEST(order_of_sets_and_members_and_layout_do_not_change_the_hash)
{
    ck_assert(same_hash(
        "{'name':'n','terms':[{'id':'a','type':'actor'},{'id':'b','type':'action'}],"
        "'relations':[{'type':'permits','subject':'a','action':'b','object':['d','e'],"
        "'conditions':['x',{'type':'time_window','start':'09:00','end':'17:00',"
        "'days':['monday','friday']}]},{'type':'forbids','action':'b','metadata':{'object':['f','g'"
        "]}}],"
        "'constraints':[{'name':'c1','condition':['p','q'],'action':'deny'},"
        "{'name':'c2','condition':'p','action':'deny'}],'options':{'open_world':['actor','action']}"
        "}",
        "{\n'options':{'open_world':['action','actor']},'constraints':[{'name':'c2','condition':'p'"
        ","
        "'action':'deny'},{'condition':['q','p'],'name':'c1','action':'deny'}],"
        "'relations':[{'type':'forbids','action':'b','metadata':{'object':['g','f']}},"
        "{'action':'b','type':'permits','subject':'a','object':['e','d'],'conditions':["
        "{'days':['friday','monday'],'type':'time_window','start':'09:00','end':'17:00'},'x']}],"
        "'terms':[{'type':'action','id':'b'},{'id':'a','type':'actor'}],'name':'n'}"));
    ck_assert(same_hash("{'terms':{'actors':['a','b']},'relations':{'forbids':[{'subject':'a'},"
                        "{'subject':'b'}]}}",
                        "{'terms':{'actors':['b','a']},'relations':{'forbids':[{'subject':'b'},"
                        "{'subject':'a'}]}}"));
}
END_TEST

START_TEST(every_part_of_the_document_changes_the_hash)
{
    static const char *const base = "{'name':'n','constraints':[{'name':'c','condition':'x',"
                                    "'action':'deny'}],'metadata':{'a':[1,2]}}";
    static const char *const changed[] = {
        "{'name':'m','constraints':[{'name':'c','condition':'x','action':'deny'}],"
        "'metadata':{'a':[1,2]}}",
        "{'name':'n','constraints':[{'name':'c','condition':'y','action':'deny'}],"
        "'metadata':{'a':[1,2]}}",
        "{'name':'n','constraints':[],'metadata':{'a':[1,2]}}",
        "{'name':'n','constraints':[{'name':'c','condition':'x','action':'deny'}],"
        "'metadata':{'a':[2,1]}}",
        "{'name':'n','constraints':[{'name':'c','condition':'x','action':'deny'}],"
        "'metadata':{'a':[1,2]},'x':null}",
        "{'name':'n','mode':'strict','constraints':[{'name':'c','condition':'x','action':'deny'}],"
        "'metadata':{'a':[1,2]}}"};
    for (size_t i = 0; i < LEX_COUNT_OF(changed); i++)
        ck_assert_msg(!same_hash(base, changed[i]), "%s", changed[i]);
}
END_TEST

static const char *form(void (*put)(const struct lex_json *, struct lex_buf *), const char *text)
{
    static struct lex_buf buf;
    const struct lex_json *root;
    fixture_start();
    ck_assert_msg(lex_json_parse(&fixture_arena, quoted(text), &root, &fixture_err) == LEX_OK, "%s",
                  fixture_err.text);
    lex_buf_fini(&buf);
    lex_buf_init(&buf, 1 << 20);
    put(root, &buf);
    ck_assert(lex_buf_ok(&buf));
    return lex_buf_str(&buf);
}

START_TEST(the_hashed_form_is_canonical_json_with_sorted_sets)
{
    ck_assert_str_eq(form(lex_policy_canonical,
                          "{'relations':[{'type':'forbids','object':['b','a']}],'list':[2,1],"
                          "'name':'x','terms':[]}"),
                     "{\"list\":[2,1],\"name\":\"x\",\"relations\":[{\"object\":[\"a\",\"b\"],"
                     "\"type\":\"forbids\"}],\"terms\":[]}");
}
END_TEST

START_TEST(the_legacy_form_is_what_the_reference_system_hashes)
{
    /* json.dumps(..., sort_keys=True, separators=(",", ":")) of Python 3.11 */
    ck_assert_str_eq(
        form(lex_policy_legacy_canonical,
             "{'name':'left "
             "out','relations':[{'b':[3,1,2],'a':'\\u00fc\\ud83d\\ude00\\u007f/\\n\\u0001'}],"
             "'terms':[1.0,100.0,1e15,1e16,1.5e300,0.0001,0.00001,-0.0,-0,123456789.125,true,null,"
             "12345678901234567890]}"),
        "{\"mode\":\"strict\",\"relations\":[{\"a\":\"\\u00fc\\ud83d\\ude00\\u007f/\\n\\u0001\","
        "\"b\":[3,1,2]}],\"terms\":[1.0,100.0,1000000000000000.0,1e+16,1.5e+300,0.0001,1e-05,-0.0,"
        "0,"
        "123456789.125,true,null,12345678901234567890]}");
}
END_TEST

START_TEST(the_example_policy_has_its_known_hashes)
{
    struct lex_policy *policy = load_compat("example");
    struct lex_buf text;
    lex_buf_init(&text, 65);
    lex_buf_put_hex(&text, lex_policy_info(policy)->hash, 32);
    ck_assert_str_eq(lex_buf_str(&text),
                     "ec2c680136f501d953c218f3e0c959d39201b02a16849646636a4352ec2e12d6");
    lex_buf_clear(&text);
    lex_buf_put_hex(&text, lex_policy_info(policy)->legacy_hash, 32);
    ck_assert_str_eq(lex_buf_str(&text),
                     "5a0fdb65360b80a71fcbe8de74eb588ca0e86a0c32ea76a06ed5d80e2fafe072");
    lex_buf_fini(&text);
    lex_policy_unref(policy);
}
END_TEST

/* A policy of many relations that begin alike, in an order that `step` turns about. */
static const char *many_relations(char *text, size_t cap, unsigned count, unsigned step)
{
    size_t n = (size_t)snprintf(text, cap, "{\"relations\":[");
    for (unsigned i = 0; i < count; i++) {
        unsigned k = i * step % count;
        n += (size_t)snprintf(text + n, cap - n,
                              "%s{\"type\":\"forbids\",\"object\":\"a-common-beginning-%u%s\","
                              "\"reason\":\"%.*s\"}",
                              i == 0 ? "" : ",", k / 2, k % 5 == 0 ? "-\xf0\x9f\x98\x80" : "",
                              (int)(k % 9), "12345678");
    }
    (void)snprintf(text + n, cap - n, "]}");
    return text;
}

START_TEST(a_large_set_is_sorted_by_the_bytes_of_its_members)
{
    enum { COUNT = 211, CAP = 64 << 10 }; /* a prime: every step goes through all of them */
    char *text = malloc(CAP), *first = malloc(CAP);
    const struct lex_json *root, *previous = NULL;
    static const unsigned steps[] = {1, 2, 17, 210};
    for (size_t i = 0; i < LEX_COUNT_OF(steps); i++) {
        const char *canonical =
            form(lex_policy_canonical, many_relations(text, CAP, COUNT, steps[i]));
        if (i == 0)
            (void)snprintf(first, CAP, "%s", canonical);
        ck_assert_str_eq(canonical, first);
    }
    fixture_start();
    ck_assert_int_eq(lex_json_parse(&fixture_arena, lex_span_str(first), &root, NULL), LEX_OK);
    ck_assert_uint_eq(root->child->count, COUNT);
    for (const struct lex_json *node = root->child->child; node != NULL; node = node->next) {
        ck_assert(previous == NULL || lex_span_cmp(previous->text, node->text) <= 0);
        previous = node;
    }
    free(text);
    free(first);
}
END_TEST

START_TEST(an_object_of_many_members_is_sorted_by_code_units_or_code_points)
{
    char text[2048], sorted[2][2048];
    /* U+1F600 stands before U+FF5E in UTF-16, and behind it in code points */
    static const char *const last[2][2] = {{"\xf0\x9f\x98\x80", "\xef\xbd\x9e"},
                                           {"\\uff5e", "\\ud83d\\ude00"}};
    size_t n = (size_t)snprintf(text, sizeof text, "{\"mode\":{\"\xef\xbd\x9e\":1,");
    for (unsigned i = 0; i < 40; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "\"k%02u\":%u,", 39 - i, i);
    (void)snprintf(text + n, sizeof text - n, "\"\xf0\x9f\x98\x80\":1}}");
    for (size_t f = 0; f < 2; f++) {
        n = (size_t)snprintf(sorted[f], sizeof sorted[f], "{\"mode\":{");
        for (unsigned i = 0; i < 40; i++)
            n += (size_t)snprintf(sorted[f] + n, sizeof sorted[f] - n, "\"k%02u\":%u,", i, 39 - i);
        (void)snprintf(sorted[f] + n, sizeof sorted[f] - n, "\"%s\":1,\"%s\":1}%s", last[f][0],
                       last[f][1], f == 0 ? "}" : ",\"relations\":[],\"terms\":[]}");
    }
    ck_assert_str_eq(form(lex_policy_canonical, text), sorted[0]);
    ck_assert_str_eq(form(lex_policy_legacy_canonical, text), sorted[1]);
}
END_TEST

START_TEST(strings_are_the_same_however_they_were_escaped)
{
    ck_assert(same_hash("{'name':'a\\u0062c','x':['\\/','\\t','\\u00e9']}",
                        "{'name':'abc','x':['/','\\u0009','\xc3\xa9']}"));
    ck_assert_str_eq(form(lex_policy_canonical, "{'x':['\\u0041\\u000a','',-0,1.50,1e2,12]}"),
                     "{\"x\":[\"A\\n\",\"\",0,1.5,100,12]}");
}
END_TEST

LEX_CHECK_MAIN("policy_hash", a_large_set_is_sorted_by_the_bytes_of_its_members,
               an_object_of_many_members_is_sorted_by_code_units_or_code_points,
               strings_are_the_same_however_they_were_escaped,
               order_of_sets_and_members_and_layout_do_not_change_the_hash,
               every_part_of_the_document_changes_the_hash,
               the_hashed_form_is_canonical_json_with_sorted_sets,
               the_legacy_form_is_what_the_reference_system_hashes,
               the_example_policy_has_its_known_hashes)
