#include "consumer/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- opening ---- */

/* "/path", or "@name" for a socket in Linux's abstract namespace. */
static LEX_STATUS parse_address(const char *name, struct lex_notify *notify, struct lex_error *err)
{
    size_t len = strlen(name);
    if ((name[0] != '/' && name[0] != '@') || len < 2 || len >= sizeof notify->address.sun_path)
        return lex_fail(err, LEX_REJECT,
                        "NOTIFY_SOCKET: expected an absolute path or @name of at most %zu bytes, "
                        "got '%.200s'; systemd sets it for units of Type=notify",
                        sizeof notify->address.sun_path - 1, name);
    notify->address.sun_family = AF_UNIX;
    memcpy(notify->address.sun_path, name, len);
    if (name[0] == '@')
        notify->address.sun_path[0] = '\0';
    /* An abstract name has no NUL at its end: one more byte would be another name. */
    notify->address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    return LEX_OK;
}

static LEX_STATUS parse_number(const char *text, const char *name, int64_t *ret_number,
                               struct lex_error *err)
{
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || number <= 0)
        return lex_fail(err, LEX_REJECT, "%s: expected a number above 0, got '%.100s'", name, text);
    *ret_number = number;
    return LEX_OK;
}

/* WATCHDOG_PID names whose watchdog it is; a process that inherits the variables has none. */
static LEX_STATUS parse_watchdog(const char *usec, const char *pid, struct lex_notify *notify,
                                 struct lex_error *err)
{
    int64_t owner = getpid(), period_us;
    if (usec == NULL)
        return LEX_OK;
    LEX_TRY(parse_number(usec, "WATCHDOG_USEC", &period_us, err));
    if (pid != NULL)
        LEX_TRY(parse_number(pid, "WATCHDOG_PID", &owner, err));
    if (owner == getpid())
        notify->watchdog_every_us = period_us / 2;
    return LEX_OK;
}

LEX_STATUS lex_notify_open(const char *socket_name, const char *watchdog_usec,
                           const char *watchdog_pid, struct lex_notify *ret_notify,
                           struct lex_error *err)
{
    struct lex_notify notify = {.fd = -1};
    *ret_notify = notify;
    if (socket_name == NULL || socket_name[0] == '\0')
        return LEX_OK;
    LEX_TRY(parse_address(socket_name, &notify, err));
    LEX_TRY(parse_watchdog(watchdog_usec, watchdog_pid, &notify, err));
    notify.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (notify.fd < 0)
        return lex_fail(err, LEX_LIMIT, "no socket for NOTIFY_SOCKET: %s", strerror(errno));
    *ret_notify = notify;
    return LEX_OK;
}

void lex_notify_close(struct lex_notify *notify)
{
    if (notify->fd >= 0)
        (void)close(notify->fd);
    notify->fd = -1;
}

/* ---- telling ---- */

static void tell(const struct lex_notify *notify, const char *text)
{
    if (notify->fd >= 0)
        (void)sendto(notify->fd, text, strlen(text), MSG_NOSIGNAL,
                     (const struct sockaddr *)&notify->address, notify->address_len);
}

/* One assignment a line: a line break in a reason would make another assignment of the rest. */
static void tell_status(struct lex_notify *notify, const struct lex_health *health,
                        int64_t now_mono_us)
{
    char status[LEX_NOTIFY_STATUS_MAX], line[LEX_NOTIFY_STATUS_MAX + 16];
    lex_health_summary(health, now_mono_us, status, sizeof status);
    for (char *c = status; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = ' ';
    if (strcmp(status, notify->status) == 0)
        return;
    (void)snprintf(notify->status, sizeof notify->status, "%s", status);
    (void)snprintf(line, sizeof line, "STATUS=%s", status);
    tell(notify, line);
}

void lex_notify_tick(struct lex_notify *notify, const struct lex_health *health,
                     int64_t now_mono_us)
{
    if (notify->fd < 0)
        return;
    if (!notify->ready_told && lex_health_probe(health, LEX_PROBE_STARTUP, now_mono_us)) {
        notify->ready_told = true;
        tell(notify, "READY=1");
    }
    tell_status(notify, health, now_mono_us);
    if (notify->watchdog_every_us == 0 || now_mono_us < notify->watchdog_at_us ||
        !lex_health_probe(health, LEX_PROBE_LIVE, now_mono_us))
        return;
    notify->watchdog_at_us = now_mono_us + notify->watchdog_every_us;
    tell(notify, "WATCHDOG=1");
}

void lex_notify_reloading(struct lex_notify *notify, int64_t now_mono_us)
{
    char text[64];
    (void)snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)now_mono_us);
    tell(notify, text);
    tell(notify, "READY=1");
}

void lex_notify_stopping(struct lex_notify *notify)
{
    tell(notify, "STOPPING=1");
}
