/* Events: the `detail` of entries that are no decisions, as JSON.
 *
 * An auditor reads these years later, with nothing but the ledger at hand. So a detail says
 * everything itself: the key ids that a chain begins with, the policy's whole document (or its size
 * and hash, where it is too large for an entry), what could not be decoded and its digest, and on a
 * recovery both states that were found. All text is escaped; all results fit an entry by
 * construction. */
#ifndef LEX_LEDGER_EVENTS_H
#define LEX_LEDGER_EVENTS_H

#include "core/base/arena.h"
#include "core/crypto/crypto.h"

enum {
    LEX_POLICY_EMBED_MAX_BYTES = 48 << 10, /* the larger ones are named by bytes and hash */
    LEX_REJECTION_TEXT_MAX_BYTES = 512,    /* of the text for a person; more is cut */
    LEX_EVENT_DETAIL_MAX_BYTES = 60 << 10, /* leaves an entry room for its other fields */
};

/* {"origin_prefix":..,"keys":[{"role":"verdict","key_id":"0a1b2c3d","public_key":"<base64>"},..]}
 * @errors LEX_LIMIT the arena is full (of every builder here) */
LEX_STATUS lex_event_genesis(const struct lex_keyring *keyring, struct lex_arena *arena,
                             struct lex_span *ret_detail);

/* How a chain came to its policy. */
enum lex_policy_change {
    LEX_POLICY_FORWARD,
    LEX_POLICY_REGRESSED, /* an older one, since the newer did not come in time (pipeline.md, 11) */
    LEX_POLICY_ROLLBACK,  /* an older one, since policy_allow_rollback said so */
};

/* Whether a policy's document stands in its entry: it has at most LEX_POLICY_EMBED_MAX_BYTES, and
 * fits when it is escaped. One that does not is archived before anything is decided under it. */
bool lex_event_policy_embeds(struct lex_span document);
/* {"bytes":n,"sha256":"<hex>","document":"<text>"}: the document embedded, or "document":null;
 * further "regressed":true or "rollback":true where the chain's policy went back. */
LEX_STATUS lex_event_policy(struct lex_span document, enum lex_policy_change change,
                            struct lex_arena *arena, struct lex_span *ret_detail);

/* The same read back. */
struct lex_policy_detail {
    int64_t bytes; /* of the document */
    struct lex_hash sha256;
    struct lex_span document; /* absent: it stands in the archive */
    enum lex_policy_change change;
};
/* @owns   the document borrows from `detail` or the arena
 * @errors LEX_REJECT no such detail, or its document is not what bytes and sha256 say; LEX_LIMIT */
LEX_STATUS lex_event_policy_read(struct lex_span detail, struct lex_arena *arena,
                                 struct lex_policy_detail *ret_detail);

/* {"reason":"MALFORMED_JSON","text":"..","bytes":n,"sha256":"<hex of the record's value>"}
 * @param reason a name of undecodable.def */
LEX_STATUS lex_event_rejection(struct lex_span reason, struct lex_span text, struct lex_span value,
                               struct lex_arena *arena, struct lex_span *ret_detail);

/* ---- recovery ---- */

enum lex_recovery_kind {
#define LEX_RECOVERY(name, word, text) LEX_RECOVERY_##name,
#include "core/ledger/recovery.def"
#undef LEX_RECOVERY
    LEX_RECOVERY_COUNT
};
const char *lex_recovery_name(enum lex_recovery_kind kind);

/* One of the two witnesses of where a chain stands. */
struct lex_recovery_state {
    bool present;
    int64_t seq; /* of the next entry */
    struct lex_hash prev;
    int64_t last_source_offset;
};

struct lex_recovery {
    enum lex_recovery_kind kind;
    bool has_source_gap;
    int64_t source_from, source_to; /* request offsets that nobody decided, both inclusive */
    struct lex_recovery_state head, ledger;
};

/* {"kind":..,"text":..,"source_gap":{"from":a,"to":b}|null,"ledger_gap":{"from":a,"to":b}|null,
 *  "head":{"seq":..,"prev":..,"last_source_offset":..}|null,"ledger":{..}|null}
 * A ledger gap is what CHOSE_HEAD jumps over: entries that the head has counted and the ledger
 * lacks.
 * @errors LEX_REJECT a choice that would use sequence numbers twice (the head behind the ledger),
 * or one whose witness is absent; LEX_LIMIT the arena is full */
LEX_STATUS lex_event_recovery(const struct lex_recovery *recovery, struct lex_arena *arena,
                              struct lex_span *ret_detail, struct lex_error *err);
/* Whether a recovery entry's detail declares that the entries `from` .. `to` (inclusive) are
 * missing. Reads nothing else of it; any text that is not such a detail declares nothing. */
bool lex_event_declares_gap(struct lex_span detail, struct lex_arena *arena, int64_t *ret_from,
                            int64_t *ret_to);

#endif
