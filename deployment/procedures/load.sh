#!/usr/bin/env bash
# load.sh --pins FILE --bootstrap HOST:PORT [--rate 50] [--seconds 20] [--url URL...] [flags]
#
# A bounded load, and what became of each request of it: how long a verdict took (50th, 95th, 99th percentile), none
# lost, none decided twice, how many were denied, and the lag back at 0. It stops by itself.
#
#   --rate N               requests a second, 1 to 5000 (50)
#   --seconds N            for so long (20); all of it is at most 100000 requests
#   --actors N             spread over N actors lexecon-load-1 .. N, so over the partitions (64)
#   --request JSON         what is asked, instead of an action that no policy knows. ACTOR in it is replaced by the
#                          actor's name; request_id and user_id are added
#   --p99-ms N             fail above it (1000)
#   --max-denied PERCENT   fail above it (100: a denial is an answer)
#   --url URL              a node's HTTP address, for the lag; once for each node
#   --timeout SECONDS      for the last verdicts (30)
#   --yes                  do it; without it the plan is printed
#   --pins FILE, --bootstrap, --kafka, --config, --api-key-file, --requests-topic, --verdicts-topic, --ledger-topic
#
# What it leaves: an entry in the ledger for each request, for ever. Run it where entries may be left: before the
# first real request, or on a cluster of the same kind. The alert HighDenialRate may fire: its requests are denied
# unless --request asks for something permitted.
#
# Exit status: 0 everything holds; 1 something does not; 2 it could not be tried.
# shellcheck source=deployment/procedures/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

rate=50 seconds=20 actors=64 p99_ms=1000 max_denied=100 timeout=30 yes=''
request='{"actor":"ACTOR","proposed_action":"lexecon-load"}'
chunk_max=10000
word() {
	case $1 in
	--yes) yes=1 ;;
	*) return 1 ;;
	esac
}
option() {
	case $1 in
	--rate) number "$1" "$2" && rate=$2 ;;
	--seconds) number "$1" "$2" && seconds=$2 ;;
	--actors) number "$1" "$2" && actors=$2 ;;
	--p99-ms) number "$1" "$2" && p99_ms=$2 ;;
	--max-denied) number "$1" "$2" && max_denied=$2 ;;
	--timeout) number "$1" "$2" && timeout=$2 ;;
	--request) request=$2 ;;
	*) return 1 ;;
	esac
}
flags "$@"
need curl awk sort
need_lexecon
total=$((rate * seconds))
[ "$rate" -ge 1 ] && [ "$rate" -le 5000 ] || die "--rate $rate: expected 1 to 5000"
[ "$total" -ge 1 ] && [ "$total" -le 100000 ] || die "$rate a second for $seconds s are $total requests: expected 1 to 100000"
[ "$actors" -ge 1 ] || die "--actors $actors: expected 1 or more"
[[ $request == \{*\} ]] || die "--request: expected a JSON object, got: $request"
[ -n "$pins" ] || die "--pins FILE is needed: only a verdict that verifies counts as an answer"

run=load-$(date -u +%Y%m%dT%H%M%SZ)-$$
echo "$total requests, $rate a second, over $actors actors; their ids begin with $run-. Each leaves a ledger entry."
if [ -z "$yes" ]; then
	echo "Nothing was sent: add --yes."
	exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
: >"$work/answers"

# ---- send, at most as many at once as one call of submit takes ----

requests() { # requests FROM TO
	awk -v from="$1" -v to="$2" -v run="$run" -v actors="$actors" -v body="${request#\{}" 'BEGIN {
		for (i = from; i <= to; i++) {
			line = body
			gsub(/ACTOR/, "lexecon-load-" (i % actors + 1), line)
			printf "{\"request_id\":\"%s-%d\",\"user_id\":\"lexecon-load\",%s\n", run, i, line
		}
	}'
}
started=$SECONDS
for ((from = 1; from <= total; from += chunk_max)); do
	to=$((from + chunk_max - 1))
	[ $to -le $total ] || to=$total
	requests "$from" "$to" >"$work/requests"
	status=0
	submit --file - --json --any-outcome --rate "$rate" --timeout "$timeout" <"$work/requests" \
		>>"$work/answers" 2>"$work/said" || status=$?
	[ $status -lt 2 ] || [ $status = 3 ] || die "submit: $(<"$work/said")"
done
took=$((SECONDS - started))

# ---- what became of them ----

step "answers"
answered=$(grep -c '"verified":true' "$work/answers" || true)
twice=$(grep -c '"verdicts":' "$work/answers" || true)
denied=$(grep '"verified":true' "$work/answers" | grep -c '"outcome":"denied"' || true)
sed -n 's/.*"latency_us":\([0-9]*\).*/\1/p' "$work/answers" | sort -n >"$work/latencies"
percentile() { awk -v p="$1" '{v[NR] = $1} END {i = int(NR * p / 100 + 0.9999); if (i < 1) i = 1; printf "%.1f\n", v[i] / 1000}' "$work/latencies"; }
if [ "$answered" = "$total" ]; then
	good "lost 0: $total of $total requests have a verdict that verifies, in $took s"
else
	bad "lost $((total - answered)): $answered of $total requests have a verdict that verifies; the first other: $(grep -v '"verified":true' "$work/answers" | head -n 1 | member why)"
fi
if [ "$answered" -gt 0 ]; then
	p99=$(percentile 99)
	line="verdict latency p50 $(percentile 50) ms, p95 $(percentile 95) ms, p99 $p99 ms"
	if awk -v a="$p99" -v b="$p99_ms" 'BEGIN {exit !(a <= b)}'; then good "$line"; else bad "$line: over --p99-ms $p99_ms"; fi
	share=$((100 * denied / answered))
	if [ $share -le "$max_denied" ]; then good "denied $denied, $share %"; else bad "denied $denied, $share %: over --max-denied $max_denied"; fi
fi

step "the ledger holds each of them once"
# The entries of this run lie at the end of each partition, others' between them.
lexecon ledger tail --topic "$ledger_topic" "${cluster[@]}" --lines 10000 --json >"$work/tail" || die "the ledger cannot be read"
grep -o "\"request_id\":\"$run-[0-9]*\"" "$work/tail" | sort | uniq -c | awk '{print $1}' >"$work/counts"
seen=$(wc -l <"$work/counts")
again=$(awk '$1 > 1' "$work/counts" | wc -l)
if [ "$again" != 0 ] || [ "$twice" != 0 ]; then
	bad "decided twice: $again in the ledger, $twice on the verdicts' topic"
elif [ "$seen" = "$total" ]; then
	good "duplicate 0: $total entries, one for each request"
elif [ "$(wc -l <"$work/tail")" -ge 10000 ]; then
	good "duplicate 0: one entry for each of the $seen requests that are among the ledger's last 10000 entries"
else
	bad "$((total - seen)) requests have no entry in the ledger"
fi

if [ ${#urls[@]} -gt 0 ]; then
	step "the lag is back at 0"
	if until_true 30 lag_is_zero; then good "lexecon_consumer_lag is 0"; else bad "lexecon_consumer_lag is $(metric lexecon_consumer_lag || echo unknown) after 30 s"; fi
fi
finish
