# shellcheck shell=bash disable=SC2034  # what is set here is used by those that source it
# lib.sh: what the procedures share. Source it; it sets the shell's options.
#
# A procedure is run by a person under pressure, against a cluster that matters. So each of them says what it does
# before it does it, changes nothing without --yes where it changes something, prints one line for each thing that
# was checked, and ends with a status that a pipeline can use: 0 all of it holds, 1 something does not, 2 it could
# not be tried (wrong flags, a missing program). They call nothing but `lexecon`, curl and, where there is no other
# way, Kafka's own tools.
#
#   LEX_RUN         words before `lexecon`: "kubectl exec -i -n lexecon deploy/lexecon --"
#   LEX_KAFKA_TOOL  a command that runs Kafka's tools as `COMMAND topics ARGS...` (topics, configs, groups); without
#                   it kafka-topics.sh, kafka-configs.sh and kafka-consumer-groups.sh of PATH
#
# Brokers, TLS and passwords come as `lexecon` takes them: --bootstrap, --kafka KEY=VALUE, --config FILE, and the
# environment (LEXECON_KAFKA_...).
set -euo pipefail

program=$(basename "$0")
problems=0
urls=() cluster=() common=() pins='' api_key_file=''
requests_topic=${LEXECON_REQUESTS_TOPIC:-lexecon.requests}
verdicts_topic=${LEXECON_VERDICTS_TOPIC:-lexecon.verdicts}
ledger_topic=${LEXECON_LEDGER_TOPIC:-lexecon.ledger}
dead_letters_topic=${LEXECON_DEAD_LETTERS_TOPIC:-lexecon.dead-letters}
group=${LEXECON_GROUP:-lexecon}
bootstrap=${LEXECON_KAFKA_BOOTSTRAP_SERVERS:-}

die() {
	printf '%s: %s\n' "$program" "$*" >&2
	exit 2
}
step() { printf '\n== %s\n' "$*"; }
note() { printf 'note  %s\n' "$*"; }
good() { printf 'ok    %s\n' "$*"; }
bad() {
	printf 'FAIL  %s\n' "$*"
	problems=$((problems + 1))
}
finish() {
	if [ $problems = 0 ]; then
		printf '\n%s: all of it holds\n' "$program"
		exit 0
	fi
	printf '\n%s: %d of the checks failed\n' "$program" "$problems" >&2
	exit 1
}

# The page of --help is the comment at the head of the script.
usage() {
	awk 'NR > 1 && /^#/ {sub(/^# ?/, ""); print; next} NR > 1 {exit}' "$0"
	exit 0
}

need() {
	local command
	for command; do command -v "$command" >/dev/null || die "the program $command is not here: install it"; done
}
number() { [[ $2 =~ ^[0-9]+$ ]] || die "$1 $2: expected a whole number"; }
file() { [ -r "$2" ] || die "$1 $2: there is no such file, or it cannot be read"; }

# common_flag FLAG VALUE: the flags that most of them have. 0: taken, the caller shifts two words.
common_flag() {
	case $1 in
	--bootstrap) bootstrap=$2 cluster+=(--bootstrap "$2") ;;
	--kafka) cluster+=(--kafka "$2") ;;
	--config) cluster+=(--config "$2") ;;
	--pins) pins=$2 ;;
	--url) urls+=("${2%/}") ;;
	--api-key-file) api_key_file=$2 ;;
	--requests-topic) requests_topic=$2 ;;
	--verdicts-topic) verdicts_topic=$2 ;;
	--ledger-topic) ledger_topic=$2 ;;
	--dead-letters-topic) dead_letters_topic=$2 ;;
	--group) group=$2 ;;
	*) return 1 ;;
	esac
}

# flags "$@": read the command line. A script says what is its own by two functions that return 1 for what is not:
#   word FLAG ...       stands alone, or takes more words than a value: then it sets `takes` to how many
#   option FLAG VALUE   has a value
# What is common stands in `common` as well, to be handed on to another script.
word() { return 1; }
option() { return 1; }
flags() {
	local takes
	while [ $# -gt 0 ]; do
		[ "$1" != --help ] || usage
		takes=1
		if word "$@"; then
			shift "$takes"
			continue
		fi
		[ $# -ge 2 ] || die "$1 needs a value"
		if ! option "$1" "$2"; then
			common_flag "$1" "$2" || die "there is no flag $1: see $program --help"
			common+=("$1" "$2")
		fi
		shift 2
	done
}

# ---- lexecon ----

run_words=()
[ -z "${LEX_RUN:-}" ] || read -ra run_words <<<"$LEX_RUN"
lexecon() { if [ ${#run_words[@]} = 0 ]; then command lexecon "$@"; else "${run_words[@]}" lexecon "$@"; fi; }
need_lexecon() { [ -n "${LEX_RUN:-}" ] || command -v lexecon >/dev/null || die "lexecon is not in PATH: install it, or set LEX_RUN"; }

submit() {
	lexecon submit "${cluster[@]}" --pins "$pins" --requests-topic "$requests_topic" \
		--verdicts-topic "$verdicts_topic" "$@"
}

# member NAME: its first value in the first line of JSON, a string without its quotes; nothing where there is none.
member() {
	awk -v name="\"$1\":" 'NR == 1 {
		at = index($0, name)
		if (at == 0) exit
		rest = substr($0, at + length(name))
		if (match(rest, /^"[^"]*"/)) print substr(rest, 2, RLENGTH - 2)
		else if (match(rest, /^[^,}]*/)) print substr(rest, 1, RLENGTH)
	}'
}

# ---- health and metrics ----

get() { # get URL [CURL FLAG...]
	local auth=() url=$1
	shift
	# The key goes by a file: a command line can be read by others.
	[ -z "$api_key_file" ] || auth=(-H @<(printf 'Authorization: Bearer %s' "$(<"$api_key_file")"))
	curl -sS --max-time 10 "${auth[@]}" "$@" "$url"
}
# status_of URL: of its answer; 000 where there is none.
status_of() { get "$1" -o /dev/null -w '%{http_code}' 2>/dev/null || true; }
is_ready() { [ "$(status_of "$1/health/ready")" = 200 ]; }

# metric NAME [LABELS]: its sum over all nodes and series; LABELS is an extended regular expression. 1: no answer.
metric() {
	local url text sum=0
	for url in "${urls[@]}"; do
		text=$(get "$url/metrics" -f) || return 1
		sum=$(awk -v name="$1" -v labels="${2:-}" -v sum="$sum" '
			{ series = $1; sub(/\{.*/, "", series) }
			series == name && (labels == "" || $0 ~ labels) { sum += $NF }
			END { printf "%.0f\n", sum }' <<<"$text")
	done
	echo "$sum"
}

# until_true SECONDS COMMAND...
until_true() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.5
	done
}
lag_is_zero() { [ "$(metric lexecon_consumer_lag 2>/dev/null || echo 1)" = 0 ]; }

# ---- Kafka's own tools ----

kafka_tool() {
	local name=$1 words script=$1
	shift
	[ -n "$bootstrap" ] || die "name the brokers: --bootstrap HOST:PORT"
	if [ -n "${LEX_KAFKA_TOOL:-}" ]; then
		read -ra words <<<"$LEX_KAFKA_TOOL"
		"${words[@]}" "$name" --bootstrap-server "$bootstrap" "$@"
		return
	fi
	[ "$name" != groups ] || script=consumer-groups
	command -v "kafka-$script.sh" >/dev/null || die "kafka-$script.sh is not in PATH: install Kafka's tools, or set LEX_KAFKA_TOOL"
	"kafka-$script.sh" --bootstrap-server "$bootstrap" "$@"
}
# partitions_of TOPIC: how many; empty where there is none.
partitions_of() {
	kafka_tool topics --describe --topic "$1" 2>/dev/null | sed -n 's/.*PartitionCount: *\([0-9]*\).*/\1/p' | head -n 1
}
