#!/usr/bin/env python3
"""check.py WORK: alerts and recording rules are complete, and their unit tests notice it when one is wrong. TAP.

Complete: severity, texts, an existing runbook, a firing and a silent case, a line in docs/deployment/monitoring.md. Noticed:
each alert is replaced by one that never fires, and by one that always does, and its thresholds are moved by a quarter both
ways; each recording rule is taken away. Each time promtool must fail, or the case proves nothing.
"""
import copy
import pathlib
import re
import subprocess
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
PROMETHEUS = ROOT / "deployment/prometheus"
ALERTS, RULES = PROMETHEUS / "alerts/lexecon.yml", PROMETHEUS / "rules/lexecon.yml"
PAGE = ROOT / "docs/deployment/monitoring.md"
THRESHOLD = re.compile(r"(?<=[<>] )(\d+(?:\.\d+)?)")
failures = 0


def tell(good, name, why=""):
    global failures
    failures += not good
    if not good:
        print(f"    {why}")
    print(f"{'ok' if good else 'not ok'} - {name}")


def load(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def rules_of(document, kind):
    return [rule for group in document["groups"] for rule in group["rules"] if kind in rule]


# ---- complete ----

def is_case(case, alert, word):
    return case["name"].startswith(f"{alert} {word}: ")


def asks_for(case, alert, firing):
    """Whether the case asks for this alert's state, and expects what its name says."""
    return any(f'alertname="{alert}"' in test["expr"] and bool(test["exp_samples"]) == firing for test in case["promql_expr_test"])


def lacks(rule, cases, page):
    name, notes = rule["alert"], rule["annotations"]
    if rule["labels"].get("severity") not in ("critical", "warning"):
        yield "severity is neither critical nor warning"
    for text in ("summary", "description"):
        if len(notes.get(text, "")) < 20:
            yield f"no {text}"
    if "irst" not in notes.get("description", ""):
        yield "the description does not say what to do first"
    if notes.get("runbook_url") != f"docs/runbooks/{name}.md":
        yield f"runbook_url is not docs/runbooks/{name}.md"
    elif not (ROOT / notes["runbook_url"]).exists():
        yield f"there is no {notes['runbook_url']}"
    for word, firing in (("fires", True), ("is silent", False)):
        if not any(is_case(case, name, word) and asks_for(case, name, firing) for case in cases):
            yield f"no case '{name} {word}: ...'"
    row = f"| [{name}](../runbooks/{name}.md) | {rule['labels']['severity']} | {rule.get('for', 'at once')} |"
    if row not in page:
        yield f"docs/deployment/monitoring.md has no row that begins {row}"


def complete(alerts, cases):
    page = PAGE.read_text(encoding="utf-8")
    for rule in alerts:
        why = list(lacks(rule, cases, page))
        tell(not why, f"{rule['alert']}: severity, texts, runbook, both cases, a row in the page", "; ".join(why))
    names = {rule["alert"] for rule in alerts}
    rows = set(re.findall(r"^\| \[(\w+)\]\(\.\./runbooks/", page, re.M))
    pages = {path.stem for path in (ROOT / "docs/runbooks").glob("*.md")} - {"README"}
    tell(rows == names, "the page's table has no other alert", str(rows ^ names))
    tell(pages == names, "docs/runbooks has no other page", str(pages ^ names))


# ---- noticed ----

def never(rule):
    rule["expr"] = "vector(1) > 2"


def always(rule):
    rule["expr"] = "vector(1)"
    rule.pop("for", None)


def moved(factor):
    def move(rule):
        rule["expr"] = THRESHOLD.sub(lambda m: str(float(m[1]) * factor), rule["expr"])
    return move


def has_threshold(rule):
    return any(float(number) > 0 for number in THRESHOLD.findall(rule["expr"]))


def promtool(work, name, alerts, rules, tests):
    """(passed, what it printed) of changed files."""
    place = work / name.replace(" ", "-")
    place.mkdir(parents=True)
    for file, document in (("alerts.yml", alerts), ("rules.yml", rules), ("test.yml", dict(tests, rule_files=["rules.yml", "alerts.yml"]))):
        (place / file).write_text(yaml.safe_dump(document), encoding="utf-8")
    done = subprocess.run(["promtool", "test", "rules", "test.yml"], cwd=place, capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stdout + done.stderr


def noticed(work, document, rules, tests, how, change, which):
    """All of them are changed in one run: a case asks for one alert, so its failure names the one that was noticed."""
    changed = copy.deepcopy(document)
    wanted = {rule["alert"] for rule in rules_of(changed, "alert") if which(rule)}
    for rule in rules_of(changed, "alert"):
        if which(rule):
            change(rule)
    _, said = promtool(work, how, changed, rules, tests)
    missed = wanted - set(re.findall(r'expr: "ALERTS\{alertname=\\"(\w+)', said))
    tell(wanted and not missed, f"{len(wanted)} alerts that {how} are each noticed by a case of their own", ", ".join(sorted(missed)))


def recorded(work, rules, tests):
    """A rule that is taken away fails the tests that name it."""
    empty = copy.deepcopy(rules)
    for group in empty["groups"]:
        group["rules"] = [dict(rule, expr="vector(1) > 2") for rule in group["rules"]]
    _, said = promtool(work, "nothing recorded", {"groups": []}, empty, tests)
    failed = " ".join(re.findall(r'expr: "(.*)", time', said))
    missed = [rule["record"] for rule in rules_of(rules, "record") if rule["record"] not in failed]
    tell(not missed, "each recording rule is missed by a test when it records nothing", ", ".join(missed))


def main(work):
    document, rules = load(ALERTS), load(RULES)
    tests = load(PROMETHEUS / "tests/alerts.yml")
    complete(rules_of(document, "alert"), tests["tests"])
    tell(promtool(work, "unchanged", document, rules, tests)[0], "the unchanged rules pass as they are planted")
    for how, change, which in (("never fire", never, lambda rule: True), ("always fire", always, lambda rule: True),
                               ("have thresholds a quarter lower", moved(0.75), has_threshold),
                               ("have thresholds a quarter higher", moved(1.25), has_threshold)):
        noticed(work, document, rules, tests, how, change, which)
    recorded(work, rules, load(PROMETHEUS / "tests/rules.yml"))
    sys.exit(1 if failures else 0)


if len(sys.argv) != 2:
    sys.exit(__doc__)
main(pathlib.Path(sys.argv[1]))
