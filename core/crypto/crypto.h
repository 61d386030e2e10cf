/* Crypto: hashes, signatures, Merkle batches and the notes that are signed. The one door to
 * libsodium (Ed25519) and libcrypto (SHA-256). */
#ifndef LEX_CRYPTO_CRYPTO_H
#define LEX_CRYPTO_CRYPTO_H

#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/base/value.h"

enum { LEX_HASH_BYTES = 32, LEX_SIGNATURE_BYTES = 64, LEX_KEY_ID_BYTES = 4, LEX_PUBLIC_KEY_BYTES = 32 };

/* Once per process, before anything else here. @errors LEX_HALT a library does not start */
LEX_STATUS lex_crypto_init(struct lex_error *err);

struct lex_hash {
    uint8_t bytes[LEX_HASH_BYTES];
};

/* SHA-256 over the concatenation of `count` spans. @thread any; a context per thread is kept */
void lex_sha256(const struct lex_span *parts, size_t count, struct lex_hash *ret);

/* ---- RFC 6962 section 2.1 ---- */
void lex_leaf_hash(struct lex_span leaf, struct lex_hash *ret);          /* SHA-256(0x00 || leaf) */
void lex_node_hash(const struct lex_hash *left, const struct lex_hash *right, struct lex_hash *ret);
/* prev_0 = SHA-256("lexecon-genesis/v1\n" || origin || "\n") */
void lex_genesis_hash(struct lex_span origin, struct lex_hash *ret);

/* ---- keys ---- */
enum lex_key_role { LEX_KEY_VERDICT, LEX_KEY_LOG, LEX_KEY_TOKEN, LEX_KEY_POLICY, LEX_KEY_ROLES };
const char *lex_key_role_name(enum lex_key_role role); /* "verdict", "log", "token", "policy" */

struct lex_public_key {
    uint8_t bytes[LEX_PUBLIC_KEY_BYTES];
};
/* The C2SP note key id: first 4 bytes of SHA-256(name || "\n" || 0x01 || public key). */
void lex_key_id(struct lex_span note_name, const struct lex_public_key *key,
                uint8_t ret_id[LEX_KEY_ID_BYTES]);

struct lex_keyring; /* one Ed25519 key per role, secrets in guarded memory */
/* Read `<dir>/<role>.pem` (PKCS#8, 0600 or refuse).
 * @errors LEX_REJECT missing, wrong permissions, malformed, or a public key that does not belong:
 *         err says which file and which command makes one */
LEX_STATUS lex_keyring_load(const char *dir, const char *origin_prefix,
                            struct lex_keyring **ret_keyring, struct lex_error *err);
/* The same; keys that are missing are made first (keys=generate). */
LEX_STATUS lex_keyring_load_or_generate(const char *dir, const char *origin_prefix,
                                        struct lex_keyring **ret_keyring, struct lex_error *err);
/* In memory only, from a seed: for tests and the simulator. */
LEX_STATUS lex_keyring_from_seed(const uint8_t seed[32], const char *origin_prefix,
                                 struct lex_keyring **ret_keyring, struct lex_error *err);
void lex_keyring_free(struct lex_keyring *keyring);
const struct lex_public_key *lex_keyring_public(const struct lex_keyring *keyring,
                                                enum lex_key_role role);
/* Key id under the note name "<origin_prefix>/verdict" or ".../log". */
const uint8_t *lex_keyring_id(const struct lex_keyring *keyring, enum lex_key_role role);

/* ---- the batch signature (formats.md, "Verdict") ---- */
/* The attestations of `count` leaves of one partition, in their order: one root, one signature.
 * @param count 1 .. LEX_BATCH_MAX
 * @owns  all spans of ret_attestations live in the arena
 * @errors LEX_LIMIT the arena is full
 * @thread any; the keyring is immutable */
enum { LEX_BATCH_MAX = 4096, LEX_ATTESTATION_VERSION = 1 };
struct lex_attestation;
LEX_STATUS lex_attest_batch(const struct lex_keyring *keyring, struct lex_span origin,
                            const struct lex_hash *leaves, size_t count, struct lex_arena *arena,
                            struct lex_attestation *ret_attestations);

/* ---- pins: what a verifier trusts, got out of band ---- */
struct lex_pins; /* origin prefix and public keys by role */
LEX_STATUS lex_pins_load(const char *path, struct lex_pins **ret_pins, struct lex_error *err);
LEX_STATUS lex_pins_parse(struct lex_span json, struct lex_pins **ret_pins, struct lex_error *err);
void lex_pins_free(struct lex_pins *pins);
/* The pin file of a keyring, as JSON text with a newline at its end. */
LEX_STATUS lex_pins_write(const struct lex_keyring *keyring, struct lex_buf *out);
struct lex_span lex_pins_origin_prefix(const struct lex_pins *pins);
/* Check that `attestation` proves `leaf` for `origin`: origin under the pinned prefix, key pinned,
 * path, signature. @errors LEX_REJECT err says which check failed */
LEX_STATUS lex_attestation_verify(const struct lex_pins *pins, struct lex_span origin,
                                  const struct lex_hash *leaf,
                                  const struct lex_attestation *attestation, struct lex_error *err);

#endif
