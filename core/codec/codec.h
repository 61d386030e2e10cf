/* Codec: bytes <-> records. The only code that meets untrusted bytes.
 *
 * One table-driven encoder and decoder works on every generated record type; a JSON reader drives
 * the same tables. Nothing here allocates outside the batch's arena, and nothing is sized by a
 * length that a message claims: every count is bounded by the bytes that are left. */
#ifndef LEX_CODEC_CODEC_H
#define LEX_CODEC_CODEC_H

#include "core/base/arena.h"
#include "schemas/records.h"

struct lex_record_type; /* a generated field table; opaque here */
extern const struct lex_record_type lex_type_request, lex_type_ledger_entry, lex_type_verdict;

/* ---- framing: Avro 1.11 specification, "Single-object encoding" ---- */
enum { LEX_FRAME_BYTES = 10 };

/* ---- encode ---- */
/* Append the record as single-object Avro to the arena.
 * @errors LEX_LIMIT the arena is full, or the result is over max_bytes; LEX_REJECT a field that the
 *         schema cannot hold (a required string absent, a fixed of another length, a bad enum) */
LEX_STATUS lex_encode_framed(const struct lex_record_type *type, const void *record,
                             struct lex_arena *arena, size_t max_bytes, struct lex_span *ret);

/* ---- decode our own records (the shipped schemas only: by fingerprint) ---- */
/* @errors LEX_REJECT not single-object, another fingerprint, malformed, or bytes left over */
LEX_STATUS lex_decode_framed(const struct lex_record_type *type, struct lex_span value,
                             struct lex_arena *arena, void *ret_record, struct lex_error *err);
/* A verdict (Avro single-object, or in Confluent's framing, whose id is not asked about: what it
 * carries is signed): also gives the bytes of the ledger record it carries, rebuilt in
 * the arena (frame of the entry's schema + the entry's body), what the leaf hash covers. */
LEX_STATUS lex_decode_verdict(struct lex_span value, struct lex_arena *arena,
                              struct lex_verdict *ret_verdict, struct lex_span *ret_entry_value,
                              struct lex_error *err);

/* ---- requests ---- */
/* AVRO is single-object encoding; CONFLUENT is the same body behind a registry's schema id. */
enum lex_format { LEX_FORMAT_AVRO, LEX_FORMAT_JSON, LEX_FORMAT_CONFLUENT };

/* Why a record cannot be decoded: names for the dead letter, the metric's label and the entry. */
enum lex_undecodable {
#define LEX_UNDECODABLE(name, text) LEX_UNDECODABLE_##name,
#include "core/codec/undecodable.def"
#undef LEX_UNDECODABLE
    LEX_UNDECODABLE_COUNT
};
const char *lex_undecodable_name(enum lex_undecodable why); /* "UNKNOWN_SCHEMA" */

struct lex_codec; /* writers' schemas and their resolution plans; one per worker, not shared */
struct lex_codec_options {
    const char *schema_dir; /* more writers' .avsc files; NULL: the shipped ones only */
};
LEX_STATUS lex_codec_new(const struct lex_codec_options *options, struct lex_codec **ret_codec,
                         struct lex_error *err);
void lex_codec_free(struct lex_codec *codec);

/* Decode one request: single-object Avro (C3 01 ...) of any known writer, or a JSON object.
 * Defaults are filled. A JSON request may lack required members: they are absent spans, which the
 * decision answers with INVALID_REQUEST. Strings borrow from `value` or the arena.
 * @errors LEX_REJECT cannot be decoded: *ret_why and err say why; LEX_LIMIT the arena is full
 * @post   *ret_format is set even on failure (LEX_FORMAT_JSON unless it begins with C3 01 or 00) */
LEX_STATUS lex_decode_request(struct lex_codec *codec, struct lex_span value,
                              struct lex_arena *arena, struct lex_request *ret_request,
                              enum lex_format *ret_format, enum lex_undecodable *ret_why,
                              struct lex_error *err);

/* ---- requests whose schema a registry names (registered.c) ---- */
enum { LEX_CONFLUENT_FRAME_BYTES = 5, LEX_SCHEMA_GUID_BYTES = 16, LEX_SCHEMA_REF_TEXT_MAX = 40 };

/* How a record names its schema. */
struct lex_schema_ref {
    bool guid;
    uint8_t bytes[LEX_SCHEMA_GUID_BYTES]; /* of an id the first four, big-endian, then zeros */
};
enum lex_framing {
    LEX_FRAMING_NONE,   /* it names none: lex_decode_request */
    LEX_FRAMING_PREFIX, /* 00 and the id, then the body */
    LEX_FRAMING_HEADER, /* the header names it, and the whole value is the body */
    LEX_FRAMING_BROKEN, /* a prefix that ends early, or a header of another form */
};
/* `header` is the record's __value_schema_id, absent where there is none; it comes first. */
enum lex_framing lex_framing_read(struct lex_span value, struct lex_span header,
                                  struct lex_schema_ref *ret_ref);
uint32_t lex_schema_ref_id(const struct lex_schema_ref *ref); /* of one that is no GUID */
void lex_schema_ref_text(const struct lex_schema_ref *ref, char out[LEX_SCHEMA_REF_TEXT_MAX]);

/* What an id names: never changes, so that threads share it and a batch that is decided again is
 * read the same way. */
enum lex_registered_kind {
    LEX_REGISTERED_AVRO,
    LEX_REGISTERED_JSON,    /* a JSON Schema: the body is a JSON request, the schema is not asked */
    LEX_REGISTERED_REFUSED, /* nothing that requests can be read by: says why */
};
enum { LEX_REGISTERED_MAX_BYTES = 4 << 20 }; /* one schema and its plan */
struct lex_registered;
/* NULL when memory runs out. A schema that is malformed, too large, or does not resolve to the
 * request is REFUSED, INCOMPATIBLE_SCHEMA. */
struct lex_registered *lex_registered_avro(struct lex_span text);
struct lex_registered *lex_registered_json(void);
struct lex_registered *lex_registered_refused(enum lex_undecodable why, const char *reason);
struct lex_registered *lex_registered_ref(struct lex_registered *registered); /* @thread any */
void lex_registered_unref(struct lex_registered *registered);                 /* @thread any */
size_t lex_registered_bytes(const struct lex_registered *registered);
/* As lex_decode_request, of the body behind the frame. @post *ret_format is set even on failure */
LEX_STATUS lex_decode_registered(const struct lex_registered *registered, struct lex_span body,
                                 struct lex_arena *arena, struct lex_request *ret_request,
                                 enum lex_format *ret_format, enum lex_undecodable *ret_why,
                                 struct lex_error *err);

/* formats.md, "Request": SHA-256 over the canonical JSON of the fixed members.
 * @errors LEX_REJECT arguments are no JSON object, or an integer beyond 2^53-1; LEX_LIMIT arena */
LEX_STATUS lex_request_fingerprint(const struct lex_request *request, struct lex_arena *arena,
                                   uint8_t ret_hash[32], struct lex_error *err);
/* The canonical JSON itself, what ledger_content=full embeds (without token and attestations). */
LEX_STATUS lex_request_canonical(const struct lex_request *request, struct lex_arena *arena,
                                 struct lex_span *ret_json, struct lex_error *err);

/* ---- verdicts ---- */
/* The verdict for `entry_value` (the ledger record's bytes, frame included): Avro takes the entry's
 * bytes as they are and appends attestation and token; JSON writes the readable members of `entry`,
 * then "entry" in base64 and "attestation". @pre format is AVRO or JSON */
LEX_STATUS lex_encode_verdict(enum lex_format format, const struct lex_ledger_entry *entry,
                              struct lex_span entry_value,
                              const struct lex_attestation *attestation, struct lex_span token,
                              struct lex_arena *arena, size_t max_bytes, struct lex_span *ret);
/* The same as Avro behind Confluent's frame, with the id that a registry gave the verdict's schema.
 */
LEX_STATUS lex_encode_verdict_confluent(uint32_t schema_id, struct lex_span entry_value,
                                        const struct lex_attestation *attestation,
                                        struct lex_span token, struct lex_arena *arena,
                                        size_t max_bytes, struct lex_span *ret);
/* A JSON verdict read back, its readable members checked against the entry it carries.
 * @errors LEX_REJECT malformed, or a member that disagrees with the entry */
LEX_STATUS lex_decode_verdict_json(struct lex_span value, struct lex_arena *arena,
                                   struct lex_verdict *ret_verdict,
                                   struct lex_span *ret_entry_value, struct lex_error *err);
/* An entry as one JSON object, for people and for `lexecon ledger show`. */
LEX_STATUS lex_entry_to_json(const struct lex_ledger_entry *entry, struct lex_arena *arena,
                             struct lex_span *ret);
/* A request as JSON or single-object Avro, for clients. @pre format is one of these */
LEX_STATUS lex_encode_request(enum lex_format format, const struct lex_request *request,
                              struct lex_arena *arena, struct lex_span *ret);

#endif
