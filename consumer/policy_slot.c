#include "consumer/policy_slot.h"

void lex_policy_slot_init(struct lex_policy_slot *slot)
{
    *slot = (struct lex_policy_slot){.policy = NULL};
    (void)pthread_mutex_init(&slot->lock, NULL);
}

void lex_policy_slot_fini(struct lex_policy_slot *slot)
{
    lex_policy_unref(slot->policy);
    (void)pthread_mutex_destroy(&slot->lock);
}

void lex_policy_slot_set(struct lex_policy_slot *slot, struct lex_policy *policy)
{
    (void)pthread_mutex_lock(&slot->lock);
    struct lex_policy *old = slot->policy;
    slot->policy = policy;
    slot->generation++;
    (void)pthread_mutex_unlock(&slot->lock);
    lex_policy_unref(old);
}

struct lex_policy *lex_policy_slot_get(struct lex_policy_slot *slot, uint64_t *ret_generation)
{
    (void)pthread_mutex_lock(&slot->lock);
    struct lex_policy *policy = slot->policy != NULL ? lex_policy_ref(slot->policy) : NULL;
    *ret_generation = slot->generation;
    (void)pthread_mutex_unlock(&slot->lock);
    return policy;
}
