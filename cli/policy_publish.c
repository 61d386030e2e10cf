/* `lexecon policy publish`: put a signed policy where the service follows it.
 *
 * It asks everything that a node will ask, before it writes: is it signed by the pinned key, does
 * it load, is it newer than what was published? A record that every node refuses is only noise. */
#include <stdio.h>

#include "cli/cluster.h"
#include "cli/input.h"
#include "cli/text_file.h"
#include "consumer/policy_topic.h"
#include "core/crypto/jwt.h"

enum { POLL_MS = 100, SILENT_POLLS = 150, PUBLISH_TIMEOUT_MS = 15000, LINE_MAX_BYTES = 1 << 20 };

static struct lex_cli_cluster cluster;
static const char *key_path, *policies_topic;
static const struct lex_cli_flag flags[] = {
#define LEX_CLUSTER_FLAG(name, value, help, kind, member) \
    {name, value, help, kind, &cluster.member, false},
#include "cli/cluster_flags.def"
#undef LEX_CLUSTER_FLAG
    {"policy-key", "FILE", "The public key that the nodes have pinned (or the option policy_key).",
     LEX_CLI_STR, &key_path, false},
    {"policies-topic", "NAME", "The topic (or the option policies_topic).", LEX_CLI_STR,
     &policies_topic, false},
};
static const struct lex_cli_usage usage = {
    .path = "policy publish",
    .operands = "FILE",
    .text =
        "Publish a signed policy, what `lexecon policy sign` prints, under the key policy/<id> of\n"
        "the policies topic. Every node with policy=topic:<id> takes it into force. Published is\n"
        "published: it is not taken back, only followed by a higher version, and that is how one\n"
        "goes back to older rules, too.\n\n"
        "  lexecon policy sign --key policy.pem policy.json > policy.jws\n"
        "  lexecon policy publish --bootstrap kafka:9092 --policy-key policy-public.pem "
        "policy.jws\n\n"
        "Exit status: 0 it is published; 1 nodes would refuse it: the signature, the document or\n"
        "its version is not right; 2 a flag or a file is wrong; 3 a broker did not answer in time.",
    .flags = flags,
    .flags_count = LEX_COUNT_OF(flags),
    .operands_min = 1,
    .operands_max = 1,
};

struct run {
    struct lex_config *config;
    struct lex_public_key key;
    struct lex_buf text;
    struct lex_policy *policy, *newest; /* to publish; in the topic, NULL where there is none */
};

static enum lex_exit exit_of(enum lex_status status)
{
    return status == LEX_RETRY   ? LEX_EXIT_UNAVAILABLE
           : status == LEX_LIMIT ? LEX_EXIT_INTERNAL
                                 : LEX_EXIT_USAGE;
}

/* ---- what is published already ---- */

/* As a node would: what is not right is passed over, only a higher version follows. */
static void look_at(struct run *run, const struct lex_policy_record *record)
{
    struct lex_policy *policy;
    struct lex_error ignored;
    struct lex_policies_key key = lex_policies_read_key(record->key);
    const struct lex_policy_info *ours = lex_policy_info(run->policy);
    char expected[LEX_POLICIES_KEY_MAX_BYTES];
    lex_policies_published_key(ours->id, expected);
    if (key.kind != LEX_POLICIES_PUBLISHED || !lex_span_eq(record->key, lex_span_str(expected)) ||
        lex_policy_published(&run->key, ours->id, record->value, "topic", &policy, &ignored) !=
            LEX_OK)
        return;
    const struct lex_policy_info *newest =
        run->newest != NULL ? lex_policy_info(run->newest) : NULL;
    if (lex_policy_order_of(newest, lex_policy_info(policy)) != LEX_POLICY_NEWER) {
        lex_policy_unref(policy);
        return;
    }
    lex_policy_unref(run->newest);
    run->newest = policy;
}

static enum lex_status read_topic(struct run *run, struct lex_policy_topic *topic,
                                  struct lex_error *err)
{
    bool found = true, end = false;
    for (int silent = 0; (found || !end) && silent < SILENT_POLLS; silent++) {
        struct lex_policy_record record;
        enum lex_status status = lex_policy_topic_next(topic, POLL_MS, &record, &found, &end, err);
        if (status != LEX_OK && status != LEX_RETRY)
            return status;
        if (!found)
            continue;
        silent = 0;
        look_at(run, &record);
    }
    return end ? LEX_OK
               : lex_fail(err, LEX_RETRY, "the topic %s was not read to its end in time",
                          run->config->policies_topic);
}

static enum lex_status find_newest(struct run *run, struct lex_error *err)
{
    struct lex_policy_topic *topic;
    LEX_TRY(lex_policy_topic_new(run->config, &topic, err));
    enum lex_status status = read_topic(run, topic, err);
    lex_policy_topic_free(topic);
    return status;
}

/* ---- publish ---- */

static int print(const struct run *run, bool new)
{
    const struct lex_policy_info *info = lex_policy_info(run->policy);
    LEX_CLEANUP(lex_buf_fini) struct lex_buf out;
    lex_buf_init(&out, LINE_MAX_BYTES);
    lex_buf_puts(&out, "{\"policy_id\":");
    lex_buf_put_json(&out, info->id);
    lex_buf_puts(&out, ",\"version\":");
    lex_buf_put_json(&out, info->version);
    lex_buf_puts(&out, ",\"policy_hash\":\"");
    lex_buf_put_hex(&out, info->hash, sizeof info->hash);
    lex_buf_puts(&out, "\",\"topic\":");
    lex_buf_put_json(&out, lex_span_str(run->config->policies_topic));
    lex_buf_printf(&out, ",\"new\":%s}\n", new ? "true" : "false");
    (void)fputs(lex_buf_str(&out), stdout);
    return LEX_EXIT_OK;
}

static int publish(struct run *run)
{
    struct lex_error err = {{0}};
    const struct lex_policy_info *info = lex_policy_info(run->policy);
    enum lex_status status = find_newest(run, &err);
    if (status != LEX_OK)
        return lex_cli_fail(&usage, exit_of(status), "%s", err.text);
    const struct lex_policy_info *newest =
        run->newest != NULL ? lex_policy_info(run->newest) : NULL;
    enum lex_policy_order order = lex_policy_order_of(newest, info);
    if (order == LEX_POLICY_SAME)
        return print(run, false);
    if (order != LEX_POLICY_NEWER)
        return lex_cli_fail(&usage, LEX_EXIT_NO,
                            "version %.*s is published%s; give this one a higher version",
                            LEX_SPAN_FMT(newest->version),
                            order == LEX_POLICY_ALTERED ? " with another content" : " already");
    status = lex_policies_publish(run->config, info->id, lex_buf_span(&run->text),
                                  PUBLISH_TIMEOUT_MS, &err);
    return status == LEX_OK ? print(run, true)
                            : lex_cli_fail(&usage, exit_of(status), "%s", err.text);
}

/* ---- before ---- */

static enum lex_status load_config(struct run *run, struct lex_error *err)
{
    const char *more[5] = {NULL};
    size_t count = 0;
    if (key_path != NULL) {
        more[count++] = "--policy-key";
        more[count++] = key_path;
    }
    if (policies_topic != NULL) {
        more[count++] = "--policies-topic";
        more[count++] = policies_topic;
    }
    lex_log_init(LEX_LOG_CRITICAL, LEX_LOG_TEXT, fileno(stderr)); /* stdout is for the answer */
    LEX_TRY(lex_cli_cluster_load(&cluster, more, &run->config, err));
    if (run->config->policy_key == NULL)
        return lex_fail(err, LEX_REJECT,
                        "--policy-key FILE is required, or the option policy_key: the public key "
                        "that the nodes have pinned");
    return lex_public_key_load(run->config->policy_key, &run->key, err);
}

static int publish_file(struct run *run, const char *path)
{
    struct lex_error err = {{0}};
    if (load_config(run, &err) != LEX_OK || lex_text_file_read(path, &run->text, &err) != LEX_OK)
        return lex_cli_fail(&usage, LEX_EXIT_USAGE, "%s", err.text);
    while (run->text.len > 0 && strchr("\r\n", run->text.data[run->text.len - 1]) != NULL)
        run->text.len--;
    if (lex_policy_published(&run->key, (struct lex_span){NULL, 0}, lex_buf_span(&run->text), path,
                             &run->policy, &err) != LEX_OK)
        return lex_cli_fail(&usage, LEX_EXIT_NO, "%s", err.text);
    return publish(run);
}

int lex_cli_policy_publish(int argc, char **argv)
{
    struct lex_cli_list operands;
    struct lex_error err;
    struct run run = {.config = NULL};
    int parsed = lex_cli_parse(&usage, argc, argv, &operands);
    if (parsed != 0)
        return parsed == 1 ? LEX_EXIT_OK : LEX_EXIT_USAGE;
    if (lex_crypto_init(&err) != LEX_OK)
        return lex_cli_fail(&usage, LEX_EXIT_INTERNAL, "%s", err.text);
    lex_buf_init(&run.text, LEX_PUBLISHED_MAX_BYTES);
    int status = publish_file(&run, operands.items[0]);
    lex_policy_unref(run.policy);
    lex_policy_unref(run.newest);
    lex_buf_fini(&run.text);
    lex_config_free(run.config);
    return status;
}
