/* Signer: one Ed25519 key that is none of the service's own: a policy's author, a test's issuer.
 *
 * Kept apart from the keyring on purpose. The service signs with exactly its roles' keys; whoever
 * writes policies or attestations holds a single file and must not need a directory of roles. The
 * secret stands in guarded memory here as well. */
#include <sodium.h>
#include <stdlib.h>

#include "core/crypto/jwt.h"

/* A multiple of 16, since sodium_malloc aligns only what ends on a boundary. */
struct secret {
    uint8_t bytes[crypto_sign_SECRETKEYBYTES];
};

struct lex_signer {
    struct lex_public_key public_key;
    struct secret *secret; /* guarded */
};

LEX_STATUS lex_signer_from_seed(const uint8_t seed[LEX_SEED_BYTES], struct lex_signer **ret_signer,
                                struct lex_error *err)
{
    struct lex_signer *signer = calloc(1, sizeof *signer);
    if (signer != NULL)
        signer->secret = sodium_malloc(sizeof *signer->secret);
    if (signer == NULL || signer->secret == NULL) {
        lex_signer_free(signer);
        return lex_fail(err, LEX_LIMIT, "no memory for the key");
    }
    crypto_sign_seed_keypair(signer->public_key.bytes, signer->secret->bytes, seed);
    (void)sodium_mprotect_readonly(signer->secret);
    *ret_signer = signer;
    return LEX_OK;
}

LEX_STATUS lex_signer_load(const char *path, struct lex_signer **ret_signer, struct lex_error *err)
{
    uint8_t seed[LEX_SEED_BYTES];
    bool missing = false;
    LEX_TRY(lex_key_file_read(path, seed, &missing, err));
    enum lex_status status = lex_signer_from_seed(seed, ret_signer, err);
    sodium_memzero(seed, sizeof seed);
    return status;
}

void lex_signer_free(struct lex_signer *signer)
{
    if (signer == NULL)
        return;
    sodium_free(signer->secret);
    free(signer);
}

const struct lex_public_key *lex_signer_public(const struct lex_signer *signer)
{
    return &signer->public_key;
}

void lex_signer_sign(const struct lex_signer *signer, struct lex_span message,
                     uint8_t ret_signature[LEX_SIGNATURE_BYTES])
{
    crypto_sign_detached(ret_signature, NULL, message.data, message.len, signer->secret->bytes);
}
