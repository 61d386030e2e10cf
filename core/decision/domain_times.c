/* Domain times: one instant for each combination of time windows and effective dates.
 *
 * Windows repeat every week, in whole minutes. So a week is cut at every minute where some window
 * begins or ends, and of the pieces that lie in the same windows one is kept. */
#include <stdlib.h>

#include "core/decision/domain_parts.h"

enum { WEEK_MINUTES = 7 * 1440, WINDOWS_MAX = 64, CUTS_MAX = WINDOWS_MAX * 14 + 1 };
static const int64_t minute_us = 60000000;
/* A Monday's noon: an answer that depended on the day it was asked would be no use to a test. */
static const int64_t noon_us = INT64_C(1767614400) * 1000000; /* 2026-01-05T12:00:00Z */
static const int64_t week_us = INT64_C(7) * 86400 * 1000000;

struct windows {
    const struct lex_condition *items[WINDOWS_MAX];
    size_t count;
};

static void add_window(struct domain *d, struct domain_pair *pair, int side,
                       const struct lex_condition *condition, void *context)
{
    struct windows *windows = context;
    (void)d;
    (void)side;
    if (condition->type != LEX_CONDITION_TIME_WINDOW)
        return;
    for (size_t i = 0; i < windows->count; i++)
        if (memcmp(&windows->items[i]->window, &condition->window, sizeof condition->window) == 0)
            return;
    if (windows->count == WINDOWS_MAX)
        domain_small(pair, "more than 64 time windows");
    else
        windows->items[windows->count++] = condition;
}

static int64_t modulo(int64_t a, int64_t b)
{
    return (a % b + b) % b;
}

/* Minutes since Monday 00:00 UTC. */
static int64_t minute_of_week(int64_t us)
{
    static const int64_t monday = 4 * 1440; /* 1970-01-05 */
    return modulo(us / minute_us - (us % minute_us < 0) - monday, WEEK_MINUTES);
}

static bool in_window(const struct lex_condition *condition, int64_t utc)
{
    int64_t at = modulo(utc + condition->window.zone, WEEK_MINUTES);
    int64_t minute = at % 1440, day = at / 1440;
    int64_t start = condition->window.start, end = condition->window.end;
    bool wraps = start > end;
    bool inside = wraps ? minute >= start || minute <= end : minute >= start && minute <= end;
    int64_t began = wraps && minute < start ? modulo(day - 1, 7) : day;
    return inside && (condition->window.days >> began & 1) != 0;
}

static uint64_t windows_at(const struct windows *windows, int64_t minute)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < windows->count; i++)
        bits |= (uint64_t)in_window(windows->items[i], minute) << i;
    return bits;
}

/* ---- a stretch of time in which the same policies are in effect ---- */

struct stretch {
    int64_t from, until; /* until is exclusive */
    unsigned in_effect;  /* a bit for each side */
};

static unsigned in_effect(const struct domain *d, int64_t us)
{
    unsigned bits = 0;
    for (int side = 0; side < SIDES; side++)
        bits |= (us >= d->policy[side]->info.effective_from_us &&
                 us < d->policy[side]->info.effective_until_us)
                    ? 1u << side
                    : 0;
    return bits;
}

static int by_instant(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* An instant of the stretch with a week before its end, where there is one; noon_us if it can. */
static int64_t base_of(const struct stretch *stretch)
{
    if (stretch->from <= noon_us && noon_us < stretch->until)
        return noon_us;
    return stretch->from == INT64_MIN ? stretch->until - week_us : stretch->from;
}

static void add_time(struct domain *d, struct domain_pair *pair, size_t *capacity, int64_t us)
{
    void *times = pair->times;
    if (!domain_grow(d, &d->scratch, &times, pair->times_count, capacity, sizeof *pair->times))
        return;
    pair->times = times;
    pair->times[pair->times_count++] = us;
}

static void add_stretch(struct domain *d, struct domain_pair *pair, size_t *capacity,
                        const struct windows *windows, const struct stretch *stretch)
{
    uint64_t seen[CUTS_MAX];
    size_t seen_count = 0;
    int64_t base = base_of(stretch), start = minute_of_week(base);
    seen[seen_count++] = windows_at(windows, start);
    add_time(d, pair, capacity, base);
    for (size_t i = 0; i < windows->count; i++)
        for (int64_t day = 0; day < 14; day++) {
            const struct lex_condition *window = windows->items[i];
            int64_t local = day < 7 ? window->window.start : (int64_t)window->window.end + 1;
            int64_t minute = modulo(day % 7 * 1440 + local - window->window.zone, WEEK_MINUTES);
            int64_t ahead = modulo(minute - start, WEEK_MINUTES) * minute_us;
            uint64_t bits = windows_at(windows, minute);
            bool known = base > INT64_MAX - ahead || base + ahead >= stretch->until;
            for (size_t k = 0; k < seen_count; k++)
                known = known || seen[k] == bits;
            if (known)
                continue;
            seen[seen_count++] = bits;
            add_time(d, pair, capacity, base + ahead);
        }
}

/* The longest stretch of each kind; where neither policy is in effect both deny. */
static size_t find_stretches(const struct domain *d, struct stretch out[4])
{
    int64_t cuts[2 * SIDES + 2];
    size_t count = 0, found = 0;
    cuts[count++] = INT64_MIN;
    for (int side = 0; side < SIDES; side++) {
        cuts[count++] = d->policy[side]->info.effective_from_us;
        cuts[count++] = d->policy[side]->info.effective_until_us;
    }
    cuts[count++] = INT64_MAX;
    qsort(cuts, count, sizeof *cuts, by_instant);
    for (size_t i = 0; i + 1 < count; i++) {
        struct stretch next = {cuts[i], cuts[i + 1], in_effect(d, cuts[i])};
        size_t k = 0;
        if (next.from == next.until || next.in_effect == 0)
            continue;
        while (k < found && out[k].in_effect != next.in_effect)
            k++;
        if (k == found)
            out[found++] = next;
        else if (earlier(next.until / 2 - next.from / 2, week_us) >
                 earlier(out[k].until / 2 - out[k].from / 2, week_us))
            out[k] = next;
    }
    return found;
}

void domain_pair_times(struct domain *d, struct domain_pair *pair)
{
    struct windows windows = {.count = 0};
    struct stretch stretches[4];
    size_t capacity = 0, count = find_stretches(d, stretches);
    domain_each_condition(d, pair, add_window, &windows);
    for (unsigned wanted = 3; wanted != 0; wanted--)
        for (size_t i = 0; i < count; i++)
            if (stretches[i].in_effect == wanted)
                add_stretch(d, pair, &capacity, &windows, &stretches[i]);
    if (pair->times_count == 0) /* neither is ever in effect: both deny, at any time */
        add_time(d, pair, &capacity, noon_us);
}
