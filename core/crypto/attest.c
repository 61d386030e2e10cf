/* Attestations: one signature over a batch's Merkle root, and each verdict's path to it.
 *
 * Signing costs some 20 us and hashing well under one, so a loaded worker signs once per batch. A
 * batch of one goes through the same code with an empty path: there is no second, rarer way. */
#include "core/crypto/crypto.h"
#include "schemas/records.h"

/* What all attestations of a batch share, in the arena. */
struct batch_proof {
    uint8_t key_id[LEX_KEY_ID_BYTES];
    uint8_t signature[LEX_SIGNATURE_BYTES];
};

LEX_STATUS lex_attest_batch(const struct lex_keyring *keyring, struct lex_span origin,
                            const struct lex_hash *leaves, size_t count, struct lex_arena *arena,
                            struct lex_attestation *ret_attestations)
{
    char note[LEX_NOTE_MAX_BYTES];
    size_t note_bytes = 0;
    struct lex_hash root;
    struct batch_proof *proof = lex_arena_alloc(arena, sizeof *proof);
    struct lex_span_list *paths = lex_arena_calloc(arena, count, sizeof *paths);
    if (proof == NULL || paths == NULL)
        return LEX_LIMIT;
    LEX_TRY(lex_merkle_batch(leaves, count, arena, &root, paths));
    LEX_TRY(lex_note_batch(origin, (int64_t)count, &root, note, &note_bytes));
    memcpy(proof->key_id, lex_keyring_id(keyring, LEX_KEY_VERDICT), sizeof proof->key_id);
    lex_keyring_sign(keyring, LEX_KEY_VERDICT, lex_span_of(note, note_bytes), proof->signature);
    for (size_t i = 0; i < count; i++)
        ret_attestations[i] = (struct lex_attestation){
            .version = LEX_ATTESTATION_VERSION,
            .key_id = {proof->key_id, sizeof proof->key_id},
            .size = (int64_t)count,
            .index = (int64_t)i,
            .path = paths[i],
            .signature = {proof->signature, sizeof proof->signature},
        };
    return LEX_OK;
}

static enum lex_status check_shape(const struct lex_attestation *attestation, struct lex_error *err)
{
    if (attestation->version != LEX_ATTESTATION_VERSION)
        return lex_fail(err, LEX_REJECT,
                        "attestation: version %d, this program knows %d; use a newer one",
                        attestation->version, LEX_ATTESTATION_VERSION);
    if (attestation->size < 1 || attestation->size > LEX_BATCH_MAX)
        return lex_fail(err, LEX_REJECT, "attestation: a batch of %lld, expected 1 to %d",
                        (long long)attestation->size, LEX_BATCH_MAX);
    if (attestation->key_id.len != LEX_KEY_ID_BYTES ||
        attestation->signature.len != LEX_SIGNATURE_BYTES)
        return lex_fail(err, LEX_REJECT,
                        "attestation: a key id of %zu and a signature of %zu bytes, "
                        "expected 4 and 64",
                        attestation->key_id.len, attestation->signature.len);
    return LEX_OK;
}

LEX_STATUS lex_attestation_verify(const struct lex_pins *pins, struct lex_span origin,
                                  const struct lex_hash *leaf,
                                  const struct lex_attestation *attestation, struct lex_error *err)
{
    char note[LEX_NOTE_MAX_BYTES];
    size_t note_bytes = 0;
    struct lex_hash root;
    LEX_TRY(check_shape(attestation, err));
    if (!lex_pins_own_origin(pins, origin))
        return lex_fail(err, LEX_REJECT, "the log %.*s is not under the pinned prefix %.*s",
                        LEX_SPAN_FMT(origin), LEX_SPAN_FMT(lex_pins_origin_prefix(pins)));
    const uint8_t *id = attestation->key_id.data;
    const struct lex_public_key *key = lex_pins_key(pins, LEX_KEY_VERDICT, attestation->key_id);
    if (key == NULL)
        return lex_fail(err, LEX_REJECT, "no verdict key %02x%02x%02x%02x is pinned", id[0], id[1],
                        id[2], id[3]);
    if (lex_merkle_root_of(leaf, attestation->index, attestation->size, attestation->path, &root) !=
        LEX_OK)
        return lex_fail(
            err, LEX_REJECT, "attestation: %zu hashes lead from no leaf %lld of %lld to a root",
            attestation->path.count, (long long)attestation->index, (long long)attestation->size);
    if (lex_note_batch(origin, attestation->size, &root, note, &note_bytes) != LEX_OK ||
        !lex_signature_verify(key, lex_span_of(note, note_bytes), attestation->signature.data))
        return lex_fail(
            err, LEX_REJECT,
            "the signature does not fit: the entry, its place in the batch or the signature "
            "was altered");
    return LEX_OK;
}
