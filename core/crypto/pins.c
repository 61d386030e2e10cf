/* Pins: what a verifier trusts, got out of band.
 *
 *     {"origin_prefix": "example.com/production", "keys": [{"role": "verdict", "key_id":
 * "0a1b2c3d", "public_key": "<base64, 32 bytes>", "name": "example.com/production/verdict"}, ...]}
 *
 * Nothing is ever verified with a key that came with the message, so this file is the whole of a
 * verifier's trust, and it is read strictly: an unknown member, a key id or a name that does not
 * follow from the rest is an error, since somebody edited it by hand or made it for something else.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/json.h"
#include "core/base/text.h"
#include "core/crypto/crypto.h"

enum {
    PINS_KEYS_MAX = 256, /* retired keys stay for ever; 63 rotations of four roles */
    PINS_FILE_MAX_BYTES = 256 << 10,
    PINS_TREE_MAX_BYTES = 4 << 20,
    NAME_MAX_BYTES = LEX_ORIGIN_PREFIX_MAX_BYTES + 16,
};

struct pin {
    enum lex_key_role role;
    uint8_t id[LEX_KEY_ID_BYTES];
    struct lex_public_key key;
};

struct lex_pins {
    char prefix[LEX_ORIGIN_PREFIX_MAX_BYTES + 1];
    struct pin keys[PINS_KEYS_MAX];
    size_t count;
};

/* ---- read ---- */

struct reader {
    struct lex_span text;
    struct lex_arena *arena;
    struct lex_error *err;
};

static enum lex_status bad(const struct reader *reader, size_t at, const char *what)
{
    unsigned line, column;
    lex_json_where(reader->text, at, &line, &column);
    return lex_fail(reader->err, LEX_REJECT, "line %u, column %u: %s", line, column, what);
}

/* Every member is known, and every known member is there. */
static enum lex_status check_members(const struct reader *reader, const struct lex_json *object,
                                     const char *const *names, size_t count, const char *expected)
{
    if (!lex_json_is(object, LEX_JSON_OBJECT))
        return bad(reader, object->at, expected);
    for (const struct lex_json *member = object->child; member != NULL; member = member->next) {
        size_t i = 0;
        while (i < count && !lex_span_eq(member->key, lex_span_str(names[i])))
            i++;
        if (i == count)
            return bad(reader, member->key_at, expected);
    }
    for (size_t i = 0; i < count; i++)
        if (lex_json_get(object, names[i]) == NULL)
            return bad(reader, object->at, expected);
    return LEX_OK;
}

static bool role_of(const struct lex_json *node, enum lex_key_role *ret)
{
    for (unsigned role = 0; role < LEX_KEY_ROLES; role++)
        if (lex_json_is(node, LEX_JSON_STRING) &&
            lex_span_eq(node->text, lex_span_str(lex_key_role_name(role)))) {
            *ret = role;
            return true;
        }
    return false;
}

static enum lex_status check_key(const struct reader *reader, const struct lex_pins *pins,
                                 const struct lex_json *object, const struct pin *pin)
{
    char name[NAME_MAX_BYTES];
    uint8_t id[LEX_KEY_ID_BYTES];
    const struct lex_json *named = lex_json_get(object, "name");
    (void)snprintf(name, sizeof name, "%s/%s", pins->prefix, lex_key_role_name(pin->role));
    lex_key_id(lex_span_str(name), &pin->key, id);
    if (!lex_json_is(named, LEX_JSON_STRING) || !lex_span_eq(named->text, lex_span_str(name)))
        return bad(reader, named->at, "name: expected <origin_prefix>/<role> of this file");
    if (memcmp(id, pin->id, sizeof id) != 0)
        return bad(reader, lex_json_get(object, "key_id")->at,
                   "key_id: is not the id of this public key under this name");
    if (lex_pins_key(pins, pin->role, lex_span_of(pin->id, sizeof pin->id)) != NULL)
        return bad(reader, object->at, "a key with this role and id stands above already");
    return LEX_OK;
}

static enum lex_status read_key(const struct reader *reader, struct lex_pins *pins,
                                const struct lex_json *object)
{
    static const char *const members[] = {"role", "key_id", "public_key", "name"};
    struct pin *pin = &pins->keys[pins->count];
    size_t len = 0;
    LEX_TRY(check_members(reader, object, members, LEX_COUNT_OF(members),
                          "expected an object with exactly role, key_id, public_key and name"));
    const struct lex_json *id = lex_json_get(object, "key_id");
    const struct lex_json *key = lex_json_get(object, "public_key");
    if (!role_of(lex_json_get(object, "role"), &pin->role))
        return bad(reader, lex_json_get(object, "role")->at,
                   "role: expected verdict, log, token or policy");
    if (!lex_json_is(id, LEX_JSON_STRING) ||
        lex_hex_decode(id->text, pin->id, sizeof pin->id) != LEX_OK)
        return bad(reader, id->at, "key_id: expected 8 hexadecimal digits");
    if (!lex_json_is(key, LEX_JSON_STRING) ||
        lex_base64_decode(key->text, pin->key.bytes, sizeof pin->key.bytes, &len) != LEX_OK ||
        len != sizeof pin->key.bytes)
        return bad(reader, key->at, "public_key: expected 32 bytes in base64");
    LEX_TRY(check_key(reader, pins, object, pin));
    pins->count++;
    return LEX_OK;
}

static enum lex_status read_pins(const struct reader *reader, struct lex_pins *pins)
{
    static const char *const members[] = {"origin_prefix", "keys"};
    const struct lex_json *root;
    LEX_TRY(lex_json_parse(reader->arena, reader->text, &root, reader->err));
    LEX_TRY(
        check_members(reader, root, members, LEX_COUNT_OF(members),
                      "expected an object with exactly origin_prefix and keys, as `lexecon keys "
                      "show --pin` prints it"));
    const struct lex_json *prefix = lex_json_get(root, "origin_prefix");
    const struct lex_json *keys = lex_json_get(root, "keys");
    if (!lex_json_is(prefix, LEX_JSON_STRING))
        return bad(reader, prefix->at, "origin_prefix: expected a string");
    LEX_TRY(lex_origin_prefix_check(prefix->text, reader->err));
    memcpy(pins->prefix, prefix->text.data, prefix->text.len);
    if (!lex_json_is(keys, LEX_JSON_ARRAY) || keys->count == 0 || keys->count > PINS_KEYS_MAX)
        return bad(reader, keys->at, "keys: expected an array of 1 to 256 keys");
    for (const struct lex_json *key = keys->child; key != NULL; key = key->next)
        LEX_TRY(read_key(reader, pins, key));
    return LEX_OK;
}

LEX_STATUS lex_pins_parse(struct lex_span json, struct lex_pins **ret_pins, struct lex_error *err)
{
    if (json.len > PINS_FILE_MAX_BYTES)
        return lex_fail(err, LEX_REJECT, "%zu bytes, a pin file has at most %d", json.len,
                        PINS_FILE_MAX_BYTES);
    LEX_CLEANUP(lex_arena_fini) struct lex_arena arena;
    lex_arena_init(&arena, 16 << 10, PINS_TREE_MAX_BYTES);
    struct lex_pins *pins = calloc(1, sizeof *pins);
    if (pins == NULL)
        return lex_fail(err, LEX_LIMIT, "no memory for the pinned keys");
    struct reader reader = {.text = json, .arena = &arena, .err = err};
    enum lex_status status = read_pins(&reader, pins);
    if (status == LEX_OK)
        *ret_pins = pins;
    else
        lex_pins_free(pins);
    return status;
}

static void close_file(FILE **file)
{
    if (*file != NULL)
        (void)fclose(*file);
}

LEX_STATUS lex_pins_load(const char *path, struct lex_pins **ret_pins, struct lex_error *err)
{
    struct lex_error why;
    LEX_CLEANUP(lex_buf_fini) struct lex_buf text;
    lex_buf_init(&text, PINS_FILE_MAX_BYTES + 1);
    LEX_CLEANUP(close_file) FILE *file = fopen(path, "rbe");
    if (file == NULL)
        return lex_fail(err, LEX_REJECT, "pin file %s: %s", path, strerror(errno));
    char piece[4096];
    size_t got;
    while ((got = fread(piece, 1, sizeof piece, file)) > 0 && lex_buf_ok(&text))
        lex_buf_put(&text, piece, got);
    if (ferror(file))
        return lex_fail(err, LEX_REJECT, "pin file %s: cannot be read", path);
    if (!lex_buf_ok(&text))
        return lex_fail(err, LEX_REJECT, "pin file %s: more than %d bytes", path,
                        PINS_FILE_MAX_BYTES);
    enum lex_status status = lex_pins_parse(lex_buf_span(&text), ret_pins, &why);
    return status == LEX_OK ? LEX_OK : lex_fail(err, status, "pin file %s: %s", path, why.text);
}

void lex_pins_free(struct lex_pins *pins)
{
    free(pins);
}

/* ---- write ---- */

static void write_key(const struct lex_keyring *keyring, enum lex_key_role role, bool first,
                      struct lex_buf *out)
{
    const struct lex_public_key *key = lex_keyring_public(keyring, role);
    lex_buf_printf(out, "%s\n    {\"role\": \"%s\", \"key_id\": \"", first ? "" : ",",
                   lex_key_role_name(role));
    lex_buf_put_hex(out, lex_keyring_id(keyring, role), LEX_KEY_ID_BYTES);
    lex_buf_puts(out, "\", \"public_key\": \"");
    lex_buf_put_base64(out, lex_span_of(key->bytes, sizeof key->bytes));
    lex_buf_printf(out, "\", \"name\": \"%.*s/%s\"}",
                   LEX_SPAN_FMT(lex_keyring_origin_prefix(keyring)), lex_key_role_name(role));
}

LEX_STATUS lex_pins_write(const struct lex_keyring *keyring, struct lex_buf *out)
{
    bool first = true;
    lex_buf_puts(out, "{\n  \"origin_prefix\": ");
    lex_buf_put_json(out, lex_keyring_origin_prefix(keyring));
    lex_buf_puts(out, ",\n  \"keys\": [");
    for (unsigned role = 0; role < LEX_KEY_ROLES; role++)
        if (lex_keyring_public(keyring, role) != NULL) {
            write_key(keyring, role, first, out);
            first = false;
        }
    lex_buf_puts(out, "\n  ]\n}\n");
    return lex_buf_ok(out) ? LEX_OK : LEX_LIMIT;
}

/* ---- use ---- */

struct lex_span lex_pins_origin_prefix(const struct lex_pins *pins)
{
    return lex_span_str(pins->prefix);
}

const struct lex_public_key *lex_pins_key(const struct lex_pins *pins, enum lex_key_role role,
                                          struct lex_span key_id)
{
    for (size_t i = 0; i < pins->count; i++)
        if (pins->keys[i].role == role &&
            lex_span_eq(lex_span_of(pins->keys[i].id, LEX_KEY_ID_BYTES), key_id))
            return &pins->keys[i].key;
    return NULL;
}

bool lex_pins_own_origin(const struct lex_pins *pins, struct lex_span origin)
{
    struct lex_span prefix = lex_pins_origin_prefix(pins);
    return origin.len > prefix.len + 1 && origin.data[prefix.len] == '/' &&
           lex_span_eq(lex_span_of(origin.data, prefix.len), prefix);
}
