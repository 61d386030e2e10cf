#!/usr/bin/env bash
# mirror-rebuild.sh --mirror FILE --url URL --pins FILE [--yes] [flags]
#
# A mirror that is lost, corrupt or not to be trusted: put it aside, let the running node build it again from the
# ledger's topic, and hold the new one against the topic. As a drill it is harmless: the mirror is a copy, and no
# verdict waits for it.
#
#   --mirror FILE          the node's mirror (<data_dir>/mirror.db)
#   --url URL              that node's HTTP address
#   --keep                 keep the old file as FILE.<time>; without it the old one is removed at the end
#   --wait SECONDS         for the rebuild (300)
#   --yes                  do it
#   --pins FILE, --api-key-file FILE
#
# A node with mirror_scope=owned begins anew where its partitions stand: the entries before are noted as a gap, which
# is no loss; they are in the topic. Only mirror_scope=all rebuilds from genesis.
#
# Exit status: 0 rebuilt and verified; 1 not so; 2 it could not be tried.
# shellcheck disable=SC2329  # until_true calls functions by their names
# shellcheck source=deployment/procedures/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

mirror='' keep='' yes='' wait_s=300
word() {
	case $1 in
	--yes) yes=1 ;;
	--keep) keep=1 ;;
	*) return 1 ;;
	esac
}
option() {
	case $1 in
	--mirror) mirror=$2 ;;
	--wait) number "$1" "$2" && wait_s=$2 ;;
	*) return 1 ;;
	esac
}
flags "$@"
need curl awk
[ -z "${LEX_RUN:-}" ] || die "LEX_RUN: the file is moved here, so lexecon has to run here"
need_lexecon
[ -n "$mirror" ] || die "--mirror FILE is needed"
[ ${#urls[@]} = 1 ] || die "--url URL: exactly the node whose mirror it is"
[ -n "$pins" ] || die "--pins FILE is needed"

step "before"
is_ready "${urls[0]}" || note "${urls[0]} is not ready: it says $(get "${urls[0]}/health/ready" 2>&1 | head -c 400)"
if [ -e "$mirror" ]; then
	if said=$(lexecon ledger verify --mirror "$mirror" --pins "$pins" --allow-gaps 2>&1); then note "the file verifies: $(wc -l <<<"$said") partitions"; else note "the file does not verify: $said"; fi
else
	note "there is no $mirror"
fi
if [ -z "$yes" ]; then
	echo "Nothing was done: add --yes."
	exit 0
fi

step "rebuild"
aside=$mirror.$(date -u +%Y%m%dT%H%M%SZ)
for part in "" -wal -shm; do [ ! -e "$mirror$part" ] || mv "$mirror$part" "$aside$part"; done
good "put aside as $aside"
rebuilt() { [ -e "$mirror" ] && [ "$(metric lexecon_mirror_lag_entries)" = 0 ] && lexecon ledger verify --mirror "$mirror" --pins "$pins" --allow-gaps >/dev/null 2>&1; }
if until_true "$wait_s" rebuilt; then
	good "built again, nothing outstanding"
	lexecon ledger verify --mirror "$mirror" --pins "$pins" --allow-gaps
	if until_true 30 is_ready "${urls[0]}"; then good "${urls[0]} is ready"; else bad "${urls[0]} is not ready: $(get "${urls[0]}/health/ready" 2>&1 | head -c 600)"; fi
	[ -n "$keep" ] || rm -f "$aside" "$aside-wal" "$aside-shm"
else
	bad "not rebuilt within $wait_s s: the node's log (logger lexecon.mirror) says why; the old file is $aside"
fi
finish
