#include "core/base/host.h"

#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "core/base/status.h"

/* A cgroup v1 without a limit says a number close to INT64_MAX rounded to pages. */
static const uint64_t no_limit_from = UINT64_C(1) << 60;

enum { PATH_BYTES = 1024 };

static void close_file(FILE **file)
{
    if (*file != NULL)
        (void)fclose(*file);
}

static void close_dir(DIR **dir)
{
    if (*dir != NULL)
        (void)closedir(*dir);
}

void lex_host_name(char out[LEX_HOST_NAME_MAX])
{
    if (gethostname(out, LEX_HOST_NAME_MAX) != 0 || out[0] == '\0')
        (void)snprintf(out, LEX_HOST_NAME_MAX, "localhost");
    out[LEX_HOST_NAME_MAX - 1] = '\0';
}

int64_t lex_host_cores(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    int cores = CPU_COUNT(&set);
    return cores > 0 ? cores : 1;
}

/* First number in a file; UINT64_MAX when there is no file, or a word such as "max". */
static uint64_t read_limit(const char *path)
{
    LEX_CLEANUP(close_file) FILE *file = fopen(path, "re");
    unsigned long long limit;
    if (file == NULL || fscanf(file, "%llu", &limit) != 1 || limit >= no_limit_from)
        return UINT64_MAX;
    return limit;
}

/* The least limit from the process's group up to the root: any ancestor's holds as well. */
static uint64_t least_limit(const char *root, char *group, const char *name)
{
    uint64_t least = UINT64_MAX;
    for (;;) {
        char path[PATH_BYTES];
        int len = snprintf(path, sizeof path, "%s%s/%s", root, group, name);
        if (len > 0 && (size_t)len < sizeof path) {
            uint64_t limit = read_limit(path);
            least = limit < least ? limit : least;
        }
        char *slash = strrchr(group, '/');
        if (slash == NULL)
            return least;
        *slash = '\0';
    }
}

uint64_t lex_host_memory_limit(void)
{
    LEX_CLEANUP(close_file) FILE *file = fopen("/proc/self/cgroup", "re");
    uint64_t least = UINT64_MAX;
    char line[PATH_BYTES];
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        uint64_t limit = UINT64_MAX;
        char *v1 = strstr(line, ":memory:");
        if (strncmp(line, "0::", 3) == 0)
            limit = least_limit("/sys/fs/cgroup", line + 3, "memory.max");
        else if (v1 != NULL)
            limit = least_limit("/sys/fs/cgroup/memory", v1 + strlen(":memory:"),
                                "memory.limit_in_bytes");
        least = limit < least ? limit : least;
    }
    return least;
}

static double count_fds(void)
{
    LEX_CLEANUP(close_dir) DIR *dir = opendir("/proc/self/fd");
    double count = 0;
    while (dir != NULL) {
        const struct dirent *entry = readdir(dir);
        if (entry == NULL)
            break;
        count += entry->d_name[0] != '.';
    }
    return count > 0 ? count - 1 : 0; /* without the directory itself */
}

static double boot_seconds(void)
{
    struct timespec wall, boot;
    if (clock_gettime(CLOCK_REALTIME, &wall) != 0 || clock_gettime(CLOCK_BOOTTIME, &boot) != 0)
        return 0;
    return (double)(wall.tv_sec - boot.tv_sec) + (double)(wall.tv_nsec - boot.tv_nsec) / 1e9;
}

/* proc(5), /proc/self/stat: utime 14, stime 15, starttime 22, vsize 23, rss 24, counted behind the
 * last ')' because the second field is the program's name. */
static void read_stat(struct lex_host_usage *usage)
{
    LEX_CLEANUP(close_file) FILE *file = fopen("/proc/self/stat", "re");
    char text[PATH_BYTES];
    if (file == NULL || fgets(text, sizeof text, file) == NULL)
        return;
    const char *rest = strrchr(text, ')');
    unsigned long utime, stime;
    unsigned long long start, bytes;
    long pages;
    if (rest == NULL ||
        sscanf(rest + 1,
               " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d %*d %*d %llu "
               "%llu %ld",
               &utime, &stime, &start, &bytes, &pages) != 5)
        return;
    double tick = (double)sysconf(_SC_CLK_TCK);
    usage->cpu_seconds = (double)(utime + stime) / tick;
    usage->start_seconds = boot_seconds() + (double)start / tick;
    usage->virtual_bytes = (double)bytes;
    usage->resident_bytes = (double)pages * (double)sysconf(_SC_PAGESIZE);
}

void lex_host_usage(struct lex_host_usage *ret_usage)
{
    *ret_usage = (struct lex_host_usage){0};
    read_stat(ret_usage);
    ret_usage->open_fds = count_fds();
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        ret_usage->max_fds = (double)limit.rlim_cur;
}
