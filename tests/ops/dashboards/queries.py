#!/usr/bin/env python3
"""queries.py list|live|layout|names ... : what dashboards ask, and what a live Prometheus answers. TAP on standard output.

  live PROMETHEUS DASHBOARD...   every panel's, variable's and annotation's query gives at least one series with a number
  layout DASHBOARD...            panels neither overlap nor leave the grid, and each has a unit, a meaning and its runbook
  names METRICS FILE...          every metric that dashboards (.json) and rules (.yml) name is on the page METRICS, and has
                                 the labels that the query matches on

A query that is well formed and answers nothing is the usual fault of a dashboard, and nothing else notices it.
"""
import json
import math
import os
import pathlib
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

# What Grafana puts in for its own variables.
GRAFANA = {"__rate_interval": "5s", "__interval": "1s", "__range": "1m"}
RUNBOOKS = pathlib.Path(__file__).resolve().parents[3] / "docs/runbooks"
failures = 0


def tell(good, name, why=""):
    global failures
    failures += not good
    if not good:
        print(f"    {why}")
    print(f"{'ok' if good else 'not ok'} - {name}")


def panels(board):
    for panel in board["panels"]:
        yield panel
        yield from panel.get("panels", [])


def queries(board):
    """(where, query) of everything in a dashboard that Prometheus is asked."""
    for panel in panels(board):
        for target in panel.get("targets", []):
            yield f"{panel['title']} [{target['refId']}]", target["expr"]
    for annotation in board["annotations"]["list"]:
        if "expr" in annotation:
            yield f"annotation {annotation['name']}", annotation["expr"]


def filled(query):
    return re.sub(r"\$\{?(\w+)\}?", lambda m: GRAFANA.get(m[1], ".+"), query)


def ask(base, path, **arguments):
    url = f"{base}/api/v1/{path}?{urllib.parse.urlencode(arguments)}"
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        return json.load(error)


def is_number(text):
    return not math.isnan(float(text))


def answer_of(base, query, patience):
    """None when the query gives numbers, else what is wrong with it. What needs a second scrape gets it."""
    end = time.monotonic() + patience
    while True:
        said = ask(base, "query", query=filled(query))
        if said["status"] != "success":
            return f"{said.get('errorType')}: {said.get('error')}"
        values = [series["value"][1] for series in said["data"]["result"]]
        if any(is_number(value) for value in values):
            return None
        if time.monotonic() > end:
            return f"{len(values)} series, and no number in them: {filled(query)}"
        time.sleep(0.5)


def variables(board):
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"])


def live(base, *paths):
    patience = float(os.environ.get("LEX_PATIENCE", "20"))
    for path in paths:
        with open(path, encoding="utf-8") as file:
            board = json.load(file)
        for where, query in queries(board):
            why = answer_of(base, query, patience)
            tell(why is None, f"{board['uid']}: {where} has data", why)
        for name, parts in variables(board):
            found = parts and ask(base, f"label/{parts[2]}/values", **{"match[]": filled(parts[1])}).get("data")
            tell(bool(found), f"{board['uid']}: the variable {name} has values", f"{parts and parts[0]}: {found}")


# ---- layout ----

def overlap(a, b):
    return (a["x"] < b["x"] + b["w"] and b["x"] < a["x"] + a["w"] and a["y"] < b["y"] + b["h"] and b["y"] < a["y"] + a["h"])


def faults(board):
    shown = list(panels(board))
    ids = [panel["id"] for panel in shown]
    if len(ids) != len(set(ids)):
        yield "two panels have one id"
    for i, panel in enumerate(shown):
        place = panel["gridPos"]
        if place["x"] < 0 or place["x"] + place["w"] > 24:
            yield f"{panel['title']}: leaves the grid"
        for other in shown[:i]:
            if overlap(place, other["gridPos"]):
                yield f"{panel['title']}: lies over {other['title']}"
        if panel["type"] != "row":
            yield from panel_faults(panel)


def panel_faults(panel):
    title = panel["title"]
    if len(panel.get("description", "")) < 20:
        yield f"{title}: no description"
    if not panel["fieldConfig"]["defaults"].get("unit"):
        yield f"{title}: no unit"
    if not panel.get("targets"):
        yield f"{title}: no query"
    for target in panel.get("targets", []):
        if not target.get("legendFormat"):
            yield f"{title}: a query without a legend"
        if target["datasource"]["uid"] != "${datasource}":
            yield f"{title}: a data source that the variable does not choose"
        if "$instance" not in target["expr"]:
            yield f"{title}: a query that the variable instance does not bind"
        if "_bucket" in target["expr"] and "by (le" not in target["expr"]:
            yield f"{title}: buckets that are not summed by le"
    for page in re.findall(r"docs/runbooks/(\w+\.md)", panel.get("description", "")):
        if not (RUNBOOKS / page).exists():
            yield f"{title}: there is no docs/runbooks/{page}"


def layout(*paths):
    for path in paths:
        with open(path, encoding="utf-8") as file:
            board = json.load(file)
        found = list(faults(board))
        tell(not found, f"{board.get('uid')}: panels lie side by side, each with unit, meaning, legend, filters", "\n    ".join(found))


# ---- names ----

def page_of(path):
    """Metric -> set of label names, from a page in the text format. A histogram has its three."""
    known = {}
    with open(path, encoding="utf-8") as page:
        for line in page:
            sample = re.match(r"([a-zA-Z_:]\w*)(\{.*\})? ", line)
            if sample:
                known.setdefault(sample[1], set()).update(re.findall(r'(\w+)="', sample[2] or ""))
            typed = re.match(r"# TYPE (\S+) (\S+)", line)
            if typed and typed[2] != "histogram":
                known.setdefault(typed[1], set())
    return known


def asked_in(path):
    with open(path, encoding="utf-8") as file:
        if path.endswith(".json"):
            return [query for _, query in queries(json.load(file))]
        import yaml
        return [rule["expr"] for group in yaml.safe_load(file)["groups"] for rule in group["rules"]]


def unknown(query, known):
    """Metrics of a query that nobody exposes, and matchers on labels that they do not have."""
    added = {"job", "instance", "namespace"}  # by the scrape
    for name, matchers in re.findall(r"\b((?:lexecon|process)_\w+)(?:\{([^}]*)\})?", re.sub(r"\w+:\w+:\w+", "", query)):
        if name not in known:
            yield f"there is no metric {name}"
            continue
        for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers):
            if label not in known[name] | added:
                yield f"{name} has no label {label}"


def recorded(paths):
    import yaml
    for path in paths:
        if path.endswith(".yml"):
            with open(path, encoding="utf-8") as file:
                for group in yaml.safe_load(file)["groups"]:
                    yield from (rule["record"] for rule in group["rules"] if "record" in rule)


def names(page, *paths):
    known, made = page_of(page), set(recorded(paths))
    for path in paths:
        found = {why for query in asked_in(path) for why in unknown(query, known)}
        found |= {f"nobody records {name}" for query in asked_in(path)
                  for name in re.findall(r"\b\w+:lexecon_\w+:\w+", query) if name not in made}
        tell(not found, f"{os.path.basename(path)}: every metric and label it names is on the live page", "\n    ".join(sorted(found)))


COMMANDS = {"live": live, "layout": layout, "names": names}
if len(sys.argv) < 3 or sys.argv[1] not in COMMANDS:
    sys.exit(__doc__)
COMMANDS[sys.argv[1]](*sys.argv[2:])
sys.exit(1 if failures else 0)
