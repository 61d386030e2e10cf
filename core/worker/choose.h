/* Choose: an operator's way on for a halted partition (`lexecon ledger recover`).
 *
 * Two witnesses contradict each other, and no program can know which one lies. What a program can
 * do is refuse the choices that would make it worse: the head is taken only where it is ahead of
 * what the ledger holds, since a chain that goes on behind its own end uses sequence numbers twice,
 * which is a fork. Either choice begins with a recovery entry that says what both witnesses said. A
 * pure function, like lex_recover, whose verdict it builds on. */
#ifndef LEX_WORKER_CHOOSE_H
#define LEX_WORKER_CHOOSE_H

#include "core/ledger/events.h"
#include "core/worker/recover.h"

enum lex_choice { LEX_CHOICE_HEAD, LEX_CHOICE_LEDGER };

struct lex_chosen {
    struct lex_head head; /* where the recovery entry goes: its seq, prev and source offset */
    int64_t next_offset;  /* the first request to decide */
    struct lex_recovery recovery; /* what the entry says */
};

/* @param next_offset where requests go on, needed exactly where the chosen witness names a place
 *                    behind the end of the request partition (which was made anew, or lost its
 *                    end); else -1
 * @errors LEX_REJECT nothing contradicts itself, or the choice is not to be had: err says why and
 *                    what is */
LEX_STATUS lex_choose(const struct lex_recover_input *input, const struct lex_recovered *found,
                      enum lex_choice choice, int64_t next_offset, struct lex_chosen *ret_chosen,
                      struct lex_error *err);

#endif
