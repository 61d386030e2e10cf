/* The policies topic on a mock broker: what is archived is found again, what is published comes
 * into force, and nothing else does. */
#include "tests/mock/mock.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "consumer/policy_topic.h"
#include "consumer/policy_watch.h"
#include "core/base/text.h"
#include "core/crypto/jwt.h"
#include "core/identity/token.h"

static struct mock mock;
static struct lex_error err;
static struct lex_signer *author, *stranger;
static char key_path[64], file_path[64];

static struct lex_signer *signer_of(uint8_t byte)
{
    struct lex_signer *signer = NULL;
    uint8_t seed[LEX_SEED_BYTES] = {byte};
    ck_assert_int_eq(lex_signer_from_seed(seed, &signer, &err), LEX_OK);
    return signer;
}

static void write_key(void)
{
    struct lex_buf text;
    FILE *file = fopen(key_path, "w");
    ck_assert_ptr_nonnull(file);
    lex_buf_init(&text, 128);
    lex_buf_put_base64(&text, lex_span_of(lex_signer_public(author)->bytes, LEX_PUBLIC_KEY_BYTES));
    ck_assert_int_gt(fprintf(file, "%s\n", lex_buf_str(&text)), 0);
    ck_assert_int_eq(fclose(file), 0);
    lex_buf_fini(&text);
}

/* @param policy "topic:p", or NULL for the file at file_path */
static void start(const char *policy)
{
    char policy_entry[128], key_entry[128];
    snprintf(key_path, sizeof key_path, "/tmp/lexecon-mock-key.%d", (int)getpid());
    snprintf(file_path, sizeof file_path, "/tmp/lexecon-mock-policy.%d.json", (int)getpid());
    snprintf(policy_entry, sizeof policy_entry, "LEXECON_POLICY=%s",
             policy != NULL ? policy : file_path);
    snprintf(key_entry, sizeof key_entry, "LEXECON_POLICY_KEY=%s", key_path);
    ck_assert_int_eq(lex_crypto_init(&err), LEX_OK);
    author = signer_of(1);
    stranger = signer_of(2);
    write_key();
    const char *const more[] = {policy_entry, key_entry, "LEXECON_POLICY_POLL_MS=100", NULL};
    mock_start(&mock, more);
}

static void stop(void)
{
    mock_stop(&mock);
    lex_signer_free(author);
    lex_signer_free(stranger);
    (void)unlink(key_path);
    (void)unlink(file_path);
}

static void make_topic(int partitions)
{
    ck_assert_int_eq(rd_kafka_mock_topic_create(mock.cluster, "lexecon.policies", partitions, 1),
                     0);
}

/* ---- documents ---- */

/* A policy of exactly `bytes` bytes, or as short as can be. @owns the caller frees it */
static char *document(const char *version, const char *action, size_t bytes)
{
    char head[256], tail[256];
    int head_len = snprintf(head, sizeof head,
                            "{\"policy_id\":\"p\",\"version\":\"%s\",\"description\":\"", version);
    int tail_len = snprintf(tail, sizeof tail,
                            "\",\"relations\":[{\"type\":\"permits\",\"subject\":\"user\","
                            "\"action\":\"%s\"}]}",
                            action);
    size_t least = (size_t)(head_len + tail_len);
    size_t fill = bytes > least ? bytes - least : 0;
    char *text = malloc(least + fill + 1);
    memcpy(text, head, (size_t)head_len);
    for (size_t i = 0; i < fill; i++)
        text[(size_t)head_len + i] = (char)('a' + i % 23);
    memcpy(text + head_len + fill, tail, (size_t)tail_len + 1);
    return text;
}

static struct lex_policy *load(const char *text)
{
    struct lex_policy *policy;
    ck_assert_msg(lex_policy_load(lex_span_str(text), "p", &policy, &err) == LEX_OK, "%s",
                  err.text);
    return policy;
}

static struct lex_hash hash_of(const struct lex_policy *policy)
{
    struct lex_hash hash;
    memcpy(hash.bytes, lex_policy_info(policy)->hash, sizeof hash.bytes);
    return hash;
}

/* ---- the archive ---- */

static const size_t SIZES[] = {100, LEX_ARCHIVE_CHUNK_BYTES - 1, LEX_ARCHIVE_CHUNK_BYTES,
                               LEX_ARCHIVE_CHUNK_BYTES + 1, 3 * LEX_ARCHIVE_CHUNK_BYTES};

START_TEST(an_archived_text_is_found_by_its_hash_byte_for_byte)
{
    struct lex_policy *found;
    char *text = document("1", "read", SIZES[_i]), *other = document("2", "write", 600 << 10);
    start(NULL);
    make_topic(3);
    struct lex_policy *policy = load(text), *another = load(other);
    struct lex_hash hash = hash_of(policy);
    for (int twice = 0; twice < 2; twice++) {
        ck_assert_msg(lex_policies_archive(mock.config, lex_policy_info(policy), 10000, &err) ==
                          LEX_OK,
                      "%s", err.text);
        ck_assert_int_eq(lex_policies_archive(mock.config, lex_policy_info(another), 10000, &err),
                         LEX_OK);
    }
    ck_assert_msg(lex_policy_topic_archived(mock.config, &hash, 10000, &found, &err) == LEX_OK,
                  "%s", err.text);
    ck_assert(lex_span_eq(lex_policy_info(found)->document, lex_span_str(text)));
    lex_policy_unref(found);
    lex_policy_unref(policy);
    lex_policy_unref(another);
    free(text);
    free(other);
    stop();
}
END_TEST

static void put_record(const char *key, struct lex_span value)
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    (void)rd_kafka_conf_set(conf, "bootstrap.servers",
                            rd_kafka_mock_cluster_bootstraps(mock.cluster), text, sizeof text);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    ck_assert_int_eq(rd_kafka_producev(rk, RD_KAFKA_V_TOPIC("lexecon.policies"),
                                       RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                                       RD_KAFKA_V_KEY(key, strlen(key)),
                                       RD_KAFKA_V_VALUE((void *)(uintptr_t)value.data, value.len),
                                       RD_KAFKA_V_END),
                     0);
    ck_assert_int_eq(rd_kafka_flush(rk, 10000), 0);
    rd_kafka_destroy(rk);
}

START_TEST(a_text_that_is_not_there_not_whole_or_another_is_never_given)
{
    struct lex_policy *found;
    char key[LEX_POLICIES_KEY_MAX_BYTES];
    char *text = document("1", "read", 600 << 10), *other = document("1", "write", 600 << 10);
    start(NULL);
    make_topic(1);
    struct lex_policy *policy = load(text);
    struct lex_hash hash = hash_of(policy);
    ck_assert_int_eq(lex_policy_topic_archived(mock.config, &hash, 10000, &found, &err),
                     LEX_REJECT);
    ck_assert_ptr_nonnull(strstr(err.text, "does not have it"));
    lex_policies_archive_key(lex_policy_info(policy), 0, key);
    put_record(key, lex_span_of(text, LEX_ARCHIVE_CHUNK_BYTES));
    ck_assert_int_eq(lex_policy_topic_archived(mock.config, &hash, 10000, &found, &err),
                     LEX_REJECT);
    ck_assert_ptr_nonnull(strstr(err.text, "piece 1 is missing"));
    lex_policies_archive_key(lex_policy_info(policy), 1, key);
    put_record(key, lex_span_str(other + LEX_ARCHIVE_CHUNK_BYTES));
    ck_assert_int_eq(lex_policy_topic_archived(mock.config, &hash, 10000, &found, &err),
                     LEX_REJECT);
    ck_assert_ptr_nonnull(strstr(err.text, "another policy's"));
    put_record(key, lex_span_str(text + LEX_ARCHIVE_CHUNK_BYTES));
    ck_assert_int_eq(lex_policy_topic_archived(mock.config, &hash, 10000, &found, &err), LEX_OK);
    lex_policy_unref(found);
    lex_policy_unref(policy);
    free(text);
    free(other);
    stop();
}
END_TEST

START_TEST(a_broker_that_does_not_take_it_in_time_is_no_archive)
{
    char *text = document("1", "read", 60 << 10);
    start(NULL);
    make_topic(1);
    struct lex_policy *policy = load(text);
    mock_push(&mock, API_PRODUCE, 100, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, 0);
    ck_assert_int_eq(lex_policies_archive(mock.config, lex_policy_info(policy), 1500, &err),
                     LEX_RETRY);
    ck_assert_ptr_nonnull(strstr(err.text, "lexecon.policies cannot be written"));
    lex_policy_unref(policy);
    free(text);
    stop();
}
END_TEST

/* ---- the watch ---- */

static struct lex_health health;
static struct lex_policy_slot slot;
static struct lex_policy_watch *the_watch;
static _Atomic int swaps;

static void note_swap(void *user)
{
    (void)user;
    swaps++;
}

static void watch(void)
{
    lex_health_init(&health, 1, 60000000);
    lex_policy_slot_init(&slot);
    swaps = 0;
    ck_assert_int_eq(
        lex_policy_watch_start(mock.config, &slot, &health, note_swap, NULL, &the_watch, &err),
        LEX_OK);
}

static void unwatch(void)
{
    lex_policy_watch_stop(the_watch);
    lex_policy_slot_fini(&slot);
}

static const char *in_force(void)
{
    static char text[64];
    uint64_t generation;
    struct lex_policy *policy = lex_policy_slot_get(&slot, &generation);
    text[0] = 0;
    if (policy != NULL)
        snprintf(text, sizeof text, "%.*s", LEX_SPAN_FMT(lex_policy_info(policy)->version));
    lex_policy_unref(policy);
    return text;
}

static bool health_says(const char *text)
{
    char body[8192];
    struct lex_buf out;
    lex_buf_borrow(&out, body, sizeof body);
    (void)lex_health_write(&health, LEX_PROBE_HEALTH, 0, &out);
    return strstr(body, text) != NULL;
}

#define AWAIT(condition)                                         \
    do {                                                         \
        for (int i_ = 0; i_ < 500 && !(condition); i_++)         \
            (void)usleep(20 * 1000);                             \
        ck_assert_msg(condition, "still not true: " #condition); \
    } while (0)

static void publish(const struct lex_signer *signer, const char *version, const char *action)
{
    struct lex_arena arena;
    struct lex_span text;
    char *source = document(version, action, 0);
    lex_arena_init(&arena, 4096, 1 << 20);
    ck_assert_int_eq(lex_policy_jws_sign(signer, lex_span_str(source), &arena, &text, &err),
                     LEX_OK);
    ck_assert_msg(lex_policies_publish(mock.config, LEX_SPAN("p"), text, 10000, &err) == LEX_OK,
                  "%s", err.text);
    lex_arena_fini(&arena);
    free(source);
}

START_TEST(the_newest_that_was_published_comes_into_force_and_the_next_follows)
{
    start("topic:p");
    make_topic(2);
    publish(author, "1", "read");
    publish(author, "3", "read");
    publish(author, "2", "read");
    put_record("policy/q", LEX_SPAN("of another"));
    put_record("archive/p@1#00/0", LEX_SPAN("no policy"));
    watch();
    AWAIT(swaps > 0);
    ck_assert_str_eq(in_force(), "3");
    ck_assert(health.policy_loaded);
    publish(author, "10", "read");
    AWAIT(swaps > 1);
    ck_assert_str_eq(in_force(), "10");
    ck_assert_int_eq(swaps, 2);
    unwatch();
    stop();
}
END_TEST

START_TEST(what_is_unsigned_wrongly_signed_older_or_altered_changes_nothing)
{
    start("topic:p");
    make_topic(1);
    publish(author, "2", "read");
    watch();
    AWAIT(swaps > 0);
    publish(stranger, "3", "read");
    AWAIT(health_says("signed policy"));
    char *plain = document("3", "read", 0);
    put_record("policy/p", lex_span_str(plain));
    free(plain);
    put_record("policy/p", LEX_SPAN(""));
    AWAIT(health_says("cannot be taken back"));
    publish(author, "1", "read");
    AWAIT(health_says("version 1 is older"));
    publish(author, "2", "write");
    AWAIT(health_says("version 2 was published with another content"));
    ck_assert_str_eq(in_force(), "2");
    ck_assert_int_eq(swaps, 1);
    publish(author, "2", "read"); /* the same again */
    publish(author, "4", "read");
    AWAIT(swaps > 1);
    ck_assert_str_eq(in_force(), "4");
    ck_assert(!health_says("refused"));
    unwatch();
    stop();
}
END_TEST

START_TEST(a_large_file_comes_into_force_once_its_text_is_archived)
{
    struct lex_policy *found;
    start(NULL);
    char *text = document("1", "read", 700 << 10);
    FILE *file = fopen(file_path, "w");
    ck_assert_uint_eq(fwrite(text, 1, strlen(text), file), strlen(text));
    ck_assert_int_eq(fclose(file), 0);
    make_topic(1);
    watch();
    AWAIT(swaps > 0);
    ck_assert_str_eq(in_force(), "1");
    struct lex_policy *policy = load(text);
    struct lex_hash hash = hash_of(policy);
    ck_assert_int_eq(lex_policy_topic_archived(mock.config, &hash, 10000, &found, &err), LEX_OK);
    lex_policy_unref(found);
    lex_policy_unref(policy);
    free(text);
    unwatch();
    stop();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mock_policies");
    TCase *tcase = tcase_create("policies");
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, an_archived_text_is_found_by_its_hash_byte_for_byte, 0,
                        LEX_COUNT_OF(SIZES));
    tcase_add_test(tcase, a_text_that_is_not_there_not_whole_or_another_is_never_given);
    tcase_add_test(tcase, a_broker_that_does_not_take_it_in_time_is_no_archive);
    tcase_add_test(tcase, the_newest_that_was_published_comes_into_force_and_the_next_follows);
    tcase_add_test(tcase, what_is_unsigned_wrongly_signed_older_or_altered_changes_nothing);
    tcase_add_test(tcase, a_large_file_comes_into_force_once_its_text_is_archived);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
