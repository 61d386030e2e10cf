/* Topic plan: which topics there are to be, with which settings, and how a cluster differs from it.
 *
 * One table (topics.def) says it for the service, which makes or misses topics at its start, and
 * for the operator, who plans, checks and makes them beforehand. Two lists would drift apart, and
 * the one that is wrong makes a ledger that is deleted after a week.
 *
 * Nothing here asks a broker: what was found is handed in. A plan says "at least": more partitions,
 * more replicas and a longer retention are no difference. */
#ifndef LEX_CONSUMER_TOPIC_PLAN_H
#define LEX_CONSUMER_TOPIC_PLAN_H

#include "core/base/buf.h"
#include "core/config/config.h"

enum lex_topic_role {
#define LEX_TOPIC(role, ...) LEX_TOPIC_##role,
#include "consumer/topics.def"
#undef LEX_TOPIC
    LEX_TOPIC_ROLES
};
const char *lex_topic_role_word(enum lex_topic_role role); /* "dead-letters" */
/* As the options name it. */
const char *lex_topic_name(const struct lex_config *config, enum lex_topic_role role);
/* An audit node reads the ledger and nothing else; policies by file need their topic only for texts
 * that are too large for the ledger. */
bool lex_topic_needed(const struct lex_config *config, enum lex_topic_role role);

struct lex_topic {
    bool exists;
    int32_t partitions;
    int32_t replication; /* of the partition that has the least */
};

enum { LEX_TOPIC_SETTING_MAX = 64 };
struct lex_topic_settings {
    char cleanup_policy[LEX_TOPIC_SETTING_MAX];
    int64_t retention_ms, retention_bytes; /* -1: without end */
    int64_t min_insync_replicas;
    int64_t max_message_bytes;
    bool log_append_time; /* records carry the broker's clock */
};

/* ---- the plan ---- */

struct lex_topic_plan {
    enum lex_topic_role role;
    const char *name, *cleanup_policy, *why;
    int32_t partitions, replication;
    int64_t min_insync_replicas;
    int64_t retention_ms; /* -1: for ever */
    bool needed;
};

enum { LEX_TOPIC_PARTITIONS_MAX = 10000 };
/* What a person asked for over what the configuration says; 0 and LEX_TOPIC_UNSAID: nothing. */
enum { LEX_TOPIC_UNSAID = -2 };
struct lex_topic_wishes {
    int32_t partitions, replication;
    int64_t min_insync_replicas;
    int64_t ledger_days; /* -1: for ever */
};

/* The plan of all topics. Replication and min ISR are those of ledger_requirements, 1 and 1 where
 * these are off.
 * @param existing partitions that the requests have already, 0 where they are not there: the others
 *                 follow these unless a wish says otherwise
 * @errors LEX_REJECT a wish that contradicts another, or ledger_requirements */
LEX_STATUS lex_topic_plan_make(const struct lex_config *config,
                               const struct lex_topic_wishes *wishes, int32_t existing,
                               struct lex_topic_plan ret_plans[LEX_TOPIC_ROLES],
                               struct lex_error *err);

/* Calls back with each setting that a new topic is made with, as the broker names it. */
typedef void lex_topic_setting_fn(void *user, const char *name, const char *value);
void lex_topic_plan_settings(const struct lex_topic_plan *plan, lex_topic_setting_fn *tell,
                             void *user);

/* ---- differences ---- */

enum lex_topic_field {
    LEX_TOPIC_FIELD_MISSING,
    LEX_TOPIC_FIELD_PARTITIONS,
    LEX_TOPIC_FIELD_REPLICATION,
    LEX_TOPIC_FIELD_MIN_ISR,
    LEX_TOPIC_FIELD_RETENTION,
    LEX_TOPIC_FIELD_RETENTION_BYTES,
    LEX_TOPIC_FIELD_CLEANUP,
    LEX_TOPIC_FIELDS
};
const char *lex_topic_field_word(enum lex_topic_field field); /* "min.insync.replicas" */

struct lex_topic_difference {
    enum lex_topic_field field;
    bool note; /* worth knowing, and no reason to call the cluster wrong */
    char found[LEX_TOPIC_SETTING_MAX], wanted[LEX_TOPIC_SETTING_MAX];
};

/* @param settings NULL where they could not be read: then only what metadata shows is compared
 * @return how many; worst first within a topic */
size_t lex_topic_plan_compare(const struct lex_topic_plan *plan, const struct lex_topic *found,
                              const struct lex_topic_settings *settings,
                              struct lex_topic_difference ret[LEX_TOPIC_FIELDS]);

/* ---- the commands of Kafka's own tools ---- */

struct lex_topic_tools {
    const char *servers;        /* behind --bootstrap-server */
    const char *command_config; /* behind --command-config; NULL: none */
};
/* One line, without its newline: what makes this topic. */
void lex_topic_plan_command(const struct lex_topic_plan *plan, const struct lex_topic_tools *tools,
                            struct lex_buf *out);
/* One line: what mends this difference. */
void lex_topic_mend_command(const struct lex_topic_plan *plan,
                            const struct lex_topic_difference *difference,
                            const struct lex_topic_tools *tools, struct lex_buf *out);

#endif
