/* Health: what the workers, the mirror and the policy watcher say about themselves, and what three
 * probes conclude from it.
 *
 * Writers store single facts in atomics and never ask; the HTTP thread reads them and concludes.
 * The conclusions are kept apart on purpose (operations, "HTTP"): a broker outage makes a process
 * not ready, but restarting it would help nobody, so liveness only fails for what a restart mends.
 */
#ifndef LEX_CONSUMER_HEALTH_H
#define LEX_CONSUMER_HEALTH_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/buf.h"

enum { LEX_HEALTH_WORKERS_MAX = 64 };

/* Written by one worker. */
struct lex_health_worker {
    _Atomic bool broker_connected; /* now, not once */
    _Atomic bool policy_behind;    /* a partition waits for a newer policy (policy_wait_ms) */
    _Atomic int64_t recovering;    /* partitions that have been recovering for too long */
    _Atomic bool refused; /* connected, and yet it gets nothing done: a right is missing, say */
    _Atomic int64_t last_poll_mono_us; /* 0 while the worker does not poll on purpose */
    _Atomic bool fatal;                /* a fatal client error: the process is to end */
};

/* A text that one thread sets and another reads. */
enum { LEX_HEALTH_TEXT_MAX = 512 };
struct lex_health_text {
    pthread_mutex_t lock; /* over `text` */
    char text[LEX_HEALTH_TEXT_MAX];
};

struct lex_health {
    int64_t started_mono_us;
    int64_t stuck_after_us; /* no poll for longer than this: the worker is stuck */
    size_t workers_count;
    bool audit; /* role=audit: nothing is decided here, and nothing asked for that it would take */
    struct lex_health_worker workers[LEX_HEALTH_WORKERS_MAX];

    _Atomic bool
        startup_done; /* configuration valid, mirror open, keys and policy valid if present */
    _Atomic bool broker_configured; /* bootstrap.servers is set, or the broker is embedded */
    _Atomic bool keys_loaded;
    _Atomic bool policy_loaded;             /* a policy is in effect */
    struct lex_health_text *policy_problem; /* `problem`, which a reader of the rest may lock */
    struct lex_health_text problem;
    _Atomic bool registry_on;                 /* a schema registry is configured */
    _Atomic bool registry_needed;             /* workers wait for the id of the verdict's schema */
    _Atomic int64_t registry_waiting;         /* partitions that wait for a schema */
    struct lex_health_text *registry_problem; /* of `registry_text`, as above */
    struct lex_health_text registry_text;
    _Atomic bool topics_usable; /* false while a topic is missing or not good enough */
    _Atomic bool stopping;      /* SIGTERM was taken */
    _Atomic int64_t assigned_partitions, halted_partitions;
    _Atomic int64_t producer_queue; /* records handed over and not acknowledged, of all workers */
    _Atomic bool mirror_on, mirror_broken;
    _Atomic bool mirror_connected; /* to a broker, now; kept up to date where `audit` is */
    _Atomic int64_t mirror_lag;    /* entries */
};

/* Everything unknown is "not yet"; `audit` is the caller's to set before threads read it, with
 * workers_count 0. The struct stays where it is. @pre workers_count <=
 * LEX_HEALTH_WORKERS_MAX */
void lex_health_init(struct lex_health *health, size_t workers_count, int64_t stuck_after_us);

/* Why the last load of a policy failed, or what it waits for; "" when it did not. @thread any */
void lex_health_set_policy_problem(struct lex_health *health, const char *text);

/* Why the schema registry's last call failed; "" when it did not. @thread any */
void lex_health_set_registry_problem(struct lex_health *health, const char *text);

enum lex_health_probe {
    LEX_PROBE_HEALTH,  /* everything; fails with liveness only */
    LEX_PROBE_LIVE,    /* would a restart help? */
    LEX_PROBE_READY,   /* are requests being decided here? */
    LEX_PROBE_STARTUP, /* has the start come to its end? */
};
/* The probe's answer. @return true for HTTP 200, false for 503 */
bool lex_health_probe(const struct lex_health *health, enum lex_health_probe probe,
                      int64_t now_mono_us);
/* The same, as the JSON body. */
bool lex_health_write(const struct lex_health *health, enum lex_health_probe probe,
                      int64_t now_mono_us, struct lex_buf *out);
/* Readiness in one line: "ready", or "not ready: broker: no connection ..." with the first thing
 * that is in its way. Cut at `size`. */
void lex_health_summary(const struct lex_health *health, int64_t now_mono_us, char *out,
                        size_t size);
/* Copy the facts that are metrics too, so that the two never disagree. */
void lex_health_to_metrics(const struct lex_health *health, int64_t now_mono_us);

#endif
