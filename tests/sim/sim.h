/* The simulator: real workers against a model of Kafka, one seed, invariants after every event. */
#ifndef LEX_TESTS_SIM_SIM_H
#define LEX_TESTS_SIM_SIM_H

#include "core/history/history.h"
#include "tests/sim/model.h"

enum { SIM_BATCH_MAX = 8, SIM_POLICIES = 3 };

/* What all runs share: made once, since they cost more than a run. */
struct sim_world {
    struct lex_keyring *keyring;
    struct lex_pins *pins;
    struct lex_codec *codec;
    struct lex_policy *policies[SIM_POLICIES]; /* versions 1 to 3, see requests.c */
    struct lex_identity *identity;             /* whose approvals count */
    struct lex_signer *approver;
};

enum sim_stage { SIM_STAGE_PRODUCE, SIM_STAGE_OFFSETS, SIM_STAGE_COMMIT };

/* A process: a worker, and the Kafka loop that executes its actions, one at a time, so that
 * anything can happen between two of them. */
struct sim_node {
    struct sim_model *model;
    const struct sim_world *world;
    int id, member, generation, epoch;
    bool alive, stopping, stalled;
    bool ready, revoking, losing;
    bool halted_wrongly; /* halted a partition whose head and ledger agree */
    int64_t paused_until_us, poll_since_us;
    struct lex_worker *worker;
    struct lex_actions actions;
    size_t next;
    enum sim_stage stage;
    int32_t owned[SIM_PARTITIONS_MAX];
    size_t owned_count;
    int64_t position[SIM_PARTITIONS_MAX]; /* -1: not consumed */
    struct lex_record records[SIM_BATCH_MAX];
    size_t past;        /* where reading a ledger back stands */
    int past_partition; /* -1: it reads none */
    int policy;         /* the newest it was given */
    int policy_wanted;  /* what its file holds now */
};

/* An approved request, as the slow evaluator keeps it. */
struct sim_use {
    enum sim_request kind;
    int64_t time_us;
    int amount, approval;
};

/* What a checker has seen of a partition so far. */
struct sim_checked {
    size_t ledger, verdicts, letters; /* items read */
    int64_t seq, next_request, decisions, rejections;
    struct lex_hash prev;
    int64_t txn;             /* of the last decision */
    uint8_t policy_hash[32]; /* of the last policy entry */
    uint8_t txn_policy[32];  /* that the last decision's transaction used */
    bool has_policy;
    struct sim_use *uses;
    size_t uses_count, uses_cap;
    struct lex_history *history; /* of what committed, learned in one go */
    const struct lex_policy *learned_under;
};

struct sim_checker {
    const struct sim_world *world;
    struct sim_checked partitions[SIM_PARTITIONS_MAX];
    struct lex_arena arena;
    char violation[512]; /* empty while all holds */
};

/* ---- node.c ---- */
void sim_node_start(struct sim_node *node);
void sim_node_kill(struct sim_node *node);
/* Execute one action, or part of one; false when there is nothing to do before time goes on. */
bool sim_node_run(struct sim_node *node);

/* ---- requests.c ---- */
/* The policies, the issuers, and what agents ask for. */
void sim_world_init(struct sim_world *world);
void sim_world_fini(struct sim_world *world);
void sim_add_request(struct sim_model *model, const struct sim_world *world);

/* ---- expect.c: what must be answered, from the requests alone; shares nothing with the engine */
bool sim_expect(struct sim_checker *checker, const struct sim_model *model, int p,
                const struct lex_ledger_entry *entry);

/* ---- replay.c: every decision again, from what the ledger held before it ---- */
bool sim_replay(struct sim_checker *checker, const struct sim_model *model, int p,
                const struct lex_ledger_entry *entry);
bool sim_learn(struct sim_checker *checker, int p, const struct lex_ledger_entry *entry);

/* ---- check.c ---- */
void sim_checker_init(struct sim_checker *checker, const struct sim_world *world,
                      struct sim_model *model);
void sim_checker_fini(struct sim_checker *checker);
bool sim_violated(struct sim_checker *checker, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* All invariants over what is committed now. */
bool sim_check(struct sim_checker *checker, struct sim_model *model, const struct sim_node *nodes);
bool sim_check_drained(struct sim_checker *checker, const struct sim_model *model,
                       const struct sim_node *nodes);

#endif
