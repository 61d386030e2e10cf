# Tokens are checked by public JWT libraries that know only the key set, in Python and in Node; what those
# libraries sign we take, and what attackers make of it we do not. Then the same with `lexecon`.
build=$(cd "${LEX_BUILD:-build}" && pwd) || exit 1
root=$(pwd)
work=$build/interop/tokens
status=0

say() { # say RESULT NAME
	if [ "$1" -eq 0 ]; then echo "ok - $2"; else
		echo "not ok - $2"
		status=1
	fi
}
give_up() {
	say 1 "$1"
	sed 's/^/# /' "$work/out"
	exit 1
}
# expect STATUS WORDS NAME COMMAND...: its exit status, and that its output begins a line with WORDS
expect() {
	want=$1 words=$2 name=$3
	shift 3
	"$@" >"$work/out" 2>&1
	got=$?
	[ "$got" -eq "$want" ] && grep -q "^$words" "$work/out"
	bad=$?
	say $bad "$name"
	[ $bad -eq 0 ] || { echo "# exit status $got, expected $want and '$words'"; sed 's/^/# /' "$work/out"; }
}

# ---- packages, kept from run to run ----
mkdir -p "$work"
venv=$work/venv
[ -x "$venv/bin/python" ] || python3 -m venv "$venv" >"$work/out" 2>&1 || give_up "a Python environment can be made"
"$venv/bin/python" -W ignore -c 'import jwt, jwcrypto, joserfc, cryptography, rfc8785' 2>/dev/null ||
	"$venv/bin/pip" install --quiet -r tests/interop/tokens-requirements.txt >"$work/out" 2>&1 ||
	give_up "the Python libraries can be installed"
(cd "$work" && { [ -d node_modules/jose ] || npm install --silent --no-audit --no-fund "jose@^6"; }) >"$work/out" 2>&1 ||
	give_up "the Node library can be installed"
cp tests/interop/tokens.mjs "$work/"

# ---- libraries ----
samples=$work/s
rm -rf "$samples"
mkdir -p "$samples"
"$build/bin/lex_tokens" make "$samples" >"$work/out" 2>&1 || give_up "sample tokens can be made"
"$venv/bin/python" -W ignore tests/interop/tokens.py "$samples" "$build/bin/lex_tokens" || status=1
node "$work/tokens.mjs" "$samples" "$build/bin/lex_tokens" || status=1

# ---- lexecon token verify ----
cd "$samples" || exit 1
lexecon=$build/bin/lexecon
verify() { "$lexecon" token verify --iss example.com/samples --aud gateway "$@"; }
expect 0 'verified: leave for "agent:billing" to "read"' "lexecon verifies a token for its call" \
	verify --jwks jwks.json --request request.json token.jwt
expect 0 'verified: ' "lexecon takes the token from standard input" \
	sh -c "'$lexecon' token verify --iss example.com/samples --aud gateway --jwks jwks.json --no-call <token.jwt"
expect 0 '{"verified":true,"iss":"example.com/samples"' "lexecon prints the claims" \
	verify --jwks jwks-ed25519.json --no-call --json token-ed25519.jwt
expect 0 'verified: ' "lexecon compares a call that is given in parts" verify --jwks jwks.json --actor agent:billing \
	--action read --tool crm.lookup --resource "customer/42 €" token.jwt
expect 1 'NOT verified: WRONG_ALGORITHM' "lexecon refuses the algorithm's other name" \
	verify --jwks jwks.json --no-call token-ed25519.jwt
expect 1 'NOT verified: BAD_SIGNATURE\|NOT verified: UNKNOWN_KEY' "lexecon refuses another key" \
	verify --jwks jwks.json --request request.json bad-key.jwt
expect 1 'NOT verified: EXPIRED' "lexecon refuses an expired token" \
	verify --jwks jwks.json --request request.json bad-expired.jwt
expect 1 'NOT verified: NOT_YET' "lexecon refuses a token of the future" \
	verify --jwks jwks.json --request request.json bad-early.jwt
expect 1 'NOT verified: WRONG_AUDIENCE' "lexecon refuses another audience" \
	"$lexecon" token verify --iss example.com/samples --aud other --jwks jwks.json --no-call token.jwt
expect 1 'NOT verified: WRONG_ISSUER' "lexecon refuses another issuer" \
	"$lexecon" token verify --iss example.com/other --aud gateway --jwks jwks.json --no-call token.jwt
expect 1 '{"verified":false,"code":"MALFORMED"' "lexecon refuses what is no token" \
	verify --jwks jwks.json --no-call --json request.json
expect 1 'NOT verified: WRONG_CALL: tool' "a tool that is not named is not any tool" \
	verify --jwks jwks.json --action read --resource "customer/42 €" token.jwt
expect 1 'NOT verified: WRONG_CALL: action' "another action is another call" \
	verify --jwks jwks.json --action write --tool crm.lookup --resource "customer/42 €" token.jwt
expect 1 'NOT verified: WRONG_CALL: sub' "another actor is another call" \
	verify --jwks jwks.json --actor agent:other --action read --tool crm.lookup --resource "customer/42 €" token.jwt
# twin NAME MEMBER JSON: request.json with one member changed
twin() {
	python3 -c "import json,sys
request = json.load(open('request.json')); request[sys.argv[1]] = json.loads(sys.argv[2])
json.dump(request, open('twin.json', 'w'))" "$1" "$2"
}
twin arguments '{"b": [1e21, 0], "a": "y"}'
expect 1 'NOT verified: WRONG_CALL: req' "another argument is another call" \
	verify --jwks jwks.json --request twin.json token.jwt
twin resource '"customer/43"'
expect 1 'NOT verified: WRONG_CALL: resource' "another resource is another call" \
	verify --jwks jwks.json --request twin.json token.jwt
twin data_classes '["pii"]'
expect 1 'NOT verified: WRONG_CALL: dc' "fewer data classes are another call" \
	verify --jwks jwks.json --request twin.json token.jwt
twin data_classes '["contract", "pii", "pii"]'
expect 0 'verified: ' "the same data classes in another order are the same call" \
	verify --jwks jwks.json --request twin.json token.jwt
expect 2 'lexecon token verify: .*which call' "without a call lexecon asks which" verify --jwks jwks.json token.jwt
expect 2 'lexecon token verify: give one of' "without a key lexecon asks for one" verify --no-call token.jwt

# ---- keys that lexecon, openssl and the token agree about ----
"$lexecon" keys generate --dir keys --origin-prefix example.com/samples --policy-key >"$work/out" 2>&1 &&
	"$lexecon" keys show --dir keys --origin-prefix example.com/samples --pin >pins.json 2>"$work/out" &&
	openssl pkey -in keys/policy.pem -pubout -out policy-public.pem 2>"$work/out" ||
	give_up "keys can be made"
expect 1 'NOT verified: UNKNOWN_KEY' "another service's pins verify nothing" \
	verify --pins pins.json --no-call token.jwt

# ---- lexecon attest, checked by PyJWT, and back ----
attest() { "$lexecon" attest "$@" --key keys/policy.pem --kid k-1 --iss desk; }
attest fact --request request.json --fact mfa=true --fact 'tags=["a"]' >fact.jwt 2>"$work/out" &&
	attest identity --actor agent:billing --role actor:oncall >identity.jwt 2>"$work/out" &&
	attest approval --request request.json --decision-id dec_01KDW3Z1000003000000000000 \
		--log example.com/samples/lexecon.ledger/3 --approver actor:human >approval.jwt 2>"$work/out" ||
	give_up "attestations can be made"
expect 0 'fact agent:billing mfa' "PyJWT reads what lexecon attests" "$venv/bin/python" -W ignore -c '
import jwt
key = open("policy-public.pem").read()
claims = jwt.decode(open("fact.jwt").read().strip(), key, algorithms=["EdDSA"], issuer="desk")
assert claims["facts"] == {"mfa": True, "tags": ["a"]} and claims["exp"] == claims["iat"] + 300
print("fact", claims["sub"], *claims["facts"])'
python3 - policy-public.pem >own-issuers.json <<'PY'
import base64, json, sys
der = base64.b64decode("".join(open(sys.argv[1]).read().split("\n")[1:-2]))
key = {"kid": "k-1", "public_key": base64.b64encode(der[-32:]).decode()}
print(json.dumps({"issuers": [{"iss": "desk", "keys": [key], "actors": ["agent:billing"], "facts": ["*"],
                               "approvers": ["actor:human"], "roles": ["actor:oncall"]}]}))
PY
cat identity.jwt fact.jwt approval.jwt |
	"$build/bin/lex_tokens" check own-issuers.json request.json example.com/samples/lexecon.ledger/3 >"$work/out" 2>&1
[ "$(grep -c '^counts' "$work/out")" -eq 3 ]
say $? "what lexecon attests counts"
expect 2 'lexecon attest: .*--request or --req' "a fact without its request is refused" attest fact --actor a --fact mfa=true
expect 2 'lexecon attest: --fact mfa=yes' "a fact that is no JSON is refused" attest fact --request request.json --fact mfa=yes

# ---- lexecon policy sign ----
policy=$root/policies/compat/example_policy.json
"$lexecon" policy sign --key keys/policy.pem "$policy" >policy.jws 2>"$work/out" || give_up "a policy can be signed"
expect 0 'same bytes' "PyJWT verifies a signed policy, byte for byte" "$venv/bin/python" -W ignore -c '
import jwt, sys
key = open("policy-public.pem").read()
whole = jwt.PyJWS().decode_complete(open("policy.jws").read().strip(), key, algorithms=["EdDSA"])
assert whole["header"]["typ"] == "lexecon-policy+jws"
assert whole["payload"] == open(sys.argv[1], "rb").read()
print("same bytes")' "$policy"
echo '{"relations": 7}' >broken.json
expect 1 'lexecon policy sign: broken.json' "a policy that does not load is not signed" \
	"$lexecon" policy sign --key keys/policy.pem broken.json

# ---- docs/identity.md does what it says ----
mkdir page && cp request.json token.jwt jwks.json page/ && cp "$policy" page/policy.json || exit 1
python3 - "$root/docs/identity.md" page <<'PY'
import re, sys, textwrap
text = open(sys.argv[1]).read()
blocks = re.findall(r"^ *<!-- (run|file)(?:: (\S+))? -->\n( *)```\w+\n(.*?)^\3```$", text, re.S | re.M)
assert len(blocks) >= 6, len(blocks)
for number, (kind, name, _, body) in enumerate(blocks):
    path = name if kind == "file" else "%02d.sh" % number
    open(sys.argv[2] + "/" + path, "w").write(textwrap.dedent(body))
issuers = re.search(r'```json\n(\{"issuers".*?)^```', text, re.S | re.M)
open(sys.argv[2] + "/issuers.json", "w").write(issuers.group(1))
PY
say $? "docs/identity.md has its examples"
cd page || exit 1
cat ./*.sh >all.sh
PATH=$build/bin:$venv/bin:$PATH
expect 0 "verified: leave for" "docs/identity.md: its commands work, and the gateway lets the call through" sh -e all.sh
sed 's/"customer/"customers/' request.json >other.json
"$venv/bin/python" -W ignore gateway.py jwks.json token.jwt other.json example.com/samples gateway >"$work/out" 2>&1
[ $? -eq 1 ]
say $? "docs/identity.md: the gateway lets no other call through"
"$venv/bin/python" -W ignore gateway.py jwks.json ../bad-expired.jwt request.json example.com/samples gateway >"$work/out" 2>&1
[ $? -eq 1 ]
say $? "docs/identity.md: the gateway lets no expired token through"
expect 0 "MALFORMED" "docs/identity.md: its issuers.json loads" sh -c "echo x | '$build/bin/lex_tokens' check issuers.json request.json a/b/c/0"
exit $status
