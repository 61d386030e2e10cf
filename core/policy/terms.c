/* Terms: what a policy speaks about, declared or first named by a rule. */
#include <stdio.h>

#include "core/base/text.h"
#include "core/policy/load.h"

enum { LEVEL_ID, LEVEL_LOCAL, LEVEL_ALIAS, LEVEL_LABEL };
enum { COMPARISON = 32 }; /* what a comparison of two names costs, in looks at one */

static lex_words term_keys = {"term_id",     "id",       "term_type", "type",       "label", "name",
                              "description", "metadata", "member_of", "risk_level", NULL};
static lex_words id_keys = {"term_id", "id", NULL};
static lex_words type_keys = {"term_type", "type", NULL};
static lex_words label_keys = {"label", "name", NULL};
static lex_words member_keys = {"member_of", "metadata.member_of", NULL};
static lex_words risk_keys = {"risk_level", "metadata.risk_level", NULL};
static lex_words kind_types = {
#define LEX_KIND(name, type, list, prefix, alias) type,
#include "core/policy/kinds.def"
#undef LEX_KIND
    NULL};
static lex_words kind_lists = {
#define LEX_KIND(name, type, list, prefix, alias) list,
#include "core/policy/kinds.def"
#undef LEX_KIND
    NULL};

/* ---- one term ---- */

/* The id without its own kind's prefix. */
static LEX_STATUS local_of(struct lex_loader *loader, enum lex_kind kind, struct lex_span id,
                           size_t at, struct lex_span *ret_local)
{
    const char *problem = lex_name_problem(id);
    if (problem != NULL)
        return lex_load_fail(loader, LEX_REJECT, at,
                             "this name %s; a name is 1 to %d bytes of UTF-8 without control "
                             "characters",
                             problem, LEX_POLICY_NAME_MAX_BYTES);
    enum lex_kind prefixed = lex_kind_of_prefix(id);
    struct lex_kind_words words = lex_kind_words(kind);
    if (prefixed != LEX_KIND_COUNT && prefixed != kind)
        return lex_load_fail(loader, LEX_REJECT, at,
                             "\"%.*s\" has the prefix of another kind; here stands %s %.*s, "
                             "written \"%.*s...\" or without a prefix",
                             LEX_SPAN_FMT(id),
                             kind == LEX_KIND_ACTOR || kind == LEX_KIND_ACTION ? "an" : "a",
                             LEX_SPAN_FMT(words.type), LEX_SPAN_FMT(words.prefix));
    size_t skip = prefixed == kind ? words.prefix.len : 0;
    *ret_local = lex_span_of(id.data + skip, id.len - skip);
    if (ret_local->len == 0 || lex_span_eq(*ret_local, LEX_SPAN("*")))
        return lex_load_fail(loader, LEX_REJECT, at,
                             "\"%.*s\" is no name of a term; in a rule, \"*\" means any",
                             LEX_SPAN_FMT(id));
    return LEX_OK;
}

static LEX_STATUS canonical_of(struct lex_loader *loader, enum lex_kind kind, struct lex_span id,
                               struct lex_span local, struct lex_span *ret_canonical)
{
    if (local.len != id.len) {
        *ret_canonical = lex_load_keep(loader, id);
    } else {
        struct lex_span prefix = lex_kind_words(kind).prefix;
        *ret_canonical = lex_arena_printf(&loader->policy->arena, "%.*s%.*s", LEX_SPAN_FMT(prefix),
                                          LEX_SPAN_FMT(local));
    }
    return lex_span_absent(*ret_canonical) ? lex_load_no_memory(loader) : LEX_OK;
}

static LEX_STATUS name_term(struct lex_loader *loader, enum lex_kind kind, struct lex_span id,
                            size_t at, struct lex_term *ret_term)
{
    struct lex_term term = {.at = at, .document = loader->document};
    struct lex_span local;
    LEX_TRY(local_of(loader, kind, id, at, &local));
    LEX_TRY(canonical_of(loader, kind, id, local, &term.canonical));
    term.id = lex_load_keep(loader, id);
    if (lex_span_absent(term.id))
        return lex_load_no_memory(loader);
    *ret_term = term;
    return LEX_OK;
}

static LEX_STATUS add_term(struct lex_loader *loader, enum lex_kind kind, struct lex_term term,
                           lex_term_id *ret_term)
{
    struct lex_terms *terms = &loader->policy->terms[kind];
    void *items = terms->items;
    if (terms->count == LEX_POLICY_MAX_TERMS)
        return lex_load_fail(loader, LEX_LIMIT, term.at, "more than %d terms of the kind %.*s",
                             LEX_POLICY_MAX_TERMS, LEX_SPAN_FMT(lex_kind_words(kind).type));
    LEX_TRY(lex_load_grow(loader, &items, terms->count, &terms->capacity, sizeof term));
    terms->items = items;
    terms->items[terms->count] = term;
    *ret_term = (lex_term_id)terms->count++;
    return LEX_OK;
}

/* ---- the levels of names ---- */

static void lint_shared(struct lex_loader *loader, enum lex_kind kind, struct lex_span text,
                        const struct lex_name *winner, lex_term_id loser, bool poisoned)
{
    const struct lex_term *terms = loader->policy->terms[kind].items;
    const char *what = poisoned
                           ? "is ambiguous: a request that uses it is denied AMBIGUOUS_TERM; it "
                             "would mean"
                           : "is shadowed: it means";
    uint16_t here = loader->document;
    lex_load_enter(loader, terms[loser].document);
    lex_load_lint(loader, poisoned ? LEX_LINT_AMBIGUOUS_NAME : LEX_LINT_LABEL_SHADOWED,
                  terms[loser].at, "the name \"%.*s\" %s %.*s %s %.*s", LEX_SPAN_FMT(text), what,
                  LEX_SPAN_FMT(terms[winner->term].canonical), poisoned ? "or" : "and not",
                  LEX_SPAN_FMT(terms[loser].canonical));
    lex_load_enter(loader, here);
}

static LEX_STATUS twice(struct lex_loader *loader, enum lex_kind kind, struct lex_span text,
                        lex_term_id first, lex_term_id second)
{
    const struct lex_term *terms = loader->policy->terms[kind].items;
    const struct lex_policy_document *other = &loader->policy->documents[terms[first].document];
    unsigned line, column;
    lex_json_where(other->text, terms[first].at, &line, &column);
    lex_load_enter(loader, terms[second].document);
    return lex_load_fail(
        loader, LEX_REJECT, terms[second].at,
        "the term \"%.*s\" is declared twice, first at line %u column %u%s%s; rename or "
        "remove one of them",
        LEX_SPAN_FMT(text), line, column,
        terms[first].document == terms[second].document ? "" : " of ",
        terms[first].document == terms[second].document ? "" : other->source);
}

/* A rule's name was looked up among declared terms, a request's will be among all of them: a term
 * that only a rule names must not come between the two. */
static LEX_STATUS taken(struct lex_loader *loader, enum lex_kind kind, const struct lex_name *old,
                        lex_term_id term)
{
    const struct lex_term *terms = loader->policy->terms[kind].items;
    lex_load_enter(loader, terms[term].document);
    return lex_load_fail(
        loader, LEX_REJECT, terms[term].at,
        "the undeclared %.*s \"%.*s\" takes the name \"%.*s\": a request would mean %.*s by it, "
        "but this policy uses it for %.*s; declare %.*s in \"terms\", or write %.*s for what is "
        "meant",
        LEX_SPAN_FMT(lex_kind_words(kind).type), LEX_SPAN_FMT(terms[term].id),
        LEX_SPAN_FMT(old->text), LEX_SPAN_FMT(terms[term].canonical),
        LEX_SPAN_FMT(terms[old->term].canonical), LEX_SPAN_FMT(terms[term].canonical),
        LEX_SPAN_FMT(terms[old->term].canonical));
}

static LEX_STATUS put_name(struct lex_loader *loader, enum lex_kind kind, struct lex_span text,
                           uint8_t level, lex_term_id term)
{
    struct lex_names *names = &loader->policy->terms[kind].names;
    const struct lex_name *old = lex_names_find(names, text);
    struct lex_name name = {.term = term, .level = level};
    if (lex_name_problem(text) != NULL)
        return LEX_OK; /* a derived name over the ceiling: no request can use it */
    if (old != NULL && old->term == term && old->level <= level)
        return LEX_OK;
    if (old != NULL && old->term != term && old->level > level && old->used)
        return taken(loader, kind, old, term);
    if (old != NULL && old->term != term && old->level == level) {
        if (level == LEVEL_ID)
            return twice(loader, kind, text, old->term, term);
        lint_shared(loader, kind, text, old, term, true);
        name = *old;
        name.poisoned = true;
    } else if (old != NULL && old->level < level) {
        lint_shared(loader, kind, text, old, term, false);
        return LEX_OK;
    } else if (old != NULL && old->term != term) {
        lint_shared(loader, kind, text, &name, old->term, false);
    }
    return lex_names_put(names, text, name) == LEX_OK ? LEX_OK : lex_load_no_memory(loader);
}

static LEX_STATUS put_names(struct lex_loader *loader, enum lex_kind kind, lex_term_id id)
{
    struct lex_term term = *lex_policy_term(loader->policy, kind, id);
    struct lex_kind_words words = lex_kind_words(kind);
    struct lex_span local =
        lex_span_of(term.canonical.data + words.prefix.len, term.canonical.len - words.prefix.len);
    LEX_TRY(put_name(loader, kind, term.canonical, LEVEL_ID, id));
    LEX_TRY(put_name(loader, kind, term.id, LEVEL_ID, id));
    LEX_TRY(put_name(loader, kind, local, LEVEL_LOCAL, id));
    if (!lex_span_absent(words.alias)) {
        struct lex_span alias = lex_arena_printf(&loader->policy->arena, "%.*s%.*s",
                                                 LEX_SPAN_FMT(words.alias), LEX_SPAN_FMT(local));
        if (lex_span_absent(alias))
            return lex_load_no_memory(loader);
        LEX_TRY(put_name(loader, kind, alias, LEVEL_ALIAS, id));
    }
    return lex_span_absent(term.label) ? LEX_OK
                                       : put_name(loader, kind, term.label, LEVEL_LABEL, id);
}

/* ---- declarations ---- */

static bool same_span(struct lex_span a, struct lex_span b)
{
    return lex_span_absent(a) == lex_span_absent(b) && lex_span_eq(a, b);
}

/* The same term in two documents is one term, if they agree on what it is called; what makes it
 * more dangerous (a risk, being a machine) holds if either says so. */
static LEX_STATUS unite(struct lex_loader *loader, enum lex_kind kind, const struct lex_term *term,
                        lex_term_id known)
{
    struct lex_term *old = &loader->policy->terms[kind].items[known];
    if (!same_span(old->id, term->id) || !same_span(old->label, term->label))
        return lex_load_fail(loader, LEX_REJECT, term->at,
                             "the term \"%.*s\" has another id or label in %s; terms of several "
                             "documents unite only if these are equal",
                             LEX_SPAN_FMT(term->canonical),
                             loader->policy->documents[old->document].source);
    if (term->risk_level > old->risk_level)
        old->risk_level = term->risk_level;
    old->ai = old->ai || term->ai;
    return LEX_OK;
}

static LEX_STATUS read_label(struct lex_loader *loader, const struct lex_json *node,
                             struct lex_term *term)
{
    struct lex_span label;
    LEX_TRY(lex_load_text(loader, node, label_keys, &label));
    if (lex_span_absent(label) || label.len == 0)
        return LEX_OK;
    const char *problem = lex_name_problem(label);
    if (problem != NULL)
        return lex_load_fail(loader, LEX_REJECT, node->at,
                             "the label of \"%.*s\" %s; a label is a name: 1 to %d bytes of UTF-8 "
                             "without control characters",
                             LEX_SPAN_FMT(term->id), problem, LEX_POLICY_NAME_MAX_BYTES);
    term->label = label;
    return LEX_OK;
}

static LEX_STATUS read_risk(struct lex_loader *loader, const struct lex_json *node,
                            struct lex_term *term)
{
    const struct lex_json *risk;
    int64_t level = 0;
    LEX_TRY(lex_load_alias(loader, node, risk_keys, &risk));
    if (risk == NULL)
        return LEX_OK;
    if (risk->type != LEX_JSON_NUMBER || !risk->integer ||
        lex_json_int64(risk->text, &level) != LEX_OK || level < 1 || level > 5)
        return lex_load_fail(loader, LEX_REJECT, risk->at,
                             "\"risk_level\" must be a whole number from 1 to 5");
    term->risk_level = (uint8_t)level;
    return LEX_OK;
}

static bool is_ai(const struct lex_json *node, bool dict)
{
    const struct lex_json *inner = lex_json_get(lex_json_get(node, "metadata"), "type");
    const struct lex_json *outer = dict ? lex_json_get(node, "type") : NULL;
    return (lex_json_is(inner, LEX_JSON_STRING) && lex_span_eq(inner->text, LEX_SPAN("ai"))) ||
           (lex_json_is(outer, LEX_JSON_STRING) && lex_span_eq(outer->text, LEX_SPAN("ai")));
}

/* The term that another document has declared under this canonical name, LEX_TERM_UNKNOWN when
 * there is none. Twice in one document is the usual error, whatever others say. */
static LEX_STATUS elsewhere(struct lex_loader *loader, enum lex_kind kind,
                            const struct lex_term *term, lex_term_id *ret_term)
{
    const struct lex_terms *terms = &loader->policy->terms[kind];
    const struct lex_name *known = lex_names_find(&terms->names, term->canonical);
    const struct lex_name *last = lex_names_find(&loader->declared, term->canonical);
    bool here = last != NULL && last->term == loader->document;
    *ret_term = last == NULL || here || known == NULL ? LEX_TERM_UNKNOWN : known->term;
    if (here)
        return LEX_OK;
    struct lex_span name = lex_load_keep(loader, term->canonical);
    return lex_names_put(&loader->declared, name, (struct lex_name){.term = loader->document}) ==
                   LEX_OK
               ? LEX_OK
               : lex_load_no_memory(loader);
}

static LEX_STATUS declare(struct lex_loader *loader, enum lex_kind kind,
                          const struct lex_json *node, bool dict)
{
    const struct lex_json *id = node;
    struct lex_term term;
    lex_term_id number;
    if (node->type == LEX_JSON_OBJECT)
        LEX_TRY(lex_load_alias(loader, node, id_keys, &id));
    if (id == NULL)
        return lex_load_fail(loader, LEX_REJECT, node->at,
                             "this term has no id; expected \"term_id\" or \"id\"");
    LEX_TRY(lex_load_expect(loader, id, LEX_JSON_STRING, "a term's id"));
    LEX_TRY(name_term(loader, kind, id->text, id->at, &term));
    term.declared = true;
    if (node->type == LEX_JSON_OBJECT) {
        lex_load_lint_keys(loader, node, term_keys, "a term");
        LEX_TRY(read_label(loader, node, &term));
        LEX_TRY(read_risk(loader, node, &term));
        term.ai = kind == LEX_KIND_ACTOR && is_ai(node, dict);
    }
    number = LEX_TERM_UNKNOWN;
    if (loader->enforced > 1)
        LEX_TRY(elsewhere(loader, kind, &term, &number));
    if (number != LEX_TERM_UNKNOWN)
        return unite(loader, kind, &term, number);
    LEX_TRY(add_term(loader, kind, term, &number));
    return put_names(loader, kind, number);
}

static LEX_STATUS kind_of(struct lex_loader *loader, const struct lex_json *node,
                          enum lex_kind *ret_kind)
{
    const struct lex_json *type, *id;
    char suggestion[128];
    LEX_TRY(lex_load_expect(loader, node, LEX_JSON_OBJECT, "a term"));
    LEX_TRY(lex_load_alias(loader, node, type_keys, &type));
    LEX_TRY(lex_load_alias(loader, node, id_keys, &id));
    if (type == NULL) {
        *ret_kind =
            lex_json_is(id, LEX_JSON_STRING) ? lex_kind_of_prefix(id->text) : LEX_KIND_COUNT;
        if (*ret_kind != LEX_KIND_COUNT)
            return LEX_OK;
        return lex_load_fail(loader, LEX_REJECT, node->at,
                             "this term has no type; expected \"term_type\" or \"type\": actor, "
                             "action, data_class, resource or context");
    }
    LEX_TRY(lex_load_expect(loader, type, LEX_JSON_STRING, "a term's type"));
    int kind = lex_load_word(type->text, kind_types);
    if (kind < 0)
        return lex_load_fail(
            loader, LEX_REJECT, type->at,
            "unknown term type \"%.*s\"%s; expected actor, action, data_class, resource or context",
            LEX_SPAN_FMT(type->text),
            lex_load_suggest(type->text, kind_types, suggestion, sizeof suggestion));
    *ret_kind = (enum lex_kind)kind;
    return LEX_OK;
}

/* Call `visit` on every declaration, in the document's order. Members may refer to terms that are
 * declared later, so the document is walked twice. */
typedef LEX_STATUS visit_term(struct lex_loader *loader, enum lex_kind kind,
                              const struct lex_json *node, bool dict);

static LEX_STATUS each_of_dict(struct lex_loader *loader, const struct lex_json *terms,
                               visit_term *visit)
{
    LEX_TRY(lex_load_known_keys(loader, terms, kind_lists, "\"terms\""));
    for (const struct lex_json *list = terms->child; list != NULL; list = list->next) {
        enum lex_kind kind = (enum lex_kind)lex_load_word(list->key, kind_lists);
        LEX_TRY(lex_load_expect(loader, list, LEX_JSON_ARRAY, "a list of terms"));
        for (const struct lex_json *node = list->child; node != NULL; node = node->next) {
            if (node->type != LEX_JSON_STRING)
                LEX_TRY(lex_load_expect(loader, node, LEX_JSON_OBJECT, "a term"));
            LEX_TRY(visit(loader, kind, node, true));
        }
    }
    return LEX_OK;
}

static LEX_STATUS each_term(struct lex_loader *loader, visit_term *visit)
{
    const struct lex_json *terms = lex_json_get(loader->root, "terms");
    if (terms == NULL || terms->type == LEX_JSON_NULL)
        return LEX_OK;
    if (terms->type == LEX_JSON_OBJECT)
        return each_of_dict(loader, terms, visit);
    LEX_TRY(lex_load_expect(loader, terms, LEX_JSON_ARRAY, "\"terms\""));
    for (const struct lex_json *node = terms->child; node != NULL; node = node->next) {
        enum lex_kind kind;
        LEX_TRY(kind_of(loader, node, &kind));
        LEX_TRY(visit(loader, kind, node, false));
    }
    return LEX_OK;
}

/* ---- references ---- */

static struct lex_span without_prefix(enum lex_kind kind, struct lex_span name)
{
    size_t skip = lex_kind_of_prefix(name) == kind ? lex_kind_words(kind).prefix.len : 0;
    return lex_span_of(name.data + skip, name.len - skip);
}

/* The nearest declared term, for an undeclared name; LEX_TERM_UNKNOWN when none is near. The budget
 * keeps a large policy of undeclared names from costing its square. */
static lex_term_id nearest(struct lex_loader *loader, enum lex_kind kind, struct lex_span name)
{
    const struct lex_terms *terms = &loader->policy->terms[kind];
    struct lex_span wanted = without_prefix(kind, name);
    lex_term_id found = LEX_TERM_UNKNOWN;
    size_t best = 3;
    for (size_t i = 0; i < terms->count && loader->guesses_left != 0; i++) {
        struct lex_span local = without_prefix(kind, terms->items[i].canonical);
        loader->guesses_left--;
        if (!terms->items[i].declared || local.len > wanted.len + 2 || wanted.len > local.len + 2)
            continue;
        loader->guesses_left -= loader->guesses_left < COMPARISON ? 0 : COMPARISON;
        size_t distance = lex_edit_distance(wanted, local, 2);
        if (distance < best) {
            best = distance;
            found = (lex_term_id)i;
        }
    }
    return found;
}

static LEX_STATUS undeclared(struct lex_loader *loader, enum lex_kind kind, struct lex_span name,
                             size_t at)
{
    struct lex_span type = lex_kind_words(kind).type;
    char hint[LEX_POLICY_NAME_MAX_BYTES + 64] = "";
    lex_term_id near = nearest(loader, kind, name);
    if (near != LEX_TERM_UNKNOWN) {
        const struct lex_term *term = lex_policy_term(loader->policy, kind, near);
        (void)snprintf(hint, sizeof hint, "; did you mean \"%.*s\"?",
                       LEX_SPAN_FMT(term->canonical));
    }
    if (loader->policy->options.strict_terms)
        return lex_load_fail(loader, LEX_REJECT, at,
                             "the %.*s \"%.*s\" is not declared in \"terms\", which "
                             "\"strict_terms\" demands%s",
                             LEX_SPAN_FMT(type), LEX_SPAN_FMT(name), hint);
    lex_load_lint(loader,
                  near != LEX_TERM_UNKNOWN ? LEX_LINT_DID_YOU_MEAN : LEX_LINT_UNDECLARED_TERM, at,
                  "the %.*s \"%.*s\" is not declared in \"terms\"%s", LEX_SPAN_FMT(type),
                  LEX_SPAN_FMT(name), hint);
    return LEX_OK;
}

/* Undeclared names meet in a table of their own: were they entered among the declared ones at once,
 * what a name means would depend on the order of the rules. */
static LEX_STATUS create(struct lex_loader *loader, enum lex_kind kind, struct lex_span name,
                         size_t at, lex_term_id *ret_term)
{
    struct lex_span local, canonical;
    LEX_TRY(local_of(loader, kind, name, at, &local));
    LEX_TRY(canonical_of(loader, kind, name, local, &canonical));
    const struct lex_name *known = lex_names_find(&loader->created[kind], canonical);
    if (known != NULL) {
        *ret_term = known->term;
        return LEX_OK;
    }
    struct lex_term term;
    LEX_TRY(undeclared(loader, kind, name, at));
    LEX_TRY(name_term(loader, kind, name, at, &term));
    LEX_TRY(add_term(loader, kind, term, ret_term));
    struct lex_span kept = lex_policy_term(loader->policy, kind, *ret_term)->canonical;
    return lex_names_put(&loader->created[kind], kept, (struct lex_name){.term = *ret_term}) ==
                   LEX_OK
               ? LEX_OK
               : lex_load_no_memory(loader);
}

static void mark_used(struct lex_names *names, struct lex_span text)
{
    const struct lex_name *found = lex_names_find(names, text);
    if (found != NULL)
        names->slots[found - names->slots].used = true;
}

static LEX_STATUS find_ref(struct lex_loader *loader, enum lex_kind kind, struct lex_span name,
                           size_t at, lex_term_id *ret_term)
{
    lex_term_id found = lex_policy_resolve(loader->policy, kind, name);
    if (found == LEX_TERM_AMBIGUOUS)
        return lex_load_fail(loader, LEX_REJECT, at,
                             "the name \"%.*s\" means more than one %.*s; write the term's id",
                             LEX_SPAN_FMT(name), LEX_SPAN_FMT(lex_kind_words(kind).type));
    if (found == LEX_TERM_UNKNOWN)
        LEX_TRY(create(loader, kind, name, at, &found));
    else
        mark_used(&loader->policy->terms[kind].names, name);
    *ret_term = found;
    return LEX_OK;
}

LEX_STATUS lex_load_ref(struct lex_loader *loader, enum lex_kind kind, struct lex_span name,
                        size_t at, lex_term_id *ret_term)
{
    LEX_TRY(find_ref(loader, kind, name, at, ret_term));
    loader->policy->terms[kind].items[*ret_term].used = true;
    return LEX_OK;
}

/* ---- membership ---- */

static LEX_STATUS member_of(struct lex_loader *loader, enum lex_kind kind, lex_term_id term,
                            const struct lex_json *group)
{
    lex_term_id target;
    LEX_TRY(lex_load_expect(loader, group, LEX_JSON_STRING, "a name in \"member_of\""));
    LEX_TRY(find_ref(loader, kind, group->text, group->at, &target)); /* that is no use of it */
    return lex_load_edge(
        loader, kind,
        (struct lex_edge){.from = term, .to = target, .at = group->at, .member = true});
}

static LEX_STATUS read_membership(struct lex_loader *loader, enum lex_kind kind,
                                  const struct lex_json *node, bool dict)
{
    const struct lex_json *id, *groups;
    (void)dict;
    if (node->type != LEX_JSON_OBJECT)
        return LEX_OK;
    LEX_TRY(lex_load_alias(loader, node, member_keys, &groups));
    if (groups == NULL)
        return LEX_OK;
    LEX_TRY(lex_load_alias(loader, node, id_keys, &id));
    lex_term_id term = lex_policy_resolve(loader->policy, kind, id->text);
    LEX_ASSERT(term < loader->policy->terms[kind].count);
    if (groups->type == LEX_JSON_STRING)
        return member_of(loader, kind, term, groups);
    LEX_TRY(lex_load_expect(loader, groups, LEX_JSON_ARRAY, "\"member_of\""));
    for (const struct lex_json *group = groups->child; group != NULL; group = group->next)
        LEX_TRY(member_of(loader, kind, term, group));
    return LEX_OK;
}

LEX_STATUS lex_load_terms(struct lex_loader *loader)
{
    for (size_t i = 0; i < loader->enforced; i++) {
        lex_load_enter(loader, i);
        LEX_TRY(each_term(loader, declare));
    }
    for (size_t i = 0; i < loader->enforced; i++) {
        lex_load_enter(loader, i);
        LEX_TRY(each_term(loader, read_membership));
    }
    return LEX_OK;
}

LEX_STATUS lex_load_edge(struct lex_loader *loader, enum lex_kind kind, struct lex_edge edge)
{
    void *items = loader->edges[kind];
    LEX_TRY(lex_load_grow(loader, &items, loader->edges_count[kind], &loader->edges_capacity[kind],
                          sizeof(struct lex_edge)));
    edge.document = loader->document;
    loader->edges[kind] = items;
    loader->edges[kind][loader->edges_count[kind]++] = edge;
    return LEX_OK;
}

LEX_STATUS lex_load_finish_terms(struct lex_loader *loader)
{
    for (unsigned kind = 0; kind < LEX_KIND_COUNT; kind++)
        for (size_t i = 0; i < loader->policy->terms[kind].count; i++)
            if (!loader->policy->terms[kind].items[i].declared)
                LEX_TRY(put_names(loader, kind, (lex_term_id)i));
    for (unsigned kind = 0; kind < LEX_KIND_COUNT; kind++)
        loader->policy->info.terms += loader->policy->terms[kind].count;
    return LEX_OK;
}
