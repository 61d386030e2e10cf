/* Reference regressions: what the public system of the same name gets wrong, and what must never
 * come here (the introduction of policy.md). Its documents are the compatibility reference, its
 * engine is not. Each test fails on an engine that behaves as it does; the comment above it names a
 * one-line change that would make this engine behave so. */
#include "core/policy/model.h"
#include "tests/unit/policy_fixture.h"

static const char approved[] = "approved PERMITTED ok";

/* ---- names by substring ---- */

/* Mutation: where lex_names_find() finds nothing, lex_policy_resolve() takes a name that contains
 * the given one or is contained in it. */
START_TEST(a_substring_of_a_name_is_an_unknown_name)
{
    static const char *const actors[] = {"mode",   "odel",   "model2", "Model",
                                         " model", "model ", "m",      "actor:mode"};
    static const char *const actions[] = {"sear", "earch", "searching", "SEARCH", "action:sear"};
    struct lex_policy *p = load("{'relations':[{'id':'ok','type':'permits','subject':'model',"
                                "'action':'search'}]}");
    ck_told(p, approved, .actor = "model", .action = "search");
    for (size_t i = 0; i < LEX_COUNT_OF(actors); i++)
        ck_told(p, "denied UNKNOWN_ACTOR", .actor = actors[i], .action = "search");
    for (size_t i = 0; i < LEX_COUNT_OF(actions); i++)
        ck_told(p, "denied UNKNOWN_ACTION", .actor = "model", .action = actions[i]);
    lex_policy_unref(p);
}
END_TEST

/* A rule that names a part of a longer name is not about the longer one, and the other way round.
 * Mutation: as above. */
START_TEST(a_rule_is_about_its_own_name_alone)
{
    struct lex_policy *p = load("{'terms':{'actors':['agent','agent_admin'],"
                                "'actions':['read_all','delete']},"
                                "'relations':[{'id':'ok','type':'permits','subject':'agent',"
                                "'action':'read_all'},{'type':'forbids','action':'read'},"
                                "{'type':'permits','subject':'agent_admin','action':'delete'}]}");
    ck_told(p, approved, .actor = "agent", .action = "read_all");
    ck_told(p, "denied NOT_PERMITTED", .actor = "agent", .action = "delete");
    ck_told(p, "denied NOT_PERMITTED", .actor = "agent_admin", .action = "read_all");
    lex_policy_unref(p);
}
END_TEST

/* A part of a data class's name neither escapes a forbid nor is covered by a permit.
 * Mutation: as above. */
START_TEST(a_substring_of_a_data_class_is_an_unknown_class)
{
    struct lex_policy *p = load("{'relations':[{'id':'ok','type':'permits','subject':'a',"
                                "'action':'b','object':'public'},{'id':'no','type':'forbids',"
                                "'action':'b','object':'secret'}]}");
    ck_told(p, approved, .actor = "a", .action = "b", .classes = {"public"});
    ck_told(p, "denied FORBIDDEN no", .actor = "a", .action = "b", .classes = {"secret"});
    ck_told(p, "denied UNKNOWN_DATA_CLASS no", .actor = "a", .action = "b", .classes = {"secre"});
    ck_told(p, "denied UNKNOWN_DATA_CLASS no", .actor = "a", .action = "b", .classes = {"publi"});
    lex_policy_unref(p);
}
END_TEST

/* ---- what it ignores ---- */

/* Mutation: lex_judge_rule() returns before its loop. */
START_TEST(a_permit_holds_only_under_its_condition)
{
    struct lex_policy *p = load("{'relations':[{'id':'ok','type':'permits','subject':'a',"
                                "'action':'b','condition':'mfa'}]}");
    ck_told(p, approved, .actor = "a", .action = "b", .attested = FACT("mfa", true));
    ck_told(p, "denied CONDITION_FALSE ok", .actor = "a", .action = "b",
            .attested = FACT("mfa", false));
    ck_told(p, "conditional CONDITION_UNVERIFIED ok", .actor = "a", .action = "b");
    ck_told(p, "conditional CONDITION_UNVERIFIED ok", .actor = "a", .action = "b",
            .context = FACT("mfa", true));
    lex_policy_unref(p);
}
END_TEST

/* Mutation: match_forbid() leaves lex_judge_restriction() out: the forbid binds always. Or
 * lex_judge_restriction() returns NO: it binds never. */
START_TEST(a_forbid_is_lifted_by_its_condition_and_by_nothing_less)
{
    struct lex_policy *p = load("{'relations':[{'id':'ok','type':'permits','subject':'a',"
                                "'action':'b'},{'id':'no','type':'forbids','action':'b',"
                                "'condition':'outside'}]}");
    ck_told(p, approved, .actor = "a", .action = "b", .attested = FACT("outside", false));
    ck_told(p, "denied FORBIDDEN no", .actor = "a", .action = "b",
            .attested = FACT("outside", true));
    ck_told(p, "denied FORBID_NOT_EXCLUDED no", .actor = "a", .action = "b");
    ck_told(p, "denied FORBID_NOT_EXCLUDED no", .actor = "a", .action = "b",
            .context = FACT("outside", false));
    lex_policy_unref(p);
}
END_TEST

/* Mutation: step_requires is not in evaluate.c's list of steps. */
START_TEST(a_requires_binds_beside_a_permit)
{
    struct lex_policy *p = load("{'relations':[{'id':'ok','type':'permits','subject':'a',"
                                "'action':'b'},{'id':'must','type':'requires','action':'b',"
                                "'condition':'logged'}]}");
    ck_told(p, approved, .actor = "a", .action = "b", .attested = FACT("logged", true));
    ck_told(p, "denied REQUIREMENT_NOT_MET must", .actor = "a", .action = "b",
            .attested = FACT("logged", false));
    ck_told(p, "conditional CONDITION_UNVERIFIED must", .actor = "a", .action = "b");
    lex_policy_unref(p);
}
END_TEST

/* Mutation: close_kind() in hierarchy.c returns LEX_OK at once. */
START_TEST(implies_carries_rules_between_terms_of_each_kind)
{
    struct lex_policy *p =
        load("{'relations':[{'id':'ok','type':'permits','subject':'staff','action':'b'},"
             "{'type':'implies','source':'actor:nurse','target':'actor:staff'},"
             "{'id':'out','type':'forbids','action':'send'},"
             "{'type':'permits','subject':'staff','action':'mail'},"
             "{'type':'implies','source':'action:mail','target':'action:send'},"
             "{'id':'phi','type':'forbids','action':'b','object':'health'},"
             "{'type':'implies','source':'data:diagnosis','target':'data:health'},"
             "{'id':'east','type':'forbids','action':'b','resource':'wing'},"
             "{'type':'implies','source':'resource:room','target':'resource:wing'},"
             "{'type':'implies','source':'resource:shed','target':'resource:garden'}],"
             "'options':{'undeclared_data_classes':'treat_as_none'}}");
    ck_told(p, approved, .actor = "nurse", .action = "b", .resource = "shed");
    ck_told(p, "denied FORBIDDEN out", .actor = "staff", .action = "mail");
    ck_told(p, "denied FORBIDDEN phi", .actor = "staff", .action = "b", .resource = "shed",
            .classes = {"diagnosis"});
    ck_told(p, "denied FORBIDDEN east", .actor = "staff", .action = "b", .resource = "room");
    lex_policy_unref(p);
}
END_TEST

/* Mutation: lex_step_conflicts is not in evaluate.c's list of steps. */
START_TEST(conflicts_keep_roles_classes_and_duties_apart)
{
    struct lex_policy *p =
        load("{'relations':[{'id':'ok','type':'permits','subject':'*','action':'*'},"
             "{'id':'roles','type':'conflicts','source':'actor:teller','target':'actor:auditor'},"
             "{'id':'classes','type':'conflicts','source':'data:names','target':'data:diagnoses'},"
             "{'id':'duties','type':'conflicts','source':'action:create','target':'action:approve',"
             "'scope':'session'},{'type':'permits','subject':'teller','action':'read'}]}");
    ck_told(p, approved, .actor = "auditor", .action = "read", .role = "auditor",
            .classes = {"names"});
    ck_told(p, "denied SOD_CONFLICT roles", .actor = "auditor", .action = "read", .role = "teller");
    ck_told(p, "denied COMBINATION_CONFLICT classes", .actor = "auditor", .action = "read",
            .classes = {"names", "diagnoses"});
    ck_told(p, "escalated SOD_STATE_UNAVAILABLE duties", .actor = "auditor", .action = "approve");
    lex_policy_unref(p);
}
END_TEST

/* Mutation: step_constraints is not in evaluate.c's list of steps. */
START_TEST(a_triggered_constraint_has_its_effect)
{
    struct lex_policy *p = load(
        "{'relations':[{'id':'ok','type':'permits','subject':'a','action':'b'}],'constraints':["
        "{'name':'stop','condition':'leak','action':'block_and_alert'},"
        "{'name':'slow','condition':'hot','action':'throttle_requests'},"
        "{'name':'ask','condition':'odd','action':'require_human_review'},"
        "{'name':'do','condition':'old','action':'redact_names'},"
        "{'name':'good','condition':'bad != true','action':'deny_if_bad','effect':'advice'}]}");
    ck_told(p, approved, .actor = "a", .action = "b");
    ck_told(p, "denied CONSTRAINT_DENIED constraint:stop", .actor = "a", .action = "b",
            .context = FACT("leak", true));
    ck_told(p, "denied RATE_LIMITED constraint:slow", .actor = "a", .action = "b",
            .context = FACT("hot", true));
    ck_told(p, "escalated CONSTRAINT_ESCALATED constraint:ask", .actor = "a", .action = "b",
            .context = FACT("odd", true));
    ck_told(p, "conditional CONSTRAINT_OBLIGATION constraint:do", .actor = "a", .action = "b",
            .context = FACT("old", true));
    lex_policy_unref(p);
}
END_TEST

/* Mutation: step_risk is not in evaluate.c's list of steps. Or risk_score() in decide.c leaves the
 * action's out. */
START_TEST(risk_counts_from_the_request_and_from_the_action)
{
    struct lex_policy *p =
        load("{'mode':'paranoid','terms':{'actions':['b',{'id':'drop','risk_level':4}]},"
             "'relations':[{'id':'ok','type':'permits','subject':'a','action':'*'}]}");
    static const char gate[] = "escalated HUMAN_CONFIRMATION_REQUIRED";
    ck_told(p, approved, .actor = "a", .action = "b", .risk = 3);
    ck_told(p, gate, .actor = "a", .action = "b", .risk = 4);
    ck_told(p, gate, .actor = "a", .action = "drop", .risk = 1);
    lex_policy_unref(p);
}
END_TEST

/* ---- paranoid is not strict ---- */

/* Mutation: strictest() in decide.c never gives more than LEX_MODE_STRICT. */
START_TEST(paranoid_is_stricter_than_strict)
{
    struct lex_policy *p =
        load("{'relations':[{'id':'ok','type':'permits','subject':'a','action':'b'},"
             "{'id':'ok','type':'permits','subject':'a','action':'c'},"
             "{'id':'must','type':'requires','action':'c','condition':'logged'}],"
             "'constraints':[{'name':'stop','condition':'leak','action':'deny'}]}");
    struct lex_member sealed = FACT("leak", false);
    /* an unknown class is covered by no permit */
    ck_told(p, approved, .actor = "a", .action = "b", .classes = {"typo"}, .attested = sealed);
    ck_told(p, "denied UNKNOWN_DATA_CLASS", .actor = "a", .action = "b", .classes = {"typo"},
            .attested = sealed, .mode = "paranoid");
    /* an unknown requires asks a person */
    ck_told(p, "conditional CONDITION_UNVERIFIED must", .actor = "a", .action = "c",
            .attested = sealed);
    ck_told(p, "escalated CONDITION_UNVERIFIED must", .actor = "a", .action = "c",
            .attested = sealed, .mode = "paranoid");
    /* silence about what a constraint reads triggers it */
    ck_told(p, approved, .actor = "a", .action = "b");
    ck_told(p, "denied CONSTRAINT_DENIED constraint:stop", .actor = "a", .action = "b",
            .server = LEX_MODE_PARANOID);
    /* high risk asks a person */
    ck_told(p, approved, .actor = "a", .action = "b", .risk = 5, .attested = sealed);
    ck_told(p, "escalated HUMAN_CONFIRMATION_REQUIRED", .actor = "a", .action = "b", .risk = 5,
            .attested = sealed, .server = LEX_MODE_PARANOID);
    lex_policy_unref(p);
}
END_TEST

/* ---- one harmless class ---- */

/* Mutation: lex_match_object() returns NO at the first class that is not the forbid's. */
START_TEST(a_harmless_class_does_not_excuse_a_forbidden_one)
{
    struct lex_policy *p =
        load("{'relations':[{'id':'ok','type':'permits','subject':'a','action':'b',"
             "'object':['public','secret']},{'id':'no','type':'forbids','action':'b',"
             "'object':'secret'}]}");
    ck_told(p, approved, .actor = "a", .action = "b", .classes = {"public"});
    ck_told(p, "denied FORBIDDEN no", .actor = "a", .action = "b", .classes = {"public", "secret"});
    ck_told(p, "denied FORBIDDEN no", .actor = "a", .action = "b", .classes = {"secret", "public"});
    lex_policy_unref(p);
}
END_TEST

/* Mutation: lex_step_permission() looks at the request's first class only. */
START_TEST(a_permitted_class_does_not_carry_another_one)
{
    struct lex_policy *p = load(
        "{'terms':{'data_classes':['archive','public','remote']},"
        "'relations':[{'id':'ok','type':'permits','subject':'a','action':'b','object':'public'}]}");
    ck_told(p, approved, .actor = "a", .action = "b", .classes = {"public"});
    ck_told(p, "denied NOT_PERMITTED", .actor = "a", .action = "b",
            .classes = {"public", "archive"});
    ck_told(p, "denied NOT_PERMITTED", .actor = "a", .action = "b",
            .classes = {"public", "remote"});
    lex_policy_unref(p);
}
END_TEST

/* ---- half a policy ---- */

/* Every bad document begins with a permit of everything; the error stands behind it. Mutation:
 * lex_load_set() sets *ret_policy before it compiles. */
START_TEST(an_error_anywhere_leaves_the_policy_in_force_whole)
{
    static const char *const tails[] = {
        "{'type':'forbid','action':'b'}",
        "{'type':'permits','subject':'a'}",
        "{'type':'forbids','action':'b','contition':'x'}",
        "{'type':'forbids','action':'b','condition':'x &&'}",
        "{'type':'requires','action':'b'}",
        "{'type':'implies','source':'actor:a','target':'action:b'}",
        "{'type':'permits','subject':'action:a','action':'b'}",
    };
    struct lex_policy *p = load("{'relations':[{'id':'ok','type':'permits','subject':'a',"
                                "'action':'b'},{'id':'no','type':'forbids','action':'c'}]}");
    struct lex_policy *old = p;
    for (size_t i = 0; i < LEX_COUNT_OF(tails); i++) {
        char text[512];
        struct lex_error err = {""};
        (void)snprintf(text, sizeof text,
                       "{'relations':[{'id':'wide','type':'permits','subject':'*','action':'*'},"
                       "%s]}",
                       tails[i]);
        ck_assert_int_eq(lex_policy_load(quoted(text), "p.json", &p, &err), LEX_REJECT);
        ck_assert_ptr_eq(p, old);
        ck_assert_str_ne(err.text, "");
    }
    ck_told(p, approved, .actor = "a", .action = "b");
    ck_told(p, "denied FORBIDDEN no", .actor = "a", .action = "c");
    ck_assert_uint_eq(p->rules_count, 2);
    lex_policy_unref(p);
}
END_TEST

/* The same where the first of two documents is good. Mutation: as above, or documents.c goes on
 * after a document's error. */
START_TEST(an_error_in_one_document_refuses_them_all)
{
    struct lex_policy *p = NULL;
    struct lex_error err = {""};
    fixture_start();
    struct lex_policy_document documents[] = {
        {.source = "wide.json",
         .text = quoted("{'policy_id':'w','relations':[{'type':'permits','subject':'*',"
                        "'action':'*'}]}")},
        {.source = "narrow.json", .text = quoted("{'policy_id':'n','relations':[{'type':'x'}]}")},
    };
    ck_assert_int_eq(lex_policy_load_documents(documents, 2, &p, &err), LEX_REJECT);
    ck_assert_ptr_null(p);
    ck_assert_ptr_nonnull(strstr(err.text, "narrow.json:1:"));
}
END_TEST

/* ---- a hash of a part ---- */

/* Mutation: lex_policy_canonical() does what lex_policy_legacy_canonical() does. */
START_TEST(every_part_of_a_document_is_in_its_hash)
{
    static const char base[] = "{'relations':[{'type':'permits','subject':'a','action':'b'}],"
                               "'constraints':[{'name':'c','condition':'x','action':'deny'}],"
                               "'version':'1','options':{'approver':'a'},'notes':'n'}";
    static const char *const others[] = {
        /* a constraint, its effect, an option, the version, a note, a date, a name */
        "{'relations':[{'type':'permits','subject':'a','action':'b'}],'constraints':[],"
        "'version':'1','options':{'approver':'a'},'notes':'n'}",
        "{'relations':[{'type':'permits','subject':'a','action':'b'}],"
        "'constraints':[{'name':'c','condition':'x','action':'log_it'}],"
        "'version':'1','options':{'approver':'a'},'notes':'n'}",
        "{'relations':[{'type':'permits','subject':'a','action':'b'}],"
        "'constraints':[{'name':'c','condition':'x','action':'deny'}],"
        "'version':'1','options':{'approver':'a','open_world':['actor']},'notes':'n'}",
        "{'relations':[{'type':'permits','subject':'a','action':'b'}],"
        "'constraints':[{'name':'c','condition':'x','action':'deny'}],"
        "'version':'2','options':{'approver':'a'},'notes':'n'}",
        "{'relations':[{'type':'permits','subject':'a','action':'b'}],"
        "'constraints':[{'name':'c','condition':'x','action':'deny'}],"
        "'version':'1','options':{'approver':'a'},'notes':'m'}",
        "{'relations':[{'type':'permits','subject':'a','action':'b'}],"
        "'constraints':[{'name':'c','condition':'x','action':'deny'}],"
        "'version':'1','options':{'approver':'a'},'notes':'n',"
        "'effective_until':'2026-01-01T00:00:00Z'}",
        "{'relations':[{'type':'permits','subject':'a','action':'b'}],"
        "'constraints':[{'name':'c','condition':'x','action':'deny'}],"
        "'version':'1','options':{'approver':'a'},'notes':'n','name':'p'}",
    };
    struct lex_policy *p = load(base);
    struct lex_policy_info was = *lex_policy_info(p);
    lex_policy_unref(p);
    for (size_t i = 0; i < LEX_COUNT_OF(others); i++) {
        p = load(others[i]);
        const struct lex_policy_info *is = lex_policy_info(p);
        ck_assert_msg(memcmp(was.hash, is->hash, sizeof was.hash) != 0, "%s", others[i]);
        /* the reference's own hash sees none of it, which is why it is only recorded beside */
        ck_assert_mem_eq(was.legacy_hash, is->legacy_hash, sizeof was.legacy_hash);
        lex_policy_unref(p);
    }
}
END_TEST

LEX_CHECK_MAIN("reference regressions", a_substring_of_a_name_is_an_unknown_name,
               a_rule_is_about_its_own_name_alone, a_substring_of_a_data_class_is_an_unknown_class,
               a_permit_holds_only_under_its_condition,
               a_forbid_is_lifted_by_its_condition_and_by_nothing_less,
               a_requires_binds_beside_a_permit, implies_carries_rules_between_terms_of_each_kind,
               conflicts_keep_roles_classes_and_duties_apart, a_triggered_constraint_has_its_effect,
               risk_counts_from_the_request_and_from_the_action, paranoid_is_stricter_than_strict,
               a_harmless_class_does_not_excuse_a_forbidden_one,
               a_permitted_class_does_not_carry_another_one,
               an_error_anywhere_leaves_the_policy_in_force_whole,
               an_error_in_one_document_refuses_them_all, every_part_of_a_document_is_in_its_hash)
