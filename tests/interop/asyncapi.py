"""asyncapi.py: schemas/asyncapi.yaml is what its generator makes, hangs together, and says what the program does.

Prints TAP lines. LEX_BUILD is the build. Its structure was also held against AsyncAPI's own JSON Schema (3.0.0), which is
not among what a build may fetch; what is checked here is what that schema cannot see.
"""

import json
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.realpath(os.path.join(HERE, "..", ".."))
sys.path[:0] = [os.path.join(ROOT, "schemas"), HERE]
os.environ.setdefault("LEX_BUILD", "build")

import importlib.util  # noqa: E402

import policy_documents  # noqa: E402

LEXECON = os.path.join(ROOT, os.environ["LEX_BUILD"], "bin", "lexecon")
failed = False


def generator():
    spec = importlib.util.spec_from_file_location("lexecon_asyncapi", os.path.join(ROOT, "schemas", "asyncapi.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def say(true, name, *why):
    global failed
    print(("ok - " if true else "not ok - ") + name)
    if not true:
        failed = True
        for line in why:
            print("#", str(line).replace("\n", "\n# "))


class Schema(policy_documents.Schema):
    """With the keywords that this document uses beyond the policy schema's."""

    def on_contentEncoding(self, *_):
        return None

    def on_patternProperties(self, _, patterns, value, at):
        for pattern, schema in patterns.items():
            for name in value if isinstance(value, dict) else []:
                if policy_documents.matches(pattern, name) and (found := self.check(schema, value[name], f"{at}.{name}")):
                    return found
        return None

    def on_additionalProperties(self, schema, other, value, at):
        for name in value if isinstance(value, dict) else []:
            known = name in schema.get("properties", {}) or any(
                policy_documents.matches(pattern, name) for pattern in schema.get("patternProperties", {}))
            if not known and (found := self.check(other, value[name], f"{at}.{name}")):
                return found
        return None

    def on_maxItems(self, _, most, value, at):
        return f"{at}: too many items" if isinstance(value, list) and len(value) > most else None

    def on_maxProperties(self, _, most, value, at):
        return f"{at}: too many members" if isinstance(value, dict) and len(value) > most else None


# ---- the document hangs together ----

def walk(value, at="#"):
    yield at, value
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else []
    for key, one in inner:
        yield from walk(one, f"{at}/{key}")


def resolves(document, ref):
    if not ref.startswith("#/"):
        return os.path.exists(os.path.join(ROOT, "schemas", ref))
    for step in ref[2:].split("/"):
        if not isinstance(document, dict) or step not in document:
            return False
        document = document[step]
    return True


def dangling(document):
    return [value["$ref"] for _, value in walk(document)
            if isinstance(value, dict) and isinstance(value.get("$ref"), str) and not resolves(document, value["$ref"])]


MEMBERS = {
    "asyncapi": {"asyncapi", "info", "defaultContentType", "servers", "channels", "operations", "components"},
    "channel": {"address", "description", "servers", "messages", "bindings"},
    "operation": {"action", "channel", "summary", "reply"},
    "message": {"name", "title", "summary", "contentType", "headers", "payload", "bindings"},
}


def strange(document):
    """Members that AsyncAPI 3.0 does not have there, or that are missing."""
    found = set(document) ^ MEMBERS["asyncapi"]
    for channel in document["channels"].values():
        found |= set(channel) ^ MEMBERS["channel"]
    for operation in document["operations"].values():
        found |= set(operation) - MEMBERS["operation"] | {"action", "channel"} - set(operation)
        found |= {operation["action"]} - {"send", "receive"}
    for message in document["components"]["messages"].values():
        found |= set(message) ^ MEMBERS["message"]
    return found


def check_structure(document, made):
    with open(os.path.join(ROOT, "schemas", "asyncapi.yaml"), encoding="utf-8") as file:
        say(file.read() == made, "schemas/asyncapi.yaml is what its generator makes",
            "run: python3 schemas/asyncapi.py > schemas/asyncapi.yaml")
    say(document["asyncapi"] == "3.0.0" and not strange(document), "it has the members of AsyncAPI 3.0",
        strange(document))
    say(not dangling(document), "every reference leads somewhere", dangling(document))
    say(dangling({"a": {"$ref": "#/b"}}) == ["#/b"], "a reference that leads nowhere would be noticed")
    used = {one["$ref"].split("/")[-1] for channel in document["channels"].values() for one in channel["messages"].values()}
    say(used == set(document["components"]["messages"]), "every message is in a channel, and no other")
    ends = {operation["channel"]["$ref"].split("/")[-1] for operation in document["operations"].values()}
    say(ends == set(document["channels"]), "every channel has an operation, and no other")


# ---- and says what the program does ----

def check_topics(document):
    plan = json.loads(subprocess.run([LEXECON, "topics", "plan", "--format", "json"], env={}, check=True,
                                     stdout=subprocess.PIPE).stdout)["topics"]
    told = {channel["address"]: channel["bindings"]["kafka"]["topicConfiguration"]
            for channel in document["channels"].values()}
    say({topic["topic"] for topic in plan} == set(told), "its channels are the plan's topics")
    say(all(told[topic["topic"]]["cleanup.policy"] == [topic["config"]["cleanup.policy"]] and
            str(told[topic["topic"]].get("retention.ms")) == str(topic["config"].get("retention.ms"))
            for topic in plan), "and their settings the plan's")


SAMPLES = {"risk_level": 2, "deadline": "2035-01-01T00:00:00Z", "context": {"a": [None, True, 1, 1.5, "x", ["y"]][4]},
           "arguments": {"a": {"b": 1}}, "data_classes": ["pii"], "attestations": ["x"], "want_token": True,
           "policy_mode": "strict"}


def decides(request):
    done = subprocess.run([LEXECON, "decide", "--policy", os.path.join(ROOT, "policies/compat/example_policy.json")],
                          input=json.dumps(request), env={}, text=True, stdout=subprocess.PIPE, check=False)
    return json.loads(done.stdout)


def refused(request):
    """The reader's own refusal: undecodable, not merely denied."""
    answer = decides(request)
    return answer["reason_code"] == "INVALID_REQUEST" and "column" in answer["reason"]


def check_request(schema):
    judge = Schema(schema)
    known = list(schema["properties"])
    for name in known:
        request = {"request_id": "r", "actor": "model", "proposed_action": "search"}
        request[name] = SAMPLES.get(name, request.get(name, "text"))
        if judge.problem(request) or refused(request):
            say(False, f"request: {name} is taken by schema and program", judge.problem(request), decides(request))
    say(len(known) >= 18, f"request: all {len(known)} members are taken by schema and program")
    base = {"request_id": "r", "actor": "model", "proposed_action": "search"}
    wrong = [dict(base, colour=1), dict(base, risk_level="2"), dict(base, data_classes="pii"), dict(base, arguments=[]),
             dict(base, context={"a": {"b": 1}}), dict(base, want_token=1)]
    say(all(judge.problem(one) and refused(one) for one in wrong), "request: what the program refuses, the schema refuses",
        *[(one, judge.problem(one), refused(one)) for one in wrong])
    say(not judge.problem(dict(base, x_mine={"a": 1})) and not refused(dict(base, x_mine={"a": 1})),
        "request: x_ members are taken by both")
    say(judge.problem({"actor": "model"}) is not None, "request: what is required is missed")


def example(name):
    with open(os.path.join(ROOT, "schemas", "examples", name), encoding="utf-8") as file:
        return json.load(file)


def check_examples(schemas):
    request, verdict = Schema(schemas["Request"]), Schema(schemas["Verdict"])
    say(request.problem(example("request.json")) is None, "the example request fits", request.problem(example("request.json")))
    say(verdict.problem(example("verdict.json")) is None, "the example verdict fits", verdict.problem(example("verdict.json")))
    shown = example("verdict.json")
    say(set(shown) | {"token"} == set(schemas["Verdict"]["properties"]), "a verdict's members are those of the example",
        set(shown) ^ set(schemas["Verdict"]["properties"]))
    say(verdict.problem(dict(shown, colour=1)) and verdict.problem({k: v for k, v in shown.items() if k != "entry"}),
        "a verdict with a member more, or without its entry, does not fit")


def check_fields(document):
    """Each field of the .avsc is a member, and no other."""
    with open(os.path.join(ROOT, "schemas", "request.avsc"), encoding="utf-8") as file:
        fields = {field["name"]: field for field in json.load(file)["fields"]}
    schema = document["components"]["schemas"]["Request"]
    say(set(fields) == set(schema["properties"]), "a request's members are the fields of request.avsc")
    say({name for name in fields if "default" not in fields[name]} == set(schema["required"]),
        "required is what has no default in request.avsc")
    marks = {os.path.basename(value["$ref"])[:-5] for _, value in walk(document["components"]["messages"])
             if isinstance(value, dict) and str(value.get("$ref", "")).endswith(".avsc")}
    with open(os.path.join(ROOT, "schemas", "published", "fingerprints"), encoding="utf-8") as file:
        newest = dict(reversed(line.split()) for line in file.read().splitlines() if re.match("[0-9a-f]{16} ", line))
    say(marks == set(newest.values()), "Avro payloads are the newest published schemas", marks, newest)


def main():
    module = generator()
    document = module.document()
    check_structure(document, module.text())
    check_topics(document)
    check_fields(document)
    check_request(document["components"]["schemas"]["Request"])
    check_examples(document["components"]["schemas"])
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
