/* Worker: approvals and identities that count once, and capability tokens. */
#include "core/crypto/jwt.h"
#include "tests/unit/worker_bench.h"

static struct lex_signer *signer;
static struct lex_identity *identity;

static void use_issuer(void)
{
    static const uint8_t seed[LEX_SEED_BYTES] = {9};
    struct lex_error err;
    struct lex_buf json;
    lex_buf_init(&json, 4096);
    ck_assert_int_eq(lex_signer_from_seed(seed, &signer, &err), LEX_OK);
    lex_buf_puts(&json, "{\"issuers\":[{\"iss\":\"hr\",\"approvers\":[\"actor:human\"],"
                        "\"actors\":[\"user\"],\"keys\":[{\"kid\":\"k1\",\"public_key\":\"");
    lex_buf_put_base64(&json, lex_span_of(lex_signer_public(signer)->bytes, LEX_PUBLIC_KEY_BYTES));
    lex_buf_puts(&json, "\"}]}]}");
    ck_assert_msg(lex_identity_parse(lex_buf_span(&json), &identity, &err) == LEX_OK, "%s",
                  err.text);
    lex_buf_fini(&json);
    b.options.identity = identity;
}

static void drop_issuer(void)
{
    lex_identity_free(identity);
    lex_signer_free(signer);
}

static const char *jwt(const char *type, const char *claims)
{
    struct lex_buf text;
    uint8_t signature[LEX_SIGNATURE_BYTES];
    char header[96];
    int len = snprintf(header, sizeof header,
                       "{\"alg\":\"EdDSA\",\"typ\":\"lexecon-%s+jwt\",\"kid\":\"k1\"}", type);
    lex_buf_init(&text, 4096);
    lex_buf_put_base64url(&text, lex_span_of(header, (size_t)len));
    lex_buf_putc(&text, '.');
    lex_buf_put_base64url(&text, lex_span_str(claims));
    lex_signer_sign(signer, lex_buf_span(&text), signature);
    lex_buf_putc(&text, '.');
    lex_buf_put_base64url(&text, lex_span_of(signature, sizeof signature));
    const char *kept =
        (const char *)lex_arena_dup(&b.arena, lex_span_of(lex_buf_str(&text), text.len + 1)).data;
    lex_buf_fini(&text);
    return kept;
}

/* The deploy request with an approval of it that says it was issued then. */
static const char *deploy_approved_at(const char *jti, int64_t issued_s)
{
    struct lex_request request = {
        .actor = LEX_SPAN("user"), .proposed_action = LEX_SPAN("deploy"), .risk_level = 1};
    uint8_t hash[32];
    struct lex_buf claims;
    lex_buf_init(&claims, 4096);
    ck_assert_int_eq(lex_request_fingerprint(&request, &b.arena, hash, NULL), LEX_OK);
    lex_buf_printf(&claims,
                   "{\"iss\":\"hr\",\"sub\":\"user\",\"iat\":%lld,\"exp\":%lld,\"jti\":\"%s\","
                   "\"approver\":\"actor:human\",\"log\":\"t/one/ledger/3\",\"decision_id\":"
                   "\"dec_01ARZ3NDEKTSV4RRFFQ69G5FAV\",\"req\":\"",
                   (long long)issued_s, (long long)(issued_s + 600), jti);
    lex_buf_put_hex(&claims, hash, sizeof hash);
    lex_buf_puts(&claims, "\"}");
    struct lex_span text =
        lex_arena_printf(&b.arena,
                         "{\"request_id\":\"r\",\"actor\":\"user\",\"proposed_action\":\"deploy\","
                         "\"attestations\":[\"%s\"]}",
                         jwt("approval", lex_buf_str(&claims)));
    lex_buf_fini(&claims);
    return (const char *)text.data;
}

static const char *approved_deploy(const char *jti)
{
    return deploy_approved_at(jti, EPOCH_US / 1000000);
}

START_TEST(an_approval_counts_once)
{
    use_policy(REMEMBERING);
    use_issuer();
    start();
    const char *request = approved_deploy("j1");
    ck_assert(decide_one(request, 0).allowed);
    ck_assert_ptr_null(b.last.problems);
    ck_assert_span_eq(decide_one(request, 1).reason_code, "APPROVAL_REQUIRED");
    ck_assert_uint_eq(b.last.problems->count, 1);
    ck_assert_int_eq(b.last.problems->items[0].why, LEX_IDENTITY_REUSED);
    ck_assert(decide_one(approved_deploy("j2"), 2).allowed);
    drop_issuer();
}
END_TEST

START_TEST(an_approval_that_counted_at_the_first_moment_it_could_does_not_count_again)
{
    use_policy(REMEMBERING);
    use_issuer();
    start();
    b.now_us = 10000000 - 11000 - 1; /* decide_one takes 11 ms: a microsecond too early */
    ck_assert(!decide_one(deploy_approved_at("j1", EPOCH_US / 1000000 + 40), 0).allowed);
    ck_assert_int_eq(b.last.problems->items[0].why, LEX_IDENTITY_NOT_YET);
    const char *request = deploy_approved_at("j2", EPOCH_US / 1000000 + 50);
    b.now_us = 20000000 - 11000;
    struct lex_ledger_entry first = decide_one(request, 1);
    ck_assert_int_eq(first.evaluated_at.value, EPOCH_US + 20000000);
    ck_assert(first.allowed);
    ck_assert_span_eq(decide_one(request, 2).reason_code, "APPROVAL_REQUIRED");
    ck_assert_int_eq(b.last.problems->items[0].why, LEX_IDENTITY_REUSED);
    drop_issuer();
}
END_TEST

START_TEST(an_approval_that_was_used_before_the_restart_does_not_count_after_it)
{
    use_policy(REMEMBERING);
    use_issuer();
    const char *const before[] = {approved_deploy("j1")};
    live_before(before, 1);
    (void)take_over();
    (void)piece(0, past.count, false);
    ck_assert_span_eq(decide_one(before[0], 1).reason_code, "APPROVAL_REQUIRED");
    drop_issuer();
}
END_TEST

START_TEST(an_approval_from_before_what_is_known_does_not_count)
{
    use_policy(REMEMBERING);
    use_issuer();
    const char *const before[] = {PAY};
    live_before(before, 1);
    (void)take_over();
    (void)piece(0, 0, false);
    ck_assert_span_eq(decide_one(approved_deploy("j1"), 1).reason_code, "APPROVAL_REQUIRED");
    drop_issuer();
}
END_TEST

START_TEST(attested_identity_lets_the_attested_actor_in)
{
    char claims[256], text[1024];
    use_issuer();
    (void)snprintf(claims, sizeof claims,
                   "{\"iss\":\"hr\",\"sub\":\"user\",\"iat\":%lld,\"exp\":%lld,\"jti\":\"i\"}",
                   (long long)(EPOCH_US / 1000000), (long long)(EPOCH_US / 1000000 + 600));
    (void)snprintf(text, sizeof text,
                   "{\"request_id\":\"r\",\"actor\":\"user\",\"proposed_action\":\"read\","
                   "\"attestations\":[\"%s\"]}",
                   jwt("identity", claims));
    b.options.identity_required = true;
    start();
    struct lex_ledger_entry entry = decide_one(text, 0);
    ck_assert_span_eq(entry.reason_code, "PERMITTED");
    ck_assert(decide_one(text, 1).allowed); /* an identity is no single use */
    ck_assert_span_eq(decide_one(READ, 2).reason_code, "UNKNOWN_ACTOR");
    drop_issuer();
}
END_TEST

static struct lex_span token_of(const struct lex_action *action)
{
    struct lex_verdict verdict;
    struct lex_span bytes;
    struct lex_error err = {{0}};
    const struct lex_output *out = output(action, LEX_OUTPUT_VERDICT);
    ck_assert_int_eq(lex_decode_verdict_json(out->value, &b.arena, &verdict, &bytes, &err), LEX_OK);
    return verdict.token;
}

static const char WANTS_TOKEN[] = "{\"request_id\":\"r\",\"actor\":\"user\",\"proposed_action\":"
                                  "\"read\",\"want_token\":true}";
static const char WANTS_IN_VAIN[] = "{\"request_id\":\"r\",\"actor\":\"user\",\"proposed_action\":"
                                    "\"write\",\"want_token\":true}";

static void use_tokens(void)
{
    static char kid[LEX_KID_HEX_BYTES];
    static struct lex_jwk key;
    lex_jwk_of_keyring(b.keyring, LEX_JWT_EDDSA, kid, &key);
    b.options.token_keys = (struct lex_jwk_list){&key, 1};
    b.options.token_issuer = LEX_SPAN("t/one");
    b.options.token_audience = LEX_SPAN("gates");
    b.options.token_max_ttl_us = 3600 * (int64_t)1000000;
}

START_TEST(an_approval_that_asks_for_a_token_gets_one_and_a_denial_none)
{
    const char *const values[] = {WANTS_TOKEN, WANTS_IN_VAIN, READ};
    use_tokens();
    start();
    ck_assert_uint_ne(token_of(give(values, 1, 0, true)).len, 0);
    (void)published(LEX_PUBLISHED_COMMITTED);
    ck_assert_int_ne(b.last.token_exp_s, 0);
    ck_assert(lex_span_absent(token_of(give(values + 1, 1, 1, true))));
    (void)published(LEX_PUBLISHED_COMMITTED);
    ck_assert_int_eq(b.last.token_exp_s, 0);
    ck_assert(lex_span_absent(token_of(give(values + 2, 1, 2, true))));
}
END_TEST

START_TEST(with_jwt_always_every_approval_carries_a_token)
{
    const char *const values[] = {READ};
    use_tokens();
    b.options.token_always = true;
    start();
    ck_assert_uint_ne(token_of(give(values, 1, 0, true)).len, 0);
}
END_TEST

START_TEST(a_presented_token_is_verified_and_a_forged_one_is_none)
{
    const char *const first[] = {WANTS_TOKEN};
    char text[4096];
    use_tokens();
    start();
    struct lex_span token = lex_arena_dup(&b.arena, token_of(give(first, 1, 0, true)));
    (void)published(LEX_PUBLISHED_COMMITTED);
    ck_assert(!b.last.token_presented);
    for (int forged = 0; forged < 2; forged++) {
        (void)snprintf(text, sizeof text,
                       "{\"request_id\":\"r\",\"actor\":\"user\",\"proposed_action\":\"read\","
                       "\"capability_token\":\"%.*s%s\"}",
                       LEX_SPAN_FMT(token), forged ? "AA" : "");
        ck_assert(decide_one(text, 1 + forged).allowed);
        ck_assert(b.last.token_presented);
        ck_assert((b.last.token_why == LEX_IDENTITY_WHY_COUNT) == !forged);
    }
}
END_TEST

LEX_CHECK_MAIN_WITH("worker: statements", setup, teardown, an_approval_counts_once,
                    an_approval_that_counted_at_the_first_moment_it_could_does_not_count_again,
                    an_approval_that_was_used_before_the_restart_does_not_count_after_it,
                    an_approval_from_before_what_is_known_does_not_count,
                    attested_identity_lets_the_attested_actor_in,
                    an_approval_that_asks_for_a_token_gets_one_and_a_denial_none,
                    with_jwt_always_every_approval_carries_a_token,
                    a_presented_token_is_verified_and_a_forged_one_is_none)
