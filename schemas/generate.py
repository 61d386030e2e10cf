#!/usr/bin/env python3
"""Generates the record structs and field tables from the Avro schemas. Standard library only.

    generate.py --out DIR            writes DIR/schemas/records.h and DIR/schemas/records.c
    generate.py --publish            adds the current schemas to published/ (a new wire version)

Beside Avro's own attributes a schema may carry, on a field:
    "max_items": N    ceiling of an array or a map (required for each)
    "text": "json"    a string that holds JSON; "object": that holds a JSON object;
                      "hex": a fixed that JSON shows in hexadecimal, not in base64
These are no part of the parsing canonical form, so they change no fingerprint.
"""
import argparse
import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import avro_schema as avro  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = ("request", "ledger_entry", "verdict")  # the types that travel by themselves
SCALAR_BYTES = {"BOOL": 1, "INT": 5, "LONG": 10, "OPT_LONG": 11, "STRING": 10, "OPT_STRING": 11,
                "FIXED": 0, "OPT_FIXED": 1, "ENUM": 5, "STRING_LIST": 11, "FIXED_LIST": 11,
                "RECORD_LIST": 11, "VALUE_MAP": 11}
CONTEXT = ["null", "boolean", "long", "double", "string", {"type": "array", "items": "string"}]


def snake(name):
    name = name.rpartition(".")[2]
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def c_string(text):
    """A C literal, cut into lines."""
    out, line = [], ""
    for char in text:
        piece = {'"': '\\"', "\\": "\\\\", "\n": "\\n"}.get(char, char)
        line += piece
        if len(line) > 90:
            out.append(f'    "{line}"')
            line = ""
    out.append(f'    "{line}"')
    return "\n".join(out)


class Field:
    def __init__(self, record, spec):
        self.where = f"{record}.{spec['name']}"
        self.name, self.spec = spec["name"], spec
        self.kind = self.symbols = self.record = None
        self.size, self.fixed, self.text = 0, "", "PLAIN"
        if spec.get("text"):
            self.text = spec["text"].upper()

    def refuse(self, why):
        raise SystemExit(f"schemas: {self.where}: {why}")


class Generator:
    def __init__(self, names):
        self.names = names
        self.enums, self.records = {}, {}  # full name -> ..., in order of definition

    def base(self, schema, namespace):
        """(kind, schema) with references and wrappers resolved."""
        if isinstance(schema, str):
            if schema in avro.PRIMITIVES:
                return schema, {"type": schema}
            full, found = self.names.find(schema, namespace)
            return found["type"], dict(found, full=full)
        if isinstance(schema, list):
            return "union", schema
        kind = schema["type"]
        if kind in ("record", "enum", "fixed"):
            return kind, dict(schema, full=avro.full_name(schema, namespace))
        if kind in avro.PRIMITIVES or kind in ("array", "map"):
            return kind, schema
        return self.base(kind, namespace)

    def enum(self, schema):
        self.enums.setdefault(schema["full"], schema)
        return schema["full"]

    def record(self, schema):
        full = schema["full"]
        if full not in self.records:
            fields = [self.field(full, spec) for spec in schema["fields"]]
            self.records[full] = (schema, fields)
        return full

    def field(self, full, spec):
        field = Field(full, spec)
        kind, schema = self.base(spec["type"], avro.space_of(full))
        optional = kind == "union"
        if optional:
            if len(schema) != 2 or schema[0] != "null":
                field.refuse("a union is null and one other type here")
            kind, schema = self.base(schema[1], avro.space_of(full))
        logical = schema.get("logicalType", "")
        if logical in ("timestamp-micros", "timestamp-millis"):
            field.text = logical[10:].upper()
        self.set_kind(field, kind, schema, avro.space_of(full))
        if optional:
            if field.kind not in ("LONG", "STRING", "FIXED"):
                field.refuse(f"an optional {kind} has no struct form")
            field.kind = "OPT_" + field.kind
        return field

    def set_kind(self, field, kind, schema, namespace):
        simple = {"boolean": "BOOL", "int": "INT", "long": "LONG", "string": "STRING"}
        if kind in simple:
            field.kind = simple[kind]
        elif kind == "enum":
            field.kind, field.symbols = "ENUM", self.enum(schema)
        elif kind == "fixed":
            field.kind, field.size, field.fixed = "FIXED", schema["size"], schema["full"]
        elif kind == "record":
            field.kind, field.record = "RECORD", self.record(schema)
        elif kind == "array":
            self.set_list(field, *self.base(schema["items"], namespace))
        elif kind == "map" and schema["values"] == CONTEXT:
            field.kind = "VALUE_MAP"
        else:
            field.refuse(f"type {kind} has no struct form")
        if field.kind.endswith(("_LIST", "_MAP")) and "max_items" not in field.spec:
            field.refuse('an array or a map needs "max_items"')

    def set_list(self, field, kind, schema):
        if kind == "string":
            field.kind = "STRING_LIST"
        elif kind == "fixed":
            field.kind, field.size, field.fixed = "FIXED_LIST", schema["size"], schema["full"]
        elif kind == "record":
            field.kind, field.record = "RECORD_LIST", self.record(schema)
        else:
            field.refuse(f"an array of {kind} has no struct form")

    # ---- sizes ----
    def scalar_bytes(self, full):
        total = 0
        for field in self.records[full][1]:
            if field.kind == "RECORD":
                total += self.scalar_bytes(field.record)
            else:
                total += SCALAR_BYTES[field.kind] + (field.size if "FIXED" in field.kind else 0)
        return total

    def min_bytes(self, full):
        total = 0
        for field in self.records[full][1]:
            total += {"RECORD": lambda f: self.min_bytes(f.record),
                      "FIXED": lambda f: f.size}.get(field.kind, lambda f: 1)(field)
        return total

    # ---- the header ----
    def c_type(self, field):
        return {
            "BOOL": "bool", "INT": "int32_t", "LONG": "int64_t", "OPT_LONG": "struct lex_opt_i64",
            "STRING_LIST": "struct lex_span_list", "FIXED_LIST": "struct lex_span_list",
            "VALUE_MAP": "struct lex_member_list",
            "ENUM": field.symbols and f"enum lex_{snake(field.symbols)}",
            "RECORD": field.record and f"struct lex_{snake(field.record)}",
            "RECORD_LIST": field.record and f"struct lex_{snake(field.record)}_list",
        }.get(field.kind, "struct lex_span")

    def enum_header(self, full):
        name, symbols = snake(full), self.enums[full]["symbols"]
        upper = name.upper()
        out = [f"enum lex_{name} {{"]
        out += [f"    LEX_{upper}_{symbol.upper()}," for symbol in symbols]
        out += [f"    LEX_{upper}_COUNT", "};",
                f'/* "{symbols[0]}", ...; absent when out of range */',
                f"struct lex_span lex_{name}_name(enum lex_{name} {name});", ""]
        return out

    def record_header(self, full, listed):
        name, (schema, fields) = snake(full), self.records[full]
        out = [f"/* {schema['doc']} */"] if "doc" in schema else []
        out.append(f"struct lex_{name} {{")
        for field in fields:
            doc = f" /* {field.spec['doc']} */" if "doc" in field.spec else ""
            out.append(f"    {self.c_type(field)} {field.name};{doc}")
        out += ["};"]
        if full in listed:
            out += [f"struct lex_{name}_list {{", f"    const struct lex_{name} *items;",
                    "    size_t count;", "};"]
        return out + [""]

    def header(self, stem):
        guard = "LEX_" + re.sub(r"[^A-Z0-9]", "_", stem.upper()) + "_H"
        out = ["/* Records: one struct per Avro record of schemas/. Generated by schemas/generate.py. */",
               f"#ifndef {guard}", f"#define {guard}", "",
               '#include "core/base/value.h"', ""]
        for full in self.enums:
            out += self.enum_header(full)
        listed = {f.record for _, fields in self.records.values() for f in fields
                  if f.kind == "RECORD_LIST"}
        for full in self.records:
            out += self.record_header(full, listed)
        return "\n".join(out + ["#endif", ""])

    # ---- the tables ----
    def enum_source(self, full):
        name, schema = snake(full), self.enums[full]
        symbols = schema["symbols"]
        fallback = symbols.index(schema["default"]) if "default" in schema else -1
        out = [f"static const struct lex_span {name}_symbols[] = {{"]
        out += [f'    LEX_SPAN_INIT("{s}"),' for s in symbols]
        out += ["};", f"static const struct lex_enum_type {name}_type = {{",
                f'    .name = LEX_SPAN_INIT("{full.rpartition(".")[2]}"),',
                f"    .symbols = {name}_symbols,", f"    .count = {len(symbols)},",
                f"    .fallback = {fallback},", "};",
                f"struct lex_span lex_{name}_name(enum lex_{name} {name})", "{",
                f"    return (size_t){name} < {len(symbols)} ? {name}_symbols[{name}]",
                f"        : (struct lex_span){{NULL, 0}};", "}", ""]
        return out

    def default(self, field):
        value = field.spec["default"]
        if value is None or value in ([], {}):
            return None
        if field.kind == "BOOL":
            return "true" if value else None
        if field.kind in ("INT", "LONG"):
            return str(value) if value else None
        if field.kind == "STRING":
            return f"LEX_SPAN_INIT({json.dumps(value)})"
        if field.kind == "ENUM":
            return f"LEX_{snake(field.symbols).upper()}_{value.upper()}"
        field.refuse("this default has no struct form")

    def defaults(self, full):
        name, (_, fields) = snake(full), self.records[full]
        values = [(f.name, self.default(f)) for f in fields if "default" in f.spec]
        values = [f"    .{n} = {v}," for n, v in values if v is not None]
        head = f"static const struct lex_{name} {name}_defaults"
        return [head + " = {"] + values + ["};"] if values else [head + ";"]

    def aliases(self, prefix, spec):
        found = spec.get("aliases", [])
        if not found:
            return [], ""
        out = [f"static const struct lex_span {prefix}_aliases[] = {{"]
        out += [f'    LEX_SPAN_INIT("{a.rpartition(".")[2]}"),' for a in found] + ["};"]
        return out, f".aliases = {prefix}_aliases, .alias_count = {len(found)}, "

    def field_row(self, name, field, aliases):
        row = f'    {{.name = LEX_SPAN_INIT("{field.name}"), {aliases}.kind = LEX_FIELD_{field.kind}'
        if field.text != "PLAIN":
            row += f", .text = LEX_TEXT_{field.text}"
        if "default" not in field.spec:
            row += ", .required = true"
        row += f", .offset = offsetof(struct lex_{name}, {field.name})"
        if "FIXED" in field.kind:
            row += f', .size = {field.size}, .fixed = LEX_SPAN_INIT("{field.fixed.rpartition(".")[2]}")'
        if "max_items" in field.spec:
            row += f", .max_items = {int(field.spec['max_items'])}"
        if field.symbols:
            row += f", .symbols = &{snake(field.symbols)}_type"
        if field.record:
            row += f", .record = &lex_type_{snake(field.record)}"
        return row + "},"

    def record_source(self, full):
        name, (schema, fields) = snake(full), self.records[full]
        out, rows = [], []
        for field in fields:
            lines, text = self.aliases(f"{name}_{field.name}", field.spec)
            out += lines
            rows.append(self.field_row(name, field, text))
        lines, text = self.aliases(name, schema)
        out += lines + self.defaults(full)
        out += [f"static const struct lex_field {name}_fields[] = {{"] + rows + ["};"]
        top = name in self.top
        out += [("" if top else "static ") + f"const struct lex_record_type lex_type_{name} = {{",
                f'    .name = LEX_SPAN_INIT("{full.rpartition(".")[2]}"), {text}'.rstrip(),
                f"    .fields = {name}_fields,", f"    .field_count = {len(fields)},",
                f"    .size = sizeof(struct lex_{name}),",
                f"    .scalar_bytes = {self.scalar_bytes(full)},",
                f"    .min_bytes = {self.min_bytes(full)},", f"    .defaults = &{name}_defaults,"]
        if top:
            out += self.top_members(full)
        out += ["};", f"_Static_assert(sizeof(struct lex_{name}) <= LEX_RECORD_STRUCT_MAX_BYTES,",
                f'    "raise LEX_RECORD_STRUCT_MAX_BYTES");', ""]
        return out

    def top_members(self, full):
        schema = avro.self_contained(full, self.names)
        print_bytes = avro.fingerprint(schema).to_bytes(8, "little")
        frame = ", ".join(f"0x{b:02x}" for b in b"\xc3\x01" + print_bytes)
        return ["    .schema = LEX_SPAN_INIT(", c_string(json.dumps(schema, separators=(",", ":"))),
                "    ),", "    .canonical = LEX_SPAN_INIT(", c_string(avro.canonical(schema)),
                "    ),", f"    .frame = {{{frame}}},"]

    def source(self, header, published):
        out = ["/* Field tables. Generated by schemas/generate.py. */", f'#include "{header}"', "",
               "#include <stddef.h>", "", '#include "schemas/tables.h"', ""]
        for full in self.enums:
            out += self.enum_source(full)
        for full in self.records:
            out += self.record_source(full)
        if published is not None:
            out += ["const struct lex_span lex_published_schemas[] = {"]
            for text in published:
                out += ["    LEX_SPAN_INIT(", c_string(text), "    ),"]
            out += ["};", f"const uint32_t lex_published_schemas_count = {len(published)};", ""]
        return "\n".join(out)


def load(paths):
    names = avro.Names()
    for path in paths:
        with open(path, encoding="utf-8") as file:
            names.collect(json.load(file))
    return names


def published_dir():
    return os.path.join(HERE, "published")


def read_published():
    """[(fingerprint in hex, full name, schema)], oldest first."""
    with open(os.path.join(published_dir(), "fingerprints"), encoding="utf-8") as file:
        lines = [line.split() for line in file if line.strip() and not line.startswith("#")]
    out = []
    for digits, full in lines:
        with open(os.path.join(published_dir(), digits + ".avsc"), encoding="utf-8") as file:
            out.append((digits, full, json.load(file)))
    return out


def default_paths():
    return [os.path.join(HERE, f"{name}.avsc") for name in TOP]


def tops(names, paths):
    wanted = {os.path.basename(path)[:-5] for path in paths}
    return [full for full in names.types if snake(full) in wanted]


def publish():
    names = load(default_paths())
    known = {digits for digits, _, _ in read_published()}
    for full in tops(names, default_paths()):
        schema = avro.self_contained(full, names)
        digits = f"{avro.fingerprint(schema):016x}"
        if digits in known:
            continue
        with open(os.path.join(published_dir(), digits + ".avsc"), "w", encoding="utf-8") as file:
            file.write(json.dumps(schema, indent=2) + "\n")
        with open(os.path.join(published_dir(), "fingerprints"), "a", encoding="utf-8") as file:
            file.write(f"{digits} {full}\n")
        print(f"published {digits} {full}")


def write(path, text):
    """Only when it differs, so that nothing is built again for nothing."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            if file.read() == text:
                return
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def generate(out, stem, paths, with_published):
    names = load(paths)
    generator = Generator(names)
    wanted = tops(names, paths)
    generator.top = {snake(full) for full in wanted}
    for full in wanted:
        generator.record(dict(names.types[full], full=full))
    published = None
    if with_published:
        published = [json.dumps(s, separators=(",", ":")) for _, _, s in read_published()]
    write(os.path.join(out, stem + ".h"), generator.header(stem))
    write(os.path.join(out, stem + ".c"), generator.source(stem + ".h", published))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", help="folder of the generated files")
    parser.add_argument("--stem", default="schemas/records", help="path and name of them in it")
    parser.add_argument("--publish", action="store_true")
    parser.add_argument("avsc", nargs="*", help="other schemas than the shipped ones (tests)")
    args = parser.parse_args()
    if args.publish:
        publish()
    elif args.out:
        generate(args.out, args.stem, args.avsc or default_paths(), not args.avsc)
    else:
        parser.error("say --out DIR or --publish")


if __name__ == "__main__":
    main()
