/* Tokens: only an approval has one, it says what the ledger entry says, and what is presented is
 * believed only when every part of it holds. */
#include "core/identity/token.h"

#include "tests/unit/jwt_fixture.h"

#define NOW_US INT64_C(1767225600123456) /* 2026-01-01T00:00:00.123456Z */
#define NOW_S INT64_C(1767225600)
#define ISS "acme/main"
#define AUD "gateway"

static struct lex_keyring *keyring;
static struct lex_jwk jwk;
static char kid[LEX_KID_HEX_BYTES];
static struct lex_jwk_list keys = {&jwk, 1};
static const uint8_t hash[32] = {0x7a, 0x29, 0xcc}, policy_hash[32] = {0x08, 0xff};
static const struct lex_span classes[] = {LEX_SPAN_INIT("pii"), LEX_SPAN_INIT("con\"tract")};

static void setup(void)
{
    uint8_t seed[LEX_SEED_BYTES] = {5};
    test_jwt_setup();
    ck_assert_int_eq(lex_keyring_from_seed(seed, ISS, &keyring, &err), LEX_OK);
    lex_jwk_of_keyring(keyring, LEX_JWT_EDDSA, kid, &jwk);
}

static void teardown(void)
{
    lex_keyring_free(keyring);
    test_jwt_teardown();
}

static struct lex_ledger_entry approved_entry(void)
{
    return (struct lex_ledger_entry){
        .log = LEX_SPAN("acme/main/lexecon.ledger/3"),
        .seq = 41,
        .event_type = LEX_EVENT_TYPE_DECISION,
        .decision_id = LEX_SPAN("dec_01KDW3Z1000003000000000000"),
        .actor = LEX_SPAN("agent:billing"),
        .action = LEX_SPAN("read"),
        .tool = LEX_SPAN("crm.lookup"),
        .resource = LEX_SPAN("customer/42 \xe2\x82\xac"),
        .data_classes = {classes, 2},
        .outcome = LEX_OUTCOME_APPROVED,
        .allowed = true,
        .policy_hash = lex_span_of(policy_hash, 32),
        .request_fingerprint = lex_span_of(hash, 32),
        .evaluated_at = {true, NOW_US},
        .valid_until = {true, NOW_US + 300 * INT64_C(1000000)},
    };
}

static enum lex_status claims_of(const struct lex_ledger_entry *entry, int64_t max_ttl_s,
                                 struct lex_token_claims *claims)
{
    return lex_token_claims_of(entry, LEX_SPAN(ISS), LEX_SPAN(AUD), max_ttl_s * 1000000, claims);
}

static struct lex_span issue(const struct lex_ledger_entry *entry)
{
    struct lex_token_claims claims;
    struct lex_span token;
    ck_assert_int_eq(claims_of(entry, 3600, &claims), LEX_OK);
    ck_assert_int_eq(lex_token_issue(keyring, &claims, LEX_JWT_EDDSA, &arena, &token), LEX_OK);
    return token;
}

static struct lex_token_expect expected(void)
{
    return (struct lex_token_expect){.iss = LEX_SPAN(ISS),
                                     .aud = LEX_SPAN(AUD),
                                     .sub = LEX_SPAN("agent:billing"),
                                     .now_us = NOW_US};
}

static void check_refused(struct lex_span token, const struct lex_token_expect *expect,
                          const char *expected_why)
{
    struct lex_member_list claims = {NULL, 77};
    enum lex_identity_why why = LEX_IDENTITY_WHY_COUNT;
    ck_assert_int_eq(lex_token_verify(&keys, token, expect, &arena, &claims, &why), LEX_REJECT);
    ck_assert_span_eq(lex_identity_why_name(why), expected_why);
    ck_assert_uint_eq(claims.count, 77);
}

static struct lex_member_list verified(struct lex_span token)
{
    struct lex_member_list claims;
    struct lex_token_expect expect = expected();
    enum lex_identity_why why = LEX_IDENTITY_WHY_COUNT;
    ck_assert_msg(lex_token_verify(&keys, token, &expect, &arena, &claims, &why) == LEX_OK, "%.*s",
                  LEX_SPAN_FMT(lex_identity_why_name(why)));
    return claims;
}

static const struct lex_value *claim(const struct lex_member_list *claims, const char *name)
{
    for (size_t i = 0; i < claims->count; i++)
        if (lex_span_eq(claims->items[i].key, lex_span_str(name)))
            return &claims->items[i].value;
    return NULL;
}

/* ---- to issue ---- */

START_TEST(only_an_approved_decision_has_a_token)
{
    struct lex_token_claims claims;
    struct lex_ledger_entry entry = approved_entry();
    ck_assert_int_eq(claims_of(&entry, 3600, &claims), LEX_OK);
    for (unsigned outcome = 0; outcome < LEX_OUTCOME_COUNT; outcome++) {
        entry.outcome = outcome;
        ck_assert_int_eq(claims_of(&entry, 3600, &claims) == LEX_OK,
                         outcome == LEX_OUTCOME_APPROVED);
    }
    entry = approved_entry();
    for (unsigned type = 0; type < LEX_EVENT_TYPE_COUNT; type++) {
        entry.event_type = type;
        ck_assert_int_eq(claims_of(&entry, 3600, &claims) == LEX_OK,
                         type == LEX_EVENT_TYPE_DECISION);
    }
    entry = approved_entry();
    entry.allowed = false;
    ck_assert_int_eq(claims_of(&entry, 3600, &claims), LEX_REJECT);
    entry = approved_entry();
    entry.request_fingerprint = lex_span_str(NULL);
    ck_assert_int_eq(claims_of(&entry, 3600, &claims), LEX_REJECT);
    entry = approved_entry();
    entry.valid_until.present = false;
    ck_assert_int_eq(claims_of(&entry, 3600, &claims), LEX_REJECT);
}
END_TEST

START_TEST(a_token_ends_with_the_verdict_or_before)
{
    struct lex_token_claims claims;
    struct lex_ledger_entry entry = approved_entry();
    ck_assert_int_eq(claims_of(&entry, 3600, &claims), LEX_OK);
    ck_assert_int_eq(claims.iat_s, NOW_S);
    ck_assert_int_eq(claims.exp_s, NOW_S + 300);
    ck_assert_int_eq(claims_of(&entry, 60, &claims), LEX_OK);
    ck_assert_int_eq(claims.exp_s, NOW_S + 60);
    entry.valid_until.value = NOW_US + 1900000; /* 2.02 s after the second began */
    ck_assert_int_eq(claims_of(&entry, 3600, &claims), LEX_OK);
    ck_assert_int_eq(claims.exp_s, NOW_S + 2);
    entry.valid_until.value = NOW_US + 800000; /* within the same second: no time is left */
    ck_assert_int_eq(claims_of(&entry, 3600, &claims), LEX_REJECT);
    entry.valid_until.value = NOW_US;
    ck_assert_int_eq(claims_of(&entry, 3600, &claims), LEX_REJECT);
}
END_TEST

START_TEST(what_is_issued_verifies_and_says_what_the_entry_says)
{
    struct lex_ledger_entry entry = approved_entry();
    struct lex_member_list claims = verified(issue(&entry));
    ck_assert_uint_eq(claims.count, 15);
    static const char *const texts[][2] = {
        {"iss", ISS},
        {"aud", AUD},
        {"sub", "agent:billing"},
        {"jti", "dec_01KDW3Z1000003000000000000"},
        {"action", "read"},
        {"tool", "crm.lookup"},
        {"resource", "customer/42 \xe2\x82\xac"},
        {"req", "7a29cc0000000000000000000000000000000000000000000000000000000000"},
        {"policy_hash", "08ff000000000000000000000000000000000000000000000000000000000000"},
        {"led.log", "acme/main/lexecon.ledger/3"},
    };
    for (size_t i = 0; i < LEX_COUNT_OF(texts); i++) {
        ck_assert_int_eq(claim(&claims, texts[i][0])->type, LEX_VALUE_STRING);
        ck_assert_span_eq(claim(&claims, texts[i][0])->text, texts[i][1]);
    }
    ck_assert_int_eq(claim(&claims, "iat")->i64, NOW_S);
    ck_assert_int_eq(claim(&claims, "nbf")->i64, NOW_S);
    ck_assert_int_eq(claim(&claims, "exp")->i64, NOW_S + 300);
    ck_assert_int_eq(claim(&claims, "led.seq")->i64, 41);
    ck_assert_uint_eq(claim(&claims, "dc")->list.count, 2);
    ck_assert_span_eq(claim(&claims, "dc")->list.items[1], "con\"tract");
}
END_TEST

START_TEST(the_header_names_type_and_key)
{
    struct lex_ledger_entry entry = approved_entry();
    struct lex_token_claims claims;
    struct lex_jws jws;
    enum lex_jws_problem problem;
    struct lex_span token;
    for (unsigned alg = 0; alg < LEX_JWT_ALGS; alg++) {
        ck_assert_int_eq(claims_of(&entry, 3600, &claims), LEX_OK);
        ck_assert_int_eq(lex_token_issue(keyring, &claims, alg, &arena, &token), LEX_OK);
        ck_assert_int_eq(lex_jws_read(token, 10000, &arena, &jws, &problem), LEX_OK);
        ck_assert_span_eq(jws.typ, "lexecon-cap+jwt");
        ck_assert_span_eq(jws.alg, lex_jwt_alg_name(alg));
        ck_assert_span_eq(jws.kid, kid);
    }
}
END_TEST

START_TEST(what_the_call_lacks_is_null_and_no_fact)
{
    struct lex_ledger_entry entry = approved_entry();
    struct lex_jws jws;
    enum lex_jws_problem problem;
    struct lex_span payload;
    entry.tool = entry.resource = lex_span_str(NULL);
    entry.data_classes.count = 0;
    struct lex_span token = issue(&entry);
    struct lex_member_list claims = verified(token);
    ck_assert_uint_eq(claims.count, 13);
    ck_assert_ptr_null(claim(&claims, "tool"));
    ck_assert_ptr_null(claim(&claims, "resource"));
    ck_assert_uint_eq(claim(&claims, "dc")->list.count, 0);
    ck_assert_int_eq(lex_jws_read(token, 10000, &arena, &jws, &problem), LEX_OK);
    ck_assert_int_eq(lex_jws_open(&jws, &jwk.key, jwk.alg, &arena, &payload, &problem), LEX_OK);
    ck_assert_ptr_nonnull(memmem(payload.data, payload.len, "\"tool\":null", 11));
    ck_assert_ptr_nonnull(memmem(payload.data, payload.len, "\"resource\":null", 15));
}
END_TEST

START_TEST(a_token_over_its_ceiling_is_none)
{
    struct lex_ledger_entry entry = approved_entry();
    struct lex_token_claims claims;
    struct lex_span token = lex_span_str(NULL);
    uint8_t *text = lex_arena_alloc(&arena, LEX_TOKEN_MAX_BYTES);
    size_t good = 0, bad = 0;
    memset(text, 'x', LEX_TOKEN_MAX_BYTES);
    for (size_t len = 46000; len <= 49000; len += 7) {
        struct lex_arena own;
        lex_arena_init(&own, 1 << 20, 8 << 20);
        entry.resource = lex_span_of(text, len);
        enum lex_status status = claims_of(&entry, 3600, &claims);
        ck_assert(status == LEX_OK || status == LEX_REJECT);
        if (status == LEX_OK)
            ck_assert_int_eq(lex_token_issue(keyring, &claims, LEX_JWT_EDDSA, &own, &token),
                             LEX_OK);
        ck_assert(status == LEX_REJECT || token.len <= LEX_TOKEN_MAX_BYTES);
        ck_assert(status == LEX_OK || bad > 0 || good > 0); /* first fits, then not, never again */
        ck_assert(status != LEX_OK || bad == 0);
        good += status == LEX_OK;
        bad += status == LEX_REJECT;
        lex_arena_fini(&own);
    }
    ck_assert(good > 0 && bad > 0);
    memset(text, '"', LEX_TOKEN_MAX_BYTES); /* what needs escapes takes more room */
    entry.resource = lex_span_of(text, 30000);
    ck_assert_int_eq(claims_of(&entry, 3600, &claims), LEX_REJECT);
    entry.resource.len = 7000;
    ck_assert_int_eq(claims_of(&entry, 3600, &claims), LEX_OK);
}
END_TEST

START_TEST(a_full_arena_is_a_limit)
{
    struct lex_ledger_entry entry = approved_entry();
    struct lex_token_claims claims;
    struct lex_token_expect expect = expected();
    struct lex_span token = issue(&entry), again;
    struct lex_member_list list;
    enum lex_identity_why why;
    int limits = 0;
    ck_assert_int_eq(claims_of(&entry, 3600, &claims), LEX_OK);
    for (size_t bytes = 64; bytes < 12000; bytes += 64) {
        struct lex_arena small;
        lex_arena_init(&small, 64, bytes);
        enum lex_status issued = lex_token_issue(keyring, &claims, LEX_JWT_EDDSA, &small, &again);
        lex_arena_reset(&small);
        enum lex_status status = lex_token_verify(&keys, token, &expect, &small, &list, &why);
        ck_assert(issued == LEX_OK || issued == LEX_LIMIT);
        ck_assert(status == LEX_OK || status == LEX_LIMIT);
        limits += (issued == LEX_LIMIT) + (status == LEX_LIMIT);
        lex_arena_fini(&small);
    }
    ck_assert_int_gt(limits, 4);
}
END_TEST

/* ---- to verify ---- */

START_TEST(any_altered_character_of_a_token_is_refused)
{
    struct lex_ledger_entry entry = approved_entry();
    struct lex_span token = issue(&entry);
    struct lex_token_expect expect = expected();
    uint8_t *copy = lex_arena_alloc(&arena, token.len);
    struct lex_arena_mark mark = lex_arena_mark(&arena);
    memcpy(copy, token.data, token.len);
    for (size_t at = 0; at < token.len; at++) {
        struct lex_member_list claims;
        enum lex_identity_why why;
        copy[at] ^= 1;
        ck_assert_int_eq(
            lex_token_verify(&keys, lex_span_of(copy, token.len), &expect, &arena, &claims, &why),
            LEX_REJECT);
        copy[at] ^= 1;
        lex_arena_rollback(&arena, mark);
    }
}
END_TEST

START_TEST(a_token_for_others_is_refused)
{
    struct lex_ledger_entry entry = approved_entry();
    struct lex_span token = issue(&entry);
    struct lex_token_expect expect = expected();
    expect.iss = LEX_SPAN("acme/other");
    check_refused(token, &expect, "WRONG_ISSUER");
    expect = expected();
    expect.aud = LEX_SPAN("another");
    check_refused(token, &expect, "WRONG_AUDIENCE");
    expect = expected();
    expect.sub = LEX_SPAN("agent:other");
    check_refused(token, &expect, "WRONG_SUBJECT");
    expect = expected();
    expect.sub = lex_span_str(NULL);
    struct lex_member_list claims;
    enum lex_identity_why why;
    ck_assert_int_eq(lex_token_verify(&keys, token, &expect, &arena, &claims, &why), LEX_OK);
}
END_TEST

START_TEST(a_token_lives_from_iat_to_before_exp)
{
    struct lex_ledger_entry entry = approved_entry();
    struct lex_span token = issue(&entry);
    struct lex_token_expect expect = expected();
    struct lex_member_list claims;
    enum lex_identity_why why;
    static const struct {
        int64_t at_us;
        const char *why;
    } cases[] = {
        {(NOW_S - LEX_CLOCK_SKEW_S) * 1000000 - 1, "NOT_YET"},
        {(NOW_S - LEX_CLOCK_SKEW_S) * 1000000, NULL},
        {(NOW_S + 300) * 1000000 - 1, NULL},
        {(NOW_S + 300) * 1000000, "EXPIRED"},
    };
    for (size_t i = 0; i < LEX_COUNT_OF(cases); i++) {
        expect.now_us = cases[i].at_us;
        if (cases[i].why != NULL)
            check_refused(token, &expect, cases[i].why);
        else
            ck_assert_int_eq(lex_token_verify(&keys, token, &expect, &arena, &claims, &why),
                             LEX_OK);
    }
}
END_TEST

/* Signed by the right key, and still none of ours. */
static struct lex_span signed_token(const char *typ, const char *payload)
{
    struct lex_span signed_text, token;
    uint8_t signature[LEX_SIGNATURE_BYTES];
    ck_assert_int_eq(lex_jws_begin(LEX_JWT_EDDSA, typ, lex_span_str(kid), lex_span_str(payload),
                                   &arena, &signed_text),
                     LEX_OK);
    lex_keyring_sign(keyring, LEX_KEY_TOKEN, signed_text, signature);
    ck_assert_int_eq(lex_jws_end(signed_text, signature, &arena, &token), LEX_OK);
    return token;
}

#define HEX64 "7a29cc0000000000000000000000000000000000000000000000000000000000"
#define HEAD "{\"iss\":\"" ISS "\",\"aud\":\"" AUD "\",\"sub\":\"agent:billing\","
#define TIME "\"iat\":1767225600,\"nbf\":1767225600,\"exp\":1767225900,\"jti\":\"d\","
#define CALL "\"action\":\"read\",\"tool\":null,\"resource\":null,\"dc\":[],"
#define TAIL "\"req\":\"" HEX64 "\",\"policy_hash\":null,\"led\":{\"log\":\"l\",\"seq\":1}}"

START_TEST(a_token_that_lacks_a_claim_is_refused)
{
    struct lex_token_expect expect = expected();
    static const struct {
        const char *payload, *why;
    } cases[] = {
        {HEAD TIME CALL TAIL, NULL},
        {HEAD TIME TAIL, "MALFORMED"},
        {HEAD TIME "\"action\":null,\"tool\":null,\"resource\":null,\"dc\":[]," TAIL, "MALFORMED"},
        {HEAD TIME "\"action\":\"read\",\"resource\":null,\"dc\":[]," TAIL, "MALFORMED"},
        {HEAD TIME "\"action\":\"read\",\"tool\":1,\"resource\":null,\"dc\":[]," TAIL, "MALFORMED"},
        {HEAD TIME "\"action\":\"read\",\"tool\":null,\"resource\":null,\"dc\":null," TAIL,
         "MALFORMED"},
        {HEAD TIME "\"action\":\"read\",\"tool\":null,\"resource\":null,\"dc\":[1]," TAIL,
         "MALFORMED"},
        {HEAD TIME CALL "\"req\":\"00\",\"policy_hash\":null,\"led\":{\"log\":\"l\",\"seq\":1}}",
         "MALFORMED"},
        {HEAD TIME CALL "\"req\":\"" HEX64 "\",\"policy_hash\":null,\"led\":{\"log\":\"l\"}}",
         "MALFORMED"},
        {HEAD TIME CALL "\"req\":\"" HEX64
                        "\",\"policy_hash\":null,\"led\":{\"log\":\"l\",\"seq\":1.5}}",
         "MALFORMED"},
        {HEAD TIME CALL "\"req\":\"" HEX64 "\",\"policy_hash\":null}", "MALFORMED"},
        {HEAD "\"iat\":1767225600,\"exp\":1767225900,\"jti\":\"d\"," CALL TAIL, "MALFORMED"},
        {HEAD "\"iat\":1767225600,\"nbf\":1767225600,\"exp\":1767312001,\"jti\":\"d\"," CALL TAIL,
         "TOO_LONG"},
        {HEAD TIME "\"iss\":\"x\"," CALL TAIL, "MALFORMED"},
        {"[]", "MALFORMED"},
    };
    for (size_t i = 0; i < LEX_COUNT_OF(cases); i++) {
        struct lex_span token = signed_token("lexecon-cap+jwt", cases[i].payload);
        if (cases[i].why != NULL)
            check_refused(token, &expect, cases[i].why);
        else
            (void)verified(token);
    }
    check_refused(signed_token("lexecon-cap", HEAD TIME CALL TAIL), &expect, "WRONG_TYPE");
    check_refused(signed_token("lexecon-identity+jwt", HEAD TIME CALL TAIL), &expect, "WRONG_TYPE");
}
END_TEST

START_TEST(a_token_of_another_key_or_algorithm_is_refused)
{
    struct lex_ledger_entry entry = approved_entry();
    struct lex_token_expect expect = expected();
    struct lex_span token = issue(&entry);
    struct lex_jwk own = jwk;
    jwk.alg = LEX_JWT_ED25519;
    check_refused(token, &expect, "WRONG_ALGORITHM");
    jwk = own;
    jwk.key = *lex_keyring_public(keyring, LEX_KEY_VERDICT);
    check_refused(token, &expect, "BAD_SIGNATURE");
    jwk = own;
    jwk.kid = LEX_SPAN("00000000");
    check_refused(token, &expect, "UNKNOWN_KEY");
    jwk = own;
    keys.count = 0;
    check_refused(token, &expect, "UNKNOWN_KEY");
    keys.count = 1;
    (void)verified(token);
}
END_TEST

START_TEST(a_token_over_the_ceiling_is_not_looked_at)
{
    struct lex_token_expect expect = expected();
    uint8_t *text = lex_arena_alloc(&arena, LEX_TOKEN_MAX_BYTES + 1);
    memset(text, 'a', LEX_TOKEN_MAX_BYTES + 1);
    check_refused(lex_span_of(text, LEX_TOKEN_MAX_BYTES), &expect, "MALFORMED");
    check_refused(lex_span_of(text, LEX_TOKEN_MAX_BYTES + 1), &expect, "TOO_LARGE");
}
END_TEST

/* ---- active tokens ---- */

START_TEST(active_tokens_are_those_that_have_not_expired)
{
    ck_assert_uint_eq(lex_token_active_count(NOW_S), 0);
    lex_token_active_add(NOW_S + 1);
    lex_token_active_add(NOW_S + 2);
    lex_token_active_add(NOW_S + 2);
    lex_token_active_add(NOW_S + LEX_TOKEN_LIFETIME_MAX_S);
    ck_assert_uint_eq(lex_token_active_count(NOW_S), 4);
    ck_assert_uint_eq(lex_token_active_count(NOW_S + 1), 3);
    ck_assert_uint_eq(lex_token_active_count(NOW_S + 2), 1);
    /* a slot that comes round again forgets those that ended in it */
    int64_t round = LEX_TOKEN_LIFETIME_MAX_S + LEX_CLOCK_SKEW_S + 1;
    lex_token_active_add(NOW_S + 2 + round);
    ck_assert_uint_eq(lex_token_active_count(NOW_S + round), 1);
}
END_TEST

/* ---- signed policies ---- */

START_TEST(a_signed_policy_gives_its_bytes_back)
{
    struct lex_signer *author = test_signer(1), *other = test_signer(2);
    static const char document[] = "{ \"name\": \"p\",\n  \"x\": 1.0 }\n";
    struct lex_span text, back;
    ck_assert_int_eq(lex_policy_jws_sign(author, lex_span_str(document), &arena, &text, &err),
                     LEX_OK);
    ck_assert_int_eq(lex_policy_jws_verify(lex_signer_public(author), text, &arena, &back, &err),
                     LEX_OK);
    ck_assert_span_eq(back, document);
    ck_assert_int_eq(lex_policy_jws_verify(lex_signer_public(other), text, &arena, &back, &err),
                     LEX_REJECT);
    ck_assert(strstr(err.text, "signature") != NULL);
    text.len--;
    ck_assert_int_eq(lex_policy_jws_verify(lex_signer_public(author), text, &arena, &back, &err),
                     LEX_REJECT);
    lex_signer_free(author);
    lex_signer_free(other);
}
END_TEST

START_TEST(what_is_signed_for_something_else_is_no_policy)
{
    struct lex_signer *author = test_signer(1);
    static const char *const headers[] = {
        "{\"alg\":\"EdDSA\"}",
        "{\"alg\":\"EdDSA\",\"typ\":\"lexecon-cap+jwt\"}",
        "{\"alg\":\"EdDSA\",\"typ\":\"lexecon-fact+jwt\"}",
        "{\"alg\":\"none\",\"typ\":\"lexecon-policy+jws\"}",
        "{\"alg\":\"EdDSA\",\"typ\":\"lexecon-policy+jws\",\"crit\":[\"b64\"],\"b64\":false}",
    };
    struct lex_span back;
    for (size_t i = 0; i < LEX_COUNT_OF(headers); i++)
        ck_assert_int_eq(lex_policy_jws_verify(lex_signer_public(author),
                                               test_jws(author, headers[i], "{}"), &arena, &back,
                                               &err),
                         LEX_REJECT);
    ck_assert_int_eq(
        lex_policy_jws_verify(
            lex_signer_public(author),
            test_jws(author, "{\"alg\":\"EdDSA\",\"typ\":\"lexecon-policy+jws\",\"kid\":\"p\"}",
                     "{}"),
            &arena, &back, &err),
        LEX_OK);
    lex_signer_free(author);
}
END_TEST

LEX_CHECK_MAIN_WITH("token", setup, teardown, only_an_approved_decision_has_a_token,
                    a_token_ends_with_the_verdict_or_before,
                    what_is_issued_verifies_and_says_what_the_entry_says,
                    the_header_names_type_and_key, what_the_call_lacks_is_null_and_no_fact,
                    a_token_over_its_ceiling_is_none, a_full_arena_is_a_limit,
                    any_altered_character_of_a_token_is_refused, a_token_for_others_is_refused,
                    a_token_lives_from_iat_to_before_exp, a_token_that_lacks_a_claim_is_refused,
                    a_token_of_another_key_or_algorithm_is_refused,
                    a_token_over_the_ceiling_is_not_looked_at,
                    active_tokens_are_those_that_have_not_expired,
                    a_signed_policy_gives_its_bytes_back,
                    what_is_signed_for_something_else_is_no_policy)
