/* Conditions: how far a conditioned grant can go.
 *
 * Conditions are not evaluated to true here: a grant with one is unknown at best, so it ends in an
 * obligation and never in an approval. What this file must find out is the other end, a condition
 * that is false or could be: such a grant is none. A single fact, a time window and a data class
 * are judged exactly; any other is taken as unknown only where nothing it reads is there. */
#include "core/base/jcs.h"
#include "core/decision/eval.h"

enum truth { FALSE_KNOWN, FALSE_POSSIBLE, UNKNOWN };

/* ---- facts ---- */

static const struct lex_value *find(const struct lex_member_list *list, struct lex_span name)
{
    for (size_t i = 0; i < list->count; i++)
        if (lex_span_eq(list->items[i].key, name))
            return &list->items[i].value;
    return NULL;
}

static void put_value(struct lex_buf *buf, const struct lex_value *value)
{
    switch (value->type) {
    case LEX_VALUE_NULL: lex_buf_puts(buf, "null"); break;
    case LEX_VALUE_BOOL: lex_buf_puts(buf, value->boolean ? "true" : "false"); break;
    case LEX_VALUE_LONG: lex_jcs_put_int64(buf, value->i64); break;
    case LEX_VALUE_DOUBLE: lex_jcs_put_double(buf, value->f64); break;
    case LEX_VALUE_STRING: lex_jcs_put_string(buf, value->text); break;
    case LEX_VALUE_LIST:
        for (size_t i = 0; i < value->list.count; i++) {
            lex_buf_putc(buf, i == 0 ? '[' : ',');
            lex_jcs_put_string(buf, value->list.items[i]);
        }
        lex_buf_puts(buf, value->list.count == 0 ? "[]" : "]");
        break;
    }
}

/* Keep a fact that was read, so that the decision can be made again from its entry. */
static void record(struct lex_eval *eval, struct lex_span name, enum lex_provenance provenance,
                   const struct lex_value *value)
{
    struct lex_buf buf;
    for (size_t i = 0; i < eval->facts_count; i++)
        if (lex_span_eq(eval->facts[i].name, name))
            return;
    lex_buf_init(&buf, LEX_FACT_MAX_BYTES);
    put_value(&buf, value);
    struct lex_span text =
        lex_buf_ok(&buf) ? lex_arena_dup(eval->arena, lex_buf_span(&buf)) : (struct lex_span){0};
    bool room = eval->facts_count < LEX_DECISION_FACTS_MAX && lex_buf_ok(&buf);
    lex_buf_fini(&buf);
    if (!room)
        eval->tally.cut++;
    else if (lex_span_absent(text))
        eval->failed = true;
    else
        eval->facts[eval->facts_count++] = (struct lex_fact){name, provenance, text};
}

/* Attested over caller, as policy.md section 5 lays the provenances over each other; a null is
 * absent. */
static const struct lex_value *read_fact(struct lex_eval *eval, struct lex_span name)
{
    const struct lex_facts *facts = eval->input->facts;
    const struct lex_value *value = facts == NULL ? NULL : find(&facts->attested, name);
    enum lex_provenance provenance = LEX_PROVENANCE_ATTESTED;
    if (value == NULL || value->type == LEX_VALUE_NULL) {
        value = find(&eval->request->context, name);
        provenance = LEX_PROVENANCE_CALLER;
    }
    if (value == NULL || value->type == LEX_VALUE_NULL)
        return NULL;
    record(eval, name, provenance, value);
    return value;
}

/* ---- expressions ---- */

static bool is_path_byte(uint8_t c)
{
    return c == '_' || c == '.' || (c >= '0' && c <= '9') ||
           ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* A walk over an expression's words: paths, numbers, quoted strings, everything else. */
struct words {
    struct lex_span text;
    size_t at;
    bool after_comparison; /* the word before was == != < <= > or >= */
};

static struct lex_span next_word(struct words *words, bool *ret_literal, bool *ret_path)
{
    const uint8_t *data = words->text.data;
    size_t start = words->at, end = start + 1;
    uint8_t first = data[start];
    *ret_literal = first == '"' || first == '\'' || (first >= '0' && first <= '9');
    *ret_path = is_path_byte(first) && !*ret_literal;
    if (first == '"' || first == '\'') {
        while (end < words->text.len && data[end] != first)
            end++;
        end += end < words->text.len;
    } else if (is_path_byte(first)) {
        while (end < words->text.len && is_path_byte(data[end]))
            end++;
    }
    words->at = end;
    return lex_span_of(data + start, end - start);
}

/* Whether every fact an expression reads is absent and it has no part that is known without them:
 * then its parts are all unknown, and so is the whole. */
static bool reads_nothing_known(struct lex_eval *eval, struct lex_span text)
{
    struct words words = {.text = text};
    while (words.at < text.len) {
        bool literal, path;
        struct lex_span word = next_word(&words, &literal, &path);
        bool space = word.data[0] == ' ' || word.data[0] == '\t';
        bool comparison =
            word.data[0] == '=' || word.data[0] == '<' || word.data[0] == '>' ||
            (word.data[0] == '!' && words.at < text.len && text.data[words.at] == '=');
        if (literal && !words.after_comparison)
            return false; /* a constant that is compared, or stands alone */
        bool constant = lex_span_eq(word, LEX_SPAN("true")) || lex_span_eq(word, LEX_SPAN("false"));
        if (constant && !words.after_comparison)
            return false;
        if (path && !constant && (lex_path_is_governed(word) || read_fact(eval, word) != NULL))
            return false;
        if (!space)
            words.after_comparison = comparison;
    }
    return true;
}

static enum truth judge_fact(struct lex_eval *eval, struct lex_span name)
{
    const struct lex_value *value = read_fact(eval, name);
    return value != NULL && value->type == LEX_VALUE_BOOL && !value->boolean ? FALSE_KNOWN
                                                                             : UNKNOWN;
}

static enum truth judge_expression(struct lex_eval *eval, const struct lex_condition *condition)
{
    if (!lex_span_absent(condition->name))
        return judge_fact(eval, condition->name);
    return reads_nothing_known(eval, condition->text) ? UNKNOWN : FALSE_POSSIBLE;
}

/* ---- structured conditions ---- */

/* Inclusive minutes of the window's own zone. A window that wraps past midnight belongs to the day
 * it began. */
static enum truth judge_window(const struct lex_eval *eval, const struct lex_condition *condition)
{
    static const int64_t minute_us = 60000000, day_minutes = 1440;
    int64_t minutes = eval->input->now_us / minute_us - (eval->input->now_us % minute_us < 0);
    minutes += condition->window.zone;
    int64_t day = minutes / day_minutes - (minutes % day_minutes < 0);
    int64_t minute = minutes - day * day_minutes;
    bool wraps = condition->window.start > condition->window.end;
    bool inside = wraps ? minute >= condition->window.start || minute <= condition->window.end
                        : minute >= condition->window.start && minute <= condition->window.end;
    if (wraps && minute <= condition->window.end)
        day--;
    int64_t weekday = ((day + 3) % 7 + 7) % 7; /* 1970-01-01 was a Thursday; 0 is Monday */
    return inside && (condition->window.days >> weekday & 1) != 0 ? UNKNOWN : FALSE_KNOWN;
}

/* A grant must hold for every class of the request. */
static enum truth judge_class(const struct lex_eval *eval, const struct lex_condition *condition)
{
    for (size_t i = 0; i < eval->classes_count; i++)
        if (eval->classes[i].term != LEX_TERM_UNKNOWN &&
            !lex_policy_is_a(eval->policy, LEX_KIND_DATA, eval->classes[i].term,
                             condition->data_class))
            return FALSE_KNOWN;
    return UNKNOWN;
}

static enum truth judge_one(struct lex_eval *eval, const struct lex_condition *condition)
{
    switch (condition->type) {
    case LEX_CONDITION_EXPRESSION: return judge_expression(eval, condition);
    case LEX_CONDITION_TIME_WINDOW: return judge_window(eval, condition);
    case LEX_CONDITION_DATA_CLASS: return judge_class(eval, condition);
    case LEX_CONDITION_CONTEXT_CHECK:
        return lex_path_is_governed(condition->name) || read_fact(eval, condition->name) != NULL
                   ? FALSE_POSSIBLE
                   : UNKNOWN;
    case LEX_CONDITION_RATE_LIMIT:
    case LEX_CONDITION_APPROVAL: return UNKNOWN;
    default: return FALSE_POSSIBLE;
    }
}

struct lex_judgement lex_judge(struct lex_eval *eval, const struct lex_condition *conditions,
                               size_t count)
{
    struct lex_judgement result = {LEX_OUTCOME_APPROVED, LEX_REASON_PERMITTED, NULL};
    for (size_t i = 0; i < count; i++) {
        const struct lex_condition *condition = &conditions[i];
        enum truth truth = judge_one(eval, condition);
        bool approval = condition->type == LEX_CONDITION_APPROVAL;
        enum lex_outcome bound = truth != UNKNOWN ? LEX_OUTCOME_DENIED
                                 : approval       ? LEX_OUTCOME_ESCALATED
                                                  : LEX_OUTCOME_CONDITIONAL;
        if (bound >= result.bound)
            continue;
        result.bound = bound;
        result.condition = condition;
        result.code =
            truth == UNKNOWN
                ? approval ? LEX_REASON_APPROVAL_REQUIRED : LEX_REASON_CONDITION_UNVERIFIED
            : truth == FALSE_POSSIBLE                      ? LEX_REASON_NOT_PERMITTED
            : condition->type == LEX_CONDITION_TIME_WINDOW ? LEX_REASON_OUTSIDE_TIME_WINDOW
                                                           : LEX_REASON_CONDITION_FALSE;
    }
    return result;
}

/* ---- obligations ---- */

void lex_oblige_approval(struct lex_eval *eval, struct lex_span rule, uint32_t quorum,
                         struct lex_span condition, struct lex_span action)
{
    lex_tally_oblige(&eval->tally,
                     &(struct lex_obligation){.type = LEX_OBLIGATION_TYPE_APPROVAL,
                                              .approver = eval->policy->options.approver,
                                              .quorum = (int32_t)quorum,
                                              .timeout_s = 300,
                                              .rule = rule,
                                              .condition = condition,
                                              .action = action});
}

void lex_oblige_conditions(struct lex_eval *eval, const struct lex_rule *rule)
{
    for (uint32_t i = 0; i < rule->conditions_count; i++) {
        const struct lex_condition *condition = &rule->conditions[i];
        struct lex_obligation obligation = {
            .type = LEX_OBLIGATION_TYPE_VERIFY, .rule = rule->id, .condition = condition->text};
        if (condition->type == LEX_CONDITION_APPROVAL) {
            lex_term_id approver = condition->approval.approver;
            obligation.type = LEX_OBLIGATION_TYPE_APPROVAL;
            obligation.approver =
                approver == LEX_TERM_UNKNOWN
                    ? eval->policy->options.approver
                    : lex_policy_term(eval->policy, LEX_KIND_ACTOR, approver)->canonical;
            obligation.quorum = (int32_t)condition->approval.quorum;
            obligation.timeout_s = (int32_t)condition->approval.timeout_s;
        }
        lex_tally_oblige(&eval->tally, &obligation);
    }
}
