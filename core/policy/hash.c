/* Hash: the two names of a document's content.
 *
 * policy_hash covers every byte of meaning and no accident of writing: canonical JSON (RFC 8785) of
 * the whole document, in which the arrays that are sets (terms, relations, constraints, conditions,
 * lists of names) are sorted by their members' own canonical bytes. legacy_policy_hash repeats the
 * reference system's: sorted, compact, ASCII-only JSON of mode, terms and relations alone. */
#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/jcs.h"
#include "core/base/text.h"
#include "core/crypto/crypto.h"
#include "core/policy/load.h"

/* ---- which arrays are sets ---- */

/* What a value is, by its way from the root. */
enum role {
    ROLE_PLAIN, /* order means something, or may */
    ROLE_DOCUMENT,
    ROLE_TERMS, /* a list, or lists by kind; the same for relations */
    ROLE_TERM,
    ROLE_RELATIONS,
    ROLE_RELATION,
    ROLE_CONSTRAINTS,
    ROLE_CONSTRAINT,
    ROLE_RELATION_METADATA,
    ROLE_TERM_METADATA,
    ROLE_CONDITIONS,
    ROLE_CONDITION,
    ROLE_OPTIONS,
    ROLE_FACTS,
    ROLE_FACT,
    ROLE_NAMES, /* a list of names */
};

static const struct {
    enum role parent;
    struct lex_span key; /* absent: any other member */
    enum role child;
} roles[] = {
    {ROLE_DOCUMENT, LEX_SPAN_INIT("terms"), ROLE_TERMS},
    {ROLE_DOCUMENT, LEX_SPAN_INIT("relations"), ROLE_RELATIONS},
    {ROLE_DOCUMENT, LEX_SPAN_INIT("constraints"), ROLE_CONSTRAINTS},
    {ROLE_DOCUMENT, LEX_SPAN_INIT("options"), ROLE_OPTIONS},
    {ROLE_OPTIONS, LEX_SPAN_INIT("open_world"), ROLE_NAMES},
    {ROLE_OPTIONS, LEX_SPAN_INIT("facts"), ROLE_FACTS},
    {ROLE_FACTS, {NULL, 0}, ROLE_FACT},
    {ROLE_FACT, LEX_SPAN_INIT("attested_by"), ROLE_NAMES},
    {ROLE_TERMS, {NULL, 0}, ROLE_TERMS},
    {ROLE_RELATIONS, {NULL, 0}, ROLE_RELATIONS},
    {ROLE_CONSTRAINTS, {NULL, 0}, ROLE_CONSTRAINT},
    {ROLE_TERM, LEX_SPAN_INIT("member_of"), ROLE_NAMES},
    {ROLE_TERM, LEX_SPAN_INIT("metadata"), ROLE_TERM_METADATA},
    {ROLE_TERM_METADATA, LEX_SPAN_INIT("member_of"), ROLE_NAMES},
    {ROLE_RELATION, LEX_SPAN_INIT("object"), ROLE_NAMES},
    {ROLE_RELATION, LEX_SPAN_INIT("data_class"), ROLE_NAMES},
    {ROLE_RELATION, LEX_SPAN_INIT("data_classes"), ROLE_NAMES},
    {ROLE_RELATION, LEX_SPAN_INIT("resource"), ROLE_NAMES},
    {ROLE_RELATION, LEX_SPAN_INIT("condition"), ROLE_CONDITIONS},
    {ROLE_RELATION, LEX_SPAN_INIT("conditions"), ROLE_CONDITIONS},
    {ROLE_RELATION, LEX_SPAN_INIT("metadata"), ROLE_RELATION_METADATA},
    {ROLE_RELATION_METADATA, LEX_SPAN_INIT("object"), ROLE_NAMES},
    {ROLE_RELATION_METADATA, LEX_SPAN_INIT("condition"), ROLE_CONDITIONS},
    {ROLE_CONSTRAINT, LEX_SPAN_INIT("condition"), ROLE_CONDITIONS},
    {ROLE_CONSTRAINT, LEX_SPAN_INIT("conditions"), ROLE_CONDITIONS},
    {ROLE_CONDITIONS, LEX_SPAN_INIT("days"), ROLE_NAMES}, /* one condition without a list */
    {ROLE_CONDITION, LEX_SPAN_INIT("days"), ROLE_NAMES},
};

static enum role role_of_member(enum role parent, struct lex_span key)
{
    for (size_t i = 0; i < LEX_COUNT_OF(roles); i++)
        if (roles[i].parent == parent &&
            (lex_span_absent(roles[i].key) || lex_span_eq(roles[i].key, key)))
            return roles[i].child;
    return ROLE_PLAIN;
}

static bool role_is_set(enum role role, enum role *ret_element)
{
    switch (role) {
    case ROLE_TERMS: *ret_element = ROLE_TERM; return true;
    case ROLE_RELATIONS: *ret_element = ROLE_RELATION; return true;
    case ROLE_CONSTRAINTS: *ret_element = ROLE_CONSTRAINT; return true;
    case ROLE_CONDITIONS: *ret_element = ROLE_CONDITION; return true;
    case ROLE_NAMES: *ret_element = ROLE_PLAIN; return true;
    default: *ret_element = ROLE_PLAIN; return false;
    }
}

/* ---- bytes ---- */

/* lex_buf_put, for the many small pieces: where there is room, without a call. */
static inline void put_bytes(struct lex_buf *buf, const void *data, size_t len)
{
    if (buf->failed || buf->cap - buf->len <= len || buf->max - buf->len < len) {
        lex_buf_put(buf, data, len);
        return;
    }
    memcpy(buf->data + buf->len, data, len);
    buf->len += len;
    buf->data[buf->len] = 0;
}

static inline void put_byte(struct lex_buf *buf, char c)
{
    put_bytes(buf, &c, 1);
}

/* ---- members in order ---- */

enum { FEW = 24 }; /* members or elements that need no memory of their own */

typedef int key_order(struct lex_span a, struct lex_span b);

static void insert(const struct lex_json **members, size_t count, const struct lex_json *member,
                   key_order *order)
{
    for (; count > 0 && order(members[count - 1]->key, member->key) > 0; count--)
        members[count] = members[count - 1];
    members[count] = member;
}

static int by_code_points(const void *a, const void *b)
{
    const struct lex_json *const *x = a, *const *y = b;
    return lex_span_cmp((*x)->key, (*y)->key);
}

static int by_code_units(const void *a, const void *b)
{
    const struct lex_json *const *x = a, *const *y = b;
    return lex_jcs_cmp((*x)->key, (*y)->key);
}

/* The members, sorted; in `few` where they fit, else to be freed. NULL: out of memory. */
static const struct lex_json **sorted_members(const struct lex_json *object,
                                              const struct lex_json *few[FEW], key_order *order)
{
    const struct lex_json **members = few;
    size_t count = 0;
    if (object->count > FEW)
        members = malloc(object->count * sizeof(const struct lex_json *));
    if (members == NULL)
        return NULL;
    for (const struct lex_json *member = object->child; member != NULL; member = member->next)
        if (members == few)
            insert(members, count++, member, order);
        else
            members[count++] = member;
    if (members != few)
        qsort(members, count, sizeof(const struct lex_json *),
              order == lex_jcs_cmp ? by_code_units : by_code_points);
    return members;
}

/* ---- the canonical form ---- */

/* Policies are mostly strings without escapes, and these are canonical as they stand in the text,
 * quotes included: they are copied rather than written anew. */
struct form {
    struct lex_buf *buf;
    struct lex_span source; /* of the whole document */
};

static void put(const struct form *form, const struct lex_json *node, enum role role);

static void put_string(const struct form *form, struct lex_span text)
{
    uintptr_t start = (uintptr_t)form->source.data, at = (uintptr_t)text.data;
    if (at > start && at - start < form->source.len)
        put_bytes(form->buf, text.data - 1, text.len + 2);
    else
        lex_jcs_put_string(form->buf, text);
}

enum { EXACT_DIGITS = 15 }; /* a whole number of so many characters is exact, and canonical */

static void put_number(const struct form *form, const struct lex_json *node)
{
    bool minus_zero = lex_span_eq(node->text, LEX_SPAN("-0"));
    if (node->integer && node->text.len <= EXACT_DIGITS && !minus_zero)
        put_bytes(form->buf, node->text.data, node->text.len);
    else
        lex_jcs_put(form->buf, node);
}

static void put_object(const struct form *form, const struct lex_json *object, enum role role)
{
    const struct lex_json *few[FEW], **members = sorted_members(object, few, lex_jcs_cmp);
    if (members == NULL) {
        form->buf->failed = true;
        return;
    }
    put_byte(form->buf, '{');
    for (size_t i = 0; i < object->count; i++) {
        if (i != 0)
            put_byte(form->buf, ',');
        put_string(form, members[i]->key);
        put_byte(form->buf, ':');
        bool nested =
            members[i]->type >= LEX_JSON_ARRAY; /* only these have an order of their own */
        put(form, members[i], nested ? role_of_member(role, members[i]->key) : ROLE_PLAIN);
    }
    put_byte(form->buf, '}');
    if (members != few)
        free(members);
}

/* An element's canonical bytes, and sixteen of them as two numbers: what it is compared by. */
struct element {
    uint64_t high, low;
    struct lex_span bytes;
};
enum { KEY_BYTES = 16 };

static int by_key(const void *a, const void *b)
{
    const struct element *x = a, *y = b;
    if (x->high != y->high)
        return x->high < y->high ? -1 : 1;
    return (x->low > y->low) - (x->low < y->low);
}

/* The bytes that all have in common, of which the first `skip` are known to be. */
static size_t common_bytes(const struct element *elements, size_t count, size_t skip)
{
    struct lex_span first = elements[0].bytes;
    size_t common = first.len;
    for (size_t i = 1; i < count && common > skip; i++) {
        struct lex_span other = elements[i].bytes;
        size_t n = skip, most = common < other.len ? common : other.len;
        while (n < most && first.data[n] == other.data[n])
            n++;
        common = n;
    }
    return common;
}

/* Eight bytes, the first one the highest; zeros behind the end (canonical JSON has none). */
static uint64_t key_of(struct lex_span bytes, size_t skip)
{
    uint64_t key = 0;
    if (skip + sizeof key <= bytes.len) {
        memcpy(&key, bytes.data + skip, sizeof key);
        return be64toh(key);
    }
    for (size_t i = skip; i < skip + sizeof key; i++)
        key = key << 8 | (i < bytes.len ? bytes.data[i] : 0);
    return key;
}

static void sort_few(struct element *elements, size_t count)
{
    for (size_t i = 1; i < count; i++)
        for (size_t j = i; j > 0 && lex_span_cmp(elements[j - 1].bytes, elements[j].bytes) > 0;
             j--) {
            struct element element = elements[j];
            elements[j] = elements[j - 1];
            elements[j - 1] = element;
        }
}

/* In byte order. The elements of a policy begin alike for long; so what a group has in common is
 * passed over once, not in each comparison, and each group that sixteen bytes more do not tell
 * apart is sorted in its turn. */
static void sort_elements(struct element *elements, size_t count, size_t skip)
{
    if (count <= 8) {
        sort_few(elements, count);
        return;
    }
    skip = common_bytes(elements, count, skip);
    for (size_t i = 0; i < count; i++) {
        elements[i].high = key_of(elements[i].bytes, skip);
        elements[i].low = key_of(elements[i].bytes, skip + KEY_BYTES / 2);
    }
    qsort(elements, count, sizeof *elements, by_key);
    for (size_t at = 0, end; at < count; at = end) {
        for (end = at; end < count && by_key(&elements[at], &elements[end]) == 0;)
            end++;
        if (end - at < count) /* else they are all the same */
            sort_elements(elements + at, end - at, skip + KEY_BYTES);
    }
}

/* Write the elements that stand in buf[start ..) behind each other, without commas, as a sorted
 * array. */
static void sort_set(struct lex_buf *buf, size_t start, struct element *elements, size_t count)
{
    uint8_t few[1024], *copy = few;
    size_t bytes = buf->len - start;
    if (bytes > sizeof few)
        copy = malloc(bytes);
    if (copy == NULL) {
        buf->failed = true;
        return;
    }
    memcpy(copy, buf->data + start, bytes);
    for (size_t i = 0, at = 0; i < count; at += elements[i++].bytes.len)
        elements[i].bytes.data = copy + at;
    sort_elements(elements, count, 0);
    buf->len = start;
    for (size_t i = 0; i < count; i++) {
        if (i != 0)
            put_byte(buf, ',');
        put_bytes(buf, elements[i].bytes.data, elements[i].bytes.len);
    }
    if (copy != few)
        free(copy);
}

static void put_set(const struct form *form, const struct lex_json *array, enum role element)
{
    struct element few[FEW], *elements = few;
    struct lex_buf *buf = form->buf;
    size_t count = 0;
    if (array->count > FEW)
        elements = calloc(array->count, sizeof *elements);
    if (elements == NULL) {
        buf->failed = true;
        return;
    }
    put_byte(buf, '[');
    size_t start = buf->len;
    for (const struct lex_json *item = array->child; item != NULL; item = item->next) {
        size_t at = buf->len;
        put(form, item, element);
        elements[count++].bytes = lex_span_of(NULL, buf->len - at);
    }
    if (count > 1 && lex_buf_ok(buf))
        sort_set(buf, start, elements, count);
    put_byte(buf, ']');
    if (elements != few)
        free(elements);
}

static void put_list(const struct form *form, const struct lex_json *array)
{
    put_byte(form->buf, '[');
    for (const struct lex_json *item = array->child; item != NULL; item = item->next) {
        put(form, item, ROLE_PLAIN);
        if (item->next != NULL)
            put_byte(form->buf, ',');
    }
    put_byte(form->buf, ']');
}

static void put_array(const struct form *form, const struct lex_json *array, enum role role)
{
    enum role element;
    if (role_is_set(role, &element))
        put_set(form, array, element);
    else
        put_list(form, array);
}

static void put(const struct form *form, const struct lex_json *node, enum role role)
{
    switch (node->type) {
    case LEX_JSON_OBJECT: put_object(form, node, role); break;
    case LEX_JSON_ARRAY: put_array(form, node, role); break;
    case LEX_JSON_STRING: put_string(form, node->text); break;
    case LEX_JSON_NUMBER: put_number(form, node); break;
    default: lex_jcs_put(form->buf, node);
    }
}

void lex_policy_canonical(const struct lex_json *document, struct lex_buf *out)
{
    const struct form form = {out, document->text};
    put(&form, document, ROLE_DOCUMENT);
}

void lex_policy_canonical_options(const struct lex_json *options, struct lex_buf *out)
{
    const struct form form = {out, options->text};
    put(&form, options, ROLE_OPTIONS);
}

/* ---- the reference system's form ---- */

static void put_escaped(struct lex_buf *buf, uint32_t code)
{
    static const char plain[] = "\b\f\n\r\t\"\\", escape[] = "bfnrt\"\\";
    const char *found = code != 0 && code < 0x80 ? strchr(plain, (int)code) : NULL;
    if (found != NULL)
        lex_buf_printf(buf, "\\%c", escape[found - plain]);
    else if (code < 0x10000)
        lex_buf_printf(buf, "\\u%04x", (unsigned)code);
    else
        lex_buf_printf(buf, "\\u%04x\\u%04x", (unsigned)(0xd7c0 + (code >> 10)),
                       (unsigned)(0xdc00 + (code & 0x3ff)));
}

static bool is_plain(uint8_t c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* Whether eight bytes may all be plain: none has its top bit or lies below 0x20, and none is 0x7f,
 * a quote or a backslash (x ^ c is 0 where a byte is c, and then borrows from the bit above). */
static bool plain_word(const uint8_t *data)
{
    static const uint64_t ones = 0x0101010101010101, tops = 0x8080808080808080;
    uint64_t word, quote, slash;
    memcpy(&word, data, sizeof word);
    quote = word ^ '"' * ones;
    slash = word ^ '\\' * ones;
    return ((word | (word + ones) | (word - 0x20 * ones) | (quote - ones) | (slash - ones)) &
            tops) == 0;
}

/* Where the first byte from `at` on stands that needs an escape. */
static size_t plain_until(struct lex_span text, size_t at)
{
    while (at + 8 <= text.len && plain_word(text.data + at))
        at += 8;
    while (at < text.len && is_plain(text.data[at]))
        at++;
    return at;
}

static void put_ascii(struct lex_buf *buf, struct lex_span text)
{
    put_byte(buf, '"');
    for (size_t at = 0, plain; at < text.len;) {
        uint32_t code = 0;
        plain = plain_until(text, at);
        put_bytes(buf, text.data + at, plain - at);
        if ((at = plain) == text.len)
            break;
        at += lex_utf8_next(lex_span_of(text.data + at, text.len - at), &code);
        put_escaped(buf, code);
    }
    put_byte(buf, '"');
}

static void put_zeros(struct lex_buf *buf, int count)
{
    for (int i = 0; i < count; i++)
        put_byte(buf, '0');
}

/* Shortest digits; an exponent below 1e-4 and from 1e16 on, always a fraction without one. */
static void put_python_float(struct lex_buf *buf, double value)
{
    char digits[LEX_JCS_DIGITS_MAX + 1];
    int n;
    bool negative = __builtin_signbit(value) != 0;
    int k = (int)lex_double_digits(negative ? -value : value, digits, &n);
    if (negative)
        lex_buf_putc(buf, '-');
    if (n - 1 < -4 || n - 1 >= 16) {
        lex_buf_printf(buf, "%c%s%se%c%02d", digits[0], k > 1 ? "." : "", digits + 1,
                       n > 0 ? '+' : '-', abs(n - 1));
    } else if (n <= 0) {
        lex_buf_puts(buf, "0.");
        put_zeros(buf, -n);
        lex_buf_puts(buf, digits);
    } else {
        lex_buf_printf(buf, "%.*s", n < k ? n : k, digits);
        put_zeros(buf, n - k);
        lex_buf_printf(buf, ".%s", n < k ? digits + n : "0");
    }
}

static void put_python_number(struct lex_buf *buf, const struct lex_json *node)
{
    double value;
    if (node->integer)
        lex_buf_put_span(buf, lex_span_eq(node->text, LEX_SPAN("-0")) ? LEX_SPAN("0") : node->text);
    else if (lex_json_double(node->text, &value) == LEX_OK)
        put_python_float(buf, value);
    else
        buf->failed = true;
}

static void put_legacy(struct lex_buf *buf, const struct lex_json *node);

static void put_legacy_object(struct lex_buf *buf, const struct lex_json *object)
{
    const struct lex_json *few[FEW], **members = sorted_members(object, few, lex_span_cmp);
    if (members == NULL) {
        buf->failed = true;
        return;
    }
    put_byte(buf, '{');
    for (size_t i = 0; i < object->count; i++) {
        if (i != 0)
            put_byte(buf, ',');
        put_ascii(buf, members[i]->key);
        put_byte(buf, ':');
        put_legacy(buf, members[i]);
    }
    put_byte(buf, '}');
    if (members != few)
        free(members);
}

static void put_legacy_array(struct lex_buf *buf, const struct lex_json *array)
{
    put_byte(buf, '[');
    for (const struct lex_json *item = array->child; item != NULL; item = item->next) {
        put_legacy(buf, item);
        if (item->next != NULL)
            put_byte(buf, ',');
    }
    put_byte(buf, ']');
}

static void put_legacy(struct lex_buf *buf, const struct lex_json *node)
{
    switch (node->type) {
    case LEX_JSON_NULL: lex_buf_puts(buf, "null"); break;
    case LEX_JSON_BOOL: lex_buf_puts(buf, node->boolean ? "true" : "false"); break;
    case LEX_JSON_NUMBER: put_python_number(buf, node); break;
    case LEX_JSON_STRING: put_ascii(buf, node->text); break;
    case LEX_JSON_ARRAY: put_legacy_array(buf, node); break;
    case LEX_JSON_OBJECT: put_legacy_object(buf, node); break;
    }
}

static void put_or(struct lex_buf *buf, const struct lex_json *document, const char *key,
                   const char *otherwise)
{
    const struct lex_json *node = lex_json_get(document, key);
    if (node == NULL)
        lex_buf_puts(buf, otherwise);
    else
        put_legacy(buf, node);
}

void lex_policy_legacy_canonical(const struct lex_json *document, struct lex_buf *out)
{
    lex_buf_puts(out, "{\"mode\":");
    put_or(out, document, "mode", "\"strict\"");
    lex_buf_puts(out, ",\"relations\":");
    put_or(out, document, "relations", "[]");
    lex_buf_puts(out, ",\"terms\":");
    put_or(out, document, "terms", "[]");
    lex_buf_putc(out, '}');
}

/* ---- both hashes ---- */

static LEX_STATUS hash_form(struct lex_loader *loader, struct lex_buf *buf, uint8_t ret_hash[32])
{
    struct lex_span bytes = lex_buf_span(buf);
    struct lex_hash hash;
    if (!lex_buf_ok(buf))
        return lex_load_no_memory(loader);
    lex_sha256(&bytes, 1, &hash);
    memcpy(ret_hash, hash.bytes, sizeof hash.bytes);
    return LEX_OK;
}

LEX_STATUS lex_load_hashes(struct lex_loader *loader, struct lex_policy_document *document)
{
    LEX_CLEANUP(lex_buf_fini) struct lex_buf buf; /* one for both: it may have many MiB */
    const struct lex_json *inexact = lex_jcs_inexact(loader->root);
    lex_buf_init(&buf, SIZE_MAX / 4);
    if (inexact != NULL)
        return lex_load_fail(loader, LEX_REJECT, inexact->at,
                             "a number must be exact in the policy's hash: a whole one within "
                             "9007199254740991, any other within the range of a double");
    lex_policy_canonical(loader->root, &buf);
    LEX_TRY(hash_form(loader, &buf, document->hash));
    lex_buf_clear(&buf);
    lex_policy_legacy_canonical(loader->root, &buf);
    return hash_form(loader, &buf, document->legacy_hash);
}

/* ---- of several documents ---- */

static int by_hash(const void *a, const void *b)
{
    return memcmp(a, b, LEX_HASH_BYTES);
}

/* One hash is itself; several give that of their sorted list. */
static void hash_of_hashes(struct lex_hash *hashes, size_t count, uint8_t ret_hash[32])
{
    struct lex_hash hash = hashes[0];
    struct lex_span bytes = lex_span_of(hashes, count * sizeof *hashes);
    qsort(hashes, count, sizeof *hashes, by_hash);
    if (count > 1)
        lex_sha256(&bytes, 1, &hash);
    memcpy(ret_hash, hash.bytes, sizeof hash.bytes);
}

LEX_STATUS lex_load_policy_hashes(struct lex_loader *loader)
{
    struct lex_policy *policy = loader->policy;
    struct lex_hash hashes[LEX_POLICY_MAX_DOCUMENTS];
    LEX_ASSERT(loader->enforced > 0 && loader->enforced <= LEX_POLICY_MAX_DOCUMENTS);
    for (size_t i = 0; i < loader->enforced; i++)
        memcpy(hashes[i].bytes, policy->documents[i].hash, LEX_HASH_BYTES);
    hash_of_hashes(hashes, loader->enforced, policy->info.hash);
    for (size_t i = 0; i < loader->enforced; i++)
        memcpy(hashes[i].bytes, policy->documents[i].legacy_hash, LEX_HASH_BYTES);
    hash_of_hashes(hashes, loader->enforced, policy->info.legacy_hash);
    return LEX_OK;
}

/* ---- of what a history must hold ---- */

static void put_rate(struct lex_buf *buf, const struct lex_policy *policy,
                     const struct lex_rule *rule, const struct lex_condition *condition)
{
    lex_buf_puts(buf, "[\"rate\",");
    lex_jcs_put_string(buf, rule->id);
    lex_buf_printf(buf, ",%" PRIu32 ",%" PRId64 ",", condition->rate.window_s, condition->rate.max);
    if (condition->rate.sum == UINT32_MAX)
        lex_buf_puts(buf, "null]");
    else {
        lex_jcs_put_string(buf, policy->facts[condition->rate.sum].name);
        lex_buf_putc(buf, ']');
    }
}

static void put_duty(struct lex_buf *buf, const struct lex_policy *policy,
                     const struct lex_conflict *conflict)
{
    struct lex_span a = lex_policy_term(policy, conflict->kind, conflict->a)->canonical;
    struct lex_span b = lex_policy_term(policy, conflict->kind, conflict->b)->canonical;
    bool turned = lex_span_cmp(a, b) > 0;
    lex_buf_puts(buf, "[\"duty\",");
    lex_jcs_put_string(buf, turned ? b : a);
    lex_buf_putc(buf, ',');
    lex_jcs_put_string(buf, turned ? a : b);
    lex_buf_printf(buf, ",%d,%" PRIu32 "]", (int)conflict->scope, conflict->window_s);
}

/* The listing's lines, by the bytes that each ends at. */
struct listing {
    struct lex_buf text;
    size_t *ends;
    size_t count, capacity;
};

static void listing_fini(struct listing *listing)
{
    lex_buf_fini(&listing->text);
    free(listing->ends);
}

static LEX_STATUS end_line(struct lex_loader *loader, struct listing *listing)
{
    void *ends = listing->ends;
    LEX_TRY(
        lex_load_grow(loader, &ends, listing->count, &listing->capacity, sizeof *listing->ends));
    listing->ends = ends;
    listing->ends[listing->count++] = listing->text.len;
    return LEX_OK;
}

static LEX_STATUS list_rates(struct lex_loader *loader, struct listing *listing)
{
    const struct lex_policy *policy = loader->policy;
    for (size_t i = 0; i < policy->rules_count; i++)
        for (size_t j = 0; j < policy->rules[i].conditions_count; j++) {
            const struct lex_condition *condition =
                &policy->conditions[lex_rule_conditions(&policy->rules[i])[j]];
            if (condition->type != LEX_CONDITION_RATE_LIMIT)
                continue;
            put_rate(&listing->text, policy, &policy->rules[i], condition);
            LEX_TRY(end_line(loader, listing));
        }
    return LEX_OK;
}

static void put_term(struct lex_buf *buf, const struct lex_terms *terms,
                     const struct lex_term *term)
{
    lex_buf_puts(buf, "[\"term\",");
    lex_jcs_put_string(buf, term->canonical);
    lex_buf_putc(buf, ',');
    lex_jcs_put_string(buf, term->id);
    lex_buf_putc(buf, ',');
    lex_jcs_put_string(buf, lex_span_absent(term->label) ? LEX_SPAN("") : term->label);
    for (size_t i = 0; i < term->above.count; i++) {
        lex_buf_putc(buf, ',');
        lex_jcs_put_string(buf, terms->items[term->above.items[i]].canonical);
    }
    lex_buf_putc(buf, ']');
}

/* A duty's items name actors, actions and resources as this policy resolves and closes them. The
 * numbers in a closure follow the document's order, so an order of terms alone may change the hash:
 * that costs a rebuild and never a duty. */
static LEX_STATUS list_terms(struct lex_loader *loader, struct listing *listing)
{
    static const enum lex_kind kinds[] = {LEX_KIND_ACTOR, LEX_KIND_ACTION, LEX_KIND_RESOURCE};
    for (size_t i = 0; i < LEX_COUNT_OF(kinds); i++) {
        const struct lex_terms *terms = &loader->policy->terms[kinds[i]];
        for (size_t j = 0; j < terms->count; j++) {
            put_term(&listing->text, terms, &terms->items[j]);
            LEX_TRY(end_line(loader, listing));
        }
    }
    return LEX_OK;
}

static LEX_STATUS list_duties(struct lex_loader *loader, struct listing *listing)
{
    const struct lex_policy *policy = loader->policy;
    const size_t before = listing->count;
    for (size_t i = 0; i < policy->conflicts_count; i++) {
        if (policy->conflicts[i].kind != LEX_KIND_ACTION)
            continue;
        put_duty(&listing->text, policy, &policy->conflicts[i]);
        LEX_TRY(end_line(loader, listing));
    }
    return listing->count == before ? LEX_OK : list_terms(loader, listing);
}

/* SHA-256 over the sorted lines: two policies that differ in other rules read the same history. */
LEX_STATUS lex_load_history_hash(struct lex_loader *loader)
{
    LEX_CLEANUP(listing_fini) struct listing listing = {.count = 0};
    struct lex_hash hash;
    lex_buf_init(&listing.text, SIZE_MAX / 4);
    LEX_TRY(list_rates(loader, &listing));
    LEX_TRY(list_duties(loader, &listing));
    struct element *sorted = lex_arena_calloc(&loader->tree, listing.count, sizeof *sorted);
    struct lex_span *lines = lex_arena_calloc(&loader->tree, listing.count, sizeof *lines);
    if (sorted == NULL || lines == NULL || !lex_buf_ok(&listing.text))
        return lex_load_no_memory(loader);
    for (size_t i = 0; i < listing.count; i++) {
        size_t start = i == 0 ? 0 : listing.ends[i - 1];
        sorted[i].bytes =
            lex_span_of(lex_buf_span(&listing.text).data + start, listing.ends[i] - start);
    }
    if (listing.count != 0)
        sort_elements(sorted, listing.count, 0);
    for (size_t i = 0; i < listing.count; i++)
        lines[i] = sorted[i].bytes;
    lex_sha256(lines, listing.count, &hash);
    memcpy(loader->policy->info.history_hash, hash.bytes, sizeof hash.bytes);
    loader->policy->info.remembers = listing.count != 0;
    return LEX_OK;
}
