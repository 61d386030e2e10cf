/* Strimzi: what its KafkaTopic and KafkaUser resources have in common. Written as text, since the
 * few values in them are names that options allow and numbers. */
#ifndef LEX_CLI_STRIMZI_H
#define LEX_CLI_STRIMZI_H

#include "core/base/buf.h"

/* The comment that opens a file. @param made by which command */
void lex_strimzi_head(const char *made, struct lex_buf *out);
/* One document up to and with `spec:`. Kubernetes takes fewer characters in a name than Kafka
 * does in a topic's: others become dashes, and `topicName` says the real one.
 * @param why a comment above it, may be NULL */
void lex_strimzi_begin(const char *kind, const char *name, const char *cluster, const char *why,
                       struct lex_buf *out);

#endif
