/* Expression: a condition's text, compiled at load into postfix nodes.
 *
 *     or         := and ( "||" and )*
 *     and        := term ( "&&" term )*
 *     term       := "!"* ( "(" or ")" | comparison )
 *     comparison := operand [ ( "==" | "!=" | "<" | "<=" | ">" | ">=" ) operand ]
 *                 | set ( "==" | "!=" ) name
 *     set        := "actor" | "action" | "data_class" | "resource"
 *     operand    := path | number [unit] | string | "true" | "false"
 *
 * Whatever could be read in two ways is an error rather than a guess: `!a == b`, `a < b < c`, a
 * comparison of two constants, a set anywhere else than before == and !=. A condition that means
 * something else than its author thinks is the mistake that this file is there to prevent. */
#include <stdio.h>

#include "core/base/jcs.h"
#include "core/policy/load.h"

enum token {
    TOKEN_END,
    TOKEN_PATH,
    TOKEN_NUMBER,
    TOKEN_STRING,
    TOKEN_TRUE,
    TOKEN_FALSE,
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_NOT,
    TOKEN_AND,
    TOKEN_OR,
    TOKEN_EQ, /* from here on in the order of enum lex_op */
    TOKEN_NE,
    TOKEN_LT,
    TOKEN_LE,
    TOKEN_GT,
    TOKEN_GE,
};

struct parser {
    struct lex_loader *loader;
    const struct lex_json *node; /* the string, for its place */
    struct lex_span text;
    size_t at; /* the byte after the token */
    /* the token: */
    enum token token;
    size_t start;
    struct lex_span word; /* of a path or string, unescaped */
    double number;
    /* what was emitted: */
    unsigned open;   /* truths on the stack */
    unsigned nested; /* parentheses that are open */
    bool reads_class;
};

/* ---- places ---- */

/* How many bytes of the document a decoded byte's escape takes, and how many decoded bytes it
 * gives. */
static size_t escape_bytes(const uint8_t *raw, size_t left, size_t *ret_decoded)
{
    *ret_decoded = 1;
    if (raw[0] != '\\' || left < 2)
        return 1;
    if (raw[1] != 'u' || left < 6)
        return 2;
    bool wide = (raw[2] | 0x20) == 'd' && (raw[3] == '8' || raw[3] == '9' ||
                                           (raw[3] | 0x20) == 'a' || (raw[3] | 0x20) == 'b');
    if (wide) {
        *ret_decoded = 4;
        return left < 12 ? left : 12;
    }
    bool one = raw[2] == '0' && raw[3] == '0' && raw[4] < '8';
    bool two = raw[2] == '0' && raw[3] < '8' && raw[3] >= '0';
    *ret_decoded = one ? 1 : two ? 2 : 3;
    return 6;
}

/* The byte of the document where byte `offset` of the text stands. */
static size_t place(const struct parser *parser, size_t offset)
{
    struct lex_span document = parser->loader->text;
    uintptr_t start = (uintptr_t)document.data, text = (uintptr_t)parser->text.data;
    if (text >= start && text - start <= document.len)
        return text - start + offset; /* borrowed: it has no escapes */
    size_t at = parser->node->at + 1, decoded;
    for (size_t seen = 0; seen < offset && at < document.len; seen += decoded)
        at += escape_bytes(document.data + at, document.len - at, &decoded);
    return at;
}

/* Characters are counted, not bytes: an editor shows these. */
static size_t character(const struct parser *parser, size_t offset)
{
    size_t count = 1;
    for (size_t i = 0; i < offset; i++)
        count += (parser->text.data[i] & 0xc0) != 0x80;
    return count;
}

static enum lex_status fail_at(struct parser *parser, size_t offset, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static enum lex_status fail_at(struct parser *parser, size_t offset, const char *format, ...)
{
    char text[LEX_ERROR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return lex_load_fail(parser->loader, LEX_REJECT, place(parser, offset),
                         "at character %zu of this condition: %s", character(parser, offset), text);
}

/* ---- tokens ---- */

static bool is_letter(uint8_t c)
{
    return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_';
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_word_byte(uint8_t c)
{
    return is_letter(c) || is_digit(c);
}

static bool is_path_byte(uint8_t c)
{
    return is_word_byte(c) || c == '.';
}

static uint8_t byte_at(const struct parser *parser, size_t at)
{
    return at < parser->text.len ? parser->text.data[at] : 0;
}

static struct lex_span cut(const struct parser *parser, size_t start, size_t end)
{
    return lex_span_of(parser->text.data + start, end - start);
}

static LEX_STATUS scan_path(struct parser *parser)
{
    size_t at = parser->start;
    while (is_path_byte(byte_at(parser, at)))
        if (byte_at(parser, at++) == '.' && !is_word_byte(byte_at(parser, at)))
            return fail_at(parser, at, "expected a letter, a digit or _ after the dot of a path");
    parser->at = at;
    parser->word = cut(parser, parser->start, at);
    parser->token = TOKEN_PATH;
    if (lex_span_eq(parser->word, LEX_SPAN("true")))
        parser->token = TOKEN_TRUE;
    if (lex_span_eq(parser->word, LEX_SPAN("false")))
        parser->token = TOKEN_FALSE;
    return LEX_OK;
}

/* The unit behind a number, in seconds; 0 for an unknown one, 1 for none. */
static double unit_seconds(struct lex_span unit)
{
    static const struct {
        const char *name, *names, *letter;
        double seconds;
    } units[] = {{"second", "seconds", "s", 1},
                 {"minute", "minutes", "m", 60},
                 {"hour", "hours", "h", 3600},
                 {"day", "days", "d", 86400}};
    if (unit.len == 0)
        return 1;
    if (unit.data[0] == '_')
        unit = lex_span_of(unit.data + 1, unit.len - 1);
    for (size_t i = 0; i < LEX_COUNT_OF(units); i++)
        if (lex_span_eq(unit, lex_span_str(units[i].name)) ||
            lex_span_eq(unit, lex_span_str(units[i].names)) ||
            lex_span_eq(unit, lex_span_str(units[i].letter)))
            return units[i].seconds;
    return 0;
}

/* No zeros in front, and a digit behind the point: JSON's own rule (RFC 8259 section 6). */
static bool is_number(struct lex_span digits)
{
    size_t first = digits.data[0] == '-';
    bool zeros =
        digits.len > first + 1 && digits.data[first] == '0' && digits.data[first + 1] != '.';
    return !zeros && digits.data[digits.len - 1] != '.';
}

static LEX_STATUS scan_number(struct parser *parser)
{
    size_t at = parser->start + (byte_at(parser, parser->start) == '-');
    bool integer = true;
    while (is_digit(byte_at(parser, at)))
        at++;
    if (byte_at(parser, at) == '.') {
        integer = false;
        do
            at++;
        while (is_digit(byte_at(parser, at)));
    }
    struct lex_span digits = cut(parser, parser->start, at);
    size_t unit = at;
    while (is_word_byte(byte_at(parser, at)))
        at++;
    double seconds = unit_seconds(cut(parser, unit, at));
    if (seconds == 0)
        return fail_at(
            parser, unit,
            "unknown unit \"%.*s\"; expected s, m, h, d, seconds, minutes, hours or days",
            LEX_SPAN_FMT(cut(parser, unit, at)));
    if (!is_number(digits) || lex_json_double(digits, &parser->number) != LEX_OK)
        return fail_at(parser, parser->start,
                       "\"%.*s\" is no number; write digits, and perhaps a fraction like 2.5",
                       LEX_SPAN_FMT(digits));
    parser->number *= seconds;
    if (integer && (parser->number > 9007199254740991.0 || parser->number < -9007199254740991.0))
        return fail_at(parser, parser->start,
                       "a whole number must be within 9007199254740991, to be exact");
    parser->at = at;
    parser->token = TOKEN_NUMBER;
    return LEX_OK;
}

/* Escapes are undone in a copy; a string without any is borrowed. */
static LEX_STATUS unescape(struct parser *parser, struct lex_span raw)
{
    uint8_t *out = lex_arena_alloc(&parser->loader->tree, raw.len);
    size_t len = 0;
    if (out == NULL)
        return lex_load_no_memory(parser->loader);
    for (size_t i = 0; i < raw.len; i++) {
        i += raw.data[i] == '\\';
        out[len++] = raw.data[i];
    }
    parser->word = lex_span_of(out, len);
    return LEX_OK;
}

static LEX_STATUS scan_string(struct parser *parser)
{
    uint8_t quote = byte_at(parser, parser->start), next;
    size_t at = parser->start + 1;
    bool escaped = false;
    for (; at < parser->text.len && parser->text.data[at] != quote; at++) {
        if (parser->text.data[at] != '\\')
            continue;
        next = byte_at(parser, ++at);
        if (next != '\\' && next != '"' && next != '\'')
            return fail_at(parser, at - 1, "expected \\\\, \\\" or \\' after a backslash");
        escaped = true;
    }
    if (at >= parser->text.len)
        return fail_at(parser, parser->start, "this string does not end; expected %c", quote);
    parser->at = at + 1;
    parser->token = TOKEN_STRING;
    parser->word = cut(parser, parser->start + 1, at);
    return escaped ? unescape(parser, parser->word) : LEX_OK;
}

static LEX_STATUS scan_sign(struct parser *parser)
{
    static const struct {
        char text[3];
        enum token token;
    } signs[] = {{"&&", TOKEN_AND}, {"||", TOKEN_OR},  {"==", TOKEN_EQ},  {"!=", TOKEN_NE},
                 {"<=", TOKEN_LE},  {">=", TOKEN_GE},  {"<", TOKEN_LT},   {">", TOKEN_GT},
                 {"!", TOKEN_NOT},  {"(", TOKEN_OPEN}, {")", TOKEN_CLOSE}};
    static const struct {
        char text[3], instead[3];
    } typos[] = {{"&", "&&"}, {"|", "||"}, {"=", "=="}};
    uint8_t first = byte_at(parser, parser->at), second = byte_at(parser, parser->at + 1);
    for (size_t i = 0; i < LEX_COUNT_OF(signs); i++) {
        const char *sign = signs[i].text;
        if ((uint8_t)sign[0] != first || (sign[1] != 0 && (uint8_t)sign[1] != second))
            continue;
        parser->token = signs[i].token;
        parser->at += strlen(sign);
        return LEX_OK;
    }
    for (size_t i = 0; i < LEX_COUNT_OF(typos); i++)
        if ((uint8_t)typos[i].text[0] == first)
            return fail_at(parser, parser->at, "expected %s, not a single %s", typos[i].instead,
                           typos[i].text);
    return fail_at(parser, parser->at,
                   "expected a path, a value or an operator; a name with other characters than "
                   "letters, digits, _ and . stands in quotes");
}

static LEX_STATUS next(struct parser *parser)
{
    while (parser->at < parser->text.len &&
           strchr(" \t\r\n", parser->text.data[parser->at]) != NULL &&
           parser->text.data[parser->at] != 0)
        parser->at++;
    uint8_t c = byte_at(parser, parser->at);
    parser->start = parser->at;
    if (parser->at == parser->text.len) {
        parser->token = TOKEN_END;
        return LEX_OK;
    }
    if (is_letter(c))
        return scan_path(parser);
    if (is_digit(c) || (c == '-' && is_digit(byte_at(parser, parser->at + 1))))
        return scan_number(parser);
    return c == '"' || c == '\'' ? scan_string(parser) : scan_sign(parser);
}

/* ---- nodes ---- */

static LEX_STATUS emit(struct parser *parser, const struct lex_node *node)
{
    struct lex_loader *loader = parser->loader;
    void *nodes = loader->nodes;
    if (loader->nodes_count == LEX_EXPRESSION_NODES_MAX)
        return fail_at(parser, parser->start, "a condition may have %d parts at most",
                       LEX_EXPRESSION_NODES_MAX);
    if (node->op <= LEX_OP_OR)
        parser->open--;
    else if (node->op != LEX_OP_NOT && ++parser->open > LEX_EXPRESSION_STACK_MAX)
        return fail_at(parser, parser->start, "a condition may be nested %d deep at most",
                       LEX_EXPRESSION_STACK_MAX);
    LEX_TRY(lex_load_grow(loader, &nodes, loader->nodes_count, &loader->nodes_capacity,
                          sizeof *loader->nodes));
    loader->nodes = nodes;
    loader->nodes[loader->nodes_count++] = *node;
    return LEX_OK;
}

static LEX_STATUS emit_op(struct parser *parser, enum lex_op op)
{
    const struct lex_node node = {.op = op};
    return emit(parser, &node);
}

/* ---- operands ---- */

struct side {
    enum token token; /* PATH, NUMBER, STRING, TRUE or FALSE */
    size_t start;
    struct lex_span word;
    double number;
    enum lex_kind set; /* of the four words that are sets; else LEX_KIND_COUNT */
};

static enum lex_kind set_of(const struct parser *parser)
{
    static lex_words words = {"actor", "action", "data_class", "resource", NULL};
    int index = parser->token == TOKEN_PATH ? lex_load_word(parser->word, words) : -1;
    return index < 0 ? LEX_KIND_COUNT : (enum lex_kind)(LEX_KIND_ACTOR + index);
}

static LEX_STATUS take_side(struct parser *parser, struct side *ret_side)
{
    *ret_side =
        (struct side){parser->token, parser->start, parser->word, parser->number, set_of(parser)};
    if (parser->token < TOKEN_PATH || parser->token > TOKEN_FALSE)
        return fail_at(parser, parser->start, "expected a path, a number, a string, true or false");
    return next(parser);
}

static unsigned use_of(const struct side *other, enum lex_op op)
{
    if (op >= LEX_OP_LT)
        return LEX_USE_NUMBER;
    switch (other->token) {
    case TOKEN_NUMBER: return LEX_USE_NUMBER;
    case TOKEN_STRING: return LEX_USE_STRING;
    case TOKEN_PATH: return LEX_USE_ANY;
    default: return LEX_USE_TRUTH;
    }
}

static LEX_STATUS operand_of(struct parser *parser, const struct side *side, unsigned use,
                             struct lex_operand *ret)
{
    switch (side->token) {
    case TOKEN_NUMBER:
        *ret = (struct lex_operand){.kind = LEX_OPERAND_NUMBER, .number = side->number};
        return LEX_OK;
    case TOKEN_STRING:
        *ret = (struct lex_operand){.kind = LEX_OPERAND_STRING,
                                    .text = lex_load_keep(parser->loader, side->word)};
        return lex_span_absent(ret->text) ? lex_load_no_memory(parser->loader) : LEX_OK;
    case TOKEN_PATH:
        ret->kind = LEX_OPERAND_FACT;
        return lex_load_fact(parser->loader, side->word, place(parser, side->start), use,
                             &ret->fact);
    default:
        *ret = (struct lex_operand){.kind = LEX_OPERAND_BOOL, .boolean = side->token == TOKEN_TRUE};
        return LEX_OK;
    }
}

/* ---- comparisons ---- */

static LEX_STATUS misplaced_set(struct parser *parser, const struct side *side)
{
    return fail_at(parser, side->start,
                   "\"%.*s\" is a set of names; write %.*s == name or %.*s != name",
                   LEX_SPAN_FMT(side->word), LEX_SPAN_FMT(side->word), LEX_SPAN_FMT(side->word));
}

/* data_class == name: whether the set holds the term, its hierarchy included. */
static LEX_STATUS membership(struct parser *parser, const struct side *set)
{
    struct lex_node node = {.op = LEX_OP_IS, .a = {.kind = LEX_OPERAND_FACT}};
    enum token op = parser->token;
    if (op != TOKEN_EQ && op != TOKEN_NE)
        return misplaced_set(parser, set);
    LEX_TRY(next(parser));
    if ((parser->token != TOKEN_PATH && parser->token != TOKEN_STRING) ||
        set_of(parser) != LEX_KIND_COUNT)
        return fail_at(parser, parser->start, "expected the name of %s %.*s, bare or in quotes",
                       set->set == LEX_KIND_ACTOR || set->set == LEX_KIND_ACTION ? "an" : "a",
                       LEX_SPAN_FMT(lex_kind_words(set->set).type));
    LEX_TRY(lex_load_ref(parser->loader, set->set, parser->word, place(parser, parser->start),
                         &node.term));
    LEX_TRY(lex_load_fact(parser->loader, set->word, place(parser, set->start), LEX_USE_ANY,
                          &node.a.fact));
    parser->reads_class = parser->reads_class || set->set == LEX_KIND_DATA;
    LEX_TRY(emit(parser, &node));
    if (op == TOKEN_NE)
        LEX_TRY(emit_op(parser, LEX_OP_NOT));
    return next(parser);
}

static LEX_STATUS alone(struct parser *parser, const struct side *side)
{
    struct lex_node node = {.op = LEX_OP_TRUTH};
    if (side->token == TOKEN_NUMBER || side->token == TOKEN_STRING)
        return fail_at(parser, side->start,
                       "expected a comparison: a %s alone is neither true nor false",
                       side->token == TOKEN_NUMBER ? "number" : "string");
    LEX_TRY(operand_of(parser, side, LEX_USE_TRUTH, &node.a));
    return emit(parser, &node);
}

static LEX_STATUS check_sides(struct parser *parser, const struct side *a, enum lex_op op,
                              const struct side *b)
{
    if (b->set != LEX_KIND_COUNT)
        return misplaced_set(parser, b);
    if (a->token != TOKEN_PATH && b->token != TOKEN_PATH)
        return fail_at(parser, a->start,
                       "this compares two constants, so it is always the same; one side must be a "
                       "path (quotes make a constant of a name)");
    const struct side *constant = a->token == TOKEN_PATH ? b : a;
    if (op >= LEX_OP_LT && constant->token != TOKEN_PATH && constant->token != TOKEN_NUMBER)
        return fail_at(parser, constant->start,
                       "expected a number or a path: only numbers are "
                       "less or greater");
    return LEX_OK;
}

static bool is_comparison(enum token token)
{
    return token >= TOKEN_EQ;
}

static LEX_STATUS comparison(struct parser *parser, bool negated)
{
    struct side a, b;
    LEX_TRY(take_side(parser, &a));
    if (negated && is_comparison(parser->token))
        return fail_at(parser, parser->start,
                       "a ! before a comparison can be read in two ways; write !( ... )");
    if (a.set != LEX_KIND_COUNT)
        return membership(parser, &a);
    if (!is_comparison(parser->token))
        return alone(parser, &a);
    struct lex_node node = {.op = (enum lex_op)(LEX_OP_EQ + (parser->token - TOKEN_EQ))};
    LEX_TRY(next(parser));
    LEX_TRY(take_side(parser, &b));
    LEX_TRY(check_sides(parser, &a, node.op, &b));
    LEX_TRY(operand_of(parser, &a, use_of(&b, node.op), &node.a));
    LEX_TRY(operand_of(parser, &b, use_of(&a, node.op), &node.b));
    return emit(parser, &node);
}

/* ---- the grammar ---- */

static LEX_STATUS either(struct parser *parser);

static LEX_STATUS parenthesis(struct parser *parser)
{
    size_t start = parser->start;
    if (++parser->nested > LEX_EXPRESSION_STACK_MAX)
        return fail_at(parser, start, "a condition may be nested %d deep at most",
                       LEX_EXPRESSION_STACK_MAX);
    LEX_TRY(next(parser));
    LEX_TRY(either(parser));
    if (parser->token != TOKEN_CLOSE)
        return fail_at(parser, parser->start,
                       "expected && or || or the ) of the ( at character %zu",
                       character(parser, start));
    parser->nested--;
    return next(parser);
}

static LEX_STATUS term(struct parser *parser)
{
    unsigned nots = 0;
    for (; parser->token == TOKEN_NOT; nots++)
        LEX_TRY(next(parser));
    if (parser->token == TOKEN_OPEN)
        LEX_TRY(parenthesis(parser));
    else
        LEX_TRY(comparison(parser, nots != 0));
    if (is_comparison(parser->token))
        return fail_at(parser, parser->start,
                       "expected && or ||: a comparison stands between two values");
    return nots % 2 != 0 ? emit_op(parser, LEX_OP_NOT) : LEX_OK;
}

static LEX_STATUS both(struct parser *parser)
{
    LEX_TRY(term(parser));
    while (parser->token == TOKEN_AND) {
        LEX_TRY(next(parser));
        LEX_TRY(term(parser));
        LEX_TRY(emit_op(parser, LEX_OP_AND));
    }
    return LEX_OK;
}

static LEX_STATUS either(struct parser *parser)
{
    LEX_TRY(both(parser));
    while (parser->token == TOKEN_OR) {
        LEX_TRY(next(parser));
        LEX_TRY(both(parser));
        LEX_TRY(emit_op(parser, LEX_OP_OR));
    }
    return LEX_OK;
}

static LEX_STATUS trailing(struct parser *parser)
{
    static lex_words words = {"and", "AND", "or", "OR", "in", "not", NULL};
    static const char *const instead[] = {"&&", "&&", "||", "||", "== with ||", "!"};
    int index = parser->token == TOKEN_PATH ? lex_load_word(parser->word, words) : -1;
    if (index >= 0)
        return fail_at(parser, parser->start, "\"%s\" is no operator; write %s", words[index],
                       instead[index]);
    if (parser->token == TOKEN_CLOSE)
        return fail_at(parser, parser->start, "this ) closes nothing");
    return fail_at(parser, parser->start, "expected && or || or the end");
}

static LEX_STATUS keep_nodes(struct lex_loader *loader, struct lex_condition *condition)
{
    struct lex_node *nodes =
        lex_arena_calloc(&loader->policy->arena, loader->nodes_count, sizeof *nodes);
    if (nodes == NULL)
        return lex_load_no_memory(loader);
    memcpy(nodes, loader->nodes, loader->nodes_count * sizeof *nodes);
    condition->nodes = nodes;
    condition->nodes_count = (uint32_t)loader->nodes_count;
    return LEX_OK;
}

LEX_STATUS lex_load_expression(struct lex_loader *loader, const struct lex_json *node,
                               struct lex_condition *condition)
{
    struct parser parser = {.loader = loader, .node = node, .text = node->text};
    if (node->text.len > LEX_EXPRESSION_MAX_BYTES)
        return lex_load_fail(loader, LEX_LIMIT, node->at,
                             "a condition may have %d bytes at most, this has %zu",
                             LEX_EXPRESSION_MAX_BYTES, node->text.len);
    loader->nodes_count = 0;
    LEX_TRY(next(&parser));
    if (parser.token == TOKEN_END)
        return lex_load_fail(loader, LEX_REJECT, node->at,
                             "an empty condition; write an expression, or leave the key out");
    LEX_TRY(either(&parser));
    if (parser.token != TOKEN_END)
        return trailing(&parser);
    if (loader->nodes_count <= 2 && loader->nodes[0].op == LEX_OP_TRUTH &&
        loader->nodes[0].a.kind == LEX_OPERAND_BOOL)
        lex_load_lint(loader, LEX_LINT_CONSTANT_CONDITION, node->at,
                      "constant condition: it is always the same");
    condition->reads_class = parser.reads_class;
    return keep_nodes(loader, condition);
}

LEX_STATUS lex_load_leaf(struct lex_loader *loader, const struct lex_node *leaf, bool negated,
                         struct lex_condition *condition)
{
    struct parser parser = {.loader = loader};
    loader->nodes_count = 0;
    LEX_TRY(emit(&parser, leaf));
    if (negated)
        LEX_TRY(emit_op(&parser, LEX_OP_NOT));
    return keep_nodes(loader, condition);
}
