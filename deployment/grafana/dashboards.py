#!/usr/bin/env python3
"""dashboards.py [--check]: write dashboards/*.json from the tables below; --check only compares (exit 1: they differ).

A dashboard's JSON is two thousand lines of which one in twenty says something. Those stand here: a panel is a title, a
kind, a unit, what it means and its queries; place, ids and colours follow. So all panels look alike, none overlaps
another, and a change is read in a line. What is tried out in Grafana is brought here by hand.

Every query is bound to $job and $instance, and every rate to $__rate_interval, which Grafana makes four scrapes long: a
fixed window is empty when the scrape interval is raised. Series are summed over instances before they become a
quantile or a ratio (sum by (le)).
"""
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
SCHEMA = 41
OVERVIEW, PIPELINE = "lexecon-overview", "lexecon-pipeline"

# Colours mean the same everywhere: green goes on, orange asks for a look, red for a person now.
COLOURS = {
    "allowed": "green", "denied": "orange", "committed": "green", "aborted": "orange", "unknown": "yellow", "fatal": "red",
    "passed": "green", "failed": "red", "dead letters": "red", "limit": "red",
}


def bound(expression):
    """`name@{labels}` and `name@` take the dashboard's filters."""
    ours = 'job=~"$job",instance=~"$instance"'
    return expression.replace("@{", "{" + ours + ",").replace("@", "{" + ours + "}")


def rate(name, by="", where=""):
    grouping = f" by ({by})" if by else ""
    return f"sum{grouping} (rate({name}@{where}[$__rate_interval]))"


def quantile(q, name, by=""):
    return f"histogram_quantile({q}, {rate(name + '_bucket', 'le' + (', ' + by if by else ''))})"


def quantiles(name, by="", label=""):
    return [(f"p{round(q * 100)}{' ' + label if label else ''}", quantile(q, name, by)) for q in (0.5, 0.95, 0.99)]


def ratio(above, below):
    return f"{above} / {below}"


ERRORS = f"({rate('lexecon_dead_letters_total')} + {rate('lexecon_policy_evaluation_errors_total')})"
CONSUMED = rate("lexecon_requests_consumed_total")
DECIDED = rate("lexecon_decisions_total")
DENIED = f"({rate('lexecon_decisions_total', where='{allowed=%sfalse%s}' % (chr(34), chr(34)))} or vector(0))"

# (title, kind, unit, meaning, [(legend, query)], options)
# kind: stat, lines, stacked, bars, table. options: at (threshold values: orange, red), runbook, width, instant
ROWS = {
    OVERVIEW: ("Lexecon: overview", "Requests, decisions, times and the ledger's health: is it well, and since when not.", [
        ("At a glance", [
            ("Instances up", "stat", "short", "Instances that Prometheus reaches. Those that are not reached decide nothing that it could see.",
             [("up", "sum(up@)")], {"low": (1, None), "runbook": "LexeconDown"}),
            ("Not ready", "stat", "short", "Instances whose /health/ready answers 503: the page names the check and what to do.",
             [("not ready", "sum(1 - lexecon_ready@)")], {"at": (1, None), "runbook": "NotReady"}),
            ("Requests", "stat", "reqps", "Requests answered a second, dead-lettered ones included.",
             [("requests", CONSUMED)], {}),
            ("Error rate", "stat", "percentunit", "Dead letters and evaluations that failed inside, of all requests. HighErrorRate fires above 5%.",
             [("errors", ratio(ERRORS, CONSUMED))], {"at": (0.01, 0.05), "runbook": "HighErrorRate"}),
            ("Denied", "stat", "percentunit", "Decisions that are not approvals (denied or escalated), of all. HighDenialRate fires above 50%.",
             [("denied", ratio(DENIED, DECIDED))], {"at": (0.3, 0.5), "runbook": "HighDenialRate"}),
            ("Age at verdict, p95", "stat", "s", "Age of a request, by its record's timestamp, when its verdict was committed. Clients give up after 10 s.",
             [("p95", quantile(0.95, "lexecon_request_age_seconds"))], {"at": (1, 10), "runbook": "LateVerdicts"}),
            ("Lag", "stat", "s", "The partition that is furthest behind, in time. LagGrowing fires above 30 s.",
             [("lag", "max(lexecon_consumer_lag_seconds@)")], {"at": (5, 30), "runbook": "LagGrowing"}),
            ("Integrity failures", "stat", "short", "Verifications that found the ledger or its mirror altered, since the processes started. One is an incident.",
             [("failed", 'sum(lexecon_ledger_integrity_checks_total@{result="failed"})')],
             {"at": (None, 1), "runbook": "LedgerIntegrityFailure"}),
        ]),
        ("Requests and decisions", [
            ("Request rate", "lines", "reqps", "Requests answered a second by each instance. Partitions move with rebalances, so one line may fall while another rises.",
             [("{{instance}}", rate("lexecon_requests_consumed_total", "instance"))], {}),
            ("Error rate", "lines", "percentunit", "Dead letters and failed evaluations, of all requests. The red line is where HighErrorRate fires.",
             [("errors", ratio(ERRORS, CONSUMED)), ("dead letters", ratio(rate("lexecon_dead_letters_total"), CONSUMED))],
             {"at": (None, 0.05), "runbook": "HighErrorRate"}),
            ("Allowed and denied", "stacked", "reqps", "Decisions a second by what they said. Escalated ones count as not allowed until a person confirmed.",
             [("allowed", rate("lexecon_decisions_total", where='{allowed="true"}') + " or vector(0)"),
              ("denied", DENIED)], {"runbook": "HighDenialRate"}),
            ("Not approved, by reason", "stacked", "reqps", "Reason codes of decisions that are not approvals. A new policy shows here first.",
             [("{{reason_category}}", rate("lexecon_decisions_denied_total", "reason_category"))], {"runbook": "HighDenialRate"}),
            ("Decisions by actor", "stacked", "reqps", "The ten busiest actors; beyond a hundred names the service counts the rest as `other`.",
             [("{{actor}}", f"topk(10, {rate('lexecon_decisions_total', 'actor')})")], {}),
            ("Decisions by risk level", "stacked", "reqps", "The risk that requests gave; 0 is none.",
             [("risk {{risk_level}}", rate("lexecon_decisions_total", "risk_level"))], {}),
        ]),
        ("Latency", [
            ("End to end: age at verdict", "lines", "s", "From the request's timestamp to the commit of its verdict. It includes the time in the topic and the writer's clock.",
             quantiles("lexecon_request_age_seconds"), {"at": (None, 10), "runbook": "LateVerdicts"}),
            ("Policy evaluation", "lines", "s", "One evaluation, by effective policy mode. Microseconds are usual; SlowDecisionEvaluation fires when p95 is above 1 s.",
             [("p95 {{policy_mode}}", quantile(0.95, "lexecon_decision_evaluation_duration_seconds", "policy_mode")),
              ("p99 {{policy_mode}}", quantile(0.99, "lexecon_decision_evaluation_duration_seconds", "policy_mode"))],
             {"runbook": "SlowDecisionEvaluation"}),
            ("Transactions", "lines", "s", "From a transaction's first request to its commit: what Kafka adds.",
             quantiles("lexecon_transaction_duration_seconds"), {"runbook": "TransactionsAborting"}),
        ]),
        ("Policy", [
            ("Policies in force", "stat", "short", "Instances with a policy in force. One without decides nothing.",
             [("in force", "sum(lexecon_active_policies@)")], {"low": (None, 1), "runbook": "NotReady"}),
            ("Evaluation errors", "stat", "short", "Evaluations that failed inside in the shown time; each was denied EVALUATION_ERROR.",
             [("errors", "sum(increase(lexecon_policy_evaluation_errors_total@[$__range]))")],
             {"at": (None, 1), "runbook": "PolicyEvaluationErrors"}),
            ("Policy loads and refusals", "bars", "short", "A refused policy changes nothing: the one before stays in force.",
             [("loaded {{policy_name}}", "sum by (policy_name) (increase(lexecon_policies_loaded_total@[$__rate_interval]))"),
              ("refused", "sum(increase(lexecon_policy_load_failures_total@[$__rate_interval]))")],
             {"runbook": "PolicyLoadFailures"}),
            ("Evaluations", "lines", "ops", "Evaluations a second by effective mode.",
             [("{{policy_mode}}", rate("lexecon_decision_evaluation_duration_seconds_count", "policy_mode"))], {}),
            ("Which policy where", "table", "short", "Policy, version and hash in force on each instance: during a roll-out they differ for a while.",
             [("", "lexecon_policy_info@")],
             {"columns": ("instance", "policy_name", "version", "hash"), "width": 12}),
            ("Log-only policies", "lines", "ops", "Decisions that a policy in log_only would have given otherwise: what a roll-out would change.",
             [("would differ", rate("lexecon_shadow_flips_total"))], {"width": 12}),
        ]),
        ("Ledger health", [
            ("Ledger entries", "lines", "ops", "Entries committed a second; genesis, policy and recovery entries count too.",
             [("{{instance}}", rate("lexecon_ledger_entries_total", "instance"))], {}),
            ("Integrity checks", "bars", "short", "Verifications of the whole mirror, by result. LedgerIntegrityFailure fires at the first that fails.",
             [("{{result}}", "sum by (result) (increase(lexecon_ledger_integrity_checks_total@[$__rate_interval]))")],
             {"runbook": "LedgerIntegrityFailure"}),
            ("Halted partitions", "lines", "short", "Partitions that wait for a person. The others go on.",
             [("{{instance}}", "sum by (instance) (lexecon_halted_partitions@)")], {"at": (None, 1), "runbook": "PartitionHalted"}),
            ("Mirror lag", "lines", "short", "Ledger entries that are committed and not yet in the mirror. Decisions do not wait for it.",
             [("{{instance}}", "sum by (instance) (lexecon_mirror_lag_entries@)")], {"runbook": "MirrorBehind"}),
            ("Requests lost", "stat", "short", "Requests that retention deleted before they were decided, since the processes started.",
             [("lost", "sum(lexecon_requests_lost_total@)")], {"at": (None, 1), "runbook": "RequestsLost"}),
            ("Verification", "lines", "s", "Time of one verification of the whole mirror; it grows with the ledger.",
             [("p95", "histogram_quantile(0.95, sum by (le) (lexecon_ledger_verification_duration_seconds_bucket@))")], {}),
        ]),
        ("Flow", [
            ("Lag in time", "lines", "s", "How far each partition is behind. LagGrowing fires above the red line, when it does not shrink.",
             [("partition {{partition}}", "max by (partition) (lexecon_consumer_lag_seconds@)")], {"at": (None, 30), "runbook": "LagGrowing"}),
            ("Transactions by result", "stacked", "ops", "Committed ones carry verdicts. Aborted ones are decided again; unknown means that the answer to a commit is awaited.",
             [("{{result}}", rate("lexecon_transactions_total", "result"))], {"runbook": "TransactionsAborting"}),
            ("Capability tokens", "lines", "short", "Tokens that were issued here and have not expired.",
             [("active", "sum(lexecon_active_tokens@)")], {}),
        ]),
    ]),
    PIPELINE: ("Lexecon: pipeline and ledger", "Each partition, worker and process: where it waits, and for what.", [
        ("Partitions", [
            ("Lag in requests", "lines", "short", "Requests behind the end of each partition, transaction markers not counted.",
             [("partition {{partition}}", "max by (partition) (lexecon_consumer_lag@)")], {"runbook": "LagGrowing"}),
            ("Lag in time", "lines", "s", "How far each partition is behind. One alone is a hot key or waits for something.",
             [("partition {{partition}}", "max by (partition) (lexecon_consumer_lag_seconds@)")], {"at": (None, 30), "runbook": "LagGrowing"}),
            ("Chain length", "lines", "short", "Entries of each partition's chain. It never falls; where it does, the ledger is another one.",
             [("partition {{partition}}", "max by (partition) (lexecon_chain_entries@)")], {"runbook": "LedgerIntegrityFailure"}),
            ("Assigned partitions", "stacked", "short", "Which instance decides how many. The sum is the number of request partitions; less for long means that nobody owns some.",
             [("{{instance}}", "sum by (instance) (lexecon_assigned_partitions@)")], {"runbook": "NobodyDecides"}),
            ("Halted partitions", "lines", "short", "Partitions on which head and ledger contradict each other.",
             [("{{instance}}", "sum by (instance) (lexecon_halted_partitions@)")], {"at": (None, 1), "runbook": "PartitionHalted"}),
            ("Last poll", "lines", "s", "Time since each worker last polled. A worker that is stuck is restarted by the liveness probe.",
             [("{{instance}} worker {{worker}}", "max by (instance, worker) (lexecon_poll_age_seconds@)")], {"at": (None, 60), "runbook": "ConsumerStalled"}),
        ]),
        ("Batches and transactions", [
            ("Requests in a transaction", "lines", "short", "Small ones mean that little waits; large ones that the service works at its limit.",
             quantiles("lexecon_batch_requests"), {}),
            ("Transactions by result", "stacked", "ops", "Aborted ones are decided again. Fatal ones are fences: another process has this name.",
             [("{{result}}", rate("lexecon_transactions_total", "result"))], {"runbook": "TransactionsAborting"}),
            ("Transaction time", "lines", "s", "From a transaction's first request to its commit.",
             quantiles("lexecon_transaction_duration_seconds"), {}),
            ("Producer queue", "lines", "short", "Records handed to the producers and not yet acknowledged by the brokers.",
             [("{{instance}}", "sum by (instance) (lexecon_producer_queue_messages@)")], {"runbook": "ConsumerStalled"}),
            ("Signatures", "lines", "ops", "Signatures over batches of verdicts, a second.",
             [("{{instance}}", rate("lexecon_signatures_total", "instance"))], {}),
            ("Verdicts under a signature", "lines", "short", "How many verdicts share one signature.",
             quantiles("lexecon_sign_batch_verdicts"), {}),
        ]),
        ("Group", [
            ("Rebalances", "bars", "short", "Changes of the assignment, seen once by each worker. `lost` means that the group did not hear of a member in time.",
             [("{{event}}", "sum by (event) (increase(lexecon_rebalances_total@[$__rate_interval]))")], {"runbook": "RebalanceStorm"}),
            ("Fenced producers", "bars", "short", "Producers that another one of the same name replaced. Once is a takeover; again and again are two processes with one name.",
             [("{{instance}}", 'sum by (instance) (increase(lexecon_transactions_total@{result="fatal"}[$__rate_interval]))')],
             {"runbook": "ProducerFenced"}),
            ("Ready", "lines", "short", "1 while /health/ready answers 200.",
             [("{{instance}}", "min by (instance) (lexecon_ready@)")], {"runbook": "NotReady"}),
        ]),
        ("Ledger and mirror", [
            ("Entries committed and mirrored", "lines", "ops", "What the ledger gets, and what the mirror verified and stored of it.",
             [("committed", rate("lexecon_ledger_entries_total")), ("mirrored", rate("lexecon_mirror_entries_total"))],
             {"runbook": "MirrorBehind"}),
            ("Mirror lag", "lines", "short", "Entries that the mirror has not stored yet. A rebuild starts high and falls.",
             [("{{instance}}", "sum by (instance) (lexecon_mirror_lag_entries@)")], {"at": (10000, None), "runbook": "MirrorBehind"}),
            ("Integrity checks", "stat", "short", "Verifications of the whole mirror since the processes started, by result.",
             [("{{result}}", "sum by (result) (lexecon_ledger_integrity_checks_total@)")], {"runbook": "LedgerIntegrityFailure"}),
        ]),
        ("What was not decided", [
            ("Dead letters by reason", "stacked", "reqps", "Requests that could not be read. `lexecon dlq list` says where each came from.",
             [("{{reason}}", rate("lexecon_dead_letters_total", "reason"))], {"runbook": "DeadLetters"}),
            ("Dead letters so far", "table", "short", "Since the processes started, by reason.",
             [("", "sum by (reason) (lexecon_dead_letters_total@) > 0")], {"columns": ("reason", "Value"), "runbook": "DeadLetters"}),
            ("Attestations and tokens refused", "lines", "ops", "Attestations that did not count, by reason, and tokens that were not valid.",
             [("attestation: {{reason}}", rate("lexecon_attestations_refused_total", "reason")),
              ("token valid: {{valid}}", rate("lexecon_tokens_verified_total", "valid"))], {}),
            ("Tokens issued", "stacked", "ops", "Capability tokens issued a second, by the action that they give leave for.",
             [("{{scope}}", rate("lexecon_tokens_issued_total", "scope"))], {}),
        ]),
        ("Registry and traces", [
            ("Calls to the schema registry", "stacked", "reqps", "By how they ended. `unknown` ids are asked for again; `unreachable` ones hold their partition.",
             [("{{result}}", rate("lexecon_schema_registry_requests_total", "result"))], {"runbook": "SchemaRegistryUnavailable"}),
            ("Partitions waiting for a schema", "lines", "short", "Partitions whose next request has a schema that the registry has not told yet.",
             [("{{instance}}", "sum by (instance) (lexecon_schema_registry_waiting_partitions@)")],
             {"at": (1, None), "runbook": "SchemaRegistryUnavailable"}),
            ("Schemas kept", "lines", "short", "Schemas of the registry that are kept in memory; the number has a ceiling.",
             [("{{instance}}", "sum by (instance) (lexecon_schema_registry_cached_schemas@)")], {}),
            ("Trace spans", "stacked", "ops", "Spans by what the collector said, and those that were never sent. Decisions do not depend on them.",
             [("{{result}}", rate("lexecon_spans_exported_total", "result")), ("dropped", rate("lexecon_spans_dropped_total"))],
             {"runbook": "TracesLost"}),
        ]),
        ("Process", [
            ("Memory", "lines", "bytes", "Resident memory of each process.",
             [("{{instance}}", "process_resident_memory_bytes@")], {}),
            ("Memory, of the limit", "lines", "percentunit", "Of the container's limit; 0 where there is none. HighMemoryUsage fires above 90%.",
             [("{{instance}}", "process_resident_memory_bytes@ / lexecon_memory_limit_bytes@")],
             {"at": (0.8, 0.9), "runbook": "HighMemoryUsage"}),
            ("CPU", "lines", "short", "Cores in use by each process.",
             [("{{instance}}", rate("process_cpu_seconds_total", "instance"))], {"runbook": "SlowDecisionEvaluation"}),
            ("File descriptors", "lines", "percentunit", "Open ones, of those that may be open. They grow with brokers and partitions.",
             [("{{instance}}", "process_open_fds@ / process_max_fds@")], {"at": (0.7, 0.9)}),
            ("HTTP requests", "stacked", "reqps", "By endpoint and status. Probes and Prometheus are the usual askers.",
             [("{{endpoint}} {{status}}", rate("lexecon_http_requests_total", "endpoint, status"))], {}),
            ("HTTP time, p95", "lines", "s", "Time to answer, by endpoint.",
             [("{{endpoint}}", quantile(0.95, "lexecon_http_request_duration_seconds", "endpoint"))], {}),
            ("Held back", "lines", "short", "Log lines over the rate limit and label sets over their ceiling: what is not shown elsewhere.",
             [("log lines", "sum(increase(lexecon_log_lines_dropped_total@[$__rate_interval]))"),
              ("label sets", "sum(increase(lexecon_metrics_series_dropped_total@[$__rate_interval]))")], {}),
            ("Uptime", "lines", "s", "Time since each process started: a saw is a process that keeps ending.",
             [("{{instance}}", "lexecon_node_uptime_seconds@")], {}),
            ("What runs where", "table", "short", "Version of each instance.",
             [("", "lexecon_build_info@")], {"columns": ("instance", "version", "compiler")}),
        ]),
    ]),
}


# ---- a panel's parts ----

def thresholds(options):
    """Steps are ascending. `at`: orange from, red from. `low`: below the value it is orange, or red."""
    if "low" in options:
        orange, red = options["low"]
        return [{"color": "orange" if orange is not None else "red", "value": None},
                {"color": "green", "value": orange if orange is not None else red}]
    steps = [{"color": "green", "value": None}]
    for colour, value in zip(("orange", "red"), options.get("at", ())):
        if value is not None:
            steps.append({"color": colour, "value": value})
    return steps


def overrides(queries):
    names = {legend for legend, _ in queries} | {"passed", "failed", "committed", "aborted", "unknown", "fatal"}
    return [{"matcher": {"id": "byName", "options": name},
             "properties": [{"id": "color", "value": {"fixedColor": COLOURS[name], "mode": "fixed"}}]}
            for name in sorted(names & COLOURS.keys())]


def field_config(kind, unit, queries, options):
    defaults = {"unit": unit, "min": 0,
                "color": {"mode": "thresholds" if kind == "stat" else "palette-classic"},
                "thresholds": {"mode": "absolute", "steps": thresholds(options)}}
    if kind in ("lines", "stacked", "bars"):
        defaults["custom"] = {
            "drawStyle": "bars" if kind == "bars" else "line", "lineWidth": 1, "showPoints": "never",
            "fillOpacity": {"lines": 8, "stacked": 30, "bars": 60}[kind], "spanNulls": False,
            "stacking": {"mode": "normal" if kind != "lines" else "none", "group": "A"},
            "thresholdsStyle": {"mode": "line" if "at" in options else "off"}}
    return {"defaults": defaults, "overrides": overrides(queries) if kind != "table" else []}


def kind_options(kind, options):
    if kind == "stat":
        return {"colorMode": "value", "graphMode": "area", "justifyMode": "auto", "textMode": "auto", "orientation": "auto",
                "wideLayout": True, "showPercentChange": False, "percentChangeColorMode": "standard",
                "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}
    if kind == "table":
        return {"showHeader": True, "frameIndex": 0}
    return {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
            "tooltip": {"mode": "multi", "sort": "desc"}}


def targets(kind, queries):
    found = []
    for letter, (legend, query) in zip("ABCDEFGH", queries):
        found.append({"datasource": SOURCE, "refId": letter, "expr": bound(query), "legendFormat": legend or "__auto",
                      "editorMode": "code", "range": kind != "table", "instant": kind == "table",
                      **({"format": "table"} if kind == "table" else {})})
    return found


def only_columns(columns):
    return [{"id": "filterFieldsByName", "options": {"include": {"names": list(columns)}}},
            {"id": "organize", "options": {"excludeByName": {}, "renameByName": {},
                                           "indexByName": {name: i for i, name in enumerate(columns)}}}]


def link(title, url, tooltip, **other):
    return {"title": title, "url": url, "tooltip": tooltip, "type": "link", "icon": "dashboard", "tags": [], "asDropdown": False,
            "targetBlank": False, "includeVars": False, "keepTime": False, **other}


def runbook(name):
    return [link(f"Runbook: {name}", "${runbooks}/%s.md" % name, f"What to do when {name} fires", icon="doc", targetBlank=True)]


def panel(number, place, title, kind, unit, meaning, queries, options):
    made = {"id": number, "title": title, "description": meaning,
            "type": {"stat": "stat", "table": "table"}.get(kind, "timeseries"),
            "datasource": SOURCE, "gridPos": place, "fieldConfig": field_config(kind, unit, queries, options),
            "options": kind_options(kind, options), "targets": targets(kind, queries),
            "links": runbook(options["runbook"]) if "runbook" in options else []}
    if "runbook" in options:
        made["description"] += f" Runbook: docs/runbooks/{options['runbook']}.md"
    if kind == "table":
        made["transformations"] = only_columns(options["columns"])
    return made


# ---- places: from left to right, a new line when the next does not fit ----

def size(kind, count, options):
    width = options.get("width") or ((24 // count if count >= 6 else 6) if kind == "stat" else 8)
    return width, 4 if kind == "stat" and count >= 6 else 8


def panels(rows):
    made, y = [], 0
    for title, row in rows:
        made.append({"id": len(made) + 1, "type": "row", "title": title, "collapsed": False, "panels": [],
                     "gridPos": {"x": 0, "y": y, "w": 24, "h": 1}})
        y, x, height = y + 1, 0, 0
        stats = sum(entry[1] == "stat" for entry in row)
        for entry in row:
            w, h = size(entry[1], stats, entry[5])
            if x + w > 24:
                x, y, height = 0, y + height, 0
            made.append(panel(len(made) + 1, {"x": x, "y": y, "w": w, "h": h}, *entry))
            x, height = x + w, max(height, h)
        y += height
    return made


# ---- a dashboard ----

def query_variable(name, label, query, hide=0):
    return {"name": name, "label": label, "type": "query", "datasource": SOURCE, "definition": query, "hide": hide,
            "query": {"query": query, "refId": f"{name}-variable"}, "refresh": 2, "sort": 1, "multi": True, "includeAll": True,
            "allValue": ".+", "current": {"text": ["All"], "value": ["$__all"]}, "options": [], "regex": "",
            "skipUrlSync": False}


def variables():
    return [
        {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "hide": 0, "refresh": 1,
         "current": {"text": "Lexecon's Prometheus", "value": "lexecon-prometheus"}, "options": [], "regex": "",
         "multi": False, "includeAll": False, "skipUrlSync": False},
        query_variable("job", "Job", "label_values(lexecon_build_info, job)"),
        query_variable("instance", "Instance", 'label_values(lexecon_build_info{job=~"$job"}, instance)'),
        {"name": "runbooks", "label": "Runbooks at", "type": "textbox", "query": "docs/runbooks", "hide": 0,
         "current": {"text": "docs/runbooks", "value": "docs/runbooks"}, "options": [], "skipUrlSync": False},
    ]


def annotations():
    builtin = {"builtIn": 1, "name": "Annotations & Alerts", "type": "dashboard", "enable": True, "hide": True,
               "datasource": {"type": "grafana", "uid": "-- Grafana --"}, "iconColor": "rgba(0, 211, 255, 1)"}
    policies = {"name": "Policy changes", "enable": True, "hide": False, "iconColor": "blue", "datasource": SOURCE,
                "expr": bound("sum by (policy_name) (changes(lexecon_policies_loaded_total@[1m])) > 0"),
                "titleFormat": "Policy {{policy_name}}"}
    return {"list": [builtin, policies]}


def other_dashboard(uid):
    return link(ROWS[uid][0], f"/d/{uid}", ROWS[uid][1], includeVars=True, keepTime=True)


def dashboard(uid):
    title, description, rows = ROWS[uid]
    return {
        "uid": uid, "title": title, "description": description, "tags": ["lexecon"], "schemaVersion": SCHEMA,
        "version": 1, "editable": True, "graphTooltip": 1, "fiscalYearStartMonth": 0, "timezone": "browser", "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"}, "timepicker": {}, "annotations": annotations(),
        "templating": {"list": variables()}, "links": [other_dashboard(other) for other in ROWS if other != uid],
        "panels": panels(rows),
    }


def main(check):
    differing = []
    for uid in ROWS:
        path = HERE / "dashboards" / f"{uid}.json"
        text = json.dumps(dashboard(uid), indent=2) + "\n"
        if not check:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            differing.append(str(path.relative_to(HERE)))
    if differing:
        sys.exit(f"not what dashboards.py writes (change the table and run it): {', '.join(differing)}")


if sys.argv[1:] not in ([], ["--check"]):
    sys.exit(__doc__)
main(sys.argv[1:] == ["--check"])
