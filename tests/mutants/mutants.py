"""Mutants of the policy engine: one wrong line each, and the suite that must notice.

    mutants.py                 all of them
    mutants.py --today         the eight whose turn it is today
    mutants.py NAME...         these

A mutant is a place in a file, which must be there exactly once, and what stands there instead. Each is
planted alone in a copy of the tree, built, and run against the unit tests of policy and decision and
against the laws; whichever fails first has killed it. One that survives is a hole in the suite, and fails
the run. The unmutated copy goes first: it must pass, or every kill would be worth nothing.
"""
import argparse
import datetime
import os
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TESTS = ("test_decision", "test_decision_laws", "test_decision_request", "test_decision_state", "test_expression",
         "test_reference_regressions", "test_policy_load", "test_policy_compile", "test_policy_documents", "test_history")
TRIPLES = 6000

# name, file below core/, what stands there, what is planted
MUTANTS = [
    # names
    ("a_prefix_is_a_name", "policy/names.c", "(slot->hash == hash && lex_span_eq(slot->text, text))",
     "(slot->hash == hash)"),
    ("poisoned_names_resolve", "policy/names.c", "return found->poisoned ? LEX_TERM_AMBIGUOUS : found->term;",
     "return found->term;"),
    ("unknown_actor_is_let_through", "decision/names.c",
     "if (!eval->actor_known && !permissive && !options->open_world[LEX_KIND_ACTOR])",
     "if (!eval->actor_known && !permissive && options->open_world[LEX_KIND_ACTOR])"),
    ("unknown_action_is_let_through", "decision/names.c",
     "else if (!action_known && !permissive && !options->open_world[LEX_KIND_ACTION])",
     "else if (!action_known && !permissive && options->open_world[LEX_KIND_ACTION])"),
    ("roles_are_ignored", "decision/names.c", "size_t roles = facts == NULL || !facts->identity ? 0 : facts->roles.count;",
     "size_t roles = 0;"),
    ("an_unknown_name_goes_without_warning", "decision/names.c",
     "if (permissive && (eval->unknown_classes != 0 || resource))", "if (permissive && resource)"),
    ("the_tool_is_not_evaluated", "decision/names.c", "if (tool != LEX_TERM_UNKNOWN && tool != action)",
     "if (tool != LEX_TERM_UNKNOWN && tool == action)"),
    # matching
    ("a_permit_spreads_to_what_entails_it", "decision/match.c",
     "lex_terms_hold(rule->verb == LEX_VERB_PERMITS ? &term->granted : &term->above,", "lex_terms_hold(&term->above,"),
    ("a_permit_does_not_spread_by_grants", "decision/match.c",
     "if (rule->verb == LEX_VERB_PERMITS ? !lex_match_action(eval, rule) : below)",
     "if (rule->verb == LEX_VERB_PERMITS ? rule->action != eval->action && rule->action != LEX_TERM_ANY : below)"),
    ("a_forbid_spreads_to_what_is_entailed", "decision/match.c", "!lex_match_action(eval, rule) : below)",
     "!lex_match_action(eval, rule) : false)"),
    ("an_undeclared_class_excludes_a_forbid", "decision/match.c",
     "return eval->policy->options.undeclared_is_none ? LEX_MATCH_NO : LEX_MATCH_MAYBE;",
     "return LEX_MATCH_NO;"),
    ("an_unknown_class_excludes_a_forbid", "decision/match.c",
     "return eval->unknown_classes != 0 ? LEX_MATCH_MAYBE : LEX_MATCH_NO;", "return LEX_MATCH_NO;"),
    ("an_absent_resource_excludes_a_forbid", "decision/match.c",
     "    if (eval->resource == LEX_TERM_UNKNOWN)\n        return LEX_MATCH_MAYBE;",
     "    if (eval->resource == LEX_TERM_UNKNOWN)\n        return LEX_MATCH_NO;"),
    ("a_permit_covers_an_unnamed_resource", "decision/match.c",
     "lex_match_resource(eval, rule) == LEX_MATCH_YES;", "lex_match_resource(eval, rule) != LEX_MATCH_NO;"),
    ("paranoid_covers_an_unknown_class", "decision/match.c",
     "return !unknown || eval->mode != LEX_MODE_PARANOID;", "return true;"),
    ("any_action_is_not_looked_up", "decision/match.c", "    if (any_action)\n",
     "    if (any_action && actor != LEX_TERM_ANY)\n"),
    ("rules_keep_the_order_of_pairs", "decision/match.c", "    if (!sorted)\n", "    if (!sorted && list->count > 99)\n"),
    # truths
    ("unknown_is_not_unknown_negated", "decision/expression.c",
     "return (lex_truths)((a & LEX_TRUE) << 1 | (a & LEX_FALSE) >> 1 | (a & LEX_UNKNOWN));", "return (lex_truths)(a == LEX_TRUE ? LEX_FALSE : LEX_TRUE);"),
    ("and_with_unknown_is_false", "decision/expression.c",
     "return (lex_truths)((a & b & LEX_TRUE) | ((a | b) & LEX_FALSE) | (unknown ? LEX_UNKNOWN : 0));",
     "return (lex_truths)((a & b & LEX_TRUE) != 0 ? LEX_TRUE : LEX_FALSE);"),
    ("other_types_are_unequal", "decision/expression.c",
     "        return known(!(x < y) && !(x > y));\n    return LEX_UNKNOWN;",
     "        return known(!(x < y) && !(x > y));\n    return LEX_FALSE;"),
    ("at_least_is_more_than", "decision/expression.c", "default: return known(x >= y);", "default: return known(x > y);"),
    ("an_absent_fact_does_not_exist", "decision/expression.c", "lex_truths absent = certain ? LEX_FALSE : LEX_UNKNOWN;",
     "lex_truths absent = certain ? LEX_FALSE : LEX_FALSE;"),
    ("an_absent_argument_may_yet_exist", "decision/expression.c", "lex_truths absent = certain ? LEX_FALSE : LEX_UNKNOWN;",
     "lex_truths absent = certain ? LEX_UNKNOWN : LEX_UNKNOWN;"),
    ("a_misspelt_action_is_another", "decision/expression.c",
     "if (eval->action == LEX_TERM_UNKNOWN)\n            return same(unknown_name(side));",
     "if (eval->action == LEX_TERM_UNKNOWN)\n            return same(LEX_FALSE);"),
    ("an_unknown_class_settles_a_trigger", "decision/expression.c",
     "return side == LEX_SIDE_TRIGGER ? LEX_BOTH : LEX_UNKNOWN;", "return LEX_UNKNOWN;"),
    ("a_grant_needs_one_class_only", "decision/conditions.c", "bool every = side == LEX_SIDE_GRANT;", "bool every = false;"),
    # provenance
    ("the_callers_yes_grants", "decision/conditions.c",
     "lex_truths established = eval->caller_trusted ? truth.all : truth.trusted;\n    if (established == LEX_TRUE)",
     "lex_truths established = truth.all;\n    if (established == LEX_TRUE)"),
    ("the_callers_no_is_no_admission", "decision/conditions.c",
     "if (established == LEX_FALSE || truth.all == LEX_FALSE)", "if (established == LEX_FALSE)"),
    ("the_callers_no_lifts_a_forbid", "decision/conditions.c",
     "lex_truths excluded = eval->caller_trusted ? all.all : all.trusted;", "lex_truths excluded = all.all;"),
    ("an_unknown_forbid_is_lifted", "decision/conditions.c",
     "return all.trusted == LEX_TRUE || all.all == LEX_TRUE ? LEX_MATCH_YES : LEX_MATCH_MAYBE;",
     "return all.trusted == LEX_TRUE || all.all == LEX_TRUE ? LEX_MATCH_YES : LEX_MATCH_NO;"),
    ("the_caller_cannot_trigger", "decision/conditions.c",
     "    if ((all.all & LEX_TRUE) != 0)\n        return true;\n    lex_truths settled", "    lex_truths settled"),
    ("both_and_unknown_is_false", "decision/expression.c", "(unknown ? LEX_UNKNOWN : 0));",
     "(unknown && a != LEX_BOTH && b != LEX_BOTH ? LEX_UNKNOWN : 0));"),
    ("a_required_fact_may_be_absent", "decision/conditions.c", "return required && (settled & LEX_UNKNOWN) != 0;", "return false;"),
    ("paranoid_requires_nothing_by_itself", "decision/conditions.c",
     "return eval->mode == LEX_MODE_PARANOID && info->restricts;", "return false;"),
    ("a_good_case_triggers_when_it_holds", "decision/conditions.c", "return !good_case_holds(eval, constraint);",
     "return good_case_holds(eval, constraint);"),
    ("a_good_case_need_not_be_established", "decision/conditions.c", "if (grant_of(eval, truth) != GRANT_TRUE)",
     "if (grant_of(eval, truth) == GRANT_FALSE)"),
    ("anyone_may_attest_anything", "decision/facts.c",
     "(eval->input->recorded != NULL || may_attest(fact, attested->issuer))", "true"),
    ("caller_over_attested", "decision/facts.c", "    if (attested.all_present)\n        return attested;",
     "    if (attested.all_present && find_member(&eval->request->context, fact->name) == NULL)\n        return attested;"),
    ("a_declared_type_is_ignored", "decision/facts.c", "    *ill_typed = true;\n    return NULL;", "    return value;"),
    ("the_first_of_two_statements_stands", "decision/facts.c",
     "if (value != NULL && !same_value(value, &attested->member.value)) {",
     "if (value != NULL && same_value(value, &attested->member.value)) {"),
    # permission
    ("one_covered_class_covers_all", "decision/permission.c", "        whole = false;\n", "        whole = i == 0;\n"),
    ("the_last_permit_counts_not_the_best", "decision/permission.c",
     "if (best.permit == NULL || permit->bound > best.bound)", "if (true)"),
    ("unknown_permits_approve_in_strict", "decision/permission.c",
     "bool whole = true, permissive = eval->mode == LEX_MODE_PERMISSIVE;",
     "bool whole = true, permissive = eval->mode != LEX_MODE_PARANOID;"),
    ("nothing_is_reserved", "decision/permission.c", "    lex_eval_reserve(eval, limited);", "    (void)limited;"),
    ("unlimited_permits_reserve_too", "decision/permission.c", "        if (!permit->limited)\n            return;\n", ""),
    # steps
    ("a_forbid_needs_an_object_it_knows", "decision/evaluate.c",
     "for (int wanted = LEX_MATCH_YES; wanted != LEX_MATCH_NO; wanted--)",
     "for (int wanted = LEX_MATCH_YES; wanted != LEX_MATCH_MAYBE; wanted--)"),
    ("a_require_applies_only_where_it_surely_does", "decision/evaluate.c",
     "if (lex_match_object(eval, list->items[i]) != LEX_MATCH_NO &&",
     "if (lex_match_object(eval, list->items[i]) == LEX_MATCH_YES &&"),
    ("paranoid_requires_are_only_conditional", "decision/evaluate.c",
     "if (judgement.bound == LEX_OUTCOME_CONDITIONAL && eval->mode == LEX_MODE_PARANOID &&",
     "if (judgement.bound == LEX_OUTCOME_CONDITIONAL && eval->mode == LEX_MODE_STRICT &&"),
    ("done_by_the_callers_word", "decision/evaluate.c",
     "return done.trusted != NULL && done.trusted->type == LEX_VALUE_BOOL && done.trusted->boolean;",
     "return done.all != NULL && done.all->type == LEX_VALUE_BOOL && done.all->boolean;"),
    ("throttling_denies_under_another_code", "decision/evaluate.c",
     "[LEX_EFFECT_THROTTLE] = {LEX_OUTCOME_DENIED, LEX_REASON_RATE_LIMITED,",
     "[LEX_EFFECT_THROTTLE] = {LEX_OUTCOME_DENIED, LEX_REASON_CONSTRAINT_DENIED,"),
    ("the_risk_gate_is_open", "decision/evaluate.c", "(eval->mode == LEX_MODE_PARANOID && eval->risk_score >= gate)",
     "(eval->mode == LEX_MODE_PARANOID && eval->risk_score > gate)"),
    ("only_the_first_action_counts", "decision/evaluate.c",
     "for (size_t i = 0; i < eval->actions_count && lex_tally_open(&eval->tally); i++)",
     "for (size_t i = 0; i < 1 && lex_tally_open(&eval->tally); i++)"),
    # conflicts
    ("one_role_makes_a_conflict", "decision/duties.c",
     "if (lex_eval_actor_is(eval, conflict->a) && lex_eval_actor_is(eval, conflict->b))",
     "if (lex_eval_actor_is(eval, conflict->a) || lex_eval_actor_is(eval, conflict->b))"),
    ("unknown_classes_never_conflict", "decision/duties.c", "size_t sides = eval->unknown_classes;", "size_t sides = 0;"),
    ("an_incomplete_history_says_no", "decision/duties.c",
     "return found == LEX_MATCH_NO && !lex_history_complete(history, since) ? LEX_MATCH_MAYBE : found;", "return found;"),
    ("another_resource_is_the_same", "decision/duties.c",
     "conflict->scope == LEX_SCOPE_GLOBAL ? LEX_MATCH_YES", "true ? LEX_MATCH_YES"),
    # approvals
    ("who_asks_may_approve", "decision/approvals.c",
     "if (term == LEX_TERM_UNKNOWN || term == LEX_TERM_AMBIGUOUS || term == eval->actor)",
     "if (term == LEX_TERM_UNKNOWN || term == LEX_TERM_AMBIGUOUS)"),
    ("the_same_key_may_approve", "decision/approvals.c",
     "if (!lex_span_absent(facts->requester_key) && lex_span_eq(facts->requester_key, approval->key))",
     "if (!lex_span_absent(facts->requester_key) && lex_span_absent(approval->key))"),
    ("an_ai_may_approve", "decision/approvals.c", " || is_ai(eval->policy, term))", ")"),
    ("a_member_of_machines_may_approve", "decision/approvals.c", "i < term->above.count && !ai; i++)", "i < 0 && !ai; i++)"),
    ("old_approvals_count", "decision/approvals.c", "if (age_us > (int64_t)timeout_s * 1000000 ||", "if (age_us < 0 - (int64_t)timeout_s * 1000000 ||"),
    ("two_names_on_one_key_are_two", "decision/approvals.c",
     "(terms[i] == terms[j] || lex_span_eq(approvals[i].key, approvals[j].key)))", "terms[i] == terms[j])"),
    ("one_approval_is_a_quorum", "decision/approvals.c", "(unsigned)__builtin_popcount(mask) != quorum ||", ""),
    # rates
    ("one_more_than_the_limit", "decision/rates.c", "after > condition->rate.max;", "after > condition->rate.max + 1;"),
    ("an_amount_may_be_negative", "decision/rates.c", "if (!(amount >= 0) || amount > most)", "if (amount > most)"),
    # mode, risk, dates
    ("a_weaker_mode_is_taken", "decision/decide.c", "return a > b ? a : b;", "return a < b && a != LEX_MODE_UNSET ? a : b;"),
    ("the_actions_risk_is_ignored", "decision/decide.c", "level = own > level ? own : level;", "level = own < 1 ? level + own : level;"),
    ("the_caller_lowers_risk", "decision/decide.c", "level = own > level ? own : level;", "level = own != 0 ? own : level;"),
    ("the_caller_is_trusted_in_strict", "decision/decide.c",
     "(trust == LEX_TRUST_BY_MODE && eval->mode == LEX_MODE_PERMISSIVE);",
     "(trust == LEX_TRUST_BY_MODE && eval->mode != LEX_MODE_PARANOID);"),
    ("a_deadline_is_ignored", "decision/decide.c",
     "else if (input->request->deadline.present && input->now_us > input->request->deadline.value)",
     "else if (input->request->deadline.present && input->now_us < input->request->deadline.value)"),
    ("a_policy_outlives_its_dates", "decision/decide.c", "input->now_us >= input->policy->info.effective_until_us)",
     "input->now_us > input->policy->info.effective_until_us)"),
    # the tally
    ("the_last_bound_wins", "decision/eval.h", "    if (outcome > tally->outcome)\n        return false;\n", ""),
    ("a_weekday_is_the_one_it_ended", "decision/conditions.c",
     "int64_t began = wraps && !evening ? day - 1 : day;", "int64_t began = day;"),
]


def run(command, log, **options):
    with open(log, "ab") as out:
        return subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, **options).returncode


def copy_changed(source, target):
    """Only what differs, with the time of now: an object made of a mutant must look older than its source."""
    with open(source, "rb") as file:
        wanted = file.read()
    if os.path.exists(target):
        with open(target, "rb") as file:
            if file.read() == wanted:
                return
    shutil.copy(source, target)


class Copy:
    """The sources that are mutated, in a folder of their own, built once and then a file at a time."""

    def __init__(self, where):
        self.where, self.build, self.log = where, f"{where}/build", f"{where}/log"
        os.makedirs(where, exist_ok=True)
        for name in ("core", "schemas", "tests", "policies", "cli", "consumer", "producer", "CMakeLists.txt"):
            source, target = f"{ROOT}/{name}", f"{where}/{name}"
            if os.path.isdir(source):
                shutil.copytree(source, target, dirs_exist_ok=True, copy_function=copy_changed,
                                ignore=shutil.ignore_patterns("__pycache__"))
            else:
                copy_changed(source, target)
        with open(f"{where}/CMakeLists.txt", encoding="utf-8") as file:
            text = file.read()
        with open(f"{where}/CMakeLists.txt", "w", encoding="utf-8") as file:
            file.write(text.replace("-Werror", ""))  # a mutant may leave something unused
        open(self.log, "wb").close()
        self.tests = [t for t in TESTS if os.path.exists(f"{where}/tests/unit/{t}.c")]
        if run(["cmake", "-S", where, "-B", self.build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug",
                "-DCMAKE_C_FLAGS=-O1"], self.log) != 0:
            self.fail("CMake cannot configure the copy")

    def fail(self, text):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            sys.stderr.write("".join(log.readlines()[-30:]))
        sys.exit(f"mutants: {text}; the whole log: {self.log}")

    def make(self):
        return run(["ninja", "-C", self.build, *self.tests, "lex_laws"], self.log) == 0

    def killer(self):
        """What fails, or None."""
        for test in self.tests:
            if run([f"{self.build}/bin/{test}"], self.log, timeout=120) != 0:
                return test
        laws = [sys.executable, "-B", f"{self.where}/tests/laws/run.py", "--laws", f"{self.build}/bin/lex_laws",
                "--triples", str(TRIPLES), "--seed", "7", "--jobs", "2"]
        return "laws" if run(laws, self.log, timeout=600) != 0 else None

    def judge(self, path, before, after):
        target = f"{self.where}/core/{path}"
        with open(target, encoding="utf-8") as file:
            text = file.read()
        if text.count(before) != 1:
            return f"stands {text.count(before)} times in core/{path}, not once"
        with open(target, "w", encoding="utf-8") as file:
            file.write(text.replace(before, after))
        try:
            if not self.make():
                return "does not compile"
            try:
                killer = self.killer()
            except subprocess.TimeoutExpired:
                killer = "a test that does not end"
            return ("killed by " + killer) if killer else None
        finally:
            with open(target, "w", encoding="utf-8") as file:
                file.write(text)


def chosen(args):
    if args.today:
        start = datetime.date.today().toordinal() * 8
        return [MUTANTS[(start + i) % len(MUTANTS)] for i in range(8)]
    if not args.names:
        return MUTANTS
    unknown = set(args.names) - {m[0] for m in MUTANTS}
    if unknown:
        sys.exit(f"mutants: no such mutant: {', '.join(sorted(unknown))}")
    return [m for m in MUTANTS if m[0] in args.names]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--today", action="store_true")
    parser.add_argument("--where", default=f"{ROOT}/build/mutants")
    args = parser.parse_args()
    copy, bad = Copy(args.where), 0
    if not copy.make():
        copy.fail("the copy does not build")
    killer = copy.killer()
    print("not ok - without a mutant: " + killer if killer else "ok - without a mutant everything passes", flush=True)
    if killer:
        return 1
    for name, path, before, after in chosen(args):
        verdict = copy.judge(path, before, after)
        killed = verdict is not None and verdict.startswith("killed")
        bad += not killed
        print(f"{'ok' if killed else 'not ok'} - {name}: {verdict or 'survived'}", flush=True)
    print(f"# {len(MUTANTS)} mutants in all", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
