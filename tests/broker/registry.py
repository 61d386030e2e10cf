"""registry: a client of a schema registry, with Confluent's own serializers, for the tests on a real broker.

    registry.py URL BOOTSTRAP      reads one command a line: PREFIX COMMAND ARGUMENT...
                                   prints what it found, then "." or "! what went wrong"

    send FORM PARTITION FIRST COUNT             requests PARTITION-FIRST and on; prints the schema's id
    frame FORM ID PARTITION FIRST COUNT [bad]   framed by hand, whatever ID is; `bad`: named bad-FIRST and on
    register FORM                               prints the id
    answers COUNT SECONDS                       "REQUEST FRAMING" a line, COUNT and no more
    letters COUNT SECONDS                       "OFFSET CLASS MESSAGE" a line, COUNT and no more

FORM of `send`: avro (the shipped schema), evolved (a writer with a field more), renewed (with two more),
json-schema, plain (a JSON object, no registry). Of `frame`: those, and truncated, header-id, header-guid,
header-odd, new-ids (each request names the next id). Verdicts in Confluent's framing are read by
AvroDeserializer, with nothing but the id in them.
"""

import io
import json
import os
import shlex
import sys
import time

import fastavro
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
JSON_SCHEMA = {"type": "object", "properties": {"request_id": {"type": "string"}}}
ASKED = [("user", "read"), ("model", "search"), ("model", "write"), ("user", "write")]  # as lex_load does
PROTOBUF = 'syntax = "proto3"; message Request { string request_id = 1; }'


def shipped():
    with open(os.path.join(ROOT, "schemas", "request.avsc"), encoding="utf-8") as file:
        return json.load(file)


def schema_of(form):
    schema = shipped()
    if form in ("evolved", "renewed"):
        schema["fields"].insert(1, {"name": "team", "type": ["null", "string"], "default": None})
    if form == "renewed":
        schema["fields"].append({"name": "cost_centre", "type": "long", "default": 0})
    return schema


def request_of(name, form):
    actor, action = ASKED[int(name.split("-")[1]) % 4]
    request = {"request_id": name, "actor": actor, "proposed_action": action}
    if form in ("evolved", "renewed"):
        request["team"] = "red"
    if form == "renewed":
        request["cost_centre"] = 7
    return request


def body_of(name, form):
    if form in ("json-schema", "plain"):
        return json.dumps(request_of(name, form)).encode()
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema_of(form)), request_of(name, form))
    return out.getvalue()


def prefix_of(identity):
    return b"\0" + int(identity).to_bytes(4, "big")


class Run:
    def __init__(self, url, bootstrap):
        self.registry_url = url
        self.bootstrap = bootstrap
        self.producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5})

    def use(self, prefix):
        # a new client for each command: what an older one cached would hide what the registry says
        self.registry = SchemaRegistryClient({"url": self.registry_url})
        self.prefix = prefix
        self.requests = prefix + ".requests"

    def put(self, name, value, partition, headers=None):
        self.producer.produce(self.requests, key=name, value=value, partition=int(partition),
                              headers=headers or [])

    def flush(self):
        assert self.producer.flush(30) == 0, "the broker took not all of it"

    # ---- requests ----

    def register(self, form):
        if form == "protobuf":
            schema = Schema(PROTOBUF, schema_type="PROTOBUF")
        elif form == "json-schema":
            schema = Schema(json.dumps(JSON_SCHEMA), schema_type="JSON")
        elif form.startswith("string"):
            schema = Schema(json.dumps({"type": "string", "doc": form}), schema_type="AVRO")
        else:
            schema = Schema(json.dumps(schema_of(form)), schema_type="AVRO")
        suffix = "" if form in ("avro", "evolved", "renewed") else "-" + form
        return self.registry.register_schema(self.requests + suffix + "-value", schema)

    def serializer(self, form):
        serialize = AvroSerializer(self.registry, json.dumps(schema_of(form)),
                                   conf={"subject.name.strategy.type": "TOPIC"})
        context = SerializationContext(self.requests, MessageField.VALUE)
        # what the schema has a default for; Python's serializer wants it said
        defaults = {f["name"]: f["default"] for f in schema_of(form)["fields"] if "default" in f}
        return lambda name: serialize({**defaults, **request_of(name, form)}, context)

    def send(self, form, partition, first, count):
        names = [f"{partition}-{n}" for n in range(int(first), int(first) + int(count))]
        if form in ("avro", "evolved", "renewed"):
            serialize = self.serializer(form)
        elif form == "json-schema":
            prefix = prefix_of(self.register(form))
            serialize = lambda name: prefix + body_of(name, form)
        else:
            serialize = lambda name: body_of(name, form)
        values = [serialize(name) for name in names]
        for name, value in zip(names, values):
            self.put(name, value, partition)
        self.flush()
        return int.from_bytes(values[0][1:5], "big") if values[0][:1] == b"\0" else None

    def frame(self, form, identity, partition, first, count, bad=None):
        base = form if form in ("avro", "evolved", "renewed", "json-schema") else "avro"
        for n in range(int(first), int(first) + int(count)):
            name = f"{bad or partition}-{n}"
            body, headers = body_of(name, base), []
            if form == "header-id":
                headers = [("__value_schema_id", prefix_of(identity))]
            elif form == "header-guid":
                headers = [("__value_schema_id", b"\1" + bytes.fromhex(identity))]
            elif form == "header-odd":
                headers = [("__value_schema_id", b"\2odd")]
            elif form == "truncated":
                body = prefix_of(identity)[:3]
            else:
                body = prefix_of(int(identity) + (n - int(first) if form == "new-ids" else 0)) + body
            self.put(name, body, partition, headers)
        self.flush()

    # ---- answers ----

    def read(self, kind, count, seconds):
        topic = f"{self.prefix}.{kind}"
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "nobody",
                             "isolation.level": "read_committed", "enable.auto.commit": False})
        partitions = consumer.list_topics(topic, 10).topics[topic].partitions
        consumer.assign([TopicPartition(topic, p, 0) for p in partitions])
        messages, until = [], time.monotonic() + float(seconds)
        while len(messages) < int(count) and time.monotonic() < until:
            message = consumer.poll(0.1)
            if message is not None and message.error() is None:
                messages.append(message)
        late = consumer.poll(0.3)  # one more than was asked for would be one too many
        consumer.close()
        assert len(messages) == int(count), f"{len(messages)} records in {topic}, not {count}"
        assert late is None or late.error() is not None, f"more than {count} records in {topic}"
        return messages

    def answers(self, count, seconds):
        deserializer = AvroDeserializer(self.registry)
        context = SerializationContext(self.prefix + ".verdicts", MessageField.VALUE)
        lines = []
        for message in self.read("verdicts", count, seconds):
            value = message.value()
            if value[:1] == b"\0":
                entry = deserializer(value, context)["entry"]
                lines.append((entry["request_id"], "confluent"))
            elif value[:1] == b"{":
                verdict = json.loads(value)
                lines.append((verdict["request_id"], "json"))
            else:
                lines.append((message.key().decode(), "avro"))
            assert lines[-1][0] == message.key().decode(), "a verdict under another's key"
        assert len({line[0] for line in lines}) == len(lines), "a request has two verdicts"
        for line in lines:
            print(*line)

    def letters(self, count, seconds):
        for message in self.read("dead-letters", count, seconds):
            headers = {name: value.decode(errors="replace") for name, value in message.headers()}
            print(headers["__connect.errors.offset"],
                  headers["__connect.errors.exception.class.name"],
                  headers["__connect.errors.exception.message"],
                  *(["with-header"] if "__value_schema_id" in headers else []))


def serve(run):
    for line in sys.stdin:
        prefix, command, *arguments = shlex.split(line)
        try:
            run.use(prefix)
            result = getattr(run, command)(*arguments)
            if result is not None:
                print(result)
            print(".", flush=True)
        except Exception as error:  # told to the test, which fails by it
            print("!", type(error).__name__, str(error).replace("\n", " "), flush=True)


if __name__ == "__main__":
    serve(Run(*sys.argv[1:3]))
