/* Samples: keys, verdicts, an exported ledger and a mirror, for those who read us from outside.
 * `lex_samples DIR` fills DIR; everything follows from a fixed seed, so that two runs agree. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "core/codec/codec.h"
#include "core/ledger/chain.h"
#include "core/ledger/events.h"
#include "core/ledger/mirror.h"

#define PREFIX "example.com/samples"
#define TOPIC "lexecon.ledger"

enum { DECISIONS = 5, PARTITIONS = 2, PATH_BYTES = 4096 };

static struct lex_arena arena;
static struct lex_keyring *keyring;
static struct lex_error err;
static const char *dir;
static int64_t ledger_offset;

/* A sample that cannot be made is a bug. */
static void must(enum lex_status status)
{
    if (status == LEX_OK)
        return;
    (void)fprintf(stderr, "lex_samples: %s: %s\n", lex_status_name(status), err.text);
    exit(1);
}

static FILE *create(const char *name)
{
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "wbe");
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    return file;
}

static void write_span(const char *name, struct lex_span text)
{
    FILE *file = create(name);
    (void)fwrite(text.data, 1, text.len, file);
    (void)fclose(file);
}

static struct lex_ledger_entry event(enum lex_event_type type, int32_t partition, int64_t offset)
{
    return (struct lex_ledger_entry){.recorded_at = 1767225600000000 + offset,
                                     .event_type = type,
                                     .node_id = LEX_SPAN("node-1"),
                                     .source = {.topic = LEX_SPAN("lexecon.requests"),
                                                .partition = partition,
                                                .offset = offset,
                                                .timestamp = offset < 0 ? -1 : 1767225600000},
                                     .replayable = true};
}

static const uint8_t policy_hash[LEX_HASH_BYTES] = {0xaa, 0xbb};

static struct lex_ledger_entry decision(int32_t partition, int64_t offset,
                                        const struct lex_chain *chain)
{
    static const struct lex_obligation obligations[] = {{.type = LEX_OBLIGATION_TYPE_APPROVAL,
                                                         .approver = LEX_SPAN_INIT("supervisor"),
                                                         .quorum = 2}};
    static const struct lex_span rules[] = {LEX_SPAN_INIT("permit-1"),
                                            LEX_SPAN_INIT("gr\xc3\xbc\xc3\x9f")};
    struct lex_ledger_entry entry = event(LEX_EVENT_TYPE_DECISION, partition, offset);
    char id[LEX_DECISION_ID_CHARS + 1];
    bool approved = offset % 2 == 0;
    lex_decision_id(entry.source.timestamp, partition, offset, chain->tag, id);
    entry.decision_id = lex_arena_dup(&arena, lex_span_str(id));
    entry.request_id = lex_arena_printf(&arena, "request-%lld", (long long)offset);
    entry.actor = LEX_SPAN("agent \"one\"\n");
    entry.action = LEX_SPAN("read");
    entry.outcome = approved ? LEX_OUTCOME_APPROVED : LEX_OUTCOME_ESCALATED;
    entry.allowed = approved;
    entry.reason_code = approved ? LEX_SPAN("PERMITTED") : LEX_SPAN("APPROVAL_REQUIRED");
    entry.reason = LEX_SPAN("as the policy says");
    entry.rules = (struct lex_span_list){rules, LEX_COUNT_OF(rules)};
    if (!approved)
        entry.obligations = (struct lex_obligation_list){obligations, LEX_COUNT_OF(obligations)};
    entry.policy_id = LEX_SPAN("samples");
    entry.policy_hash = lex_span_of(policy_hash, sizeof policy_hash);
    entry.evaluated_at = (struct lex_opt_i64){true, 1767225600123456};
    entry.valid_until = (struct lex_opt_i64){true, 1767225900000000};
    return entry;
}

static void keep(struct lex_mirror *mirror, FILE *export, int32_t partition, struct lex_span value)
{
    enum lex_mirror_result result;
    must(lex_export_write(export, value, &err));
    must(lex_mirror_feed(mirror, partition, ledger_offset++, value, &result, &err));
    if (result != LEX_MIRROR_TAKEN)
        must(LEX_HALT);
}

static void write_verdicts(const struct lex_ledger_entry *entries, const struct lex_span *values,
                           const struct lex_attestation *attestations, FILE *lines)
{
    for (int i = 0; i < DECISIONS; i++) {
        char name[64];
        struct lex_span text;
        for (enum lex_format format = LEX_FORMAT_AVRO; format <= LEX_FORMAT_JSON; format++) {
            must(lex_encode_verdict(format, &entries[i], values[i], &attestations[i],
                                    (struct lex_span){NULL, 0}, &arena, 1 << 20, &text));
            (void)snprintf(name, sizeof name, "verdict-%d.%s", i,
                           format == LEX_FORMAT_AVRO ? "avro" : "json");
            write_span(name, text);
        }
        (void)fprintf(lines, "%.*s\n", LEX_SPAN_FMT(text));
    }
}

static void write_partition(struct lex_mirror *mirror, FILE *export, FILE *lines, int32_t partition)
{
    char origin[LEX_ORIGIN_MAX_BYTES];
    int64_t next;
    struct lex_ledger_entry entries[DECISIONS],
        genesis = event(LEX_EVENT_TYPE_GENESIS, partition, -1);
    struct lex_span values[DECISIONS], value;
    struct lex_hash leaves[DECISIONS], leaf;
    struct lex_attestation attestations[DECISIONS];
    must(lex_origin_format(LEX_SPAN(PREFIX), LEX_SPAN(TOPIC), partition, origin, &err));
    struct lex_chain chain = lex_chain_genesis(lex_arena_dup(&arena, lex_span_str(origin)));
    must(lex_mirror_assign(mirror, partition, NULL, &next, &err));
    must(lex_event_genesis(keyring, &arena, &genesis.detail));
    must(lex_chain_append(&chain, &genesis, &arena, &value, &leaf));
    keep(mirror, export, partition, value);
    for (int i = 0; i < DECISIONS; i++) {
        entries[i] = decision(partition, i, &chain);
        must(lex_chain_append(&chain, &entries[i], &arena, &values[i], &leaves[i]));
        keep(mirror, export, partition, values[i]);
    }
    must(lex_attest_batch(keyring, chain.origin, leaves, DECISIONS, &arena, attestations));
    write_verdicts(entries, values, attestations, lines);
}

int main(int argc, char **argv)
{
    const uint8_t seed[LEX_SEED_BYTES] = {42};
    struct lex_buf pins;
    struct lex_store *store;
    struct lex_mirror *mirror;
    struct lex_mirror_options options = {.scope = LEX_MIRROR_ALL,
                                         .origin_prefix = LEX_SPAN(PREFIX),
                                         .ledger_topic = LEX_SPAN(TOPIC)};
    if (argc != 2) {
        (void)fprintf(stderr, "usage: lex_samples DIR\n");
        return 2;
    }
    dir = argv[1];
    (void)mkdir(dir, 0700);
    lex_arena_init(&arena, 256 << 10, 16 << 20);
    lex_buf_init(&pins, 64 << 10);
    must(lex_crypto_init(&err));
    must(lex_keyring_from_seed(seed, PREFIX, &keyring, &err));
    must(lex_pins_write(keyring, &pins));
    write_span("pins.json", lex_buf_span(&pins));
    struct lex_span path = lex_arena_printf(&arena, "%s/mirror.db", dir);
    must(lex_store_open((const char *)path.data, LEX_STORE_WRITE, &store, &err));
    must(lex_mirror_new(&options, store, &mirror, &err));
    FILE *export = create("ledger.bin"), *lines = create("verdicts.jsonl");
    for (int32_t partition = 0; partition < PARTITIONS; partition++)
        write_partition(mirror, export, lines, partition);
    must(lex_mirror_commit(mirror, &err));
    (void)fclose(export);
    (void)fclose(lines);
    lex_mirror_free(mirror);
    lex_store_close(store);
    lex_buf_fini(&pins);
    lex_keyring_free(keyring);
    lex_arena_fini(&arena);
    return 0;
}
