/* Hashes: SHA-256 through libcrypto's EVP.
 *
 * An entry is some 500 bytes, so the fixed cost of a call decides: fetching the algorithm by name
 * and making a context cost more than the hashing. Both are made once per thread and reused; the
 * thread gives them back when it ends. */
#include <openssl/evp.h>
#include <pthread.h>
#include <sodium.h>

#include "core/crypto/crypto.h"

struct hasher {
    EVP_MD *algorithm;
    EVP_MD_CTX *context;
};

static pthread_key_t hasher_key; /* only for its destructor; reads go through `mine` */
static pthread_once_t hasher_once = PTHREAD_ONCE_INIT;
static int hasher_key_failed;
static _Thread_local struct hasher *mine;

static void hasher_free(void *pointer)
{
    struct hasher *hasher = pointer;
    EVP_MD_CTX_free(hasher->context);
    EVP_MD_free(hasher->algorithm);
    free(hasher);
    mine = NULL;
}

static void make_key(void)
{
    hasher_key_failed = pthread_key_create(&hasher_key, hasher_free);
}

static struct hasher *hasher_new(void)
{
    struct hasher *hasher = calloc(1, sizeof *hasher);
    if (hasher == NULL)
        return NULL;
    hasher->algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
    hasher->context = EVP_MD_CTX_new();
    if (hasher->algorithm == NULL || hasher->context == NULL ||
        pthread_setspecific(hasher_key, hasher) != 0) {
        hasher_free(hasher);
        return NULL;
    }
    return hasher;
}

static struct hasher *hasher_get(void)
{
    if (mine == NULL && pthread_once(&hasher_once, make_key) == 0 && hasher_key_failed == 0)
        mine = hasher_new();
    return mine;
}

LEX_STATUS lex_crypto_init(struct lex_error *err)
{
    if (sodium_init() < 0)
        return lex_fail(err, LEX_HALT, "libsodium does not start: no source of randomness");
    if (hasher_get() == NULL)
        return lex_fail(err, LEX_HALT, "libcrypto does not start: it offers no SHA-256");
    return LEX_OK;
}

void lex_sha256(const struct lex_span *parts, size_t count, struct lex_hash *ret)
{
    struct hasher *hasher = hasher_get();
    LEX_ASSERT(hasher != NULL);
    int good = EVP_DigestInit_ex2(hasher->context, hasher->algorithm, NULL);
    for (size_t i = 0; i < count; i++)
        good &= EVP_DigestUpdate(hasher->context, parts[i].data, parts[i].len);
    good &= EVP_DigestFinal_ex(hasher->context, ret->bytes, NULL);
    LEX_ASSERT(good == 1);
}

void lex_leaf_hash(struct lex_span leaf, struct lex_hash *ret)
{
    static const uint8_t prefix = 0x00;
    lex_sha256((const struct lex_span[]){{&prefix, 1}, leaf}, 2, ret);
}

void lex_node_hash(const struct lex_hash *left, const struct lex_hash *right, struct lex_hash *ret)
{
    uint8_t text[1 + 2 * LEX_HASH_BYTES] = {0x01};
    memcpy(text + 1, left->bytes, LEX_HASH_BYTES);
    memcpy(text + 1 + LEX_HASH_BYTES, right->bytes, LEX_HASH_BYTES);
    lex_sha256((const struct lex_span[]){{text, sizeof text}}, 1, ret);
}

void lex_genesis_hash(struct lex_span origin, struct lex_hash *ret)
{
    lex_sha256((const struct lex_span[]){LEX_SPAN_INIT("lexecon-genesis/v1\n"), origin,
                                         LEX_SPAN_INIT("\n")},
               3, ret);
}
