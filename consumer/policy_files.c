#include "consumer/policy_files.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

/* The same files as the loader takes (lex_policy_load_path). */
static bool is_policy_name(const char *name)
{
    size_t len = strlen(name);
    return name[0] != '.' && len > 5 && strcmp(name + len - 5, ".json") == 0;
}

/* Marks are added bit by bit, so that the order in which a directory lists its files is no matter.
 * Names differ, so no two marks are equal and cancel out. */
static void add(struct lex_policy_files *files, const char *name, const struct stat *found)
{
    const int64_t numbers[] = {(int64_t)found->st_dev,  (int64_t)found->st_ino,
                               (int64_t)found->st_size, (int64_t)found->st_mode,
                               found->st_mtim.tv_sec,   found->st_mtim.tv_nsec,
                               found->st_ctim.tv_sec,   found->st_ctim.tv_nsec};
    const struct lex_span parts[] = {lex_span_of(numbers, sizeof numbers), lex_span_str(name)};
    struct lex_hash mark;
    lex_sha256(parts, LEX_COUNT_OF(parts), &mark);
    for (size_t i = 0; i < sizeof mark.bytes; i++)
        files->mark.bytes[i] ^= mark.bytes[i];
}

static void add_directory(struct lex_policy_files *files, const char *path)
{
    DIR *directory = opendir(path);
    const struct dirent *entry;
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        char name[4096 + sizeof entry->d_name];
        struct stat found = {0}; /* a link to nothing is a name all the same */
        if (!is_policy_name(entry->d_name))
            continue;
        (void)snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (stat(name, &found) != 0)
            found = (struct stat){0};
        add(files, entry->d_name, &found);
    }
    if (directory != NULL)
        (void)closedir(directory);
}

struct lex_policy_files lex_policy_files_look(const char *path)
{
    struct lex_policy_files files = {.mark = {{0}}};
    struct stat found;
    if (stat(path, &found) != 0)
        return files;
    if (S_ISDIR(found.st_mode))
        add_directory(&files, path);
    else
        add(&files, "", &found);
    return files;
}
