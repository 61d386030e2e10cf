"""Verify Lexecon from bytes alone: verify.py PINS FILE... (verdicts: .json, .jsonl; else a ledger). See verifying.md."""
import base64, datetime, hashlib, io, json, os, sys
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
FRAME = bytes.fromhex("c301141627b336acbec5")  # single-object Avro: the fingerprint of this schema
SCHEMA = json.load(open(os.path.join(os.path.dirname(__file__), "../schemas/ledger_entry.avsc")))
named, sha = {}, lambda data: hashlib.sha256(data).digest()
def check(good, why): return good or sys.exit("NOT verified: " + why)
def take(file, count):
    data = file.read(max(count, 0))
    return check(count == len(data), "cut off") and data
def long(file, value=0, shift=0):
    while shift < 70:
        byte = take(file, 1)[0]
        value, shift = value | (byte & 127) << shift, shift + 7
        if byte < 128: return value >> 1 ^ -(value & 1)
def read(file, kind):  # one Avro value
    if isinstance(kind, list): return read(file, kind[long(file)])
    kind = named.get(kind, {"type": kind}) if isinstance(kind, str) else kind
    name = kind["type"]
    if "name" in kind: named[kind["name"]] = kind
    if name == "record": return {field["name"]: read(file, field["type"]) for field in kind["fields"]}
    if name == "array": return [read(file, kind["items"]) for n in iter(lambda: long(file), 0) for _ in range(n)]
    if name == "fixed": return take(file, kind["size"])
    if name == "enum": return kind["symbols"][long(file)]
    if name == "string": return take(file, long(file)).decode()
    return None if name == "null" else take(file, 1) == b"\1" if name == "boolean" else long(file)
def decode(value, prefix):
    file = io.BytesIO(value)
    check(take(file, 10) == FRAME, "not an entry of a schema that this program knows")
    entry = read(file, SCHEMA)
    return check(not file.read(1) and entry["log"].startswith(prefix + "/"), "bytes left over, or another prefix") and entry
def time(us): return us and (datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=us)).isoformat("T", "microseconds") + "Z"
def verdict(v, pins):
    value, proof = base64.b64decode(v.pop("entry"), validate=True), v.pop("attestation")
    e, root, at, last = decode(value, pins["origin_prefix"]), sha(b"\0" + value), proof["index"], proof["size"] - 1
    path = check(0 <= at <= last < 4096, "no place in a batch") and [base64.b64decode(step) for step in proof["path"]]
    while last:  # RFC 6962, section 2.1.1: from the leaf to the root
        if at % 2 or at < last: root = sha(b"\1" + path[0] + root if at % 2 else b"\1" + root + path[0]); path.pop(0)
        at, last = at // 2, last // 2
    check(not path and proof["version"] == 1, "the path is too long, or an attestation of another version")
    note = "lexecon-verdict-batch/v1\n%s\n%d\n%s\n" % (e["log"], proof["size"], base64.b64encode(root).decode())
    key = [k["public_key"] for k in pins["keys"] if (k["role"], k["key_id"]) == ("verdict", proof["key_id"])]
    Ed25519PublicKey.from_public_bytes(base64.b64decode(key[0])).verify(base64.b64decode(proof["signature"]), note.encode())
    e.update(policy={"id": e["policy_id"], "version": e["policy_version"], "hash": e["policy_hash"] and e["policy_hash"].hex()},
             obligations=[{k: x for k, x in o.items() if x is not None} for o in e["obligations"]],
             evaluated_at=time(e["evaluated_at"]), valid_until=time(e["valid_until"]), token=v.get("token"))
    for name in v: check(v[name] == e[name], name + " is not what the entry says")
    return "verified: %s, entry %d of %s" % (e["outcome"], e["seq"], e["log"])
def ledger(file, pins, heads):  # log -> next sequence number, and the hash that the next entry names
    while size := file.read(4):
        value = take(file, int.from_bytes(size, "big")); e = decode(value, pins["origin_prefix"]); log = e["log"]
        expected = heads.get(log, (0, sha(b"lexecon-genesis/v1\n" + log.encode() + b"\n")))
        check((e["seq"], e["prev"]) == expected, "%s breaks at entry %d" % (log, expected[0]))
        heads[log] = (e["seq"] + 1, sha(b"\0" + value))
    return check(heads, "no entry") and "the chains hold: " + str({log: seq for log, (seq, _) in heads.items()})
pins = json.load(open(sys.argv[1]))
for path in sys.argv[2:]:
    rows = open(path) if path.endswith(".jsonl") else [open(path).read()] if path.endswith(".json") else None
    done = [verdict(json.loads(row), pins) for row in rows] if rows else [ledger(open(path, "rb"), pins, {})]
    print(path, *check(done, "no verdict"), sep="\n  ")
