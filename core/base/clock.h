/* Clock: the two clocks of the system. Wall time goes into entries and is compared with policies;
 * monotonic time drives every wait. State machines take both from events, so that the simulator
 * owns time; only threads that do I/O call these. */
#ifndef LEX_BASE_CLOCK_H
#define LEX_BASE_CLOCK_H

#include <stdint.h>

int64_t lex_clock_wall_us(void);         /* microseconds since 1970 UTC */
int64_t lex_clock_mono_us(void);         /* microseconds from an arbitrary start */
int lex_clock_left_ms(int64_t until_us); /* from now to a monotonic time; 0 when it is past */

#endif
