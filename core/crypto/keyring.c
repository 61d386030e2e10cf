/* Keyring: one Ed25519 key per role (libsodium), read from or made in a directory.
 *
 * Secrets live in sodium_malloc memory: guard pages around it, locked where the system allows, no
 * core dump, read-only once loaded, wiped when freed. A key file that others can read is refused
 * rather than warned about: a key that may have leaked proves nothing. */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/crypto/crypto.h"

enum { PATH_MAX_BYTES = 4096, NAME_MAX_BYTES = LEX_ORIGIN_PREFIX_MAX_BYTES + 16 };

/* Multiples of 16, since sodium_malloc aligns only what ends on a boundary. */
struct secret {
    uint8_t bytes[crypto_sign_SECRETKEYBYTES];
};

struct lex_keyring {
    char prefix[LEX_ORIGIN_PREFIX_MAX_BYTES + 1];
    bool has[LEX_KEY_ROLES];
    struct lex_public_key public_key[LEX_KEY_ROLES];
    uint8_t id[LEX_KEY_ROLES][LEX_KEY_ID_BYTES];
    struct secret *secrets; /* guarded, LEX_KEY_ROLES of them */
};

/* ---- make, fill, free ---- */

void lex_keyring_free(struct lex_keyring *keyring)
{
    if (keyring == NULL)
        return;
    sodium_free(keyring->secrets);
    free(keyring);
}

static void keyring_fini(struct lex_keyring **keyring)
{
    lex_keyring_free(*keyring);
}

static enum lex_status keyring_new(const char *prefix, struct lex_keyring **ret,
                                   struct lex_error *err)
{
    LEX_TRY(lex_origin_prefix_check(lex_span_str(prefix), err));
    struct lex_keyring *keyring = calloc(1, sizeof *keyring);
    if (keyring != NULL)
        keyring->secrets = sodium_allocarray(LEX_KEY_ROLES, sizeof *keyring->secrets);
    if (keyring == NULL || keyring->secrets == NULL) {
        lex_keyring_free(keyring);
        return lex_fail(err, LEX_LIMIT, "no memory for the keys");
    }
    (void)snprintf(keyring->prefix, sizeof keyring->prefix, "%s", prefix);
    *ret = keyring;
    return LEX_OK;
}

static void keyring_set(struct lex_keyring *keyring, enum lex_key_role role,
                        const uint8_t seed[LEX_SEED_BYTES])
{
    char name[NAME_MAX_BYTES];
    (void)snprintf(name, sizeof name, "%s/%s", keyring->prefix, lex_key_role_name(role));
    crypto_sign_seed_keypair(keyring->public_key[role].bytes, keyring->secrets[role].bytes, seed);
    lex_key_id(lex_span_str(name), &keyring->public_key[role], keyring->id[role]);
    keyring->has[role] = true;
}

LEX_STATUS lex_keyring_from_seed(const uint8_t seed[32], const char *origin_prefix,
                                 struct lex_keyring **ret_keyring, struct lex_error *err)
{
    struct lex_keyring *keyring = NULL;
    LEX_TRY(keyring_new(origin_prefix, &keyring, err));
    for (unsigned role = 0; role < LEX_KEY_ROLES; role++) {
        struct lex_hash own; /* a seed per role: one key must not stand for another */
        const char *name = lex_key_role_name(role);
        lex_sha256((const struct lex_span[]){{seed, LEX_SEED_BYTES},
                                             {(const uint8_t *)name, strlen(name)}},
                   2, &own);
        keyring_set(keyring, role, own.bytes);
        sodium_memzero(&own, sizeof own);
    }
    *ret_keyring = keyring;
    return LEX_OK;
}

/* ---- files ---- */

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

static enum lex_status key_path(const char *dir, enum lex_key_role role, char out[PATH_MAX_BYTES],
                                struct lex_error *err)
{
    int len = snprintf(out, PATH_MAX_BYTES, "%s/%s.pem", dir, lex_key_role_name(role));
    if (len < 0 || len >= PATH_MAX_BYTES - 32) /* room for a temporary name's ending */
        return lex_fail(err, LEX_REJECT, "key directory: its name is longer than a path may be");
    return LEX_OK;
}

/* What others may not have of a key file. Root may hand a file to an unprivileged process through
 * its group alone, as Kubernetes does with a mounted Secret (root:fsGroup, mode 0440), so there the
 * group may read. A file of our own is for us. */
static mode_t forbidden_bits(const struct stat *info)
{
    return info->st_uid == 0 && geteuid() != 0 ? 037 : 077;
}

static enum lex_status check_file(int fd, const char *path, struct lex_error *err)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return lex_fail(err, LEX_REJECT, "%s: %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return lex_fail(err, LEX_REJECT, "%s: not a regular file", path);
    if ((info.st_mode & forbidden_bits(&info)) != 0)
        return lex_fail(
            err, LEX_REJECT,
            "%s: mode %04o lets others at the private key, expected 0600; run: chmod 600 %s "
            "(and make a new key if somebody may have read it)",
            path, (unsigned)info.st_mode & 07777u, path);
    return LEX_OK;
}

struct key_text {
    uint8_t bytes[LEX_KEY_FILE_MAX_BYTES + 1], seed[LEX_SEED_BYTES];
};

static void wipe(struct key_text *text)
{
    sodium_memzero(text, sizeof *text);
}

static enum lex_status read_all(int fd, const char *path, struct key_text *text, size_t *ret_len,
                                struct lex_error *err)
{
    size_t len = 0;
    while (len < sizeof text->bytes) {
        ssize_t got = read(fd, text->bytes + len, sizeof text->bytes - len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return lex_fail(err, LEX_REJECT, "%s: %s", path, strerror(errno));
        if (got == 0)
            break;
        len += (size_t)got;
    }
    *ret_len = len;
    return LEX_OK;
}

LEX_STATUS lex_key_file_read(const char *path, uint8_t ret_seed[LEX_SEED_BYTES], bool *ret_missing,
                             struct lex_error *err)
{
    struct lex_error why;
    size_t len = 0;
    LEX_CLEANUP(wipe) struct key_text text;
    LEX_CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    *ret_missing = fd < 0 && errno == ENOENT;
    if (fd < 0)
        return lex_fail(err, LEX_REJECT, "%s: %s", path, strerror(errno));
    LEX_TRY(check_file(fd, path, err));
    LEX_TRY(read_all(fd, path, &text, &len, err));
    if (lex_pem_parse(lex_span_of(text.bytes, len), text.seed, &why) != LEX_OK)
        return lex_fail(err, LEX_REJECT, "%s: %s", path, why.text);
    memcpy(ret_seed, text.seed, LEX_SEED_BYTES);
    return LEX_OK;
}

/* Read one file into its place. @post *ret_missing says that there is none */
static enum lex_status load_role(struct lex_keyring *keyring, const char *dir,
                                 enum lex_key_role role, bool *ret_missing, struct lex_error *err)
{
    char path[PATH_MAX_BYTES];
    uint8_t seed[LEX_SEED_BYTES];
    LEX_TRY(key_path(dir, role, path, err));
    enum lex_status status = lex_key_file_read(path, seed, ret_missing, err);
    if (status != LEX_OK && *ret_missing)
        return lex_fail(
            err, LEX_REJECT,
            "%s: there is no such file; make the keys with: lexecon keys generate --dir %s", path,
            dir);
    LEX_TRY(status);
    keyring_set(keyring, role, seed);
    sodium_memzero(seed, sizeof seed);
    return LEX_OK;
}

LEX_STATUS lex_keyring_load(const char *dir, const char *origin_prefix,
                            struct lex_keyring **ret_keyring, struct lex_error *err)
{
    LEX_CLEANUP(keyring_fini) struct lex_keyring *keyring = NULL;
    LEX_TRY(keyring_new(origin_prefix, &keyring, err));
    for (unsigned role = 0; role < LEX_KEY_ROLES; role++) {
        bool missing = false;
        enum lex_status status = load_role(keyring, dir, role, &missing, err);
        bool needed = (LEX_KEYS_SERVICE & 1u << role) != 0;
        if (status != LEX_OK && (needed || !missing))
            return status;
    }
    (void)sodium_mprotect_readonly(keyring->secrets);
    *ret_keyring = keyring;
    keyring = NULL;
    return LEX_OK;
}

/* ---- generate ---- */

static enum lex_status write_all(int fd, const char *path, struct lex_span text,
                                 struct lex_error *err)
{
    while (text.len > 0) {
        ssize_t put = write(fd, text.data, text.len);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return lex_fail(err, LEX_REJECT, "%s: %s", path, strerror(errno));
        text = lex_span_of(text.data + put, text.len - (size_t)put);
    }
    if (fsync(fd) != 0)
        return lex_fail(err, LEX_REJECT, "%s: %s", path, strerror(errno));
    return LEX_OK;
}

/* A new seed as PEM, written to a file of its own that nobody else can have opened. */
static enum lex_status write_new(const char *path, struct lex_error *err)
{
    uint8_t seed[LEX_SEED_BYTES];
    struct lex_buf pem;
    LEX_CLEANUP(close_fd)
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return lex_fail(err, LEX_REJECT, "%s: %s", path, strerror(errno));
    randombytes_buf(seed, sizeof seed);
    lex_buf_init(&pem, LEX_KEY_FILE_MAX_BYTES);
    lex_pem_write(seed, &pem);
    sodium_memzero(seed, sizeof seed);
    enum lex_status status = lex_buf_ok(&pem) ? write_all(fd, path, lex_buf_span(&pem), err)
                                              : lex_fail(err, LEX_LIMIT, "no memory for a key");
    if (pem.data != NULL)
        sodium_memzero(pem.data, pem.cap);
    lex_buf_fini(&pem);
    return status;
}

/* Whole or not at all: the text goes to a temporary name, and a hard link, which fails where the
 * name is taken, gives it its own. Two processes that start together end up with one key. */
static enum lex_status make_role(const char *dir, enum lex_key_role role, bool *ret_made,
                                 struct lex_error *err)
{
    char path[PATH_MAX_BYTES], temporary[PATH_MAX_BYTES + 32];
    LEX_TRY(key_path(dir, role, path, err));
    *ret_made = false;
    if (access(path, F_OK) == 0)
        return LEX_OK;
    (void)snprintf(temporary, sizeof temporary, "%s.%08x.new", path, randombytes_random());
    enum lex_status status = write_new(temporary, err);
    if (status == LEX_OK && link(temporary, path) == 0)
        *ret_made = true;
    else if (status == LEX_OK && errno != EEXIST)
        status = lex_fail(err, LEX_REJECT, "%s: %s", path, strerror(errno));
    (void)unlink(temporary);
    return status;
}

LEX_STATUS lex_keyring_generate(const char *dir, unsigned roles, unsigned *ret_made,
                                struct lex_error *err)
{
    unsigned made = 0;
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return lex_fail(err, LEX_REJECT, "key directory %s: %s", dir, strerror(errno));
    LEX_CLEANUP(close_fd) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return lex_fail(err, LEX_REJECT, "key directory %s: %s", dir, strerror(errno));
    for (unsigned role = 0; role < LEX_KEY_ROLES; role++) {
        bool new_file = false;
        if ((roles & 1u << role) == 0)
            continue;
        LEX_TRY(make_role(dir, role, &new_file, err));
        made |= new_file ? 1u << role : 0;
    }
    if (made != 0 && fsync(fd) != 0) /* the names too: a key that signed must not vanish */
        return lex_fail(err, LEX_REJECT, "key directory %s: %s", dir, strerror(errno));
    if (ret_made != NULL)
        *ret_made = made;
    return LEX_OK;
}

LEX_STATUS lex_keyring_load_or_generate(const char *dir, const char *origin_prefix,
                                        struct lex_keyring **ret_keyring, struct lex_error *err)
{
    LEX_TRY(lex_origin_prefix_check(lex_span_str(origin_prefix), err));
    LEX_TRY(lex_keyring_generate(dir, LEX_KEYS_SERVICE, NULL, err));
    return lex_keyring_load(dir, origin_prefix, ret_keyring, err);
}

/* ---- use ---- */

const struct lex_public_key *lex_keyring_public(const struct lex_keyring *keyring,
                                                enum lex_key_role role)
{
    return keyring->has[role] ? &keyring->public_key[role] : NULL;
}

const uint8_t *lex_keyring_id(const struct lex_keyring *keyring, enum lex_key_role role)
{
    return keyring->has[role] ? keyring->id[role] : NULL;
}

struct lex_span lex_keyring_origin_prefix(const struct lex_keyring *keyring)
{
    return lex_span_str(keyring->prefix);
}

void lex_keyring_sign(const struct lex_keyring *keyring, enum lex_key_role role,
                      struct lex_span message, uint8_t ret_signature[LEX_SIGNATURE_BYTES])
{
    LEX_ASSERT(keyring->has[role]);
    crypto_sign_detached(ret_signature, NULL, message.data, message.len,
                         keyring->secrets[role].bytes);
}

bool lex_signature_verify(const struct lex_public_key *key, struct lex_span message,
                          const uint8_t signature[LEX_SIGNATURE_BYTES])
{
    return crypto_sign_verify_detached(signature, message.data, message.len, key->bytes) == 0;
}
