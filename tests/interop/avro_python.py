#!/usr/bin/env python3
"""Python's avro package as the oracle of resolution: random writers' schemas, random requests, the
same seed every time. Whatever the package resolves, the service must resolve to the same request.

The package is installed into a venv of the build directory; exit status 77 where that is impossible.
"""
import argparse
import datetime
import io
import json
import os
import random
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "schemas"))
WRITERS, MESSAGES, SEED = 80, 25, 20260101
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def reexec_in_venv(build):
    """The package in a venv, and this script run by it."""
    venv = os.path.join(build, "avro-venv")
    python = os.path.join(venv, "bin", "python")
    try:
        if not os.path.exists(python):
            subprocess.run([sys.executable, "-m", "venv", venv], check=True, capture_output=True)
        if subprocess.run([python, "-c", "import avro.io"], capture_output=True).returncode != 0:
            subprocess.run([python, "-m", "pip", "install", "-q", "avro>=1.11,<2"], check=True,
                           capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"skipped: Python's avro package cannot be installed: {error}")
        sys.exit(77)
    os.execv(python, [python, "-B", *sys.argv, "--inside"])


# ---- random writers ----

UNKNOWN = [
    "null", "boolean", "int", "long", "float", "double", "bytes", "string", ["null", "string"],
    {"type": "array", "items": "long"}, {"type": "map", "values": ["int", "string"]},
    {"type": "fixed", "name": "Blob", "size": 5},
    {"type": "enum", "name": "Mood", "symbols": ["good", "bad"]},
    {"type": "record", "name": "Node", "fields": [
        {"name": "value", "type": "double"}, {"name": "next", "type": ["null", "Node"]}]},
]
CONTEXT_BRANCHES = ["null", "boolean", "int", "long", "float", "double", "string",
                    {"type": "array", "items": "string"}]


def plain(schema):
    """Without logical types, which the package would turn into objects."""
    if isinstance(schema, list):
        return [plain(s) for s in schema]
    if isinstance(schema, dict):
        return {k: plain(v) for k, v in schema.items() if k not in ("logicalType", "doc")}
    return schema


def vary_type(rng, name, schema):
    if name == "context":
        branches = rng.sample(CONTEXT_BRANCHES, rng.randint(1, len(CONTEXT_BRANCHES)))
        one = branches[0] if len(branches) == 1 else branches
        return {"type": "map", "values": one}
    if name == "deadline":
        return rng.choice([["null", "int"], ["long", "null"], "long", "int", schema])
    if isinstance(schema, list) and rng.random() < 0.5:
        return rng.choice([schema[::-1], schema[1], "null"])
    return schema


def random_writer(rng, reader):
    required = ("request_id", "actor", "proposed_action")
    fields = [{"name": f["name"], "type": vary_type(rng, f["name"], f["type"])}
              for f in reader["fields"] if f["name"] in required or rng.random() < 0.8]
    for i, kind in enumerate(rng.sample(UNKNOWN, rng.randint(0, 4))):
        fields.append({"name": f"unknown_{i}", "type": kind})
    rng.shuffle(fields)
    return {"type": "record", "name": "Request", "namespace": "lexecon", "fields": fields}


# ---- random data ----

def random_text(rng):
    return "".join(rng.choice('aZ0"\\\n\u00fc\u20ac\U0001f600') for _ in range(rng.randint(0, 12)))


def random_datum(rng, schema, name=""):
    if name == "arguments" and schema != "null":
        return '{"k": [1, "' + rng.choice("xyz") + '"]}' if schema == "string" else \
            rng.choice([None, '{"k":{}}'])
    if name in ("deadline", "next") and isinstance(schema, list) and rng.random() < 0.5:
        return None
    if name == "deadline":
        return rng.randint(0, 2**31 - 1)
    if isinstance(schema, list):
        return random_datum(rng, rng.choice(schema), name)
    kind = schema if isinstance(schema, str) else schema["type"]
    if kind == "Node":
        return {"value": 0.5, "next": None}
    return {
        "null": lambda: None,
        "boolean": lambda: rng.random() < 0.5,
        "int": lambda: rng.randint(-(2**31), 2**31 - 1) >> rng.randint(0, 31),
        "long": lambda: rng.randint(-(2**63), 2**63 - 1) >> rng.randint(0, 63),
        "float": lambda: rng.randint(-1000, 1000) / 8,
        "double": lambda: rng.random() * 1e6,
        "bytes": lambda: bytes(rng.randint(0, 255) for _ in range(rng.randint(0, 9))),
        "string": lambda: random_text(rng),
        "array": lambda: [random_datum(rng, schema["items"]) for _ in range(rng.randint(0, 3))],
        "map": lambda: {f"k{i}": random_datum(rng, schema["values"])
                        for i in range(rng.randint(0, 4))},
        "fixed": lambda: bytes(range(schema["size"])),
        "enum": lambda: rng.choice(schema["symbols"]),
        "record": lambda: {f["name"]: random_datum(rng, f["type"], f["name"])
                           for f in schema["fields"]},
    }[kind]()


# ---- both answers in one form ----

def instant(text):
    if text is None:
        return None
    delta = datetime.datetime.fromisoformat(text.replace("Z", "+00:00")) - EPOCH
    return (delta.days * 86400 + delta.seconds) * 10**6 + delta.microseconds


def normal(request, names):
    """Every member, JSON text parsed; a number keeps its type."""
    out = {name: request.get(name) for name in names}
    if isinstance(out["arguments"], str):
        out["arguments"] = json.loads(out["arguments"])
    if isinstance(out["deadline"], str):
        out["deadline"] = instant(out["deadline"])
    return json.dumps(out, sort_keys=True)


def make_cases(rng, reader):
    import avro.errors
    import avro.io
    import avro.schema
    import avro_schema
    read_as = avro.schema.parse(json.dumps(reader))
    writers, cases, unresolved = {}, [], 0
    for _ in range(WRITERS):
        writer = random_writer(rng, reader)
        parsed = avro.schema.parse(json.dumps(writer))
        digits = avro_schema.crc64(avro_schema.canonical(writer).encode())
        writers[f"{digits:016x}"] = writer
        for _ in range(MESSAGES):
            datum, out = random_datum(rng, writer), io.BytesIO()
            avro.io.DatumWriter(parsed).write(datum, avro.io.BinaryEncoder(out))
            try:
                back = avro.io.DatumReader(parsed, read_as).read(
                    avro.io.BinaryDecoder(io.BytesIO(out.getvalue())))
            except avro.errors.SchemaResolutionException:
                unresolved += 1
                continue
            frame = b"\xc3\x01" + digits.to_bytes(8, "little")
            cases.append(((frame + out.getvalue()).hex(), back))
    return writers, cases, unresolved


def write_schemas(folder, writers):
    os.makedirs(folder, exist_ok=True)
    for name in os.listdir(folder):
        os.unlink(os.path.join(folder, name))
    for digits, writer in writers.items():
        with open(os.path.join(folder, digits + ".avsc"), "w", encoding="utf-8") as file:
            json.dump(writer, file)


def golden_is_read(reader):
    """The bytes that the unit test pins down mean the same to the package."""
    import avro.io
    import avro.schema
    path = os.path.join(ROOT, "tests", "unit", "test_codec_avro.c")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    start = text.index("want[]", text.index("request_bytes_stay"))
    digits = "".join(text[start:text.index(";", start)].split('"')[1::2])
    schema = avro.schema.parse(json.dumps(reader))
    body = io.BytesIO(bytes.fromhex(digits)[10:])
    request = avro.io.DatumReader(schema, schema).read(avro.io.BinaryDecoder(body))
    assert body.read() == b""
    assert request["actor"] == "agent:billing" and request["deadline"] == 1767225600000000
    assert request["context"] == {"ticket": "T-1", "amount": 12.5, "count": -3, "urgent": True,
                                  "none": None, "regions": ["eu", "us"]}


def run(args):
    import generate
    names = generate.load(generate.default_paths())
    reader = plain(generate.avro.self_contained("lexecon.Request", names))
    golden_is_read(reader)
    writers, cases, unresolved = make_cases(random.Random(SEED), reader)
    folder = os.path.join(args.build, "avro-writers")
    write_schemas(folder, writers)
    done = subprocess.run([args.decode, folder], input="".join(hexa + "\n" for hexa, _ in cases),
                          capture_output=True, text=True, check=True)
    answers = done.stdout.splitlines()
    assert len(answers) == len(cases), "an answer is missing"
    members, wrong = [f["name"] for f in reader["fields"]], 0
    for (hexa, want), answer in zip(cases, answers):
        got = None if answer.startswith("!") else normal(json.loads(answer), members)
        if got != normal(want, members):
            wrong += 1
            print(f"{hexa}\n  package: {normal(want, members)}\n  service: {got or answer}")
    print(f"{len(cases)} messages of {len(writers)} writers, {wrong} differ; "
          f"{unresolved} that the package does not resolve")
    enough = len(cases) > WRITERS * MESSAGES // 3
    return 0 if wrong == 0 and enough else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True)
    parser.add_argument("--decode", required=True)
    parser.add_argument("--inside", action="store_true")
    args = parser.parse_args()
    if not args.inside:
        reexec_in_venv(args.build)
    sys.exit(run(args))


if __name__ == "__main__":
    main()
