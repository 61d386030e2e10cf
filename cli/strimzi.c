#include "cli/strimzi.h"

#include <ctype.h>

void lex_strimzi_head(const char *made, struct lex_buf *out)
{
    lex_buf_printf(out, "# Made by `%s`.\n", made);
}

/* A DNS subdomain (RFC 1123): lower case letters, digits, dashes and dots. */
static void put_name(const char *name, struct lex_buf *out)
{
    for (; *name != 0; name++) {
        char c = (char)tolower((unsigned char)*name);
        bool allowed = isalnum((unsigned char)c) || c == '-' || c == '.';
        lex_buf_putc(out, allowed ? c : '-');
    }
}

void lex_strimzi_begin(const char *kind, const char *name, const char *cluster, const char *why,
                       struct lex_buf *out)
{
    lex_buf_puts(out, "---\n");
    if (why != NULL)
        lex_buf_printf(out, "# %s\n", why);
    lex_buf_printf(out,
                   "apiVersion: kafka.strimzi.io/v1beta2\nkind: %s\nmetadata:\n  name: ", kind);
    put_name(name, out);
    lex_buf_printf(out, "\n  labels:\n    strimzi.io/cluster: %s\nspec:\n", cluster);
}
