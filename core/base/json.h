/* JSON (RFC 8259), strict, with the place of everything.
 *
 * Two layers. The scanner reads one token at a time and allocates nothing unless a string has
 * escapes; the request codec drives it straight into a struct. The tree is for documents that are
 * read once (policies, configuration, key files, schemas): every node keeps its byte offset,
 * because an error about a *meaning* must name line and column too, which is why no general JSON
 * library serves here.
 *
 * Strict means: UTF-8 only, no lone surrogates, no duplicate members in one object, no control
 * characters in strings, no leading zeros, plus signs, comments, trailing commas or bytes. */
#ifndef LEX_BASE_JSON_H
#define LEX_BASE_JSON_H

#include "core/base/arena.h"

/* ---- the scanner ---- */

struct lex_json_scanner {
    struct lex_span text;
    size_t at;               /* next byte */
    struct lex_arena *arena; /* where unescaped strings go */
    const char *problem;     /* static text of the first failure, NULL before it */
    size_t problem_at;       /* its byte offset */
};

/* The two problems that are about characters, for who must tell them from bad syntax: compare the
 * pointer with scan->problem. */
extern const char lex_json_lone_surrogate[], lex_json_bad_utf8[];

void lex_json_scan_init(struct lex_json_scanner *scan, struct lex_span text,
                        struct lex_arena *arena);
/* Skip blanks and show the next byte, 0 at the end. */
uint8_t lex_json_peek(struct lex_json_scanner *scan);
/* Skip blanks and take `c`, if it is next. */
bool lex_json_take(struct lex_json_scanner *scan, char c);
/* Record a failure here and return LEX_REJECT. The first one stands. */
LEX_STATUS lex_json_problem(struct lex_json_scanner *scan, const char *problem);
/* A string: the decoded bytes, borrowed from the text, or from the arena where it had escapes.
 * @errors LEX_REJECT malformed; LEX_LIMIT the arena is full */
LEX_STATUS lex_json_scan_string(struct lex_json_scanner *scan, struct lex_span *ret);
/* A number's literal; `ret_integer` says that it has neither fraction nor exponent. */
LEX_STATUS lex_json_scan_number(struct lex_json_scanner *scan, struct lex_span *ret,
                                bool *ret_integer);
/* true, false or null as a word. */
LEX_STATUS lex_json_scan_word(struct lex_json_scanner *scan, const char *word);

/* Integer literal (no fraction, no exponent) -> int64. @errors LEX_REJECT not one, or out of range
 */
LEX_STATUS lex_json_int64(struct lex_span literal, int64_t *ret);
/* Any number literal -> double; correctly rounded. @errors LEX_REJECT not finite */
LEX_STATUS lex_json_double(struct lex_span literal, double *ret);

/* ---- the tree ---- */

enum lex_json_type {
    LEX_JSON_NULL,
    LEX_JSON_BOOL,
    LEX_JSON_NUMBER,
    LEX_JSON_STRING,
    LEX_JSON_ARRAY,
    LEX_JSON_OBJECT,
};

enum { LEX_JSON_DEPTH_MAX = 64 };

struct lex_json {
    enum lex_json_type type;
    bool boolean;         /* of a BOOL */
    bool integer;         /* a NUMBER without fraction and exponent */
    uint32_t count;       /* elements or members */
    struct lex_span text; /* a STRING's decoded bytes; a NUMBER's literal; ARRAY and OBJECT:
                             their source text, brackets included */
    struct lex_span key;  /* a member's name; absent for others */
    size_t at;            /* byte offset of the value */
    size_t key_at;        /* byte offset of the member's name */
    const struct lex_json *child, *next; /* first element or member; the next sibling */
};

/* Parse a whole document, nested at most LEX_JSON_DEPTH_MAX deep (64 opens are taken, the 65th is
 * not). Strings borrow from `text` where they can, so `text` must outlive the tree.
 * @errors LEX_REJECT malformed: err names line, column and what was expected
 *         LEX_LIMIT  the arena is full */
LEX_STATUS lex_json_parse(struct lex_arena *arena, struct lex_span text,
                          const struct lex_json **ret_root, struct lex_error *err);
/* Member by name, NULL when absent or not an object. Linear. */
const struct lex_json *lex_json_get(const struct lex_json *object, const char *key);
bool lex_json_is(const struct lex_json *node, enum lex_json_type type); /* false for NULL */
const char *lex_json_type_name(enum lex_json_type type); /* "an object", "a string", ... */

/* Line and column (both from 1, the column in bytes) of a byte offset. */
void lex_json_where(struct lex_span text, size_t at, unsigned *ret_line, unsigned *ret_column);

#endif
