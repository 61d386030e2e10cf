/* Doctor: each right that the ACL table lists for this node, tried as a node uses it. */
#include <stdio.h>

#include "cli/doctor.h"
#include "core/ledger/events.h"

enum { MEND_MAX_BYTES = 1024 };

enum outcome { ALLOWED, REFUSED, NOT_TRIED };

struct rights {
    struct lex_doctor *doctor;
    struct lex_probe_writer *writer;
    bool group, transactions; /* what the others need to be tried at all */
    size_t allowed;
};

/* ---- what is said ---- */

static const char *user_of(const struct lex_doctor *d)
{
    const char *user = lex_config_kafka_get(d->config, "sasl.username");
    return user != NULL ? user : "<name>";
}

static void say_refused(struct rights *r, const struct lex_acl *acl, const struct lex_error *err)
{
    char memory[MEND_MAX_BYTES];
    struct lex_buf mend;
    lex_buf_borrow(&mend, memory, sizeof memory);
    lex_buf_printf(&mend, "kafka-acls.sh --bootstrap-server %s --add --allow-principal User:%s ",
                   lex_doctor_servers(r->doctor), user_of(r->doctor));
    lex_acl_arguments(acl, 1, &mend);
    lex_doctor_say(r->doctor, LEX_DOCTOR_FAIL, lex_buf_str(&mend),
                   "%s on %s %s is missing (%s): %s", acl->operation,
                   lex_acl_resource_word(acl->resource), acl->name, acl->why, err->text);
}

static void say_not_tried(struct rights *r, const struct lex_acl *acl, const char *why)
{
    lex_doctor_say(r->doctor, LEX_DOCTOR_WARN, NULL, "%s on %s %s was not tried: %s",
                   acl->operation, lex_acl_resource_word(acl->resource), acl->name, why);
}

/* LEX_REJECT is a missing right; anything else that fails is told as it is. */
static bool judge(struct rights *r, const struct lex_acl *acl, enum lex_status status,
                  const struct lex_error *err)
{
    if (status == LEX_OK) {
        r->allowed++;
        return true;
    }
    if (status == LEX_REJECT)
        say_refused(r, acl, err);
    else
        lex_doctor_say_error(r->doctor, status, NULL, err);
    return false;
}

/* ---- what is tried ---- */

static bool try_group(struct rights *r, const struct lex_acl *acl)
{
    struct lex_probe *probe;
    struct lex_error err = {{0}};
    enum lex_status status = lex_probe_new(r->doctor->config, NULL, &probe, &err);
    if (status == LEX_OK) {
        status = lex_probe_group_right(probe, &err);
        lex_probe_free(probe);
    }
    return judge(r, acl, status, &err);
}

static bool try_transactions(struct rights *r, const struct lex_acl *acl)
{
    struct lex_probe_written written;
    struct lex_error err = {{0}};
    return judge(r, acl, lex_probe_write(r->writer, NULL, &written, &err), &err);
}

static void try_write(struct rights *r, const struct lex_acl *acl)
{
    struct lex_probe_written written;
    struct lex_error err = {{0}};
    if (r->doctor->no_writes || !r->transactions) {
        say_not_tried(r, acl,
                      r->doctor->no_writes ? "--no-writes" : "it takes the transactional id");
        return;
    }
    enum lex_status status = lex_probe_write(r->writer, acl->name, &written, &err);
    if (judge(r, acl, status, &err) && written.broker_ms >= 0)
        r->doctor->written = written;
}

/* A topic that may not be looked at is not read either; the client would only wait for it. */
static enum lex_status read_end(struct lex_topics *topics, const char *name, struct lex_error *err)
{
    struct lex_topic found;
    LEX_TRY(lex_topics_look(topics, name, &found, err));
    return lex_topics_read(topics, name, err);
}

static void try_read(struct rights *r, const struct lex_acl *acl)
{
    struct lex_error err = {{0}};
    if (!r->group)
        say_not_tried(r, acl, "the client asks for the group first");
    else
        (void)judge(r, acl, read_end(r->doctor->topics, acl->name, &err), &err);
}

static void try_settings(struct rights *r, const struct lex_acl *acl)
{
    struct lex_topic_settings settings;
    struct lex_error err = {{0}};
    (void)judge(r, acl, lex_topics_settings(r->doctor->topics, acl->name, &settings, &err), &err);
}

static void try_topic(struct rights *r, const struct lex_acl *acl)
{
    if (strcmp(acl->operation, "Write") == 0)
        try_write(r, acl);
    else if (strcmp(acl->operation, "Read") == 0)
        try_read(r, acl);
    else if (strcmp(acl->operation, "DescribeConfigs") == 0)
        try_settings(r, acl);
    else
        say_not_tried(r, acl, "that would make the topic");
}

/* ---- all of them ---- */

/* Without these two nothing else can be asked for. */
static void try_first(struct rights *r, const struct lex_acl *acls, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (acls[i].resource == LEX_ACL_GROUP)
            r->group = try_group(r, &acls[i]);
        if (acls[i].resource == LEX_ACL_TXN)
            r->transactions = try_transactions(r, &acls[i]);
    }
}

static bool is_there(const struct lex_doctor *d, const struct lex_acl *acl)
{
    for (int role = 0; role < LEX_TOPIC_ROLES; role++)
        if (strcmp(lex_topic_name(d->config, (enum lex_topic_role)role), acl->name) == 0)
            return d->found[role].exists || d->hidden[role];
    return false;
}

static unsigned conditions_of(const struct lex_doctor *d)
{
    unsigned mask = lex_acl_conditions(d->config);
    if (d->policy_bytes > LEX_POLICY_EMBED_MAX_BYTES)
        mask |= 1u << LEX_ACL_LARGE_POLICIES;
    return mask;
}

void lex_doctor_rights(struct lex_doctor *d)
{
    struct lex_acl all[LEX_ACL_MAX], acls[LEX_ACL_MAX];
    struct rights r = {.doctor = d};
    struct lex_error err = {{0}};
    bool audit = d->config->role == LEX_ROLE_AUDIT;
    size_t count = 0, all_count = lex_acl_list(d->config, conditions_of(d), all);
    for (size_t i = 0; i < all_count; i++)
        if (all[i].principal == (audit ? LEX_ACL_AUDITOR : LEX_ACL_SERVICE))
            acls[count++] = all[i];
    r.group = audit;
    if (lex_probe_writer_new(d->config, &r.writer, &err) != LEX_OK) {
        lex_doctor_say_error(d, LEX_LIMIT, NULL, &err);
        return;
    }
    try_first(&r, acls, count);
    for (size_t i = 0; i < count; i++)
        if (acls[i].resource == LEX_ACL_TOPIC && is_there(d, &acls[i]))
            try_topic(&r, &acls[i]);
    lex_probe_writer_free(r.writer);
    lex_doctor_say(d, LEX_DOCTOR_OK, NULL, "%zu of the %zu rights that this node needs are there",
                   r.allowed, count);
}
