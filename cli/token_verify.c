/* `lexecon token verify`: what a gateway does with a capability token, as a command.
 *
 * First the token itself: signature, key, type, issuer, audience, time. Then the call that is about
 * to be made: actor, action, tool, resource, data classes and fingerprint, each exactly. What the
 * call does not have, the token must not have either: leave for one call never fits another. */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/input.h"
#include "cli/text_file.h"
#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/identity/token.h"

enum { ARENA_MAX_BYTES = 32 << 20 };

static const char *jwks_path, *pins_path, *key_path, *alg_name, *iss, *aud;
static const char *request_path, *req_hex, *actor, *action, *tool, *resource;
static bool no_call, json;
static long long now_s = -1;
static const struct lex_cli_flag flags[] = {
    {"jwks", "FILE", "The service's key set, from /.well-known/jwks.json.", LEX_CLI_STR, &jwks_path,
     false},
    {"pins", "FILE", "Or its pin file, from `lexecon keys show --pin`.", LEX_CLI_STR, &pins_path,
     false},
    {"key", "FILE", "Or its public token key (PEM, JWK or base64).", LEX_CLI_STR, &key_path, false},
    {"alg", "NAME", "With --pins or --key: token_alg, EdDSA (default) or Ed25519.", LEX_CLI_STR,
     &alg_name, false},
    {"iss", "NAME", "The service's token_issuer.", LEX_CLI_STR, &iss, true},
    {"aud", "NAME", "The service's token_audience: who you are.", LEX_CLI_STR, &aud, true},
    {"request", "FILE",
     "The call as a request (JSON): everything is compared, the fingerprint too.", LEX_CLI_STR,
     &request_path, false},
    {"req", "HEX", "The call's fingerprint, 64 digits.", LEX_CLI_STR, &req_hex, false},
    {"actor", "NAME", "Who makes the call.", LEX_CLI_STR, &actor, false},
    {"action", "NAME",
     "Its action. --tool and --resource then belong to it: absent, the token's "
     "must be absent too.",
     LEX_CLI_STR, &action, false},
    {"tool", "NAME", "The tool that is called.", LEX_CLI_STR, &tool, false},
    {"resource", "NAME", "What it acts upon.", LEX_CLI_STR, &resource, false},
    {"no-call", NULL, "Compare no call: the token's own validity is asked only.", LEX_CLI_BOOL,
     &no_call, false},
    {"now", "SECONDS", "Seconds since 1970 (default: the clock).", LEX_CLI_INT, &now_s, false},
    {"json", NULL, "Print the claims, or what failed, as one JSON object.", LEX_CLI_BOOL, &json,
     false},
};
static const struct lex_cli_usage usage = {
    .path = "token verify",
    .operands = "[FILE]",
    .text =
        "Check a capability token (FILE or standard input holds the JWT) and that it is leave for\n"
        "this very call.\n\n"
        "  curl -s http://lexecon:8000/.well-known/jwks.json > jwks.json\n"
        "  lexecon token verify --jwks jwks.json --iss example.com/main --aud lexecon \\\n"
        "      --request request.json token.jwt\n\n"
        "Exit status: 0 it verified; 1 it did not, and what failed is said; 2 a flag or a file is\n"
        "wrong.",
    .flags = flags,
    .flags_count = LEX_COUNT_OF(flags),
    .operands_max = 1,
};

/* ---- the call ---- */

struct call {
    struct lex_request_file file; /* of --request; zero without */
    struct lex_span actor, action, tool, resource;
    struct lex_span_list classes;
    bool has_classes, has_req;
    uint8_t req[32];
};

static enum lex_status check_flags(struct lex_error *err)
{
    bool told = request_path != NULL || action != NULL;
    if ((jwks_path != NULL) + (pins_path != NULL) + (key_path != NULL) != 1)
        return lex_fail(err, LEX_REJECT, "give one of --jwks, --pins and --key");
    if (jwks_path != NULL && alg_name != NULL)
        return lex_fail(err, LEX_REJECT, "--alg: the key set says it");
    if (no_call == told)
        return lex_fail(err, LEX_REJECT,
                        "say which call it must be leave for: --request, or --action with --tool "
                        "and --resource; or --no-call");
    if (!told && (actor != NULL || tool != NULL || resource != NULL || req_hex != NULL))
        return lex_fail(err, LEX_REJECT,
                        "--actor, --tool, --resource and --req need --action or --request");
    if (request_path != NULL &&
        (actor != NULL || action != NULL || tool != NULL || resource != NULL || req_hex != NULL))
        return lex_fail(err, LEX_REJECT,
                        "--request has the whole call: leave the other parts away");
    if (now_s < -1 || now_s > LEX_JWT_SECONDS_MAX)
        return lex_fail(err, LEX_REJECT, "--now: expected seconds since 1970");
    return LEX_OK;
}

static enum lex_status read_call(struct call *call, struct lex_error *err)
{
    *call = (struct call){.actor = lex_span_str(actor),
                          .action = lex_span_str(action),
                          .tool = lex_span_str(tool),
                          .resource = lex_span_str(resource),
                          .has_req = req_hex != NULL || request_path != NULL};
    if (req_hex != NULL && lex_hex_decode(lex_span_str(req_hex), call->req, 32) != LEX_OK)
        return lex_fail(err, LEX_REJECT, "--req: expected 64 hexadecimal digits");
    if (request_path == NULL)
        return LEX_OK;
    LEX_TRY(lex_input_request(request_path, &call->file, call->req, err));
    const struct lex_request *request = &call->file.lines[0].request;
    call->actor = request->actor;
    call->action = request->proposed_action;
    call->tool = request->tool;
    call->resource = request->resource;
    call->classes = request->data_classes;
    call->has_classes = true;
    return LEX_OK;
}

static const struct lex_value *claim(const struct lex_member_list *claims, const char *name)
{
    for (size_t i = 0; i < claims->count; i++)
        if (lex_span_eq(claims->items[i].key, lex_span_str(name)))
            return &claims->items[i].value;
    return NULL;
}

/* The claim is this text, and absent exactly where the text is. */
static bool same_text(const struct lex_member_list *claims, const char *name, struct lex_span text)
{
    const struct lex_value *value = claim(claims, name);
    if (value == NULL)
        return lex_span_absent(text);
    return !lex_span_absent(text) && lex_span_eq(value->text, text);
}

static bool holds(const struct lex_span_list *list, struct lex_span text)
{
    for (size_t i = 0; i < list->count; i++)
        if (lex_span_eq(list->items[i], text))
            return true;
    return false;
}

/* As sets: neither order nor repetition means anything. */
static bool same_classes(const struct lex_member_list *claims, const struct lex_span_list *classes)
{
    const struct lex_span_list *dc = &claim(claims, "dc")->list;
    for (size_t i = 0; i < dc->count; i++)
        if (!holds(classes, dc->items[i]))
            return false;
    for (size_t i = 0; i < classes->count; i++)
        if (!holds(dc, classes->items[i]))
            return false;
    return true;
}

static bool same_req(const struct lex_member_list *claims, const uint8_t req[32])
{
    uint8_t claimed[32];
    return lex_hex_decode(claim(claims, "req")->text, claimed, sizeof claimed) == LEX_OK &&
           memcmp(claimed, req, sizeof claimed) == 0;
}

/* What of the call the token is not for, NULL when it is leave for it. */
static const char *mismatch(const struct lex_member_list *claims, const struct call *call)
{
    if (no_call)
        return NULL;
    if (!lex_span_absent(call->actor) && !same_text(claims, "sub", call->actor))
        return "sub: it was given to another actor";
    if (!same_text(claims, "action", call->action))
        return "action: it is leave for another action";
    if (!same_text(claims, "tool", call->tool))
        return "tool: it is leave for another tool";
    if (!same_text(claims, "resource", call->resource))
        return "resource: it is leave for another resource";
    if (call->has_classes && !same_classes(claims, &call->classes))
        return "dc: it is leave for other data classes";
    if (call->has_req && !same_req(claims, call->req))
        return "req: it is leave for another request; something that it does not name differs";
    return NULL;
}

/* ---- the keys ---- */

struct trust {
    struct lex_arena *arena;
    struct lex_jwk_list keys;
    struct lex_jwk one; /* of --pins and --key */
};

static enum lex_status read_jwks(struct trust *trust, struct lex_error *err)
{
    struct lex_error why;
    LEX_CLEANUP(lex_buf_fini) struct lex_buf text;
    lex_buf_init(&text, LEX_JWKS_MAX_BYTES + 1);
    LEX_TRY(lex_text_file_read(jwks_path, &text, err));
    struct lex_span kept = lex_arena_dup(trust->arena, lex_buf_span(&text));
    if (lex_span_absent(kept))
        return lex_fail(err, LEX_LIMIT, "no memory for the key set");
    enum lex_status status = lex_jwks_parse(kept, trust->arena, &trust->keys, &why);
    return status == LEX_OK ? LEX_OK : lex_fail(err, status, "%s: %s", jwks_path, why.text);
}

/* The pinned token key that the token names by its id; nothing where it names none. */
static enum lex_status read_pins(struct trust *trust, struct lex_span kid, struct lex_error *err)
{
    struct lex_pins *pins = NULL;
    uint8_t id[LEX_KEY_ID_BYTES];
    LEX_TRY(lex_pins_load(pins_path, &pins, err));
    if (lex_hex_decode(kid, id, sizeof id) == LEX_OK) {
        const struct lex_public_key *key =
            lex_pins_key(pins, LEX_KEY_TOKEN, lex_span_of(id, sizeof id));
        if (key != NULL) {
            trust->one.key = *key;
            trust->keys = (struct lex_jwk_list){&trust->one, 1};
        }
    }
    lex_pins_free(pins);
    return LEX_OK;
}

static enum lex_status read_trust(struct trust *trust, struct lex_span token, struct lex_error *err)
{
    struct lex_jws jws = {.kid = {NULL, 0}};
    enum lex_jws_problem problem;
    if (jwks_path != NULL)
        return read_jwks(trust, err);
    if (alg_name != NULL && !lex_jwt_alg_of(lex_span_str(alg_name), &trust->one.alg))
        return lex_fail(err, LEX_REJECT, "--alg: expected EdDSA or Ed25519, got '%s'", alg_name);
    /* one that cannot be read names no key, and fails as malformed later */
    if (lex_jws_read(token, LEX_TOKEN_MAX_BYTES, trust->arena, &jws, &problem) == LEX_OK)
        trust->one.kid = jws.kid;
    if (pins_path != NULL)
        return read_pins(trust, trust->one.kid, err);
    LEX_TRY(lex_public_key_load(key_path, &trust->one.key, err));
    trust->keys = (struct lex_jwk_list){&trust->one, 1};
    return LEX_OK;
}

/* ---- the answer ---- */

static void put_value(struct lex_buf *out, const struct lex_value *value)
{
    if (value->type == LEX_VALUE_LONG) {
        lex_buf_printf(out, "%lld", (long long)value->i64);
        return;
    }
    if (value->type == LEX_VALUE_STRING) {
        lex_buf_put_json(out, value->text);
        return;
    }
    lex_buf_putc(out, '[');
    for (size_t i = 0; i < value->list.count; i++) {
        lex_buf_puts(out, i == 0 ? "" : ",");
        lex_buf_put_json(out, value->list.items[i]);
    }
    lex_buf_putc(out, ']');
}

static void print_verified(const struct lex_member_list *claims)
{
    LEX_CLEANUP(lex_buf_fini) struct lex_buf out;
    lex_buf_init(&out, 1 << 20);
    lex_buf_puts(&out, json ? "{\"verified\":true" : "verified: leave for ");
    for (size_t i = 0; json && i < claims->count; i++) {
        lex_buf_putc(&out, ',');
        lex_buf_put_json(&out, claims->items[i].key);
        lex_buf_putc(&out, ':');
        put_value(&out, &claims->items[i].value);
    }
    if (!json) {
        lex_buf_put_json(&out, claim(claims, "sub")->text);
        lex_buf_puts(&out, " to ");
        lex_buf_put_json(&out, claim(claims, "action")->text);
        lex_buf_printf(&out, ", decision %.*s%s", LEX_SPAN_FMT(claim(claims, "jti")->text),
                       no_call ? "; compared with no call" : "");
    }
    lex_buf_puts(&out, json ? "}\n" : "\n");
    (void)fputs(lex_buf_str(&out), stdout);
}

static int print_failed(const char *code, const char *why)
{
    LEX_CLEANUP(lex_buf_fini) struct lex_buf out;
    lex_buf_init(&out, 4096);
    lex_buf_puts(&out, json ? "{\"verified\":false,\"code\":" : "NOT verified: ");
    if (json) {
        lex_buf_put_json(&out, lex_span_str(code));
        lex_buf_puts(&out, ",\"reason\":");
        lex_buf_put_json(&out, lex_span_str(why));
    } else {
        lex_buf_printf(&out, "%s: %s", code, why);
    }
    lex_buf_puts(&out, json ? "}\n" : "\n");
    (void)fputs(lex_buf_str(&out), stdout);
    return LEX_EXIT_NO;
}

static int verify(struct lex_span token, const struct call *call, struct lex_arena *arena)
{
    struct trust trust = {.arena = arena, .one = {.alg = LEX_JWT_EDDSA}};
    struct lex_token_expect expect = {.iss = lex_span_str(iss),
                                      .aud = lex_span_str(aud),
                                      .now_us = now_s >= 0 ? now_s * 1000000 : lex_clock_wall_us()};
    struct lex_member_list claims;
    enum lex_identity_why why;
    struct lex_error err;
    if (read_trust(&trust, token, &err) != LEX_OK)
        return lex_cli_fail(&usage, LEX_EXIT_USAGE, "%s", err.text);
    enum lex_status status = lex_token_verify(&trust.keys, token, &expect, arena, &claims, &why);
    if (status == LEX_LIMIT)
        return lex_cli_fail(&usage, LEX_EXIT_INTERNAL, "no memory for the token");
    if (status != LEX_OK)
        return print_failed((const char *)lex_identity_why_name(why).data,
                            lex_identity_why_text(why));
    const char *differs = mismatch(&claims, call);
    if (differs != NULL)
        return print_failed("WRONG_CALL", differs);
    print_verified(&claims);
    return LEX_EXIT_OK;
}

int lex_cli_token_verify(int argc, char **argv)
{
    struct lex_cli_list operands;
    struct call call = {.has_req = false};
    struct lex_arena arena;
    struct lex_error err;
    LEX_CLEANUP(lex_buf_fini) struct lex_buf text;
    lex_buf_init(&text, LEX_TOKEN_MAX_BYTES + 16); /* line ends around the largest */
    int parsed = lex_cli_parse(&usage, argc, argv, &operands);
    if (parsed != 0)
        return parsed == 1 ? LEX_EXIT_OK : LEX_EXIT_USAGE;
    if (lex_crypto_init(&err) != LEX_OK)
        return lex_cli_fail(&usage, LEX_EXIT_INTERNAL, "%s", err.text);
    lex_arena_init(&arena, 64 << 10, ARENA_MAX_BYTES);
    int status = LEX_EXIT_USAGE;
    if (check_flags(&err) == LEX_OK && read_call(&call, &err) == LEX_OK &&
        lex_text_file_read(operands.count > 0 ? operands.items[0] : "-", &text, &err) == LEX_OK)
        status = verify(lex_input_trim(lex_buf_span(&text)), &call, &arena);
    else
        status = lex_cli_fail(&usage, LEX_EXIT_USAGE, "%s", err.text);
    lex_request_file_fini(&call.file);
    lex_arena_fini(&arena);
    return status;
}
