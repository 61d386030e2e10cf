/* The worked examples of docs/formats.md, made by the code that they describe.
 *
 *     avro_examples REQUEST_JSON OUT_DIR
 *
 * Keys come from a fixed seed, so each run gives the same bytes. */
#include <stdio.h>
#include <stdlib.h>

#include "core/codec/codec.h"
#include "core/crypto/crypto.h"
#include "tests/unit/codec_fixture.h"

static struct lex_arena arena;
static struct lex_error err;

static void must(enum lex_status status, const char *what)
{
    if (status == LEX_OK)
        return;
    fprintf(stderr, "%s: %s\n", what, err.text);
    exit(1);
}

static FILE *open_in(const char *dir, const char *name, const char *mode)
{
    char path[4096];
    snprintf(path, sizeof path, "%s%s%s", dir, *dir == 0 ? "" : "/", name);
    FILE *file = fopen(path, mode);
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    return file;
}

static void write_text(const char *dir, const char *name, struct lex_span text)
{
    FILE *file = open_in(dir, name, "wb");
    fwrite(text.data, 1, text.len, file);
    fputc('\n', file);
    fclose(file);
}

static void write_hex(const char *dir, const char *name, struct lex_span bytes)
{
    FILE *file = open_in(dir, name, "wb");
    for (size_t i = 0; i < bytes.len; i++)
        fprintf(file, "%02x%s", bytes.data[i], i % 32 == 31 ? "\n" : "");
    fprintf(file, "%s", bytes.len % 32 == 0 ? "" : "\n");
    fclose(file);
}

static struct lex_request read_request(const char *path)
{
    static char text[1 << 16];
    struct lex_request request;
    struct lex_codec *codec = NULL;
    enum lex_format format;
    enum lex_undecodable why;
    FILE *file = open_in("", path, "rb");
    size_t len = fread(text, 1, sizeof text, file);
    fclose(file);
    must(lex_codec_new(NULL, &codec, &err), "codec");
    must(lex_decode_request(codec, lex_span_of(text, len), &arena, &request, &format, &why, &err),
         path);
    lex_codec_free(codec);
    return request;
}

static void request_files(const char *dir, const struct lex_request *request, uint8_t hash[32])
{
    struct lex_span span = {NULL, 0};
    must(lex_encode_request(LEX_FORMAT_AVRO, request, &arena, &span), "request");
    write_hex(dir, "request.avro.hex", span);
    must(lex_request_canonical(request, &arena, &span, &err), "canonical");
    write_text(dir, "request.canonical.json", span);
    must(lex_request_fingerprint(request, &arena, hash, &err), "fingerprint");
    write_hex(dir, "request.fingerprint.hex", lex_span_of(hash, 32));
}

/* An entry about the request, as the service would write it. */
static struct lex_ledger_entry entry_of(const struct lex_request *request, const uint8_t hash[32])
{
    struct lex_ledger_entry entry = fixture_entry();
    static struct lex_hash prev;
    lex_genesis_hash(entry.log, &prev);
    entry.seq = 0;
    entry.prev = lex_span_of(prev.bytes, sizeof prev.bytes);
    entry.obligations.count = entry.warnings.count = 0;
    entry.mode_given = LEX_MODE_UNSET;
    entry.request_id = request->request_id;
    entry.actor = request->actor;
    entry.action = request->proposed_action;
    entry.tool = request->tool;
    entry.resource = request->resource;
    entry.data_classes = request->data_classes;
    entry.user_id = request->user_id;
    entry.request_fingerprint = lex_span_of(hash, 32);
    return entry;
}

static void verdict_files(const char *dir, const struct lex_ledger_entry *entry)
{
    const struct lex_span none = {NULL, 0};
    struct lex_span value = none, span = none;
    struct lex_keyring *keys = NULL;
    struct lex_attestation attestations[2];
    struct lex_hash leaves[2] = {{{0}}};
    struct lex_buf pins;
    must(lex_encode_framed(&lex_type_ledger_entry, entry, &arena, 65535, &value), "entry");
    write_hex(dir, "entry.avro.hex", value);
    must(lex_entry_to_json(entry, &arena, &span), "entry");
    write_text(dir, "entry.json", span);
    must(lex_keyring_from_seed(fixture_bytes, "acme/main", &keys, &err), "keys");
    lex_leaf_hash(value, &leaves[0]);
    lex_leaf_hash(LEX_SPAN("another entry of the batch"), &leaves[1]);
    must(lex_attest_batch(keys, entry->log, leaves, 2, &arena, attestations), "attestation");
    must(lex_encode_verdict(LEX_FORMAT_JSON, entry, value, &attestations[0], none, &arena, 1 << 20,
                            &span),
         "verdict");
    write_text(dir, "verdict.json", span);
    must(lex_encode_verdict(LEX_FORMAT_AVRO, entry, value, &attestations[0], none, &arena, 1 << 20,
                            &span),
         "verdict");
    write_hex(dir, "verdict.avro.hex", span);
    lex_buf_init(&pins, 1 << 16);
    must(lex_pins_write(keys, &pins), "pins");
    FILE *file = open_in(dir, "pins.json", "wb");
    fputs(lex_buf_str(&pins), file);
    fclose(file);
    lex_buf_fini(&pins);
    lex_keyring_free(keys);
}

int main(int argc, char **argv)
{
    uint8_t hash[32];
    if (argc != 3) {
        fprintf(stderr, "usage: avro_examples REQUEST_JSON OUT_DIR\n");
        return 2;
    }
    must(lex_crypto_init(&err), "crypto");
    lex_arena_init(&arena, 1 << 16, 64 << 20);
    struct lex_request request = read_request(argv[1]);
    request_files(argv[2], &request, hash);
    struct lex_ledger_entry entry = entry_of(&request, hash);
    verdict_files(argv[2], &entry);
    lex_arena_fini(&arena);
    return 0;
}
