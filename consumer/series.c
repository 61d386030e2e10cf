#include "consumer/series.h"

#include "core/base/metrics.h"
#include "core/decision/decision.h"
#include "core/identity/identity.h"

static void preset_dead_letters(void)
{
    static const char *const reasons[] = {
#define LEX_UNDECODABLE(name, text) #name,
#include "core/codec/undecodable.def"
#undef LEX_UNDECODABLE
    };
    for (size_t i = 0; i < LEX_COUNT_OF(reasons); i++) {
        struct lex_span label = lex_span_str(reasons[i]);
        (void)lex_metric_series(LEX_METRIC_DEAD_LETTERS, &label, 1);
    }
}

/* Actors are not known yet; "other" is the one that every metric by actor may have. */
static void preset_decisions(void)
{
    const struct lex_span other = LEX_SPAN("other");
    const struct lex_span verdicts[] = {LEX_SPAN("true"), LEX_SPAN("false")};
    for (size_t i = 0; i < LEX_COUNT_OF(verdicts); i++) {
        const struct lex_span labels[] = {verdicts[i], other, LEX_SPAN("0")};
        (void)lex_metric_series(LEX_METRIC_DECISIONS, labels, LEX_COUNT_OF(labels));
    }
    for (int i = 0; i < LEX_REASON_COUNT; i++) {
        const struct lex_span labels[] = {lex_reason_name((enum lex_reason)i), other};
        (void)lex_metric_series(LEX_METRIC_DECISIONS_DENIED, labels, LEX_COUNT_OF(labels));
    }
    (void)lex_metric_series(LEX_METRIC_TOKENS_ISSUED, &other, 1);
}

static void preset_evidence(void)
{
    for (int i = 0; i < LEX_IDENTITY_WHY_COUNT; i++) {
        struct lex_span label = lex_identity_why_name((enum lex_identity_why)i);
        (void)lex_metric_series(LEX_METRIC_ATTESTATIONS_REFUSED, &label, 1);
    }
}

static void preset_evaluation_times(void)
{
    static const char *const modes[] = {"permissive", "strict", "paranoid"};
    for (size_t i = 0; i < LEX_COUNT_OF(modes); i++) {
        struct lex_span label = lex_span_str(modes[i]);
        (void)lex_metric_series(LEX_METRIC_DECISION_EVALUATION_DURATION, &label, 1);
    }
}

void lex_series_preset(const char *node_id, const char *role)
{
    const struct lex_span node[] = {lex_span_str(node_id), LEX_SPAN(LEX_VERSION)};
    lex_series_set(lex_metric_series(LEX_METRIC_NODE_INFO, node, 2), 1);
    const struct lex_span build[] = {LEX_SPAN(LEX_VERSION), LEX_SPAN(__VERSION__)};
    lex_series_set(lex_metric_series(LEX_METRIC_BUILD_INFO, build, 2), 1);
    const struct lex_span roles[] = {lex_span_str(role)};
    lex_series_set(lex_metric_series(LEX_METRIC_ROLE_INFO, roles, 1), 1);
    preset_dead_letters();
    preset_decisions();
    preset_evidence();
    preset_evaluation_times();
}
