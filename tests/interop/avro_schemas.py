#!/usr/bin/env python3
"""The schemas keep their promise: every version that was ever published can still be read.

BACKWARD_TRANSITIVE: the current schema resolves each older one. Also: what is published is what its
fingerprint says, and the current schemas are published. The checker itself is checked first, with
changes that it must refuse and others that it must allow.
"""
import copy
import json
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "schemas"))
import avro_schema as avro  # noqa: E402
import generate  # noqa: E402

PROMOTIONS = {
    "int": ("int", "long", "float", "double"),
    "long": ("long", "float", "double"),
    "float": ("float", "double"),
    "string": ("string", "bytes"),
    "bytes": ("bytes", "string"),
}


class Side:
    """One self-contained schema with its named types."""

    def __init__(self, schema):
        self.names = avro.Names()
        self.names.collect(schema)
        self.schema = schema

    def base(self, schema):
        if isinstance(schema, str):
            return schema if schema in avro.PRIMITIVES else self.names.types[schema]
        if isinstance(schema, dict) and schema["type"] in avro.PRIMITIVES:
            return schema["type"]
        if isinstance(schema, dict) and isinstance(schema["type"], (dict, list)):
            return self.base(schema["type"])
        return schema


def kind_of(schema):
    if isinstance(schema, list):
        return "union"
    return schema if isinstance(schema, str) else schema["type"]


def short(name):
    return name.rpartition(".")[2]


def same_name(writer, reader):
    aliases = [short(alias) for alias in reader.get("aliases", [])]
    return short(writer["name"]) in [short(reader["name"])] + aliases


def problems(old, new, writer, reader, path):
    """What stops `reader` of side new from reading what `writer` of side old wrote."""
    writer, reader = old.base(writer), new.base(reader)
    wkind, rkind = kind_of(writer), kind_of(reader)
    if wkind == "union":
        return [p for branch in writer for p in problems(old, new, branch, reader, path)]
    if rkind == "union":
        fits = [not problems(old, new, writer, branch, path) for branch in reader]
        return [] if any(fits) else [f"{path}: no branch reads {wkind}"]
    if isinstance(reader, str):
        fine = rkind in PROMOTIONS.get(wkind, (wkind,))
        return [] if fine else [f"{path}: {wkind} became {rkind}"]
    if wkind != rkind:
        return [f"{path}: {wkind} became {rkind}"]
    return COMPLEX[rkind](old, new, writer, reader, path)


def record_problems(old, new, writer, reader, path):
    if not same_name(writer, reader):
        return [f"{path}: record {writer['name']} became {reader['name']}"]
    out, fields = [], {field["name"]: field for field in writer["fields"]}
    for field in reader["fields"]:
        names = [field["name"]] + field.get("aliases", [])
        found = next((fields[name] for name in names if name in fields), None)
        where = f"{path}.{field['name']}"
        if found is not None:
            out += problems(old, new, found["type"], field["type"], where)
        elif "default" not in field:
            out.append(f"{where}: new field without a default")
    return out


def enum_problems(old, new, writer, reader, path):
    if not same_name(writer, reader):
        return [f"{path}: enum {writer['name']} became {reader['name']}"]
    lost = [s for s in writer["symbols"] if s not in reader["symbols"]]
    return [f"{path}: symbols {lost} are gone"] if lost and "default" not in reader else []


def fixed_problems(old, new, writer, reader, path):
    same = same_name(writer, reader) and writer["size"] == reader["size"]
    return [] if same else [f"{path}: fixed changed its name or size"]


COMPLEX = {
    "record": record_problems,
    "enum": enum_problems,
    "fixed": fixed_problems,
    "array": lambda o, n, w, r, p: problems(o, n, w["items"], r["items"], p + "[]"),
    "map": lambda o, n, w, r, p: problems(o, n, w["values"], r["values"], p + "{}"),
}


def check(old, new):
    old, new = Side(old), Side(new)
    return problems(old, new, old.schema, new.schema, new.schema["name"])


def changed(schema, change):
    out = copy.deepcopy(schema)
    change(out)
    return out


def field(schema, name):
    return next(f for f in schema["fields"] if f["name"] == name)


def set_type(name, value):
    return lambda s: field(s, name).update(type=value)


def without(name):
    return lambda s: s["fields"].remove(field(s, name))


REFUSED = {
    "a new field without a default": lambda s: s["fields"].append({"name": "new", "type": "int"}),
    "another type": set_type("tool", ["null", "int"]),
    "null no longer allowed": set_type("tool", "string"),
    "a narrower number": set_type("deadline", ["null", "int"]),
    "a field renamed": lambda s: field(s, "actor").update(name="who"),
    "the record renamed": lambda s: s.update(name="lexecon.Ask"),
    "a branch of the context gone": set_type("context", {"type": "map", "values": ["null", "string"]}),
    "another item type": set_type("data_classes", {"type": "array", "items": "int"}),
}
ALLOWED = {
    "a new field with a default": lambda s: s["fields"].append(
        {"name": "new", "type": "int", "default": 0}),
    "a field gone": without("nonce"),
    "a wider number": set_type("risk_level", "long"),
    "a field renamed with its alias": lambda s: field(s, "actor").update(
        name="who", aliases=["actor"]),
    "the record renamed with its alias": lambda s: s.update(
        name="lexecon.Ask", aliases=["lexecon.Request"]),
    "optional at last": set_type("request_id", ["null", "string"]),
}


def check_the_checker(request):
    for what, change in REFUSED.items():
        assert check(request, changed(request, change)), f"the checker allows: {what}"
    for what, change in ALLOWED.items():
        assert not check(request, changed(request, change)), f"the checker refuses: {what}"


def current_schemas():
    paths = generate.default_paths()
    names = generate.load(paths)
    return {full: avro.self_contained(full, names) for full in generate.tops(names, paths)}


def check_entry_changes(entry):
    grow = changed(entry, lambda s: field(s, "event_type")["type"]["symbols"].append("more"))
    assert not check(entry, grow), "the checker refuses a new symbol"
    assert check(grow, entry), "the checker allows a symbol to go"


def main():
    published = generate.read_published()
    current = current_schemas()
    check_the_checker(current["lexecon.Request"])
    check_entry_changes(current["lexecon.LedgerEntry"])
    failures = []
    for digits, full, schema in published:
        if f"{avro.fingerprint(schema):016x}" != digits:
            failures.append(f"published/{digits}.avsc has another fingerprint: never edit it")
        failures += [f"{digits} {full}: {p}" for p in check(schema, current[full])]
    known = {digits for digits, _, _ in published}
    for full, schema in current.items():
        if f"{avro.fingerprint(schema):016x}" not in known:
            failures.append(f"{full} is not published: schemas/generate.py --publish")
    for line in failures:
        print(line)
    print(f"{len(published)} published schemas, {len(failures)} problems")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
