"""Random policies, requests and facts for the laws.

Small on purpose: with few terms and few facts, rules meet requests often, and every row of the design's tables
comes up within some hundred triples. A policy has its terms in one of the two document forms, a hierarchy,
labels (some shared, some that are another term's local name), rules that name terms by any of their names,
undeclared ones too, every type of condition, constraints of every verb and effect, conflicts of every kind and
options. What the loader must refuse is avoided by construction as far as that is easy; run.py compares what
remains.
"""
import json
import random

ALIAS = {"actor": "act_", "action": "axn_", "data_class": "data_", "resource": "res_"}
PREFIX = {"actor": "actor:", "action": "action:", "data_class": "data:", "resource": "resource:"}
LISTS = {"actor": "actors", "action": "actions", "data_class": "data_classes", "resource": "resources"}
POOL = {"actor": ["a1", "a2", "a10", "bot", "human", "boss"], "action": ["read", "pay", "approve", "read_all", "wipe"],
        "data_class": ["pii", "ssn", "public", "pi"], "resource": ["db", "db1", "vault"]}
LABELS = ["Same", "Same", "Big One", "read", "a1", "pii", "db", "Other", "act_a2", "axn_pay", "data_pi"]
FLAGS = ["mfa", "late", "user.ok", "urgent"]
NUMBERS = ["n", "age", "user.level"]
TEXTS = ["region", "team"]
LISTED = ["tags"]
VERBS = ["deny_it", "block", "deny_if_bad", "deny_unless_good", "throttle_requests", "limit", "require_human_review",
         "require_dual_approval", "require_individual_approval", "require_deletion", "verify_it", "reduce_to_minimum",
         "redact_all", "trigger_alarm", "allow_with_logging", "provide_reasons", "log_it", "alert_team", "notify_owner",
         "ponder", "require_reviewer", "denylist", "requireapproval", "log", "require_oversight_and_logging"]
NOW = 1_780_000_000_000_000  # 2026-05-28, a Thursday, 20:26:40 UTC
UNKNOWN = ["zz", "a", "rea", "pii2", "d", "actor:zz", "READ", "b", "vaul", "axn_", "read_", "pi_i"]
ARGUMENTS = ["arguments.amount", "arguments.a.b", "arguments.ok", "arguments.who"]


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def chance(self, percent):
        return self.random.random() * 100 < percent

    def pick(self, items):
        return self.random.choice(items)

    # ---- names

    def terms(self, taken=()):
        self.local = {k: self.random.sample(v, self.random.randint(2, len(v))) for k, v in POOL.items()}
        self.declared = {k: [t for t in v if self.chance(80)] for k, v in self.local.items()}
        self.labels = {k: {t: self.pick(LABELS) for t in v if self.chance(25)} for k, v in self.declared.items()}
        self.ids = {k: {t: t if self.chance(50) else PREFIX[k] + t for t in v} for k, v in self.declared.items()}

    def unique_label(self, kind, term):
        label = self.labels[kind].get(term)
        if label is None:
            return None
        others = set(self.local[kind]) | {t for k, t in self.labels[kind].items() if k != term}
        return None if label in others else label

    def spell(self, kind, term):
        names = [term, term, PREFIX[kind] + term]
        if term in self.declared[kind]:
            if term not in {v for k, v in self.labels[kind].items()}:
                names.append(ALIAS[kind] + term)
            label = self.unique_label(kind, term)
            if label:
                names += [label, label]
        elif term in self.labels[kind].values():
            return PREFIX[kind] + term  # the bare name would mean the one with that label
        return self.pick(names)

    def name(self, kind):
        return self.spell(kind, self.pick(self.local[kind]))

    # ---- conditions

    def expression(self, depth=0, sets=True):
        roll = self.random.random()
        if depth < 2 and roll < 0.30:
            op = self.pick(["&&", "||"])
            left, right = self.expression(depth + 1, sets), self.expression(depth + 1, sets)
            return "(%s %s %s)" % (left, op, right) if self.chance(60) else "%s %s %s" % (left, op, right)
        if depth < 3 and roll < 0.40:
            inner = self.expression(depth + 1, sets)
            return "!%s" % inner if inner.startswith("(") else "!(%s)" % inner
        return self.leaf(sets)

    def leaf(self, sets=True):
        roll = self.random.randint(0, 13)
        if roll <= 3:
            return self.pick(FLAGS + ["arguments.ok"])
        if roll == 4:
            return "%s %s %s" % (self.pick(FLAGS), self.pick(["==", "!="]), self.pick(["true", "false", "late"]))
        if roll <= 6:
            left = self.pick(NUMBERS + ["risk_level", "risk_score", "arguments.amount", "request.risk_level"])
            right = self.pick(["1", "3", "5", "2.5", "90_seconds", "2m", "40", "80", "age"])
            return "%s %s %s" % (left, self.pick(["<", "<=", ">", ">=", "==", "!="]), right)
        if roll == 7:
            left = self.pick(TEXTS + ["request.tool", "request.user_intent", "request.resource", "token.action",
                                      "arguments.who"])
            return "%s %s %s" % (left, self.pick(["==", "!="]), self.pick(["'eu'", '"us"', "'db'", "team", "'x'"]))
        if roll == 8:
            return self.pick(["true", "false", "n == 'x'", "region < 3", "request.policy_mode == 'strict'"])
        if not sets:
            return self.pick(FLAGS)
        kind = self.pick(["actor", "action", "data_class", "data_class", "resource"])
        term = self.name(kind)
        quoted = "'%s'" % term if not term.replace("_", "a").isalnum() or self.chance(30) else term
        return "%s %s %s" % (kind, self.pick(["==", "==", "!="]), quoted)

    def check(self):
        field = self.pick(FLAGS + NUMBERS + TEXTS + LISTED + ARGUMENTS +
                          ["request.tool", "request.data_classes", "token.action", "request.user_intent", "risk_score"])
        operator = self.pick(["equals", "not_equals", "gt", "gte", "lt", "lte", "in", "not_in", "contains", "exists"])
        if operator == "exists" and self.typed and self.chance(40):
            field = self.pick(self.typed)
        elif operator == "exists" and self.chance(60):
            field = self.pick(["token.action", "request.tool", "request.user_intent", "arguments.a.b", "arguments.who"])
        node = {"type": "context_check", "field": field, "operator": operator}
        if operator in ("gt", "gte", "lt", "lte"):
            node["value"] = self.pick([1, 3, 2.5, 40])
        elif operator in ("in", "not_in"):
            node["value"] = self.random.sample(["eu", "us", 1, 3, True, "db"], self.random.randint(1, 3))
        elif operator == "contains":
            node["value"] = self.pick(["e", "eu", "pii", "x"])
        elif operator != "exists":
            node["value"] = self.pick(["eu", "db", 1, 3, True, False])
        return node

    def window(self):
        node = {"type": "time_window", "start": self.pick(["09:00", "20:26", "22:00", "00:00", "20:27", "19:00"]),
                "end": self.pick(["17:00", "20:26", "06:00", "23:59", "20:25", "21:30"])}
        if self.chance(40):
            node["timezone"] = self.pick(["UTC", "+02:00", "-05:30", "+00:01"])
        if self.chance(30):
            node["days"] = self.random.sample(["monday", "wednesday", "thursday", "friday", "sunday"],
                                              self.random.randint(1, 3))
        return node

    def condition(self, place):
        roll = self.random.randint(0, 19)
        if place == "grant" and roll <= 2:
            node = {"type": "rate_limit", "max_requests": self.pick([1, 2, 3, 10]),
                    "window": self.pick(["1m", "10s", "1h"])}
            if self.chance(40):
                node["sum"] = "arguments.amount"
                node["max_requests"] = self.pick([5, 100, 4])
            return node
        if place == "grant" and roll <= 5:
            node = {"type": "approval"}
            if self.chance(60):
                node["approver"] = self.name("actor")
            if self.chance(40):
                node["timeout"] = self.pick(["10s", "5m", "1h"])
            if self.chance(30):
                node["quorum"] = self.pick([1, 2])
            return node
        if roll == 6:
            return self.window()
        if roll <= 9:
            return self.check()
        if roll == 10:
            return {"type": "data_class", "value": self.name("data_class")}
        return self.expression()

    def conditions(self, node, place, percent):
        if not self.chance(percent):
            return
        many = [self.condition(place) for _ in range(self.random.randint(1, 3))]
        form = self.random.randint(0, 9)
        if form <= 5:
            node["condition"] = many[0]
        elif form <= 8 or place == "trigger" or "metadata" in node:
            node[self.pick(["conditions", "conditions", "condition"])] = many
        else:
            node["metadata"] = {"condition": many[0]}

    # ---- rules

    def rule(self, verb):
        node = {}
        wild = {"permits": 25, "forbids": 20, "requires": 25}[verb]
        subject, action = self.pick(["subject", "source", "actor"]), self.pick(["action", "target"])
        node[subject] = "*" if self.chance(wild) else self.name("actor")
        node[action] = "*" if self.chance(wild) else self.name("action")
        if verb != "permits":
            for key in (subject, action):
                if self.chance(15):
                    del node[key]
        if self.chance(45):
            key = self.pick(["object", "data_class", "data_classes"])
            node[key] = self.name("data_class") if self.chance(60) else \
                [self.name("data_class") for _ in range(self.random.randint(1, 2))]
            if self.chance(5):
                node[key] = "*"
        if self.chance(20):
            node["resource"] = self.name("resource")
        self.conditions(node, "restriction" if verb == "forbids" else "grant",
                        {"permits": 45, "forbids": 45, "requires": 0}[verb])
        if verb == "requires":
            self.conditions(node, "grant", 100)
        if self.chance(20):
            node["justification"] = "because %d" % self.random.randint(0, 9)
        if verb == "requires" and self.chance(10):
            return {"source": self.name("action"), "target": "condition:" + self.pick(FLAGS)}
        return node

    def conflict(self):
        kind = self.pick(["actor", "action", "action", "data_class"])
        if len(self.local[kind]) < 2:
            return None
        a, b = self.random.sample(self.local[kind], 2)
        node = {"source": PREFIX[kind] + a, "target": PREFIX[kind] + b}
        if kind == "action":
            if self.chance(60):
                node["scope"] = self.pick(["global", "resource", "resource", "session"])
            if self.chance(50):
                node["window"] = self.pick(["10s", "1m", "1h"])
        return node

    def implication(self):
        kind = self.pick(["actor", "action", "action", "data_class", "resource"])
        low, high = sorted(self.random.sample(self.local[kind], 2), key=POOL[kind].index)
        node = {"source": PREFIX[kind] + low, "target": PREFIX[kind] + high}
        if kind == "action" and self.chance(50):
            node["grants"] = self.chance(80)
        return node

    def constraint(self, name):
        node = {"action": self.pick(VERBS)}
        self.conditions(node, "trigger", 100)
        if self.chance(15):
            node["effect"] = self.pick(["deny", "throttle", "escalate", "oblige", "advice"])
        return node

    # ---- documents

    def term_nodes(self, kind, dict_form):
        nodes = []
        for term in self.declared[kind]:
            node = {"id": self.ids[kind][term]}
            if term in self.labels[kind]:
                node[self.pick(["label", "name"])] = self.labels[kind][term]
            if kind == "action" and self.chance(25):
                node["metadata"] = {"risk_level": self.pick([1, 2, 4, 5])}
            if kind == "actor" and term == "bot" or (kind == "actor" and self.chance(5)):
                node["metadata"] = {"type": "ai"}
            above = [t for t in self.local[kind] if POOL[kind].index(t) > POOL[kind].index(term)]
            if above and self.chance(25):
                node["member_of"] = PREFIX[kind] + self.pick(above)
            if dict_form:
                nodes.append(node["id"] if len(node) == 1 and self.chance(50) else node)
            else:
                node["type"] = kind
                nodes.append(node)
        return nodes

    def options(self):
        options, self.typed = {}, []
        if self.chance(20):
            options["open_world"] = self.pick([["actor"], ["action"], ["actor", "action"]])
        if self.chance(15):
            options["undeclared_data_classes"] = "treat_as_none"
        if self.chance(30):
            options["approver"] = self.name("actor")
        if self.chance(20):
            options["context_trust"] = self.pick(["attested", "caller"])
        if self.chance(30):
            facts = {}
            for name in self.random.sample(FLAGS + NUMBERS + ["data_class", "resource", "arguments.amount", "done.c0"], 2):
                facts[name] = {}
                if self.chance(60):
                    facts[name]["required"] = self.chance(70)
                if self.chance(50) and name in FLAGS + NUMBERS:
                    self.typed.append(name)
                    facts[name]["type"] = "boolean" if name in FLAGS else "number"
                    if self.chance(15):
                        facts[name]["type"] = self.pick(["boolean", "number", "string"])
                if self.chance(30) and name in FLAGS + NUMBERS + ["done.c0"]:
                    facts[name]["attested_by"] = self.pick([["hr"], ["hr", "ops"]])
                if not facts[name]:
                    facts[name]["required"] = True
            options["facts"] = facts
        return options

    def relations(self, dict_form, tag):
        pairs = [("permits", self.rule("permits")) for _ in range(self.random.randint(1, 4))]
        if self.chance(8):  # limits that stand beside each other
            for _ in range(self.random.randint(2, 3)):
                pairs.append((self.pick(["permits", "permits", "requires"]), {
                    "subject": "*", "action": "*", "condition": {"type": "rate_limit", "window": self.pick(["1m", "1h"]),
                                                                 "max_requests": self.pick([2, 3, 5])}}))
        elif self.chance(70):  # without a wide permit nearly every request is denied, and little is seen
            wide = {"subject": "*", "action": "*"}
            self.conditions(wide, "grant", 30)
            pairs.append(("permits", wide))
        pairs += [("forbids", self.rule("forbids")) for _ in range(self.pick([0, 0, 0, 1, 1, 2]))]
        pairs += [("requires", self.rule("requires")) for _ in range(self.pick([0, 0, 1, 1, 2]))]
        pairs += [("implies", self.implication()) for _ in range(self.pick([0, 0, 1, 2]))]
        for _ in range(self.pick([0, 0, 0, 1, 2])):
            node = self.conflict()
            if node is not None:
                pairs.append(("conflicts", node))
        self.random.shuffle(pairs)
        for i, (verb, node) in enumerate(pairs):
            if self.chance(70):
                node[self.pick(["id", "relation_id"])] = "%s%s%d" % (tag, verb[0], i)
        if dict_form:
            grouped = {}
            for verb, node in pairs:
                grouped.setdefault(verb, []).append(node)
            return grouped
        return [dict(node, **{self.pick(["type", "relation_type"]): verb}) for verb, node in pairs]

    def document(self, tag=""):
        document = {}
        dict_form = self.chance(50)
        groups = {k: self.term_nodes(k, dict_form) for k in POOL}
        document["terms"] = {LISTS[k]: v for k, v in groups.items()} if dict_form else sum(groups.values(), [])
        document["relations"] = self.relations(self.chance(50), tag)
        names = ["c%d" % i for i in range(self.pick([0, 0, 0, 1, 2]))]
        if names:
            constraints = {name: self.constraint(name) for name in names}
            document["constraints"] = constraints if self.chance(50) else \
                [dict(node, name=name) for name, node in constraints.items()]
        mode = self.pick(["strict", "strict", "permissive", "paranoid", "paranoid", None])
        if mode:
            document["mode"] = mode
        if self.chance(3):
            document["effective_from"] = self.pick(["2026-05-28T20:26:40Z", "2026-05-28T22:26:41+02:00"])
        elif self.chance(3):
            document["effective_until"] = self.pick(["2026-05-28T20:26:41Z", "2026-05-28T20:26:40Z"])
        return document

    def policy(self):
        """A list of documents, one in most cases."""
        self.terms()
        options = self.options()
        documents = [self.document()]
        if self.chance(8):
            documents[0]["policy_id"] = "first"
            other = self.document("o")
            other["policy_id"] = self.pick(["second", "another"])
            terms = documents[0]["terms"]
            other["terms"] = [] if isinstance(terms, dict) else \
                json.loads(json.dumps([n for n in terms if self.chance(40)]))
            if self.chance(30):
                other["enforcement"] = "log_only"
            documents.append(other)
        for document in documents:
            if options and (document is documents[0] or self.chance(95)):
                document["options"] = options
        return documents

    def spoiled(self, documents):
        """The documents with one thing that must be refused: (what, documents)."""
        documents = json.loads(json.dumps(documents))
        relations, terms = documents[0]["relations"], documents[0]["terms"]
        if isinstance(relations, dict):
            relations = documents[0]["relations"] = [dict(n, type=v) for v, g in relations.items() for n in g]
        if isinstance(terms, dict):
            kinds = {v: k for k, v in LISTS.items()}
            terms = documents[0]["terms"] = [dict({"id": n} if isinstance(n, str) else n, type=kinds[g])
                                             for g, nodes in terms.items() for n in nodes]
        permit, forbid, require = ({"type": "permits", "subject": "*", "action": "*"}, {"type": "forbids"},
                                   {"type": "requires", "condition": "c"})
        rate = {"type": "rate_limit", "max_requests": 3, "window": "1h"}
        approval, window = {"type": "approval"}, {"type": "time_window", "start": "09:00", "end": "17:00"}
        check = {"type": "context_check", "field": "n", "operator": "equals", "value": 1}
        spoilers = {
            "unknown key": dict(permit, unless="c"), "unknown verb": dict(permit, type="permit"),
            "no subject": {"type": "permits", "action": "x"}, "no action": {"type": "permits", "subject": "a"},
            "two subjects": dict(permit, actor="a"), "two objects": dict(permit, object="d", data_class="e"),
            "no condition": {"type": "requires", "subject": "a"}, "other kind": dict(forbid, subject="action:read"),
            "other kind of object": dict(forbid, object="resource:db"),
            "rate in a forbid": dict(forbid, condition=rate), "approval in a forbid": dict(forbid, condition=approval),
            "long rate": dict(require, condition=dict(rate, window="61m")),
            "rate of none": dict(require, condition=dict(rate, max_requests=0)),
            "rate by a word": dict(require, condition=dict(rate, max_requests="3")),
            "sum of a fact": dict(require, condition=dict(rate, sum="amount")),
            "duration": dict(require, condition=dict(rate, window="1.5h")),
            "zero duration": dict(require, condition=dict(rate, window="0s")),
            "24:00": dict(require, condition=dict(window, end="24:00")),
            "hour": dict(require, condition=dict(window, start="9:00")),
            "day": dict(require, condition=dict(window, days=["Monday"])),
            "zone": dict(require, condition=dict(window, timezone="CET")),
            "quorum": dict(require, condition=dict(approval, quorum=0)),
            "timeout": dict(require, condition=dict(approval, timeout="soon")),
            "condition's key": dict(require, condition=dict(check, values=[1])),
            "condition's type": dict(require, condition={"type": "regex", "field": "n"}),
            "operator": dict(require, condition=dict(check, operator="matches")),
            "implies any": {"type": "implies", "source": "*", "target": "actor:a1"},
            "conditional implies": {"type": "implies", "source": "actor:q1", "target": "actor:q2", "condition": "c"},
            "implies across kinds": {"type": "implies", "source": "actor:q1", "target": "action:q2"},
            "implies itself": {"type": "implies", "source": "actor:q1", "target": "actor:q1"},
            "scope": {"type": "conflicts", "source": "action:q1", "target": "action:q2", "scope": "world"},
            "long conflict": {"type": "conflicts", "source": "action:q1", "target": "action:q2", "window": "2h"},
            "conflict with an object": {"type": "conflicts", "source": "action:q1", "target": "action:q2", "object": "d"},
        }
        for text in ("a &&", "&& a", "a b", "(a", "a)", "a == ", "== 3", "a = 3", "!", "", "a || || b", "3", "'x'", "a < 'x",
                     "a == 3_weeks", "data_class", "data_class < pii", "request.nothing == 'x'", "a..b", "a == b == c"):
            spoilers["expression " + text] = dict(require, condition=text)
        changes = {
            "declared twice": lambda: terms.extend([{"id": "q", "type": "actor"}, {"id": "actor:q", "type": "actor"}]),
            "other prefix": lambda: terms.append({"id": "data:q", "type": "actor"}),
            "term type": lambda: terms.append({"id": "q", "type": "agent"}),
            "cycle": lambda: terms.extend([{"id": "q1", "type": "data_class", "member_of": "q2"},
                                           {"id": "q2", "type": "data_class", "member_of": "q1"}]),
            "poisoned name": lambda: (terms.extend([{"id": "q%d" % i, "type": "actor", "label": "Q"} for i in (1, 2)]),
                                      relations.append(dict(forbid, subject="Q"))),
            "both sides": lambda: (terms.append({"id": "q", "type": "actor", "member_of": ["q1", "q2"]}),
                                   relations.append({"type": "conflicts", "source": "actor:q1", "target": "actor:q2"})),
            "both classes": lambda: (terms.append({"id": "q", "type": "data_class", "member_of": ["q1", "q2"]}),
                                     relations.append({"type": "conflicts", "source": "data:q1", "target": "data:q2"})),
            "extends": lambda: documents[0].update(extends="base"),
            "mode": lambda: documents[0].update(mode="lax"),
            "enforcement": lambda: documents[0].update(enforcement="sometimes"),
            "date": lambda: documents[0].update(effective_from="2026-01-01T00:00:00"),
            "strict terms": lambda: ([d.update(options=dict(d.get("options", {}), strict_terms=True)) for d in documents],
                                     relations.append(dict(forbid, subject="never_declared"))),
        }
        for what, effect in (("trust", {"context_trust": "nobody"}), ("open world", {"open_world": ["resource"]}),
                             ("unknown option", {"mode": "strict"}), ("treat", {"undeclared_data_classes": "ignore"}),
                             ("fact type", {"facts": {"n": {"type": "integer"}}}), ("fact key", {"facts": {"n": {"must": 1}}})):
            changes["option " + what] = lambda e=effect: [d.update(options=e) for d in documents]
        for what, node in (("rate in a constraint", {"condition": rate, "action": "deny_it"}),
                           ("approval in a constraint", {"condition": approval, "action": "deny_it"}),
                           ("effect", {"condition": "c", "action": "deny_it", "effect": "warn"}),
                           ("no action", {"condition": "c"}), ("constraint's key", {"condition": "c", "action": "x", "unless": 1})):
            changes["constraint " + what] = lambda n=node: documents[0].update(constraints={"q": n})
        what = self.pick(sorted(spoilers) + sorted(changes))
        if what in spoilers:
            relations.insert(self.random.randint(0, len(relations)), spoilers[what])
        else:
            changes[what]()
        return what, documents

    # ---- requests

    def asked(self, kind, unknown=5):
        if self.chance(unknown):
            return "zz" if self.chance(40) else self.pick(UNKNOWN)
        if self.chance(2):
            return "Same"
        term = self.pick(self.local[kind])
        return self.pick([term, term, self.spell(kind, term)])

    def value(self, name):
        if self.chance(8):
            return self.pick(["true", 1, 0, None, ["eu"], "3"])
        if name in FLAGS:
            return self.chance(60)
        if name in NUMBERS:
            return self.pick([0, 1, 3, 4, 5, 90, 120, 2.5])
        if name in TEXTS:
            return self.pick(["eu", "us", "x"])
        return self.random.sample(["eu", "us", "x"], self.random.randint(0, 2))

    def facts_map(self, percent):
        return {name: self.value(name) for name in FLAGS + NUMBERS + TEXTS + LISTED if self.chance(percent)}

    def arguments(self):
        arguments = {}
        if self.chance(70):
            arguments["amount"] = self.pick([1, 3, 5, 40, 2.5, 0.000001, 1.0000001, -1, "3", 9000000000001, 4.1])
        if self.chance(40):
            arguments["a"] = self.pick([{"b": 1}, {"b": "eu"}, 3, None, {"b": None}])
        if self.chance(50):
            arguments["ok"] = self.pick([True, False, "true", 1])
        if self.chance(40):
            arguments["who"] = self.pick(["eu", "x", ["eu", "us"], None])
        return arguments

    def request(self):
        request = {"request_id": "q", "actor": self.asked("actor", 4), "proposed_action": self.asked("action", 3)}
        classes = self.pick([0, 0, 1, 1, 1, 2, 3])
        if classes:
            request["data_classes"] = [self.asked("data_class") for _ in range(classes)]
        if self.chance(40):
            request["resource"] = self.asked("resource", 15)
        if self.chance(25):
            request["tool"] = self.pick(["grep", self.asked("action")])
        if self.chance(40):
            request["risk_level"] = self.pick([1, 2, 3, 4, 5]) if self.chance(97) else self.pick([0, 6, -1])
        if self.chance(30):
            request["policy_mode"] = self.pick(["permissive", "strict", "paranoid"]) if self.chance(97) else "lax"
        if self.chance(50):
            request["context"] = self.facts_map(30)
            if self.chance(20):
                request["context"]["done.c0"] = True
        if self.chance(50):
            request["arguments"] = self.arguments()
        if self.chance(20):
            request["user_intent"] = self.pick(["eu", "x", "help"])
        if self.chance(2):
            self.odd(request)
        if self.chance(3):
            request["deadline"] = self.pick(["2026-05-28T20:26:40Z", "2026-05-28T20:26:39.999999Z"])
        return request

    def odd(self, request):
        """At a ceiling, or one over it."""
        changes = [("actor", "a" * 512), ("actor", "a" * 513), ("actor", ""), ("actor", "a\n"), ("tool", "x\u0001"),
                   ("proposed_action", "\u00e4" * 256), ("proposed_action", "\u00e4" * 257), ("resource", ""),
                   ("resource", "\u007f"), ("resource", "r\u0085"), ("data_classes", ["c%d" % i for i in range(64)]),
                   ("data_classes", ["c%d" % i for i in range(65)]), ("data_classes", [""]), ("data_classes", ["pii", "a\tb"]),
                   ("user_intent", "i" * 4096), ("user_intent", "i" * 4097), ("context", {"n": 2 ** 53 - 1}),
                   ("context", {"n": 2 ** 53}), ("context", {"n": -2 ** 53}), ("arguments", {"a": {"b": [2 ** 53]}}),
                   ("arguments", {"a": {"b": -2 ** 53 + 1}}), ("arguments", {}), ("context", {}), ("data_classes", [])]
        key, value = self.pick(changes)
        request[key] = value
        if self.chance(10):
            del request[self.pick(["request_id", "actor", "proposed_action"])]

    def facts(self, policy=None):
        facts = {}
        if self.chance(60):
            attested = self.facts_map(35)
            for i in range(2):
                if self.chance(40):
                    attested["done.c%d" % i] = self.pick([True, True, False, "true"])
            for name in list(attested):
                if self.chance(20):
                    attested[name] = {"value": attested[name], "issuer": self.pick(["hr", "ops", "eve"])}
            facts["attested"] = attested
        if self.chance(20):
            facts["roles"] = [self.asked("actor", 20) for _ in range(self.random.randint(1, 2))]
        if self.chance(20):
            facts["requester_key"] = "k1"
        if self.chance(45):
            facts["approvals"] = [{"approver": self.pick(["human", "boss", "a2", self.asked("actor")]),
                                   "key": self.pick(["k1", "k2", "k3"]),
                                   "age_s": self.pick([0, 5, 10, 11, 299, 300, 301])}
                                  for _ in range(self.random.randint(1, 3))]
        if self.chance(20):
            facts["token"] = {"action": self.pick(["x", "eu", True])}
        if self.chance(6):
            facts["risk_score"] = self.pick([10, 79, 80, 100])
        if self.chance(60):
            facts["history"] = self.history(policy)
        return facts

    def history(self, policy):
        history = {}
        if self.chance(12):
            history["complete"] = self.pick([False, 5, 30, 100, 2000])
        limited = [(r.id, r) for r in policy.rules if any(c.kind == "rate_limit" for c in r.conditions)] if policy else []
        ages = [0, 1, 9.999999, 10, 30, 59, 60, 61, 3599, 3600]
        if limited:
            history["rates"] = [{"rule": self.pick(limited)[0],
                                 "actor": self.rate_actor(policy),
                                 "age_s": self.pick(ages), "amount": self.pick([0, 1, 2.5, 50, 97.5])}
                                for _ in range(self.random.randint(0, 4))]
        if policy and any(c.kind == "action" for c in policy.conflicts):
            history["duties"] = []
            for _ in range(self.random.randint(0, 2)):
                duty = {"actor": self.asked("actor"), "action": self.asked("action"), "age_s": self.pick(ages)}
                if self.chance(60):
                    duty["resource"] = self.asked("resource", 15)
                history["duties"].append(duty)
        return history

    def rate_actor(self, policy):
        """A series is kept by the resolved term, by the name as given where it is none."""
        return self.pick([PREFIX["actor"] + t for t in self.local["actor"]] + ["zz"])


if __name__ == "__main__":
    import sys
    maker = Maker(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    print(json.dumps(maker.policy(), indent=1))
    print(json.dumps([maker.request(), maker.facts()], indent=1))
