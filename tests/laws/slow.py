"""Slow: what a policy means, written down a second time.

The engine in core/ is fast because it resolves, indexes and shares. This evaluator does none of that: it reads
the policy document and the request as they are and follows the design's text on policies section by section
(the numbers in the comments are its sections), so that a disagreement between the two is a mistake of one of
them or a hole in the text. It shares nothing with the engine: no table, no parser, no order of evaluation
that the text does not give. Where the text leaves two readings open, READINGS.md says which one stands here.

Truth is a set of what may be the case, of T = 1, F = 2 and N = 4 (nothing is known); B = T | F is what a test on an
unknown name is in the trigger of a constraint, and only there are there sets of more than one.
"""
import json
import re
from datetime import datetime, timedelta, timezone

T, F, N, B = 1, 2, 4, 3
ORDER = {"denied": 0, "escalated": 1, "conditional": 2, "approved": 3}
MODES = {"permissive": 1, "strict": 2, "paranoid": 3}
MODE_NAMES = {0: "unset", 1: "permissive", 2: "strict", 3: "paranoid"}
PREFIX = {"actor": "actor:", "action": "action:", "data_class": "data:", "resource": "resource:", "context": "context:"}
ALIAS = {"actor": "act_", "action": "axn_", "data_class": "data_", "resource": "res_", "context": None}
LISTS = {"actors": "actor", "actions": "action", "data_classes": "data_class", "resources": "resource",
         "contexts": "context"}
GOVERNED = ("actor", "proposed_action", "tool", "resource", "data_classes", "risk_level")
CALLERS = ("user_intent", "requested_output_type", "policy_mode", "user_id")
SETS = ("actor", "action", "data_class", "resource")
MICRO = 1_000_000
APPROVAL_S = 300


class PolicyError(Exception):
    """The document is refused."""


class Ambiguous(Exception):
    """A name that two terms have at the same level (2)."""


KLEENE_AND = {(x, y): F if F in (x, y) else N if N in (x, y) else T for x in (T, F, N) for y in (T, F, N)}


def members(truth):
    return [one for one in (T, F, N) if truth & one]


def pairwise(a, b):
    result = 0
    for x in members(a):
        for y in members(b):
            result |= KLEENE_AND[x, y]
    return result


AND = [[pairwise(a, b) for b in range(8)] for a in range(8)]


def t_and(a, b):
    return AND[a][b]


def t_not(a):
    return (a & N) | ((a & T) << 1) | ((a & F) >> 1)


def t_or(a, b):
    return t_not(t_and(t_not(a), t_not(b)))


def lowest(values):
    result = T
    for value in values:
        result = t_and(result, value)
    return result


def highest(values):
    result = F
    for value in values:
        result = t_or(result, value)
    return result


def canonical_json(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def as_list(value):
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


# ---------------------------------------------------------------- 2 names

class Term:
    def __init__(self, kind, canonical, ident, label=None, declared=True, ai=False, risk=0):
        self.kind, self.canonical, self.id, self.label = kind, canonical, ident, label
        self.declared, self.ai, self.risk = declared, ai, risk
        self.local = canonical[len(PREFIX[kind]):]


def canonical_of(kind, name):
    """prefix + local; another kind's prefix is an error."""
    for other, prefix in PREFIX.items():
        if name.startswith(prefix):
            if other != kind:
                raise PolicyError("%s is not a %s" % (name, kind))
            return name
    return PREFIX[kind] + name


class Names:
    """One table per kind; the higher level wins, two terms on one level poison the name."""

    def __init__(self, kind):
        self.kind, self.levels = kind, [{}, {}, {}, {}]
        self.flat = {}

    def add(self, term):
        def put(level, name):
            table = self.levels[level]
            if name not in table:
                table[name] = term
            elif table[name] is not term:
                if level == 0:
                    raise PolicyError("two terms %s" % name)
                table[name] = None
        put(0, term.id)
        put(0, term.canonical)
        put(1, term.local)
        if ALIAS[self.kind]:
            put(2, ALIAS[self.kind] + term.local)
        if term.label is not None:
            put(3, term.label)

    def close(self):
        for level in (3, 2, 1, 0):
            self.flat.update(self.levels[level])

    def find(self, name):
        """The term, None where the name is none; Ambiguous where it is poisoned."""
        if name in self.flat:
            term = self.flat[name]
            if term is None:
                raise Ambiguous(name)
            return term
        return None


# ---------------------------------------------------------------- 5 expressions

TOKEN = re.compile(r"""\s*(?:(?P<op>\|\||&&|==|!=|<=|>=|<|>|!|\(|\))|(?P<num>-?\d+(?:\.\d+)?)(?P<unit>_?[A-Za-z]+)?"""
                   r"""|(?P<str>"[^"]*"|'[^']*')|(?P<path>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*))""")
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
for _word, _seconds in (("second", 1), ("minute", 60), ("hour", 3600), ("day", 86400)):
    UNITS[_word] = UNITS[_word + "s"] = _seconds


class Parser:
    """expr := and ('||' and)*; and := not ('&&' not)*; not := '!' not | '(' expr ')' | leaf."""

    def __init__(self, text, policy):
        self.text, self.policy, self.tokens, self.at = text, policy, [], 0
        pos, text = 0, text.rstrip()
        while pos < len(text):
            match = TOKEN.match(text, pos)
            if match is None or match.end() == pos:
                raise PolicyError("expression: %s" % self.text)
            pos = match.end()
            if match.group("op"):
                self.tokens.append(("op", match.group("op")))
            elif match.group("num"):
                value = float(match.group("num")) if "." in match.group("num") else int(match.group("num"))
                unit = match.group("unit")
                if unit:
                    if unit.lstrip("_") not in UNITS:
                        raise PolicyError("unit: %s" % unit)
                    value *= UNITS[unit.lstrip("_")]
                self.tokens.append(("const", value))
            elif match.group("str"):
                self.tokens.append(("const", match.group("str")[1:-1]))
            elif match.group("path") in ("true", "false"):
                self.tokens.append(("const", match.group("path") == "true"))
            else:
                self.tokens.append(("path", match.group("path")))

    def peek(self, *ops):
        return self.at < len(self.tokens) and self.tokens[self.at][0] == "op" and self.tokens[self.at][1] in ops

    def take(self):
        if self.at >= len(self.tokens):
            raise PolicyError("expression ends too early: %s" % self.text)
        self.at += 1
        return self.tokens[self.at - 1]

    def parse(self):
        tree = self.disjunction()
        if self.at != len(self.tokens):
            raise PolicyError("expression goes on: %s" % self.text)
        return tree

    def disjunction(self):
        tree = self.conjunction()
        while self.peek("||"):
            self.take()
            tree = ("or", tree, self.conjunction())
        return tree

    def conjunction(self):
        tree = self.negation()
        while self.peek("&&"):
            self.take()
            tree = ("and", tree, self.negation())
        return tree

    def negation(self):
        if self.peek("!"):
            self.take()
            return ("not", self.negation())
        if self.peek("("):
            self.take()
            tree = self.disjunction()
            if not self.peek(")"):
                raise PolicyError("a parenthesis is open: %s" % self.text)
            self.take()
            return tree
        return self.leaf()

    def leaf(self):
        left = self.operand()
        if not self.peek("==", "!=", "<", "<=", ">", ">="):
            if left[0] == "path" and left[1] in SETS:
                raise PolicyError("%s has no truth of its own" % left[1])
            if left[0] == "const" and not isinstance(left[1], bool):
                raise PolicyError("a constant is no condition: %s" % self.text)
            return ("truth", left)
        op = self.take()[1]
        right = self.operand()
        if left[0] == "path" and left[1] in SETS:
            return self.membership(left[1], op, right)
        return ("cmp", op, left, right)

    def membership(self, kind, op, right):
        if op not in ("==", "!=") or not isinstance(right[1], str):
            raise PolicyError("%s is compared with a name only: %s" % (kind, self.text))
        test = ("is", kind, self.policy.ref(kind, right[1]))
        return ("not", test) if op == "!=" else test

    def operand(self):
        kind, value = self.take()
        if kind == "op":
            raise PolicyError("expected a value: %s" % self.text)
        if kind == "path" and value.startswith("request.") and value[8:] not in GOVERNED + CALLERS:
            raise PolicyError("no such field: %s" % value)
        return (kind, value)


def names_in(tree, found):
    """The facts that a condition names, the sets among them (for facts.X.required and per-class evaluation)."""
    if tree[0] in ("and", "or"):
        names_in(tree[1], found)
        names_in(tree[2], found)
    elif tree[0] == "not":
        names_in(tree[1], found)
    elif tree[0] == "is":
        found.add(tree[1])
    elif tree[0] == "truth":
        if tree[1][0] == "path":
            found.add(tree[1][1])
    elif tree[0] == "cmp":
        for side in (tree[2], tree[3]):
            if side[0] == "path":
                found.add(side[1])
    else:  # in, contains, exists
        if tree[1][0] == "path":
            found.add(tree[1][1])
    return found


def type_of(value):
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "string"
    return "list" if isinstance(value, list) else "object"


ABSENT = object()
ILL = object()  # there, but of another type than options.facts declares


def equal(a, b):
    if a is ABSENT or b is ABSENT or a is ILL or b is ILL or type_of(a) != type_of(b):
        return N
    if type_of(a) in ("list", "object"):
        return N
    return T if a == b else F


def compare(op, a, b):
    if op in ("==", "!="):
        return equal(a, b) if op == "==" else t_not(equal(a, b))
    if a is ABSENT or b is ABSENT or a is ILL or b is ILL or type_of(a) != "number" or type_of(b) != "number":
        return N
    held = {"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[op]
    return T if held else F


def contains(a, b):
    if a is ABSENT or b is ABSENT or a is ILL or type_of(b) != "string":
        return N
    if type_of(a) == "list":
        return T if any(type_of(x) == "string" and x == b for x in a) else F
    if type_of(a) == "string":
        return T if b in a else F
    return N


# ---------------------------------------------------------------- 5 structured conditions

def duration(text):
    match = re.fullmatch(r"([1-9]\d*)([smhd])", text) if isinstance(text, str) else None
    if match is None:
        raise PolicyError("duration %r" % (text,))
    return int(match.group(1)) * UNITS[match.group(2)]


def clock(text):
    match = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)", text) if isinstance(text, str) else None
    if match is None:
        raise PolicyError("time %r" % (text,))
    return int(match.group(1)) * 60 + int(match.group(2))


DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


class Condition:
    """One condition: a tree to evaluate, or one of the three kinds that the server alone decides."""

    def __init__(self, policy, node, place):
        self.kind, self.tree, self.names = "tree", None, set()
        if isinstance(node, str):
            self.text = node
            self.tree = Parser(node, policy).parse()
        elif isinstance(node, dict):
            self.text = canonical_json(node)
            self.structured(policy, node, place)
        else:
            raise PolicyError("a condition is a string or an object")
        if self.tree is not None:
            names_in(self.tree, self.names)
        self.per_class = "data_class" in self.names

    def structured(self, policy, node, place):
        kind = node.get("type")
        if kind == "time_window":
            self.kind = kind
            self.start, self.end = clock(node["start"]), clock(node["end"])
            zone = node.get("timezone", "UTC")
            self.zone = 0 if zone == "UTC" else (1 if zone[0] == "+" else -1) * clock(zone[1:])
            self.days = {DAYS.index(day) for day in node.get("days", DAYS)}
        elif kind == "rate_limit":
            self.only_grants(place)
            self.kind, self.max, self.window = kind, node["max_requests"], duration(node["window"])
            self.sum = node.get("sum")
            if self.window > 3600:
                raise PolicyError("a window of more than an hour")
        elif kind == "approval":
            self.only_grants(place)
            self.kind, self.quorum = kind, node.get("quorum", 1)
            self.timeout = duration(node.get("timeout", "5m"))
            self.approver = policy.ref("actor", node["approver"]) if "approver" in node else None
        elif kind == "data_class":
            self.tree = ("is", "data_class", policy.ref("data_class", node["value"]))
        elif kind == "context_check":
            self.tree = self.check(node["field"], node["operator"], node.get("value"))
        else:
            raise PolicyError("condition type %r" % (kind,))

    @staticmethod
    def only_grants(place):
        if place != "grant":
            raise PolicyError("rate_limit and approval stand in permits and requires only")

    @staticmethod
    def check(field, operator, value):
        path = ("path", field)
        if operator in ("equals", "not_equals"):
            return ("cmp", "==" if operator == "equals" else "!=", path, ("const", value))
        if operator in ("gt", "gte", "lt", "lte"):
            return ("cmp", {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}[operator], path, ("const", value))
        if operator in ("in", "not_in"):
            test = ("in", path, list(value))
            return test if operator == "in" else ("not", test)
        if operator == "contains":
            return ("contains", path, value)
        if operator == "exists":
            return ("exists", path)
        raise PolicyError("operator %r" % (operator,))

    def inside(self, now_us):
        """time_window: whole minutes, both ends in; past midnight it belongs to the day it began."""
        local = datetime(1970, 1, 1) + timedelta(microseconds=now_us) + timedelta(minutes=self.zone)
        minute, day = local.hour * 60 + local.minute, local.weekday()
        if self.start <= self.end:
            return self.start <= minute <= self.end and day in self.days
        if minute >= self.start:
            return day in self.days
        return minute <= self.end and (day - 1) % 7 in self.days


# ---------------------------------------------------------------- 3 documents

KEYS = {
    "id": ("relation_id", "id"), "source": ("source", "subject", "actor"), "target": ("target", "action"),
    "object": ("object", "data_class", "data_classes", "metadata.object"), "resource": ("resource",),
    "justification": ("justification", "reason", "metadata.justification"),
}
KNOWN_KEYS = {"relation_id", "id", "relation_type", "type", "source", "subject", "actor", "target", "action", "object",
              "data_class", "data_classes", "resource", "condition", "conditions", "justification", "reason", "metadata",
              "scope", "window", "grants"}


def member(node, path):
    if "." in path:
        outer, inner = path.split(".")
        node = node.get(outer)
        return node.get(inner) if isinstance(node, dict) else None
    return node.get(path)


def alias(node, key):
    """The value under any of a key's names; two that differ are an error."""
    found = [member(node, name) for name in KEYS[key]]
    found = [value for value in found if value is not None]
    if any(value != found[0] for value in found):
        raise PolicyError("two values for %s" % key)
    return found[0] if found else None


class Rule:
    pass


def instant(text):
    """RFC 3339 with a zone, in microseconds."""
    when = datetime.fromisoformat(text.replace("Z", "+00:00"))
    if when.tzinfo is None:
        raise PolicyError("an instant without its zone")
    return int((when - datetime(1970, 1, 1, tzinfo=timezone.utc)) / timedelta(microseconds=1))


ASK_WORDS = {"approval", "review", "confirmation", "authorization", "assessment", "oversight"}


def effect_of(verb):
    """9: what a constraint's verb does: (effect, states a good case)."""
    if verb.startswith(("deny_if_", "deny_unless_")):
        return "deny", True
    if verb.startswith(("deny", "block")):
        return "deny", False
    if verb.startswith(("throttle", "limit")):
        return "throttle", False
    if verb.startswith("require_"):
        return ("escalate" if any(word in verb for word in ASK_WORDS) else "oblige"), False
    if verb.startswith(("verify_", "reduce_", "redact_")):
        return "oblige", False
    if verb.startswith(("allow_with_", "provide_", "log_", "alert_", "notify_")):
        return "advice", False
    return "escalate", False


class Policy:
    """One policy of one or several documents."""

    def __init__(self, documents):
        self.documents = [d for d in documents if d.get("enforcement") != "log_only"]
        for document in documents:  # 10: evaluated beside, never merged; but each must be a policy
            if document not in self.documents and len(documents) > 1:
                Policy([{k: v for k, v in document.items() if k != "enforcement"}])
        if not self.documents:
            raise PolicyError("nothing but log_only documents")
        self.several = len(self.documents) > 1
        self.documents = sorted(self.documents, key=lambda d: (self.name_of(d).encode(), canonical_json(d)))
        self.terms = {kind: {} for kind in PREFIX}  # by canonical name
        self.up = {kind: {} for kind in PREFIX}     # canonical -> set of canonical: X is a Y, X entails Y
        self.grants = {}                            # action -> those whose permits cover it directly
        self.rules, self.conflicts, self.constraints = [], [], []
        self.head()
        self.read_terms()
        self.read_rules()
        self.finish()

    @staticmethod
    def name_of(document):
        return document.get("policy_id") or document.get("name") or "policy"

    def head(self):
        self.mode = max(MODES[d.get("mode", "strict")] for d in self.documents)
        self.since = max([instant(d["effective_from"]) for d in self.documents if "effective_from" in d],
                         default=None)
        self.until = min([instant(d["effective_until"]) for d in self.documents if "effective_until" in d],
                         default=None)
        if self.since is not None and self.until is not None and self.until <= self.since:
            raise PolicyError("never in effect")
        options = self.documents[0].get("options", {})
        if any(d.get("options", {}) != options for d in self.documents):
            raise PolicyError("options differ")
        self.options = options
        self.fact_options = options.get("facts", {})
        self.trust = options.get("context_trust")
        self.open_world = set(options.get("open_world", []))
        self.none_declared = options.get("undeclared_data_classes") == "treat_as_none"

    # ---- terms

    def read_terms(self):
        self.declared, self.used = {}, {}
        parents = []
        for document in self.documents:
            for kind, node in self.term_nodes(document):
                self.declare(kind, node, parents)
        self.names = {kind: Names(kind) for kind in PREFIX}
        for kind in PREFIX:
            for term in self.terms[kind].values():
                self.names[kind].add(term)
            self.names[kind].close()
        for kind, canonical, names in parents:
            for name in names:
                self.above(kind, canonical, self.ref(kind, name))

    @staticmethod
    def term_nodes(document):
        terms = document.get("terms", [])
        if isinstance(terms, dict):
            for group, kind in LISTS.items():
                for node in terms.get(group, []):
                    yield kind, ({"id": node} if isinstance(node, str) else node)
        else:
            for node in terms:
                yield node.get("term_type", node.get("type")), node

    def declare(self, kind, node, parents):
        ident = node.get("term_id", node.get("id"))
        label = node.get("label", node.get("name"))
        canonical = canonical_of(kind, ident)
        metadata = node.get("metadata") or {}
        kind_word = metadata.get("type", node.get("type"))
        risk = node.get("risk_level", metadata.get("risk_level", 0))
        # in the list form `type` is the kind; "ai" may stand there only in the dict form
        term = Term(kind, canonical, ident, label, True, kind_word == "ai", risk)
        known = self.terms[kind].get(canonical)
        if known is not None:
            if not self.several or known.id != ident or known.label != label:
                raise PolicyError("%s is declared twice" % canonical)
            known.ai, known.risk = known.ai or term.ai, max(known.risk, term.risk)
        else:
            self.terms[kind][canonical] = term
        parents.append((kind, canonical, as_list(node.get("member_of", metadata.get("member_of")))))

    def ref(self, kind, name):
        """What a rule's name means: over declared terms, else a new term of the kind of its position."""
        try:
            term = self.names[kind].find(name)
        except Ambiguous:
            raise PolicyError("%s is ambiguous" % name) from None
        if term is not None:
            self.used[kind, name] = term
            return term.canonical
        canonical = canonical_of(kind, name)
        if canonical not in self.terms[kind]:
            if self.options.get("strict_terms"):
                raise PolicyError("%s is not declared" % name)
            self.terms[kind][canonical] = Term(kind, canonical, name, declared=False)
        return canonical

    def above(self, kind, low, high):
        self.up[kind].setdefault(low, set()).add(high)
        if kind == "action":
            self.grants.setdefault(low, set()).add(high)  # member_of: is-a, and permits follow

    # ---- relations

    def read_rules(self):
        for document in self.documents:
            prefix = self.name_of(document) + "/" if self.several else ""
            for verb, index, node in self.relation_nodes(document):
                self.relation(prefix, verb, index, node)
            constraints = document.get("constraints", [])
            pairs = constraints.items() if isinstance(constraints, dict) else \
                [(node["name"], node) for node in constraints]
            for name, node in pairs:
                self.constraint(prefix, name, node)

    @staticmethod
    def relation_nodes(document):
        relations = document.get("relations", [])
        if isinstance(relations, dict):
            for verb, nodes in relations.items():
                for index, node in enumerate(nodes):
                    yield verb, index, node
        else:
            for index, node in enumerate(relations):
                yield node.get("relation_type", node.get("type")), index, node

    def relation(self, prefix, verb, index, node):
        if set(node) - KNOWN_KEYS:
            raise PolicyError("unknown key in a relation")
        rule = Rule()
        rule.verb = verb
        rule.id = prefix + (alias(node, "id") or "%s:%d" % (verb, index))
        source, target = alias(node, "source"), alias(node, "target")
        if verb in ("implies", "conflicts"):
            return self.pair(rule, verb, node, source, target)
        conditions = as_list(node.get("condition")) + as_list(node.get("conditions")) + \
            as_list(member(node, "metadata.condition"))
        if verb == "requires" and isinstance(target, str) and target.startswith("condition:"):
            conditions.append(target[len("condition:"):])
            source, target = None, source
        if verb == "permits" and (source is None or target is None):
            raise PolicyError("a permit names its subject and its action")
        if verb == "requires" and not conditions:
            raise PolicyError("requires without a condition")
        place = "restriction" if verb == "forbids" else "grant"
        rule.actor = None if source in (None, "*") else self.ref("actor", source)
        rule.action = None if target in (None, "*") else self.ref("action", target)
        rule.objects = self.places("data_class", alias(node, "object"))
        rule.resources = self.places("resource", node.get("resource"))
        rule.conditions = [Condition(self, c, place) for c in conditions]
        rule.limited = any(c.kind == "rate_limit" for c in rule.conditions)
        self.rules.append(rule)

    def places(self, kind, value):
        """None: any."""
        names = as_list(value)
        if not names or "*" in names:
            return None
        return {self.ref(kind, name) for name in names}

    def pair(self, rule, verb, node, source, target):
        if any(key in node for key in ("object", "condition", "conditions")) or "*" in (source, target):
            raise PolicyError("%s joins two terms" % verb)
        kind = self.kind_of(source, target)
        low, high = self.ref(kind, source), self.ref(kind, target)
        if verb == "implies":
            self.up[kind].setdefault(low, set()).add(high)
            if kind == "action" and node.get("grants"):
                self.grants.setdefault(high, set()).add(low)  # leave for X is leave for what it entails
            return
        rule.kind, rule.a, rule.b = kind, low, high
        rule.scope = node.get("scope", "global")
        rule.window = duration(node.get("window", "1h"))
        if rule.window > 3600:
            raise PolicyError("a window of more than an hour")
        self.conflicts.append(rule)

    @staticmethod
    def kind_of(*names):
        for name in names:
            for kind, prefix in PREFIX.items():
                if name.startswith(prefix):
                    return kind
        raise PolicyError("of which kind?")

    def constraint(self, prefix, name, node):
        rule = Rule()
        rule.done, rule.id, rule.action = "done." + prefix + name, prefix + "constraint:" + name, node["action"]
        rule.effect, rule.good_case = effect_of(rule.action)
        if "effect" in node:
            rule.effect, rule.good_case = node["effect"], False
        rule.quorum = 2 if "dual" in rule.action.split("_")[1:] else 1
        rule.conditions = [Condition(self, c, "trigger")
                           for c in as_list(node.get("condition")) + as_list(node.get("conditions"))]
        rule.names = set().union(*[c.names for c in rule.conditions]) if rule.conditions else set()
        self.constraints.append(rule)

    # ---- 4 the hierarchy, and what can only be checked at the end

    def finish(self):
        approver = self.options.get("approver")
        self.approver = self.ref("actor", approver) if approver is not None else None
        self.names = {kind: Names(kind) for kind in PREFIX}
        for kind in PREFIX:
            for term in self.terms[kind].values():
                self.names[kind].add(term)
            self.names[kind].close()
        for (kind, name), term in self.used.items():
            if self.names[kind].flat.get(name, term) is not term:
                raise PolicyError("an undeclared term takes the name %s" % name)
        if approver is None and "actor:human" in self.terms["actor"]:
            self.approver = "actor:human"
        self.approver_name = self.approver or "actor:human"
        self.closures = {kind: {c: self.reach(self.up[kind], c, True) for c in self.terms[kind]} for kind in PREFIX}
        self.covers = {c: self.reach(self.grants, c, False) for c in self.terms["action"]}
        for rule in self.conflicts:
            if rule.kind in ("actor", "data_class"):
                for closure in self.closures[rule.kind].values():
                    if rule.a in closure and rule.b in closure:
                        raise PolicyError("a term holds both sides of %s" % rule.id)
        self.restricting = set().union(*[c.names for c in self.constraints
                                         if c.effect in ("escalate", "throttle", "deny")]) \
            if self.constraints else set()
        self.permits = [r for r in self.rules if r.verb == "permits"]
        self.forbids = [r for r in self.rules if r.verb == "forbids"]
        self.requires = [r for r in self.rules if r.verb == "requires"]

    @staticmethod
    def reach(edges, start, acyclic):
        seen, stack = {start}, [start]
        while stack:
            for nxt in edges.get(stack.pop(), ()):
                if nxt == start and acyclic:
                    raise PolicyError("a cycle through %s" % start)
                if nxt not in seen:
                    seen.add(nxt)
                    stack.append(nxt)
        return frozenset(seen)

    def risk_of(self, action):
        """8 and 12: the highest of its own and of what it entails."""
        return max(self.terms["action"][c].risk for c in self.closures["action"][action])

    def in_effect(self, now_us):
        return (self.since is None or now_us >= self.since) and (self.until is None or now_us < self.until)


# ---------------------------------------------------------------- the evaluation

class Bound:
    """One contribution: an upper bound with its code, the rules behind it and what would discharge it."""

    __slots__ = ("outcome", "code", "rules", "obligations")

    def __init__(self, outcome, code, rules=(), obligations=()):
        self.outcome, self.code, self.rules, self.obligations = outcome, code, list(rules), list(obligations)


def obligation(kind, approver=None, quorum=0, timeout_s=0, rule=None, condition=None, action=None):
    return (kind, approver, quorum, timeout_s, rule, condition, action)


class Denied(Exception):
    def __init__(self, code):
        super().__init__(code)
        self.code = code


def bad_name(name):
    return not isinstance(name, str) or not 1 <= len(name.encode()) <= 512 or \
        any(ord(c) < 32 or 127 <= ord(c) < 160 for c in name)


def inexact(value):
    """formats: an integer beyond 2^53 - 1 has no exact canonical form."""
    if isinstance(value, dict):
        return any(inexact(v) for v in value.values())
    if isinstance(value, list):
        return any(inexact(v) for v in value)
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2 ** 53 - 1


class Evaluation:
    def __init__(self, policy, request, facts, now_us, server_mode):
        self.policy, self.request, self.facts, self.now = policy, request, facts or {}, now_us
        given = MODES.get(request.get("policy_mode"), 0)
        floor = max(policy.mode, MODES.get(server_mode, 0))
        self.modes = (given, policy.mode, MODES.get(server_mode, 0), max(given, floor))
        self.mode = max(given, floor)
        self.paranoid, self.permissive = self.mode == 3, self.mode == 1
        self.warnings = set()
        if given and given < floor:
            self.warnings.add("MODE_WEAKENING_IGNORED")
        trust = policy.trust or ("caller" if self.permissive else "attested")
        self.trust_caller = trust == "caller"
        self.risk = 0
        self.advice = []
        self.reserved = []  # 5: the limited rules that an approval uses
        self.history = self.facts.get("history") or {}
        complete = self.history.get("complete", True)
        self.known_s = None if complete is True else float(complete)  # so far back it is complete; False: 0
        self.values = {}
        self.unverified = set()  # (rule, condition) that only the caller calls true

    # ---- 7 validate

    def validate(self):
        r = self.request
        required = [r.get("request_id"), r.get("actor"), r.get("proposed_action")]
        names = required[1:] + list(r.get("data_classes") or []) + \
            [r[k] for k in ("tool", "resource") if r.get(k) is not None]
        if None in required or any(bad_name(name) for name in names):
            raise Denied("INVALID_REQUEST")
        if not 1 <= r.get("risk_level", 1) <= 5 or len(r.get("data_classes") or []) > 64:
            raise Denied("INVALID_REQUEST")
        if r.get("policy_mode") is not None and r["policy_mode"] not in MODES:
            raise Denied("INVALID_REQUEST")
        if len((r.get("user_intent") or "").encode()) > 4096 or inexact(r.get("context")) or inexact(r.get("arguments")):
            raise Denied("INVALID_REQUEST")
        if r.get("deadline") is not None and self.now > instant(r["deadline"]):
            raise Denied("REQUEST_EXPIRED")

    # ---- 2, 12 resolve names

    def term(self, kind, name):
        return self.policy.names[kind].find(name)

    def resolve(self):
        policy, r = self.policy, self.request
        try:
            actor = self.term("actor", r["actor"])
            action = self.term("action", r["proposed_action"])
            tool = self.term("action", r["tool"]) if r.get("tool") is not None else None
            roles = [self.term("actor", role) for role in self.facts.get("roles", [])]
            self.classes = [(name, self.term("data_class", name)) for name in
                            sorted(set(r.get("data_classes") or []), key=lambda n: n.encode())]
            self.resource = self.term("resource", r["resource"]) if r.get("resource") is not None else None
        except Ambiguous:
            raise Denied("AMBIGUOUS_TERM") from None
        self.roles = [role for role in roles if role is not None]
        self.actor = actor
        self.actor_known = actor is not None or bool(self.roles)
        self.action_known = action is not None
        self.actor_key = actor.canonical if actor is not None else r["actor"]
        self.actors = set()
        for term in self.roles + ([actor] if actor is not None else []):
            self.actors |= policy.closures["actor"][term.canonical]
        self.actions = [action.canonical if action is not None else None]
        if tool is not None and tool is not action:
            self.actions.append(tool.canonical)
        self.class_terms = [t.canonical if t is not None else None for _, t in self.classes]
        self.class_closures = [policy.closures["data_class"][c] if c is not None else None for c in self.class_terms]
        self.held = set().union(*[c for c in self.class_closures if c is not None]) if self.classes else set()
        self.unknown_classes = sum(c is None for c in self.class_terms)
        self.resource_closure = policy.closures["resource"][self.resource.canonical] if self.resource else None
        levels = [r.get("risk_level", 1)] + [policy.risk_of(a) for a in self.actions if a is not None]
        self.risk = max(20 * max(levels), self.facts.get("risk_score", 0))
        if not self.actor_known and not self.permissive and "actor" not in policy.open_world:
            raise Denied("UNKNOWN_ACTOR")
        if not self.action_known and not self.permissive and "action" not in policy.open_world:
            raise Denied("UNKNOWN_ACTION")
        unknown = self.unknown_classes or (r.get("resource") is not None and self.resource is None)
        if not self.actor_known or not self.action_known or (self.permissive and unknown):
            self.warnings.add("UNKNOWN_NAME")

    def closure(self, action):
        return self.policy.closures["action"][action] if action is not None else frozenset()

    # ---- 5 facts

    def attested(self, name):
        node = self.facts.get("attested", {}).get(name, ABSENT)
        issuer = None
        if isinstance(node, dict):
            node, issuer = node["value"], node.get("issuer")
        allowed = self.policy.fact_options.get(name, {}).get("attested_by")
        if node is None or (allowed is not None and issuer not in allowed):
            return ABSENT
        return node

    def value(self, path, everything):
        """A fact over server and attested facts, or over everything (attested over caller)."""
        key = (path, everything)
        if key not in self.values:
            self.values[key] = self.look_up(path, everything)
        return self.values[key]

    def look_up(self, path, everything):
        r = self.request
        if path == "risk_level":
            return -(-self.risk // 20)
        if path == "risk_score":
            return self.risk
        if path.startswith("arguments."):
            node = r.get("arguments")
            for step in path.split(".")[1:]:
                node = node.get(step) if isinstance(node, dict) else None
            return ABSENT if node is None else node
        if path.startswith("request."):
            field = path[8:]
            if field in CALLERS and not everything:
                return ABSENT
            value = r.get(field)
            if field == "risk_level":
                value = r.get(field, 1)
            if field == "data_classes":
                value = r.get(field) or []
            return ABSENT if value is None else value
        if path.startswith("token."):
            value = self.facts.get("token", {}).get(path[6:])
            return ABSENT if value is None else value
        value = self.attested(path)
        if value is ABSENT and everything:
            value = r.get("context", {}).get(path)
            value = ABSENT if value is None else value
        declared = self.policy.fact_options.get(path, {}).get("type")
        if value is not ABSENT and declared is not None and type_of(value) != declared:
            return ILL
        return value

    def exists(self, path, everything):
        value = self.value(path, everything)
        if value is ILL:
            return N
        if value is not ABSENT:
            return T
        if path.startswith(("arguments.", "token.")):
            return F
        if path.startswith("request.") and path[8:] not in CALLERS:
            return F
        return N  # the caller's own words too: saying something must not raise a verdict

    # ---- 5 truth of a tree

    def is_a(self, kind, canonical, action, index, trigger):
        """actor|action|data_class|resource == name: membership in the closed set. A name that the policy does not know
        is unknown, and in a trigger may be any; an unknown actor still is what its attested roles are."""
        unknown = B if trigger else N
        if kind == "actor":
            if canonical in self.actors:
                return T
            return unknown if self.actor is None else F
        if kind == "action":
            if action is None:
                return unknown
            return T if canonical in self.closure(action) else F
        if kind == "resource":
            if self.request.get("resource") is None:
                return N
            closure = self.resource_closure
        else:
            if index is None:
                return N
            closure = self.class_closures[index]
        if closure is None:
            return unknown
        return T if canonical in closure else F

    def truth(self, tree, everything, action, index, trigger):
        op = tree[0]
        if op == "and":
            return t_and(self.truth(tree[1], everything, action, index, trigger),
                         self.truth(tree[2], everything, action, index, trigger))
        if op == "or":
            return t_or(self.truth(tree[1], everything, action, index, trigger),
                        self.truth(tree[2], everything, action, index, trigger))
        if op == "not":
            return t_not(self.truth(tree[1], everything, action, index, trigger))
        if op == "is":
            return self.is_a(tree[1], tree[2], action, index, trigger)
        if op == "truth":
            value = self.operand(tree[1], everything)
            return (T if value else F) if isinstance(value, bool) else N
        if op == "cmp":
            return compare(tree[1], self.operand(tree[2], everything), self.operand(tree[3], everything))
        value = self.operand(tree[1], everything) if op != "exists" else None
        if op == "in":
            return highest(equal(value, item) for item in tree[2])
        if op == "contains":
            return contains(value, tree[2])
        return self.exists(tree[1][1], everything)

    def operand(self, operand, everything):
        return operand[1] if operand[0] == "const" else self.value(operand[1], everything)

    def over_classes(self, condition, everything, action, trigger, combine):
        """An expression that names data_class is judged once for each class."""
        if not condition.per_class or not self.classes:
            return self.truth(condition.tree, everything, action, None, trigger)
        return combine(self.truth(condition.tree, everything, action, i, trigger)
                       for i in range(len(self.classes)))

    # ---- 5 the table's three rows

    def grant(self, condition, action, rule):
        """A permits' or requires' condition: (truth, code where false, is it an approval)."""
        if condition.kind == "time_window":
            return (T if condition.inside(self.now) else F), "OUTSIDE_TIME_WINDOW", False
        if condition.kind == "rate_limit":
            return self.rate(condition, rule), "RATE_LIMITED", False
        if condition.kind == "approval":
            approver = condition.approver or self.policy.approver
            held = self.approved(approver, condition.quorum, condition.timeout)
            return (T if held else N), None, True
        value = self.over_classes(condition, False, action, False, lowest)
        if value == N:
            said = self.over_classes(condition, True, action, False, lowest)
            if self.trust_caller or said == F:  # an admission counts
                value = said
            elif said == T:
                self.unverified.add((rule.id if rule else None, condition.text))
        return value, "CONDITION_FALSE", False

    def restriction(self, condition, action):
        """A forbid's condition: F only where it is known not to hold."""
        if condition.kind == "time_window":
            return T if condition.inside(self.now) else F
        value = self.over_classes(condition, False, action, False, highest)
        if value == N:
            said = self.over_classes(condition, True, action, False, highest)
            if self.trust_caller or said == T:
                value = said
        return value

    def triggered(self, constraint, action):
        if constraint.good_case:
            return any(self.grant(c, action, None)[0] != T for c in constraint.conditions)
        values = [self.trigger_value(c, False, action) for c in constraint.conditions]
        value = lowest(values)
        if value & T or value == F:
            return value != F
        said = lowest(self.trigger_value(c, True, action) for c in constraint.conditions)
        if said & T:
            return True
        if not (said if self.trust_caller else value) & N:
            return False
        return any(self.required(name) for name in constraint.names)

    def trigger_value(self, condition, everything, action):
        if condition.kind == "time_window":
            return T if condition.inside(self.now) else F
        return self.over_classes(condition, everything, action, True, highest)

    def required(self, name):
        declared = self.policy.fact_options.get(name, {}).get("required")
        if declared is not None:
            return declared
        return self.paranoid and name in self.policy.restricting

    # ---- 5 approvals and rates

    def approved(self, approver, quorum, timeout_s):
        """`quorum` approvals with pairwise distinct keys and terms, none the requester's own or a machine's."""
        if approver is None:
            return False
        edges = {}
        for record in self.facts.get("approvals", []):
            try:
                term = self.term("actor", record["approver"])
            except Ambiguous:
                continue
            if term is None or self.is_ai(term) or term is self.actor or record["age_s"] > timeout_s:
                continue
            if approver not in self.policy.closures["actor"][term.canonical]:
                continue
            if record["key"] == self.facts.get("requester_key", ABSENT):
                continue
            edges.setdefault(record["key"], set()).add(term.canonical)
        return self.matching(edges) >= quorum

    def is_ai(self, term):
        """Whoever is a machine, or is a member of machines."""
        return any(self.policy.terms["actor"][above].ai for above in self.policy.closures["actor"][term.canonical])

    @staticmethod
    def matching(edges):
        matched = {}

        def augment(key, seen):
            for term in sorted(edges[key]):
                if term not in seen:
                    seen.add(term)
                    if term not in matched or augment(matched[term], seen):
                        matched[term] = key
                        return True
            return False
        return sum(augment(key, set()) for key in sorted(edges))

    @staticmethod
    def millionths(value):
        """Exact, or None: negative, too large, too fine, or no number."""
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 9e12:
            return None
        if isinstance(value, int):
            return value * MICRO
        scaled = round(value * MICRO)
        return scaled if scaled / MICRO == value else None

    def rate(self, condition, rule):
        if condition.sum is None:
            add = 1
        else:
            value = self.value(condition.sum, False)
            add = None if value is ABSENT else self.millionths(value)
        if add is None or not self.known(condition.window):
            return N
        total = 0
        for item in self.past("rates", condition.window):
            if item["rule"] == rule.id and self.history_actor(item["actor"]) == self.actor_key:
                total += self.millionths(item.get("amount", 0)) if condition.sum is not None else 1
        limit = condition.max if condition.sum is None else condition.max * MICRO
        return T if total + add <= limit else F

    def known(self, window):
        return self.known_s is None or window <= self.known_s

    def past(self, kind, window):
        """The items of a window: after now - window; of what is not known nothing can be read."""
        return [i for i in self.history.get(kind, [])
                if i["age_s"] < window and (self.known_s is None or i["age_s"] < self.known_s)]

    def history_actor(self, name):
        try:
            term = self.term("actor", name)
        except Ambiguous:
            return name
        return term.canonical if term is not None else name

    # ---- 6 matching

    def meets_actor(self, rule):
        return rule.actor is None or rule.actor in self.actors

    def object_of(self, rule):
        """A forbid's or require's object: T, F or N, and why it is N."""
        if rule.objects is None or rule.objects & self.held:
            return T, None
        if not self.classes:
            return (F, None) if self.policy.none_declared else (N, "DATA_CLASS_UNDECLARED")
        if self.unknown_classes:
            return N, "UNKNOWN_DATA_CLASS"
        return F, None

    def resource_of(self, rule):
        if rule.resources is None:
            return T
        if self.resource_closure is None:
            return N
        return T if rule.resources & self.resource_closure else F

    def restricts(self, rule, action):
        return self.meets_actor(rule) and (rule.action is None or rule.action in self.closure(action))

    # ---- 7 the steps

    def step_forbids(self, action):
        sure, open_ = [], []
        for rule in self.policy.forbids:
            if not self.restricts(rule, action):
                continue
            objects, why = self.object_of(rule)
            conditions = lowest(self.restriction(c, action) for c in rule.conditions)
            value = t_and(t_and(objects, self.resource_of(rule)), conditions)
            if value == T:
                sure.append(Bound("denied", "FORBIDDEN", [rule.id]))
            elif value == N:
                open_.append(Bound("denied", why or "FORBID_NOT_EXCLUDED", [rule.id]))
        return sure + open_

    def step_conflicts(self, action):
        bounds = []
        for rule in self.policy.conflicts:
            bound = self.duty_conflict(rule, action) if rule.kind == "action" else \
                self.roles_conflict(rule) if rule.kind == "actor" else self.class_conflict(rule)
            if bound is not None:
                bounds.append(bound)
        return bounds

    def roles_conflict(self, rule):
        if rule.a in self.actors and rule.b in self.actors:
            return Bound("denied", "SOD_CONFLICT", [rule.id])
        return None

    def class_conflict(self, rule):
        sides = (rule.a in self.held) + (rule.b in self.held)
        if sides == 2 or (sides + self.unknown_classes >= 2):
            return Bound("denied", "COMBINATION_CONFLICT", [rule.id])
        return None

    def duty_conflict(self, rule, action):
        """Who does one side may not have done the other; a request that does both does it at once."""
        held = set().union(*[self.closure(a) for a in self.actions])
        wanted = {other for side, other in ((rule.a, rule.b), (rule.b, rule.a)) if side in self.closure(action)}
        if not wanted:
            return None
        value = N if rule.scope == "session" or not self.known(rule.window) else F
        if rule.scope != "session":
            if rule.a in held and rule.b in held:
                value = T
            for item in self.past("duties", rule.window):
                if self.history_actor(item["actor"]) == self.actor_key and self.done_closure(item["action"]) & wanted:
                    value = t_or(value, self.same_resource(rule, item))
        if value == T:
            return Bound("denied", "SOD_CONFLICT", [rule.id])
        if value == N and not self.approved(self.policy.approver, 1, APPROVAL_S):
            return Bound("escalated", "SOD_STATE_UNAVAILABLE", [rule.id],
                         [self.ask(1, rule.id, "separation_of_duties", None)])
        return None

    def done_closure(self, name):
        try:
            term = self.term("action", name)
        except Ambiguous:
            term = None
        return self.closure(term.canonical) if term is not None else frozenset()

    def same_resource(self, rule, item):
        if rule.scope == "global":
            return T
        there, here = item.get("resource"), self.request.get("resource")
        if there is None or here is None:
            return N
        if there == here:
            return T
        try:
            other = self.term("resource", there)
        except Ambiguous:
            other = None
        if other is None or self.resource is None:
            return N
        closures = self.policy.closures["resource"]
        held = other.canonical in closures[self.resource.canonical] or \
            self.resource.canonical in closures[other.canonical]
        return T if held else F

    def ask(self, quorum, rule, condition, action):
        return obligation("approval", self.policy.approver_name, quorum, APPROVAL_S, rule, condition, action)

    def judge(self, rule, action):
        """The bound of a grant under its conditions, with what is open."""
        code, missing, unknown = None, [], []
        for condition in rule.conditions:
            value, why, approval = self.grant(condition, action, rule)
            if value == F:
                return Bound("denied", why, [rule.id])
            if value == N:
                (missing if approval else unknown).append(condition)
        oblige = [obligation("approval", c.approver or self.policy.approver_name, c.quorum, c.timeout, rule.id,
                             c.text) for c in missing]
        oblige += [obligation("verify", rule=rule.id, condition=c.text) for c in unknown]
        if missing:
            return Bound("escalated", "APPROVAL_REQUIRED", [rule.id], oblige)
        if unknown:
            return Bound("conditional", "CONDITION_UNVERIFIED", [rule.id], oblige)
        return Bound("approved", "PERMITTED", [rule.id])

    def permit_candidates(self, action):
        covers = self.policy.covers[action] if action is not None else frozenset()
        found = []
        for rule in self.policy.permits:
            if self.meets_actor(rule) and (rule.action is None or rule.action in covers) and \
                    self.resource_of(rule) == T:
                found.append((rule, self.judge(rule, action)))
        return found

    def step_base(self, action):
        candidates = self.permit_candidates(action)
        if not self.classes:
            parts = [("", [b for r, b in candidates if r.objects is None], "NOT_PERMITTED")]
        else:
            parts = []
            for (name, _), closure in zip(self.classes, self.class_closures):
                if closure is None:
                    covering = [b for r, b in candidates if r.objects is None and not self.paranoid]
                    parts.append((name, covering, "UNKNOWN_DATA_CLASS"))
                else:
                    parts.append((name, [b for r, b in candidates if r.objects is None or r.objects & closure],
                                  "NOT_PERMITTED"))
        bests = []
        limited, before = {rule.id for rule, _ in candidates if rule.limited}, list(self.reserved)
        for _, covering, otherwise in parts:
            self.reserve([b.rules[0] for b in covering if b.outcome == "approved"], limited)
            best = None
            for bound in covering:
                if best is None or ORDER[bound.outcome] > ORDER[best.outcome]:
                    best = bound
            if best is None:
                best = Bound("denied", self.nobody(action) if otherwise == "NOT_PERMITTED" else otherwise)
            bests.append(best)
        if self.permissive and any(b.outcome != "approved" for b in bests):
            self.reserved = before  # the default approves, and uses no permit
        if all(b.outcome == "approved" for b in bests):
            rules = [b.rules[0] for r, b in candidates if b.outcome == "approved" and
                     any(b in covering for _, covering, _ in parts)]
            return [Bound("approved", "PERMITTED", rules)]
        if self.permissive:
            return [Bound("approved", "DEFAULT_PERMIT")]
        return [b for b in bests if b.outcome != "approved"]

    def reserve(self, true_permits, limited):
        """5: for a class that no unlimited true permit covers, the first limited one, each rule once."""
        if true_permits and all(rule in limited for rule in true_permits) and true_permits[0] not in self.reserved:
            self.reserved.append(true_permits[0])

    def nobody(self, action):
        """12: in an open world the unknown name is what a person needs to hear."""
        if not self.actor_known:
            return "UNKNOWN_ACTOR"
        return "UNKNOWN_ACTION" if action is None else "NOT_PERMITTED"

    def step_requires(self, action):
        bounds = []
        for rule in self.policy.requires:
            if not self.restricts(rule, action) or self.object_of(rule)[0] == F or self.resource_of(rule) == F:
                continue
            bound = self.judge(rule, action)
            if bound.outcome == "denied" and bound.code == "CONDITION_FALSE":
                bound.code = "REQUIREMENT_NOT_MET"
            if bound.outcome == "conditional" and self.paranoid and \
                    not self.approved(self.policy.approver, 1, APPROVAL_S):
                bound.outcome = "escalated"
                bound.obligations.insert(0, self.ask(1, rule.id, bound.obligations[0][5], None))
            if bound.outcome != "approved":
                bounds.append(bound)
            elif rule.limited and rule.id not in self.reserved:
                self.reserved.append(rule.id)
        return bounds

    def step_constraints(self, action):
        bounds = []
        for rule in self.policy.constraints:
            if not self.triggered(rule, action):
                continue
            if rule.effect == "deny":
                bounds.append(Bound("denied", "CONSTRAINT_DENIED", [rule.id]))
            elif rule.effect == "throttle":
                bounds.append(Bound("denied", "RATE_LIMITED", [rule.id]))
            elif rule.effect == "escalate":
                if not self.approved(self.policy.approver, rule.quorum, APPROVAL_S):
                    bounds.append(Bound("escalated", "CONSTRAINT_ESCALATED", [rule.id],
                                        [self.ask(rule.quorum, rule.id, None, rule.action)]))
            elif rule.effect == "oblige":
                done = rule.done
                if self.value(done, False) is not True:
                    bounds.append(Bound("conditional", "CONSTRAINT_OBLIGATION", [rule.id],
                                        [obligation("verify", rule=rule.id, condition=done, action=rule.action)]))
            else:
                self.advice.append(obligation("advice", rule=rule.id, action=rule.action))
        return bounds

    def step_risk(self, _):
        high = self.facts.get("risk_score", 0) >= 80 or (self.paranoid and self.risk >= 80)
        if not high or self.approved(self.policy.approver, 1, APPROVAL_S):
            return []
        return [Bound("escalated", "HUMAN_CONFIRMATION_REQUIRED", [],
                      [self.ask(1, None, "risk_score >= 80", self.request["proposed_action"])])]

    # ---- 1 the verdict

    def decide(self):
        try:
            self.validate()
            if not self.policy.in_effect(self.now):
                raise Denied("NO_ACTIVE_POLICY")
            self.resolve()
        except Denied as denial:
            self.risk = None  # nothing was assessed
            return self.answer("denied", denial.code, [], [])
        bounds = []
        for action in self.actions:  # 6: both are evaluated and the minimum wins
            bounds += self.evaluate(action)
            if any(b.outcome == "denied" for b in bounds):
                break
        low = min(bounds, key=lambda b: ORDER[b.outcome])  # the first of the lowest
        deciding = [b for b in bounds if b.outcome == low.outcome]
        rules = []
        for bound in deciding:
            rules += [r for r in bound.rules if r not in rules]
        if low.outcome == "denied":
            obligations = []
        else:
            obligations = [o for b in bounds for o in b.obligations] + self.advice
        return self.answer(low.outcome, low.code, rules, obligations)

    def evaluate(self, action):
        """The steps in their order, until one denies: nothing lower can come. Forbids and classes are all
        told, of the other steps the first that denies."""
        bounds = []
        for step in (self.step_forbids, self.step_conflicts, self.step_base, self.step_requires, self.step_constraints,
                     self.step_risk):
            found = step(action)
            if step not in (self.step_forbids, self.step_base):
                denied = [i for i, b in enumerate(found) if b.outcome == "denied"]
                found = found[:denied[0] + 1] if denied else found
            bounds += found
            if any(b.outcome == "denied" for b in found):
                break
        return bounds

    def answer(self, outcome, code, rules, obligations):
        if any(o[0] == "verify" and (o[4], o[5]) in self.unverified for o in obligations):
            self.warnings.add("CONTEXT_UNVERIFIED")
        unique = []
        for item in obligations:
            if item not in unique:
                unique.append(item)
        self.outcome = outcome
        return {"outcome": outcome, "allowed": outcome == "approved", "reason_code": code, "rules": rules,
                "obligations": unique, "warnings": sorted(self.warnings),
                "modes": [MODE_NAMES[m] for m in self.modes], "risk": self.risk}


    def leaves(self):
        """What an approved decision leaves in the history of its partition, without ages."""
        if self.outcome != "approved":
            return {"rates": [], "duties": []}
        amount = self.millionths(self.value("arguments.amount", False))
        rates = [{"rule": rule, "actor": self.actor_key, "amount": (amount or 0) / MICRO} for rule in self.reserved]
        duties = [{"actor": self.request["actor"], "action": action, "resource": self.request.get("resource")}
                  for action in self.actions if action is not None]
        return {"rates": rates, "duties": duties}


def load(documents):
    """One parsed document, or a list of them."""
    return Policy(documents if isinstance(documents, list) else [documents])


def decide(policy, request, facts=None, now_us=0, server_mode=None):
    return Evaluation(policy, request, facts, now_us, server_mode).decide()
