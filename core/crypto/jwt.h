/* JWT: compact JWS (RFC 7515) with Ed25519 (RFC 8037, RFC 9864), and the keys' JSON (RFC 7517).
 *
 * One algorithm, two registered names for it. What must always hold: the key, and with it the
 * algorithm, comes from what the verifier has pinned, never from the message; the header only has
 * to agree. There is no `none`, no key in a header, no `crit`. The payload is read only after the
 * signature was checked, so what strangers write meets the base64 decoder and a small header. */
#ifndef LEX_CRYPTO_JWT_H
#define LEX_CRYPTO_JWT_H

#include "core/base/json.h"
#include "core/crypto/crypto.h"

enum lex_jwt_alg { LEX_JWT_EDDSA, LEX_JWT_ED25519, LEX_JWT_ALGS };
const char *lex_jwt_alg_name(enum lex_jwt_alg alg); /* "EdDSA" (RFC 8037), "Ed25519" (RFC 9864) */
bool lex_jwt_alg_of(struct lex_span name, enum lex_jwt_alg *ret_alg); /* exact; false: neither */

/* ---- keys ---- */

enum {
    LEX_KID_MAX_BYTES = 64, /* printable ASCII without blanks, 1 byte at least */
    LEX_JWKS_MAX_BYTES = 64 << 10,
    LEX_JWKS_KEYS_MAX = 64,
};
bool lex_kid_valid(struct lex_span kid);

struct lex_jwk {
    struct lex_span kid;
    enum lex_jwt_alg alg;
    struct lex_public_key key;
};
struct lex_jwk_list {
    const struct lex_jwk *items;
    size_t count;
};
/* NULL where none has this kid. */
const struct lex_jwk *lex_jwk_find(const struct lex_jwk_list *keys, struct lex_span kid);

/* An OKP public key of curve Ed25519 (RFC 8037 section 2): kty, crv, x; kid and alg where they are
 * there (absent, EdDSA), use only "sig". A private part (d) is refused: it does not belong there.
 * @owns   kid borrows from the node
 * @errors LEX_REJECT err says what was expected; *ret_at is the node that is wrong */
LEX_STATUS lex_jwk_read(const struct lex_json *node, struct lex_jwk *ret_jwk,
                        const struct lex_json **ret_at, struct lex_error *err);
/* A key set (RFC 7517 section 5). Keys of other types and uses are passed over, as section 5 asks.
 * @owns   the list lives in the arena, kids borrow from `text` or the arena
 * @errors LEX_REJECT malformed, a kid twice, no key that serves; LEX_LIMIT */
LEX_STATUS lex_jwks_parse(struct lex_span text, struct lex_arena *arena,
                          struct lex_jwk_list *ret_keys, struct lex_error *err);

/* The keyring's token key as a JWK; its kid is the key id in lower-case hexadecimal.
 * @owns kid lives in kid_hex */
enum { LEX_KID_HEX_BYTES = 2 * LEX_KEY_ID_BYTES + 1 };
void lex_jwk_of_keyring(const struct lex_keyring *keyring, enum lex_jwt_alg alg,
                        char kid_hex[LEX_KID_HEX_BYTES], struct lex_jwk *ret_jwk);
/* The key set's text: what /.well-known/jwks.json answers. @errors LEX_LIMIT */
LEX_STATUS lex_jwks_write(const struct lex_jwk_list *keys, struct lex_buf *out);

/* ---- a key pair outside of the keyring: a policy's author, a test's issuer ---- */

struct lex_signer; /* one Ed25519 key from a file; the secret in guarded memory */
/* @errors LEX_REJECT err says what is wrong with the file (PKCS#8 PEM, 0600 or refuse) */
LEX_STATUS lex_signer_load(const char *path, struct lex_signer **ret_signer, struct lex_error *err);
LEX_STATUS lex_signer_from_seed(const uint8_t seed[LEX_SEED_BYTES], struct lex_signer **ret_signer,
                                struct lex_error *err);
void lex_signer_free(struct lex_signer *signer);
const struct lex_public_key *lex_signer_public(const struct lex_signer *signer);
void lex_signer_sign(const struct lex_signer *signer, struct lex_span message,
                     uint8_t ret_signature[LEX_SIGNATURE_BYTES]);
/* A public key for pinning: SubjectPublicKeyInfo in PEM (RFC 8410), what
 * `openssl pkey -pubout` writes, or a JWK, or 32 bytes in base64.
 * @errors LEX_REJECT err names the file and what was expected */
LEX_STATUS lex_public_key_load(const char *path, struct lex_public_key *ret_key,
                               struct lex_error *err);
LEX_STATUS lex_public_key_parse(struct lex_span text, struct lex_public_key *ret_key,
                                struct lex_error *err);

/* ---- compact JWS ---- */

enum {
    LEX_JWS_HEADER_MAX_BYTES = 512, /* decoded */
    LEX_JWS_MAX_BYTES = 96 << 20,   /* of the compact text: a policy document, in base64 */
};

/* How far a message got, so that a caller can name what is wrong with it. */
enum lex_jws_problem {
    LEX_JWS_MALFORMED, /* three parts, base64url without padding, a JSON object, 64 bytes */
    LEX_JWS_CRITICAL,  /* the header has `crit` */
    LEX_JWS_ALGORITHM, /* alg is missing or another */
    LEX_JWS_SIGNATURE,
};

/* A message whose parts were read and whose signature nobody has checked yet. */
struct lex_jws {
    struct lex_span signed_text;    /* header "." payload, what the signature covers */
    struct lex_span payload_base64; /* not decoded before the signature was checked */
    struct lex_span alg, typ, kid;  /* from the header; absent where it says nothing */
    uint8_t signature[LEX_SIGNATURE_BYTES];
};

/* Split and read the header: strict JSON, no member twice, alg, typ and kid strings.
 * @owns   borrows from `text` or the arena
 * @errors LEX_REJECT *ret_problem is MALFORMED or CRITICAL; LEX_LIMIT the arena is full */
LEX_STATUS lex_jws_read(struct lex_span text, size_t max_bytes, struct lex_arena *arena,
                        struct lex_jws *ret_jws, enum lex_jws_problem *ret_problem);
/* Check it against one pinned key and decode the payload.
 * @errors LEX_REJECT *ret_problem is ALGORITHM, SIGNATURE or MALFORMED; LEX_LIMIT */
LEX_STATUS lex_jws_open(const struct lex_jws *jws, const struct lex_public_key *key,
                        enum lex_jwt_alg alg, struct lex_arena *arena, struct lex_span *ret_payload,
                        enum lex_jws_problem *ret_problem);

/* header "." payload, ready to be signed; then with the signature behind it.
 * @pre    typ needs no escapes; kid is one that lex_kid_valid takes, or absent
 * @errors LEX_LIMIT the arena is full */
LEX_STATUS lex_jws_begin(enum lex_jwt_alg alg, const char *typ, struct lex_span kid,
                         struct lex_span payload, struct lex_arena *arena,
                         struct lex_span *ret_signed_text);
LEX_STATUS lex_jws_end(struct lex_span signed_text, const uint8_t signature[LEX_SIGNATURE_BYTES],
                       struct lex_arena *arena, struct lex_span *ret_text);

/* ---- claims ---- */

/* A NumericDate (RFC 7519 section 2): a whole number of seconds, so far ahead at most that
 * microseconds still fit. @return false: absent, or anything else */
#define LEX_JWT_SECONDS_MAX INT64_C(253402300799) /* the year 9999 */
bool lex_jwt_seconds(const struct lex_json *claims, const char *name, int64_t *ret_s);

#endif
