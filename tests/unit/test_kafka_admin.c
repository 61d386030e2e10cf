/* What the operator's commands decide without a broker: plans and differences of topics, rights,
 * clients' settings, dead letters. */
#include "tests/unit/lex_check.h"

#include <stdio.h>

#include "cli/acl_table.h"
#include "cli/dlq.h"
#include "cli/properties.h"
#include "consumer/probe.h"
#include "consumer/topic_plan.h"

static struct lex_config *config;
static struct lex_error err;
static const struct lex_topic_wishes NOTHING = {.ledger_days = LEX_TOPIC_UNSAID};
static const struct lex_topic_tools TOOLS = {.servers = "kafka:9092"};
static const int64_t DAY = 86400000;

static void load(const char *requirements)
{
    char name[] = "x", flag[] = "--ledger-requirements", value[128];
    char *argv[] = {name, flag, value, NULL}, *environment[] = {NULL};
    snprintf(value, sizeof value, "%s", requirements);
    lex_config_free(config);
    config = NULL;
    ck_assert_int_eq(lex_config_load(3, argv, environment, &config, &err), LEX_OK);
}

static void setup(void)
{
    struct lex_error problem;
    ck_assert_int_eq(lex_crypto_init(&problem), LEX_OK);
    load("retention_days=180,replication=3,min_isr=2");
}

static void teardown(void)
{
    lex_config_free(config);
    config = NULL;
}

/* ---- topic plan ---- */

static struct lex_topic_plan plans[LEX_TOPIC_ROLES];

static void plan(const struct lex_topic_wishes *wishes, int32_t existing)
{
    ck_assert_msg(lex_topic_plan_make(config, wishes, existing, plans, &err) == LEX_OK, "%s",
                  err.text);
}

static void refuse(const struct lex_topic_wishes *wishes, const char *says)
{
    memset(plans, 0x5a, sizeof plans);
    ck_assert_int_eq(lex_topic_plan_make(config, wishes, 0, plans, &err), LEX_REJECT);
    ck_assert_msg(strstr(err.text, says) != NULL, "%s", err.text);
    ck_assert_int_eq(((uint8_t *)plans)[0], 0x5a); /* untouched on failure */
}

START_TEST(a_plan_follows_the_requirements)
{
    plan(&NOTHING, 0);
    for (int i = 0; i < LEX_TOPIC_ROLES; i++) {
        ck_assert_int_eq(plans[i].replication, 3);
        ck_assert_int_eq(plans[i].min_insync_replicas, 2);
        ck_assert_int_eq(plans[i].partitions, i == LEX_TOPIC_POLICIES ? 1 : 8);
    }
    ck_assert_int_eq(plans[LEX_TOPIC_LEDGER].retention_ms, -1);
    ck_assert_int_eq(plans[LEX_TOPIC_REQUESTS].retention_ms, 7 * DAY);
    ck_assert_str_eq(plans[LEX_TOPIC_POLICIES].cleanup_policy, "compact");
    ck_assert(!plans[LEX_TOPIC_POLICIES].needed);
    ck_assert(plans[LEX_TOPIC_LEDGER].needed);
}
END_TEST

START_TEST(a_plan_without_requirements_is_of_one_broker)
{
    load("off");
    plan(&NOTHING, 0);
    ck_assert_int_eq(plans[LEX_TOPIC_LEDGER].replication, 1);
    ck_assert_int_eq(plans[LEX_TOPIC_LEDGER].min_insync_replicas, 1);
}
END_TEST

START_TEST(requirements_that_ask_for_less_than_one_or_for_more_in_sync_than_replicas_make_a_plan)
{
    load("retention_days=1,replication=0,min_isr=0");
    plan(&NOTHING, 0);
    ck_assert_int_eq(plans[LEX_TOPIC_LEDGER].replication, 1);
    ck_assert_int_eq(plans[LEX_TOPIC_LEDGER].min_insync_replicas, 1);
    load("retention_days=1,replication=1,min_isr=3");
    plan(&NOTHING, 0);
    ck_assert_int_eq(plans[LEX_TOPIC_LEDGER].replication, 3);
}
END_TEST

START_TEST(what_the_requests_have_is_what_the_others_get)
{
    plan(&NOTHING, 5);
    ck_assert_int_eq(plans[LEX_TOPIC_VERDICTS].partitions, 5);
    ck_assert_int_eq(plans[LEX_TOPIC_POLICIES].partitions, 1);
    struct lex_topic_wishes fewer = NOTHING, more = NOTHING;
    fewer.partitions = 3;
    plan(&fewer, 5);
    ck_assert_int_eq(plans[LEX_TOPIC_VERDICTS].partitions, 5); /* it never shrinks */
    more.partitions = 9;
    plan(&more, 5);
    ck_assert_int_eq(plans[LEX_TOPIC_VERDICTS].partitions, 9);
    ck_assert_int_eq(plans[LEX_TOPIC_REQUESTS].partitions, 9);
}
END_TEST

START_TEST(a_plan_that_the_service_would_refuse_is_refused)
{
    struct lex_topic_wishes wishes = NOTHING;
    wishes.replication = 2;
    refuse(&wishes, "replication 2 is below");
    wishes = NOTHING;
    wishes.min_insync_replicas = 1;
    refuse(&wishes, "min ISR 1 is below");
    wishes = NOTHING;
    wishes.ledger_days = 179;
    refuse(&wishes, "179 days of ledger are below");
    wishes.ledger_days = 180;
    plan(&wishes, 0);
    ck_assert_int_eq(plans[LEX_TOPIC_LEDGER].retention_ms, 180 * DAY);
    wishes = NOTHING;
    wishes.min_insync_replicas = 4;
    refuse(&wishes, "more than replication 3");
}
END_TEST

START_TEST(an_audit_node_needs_the_ledger_alone)
{
    config->role = LEX_ROLE_AUDIT;
    for (int i = 0; i < LEX_TOPIC_ROLES; i++)
        ck_assert_int_eq(lex_topic_needed(config, (enum lex_topic_role)i), i == LEX_TOPIC_LEDGER);
}
END_TEST

/* ---- differences ---- */

static struct lex_topic_difference found[LEX_TOPIC_FIELDS];
static struct lex_topic topic;
static struct lex_topic_settings settings;

/* As planned; a test then breaks one thing. */
static size_t compare(enum lex_topic_role role)
{
    return lex_topic_plan_compare(&plans[role], &topic, &settings, found);
}

static void as_planned(enum lex_topic_role role)
{
    plan(&NOTHING, 0);
    const struct lex_topic_plan *p = &plans[role];
    topic = (struct lex_topic){true, p->partitions, p->replication};
    settings = (struct lex_topic_settings){.retention_ms = p->retention_ms,
                                           .retention_bytes = -1,
                                           .min_insync_replicas = p->min_insync_replicas};
    snprintf(settings.cleanup_policy, sizeof settings.cleanup_policy, "%s", p->cleanup_policy);
    ck_assert_int_eq(compare(role), 0);
}

static void check_one(enum lex_topic_role role, enum lex_topic_field field, bool note,
                      const char *command)
{
    char text[1024];
    struct lex_buf out;
    ck_assert_int_eq(compare(role), 1);
    ck_assert_int_eq(found[0].field, field);
    ck_assert_int_eq(found[0].note, note);
    lex_buf_borrow(&out, text, sizeof text);
    lex_topic_mend_command(&plans[role], &found[0], &TOOLS, &out);
    ck_assert_msg(strstr(text, command) != NULL, "%s", text);
}

START_TEST(each_difference_is_seen_with_its_command)
{
    as_planned(LEX_TOPIC_LEDGER);
    topic.exists = false;
    check_one(
        LEX_TOPIC_LEDGER, LEX_TOPIC_FIELD_MISSING, false,
        "kafka-topics.sh --bootstrap-server kafka:9092 --create --if-not-exists --topic "
        "lexecon.ledger --partitions 8 --replication-factor 3 --config min.insync.replicas=2");
    as_planned(LEX_TOPIC_LEDGER);
    topic.partitions = 7;
    check_one(LEX_TOPIC_LEDGER, LEX_TOPIC_FIELD_PARTITIONS, false,
              "--alter --topic lexecon.ledger --partitions 8");
    as_planned(LEX_TOPIC_LEDGER);
    topic.replication = 2;
    check_one(LEX_TOPIC_LEDGER, LEX_TOPIC_FIELD_REPLICATION, false, "kafka-reassign-partitions.sh");
    as_planned(LEX_TOPIC_LEDGER);
    settings.min_insync_replicas = 1;
    check_one(LEX_TOPIC_LEDGER, LEX_TOPIC_FIELD_MIN_ISR, false,
              "--add-config min.insync.replicas=2");
    as_planned(LEX_TOPIC_LEDGER);
    settings.retention_ms = 7 * DAY;
    check_one(LEX_TOPIC_LEDGER, LEX_TOPIC_FIELD_RETENTION, false, "--add-config retention.ms=-1");
    as_planned(LEX_TOPIC_LEDGER);
    settings.retention_bytes = 1;
    check_one(LEX_TOPIC_LEDGER, LEX_TOPIC_FIELD_RETENTION_BYTES, true, "retention.bytes=-1");
    as_planned(LEX_TOPIC_LEDGER);
    snprintf(settings.cleanup_policy, sizeof settings.cleanup_policy, "delete,compact");
    check_one(LEX_TOPIC_LEDGER, LEX_TOPIC_FIELD_CLEANUP, false, "cleanup.policy=delete");
    as_planned(LEX_TOPIC_POLICIES);
    snprintf(settings.cleanup_policy, sizeof settings.cleanup_policy, "delete");
    check_one(LEX_TOPIC_POLICIES, LEX_TOPIC_FIELD_CLEANUP, false, "cleanup.policy=compact");
    as_planned(LEX_TOPIC_VERDICTS);
    settings.retention_ms = 1;
    check_one(LEX_TOPIC_VERDICTS, LEX_TOPIC_FIELD_RETENTION, true, "retention.ms=604800000");
    as_planned(LEX_TOPIC_POLICIES);
    topic.exists = false;
    check_one(LEX_TOPIC_POLICIES, LEX_TOPIC_FIELD_MISSING, true, "--partitions 1 ");
}
END_TEST

START_TEST(more_than_planned_is_no_difference)
{
    as_planned(LEX_TOPIC_REQUESTS);
    topic.partitions = 100;
    topic.replication = 5;
    settings.min_insync_replicas = 3;
    settings.retention_ms = -1;
    ck_assert_int_eq(compare(LEX_TOPIC_REQUESTS), 0);
    topic.replication = 1;
    ck_assert_int_eq(lex_topic_plan_compare(&plans[0], &topic, NULL, found), 1);
}
END_TEST

/* ---- rights ---- */

static bool has(const struct lex_acl *acls, size_t count, enum lex_acl_principal who,
                const char *operation, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (acls[i].principal == who && strcmp(acls[i].operation, operation) == 0 &&
            strcmp(acls[i].name, name) == 0)
            return true;
    return false;
}

START_TEST(rights_follow_the_configuration)
{
    struct lex_acl acls[LEX_ACL_MAX];
    size_t count = lex_acl_list(config, lex_acl_conditions(config), acls);
    ck_assert(has(acls, count, LEX_ACL_SERVICE, "DescribeConfigs", "lexecon.ledger"));
    ck_assert(has(acls, count, LEX_ACL_SERVICE, "Write", "lexecon."));
    ck_assert(!has(acls, count, LEX_ACL_SERVICE, "Read", "lexecon.policies"));
    ck_assert(!has(acls, count, LEX_ACL_GATEWAY, "Write", "lexecon.ledger"));
    load("off");
    count = lex_acl_list(config, lex_acl_conditions(config), acls);
    ck_assert(!has(acls, count, LEX_ACL_SERVICE, "DescribeConfigs", "lexecon.ledger"));
    count = lex_acl_list(config, ~0u, acls);
    ck_assert(has(acls, count, LEX_ACL_SERVICE, "Read", "lexecon.policies"));
    ck_assert(has(acls, count, LEX_ACL_GATEWAY, "IdempotentWrite", "kafka-cluster"));
}
END_TEST

START_TEST(nobody_but_the_service_writes_what_it_answers)
{
    struct lex_acl acls[LEX_ACL_MAX];
    const char *const outputs[] = {"lexecon.verdicts", "lexecon.ledger", "lexecon.dead-letters"};
    size_t count = lex_acl_list(config, ~0u, acls);
    for (int who = 0; who < LEX_ACL_PRINCIPALS; who++)
        for (size_t i = 0; i < 3; i++)
            ck_assert_int_eq(has(acls, count, (enum lex_acl_principal)who, "Write", outputs[i]),
                             who == LEX_ACL_SERVICE);
}
END_TEST

START_TEST(arguments_are_those_of_kafka_acls)
{
    char text[256];
    struct lex_buf out;
    struct lex_acl acl = {LEX_ACL_SERVICE, LEX_ACL_TXN, "lexecon.", "Write", ""};
    lex_buf_borrow(&out, text, sizeof text);
    lex_acl_arguments(&acl, 1, &out);
    ck_assert_str_eq(text, "--operation Write --resource-pattern-type prefixed --transactional-id "
                           "lexecon.");
    acl.resource = LEX_ACL_CLUSTER;
    lex_buf_clear(&out);
    lex_acl_arguments(&acl, 1, &out);
    ck_assert_str_eq(text, "--operation Write --cluster");
    enum lex_acl_when when;
    ck_assert_int_eq(lex_acl_condition("policy-topic", &when, &err), LEX_OK);
    ck_assert_int_eq(when, LEX_ACL_POLICY_TOPIC);
    ck_assert_int_eq(lex_acl_condition("policies", &when, &err), LEX_REJECT);
    ck_assert_int_eq(lex_acl_condition("", &when, &err), LEX_REJECT);
}
END_TEST

/* ---- properties ---- */

static struct lex_properties properties;
static char file[4096];
static int worst;
static char told[4096];

static void parse(const char *text)
{
    snprintf(file, sizeof file, "%s", text);
    ck_assert_int_eq(lex_properties_parse(file, &properties, &err), LEX_OK);
}

static void tell(void *user, enum lex_finding_level level, const char *text, const char *mend)
{
    (void)user;
    (void)mend;
    if ((int)level > worst)
        worst = level;
    if (level == LEX_FINDING_FAIL)
        snprintf(told, sizeof told, "%s", text);
}

static int judge(const char *text, enum lex_client_kind kind)
{
    parse(text);
    worst = 0;
    told[0] = 0;
    lex_properties_judge(&properties, kind, tell, NULL);
    return worst;
}

START_TEST(properties_are_read_as_java_reads_them)
{
    parse(
        "# a comment\n! another\n\n  isolation.level = read_committed  \r\ngroup.id: g\nclient.id "
        "c\nsasl.jaas.config=a \\\n   b \\\n   c\nlast=\\\\\nnone");
    ck_assert_int_eq(properties.count, 6);
    ck_assert_str_eq(lex_properties_get(&properties, "isolation.level")->value, "read_committed");
    ck_assert_str_eq(lex_properties_get(&properties, "group.id")->value, "g");
    ck_assert_str_eq(lex_properties_get(&properties, "client.id")->value, "c");
    ck_assert_str_eq(lex_properties_get(&properties, "sasl.jaas.config")->value, "a b c");
    ck_assert_int_eq(lex_properties_get(&properties, "sasl.jaas.config")->line, 7);
    ck_assert_str_eq(lex_properties_get(&properties, "last")->value, "\\\\");
    ck_assert_str_eq(lex_properties_get(&properties, "none")->value, "");
    ck_assert_ptr_null(lex_properties_get(&properties, "level"));
    parse("a=1\na=2");
    ck_assert_str_eq(lex_properties_get(&properties, "a")->value, "2");
}
END_TEST

START_TEST(properties_have_ceilings)
{
    static char many[(LEX_PROPERTIES_MAX + 1) * 4 + 1];
    for (int i = 0; i <= LEX_PROPERTIES_MAX; i++)
        memcpy(many + (size_t)i * 4, "a=b\n", 4);
    ck_assert_int_eq(lex_properties_parse(many, &properties, &err), LEX_LIMIT);
    for (int i = 0; i <= LEX_PROPERTIES_MAX; i++)
        memcpy(many + (size_t)i * 4, "a=b\n", 4);
    many[LEX_PROPERTIES_MAX * 4] = 0;
    ck_assert_int_eq(lex_properties_parse(many, &properties, &err), LEX_OK);
    memset(many, 'k', LEX_PROPERTIES_KEY_MAX_BYTES + 1);
    many[LEX_PROPERTIES_KEY_MAX_BYTES + 1] = 0;
    ck_assert_int_eq(lex_properties_parse(many, &properties, &err), LEX_REJECT);
    many[LEX_PROPERTIES_KEY_MAX_BYTES] = 0;
    ck_assert_int_eq(lex_properties_parse(many, &properties, &err), LEX_OK);
}
END_TEST

START_TEST(the_default_of_isolation_depends_on_the_client)
{
    const char *safe = "enable.auto.commit=false\nallow.auto.create.topics=false\n"
                       "security.protocol=SASL_SSL\n";
    char text[512];
    ck_assert_int_eq(judge(safe, LEX_CLIENT_LIBRDKAFKA), LEX_FINDING_OK);
    ck_assert_int_eq(judge(safe, LEX_CLIENT_JAVA), LEX_FINDING_FAIL);
    ck_assert(strstr(told, "Java's default is read_uncommitted") != NULL);
    ck_assert_int_eq(judge(safe, LEX_CLIENT_UNKNOWN), LEX_FINDING_FAIL);
    snprintf(text, sizeof text, "%sisolation.level=read_committed\n", safe);
    ck_assert_int_eq(judge(text, LEX_CLIENT_JAVA), LEX_FINDING_OK);
    snprintf(text, sizeof text, "%sisolation.level=read_uncommitted\n", safe);
    ck_assert_int_eq(judge(text, LEX_CLIENT_LIBRDKAFKA), LEX_FINDING_FAIL);
    snprintf(text, sizeof text, "%sisolation.levle=read_committed\n", safe);
    ck_assert_int_eq(judge(text, LEX_CLIENT_LIBRDKAFKA), LEX_FINDING_WARN);
}
END_TEST

START_TEST(clients_are_told_apart_by_their_keys)
{
    parse("key.deserializer=x");
    ck_assert_int_eq(lex_properties_client(&properties), LEX_CLIENT_JAVA);
    parse("sasl.username=x");
    ck_assert_int_eq(lex_properties_client(&properties), LEX_CLIENT_LIBRDKAFKA);
    parse("sasl.username=x\nkey.deserializer=x");
    ck_assert_int_eq(lex_properties_client(&properties), LEX_CLIENT_UNKNOWN);
    parse("bootstrap.servers=x");
    ck_assert_int_eq(lex_properties_client(&properties), LEX_CLIENT_UNKNOWN);
}
END_TEST

START_TEST(what_harms_a_reader_fails)
{
    const char *const bad[] = {"group.id=lexecon", "ssl.endpoint.identification.algorithm=",
                               "enable.ssl.certificate.verification=false"};
    char text[512];
    for (size_t i = 0; i < 3; i++) {
        snprintf(text, sizeof text, "isolation.level=read_committed\n%s\n", bad[i]);
        ck_assert_int_eq(judge(text, LEX_CLIENT_JAVA), LEX_FINDING_FAIL);
    }
    ck_assert_int_eq(judge("isolation.level=read_committed\n", LEX_CLIENT_JAVA), LEX_FINDING_WARN);
}
END_TEST

/* ---- dead letters ---- */

static struct lex_dlq_letter letter;

static void put(const char *name, const char *value)
{
    letter.headers[letter.headers_count++] = (struct lex_dlq_header){name, lex_span_str(value)};
}

/* SHA-256 of "abc": FIPS 180-2, appendix B.1. */
static void make_letter(const char *value, const char *bytes)
{
    letter = (struct lex_dlq_letter){.partition = 3, .offset = 7, .timestamp_ms = 1000};
    letter.value = lex_span_str(value);
    put("__connect.errors.topic", "lexecon.requests");
    put("__connect.errors.partition", "3");
    put("__connect.errors.offset", "42");
    put("__connect.errors.exception.class.name", "UNKNOWN_SCHEMA");
    put("lexecon.original.bytes", bytes);
    put("lexecon.original.sha256",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    lex_dlq_read(&letter);
}

START_TEST(a_letter_says_whether_the_request_is_in_it)
{
    make_letter("abc", "3");
    ck_assert_int_eq(letter.source_offset, 42);
    ck_assert_int_eq(lex_dlq_state_of(&letter), LEX_DLQ_WHOLE);
    make_letter("ab*", "3");
    ck_assert_int_eq(lex_dlq_state_of(&letter), LEX_DLQ_BLANKED);
    make_letter("ab", "3");
    ck_assert_int_eq(lex_dlq_state_of(&letter), LEX_DLQ_CUT);
    make_letter("", "3");
    ck_assert_int_eq(lex_dlq_state_of(&letter), LEX_DLQ_CUT);
    make_letter("abc", "three");
    ck_assert_int_eq(lex_dlq_state_of(&letter), LEX_DLQ_FOREIGN);
    make_letter("abc", "-3");
    ck_assert_int_eq(lex_dlq_state_of(&letter), LEX_DLQ_FOREIGN);
    letter.headers_count = 0;
    lex_dlq_read(&letter);
    ck_assert_int_eq(lex_dlq_state_of(&letter), LEX_DLQ_FOREIGN);
}
END_TEST

START_TEST(letters_are_chosen_by_reason_place_and_time)
{
    struct lex_dlq_filter filter = {.since_ms = -1};
    make_letter("abc", "3");
    ck_assert(lex_dlq_matches(&filter, &letter));
    filter.reasons = (struct lex_cli_list){{"EMPTY"}, 1};
    ck_assert(!lex_dlq_matches(&filter, &letter));
    filter.reasons = (struct lex_cli_list){{"EMPTY", "UNKNOWN_SCHEMA"}, 2};
    ck_assert(lex_dlq_matches(&filter, &letter));
    filter.letters = (struct lex_cli_list){{"3/8"}, 1};
    ck_assert(!lex_dlq_matches(&filter, &letter));
    filter.letters = (struct lex_cli_list){{"3/7"}, 1};
    ck_assert(lex_dlq_matches(&filter, &letter));
    filter.since_ms = 1000;
    ck_assert(lex_dlq_matches(&filter, &letter));
    filter.since_ms = 1001;
    ck_assert(!lex_dlq_matches(&filter, &letter));
}
END_TEST

START_TEST(what_chooses_nothing_is_refused)
{
    struct lex_dlq_filter filter = {.reasons = {{"UNKNOWN_SCHEM"}, 1}};
    ck_assert_int_eq(lex_dlq_filter_check(&filter, &err), LEX_REJECT);
    ck_assert(strstr(err.text, "did you mean UNKNOWN_SCHEMA?") != NULL);
    filter = (struct lex_dlq_filter){.letters = {{"3"}, 1}};
    ck_assert_int_eq(lex_dlq_filter_check(&filter, &err), LEX_REJECT);
    filter = (struct lex_dlq_filter){.letters = {{"3/-1"}, 1}};
    ck_assert_int_eq(lex_dlq_filter_check(&filter, &err), LEX_REJECT);
    filter = (struct lex_dlq_filter){.reasons = {{"EMPTY"}, 1}, .letters = {{"3/1"}, 1}};
    ck_assert_int_eq(lex_dlq_filter_check(&filter, &err), LEX_OK);
}
END_TEST

START_TEST(since_is_an_instant_or_so_long_ago)
{
    int64_t ms = 5;
    const int64_t now_us = 1000LL * 86400 * 1000000;
    ck_assert_int_eq(lex_dlq_since("90s", now_us, &ms, &err), LEX_OK);
    ck_assert_int_eq(ms, now_us / 1000 - 90000);
    ck_assert_int_eq(lex_dlq_since("2d", now_us, &ms, &err), LEX_OK);
    ck_assert_int_eq(ms, now_us / 1000 - 2 * DAY);
    ck_assert_int_eq(lex_dlq_since("1970-01-01T00:00:01Z", now_us, &ms, &err), LEX_OK);
    ck_assert_int_eq(ms, 1000);
    ck_assert_int_eq(lex_dlq_since("36500d", now_us, &ms, &err), LEX_OK);
    ck_assert_int_eq(ms, 0);
    const char *const bad[] = {"", "5", "d", "5w", "-5s", "36501d", "99999999999999999999s", "now"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(lex_dlq_since(bad[i], now_us, &ms, &err) == LEX_REJECT, "%s", bad[i]);
}
END_TEST

START_TEST(what_could_steer_a_terminal_is_escaped)
{
    char text[256];
    struct lex_buf out;
    const char bytes[] = "a\x1b[31m\xc3\xa9\n\xff\\\xe2\x80\xae\xc2\x9bz";
    lex_buf_borrow(&out, text, sizeof text);
    lex_dlq_put_shown(lex_span_of(bytes, sizeof bytes - 1), &out);
    ck_assert_str_eq(text, "a\\x1b[31m\xc3\xa9\\x0a\\xff\\\\\\u202e\\x9bz");
}
END_TEST

START_TEST(only_a_requests_own_headers_go_back)
{
    ck_assert(lex_dlq_header_kept("traceparent"));
    ck_assert(lex_dlq_header_kept("__value_schema_id"));
    ck_assert(!lex_dlq_header_kept("__connect.errors.topic"));
    ck_assert(!lex_dlq_header_kept("lexecon.original.sha256"));
    ck_assert(!lex_dlq_header_kept("lexecon-replayed-from"));
    char place[LEX_DLQ_PLACE_MAX_BYTES];
    make_letter("abc", "3");
    lex_dlq_place("lexecon.dead-letters", &letter, place);
    ck_assert_str_eq(place, "lexecon.dead-letters/3/7");
}
END_TEST

/* ---- addresses ---- */

START_TEST(addresses_are_taken_apart_as_librdkafka_takes_them)
{
    const char *list = "a:1, ssl://b ,[::1]:9093,[::1]";
    char address[LEX_PROBE_ADDRESS_MAX_BYTES];
    const char *const expected[] = {"a:1", "b:9092", "[::1]:9093", "[::1]:9092"};
    for (size_t i = 0; i < 4; i++) {
        ck_assert(lex_probe_next_address(&list, address));
        ck_assert_str_eq(address, expected[i]);
    }
    ck_assert(!lex_probe_next_address(&list, address));
    ck_assert_int_eq(lex_probe_connect("nowhere", 100, &err), LEX_REJECT);
    ck_assert_int_eq(lex_probe_connect("127.0.0.1:1", 1000, &err), LEX_RETRY);
}
END_TEST

START_TEST(versions_are_known_by_what_brokers_speak)
{
    struct lex_probe_cluster cluster = {.fetch = 17, .txn_offset_commit = 5};
    ck_assert_str_eq(lex_probe_version(&cluster), "3.9");
    ck_assert(lex_probe_version_suffices(&cluster));
    cluster = (struct lex_probe_cluster){.fetch = 11, .txn_offset_commit = 3};
    ck_assert(lex_probe_version_suffices(&cluster));
    cluster = (struct lex_probe_cluster){.fetch = 10, .txn_offset_commit = 2};
    ck_assert_str_eq(lex_probe_version(&cluster), "older than 2.3");
    ck_assert(!lex_probe_version_suffices(&cluster));
    cluster = (struct lex_probe_cluster){.fetch = -1, .txn_offset_commit = -1};
    ck_assert_str_eq(lex_probe_version(&cluster), "unknown");
    ck_assert(!lex_probe_version_suffices(&cluster));
}
END_TEST

LEX_CHECK_MAIN_WITH(
    "kafka_admin", setup, teardown, a_plan_follows_the_requirements,
    a_plan_without_requirements_is_of_one_broker,
    requirements_that_ask_for_less_than_one_or_for_more_in_sync_than_replicas_make_a_plan,
    what_the_requests_have_is_what_the_others_get, a_plan_that_the_service_would_refuse_is_refused,
    an_audit_node_needs_the_ledger_alone, each_difference_is_seen_with_its_command,
    more_than_planned_is_no_difference, rights_follow_the_configuration,
    nobody_but_the_service_writes_what_it_answers, arguments_are_those_of_kafka_acls,
    properties_are_read_as_java_reads_them, properties_have_ceilings,
    the_default_of_isolation_depends_on_the_client, clients_are_told_apart_by_their_keys,
    what_harms_a_reader_fails, a_letter_says_whether_the_request_is_in_it,
    letters_are_chosen_by_reason_place_and_time, what_chooses_nothing_is_refused,
    since_is_an_instant_or_so_long_ago, what_could_steer_a_terminal_is_escaped,
    only_a_requests_own_headers_go_back, addresses_are_taken_apart_as_librdkafka_takes_them,
    versions_are_known_by_what_brokers_speak)
