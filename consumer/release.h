/* Release: what `lexecon ledger recover` does on Kafka: look at a halted partition exactly as a
 * worker does, and write an operator's choice in one transaction.
 *
 * The tool is no member of the group, so the broker would not fence it (pipeline.md, rule 2). Three
 * things stand in for that: nobody writes to a halted partition; a state counts as halted only if
 * it contradicts itself in the same way twice, a while apart; and all operators share one
 * transactional id for a partition, taken before the state is read, so that the later of two shuts
 * the earlier out. */
#ifndef LEX_CONSUMER_RELEASE_H
#define LEX_CONSUMER_RELEASE_H

#include "core/config/config.h"
#include "core/worker/choose.h"

struct lex_release; /* @thread one */

/* @param writing  whether a choice is to be written, or only looked at
 * @errors LEX_RETRY no broker; LEX_REJECT a setting or right is missing: err says which */
LEX_STATUS lex_release_open(const struct lex_config *config, int32_t partition, bool writing,
                            struct lex_release **ret_release, struct lex_error *err);
void lex_release_close(struct lex_release *release);

struct lex_release_view {
    const struct lex_recover_input *input; /* both until the release is closed */
    const struct lex_recovered *found;
};
/* @errors LEX_RETRY no answer, or the partition is being worked on; LEX_REJECT no right, no topic
 */
LEX_STATUS lex_release_look(struct lex_release *release, struct lex_release_view *ret_view,
                            struct lex_error *err);
/* Write the recovery entry, the offset and the head. @pre looked, and opened for writing
 * @errors LEX_REJECT as lex_choose; LEX_RETRY nothing was written: look again; LEX_HALT the
 *         commit's answer is missing: err says so, look again */
LEX_STATUS lex_release_take(struct lex_release *release, enum lex_choice choice,
                            int64_t next_offset, struct lex_chosen *ret_chosen,
                            struct lex_error *err);

#endif
