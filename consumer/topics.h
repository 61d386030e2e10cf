/* Topics: what Kafka says about a topic, and making one. Behind the start-up check (preflight.h);
 * one short-lived client for each check, so that a setting that was wrong is read anew.
 *
 * It looks without making anything: a plain metadata request creates a missing topic wherever the
 * broker's auto.create.topics.enable is on, with one partition and a week of retention, which for a
 * ledger is the worst of outcomes. Hence a consumer's handle, which may forbid it. */
#ifndef LEX_CONSUMER_TOPICS_H
#define LEX_CONSUMER_TOPICS_H

#include "consumer/topic_plan.h"

struct lex_topics; /* @thread whoever made it */

/* @errors LEX_REJECT a setting that librdkafka refuses */
LEX_STATUS lex_topics_new(const struct lex_config *config, struct lex_topics **ret_topics,
                          struct lex_error *err);
void lex_topics_free(struct lex_topics *topics);

/* @errors LEX_RETRY  no broker answers: err says why not, and what to change
 *         LEX_REJECT no right to look at it: err names the ACL */
LEX_STATUS lex_topics_look(struct lex_topics *topics, const char *name, struct lex_topic *ret_topic,
                           struct lex_error *err);

/* In effect, the brokers' defaults included.
 * @errors LEX_RETRY no answer; LEX_REJECT no right, or the broker does not tell */
LEX_STATUS lex_topics_settings(struct lex_topics *topics, const char *name,
                               struct lex_topic_settings *ret_settings, struct lex_error *err);

/* Whether this user may read it, and use the consumer group: one fetch at its first partition's
 * end. A partition without a leader says nothing of rights, so no answer is no refusal.
 * @errors LEX_RETRY the client refuses; LEX_REJECT no right: err names the ACL */
LEX_STATUS lex_topics_read(struct lex_topics *topics, const char *name, struct lex_error *err);

/* Make it, and wait until brokers tell of it. One that exists meanwhile is fine.
 * @errors as lex_topics_settings */
LEX_STATUS lex_topics_create(struct lex_topics *topics, const struct lex_topic_plan *plan,
                             struct lex_error *err);

#endif
