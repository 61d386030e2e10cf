#include "core/base/jcs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const int64_t exact_max = ((int64_t)1 << 53) - 1;

/* ---- strings ---- */

static void put_escape(struct lex_buf *buf, uint8_t c)
{
    switch (c) {
    case '"': lex_buf_puts(buf, "\\\""); break;
    case '\\': lex_buf_puts(buf, "\\\\"); break;
    case '\b': lex_buf_puts(buf, "\\b"); break;
    case '\t': lex_buf_puts(buf, "\\t"); break;
    case '\n': lex_buf_puts(buf, "\\n"); break;
    case '\f': lex_buf_puts(buf, "\\f"); break;
    case '\r': lex_buf_puts(buf, "\\r"); break;
    default: lex_buf_printf(buf, "\\u%04x", c);
    }
}

void lex_jcs_put_string(struct lex_buf *buf, struct lex_span text)
{
    size_t plain = 0; /* start of the bytes that need no escape */
    lex_buf_putc(buf, '"');
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        lex_buf_put(buf, text.data + plain, i - plain);
        put_escape(buf, c);
        plain = i + 1;
    }
    if (plain < text.len)
        lex_buf_put(buf, text.data + plain, text.len - plain);
    lex_buf_putc(buf, '"');
}

/* UTF-8 byte order is code point order. UTF-16 differs in one place: what needs surrogates (lead
 * bytes F0..F4) stands before U+E000..U+FFFF (lead bytes EE, EF). */
static int utf16_rank(uint8_t byte)
{
    return byte == 0xee || byte == 0xef ? byte + 0x10 : byte;
}

int lex_jcs_cmp(struct lex_span a, struct lex_span b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    for (size_t i = 0; i < n; i++)
        if (a.data[i] != b.data[i])
            return utf16_rank(a.data[i]) - utf16_rank(b.data[i]);
    return (a.len > b.len) - (a.len < b.len);
}

/* ---- numbers ---- */

/* Add one to the last digit of "d.ddd...e+xx". False where that would carry past the first. */
static bool next_decimal(char *text)
{
    char *at = strchr(text, 'e') - 1;
    for (; at > text && *at == '9'; at--)
        *at = '0';
    if (*at == '.' || *at == '9')
        return false;
    ++*at;
    return true;
}

/* The nearest decimal of each length is tried, which misses one case: below a power of two the
 * doubles lie twice as dense as above, so the shortest decimal may be the second nearest, above. */
static void shortest_decimal(double value, char *text, size_t size)
{
    int precision = 0; /* digits after the first */
    do
        (void)snprintf(text, size, "%.*e", precision, value);
    while (strtod(text, NULL) != value && ++precision < LEX_JCS_DIGITS_MAX);
    int exponent;
    if (precision < LEX_JCS_DIGITS_MAX - 1 || frexp(value, &exponent) != 0.5)
        return;
    (void)snprintf(text, size, "%.*e", precision - 1, value);
    if (!next_decimal(text) || strtod(text, NULL) != value)
        (void)snprintf(text, size, "%.*e", precision, value);
}

size_t lex_double_digits(double value, char ret_digits[LEX_JCS_DIGITS_MAX + 1], int *ret_exponent)
{
    char text[40];
    shortest_decimal(value, text, sizeof text);
    size_t count = 0;
    const char *at = text;
    for (; *at != 'e'; at++)
        if (*at != '.')
            ret_digits[count++] = *at;
    while (count > 1 && ret_digits[count - 1] == '0')
        count--;
    ret_digits[count] = 0;
    *ret_exponent = (int)strtol(at + 1, NULL, 10) + 1;
    return count;
}

static void put_zeros(struct lex_buf *buf, int count)
{
    for (int i = 0; i < count; i++)
        lex_buf_putc(buf, '0');
}

/* ECMA-262, Number::toString, steps 5 to 10; k digits, value = 0.DIGITS x 10^n. */
static void put_positive(struct lex_buf *buf, double value)
{
    char digits[LEX_JCS_DIGITS_MAX + 1];
    int n;
    int k = (int)lex_double_digits(value, digits, &n);
    if (k <= n && n <= 21) {
        lex_buf_puts(buf, digits);
        put_zeros(buf, n - k);
    } else if (0 < n && n <= 21) {
        lex_buf_printf(buf, "%.*s.%s", n, digits, digits + n);
    } else if (-6 < n && n <= 0) {
        lex_buf_puts(buf, "0.");
        put_zeros(buf, -n);
        lex_buf_puts(buf, digits);
    } else {
        lex_buf_printf(buf, "%c%s%se%c%d", digits[0], k > 1 ? "." : "", digits + 1,
                       n > 0 ? '+' : '-', abs(n - 1));
    }
}

void lex_jcs_put_int64(struct lex_buf *buf, int64_t value)
{
    if (value < -exact_max || value > exact_max)
        lex_jcs_put_double(buf, (double)value);
    else
        lex_buf_printf(buf, "%lld", (long long)value);
}

void lex_jcs_put_double(struct lex_buf *buf, double value)
{
    if (!isfinite(value)) {
        buf->failed = true;
        return;
    }
    if (fabs(value) <= (double)exact_max && value == floor(value)) {
        lex_jcs_put_int64(buf, (int64_t)value); /* -0 is "0" */
        return;
    }
    if (value < 0)
        lex_buf_putc(buf, '-');
    put_positive(buf, fabs(value));
}

static void put_number(struct lex_buf *buf, const struct lex_json *node)
{
    int64_t whole;
    double value;
    if (node->integer && lex_json_int64(node->text, &whole) == LEX_OK)
        lex_jcs_put_int64(buf, whole);
    else if (lex_json_double(node->text, &value) == LEX_OK)
        lex_jcs_put_double(buf, value);
    else
        buf->failed = true;
}

static bool number_inexact(const struct lex_json *node)
{
    int64_t whole;
    double value;
    if (!node->integer)
        return lex_json_double(node->text, &value) != LEX_OK;
    return lex_json_int64(node->text, &whole) != LEX_OK || whole < -exact_max || whole > exact_max;
}

const struct lex_json *lex_jcs_inexact(const struct lex_json *node)
{
    if (node->type == LEX_JSON_NUMBER)
        return number_inexact(node) ? node : NULL;
    if (node->type != LEX_JSON_ARRAY && node->type != LEX_JSON_OBJECT)
        return NULL;
    for (const struct lex_json *child = node->child; child != NULL; child = child->next) {
        const struct lex_json *found = lex_jcs_inexact(child);
        if (found != NULL)
            return found;
    }
    return NULL;
}

/* ---- objects ---- */

static int by_name(const void *a, const void *b)
{
    const struct lex_json *const *x = a, *const *y = b;
    return lex_jcs_cmp((*x)->key, (*y)->key);
}

static void put_members(struct lex_buf *buf, const struct lex_json **members, size_t count,
                        lex_jcs_member *put, void *context)
{
    qsort(members, count, sizeof(const struct lex_json *), by_name);
    for (size_t i = 0; i < count; i++) {
        lex_buf_putc(buf, i == 0 ? '{' : ',');
        lex_jcs_put_string(buf, members[i]->key);
        lex_buf_putc(buf, ':');
        put(buf, members[i], context);
    }
    lex_buf_putc(buf, '}');
}

void lex_jcs_put_object(struct lex_buf *buf, const struct lex_json *object, lex_jcs_member *put,
                        void *context)
{
    const struct lex_json *few[24], **members = few;
    size_t count = 0;
    if (object->count == 0) {
        lex_buf_puts(buf, "{}");
        return;
    }
    if (object->count > LEX_COUNT_OF(few))
        members = malloc(object->count * sizeof(const struct lex_json *));
    if (members == NULL) {
        buf->failed = true;
        return;
    }
    for (const struct lex_json *member = object->child; member != NULL; member = member->next)
        members[count++] = member;
    put_members(buf, members, count, put, context);
    if (members != few)
        free(members);
}

static void put_plain(struct lex_buf *buf, const struct lex_json *member, void *context)
{
    (void)context;
    lex_jcs_put(buf, member);
}

static void put_array(struct lex_buf *buf, const struct lex_json *array)
{
    lex_buf_putc(buf, '[');
    for (const struct lex_json *item = array->child; item != NULL; item = item->next) {
        lex_jcs_put(buf, item);
        if (item->next != NULL)
            lex_buf_putc(buf, ',');
    }
    lex_buf_putc(buf, ']');
}

void lex_jcs_put(struct lex_buf *buf, const struct lex_json *node)
{
    switch (node->type) {
    case LEX_JSON_NULL: lex_buf_puts(buf, "null"); break;
    case LEX_JSON_BOOL: lex_buf_puts(buf, node->boolean ? "true" : "false"); break;
    case LEX_JSON_NUMBER: put_number(buf, node); break;
    case LEX_JSON_STRING: lex_jcs_put_string(buf, node->text); break;
    case LEX_JSON_ARRAY: put_array(buf, node); break;
    case LEX_JSON_OBJECT: lex_jcs_put_object(buf, node, put_plain, NULL); break;
    }
}
