# shellcheck shell=bash
# lib.sh: what every part of tests/ops shares. Source it; it sets the shell's options.
#
# A part is tests/ops/<part>/run. It prints TAP (`ok - ...`, `not ok - ...`), ends with `done_testing`, and leaves
# nothing behind: what it started stands in `at_exit` before it is started. What a part needs and does not find is a
# failure that says what installs it, never a silent pass.
set -uo pipefail

ops_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
ops=$ops_root/tests/ops
# Tools and images are kept over runs, outside of the tree: a clean clone does not fetch them again.
export LEX_OPS=${LEX_OPS:-${XDG_CACHE_HOME:-$HOME/.cache}/lexecon/ops}
export PATH=$LEX_OPS/venv/bin:$LEX_OPS/bin:$PATH
build=$(cd "$ops_root" && realpath -m "${LEX_BUILD:-build}")
work=$(mktemp -d "${TMPDIR:-/tmp}/lexecon-ops.XXXXXX")
failures=0 tests=0

say() { printf '%s\n' "$*" >&2; }
die() {
	echo "not ok - $*"
	exit 1
}

# ---- results ----

ok() {
	tests=$((tests + 1))
	echo "ok - $1"
}
# not_ok NAME [OUTPUT]: the output is a diagnostic, indented so that no line of it counts as a test.
not_ok() {
	tests=$((tests + 1)) failures=$((failures + 1))
	[ -z "${2:-}" ] || printf "    %s\n" "${2//$'\n'/$'\n'    }"
	echo "not ok - $1"
}
# passes NAME COMMAND...: the command's exit status is the test. Its output is shown when it fails.
passes() {
	local name=$1 output
	shift
	if output=$("$@" 2>&1); then ok "$name"; else not_ok "$name" "$output"; fi
}
# refuses NAME COMMAND...: the negative twin; a command that is killed by a signal has refused nothing.
refuses() {
	local name=$1 output status=0
	shift
	output=$("$@" 2>&1) || status=$?
	if [ "$status" != 0 ] && [ "$status" -lt 126 ]; then ok "$name"; else not_ok "$name" "exit status $status: $output"; fi
}
# same NAME EXPECTED ACTUAL
same() { if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "expected: $2"$'\n'"found:    $3"; fi; }
# says NAME EXTENDED_REGEX TEXT
says() { if grep -Eq -- "$2" <<<"$3"; then ok "$1"; else not_ok "$1" "no match for $2 in:"$'\n'"$3"; fi; }

done_testing() {
	[ "$tests" -gt 0 ] || die "this part ran no test"
	[ "$failures" = 0 ]
	exit
}

# ---- what was started is ended, last first ----

exit_actions=()
at_exit() { exit_actions=("$*" "${exit_actions[@]}"); }
run_exit_actions() {
	local action
	for action in "${exit_actions[@]}"; do eval "$action" >/dev/null 2>&1; done
	if [ -n "${LEX_KEEP:-}" ]; then say "kept: $work"; else rm -rf "$work"; fi
}
trap run_exit_actions EXIT

# background LOG COMMAND...: start it, its pid in `pid`; it ends with this part.
background() {
	local log=$1
	shift
	"$@" </dev/null >"$log" 2>&1 &
	pid=$!
	at_exit "kill $pid; wait $pid"
}
# wait_for SECONDS COMMAND...: until it succeeds.
wait_for() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.2
	done
}
# free_port: one that nobody listens on now.
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# ---- tools ----

# tools GROUP...: have these groups of tests/ops/install, or fail and say why.
tools() {
	local output
	output=$("$ops/install" "$@" 2>&1) || die "the tools of '$*' are not here and could not be installed: $(tail -n 3 <<<"$output" | tr '\n' ' ')"
}
# programs NAME...: the built ones that this part runs.
programs() {
	local name
	for name; do [ -x "$build/bin/$name" ] || die "$build/bin/$name is not built: ./dev build"; done
	export PATH=$build/bin:$PATH
}
# need_cmd NAME...: programs of this machine that no group of install brings.
need_cmd() {
	local name
	for name; do command -v "$name" >/dev/null || die "$name is not installed: install the package that brings it"; done
}
# page PAGE NAME: the commands of a document's blocks that are marked `run: NAME`.
page() { "$ops/page" "$ops_root/$1" "$2" || die "$1 has no commands marked 'run: $2'"; }
