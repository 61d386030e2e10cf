/* Mirror check: the mirror's file read again and verified from its first row to its last (option
 * auto_verify), a slice at a time.
 *
 * What came in was verified on its way in, so this finds what happened to the file since: a disk
 * that forgets, a hand that helps. It reads through a connection of its own and gives that up after
 * every slice, since a reader that stays keeps SQLite from ever shortening its log. */
#ifndef LEX_CONSUMER_MIRROR_CHECK_H
#define LEX_CONSUMER_MIRROR_CHECK_H

#include "core/ledger/store.h"

struct lex_mirror_check; /* @thread the mirror's */

/* @errors as lex_store_open for reading */
LEX_STATUS lex_mirror_check_new(const char *path, struct lex_mirror_check **ret_check,
                                struct lex_error *err);
void lex_mirror_check_free(struct lex_mirror_check *check);

/* Verify for about `slice_us`.
 * @post   *ret_done: every partition was verified up to where its position stood
 * @errors LEX_REJECT the file differs from what was stored: err says where
 *         LEX_RETRY, LEX_HALT of the store; a failed check is over */
LEX_STATUS lex_mirror_check_step(struct lex_mirror_check *check, int64_t slice_us, bool *ret_done,
                                 struct lex_error *err);
int64_t lex_mirror_check_entries(const struct lex_mirror_check *check); /* verified so far */

#endif
