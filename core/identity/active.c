/* Active tokens: those that were issued here and have not expired.
 *
 * One slot per second in which tokens end, as many as the longest lifetime has, so a second finds
 * its slot free of any that could still be alive. Counting needs no sweep, no lock and no timer: a
 * worker adds with one atomic exchange, and whoever reads the page looks through the slots. Pages
 * that were never written cost no memory. */
#include <stdatomic.h>

#include "core/identity/token.h"

enum { SLOTS = LEX_TOKEN_LIFETIME_MAX_S + LEX_CLOCK_SKEW_S + 1 };

/* The second in the upper half, how many end in it in the lower. */
static _Atomic uint64_t slots[SLOTS];

void lex_token_active_add(int64_t exp_s)
{
    _Atomic uint64_t *slot = &slots[(uint64_t)exp_s % SLOTS];
    uint64_t second = (uint64_t)exp_s << 32, seen = atomic_load(slot), next;
    do
        next = (seen & ~UINT64_C(0xffffffff)) == second ? seen + 1 : second + 1;
    while (!atomic_compare_exchange_weak(slot, &seen, next));
}

size_t lex_token_active_count(int64_t now_s)
{
    size_t count = 0;
    for (size_t i = 0; i < SLOTS; i++) {
        uint64_t slot = atomic_load_explicit(&slots[i], memory_order_relaxed);
        if (slot >> 32 > (uint32_t)now_s)
            count += slot & 0xffffffff;
    }
    return count;
}
