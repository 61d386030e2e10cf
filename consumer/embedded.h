/* Embedded broker: librdkafka's mock cluster inside the process, for a first look without Kafka.
 *
 * It stores no transactional offsets, keeps 5 MiB a partition, fences nobody, and forgets
 * everything at the end: it shows what Lexecon does and proves nothing about atomicity. */
#ifndef LEX_CONSUMER_EMBEDDED_H
#define LEX_CONSUMER_EMBEDDED_H

#include "core/config/config.h"

struct lex_embedded;

/* Start it, with the configured topics of `partitions` partitions each.
 * @errors LEX_REJECT the library refuses: err says why */
LEX_STATUS lex_embedded_start(const struct lex_config *config, int partitions,
                              struct lex_embedded **ret_embedded, struct lex_error *err);
void lex_embedded_stop(struct lex_embedded *embedded);
/* "127.0.0.1:port", as long as it runs. */
const char *lex_embedded_bootstrap(const struct lex_embedded *embedded);

#endif
