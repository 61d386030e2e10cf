/* Ledger file: an exported partition of the ledger, `<topic>-<partition>.ledger`, which `ledger
 * export` writes and `ledger restore` reads.
 *
 * One file holds one log, whole and in order, so that a file is checked as a chain is, and two
 * files of one partition can be told apart by their ends. The mistake this prevents: a backup that
 * nobody could have restored, found out on the day it is needed. */
#ifndef LEX_CLI_LEDGER_FILE_H
#define LEX_CLI_LEDGER_FILE_H

#include "core/crypto/crypto.h"
#include "core/ledger/verify.h"

struct lex_ledger_file {
    struct lex_chain_verifier verifier; /* behind the file's last whole entry */
    int32_t partition;
    char topic[LEX_TOPIC_MAX_BYTES + 1];
    int64_t bytes; /* of whole records */
    bool cut;      /* more bytes follow, but no whole record: its writer was interrupted */
};

/* Take a log's name apart and begin a file of it; nothing was read or written yet.
 * @param late_start  the log may begin behind its genesis (retention deleted what was before)
 * @errors LEX_REJECT not a log under the pinned prefix */
LEX_STATUS lex_ledger_file_init(struct lex_ledger_file *file, struct lex_span log,
                                const struct lex_pins *pins, bool late_start,
                                struct lex_error *err);

/* Read a file from its first byte to its last and check the chain.
 * @param arena  is reset with each entry
 * @errors LEX_REJECT it cannot be opened, holds no entry, or its chain breaks: err says where; a
 *         cut-off end is no error here, see `cut`; LEX_LIMIT no memory */
LEX_STATUS lex_ledger_file_check(const char *path, const struct lex_pins *pins, bool late_start,
                                 struct lex_arena *arena, struct lex_ledger_file *ret_file,
                                 struct lex_error *err);

#endif
