/* Mirror thread: reads the ledger topic like any auditor and keeps the verified copy (SQLite).
 *
 * One thread for each process. It shares nothing with the workers but a small table of who owns
 * what, so a slow, full or broken disk delays no verdict; it only makes the mirror late. Everything
 * that goes wrong with the broker or the disk is tried again, from the last transaction that SQLite
 * has: nothing is lost, since the topic has it all. What is *wrong in the ledger* is not tried
 * again: the partition stops at its last good entry, the bad bytes are kept aside, it is told
 * (metric, log, readiness), and the other partitions go on.
 *
 *              told or found                 its place is known
 *     (none) ---------------> SEARCHING ---------------------> FOLLOWING ---- breaks ----> BROKEN
 *                  |               \________________________________/ \
 *                  |                 the file knows it, or genesis     \-- the topic or the file
 *                  +--> gone (owned: the partition is no longer ours)      cannot be its own ->
 * STUCK
 *
 * BROKEN lasts until the process starts again; STUCK is looked at again every half minute.
 *
 * Owned by the thread: store, mirror, reader, check. Shared: the table of owners (a mutex, held for
 * a few instructions), health (atomics). */
#ifndef LEX_CONSUMER_MIRROR_THREAD_H
#define LEX_CONSUMER_MIRROR_THREAD_H

#include "consumer/health.h"
#include "core/base/status.h"
#include "core/config/config.h"

struct lex_mirror_thread;

/* Open the file and start to follow the ledger. With mirror_scope=off nothing happens and
 * *ret_thread is NULL, which every function here takes. Without a broker the file is opened and
 * that is all. With the embedded broker the file is a new one, `<mirror_path>.embedded`, since that
 * broker's ledger begins anew with every start.
 * @param config, health  outlive the thread
 * @errors LEX_REJECT the path, or a Kafka setting; LEX_HALT the file is corrupt, no mirror, or the
 *         mirror of another ledger: err says what to do; LEX_RETRY locked, or the disk is full */
LEX_STATUS lex_mirror_thread_start(const struct lex_config *config, struct lex_health *health,
                                   struct lex_mirror_thread **ret_thread, struct lex_error *err);

/* A worker's partition became active, its chain's next entry being `seq`, or is no longer. Every
 * `true` is followed by one `false`: a partition that moves from worker to worker inside the
 * process is counted, so the order does not matter. Usable as lex_loop_shared.owned, with the
 * thread as user.
 * @thread any; never blocks on a disk or broker */
void lex_mirror_thread_owned(void *thread, int32_t partition, bool active, int64_t seq);

/* Read to the end of what is committed now, at most `timeout_ms`, then close and free.
 * @pre the workers have ended */
void lex_mirror_thread_stop(struct lex_mirror_thread *thread, int timeout_ms);

#endif
