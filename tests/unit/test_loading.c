/* Loading: what comes into force, and what does not: files, directories, published records. */
#include "tests/unit/jwt_fixture.h"

#include <sys/stat.h>
#include <unistd.h>

#include "consumer/policy_files.h"
#include "consumer/policy_topic.h"
#include "consumer/policy_watch.h"
#include "core/base/clock.h"
#include "core/base/metrics.h"
#include "core/identity/token.h"

static char directory[64];

static void setup(void)
{
    test_jwt_setup();
    lex_log_init(LEX_LOG_CRITICAL, LEX_LOG_TEXT, STDOUT_FILENO);
    snprintf(directory, sizeof directory, "/tmp/lexecon-loading.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
}

static void teardown(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", directory);
    ck_assert_int_eq(system(command), 0);
    test_jwt_teardown();
}

static const char *path_of(const char *name)
{
    static char paths[16][256];
    static size_t next;
    char *path = paths[next++ % 16];
    snprintf(path, sizeof paths[0], "%s/%s", directory, name);
    return path;
}

static void put(const char *name, const char *text)
{
    FILE *file = fopen(path_of(name), "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text, 1, strlen(text), file), strlen(text));
    ck_assert_int_eq(fclose(file), 0);
}

/* As an editor saves, and as a well-behaved script does: whole or not at all. */
static void replace(const char *name, const char *text)
{
    put(".new", text);
    ck_assert_int_eq(rename(path_of(".new"), path_of(name)), 0);
}

/* A policy of this id and version that permits `action`; static, good until the 16th call after
 * it. */
static const char *document(const char *id, const char *version, const char *action)
{
    static char texts[16][512];
    static size_t next;
    char *text = texts[next++ % 16];
    snprintf(text, sizeof texts[0],
             "{\"policy_id\":\"%s\",\"version\":\"%s\",\"mode\":\"strict\",\"relations\":"
             "[{\"type\":\"permits\",\"subject\":\"user\",\"action\":\"%s\"}]}",
             id, version, action);
    return text;
}

/* ---- has a file changed? ---- */

static bool changed(const char *path, struct lex_policy_files *seen)
{
    struct lex_policy_files now = lex_policy_files_look(path);
    bool other = !lex_hash_eq(&now.mark, &seen->mark);
    *seen = now;
    return other;
}

START_TEST(a_file_that_stays_is_no_change_and_one_that_is_replaced_by_its_like_is)
{
    struct lex_policy_files seen = {.mark = {{0}}};
    const char *path = path_of("p.json");
    ck_assert(!changed(path, &seen)); /* not there yet */
    put("p.json", "{}");
    ck_assert(changed(path, &seen));
    ck_assert(!changed(path, &seen));
    replace("p.json", "[]");
    ck_assert(changed(path, &seen));
    ck_assert_int_eq(unlink(path), 0);
    ck_assert(changed(path, &seen));
    ck_assert(!changed(path, &seen));
}
END_TEST

START_TEST(of_a_directory_every_policy_counts_and_nothing_else)
{
    struct lex_policy_files seen = lex_policy_files_look(directory);
    put("a.json", "{}");
    ck_assert(changed(directory, &seen));
    put("b.json", "{}");
    ck_assert(changed(directory, &seen));
    put("notes.txt", "x");
    put(".hidden.json", "{}");
    ck_assert(!changed(directory, &seen));
    replace("b.json", "[]");
    ck_assert(changed(directory, &seen));
    ck_assert_int_eq(rename(path_of("a.json"), path_of("c.json")), 0);
    ck_assert(changed(directory, &seen));
    ck_assert_int_eq(unlink(path_of("b.json")), 0);
    ck_assert(changed(directory, &seen));
    ck_assert(!changed(directory, &seen));
}
END_TEST

/* policies/a.json -> ..data/a.json, ..data -> ..v1: what a ConfigMap mounts. */
START_TEST(a_swapped_link_changes_every_file_behind_it)
{
    ck_assert_int_eq(mkdir(path_of("..v1"), 0700), 0);
    ck_assert_int_eq(mkdir(path_of("..v2"), 0700), 0);
    put("..v1/a.json", "{}");
    put("..v2/a.json", "{}");
    ck_assert_int_eq(symlink("..v1", path_of("..data")), 0);
    ck_assert_int_eq(symlink("..data/a.json", path_of("a.json")), 0);
    struct lex_policy_files of_file = lex_policy_files_look(path_of("a.json"));
    struct lex_policy_files of_directory = lex_policy_files_look(directory);
    ck_assert_int_eq(symlink("..v2", path_of("..next")), 0);
    ck_assert_int_eq(rename(path_of("..next"), path_of("..data")), 0);
    ck_assert(changed(path_of("a.json"), &of_file));
    ck_assert(changed(directory, &of_directory));
}
END_TEST

/* ---- the watch ---- */

static struct lex_config *config;
static struct lex_health health;
static struct lex_policy_slot slot;
static struct lex_policy_watch *the_watch;
static _Atomic int swaps;

static void note_swap(void *user)
{
    (void)user;
    swaps++;
}

static void watch(const char *path, bool allow_rollback)
{
    char policy[256], poll[] = "--policy-poll-ms=100", program[] = "t";
    char rollback[] = "--policy-allow-rollback=true", *none[] = {NULL};
    snprintf(policy, sizeof policy, "--policy=%s", path);
    char *argv[] = {program, policy, poll, rollback, NULL};
    ck_assert_int_eq(lex_config_load(allow_rollback ? 4 : 3, argv, none, &config, &err), LEX_OK);
    lex_health_init(&health, 1, 60000000);
    lex_policy_slot_init(&slot);
    swaps = 0;
    ck_assert_int_eq(
        lex_policy_watch_start(config, &slot, &health, note_swap, NULL, &the_watch, &err), LEX_OK);
}

static void unwatch(void)
{
    lex_policy_watch_stop(the_watch);
    lex_policy_slot_fini(&slot);
    lex_config_free(config);
}

/* The id and version in force: "p@1", "" for none. */
static const char *in_force(void)
{
    static char text[256];
    uint64_t generation;
    struct lex_policy *policy = lex_policy_slot_get(&slot, &generation);
    text[0] = 0;
    if (policy != NULL) {
        const struct lex_policy_info *info = lex_policy_info(policy);
        snprintf(text, sizeof text, "%.*s@%.*s", LEX_SPAN_FMT(info->id),
                 LEX_SPAN_FMT(info->version));
    }
    lex_policy_unref(policy);
    return text;
}

static bool health_says(const char *text)
{
    char body[8192];
    struct lex_buf out;
    lex_buf_borrow(&out, body, sizeof body);
    (void)lex_health_write(&health, LEX_PROBE_HEALTH, lex_clock_mono_us(), &out);
    return strstr(body, text) != NULL;
}

static bool swapped(int count)
{
    return swaps >= count;
}

#define AWAIT(condition)                                         \
    do {                                                         \
        for (int i_ = 0; i_ < 300 && !(condition); i_++)         \
            usleep(20 * 1000);                                   \
        ck_assert_msg(condition, "still not true: " #condition); \
    } while (0)

START_TEST(a_file_is_in_force_at_once_and_an_edit_follows_under_its_own_version)
{
    put("p.json", document("p", "1", "read"));
    watch(path_of("p.json"), false);
    ck_assert_str_eq(in_force(), "p@1");
    ck_assert(health.policy_loaded);
    uint64_t generation;
    struct lex_policy *old = lex_policy_slot_get(&slot, &generation);
    replace("p.json", document("p", "1", "write"));
    AWAIT(swapped(2));
    struct lex_policy *new = lex_policy_slot_get(&slot, &generation);
    ck_assert_int_ne(memcmp(lex_policy_info(old)->hash, lex_policy_info(new)->hash, 32), 0);
    ck_assert_uint_eq(lex_policy_info(old)->relations, 1); /* whoever holds it may read it on */
    lex_policy_unref(old);
    lex_policy_unref(new);
    unwatch();
}
END_TEST

START_TEST(a_broken_file_leaves_the_one_before_whole_and_health_names_line_and_column)
{
    put("p.json", document("p", "1", "read"));
    watch(path_of("p.json"), false);
    replace("p.json", "{\"mode\":\"strict\",\n \"terms\":[}");
    AWAIT(health_says("p.json:2:11"));
    ck_assert(health_says("in effect; the last load was refused"));
    ck_assert_str_eq(in_force(), "p@1");
    ck_assert(health.policy_loaded);
    ck_assert_int_eq(swaps, 1);
    replace("p.json", document("p", "2", "read"));
    AWAIT(swapped(2));
    ck_assert_str_eq(in_force(), "p@2");
    ck_assert(!health_says("refused"));
    unwatch();
}
END_TEST

START_TEST(a_file_that_is_taken_away_leaves_its_policy_in_force)
{
    put("p.json", document("p", "1", "read"));
    watch(path_of("p.json"), false);
    ck_assert_int_eq(unlink(path_of("p.json")), 0);
    AWAIT(health_says("cannot open the policy"));
    ck_assert_str_eq(in_force(), "p@1");
    unwatch();
}
END_TEST

START_TEST(an_older_version_is_refused_until_rollback_is_allowed)
{
    put("p.json", document("p", "1.10", "read"));
    watch(path_of("p.json"), false);
    replace("p.json", document("p", "1.9", "read"));
    AWAIT(health_says("its version 1.9 is lower"));
    ck_assert_str_eq(in_force(), "p@1.10");
    unwatch();
    replace("p.json", document("p", "1.10", "read"));
    watch(path_of("p.json"), true);
    replace("p.json", document("p", "1.9", "read"));
    AWAIT(swapped(2));
    ck_assert_str_eq(in_force(), "p@1.9");
    unwatch();
}
END_TEST

START_TEST(another_policy_is_no_older_one)
{
    put("p.json", document("p", "5", "read"));
    watch(path_of("p.json"), false);
    replace("p.json", document("q", "1", "read"));
    AWAIT(swapped(2));
    ck_assert_str_eq(in_force(), "q@1");
    unwatch();
}
END_TEST

START_TEST(a_directory_is_one_policy_and_one_bad_or_older_file_refuses_all_of_it)
{
    put("a.json", document("a", "1", "read"));
    put("b.json", document("b", "3", "write"));
    watch(directory, false);
    ck_assert_str_eq(in_force(), "a+b@");
    put("c.json", "{\"mode\":");
    AWAIT(health_says("c.json:1:"));
    ck_assert_int_eq(swaps, 1);
    ck_assert_int_eq(unlink(path_of("c.json")), 0);
    AWAIT(swapped(2));
    replace("b.json", document("b", "2", "write"));
    AWAIT(health_says("b.json: its version 2 is lower"));
    ck_assert_int_eq(swaps, 2);
    replace("b.json", document("b", "4", "write"));
    AWAIT(swapped(3));
    ck_assert(!health_says("refused"));
    unwatch();
}
END_TEST

START_TEST(a_first_file_that_comes_late_is_taken)
{
    watch(path_of("p.json"), false);
    ck_assert_str_eq(in_force(), "");
    ck_assert(health_says("no policy is in effect: "));
    ck_assert(!health.policy_loaded);
    put("p.json", document("p", "1", "read"));
    AWAIT(swapped(1));
    ck_assert_str_eq(in_force(), "p@1");
    unwatch();
}
END_TEST

START_TEST(asked_it_looks_at_once_even_where_nothing_changed)
{
    put("p.json", document("p", "1", "read"));
    watch(path_of("p.json"), false);
    lex_policy_watch_now(the_watch);
    AWAIT(swapped(2));
    unwatch();
}
END_TEST

/* Its text does not fit an entry, and there is no broker that could keep it. */
START_TEST(a_policy_whose_text_cannot_be_kept_waits_and_the_one_before_goes_on)
{
    static char large[80 << 10];
    put("p.json", document("p", "1", "read"));
    watch(path_of("p.json"), false);
    int len =
        snprintf(large, sizeof large, "{\"policy_id\":\"p\",\"version\":\"2\",\"description\":\"");
    memset(large + len, 'x', 60 << 10);
    snprintf(large + len + (60 << 10), 512,
             "\",\"relations\":[{\"type\":\"permits\",\"subject\":\"user\",\"action\":\"read\"}]}");
    replace("p.json", large);
    AWAIT(health_says("no broker is named"));
    ck_assert_str_eq(in_force(), "p@1");
    replace("p.json", document("p", "3", "read"));
    AWAIT(swapped(2));
    ck_assert_str_eq(in_force(), "p@3");
    unwatch();
}
END_TEST

START_TEST(the_page_names_the_policy_in_force_and_no_other)
{
    struct lex_buf page;
    put("p.json", document("p", "1", "read"));
    watch(path_of("p.json"), false);
    replace("p.json", document("p", "2", "read"));
    AWAIT(swapped(2));
    lex_buf_init(&page, LEX_METRIC_PAGE_MAX);
    lex_metrics_write(&page, false);
    ck_assert_ptr_nonnull(
        strstr(lex_buf_str(&page), "lexecon_policy_info{policy_name=\"p\",version=\"2\",hash=\""));
    ck_assert_ptr_null(
        strstr(lex_buf_str(&page), "lexecon_policy_info{policy_name=\"p\",version=\"1\""));
    ck_assert_ptr_nonnull(
        strstr(lex_buf_str(&page), "lexecon_policies_loaded_total{policy_name=\"p\"} 2"));
    lex_buf_fini(&page);
    unwatch();
}
END_TEST

/* ---- published policies ---- */

#define POLICY_HEADER "{\"alg\":\"EdDSA\",\"typ\":\"lexecon-policy+jws\"}"

static enum lex_status read_published(const struct lex_signer *pinned, struct lex_span value,
                                      struct lex_policy **ret)
{
    err.text[0] = 0;
    *ret = NULL;
    return lex_policy_published(lex_signer_public(pinned), LEX_SPAN("p"), value, "policies/0/7",
                                ret, &err);
}

START_TEST(a_policy_that_the_pinned_key_signed_counts)
{
    struct lex_signer *signer = test_signer(1);
    struct lex_policy *policy;
    struct lex_span text;
    const char *source = document("p", "2", "read");
    ck_assert_int_eq(lex_policy_jws_sign(signer, lex_span_str(source), &arena, &text, &err),
                     LEX_OK);
    ck_assert_msg(read_published(signer, text, &policy) == LEX_OK, "%s", err.text);
    ck_assert_span_eq(lex_policy_info(policy)->version, "2");
    ck_assert_span_eq(lex_policy_info(policy)->document, source);
    lex_policy_unref(policy);
    lex_signer_free(signer);
}
END_TEST

struct refusal {
    const char *id, *version, *header, *says;
    bool other_key;
};
static const struct refusal REFUSALS[] = {
    {"p", "1", POLICY_HEADER, "policies/0/7", true},
    {"p", "1", "{\"alg\":\"EdDSA\",\"typ\":\"lexecon-cap+jwt\"}", "typ", false},
    {"p", "1", "{\"alg\":\"EdDSA\"}", "typ", false},
    {"p", "1", "{\"alg\":\"none\",\"typ\":\"lexecon-policy+jws\"}", "policies/0/7", false},
    {"q", "1", POLICY_HEADER, "the document's policy_id is \"q\", expected \"p\"", false},
};

START_TEST(what_is_not_signed_by_it_or_not_ours_is_refused)
{
    struct lex_signer *pinned = test_signer(1), *stranger = test_signer(2);
    for (size_t i = 0; i < LEX_COUNT_OF(REFUSALS); i++) {
        const struct refusal *r = &REFUSALS[i];
        struct lex_policy *policy;
        struct lex_span text = test_jws(r->other_key ? stranger : pinned, r->header,
                                        document(r->id, r->version, "read"));
        ck_assert_int_eq(read_published(pinned, text, &policy), LEX_REJECT);
        ck_assert_msg(strstr(err.text, r->says) != NULL, "%zu: %s", i, err.text);
        ck_assert_ptr_null(policy);
    }
    lex_signer_free(pinned);
    lex_signer_free(stranger);
}
END_TEST

START_TEST(what_is_no_signed_policy_at_all_is_refused)
{
    static const char *const texts[] = {"", "\n", "{\"policy_id\":\"p\"}", "a.b.c", "...", "x"};
    struct lex_signer *pinned = test_signer(1);
    struct lex_policy *policy;
    for (size_t i = 0; i < LEX_COUNT_OF(texts); i++)
        ck_assert_int_eq(read_published(pinned, lex_span_str(texts[i]), &policy), LEX_REJECT);
    lex_signer_free(pinned);
}
END_TEST

START_TEST(one_changed_byte_is_refused)
{
    struct lex_signer *pinned = test_signer(1);
    struct lex_policy *policy;
    struct lex_span text = test_jws(pinned, POLICY_HEADER, document("p", "1", "read"));
    uint8_t *bytes = (uint8_t *)(uintptr_t)text.data;
    for (size_t i = 0; i < text.len; i += 7) {
        uint8_t kept = bytes[i];
        bytes[i] = kept == 'A' ? 'B' : 'A';
        ck_assert_int_eq(read_published(pinned, text, &policy), LEX_REJECT);
        bytes[i] = kept;
    }
    ck_assert_int_eq(read_published(pinned, text, &policy), LEX_OK);
    lex_policy_unref(policy);
    lex_signer_free(pinned);
}
END_TEST

START_TEST(a_published_policy_without_a_version_or_that_does_not_load_is_refused)
{
    struct lex_signer *pinned = test_signer(1);
    struct lex_policy *policy;
    struct lex_span text = test_jws(pinned, POLICY_HEADER, "{\"policy_id\":\"p\"}");
    ck_assert_int_eq(read_published(pinned, text, &policy), LEX_REJECT);
    ck_assert_ptr_nonnull(strstr(err.text, "no \"version\""));
    text = test_jws(pinned, POLICY_HEADER, "{\"policy_id\":\"p\",\"version\":\"1\",\n\"mode\":7}");
    ck_assert_int_eq(read_published(pinned, text, &policy), LEX_REJECT);
    ck_assert_msg(strstr(err.text, "policies/0/7:2:8") != NULL, "%s", err.text);
    lex_signer_free(pinned);
}
END_TEST

static enum lex_policy_order order(const char *in_force, const char *offered)
{
    struct lex_policy *a, *b;
    ck_assert_int_eq(lex_policy_load(lex_span_str(in_force), "a", &a, &err), LEX_OK);
    ck_assert_int_eq(lex_policy_load(lex_span_str(offered), "b", &b, &err), LEX_OK);
    enum lex_policy_order found = lex_policy_order_of(lex_policy_info(a), lex_policy_info(b));
    lex_policy_unref(a);
    lex_policy_unref(b);
    return found;
}

START_TEST(only_a_higher_version_follows_a_published_one)
{
    struct lex_policy *first;
    const char *v2 = document("p", "2", "read");
    ck_assert_int_eq(lex_policy_load(lex_span_str(v2), "a", &first, &err), LEX_OK);
    ck_assert_int_eq(lex_policy_order_of(NULL, lex_policy_info(first)), LEX_POLICY_NEWER);
    lex_policy_unref(first);
    ck_assert_int_eq(order(v2, document("p", "10", "read")), LEX_POLICY_NEWER);
    ck_assert_int_eq(order(v2, document("p", "1", "read")), LEX_POLICY_OLDER);
    ck_assert_int_eq(order(v2, document("p", "2", "read")), LEX_POLICY_SAME);
    ck_assert_int_eq(order(v2, document("p", "2", "write")), LEX_POLICY_ALTERED);
}
END_TEST

/* ---- keys of the topic ---- */

static struct lex_policy_info info_of(const char *id, const char *version)
{
    struct lex_policy_info info = {.id = lex_span_str(id), .version = lex_span_str(version)};
    memset(info.hash, 0xa5, sizeof info.hash);
    return info;
}

START_TEST(an_archive_key_is_read_back_whatever_id_and_version_hold)
{
    static const char *const names[] = {"p", "a/b@c#d/7", "", "p#", "\xc3\xa9"};
    char key[LEX_POLICIES_KEY_MAX_BYTES];
    for (size_t i = 0; i < LEX_COUNT_OF(names); i++)
        for (size_t j = 0; j < LEX_COUNT_OF(names); j++) {
            struct lex_policy_info info = info_of(names[i], names[j]);
            lex_policies_archive_key(&info, 12, key);
            struct lex_policies_key found = lex_policies_read_key(lex_span_str(key));
            ck_assert_int_eq(found.kind, LEX_POLICIES_ARCHIVED);
            ck_assert_mem_eq(found.hash.bytes, info.hash, 32);
            ck_assert_uint_eq(found.piece, 12);
        }
    struct lex_policy_info plain = info_of("p", "1.2");
    lex_policies_archive_key(&plain, 0, key);
    ck_assert_str_eq(key, "archive/p@1.2#a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5"
                          "a5a5a5/0");
}
END_TEST

START_TEST(a_name_that_is_too_long_for_a_key_stands_as_its_hash)
{
    char id[LEX_HEAD_NAME_MAX_BYTES + 2], key[LEX_POLICIES_KEY_MAX_BYTES];
    memset(id, 'i', sizeof id);
    id[LEX_HEAD_NAME_MAX_BYTES] = 0;
    lex_policies_published_key(lex_span_str(id), key);
    ck_assert_uint_eq(strlen(key), 7 + LEX_HEAD_NAME_MAX_BYTES);
    id[LEX_HEAD_NAME_MAX_BYTES] = 'i';
    id[LEX_HEAD_NAME_MAX_BYTES + 1] = 0;
    lex_policies_published_key(lex_span_str(id), key);
    ck_assert_uint_eq(strlen(key), 7 + 64);
    struct lex_policies_key found = lex_policies_read_key(lex_span_str(key));
    ck_assert_int_eq(found.kind, LEX_POLICIES_PUBLISHED);
    ck_assert_uint_eq(found.id.len, 64);
    struct lex_policy_info info = info_of(id, id);
    lex_policies_archive_key(&info, LEX_ARCHIVE_CHUNKS_MAX - 1, key);
    ck_assert_uint_eq(lex_policies_read_key(lex_span_str(key)).piece, LEX_ARCHIVE_CHUNKS_MAX - 1);
}
END_TEST

START_TEST(any_other_key_is_nobodys)
{
#define HASH "a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5"
    static const char *const keys[] = {
        "",
        "policy",
        "archive/",
        "archive/p@1#" HASH,
        "x",
        "Policy/p",
        "archive/p@1#abc/0",
        "archive/p@1#" HASH "/",
        "archive/0",
        "archive/p/0",
        "archive/p@1#/0",
        "archive/p@1#" HASH "/-1",
        "#" HASH "/0",
        "archive/p@1-" HASH "/0",
        "archive/p@1#" HASH "/x",
        "archive/p@1#" HASH "/129", /* one over LEX_ARCHIVE_CHUNKS_MAX - 1 */
    };
    ck_assert_int_eq(LEX_ARCHIVE_CHUNKS_MAX, 129);
    for (size_t i = 0; i < LEX_COUNT_OF(keys); i++)
        ck_assert_msg(lex_policies_read_key(lex_span_str(keys[i])).kind == LEX_POLICIES_OTHER, "%s",
                      keys[i]);
    ck_assert_int_eq(lex_policies_read_key((struct lex_span){NULL, 0}).kind, LEX_POLICIES_OTHER);
    ck_assert_int_eq(lex_policies_read_key(lex_span_str("archive/p@1#" HASH "/128")).kind,
                     LEX_POLICIES_ARCHIVED);
}
END_TEST

/* ---- the option ---- */

static enum lex_status configure(const char *policy, const char *key)
{
    char a[128], b[128], program[] = "t", *none[] = {NULL};
    snprintf(a, sizeof a, "--policy=%s", policy);
    snprintf(b, sizeof b, "--policy-key=%s", key != NULL ? key : "");
    char *argv[] = {program, a, b, NULL};
    return lex_config_load(key != NULL ? 3 : 2, argv, none, &config, &err);
}

START_TEST(a_topic_needs_an_id_and_a_key)
{
    ck_assert_int_eq(configure("topic:p", NULL), LEX_REJECT);
    ck_assert_ptr_nonnull(strstr(err.text, "set policy_key"));
    ck_assert_int_eq(configure("topic:", "key.pem"), LEX_REJECT);
    ck_assert_int_eq(configure("topic:p", "key.pem"), LEX_OK);
    ck_assert_str_eq(lex_config_policy_topic(config), "p");
    lex_config_free(config);
    ck_assert_int_eq(configure("./topic:p", NULL), LEX_OK);
    ck_assert_ptr_null(lex_config_policy_topic(config));
    lex_config_free(config);
}
END_TEST

LEX_CHECK_MAIN_WITH("loading", setup, teardown,
                    a_file_that_stays_is_no_change_and_one_that_is_replaced_by_its_like_is,
                    of_a_directory_every_policy_counts_and_nothing_else,
                    a_swapped_link_changes_every_file_behind_it,
                    a_file_is_in_force_at_once_and_an_edit_follows_under_its_own_version,
                    a_broken_file_leaves_the_one_before_whole_and_health_names_line_and_column,
                    a_file_that_is_taken_away_leaves_its_policy_in_force,
                    an_older_version_is_refused_until_rollback_is_allowed,
                    another_policy_is_no_older_one,
                    a_directory_is_one_policy_and_one_bad_or_older_file_refuses_all_of_it,
                    a_first_file_that_comes_late_is_taken,
                    asked_it_looks_at_once_even_where_nothing_changed,
                    a_policy_whose_text_cannot_be_kept_waits_and_the_one_before_goes_on,
                    the_page_names_the_policy_in_force_and_no_other,
                    a_policy_that_the_pinned_key_signed_counts,
                    what_is_not_signed_by_it_or_not_ours_is_refused,
                    what_is_no_signed_policy_at_all_is_refused, one_changed_byte_is_refused,
                    a_published_policy_without_a_version_or_that_does_not_load_is_refused,
                    only_a_higher_version_follows_a_published_one,
                    an_archive_key_is_read_back_whatever_id_and_version_hold,
                    a_name_that_is_too_long_for_a_key_stands_as_its_hash, any_other_key_is_nobodys,
                    a_topic_needs_an_id_and_a_key)
