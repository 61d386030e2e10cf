/* Tally: the minimum of all bounds, with the rules, obligations and the reason that belong to it.
 */
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

/* Policy and request are valid UTF-8, so what fits is copied whole, and a cut goes back to where a
 * character begins. */
void lex_sentence_put(struct lex_sentence *sentence, struct lex_span part)
{
    size_t room = sentence->full ? 0 : sizeof sentence->text - sentence->len;
    size_t len = part.len < room ? part.len : room;
    if (part.len > room) {
        sentence->full = true;
        while (len != 0 && (part.data[len] & 0xc0) == 0x80)
            len--;
    }
    if (len != 0)
        memcpy(sentence->text + sentence->len, part.data, len);
    sentence->len += len;
}

void lex_sentence_name(struct lex_sentence *sentence, struct lex_span name)
{
    lex_sentence_put(sentence, LEX_SPAN("\""));
    lex_sentence_put(sentence, name);
    lex_sentence_put(sentence, LEX_SPAN("\""));
}

void lex_eval_reason_is(struct lex_eval *eval, struct lex_span text)
{
    if (lex_span_absent(eval->tally.reason))
        eval->tally.reason = text;
}

void lex_eval_reason(struct lex_eval *eval, const struct lex_sentence *sentence)
{
    if (!lex_span_absent(eval->tally.reason))
        return;
    eval->tally.cut += sentence->full;
    eval->tally.reason = lex_arena_dup(eval->arena, lex_span_of(sentence->text, sentence->len));
    eval->failed = eval->failed || lex_span_absent(eval->tally.reason);
}

/* "1" to "9" need no printing; a verdict by one rule needs no writing at all. */
static void say_count(struct lex_eval *eval, size_t count, const char *before, const char *after)
{
    struct lex_span text = lex_arena_printf(eval->arena, "%s%zu%s", before, count, after);
    eval->failed = eval->failed || lex_span_absent(text);
    lex_eval_reason_is(eval, text);
}

static void say_some(struct lex_eval *eval, const struct lex_rule *const *said, size_t count)
{
    struct lex_sentence sentence;
    lex_sentence_init(&sentence);
    lex_sentence_put(&sentence, said[0]->said);
    for (size_t i = 1; i < count; i++) {
        lex_sentence_put(&sentence, LEX_SPAN("; "));
        lex_sentence_put(&sentence, lex_rule_justification(said[i]));
    }
    lex_eval_reason(eval, &sentence);
}

void lex_eval_reason_rules(struct lex_eval *eval, const struct lex_rule *const *rules, size_t count,
                           const char *before, const char *after)
{
    const struct lex_rule *said[3];
    size_t n = 0;
    if (!lex_span_absent(eval->tally.reason))
        return;
    for (size_t i = 0; i < count && n < LEX_COUNT_OF(said); i++)
        if (!lex_span_absent(rules[i]->said))
            said[n++] = rules[i];
    if (n == 0)
        say_count(eval, count, before, after);
    else if (n == 1 && said[0]->said.len <= LEX_REASON_MAX_BYTES)
        lex_eval_reason_is(eval, said[0]->said);
    else
        say_some(eval, said, n);
}
