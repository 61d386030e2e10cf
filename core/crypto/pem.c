/* PEM: Ed25519 private keys as PKCS#8 (RFC 5208; version 2: RFC 5958; Ed25519: RFC 8410) in the
 * textual encoding of RFC 7468, the form that every tool reads.
 *
 *     OneAsymmetricKey ::= SEQUENCE { version INTEGER (0 | 1), algorithm SEQUENCE { 1.3.101.112 },
 *         privateKey OCTET STRING { OCTET STRING seed }, attributes [0] OPTIONAL,
 *         publicKey [1] BIT STRING OPTIONAL, version 2 only }
 *
 * An embedded public key is compared with the one the seed gives: a file that was put together
 * wrongly would otherwise sign with one key and publish another. Whatever held a secret is wiped.
 */
#include <sodium.h>

#include "core/base/text.h"
#include "core/crypto/crypto.h"

#define LABEL "PRIVATE KEY"

static const uint8_t ed25519_algorithm[] = {0x06, 0x03, 0x2b, 0x65, 0x70}; /* 1.3.101.112 */

/* ---- write ---- */

void lex_pem_write(const uint8_t seed[LEX_SEED_BYTES], struct lex_buf *out)
{
    uint8_t der[16 + LEX_SEED_BYTES] = {0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06,
                                        0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20};
    memcpy(der + 16, seed, LEX_SEED_BYTES);
    lex_buf_puts(out, "-----BEGIN " LABEL "-----\n"); /* 48 bytes: one line of 64 characters */
    lex_buf_put_base64(out, lex_span_of(der, sizeof der));
    lex_buf_puts(out, "\n-----END " LABEL "-----\n");
    sodium_memzero(der, sizeof der);
}

/* ---- DER ---- */

/* Take one element off the front: its tag must be `tag`. */
static bool der_take(struct lex_span *from, uint8_t tag, struct lex_span *ret)
{
    if (from->len < 2 || from->data[0] != tag)
        return false;
    size_t len = from->data[1], head = 2;
    if (len == 0x81) { /* one more byte of length; DER wants it only from 128 on */
        if (from->len < 3 || from->data[2] < 0x80)
            return false;
        len = from->data[2];
        head = 3;
    } else if (len >= 0x80) {
        return false; /* 256 bytes and more: no Ed25519 key is that large */
    }
    if (len > from->len - head)
        return false;
    *ret = lex_span_of(from->data + head, len);
    *from = lex_span_of(from->data + head + len, from->len - head - len);
    return true;
}

static enum lex_status check_public(struct lex_span bits, const uint8_t seed[LEX_SEED_BYTES],
                                    struct lex_error *err)
{
    uint8_t public_key[crypto_sign_PUBLICKEYBYTES], secret[crypto_sign_SECRETKEYBYTES];
    if (bits.len != 1 + sizeof public_key || bits.data[0] != 0)
        return lex_fail(err, LEX_REJECT, "the embedded public key has %zu bytes, expected 33",
                        bits.len);
    crypto_sign_seed_keypair(public_key, secret, seed);
    sodium_memzero(secret, sizeof secret);
    if (memcmp(bits.data + 1, public_key, sizeof public_key) != 0)
        return lex_fail(err, LEX_REJECT,
                        "the embedded public key does not belong to the private key; make the file "
                        "anew");
    return LEX_OK;
}

static enum lex_status parse_der(struct lex_span der, uint8_t ret_seed[LEX_SEED_BYTES],
                                 struct lex_error *err)
{
    struct lex_span body, version, algorithm, wrapped, seed, extra;
    if (!der_take(&der, 0x30, &body) || der.len != 0 || !der_take(&body, 0x02, &version) ||
        version.len != 1 || version.data[0] > 1 || !der_take(&body, 0x30, &algorithm))
        return lex_fail(err, LEX_REJECT, "the content is no PKCS#8 private key");
    if (!lex_span_eq(algorithm, lex_span_of(ed25519_algorithm, sizeof ed25519_algorithm)))
        return lex_fail(err, LEX_REJECT, "the key is of another algorithm, expected Ed25519");
    if (!der_take(&body, 0x04, &wrapped) || !der_take(&wrapped, 0x04, &seed) || wrapped.len != 0 ||
        seed.len != LEX_SEED_BYTES)
        return lex_fail(err, LEX_REJECT, "the private key is not one of 32 bytes");
    if (body.len > 0 && body.data[0] == 0xa0 && !der_take(&body, 0xa0, &extra))
        return lex_fail(err, LEX_REJECT, "the key's attributes are malformed");
    if (body.len > 0 && version.data[0] == 1) {
        if (!der_take(&body, 0x81, &extra))
            return lex_fail(err, LEX_REJECT, "the embedded public key is malformed");
        LEX_TRY(check_public(extra, seed.data, err));
    }
    if (body.len > 0)
        return lex_fail(err, LEX_REJECT, "%zu bytes are left over after the private key", body.len);
    memcpy(ret_seed, seed.data, LEX_SEED_BYTES);
    return LEX_OK;
}

/* ---- PEM ---- */

static const uint8_t *find(struct lex_span in, const char *what)
{
    return in.len == 0 ? NULL : memmem(in.data, in.len, what, strlen(what));
}

/* The base64 between the two lines. Text before the first one is commentary (RFC 7468 section 2).
 */
static enum lex_status find_body(struct lex_span text, struct lex_span *ret, struct lex_error *err)
{
    static const char begin[] = "-----BEGIN " LABEL "-----", end[] = "-----END " LABEL "-----";
    if (find(text, "-----BEGIN ENCRYPTED " LABEL "-----") != NULL)
        return lex_fail(
            err, LEX_REJECT,
            "the key is encrypted; write it without a passphrase (openssl pkey -in FILE)");
    const uint8_t *from = find(text, begin);
    if (from == NULL)
        return lex_fail(err, LEX_REJECT, "no line %s: expected a PKCS#8 private key in PEM", begin);
    from += sizeof begin - 1;
    struct lex_span rest = lex_span_of(from, text.len - (size_t)(from - text.data));
    const uint8_t *to = find(rest, end);
    if (to == NULL)
        return lex_fail(err, LEX_REJECT, "no line %s: the file is cut off", end);
    struct lex_span after =
        lex_span_of(to + sizeof end - 1, rest.len - (size_t)(to - from) - (sizeof end - 1));
    if (find(after, "-----BEGIN ") != NULL)
        return lex_fail(err, LEX_REJECT, "more than one key in the file, expected one");
    *ret = lex_span_of(from, (size_t)(to - from));
    return LEX_OK;
}

/* What a parse has of the secret, in one place so that it is wiped on every path. */
struct scratch {
    uint8_t base64[LEX_KEY_FILE_MAX_BYTES], der[LEX_KEY_FILE_MAX_BYTES];
};

static void wipe(struct scratch *scratch)
{
    sodium_memzero(scratch, sizeof *scratch);
}

LEX_STATUS lex_pem_parse(struct lex_span text, uint8_t ret_seed[LEX_SEED_BYTES],
                         struct lex_error *err)
{
    LEX_CLEANUP(wipe) struct scratch scratch;
    struct lex_span body = {NULL, 0};
    size_t chars = 0, der_bytes = 0;
    if (text.len > LEX_KEY_FILE_MAX_BYTES)
        return lex_fail(err, LEX_REJECT, "%zu bytes, a key file has at most %d", text.len,
                        LEX_KEY_FILE_MAX_BYTES);
    LEX_TRY(find_body(text, &body, err));
    for (size_t i = 0; i < body.len; i++)
        if (strchr(" \t\r\n", body.data[i]) == NULL || body.data[i] == '\0')
            scratch.base64[chars++] = body.data[i];
    if (lex_base64_decode(lex_span_of(scratch.base64, chars), scratch.der, sizeof scratch.der,
                          &der_bytes) != LEX_OK)
        return lex_fail(err, LEX_REJECT, "what stands between the two lines is no base64");
    return parse_der(lex_span_of(scratch.der, der_bytes), ret_seed, err);
}
