"""Avro schemas as plain JSON: names, self-contained text, parsing canonical form, fingerprint.

Standard library only, since the build runs it. Sources: Avro 1.11 specification, "Names", "Parsing
Canonical Form for Schemas" and "Schema Fingerprints".
"""
import json

PRIMITIVES = ("null", "boolean", "int", "long", "float", "double", "bytes", "string")
CRC_EMPTY = 0xC15D213AA4D7A795


def _crc_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (CRC_EMPTY if value & 1 else 0)
        table.append(value)
    return table


CRC_TABLE = _crc_table()


def crc64(data):
    """CRC-64-AVRO (Rabin) of bytes."""
    crc = CRC_EMPTY
    for byte in data:
        crc = (crc >> 8) ^ CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc


def full_name(schema, namespace):
    name = schema["name"]
    if "." in name:
        return name
    namespace = schema.get("namespace", namespace)
    return f"{namespace}.{name}" if namespace else name


def space_of(fullname):
    return fullname.rpartition(".")[0]


def resolve_name(name, namespace):
    if name in PRIMITIVES or "." in name or not namespace:
        return name
    return f"{namespace}.{name}"


class Names:
    """Named types by full name, over all files read so far."""

    def __init__(self):
        self.types = {}

    def collect(self, schema, namespace=""):
        if isinstance(schema, list):
            for branch in schema:
                self.collect(branch, namespace)
        elif isinstance(schema, dict):
            self._collect_complex(schema, namespace)

    def _collect_complex(self, schema, namespace):
        kind = schema["type"]
        if isinstance(kind, (dict, list)):
            return self.collect(kind, namespace)
        if kind in ("record", "enum", "fixed"):
            full = full_name(schema, namespace)
            if full in self.types:
                raise SystemExit(f"schemas: {full} is defined twice")
            self.types[full] = schema
            for field in schema.get("fields", ()):
                self.collect(field["type"], space_of(full))
        self.collect(schema.get("items"), namespace)
        self.collect(schema.get("values"), namespace)

    def find(self, name, namespace):
        full = resolve_name(name, namespace)
        if full not in self.types:
            raise SystemExit(f"schemas: no type is named {full}")
        return full, self.types[full]


def self_contained(schema, names, namespace="", seen=None):
    """The schema with each named type spelled out where it is first used, and named afterwards."""
    seen = set() if seen is None else seen
    if isinstance(schema, list):
        return [self_contained(branch, names, namespace, seen) for branch in schema]
    if isinstance(schema, str):
        if schema in PRIMITIVES:
            return schema
        full, found = names.find(schema, namespace)
        if full in seen:
            return full
        return self_contained(dict(found, name=full), names, "", seen)
    out = dict(schema)
    kind = schema["type"]
    if kind in ("record", "enum", "fixed"):
        full = full_name(schema, namespace)
        seen.add(full)
        out.pop("namespace", None)
        out["name"] = full
        if kind == "record":
            out["fields"] = [
                dict(f, type=self_contained(f["type"], names, space_of(full), seen))
                for f in schema["fields"]
            ]
        return out
    for member in ("items", "values"):
        if member in schema:
            out[member] = self_contained(schema[member], names, namespace, seen)
    if isinstance(kind, (dict, list)) or kind not in PRIMITIVES + ("array", "map"):
        out["type"] = self_contained(kind, names, namespace, seen)
    return out


def _quote(text):
    return json.dumps(text, ensure_ascii=False)


def canonical(schema, namespace=""):
    """Parsing canonical form of a self-contained schema."""
    if isinstance(schema, str):
        return _quote(resolve_name(schema, namespace))
    if isinstance(schema, list):
        return "[" + ",".join(canonical(branch, namespace) for branch in schema) + "]"
    kind = schema["type"]
    if isinstance(kind, (dict, list)) or kind in PRIMITIVES:
        return canonical(kind, namespace)
    if kind == "array":
        return '{"type":"array","items":' + canonical(schema["items"], namespace) + "}"
    if kind == "map":
        return '{"type":"map","values":' + canonical(schema["values"], namespace) + "}"
    if kind not in ("record", "error", "enum", "fixed"):
        return _quote(resolve_name(kind, namespace))
    full = full_name(schema, namespace)
    head = '{"name":' + _quote(full) + ',"type":' + _quote(kind)
    if kind == "enum":
        return head + ',"symbols":[' + ",".join(_quote(s) for s in schema["symbols"]) + "]}"
    if kind == "fixed":
        return head + f',"size":{int(schema["size"])}}}'
    fields = ",".join(
        '{"name":' + _quote(f["name"]) + ',"type":' + canonical(f["type"], space_of(full)) + "}"
        for f in schema["fields"]
    )
    return head + ',"fields":[' + fields + "]}"


def fingerprint(schema):
    return crc64(canonical(schema).encode("utf-8"))
