/* Host: what the machine and the container say about this process. Linux: /proc and cgroup v1 or
 * v2. Whatever cannot be read is reported as 0 (or as "no limit"): none of it decides anything. */
#ifndef LEX_BASE_HOST_H
#define LEX_BASE_HOST_H

#include <stddef.h>
#include <stdint.h>

enum { LEX_HOST_NAME_MAX = 256 };
/* NUL-terminated, "localhost" if the host has no name. */
void lex_host_name(char out[LEX_HOST_NAME_MAX]);
/* Cores this process may run on, at least 1. */
int64_t lex_host_cores(void);
/* The container's memory limit in bytes, UINT64_MAX without one. */
uint64_t lex_host_memory_limit(void);

struct lex_host_usage {
    double cpu_seconds;
    double resident_bytes, virtual_bytes;
    double open_fds, max_fds;
    double start_seconds; /* since 1970 */
};
void lex_host_usage(struct lex_host_usage *ret_usage);

#endif
