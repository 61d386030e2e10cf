/* Load: documents in, one whole snapshot out, or an error and nothing.
 *
 * One document is a policy of one; several are read into the same tables one after the other, in
 * the order of their ids, so that nothing depends on the order in which they were given. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/text.h"
#include "core/policy/load.h"

enum {
    CHUNK_BYTES = 64 << 10,
    GUESSES = 1 << 22, /* looks at names for "did you mean", in all */
};
/* A tree costs at most 48 bytes for each byte of a document; 64 MiB of brackets stay below this. */
static const size_t memory_max = (size_t)6 << 30;

static lex_words top_keys = {
    "policy_id",       "name",        "version",     "description", "mode",
    "terms",           "relations",   "constraints", "options",     "effective_from",
    "effective_until", "enforcement", "metadata",    NULL};

/* ---- the head of a document ---- */

static LEX_STATUS read_version(struct lex_loader *loader, struct lex_span *ret_version)
{
    const struct lex_json *version = lex_json_get(loader->root, "version");
    if (version == NULL || version->type == LEX_JSON_NULL)
        return LEX_OK;
    if (version->type != LEX_JSON_NUMBER)
        LEX_TRY(lex_load_expect(loader, version, LEX_JSON_STRING, "\"version\""));
    *ret_version = lex_load_keep(loader, version->text);
    return lex_span_absent(*ret_version) ? lex_load_no_memory(loader) : LEX_OK;
}

static LEX_STATUS read_identity(struct lex_loader *loader, struct lex_policy_document *document)
{
    static lex_words id = {"policy_id", NULL}, name = {"name", NULL};
    LEX_TRY(lex_load_text(loader, loader->root, id, &document->id));
    if (lex_span_absent(document->id) || document->id.len == 0)
        LEX_TRY(lex_load_text(loader, loader->root, name, &document->id));
    if (lex_span_absent(document->id) || document->id.len == 0)
        document->id = LEX_SPAN("policy");
    return read_version(loader, &document->version);
}

/* A document that is only to be watched must not come into force as if it were whole, nor one that
 * needs another. */
static LEX_STATUS read_enforcement(struct lex_loader *loader, struct lex_policy_document *document)
{
    static lex_words keys = {"enforcement", NULL}, words = {"enforce", "log_only", NULL};
    const struct lex_json *extends = lex_json_get(loader->root, "extends");
    struct lex_span enforcement;
    if (extends != NULL)
        return lex_load_fail(loader, LEX_REJECT, extends->key_at,
                             "\"extends\" is not part of the language; put both documents' rules "
                             "into one, or both files into one directory");
    LEX_TRY(lex_load_text(loader, loader->root, keys, &enforcement));
    int index = lex_span_absent(enforcement) ? 0 : lex_load_word(enforcement, words);
    if (index < 0)
        return lex_load_fail(loader, LEX_REJECT, lex_json_get(loader->root, "enforcement")->at,
                             "\"enforcement\" must be enforce or log_only");
    document->log_only = index == 1;
    return LEX_OK;
}

/* The strictest of all documents. */
static LEX_STATUS read_mode(struct lex_loader *loader)
{
    static lex_words keys = {"mode", NULL}, modes = {"permissive", "strict", "paranoid", NULL};
    struct lex_span mode;
    char suggestion[128];
    LEX_TRY(lex_load_text(loader, loader->root, keys, &mode));
    int index = lex_span_absent(mode) ? 1 : lex_load_word(mode, modes);
    if (index < 0)
        return lex_load_fail(loader, LEX_REJECT, lex_json_get(loader->root, "mode")->at,
                             "unknown mode \"%.*s\"%s; expected permissive, strict or paranoid",
                             LEX_SPAN_FMT(mode),
                             lex_load_suggest(mode, modes, suggestion, sizeof suggestion));
    enum lex_mode stated = (enum lex_mode)(LEX_MODE_PERMISSIVE + index);
    if (stated > loader->policy->info.mode)
        loader->policy->info.mode = stated;
    return LEX_OK;
}

static LEX_STATUS read_instant(struct lex_loader *loader, const char *key, int64_t *ret_us)
{
    const char *const keys[] = {key, NULL};
    struct lex_span text;
    LEX_TRY(lex_load_text(loader, loader->root, keys, &text));
    if (lex_span_absent(text) || lex_rfc3339_parse(text, ret_us) == LEX_OK)
        return LEX_OK;
    return lex_load_fail(loader, LEX_REJECT, lex_json_get(loader->root, key)->at,
                         "\"%s\" must be an instant with its zone, like 2026-01-31T12:00:00Z "
                         "(RFC 3339)",
                         key);
}

/* All documents must be in effect: the latest beginning, the earliest end. */
static LEX_STATUS read_dates(struct lex_loader *loader)
{
    struct lex_policy_info *info = &loader->policy->info;
    int64_t from_us = INT64_MIN, until_us = INT64_MAX;
    LEX_TRY(read_instant(loader, "effective_from", &from_us));
    LEX_TRY(read_instant(loader, "effective_until", &until_us));
    if (from_us >= until_us)
        return lex_load_fail(
            loader, LEX_REJECT, lex_json_get(loader->root, "effective_until")->at,
            "\"effective_until\" must be later than \"effective_from\"; this policy "
            "would never be in effect");
    if (from_us > info->effective_from_us)
        info->effective_from_us = from_us;
    if (until_us < info->effective_until_us)
        info->effective_until_us = until_us;
    if (info->effective_from_us < info->effective_until_us)
        return LEX_OK;
    return lex_load_fail(loader, LEX_REJECT, loader->root->at,
                         "this document and the others are never in effect together; all of a "
                         "policy's documents must be");
}

/* ---- options ---- */

static LEX_STATUS read_open_world(struct lex_loader *loader, const struct lex_json *node)
{
    LEX_TRY(lex_load_expect(loader, node, LEX_JSON_ARRAY, "\"open_world\""));
    for (const struct lex_json *kind = node->child; kind != NULL; kind = kind->next) {
        static lex_words kinds = {"actor", "action", NULL};
        int index = kind->type == LEX_JSON_STRING ? lex_load_word(kind->text, kinds) : -1;
        if (index < 0)
            return lex_load_fail(loader, LEX_REJECT, kind->at,
                                 "\"open_world\" may list \"actor\" and \"action\" only");
        loader->policy->options.open_world[index == 0 ? LEX_KIND_ACTOR : LEX_KIND_ACTION] = true;
    }
    return LEX_OK;
}

static LEX_STATUS read_word(struct lex_loader *loader, const struct lex_json *node,
                            const char *const *words, const char *expected)
{
    if (node->type == LEX_JSON_STRING && lex_load_word(node->text, words) >= 0)
        return LEX_OK;
    return lex_load_fail(loader, LEX_REJECT, node->at, "\"%.*s\" must be %s",
                         LEX_SPAN_FMT(node->key), expected);
}

static LEX_STATUS read_trust(struct lex_loader *loader, const struct lex_json *node)
{
    static lex_words trust = {"attested", "caller", NULL};
    LEX_TRY(read_word(loader, node, trust, "\"attested\" or \"caller\""));
    loader->policy->options.context_trust =
        lex_load_word(node->text, trust) == 0 ? LEX_TRUST_ATTESTED : LEX_TRUST_CALLER;
    return LEX_OK;
}

static LEX_STATUS read_option(struct lex_loader *loader, const struct lex_json *node)
{
    static lex_words undeclared = {"treat_as_none", NULL};
    struct lex_options *options = &loader->policy->options;
    struct lex_span key = node->key;
    if (node->type == LEX_JSON_NULL || lex_span_eq(key, LEX_SPAN("approver")))
        return LEX_OK; /* the approver is a name: read after the terms */
    if (lex_span_eq(key, LEX_SPAN("open_world")))
        return read_open_world(loader, node);
    if (lex_span_eq(key, LEX_SPAN("undeclared_data_classes"))) {
        options->undeclared_is_none = true;
        return read_word(loader, node, undeclared, "\"treat_as_none\", or be left out");
    }
    if (lex_span_eq(key, LEX_SPAN("context_trust")))
        return read_trust(loader, node);
    if (lex_span_eq(key, LEX_SPAN("facts")))
        return lex_load_fact_options(loader, node);
    LEX_TRY(lex_load_expect(loader, node, LEX_JSON_BOOL, "\"strict_terms\""));
    options->strict_terms = node->boolean;
    return LEX_OK;
}

static LEX_STATUS read_options(struct lex_loader *loader)
{
    static lex_words known = {"open_world",
                              "undeclared_data_classes",
                              "context_trust",
                              "facts",
                              "strict_terms",
                              "approver",
                              NULL};
    const struct lex_json *options = lex_json_get(loader->root, "options");
    if (options == NULL || options->type == LEX_JSON_NULL)
        return LEX_OK;
    LEX_TRY(lex_load_expect(loader, options, LEX_JSON_OBJECT, "\"options\""));
    LEX_TRY(lex_load_known_keys(loader, options, known, "\"options\""));
    for (const struct lex_json *node = options->child; node != NULL; node = node->next)
        LEX_TRY(read_option(loader, node));
    return LEX_OK;
}

static LEX_STATUS read_approver(struct lex_loader *loader)
{
    const struct lex_json *node = lex_json_get(lex_json_get(loader->root, "options"), "approver");
    lex_term_id term;
    loader->policy->options.approver = LEX_SPAN("actor:human");
    loader->policy->options.approver_term = LEX_TERM_UNKNOWN;
    if (node == NULL || node->type == LEX_JSON_NULL)
        return LEX_OK;
    LEX_TRY(lex_load_expect(loader, node, LEX_JSON_STRING, "\"approver\""));
    LEX_TRY(lex_load_ref(loader, LEX_KIND_ACTOR, node->text, node->at, &term));
    loader->policy->options.approver =
        lex_policy_term(loader->policy, LEX_KIND_ACTOR, term)->canonical;
    loader->policy->options.approver_term = term;
    return LEX_OK;
}

/* Where nobody is named, actor:human approves, if some rule or declaration makes it a term. */
static void default_approver(struct lex_loader *loader)
{
    struct lex_options *options = &loader->policy->options;
    lex_term_id human = lex_policy_resolve(loader->policy, LEX_KIND_ACTOR, options->approver);
    if (options->approver_term != LEX_TERM_UNKNOWN || human >= LEX_TERM_AMBIGUOUS)
        return;
    options->approver_term = human;
}

/* ---- several documents ---- */

static LEX_STATUS canonical_options(struct lex_loader *loader, struct lex_buf *buf)
{
    const struct lex_json *options = lex_json_get(loader->root, "options");
    bool none = options == NULL || options->type == LEX_JSON_NULL || options->count == 0;
    lex_buf_init(buf, SIZE_MAX / 4);
    if (!none)
        lex_policy_canonical_options(options, buf);
    return lex_buf_ok(buf) ? LEX_OK : lex_load_no_memory(loader);
}

/* An option changes what every rule means, so the documents must agree on all of them: were one
 * document's `open_world` to hold for another's rules, it would widen them unseen. */
static LEX_STATUS check_options(struct lex_loader *loader)
{
    LEX_CLEANUP(lex_buf_fini) struct lex_buf first = {0};
    const struct lex_json *options;
    lex_load_enter(loader, 0);
    LEX_TRY(canonical_options(loader, &first));
    for (size_t i = 1; i < loader->enforced; i++) {
        LEX_CLEANUP(lex_buf_fini) struct lex_buf other = {0};
        lex_load_enter(loader, i);
        LEX_TRY(canonical_options(loader, &other));
        if (lex_span_eq(lex_buf_span(&first), lex_buf_span(&other)))
            continue;
        options = lex_json_get(loader->root, "options");
        return lex_load_fail(loader, LEX_REJECT, options == NULL ? loader->root->at : options->at,
                             "the \"options\" of this document are not those of %s; documents of "
                             "one policy need equal options",
                             loader->policy->documents[0].source);
    }
    return LEX_OK;
}

static LEX_STATUS join_ids(struct lex_loader *loader)
{
    struct lex_policy *policy = loader->policy;
    struct lex_policy_info *info = &policy->info;
    info->id = policy->documents[0].id;
    info->version = policy->documents[0].version;
    for (size_t i = 1; i < loader->enforced; i++) {
        const struct lex_policy_document *document = &policy->documents[i];
        bool same = lex_span_absent(info->version) == lex_span_absent(document->version) &&
                    lex_span_eq(info->version, document->version);
        info->id = lex_arena_printf(&policy->arena, "%.*s+%.*s", LEX_SPAN_FMT(info->id),
                                    LEX_SPAN_FMT(document->id));
        info->version = same ? info->version : (struct lex_span){NULL, 0};
        if (lex_span_absent(info->id))
            return lex_load_no_memory(loader);
    }
    return LEX_OK;
}

/* ---- the whole ---- */

/* The parser says "line L column C: text"; messages here say "source:L:C: text". */
static LEX_STATUS parse(struct lex_loader *loader)
{
    struct lex_error problem;
    unsigned line, column;
    int skip = 0;
    enum lex_status status = lex_json_parse(&loader->tree, loader->text, &loader->root, &problem);
    if (status == LEX_OK)
        return lex_load_expect(loader, loader->root, LEX_JSON_OBJECT, "a policy");
    if (status == LEX_LIMIT)
        return lex_load_no_memory(loader);
    if (sscanf(problem.text, "line %u column %u: %n", &line, &column, &skip) != 2)
        return lex_fail(loader->err, status, "%s: %s", loader->source, problem.text);
    return lex_fail(loader->err, status, "%s:%u:%u: %s", loader->source, line, column,
                    problem.text + skip);
}

static LEX_STATUS read_heads(struct lex_loader *loader)
{
    struct lex_policy_info *info = &loader->policy->info;
    info->effective_from_us = INT64_MIN;
    info->effective_until_us = INT64_MAX;
    info->mode = LEX_MODE_UNSET;
    for (size_t i = 0; i < loader->enforced; i++) {
        lex_load_enter(loader, i);
        lex_load_lint_keys(loader, loader->root, top_keys, "the policy");
        LEX_TRY(read_mode(loader));
        LEX_TRY(read_dates(loader));
    }
    LEX_TRY(join_ids(loader));
    LEX_TRY(check_options(loader));
    lex_load_enter(loader, 0);
    return read_options(loader);
}

static LEX_STATUS read_rules(struct lex_loader *loader)
{
    LEX_TRY(lex_load_allocate_relations(loader));
    LEX_TRY(lex_load_allocate_constraints(loader));
    for (size_t i = 0; i < loader->enforced; i++) {
        lex_load_enter(loader, i);
        LEX_TRY(lex_load_relations(loader));
        LEX_TRY(lex_load_constraints(loader));
    }
    loader->policy->info.constraints = loader->policy->constraints_count;
    return LEX_OK;
}

/* What is only as long as the documents could have made it, in its true length. */
static LEX_STATUS keep_conflicts(struct lex_loader *loader)
{
    struct lex_policy *policy = loader->policy;
    struct lex_conflict *conflicts =
        lex_arena_calloc(&policy->arena, policy->conflicts_count, sizeof *conflicts);
    if (conflicts == NULL)
        return lex_load_no_memory(loader);
    if (policy->conflicts_count != 0)
        memcpy(conflicts, policy->conflicts, policy->conflicts_count * sizeof *conflicts);
    policy->conflicts = conflicts;
    return LEX_OK;
}

static LEX_STATUS compile(struct lex_loader *loader)
{
    LEX_TRY(read_heads(loader));
    LEX_TRY(lex_load_terms(loader));
    lex_load_enter(loader, 0);
    LEX_TRY(read_approver(loader));
    LEX_TRY(read_rules(loader));
    LEX_TRY(keep_conflicts(loader));
    LEX_TRY(lex_load_finish_terms(loader));
    default_approver(loader);
    LEX_TRY(lex_load_finish_conditions(loader));
    LEX_TRY(lex_load_finish_facts(loader));
    LEX_TRY(lex_load_hierarchy(loader));
    LEX_TRY(lex_load_index(loader));
    LEX_TRY(lex_load_check_conflicts(loader));
    LEX_TRY(lex_load_policy_hashes(loader));
    LEX_TRY(lex_load_history_hash(loader));
    LEX_TRY(lex_load_lint_policy(loader));
    return lex_load_finish_lints(loader);
}

/* ---- a set of documents ---- */

static LEX_STATUS copy_document(struct lex_loader *loader, const struct lex_policy_document *given,
                                struct lex_policy_document *ret_copy)
{
    struct lex_arena *arena = &loader->policy->arena;
    struct lex_span text = lex_span_of(
        given->text.data != NULL ? given->text.data : (const uint8_t *)"", given->text.len);
    struct lex_span source = lex_arena_printf(arena, "%s", given->source);
    *ret_copy = (struct lex_policy_document){.source = (const char *)source.data,
                                             .text = lex_arena_dup(arena, text)};
    if (lex_span_absent(source) || lex_span_absent(ret_copy->text))
        return lex_fail(loader->err, LEX_LIMIT, "%s: not enough memory", given->source);
    return LEX_OK;
}

static LEX_STATUS new_policy(struct lex_loader *loader, const struct lex_policy_document *documents,
                             size_t count)
{
    struct lex_policy *policy = calloc(1, sizeof *policy);
    if (policy == NULL)
        return lex_fail(loader->err, LEX_LIMIT, "%s: not enough memory", documents[0].source);
    policy->references = 1;
    lex_arena_init(&policy->arena, CHUNK_BYTES, memory_max);
    loader->policy = policy;
    policy->documents = lex_arena_calloc(&policy->arena, count, sizeof *policy->documents);
    loader->roots = lex_arena_calloc(&loader->tree, count, sizeof(const struct lex_json *));
    if (policy->documents == NULL || loader->roots == NULL)
        return lex_fail(loader->err, LEX_LIMIT, "%s: not enough memory", documents[0].source);
    for (size_t i = 0; i < count; i++)
        LEX_TRY(copy_document(loader, &documents[i], &policy->documents[i]));
    policy->info.documents_count = count;
    return LEX_OK;
}

static LEX_STATUS read_document(struct lex_loader *loader, size_t index)
{
    struct lex_policy_document *document = &loader->policy->documents[index];
    lex_load_enter(loader, index);
    LEX_TRY(parse(loader));
    loader->roots[index] = loader->root;
    LEX_TRY(read_enforcement(loader, document));
    LEX_TRY(read_identity(loader, document));
    return lex_load_hashes(loader, document);
}

/* Enforced ones first, each part by id: an order that no directory and no topic can change. */
static int document_order(const struct lex_policy_document *a, const struct lex_policy_document *b)
{
    if (a->log_only != b->log_only)
        return a->log_only ? 1 : -1;
    return lex_span_cmp(a->id, b->id);
}

static LEX_STATUS sort_documents(struct lex_loader *loader)
{
    struct lex_policy_document *documents = loader->policy->documents;
    size_t count = loader->policy->info.documents_count;
    for (size_t i = 1; i < count; i++)
        for (size_t j = i; j > 0 && document_order(&documents[j - 1], &documents[j]) > 0; j--) {
            struct lex_policy_document document = documents[j];
            const struct lex_json *root = loader->roots[j];
            documents[j] = documents[j - 1];
            documents[j - 1] = document;
            loader->roots[j] = loader->roots[j - 1];
            loader->roots[j - 1] = root;
        }
    for (size_t i = 1; i < count; i++)
        if (document_order(&documents[i - 1], &documents[i]) == 0)
            return lex_fail(loader->err, LEX_REJECT,
                            "%s: has the policy_id \"%.*s\" of %s; each document needs an id of "
                            "its own",
                            documents[i].source, LEX_SPAN_FMT(documents[i].id),
                            documents[i - 1].source);
    return LEX_OK;
}

/* How many of the sorted documents make the policy. */
static LEX_STATUS count_enforced(struct lex_loader *loader, bool shadow)
{
    const struct lex_policy *policy = loader->policy;
    while (loader->enforced < policy->info.documents_count &&
           (shadow || !policy->documents[loader->enforced].log_only))
        loader->enforced++;
    loader->prefixed = loader->enforced > 1;
    if (loader->enforced != 0)
        return LEX_OK;
    lex_load_enter(loader, 0);
    return lex_load_fail(loader, LEX_REJECT, lex_json_get(loader->root, "enforcement")->at,
                         "a policy that is \"log_only\" cannot be the one in force; at least one "
                         "document must be enforced");
}

static void own_document(struct lex_policy *policy)
{
    policy->info.document = policy->documents[0].text;
}

/* Several texts as one: a JSON array of them, which loads as the same policy. In the order of the
 * hashes, so that it is as canonical as the hash that names it. */
static LEX_STATUS join_documents(struct lex_loader *loader)
{
    struct lex_policy *policy = loader->policy;
    const struct lex_policy_document *sorted[LEX_POLICY_MAX_DOCUMENTS];
    size_t bytes = 2, at = 0;
    own_document(policy);
    if (loader->enforced == 1)
        return LEX_OK;
    for (size_t i = 0; i < loader->enforced; i++) {
        size_t j = i;
        for (; j > 0 && memcmp(sorted[j - 1]->hash, policy->documents[i].hash, 32) > 0; j--)
            sorted[j] = sorted[j - 1];
        sorted[j] = &policy->documents[i];
        bytes += policy->documents[i].text.len + 1;
    }
    uint8_t *text = lex_arena_alloc(&policy->arena, bytes);
    if (text == NULL)
        return lex_load_no_memory(loader);
    for (size_t i = 0; i < loader->enforced; i++) {
        text[at++] = i == 0 ? '[' : ',';
        memcpy(text + at, sorted[i]->text.data, sorted[i]->text.len);
        at += sorted[i]->text.len;
    }
    text[at++] = ']';
    policy->info.document = lex_span_of(text, at);
    return LEX_OK;
}

static LEX_STATUS load_shadows(struct lex_loader *loader)
{
    struct lex_policy *policy = loader->policy;
    size_t count = policy->info.documents_count - loader->enforced;
    policy->shadows = lex_arena_calloc(&policy->arena, count, sizeof(struct lex_policy *));
    if (policy->shadows == NULL)
        return lex_load_no_memory(loader);
    for (size_t i = 0; i < count; i++) {
        LEX_TRY(lex_load_set(&policy->documents[loader->enforced + i], 1, true, &policy->shadows[i],
                             loader->err));
        policy->info.shadows_count++;
    }
    return LEX_OK;
}

/* What signed statements could change a decision: the others need not be verified. */
static void note_asked(struct lex_policy *policy)
{
    struct lex_policy_info *info = &policy->info;
    for (size_t i = 0; i < policy->facts_count; i++)
        info->asks_facts = info->asks_facts || policy->facts[i].source == LEX_FACT_CONTEXT;
    info->asks_approvals = policy->options.approver_term != LEX_TERM_UNKNOWN;
    for (size_t i = 0; i < policy->conditions_count; i++)
        info->asks_approvals =
            info->asks_approvals || policy->conditions[i].type == LEX_CONDITION_APPROVAL;
    for (size_t i = 0; i < info->shadows_count; i++) {
        info->asks_facts = info->asks_facts || policy->shadows[i]->info.asks_facts;
        info->asks_approvals = info->asks_approvals || policy->shadows[i]->info.asks_approvals;
    }
}

static void loader_fini(struct lex_loader *loader)
{
    lex_arena_fini(&loader->tree);
    for (unsigned kind = 0; kind < LEX_KIND_COUNT; kind++) {
        lex_names_fini(&loader->created[kind]);
        free(loader->edges[kind]);
    }
    lex_names_fini(&loader->declared);
    lex_names_fini(&loader->known_lists);
    lex_names_fini(&loader->known_expressions);
    lex_names_fini(&loader->known_structured);
    free(loader->conditions);
    free(loader->conditions_rule);
    free(loader->facts);
    free(loader->seen);
    free(loader->nodes);
    free(loader->list);
    free(loader->lints);
    lex_policy_unref(loader->policy);
}

LEX_STATUS lex_load_set(const struct lex_policy_document *documents, size_t count, bool shadow,
                        struct lex_policy **ret_policy, struct lex_error *err)
{
    LEX_CLEANUP(loader_fini)
    struct lex_loader loader = {.err = err, .guesses_left = GUESSES};
    lex_arena_init(&loader.tree, CHUNK_BYTES, memory_max);
    LEX_TRY(new_policy(&loader, documents, count));
    for (size_t i = 0; i < count; i++)
        LEX_TRY(read_document(&loader, i));
    LEX_TRY(sort_documents(&loader));
    LEX_TRY(count_enforced(&loader, shadow));
    LEX_TRY(join_documents(&loader));
    LEX_TRY(compile(&loader));
    if (!shadow)
        LEX_TRY(load_shadows(&loader));
    note_asked(loader.policy);
    *ret_policy = loader.policy;
    loader.policy = NULL;
    return LEX_OK;
}

/* ---- snapshots ---- */

struct lex_policy *lex_policy_ref(struct lex_policy *policy)
{
    policy->references++;
    return policy;
}

void lex_policy_unref(struct lex_policy *policy)
{
    if (policy == NULL || --policy->references != 0)
        return;
    for (unsigned kind = 0; kind < LEX_KIND_COUNT; kind++) {
        lex_names_fini(&policy->terms[kind].names);
        free(policy->terms[kind].items);
    }
    for (size_t i = 0; i < policy->info.shadows_count; i++)
        lex_policy_unref(policy->shadows[i]);
    lex_names_fini(&policy->fact_names);
    lex_arena_fini(&policy->arena);
    free(policy);
}

const struct lex_policy_info *lex_policy_info(const struct lex_policy *policy)
{
    return &policy->info;
}

const struct lex_policy_document *lex_policy_documents(const struct lex_policy *policy,
                                                       size_t *ret_count)
{
    *ret_count = policy->info.documents_count;
    return policy->documents;
}

const struct lex_policy *lex_policy_shadow(const struct lex_policy *policy, size_t index)
{
    LEX_ASSERT(index < policy->info.shadows_count);
    return policy->shadows[index];
}

size_t lex_policy_lints(const struct lex_policy *policy, const struct lex_policy_lint **ret_lints)
{
    *ret_lints = policy->lints;
    return policy->lints_count;
}

/* ---- versions ---- */

/* Of numbers and dots only. An empty version has no number and is above none: were it a word, it
 * could follow every version and then, being none to a partition's head, precede every one. */
static bool is_numeric(struct lex_span version)
{
    for (size_t i = 0; i < version.len; i++) {
        bool dot = version.data[i] == '.';
        bool edge = i == 0 || i + 1 == version.len || version.data[i - 1] == '.';
        if ((dot && edge) || (!dot && (version.data[i] < '0' || version.data[i] > '9')))
            return false;
    }
    return true;
}

/* Take the number before the next dot, without its leading zeros, off `version`. */
static struct lex_span next_number(struct lex_span *version)
{
    size_t end = 0;
    while (end < version->len && version->data[end] != '.')
        end++;
    struct lex_span number = lex_span_of(version->data, end);
    size_t skip = end < version->len ? end + 1 : end;
    *version = lex_span_of(version->data + skip, version->len - skip);
    while (number.len != 0 && number.data[0] == '0')
        number = lex_span_of(number.data + 1, number.len - 1);
    return number;
}

/* Were a number and a word compared by bytes, there would be cycles (1.9 < 1.10 < 1.10-rc < 1.9),
 * by which a policy could be walked back a step at a time. */
int lex_policy_version_cmp(struct lex_span a, struct lex_span b)
{
    if (lex_span_absent(a) || lex_span_absent(b))
        return 0;
    bool a_numeric = is_numeric(a), b_numeric = is_numeric(b);
    if (a_numeric != b_numeric)
        return a_numeric ? -1 : 1;
    if (!a_numeric)
        return lex_span_cmp(a, b);
    while (a.len != 0 || b.len != 0) {
        struct lex_span x = next_number(&a), y = next_number(&b);
        if (x.len != y.len)
            return x.len < y.len ? -1 : 1;
        int order = lex_span_cmp(x, y);
        if (order != 0)
            return order;
    }
    return 0;
}
