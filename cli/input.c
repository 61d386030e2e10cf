#include "cli/input.h"

#include "cli/text_file.h"

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
    LEX_TRY(lex_text_file_read(path, &text, err));
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
