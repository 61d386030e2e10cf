#!/usr/bin/env bash
# restore.sh --from DIR --pins FILE --bootstrap HOST:PORT [--yes] [flags]
#
# Put a ledger that was lost back into its topic, from a backup that backup.sh made, and release its partitions, so
# that the service goes on behind the last restored entry. The topics are there and empty (`lexecon topics create`),
# and every node of the service is stopped: a node that decides begins chains of its own. Without --yes it checks and
# says what it would do.
#
#   --from DIR             what backup.sh wrote
#   --pins FILE            the pins as verifiers have them, not those of the backup
#   --next-offset begin|end
#                          where a partition begins whose request topic was made anew: `begin` (default), since
#                          nothing in it was decided; `end` skips what is in it
#   --requests-kept        the request topic is the old one, with the old offsets: go on behind the last decided request
#   --yes                  write
#   --late-start           the ledger begins behind its genesis
#   --bootstrap, --kafka, --config, --ledger-topic, --requests-topic, --group
#
# What it cannot bring back: decisions that were made after the last export. Bring the export up to date first from
# every mirror that is left (`lexecon ledger export --mirror FILE --out DIR/ledger --pins ...`). A verdict from that
# time still proves who signed it; the ledger will hold another entry at its place, and the recovery entry says where
# the restored ledger ended.
#
# Exit status: 0 the ledger is there and every partition may go on (without --yes: it could be done); 1 not so;
# 2 it could not be tried.
# shellcheck source=deployment/procedures/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

from='' yes='' late=() place=begin kept=''
word() {
	case $1 in
	--yes) yes=--yes ;;
	--requests-kept) kept=1 ;;
	--late-start) late=(--late-start) ;;
	*) return 1 ;;
	esac
}
option() {
	case $1 in
	--from) from=$2 ;;
	--next-offset)
		[[ $2 =~ ^(begin|end)$ ]] || die "--next-offset $2: expected begin or end"
		place=$2
		;;
	*) return 1 ;;
	esac
}
flags "$@"
need sha256sum
[ -z "${LEX_RUN:-}" ] || die "LEX_RUN: the files are read here, so lexecon has to run here"
need_lexecon
[ -n "$from" ] && [ -d "$from/ledger" ] || die "--from DIR: expected a directory that backup.sh wrote, with a ledger/ in it"
[ -n "$pins" ] || die "--pins FILE is needed"

step "the backup is what was written"
if [ ! -e "$from/MANIFEST" ]; then
	bad "$from/MANIFEST is missing"
elif said=$(cd "$from" && sha256sum --quiet -c MANIFEST 2>&1); then
	good "$(wc -l <"$from/MANIFEST") files as the MANIFEST says"
else
	bad "not as the MANIFEST says: $said"
	note "files that were exported on from a mirror since differ: write the MANIFEST anew (docs/procedures/backup-and-restore.md)"
fi
shopt -s nullglob
files=("$from"/ledger/*.ledger)
[ ${#files[@]} -gt 0 ] || die "there is no exported ledger in $from/ledger"
for exported in "${files[@]}"; do
	if said=$(lexecon ledger verify --file "$exported" --pins "$pins" ${late[0]:+--allow-gaps} 2>&1); then good "$said"; else bad "$said"; fi
done
[ $problems = 0 ] || finish

step "the ledger's topic"
status=0
for ((i = 0; i < ${#files[@]} && status == 0; i += 64)); do
	lexecon ledger restore "${files[@]:i:64}" "${cluster[@]}" --pins "$pins" --ledger-topic "$ledger_topic" \
		--group "$group" "${late[@]}" ${yes:+"$yes"} || status=$?
done
case $status in
0) [ -z "$yes" ] || good "every entry is in the topic, read back and compared" ;;
1)
	bad "nothing was written"
	finish
	;;
*) die "the ledger cannot be restored (status $status)" ;;
esac
if [ -z "$yes" ]; then
	echo
	echo "Nothing was written: add --yes. Then each partition is released, see \`lexecon ledger recover --help\`."
	exit 0
fi

step "each partition may go on"
pins_line=$(mktemp)
trap 'rm -f "$pins_line"' EXIT
tr -d '\n\t ' <"$pins" >"$pins_line"
prefix=$(member origin_prefix <"$pins_line")
recover() {
	lexecon ledger recover "${cluster[@]}" --group "$group" --requests-topic "$requests_topic" \
		--ledger-topic "$ledger_topic" --origin-prefix "$prefix" --partition "$@" 2>&1
}
# The head where it is ahead: it keeps the numbers and declares what is lost. Else the ledger's last entry.
release() { # release PARTITION TEXT
	local low high choice=ledger next=()
	! grep -q -e '--take head *the chain goes on' <<<"$2" || choice="head"
	if grep -q -- "--take $choice *not possible: the next request would be" <<<"$2"; then
		read -r low high < <(sed -n 's/^  requests *\(-\?[0-9]*\) to \(-\?[0-9]*\)$/\1 \2/p' <<<"$2")
		next=(--next-offset "$low")
		[ "$place" = begin ] || next=(--next-offset $((high + 1)))
	fi
	recover "$1" --take "$choice" "${next[@]}" --yes
}
# Without a committed offset the ledger's last request is where a worker goes on, in whatever topic bears the name.
would_skip() { # would_skip TEXT: requests of a new topic that nobody would ever decide
	local last high
	grep -q '^  committed offset *-1$' <<<"$1" || return 1
	last=$(sed -n 's/^  ledger .*last request \(-\?[0-9]*\)$/\1/p' <<<"$1")
	high=$(sed -n 's/^  requests .* to \(-\?[0-9]*\)$/\1/p' <<<"$1")
	[ "${last:--1}" -ge 0 ] && [ "${high:--1}" -ge 0 ]
}
for exported in "${files[@]}"; do
	partition=${exported##*-}
	partition=${partition%.ledger}
	status=0
	said=$(recover "$partition") || status=$?
	if [ $status = 1 ] && [ -z "$kept" ] && would_skip "$said"; then
		bad "partition $partition: its request topic is not empty, and a worker would go on behind the offset that the ledger names: in a new topic the requests before it would never be decided. Make the request topic anew and empty, or say --requests-kept if it is the old one: $said"
	elif [ $status = 1 ] && grep -q 'nothing contradicts itself' <<<"$said"; then
		good "partition $partition: nothing contradicts itself"
	elif [ $status != 0 ]; then
		bad "partition $partition: $said"
	elif said=$(release "$partition" "$said"); then
		good "partition $partition: $(tail -n 1 <<<"$said")"
	else
		bad "partition $partition: $said"
	fi
done
note "start the service now; then smoke.sh, and lexecon ledger verify --topic $ledger_topic --pins $pins"
finish
