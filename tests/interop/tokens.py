"""tokens.py DIR LEX_TOKENS: public JWT libraries, which know nothing but the key set, and what they make.

PyJWT, jwcrypto and joserfc verify what we issue and refuse its twins; then they issue attestations that
we must take, and others, of the kinds that attacks on JWT libraries are made of, that we must not.
Prints TAP lines.
"""
import base64
import hashlib
import hmac
import json
import os
import subprocess
import sys
import time

import jwt
import rfc8785
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from joserfc import jwk as joserfc_jwk, jwt as joserfc_jwt
from jwcrypto import jwk as jwcrypto_jwk, jwt as jwcrypto_jwt

folder, program = sys.argv[1:3]
os.chdir(folder)
failed = False
ISS, AUD, TYP = "example.com/samples", "gateway", "lexecon-cap+jwt"
ORIGIN = "example.com/samples/lexecon.ledger/3"


def say(good, name, why=""):
    global failed
    failed = failed or not good
    print(("ok - " if good else "not ok - ") + name)
    if not good and why:
        print("# " + str(why))


def read(name):
    with open(name) as file:
        return file.read()


# ---- they verify, knowing the key set alone ----


def by_pyjwt(token, jwks, algorithm):
    header = jwt.get_unverified_header(token)
    assert header["typ"] == TYP
    key = jwt.PyJWKSet.from_json(jwks)[header["kid"]]
    return jwt.decode(token, key.key, algorithms=[algorithm], issuer=ISS, audience=AUD,
                      options={"require": ["iss", "aud", "sub", "iat", "nbf", "exp", "jti"]})


def by_jwcrypto(token, jwks, algorithm):
    keys = jwcrypto_jwk.JWKSet.from_json(jwks)
    checked = jwcrypto_jwt.JWT(jwt=token, key=keys, algs=[algorithm], expected_type="JWS",
                               check_claims={"iss": ISS, "aud": AUD, "exp": None, "nbf": None})
    assert json.loads(checked.header)["typ"] == TYP
    return json.loads(checked.claims)


def by_joserfc(token, jwks, algorithm):
    keys = joserfc_jwk.KeySet.import_key_set(json.loads(jwks))
    decoded = joserfc_jwt.decode(token, keys, algorithms=[algorithm])
    assert decoded.header["typ"] == TYP
    joserfc_jwt.JWTClaimsRegistry(
        leeway=0, iss={"essential": True, "value": ISS}, aud={"essential": True, "value": AUD},
        exp={"essential": True}, nbf={"essential": True}).validate(decoded.claims)
    return decoded.claims


VERIFIERS = [("PyJWT", by_pyjwt), ("jwcrypto", by_jwcrypto), ("joserfc", by_joserfc)]


def refuses(verify, token, jwks, algorithm="EdDSA"):
    try:
        verify(token, jwks, algorithm)
        return False
    except Exception:
        return True


def fingerprint(request):
    """docs/formats.md, "Request", in Python."""
    members = {name: request.get(name) for name in
               ["actor", "proposed_action", "tool", "user_intent", "resource", "requested_output_type",
                "policy_mode", "arguments", "user_id", "nonce"]}
    members["data_classes"] = sorted(set(request.get("data_classes", [])))
    members["risk_level"] = request.get("risk_level", 1)
    members["context"] = request.get("context", {})
    return hashlib.sha256(b"lexecon-request/v1\n" + rfc8785.dumps(members)).hexdigest()


request = json.loads(read("request.json"))
token, jwks = read("token.jwt"), read("jwks.json")
for name, verify in VERIFIERS:
    try:
        claims, why = verify(token, jwks, "EdDSA"), ""
    except Exception as problem:
        claims, why = None, repr(problem)
    say(claims is not None, f"{name} verifies a token with the key set alone", why)
    if claims is None:
        continue
    call = [claims["sub"], claims["action"], claims["tool"], claims["resource"], sorted(claims["dc"])]
    asked = [request["actor"], request["proposed_action"], request["tool"], request["resource"],
             sorted(request["data_classes"])]
    say(call == asked and claims["req"] == fingerprint(request), f"{name}: it is leave for this call")
    say(claims["led"] == {"log": ORIGIN, "seq": 41} and claims["exp"] == claims["iat"] + 300,
        f"{name}: it names its ledger entry and its end")
    for twin in ["bad-key.jwt", "bad-expired.jwt", "bad-early.jwt"]:
        say(refuses(verify, read(twin), jwks), f"{name} refuses {twin}")
    head, payload, signature = token.split(".")
    other = base64.urlsafe_b64encode(
        json.dumps(dict(claims, action="write")).encode()).decode().rstrip("=")
    say(refuses(verify, f"{head}.{other}.{signature}", jwks), f"{name} refuses altered claims")
claims = by_joserfc(read("token-ed25519.jwt"), read("jwks-ed25519.json"), "Ed25519")
say(claims["req"] == fingerprint(request), "joserfc verifies a token whose alg is Ed25519")

# ---- they issue, we verify ----


def raw(key):
    return key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


hr, desk, stranger = (ed25519.Ed25519PrivateKey.generate() for _ in range(3))
issuers = {"issuers": [
    {"iss": "hr", "keys": [{"kid": "hr-1", "public_key": base64.b64encode(raw(hr)).decode()}],
     "actors": ["agent:billing"], "roles": ["actor:oncall"], "facts": ["mfa"]},
    {"iss": "desk", "keys": [{"kid": "desk-1", "alg": "Ed25519", "jwk": {
        "kty": "OKP", "crv": "Ed25519",
        "x": base64.urlsafe_b64encode(raw(desk)).decode().rstrip("=")}}],
     "approvers": ["actor:human"]}]}
with open("issuers.json", "w") as file:
    json.dump(issuers, file)
now = int(time.time())


def common(iss, **more):
    return dict({"iss": iss, "sub": "agent:billing", "iat": now, "exp": now + 120,
                 "jti": os.urandom(8).hex()}, **more)


def check(*lines):
    done = subprocess.run([program, "check", "issuers.json", "request.json", ORIGIN],
                          input="\n".join(lines) + "\n", stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.splitlines()


def b64(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def by_hand(header, claims, sign):
    """A compact JWS of anything, signed by anything."""
    text = b64(json.dumps(header).encode()) + "." + b64(json.dumps(claims).encode())
    return text + "." + b64(sign(text.encode()))


identity = common("hr", roles=["actor:oncall"])
fact = common("hr", req=fingerprint(request), facts={"mfa": True})
approval = common("desk", req=fingerprint(request), decision_id="dec_01KDW3Z1000003000000000000",
                  log=ORIGIN, approver="actor:human")
id_header = {"typ": "lexecon-identity+jwt", "kid": "hr-1"}
fact_header = {"typ": "lexecon-fact+jwt", "kid": "hr-1"}
desk_key = joserfc_jwk.OKPKey.import_key(desk.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
hr_key = jwcrypto_jwk.JWK.from_pyca(hr)


def jwcrypto_made():
    made = jwcrypto_jwt.JWT(header=dict(fact_header, alg="EdDSA"), claims=fact)
    made.make_signed_token(hr_key)
    return made.serialize()


taken = [
    ("PyJWT", "an identity", jwt.encode(identity, hr, algorithm="EdDSA", headers=id_header),
     "counts: identity 1, roles 1, facts 0, approvals 0"),
    ("jwcrypto", "a fact", jwcrypto_made(), "counts: identity 0, roles 0, facts 1, approvals 0"),
    ("joserfc", "an approval",
     joserfc_jwt.encode({"alg": "Ed25519", "typ": "lexecon-approval+jwt", "kid": "desk-1"}, approval,
                        desk_key, algorithms=["Ed25519"]),
     "counts: identity 0, roles 0, facts 0, approvals 1"),
]
for (library, what, text, expected), answer in zip(taken, check(*(row[2] for row in taken))):
    say(answer == expected, f"{what} that {library} signs counts", answer)

spki = hr.public_key().public_bytes(serialization.Encoding.PEM,
                                    serialization.PublicFormat.SubjectPublicKeyInfo)
curve = ec.generate_private_key(ec.SECP256R1())
eddsa = dict(id_header, alg="EdDSA")


def mac(secret):
    return lambda text: hmac.new(secret, text, hashlib.sha256).digest()


good = jwt.encode(identity, hr, algorithm="EdDSA", headers=id_header)
refused = [
    ("alg none", jwt.encode(identity, None, algorithm="none", headers=id_header), "MALFORMED"),
    ("alg none with a signature", by_hand(dict(id_header, alg="none"), identity, hr.sign),
     "WRONG_ALGORITHM"),
    ("the public key as an HMAC secret", by_hand(dict(id_header, alg="HS256"), identity, mac(raw(hr))),
     "MALFORMED"),
    ("its PEM as an HMAC secret, in EdDSA's length",
     by_hand(dict(id_header, alg="HS256"), identity, lambda text: mac(spki)(text) * 2), "WRONG_ALGORITHM"),
    ("another key under the pinned kid", by_hand(eddsa, identity, stranger.sign), "BAD_SIGNATURE"),
    ("a key in the header",
     by_hand(dict(eddsa, jwk={"kty": "OKP", "crv": "Ed25519", "x": b64(raw(stranger))}), identity,
             stranger.sign), "BAD_SIGNATURE"),
    ("a key behind an address", by_hand(dict(eddsa, jku="https://example.com/jwks"), identity,
                                        stranger.sign), "BAD_SIGNATURE"),
    ("a kid that is a path", by_hand(dict(eddsa, kid="../../etc/passwd"), identity, hr.sign),
     "UNKNOWN_KEY"),
    ("an ECDSA signature", jwt.encode(identity, curve, algorithm="ES256", headers=id_header),
     "WRONG_ALGORITHM"),
    ("crit", by_hand(dict(eddsa, crit=["exp"]), identity, hr.sign), "CRITICAL"),
    ("a signature of zeros", by_hand(eddsa, identity, lambda text: bytes(64)), "BAD_SIGNATURE"),
    ("padding", good + "=", "MALFORMED"),
    ("the other alphabet", good.replace("-", "+").replace("_", "/") + ("" if set("-_") & set(good) else "+"),
     None),
    ("JSON serialization", json.dumps({"payload": good.split(".")[1], "protected": good.split(".")[0],
                                       "signature": good.split(".")[2]}), "MALFORMED"),
    ("a token of ours as an identity", token, "WRONG_TYPE"),
    ("an identity as a fact", by_hand(dict(eddsa, typ="lexecon-fact+jwt"), identity, hr.sign),
     "WRONG_REQUEST"),
    ("one that lives too long", by_hand(eddsa, common("hr", exp=now + 601), hr.sign), "TOO_LONG"),
    ("one that has expired", by_hand(eddsa, common("hr", iat=now - 300, exp=now - 1), hr.sign), "EXPIRED"),
    ("one without exp", by_hand(eddsa, {k: v for k, v in identity.items() if k != "exp"}, hr.sign),
     "MALFORMED"),
    ("one of another actor", by_hand(eddsa, common("hr", sub="agent:other"), hr.sign), "WRONG_SUBJECT"),
    ("another's role", by_hand(eddsa, common("hr", roles=["actor:admin"]), hr.sign), "NOT_ALLOWED"),
    ("a fact that it may not say",
     by_hand(dict(fact_header, alg="EdDSA"), dict(fact, facts={"admin": True}), hr.sign), "NOT_ALLOWED"),
    ("a fact for another request",
     by_hand(dict(fact_header, alg="EdDSA"), dict(fact, req=fingerprint(dict(request, nonce="x"))), hr.sign),
     "WRONG_REQUEST"),
    ("an approver by a key that has none",
     by_hand(dict(eddsa, typ="lexecon-approval+jwt"), dict(approval, iss="hr"), hr.sign), "NOT_ALLOWED"),
]
for (what, text, expected), answer in zip(refused, check(*(row[1] for row in refused))):
    say(not answer.startswith("counts") and expected in (None, answer), f"refused: {what}", answer)
sys.exit(failed)
