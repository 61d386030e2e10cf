#!/usr/bin/env bash
# pins-merge.sh OLD NEW > MERGED
#
# One pin file out of two of the same origin_prefix: every key of both. A verifier that has it takes verdicts of both
# keys, so it is handed out before a node gets a new key, and the old key stays in it for as long as anybody may verify
# something that it signed: for ever. The result is read back by `lexecon` before it is printed.
#
# Exit status: 0 printed; 1 they do not fit together; 2 it could not be tried.
# shellcheck source=deployment/procedures/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

[ "${1:-}" != --help ] || usage
[ $# = 2 ] || die "expected two pin files: $program OLD NEW > MERGED"
file pins "$1"
file pins "$2"
[ -z "${LEX_RUN:-}" ] || die "LEX_RUN: the files are read here, so lexecon has to run here"
need awk
need_lexecon

one_line() { tr -d '\n\t\r' <"$1"; }
prefix() { one_line "$1" | sed -n 's/.*"origin_prefix" *: *"\([^"]*\)".*/\1/p'; }
# No object of a key holds a brace of its own.
keys() { one_line "$1" | grep -o '{[^{}]*"key_id"[^{}]*}' | sed 's/^{ */{/; s/ *}$/}/'; }
for pins in "$1" "$2"; do [ -n "$(prefix "$pins")" ] || die "$pins is no pin file: lexecon keys show --pin makes one"; done
if [ "$(prefix "$1")" != "$(prefix "$2")" ]; then
	echo "$program: $1 is of $(prefix "$1"), $2 of $(prefix "$2"): two services have two pin files" >&2
	exit 1
fi
merged=$(mktemp)
trap 'rm -f "$merged"' EXIT
printf '{"origin_prefix":"%s","keys":[%s]}\n' "$(prefix "$1")" \
	"$({
		keys "$1"
		keys "$2"
	} | awk '{id = $0; gsub(/ /, "", id)} !seen[id]++' | paste -sd, -)" >"$merged"
# Whether it can be read is told apart from what it is asked to verify: nothing, here.
said=$(lexecon verdict verify --pins "$merged" /dev/null 2>&1) || status=$?
if [ "${status:-0}" -gt 1 ]; then
	echo "$program: $said" >&2
	exit 1
fi
cat "$merged"
