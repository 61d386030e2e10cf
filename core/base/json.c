#include "core/base/json.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "core/base/text.h"

/* ---- the scanner ---- */

const char lex_json_lone_surrogate[] = "a lone surrogate is no character";
const char lex_json_bad_utf8[] = "the string is not valid UTF-8";

void lex_json_scan_init(struct lex_json_scanner *scan, struct lex_span text,
                        struct lex_arena *arena)
{
    *scan = (struct lex_json_scanner){.text = text, .arena = arena};
}

LEX_STATUS lex_json_problem(struct lex_json_scanner *scan, const char *problem)
{
    if (scan->problem == NULL) {
        scan->problem = problem;
        scan->problem_at = scan->at;
    }
    return LEX_REJECT;
}

static uint8_t byte_at(const struct lex_json_scanner *scan, size_t at)
{
    return at < scan->text.len ? scan->text.data[at] : 0;
}

uint8_t lex_json_peek(struct lex_json_scanner *scan)
{
    while (scan->at < scan->text.len) {
        uint8_t c = scan->text.data[scan->at];
        if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
            return c;
        scan->at++;
    }
    return 0;
}

bool lex_json_take(struct lex_json_scanner *scan, char c)
{
    if (lex_json_peek(scan) != (uint8_t)c)
        return false;
    scan->at++;
    return true;
}

LEX_STATUS lex_json_scan_word(struct lex_json_scanner *scan, const char *word)
{
    size_t len = strlen(word);
    (void)lex_json_peek(scan);
    if (scan->text.len - scan->at < len || memcmp(scan->text.data + scan->at, word, len) != 0)
        return lex_json_problem(scan, "expected a value");
    scan->at += len;
    return LEX_OK;
}

static bool hex4(const struct lex_json_scanner *scan, size_t at, uint32_t *ret)
{
    uint8_t bytes[2];
    if (scan->text.len < 4 || at > scan->text.len - 4 ||
        lex_hex_decode(lex_span_of(scan->text.data + at, 4), bytes, 2) != LEX_OK)
        return false;
    *ret = (uint32_t)bytes[0] << 8 | bytes[1];
    return true;
}

/* \uXXXX, with its partner where it is a high surrogate. `at` stands on the first digit. */
static enum lex_status scan_unicode(struct lex_json_scanner *scan, uint32_t *ret)
{
    uint32_t high, low;
    if (!hex4(scan, scan->at, &high))
        return lex_json_problem(scan, "expected four hexadecimal digits after \\u");
    scan->at += 4;
    *ret = high;
    if (high < 0xd800 || high > 0xdfff)
        return LEX_OK;
    if (high > 0xdbff || byte_at(scan, scan->at) != '\\' || byte_at(scan, scan->at + 1) != 'u' ||
        !hex4(scan, scan->at + 2, &low) || low < 0xdc00 || low > 0xdfff)
        return lex_json_problem(scan, lex_json_lone_surrogate);
    scan->at += 6;
    *ret = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
    return LEX_OK;
}

/* One escape, `at` behind the backslash: 1..4 bytes to `out`. */
static enum lex_status scan_escape(struct lex_json_scanner *scan, uint8_t *out, size_t *ret_len)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    uint8_t c = byte_at(scan, scan->at);
    uint32_t code;
    if (c == 'u') {
        scan->at++;
        LEX_TRY(scan_unicode(scan, &code));
        *ret_len = lex_utf8_put(code, out);
        return LEX_OK;
    }
    const char *found = c == 0 ? NULL : strchr(from, c);
    if (found == NULL)
        return lex_json_problem(scan, "unknown escape in a string");
    scan->at++;
    out[0] = (uint8_t)to[found - from];
    *ret_len = 1;
    return LEX_OK;
}

/* The rest of a string that has escapes; `start` is its first byte, `at` the first backslash. The
 * decoded form is never longer than the source, so what is left of the text bounds it. */
static enum lex_status scan_escaped(struct lex_json_scanner *scan, size_t start, size_t end,
                                    struct lex_span *ret)
{
    uint8_t *out = lex_arena_reserve(scan->arena, end - start + 4);
    if (out == NULL)
        return LEX_LIMIT;
    size_t len = scan->at - start;
    memcpy(out, scan->text.data + start, len);
    while (scan->at < end) {
        uint8_t c = scan->text.data[scan->at++];
        if (c != '\\') {
            out[len++] = c;
            continue;
        }
        size_t n = 0;
        LEX_TRY(scan_escape(scan, out + len, &n));
        len += n;
    }
    lex_arena_commit(scan->arena, len);
    *ret = lex_span_of(out, len);
    return LEX_OK;
}

/* Skip eight bytes at a time while none of them is a quote, a backslash or a control character. A
 * byte in doubt ends it early, which costs nothing but the look at each byte behind. */
static size_t skip_plain(struct lex_span text, size_t at)
{
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
    for (; at + 8 <= text.len; at += 8) {
        uint64_t word;
        memcpy(&word, text.data + at, sizeof word);
        uint64_t quote = word ^ ones * '"', slash = word ^ ones * '\\';
        if (((word - ones * 0x20) | (quote - ones) | (slash - ones)) & ~word & tops)
            break;
    }
    return at;
}

/* Find the closing quote; note the first backslash, refuse controls. */
static enum lex_status find_end(struct lex_json_scanner *scan, size_t *ret_end, size_t *ret_escape)
{
    size_t start = scan->at;
    *ret_escape = SIZE_MAX;
    for (size_t at = skip_plain(scan->text, start); at < scan->text.len; at++) {
        uint8_t c = scan->text.data[at];
        if (c == '"') {
            *ret_end = at;
            return LEX_OK;
        }
        if (c < 0x20) {
            scan->at = at;
            return lex_json_problem(scan, "a control character in a string must be escaped");
        }
        if (c == '\\') {
            if (*ret_escape == SIZE_MAX)
                *ret_escape = at;
            at++;
        }
    }
    return lex_json_problem(scan, "the string does not end");
}

LEX_STATUS lex_json_scan_string(struct lex_json_scanner *scan, struct lex_span *ret)
{
    size_t end, escape;
    if (!lex_json_take(scan, '"'))
        return lex_json_problem(scan, "expected a string");
    size_t start = scan->at;
    LEX_TRY(find_end(scan, &end, &escape));
    if (!lex_utf8_valid(lex_span_of(scan->text.data + start, end - start)))
        return lex_json_problem(scan, lex_json_bad_utf8);
    *ret = lex_span_of(scan->text.data + start, end - start);
    if (escape != SIZE_MAX) {
        scan->at = escape;
        LEX_TRY(scan_escaped(scan, start, end, ret));
    }
    scan->at = end + 1;
    return LEX_OK;
}

static size_t skip_digits(struct lex_json_scanner *scan)
{
    size_t start = scan->at;
    while (byte_at(scan, scan->at) >= '0' && byte_at(scan, scan->at) <= '9')
        scan->at++;
    return scan->at - start;
}

LEX_STATUS lex_json_scan_number(struct lex_json_scanner *scan, struct lex_span *ret,
                                bool *ret_integer)
{
    (void)lex_json_peek(scan);
    size_t start = scan->at;
    scan->at += byte_at(scan, scan->at) == '-';
    bool zero = byte_at(scan, scan->at) == '0';
    size_t whole = skip_digits(scan);
    if (whole == 0 || (zero && whole > 1))
        return lex_json_problem(scan, "expected a value");
    *ret_integer = true;
    if (byte_at(scan, scan->at) == '.') {
        scan->at++;
        *ret_integer = false;
        if (skip_digits(scan) == 0)
            return lex_json_problem(scan, "expected digits after the decimal point");
    }
    if ((byte_at(scan, scan->at) | 0x20) == 'e') {
        scan->at++;
        *ret_integer = false;
        scan->at += byte_at(scan, scan->at) == '+' || byte_at(scan, scan->at) == '-';
        if (skip_digits(scan) == 0)
            return lex_json_problem(scan, "expected digits in the exponent");
    }
    *ret = lex_span_of(scan->text.data + start, scan->at - start);
    return LEX_OK;
}

LEX_STATUS lex_json_int64(struct lex_span literal, int64_t *ret)
{
    bool negative = literal.len != 0 && literal.data[0] == '-';
    int64_t value = 0;
    if (literal.len == (size_t)negative)
        return LEX_REJECT;
    for (size_t i = negative; i < literal.len; i++) {
        int digit = literal.data[i] - '0';
        if (digit < 0 || digit > 9 || __builtin_mul_overflow(value, (int64_t)10, &value) ||
            __builtin_sub_overflow(value, (int64_t)digit, &value))
            return LEX_REJECT;
    }
    if (!negative && value == INT64_MIN)
        return LEX_REJECT;
    *ret = negative ? value : -value;
    return LEX_OK;
}

LEX_STATUS lex_json_double(struct lex_span literal, double *ret)
{
    char small[64], *text = small;
    if (literal.len >= sizeof small && (text = malloc(literal.len + 1)) == NULL)
        return LEX_LIMIT;
    memcpy(text, literal.data, literal.len);
    text[literal.len] = 0;
    char *end = text;
    double value = strtod(text, &end);
    bool whole = end == text + literal.len && literal.len != 0;
    if (text != small)
        free(text);
    if (!whole || !isfinite(value))
        return LEX_REJECT;
    *ret = value;
    return LEX_OK;
}

/* ---- the tree ---- */

struct builder {
    struct lex_json_scanner scan;
    unsigned depth;
};

static enum lex_status parse_value(struct builder *b, struct lex_json *node);

static struct lex_json *append(struct builder *b, struct lex_json *parent, struct lex_json **last)
{
    struct lex_json *node = lex_arena_calloc(b->scan.arena, 1, sizeof *node);
    if (node == NULL)
        return NULL;
    if (*last == NULL)
        parent->child = node;
    else
        (*last)->next = node;
    *last = node;
    parent->count++;
    return node;
}

static int by_key(const void *a, const void *b)
{
    const struct lex_json *const *x = a, *const *y = b;
    int order = lex_span_cmp((*x)->key, (*y)->key);
    return order != 0 ? order : ((*x)->key_at > (*y)->key_at) - ((*x)->key_at < (*y)->key_at);
}

/* Sorted, so that a hostile object of a million members costs no million squared. */
static enum lex_status refuse_duplicates(struct builder *b, const struct lex_json *object)
{
    struct lex_arena_mark mark = lex_arena_mark(b->scan.arena);
    const struct lex_json **members =
        lex_arena_calloc(b->scan.arena, object->count, sizeof *members);
    if (members == NULL)
        return LEX_LIMIT;
    size_t n = 0;
    for (const struct lex_json *m = object->child; m != NULL; m = m->next)
        members[n++] = m;
    qsort(members, n, sizeof *members, by_key);
    enum lex_status status = LEX_OK;
    for (size_t i = 1; i < n && status == LEX_OK; i++) {
        if (!lex_span_eq(members[i - 1]->key, members[i]->key))
            continue;
        b->scan.at = members[i]->key_at;
        status = lex_json_problem(&b->scan, "this member stands twice in its object");
    }
    lex_arena_rollback(b->scan.arena, mark);
    return status;
}

static enum lex_status parse_members(struct builder *b, struct lex_json *object)
{
    struct lex_json *last = NULL;
    if (lex_json_take(&b->scan, '}'))
        return LEX_OK;
    do {
        struct lex_json *member = append(b, object, &last);
        if (member == NULL)
            return LEX_LIMIT;
        (void)lex_json_peek(&b->scan);
        member->key_at = b->scan.at;
        LEX_TRY(lex_json_scan_string(&b->scan, &member->key));
        if (!lex_json_take(&b->scan, ':'))
            return lex_json_problem(&b->scan, "expected a colon after the member's name");
        LEX_TRY(parse_value(b, member));
    } while (lex_json_take(&b->scan, ','));
    if (!lex_json_take(&b->scan, '}'))
        return lex_json_problem(&b->scan, "expected a comma or the end of the object");
    return refuse_duplicates(b, object);
}

static enum lex_status parse_elements(struct builder *b, struct lex_json *array)
{
    struct lex_json *last = NULL;
    if (lex_json_take(&b->scan, ']'))
        return LEX_OK;
    do {
        struct lex_json *element = append(b, array, &last);
        if (element == NULL)
            return LEX_LIMIT;
        LEX_TRY(parse_value(b, element));
    } while (lex_json_take(&b->scan, ','));
    if (!lex_json_take(&b->scan, ']'))
        return lex_json_problem(&b->scan, "expected a comma or the end of the array");
    return LEX_OK;
}

static enum lex_status parse_nested(struct builder *b, struct lex_json *node, char open)
{
    if (b->depth == LEX_JSON_DEPTH_MAX)
        return lex_json_problem(&b->scan, "nested more than 64 deep");
    b->depth++;
    b->scan.at++;
    node->type = open == '{' ? LEX_JSON_OBJECT : LEX_JSON_ARRAY;
    LEX_TRY(open == '{' ? parse_members(b, node) : parse_elements(b, node));
    b->depth--;
    node->text = lex_span_of(b->scan.text.data + node->at, b->scan.at - node->at);
    return LEX_OK;
}

static enum lex_status parse_bool(struct builder *b, struct lex_json *node, bool value)
{
    node->type = LEX_JSON_BOOL;
    node->boolean = value;
    return lex_json_scan_word(&b->scan, value ? "true" : "false");
}

static enum lex_status parse_value(struct builder *b, struct lex_json *node)
{
    uint8_t c = lex_json_peek(&b->scan);
    node->at = b->scan.at;
    switch (c) {
    case '{':
    case '[': return parse_nested(b, node, (char)c);
    case '"': node->type = LEX_JSON_STRING; return lex_json_scan_string(&b->scan, &node->text);
    case 't': return parse_bool(b, node, true);
    case 'f': return parse_bool(b, node, false);
    case 'n': node->type = LEX_JSON_NULL; return lex_json_scan_word(&b->scan, "null");
    default:
        node->type = LEX_JSON_NUMBER;
        return lex_json_scan_number(&b->scan, &node->text, &node->integer);
    }
}

LEX_STATUS lex_json_parse(struct lex_arena *arena, struct lex_span text,
                          const struct lex_json **ret_root, struct lex_error *err)
{
    struct builder b = {0};
    lex_json_scan_init(&b.scan, text, arena);
    struct lex_json *root = lex_arena_calloc(arena, 1, sizeof *root);
    enum lex_status status = root == NULL ? LEX_LIMIT : parse_value(&b, root);
    if (status == LEX_OK && (lex_json_peek(&b.scan) != 0 || b.scan.at < text.len))
        status = lex_json_problem(&b.scan, "expected the end of the document");
    if (status == LEX_LIMIT)
        return lex_fail(err, status, "the document needs more memory than it may have");
    if (status != LEX_OK) {
        unsigned line, column;
        lex_json_where(text, b.scan.problem_at, &line, &column);
        return lex_fail(err, status, "line %u column %u: %s", line, column, b.scan.problem);
    }
    *ret_root = root;
    return LEX_OK;
}

const struct lex_json *lex_json_get(const struct lex_json *object, const char *key)
{
    if (!lex_json_is(object, LEX_JSON_OBJECT))
        return NULL;
    struct lex_span wanted = lex_span_str(key);
    for (const struct lex_json *m = object->child; m != NULL; m = m->next)
        if (lex_span_eq(m->key, wanted))
            return m;
    return NULL;
}

bool lex_json_is(const struct lex_json *node, enum lex_json_type type)
{
    return node != NULL && node->type == type;
}

const char *lex_json_type_name(enum lex_json_type type)
{
    static const char *const names[] = {"null",     "true or false", "a number",
                                        "a string", "an array",      "an object"};
    return (size_t)type < LEX_COUNT_OF(names) ? names[type] : "?";
}

void lex_json_where(struct lex_span text, size_t at, unsigned *ret_line, unsigned *ret_column)
{
    unsigned line = 1, column = 1;
    for (size_t i = 0; i < at && i < text.len; i++) {
        bool newline = text.data[i] == '\n';
        line += newline;
        column = newline ? 1 : column + 1;
    }
    *ret_line = line;
    *ret_column = column;
}
