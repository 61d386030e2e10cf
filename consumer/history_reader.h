/* History reader: a partition's ledger read back, piece by piece, for the worker that takes it
 * over.
 *
 * Offsets are not sequence numbers: markers and aborted batches lie between entries. So the place
 * where reading begins is searched from the end, in growing steps, until the first entry behind it
 * is old enough; the entries say what they are, and too many of them do no harm.
 *
 * A consumer of its own, with room to read ahead; its owner lets go of it when nothing is recovered
 * any more. @thread the worker's */
#ifndef LEX_CONSUMER_HISTORY_READER_H
#define LEX_CONSUMER_HISTORY_READER_H

#include "consumer/ledger_reader.h"

struct lex_history_reader;

/* @errors as lex_ledger_reader_new */
LEX_STATUS lex_history_reader_new(const struct lex_config *config,
                                  struct lex_history_reader **ret_reader, struct lex_error *err);
void lex_history_reader_free(struct lex_history_reader *reader); /* NULL is fine */

/* The next piece of what is wanted. Returns soon, with nothing where nothing came.
 * @owns ret_found borrows from the reader until the next call */
void lex_history_reader_read(struct lex_history_reader *reader,
                             const struct lex_history_wanted *wanted,
                             struct lex_history_found *ret_found);

#endif
