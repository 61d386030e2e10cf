#include "cli/ledger_print.h"

#include <stdio.h>

#include "core/base/json.h"
#include "core/base/text.h"
#include "core/codec/codec.h"

bool lex_ledger_in_partition(const struct lex_ledger_entry *entry, long long partition)
{
    char ending[32];
    int len = snprintf(ending, sizeof ending, "/%lld", partition);
    size_t bytes = (size_t)len;
    return partition < 0 || (entry->log.len >= bytes &&
                             memcmp(entry->log.data + entry->log.len - bytes, ending, bytes) == 0);
}

static void put_leaf(struct lex_span value, struct lex_buf *out)
{
    struct lex_hash leaf;
    lex_leaf_hash(value, &leaf);
    lex_buf_put_hex(out, leaf.bytes, sizeof leaf.bytes);
}

/* The log's last segment, where the source does not say. */
static int32_t partition_of(const struct lex_ledger_item *item,
                            const struct lex_ledger_entry *entry)
{
    int64_t number = -1;
    const uint8_t *slash =
        entry->log.len == 0 ? NULL : memrchr(entry->log.data, '/', entry->log.len);
    if (item->partition >= 0 || slash == NULL)
        return item->partition;
    struct lex_span digits =
        lex_span_of(slash + 1, entry->log.len - (size_t)(slash + 1 - entry->log.data));
    bool good = lex_json_int64(digits, &number) == LEX_OK && number >= 0 && number <= INT32_MAX;
    return good ? (int32_t)number : -1;
}

/* JSON as it is, but for DEL and the C1 controls: canonical JSON leaves those bare in strings, and
 * a terminal would obey them. They can stand nowhere else in JSON, so an escape is the same value.
 */
static void put_json_text(struct lex_buf *out, struct lex_span json)
{
    size_t from = 0;
    for (size_t i = 0; i < json.len; i++) {
        bool del = json.data[i] == 0x7f;
        bool c1 = json.data[i] == 0xc2 && i + 1 < json.len && json.data[i + 1] < 0xa0;
        if (!del && !c1)
            continue;
        lex_buf_put(out, json.data + from, i - from);
        lex_buf_printf(out, "\\u%04x", del ? 0x7f : json.data[i + 1]);
        i += c1 ? 1 : 0;
        from = i + 1;
    }
    lex_buf_put(out, json.data + from, json.len - from);
}

LEX_STATUS lex_ledger_print_json(const struct lex_ledger_item *item,
                                 const struct lex_ledger_entry *entry, struct lex_arena *arena,
                                 struct lex_buf *out)
{
    struct lex_span text;
    LEX_TRY(lex_entry_to_json(entry, arena, &text));
    lex_buf_printf(out, "{\"partition\":%d,\"kafka_offset\":%lld,\"leaf\":\"",
                   partition_of(item, entry), (long long)item->kafka_offset);
    put_leaf(item->value, out);
    lex_buf_puts(out, "\",\"entry\":");
    put_json_text(out, text);
    lex_buf_puts(out, "}\n");
    return lex_buf_ok(out) ? LEX_OK : LEX_LIMIT;
}

static void put_value(struct lex_buf *out, const char *name, struct lex_span value)
{
    if (lex_span_absent(value))
        return;
    lex_buf_printf(out, " %s=", name);
    lex_buf_put_json(out, value);
}

void lex_ledger_print_line(const struct lex_ledger_item *item, const struct lex_ledger_entry *entry,
                           struct lex_buf *out)
{
    char when[LEX_RFC3339_MAX];
    lex_rfc3339_millis(entry->recorded_at, when);
    struct lex_span event = lex_event_type_name(entry->event_type);
    lex_buf_printf(out, "%d/%lld  %s  %.*s", partition_of(item, entry), (long long)entry->seq, when,
                   LEX_SPAN_FMT(event));
    if (entry->event_type == LEX_EVENT_TYPE_DECISION) {
        struct lex_span outcome = lex_outcome_name(entry->outcome);
        lex_buf_printf(out, " %.*s", LEX_SPAN_FMT(outcome));
        put_value(out, "reason", entry->reason_code);
    }
    put_value(out, "actor", entry->actor);
    put_value(out, "action", entry->action);
    put_value(out, "resource", entry->resource);
    put_value(out, "request", entry->request_id);
    if (entry->event_type == LEX_EVENT_TYPE_POLICY)
        put_value(out, "policy", entry->policy_id);
    lex_buf_putc(out, '\n');
}

LEX_STATUS lex_ledger_print_page(const struct lex_ledger_item *item,
                                 const struct lex_ledger_entry *entry, struct lex_arena *arena,
                                 struct lex_buf *out)
{
    struct lex_span text;
    const struct lex_json *root = NULL;
    LEX_TRY(lex_entry_to_json(entry, arena, &text));
    if (lex_json_parse(arena, text, &root, NULL) != LEX_OK)
        return LEX_LIMIT; /* our own JSON: only the arena can fail */
    lex_buf_puts(out, "leaf                 ");
    put_leaf(item->value, out);
    lex_buf_printf(out, "\nkafka_offset         %lld\n", (long long)item->kafka_offset);
    for (const struct lex_json *member = root->child; member != NULL; member = member->next) {
        bool named = member->type == LEX_JSON_ARRAY || member->type == LEX_JSON_OBJECT ||
                     member->type == LEX_JSON_NUMBER;
        if (member->type == LEX_JSON_NULL)
            continue;
        lex_buf_printf(out, "%-20.*s ", LEX_SPAN_FMT(member->key));
        if (member->type == LEX_JSON_BOOL)
            lex_buf_puts(out, member->boolean ? "true" : "false");
        else if (named)
            put_json_text(out, member->text);
        else
            lex_buf_put_json(out, member->text);
        lex_buf_putc(out, '\n');
    }
    return lex_buf_ok(out) ? LEX_OK : LEX_LIMIT;
}
