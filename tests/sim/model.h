/* A model of Kafka, as much of it as can hurt: logs with transactions, a group with generations, a
 * transaction coordinator, and time that is ours.
 *
 * It fences as Kafka does and no better. A transactional.id is fenced only against itself; a
 * group's generation is looked at only when offsets are sent; ownership of a partition is never
 * looked at. What the worker's rules must guarantee, the model must not guarantee for it. */
#ifndef LEX_TESTS_SIM_MODEL_H
#define LEX_TESTS_SIM_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/worker/worker.h"

static const int64_t SIM_EPOCH_US = 1700000000000000; /* the wall clock when the model's is 0 */

enum {
    SIM_PARTITIONS_MAX = 4,
    SIM_NODES_MAX = 3,
    SIM_MEMBERS_MAX = 64, /* every start of a node is a new member */
    SIM_METADATA_MAX = 1100,
};

/* ---- randomness: one seed drives everything ---- */
struct sim_random {
    uint64_t state;
};
uint64_t sim_random(struct sim_random *random);
uint64_t sim_below(struct sim_random *random, uint64_t bound);
bool sim_chance(struct sim_random *random, unsigned percent);

/* ---- logs ---- */
enum sim_state { SIM_PENDING, SIM_COMMITTED, SIM_ABORTED };
struct sim_item {
    uint8_t *data;
    size_t len;
    int64_t txn; /* number of the transaction, -1 for none */
    enum sim_state state;
};
struct sim_log {
    struct sim_item *items;
    size_t count, cap, low; /* [0, low) are deleted */
};

enum sim_request { /* what a request asks for decides what must be answered */
                   SIM_PERMITTED,
                   SIM_FORBIDDEN,
                   SIM_UNPERMITTED,
                   SIM_INCOMPLETE,
                   SIM_UNSAFE_NUMBER,
                   SIM_UNDECODABLE,
                   SIM_LARGE,
                   SIM_LIMITED,  /* so many in a window */
                   SIM_SUMMED,   /* so much in a window */
                   SIM_APPROVED, /* with a person's approval, each good once */
                   SIM_PREPARE,  /* two that one actor may not both do within a window */
                   SIM_RELEASE,
                   SIM_REQUESTS,
};

enum { SIM_APPROVALS = 4, SIM_APPROVAL_MAX_BYTES = 1024 };

/* What was asked, for the checker. */
struct sim_asked {
    uint8_t kind;     /* enum sim_request */
    uint8_t amount;   /* of SIM_SUMMED */
    uint8_t approval; /* of SIM_APPROVED: which */
};

/* A person's approval of one request, which several may carry. */
struct sim_approval {
    char text[SIM_APPROVAL_MAX_BYTES]; /* "" until it is asked for */
    int64_t issued_us;
};

struct sim_partition {
    struct sim_log requests, verdicts, ledger, letters;
    struct sim_asked *asked; /* of each request */
    struct sim_approval approvals[SIM_APPROVALS];
    bool committed; /* an offset was ever committed */
    int64_t offset;
    char metadata[SIM_METADATA_MAX];
    size_t metadata_len;
    bool tampered;     /* the commit is not a worker's */
    int64_t healed_us; /* when it ceased to be doubtful: what was read before may still halt */
    bool doubtful;     /* an operator's hand made head and ledger differ: a halt is right */
};

/* ---- transactions ---- */
struct sim_pending {
    bool set;
    int64_t offset;
    char metadata[SIM_METADATA_MAX];
    size_t metadata_len;
};
struct sim_producer { /* of one transactional.id */
    int epoch;
    bool open;
    int64_t txn, begin_us;
    struct sim_pending offsets[SIM_PARTITIONS_MAX];
};

/* ---- the group ---- */
struct sim_member {
    bool in_group, joined, owns[SIM_PARTITIONS_MAX];
    int node;
    int64_t heard_us;
};

struct sim_model {
    struct sim_random random;
    int64_t now_us;
    int partitions_count, nodes_count;
    struct sim_partition partitions[SIM_PARTITIONS_MAX];
    struct sim_producer producers[SIM_NODES_MAX];
    int64_t next_txn;
    struct sim_member members[SIM_MEMBERS_MAX];
    size_t members_count;
    int generation;
    bool rebalancing;
    bool calm; /* no more faults: everything has to drain */
    bool trace;
    uint64_t hash; /* of all that happened */
};

void sim_model_init(struct sim_model *model, uint64_t seed);
void sim_model_fini(struct sim_model *model);
void sim_note(struct sim_model *model, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

void sim_append(struct sim_log *log, const void *data, size_t len, int64_t txn,
                enum sim_state state);
void sim_log_fini(struct sim_log *log);

/* Coordinator. Answers are the worker's classes. */
void sim_init_transactions(struct sim_model *model, int node);
/* Append to a log inside the producer's transaction; false: fenced. */
bool sim_produce(struct sim_model *model, int node, int epoch, struct sim_log *log,
                 struct lex_span value);
/* @return OK, ABORT (the group refuses) or HALT (fenced) */
enum lex_status sim_send_offsets(struct sim_model *model, int node, int epoch, int member,
                                 int generation, const struct lex_commit *commits, size_t count);
bool sim_end(struct sim_model *model, int node, int epoch, bool commit); /* false: fenced */
void sim_expire_transactions(struct sim_model *model, int64_t age_us);
bool sim_unstable(const struct sim_model *model, int partition);
bool sim_log_unstable(const struct sim_log *log); /* a transaction is open on it */
/* The committed items from *at on, up to the last stable offset; NULL where there is none. */
const struct sim_item *sim_next_committed(const struct sim_log *log, size_t *at);
/* The last committed entry that a read_committed reader sees; NULL where there is none. */
const struct sim_item *sim_tail(const struct sim_log *log);

/* Group. */
int sim_join(struct sim_model *model, int node); /* a new member */
void sim_leave(struct sim_model *model, int member);
void sim_expire_members(struct sim_model *model, int64_t session_us);
void sim_complete_rebalance(struct sim_model *model);

#endif
