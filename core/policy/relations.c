/* Relations: permits, forbids, requires, implies, conflicts, in both document forms. */
#include <stdlib.h>

#include "core/policy/load.h"

static lex_words verbs = {
#define LEX_VERB(name, word) word,
#include "core/policy/verbs.def"
#undef LEX_VERB
    NULL};

/* ---- members ---- */

/* What a relation may say, whatever the key. */
enum slot {
    SLOT_RELATION_ID,
    SLOT_ID,
    SLOT_TYPE,
    SLOT_SUBJECT,
    SLOT_ACTION,
    SLOT_OBJECT,
    SLOT_RESOURCE,
    SLOT_CONDITION,
    SLOT_CONDITIONS,
    SLOT_REASON,
    SLOT_SCOPE,
    SLOT_WINDOW,
    SLOT_GRANTS,
    SLOT_METADATA,
    SLOT_INNER_CONDITION,
    SLOT_COUNT
};

static const struct {
    struct lex_span key;
    enum slot slot;
} keys[] = {
    {LEX_SPAN_INIT("relation_id"), SLOT_RELATION_ID}, {LEX_SPAN_INIT("id"), SLOT_ID},
    {LEX_SPAN_INIT("relation_type"), SLOT_TYPE},      {LEX_SPAN_INIT("type"), SLOT_TYPE},
    {LEX_SPAN_INIT("source"), SLOT_SUBJECT},          {LEX_SPAN_INIT("subject"), SLOT_SUBJECT},
    {LEX_SPAN_INIT("actor"), SLOT_SUBJECT},           {LEX_SPAN_INIT("target"), SLOT_ACTION},
    {LEX_SPAN_INIT("action"), SLOT_ACTION},           {LEX_SPAN_INIT("object"), SLOT_OBJECT},
    {LEX_SPAN_INIT("data_class"), SLOT_OBJECT},       {LEX_SPAN_INIT("data_classes"), SLOT_OBJECT},
    {LEX_SPAN_INIT("resource"), SLOT_RESOURCE},       {LEX_SPAN_INIT("condition"), SLOT_CONDITION},
    {LEX_SPAN_INIT("conditions"), SLOT_CONDITIONS},   {LEX_SPAN_INIT("justification"), SLOT_REASON},
    {LEX_SPAN_INIT("reason"), SLOT_REASON},           {LEX_SPAN_INIT("scope"), SLOT_SCOPE},
    {LEX_SPAN_INIT("window"), SLOT_WINDOW},           {LEX_SPAN_INIT("grants"), SLOT_GRANTS},
    {LEX_SPAN_INIT("metadata"), SLOT_METADATA},
};
static lex_words rule_keys = {
    "relation_id",   "id",           "relation_type", "type",      "source",
    "subject",       "actor",        "target",        "action",    "object",
    "data_class",    "data_classes", "resource",      "condition", "conditions",
    "justification", "reason",       "metadata",      NULL};
static lex_words pair_keys = {"relation_id",   "id",      "relation_type", "type",
                              "source",        "subject", "actor",         "target",
                              "action",        "scope",   "window",        "grants",
                              "justification", "reason",  "metadata",      NULL};
/* Of slots that have several names: where two are used, they must agree. */
static const char *const *const aliases[SLOT_COUNT] = {
    [SLOT_TYPE] = (lex_words){"relation_type", "type", NULL},
    [SLOT_SUBJECT] = (lex_words){"source", "subject", "actor", NULL},
    [SLOT_ACTION] = (lex_words){"target", "action", NULL},
    [SLOT_OBJECT] = (lex_words){"object", "data_class", "data_classes", "metadata.object", NULL},
    [SLOT_REASON] = (lex_words){"justification", "reason", "metadata.justification", NULL},
    [SLOT_INNER_CONDITION] = (lex_words){"metadata.condition", NULL},
};

/* A relation, its members sorted into slots in one walk: there may be a million of them. */
struct relation {
    const struct lex_json *node;
    const struct lex_json *slots[SLOT_COUNT]; /* NULL: not there, or null */
    uint32_t written;                         /* slots whose keys stand there at all: bits */
    bool unknown;                             /* some key is none of ours */
};

static int slot_of(struct lex_span key)
{
    for (size_t i = 0; i < LEX_COUNT_OF(keys); i++)
        if (keys[i].key.len == key.len && memcmp(keys[i].key.data, key.data, key.len) == 0)
            return (int)keys[i].slot;
    return -1;
}

static LEX_STATUS read_metadata(struct lex_loader *loader, const struct lex_json *metadata,
                                uint32_t *twice)
{
    if (metadata == NULL)
        return LEX_OK;
    LEX_TRY(lex_load_expect(loader, metadata, LEX_JSON_OBJECT, "\"metadata\""));
    *twice |= 1u << SLOT_OBJECT | 1u << SLOT_REASON | 1u << SLOT_INNER_CONDITION;
    return LEX_OK;
}

static LEX_STATUS read_members(struct lex_loader *loader, const struct lex_json *node,
                               struct relation *ret)
{
    uint32_t twice = 0;
    *ret = (struct relation){.node = node};
    for (const struct lex_json *member = node->child; member != NULL; member = member->next) {
        int slot = slot_of(member->key);
        if (slot < 0) {
            ret->unknown = true;
            continue;
        }
        ret->written |= 1u << slot;
        if (member->type == LEX_JSON_NULL)
            continue;
        if (ret->slots[slot] != NULL)
            twice |= 1u << slot;
        ret->slots[slot] = member;
    }
    LEX_TRY(read_metadata(loader, ret->slots[SLOT_METADATA], &twice));
    for (unsigned slot = 0; twice >> slot != 0; slot++)
        if ((twice >> slot & 1) != 0)
            LEX_TRY(lex_load_alias(loader, node, aliases[slot], &ret->slots[slot]));
    return LEX_OK;
}

/* Refuse keys that this kind of relation has no meaning for. */
static LEX_STATUS check_keys(struct lex_loader *loader, const struct relation *relation,
                             uint32_t foreign, const char *const *known, const char *what)
{
    if (!relation->unknown && (relation->written & foreign) == 0)
        return LEX_OK;
    return lex_load_known_keys(loader, relation->node, known, what);
}

static LEX_STATUS text_of(struct lex_loader *loader, const struct lex_json *node, const char *what,
                          struct lex_span *ret_text)
{
    *ret_text = (struct lex_span){NULL, 0};
    if (node == NULL)
        return LEX_OK;
    LEX_TRY(lex_load_expect(loader, node, LEX_JSON_STRING, what));
    *ret_text = lex_load_keep(loader, node->text);
    return lex_span_absent(*ret_text) ? lex_load_no_memory(loader) : LEX_OK;
}

static LEX_STATUS read_id(struct lex_loader *loader, const struct relation *relation,
                          const char *verb, size_t index, struct lex_span *ret_id)
{
    const struct lex_json *given = relation->slots[SLOT_RELATION_ID];
    struct lex_span id;
    LEX_TRY(text_of(loader, given, "\"relation_id\"", &id));
    if (given == NULL)
        LEX_TRY(text_of(loader, relation->slots[SLOT_ID], "\"id\"", &id));
    if (lex_span_absent(id))
        id = lex_arena_printf(&loader->policy->arena, "%s:%zu", verb, index);
    if (lex_span_absent(id))
        return lex_load_no_memory(loader);
    return lex_load_own_id(loader, id, relation->node->at, ret_id);
}

/* ---- endpoints ---- */

/* Subject or action: a name, or "*"; `required` says that silence is no "*". */
static LEX_STATUS read_endpoint(struct lex_loader *loader, enum lex_kind kind,
                                const struct lex_json *node, const struct lex_json *rule,
                                bool required, lex_term_id *ret_term)
{
    const char *what = kind == LEX_KIND_ACTOR ? "subject" : "action";
    *ret_term = LEX_TERM_ANY;
    if (node == NULL && required)
        return lex_load_fail(loader, LEX_REJECT, rule->at,
                             "this permit has no %s; write one, or \"*\" for any", what);
    if (node == NULL)
        return LEX_OK;
    LEX_TRY(lex_load_expect(loader, node, LEX_JSON_STRING, what));
    if (lex_span_eq(node->text, LEX_SPAN("*")))
        return LEX_OK;
    return lex_load_ref(loader, kind, node->text, node->at, ret_term);
}

static int by_number(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* The numbers from `start` on, each once; returns how many. */
static size_t sort_unique(struct lex_loader *loader, size_t start)
{
    size_t count = loader->list_count - start, kept = 0;
    if (count == 0)
        return 0;
    uint32_t *list = loader->list + start;
    if (count > 1)
        qsort(list, count, sizeof *list, by_number);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || list[i] != list[i - 1])
            list[kept++] = list[i];
    loader->list_count = start + kept;
    return kept;
}

static LEX_STATUS over_list(struct lex_loader *loader, const struct lex_json *node,
                            const char *what)
{
    return lex_load_fail(loader, LEX_LIMIT, node->at,
                         "one rule may name %d %s at most; make two rules of it", LEX_RULE_LIST_MAX,
                         what);
}

/* Object or resource: a name or a list of them; none or "*" is any, which is no terms at all. They
 * go to loader->list. */
static LEX_STATUS read_objects(struct lex_loader *loader, enum lex_kind kind,
                               const struct lex_json *node, uint16_t *ret_count)
{
    const char *what = kind == LEX_KIND_DATA ? "data classes" : "resources";
    const struct lex_json *item = node;
    size_t start = loader->list_count;
    bool list = lex_json_is(node, LEX_JSON_ARRAY), any = false;
    lex_term_id term;
    if (node == NULL)
        return LEX_OK;
    if (list && node->count == 0)
        return lex_load_fail(
            loader, LEX_REJECT, node->at,
            "an empty list names nothing; leave the key out, or write \"*\" for any");
    for (item = list ? node->child : node; item != NULL; item = list ? item->next : NULL) {
        LEX_TRY(lex_load_expect(loader, item, LEX_JSON_STRING,
                                kind == LEX_KIND_DATA ? "a data class" : "a resource"));
        any = any || lex_span_eq(item->text, LEX_SPAN("*"));
        if (lex_span_eq(item->text, LEX_SPAN("*")))
            continue;
        LEX_TRY(lex_load_ref(loader, kind, item->text, item->at, &term));
        LEX_TRY(lex_load_list_put(loader, term));
    }
    loader->list_count = any ? start : loader->list_count;
    size_t count = sort_unique(loader, start);
    if (count > LEX_RULE_LIST_MAX)
        return over_list(loader, node, what);
    *ret_count = (uint16_t)count;
    return LEX_OK;
}

/* ---- permits, forbids, requires ---- */

static bool names_condition(const struct lex_json *target)
{
    static const char prefix[] = "condition:";
    return lex_json_is(target, LEX_JSON_STRING) && target->text.len > sizeof prefix - 1 &&
           memcmp(target->text.data, prefix, sizeof prefix - 1) == 0;
}

/* A long-form requires says {source: action, target: "condition:NAME"}; everything else says
 * {source: actor, target: action}. */
static LEX_STATUS read_positions(struct lex_loader *loader, const struct relation *relation,
                                 struct lex_rule *rule, struct lex_json *ret_condition)
{
    const struct lex_json *node = relation->node, *subject = relation->slots[SLOT_SUBJECT],
                          *action = relation->slots[SLOT_ACTION];
    bool required = rule->verb == LEX_VERB_PERMITS;
    if (rule->verb == LEX_VERB_REQUIRES && names_condition(action)) {
        *ret_condition = *action;
        ret_condition->next = NULL;
        ret_condition->text = lex_span_of(action->text.data + strlen("condition:"),
                                          action->text.len - strlen("condition:"));
        action = subject;
        subject = NULL;
    }
    LEX_TRY(read_endpoint(loader, LEX_KIND_ACTOR, subject, node, required, &rule->actor));
    LEX_TRY(read_endpoint(loader, LEX_KIND_ACTION, action, node, required, &rule->action));
    LEX_TRY(
        read_objects(loader, LEX_KIND_DATA, relation->slots[SLOT_OBJECT], &rule->objects_count));
    return read_objects(loader, LEX_KIND_RESOURCE, relation->slots[SLOT_RESOURCE],
                        &rule->resources_count);
}

static LEX_STATUS read_rule_conditions(struct lex_loader *loader, const struct relation *relation,
                                       const struct lex_json *named, struct lex_rule *rule)
{
    const struct lex_json *nodes[] = {
        relation->slots[SLOT_CONDITION], relation->slots[SLOT_CONDITIONS],
        relation->slots[SLOT_INNER_CONDITION], named->type == LEX_JSON_STRING ? named : NULL};
    size_t start = loader->list_count;
    LEX_TRY(lex_load_conditions(
        loader, rule->verb == LEX_VERB_FORBIDS ? LEX_PLACE_RESTRICTION : LEX_PLACE_GRANT, nodes,
        LEX_COUNT_OF(nodes)));
    size_t count = loader->list_count - start;
    if (count > LEX_RULE_LIST_MAX)
        return over_list(loader, relation->node, "conditions");
    rule->conditions_count = (uint16_t)count;
    if (rule->verb == LEX_VERB_REQUIRES && count == 0)
        return lex_load_fail(loader, LEX_REJECT, relation->node->at,
                             "this requires has no condition; write what is required in "
                             "\"condition\"");
    return LEX_OK;
}

static struct lex_span lead_of(enum lex_verb verb)
{
    if (verb == LEX_VERB_PERMITS)
        return LEX_SPAN("Permitted: ");
    return verb == LEX_VERB_FORBIDS ? LEX_SPAN("Denied: ") : LEX_SPAN("");
}

struct lex_span lex_rule_justification(const struct lex_rule *rule)
{
    if (lex_span_absent(rule->said))
        return rule->said;
    size_t lead = lead_of(rule->verb).len;
    return lex_span_of(rule->said.data + lead, rule->said.len - lead);
}

/* The lead stands before the justification once and for all, so that a decision only points at it.
 */
static LEX_STATUS read_said(struct lex_loader *loader, const struct relation *relation,
                            struct lex_rule *rule)
{
    struct lex_span lead = lead_of(rule->verb), reason;
    LEX_TRY(text_of(loader, relation->slots[SLOT_REASON], "\"justification\"", &reason));
    if (lex_span_absent(reason) || reason.len == 0)
        return LEX_OK;
    uint8_t *said = lex_arena_alloc(&loader->policy->arena, lead.len + reason.len);
    if (said == NULL)
        return lex_load_no_memory(loader);
    memcpy(said, lead.data, lead.len);
    memcpy(said + lead.len, reason.data, reason.len);
    rule->said = lex_span_of(said, lead.len + reason.len);
    return LEX_OK;
}

/* Rules with the same lists, as most of a large policy has, share one copy: it stays near. */
static LEX_STATUS keep_lists(struct lex_loader *loader, struct lex_rule *rule)
{
    static const uint32_t none[1];
    struct lex_span bytes = lex_span_of(loader->list, loader->list_count * sizeof *loader->list);
    rule->lists = none;
    if (bytes.len == 0)
        return LEX_OK;
    const struct lex_name *known = lex_names_find(&loader->known_lists, bytes);
    if (known != NULL) {
        rule->lists = (const uint32_t *)(const void *)known->text.data;
        return LEX_OK;
    }
    bytes = lex_arena_dup(&loader->policy->arena, bytes);
    if (lex_span_absent(bytes) ||
        lex_names_put(&loader->known_lists, bytes, (struct lex_name){.term = 0}) != LEX_OK)
        return lex_load_no_memory(loader);
    rule->lists = (const uint32_t *)(const void *)bytes.data;
    return LEX_OK;
}

static LEX_STATUS read_rule(struct lex_loader *loader, enum lex_verb verb,
                            const struct relation *relation, size_t index)
{
    static const uint32_t foreign = 1u << SLOT_SCOPE | 1u << SLOT_WINDOW | 1u << SLOT_GRANTS;
    struct lex_policy *policy = loader->policy;
    struct lex_rule rule = {.verb = (uint8_t)verb,
                            .at = (uint32_t)relation->node->at,
                            .document = (uint8_t)loader->document,
                            .order = (uint32_t)policy->rules_count & INT32_MAX};
    struct lex_json named = {0};
    loader->list_count = 0;
    loader->rule_number++;
    LEX_TRY(check_keys(loader, relation, foreign, rule_keys, "a relation"));
    LEX_TRY(read_id(loader, relation, verbs[verb], index, &rule.id));
    LEX_TRY(read_said(loader, relation, &rule));
    LEX_TRY(read_positions(loader, relation, &rule, &named));
    LEX_TRY(read_rule_conditions(loader, relation, &named, &rule));
    LEX_TRY(keep_lists(loader, &rule));
    policy->rules[policy->rules_count++] = rule;
    return LEX_OK;
}

/* ---- implies, conflicts ---- */

static LEX_STATUS kind_of_name(struct lex_loader *loader, const struct lex_json *name,
                               enum lex_kind *ret_kind)
{
    unsigned found = 0;
    *ret_kind = lex_kind_of_prefix(name->text);
    if (*ret_kind != LEX_KIND_COUNT)
        return LEX_OK;
    for (unsigned kind = 0; kind < LEX_KIND_COUNT; kind++)
        if (lex_policy_resolve(loader->policy, kind, name->text) != LEX_TERM_UNKNOWN) {
            *ret_kind = kind;
            found++;
        }
    if (found == 1)
        return LEX_OK;
    return lex_load_fail(loader, LEX_REJECT, name->at,
                         "cannot tell what kind of term \"%.*s\" is; write it with its prefix "
                         "(actor:, action:, data:, resource:)",
                         LEX_SPAN_FMT(name->text));
}

struct pair {
    enum lex_kind kind;
    lex_term_id a, b;
};

static LEX_STATUS check_pair_keys(struct lex_loader *loader, const struct relation *relation)
{
    static const uint32_t foreign =
        1u << SLOT_OBJECT | 1u << SLOT_RESOURCE | 1u << SLOT_CONDITION | 1u << SLOT_CONDITIONS;
    static const char what[] = "an implies or conflicts (which has two terms, and neither object "
                               "nor condition)";
    const struct lex_json *inner = relation->slots[SLOT_INNER_CONDITION];
    LEX_TRY(check_keys(loader, relation, foreign, pair_keys, what));
    inner = inner == NULL ? relation->slots[SLOT_OBJECT] : inner;
    return inner == NULL
               ? LEX_OK
               : lex_load_fail(loader, LEX_REJECT, inner->key_at, "\"%.*s\" has no meaning in %s",
                               LEX_SPAN_FMT(inner->key), what);
}

static LEX_STATUS read_side(struct lex_loader *loader, const char *verb,
                            const struct lex_json *name, enum lex_kind *ret_kind)
{
    LEX_TRY(lex_load_expect(loader, name, LEX_JSON_STRING, "a term's name"));
    if (lex_span_eq(name->text, LEX_SPAN("*")))
        return lex_load_fail(loader, LEX_REJECT, name->at, "\"*\" cannot stand in %s; name a term",
                             verb);
    return kind_of_name(loader, name, ret_kind);
}

static LEX_STATUS read_pair(struct lex_loader *loader, const char *verb,
                            const struct relation *relation, struct pair *ret_pair)
{
    const struct lex_json *a = relation->slots[SLOT_SUBJECT], *b = relation->slots[SLOT_ACTION];
    enum lex_kind kind_a, kind_b;
    LEX_TRY(check_pair_keys(loader, relation));
    if (a == NULL || b == NULL)
        return lex_load_fail(loader, LEX_REJECT, relation->node->at, "this %s lacks its \"%s\"",
                             verb, a == NULL ? "source" : "target");
    LEX_TRY(read_side(loader, verb, a, &kind_a));
    LEX_TRY(read_side(loader, verb, b, &kind_b));
    if (kind_a != kind_b)
        return lex_load_fail(loader, LEX_REJECT, b->at, "both sides of %s must be of one kind",
                             verb);
    ret_pair->kind = kind_a;
    LEX_TRY(lex_load_ref(loader, kind_a, a->text, a->at, &ret_pair->a));
    return lex_load_ref(loader, kind_a, b->text, b->at, &ret_pair->b);
}

static LEX_STATUS refuse_slot(struct lex_loader *loader, const struct relation *relation,
                              enum slot slot, const char *where)
{
    const struct lex_json *found = relation->slots[slot];
    return found == NULL ? LEX_OK
                         : lex_load_fail(loader, LEX_REJECT, found->key_at,
                                         "\"%.*s\" has a meaning only in %s",
                                         LEX_SPAN_FMT(found->key), where);
}

static LEX_STATUS read_implies(struct lex_loader *loader, const struct relation *relation)
{
    const struct lex_json *grants = relation->slots[SLOT_GRANTS];
    struct pair pair;
    LEX_TRY(read_pair(loader, "implies", relation, &pair));
    LEX_TRY(refuse_slot(loader, relation, SLOT_SCOPE, "conflicts"));
    LEX_TRY(refuse_slot(loader, relation, SLOT_WINDOW, "conflicts"));
    if (grants != NULL)
        LEX_TRY(lex_load_expect(loader, grants, LEX_JSON_BOOL, "\"grants\""));
    if (pair.kind != LEX_KIND_ACTION)
        LEX_TRY(refuse_slot(loader, relation, SLOT_GRANTS, "an implies between actions"));
    if (pair.kind == LEX_KIND_CONTEXT)
        return lex_load_fail(loader, LEX_REJECT, relation->node->at,
                             "implies stands between actors, actions, data classes or resources");
    return lex_load_edge(loader, pair.kind,
                         (struct lex_edge){.from = pair.a,
                                           .to = pair.b,
                                           .at = relation->node->at,
                                           .member = pair.kind != LEX_KIND_ACTION,
                                           .grants = grants != NULL && grants->boolean});
}

static LEX_STATUS read_scope(struct lex_loader *loader, const struct relation *relation,
                             struct lex_conflict *conflict)
{
    static lex_words scopes = {"global", "resource", "session", NULL};
    struct lex_span scope;
    int64_t window_s;
    LEX_TRY(text_of(loader, relation->slots[SLOT_SCOPE], "\"scope\"", &scope));
    LEX_TRY(lex_load_duration(loader, relation->node, "window", false, LEX_RATE_WINDOW_MAX_S,
                              &window_s));
    int index = lex_span_absent(scope) ? LEX_SCOPE_GLOBAL : lex_load_word(scope, scopes);
    if (index < 0)
        return lex_load_fail(loader, LEX_REJECT, relation->slots[SLOT_SCOPE]->at,
                             "\"scope\" must be session, resource or global");
    if (window_s > LEX_RATE_WINDOW_MAX_S)
        return lex_load_fail(loader, LEX_REJECT, relation->slots[SLOT_WINDOW]->at,
                             "\"window\" may be one hour at most, as far as a partition's history "
                             "reaches back");
    conflict->scope = (enum lex_scope)index;
    conflict->window_s = (uint32_t)window_s;
    if (conflict->kind == LEX_KIND_ACTION)
        return LEX_OK;
    LEX_TRY(refuse_slot(loader, relation, SLOT_SCOPE, "conflicts between actions"));
    return refuse_slot(loader, relation, SLOT_WINDOW, "conflicts between actions");
}

static LEX_STATUS read_conflict(struct lex_loader *loader, const struct relation *relation,
                                size_t index)
{
    size_t at = relation->node->at;
    struct lex_conflict conflict = {.at = at, .document = loader->document};
    struct pair pair;
    LEX_TRY(read_id(loader, relation, "conflicts", index, &conflict.id));
    LEX_TRY(text_of(loader, relation->slots[SLOT_REASON], "\"justification\"",
                    &conflict.justification));
    LEX_TRY(read_pair(loader, "conflicts", relation, &pair));
    LEX_TRY(refuse_slot(loader, relation, SLOT_GRANTS, "implies"));
    if (pair.kind == LEX_KIND_RESOURCE || pair.kind == LEX_KIND_CONTEXT)
        return lex_load_fail(loader, LEX_REJECT, at,
                             "conflicts stands between roles, actions or data classes");
    if (pair.a == pair.b)
        return lex_load_fail(loader, LEX_REJECT, at, "a term cannot conflict with itself");
    conflict.kind = pair.kind;
    conflict.a = pair.a;
    conflict.b = pair.b;
    LEX_TRY(read_scope(loader, relation, &conflict));
    loader->policy->conflicts[loader->policy->conflicts_count++] = conflict;
    return LEX_OK;
}

/* ---- both forms ---- */

static LEX_STATUS read_relation(struct lex_loader *loader, enum lex_verb verb,
                                const struct relation *relation, size_t index)
{
    if (verb == LEX_VERB_IMPLIES)
        return read_implies(loader, relation);
    if (verb == LEX_VERB_CONFLICTS)
        return read_conflict(loader, relation, index);
    return read_rule(loader, verb, relation, index);
}

/* The verb that a relation names, or that of the list it stands in (LEX_VERB_COUNT: in none). */
static LEX_STATUS verb_of(struct lex_loader *loader, const struct relation *relation,
                          enum lex_verb listed, enum lex_verb *ret_verb)
{
    const struct lex_json *type = relation->slots[SLOT_TYPE];
    char suggestion[128];
    *ret_verb = listed;
    if (type == NULL && listed == LEX_VERB_COUNT)
        return lex_load_fail(loader, LEX_REJECT, relation->node->at,
                             "this relation has no type; expected \"relation_type\" or \"type\"");
    if (type == NULL)
        return LEX_OK;
    LEX_TRY(lex_load_expect(loader, type, LEX_JSON_STRING, "a relation's type"));
    int verb = lex_load_word(type->text, verbs);
    if (verb < 0)
        return lex_load_fail(
            loader, LEX_REJECT, type->at,
            "unknown relation type \"%.*s\"%s; expected permits, forbids, requires, "
            "implies or conflicts",
            LEX_SPAN_FMT(type->text),
            lex_load_suggest(type->text, verbs, suggestion, sizeof suggestion));
    if (listed != LEX_VERB_COUNT && (int)listed != verb)
        return lex_load_fail(loader, LEX_REJECT, relation->node->at,
                             "this relation says \"%s\" in the list of \"%s\"", verbs[verb],
                             verbs[listed]);
    *ret_verb = (enum lex_verb)verb;
    return LEX_OK;
}

static LEX_STATUS read_list(struct lex_loader *loader, const struct lex_json *list,
                            enum lex_verb listed)
{
    size_t index = 0;
    LEX_TRY(lex_load_expect(loader, list, LEX_JSON_ARRAY, "a list of relations"));
    for (const struct lex_json *node = list->child; node != NULL; node = node->next, index++) {
        struct relation relation;
        enum lex_verb verb = LEX_VERB_COUNT;
        LEX_TRY(lex_load_expect(loader, node, LEX_JSON_OBJECT, "a relation"));
        LEX_TRY(read_members(loader, node, &relation));
        LEX_TRY(verb_of(loader, &relation, listed, &verb));
        LEX_TRY(read_relation(loader, verb, &relation, index));
    }
    return LEX_OK;
}

static size_t count_relations(const struct lex_json *relations)
{
    size_t count = 0;
    if (relations == NULL || relations->type == LEX_JSON_ARRAY)
        return relations == NULL ? 0 : relations->count;
    for (const struct lex_json *list = relations->child; list != NULL; list = list->next)
        count += list->type == LEX_JSON_ARRAY ? list->count : 0;
    return count;
}

LEX_STATUS lex_load_allocate_relations(struct lex_loader *loader)
{
    struct lex_policy *policy = loader->policy;
    size_t count = 0;
    for (size_t i = 0; i < loader->enforced; i++) {
        const struct lex_json *relations = lex_json_get(loader->roots[i], "relations");
        count += count_relations(relations);
        if (count <= LEX_POLICY_MAX_RELATIONS)
            continue;
        lex_load_enter(loader, i);
        return lex_load_fail(loader, LEX_LIMIT, relations->at,
                             "%zu relations are more than the %d that a policy may have", count,
                             LEX_POLICY_MAX_RELATIONS);
    }
    policy->rules = lex_arena_calloc(&loader->tree, count, sizeof *policy->rules);
    policy->conflicts = lex_arena_calloc(&loader->tree, count, sizeof *policy->conflicts);
    policy->info.relations = count;
    return policy->rules == NULL || policy->conflicts == NULL ? lex_load_no_memory(loader) : LEX_OK;
}

LEX_STATUS lex_load_relations(struct lex_loader *loader)
{
    const struct lex_json *relations = lex_json_get(loader->root, "relations");
    if (relations == NULL || relations->type == LEX_JSON_NULL)
        return LEX_OK;
    if (relations->type == LEX_JSON_ARRAY)
        return read_list(loader, relations, LEX_VERB_COUNT);
    LEX_TRY(lex_load_expect(loader, relations, LEX_JSON_OBJECT, "\"relations\""));
    LEX_TRY(lex_load_known_keys(loader, relations, verbs, "\"relations\""));
    for (const struct lex_json *list = relations->child; list != NULL; list = list->next)
        LEX_TRY(read_list(loader, list, (enum lex_verb)lex_load_word(list->key, verbs)));
    return LEX_OK;
}
