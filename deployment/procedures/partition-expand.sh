#!/usr/bin/env bash
# partition-expand.sh --to N --bootstrap HOST:PORT [--url URL...] [--yes] [flags]
#
# More request partitions, in the order that loses nothing: first the topics that answers go to (verdicts, ledger, dead
# letters), each to at least N partitions, then the requests. The service runs on. Without --yes it shows the plan.
# There is no way back: partitions are never taken away.
#
#   --to N                 partitions of the requests
#   --url URL              a node's HTTP address; once for each node: then it waits until all N are decided on
#   --pins FILE            then the new partitions' chains are verified too
#   --wait SECONDS         (120; a group notices new partitions when its metadata is refreshed, which may take minutes)
#   --yes                  do it
#   --bootstrap, --kafka, --config, --requests-topic, --verdicts-topic, --ledger-topic, --dead-letters-topic
#
# What changes for clients: keys move to other partitions. What a partition remembers (rate limits, separated duties,
# used attestations) stays where it was, so for as long as the longest window (at most an hour) an actor's count may
# begin anew. An approval that is under way has to be asked for again where its key moved.
#
# Exit status: 0 done (without --yes: the plan is sound); 1 something does not hold; 2 it could not be tried.
# shellcheck disable=SC2329  # until_true calls functions by their names
# shellcheck source=deployment/procedures/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

to='' yes='' wait_s=120
word() {
	case $1 in
	--yes) yes=1 ;;
	*) return 1 ;;
	esac
}
option() {
	case $1 in
	--to) number "$1" "$2" && to=$2 ;;
	--wait) number "$1" "$2" && wait_s=$2 ;;
	*) return 1 ;;
	esac
}
flags "$@"
need curl awk
[ -n "$to" ] || die "--to N is needed"

step "what is there"
declare -A has
for topic in "$verdicts_topic" "$ledger_topic" "$dead_letters_topic" "$requests_topic"; do
	has[$topic]=$(partitions_of "$topic")
	if [ -n "${has[$topic]}" ]; then echo "      $topic: ${has[$topic]} partitions"; else bad "the topic $topic does not exist, or this user may not see it"; fi
done
[ $problems = 0 ] || finish
if [ "$to" -lt "${has[$requests_topic]}" ]; then
	bad "$requests_topic has ${has[$requests_topic]} partitions: there can only be more"
	finish
fi
for url in "${urls[@]}"; do
	if is_ready "$url"; then good "$url is ready"; else bad "$url is not ready"; fi
done
[ $problems = 0 ] || finish

step "answers first, requests last"
enlarge() {
	if [ "${has[$1]}" -ge "$to" ]; then
		good "$1 has ${has[$1]} already"
	elif [ -z "$yes" ]; then
		echo "      would alter $1: ${has[$1]} to $to"
	elif said=$(kafka_tool topics --alter --topic "$1" --partitions "$to" 2>&1); then
		good "$1 has $to"
	else
		bad "$1: $said"
		note "what was enlarged before it stays so, and does no harm; run this again"
		finish
	fi
}
for topic in "$verdicts_topic" "$ledger_topic" "$dead_letters_topic" "$requests_topic"; do enlarge "$topic"; done
if [ -z "$yes" ]; then
	echo "Nothing was changed: add --yes."
	exit 0
fi

if [ ${#urls[@]} -gt 0 ]; then
	step "all $to partitions are decided on"
	all_assigned() { [ "$(metric lexecon_assigned_partitions 2>/dev/null || echo 0)" = "$to" ]; }
	if until_true "$wait_s" all_assigned; then
		good "lexecon_assigned_partitions is $to over ${#urls[@]} node(s)"
	else
		bad "lexecon_assigned_partitions is $(metric lexecon_assigned_partitions || echo unknown) after $wait_s s, expected $to: was every node named?"
	fi
	if [ "$(metric lexecon_halted_partitions)" = 0 ]; then good "none is halted"; else bad "a partition is halted: see docs/operating.md"; fi
	for url in "${urls[@]}"; do
		if until_true 30 is_ready "$url"; then good "$url is ready"; else bad "$url is not ready: $(get "$url/health/ready" 2>&1 | head -c 600)"; fi
	done
fi
if [ -n "$pins" ]; then
	step "each partition has its chain"
	need_lexecon
	chains() { [ "$(lexecon ledger verify --topic "$ledger_topic" "${cluster[@]}" --pins "$pins" --allow-gaps 2>/dev/null | grep -c 'the chain holds')" -ge "$to" ]; }
	if until_true 30 chains; then good "$to chains hold, from their genesis or from where retention left them"; else bad "not every partition has a chain that holds: lexecon ledger verify --topic $ledger_topic"; fi
fi
finish
