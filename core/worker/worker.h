/* Worker: the state machine that turns requests into verdicts and ledger entries, exactly once.
 *
 * It does no I/O. Events come in, actions go out, both per batch; the Kafka loop in consumer/ and
 * the simulator in tests/sim/ execute the same actions, so what is proven there is the code that
 * runs.
 *
 *              POLICY_LOADED             INITED
 *     IDLE ------------------> STARTING --------> RUNNING --- STOP ---> STOPPED
 *                                 ^                  |
 *                                 +-- FATAL, FENCED -+
 *
 * and for each partition, while RUNNING:
 *
 *     ASSIGNED -> OFFSETS wanted -> TAIL wanted -> (WAITING for a policy) -> (HISTORY) -> ACTIVE
 *                      |                |                   ^                              |
 *                      +---- again -----+--> HALTED         +---- another policy ----------+
 *
 * HISTORY is where a policy that remembers, or statements that are used up, need to know what the
 * partition did before: its ledger is read back as far as core/history reaches, piece by piece,
 * while the other partitions go on.
 *
 * Invariants:
 *  - one transaction at a time; a partition's chain and next offset move only when it COMMITTED;
 *  - whatever writes to a partition's ledger also carries that partition's offset and head;
 *  - no record of a partition is decided before its stable offset and head are known, nor after the
 *    partition was revoked or lost;
 *  - a partition's history moves with its chain: an abort takes back what it learned, and nothing
 *    is decided before it knows what the last owner knew, or knows that it does not;
 *  - input is held until COMMITTED, so an aborted batch is decided again from memory;
 *  - the caller answers every action that has a result with exactly that event, before any other.
 *
 * The mistakes it prevents: a chain that forks, an offset past an undecided request, a verdict
 * without its entry, and a failure that reads as "allow". */
#ifndef LEX_WORKER_WORKER_H
#define LEX_WORKER_WORKER_H

#include "core/codec/codec.h"
#include "core/crypto/crypto.h"
#include "core/decision/decision.h"
#include "core/identity/identity.h"
#include "core/identity/token.h"
#include "core/ledger/chain.h"
#include "core/ledger/head.h"
#include "core/policy/policy.h"

enum {
    LEX_WORKER_PARTITIONS_MAX = 1024, /* of one worker */
    LEX_WORKER_BATCH_MAX = 4096,      /* records in one RECORDS event */
    LEX_WORKER_HELD_SLACK = 4096,     /* held beyond commit_max_records while a commit is retried */
};

/* ---- events ---- */

/* A request record. All spans are borrowed until the worker no longer counts it as held. */
struct lex_record {
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms; /* the record's, -1 where it has none */
    struct lex_span key;  /* absent where it has none */
    struct lex_span value;
    struct lex_span traceparent; /* the header of that name; absent where there is none */
    /* Where a registry names the schema: what the id stands for, borrowed like the spans, how many
     * bytes of the value are the frame, and the header that named it. NULL: the value says it. The
     * caller resolves ids before it hands a record over, since the worker asks nobody; one record
     * always comes with the same answer, so that an aborted batch is decided alike. */
    const struct lex_registered *registered;
    size_t frame_bytes;
    struct lex_span schema_header; /* __value_schema_id; absent where there is none */
    uint32_t verdict_schema; /* the id that a verdict in Confluent's framing carries; not 0 where
                                the answer is one */
};

/* What a partition's offset look-up found. */
struct lex_offset_found {
    int32_t partition;
    enum lex_status status; /* OK; RETRY: unstable or unreachable, ask again; REJECT: see reason */
    int64_t offset;         /* committed, the next to consume; -1 where there is none */
    struct lex_span metadata; /* of the commit; absent or empty where there is none */
    int64_t low, high;        /* watermarks of the request partition, read uncommitted */
    const char *reason;       /* of a failure: what is wrong and what to do */
};

/* What a partition's ledger holds. */
struct lex_tail_found {
    int32_t partition;
    enum lex_status status; /* as above */
    bool ever_held;         /* a committed entry is there, or its log no longer begins at 0 */
    struct lex_span entry;  /* the last committed record's value; absent where none is left */
    const char *reason;
};

/* A piece of a partition's ledger: committed records in order, as the topic holds them. */
enum {
    LEX_HISTORY_PIECE_ENTRIES = 1000,
    LEX_HISTORY_PIECE_BYTES = 1 << 20, /* and one record over it */
};
struct lex_history_found {
    int32_t partition;
    enum lex_status status; /* OK; RETRY: the place was lost or nobody answers, begin again; REJECT:
                               it cannot be read, see reason */
    const struct lex_span *values; /* borrowed until the next action */
    size_t count;
    bool more; /* further records may follow; false: this is all that is committed */
    const char *reason;
};

enum lex_published {
    LEX_PUBLISHED_QUEUED,    /* produced, the transaction stays open */
    LEX_PUBLISHED_COMMITTED, /* the transaction is in the log */
    LEX_PUBLISHED_ABORTED,   /* nothing of it will ever be read */
    LEX_PUBLISHED_UNKNOWN,   /* the commit's answer is missing */
    LEX_PUBLISHED_FATAL,     /* fenced or worse: this producer is dead; the transaction aborts */
};

enum lex_event_kind {
    LEX_EVENT_POLICY_LOADED, /* the snapshot to use from the next transaction on */
    LEX_EVENT_INITED,        /* result of INIT */
    LEX_EVENT_ASSIGNED,
    LEX_EVENT_REVOKED,   /* the consumer still owns them until ACK_REVOKE */
    LEX_EVENT_LOST,      /* it does not */
    LEX_EVENT_OFFSETS,   /* result of FETCH_OFFSETS */
    LEX_EVENT_TAIL,      /* result of FETCH_TAIL */
    LEX_EVENT_HISTORY,   /* result of FETCH_HISTORY */
    LEX_EVENT_RECORDS,   /* result of POLL: in order for each partition */
    LEX_EVENT_TICK,      /* result of POLL: nothing came in time */
    LEX_EVENT_PUBLISHED, /* result of PUBLISH, RESUME_COMMIT and ABORT */
    LEX_EVENT_GONE,      /* the broker no longer has the next offset of these partitions */
    LEX_EVENT_STOP,
    LEX_EVENT_COUNT,
};

struct lex_event {
    enum lex_event_kind kind;
    int64_t wall_us, mono_us;  /* now; the worker reads no clock */
    struct lex_policy *policy; /* POLICY_LOADED: borrowed, the worker takes its own reference */
    enum lex_status status;    /* INITED: OK or RETRY */
    enum lex_published published;
    const int32_t *partitions; /* ASSIGNED, REVOKED, LOST, GONE */
    const struct lex_offset_found *offsets;
    const struct lex_tail_found *tails;
    const struct lex_history_found *history;
    const struct lex_record *records;
    size_t count; /* of whichever of the arrays above */
    bool drained; /* RECORDS: nothing more was waiting */
};

/* ---- actions ---- */

enum lex_output_kind { LEX_OUTPUT_VERDICT, LEX_OUTPUT_LEDGER, LEX_OUTPUT_DEAD_LETTER };
enum {
    LEX_OUTPUT_HEADERS_MAX = 12,
    LEX_OUTPUT_KEY_MAX_BYTES = 16 << 10, /* a longer key is left out: the partition is given anyway,
                                            and no key may make an output too large to publish */
};

struct lex_header {
    const char *name;
    struct lex_span value;
};

/* A record to produce, to the partition of the same number. Spans live in the worker's arena or in
 * held records until the action's result is reported. */
struct lex_output {
    enum lex_output_kind kind;
    int32_t partition;
    struct lex_span key, value;
    const struct lex_header *headers; /* of a dead letter; else the request's traceparent, if any */
    size_t headers_count;
};

/* A partition's offset and head, always together. */
struct lex_commit {
    int32_t partition;
    int64_t next_offset;
    struct lex_span metadata; /* printable ASCII, NUL-terminated */
};

/* Where a partition's consumption stands. */
struct lex_position {
    int32_t partition;
    int64_t next_offset;
};

/* What a rebuild reads. Where nothing before `since_us` matters, reading may begin at any entry
 * whose time is not later; it must not begin later than both say. */
struct lex_history_wanted {
    int32_t partition;
    int64_t from, to; /* entries [from, to) by seq */
    int64_t since_us;
    bool more; /* go on behind the last piece; else find the place where it begins */
};

enum lex_action_kind {
    LEX_ACTION_INIT, /* make the transactional producer anew and init_transactions -> INITED */
    LEX_ACTION_FETCH_OFFSETS, /* partitions, count -> OFFSETS */
    LEX_ACTION_FETCH_TAIL,    /* partitions, count -> TAIL */
    LEX_ACTION_FETCH_HISTORY, /* one partition's ledger, see struct lex_history_wanted -> HISTORY */
    LEX_ACTION_RESUME,        /* consume exactly `positions` from now on */
    LEX_ACTION_POLL,          /* timeout_ms, max_records -> RECORDS, TICK or a rebalance */
    LEX_ACTION_PUBLISH, /* produce `outputs`; where `commit`, send `commits` and commit -> PUBLISHED
                         */
    LEX_ACTION_RESUME_COMMIT, /* the same commit again -> PUBLISHED */
    LEX_ACTION_ABORT,         /* -> PUBLISHED */
    LEX_ACTION_ACK_REVOKE,    /* give `partitions` up */
    LEX_ACTION_HALT,          /* tell: partitions[0] stands still for `reason` */
    LEX_ACTION_SET_READY,     /* tell: `ready` changed */
    LEX_ACTION_STOPPED,       /* nothing is open; close the consumer and end */
    LEX_ACTION_COUNT,
};

struct lex_action {
    enum lex_action_kind kind;
    int timeout_ms;
    size_t max_records; /* POLL: 0 serves rebalances and keeps records back */
    bool commit, ready;
    const char *reason; /* HALT */
    const int32_t *partitions;
    const struct lex_position *positions;
    const struct lex_output *outputs;
    const struct lex_commit *commits;
    struct lex_history_wanted history;
    size_t count; /* partitions or positions or outputs */
    size_t commits_count;
};

enum { LEX_ACTIONS_MAX = 64 };
struct lex_actions {
    struct lex_action items[LEX_ACTIONS_MAX];
    size_t count;
};

/* ---- what it tells of itself ---- */

/* One request, after its transaction committed: for metrics and logs. Borrowed for the call. */
struct lex_settled {
    const struct lex_record *record;
    const struct lex_ledger_entry *entry;         /* a decision or a rejection */
    enum lex_reason reason_code;                  /* of a decision */
    enum lex_undecodable why;                     /* of a rejection */
    int64_t evaluation_ns;                        /* of a decision */
    const struct lex_identity_problems *problems; /* attestations that do not count; NULL: none */
    bool token_presented;                         /* of a decision */
    enum lex_identity_why token_why; /* why the presented one does not count; _COUNT: it does */
    int64_t token_exp_s;             /* of the token that was issued; 0: none was */
    size_t flips;                    /* log_only policies that would have answered otherwise */
};
struct lex_worker_observer {
    void *user;
    void (*settled)(void *user, const struct lex_settled *items, size_t count);
    /* An event entry committed (genesis, policy, recovery). */
    void (*recorded)(void *user, const struct lex_ledger_entry *entry);
    void (*signed_batch)(void *user, size_t verdicts); /* one signature over so many */
    /* A partition knows its history again: it read so many entries and is complete since then.
     * `problem`: why it knows less than it should; else NULL. */
    void (*remembered)(void *user, int32_t partition, int64_t entries, int64_t complete_us,
                       const char *problem);
};

/* ---- the worker ---- */

enum lex_verdicts {
    LEX_VERDICTS_SAME,
    LEX_VERDICTS_AVRO,
    LEX_VERDICTS_JSON,
    LEX_VERDICTS_CONFLUENT
};

struct lex_worker_options {
    const struct lex_keyring *keyring;   /* outlives the worker */
    struct lex_codec *codec;             /* this worker's own */
    struct lex_worker_observer observer; /* callbacks may be NULL */
    struct lex_span node_id, origin_prefix, requests_topic, ledger_topic; /* outlive it */
    enum lex_verdicts verdict_format;
    enum lex_mode server_mode;
    bool start_latest;      /* start_offset=latest, of a partition without a ledger */
    bool identity_required; /* identity=attested: an unattested actor is unknown */
    bool key_check_actor;   /* key_check=actor: a record's key must be its actor's one name */
    const struct lex_identity *identity; /* whose statements are taken; NULL: nobody's */
    struct lex_jwk_list token_keys;      /* of presented tokens; none: no token counts */
    struct lex_span token_issuer, token_audience;
    enum lex_jwt_alg token_alg;
    bool token_always; /* token_format=jwt_always; else only who asks gets one */
    int64_t token_max_ttl_us;
    bool content_full;       /* ledger_content=full */
    bool dead_letter_digest; /* dead_letter_content=digest */
    bool policy_allow_rollback;
    bool policy_published; /* by topic: a signature stays good for ever, so one that is older than
                              the chain's policy is never decided under, however long it takes */
    int64_t ttl_us, policy_wait_us, commit_interval_us;
    size_t commit_max_records, batch_max_records, sign_batch_max;
    size_t commit_max_bytes; /* of the requests in one transaction */
    size_t request_max_bytes, dead_letter_max_bytes, output_max_bytes;
    size_t arena_max_bytes; /* of one transaction's memory */
};

struct lex_worker;

/* @errors LEX_REJECT an option out of its range: err names it; LEX_LIMIT memory */
LEX_STATUS lex_worker_new(const struct lex_worker_options *options, struct lex_worker **ret_worker,
                          struct lex_error *err);
void lex_worker_free(struct lex_worker *worker);

/* Take one event, say what to do next. Actions are to be executed in order; at most the last one
 * has a result. What they point to stays valid until the next step.
 * @thread the worker's own */
void lex_worker_step(struct lex_worker *worker, const struct lex_event *event,
                     struct lex_actions *ret_actions);

/* Of the records delivered so far, the newest this many are still needed: older messages may be let
 * go. (Delivered in order, released in order.) */
size_t lex_worker_held(const struct lex_worker *worker);

bool lex_worker_ready(const struct lex_worker *worker);
size_t lex_worker_halted(const struct lex_worker *worker);

/* A partition as the outside may see it. */
struct lex_partition_view {
    int32_t partition;
    const char *state;        /* "active", "recovering", "waiting", "halted" */
    const char *reason;       /* of a halt, else "" */
    int64_t seq, next_offset; /* committed */
};
size_t lex_worker_partitions(const struct lex_worker *worker, struct lex_partition_view *out,
                             size_t max);

#endif
