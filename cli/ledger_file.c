#include "cli/ledger_file.h"

#include <stdio.h>

LEX_STATUS lex_ledger_file_init(struct lex_ledger_file *file, struct lex_span log,
                                const struct lex_pins *pins, bool late_start, struct lex_error *err)
{
    struct lex_span topic;
    int32_t partition;
    LEX_TRY(lex_origin_parse(log, lex_pins_origin_prefix(pins), &topic, &partition, err));
    *file = (struct lex_ledger_file){.partition = partition};
    (void)snprintf(file->topic, sizeof file->topic, "%.*s", LEX_SPAN_FMT(topic));
    if (late_start)
        lex_chain_verifier_open(&file->verifier, log);
    else
        lex_chain_verifier_init(&file->verifier, log);
    return LEX_OK;
}

/* The first entry says which log it is a file of. */
static enum lex_status take(struct lex_ledger_file *file, struct lex_span value,
                            const struct lex_pins *pins, bool late_start, struct lex_arena *arena,
                            struct lex_error *err)
{
    struct lex_ledger_entry entry;
    struct lex_chain_step step;
    struct lex_chain_break broken;
    lex_arena_reset(arena);
    LEX_TRY(lex_ledger_decode(value, arena, &entry, err));
    if (file->verifier.origin[0] == '\0')
        LEX_TRY(lex_ledger_file_init(file, entry.log, pins, late_start, err));
    return lex_chain_verify_entry(&file->verifier, &entry, value, arena, &step, &broken, err);
}

static enum lex_status read_through(const char *path, struct lex_export_reader *reader,
                                    const struct lex_pins *pins, bool late_start,
                                    struct lex_arena *arena, struct lex_ledger_file *file,
                                    struct lex_error *err)
{
    struct lex_span value;
    struct lex_error why;
    while (!file->cut) {
        file->bytes = reader->at;
        if (lex_export_next(reader, &value, &why) != LEX_OK) {
            if (!feof(reader->file))
                return lex_fail(err, LEX_REJECT, "%s: %s", path, why.text);
            file->cut = true;
        } else if (lex_span_absent(value)) {
            return LEX_OK;
        } else {
            enum lex_status status = take(file, value, pins, late_start, arena, &why);
            if (status != LEX_OK)
                return lex_fail(err, status, "%s, byte %lld: %s", path, (long long)file->bytes,
                                why.text);
        }
    }
    return LEX_OK;
}

LEX_STATUS lex_ledger_file_check(const char *path, const struct lex_pins *pins, bool late_start,
                                 struct lex_arena *arena, struct lex_ledger_file *ret_file,
                                 struct lex_error *err)
{
    struct lex_export_reader reader;
    struct lex_ledger_file file = {.partition = -1};
    LEX_TRY(lex_export_open(path, &reader, err));
    enum lex_status status = read_through(path, &reader, pins, late_start, arena, &file, err);
    lex_export_close(&reader);
    LEX_TRY(status);
    if (file.verifier.entries == 0)
        return lex_fail(err, LEX_REJECT, "%s: there is no whole entry in it", path);
    *ret_file = file;
    return LEX_OK;
}
