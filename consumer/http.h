/* HTTP: health, metrics, version and the public token key, read-only, on one small thread.
 *
 * It serves operators, probes and gateways, never agents: nothing about a decision can be read
 * here. Everything a client can make grow is bounded (connections, header bytes, time for a
 * request), and no answer waits for a worker: it is made from atomics. So neither a slow client nor
 * a broken broker can turn a probe silent, which would get the process killed in the middle of its
 * work. */
#ifndef LEX_CONSUMER_HTTP_H
#define LEX_CONSUMER_HTTP_H

#include "consumer/health.h"
#include "core/config/config.h"
#include "core/crypto/crypto.h"

enum {
    LEX_HTTP_CONNECTIONS_MAX = 64,
    LEX_HTTP_HEADER_MAX_BYTES = 16 << 10,
    LEX_HTTP_REQUEST_SECONDS = 5, /* from a connection's start, or its last answer, to the next */
    LEX_HTTP_API_KEY_MAX_BYTES = 4096,
};

struct lex_http;

/* Listen on http_address:http_port and serve.
 * @owns   config and health are borrowed until lex_http_stop; *ret_http is the caller's
 * @errors LEX_REJECT the address cannot be taken, or api_key_file cannot be read: err says what to
 * do LEX_LIMIT  out of memory */
LEX_STATUS lex_http_start(const struct lex_config *config, const struct lex_health *health,
                          struct lex_http **ret_http, struct lex_error *err);
/* From now on /.well-known/jwks.json answers with the token key; until then it is 503.
 * @owns   the keyring is borrowed until lex_http_stop, and immutable
 * @thread any */
void lex_http_publish_keys(struct lex_http *http, const struct lex_keyring *keyring);
/* Close all connections and join the thread. NULL is nothing. */
void lex_http_stop(struct lex_http *http);
/* The port that is bound; where http_port is 0, the free one that was found. */
uint16_t lex_http_port(const struct lex_http *http);

#endif
