/* Requests: which framing, whose schema, and then the decoder that fits. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/codec/json_reader.h"
#include "core/codec/json_writer.h"
#include "core/codec/request_body.h"
#include "core/decision/decision.h"

enum {
    WRITERS_MAX = 256,                   /* schemas known at a time, the shipped ones included */
    SCHEMA_ARENA_BYTES = 512 * 1024,     /* a chunk of it */
    SCHEMA_MAX_BYTES = 64 * 1024 * 1024, /* all schemas and plans */
};

/* One writer's schema; its plan is made when its first message comes. */
struct writer {
    uint64_t fingerprint;
    const struct lex_schema *schema;
    const struct lex_plan *plan;
    const char *problem; /* why there is no plan */
};

struct lex_codec {
    struct lex_arena arena;
    uint64_t reader; /* the fingerprint of our own request: decoded without a plan */
    struct writer writers[WRITERS_MAX];
    size_t count, last;
};

const char *lex_undecodable_name(enum lex_undecodable why)
{
    static const char *const names[] = {
#define LEX_UNDECODABLE(name, text) #name,
#include "core/codec/undecodable.def"
#undef LEX_UNDECODABLE
    };
    return (size_t)why < LEX_COUNT_OF(names) ? names[why] : "?";
}

/* ---- writers' schemas ---- */

static uint64_t fingerprint_at(const uint8_t *bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < 8; i++)
        value |= (uint64_t)bytes[i] << (8 * i);
    return value;
}

static struct writer *find_writer(struct lex_codec *codec, uint64_t fingerprint)
{
    if (codec->last < codec->count && codec->writers[codec->last].fingerprint == fingerprint)
        return &codec->writers[codec->last];
    for (size_t i = 0; i < codec->count; i++) {
        if (codec->writers[i].fingerprint != fingerprint)
            continue;
        codec->last = i;
        return &codec->writers[i];
    }
    return NULL;
}

static enum lex_status add_writer(struct lex_codec *codec, struct lex_span text,
                                  struct lex_error *err)
{
    const struct lex_schema *schema = NULL;
    uint64_t fingerprint = 0;
    LEX_TRY(lex_schema_parse(text, &codec->arena, &schema, err));
    if (lex_schema_fingerprint(schema, &fingerprint) != LEX_OK)
        return lex_fail(err, LEX_LIMIT, "its canonical form is too large");
    if (find_writer(codec, fingerprint) != NULL)
        return LEX_OK;
    if (codec->count == WRITERS_MAX)
        return lex_fail(err, LEX_LIMIT, "more than %d writers' schemas", WRITERS_MAX);
    codec->writers[codec->count++] = (struct writer){.fingerprint = fingerprint, .schema = schema};
    return LEX_OK;
}

static enum lex_status read_file(struct lex_codec *codec, const char *path, struct lex_span *ret,
                                 struct lex_error *err)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return lex_fail(err, LEX_REJECT, "cannot be read: %s", strerror(errno));
    uint8_t *text = lex_arena_reserve(&codec->arena, LEX_SCHEMA_TEXT_MAX_BYTES + 1);
    size_t len = text == NULL ? 0 : fread(text, 1, LEX_SCHEMA_TEXT_MAX_BYTES + 1, file);
    bool good = text != NULL && ferror(file) == 0;
    (void)fclose(file);
    if (!good)
        return lex_fail(err, LEX_REJECT, "cannot be read");
    lex_arena_commit(&codec->arena, len);
    *ret = lex_span_of(text, len);
    return LEX_OK;
}

static enum lex_status load_file(struct lex_codec *codec, const char *dir, const char *name,
                                 struct lex_error *err)
{
    char path[4096];
    struct lex_span text = {NULL, 0};
    struct lex_error why = {""};
    int len = snprintf(path, sizeof path, "%s/%s", dir, name);
    if (len < 0 || (size_t)len >= sizeof path)
        return lex_fail(err, LEX_REJECT, "schema_dir: the path of %s is too long", name);
    enum lex_status status = read_file(codec, path, &text, &why);
    if (status == LEX_OK)
        status = add_writer(codec, text, &why);
    return status == LEX_OK
               ? LEX_OK
               : lex_fail(err, status, "schema_dir: %.300s: %.600s; mend the file or take it away",
                          path, why.text);
}

static int only_schemas(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    return len > 5 && strcmp(entry->d_name + len - 5, ".avsc") == 0;
}

static enum lex_status load_dir(struct lex_codec *codec, const char *dir, struct lex_error *err)
{
    struct dirent **entries = NULL;
    int count = scandir(dir, &entries, only_schemas, alphasort);
    if (count < 0)
        return lex_fail(err, LEX_REJECT, "schema_dir: %.300s cannot be read: %s", dir,
                        strerror(errno));
    enum lex_status status = LEX_OK;
    for (int i = 0; i < count; i++) {
        if (status == LEX_OK)
            status = load_file(codec, dir, entries[i]->d_name, err);
        free(entries[i]);
    }
    free(entries);
    return status;
}

static enum lex_status load_all(struct lex_codec *codec, const struct lex_codec_options *options,
                                struct lex_error *err)
{
    for (uint32_t i = 0; i < lex_published_schemas_count; i++)
        LEX_TRY(add_writer(codec, lex_published_schemas[i], err));
    if (options == NULL || options->schema_dir == NULL)
        return LEX_OK;
    return load_dir(codec, options->schema_dir, err);
}

LEX_STATUS lex_codec_new(const struct lex_codec_options *options, struct lex_codec **ret_codec,
                         struct lex_error *err)
{
    struct lex_codec *codec = calloc(1, sizeof *codec);
    if (codec == NULL)
        return lex_fail(err, LEX_LIMIT, "no memory for the codec");
    lex_arena_init(&codec->arena, SCHEMA_ARENA_BYTES, SCHEMA_MAX_BYTES);
    codec->reader = fingerprint_at(lex_type_request.frame + 2);
    enum lex_status status = load_all(codec, options, err);
    if (status != LEX_OK) {
        lex_codec_free(codec);
        return status;
    }
    *ret_codec = codec;
    return LEX_OK;
}

void lex_codec_free(struct lex_codec *codec)
{
    if (codec == NULL)
        return;
    lex_arena_fini(&codec->arena);
    free(codec);
}

/* The plan, made now if this is the writer's first message. A failure is kept as well. */
static const struct lex_plan *plan_of(struct lex_codec *codec, struct writer *writer)
{
    struct lex_error why = {""};
    if (writer->plan != NULL || writer->problem != NULL)
        return writer->plan;
    if (lex_plan_new(writer->schema, &lex_type_request, &codec->arena, &writer->plan, &why) ==
        LEX_OK)
        return writer->plan;
    struct lex_span text = lex_arena_printf(&codec->arena, "%s", why.text);
    writer->problem = lex_span_absent(text) ? "the plan needs more memory than plans may have"
                                            : (const char *)text.data;
    return NULL;
}

/* ---- decoding ---- */

static enum lex_status undecodable(enum lex_undecodable why, enum lex_undecodable *ret_why)
{
    *ret_why = why;
    return LEX_REJECT;
}

static enum lex_status read_body(struct lex_cursor *cursor, const struct lex_plan *plan,
                                 struct lex_request *request)
{
    LEX_TRY(plan == NULL ? lex_record_decode(cursor, &lex_type_request, request)
                         : lex_plan_run(plan, cursor, request));
    return cursor->at == cursor->end ? LEX_OK
                                     : lex_cursor_fail(cursor, LEX_UNDECODABLE_MALFORMED_AVRO,
                                                       "bytes are left over behind the record");
}

LEX_STATUS lex_request_from_avro(const struct lex_plan *plan, struct lex_span body,
                                 struct lex_arena *arena, struct lex_request *ret_request,
                                 enum lex_undecodable *ret_why, struct lex_error *err)
{
    struct lex_request request;
    struct lex_cursor cursor;
    lex_cursor_init(&cursor, body, arena);
    enum lex_status status = read_body(&cursor, plan, &request);
    if (status == LEX_OK)
        *ret_request = request;
    else if (status == LEX_REJECT)
        *ret_why = cursor.why;
    return status == LEX_OK ? LEX_OK : lex_cursor_explain(&cursor, status, &lex_type_request, err);
}

static enum lex_status decode_avro(struct lex_codec *codec, struct lex_span value,
                                   struct lex_arena *arena, struct lex_request *ret_request,
                                   enum lex_undecodable *ret_why, struct lex_error *err)
{
    if (value.len < LEX_FRAME_BYTES) {
        (void)lex_fail(err, LEX_REJECT, "Request: the message ends inside its fingerprint");
        return undecodable(LEX_UNDECODABLE_MALFORMED_AVRO, ret_why);
    }
    uint64_t fingerprint = fingerprint_at(value.data + 2);
    struct lex_span body = lex_span_of(value.data + LEX_FRAME_BYTES, value.len - LEX_FRAME_BYTES);
    if (fingerprint == codec->reader)
        return lex_request_from_avro(NULL, body, arena, ret_request, ret_why, err);
    struct writer *writer = find_writer(codec, fingerprint);
    if (writer == NULL) {
        (void)lex_fail(err, LEX_REJECT,
                       "no schema with fingerprint %016" PRIx64
                       " is known; put the writer's .avsc into schema_dir",
                       fingerprint);
        return undecodable(LEX_UNDECODABLE_UNKNOWN_SCHEMA, ret_why);
    }
    const struct lex_plan *plan = plan_of(codec, writer);
    if (plan == NULL) {
        (void)lex_fail(err, LEX_REJECT, "schema %016" PRIx64 ": %s", fingerprint, writer->problem);
        return undecodable(LEX_UNDECODABLE_INCOMPATIBLE_SCHEMA, ret_why);
    }
    return lex_request_from_avro(plan, body, arena, ret_request, ret_why, err);
}

LEX_STATUS lex_request_from_json(struct lex_span body, struct lex_arena *arena,
                                 struct lex_request *ret_request, enum lex_undecodable *ret_why,
                                 struct lex_error *err)
{
    struct lex_request request;
    LEX_TRY(lex_json_read(&lex_type_request, body, arena, &request, ret_why, err));
    *ret_request = request;
    return LEX_OK;
}

LEX_STATUS lex_request_check_size(struct lex_span body, enum lex_undecodable *ret_why,
                                  struct lex_error *err)
{
    if (body.len <= LEX_REQUEST_MAX_BYTES)
        return LEX_OK;
    (void)lex_fail(err, LEX_REJECT, "the record has %zu bytes, more than %d", body.len,
                   LEX_REQUEST_MAX_BYTES);
    return undecodable(LEX_UNDECODABLE_TOO_LARGE, ret_why);
}

static bool looks_like_object(struct lex_span value)
{
    for (size_t i = 0; i < value.len; i++)
        if (value.data[i] == 0 || strchr(" \t\r\n", value.data[i]) == NULL)
            return value.data[i] == '{';
    return false;
}

LEX_STATUS lex_decode_request(struct lex_codec *codec, struct lex_span value,
                              struct lex_arena *arena, struct lex_request *ret_request,
                              enum lex_format *ret_format, enum lex_undecodable *ret_why,
                              struct lex_error *err)
{
    bool avro = value.len >= 2 && value.data[0] == 0xc3 && value.data[1] == 0x01;
    bool confluent = value.len >= 1 && value.data[0] == 0x00;
    *ret_format = avro || confluent ? LEX_FORMAT_AVRO : LEX_FORMAT_JSON;
    if (lex_span_absent(value) || value.len == 0) {
        (void)lex_fail(err, LEX_REJECT, "the record has no value");
        return undecodable(LEX_UNDECODABLE_EMPTY, ret_why);
    }
    LEX_TRY(lex_request_check_size(value, ret_why, err));
    if (avro)
        return decode_avro(codec, value, arena, ret_request, ret_why, err);
    if (looks_like_object(value))
        return lex_request_from_json(value, arena, ret_request, ret_why, err);
    (void)lex_fail(
        err, LEX_REJECT, "%s",
        confluent && value.len < LEX_CONFLUENT_FRAME_BYTES
            ? "the message ends inside its Confluent frame (00 and a schema id of four "
              "bytes)"
        : confluent ? "Confluent framing, but no schema registry is configured: set "
                      "schema_registry_url, or send Avro single-object encoding (C3 01) or a JSON "
                      "object"
                    : "neither a JSON object nor Avro single-object encoding (C3 01)");
    return undecodable(LEX_UNDECODABLE_UNKNOWN_FRAMING, ret_why);
}

/* ---- encoding, for clients ---- */

static enum lex_status encode_json(const struct lex_request *request, struct lex_arena *arena,
                                   struct lex_span *ret)
{
    struct lex_text out;
    struct lex_span text = {NULL, 0};
    LEX_TRY(lex_text_begin(&out, arena, lex_json_bound(&lex_type_request, request)));
    LEX_TRY(lex_json_write(&out, &lex_type_request, request));
    LEX_TRY(lex_text_end(&out, arena, LEX_REQUEST_MAX_BYTES, &text));
    if (!lex_utf8_valid(text))
        return LEX_REJECT;
    *ret = text;
    return LEX_OK;
}

/* Read back at once: a client hears here what the service would refuse. */
static enum lex_status encode_avro(const struct lex_request *request, struct lex_arena *arena,
                                   struct lex_span *ret)
{
    struct lex_request back;
    struct lex_span bytes = {NULL, 0};
    LEX_TRY(lex_encode_framed(&lex_type_request, request, arena, LEX_REQUEST_MAX_BYTES, &bytes));
    LEX_TRY(lex_decode_framed(&lex_type_request, bytes, arena, &back, NULL));
    *ret = bytes;
    return LEX_OK;
}

LEX_STATUS lex_encode_request(enum lex_format format, const struct lex_request *request,
                              struct lex_arena *arena, struct lex_span *ret)
{
    return format == LEX_FORMAT_JSON ? encode_json(request, arena, ret)
                                     : encode_avro(request, arena, ret);
}
