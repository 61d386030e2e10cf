/* Policy watch: loads the policy file, and again whenever it changes or SIGHUP asks.
 *
 * A load gives a whole snapshot or nothing: a bad file leaves the one before in force, counts and
 * says line and column. Kubernetes swaps a mounted file by a symbolic link, so what is compared is
 * the content's identity (device, inode, size, time of change), not the path's. */
#ifndef LEX_CONSUMER_POLICY_WATCH_H
#define LEX_CONSUMER_POLICY_WATCH_H

#include "consumer/health.h"
#include "consumer/policy_slot.h"
#include "core/config/config.h"

struct lex_policy_watch;

/* Load once, then watch on a thread of its own. Without `policy` in the configuration nothing is
 * loaded, and the log says what to set; a first file that does not load is reported and watched.
 * @param changed  called on the watcher's thread after each swap; may be NULL
 * @errors LEX_LIMIT no thread or memory */
LEX_STATUS lex_policy_watch_start(const struct lex_config *config, struct lex_policy_slot *slot,
                                  struct lex_health *health, void (*changed)(void *user),
                                  void *user, struct lex_policy_watch **ret_watch,
                                  struct lex_error *err);
/* Look at once. @thread any */
void lex_policy_watch_now(struct lex_policy_watch *watch);
void lex_policy_watch_stop(struct lex_policy_watch *watch);

#endif
