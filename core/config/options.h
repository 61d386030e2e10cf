/* Options: the table behind config.h, for the files of this folder only. */
#ifndef LEX_CONFIG_OPTIONS_H
#define LEX_CONFIG_OPTIONS_H

#include "core/base/arena.h"
#include "core/config/config.h"

enum lex_option_kind { LEX_KIND_STR, LEX_KIND_INT, LEX_KIND_BOOL, LEX_KIND_ENUM };

/* What a string must look like. */
enum lex_option_form {
    LEX_FORM_NAME,   /* 1..128 printable ASCII characters, no blanks */
    LEX_FORM_TOPIC,  /* Kafka's rule: 1..249 of A-Z a-z 0-9 . _ -, not "." or ".." */
    LEX_FORM_PREFIX, /* '<org>/<cluster>', each 1..64 of A-Z a-z 0-9 . _ - */
    LEX_FORM_PATH,   /* 1..4095 bytes of UTF-8 without control characters */
    LEX_FORM_URL,    /* http:// or https://, a host, 1..1023 printable ASCII, no blanks, no user */
    LEX_FORM_REQUIREMENTS, /* off, or retention_days=N,replication=N,min_isr=N */
};

struct lex_option {
    const char *name; /* node_id */
    enum lex_option_kind kind;
    size_t offset;    /* of the field in struct lex_config */
    const char *type; /* of an ENUM: its type's name, the key into choices.def */
    enum lex_option_form form;
    const char *text;         /* a STR's default */
    int64_t number, min, max; /* default of the others; range of an INT */
    const char *unit, *shown, *help;
};

enum { LEX_OPTION_NAME_MAX = 64 };

extern const struct lex_option lex_options[LEX_OPTION_COUNT];

/* The option with this key, NULL when there is none. */
const struct lex_option *lex_option_find(struct lex_span name);
/* The name as it is written in the file, the environment or on the command line. */
enum lex_option_spelling { LEX_SPELL_KEY, LEX_SPELL_VARIABLE, LEX_SPELL_FLAG };
void lex_option_spell(const char *name, enum lex_option_spelling spelling,
                      char out[LEX_OPTION_NAME_MAX]);
/* The key that was probably meant, NULL when none is near. */
const char *lex_option_nearest(struct lex_span name);

/* Check `value` and store it. `place` says where it stands, for the message.
 * @owns strings are copied into the arena
 * @errors LEX_REJECT out of form or range, LEX_LIMIT out of memory */
LEX_STATUS lex_option_set(struct lex_config *config, struct lex_arena *arena,
                          const struct lex_option *option, struct lex_span value, const char *place,
                          struct lex_error *err);
void lex_option_set_default(struct lex_config *config, const struct lex_option *option);
/* The value as the file would write it, without quotes; "" for a string that is not set. */
void lex_option_text(const struct lex_config *config, const struct lex_option *option,
                     struct lex_buf *out);
/* "a whole number from 0 to 65535 (port)", "one of a, b, c", ... */
void lex_option_expected(const struct lex_option *option, struct lex_buf *out);

LEX_STATUS lex_option_requirements(struct lex_span text, struct lex_config_requirements *ret);
/* Whether a kafka.* key holds a secret. */
bool lex_config_kafka_secret(const char *key);

#endif
