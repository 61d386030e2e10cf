#include "core/codec/text_writer.h"

#include "core/base/text.h"

LEX_STATUS lex_text_begin(struct lex_text *text, struct lex_arena *arena, size_t bound)
{
    uint8_t *start = lex_arena_reserve(arena, bound);
    if (start == NULL)
        return LEX_LIMIT;
    *text = (struct lex_text){.start = start, .at = start, .end = start + bound};
    return LEX_OK;
}

LEX_STATUS lex_text_end(struct lex_text *text, struct lex_arena *arena, size_t max_bytes,
                        struct lex_span *ret)
{
    size_t len = (size_t)(text->at - text->start);
    if (text->failed || len > max_bytes)
        return LEX_LIMIT;
    lex_arena_commit(arena, len);
    *ret = lex_span_of(text->start, len);
    return LEX_OK;
}

void lex_text_i64(struct lex_text *text, int64_t value)
{
    uint8_t digits[20];
    size_t n = sizeof digits;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        digits[--n] = (uint8_t)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (value < 0)
        lex_text_char(text, '-');
    lex_text_put(text, lex_span_of(digits + n, sizeof digits - n));
}

/* ---- strings ---- */

static void put_escape(struct lex_text *text, uint32_t code)
{
    static const char shorts[] = "\"\\\b\t\n\f\r", names[] = "\"\\btnfr";
    static const char hex[] = "0123456789abcdef";
    const char *found = code != 0 && code < 0x80 ? strchr(shorts, (int)code) : NULL;
    lex_text_char(text, '\\');
    if (found != NULL) {
        lex_text_char(text, names[found - shorts]);
        return;
    }
    lex_text_char(text, 'u');
    for (int shift = 12; shift >= 0; shift -= 4)
        lex_text_char(text, hex[code >> shift & 0xf]);
}

/* Does any of eight bytes need a closer look: below 0x20, a quote, a backslash, or (where `wide`)
 * DEL and everything above ASCII? A byte in doubt may be reported though it is fine. */
static inline uint64_t doubtful(uint64_t word, bool wide)
{
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
    uint64_t quote = word ^ ones * '"', slash = word ^ ones * '\\', del = word ^ ones * 0x7f;
    uint64_t hit = ((word - ones * 0x20) | (quote - ones) | (slash - ones)) & ~word;
    return (wide ? hit | (del - ones) | word : hit) & tops;
}

static size_t plain_run(struct lex_span value, size_t at, bool wide)
{
    for (; at + 8 <= value.len; at += 8) {
        uint64_t word;
        memcpy(&word, value.data + at, sizeof word);
        if (doubtful(word, wide))
            break;
    }
    return at;
}

/* The code point at `at` where it must be escaped, and its bytes; 0 bytes where it need not. */
static size_t to_escape(struct lex_span value, size_t at, bool wide, uint32_t *ret_code)
{
    const uint8_t *c = value.data + at;
    size_t left = value.len - at;
    *ret_code = c[0];
    if (c[0] < 0x20 || c[0] == '"' || c[0] == '\\' || (wide && c[0] == 0x7f))
        return 1;
    if (!wide || c[0] < 0x80)
        return 0;
    if (c[0] == 0xc2 && left >= 2 && c[1] < 0xa0) {
        *ret_code = c[1];
        return 2;
    }
    if (c[0] == 0xe2 && left >= 3 && c[1] == 0x80 && (c[2] == 0xa8 || c[2] == 0xa9)) {
        *ret_code = 0x2000u + (uint32_t)(c[2] - 0x80);
        return 3;
    }
    return 0;
}

static void put_string(struct lex_text *text, struct lex_span value, bool wide)
{
    size_t plain = 0; /* where the bytes start that are not yet written */
    lex_text_char(text, '"');
    for (size_t at = plain_run(value, 0, wide); at < value.len;) {
        uint32_t code;
        size_t n = to_escape(value, at, wide, &code);
        if (n != 0) {
            lex_text_put(text, lex_span_of(value.data + plain, at - plain));
            put_escape(text, code);
            plain = at + n;
            at = plain_run(value, plain, wide);
            continue;
        }
        at++;
        if (at % 8 == 0)
            at = plain_run(value, at, wide);
    }
    if (value.len > plain)
        lex_text_put(text, lex_span_of(value.data + plain, value.len - plain));
    lex_text_char(text, '"');
}

void lex_text_string(struct lex_text *text, struct lex_span value)
{
    put_string(text, value, false);
}

void lex_text_safe_string(struct lex_text *text, struct lex_span value)
{
    put_string(text, value, true);
}

size_t lex_text_long_bound(struct lex_span value)
{
    size_t bytes = value.len + 2;
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = value.data[i];
        if (c < 0x20 || c == '"' || c == '\\' || c == 0x7f || c == 0xc2 || c == 0xe2)
            bytes += 5;
    }
    return bytes;
}

/* ---- bytes and instants ---- */

void lex_text_base64(struct lex_text *text, struct lex_span bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if (!lex_text_room(text, (bytes.len + 2) / 3 * 4 + 2))
        return;
    uint8_t *out = text->at;
    *out++ = '"';
    size_t at = 0;
    for (; at + 3 <= bytes.len; at += 3, out += 4) {
        const uint8_t *in = bytes.data + at;
        uint32_t word = (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2];
        for (unsigned i = 0; i < 4; i++)
            out[i] = (uint8_t)digits[word >> (18 - 6 * i) & 0x3f];
    }
    if (at < bytes.len) {
        bool two = bytes.len - at == 2;
        uint32_t word = (uint32_t)bytes.data[at] << 16;
        word |= two ? (uint32_t)bytes.data[at + 1] << 8 : 0;
        *out++ = (uint8_t)digits[word >> 18];
        *out++ = (uint8_t)digits[word >> 12 & 0x3f];
        *out++ = (uint8_t)(two ? digits[word >> 6 & 0x3f] : '=');
        *out++ = '=';
    }
    *out++ = '"';
    text->at = out;
}

void lex_text_hex(struct lex_text *text, struct lex_span bytes)
{
    static const char digits[] = "0123456789abcdef";
    if (!lex_text_room(text, 2 * bytes.len + 2))
        return;
    *text->at++ = '"';
    for (size_t i = 0; i < bytes.len; i++) {
        *text->at++ = (uint8_t)digits[bytes.data[i] >> 4];
        *text->at++ = (uint8_t)digits[bytes.data[i] & 0xf];
    }
    *text->at++ = '"';
}

/* By hand: gmtime and printf would take most of a verdict's time. */
static uint8_t *put_digits(uint8_t *out, uint64_t value, unsigned places)
{
    for (unsigned i = places; i > 0; i--, value /= 10)
        out[i - 1] = (uint8_t)('0' + value % 10);
    return out + places;
}

/* The civil date of a day since 1970, years 0 and later: the algorithm of H. Hinnant,
 * "chrono-Compatible Low-Level Date Algorithms", civil_from_days. */
static uint8_t *put_date(uint8_t *out, int64_t day)
{
    uint64_t since = (uint64_t)(day + 719468); /* days since 0000-03-01 */
    uint64_t era = since / 146097, of_era = since % 146097;
    uint64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    uint64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    uint64_t month = (5 * of_year + 2) / 153; /* from March */
    out = put_digits(out, year + era * 400 + (month >= 10), 4);
    *out++ = '-';
    out = put_digits(out, month < 10 ? month + 3 : month - 9, 2);
    *out++ = '-';
    return put_digits(out, of_year - (153 * month + 2) / 5 + 1, 2);
}

/* RFC 3339 with `places` digits of a second. @pre 1970 <= us < year 10000 */
static void put_instant(struct lex_text *text, int64_t us, unsigned places)
{
    if (!lex_text_room(text, LEX_RFC3339_MAX))
        return;
    uint64_t second = (uint64_t)(us / 1000000), of_day = second % 86400;
    uint64_t fraction = (uint64_t)(us % 1000000);
    uint8_t *out = text->at;
    *out++ = '"';
    out = put_date(out, us / 86400000000);
    *out++ = 'T';
    out = put_digits(out, of_day / 3600, 2);
    *out++ = ':';
    out = put_digits(out, of_day / 60 % 60, 2);
    *out++ = ':';
    out = put_digits(out, of_day % 60, 2);
    *out++ = '.';
    out = put_digits(out, places == 6 ? fraction : fraction / 1000, places);
    *out++ = 'Z';
    *out++ = '"';
    text->at = out;
}

static const int64_t year_10000_us = 253402300800000000;

void lex_text_micros(struct lex_text *text, int64_t us)
{
    char instant[LEX_RFC3339_MAX];
    if (us >= 0 && us < year_10000_us) {
        put_instant(text, us, 6);
        return;
    }
    lex_rfc3339_micros(us, instant);
    lex_text_safe_string(text, lex_span_str(instant));
}

void lex_text_millis(struct lex_text *text, int64_t ms)
{
    char instant[LEX_RFC3339_MAX];
    if (ms >= 0 && ms < year_10000_us / 1000) {
        put_instant(text, ms * 1000, 3);
        return;
    }
    bool over = ms > INT64_MAX / 1000 || ms < INT64_MIN / 1000;
    lex_rfc3339_millis(over ? (ms < 0 ? INT64_MIN : INT64_MAX) : ms * 1000, instant);
    lex_text_safe_string(text, lex_span_str(instant));
}

struct lex_buf lex_text_lend(const struct lex_text *text)
{
    size_t room = (size_t)(text->end - text->at);
    return (struct lex_buf){
        .data = text->at, .cap = room, .max = room == 0 ? 0 : room - 1, .failed = room == 0};
}

void lex_text_take_back(struct lex_text *text, const struct lex_buf *buf)
{
    text->at += buf->len;
    text->failed = text->failed || buf->failed;
}
