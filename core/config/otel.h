/* Otel: the OTEL_ variables, read once with the rest of the configuration.
 *
 * They are the OpenTelemetry specification's and not ours, so they keep its names and are taken
 * from the environment only. Two things are stricter than there. Without an endpoint nothing is
 * exported: a service must not send anything to a default address that nobody named. And what
 * cannot be meant (a protocol that is not spoken, a number out of its range) is an error at the
 * start, not a warning: traces that silently do not arrive are found missing on the day they are
 * needed. It is an error only where traces are exported, since the same variables are set for every
 * program of a cluster. */
#ifndef LEX_CONFIG_OTEL_H
#define LEX_CONFIG_OTEL_H

#include "core/base/arena.h"
#include "core/base/buf.h"

enum lex_otel_id {
#define LEX_OTEL(id, ...) LEX_OTEL_##id,
#include "core/config/otel.def"
#undef LEX_OTEL
    LEX_OTEL_COUNT
};

enum lex_otel_sampler { LEX_OTEL_ALWAYS_ON, LEX_OTEL_ALWAYS_OFF, LEX_OTEL_RATIO };

enum {
    LEX_OTEL_PAIRS_MAX = 30,         /* of headers, and of attributes */
    LEX_OTEL_VALUE_MAX_BYTES = 8192, /* of a variable */
    LEX_OTEL_QUEUE_MAX = 16384,
    LEX_OTEL_BATCH_MAX = 2048,
};

struct lex_otel_pair {
    const char *key, *value;
};

struct lex_otel {
    bool on; /* an endpoint is set, and nothing turns it off; the rest means something only then */
    const char *endpoint; /* where spans are posted to */
    const char *certificate;
    const char *headers[LEX_OTEL_PAIRS_MAX]; /* "Name: value" */
    size_t headers_count;
    const char *service_name;
    struct lex_otel_pair attributes[LEX_OTEL_PAIRS_MAX]; /* of the resource */
    size_t attributes_count;
    enum lex_otel_sampler sampler;
    bool parent_based;
    double ratio;
    int64_t timeout_ms, schedule_delay_ms, export_timeout_ms, queue_size, batch_size, links_max;
    bool compression_ignored; /* OTEL_EXPORTER_OTLP_COMPRESSION asks for one: nothing is compressed
                               */
    const char *given[LEX_OTEL_COUNT]; /* what the environment says; NULL: not set, or empty */
};

/* Read the variables. `environment` is NULL-terminated NAME=value.
 * @owns   strings are copied into the arena
 * @errors LEX_REJECT a variable: err says which, and what was expected; LEX_LIMIT memory */
LEX_STATUS lex_otel_load(char *const *environment, struct lex_arena *arena,
                         struct lex_otel *ret_otel, struct lex_error *err);

/* What is set, one a line, for --print-config; headers masked. */
void lex_otel_print(const struct lex_otel *otel, struct lex_buf *out);
/* The section of docs/configuration.md. */
void lex_otel_page(struct lex_buf *out);

#endif
