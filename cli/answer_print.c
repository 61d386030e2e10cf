#include "cli/answer_print.h"

#include <stdlib.h>

#include "core/base/text.h"

enum {
    CELL_MAX_BYTES = 4096,
    RULES_COLUMN_MAX = 64, /* past it the first rule and the number of the others */
};

/* ---- the table ---- */

enum column { REQUEST, OUTCOME, REASON, RULES, LEDGER, PROOF, COLUMNS };
static const char *const titles[COLUMNS] = {"REQUEST", "OUTCOME", "REASON CODE",
                                            "RULES",   "LEDGER",  "PROOF"};

struct table {
    struct lex_buf *cells; /* count * COLUMNS */
    size_t widths[COLUMNS];
};

/* Text from a request or a verdict, with everything escaped that could move a terminal's cursor. */
static void put_safe(struct lex_buf *cell, struct lex_span text)
{
    LEX_CLEANUP(lex_buf_fini) struct lex_buf quoted;
    lex_buf_init(&quoted, CELL_MAX_BYTES);
    lex_buf_put_json(&quoted, text);
    struct lex_span inner = lex_buf_span(&quoted);
    if (lex_buf_ok(&quoted))
        lex_buf_put(cell, inner.data + 1, inner.len - 2);
    else
        lex_buf_puts(cell, "(too long)");
}

static size_t width_of(struct lex_span text)
{
    size_t width = 0;
    for (size_t i = 0; i < text.len; i++)
        width += (text.data[i] & 0xc0) != 0x80;
    return width;
}

static void put_rules(struct lex_buf *cell, const struct lex_span_list *rules)
{
    for (size_t i = 0; i < rules->count; i++) {
        if (i != 0 && cell->len + rules->items[i].len > RULES_COLUMN_MAX) {
            lex_buf_printf(cell, " and %zu more", rules->count - i);
            return;
        }
        lex_buf_puts(cell, i == 0 ? "" : " ");
        put_safe(cell, rules->items[i]);
    }
    if (rules->count == 0)
        lex_buf_puts(cell, "-");
}

static void put_proven(struct lex_buf cells[COLUMNS], const struct lex_answer *answer)
{
    const struct lex_ledger_entry *entry = &answer->verdict.entry;
    put_safe(&cells[OUTCOME], lex_outcome_name(entry->outcome));
    put_safe(&cells[REASON], entry->reason_code);
    put_rules(&cells[RULES], &entry->rules);
    lex_buf_printf(&cells[LEDGER], "%d/%lld", (int)entry->source.partition, (long long)entry->seq);
    lex_buf_puts(&cells[PROOF], "signature verified");
}

static void put_row(struct lex_buf cells[COLUMNS], const struct lex_request *request,
                    const struct lex_answer *answer)
{
    put_safe(&cells[REQUEST], request->request_id);
    if (answer->kind == LEX_ANSWER_PROVEN) {
        put_proven(cells, answer);
        return;
    }
    lex_buf_puts(&cells[OUTCOME], "denied");
    for (size_t i = REASON; i <= LEDGER; i++)
        lex_buf_puts(&cells[i], "-");
    lex_buf_puts(&cells[PROOF], answer->kind == LEX_ANSWER_NONE
                                    ? "NO ANSWER, treat as denied: "
                                    : "NOT VERIFIED, treat as denied: ");
    put_safe(&cells[PROOF], lex_span_str(answer->why));
}

static const char *colour_of(const struct lex_answer *answer)
{
    if (answer->kind != LEX_ANSWER_PROVEN || answer->verdict.entry.outcome == LEX_OUTCOME_DENIED)
        return "\033[31m";
    return answer->allowed ? "\033[32m" : "\033[33m";
}

static void print_cell(const struct table *table, enum column column, struct lex_span text,
                       const char *colour, FILE *out)
{
    size_t width = width_of(text);
    int pad = column == PROOF ? 0 : (int)(table->widths[column] - width) + 2;
    (void)fprintf(out, "%s%.*s%s%*s", colour, LEX_SPAN_FMT(text),
                  colour[0] != '\0' ? "\033[0m" : "", pad, "");
}

static void print_table(const struct table *table, const struct lex_answer *answers, size_t count,
                        bool colour, FILE *out)
{
    for (size_t i = 0; i < COLUMNS; i++)
        print_cell(table, (enum column)i, lex_span_str(titles[i]), colour ? "\033[1m" : "", out);
    (void)fputc('\n', out);
    for (size_t row = 0; row < count; row++) {
        for (size_t i = 0; i < COLUMNS; i++)
            print_cell(table, (enum column)i, lex_buf_span(&table->cells[row * COLUMNS + i]),
                       colour && i == OUTCOME ? colour_of(&answers[row]) : "", out);
        (void)fputc('\n', out);
    }
}

static void measure(struct table *table, size_t count)
{
    for (size_t i = 0; i < COLUMNS; i++)
        table->widths[i] = strlen(titles[i]);
    for (size_t i = 0; i < count * COLUMNS; i++) {
        size_t width = width_of(lex_buf_span(&table->cells[i]));
        if (table->widths[i % COLUMNS] < width)
            table->widths[i % COLUMNS] = width;
    }
}

LEX_STATUS lex_answer_table(const struct lex_request *const *requests,
                            const struct lex_answer *answers, size_t count, bool colour, FILE *out)
{
    struct table table = {.cells = calloc(count * COLUMNS, sizeof *table.cells)};
    if (table.cells == NULL)
        return LEX_LIMIT;
    for (size_t i = 0; i < count * COLUMNS; i++)
        lex_buf_init(&table.cells[i], CELL_MAX_BYTES);
    for (size_t row = 0; row < count; row++)
        put_row(&table.cells[row * COLUMNS], requests[row], &answers[row]);
    measure(&table, count);
    print_table(&table, answers, count, colour, out);
    for (size_t i = 0; i < count * COLUMNS; i++)
        lex_buf_fini(&table.cells[i]);
    free(table.cells);
    return LEX_OK;
}

/* ---- JSON ---- */

static void put_member(struct lex_buf *out, const char *name, struct lex_span text)
{
    lex_buf_printf(out, ",\"%s\":", name);
    if (lex_span_absent(text))
        lex_buf_puts(out, "null");
    else
        lex_buf_put_json(out, text);
}

static void put_list(struct lex_buf *out, const char *name, const struct lex_span_list *list)
{
    lex_buf_printf(out, ",\"%s\":[", name);
    for (size_t i = 0; i < list->count; i++) {
        lex_buf_puts(out, i == 0 ? "" : ",");
        lex_buf_put_json(out, list->items[i]);
    }
    lex_buf_putc(out, ']');
}

static void put_obligations(struct lex_buf *out, const struct lex_obligation_list *list)
{
    lex_buf_puts(out, ",\"obligations\":[");
    for (size_t i = 0; i < list->count; i++) {
        const struct lex_obligation *o = &list->items[i];
        lex_buf_printf(out, "%s{\"type\":\"%.*s\"", i == 0 ? "" : ",",
                       LEX_SPAN_FMT(lex_obligation_type_name(o->type)));
        put_member(out, "approver", o->approver);
        lex_buf_printf(out, ",\"quorum\":%d,\"timeout_s\":%d", (int)o->quorum, (int)o->timeout_s);
        put_member(out, "rule", o->rule);
        put_member(out, "condition", o->condition);
        put_member(out, "action", o->action);
        lex_buf_putc(out, '}');
    }
    lex_buf_putc(out, ']');
}

static void put_verdict(struct lex_buf *out, const struct lex_answer *answer)
{
    char until[LEX_RFC3339_MAX];
    const struct lex_ledger_entry *entry = &answer->verdict.entry;
    lex_rfc3339_micros(entry->valid_until.value, until);
    put_member(out, "outcome", lex_outcome_name(entry->outcome));
    lex_buf_printf(out, ",\"allowed\":%s,\"verified\":true", answer->allowed ? "true" : "false");
    put_member(out, "reason_code", entry->reason_code);
    put_member(out, "reason", entry->reason);
    put_list(out, "rules", &entry->rules);
    put_obligations(out, &entry->obligations);
    put_list(out, "warnings", &entry->warnings);
    put_member(out, "decision_id", entry->decision_id);
    put_member(out, "valid_until", lex_span_str(until));
    put_member(out, "log", entry->log);
    lex_buf_printf(out, ",\"seq\":%lld", (long long)entry->seq);
    put_member(out, "token", answer->verdict.token);
}

void lex_answer_json(const struct lex_request *request, const struct lex_answer *answer,
                     struct lex_buf *out)
{
    lex_buf_puts(out, "{\"request_id\":");
    lex_buf_put_json(out, request->request_id);
    if (answer->kind == LEX_ANSWER_PROVEN) {
        put_verdict(out, answer);
    } else {
        lex_buf_printf(out,
                       ",\"outcome\":\"denied\",\"allowed\":false,\"verified\":false,"
                       "\"answered\":%s",
                       answer->kind == LEX_ANSWER_REFUSED ? "true" : "false");
        put_member(out, "why", lex_span_str(answer->why));
    }
    if (answer->latency_us > 0)
        lex_buf_printf(out, ",\"latency_us\":%lld", (long long)answer->latency_us);
    if (answer->again > 0)
        lex_buf_printf(out, ",\"verdicts\":%u", answer->again + 1);
    lex_buf_printf(out, ",\"partition\":%d,\"offset\":%lld}\n", (int)answer->partition,
                   (long long)answer->offset);
}
