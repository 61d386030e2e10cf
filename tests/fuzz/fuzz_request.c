/* Can any bytes crash, hang or leak the decoders? What decodes must also encode again, and the
 * same.
 *
 *     cmake -S . -B build/fuzz -G Ninja -DLEX_FUZZ=ON -DLEX_SANITIZE=ON   with CC=clang
 *     build/fuzz/bin/fuzz_request -max_total_time=60 */
#include <stdlib.h>

#include "core/codec/codec.h"
#include "schemas/tables.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct lex_arena arena;
static struct lex_codec *codec;

static void start(void)
{
    if (codec != NULL)
        return;
    lex_arena_init(&arena, 1 << 16, 64 << 20);
    if (lex_codec_new(NULL, &codec, NULL) != LEX_OK)
        abort();
}

static void try_request(struct lex_span value)
{
    struct lex_request request;
    enum lex_format format;
    enum lex_undecodable why = LEX_UNDECODABLE_COUNT;
    struct lex_error err = {""};
    struct lex_span again;
    uint8_t hash[32];
    enum lex_status status =
        lex_decode_request(codec, value, &arena, &request, &format, &why, &err);
    if (status == LEX_REJECT && (why == LEX_UNDECODABLE_COUNT || err.text[0] == 0))
        abort();
    if (status != LEX_OK)
        return;
    (void)!lex_request_fingerprint(&request, &arena, hash, &err);
    if (format == LEX_FORMAT_AVRO &&
        lex_encode_framed(&lex_type_request, &request, &arena, 8 << 20, &again) != LEX_OK)
        abort();
}

static void try_entry(struct lex_span value)
{
    struct lex_ledger_entry entry;
    struct lex_verdict verdict;
    struct lex_span span;
    if (lex_decode_framed(&lex_type_ledger_entry, value, &arena, &entry, NULL) == LEX_OK &&
        lex_entry_to_json(&entry, &arena, &span) != LEX_OK)
        abort();
    (void)!lex_decode_verdict(value, &arena, &verdict, &span, NULL);
    (void)!lex_decode_verdict_json(value, &arena, &verdict, &span, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    start();
    try_request(lex_span_of(data, size));
    try_entry(lex_span_of(data, size));
    lex_arena_reset(&arena);
    return 0;
}
