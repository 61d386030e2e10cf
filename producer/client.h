/* Client: ask the service over Kafka, wait, and believe only what proves itself.
 *
 *     connect   find both topics, stand at the END of every partition of the verdicts
 *     ask       write the requests, learn where each was written, read verdicts until all are
 *               answered or the time is over
 *
 * The order is the point: whoever looks for the end after sending may miss a fast answer. There is
 * no consumer group, so nothing is committed, no rebalance delays the first answer, and two clients
 * cannot take each other's verdicts away. Reading is read_committed: a signed verdict of an aborted
 * transaction is no verdict. Partitions are chosen as Java's clients choose them (murmur2), so that
 * one actor's requests meet in one partition whoever sends them.
 *
 * Fail closed: a struct lex_answer begins as a denial and becomes anything else only through
 * lex_answer_check. */
#ifndef LEX_PRODUCER_CLIENT_H
#define LEX_PRODUCER_CLIENT_H

#include "producer/answer.h"
#include "producer/kafka.h"

enum {
    LEX_CLIENT_ASKS_MAX = 10000, /* of one call */
    LEX_CLIENT_CONNECT_MS = 5000,
    /* So long a true verdict may still come after a false one: whoever can write to the topic must
     * not be able to deny by being faster, nor to hold a client up for its whole time. */
    LEX_CLIENT_SECOND_CHANCE_MS = 1000,
};

/* Everything is borrowed and outlives the call. */
struct lex_ask {
    const struct lex_request *request;
    enum lex_format format;
    struct lex_span key;         /* absent: the actor */
    struct lex_span traceparent; /* W3C Trace Context, a header of the record; absent: none */
};

enum lex_answer_kind {
    LEX_ANSWER_NONE,    /* no verdict in time, or the request was not written: a denial */
    LEX_ANSWER_REFUSED, /* a verdict came that does not hold: a denial */
    LEX_ANSWER_PROVEN,  /* verified; `verdict` says what */
};

/* Lives in the client until its next call. */
struct lex_answer {
    enum lex_answer_kind kind;
    bool allowed;               /* PROVEN and approved; the only member a gate has to look at */
    const char *why;            /* what went wrong; "" when PROVEN */
    struct lex_verdict verdict; /* of a PROVEN answer */
    struct lex_span entry_value;
    int32_t partition; /* where the request was written, -1 where it was not */
    int64_t offset;
    int64_t latency_us; /* of a paced ask, PROVEN: from sending to proof; else 0 */
    unsigned again;     /* further proven verdicts that came meanwhile: any is a bug of ours */
};

struct lex_client;

/* @param config  requests_topic, verdicts_topic and kafka.*; borrowed
 * @param pins    borrowed
 * @errors LEX_REJECT a setting that librdkafka refuses, no bootstrap.servers, a topic that is not
 *         there, no permission, wrong TLS or SASL: err says what to change
 *         LEX_RETRY  no broker answers within LEX_CLIENT_CONNECT_MS */
LEX_STATUS lex_client_new(const struct lex_config *config, const struct lex_pins *pins,
                          struct lex_client **ret_client, struct lex_error *err);
void lex_client_free(struct lex_client *client);
/* Send so many requests a second instead of all at once, read meanwhile, and measure each answer.
 * A rate that cannot be kept is not made up for in bursts without end: the time is over for all.
 * @param per_second 0: all at once */
void lex_client_pace(struct lex_client *client, long per_second);

/* Ask all, and wait for all, at most `timeout_ms`. Silence is not a failure of this call: it is the
 * answer LEX_ANSWER_NONE.
 * @param count 1 .. LEX_CLIENT_ASKS_MAX, request ids all different
 * @errors LEX_REJECT one of them cannot be sent (*ret_bad says which): nothing was sent
 *         LEX_LIMIT  too many or too large together: nothing was sent
 *         LEX_RETRY  the verdicts' ends could not be learnt: nothing was sent
 * @thread one at a time */
LEX_STATUS lex_client_ask(struct lex_client *client, const struct lex_ask *asks, size_t count,
                          int64_t timeout_ms, const struct lex_answer **ret_answers,
                          size_t *ret_bad, struct lex_error *err);

#endif
