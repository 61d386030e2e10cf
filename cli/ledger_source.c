#include "cli/ledger_source.h"

typedef enum lex_status open_fn(const struct lex_ledger_source_options *,
                                struct lex_ledger_source **, struct lex_error *);

LEX_STATUS lex_ledger_source_open(const struct lex_ledger_source_options *options,
                                  struct lex_ledger_source **ret_source, struct lex_error *err)
{
    const struct {
        const char *value;
        open_fn *open;
    } sources[] = {
#define LEX_LEDGER_SOURCE(flag, value, help, open) {options->flag, open},
#include "cli/ledger_sources.def"
#undef LEX_LEDGER_SOURCE
    };
    open_fn *open = NULL;
    unsigned named = 0;
    for (size_t i = 0; i < LEX_COUNT_OF(sources); i++)
        if (sources[i].value != NULL) {
            open = sources[i].open;
            named++;
        }
    if (named != 1)
        return lex_fail(err, LEX_REJECT, "expected exactly one source"
#define LEX_LEDGER_SOURCE(flag, value, help, open) " --" #flag " " value
#include "cli/ledger_sources.def"
#undef LEX_LEDGER_SOURCE
        );
    return open(options, ret_source, err);
}

LEX_STATUS lex_ledger_source_each(struct lex_ledger_source *source, lex_ledger_take *take,
                                  void *user, struct lex_error *err)
{
    struct lex_ledger_item item;
    for (bool found = true; found;) {
        LEX_TRY(source->next(source, &item, &found, err));
        if (found)
            LEX_TRY(take(user, &item, err));
    }
    return LEX_OK;
}

enum lex_exit lex_ledger_source_exit(enum lex_status status, bool opening)
{
    switch (status) {
    case LEX_RETRY: return LEX_EXIT_UNAVAILABLE;
    case LEX_LIMIT: return LEX_EXIT_INTERNAL;
    default: return opening ? LEX_EXIT_USAGE : LEX_EXIT_NO;
    }
}
