/* What outsiders get and give: tokens with their key set, and a verdict on attestations that they
 * made.
 *
 *     lex_tokens make DIR                     token.jwt, jwks.json, request.json, and twins that
 * are wrong lex_tokens check ISSUERS REQUEST ORIGIN reads JWTs, one a line; prints `counts` or why
 * not */
#include <stdio.h>
#include <stdlib.h>

#include "cli/input.h"
#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/identity/token.h"

#define REQUEST                                                                                 \
    "{\"actor\": \"agent:billing\", \"proposed_action\": \"read\", \"tool\": \"crm.lookup\",\n" \
    " \"resource\": \"customer/42 \xe2\x82\xac\", \"data_classes\": [\"pii\", \"contract\"],\n" \
    " \"arguments\": {\"b\": [1e21, -0.0], \"a\": \"x\"}, \"context\": {\"n\": 1.50}}\n"

static struct lex_error err;
static struct lex_arena arena;

static void must(enum lex_status status)
{
    if (status == LEX_OK)
        return;
    (void)fprintf(stderr, "lex_tokens: %s: %s\n", lex_status_name(status), err.text);
    exit(2);
}

static void write_file(const char *dir, const char *name, struct lex_span text)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "wbe");
    bool good = file != NULL && fwrite(text.data, 1, text.len, file) == text.len;
    if (file == NULL || fclose(file) != 0 || !good) {
        (void)fprintf(stderr, "lex_tokens: %s cannot be written\n", path);
        exit(2);
    }
}

/* ---- make ---- */

static struct lex_keyring *keyring_of(uint8_t seed_byte)
{
    struct lex_keyring *keyring = NULL;
    uint8_t seed[LEX_SEED_BYTES] = {seed_byte};
    must(lex_keyring_from_seed(seed, "example.com/samples", &keyring, &err));
    return keyring;
}

static struct lex_ledger_entry entry_of(const struct lex_request *request, const uint8_t req[32],
                                        int64_t at_us)
{
    static const uint8_t policy_hash[32] = {8, 9, 10};
    return (struct lex_ledger_entry){.log = LEX_SPAN("example.com/samples/lexecon.ledger/3"),
                                     .seq = 41,
                                     .event_type = LEX_EVENT_TYPE_DECISION,
                                     .decision_id = LEX_SPAN("dec_01KDW3Z1000003000000000000"),
                                     .actor = request->actor,
                                     .action = request->proposed_action,
                                     .tool = request->tool,
                                     .resource = request->resource,
                                     .data_classes = request->data_classes,
                                     .outcome = LEX_OUTCOME_APPROVED,
                                     .allowed = true,
                                     .policy_hash = lex_span_of(policy_hash, 32),
                                     .request_fingerprint = lex_span_of(req, 32),
                                     .evaluated_at = {true, at_us},
                                     .valid_until = {true, at_us + 300 * INT64_C(1000000)}};
}

static void make_token(const char *dir, const char *name, const struct lex_keyring *keyring,
                       const struct lex_ledger_entry *entry, enum lex_jwt_alg alg)
{
    struct lex_token_claims claims;
    struct lex_span token;
    must(lex_token_claims_of(entry, LEX_SPAN("example.com/samples"), LEX_SPAN("gateway"),
                             3600 * INT64_C(1000000), &claims));
    must(lex_token_issue(keyring, &claims, alg, &arena, &token));
    write_file(dir, name, token);
}

static void make_jwks(const char *dir, const char *name, const struct lex_keyring *keyring,
                      enum lex_jwt_alg alg)
{
    char kid[LEX_KID_HEX_BYTES];
    struct lex_jwk jwk;
    struct lex_buf text;
    lex_buf_init(&text, 4096);
    lex_jwk_of_keyring(keyring, alg, kid, &jwk);
    must(lex_jwks_write(&(struct lex_jwk_list){&jwk, 1}, &text));
    write_file(dir, name, lex_buf_span(&text));
    lex_buf_fini(&text);
}

static int make(const char *dir)
{
    char path[4096];
    struct lex_request_file file;
    uint8_t req[32];
    struct lex_keyring *ours = keyring_of(1), *other = keyring_of(2);
    write_file(dir, "request.json", LEX_SPAN(REQUEST));
    (void)snprintf(path, sizeof path, "%s/request.json", dir);
    must(lex_input_request(path, &file, req, &err));
    int64_t now_us = lex_clock_wall_us();
    struct lex_ledger_entry entry = entry_of(&file.lines[0].request, req, now_us);
    make_jwks(dir, "jwks.json", ours, LEX_JWT_EDDSA);
    make_jwks(dir, "jwks-ed25519.json", ours, LEX_JWT_ED25519);
    make_token(dir, "token.jwt", ours, &entry, LEX_JWT_EDDSA);
    make_token(dir, "token-ed25519.jwt", ours, &entry, LEX_JWT_ED25519);
    make_token(dir, "bad-key.jwt", other, &entry, LEX_JWT_EDDSA);
    entry = entry_of(&file.lines[0].request, req, now_us - 400 * INT64_C(1000000));
    make_token(dir, "bad-expired.jwt", ours, &entry, LEX_JWT_EDDSA);
    entry = entry_of(&file.lines[0].request, req, now_us + 400 * INT64_C(1000000));
    make_token(dir, "bad-early.jwt", ours, &entry, LEX_JWT_EDDSA);
    lex_request_file_fini(&file);
    lex_keyring_free(ours);
    lex_keyring_free(other);
    return 0;
}

/* ---- check ---- */

static bool never_used(void *context, struct lex_span kid, struct lex_span jti, int64_t issued_us)
{
    (void)context;
    (void)kid;
    (void)jti;
    (void)issued_us;
    return false;
}

static void check_line(const struct lex_identity *identity, struct lex_identity_input *input,
                       struct lex_request *request, struct lex_span text)
{
    struct lex_facts facts = {.identity = false};
    struct lex_identity_problems problems;
    request->attestations = (struct lex_span_list){&text, 1};
    must(lex_identity_verify(identity, input, &arena, &facts, &problems));
    if (problems.count > 0)
        (void)printf("%.*s\n", LEX_SPAN_FMT(lex_identity_why_name(problems.items[0].why)));
    else
        (void)printf("counts: identity %d, roles %zu, facts %zu, approvals %zu\n", facts.identity,
                     facts.roles.count, facts.attested_count, facts.approvals_count);
}

static int check(const char *issuers, const char *request_path, const char *origin)
{
    static char line[64 << 10];
    struct lex_identity *identity = NULL;
    struct lex_request_file file;
    uint8_t req[32];
    must(lex_identity_load(issuers, &identity, &err));
    must(lex_input_request(request_path, &file, req, &err));
    struct lex_request *request = &file.lines[0].request;
    struct lex_identity_input input = {.request = request,
                                       .fingerprint = req,
                                       .origin = lex_span_str(origin),
                                       .now_us = lex_clock_wall_us(),
                                       .used = never_used,
                                       .kinds = LEX_STATEMENTS_ALL};
    while (fgets(line, sizeof line, stdin) != NULL)
        check_line(identity, &input, request, lex_input_trim(lex_span_str(line)));
    lex_request_file_fini(&file);
    lex_identity_free(identity);
    return 0;
}

int main(int argc, char **argv)
{
    int status = 2;
    must(lex_crypto_init(&err));
    lex_arena_init(&arena, 64 << 10, 64 << 20);
    if (argc == 3 && strcmp(argv[1], "make") == 0)
        status = make(argv[2]);
    else if (argc == 5 && strcmp(argv[1], "check") == 0)
        status = check(argv[2], argv[3], argv[4]);
    else
        (void)fputs("usage: lex_tokens make DIR | check ISSUERS REQUEST ORIGIN\n", stderr);
    lex_arena_fini(&arena);
    return status;
}
