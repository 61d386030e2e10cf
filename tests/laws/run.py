#!/usr/bin/env python3
"""Laws: the engine beside the slow evaluator, and beside itself.

    tests/laws/run.py --laws build/bin/lex_laws --triples 100000 --seed 1 --jobs 2

The differential run asks both evaluators for the verdict on random (policy, request, facts) triples and compares
what a caller sees: outcome, code, rules, obligations, warnings, modes, risk. The metamorphic laws change a policy or
a request in a way whose effect on the verdict is known (the design's laws for property tests) and ask the engine
again. A difference is printed with its seed and the smallest policy and request that still show it.
"""
import argparse
import copy
import json
import multiprocessing
import os
import random
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import generate  # noqa: E402
import slow  # noqa: E402

REQUESTS = 50
SERVER_MODES = ["unset", "unset", "permissive", "strict", "paranoid"]
ORDER = slow.ORDER


class Engine:
    """lex_laws as a child process; lines in, lines out, never more in flight than a pipe holds."""

    def __init__(self, path):
        self.child = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.current = None

    def ask(self, lines):
        answers, at = [], 0
        while at < len(lines):
            batch, size = [], 0
            while at < len(lines) and len(batch) < 25 and (not batch or size + len(lines[at]) < 30000):
                batch.append(lines[at])
                size += len(lines[at])
                at += 1
            self.child.stdin.write(("\n".join(batch) + "\n").encode())
            self.child.stdin.flush()
            for line in batch:
                answer = self.child.stdout.readline()
                if not answer:
                    raise RuntimeError("lex_laws ended (%s) at: %s" % (self.child.wait(), line[:2000]))
                answers.append(json.loads(answer))
        return answers

    def load(self, documents):
        texts = [json.dumps(d, ensure_ascii=False) for d in documents]
        line = {"policy": texts[0]} if len(texts) == 1 else {"documents": texts}
        return self.ask([json.dumps(line)])[0]

    def decide(self, triples):
        return self.ask([json.dumps({"request": r, "facts": f, "now_us": generate.NOW, "mode": m})
                         for r, f, m in triples])

    def close(self):
        self.child.stdin.close()
        if self.child.wait() != 0:
            raise RuntimeError("lex_laws ended with %d" % self.child.returncode)


class Slow:
    """The slow evaluator behind the same two calls."""

    def __init__(self):
        self.policy = None

    def load(self, documents):
        try:
            self.policy = slow.load(documents)
            return {"loaded": True, "hash": None}
        except slow.PolicyError as error:
            return {"error": str(error)}

    def decide(self, triples):
        return [slow.decide(self.policy, r, f, generate.NOW, m) for r, f, m in triples]


# ---------------------------------------------------------------- comparing

def obligations(answer):
    return sorted(tuple(o) for o in answer["obligations"]) if "obligations" in answer else None


def key(value):
    return json.dumps(value, sort_keys=True, default=str)


def warned(mine, theirs, request):
    """Whether the warnings differ. CONTEXT_UNVERIFIED is due where only the caller's word keeps a verify open; beyond
    that the design does not say when, but a request that says nothing cannot earn it."""
    a, b = set(mine["warnings"]), set(theirs["warnings"])
    said = request.get("context") or any(k in request for k in slow.CALLERS)
    return (a - b) or (b - a) - ({"CONTEXT_UNVERIFIED"} if said else set())


def differs(mine, theirs, request):
    """What of two answers differs, None where nothing does."""
    if "error" in theirs:
        return "error " + theirs["error"][:60]
    if theirs["outcome"] != mine["outcome"] or theirs["reason_code"] != mine["reason_code"]:
        return "verdict slow %s/%s engine %s/%s" % (mine["outcome"], mine["reason_code"], theirs["outcome"],
                                                   theirs["reason_code"])
    if theirs["allowed"] != (theirs["outcome"] == "approved"):
        return "allowed"
    early = mine["risk"] is None
    if sorted(mine["rules"]) != sorted(theirs["rules"]):
        return "rules %s/%s" % (mine["outcome"], mine["reason_code"])
    if not early and warned(mine, theirs, request):
        return "warnings %s/%s" % (mine["outcome"], mine["reason_code"])
    if theirs["replay"] not in ("same", "not replayable") and not early:
        return "replay: %s" % theirs["replay"]
    if mine["rules"] != theirs["rules"]:
        return "order of rules %s" % mine["reason_code"]
    if sorted(map(key, mine["obligations"])) != sorted(map(key, theirs["obligations"])):
        return "obligations %s/%s" % (mine["outcome"], mine["reason_code"])
    if not early and (mine["risk"] != theirs["risk"] or mine["modes"] != theirs["modes"]):
        return "risk or modes"
    return None


# ---------------------------------------------------------------- making small

def smaller(value):
    """Every value that is one step smaller."""
    if isinstance(value, dict):
        for name in value:
            yield {k: v for k, v in value.items() if k != name}
        for name, inner in value.items():
            for less in smaller(inner):
                yield dict(value, **{name: less})
    elif isinstance(value, list):
        for i in range(len(value)):
            yield value[:i] + value[i + 1:]
        for i, inner in enumerate(value):
            for less in smaller(inner):
                yield value[:i] + [less] + value[i + 1:]
    elif isinstance(value, str) and any(op in value for op in ("&&", "||", "!(")):
        for op in ("&&", "||"):
            for part in value.split(op):
                yield part.strip()
        if value.startswith("!(") or (value.startswith("(") and value.endswith(")")):
            yield value.lstrip("!")[1:-1]


TRIES = 3000


def minimize(case, shows):
    """Greedy: take any smaller case that still shows the difference, until none does."""
    tries = TRIES
    progress = True
    while progress and tries > 0:
        progress = False
        for less in smaller(case):
            tries -= 1
            if tries <= 0:
                break
            try:
                held = shows(less)
            except Exception:  # a case that is no case any more
                held = False
            if held:
                case, progress = less, True
                break
    return case


def report(kind, seed, case, mine, theirs):
    documents, request, facts, mode = case
    lines = ["not ok - %s (seed %s)" % (kind, seed)]
    lines += ["#   policy   " + json.dumps(d) for d in documents]
    lines += ["#   request  " + json.dumps(request), "#   facts    " + json.dumps(facts) + "  mode " + str(mode),
              "#   slow     " + json.dumps(mine), "#   engine   " + json.dumps(theirs)]
    return "\n".join(lines)


def describe_difference(engine, kind, documents, triple):
    """Make a differential case small; what both say of it."""
    subject = Slow()

    def both(case):
        docs, request, facts, mode = case
        if "error" in subject.load(docs) or "error" in engine.load(docs):
            return None
        return subject.decide([(request, facts, mode)])[0], engine.decide([(request, facts, mode)])[0]

    def shows(case):
        pair = both(case)
        return pair is not None and differs(*pair, case[1]) == kind
    case = minimize([documents, triple[0], triple[1], triple[2]], shows)
    return case, both(case)


# ---------------------------------------------------------------- the laws of section 11

class Laws:
    """Each law gives (changed policy or None, changed triples or None, relation over (before, after))."""

    def __init__(self, maker, documents, policy, triples):
        self.maker, self.documents, self.policy, self.triples = maker, documents, policy, triples
        self.text = json.dumps(documents)

    def reads(self, *words):
        return any(word in self.text for word in words)

    # ---- changes of the policy

    def with_rule(self, group, verb):
        maker = self.maker
        node = maker.constraint("added") if group == "constraints" else maker.rule(verb)
        documents = copy.deepcopy(self.documents)
        place = documents[0].setdefault(group, {})
        if group == "constraints":
            place.update(added=node) if isinstance(place, dict) else place.append(dict(node, name="added"))
        else:
            node.update(id="added")
            if isinstance(place, dict):
                place.setdefault(verb, []).append(node)
            else:
                place.append(dict(node, type=verb))
        try:
            changed = slow.load(documents)
        except slow.PolicyError:
            return None
        same = all(set(changed.terms[k]) == set(self.policy.terms[k]) for k in changed.terms)
        return documents if same else None

    def restriction(self):
        group, verb = self.maker.pick([("relations", "forbids"), ("relations", "requires"), ("constraints", None)])
        documents = self.with_rule(group, verb)
        return documents, None, lambda a, b, t: ORDER[b["outcome"]] <= ORDER[a["outcome"]]

    def permit(self):
        documents = self.with_rule("relations", "permits")
        return documents, None, lambda a, b, t: ORDER[b["outcome"]] >= ORDER[a["outcome"]]

    def shuffled(self, value, name=None):
        """The same document with its sets in another order."""
        if isinstance(value, list):
            items = [self.shuffled(item) for item in value]
            if name in ("terms", "relations", "constraints", "conditions", "permits", "forbids", "requires", "implies",
                        "conflicts", "actors", "actions", "data_classes", "resources", "object", "data_class", "days"):
                self.maker.random.shuffle(items)
            return items
        if isinstance(value, dict):
            items = list(value.items())
            self.maker.random.shuffle(items)
            return {k: self.shuffled(v, k) for k, v in items}
        return value

    # ---- changes of the request

    def each(self, change):
        return [change(copy.deepcopy(triple)) for triple in self.triples]

    @staticmethod
    def lower(before, after, _):
        return ORDER[after["outcome"]] <= ORDER[before["outcome"]]

    def mode(self):
        if self.reads("policy_mode"):
            return None, None, None

        def change(triple):
            triple[0]["policy_mode"] = self.maker.pick(["permissive", "strict", "paranoid"])
            return triple
        for triple in self.triples:
            triple[0].pop("policy_mode", None)
        return None, self.each(change), self.lower

    def context(self):
        def change(triple):
            triple[0]["context"] = self.maker.facts_map(50)
            return triple
        for triple in self.triples:
            triple[0].pop("context", None)

        def trusted(before, after, triple):
            trust = self.policy.trust or ("caller" if before["modes"][3] == "permissive" else "attested")
            return trust == "caller" or self.lower(before, after, triple)
        return None, self.each(change), trusted

    def risk(self):
        if self.reads("risk_level <", "risk_score", "request.risk_level", "risk_level =", "risk_level !", "risk_level >"):
            return None, None, None

        def change(triple):
            given = triple[0].get("risk_level", 1)
            if 1 <= given < 5:
                triple[0]["risk_level"] = self.maker.random.randint(given + 1, 5)
            return triple
        return None, self.each(change), self.lower

    def another_class(self):
        if self.reads("request.data_classes"):
            return None, None, None

        def change(triple):
            if triple[0].get("data_classes"):
                triple[0]["data_classes"].append(self.maker.asked("data_class", 20))
            return triple
        return None, self.each(change), self.lower

    def tool(self):
        if self.reads("request.tool", "action =", "action !", "risk_"):
            return None, None, None

        def change(triple):
            triple[0]["tool"] = self.maker.pick(["grep", self.maker.asked("action")])
            return triple
        for triple in self.triples:
            triple[0].pop("tool", None)
        return None, self.each(change), self.lower

    def same_name(self):
        if self.reads("request."):
            return None, None, None

        def other(kind, name):
            try:
                term = self.policy.names[kind].find(name)
            except slow.Ambiguous:
                return name
            if term is None:
                return name
            names = [n for n, t in self.policy.names[kind].flat.items() if t is term]
            return self.maker.pick(sorted(names))

        def change(triple):
            request = triple[0]
            for field, kind in (("actor", "actor"), ("proposed_action", "action"), ("resource", "resource"),
                                ("tool", "action")):
                if field in request:
                    request[field] = other(kind, request[field])
            if "data_classes" in request:
                request["data_classes"] = [other("data_class", n) for n in request["data_classes"]]
            return triple
        return None, self.each(change), lambda a, b, t: a["outcome"] == b["outcome"] and \
            (len(t[0].get("data_classes", [])) > 1 or a["reason_code"] == b["reason_code"])

    def substring(self):
        """A part of a name, and a name that has nothing to do with any: the same answer."""
        if self.reads("request."):
            return None, None, None
        field, kind = self.maker.pick([("actor", "actor"), ("proposed_action", "action"), ("resource", "resource")])

        def parts(name):
            found = [name[i:j] for i in range(len(name)) for j in range(i + 1, len(name) + 1)]
            return [p for p in found if p not in self.policy.names[kind].flat]

        def change(triple):
            name = triple[0].get(field, "")
            pieces = [] if slow.bad_name(name) else parts(name)
            if pieces:
                triple[0][field] = self.maker.pick(pieces)
            return triple
        changed = self.each(change)
        for before, after in zip(self.triples, changed):
            if before[0].get(field) != after[0].get(field):
                before[0][field] = "nothing_like_it"
                for item in (before[1].get("history") or {}).get("duties", []):
                    item["actor"] = "someone_else" if item["actor"] == "nothing_like_it" else item["actor"]
            history = after[1].get("history") or {}
            if any(i["actor"] == after[0].get("actor") for i in history.get("rates", []) + history.get("duties", [])) or \
                    any(i.get("resource") == after[0].get("resource") for i in history.get("duties", [])):
                before[0], after[0] = after[0], after[0]
        return None, changed, lambda a, b, t: (a["outcome"], a["reason_code"]) == (b["outcome"], b["reason_code"])

    def pure(self):
        return None, [self.triples[0]] * 3 + self.triples[::-1], None


LAWS = ["restriction", "permit", "mode", "context", "risk", "another_class", "tool", "same_name", "substring"]


def check_law(subject, name, documents, laws):
    """The first triple that breaks the law: (changed documents, before, after, triples), or None."""
    changed_documents, changed, holds = getattr(laws, name)()
    if holds is None or (changed_documents is None and changed is None):
        return None, 0
    before = subject.decide(laws.triples)
    if changed_documents is not None:
        if "error" in subject.load(changed_documents):
            return None, 0
        after = subject.decide(laws.triples)
        subject.load(documents)
    else:
        after = subject.decide(changed)
    for i, (a, b) in enumerate(zip(before, after)):
        if "error" in a or "error" in b or not holds(a, b, laws.triples[i]):
            return (changed_documents, laws.triples[i], changed[i] if changed else None, a, b), len(before)
    return None, len(before)


def named(documents):
    """Every relation with an id, so that another order does not rename it."""
    documents = copy.deepcopy(documents)
    for document in documents:
        relations = document["relations"]
        nodes = [n for group in relations.values() for n in group] if isinstance(relations, dict) else relations
        for i, node in enumerate(nodes):
            if "relation_id" not in node:
                node.setdefault("id", "named%d" % i)
    return documents


def check_order(subject, laws, triples):
    first = named(laws.documents)
    second = [laws.shuffled(d) for d in first]
    laws.maker.random.shuffle(second)
    one = subject.load(first)
    if "error" in one:
        return None
    before = subject.decide(triples)
    two = subject.load(second)
    if "error" in two or two["hash"] != one["hash"]:
        return second, None, "hash", one, two
    for triple, a, b in zip(triples, before, subject.decide(triples)):
        if a.get("outcome") != b.get("outcome"):
            return second, triple, "outcome", a, b
    return None


# ---------------------------------------------------------------- a run

class Tally:
    def __init__(self):
        self.triples = self.policies = self.spoiled = 0
        self.groups, self.checked = {}, {}

    def difference(self, kind, make):
        count, text = self.groups.get(kind, (0, None))
        self.groups[kind] = (count + 1, text or make())


def run_policy(seed, engine, tally, laws_every):
    maker = generate.Maker(seed)
    documents = maker.policy()
    subject = Slow()
    mine, theirs = subject.load(documents), engine.load(documents)
    tally.policies += 1
    if ("error" in mine) != ("error" in theirs):
        kind = "load slow %s engine %s" % (mine.get("error", "takes it")[:30], theirs.get("error", "takes it")[-50:])
        tally.difference(kind, lambda: "not ok - %s (seed %d)\n#   %s\n#   %s %s" % (
            kind, seed, json.dumps(documents), mine, theirs))
    what, spoiled = maker.spoiled(documents)
    tally.spoiled += 1
    if "error" not in engine.load(spoiled):
        tally.difference("load takes " + what, lambda: "not ok - load takes %s (seed %d)\n#   %s" % (
            what, seed, json.dumps(spoiled)))
    if "error" in mine or "error" in theirs:
        return
    engine.load(documents)
    policy = subject.policy
    triples = [[maker.request(), maker.facts(policy), maker.pick(SERVER_MODES)] for _ in range(REQUESTS)]
    first = engine.decide(triples)
    for triple, a, b in zip(triples, subject.decide(triples), first):
        tally.triples += 1
        kind = differs(a, b, triple[0])
        if kind is not None:
            def make(t=triple, k=kind):
                case, pair = describe_difference(engine, k, documents, t)
                engine.load(documents)
                return report(k, seed, case, *(pair or (None, None)))
            tally.difference(kind, make)
    if remembers(policy):
        run_sequence(seed, maker, engine, tally, documents, policy)
    if seed % laws_every == 0:
        engine.load(documents)
        run_laws(seed, maker, engine, tally, documents, policy, triples, first)


def run_laws(seed, maker, engine, tally, documents, policy, triples, first):
    again = engine.decide(triples[::-1])[::-1]
    for a, b, triple in zip(first, again, triples):
        if a != b:
            tally.difference("law pure", lambda t=triple, x=a, y=b: "not ok - law pure (seed %d)\n#   %s\n#   %s\n#   %s\n#   %s"
                             % (seed, json.dumps(documents), json.dumps(t), x, y))
    for name in maker.random.sample(LAWS, 3):
        laws = Laws(maker, documents, policy, copy.deepcopy(triples))
        broken, count = check_law(engine, name, documents, laws)
        tally.checked[name] = tally.checked.get(name, 0) + count
        if broken is not None:
            tally.difference("law " + name, lambda n=name, k=broken: "not ok - law %s (seed %d)\n#   before   %s\n#   after    %s"
                             "\n#   %s\n#   %s\n#   before   %s\n#   after    %s" % (
                                 n, seed, json.dumps(documents), json.dumps(k[0]), json.dumps(k[1]), json.dumps(k[2]),
                                 json.dumps(k[3]), json.dumps(k[4])))
    broken = check_order(engine, Laws(maker, documents, policy, triples), triples)
    tally.checked["order"] = tally.checked.get("order", 0) + len(triples)
    if broken is not None:
        tally.difference("law order " + broken[2], lambda k=broken: "not ok - law order (seed %d)\n#   %s\n#   %s\n#   %s\n#   %s\n#   %s" % (
            seed, json.dumps(named(documents)), json.dumps(k[0]), json.dumps(k[1]), k[3], k[4]))


def run_sequence(seed, maker, engine, tally, documents, policy):
    """Requests one after the other over one history: each approval uses up limits and does duties."""
    engine.load(documents)
    names, now = [maker.asked("actor", 4) for _ in range(2)], generate.NOW
    past, steps = {"rates": [], "duties": []}, []
    for _ in range(REQUESTS):
        now += maker.pick([0, 1, 5, 10, 20, 61]) * slow.MICRO
        request, facts = maker.request(), maker.facts()
        facts.pop("history", None)
        request["actor"] = maker.pick(names)
        told = dict(facts, history={kind: [dict(i, age_s=(now - i["at"]) / slow.MICRO) for i in items]
                                    for kind, items in past.items()})
        evaluation = slow.Evaluation(policy, request, told, now, "unset")
        mine = evaluation.decide()
        line = {"request": request, "facts": facts, "now_us": now, "mode": "unset", "remember": True}
        theirs = engine.ask([json.dumps(line)])[0]
        steps.append([(now - generate.NOW) // slow.MICRO, request, facts, theirs.get("outcome")])
        tally.triples += 1
        kind = differs(mine, theirs, request)
        if kind is not None:
            tally.difference("sequence " + kind, lambda: "not ok - sequence %s (seed %d)\n#   policy   %s\n%s\n#   told     %s\n#   slow     %s"
                             "\n#   engine   %s" % (kind, seed, json.dumps(documents), "\n".join(
                                 "#   " + json.dumps(s) for s in steps if s[3] == "approved" or s is steps[-1]),
                                 json.dumps(told["history"]), json.dumps(mine), json.dumps(theirs)))
            return
        for kind, items in evaluation.leaves().items():
            past[kind] += [dict(item, at=now) for item in items]
        tally.checked["sequence"] = tally.checked.get("sequence", 0) + 1


def remembers(policy):
    return any(r.limited for r in policy.rules) or any(c.kind == "action" for c in policy.conflicts)


def run_job(job):
    path, seed, step, triples, laws_every = job
    engine, tally = Engine(path), Tally()
    while tally.triples < triples:
        run_policy(seed, engine, tally, laws_every)
        seed += step
    engine.close()
    return tally


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--laws", default=os.path.join(here, "../../build/bin/lex_laws"), help="the program lex_laws")
    parser.add_argument("--triples", type=int, default=100000)
    parser.add_argument("--seed", type=int, default=1, help="the first policy's; the others follow")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--fast", action="store_true", help="print differences as they are, do not make them small")
    parser.add_argument("--laws-every", type=int, default=3, help="try the laws on every n-th policy")
    args = parser.parse_args()
    if args.fast:
        global TRIES
        TRIES = 0
    began = time.time()
    jobs = [(args.laws, args.seed + j, args.jobs, -(-args.triples // args.jobs), args.laws_every)
            for j in range(args.jobs)]
    tallies = list(map(run_job, jobs)) if args.jobs == 1 else multiprocessing.Pool(args.jobs).map(run_job, jobs)
    groups, checked = {}, {}
    for tally in tallies:
        for kind, (count, text) in tally.groups.items():
            groups[kind] = (groups.get(kind, (0, None))[0] + count, groups.get(kind, (0, text))[1] or text)
        for name, count in tally.checked.items():
            checked[name] = checked.get(name, 0) + count
    for kind, (count, text) in sorted(groups.items(), key=lambda item: -item[1][0]):
        print(text)
        print("#   %d times" % count)
    triples, policies = sum(t.triples for t in tallies), sum(t.policies for t in tallies)
    if not any(not kind.startswith(("law ", "load takes", "sequence")) for kind in groups):
        print("ok - engine_and_slow_evaluator_agree (%d triples, %d policies, seed %d)" % (triples, policies, args.seed))
    if not any(kind.startswith("load takes") for kind in groups):
        print("ok - what_is_wrong_is_refused (%d documents)" % sum(t.spoiled for t in tallies))
    for name in sorted(checked):
        if not any(kind.startswith(("law " + name, name)) for kind in groups):
            print("ok - law_%s_holds (%d triples)" % (name, checked[name]))
    print("# %.0f triples/s" % (triples / (time.time() - began)))
    return 1 if groups else 0


if __name__ == "__main__":
    sys.exit(main())
