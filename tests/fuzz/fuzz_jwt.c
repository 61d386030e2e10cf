/* Can any bytes crash, hang or leak what reads attestations, tokens, issuers and key sets? And can
 * any attest what may not be attested?
 *
 * Behind a signature nothing would ever be reached, so the harness signs: the first byte says what
 * the rest is, and in `signed` inputs a line of header stands before the claims.
 *
 *     build/fuzz/bin/fuzz_jwt -max_total_time=60 tests/fuzz/corpus/jwt */
#include <stdlib.h>

#include "core/base/text.h"
#include "core/identity/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ORIGIN "acme/main/lexecon.ledger/3"
#define NOW_US INT64_C(1767225600000000)
#define CHECK(expr) ((expr) ? (void)0 : abort())

static struct lex_arena arena;
static struct lex_signer *signer;
static struct lex_identity *identity;
static struct lex_jwk key;
static const uint8_t fingerprint[32] = {1, 2, 3};

static void make_issuers(void)
{
    struct lex_buf text;
    lex_buf_init(&text, 4096);
    lex_buf_puts(&text, "{\"issuers\":[{\"iss\":\"i\",\"keys\":[{\"kid\":\"k\",\"public_key\":\"");
    lex_buf_put_base64(&text, lex_span_of(key.key.bytes, sizeof key.key.bytes));
    lex_buf_puts(&text, "\"}],\"actors\":[\"a\"],\"facts\":[\"f\",\"g\"],\"approvers\":[\"h\"],"
                        "\"roles\":[\"r\"]}]}");
    CHECK(lex_identity_parse(lex_buf_span(&text), &identity, NULL) == LEX_OK);
    lex_buf_fini(&text);
}

static void start(void)
{
    static const uint8_t seed[LEX_SEED_BYTES] = {1};
    if (signer != NULL)
        return;
    lex_arena_init(&arena, 1 << 16, 64 << 20);
    CHECK(lex_crypto_init(NULL) == LEX_OK);
    CHECK(lex_signer_from_seed(seed, &signer, NULL) == LEX_OK);
    key = (struct lex_jwk){
        .kid = LEX_SPAN("k"), .alg = LEX_JWT_EDDSA, .key = *lex_signer_public(signer)};
    make_issuers();
}

/* A header, a line end, claims: signed as they stand. */
static struct lex_span sign(struct lex_span input)
{
    uint8_t signature[LEX_SIGNATURE_BYTES];
    const uint8_t *line = input.len == 0 ? NULL : memchr(input.data, '\n', input.len);
    size_t header = line == NULL ? input.len : (size_t)(line - input.data);
    size_t skip = line == NULL ? header : header + 1;
    struct lex_buf text;
    lex_buf_init(&text, 1 << 20);
    lex_buf_put_base64url(&text, lex_span_of(input.data, header));
    lex_buf_putc(&text, '.');
    lex_buf_put_base64url(&text, lex_span_of(input.data + skip, input.len - skip));
    lex_signer_sign(signer, lex_buf_span(&text), signature);
    lex_buf_putc(&text, '.');
    lex_buf_put_base64url(&text, lex_span_of(signature, sizeof signature));
    CHECK(lex_buf_ok(&text));
    struct lex_span kept = lex_arena_dup(&arena, lex_buf_span(&text));
    lex_buf_fini(&text);
    return kept;
}

static bool never_used(void *context, struct lex_span kid, struct lex_span jti, int64_t issued_us)
{
    (void)context;
    CHECK(lex_kid_valid(kid) && lex_kid_valid(jti) && issued_us <= NOW_US + 30000000);
    return false;
}

static bool one_of(struct lex_span text, const char *letters)
{
    return text.len == 1 && text.data[0] != 0 && strchr(letters, text.data[0]) != NULL;
}

static void check_facts(const struct lex_facts *facts)
{
    for (size_t i = 0; i < facts->attested_count; i++)
        CHECK(one_of(facts->attested[i].member.key, "fg") && facts->attested[i].statement == 0);
    for (size_t i = 0; i < facts->roles.count; i++)
        CHECK(one_of(facts->roles.items[i], "r"));
    for (size_t i = 0; i < facts->approvals_count; i++)
        CHECK(one_of(facts->approvals[i].approver, "h"));
    for (size_t i = 0; i < facts->statements_count; i++)
        CHECK(facts->statements[i].expires_us > NOW_US);
}

static void try_attestation(struct lex_span text, bool is_signed)
{
    struct lex_request request = {.actor = LEX_SPAN("a"), .attestations = {&text, 1}};
    struct lex_identity_input input = {.request = &request,
                                       .fingerprint = fingerprint,
                                       .origin = LEX_SPAN(ORIGIN),
                                       .now_us = NOW_US,
                                       .used = never_used,
                                       .kinds = LEX_STATEMENTS_ALL};
    struct lex_facts facts = {.identity = false};
    struct lex_identity_problems problems;
    CHECK(lex_identity_verify(identity, &input, &arena, &facts, &problems) == LEX_OK);
    CHECK(facts.statements_count + problems.count == 1);
    CHECK(is_signed || facts.statements_count == 0);
    check_facts(&facts);
}

static void try_token(struct lex_span text, bool is_signed)
{
    const struct lex_jwk_list keys = {&key, 1};
    const struct lex_token_expect expect = {
        .iss = LEX_SPAN("i"), .aud = LEX_SPAN("g"), .sub = LEX_SPAN("a"), .now_us = NOW_US};
    struct lex_member_list claims = {NULL, 0};
    enum lex_identity_why why = LEX_IDENTITY_WHY_COUNT;
    enum lex_status status = lex_token_verify(&keys, text, &expect, &arena, &claims, &why);
    CHECK(status == LEX_OK ? is_signed && claims.count >= 12 : why < LEX_IDENTITY_WHY_COUNT);
    struct lex_span document;
    struct lex_error err = {""};
    if (lex_policy_jws_verify(&key.key, text, &arena, &document, &err) != LEX_OK)
        CHECK(err.text[0] != 0);
}

static void try_issuers(struct lex_span text)
{
    struct lex_identity *parsed = NULL;
    struct lex_error err = {""};
    if (lex_identity_parse(text, &parsed, &err) != LEX_OK)
        CHECK(parsed == NULL && err.text[0] != 0);
    lex_identity_free(parsed);
}

static void try_keys(struct lex_span text)
{
    struct lex_jwk_list keys = {NULL, 0};
    struct lex_public_key public_key;
    struct lex_error err = {""};
    if (lex_jwks_parse(text, &arena, &keys, &err) != LEX_OK)
        CHECK(err.text[0] != 0);
    for (size_t i = 0; i < keys.count; i++)
        CHECK(lex_kid_valid(keys.items[i].kid));
    (void)!lex_public_key_parse(text, &public_key, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    start();
    if (size == 0)
        return 0;
    struct lex_span rest = lex_span_of(data + 1, size - 1);
    bool is_signed = data[0] == 's';
    struct lex_span text = is_signed ? sign(rest) : rest;
    if (data[0] == 'i')
        try_issuers(rest);
    else if (data[0] == 'k')
        try_keys(rest);
    else {
        try_attestation(text, is_signed);
        try_token(text, is_signed);
    }
    lex_arena_reset(&arena);
    return 0;
}
