"""asyncapi.py: schemas/asyncapi.yaml out of the Avro schemas and the table of topics.

    python3 schemas/asyncapi.py > schemas/asyncapi.yaml

AsyncAPI 3.0 (https://www.asyncapi.com/docs/reference/specification/v3.0.0). What a request and a verdict look like in
JSON follows docs/formats.md; their fields are the .avsc files', so that a field that is added there is here too.
"""

import json
import os
import re

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), ".."))
PUBLISHED = "https://example.com/lexecon/schemas/published/"
# The readable members of a verdict in JSON that repeat the entry's fields, in the codec's order.
REPEATED = ["request_id", "decision_id", "outcome", "allowed", "reason_code", "reason", "rules", "obligations", "warnings",
            "policy", "actor", "action", "evaluated_at", "valid_until", "log", "seq"]
AVRO, JSON, CONFLUENT = "avro/binary", "application/json", "application/vnd.confluent.avro"


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def avsc(name):
    return json.loads(read(f"schemas/{name}.avsc"))


def fingerprints():
    return dict(reversed(line.split()) for line in read("schemas/published/fingerprints").splitlines()
                if line and not line.startswith("#"))


def topics():
    rows = re.findall(r'^LEX_TOPIC\((\w+), "([\w-]+)", \w+, \w+, "(\w+)", (-?\d+),\s*"(.*?)"\)', read("consumer/topics.def"),
                      re.M | re.S)
    return [{"role": role, "word": word, "cleanup": cleanup, "days": int(days), "why": why}
            for role, word, cleanup, days, why in rows]


# ---- an Avro type as the JSON reader and writer have it ----

STRING = {"type": "string"}
LINE = {"type": "string", "minLength": 1}
BASE64 = {"type": "string", "contentEncoding": "base64"}
INSTANT = {"type": "string", "format": "date-time"}
PLAIN = {"string": STRING, "boolean": {"type": "boolean"}, "int": {"type": "integer"}, "long": {"type": "integer"},
         "double": {"type": "number"}, "null": {"type": "null"}}


def shape(type_, text=None):
    """JSON Schema of a field's value; `text` is how the table says that a string or bytes are written."""
    if text == "object":
        return {"type": "object"}
    if text == "hex":
        return {"type": "string", "pattern": "^[0-9a-f]*$"}
    if isinstance(type_, list):
        shapes = [shape(one, text) for one in type_]
        return {"anyOf": shapes} if len(shapes) > 2 else shapes[-1]
    if isinstance(type_, str):
        return dict(PLAIN.get(type_, STRING))
    if "logicalType" in type_:
        return dict(INSTANT)
    kind = type_["type"]
    if kind == "array":
        return {"type": "array", "items": shape(type_["items"])}
    if kind == "map":
        return {"type": "object", "additionalProperties": shape(type_["values"])}
    if kind == "enum":
        return {"type": "string", "enum": type_["symbols"]}
    if kind == "record":
        return record(type_)
    return dict(BASE64)


def record(schema):
    return {"type": "object", "properties": {field["name"]: shape(field["type"], field.get("text"))
                                             for field in schema["fields"]}}


def described(field):
    value = shape(field["type"], field.get("text"))
    if field.get("doc"):
        value["description"] = field["doc"]
    if "max_items" in field and value["type"] in ("array", "object"):
        value["maxItems" if value["type"] == "array" else "maxProperties"] = field["max_items"]
    return value


def request_schema():
    fields = avsc("request")["fields"]
    return {
        "type": "object",
        "description": "Names that begin with x_ are checked to be JSON and kept out of everything else; any other member is "
                       "an error. null for a member that has a value when absent means the same as leaving it out.",
        "required": [field["name"] for field in fields if "default" not in field],
        "properties": {field["name"]: described(field) for field in fields},
        "patternProperties": {"^x_": True},
        "additionalProperties": False,
    }


def repeated(name, fields):
    if name == "policy":
        text = {"type": ["string", "null"]}
        return {"type": "object", "properties": {"id": text, "version": text, "hash": text}}
    value = described(fields[name])
    optional = isinstance(fields[name]["type"], list)
    if optional and isinstance(value.get("type"), str):
        value["type"] = [value["type"], "null"]
    return value


def verdict_schema():
    fields = {field["name"]: field for field in avsc("ledger_entry")["fields"]}
    attestation = next(field for field in avsc("verdict")["fields"] if field["name"] == "attestation")
    properties = {name: repeated(name, fields) for name in REPEATED}
    properties["entry"] = dict(BASE64, description="The ledger record, byte for byte: the only member that is proven.")
    properties["attestation"] = dict(record(attestation["type"]),
                                     required=[field["name"] for field in attestation["type"]["fields"]])
    properties["token"] = {"type": "string", "description": "A capability token, where one was asked for and given."}
    return {
        "type": "object",
        "description": "All members before entry repeat what it says. `allowed` is true only where the outcome is approved; "
                       "whatever does not verify is a denial.",
        "required": [name for name in properties if name != "token"],
        "properties": properties,
        "additionalProperties": False,
    }


def avro_payload(name):
    marks = fingerprints()
    full = {"request": "lexecon.Request", "verdict": "lexecon.Verdict", "ledger_entry": "lexecon.LedgerEntry"}[name]
    mark = marks[full]
    return {"schemaFormat": "application/vnd.apache.avro+json;version=1.9.0",
            "schema": {"$ref": f"./published/{mark}.avsc"}}


# ---- the document ----

KEY = {"type": "string", "description": "The actor's canonical name, such as actor:agent. It chooses the partition; verdict, "
                                        "entry and dead letter carry it on."}
TRACE = {"traceparent": {"type": "string", "description": "W3C Trace Context; handed on to the verdict."}}


def headers(properties):
    return {"type": "object", "properties": properties}


def message(title, content_type, payload, properties, summary):
    return {"name": title[0].lower() + title[1:], "title": title, "summary": summary, "contentType": content_type,
            "headers": headers(properties), "payload": payload, "bindings": {"kafka": {"key": KEY, "bindingVersion": "0.5.0"}}}


def messages():
    letter = {"__connect.errors.topic": STRING, "__connect.errors.partition": STRING, "__connect.errors.offset": STRING,
              "__connect.errors.exception.class.name": {"type": "string", "enum": re.findall(
                  r"^LEX_UNDECODABLE\((\w+),", read("core/codec/undecodable.def"), re.M)},
              "__connect.errors.exception.message": STRING, "lexecon.original.bytes": STRING,
              "lexecon.original.sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"}}
    asked = dict(TRACE, **{"lexecon-replayed-from": {
        "type": "string", "description": "<dead letters>/<partition>/<offset>, of a request that was replayed."}})
    confluent = dict(asked, **{"__value_schema_id": {
        "type": "string", "description": "The schema's id, where it does not stand before the value."}})
    schema = {"$ref": "#/components/schemas/Request"}
    verdict = {"$ref": "#/components/schemas/Verdict"}
    return {
        "RequestJson": message("RequestJson", JSON, schema, asked, "A decision request as a JSON object."),
        "RequestAvro": message("RequestAvro", AVRO, avro_payload("request"), asked,
                               "A decision request in Avro's single-object encoding: C3 01, fingerprint, record."),
        "RequestConfluent": message("RequestConfluent", CONFLUENT, avro_payload("request"), confluent,
                                    "A decision request behind a schema registry's id; needs schema_registry_url."),
        "VerdictJson": message("VerdictJson", JSON, verdict, TRACE, "The signed answer to a request that came in JSON."),
        "VerdictAvro": message("VerdictAvro", AVRO, avro_payload("verdict"), TRACE,
                               "The signed answer to a request that came in Avro."),
        "VerdictConfluent": message("VerdictConfluent", CONFLUENT, avro_payload("verdict"), TRACE,
                                    "The signed answer behind a schema registry's id."),
        "LedgerEntry": message("LedgerEntry", AVRO, avro_payload("ledger_entry"), {},
                               "One entry of a partition's hash chain; always single-object Avro."),
        "DeadLetter": message("DeadLetter", "application/octet-stream", BASE64, letter,
                              "A request that could not be decoded: up to dead_letter_max_bytes of it, tokens blanked."),
        "PublishedPolicy": dict(message("PublishedPolicy", "application/jose", LINE, {},
                                        "A policy document as a JWS (EdDSA), under the key policy/<policy_id>."),
                                bindings={"kafka": {"key": {"type": "string", "pattern": "^policy/"},
                                                    "bindingVersion": "0.5.0"}}),
        "ArchivedPolicy": dict(message("ArchivedPolicy", "application/octet-stream", BASE64, {},
                                       "A piece of a policy's text that is too large for a ledger entry."),
                               bindings={"kafka": {"key": {"type": "string", "pattern": "^archive/"},
                                                   "bindingVersion": "0.5.0"}}),
    }


IN = {"REQUESTS": ["RequestJson", "RequestAvro", "RequestConfluent"],
      "VERDICTS": ["VerdictJson", "VerdictAvro", "VerdictConfluent"], "LEDGER": ["LedgerEntry"],
      "DEAD_LETTERS": ["DeadLetter"], "POLICIES": ["PublishedPolicy", "ArchivedPolicy"]}


def name_of(topic):
    first, *rest = topic["word"].split("-")
    return first + "".join(word.capitalize() for word in rest)


def channels():
    found = {}
    for topic in topics():
        settings = {"cleanup.policy": [topic["cleanup"]]}
        if topic["cleanup"] == "delete":
            settings["retention.ms"] = -1 if topic["days"] < 0 else topic["days"] * 86400000
        binding = {"topic": "lexecon." + topic["word"], "topicConfiguration": settings, "bindingVersion": "0.5.0"}
        found[name_of(topic)] = {
            "address": "lexecon." + topic["word"], "description": "Kept " + topic["why"] + ".",
            "servers": [{"$ref": "#/servers/kafka"}],
            "messages": {name: {"$ref": "#/components/messages/" + name} for name in IN[topic["role"]]},
            "bindings": {"kafka": binding}}
    return found


# Who does what, seen from the application of each: operation, action, channel, in words, its answer's channel.
OPERATIONS = [
    ("gatewayAsks", "send", "requests", "A gateway asks for leave on behalf of an agent.", "verdicts"),
    ("gatewayHears", "receive", "verdicts", "A gateway reads its verdicts, isolation.level=read_committed, and verifies them.", None),
    ("serviceDecides", "receive", "requests", "The service decides each request once, in the order of its partition.", "verdicts"),
    ("serviceAnswers", "send", "verdicts", "The signed verdict, in the partition of the request's number.", None),
    ("serviceRecords", "send", "ledger", "The entry, in the same transaction as the verdict and the request's offset.", None),
    ("serviceRecovers", "receive", "ledger", "The last entries, when a partition is taken over; the mirror.", None),
    ("serviceGivesUp", "send", "deadLetters", "What cannot be decoded, with the reason.", None),
    ("serviceFollowsPolicies", "receive", "policies", "The newest published policy, under policy=topic:<policy_id>.", None),
    ("serviceArchivesPolicies", "send", "policies", "The text of a policy over 48 KiB.", None),
    ("auditorVerifies", "receive", "ledger", "An auditor reads committed entries and verifies the chain.", None),
    ("authorPublishes", "send", "policies", "A policy's author publishes what `lexecon policy sign` made.", None),
    ("operatorLooks", "receive", "deadLetters", "`lexecon dlq list`.", None),
    ("operatorReplays", "send", "requests", "`lexecon dlq replay`.", None),
]


def operation(action, channel, summary, reply):
    found = {"action": action, "channel": {"$ref": "#/channels/" + channel}, "summary": summary}
    if reply is not None:
        found["reply"] = {"channel": {"$ref": "#/channels/" + reply}}
    return found


def document():
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Lexecon", "version": re.search(r"VERSION (\S+) LANGUAGES", read("CMakeLists.txt"))[1],
            "description": "Decisions about what AI agents may do, over Kafka: a request in, a signed verdict and an entry of a "
                           "hash-chained ledger out, in one transaction. Names of topics are options; these are the defaults.",
            "license": {"name": "Apache-2.0" if "Apache License" in read("LICENSE") else "see LICENSE"},
        },
        "defaultContentType": JSON,
        "servers": {"kafka": {
            "host": "kafka.example.com:9093", "protocol": "kafka-secure",
            "description": "Your own cluster, Kafka 2.5 or newer.",
            "security": [{"$ref": "#/components/securitySchemes/scram"}]}},
        "channels": channels(),
        "operations": {name: operation(*rest) for name, *rest in OPERATIONS},
        "components": {
            "securitySchemes": {"scram": {"type": "scramSha512", "description": "Or whatever the cluster asks for."}},
            "schemas": {"Request": request_schema(), "Verdict": verdict_schema()},
            "messages": messages(),
        },
    }


# ---- YAML ----

def scalar(value):
    """Strings in double quotes, as JSON has them: no word of them can mean something else."""
    return json.dumps(value, ensure_ascii=False)


def emit(value, indent=0):
    pad = "  " * indent
    lines = []
    if isinstance(value, dict):
        for key, inner in value.items():
            name = key if re.fullmatch(r"[A-Za-z][\w.]*", key) else scalar(key)
            if isinstance(inner, (dict, list)) and inner:
                lines += [f"{pad}{name}:"] + emit(inner, indent + 1)
            else:
                lines.append(f"{pad}{name}: {scalar(inner)}")
        return lines
    for inner in value:
        if isinstance(inner, dict) and inner:
            first, *rest = emit(inner, indent + 1)
            lines += [f"{pad}- {first.lstrip()}"] + rest
        else:
            lines.append(f"{pad}- {scalar(inner)}")
    return lines


def text():
    return "# Made by schemas/asyncapi.py out of the Avro schemas and the table of topics.\n" + "\n".join(emit(document())) + "\n"


if __name__ == "__main__":
    print(text(), end="")
