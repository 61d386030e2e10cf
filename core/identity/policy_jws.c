/* A published policy: JWS (RFC 7515) over the document's bytes as they stand, by the policy key.
 *
 * The bytes and not their canonical form, so that what an author signed is what a reviewer reads.
 * The typ keeps a policy's signature from ever passing for a token's, and a token's for it. */
#include "core/identity/claims.h"
#include "core/identity/token.h"

#define POLICY_TYPE "lexecon-policy+jws"

/* No kid: the key is pinned by whoever loads the policy, and there is one. */
LEX_STATUS lex_policy_jws_sign(const struct lex_signer *signer, struct lex_span document,
                               struct lex_arena *arena, struct lex_span *ret_text,
                               struct lex_error *err)
{
    uint8_t signature[LEX_SIGNATURE_BYTES];
    struct lex_span signed_text;
    enum lex_status status = lex_jws_begin(LEX_JWT_EDDSA, POLICY_TYPE, lex_span_str(NULL), document,
                                           arena, &signed_text);
    if (status == LEX_OK) {
        lex_signer_sign(signer, signed_text, signature);
        status = lex_jws_end(signed_text, signature, arena, ret_text);
    }
    return status == LEX_OK ? LEX_OK : lex_fail(err, status, "no memory for the signed policy");
}

static enum lex_status failed(enum lex_status status, enum lex_jws_problem problem,
                              struct lex_error *err)
{
    if (status == LEX_LIMIT)
        return lex_fail(err, status, "no memory for the signed policy");
    return lex_fail(err, status, "signed policy: %s",
                    lex_identity_why_text(lex_why_of_jws(problem)));
}

LEX_STATUS lex_policy_jws_verify(const struct lex_public_key *key, struct lex_span text,
                                 struct lex_arena *arena, struct lex_span *ret_document,
                                 struct lex_error *err)
{
    enum lex_jws_problem problem = LEX_JWS_MALFORMED;
    struct lex_jws jws;
    struct lex_span document;
    enum lex_status status = lex_jws_read(text, LEX_JWS_MAX_BYTES, arena, &jws, &problem);
    if (status != LEX_OK)
        return failed(status, problem, err);
    if (lex_span_absent(jws.typ) || !lex_span_eq(jws.typ, LEX_SPAN(POLICY_TYPE)))
        return lex_fail(err, LEX_REJECT, "signed policy: typ: expected " POLICY_TYPE);
    status = lex_jws_open(&jws, key, LEX_JWT_EDDSA, arena, &document, &problem);
    if (status != LEX_OK)
        return failed(status, problem, err);
    *ret_document = document;
    return LEX_OK;
}
