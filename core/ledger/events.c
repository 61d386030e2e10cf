#include "core/ledger/events.h"

#include "core/base/json.h"
#include "core/base/text.h"

enum { POLICY_MEMBERS_MAX_BYTES = 256 }; /* what a policy's detail says beside the document */

/* A detail is built in a buffer, then moved to the arena: events are rare, decisions are not built
 * here. */
static enum lex_status finish(struct lex_buf *buf, struct lex_arena *arena, struct lex_span *ret)
{
    struct lex_span copy = {NULL, 0};
    if (lex_buf_ok(buf))
        copy = lex_arena_dup(arena, lex_buf_span(buf));
    lex_buf_fini(buf);
    if (lex_span_absent(copy))
        return LEX_LIMIT;
    *ret = copy;
    return LEX_OK;
}

static void put_sha256(struct lex_buf *buf, struct lex_span value)
{
    struct lex_hash hash;
    lex_sha256(&value, 1, &hash);
    lex_buf_putc(buf, '"');
    lex_buf_put_hex(buf, hash.bytes, sizeof hash.bytes);
    lex_buf_putc(buf, '"');
}

static bool int_member(const struct lex_json *object, const char *name, int64_t *ret)
{
    const struct lex_json *member = lex_json_get(object, name);
    return lex_json_is(member, LEX_JSON_NUMBER) && lex_json_int64(member->text, ret) == LEX_OK;
}

LEX_STATUS lex_event_genesis(const struct lex_keyring *keyring, struct lex_arena *arena,
                             struct lex_span *ret_detail)
{
    struct lex_buf buf;
    lex_buf_init(&buf, LEX_EVENT_DETAIL_MAX_BYTES);
    lex_buf_puts(&buf, "{\"origin_prefix\":");
    lex_buf_put_json(&buf, lex_keyring_origin_prefix(keyring));
    lex_buf_puts(&buf, ",\"keys\":[");
    for (unsigned role = 0, written = 0; role < LEX_KEY_ROLES; role++) {
        const struct lex_public_key *key = lex_keyring_public(keyring, role);
        if (key == NULL)
            continue;
        lex_buf_printf(&buf, "%s{\"role\":\"%s\",\"key_id\":\"", written++ > 0 ? "," : "",
                       lex_key_role_name(role));
        lex_buf_put_hex(&buf, lex_keyring_id(keyring, role), LEX_KEY_ID_BYTES);
        lex_buf_puts(&buf, "\",\"public_key\":\"");
        lex_buf_put_base64(&buf, lex_span_of(key->bytes, sizeof key->bytes));
        lex_buf_puts(&buf, "\"}");
    }
    lex_buf_puts(&buf, "]}");
    return finish(&buf, arena, ret_detail);
}

bool lex_event_policy_embeds(struct lex_span document)
{
    LEX_CLEANUP(lex_buf_fini) struct lex_buf buf;
    lex_buf_init(&buf, LEX_EVENT_DETAIL_MAX_BYTES - POLICY_MEMBERS_MAX_BYTES);
    if (document.len > LEX_POLICY_EMBED_MAX_BYTES)
        return false;
    lex_buf_put_json(&buf, document);
    return lex_buf_ok(&buf);
}

LEX_STATUS lex_event_policy(struct lex_span document, enum lex_policy_change change,
                            struct lex_arena *arena, struct lex_span *ret_detail)
{
    static const char *const changes[] = {[LEX_POLICY_FORWARD] = "",
                                          [LEX_POLICY_REGRESSED] = ",\"regressed\":true",
                                          [LEX_POLICY_ROLLBACK] = ",\"rollback\":true"};
    struct lex_buf buf;
    LEX_ASSERT((unsigned)change < LEX_COUNT_OF(changes));
    lex_buf_init(&buf, LEX_EVENT_DETAIL_MAX_BYTES);
    lex_buf_printf(&buf, "{\"bytes\":%zu,\"sha256\":", document.len);
    put_sha256(&buf, document);
    lex_buf_printf(&buf, "%s,\"document\":", changes[change]);
    if (lex_event_policy_embeds(document))
        lex_buf_put_json(&buf, document);
    else
        lex_buf_puts(&buf, "null");
    lex_buf_putc(&buf, '}');
    return finish(&buf, arena, ret_detail);
}

static bool is_true(const struct lex_json *object, const char *name)
{
    const struct lex_json *member = lex_json_get(object, name);
    return lex_json_is(member, LEX_JSON_BOOL) && member->boolean;
}

static bool is_document(const struct lex_policy_detail *detail)
{
    struct lex_hash hash;
    lex_sha256(&detail->document, 1, &hash);
    return (int64_t)detail->document.len == detail->bytes && lex_hash_eq(&hash, &detail->sha256);
}

LEX_STATUS lex_event_policy_read(struct lex_span detail, struct lex_arena *arena,
                                 struct lex_policy_detail *ret_detail)
{
    struct lex_policy_detail found = {.change = LEX_POLICY_FORWARD};
    const struct lex_json *root = NULL;
    if (lex_span_absent(detail))
        return LEX_REJECT;
    LEX_TRY(lex_json_parse(arena, detail, &root, NULL));
    const struct lex_json *sha256 = lex_json_get(root, "sha256");
    const struct lex_json *document = lex_json_get(root, "document");
    if (!int_member(root, "bytes", &found.bytes) || !lex_json_is(sha256, LEX_JSON_STRING) ||
        lex_hex_decode(sha256->text, found.sha256.bytes, sizeof found.sha256.bytes) != LEX_OK)
        return LEX_REJECT;
    if (is_true(root, "regressed"))
        found.change = LEX_POLICY_REGRESSED;
    else if (is_true(root, "rollback"))
        found.change = LEX_POLICY_ROLLBACK;
    if (lex_json_is(document, LEX_JSON_STRING)) {
        found.document = document->text;
        if (!is_document(&found))
            return LEX_REJECT;
    }
    *ret_detail = found;
    return LEX_OK;
}

LEX_STATUS lex_event_rejection(struct lex_span reason, struct lex_span text, struct lex_span value,
                               struct lex_arena *arena, struct lex_span *ret_detail)
{
    struct lex_buf buf;
    if (text.len > LEX_REJECTION_TEXT_MAX_BYTES)
        text.len = LEX_REJECTION_TEXT_MAX_BYTES;
    lex_buf_init(&buf, LEX_EVENT_DETAIL_MAX_BYTES);
    lex_buf_puts(&buf, "{\"reason\":");
    lex_buf_put_json(&buf, reason);
    lex_buf_puts(&buf, ",\"text\":");
    lex_buf_put_json(&buf, text);
    lex_buf_printf(&buf, ",\"bytes\":%zu,\"sha256\":", value.len);
    put_sha256(&buf, value);
    lex_buf_putc(&buf, '}');
    return finish(&buf, arena, ret_detail);
}

/* ---- recovery ---- */

static const struct {
    const char *name, *text;
} recoveries[LEX_RECOVERY_COUNT] = {
#define LEX_RECOVERY(id, word, sentence) [LEX_RECOVERY_##id] = {word, sentence},
#include "core/ledger/recovery.def"
#undef LEX_RECOVERY
};

const char *lex_recovery_name(enum lex_recovery_kind kind)
{
    LEX_ASSERT((unsigned)kind < LEX_RECOVERY_COUNT);
    return recoveries[kind].name;
}

static void put_state(struct lex_buf *buf, const char *member,
                      const struct lex_recovery_state *state)
{
    lex_buf_printf(buf, ",\"%s\":", member);
    if (!state->present) {
        lex_buf_puts(buf, "null");
        return;
    }
    lex_buf_printf(buf, "{\"seq\":%lld,\"prev\":\"", (long long)state->seq);
    lex_buf_put_hex(buf, state->prev.bytes, sizeof state->prev.bytes);
    lex_buf_printf(buf, "\",\"last_source_offset\":%lld}", (long long)state->last_source_offset);
}

static void put_gap(struct lex_buf *buf, const char *member, bool present, int64_t from, int64_t to)
{
    if (present)
        lex_buf_printf(buf, ",\"%s\":{\"from\":%lld,\"to\":%lld}", member, (long long)from,
                       (long long)to);
    else
        lex_buf_printf(buf, ",\"%s\":null", member);
}

static enum lex_status check_recovery(const struct lex_recovery *recovery, struct lex_error *err)
{
    const struct lex_recovery_state *head = &recovery->head, *ledger = &recovery->ledger;
    if (recovery->kind == LEX_RECOVERY_CHOSE_HEAD && !head->present)
        return lex_fail(err, LEX_REJECT, "recovery: there is no committed head to choose");
    if (recovery->kind == LEX_RECOVERY_CHOSE_LEDGER && !ledger->present)
        return lex_fail(err, LEX_REJECT, "recovery: the ledger has no entry to go on from");
    if (recovery->kind == LEX_RECOVERY_CHOSE_HEAD && ledger->present && head->seq < ledger->seq)
        return lex_fail(
            err, LEX_REJECT,
            "recovery: the head stands at %lld and the ledger at %lld; choosing the head "
            "would use sequence numbers twice, choose the ledger",
            (long long)head->seq, (long long)ledger->seq);
    return LEX_OK;
}

LEX_STATUS lex_event_recovery(const struct lex_recovery *recovery, struct lex_arena *arena,
                              struct lex_span *ret_detail, struct lex_error *err)
{
    struct lex_buf buf;
    LEX_TRY(check_recovery(recovery, err));
    bool jumps = recovery->kind == LEX_RECOVERY_CHOSE_HEAD && recovery->ledger.present &&
                 recovery->head.seq > recovery->ledger.seq;
    lex_buf_init(&buf, LEX_EVENT_DETAIL_MAX_BYTES);
    lex_buf_printf(&buf, "{\"kind\":\"%s\",\"text\":\"%s\"", recoveries[recovery->kind].name,
                   recoveries[recovery->kind].text);
    put_gap(&buf, "source_gap", recovery->has_source_gap, recovery->source_from,
            recovery->source_to);
    put_gap(&buf, "ledger_gap", jumps, recovery->ledger.seq, recovery->head.seq - 1);
    put_state(&buf, "head", &recovery->head);
    put_state(&buf, "ledger", &recovery->ledger);
    lex_buf_putc(&buf, '}');
    if (finish(&buf, arena, ret_detail) != LEX_OK)
        return lex_fail(err, LEX_LIMIT, "recovery: the arena is full");
    return LEX_OK;
}

bool lex_event_declares_gap(struct lex_span detail, struct lex_arena *arena, int64_t *ret_from,
                            int64_t *ret_to)
{
    const struct lex_json *root = NULL;
    int64_t from = 0, to = 0;
    if (lex_span_absent(detail) || lex_json_parse(arena, detail, &root, NULL) != LEX_OK)
        return false;
    const struct lex_json *gap = lex_json_get(root, "ledger_gap");
    if (!int_member(gap, "from", &from) || !int_member(gap, "to", &to) || from > to)
        return false;
    *ret_from = from;
    *ret_to = to;
    return true;
}
