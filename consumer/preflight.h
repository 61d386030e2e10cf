/* Preflight: is this Kafka fit to decide on? Asked before the workers start, and again until it is.
 *
 * A worker would find each of these out for itself, one at a time and late: a missing partition at
 * its first request, a ledger that Kafka deletes after a week after a week. So they are looked for
 * at once, and each is told with the command that mends it. A broker that does not answer is no
 * reason to end: it may come back, and a process that restarts cannot make it come sooner.
 *
 * Checked: a broker answers; the four topics exist, and that of the policies where they come from
 * it (or all are made, where create_topics says so); this user may read requests and ledger and use
 * the group; verdicts, ledger and dead letters have a partition for each of the requests'; the
 * ledger is not compacted and keeps what ledger_requirements asks for. An audit node needs nothing
 * but the ledger: that it exists, can be read, and keeps what was asked for. */
#ifndef LEX_CONSUMER_PREFLIGHT_H
#define LEX_CONSUMER_PREFLIGHT_H

#include "core/base/status.h"
#include "core/config/config.h"

/* Blocks for about 10 s at most where no broker answers. With the embedded broker there is nothing
 * to ask. The caller keeps health.topics_usable false until LEX_OK and asks every few seconds.
 * @pre    kafka.bootstrap.servers is set
 * @errors LEX_RETRY  no broker, or an answer is missing: err says why, and what to change if it is
 *                    not the broker's fault
 *         LEX_REJECT something has to be changed first: err says what, with the command */
LEX_STATUS lex_preflight(const struct lex_config *config, struct lex_error *err);

#endif
