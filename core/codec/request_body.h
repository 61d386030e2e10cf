/* Request body: what is behind a frame, however the frame named the schema. Inside of core/codec.
 */
#ifndef LEX_CODEC_REQUEST_BODY_H
#define LEX_CODEC_REQUEST_BODY_H

#include "core/codec/codec.h"
#include "core/codec/resolve.h"

/* One Avro record, and nothing behind it. @param plan NULL: written with our own schema
 * @errors LEX_REJECT *ret_why and err say why; LEX_LIMIT the arena is full */
LEX_STATUS lex_request_from_avro(const struct lex_plan *plan, struct lex_span body,
                                 struct lex_arena *arena, struct lex_request *ret_request,
                                 enum lex_undecodable *ret_why, struct lex_error *err);
/* One JSON object. @errors the same */
LEX_STATUS lex_request_from_json(struct lex_span body, struct lex_arena *arena,
                                 struct lex_request *ret_request, enum lex_undecodable *ret_why,
                                 struct lex_error *err);
/* @errors LEX_REJECT it is larger than any request may be */
LEX_STATUS lex_request_check_size(struct lex_span body, enum lex_undecodable *ret_why,
                                  struct lex_error *err);

#endif
