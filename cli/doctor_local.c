/* Doctor: the steps that ask this machine alone. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cli/doctor.h"
#include "consumer/http.h"
#include "consumer/web.h"
#include "core/crypto/jwt.h"
#include "core/identity/identity.h"
#include "core/policy/policy.h"

enum { MIB = 1 << 20, ROOM_WARN_MIB = 1024, ROOM_FAIL_MIB = 64, HTTP_TIMEOUT_MS = 2000 };

/* ---- data_dir ---- */

static void say_room(struct lex_doctor *d, const char *dir, const char *what)
{
    struct statvfs found;
    if (statvfs(dir, &found) != 0) {
        lex_doctor_say(d, LEX_DOCTOR_WARN, NULL, "%s %s; its room cannot be seen: %s", dir, what,
                       strerror(errno));
        return;
    }
    unsigned long long mib = (unsigned long long)found.f_bavail * found.f_frsize / MIB;
    enum lex_doctor_level level = mib < ROOM_FAIL_MIB   ? LEX_DOCTOR_FAIL
                                  : mib < ROOM_WARN_MIB ? LEX_DOCTOR_WARN
                                                        : LEX_DOCTOR_OK;
    lex_doctor_say(d, level,
                   level == LEX_DOCTOR_OK
                       ? NULL
                       : "make room, or set LEXECON_DATA_DIR elsewhere: the mirror grows with the "
                         "ledger",
                   "%s %s, %llu MiB free", dir, what, mib);
}

/* Made as the service would, and taken away again: nothing else says whether it can be. */
static void try_to_make(struct lex_doctor *d, const char *dir)
{
    if (mkdir(dir, 0700) != 0) {
        lex_doctor_say(d, LEX_DOCTOR_FAIL,
                       "make it, owned by the service's user, or set LEXECON_DATA_DIR",
                       "data_dir %s is not there, and cannot be made: %s", dir, strerror(errno));
        return;
    }
    say_room(d, dir, "is made at the first start");
    (void)rmdir(dir);
}

void lex_doctor_data_dir(struct lex_doctor *d)
{
    char name[4200];
    const char *dir = d->config->data_dir;
    struct stat found;
    if (stat(dir, &found) != 0) {
        try_to_make(d, dir);
        return;
    }
    (void)snprintf(name, sizeof name, "%s/.doctor.XXXXXX", dir);
    int fd = mkstemp(name);
    if (fd < 0) {
        lex_doctor_say(d, LEX_DOCTOR_FAIL,
                       "give it to the service's user (in Kubernetes securityContext.fsGroup), or "
                       "set LEXECON_DATA_DIR",
                       "data_dir %s cannot be written: %s", dir, strerror(errno));
        return;
    }
    (void)close(fd);
    (void)unlink(name);
    say_room(d, dir, "can be written");
}

/* ---- keys ---- */

static void say_origin(struct lex_doctor *d)
{
    const struct lex_config *c = d->config;
    if (c->sources[LEX_OPTION_origin_prefix] == LEX_SOURCE_DEFAULT && !c->embedded)
        lex_doctor_say(d, LEX_DOCTOR_WARN,
                       "set LEXECON_ORIGIN_PREFIX=<org>/<cluster> before the first request; every "
                       "entry and pin file names it",
                       "origin_prefix is the default, %s", c->origin_prefix);
    if (c->keys == LEX_KEYS_GENERATE && !c->embedded)
        lex_doctor_say(d, LEX_DOCTOR_WARN,
                       "for more than one process: lexecon keys generate --dir DIR, "
                       "LEXECON_KEYS=mounted, the same files for all",
                       "keys=generate: each data_dir has keys of its own, and verifiers must pin "
                       "them all");
}

void lex_doctor_keys(struct lex_doctor *d)
{
    struct lex_keyring *keyring;
    struct lex_error err = {{0}};
    const struct lex_config *c = d->config;
    struct stat found;
    if (c->role == LEX_ROLE_AUDIT) {
        lex_doctor_say(d, LEX_DOCTOR_OK, NULL, "role=audit signs nothing");
        return;
    }
    if (c->keys == LEX_KEYS_GENERATE && stat(c->keys_dir, &found) != 0) {
        lex_doctor_say(d, LEX_DOCTOR_OK, NULL, "none in %s: made at the first start", c->keys_dir);
    } else if (lex_keyring_load(c->keys_dir, c->origin_prefix, &keyring, &err) != LEX_OK) {
        lex_doctor_say(d, LEX_DOCTOR_FAIL, "the message has the command", "%s", err.text);
        return;
    } else {
        const uint8_t *id = lex_keyring_id(keyring, LEX_KEY_VERDICT);
        lex_doctor_say(d, LEX_DOCTOR_OK, NULL,
                       "verdict, log and token keys in %s; verdicts are signed as %s/verdict, key "
                       "id %02x%02x%02x%02x",
                       c->keys_dir, c->origin_prefix, id[0], id[1], id[2], id[3]);
        lex_keyring_free(keyring);
    }
    say_origin(d);
}

/* ---- policy ---- */

static void say_lints(struct lex_doctor *d, const struct lex_policy *policy)
{
    const struct lex_policy_lint *lints;
    size_t count = lex_policy_lints(policy, &lints), dangers = 0, doubts = 0;
    for (size_t i = 0; i < count; i++) {
        dangers += strcmp(lints[i].rank, "danger") == 0;
        doubts += strcmp(lints[i].rank, "doubt") == 0;
    }
    char mend[256] = "";
    if (dangers + doubts != 0)
        (void)snprintf(mend, sizeof mend, "lexecon policy check %s", d->config->policy);
    const struct lex_policy_info *info = lex_policy_info(policy);
    lex_doctor_say(d, dangers + doubts != 0 ? LEX_DOCTOR_WARN : LEX_DOCTOR_OK, mend,
                   "%.*s loads: %zu relations, %zu constraints; lints: %zu dangers, %zu doubts, "
                   "%zu of style",
                   LEX_SPAN_FMT(info->id), info->relations, info->constraints, dangers, doubts,
                   count - dangers - doubts);
}

static void check_policy_key(struct lex_doctor *d)
{
    struct lex_public_key key;
    struct lex_error err = {{0}};
    if (d->config->policy_key == NULL)
        lex_doctor_say(d, LEX_DOCTOR_FAIL, "set LEXECON_POLICY_KEY to the authors' public key",
                       "%s, and no policy_key: no published policy is taken", d->config->policy);
    else if (lex_public_key_load(d->config->policy_key, &key, &err) != LEX_OK)
        lex_doctor_say(d, LEX_DOCTOR_FAIL, "set LEXECON_POLICY_KEY to the authors' public key",
                       "%s", err.text);
    else
        lex_doctor_say(d, LEX_DOCTOR_OK, NULL, "%s, signed by the key of %s", d->config->policy,
                       d->config->policy_key);
}

void lex_doctor_policy(struct lex_doctor *d)
{
    struct lex_policy *policy;
    struct lex_error err = {{0}};
    if (d->config->role == LEX_ROLE_AUDIT) {
        lex_doctor_say(d, LEX_DOCTOR_OK, NULL, "role=audit decides nothing");
    } else if (d->config->policy == NULL) {
        lex_doctor_say(d, LEX_DOCTOR_FAIL,
                       "set LEXECON_POLICY to a file, a directory, or topic:<policy_id>",
                       "no policy: the service starts, decides nothing and is not ready");
    } else if (lex_config_policy_topic(d->config) != NULL) {
        check_policy_key(d);
    } else if (lex_policy_load_path(d->config->policy, &policy, &err) != LEX_OK) {
        lex_doctor_say(d, LEX_DOCTOR_FAIL,
                       "put it right; `lexecon policy check` says more, and the service takes it "
                       "by itself",
                       "%s", err.text);
    } else {
        d->policy_bytes = lex_policy_info(policy)->document.len;
        say_lints(d, policy);
        lex_policy_unref(policy);
    }
}

/* ---- issuers ---- */

void lex_doctor_issuers(struct lex_doctor *d)
{
    struct lex_identity *identity;
    struct lex_error err = {{0}};
    const struct lex_config *c = d->config;
    if (c->issuers == NULL) {
        lex_doctor_say(d, LEX_DOCTOR_OK, NULL,
                       "none: no attestation is taken, who may write requests vouches for actors");
    } else if (lex_identity_load(c->issuers, &identity, &err) != LEX_OK) {
        lex_doctor_say(d, LEX_DOCTOR_FAIL, "put it right: the service does not start with it", "%s",
                       err.text);
    } else {
        lex_doctor_say(d, LEX_DOCTOR_OK, NULL, "%s loads", c->issuers);
        lex_identity_free(identity);
    }
}

/* ---- http ---- */

static void check_api_key(struct lex_doctor *d)
{
    char key[LEX_HTTP_API_KEY_MAX_BYTES + 1];
    const char *path = d->config->api_key_file;
    if (path == NULL)
        return;
    FILE *file = fopen(path, "re");
    size_t len = file != NULL ? fread(key, 1, sizeof key, file) : 0;
    if (file != NULL)
        (void)fclose(file);
    while (len > 0 && strchr(" \t\r\n", key[len - 1]) != NULL)
        len--;
    if (len == 0 || len > LEX_HTTP_API_KEY_MAX_BYTES)
        lex_doctor_say(d, LEX_DOCTOR_FAIL,
                       "put a key into the file, or unset LEXECON_API_KEY_FILE; the service does "
                       "not start with it",
                       "api_key_file %s: no key of 1 to %d bytes", path,
                       LEX_HTTP_API_KEY_MAX_BYTES);
    else
        lex_doctor_say(d, LEX_DOCTOR_OK, NULL, "api_key_file %s has a key", path);
}

/* @return 0, or errno of a bind to it */
static int try_port(const struct lex_config *c)
{
    char port[16];
    struct addrinfo *found, hints = {.ai_socktype = SOCK_STREAM,
                                     .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV};
    const int on = 1;
    (void)snprintf(port, sizeof port, "%lld", (long long)c->http_port);
    if (getaddrinfo(c->http_address, port, &hints, &found) != 0)
        return EADDRNOTAVAIL;
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0), error = errno;
    if (fd >= 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        error = bind(fd, found->ai_addr, found->ai_addrlen) == 0 && listen(fd, 1) == 0 ? 0 : errno;
        (void)close(fd);
    }
    freeaddrinfo(found);
    return error;
}

/* Beside a running node the port is taken, by that node. */
static bool is_a_node(const struct lex_config *c)
{
    char url[128];
    struct lex_web *web;
    struct lex_web_answer answer;
    struct lex_error ignored;
    const struct lex_web_options options = {.timeout_ms = HTTP_TIMEOUT_MS, .answer_max_bytes = MIB};
    bool any = strcmp(c->http_address, "0.0.0.0") == 0 || strcmp(c->http_address, "::") == 0;
    (void)snprintf(url, sizeof url, "http://%s:%lld/version", any ? "127.0.0.1" : c->http_address,
                   (long long)c->http_port);
    if (lex_web_new(&options, &web, &ignored) != LEX_OK)
        return false;
    const struct lex_web_request request = {.method = "GET", .url = url};
    bool is = lex_web_call(web, &request, &answer, &ignored) == LEX_OK && answer.status == 200 &&
              memmem(answer.body.data, answer.body.len, "\"lexecon\"", 9) != NULL;
    lex_web_free(web);
    return is;
}

void lex_doctor_http(struct lex_doctor *d)
{
    const struct lex_config *c = d->config;
    int error = try_port(c);
    if (error == 0)
        lex_doctor_say(d, LEX_DOCTOR_OK, NULL, "%s:%lld is free", c->http_address,
                       (long long)c->http_port);
    else if (error == EADDRINUSE && is_a_node(c))
        lex_doctor_say(d, LEX_DOCTOR_OK, NULL, "%s:%lld answers as a running node", c->http_address,
                       (long long)c->http_port);
    else
        lex_doctor_say(d, LEX_DOCTOR_FAIL,
                       "set LEXECON_HTTP_PORT to a free port, and LEXECON_HTTP_ADDRESS to an "
                       "address of this machine",
                       "%s:%lld cannot be listened on: %s", c->http_address,
                       (long long)c->http_port, strerror(error));
    check_api_key(d);
}
