/* Domain: the pairs, the counting through, and what came of it. */
#include "core/decision/domain.h"

#include <stdlib.h>

#include "core/decision/domain_parts.h"

enum { CHUNK_BYTES = 256 << 10 };

/* ---- pairs that must be asked ---- */

/* A pair by name; what it stands for is built when it is its turn. */
struct todo {
    const struct domain_name *actor, *role, *action;
    double combinations;
};

struct answer {
    struct domain *d;
    struct lex_diff diff;
    struct lex_diff_group *groups;
    struct lex_diff_cut *cuts;
    struct todo *todo;
    size_t roles_count; /* of actors with a role */
    size_t todo_count, groups_capacity, cuts_capacity, todo_capacity;
};

/* How many digits each dimension has. */
static size_t radix_of(const struct domain_pair *pair, size_t dimension)
{
    switch (dimension) {
    case DIM_CLASSES: return pair->class_sets_count;
    case DIM_RESOURCE: return pair->resources.count + 1;
    case DIM_MODE: return pair->modes_count;
    case DIM_RISK: return pair->risks_count;
    case DIM_TIME: return pair->times_count;
    case DIM_APPROVALS: return pair->approvals_count;
    case DIM_HISTORY: return pair->histories_count;
    default: return pair->variables[dimension - DIM_FACTS].options_count;
    }
}

static size_t dimensions_of(const struct domain_pair *pair)
{
    return DIM_FACTS + pair->variables_count;
}

static double combinations_of(const struct domain_pair *pair)
{
    double product = 1;
    for (size_t i = 0; i < dimensions_of(pair); i++)
        product *= (double)radix_of(pair, i);
    return product;
}

static void build_pair(struct domain *d, struct domain_pair *pair, const struct todo *todo)
{
    static void (*const steps[])(struct domain *, struct domain_pair *) = {
        domain_pair_rules,     domain_pair_sets,  domain_pair_times,
        domain_pair_approvals, domain_pair_facts, domain_pair_history};
    *pair = (struct domain_pair){.actor = todo->actor, .role = todo->role, .action = todo->action};
    for (size_t i = 0; i < LEX_COUNT_OF(steps) && !d->failed && !(i == 1 && pair->same); i++)
        steps[i](d, pair);
}

static void drop_pair(struct domain *d, struct domain_pair *pair)
{
    domain_pair_fini(pair);
    lex_arena_reset(&d->scratch);
    lex_arena_reset(&d->work);
}

/* @return whether nothing that could decide differs */
static bool consider(struct answer *a, struct todo todo)
{
    struct domain_pair pair;
    void *items = a->todo;
    build_pair(a->d, &pair, &todo);
    a->diff.pairs++;
    a->diff.pairs_same += pair.same;
    if (!pair.same && !a->d->failed &&
        domain_grow(a->d, &a->d->keep, &items, a->todo_count, &a->todo_capacity, sizeof todo)) {
        a->todo = items;
        todo.combinations = combinations_of(&pair);
        a->todo[a->todo_count++] = todo;
    }
    drop_pair(a->d, &pair);
    return pair.same;
}

static void note_cut(struct answer *a, const struct todo *todo, const char *why,
                     double combinations, uint64_t asked)
{
    void *cuts = a->cuts;
    if (why == NULL || !domain_grow(a->d, a->d->out, &cuts, a->diff.cuts_count, &a->cuts_capacity,
                                    sizeof *a->cuts))
        return;
    a->cuts = cuts;
    a->cuts[a->diff.cuts_count++] = (struct lex_diff_cut){
        .actor = todo->actor->text,
        .role = todo->role == NULL ? (struct lex_span){NULL, 0} : todo->role->text,
        .action = todo->action->text,
        .why = why,
        .combinations = combinations,
        .asked = asked};
}

/* ---- who with which role ---- */

/* Whether some rule, conflict or condition names it, or what it lies below. */
static bool is_named(const struct domain *d, const struct domain_marks *marks,
                     const struct domain_name *actor)
{
    for (int side = 0; side < SIDES; side++) {
        lex_term_id id = actor->term[side];
        if (!domain_known(id))
            continue;
        const struct lex_term *term = lex_policy_term(d->policy[side], LEX_KIND_ACTOR, id);
        if (marks->on[side][id])
            return true;
        for (size_t i = 0; i < term->above.count; i++)
            if (marks->on[side][term->above.items[i]])
                return true;
    }
    return false;
}

/* A role that the actor has anyway gives it nothing. */
static bool adds_nothing(const struct domain *d, const struct domain_name *actor,
                         const struct domain_name *role)
{
    for (int side = 0; side < SIDES; side++)
        if (domain_known(role->term[side]) &&
            !domain_is_a(d, side, LEX_KIND_ACTOR, actor, role->term[side]))
            return false;
    return true;
}

/* One actor, one role and all actions. What is the same for both of them alone is the same for both
 * together: the rules that reach them are the union of those that reach each. */
static void consider_role(struct answer *a, const struct domain_name *actor,
                          const struct domain_name *role, const struct domain_names *actions,
                          const bool *actor_same, const bool *role_same)
{
    for (size_t k = 0; k < actions->count && !a->d->failed; k++) {
        if (actor_same[k] && role_same[k])
            continue;
        struct todo todo = {actor, role, actions->items[k], 0};
        if (a->roles_count++ < LEX_DIFF_ROLES_MAX)
            (void)consider(a, todo);
        else if (a->roles_count == LEX_DIFF_ROLES_MAX + 1)
            note_cut(a, &todo, "more actors with a role than are tried", 0, 0);
    }
}

static void consider_roles(struct answer *a, const struct domain_names *actors,
                           const struct domain_names *actions, const struct domain_marks *marks,
                           const bool *same)
{
    struct domain *d = a->d;
    for (size_t i = 0; i < actors->count; i++)
        for (size_t r = 0; r < actors->count && !d->failed; r++)
            if (r != i && is_named(d, marks, actors->items[i]) &&
                is_named(d, marks, actors->items[r]) &&
                !adds_nothing(d, actors->items[i], actors->items[r]))
                consider_role(a, actors->items[i], actors->items[r], actions,
                              &same[i * actions->count], &same[r * actions->count]);
}

static void consider_all(struct answer *a)
{
    struct domain *d = a->d;
    struct domain_marks actor_marks = domain_marks_new(d, &d->keep, LEX_KIND_ACTOR);
    struct domain_marks named = domain_marks_new(d, &d->keep, LEX_KIND_ACTOR);
    struct domain_marks action_marks = domain_marks_new(d, &d->keep, LEX_KIND_ACTION);
    if (d->failed)
        return;
    domain_mark_all(d, LEX_KIND_ACTOR, &actor_marks);
    domain_mark_approvers(d, &actor_marks);
    domain_mark_all(d, LEX_KIND_ACTOR, &named);
    domain_mark_all(d, LEX_KIND_ACTION, &action_marks);
    struct domain_names actors = domain_collapse(d, &d->keep, LEX_KIND_ACTOR, &actor_marks);
    struct domain_names actions = domain_collapse(d, &d->keep, LEX_KIND_ACTION, &action_marks);
    bool *same = domain_take(d, &d->keep, actors.count * actions.count, sizeof *same);
    for (size_t i = 0; i < actors.count; i++)
        for (size_t k = 0; k < actions.count && !d->failed; k++)
            same[i * actions.count + k] =
                consider(a, (struct todo){actors.items[i], NULL, actions.items[k], 0});
    if (!d->failed)
        consider_roles(a, &actors, &actions, &named, same);
}

/* ---- the budget ---- */

static int by_size(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* The most combinations that one pair may be asked, so that all together keep the budget: small
 * pairs are asked whole, and what they leave is the large ones'. */
static double share_of(struct answer *a)
{
    double left = (double)a->d->options->max_evaluations / SIDES;
    double *sizes = domain_take(a->d, &a->d->scratch, a->todo_count, sizeof *sizes);
    if (sizes == NULL)
        return 0;
    for (size_t i = 0; i < a->todo_count; i++)
        sizes[i] = a->todo[i].combinations;
    qsort(sizes, a->todo_count, sizeof *sizes, by_size);
    for (size_t i = 0; i < a->todo_count; i++) {
        double each = left / (double)(a->todo_count - i);
        if (sizes[i] > each)
            return each < 1 ? 1 : each;
        left -= sizes[i];
    }
    return a->todo_count == 0 ? 0 : sizes[a->todo_count - 1];
}

/* ---- changes ---- */

static bool is_change(const struct lex_decision *old, const struct lex_decision *new)
{
    return old->outcome != new->outcome;
}

static bool same_kind_of_change(const struct lex_diff_group *group, const struct lex_decision *old,
                                const struct lex_decision *new)
{
    return group->old_outcome == old->outcome && group->new_outcome == new->outcome &&
           group->old_code == old->reason_code && group->new_code == new->reason_code;
}

/* What each group of the pair that is being asked has for an example. */
struct best {
    uint32_t digits[LEX_DIFF_DIMENSIONS_MAX];
    unsigned weight;
};

struct asking {
    struct answer *answer;
    struct domain_pair *pair;
    size_t first; /* of the pair's groups */
    struct best *best;
    size_t best_capacity;
    uint64_t asked;
};

/* How much a point has that the plainest has not. */
static unsigned weight_of(const struct domain_pair *pair, const uint32_t *digits)
{
    unsigned weight = 0;
    for (size_t i = 0; i < dimensions_of(pair); i++)
        weight += digits[i] != 0;
    for (size_t i = 1; i < LEX_DIFF_CLASSES_MAX; i++)
        weight += pair->class_sets[digits[DIM_CLASSES] * LEX_DIFF_CLASSES_MAX + i] != NULL;
    return weight;
}

/* With a role, what the actor or the role alone shows already is no news. */
static bool is_known(const struct answer *a, const struct domain_pair *pair, size_t first,
                     const struct lex_decision *old, const struct lex_decision *new)
{
    for (size_t i = 0; pair->role != NULL && i < first; i++) {
        const struct lex_diff_group *group = &a->groups[i];
        if (lex_span_absent(group->role) && same_kind_of_change(group, old, new) &&
            lex_span_eq(group->action, pair->action->text) &&
            (lex_span_eq(group->actor, pair->actor->text) ||
             lex_span_eq(group->actor, pair->role->text)))
            return true;
    }
    return false;
}

static struct lex_diff_group *new_group(struct asking *q, const struct lex_decision *old,
                                        const struct lex_decision *new)
{
    struct answer *a = q->answer;
    void *groups = a->groups, *best = q->best;
    if (a->diff.groups_count == LEX_DIFF_GROUPS_MAX) {
        a->diff.groups_dropped++;
        return NULL;
    }
    if (is_known(a, q->pair, q->first, old, new))
        return NULL;
    if (!domain_grow(a->d, a->d->out, &groups, a->diff.groups_count, &a->groups_capacity,
                     sizeof *a->groups) ||
        !domain_grow(a->d, &a->d->scratch, &best, a->diff.groups_count - q->first,
                     &q->best_capacity, sizeof *q->best))
        return NULL;
    a->groups = groups;
    q->best = best;
    q->best[a->diff.groups_count - q->first].weight = UINT32_MAX;
    struct lex_diff_group *group = &a->groups[a->diff.groups_count++];
    *group = (struct lex_diff_group){.actor = q->pair->actor->text,
                                     .role = q->pair->role == NULL ? (struct lex_span){NULL, 0}
                                                                   : q->pair->role->text,
                                     .action = q->pair->action->text,
                                     .old_outcome = old->outcome,
                                     .new_outcome = new->outcome,
                                     .old_code = old->reason_code,
                                     .new_code = new->reason_code};
    a->diff.widened += new->outcome > old->outcome;
    a->diff.narrowed += new->outcome < old->outcome;
    return group;
}

static void note_change(struct asking *q, const uint32_t *digits, const struct lex_decision *old,
                        const struct lex_decision *new)
{
    struct answer *a = q->answer;
    struct lex_diff_group *group = NULL;
    for (size_t i = q->first; i < a->diff.groups_count && group == NULL; i++)
        if (same_kind_of_change(&a->groups[i], old, new))
            group = &a->groups[i];
    if (group == NULL)
        group = new_group(q, old, new);
    if (group == NULL)
        return;
    struct best *best = &q->best[(size_t)(group - a->groups) - q->first];
    unsigned weight = weight_of(q->pair, digits);
    group->count++;
    if (weight >= best->weight)
        return;
    best->weight = weight;
    memcpy(best->digits, digits, dimensions_of(q->pair) * sizeof *digits);
}

/* ---- asking ---- */

static void decide_both(struct domain *d, const struct domain_point *point,
                        struct lex_decision decisions[SIDES])
{
    for (int side = 0; side < SIDES; side++) {
        struct lex_decide_input input = {.policy = d->policy[side],
                                         .request = &point->request,
                                         .facts = &point->facts,
                                         .history = point->history,
                                         .now_us = point->now_us,
                                         .ttl_us = 1};
        lex_decide(&input, &d->work, &decisions[side]);
    }
}

static void ask(struct asking *q, const uint32_t *digits)
{
    struct domain *d = q->answer->d;
    struct domain_point point;
    struct lex_decision decisions[SIDES];
    q->asked++;
    if (domain_make_point(d, q->pair, digits, &point)) {
        decide_both(d, &point, decisions);
        if (is_change(&decisions[OLD], &decisions[NEW]))
            note_change(q, digits, &decisions[OLD], &decisions[NEW]);
    }
    lex_arena_reset(&d->work);
}

/* Whether a point still shows the change. */
static bool shows(struct domain *d, struct domain_pair *pair, const uint32_t *digits,
                  const struct lex_diff_group *group)
{
    struct domain_point point;
    struct lex_decision decisions[SIDES];
    bool made = domain_make_point(d, pair, digits, &point);
    if (made)
        decide_both(d, &point, decisions);
    bool same = made && same_kind_of_change(group, &decisions[OLD], &decisions[NEW]);
    lex_arena_reset(&d->work);
    return same;
}

/* Facts that hold other rules open are left out of an example where they are not needed. */
static struct lex_span example_of(struct domain *d, struct domain_pair *pair,
                                  const uint32_t *digits, const struct lex_diff_group *group)
{
    size_t chosen[LEX_DIFF_DIMENSIONS_MAX];
    for (size_t i = 0; i < pair->fixed_count; i++) {
        chosen[i] = pair->fixed[i].chosen;
        pair->fixed[i].chosen = 0;
        if (!shows(d, pair, digits, group))
            pair->fixed[i].chosen = chosen[i];
    }
    struct lex_span example = domain_example(d, pair, digits);
    for (size_t i = 0; i < pair->fixed_count; i++)
        pair->fixed[i].chosen = chosen[i];
    return example;
}

/* The next combination; false after the last. */
static bool count_on(const struct domain_pair *pair, uint32_t *digits)
{
    for (size_t i = dimensions_of(pair); i-- > 0;) {
        if (++digits[i] < radix_of(pair, i))
            return true;
        digits[i] = 0;
    }
    return false;
}

static void ask_all(struct asking *q)
{
    uint32_t digits[LEX_DIFF_DIMENSIONS_MAX] = {0};
    do
        ask(q, digits);
    while (!q->answer->d->failed && count_on(q->pair, digits));
}

/* S. Vigna, "splitmix64": the same numbers every time. */
static uint64_t mix(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* Each digit alone, then any: as many as the share allows. Half of the digits stay at their
 * plainest, or no rule would ever be reached through all the others. */
static void ask_some(struct asking *q, double share)
{
    uint32_t digits[LEX_DIFF_DIMENSIONS_MAX] = {0};
    uint64_t state = 1;
    ask(q, digits);
    for (size_t i = 0; i < dimensions_of(q->pair); i++) {
        for (digits[i] = 1; digits[i] < radix_of(q->pair, i) && (double)q->asked < share;
             digits[i]++)
            ask(q, digits);
        digits[i] = 0;
    }
    while ((double)q->asked < share && !q->answer->d->failed) {
        for (size_t i = 0; i < dimensions_of(q->pair); i++) {
            uint64_t random = mix(&state);
            digits[i] = (random >> 63) != 0 ? (uint32_t)(random % radix_of(q->pair, i)) : 0;
        }
        ask(q, digits);
    }
}

static void ask_pair(struct answer *a, const struct todo *todo, double share)
{
    struct domain_pair pair;
    struct asking q = {.answer = a, .pair = &pair, .first = a->diff.groups_count};
    build_pair(a->d, &pair, todo);
    bool whole = todo->combinations <= share;
    if (!a->d->failed && whole)
        ask_all(&q);
    else if (!a->d->failed)
        ask_some(&q, share);
    for (size_t i = q.first; i < a->diff.groups_count && !a->d->failed; i++) {
        a->groups[i].example = example_of(a->d, &pair, q.best[i - q.first].digits, &a->groups[i]);
        a->d->failed = a->d->failed || lex_span_absent(a->groups[i].example);
    }
    a->diff.evaluations += SIDES * q.asked;
    note_cut(a, todo, whole ? pair.small : "more combinations than --max-evaluations allows",
             whole ? 0 : todo->combinations, q.asked);
    drop_pair(a->d, &pair);
}

/* ---- the whole ---- */

static void domain_init(struct domain *d, struct lex_arena *out)
{
    d->out = out;
    lex_arena_init(&d->keep, CHUNK_BYTES, SIZE_MAX / 4);
    lex_arena_init(&d->scratch, CHUNK_BYTES, SIZE_MAX / 4);
    lex_arena_init(&d->work, CHUNK_BYTES, SIZE_MAX / 4);
}

static void domain_fini(struct domain *d)
{
    lex_arena_fini(&d->keep);
    lex_arena_fini(&d->scratch);
    lex_arena_fini(&d->work);
}

/* Names that the domain made up live only as long as it does. */
static void keep_name(struct domain *d, struct lex_span *name)
{
    bool absent = lex_span_absent(*name);
    *name = lex_arena_dup(d->out, *name);
    d->failed = d->failed || lex_span_absent(*name) != absent;
}

static void keep_names(struct answer *a)
{
    for (size_t i = 0; i < a->diff.groups_count; i++) {
        keep_name(a->d, &a->groups[i].actor);
        keep_name(a->d, &a->groups[i].role);
        keep_name(a->d, &a->groups[i].action);
    }
    for (size_t i = 0; i < a->diff.cuts_count; i++) {
        keep_name(a->d, &a->cuts[i].actor);
        keep_name(a->d, &a->cuts[i].role);
        keep_name(a->d, &a->cuts[i].action);
    }
}

static void run(struct answer *a)
{
    domain_build_names(a->d);
    if (!a->d->failed)
        domain_build_rules(a->d);
    if (!a->d->failed)
        consider_all(a);
    double share = share_of(a);
    lex_arena_reset(&a->d->scratch);
    for (size_t i = 0; i < a->todo_count && !a->d->failed; i++)
        ask_pair(a, &a->todo[i], share);
    keep_names(a);
}

LEX_STATUS lex_policy_diff(const struct lex_policy *old_policy, const struct lex_policy *new_policy,
                           const struct lex_diff_options *options, struct lex_arena *arena,
                           struct lex_diff *ret_diff)
{
    struct domain d = {.policy = {old_policy, new_policy}, .options = options};
    struct answer a = {.d = &d};
    domain_init(&d, arena);
    run(&a);
    domain_fini(&d);
    if (d.failed)
        return LEX_LIMIT;
    a.diff.groups = a.groups;
    a.diff.cuts = a.cuts;
    *ret_diff = a.diff;
    return LEX_OK;
}
