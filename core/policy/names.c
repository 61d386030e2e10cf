/* Names: one table per kind from every spelling of a term to its number.
 *
 * A name means a term by being equal to it, byte for byte; there is no search. Where two terms
 * would share a name, the higher level wins, and on one level the name is poisoned, so that nothing
 * ever depends on which of the two came first. */
#include "core/base/text.h"

#include <stdlib.h>

#include "core/policy/load.h"

struct lex_kind_words lex_kind_words(enum lex_kind kind)
{
    static const struct {
        const char *type, *list, *prefix, *alias;
    } words[] = {
#define LEX_KIND(name, type, list, prefix, alias) {type, list, prefix, alias},
#include "core/policy/kinds.def"
#undef LEX_KIND
    };
    LEX_ASSERT((unsigned)kind < LEX_COUNT_OF(words));
    return (struct lex_kind_words){lex_span_str(words[kind].type), lex_span_str(words[kind].list),
                                   lex_span_str(words[kind].prefix),
                                   lex_span_str(words[kind].alias)};
}

enum lex_kind lex_kind_of_prefix(struct lex_span name)
{
    for (unsigned kind = 0; kind < LEX_KIND_COUNT; kind++) {
        struct lex_span prefix = lex_kind_words(kind).prefix;
        if (name.len >= prefix.len && memcmp(name.data, prefix.data, prefix.len) == 0)
            return kind;
    }
    return LEX_KIND_COUNT;
}

static bool is_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0);
}

const char *lex_name_problem(struct lex_span name)
{
    if (name.len == 0)
        return "is empty";
    if (name.len > LEX_POLICY_NAME_MAX_BYTES)
        return "is longer than 512 bytes";
    for (size_t at = 0; at < name.len;) {
        uint32_t code;
        size_t n = lex_utf8_next(lex_span_of(name.data + at, name.len - at), &code);
        if (n == 0)
            return "is not valid UTF-8";
        if (is_control(code))
            return "has a control character";
        at += n;
    }
    return NULL;
}

/* ---- the table ---- */

/* FNV-1a, 64 bits. Requests only look names up, so a hostile one cannot make chains longer. */
static size_t hash_text(struct lex_span text)
{
    uint64_t hash = 0xcbf29ce484222325;
    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ text.data[i]) * 0x100000001b3;
    return (size_t)(hash ^ hash >> 32);
}

static struct lex_name *slot_of(const struct lex_names *names, struct lex_span text)
{
    size_t mask = names->capacity - 1, at = hash_text(text) & mask;
    while (!lex_span_absent(names->slots[at].text) && !lex_span_eq(names->slots[at].text, text))
        at = (at + 1) & mask;
    return &names->slots[at];
}

const struct lex_name *lex_names_find(const struct lex_names *names, struct lex_span text)
{
    if (names->capacity == 0 || lex_span_absent(text))
        return NULL;
    const struct lex_name *slot = slot_of(names, text);
    return lex_span_absent(slot->text) ? NULL : slot;
}

static enum lex_status grow(struct lex_names *names)
{
    size_t capacity = names->capacity == 0 ? 64 : 2 * names->capacity;
    struct lex_names grown = {calloc(capacity, sizeof *grown.slots), capacity, names->count};
    if (grown.slots == NULL)
        return LEX_LIMIT;
    for (size_t i = 0; i < names->capacity; i++)
        if (!lex_span_absent(names->slots[i].text))
            *slot_of(&grown, names->slots[i].text) = names->slots[i];
    free(names->slots);
    *names = grown;
    return LEX_OK;
}

LEX_STATUS lex_names_put(struct lex_names *names, struct lex_span text, struct lex_name name)
{
    if (2 * (names->count + 1) > names->capacity)
        LEX_TRY(grow(names));
    struct lex_name *slot = slot_of(names, text);
    names->count += lex_span_absent(slot->text);
    *slot = name;
    slot->text = text;
    return LEX_OK;
}

void lex_names_fini(struct lex_names *names)
{
    free(names->slots);
    *names = (struct lex_names){0};
}

/* ---- what a decision asks ---- */

lex_term_id lex_policy_resolve(const struct lex_policy *policy, enum lex_kind kind,
                               struct lex_span name)
{
    const struct lex_name *found = lex_names_find(&policy->terms[kind].names, name);
    if (found == NULL)
        return LEX_TERM_UNKNOWN;
    return found->poisoned ? LEX_TERM_AMBIGUOUS : found->term;
}

const struct lex_term *lex_policy_term(const struct lex_policy *policy, enum lex_kind kind,
                                       lex_term_id id)
{
    LEX_ASSERT(id < policy->terms[kind].count);
    return &policy->terms[kind].items[id];
}

bool lex_policy_is_a(const struct lex_policy *policy, enum lex_kind kind, lex_term_id id,
                     lex_term_id target)
{
    if (id >= policy->terms[kind].count)
        return false;
    if (id == target)
        return true;
    const struct lex_terms_above *above = &policy->terms[kind].items[id].above;
    for (size_t i = 0; i < above->count; i++)
        if (above->items[i] == target)
            return true;
    return false;
}
