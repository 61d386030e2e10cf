/* Config: where a value comes from, what is refused, and what the refusal says. */
#include "tests/unit/lex_check.h"

#include <stdio.h>
#include <unistd.h>

#include "core/config/config.h"

static char file_path[64];
static struct lex_error err;

/* Load with up to four flags and four variables; NULL ends either. */
static LEX_STATUS load(struct lex_config **ret, const char *file, char *const *flags,
                       char *const *variables)
{
    char program[] = "lexecon-consumer", config_flag[] = "--config";
    char *argv[16] = {program};
    char *none[] = {NULL};
    int argc = 1;
    if (file != NULL) {
        snprintf(file_path, sizeof file_path, "/tmp/lex_config_%d.json", (int)getpid());
        FILE *out = fopen(file_path, "w");
        ck_assert_ptr_nonnull(out);
        fputs(file, out);
        fclose(out);
        argv[argc++] = config_flag;
        argv[argc++] = file_path;
    }
    for (; flags != NULL && *flags != NULL; flags++)
        argv[argc++] = *flags;
    err.text[0] = '\0';
    enum lex_status status =
        lex_config_load(argc, argv, variables != NULL ? variables : none, ret, &err);
    if (file != NULL)
        unlink(file_path);
    return status;
}

static void check_refused(const char *file, const char *flag, const char *variable,
                          const char *says)
{
    char *flags[] = {(char *)flag, NULL}, *variables[] = {(char *)variable, NULL};
    struct lex_config *config = NULL;
    ck_assert_int_ne(load(&config, file, flags, variables), LEX_OK);
    ck_assert_ptr_null(config);
    ck_assert_msg(strstr(err.text, says) != NULL, "expected '%s' in '%s'", says, err.text);
}

static struct lex_config *check_taken(const char *file, const char *flag, const char *variable)
{
    char *flags[] = {(char *)flag, NULL}, *variables[] = {(char *)variable, NULL};
    struct lex_config *config = NULL;
    ck_assert_msg(load(&config, file, flags, variables) == LEX_OK, "refused: %s", err.text);
    return config;
}

START_TEST(defaults_are_final_numbers)
{
    struct lex_config *config = check_taken(NULL, NULL, NULL);
    ck_assert_str_eq(config->group, "lexecon");
    ck_assert_str_eq(config->data_dir, "/data/.lexecon");
    ck_assert_str_eq(config->keys_dir, "/data/.lexecon/keys");
    ck_assert_str_eq(config->mirror_path, "/data/.lexecon/mirror.db");
    ck_assert_int_eq(config->default_ttl, 300);
    ck_assert_int_eq(config->max_ttl, 3600);
    ck_assert_int_eq(config->token_format, LEX_TOKEN_FORMAT_NONE);
    ck_assert_int_eq(config->token_alg, LEX_TOKEN_ALG_EDDSA);
    ck_assert_str_eq(config->token_issuer, config->origin_prefix);
    ck_assert_str_eq(config->token_audience, "lexecon");
    ck_assert_ptr_null(config->issuers);
    ck_assert_ptr_null(config->policy_key);
    ck_assert_int_eq(config->integrity_check_interval, 3600);
    ck_assert_int_eq(config->sign_batch_max, 256);
    ck_assert_int_ge(config->server_workers, 1);
    ck_assert_int_le(config->server_workers, 4);
    ck_assert_int_ge(config->memory_budget_mb, 64);
    ck_assert_uint_gt(strlen(config->node_id), 0);
    ck_assert_str_eq(config->instance, config->node_id);
    ck_assert_ptr_null(config->policy);
    ck_assert_int_eq(config->policy_mode, LEX_MODE_UNSET);
    ck_assert_int_eq(config->keys, LEX_KEYS_GENERATE);
    ck_assert(config->auto_verify && !config->create_topics && !config->static_member);
    ck_assert(config->ledger_required.on);
    ck_assert_int_eq(config->ledger_required.retention_days, 180);
    ck_assert_int_eq(config->ledger_required.replication, 3);
    ck_assert_int_eq(config->ledger_required.min_isr, 2);
    ck_assert_int_eq(config->action, LEX_CONFIG_RUN);
    lex_config_free(config);
}
END_TEST

START_TEST(embedded_changes_the_defaults_that_it_must)
{
    struct lex_config *config = check_taken(NULL, "--embedded", NULL);
    ck_assert(config->embedded && config->create_topics && !config->ledger_required.on);
    ck_assert_int_eq(config->server_workers, 1);
    lex_config_free(config);
    config = check_taken("{\"create_topics\": false, \"ledger_requirements\": \"replication=1\"}",
                         "--embedded", NULL);
    ck_assert(!config->create_topics && config->ledger_required.on);
    ck_assert_int_eq(config->ledger_required.replication, 1);
    ck_assert_int_eq(config->ledger_required.min_isr, 2);
    lex_config_free(config);
    check_refused("{\"server_workers\": 2}", "--embedded", NULL,
                  "embedded broker serves one worker");
}
END_TEST

START_TEST(flag_over_environment_over_file_over_default)
{
    static const char file[] = "{\"http_port\": 1001, \"group\": \"f\", \"auto_verify\": false}";
    char flag[] = "--http-port=1003", port[] = "LEXECON_HTTP_PORT=1002",
         group[] = "LEXECON_GROUP=e";
    char *flags[] = {flag, NULL}, *variables[] = {port, group, NULL};
    struct lex_config *config;
    ck_assert_int_eq(load(&config, file, flags, variables), LEX_OK);
    ck_assert_int_eq(config->http_port, 1003);
    ck_assert_str_eq(config->group, "e");
    ck_assert(!config->auto_verify);
    ck_assert_int_eq(config->sources[LEX_OPTION_http_port], LEX_SOURCE_FLAG);
    ck_assert_int_eq(config->sources[LEX_OPTION_group], LEX_SOURCE_ENVIRONMENT);
    ck_assert_int_eq(config->sources[LEX_OPTION_auto_verify], LEX_SOURCE_FILE);
    ck_assert_int_eq(config->sources[LEX_OPTION_max_ttl], LEX_SOURCE_DEFAULT);
    lex_config_free(config);
}
END_TEST

START_TEST(a_flag_takes_its_value_from_the_next_word_a_switch_does_not)
{
    char a[] = "--assignor", b[] = "roundrobin", c[] = "--embedded", d[] = "--auto-verify=no";
    char *flags[] = {a, b, c, d, NULL};
    struct lex_config *config;
    ck_assert_int_eq(load(&config, NULL, flags, NULL), LEX_OK);
    ck_assert_int_eq(config->assignor, LEX_ASSIGNOR_ROUNDROBIN);
    ck_assert(config->embedded && !config->auto_verify);
    lex_config_free(config);
    check_refused(NULL, "--assignor", NULL, "--assignor: a value is missing");
    check_refused(NULL, "embedded", NULL, "embedded: expected a flag");
}
END_TEST

START_TEST(unknown_names_are_refused_with_the_nearest_one)
{
    check_refused("{\"htp_port\": 1}", NULL, NULL,
                  ".json:1:2: \"htp_port\": unknown key; did you mean http_port?");
    check_refused(NULL, "--htp-port=1", NULL,
                  "--htp-port=1: unknown flag; did you mean --http-port?");
    check_refused(NULL, NULL, "LEXECON_HTP_PORT=1",
                  "LEXECON_HTP_PORT: unknown variable; did you mean LEXECON_HTTP_PORT?");
    check_refused(NULL, "--frobnicate", NULL,
                  "--frobnicate: unknown flag; --help lists all options");
    check_refused(NULL, "--http_port=1", NULL, "did you mean --http-port?");
    check_refused(NULL, NULL, "LEXECON_SERVER_WORKER=1", "did you mean LEXECON_SERVER_WORKERS?");
}
END_TEST

START_TEST(other_peoples_variables_are_no_options)
{
    char a[] = "PATH=/bin", b[] = "LEXECON_SERVICE_HOST=10.0.0.1",
         c[] = "LEXECON_SERVICE_PORT_HTTP=80", d[] = "LEXECON_PORT=tcp://10.0.0.1:80",
         e[] = "LEXECON_PORT_80_TCP_ADDR=10.0.0.1",
         f[] = "LEXECON_KAFKA_PORT_9092_TCP=tcp://10.0.0.2:9092",
         g[] = "LEXECON_KAFKA_SERVICE_HOST=10.0.0.2", h[] = "LEXECON_POLICY=";
    char *variables[] = {a, b, c, d, e, f, g, h, NULL};
    struct lex_config *config;
    ck_assert_int_eq(load(&config, NULL, NULL, variables), LEX_OK);
    ck_assert_uint_eq(config->kafka_count, 0);
    ck_assert_ptr_null(config->policy);
    lex_config_free(config);
    check_refused(NULL, NULL, "LEXECON_PORT=8000", "LEXECON_PORT: unknown variable");
}
END_TEST

START_TEST(values_out_of_range_or_form_say_what_was_expected)
{
    check_refused(NULL, "--http-port=65536", NULL,
                  "--http-port: expected a whole number from 0 to 65535 (port), got \"65536\"");
    check_refused(NULL, "--http-port=-1", NULL, "from 0 to 65535");
    check_refused(NULL, "--http-port=1e3", NULL, "from 0 to 65535");
    check_refused(NULL, "--sign-batch-max=4097", NULL, "from 1 to 4096");
    check_refused(NULL, "--sign-batch-max=0", NULL, "from 1 to 4096");
    check_refused(
        NULL, NULL, "LEXECON_POLICY_MODE=lax",
        "LEXECON_POLICY_MODE: expected one of unset, permissive, strict, paranoid, got \"lax\"");
    check_refused(NULL, NULL, "LEXECON_AUTO_VERIFY=maybe", "expected true or false");
    check_refused(NULL, "--ledger-topic=a/b", NULL, "a topic's name");
    check_refused(NULL, "--ledger-topic=..", NULL, "a topic's name");
    check_refused(NULL, "--origin-prefix=org", NULL, "<org>/<cluster>");
    check_refused(NULL, "--origin-prefix=a/b+c", NULL, "<org>/<cluster>");
    check_refused(NULL, "--origin-prefix=a/b/c", NULL, "<org>/<cluster>");
    check_refused(NULL, "--ledger-requirements=replication", NULL, "retention_days=N");
    check_refused(NULL, "--ledger-requirements=replication=3,", NULL, "retention_days=N");
    check_refused(NULL, "--node-id=two words", NULL, "without blanks");
    check_refused(NULL, "--node-id=", NULL, "1 to 128");
    lex_config_free(check_taken(NULL, "--sign-batch-max=4096", NULL));
    lex_config_free(check_taken(NULL, "--http-port=65535", NULL));
    lex_config_free(check_taken(NULL, "--log-level=info", NULL));
}
END_TEST

START_TEST(a_name_may_have_128_characters_and_not_one_more)
{
    char flag[256] = "--node-id=";
    memset(flag + 10, 'n', 128);
    lex_config_free(check_taken(NULL, flag, NULL));
    flag[10 + 128] = 'n';
    check_refused(NULL, flag, NULL, "1 to 128");
}
END_TEST

START_TEST(a_file_that_is_wrong_says_line_and_column)
{
    check_refused("{\n  \"group\": \"a\",\n  \"http_port\": \"80\"\n}", NULL, NULL,
                  ".json:3:3: \"http_port\": expected a number, got a string");
    check_refused("{\"embedded\": 1}", NULL, NULL, "expected true or false, got a number");
    check_refused("{\"group\": 5}", NULL, NULL, "expected a string, got a number");
    check_refused("{\"group\": \"a\", \"group\": \"b\"}", NULL, NULL, "line 1");
    check_refused("{\"group\": }", NULL, NULL, "line 1");
    check_refused("[]", NULL, NULL, "expected an object, got an array");
    check_refused(NULL, "--config=/nonexistent/x.json", NULL, "cannot open the file: No such file");
}
END_TEST

START_TEST(a_file_over_its_ceiling_is_refused)
{
    char *file = malloc(LEX_CONFIG_FILE_MAX_BYTES + 2);
    memset(file, ' ', LEX_CONFIG_FILE_MAX_BYTES + 1);
    file[LEX_CONFIG_FILE_MAX_BYTES + 1] = '\0';
    memcpy(file, "{}", 2);
    check_refused(file, NULL, NULL, "longer than 1048576 bytes");
    file[LEX_CONFIG_FILE_MAX_BYTES] = '\0';
    lex_config_free(check_taken(file, NULL, NULL));
    free(file);
}
END_TEST

START_TEST(kafka_settings_pass_from_file_and_environment)
{
    static const char file[] = "{\"kafka\": {\"security.protocol\": \"SSL\", \"linger.ms\": 5},"
                               " \"kafka.socket.keepalive.enable\": true}";
    struct lex_config *config =
        check_taken(file, NULL, "LEXECON_KAFKA_BOOTSTRAP_SERVERS=k1:9092,k2:9092");
    ck_assert_uint_eq(config->kafka_count, 4);
    ck_assert_str_eq(lex_config_kafka_get(config, "security.protocol"), "SSL");
    ck_assert_str_eq(lex_config_kafka_get(config, "linger.ms"), "5");
    ck_assert_str_eq(lex_config_kafka_get(config, "socket.keepalive.enable"), "true");
    ck_assert_str_eq(lex_config_kafka_get(config, "bootstrap.servers"), "k1:9092,k2:9092");
    ck_assert_ptr_null(lex_config_kafka_get(config, "sasl.username"));
    lex_config_free(config);
    config = check_taken(file, NULL, "LEXECON_KAFKA_SECURITY_PROTOCOL=SASL_SSL");
    ck_assert_uint_eq(config->kafka_count, 3);
    ck_assert_str_eq(lex_config_kafka_get(config, "security.protocol"), "SASL_SSL");
    lex_config_free(config);
    check_refused("{\"kafka\": []}", NULL, NULL, "expected an object of librdkafka settings");
    check_refused("{\"kafka\": {\"a\": null}}", NULL, NULL, "expected a string, number or boolean");
    check_refused("{\"kafka\": {\"A b\": 1}}", NULL, NULL, "the name of a librdkafka setting");
}
END_TEST

START_TEST(kafka_settings_that_exactly_once_rests_on_are_refused_everywhere)
{
    static const char *const names[][2] = {{"group.id", "GROUP_ID"},
                                           {"transactional.id", "TRANSACTIONAL_ID"},
                                           {"isolation.level", "ISOLATION_LEVEL"},
                                           {"acks", "ACKS"},
                                           {"enable.idempotence", "ENABLE_IDEMPOTENCE"},
                                           {"enable.auto.commit", "ENABLE_AUTO_COMMIT"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char text[128], says[128];
        snprintf(says, sizeof says, "%s is not yours to set: ", names[i][0]);
        snprintf(text, sizeof text, "{\"kafka\": {\"%s\": \"x\"}}", names[i][0]);
        check_refused(text, NULL, NULL, says);
        snprintf(text, sizeof text, "{\"kafka.%s\": \"x\"}", names[i][0]);
        check_refused(text, NULL, NULL, says);
        snprintf(text, sizeof text, "LEXECON_KAFKA_%s=x", names[i][1]);
        check_refused(NULL, NULL, text, says);
    }
}
END_TEST

START_TEST(more_kafka_settings_than_the_ceiling_are_refused)
{
    static char file[8192];
    size_t len = (size_t)snprintf(file, sizeof file, "{\"kafka\": {\"a0\": 1");
    for (int i = 1; i < LEX_CONFIG_KAFKA_MAX; i++)
        len += (size_t)snprintf(file + len, sizeof file - len, ",\"a%d\": 1", i);
    size_t full = len;
    snprintf(file + len, sizeof file - len, "}}");
    lex_config_free(check_taken(file, NULL, NULL));
    snprintf(file + full, sizeof file - full, ",\"b\": 1}}");
    check_refused(file, NULL, NULL, "more than 128 kafka settings");
}
END_TEST

START_TEST(settings_that_do_not_fit_together_are_refused)
{
    check_refused(NULL, "--identity=attested", NULL, "set issuers to the path of issuers.json");
    lex_config_free(check_taken("{\"issuers\": \"issuers.json\"}", "--identity=attested", NULL));
    check_refused(NULL, "--default-ttl=3601", NULL, "default_ttl (3601 s) is longer than max_ttl");
    check_refused("{\"ledger_topic\": \"lexecon.verdicts\"}", NULL, NULL,
                  "two of the six topic options");
    check_refused("{\"commit_interval_ms\": 5000, \"transaction_timeout_ms\": 9999}", NULL, NULL,
                  "at most half");
    lex_config_free(check_taken("{\"commit_interval_ms\": 5000, \"transaction_timeout_ms\": 10000}",
                                NULL, NULL));
}
END_TEST

START_TEST(static_membership_is_on_exactly_where_an_instance_is_named)
{
    struct lex_config *config = check_taken(NULL, NULL, "LEXECON_INSTANCE=pod-1");
    ck_assert(config->static_member);
    lex_config_free(config);
    config = check_taken(NULL, "--static-membership=off", "LEXECON_INSTANCE=pod-1");
    ck_assert(!config->static_member);
    lex_config_free(config);
    config = check_taken(NULL, "--static-membership=on", NULL);
    ck_assert(config->static_member);
    lex_config_free(config);
}
END_TEST

START_TEST(print_shows_values_and_sources_and_masks_secrets)
{
    struct lex_config *config =
        check_taken("{\"kafka\": {\"sasl.password\": \"hunter2\", \"ssl.key.pem\": \"KEY\", "
                    "\"sasl.username\": \"ann\"}}",
                    "--group=g", "LEXECON_KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET=topsecret");
    struct lex_buf out;
    lex_buf_init(&out, 1 << 20);
    lex_config_print(config, &out);
    const char *text = lex_buf_str(&out);
    ck_assert_ptr_null(strstr(text, "hunter2"));
    ck_assert_ptr_null(strstr(text, "KEY"));
    ck_assert_ptr_null(strstr(text, "topsecret"));
    ck_assert_ptr_nonnull(strstr(text, "kafka.sasl.password = \"********\""));
    ck_assert_ptr_nonnull(strstr(text, "kafka.sasl.username = \"ann\""));
    const char *group = strstr(text, "group = \"g\"");
    ck_assert_ptr_nonnull(group);
    ck_assert_int_eq(strncmp(strchr(group, '#'), "# flag\n", 7), 0);
    const char *port = strstr(text, "http_port = 8000");
    ck_assert_ptr_nonnull(port);
    ck_assert_int_eq(strncmp(strchr(port, '#'), "# default\n", 10), 0);
    lex_buf_fini(&out);
    lex_config_free(config);
}
END_TEST

START_TEST(actions_are_seen_and_help_needs_nothing_else_to_be_right)
{
    struct lex_config *config = check_taken(NULL, "--help", "LEXECON_HTTP_PORT=none");
    ck_assert_int_eq(config->action, LEX_CONFIG_HELP);
    lex_config_free(config);
    config = check_taken(NULL, "--version", NULL);
    ck_assert_int_eq(config->action, LEX_CONFIG_VERSION);
    lex_config_free(config);
    config = check_taken(NULL, "--print-config", NULL);
    ck_assert_int_eq(config->action, LEX_CONFIG_PRINT);
    lex_config_free(config);
    check_refused(NULL, "--check-config", "LEXECON_HTTP_PORT=none", "LEXECON_HTTP_PORT: expected");
}
END_TEST

/* Names that deployments set: a change here breaks somebody's manifest. */
START_TEST(promised_variables_stay_what_they_are)
{
    static const char *const settings[] = {"NODE_ID=n",
                                           "LOG_LEVEL=INFO",
                                           "LOG_FORMAT=json",
                                           "POLICY_MODE=strict",
                                           "DATA_DIR=/d",
                                           "SERVER_WORKERS=4",
                                           "CACHE_EVALUATIONS=true",
                                           "DEFAULT_TTL=300",
                                           "MAX_TTL=3600",
                                           "AUTO_VERIFY=true",
                                           "INTEGRITY_CHECK_INTERVAL=3600",
                                           "API_KEY_FILE=/k",
                                           "POLICY=/p",
                                           "GROUP=g",
                                           "INSTANCE=i",
                                           "KAFKA_BOOTSTRAP_SERVERS=k:9092"};
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        char variable[64];
        snprintf(variable, sizeof variable, "LEXECON_%s", settings[i]);
        lex_config_free(check_taken(NULL, NULL, variable));
    }
}
END_TEST

START_TEST(help_and_page_name_every_option)
{
    struct lex_buf help, doc;
    lex_buf_init(&help, 1 << 20);
    lex_buf_init(&doc, 1 << 20);
    lex_config_help("lexecon-consumer", &help);
    lex_config_page(&doc);
    ck_assert(lex_buf_ok(&help) && lex_buf_ok(&doc));
    ck_assert_ptr_nonnull(strstr(lex_buf_str(&help), "--shutdown-timeout-ms"));
    ck_assert_ptr_nonnull(strstr(lex_buf_str(&doc), "`LEXECON_CACHE_EVALUATIONS`"));
    size_t rows = 0;
    for (const char *at = lex_buf_str(&doc); (at = strstr(at, "<br>`--")) != NULL; at++)
        rows++;
    ck_assert_uint_eq(rows, LEX_OPTION_COUNT);
    lex_buf_fini(&help);
    lex_buf_fini(&doc);
}
END_TEST

START_TEST(an_audit_node_mirrors_all_and_verifies_it)
{
    struct lex_config *config = check_taken(NULL, "--role=audit", NULL);
    ck_assert_int_eq(config->role, LEX_ROLE_AUDIT);
    ck_assert_int_eq(config->mirror_scope, LEX_MIRROR_SCOPE_ALL);
    ck_assert(config->auto_verify);
    lex_config_free(config);
    config = check_taken("{\"role\": \"audit\", \"mirror_scope\": \"all\"}", NULL, NULL);
    lex_config_free(config);
    config = check_taken(NULL, "--role=decide", NULL);
    ck_assert_int_eq(config->mirror_scope, LEX_MIRROR_SCOPE_OWNED);
    lex_config_free(config);
}
END_TEST

START_TEST(what_an_audit_node_must_not_do_is_refused)
{
    check_refused(NULL, "--role=audit", "LEXECON_MIRROR_SCOPE=owned", "mirror_scope is owned");
    check_refused(NULL, "--role=audit", "LEXECON_MIRROR_SCOPE=off", "mirror_scope is off");
    check_refused(NULL, "--role=audit", "LEXECON_EMBEDDED=true", "leave embedded away");
    check_refused(NULL, "--role=audit", "LEXECON_CREATE_TOPICS=true", "writes nothing to Kafka");
    check_refused(NULL, "--role=auditor", NULL, "one of decide, audit");
    lex_config_free(check_taken(NULL, "--role=decide", "LEXECON_MIRROR_SCOPE=off"));
    lex_config_free(check_taken(NULL, "--role=decide", "LEXECON_EMBEDDED=true"));
}
END_TEST

static void check_without_effect(const char *file, const char *want)
{
    struct lex_config *config = check_taken(file, NULL, NULL);
    struct lex_buf names;
    lex_buf_init(&names, 4096);
    lex_config_without_effect(config, &names);
    ck_assert_str_eq(lex_buf_str(&names), want);
    lex_buf_fini(&names);
    lex_config_free(config);
}

START_TEST(options_that_an_audit_node_has_no_use_for_are_named)
{
    check_without_effect("{\"role\": \"audit\", \"group\": \"g\", \"mirror_path\": \"m.db\"}", "");
    check_without_effect("{\"role\": \"audit\", \"keys\": \"mounted\", \"policy\": \"p.json\"}",
                         "policy, keys");
    check_without_effect("{\"keys\": \"mounted\", \"policy\": \"p.json\"}", "");
}
END_TEST

LEX_CHECK_MAIN("config", defaults_are_final_numbers, embedded_changes_the_defaults_that_it_must,
               flag_over_environment_over_file_over_default,
               a_flag_takes_its_value_from_the_next_word_a_switch_does_not,
               unknown_names_are_refused_with_the_nearest_one,
               other_peoples_variables_are_no_options,
               values_out_of_range_or_form_say_what_was_expected,
               a_name_may_have_128_characters_and_not_one_more,
               a_file_that_is_wrong_says_line_and_column, a_file_over_its_ceiling_is_refused,
               kafka_settings_pass_from_file_and_environment,
               kafka_settings_that_exactly_once_rests_on_are_refused_everywhere,
               more_kafka_settings_than_the_ceiling_are_refused,
               settings_that_do_not_fit_together_are_refused,
               static_membership_is_on_exactly_where_an_instance_is_named,
               print_shows_values_and_sources_and_masks_secrets,
               actions_are_seen_and_help_needs_nothing_else_to_be_right,
               an_audit_node_mirrors_all_and_verifies_it, what_an_audit_node_must_not_do_is_refused,
               options_that_an_audit_node_has_no_use_for_are_named,
               promised_variables_stay_what_they_are, help_and_page_name_every_option)
