/* Registered: requests whose schema a registry names. Sources: Confluent's wire format (magic byte
 * 0, schema id of four bytes, big-endian) and its newer form with the id in a record's header
 * (magic byte 1, a GUID of sixteen bytes; magic byte 0, an id as above). */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/codec/json_reader.h"
#include "core/codec/request_body.h"
#include "core/decision/decision.h"

enum {
    ARENA_CHUNK_BYTES = 32 << 10,
    MAGIC_ID = 0,
    MAGIC_GUID = 1,
    ID_BYTES = 4,
};

struct lex_registered {
    _Atomic unsigned references;
    enum lex_registered_kind kind;
    struct lex_arena arena;      /* schema and plan */
    const struct lex_plan *plan; /* NULL: our own schema, which needs none */
    enum lex_undecodable why;    /* of a refused one */
    struct lex_error reason;
};

/* ---- framing ---- */

static bool take_ref(struct lex_span bytes, struct lex_schema_ref *ret)
{
    struct lex_schema_ref ref = {.guid = bytes.len != 0 && bytes.data[0] == MAGIC_GUID};
    size_t want = ref.guid ? LEX_SCHEMA_GUID_BYTES : ID_BYTES;
    if (bytes.len < 1 + want || bytes.data[0] > MAGIC_GUID)
        return false;
    memcpy(ref.bytes, bytes.data + 1, want);
    *ret = ref;
    return true;
}

/* Behind a GUID Protobuf has message indexes; an id in a header stands alone. */
static enum lex_framing read_header(struct lex_span header, struct lex_schema_ref *ret)
{
    struct lex_schema_ref ref;
    if (!take_ref(header, &ref) || (!ref.guid && header.len != 1 + ID_BYTES))
        return LEX_FRAMING_BROKEN;
    *ret = ref;
    return LEX_FRAMING_HEADER;
}

enum lex_framing lex_framing_read(struct lex_span value, struct lex_span header,
                                  struct lex_schema_ref *ret_ref)
{
    if (lex_span_absent(value) || value.len == 0)
        return LEX_FRAMING_NONE;
    if (!lex_span_absent(header))
        return read_header(header, ret_ref);
    if (value.data[0] != MAGIC_ID)
        return LEX_FRAMING_NONE;
    return take_ref(value, ret_ref) ? LEX_FRAMING_PREFIX : LEX_FRAMING_BROKEN;
}

uint32_t lex_schema_ref_id(const struct lex_schema_ref *ref)
{
    return (uint32_t)ref->bytes[0] << 24 | (uint32_t)ref->bytes[1] << 16 |
           (uint32_t)ref->bytes[2] << 8 | ref->bytes[3];
}

void lex_schema_ref_text(const struct lex_schema_ref *ref, char out[LEX_SCHEMA_REF_TEXT_MAX])
{
    static const uint8_t dash_before[] = {4, 6, 8, 10};
    char *at = out;
    if (!ref->guid) {
        (void)snprintf(out, LEX_SCHEMA_REF_TEXT_MAX, "%" PRIu32, lex_schema_ref_id(ref));
        return;
    }
    for (size_t i = 0, dash = 0; i < LEX_SCHEMA_GUID_BYTES; i++) {
        if (dash < sizeof dash_before && dash_before[dash] == i) {
            *at++ = '-';
            dash++;
        }
        at += snprintf(at, 3, "%02x", ref->bytes[i]);
    }
}

/* ---- what an id names ---- */

static struct lex_registered *new_registered(enum lex_registered_kind kind)
{
    struct lex_registered *registered = calloc(1, sizeof *registered);
    if (registered == NULL)
        return NULL;
    registered->references = 1;
    registered->kind = kind;
    lex_arena_init(&registered->arena, ARENA_CHUNK_BYTES, LEX_REGISTERED_MAX_BYTES);
    return registered;
}

static void refuse(struct lex_registered *registered, enum lex_undecodable why, const char *reason)
{
    registered->kind = LEX_REGISTERED_REFUSED;
    registered->why = why;
    (void)lex_fail(&registered->reason, LEX_REJECT, "%s", reason);
    lex_arena_fini(&registered->arena);
    lex_arena_init(&registered->arena, ARENA_CHUNK_BYTES, LEX_REGISTERED_MAX_BYTES);
}

static enum lex_status make_plan(struct lex_registered *registered, struct lex_span text,
                                 struct lex_error *err)
{
    const struct lex_schema *schema = NULL;
    struct lex_span kept = lex_arena_dup(&registered->arena, text);
    uint64_t fingerprint = 0, ours = 0;
    if (lex_span_absent(kept))
        return lex_fail(err, LEX_LIMIT, "it is larger than schemas may be");
    LEX_TRY(lex_schema_parse(kept, &registered->arena, &schema, err));
    if (lex_schema_fingerprint(schema, &fingerprint) != LEX_OK)
        return lex_fail(err, LEX_LIMIT, "its canonical form is too large");
    for (unsigned i = 0; i < 8; i++)
        ours |= (uint64_t)lex_type_request.frame[2 + i] << (8 * i);
    if (fingerprint == ours)
        return LEX_OK;
    return lex_plan_new(schema, &lex_type_request, &registered->arena, &registered->plan, err);
}

struct lex_registered *lex_registered_avro(struct lex_span text)
{
    struct lex_error err = {{0}};
    struct lex_registered *registered = new_registered(LEX_REGISTERED_AVRO);
    if (registered != NULL && make_plan(registered, text, &err) != LEX_OK)
        refuse(registered, LEX_UNDECODABLE_INCOMPATIBLE_SCHEMA, err.text);
    return registered;
}

struct lex_registered *lex_registered_json(void)
{
    return new_registered(LEX_REGISTERED_JSON);
}

struct lex_registered *lex_registered_refused(enum lex_undecodable why, const char *reason)
{
    struct lex_registered *registered = new_registered(LEX_REGISTERED_REFUSED);
    if (registered != NULL)
        refuse(registered, why, reason);
    return registered;
}

struct lex_registered *lex_registered_ref(struct lex_registered *registered)
{
    registered->references++;
    return registered;
}

void lex_registered_unref(struct lex_registered *registered)
{
    if (registered == NULL || --registered->references != 0)
        return;
    lex_arena_fini(&registered->arena);
    free(registered);
}

size_t lex_registered_bytes(const struct lex_registered *registered)
{
    return sizeof *registered + registered->arena.total_bytes;
}

/* ---- decoding ---- */

static enum lex_status refused(const struct lex_registered *registered,
                               enum lex_undecodable *ret_why, struct lex_error *err)
{
    *ret_why = registered->why;
    return lex_fail(err, LEX_REJECT, "%s", registered->reason.text);
}

LEX_STATUS lex_decode_registered(const struct lex_registered *registered, struct lex_span body,
                                 struct lex_arena *arena, struct lex_request *ret_request,
                                 enum lex_format *ret_format, enum lex_undecodable *ret_why,
                                 struct lex_error *err)
{
    *ret_format = registered->kind == LEX_REGISTERED_JSON ? LEX_FORMAT_JSON : LEX_FORMAT_CONFLUENT;
    LEX_TRY(lex_request_check_size(body, ret_why, err));
    switch (registered->kind) {
    case LEX_REGISTERED_AVRO:
        return lex_request_from_avro(registered->plan, body, arena, ret_request, ret_why, err);
    case LEX_REGISTERED_JSON: return lex_request_from_json(body, arena, ret_request, ret_why, err);
    case LEX_REGISTERED_REFUSED: break;
    }
    return refused(registered, ret_why, err);
}
