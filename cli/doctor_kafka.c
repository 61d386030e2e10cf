/* Doctor: the steps that ask the cluster. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/doctor.h"
#include "consumer/policy_topic.h"
#include "core/base/clock.h"
#include "core/ledger/chain.h"
#include "core/worker/worker.h"

enum {
    CONNECT_TIMEOUT_MS = 3000,
    SKEW_WARN_MS = 2000,
    SKEW_FAIL_MS = 30000, /* more than an attestation's leeway */
    PUBLISHED_POLL_MS = 100,
    PUBLISHED_SILENT_POLLS = 50,
    VERDICT_EXTRA_BYTES = 32 << 10, /* attestation, token, the readable members of JSON */
    DEAD_LETTER_EXTRA_BYTES = 24 << 10,
    COMMAND_MAX_BYTES = 1024,
};

/* ---- bootstrap ---- */

/* @return whether a broker answered there */
static bool try_address(struct lex_doctor *d, const char *address, struct lex_error *err)
{
    struct lex_probe *probe;
    enum lex_status status = lex_probe_connect(address, CONNECT_TIMEOUT_MS, err);
    if (status != LEX_OK || lex_probe_new(d->config, address, &probe, err) != LEX_OK)
        return false;
    status = lex_probe_hello(probe, &d->cluster, err);
    lex_probe_free(probe);
    return status == LEX_OK;
}

/* One address that answers is enough to start; the others are worth a word. */
static void say_address(struct lex_doctor *d, const char *address, bool works,
                        const struct lex_error *err)
{
    static const char mend[] = "check kafka.bootstrap.servers and that the port is open from here";
    if (works)
        lex_doctor_say(d, LEX_DOCTOR_OK, NULL, "%s answers", address);
    else if (d->broker)
        lex_doctor_say(d, LEX_DOCTOR_WARN, mend, "%s", err->text);
    else
        lex_doctor_say_error(d, LEX_RETRY, strchr(err->text, '\n') == NULL ? mend : NULL, err);
}

static void try_all(struct lex_doctor *d, const char *servers)
{
    char failed[16][LEX_PROBE_ADDRESS_MAX_BYTES], address[LEX_PROBE_ADDRESS_MAX_BYTES];
    static struct lex_error errors[16];
    size_t count = 0;
    while (lex_probe_next_address(&servers, address)) {
        struct lex_error err = {{0}};
        bool works = try_address(d, address, &err);
        d->broker = d->broker || works;
        if (works) {
            say_address(d, address, true, NULL);
        } else if (count < LEX_COUNT_OF(failed)) {
            (void)snprintf(failed[count], sizeof failed[count], "%s", address);
            errors[count++] = err;
        }
    }
    for (size_t i = 0; i < count; i++)
        say_address(d, failed[i], false, &errors[i]);
}

void lex_doctor_bootstrap(struct lex_doctor *d)
{
    const char *servers = lex_config_kafka_get(d->config, "bootstrap.servers");
    if (d->config->embedded)
        lex_doctor_say(d, LEX_DOCTOR_OK, NULL, "--embedded: the broker starts with the service");
    else if (servers == NULL)
        lex_doctor_say(d, LEX_DOCTOR_FAIL,
                       "set LEXECON_KAFKA_BOOTSTRAP_SERVERS to host:port of a broker",
                       "no broker is named: the service starts, decides nothing and is not ready");
    else
        try_all(d, servers);
}

/* ---- brokers ---- */

void lex_doctor_brokers(struct lex_doctor *d)
{
    struct lex_error err;
    size_t silent = 0;
    for (size_t i = 0; i < d->cluster.brokers_count; i++) {
        if (lex_probe_connect(d->cluster.brokers[i], CONNECT_TIMEOUT_MS, &err) == LEX_OK)
            continue;
        silent++;
        lex_doctor_say(d, LEX_DOCTOR_UNREACHABLE,
                       "correct the brokers' advertised.listeners: clients go where these say, not "
                       "where they began",
                       "a broker advertises %s, and %s", d->cluster.brokers[i], err.text);
    }
    if (silent == 0)
        lex_doctor_say(d, LEX_DOCTOR_OK, NULL, "%zu, reachable as they advertise themselves: %s%s",
                       d->cluster.brokers_count, d->cluster.brokers[0],
                       d->cluster.brokers_count > 1 ? ", ..." : "");
    bool suffices = lex_probe_version_suffices(&d->cluster);
    lex_doctor_say(d, suffices ? LEX_DOCTOR_OK : LEX_DOCTOR_FAIL,
                   suffices ? NULL
                            : "Kafka 2.5 or newer: transactions that check the group's generation "
                              "(KIP-447)",
                   "they speak as Kafka %s or newer does; the client is librdkafka %s",
                   lex_probe_version(&d->cluster), lex_probe_client_version());
}

/* ---- topics ---- */

static void look_at(struct lex_doctor *d, const struct lex_topic_plan *plan)
{
    struct lex_error err = {{0}};
    int role = (int)plan->role;
    enum lex_status status = lex_topics_look(d->topics, plan->name, &d->found[role], &err);
    d->hidden[role] = status == LEX_REJECT;
    if (status != LEX_OK) {
        lex_doctor_say_error(d, status, "see the step `rights`", &err);
        return;
    }
    if (!d->found[role].exists)
        return;
    d->settings_known[role] =
        lex_topics_settings(d->topics, plan->name, &d->settings[role], &err) == LEX_OK;
}

static void say_difference(struct lex_doctor *d, const struct lex_topic_plan *plan,
                           const struct lex_topic_difference *difference)
{
    char memory[COMMAND_MAX_BYTES];
    struct lex_buf command;
    const struct lex_topic_tools tools = {.servers = lex_doctor_servers(d)};
    bool made = difference->field == LEX_TOPIC_FIELD_MISSING && d->config->create_topics;
    lex_buf_borrow(&command, memory, sizeof memory);
    lex_topic_mend_command(plan, difference, &tools, &command);
    lex_doctor_say(d, difference->note || made ? LEX_DOCTOR_WARN : LEX_DOCTOR_FAIL,
                   made ? "the service makes it at its start (create_topics=true)"
                        : lex_buf_str(&command),
                   "%s: %s: found %s, wanted %s", plan->name,
                   lex_topic_field_word(difference->field), difference->found, difference->wanted);
}

static void compare(struct lex_doctor *d, const struct lex_topic_plan *plan)
{
    struct lex_topic_difference differences[LEX_TOPIC_FIELDS];
    int role = (int)plan->role;
    if (d->hidden[role] || (!plan->needed && !d->found[role].exists))
        return;
    size_t count = lex_topic_plan_compare(
        plan, &d->found[role], d->settings_known[role] ? &d->settings[role] : NULL, differences);
    for (size_t i = 0; i < count; i++)
        say_difference(d, plan, &differences[i]);
    if (count == 0)
        lex_doctor_say(d, LEX_DOCTOR_OK, NULL, "%s: partitions %d, replication %d%s", plan->name,
                       d->found[role].partitions, d->found[role].replication,
                       d->settings_known[role]
                           ? ", settings as planned"
                           : "; its settings cannot be seen without DescribeConfigs");
}

/* An audit node reads the ledger and nothing else. */
static bool concerns(const struct lex_doctor *d, int role)
{
    return d->config->role != LEX_ROLE_AUDIT || role == LEX_TOPIC_LEDGER;
}

static enum lex_status plan(const struct lex_doctor *d, int32_t existing,
                            struct lex_topic_plan plans[LEX_TOPIC_ROLES])
{
    static const struct lex_topic_wishes nothing = {.ledger_days = LEX_TOPIC_UNSAID};
    return lex_topic_plan_make(d->config, &nothing, existing, plans, NULL);
}

static bool may_be_there(const struct lex_doctor *d, int role)
{
    return d->found[role].exists || d->hidden[role];
}

/* What the requests have; where they cannot be seen, or are none of this node's, what the ledger
 * has. */
static int32_t partitions_seen(const struct lex_doctor *d)
{
    return d->found[LEX_TOPIC_REQUESTS].exists ? d->found[LEX_TOPIC_REQUESTS].partitions
                                               : d->found[LEX_TOPIC_LEDGER].partitions;
}

void lex_doctor_topics(struct lex_doctor *d)
{
    struct lex_error err = {{0}};
    struct lex_topic_plan plans[LEX_TOPIC_ROLES];
    if (lex_topics_new(d->config, &d->topics, &err) != LEX_OK || plan(d, 0, plans) != LEX_OK) {
        lex_doctor_say_error(d, LEX_REJECT, NULL, &err);
        return;
    }
    for (int role = 0; role < LEX_TOPIC_ROLES; role++)
        if (concerns(d, role))
            look_at(d, &plans[role]);
    if (plan(d, partitions_seen(d), plans) != LEX_OK)
        return;
    for (int role = 0; role < LEX_TOPIC_ROLES; role++)
        if (concerns(d, role))
            compare(d, &plans[role]);
    d->looked = may_be_there(d, LEX_TOPIC_LEDGER) &&
                (may_be_there(d, LEX_TOPIC_REQUESTS) || !concerns(d, LEX_TOPIC_REQUESTS));
}

/* ---- clock ---- */

static void say_skew(struct lex_doctor *d, int64_t ahead_ms, const char *how)
{
    int64_t size_ms = ahead_ms < 0 ? -ahead_ms : ahead_ms;
    enum lex_doctor_level level = size_ms >= SKEW_FAIL_MS   ? LEX_DOCTOR_FAIL
                                  : size_ms >= SKEW_WARN_MS ? LEX_DOCTOR_WARN
                                                            : LEX_DOCTOR_OK;
    lex_doctor_say(d, level,
                   level == LEX_DOCTOR_OK
                       ? NULL
                       : "keep both by NTP: deadlines, attestations and time windows are judged by "
                         "this clock",
                   "this machine's clock is %.1f s %s the broker's (%s)", (double)size_ms / 1000.0,
                   ahead_ms < 0 ? "behind" : "ahead of", how);
}

/* A record that lies in the future shows a clock that is behind; one in the past shows nothing. */
static void judge_newest(struct lex_doctor *d)
{
    struct lex_probe *probe;
    struct lex_error err;
    int64_t ms = -1, now_ms = lex_clock_wall_us() / 1000;
    if (lex_probe_new(d->config, NULL, &probe, &err) != LEX_OK)
        return;
    enum lex_status status = lex_probe_newest(probe, d->config->requests_topic,
                                              d->found[LEX_TOPIC_REQUESTS].partitions, &ms, &err);
    lex_probe_free(probe);
    if (status == LEX_OK && ms > now_ms + SKEW_WARN_MS)
        lex_doctor_say(
            d, LEX_DOCTOR_WARN, "keep both by NTP",
            "the newest request is %.1f s in the future: this machine's clock is behind, "
            "or its writer's is ahead",
            (double)(ms - now_ms) / 1000.0);
    else
        lex_doctor_say(d, LEX_DOCTOR_OK, NULL,
                       "cannot be seen: no topic that was written to has "
                       "message.timestamp.type=LogAppendTime; no request lies in the future");
}

void lex_doctor_clock(struct lex_doctor *d)
{
    if (d->written.broker_ms >= 0)
        say_skew(d, d->written.local_ms - d->written.broker_ms, "a record's LogAppendTime");
    else if (d->config->role == LEX_ROLE_AUDIT)
        lex_doctor_say(d, LEX_DOCTOR_OK, NULL, "cannot be seen: role=audit writes nothing");
    else if (d->found[LEX_TOPIC_REQUESTS].exists)
        judge_newest(d);
}

/* ---- sizes ---- */

/* The largest record that each topic has to take. What does not fit aborts its transaction, and
 * would again. */
static int64_t largest(const struct lex_config *c, int role)
{
    switch (role) {
    case LEX_TOPIC_REQUESTS: return c->request_max_bytes;
    case LEX_TOPIC_VERDICTS: return 2 * LEX_LEDGER_ENTRY_MAX_BYTES + VERDICT_EXTRA_BYTES;
    case LEX_TOPIC_LEDGER: return LEX_LEDGER_ENTRY_MAX_BYTES + LEX_OUTPUT_KEY_MAX_BYTES;
    case LEX_TOPIC_DEAD_LETTERS:
        return c->dead_letter_max_bytes + LEX_OUTPUT_KEY_MAX_BYTES + DEAD_LETTER_EXTRA_BYTES;
    default: return 0;
    }
}

void lex_doctor_sizes(struct lex_doctor *d)
{
    char mend[COMMAND_MAX_BYTES];
    size_t seen = 0, small = 0;
    for (int role = 0; role < LEX_TOPIC_ROLES; role++) {
        int64_t wanted = largest(d->config, role);
        if (!d->settings_known[role] || wanted == 0)
            continue;
        seen++;
        if (d->settings[role].max_message_bytes >= wanted)
            continue;
        small++;
        (void)snprintf(mend, sizeof mend,
                       "kafka-configs.sh --bootstrap-server %s --alter --entity-type topics "
                       "--entity-name %s --add-config max.message.bytes=%lld",
                       lex_doctor_servers(d), lex_topic_name(d->config, (enum lex_topic_role)role),
                       (long long)wanted + 65536);
        lex_doctor_say(d, role == LEX_TOPIC_REQUESTS ? LEX_DOCTOR_WARN : LEX_DOCTOR_FAIL, mend,
                       "%s takes records of %lld bytes, the largest has %lld",
                       lex_topic_name(d->config, (enum lex_topic_role)role),
                       (long long)d->settings[role].max_message_bytes, (long long)wanted);
    }
    if (small == 0)
        lex_doctor_say(d, LEX_DOCTOR_OK, NULL,
                       "%zu of the topics show max.message.bytes, and take the largest records",
                       seen);
}

/* ---- group ---- */

static void say_group(struct lex_doctor *d, const struct lex_probe_group *group)
{
    const char *ours = lex_config_word("lex_config_assignor", (int)d->config->assignor);
    bool other = group->assignor[0] != 0 && strcmp(group->assignor, ours) != 0;
    if (other)
        lex_doctor_say(d, LEX_DOCTOR_FAIL,
                       "set `assignor` alike in all members, and restart them one after the other",
                       "the group %s shares partitions by %s, this configuration by %s: a member "
                       "with another assignor is refused",
                       d->config->group, group->assignor, ours);
    bool none = strcmp(group->state, "Dead") == 0; /* Kafka's word for a group that is not there */
    lex_doctor_say(d, LEX_DOCTOR_OK, NULL,
                   "%s: %s, %zu members; %d of %d partitions have an offset, %lld records are not "
                   "decided yet",
                   d->config->group, none ? "nobody joined it yet" : group->state, group->members,
                   group->committed, group->partitions, (long long)group->lag);
    if (d->config->server_workers > group->partitions)
        lex_doctor_say(d, LEX_DOCTOR_WARN, "fewer server_workers, or more partitions",
                       "%lld workers here, and %d partitions: some stand idle",
                       (long long)d->config->server_workers, group->partitions);
    else
        lex_doctor_say(d, LEX_DOCTOR_OK, NULL,
                       "%d partitions for %lld workers a process: from %lld processes on some "
                       "stand idle (a hint for maxReplicas)",
                       group->partitions, (long long)d->config->server_workers,
                       (long long)(group->partitions / d->config->server_workers + 1));
}

void lex_doctor_group(struct lex_doctor *d)
{
    struct lex_probe *probe;
    struct lex_error err = {{0}};
    struct lex_probe_group group;
    if (d->config->role == LEX_ROLE_AUDIT) {
        lex_doctor_say(d, LEX_DOCTOR_OK, NULL, "role=audit joins none");
        return;
    }
    if (!d->found[LEX_TOPIC_REQUESTS].exists)
        return; /* the step `topics` said why */
    if (lex_probe_new(d->config, NULL, &probe, &err) != LEX_OK) {
        lex_doctor_say_error(d, LEX_REJECT, NULL, &err);
        return;
    }
    enum lex_status status =
        lex_probe_group_look(probe, d->found[LEX_TOPIC_REQUESTS].partitions, &group, &err);
    if (status == LEX_OK)
        say_group(d, &group);
    else
        lex_doctor_say(d, LEX_DOCTOR_WARN, "see the step `rights`", "%s", err.text);
    lex_probe_free(probe);
}

/* ---- published ---- */

struct newest {
    struct lex_policy *policy;
    size_t refused;
};

static void consider(struct newest *n, const struct lex_public_key *key, const char *id,
                     struct lex_span value)
{
    struct lex_policy *policy;
    struct lex_error ignored;
    if (lex_policy_published(key, lex_span_str(id), value, "topic", &policy, &ignored) != LEX_OK) {
        n->refused++;
        return;
    }
    const struct lex_policy_info *in_force = n->policy != NULL ? lex_policy_info(n->policy) : NULL;
    if (lex_policy_order_of(in_force, lex_policy_info(policy)) != LEX_POLICY_NEWER) {
        lex_policy_unref(policy);
        return;
    }
    lex_policy_unref(n->policy);
    n->policy = policy;
}

static enum lex_status read_published(const struct lex_config *c, const struct lex_public_key *key,
                                      struct newest *n, struct lex_error *err)
{
    struct lex_policy_topic *topic;
    bool found = true, end = false;
    char expected[LEX_POLICIES_KEY_MAX_BYTES];
    lex_policies_published_key(lex_span_str(lex_config_policy_topic(c)), expected);
    LEX_TRY(lex_policy_topic_new(c, &topic, err));
    for (int silent = 0; (found || !end) && silent < PUBLISHED_SILENT_POLLS; silent++) {
        struct lex_policy_record record;
        enum lex_status status =
            lex_policy_topic_next(topic, PUBLISHED_POLL_MS, &record, &found, &end, err);
        if (status == LEX_REJECT) {
            lex_policy_topic_free(topic);
            return status;
        }
        if (found)
            silent = 0;
        if (found && lex_span_eq(record.key, lex_span_str(expected)))
            consider(n, key, lex_config_policy_topic(c), record.value);
    }
    lex_policy_topic_free(topic);
    return end ? LEX_OK
               : lex_fail(err, LEX_RETRY, "the topic %s was not read to its end in time",
                          c->policies_topic);
}

void lex_doctor_published(struct lex_doctor *d)
{
    struct lex_public_key key;
    struct lex_error err = {{0}};
    struct newest newest = {NULL, 0};
    const char *id = lex_config_policy_topic(d->config);
    if (id == NULL || d->config->policy_key == NULL || d->config->role == LEX_ROLE_AUDIT ||
        lex_public_key_load(d->config->policy_key, &key, &err) != LEX_OK)
        return;
    enum lex_status status = read_published(d->config, &key, &newest, &err);
    if (status != LEX_OK)
        lex_doctor_say_error(d, status, "see the steps `topics` and `rights`", &err);
    else if (newest.policy == NULL)
        lex_doctor_say(d, LEX_DOCTOR_FAIL,
                       "lexecon policy sign, then lexecon policy publish; or the right policy_key",
                       "%s has no policy %s that the pinned key signed (%zu refused): the service "
                       "is not ready",
                       d->config->policies_topic, id, newest.refused);
    else
        lex_doctor_say(d, LEX_DOCTOR_OK, NULL, "%s, version %.*s", id,
                       LEX_SPAN_FMT(lex_policy_info(newest.policy)->version));
    lex_policy_unref(newest.policy);
}
