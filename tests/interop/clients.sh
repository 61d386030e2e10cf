# The documents' clients are true: the Python and the TypeScript program of docs/clients, and the demo, ask an
# embedded service. What is proven they believe; a wrong pin and silence they take for a denial.
build=$(cd "${LEX_BUILD:-build}" && pwd) || exit 1
root=$(pwd)
work=$build/interop/clients
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
rm -rf "$work/data" "$work/other"
venv=$work/venv
[ -x "$venv/bin/python" ] || python3 -m venv "$venv" >"$work/out" 2>&1 ||
	give_up "a Python environment can be made" "$work/out"
"$venv/bin/python" -c 'import confluent_kafka, cryptography, fastavro, rfc8785' 2>/dev/null ||
	"$venv/bin/pip" install --quiet -r docs/clients/python/requirements.txt >"$work/out" 2>&1 ||
	give_up "the Python client's packages can be installed" "$work/out"
cp docs/clients/typescript/* "$work/"
(cd "$work" && { [ -d node_modules/kafkajs ] || npm install --silent --no-audit --no-fund; }) >"$work/out" 2>&1 ||
	give_up "the TypeScript client's packages can be installed" "$work/out"
(cd "$work" && node_modules/.bin/tsc) >"$work/out" 2>&1 || give_up "the TypeScript client compiles" "$work/out"

# ---- the service, its pins, and pins that are wrong ----
for name in $(env | sed -n 's/^\(LEXECON_[A-Z_]*\)=.*/\1/p'); do unset "$name"; done
"$build/bin/lexecon-consumer" --embedded --policy policies/compat/example_policy.json --data-dir "$work/data" \
	--http-address 127.0.0.1 --http-port 0 --log-format json >"$work/log" 2>&1 </dev/null &
service=$!
for _ in $(seq 300); do
	grep -q '"Worker ready"' "$work/log" && break
	kill -0 "$service" 2>/dev/null || break
	sleep 0.1
done
brokers=$(sed -n 's/.*"bootstrap_servers":"\([^"]*\)".*/\1/p' "$work/log" | head -n 1)
grep -q '"Worker ready"' "$work/log" && [ -n "$brokers" ] || give_up "the service starts" "$work/log"
lexecon=$build/bin/lexecon
{
	"$lexecon" keys show --dir "$work/data/keys" --pin >"$work/pins.json" &&
		"$lexecon" keys generate --dir "$work/other" &&
		"$lexecon" keys show --dir "$work/other" --pin >"$work/stranger.json"
} >"$work/out" 2>&1 || give_up "the keys can be pinned" "$work/out"
# the right key id with another key
python3 - "$work/pins.json" "$work/stranger.json" >"$work/forged.json" <<'PY'
import json, sys
pins, stranger = (json.load(open(path)) for path in sys.argv[1:])
for mine, other in zip(pins["keys"], stranger["keys"]): mine["public_key"] = other["public_key"]
json.dump(pins, sys.stdout)
PY

# ---- both clients ----
python_client() { "$venv/bin/python" "$root/docs/clients/python/submit.py" "$brokers" "$@"; }
typescript_client() {
	pins=$1
	shift
	node "$work/dist/submit.js" "$brokers" "$pins" "$root/schemas/ledger_entry.avsc" "$@"
}
for client in python typescript; do
	ask=${client}_client
	export TIMEOUT_S=30
	expect 0 "verified: approved, PERMITTED, entry " "$client: an approval is proven" \
		$ask "$work/pins.json" '{"actor": "user", "proposed_action": "read", "data_classes": ["pii", "a", "pii"],
		"context": {"ratio": 1.50, "größe": ["x", "\u2028"], "n": 9007199254740991, "none": null},
		"arguments": {"z": 1.0, "b": [1e21, 0.000001, -0.0, {"y": true, "x": "\"\\\n"}]}}'
	expect 1 "verified: denied, FORBIDDEN, entry " "$client: a denial is proven, and is a no" \
		$ask "$work/pins.json" '{"actor": "model", "proposed_action": "write"}'
	export TIMEOUT_S=3
	expect 1 "denied: a verdict came and does not verify" "$client: a key that is not pinned is a denial" \
		$ask "$work/stranger.json" '{"actor": "user", "proposed_action": "read"}'
	expect 1 "denied: a verdict came and does not verify" "$client: another key under the pinned id is a denial" \
		$ask "$work/forged.json" '{"actor": "user", "proposed_action": "read"}'
	expect 1 "denied: no verdict in time" "$client: silence is a denial" \
		$ask "$work/pins.json" '{"actor": "user", "proposed_action": "read", "unknown_member": 1}'
done

# ---- lexecon submit ----
submit() { "$lexecon" submit --bootstrap "$brokers" "$@"; }
for format in json avro; do
	expect 0 "seen-$format  *approved  *PERMITTED .*signature verified" "submit: an approval in $format is proven" \
		submit --pins "$work/pins.json" --format $format --request-id seen-$format --actor user --action read \
		--context ratio=1.50 --arguments '{"z": 1.0}' --data-class pii --deadline +1m
	expect 1 "seen-$format  *denied .*NOT VERIFIED, treat as denied" "submit: another key in $format is a denial" \
		submit --pins "$work/stranger.json" --format $format --request-id seen-$format --actor user --action read
done
expect 2 "lexecon submit: pin file .*key_id" "submit: a pin file that contradicts itself is refused" \
	submit --pins "$work/forged.json" --actor user --action read
expect 1 '{"request_id":"r","outcome":"denied","allowed":false,"verified":true,"reason_code":"FORBIDDEN"' \
	"submit: a denial is proven, and is a no" \
	submit --pins "$work/pins.json" --request-id r --actor model --action write --json
expect 0 '{"request_id":"r","outcome":"denied"' "submit: any outcome will do when asked so" \
	submit --pins "$work/pins.json" --request-id r --actor model --action write --json --any-outcome
rm -f "$work/saved.jsonl"
submit --pins "$work/pins.json" --file docs/examples/requests.jsonl --any-outcome --save "$work/saved.jsonl" >/dev/null
expect 0 "" "submit: what it saves verifies later" "$lexecon" verdict verify --pins "$work/pins.json" "$work/saved.jsonl"
[ "$(wc -l <"$work/saved.jsonl")" -eq "$(wc -l <docs/examples/requests.jsonl)" ]
say $? "submit: it saves every verdict"

expect 2 "lexecon submit: .*keys show .*--pin\|  lexecon keys show" "submit: without pins it says how to get them" \
	submit --actor user --action read
printf '%s\n\n%s\n' '{"actor":"user","proposed_action":"read"}' '{"actor":"user","resourc":"x"}' >"$work/bad.jsonl"
expect 2 "lexecon submit: .*bad.jsonl:3: .*resourc" "submit: a wrong line is told with its number" \
	submit --pins "$work/pins.json" --file "$work/bad.jsonl"
stop
expect 3 "lexecon submit: Kafka cannot be reached: .*bootstrap.servers" "submit: without a broker it says what to check" \
	submit --pins "$work/pins.json" --actor user --action read

# ---- the demo, and its output in docs/getting-started.md ----
LEX_BUILD=$build scripts/run-demo --once >"$work/demo" 2>&1
bad=$?
say $bad "the demo ends with every verdict verified"
[ $bad -eq 0 ] || sed 's/^/# /' "$work/demo"
# the first table of a page
table() { awk '/^REQUEST  *OUTCOME/ { inside = 1 } inside && !NF { exit } inside' "$1"; }
table "$work/demo" >"$work/table.real"
table docs/getting-started.md >"$work/table.told"
[ -s "$work/table.real" ] && diff "$work/table.told" "$work/table.real" >"$work/out"
bad=$?
say $bad "docs/getting-started.md shows what the demo prints"
[ $bad -eq 0 ] || sed 's/^/# /' "$work/out"
exit $status
