/* Registry: what a schema registry says about the ids in Confluent-framed requests.
 *
 * Its own thread asks over HTTP, so that no worker ever waits for a socket: a worker looks an id up
 * in a table, hears "not yet", keeps that one partition back and polls on (consumer/backlog.h). An
 * id names the same schema for ever, so what was answered once is kept; a schema is never guessed,
 * never taken from another id, and never taken from a registry that answered something odd.
 *
 *     lookup: WAIT --- answered: a schema ---> FOUND            kept, at most CACHED_MAX
 *              |  \--- answered: not known --> UNKNOWN          believed for a second, asked again
 *              +------ no answer, or none that can be read      asked again without end
 *
 * Everything that strangers can make grow has a ceiling: ids that are asked for, schemas kept,
 * bytes of an answer, time of a call. */
#ifndef LEX_CONSUMER_REGISTRY_H
#define LEX_CONSUMER_REGISTRY_H

#include "consumer/health.h"
#include "core/codec/codec.h"

enum {
    LEX_REGISTRY_CACHED_MAX = 256,             /* schemas kept; the one used least goes first */
    LEX_REGISTRY_CACHED_MAX_BYTES = 64 << 20,  /* of them together */
    LEX_REGISTRY_PENDING_MAX = 256,            /* ids asked for at a time */
    LEX_REGISTRY_ANSWER_MAX_BYTES = 528 << 10, /* a schema of 256 KiB, escaped */
    LEX_REGISTRY_AUTH_MAX_BYTES = 4096,
    LEX_REGISTRY_BACKOFF_MAX_MS = 30000,     /* for an id that fails */
    LEX_REGISTRY_AWAY_MAX_MS = 5000,         /* while nobody answers: all of them wait */
    LEX_REGISTRY_UNKNOWN_STEP_MAX_MS = 1000, /* between two questions for an id that is not known */
};

struct lex_registry;

struct lex_registry_options {
    const char *url;           /* the base of Confluent's API */
    const char *auth_file;     /* user:password, or Bearer <token>; NULL: none */
    const char *ca_file;       /* NULL: the system's */
    const char *verdict_topic; /* its verdicts need an id of their own; NULL: none do */
    bool verdict_id_required;  /* nothing can be decided without it: health says so */
    int timeout_ms;            /* of one call */
    void (*wake)(void *user);  /* something was answered; on the registry's thread */
    void *user;
    struct lex_health *health; /* told how it goes */
};

/* Everything is borrowed until lex_registry_free.
 * @errors LEX_REJECT the URL, or an auth file that is missing, malformed or readable by others */
LEX_STATUS lex_registry_start(const struct lex_registry_options *options,
                              struct lex_registry **ret_registry, struct lex_error *err);
/* End its thread, within a second. What is kept may still be looked up; nothing else is answered.
 */
void lex_registry_stop(struct lex_registry *registry);
void lex_registry_free(struct lex_registry *registry);

enum lex_lookup_kind { LEX_LOOKUP_WAIT, LEX_LOOKUP_FOUND, LEX_LOOKUP_UNKNOWN };
struct lex_lookup {
    enum lex_lookup_kind kind;
    struct lex_registered *registered; /* FOUND: a reference, the caller's */
    int64_t met_us;                    /* UNKNOWN: mono, when the id was first looked up */
    const char *reason;                /* UNKNOWN: why, static text */
};
/* @thread any */
struct lex_lookup lex_registry_lookup(struct lex_registry *registry,
                                      const struct lex_schema_ref *ref);
/* Nobody waits for this id any more: its place is free for another. @thread any */
void lex_registry_give_up(struct lex_registry *registry, const struct lex_schema_ref *ref);

/* The id of the verdict's schema, 0 until it is known. @thread any */
uint32_t lex_registry_verdict_id(const struct lex_registry *registry);
/* So many partitions more (or fewer) wait for an answer. @thread any */
void lex_registry_tell_waiting(struct lex_registry *registry, int64_t more);

#endif
