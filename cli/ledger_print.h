/* How `ledger show` and `ledger tail` print entries. What an entry holds was written by callers, so
 * every value is escaped before it reaches a terminal. */
#ifndef LEX_CLI_LEDGER_PRINT_H
#define LEX_CLI_LEDGER_PRINT_H

#include "cli/ledger_source.h"
#include "core/base/arena.h"
#include "schemas/records.h"

enum { LEX_CLI_ENTRY_TEXT_MAX_BYTES = 1 << 20 };

/* Whether the entry's log is that partition's; any, where `partition` is -1. */
bool lex_ledger_in_partition(const struct lex_ledger_entry *entry, long long partition);

/* {"partition":..,"kafka_offset":..,"leaf":"<hex>","entry":{..}} and a newline.
 * @errors LEX_LIMIT */
LEX_STATUS lex_ledger_print_json(const struct lex_ledger_item *item,
                                 const struct lex_ledger_entry *entry, struct lex_arena *arena,
                                 struct lex_buf *out);
/* One line: partition/seq, when, what, who, which answer. */
void lex_ledger_print_line(const struct lex_ledger_item *item, const struct lex_ledger_entry *entry,
                           struct lex_buf *out);
/* A line per member that the entry has, the leaf hash first. @errors LEX_LIMIT */
LEX_STATUS lex_ledger_print_page(const struct lex_ledger_item *item,
                                 const struct lex_ledger_entry *entry, struct lex_arena *arena,
                                 struct lex_buf *out);

#endif
