/* JWTs for tests, right ones and any that are wrong: header and payload are the test's own text. */
#ifndef LEX_TESTS_JWT_FIXTURE_H
#define LEX_TESTS_JWT_FIXTURE_H

#include <stdio.h>

#include "core/base/text.h"
#include "core/crypto/jwt.h"
#include "tests/unit/lex_check.h"

static struct lex_arena arena;
static struct lex_error err;

static inline struct lex_signer *test_signer(uint8_t seed_byte)
{
    struct lex_signer *signer = NULL;
    uint8_t seed[LEX_SEED_BYTES] = {seed_byte, 7};
    ck_assert_int_eq(lex_signer_from_seed(seed, &signer, &err), LEX_OK);
    return signer;
}

/* Three parts, signed over the first two as they stand. The text lives in the arena. */
static inline struct lex_span test_jws_of(const struct lex_signer *signer, struct lex_span header,
                                          struct lex_span payload)
{
    uint8_t signature[LEX_SIGNATURE_BYTES];
    struct lex_buf text;
    lex_buf_init(&text, 256 << 10);
    lex_buf_put_base64url(&text, header);
    lex_buf_putc(&text, '.');
    lex_buf_put_base64url(&text, payload);
    lex_signer_sign(signer, lex_buf_span(&text), signature);
    lex_buf_putc(&text, '.');
    lex_buf_put_base64url(&text, lex_span_of(signature, sizeof signature));
    ck_assert(lex_buf_ok(&text));
    struct lex_span kept = lex_arena_dup(&arena, lex_buf_span(&text));
    lex_buf_fini(&text);
    ck_assert(!lex_span_absent(kept));
    return kept;
}

static inline struct lex_span test_jws(const struct lex_signer *signer, const char *header,
                                       const char *payload)
{
    return test_jws_of(signer, lex_span_str(header), lex_span_str(payload));
}

/* A public key as issuers.json and JWKs write it; static, good until the eighth call after it. */
static inline const char *test_public(const struct lex_signer *signer, bool url)
{
    static char texts[8][64];
    static size_t next;
    struct lex_span key = lex_span_of(lex_signer_public(signer)->bytes, LEX_PUBLIC_KEY_BYTES);
    struct lex_buf buf;
    char *text = texts[next++ % 8];
    lex_buf_init(&buf, 64);
    if (url)
        lex_buf_put_base64url(&buf, key);
    else
        lex_buf_put_base64(&buf, key);
    snprintf(text, sizeof texts[0], "%s", lex_buf_str(&buf));
    lex_buf_fini(&buf);
    return text;
}

static inline void test_jwt_setup(void)
{
    ck_assert_int_eq(lex_crypto_init(&err), LEX_OK);
    lex_arena_init(&arena, 64 << 10, 256 << 20);
}

static inline void test_jwt_teardown(void)
{
    lex_arena_fini(&arena);
}

#endif
