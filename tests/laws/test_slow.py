#!/usr/bin/env python3
"""The slow evaluator against cases that were worked out by hand, row by row of the design's tables.

The differential run says that two evaluators agree; these say that one of them is right.
"""
import copy
import os
import sys
import unittest
import unittest.mock

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import generate  # noqa: E402
import run  # noqa: E402
import slow  # noqa: E402

NOW = 1_780_000_000_000_000  # Thursday 2026-05-28 20:26:40 UTC


def doc(relations=(), **more):
    document = {"relations": list(relations)}
    document.update(more)
    return document


def rule(kind, ident, **more):
    return dict({"id": ident, "type": kind}, **more)


def permit(ident="p", **more):
    return rule("permits", ident, **dict({"subject": "a", "action": "x"}, **more))


def ask(document, facts=None, mode=None, now=NOW, **request):
    full = dict({"request_id": "q", "actor": "a", "proposed_action": "x"}, **request)
    return slow.decide(slow.load(document), full, facts, now, mode)


def told(*args, **more):
    answer = ask(*args, **more)
    return " ".join([answer["outcome"], answer["reason_code"]] + answer["rules"])


def attested(**facts):
    return {"attested": facts}


class Table5(unittest.TestCase):
    """Conditions: grant, restriction, trigger against five kinds of knowledge."""

    def row(self, document, expected, trust=None):
        document = dict(document, options={"context_trust": trust}) if trust else document
        cases = [attested(c=True), attested(c=False), {}, {}, {}, attested(c="true")]
        contexts = [{}, {}, {"c": False}, {"c": True}, {}, {}]
        self.assertEqual([told(document, f, context=x).split(" ", 1)[1] for f, x in zip(cases, contexts)], expected)

    def test_a_grant_is_not_established_by_the_callers_word(self):
        self.row(doc([permit(condition="c")]),
                 ["PERMITTED p", "CONDITION_FALSE p", "CONDITION_FALSE p", "CONDITION_UNVERIFIED p",
                  "CONDITION_UNVERIFIED p", "CONDITION_UNVERIFIED p"])
        self.row(doc([permit(), rule("requires", "r", action="x", condition="c")]),
                 ["PERMITTED p", "REQUIREMENT_NOT_MET r", "REQUIREMENT_NOT_MET r", "CONDITION_UNVERIFIED r",
                  "CONDITION_UNVERIFIED r", "CONDITION_UNVERIFIED r"])

    def test_a_restriction_is_in_force_until_it_is_known_not_to_hold(self):
        self.row(doc([permit(), rule("forbids", "f", condition="c")]),
                 ["FORBIDDEN f", "PERMITTED p", "FORBID_NOT_EXCLUDED f", "FORBIDDEN f", "FORBID_NOT_EXCLUDED f",
                  "FORBID_NOT_EXCLUDED f"])

    def test_a_trigger_that_nobody_speaks_of_is_none(self):
        self.row(doc([permit()], constraints={"k": {"condition": "c", "action": "deny_it"}}),
                 ["CONSTRAINT_DENIED constraint:k", "PERMITTED p", "PERMITTED p", "CONSTRAINT_DENIED constraint:k",
                  "PERMITTED p", "PERMITTED p"])

    def test_a_required_fact_triggers_by_its_absence(self):
        document = doc([permit()], constraints={"k": {"condition": "c", "action": "deny_it"}})
        paranoid = dict(document, mode="paranoid")
        k, p = "CONSTRAINT_DENIED constraint:k", "PERMITTED p"
        self.row(paranoid, [k, p, k, k, k, k])
        self.row(dict(document, mode="strict", options={"facts": {"c": {"required": True}}}), [k, p, k, k, k, k])
        self.row(dict(paranoid, options={"facts": {"c": {"required": False}}}), [k, p, p, k, p, p])
        self.row(paranoid, [k, p, p, k, k, k], trust="caller")

    def test_a_good_case_must_be_established(self):
        document = doc([permit()], constraints={"k": {"condition": "c", "action": "deny_unless_c"}})
        k = "CONSTRAINT_DENIED constraint:k"
        self.row(document, ["PERMITTED p", k, k, k, k, k])
        self.row(document, ["PERMITTED p", k, k, "PERMITTED p", k, k], trust="caller")
        explicit = doc([permit()], constraints={"k": {"condition": "c", "action": "deny_if_c", "effect": "deny"}})
        self.row(explicit, [k, "PERMITTED p", "PERMITTED p", k, "PERMITTED p", "PERMITTED p"])

    def test_trust_in_the_caller_makes_its_word_count(self):
        self.row(doc([permit(condition="c")]),
                 ["PERMITTED p", "CONDITION_FALSE p", "CONDITION_FALSE p", "PERMITTED p", "CONDITION_UNVERIFIED p",
                  "CONDITION_UNVERIFIED p"], trust="caller")
        self.row(doc([permit(), rule("forbids", "f", condition="c")]),
                 ["FORBIDDEN f", "PERMITTED p", "PERMITTED p", "FORBIDDEN f", "FORBID_NOT_EXCLUDED f",
                  "FORBID_NOT_EXCLUDED f"], trust="caller")

    def test_one_expression_over_mixed_provenance_is_judged_twice(self):
        document = doc([permit(condition="mfa || !late")])
        self.assertEqual(told(document, attested(mfa=True), context={"late": True}), "approved PERMITTED p")
        self.assertEqual(told(document, attested(mfa=False), context={"late": True}), "denied CONDITION_FALSE p")
        self.assertEqual(told(document, attested(mfa=False), context={"late": False}),
                         "conditional CONDITION_UNVERIFIED p")
        self.assertEqual(told(document, attested(late=True), context={"late": False}),
                         "conditional CONDITION_UNVERIFIED p")

    def test_exists_knows_what_the_request_lacks(self):
        def check(field):
            return doc([permit(condition={"type": "context_check", "field": field, "operator": "exists"})])
        self.assertEqual(told(check("arguments.n")), "denied CONDITION_FALSE p")
        self.assertEqual(told(check("arguments.n"), arguments={"n": None}), "denied CONDITION_FALSE p")
        self.assertEqual(told(check("arguments.n"), arguments={"n": 0}), "approved PERMITTED p")
        self.assertEqual(told(check("request.tool")), "denied CONDITION_FALSE p")
        self.assertEqual(told(check("token.action")), "denied CONDITION_FALSE p")
        self.assertEqual(told(check("token.action"), {"token": {"action": "x"}}), "approved PERMITTED p")
        self.assertEqual(told(check("n")), "conditional CONDITION_UNVERIFIED p")
        self.assertEqual(told(check("n"), context={"n": 1}), "conditional CONDITION_UNVERIFIED p")
        self.assertEqual(told(check("n"), attested(n=1)), "approved PERMITTED p")
        self.assertEqual(told(check("request.user_intent")), "conditional CONDITION_UNVERIFIED p")
        self.assertEqual(told(check("request.user_intent"), user_intent="u"), "conditional CONDITION_UNVERIFIED p")

    def test_types_units_and_comparisons(self):
        held = {"n < 5": 1, "n <= 4": 1, "n > 3": 1, "n == 4": 1, "n != 4": 0, "s == 'eu'": 1, "s != \"eu\"": 0,
                "n == s": None, "n != s": None, "s < 3": None, "n == '4'": None, "s < 'f'": None, "b == true": 1,
                "b != true": 0, "!b": 0, "b && n == 4": 1, "b || nothing": 1, "nothing && !b": 0, "nothing || !b": None,
                "age > 90_days": 0, "age >= 2m": 1, "age == 120_seconds": 1, "age == 120s": 1, "n": None, "s": None,
                "true": 1, "false": 0, "(n < 5 || s == 'x') && b": 1, "risk_score == 20": 1, "risk_level == 1": 1,
                "request.risk_level == 1": 1, "request.actor == 'a'": 1, "arguments.a.b == 2": 1,
                "arguments.a.c == 2": None, "arguments.a == 2": None, "user.ok": 1}
        codes = {1: "PERMITTED", 0: "CONDITION_FALSE", None: "CONDITION_UNVERIFIED"}
        facts = {"attested": {"n": 4, "s": "eu", "b": True, "age": 120, "user.ok": True}}
        for text, value in held.items():
            answer = ask(doc([permit(condition=text)]), facts, arguments={"a": {"b": 2}})
            self.assertEqual((text, answer["reason_code"]), (text, codes[value]))

    def test_membership_is_judged_once_for_each_class(self):
        terms = {"data_classes": [{"id": "ssn", "member_of": "pii"}, "pii", "public"]}
        is_pii = doc([permit(condition="data_class == pii")], terms=terms)
        self.assertEqual(told(is_pii, data_classes=["ssn"]), "approved PERMITTED p")
        self.assertEqual(told(is_pii, data_classes=["ssn", "public"]), "denied CONDITION_FALSE p")
        self.assertEqual(told(is_pii, data_classes=["ssn", "typo"]), "conditional CONDITION_UNVERIFIED p")
        self.assertEqual(told(is_pii), "conditional CONDITION_UNVERIFIED p")
        forbid = doc([permit(), rule("forbids", "f", condition="data_class == pii")], terms=terms)
        self.assertEqual(told(forbid, data_classes=["ssn", "public"]), "denied FORBIDDEN f")
        self.assertEqual(told(forbid, data_classes=["public"]), "approved PERMITTED p")
        self.assertEqual(told(forbid, data_classes=["typo"]), "denied FORBID_NOT_EXCLUDED f")
        trigger = doc([permit()], terms=terms, constraints={"k": {"condition": "data_class == pii && c",
                                                                   "action": "deny_it"}})
        self.assertEqual(told(trigger, attested(c=True), data_classes=["typo"]), "denied CONSTRAINT_DENIED constraint:k")
        self.assertEqual(told(trigger, attested(c=False), data_classes=["typo"]), "approved PERMITTED p")
        self.assertEqual(told(trigger, data_classes=["typo"]), "approved PERMITTED p")
        self.assertEqual(told(trigger, attested(c=True)), "approved PERMITTED p")
        self.assertEqual(told(dict(trigger, mode="paranoid"), attested(c=True)), "denied CONSTRAINT_DENIED constraint:k")
        self.assertEqual(told(trigger, attested(c=True), data_classes=["public", "ssn"]),
                         "denied CONSTRAINT_DENIED constraint:k")

    def test_an_unknown_resource_may_be_any_in_a_trigger(self):
        document = doc([permit()], terms={"resources": ["vault", "db"]},
                       constraints={"k": {"condition": "resource != db", "action": "deny_it"}})
        self.assertEqual(told(document, resource="typo"), "denied CONSTRAINT_DENIED constraint:k")
        self.assertEqual(told(document, resource="db"), "approved PERMITTED p")
        self.assertEqual(told(document), "approved PERMITTED p")

    def test_windows_wrap_and_belong_to_the_day_they_began(self):
        def window(start, end, **more):
            return doc([permit(condition=dict({"type": "time_window", "start": start, "end": end}, **more))])
        yes, no = "approved PERMITTED p", "denied OUTSIDE_TIME_WINDOW p"
        self.assertEqual(told(window("20:26", "20:26")), yes)
        self.assertEqual(told(window("20:27", "21:00")), no)
        self.assertEqual(told(window("20:00", "20:25")), no)
        self.assertEqual(told(window("22:26", "22:26", timezone="+02:00")), yes)
        self.assertEqual(told(window("20:27", "20:26")), yes)
        self.assertEqual(told(window("22:00", "20:25")), no)
        self.assertEqual(told(window("22:00", "21:00", days=["wednesday"])), yes)
        self.assertEqual(told(window("22:00", "21:00", days=["thursday"])), no)
        self.assertEqual(told(window("20:00", "21:00", days=["thursday"])), yes)

    def test_rates_count_the_window_and_this_request(self):
        def rated(ages, complete=True, **more):
            limit = dict({"type": "rate_limit", "max_requests": 3, "window": "1m"}, **more)
            items = [{"rule": "p", "actor": "actor:a", "age_s": age, "amount": 1.5} for age in ages]
            return told(doc([permit(condition=limit)]), {"history": {"complete": complete, "rates": items}},
                        arguments={"n": 0.000001})
        self.assertEqual(rated([1, 2]), "approved PERMITTED p")
        self.assertEqual(rated([1, 2, 3]), "denied RATE_LIMITED p")
        self.assertEqual(rated([1, 2, 60]), "approved PERMITTED p")
        self.assertEqual(rated([1, 2, 59.9]), "denied RATE_LIMITED p")
        self.assertEqual(rated([], complete=False), "conditional CONDITION_UNVERIFIED p")
        self.assertEqual(rated([1], sum="arguments.n"), "approved PERMITTED p")
        self.assertEqual(rated([1, 2], sum="arguments.n"), "denied RATE_LIMITED p")
        self.assertEqual(rated([], sum="arguments.m"), "conditional CONDITION_UNVERIFIED p")

    def test_approvals_need_distinct_people_with_distinct_keys(self):
        terms = {"actors": ["a", {"id": "boss", "member_of": "human"}, "human", "temp", {"id": "bot", "type": "ai",
                                                                                         "member_of": "human"}]}

        def by(*records, quorum=1, timeout="1m", requester=None):
            document = doc([permit(condition={"type": "approval", "quorum": quorum, "timeout": timeout})], terms=terms)
            facts = {"approvals": [dict(zip(("approver", "key", "age_s"), r)) for r in records]}
            if requester:
                facts["requester_key"] = requester
            return told(document, facts)
        yes, no = "approved PERMITTED p", "escalated APPROVAL_REQUIRED p"
        self.assertEqual(by(("human", "k", 60)), yes)
        self.assertEqual(by(("boss", "k", 5)), yes)
        self.assertEqual(by(("human", "k", 60.1)), no)
        self.assertEqual(by(("temp", "k", 5)), no)
        self.assertEqual(by(("bot", "k", 5)), no)
        self.assertEqual(by(("a", "k", 5)), no)
        self.assertEqual(by(("human", "k", 5), requester="k"), no)
        self.assertEqual(by(("human", "k", 5), ("boss", "k", 5), quorum=2), no)
        self.assertEqual(by(("human", "k", 5), ("human", "l", 5), quorum=2), no)
        self.assertEqual(by(("human", "k", 5), ("boss", "l", 5), quorum=2), yes)
        self.assertEqual(by(("human", "k", 5), ("boss", "k", 5), ("boss", "l", 5), quorum=2), yes)

    def test_obligations_name_what_is_missing(self):
        approval = {"type": "approval", "quorum": 2, "timeout": "10m"}
        answer = ask(doc([permit(conditions=["mfa", approval])]))
        self.assertEqual(answer["outcome"], "escalated")
        self.assertEqual(answer["obligations"], [
            ("approval", "actor:human", 2, 600, "p", '{"quorum":2,"timeout":"10m","type":"approval"}', None),
            ("verify", None, 0, 0, "p", "mfa", None)])


class Table7(unittest.TestCase):
    """The cases of the verdict table, in all three modes."""

    def modes(self, document, expected, facts=None, **request):
        self.assertEqual([told(dict(document, mode=m), facts, **request) for m in ("strict", "permissive", "paranoid")],
                         expected)

    def test_a_forbid_true_or_unknown_denies_in_every_mode(self):
        self.modes(doc([permit(), rule("forbids", "f")]), ["denied FORBIDDEN f"] * 3)
        self.modes(doc([permit(), rule("forbids", "f", object="d")]), ["denied DATA_CLASS_UNDECLARED f"] * 3)
        self.modes(doc([permit(), rule("forbids", "f", object="d")]), ["denied UNKNOWN_DATA_CLASS f"] * 3,
                   data_classes=["typo"])
        self.modes(doc([permit(), rule("forbids", "f", resource="d")]), ["denied FORBID_NOT_EXCLUDED f"] * 3)

    def test_nothing_matches(self):
        self.modes(doc([permit(subject="b")], terms={"actors": ["a"]}),
                   ["denied NOT_PERMITTED", "approved DEFAULT_PERMIT", "denied NOT_PERMITTED"])

    def test_true_permits(self):
        self.modes(doc([permit("p1", object="d"), permit("p2", object="e")]), ["approved PERMITTED p1 p2"] * 3,
                   data_classes=["d", "e"])

    def test_unknown_permits(self):
        self.modes(doc([permit(condition="c")]), ["conditional CONDITION_UNVERIFIED p", "approved DEFAULT_PERMIT",
                                                  "conditional CONDITION_UNVERIFIED p"])
        self.modes(doc([permit(condition={"type": "approval"})]), ["escalated APPROVAL_REQUIRED p",
                                                                   "approved DEFAULT_PERMIT",
                                                                   "escalated APPROVAL_REQUIRED p"])

    def test_false_permits(self):
        self.modes(doc([permit(condition="c")]), ["denied CONDITION_FALSE p", "approved DEFAULT_PERMIT",
                                                  "denied CONDITION_FALSE p"], attested(c=False))

    def test_requires(self):
        document = doc([permit(), rule("requires", "r", condition="c")])
        self.modes(document, ["approved PERMITTED p"] * 3, attested(c=True))
        self.modes(document, ["denied REQUIREMENT_NOT_MET r"] * 3, attested(c=False))
        self.modes(document, ["conditional CONDITION_UNVERIFIED r"] * 2 + ["escalated CONDITION_UNVERIFIED r"])
        approval = doc([permit(), rule("requires", "r", condition={"type": "approval"})])
        self.modes(approval, ["escalated APPROVAL_REQUIRED r"] * 3)
        window = {"type": "time_window", "start": "01:00", "end": "02:00"}
        self.modes(doc([permit(), rule("requires", "r", condition=window)]), ["denied OUTSIDE_TIME_WINDOW r"] * 3)

    def test_a_requires_that_may_apply_applies(self):
        document = doc([permit(), rule("requires", "r", object="d", condition="c")])
        self.assertEqual(told(document, attested(c=False)), "denied REQUIREMENT_NOT_MET r")
        self.assertEqual(told(document, attested(c=True)), "approved PERMITTED p")
        self.assertEqual(told(dict(document, terms={"data_classes": ["e"]}), data_classes=["e"]), "approved PERMITTED p")

    def test_risk(self):
        human = ["approved PERMITTED p"] * 2 + ["escalated HUMAN_CONFIRMATION_REQUIRED"]
        self.modes(doc([permit()]), human, risk_level=4)
        self.modes(doc([permit()]), ["approved PERMITTED p"] * 3, risk_level=3)
        self.modes(doc([permit()]), ["escalated HUMAN_CONFIRMATION_REQUIRED"] * 3, {"risk_score": 80})
        self.modes(doc([permit()]), ["approved PERMITTED p"] * 3, {"risk_score": 79})
        wipe = doc([permit(), rule("implies", "i", source="action:x", target="action:wipe")],
                   terms={"actions": [{"id": "wipe", "metadata": {"risk_level": 4}}]})
        self.modes(wipe, human)

    def test_an_unknown_class_under_a_permit_without_object(self):
        self.modes(doc([permit()]), ["approved PERMITTED p"] * 2 + ["denied UNKNOWN_DATA_CLASS"], data_classes=["typo"])
        self.modes(doc([permit(object="d")]), ["denied UNKNOWN_DATA_CLASS", "approved DEFAULT_PERMIT",
                                               "denied UNKNOWN_DATA_CLASS"], data_classes=["typo"])

    def test_approval_by_the_policys_approver_discharges(self):
        facts = {"approvals": [{"approver": "human", "key": "k", "age_s": 300}]}
        base = dict(doc([permit()]), terms={"actors": ["human"]}, mode="paranoid")
        late = {"approvals": [{"approver": "human", "key": "k", "age_s": 301}]}
        self.assertEqual(told(base, facts, risk_level=5), "approved PERMITTED p")
        self.assertEqual(told(base, late, risk_level=5), "escalated HUMAN_CONFIRMATION_REQUIRED")
        guarded = dict(base, constraints={"k": {"condition": "true", "action": "require_approval"}})
        self.assertEqual(told(guarded, facts), "approved PERMITTED p")
        dual = dict(base, constraints={"k": {"condition": "true", "action": "require_dual_approval"}})
        self.assertEqual(told(dual, facts), "escalated CONSTRAINT_ESCALATED constraint:k")
        required = dict(base, relations=[permit(), rule("requires", "r", condition="c")])
        self.assertEqual(told(required, facts), "conditional CONDITION_UNVERIFIED r")

    def test_a_tool_that_is_an_action_counts_too(self):
        document = doc([permit(), rule("forbids", "f", action="y")])
        self.assertEqual(told(document, tool="y"), "denied FORBIDDEN f")
        self.assertEqual(told(document, tool="grep"), "approved PERMITTED p")
        self.assertEqual(told(doc([permit()], terms={"actions": ["y"]}), tool="y"), "denied NOT_PERMITTED")


class Table9(unittest.TestCase):
    """Constraints by verb and effect; conflicts."""

    def test_verbs(self):
        told_by = {
            "deny_it": "denied CONSTRAINT_DENIED", "denylist": "denied CONSTRAINT_DENIED",
            "block": "denied CONSTRAINT_DENIED", "throttle_requests": "denied RATE_LIMITED",
            "limit": "denied RATE_LIMITED", "require_human_review": "escalated CONSTRAINT_ESCALATED",
            "require_dual_authorization": "escalated CONSTRAINT_ESCALATED", "trigger_x": "escalated CONSTRAINT_ESCALATED",
            "ponder": "escalated CONSTRAINT_ESCALATED", "log": "escalated CONSTRAINT_ESCALATED",
            "require_deletion": "conditional CONSTRAINT_OBLIGATION", "verify_review": "conditional CONSTRAINT_OBLIGATION",
            "require_reviewer": "escalated CONSTRAINT_ESCALATED", "reduce_it": "conditional CONSTRAINT_OBLIGATION",
            "redact_it": "conditional CONSTRAINT_OBLIGATION", "allow_with_care": "approved PERMITTED",
            "provide_it": "approved PERMITTED", "log_it": "approved PERMITTED", "alert_it": "approved PERMITTED",
            "notify_it": "approved PERMITTED"}
        for verb, expected in told_by.items():
            answer = ask(doc([permit()], constraints=[{"name": "k", "condition": "true", "action": verb}]))
            self.assertEqual((verb, "%s %s" % (answer["outcome"], answer["reason_code"])), (verb, expected))
            kinds = [o[0] for o in answer["obligations"]]
            self.assertEqual(kinds, {"denied": [], "escalated": ["approval"], "conditional": ["verify"],
                                     "approved": ["advice"]}[answer["outcome"]])
            if answer["outcome"] == "escalated":
                self.assertEqual(answer["obligations"][0][2], 2 if "dual" in verb else 1)

    def test_an_explicit_effect_overrides(self):
        for effect, code in (("deny", "CONSTRAINT_DENIED"), ("throttle", "RATE_LIMITED"),
                             ("escalate", "CONSTRAINT_ESCALATED"), ("oblige", "CONSTRAINT_OBLIGATION"),
                             ("advice", "PERMITTED")):
            document = doc([permit()], constraints={"k": {"condition": "true", "action": "deny_if_x", "effect": effect}})
            self.assertEqual(ask(document)["reason_code"], code)

    def test_done_discharges_an_obligation(self):
        document = doc([permit()], constraints={"k": {"condition": "true", "action": "redact_it"}})
        self.assertEqual(told(document, attested(**{"done.k": True})), "approved PERMITTED p")
        self.assertEqual(told(document, attested(**{"done.k": "true"})), "conditional CONSTRAINT_OBLIGATION constraint:k")
        self.assertEqual(told(document, context={"done.k": True}), "conditional CONSTRAINT_OBLIGATION constraint:k")

    def test_conflicts_between_roles_and_between_classes(self):
        roles = doc([permit(), rule("conflicts", "k", source="actor:a", target="actor:b")])
        self.assertEqual(told(roles, {"roles": ["b"]}), "denied SOD_CONFLICT k")
        self.assertEqual(told(roles), "approved PERMITTED p")
        with self.assertRaises(slow.PolicyError):
            slow.load(doc([rule("conflicts", "k", source="actor:a", target="actor:b")],
                          terms={"actors": [{"id": "c", "member_of": ["a", "b"]}]}))
        classes = doc([permit(), rule("conflicts", "k", source="data:d", target="data:e")], terms={"data_classes": ["z"]})
        for given, expected in ((["d", "e"], "denied COMBINATION_CONFLICT k"), (["d", "z"], "approved PERMITTED p"),
                                (["d", "typo"], "denied COMBINATION_CONFLICT k"), (["z", "typo"], "approved PERMITTED p"),
                                (["typo", "other"], "denied COMBINATION_CONFLICT k")):
            self.assertEqual(told(classes, data_classes=given), expected)

    def test_conflicts_between_actions(self):
        def duty(scope, history, **request):
            document = doc([permit(action="*"), rule("conflicts", "k", source="action:x", target="action:y", scope=scope,
                                                     window="1m")],
                           terms={"resources": [{"id": "r1", "member_of": "r"}, "r", "s"], "actions": ["z"]})
            return told(document, {"history": history}, **request)

        def done(action="y", age=59, resource=None, actor="a"):
            item = {"actor": actor, "action": action, "age_s": age}
            return {"duties": [dict(item, resource=resource) if resource else item]}
        no, yes, open_ = "denied SOD_CONFLICT k", "approved PERMITTED p", "escalated SOD_STATE_UNAVAILABLE k"
        self.assertEqual(duty("global", done()), no)
        self.assertEqual(duty("global", done(age=60)), yes)
        self.assertEqual(duty("global", done(actor="b")), yes)
        self.assertEqual(duty("global", done("x")), yes)
        self.assertEqual(duty("global", done(), proposed_action="z"), yes)
        self.assertEqual(duty("global", {"complete": False}), open_)
        self.assertEqual(duty("session", {}), open_)
        self.assertEqual(duty("session", {}, proposed_action="z"), yes)
        self.assertEqual(duty("resource", done(resource="r"), resource="r1"), no)
        self.assertEqual(duty("resource", done(resource="r1"), resource="r"), no)
        self.assertEqual(duty("resource", done(resource="s"), resource="r"), yes)
        self.assertEqual(duty("resource", done(), resource="r"), open_)
        self.assertEqual(duty("resource", done(resource="zz"), resource="r"), open_)
        self.assertEqual(duty("resource", done(resource="zz"), resource="zz"), no)


class Names(unittest.TestCase):
    def test_precedence_poison_and_the_closed_world(self):
        document = doc([permit(subject="*", action="*")],
                       terms=[{"id": "a", "type": "actor", "label": "L"}, {"id": "b", "type": "actor", "label": "a"},
                              {"id": "c", "type": "actor", "label": "M"}, {"id": "d", "type": "actor", "label": "M"},
                              {"id": "x", "type": "action"}])
        for name, expected in (("actor:a", "approved PERMITTED p"), ("act_a", "approved PERMITTED p"),
                               ("L", "approved PERMITTED p"), ("M", "denied AMBIGUOUS_TERM"), ("A", "denied UNKNOWN_ACTOR"),
                               ("act_", "denied UNKNOWN_ACTOR"), ("*", "denied UNKNOWN_ACTOR"),
                               ("actor:actor:a", "denied UNKNOWN_ACTOR"), ("a ", "denied UNKNOWN_ACTOR")):
            self.assertEqual((name, told(document, actor=name)), (name, expected))
        self.assertEqual(told(document, proposed_action="y"), "denied UNKNOWN_ACTION")
        self.assertEqual(told(document, {"roles": ["a"]}, actor="zz"), "approved PERMITTED p")
        self.assertEqual(told(document, {"roles": ["M"]}), "denied AMBIGUOUS_TERM")
        self.assertEqual(told(dict(document, options={"open_world": ["actor"]}), actor="zz"), "approved PERMITTED p")
        self.assertEqual(ask(dict(document, mode="permissive"), actor="zz")["warnings"], ["UNKNOWN_NAME"])
        with self.assertRaises(slow.PolicyError):
            slow.load(doc([permit(subject="M")], terms=document["terms"]))

    def test_what_an_action_entails(self):
        document = doc([permit(), rule("implies", "i", source="action:x", target="action:y", grants=True),
                        rule("implies", "j", source="action:x", target="action:z"),
                        rule("forbids", "f", action="w")],
                       terms={"actions": [{"id": "v", "member_of": "x"}, {"id": "u", "member_of": "w"}]})
        for action, expected in (("x", "approved PERMITTED p"), ("y", "approved PERMITTED p"), ("z", "denied NOT_PERMITTED"),
                                 ("v", "approved PERMITTED p"), ("u", "denied FORBIDDEN f")):
            self.assertEqual((action, told(document, proposed_action=action)), (action, expected))


class Several(unittest.TestCase):
    def test_documents_unite_and_the_strictest_mode_rules(self):
        first = doc([permit()], policy_id="one", mode="permissive")
        second = doc([rule("forbids", "f", action="y")], policy_id="two", mode="strict")
        self.assertEqual(told([first, second]), "approved PERMITTED one/p")
        self.assertEqual(told([first, second], proposed_action="y"), "denied FORBIDDEN two/f")
        self.assertEqual(told([first, dict(second, effective_from="2027-01-01T00:00:00Z")]), "denied NO_ACTIVE_POLICY")
        with self.assertRaises(slow.PolicyError):
            slow.load([dict(first, options={"approver": "u"}), dict(second, options={"approver": "v"})])

    def test_dates_are_half_open(self):
        document = doc([permit()], effective_from="2026-05-28T20:26:40Z", effective_until="2026-05-28T20:26:41Z")
        self.assertEqual(told(document), "approved PERMITTED p")
        self.assertEqual(told(document, now=NOW - 1), "denied NO_ACTIVE_POLICY")
        self.assertEqual(told(document, now=NOW + 1000000), "denied NO_ACTIVE_POLICY")


class Checker(unittest.TestCase):
    """What looks for differences and broken laws must find them: each law against an evaluator with a planted bug."""

    def test_a_difference_is_seen(self):
        answer = dict(ask(doc([permit()])), replay="same")
        self.assertIsNone(run.differs(answer, dict(answer), {}))
        for field, other in (("outcome", "denied"), ("reason_code", "FORBIDDEN"), ("rules", ["q"]), ("warnings", ["W"]),
                             ("obligations", [["verify", None, 0, 0, "p", "c", None]]), ("risk", 40), ("replay", "other rules")):
            self.assertIsNotNone(run.differs(answer, dict(answer, **{field: other}), {}), field)

    def caught(self, law, owner, name, bug, policies=250):
        """The number of policies until the law sees the bug."""
        with unittest.mock.patch.object(owner, name, bug):
            for seed in range(policies):
                maker = generate.Maker(seed)
                documents, subject = maker.policy(), run.Slow()
                if "error" in subject.load(documents):
                    continue
                triples = [[maker.request(), maker.facts(subject.policy), maker.pick(run.SERVER_MODES)]
                           for _ in range(30)]
                laws = run.Laws(maker, documents, subject.policy, copy.deepcopy(triples))
                broken = run.check_order(subject, laws, triples) if law == "order" else \
                    run.check_law(subject, law, documents, laws)[0]
                if broken is not None:
                    return
        self.fail("the law %s does not see %s" % (law, name))

    def test_the_law_on_context_sees_belief_in_the_caller(self):
        def believe(self, condition, action, rule, original=slow.Evaluation.grant):
            with unittest.mock.patch.object(self, "trust_caller", True):
                return original(self, condition, action, rule)
        self.caught("context", slow.Evaluation, "grant", believe)

        def excuse(self, condition, action, original=slow.Evaluation.restriction):
            with unittest.mock.patch.object(self, "trust_caller", True):
                return original(self, condition, action)
        self.caught("context", slow.Evaluation, "restriction", excuse)

    def test_the_law_on_classes_sees_a_harmless_class_that_excuses(self):
        def first_only(self, rule):
            closures = [c for c in self.class_closures if c is not None]
            if rule.objects is None or (closures and all(rule.objects & c for c in closures)):
                return slow.T, None
            return slow.F, None
        self.caught("another_class", slow.Evaluation, "object_of", first_only)

    def test_the_law_on_modes_sees_a_mode_that_weakens(self):
        def weak(self, *args, original=slow.Evaluation.__init__):
            original(self, *args)
            if self.modes[0]:
                self.mode, self.paranoid, self.permissive = self.modes[0], self.modes[0] == 3, self.modes[0] == 1
        self.caught("mode", slow.Evaluation, "__init__", weak)

    def test_the_law_on_risk_sees_a_gate_with_a_hole(self):
        def holed(self, action, original=slow.Evaluation.step_risk):
            return [] if self.risk == 100 else original(self, action)
        self.caught("risk", slow.Evaluation, "step_risk", holed)

    def test_the_law_on_tools_sees_a_tool_that_replaces_the_action(self):
        def replaced(self, original=slow.Evaluation.resolve):
            original(self)
            self.actions = self.actions[-1:]
        self.caught("tool", slow.Evaluation, "resolve", replaced)

    def test_the_law_on_parts_of_names_sees_matching_by_substring(self):
        def part(self, name, original=slow.Names.find):
            return original(self, name) or next((t for n, t in self.flat.items() if name in n and t), None)
        self.caught("substring", slow.Names, "find", part)

    def test_the_law_on_names_sees_an_alias_that_counts_less(self):
        def less(self, kind, name):
            return None if name.startswith(("data_", "res_")) else self.policy.names[kind].find(name)
        self.caught("same_name", slow.Evaluation, "term", less)

    def test_the_laws_on_rules_see_a_last_word(self):
        def last(self, action, original=slow.Evaluation.step_forbids):
            return [] if self.policy.rules[-1].verb == "forbids" else original(self, action)

        def alone(self, action, original=slow.Evaluation.step_forbids):
            return original(self, action) if len(self.policy.forbids) < 2 else []
        self.caught("restriction", slow.Evaluation, "step_forbids", alone)
        self.caught("order", slow.Evaluation, "step_forbids", last)

        def latest(self, action, original=slow.Evaluation.permit_candidates):
            return original(self, action)[-1:]
        self.caught("permit", slow.Evaluation, "permit_candidates", latest)


class Tap(unittest.TestResult):
    """One line a test, as every suite here speaks."""

    def addSuccess(self, test):
        print("ok - slow: %s" % test._testMethodName[len("test_"):])

    def addFailure(self, test, err):
        super().addFailure(test, err)
        print("%s\nnot ok - slow: %s" % (self.failures[-1][1], test._testMethodName[len("test_"):]))

    def addError(self, test, err):
        super().addError(test, err)
        print("%s\nnot ok - slow: %s" % (self.errors[-1][1], test._testMethodName[len("test_"):]))


if __name__ == "__main__":
    result = Tap()
    unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"]).run(result)
    sys.exit(0 if result.wasSuccessful() else 1)
