/* Crypto: hashes, signatures, Merkle batches and the notes that are signed. The one door to
 * libsodium (Ed25519) and libcrypto (SHA-256). */
#ifndef LEX_CRYPTO_CRYPTO_H
#define LEX_CRYPTO_CRYPTO_H

#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/base/value.h"

enum {
    LEX_HASH_BYTES = 32,
    LEX_SIGNATURE_BYTES = 64,
    LEX_KEY_ID_BYTES = 4,
    LEX_PUBLIC_KEY_BYTES = 32
};

/* Once per process, before anything else here. @errors LEX_HALT a library does not start */
LEX_STATUS lex_crypto_init(struct lex_error *err);

/* Bytes that nobody foretells. @thread any */
void lex_random(void *ret_bytes, size_t len);

struct lex_hash {
    uint8_t bytes[LEX_HASH_BYTES];
};

static inline bool lex_hash_eq(const struct lex_hash *a, const struct lex_hash *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

/* SHA-256 over the concatenation of `count` spans. @thread any; a context per thread is kept */
void lex_sha256(const struct lex_span *parts, size_t count, struct lex_hash *ret);

/* ---- RFC 6962 section 2.1 ---- */
void lex_leaf_hash(struct lex_span leaf, struct lex_hash *ret); /* SHA-256(0x00 || leaf) */
void lex_node_hash(const struct lex_hash *left, const struct lex_hash *right, struct lex_hash *ret);
/* prev_0 = SHA-256("lexecon-genesis/v1\n" || origin || "\n") */
void lex_genesis_hash(struct lex_span origin, struct lex_hash *ret);

/* The root of a tree of `count` leaves, and the audit path of every leaf (section 2.1.1), in one
 * pass: all inner nodes are hashed once, so a batch of n costs n - 1 hashes whatever the paths are.
 * @owns  the paths live in the arena, leaf upwards; path spans of one level share their bytes
 * @pre   count 1 .. LEX_BATCH_MAX
 * @errors LEX_LIMIT the arena is full */
LEX_STATUS lex_merkle_batch(const struct lex_hash *leaves, size_t count, struct lex_arena *arena,
                            struct lex_hash *ret_root, struct lex_span_list *ret_paths);
/* The root that `path` leads to from a leaf at `index` of `size` (RFC 9162 section 2.1.3.2).
 * @errors LEX_REJECT index outside the tree, or a path of another length or width */
LEX_STATUS lex_merkle_root_of(const struct lex_hash *leaf, int64_t index, int64_t size,
                              struct lex_span_list path, struct lex_hash *ret_root);

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
/* Read `<dir>/<role>.pem` (PKCS#8, 0600 or refuse). policy.pem may be missing.
 * @errors LEX_REJECT missing, wrong permissions, malformed, or a public key that does not belong:
 *         err says which file and which command makes one */
LEX_STATUS lex_keyring_load(const char *dir, const char *origin_prefix,
                            struct lex_keyring **ret_keyring, struct lex_error *err);
/* The same; those of LEX_KEYS_SERVICE that are missing are made first (keys=generate). */
LEX_STATUS lex_keyring_load_or_generate(const char *dir, const char *origin_prefix,
                                        struct lex_keyring **ret_keyring, struct lex_error *err);
/* Make the files of the roles in the mask (1u << role) that are missing, the directory too (0700).
 * A file appears whole or not at all, and one that exists is never touched.
 * @param ret_made the mask of those made now; may be NULL
 * @errors LEX_REJECT the directory cannot be made or written: err says which and why */
LEX_STATUS lex_keyring_generate(const char *dir, unsigned roles, unsigned *ret_made,
                                struct lex_error *err);
/* What the service signs with. The policy key is not among them: it signs policies, and whoever can
 * sign the rules should not also run them. */
enum {
    LEX_KEYS_SERVICE = 1u << LEX_KEY_VERDICT | 1u << LEX_KEY_LOG | 1u << LEX_KEY_TOKEN,
    LEX_KEYS_ALL = LEX_KEYS_SERVICE | 1u << LEX_KEY_POLICY,
};
/* In memory only, from a seed: for tests and the simulator. */
LEX_STATUS lex_keyring_from_seed(const uint8_t seed[32], const char *origin_prefix,
                                 struct lex_keyring **ret_keyring, struct lex_error *err);
void lex_keyring_free(struct lex_keyring *keyring);
/* NULL where the keyring has no such key (only LEX_KEY_POLICY may lack). */
const struct lex_public_key *lex_keyring_public(const struct lex_keyring *keyring,
                                                enum lex_key_role role);
struct lex_span lex_keyring_origin_prefix(const struct lex_keyring *keyring);
/* Ed25519 (RFC 8032) with the role's secret. */
void lex_keyring_sign(const struct lex_keyring *keyring, enum lex_key_role role,
                      struct lex_span message, uint8_t ret_signature[LEX_SIGNATURE_BYTES]);
bool lex_signature_verify(const struct lex_public_key *key, struct lex_span message,
                          const uint8_t signature[LEX_SIGNATURE_BYTES]);
/* Key id under the note name "<origin_prefix>/<role>". */
const uint8_t *lex_keyring_id(const struct lex_keyring *keyring, enum lex_key_role role);

/* ---- key files: PKCS#8 (RFC 5208, RFC 5958) in PEM (RFC 7468), Ed25519 (RFC 8410) ---- */
enum { LEX_SEED_BYTES = 32, LEX_KEY_FILE_MAX_BYTES = 4096 };
/* Version 1, what `openssl genpkey -algorithm ed25519` writes. @pre out was made for secrets */
void lex_pem_write(const uint8_t seed[LEX_SEED_BYTES], struct lex_buf *out);
/* Version 1 or 2; an embedded public key is checked against the seed.
 * @errors LEX_REJECT err says what it is instead (without its content) */
LEX_STATUS lex_pem_parse(struct lex_span text, uint8_t ret_seed[LEX_SEED_BYTES],
                         struct lex_error *err);
/* Read one from a file: 0600 or refuse. @post *ret_missing: there is no such file
 * @errors LEX_REJECT err names the file and what is wrong with it */
LEX_STATUS lex_key_file_read(const char *path, uint8_t ret_seed[LEX_SEED_BYTES], bool *ret_missing,
                             struct lex_error *err);

/* ---- signed notes (C2SP signed-note, tlog-checkpoint) ---- */
enum { LEX_ORIGIN_PREFIX_MAX_BYTES = 200, LEX_ORIGIN_MAX_BYTES = 512, LEX_NOTE_MAX_BYTES = 1024 };
/* A prefix `<org>/<cluster>`: printable ASCII without blanks, plus signs or empty segments, since
 * it becomes a line of a note and a part of a note's key name.
 * @errors LEX_REJECT err says which character or segment */
LEX_STATUS lex_origin_prefix_check(struct lex_span prefix, struct lex_error *err);
/* The text that a batch's signature covers; NUL-terminated, *ret_len without the NUL.
 * @errors LEX_LIMIT the origin is over LEX_ORIGIN_MAX_BYTES */
LEX_STATUS lex_note_batch(struct lex_span origin, int64_t size, const struct lex_hash *root,
                          char out[LEX_NOTE_MAX_BYTES], size_t *ret_len);

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
/* A pinned key by its id under its note name, NULL where none is pinned. */
const struct lex_public_key *lex_pins_key(const struct lex_pins *pins, enum lex_key_role role,
                                          struct lex_span key_id);
/* Whether `origin` lies under the pinned prefix: prefix, a slash, and more. */
bool lex_pins_own_origin(const struct lex_pins *pins, struct lex_span origin);
/* Check that `attestation` proves `leaf` for `origin`: origin under the pinned prefix, key pinned,
 * path, signature. @errors LEX_REJECT err says which check failed */
LEX_STATUS lex_attestation_verify(const struct lex_pins *pins, struct lex_span origin,
                                  const struct lex_hash *leaf,
                                  const struct lex_attestation *attestation, struct lex_error *err);

#endif
