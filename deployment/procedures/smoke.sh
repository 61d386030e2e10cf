#!/usr/bin/env bash
# smoke.sh --url URL... --pins FILE --bootstrap HOST:PORT [--request OUTCOME JSON]... [--example] [flags]
#
# Does this installation decide? Health and readiness of each node, a request of each outcome with a verdict that
# verifies, its entry in the ledger, metrics that moved. Run it after an install, an upgrade, a restore.
#
#   --url URL              a node's HTTP address, http://HOST:8000; once for each node
#   --pins FILE            pinned keys, from `lexecon keys show --pin`
#   --bootstrap HOST:PORT  the brokers; also --kafka KEY=VALUE, --config FILE
#   --request OUTCOME JSON a request and what it has to give: approved, denied, escalated; repeatable. The members
#                          request_id and user_id are added
#   --example              the three requests that go with policies/compat/example_policy.json
#   --timeout SECONDS      for a verdict (30)
#   --api-key-file FILE    where /metrics asks for a key
#   --requests-topic, --verdicts-topic, --ledger-topic NAME
#
# Without --request it asks for the actor `lexecon-smoke`, which no policy knows, and expects a denial.
#
# What it leaves: one ledger entry for each request, and entries are for ever. They are told by their request_id,
# `smoke-...`, and by the user_id `lexecon-smoke`. Requests of an actor that your policy limits count against that
# actor's limit: name an actor of its own where there are limits.
#
# Exit status: 0 everything holds; 1 something does not; 2 it could not be tried.
# shellcheck source=deployment/procedures/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

expected=() requests=() timeout=30
add_request() {
	[[ $1 =~ ^(approved|denied|escalated)$ ]] || die "--request $1: expected approved, denied or escalated"
	[[ $2 == \{*\} ]] || die "--request $1: expected a JSON object, got: $2"
	expected+=("$1") requests+=("$2")
}
word() {
	case $1 in
	--example)
		add_request approved '{"actor":"user","proposed_action":"read"}'
		add_request denied '{"actor":"model","proposed_action":"write"}'
		add_request escalated '{"actor":"user","proposed_action":"read","risk_level":5,"policy_mode":"paranoid"}'
		;;
	--request)
		[ $# -ge 3 ] || die "--request needs an outcome and a JSON object"
		add_request "$2" "$3"
		takes=3
		;;
	*) return 1 ;;
	esac
}
option() {
	case $1 in
	--timeout) number "$1" "$2" && timeout=$2 ;;
	*) return 1 ;;
	esac
}
flags "$@"
need curl awk
need_lexecon
[ ${#urls[@]} -gt 0 ] || die "name at least one node: --url http://HOST:8000"
[ -n "$pins" ] || die "--pins FILE is needed: a verdict that nobody checks proves nothing"
asked=${#requests[@]}
[ "$asked" -gt 0 ] || add_request denied '{"actor":"lexecon-smoke","proposed_action":"smoke"}'

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
run=smoke-$(date -u +%Y%m%dT%H%M%SZ)-$$

step "each node answers, and is ready"
for url in "${urls[@]}"; do
	for path in /health/live /health/startup /health /health/ready; do
		code=$(status_of "$url$path")
		if [ "$code" = 200 ]; then
			good "$url$path"
		else
			bad "$url$path: status $code; $(get "$url$path" 2>&1 | head -c 600)"
		fi
	done
done

before=$(metric lexecon_requests_consumed_total) || die "$(printf '%s' "${urls[*]}"): /metrics does not answer; does it ask for a key (--api-key-file)?"
entries_before=$(metric lexecon_ledger_entries_total)

step "${#requests[@]} request(s), each answered with a verdict that verifies"
for i in "${!requests[@]}"; do
	printf '{"request_id":"%s-%d","user_id":"lexecon-smoke",%s\n' "$run" "$i" "${requests[$i]#\{}"
done >"$work/requests"
status=0
submit --file - --json --any-outcome --timeout "$timeout" <"$work/requests" >"$work/answers" 2>"$work/said" || status=$?
[ $status -lt 2 ] || [ $status = 3 ] || die "nothing was sent: $(<"$work/said")"
for i in "${!requests[@]}"; do
	line=$(grep -F "\"request_id\":\"$run-$i\"" "$work/answers" || true)
	outcome=$(member outcome <<<"$line")
	if [ "$(member verified <<<"$line")" != true ]; then
		bad "request $i has no verdict that verifies: $(member why <<<"$line")"
	elif [ "$outcome" != "${expected[$i]}" ]; then
		bad "request $i was $outcome ($(member reason_code <<<"$line")), expected ${expected[$i]}"
	else
		good "$outcome, $(member reason_code <<<"$line"), $(member decision_id <<<"$line")"
	fi
done
for outcome in approved denied escalated; do
	[[ " ${expected[*]} " == *" $outcome "* ]] || note "$outcome was not tried: give --request $outcome JSON, or --example"
done

step "each decision is in the ledger"
while read -r line; do
	decision=$(member decision_id <<<"$line") partition=$(member partition <<<"$line")
	[ -n "$decision" ] || continue
	entry=$(lexecon ledger tail --topic "$ledger_topic" "${cluster[@]}" --partition "$partition" --lines 1000 --json |
		grep -F "\"$decision\"" || true)
	if [ -z "$entry" ]; then
		bad "$decision is not among the last 1000 entries of partition $partition"
	elif [ "$(member seq <<<"$line")" != "$(member seq <<<"$entry")" ]; then
		bad "$decision: the verdict names entry $(member seq <<<"$line"), the ledger holds it as $(member seq <<<"$entry")"
	else
		good "$decision is entry $(member seq <<<"$entry") of $(member log <<<"$line")"
	fi
done <"$work/answers"

step "metrics moved"
# shellcheck disable=SC2329  # until_true calls it
moved() { [ "$(metric lexecon_requests_consumed_total)" -ge $((before + ${#requests[@]})) ]; }
if until_true 10 moved; then
	good "lexecon_requests_consumed_total: $before, then $(metric lexecon_requests_consumed_total)"
else
	bad "lexecon_requests_consumed_total stayed at $(metric lexecon_requests_consumed_total): was every node named by --url?"
fi
if [ "$(metric lexecon_ledger_entries_total)" -gt "$entries_before" ]; then
	good "lexecon_ledger_entries_total: $entries_before, then $(metric lexecon_ledger_entries_total)"
else
	bad "lexecon_ledger_entries_total stayed at $entries_before"
fi
if [ "$(metric lexecon_halted_partitions)" = 0 ]; then good "no partition is halted"; else bad "a partition is halted: see docs/operating.md"; fi
finish
