/* lex_docgen PAGE: print a reference page of docs/ from the table behind it. A page that is
 * generated cannot drift from the program; tests/tidy/pages fails when the committed one has. */
#include <stdio.h>
#include <string.h>

#include "core/base/metrics.h"
#include "core/config/config.h"

static const struct {
    const char *name;
    void (*write)(struct lex_buf *out);
} pages[] = {
    {"configuration", lex_config_page},
    {"metrics", lex_metrics_page},
};

static int print_page(void (*write)(struct lex_buf *out))
{
    LEX_CLEANUP(lex_buf_fini) struct lex_buf out;
    lex_buf_init(&out, 4 << 20);
    write(&out);
    if (!lex_buf_ok(&out))
        return 1;
    return fwrite(out.data, 1, out.len, stdout) == out.len && fflush(stdout) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 2 && i < LEX_COUNT_OF(pages); i++)
        if (strcmp(argv[1], pages[i].name) == 0)
            return print_page(pages[i].write);
    (void)fputs("usage: lex_docgen configuration|metrics\n", stderr);
    return 2;
}
