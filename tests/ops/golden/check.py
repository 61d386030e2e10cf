#!/usr/bin/env python3
"""check.py: read the golden list, look for each row, print TAP. Exit 1 when a row does not hold.

Each kind of row has one function, `look_<kind>(name, want)`, that returns None when the row holds and else says what it
found. A row that is `later` must not hold.
"""
import argparse
import glob
import json
import re
import subprocess
import sys
import urllib.error
import urllib.request

import yaml


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    return done.returncode, done.stdout + done.stderr


class Contract:
    def __init__(self, options):
        self.idle, self.log = options.idle, read(options.log)
        self.metrics = read(options.metrics)
        self.defaults = dict(re.findall(r"^(\w+) = (.*?) +# default$", run("lexecon-consumer", "--print-config")[1], re.M))

    def look_command(self, name, page):
        # a command may be broken over lines with a backslash
        text = re.sub(r" *\\\n *", " ", read(page))
        return None if name in text else "%s does not have it" % page

    def look_subcommand(self, name, word):
        status, text = run("lexecon", *name.split(), "--help")
        if status != 0:
            return "exit status %d" % status
        return None if word in text else "its help does not say %s" % word

    def look_flag(self, name, _):
        return None if name in run("lexecon-consumer", "--help")[1] else "the help does not have it"

    def look_option(self, name, default):
        key = name.removeprefix("LEXECON_").lower()
        if key not in self.defaults:
            return "there is no such option with a default"
        return None if default in ("*", self.defaults[key]) else "its default is %s" % self.defaults[key]

    def look_refused(self, name, _):
        variable = "LEXECON_KAFKA_%s=1" % name.upper().replace(".", "_")
        status, text = run("env", variable, "lexecon-consumer", "--check-config")
        return None if status == 2 and name in text else "exit status %d: %s" % (status, text.strip())

    def look_path(self, path, want):
        try:
            with urllib.request.urlopen("http://%s%s" % (self.idle, path), timeout=5) as answer:
                status = answer.status
        except urllib.error.HTTPError as error:
            status = error.code
        return None if str(status) == want else "it answers %d" % status

    def look_port(self, number, path):
        text = json.dumps([service.get("ports", []) for service in yaml.safe_load(read(path))["services"].values()])
        return None if re.search(r"\b%s:" % number, text) else "no service of %s publishes it" % path

    def look_metric(self, name, labels):
        if not re.search(r"^# TYPE %s " % name, self.metrics, re.M):
            return "/metrics does not have it"
        found = re.search(r"^%s(?:_bucket|_count)?(?:{(.*)})? " % name, self.metrics, re.M)
        names = re.findall(r'(\w+)="', found[1] or "") if found else []
        names = [label for label in names if label != "le"]
        return None if names == [label for label in labels.split(",") if label] else "its labels are %s" % ",".join(names)

    def look_log(self, path, _):
        for line in self.log.splitlines():
            value = json.loads(line)
            if not value["message"].startswith("Decision"):
                continue
            for member in path.split("."):
                value = value.get(member) if isinstance(value, dict) else None
            if value is not None:
                return None
        return "no decision's line has it"

    def look_alert(self, name, severity):
        for group in yaml.safe_load(read("deployment/prometheus/alerts/lexecon.yml"))["groups"]:
            for rule in group["rules"]:
                if rule.get("alert") == name:
                    found = rule["labels"]["severity"]
                    return None if severity in ("*", found) else "its severity is %s" % found
        return "there is no such alert"

    def look_file(self, path, _):
        return None if glob.glob(path) else "there is no such file"

    def look_value(self, path, default):
        value = yaml.safe_load(read("deployment/helm/lexecon/values.yaml"))
        for key in path.split("."):
            if not isinstance(value, dict) or key not in value:
                return "values.yaml does not have it"
            value = value[key]
        found = json.dumps(value).strip('"')
        return None if default in ("*", found) else "its default is %s" % found

    def look_object(self, name, fact):
        path, want = fact.split("=")
        for file in glob.glob("deployment/kubernetes/*.yaml"):
            for thing in yaml.safe_load_all(read(file)):
                if thing and "%s/%s" % (thing["kind"], thing["metadata"]["name"]) == name:
                    return fact_of(thing, path, want)
        return "no manifest has it"

    def look_procedure(self, name, page):
        if not glob.glob("deployment/procedures/" + name):
            return "there is no deployment/procedures/" + name
        if name not in read("docs/procedures/" + page):
            return "docs/procedures/%s does not tell of it" % page
        return None if name in read("tests/ops/procedures/run") else "tests/ops/procedures/run does not run it"


def fact_of(value, path, want):
    for key in path.split("."):
        if isinstance(value, list):
            value = value[int(key)] if int(key) < len(value) else None
        else:
            value = value.get(key) if isinstance(value, dict) else None
    found = "absent" if value is None else json.dumps(value).strip('"')
    return None if want in ("*", found) else "it is %s" % found


def problem_of(contract, kind, name, want, state):
    if state not in ("now", "needs a cluster", "later"):
        return "the state '%s' is none" % state
    try:
        found = getattr(contract, "look_" + kind)(name, want)
    except (OSError, KeyError) as error:
        found = repr(error)
    if state != "later":
        return found
    if kind == "path":  # "later" says which answer it has until then
        return found
    return None if found else "it is marked later, and is there: mark it now"


def main():
    parser = argparse.ArgumentParser()
    for name in ("list", "idle", "metrics", "log"):
        parser.add_argument("--" + name, required=True)
    options = parser.parse_args()
    contract, bad = Contract(options), 0
    for line in read(options.list).splitlines():
        if not line or line.startswith("#"):
            continue
        kind, name, want, state = line.split("|")
        problem = problem_of(contract, kind, name, want, state)
        bad += problem is not None
        print("%sok - %s %s (%s)%s" % ("not " if problem else "", kind, name, state, ": " + problem if problem else ""))
    sys.exit(bad > 0)


main()
