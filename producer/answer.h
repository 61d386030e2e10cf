/* Answer: what a verdict is worth to the one who asked.
 *
 * A verdict counts only if it proves itself and answers this very request: its entry's hash leads
 * to a batch that a pinned key signed, its log is under the pinned prefix, it names the record that
 * was written (topic, partition, offset), and its fingerprint is that of the request as it was
 * sent. All else, silence included, is a denial. The mistake this prevents: believing the readable
 * members of a message, or a true verdict that answers somebody else's question, or last week's. */
#ifndef LEX_PRODUCER_ANSWER_H
#define LEX_PRODUCER_ANSWER_H

#include "core/codec/codec.h"
#include "core/crypto/crypto.h"

/* One request as it was sent. Everything is borrowed. */
struct lex_question {
    const struct lex_request *request;
    uint8_t fingerprint[LEX_HASH_BYTES];
    struct lex_span topic; /* where it was written */
    int32_t partition;
    int64_t offset; /* -1 where the broker did not say, and then it is not compared */
};

/* Fill the question's request and fingerprint; it was not written anywhere yet.
 * @errors LEX_REJECT no verdict could name this request: a name over LEX_NAME_MAX_BYTES, no
 *         request_id, arguments that are no object, an integer beyond 2^53 - 1; LEX_LIMIT arena */
LEX_STATUS lex_question_init(const struct lex_request *request, struct lex_arena *arena,
                             struct lex_question *ret_question, struct lex_error *err);

/* Check a verdict, Avro or JSON: its proof (hash, path, signature, pinned key, origin, an entry
 * that is a decision and does not contradict itself), that it answers `question`, and that it is
 * valid at `now_us`.
 * @owns   *ret_verdict and *ret_entry_value borrow from `value` and the arena
 * @errors LEX_REJECT err says which check failed; LEX_LIMIT the arena is full */
LEX_STATUS lex_answer_check(const struct lex_pins *pins, const struct lex_question *question,
                            struct lex_span value, int64_t now_us, struct lex_arena *arena,
                            struct lex_verdict *ret_verdict, struct lex_span *ret_entry_value,
                            struct lex_error *err);

/* Only the request id, unproven: whose answer it may be.
 * @errors LEX_REJECT no verdict at all */
LEX_STATUS lex_answer_peek(struct lex_span value, struct lex_arena *arena,
                           struct lex_span *ret_request_id, struct lex_error *err);

#endif
