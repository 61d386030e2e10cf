/* Several documents as one policy: what unites, what must agree, and what only watches. */
#include <sys/stat.h>
#include <unistd.h>

#include "core/crypto/crypto.h"
#include "tests/unit/load_fixture.h"

enum { MANY = 4 };

/* Documents with ' for ", named 0.json, 1.json, ... */
static enum lex_status try_documents(const char *const *texts, size_t count,
                                     struct lex_policy **ret_policy)
{
    static const char *const names[] = {"0.json", "1.json", "2.json", "3.json"};
    struct lex_policy_document documents[MANY];
    fixture_start();
    fixture_err.text[0] = 0;
    for (size_t i = 0; i < count; i++)
        documents[i] = (struct lex_policy_document){.source = names[i], .text = quoted(texts[i])};
    return lex_policy_load_documents(documents, count, ret_policy, &fixture_err);
}

static struct lex_policy *documents_of(const char *const *texts, size_t count)
{
    struct lex_policy *policy = NULL;
    ck_assert_msg(try_documents(texts, count, &policy) == LEX_OK, "%s", fixture_err.text);
    return policy;
}

static void pair_refused(const char *a, const char *b, const char *place, const char *part)
{
    const char *const texts[] = {a, b};
    struct lex_policy *policy = NULL;
    ck_assert_msg(try_documents(texts, 2, &policy) == LEX_REJECT, "taken: %s %s", a, b);
    ck_assert_ptr_null(policy);
    ck_assert_msg(strncmp(fixture_err.text, place, strlen(place)) == 0, "%s", fixture_err.text);
    ck_assert_msg(strstr(fixture_err.text, part) != NULL, "%s", fixture_err.text);
}

static const char base[] =
    "{'policy_id':'base','version':'2','mode':'permissive','terms':{'actors':[{'id':'a','label':"
    "'Ann'}],"
    "'actions':['x']},'relations':[{'type':'permits','subject':'Ann','action':'x'}],"
    "'constraints':[{'name':'c','condition':'mfa','action':'deny'}],"
    "'effective_from':'2026-01-01T00:00:00Z'}";
static const char team[] =
    "{'policy_id':'team','version':'2','mode':'strict','terms':{'actors':[{'id':'a','label':'Ann',"
    "'member_of':'staff'},'staff']},"
    "'relations':[{'id':'no','type':'forbids','subject':'staff','condition':'mfa'},"
    "{'type':'permits','subject':'a','action':'axn_x'}],"
    "'effective_from':'2025-01-01T00:00:00Z','effective_until':'2027-01-01T00:00:00Z'}";

START_TEST(terms_and_rules_unite_and_ids_say_whose_they_are)
{
    const char *const texts[] = {team, base};
    struct lex_policy *policy = documents_of(texts, 2);
    ck_assert_span_eq(policy->info.id, "base+team");
    ck_assert_span_eq(policy->info.version, "2");
    ck_assert_uint_eq(policy->info.documents_count, 2);
    ck_assert_uint_eq(policy->info.shadows_count, 0);
    ck_assert_uint_eq(policy->info.terms, 3);
    ck_assert_uint_eq(policy->info.relations, 3);
    const struct lex_rule *permit = rule_of(policy, "base/permits:0"),
                          *forbid = rule_of(policy, "team/no"),
                          *other = rule_of(policy, "team/permits:1");
    ck_assert_ptr_nonnull(permit);
    ck_assert_ptr_nonnull(forbid);
    ck_assert_ptr_nonnull(other);
    ck_assert_uint_eq(permit->actor, other->actor);
    ck_assert_uint_eq(permit->action, other->action);
    ck_assert(lex_policy_is_a(policy, LEX_KIND_ACTOR, permit->actor, forbid->actor));
    ck_assert_uint_lt(permit->order, forbid->order);
    ck_assert_span_eq(policy->documents[permit->document].id, "base");
    ck_assert_span_eq(policy->documents[forbid->document].id, "team");
    ck_assert_span_eq(policy->constraints[0].id, "base/constraint:c");
    ck_assert_span_eq(policy->constraints[0].name, "c");
    ck_assert_uint_eq(policy->constraints[0].conditions[0], lex_rule_conditions(forbid)[0]);
    lex_policy_unref(policy);
}
END_TEST

START_TEST(an_obligation_is_discharged_by_its_own_documents_fact)
{
#define OBLIGE(id) \
    "{'policy_id':'" id "','constraints':[{'name':'c','condition':'x','action':'redact_it'}]}"
    const char *const texts[] = {OBLIGE("a"), OBLIGE("b")};
    struct lex_policy *policy = documents_of(texts, 2);
    ck_assert_span_eq(policy->facts[policy->constraints[0].done].name, "done.a/c");
    ck_assert_span_eq(policy->facts[policy->constraints[1].done].name, "done.b/c");
    lex_policy_unref(policy);
    policy = documents_of(texts, 1);
    ck_assert_span_eq(policy->facts[policy->constraints[0].done].name, "done.c");
    lex_policy_unref(policy);
}
END_TEST

START_TEST(the_strictest_mode_and_the_common_dates_hold)
{
    const char *const texts[] = {base, team};
    struct lex_policy *policy = documents_of(texts, 2);
    ck_assert_int_eq(policy->info.mode, LEX_MODE_STRICT);
    ck_assert_int_eq(policy->info.effective_from_us, 1767225600000000);  /* of base */
    ck_assert_int_eq(policy->info.effective_until_us, 1798761600000000); /* of team */
    lex_policy_unref(policy);
    /* a document that names no mode is strict */
    const char *const silent[] = {"{'policy_id':'a','mode':'permissive'}", "{'policy_id':'b'}"};
    policy = documents_of(silent, 2);
    ck_assert_int_eq(policy->info.mode, LEX_MODE_STRICT);
    lex_policy_unref(policy);
    const char *const paranoid[] = {"{'policy_id':'a','mode':'permissive'}",
                                    "{'policy_id':'b','mode':'paranoid'}"};
    policy = documents_of(paranoid, 2);
    ck_assert_int_eq(policy->info.mode, LEX_MODE_PARANOID);
    lex_policy_unref(policy);
    pair_refused("{'policy_id':'a','effective_until':'2026-01-01T00:00:00Z'}",
                 "{'policy_id':'b','effective_from':'2026-01-01T00:00:00Z'}",
                 "1.json:1:1: ", "never in effect together");
}
END_TEST

START_TEST(the_order_of_documents_changes_nothing)
{
    static const char third[] = "{'policy_id':'other','version':'3'}";
    static const size_t orders[][3] = {{0, 1, 2}, {2, 1, 0}, {1, 2, 0}, {2, 0, 1}};
    const char *const texts[] = {base, team, third};
    struct lex_policy_info first;
    struct lex_span document = {NULL, 0};
    for (size_t i = 0; i < LEX_COUNT_OF(orders); i++) {
        const char *const given[] = {texts[orders[i][0]], texts[orders[i][1]], texts[orders[i][2]]};
        struct lex_policy *policy = documents_of(given, 3);
        ck_assert_span_eq(policy->info.id, "base+other+team");
        ck_assert(lex_span_absent(policy->info.version));
        if (i == 0) {
            first = policy->info;
            document.data = malloc(first.document.len);
            document.len = first.document.len;
            memcpy((void *)(uintptr_t)document.data, first.document.data, document.len);
        }
        ck_assert_mem_eq(policy->info.hash, first.hash, 32);
        ck_assert_mem_eq(policy->info.legacy_hash, first.legacy_hash, 32);
        ck_assert_mem_eq(policy->info.history_hash, first.history_hash, 32);
        ck_assert(lex_span_eq(policy->info.document, document));
        ck_assert_span_eq(policy->rules[0].id, "base/permits:0");
        lex_policy_unref(policy);
    }
    free((void *)(uintptr_t)document.data);
}
END_TEST

static void hash_of(const char *text, uint8_t ret[2][32])
{
    struct lex_policy *policy = load(text);
    memcpy(ret[0], policy->info.hash, 32);
    memcpy(ret[1], policy->info.legacy_hash, 32);
    lex_policy_unref(policy);
}

START_TEST(the_hash_of_several_is_that_of_their_sorted_hashes)
{
    const char *const texts[] = {base, team};
    uint8_t one[2][32], two[2][32];
    hash_of(base, one);
    hash_of(team, two);
    struct lex_policy *policy = documents_of(texts, 2);
    const uint8_t *const got[] = {policy->info.hash, policy->info.legacy_hash};
    for (size_t i = 0; i < 2; i++) {
        bool turned = memcmp(one[i], two[i], 32) > 0;
        struct lex_span parts[] = {lex_span_of(turned ? two[i] : one[i], 32),
                                   lex_span_of(turned ? one[i] : two[i], 32)};
        struct lex_hash hash;
        lex_sha256(parts, 2, &hash);
        ck_assert_mem_eq(got[i], hash.bytes, 32);
    }
    ck_assert_mem_eq(policy->documents[0].hash, one[0], 32);
    ck_assert_mem_eq(policy->documents[1].legacy_hash, two[1], 32);
    lex_policy_unref(policy);
}
END_TEST

START_TEST(one_document_is_itself)
{
    const char *const texts[] = {base};
    uint8_t hashes[2][32];
    hash_of(base, hashes);
    struct lex_policy *policy = documents_of(texts, 1);
    ck_assert_span_eq(policy->info.id, "base");
    ck_assert_mem_eq(policy->info.hash, hashes[0], 32);
    ck_assert_ptr_nonnull(rule_of(policy, "permits:0"));
    ck_assert_span_eq(policy->constraints[0].id, "constraint:c");
    ck_assert(lex_span_eq(policy->info.document, quoted(base)));
    lex_policy_unref(policy);
}
END_TEST

START_TEST(the_text_of_several_loads_as_the_same_policy)
{
    const char *const texts[] = {base, team};
    struct lex_policy *policy = documents_of(texts, 2), *again = NULL;
    ck_assert_int_eq(lex_policy_load(policy->info.document, "archive", &again, &fixture_err),
                     LEX_OK);
    ck_assert_mem_eq(policy->info.hash, again->info.hash, 32);
    ck_assert_span_eq(again->info.id, "base+team");
    ck_assert_uint_eq(again->info.relations, policy->info.relations);
    ck_assert(lex_span_eq(again->info.document, policy->info.document));
    size_t count;
    const struct lex_policy_document *documents = lex_policy_documents(again, &count);
    ck_assert_uint_eq(count, 2);
    ck_assert_ptr_nonnull(strstr(documents[0].source, "archive["));
    lex_policy_unref(policy);
    lex_policy_unref(again);
    refused("[]", "p.json:1:1: ", "must be an object");
    refused("[{'policy_id':'a'},\n 5]", "p.json:2:2: ", "must be an object");
    refused(" [{'policy_id':'a'},{'policy_id':'b','mode':'strikt'}]",
            "p.json[1]:1:25: ", "did you mean");
    refused("[{}", "p.json", "");
}
END_TEST

START_TEST(documents_that_do_not_agree_are_refused_with_the_right_file)
{
    pair_refused("{'policy_id':'a'}", "{'policy_id':'a'}", "1.json: ", "of 0.json");
    pair_refused("{'policy_id':'a','terms':{'actors':[{'id':'x','label':'L'}]}}",
                 "{'policy_id':'b',\n'terms':{'actors':[{'id':'x','label':'M'}]}}",
                 "1.json:2:26: ", "another id or label in 0.json");
    pair_refused("{'policy_id':'a','terms':{'actors':[{'id':'x','label':'L'}]}}",
                 "{'policy_id':'b','terms':{'actors':['x']}}",
                 "1.json:1:37: ", "another id or label");
    pair_refused("{'policy_id':'a','terms':{'actors':['x']}}",
                 "{'policy_id':'b','terms':{'actors':['actor:x']}}", "1.json:1:37: ", "another id");
    pair_refused("{'policy_id':'a','terms':{'actors':['x']}}",
                 "{'policy_id':'b','terms':{'actors':['y','y']}}",
                 "1.json:1:41: ", "declared twice, first at line 1 column 37");
    pair_refused("{'policy_id':'a','options':{'open_world':['actor']}}", "{'policy_id':'b'}",
                 "1.json:1:1: ", "equal options");
    pair_refused("{'policy_id':'a'}", "{'policy_id':'b','options':{'open_world':['actor']}}",
                 "1.json:1:28: ", "not those of 0.json");
    pair_refused("{'policy_id':'a'}", "{'policy_id':'b','mode':'strikt'}",
                 "1.json:1:25: ", "strict");
    pair_refused("{'policy_id':'a'}", "{'policy_id':'b'", "1.json:1:17: ", "");
    pair_refused("{'policy_id':'b','relations':[{'type':'implies','source':'actor:y','target':"
                 "'actor:x'}]}",
                 "{'policy_id':'c','relations':[\n{'type':'implies','source':'actor:x','target':"
                 "'actor:y'}]}",
                 "1.json:2:1: ", "cycle");
    pair_refused(
        "{'policy_id':'a','relations':[{'type':'conflicts','source':'actor:y','target':"
        "'actor:x'}]}",
        "{'policy_id':'b','terms':{'actors':[{'id':'z','member_of':['actor:x','actor:y']}]}}",
        "0.json:1:31: ", "both sides");
}
END_TEST

START_TEST(equal_options_are_taken_whatever_their_order)
{
    const char *const texts[] = {
        "{'policy_id':'a','options':{'open_world':['actor','action'],'approver':'boss'}}",
        "{'policy_id':'b','options':{'approver':'boss','open_world':['action','actor']}}"};
    struct lex_policy *policy = documents_of(texts, 2);
    ck_assert(policy->options.open_world[LEX_KIND_ACTOR]);
    ck_assert_span_eq(policy->options.approver, "actor:boss");
    lex_policy_unref(policy);
    const char *const none[] = {"{'policy_id':'a','options':{}}", "{'policy_id':'b'}"};
    lex_policy_unref(documents_of(none, 2));
}
END_TEST

START_TEST(a_united_term_is_the_riskier_and_the_machine)
{
    const char *const texts[] = {
        "{'policy_id':'a','terms':{'actors':[{'id':'m','type':'ai'}],"
        "'actions':[{'id':'x','risk_level':4}]}}",
        "{'policy_id':'b','terms':{'actors':['m'],'actions':[{'id':'x','risk_level':2}]}}"};
    struct lex_policy *policy = documents_of(texts, 2);
    ck_assert_uint_eq(policy->info.terms, 2);
    ck_assert(policy->terms[LEX_KIND_ACTOR].items[0].ai);
    ck_assert_uint_eq(policy->terms[LEX_KIND_ACTION].items[0].risk_level, 4);
    lex_policy_unref(policy);
}
END_TEST

START_TEST(log_only_documents_are_shadows_and_never_merged)
{
    const char *const texts[] = {
        "{'policy_id':'next','version':'9','enforcement':'log_only','relations':["
        "{'type':'forbids','id':'f'}]}",
        base, "{'policy_id':'base','enforcement':'log_only','mode':'paranoid'}"};
    uint8_t hashes[2][32];
    hash_of(base, hashes);
    struct lex_policy *policy = documents_of(texts, 3);
    ck_assert_span_eq(policy->info.id, "base");
    ck_assert_mem_eq(policy->info.hash, hashes[0], 32);
    ck_assert_int_eq(policy->info.mode, LEX_MODE_PERMISSIVE);
    ck_assert_uint_eq(policy->info.relations, 1);
    ck_assert_ptr_nonnull(rule_of(policy, "permits:0")); /* alone, so without its policy's id */
    ck_assert_uint_eq(policy->info.documents_count, 3);
    ck_assert_uint_eq(policy->info.shadows_count, 2);
    ck_assert(!policy->documents[0].log_only && policy->documents[1].log_only);
    const struct lex_policy *shadow = lex_policy_shadow(policy, 1);
    ck_assert_span_eq(shadow->info.id, "next");
    ck_assert_span_eq(shadow->info.version, "9");
    ck_assert_ptr_nonnull(rule_of(shadow, "f"));
    ck_assert_int_eq(lex_policy_shadow(policy, 0)->info.mode, LEX_MODE_PARANOID);
    lex_policy_unref(policy);
}
END_TEST

START_TEST(a_shadow_that_does_not_load_refuses_the_whole_set)
{
    pair_refused(base,
                 "{'policy_id':'n','enforcement':'log_only',\n'relations':[{'type':'nonsense'}]}",
                 "1.json:2:22: ", "unknown relation type");
    pair_refused("{'policy_id':'n','enforcement':'log_only'}",
                 "{'policy_id':'m','enforcement':'log_only'}",
                 "1.json:1:32: ", "at least one document must be enforced");
    pair_refused("{'policy_id':'n','enforcement':'log_only'}",
                 "{'policy_id':'n','enforcement':'log_only'}", "1.json: ", "of 0.json");
}
END_TEST

START_TEST(lints_name_their_file)
{
    const char *const texts[] = {"{'policy_id':'a','terms':{'actors':['x']}}",
                                 "{'policy_id':'b',\n'colour':1}"};
    struct lex_policy *policy = documents_of(texts, 2);
    const struct lex_policy_lint *unused = lint_of(policy, "unused_term"),
                                 *unknown = lint_of(policy, "unknown_key");
    ck_assert_str_eq(unused->source, "0.json");
    ck_assert_str_eq(unknown->source, "1.json");
    ck_assert_uint_eq(unused->line, 1);
    ck_assert_uint_eq(unknown->line, 2);
    ck_assert_uint_eq(unknown->column, 1);
    lex_policy_unref(policy);
}
END_TEST

START_TEST(there_are_1_to_256_documents)
{
    static struct lex_policy_document documents[LEX_POLICY_MAX_DOCUMENTS + 1];
    struct lex_policy *policy = NULL;
    fixture_start();
    for (size_t i = 0; i < LEX_COUNT_OF(documents); i++)
        documents[i] = (struct lex_policy_document){
            .source = "d.json",
            .text = lex_arena_printf(&fixture_arena, "{\"policy_id\":\"p%zu\"}", i)};
    ck_assert_int_eq(lex_policy_load_documents(documents, 0, &policy, &fixture_err), LEX_REJECT);
    ck_assert_int_eq(
        lex_policy_load_documents(documents, LEX_COUNT_OF(documents), &policy, &fixture_err),
        LEX_LIMIT);
    ck_assert_ptr_null(policy);
    ck_assert_int_eq(
        lex_policy_load_documents(documents, LEX_POLICY_MAX_DOCUMENTS, &policy, &fixture_err),
        LEX_OK);
    ck_assert_uint_eq(policy->info.documents_count, LEX_POLICY_MAX_DOCUMENTS);
    lex_policy_unref(policy);
}
END_TEST

START_TEST(all_documents_together_keep_to_the_ceiling_of_one)
{
    struct lex_policy_document documents[2] = {{.source = "a"}, {.source = "b"}};
    struct lex_policy *policy = NULL;
    documents[0].text = documents[1].text = lex_span_of("", (size_t)LEX_POLICY_MAX_BYTES / 2 + 1);
    ck_assert_int_eq(lex_policy_load_documents(documents, 2, &policy, &fixture_err), LEX_LIMIT);
    ck_assert_ptr_nonnull(strstr(fixture_err.text, "67108864 bytes"));
}
END_TEST

/* ---- paths ---- */

static char directory[64];

static void make_directory(void)
{
    (void)snprintf(directory, sizeof directory, "/tmp/lex_documents_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    fixture_start();
}

static const char *path_of(const char *name)
{
    return (const char *)lex_arena_printf(&fixture_arena, "%s/%s", directory, name).data;
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(path_of(name), "w");
    struct lex_span json = quoted(text);
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(json.data, 1, json.len, file), json.len);
    ck_assert_int_eq(fclose(file), 0);
}

static void remove_directory(void)
{
    char command[128];
    (void)snprintf(command, sizeof command, "rm -r %s", directory);
    ck_assert_int_eq(system(command), 0);
}

START_TEST(a_directory_is_its_json_files_hidden_ones_apart)
{
    struct lex_policy *policy = NULL;
    make_directory();
    ck_assert_int_eq(lex_policy_load_path(directory, &policy, &fixture_err), LEX_REJECT);
    ck_assert_ptr_nonnull(strstr(fixture_err.text, "has no policy"));
    /* as a Kubernetes ConfigMap is mounted: links into a hidden directory, itself behind a link */
    ck_assert_int_eq(mkdir(path_of("..2026_01_01"), 0700), 0);
    write_file("..2026_01_01/b.json", base);
    ck_assert_int_eq(symlink("..2026_01_01", path_of("..data")), 0);
    ck_assert_int_eq(symlink("..data/b.json", path_of("b.json")), 0);
    write_file("a.json", team);
    write_file(".hidden.json", "nonsense");
    write_file("notes.txt", "nonsense");
    ck_assert_msg(lex_policy_load_path(directory, &policy, &fixture_err) == LEX_OK, "%s",
                  fixture_err.text);
    ck_assert_span_eq(policy->info.id, "base+team");
    ck_assert_str_eq(policy->documents[0].source, path_of("b.json"));
    lex_policy_unref(policy);
    remove_directory();
}
END_TEST

START_TEST(a_file_that_is_meant_but_not_readable_refuses_the_directory)
{
    struct lex_policy *policy = NULL;
    make_directory();
    write_file("a.json", base);
    ck_assert_int_eq(symlink("nowhere", path_of("b.json")), 0);
    ck_assert_int_eq(lex_policy_load_path(directory, &policy, &fixture_err), LEX_REJECT);
    ck_assert_ptr_nonnull(strstr(fixture_err.text, "b.json: cannot open"));
    ck_assert_int_eq(unlink(path_of("b.json")), 0);
    ck_assert_int_eq(mkdir(path_of("c.json"), 0700), 0);
    ck_assert_int_eq(lex_policy_load_path(directory, &policy, &fixture_err), LEX_REJECT);
    ck_assert_ptr_nonnull(strstr(fixture_err.text, "c.json: is no file"));
    ck_assert_int_eq(rmdir(path_of("c.json")), 0);
    write_file("d.json", "{'mode':\n'x'}");
    ck_assert_int_eq(lex_policy_load_path(directory, &policy, &fixture_err), LEX_REJECT);
    ck_assert_ptr_nonnull(strstr(fixture_err.text, "d.json:2:1: "));
    ck_assert_ptr_null(policy);
    remove_directory();
}
END_TEST

START_TEST(one_file_is_one_document_and_no_file_is_an_error)
{
    struct lex_policy *policy = NULL;
    make_directory();
    write_file("a.txt", base);
    ck_assert_int_eq(lex_policy_load_path(path_of("a.txt"), &policy, &fixture_err), LEX_OK);
    ck_assert_span_eq(policy->info.id, "base");
    lex_policy_unref(policy);
    policy = NULL;
    ck_assert_int_eq(lex_policy_load_path(path_of("none"), &policy, &fixture_err), LEX_REJECT);
    ck_assert_ptr_nonnull(strstr(fixture_err.text, "cannot open"));
    ck_assert_ptr_null(policy);
    remove_directory();
}
END_TEST

LEX_CHECK_MAIN("policy_documents", terms_and_rules_unite_and_ids_say_whose_they_are,
               an_obligation_is_discharged_by_its_own_documents_fact,
               the_strictest_mode_and_the_common_dates_hold, the_order_of_documents_changes_nothing,
               the_hash_of_several_is_that_of_their_sorted_hashes, one_document_is_itself,
               the_text_of_several_loads_as_the_same_policy,
               documents_that_do_not_agree_are_refused_with_the_right_file,
               equal_options_are_taken_whatever_their_order,
               a_united_term_is_the_riskier_and_the_machine,
               log_only_documents_are_shadows_and_never_merged,
               a_shadow_that_does_not_load_refuses_the_whole_set, lints_name_their_file,
               there_are_1_to_256_documents, all_documents_together_keep_to_the_ceiling_of_one,
               a_directory_is_its_json_files_hidden_ones_apart,
               a_file_that_is_meant_but_not_readable_refuses_the_directory,
               one_file_is_one_document_and_no_file_is_an_error)
