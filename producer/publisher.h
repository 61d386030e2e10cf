/* Publisher: the transactional producer that executes a worker's PUBLISH, RESUME_COMMIT and ABORT.
 *
 * It is the one place that sends offsets, and there asserts what the broker does not check
 * (pipeline.md, rule 6): a member id, a live assignment, and only partitions that are ours. Every
 * blocking call has a deadline. A commit without an answer is reported as such and never judged. */
#ifndef LEX_PRODUCER_PUBLISHER_H
#define LEX_PRODUCER_PUBLISHER_H

#include "core/worker/worker.h"
#include "producer/kafka.h"

/* What the publisher must know of the consumer at the moment when offsets are sent. */
struct lex_membership {
    void *user;
    /* Group metadata of now, the caller's to destroy; NULL where there is no member id, the
     * assignment is lost, or a partition of `commits` is not assigned. */
    rd_kafka_consumer_group_metadata_t *(*metadata)(void *user, const struct lex_commit *commits,
                                                    size_t count);
};

struct lex_publisher;

/* @param slot  the worker's number: transactional.id is <group>.<node_id>.<instance>.<slot>
 * @errors LEX_REJECT a setting that librdkafka refuses */
LEX_STATUS lex_publisher_new(const struct lex_config *config, int slot,
                             struct lex_membership membership, struct lex_publisher **ret_publisher,
                             struct lex_error *err);
void lex_publisher_free(struct lex_publisher *publisher);

/* A fresh producer under the same id, and init_transactions: whatever the id left open is aborted.
 * Also primes the output topics' metadata, since the first produce otherwise waits up to a second.
 * @errors LEX_RETRY not now: ask again; LEX_REJECT refused: err says what to change */
LEX_STATUS lex_publisher_init(struct lex_publisher *publisher, struct lex_error *err);

/* The output topic that lacks this partition, NULL where none does or it is not known; and how many
 * it has. Asks the broker when the partition is new. */
const char *lex_publisher_lacks(struct lex_publisher *publisher, int32_t partition,
                                int32_t *ret_partitions);

/* Execute the action of that kind. err is filled for everything but QUEUED and COMMITTED. */
enum lex_published lex_publisher_publish(struct lex_publisher *publisher,
                                         const struct lex_action *action, struct lex_error *err);
enum lex_published lex_publisher_resume_commit(struct lex_publisher *publisher,
                                               struct lex_error *err);
enum lex_published lex_publisher_abort(struct lex_publisher *publisher, struct lex_error *err);

/* Serve delivery reports and errors; call it between polls. */
void lex_publisher_poll(struct lex_publisher *publisher);
/* Records handed over and not yet acknowledged. */
size_t lex_publisher_queued(const struct lex_publisher *publisher);
struct lex_kafka_handle *lex_publisher_handle(struct lex_publisher *publisher);

#endif
