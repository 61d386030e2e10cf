/* Domain names: one name for everything that two policies can tell apart by name.
 *
 * A name is what it means in each of them; two names that mean the same are one, and so are two
 * terms that lie below the same terms that any rule names. The unknown name stands for all others.
 */
#include <stdlib.h>

#include "core/decision/domain_parts.h"

void *domain_take(struct domain *d, struct lex_arena *arena, size_t count, size_t size)
{
    void *memory = lex_arena_calloc(arena, count == 0 ? 1 : count, size);
    d->failed = d->failed || memory == NULL;
    return memory;
}

bool domain_grow(struct domain *d, struct lex_arena *arena, void **items, size_t count,
                 size_t *capacity, size_t size)
{
    if (count < *capacity)
        return true;
    size_t more = *capacity == 0 ? 8 : 2 * *capacity;
    void *grown = domain_take(d, arena, more, size);
    if (grown == NULL)
        return false;
    if (count != 0)
        memcpy(grown, *items, count * size);
    *items = grown;
    *capacity = more;
    return true;
}

bool domain_is_a(const struct domain *d, int side, enum lex_kind kind,
                 const struct domain_name *name, lex_term_id term)
{
    return domain_known(name->term[side]) && domain_known(term) &&
           lex_policy_is_a(d->policy[side], kind, name->term[side], term);
}

/* ---- every name of both ---- */

struct collected {
    struct domain_name *items;
    size_t count, capacity;
    enum lex_kind kind;
};

static void collect(struct domain *d, struct collected *all, struct lex_span text)
{
    void *items = all->items;
    if (!domain_grow(d, &d->keep, &items, all->count, &all->capacity, sizeof *all->items))
        return;
    all->items = items;
    struct domain_name *name = &all->items[all->count++];
    *name = (struct domain_name){.text = text};
    for (int side = 0; side < SIDES; side++)
        name->term[side] = lex_policy_resolve(d->policy[side], all->kind, text);
}

/* By meaning; the shortest canonical name first, which all messages use. */
static bool is_canonical(enum lex_kind kind, struct lex_span text)
{
    struct lex_span prefix = lex_kind_words(kind).prefix;
    return text.len > prefix.len && memcmp(text.data, prefix.data, prefix.len) == 0;
}

static int by_meaning(const void *a, const void *b, void *context)
{
    const struct domain_name *x = a, *y = b;
    const enum lex_kind *kind = context;
    for (int side = 0; side < SIDES; side++)
        if (x->term[side] != y->term[side])
            return x->term[side] < y->term[side] ? -1 : 1;
    bool canonical_x = is_canonical(*kind, x->text), canonical_y = is_canonical(*kind, y->text);
    if (canonical_x != canonical_y)
        return canonical_x ? -1 : 1;
    return lex_span_cmp(x->text, y->text);
}

static bool same_meaning(const struct domain_name *a, const struct domain_name *b)
{
    return a->term[OLD] == b->term[OLD] && a->term[NEW] == b->term[NEW];
}

/* ---- does a term mean the same? ---- */

static int by_bytes(const void *a, const void *b)
{
    const struct lex_span *x = a, *y = b;
    return lex_span_cmp(*x, *y);
}

/* Its canonical name, what it is below, and what else a decision reads of it. */
static void hash_term(struct domain *d, int side, enum lex_kind kind, lex_term_id id,
                      struct lex_hash *ret)
{
    const struct lex_term *term = lex_policy_term(d->policy[side], kind, id);
    size_t count = 0, most = 2 * (term->above.count + term->granted.count) + 4;
    struct lex_span *parts = domain_take(d, &d->scratch, most, sizeof *parts);
    uint8_t own[] = {term->risk_level, term->ai};
    struct lex_span bytes = lex_arena_dup(&d->scratch, lex_span_of(own, sizeof own));
    if (parts == NULL || lex_span_absent(bytes)) {
        d->failed = true;
        return;
    }
    for (size_t i = 0; i < term->above.count; i++)
        parts[count++] = lex_policy_term(d->policy[side], kind, term->above.items[i])->canonical;
    qsort(parts, count, sizeof *parts, by_bytes);
    size_t from = count;
    for (size_t i = 0; i < term->granted.count; i++)
        parts[count++] = lex_policy_term(d->policy[side], kind, term->granted.items[i])->canonical;
    qsort(parts + from, count - from, sizeof *parts, by_bytes);
    struct lex_span separated[] = {term->canonical, bytes};
    struct lex_hash first;
    lex_sha256(separated, LEX_COUNT_OF(separated), &first);
    for (size_t i = count; i-- > 0;) {
        parts[2 * i] = parts[i];
        parts[2 * i + 1] = i < from ? LEX_SPAN("\n") : LEX_SPAN("\t");
    }
    parts[2 * count] = lex_span_of(first.bytes, sizeof first.bytes);
    lex_sha256(parts, 2 * count + 1, ret);
}

static bool means_same(struct domain *d, enum lex_kind kind, const struct domain_name *name)
{
    struct lex_hash hash[SIDES];
    if (!domain_known(name->term[OLD]) || !domain_known(name->term[NEW]))
        return name->term[OLD] == name->term[NEW];
    memset(hash, 0, sizeof hash);
    for (int side = 0; side < SIDES; side++)
        hash_term(d, side, kind, name->term[side], &hash[side]);
    lex_arena_reset(&d->scratch);
    return memcmp(&hash[OLD], &hash[NEW], sizeof hash[OLD]) == 0;
}

/* ---- the tables ---- */

static struct lex_span make_unknown(struct domain *d, enum lex_kind kind, unsigned number)
{
    for (;; number += 2) {
        struct lex_span text = lex_arena_printf(&d->keep, "unknown-%u", number);
        if (lex_span_absent(text)) {
            d->failed = true;
            return LEX_SPAN("unknown");
        }
        if (lex_policy_resolve(d->policy[OLD], kind, text) == LEX_TERM_UNKNOWN &&
            lex_policy_resolve(d->policy[NEW], kind, text) == LEX_TERM_UNKNOWN)
            return text;
    }
}

/* Text that a condition compares a field of the request with may be a name. */
static void collect_constants(struct domain *d, struct collected *all)
{
    static const uint8_t fields[LEX_KIND_COUNT] = {[LEX_KIND_ACTOR] = LEX_REQUEST_FIELD_ACTOR,
                                                   [LEX_KIND_ACTION] =
                                                       LEX_REQUEST_FIELD_PROPOSED_ACTION,
                                                   [LEX_KIND_RESOURCE] = LEX_REQUEST_FIELD_RESOURCE,
                                                   [LEX_KIND_DATA] = LEX_REQUEST_FIELD_DATA_CLASSES,
                                                   [LEX_KIND_CONTEXT] = UINT8_MAX};
    for (int side = 0; side < SIDES; side++) {
        const struct lex_policy *policy = d->policy[side];
        for (size_t i = 0; i < policy->facts_count; i++)
            d->by_text[all->kind] =
                d->by_text[all->kind] || (policy->facts[i].source == LEX_FACT_REQUEST &&
                                          policy->facts[i].field == fields[all->kind]);
        for (size_t i = 0; d->by_text[all->kind] && i < policy->conditions_count; i++)
            for (uint32_t n = 0; n < policy->conditions[i].nodes_count; n++) {
                const struct lex_node *node = &policy->conditions[i].nodes[n];
                for (size_t k = 0; node->op == LEX_OP_IN && k < node->list.count; k++)
                    if (node->list.items[k].kind == LEX_OPERAND_STRING &&
                        lex_name_problem(node->list.items[k].text) == NULL)
                        collect(d, all, node->list.items[k].text);
                if (domain_has_b(node) && node->b.kind == LEX_OPERAND_STRING &&
                    lex_name_problem(node->b.text) == NULL)
                    collect(d, all, node->b.text);
            }
    }
}

static void build_kind(struct domain *d, enum lex_kind kind)
{
    struct collected all = {.kind = kind};
    struct domain_names *names = &d->names[kind];
    for (unsigned i = 0; i < 2; i++)
        d->unknown[kind][i] = make_unknown(d, kind, i);
    for (int side = 0; side < SIDES; side++) {
        const struct lex_names *table = &d->policy[side]->terms[kind].names;
        for (size_t i = 0; i < table->capacity; i++)
            if (!lex_span_absent(table->slots[i].text))
                collect(d, &all, table->slots[i].text);
    }
    collect_constants(d, &all);
    if (d->failed)
        return;
    if (all.count != 0)
        qsort_r(all.items, all.count, sizeof *all.items, by_meaning, &all.kind);
    names->items = domain_take(d, &d->keep, all.count + 1, sizeof(const struct domain_name *));
    struct domain_name *unknown = domain_take(d, &d->keep, 1, sizeof *unknown);
    if (names->items == NULL || unknown == NULL)
        return;
    d->same_kind[kind] = true;
    for (size_t i = 0; i < all.count; i++) {
        bool is_unknown = all.items[i].term[OLD] == LEX_TERM_UNKNOWN &&
                          all.items[i].term[NEW] == LEX_TERM_UNKNOWN;
        bool again =
            names->count != 0 && same_meaning(names->items[names->count - 1], &all.items[i]);
        if (!d->by_text[kind] && (is_unknown || again))
            continue;
        all.items[i].same = means_same(d, kind, &all.items[i]);
        d->same_kind[kind] = d->same_kind[kind] && all.items[i].same;
        names->items[names->count++] = &all.items[i];
    }
    *unknown =
        (struct domain_name){d->unknown[kind][0], {LEX_TERM_UNKNOWN, LEX_TERM_UNKNOWN}, true};
    names->items[names->count++] = unknown;
}

void domain_build_names(struct domain *d)
{
    static const enum lex_kind kinds[] = {LEX_KIND_ACTOR, LEX_KIND_ACTION, LEX_KIND_DATA,
                                          LEX_KIND_RESOURCE};
    for (size_t i = 0; i < LEX_COUNT_OF(kinds) && !d->failed; i++)
        build_kind(d, kinds[i]);
}

/* ---- names that are alike ---- */

struct domain_marks domain_marks_new(struct domain *d, struct lex_arena *arena, enum lex_kind kind)
{
    struct domain_marks marks;
    for (int side = 0; side < SIDES; side++)
        marks.on[side] = domain_take(d, arena, d->policy[side]->terms[kind].count, sizeof(bool));
    return marks;
}

struct signed_name {
    const struct domain_name *name;
    struct lex_hash hash;
    size_t order;
};

static int by_hash(const void *a, const void *b)
{
    const struct signed_name *x = a, *y = b;
    int order = memcmp(&x->hash, &y->hash, sizeof x->hash);
    return order != 0 ? order : (x->order > y->order) - (x->order < y->order);
}

static int by_number(const void *a, const void *b)
{
    const struct signed_name *x = a, *y = b;
    return (x->order > y->order) - (x->order < y->order);
}

static int by_id(const void *a, const void *b)
{
    const lex_term_id *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* The marked terms among some, in order. */
static void put_marked(struct lex_buf *buf, const struct lex_terms_above *terms, lex_term_id self,
                       const bool *on)
{
    size_t start = buf->len;
    if (on[self])
        lex_buf_put(buf, &self, sizeof self);
    for (size_t i = 0; i < terms->count; i++)
        if (on[terms->items[i]])
            lex_buf_put(buf, &terms->items[i], sizeof self);
    if (lex_buf_ok(buf) && buf->len != start)
        qsort(buf->data + start, (buf->len - start) / sizeof self, sizeof self, by_id);
    lex_buf_put(buf, &(lex_term_id){LEX_TERM_ANY}, sizeof self);
}

static void sign(struct domain *d, enum lex_kind kind, const struct domain_marks *marks,
                 const struct domain_name *name, struct lex_buf *buf, struct lex_hash *ret)
{
    lex_buf_clear(buf);
    for (int side = 0; side < SIDES; side++) {
        lex_term_id id = name->term[side];
        if (!domain_known(id)) {
            lex_buf_put(buf, &id, sizeof id);
            continue;
        }
        const struct lex_term *term = lex_policy_term(d->policy[side], kind, id);
        put_marked(buf, &term->above, id, marks->on[side]);
        if (kind == LEX_KIND_ACTION) {
            put_marked(buf, &term->granted, id, marks->on[side]);
            const uint32_t risk =
                term->risk_level; /* as wide as the ids that are sorted in place */
            lex_buf_put(buf, &risk, sizeof risk);
        }
    }
    if (d->by_text[kind])
        lex_buf_put_span(buf, name->text);
    struct lex_span bytes = lex_buf_span(buf);
    d->failed = d->failed || !lex_buf_ok(buf);
    lex_sha256(&bytes, 1, ret);
}

struct domain_names domain_collapse(struct domain *d, struct lex_arena *arena, enum lex_kind kind,
                                    const struct domain_marks *marks)
{
    const struct domain_names *all = &d->names[kind];
    struct domain_names kept = {NULL, 0};
    struct lex_buf buf;
    struct signed_name *items = domain_take(d, arena, all->count, sizeof *items);
    kept.items = domain_take(d, arena, all->count, sizeof(const struct domain_name *));
    if (d->failed)
        return (struct domain_names){NULL, 0};
    lex_buf_init(&buf, SIZE_MAX / 2);
    for (size_t i = 0; i < all->count; i++) {
        items[i].name = all->items[i];
        items[i].order = i;
        sign(d, kind, marks, all->items[i], &buf, &items[i].hash);
    }
    lex_buf_fini(&buf);
    qsort(items, all->count, sizeof *items, by_hash);
    size_t count = 0;
    for (size_t i = 0; i < all->count; i++)
        if (count == 0 || memcmp(&items[count - 1].hash, &items[i].hash, sizeof items->hash) != 0)
            items[count++] = items[i];
    qsort(items, count, sizeof *items, by_number);
    for (size_t i = 0; i < count; i++)
        kept.items[kept.count++] = items[i].name;
    return kept;
}
