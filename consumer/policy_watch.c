#include "consumer/policy_watch.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "core/base/log.h"
#include "core/base/metrics.h"

static const char LOGGER[] = "lexecon.policy";

struct lex_policy_watch {
    const struct lex_config *config;
    struct lex_policy_slot *slot;
    struct lex_health *health;
    void (*changed)(void *user);
    void *user;
    struct stat seen;
    bool looked;

    pthread_t thread;
    pthread_mutex_t lock; /* over the two below */
    pthread_cond_t wake;
    bool stop, now;
};

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* The file's identity; all zero where there is none, so that its coming back is a change. */
static struct stat look(const char *path)
{
    struct stat found = {0};
    if (stat(path, &found) != 0)
        return (struct stat){0};
    return found;
}

static void refuse(const struct lex_policy_watch *w, const char *text)
{
    lex_metric_add(LEX_METRIC_POLICY_LOAD_FAILURES, 1);
    LEX_LOG(LEX_LOG_ERROR, LOGGER,
            w->slot->policy != NULL ? "Policy refused, the one before stays in force"
                                    : "Policy refused, none is in force",
            lex_log_str("error", text));
}

/* A file is edited forward; going back is for whoever says so (policy.md, section 10). */
static bool goes_back(const struct lex_policy_watch *w, const struct lex_policy *policy)
{
    if (w->slot->policy == NULL || w->config->policy_allow_rollback)
        return false;
    const struct lex_policy_info *old = lex_policy_info(w->slot->policy);
    const struct lex_policy_info *new = lex_policy_info(policy);
    return lex_span_eq(old->id, new->id) && lex_policy_version_cmp(new->version, old->version) < 0;
}

static void announce(const struct lex_policy_info *info)
{
    char hash[65];
    for (size_t i = 0; i < 32; i++) {
        static const char digits[] = "0123456789abcdef";
        hash[2 * i] = digits[info->hash[i] >> 4];
        hash[2 * i + 1] = digits[info->hash[i] & 15];
    }
    hash[64] = 0;
    lex_series_add(lex_metric_series(LEX_METRIC_POLICIES_LOADED, &info->id, 1), 1);
    LEX_LOG(LEX_LOG_INFO, LOGGER, "Policy loaded", lex_log_span("policy_id", info->id),
            lex_log_span("version", info->version), lex_log_str("hash", hash),
            lex_log_i64("relations", (int64_t)info->relations));
}

static void load(struct lex_policy_watch *w)
{
    struct lex_policy *policy;
    struct lex_error err = {{0}};
    if (lex_policy_load_file(w->config->policy, &policy, &err) != LEX_OK) {
        refuse(w, err.text);
        return;
    }
    if (goes_back(w, policy)) {
        lex_policy_unref(policy);
        refuse(w,
               "its version is lower than the one in force; policy_allow_rollback=true takes it");
        return;
    }
    announce(lex_policy_info(policy));
    lex_policy_slot_set(w->slot, policy);
    w->health->policy_loaded = true;
    if (w->changed != NULL)
        w->changed(w->user);
}

static void check(struct lex_policy_watch *w, bool asked)
{
    struct stat now = look(w->config->policy);
    if (w->looked && !asked && same_file(&now, &w->seen))
        return;
    w->looked = true;
    w->seen = now;
    load(w);
}

/* True when it is time to look; false when it is time to end. */
static bool wait_for_reason(struct lex_policy_watch *w, bool *ret_asked)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    int64_t ns = until.tv_nsec + w->config->policy_poll_ms * 1000000;
    until.tv_sec += ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    (void)pthread_mutex_lock(&w->lock);
    while (!w->stop && !w->now)
        if (pthread_cond_timedwait(&w->wake, &w->lock, &until) == ETIMEDOUT)
            break;
    *ret_asked = w->now;
    w->now = false;
    bool go_on = !w->stop;
    (void)pthread_mutex_unlock(&w->lock);
    return go_on;
}

static void *run(void *user)
{
    struct lex_policy_watch *w = user;
    bool asked;
    while (wait_for_reason(w, &asked))
        check(w, asked);
    return NULL;
}

LEX_STATUS lex_policy_watch_start(const struct lex_config *config, struct lex_policy_slot *slot,
                                  struct lex_health *health, void (*changed)(void *user),
                                  void *user, struct lex_policy_watch **ret_watch,
                                  struct lex_error *err)
{
    *ret_watch = NULL;
    if (config->policy == NULL) {
        LEX_LOG(LEX_LOG_WARNING, LOGGER, "No policy: this node decides nothing",
                lex_log_str("todo", "set LEXECON_POLICY to a policy file"));
        return LEX_OK;
    }
    struct lex_policy_watch *w = calloc(1, sizeof *w);
    if (w == NULL)
        return lex_fail(err, LEX_LIMIT, "out of memory");
    w->config = config;
    w->slot = slot;
    w->health = health;
    w->changed = changed;
    w->user = user;
    (void)pthread_mutex_init(&w->lock, NULL);
    (void)pthread_cond_init(&w->wake, NULL);
    check(w, false);
    if (pthread_create(&w->thread, NULL, run, w) != 0) {
        free(w);
        return lex_fail(err, LEX_LIMIT, "the policy watcher's thread does not start");
    }
    *ret_watch = w;
    return LEX_OK;
}

static void signal_thread(struct lex_policy_watch *watch, bool stop)
{
    (void)pthread_mutex_lock(&watch->lock);
    watch->stop = watch->stop || stop;
    watch->now = true;
    (void)pthread_cond_signal(&watch->wake);
    (void)pthread_mutex_unlock(&watch->lock);
}

void lex_policy_watch_now(struct lex_policy_watch *watch)
{
    if (watch != NULL)
        signal_thread(watch, false);
}

void lex_policy_watch_stop(struct lex_policy_watch *watch)
{
    if (watch == NULL)
        return;
    signal_thread(watch, true);
    (void)pthread_join(watch->thread, NULL);
    (void)pthread_mutex_destroy(&watch->lock);
    (void)pthread_cond_destroy(&watch->wake);
    free(watch);
}
