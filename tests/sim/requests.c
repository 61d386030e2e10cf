/* What agents ask for in the simulator, and the policies that they ask under. The first two differ
 * in what they forbid, in their limits, and in which actions exclude each other, so that a change
 * of policy is a change of what a partition must remember; the third remembers what the second
 * does. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/text.h"
#include "core/crypto/jwt.h"
#include "tests/sim/sim.h"

/* ---- the world ---- */

#define TERMS                                                                                     \
    "\"terms\":[{\"id\":\"actor:user\",\"type\":\"actor\"},"                                      \
    "{\"id\":\"actor:model\",\"type\":\"actor\"},{\"id\":\"actor:human\",\"type\":\"actor\"},"    \
    "{\"id\":\"action:read\",\"type\":\"action\"},{\"id\":\"action:write\",\"type\":\"action\"}," \
    "{\"id\":\"action:call\",\"type\":\"action\"},{\"id\":\"action:pay\",\"type\":\"action\"},"   \
    "{\"id\":\"action:deploy\",\"type\":\"action\"},"                                             \
    "{\"id\":\"action:prepare\",\"type\":\"action\"},"                                            \
    "{\"id\":\"action:release\",\"type\":\"action\"}],"
#define RULE(id, type, actor, action, more)                               \
    "{\"id\":\"" id "\",\"type\":\"" type "\",\"subject\":\"actor:" actor \
    "\",\"action\":\"action:" action "\"" more "}"
#define LIMIT(most, window) \
    ",\"condition\":{\"type\":\"rate_limit\",\"max_requests\":" most ",\"window\":\"" window "\"}"
#define SUM(most, window)                                                                    \
    ",\"condition\":{\"type\":\"rate_limit\",\"max_requests\":" most ",\"window\":\"" window \
    "\",\"sum\":\"arguments.amount\"}"
#define CONFLICT(a, b)                                                                            \
    "{\"id\":\"apart\",\"type\":\"conflicts\",\"source\":\"action:" a "\",\"target\":\"action:" b \
    "\",\"scope\":\"global\",\"window\":\"2s\"}"
#define SHARED                                                                                     \
    RULE("no-write", "forbids", "model", "write", "")                                              \
    "," RULE(                                                                                      \
        "deploy", "permits", "user", "deploy",                                                     \
        ",\"condition\":{\"type\":\"approval\",\"timeout\":\"10m\"}") "," RULE("prepare",          \
                                                                               "permits", "user",  \
                                                                               "prepare",          \
                                                                               "") "," RULE("rele" \
                                                                                            "ase", \
                                                                                            "perm" \
                                                                                            "its", \
                                                                                            "use"  \
                                                                                            "r",   \
                                                                                            "rele" \
                                                                                            "ase", \
                                                                                            "") ","

static const char *const DOCUMENTS[SIM_POLICIES] = {
    "{\"policy_id\":\"sim\",\"version\":\"1\",\"mode\":\"strict\"," TERMS
    "\"relations\":[" SHARED RULE("read", "permits", "user", "read", "") "," RULE(
        "call", "permits", "user", "call",
        LIMIT("3", "2s")) "," RULE("pay", "permits", "user", "pay",
                                   SUM("100", "3s")) "," CONFLICT("prepare", "release") "]}",
    "{\"policy_id\":\"sim\",\"version\":\"2\",\"mode\":\"strict\"," TERMS
    "\"relations\":[" SHARED RULE("read", "forbids", "user", "read", "") "," RULE(
        "call", "permits", "user", "call",
        LIMIT("2", "4s")) "," RULE("pay", "permits", "user", "pay",
                                   SUM("80", "4s")) "," CONFLICT("release", "deploy") "]}",
    "{\"policy_id\":\"sim\",\"version\":\"3\",\"mode\":\"strict\"," TERMS
    "\"relations\":[" SHARED RULE("read", "permits", "user", "read", "") "," RULE(
        "call", "permits", "user", "call",
        LIMIT("2", "4s")) "," RULE("pay", "permits", "user", "pay",
                                   SUM("80", "4s")) "," CONFLICT("release", "deploy") "]}",
};

static void fail(const char *what, const struct lex_error *err)
{
    (void)fprintf(stderr, "lex_sim: %s: %s\n", what, err->text);
    exit(EXIT_FAILURE);
}

static void make_issuer(struct sim_world *world)
{
    static const uint8_t seed[LEX_SEED_BYTES] = {2};
    struct lex_error err = {{0}};
    struct lex_buf json;
    lex_buf_init(&json, 4096);
    if (lex_signer_from_seed(seed, &world->approver, &err) != LEX_OK)
        fail("the approver's key", &err);
    lex_buf_puts(&json, "{\"issuers\":[{\"iss\":\"people\",\"approvers\":[\"actor:human\"],"
                        "\"keys\":[{\"kid\":\"k1\",\"public_key\":\"");
    lex_buf_put_base64(
        &json, lex_span_of(lex_signer_public(world->approver)->bytes, LEX_PUBLIC_KEY_BYTES));
    lex_buf_puts(&json, "\"}]}]}");
    if (lex_identity_parse(lex_buf_span(&json), &world->identity, &err) != LEX_OK)
        fail("issuers", &err);
    lex_buf_fini(&json);
}

static void make_keys(struct sim_world *world)
{
    static const uint8_t seed[32] = {1};
    struct lex_error err = {{0}};
    struct lex_buf pins;
    lex_buf_init(&pins, 1 << 16);
    if (lex_crypto_init(&err) != LEX_OK ||
        lex_keyring_from_seed(seed, "sim/one", &world->keyring, &err) != LEX_OK)
        fail("keys", &err);
    if (lex_pins_write(world->keyring, &pins) != LEX_OK ||
        lex_pins_parse(lex_buf_span(&pins), &world->pins, &err) != LEX_OK)
        fail("pins", &err);
    lex_buf_fini(&pins);
}

void sim_world_init(struct sim_world *world)
{
    struct lex_codec_options options = {0};
    struct lex_error err = {{0}};
    make_keys(world);
    make_issuer(world);
    if (lex_codec_new(&options, &world->codec, &err) != LEX_OK)
        fail("codec", &err);
    for (int i = 0; i < SIM_POLICIES; i++)
        if (lex_policy_load(lex_span_str(DOCUMENTS[i]), "sim", &world->policies[i], &err) != LEX_OK)
            fail("policy", &err);
}

void sim_world_fini(struct sim_world *world)
{
    for (int i = 0; i < SIM_POLICIES; i++)
        lex_policy_unref(world->policies[i]);
    lex_identity_free(world->identity);
    lex_signer_free(world->approver);
    lex_codec_free(world->codec);
    lex_pins_free(world->pins);
    lex_keyring_free(world->keyring);
}

/* ---- approvals ---- */

/* The fingerprint of the request that the approval is for, without its approval. */
static void deploy_fingerprint(unsigned which, uint8_t ret_hash[32])
{
    struct lex_arena arena;
    char nonce[16];
    int len = snprintf(nonce, sizeof nonce, "n%u", which);
    struct lex_request request = {
        .actor = LEX_SPAN("user"),
        .proposed_action = LEX_SPAN("deploy"),
        .risk_level = 1,
        .nonce = lex_span_of(nonce, (size_t)len),
    };
    lex_arena_init(&arena, 4096, 1 << 20);
    LEX_ASSERT(lex_request_fingerprint(&request, &arena, ret_hash, NULL) == LEX_OK);
    lex_arena_fini(&arena);
}

/* Which claims stand in it does not depend on the run but for log and time. */
static void mint(const struct sim_model *model, const struct sim_world *world, int p,
                 unsigned which, struct sim_approval *ret)
{
    static const char header[] =
        "{\"alg\":\"EdDSA\",\"typ\":\"lexecon-approval+jwt\",\"kid\":\"k1\"}";
    uint8_t hash[32], signature[LEX_SIGNATURE_BYTES];
    struct lex_buf text, claims;
    int64_t issued_s = (SIM_EPOCH_US + model->now_us) / 1000000;
    lex_buf_init(&text, SIM_APPROVAL_MAX_BYTES - 1);
    lex_buf_init(&claims, SIM_APPROVAL_MAX_BYTES - 1);
    deploy_fingerprint(which, hash);
    lex_buf_printf(&claims,
                   "{\"iss\":\"people\",\"sub\":\"user\",\"iat\":%lld,\"exp\":%lld,"
                   "\"jti\":\"%d-%u\",\"approver\":\"actor:human\",\"log\":\"sim/one/ledger/%d\","
                   "\"decision_id\":\"dec_01ARZ3NDEKTSV4RRFFQ69G5FAV\",\"req\":\"",
                   (long long)issued_s, (long long)issued_s + 600, p, which, p);
    lex_buf_put_hex(&claims, hash, sizeof hash);
    lex_buf_puts(&claims, "\"}");
    lex_buf_put_base64url(&text, lex_span_str(header));
    lex_buf_putc(&text, '.');
    lex_buf_put_base64url(&text, lex_buf_span(&claims));
    lex_signer_sign(world->approver, lex_buf_span(&text), signature);
    lex_buf_putc(&text, '.');
    lex_buf_put_base64url(&text, lex_span_of(signature, sizeof signature));
    LEX_ASSERT(lex_buf_ok(&text) && lex_buf_ok(&claims));
    memcpy(ret->text, lex_buf_str(&text), text.len + 1);
    ret->issued_us = issued_s * 1000000;
    lex_buf_fini(&text);
    lex_buf_fini(&claims);
}

/* ---- requests ---- */

static const char *const ACTORS[SIM_REQUESTS] = {"user", "model", "model", "",     "user", "",
                                                 "user", "user",  "user",  "user", "user", "user"};
static const char *const ACTIONS[SIM_REQUESTS] = {"read", "write",  "read",    "read",
                                                  "read", "",       "read",    "call",
                                                  "pay",  "deploy", "prepare", "release"};

/* The members that a kind has beside the common ones. */
static void write_more(struct lex_buf *out, const struct sim_partition *p,
                       const struct sim_asked *asked, struct sim_random *random)
{
    switch ((enum sim_request)asked->kind) {
    case SIM_UNSAFE_NUMBER: lex_buf_puts(out, ",\"arguments\":{\"n\":9007199254740993}"); break;
    case SIM_SUMMED: lex_buf_printf(out, ",\"arguments\":{\"amount\":%u}", asked->amount); break;
    case SIM_APPROVED:
        lex_buf_printf(out, ",\"nonce\":\"n%u\",\"attestations\":[\"%s\"]", asked->approval,
                       p->approvals[asked->approval].text);
        break;
    case SIM_LARGE:
        lex_buf_puts(out, ",\"user_intent\":\"");
        for (size_t pairs = 20000 + sim_below(random, 150000); pairs > 0; pairs--)
            lex_buf_puts(out, "\\\"");
        lex_buf_putc(out, '"');
        break;
    default: break;
    }
}

static void write_request(struct lex_buf *out, const struct sim_partition *p, size_t number,
                          const struct sim_asked *asked, struct sim_random *random)
{
    static const char *const bad[] = {"", "{", "{}x", "\xc3\x01junk", "{\"actor\":1}", "[]"};
    if (asked->kind == SIM_UNDECODABLE) {
        lex_buf_puts(out, bad[sim_below(random, LEX_COUNT_OF(bad))]);
        return;
    }
    lex_buf_printf(out, "{\"request_id\":\"r%zu\",", number);
    if (ACTORS[asked->kind][0] != 0)
        lex_buf_printf(out, "\"actor\":\"%s\",", ACTORS[asked->kind]);
    lex_buf_printf(out, "\"proposed_action\":\"%s\"", ACTIONS[asked->kind]);
    write_more(out, p, asked, random);
    lex_buf_putc(out, '}');
}

/* Some as Avro, so that both codecs and both forms of a verdict are on the way. */
static void append_avro(struct sim_log *log, enum sim_request kind, size_t number)
{
    struct lex_arena arena;
    struct lex_span value;
    char id[32];
    (void)snprintf(id, sizeof id, "r%zu", number);
    struct lex_request request = {
        .request_id = lex_span_str(id),
        .actor = lex_span_str(ACTORS[kind]),
        .proposed_action = lex_span_str(ACTIONS[kind]),
        .risk_level = 1,
    };
    lex_arena_init(&arena, 4096, 1 << 20);
    LEX_ASSERT(lex_encode_request(LEX_FORMAT_AVRO, &request, &arena, &value) == LEX_OK);
    sim_append(log, value.data, value.len, -1, SIM_COMMITTED);
    lex_arena_fini(&arena);
}

static struct sim_asked draw(struct sim_random *random)
{
    struct sim_asked asked = {.kind = (uint8_t)sim_below(random, SIM_REQUESTS)};
    if (asked.kind == SIM_LARGE && !sim_chance(random, 5))
        asked.kind = SIM_PERMITTED;
    if (asked.kind == SIM_SUMMED)
        asked.amount = (uint8_t)(1 + sim_below(random, 60));
    if (asked.kind == SIM_APPROVED)
        asked.approval = (uint8_t)sim_below(random, SIM_APPROVALS);
    return asked;
}

void sim_add_request(struct sim_model *model, const struct sim_world *world)
{
    struct sim_random *random = &model->random;
    int index = (int)sim_below(random, (uint64_t)model->partitions_count);
    struct sim_partition *p = &model->partitions[index];
    struct sim_asked asked = draw(random);
    size_t number = p->requests.count;
    struct lex_buf text;
    p->asked = realloc(p->asked, (number + 1) * sizeof *p->asked);
    LEX_ASSERT(p->asked != NULL);
    p->asked[number] = asked;
    if (asked.kind == SIM_APPROVED && p->approvals[asked.approval].text[0] == 0)
        mint(model, world, index, asked.approval, &p->approvals[asked.approval]);
    bool simple = asked.kind <= SIM_UNPERMITTED || asked.kind == SIM_LIMITED;
    if (simple && sim_chance(random, 30)) {
        append_avro(&p->requests, (enum sim_request)asked.kind, number);
        return;
    }
    lex_buf_init(&text, 400000);
    write_request(&text, p, number, &asked, random);
    LEX_ASSERT(lex_buf_ok(&text));
    sim_append(&p->requests, lex_buf_str(&text), text.len, -1, SIM_COMMITTED);
    lex_buf_fini(&text);
}
