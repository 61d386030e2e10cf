/* DLQ: what a dead letter says, and whether the request in it can be written again.
 *
 * Only what is whole is replayed: a letter that was cut, or holds a digest alone, is not the
 * request that was sent, and one whose tokens were blanked is another one. The length and the
 * SHA-256 that the service put into the headers tell these apart. */
#ifndef LEX_CLI_DLQ_H
#define LEX_CLI_DLQ_H

#include "cli/cluster.h"
#include "consumer/record_reader.h"
#include "core/crypto/crypto.h"

#define LEX_DLQ_REPLAYED_FROM "lexecon-replayed-from"
enum {
    LEX_DLQ_LETTERS_MAX = 10000, /* looked at by one command that replays */
    LEX_DLQ_HEADERS_MAX = 32,
    LEX_DLQ_PLACE_MAX_BYTES = 320, /* "topic/partition/offset" */
};

struct lex_dlq_header {
    const char *name;
    struct lex_span value;
};
struct lex_dlq_letter {
    int32_t partition;
    int64_t offset, timestamp_ms;
    struct lex_span key, value;
    struct lex_dlq_header headers[LEX_DLQ_HEADERS_MAX];
    size_t headers_count;
    /* taken from the headers */
    struct lex_span reason, message, source_topic;
    int64_t source_partition, source_offset, original_bytes; /* -1: not told */
    bool has_hash;
    struct lex_hash original_hash;
};
/* Read the headers; what is missing or malformed is left as "not told". */
void lex_dlq_read(struct lex_dlq_letter *letter);

enum lex_dlq_state {
    LEX_DLQ_WHOLE,
    LEX_DLQ_BLANKED, /* its length, and another hash: tokens were blanked */
    LEX_DLQ_CUT,     /* shorter than the original, or a digest alone */
    LEX_DLQ_FOREIGN, /* not written by the service */
};
enum lex_dlq_state lex_dlq_state_of(const struct lex_dlq_letter *letter);
const char *lex_dlq_state_text(enum lex_dlq_state state);

/* ---- choosing ---- */

struct lex_dlq_filter {
    struct lex_cli_list reasons; /* none: any */
    struct lex_cli_list letters; /* PARTITION/OFFSET; none: any */
    int64_t since_ms;            /* -1: any */
};
/* @errors LEX_REJECT a reason that no dead letter has, or a place that is none */
LEX_STATUS lex_dlq_filter_check(const struct lex_dlq_filter *filter, struct lex_error *err);
bool lex_dlq_matches(const struct lex_dlq_filter *filter, const struct lex_dlq_letter *letter);
/* "2026-01-01T00:00:00Z", or so long ago: "30s", "15m", "2h", "7d". @errors LEX_REJECT */
LEX_STATUS lex_dlq_since(const char *text, int64_t now_us, int64_t *ret_ms, struct lex_error *err);

/* ---- putting it back ---- */

/* A header of the request's own: neither the service's nor Kafka Connect's. */
bool lex_dlq_header_kept(const char *name);
/* What marks a request as replayed: "<dead letters>/<partition>/<offset>". */
void lex_dlq_place(const char *topic, const struct lex_dlq_letter *letter,
                   char out[LEX_DLQ_PLACE_MAX_BYTES]);

/* ---- showing ---- */

/* For a terminal: what could steer it, or deceive who reads, stands as \xNN or \uNNNN. */
void lex_dlq_put_shown(struct lex_span bytes, struct lex_buf *out);

/* ---- reading ---- */

/* The next letter of the topic; spans live until the next call. @errors as lex_record_reader_next
 */
LEX_STATUS lex_dlq_next(struct lex_record_reader *reader, struct lex_dlq_letter *ret_letter,
                        bool *ret_found, struct lex_error *err);

#endif
