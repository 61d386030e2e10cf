/* A line of hexadecimal in, a line out: the request as JSON, or "!CODE message". What a test in
 * another language drives our decoder with.
 *
 *     avro_decode SCHEMA_DIR < messages */
#include <stdio.h>

#include "core/base/text.h"
#include "core/codec/codec.h"

static struct lex_arena arena;

static void answer(struct lex_codec *codec, struct lex_span value)
{
    struct lex_request request;
    struct lex_error err = {""};
    struct lex_span json = {NULL, 0};
    enum lex_format format;
    enum lex_undecodable why = LEX_UNDECODABLE_COUNT;
    if (lex_decode_request(codec, value, &arena, &request, &format, &why, &err) != LEX_OK)
        printf("!%s %s\n", lex_undecodable_name(why), err.text);
    else if (lex_encode_request(LEX_FORMAT_JSON, &request, &arena, &json) != LEX_OK)
        printf("!UNPRINTABLE\n");
    else
        printf("%.*s\n", LEX_SPAN_FMT(json));
}

int main(int argc, char **argv)
{
    static char line[1 << 16];
    static uint8_t bytes[1 << 15];
    struct lex_codec *codec = NULL;
    struct lex_error err = {""};
    struct lex_codec_options options = {argc > 1 ? argv[1] : NULL};
    if (lex_codec_new(&options, &codec, &err) != LEX_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    lex_arena_init(&arena, 1 << 16, 64 << 20);
    while (fgets(line, sizeof line, stdin) != NULL) {
        size_t len = strcspn(line, "\n") / 2;
        if (lex_hex_decode(lex_span_of(line, 2 * len), bytes, len) != LEX_OK)
            return 2;
        answer(codec, lex_span_of(bytes, len));
        lex_arena_reset(&arena);
    }
    lex_arena_fini(&arena);
    lex_codec_free(codec);
    return 0;
}
