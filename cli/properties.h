/* Properties: is a client's settings file safe to read verdicts and ledger with?
 *
 * What a transaction aborted stays in the topic, and only readers that ask for committed records
 * are spared it: a verdict that was taken back still says "approved". Java's default is to show it,
 * librdkafka's is not, so the same file means different things to the two. */
#ifndef LEX_CLI_PROPERTIES_H
#define LEX_CLI_PROPERTIES_H

#include "cli/cli.h"
#include "core/base/buf.h"

enum {
    LEX_PROPERTIES_MAX_BYTES = 1 << 20, /* of a file */
    LEX_PROPERTIES_MAX = 1024,          /* settings in it */
    LEX_PROPERTIES_KEY_MAX_BYTES = 256,
};

enum lex_client_kind { LEX_CLIENT_UNKNOWN, LEX_CLIENT_JAVA, LEX_CLIENT_LIBRDKAFKA };

struct lex_property {
    char *key, *value; /* in the file's own memory */
    unsigned line;
};
struct lex_properties {
    struct lex_property list[LEX_PROPERTIES_MAX];
    size_t count;
};
/* Take a text apart: `key=value`, `key: value` or `key value` a line, # and ! begin comments, a
 * backslash at the end goes on with the next line (java.util.Properties; a librdkafka file is the
 * same without the last two).
 * @param text NUL-terminated; it is changed, and what is returned points into it
 * @errors LEX_LIMIT more than LEX_PROPERTIES_MAX settings; LEX_REJECT a key that is too long */
LEX_STATUS lex_properties_parse(char *text, struct lex_properties *ret, struct lex_error *err);
/* The last of that key, as clients take it; NULL. */
const struct lex_property *lex_properties_get(const struct lex_properties *properties,
                                              const char *key);
/* By the keys that only one of them knows. */
enum lex_client_kind lex_properties_client(const struct lex_properties *properties);

enum lex_finding_level { LEX_FINDING_OK, LEX_FINDING_WARN, LEX_FINDING_FAIL };
typedef void lex_finding_fn(void *user, enum lex_finding_level level, const char *text,
                            const char *mend);
/* Tell each finding; `mend` is "" where there is nothing to do. */
void lex_properties_judge(const struct lex_properties *properties, enum lex_client_kind client,
                          lex_finding_fn *tell, void *user);

/* `lexecon doctor --reader FILE`. @param client "java", "librdkafka" or NULL @return exit status */
int lex_properties_check(const struct lex_cli_usage *usage, const char *path, const char *client,
                         bool json);

#endif
