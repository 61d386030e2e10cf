#!/usr/bin/env bash
# policy-rollout.sh NEW --current OLD (--to-file PATH | --to-configmap NAME | --to-topic) --url URL... [flags]
#
# Bring a policy into force behind gates: it loads without lints, its cases pass, it widens nothing that nobody agreed
# to. Then it is published, every node is watched until it has it, and the ledger shows the entry. Without --yes it
# stops behind the gates. Going back is the same script with the old document.
#
#   NEW                    the policy, a file, its cases beside it (NEW.test.json for NEW.json)
#   --current OLD          what is in force: the file, or of `lexecon policy get HASH --output OLD`
#   --to-file PATH         publish: over the file that the nodes read (LEXECON_POLICY), by one rename
#   --to-configmap NAME    publish: as the ConfigMap NAME, key policy.json; --namespace NS (lexecon)
#   --to-topic             publish: signed, to the policies topic; --key FILE signs, --policy-key FILE checks
#   --cases FILE           other cases than those beside NEW
#   --coverage-min N       the cases have to decide N percent of the rules (0)
#   --accept-lints         a lint is shown and no more refused
#   --accept-widening      a verdict that becomes higher is shown and no more refused
#   --rollback             NEW is an older version: shown as such, and the widening gate only reports
#   --url URL              a node's HTTP address; once for each node
#   --wait SECONDS         for all nodes (60; a ConfigMap takes a minute or two to reach its pods)
#   --yes                  publish
#   --bootstrap, --kafka, --config, --ledger-topic, --api-key-file
#
# Exit status: 0 it is in force everywhere (without --yes: the gates are open); 1 a gate is shut, nothing was
# published, or a node does not have it; 2 it could not be tried.
# shellcheck disable=SC2329  # until_true calls functions by their names
# shellcheck source=deployment/procedures/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

new='' current='' to='' target='' namespace=lexecon key='' policy_key='' cases=() coverage=0 lints='' widening=''
rollback='' wait_s=60 yes=''
word() {
	case $1 in
	--accept-lints) lints=1 ;;
	--accept-widening) widening=1 ;;
	--rollback) rollback=1 ;;
	--yes) yes=1 ;;
	--to-topic) to=topic ;;
	-*) return 1 ;;
	*)
		[ -z "$new" ] || die "one policy at a time: $new, or $1?"
		file policy "$1"
		new=$1
		;;
	esac
}
option() {
	case $1 in
	--current) file "$1" "$2" && current=$2 ;;
	--to-file) to=file target=$2 ;;
	--to-configmap) to=configmap target=$2 ;;
	--namespace) namespace=$2 ;;
	--key) file "$1" "$2" && key=$2 ;;
	--policy-key) file "$1" "$2" && policy_key=$2 ;;
	--cases) file "$1" "$2" && cases+=("$2") ;;
	--coverage-min) number "$1" "$2" && coverage=$2 ;;
	--wait) number "$1" "$2" && wait_s=$2 ;;
	*) return 1 ;;
	esac
}
flags "$@"
need curl awk
[ -z "${LEX_RUN:-}" ] || die "LEX_RUN: the files are read here, so lexecon has to run here"
need_lexecon
[ -n "$new" ] || die "which policy? $program NEW --current OLD ..."
[ -n "$current" ] || die "--current OLD is needed: what is in force, to say what changes"
[ "$to" != topic ] || { [ -n "$key" ] && [ -n "$policy_key" ]; } || die "--to-topic needs --key and --policy-key"
[ "$to" != configmap ] || need kubectl
if [ -n "$yes" ]; then
	[ -n "$to" ] || die "publish where? --to-file, --to-configmap or --to-topic"
	[ ${#urls[@]} -gt 0 ] || die "name every node, --url http://HOST:8000: a policy is rolled out when all have it"
fi
hash_of() { lexecon policy hash "$1" | member policy_hash; }

step "gate 1: it loads, and nothing in it is odd"
if said=$(lexecon policy check --deny-warnings "$new" 2>&1); then
	good "$new loads without a lint"
elif ! lexecon policy check "$new" >/dev/null 2>&1; then
	bad "$said"
elif [ -n "$lints" ]; then
	note "$said"
else
	bad "$said"
	note "--accept-lints takes it as it is"
fi
[ $problems = 0 ] || finish

step "gate 2: its cases pass"
if said=$(lexecon policy test --coverage-min "$coverage" "$new" "${cases[@]}" 2>&1); then good "$(tail -n 1 <<<"$said")"; else bad "$said"; fi

step "gate 3: what it changes"
if said=$(lexecon policy diff --fail-on widen "$current" "$new" 2>&1); then
	good "no verdict becomes higher"
	printf '%s\n' "$said"
elif [ -n "$widening$rollback" ]; then
	note "verdicts become higher, accepted:"
	printf '%s\n' "$said"
else
	bad "verdicts become higher:"
	printf '%s\n' "$said"
	note "--accept-widening publishes it, once the people whose policy it is have agreed"
fi
if [ $problems != 0 ]; then
	printf '\nNothing was published.\n'
	finish
fi
hash=$(hash_of "$new") old_hash=$(hash_of "$current")
if [ -z "$yes" ]; then
	echo
	echo "The gates are open for $hash. Nothing was published: add --yes."
	exit 0
fi

step "publish"
flips=$(metric lexecon_shadow_flips_total) || die "${urls[*]}: /metrics does not answer; does it ask for a key (--api-key-file)?"
failures=$(metric lexecon_policy_load_failures_total)
case $to in
file)
	cp "$new" "$target.new"
	mv "$target.new" "$target"
	;;
configmap)
	kubectl create configmap "$target" -n "$namespace" --from-file "policy.json=$new" --dry-run=client -o yaml |
		kubectl apply -n "$namespace" -f -
	;;
topic)
	signed=$(mktemp)
	trap 'rm -f "$signed"' EXIT
	lexecon policy sign --key "$key" "$new" >"$signed" || die "it cannot be signed"
	lexecon policy publish "${cluster[@]}" --policy-key "$policy_key" "$signed" || die "it was not published"
	;;
esac
good "$hash, by $to"

step "every node has it"
has_policy() { get "$1/metrics" -f 2>/dev/null | grep -q "^lexecon_policy_info{.*hash=\"$hash\".*} 1\$"; }
for url in "${urls[@]}"; do
	if until_true "$wait_s" has_policy "$url"; then good "$url"; else bad "$url does not have it after $wait_s s; /health says: $(get "$url/health" 2>&1 | head -c 800)"; fi
done
if [ "$(metric lexecon_policy_load_failures_total)" = "$failures" ]; then
	good "no node refused it"
else
	bad "a node refused it: the log has file, line and column; a lower version needs policy_allow_rollback, or the old content under a higher version"
fi
note "shadow flips so far: $flips, now $(metric lexecon_shadow_flips_total)"

step "the ledger"
in_ledger() {
	lexecon ledger tail --topic "$ledger_topic" "${cluster[@]}" --lines 10000 --json 2>/dev/null |
		grep '"event_type":"policy"' | grep -q "$hash"
}
if [ -z "$bootstrap" ] && [ ${#cluster[@]} -eq 0 ]; then
	note "no --bootstrap: the ledger was not looked at"
elif until_true 5 in_ledger; then
	good "holds a policy entry of $hash"
else
	note "holds no policy entry of $hash yet: one stands before the first decision under it"
fi
note "to go back: $program $current --current $new --rollback --yes ... (the hash before was $old_hash)"
finish
