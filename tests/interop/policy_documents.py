"""policy_documents.py: whatever the repository says about policies, it says to the engine as well.

Runs on the programs in $LEX_BUILD. In docs/*.md a fenced block is an example by its first line:

    ```json policy NAME         a policy that must load, and be valid under the JSON Schema
    ```json policy NAME+        one more document of the policy NAME
    ```json case NAME           a case, or a list of cases, of `lexecon policy test`, under that policy
    ```json refused             a policy that must not load, whatever the schema says of it
    ```text error               the message for the block before, as a part of what is printed
    ```json lint KIND           a policy that loads with a lint of this kind
    ```json file NAME           a file that the next console finds; each page has a directory for them
    ```console run              commands behind "$ ", run there or beside the policies, and what they print:
                                every line, in order, "..." standing for anything; the last may be [exit N]

Other blocks are prose. Then: the policies in policies/ with their cases; the tables of the reference
against the engine's own; and documents that the schema must refuse because the loader does.
"""
import glob
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("LEX_BUILD", "build"))
LEXECON = os.path.join(BUILD, "bin", "lexecon")
PAGES = ["policies.md", "policy-language.md", "from-opa-and-cedar.md", "policy-readings.md",
         "policy-tools.md"]
BLOCK = re.compile(r"^```(\w+)[ \t]*([^\n`]*)\n(.*?)^```$", re.S | re.M)

failed = False
codes_seen, lints_seen = set(), set()


def say(good, name, *details):
    global failed
    print(f"{'ok' if good else 'not ok'} - {name}", flush=True)
    if not good:
        failed = True
        for detail in details:
            for line in str(detail).splitlines() or [""]:
                print(f"# {line}")


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def lexecon(*args):
    return subprocess.run([LEXECON, *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False, cwd=ROOT)


# ---- JSON Schema 2020-12, the keywords that policy.schema.json uses ----------------------------

TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}


def is_type(value, name):
    if name == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if name == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, TYPES[name])


def same(a, b):
    return a == b and isinstance(a, bool) == isinstance(b, bool)


def matches(pattern, text):
    """ECMA-262's $ is the end, Python's also the place before a last newline."""
    return re.search(re.sub(r"(?<!\\)\$$", r"\\Z", pattern), text) is not None


ANNOTATIONS = {"$schema", "$id", "$defs", "title", "description", "default", "examples", "format"}


class Schema:
    """problem(value) is None, or where the value breaks the schema."""

    def __init__(self, root):
        self.root = root

    def problem(self, value):
        return self.check(self.root, value, "$")

    def check(self, schema, value, at):
        if isinstance(schema, bool):
            return None if schema else f"{at}: nothing may stand here"
        for keyword, what in schema.items():
            if keyword in ANNOTATIONS or keyword in ("then", "else"):
                continue
            found = getattr(self, "on_" + keyword.replace("$", ""))(schema, what, value, at)
            if found:
                return found
        return None

    def on_ref(self, _, ref, value, at):
        target = self.root
        for step in ref.removeprefix("#/").split("/"):
            target = target[step]
        return self.check(target, value, at)

    def on_type(self, _, names, value, at):
        names = [names] if isinstance(names, str) else names
        return None if any(is_type(value, n) for n in names) else f"{at}: not {' or '.join(names)}"

    def on_enum(self, _, values, value, at):
        return None if any(same(value, v) for v in values) else f"{at}: none of {values}"

    def on_const(self, _, wanted, value, at):
        return None if same(value, wanted) else f"{at}: not {wanted!r}"

    def on_pattern(self, _, pattern, value, at):
        good = not isinstance(value, str) or matches(pattern, value)
        return None if good else f"{at}: does not match {pattern}"

    def on_minLength(self, _, least, value, at):
        return f"{at}: too short" if isinstance(value, str) and len(value) < least else None

    def on_maxLength(self, _, most, value, at):
        return f"{at}: too long" if isinstance(value, str) and len(value) > most else None

    def on_minItems(self, _, least, value, at):
        return f"{at}: too few items" if isinstance(value, list) and len(value) < least else None

    def on_minimum(self, _, least, value, at):
        return f"{at}: below {least}" if is_type(value, "number") and value < least else None

    def on_maximum(self, _, most, value, at):
        return f"{at}: above {most}" if is_type(value, "number") and value > most else None

    def on_exclusiveMinimum(self, _, least, value, at):
        return f"{at}: not above {least}" if is_type(value, "number") and value <= least else None

    def on_required(self, _, keys, value, at):
        missing = [k for k in keys if k not in value] if isinstance(value, dict) else []
        return f"{at}: lacks {missing[0]}" if missing else None

    def on_properties(self, _, properties, value, at):
        if not isinstance(value, dict):
            return None
        found = (self.check(properties[k], v, f"{at}.{k}") for k, v in value.items()
                 if k in properties)
        return next((problem for problem in found if problem), None)

    def on_additionalProperties(self, schema, other, value, at):
        if not isinstance(value, dict):
            return None
        known = schema.get("properties", {})
        found = (self.check(other, v, f"{at}.{k}") for k, v in value.items() if k not in known)
        return next((problem for problem in found if problem), None)

    def on_propertyNames(self, _, names, value, at):
        if not isinstance(value, dict):
            return None
        found = (self.check(names, k, f"{at} (the name {k})") for k in value)
        return next((problem for problem in found if problem), None)

    def on_items(self, _, items, value, at):
        if not isinstance(value, list):
            return None
        found = (self.check(items, v, f"{at}[{i}]") for i, v in enumerate(value))
        return next((problem for problem in found if problem), None)

    def on_allOf(self, _, schemas, value, at):
        found = (self.check(s, value, at) for s in schemas)
        return next((problem for problem in found if problem), None)

    def on_anyOf(self, _, schemas, value, at):
        problems = [self.check(s, value, at) for s in schemas]
        return None if None in problems else "; or ".join(problems)

    def on_not(self, _, schema, value, at):
        return f"{at}: this may not stand here" if self.check(schema, value, at) is None else None

    def on_if(self, schema, condition, value, at):
        branch = "then" if self.check(condition, value, at) is None else "else"
        return self.check(schema.get(branch, True), value, at)


# ---- examples in the documentation --------------------------------------------------------------


class Page:
    def __init__(self, name, schema, work):
        self.name, self.schema = name, schema
        self.work = os.path.join(work, name)
        self.policies, self.cases, self.refused = {}, {}, None
        self.examples = 0
        os.makedirs(self.work)

    def file(self, name, text):
        path = os.path.join(self.work, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def take(self, language, words, body, line):
        kind, _, rest = words.partition(" ")
        here = f"docs/{self.name}:{line}"
        if (language, kind) == ("json", "policy"):
            self.take_policy(rest, body, here)
        elif (language, kind) == ("json", "case"):
            self.take_case(rest, body, here)
        elif (language, kind) == ("json", "refused"):
            self.take_refused(body, here)
        elif (language, kind) == ("text", "error"):
            self.take_error(body, here)
        elif (language, kind) == ("json", "lint"):
            self.take_lint(rest, body, here)
        elif (language, kind) == ("json", "file"):
            self.file("console/" + rest, body)
        elif (language, kind) == ("console", "run"):
            self.take_console(body, here)
        elif kind:
            say(False, f"{here} has a kind of example that is known: {words}")
        else:
            return
        self.examples += 1

    def take_policy(self, name, body, here):
        name, more = name.rstrip("+"), name.endswith("+")
        problem = self.schema.problem(json.loads(body))
        say(problem is None, f"{here}: the policy {name} is valid under the schema", problem)
        if more != (name in self.policies):
            say(False, f"{here}: the first document of {name} comes first")
        files = self.policies.setdefault(name, [])
        files.append(self.file(f"{name}/{len(files)}.json", body))

    def take_case(self, name, body, here):
        cases = json.loads(body)
        cases = cases if isinstance(cases, list) else [cases]
        for case in cases:
            case["name"] = f"{here}: {case.get('name', 'the example')}"
            if not case["expect"].get("outcome") or "reason_code" not in case["expect"]:
                say(False, f"{here}: says outcome and reason_code")
        if name not in self.policies:
            say(False, f"{here}: names a policy of this page")
        self.cases.setdefault(name, []).extend(cases)

    def take_refused(self, body, here):
        result = lexecon("policy", "check", self.file("refused.json", body))
        say(result.returncode == 1, f"{here}: the policy is refused", result.stdout)
        self.refused = result.stdout

    def take_error(self, body, here):
        message = " ".join(body.split())
        say(self.refused is not None and message in " ".join(self.refused.split()),
            f"{here}: the message is this one", f"said: {self.refused}")
        self.refused = None

    def take_lint(self, kind, body, here):
        path = self.file("lint.json", body)
        result = lexecon("policy", "check", "--json", path)
        kinds = [lint["kind"] for lint in json.loads(result.stdout)["lints"]] \
            if result.returncode == 0 else []
        lints_seen.update(kinds)
        say(kind in kinds, f"{here}: the policy loads with the lint {kind}", result.stdout)

    def take_console(self, body, here):
        """One command after the other; what it prints must have these lines, in this order."""
        folder = os.path.join(self.work, "console")
        os.makedirs(folder, exist_ok=True)
        if not os.path.exists(os.path.join(folder, "policies")):
            os.symlink(os.path.join(ROOT, "policies"), os.path.join(folder, "policies"))
        path = os.pathsep.join([os.path.join(BUILD, "bin"), os.environ["PATH"]])
        for part in re.split(r"^\$ ", body, flags=re.M)[1:]:
            command, _, wanted = re.sub(r"\\\n\s*", "", part).partition("\n")
            result = subprocess.run(command, shell=True, cwd=folder, text=True, check=False,
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                    env={**os.environ, "PATH": path})
            lines = result.stdout.splitlines() + [f"[exit {result.returncode}]"]
            missing = first_missing(wanted.splitlines(), lines)
            say(missing is None, f"{here}: {command}", f"lacks: {missing}", "in:", *lines)

    def run(self):
        for name, files in self.policies.items():
            path = os.path.dirname(files[0]) if len(files) > 1 else files[0]
            result = lexecon("policy", "check", path)
            say(result.returncode == 0, f"docs/{self.name}: the policy {name} loads", result.stdout)
            if name in self.cases and result.returncode == 0:
                run_cases(path, self.file(f"{name}.test.json", json.dumps(
                    {"cases": self.cases[name]})))
        say(self.examples > 0, f"docs/{self.name} has examples")


def first_missing(wanted, lines):
    """The first wanted line that does not come after those before it; None when all do."""
    at = 0
    for line in (w for w in wanted if w.strip() not in ("", "...")):
        pattern = ".*".join(re.escape(piece) for piece in line.rstrip().split("..."))
        while at < len(lines) and not re.fullmatch(pattern, lines[at].rstrip()):
            at += 1
        if at == len(lines):
            return line
        at += 1
    return None


def run_cases(policy, *cases):
    """Prints one line a case; returns the report."""
    result = lexecon("policy", "test", "--json", policy, *cases)
    try:
        report = json.loads(result.stdout)
    except ValueError:
        say(False, f"the cases of {os.path.relpath(policy, ROOT)} run", result.stdout)
        return {"cases": [], "coverage": {"uncovered": []}}
    for case in report["cases"]:
        codes_seen.add(case["verdict"]["reason_code"])
        say(case["passed"], case["name"], case.get("failures"))
    return report


def check_pages(schema, work):
    for name in PAGES:
        text = read("docs/" + name)
        page = Page(name, schema, work)
        for block in BLOCK.finditer(text):
            page.take(*block.groups(), text.count("\n", 0, block.start()) + 1)
        page.run()


# ---- policies/ ----------------------------------------------------------------------------------

# The reference system's five, byte for byte.
COMPAT = {
    "enterprise_general_policy.json":
        "a6d6b5089e346b82145d2255e31a8618ef15c3839ad847691a4e0a6e4a9430aa",
    "example_policy.json":
        "cb937fbe3826253ab15cfcef3b76c5da5ddc40757284a64c30bdc123fa09a22b",
    "financial_services_policy.json":
        "b482c4526168d57e915cfe1dbd3e11053644f09ac670002160aa98fc0dc82eb7",
    "gdpr_compliance_policy.json":
        "7a485f7c627024ab8d9a94d8ac48c2b96324f242b8fee4b12dd0e096f964ab0b",
    "hipaa_healthcare_policy.json":
        "25c4e65c10af98af1ef63755225e1de2c5a479fd5eaf68028a0963f5ce514061",
}
# Rules that no request can make decide: nothing permits what they are about, or an earlier step denies.
UNREACHABLE = {
    "compat/enterprise_general_policy.json": {"requires:8"},
    "compat/financial_services_policy.json": {"requires:7", "requires:8", "requires:9"},
    "compat/gdpr_compliance_policy.json": {"requires:8", "requires:9"},
    "compat/hipaa_healthcare_policy.json": {
        "permits:4", "requires:7", "requires:8", "constraint:psychotherapy_notes_protection"},
    "hipaa_healthcare_policy.json": {
        "requires:7", "requires:8", "constraint:psychotherapy_notes_protection"},
}


def policy_files():
    files = glob.glob(os.path.join(ROOT, "policies", "**", "*.json"), recursive=True)
    return sorted(f for f in files if not f.endswith(".test.json"))


def check_policies(schema):
    for path in policy_files():
        name = os.path.relpath(path, os.path.join(ROOT, "policies"))
        with open(path, encoding="utf-8") as file:
            problem = schema.problem(json.load(file))
        say(problem is None, f"policies/{name} is valid under the schema", problem)
        clean = ["--deny-warnings"] if name.endswith("_agent.json") else []
        result = lexecon("policy", "check", *clean, path)
        say(result.returncode == 0, f"policies/{name} loads{' without a lint' if clean else ''}",
            result.stdout)
        report = run_cases(path)
        missing = {rule["id"] for rule in report["coverage"]["uncovered"]}
        say(missing <= UNREACHABLE.get(name, set()), f"each rule of policies/{name} decides a case",
            f"none decides {sorted(missing)}")
        say(len(report["cases"]) > 0, f"policies/{name} has cases")
    for name, digest in COMPAT.items():
        with open(os.path.join(ROOT, "policies", "compat", name), "rb") as file:
            found = hashlib.sha256(file.read()).hexdigest()
        say(found == digest, f"policies/compat/{name} is as it always was", found)


# ---- the reference is complete ------------------------------------------------------------------


def words_of(path, pattern):
    return re.findall(pattern, read(path), re.M)


def check_reference():
    page = read("docs/policy-language.md")
    tables = {
        "reason code": words_of("core/decision/reasons.def", r"^LEX_REASON\((\w+)\)"),
        "lint": words_of("core/policy/lints.def", r'^LEX_LINT\(\w+, "(\w+)"'),
        "condition type": words_of("core/policy/conditions.def", r'^LEX_CONDITION\(\w+, "(\w+)"'),
        "effect": words_of("core/policy/effects.def", r'^LEX_EFFECT\(\w+, "(\w+)"'),
        "relation": words_of("core/policy/verbs.def", r'^LEX_VERB\(\w+, "(\w+)"'),
        "kind": words_of("core/policy/kinds.def", r'^LEX_KIND\(\w+, "(\w+)"'),
        "request field": words_of("core/policy/request_fields.def",
                                  r'^LEX_REQUEST_FIELD\(\w+, "(\w+)"'),
    }
    warnings = set()
    for path in glob.glob(os.path.join(ROOT, "core", "decision", "*.c")):
        warnings |= set(re.findall(r'lex_eval_warn\([^;]*?LEX_SPAN\("(\w+)"\)',
                                   read(os.path.relpath(path, ROOT)), re.S))
    tables["warning"] = sorted(warnings)
    for what, words in tables.items():
        lost = [word for word in words if f"`{word}`" not in page]
        say(words and not lost, f"policy-language.md names every {what}", f"it lacks {lost}")
    known = {word for words in tables.values() for word in words}
    unseen = set(tables["reason code"]) - codes_seen - {"EVALUATION_ERROR"}
    say(not unseen, "every reason code is some example's verdict", sorted(unseen))
    unseen = set(tables["lint"]) - lints_seen - {"more_lints"}
    say(not unseen, "every lint is some example's", sorted(unseen))
    rows = re.findall(r"^\| `([A-Z][A-Z_]+)` \|", page, re.M)
    stale = [word for word in rows if word not in known]
    say(rows and not stale, "policy-language.md has no code that the engine lacks", stale)


# ---- what the loader refuses, the schema refuses ------------------------------------------------

PERMIT = {"type": "permits", "subject": "a", "action": "b"}


def with_rule(**members):
    return {"relations": [{**PERMIT, **members}]}


def with_condition(condition, **members):
    return with_rule(condition=condition, **members)


def without(key, **members):
    rule = {**PERMIT, **members}
    del rule[key]
    return {"relations": [rule]}


WINDOW = {"type": "time_window", "start": "09:00", "end": "17:00"}
RATE = {"type": "rate_limit", "max_requests": 5, "window": "1h"}
CHECK = {"type": "context_check", "field": "x", "operator": "equals", "value": 1}
STOP = {"name": "c", "condition": "x", "action": "deny"}

# name: (a good document, a bad one that differs in one thing)
TWINS = {
    "the document is an object": ({}, []),
    "a mode is one of three": ({"mode": "paranoid"}, {"mode": "Strict"}),
    "enforcement is one of two": ({"enforcement": "enforce"}, {"enforcement": "off"}),
    "there is no extends": ({}, {"extends": "base"}),
    "a version is no list": ({"version": "1.2"}, {"version": [1, 2]}),
    "an instant has a zone": ({"effective_from": "2026-01-01T00:00:00Z"},
                              {"effective_from": "2026-01-01T00:00:00"}),
    "options are known": ({"options": {"strict_terms": False}}, {"options": {"strict": True}}),
    "open_world lists kinds": ({"options": {"open_world": ["actor"]}},
                               {"options": {"open_world": ["resource"]}}),
    "undeclared classes": ({"options": {"undeclared_data_classes": "treat_as_none"}},
                           {"options": {"undeclared_data_classes": True}}),
    "context_trust is one of two": ({"options": {"context_trust": "caller"}},
                                    {"options": {"context_trust": "all"}}),
    "strict_terms is a boolean": ({"options": {"strict_terms": False}},
                                  {"options": {"strict_terms": "false"}}),
    "an approver is a name": ({"options": {"approver": "a"}}, {"options": {"approver": "*"}}),
    "a fact's keys are known": ({"options": {"facts": {"x": {"type": "number"}}}},
                                {"options": {"facts": {"x": {"kind": "number"}}}}),
    "a fact's type is known": ({"options": {"facts": {"x": {"type": "list"}}}},
                               {"options": {"facts": {"x": {"type": "integer"}}}}),
    "a fact does not begin with #": ({"options": {"facts": {"x": {}}}},
                                     {"options": {"facts": {"#x": {}}}}),
    "somebody may attest a fact": ({"options": {"facts": {"x": {"attested_by": ["hr"]}}}},
                                   {"options": {"facts": {"x": {"attested_by": []}}}}),
    "required is a boolean": ({"options": {"facts": {"x": {"required": True}}}},
                              {"options": {"facts": {"x": {"required": 1}}}}),
    "a term has an id": ({"terms": [{"id": "actor:a"}]}, {"terms": [{"type": "actor"}]}),
    "a term has a kind": ({"terms": [{"id": "a", "type": "actor"}]}, {"terms": [{"id": "a"}]}),
    "a term's kind is known": ({"terms": [{"id": "a", "type": "action"}]},
                               {"terms": [{"id": "a", "type": "verb"}]}),
    "lists of terms are known": ({"terms": {"actors": ["a"]}}, {"terms": {"people": ["a"]}}),
    "a term is a name or an object": ({"terms": {"actors": ["a"]}}, {"terms": {"actors": [1]}}),
    "a term is not *": ({"terms": {"actors": ["a"]}}, {"terms": {"actors": ["*"]}}),
    "a risk is 1 to 5": ({"terms": {"actions": [{"id": "a", "risk_level": 5}]}},
                         {"terms": {"actions": [{"id": "a", "risk_level": 6}]}}),
    "a name has 512 bytes at most": ({"terms": {"actors": ["a" * 512]}},
                                     {"terms": {"actors": ["a" * 513]}}),
    "a name has no control characters": ({"terms": {"actors": ["a b"]}},
                                         {"terms": {"actors": ["a\nb"]}}),
    "a name is not empty": ({"terms": {"actors": ["a"]}}, {"terms": {"actors": [""]}}),
    "a relation has a type": (with_rule(), without("type")),
    "a relation's type is known": (with_rule(), with_rule(type="permit")),
    "lists of relations are known": ({"relations": {"forbids": []}}, {"relations": {"denies": []}}),
    "a list of one type holds that type": ({"relations": {"permits": [PERMIT]}},
                                           {"relations": {"forbids": [PERMIT]}}),
    "a permit has a subject": (with_rule(), without("subject")),
    "a permit has an action": (with_rule(), without("action")),
    "a rule's keys are known": (with_rule(resource="r"), with_rule(resources="r")),
    "an object is a name or names": (with_rule(object=["x"]), with_rule(object={"id": "x"})),
    "a list of objects is not empty": (with_rule(object=["x"]), with_rule(object=[])),
    "a justification is a text": (with_rule(reason="x"), with_rule(reason=1)),
    "metadata is an object": (with_rule(metadata={}), with_rule(metadata="x")),
    "a requires has a condition": (with_rule(type="requires", condition="x"),
                                   with_rule(type="requires")),
    "a requires has one that is not empty": (with_rule(type="requires", conditions=["x"]),
                                             with_rule(type="requires", conditions=[])),
    "implies has two sides": (
        {"relations": [{"type": "implies", "source": "actor:a", "target": "actor:b"}]},
        {"relations": [{"type": "implies", "source": "actor:a"}]}),
    "implies has no condition": (
        {"relations": [{"type": "implies", "source": "actor:a", "target": "actor:b"}]},
        {"relations": [{"type": "implies", "source": "actor:a", "target": "actor:b",
                        "condition": "x"}]}),
    "implies has no *": (
        {"relations": [{"type": "implies", "source": "actor:a", "target": "actor:b"}]},
        {"relations": [{"type": "implies", "source": "actor:a", "target": "*"}]}),
    "grants is a boolean": (
        {"relations": [{"type": "implies", "source": "action:a", "target": "action:b",
                        "grants": True}]},
        {"relations": [{"type": "implies", "source": "action:a", "target": "action:b",
                        "grants": "yes"}]}),
    "a conflict's scope is known": (
        {"relations": [{"type": "conflicts", "source": "action:a", "target": "action:b",
                        "scope": "resource"}]},
        {"relations": [{"type": "conflicts", "source": "action:a", "target": "action:b",
                        "scope": "day"}]}),
    "a conflict's window is an hour at most": (
        {"relations": [{"type": "conflicts", "source": "action:a", "target": "action:b",
                        "window": "3600s"}]},
        {"relations": [{"type": "conflicts", "source": "action:a", "target": "action:b",
                        "window": "3601s"}]}),
    "grants stands in implies only": (
        {"relations": [{"type": "conflicts", "source": "action:a", "target": "action:b"}]},
        {"relations": [{"type": "conflicts", "source": "action:a", "target": "action:b",
                        "grants": True}]}),
    "a condition is a text or an object": (with_condition("x"), with_condition(True)),
    "a condition is not empty": (with_condition("x"), with_condition("")),
    "a condition's type is known": (with_condition(WINDOW),
                                    with_condition({**WINDOW, "type": "time"})),
    "a condition's keys are known": (with_condition(WINDOW),
                                     with_condition({**WINDOW, "until": "18:00"})),
    "a time is HH:MM": (with_condition(WINDOW), with_condition({**WINDOW, "end": "24:00"})),
    "a window has both ends": (with_condition(WINDOW),
                               with_condition({"type": "time_window", "start": "09:00"})),
    "a zone is an offset": (with_condition({**WINDOW, "timezone": "-05:30"}),
                            with_condition({**WINDOW, "timezone": "Europe/Berlin"})),
    "days are days": (with_condition({**WINDOW, "days": ["sunday"]}),
                      with_condition({**WINDOW, "days": ["Sunday"]})),
    "there is a day": (with_condition({**WINDOW, "days": ["sunday"]}),
                       with_condition({**WINDOW, "days": []})),
    "a rate's window is an hour at most": (with_condition({**RATE, "window": "60m"}),
                                           with_condition({**RATE, "window": "61m"})),
    "a duration has a unit": (with_condition({**RATE, "window": "30m"}),
                              with_condition({**RATE, "window": "30"})),
    "a count is whole": (with_condition(RATE), with_condition({**RATE, "max_requests": 1.5})),
    "a count is positive": (with_condition(RATE), with_condition({**RATE, "max_requests": 0})),
    "a total is positive": (with_condition({**RATE, "sum": "arguments.n", "max_requests": 1.5}),
                            with_condition({**RATE, "sum": "arguments.n", "max_requests": 0})),
    "a sum is of the call": (with_condition({**RATE, "sum": "arguments.amount"}),
                             with_condition({**RATE, "sum": "amount"})),
    "a forbid has no rate limit": (with_rule(type="forbids", condition=WINDOW),
                                   with_rule(type="forbids", condition=RATE)),
    "a constraint has no approval": ({"constraints": [{**STOP, "condition": WINDOW}]},
                                     {"constraints": [{**STOP, "condition": {"type": "approval"}}]}),
    "a quorum is positive": (with_condition({"type": "approval", "quorum": 2}),
                             with_condition({"type": "approval", "quorum": 0})),
    "an approval's approver is a name": (with_condition({"type": "approval", "approver": "a"}),
                                         with_condition({"type": "approval", "approver": "*"})),
    "an operator is known": (with_condition(CHECK), with_condition({**CHECK, "operator": "=="})),
    "a check has a value": (with_condition(CHECK),
                            with_condition({k: v for k, v in CHECK.items() if k != "value"})),
    "in has a list": (with_condition({**CHECK, "operator": "in", "value": [1]}),
                      with_condition({**CHECK, "operator": "in", "value": 1})),
    "in has a list that is not empty": (with_condition({**CHECK, "operator": "in", "value": [1]}),
                                        with_condition({**CHECK, "operator": "in", "value": []})),
    "an order needs a number": (with_condition({**CHECK, "operator": "gt", "value": 1}),
                                with_condition({**CHECK, "operator": "gt", "value": "1"})),
    "exists has no value": (
        with_condition({"type": "context_check", "field": "x", "operator": "exists"}),
        with_condition({"type": "context_check", "field": "x", "operator": "exists",
                        "value": False})),
    "a data_class condition has a value": (with_condition({"type": "data_class", "value": "d"}),
                                           with_condition({"type": "data_class"})),
    "a constraint has a condition": ({"constraints": [STOP]},
                                     {"constraints": [{"name": "c", "action": "deny"}]}),
    "a constraint has an action or an effect": (
        {"constraints": [{"condition": "x", "effect": "deny"}]}, {"constraints": [{"condition": "x"}]}),
    "a constraint's effect is known": ({"constraints": [{**STOP, "effect": "oblige"}]},
                                       {"constraints": [{**STOP, "effect": "allow"}]}),
    "a constraint's keys are known": ({"constraints": [{**STOP, "description": "x"}]},
                                      {"constraints": [{**STOP, "object": "x"}]}),
    "constraints may stand by name": ({"constraints": {"c": {"condition": "x", "action": "deny"}}},
                                      {"constraints": {"c": "deny"}}),
}


def check_twins(schema, work):
    def loads(name, document):
        path = os.path.join(work, name)
        with open(path, "w", encoding="utf-8") as file:
            json.dump(document, file)
        result = lexecon("policy", "check", path)
        return result.returncode == 0, result.stdout

    for name, (good, bad) in TWINS.items():
        problem = schema.problem(good)
        loaded, output = loads("good.json", good)
        say(loaded and problem is None, f"accepted by loader and schema: {name}", output, problem)
        loaded, output = loads("bad.json", bad)
        refused = schema.problem(bad) is not None
        say(refused and not loaded, f"refused by loader and schema: {name}", output,
            f"the schema {'refuses' if refused else 'accepts'} {json.dumps(bad)}")


def check_keywords(node, at="$"):
    """Every keyword of the schema is one that is checked here, or says nothing about validity."""
    if isinstance(node, bool):
        return []
    unknown = [f"{at}: {key}" for key in node if key not in ANNOTATIONS
               and key not in ("then", "else") and not hasattr(Schema, "on_" + key.replace("$", ""))]
    for key in ("properties", "$defs"):
        for name, inner in node.get(key, {}).items():
            unknown += check_keywords(inner, f"{at}.{name}")
    for key in ("items", "additionalProperties", "propertyNames", "not", "if", "then", "else"):
        if key in node:
            unknown += check_keywords(node[key], f"{at}.{key}")
    for key in ("allOf", "anyOf"):
        for inner in node.get(key, []):
            unknown += check_keywords(inner, f"{at}.{key}")
    return unknown


# ---- this checker, checked ----------------------------------------------------------------------

WRONG = """
```json policy p
{"relations": [{"id": "r", "type": "permits", "subject": "a", "action": "b"}]}
```
```json case p
{"request": {"actor": "a", "proposed_action": "b"}, "expect": {"outcome": "denied", "reason_code": "FORBIDDEN"}}
```
```json case q
{"request": {"actor": "a", "proposed_action": "b"}, "expect": {"outcome": "denied", "reason_code": "FORBIDDEN"}}
```
```json refused
{"relations": []}
```
```text error
no such message
```
```json lint always_allow
{"relations": []}
```
```json polizy p
{}
```
```console run
$ echo one; echo two; exit 3
two
one
$ true
[exit 1]
```
"""


def check_checker(schema, work):
    """Each of these examples is false, and must be found to be."""
    global say
    found, real = [], say
    say = lambda good, name, *_: None if good else found.append(name)  # noqa: E731
    try:
        page = Page("wrong.md", schema, work)
        for block in BLOCK.finditer(WRONG):
            page.take(*block.groups(), 0)
        page.run()
    finally:
        say = real
    say(len(found) == 8, "an example that is false is found", *found)


def check_other_validator(document):
    """Where Python's jsonschema is there, it is asked as well."""
    try:
        import jsonschema
    except ImportError:
        print("ok - jsonschema agrees with the validator above # SKIP it is not installed")
        return
    jsonschema.Draft202012Validator.check_schema(document)
    other, own = jsonschema.Draft202012Validator(document), Schema(document)
    differ = [name for name, twins in TWINS.items() for twin in twins
              if other.is_valid(twin) != (own.problem(twin) is None)]
    say(not differ, "jsonschema agrees with the validator above", *differ)


def main():
    document = json.loads(read("schemas/policy.schema.json"))
    schema = Schema(document)
    unknown = check_keywords(document)
    say(not unknown, "policy.schema.json uses keywords that are checked here", *unknown)
    check_other_validator(document)
    with tempfile.TemporaryDirectory() as work:
        check_checker(schema, work)
        check_twins(schema, work)
        check_pages(schema, work)
    check_policies(schema)
    check_reference()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
