/* Tally: the minimum of all bounds, with the rules, obligations and the reason that belong to it.
 */
#include <stdio.h>

#include "core/base/text.h"
#include "core/decision/eval.h"

void lex_tally_init(struct lex_tally *tally)
{
    tally->outcome = LEX_OUTCOME_COUNT;
    tally->code = LEX_REASON_EVALUATION_ERROR;
    tally->reason = (struct lex_span){NULL, 0};
    tally->rules_count = 0;
    tally->cut = 0;
    memset(tally->obligations_count, 0, sizeof tally->obligations_count);
}

bool lex_tally_lower(struct lex_tally *tally, enum lex_outcome outcome, enum lex_reason code)
{
    if (outcome > tally->outcome)
        return false;
    if (outcome == tally->outcome)
        return true; /* the first one gave code and reason */
    tally->outcome = outcome;
    tally->code = code;
    tally->reason = (struct lex_span){NULL, 0};
    tally->rules_count = 0;
    return true;
}

bool lex_tally_open(const struct lex_tally *tally)
{
    return tally->outcome != LEX_OUTCOME_DENIED;
}

void lex_tally_rule(struct lex_tally *tally, struct lex_span rule)
{
    for (size_t i = 0; i < tally->rules_count; i++)
        if (lex_span_eq(tally->rules[i], rule))
            return;
    if (tally->rules_count == LEX_DECISION_RULES_MAX)
        tally->cut++;
    else
        tally->rules[tally->rules_count++] = rule;
}

static bool same_obligation(const struct lex_obligation *a, const struct lex_obligation *b)
{
    return lex_span_eq(a->rule, b->rule) && lex_span_eq(a->condition, b->condition) &&
           lex_span_eq(a->action, b->action) && lex_span_eq(a->approver, b->approver) &&
           a->quorum == b->quorum && a->timeout_s == b->timeout_s;
}

void lex_tally_oblige(struct lex_tally *tally, const struct lex_obligation *obligation)
{
    struct lex_obligation *list = tally->obligations[obligation->type];
    size_t *count = &tally->obligations_count[obligation->type];
    for (size_t i = 0; i < *count; i++)
        if (same_obligation(&list[i], obligation))
            return;
    if (*count == LEX_DECISION_OBLIGATIONS_MAX)
        tally->cut++;
    else
        list[(*count)++] = *obligation;
}

/* ---- reasons ---- */

void lex_sentence_put(struct lex_sentence *sentence, struct lex_span part)
{
    for (size_t at = 0, n; at < part.len && !sentence->full; at += n) {
        uint32_t code;
        n = lex_utf8_next(lex_span_of(part.data + at, part.len - at), &code);
        sentence->full = n == 0 || n > sizeof sentence->text - sentence->len;
        if (sentence->full)
            return;
        memcpy(sentence->text + sentence->len, part.data + at, n);
        sentence->len += n;
    }
}

void lex_sentence_name(struct lex_sentence *sentence, struct lex_span name)
{
    lex_sentence_put(sentence, LEX_SPAN("\""));
    lex_sentence_put(sentence, name);
    lex_sentence_put(sentence, LEX_SPAN("\""));
}

void lex_sentence_rules(struct lex_sentence *sentence, const char *lead,
                        const struct lex_rule *const *rules, size_t count, const char *before,
                        const char *after)
{
    char number[32];
    size_t said = 0;
    for (size_t i = 0; i < count && said < 3; i++) {
        if (lex_span_absent(rules[i]->justification) || rules[i]->justification.len == 0)
            continue;
        lex_sentence_put(sentence, lex_span_str(said == 0 ? lead : "; "));
        lex_sentence_put(sentence, rules[i]->justification);
        said++;
    }
    if (said != 0)
        return;
    (void)snprintf(number, sizeof number, "%zu", count);
    lex_sentence_put(sentence, lex_span_str(before));
    lex_sentence_put(sentence, lex_span_str(number));
    lex_sentence_put(sentence, lex_span_str(after));
}

void lex_eval_reason(struct lex_eval *eval, const struct lex_sentence *sentence)
{
    if (!lex_span_absent(eval->tally.reason))
        return;
    eval->tally.cut += sentence->full;
    eval->tally.reason = lex_arena_dup(eval->arena, lex_span_of(sentence->text, sentence->len));
    eval->failed = eval->failed || lex_span_absent(eval->tally.reason);
}
