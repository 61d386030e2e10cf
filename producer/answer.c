#include "producer/answer.h"

#include "core/decision/decision.h"
#include "core/ledger/verify.h"

/* ---- the question ---- */

static enum lex_status check_names(const struct lex_request *request, struct lex_error *err)
{
    const struct {
        const char *field;
        struct lex_span name;
    } names[] = {{"request_id", request->request_id},
                 {"actor", request->actor},
                 {"proposed_action", request->proposed_action}};
    for (size_t i = 0; i < LEX_COUNT_OF(names); i++)
        if (names[i].name.len > LEX_NAME_MAX_BYTES)
            return lex_fail(err, LEX_REJECT, "%s has %zu bytes, at most %d are allowed",
                            names[i].field, names[i].name.len, LEX_NAME_MAX_BYTES);
    if (request->request_id.len == 0)
        return lex_fail(err, LEX_REJECT,
                        "request_id is missing: no verdict could name the request");
    return LEX_OK;
}

LEX_STATUS lex_question_init(const struct lex_request *request, struct lex_arena *arena,
                             struct lex_question *ret_question, struct lex_error *err)
{
    struct lex_question question = {.request = request, .partition = -1, .offset = -1};
    LEX_TRY(check_names(request, err));
    LEX_TRY(lex_request_fingerprint(request, arena, question.fingerprint, err));
    *ret_question = question;
    return LEX_OK;
}

/* ---- the answer ---- */

/* Absent and empty are two things in a request, so they are here too. */
static bool same(struct lex_span a, struct lex_span b)
{
    return lex_span_absent(a) == lex_span_absent(b) && lex_span_eq(a, b);
}

static enum lex_status check_content(const struct lex_question *question,
                                     const struct lex_ledger_entry *entry, struct lex_error *err)
{
    const struct lex_request *request = question->request;
    const struct {
        const char *field;
        struct lex_span asked, answered;
    } pairs[] = {
        {"request_id", request->request_id, entry->request_id},
        {"actor", request->actor, entry->actor},
        {"action", request->proposed_action, entry->action},
        {"request_fingerprint", lex_span_of(question->fingerprint, LEX_HASH_BYTES),
         entry->request_fingerprint},
    };
    for (size_t i = 0; i < LEX_COUNT_OF(pairs); i++)
        if (!same(pairs[i].asked, pairs[i].answered))
            return lex_fail(err, LEX_REJECT,
                            "the verdict answers another request: its %s is not the one asked for",
                            pairs[i].field);
    return LEX_OK;
}

static enum lex_status check_place(const struct lex_question *question,
                                   const struct lex_source *source, int32_t log_partition,
                                   struct lex_error *err)
{
    bool here = lex_span_eq(question->topic, source->topic) &&
                question->partition == source->partition && log_partition == source->partition &&
                (question->offset < 0 || question->offset == source->offset);
    if (here)
        return LEX_OK;
    return lex_fail(err, LEX_REJECT, "the verdict answers another record: %.*s [%d] at offset %lld",
                    LEX_SPAN_FMT(source->topic), (int)source->partition, (long long)source->offset);
}

static enum lex_status check_validity(const struct lex_ledger_entry *entry, int64_t now_us,
                                      struct lex_error *err)
{
    if (entry->valid_until.present && now_us <= entry->valid_until.value)
        return LEX_OK;
    return lex_fail(err, LEX_REJECT,
                    "the verdict is no longer valid (or this machine's clock is ahead)");
}

LEX_STATUS lex_answer_check(const struct lex_pins *pins, const struct lex_question *question,
                            struct lex_span value, int64_t now_us, struct lex_arena *arena,
                            struct lex_verdict *ret_verdict, struct lex_span *ret_entry_value,
                            struct lex_error *err)
{
    int32_t partition;
    struct lex_hash leaf;
    struct lex_verdict verdict;
    struct lex_span entry_value;
    LEX_TRY(lex_verdict_read(value, arena, &verdict, &entry_value, err));
    LEX_TRY(lex_verdict_prove(pins, &verdict, entry_value, &leaf, &partition, err));
    LEX_TRY(check_content(question, &verdict.entry, err));
    LEX_TRY(check_place(question, &verdict.entry.source, partition, err));
    LEX_TRY(check_validity(&verdict.entry, now_us, err));
    *ret_verdict = verdict;
    *ret_entry_value = entry_value;
    return LEX_OK;
}

LEX_STATUS lex_answer_peek(struct lex_span value, struct lex_arena *arena,
                           struct lex_span *ret_request_id, struct lex_error *err)
{
    struct lex_verdict verdict;
    struct lex_span entry_value;
    LEX_TRY(lex_verdict_read(value, arena, &verdict, &entry_value, err));
    *ret_request_id = verdict.entry.request_id;
    return LEX_OK;
}
