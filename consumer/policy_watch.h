/* Policy watch: brings a policy into force, and the next one whenever there is one.
 *
 *     file or directory   looked at every policy_poll_ms, and at once on SIGHUP
 *     topic:<id>          the newest record under policy/<id> that the policy key signed, followed
 *
 * All work is done on the watch's own thread: reading, compiling, comparing, archiving. Workers see
 * one pointer change, between two transactions. A load gives a whole snapshot or nothing: what does
 * not load is told with line and column and counted, and the one before stays in force, whole.
 *
 * What may follow the one in force (policy.md, section 10): a file's authority is its mount, so it
 * may be edited under the same version, and go back where policy_allow_rollback says so. A topic's
 * is a signature, which stays good for ever: there only a higher version follows.
 *
 * A document that is too large for its ledger entry is archived before it comes into force; while
 * that fails, it waits, and the one before goes on. */
#ifndef LEX_CONSUMER_POLICY_WATCH_H
#define LEX_CONSUMER_POLICY_WATCH_H

#include "consumer/health.h"
#include "consumer/policy_slot.h"
#include "core/config/config.h"

struct lex_policy_watch;

/* Load once, then watch on a thread of its own. Without `policy` in the configuration nothing is
 * loaded, and the log says what to set; a first file that does not load is reported and watched. A
 * topic is read on the thread, since a broker may be away.
 * @param changed  called on the watcher's thread after each swap; may be NULL
 * @errors LEX_REJECT policy_key cannot be read; LEX_LIMIT no thread or memory */
LEX_STATUS lex_policy_watch_start(const struct lex_config *config, struct lex_policy_slot *slot,
                                  struct lex_health *health, void (*changed)(void *user),
                                  void *user, struct lex_policy_watch **ret_watch,
                                  struct lex_error *err);
/* Look at once. @thread any */
void lex_policy_watch_now(struct lex_policy_watch *watch);
void lex_policy_watch_stop(struct lex_policy_watch *watch);

#endif
