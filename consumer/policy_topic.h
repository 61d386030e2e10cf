/* Policy topic: reads the policies topic, from its beginning and on.
 *
 * Two read it: the policy watch, which takes the newest published policy into force, and whoever
 * looks for the text of an archived one. What stands in the topic is only what somebody wrote
 * there: a published policy counts when the pinned key signed it, an archived text when its hash is
 * the one that was asked for. So nobody who can write to the topic can change what is decided; who
 * deletes from it can only keep a new pod from starting to decide.
 * @thread whoever made it */
#ifndef LEX_CONSUMER_POLICY_TOPIC_H
#define LEX_CONSUMER_POLICY_TOPIC_H

#include "core/crypto/crypto.h"
#include "producer/kafka.h"
#include "producer/policies.h"

struct lex_policy_topic;

/* Looks for the topic first, so that no broker makes one that forgets.
 * @errors LEX_RETRY no broker answers; LEX_REJECT no such topic, no right: err names the command */
LEX_STATUS lex_policy_topic_new(const struct lex_config *config,
                                struct lex_policy_topic **ret_topic, struct lex_error *err);
void lex_policy_topic_free(struct lex_policy_topic *topic);
/* The same look alone: whether the topic is there, to be written. */
LEX_STATUS lex_policy_topic_look(const struct lex_config *config, struct lex_error *err);

struct lex_policy_record {
    int32_t partition;
    int64_t offset;
    struct lex_span key, value; /* until the next call */
};
/* The next record of any partition, in the order of its partition.
 * @post   *ret_found is false where there is none: *ret_end then says whether all that there is was
 *         read
 * @errors LEX_RETRY the broker does not answer; LEX_REJECT no right: err says which */
LEX_STATUS lex_policy_topic_next(struct lex_policy_topic *topic, int timeout_ms,
                                 struct lex_policy_record *ret_record, bool *ret_found,
                                 bool *ret_end, struct lex_error *err);

/* A published policy from its record: signed by `key`, whole, of this id, and with a version, since
 * a record without one could be played back for ever.
 * @param id     as configured, the document's own policy_id must be this; absent: any
 * @param source names the record in messages
 * @errors LEX_REJECT err says what does not hold; LEX_LIMIT memory */
LEX_STATUS lex_policy_published(const struct lex_public_key *key, struct lex_span id,
                                struct lex_span value, const char *source,
                                struct lex_policy **ret_policy, struct lex_error *err);

/* What a published policy is to the one in force. */
enum lex_policy_order {
    LEX_POLICY_NEWER,
    LEX_POLICY_SAME,    /* version and hash: published again, nothing to do */
    LEX_POLICY_ALTERED, /* the version, with another hash */
    LEX_POLICY_OLDER,
};
enum lex_policy_order lex_policy_order_of(const struct lex_policy_info *in_force,
                                          const struct lex_policy_info *offered);

/* The archived document of this hash, checked by loading it.
 * @owns   *ret_policy is the caller's reference; its info.document is the text
 * @errors LEX_REJECT it is not there, or not whole; LEX_RETRY no answer in time; LEX_LIMIT */
LEX_STATUS lex_policy_topic_archived(const struct lex_config *config, const struct lex_hash *hash,
                                     int64_t timeout_ms, struct lex_policy **ret_policy,
                                     struct lex_error *err);

#endif
