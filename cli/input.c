#include "cli/input.h"

#include <errno.h>
#include <stdio.h>

LEX_STATUS lex_input_read(const char *path, struct lex_buf *out, struct lex_error *err)
{
    char piece[16384];
    size_t got;
    bool standard = strcmp(path, "-") == 0;
    const char *name = standard ? "standard input" : path;
    FILE *in = standard ? stdin : fopen(path, "rbe");
    if (in == NULL)
        return lex_fail(err, LEX_REJECT, "%s: %s", path, strerror(errno));
    while (lex_buf_ok(out) && (got = fread(piece, 1, sizeof piece, in)) > 0)
        lex_buf_put(out, piece, got);
    bool good = ferror(in) == 0;
    if (!standard)
        (void)fclose(in);
    if (!good)
        return lex_fail(err, LEX_REJECT, "%s: cannot be read", name);
    if (!lex_buf_ok(out))
        return lex_fail(err, LEX_LIMIT, "%s: more than %zu bytes", name, out->max);
    return LEX_OK;
}

struct lex_span lex_input_trim(struct lex_span text)
{
    while (text.len > 0 && text.data[0] <= ' ')
        text = lex_span_of(text.data + 1, text.len - 1);
    while (text.len > 0 && text.data[text.len - 1] <= ' ')
        text.len--;
    return text;
}

LEX_STATUS lex_input_request(const char *path, struct lex_request_file *ret_file,
                             uint8_t ret_fingerprint[32], struct lex_error *err)
{
    struct lex_error why;
    struct lex_request_file file;
    LEX_CLEANUP(lex_buf_fini) struct lex_buf text;
    lex_buf_init(&text, LEX_REQUEST_MAX_BYTES);
    LEX_TRY(lex_input_read(path, &text, err));
    enum lex_status status = lex_request_file_one(lex_input_trim(lex_buf_span(&text)), &file, &why);
    if (status != LEX_OK)
        return lex_fail(err, status, "%s: %s", path, why.text);
    status = lex_request_fingerprint(&file.lines[0].request, &file.arena, ret_fingerprint, &why);
    if (status != LEX_OK) {
        lex_request_file_fini(&file);
        return lex_fail(err, status, "%s: %s", path, why.text);
    }
    *ret_file = file;
    return LEX_OK;
}
