#!/usr/bin/env bash
# broker-drill.sh --stop 'COMMAND' --start 'COMMAND' --pins FILE --bootstrap A,B,C --url URL... [--yes] [flags]
#
# One broker of at least three is taken away under load and brought back: every request has to be answered once
# meanwhile, and afterwards every replica has to be in sync again. Exit at the first thing that would make it more than
# a drill: a topic that has too few replicas, or a replica that is out of sync already.
#
#   --stop COMMAND         takes one broker away (`systemctl stop kafka` on its host, `kubectl delete pod`)
#   --start COMMAND        brings it back
#   --rate N, --seconds N  of the load meanwhile (20 a second, for 15 s): see load.sh
#   --wait SECONDS         for the replicas afterwards (180)
#   --yes                  do it
#   --pins, --bootstrap (all brokers), --url, --kafka, --config, --api-key-file, the topics' names
#
# What it leaves: the load's entries in the ledger.
#
# Exit status: 0 nothing was lost and all is in sync again; 1 not so; 2 it could not be tried.
# shellcheck source=deployment/procedures/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

stop='' start='' rate=20 seconds=15 wait_s=180 yes=''
word() {
	case $1 in
	--yes) yes=1 ;;
	*) return 1 ;;
	esac
}
option() {
	case $1 in
	--stop) stop=$2 ;;
	--start) start=$2 ;;
	--rate) number "$1" "$2" && rate=$2 ;;
	--seconds) number "$1" "$2" && seconds=$2 ;;
	--wait) number "$1" "$2" && wait_s=$2 ;;
	*) return 1 ;;
	esac
}
flags "$@"
need curl awk
[ -n "$stop" ] && [ -n "$start" ] || die "--stop COMMAND and --start COMMAND are needed"
[ ${#urls[@]} -gt 0 ] || die "name every node: --url http://HOST:8000"

under_replicated() { kafka_tool topics --describe --under-replicated-partitions 2>/dev/null | grep -c 'Partition:' || true; }
in_sync() { [ "$(under_replicated)" = 0 ]; }

step "before"
for topic in "$requests_topic" "$verdicts_topic" "$ledger_topic" "$dead_letters_topic"; do
	said=$(kafka_tool topics --describe --topic "$topic" 2>/dev/null || true)
	replicas=$(sed -n 's/.*ReplicationFactor: *\([0-9]*\).*/\1/p' <<<"$said" | head -n 1)
	if [ "${replicas:-0}" -ge 3 ]; then good "$topic has $replicas replicas"; else bad "$topic has ${replicas:-no} replicas, expected 3 or more: without one it may stand still"; fi
done
if in_sync; then good "every replica is in sync"; else bad "$(under_replicated) partitions are under-replicated already"; fi
for url in "${urls[@]}"; do if is_ready "$url"; then good "$url is ready"; else bad "$url is not ready"; fi; done
[ $problems = 0 ] || finish
if [ -z "$yes" ]; then
	echo "Nothing was done: add --yes. It would run: $stop; a load; $start"
	exit 0
fi

step "one broker away"
said=$(mktemp)
trap 'rm -f "$said"' EXIT
"$(dirname "$(readlink -f "$0")")/load.sh" "${common[@]}" --rate "$rate" --seconds "$seconds" --p99-ms 60000 --timeout 60 --yes >"$said" 2>&1 &
load=$!
sleep 2
bash -c "$stop" || bad "the command failed: $stop"
if wait $load; then good "the load while it was away:"; else bad "the load while it was away:"; fi
sed 's/^/      /' "$said"

step "and back"
bash -c "$start" || bad "the command failed: $start"
if until_true "$wait_s" in_sync; then good "every replica is in sync again"; else bad "$(under_replicated) partitions are still under-replicated after $wait_s s"; fi
for url in "${urls[@]}"; do if until_true 60 is_ready "$url"; then good "$url is ready"; else bad "$url is not ready: $(get "$url/health/ready" 2>&1 | head -c 600)"; fi; done
if [ "$(metric lexecon_halted_partitions)" = 0 ]; then good "no partition is halted"; else bad "a partition is halted: see docs/operating.md"; fi
finish
