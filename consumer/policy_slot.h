/* Policy slot: the one place where the snapshot in force is handed from the watcher to the workers.
 *
 * A load either swaps the pointer or changes nothing. A worker looks at the generation between
 * batches, which costs one atomic read, and takes a reference only when it changed. */
#ifndef LEX_CONSUMER_POLICY_SLOT_H
#define LEX_CONSUMER_POLICY_SLOT_H

#include <pthread.h>

#include "core/policy/policy.h"

struct lex_policy_slot {
    pthread_mutex_t lock;        /* over `policy` only */
    struct lex_policy *policy;   /* NULL before the first */
    _Atomic uint64_t generation; /* 0 before the first */
};

void lex_policy_slot_init(struct lex_policy_slot *slot);
void lex_policy_slot_fini(struct lex_policy_slot *slot);
/* @owns takes over the caller's reference */
void lex_policy_slot_set(struct lex_policy_slot *slot, struct lex_policy *policy);
/* The snapshot in force, with a reference for the caller, and its generation; NULL before the
 * first. */
struct lex_policy *lex_policy_slot_get(struct lex_policy_slot *slot, uint64_t *ret_generation);

#endif
