/* Intake: a worker's consumer. It joins the group, tells of rebalances, and reads exactly the
 * partitions that the worker has recovered.
 *
 * The group assigns, but nothing is consumed until the worker says from where: on an assignment the
 * source assigns nothing, and RESUME assigns the recovered partitions with explicit offsets. So no
 * record of a partition can arrive before its head is known, without pausing or seeking. */
#ifndef LEX_CONSUMER_INTAKE_H
#define LEX_CONSUMER_INTAKE_H

#include "consumer/registry.h"
#include "core/worker/worker.h"
#include "producer/kafka.h"
#include "producer/publisher.h"

/* Called inside lex_intake_poll, on the worker's thread. `kind` is ASSIGNED, REVOKED or LOST; when
 * it returns from the latter two, the partitions are given up. */
struct lex_intake_listener {
    void *user;
    void (*rebalanced)(void *user, enum lex_event_kind kind, const int32_t *partitions,
                       size_t count);
};

struct lex_intake;

/* @errors LEX_REJECT a setting that librdkafka refuses */
LEX_STATUS lex_intake_new(const struct lex_config *config, int slot,
                          struct lex_intake_listener listener, struct lex_intake **ret_intake,
                          struct lex_error *err);
/* Read what a registry names the schema of: its ids are resolved before a record is handed
 * over, and a partition whose next record has none yet is kept back. Once, before subscribing.
 * @errors LEX_LIMIT memory */
LEX_STATUS lex_intake_use_registry(struct lex_intake *intake, struct lex_registry *registry,
                                   struct lex_error *err);
/* Join the group. Once. @errors LEX_REJECT */
LEX_STATUS lex_intake_subscribe(struct lex_intake *intake, struct lex_error *err);
/* Leave the group. The listener is called once more, with nothing open. */
void lex_intake_close(struct lex_intake *intake);
/* End a poll that waits. @thread any, until lex_intake_free */
void lex_intake_wake(struct lex_intake *intake);
/* Close if need be, and free. */
void lex_intake_free(struct lex_intake *intake);

/* Consume exactly these from now on. */
void lex_intake_resume(struct lex_intake *intake, const struct lex_position *positions,
                       size_t count);

enum lex_polled {
    LEX_POLLED_NOTHING,
    LEX_POLLED_RECORDS,
    LEX_POLLED_REBALANCED, /* the listener was called: what was planned is void */
    LEX_POLLED_GONE,       /* *ret_count partitions in `gone` lost their next offset */
    LEX_POLLED_FATAL,      /* err says why; the process has to end */
};

/* Wait up to timeout_ms for a record or a rebalance, then take what is there, up to `max`. Records
 * are held by the intake until lex_intake_release.
 * @post *ret_drained: nothing more is waiting */
enum lex_polled lex_intake_poll(struct lex_intake *intake, int timeout_ms, size_t max,
                                const struct lex_record **ret_records, size_t *ret_count,
                                bool *ret_drained, int32_t gone[LEX_WORKER_PARTITIONS_MAX],
                                struct lex_error *err);
/* Let the oldest held messages go until `keep` are left. */
void lex_intake_release(struct lex_intake *intake, size_t keep);

/* Committed offsets with their metadata, stable ones only, and the request partitions' watermarks.
 * The results' spans live until the next call. */
void lex_intake_offsets(struct lex_intake *intake, const int32_t *partitions, size_t count,
                        struct lex_offset_found *ret_found);

struct lex_membership lex_intake_membership(struct lex_intake *intake);
struct lex_kafka_handle *lex_intake_handle(struct lex_intake *intake);
/* Ask any broker anything; true when one answers. For readiness after an outage. */
bool lex_intake_ping(struct lex_intake *intake, int timeout_ms);

/* What of a partition is not decided yet. */
struct lex_waiting {
    int64_t count; /* -1: not known. Exact once its end was reached; until then control records of
                      those who write requests in transactions count as well */
    int64_t oldest_ms; /* timestamp of the oldest that is here, -1 where none is */
};
/* Look at all that is here, for lex_intake_waiting: a pass over it, so not for every record. */
void lex_intake_survey(struct lex_intake *intake);
/* `next_offset`: the first that is not decided. As of the last survey. */
struct lex_waiting lex_intake_waiting(struct lex_intake *intake, int32_t partition,
                                      int64_t next_offset);
/* The same for a partition that is not consumed: asks a broker, for up to timeout_ms. */
struct lex_waiting lex_intake_ask_waiting(struct lex_intake *intake, int32_t partition,
                                          int64_t next_offset, int timeout_ms);
size_t lex_intake_assigned(const struct lex_intake *intake);
/* The broker said that this user may not join the group or read the topic, and nothing came since.
 */
bool lex_intake_refused(const struct lex_intake *intake);

#endif
