#include "core/base/clock.h"

#include <time.h>

static int64_t read_us(clockid_t id)
{
    struct timespec now;
    (void)clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t lex_clock_wall_us(void)
{
    return read_us(CLOCK_REALTIME);
}

int64_t lex_clock_mono_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

int lex_clock_left_ms(int64_t until_us)
{
    int64_t left_ms = (until_us - lex_clock_mono_us()) / 1000;
    return left_ms > 0 ? (int)left_ms : 0;
}
