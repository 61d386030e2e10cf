/* Config: file, environment and flags become one immutable struct.
 *
 * Each option is one row in options.def; the struct, the parser, `--help`, `--print-config` and
 * docs/configuration.md come from it. Flags win over the environment, the environment over the
 * file, the file over the default. A key that nobody knows is an error with a suggestion, because a
 * misspelt option that is silently ignored is a security setting that silently does not hold.
 *
 * Whoever reads the struct sees final values: what depends on the machine or on other options (host
 * name, cores, memory, directories) is resolved by lex_config_load. */
#ifndef LEX_CONFIG_CONFIG_H
#define LEX_CONFIG_CONFIG_H

#include "core/base/buf.h"
#include "core/base/log.h"
#include "core/config/otel.h"
#include "schemas/records.h"

enum lex_config_role { LEX_ROLE_DECIDE, LEX_ROLE_AUDIT };
enum lex_config_identity { LEX_IDENTITY_TOPIC_ACL, LEX_IDENTITY_ATTESTED };
enum lex_config_key_check { LEX_KEY_CHECK_OFF, LEX_KEY_CHECK_ACTOR };
enum lex_config_token_format { LEX_TOKEN_FORMAT_NONE, LEX_TOKEN_FORMAT_JWT_ALWAYS };
enum lex_config_token_alg { LEX_TOKEN_ALG_EDDSA, LEX_TOKEN_ALG_ED25519 }; /* as enum lex_jwt_alg */
enum lex_config_start_offset { LEX_START_EARLIEST, LEX_START_LATEST };
enum lex_config_verdict_format {
    LEX_VERDICT_SAME,
    LEX_VERDICT_AVRO,
    LEX_VERDICT_JSON,
    LEX_VERDICT_CONFLUENT
};
enum lex_config_content { LEX_CONTENT_DIGEST, LEX_CONTENT_FULL };
enum lex_config_mirror_scope { LEX_MIRROR_SCOPE_OWNED, LEX_MIRROR_SCOPE_ALL, LEX_MIRROR_SCOPE_OFF };
enum lex_config_keys { LEX_KEYS_GENERATE, LEX_KEYS_MOUNTED };
enum lex_config_static_membership { LEX_STATIC_AUTO, LEX_STATIC_ON, LEX_STATIC_OFF };
enum lex_config_assignor { LEX_ASSIGNOR_RANGE, LEX_ASSIGNOR_ROUNDROBIN };

/* What the command line asks for. */
enum lex_config_action {
    LEX_CONFIG_RUN,
    LEX_CONFIG_HELP,    /* --help; nothing else was read */
    LEX_CONFIG_VERSION, /* --version; nothing else was read */
    LEX_CONFIG_PRINT,   /* --print-config */
    LEX_CONFIG_CHECK,   /* --check-config */
};

enum lex_config_source {
    LEX_SOURCE_DEFAULT,
    LEX_SOURCE_FILE,
    LEX_SOURCE_ENVIRONMENT,
    LEX_SOURCE_FLAG,
};

/* The number of each option: LEX_OPTION_node_id, ... */
enum lex_option_id {
#define LEX_OPTION_SECTION(title)
#define LEX_OPTION_STR(name, ...) LEX_OPTION_##name,
#define LEX_OPTION_INT(name, ...) LEX_OPTION_##name,
#define LEX_OPTION_BOOL(name, ...) LEX_OPTION_##name,
#define LEX_OPTION_ENUM(name, ...) LEX_OPTION_##name,
#include "core/config/options.def"
    LEX_OPTION_COUNT
};
#undef LEX_OPTION_STR
#undef LEX_OPTION_INT
#undef LEX_OPTION_BOOL
#undef LEX_OPTION_ENUM

enum {
    LEX_CONFIG_FILE_MAX_BYTES = 1 << 20,   /* the file, and all that it says */
    LEX_CONFIG_VALUE_MAX_BYTES = 64 << 10, /* one value; certificates in PEM are the longest */
    LEX_CONFIG_KAFKA_MAX = 128,            /* kafka.* settings */
};

/* One librdkafka setting: kafka.<key> in the file, LEXECON_KAFKA_<KEY> in the environment. */
struct lex_config_kafka {
    const char *key; /* "bootstrap.servers" */
    const char *value;
    enum lex_config_source source;
};

/* ledger_requirements, taken apart. */
struct lex_config_requirements {
    bool on;
    int64_t retention_days, replication, min_isr;
};

struct lex_config {
#define LEX_OPTION_STR(name, ...) const char *name;
#define LEX_OPTION_INT(name, ...) int64_t name;
#define LEX_OPTION_BOOL(name, ...) bool name;
#define LEX_OPTION_ENUM(name, type, ...) enum type name;
#include "core/config/options.def"
#undef LEX_OPTION_SECTION
#undef LEX_OPTION_STR
#undef LEX_OPTION_INT
#undef LEX_OPTION_BOOL
#undef LEX_OPTION_ENUM

    struct lex_config_kafka kafka[LEX_CONFIG_KAFKA_MAX];
    size_t kafka_count;
    struct lex_config_requirements ledger_required;
    bool static_member;   /* static_membership, decided */
    struct lex_otel otel; /* of the environment's OTEL_ variables */
    enum lex_config_action action;
    const char *file; /* --config, or NULL */
    enum lex_config_source sources[LEX_OPTION_COUNT];
};

/* Load and resolve. `environment` is NULL-terminated NAME=value, like environ.
 * @owns    *ret_config is the caller's: lex_config_free
 * @errors  LEX_REJECT a setting is wrong: err says which, where it stands and what was expected
 *          LEX_LIMIT  out of memory
 * @thread  main, before threads start */
LEX_STATUS lex_config_load(int argc, char *const *argv, char *const *environment,
                           struct lex_config **ret_config, struct lex_error *err);
void lex_config_free(struct lex_config *config);

/* The brokers are these, whatever was said: how an embedded broker makes itself known.
 * @thread main, before threads start. @errors LEX_LIMIT */
LEX_STATUS lex_config_use_bootstrap(struct lex_config *config, const char *servers,
                                    struct lex_error *err);
/* One librdkafka setting as a client's flag gives it, KEY=VALUE, over what file and environment
 * said.
 * @param place how the user wrote it, for the message
 * @thread main, before threads start. @errors LEX_REJECT not KEY=VALUE, or a key that is not the
 *         user's; LEX_LIMIT */
LEX_STATUS lex_config_use_kafka(struct lex_config *config, const char *setting, const char *place,
                                struct lex_error *err);
/* The id of policy=topic:<policy_id>; NULL where the policy is a file or directory, or not set. */
const char *lex_config_policy_topic(const struct lex_config *config);
/* The options that were set and that this node's role makes no use of: "policy, keys"; nothing in
 * most nodes. A configuration file may serve both roles, so they are no error, but are told. */
void lex_config_without_effect(const struct lex_config *config, struct lex_buf *out);
/* A librdkafka setting by key, NULL when not set. */
const char *lex_config_kafka_get(const struct lex_config *config, const char *key);
/* Word of an enumeration's value, as the file writes it: lex_config_word("lex_mode", 2) ->
 * "strict". */
const char *lex_config_word(const char *type, int value);

/* Effective values and where each came from, one a line, secrets masked. */
void lex_config_print(const struct lex_config *config, struct lex_buf *out);
/* The text of --help. */
void lex_config_help(const char *program, struct lex_buf *out);
/* One option in words, for pages and completions that are written elsewhere. */
enum { LEX_CONFIG_DESCRIPTION_MAX = 256 };
struct lex_config_description {
    const char *section, *name, *help;
    bool is_switch; /* its flag may stand without a value */
    char flag[64], variable[64];
    char value[LEX_CONFIG_DESCRIPTION_MAX];    /* "N", "PATH", "decide|audit"; "" for a switch */
    char expected[LEX_CONFIG_DESCRIPTION_MAX]; /* "a whole number from 1 to 64 (threads)" */
    char fallback[LEX_CONFIG_DESCRIPTION_MAX]; /* the default */
};
/* @pre option < LEX_OPTION_COUNT */
void lex_config_describe(size_t option, struct lex_config_description *ret);
/* docs/configuration.md. */
void lex_config_page(struct lex_buf *out);

#endif
