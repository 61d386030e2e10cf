/* Notify: what systemd is told, over the datagram socket that it names in NOTIFY_SOCKET. Without
 * the variable nothing is sent.
 *
 *     READY=1       once, when the start has come to its end
 *     STATUS=...    when readiness, or what is in its way, changes: `systemctl status` shows it
 *     WATCHDOG=1    at half of WATCHDOG_USEC, while liveness holds. A worker that is stuck, or a
 *                   main thread that is, sends none, and systemd starts the service again
 *     RELOADING=1   with MONOTONIC_USEC, on SIGHUP, and READY=1 behind it
 *     STOPPING=1    when a stop begins
 *
 * Liveness is the probe of /health/live, so that systemd and Kubernetes restart for the same
 * reasons: a broker outage is none. A datagram that cannot be sent is lost; nothing waits for it.
 *
 * Source: sd_notify(3), "Well-known assignments", and sd_watchdog_enabled(3). */
#ifndef LEX_CONSUMER_NOTIFY_H
#define LEX_CONSUMER_NOTIFY_H

#include <sys/socket.h>
#include <sys/un.h>

#include "consumer/health.h"

enum { LEX_NOTIFY_STATUS_MAX = 512 };

/* @thread main */
struct lex_notify {
    int fd; /* -1: nobody is told anything */
    struct sockaddr_un address;
    socklen_t address_len;
    int64_t watchdog_every_us; /* 0: no watchdog */
    int64_t watchdog_at_us;
    bool ready_told;
    char status[LEX_NOTIFY_STATUS_MAX]; /* as told last */
};

/* The values of the variables NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID; NULL where one is not
 * set.
 * @post   nobody is told anything where it fails
 * @errors LEX_REJECT a variable is not what sd_notify(3) says: err names it; LEX_LIMIT no socket */
LEX_STATUS lex_notify_open(const char *socket_name, const char *watchdog_usec,
                           const char *watchdog_pid, struct lex_notify *ret_notify,
                           struct lex_error *err);
void lex_notify_close(struct lex_notify *notify);

/* Tell what has changed since the last time. Call it every few hundred milliseconds. */
void lex_notify_tick(struct lex_notify *notify, const struct lex_health *health,
                     int64_t now_mono_us);
void lex_notify_reloading(struct lex_notify *notify, int64_t now_mono_us);
void lex_notify_stopping(struct lex_notify *notify);

#endif
