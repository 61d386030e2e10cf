/* Probe: what a cluster answers to this configuration, tried piece by piece. Behind `lexecon
 * doctor`.
 *
 * Preflight stops at the first thing that is wrong, since a service only has to know that it may
 * not start. A person wants all of it at once, so every question here stands alone and is answered
 * whatever became of the others. Each says what it does to the cluster: none changes what a reader
 * sees, the rights to write leave one aborted record behind.
 * @thread whoever made it */
#ifndef LEX_CONSUMER_PROBE_H
#define LEX_CONSUMER_PROBE_H

#include "core/base/status.h"
#include "core/config/config.h"

/* ---- one address ---- */

enum { LEX_PROBE_ADDRESS_MAX_BYTES = 300 };
/* The next address of a list as bootstrap.servers has it ("[security://]host[:port],..."), with its
 * port. @param list moves on @return false at the end */
bool lex_probe_next_address(const char **list, char ret_address[LEX_PROBE_ADDRESS_MAX_BYTES]);
/* A name, and a TCP connection; nothing is sent.
 * @param address host:port, an IPv6 host in brackets
 * @errors LEX_REJECT no such name, or not an address; LEX_RETRY nothing listens, or no answer in
 * time */
LEX_STATUS lex_probe_connect(const char *address, int timeout_ms, struct lex_error *err);

/* ---- a client ---- */

struct lex_probe;

/* @param address only this one of the bootstrap servers; NULL: as configured
 * @errors LEX_REJECT a setting that librdkafka refuses */
LEX_STATUS lex_probe_new(const struct lex_config *config, const char *address,
                         struct lex_probe **ret_probe, struct lex_error *err);
void lex_probe_free(struct lex_probe *probe); /* NULL is fine */

enum { LEX_PROBE_BROKERS_MAX = 64 };
struct lex_probe_cluster {
    size_t brokers_count; /* at most LEX_PROBE_BROKERS_MAX are named */
    char brokers[LEX_PROBE_BROKERS_MAX][LEX_PROBE_ADDRESS_MAX_BYTES]; /* as they advertise it */
    int txn_offset_commit, fetch; /* the newest versions of these requests; -1 not told */
};
/* TCP, TLS, SASL, ApiVersions and Metadata, in that order, as any client does.
 * @errors LEX_RETRY where it ended and what to change */
LEX_STATUS lex_probe_hello(struct lex_probe *probe, struct lex_probe_cluster *ret_cluster,
                           struct lex_error *err);
/* The Kafka version whose brokers speak so, at least: "3.9"; "older than 2.3". */
const char *lex_probe_version(const struct lex_probe_cluster *cluster);
/* Transactions that check the group's generation (KIP-447), which came with 2.5. */
bool lex_probe_version_suffices(const struct lex_probe_cluster *cluster);
const char *lex_probe_client_version(void);

/* ---- the group ---- */

/* Whether this user may join and commit: an offset for a partition that no topic has is offered,
 * which a broker refuses after it looked at the right to the group, and keeps nowhere.
 * @errors LEX_REJECT no right; LEX_RETRY no answer */
LEX_STATUS lex_probe_group_right(struct lex_probe *probe, struct lex_error *err);

struct lex_probe_group {
    char state[32], assignor[64];
    size_t members;
    int32_t partitions, committed; /* of the requests; of these, how many have an offset */
    int64_t lag;                   /* records behind them, control records included */
};
/* Described and measured; nothing is joined.
 * @errors LEX_REJECT no right; LEX_RETRY no answer */
LEX_STATUS lex_probe_group_look(struct lex_probe *probe, int32_t partitions,
                                struct lex_probe_group *ret_group, struct lex_error *err);

/* ---- writing ---- */

struct lex_probe_written {
    int64_t broker_ms, local_ms; /* the broker's clock, where the topic's records carry it, else -1;
                                    this machine's, halfway between asking and the answer */
};
/* Its transactional id is <group>.<node_id>.<instance>.doctor, which no worker has: theirs end in a
 * number. @errors LEX_LIMIT */
struct lex_probe_writer;
LEX_STATUS lex_probe_writer_new(const struct lex_config *config,
                                struct lex_probe_writer **ret_writer, struct lex_error *err);
void lex_probe_writer_free(struct lex_probe_writer *writer); /* NULL is fine */
/* A transaction of one empty record in partition 0, aborted: no reader with
 * isolation.level=read_committed ever sees it. It is the only way to ask whether one may write.
 * @param topic NULL: only the transactional id is asked for, nothing is written
 * @errors LEX_REJECT no right: err says to what; LEX_RETRY no answer, or it cannot be written now
 */
LEX_STATUS lex_probe_write(struct lex_probe_writer *writer, const char *topic,
                           struct lex_probe_written *ret_written, struct lex_error *err);

/* ---- reading ---- */

/* The newest record's timestamp, of the first partitions' ends.
 * @post  *ret_ms is -1 where there is none
 * @errors LEX_RETRY no answer */
LEX_STATUS lex_probe_newest(struct lex_probe *probe, const char *topic, int32_t partitions,
                            int64_t *ret_ms, struct lex_error *err);

#endif
