/* Loop: one worker's thread. It executes the worker's actions against Kafka and turns what happens
 * into events; it decides nothing itself (see core/worker/worker.h).
 *
 * Owned by its thread: consumer, producer, tail reader, state machine, codec. Shared: the policy
 * slot (references), the health table (atomics), the keyring (immutable). */
#ifndef LEX_CONSUMER_LOOP_H
#define LEX_CONSUMER_LOOP_H

#include "consumer/health.h"
#include "consumer/policy_slot.h"
#include "consumer/registry.h"
#include "consumer/tracer.h"
#include "core/config/config.h"
#include "core/crypto/crypto.h"
#include "core/identity/identity.h"

struct lex_loop;

struct lex_loop_shared {
    const struct lex_config *config;
    const struct lex_keyring *keyring;
    const struct lex_identity *identity; /* whose statements are taken; NULL: nobody's */
    struct lex_policy_slot *policies;
    struct lex_health *health;
    struct lex_registry *registry; /* NULL: none */
    struct lex_tracer *tracer;     /* NULL: no traces */
    /* The partitions of a worker and where their ledgers stand, for a mirror of scope `owned`: told
     * when a partition becomes active and when it goes. Runs on the worker's thread; may be NULL.
     */
    void (*owned)(void *user, int32_t partition, bool active, int64_t seq);
    void *owned_user;
};

/* @errors LEX_REJECT a Kafka setting or schema directory is wrong: err says which */
LEX_STATUS lex_loop_new(const struct lex_loop_shared *shared, int slot, struct lex_loop **ret_loop,
                        struct lex_error *err);
/* @errors LEX_LIMIT no thread */
LEX_STATUS lex_loop_start(struct lex_loop *loop, struct lex_error *err);
/* Ask it to end: finish the batch, commit, leave the group. @thread any */
void lex_loop_stop(struct lex_loop *loop);
/* There is a new policy: end the wait. @thread any */
void lex_loop_wake(struct lex_loop *loop);
/* True once the thread is through. @thread any */
bool lex_loop_ended(const struct lex_loop *loop);
/* Wait for the thread and free. */
void lex_loop_join(struct lex_loop *loop);

#endif
