/* Dead letter: what cannot be decoded, kept for a person.
 *
 * It carries at most dead_letter_max_bytes of the original, its full length and SHA-256, and Kafka
 * Connect's header names, so that the usual tools show why. Whatever looks like a JWT in it is
 * blanked: a capability token must not outlive its request in a topic that operators read. */
#ifndef LEX_WORKER_DEADLETTER_H
#define LEX_WORKER_DEADLETTER_H

#include "core/worker/worker.h"

/* The request's key, as outputs carry it on; absent where it is over its ceiling. */
struct lex_span lex_output_key(const struct lex_record *record);

/* Fill `ret` (kind and partition stand already).
 * @owns   everything in `ret` lives in the arena or in `record`
 * @errors LEX_LIMIT the arena is full */
LEX_STATUS lex_dead_letter(const struct lex_worker_options *options,
                           const struct lex_record *record, enum lex_undecodable why,
                           const char *text, struct lex_arena *arena, struct lex_output *ret);

#endif
