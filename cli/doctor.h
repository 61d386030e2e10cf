/* Doctor: the service's own configuration, tried step by step.
 *
 * A step says what holds and what does not, each with what mends it, and goes on: a person who has
 * mended one thing should not have to come back for the next. Steps are the rows of doctor.def. */
#ifndef LEX_CLI_DOCTOR_H
#define LEX_CLI_DOCTOR_H

#include "cli/acl_table.h"
#include "consumer/probe.h"
#include "consumer/topics.h"

enum lex_doctor_level {
    LEX_DOCTOR_OK,
    LEX_DOCTOR_WARN,
    LEX_DOCTOR_FAIL,
    LEX_DOCTOR_UNREACHABLE, /* a failure, because nobody answered */
    LEX_DOCTOR_LEVELS
};

enum { LEX_DOCTOR_TEXT_MAX_BYTES = 2048 };
struct lex_doctor {
    struct lex_config *config;
    bool json, no_writes;
    const char *step; /* that is running */
    size_t counts[LEX_DOCTOR_LEVELS];

    bool broker;                      /* one answered */
    struct lex_probe_cluster cluster; /* then: what it said */
    bool looked;                      /* requests and ledger are there, or hidden */
    struct lex_topics *topics;
    struct lex_topic found[LEX_TOPIC_ROLES];
    bool hidden[LEX_TOPIC_ROLES]; /* this user may not look at it: it may be there */
    bool settings_known[LEX_TOPIC_ROLES];
    struct lex_topic_settings settings[LEX_TOPIC_ROLES];
    struct lex_probe_written written; /* the last that was written; broker_ms -1: nothing shown */
    size_t policy_bytes;
};

/* One line of the report, of the step that is running.
 * @param mend what to do; NULL or "" where there is nothing */
void lex_doctor_say(struct lex_doctor *doctor, enum lex_doctor_level level, const char *mend,
                    const char *format, ...) __attribute__((format(printf, 4, 5)));
/* FAIL, or UNREACHABLE for LEX_RETRY, with what err says. */
void lex_doctor_say_error(struct lex_doctor *doctor, enum lex_status status, const char *mend,
                          const struct lex_error *err);
const char *lex_doctor_servers(const struct lex_doctor *doctor);

#define LEX_DOCTOR(step, needs, function, tries) void function(struct lex_doctor *doctor);
#include "cli/doctor.def"
#undef LEX_DOCTOR

#endif
