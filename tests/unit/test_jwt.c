/* JWT: the published example verifies, what differs in any byte does not, and the key with its
 * algorithm comes from the verifier, whatever a header says. */
#include "tests/unit/jwt_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* RFC 8037, appendix A: the key, and what it signed. */
#define RFC_X "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
#define RFC_D "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
#define RFC_JWS                                                 \
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc." \
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"

static struct lex_public_key rfc_key(void)
{
    struct lex_public_key key;
    size_t len;
    ck_assert_int_eq(lex_base64url_decode(LEX_SPAN(RFC_X), key.bytes, sizeof key.bytes, &len),
                     LEX_OK);
    return key;
}

/* Read and open with one key. @return LEX_OK, else *problem says */
static enum lex_status open_with(struct lex_span text, const struct lex_public_key *key,
                                 enum lex_jwt_alg alg, struct lex_span *payload,
                                 enum lex_jws_problem *problem)
{
    struct lex_jws jws;
    LEX_TRY(lex_jws_read(text, 1 << 20, &arena, &jws, problem));
    return lex_jws_open(&jws, key, alg, &arena, payload, problem);
}

static void check_problem(struct lex_span text, const struct lex_public_key *key,
                          enum lex_jws_problem expected)
{
    struct lex_span payload = {NULL, 0};
    enum lex_jws_problem problem = (enum lex_jws_problem)99;
    ck_assert_int_eq(open_with(text, key, LEX_JWT_EDDSA, &payload, &problem), LEX_REJECT);
    ck_assert_msg(problem == expected, "%.*s: %d", LEX_SPAN_FMT(text), (int)problem);
    ck_assert(lex_span_absent(payload));
}

START_TEST(the_published_example_verifies)
{
    struct lex_public_key key = rfc_key();
    struct lex_span payload;
    enum lex_jws_problem problem;
    ck_assert_int_eq(open_with(LEX_SPAN(RFC_JWS), &key, LEX_JWT_EDDSA, &payload, &problem), LEX_OK);
    ck_assert_span_eq(payload, "Example of Ed25519 signing");
}
END_TEST

START_TEST(the_published_example_is_what_we_sign)
{
    uint8_t seed[LEX_SEED_BYTES], signature[LEX_SIGNATURE_BYTES];
    size_t len;
    struct lex_signer *signer;
    struct lex_span text, signed_text = LEX_SPAN(RFC_JWS);
    signed_text.len = (size_t)(strrchr(RFC_JWS, '.') - RFC_JWS);
    ck_assert_int_eq(lex_base64url_decode(LEX_SPAN(RFC_D), seed, sizeof seed, &len), LEX_OK);
    ck_assert_int_eq(lex_signer_from_seed(seed, &signer, &err), LEX_OK);
    ck_assert_str_eq(test_public(signer, true), RFC_X);
    lex_signer_sign(signer, signed_text, signature);
    ck_assert_int_eq(lex_jws_end(signed_text, signature, &arena, &text), LEX_OK);
    ck_assert_span_eq(text, RFC_JWS);
    lex_signer_free(signer);
}
END_TEST

START_TEST(any_altered_character_is_refused)
{
    struct lex_public_key key = rfc_key();
    for (size_t at = 0; at < sizeof RFC_JWS - 1; at++)
        for (int bit = 0; bit < 7; bit++) {
            char text[sizeof RFC_JWS] = RFC_JWS;
            struct lex_span payload;
            enum lex_jws_problem problem;
            text[at] = (char)(text[at] ^ (1 << bit));
            ck_assert_int_eq(open_with(lex_span_of(text, sizeof text - 1), &key, LEX_JWT_EDDSA,
                                       &payload, &problem),
                             LEX_REJECT);
        }
}
END_TEST

START_TEST(what_is_no_compact_jws_is_malformed)
{
    struct lex_public_key key = rfc_key();
    static const char *const texts[] = {"",
                                        ".",
                                        "..",
                                        "...",
                                        "a.b.c",
                                        "eyJhbGciOiJFZERTQSJ9",
                                        "eyJhbGciOiJFZERTQSJ9.",
                                        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZQ",
                                        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZQ.",
                                        RFC_JWS ".",
                                        RFC_JWS "=",
                                        RFC_JWS "==",
                                        " " RFC_JWS,
                                        RFC_JWS "\n",
                                        RFC_JWS "." RFC_JWS};
    for (size_t i = 0; i < LEX_COUNT_OF(texts); i++)
        check_problem(lex_span_str(texts[i]), &key, LEX_JWS_MALFORMED);
}
END_TEST

START_TEST(every_beginning_of_a_message_is_malformed)
{
    struct lex_public_key key = rfc_key();
    for (size_t len = 0; len < sizeof RFC_JWS - 1; len++)
        check_problem(lex_span_of(RFC_JWS, len), &key, LEX_JWS_MALFORMED);
}
END_TEST

START_TEST(the_algorithm_is_the_pinned_one_and_nothing_else)
{
    struct lex_signer *signer = test_signer(1);
    static const struct {
        const char *header;
        bool newer, older;
    } cases[] = {
        {"{\"alg\":\"EdDSA\"}", false, true},       {"{\"alg\":\"Ed25519\"}", true, false},
        {"{\"alg\":\"none\"}", false, false},       {"{\"alg\":\"None\"}", false, false},
        {"{\"alg\":\"HS256\"}", false, false},      {"{\"alg\":\"Ed448\"}", false, false},
        {"{\"alg\":\"eddsa\"}", false, false},      {"{\"alg\":\"EdDSA \"}", false, false},
        {"{\"alg\":\"\"}", false, false},           {"{}", false, false},
        {"{\"alg\":\"EdDS\\u0041\"}", false, true}, /* the same string, written otherwise */
    };
    for (size_t i = 0; i < LEX_COUNT_OF(cases); i++) {
        struct lex_span text = test_jws(signer, cases[i].header, "p"), payload;
        const struct lex_public_key *key = lex_signer_public(signer);
        enum lex_jws_problem problem;
        ck_assert_int_eq(open_with(text, key, LEX_JWT_ED25519, &payload, &problem) == LEX_OK,
                         cases[i].newer);
        ck_assert(cases[i].newer || problem == LEX_JWS_ALGORITHM);
        ck_assert_int_eq(open_with(text, key, LEX_JWT_EDDSA, &payload, &problem) == LEX_OK,
                         cases[i].older);
        ck_assert(cases[i].older || problem == LEX_JWS_ALGORITHM);
    }
    lex_signer_free(signer);
}
END_TEST

START_TEST(an_unsigned_message_is_refused)
{
    struct lex_public_key key = rfc_key();
    struct lex_buf text;
    lex_buf_init(&text, 1024);
    lex_buf_put_base64url(&text, LEX_SPAN("{\"alg\":\"none\"}"));
    lex_buf_puts(&text, ".e30.");
    check_problem(lex_buf_span(&text), &key, LEX_JWS_MALFORMED);
    lex_buf_fini(&text);
}
END_TEST

START_TEST(headers_that_mean_two_things_are_refused)
{
    struct lex_signer *signer = test_signer(1);
    static const struct {
        const char *header;
        enum lex_jws_problem problem;
    } cases[] = {
        {"{\"alg\":\"EdDSA\",\"alg\":\"EdDSA\"}", LEX_JWS_MALFORMED},
        {"{\"alg\":\"EdDSA\",\"kid\":\"a\",\"kid\":\"b\"}", LEX_JWS_MALFORMED},
        {"{\"alg\":\"EdDSA\",\"kid\":1}", LEX_JWS_MALFORMED},
        {"{\"alg\":[\"EdDSA\"]}", LEX_JWS_MALFORMED},
        {"{\"alg\":\"EdDSA\",\"typ\":null}", LEX_JWS_MALFORMED},
        {"[\"alg\",\"EdDSA\"]", LEX_JWS_MALFORMED},
        {"\"EdDSA\"", LEX_JWS_MALFORMED},
        {"{\"alg\":\"EdDSA\"} ,", LEX_JWS_MALFORMED},
        {"{\"alg\":\"EdDSA\",}", LEX_JWS_MALFORMED},
        {"", LEX_JWS_MALFORMED},
        {"{\"alg\":\"EdDSA\",\"crit\":[\"b64\"],\"b64\":false}", LEX_JWS_CRITICAL},
        {"{\"alg\":\"EdDSA\",\"crit\":[]}", LEX_JWS_CRITICAL},
        {"{\"alg\":\"EdDSA\",\"crit\":null}", LEX_JWS_CRITICAL},
    };
    for (size_t i = 0; i < LEX_COUNT_OF(cases); i++)
        check_problem(test_jws(signer, cases[i].header, "p"), lex_signer_public(signer),
                      cases[i].problem);
    lex_signer_free(signer);
}
END_TEST

START_TEST(a_key_in_the_header_is_never_used)
{
    struct lex_signer *mine = test_signer(1), *stranger = test_signer(2);
    char header[512];
    snprintf(header, sizeof header,
             "{\"alg\":\"EdDSA\",\"jwk\":{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\"}}",
             test_public(stranger, true));
    check_problem(test_jws(stranger, header, "p"), lex_signer_public(mine), LEX_JWS_SIGNATURE);
    struct lex_span payload;
    enum lex_jws_problem problem;
    ck_assert_int_eq(open_with(test_jws(mine, header, "p"), lex_signer_public(mine), LEX_JWT_EDDSA,
                               &payload, &problem),
                     LEX_OK);
    lex_signer_free(mine);
    lex_signer_free(stranger);
}
END_TEST

START_TEST(a_header_over_its_ceiling_is_refused)
{
    struct lex_signer *signer = test_signer(1);
    char header[LEX_JWS_HEADER_MAX_BYTES + 2];
    for (size_t over = 0; over < 2; over++) {
        size_t len = LEX_JWS_HEADER_MAX_BYTES + over;
        struct lex_jws jws;
        enum lex_jws_problem problem;
        memset(header, ' ', sizeof header);
        memcpy(header, "{\"alg\":\"EdDSA\"}", 15);
        struct lex_span text = test_jws_of(signer, lex_span_of(header, len), LEX_SPAN("p"));
        ck_assert_int_eq(lex_jws_read(text, 1 << 20, &arena, &jws, &problem),
                         over ? LEX_REJECT : LEX_OK);
    }
    lex_signer_free(signer);
}
END_TEST

START_TEST(a_message_over_its_ceiling_is_refused)
{
    struct lex_jws jws;
    enum lex_jws_problem problem;
    size_t len = sizeof RFC_JWS - 1;
    ck_assert_int_eq(lex_jws_read(LEX_SPAN(RFC_JWS), len, &arena, &jws, &problem), LEX_OK);
    ck_assert_int_eq(lex_jws_read(LEX_SPAN(RFC_JWS), len - 1, &arena, &jws, &problem), LEX_REJECT);
}
END_TEST

START_TEST(a_full_arena_is_a_limit_and_not_a_refusal)
{
    struct lex_arena small;
    struct lex_jws jws;
    enum lex_jws_problem problem;
    struct lex_span text;
    lex_arena_init(&small, 16, 32);
    ck_assert_int_eq(lex_jws_read(LEX_SPAN(RFC_JWS), 1000, &small, &jws, &problem), LEX_LIMIT);
    ck_assert_int_eq(lex_jws_begin(LEX_JWT_EDDSA, "t", LEX_SPAN("k"), LEX_SPAN("p"), &small, &text),
                     LEX_LIMIT);
    lex_arena_fini(&small);
}
END_TEST

START_TEST(what_is_written_reads_back)
{
    struct lex_signer *signer = test_signer(1);
    uint8_t signature[LEX_SIGNATURE_BYTES];
    struct lex_span signed_text, text, payload;
    struct lex_jws jws;
    enum lex_jws_problem problem;
    ck_assert_int_eq(lex_jws_begin(LEX_JWT_ED25519, "a+jwt", LEX_SPAN("k-1"), LEX_SPAN("{}"),
                                   &arena, &signed_text),
                     LEX_OK);
    lex_signer_sign(signer, signed_text, signature);
    ck_assert_int_eq(lex_jws_end(signed_text, signature, &arena, &text), LEX_OK);
    ck_assert_int_eq(lex_jws_read(text, 1000, &arena, &jws, &problem), LEX_OK);
    ck_assert_span_eq(jws.typ, "a+jwt");
    ck_assert_span_eq(jws.kid, "k-1");
    ck_assert_int_eq(
        lex_jws_open(&jws, lex_signer_public(signer), LEX_JWT_ED25519, &arena, &payload, &problem),
        LEX_OK);
    ck_assert_span_eq(payload, "{}");
    ck_assert_int_eq(lex_jws_begin(LEX_JWT_EDDSA, "t", (struct lex_span){NULL, 0}, LEX_SPAN("p"),
                                   &arena, &signed_text),
                     LEX_OK);
    ck_assert_span_eq(signed_text, "eyJhbGciOiJFZERTQSIsInR5cCI6InQifQ.cA");
    lex_signer_free(signer);
}
END_TEST

START_TEST(base64url_into_memory_is_that_of_the_buffer)
{
    uint8_t bytes[64], out[90];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 37 + 251);
    for (size_t len = 0; len <= sizeof bytes; len++) {
        struct lex_buf buf;
        lex_buf_init(&buf, 1024);
        lex_buf_put_base64url(&buf, lex_span_of(bytes, len));
        size_t put = lex_base64url_encode(lex_span_of(bytes, len), out);
        ck_assert_uint_eq(put, lex_base64url_len(len));
        ck_assert(lex_span_eq(lex_span_of(out, put), lex_buf_span(&buf)));
        lex_buf_fini(&buf);
    }
}
END_TEST

START_TEST(seconds_are_whole_numbers_of_this_age)
{
    static const struct {
        const char *json;
        bool good;
    } cases[] = {
        {"{\"t\":0}", true},
        {"{\"t\":1767225600}", true},
        {"{\"t\":253402300799}", true},
        {"{\"t\":253402300800}", false},
        {"{\"t\":-1}", false},
        {"{\"t\":1.0}", false},
        {"{\"t\":1e9}", false},
        {"{\"t\":\"1767225600\"}", false},
        {"{\"t\":null}", false},
        {"{}", false},
        {"{\"t\":99999999999999999999}", false},
    };
    for (size_t i = 0; i < LEX_COUNT_OF(cases); i++) {
        const struct lex_json *claims;
        int64_t seconds = -7;
        ck_assert_int_eq(lex_json_parse(&arena, lex_span_str(cases[i].json), &claims, &err),
                         LEX_OK);
        ck_assert_int_eq(lex_jwt_seconds(claims, "t", &seconds), cases[i].good);
        ck_assert(cases[i].good == (seconds != -7));
    }
}
END_TEST

/* ---- keys ---- */

static enum lex_status read_jwk(const char *json, struct lex_jwk *jwk)
{
    const struct lex_json *root, *at;
    ck_assert_int_eq(lex_json_parse(&arena, lex_span_str(json), &root, &err), LEX_OK);
    return lex_jwk_read(root, jwk, &at, &err);
}

START_TEST(the_published_key_reads)
{
    struct lex_jwk jwk;
    struct lex_public_key key = rfc_key();
    ck_assert_int_eq(read_jwk("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" RFC_X "\"}", &jwk),
                     LEX_OK);
    ck_assert(memcmp(&jwk.key, &key, sizeof key) == 0);
    ck_assert(lex_span_absent(jwk.kid) && jwk.alg == LEX_JWT_EDDSA);
    ck_assert_int_eq(read_jwk("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" RFC_X
                              "\",\"kid\":\"k\",\"alg\":\"Ed25519\",\"use\":\"sig\",\"other\":1}",
                              &jwk),
                     LEX_OK);
    ck_assert(jwk.alg == LEX_JWT_ED25519);
    ck_assert_span_eq(jwk.kid, "k");
}
END_TEST

START_TEST(keys_that_are_none_of_ours_are_refused)
{
#define OKP "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" RFC_X "\""
    static const struct {
        const char *json, *why;
    } cases[] = {
        {"[]", "object"},
        {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" RFC_X "\"}", "OKP"},
        {"{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"" RFC_X "\"}", "Ed25519"},
        {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\"}", "x:"},
        {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" RFC_X "=\"}", "x:"},
        {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}", "x:"},
        /* the neutral point, which verifies anything, and a point that is not on the curve */
        {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":"
         "\"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
         "usable"},
        {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":"
         "\"AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
         "usable"},
        {OKP ",\"use\":\"enc\"}", "use:"},
        {OKP ",\"alg\":\"RS256\"}", "alg:"},
        {OKP ",\"kid\":\"a b\"}", "kid:"},
        {OKP ",\"kid\":7}", "kid:"},
        {OKP ",\"d\":\"" RFC_D "\"}", "private key"},
    };
    for (size_t i = 0; i < LEX_COUNT_OF(cases); i++) {
        struct lex_jwk jwk;
        ck_assert_msg(read_jwk(cases[i].json, &jwk) == LEX_REJECT, "%s", cases[i].json);
        ck_assert_msg(strstr(err.text, cases[i].why) != NULL, "%s", err.text);
        ck_assert(strstr(err.text, RFC_D) == NULL);
    }
}
END_TEST

START_TEST(a_set_passes_over_what_is_not_ours_and_refuses_what_is_wrong)
{
    struct lex_jwk_list keys;
    ck_assert_int_eq(
        lex_jwks_parse(LEX_SPAN("{\"keys\":[{\"kty\":\"RSA\",\"n\":\"x\",\"e\":\"AQAB\"}," OKP
                                ",\"kid\":\"a\"}," OKP ",\"use\":\"enc\"}]}"),
                       &arena, &keys, &err),
        LEX_OK);
    ck_assert_uint_eq(keys.count, 1);
    ck_assert_ptr_nonnull(lex_jwk_find(&keys, LEX_SPAN("a")));
    ck_assert_ptr_null(lex_jwk_find(&keys, LEX_SPAN("b")));
    static const struct {
        const char *json, *why;
    } cases[] = {
        {"{\"keys\":[]}", "none is an Ed25519 key"},
        {"{\"keys\":{}}", "array `keys`"},
        {"[]", "array `keys`"},
        {"{\"keys\":[\n" OKP "}]}", "line 2, column 1: a key without kid"},
        {"{\"keys\":[" OKP ",\"kid\":\"a\"},\n" OKP ",\"kid\":\"a\"}]}", "line 2, column 1"},
        {"{\"keys\":[\n {\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"a\",\"x\":1}]}",
         "line 2, column 45"},
        {"{\"keys\":[" OKP ",\"kid\":\"a\",\"kid\":\"a\"}]}", "line 1"},
    };
    for (size_t i = 0; i < LEX_COUNT_OF(cases); i++) {
        ck_assert_int_eq(lex_jwks_parse(lex_span_str(cases[i].json), &arena, &keys, &err),
                         LEX_REJECT);
        ck_assert_msg(strstr(err.text, cases[i].why) != NULL, "%s: %s", cases[i].json, err.text);
    }
}
END_TEST

START_TEST(a_set_over_its_ceilings_is_refused)
{
    struct lex_buf text;
    struct lex_jwk_list keys;
    for (size_t count = LEX_JWKS_KEYS_MAX; count <= LEX_JWKS_KEYS_MAX + 1; count++) {
        lex_buf_init(&text, 1 << 20);
        for (size_t i = 0; i < count; i++)
            lex_buf_printf(&text, "%s" OKP ",\"kid\":\"%zu\"}", i == 0 ? "{\"keys\":[" : ",", i);
        lex_buf_puts(&text, "]}");
        ck_assert_int_eq(lex_jwks_parse(lex_buf_span(&text), &arena, &keys, &err),
                         count == LEX_JWKS_KEYS_MAX ? LEX_OK : LEX_REJECT);
        lex_buf_fini(&text);
    }
    static char large[LEX_JWKS_MAX_BYTES + 2];
    memset(large, ' ', sizeof large);
    memcpy(large, "{\"keys\":[" OKP ",\"kid\":\"a\"}]}",
           sizeof("{\"keys\":[" OKP ",\"kid\":\"a\"}]}") - 1);
    ck_assert_int_eq(lex_jwks_parse(lex_span_of(large, LEX_JWKS_MAX_BYTES), &arena, &keys, &err),
                     LEX_OK);
    ck_assert_int_eq(
        lex_jwks_parse(lex_span_of(large, LEX_JWKS_MAX_BYTES + 1), &arena, &keys, &err),
        LEX_REJECT);
}
END_TEST

START_TEST(the_keyrings_set_reads_back_and_holds_no_secret)
{
    uint8_t seed[LEX_SEED_BYTES] = {9};
    struct lex_keyring *keyring;
    struct lex_jwk jwk;
    struct lex_jwk_list keys;
    struct lex_buf text;
    char kid[LEX_KID_HEX_BYTES];
    lex_buf_init(&text, 4096);
    ck_assert_int_eq(lex_keyring_from_seed(seed, "a/b", &keyring, &err), LEX_OK);
    lex_jwk_of_keyring(keyring, LEX_JWT_ED25519, kid, &jwk);
    ck_assert_int_eq(lex_jwks_write(&(struct lex_jwk_list){&jwk, 1}, &text), LEX_OK);
    ck_assert_int_eq(lex_jwks_parse(lex_buf_span(&text), &arena, &keys, &err), LEX_OK);
    ck_assert_uint_eq(keys.count, 1);
    ck_assert(memcmp(&keys.items[0].key, lex_keyring_public(keyring, LEX_KEY_TOKEN),
                     LEX_PUBLIC_KEY_BYTES) == 0);
    ck_assert_int_eq(keys.items[0].alg, LEX_JWT_ED25519);
    ck_assert(lex_span_eq(keys.items[0].kid, lex_span_str(kid)));
    ck_assert_uint_eq(strlen(kid), 8);
    ck_assert(strstr(lex_buf_str(&text), "\"d\"") == NULL);
    lex_buf_fini(&text);
    lex_keyring_free(keyring);
}
END_TEST

START_TEST(a_public_key_reads_in_each_of_its_forms)
{
    struct lex_public_key expected = rfc_key(), key;
    /* what openssl pkey -pubout writes of this key */
    static const char *const texts[] = {
        "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
        "-----END PUBLIC KEY-----\n",
        "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n",
        " {\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" RFC_X "\"}\n",
    };
    for (size_t i = 0; i < LEX_COUNT_OF(texts); i++) {
        memset(&key, 0, sizeof key);
        ck_assert_msg(lex_public_key_parse(lex_span_str(texts[i]), &key, &err) == LEX_OK, "%s",
                      err.text);
        ck_assert(memcmp(&key, &expected, sizeof key) == 0);
    }
    static const char *const wrong[] = {
        "",
        "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        RFC_X,
        "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "-----BEGIN PUBLIC "
        "KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n",
        "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VuAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
        "-----END PUBLIC KEY-----\n",
        "-----BEGIN PUBLIC KEY----------END PUBLIC KEY-----",
        "{\"kty\":\"OKP\"}",
    };
    for (size_t i = 0; i < LEX_COUNT_OF(wrong); i++)
        ck_assert_msg(lex_public_key_parse(lex_span_str(wrong[i]), &key, &err) == LEX_REJECT, "%s",
                      wrong[i]);
}
END_TEST

START_TEST(a_signers_file_must_be_private)
{
    char dir[] = "/tmp/lex-jwt-XXXXXX", path[64];
    struct lex_signer *signer = NULL;
    struct lex_buf pem;
    uint8_t seed[LEX_SEED_BYTES] = {1, 7};
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/key.pem", dir);
    lex_buf_init(&pem, 4096);
    lex_pem_write(seed, &pem);
    ck_assert_int_eq(lex_signer_load(path, &signer, &err), LEX_REJECT);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    ck_assert_int_eq(write(fd, pem.data, pem.len), (ssize_t)pem.len);
    close(fd);
    ck_assert_int_eq(chmod(path, 0644), 0);
    ck_assert_int_eq(lex_signer_load(path, &signer, &err), LEX_REJECT);
    ck_assert(strstr(err.text, "0600") != NULL);
    ck_assert_int_eq(chmod(path, 0600), 0);
    ck_assert_int_eq(lex_signer_load(path, &signer, &err), LEX_OK);
    struct lex_signer *same = test_signer(1);
    ck_assert(memcmp(lex_signer_public(signer), lex_signer_public(same), LEX_PUBLIC_KEY_BYTES) ==
              0);
    lex_signer_free(same);
    lex_signer_free(signer);
    lex_buf_fini(&pem);
    unlink(path);
    rmdir(dir);
}
END_TEST

START_TEST(a_kid_is_printable_and_bounded)
{
    char kid[LEX_KID_MAX_BYTES + 1];
    memset(kid, 'k', sizeof kid);
    ck_assert(lex_kid_valid(lex_span_of(kid, LEX_KID_MAX_BYTES)));
    ck_assert(!lex_kid_valid(lex_span_of(kid, LEX_KID_MAX_BYTES + 1)));
    static const char *const wrong[] = {"", " ", "a b", "a\"", "a\\", "a\n", "\x7f", "\xc3\xa9"};
    for (size_t i = 0; i < LEX_COUNT_OF(wrong); i++)
        ck_assert(!lex_kid_valid(lex_span_str(wrong[i])));
    ck_assert(!lex_kid_valid((struct lex_span){NULL, 0}));
    ck_assert(lex_kid_valid(LEX_SPAN("urn:x:~!{}'")));
}
END_TEST

LEX_CHECK_MAIN_WITH("jwt", test_jwt_setup, test_jwt_teardown, the_published_example_verifies,
                    the_published_example_is_what_we_sign, any_altered_character_is_refused,
                    what_is_no_compact_jws_is_malformed, every_beginning_of_a_message_is_malformed,
                    the_algorithm_is_the_pinned_one_and_nothing_else,
                    an_unsigned_message_is_refused, headers_that_mean_two_things_are_refused,
                    a_key_in_the_header_is_never_used, a_header_over_its_ceiling_is_refused,
                    a_message_over_its_ceiling_is_refused,
                    a_full_arena_is_a_limit_and_not_a_refusal, what_is_written_reads_back,
                    base64url_into_memory_is_that_of_the_buffer,
                    seconds_are_whole_numbers_of_this_age, the_published_key_reads,
                    keys_that_are_none_of_ours_are_refused,
                    a_set_passes_over_what_is_not_ours_and_refuses_what_is_wrong,
                    a_set_over_its_ceilings_is_refused,
                    the_keyrings_set_reads_back_and_holds_no_secret,
                    a_public_key_reads_in_each_of_its_forms, a_signers_file_must_be_private,
                    a_kid_is_printable_and_bounded)
