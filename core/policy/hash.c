/* Hash: the two names of a document's content.
 *
 * policy_hash covers every byte of meaning and no accident of writing: canonical JSON (RFC 8785) of
 * the whole document, in which the arrays that are sets (terms, relations, constraints, conditions,
 * lists of names) are sorted by their members' own canonical bytes. legacy_policy_hash repeats the
 * reference system's: sorted, compact, ASCII-only JSON of mode, terms and relations alone. */
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
    ROLE_NAMES, /* a list of names */
};

static const struct {
    enum role parent;
    const char *key; /* NULL: any other member */
    enum role child;
} members[] = {
    {ROLE_DOCUMENT, "terms", ROLE_TERMS},
    {ROLE_DOCUMENT, "relations", ROLE_RELATIONS},
    {ROLE_DOCUMENT, "constraints", ROLE_CONSTRAINTS},
    {ROLE_DOCUMENT, "options", ROLE_OPTIONS},
    {ROLE_OPTIONS, "open_world", ROLE_NAMES},
    {ROLE_TERMS, NULL, ROLE_TERMS},
    {ROLE_RELATIONS, NULL, ROLE_RELATIONS},
    {ROLE_CONSTRAINTS, NULL, ROLE_CONSTRAINT},
    {ROLE_TERM, "member_of", ROLE_NAMES},
    {ROLE_TERM, "metadata", ROLE_TERM_METADATA},
    {ROLE_TERM_METADATA, "member_of", ROLE_NAMES},
    {ROLE_RELATION, "object", ROLE_NAMES},
    {ROLE_RELATION, "data_class", ROLE_NAMES},
    {ROLE_RELATION, "data_classes", ROLE_NAMES},
    {ROLE_RELATION, "resource", ROLE_NAMES},
    {ROLE_RELATION, "condition", ROLE_CONDITIONS},
    {ROLE_RELATION, "conditions", ROLE_CONDITIONS},
    {ROLE_RELATION, "metadata", ROLE_RELATION_METADATA},
    {ROLE_RELATION_METADATA, "object", ROLE_NAMES},
    {ROLE_RELATION_METADATA, "condition", ROLE_CONDITIONS},
    {ROLE_CONSTRAINT, "condition", ROLE_CONDITIONS},
    {ROLE_CONSTRAINT, "conditions", ROLE_CONDITIONS},
    {ROLE_CONDITIONS, "days", ROLE_NAMES}, /* one condition without a list */
    {ROLE_CONDITION, "days", ROLE_NAMES},
};

static enum role role_of_member(enum role parent, struct lex_span key)
{
    for (size_t i = 0; i < LEX_COUNT_OF(members); i++)
        if (members[i].parent == parent &&
            (members[i].key == NULL || lex_span_eq(lex_span_str(members[i].key), key)))
            return members[i].child;
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

/* ---- the canonical form ---- */

static void put(struct lex_buf *buf, const struct lex_json *node, enum role role);

static void put_member(struct lex_buf *buf, const struct lex_json *member, void *context)
{
    put(buf, member, role_of_member(*(const enum role *)context, member->key));
}

static int by_bytes(const void *a, const void *b)
{
    const struct lex_span *x = a, *y = b;
    return lex_span_cmp(*x, *y);
}

static void put_sorted(struct lex_buf *buf, struct lex_span *elements, size_t count)
{
    qsort(elements, count, sizeof *elements, by_bytes);
    lex_buf_putc(buf, '[');
    for (size_t i = 0; i < count; i++) {
        if (i != 0)
            lex_buf_putc(buf, ',');
        lex_buf_put_span(buf, elements[i]);
    }
    lex_buf_putc(buf, ']');
}

static void put_set(struct lex_buf *buf, const struct lex_json *array, enum role element)
{
    struct lex_buf bytes;
    struct lex_span *elements = calloc((size_t)array->count + 1, sizeof *elements);
    size_t count = 0;
    lex_buf_init(&bytes, buf->max);
    for (const struct lex_json *item = array->child; item != NULL; item = item->next) {
        size_t start = bytes.len;
        put(&bytes, item, element);
        if (elements != NULL)
            elements[count++] = lex_span_of(NULL, bytes.len - start);
    }
    size_t at = 0;
    for (size_t i = 0; i < count; at += elements[i++].len)
        elements[i].data = bytes.data + at;
    if (elements == NULL || !lex_buf_ok(&bytes))
        buf->failed = true;
    else
        put_sorted(buf, elements, count);
    lex_buf_fini(&bytes);
    free(elements);
}

static void put_list(struct lex_buf *buf, const struct lex_json *array)
{
    lex_buf_putc(buf, '[');
    for (const struct lex_json *item = array->child; item != NULL; item = item->next) {
        put(buf, item, ROLE_PLAIN);
        if (item->next != NULL)
            lex_buf_putc(buf, ',');
    }
    lex_buf_putc(buf, ']');
}

static void put(struct lex_buf *buf, const struct lex_json *node, enum role role)
{
    enum role element;
    bool set = role_is_set(role, &element);
    if (node->type == LEX_JSON_OBJECT)
        lex_jcs_put_object(buf, node, put_member, &role);
    else if (node->type != LEX_JSON_ARRAY)
        lex_jcs_put(buf, node);
    else if (set)
        put_set(buf, node, element);
    else
        put_list(buf, node);
}

void lex_policy_canonical(const struct lex_json *document, struct lex_buf *out)
{
    put(out, document, ROLE_DOCUMENT);
}

/* ---- the reference system's form ---- */

static void put_ascii(struct lex_buf *buf, struct lex_span text)
{
    static const char plain[] = "\b\f\n\r\t\"\\", escape[] = "bfnrt\"\\";
    lex_buf_putc(buf, '"');
    for (size_t at = 0; at < text.len;) {
        uint32_t code = 0;
        at += lex_utf8_next(lex_span_of(text.data + at, text.len - at), &code);
        const char *found = code != 0 && code < 0x80 ? strchr(plain, (int)code) : NULL;
        if (found != NULL)
            lex_buf_printf(buf, "\\%c", escape[found - plain]);
        else if (code >= 0x20 && code < 0x7f)
            lex_buf_putc(buf, (char)code);
        else if (code < 0x10000)
            lex_buf_printf(buf, "\\u%04x", (unsigned)code);
        else
            lex_buf_printf(buf, "\\u%04x\\u%04x", (unsigned)(0xd7c0 + (code >> 10)),
                           (unsigned)(0xdc00 + (code & 0x3ff)));
    }
    lex_buf_putc(buf, '"');
}

static void put_zeros(struct lex_buf *buf, int count)
{
    for (int i = 0; i < count; i++)
        lex_buf_putc(buf, '0');
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

static int by_code_points(const void *a, const void *b)
{
    const struct lex_json *const *x = a, *const *y = b;
    return lex_span_cmp((*x)->key, (*y)->key);
}

static void put_legacy(struct lex_buf *buf, const struct lex_json *node);

static void put_legacy_object(struct lex_buf *buf, const struct lex_json *object)
{
    const struct lex_json **sorted =
        calloc((size_t)object->count + 1, sizeof(const struct lex_json *));
    size_t count = 0;
    if (sorted == NULL) {
        buf->failed = true;
        return;
    }
    for (const struct lex_json *member = object->child; member != NULL; member = member->next)
        sorted[count++] = member;
    qsort(sorted, count, sizeof(const struct lex_json *), by_code_points);
    lex_buf_putc(buf, '{');
    for (size_t i = 0; i < count; i++) {
        if (i != 0)
            lex_buf_putc(buf, ',');
        put_ascii(buf, sorted[i]->key);
        lex_buf_putc(buf, ':');
        put_legacy(buf, sorted[i]);
    }
    lex_buf_putc(buf, '}');
    free(sorted);
}

static void put_legacy_array(struct lex_buf *buf, const struct lex_json *array)
{
    lex_buf_putc(buf, '[');
    for (const struct lex_json *item = array->child; item != NULL; item = item->next) {
        put_legacy(buf, item);
        if (item->next != NULL)
            lex_buf_putc(buf, ',');
    }
    lex_buf_putc(buf, ']');
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

static LEX_STATUS hash_form(struct lex_loader *loader,
                            void (*form)(const struct lex_json *, struct lex_buf *),
                            uint8_t ret_hash[32])
{
    struct lex_buf buf;
    struct lex_hash hash;
    lex_buf_init(&buf, SIZE_MAX / 4);
    form(loader->root, &buf);
    bool ok = lex_buf_ok(&buf);
    struct lex_span bytes = lex_buf_span(&buf);
    if (ok)
        lex_sha256(&bytes, 1, &hash);
    lex_buf_fini(&buf);
    if (!ok)
        return lex_load_no_memory(loader);
    memcpy(ret_hash, hash.bytes, sizeof hash.bytes);
    return LEX_OK;
}

LEX_STATUS lex_load_hashes(struct lex_loader *loader)
{
    const struct lex_json *inexact = lex_jcs_inexact(loader->root);
    if (inexact != NULL)
        return lex_load_fail(loader, LEX_REJECT, inexact->at,
                             "a number must be exact in the policy's hash: a whole one within "
                             "9007199254740991, any other within the range of a double");
    LEX_TRY(hash_form(loader, lex_policy_canonical, loader->policy->info.hash));
    return hash_form(loader, lex_policy_legacy_canonical, loader->policy->info.legacy_hash);
}
