/* Identity: a statement counts exactly when a pinned key says, in time, something that it may say
 * about this request, for the first time. Each test of what counts has twins that differ in one
 * thing and count for nothing. */
#include "core/identity/identity.h"

#include "tests/unit/jwt_fixture.h"

#define NOW INT64_C(1767225600) /* 2026-01-01T00:00:00Z */
#define ORIGIN "acme/main/lexecon.ledger/3"
#define DECISION "dec_01KDW3Z1000003000000000000"

static struct lex_signer *hr, *desk, *stranger;
static struct lex_identity *identity;
static uint8_t fingerprint[32];
static char req[65];

static struct lex_identity *parse(const char *json)
{
    struct lex_identity *parsed = NULL;
    ck_assert_msg(lex_identity_parse(lex_span_str(json), &parsed, &err) == LEX_OK, "%s", err.text);
    return parsed;
}

static void setup(void)
{
    char json[2048];
    test_jwt_setup();
    hr = test_signer(1);
    desk = test_signer(2);
    stranger = test_signer(3);
    for (size_t i = 0; i < sizeof fingerprint; i++) {
        fingerprint[i] = (uint8_t)(i * 7 + 0xa0);
        snprintf(req + 2 * i, 3, "%02x", fingerprint[i]);
    }
    snprintf(json, sizeof json,
             "{\"issuers\":["
             "{\"iss\":\"hr\",\"keys\":[{\"kid\":\"hr-1\",\"public_key\":\"%s\"}],"
             "\"actors\":[\"actor:bot\"],\"roles\":[\"actor:oncall\",\"actor:night\"],"
             "\"facts\":[\"mfa\",\"amount\",\"tags\"]},"
             "{\"iss\":\"desk\",\"keys\":[{\"kid\":\"desk-1\",\"jwk\":{\"kty\":\"OKP\","
             "\"crv\":\"Ed25519\",\"x\":\"%s\"},\"alg\":\"Ed25519\"}],"
             "\"approvers\":[\"actor:human\"],\"facts\":[\"*\"]}]}",
             test_public(hr, false), test_public(desk, true));
    identity = parse(json);
}

static void teardown(void)
{
    lex_identity_free(identity);
    lex_signer_free(hr);
    lex_signer_free(desk);
    lex_signer_free(stranger);
    test_jwt_teardown();
}

/* ---- to make statements ---- */

static const char identity_header[] =
    "{\"alg\":\"EdDSA\",\"typ\":\"lexecon-identity+jwt\",\"kid\":\"hr-1\"}";
static const char fact_header[] =
    "{\"alg\":\"EdDSA\",\"typ\":\"lexecon-fact+jwt\",\"kid\":\"hr-1\"}";
static const char approval_header[] =
    "{\"alg\":\"Ed25519\",\"typ\":\"lexecon-approval+jwt\",\"kid\":\"desk-1\"}";

/* A printf into the arena, so that a test reads as the claims it makes. */
#define CLAIMS(...) ((const char *)lex_arena_printf(&arena, __VA_ARGS__).data)
#define TIMES "\"iat\":1767225590,\"exp\":1767225890,\"jti\":\"j1\""
#define HR_COMMON "\"iss\":\"hr\",\"sub\":\"actor:bot\"," TIMES
#define DESK_COMMON "\"iss\":\"desk\",\"sub\":\"actor:bot\"," TIMES

static const char *identity_claims(void)
{
    return "{" HR_COMMON ",\"roles\":[\"actor:oncall\"]}";
}
static const char *fact_claims(const char *facts)
{
    return CLAIMS("{" HR_COMMON ",\"req\":\"%s\",\"facts\":%s}", req, facts);
}
static const char *approval_claims(void)
{
    return CLAIMS("{" DESK_COMMON ",\"req\":\"%s\",\"decision_id\":\"" DECISION
                  "\",\"log\":\"" ORIGIN "\",\"approver\":\"actor:human\"}",
                  req);
}

/* ---- to verify them ---- */

struct used {
    const char *kid, *jti; /* the pair that was used; NULL: none */
    int64_t issued_us;     /* as asked */
    int asked;
};
static struct used used;

static bool was_used(void *context, struct lex_span kid, struct lex_span jti, int64_t issued_us)
{
    struct used *known = context;
    known->asked++;
    known->issued_us = issued_us;
    return known->jti != NULL && lex_span_eq(kid, lex_span_str(known->kid)) &&
           lex_span_eq(jti, lex_span_str(known->jti));
}

static struct lex_facts facts;
static struct lex_identity_problems problems;
static int64_t now_us = NOW * 1000000;
static unsigned kinds = LEX_STATEMENTS_ALL;

static void verify_all(const struct lex_span *texts, size_t count)
{
    struct lex_request request = {.actor = LEX_SPAN("actor:bot"), .attestations = {texts, count}};
    struct lex_identity_input input = {.request = &request,
                                       .fingerprint = fingerprint,
                                       .origin = LEX_SPAN(ORIGIN),
                                       .now_us = now_us,
                                       .used = was_used,
                                       .used_context = &used,
                                       .kinds = kinds};
    memset(&facts, 0xa5, sizeof facts); /* what was there before must not shine through */
    facts.risk_score = 42;
    facts.token = (struct lex_member_list){NULL, 0};
    ck_assert_int_eq(lex_identity_verify(identity, &input, &arena, &facts, &problems), LEX_OK);
    ck_assert_int_eq(facts.risk_score, 42);
}

static void verify(struct lex_span text)
{
    verify_all(&text, 1);
}

static void check_nothing(void)
{
    ck_assert_uint_eq(facts.statements_count, 0);
    ck_assert_uint_eq(facts.attested_count, 0);
    ck_assert_uint_eq(facts.approvals_count, 0);
    ck_assert_uint_eq(facts.roles.count, 0);
    ck_assert(!facts.identity && lex_span_absent(facts.requester_key));
}

/* It contributes nothing, and says why. */
static void check_refused(struct lex_span text, const char *why)
{
    verify(text);
    ck_assert_uint_eq(problems.count, 1);
    ck_assert_span_eq(lex_identity_why_name(problems.items[0].why), why);
    ck_assert_uint_eq(problems.items[0].index, 0);
    check_nothing();
}

static void check_counts(struct lex_span text)
{
    verify(text);
    ck_assert_msg(problems.count == 0, "%.*s",
                  LEX_SPAN_FMT(lex_identity_why_name(problems.items[0].why)));
    ck_assert_uint_eq(facts.statements_count, 1);
}

/* ---- what counts ---- */

START_TEST(a_request_without_statements_attests_nothing)
{
    verify_all(NULL, 0);
    check_nothing();
    ck_assert_uint_eq(problems.count, 0);
}
END_TEST

START_TEST(an_identity_gives_the_actor_its_roles)
{
    check_counts(test_jws(hr, identity_header, identity_claims()));
    ck_assert(facts.identity);
    ck_assert_span_eq(facts.requester_key, "hr-1");
    ck_assert_uint_eq(facts.roles.count, 1);
    ck_assert_span_eq(facts.roles.items[0], "actor:oncall");
    ck_assert_int_eq(facts.statements[0].kind, LEX_STATEMENT_IDENTITY);
    ck_assert_span_eq(facts.statements[0].kid, "hr-1");
    ck_assert_span_eq(facts.statements[0].jti, "j1");
    ck_assert_int_eq(facts.statements[0].issued_us, 1767225590000000);
    ck_assert_int_eq(facts.statements[0].expires_us, 1767225890000000);
    ck_assert_int_eq(used.asked, 0);
}
END_TEST

START_TEST(an_identity_without_roles_is_one)
{
    check_counts(test_jws(hr, identity_header, "{" HR_COMMON "}"));
    ck_assert(facts.identity && facts.roles.count == 0);
}
END_TEST

START_TEST(facts_keep_their_types_and_name_their_issuer)
{
    check_counts(test_jws(hr, fact_header,
                          fact_claims("{\"mfa\":true,\"amount\":12.5,\"tags\":[\"a\",\"b\"]}")));
    ck_assert_uint_eq(facts.attested_count, 3);
    ck_assert_span_eq(facts.attested[0].member.key, "mfa");
    ck_assert_int_eq(facts.attested[0].member.value.type, LEX_VALUE_BOOL);
    ck_assert(facts.attested[0].member.value.boolean);
    ck_assert_int_eq(facts.attested[1].member.value.type, LEX_VALUE_DOUBLE);
    ck_assert_double_eq(facts.attested[1].member.value.f64, 12.5);
    ck_assert_int_eq(facts.attested[2].member.value.type, LEX_VALUE_LIST);
    ck_assert_uint_eq(facts.attested[2].member.value.list.count, 2);
    ck_assert_span_eq(facts.attested[2].member.value.list.items[1], "b");
    for (size_t i = 0; i < 3; i++) {
        ck_assert_span_eq(facts.attested[i].issuer, "hr");
        ck_assert_uint_eq(facts.attested[i].statement, 0);
    }
    ck_assert(!facts.identity);
    ck_assert_int_eq(used.asked, 1);
    ck_assert_int_eq(used.issued_us, 1767225590000000);
}
END_TEST

START_TEST(numbers_are_exact_or_refused)
{
    static const struct {
        const char *facts;
        enum lex_value_type type;
        bool good;
    } cases[] = {
        {"{\"amount\":9007199254740991}", LEX_VALUE_LONG, true},
        {"{\"amount\":-9007199254740991}", LEX_VALUE_LONG, true},
        {"{\"amount\":9007199254740992}", LEX_VALUE_LONG, false},
        {"{\"amount\":-9007199254740993}", LEX_VALUE_LONG, false},
        {"{\"amount\":1e400}", LEX_VALUE_DOUBLE, false},
        {"{\"amount\":1e3}", LEX_VALUE_DOUBLE, true},
        {"{\"amount\":null}", LEX_VALUE_NULL, true},
        {"{\"amount\":\"5\"}", LEX_VALUE_STRING, true},
        {"{\"amount\":[]}", LEX_VALUE_LIST, true},
    };
    for (size_t i = 0; i < LEX_COUNT_OF(cases); i++) {
        struct lex_span text = test_jws(hr, fact_header, fact_claims(cases[i].facts));
        if (!cases[i].good) {
            check_refused(text, "MALFORMED");
            continue;
        }
        check_counts(text);
        ck_assert_int_eq(facts.attested[0].member.value.type, cases[i].type);
    }
}
END_TEST

START_TEST(an_approval_names_its_approver_and_key)
{
    check_counts(test_jws(desk, approval_header, approval_claims()));
    ck_assert_uint_eq(facts.approvals_count, 1);
    ck_assert_span_eq(facts.approvals[0].approver, "actor:human");
    ck_assert_span_eq(facts.approvals[0].key, "desk-1");
    ck_assert_int_eq(facts.approvals[0].issued_us, 1767225590000000);
    ck_assert_uint_eq(facts.approvals[0].statement, 0);
    ck_assert(!facts.identity);
}
END_TEST

START_TEST(one_bad_statement_leaves_the_others)
{
    struct lex_span texts[] = {
        test_jws(stranger, identity_header, identity_claims()),
        test_jws(desk, approval_header, approval_claims()),
        LEX_SPAN("rubbish"),
        test_jws(hr, fact_header, fact_claims("{\"mfa\":true}")),
    };
    verify_all(texts, 4);
    ck_assert_uint_eq(facts.statements_count, 2);
    ck_assert_uint_eq(facts.approvals[0].statement, 0);
    ck_assert_uint_eq(facts.attested[0].statement, 1);
    ck_assert(!facts.identity);
    ck_assert_uint_eq(problems.count, 2);
    ck_assert_int_eq(problems.items[0].why, LEX_IDENTITY_BAD_SIGNATURE);
    ck_assert_span_eq(problems.items[0].kid, "hr-1");
    ck_assert_int_eq(problems.items[1].why, LEX_IDENTITY_MALFORMED);
    ck_assert_uint_eq(problems.items[1].index, 2);
    ck_assert(lex_span_absent(problems.items[1].kid));
}
END_TEST

START_TEST(facts_of_several_statements_stand_together)
{
    char second[400];
    snprintf(second, sizeof second,
             "{\"iss\":\"desk\",\"sub\":\"actor:bot\"," TIMES ",\"req\":\"%s\",\"facts\":"
             "{\"seen\":1}}",
             req);
    struct lex_span texts[] = {
        test_jws(hr, fact_header, fact_claims("{\"mfa\":true,\"amount\":1}")),
        test_jws(desk, "{\"alg\":\"Ed25519\",\"typ\":\"lexecon-fact+jwt\",\"kid\":\"desk-1\"}",
                 second),
    };
    verify_all(texts, 2);
    ck_assert_uint_eq(problems.count, 0);
    ck_assert_uint_eq(facts.attested_count, 3);
    ck_assert_span_eq(facts.attested[1].member.key, "amount");
    ck_assert_span_eq(facts.attested[2].member.key, "seen");
    ck_assert_span_eq(facts.attested[2].issuer, "desk");
    ck_assert_uint_eq(facts.attested[2].statement, 1);
}
END_TEST

START_TEST(only_the_kinds_that_are_asked_for_are_verified)
{
    struct lex_span texts[] = {
        test_jws(hr, identity_header, identity_claims()),
        test_jws(stranger, fact_header, fact_claims("{\"mfa\":true}")),
        test_jws(desk, approval_header, approval_claims()),
    };
    kinds = 1u << LEX_STATEMENT_APPROVAL;
    verify_all(texts, 3);
    kinds = LEX_STATEMENTS_ALL;
    ck_assert_uint_eq(problems.count, 0);
    ck_assert_uint_eq(facts.statements_count, 1);
    ck_assert(!facts.identity && facts.approvals_count == 1);
}
END_TEST

START_TEST(at_most_four_are_looked_at)
{
    struct lex_span texts[] = {LEX_SPAN("a"), LEX_SPAN("b"), LEX_SPAN("c"), LEX_SPAN("d"),
                               test_jws(hr, identity_header, identity_claims())};
    verify_all(texts, 5);
    check_nothing();
    ck_assert_uint_eq(problems.count, 4);
}
END_TEST

/* ---- what does not ---- */

START_TEST(without_issuers_nobody_speaks)
{
    struct lex_identity *pinned = identity;
    identity = NULL;
    check_refused(test_jws(hr, identity_header, identity_claims()), "UNKNOWN_KEY");
    identity = parse("{\"issuers\":[]}");
    check_refused(test_jws(hr, identity_header, identity_claims()), "UNKNOWN_KEY");
    lex_identity_free(identity);
    identity = pinned;
}
END_TEST

START_TEST(headers_that_do_not_fit_are_refused)
{
    static const struct {
        const char *header, *why;
    } cases[] = {
        {"{\"alg\":\"none\",\"typ\":\"lexecon-identity+jwt\",\"kid\":\"hr-1\"}", "WRONG_ALGORITHM"},
        {"{\"alg\":\"Ed25519\",\"typ\":\"lexecon-identity+jwt\",\"kid\":\"hr-1\"}",
         "WRONG_ALGORITHM"},
        {"{\"typ\":\"lexecon-identity+jwt\",\"kid\":\"hr-1\"}", "WRONG_ALGORITHM"},
        {"{\"alg\":\"EdDSA\",\"typ\":\"JWT\",\"kid\":\"hr-1\"}", "WRONG_TYPE"},
        {"{\"alg\":\"EdDSA\",\"kid\":\"hr-1\"}", "WRONG_TYPE"},
        {"{\"alg\":\"EdDSA\",\"typ\":\"Lexecon-identity+jwt\",\"kid\":\"hr-1\"}", "WRONG_TYPE"},
        {"{\"alg\":\"EdDSA\",\"typ\":\"lexecon-cap+jwt\",\"kid\":\"hr-1\"}", "WRONG_TYPE"},
        {"{\"alg\":\"EdDSA\",\"typ\":\"application/lexecon-identity+jwt\",\"kid\":\"hr-1\"}",
         "WRONG_TYPE"},
        {"{\"alg\":\"EdDSA\",\"typ\":\"lexecon-identity+jwt\",\"kid\":\"hr-2\"}", "UNKNOWN_KEY"},
        {"{\"alg\":\"EdDSA\",\"typ\":\"lexecon-identity+jwt\",\"kid\":\"hr-\"}", "UNKNOWN_KEY"},
        {"{\"alg\":\"EdDSA\",\"typ\":\"lexecon-identity+jwt\",\"kid\":\"\"}", "UNKNOWN_KEY"},
        {"{\"alg\":\"EdDSA\",\"typ\":\"lexecon-identity+jwt\"}", "UNKNOWN_KEY"},
        {"{\"alg\":\"EdDSA\",\"typ\":\"lexecon-identity+jwt\",\"kid\":\"desk-1\"}",
         "WRONG_ALGORITHM"},
        {"{\"alg\":\"Ed25519\",\"typ\":\"lexecon-identity+jwt\",\"kid\":\"desk-1\"}",
         "BAD_SIGNATURE"},
        {"{\"alg\":\"EdDSA\",\"typ\":\"lexecon-identity+jwt\",\"kid\":\"hr-1\",\"crit\":[\"x\"]}",
         "CRITICAL"},
        {"{\"alg\":\"EdDSA\",\"typ\":\"lexecon-identity+jwt\",\"kid\":\"hr-1\",\"kid\":\"hr-1\"}",
         "MALFORMED"},
    };
    check_counts(test_jws(hr, identity_header, identity_claims()));
    for (size_t i = 0; i < LEX_COUNT_OF(cases); i++)
        check_refused(test_jws(hr, cases[i].header, identity_claims()), cases[i].why);
}
END_TEST

START_TEST(claims_that_do_not_fit_are_refused)
{
#define ISS "\"iss\":\"hr\","
#define SUB "\"sub\":\"actor:bot\","
#define JTI ",\"jti\":\"j1\""
#define IAT "\"iat\":1767225590,"
#define EXP "\"exp\":1767225890"
    static const struct {
        const char *claims, *why;
    } cases[] = {
        {"{" SUB IAT EXP JTI "}", "WRONG_ISSUER"},
        {"{\"iss\":\"desk\"," SUB IAT EXP JTI "}", "WRONG_ISSUER"},
        {"{\"iss\":[\"hr\"]," SUB IAT EXP JTI "}", "WRONG_ISSUER"},
        {"{" ISS IAT EXP JTI "}", "WRONG_SUBJECT"},
        {"{" ISS "\"sub\":\"actor:other\"," IAT EXP JTI "}", "WRONG_SUBJECT"},
        {"{" ISS "\"sub\":\"bot\"," IAT EXP JTI "}", "WRONG_SUBJECT"},
        {"{" ISS "\"sub\":\"actor:bot \"," IAT EXP JTI "}", "WRONG_SUBJECT"},
        {"{" ISS SUB EXP JTI "}", "MALFORMED"},
        {"{" ISS SUB "\"iat\":1767225590" JTI "}", "MALFORMED"},
        {"{" ISS SUB "\"iat\":1767225590.5," EXP JTI "}", "MALFORMED"},
        {"{" ISS SUB "\"iat\":\"1767225590\"," EXP JTI "}", "MALFORMED"},
        {"{" ISS SUB IAT "\"exp\":1767225590" JTI "}", "MALFORMED"},
        {"{" ISS SUB IAT "\"exp\":1767225589" JTI "}", "MALFORMED"},
        {"{" ISS SUB IAT "\"exp\":1767226191" JTI "}", "TOO_LONG"},
        {"{" ISS SUB IAT EXP "}", "MALFORMED"},
        {"{" ISS SUB IAT EXP ",\"jti\":\"\"}", "MALFORMED"},
        {"{" ISS SUB IAT EXP ",\"jti\":7}", "MALFORMED"},
        {"{" ISS SUB IAT EXP ",\"jti\":\"a b\"}", "MALFORMED"},
        {"{" ISS SUB IAT EXP JTI ",\"nbf\":\"x\"}", "MALFORMED"},
        {"{" ISS SUB IAT EXP JTI ",\"nbf\":1767225631}", "NOT_YET"},
        {"{" ISS SUB IAT EXP JTI ",\"sub\":\"actor:bot\"}", "MALFORMED"},
        {"{" ISS SUB IAT EXP JTI ",\"roles\":\"actor:oncall\"}", "MALFORMED"},
        {"{" ISS SUB IAT EXP JTI ",\"roles\":[7]}", "MALFORMED"},
        {"{" ISS SUB IAT EXP JTI ",\"roles\":[\"\"]}", "MALFORMED"},
        {"{" ISS SUB IAT EXP JTI ",\"roles\":[\"actor:admin\"]}", "NOT_ALLOWED"},
        {"{" ISS SUB IAT EXP JTI ",\"roles\":[\"actor:oncall\",\"actor:admin\"]}", "NOT_ALLOWED"},
        {"{" ISS SUB IAT EXP JTI ",\"req\":\"00\"}", "WRONG_REQUEST"},
        {"{" ISS SUB IAT EXP JTI ",\"aud\":\"acme/other\"}", "WRONG_AUDIENCE"},
        {"{" ISS SUB IAT EXP JTI ",\"aud\":[]}", "WRONG_AUDIENCE"},
        {"{" ISS SUB IAT EXP JTI ",\"aud\":null}", "WRONG_AUDIENCE"},
        {"{" ISS SUB IAT EXP JTI ",\"aud\":\"acme\"}", "WRONG_AUDIENCE"},
        {"[]", "MALFORMED"},
        {"", "MALFORMED"},
        {"{" ISS SUB IAT EXP JTI "} ", NULL},
        {"{" ISS SUB IAT EXP JTI ",\"nbf\":1767225630,\"other\":{}}", NULL},
        {"{" ISS SUB IAT EXP JTI ",\"aud\":\"acme/main\"}", NULL},
        {"{" ISS SUB IAT EXP JTI ",\"aud\":[\"x\",\"" ORIGIN "\"]}", NULL},
        {"{" ISS SUB IAT "\"exp\":1767226190" JTI "}", NULL},
    };
    for (size_t i = 0; i < LEX_COUNT_OF(cases); i++) {
        struct lex_span text = test_jws(hr, identity_header, cases[i].claims);
        if (cases[i].why == NULL)
            check_counts(text);
        else
            check_refused(text, cases[i].why);
    }
}
END_TEST

START_TEST(a_statement_counts_from_iat_to_before_exp)
{
    static const struct {
        int64_t at_us;
        const char *why;
    } cases[] = {
        {(1767225590 - LEX_CLOCK_SKEW_S) * INT64_C(1000000) - 1, "NOT_YET"},
        {(1767225590 - LEX_CLOCK_SKEW_S) * INT64_C(1000000), NULL},
        {1767225890 * INT64_C(1000000) - 1, NULL},
        {1767225890 * INT64_C(1000000), "EXPIRED"},
    };
    struct lex_span text = test_jws(hr, identity_header, identity_claims());
    for (size_t i = 0; i < LEX_COUNT_OF(cases); i++) {
        now_us = cases[i].at_us;
        if (cases[i].why == NULL)
            check_counts(text);
        else
            check_refused(text, cases[i].why);
    }
    now_us = NOW * 1000000;
}
END_TEST

START_TEST(an_actor_that_the_issuer_may_not_vouch_for_is_refused)
{
    /* desk has no actors at all */
    check_refused(
        test_jws(desk, "{\"alg\":\"Ed25519\",\"typ\":\"lexecon-identity+jwt\",\"kid\":\"desk-1\"}",
                 "{" DESK_COMMON "}"),
        "NOT_ALLOWED");
}
END_TEST

START_TEST(facts_that_do_not_fit_are_refused_whole)
{
    static const struct {
        const char *facts, *why;
    } cases[] = {
        {"{}", "MALFORMED"},
        {"[]", "MALFORMED"},
        {"null", "MALFORMED"},
        {"{\"mfa\":{}}", "MALFORMED"},
        {"{\"mfa\":true,\"tags\":[\"a\",1]}", "MALFORMED"},
        {"{\"mfa\":true,\"tags\":[[]]}", "MALFORMED"},
        {"{\"mfa\":true,\"mfa\":true}", "MALFORMED"},
        {"{\"#identity\":true}", "MALFORMED"},
        {"{\"\":true}", "MALFORMED"},
        {"{\"mfa\":true,\"other\":true}", "NOT_ALLOWED"},
        {"{\"MFA\":true}", "NOT_ALLOWED"},
    };
    for (size_t i = 0; i < LEX_COUNT_OF(cases); i++)
        check_refused(test_jws(hr, fact_header, fact_claims(cases[i].facts)), cases[i].why);
    check_refused(test_jws(hr, fact_header, CLAIMS("{" HR_COMMON ",\"req\":\"%s\"}", req)),
                  "MALFORMED");
}
END_TEST

START_TEST(any_name_never_means_the_engines_own)
{
    static const char header[] =
        "{\"alg\":\"Ed25519\",\"typ\":\"lexecon-fact+jwt\",\"kid\":\"desk-1\"}";
    check_counts(test_jws(desk, header,
                          CLAIMS("{" DESK_COMMON ",\"req\":\"%s\",\"facts\":{\"x\":1}}", req)));
    check_refused(
        test_jws(desk, header,
                 CLAIMS("{" DESK_COMMON ",\"req\":\"%s\",\"facts\":{\"#rate.r\":1}}", req)),
        "MALFORMED");
    check_refused(
        test_jws(desk, header,
                 CLAIMS("{" DESK_COMMON ",\"req\":\"%s\",\"facts\":{\"a\\u0000\":1}}", req)),
        "MALFORMED");
}
END_TEST

START_TEST(facts_and_approvals_are_for_this_request_only)
{
    static const char *const others[] = {
        "\"req\":\"\"", "\"req\":null", "\"other\":1",
        "\"req\":\"a0a7aeb5bcc3cad1d8dfe6edf4fb020910171e252c333a41484f565d646b7278\""};
    for (size_t i = 0; i < LEX_COUNT_OF(others); i++)
        check_refused(test_jws(hr, fact_header,
                               CLAIMS("{" HR_COMMON ",%s,\"facts\":{\"mfa\":true}}", others[i])),
                      "WRONG_REQUEST");
    /* upper-case digits are another spelling, and there is one */
    char upper[65];
    for (size_t i = 0; i < sizeof upper; i++)
        upper[i] = (char)(req[i] >= 'a' ? req[i] - 32 : req[i]);
    check_refused(
        test_jws(hr, fact_header,
                 CLAIMS("{" HR_COMMON ",\"req\":\"%s\",\"facts\":{\"mfa\":true}}", upper)),
        "WRONG_REQUEST");
    fingerprint[31] ^= 1;
    check_refused(test_jws(desk, approval_header, approval_claims()), "WRONG_REQUEST");
}
END_TEST

START_TEST(approvals_that_do_not_fit_are_refused)
{
#define REST ",\"log\":\"" ORIGIN "\",\"approver\":\"actor:human\""
    static const struct {
        const char *claims, *why;
    } cases[] = {
        {REST, "MALFORMED"},
        {REST ",\"decision_id\":\"dec_1\"", "MALFORMED"},
        {REST ",\"decision_id\":\"dec_01KDW3Z100000300000000000U\"", "MALFORMED"},
        {REST ",\"decision_id\":\"dec_01kdw3z1000003000000000000\"", "MALFORMED"},
        {REST ",\"decision_id\":\"req_01KDW3Z1000003000000000000\"", "MALFORMED"},
        {",\"approver\":\"actor:human\",\"decision_id\":\"" DECISION "\"", "WRONG_LOG"},
        {",\"log\":\"acme/main/lexecon.ledger/2\",\"approver\":\"actor:human\",\"decision_id\":"
         "\"" DECISION "\"",
         "WRONG_LOG"},
        {",\"log\":\"" ORIGIN "\",\"decision_id\":\"" DECISION "\"", "MALFORMED"},
        {",\"log\":\"" ORIGIN "\",\"approver\":\"\",\"decision_id\":\"" DECISION "\"", "MALFORMED"},
        {",\"log\":\"" ORIGIN "\",\"approver\":\"actor:boss\",\"decision_id\":\"" DECISION "\"",
         "NOT_ALLOWED"},
        {REST ",\"decision_id\":\"" DECISION "\"", NULL},
    };
    for (size_t i = 0; i < LEX_COUNT_OF(cases); i++) {
        struct lex_span text =
            test_jws(desk, approval_header,
                     CLAIMS("{" DESK_COMMON ",\"req\":\"%s\"%s}", req, cases[i].claims));
        if (cases[i].why == NULL)
            check_counts(text);
        else
            check_refused(text, cases[i].why);
    }
}
END_TEST

START_TEST(what_was_used_is_dropped_and_identities_are_not_asked)
{
    used = (struct used){.kid = "hr-1", .jti = "j1"};
    check_refused(test_jws(hr, fact_header, fact_claims("{\"mfa\":true}")), "REUSED");
    check_counts(test_jws(desk, approval_header, approval_claims()));
    used.kid = "desk-1";
    check_refused(test_jws(desk, approval_header, approval_claims()), "REUSED");
    used.kid = "hr-1";
    used.asked = 0;
    check_counts(test_jws(hr, identity_header, identity_claims()));
    ck_assert_int_eq(used.asked, 0);
    used = (struct used){.kid = NULL};
}
END_TEST

START_TEST(the_same_statement_twice_counts_once)
{
    struct lex_span approval = test_jws(desk, approval_header, approval_claims());
    struct lex_span twice[] = {approval, approval};
    verify_all(twice, 2);
    ck_assert_uint_eq(facts.approvals_count, 1);
    ck_assert_uint_eq(problems.count, 1);
    ck_assert_int_eq(problems.items[0].why, LEX_IDENTITY_DUPLICATE);
    ck_assert_uint_eq(problems.items[0].index, 1);
}
END_TEST

START_TEST(of_two_identities_the_first_stands)
{
    struct lex_span two[] = {
        test_jws(hr, identity_header, identity_claims()),
        test_jws(hr, identity_header,
                 "{\"iss\":\"hr\",\"sub\":\"actor:bot\",\"iat\":1767225590,\"exp\":1767225890,"
                 "\"jti\":\"j2\",\"roles\":[\"actor:night\"]}"),
    };
    verify_all(two, 2);
    ck_assert_uint_eq(facts.roles.count, 1);
    ck_assert_span_eq(facts.roles.items[0], "actor:oncall");
    ck_assert_int_eq(problems.items[0].why, LEX_IDENTITY_DUPLICATE);
}
END_TEST

/* ---- ceilings ---- */

START_TEST(sizes_over_their_ceilings_are_refused)
{
    static char large[LEX_STATEMENT_MAX_BYTES + 1];
    memset(large, 'a', sizeof large);
    check_refused(lex_span_of(large, LEX_STATEMENT_MAX_BYTES), "MALFORMED");
    check_refused(lex_span_of(large, LEX_STATEMENT_MAX_BYTES + 1), "TOO_LARGE");
    struct lex_buf text;
    for (size_t over = 0; over < 2; over++) {
        lex_buf_init(&text, 64 << 10);
        for (size_t i = 0; i < LEX_STATEMENT_FACTS_MAX + over; i++)
            lex_buf_printf(&text, "%s\"f%zu\":1", i == 0 ? "" : ",", i);
        struct lex_span facts_text = test_jws(
            desk, "{\"alg\":\"Ed25519\",\"typ\":\"lexecon-fact+jwt\",\"kid\":\"desk-1\"}",
            CLAIMS("{" DESK_COMMON ",\"req\":\"%s\",\"facts\":{%s}}", req, lex_buf_str(&text)));
        if (over)
            check_refused(facts_text, "MALFORMED");
        else
            check_counts(facts_text);
        lex_buf_clear(&text);
        for (size_t i = 0; i < LEX_STATEMENT_LIST_MAX + over; i++)
            lex_buf_printf(&text, "%s\"v\"", i == 0 ? "" : ",");
        struct lex_span list_text =
            test_jws(hr, fact_header, fact_claims(CLAIMS("{\"tags\":[%s]}", lex_buf_str(&text))));
        if (over)
            check_refused(list_text, "MALFORMED");
        else
            check_counts(list_text);
        lex_buf_clear(&text);
        for (size_t i = 0; i < LEX_STATEMENT_ROLES_MAX + over; i++)
            lex_buf_printf(&text, "%s\"actor:oncall\"", i == 0 ? "" : ",");
        struct lex_span roles_text = test_jws(
            hr, identity_header, CLAIMS("{" HR_COMMON ",\"roles\":[%s]}", lex_buf_str(&text)));
        if (over)
            check_refused(roles_text, "MALFORMED");
        else
            check_counts(roles_text);
        lex_buf_fini(&text);
    }
}
END_TEST

START_TEST(a_full_arena_attests_nothing_and_says_so)
{
    struct lex_span texts[] = {test_jws(hr, identity_header, identity_claims()),
                               test_jws(desk, approval_header, approval_claims())};
    struct lex_request request = {.actor = LEX_SPAN("actor:bot"), .attestations = {texts, 2}};
    struct lex_identity_input input = {.request = &request,
                                       .fingerprint = fingerprint,
                                       .origin = LEX_SPAN(ORIGIN),
                                       .now_us = now_us,
                                       .used = was_used,
                                       .used_context = &used,
                                       .kinds = LEX_STATEMENTS_ALL};
    int limits = 0, whole = 0;
    for (size_t bytes = 64; bytes < 16384; bytes += 64) {
        struct lex_arena small;
        lex_arena_init(&small, 64, bytes);
        enum lex_status status = lex_identity_verify(identity, &input, &small, &facts, &problems);
        if (status == LEX_LIMIT) {
            check_nothing();
            ck_assert_uint_eq(problems.count, 0);
            limits++;
        } else {
            ck_assert_int_eq(status, LEX_OK);
            ck_assert_uint_eq(facts.statements_count, 2);
            whole++;
        }
        lex_arena_fini(&small);
    }
    ck_assert(limits > 2 && whole > 2);
}
END_TEST

/* ---- issuers.json ---- */

START_TEST(issuers_that_are_wrong_are_told_with_their_place)
{
#define KEY_A "{\"kid\":\"a\",\"public_key\":\"11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"}"
#define KEY_B "{\"kid\":\"b\",\"public_key\":\"11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"}"
    static const struct {
        const char *json, *why;
    } cases[] = {
        {"", "line 1"},
        {"[]", "line 1, column 1: expected an object with exactly `issuers`"},
        {"{}", "line 1, column 1: issuers:"},
        {"{\"issuers\":[],\n\"x\":1}", "line 2, column 1"},
        {"{\"issuers\":{}}", "column 12: issuers:"},
        {"{\"issuers\":[{\"iss\":\"i\"}]}", "keys: expected 1 to 16"},
        {"{\"issuers\":[{\"iss\":\"i\",\"keys\":[]}]}", "keys: expected 1 to 16"},
        {"{\"issuers\":[{\"iss\":\"\",\"keys\":[" KEY_A "]}]}", "iss: expected"},
        {"{\"issuers\":[{\"keys\":[" KEY_A "]}]}", "iss: expected"},
        {"{\"issuers\":[{\"iss\":\"i\",\"keys\":[" KEY_A "],\n\"fact\":[]}]}", "line 2, column 1"},
        {"{\"issuers\":[{\"iss\":\"i\",\"keys\":[" KEY_A "]},\n{\"iss\":\"i\",\"keys\":[" KEY_A
         "]}]}",
         "line 2, column 8: iss: this issuer stands above"},
        {"{\"issuers\":[{\"iss\":\"i\",\"keys\":[" KEY_A ",\n" KEY_A "]}]}",
         "line 2, column 1: kid: this one"},
        {"{\"issuers\":[{\"iss\":\"i\",\"keys\":[" KEY_A "]},\n{\"iss\":\"k\",\"keys\":[" KEY_B
         "]}]}",
         "line 2, column 20: the same public key"},
        {"{\"issuers\":[{\"iss\":\"i\",\"keys\":[" KEY_A "],\"facts\":\"*\"}]}", "list"},
        {"{\"issuers\":[{\"iss\":\"i\",\"keys\":[" KEY_A "],\"facts\":[\"a*\"]}]}", "no patterns"},
        {"{\"issuers\":[{\"iss\":\"i\",\"keys\":[" KEY_A "],\"facts\":[\"*\",\"a\"]}]}", "alone"},
        {"{\"issuers\":[{\"iss\":\"i\",\"keys\":[" KEY_A "],\"facts\":[\"#a\"]}]}", "# in front"},
        {"{\"issuers\":[{\"iss\":\"i\",\"keys\":[" KEY_A "],\"facts\":[7]}]}", "expected a name"},
        {"{\"issuers\":[{\"iss\":\"i\",\"keys\":[{\"kid\":\"a\"}]}]}", "public_key"},
        {"{\"issuers\":[{\"iss\":\"i\",\"keys\":[{\"kid\":\"a\",\"public_key\":\"AAAA\"}]}]}",
         "public_key: expected"},
        {"{\"issuers\":[{\"iss\":\"i\",\"keys\":[{\"kid\":\"a b\",\"public_key\":\"AAAA\"}]}]}",
         "kid: expected"},
        {"{\"issuers\":[{\"iss\":\"i\",\"keys\":[{\"kid\":\"a\",\"secret\":\"AAAA\"}]}]}",
         "kid, public_key or jwk"},
        {"{\"issuers\":[{\"iss\":\"i\",\"keys\":[{\"kid\":\"a\",\"jwk\":{\"kty\":\"RSA\"}}]}]}",
         "OKP"},
        {"{\"issuers\":[{\"iss\":\"i\",\"keys\":[{\"kid\":\"a\",\"jwk\":{\"kty\":\"OKP\",\"crv\":"
         "\"Ed25519\",\"kid\":\"b\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}}]}]}",
         "another than the one beside it"},
        {"{\"issuers\":[{\"iss\":\"i\",\"keys\":[{\"kid\":\"a\",\"alg\":\"HS256\",\"public_key\":"
         "\"11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"}]}]}",
         "alg: expected"},
    };
    for (size_t i = 0; i < LEX_COUNT_OF(cases); i++) {
        struct lex_identity *parsed = NULL;
        ck_assert_msg(lex_identity_parse(lex_span_str(cases[i].json), &parsed, &err) == LEX_REJECT,
                      "%s", cases[i].json);
        ck_assert_msg(strstr(err.text, cases[i].why) != NULL, "%s: %s", cases[i].json, err.text);
        ck_assert_ptr_null(parsed);
    }
}
END_TEST

START_TEST(an_issuers_file_over_its_ceilings_is_refused)
{
    struct lex_identity *parsed = NULL;
    static char large[LEX_ISSUERS_FILE_MAX_BYTES + 1];
    memset(large, ' ', sizeof large);
    memcpy(large, "{\"issuers\":[]}", 14);
    ck_assert_int_eq(
        lex_identity_parse(lex_span_of(large, LEX_ISSUERS_FILE_MAX_BYTES), &parsed, &err), LEX_OK);
    lex_identity_free(parsed);
    ck_assert_int_eq(
        lex_identity_parse(lex_span_of(large, LEX_ISSUERS_FILE_MAX_BYTES + 1), &parsed, &err),
        LEX_REJECT);
    for (size_t over = 0; over < 2; over++) {
        struct lex_buf text;
        lex_buf_init(&text, 1 << 20);
        lex_buf_puts(&text, "{\"issuers\":[{\"iss\":\"i\",\"keys\":[" KEY_A "],\"facts\":[");
        for (size_t i = 0; i < LEX_ISSUER_NAMES_MAX + over; i++)
            lex_buf_printf(&text, "%s\"f%zu\"", i == 0 ? "" : ",", i);
        lex_buf_puts(&text, "]}]}");
        ck_assert_int_eq(lex_identity_parse(lex_buf_span(&text), &parsed, &err),
                         over ? LEX_REJECT : LEX_OK);
        if (!over)
            lex_identity_free(parsed);
        lex_buf_fini(&text);
    }
}
END_TEST

/* Distinct keys from distinct seeds. */
static void put_keys(struct lex_buf *text, unsigned first, size_t count)
{
    for (unsigned i = 0; i < count; i++) {
        uint8_t seed[LEX_SEED_BYTES] = {(uint8_t)(first + i), (uint8_t)((first + i) >> 8), 99};
        struct lex_signer *signer;
        ck_assert_int_eq(lex_signer_from_seed(seed, &signer, &err), LEX_OK);
        lex_buf_printf(text, "%s{\"kid\":\"k%u\",\"public_key\":\"%s\"}", i == 0 ? "" : ",",
                       first + i, test_public(signer, false));
        lex_signer_free(signer);
    }
}

START_TEST(issuers_and_keys_over_their_ceilings_are_refused)
{
    struct lex_identity *parsed = NULL;
    for (size_t over = 0; over < 2; over++) {
        struct lex_buf text;
        lex_buf_init(&text, 1 << 20);
        lex_buf_puts(&text, "{\"issuers\":[{\"iss\":\"i\",\"keys\":[");
        put_keys(&text, 0, LEX_ISSUER_KEYS_MAX + over);
        lex_buf_puts(&text, "]}]}");
        ck_assert_int_eq(lex_identity_parse(lex_buf_span(&text), &parsed, &err),
                         over ? LEX_REJECT : LEX_OK);
        if (!over)
            lex_identity_free(parsed);
        lex_buf_clear(&text);
        lex_buf_puts(&text, "{\"issuers\":[");
        for (unsigned i = 0; i < LEX_ISSUERS_MAX + over; i++) {
            lex_buf_printf(&text, "%s{\"iss\":\"i%u\",\"keys\":[", i == 0 ? "" : ",", i);
            put_keys(&text, i, 1);
            lex_buf_puts(&text, "]}");
        }
        lex_buf_puts(&text, "]}");
        ck_assert_int_eq(lex_identity_parse(lex_buf_span(&text), &parsed, &err),
                         over ? LEX_REJECT : LEX_OK);
        if (!over)
            lex_identity_free(parsed);
        lex_buf_fini(&text);
    }
}
END_TEST

START_TEST(a_file_that_cannot_be_read_is_named)
{
    struct lex_identity *parsed = NULL;
    ck_assert_int_eq(lex_identity_load("/nowhere/issuers.json", &parsed, &err), LEX_REJECT);
    ck_assert(strstr(err.text, "/nowhere/issuers.json") != NULL);
    ck_assert_int_eq(lex_identity_load("/", &parsed, &err), LEX_REJECT);
    ck_assert_ptr_null(parsed);
}
END_TEST

LEX_CHECK_MAIN_WITH(
    "identity", setup, teardown, a_request_without_statements_attests_nothing,
    an_identity_gives_the_actor_its_roles, an_identity_without_roles_is_one,
    facts_keep_their_types_and_name_their_issuer, numbers_are_exact_or_refused,
    an_approval_names_its_approver_and_key, one_bad_statement_leaves_the_others,
    facts_of_several_statements_stand_together, only_the_kinds_that_are_asked_for_are_verified,
    at_most_four_are_looked_at, without_issuers_nobody_speaks, headers_that_do_not_fit_are_refused,
    claims_that_do_not_fit_are_refused, a_statement_counts_from_iat_to_before_exp,
    an_actor_that_the_issuer_may_not_vouch_for_is_refused, facts_that_do_not_fit_are_refused_whole,
    any_name_never_means_the_engines_own, facts_and_approvals_are_for_this_request_only,
    approvals_that_do_not_fit_are_refused, what_was_used_is_dropped_and_identities_are_not_asked,
    the_same_statement_twice_counts_once, of_two_identities_the_first_stands,
    sizes_over_their_ceilings_are_refused, a_full_arena_attests_nothing_and_says_so,
    issuers_that_are_wrong_are_told_with_their_place, an_issuers_file_over_its_ceilings_is_refused,
    issuers_and_keys_over_their_ceilings_are_refused, a_file_that_cannot_be_read_is_named)
