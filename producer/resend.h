/* Resend: records written as they are, one by one, with keys and headers. For commands that put
 * something back. Idempotent, not transactional: a record is there or it is not.
 * @thread whoever made it */
#ifndef LEX_PRODUCER_RESEND_H
#define LEX_PRODUCER_RESEND_H

#include "core/base/span.h"
#include "core/config/config.h"

struct lex_resend;

/* @errors LEX_REJECT a setting that librdkafka refuses */
LEX_STATUS lex_resend_new(const struct lex_config *config, struct lex_resend **ret_resend,
                          struct lex_error *err);
void lex_resend_free(struct lex_resend *resend); /* NULL is fine */

struct lex_resend_header {
    const char *name;
    struct lex_span value;
};
struct lex_resend_record {
    const char *topic;
    int32_t partition;          /* -1: where the key leads (murmur2) */
    struct lex_span key, value; /* an absent key is none */
    const struct lex_resend_header *headers;
    size_t headers_count;
};
/* Write one and wait for it.
 * @param ret_partition, ret_offset where it stands
 * @errors LEX_RETRY no answer: it may have been written all the same; LEX_REJECT no right, too
 *         large, no such topic */
LEX_STATUS lex_resend_write(struct lex_resend *resend, const struct lex_resend_record *record,
                            int32_t *ret_partition, int64_t *ret_offset, struct lex_error *err);

#endif
