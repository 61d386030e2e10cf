/* Hierarchy: what lies above each term through member_of and implies.
 *
 * The closures are computed once, at load, so that a decision walks a list and can neither loop nor
 * miss a level. Forbids, requires and conflicts apply to everything below their terms, and so do
 * permits, except between actions: entailing an action is no leave to do it. There a term's
 * `granted` lists whose permits cover it: what it is a member of, and what implies it with
 * "grants". The one lies above it and the other below, so the grants are a graph of their own,
 * which may have cycles although the hierarchy has none. */
#include <stdlib.h>

#include "core/policy/load.h"

/* Edges of one kind, grouped by their lower end, and the state of a depth-first walk. */
struct walk {
    struct lex_loader *loader;
    enum lex_kind kind;
    size_t *first;      /* edges of term t: edges[first[t]] .. edges[first[t + 1]] */
    size_t *at;         /* next edge to look at */
    lex_term_id *path;  /* the walk's stack */
    lex_term_id *stamp; /* stamp[t] == s + 1: t is in the closure of s already */
    lex_term_id *scratch;
    enum { UNSEEN, OPEN, DONE } * state;
    size_t *total;
};

static int by_from(const void *a, const void *b)
{
    const struct lex_edge *x = a, *y = b;
    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    if (x->document != y->document)
        return x->document < y->document ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

static void add_above(struct walk *walk, lex_term_id term, lex_term_id above, size_t *count)
{
    if (walk->stamp[above] == term + 1)
        return;
    walk->stamp[above] = term + 1;
    walk->scratch[(*count)++] = above;
}

static int by_number(const void *a, const void *b)
{
    const lex_term_id *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* The scratch list, sorted and kept for good. */
static LEX_STATUS keep_above(struct walk *walk, lex_term_id term, size_t count,
                             struct lex_terms_above *ret_above)
{
    const struct lex_term *of = &walk->loader->policy->terms[walk->kind].items[term];
    if ((*walk->total += count) > LEX_POLICY_MAX_CLOSURE) {
        lex_load_enter(walk->loader, of->document);
        return lex_load_fail(walk->loader, LEX_LIMIT, of->at,
                             "the hierarchy has more than %d pairs of a term and one above it",
                             LEX_POLICY_MAX_CLOSURE);
    }
    lex_term_id *items = lex_arena_calloc(&walk->loader->policy->arena, count, sizeof *items);
    if (items == NULL)
        return lex_load_no_memory(walk->loader);
    qsort(walk->scratch, count, sizeof *items, by_number);
    if (count != 0)
        memcpy(items, walk->scratch, count * sizeof *items);
    *ret_above = (struct lex_terms_above){items, count};
    return LEX_OK;
}

/* All terms above `term`, once all of its direct ones are done. */
static LEX_STATUS finish_term(struct walk *walk, lex_term_id term)
{
    struct lex_terms *terms = &walk->loader->policy->terms[walk->kind];
    const struct lex_edge *edges = walk->loader->edges[walk->kind];
    size_t count = 0;
    for (size_t i = walk->first[term]; i < walk->first[term + 1]; i++) {
        const struct lex_terms_above *next = &terms->items[edges[i].to].above;
        add_above(walk, term, edges[i].to, &count);
        for (size_t j = 0; j < next->count; j++)
            add_above(walk, term, next->items[j], &count);
    }
    struct lex_term *lower = &terms->items[term];
    LEX_TRY(keep_above(walk, term, count, &lower->above));
    for (size_t i = 0; walk->kind == LEX_KIND_ACTION && i < count; i++)
        if (terms->items[lower->above.items[i]].risk_level > lower->risk_level)
            lower->risk_level = terms->items[lower->above.items[i]].risk_level;
    walk->state[term] = DONE;
    return LEX_OK;
}

static LEX_STATUS cycle(struct walk *walk, const struct lex_edge *edge)
{
    lex_load_enter(walk->loader, edge->document);
    const struct lex_term *terms = walk->loader->policy->terms[walk->kind].items;
    return lex_load_fail(walk->loader, LEX_REJECT, edge->at,
                         "a cycle: %.*s lies below %.*s, which lies below it; remove one of the "
                         "steps",
                         LEX_SPAN_FMT(terms[edge->from].canonical),
                         LEX_SPAN_FMT(terms[edge->to].canonical));
}

/* Depth first with a stack of our own: a chain of 65,535 terms must not need as many frames. */
static LEX_STATUS walk_from(struct walk *walk, lex_term_id start)
{
    const struct lex_edge *edges = walk->loader->edges[walk->kind];
    size_t depth = 0;
    walk->path[depth++] = start;
    walk->state[start] = OPEN;
    while (depth != 0) {
        lex_term_id term = walk->path[depth - 1];
        if (walk->at[term] == walk->first[term + 1]) {
            LEX_TRY(finish_term(walk, term));
            depth--;
            continue;
        }
        const struct lex_edge *edge = &edges[walk->at[term]++];
        if (walk->state[edge->to] == OPEN)
            return cycle(walk, edge);
        if (walk->state[edge->to] == DONE)
            continue;
        walk->state[edge->to] = OPEN;
        walk->path[depth++] = edge->to;
    }
    return LEX_OK;
}

static LEX_STATUS prepare(struct walk *walk, struct lex_edge *edges, size_t edges_count,
                          size_t terms)
{
    struct lex_arena *arena = &walk->loader->tree;
    walk->first = lex_arena_calloc(arena, terms + 1, sizeof *walk->first);
    walk->at = lex_arena_calloc(arena, terms + 1, sizeof *walk->at);
    walk->path = lex_arena_calloc(arena, terms, sizeof *walk->path);
    walk->stamp = lex_arena_calloc(arena, terms, sizeof *walk->stamp);
    walk->scratch = lex_arena_calloc(arena, terms, sizeof *walk->scratch);
    walk->state = lex_arena_calloc(arena, terms, sizeof *walk->state);
    if (walk->first == NULL || walk->at == NULL || walk->path == NULL || walk->stamp == NULL ||
        walk->scratch == NULL || walk->state == NULL)
        return lex_load_no_memory(walk->loader);
    qsort(edges, edges_count, sizeof *edges, by_from);
    size_t edge = 0;
    for (size_t term = 0; term <= terms; term++) {
        while (edge < edges_count && edges[edge].from < term)
            edge++;
        walk->first[term] = walk->at[term] = edge;
    }
    return LEX_OK;
}

/* ---- whose permits cover an action ---- */

/* An edge of the grants: a permit on `to` covers `from`. */
static struct lex_edge grant_of(const struct lex_edge *edge)
{
    struct lex_edge grant = *edge;
    if (!edge->member) {
        grant.from = edge->to;
        grant.to = edge->from;
    }
    return grant;
}

static void add_granting(struct walk *walk, const struct lex_edge *grants, lex_term_id term,
                         lex_term_id covered, size_t *count)
{
    for (size_t i = walk->first[covered]; i < walk->first[covered + 1]; i++)
        add_above(walk, term, grants[i].to, count);
}

/* Everything that can be reached from `term`, breadth first; cycles are harmless here. */
static size_t reach(struct walk *walk, const struct lex_edge *grants, lex_term_id term)
{
    size_t count = 0;
    walk->stamp[term] = term + 1;
    add_granting(walk, grants, term, term, &count);
    for (size_t i = 0; i < count; i++)
        add_granting(walk, grants, term, walk->scratch[i], &count);
    return count;
}

static LEX_STATUS close_grants(struct lex_loader *loader, size_t *total)
{
    struct lex_terms *terms = &loader->policy->terms[LEX_KIND_ACTION];
    const size_t edges = loader->edges_count[LEX_KIND_ACTION];
    struct walk walk = {.loader = loader, .kind = LEX_KIND_ACTION, .total = total};
    struct lex_edge *grants = lex_arena_calloc(&loader->tree, edges, sizeof *grants);
    size_t count = 0;
    if (grants == NULL)
        return lex_load_no_memory(loader);
    for (size_t i = 0; i < edges; i++)
        if (loader->edges[LEX_KIND_ACTION][i].member || loader->edges[LEX_KIND_ACTION][i].grants)
            grants[count++] = grant_of(&loader->edges[LEX_KIND_ACTION][i]);
    LEX_TRY(prepare(&walk, grants, count, terms->count));
    for (lex_term_id term = 0; term < terms->count; term++) {
        size_t covering = reach(&walk, grants, term);
        LEX_TRY(keep_above(&walk, term, covering, &terms->items[term].granted));
    }
    return LEX_OK;
}

static LEX_STATUS close_kind(struct lex_loader *loader, enum lex_kind kind, size_t *total)
{
    size_t terms = loader->policy->terms[kind].count;
    struct walk walk = {.loader = loader, .kind = kind, .total = total};
    if (loader->edges_count[kind] == 0)
        return LEX_OK;
    LEX_TRY(prepare(&walk, loader->edges[kind], loader->edges_count[kind], terms));
    for (lex_term_id term = 0; term < terms; term++)
        if (walk.state[term] == UNSEEN)
            LEX_TRY(walk_from(&walk, term));
    if (kind == LEX_KIND_ACTION)
        return close_grants(loader, total);
    for (lex_term_id term = 0; term < terms; term++)
        loader->policy->terms[kind].items[term].granted =
            loader->policy->terms[kind].items[term].above;
    return LEX_OK;
}

/* ---- a term that would be both sides of a conflict ---- */

static LEX_STATUS both_sides(struct lex_loader *loader, enum lex_kind kind, lex_term_id term,
                             const struct lex_conflict *conflict)
{
    const struct lex_policy *policy = loader->policy;
    lex_load_enter(loader, conflict->document);
    return lex_load_fail(
        loader, LEX_REJECT, conflict->at,
        "%.*s is both sides of this conflict, %.*s and %.*s, through the hierarchy",
        LEX_SPAN_FMT(lex_policy_term(policy, kind, term)->canonical),
        LEX_SPAN_FMT(lex_policy_term(policy, kind, conflict->a)->canonical),
        LEX_SPAN_FMT(lex_policy_term(policy, kind, conflict->b)->canonical));
}

/* @param stamp  stamp[x] == term + 1: x is `term` or lies above it */
static LEX_STATUS check_conflicts_of(struct lex_loader *loader, enum lex_kind kind,
                                     lex_term_id term, lex_term_id side, const lex_term_id *stamp)
{
    const struct lex_policy *policy = loader->policy;
    const struct lex_conflict_ref *refs;
    size_t count = lex_policy_conflicts(policy, kind, side, &refs);
    for (size_t i = 0; i < count; i++) {
        const struct lex_conflict *conflict = &policy->conflicts[refs[i].number];
        lex_term_id other = conflict->a == side ? conflict->b : conflict->a;
        if (stamp[other] == term + 1)
            return both_sides(loader, kind, term, conflict);
    }
    return LEX_OK;
}

static LEX_STATUS check_conflicts(struct lex_loader *loader, enum lex_kind kind)
{
    const struct lex_terms *terms = &loader->policy->terms[kind];
    lex_term_id *stamp = lex_arena_calloc(&loader->tree, terms->count, sizeof *stamp);
    if (stamp == NULL)
        return lex_load_no_memory(loader);
    for (lex_term_id term = 0; term < terms->count; term++) {
        const struct lex_terms_above *above = &terms->items[term].above;
        stamp[term] = term + 1;
        for (size_t i = 0; i < above->count; i++)
            stamp[above->items[i]] = term + 1;
        for (size_t i = 0; i < above->count; i++)
            LEX_TRY(check_conflicts_of(loader, kind, term, above->items[i], stamp));
    }
    return LEX_OK;
}

LEX_STATUS lex_load_check_conflicts(struct lex_loader *loader)
{
    if (loader->policy->conflicts_count == 0)
        return LEX_OK;
    LEX_TRY(check_conflicts(loader, LEX_KIND_ACTOR));
    return check_conflicts(loader, LEX_KIND_DATA);
}

LEX_STATUS lex_load_hierarchy(struct lex_loader *loader)
{
    size_t total = 0;
    for (unsigned kind = 0; kind < LEX_KIND_COUNT; kind++)
        LEX_TRY(close_kind(loader, kind, &total));
    return LEX_OK;
}
