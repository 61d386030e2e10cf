/* Service: the whole process, from a loaded configuration to its exit status.
 *
 *     main      signals, lifecycle                    policy watch   loads and swaps snapshots
 *     worker 0..n-1   consume, decide, publish        mirror         ledger topic -> SQLite
 *     HTTP      health, metrics (atomics only)        preflight      until topics are usable
 *
 * Start is told in full before it fails: a missing broker, policy or key leaves the process up, not
 * ready, and saying what to set; a wrong one ends it. With role=audit there are no workers, keys or
 * policy: the mirror is all that works, and health says how it does. A stop finishes the open
 * batch, commits, leaves the group, drains the mirror; a second signal ends at once and loses
 * nothing, since what is open aborts. */
#ifndef LEX_CONSUMER_SERVICE_H
#define LEX_CONSUMER_SERVICE_H

#include "core/config/config.h"

/* Run until a signal ends it. @return the process's exit status
 * @thread main, before any other thread exists */
int lex_service_run(struct lex_config *config);

#endif
