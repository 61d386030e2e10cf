#include "cli/text_file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static void close_file(int *fd)
{
    if (*fd > STDIN_FILENO)
        (void)close(*fd);
}

LEX_STATUS lex_text_file_read(const char *path, struct lex_buf *text, struct lex_error *err)
{
    uint8_t block[16 << 10];
    ssize_t got;
    bool standard = strcmp(path, "-") == 0;
    const char *name = standard ? "standard input" : path;
    LEX_CLEANUP(close_file) int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return lex_fail(err, LEX_REJECT, "%s: cannot be opened: %s", path, strerror(errno));
    while ((got = read(fd, block, sizeof block)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return lex_fail(err, LEX_REJECT, "%s: cannot be read: %s", name, strerror(errno));
        lex_buf_put(text, block, (size_t)got);
        if (!lex_buf_ok(text))
            return lex_fail(err, LEX_LIMIT, "%s: has more than %zu bytes", name, text->max);
    }
    return LEX_OK;
}

bool lex_text_file_readable(const char *path)
{
    return strcmp(path, "-") == 0 || access(path, R_OK) == 0;
}
