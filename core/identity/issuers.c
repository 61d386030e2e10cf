/* issuers.json:
 *
 *     {"issuers": [
 *       {"iss": "https://hr.example.com",
 *        "keys": [{"kid": "hr-1", "public_key": "<32 bytes in base64>"},
 *                 {"kid": "hr-2", "jwk": {"kty": "OKP", "crv": "Ed25519", "x": "..."}, "alg":
 * "Ed25519"}], "actors": ["actor:billing_agent"], "roles": ["actor:oncall"], "facts":
 * ["mfa_verified"], "approvers": ["actor:human"]}]}
 *
 * Read strictly, as every file that is trust: an unknown member, a kid or a key that stands twice,
 * an issuer that stands twice, a list that is no list are errors with line and column. Two kids
 * with one key are refused because an approval counts distinct keys. */
#include "core/identity/issuers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/text.h"

enum {
    TREE_MAX_BYTES = 64 << 20,
    KEYS_MAX = LEX_ISSUERS_MAX * LEX_ISSUER_KEYS_MAX,
};

struct lex_identity {
    struct lex_arena arena; /* names and lists */
    struct lex_issuer *issuers;
    size_t issuers_count;
    struct lex_issuer_key *keys; /* sorted by kid */
    size_t keys_count;
};

struct reader {
    struct lex_span text;
    struct lex_identity *identity;
    struct lex_error *err;
};

/* ---- members ---- */

static enum lex_status bad(const struct reader *reader, size_t at, const char *what)
{
    unsigned line, column;
    lex_json_where(reader->text, at, &line, &column);
    return lex_fail(reader->err, LEX_REJECT, "line %u, column %u: %s", line, column, what);
}

static enum lex_status full(const struct reader *reader)
{
    return lex_fail(reader->err, LEX_LIMIT, "no memory for the issuers");
}

/* Every member is one of the comma-separated `known`. */
static enum lex_status check_members(const struct reader *reader, const struct lex_json *object,
                                     const char *const *known, size_t count, const char *expected)
{
    if (!lex_json_is(object, LEX_JSON_OBJECT))
        return bad(reader, object->at, expected);
    for (const struct lex_json *member = object->child; member != NULL; member = member->next) {
        size_t i = 0;
        while (i < count && !lex_span_eq(member->key, lex_span_str(known[i])))
            i++;
        if (i == count)
            return bad(reader, member->key_at, expected);
    }
    return LEX_OK;
}

/* ---- names ---- */

bool lex_issuer_name_valid(struct lex_span name)
{
    if (name.len == 0 || name.len > LEX_NAME_MAX_BYTES || name.data[0] == '#')
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (name.data[i] < ' ' || name.data[i] == 0x7f)
            return false;
    return true;
}

static int by_bytes(const void *a, const void *b)
{
    return lex_span_cmp(*(const struct lex_span *)a, *(const struct lex_span *)b);
}

/* One name of a list, `*` among them. */
static enum lex_status read_name(const struct reader *reader, const struct lex_json *node,
                                 struct lex_issuer_names *names)
{
    if (!lex_json_is(node, LEX_JSON_STRING) || !lex_issuer_name_valid(node->text))
        return bad(reader, node->at,
                   "expected a name of 1 to 512 bytes, without control characters and without # in "
                   "front, which marks the service's own facts");
    if (lex_span_eq(node->text, LEX_SPAN("*"))) {
        names->any = true;
        return LEX_OK;
    }
    if (memchr(node->text.data, '*', node->text.len) != NULL)
        return bad(reader, node->at,
                   "expected an exact name, or \"*\" alone: there are no patterns");
    struct lex_span name = lex_arena_dup(&reader->identity->arena, node->text);
    if (lex_span_absent(name))
        return full(reader);
    names->names[names->count++] = name;
    return LEX_OK;
}

/* An absent list allows nothing. */
static enum lex_status read_names(const struct reader *reader, const struct lex_json *issuer,
                                  const char *member, struct lex_issuer_names *names)
{
    const struct lex_json *list = lex_json_get(issuer, member);
    if (list == NULL)
        return LEX_OK;
    if (list->type != LEX_JSON_ARRAY || list->count > LEX_ISSUER_NAMES_MAX)
        return bad(reader, list->at, "expected a list of at most 4096 names, or [\"*\"]");
    names->names = lex_arena_calloc(&reader->identity->arena, list->count, sizeof *names->names);
    if (names->names == NULL)
        return full(reader);
    for (const struct lex_json *node = list->child; node != NULL; node = node->next)
        LEX_TRY(read_name(reader, node, names));
    if (names->any && list->count != 1)
        return bad(reader, list->at, "\"*\" stands for every name: expected it alone in its list");
    qsort(names->names, names->count, sizeof *names->names, by_bytes);
    return LEX_OK;
}

bool lex_issuer_may(const struct lex_issuer_names *names, struct lex_span name)
{
    return names->any || (names->count > 0 && bsearch(&name, names->names, names->count,
                                                      sizeof *names->names, by_bytes) != NULL);
}

/* ---- keys ---- */

static enum lex_status read_jwk(const struct reader *reader, const struct lex_json *node,
                                struct lex_jwk *jwk)
{
    const struct lex_json *at = node;
    struct lex_jwk read;
    struct lex_error why;
    if (lex_jwk_read(node, &read, &at, &why) != LEX_OK)
        return bad(reader, at->at, why.text);
    if (!lex_span_absent(read.kid) && !lex_span_eq(read.kid, jwk->kid))
        return bad(reader, node->at, "jwk: its kid is another than the one beside it");
    jwk->key = read.key;
    jwk->alg = read.alg;
    return LEX_OK;
}

static enum lex_status read_public(const struct reader *reader, const struct lex_json *object,
                                   struct lex_jwk *jwk)
{
    const struct lex_json *key = lex_json_get(object, "public_key");
    const struct lex_json *node = lex_json_get(object, "jwk");
    struct lex_error why;
    if ((key == NULL) == (node == NULL))
        return bad(reader, object->at, "expected either public_key (32 bytes in base64) or jwk");
    if (node != NULL)
        return read_jwk(reader, node, jwk);
    if (key->type != LEX_JSON_STRING || lex_public_key_parse(key->text, &jwk->key, &why) != LEX_OK)
        return bad(reader, key->at,
                   "public_key: expected an Ed25519 public key, 32 bytes in base64");
    return LEX_OK;
}

static enum lex_status check_distinct(const struct reader *reader, const struct lex_json *object,
                                      const struct lex_jwk *jwk)
{
    for (size_t i = 0; i < reader->identity->keys_count; i++) {
        const struct lex_jwk *other = &reader->identity->keys[i].jwk;
        if (lex_span_eq(other->kid, jwk->kid))
            return bad(reader, object->at, "kid: this one stands above already");
        if (memcmp(other->key.bytes, jwk->key.bytes, sizeof jwk->key.bytes) == 0)
            return bad(reader, object->at,
                       "the same public key stands above already under another kid; approvals "
                       "count distinct keys, so each has one kid");
    }
    return LEX_OK;
}

static enum lex_status read_key(const struct reader *reader, const struct lex_json *object,
                                const struct lex_issuer *issuer)
{
    static const char *const known[] = {"kid", "public_key", "jwk", "alg"};
    struct lex_jwk jwk = {.alg = LEX_JWT_EDDSA};
    LEX_TRY(check_members(reader, object, known, LEX_COUNT_OF(known),
                          "expected an object with kid, public_key or jwk, and at most alg"));
    const struct lex_json *kid = lex_json_get(object, "kid");
    const struct lex_json *alg = lex_json_get(object, "alg");
    if (!lex_json_is(kid, LEX_JSON_STRING) || !lex_kid_valid(kid->text))
        return bad(
            reader, kid != NULL ? kid->at : object->at,
            "kid: expected 1 to 64 printable characters without blanks, quotes, backslashes");
    jwk.kid = lex_arena_dup(&reader->identity->arena, kid->text);
    if (lex_span_absent(jwk.kid))
        return full(reader);
    LEX_TRY(read_public(reader, object, &jwk));
    if (alg != NULL && (alg->type != LEX_JSON_STRING || !lex_jwt_alg_of(alg->text, &jwk.alg)))
        return bad(reader, alg->at, "alg: expected EdDSA (the default) or Ed25519");
    LEX_TRY(check_distinct(reader, object, &jwk));
    reader->identity->keys[reader->identity->keys_count++] =
        (struct lex_issuer_key){.jwk = jwk, .issuer = issuer};
    return LEX_OK;
}

/* ---- issuers ---- */

static enum lex_status read_iss(const struct reader *reader, const struct lex_json *object,
                                struct lex_issuer *issuer)
{
    const struct lex_json *iss = lex_json_get(object, "iss");
    if (!lex_json_is(iss, LEX_JSON_STRING) || !lex_issuer_name_valid(iss->text))
        return bad(reader, iss != NULL ? iss->at : object->at,
                   "iss: expected the issuer's name, 1 to 512 bytes without control characters");
    for (size_t i = 0; i < reader->identity->issuers_count; i++)
        if (lex_span_eq(reader->identity->issuers[i].iss, iss->text))
            return bad(reader, iss->at,
                       "iss: this issuer stands above already; put its keys together");
    issuer->iss = lex_arena_dup(&reader->identity->arena, iss->text);
    return lex_span_absent(issuer->iss) ? full(reader) : LEX_OK;
}

static enum lex_status read_issuer(const struct reader *reader, const struct lex_json *object)
{
    static const char *const known[] = {"iss", "keys", "actors", "facts", "approvers", "roles"};
    struct lex_issuer *issuer = &reader->identity->issuers[reader->identity->issuers_count];
    LEX_TRY(check_members(
        reader, object, known, LEX_COUNT_OF(known),
        "expected an object with iss, keys, and the lists actors, facts, approvers, roles"));
    LEX_TRY(read_iss(reader, object, issuer));
    LEX_TRY(read_names(reader, object, "actors", &issuer->actors));
    LEX_TRY(read_names(reader, object, "facts", &issuer->facts));
    LEX_TRY(read_names(reader, object, "approvers", &issuer->approvers));
    LEX_TRY(read_names(reader, object, "roles", &issuer->roles));
    const struct lex_json *keys = lex_json_get(object, "keys");
    if (!lex_json_is(keys, LEX_JSON_ARRAY) || keys->count == 0 || keys->count > LEX_ISSUER_KEYS_MAX)
        return bad(reader, keys != NULL ? keys->at : object->at, "keys: expected 1 to 16 keys");
    for (const struct lex_json *key = keys->child; key != NULL; key = key->next)
        LEX_TRY(read_key(reader, key, issuer));
    reader->identity->issuers_count++;
    return LEX_OK;
}

static int by_kid(const void *a, const void *b)
{
    return lex_span_cmp(((const struct lex_issuer_key *)a)->jwk.kid,
                        ((const struct lex_issuer_key *)b)->jwk.kid);
}

static enum lex_status read_issuers(const struct reader *reader, const struct lex_json *root)
{
    static const char *const known[] = {"issuers"};
    struct lex_identity *identity = reader->identity;
    LEX_TRY(check_members(reader, root, known, 1, "expected an object with exactly `issuers`"));
    const struct lex_json *list = lex_json_get(root, "issuers");
    if (!lex_json_is(list, LEX_JSON_ARRAY) || list->count > LEX_ISSUERS_MAX)
        return bad(reader, list != NULL ? list->at : root->at,
                   "issuers: expected an array of at most 256 issuers");
    identity->issuers =
        lex_arena_calloc(&identity->arena, LEX_ISSUERS_MAX, sizeof *identity->issuers);
    identity->keys = lex_arena_calloc(&identity->arena, KEYS_MAX, sizeof *identity->keys);
    if (identity->issuers == NULL || identity->keys == NULL)
        return full(reader);
    for (const struct lex_json *object = list->child; object != NULL; object = object->next)
        LEX_TRY(read_issuer(reader, object));
    qsort(identity->keys, identity->keys_count, sizeof *identity->keys, by_kid);
    return LEX_OK;
}

const struct lex_issuer_key *lex_issuer_key_find(const struct lex_identity *identity,
                                                 struct lex_span kid)
{
    const struct lex_issuer_key wanted = {.jwk = {.kid = kid}};
    if (identity == NULL || identity->keys_count == 0)
        return NULL;
    return bsearch(&wanted, identity->keys, identity->keys_count, sizeof *identity->keys, by_kid);
}

/* ---- load ---- */

static enum lex_status parse(struct lex_span json, struct lex_identity *identity,
                             struct lex_error *err)
{
    LEX_CLEANUP(lex_arena_fini) struct lex_arena tree;
    lex_arena_init(&tree, 64 << 10, TREE_MAX_BYTES);
    const struct lex_json *root;
    struct reader reader = {.text = json, .identity = identity, .err = err};
    LEX_TRY(lex_json_parse(&tree, json, &root, err));
    return read_issuers(&reader, root);
}

LEX_STATUS lex_identity_parse(struct lex_span json, struct lex_identity **ret_identity,
                              struct lex_error *err)
{
    if (json.len > LEX_ISSUERS_FILE_MAX_BYTES)
        return lex_fail(err, LEX_REJECT, "%zu bytes, issuers.json has at most %d", json.len,
                        LEX_ISSUERS_FILE_MAX_BYTES);
    struct lex_identity *identity = calloc(1, sizeof *identity);
    if (identity == NULL)
        return lex_fail(err, LEX_LIMIT, "no memory for the issuers");
    lex_arena_init(&identity->arena, 64 << 10, TREE_MAX_BYTES);
    enum lex_status status = parse(json, identity, err);
    if (status == LEX_OK)
        *ret_identity = identity;
    else
        lex_identity_free(identity);
    return status;
}

static void close_file(FILE **file)
{
    if (*file != NULL)
        (void)fclose(*file);
}

LEX_STATUS lex_identity_load(const char *issuers_path, struct lex_identity **ret_identity,
                             struct lex_error *err)
{
    struct lex_error why;
    char piece[4096];
    size_t got;
    LEX_CLEANUP(lex_buf_fini) struct lex_buf text;
    lex_buf_init(&text, LEX_ISSUERS_FILE_MAX_BYTES + 1);
    LEX_CLEANUP(close_file) FILE *file = fopen(issuers_path, "rbe");
    if (file == NULL)
        return lex_fail(err, LEX_REJECT, "issuers %s: %s", issuers_path, strerror(errno));
    while ((got = fread(piece, 1, sizeof piece, file)) > 0 && lex_buf_ok(&text))
        lex_buf_put(&text, piece, got);
    if (ferror(file) != 0)
        return lex_fail(err, LEX_REJECT, "issuers %s: cannot be read", issuers_path);
    if (!lex_buf_ok(&text))
        return lex_fail(err, LEX_REJECT, "issuers %s: more than %d bytes", issuers_path,
                        LEX_ISSUERS_FILE_MAX_BYTES);
    enum lex_status status = lex_identity_parse(lex_buf_span(&text), ret_identity, &why);
    return status == LEX_OK ? LEX_OK
                            : lex_fail(err, status, "issuers %s: %s", issuers_path, why.text);
}

void lex_identity_free(struct lex_identity *identity)
{
    if (identity == NULL)
        return;
    lex_arena_fini(&identity->arena);
    free(identity);
}
