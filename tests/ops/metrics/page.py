#!/usr/bin/env python3
"""A page of metrics against a contract, as TAP lines.

    page.py PAGE CONTRACT start|later   each metric of the contract: there, of its type, with exactly its labels
    page.py PAGE zero                   print every counter that is not 0

The page is parsed here, from the text format's description, with nothing of the service's.
"""
import re
import sys

SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\["\\n])*)"(?:,|$)')
PARTS = {"histogram": ("_bucket", "_sum", "_count")}


def read(path):
    """types, {name: [(labels, value)]}; a line that is none of the format's ends the program."""
    types, samples = {}, {}
    with open(path, encoding="utf-8") as file:
        for line in file.read().split("\n"):
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                types[name] = kind
            elif line and not line.startswith("#"):
                match = SAMPLE.match(line)
                if not match or LABEL.sub("", match[2] or ""):
                    sys.exit(f"page.py: not a sample: {line!r}")
                labels = dict(LABEL.findall(match[2] or ""))
                samples.setdefault(match[1], []).append((labels, float(match[3])))
    return types, samples


def label_sets(name, kind, samples):
    found = set()
    for part in PARTS.get(kind, ("",)):
        for labels, _ in samples.get(name + part, []):
            found.add(",".join(sorted(set(labels) - ({"le"} if part == "_bucket" else set()))))
    return found


def check(page, contract, when):
    types, samples = read(page)
    failed = False
    with open(contract, encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("|") for line in file if line.strip() and not line.startswith("#")]
    for name, kind, labels, start in rows:
        if when == "start" and start != "start":
            continue
        sets = label_sets(name, kind, samples)
        good = types.get(name) == kind and sets == {labels}
        failed = failed or not good
        if not good:
            print(f"    type {types.get(name)}, labels {sorted(sets)}")
        said = "from the start" if when == "start" else "live"
        print(f"{'ok' if good else 'not ok'} - {name}{{{labels}}} is a {kind}, {said}")
    return failed


def not_zero(page):
    types, samples = read(page)
    for name, kind in types.items():
        for labels, value in samples.get(name, []):
            if kind == "counter" and value != 0:
                print(name, labels, value)
    return False


if __name__ == "__main__":
    sys.exit(check(*sys.argv[1:4]) if len(sys.argv) == 4 else not_zero(sys.argv[1]))
