#!/usr/bin/env python3
"""check.py ROOT: the marks above the shell blocks of the operators' pages, as TAP.

A mark is one of
  <!-- run: NAME -->                 a part runs it: some tests/ops/*/ file says `page <this page> NAME`
  <!-- needs: WHAT -->               it cannot run on one machine; WHAT says what it takes
  <!-- same as: NAME in PAGE -->     the same commands are run there
Blocks of other languages (yaml, json, text, promql) need none.
"""
import glob
import os
import re
import sys

SHELL = {"bash", "sh", "shell", "console"}
BLOCK = re.compile(r"^(?P<above>[^\n]*)\n```(?P<language>[\w-]*)[^\n]*\n(?P<body>.*?)^```$", re.M | re.S)
MARK = re.compile(r"^<!-- (run|needs|same as): (.*?) *-->$")
CALL = re.compile(r"\bpage (docs/[\w./-]+\.md) ([a-z0-9-]+)")


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def pages(root):
    for folder in ("deployment", "procedures", "runbooks"):
        for path in sorted(glob.glob(os.path.join(root, "docs", folder, "**", "*.md"), recursive=True)):
            yield os.path.relpath(path, root)


def marks(root):
    """(page, line, kind, rest) of each shell block; kind is None without a mark."""
    for path in pages(root):
        text = read(os.path.join(root, path))
        for block in BLOCK.finditer(text):
            if block["language"] not in SHELL:
                continue
            mark = MARK.match(block["above"])
            line = text.count("\n", 0, block.start("language")) + 1
            yield path, line, mark and mark[1], mark and mark[2].strip()


def calls(root):
    """{(page, name): file} of all that parts run."""
    found = {}
    for path in glob.glob(os.path.join(root, "tests", "ops", "*", "*")):
        if os.path.isfile(path) and "/ops/docs/" not in path:
            for page, name in CALL.findall(read(path)):
                found[page, name] = os.path.relpath(path, root)
    return found


def problem(kind, rest, path, run, named):
    if kind is None:
        return "no mark: say which part runs it, or what it needs"
    if kind == "needs":
        return None if rest else "it needs something, and does not say what"
    if kind == "run":
        return None if (path, rest) in run else "no part of tests/ops runs `page %s %s`" % (path, rest)
    name, _, page = rest.partition(" in ")
    return None if (page, name) in named else "%s has no block `run: %s`" % (page, name)


def main(root):
    run, found = calls(root), list(marks(root))
    named = {(path, rest) for path, _, kind, rest in found if kind == "run"}
    bad = 0
    for path, line, kind, rest in found:
        wrong = problem(kind, rest, path, run, named)
        bad += wrong is not None
        print("%sok - %s:%d %s %s%s" % ("not " if wrong else "", path, line, kind, rest, ": " + wrong if wrong else ""))
    for (path, name), file in sorted(run.items()):
        if (path, name) not in named:
            bad += 1
            print("not ok - %s runs `%s` of %s, which is not there" % (file, name, path))
    sys.exit(bad > 0 or not found)


main(sys.argv[1])
