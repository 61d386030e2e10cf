#!/usr/bin/env bash
# backup.sh --out DIR --pins FILE --bootstrap HOST:PORT [--mirror FILE] [--policy PATH]... [--settings FILE]...
#           [--keys DIR --seal-with FILE] [flags]
#
# What a new cluster needs to go on, in one directory: the ledger (exported and checked, a file for each partition),
# the pins, the policy, the settings, and, sealed by a passphrase, the keys. The service runs on meanwhile. Run again
# with the same --out it appends what was decided since, so that it can run every few minutes: what was decided after
# the last run is what a lost site loses.
#
#   --out DIR              where to; made where it is missing, for its owner alone
#   --mirror FILE          copy this node's mirror too, consistently, while it is written
#   --policy PATH          the policy, a file or a directory; repeatable
#   --settings FILE        a configuration file, a values file; repeatable. No secrets: they are copied as they are
#   --keys DIR             the signing keys; with --seal-with FILE, whose first line is the passphrase. Keep that
#                          passphrase elsewhere than the backup
#   --late-start           take a ledger whose beginning retention has deleted
#   --pins FILE, --bootstrap, --kafka, --config, --ledger-topic
#
# Not in it, and why: requests and verdicts (a client asks again), committed offsets (they mean nothing in another
# cluster; the ledger's last entry says where a chain stands), the mirror where not asked for (it is a copy).
#
# Exit status: 0 all of it is in DIR and checked; 1 something is not; 2 it could not be tried.
# shellcheck source=deployment/procedures/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

out='' mirror='' keys='' seal='' late=() policies=() settings=()
word() {
	case $1 in
	--late-start) late=(--late-start) ;;
	*) return 1 ;;
	esac
}
option() {
	case $1 in
	--out) out=$2 ;;
	--mirror) file "$1" "$2" && mirror=$2 ;;
	--policy) file "$1" "$2" && policies+=("$2") ;;
	--settings) file "$1" "$2" && settings+=("$2") ;;
	--keys) file "$1" "$2" && keys=$2 ;;
	--seal-with) file "$1" "$2" && seal=$2 ;;
	*) return 1 ;;
	esac
}
flags "$@"
need sha256sum tar
[ -z "${LEX_RUN:-}" ] || die "LEX_RUN: the files are written here, so lexecon has to run here"
need_lexecon
[ -n "$out" ] || die "--out DIR is needed"
[ -n "$pins" ] || die "--pins FILE is needed"
[ -z "$keys" ] || [ -n "$seal" ] || die "--keys without --seal-with FILE: keys are never copied in the clear"
[ -z "$mirror" ] || command -v sqlite3 >/dev/null || command -v python3 >/dev/null || die "--mirror needs sqlite3 or python3"
umask 077
mkdir -p "$out"

step "the ledger"
status=0
lexecon ledger export --topic "$ledger_topic" "${cluster[@]}" --pins "$pins" --out "$out/ledger" "${late[@]}" || status=$?
case $status in
0) good "every partition is exported" ;;
1) bad "the export found something that does not hold; what is good is in $out/ledger" ;;
*) die "the ledger cannot be exported (status $status)" ;;
esac
for exported in "$out"/ledger/*.ledger; do
	if said=$(lexecon ledger verify --file "$exported" --pins "$pins" ${late[0]:+--allow-gaps} 2>&1); then good "$said"; else bad "$said"; fi
done

if [ -n "$mirror" ]; then
	step "the mirror"
	rm -f "$out/mirror.db"
	if command -v sqlite3 >/dev/null; then
		sqlite3 "file:$mirror?mode=ro" ".timeout 10000" "VACUUM INTO '${out//\'/\'\'}/mirror.db'"
	else
		python3 -c 'import sqlite3, sys
source, copy = sqlite3.connect("file:" + sys.argv[1] + "?mode=ro", uri=True), sqlite3.connect(sys.argv[2])
source.backup(copy)' "$mirror" "$out/mirror.db"
	fi
	if said=$(lexecon ledger verify --mirror "$out/mirror.db" --pins "$pins" --allow-gaps 2>&1); then
		good "copied and verified, $(wc -l <<<"$said") partitions"
	else
		bad "the copy of the mirror does not verify: $said"
	fi
fi

step "pins, policy, settings, keys"
cp "$pins" "$out/pins.json"
good "pins.json"
rm -rf "$out/policy" "$out/settings"
for path in "${policies[@]}"; do
	mkdir -p "$out/policy"
	cp -R "$path" "$out/policy/"
	if said=$(lexecon policy hash "$path" 2>&1); then good "policy $path: $said"; else bad "policy $path does not load: $said"; fi
done
[ ${#policies[@]} -gt 0 ] || note "no --policy: a policy of up to 48 KiB stands in the ledger's policy entries all the same"
for path in "${settings[@]}"; do
	mkdir -p "$out/settings"
	cp -R "$path" "$out/settings/"
	good "settings $path"
done
if [ -n "$keys" ]; then
	need openssl
	tar -C "$keys" -cf - . | openssl enc -aes-256-cbc -pbkdf2 -iter 600000 -salt -pass "file:$seal" -out "$out/keys.sealed"
	if openssl enc -d -aes-256-cbc -pbkdf2 -iter 600000 -pass "file:$seal" -in "$out/keys.sealed" | tar -tf - >/dev/null; then
		good "keys, sealed, and opened again to see that they can be"
	else
		bad "the sealed keys cannot be opened"
	fi
else
	note "no --keys: without them a restored service cannot sign under the pins that verifiers have"
fi

(cd "$out" && find . -type f ! -name 'MANIFEST*' -print0 | sort -z | xargs -0 sha256sum >MANIFEST.new && mv MANIFEST.new MANIFEST)
good "MANIFEST: $(wc -l <"$out/MANIFEST") files"
finish
