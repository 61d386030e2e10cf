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

static uint64_t word_at(const uint8_t *data)
{
    uint64_t word;
    memcpy(&word, data, sizeof word);
    return word;
}

/* Whether eight bytes are all printable ASCII, 0x20 to 0x7e: none has its top bit, none is below
 * 0x20, none is 0x7f (which is the only one whose sum with 1 gets a top bit). */
static bool plain_word(uint64_t word)
{
    static const uint64_t ones = 0x0101010101010101, tops = 0x8080808080808080;
    return ((word | (word + ones) | (word - 0x20 * ones)) & tops) == 0;
}

/* One to seven bytes as a word, by loads that overlap; no other bytes are in it. */
static uint64_t short_word(struct lex_span text)
{
    uint32_t first, last;
    if (text.len >= 4) {
        memcpy(&first, text.data, sizeof first);
        memcpy(&last, text.data + text.len - 4, sizeof last);
        return (uint64_t)last << 32 | first;
    }
    uint64_t blanks = 0x2020202020000000;
    return blanks | (uint64_t)text.data[0] << 16 | (uint64_t)text.data[text.len / 2] << 8 |
           text.data[text.len - 1];
}

/* @pre 1 byte at least */
static inline bool plain_name(struct lex_span name)
{
    if (name.len < 8)
        return plain_word(short_word(name));
    for (size_t at = 0; at + 8 < name.len; at += 8)
        if (!plain_word(word_at(name.data + at)))
            return false;
    return plain_word(word_at(name.data + name.len - 8)); /* may overlap the one before */
}

static __attribute__((noinline)) const char *problem_of(struct lex_span name)
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

/* Names are plain ASCII nearly always, which eight bytes at a time show. */
const char *lex_name_problem(struct lex_span name)
{
    bool usual = name.len - 1 < LEX_POLICY_NAME_MAX_BYTES && plain_name(name);
    return usual ? NULL : problem_of(name);
}

/* ---- the table ---- */

/* Eight bytes a step, each folded in by a full multiplication (the scheme of wyhash). Requests only
 * look names up, so a hostile one cannot make chains longer. */
static uint64_t fold(uint64_t a, uint64_t b)
{
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint32_t hash_text(struct lex_span text)
{
    static const uint64_t k0 = 0x9e3779b97f4a7c15, k1 = 0xbf58476d1ce4e5b9;
    uint64_t hash = k0 ^ text.len, tail;
    size_t at = 0;
    for (; at + 8 < text.len; at += 8)
        hash = fold(hash ^ word_at(text.data + at), k1);
    tail = text.len >= 8 ? word_at(text.data + text.len - 8) : text.len != 0 ? short_word(text) : 0;
    hash = fold(hash ^ tail, k0);
    return (uint32_t)(hash ^ hash >> 32);
}

static inline struct lex_name *slot_of(const struct lex_names *names, struct lex_span text,
                                       uint32_t hash)
{
    size_t mask = names->capacity - 1, at = hash & mask;
    for (;; at = (at + 1) & mask) {
        struct lex_name *slot = &names->slots[at];
        if (lex_span_absent(slot->text) || (slot->hash == hash && lex_span_eq(slot->text, text)))
            return slot;
    }
}

const struct lex_name *lex_names_find(const struct lex_names *names, struct lex_span text)
{
    if (names->capacity == 0 || lex_span_absent(text))
        return NULL;
    const struct lex_name *slot = slot_of(names, text, hash_text(text));
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
            *slot_of(&grown, names->slots[i].text, names->slots[i].hash) = names->slots[i];
    free(names->slots);
    *names = grown;
    return LEX_OK;
}

LEX_STATUS lex_names_put(struct lex_names *names, struct lex_span text, struct lex_name name)
{
    if (2 * (names->count + 1) > names->capacity)
        LEX_TRY(grow(names));
    uint32_t hash = hash_text(text);
    struct lex_name *slot = slot_of(names, text, hash);
    names->count += lex_span_absent(slot->text);
    *slot = name;
    slot->text = text;
    slot->hash = hash;
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

struct lex_span lex_policy_actor_name(const struct lex_policy *policy, struct lex_span name)
{
    const struct lex_terms *actors = &policy->terms[LEX_KIND_ACTOR];
    lex_term_id id = lex_policy_resolve(policy, LEX_KIND_ACTOR, name);
    return id < actors->count ? actors->items[id].canonical : name;
}

bool lex_terms_hold(const struct lex_terms_above *above, lex_term_id target)
{
    size_t low = 0, count = above->count;
    while (count > 8) {
        size_t half = count / 2;
        low += above->items[low + half] <= target ? half : 0;
        count -= half;
    }
    for (size_t i = 0; i < count; i++)
        if (above->items[low + i] == target)
            return true;
    return false;
}

bool lex_policy_is_a(const struct lex_policy *policy, enum lex_kind kind, lex_term_id id,
                     lex_term_id target)
{
    if (id >= policy->terms[kind].count)
        return false;
    return id == target || lex_terms_hold(&policy->terms[kind].items[id].above, target);
}
