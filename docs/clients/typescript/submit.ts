// Ask Lexecon for leave and believe only what is proven: submit.js BOOTSTRAP PINS SCHEMA '{"actor": ...}'.
// SCHEMA is schemas/ledger_entry.avsc. Exit status 0: approved, and proven. Everything else is a no:
// silence, a bad signature, another verdict.
import { createHash, createPublicKey, randomUUID, verify as verifySignature } from "node:crypto";
import { readFileSync } from "node:fs";
import avro from "avsc";
import { Kafka, logLevel, Partitioners, type KafkaMessage } from "kafkajs";

const [REQUESTS, VERDICTS] = ["lexecon.requests", "lexecon.verdicts"];
const TIMEOUT_MS = Number(process.env.TIMEOUT_S ?? "10") * 1000;
const ENTRY_FRAME = Buffer.from("c301141627b336acbec5", "hex"); // single-object Avro: this schema, and no other
const ED25519_SPKI = Buffer.from("302a300506032b6570032100", "hex"); // RFC 8410, before the 32 bytes of a key
const MEMBERS = ["actor", "proposed_action", "tool", "user_intent", "resource", "data_classes", "risk_level",
  "requested_output_type", "policy_mode", "context", "arguments", "user_id", "nonce"];

type Json = Record<string, any>;
type Asked = { fingerprint: Buffer; partition: number; offset: string };
class Denied extends Error {} // no proven approval: do not act

function check(good: boolean, why: string): void {
  if (!good) throw new Denied(why);
}
const sha256 = (...parts: (Buffer | string)[]) => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
};

// RFC 8785 is how ECMAScript writes JSON, with the members sorted.
const jcs = (v: any): string => v === null || typeof v !== "object" ? JSON.stringify(v)
  : Array.isArray(v) ? `[${v.map(jcs).join()}]`
  : `{${Object.keys(v).sort().map((k) => `${JSON.stringify(k)}:${jcs(v[k])}`).join()}}`;

function fingerprint(request: Json): Buffer { // docs/formats.md, "Request"
  const filled = Object.fromEntries(MEMBERS.map((name) => [name, request[name] ?? null]));
  filled.data_classes = [...new Set<string>(request.data_classes ?? [])]
    .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  filled.risk_level ??= 1;
  filled.context ??= {};
  return sha256("lexecon-request/v1\n", jcs(filled));
}

function rootOf(leaf: Buffer, proof: Json): Buffer { // RFC 9162, section 2.1.3.2
  let [root, at, last] = [leaf, proof.index as number, proof.size - 1];
  const path = proof.path.map((step: string) => Buffer.from(step, "base64"));
  check(0 <= at && at <= last && last < 4096 && proof.version === 1, "no place in a batch");
  for (; last > 0; at >>= 1, last >>= 1) {
    if (at % 2 === 0 && at >= last) continue;
    check(path.length > 0, "the path is too short");
    const step = path.shift();
    root = at % 2 ? sha256("\x01", step, root) : sha256("\x01", root, step);
  }
  check(path.length === 0, "the path is too long");
  return root;
}

// The ledger entry that the verdict proves; only the entry counts, not the readable members.
function verify(verdict: Json, request: Json, asked: Asked, pins: Json, schema: avro.Type): Json {
  const [value, proof] = [Buffer.from(verdict.entry, "base64"), verdict.attestation];
  check(value.subarray(0, 10).equals(ENTRY_FRAME), "an entry of another schema");
  const entry = schema.fromBuffer(value.subarray(10));
  check(entry.log.startsWith(pins.origin_prefix + "/"), "a log outside the pinned prefix");
  const root = rootOf(sha256("\0", value), proof).toString("base64");
  const note = `lexecon-verdict-batch/v1\n${entry.log}\n${proof.size}\n${root}\n`;
  const pin = pins.keys.find((key: Json) => key.role === "verdict" && key.key_id === proof.key_id);
  check(pin !== undefined, "signed by a key that is not pinned");
  const der = Buffer.concat([ED25519_SPKI, Buffer.from(pin.public_key, "base64")]);
  const key = createPublicKey({ key: der, format: "der", type: "spki" });
  check(verifySignature(null, Buffer.from(note), key, Buffer.from(proof.signature, "base64")), "a bad signature");
  check(entry.event_type === "decision" && entry.request_id === request.request_id &&
    asked.fingerprint.equals(entry.request_fingerprint ?? Buffer.alloc(0)), "a verdict for another request");
  check(entry.source.topic === REQUESTS && entry.source.partition === asked.partition &&
    String(entry.source.offset) === asked.offset, "a verdict for another record");
  check(Date.now() * 1000 <= (entry.valid_until ?? 0), "no longer valid");
  return entry;
}

async function ask(bootstrap: string, pins: Json, schema: avro.Type, request: Json): Promise<Json> {
  const mine = fingerprint(request);
  const kafka = new Kafka({ brokers: bootstrap.split(","), logLevel: logLevel.NOTHING });
  const [admin, producer] = [kafka.admin(), kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner })];
  // KafkaJS reads only in a group: one of our own, so that nobody takes our verdicts; read_committed is its default.
  const consumer = kafka.consumer({ groupId: `lexecon-client-${randomUUID()}`, maxWaitTimeInMs: 50, readUncommitted: false });
  const seen: KafkaMessage[] = [];
  try {
    await Promise.all([admin.connect(), producer.connect(), consumer.connect()]);
    const ends = await admin.fetchTopicOffsets(VERDICTS); // before asking, or a fast answer is missed
    await consumer.subscribe({ topic: VERDICTS, fromBeginning: false });
    await consumer.run({ autoCommit: false, eachMessage: async ({ message }) => void seen.push(message) });
    for (const end of ends) consumer.seek({ topic: VERDICTS, partition: end.partition, offset: end.high });
    const [written] = await producer.send({ topic: REQUESTS, acks: -1, timeout: TIMEOUT_MS,
      messages: [{ key: request.actor, value: JSON.stringify(request) }] });
    const asked = { fingerprint: mine, partition: written.partition, offset: written.baseOffset! };
    let why = "no verdict in time";
    for (const until = Date.now() + TIMEOUT_MS; Date.now() < until; await new Promise((go) => setTimeout(go, 10)))
      for (const message of seen.splice(0)) {
        try {
          const verdict = JSON.parse(message.value!.toString()); // an Avro one is somebody else's
          if (verdict.request_id === request.request_id) return verify(verdict, request, asked, pins, schema);
        } catch (error) { // a false verdict must not hide a true one behind it
          if (error instanceof Denied) why = `a verdict came and does not verify: ${error.message}`;
        }
      }
    throw new Denied(why);
  } finally {
    await Promise.allSettled([admin.disconnect(), producer.disconnect(), consumer.disconnect()]);
  }
}

const [bootstrap, pinsPath, schemaPath, text] = process.argv.slice(2);
const schema = avro.Type.forSchema(JSON.parse(readFileSync(schemaPath, "utf8")));
try {
  const request = { request_id: `ts-${randomUUID()}`, ...JSON.parse(text) };
  const entry = await ask(bootstrap, JSON.parse(readFileSync(pinsPath, "utf8")), schema, request);
  console.log(`verified: ${entry.outcome}, ${entry.reason_code}, entry ${entry.seq} of ${entry.log}`);
  process.exitCode = entry.outcome === "approved" ? 0 : 1;
} catch (error) {
  console.error(`denied: ${(error as Error).message}`);
  process.exitCode = 1;
}
