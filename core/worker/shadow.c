/* Shadow: log_only policies, evaluated beside the one in force. They answer "what if" and nothing
 * else: no verdict, no fact and no item of the history comes from them, and one that fails is as if
 * it were not there. Where one would have answered otherwise, the entry's detail says so:
 *
 *     {"log_only":[{"policy":"p","version":"2","outcome":"denied","reason_code":"FORBIDDEN"}]}
 *
 * The partition does not remember for them, so what they ask of its history is unknown: a count of
 * nothing would make every rate limit look kept. */
#include "core/base/buf.h"
#include "core/base/text.h"
#include "core/worker/state.h"

enum {
    SHADOW_FLIPS_MAX = 16, /* of one entry; more are counted, not named */
    SHADOW_DETAIL_MAX_BYTES = 16 << 10,
};

static void put_flip(struct lex_buf *buf, const struct lex_policy_info *info,
                     const struct lex_decision *decision, bool first)
{
    lex_buf_printf(buf, "%s{\"policy\":", first ? "" : ",");
    lex_buf_put_json(buf, info->id);
    lex_buf_printf(buf, ",\"version\":");
    if (lex_span_absent(info->version))
        lex_buf_printf(buf, "null");
    else
        lex_buf_put_json(buf, info->version);
    lex_buf_printf(buf, ",\"outcome\":\"%.*s\",\"reason_code\":\"%.*s\"}",
                   LEX_SPAN_FMT(lex_outcome_name(decision->outcome)),
                   LEX_SPAN_FMT(lex_reason_name(decision->reason_code)));
}

/* Evaluate one beside; its memory is given back. */
static bool differs(struct lex_worker *w, const struct lex_decide_input *input,
                    const struct lex_policy *shadow, const struct lex_decision *decision,
                    size_t named, struct lex_buf *buf)
{
    struct lex_arena_mark mark = lex_arena_mark(&w->arena);
    struct lex_decide_input in = *input;
    struct lex_decision other;
    in.policy = shadow;
    in.history = NULL;
    lex_decide(&in, &w->arena, &other);
    bool flip =
        other.reason_code != LEX_REASON_EVALUATION_ERROR && other.outcome != decision->outcome;
    if (flip && named < SHADOW_FLIPS_MAX)
        put_flip(buf, lex_policy_info(shadow), &other, named == 0);
    lex_arena_rollback(&w->arena, mark);
    return flip;
}

void lex_shadow_compare(struct lex_worker *w, struct slot *slot,
                        const struct lex_decide_input *input, const struct lex_decision *decision,
                        struct lex_ledger_entry *entry)
{
    size_t count = lex_policy_info(w->policy)->shadows_count, flips = 0;
    struct lex_buf buf;
    if (count == 0)
        return;
    lex_buf_init(&buf, SHADOW_DETAIL_MAX_BYTES);
    lex_buf_printf(&buf, "{\"log_only\":[");
    for (size_t i = 0; i < count; i++)
        flips += differs(w, input, lex_policy_shadow(w->policy, i), decision, flips, &buf);
    lex_buf_printf(&buf, "]}");
    if (flips != 0 && lex_buf_ok(&buf))
        entry->detail = lex_arena_dup(&w->arena, lex_buf_span(&buf));
    slot->flips = flips;
    lex_buf_fini(&buf);
}
