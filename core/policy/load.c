/* Load: one document in, one whole snapshot out, or an error and nothing. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/text.h"
#include "core/policy/load.h"

enum {
    CHUNK_BYTES = 64 << 10,
    GUESSES = 1 << 24, /* comparisons of names for "did you mean", in all */
};
/* A tree costs at most 48 bytes for each byte of a document; 64 MiB of brackets stay below this. */
static const size_t memory_max = (size_t)6 << 30;

static lex_words top_keys = {
    "policy_id",       "name",        "version",     "description", "mode",
    "terms",           "relations",   "constraints", "options",     "effective_from",
    "effective_until", "enforcement", "metadata",    NULL};

/* ---- the head of the document ---- */

static LEX_STATUS read_identity(struct lex_loader *loader)
{
    static lex_words id = {"policy_id", NULL}, name = {"name", NULL};
    struct lex_policy_info *info = &loader->policy->info;
    const struct lex_json *version = lex_json_get(loader->root, "version");
    LEX_TRY(lex_load_text(loader, loader->root, id, &info->id));
    if (lex_span_absent(info->id) || info->id.len == 0)
        LEX_TRY(lex_load_text(loader, loader->root, name, &info->id));
    if (lex_span_absent(info->id) || info->id.len == 0)
        info->id = LEX_SPAN("policy");
    if (version == NULL || version->type == LEX_JSON_NULL)
        return LEX_OK;
    if (version->type != LEX_JSON_NUMBER)
        LEX_TRY(lex_load_expect(loader, version, LEX_JSON_STRING, "\"version\""));
    info->version = lex_load_keep(loader, version->text);
    return lex_span_absent(info->version) ? lex_load_no_memory(loader) : LEX_OK;
}

static LEX_STATUS read_mode(struct lex_loader *loader)
{
    static lex_words keys = {"mode", NULL}, modes = {"permissive", "strict", "paranoid", NULL};
    struct lex_span mode;
    char suggestion[128];
    LEX_TRY(lex_load_text(loader, loader->root, keys, &mode));
    loader->policy->info.mode = LEX_MODE_STRICT;
    if (lex_span_absent(mode))
        return LEX_OK;
    int index = lex_load_word(mode, modes);
    if (index < 0)
        return lex_load_fail(loader, LEX_REJECT, lex_json_get(loader->root, "mode")->at,
                             "unknown mode \"%.*s\"%s; expected permissive, strict or paranoid",
                             LEX_SPAN_FMT(mode),
                             lex_load_suggest(mode, modes, suggestion, sizeof suggestion));
    loader->policy->info.mode = (enum lex_mode)(LEX_MODE_PERMISSIVE + index);
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

static LEX_STATUS read_dates(struct lex_loader *loader)
{
    struct lex_policy_info *info = &loader->policy->info;
    info->effective_from_us = INT64_MIN;
    info->effective_until_us = INT64_MAX;
    LEX_TRY(read_instant(loader, "effective_from", &info->effective_from_us));
    LEX_TRY(read_instant(loader, "effective_until", &info->effective_until_us));
    if (info->effective_from_us < info->effective_until_us)
        return LEX_OK;
    return lex_load_fail(loader, LEX_REJECT, lex_json_get(loader->root, "effective_until")->at,
                         "\"effective_until\" must be later than \"effective_from\"; this policy "
                         "would never be in effect");
}

/* A document that is only to be watched, or that needs another one, must not come into force as if
 * it were whole. */
static LEX_STATUS refuse_foreign(struct lex_loader *loader)
{
    static lex_words keys = {"enforcement", NULL};
    const struct lex_json *extends = lex_json_get(loader->root, "extends");
    struct lex_span enforcement;
    if (extends != NULL)
        return lex_load_fail(loader, LEX_REJECT, extends->key_at,
                             "\"extends\" is not part of the language; put both documents' rules "
                             "into one");
    LEX_TRY(lex_load_text(loader, loader->root, keys, &enforcement));
    if (lex_span_absent(enforcement) || lex_span_eq(enforcement, LEX_SPAN("enforce")))
        return LEX_OK;
    return lex_load_fail(loader, LEX_REJECT, lex_json_get(loader->root, "enforcement")->at,
                         "a policy with \"enforcement\" other than \"enforce\" cannot be the one "
                         "in force");
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

static LEX_STATUS read_option(struct lex_loader *loader, const struct lex_json *node)
{
    static lex_words undeclared = {"treat_as_none", NULL}, trust = {"attested", "caller", NULL};
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
        return read_word(loader, node, trust, "\"attested\" or \"caller\"");
    if (lex_span_eq(key, LEX_SPAN("facts")))
        return lex_load_expect(loader, node, LEX_JSON_OBJECT, "\"facts\"");
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
    if (node == NULL || node->type == LEX_JSON_NULL)
        return LEX_OK;
    LEX_TRY(lex_load_expect(loader, node, LEX_JSON_STRING, "\"approver\""));
    LEX_TRY(lex_load_ref(loader, LEX_KIND_ACTOR, node->text, node->at, &term));
    loader->policy->options.approver =
        lex_policy_term(loader->policy, LEX_KIND_ACTOR, term)->canonical;
    return LEX_OK;
}

/* ---- the whole ---- */

/* The parser says "line L column C: text"; messages here say "source:L:C: text". */
static LEX_STATUS parse(struct lex_loader *loader)
{
    struct lex_error problem;
    unsigned line, column;
    int skip = 0;
    enum lex_status status =
        lex_json_parse(&loader->tree, loader->policy->info.document, &loader->root, &problem);
    if (status == LEX_OK)
        return lex_load_expect(loader, loader->root, LEX_JSON_OBJECT, "a policy");
    if (status == LEX_LIMIT)
        return lex_load_no_memory(loader);
    if (sscanf(problem.text, "line %u column %u: %n", &line, &column, &skip) != 2)
        return lex_fail(loader->err, status, "%s: %s", loader->source, problem.text);
    return lex_fail(loader->err, status, "%s:%u:%u: %s", loader->source, line, column,
                    problem.text + skip);
}

static LEX_STATUS read_document(struct lex_loader *loader)
{
    LEX_TRY(parse(loader));
    lex_load_lint_keys(loader, loader->root, top_keys, "the policy");
    LEX_TRY(refuse_foreign(loader));
    LEX_TRY(read_identity(loader));
    LEX_TRY(read_mode(loader));
    LEX_TRY(read_dates(loader));
    LEX_TRY(read_options(loader));
    LEX_TRY(lex_load_terms(loader));
    LEX_TRY(read_approver(loader));
    LEX_TRY(lex_load_relations(loader));
    LEX_TRY(lex_load_constraints(loader));
    LEX_TRY(lex_load_finish_terms(loader));
    LEX_TRY(lex_load_hierarchy(loader));
    LEX_TRY(lex_load_index(loader));
    LEX_TRY(lex_load_check_conflicts(loader));
    LEX_TRY(lex_load_hashes(loader));
    lex_load_lint_policy(loader);
    return lex_load_finish_lints(loader);
}

static LEX_STATUS new_policy(struct lex_loader *loader, struct lex_span text)
{
    struct lex_policy *policy = calloc(1, sizeof *policy);
    if (policy == NULL)
        return lex_fail(loader->err, LEX_LIMIT, "%s: not enough memory", loader->source);
    policy->references = 1;
    lex_arena_init(&policy->arena, CHUNK_BYTES, memory_max);
    loader->policy = policy;
    policy->info.document = lex_arena_dup(
        &policy->arena, lex_span_of(text.data != NULL ? text.data : (const uint8_t *)"", text.len));
    return lex_span_absent(policy->info.document) ? lex_load_no_memory(loader) : LEX_OK;
}

static void loader_fini(struct lex_loader *loader)
{
    lex_arena_fini(&loader->tree);
    for (unsigned kind = 0; kind < LEX_KIND_COUNT; kind++) {
        lex_names_fini(&loader->created[kind]);
        free(loader->edges[kind]);
    }
    free(loader->lints);
    lex_policy_unref(loader->policy);
}

LEX_STATUS lex_policy_load(struct lex_span text, const char *source, struct lex_policy **ret_policy,
                           struct lex_error *err)
{
    LEX_CLEANUP(loader_fini)
    struct lex_loader loader = {.source = source, .err = err, .guesses_left = GUESSES};
    if (text.len > LEX_POLICY_MAX_BYTES)
        return lex_fail(err, LEX_LIMIT, "%s: a policy may have %d bytes at most, this has %zu",
                        source, LEX_POLICY_MAX_BYTES, text.len);
    lex_arena_init(&loader.tree, CHUNK_BYTES, memory_max);
    LEX_TRY(new_policy(&loader, text));
    LEX_TRY(read_document(&loader));
    *ret_policy = loader.policy;
    loader.policy = NULL;
    return LEX_OK;
}

/* ---- files ---- */

static void close_file(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

static enum lex_status read_file(int fd, const char *path, struct lex_buf *buf,
                                 struct lex_error *err)
{
    uint8_t block[16 << 10];
    ssize_t got;
    while ((got = read(fd, block, sizeof block)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return lex_fail(err, LEX_REJECT, "%s: cannot read the policy: %s", path,
                            strerror(errno));
        lex_buf_put(buf, block, (size_t)got);
        if (!lex_buf_ok(buf))
            return lex_fail(err, LEX_LIMIT, "%s: a policy may have %d bytes at most", path,
                            LEX_POLICY_MAX_BYTES);
    }
    return LEX_OK;
}

LEX_STATUS lex_policy_load_file(const char *path, struct lex_policy **ret_policy,
                                struct lex_error *err)
{
    LEX_CLEANUP(close_file) int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat info;
    if (fd < 0 || fstat(fd, &info) != 0)
        return lex_fail(err, LEX_REJECT, "%s: cannot open the policy: %s", path, strerror(errno));
    if (S_ISDIR(info.st_mode))
        return lex_fail(err, LEX_REJECT, "%s: is a directory; name one policy file", path);
    LEX_CLEANUP(lex_buf_fini) struct lex_buf buf;
    lex_buf_init(&buf, LEX_POLICY_MAX_BYTES);
    LEX_TRY(read_file(fd, path, &buf, err));
    return lex_policy_load(lex_buf_span(&buf), path, ret_policy, err);
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
    lex_arena_fini(&policy->arena);
    free(policy);
}

const struct lex_policy_info *lex_policy_info(const struct lex_policy *policy)
{
    return &policy->info;
}

size_t lex_policy_lints(const struct lex_policy *policy, const struct lex_policy_lint **ret_lints)
{
    *ret_lints = policy->lints;
    return policy->lints_count;
}

/* ---- versions ---- */

static bool is_numeric(struct lex_span version)
{
    for (size_t i = 0; i < version.len; i++) {
        bool dot = version.data[i] == '.';
        bool edge = i == 0 || i + 1 == version.len || version.data[i - 1] == '.';
        if ((dot && edge) || (!dot && (version.data[i] < '0' || version.data[i] > '9')))
            return false;
    }
    return version.len != 0;
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

int lex_policy_version_cmp(struct lex_span a, struct lex_span b)
{
    if (lex_span_absent(a) || lex_span_absent(b))
        return 0;
    if (!is_numeric(a) || !is_numeric(b))
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
