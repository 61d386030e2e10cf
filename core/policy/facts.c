/* Facts: the paths that conditions read, each entered once for the whole policy.
 *
 * Where a fact comes from is settled here, at load, by its first word: what the caller could say of
 * itself must never pass for what the call is, so "arguments.x", "request.x" and "token.x" can only
 * mean the governed ones, and every other path is one flat key of attested facts and context. */
#include <stdio.h>
#include <stdlib.h>

#include "core/policy/load.h"

static lex_words request_fields = {
#define LEX_REQUEST_FIELD(name, word, governed) word,
#include "core/policy/request_fields.def"
#undef LEX_REQUEST_FIELD
    NULL};

/* ---- where a path leads ---- */

static const struct {
    struct lex_span word;
    enum lex_fact_source source;
    enum lex_fact_type type; /* that it always has */
} whole_names[] = {
    {LEX_SPAN_INIT("risk_level"), LEX_FACT_RISK_LEVEL, LEX_FACT_NUMBER},
    {LEX_SPAN_INIT("risk_score"), LEX_FACT_RISK_SCORE, LEX_FACT_NUMBER},
    {LEX_SPAN_INIT("data_class"), LEX_FACT_DATA_CLASS, LEX_FACT_ANY_TYPE},
    {LEX_SPAN_INIT("resource"), LEX_FACT_RESOURCE, LEX_FACT_ANY_TYPE},
    {LEX_SPAN_INIT("actor"), LEX_FACT_ACTOR, LEX_FACT_ANY_TYPE},
    {LEX_SPAN_INIT("action"), LEX_FACT_ACTION, LEX_FACT_ANY_TYPE},
};
static const struct {
    struct lex_span word; /* with a dot behind it, and something behind that */
    enum lex_fact_source source;
} first_words[] = {
    {LEX_SPAN_INIT("arguments"), LEX_FACT_ARGUMENT},
    {LEX_SPAN_INIT("request"), LEX_FACT_REQUEST},
    {LEX_SPAN_INIT("token"), LEX_FACT_TOKEN},
};

static bool begins_with(struct lex_span name, struct lex_span word)
{
    return name.len >= word.len && memcmp(name.data, word.data, word.len) == 0 &&
           (name.len == word.len || name.data[word.len] == '.');
}

static LEX_STATUS request_field(struct lex_loader *loader, size_t at, struct lex_fact_info *fact)
{
    char suggestion[128];
    int field = lex_load_word(fact->path, request_fields);
    if (field < 0)
        return lex_load_fail(
            loader, LEX_REJECT, at,
            "a request has no field \"%.*s\"%s; expected one of actor, "
            "proposed_action, tool, resource, data_classes, risk_level, "
            "user_intent, requested_output_type, policy_mode, user_id",
            LEX_SPAN_FMT(fact->path),
            lex_load_suggest(fact->path, request_fields, suggestion, sizeof suggestion));
    fact->field = (uint8_t)field;
    fact->type = LEX_FACT_STRING;
    if (field == LEX_REQUEST_FIELD_RISK_LEVEL)
        fact->type = LEX_FACT_NUMBER;
    if (field == LEX_REQUEST_FIELD_DATA_CLASSES)
        fact->type = LEX_FACT_LIST;
    return LEX_OK;
}

static bool has_empty_step(struct lex_span path)
{
    for (size_t i = 0; i <= path.len; i++)
        if ((i == path.len || path.data[i] == '.') && (i == 0 || path.data[i - 1] == '.'))
            return true;
    return false;
}

static LEX_STATUS governed_path(struct lex_loader *loader, size_t at, size_t word,
                                struct lex_fact_info *fact)
{
    struct lex_span name = fact->name, first = first_words[word].word;
    fact->source = first_words[word].source;
    if (name.len == first.len)
        return lex_load_fail(loader, LEX_REJECT, at,
                             "\"%.*s\" alone has no value; name one inside it, like %.*s.%s",
                             LEX_SPAN_FMT(name), LEX_SPAN_FMT(first),
                             fact->source == LEX_FACT_REQUEST ? "tool" : "amount");
    fact->path = lex_span_of(name.data + first.len + 1, name.len - first.len - 1);
    if (has_empty_step(fact->path))
        return lex_load_fail(loader, LEX_REJECT, at, "the path \"%.*s\" has an empty step",
                             LEX_SPAN_FMT(name));
    return fact->source == LEX_FACT_REQUEST ? request_field(loader, at, fact) : LEX_OK;
}

static LEX_STATUS classify(struct lex_loader *loader, size_t at, struct lex_fact_info *fact)
{
    const char *problem = lex_name_problem(fact->name);
    if (problem != NULL)
        return lex_load_fail(loader, LEX_REJECT, at, "the name of this fact %s", problem);
    if (fact->name.data[0] == '#')
        return lex_load_fail(loader, LEX_REJECT, at,
                             "\"%.*s\": names that begin with # are the engine's own",
                             LEX_SPAN_FMT(fact->name));
    for (size_t i = 0; i < LEX_COUNT_OF(whole_names); i++)
        if (lex_span_eq(whole_names[i].word, fact->name)) {
            fact->source = whole_names[i].source;
            fact->type = whole_names[i].type;
            return LEX_OK;
        }
    for (size_t i = 0; i < LEX_COUNT_OF(first_words); i++)
        if (begins_with(fact->name, first_words[i].word))
            return governed_path(loader, at, i, fact);
    return LEX_OK;
}

/* ---- entering one ---- */

static LEX_STATUS enter(struct lex_loader *loader, const struct lex_fact_info *fact, size_t at)
{
    void *facts = loader->facts, *seen = loader->seen;
    struct lex_name name = {.term = (lex_term_id)loader->facts_count};
    if (loader->facts_count == LEX_POLICY_MAX_FACTS)
        return lex_load_fail(loader, LEX_LIMIT, at,
                             "conditions read more than the %d facts that a policy may name",
                             LEX_POLICY_MAX_FACTS);
    LEX_TRY(lex_load_grow(loader, &facts, loader->facts_count, &loader->facts_capacity,
                          sizeof *loader->facts));
    loader->facts = facts;
    LEX_TRY(lex_load_grow(loader, &seen, loader->facts_count, &loader->seen_capacity,
                          sizeof *loader->seen));
    loader->seen = seen;
    if (lex_names_put(&loader->policy->fact_names, fact->name, name) != LEX_OK)
        return lex_load_no_memory(loader);
    loader->seen[loader->facts_count] =
        (struct lex_fact_seen){.at = at, .document = loader->document};
    loader->facts[loader->facts_count++] = *fact;
    return LEX_OK;
}

static bool other_type(enum lex_fact_type type, unsigned use)
{
    return (type == LEX_FACT_BOOLEAN && (use & (LEX_USE_NUMBER | LEX_USE_STRING)) != 0) ||
           (type == LEX_FACT_NUMBER && (use & (LEX_USE_TRUTH | LEX_USE_STRING)) != 0) ||
           (type == LEX_FACT_STRING && (use & (LEX_USE_TRUTH | LEX_USE_NUMBER)) != 0) ||
           (type == LEX_FACT_LIST &&
            (use & (LEX_USE_TRUTH | LEX_USE_NUMBER | LEX_USE_STRING)) != 0);
}

static bool is_mixed(unsigned uses)
{
    unsigned types = uses & (LEX_USE_TRUTH | LEX_USE_NUMBER | LEX_USE_STRING);
    return (types & (types - 1)) != 0;
}

static const char *use_name(unsigned use)
{
    if ((use & LEX_USE_TRUTH) != 0)
        return "true or false";
    return (use & LEX_USE_NUMBER) != 0 ? "a number" : "a string";
}

static const char *type_name(enum lex_fact_type type)
{
    static const char *const names[] = {"anything", "true or false", "a number", "a string",
                                        "a list"};
    return names[type];
}

static void note_use(struct lex_loader *loader, uint32_t number, size_t at, unsigned use)
{
    struct lex_fact_info *fact = &loader->facts[number];
    struct lex_fact_seen *seen = &loader->seen[number];
    unsigned before = seen->uses;
    seen->uses |= use;
    if ((before & use) == use)
        return; /* said before */
    if (other_type(fact->type, use))
        lex_load_lint(loader, LEX_LINT_TYPE_MISMATCH, at,
                      "\"%.*s\" is %s, but is read as %s here: this is always unknown",
                      LEX_SPAN_FMT(fact->name), type_name(fact->type), use_name(use));
    else if (is_mixed(seen->uses) && !is_mixed(before))
        lex_load_lint(loader, LEX_LINT_MIXED_TYPES, at,
                      "\"%.*s\" is read as %s here and as %s elsewhere: one of the two is always "
                      "unknown",
                      LEX_SPAN_FMT(fact->name), use_name(use), use_name(before));
}

LEX_STATUS lex_load_fact(struct lex_loader *loader, struct lex_span name, size_t at, unsigned use,
                         uint32_t *ret_fact)
{
    const struct lex_name *known = lex_names_find(&loader->policy->fact_names, name);
    uint32_t number = (uint32_t)loader->facts_count;
    if (known == NULL) {
        struct lex_fact_info fact = {.name = lex_load_keep(loader, name)};
        if (lex_span_absent(fact.name))
            return lex_load_no_memory(loader);
        fact.path = fact.name;
        LEX_TRY(classify(loader, at, &fact));
        LEX_TRY(enter(loader, &fact, at));
    } else {
        number = known->term;
    }
    note_use(loader, number, at, use);
    *ret_fact = number;
    return LEX_OK;
}

uint32_t lex_policy_fact(const struct lex_policy *policy, struct lex_span name)
{
    const struct lex_name *known = lex_names_find(&policy->fact_names, name);
    return known == NULL ? UINT32_MAX : known->term;
}

/* ---- options.facts ---- */

static LEX_STATUS read_type(struct lex_loader *loader, const struct lex_json *node,
                            struct lex_fact_info *fact)
{
    static lex_words types = {"boolean", "number", "string", "list", NULL};
    const struct lex_json *type = lex_json_get(node, "type");
    if (type == NULL || type->type == LEX_JSON_NULL)
        return LEX_OK;
    int index = type->type == LEX_JSON_STRING ? lex_load_word(type->text, types) : -1;
    if (index < 0)
        return lex_load_fail(loader, LEX_REJECT, type->at,
                             "a fact's \"type\" must be boolean, number, string or list");
    enum lex_fact_type declared = (enum lex_fact_type)(index + LEX_FACT_BOOLEAN);
    bool set = fact->source >= LEX_FACT_DATA_CLASS;
    if (set || (fact->type != LEX_FACT_ANY_TYPE && fact->type != declared))
        return lex_load_fail(loader, LEX_REJECT, type->at, "\"%.*s\" is %s; leave \"type\" out",
                             LEX_SPAN_FMT(fact->name),
                             set ? "a set of names, which has no type" : type_name(fact->type));
    fact->type = declared;
    return LEX_OK;
}

static LEX_STATUS read_attesters(struct lex_loader *loader, const struct lex_json *node,
                                 struct lex_fact_info *fact)
{
    const struct lex_json *by = lex_json_get(node, "attested_by"), *item;
    bool list = lex_json_is(by, LEX_JSON_ARRAY);
    size_t count = 0;
    if (by == NULL || by->type == LEX_JSON_NULL)
        return LEX_OK;
    if (fact->source != LEX_FACT_CONTEXT)
        return lex_load_fail(loader, LEX_REJECT, by->key_at,
                             "\"%.*s\" is the server's own knowledge; nobody attests it",
                             LEX_SPAN_FMT(fact->name));
    if (list && by->count == 0)
        return lex_load_fail(loader, LEX_REJECT, by->at,
                             "an empty \"attested_by\" lets nobody attest the fact; leave it out "
                             "for any issuer that issuers.json lets");
    struct lex_span *issuers =
        lex_arena_calloc(&loader->policy->arena, list ? by->count : 1, sizeof *issuers);
    if (issuers == NULL)
        return lex_load_no_memory(loader);
    for (item = list ? by->child : by; item != NULL; item = list ? item->next : NULL) {
        LEX_TRY(lex_load_expect(loader, item, LEX_JSON_STRING, "an issuer in \"attested_by\""));
        if (item->text.len == 0)
            return lex_load_fail(loader, LEX_REJECT, item->at, "an issuer's name is empty");
        issuers[count] = lex_load_keep(loader, item->text);
        if (lex_span_absent(issuers[count++]))
            return lex_load_no_memory(loader);
    }
    fact->attesters = (struct lex_span_list){issuers, count};
    return LEX_OK;
}

static LEX_STATUS read_fact(struct lex_loader *loader, const struct lex_json *node)
{
    static lex_words known = {"type", "attested_by", "required", NULL};
    const struct lex_json *required;
    uint32_t number;
    LEX_TRY(lex_load_fact(loader, node->key, node->key_at, 0, &number));
    LEX_TRY(lex_load_expect(loader, node, LEX_JSON_OBJECT, "a fact's declaration"));
    LEX_TRY(lex_load_known_keys(loader, node, known, "a fact's declaration"));
    struct lex_fact_info *fact = &loader->facts[number];
    bool known_always = fact->source == LEX_FACT_ACTOR || fact->source == LEX_FACT_ACTION ||
                        fact->source == LEX_FACT_RISK_LEVEL || fact->source == LEX_FACT_RISK_SCORE;
    if (known_always)
        return lex_load_fail(loader, LEX_REJECT, node->key_at,
                             "\"%.*s\" is always known; there is nothing to declare of it",
                             LEX_SPAN_FMT(fact->name));
    LEX_TRY(read_type(loader, node, fact));
    LEX_TRY(read_attesters(loader, node, fact));
    required = lex_json_get(node, "required");
    if (required == NULL || required->type == LEX_JSON_NULL)
        return LEX_OK;
    LEX_TRY(lex_load_expect(loader, required, LEX_JSON_BOOL, "\"required\""));
    fact->required_declared = true;
    fact->required = required->boolean;
    return LEX_OK;
}

LEX_STATUS lex_load_fact_options(struct lex_loader *loader, const struct lex_json *facts)
{
    LEX_TRY(lex_load_expect(loader, facts, LEX_JSON_OBJECT, "\"facts\""));
    for (const struct lex_json *node = facts->child; node != NULL; node = node->next)
        LEX_TRY(read_fact(loader, node));
    return LEX_OK;
}

LEX_STATUS lex_load_finish_facts(struct lex_loader *loader)
{
    struct lex_policy *policy = loader->policy;
    size_t count = loader->facts_count;
    for (size_t i = 0; i < count; i++) {
        if (loader->seen[i].uses != 0)
            continue;
        lex_load_enter(loader, loader->seen[i].document);
        lex_load_lint(loader, LEX_LINT_UNUSED_FACT, loader->seen[i].at,
                      "unused fact: no condition reads \"%.*s\"",
                      LEX_SPAN_FMT(loader->facts[i].name));
    }
    policy->facts = lex_arena_calloc(&policy->arena, count, sizeof *policy->facts);
    if (policy->facts == NULL)
        return lex_load_no_memory(loader);
    if (count != 0)
        memcpy(policy->facts, loader->facts, count * sizeof *policy->facts);
    policy->facts_count = count;
    return LEX_OK;
}
