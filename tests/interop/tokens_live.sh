# The whole way, with a running service: a token comes with a verdict, and PyJWT checks it with nothing but the
# key set that the service serves; facts and approvals count once, a presented token counts for its actor alone.
build=$(cd "${LEX_BUILD:-build}" && pwd) || exit 1
root=$(pwd)
work=$build/interop/tokens-live
venv=$build/interop/tokens/venv # made by tokens.sh
lexecon=$build/bin/lexecon
status=0
service=

say() { # say RESULT NAME
	if [ "$1" -eq 0 ]; then echo "ok - $2"; else
		echo "not ok - $2"
		status=1
	fi
}
stop() {
	[ -z "$service" ] || { kill -TERM "$service" && wait "$service"; }
	service=
}
trap stop EXIT
trap 'exit 1' INT TERM
give_up() {
	say 1 "$1"
	sed 's/^/# /' "$2"
	exit 1
}

rm -rf "$work"
mkdir -p "$work"
cd "$work" || exit 1
[ -x "$venv/bin/python" ] || python3 -m venv "$venv" >out 2>&1 || give_up "a Python environment can be made" out
"$venv/bin/python" -W ignore -c 'import jwt, rfc8785' 2>/dev/null ||
	"$venv/bin/pip" install --quiet -r "$root/tests/interop/tokens-requirements.txt" >out 2>&1 ||
	give_up "the Python libraries can be installed" out

cat >policy.json <<'JSON'
{"name": "live", "version": "1", "mode": "strict",
 "terms": {"actors": [{"id": "bot"}, {"id": "other"}, {"id": "human"}],
           "actions": [{"id": "read"}, {"id": "export"}, {"id": "pay"}, {"id": "follow"}]},
 "relations": [
  {"relation_id": "r", "relation_type": "permits", "source": "*", "target": "action:read"},
  {"relation_id": "e", "relation_type": "permits", "source": "*", "target": "action:export",
   "condition": "mfa == true"},
  {"relation_id": "p", "relation_type": "permits", "source": "*", "target": "action:pay",
   "condition": {"type": "approval", "approver": "actor:human", "timeout": "5m"}},
  {"relation_id": "f", "relation_type": "permits", "source": "*", "target": "action:follow",
   "condition": "token.action == \"action:read\""}]}
JSON
openssl genpkey -algorithm ed25519 -out desk.pem 2>/dev/null && chmod 600 desk.pem
key=$(openssl pkey -in desk.pem -pubout -outform DER | tail -c 32 | base64)
cat >issuers.json <<JSON
{"issuers": [{"iss": "desk", "keys": [{"kid": "desk-1", "public_key": "$key"}],
              "facts": ["mfa"], "approvers": ["actor:human"]}]}
JSON

: >log
for name in $(env | sed -n 's/^\(LEXECON_[A-Z_]*\)=.*/\1/p'); do unset "$name"; done
"$build/bin/lexecon-consumer" --embedded --policy policy.json --issuers issuers.json --data-dir data \
	--http-address 127.0.0.1 --http-port 0 --log-format json >log 2>&1 </dev/null &
service=$!
for _ in $(seq 300); do
	grep -q '"Worker ready"' log && break
	kill -0 "$service" 2>/dev/null || break
	sleep 0.1
done
brokers=$(sed -n 's/.*"bootstrap_servers":"\([^"]*\)".*/\1/p' log | head -n 1)
port=$(sed -n 's/.*"http_port":\([0-9]*\).*/\1/p' log | head -n 1)
grep -q '"Worker ready"' log && [ -n "$brokers" ] && [ -n "$port" ] || give_up "the service starts" log
"$lexecon" keys show --dir data/keys --pin >pins.json 2>out || give_up "the keys can be pinned" out

# request ACTOR ACTION [ATTESTATION [TOKEN]]: request.json is the call, ask.jsonl what is sent
request() {
	python3 - "$@" <<'PY'
import json, sys
actor, action, *more = sys.argv[1:]
call = {"actor": actor, "proposed_action": action, "arguments": {"amount": 5}}
json.dump(call, open("request.json", "w"))
if more and more[0]: call["attestations"] = [open(more[0]).read().strip()]
if len(more) > 1: call["capability_token"] = open(more[1]).read().strip()
call["want_token"] = True
print(json.dumps(call), file=open("ask.jsonl", "w"))
PY
}
# answer OUTCOME NAME: what the service answers to ask.jsonl; verdict.json is the verdict
answer() {
	rm -f verdict.json
	"$lexecon" submit --bootstrap "$brokers" --pins pins.json --file ask.jsonl --key one --any-outcome --timeout 30 \
		--save verdict.json >out 2>&1 && grep -q "\"outcome\":\"$1\"" verdict.json
	bad=$?
	say $bad "$2"
	[ $bad -eq 0 ] || { sed 's/^/# /' out; cut -c1-600 verdict.json | sed 's/^/# /'; }
}
field() { python3 -c 'import json,sys; print(json.load(open("verdict.json")).get(sys.argv[1]) or "")' "$1"; }
attest() { "$lexecon" attest "$@" --key desk.pem --kid desk-1 --iss desk --request request.json; }

# ---- a token ----
request actor:bot action:read
answer approved "a request that wants a token is approved"
field token >token.jwt
"$venv/bin/python" -W ignore - "$port" >out 2>&1 <<'PY'
import json, sys, urllib.request, jwt
with urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/.well-known/jwks.json", timeout=10) as answer:
    assert answer.headers["Cache-Control"] == "public, max-age=300", answer.headers
    text = answer.read().decode()
open("jwks.json", "w").write(text)
token = open("token.jwt").read().strip()
key = jwt.PyJWKSet.from_json(text)[jwt.get_unverified_header(token)["kid"]]
claims = jwt.decode(token, key.key, algorithms=["EdDSA"], issuer="lexecon/local", audience="lexecon")
verdict = json.load(open("verdict.json"))
assert claims["jti"] == verdict["decision_id"] and claims["action"] == "action:read", claims
PY
bad=$?
say $bad "PyJWT verifies it with the key set that the service serves"
[ $bad -eq 0 ] || sed 's/^/# /' out
for keys in "--jwks jwks.json" "--pins pins.json"; do
	# shellcheck disable=SC2086 # two words
	"$lexecon" token verify $keys --iss lexecon/local --aud lexecon --request request.json token.jwt >out 2>&1
	say $? "lexecon verifies it with ${keys%% *}"
done
request actor:bot action:export
answer conditional "without the fact the verdict is conditional"
[ -z "$(field token)" ]
say $? "what is not approved has no token"

# ---- a fact ----
attest fact --fact mfa=true >fact.jwt
request actor:bot action:export fact.jwt
answer approved "the attested fact makes it approved"
answer conditional "the same attestation counts once"
request actor:other action:export fact.jwt
answer conditional "it counts for no other actor"

# ---- an approval ----
request actor:bot action:pay
answer escalated "without an approval the verdict is escalated"
attest approval --approver actor:human --decision-id "$(field decision_id)" --log "$(field log)" >approval.jwt
request actor:bot action:pay approval.jwt
answer approved "the approval makes it approved"
answer escalated "the same approval counts once"

# ---- a presented token ----
request actor:bot action:follow
answer conditional "without a token the second step is conditional"
request actor:bot action:follow "" token.jwt
answer approved "the first step's token makes it approved"
request actor:other action:follow "" token.jwt
answer conditional "another actor's token is no leave"
python3 -c 'import urllib.request,sys
print(urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/metrics", timeout=10).read().decode())' "$port" >metrics 2>&1
for line in 'lexecon_tokens_issued_total{scope="action:read"} 1' 'lexecon_tokens_issued_total{scope="action:export"} 1' \
	'lexecon_tokens_verified_total{valid="true"} 1' 'lexecon_tokens_verified_total{valid="false"} 1' \
	'lexecon_active_tokens 4' 'lexecon_attestations_refused_total{reason="REUSED"} 2' \
	'lexecon_attestations_refused_total{reason="WRONG_SUBJECT"} 1'; do
	grep -qxF "$line" metrics
	bad=$?
	say $bad "metrics: $line"
	[ $bad -eq 0 ] || grep "^lexecon_\(token\|active_t\|attest\)" metrics | sed 's/^/# /'
done
exit $status
