/* Notify: what arrives at systemd's socket, and what does not, read from a real one. */
#include "tests/unit/lex_check.h"

#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "consumer/notify.h"
#include "core/base/clock.h"

static struct lex_health health;
static struct lex_notify notify;
static struct lex_error err;
static int manager = -1;
static char directory[64], name[128], said[8192];

static void make_healthy(void)
{
    lex_health_init(&health, 1, 60000000);
    health.startup_done = health.broker_configured = health.keys_loaded = true;
    health.policy_loaded = true;
    health.workers[0].broker_connected = true;
    health.workers[0].last_poll_mono_us = lex_clock_mono_us();
}

static void listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path));
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    ck_assert_int_eq(bind(manager, (struct sockaddr *)&address, len), 0);
}

static void setup(void)
{
    snprintf(directory, sizeof directory, "/tmp/lexecon-notify.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(name, sizeof name, "%s/socket", directory);
    make_healthy();
    notify.fd = -1;
}

static void teardown(void)
{
    lex_notify_close(&notify);
    if (manager >= 0)
        close(manager);
    manager = -1;
    unlink(name);
    rmdir(directory);
}

static void open_with_watchdog(const char *usec)
{
    listen_at(name);
    ck_assert_msg(lex_notify_open(name, usec, NULL, &notify, &err) == LEX_OK, "%s", err.text);
}

/* All datagrams that came, each with a line break behind it. */
static const char *heard(void)
{
    size_t at = 0;
    ssize_t got;
    while ((got = recv(manager, said + at, sizeof said - at - 2, 0)) > 0) {
        at += (size_t)got;
        said[at++] = '\n';
    }
    said[at] = '\0';
    return said;
}

START_TEST(without_the_variable_nothing_is_opened)
{
    ck_assert_int_eq(lex_notify_open(NULL, "1000000", NULL, &notify, &err), LEX_OK);
    ck_assert_int_eq(notify.fd, -1);
    lex_notify_tick(&notify, &health, 0);
    lex_notify_stopping(&notify);
    ck_assert_int_eq(lex_notify_open("", NULL, NULL, &notify, &err), LEX_OK);
    ck_assert_int_eq(notify.fd, -1);
}
END_TEST

START_TEST(ready_is_told_once_and_not_before_the_start_is_done)
{
    open_with_watchdog(NULL);
    health.startup_done = false;
    lex_notify_tick(&notify, &health, lex_clock_mono_us());
    ck_assert_ptr_null(strstr(heard(), "READY=1"));
    health.startup_done = true;
    lex_notify_tick(&notify, &health, lex_clock_mono_us());
    ck_assert_str_eq(heard(), "READY=1\nSTATUS=ready\n");
    lex_notify_tick(&notify, &health, lex_clock_mono_us());
    ck_assert_str_eq(heard(), "");
}
END_TEST

START_TEST(an_abstract_socket_is_reached)
{
    char abstract[64];
    snprintf(abstract, sizeof abstract, "@lexecon-notify-%d", (int)getpid());
    listen_at(abstract);
    ck_assert_int_eq(lex_notify_open(abstract, NULL, NULL, &notify, &err), LEX_OK);
    lex_notify_stopping(&notify);
    ck_assert_str_eq(heard(), "STOPPING=1\n");
}
END_TEST

START_TEST(the_status_says_what_is_in_the_way_of_readiness_and_when_it_goes)
{
    open_with_watchdog(NULL);
    health.workers[0].broker_connected = false;
    lex_notify_tick(&notify, &health, lex_clock_mono_us());
    ck_assert_str_eq(heard(), "READY=1\nSTATUS=not ready: broker: no connection to a broker now; "
                              "the log says why\n");
    health.workers[0].broker_connected = true;
    lex_notify_tick(&notify, &health, lex_clock_mono_us());
    ck_assert_str_eq(heard(), "STATUS=ready\n");
}
END_TEST

START_TEST(a_line_break_in_a_reason_makes_no_assignment)
{
    open_with_watchdog(NULL);
    health.policy_loaded = false;
    lex_health_set_policy_problem(&health, "line 1\nWATCHDOG=trigger");
    lex_notify_tick(&notify, &health, lex_clock_mono_us());
    ck_assert_ptr_nonnull(strstr(heard(), "line 1 WATCHDOG=trigger"));
}
END_TEST

START_TEST(the_watchdog_is_fed_at_half_of_its_time)
{
    open_with_watchdog("1000000");
    int64_t now = lex_clock_mono_us();
    lex_notify_tick(&notify, &health, now);
    ck_assert_ptr_nonnull(strstr(heard(), "WATCHDOG=1"));
    lex_notify_tick(&notify, &health, now + 499999);
    ck_assert_str_eq(heard(), "");
    lex_notify_tick(&notify, &health, now + 500000);
    ck_assert_str_eq(heard(), "WATCHDOG=1\n");
}
END_TEST

START_TEST(a_stuck_worker_starves_the_watchdog)
{
    open_with_watchdog("1000000");
    int64_t late = lex_clock_mono_us() + health.stuck_after_us + 1000000;
    lex_notify_tick(&notify, &health, late);
    ck_assert_ptr_null(strstr(heard(), "WATCHDOG"));
    health.workers[0].last_poll_mono_us = late;
    lex_notify_tick(&notify, &health, late);
    ck_assert_ptr_nonnull(strstr(heard(), "WATCHDOG=1"));
}
END_TEST

START_TEST(a_broker_outage_does_not_starve_the_watchdog)
{
    open_with_watchdog("1000000");
    health.workers[0].broker_connected = false;
    lex_notify_tick(&notify, &health, lex_clock_mono_us());
    ck_assert_ptr_nonnull(strstr(heard(), "WATCHDOG=1"));
}
END_TEST

START_TEST(another_processs_watchdog_is_not_ours)
{
    listen_at(name);
    ck_assert_int_eq(lex_notify_open(name, "1000000", "1", &notify, &err), LEX_OK);
    lex_notify_tick(&notify, &health, lex_clock_mono_us());
    ck_assert_ptr_null(strstr(heard(), "WATCHDOG"));
    lex_notify_close(&notify);
    char own[24];
    snprintf(own, sizeof own, "%d", (int)getpid());
    ck_assert_int_eq(lex_notify_open(name, "1000000", own, &notify, &err), LEX_OK);
    lex_notify_tick(&notify, &health, lex_clock_mono_us());
    ck_assert_ptr_nonnull(strstr(heard(), "WATCHDOG=1"));
}
END_TEST

START_TEST(a_reload_says_since_when_and_ends)
{
    open_with_watchdog(NULL);
    lex_notify_reloading(&notify, 123456);
    ck_assert_str_eq(heard(), "RELOADING=1\nMONOTONIC_USEC=123456\nREADY=1\n");
}
END_TEST

START_TEST(a_manager_that_went_away_is_no_error)
{
    open_with_watchdog("1000000");
    close(manager);
    manager = -1;
    lex_notify_tick(&notify, &health, lex_clock_mono_us());
    lex_notify_stopping(&notify);
}
END_TEST

static void refuses(const char *socket_name, const char *usec, const char *pid,
                    const char *variable)
{
    ck_assert_int_eq(lex_notify_open(socket_name, usec, pid, &notify, &err), LEX_REJECT);
    ck_assert_msg(strstr(err.text, variable) != NULL, "%s", err.text);
    ck_assert_int_eq(notify.fd, -1);
}

START_TEST(a_variable_that_is_wrong_is_refused_by_name)
{
    char longest[sizeof notify.address.sun_path + 1];
    memset(longest, 'x', sizeof longest);
    longest[0] = '/';
    longest[sizeof longest - 1] = '\0';
    refuses(longest, NULL, NULL, "NOTIFY_SOCKET");
    longest[sizeof longest - 2] = '\0'; /* one byte less fits */
    ck_assert_int_eq(lex_notify_open(longest, NULL, NULL, &notify, &err), LEX_OK);
    lex_notify_close(&notify);
    refuses("relative", NULL, NULL, "NOTIFY_SOCKET");
    refuses("@", NULL, NULL, "NOTIFY_SOCKET");
    refuses("vsock:2:1234", NULL, NULL, "NOTIFY_SOCKET");
    refuses(name, "soon", NULL, "WATCHDOG_USEC");
    refuses(name, "0", NULL, "WATCHDOG_USEC");
    refuses(name, "1000", "self", "WATCHDOG_PID");
}
END_TEST

LEX_CHECK_MAIN_WITH("notify", setup, teardown, without_the_variable_nothing_is_opened,
                    ready_is_told_once_and_not_before_the_start_is_done,
                    an_abstract_socket_is_reached,
                    the_status_says_what_is_in_the_way_of_readiness_and_when_it_goes,
                    a_line_break_in_a_reason_makes_no_assignment,
                    the_watchdog_is_fed_at_half_of_its_time, a_stuck_worker_starves_the_watchdog,
                    a_broker_outage_does_not_starve_the_watchdog,
                    another_processs_watchdog_is_not_ours, a_reload_says_since_when_and_ends,
                    a_manager_that_went_away_is_no_error,
                    a_variable_that_is_wrong_is_refused_by_name)
