/* Resolve: a plan that reads what one writer wrote into what we want to read.
 *
 * Avro's resolution rules (1.11 specification, "Schema Resolution") are applied once per writer's
 * schema; what remains per message is a list of steps in the writer's order: read this into that
 * field, skip that. Defaults, aliases, promotions, enum defaults and unions are all decided when
 * the plan is made, except which branch of a writer's union a message takes. */
#ifndef LEX_CODEC_RESOLVE_H
#define LEX_CODEC_RESOLVE_H

#include "core/codec/cursor.h"
#include "core/codec/schema.h"

struct lex_plan;

/* @owns   the plan lives in the arena and borrows the schema
 * @errors LEX_REJECT the schemas do not resolve: err says which field and why; LEX_LIMIT arena */
LEX_STATUS lex_plan_new(const struct lex_schema *writer, const struct lex_record_type *reader,
                        struct lex_arena *arena, const struct lex_plan **ret_plan,
                        struct lex_error *err);
/* Read one record. @pre record has the reader's size @post partly written on failure
 * @errors LEX_REJECT the cursor says why; LEX_LIMIT the message's arena is full */
LEX_STATUS lex_plan_run(const struct lex_plan *plan, struct lex_cursor *cursor, void *record);

#endif
