#!/usr/bin/env python3
"""tidy.py ROOT [CHECK...]: what a compiler does not see.

Prints one TAP line a check, and a line "FILE:LINE: what" for each finding. Exit status 1 if there is
any. Every check here has a twin in twins.py that plants what it must catch.
"""
import os
import re
import subprocess
import sys

# ---- files ----------------------------------------------------------------------------------


def list_files(root):
    """All files of the repository that are there, new ones included; without git, all but build/."""
    if os.path.isdir(os.path.join(root, ".git")):
        out = subprocess.run(
            ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others",
             "--exclude-standard"], cwd=root, check=True, stdout=subprocess.PIPE).stdout
        names = sorted({name for name in out.decode().split("\0") if name})
    else:
        names = sorted(
            os.path.relpath(os.path.join(folder, name), root)
            for folder, folders, files in os.walk(root)
            if not os.path.relpath(folder, root).startswith("build") for name in files)
    return [name for name in names if os.path.isfile(os.path.join(root, name))]


class Tree:
    def __init__(self, root):
        self.root = root
        self.files = list_files(root)
        self.cache = {}

    def text(self, name):
        if name not in self.cache:
            with open(os.path.join(self.root, name), "rb") as file:
                data = file.read()
            self.cache[name] = None if b"\0" in data else data.decode("utf-8", "replace")
        return self.cache[name]

    def ending(self, *ends):
        return [name for name in self.files if name.endswith(ends) and self.text(name) is not None]


def line_of(text, at):
    return text.count("\n", 0, at) + 1


def code_only(text):
    """C without comments and the insides of strings, every line where it was."""
    pattern = re.compile(
        r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)

    def blank(match):
        found = match.group(0)
        if found[0] in "\"'":
            return found[0] * 2
        return " " + "\n" * found.count("\n")

    return pattern.sub(blank, text)


# ---- checks: each yields (file, line, what) ---------------------------------------------------

# A module may include itself, and what stands here. Everything else would be an arrow that points back.
CORE = ["core/base", "core/config", "core/crypto", "core/policy", "core/history", "core/decision",
        "core/codec", "core/identity", "core/ledger", "core/worker"]
ARROWS = {
    "core/base": [],
    "core/config": ["core/base"],
    "core/crypto": ["core/base"],
    "core/policy": ["core/base", "core/crypto"],
    "core/history": ["core/base", "core/crypto"],
    "core/decision": ["core/base", "core/crypto", "core/policy", "core/history"],
    "core/codec": ["core/base", "core/crypto", "core/policy", "core/history", "core/decision"],
    "core/identity": ["core/base", "core/crypto", "core/policy", "core/decision", "core/codec"],
    "core/ledger": ["core/base", "core/crypto", "core/policy", "core/decision", "core/codec"],
    "core/worker": ["core/base", "core/crypto", "core/policy", "core/history", "core/decision",
                    "core/codec", "core/identity", "core/ledger"],
    "schemas": ["core/base"],
    "producer": CORE,
    "consumer": CORE + ["producer"],
    "cli": CORE + ["producer", "consumer"],
    "tools": CORE + ["producer", "consumer", "cli"],
    "tests": CORE + ["producer", "consumer", "cli"],
}
INCLUDE = re.compile(r"^[ \t]*#[ \t]*include[ \t]*([<\"])([^>\"\n]+)[>\"]", re.M)


def module_of(name):
    parts = name.split("/")
    return "/".join(parts[:2]) if parts[0] == "core" else parts[0]


def check_arrows(tree):
    """includes: no arrow points back"""
    for name in tree.ending(".c", ".h", ".def"):
        module = module_of(name)
        for match in INCLUDE.finditer(tree.text(name)):
            quote, target = match.groups()
            if quote != '"':
                continue
            line = line_of(tree.text(name), match.start())
            other = module_of(target)
            if module not in ARROWS:
                yield name, line, f"the folder {module} is in no arrow; add it to ARROWS"
            elif "/" not in target or other not in ARROWS:
                yield name, line, f'"{target}": write includes from the root of the repository'
            elif other not in ARROWS[module] + [module, "schemas"]:
                yield name, line, f"{module} must not include {other} (\"{target}\")"


# A library's headers, and the only places that may open its door. Tests may, as oracles.
DOORS = {
    r"avro(\.h|/)": ["tests/"],
    r"jansson": ["tests/"],
    r"sqlite3": ["core/ledger/store.c", "tests/"],
    r"(sodium|openssl/)": ["core/crypto/", "tests/"],
    r"microhttpd": ["consumer/http.c", "tests/"],
    r"(librdkafka/|rdkafka)": ["producer/", "consumer/", "tests/"],
    r"curl/": ["consumer/web.c", "tests/"],
}


def check_doors(tree):
    """includes: each library has one door"""
    for name in tree.ending(".c", ".h", ".def"):
        for match in INCLUDE.finditer(tree.text(name)):
            for library, doors in DOORS.items():
                if re.match(library, match.group(2)) and not name.startswith(tuple(doors)):
                    yield (name, line_of(tree.text(name), match.start()),
                           f"<{match.group(2)}> belongs into {doors[0]} only")


# Calls that cannot be made safe, with what to use instead.
BANNED = {
    "strcpy": "snprintf or a buf", "strncpy": "memcpy or snprintf", "strcat": "a buf",
    "strncat": "a buf", "sprintf": "snprintf", "vsprintf": "vsnprintf", "gets": "fgets",
    "rand": "the crypto module's random bytes", "srand": "the crypto module's random bytes",
    "random": "the crypto module's random bytes", "tmpnam": "mkstemp", "mktemp": "mkstemp",
    "strtok": "spans", "alloca": "the arena",
}
# Allowed in tests, which own their input.
BANNED_OUTSIDE_TESTS = {
    "system": "nothing: no shell is started", "popen": "nothing: no shell is started",
    "atoi": "lex_json_int64", "atol": "lex_json_int64", "atof": "lex_json_double",
    "gmtime": "lex_rfc3339_micros", "localtime": "lex_rfc3339_micros", "asctime": "lex_rfc3339_micros",
    "ctime": "lex_rfc3339_micros", "setjmp": "a status", "longjmp": "a status",
    "assert": "LEX_ASSERT, which stays on",
}


def check_banned(tree):
    """sources: no banned call"""
    for name in tree.ending(".c", ".h"):
        banned = dict(BANNED)
        if not name.startswith("tests/"):
            banned.update(BANNED_OUTSIDE_TESTS)
        code = code_only(tree.text(name))
        for match in re.finditer(r"(?<![\w.>])(\w+)[ \t]*\(", code):
            if match.group(1) in banned:
                yield (name, line_of(code, match.start()),
                       f"{match.group(1)}: use {banned[match.group(1)]}")


def anchors_of(text):
    """The anchors of a page's headings, as GitHub makes them."""
    found = set()
    text = re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)
    for heading in re.findall(r"^#{1,6}[ \t]+(.+?)[ \t]*#*$", text, re.M):
        heading = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        number, base = 0, slug
        while slug in found:
            number += 1
            slug = f"{base}-{number}"
        found.add(slug)
    return found


def check_links(tree):
    """documents: every link leads somewhere"""
    files = set(tree.files)
    folders = {os.path.dirname(name) for name in files}
    folders |= {parent for name in folders for parent in
                ["/".join(name.split("/")[:i]) for i in range(1, name.count("/") + 1)]}
    for name in tree.ending(".md"):
        text = re.sub(r"^```.*?^```", lambda m: "\n" * m.group(0).count("\n"), tree.text(name),
                      flags=re.S | re.M)
        for match in re.finditer(r"\]\(([^)\s]+)(?:[ \t]+\"[^\"]*\")?\)", text):
            target = match.group(1)
            line = line_of(text, match.start())
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            path = os.path.normpath(os.path.join(os.path.dirname(name), path)) if path else name
            if path not in files and path not in folders and path != ".":
                yield name, line, f"the link {target} leads nowhere"
            elif anchor and path.endswith(".md") and anchor not in anchors_of(tree.text(path)):
                yield name, line, f"{path} has no heading #{anchor}"


def check_paths(tree):
    """files: no path of one machine"""
    roots = "|".join(["work", "root", "farm", "home/[a-z]+", "Users/[A-Za-z]+"])
    pattern = re.compile(rf"(?<![A-Za-z0-9_.$}}\]*-])/(?:{roots})/")
    for name in tree.files:
        text = tree.text(name)
        if text is None:
            continue
        for match in pattern.finditer(text):
            yield name, line_of(text, match.start()), f"a path of one machine: {match.group(0)}"


def check_marks(tree):
    """sources: nothing is left unfinished or switched off"""
    words = "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"])
    pattern = re.compile(rf"\b(?:{words})\b|^[ \t]*#[ \t]*if[ \t]+0\b", re.M)
    for name in tree.ending(".c", ".h", ".def", ".py", ".md", ".txt", ".cmake", ".avsc", ".sql"):
        if name == "LICENSE":
            continue
        for match in pattern.finditer(tree.text(name)):
            yield name, line_of(tree.text(name), match.start()), f"unfinished: {match.group(0).strip()}"


def check_openings(tree):
    """headers: each opens by saying what it is for, and is guarded by its own name"""
    for name in tree.ending(".h"):
        text = tree.text(name)
        if not text.startswith("/*"):
            yield name, 1, "a header opens with a comment that says what it is for"
        guards = re.findall(r"^#ifndef (\w+_H)\n#define \1$", text, re.M)
        if not guards:
            yield name, 1, "no include guard (#ifndef ..._H, #define ..._H)"
        elif not guards[0].startswith("LEX_"):
            yield name, 1, f"the guard {guards[0]} does not begin with LEX_"


CHECKS = {
    "arrows": check_arrows,
    "doors": check_doors,
    "banned": check_banned,
    "links": check_links,
    "paths": check_paths,
    "marks": check_marks,
    "openings": check_openings,
}


def findings(root, name):
    return list(CHECKS[name](Tree(root)))


def main(arguments):
    if not arguments or any(name not in CHECKS for name in arguments[1:]):
        print(f"usage: tidy.py ROOT [{' '.join(CHECKS)}]", file=sys.stderr)
        return 2
    failed = False
    for name in arguments[1:] or CHECKS:
        found = findings(arguments[0], name)
        for file, line, what in found:
            print(f"{file}:{line}: {what}")
        print(f"{'not ok' if found else 'ok'} - {CHECKS[name].__doc__}")
        failed = failed or bool(found)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
