/* An exported file as a ledger source. */
#include <stdlib.h>

#include "cli/ledger_source.h"
#include "core/ledger/verify.h"

struct file_source {
    struct lex_ledger_source base;
    struct lex_export_reader reader;
};

static enum lex_status file_next(struct lex_ledger_source *source, struct lex_ledger_item *ret_item,
                                 bool *ret_found, struct lex_error *err)
{
    struct file_source *own = (struct file_source *)source;
    struct lex_span value;
    LEX_TRY(lex_export_next(&own->reader, &value, err));
    *ret_found = !lex_span_absent(value);
    *ret_item = (struct lex_ledger_item){.partition = -1, .kafka_offset = -1, .value = value};
    return LEX_OK;
}

static void file_close(struct lex_ledger_source *source)
{
    struct file_source *own = (struct file_source *)source;
    lex_export_close(&own->reader);
    free(own);
}

LEX_STATUS lex_ledger_open_file(const struct lex_ledger_source_options *options,
                                struct lex_ledger_source **ret_source, struct lex_error *err)
{
    struct file_source *own = calloc(1, sizeof *own);
    if (own == NULL)
        return lex_fail(err, LEX_LIMIT, "no memory to read %s", options->file);
    own->base = (struct lex_ledger_source){.next = file_next, .close = file_close};
    enum lex_status status = lex_export_open(options->file, &own->reader, err);
    if (status != LEX_OK) {
        free(own);
        return status;
    }
    *ret_source = &own->base;
    return LEX_OK;
}
