#include "core/base/text.h"

#include <stdio.h>
#include <time.h>

/* ---- UTF-8 ---- */

static bool continuation(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

size_t lex_utf8_next(struct lex_span span, uint32_t *ret_code)
{
    const uint8_t *s = span.data;
    if (span.len == 0)
        return 0;
    if (s[0] < 0x80) {
        *ret_code = s[0];
        return 1;
    }
    if (s[0] >= 0xc2 && s[0] <= 0xdf && span.len >= 2 && continuation(s[1])) {
        *ret_code = (uint32_t)(s[0] & 0x1f) << 6 | (s[1] & 0x3f);
        return 2;
    }
    if ((s[0] & 0xf0) == 0xe0 && span.len >= 3 && continuation(s[1]) && continuation(s[2])) {
        uint32_t code =
            (uint32_t)(s[0] & 0x0f) << 12 | (uint32_t)(s[1] & 0x3f) << 6 | (s[2] & 0x3f);
        if (code < 0x800 || (code >= 0xd800 && code <= 0xdfff))
            return 0;
        *ret_code = code;
        return 3;
    }
    if ((s[0] & 0xf8) == 0xf0 && span.len >= 4 && continuation(s[1]) && continuation(s[2]) &&
        continuation(s[3])) {
        uint32_t code = (uint32_t)(s[0] & 0x07) << 18 | (uint32_t)(s[1] & 0x3f) << 12 |
                        (uint32_t)(s[2] & 0x3f) << 6 | (s[3] & 0x3f);
        if (code < 0x10000 || code > 0x10ffff)
            return 0;
        *ret_code = code;
        return 4;
    }
    return 0;
}

/* Eight ASCII bytes at a time: nearly every string here is ASCII. */
static size_t skip_ascii(struct lex_span span, size_t at)
{
    for (; at + 8 <= span.len; at += 8) {
        uint64_t word;
        memcpy(&word, span.data + at, sizeof word);
        if (word & 0x8080808080808080u)
            break;
    }
    while (at < span.len && span.data[at] < 0x80)
        at++;
    return at;
}

bool lex_utf8_valid(struct lex_span span)
{
    for (size_t at = skip_ascii(span, 0); at < span.len;) {
        uint32_t code;
        size_t n = lex_utf8_next(lex_span_of(span.data + at, span.len - at), &code);
        if (n == 0)
            return false;
        at = skip_ascii(span, at + n);
    }
    return true;
}

size_t lex_utf8_put(uint32_t code, uint8_t out[4])
{
    if (code < 0x80) {
        out[0] = (uint8_t)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (uint8_t)(0xc0 | code >> 6);
        out[1] = (uint8_t)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (uint8_t)(0xe0 | code >> 12);
        out[1] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | code >> 18);
    out[1] = (uint8_t)(0x80 | (code >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (code & 0x3f));
    return 4;
}

/* ---- base64 ---- */

static const char STANDARD[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char URLSAFE[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* The first 1 to 3 bytes of `span` as four digits; returns how many of them count without padding.
 */
static size_t encode_group(struct lex_span span, const char *digits, uint8_t out[4])
{
    size_t n = span.len < 3 ? span.len : 3;
    uint32_t word = (uint32_t)span.data[0] << 16;
    word |= n > 1 ? (uint32_t)span.data[1] << 8 : 0;
    word |= n > 2 ? span.data[2] : 0;
    for (size_t i = 0; i < 4; i++)
        out[i] = i <= n ? (uint8_t)digits[word >> (18 - 6 * i) & 0x3f] : '=';
    return n + 1;
}

static void put_base64(struct lex_buf *buf, struct lex_span span, const char *digits, bool pad)
{
    for (size_t at = 0; at < span.len; at += 3) {
        uint8_t out[4];
        size_t n = encode_group(lex_span_of(span.data + at, span.len - at), digits, out);
        lex_buf_put(buf, out, pad ? 4 : n);
    }
}

size_t lex_base64url_encode(struct lex_span span, uint8_t *out)
{
    size_t put = 0;
    for (size_t at = 0; at < span.len; at += 3) {
        uint8_t digits[4];
        size_t n = encode_group(lex_span_of(span.data + at, span.len - at), URLSAFE, digits);
        memcpy(out + put, digits, n);
        put += n;
    }
    return put;
}

void lex_buf_put_base64(struct lex_buf *buf, struct lex_span span)
{
    put_base64(buf, span, STANDARD, true);
}

void lex_buf_put_base64url(struct lex_buf *buf, struct lex_span span)
{
    put_base64(buf, span, URLSAFE, false);
}

static int digit_of(uint8_t c, bool url)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == (url ? '-' : '+'))
        return 62;
    return c == (url ? '_' : '/') ? 63 : -1;
}

/* `text` without padding; a group of four digits gives three bytes, a last group of 2 or 3 one or
 * two. */
static enum lex_status decode(struct lex_span text, bool url, uint8_t *out, size_t cap,
                              size_t *ret_len)
{
    if (text.len % 4 == 1)
        return LEX_REJECT;
    size_t len = text.len / 4 * 3 + (text.len % 4 == 0 ? 0 : text.len % 4 - 1);
    if (len > cap)
        return LEX_LIMIT;
    uint32_t word = 0;
    size_t put = 0;
    for (size_t at = 0; at < text.len; at++) {
        int digit = digit_of(text.data[at], url);
        if (digit < 0)
            return LEX_REJECT;
        word = word << 6 | (uint32_t)digit;
        if (at % 4 != 0)
            out[put++] = (uint8_t)(word >> (6 - 2 * (at % 4)));
    }
    uint32_t spare = text.len % 4 == 2 ? 0xf : text.len % 4 == 3 ? 0x3 : 0;
    if (word & spare)
        return LEX_REJECT;
    *ret_len = len;
    return LEX_OK;
}

LEX_STATUS lex_base64url_decode(struct lex_span text, uint8_t *out, size_t cap, size_t *ret_len)
{
    return decode(text, true, out, cap, ret_len);
}

LEX_STATUS lex_base64_decode(struct lex_span text, uint8_t *out, size_t cap, size_t *ret_len)
{
    if (text.len % 4 != 0)
        return LEX_REJECT;
    for (int pads = 0; pads < 2 && text.len != 0 && text.data[text.len - 1] == '='; pads++)
        text.len--;
    return decode(text, false, out, cap, ret_len);
}

/* ---- hexadecimal ---- */

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

LEX_STATUS lex_hex_decode(struct lex_span text, uint8_t *out, size_t len)
{
    if (text.len != 2 * len)
        return LEX_REJECT;
    for (size_t i = 0; i < len; i++) {
        int high = hex_digit(text.data[2 * i]), low = hex_digit(text.data[2 * i + 1]);
        if (high < 0 || low < 0)
            return LEX_REJECT;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return LEX_OK;
}

/* ---- RFC 3339 (section 5.6) ---- */

static bool digits(struct lex_span text, size_t at, size_t n, int *ret)
{
    int value = 0;
    for (size_t i = at; i < at + n; i++) {
        if (i >= text.len || text.data[i] < '0' || text.data[i] > '9')
            return false;
        value = value * 10 + (text.data[i] - '0');
    }
    *ret = value;
    return true;
}

static bool is(struct lex_span text, size_t at, const char *any)
{
    return at < text.len && text.data[at] != 0 && strchr(any, text.data[at]) != NULL;
}

/* Days since 1970-01-01 of a proleptic Gregorian date, by counting from March so that the leap day
 * is the last of its year. */
static int64_t days_from_civil(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

static int month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

static bool parse_zone(struct lex_span text, size_t at, int64_t *ret_offset_s)
{
    int hours, minutes;
    if (is(text, at, "Zz"))
        return *ret_offset_s = 0, at + 1 == text.len;
    if (!is(text, at, "+-") || !digits(text, at + 1, 2, &hours) || !is(text, at + 3, ":") ||
        !digits(text, at + 4, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *ret_offset_s = (text.data[at] == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
    return at + 6 == text.len;
}

static bool parse_date_time(struct lex_span text, int64_t *ret_s)
{
    int y, mo, d, h, mi, s;
    if (!digits(text, 0, 4, &y) || !is(text, 4, "-") || !digits(text, 5, 2, &mo) ||
        !is(text, 7, "-") || !digits(text, 8, 2, &d) || !is(text, 10, "Tt ") ||
        !digits(text, 11, 2, &h) || !is(text, 13, ":") || !digits(text, 14, 2, &mi) ||
        !is(text, 16, ":") || !digits(text, 17, 2, &s))
        return false;
    if (mo < 1 || mo > 12 || d < 1 || d > month_days(y, mo) || h > 23 || mi > 59 || s > 59)
        return false;
    *ret_s = days_from_civil(y, mo, d) * 86400 + h * 3600 + mi * 60 + s;
    return true;
}

LEX_STATUS lex_rfc3339_parse(struct lex_span text, int64_t *ret_us)
{
    int64_t seconds, offset_s, micros = 0;
    size_t at = 19;
    if (!parse_date_time(text, &seconds))
        return LEX_REJECT;
    if (is(text, at, ".")) {
        int64_t unit = 100000;
        size_t first = ++at;
        for (; is(text, at, "0123456789"); at++, unit /= 10)
            micros += unit * (text.data[at] - '0');
        if (at == first)
            return LEX_REJECT;
    }
    if (!parse_zone(text, at, &offset_s))
        return LEX_REJECT;
    *ret_us = (seconds - offset_s) * 1000000 + micros;
    return LEX_OK;
}

static void rfc3339(int64_t us, int places, char out[LEX_RFC3339_MAX])
{
    int64_t seconds = us / 1000000 - (us % 1000000 < 0);
    int64_t micros = us - seconds * 1000000;
    time_t when = (time_t)seconds;
    struct tm tm = {0};
    (void)gmtime_r(&when, &tm);
    size_t n = strftime(out, LEX_RFC3339_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
    int64_t fraction = places == 6 ? micros : micros / 1000;
    (void)snprintf(out + n, LEX_RFC3339_MAX - n, ".%0*lldZ", places, (long long)fraction);
}

void lex_rfc3339_micros(int64_t us, char out[LEX_RFC3339_MAX])
{
    rfc3339(us, 6, out);
}

void lex_rfc3339_millis(int64_t us, char out[LEX_RFC3339_MAX])
{
    rfc3339(us, 3, out);
}

/* ---- edit distance ---- */

enum { EDIT_MAX = 64 };

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;
    return m < c ? m : c;
}

size_t lex_edit_distance(struct lex_span a, struct lex_span b, size_t max)
{
    size_t rows[3][EDIT_MAX + 1];
    if (a.len > EDIT_MAX || b.len > EDIT_MAX)
        return max + 1;
    for (size_t j = 0; j <= b.len; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t *row = rows[i % 3], *above = rows[(i - 1) % 3], *second = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            bool same = a.data[i - 1] == b.data[j - 1];
            row[j] = min3(above[j] + 1, row[j - 1] + 1, above[j - 1] + !same);
            bool swapped =
                i > 1 && j > 1 && a.data[i - 1] == b.data[j - 2] && a.data[i - 2] == b.data[j - 1];
            if (swapped && second[j - 2] + 1 < row[j])
                row[j] = second[j - 2] + 1;
        }
    }
    size_t distance = rows[a.len % 3][b.len];
    return distance > max ? max + 1 : distance;
}
