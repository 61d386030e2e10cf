#include "core/ledger/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/json.h"
#include "core/ledger/mirror_sql.h"

enum {
    APPLICATION_ID = 0x4c45584d, /* "LEXM", where `file` and we look for it */
    PAGE_BYTES = 16384, /* entries of 500 bytes: a quarter cheaper than pages of 4096, measured */
    BUSY_TIMEOUT_MS = 2000,
    WAL_LIMIT_BYTES = 64 << 20,
};

/* Statements, prepared when they are first used. */
enum statement {
    APPEND,
    ADD_GAP,
    SET_POSITION,
    GET_POSITION,
    KEEP_BROKEN,
    COUNT_BROKEN,
    COUNT,
    COUNT_ALL,
    NEXT_PARTITION,
    NEXT_GAP,
    WALK,
    STATEMENTS
};

static const char *const statement_sql[STATEMENTS] = {
    [APPEND] = "INSERT INTO entries (partition, seq, kafka_offset, value) VALUES (?1, ?2, ?3, ?4)",
    [ADD_GAP] = "INSERT INTO gaps (partition, from_seq, to_seq, reason) VALUES (?1, ?2, ?3, ?4)",
    [SET_POSITION] = "INSERT INTO positions (partition, log, next_kafka_offset, next_seq, prev) "
                     "VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (partition) DO UPDATE SET log = ?2, "
                     "next_kafka_offset = ?3, next_seq = ?4, prev = ?5",
    [GET_POSITION] = "SELECT log, next_kafka_offset, next_seq, prev FROM positions "
                     "WHERE partition = ?1",
    [KEEP_BROKEN] = "INSERT OR REPLACE INTO broken (partition, kafka_offset, bytes, value, reason) "
                    "VALUES (?1, ?2, ?3, ?4, ?5)",
    [COUNT_BROKEN] = "SELECT count(*) FROM broken",
    [COUNT] = "SELECT count(*) FROM entries WHERE partition = ?1",
    [COUNT_ALL] = "SELECT count(*) FROM entries",
    [NEXT_PARTITION] = "SELECT min(partition) FROM positions WHERE partition > ?1",
    [NEXT_GAP] =
        "SELECT from_seq, to_seq, reason FROM gaps WHERE partition = ?1 AND from_seq >= ?2 "
        "ORDER BY from_seq LIMIT 1",
    [WALK] = "SELECT seq, kafka_offset, value FROM entries WHERE partition = ?1 AND seq >= ?2 "
             "ORDER BY seq",
};

struct lex_store {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    char *path;
    dev_t device; /* of the file as it was opened */
    ino_t inode;
    bool in_transaction;
};

/* ---- errors ---- */

static enum lex_status class_of(int code)
{
    switch (code & 0xff) {
    case SQLITE_FULL:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_IOERR:
    case SQLITE_NOMEM: return LEX_RETRY;
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_READONLY: return LEX_REJECT;
    default: return LEX_HALT;
    }
}

static const char *advice_of(enum lex_status class)
{
    switch (class) {
    case LEX_RETRY: return "it is tried again; make room on the disk, or end what locks the file";
    case LEX_REJECT: return "check that the path is right and the directory can be written";
    default:
        return "stop the service and delete the file with its -wal and -shm; it rebuilds itself "
               "from the ledger topic";
    }
}

static enum lex_status fail(struct lex_store *store, int code, const char *doing,
                            struct lex_error *err)
{
    enum lex_status class = class_of(code);
    const char *why = store->db != NULL ? sqlite3_errmsg(store->db) : sqlite3_errstr(code);
    return lex_fail(err, class, "mirror %s: %s: %s; %s", store->path, doing, why, advice_of(class));
}

static enum lex_status exec(struct lex_store *store, const char *sql, const char *doing,
                            struct lex_error *err)
{
    int code = sqlite3_exec(store->db, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? LEX_OK : fail(store, code, doing, err);
}

/* ---- statements ---- */

static enum lex_status prepare(struct lex_store *store, enum statement which, sqlite3_stmt **ret,
                               struct lex_error *err)
{
    sqlite3_stmt **statement = &store->statements[which];
    if (*statement == NULL) {
        int code = sqlite3_prepare_v3(store->db, statement_sql[which], -1,
                                      SQLITE_PREPARE_PERSISTENT, statement, NULL);
        if (code != SQLITE_OK)
            return fail(store, code, "preparing", err);
    }
    (void)sqlite3_reset(*statement); /* reports the last step's failure again, which was told */
    *ret = *statement;
    return LEX_OK;
}

static void bind_text(sqlite3_stmt *statement, int at, const char *text)
{
    (void)sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC);
}

static void bind_blob(sqlite3_stmt *statement, int at, struct lex_span bytes)
{
    LEX_ASSERT(bytes.len <= INT_MAX);
    (void)sqlite3_bind_blob(statement, at, bytes.len == 0 ? "" : (const void *)bytes.data,
                            (int)bytes.len, SQLITE_STATIC);
}

/* Run a statement that gives no rows. */
static enum lex_status run(struct lex_store *store, sqlite3_stmt *statement, const char *doing,
                           struct lex_error *err)
{
    int code = sqlite3_step(statement);
    if (code == SQLITE_DONE)
        code = sqlite3_reset(statement);
    return code == SQLITE_OK ? LEX_OK : fail(store, code, doing, err);
}

/* One row, or none. The caller resets the statement once it has read the columns. */
static enum lex_status fetch(struct lex_store *store, sqlite3_stmt *statement, bool *ret_found,
                             struct lex_error *err)
{
    int code = sqlite3_step(statement);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        return fail(store, code, "reading", err);
    *ret_found = code == SQLITE_ROW;
    return LEX_OK;
}

static struct lex_span column_span(sqlite3_stmt *statement, int at)
{
    const void *data = sqlite3_column_blob(statement, at);
    return lex_span_of(data, (size_t)sqlite3_column_bytes(statement, at));
}

/* ---- open and close ---- */

static enum lex_status read_number(struct lex_store *store, const char *sql, int64_t *ret,
                                   struct lex_error *err)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        *ret = sqlite3_column_int64(statement, 0);
    enum lex_status status = code == SQLITE_ROW ? LEX_OK : fail(store, code, "opening", err);
    (void)sqlite3_finalize(statement);
    return status;
}

static enum lex_status create_tables(struct lex_store *store, struct lex_error *err)
{
    char identity[128];
    (void)snprintf(identity, sizeof identity,
                   "PRAGMA application_id = %d; PRAGMA user_version = %d", APPLICATION_ID,
                   LEX_STORE_VERSION);
    LEX_TRY(exec(store, "BEGIN IMMEDIATE", "creating", err));
    enum lex_status status = exec(store, lex_mirror_sql, "creating", err);
    if (status == LEX_OK)
        status = exec(store, identity, "creating", err);
    if (status == LEX_OK)
        status = exec(store, "COMMIT", "creating", err);
    if (status != LEX_OK)
        (void)sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

static enum lex_status check_identity(struct lex_store *store, enum lex_store_mode mode,
                                      struct lex_error *err)
{
    int64_t application = 0, version = 0, tables = 0;
    LEX_TRY(read_number(store, "PRAGMA application_id", &application, err));
    LEX_TRY(read_number(store, "PRAGMA user_version", &version, err));
    LEX_TRY(read_number(store, "SELECT count(*) FROM sqlite_master", &tables, err));
    if (application == 0 && version == 0 && tables == 0 && mode == LEX_STORE_WRITE)
        return create_tables(store, err);
    if (application != APPLICATION_ID)
        return lex_fail(
            err, LEX_HALT,
            "mirror %s: this SQLite file is no mirror; set another path, or delete it and it "
            "is made anew",
            store->path);
    if (version != LEX_STORE_VERSION)
        return lex_fail(
            err, LEX_HALT,
            "mirror %s: version %lld, this program writes %d; delete the file with its -wal "
            "and -shm, it rebuilds itself from the ledger topic",
            store->path, (long long)version, LEX_STORE_VERSION);
    return LEX_OK;
}

static enum lex_status configure(struct lex_store *store, enum lex_store_mode mode,
                                 struct lex_error *err)
{
    char sql[256];
    (void)sqlite3_busy_timeout(store->db, BUSY_TIMEOUT_MS);
    (void)sqlite3_extended_result_codes(store->db, 1);
    if (mode == LEX_STORE_READ)
        return LEX_OK;
    (void)snprintf(sql, sizeof sql,
                   "PRAGMA page_size = %d; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; "
                   "PRAGMA journal_size_limit = %d",
                   PAGE_BYTES, WAL_LIMIT_BYTES);
    return exec(store, sql, "opening", err);
}

/* SQLite makes files by the umask; a ledger's content is nobody else's business. */
static enum lex_status make_file(struct lex_store *store, struct lex_error *err)
{
    int fd = open(store->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return lex_fail(err, LEX_REJECT,
                        "mirror %s: %s; check that its directory exists and can be "
                        "written",
                        store->path, strerror(errno));
    (void)close(fd);
    return LEX_OK;
}

static enum lex_status open_file(struct lex_store *store, enum lex_store_mode mode,
                                 struct lex_error *err)
{
    struct stat info;
    int flags = mode == LEX_STORE_READ ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
    if (mode == LEX_STORE_WRITE)
        LEX_TRY(make_file(store, err));
    if (stat(store->path, &info) != 0)
        return lex_fail(err, LEX_REJECT, "mirror %s: %s", store->path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return lex_fail(err, LEX_REJECT, "mirror %s: not a regular file", store->path);
    int code = sqlite3_open_v2(store->path, &store->db, flags | SQLITE_OPEN_NOMUTEX, NULL);
    if (code != SQLITE_OK)
        return fail(store, code, "opening", err);
    store->device = info.st_dev;
    store->inode = info.st_ino;
    LEX_TRY(configure(store, mode, err));
    return check_identity(store, mode, err);
}

LEX_STATUS lex_store_open(const char *path, enum lex_store_mode mode, struct lex_store **ret_store,
                          struct lex_error *err)
{
    struct lex_store *store = calloc(1, sizeof *store);
    if (store != NULL)
        store->path = strdup(path);
    if (store == NULL || store->path == NULL) {
        free(store);
        return lex_fail(err, LEX_LIMIT, "mirror %s: no memory to open it", path);
    }
    enum lex_status status = open_file(store, mode, err);
    if (status == LEX_OK)
        *ret_store = store;
    else
        lex_store_close(store);
    return status;
}

void lex_store_close(struct lex_store *store)
{
    if (store == NULL)
        return;
    lex_store_rollback(store);
    for (size_t i = 0; i < STATEMENTS; i++)
        (void)sqlite3_finalize(store->statements[i]);
    (void)sqlite3_close(store->db);
    free(store->path);
    free(store);
}

bool lex_store_gone(const struct lex_store *store)
{
    struct stat info;
    return stat(store->path, &info) != 0 || info.st_dev != store->device ||
           info.st_ino != store->inode;
}

/* SQLite's own descriptors: to open the file once more and close it would take SQLite's locks away
 * with it, since those of POSIX belong to the process (SQLite, "How To Corrupt", 2.2). */
void lex_store_drop_cache(const struct lex_store *store)
{
    DIR *open_files = opendir("/proc/self/fd");
    const struct dirent *entry;
    struct stat info;
    while (open_files != NULL && (entry = readdir(open_files)) != NULL) {
        int64_t fd = 0; /* "." and ".." are no numbers */
        if (lex_json_int64(lex_span_str(entry->d_name), &fd) == LEX_OK &&
            fstat((int)fd, &info) == 0 && info.st_dev == store->device &&
            info.st_ino == store->inode)
            (void)posix_fadvise((int)fd, 0, 0, POSIX_FADV_DONTNEED);
    }
    if (open_files != NULL)
        (void)closedir(open_files);
}

LEX_STATUS lex_store_limit_pages(struct lex_store *store, unsigned pages, struct lex_error *err)
{
    char sql[64];
    (void)snprintf(sql, sizeof sql, "PRAGMA max_page_count = %u", pages);
    return exec(store, sql, "limiting", err);
}

/* ---- the transaction ---- */

LEX_STATUS lex_store_begin(struct lex_store *store, struct lex_error *err)
{
    LEX_ASSERT(!store->in_transaction);
    LEX_TRY(exec(store, "BEGIN IMMEDIATE", "beginning", err));
    store->in_transaction = true;
    return LEX_OK;
}

void lex_store_rollback(struct lex_store *store)
{
    for (size_t i = 0; i < STATEMENTS; i++)
        if (store->statements[i] != NULL)
            (void)sqlite3_reset(store->statements[i]);
    /* a failed statement may have rolled back by itself */
    if (store->in_transaction && sqlite3_get_autocommit(store->db) == 0)
        (void)sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    store->in_transaction = false;
}

LEX_STATUS lex_store_commit(struct lex_store *store, struct lex_error *err)
{
    LEX_ASSERT(store->in_transaction);
    enum lex_status status = exec(store, "COMMIT", "committing", err);
    if (status == LEX_OK)
        store->in_transaction = false;
    else
        lex_store_rollback(store);
    return status;
}

LEX_STATUS lex_store_append(struct lex_store *store, int32_t partition, int64_t seq,
                            int64_t kafka_offset, struct lex_span value, struct lex_error *err)
{
    sqlite3_stmt *statement = NULL;
    LEX_ASSERT(store->in_transaction);
    LEX_TRY(prepare(store, APPEND, &statement, err));
    (void)sqlite3_bind_int(statement, 1, partition);
    (void)sqlite3_bind_int64(statement, 2, seq);
    (void)sqlite3_bind_int64(statement, 3, kafka_offset);
    bind_blob(statement, 4, value);
    return run(store, statement, "writing an entry", err);
}

LEX_STATUS lex_store_add_gap(struct lex_store *store, int32_t partition, int64_t from, int64_t to,
                             const char *reason, struct lex_error *err)
{
    sqlite3_stmt *statement = NULL;
    LEX_ASSERT(store->in_transaction && from <= to);
    LEX_TRY(prepare(store, ADD_GAP, &statement, err));
    (void)sqlite3_bind_int(statement, 1, partition);
    (void)sqlite3_bind_int64(statement, 2, from);
    (void)sqlite3_bind_int64(statement, 3, to);
    bind_text(statement, 4, reason);
    return run(store, statement, "writing a gap", err);
}

LEX_STATUS lex_store_set_position(struct lex_store *store, int32_t partition,
                                  const struct lex_store_position *position, struct lex_error *err)
{
    sqlite3_stmt *statement = NULL;
    LEX_ASSERT(store->in_transaction);
    LEX_TRY(prepare(store, SET_POSITION, &statement, err));
    (void)sqlite3_bind_int(statement, 1, partition);
    bind_text(statement, 2, position->origin);
    (void)sqlite3_bind_int64(statement, 3, position->next_kafka_offset);
    (void)sqlite3_bind_int64(statement, 4, position->next_seq);
    bind_blob(statement, 5, lex_span_of(position->prev.bytes, LEX_HASH_BYTES));
    return run(store, statement, "writing a position", err);
}

LEX_STATUS lex_store_keep_broken(struct lex_store *store, int32_t partition, int64_t kafka_offset,
                                 struct lex_span value, const char *reason, struct lex_error *err)
{
    sqlite3_stmt *statement = NULL;
    int64_t rows = 0;
    LEX_ASSERT(store->in_transaction);
    LEX_TRY(lex_store_count_broken(store, &rows, err));
    if (rows >= LEX_STORE_BROKEN_MAX_ROWS)
        return LEX_OK;
    LEX_TRY(prepare(store, KEEP_BROKEN, &statement, err));
    (void)sqlite3_bind_int(statement, 1, partition);
    (void)sqlite3_bind_int64(statement, 2, kafka_offset);
    (void)sqlite3_bind_int64(statement, 3, (int64_t)value.len);
    if (value.len > LEX_STORE_BROKEN_MAX_BYTES)
        value.len = LEX_STORE_BROKEN_MAX_BYTES;
    bind_blob(statement, 4, value);
    bind_text(statement, 5, reason);
    return run(store, statement, "keeping a broken record", err);
}

/* ---- reading ---- */

LEX_STATUS lex_store_position(struct lex_store *store, int32_t partition,
                              struct lex_store_position *ret_position, bool *ret_found,
                              struct lex_error *err)
{
    sqlite3_stmt *statement = NULL;
    bool found = false;
    LEX_TRY(prepare(store, GET_POSITION, &statement, err));
    (void)sqlite3_bind_int(statement, 1, partition);
    LEX_TRY(fetch(store, statement, &found, err));
    if (found) {
        struct lex_store_position position = {.next_kafka_offset =
                                                  sqlite3_column_int64(statement, 1),
                                              .next_seq = sqlite3_column_int64(statement, 2)};
        struct lex_span log = column_span(statement, 0), prev = column_span(statement, 3);
        if (log.len == 0 || log.len >= LEX_ORIGIN_MAX_BYTES || prev.len != LEX_HASH_BYTES ||
            position.next_seq < 0)
            return fail(store, SQLITE_CORRUPT, "reading a position", err);
        memcpy(position.origin, log.data, log.len);
        memcpy(position.prev.bytes, prev.data, prev.len);
        *ret_position = position;
    }
    (void)sqlite3_reset(statement);
    *ret_found = found;
    return LEX_OK;
}

static enum lex_status count_with(struct lex_store *store, enum statement which, int32_t partition,
                                  int64_t *ret_count, struct lex_error *err)
{
    sqlite3_stmt *statement = NULL;
    bool found = false;
    LEX_TRY(prepare(store, which, &statement, err));
    if (sqlite3_bind_parameter_count(statement) > 0)
        (void)sqlite3_bind_int(statement, 1, partition);
    LEX_TRY(fetch(store, statement, &found, err));
    *ret_count = found ? sqlite3_column_int64(statement, 0) : 0;
    (void)sqlite3_reset(statement);
    return LEX_OK;
}

LEX_STATUS lex_store_count(struct lex_store *store, int32_t partition, int64_t *ret_count,
                           struct lex_error *err)
{
    return count_with(store, partition < 0 ? COUNT_ALL : COUNT, partition, ret_count, err);
}

LEX_STATUS lex_store_count_broken(struct lex_store *store, int64_t *ret_count,
                                  struct lex_error *err)
{
    return count_with(store, COUNT_BROKEN, 0, ret_count, err);
}

LEX_STATUS lex_store_next_partition(struct lex_store *store, int32_t after, int32_t *ret_partition,
                                    struct lex_error *err)
{
    sqlite3_stmt *statement = NULL;
    bool found = false;
    LEX_TRY(prepare(store, NEXT_PARTITION, &statement, err));
    (void)sqlite3_bind_int(statement, 1, after);
    LEX_TRY(fetch(store, statement, &found, err));
    found = found && sqlite3_column_type(statement, 0) != SQLITE_NULL;
    *ret_partition = found ? sqlite3_column_int(statement, 0) : -1;
    (void)sqlite3_reset(statement);
    return LEX_OK;
}

LEX_STATUS lex_store_next_gap(struct lex_store *store, int32_t partition, int64_t from,
                              struct lex_store_gap *ret_gap, bool *ret_found, struct lex_error *err)
{
    sqlite3_stmt *statement = NULL;
    LEX_TRY(prepare(store, NEXT_GAP, &statement, err));
    (void)sqlite3_bind_int(statement, 1, partition);
    (void)sqlite3_bind_int64(statement, 2, from);
    LEX_TRY(fetch(store, statement, ret_found, err));
    if (*ret_found) {
        struct lex_span reason = column_span(statement, 2);
        ret_gap->from = sqlite3_column_int64(statement, 0);
        ret_gap->to = sqlite3_column_int64(statement, 1);
        (void)snprintf(ret_gap->reason, sizeof ret_gap->reason, "%.*s", LEX_SPAN_FMT(reason));
    }
    (void)sqlite3_reset(statement);
    return LEX_OK;
}

LEX_STATUS lex_store_walk(struct lex_store *store, int32_t partition, int64_t from_seq,
                          struct lex_error *err)
{
    sqlite3_stmt *statement = NULL;
    LEX_TRY(prepare(store, WALK, &statement, err));
    (void)sqlite3_bind_int(statement, 1, partition);
    (void)sqlite3_bind_int64(statement, 2, from_seq);
    return LEX_OK;
}

LEX_STATUS lex_store_walk_next(struct lex_store *store, struct lex_store_row *ret_row,
                               bool *ret_found, struct lex_error *err)
{
    sqlite3_stmt *statement = store->statements[WALK];
    LEX_ASSERT(statement != NULL);
    LEX_TRY(fetch(store, statement, ret_found, err));
    if (*ret_found)
        *ret_row = (struct lex_store_row){.seq = sqlite3_column_int64(statement, 0),
                                          .kafka_offset = sqlite3_column_int64(statement, 1),
                                          .value = column_span(statement, 2)};
    else
        (void)sqlite3_reset(statement);
    return LEX_OK;
}
