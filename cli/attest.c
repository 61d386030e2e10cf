/* `lexecon attest`: make an attestation from a key file.
 *
 * For trying a policy out and for tests; an issuer in production signs with whatever it has, since
 * an attestation is a plain JWT. What is made here is what the flags say, right or wrong: the
 * service decides what counts. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "cli/cli.h"
#include "cli/input.h"
#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/crypto/jwt.h"
#include "core/identity/identity.h"

enum {
    CLAIMS_MAX_BYTES = 64 << 10,
    ARENA_MAX_BYTES = 16 << 20,
    TTL_DEFAULT_S = 300,
    JTI_BYTES = 16,
};

static const char *key_path, *kid, *iss, *actor, *request_path, *req_hex, *approver, *decision_id;
static const char *log_origin, *aud, *jti, *alg_name;
static struct lex_cli_list facts, roles;
static long long ttl_s = TTL_DEFAULT_S, now_s = -1;
static const struct lex_cli_flag flags[] = {
    {"key", "FILE", "The issuer's private key (PKCS#8 PEM, 0600).", LEX_CLI_STR, &key_path, true},
    {"kid", "KID", "The key's name, as issuers.json pins it.", LEX_CLI_STR, &kid, true},
    {"iss", "NAME", "The issuer, as issuers.json names it.", LEX_CLI_STR, &iss, true},
    {"actor", "NAME", "Whom it is about (sub). Default: the actor of --request.", LEX_CLI_STR,
     &actor, false},
    {"request", "FILE", "The request (JSON) that a fact or an approval is for.", LEX_CLI_STR,
     &request_path, false},
    {"req", "HEX", "Its fingerprint instead, 64 digits.", LEX_CLI_STR, &req_hex, false},
    {"role", "NAME", "identity: a role of the actor; may be repeated.", LEX_CLI_LIST, &roles,
     false},
    {"fact", "NAME=JSON", "fact: a name and its value; may be repeated.", LEX_CLI_LIST, &facts,
     false},
    {"approver", "NAME", "approval: as whom it is given.", LEX_CLI_STR, &approver, false},
    {"decision-id", "ID", "approval: the decision that was escalated.", LEX_CLI_STR, &decision_id,
     false},
    {"log", "ORIGIN", "approval: that decision's log.", LEX_CLI_STR, &log_origin, false},
    {"aud", "NAME", "Whom it is meant for: the service's origin_prefix, or a log's origin.",
     LEX_CLI_STR, &aud, false},
    {"ttl", "SECONDS", "exp is so long after iat (default 300; over 600 none is taken).",
     LEX_CLI_INT, &ttl_s, false},
    {"jti", "ID", "Its own name (default: random).", LEX_CLI_STR, &jti, false},
    {"now", "SECONDS", "iat, in seconds since 1970 (default: the clock).", LEX_CLI_INT, &now_s,
     false},
    {"alg", "NAME", "EdDSA (default) or Ed25519, as issuers.json pins it.", LEX_CLI_STR, &alg_name,
     false},
};
static const struct lex_cli_usage usage = {
    .path = "attest",
    .operands = "identity|fact|approval",
    .text =
        "Make an attestation, a JWT that a request carries in `attestations`, and print it.\n\n"
        "  lexecon attest identity --key hr.pem --kid hr-1 --iss hr --actor actor:bot --role "
        "actor:oncall\n"
        "  lexecon attest fact --key hr.pem --kid hr-1 --iss hr --request request.json --fact "
        "mfa=true\n"
        "  lexecon attest approval --key desk.pem --kid desk-1 --iss desk --request request.json "
        "\\\n"
        "      --decision-id dec_... --log example.com/main/lexecon.ledger/0 --approver "
        "actor:human\n\n"
        "A key: openssl genpkey -algorithm ed25519 -out hr.pem && chmod 600 hr.pem\n"
        "Exit status: 0 printed; 2 a flag or a file is wrong.",
    .flags = flags,
    .flags_count = LEX_COUNT_OF(flags),
    .operands_min = 1,
    .operands_max = 1,
};

/* ---- what is asked for ---- */

struct statement {
    const char *kind, *typ;
    enum lex_jwt_alg alg;
    bool bound;              /* to a request */
    uint8_t fingerprint[32]; /* where bound */
    char jti_text[2 * JTI_BYTES + 1];
    struct lex_request_file file; /* of --request; zero without */
};

static enum lex_status check_kind(struct statement *statement, struct lex_error *err)
{
    static const char *const kinds[][2] = {{"identity", "lexecon-identity+jwt"},
                                           {"fact", "lexecon-fact+jwt"},
                                           {"approval", "lexecon-approval+jwt"}};
    for (size_t i = 0; i < LEX_COUNT_OF(kinds); i++)
        if (strcmp(statement->kind, kinds[i][0]) == 0) {
            statement->typ = kinds[i][1];
            statement->bound = i > 0;
            return LEX_OK;
        }
    return lex_fail(err, LEX_REJECT, "'%s': expected identity, fact or approval", statement->kind);
}

/* A flag of another kind is more likely a mistake than a wish. */
static enum lex_status check_flags(const struct statement *statement, struct lex_error *err)
{
    bool fact = strcmp(statement->kind, "fact") == 0;
    bool approval = strcmp(statement->kind, "approval") == 0;
    if (fact != (facts.count > 0))
        return lex_fail(err, LEX_REJECT,
                        "--fact: a fact attestation has at least one, others none");
    if (roles.count > 0 && (fact || approval))
        return lex_fail(err, LEX_REJECT, "--role: belongs to an identity attestation");
    if (approval && (approver == NULL || decision_id == NULL || log_origin == NULL))
        return lex_fail(err, LEX_REJECT,
                        "an approval needs --approver, --decision-id and --log; the escalated "
                        "verdict has the last two");
    if (!approval && (approver != NULL || decision_id != NULL || log_origin != NULL))
        return lex_fail(err, LEX_REJECT,
                        "--approver, --decision-id and --log belong to an approval");
    if (request_path != NULL && req_hex != NULL)
        return lex_fail(err, LEX_REJECT, "--request and --req say the same: give one");
    if (statement->bound && request_path == NULL && req_hex == NULL)
        return lex_fail(err, LEX_REJECT,
                        "a fact or an approval is for one request: give --request or --req");
    return LEX_OK;
}

static enum lex_status check_values(struct statement *statement, struct lex_error *err)
{
    statement->alg = LEX_JWT_EDDSA;
    if (alg_name != NULL && !lex_jwt_alg_of(lex_span_str(alg_name), &statement->alg))
        return lex_fail(err, LEX_REJECT, "--alg: expected EdDSA or Ed25519, got '%s'", alg_name);
    if (!lex_kid_valid(lex_span_str(kid)))
        return lex_fail(err, LEX_REJECT,
                        "--kid: expected 1 to 64 printable characters without blanks");
    if (ttl_s < 1 || ttl_s > LEX_JWT_SECONDS_MAX / 2 || now_s < -1 ||
        now_s > LEX_JWT_SECONDS_MAX / 2)
        return lex_fail(err, LEX_REJECT, "--ttl, --now: expected seconds, at least 1 and 0");
    const char *const texts[] = {iss, actor, approver, decision_id, log_origin, aud, jti};
    for (size_t i = 0; i < LEX_COUNT_OF(texts); i++)
        if (texts[i] != NULL && !lex_utf8_valid(lex_span_str(texts[i])))
            return lex_fail(err, LEX_REJECT, "a name is no valid UTF-8");
    return LEX_OK;
}

static enum lex_status bind_request(struct statement *statement, struct lex_error *err)
{
    if (req_hex != NULL &&
        lex_hex_decode(lex_span_str(req_hex), statement->fingerprint, 32) != LEX_OK)
        return lex_fail(err, LEX_REJECT, "--req: expected 64 hexadecimal digits");
    if (request_path == NULL)
        return LEX_OK;
    return lex_input_request(request_path, &statement->file, statement->fingerprint, err);
}

static struct lex_span subject(const struct statement *statement)
{
    if (actor != NULL)
        return lex_span_str(actor);
    return request_path != NULL ? statement->file.lines[0].request.actor : lex_span_str(NULL);
}

static enum lex_status prepare(struct statement *statement, struct lex_error *err)
{
    uint8_t random[JTI_BYTES];
    LEX_TRY(check_kind(statement, err));
    LEX_TRY(check_flags(statement, err));
    LEX_TRY(check_values(statement, err));
    LEX_TRY(bind_request(statement, err));
    if (lex_span_absent(subject(statement)))
        return lex_fail(err, LEX_REJECT, "--actor: say whom it is about");
    LEX_ASSERT(getrandom(random, sizeof random, 0) == (ssize_t)sizeof random);
    for (size_t i = 0; i < sizeof random; i++)
        (void)snprintf(statement->jti_text + 2 * i, 3, "%02x", random[i]);
    return LEX_OK;
}

/* ---- its claims ---- */

static void put_text(struct lex_buf *out, const char *name, struct lex_span text)
{
    lex_buf_printf(out, "%s\"%s\":", out->len > 1 ? "," : "", name);
    lex_buf_put_json(out, text);
}

static void put_roles(struct lex_buf *out)
{
    if (roles.count == 0)
        return;
    lex_buf_puts(out, ",\"roles\":[");
    for (size_t i = 0; i < roles.count; i++) {
        lex_buf_puts(out, i == 0 ? "" : ",");
        lex_buf_put_json(out, lex_span_str(roles.items[i]));
    }
    lex_buf_putc(out, ']');
}

static enum lex_status put_fact(struct lex_buf *out, struct lex_arena *arena, const char *fact,
                                struct lex_error *err)
{
    const char *equals = strchr(fact, '=');
    const struct lex_json *value;
    struct lex_error why;
    if (equals == NULL || equals == fact)
        return lex_fail(err, LEX_REJECT, "--fact: expected NAME=JSON, got '%s'", fact);
    if (lex_json_parse(arena, lex_span_str(equals + 1), &value, &why) != LEX_OK)
        return lex_fail(err, LEX_REJECT,
                        "--fact %s: expected JSON such as true, 5 or \"text\" (%s)", fact,
                        why.text);
    lex_buf_put_json(out, lex_span_of(fact, (size_t)(equals - fact)));
    lex_buf_putc(out, ':');
    lex_buf_puts(out, equals + 1);
    return LEX_OK;
}

static enum lex_status put_facts(struct lex_buf *out, struct lex_arena *arena,
                                 struct lex_error *err)
{
    if (facts.count == 0)
        return LEX_OK;
    lex_buf_puts(out, ",\"facts\":{");
    for (size_t i = 0; i < facts.count; i++) {
        lex_buf_puts(out, i == 0 ? "" : ",");
        LEX_TRY(put_fact(out, arena, facts.items[i], err));
    }
    lex_buf_putc(out, '}');
    return LEX_OK;
}

static enum lex_status put_claims(struct lex_buf *out, const struct statement *statement,
                                  struct lex_arena *arena, struct lex_error *err)
{
    long long iat_s = now_s >= 0 ? now_s : lex_clock_wall_us() / 1000000;
    lex_buf_putc(out, '{');
    put_text(out, "iss", lex_span_str(iss));
    put_text(out, "sub", subject(statement));
    if (aud != NULL)
        put_text(out, "aud", lex_span_str(aud));
    lex_buf_printf(out, ",\"iat\":%lld,\"exp\":%lld", iat_s, iat_s + ttl_s);
    put_text(out, "jti", lex_span_str(jti != NULL ? jti : statement->jti_text));
    if (statement->bound || request_path != NULL || req_hex != NULL) {
        lex_buf_puts(out, ",\"req\":\"");
        lex_buf_put_hex(out, statement->fingerprint, sizeof statement->fingerprint);
        lex_buf_putc(out, '"');
    }
    put_roles(out);
    LEX_TRY(put_facts(out, arena, err));
    if (approver != NULL) {
        put_text(out, "decision_id", lex_span_str(decision_id));
        put_text(out, "log", lex_span_str(log_origin));
        put_text(out, "approver", lex_span_str(approver));
    }
    lex_buf_putc(out, '}');
    return lex_buf_ok(out) ? LEX_OK : lex_fail(err, LEX_LIMIT, "the claims are over 64 KiB");
}

static enum lex_status sign(const struct statement *statement, struct lex_span claims,
                            struct lex_arena *arena, struct lex_span *ret_text,
                            struct lex_error *err)
{
    struct lex_signer *signer = NULL;
    struct lex_span signed_text;
    uint8_t signature[LEX_SIGNATURE_BYTES];
    LEX_TRY(lex_signer_load(key_path, &signer, err));
    enum lex_status status = lex_jws_begin(statement->alg, statement->typ, lex_span_str(kid),
                                           claims, arena, &signed_text);
    if (status == LEX_OK) {
        lex_signer_sign(signer, signed_text, signature);
        status = lex_jws_end(signed_text, signature, arena, ret_text);
    }
    lex_signer_free(signer);
    return status == LEX_OK ? LEX_OK : lex_fail(err, status, "no memory for the attestation");
}

static enum lex_status make(struct statement *statement, struct lex_arena *arena,
                            struct lex_span *ret_text, struct lex_error *err)
{
    LEX_CLEANUP(lex_buf_fini) struct lex_buf claims;
    lex_buf_init(&claims, CLAIMS_MAX_BYTES);
    LEX_TRY(prepare(statement, err));
    LEX_TRY(put_claims(&claims, statement, arena, err));
    return sign(statement, lex_buf_span(&claims), arena, ret_text, err);
}

int lex_cli_attest(int argc, char **argv)
{
    struct lex_cli_list operands;
    struct statement statement = {.kind = NULL};
    struct lex_arena arena;
    struct lex_span text;
    struct lex_error err;
    int parsed = lex_cli_parse(&usage, argc, argv, &operands);
    if (parsed != 0)
        return parsed == 1 ? LEX_EXIT_OK : LEX_EXIT_USAGE;
    if (lex_crypto_init(&err) != LEX_OK)
        return lex_cli_fail(&usage, LEX_EXIT_INTERNAL, "%s", err.text);
    statement.kind = operands.items[0];
    lex_arena_init(&arena, CLAIMS_MAX_BYTES, ARENA_MAX_BYTES);
    enum lex_status status = make(&statement, &arena, &text, &err);
    if (status == LEX_OK)
        (void)printf("%.*s\n", LEX_SPAN_FMT(text));
    lex_request_file_fini(&statement.file);
    lex_arena_fini(&arena);
    return status == LEX_OK
               ? LEX_EXIT_OK
               : lex_cli_fail(&usage, status == LEX_LIMIT ? LEX_EXIT_INTERNAL : LEX_EXIT_USAGE,
                              "%s", err.text);
}
