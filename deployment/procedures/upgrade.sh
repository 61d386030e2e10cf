#!/usr/bin/env bash
# upgrade.sh --to VERSION --node URL 'COMMAND' [--node URL 'COMMAND']... [flags]
#
# Bring nodes to another version, one after the other, and stop at the first thing that is not as it was: each node is
# ready again and says the new version, no partition is halted, the lag comes back. A downgrade is the same with the
# older version. In Kubernetes the Deployment does the replacing (helm upgrade, kubectl rollout status); then run it
# behind that with --check-only.
#
#   --to VERSION           what /version has to say then
#   --node URL COMMAND     a node's HTTP address, and what replaces it: `systemctl restart lexecon` on that host after
#                          the package was installed, `kubectl delete pod NAME`; run by a shell. It may return before
#                          the node is back
#   --check-only           replace nothing, check the nodes as they are (COMMAND is not run)
#   --wait SECONDS         for a node to be back, and for the lag (120)
#   --settle SECONDS       between two nodes (5)
#   --yes                  do it; without it the plan is printed
#   --api-key-file FILE
#
# Exit status: 0 every node runs it; 1 it stopped: the nodes behind the one it names were not touched; 2 it could not
# be tried.
# shellcheck disable=SC2329  # until_true calls functions by their names
# shellcheck source=deployment/procedures/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

to='' wait_s=120 settle=5 yes='' check_only='' commands=()
word() {
	case $1 in
	--yes) yes=1 ;;
	--check-only) check_only=1 ;;
	--node)
		[ $# -ge 3 ] || die "--node needs an address and a command"
		urls+=("${2%/}") commands+=("$3")
		takes=3
		;;
	*) return 1 ;;
	esac
}
option() {
	case $1 in
	--to) to=$2 ;;
	--wait) number "$1" "$2" && wait_s=$2 ;;
	--settle) number "$1" "$2" && settle=$2 ;;
	*) return 1 ;;
	esac
}
flags "$@"
need curl awk
[ -n "$to" ] || die "--to VERSION is needed"
[ ${#commands[@]} -gt 0 ] || die "name the nodes: --node URL COMMAND"
[ ${#commands[@]} = ${#urls[@]} ] || die "each node is named by --node URL COMMAND, not by --url"

version_of() { get "$1/version" 2>/dev/null | member version; }
is_new() { [ "$(version_of "$1")" = "$to" ] && is_ready "$1"; }
started_at() { get "$1/metrics" -f 2>/dev/null | awk '$1 == "process_start_time_seconds" {print $2}'; }
is_another() { local now; now=$(started_at "$1") && [ -n "$now" ] && [ "$now" != "$2" ]; }
all_is_well() {
	local url
	for url in "${urls[@]}"; do
		is_ready "$url" || { bad "$url is not ready: $(get "$url/health/ready" 2>&1 | head -c 600)"; return; }
	done
	if ! until_true "$wait_s" lag_is_zero; then bad "the lag does not come back: $(metric lexecon_consumer_lag || echo unknown)"; fi
	if [ "$(metric lexecon_halted_partitions)" != 0 ]; then bad "a partition is halted: see docs/operating.md"; fi
}
stopped() {
	bad "$1"
	note "it stopped here; nodes behind this one were not touched. To go back: $program --to THE-VERSION-BEFORE ... for the nodes that were"
	finish
}

step "before"
for url in "${urls[@]}"; do echo "      $url runs $(version_of "$url")"; done
all_is_well
[ $problems = 0 ] || finish
good "${#urls[@]} nodes are ready, no lag, nothing halted"
if [ -z "$yes" ] && [ -z "$check_only" ]; then
	for i in "${!urls[@]}"; do echo "      would run for ${urls[$i]}: ${commands[$i]}"; done
	echo "Nothing was done: add --yes."
	exit 0
fi

for i in "${!urls[@]}"; do
	url=${urls[$i]}
	step "node $((i + 1)) of ${#urls[@]}: $url"
	if [ -z "$check_only" ]; then
		before=$(started_at "$url")
		bash -c "${commands[$i]}" || stopped "its command failed: ${commands[$i]}"
		until_true "$wait_s" is_another "$url" "$before" || stopped "$url is not back after $wait_s s, or the old process still runs"
	fi
	until_true "$wait_s" is_new "$url" || stopped "$url is not ready with version $to after $wait_s s: it runs '$(version_of "$url")'; $(get "$url/health/ready" 2>&1 | head -c 600)"
	good "ready, version $to"
	all_is_well
	[ $problems = 0 ] || stopped "not as before"
	good "all nodes ready, no lag, nothing halted"
	[ -n "$check_only" ] || [ "$i" = $((${#urls[@]} - 1)) ] || sleep "$settle"
done
finish
