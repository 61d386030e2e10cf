# Sourced by the tests of this folder: a broker, nodes of the service on it, load, and the audit.
#
# A case runs in a subshell with `set -e`, so that its first failing command ends it, and leaves no
# process behind whatever happens. Cases share one broker and nothing else: each has topics, a group
# and data directories of its own, named after it. Nodes share one directory of keys.
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
bin=$(cd "$root/${LEX_BUILD:-build}" && pwd)/bin
origin_prefix=tests/broker
failures=0

# ---- the broker: the caller's, where there is one, else one for this script ----

free_port() {
	local port=$1
	while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null ||
		(exec 3<>"/dev/tcp/127.0.0.1/$((port + 100))") 2>/dev/null; do
		port=$((port + 1))
	done
	echo "$port"
}

# A dead transaction is looked for every second, not every ten: the tests wait for it.
start_broker() {
	[ -z "${LEX_TEST_DIR:-}" ] || return 0
	LEX_TEST_DIR=$(mktemp -d "${TMPDIR:-/tmp}/lexecon-broker.XXXXXX")
	trap end_broker EXIT
	trap 'exit 130' INT TERM HUP
	export LEX_TEST_DIR LEX_TEST_PORT LEX_TEST_BOOTSTRAP
	LEX_TEST_PORT=$(free_port 19500)
	export KAFKA_SETTINGS='transaction.abort.timed.out.transaction.cleanup.interval.ms=1000'
	LEX_TEST_BOOTSTRAP=$("$root/tests/kafka/up" "$LEX_TEST_DIR/kafka" "$LEX_TEST_PORT") || exit 1
	"$bin/lexecon" keys generate --dir "$LEX_TEST_DIR/keys" >/dev/null &&
		"$bin/lexecon" keys show --dir "$LEX_TEST_DIR/keys" --origin-prefix "$origin_prefix" --pin \
			>"$LEX_TEST_DIR/pins.json" || exit 1
}

# LEX_KEEP=1 leaves logs and data for a look.
end_broker() {
	"$root/tests/kafka/down" "$LEX_TEST_DIR/kafka" -9
	if [ -n "${LEX_KEEP:-}" ]; then echo "# kept: $LEX_TEST_DIR"; else rm -rf "$LEX_TEST_DIR"; fi
}

restart_broker() {
	"$root/tests/kafka/down" "$LEX_TEST_DIR/kafka"
	sleep 1
	"$root/tests/kafka/up" "$LEX_TEST_DIR/kafka" "$LEX_TEST_PORT" >/dev/null
}

# ---- cases ----

# run_case FUNCTION NAME: one line "ok - NAME" or "not ok - NAME" with all that it said.
run_case() {
	local function=$1 name=$2 start=$SECONDS status
	[ -z "${LEX_CASE:-}" ] || [[ $function == $LEX_CASE ]] || return 0
	case_dir=$LEX_TEST_DIR/$function
	prefix=$function
	mkdir -p "$case_dir"
	(
		set -e
		declare -A pids=()
		trap end_nodes EXIT
		trap 'exit 130' INT TERM HUP
		"$function"
	) >"$case_dir/said" 2>&1
	status=$?
	if [ $status = 0 ]; then
		echo "ok - $name # $((SECONDS - start)) s"
		return 0
	fi
	failures=$((failures + 1))
	sed 's/^\(not \)\?ok/# &/; s/^/# /' "$case_dir/said"
	for log in "$case_dir"/*.log; do
		[ -e "$log" ] && tail -n 25 "$log" | sed "s|^|# ${log##*/}: |"
	done
	echo "not ok - $name"
}

fail() {
	echo "failed: $*"
	exit 1
}

# ---- nodes: processes of the service ----

# start_node NAME [OPTION...]: two workers, the mirror of everything. Its name is its instance.
start_node() {
	local name=$1
	shift
	env -i PATH="$PATH" LEXECON_KAFKA_BOOTSTRAP_SERVERS="$LEX_TEST_BOOTSTRAP" \
		LEXECON_INSTANCE="$name" LEXECON_GROUP="$prefix" \
		LEXECON_REQUESTS_TOPIC="$prefix.requests" LEXECON_VERDICTS_TOPIC="$prefix.verdicts" \
		LEXECON_LEDGER_TOPIC="$prefix.ledger" LEXECON_DEAD_LETTERS_TOPIC="$prefix.dead-letters" \
		"$bin/lexecon-consumer" --node-id "node-$name" --origin-prefix "$origin_prefix" \
		--policy "${policy:-$root/policies/compat/example_policy.json}" \
		--ledger-requirements off --keys mounted --keys-dir "$LEX_TEST_DIR/keys" \
		--data-dir "$case_dir/$name" --mirror-scope all --server-workers 2 \
		--http-address 127.0.0.1 --http-port 0 --log-decisions-per-second 0 "$@" \
		>"$case_dir/$name.log" 2>&1 &
	pids[$name]=$!
}

# stop_node NAME [STATUS]: SIGTERM; it ends within the grace period, with this exit status.
stop_node() {
	kill -TERM "${pids[$1]}"
	await_end "$1" "${2:-0}" 25
}

# await_end NAME STATUS SECONDS
await_end() {
	local name=$1 pid=${pids[$1]} status=0 deadline=$((SECONDS + $3))
	while [ -e "/proc/$pid" ] && ! grep -q '^State:[[:space:]]*Z' "/proc/$pid/status" 2>/dev/null; do
		[ $SECONDS -le $deadline ] || fail "$name does not end"
		sleep 0.05
	done
	wait "$pid" || status=$?
	unset "pids[$name]"
	[ $status = "$2" ] || fail "$name ended with status $status, not $2"
}

kill_node() {
	kill -9 "${pids[$1]}"
	wait "${pids[$1]}" 2>/dev/null || true
	unset "pids[$1]"
}

# All of them, whatever one of them answers.
end_nodes() {
	local name
	set +e
	for name in "${!pids[@]}"; do
		kill -9 "${pids[$name]}" 2>/dev/null
		wait "${pids[$name]}" 2>/dev/null
	done
}

# http NAME PATH: the body; the status code goes to $http_status.
http() {
	local port
	port=$(grep -o '"http_port":[0-9]*' "$case_dir/$1.log" | head -n 1 | cut -d: -f2)
	exec 3<>"/dev/tcp/127.0.0.1/$port"
	printf 'GET %s HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n' "$2" >&3
	cat <&3 >"$case_dir/http"
	exec 3<&-
	http_status=$(head -n 1 "$case_dir/http" | cut -d' ' -f2)
}

# metric NAME SERIES: its value.
metric() {
	http "$1" /metrics
	awk -v name="$2" '$1 == name { print $2 + 0 }' "$case_dir/http"
}

# until_true SECONDS COMMAND...
until_true() {
	local deadline=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt $deadline ] || fail "still not true: $*"
		sleep 0.1
	done
}
metric_is() { [ "$(metric "$1" "$2")" = "$3" ]; }
is_ready() {
	grep -q '"http_port"' "$case_dir/$1.log" || return 1
	http "$1" /health/ready
	[ "$http_status" = "${2:-200}" ]
}
has_assigned() { grep -q '"event":"assigned"' "$case_dir/$1.log"; }

# ---- load, deeds, audit ----

hand() { "$bin/lex_hand" "$LEX_TEST_BOOTSTRAP" "$prefix" "$@"; }
load() { "$bin/lex_load" --bootstrap "$LEX_TEST_BOOTSTRAP" --topic "$prefix.requests" "$@"; }
kafka_tool() {
	local name=$1
	shift
	"$root/tests/kafka/tool" "$name" --bootstrap-server "$LEX_TEST_BOOTSTRAP" "$@"
}

# wait_answered ANSWERED|all [SECONDS]: until the group's offsets say so.
wait_answered() { hand wait "$1" "${2:-60}"; }

# audit REQUESTS [NODE...]: everything, the mirrors of these nodes included; keeps what it printed.
audit() {
	local count=$1 mirrors=() node
	shift
	for node; do mirrors+=(--mirror "$case_dir/$node/mirror.db"); done
	"$bin/lex_audit" --bootstrap "$LEX_TEST_BOOTSTRAP" --prefix "$prefix" \
		--pins "${pins:-$LEX_TEST_DIR/pins.json}" --count "$count" "${mirrors[@]}" \
		>"$case_dir/audit" || { cat "$case_dir/audit"; return 1; }
	cat "$case_dir/audit"
}

# audit_found EVENT COUNT: how many entries of that kind the last audit saw.
audit_found() {
	grep -q "^# events.* $1 $2\( \|\$\)" "$case_dir/audit" ||
		fail "expected $2 entries of kind $1: $(grep '^# events' "$case_dir/audit")"
}
