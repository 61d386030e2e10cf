/* Recover: where a partition's chain goes on, decided from what three places say.
 *
 * The committed offset's metadata (the head), the ledger's last committed entry (the tail) and the
 * request partition's watermarks. A pure function, so that the worker and `lexecon ledger recover`
 * can never judge the same state differently (pipeline.md, rule 3). */
#ifndef LEX_WORKER_RECOVER_H
#define LEX_WORKER_RECOVER_H

#include "core/ledger/chain.h"
#include "core/ledger/head.h"

enum lex_recovered_kind {
    LEX_RECOVERED_GENESIS,     /* no head, and the ledger never held a record */
    LEX_RECOVERED_CONTINUE,    /* head and tail agree, or retention emptied the ledger */
    LEX_RECOVERED_FROM_LEDGER, /* no head: the ledger's last entry is the authority */
    LEX_RECOVERED_HALT,        /* they contradict each other: a person decides */
};

struct lex_recover_input {
    struct lex_span origin;
    int64_t offset;           /* committed; -1 where there is none */
    struct lex_span metadata; /* absent or empty where there is none */
    int64_t low, high;        /* of the request partition */
    bool ever_held;           /* the ledger partition */
    struct lex_span entry;    /* its last committed value; absent where none is left */
    bool start_latest;
};

enum { LEX_RECOVER_REASON_MAX = 256 };

struct lex_recovered {
    enum lex_recovered_kind kind;
    struct lex_head head;    /* where the chain goes on; not of a HALT */
    int64_t next_offset;     /* the first request to decide; not of a HALT */
    int64_t deleted_from;    /* requests [deleted_from, next_offset) were deleted undecided; */
                             /* equal to next_offset where none were */
    bool has_head, has_tail; /* which of the two could be read, also of a HALT */
    struct lex_head from_head, from_tail; /* what each says; tail: seq, prev and source only */
    bool foreign_tail; /* the ledger's last entry is of another log: this is not its ledger */
    int64_t committed_offset;
    char reason[LEX_RECOVER_REASON_MAX]; /* of a HALT: what contradicts what */
};

/* @errors LEX_LIMIT the arena is full; all else is a kind */
LEX_STATUS lex_recover(const struct lex_recover_input *input, struct lex_arena *arena,
                       struct lex_recovered *ret);

#endif
