/* Record reader: a topic's committed records with their keys and headers, up to its present end.
 *
 * For commands that look at a topic once (dead letters, and what was replayed of them). It joins no
 * group and commits nothing; the group's name is only what librdkafka asks for.
 * @thread whoever made it */
#ifndef LEX_CONSUMER_RECORD_READER_H
#define LEX_CONSUMER_RECORD_READER_H

#include "core/base/span.h"
#include "core/config/config.h"

struct lex_record_reader;

/* @param since_ms only records of that time or later, by their partition's index of times; -1: all
 * @errors LEX_RETRY no broker answers; LEX_REJECT no such topic, no right: err names it */
LEX_STATUS lex_record_reader_new(const struct lex_config *config, const char *topic,
                                 int64_t since_ms, struct lex_record_reader **ret_reader,
                                 struct lex_error *err);
void lex_record_reader_free(struct lex_record_reader *reader); /* NULL is fine */

struct lex_read_record {
    int32_t partition;
    int64_t offset, timestamp_ms;
    struct lex_span key, value; /* until the next call; a key that is not there is absent */
};
/* The next record of any partition, in the order of its partition.
 * @post   *ret_found is false where all of it was read
 * @errors LEX_RETRY the broker does not answer in time; LEX_REJECT no right: err says which */
LEX_STATUS lex_record_reader_next(struct lex_record_reader *reader,
                                  struct lex_read_record *ret_record, bool *ret_found,
                                  struct lex_error *err);
/* The headers of the record that was read last, in their order. @return false behind the last */
bool lex_record_reader_header(struct lex_record_reader *reader, size_t index, const char **ret_name,
                              struct lex_span *ret_value);
int32_t lex_record_reader_partitions(const struct lex_record_reader *reader);

#endif
