# Verdicts and ledgers are verified from their bytes alone: by docs/verify.py, which shares no code with
# us, and by `lexecon`. Each thing that holds has twins that must not.
build=$(cd "${LEX_BUILD:-build/rel}" && pwd) || exit 1
root=$(pwd)
work=$build/interop/verifying
venv=$build/interop/venv
status=0

say() { # say RESULT NAME
	if [ "$1" -eq 0 ]; then echo "ok - $2"; else
		echo "not ok - $2"
		status=1
	fi
}
# expect STATUS NAME COMMAND...
expect() {
	want=$1 name=$2
	shift 2
	"$@" >"$work/out" 2>&1
	got=$?
	[ "$got" -eq "$want" ]
	bad=$?
	say $bad "$name"
	[ $bad -eq 0 ] || { echo "# exit status $got, expected $want"; sed 's/^/# /' "$work/out"; }
}

rm -rf "$work"
mkdir -p "$work"
"$build/bin/lex_samples" "$work/s" || { echo "not ok - samples"; exit 1; }
cd "$work/s" || exit 1

# Twins, each with one thing altered.
python3 - <<'PY'
import base64, copy, json, struct
verdict = json.load(open("verdict-1.json"))
def twin(name, **changes):
    other = copy.deepcopy(verdict)
    for key, value in changes.items():
        place = other
        *parents, last = key.split("__")
        for parent in parents: place = place[parent]
        place[last] = value
    json.dump(other, open("bad-%s.json" % name, "w"))
def flip(text, at):
    data = bytearray(base64.b64decode(text)); data[at] ^= 1
    return base64.b64encode(data).decode()
proof = verdict["attestation"]
twin("allowed", allowed=True)
twin("outcome", outcome="approved", allowed=True)
twin("validity", valid_until="2036-01-01T00:05:00.000000Z")
twin("policy", policy__hash="bb" * 32)
twin("entry", entry=flip(verdict["entry"], 120))
twin("schema", entry=flip(verdict["entry"], 3))
twin("signature", attestation__signature=flip(proof["signature"], 0))
twin("path", attestation__path=[flip(proof["path"][0], 5)] + proof["path"][1:])
twin("longer", attestation__path=proof["path"] + proof["path"][:1])
twin("index", attestation__index=3)
twin("size", attestation__size=6)
twin("key", attestation__key_id="00000000")
twin("other", entry=json.load(open("verdict-0.json"))["entry"])
pins = json.load(open("pins.json"))
stranger = copy.deepcopy(pins)
stranger["keys"] = [k for k in pins["keys"] if k["role"] != "verdict"]
json.dump(stranger, open("pins-without-verdict-key.json", "w"))
avro = bytearray(open("verdict-1.avro", "rb").read())
for at in range(0, len(avro), 7):
    other = bytearray(avro); other[at] ^= 4
    open("bad-%03d.avro" % at, "wb").write(other)
records, data = [], open("ledger.bin", "rb").read()
while data:
    size = struct.unpack(">I", data[:4])[0]; records.append(data[4:4 + size]); data = data[4 + size:]
def ledger(name, rows):
    open("bad-%s.bin" % name, "wb").write(b"".join(struct.pack(">I", len(r)) + r for r in rows))
altered = bytearray(records[2]); altered[150] ^= 1
ledger("altered", records[:2] + [bytes(altered)] + records[3:])
ledger("removed", records[:2] + records[3:])
ledger("repeated", records[:3] + records[2:])
ledger("moved", [records[0], records[2], records[1]] + records[3:])
ledger("beginning", records[1:6])
ledger("nothing", [])
open("bad-cut.bin", "wb").write(open("ledger.bin", "rb").read()[:-3])
PY

# ---- docs/verify.py ----
[ -x "$venv/bin/python" ] || python3 -m venv --system-site-packages "$venv"
"$venv/bin/python" -c 'import cryptography' 2>/dev/null || "$venv/bin/pip" install --quiet cryptography
verify_py() { "$venv/bin/python" "$root/docs/verify.py" "$@"; }
[ "$(wc -l <"$root/docs/verify.py")" -le 60 ]
say $? "verify.py has at most 60 lines"
expect 0 "verify.py verifies JSON verdicts" verify_py pins.json verdict-*.json verdicts.jsonl
expect 0 "verify.py verifies an exported ledger" verify_py pins.json ledger.bin
for bad in bad-*.json bad-*.bin; do
	expect 1 "verify.py refuses $bad" verify_py pins.json "$bad"
done
expect 1 "verify.py refuses a key that is not pinned" verify_py pins-without-verdict-key.json verdict-1.json

# ---- lexecon ----
lexecon=$build/bin/lexecon
expect 0 "lexecon verifies JSON and Avro verdicts" \
	"$lexecon" verdict verify --pins pins.json verdict-*.json verdict-*.avro verdicts.jsonl
for bad in bad-*.json; do
	expect 1 "lexecon refuses $bad" "$lexecon" verdict verify --pins pins.json "$bad"
done
refused=0
for bad in bad-*.avro; do
	"$lexecon" verdict verify --pins pins.json "$bad" >/dev/null 2>&1 && refused=1 && echo "# $bad verified"
done
say $refused "lexecon refuses an Avro verdict with any of its bytes altered"
expect 1 "lexecon refuses a key that is not pinned" \
	"$lexecon" verdict verify --pins pins-without-verdict-key.json verdict-1.json
expect 1 "lexecon refuses an empty input" "$lexecon" verdict verify --pins pins.json /dev/null
expect 2 "lexecon tells of a missing file" "$lexecon" verdict verify --pins pins.json absent.json
expect 2 "lexecon tells of a missing pin file" "$lexecon" verdict verify --pins absent.json verdict-1.json
expect 0 "lexecon verifies an exported ledger" "$lexecon" ledger verify --pins pins.json --file ledger.bin
expect 0 "lexecon verifies a mirror" "$lexecon" ledger verify --pins pins.json --mirror mirror.db
for bad in bad-*.bin; do
	expect 1 "lexecon refuses $bad" "$lexecon" ledger verify --pins pins.json --file "$bad"
done
expect 0 "a beginning after genesis is accepted when asked" \
	"$lexecon" ledger verify --pins pins.json --file bad-beginning.bin --allow-gaps
expect 1 "no gap is accepted that nobody declares" \
	"$lexecon" ledger verify --pins pins.json --file bad-removed.bin --allow-gaps
expect 2 "two sources at once are refused" \
	"$lexecon" ledger verify --pins pins.json --file ledger.bin --mirror mirror.db

cp mirror.db cut.db
python3 -c "import sqlite3
db = sqlite3.connect('cut.db')
db.execute('delete from entries where partition = 1 and seq = 5')
db.commit()"
expect 1 "a mirror whose last entry was removed is refused" \
	"$lexecon" ledger verify --pins pins.json --mirror cut.db
expect 0 "show finds an entry by its request" "$lexecon" ledger show --mirror mirror.db --request request-3
expect 1 "show says when nothing matches" "$lexecon" ledger show --mirror mirror.db 99
"$lexecon" ledger tail --mirror mirror.db --lines 3 --json >"$work/tail" 2>&1 &&
	[ "$(wc -l <"$work/tail")" -eq 3 ] &&
	python3 -c "import json,sys
rows = [json.loads(line) for line in open(sys.argv[1])]
assert [r['entry']['seq'] for r in rows] == [3, 4, 5], rows" "$work/tail"
say $? "tail prints the last entries"

"$lexecon" keys generate --dir keys --origin-prefix example.com/samples >"$work/out" 2>&1 &&
	"$lexecon" keys show --dir keys --origin-prefix example.com/samples --pin >own-pins.json &&
	openssl pkey -in keys/verdict.pem -pubout -outform DER | tail -c 32 | base64 >key.txt &&
	grep -qF "$(cat key.txt)" own-pins.json
say $? "keys generate and show --pin agree with openssl"
expect 1 "another service's pins verify nothing" "$lexecon" verdict verify --pins own-pins.json verdict-1.json
! grep -q "$(sed -n 2p keys/verdict.pem)" own-pins.json
say $? "show --pin prints no secret"
exit $status
