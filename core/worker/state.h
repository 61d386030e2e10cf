/* The worker's private state, shared by worker.c (events, plan), partition.c (recovery) and batch.c
 * (records into outputs). Owner of everything here: the worker's thread. */
#ifndef LEX_WORKER_STATE_H
#define LEX_WORKER_STATE_H

#include "core/base/trace.h"
#include "core/history/history.h"
#include "core/ledger/events.h"
#include "core/worker/plants.h"
#include "core/worker/recover.h"
#include "core/worker/worker.h"

enum partition_state {
    PARTITION_OFFSETS, /* its committed offset and head are wanted */
    PARTITION_TAIL,    /* its ledger's tail is wanted */
    PARTITION_WAITING, /* recovered; the snapshot is older than the chain's policy */
    PARTITION_HISTORY, /* recovered; what it did before is being read */
    PARTITION_ACTIVE,
    PARTITION_HALTED,
};

/* Where a partition's chain and consumption stand. Plain values: an abort is an assignment. */
struct position {
    struct lex_chain chain;
    struct lex_head head; /* its seq and prev follow the chain's when it is written */
    int64_t next_offset;
    bool written;      /* this transaction holds an entry of it, so it owes an offset and a head */
    bool genesis_due;  /* the chain's first entry is still to be written */
    bool recovery_due; /* a recovery entry is still to be written: see partition.recovery */
    enum lex_policy_change policy_change; /* what the next policy entry says of how it came */
};

/* How far the reading of a partition's history got. */
struct rebuild {
    int64_t next;         /* the entry that is due */
    int64_t entries;      /* read so far */
    struct lex_hash prev; /* of the entry that is due; means something once `entries` is not 0 */
    bool more;            /* the reader stands where the last piece ended */
    int64_t until_us;     /* mono: when patience ends, unless something comes */
    const char *problem;
};

struct partition {
    int32_t id;
    enum partition_state state;
    struct position committed, working;
    struct lex_recovered recovery; /* of the last assignment */
    struct lex_offset_found found; /* between OFFSETS and TAIL; its spans are in `metadata` */
    char metadata[LEX_HEAD_TEXT_MAX_BYTES];
    char origin[LEX_ORIGIN_MAX_BYTES];
    char reason[LEX_RECOVER_REASON_MAX];
    int64_t retry_at_us;         /* mono: when to ask again */
    int64_t wait_until_us;       /* mono: when WAITING ends */
    struct lex_history *history; /* NULL: nothing asks for it */
    bool history_known;          /* it was read to its end; a rebuild may stop half way */
    uint8_t history_hash[32];    /* of the policy that it was built under */
    struct rebuild rebuild;      /* while HISTORY */
    bool suspect;                /* looked contradictory once: looked at again before it halts */
    bool announced;              /* its halt was told */
    bool gone;    /* the broker deleted its next offset: recover once no transaction is open */
    bool touched; /* has records in the batch that is being built */
};

/* One held record, and what was made of it in the open transaction. */
struct slot {
    struct lex_record record;
    struct lex_header trace; /* its traceparent, for its outputs; absent where there is none */
    struct lex_span trace_id;
    struct partition *partition; /* NULL: not ours (any more), skipped */
    struct lex_ledger_entry *entry;
    struct lex_span value; /* the entry's bytes */
    struct lex_hash leaf;
    enum lex_format format;
    enum lex_reason reason_code;
    enum lex_undecodable why;
    int64_t evaluation_ns;
    const struct lex_identity_problems *problems;
    enum lex_identity_why token_why;
    struct lex_span token; /* issued with the verdict; absent where there is none */
    int64_t token_exp_s;
    size_t flips;
    bool token_presented;
    bool decision; /* else a rejection */
    bool refused;  /* does not fit into a transaction's memory, even alone */
};

enum phase { PHASE_IDLE, PHASE_STARTING, PHASE_RUNNING, PHASE_STOPPED };
enum transaction { TXN_NONE, TXN_OPEN, TXN_UNKNOWN };
enum expected {
    EXPECT_ANY,
    EXPECT_INITED,
    EXPECT_OFFSETS,
    EXPECT_TAIL,
    EXPECT_HISTORY,
    EXPECT_PUBLISHED
};

struct outputs {
    struct lex_output *items;
    size_t count, cap;
};

struct lex_worker {
    struct lex_worker_options options;
    struct lex_policy *policy, *next_policy;

    enum phase phase;
    enum transaction txn;
    enum expected expected;
    bool stopping, ready_told, ready, need_resume, drained;
    bool history_rests; /* a piece was read: the other partitions' turn before the next one */
    int64_t wall_us, mono_us;
    int64_t txn_begin_us, hold_until_us; /* mono */
    int64_t abort_backoff_us, init_backoff_us;
    enum lex_event_kind leaving; /* REVOKED or LOST while partitions have to go, else COUNT */

    struct partition *partitions[LEX_WORKER_PARTITIONS_MAX]; /* sorted by id */
    size_t partitions_count;
    int32_t leaving_ids[LEX_WORKER_PARTITIONS_MAX];
    size_t leaving_count;

    struct slot *slots; /* held, oldest first; the first `decided` are in the open transaction */
    size_t held, decided, slots_max;
    size_t decided_bytes;
    size_t build_limit; /* records a build may take; 0: all */
    bool must_abort;    /* the build failed half way: abort, then in smaller pieces */
    struct lex_ledger_entry
        *events[2 * LEX_WORKER_PARTITIONS_MAX + 16]; /* of the open transaction */
    size_t events_count;

    struct lex_arena arena;      /* the open transaction's */
    struct lex_arena step_arena; /* this step's: actions' lists */
    struct outputs outputs;      /* of this step's PUBLISH */
};

/* ---- partition.c ---- */
struct partition *lex_partition_find(const struct lex_worker *w, int32_t id);
void lex_partition_add(struct lex_worker *w, int32_t id);
void lex_partition_drop(struct lex_worker *w, int32_t id);
void lex_partition_start_over(struct lex_worker *w, struct partition *p);
void lex_partition_offsets(struct lex_worker *w, const struct lex_offset_found *found);
void lex_partition_tail(struct lex_worker *w, const struct lex_tail_found *found);
void lex_partition_halt(const struct lex_worker *w, struct partition *p, const char *reason);
/* A new snapshot: an ACTIVE partition whose chain names a newer one waits; a WAITING one goes on
 * once the policy came or its wait is over. */
void lex_partition_policy_changed(struct lex_worker *w, struct partition *p);
void lex_partition_check_waiting(struct lex_worker *w, struct partition *p);
bool lex_partition_policy_due(const struct lex_worker *w, const struct partition *p);

/* ---- rebuild.c ---- */
/* Recovered, and its policy stands: ACTIVE, or HISTORY where what it did before must be read. */
void lex_partition_activate(struct lex_worker *w, struct partition *p);
void lex_partition_forget_history(struct partition *p);
/* What to ask for next. @pre state is PARTITION_HISTORY */
struct lex_history_wanted lex_partition_history_wanted(const struct lex_worker *w,
                                                       const struct partition *p);
void lex_partition_history(struct lex_worker *w, const struct lex_history_found *found);
/* An entry was appended to the working chain: its history learns it, with what it leaves behind.
 * @errors LEX_LIMIT nothing more fits until the transaction ends; to be rolled back by the caller
 */
LEX_STATUS lex_partition_learn(struct partition *p, const struct lex_ledger_entry *entry,
                               const struct lex_history_item *items, size_t count);

/* ---- evidence.c: what stands beside a request, and what is said of it ---- */
/* @errors LEX_LIMIT the arena is full */
LEX_STATUS lex_evidence_gather(struct lex_worker *w, struct slot *slot,
                               const struct lex_request *request, const uint8_t fingerprint[32],
                               struct lex_facts *ret_facts);
LEX_STATUS lex_evidence_token(struct lex_worker *w, struct slot *slot,
                              const struct lex_ledger_entry *entry, bool wanted);

/* ---- shadow.c: policies that are evaluated beside and change nothing ---- */
/* The entry's detail, and how many would have answered otherwise; failing, there are none. */
void lex_shadow_compare(struct lex_worker *w, struct slot *slot,
                        const struct lex_decide_input *input, const struct lex_decision *decision,
                        struct lex_ledger_entry *entry);

/* ---- batch.c ---- */
/* Decide as many held records as fit, and write the event entries that are due; outputs are
 * appended. Returns true when the transaction's memory is full: commit, then call again. */
bool lex_batch_build(struct lex_worker *w);
/* Tell the observer what committed. */
void lex_batch_settled(struct lex_worker *w);

#endif
