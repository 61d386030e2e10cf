/* The slow evaluator: what each request must be answered under either policy, from the requests and
 * from what was approved before. It counts in a list and knows nothing of the engine, its history
 * or its rules; so it also says when the engine is stricter than it has to be, as it would be
 * after a restart that forgot. */
#include <stdlib.h>

#include "tests/sim/sim.h"

static const int64_t SECOND = 1000000;

/* The policies' numbers, once more by hand (requests.c). */
static const struct {
    const char *read_code;
    int calls, pay;
    int64_t calls_window_us, pay_window_us;
    enum sim_request apart[2];
} POLICIES[SIM_POLICIES] = {
    {"PERMITTED", 3, 100, 2000000, 3000000, {SIM_PREPARE, SIM_RELEASE}},
    {"FORBIDDEN", 2, 80, 4000000, 4000000, {SIM_RELEASE, SIM_APPROVED}},
    {"PERMITTED", 2, 80, 4000000, 4000000, {SIM_RELEASE, SIM_APPROVED}},
};

struct question {
    const struct sim_checked *seen;
    struct sim_use ask;
    int policy;
    int64_t issued_us; /* of the approval */
};

/* How many, or how much of, a kind was approved later than so long ago. */
static int used(const struct question *q, enum sim_request kind, int64_t window_us)
{
    int sum = 0;
    for (size_t i = 0; i < q->seen->uses_count; i++) {
        const struct sim_use *use = &q->seen->uses[i];
        if (use->kind == kind && use->time_us > q->ask.time_us - window_us)
            sum += kind == SIM_SUMMED ? use->amount : 1;
    }
    return sum;
}

static bool in_conflict(const struct question *q)
{
    for (int side = 0; side < 2; side++)
        if (POLICIES[q->policy].apart[side] == q->ask.kind &&
            used(q, POLICIES[q->policy].apart[1 - side], 2 * SECOND) != 0)
            return true;
    return false;
}

static bool approval_counts(const struct question *q)
{
    for (size_t i = 0; i < q->seen->uses_count; i++)
        if (q->seen->uses[i].kind == SIM_APPROVED && q->seen->uses[i].approval == q->ask.approval)
            return false; /* used */
    return q->ask.time_us < q->issued_us + 600 * SECOND;
}

static const char *expected_code(const struct question *q)
{
    if (in_conflict(q))
        return "SOD_CONFLICT";
    switch (q->ask.kind) {
    case SIM_PERMITTED: return POLICIES[q->policy].read_code;
    case SIM_FORBIDDEN: return "FORBIDDEN";
    case SIM_UNPERMITTED: return "NOT_PERMITTED";
    case SIM_INCOMPLETE:
    case SIM_UNSAFE_NUMBER:
    case SIM_LARGE: return "INVALID_REQUEST";
    case SIM_LIMITED:
        return used(q, SIM_LIMITED, POLICIES[q->policy].calls_window_us) < POLICIES[q->policy].calls
                   ? "PERMITTED"
                   : "RATE_LIMITED";
    case SIM_SUMMED:
        return used(q, SIM_SUMMED, POLICIES[q->policy].pay_window_us) + q->ask.amount <=
                       POLICIES[q->policy].pay
                   ? "PERMITTED"
                   : "RATE_LIMITED";
    case SIM_APPROVED: return approval_counts(q) ? "PERMITTED" : "APPROVAL_REQUIRED";
    case SIM_PREPARE:
    case SIM_RELEASE: return "PERMITTED";
    default: return "";
    }
}

static void note_use(struct sim_checked *seen, const struct sim_use *use)
{
    if (seen->uses_count == seen->uses_cap) {
        seen->uses_cap = seen->uses_cap == 0 ? 64 : 2 * seen->uses_cap;
        seen->uses = realloc(seen->uses, seen->uses_cap * sizeof *seen->uses);
        LEX_ASSERT(seen->uses != NULL);
    }
    seen->uses[seen->uses_count++] = *use;
}

static int policy_of(const struct sim_checker *c, const struct lex_ledger_entry *entry)
{
    for (int i = 0; i < SIM_POLICIES - 1; i++)
        if (lex_span_eq(entry->policy_hash,
                        lex_span_of(lex_policy_info(c->world->policies[i])->hash, 32)))
            return i;
    return SIM_POLICIES - 1;
}

bool sim_expect(struct sim_checker *checker, const struct sim_model *model, int p,
                const struct lex_ledger_entry *entry)
{
    const struct sim_partition *partition = &model->partitions[p];
    const struct sim_asked *asked = &partition->asked[entry->source.offset];
    struct question q = {
        .seen = &checker->partitions[p],
        .ask = {(enum sim_request)asked->kind, entry->evaluated_at.value, asked->amount,
                asked->approval},
        .policy = policy_of(checker, entry),
        .issued_us = partition->approvals[asked->approval].issued_us,
    };
    struct lex_span code = lex_span_str(expected_code(&q));
    bool permitted = lex_span_eq(code, LEX_SPAN("PERMITTED"));
    if (!lex_span_eq(entry->reason_code, code) || entry->allowed != permitted ||
        (entry->outcome == LEX_OUTCOME_APPROVED) != permitted)
        return sim_violated(checker,
                            "partition %d request %lld: answered %.*s (outcome %d), not %.*s", p,
                            (long long)entry->source.offset, LEX_SPAN_FMT(entry->reason_code),
                            (int)entry->outcome, LEX_SPAN_FMT(code));
    if (permitted)
        note_use(&checker->partitions[p], &q.ask);
    return true;
}
