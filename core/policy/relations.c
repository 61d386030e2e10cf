/* Relations: permits, forbids, requires, implies, conflicts, in both document forms. */
#include "core/policy/load.h"

static lex_words verbs = {
#define LEX_VERB(name, word) word,
#include "core/policy/verbs.def"
#undef LEX_VERB
    NULL};
static lex_words rule_keys = {
    "relation_id",   "id",           "relation_type", "type",      "source",
    "subject",       "actor",        "target",        "action",    "object",
    "data_class",    "data_classes", "resource",      "condition", "conditions",
    "justification", "reason",       "metadata",      NULL};
static lex_words pair_keys = {"relation_id",   "id",      "relation_type", "type",
                              "source",        "subject", "actor",         "target",
                              "action",        "scope",   "window",        "grants",
                              "justification", "reason",  "metadata",      NULL};
static lex_words type_keys = {"relation_type", "type", NULL};
static lex_words subject_keys = {"source", "subject", "actor", NULL};
static lex_words action_keys = {"target", "action", NULL};
static lex_words object_keys = {"object", "data_class", "data_classes", "metadata.object", NULL};
static lex_words resource_keys = {"resource", NULL};
static lex_words condition_keys = {"condition", NULL};
static lex_words conditions_keys = {"conditions", NULL};
static lex_words inner_condition_keys = {"metadata.condition", NULL};
static lex_words reason_keys = {"justification", "reason", "metadata.justification", NULL};

/* ---- endpoints ---- */

static LEX_STATUS read_id(struct lex_loader *loader, const struct lex_json *node, const char *verb,
                          size_t index, struct lex_span *ret_id)
{
    static lex_words first = {"relation_id", NULL}, second = {"id", NULL};
    LEX_TRY(lex_load_text(loader, node, first, ret_id));
    if (lex_span_absent(*ret_id))
        LEX_TRY(lex_load_text(loader, node, second, ret_id));
    if (lex_span_absent(*ret_id))
        *ret_id = lex_arena_printf(&loader->policy->arena, "%s:%zu", verb, index);
    if (lex_span_absent(*ret_id))
        return lex_load_no_memory(loader);
    const char *problem = lex_name_problem(*ret_id);
    return problem == NULL
               ? LEX_OK
               : lex_load_fail(loader, LEX_REJECT, node->at, "this rule's id %s", problem);
}

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

/* Object or resource: a name or a list of them; none or "*" is any, which is no terms at all. */
static LEX_STATUS read_objects(struct lex_loader *loader, enum lex_kind kind,
                               const struct lex_json *node, const lex_term_id **ret_terms,
                               uint32_t *ret_count)
{
    bool list = lex_json_is(node, LEX_JSON_ARRAY);
    *ret_terms = NULL;
    *ret_count = 0;
    if (node == NULL)
        return LEX_OK;
    if (list && node->count == 0)
        return lex_load_fail(
            loader, LEX_REJECT, node->at,
            "an empty list names nothing; leave the key out, or write \"*\" for any");
    size_t count = list ? node->count : 1, n = 0;
    bool any = false;
    lex_term_id *terms = lex_arena_calloc(&loader->policy->arena, count, sizeof *terms);
    if (terms == NULL)
        return lex_load_no_memory(loader);
    for (node = list ? node->child : node; node != NULL; node = list ? node->next : NULL) {
        LEX_TRY(lex_load_expect(loader, node, LEX_JSON_STRING,
                                kind == LEX_KIND_DATA ? "a data class" : "a resource"));
        if (lex_span_eq(node->text, LEX_SPAN("*")))
            any = true;
        else
            LEX_TRY(lex_load_ref(loader, kind, node->text, node->at, &terms[n++]));
    }
    *ret_terms = any ? NULL : terms;
    *ret_count = any ? 0 : (uint32_t)n;
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
static LEX_STATUS read_positions(struct lex_loader *loader, const struct lex_json *node,
                                 struct lex_rule *rule, struct lex_json *ret_condition)
{
    const struct lex_json *subject, *action, *object, *resource;
    bool required = rule->verb == LEX_VERB_PERMITS;
    LEX_TRY(lex_load_alias(loader, node, subject_keys, &subject));
    LEX_TRY(lex_load_alias(loader, node, action_keys, &action));
    LEX_TRY(lex_load_alias(loader, node, object_keys, &object));
    LEX_TRY(lex_load_alias(loader, node, resource_keys, &resource));
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
    LEX_TRY(read_objects(loader, LEX_KIND_DATA, object, &rule->objects, &rule->objects_count));
    return read_objects(loader, LEX_KIND_RESOURCE, resource, &rule->resources,
                        &rule->resources_count);
}

static LEX_STATUS read_rule(struct lex_loader *loader, enum lex_verb verb,
                            const struct lex_json *node, size_t index)
{
    struct lex_rule rule = {.verb = verb, .at = node->at};
    struct lex_json named = {0};
    const struct lex_json *nodes[4] = {NULL};
    LEX_TRY(lex_load_known_keys(loader, node, rule_keys, "a relation"));
    LEX_TRY(read_id(loader, node, verbs[verb], index, &rule.id));
    LEX_TRY(lex_load_text(loader, node, reason_keys, &rule.justification));
    LEX_TRY(read_positions(loader, node, &rule, &named));
    LEX_TRY(lex_load_alias(loader, node, condition_keys, &nodes[0]));
    LEX_TRY(lex_load_alias(loader, node, conditions_keys, &nodes[1]));
    LEX_TRY(lex_load_alias(loader, node, inner_condition_keys, &nodes[2]));
    nodes[3] = named.type == LEX_JSON_STRING ? &named : NULL;
    LEX_TRY(lex_load_conditions(
        loader, verb == LEX_VERB_FORBIDS ? LEX_PLACE_RESTRICTION : LEX_PLACE_GRANT, nodes,
        LEX_COUNT_OF(nodes), &rule.conditions, &rule.conditions_count));
    if (verb == LEX_VERB_REQUIRES && rule.conditions_count == 0)
        return lex_load_fail(loader, LEX_REJECT, node->at,
                             "this requires has no condition; write what is required in "
                             "\"condition\"");
    loader->policy->rules[loader->policy->rules_count++] = rule;
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

static LEX_STATUS read_pair(struct lex_loader *loader, const char *verb,
                            const struct lex_json *node, struct pair *ret_pair)
{
    const struct lex_json *names[2];
    enum lex_kind kinds[2];
    LEX_TRY(lex_load_known_keys(loader, node, pair_keys,
                                "an implies or conflicts (which has two terms, and neither object "
                                "nor condition)"));
    LEX_TRY(lex_load_alias(loader, node, subject_keys, &names[0]));
    LEX_TRY(lex_load_alias(loader, node, action_keys, &names[1]));
    for (size_t i = 0; i < 2; i++) {
        if (names[i] == NULL)
            return lex_load_fail(loader, LEX_REJECT, node->at, "this %s lacks its \"%s\"", verb,
                                 i == 0 ? "source" : "target");
        LEX_TRY(lex_load_expect(loader, names[i], LEX_JSON_STRING, i == 0 ? "source" : "target"));
        if (lex_span_eq(names[i]->text, LEX_SPAN("*")))
            return lex_load_fail(loader, LEX_REJECT, names[i]->at,
                                 "\"*\" cannot stand in %s; name a term", verb);
        LEX_TRY(kind_of_name(loader, names[i], &kinds[i]));
    }
    if (kinds[0] != kinds[1])
        return lex_load_fail(loader, LEX_REJECT, names[1]->at,
                             "both sides of %s must be of one kind", verb);
    ret_pair->kind = kinds[0];
    LEX_TRY(lex_load_ref(loader, kinds[0], names[0]->text, names[0]->at, &ret_pair->a));
    return lex_load_ref(loader, kinds[0], names[1]->text, names[1]->at, &ret_pair->b);
}

static LEX_STATUS refuse_key(struct lex_loader *loader, const struct lex_json *node,
                             const char *key, const char *where)
{
    const struct lex_json *found = lex_json_get(node, key);
    return found == NULL ? LEX_OK
                         : lex_load_fail(loader, LEX_REJECT, found->key_at,
                                         "\"%s\" has a meaning only in %s", key, where);
}

static LEX_STATUS read_implies(struct lex_loader *loader, const struct lex_json *node)
{
    const struct lex_json *grants = lex_json_get(node, "grants");
    struct pair pair;
    LEX_TRY(read_pair(loader, "implies", node, &pair));
    LEX_TRY(refuse_key(loader, node, "scope", "conflicts"));
    LEX_TRY(refuse_key(loader, node, "window", "conflicts"));
    if (grants != NULL)
        LEX_TRY(lex_load_expect(loader, grants, LEX_JSON_BOOL, "\"grants\""));
    if (grants != NULL && pair.kind != LEX_KIND_ACTION)
        return lex_load_fail(loader, LEX_REJECT, grants->key_at,
                             "\"grants\" has a meaning between actions only");
    if (pair.kind == LEX_KIND_CONTEXT)
        return lex_load_fail(loader, LEX_REJECT, node->at,
                             "implies stands between actors, actions, data classes or resources");
    return lex_load_edge(loader, pair.kind, pair.a, pair.b, node->at);
}

static LEX_STATUS read_scope(struct lex_loader *loader, const struct lex_json *node,
                             enum lex_kind kind)
{
    static lex_words scopes = {"session", "resource", "global", NULL}, keys = {"scope", NULL};
    struct lex_span scope;
    int64_t window_s;
    LEX_TRY(lex_load_text(loader, node, keys, &scope));
    LEX_TRY(lex_load_duration(loader, node, "window", false, 3600, &window_s));
    if (!lex_span_absent(scope) && lex_load_word(scope, scopes) < 0)
        return lex_load_fail(loader, LEX_REJECT, lex_json_get(node, "scope")->at,
                             "\"scope\" must be session, resource or global");
    if (window_s > 3600)
        return lex_load_fail(loader, LEX_REJECT, lex_json_get(node, "window")->at,
                             "\"window\" may be one hour at most");
    if (kind == LEX_KIND_ACTION)
        return LEX_OK;
    LEX_TRY(refuse_key(loader, node, "scope", "conflicts between actions"));
    return refuse_key(loader, node, "window", "conflicts between actions");
}

static LEX_STATUS read_conflict(struct lex_loader *loader, const struct lex_json *node,
                                size_t index)
{
    struct lex_conflict conflict = {.at = node->at};
    struct pair pair;
    LEX_TRY(read_id(loader, node, "conflicts", index, &conflict.id));
    LEX_TRY(lex_load_text(loader, node, reason_keys, &conflict.justification));
    LEX_TRY(read_pair(loader, "conflicts", node, &pair));
    LEX_TRY(refuse_key(loader, node, "grants", "implies"));
    if (pair.kind == LEX_KIND_RESOURCE || pair.kind == LEX_KIND_CONTEXT)
        return lex_load_fail(loader, LEX_REJECT, node->at,
                             "conflicts stands between roles, actions or data classes");
    if (pair.a == pair.b)
        return lex_load_fail(loader, LEX_REJECT, node->at, "a term cannot conflict with itself");
    LEX_TRY(read_scope(loader, node, pair.kind));
    conflict.kind = pair.kind;
    conflict.a = pair.a;
    conflict.b = pair.b;
    loader->policy->conflicts[loader->policy->conflicts_count++] = conflict;
    return LEX_OK;
}

/* ---- both forms ---- */

static LEX_STATUS read_relation(struct lex_loader *loader, enum lex_verb verb,
                                const struct lex_json *node, size_t index)
{
    const struct lex_json *metadata = lex_json_get(node, "metadata");
    if (metadata != NULL && metadata->type != LEX_JSON_NULL)
        LEX_TRY(lex_load_expect(loader, metadata, LEX_JSON_OBJECT, "\"metadata\""));
    if (verb == LEX_VERB_IMPLIES)
        return read_implies(loader, node);
    if (verb == LEX_VERB_CONFLICTS)
        return read_conflict(loader, node, index);
    return read_rule(loader, verb, node, index);
}

/* The verb that a relation names; LEX_VERB_COUNT when it names none. */
static LEX_STATUS verb_of(struct lex_loader *loader, const struct lex_json *node,
                          enum lex_verb *ret_verb)
{
    const struct lex_json *type;
    char suggestion[128];
    LEX_TRY(lex_load_expect(loader, node, LEX_JSON_OBJECT, "a relation"));
    LEX_TRY(lex_load_alias(loader, node, type_keys, &type));
    *ret_verb = LEX_VERB_COUNT;
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
    *ret_verb = (enum lex_verb)verb;
    return LEX_OK;
}

static LEX_STATUS read_list(struct lex_loader *loader, const struct lex_json *list,
                            enum lex_verb listed)
{
    size_t index = 0;
    LEX_TRY(lex_load_expect(loader, list, LEX_JSON_ARRAY, "a list of relations"));
    for (const struct lex_json *node = list->child; node != NULL; node = node->next, index++) {
        enum lex_verb verb;
        LEX_TRY(verb_of(loader, node, &verb));
        if (verb == LEX_VERB_COUNT && listed == LEX_VERB_COUNT)
            return lex_load_fail(
                loader, LEX_REJECT, node->at,
                "this relation has no type; expected \"relation_type\" or \"type\"");
        if (verb != LEX_VERB_COUNT && listed != LEX_VERB_COUNT && verb != listed)
            return lex_load_fail(loader, LEX_REJECT, node->at,
                                 "this relation says \"%s\" in the list of \"%s\"", verbs[verb],
                                 verbs[listed]);
        LEX_TRY(read_relation(loader, verb == LEX_VERB_COUNT ? listed : verb, node, index));
    }
    return LEX_OK;
}

static size_t count_relations(const struct lex_json *relations)
{
    size_t count = 0;
    if (relations->type == LEX_JSON_ARRAY)
        return relations->count;
    for (const struct lex_json *list = relations->child; list != NULL; list = list->next)
        count += list->type == LEX_JSON_ARRAY ? list->count : 0;
    return count;
}

static LEX_STATUS allocate(struct lex_loader *loader, const struct lex_json *relations)
{
    struct lex_policy *policy = loader->policy;
    size_t count = count_relations(relations);
    if (count > LEX_POLICY_MAX_RELATIONS)
        return lex_load_fail(loader, LEX_LIMIT, relations->at,
                             "%zu relations are more than the %d that a policy may have", count,
                             LEX_POLICY_MAX_RELATIONS);
    policy->rules = lex_arena_calloc(&policy->arena, count, sizeof *policy->rules);
    policy->conflicts = lex_arena_calloc(&policy->arena, count, sizeof *policy->conflicts);
    policy->info.relations = count;
    return policy->rules == NULL || policy->conflicts == NULL ? lex_load_no_memory(loader) : LEX_OK;
}

LEX_STATUS lex_load_relations(struct lex_loader *loader)
{
    const struct lex_json *relations = lex_json_get(loader->root, "relations");
    if (relations == NULL || relations->type == LEX_JSON_NULL)
        return LEX_OK;
    if (relations->type != LEX_JSON_OBJECT)
        LEX_TRY(lex_load_expect(loader, relations, LEX_JSON_ARRAY, "\"relations\""));
    LEX_TRY(allocate(loader, relations));
    if (relations->type == LEX_JSON_ARRAY)
        return read_list(loader, relations, LEX_VERB_COUNT);
    LEX_TRY(lex_load_known_keys(loader, relations, verbs, "\"relations\""));
    for (const struct lex_json *list = relations->child; list != NULL; list = list->next)
        LEX_TRY(read_list(loader, list, (enum lex_verb)lex_load_word(list->key, verbs)));
    return LEX_OK;
}
