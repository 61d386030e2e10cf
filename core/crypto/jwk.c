/* JWK: public keys as JSON (RFC 7517, RFC 8037 section 2), and the other forms in which one is
 * pinned.
 *
 * Read strictly where the file is trust itself (an issuer's key): what is not an Ed25519 key for
 * signatures is an error there. A key *set* may hold keys for other things, as its format wants
 * it, and those are passed over; one that is ours by its type and wrong is an error. */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>

#include "core/base/text.h"
#include "core/crypto/jwt.h"

enum { PUBLIC_KEY_FILE_MAX_BYTES = 4096, JWKS_TREE_MAX_BYTES = 4 << 20 };

const struct lex_jwk *lex_jwk_find(const struct lex_jwk_list *keys, struct lex_span kid)
{
    for (size_t i = 0; i < keys->count; i++)
        if (lex_span_eq(keys->items[i].kid, kid))
            return &keys->items[i];
    return NULL;
}

/* A point of small order, or none of the curve, would verify what nobody signed. */
static bool usable(const struct lex_public_key *key)
{
    return crypto_core_ed25519_is_valid_point(key->bytes) == 1;
}

/* ---- one key ---- */

struct reader {
    const struct lex_json **at;
    struct lex_error *err;
};

static enum lex_status bad(const struct reader *reader, const struct lex_json *node,
                           const char *what)
{
    *reader->at = node;
    return lex_fail(reader->err, LEX_REJECT, "%s", what);
}

static bool has_text(const struct lex_json *object, const char *name, const char *text)
{
    const struct lex_json *member = lex_json_get(object, name);
    return lex_json_is(member, LEX_JSON_STRING) && lex_span_eq(member->text, lex_span_str(text));
}

static enum lex_status read_point(const struct reader *reader, const struct lex_json *node,
                                  struct lex_public_key *ret_key)
{
    const struct lex_json *x = lex_json_get(node, "x");
    size_t len = 0;
    if (!lex_json_is(x, LEX_JSON_STRING) ||
        lex_base64url_decode(x->text, ret_key->bytes, sizeof ret_key->bytes, &len) != LEX_OK ||
        len != sizeof ret_key->bytes)
        return bad(reader, x != NULL ? x : node,
                   "x: expected 32 bytes in base64url without padding");
    if (!usable(ret_key))
        return bad(reader, x, "x: is no usable Ed25519 public key");
    return LEX_OK;
}

static enum lex_status read_names(const struct reader *reader, const struct lex_json *node,
                                  struct lex_jwk *jwk)
{
    const struct lex_json *kid = lex_json_get(node, "kid"), *alg = lex_json_get(node, "alg");
    jwk->kid = kid != NULL ? kid->text : lex_span_str(NULL);
    jwk->alg = LEX_JWT_EDDSA;
    if (kid != NULL && (kid->type != LEX_JSON_STRING || !lex_kid_valid(kid->text)))
        return bad(reader, kid, "kid: expected 1 to 64 printable characters without blanks");
    if (alg != NULL && (alg->type != LEX_JSON_STRING || !lex_jwt_alg_of(alg->text, &jwk->alg)))
        return bad(reader, alg, "alg: expected EdDSA or Ed25519");
    return LEX_OK;
}

LEX_STATUS lex_jwk_read(const struct lex_json *node, struct lex_jwk *ret_jwk,
                        const struct lex_json **ret_at, struct lex_error *err)
{
    struct reader reader = {ret_at, err};
    struct lex_jwk jwk;
    if (!lex_json_is(node, LEX_JSON_OBJECT))
        return bad(&reader, node, "expected a JSON Web Key, an object");
    if (lex_json_get(node, "d") != NULL)
        return bad(&reader, lex_json_get(node, "d"),
                   "d: this is a private key; write only its public part here, and make a new key "
                   "if others may have read it");
    if (!has_text(node, "kty", "OKP") || !has_text(node, "crv", "Ed25519"))
        return bad(&reader, node, "expected a key with \"kty\": \"OKP\" and \"crv\": \"Ed25519\"");
    if (lex_json_get(node, "use") != NULL && !has_text(node, "use", "sig"))
        return bad(&reader, lex_json_get(node, "use"), "use: expected \"sig\"");
    LEX_TRY(read_names(&reader, node, &jwk));
    LEX_TRY(read_point(&reader, node, &jwk.key));
    *ret_jwk = jwk;
    return LEX_OK;
}

/* ---- a set ---- */

static enum lex_status bad_set(struct lex_span text, const struct lex_json *node, const char *what,
                               struct lex_error *err)
{
    unsigned line, column;
    lex_json_where(text, node->at, &line, &column);
    return lex_fail(err, LEX_REJECT, "line %u, column %u: %s", line, column, what);
}

/* Whether a key of the set is meant for what is verified here. */
static bool serves(const struct lex_json *node)
{
    return has_text(node, "kty", "OKP") && has_text(node, "crv", "Ed25519") &&
           (lex_json_get(node, "use") == NULL || has_text(node, "use", "sig"));
}

static enum lex_status read_keys(struct lex_span text, const struct lex_json *keys,
                                 struct lex_jwk *items, size_t *count, struct lex_error *err)
{
    for (const struct lex_json *node = keys->child; node != NULL; node = node->next) {
        const struct lex_json *at = node;
        struct lex_error why;
        struct lex_jwk_list above = {items, *count};
        if (!serves(node))
            continue;
        if (*count == LEX_JWKS_KEYS_MAX)
            return bad_set(text, node, "keys: more than 64", err);
        if (lex_jwk_read(node, &items[*count], &at, &why) != LEX_OK)
            return bad_set(text, at, why.text, err);
        if (lex_span_absent(items[*count].kid))
            return bad_set(text, node, "a key without kid cannot be found by a token", err);
        if (lex_jwk_find(&above, items[*count].kid) != NULL)
            return bad_set(text, node, "a key with this kid stands above already", err);
        (*count)++;
    }
    return LEX_OK;
}

LEX_STATUS lex_jwks_parse(struct lex_span text, struct lex_arena *arena,
                          struct lex_jwk_list *ret_keys, struct lex_error *err)
{
    const struct lex_json *root;
    size_t count = 0;
    if (text.len > LEX_JWKS_MAX_BYTES)
        return lex_fail(err, LEX_REJECT, "%zu bytes, a key set has at most %d", text.len,
                        LEX_JWKS_MAX_BYTES);
    LEX_TRY(lex_json_parse(arena, text, &root, err));
    const struct lex_json *keys = lex_json_get(root, "keys");
    if (!lex_json_is(keys, LEX_JSON_ARRAY))
        return bad_set(text, root, "expected a key set: an object with an array `keys`", err);
    struct lex_jwk *items = lex_arena_calloc(arena, LEX_JWKS_KEYS_MAX, sizeof *items);
    if (items == NULL)
        return lex_fail(err, LEX_LIMIT, "no memory for the key set");
    LEX_TRY(read_keys(text, keys, items, &count, err));
    if (count == 0)
        return bad_set(text, keys, "keys: none is an Ed25519 key for signatures", err);
    *ret_keys = (struct lex_jwk_list){items, count};
    return LEX_OK;
}

void lex_jwk_of_keyring(const struct lex_keyring *keyring, enum lex_jwt_alg alg,
                        char kid_hex[LEX_KID_HEX_BYTES], struct lex_jwk *ret_jwk)
{
    const uint8_t *id = lex_keyring_id(keyring, LEX_KEY_TOKEN);
    for (size_t i = 0; i < LEX_KEY_ID_BYTES; i++)
        (void)snprintf(kid_hex + 2 * i, 3, "%02x", id[i]);
    *ret_jwk = (struct lex_jwk){.kid = lex_span_of(kid_hex, LEX_KID_HEX_BYTES - 1),
                                .alg = alg,
                                .key = *lex_keyring_public(keyring, LEX_KEY_TOKEN)};
}

LEX_STATUS lex_jwks_write(const struct lex_jwk_list *keys, struct lex_buf *out)
{
    lex_buf_puts(out, "{\"keys\":[");
    for (size_t i = 0; i < keys->count; i++) {
        const struct lex_jwk *jwk = &keys->items[i];
        lex_buf_puts(out, i == 0 ? "" : ",");
        lex_buf_puts(out, "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"");
        lex_buf_put_base64url(out, lex_span_of(jwk->key.bytes, sizeof jwk->key.bytes));
        lex_buf_puts(out, "\",\"kid\":");
        lex_buf_put_json(out, jwk->kid);
        lex_buf_printf(out, ",\"alg\":\"%s\",\"use\":\"sig\"}", lex_jwt_alg_name(jwk->alg));
    }
    lex_buf_puts(out, "]}\n");
    return lex_buf_ok(out) ? LEX_OK : LEX_LIMIT;
}

/* ---- a public key of its own ---- */

static struct lex_span trim(struct lex_span text)
{
    while (text.len > 0 && text.data[0] <= ' ')
        text = lex_span_of(text.data + 1, text.len - 1);
    while (text.len > 0 && text.data[text.len - 1] <= ' ')
        text.len--;
    return text;
}

static bool begins(struct lex_span text, struct lex_span with)
{
    return text.len >= with.len && lex_span_eq(lex_span_of(text.data, with.len), with);
}

/* SubjectPublicKeyInfo of an Ed25519 key is these bytes and the key (RFC 8410 section 4). */
static enum lex_status parse_pem(struct lex_span text, struct lex_public_key *ret_key,
                                 struct lex_error *err)
{
    static const uint8_t head[] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
                                   0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
    static const struct lex_span begin = LEX_SPAN_INIT("-----BEGIN PUBLIC KEY-----"),
                                 end = LEX_SPAN_INIT("-----END PUBLIC KEY-----");
    uint8_t base64[128], der[sizeof head + sizeof ret_key->bytes];
    size_t chars = 0, len = 0;
    if (text.len < begin.len + end.len ||
        !lex_span_eq(lex_span_of(text.data + text.len - end.len, end.len), end))
        return lex_fail(err, LEX_REJECT, "no line -----END PUBLIC KEY----- at the end");
    for (size_t i = begin.len; i < text.len - end.len && chars < sizeof base64; i++)
        if (text.data[i] > ' ')
            base64[chars++] = text.data[i];
    if (lex_base64_decode(lex_span_of(base64, chars), der, sizeof der, &len) != LEX_OK ||
        len != sizeof der || memcmp(der, head, sizeof head) != 0)
        return lex_fail(err, LEX_REJECT, "the PEM holds no Ed25519 public key");
    memcpy(ret_key->bytes, der + sizeof head, sizeof ret_key->bytes);
    return LEX_OK;
}

static enum lex_status parse_jwk(struct lex_span text, struct lex_public_key *ret_key,
                                 struct lex_error *err)
{
    LEX_CLEANUP(lex_arena_fini) struct lex_arena arena;
    const struct lex_json *root, *at;
    struct lex_jwk jwk;
    lex_arena_init(&arena, 4096, JWKS_TREE_MAX_BYTES);
    LEX_TRY(lex_json_parse(&arena, text, &root, err));
    LEX_TRY(lex_jwk_read(root, &jwk, &at, err));
    *ret_key = jwk.key;
    return LEX_OK;
}

LEX_STATUS lex_public_key_parse(struct lex_span text, struct lex_public_key *ret_key,
                                struct lex_error *err)
{
    struct lex_public_key key;
    size_t len = 0;
    text = trim(text);
    if (begins(text, LEX_SPAN("-----BEGIN PUBLIC KEY-----")))
        LEX_TRY(parse_pem(text, &key, err));
    else if (begins(text, LEX_SPAN("{")))
        LEX_TRY(parse_jwk(text, &key, err));
    else if (lex_base64_decode(text, key.bytes, sizeof key.bytes, &len) != LEX_OK ||
             len != sizeof key.bytes)
        return lex_fail(err, LEX_REJECT,
                        "expected an Ed25519 public key: -----BEGIN PUBLIC KEY-----, a JWK, or 32 "
                        "bytes in base64");
    if (!usable(&key))
        return lex_fail(err, LEX_REJECT, "these 32 bytes are no usable Ed25519 public key");
    *ret_key = key;
    return LEX_OK;
}

static void close_file(FILE **file)
{
    if (*file != NULL)
        (void)fclose(*file);
}

LEX_STATUS lex_public_key_load(const char *path, struct lex_public_key *ret_key,
                               struct lex_error *err)
{
    struct lex_error why;
    uint8_t text[PUBLIC_KEY_FILE_MAX_BYTES + 1];
    LEX_CLEANUP(close_file) FILE *file = fopen(path, "rbe");
    if (file == NULL)
        return lex_fail(err, LEX_REJECT, "%s: %s", path, strerror(errno));
    size_t len = fread(text, 1, sizeof text, file);
    if (ferror(file) != 0)
        return lex_fail(err, LEX_REJECT, "%s: cannot be read", path);
    if (len > PUBLIC_KEY_FILE_MAX_BYTES)
        return lex_fail(err, LEX_REJECT, "%s: more than %d bytes", path, PUBLIC_KEY_FILE_MAX_BYTES);
    if (lex_public_key_parse(lex_span_of(text, len), ret_key, &why) != LEX_OK)
        return lex_fail(err, LEX_REJECT, "%s: %s", path, why.text);
    return LEX_OK;
}
