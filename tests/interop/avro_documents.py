#!/usr/bin/env python3
"""docs/formats.md, schemas/examples/ and the code say the same.

    avro_documents.py AVRO_EXAMPLES      the program that makes the examples
"""
import json
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
EXAMPLES = os.path.join(ROOT, "schemas", "examples")
sys.path.insert(0, os.path.join(ROOT, "schemas"))
import generate  # noqa: E402


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


def check_examples(program, failures):
    """The committed examples are what the program makes."""
    with tempfile.TemporaryDirectory() as out:
        subprocess.run([program, os.path.join(EXAMPLES, "request.json"), out], check=True)
        made = sorted(os.listdir(out))
        for name in made:
            with open(os.path.join(out, name), encoding="utf-8") as file:
                if file.read() != read("schemas", "examples", name):
                    failures.append(f"schemas/examples/{name} is not what {program} makes")
    return made


def same(name, shown, kept):
    if name.endswith(".json"):
        return json.loads(shown) == json.loads(kept)
    return shown.strip() == kept.strip()


def check_blocks(page, failures):
    blocks = re.findall(r"<!-- example: (\S+) -->\n```\w+\n(.*?)\n```", page, re.S)
    for name, shown in blocks:
        if not same(name, shown, read("schemas", "examples", name)):
            failures.append(f"docs/formats.md shows another {name}")
    return [name for name, _ in blocks]


def table(page, heading):
    """The first cells of the first table below a heading."""
    rows = page.split(heading, 1)[1].split("\n|---", 1)[1].split("\n\n", 1)[0]
    return re.findall(r"^\| `([^`]+)` \|(.*)\|$", rows, re.M)


def check_tables(page, failures):
    members = [field["name"] for field in json.loads(read("schemas", "request.avsc"))["fields"]]
    if [name for name, _ in table(page, "\n## Request\n")] != members:
        failures.append("the table of request members differs from request.avsc")
    rows = re.findall(r'^LEX_UNDECODABLE\((\w+), "(.*)"\)', read("core", "codec", "undecodable.def"),
                      re.M)
    shown = [(name, rest.strip()) for name, rest in table(page, "\n## What cannot be decoded\n")]
    if shown != rows:
        failures.append("the table of reasons differs from undecodable.def")
    for digits, full, _ in generate.read_published():
        first = "c3 01 " + bytes.fromhex(digits)[::-1].hex(" ")
        if f"| `{full}` | `{digits}` | `{first}` |" not in page:
            failures.append(f"the table of schemas lacks {full} {digits}")


def check_python(page, failures):
    code = re.search(r"<!-- python: fingerprint -->\n```python\n(.*?)\n```", page, re.S).group(1)
    scope = {}
    exec(code, scope)
    request = json.loads(read("schemas", "examples", "request.json"))
    if scope["fingerprint"](request) != read("schemas", "examples", "request.fingerprint.hex").strip():
        failures.append("the page's Python computes another fingerprint")


def main():
    failures, page = [], read("docs", "formats.md")
    made = check_examples(sys.argv[1], failures)
    shown = check_blocks(page, failures)
    check_tables(page, failures)
    check_python(page, failures)
    for line in failures:
        print(line)
    print(f"{len(made)} examples, {len(shown)} shown, {len(failures)} problems")
    return 1 if failures or len(made) < 8 or len(shown) < 6 else 0


if __name__ == "__main__":
    sys.exit(main())
