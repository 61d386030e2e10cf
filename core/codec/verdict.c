/* Verdicts: an entry's bytes as they are, and the proof of them.
 *
 * The entry is never encoded a second time: what was hashed and signed is what is sent. The
 * readable members of a JSON verdict are a courtesy; write_readable() is the one list of them, and
 * reading a verdict back means writing that list again from the entry and comparing, so that the
 * courtesy can never say "allowed" where the proof does not. */
#include <stddef.h>

#include "core/codec/json_reader.h"
#include "core/codec/json_writer.h"

/* The verdict's own fields, behind the entry. */
enum { FIELD_ATTESTATION = 1, FIELD_TOKEN = 2 };

static const struct lex_record_type *attestation_type(void)
{
    return lex_type_verdict.fields[FIELD_ATTESTATION].record;
}

static bool is_entry(struct lex_span value)
{
    return value.len > LEX_FRAME_BYTES &&
           memcmp(value.data, lex_type_ledger_entry.frame, LEX_FRAME_BYTES) == 0;
}

/* ---- Avro ---- */

static enum lex_status encode_avro(struct lex_span frame, struct lex_span entry_value,
                                   const struct lex_attestation *attestation, struct lex_span token,
                                   struct lex_arena *arena, size_t max_bytes, struct lex_span *ret)
{
    struct lex_span body =
        lex_span_of(entry_value.data + LEX_FRAME_BYTES, entry_value.len - LEX_FRAME_BYTES);
    struct lex_verdict tail;
    tail.attestation = *attestation;
    tail.token = token;
    size_t bound =
        frame.len + body.len + lex_record_bound(attestation_type(), attestation) + 11 + token.len;
    uint8_t *start = lex_arena_reserve(arena, bound);
    if (start == NULL)
        return LEX_LIMIT;
    memcpy(start, frame.data, frame.len);
    memcpy(start + frame.len, body.data, body.len);
    uint8_t *end = lex_record_write_from(&lex_type_verdict, FIELD_ATTESTATION, &tail,
                                         start + frame.len + body.len);
    if (end == NULL)
        return LEX_REJECT;
    size_t len = (size_t)(end - start);
    LEX_ASSERT(len <= bound);
    if (len > max_bytes)
        return LEX_LIMIT;
    lex_arena_commit(arena, len);
    *ret = lex_span_of(start, len);
    return LEX_OK;
}

/* ---- JSON ---- */

static const struct lex_field *entry_field(size_t offset)
{
    for (uint32_t i = 0; i < lex_type_ledger_entry.field_count; i++)
        if (lex_type_ledger_entry.fields[i].offset == offset)
            return &lex_type_ledger_entry.fields[i];
    LEX_ASSERT(false);
    return NULL;
}

static void put_opt(struct lex_text *out, struct lex_span value)
{
    if (lex_span_absent(value))
        LEX_TEXT_LITERAL(out, "null");
    else
        lex_text_safe_string(out, value);
}

static void put_opt_micros(struct lex_text *out, struct lex_opt_i64 value)
{
    if (value.present)
        lex_text_micros(out, value.value);
    else
        LEX_TEXT_LITERAL(out, "null");
}

static void put_policy(struct lex_text *out, const struct lex_ledger_entry *entry)
{
    LEX_TEXT_LITERAL(out, ",\"policy\":{\"id\":");
    put_opt(out, entry->policy_id);
    LEX_TEXT_LITERAL(out, ",\"version\":");
    put_opt(out, entry->policy_version);
    LEX_TEXT_LITERAL(out, ",\"hash\":");
    if (lex_span_absent(entry->policy_hash))
        LEX_TEXT_LITERAL(out, "null");
    else
        lex_text_hex(out, entry->policy_hash);
    lex_text_char(out, '}');
}

static enum lex_status put_lists(struct lex_text *out, const struct lex_ledger_entry *entry)
{
    LEX_TEXT_LITERAL(out, ",\"rules\":");
    LEX_TRY(
        lex_json_write_field(out, entry_field(offsetof(struct lex_ledger_entry, rules)), entry));
    LEX_TEXT_LITERAL(out, ",\"obligations\":");
    LEX_TRY(lex_json_write_field(out, entry_field(offsetof(struct lex_ledger_entry, obligations)),
                                 entry));
    LEX_TEXT_LITERAL(out, ",\"warnings\":");
    return lex_json_write_field(out, entry_field(offsetof(struct lex_ledger_entry, warnings)),
                                entry);
}

/* The readable members, without the closing brace. */
static enum lex_status write_readable(struct lex_text *out, const struct lex_ledger_entry *entry)
{
    LEX_TEXT_LITERAL(out, "{\"request_id\":");
    put_opt(out, entry->request_id);
    LEX_TEXT_LITERAL(out, ",\"decision_id\":");
    put_opt(out, entry->decision_id);
    LEX_TEXT_LITERAL(out, ",\"outcome\":");
    put_opt(out, lex_outcome_name(entry->outcome));
    LEX_TEXT_LITERAL(out, ",\"allowed\":");
    lex_text_put(out, entry->allowed ? LEX_SPAN("true") : LEX_SPAN("false"));
    LEX_TEXT_LITERAL(out, ",\"reason_code\":");
    put_opt(out, entry->reason_code);
    LEX_TEXT_LITERAL(out, ",\"reason\":");
    put_opt(out, entry->reason);
    LEX_TRY(put_lists(out, entry));
    put_policy(out, entry);
    LEX_TEXT_LITERAL(out, ",\"actor\":");
    put_opt(out, entry->actor);
    LEX_TEXT_LITERAL(out, ",\"action\":");
    put_opt(out, entry->action);
    LEX_TEXT_LITERAL(out, ",\"evaluated_at\":");
    put_opt_micros(out, entry->evaluated_at);
    LEX_TEXT_LITERAL(out, ",\"valid_until\":");
    put_opt_micros(out, entry->valid_until);
    LEX_TEXT_LITERAL(out, ",\"log\":");
    put_opt(out, entry->log);
    LEX_TEXT_LITERAL(out, ",\"seq\":");
    lex_text_i64(out, entry->seq);
    return LEX_OK;
}

static size_t readable_bound(const struct lex_ledger_entry *entry)
{
    return 1024 + lex_json_bound(&lex_type_ledger_entry, entry);
}

static enum lex_status encode_json(const struct lex_ledger_entry *entry,
                                   struct lex_span entry_value,
                                   const struct lex_attestation *attestation, struct lex_span token,
                                   struct lex_arena *arena, size_t max_bytes, struct lex_span *ret)
{
    struct lex_text out;
    size_t bound = readable_bound(entry) + entry_value.len * 4 / 3 + 64 +
                   lex_json_bound(attestation_type(), attestation) + lex_text_string_bound(token);
    LEX_TRY(lex_text_begin(&out, arena, bound));
    LEX_TRY(write_readable(&out, entry));
    LEX_TEXT_LITERAL(&out, ",\"entry\":");
    lex_text_base64(&out, entry_value);
    LEX_TEXT_LITERAL(&out, ",\"attestation\":");
    LEX_TRY(lex_json_write(&out, attestation_type(), attestation));
    if (!lex_span_absent(token)) {
        LEX_TEXT_LITERAL(&out, ",\"token\":");
        lex_text_safe_string(&out, token);
    }
    lex_text_char(&out, '}');
    return lex_text_end(&out, arena, max_bytes, ret);
}

LEX_STATUS lex_encode_verdict(enum lex_format format, const struct lex_ledger_entry *entry,
                              struct lex_span entry_value,
                              const struct lex_attestation *attestation, struct lex_span token,
                              struct lex_arena *arena, size_t max_bytes, struct lex_span *ret)
{
    if (!is_entry(entry_value))
        return LEX_REJECT;
    return format == LEX_FORMAT_JSON
               ? encode_json(entry, entry_value, attestation, token, arena, max_bytes, ret)
               : encode_avro(lex_span_of(lex_type_verdict.frame, LEX_FRAME_BYTES), entry_value,
                             attestation, token, arena, max_bytes, ret);
}

LEX_STATUS lex_encode_verdict_confluent(uint32_t schema_id, struct lex_span entry_value,
                                        const struct lex_attestation *attestation,
                                        struct lex_span token, struct lex_arena *arena,
                                        size_t max_bytes, struct lex_span *ret)
{
    const uint8_t frame[LEX_CONFLUENT_FRAME_BYTES] = {
        0, (uint8_t)(schema_id >> 24), (uint8_t)(schema_id >> 16), (uint8_t)(schema_id >> 8),
        (uint8_t)schema_id};
    if (!is_entry(entry_value))
        return LEX_REJECT;
    return encode_avro(lex_span_of(frame, sizeof frame), entry_value, attestation, token, arena,
                       max_bytes, ret);
}

/* ---- a JSON verdict, read back ---- */

static bool same(const struct lex_json *a, const struct lex_json *b);

static bool same_children(const struct lex_json *a, const struct lex_json *b)
{
    const struct lex_json *x = a->child, *y = b->child;
    if (a->count != b->count)
        return false;
    for (; x != NULL; x = x->next, y = y->next) {
        if (a->type == LEX_JSON_OBJECT)
            for (y = b->child; y != NULL && !lex_span_eq(x->key, y->key);)
                y = y->next;
        if (y == NULL || !same(x, y))
            return false;
    }
    return true;
}

/* The same value. Numbers by their digits, which is enough for what we write ourselves. */
static bool same(const struct lex_json *a, const struct lex_json *b)
{
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case LEX_JSON_NULL: return true;
    case LEX_JSON_BOOL: return a->boolean == b->boolean;
    case LEX_JSON_NUMBER:
    case LEX_JSON_STRING: return lex_span_eq(a->text, b->text);
    case LEX_JSON_ARRAY:
    case LEX_JSON_OBJECT: return same_children(a, b);
    }
    return false;
}

static bool is_proof(struct lex_span name)
{
    return lex_span_eq(name, LEX_SPAN("entry")) || lex_span_eq(name, LEX_SPAN("attestation")) ||
           lex_span_eq(name, LEX_SPAN("token"));
}

static const struct lex_json *member_named(const struct lex_json *object, struct lex_span name)
{
    for (const struct lex_json *m = object->child; m != NULL; m = m->next)
        if (lex_span_eq(m->key, name))
            return m;
    return NULL;
}

/* Each readable member is there and says what the entry says, and there is no other. */
static enum lex_status compare_readable(const struct lex_json *verdict,
                                        const struct lex_json *expected, struct lex_error *err)
{
    for (const struct lex_json *want = expected->child; want != NULL; want = want->next) {
        const struct lex_json *got = member_named(verdict, want->key);
        if (got == NULL)
            return lex_fail(err, LEX_REJECT, "the verdict has no member '%.*s'",
                            LEX_SPAN_FMT(want->key));
        if (!same(got, want))
            return lex_fail(err, LEX_REJECT,
                            "member '%.*s' disagrees with the entry that the signature covers; "
                            "trust neither",
                            LEX_SPAN_FMT(want->key));
    }
    for (const struct lex_json *got = verdict->child; got != NULL; got = got->next)
        if (!is_proof(got->key) && member_named(expected, got->key) == NULL)
            return lex_fail(err, LEX_REJECT, "member '%.*s' is none that a verdict has",
                            (int)(got->key.len < 64 ? got->key.len : 64),
                            (const char *)got->key.data);
    return LEX_OK;
}

static enum lex_status check_readable(const struct lex_json *verdict,
                                      const struct lex_ledger_entry *entry, struct lex_arena *arena,
                                      struct lex_error *err)
{
    struct lex_text out;
    struct lex_span text = {NULL, 0};
    const struct lex_json *expected = NULL;
    LEX_TRY(lex_text_begin(&out, arena, readable_bound(entry) + 1));
    LEX_TRY(write_readable(&out, entry));
    lex_text_char(&out, '}');
    LEX_TRY(lex_text_end(&out, arena, SIZE_MAX, &text));
    LEX_TRY(lex_json_parse(arena, text, &expected, err));
    return compare_readable(verdict, expected, err);
}

static enum lex_status read_entry(const struct lex_json *verdict, struct lex_arena *arena,
                                  struct lex_ledger_entry *ret_entry, struct lex_span *ret_value,
                                  struct lex_error *err)
{
    const struct lex_json *member = lex_json_get(verdict, "entry");
    if (!lex_json_is(member, LEX_JSON_STRING))
        return lex_fail(err, LEX_REJECT, "member 'entry': expected the ledger entry in base64");
    size_t len = 0, cap = member->text.len / 4 * 3 + 3;
    uint8_t *bytes = lex_arena_alloc(arena, cap);
    if (bytes == NULL)
        return LEX_LIMIT;
    if (lex_base64_decode(member->text, bytes, cap, &len) != LEX_OK)
        return lex_fail(err, LEX_REJECT, "member 'entry': no valid base64");
    *ret_value = lex_span_of(bytes, len);
    return lex_decode_framed(&lex_type_ledger_entry, *ret_value, arena, ret_entry, err);
}

/* All of them are needed: an attestation with a default filled in would prove nothing. */
static enum lex_status check_attestation(const struct lex_json *member, struct lex_error *err)
{
    const struct lex_record_type *type = attestation_type();
    for (uint32_t i = 0; i < type->field_count; i++)
        if (member_named(member, type->fields[i].name) == NULL)
            return lex_fail(err, LEX_REJECT, "member 'attestation' has no '%.*s'",
                            LEX_SPAN_FMT(type->fields[i].name));
    return LEX_OK;
}

static enum lex_status read_proof(const struct lex_json *verdict, struct lex_arena *arena,
                                  struct lex_verdict *ret, struct lex_error *err)
{
    const struct lex_json *member = lex_json_get(verdict, "attestation");
    const struct lex_json *token = lex_json_get(verdict, "token");
    enum lex_undecodable why;
    struct lex_error inner;
    if (!lex_json_is(member, LEX_JSON_OBJECT))
        return lex_fail(err, LEX_REJECT, "member 'attestation': expected an object");
    LEX_TRY(check_attestation(member, err));
    enum lex_status status =
        lex_json_read(attestation_type(), member->text, arena, &ret->attestation, &why, &inner);
    if (status != LEX_OK)
        return lex_fail(err, status, "member 'attestation': %.900s", inner.text);
    if (token != NULL && !lex_json_is(token, LEX_JSON_STRING))
        return lex_fail(err, LEX_REJECT, "member 'token': expected a string");
    ret->token = token == NULL ? (struct lex_span){NULL, 0} : token->text;
    return LEX_OK;
}

LEX_STATUS lex_decode_verdict_json(struct lex_span value, struct lex_arena *arena,
                                   struct lex_verdict *ret_verdict,
                                   struct lex_span *ret_entry_value, struct lex_error *err)
{
    const struct lex_json *root = NULL;
    struct lex_verdict verdict;
    struct lex_span entry_value = {NULL, 0};
    LEX_TRY(lex_json_parse(arena, value, &root, err));
    if (root->type != LEX_JSON_OBJECT)
        return lex_fail(err, LEX_REJECT, "a verdict is a JSON object");
    LEX_TRY(read_entry(root, arena, &verdict.entry, &entry_value, err));
    LEX_TRY(read_proof(root, arena, &verdict, err));
    LEX_TRY(check_readable(root, &verdict.entry, arena, err));
    *ret_verdict = verdict;
    *ret_entry_value = entry_value;
    return LEX_OK;
}

/* ---- an entry for people ---- */

LEX_STATUS lex_entry_to_json(const struct lex_ledger_entry *entry, struct lex_arena *arena,
                             struct lex_span *ret)
{
    struct lex_text out;
    LEX_TRY(lex_text_begin(&out, arena, lex_json_bound(&lex_type_ledger_entry, entry)));
    LEX_TRY(lex_json_write(&out, &lex_type_ledger_entry, entry));
    return lex_text_end(&out, arena, SIZE_MAX, ret);
}
