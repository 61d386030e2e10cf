"""Ask Lexecon for leave and believe only what is proven: submit.py BOOTSTRAP PINS '{"actor": ...}'.

Exit status 0: approved, and proven. Everything else is a no: silence, a bad signature, another verdict."""
import base64, datetime, hashlib, io, json, os, sys, time, uuid
import fastavro, rfc8785
from confluent_kafka import Consumer, Producer, TopicPartition
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

REQUESTS, VERDICTS = "lexecon.requests", "lexecon.verdicts"
TIMEOUT_S = float(os.environ.get("TIMEOUT_S", "10"))
ENTRY_FRAME = bytes.fromhex("c301141627b336acbec5")  # single-object Avro: this schema, and no other
SCHEMA = os.path.join(os.path.dirname(__file__), "../../../schemas/ledger_entry.avsc")
MEMBERS = ("actor proposed_action tool user_intent resource data_classes risk_level "
           "requested_output_type policy_mode context arguments user_id nonce").split()


class Denied(Exception):
    """No proven approval: do not act."""


def check(good, why):
    if not good:
        raise Denied(why)


def sha256(data):
    return hashlib.sha256(data).digest()


def fingerprint(request):  # docs/formats.md, "Request"
    filled = {name: request.get(name) for name in MEMBERS}
    filled.update(data_classes=sorted(set(request.get("data_classes") or [])),
                  risk_level=request.get("risk_level") or 1, context=request.get("context") or {})
    return sha256(b"lexecon-request/v1\n" + rfc8785.dumps(filled))


def root_of(leaf, proof):  # RFC 9162, section 2.1.3.2
    root, at, last = leaf, proof["index"], proof["size"] - 1
    path = [base64.b64decode(step) for step in proof["path"]]
    check(0 <= at <= last < 4096 and proof["version"] == 1, "no place in a batch")
    while last:
        if at % 2 or at < last:
            check(path, "the path is too short")
            step = path.pop(0)
            root = sha256(b"\1" + step + root) if at % 2 else sha256(b"\1" + root + step)
        at, last = at // 2, last // 2
    check(not path, "the path is too long")
    return root


def verify(verdict, request, asked, place, pins):
    """The ledger entry that the verdict proves; only the entry counts, not the readable members."""
    value, proof = base64.b64decode(verdict["entry"], validate=True), verdict["attestation"]
    check(value[:10] == ENTRY_FRAME, "an entry of another schema")
    entry = fastavro.schemaless_reader(io.BytesIO(value[10:]), fastavro.schema.load_schema(SCHEMA), None)
    check(entry["log"].startswith(pins["origin_prefix"] + "/"), "a log outside the pinned prefix")
    note = "lexecon-verdict-batch/v1\n%s\n%d\n%s\n" % (
        entry["log"], proof["size"], base64.b64encode(root_of(sha256(b"\0" + value), proof)).decode())
    keys = [k["public_key"] for k in pins["keys"] if (k["role"], k["key_id"]) == ("verdict", proof["key_id"])]
    check(keys, "signed by a key that is not pinned")
    Ed25519PublicKey.from_public_bytes(base64.b64decode(keys[0])).verify(
        base64.b64decode(proof["signature"]), note.encode())
    source = entry["source"]
    check(entry["event_type"] == "decision" and entry["request_id"] == request["request_id"] and
          entry["request_fingerprint"] == asked, "a verdict for another request")
    check((source["topic"], source["partition"], source["offset"]) == place, "a verdict for another record")
    check(datetime.datetime.now(datetime.timezone.utc) <= entry["valid_until"], "no longer valid")
    return entry


def ask(bootstrap, pins, request):
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "never-joined", "enable.auto.commit": False,
                         "isolation.level": "read_committed", "fetch.wait.max.ms": 50})
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "partitioner": "murmur2_random"})
    ends = [TopicPartition(VERDICTS, p) for p in consumer.list_topics(VERDICTS, 10).topics[VERDICTS].partitions]
    for end in ends:  # stand at the end before asking, or a fast answer is missed
        end.offset = consumer.get_watermark_offsets(end, timeout=10)[1]
    consumer.assign(ends)
    asked, written = fingerprint(request), []
    producer.produce(REQUESTS, json.dumps(request), key=request["actor"], on_delivery=lambda *report: written.append(report))
    check(producer.flush(TIMEOUT_S) == 0 and written[0][0] is None, "the request was not written")
    place = (REQUESTS, written[0][1].partition(), written[0][1].offset())
    deadline, why = time.monotonic() + TIMEOUT_S, "no verdict in time"
    while time.monotonic() < deadline:
        message = consumer.poll(0.1)
        if message is None or message.error() or not message.value().startswith(b"{"):
            continue
        try:
            verdict = json.loads(message.value())
            if verdict["request_id"] == request["request_id"]:
                return verify(verdict, request, asked, place, pins)
        except Exception as error:  # a false verdict must not hide a true one behind it
            why = "a verdict came and does not verify: %r" % error
    raise Denied(why)


if __name__ == "__main__":
    question = {"request_id": "py-" + uuid.uuid4().hex, **json.loads(sys.argv[3])}
    try:
        answer = ask(sys.argv[1], json.load(open(sys.argv[2])), question)
    except Denied as no:
        sys.exit("denied: %s" % no)
    print("verified: %s, %s, entry %d of %s" % (answer["outcome"], answer["reason_code"], answer["seq"], answer["log"]))
    sys.exit(0 if answer["outcome"] == "approved" else 1)
