# shellcheck shell=bash
# live.sh: the real service on its embedded broker, load on it, and a Prometheus that scrapes it. For the parts
# dashboards, rules and alerts; sourced after lib.sh.
# shellcheck disable=SC2154,SC2034  # names of lib.sh, and names for the parts

# Whatever the caller has set for a service of its own is not meant for these.
unset "${!LEXECON_@}"
policy=$ops_root/policies/compat/example_policy.json
# So that a request with a long text is too large to be read: the way to a dead letter that every client has.
request_max_bytes=1024
declare -A service_pid service_port service_broker

get() { curl -fs --max-time 2 "http://127.0.0.1:$1"; }

# service NAME [FLAG...]: start one, again on the same port; it need not become ready.
service() {
	local name=$1
	shift
	mkdir -p "$work/$name"
	service_port[$name]=${service_port[$name]:-$(free_port)}
	background "$work/$name/log" "${under[@]}" lexecon-consumer --node-id "$name" --policy "$work/$name/policy.json" \
		--data-dir "$work/$name" --http-address 127.0.0.1 --http-port "${service_port[$name]}" --log-format json \
		--server-workers 1 --request-max-bytes "$request_max_bytes" "$@"
	service_pid[$name]=$pid
}
under=() # what a service is started under

# embedded NAME [FLAG...]: one that decides, on a broker of its own; not waited for.
embedded() {
	local name=$1
	shift
	mkdir -p "$work/$name"
	cp "$policy" "$work/$name/policy.json"
	service "$name" --embedded "$@"
}

# decides NAME: wait until it does, and note its broker and its keys.
decides() {
	wait_for 30 get "${service_port[$1]}/health/ready" ||
		die "the service $1 is not ready: $(tail -n 3 "$work/$1/log")"
	service_broker[$1]=$(sed -n 's/.*"bootstrap_servers":"\([^"]*\)".*/\1/p' "$work/$1/log" | head -n 1)
	lexecon keys show --dir "$work/$1/keys" --pin >"$work/$1/pins.json" || die "the service $1 has no keys"
}

# requests GOOD DENIED ESCALATED BAD: so many lines of each kind.
requests() {
	local i long
	long=$(printf 'x%.0s' $(seq $((request_max_bytes + 200))))
	for ((i = 0; i < $1; i++)); do echo '{"actor":"user","proposed_action":"read","risk_level":'$((i % 5 + 1))',"want_token":true}'; done
	for ((i = 0; i < $2; i++)); do echo '{"actor":"model","proposed_action":"write","attestations":["not.a.jwt"]}'; done
	for ((i = 0; i < $3; i++)); do echo '{"actor":"user","proposed_action":"read","risk_level":5,"policy_mode":"paranoid"}'; done
	for ((i = 0; i < $4; i++)); do echo '{"actor":"user","proposed_action":"read","user_intent":"'"$long"'"}'; done
}

# submit NAME: the requests of standard input, once, waiting patience_s for verdicts. A bad one gets no verdict, so nothing is expected of the status.
submit() {
	lexecon submit --bootstrap "${service_broker[$1]}" --pins "$work/$1/pins.json" --file - --timeout "${patience_s:-1}" --any-outcome \
		>>"$work/$1/submitted" 2>&1 || :
}

# load NAME GOOD DENIED ESCALATED BAD: such a file again and again, till the part ends.
load() {
	local name=$1
	shift
	requests "$@" >"$work/$name/requests.jsonl"
	keep_submitting "$name" &
	at_exit "kill $!; wait $!"
}
keep_submitting() {
	trap - EXIT
	while sleep 0.5; do submit "$1" <"$work/$1/requests.jsonl"; done
}

# prometheus_on NAME CONFIG: on a free port, which is in `prometheus_url`.
prometheus_on() {
	local port
	port=$(free_port)
	prometheus_url=http://127.0.0.1:$port
	background "$work/$1.log" prometheus --config.file="$2" --storage.tsdb.path="$work/$1" \
		--web.listen-address="127.0.0.1:$port" --log.level=warn
	wait_for 20 get "$port/-/ready" || die "Prometheus does not start: $(tail -n 3 "$work/$1.log")"
}

# tap COMMAND...: its lines are this part's.
tap() {
	local output line
	output=$("$@") || :
	[ -n "$output" ] || not_ok "$* says nothing"
	while IFS= read -r line; do
		case $line in
		'ok - '*) ok "${line#ok - }" ;;
		'not ok - '*) not_ok "${line#not ok - }" ;;
		*) echo "$line" ;;
		esac
	done <<<"$output"
}
