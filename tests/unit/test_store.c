/* Store and mirror: rows and positions move together whatever kills the process, and nothing that
 * does not verify ever becomes a row. */
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/ledger/events.h"
#include "core/ledger/mirror.h"
#include "core/ledger/store.h"
#include "tests/unit/lex_check.h"

#define PREFIX "example.com/test"
#define TOPIC "lexecon.ledger"

enum { ENTRIES = 40, OFFSET_STEP = 2 /* control records lie between */ };

struct fixture {
    char dir[64], path[128];
    struct lex_arena arena;
    char origin[LEX_ORIGIN_MAX_BYTES];
    struct lex_span values[ENTRIES];
    struct lex_hash leaves[ENTRIES];
    struct lex_store *store;
    struct lex_mirror *mirror;
    struct lex_error err;
};

#define OK(f, call) ck_assert_msg((call) == LEX_OK, "%s", (f)->err.text)

static struct lex_ledger_entry blank_entry(enum lex_event_type type)
{
    return (struct lex_ledger_entry){
        .event_type = type,
        .node_id = LEX_SPAN("node-1"),
        .source = {.topic = LEX_SPAN("lexecon.requests"), .offset = -1, .timestamp = -1},
        .replayable = true};
}

static void make_chain(struct fixture *f, int32_t partition)
{
    OK(f, lex_origin_format(LEX_SPAN(PREFIX), LEX_SPAN(TOPIC), partition, f->origin, &f->err));
    struct lex_chain chain = lex_chain_genesis(lex_span_str(f->origin));
    for (int i = 0; i < ENTRIES; i++) {
        struct lex_ledger_entry entry =
            blank_entry(i == 0 ? LEX_EVENT_TYPE_GENESIS : LEX_EVENT_TYPE_DECISION);
        OK(f, lex_chain_append(&chain, &entry, &f->arena, &f->values[i], &f->leaves[i]));
    }
}

static void open_store(struct fixture *f)
{
    OK(f, lex_store_open(f->path, LEX_STORE_WRITE, &f->store, &f->err));
}

static void fixture_init(struct fixture *f)
{
    *f = (struct fixture){.dir = "/tmp/lex_store_XXXXXX"};
    OK(f, lex_crypto_init(&f->err));
    ck_assert_ptr_nonnull(mkdtemp(f->dir));
    snprintf(f->path, sizeof f->path, "%s/mirror.db", f->dir);
    lex_arena_init(&f->arena, 64 << 10, 16 << 20);
    make_chain(f, 0);
    open_store(f);
}

static void fixture_fini(struct fixture *f)
{
    char command[128];
    lex_mirror_free(f->mirror);
    lex_store_close(f->store);
    lex_arena_fini(&f->arena);
    snprintf(command, sizeof command, "rm -rf '%s'", f->dir);
    ck_assert_int_eq(system(command), 0);
}

static int64_t count(struct fixture *f)
{
    int64_t rows = -1;
    OK(f, lex_store_count(f->store, -1, &rows, &f->err));
    return rows;
}

static struct lex_store_position position_at(const struct fixture *f, int64_t seq)
{
    struct lex_store_position position = {.next_kafka_offset = seq * OFFSET_STEP, .next_seq = seq};
    (void)snprintf(position.origin, sizeof position.origin, "%s", f->origin);
    if (seq > 0)
        position.prev = f->leaves[seq - 1];
    return position;
}

/* ---- the store ---- */

START_TEST(a_new_store_is_private_and_empty_and_opens_again)
{
    struct fixture f;
    struct stat info;
    bool found = true;
    struct lex_store_position position;
    int32_t partition = 5;
    fixture_init(&f);
    ck_assert_int_eq(stat(f.path, &info), 0);
    ck_assert_uint_eq(info.st_mode & 0777, 0600);
    ck_assert_int_eq(count(&f), 0);
    OK(&f, lex_store_position(f.store, 0, &position, &found, &f.err));
    ck_assert(!found);
    OK(&f, lex_store_next_partition(f.store, -1, &partition, &f.err));
    ck_assert_int_eq(partition, -1);
    lex_store_close(f.store);
    open_store(&f);
    ck_assert_int_eq(count(&f), 0);
    fixture_fini(&f);
}
END_TEST

START_TEST(entries_and_position_come_back_as_they_were_committed)
{
    struct fixture f;
    struct lex_store_position position = {.next_seq = 0};
    struct lex_store_row row;
    bool found;
    fixture_init(&f);
    OK(&f, lex_store_begin(f.store, &f.err));
    for (int i = 0; i < 10; i++)
        OK(&f, lex_store_append(f.store, 0, i, i * OFFSET_STEP, f.values[i], &f.err));
    position = position_at(&f, 10);
    OK(&f, lex_store_set_position(f.store, 0, &position, &f.err));
    OK(&f, lex_store_add_gap(f.store, 7, 0, 4, "a reason", &f.err));
    OK(&f, lex_store_commit(f.store, &f.err));
    lex_store_close(f.store);
    OK(&f, lex_store_open(f.path, LEX_STORE_READ, &f.store, &f.err));
    memset(&position, 0, sizeof position);
    OK(&f, lex_store_position(f.store, 0, &position, &found, &f.err));
    ck_assert(found);
    ck_assert_int_eq(position.next_seq, 10);
    ck_assert_int_eq(position.next_kafka_offset, 20);
    ck_assert_str_eq(position.origin, f.origin);
    ck_assert(lex_hash_eq(&position.prev, &f.leaves[9]));
    OK(&f, lex_store_walk(f.store, 0, 4, &f.err));
    for (int i = 4; i < 10; i++) {
        OK(&f, lex_store_walk_next(f.store, &row, &found, &f.err));
        ck_assert(found);
        ck_assert_int_eq(row.seq, i);
        ck_assert_int_eq(row.kafka_offset, i * OFFSET_STEP);
        ck_assert(lex_span_eq(row.value, f.values[i]));
    }
    OK(&f, lex_store_walk_next(f.store, &row, &found, &f.err));
    ck_assert(!found);
    struct lex_store_gap gap;
    OK(&f, lex_store_next_gap(f.store, 7, 0, &gap, &found, &f.err));
    ck_assert(found && gap.from == 0 && gap.to == 4);
    ck_assert_str_eq(gap.reason, "a reason");
    OK(&f, lex_store_next_gap(f.store, 7, 1, &gap, &found, &f.err));
    ck_assert(!found);
    fixture_fini(&f);
}
END_TEST

START_TEST(what_was_not_committed_is_not_there)
{
    struct fixture f;
    fixture_init(&f);
    OK(&f, lex_store_begin(f.store, &f.err));
    OK(&f, lex_store_append(f.store, 0, 0, 0, f.values[0], &f.err));
    lex_store_rollback(f.store);
    ck_assert_int_eq(count(&f), 0);
    OK(&f, lex_store_begin(f.store, &f.err));
    OK(&f, lex_store_append(f.store, 0, 0, 0, f.values[0], &f.err));
    lex_store_close(f.store);
    open_store(&f);
    ck_assert_int_eq(count(&f), 0);
    fixture_fini(&f);
}
END_TEST

/* Write transactions of four rows until killed. */
static void write_for_ever(struct fixture *f)
{
    for (int64_t seq = 0;; seq += 4) {
        struct lex_store_position position = position_at(f, 4);
        position.next_seq = seq + 4;
        if (lex_store_begin(f->store, &f->err) != LEX_OK)
            _exit(1);
        for (int64_t i = seq; i < seq + 4; i++)
            if (lex_store_append(f->store, 0, i, i, f->values[i % ENTRIES], &f->err) != LEX_OK)
                _exit(1);
        if (lex_store_set_position(f->store, 0, &position, &f->err) != LEX_OK ||
            lex_store_commit(f->store, &f->err) != LEX_OK)
            _exit(1);
    }
}

START_TEST(a_killed_writer_leaves_whole_transactions)
{
    struct fixture f;
    fixture_init(&f);
    for (int round = 0; round < 5; round++) {
        lex_store_close(f.store); /* no SQLite handle crosses a fork */
        f.store = NULL;
        unlink(f.path);
        pid_t child = fork();
        if (child == 0) {
            open_store(&f);
            write_for_ever(&f);
        }
        int status;
        usleep(40000 + 7000 * (useconds_t)round);
        ck_assert_int_eq(kill(child, SIGKILL), 0);
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert(WIFSIGNALED(status));
        struct lex_store_position position = {.next_seq = 0};
        bool found;
        open_store(&f);
        OK(&f, lex_store_position(f.store, 0, &position, &found, &f.err));
        ck_assert_int_eq(count(&f), position.next_seq);
        ck_assert_int_eq(position.next_seq % 4, 0);
    }
    fixture_fini(&f);
}
END_TEST

START_TEST(a_full_disk_is_a_retry_and_leaves_the_last_commit)
{
    struct fixture f;
    enum lex_status status = LEX_OK;
    int64_t committed = 0;
    fixture_init(&f);
    OK(&f, lex_store_limit_pages(f.store, 12, &f.err));
    while (status == LEX_OK) {
        status = lex_store_begin(f.store, &f.err);
        for (int i = 0; i < 50 && status == LEX_OK; i++)
            status = lex_store_append(f.store, 0, committed + i, 0, f.values[1], &f.err);
        if (status == LEX_OK)
            status = lex_store_commit(f.store, &f.err);
        if (status == LEX_OK)
            committed += 50;
        ck_assert_int_lt(committed, 100000);
    }
    ck_assert_int_eq(status, LEX_RETRY);
    ck_assert_ptr_nonnull(strstr(f.err.text, "full"));
    lex_store_rollback(f.store);
    ck_assert_int_gt(committed, 0);
    ck_assert_int_eq(count(&f), committed);
    OK(&f, lex_store_limit_pages(f.store, 1000, &f.err));
    OK(&f, lex_store_begin(f.store, &f.err));
    OK(&f, lex_store_append(f.store, 0, committed, 0, f.values[1], &f.err));
    OK(&f, lex_store_commit(f.store, &f.err));
    fixture_fini(&f);
}
END_TEST

START_TEST(a_locked_file_is_a_retry)
{
    struct fixture f;
    struct lex_store *other;
    fixture_init(&f);
    OK(&f, lex_store_open(f.path, LEX_STORE_WRITE, &other, &f.err));
    OK(&f, lex_store_begin(other, &f.err));
    ck_assert_int_eq(lex_store_begin(f.store, &f.err), LEX_RETRY);
    lex_store_rollback(other);
    OK(&f, lex_store_begin(f.store, &f.err));
    lex_store_close(other);
    fixture_fini(&f);
}
END_TEST

static void overwrite(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    for (int i = 0; i < 2000; i++)
        fputs(text, file);
    fclose(file);
}

START_TEST(a_foreign_or_corrupt_file_is_a_halt_that_says_to_delete_it)
{
    struct fixture f;
    char command[512];
    struct lex_store *store = NULL;
    fixture_init(&f);
    lex_store_close(f.store);
    f.store = NULL;
    overwrite(f.path, "this is no database. ");
    ck_assert_int_eq(lex_store_open(f.path, LEX_STORE_WRITE, &store, &f.err), LEX_HALT);
    ck_assert_ptr_nonnull(strstr(f.err.text, "delete"));
    static const char *const foreign[] = {
        "import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); c.execute('create table t(a)'); "
        "c.commit()",
        "import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); c.execute('pragma "
        "application_id=1279613005'); c.execute('pragma user_version=2'); c.execute('create table "
        "t(a)'); c.commit()"};
    for (size_t i = 0; i < LEX_COUNT_OF(foreign); i++) {
        unlink(f.path);
        snprintf(command, sizeof command, "python3 -c \"%s\" '%s'", foreign[i], f.path);
        ck_assert_int_eq(system(command), 0);
        ck_assert_int_eq(lex_store_open(f.path, LEX_STORE_WRITE, &store, &f.err), LEX_HALT);
        ck_assert_ptr_nonnull(strstr(f.err.text, "delete"));
        ck_assert_int_eq(lex_store_open(f.path, LEX_STORE_READ, &store, &f.err), LEX_HALT);
    }
    unlink(f.path);
    ck_assert_int_eq(lex_store_open(f.path, LEX_STORE_READ, &store, &f.err), LEX_REJECT);
    ck_assert_int_eq(lex_store_open("/nonexistent/mirror.db", LEX_STORE_WRITE, &store, &f.err),
                     LEX_REJECT);
    ck_assert_int_eq(lex_store_open(f.dir, LEX_STORE_WRITE, &store, &f.err), LEX_REJECT);
    ck_assert_ptr_null(store);
    open_store(&f); /* a deleted one is made anew */
    ck_assert_int_eq(count(&f), 0);
    fixture_fini(&f);
}
END_TEST

START_TEST(a_file_deleted_under_the_store_is_noticed)
{
    struct fixture f;
    fixture_init(&f);
    ck_assert(!lex_store_gone(f.store));
    ck_assert_int_eq(unlink(f.path), 0);
    ck_assert(lex_store_gone(f.store));
    close(open(f.path, O_CREAT | O_WRONLY, 0600));
    ck_assert(lex_store_gone(f.store));
    fixture_fini(&f);
}
END_TEST

/* Pages of the file that the kernel has in its cache; fd is open, and not one of SQLite's. */
static size_t cached_pages(int fd)
{
    struct stat info;
    unsigned char resident[256] = {0};
    size_t page = (size_t)sysconf(_SC_PAGESIZE), pages, found = 0;
    ck_assert_int_eq(fstat(fd, &info), 0);
    pages = ((size_t)info.st_size + page - 1) / page;
    ck_assert_uint_gt(pages, 0);
    ck_assert_uint_le(pages, sizeof resident);
    void *map = mmap(NULL, pages * page, PROT_READ, MAP_SHARED, fd, 0);
    ck_assert(map != MAP_FAILED);
    ck_assert_int_eq(mincore(map, pages * page, resident), 0);
    for (size_t i = 0; i < pages; i++)
        found += resident[i] & 1;
    ck_assert_int_eq(munmap(map, pages * page), 0);
    return found;
}

START_TEST(the_kernels_copy_of_the_file_is_given_back)
{
    struct fixture f;
    struct statfs system;
    fixture_init(&f);
    lex_store_close(f.store);
    f.store = NULL;
    int fd = open(f.path, O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(fsync(fd), 0); /* what is not written yet cannot go */
    ck_assert_int_eq(fstatfs(fd, &system), 0);
    open_store(&f);
    ck_assert_uint_gt(cached_pages(fd), 0);
    lex_store_drop_cache(f.store);
    if (system.f_type != TMPFS_MAGIC) /* whose files are nowhere else */
        ck_assert_uint_eq(cached_pages(fd), 0);
    ck_assert_int_eq(count(&f), 0);
    ck_assert_int_eq(close(fd), 0);
    fixture_fini(&f);
}
END_TEST

START_TEST(broken_records_are_kept_up_to_their_ceilings)
{
    struct fixture f;
    int64_t kept = 0;
    fixture_init(&f);
    static uint8_t large[LEX_STORE_BROKEN_MAX_BYTES + 1];
    OK(&f, lex_store_begin(f.store, &f.err));
    OK(&f, lex_store_keep_broken(f.store, 0, 0, lex_span_of(large, sizeof large), "r", &f.err));
    for (int i = 0; i < LEX_STORE_BROKEN_MAX_ROWS + 1; i++)
        OK(&f, lex_store_keep_broken(f.store, 0, i, LEX_SPAN("bad"), "r", &f.err));
    OK(&f, lex_store_commit(f.store, &f.err));
    OK(&f, lex_store_count_broken(f.store, &kept, &f.err));
    ck_assert_int_eq(kept, LEX_STORE_BROKEN_MAX_ROWS);
    fixture_fini(&f);
}
END_TEST

/* ---- the mirror ---- */

static void open_mirror(struct fixture *f, enum lex_mirror_scope scope, int64_t rows)
{
    struct lex_mirror_options options = {.scope = scope,
                                         .origin_prefix = LEX_SPAN(PREFIX),
                                         .ledger_topic = LEX_SPAN(TOPIC),
                                         .transaction_rows = rows};
    OK(f, lex_mirror_new(&options, f->store, &f->mirror, &f->err));
}

static void reopen(struct fixture *f, enum lex_mirror_scope scope)
{
    lex_mirror_free(f->mirror);
    f->mirror = NULL;
    lex_store_close(f->store);
    open_store(f);
    open_mirror(f, scope, 0);
}

static int64_t assign(struct fixture *f, const struct lex_mirror_start *start)
{
    int64_t next = -99;
    OK(f, lex_mirror_assign(f->mirror, 0, start, &next, &f->err));
    return next;
}

static enum lex_mirror_result feed(struct fixture *f, int64_t offset, struct lex_span value)
{
    enum lex_mirror_result result;
    OK(f, lex_mirror_feed(f->mirror, 0, offset, value, &result, &f->err));
    return result;
}

static void feed_range(struct fixture *f, int from, int to)
{
    for (int i = from; i < to; i++)
        ck_assert_int_eq(feed(f, i * OFFSET_STEP, f->values[i]), LEX_MIRROR_TAKEN);
}

static void expect_rows(struct fixture *f, int from, int to)
{
    struct lex_store_row row;
    bool found;
    OK(f, lex_store_walk(f->store, 0, 0, &f->err));
    for (int i = from; i < to; i++) {
        OK(f, lex_store_walk_next(f->store, &row, &found, &f->err));
        ck_assert_msg(found, "row %d is missing", i);
        ck_assert_int_eq(row.seq, i);
        ck_assert(lex_span_eq(row.value, f->values[i]));
    }
    OK(f, lex_store_walk_next(f->store, &row, &found, &f->err));
    ck_assert(!found);
}

START_TEST(a_mirror_resumes_where_its_file_stands)
{
    struct fixture f;
    fixture_init(&f);
    open_mirror(&f, LEX_MIRROR_ALL, 7);
    ck_assert_int_eq(assign(&f, NULL), LEX_MIRROR_BEGINNING);
    feed_range(&f, 0, 20); /* 14 of them in full transactions */
    reopen(&f, LEX_MIRROR_ALL);
    expect_rows(&f, 0, 14);
    ck_assert_int_eq(assign(&f, NULL), 13 * OFFSET_STEP + 1);
    ck_assert_int_eq(feed(&f, 13 * OFFSET_STEP, f.values[13]), LEX_MIRROR_SKIPPED);
    feed_range(&f, 14, ENTRIES);
    OK(&f, lex_mirror_revoke(f.mirror, 0, &f.err));
    expect_rows(&f, 0, ENTRIES);
    ck_assert_int_eq(feed(&f, 999, f.values[0]), LEX_MIRROR_SKIPPED);
    ck_assert_int_eq(lex_mirror_next_offset(f.mirror, 0), -1);
    fixture_fini(&f);
}
END_TEST

START_TEST(a_deleted_file_rebuilds_to_the_same_rows)
{
    struct fixture f;
    fixture_init(&f);
    open_mirror(&f, LEX_MIRROR_ALL, 0);
    for (int round = 0; round < 2; round++) {
        ck_assert_int_eq(assign(&f, NULL), LEX_MIRROR_BEGINNING);
        feed_range(&f, 0, ENTRIES);
        OK(&f, lex_mirror_commit(f.mirror, &f.err));
        expect_rows(&f, 0, ENTRIES);
        lex_mirror_free(f.mirror);
        lex_store_close(f.store);
        unlink(f.path);
        open_store(&f);
        open_mirror(&f, LEX_MIRROR_ALL, 0);
    }
    ck_assert_int_eq(count(&f), 0);
    fixture_fini(&f);
}
END_TEST

/* Feed `bad` at place `at`: the mirror must stop at the last good entry and keep the bytes. */
static void expect_broken_at(struct fixture *f, int at, struct lex_span bad)
{
    int64_t kept = 0;
    open_mirror(f, LEX_MIRROR_ALL, 0);
    (void)assign(f, NULL);
    feed_range(f, 0, at);
    ck_assert_int_eq(feed(f, at * OFFSET_STEP, bad), LEX_MIRROR_BROKE);
    ck_assert_ptr_nonnull(strstr(f->err.text, "partition 0, ledger offset"));
    ck_assert_int_eq(feed(f, at * OFFSET_STEP + 1, f->values[at]), LEX_MIRROR_IGNORED);
    ck_assert_int_eq(lex_mirror_stats(f->mirror).broken_partitions, 1);
    ck_assert_int_eq(lex_mirror_stats(f->mirror).verified, at);
    expect_rows(f, 0, at);
    OK(f, lex_store_count_broken(f->store, &kept, &f->err));
    ck_assert_int_eq(kept, 1);
    /* after a restart it stands there still, meets it again, and goes on once the topic is right */
    reopen(f, LEX_MIRROR_ALL);
    (void)assign(f, NULL);
    ck_assert_int_eq(feed(f, at * OFFSET_STEP, bad), LEX_MIRROR_BROKE);
    OK(f, lex_store_count_broken(f->store, &kept, &f->err));
    ck_assert_int_eq(kept, 1);
    reopen(f, LEX_MIRROR_ALL);
    (void)assign(f, NULL);
    feed_range(f, at, ENTRIES);
    OK(f, lex_mirror_commit(f->mirror, &f->err));
    expect_rows(f, 0, ENTRIES);
}

START_TEST(a_removed_entry_stops_the_mirror_at_the_last_good_one)
{
    struct fixture f;
    fixture_init(&f);
    expect_broken_at(&f, 5, f.values[6]);
    fixture_fini(&f);
}
END_TEST

START_TEST(a_repeated_entry_stops_the_mirror)
{
    struct fixture f;
    fixture_init(&f);
    expect_broken_at(&f, 5, f.values[4]);
    fixture_fini(&f);
}
END_TEST

START_TEST(a_missing_genesis_stops_the_mirror)
{
    struct fixture f;
    fixture_init(&f);
    expect_broken_at(&f, 0, f.values[1]);
    fixture_fini(&f);
}
END_TEST

START_TEST(an_altered_entry_stops_the_mirror_at_the_next_one)
{
    struct fixture f;
    fixture_init(&f);
    struct lex_hash altered = f.leaves[3];
    struct lex_span value;
    struct lex_hash leaf;
    altered.bytes[0] ^= 1;
    struct lex_chain chain = lex_chain_at(lex_span_str(f.origin), 4, &altered);
    struct lex_ledger_entry entry = blank_entry(LEX_EVENT_TYPE_DECISION);
    OK(&f, lex_chain_append(&chain, &entry, &f.arena, &value, &leaf));
    expect_broken_at(&f, 4, value);
    fixture_fini(&f);
}
END_TEST

START_TEST(bytes_that_are_no_entry_stop_the_mirror)
{
    struct fixture f;
    fixture_init(&f);
    static uint8_t large[2 * LEX_LEDGER_ENTRY_MAX_BYTES];
    expect_broken_at(&f, 3, lex_span_of(large, sizeof large));
    fixture_fini(&f);
}
END_TEST

START_TEST(scope_owned_starts_at_the_head_and_writes_the_gap_down)
{
    struct fixture f;
    struct lex_store_gap gap;
    bool found;
    fixture_init(&f);
    open_mirror(&f, LEX_MIRROR_OWNED, 0);
    struct lex_mirror_start start = {
        .seq = 10, .prev = f.leaves[9], .kafka_offset = 10 * OFFSET_STEP};
    ck_assert_int_eq(assign(&f, &start), 10 * OFFSET_STEP);
    feed_range(&f, 10, 20);
    OK(&f, lex_mirror_revoke(f.mirror, 0, &f.err));
    /* another owner writes on; the file's own place counts from now on, not the head */
    start = (struct lex_mirror_start){.seq = 30, .prev = f.leaves[29], .kafka_offset = 60};
    ck_assert_int_eq(assign(&f, &start), 19 * OFFSET_STEP + 1);
    feed_range(&f, 20, ENTRIES);
    OK(&f, lex_mirror_commit(f.mirror, &f.err));
    expect_rows(&f, 10, ENTRIES);
    OK(&f, lex_store_next_gap(f.store, 0, 0, &gap, &found, &f.err));
    ck_assert(found && gap.from == 0 && gap.to == 9);
    OK(&f, lex_store_next_gap(f.store, 0, 1, &gap, &found, &f.err));
    ck_assert(!found);
    fixture_fini(&f);
}
END_TEST

START_TEST(a_start_that_does_not_lead_to_the_next_entry_is_a_break)
{
    struct fixture f;
    fixture_init(&f);
    open_mirror(&f, LEX_MIRROR_OWNED, 0);
    struct lex_mirror_start start = {
        .seq = 10, .prev = f.leaves[8], .kafka_offset = 10 * OFFSET_STEP};
    (void)assign(&f, &start);
    ck_assert_int_eq(feed(&f, 10 * OFFSET_STEP, f.values[10]), LEX_MIRROR_BROKE);
    fixture_fini(&f);
}
END_TEST

START_TEST(what_retention_deleted_is_a_gap_and_not_a_break)
{
    struct fixture f;
    struct lex_store_gap gap;
    bool found;
    fixture_init(&f);
    open_mirror(&f, LEX_MIRROR_ALL, 0);
    (void)assign(&f, NULL);
    feed_range(&f, 0, 5);
    lex_mirror_truncated(f.mirror, 0, 20 * OFFSET_STEP);
    ck_assert_int_eq(lex_mirror_next_offset(f.mirror, 0), 20 * OFFSET_STEP);
    feed_range(&f, 20, ENTRIES);
    OK(&f, lex_mirror_commit(f.mirror, &f.err));
    OK(&f, lex_store_next_gap(f.store, 0, 0, &gap, &found, &f.err));
    ck_assert(found && gap.from == 5 && gap.to == 19);
    ck_assert_int_eq(count(&f), 5 + ENTRIES - 20);
    /* one that was not cut stays a break, and so does one that goes back */
    lex_mirror_truncated(f.mirror, 0, 1);
    ck_assert_int_eq(feed(&f, 1000, f.values[7]), LEX_MIRROR_BROKE);
    fixture_fini(&f);
}
END_TEST

START_TEST(a_gap_that_a_recovery_entry_declares_is_written_down)
{
    struct fixture f;
    struct lex_span detail, value;
    struct lex_hash leaf;
    struct lex_store_gap gap;
    bool found;
    fixture_init(&f);
    open_mirror(&f, LEX_MIRROR_ALL, 0);
    (void)assign(&f, NULL);
    feed_range(&f, 0, ENTRIES);
    struct lex_recovery recovery = {.kind = LEX_RECOVERY_CHOSE_HEAD,
                                    .head = {.present = true, .seq = ENTRIES + 3},
                                    .ledger = {.present = true, .seq = ENTRIES}};
    OK(&f, lex_event_recovery(&recovery, &f.arena, &detail, &f.err));
    struct lex_chain chain = lex_chain_at(lex_span_str(f.origin), ENTRIES + 3, &f.leaves[0]);
    struct lex_ledger_entry entry = blank_entry(LEX_EVENT_TYPE_RECOVERY);
    entry.detail = detail;
    OK(&f, lex_chain_append(&chain, &entry, &f.arena, &value, &leaf));
    ck_assert_int_eq(feed(&f, 1000, value), LEX_MIRROR_TAKEN);
    OK(&f, lex_mirror_commit(f.mirror, &f.err));
    OK(&f, lex_store_next_gap(f.store, 0, 0, &gap, &found, &f.err));
    ck_assert(found && gap.from == ENTRIES && gap.to == ENTRIES + 2);
    fixture_fini(&f);
}
END_TEST

START_TEST(a_full_disk_takes_the_mirror_back_to_its_last_commit)
{
    struct fixture f;
    enum lex_mirror_result result;
    enum lex_status status = LEX_OK;
    fixture_init(&f);
    open_mirror(&f, LEX_MIRROR_ALL, 0);
    (void)assign(&f, NULL);
    feed_range(&f, 0, 5);
    OK(&f, lex_mirror_commit(f.mirror, &f.err));
    OK(&f, lex_store_limit_pages(f.store, 1, &f.err)); /* no larger than it is */
    feed_range(&f, 5, ENTRIES);
    /* keeping this aside needs pages; nothing before it may be half committed, nor called broken */
    static uint8_t large[300 << 10];
    status = lex_mirror_feed(f.mirror, 0, 1000, lex_span_of(large, sizeof large), &result, &f.err);
    ck_assert_int_eq(status, LEX_RETRY);
    ck_assert_int_eq(lex_mirror_next_offset(f.mirror, 0), 4 * OFFSET_STEP + 1);
    ck_assert_int_eq(lex_mirror_stats(f.mirror).verified, 5);
    ck_assert_int_eq(lex_mirror_stats(f.mirror).broken_partitions, 0);
    OK(&f, lex_store_limit_pages(f.store, 1000, &f.err));
    feed_range(&f, 5, ENTRIES);
    OK(&f, lex_mirror_commit(f.mirror, &f.err));
    expect_rows(&f, 0, ENTRIES);
    ck_assert_int_eq(lex_mirror_stats(f.mirror).committed_rows, ENTRIES);
    fixture_fini(&f);
}
END_TEST

START_TEST(a_file_of_another_log_or_with_an_altered_row_is_a_halt)
{
    struct fixture f;
    char command[512];
    int64_t next;
    fixture_init(&f);
    open_mirror(&f, LEX_MIRROR_ALL, 0);
    (void)assign(&f, NULL);
    feed_range(&f, 0, 5);
    OK(&f, lex_mirror_commit(f.mirror, &f.err));
    lex_mirror_free(f.mirror);
    struct lex_mirror_options options = {.scope = LEX_MIRROR_ALL,
                                         .origin_prefix = LEX_SPAN("example.com/other"),
                                         .ledger_topic = LEX_SPAN(TOPIC)};
    OK(&f, lex_mirror_new(&options, f.store, &f.mirror, &f.err));
    ck_assert_int_eq(lex_mirror_assign(f.mirror, 0, NULL, &next, &f.err), LEX_HALT);
    ck_assert_ptr_nonnull(strstr(f.err.text, "holds the log"));
    lex_mirror_free(f.mirror);
    f.mirror = NULL;
    lex_store_close(f.store);
    snprintf(command, sizeof command,
             "python3 -c \"import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); c.execute('update "
             "entries "
             "set value = zeroblob(100) where seq = 4'); c.commit()\" '%s'",
             f.path);
    ck_assert_int_eq(system(command), 0);
    open_store(&f);
    open_mirror(&f, LEX_MIRROR_ALL, 0);
    ck_assert_int_eq(lex_mirror_assign(f.mirror, 0, NULL, &next, &f.err), LEX_HALT);
    ck_assert_ptr_nonnull(strstr(f.err.text, "altered"));
    ck_assert_int_eq(lex_mirror_next_offset(f.mirror, 0), -1);
    fixture_fini(&f);
}
END_TEST

START_TEST(partitions_are_kept_apart)
{
    struct fixture f;
    enum lex_mirror_result result;
    int64_t next, rows;
    fixture_init(&f);
    open_mirror(&f, LEX_MIRROR_ALL, 0);
    for (int32_t p = 40; p >= 0; p--)
        OK(&f, lex_mirror_assign(f.mirror, p, NULL, &next, &f.err));
    for (int32_t p = 0; p <= 40; p++) {
        make_chain(&f, p);
        for (int i = 0; i < 3; i++) {
            OK(&f, lex_mirror_feed(f.mirror, p, i, f.values[i], &result, &f.err));
            ck_assert_int_eq(result, LEX_MIRROR_TAKEN);
        }
    }
    /* another partition's chain is a break here, and only here */
    OK(&f, lex_mirror_feed(f.mirror, 7, 3, f.values[3], &result, &f.err));
    ck_assert_int_eq(result, LEX_MIRROR_BROKE);
    OK(&f, lex_mirror_feed(f.mirror, 40, 3, f.values[3], &result, &f.err));
    ck_assert_int_eq(result, LEX_MIRROR_TAKEN);
    OK(&f, lex_mirror_commit(f.mirror, &f.err));
    OK(&f, lex_store_count(f.store, 40, &rows, &f.err));
    ck_assert_int_eq(rows, 4);
    ck_assert_int_eq(count(&f), 41 * 3 + 1);
    int32_t seen = 0;
    for (int32_t p = -1;; seen++) {
        OK(&f, lex_store_next_partition(f.store, p, &p, &f.err));
        if (p < 0)
            break;
    }
    ck_assert_int_eq(seen, 41);
    fixture_fini(&f);
}
END_TEST

LEX_CHECK_MAIN(
    "store", a_new_store_is_private_and_empty_and_opens_again,
    entries_and_position_come_back_as_they_were_committed, what_was_not_committed_is_not_there,
    a_killed_writer_leaves_whole_transactions, a_full_disk_is_a_retry_and_leaves_the_last_commit,
    a_locked_file_is_a_retry, a_foreign_or_corrupt_file_is_a_halt_that_says_to_delete_it,
    a_file_deleted_under_the_store_is_noticed, the_kernels_copy_of_the_file_is_given_back,
    broken_records_are_kept_up_to_their_ceilings, a_mirror_resumes_where_its_file_stands,
    a_deleted_file_rebuilds_to_the_same_rows, a_removed_entry_stops_the_mirror_at_the_last_good_one,
    a_repeated_entry_stops_the_mirror, a_missing_genesis_stops_the_mirror,
    an_altered_entry_stops_the_mirror_at_the_next_one, bytes_that_are_no_entry_stop_the_mirror,
    scope_owned_starts_at_the_head_and_writes_the_gap_down,
    a_start_that_does_not_lead_to_the_next_entry_is_a_break,
    what_retention_deleted_is_a_gap_and_not_a_break,
    a_gap_that_a_recovery_entry_declares_is_written_down,
    a_full_disk_takes_the_mirror_back_to_its_last_commit,
    a_file_of_another_log_or_with_an_altered_row_is_a_halt, partitions_are_kept_apart)
