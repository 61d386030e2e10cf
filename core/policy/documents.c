/* Documents: where the texts of a policy come from: memory, a file, a directory of files, or one
 * text that is an array of documents (which is how a policy of several documents is archived). */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/buf.h"
#include "core/policy/load.h"

enum { TREE_CHUNK_BYTES = 64 << 10 };

/* ---- texts ---- */

static LEX_STATUS over_size(const char *source, size_t bytes, struct lex_error *err)
{
    return lex_fail(err, LEX_LIMIT, "%s: a policy may have %d bytes at most, this has %zu", source,
                    LEX_POLICY_MAX_BYTES, bytes);
}

LEX_STATUS lex_policy_load_documents(const struct lex_policy_document *documents, size_t count,
                                     struct lex_policy **ret_policy, struct lex_error *err)
{
    size_t bytes = 0;
    if (count == 0 || count > LEX_POLICY_MAX_DOCUMENTS)
        return lex_fail(err, count == 0 ? LEX_REJECT : LEX_LIMIT,
                        "a policy is made of 1 to %d documents, not of %zu",
                        LEX_POLICY_MAX_DOCUMENTS, count);
    for (size_t i = 0; i < count; i++) {
        bytes += documents[i].text.len;
        if (bytes > LEX_POLICY_MAX_BYTES)
            return over_size(documents[i].source, bytes, err);
    }
    return lex_load_set(documents, count, false, ret_policy, err);
}

static bool is_array(struct lex_span text)
{
    size_t at = 0;
    while (at < text.len && text.data[at] != 0 && strchr(" \t\r\n", text.data[at]) != NULL)
        at++;
    return at < text.len && text.data[at] == '[';
}

/* Each element is a document of its own, "source[n]" in messages. */
static LEX_STATUS split(struct lex_arena *arena, struct lex_span text, const char *source,
                        struct lex_policy_document *documents, size_t *ret_count,
                        struct lex_error *err)
{
    const struct lex_json *root;
    struct lex_error problem;
    enum lex_status status = lex_json_parse(arena, text, &root, &problem);
    if (status != LEX_OK)
        return lex_fail(err, status, "%s: %s", source, problem.text);
    if (root->count == 0 || root->count > LEX_POLICY_MAX_DOCUMENTS)
        return lex_fail(err, LEX_REJECT,
                        "%s:1:1: a policy must be an object, or an array of 1 to %d of them",
                        source, LEX_POLICY_MAX_DOCUMENTS);
    for (const struct lex_json *node = root->child; node != NULL; node = node->next) {
        struct lex_span name = lex_arena_printf(arena, "%s[%zu]", source, *ret_count);
        unsigned line, column;
        lex_json_where(text, node->at, &line, &column);
        if (node->type != LEX_JSON_OBJECT)
            return lex_fail(err, LEX_REJECT, "%s:%u:%u: a policy must be an object, but it is %s",
                            source, line, column, lex_json_type_name(node->type));
        if (lex_span_absent(name))
            return lex_fail(err, LEX_LIMIT, "%s: not enough memory", source);
        documents[(*ret_count)++] =
            (struct lex_policy_document){.source = (const char *)name.data, .text = node->text};
    }
    return LEX_OK;
}

static LEX_STATUS load_array(struct lex_span text, const char *source,
                             struct lex_policy **ret_policy, struct lex_error *err)
{
    struct lex_policy_document documents[LEX_POLICY_MAX_DOCUMENTS];
    LEX_CLEANUP(lex_arena_fini) struct lex_arena arena;
    size_t count = 0;
    lex_arena_init(&arena, TREE_CHUNK_BYTES, SIZE_MAX / 4);
    LEX_TRY(split(&arena, text, source, documents, &count, err));
    return lex_policy_load_documents(documents, count, ret_policy, err);
}

LEX_STATUS lex_policy_load(struct lex_span text, const char *source, struct lex_policy **ret_policy,
                           struct lex_error *err)
{
    const struct lex_policy_document document = {.source = source, .text = text};
    if (text.len > LEX_POLICY_MAX_BYTES)
        return over_size(source, text.len, err);
    if (is_array(text))
        return load_array(text, source, ret_policy, err);
    return lex_policy_load_documents(&document, 1, ret_policy, err);
}

/* ---- files ---- */

static void close_file(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

static LEX_STATUS read_open_file(int fd, const char *path, struct lex_buf *buf,
                                 struct lex_error *err)
{
    uint8_t block[16 << 10];
    ssize_t got;
    while ((got = read(fd, block, sizeof block)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return lex_fail(err, LEX_REJECT, "%s: cannot read the policy: %s", path,
                            strerror(errno));
        lex_buf_put(buf, block, (size_t)got);
        if (!lex_buf_ok(buf))
            return lex_fail(err, LEX_LIMIT, "%s: a policy may have %d bytes at most", path,
                            LEX_POLICY_MAX_BYTES);
    }
    return LEX_OK;
}

static LEX_STATUS read_file(const char *path, struct lex_buf *buf, struct lex_error *err)
{
    LEX_CLEANUP(close_file) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return lex_fail(err, LEX_REJECT, "%s: cannot open the policy: %s", path, strerror(errno));
    return read_open_file(fd, path, buf, err);
}

static LEX_STATUS load_file(const char *path, struct lex_policy **ret_policy, struct lex_error *err)
{
    LEX_CLEANUP(lex_buf_fini) struct lex_buf buf;
    lex_buf_init(&buf, LEX_POLICY_MAX_BYTES);
    LEX_TRY(read_file(path, &buf, err));
    return lex_policy_load(lex_buf_span(&buf), path, ret_policy, err);
}

/* ---- directories ---- */

struct listing {
    char *paths[LEX_POLICY_MAX_DOCUMENTS];
    size_t count;
};

static void listing_fini(struct listing *listing)
{
    for (size_t i = 0; i < listing->count; i++)
        free(listing->paths[i]);
}

static void close_directory(DIR **directory)
{
    if (*directory != NULL)
        (void)closedir(*directory);
}

static bool ends_with(const char *name, const char *end)
{
    size_t len = strlen(name), end_len = strlen(end);
    return len > end_len && strcmp(name + len - end_len, end) == 0;
}

/* A policy's tests lie beside it as *.test.json. */
static bool is_policy_name(const char *name)
{
    return name[0] != '.' && ends_with(name, ".json") && !ends_with(name, ".test.json");
}

/* Regular files, and links to them: a Kubernetes ConfigMap mounts its files as links into a hidden
 * directory. What is neither (a directory x.json, a link to nothing) is an error: a file that was
 * meant and is left out could be the one with the forbids. */
static LEX_STATUS add_entry(struct listing *listing, const char *directory, const char *name,
                            struct lex_error *err)
{
    struct stat info;
    char *path = NULL;
    if (listing->count == LEX_POLICY_MAX_DOCUMENTS)
        return lex_fail(err, LEX_LIMIT, "%s: has more than the %d documents that a policy may have",
                        directory, LEX_POLICY_MAX_DOCUMENTS);
    if (asprintf(&path, "%s/%s", directory, name) < 0)
        return lex_fail(err, LEX_LIMIT, "%s: not enough memory", directory);
    listing->paths[listing->count++] = path;
    if (stat(path, &info) != 0)
        return lex_fail(err, LEX_REJECT, "%s: cannot open the policy: %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return lex_fail(err, LEX_REJECT,
                        "%s: is no file; rename it, or take it out of the "
                        "directory of policies",
                        path);
    return LEX_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static LEX_STATUS list_directory(const char *path, struct listing *listing, struct lex_error *err)
{
    LEX_CLEANUP(close_directory) DIR *directory = opendir(path);
    if (directory == NULL)
        return lex_fail(err, LEX_REJECT, "%s: cannot open the directory: %s", path,
                        strerror(errno));
    errno = 0;
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL; errno = 0)
        if (is_policy_name(entry->d_name))
            LEX_TRY(add_entry(listing, path, entry->d_name, err));
    if (errno != 0)
        return lex_fail(err, LEX_REJECT, "%s: cannot read the directory: %s", path,
                        strerror(errno));
    if (listing->count == 0)
        return lex_fail(err, LEX_REJECT, "%s: has no policy; put at least one file *.json there",
                        path);
    qsort(listing->paths, listing->count, sizeof(char *), by_name);
    return LEX_OK;
}

static LEX_STATUS load_directory(const char *path, struct lex_policy **ret_policy,
                                 struct lex_error *err)
{
    LEX_CLEANUP(listing_fini) struct listing listing = {.count = 0};
    LEX_CLEANUP(lex_buf_fini) struct lex_buf buf;
    struct lex_policy_document documents[LEX_POLICY_MAX_DOCUMENTS];
    size_t ends[LEX_POLICY_MAX_DOCUMENTS];
    lex_buf_init(&buf, LEX_POLICY_MAX_BYTES);
    LEX_TRY(list_directory(path, &listing, err));
    for (size_t i = 0; i < listing.count; i++) {
        LEX_TRY(read_file(listing.paths[i], &buf, err));
        ends[i] = buf.len;
    }
    for (size_t i = 0; i < listing.count; i++) { /* only now: a buffer that grows moves */
        size_t start = i == 0 ? 0 : ends[i - 1];
        documents[i] = (struct lex_policy_document){
            .source = listing.paths[i],
            .text = lex_span_of(lex_buf_span(&buf).data + start, ends[i] - start)};
    }
    return lex_policy_load_documents(documents, listing.count, ret_policy, err);
}

LEX_STATUS lex_policy_load_path(const char *path, struct lex_policy **ret_policy,
                                struct lex_error *err)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return lex_fail(err, LEX_REJECT, "%s: cannot open the policy: %s", path, strerror(errno));
    return S_ISDIR(info.st_mode) ? load_directory(path, ret_policy, err)
                                 : load_file(path, ret_policy, err);
}
