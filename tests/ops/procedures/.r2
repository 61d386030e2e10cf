#!/usr/bin/env bash
# run [NAME...]: the procedures of deployment/procedures, each against a real Kafka and the real programs, and what
# their pages say is run from the pages. LEX_CASE names the cases to run (a pattern).
. "$(dirname "$(readlink -f "$0")")/../lib.sh"
programs lexecon lexecon-consumer
for program in java curl sqlite3 openssl prometheus prometheus-alertmanager; do
	command -v $program >/dev/null || die "$program is missing: ./dev installs it (tests/ops/install check)"
done
procedures=$ops_root/deployment/procedures
origin_prefix=example.com/drill
pins=$work/pins.json
# Where an operator sits: what the pages' commands find beside them.
desk=$work/desk
mkdir -p "$desk/live"
policy=$desk/live/policy.json
kafka=$work/kafka
port=${LEX_PORT:-20800}
# Small: several brokers come and go, beside each other and beside other tests.
export KAFKA_HEAP=256m
export LEX_KAFKA_TOOL=$ops/procedures/kafka-tool
unset LEX_RUN

# ---- a cluster, and nodes of the service on it ----

broker_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
# cluster_up [BROKERS]: on the next free ports; $bootstrap names it.
cluster_up() {
	while ! broker_free "$port" || ! broker_free $((port + 50)); do port=$((port + 1)); done
	at_exit "'$ops_root/tests/kafka/down' '$kafka' -9"
	bootstrap=$("$ops_root/tests/kafka/up" "$kafka" "$port" "${1:-1}") || die "no Kafka: tests/kafka/install"
	export LEXECON_KAFKA_BOOTSTRAP_SERVERS=$bootstrap KAFKA=$bootstrap
}
cluster_destroy() {
	"$ops_root/tests/kafka/down" "$kafka" -9
	rm -rf "${kafka:?}"
}
topics() { # topics PARTITIONS [PREFIX]
	local topic
	for topic in requests verdicts ledger dead-letters; do
		"$LEX_KAFKA_TOOL" topics --bootstrap-server "$bootstrap" --create --topic "lexecon.$topic" --partitions "$1" >/dev/null
	done
}

declare -A node_url
# node NAME [FLAG...]: start one; its address is in node_url. It is started again at the same address by `again`, in
# which LEX_PROGRAM names another build.
node() {
	local name=$1 http
	shift
	http=${node_url[$name]:-http://127.0.0.1:$(free_port)}
	node_url[$name]=$http
	cat >"$work/$name.start" <<-START
		#!/usr/bin/env bash
		# Its own session and no descriptor of ours, so that whoever starts it again may end.
		export LEXECON_INSTANCE=$name LEXECON_KAFKA_BOOTSTRAP_SERVERS=$bootstrap
		setsid "\${LEX_PROGRAM:-lexecon-consumer}" --node-id node-$name --origin-prefix $origin_prefix \\
			--policy $policy --ledger-requirements off --keys mounted --keys-dir $work/keys --data-dir $work/$name \\
			--mirror-scope all --server-workers 1 --http-address 127.0.0.1 --http-port ${http##*:} \\
			--session-timeout-ms 6000 --log-decisions-per-second 0 ${*@Q} </dev/null >>$work/$name.log 2>&1 &
		echo \$! >$work/$name.pid
	START
	cat >"$work/$name.again" <<-AGAIN
		#!/usr/bin/env bash
		kill "\$(cat $work/$name.pid)"
		while kill -0 "\$(cat $work/$name.pid)" 2>/dev/null; do sleep 0.1; done
		exec $work/$name.start
	AGAIN
	chmod +x "$work/$name.start" "$work/$name.again"
	at_exit "kill -9 \$(cat $work/$name.pid)"
	[ ! -e "$work/$name.pid" ] || die "node $name runs already"
	"$work/$name.start"
	[ "$name" != a ] || export NODE_A=$http
	[ "$name" != b ] || export NODE_B=$http
	wait_for 20 curl -s -o /dev/null "$http/health/live" || die "node $name does not start: $(tail -n 3 "$work/$name.log")"
}
ready() { [ "$(curl -s -o /dev/null -w '%{http_code}' "${node_url[$1]}/health/ready")" = "${2:-200}" ]; }
await_ready() { wait_for "${2:-40}" ready "$1" || die "node $1 is not ready: $(curl -s "${node_url[$1]}/health/ready")"; }
stop() { # stop NAME [SIGNAL]
	local pid
	pid=$(cat "$work/$1.pid")
	kill "${2:--TERM}" "$pid" 2>/dev/null
	wait_for 30 bash -c "! kill -0 $pid"
	rm -f "$work/$1.pid"
}
kill_node() { stop "$1" -KILL; }
verify() { lexecon ledger verify --topic lexecon.ledger --bootstrap "$bootstrap" --pins "$pins" "$@"; }

# ask COUNT [FIRST]: so many requests, all answered; the verdicts are kept in $work/proofs.jsonl.
ask() {
	local i first=${2:-0}
	for ((i = first; i < first + $1; i++)); do
		printf '{"request_id":"ask-%d","actor":"user","proposed_action":"read","user_id":"u%d"}\n' "$i" $((i % 16))
	done >"$work/ask.jsonl"
	lexecon submit --bootstrap "$bootstrap" --pins "$pins" --file "$work/ask.jsonl" --json --any-outcome --timeout 30 \
		--save "$work/proofs.jsonl" >"$work/answers.jsonl"
}

lexecon keys generate --dir "$work/keys" >/dev/null || die "no keys"
lexecon keys show --dir "$work/keys" --origin-prefix "$origin_prefix" --pin >"$pins"
cp "$ops_root/policies/compat/example_policy.json" "$policy"
cp "$policy" "$desk/policy.json"
cp "$ops_root/policies/compat/example_policy.test.json" "$desk/cases.json"
cp "$pins" "$desk/pins.json"
echo "a passphrase of the drill" >"$desk/passphrase.txt"
ln -s "$ops_root/deployment" "$desk/deployment"
ln -s ../a "$desk/node-a"
ln -s ../keys "$desk/keys"
export ORIGIN_PREFIX=$origin_prefix

# ---- what the cases share ----

# procedure SCRIPT ARGS...: what it says goes to $said, its exit status to $status.
procedure() {
	local script=$1
	shift
	status=0
	said=$("$procedures/$script" "$@" 2>&1 </dev/null) || status=$?
}
# at_desk COMMANDS: the same for a page's commands, as they stand there.
at_desk() {
	status=0
	said=$(cd "$desk" && bash -euo pipefail 2>&1 <<<"$1") || status=$?
}
# expect NAME STATUS REGEX...: of the procedure that ran last.
expect() {
	local name=$1 wanted=$2 regex
	shift 2
	if [ "$status" != "$wanted" ]; then
		not_ok "$name" "exit status $status, expected $wanted"$'\n'"$said"
		return
	fi
	for regex; do
		if ! grep -Eq -- "$regex" <<<"$said"; then
			not_ok "$name" "no match for: $regex"$'\n'"$said"
			return
		fi
	done
	ok "$name"
}
# entries REGEX: how many of the ledger's last entries match.
entries() { lexecon ledger tail --topic lexecon.ledger --bootstrap "$bootstrap" --lines 10000 --json | grep -c "$1"; }

# ---- smoke and load ----

case_smoke() {
	at_desk "$(page docs/procedures/smoke.md smoke)"
	expect "smoke: an installation that decides gives approved, denied and escalated, in ledger and metrics" 0 \
		'ok    approved, PERMITTED' 'ok    denied, FORBIDDEN' 'ok    escalated, HUMAN_CONFIRMATION' \
		'ok    dec_.* is entry' 'ok    lexecon_requests_consumed_total' 'all of it holds'
	procedure smoke.sh --url "${node_url[a]}" --pins "$pins"
	expect "smoke: without requests of its own it asks for an actor that no policy knows" 0 'ok    denied, UNKNOWN_ACTOR' 'note  approved was not tried'
	procedure smoke.sh --url "${node_url[a]}" --pins "$pins" --request approved '{"actor":"model","proposed_action":"write"}'
	expect "smoke: another outcome than expected fails" 1 'FAIL  request 0 was denied \(FORBIDDEN\), expected approved'
	lexecon keys generate --dir "$work/strangers" >/dev/null
	lexecon keys show --dir "$work/strangers" --origin-prefix "$origin_prefix" --pin >"$work/strangers.json"
	procedure smoke.sh --url "${node_url[a]}" --pins "$work/strangers.json" --timeout 3
	expect "smoke: a verdict that does not verify under the pins fails" 1 'FAIL  request 0 has no verdict that verifies'
	procedure smoke.sh --url "${node_url[a]}" --url http://127.0.0.1:1 --pins "$pins"
	expect "smoke: a node that does not answer is named" 2 'FAIL  http://127.0.0.1:1/health/ready: status 000'
	procedure smoke.sh --pins "$pins"
	expect "smoke: says which flag is missing" 2 'name at least one node: --url'
}

case_load() {
	procedure load.sh --url "${node_url[a]}" --pins "$pins" --rate 100 --seconds 4 --p99-ms 20000
	expect "load: without --yes nothing is sent" 0 '400 requests, 100 a second' 'Nothing was sent'
	at_desk "$(page docs/procedures/load.md load)"
	expect "load: each request answered and in the ledger once, with percentiles, and the lag at 0" 0 \
		'ok    lost 0: 400 of 400' 'ok    verdict latency p50 [0-9.]+ ms, p95 [0-9.]+ ms, p99 [0-9.]+ ms' \
		'ok    denied 400, 100 %' 'ok    duplicate 0: 400 entries' 'ok    lexecon_consumer_lag is 0'
	procedure load.sh --pins "$pins" --rate 50 --seconds 1 --p99-ms 0 --max-denied 99 --yes
	expect "load: latency and denials over their limits fail" 1 'FAIL  verdict latency .*over --p99-ms 0' 'FAIL  denied 50, 100 %: over'
	procedure load.sh --pins "$pins" --rate 5000 --seconds 60 --yes
	expect "load: one over its ceiling is refused" 2 'expected 1 to 100000'
	stop a
	procedure load.sh --pins "$pins" --rate 20 --seconds 1 --timeout 2 --yes
	expect "load: a service that does not answer loses all" 1 'FAIL  lost 20: 0 of 20'
	node a
	await_ready a
}

# ---- troubleshooting and checklist ----

case_pages() {
	at_desk "$(page docs/deployment/troubleshooting.md health)"
	expect "troubleshooting: health says which check is what" 0 '"name":"partitions","status":"healthy"'
	at_desk "$(page docs/deployment/troubleshooting.md doctor)"
	expect "troubleshooting: doctor finds nothing wrong where nothing is" 0 '^ok'
	at_desk "$(page docs/deployment/troubleshooting.md memory)"
	expect "troubleshooting: what the process has and may have" 0 '^process_resident_memory_bytes [0-9]' '^lexecon_memory_limit_bytes '
	at_desk "$(page docs/deployment/troubleshooting.md metrics)"
	expect "troubleshooting: the metrics answer" 0 'lexecon_node_info\{node_id="node-a"'
	at_desk "$(page docs/deployment/production-checklist.md before)"
	expect "checklist: topics, policy, configuration and a load, before" 0 'lost 0: 40 of 40'
	at_desk "$(page docs/deployment/production-checklist.md after)"
	expect "checklist: health, smoke and the chains, after" 0 'smoke.sh: all of it holds' 'the chain holds'
}

# ---- alert-fire ----

case_alert_fire() {
	local hook=$work/hook prometheus_port alertmanager_port hook_port
	prometheus_port=$(free_port) alertmanager_port=$(free_port) hook_port=$(free_port)
	mkdir -p "$hook/rules"
	cp "$ops_root"/deployment/prometheus/alerts/*.yml "$hook/rules/"
	cat >"$hook/receiver.py" <<-'PYTHON'
		import http.server, sys
		class Hook(http.server.BaseHTTPRequestHandler):
		    def do_POST(self):
		        body = self.rfile.read(int(self.headers["Content-Length"]))
		        with open(sys.argv[2], "ab") as got:
		            got.write(body + b"\n")
		        self.send_response(200)
		        self.end_headers()
		    def log_message(self, *args):
		        pass
		http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Hook).serve_forever()
	PYTHON
	cat >"$hook/alertmanager.yml" <<-YAML
		route: {receiver: hook, group_by: [alertname], group_wait: 1s, group_interval: 1s}
		receivers: [{name: hook, webhook_configs: [{url: 'http://127.0.0.1:$hook_port/'}]}]
	YAML
	cat >"$hook/prometheus.yml" <<-YAML
		global: {scrape_interval: 1s, evaluation_interval: 1s}
		rule_files: ['$hook/rules/*.yml']
		alerting: {alertmanagers: [{static_configs: [{targets: ['127.0.0.1:$alertmanager_port']}]}]}
		scrape_configs: [{job_name: lexecon, static_configs: [{targets: ['${node_url[a]#http://}']}]}]
	YAML
	background "$hook/receiver.log" python3 "$hook/receiver.py" "$hook_port" "$hook/got"
	background "$hook/alertmanager.log" prometheus-alertmanager --config.file "$hook/alertmanager.yml" --storage.path "$hook/am" \
		--web.listen-address "127.0.0.1:$alertmanager_port" --cluster.listen-address=
	background "$hook/prometheus.log" prometheus --config.file "$hook/prometheus.yml" --storage.tsdb.path "$hook/tsdb" \
		--web.listen-address "127.0.0.1:$prometheus_port"
	local am=http://127.0.0.1:$alertmanager_port prom=http://127.0.0.1:$prometheus_port
	wait_for 20 curl -sf "$am/-/ready" || die "Alertmanager does not start: $(tail -n 2 "$hook/alertmanager.log")"
	wait_for 20 curl -sf "$prom/-/ready" || die "Prometheus does not start: $(tail -n 2 "$hook/prometheus.log")"
	wait_for 20 bash -c "curl -s '$prom/api/v1/query?query=up' | grep -q ',\"1\"'"

	procedure alert-fire.sh --alertmanager "$am" --prometheus "$prom"
	expect "alert-fire: without --yes it checks and fires nothing" 0 'has the rule LedgerIntegrityFailure' 'scrapes 1 node' 'knows an Alertmanager' 'Nothing was fired'
	export ALERTMANAGER=$am PROMETHEUS=$prom
	at_desk "$(page docs/procedures/alert-fire.md drill)"
	expect "alert-fire: a drill goes out" 0 'ok    LexeconDrill is active in Alertmanager' 'ok    a notification went out' 'ok    none failed'
	passes "alert-fire: the receiver got it, marked as a drill" grep -q '"alertname":"LexeconDrill".*"drill":"true"' "$hook/got"
	at_desk "$(page docs/procedures/alert-fire.md real)"
	expect "alert-fire: a real dead letter fires DeadLetters in Prometheus and goes out" 0 'ok    DeadLetters fires in Prometheus' 'ok    a notification went out'
	passes "alert-fire: the receiver got that too" wait_for 10 grep -q '"alertname":"DeadLetters"' "$hook/got"
	procedure alert-fire.sh --alertmanager "$am" --prometheus "$prom" --job elsewhere
	expect "alert-fire: a job that nobody scrapes is told" 1 'FAIL  no target of the job elsewhere is up'
	procedure alert-fire.sh --alertmanager http://127.0.0.1:1
	expect "alert-fire: no Alertmanager, no drill" 2 'is not ready'
}

# ---- policy ----

case_policy_rollout() {
	local wider=$work/wider.json broken=$work/broken.json old=$desk/policy.json before hash
	# Other words, the same rules; one permission more; one less, which the cases do not want.
	python3 - "$old" "$desk/next.json" "$wider" "$broken" <<-'PYTHON'
		import copy, json, sys
		old, next_, wider, broken = sys.argv[1:]
		p = json.load(open(old))
		q = copy.deepcopy(p)
		q["relations"] = [r for r in q["relations"] if r["relation_id"] != "permits:actor:model:action:search"]
		json.dump(q, open(broken, "w"))
		q = copy.deepcopy(p)
		q["terms"][0]["description"] = "A person"
		json.dump(q, open(next_, "w"))
		q = copy.deepcopy(p)
		q["relations"].append({"relation_id": "permits:actor:user:action:search", "relation_type": "permits",
		                       "source": "actor:user", "target": "action:search", "conditions": [], "metadata": {}})
		json.dump(q, open(wider, "w"))
	PYTHON
	printf '{"cases":[{"name":"a user reads","request":{"actor":"user","proposed_action":"read"},"expect":{"outcome":"approved"}}]}' >"$work/few.json"
	local live=(--current "$old" --to-file "$policy" --url "${node_url[a]}" --bootstrap "$bootstrap" --wait 20 --accept-lints)
	at_desk "$(page docs/procedures/policy-rollout.md shadow)"
	expect "policy: the shadow's flips are counted from 0 on" 0 '^lexecon_shadow_flips_total 0'
	before=$(curl -s "$NODE_A/metrics" | grep '^lexecon_policy_info')
	procedure policy-rollout.sh "$broken" "${live[@]}" --cases "$desk/cases.json" --yes
	expect "policy: cases that fail shut the gate" 1 'FAIL' 'Nothing was published'
	procedure policy-rollout.sh "$wider" "${live[@]}" --cases "$work/nowhere.json" --yes
	expect "policy: cases that are not there are told" 2 'nowhere.json'
	procedure policy-rollout.sh "$wider" "${live[@]}" --cases "$work/few.json" --yes
	expect "policy: a wider verdict that nobody accepted shuts the gate" 1 'FAIL  verdicts become higher' 'Nothing was published'
	procedure policy-rollout.sh "$wider" "${live[@]}" --cases "$work/few.json" --accept-widening
	expect "policy: without --yes nothing is published" 0 'The gates are open' 'Nothing was published'
	same "policy: behind all of that the node's policy is what it was" "$before" "$(curl -s "$NODE_A/metrics" | grep '^lexecon_policy_info')"
	procedure policy-rollout.sh "$wider" "${live[@]}" --cases "$work/few.json" --accept-widening --yes
	expect "policy: an accepted one comes into force on every node" 0 'ok    http://127.0.0.1:[0-9]+$' 'no node refused it'
	procedure smoke.sh --url "$NODE_A" --pins "$pins" --request approved '{"actor":"user","proposed_action":"search"}'
	expect "policy: and decides" 0 'ok    approved'
	hash=$(lexecon policy hash "$wider" | grep -o '"policy_hash":"[0-9a-f]*"' | cut -d'"' -f4)
	passes "policy: the ledger has its entry" test "$(entries "\"event_type\":\"policy\".*$hash")" -gt 0
	cp "$old" "$policy"
	wait_for 10 bash -c "curl -s $NODE_A/metrics | grep -qF '$before'"
	at_desk "$(page docs/procedures/policy-rollout.md gates)"
	expect "policy: the gates alone, as CI runs them" 0 'no verdict becomes higher' 'Nothing was published'
	at_desk "$(page docs/procedures/policy-rollout.md publish)"
	expect "policy: published as the page says" 0 'ok    http://127.0.0.1:[0-9]+$' 'to go back'
	at_desk "$(page docs/procedures/policy-rollout.md rollback)"
	expect "policy: the old one comes back by the same way" 0 'ok    http://127.0.0.1:[0-9]+$'
	same "policy: and is what decides" "$before" "$(curl -s "$NODE_A/metrics" | grep '^lexecon_policy_info')"
	printf '{"mode":' >"$work/torn.json"
	procedure policy-rollout.sh "$work/torn.json" "${live[@]}" --yes
	expect "policy: what does not load gets no further than the first gate" 1 'gate 1' 'FAIL'
}

# ---- the mirror ----

case_mirror() {
	procedure mirror-rebuild.sh --mirror "$work/a/mirror.db" --url "${node_url[a]}" --pins "$pins"
	expect "mirror: without --yes nothing is done" 0 'the file verifies: 4 partitions' 'Nothing was done'
	at_desk "$(page docs/procedures/disaster-recovery.md mirror)"
	expect "mirror: put aside under the running node, it is built again from the topic" 0 'built again, nothing outstanding' 'the chain holds' 'is ready'
	same "mirror: the new one holds what the topic holds" "$(verify | sort)" "$(lexecon ledger verify --mirror "$work/a/mirror.db" --pins "$pins" | sort)"
	procedure mirror-rebuild.sh --mirror "$work/a/mirror.db" --url http://127.0.0.1:1 --pins "$pins" --wait 2 --yes
	expect "mirror: where no node builds it, that is told and the old file is kept" 1 'FAIL  not rebuilt within 2 s.*the old file is '
	rm -f "$work"/a/mirror.db.2*
	wait_for 20 test -e "$work/a/mirror.db"
}

# ---- keys ----

case_keys() {
	ask 5 1000
	cp "$work/proofs.jsonl" "$desk/old-verdicts.jsonl"
	at_desk "$(page docs/procedures/key-rotation.md new-key)"
	expect "keys: a new key, and a pin file of both" 0
	same "keys: the pin file holds every key of both once" 6 "$(grep -o '"key_id"' "$desk/both-pins.json" | wc -l)"
	at_desk 'deployment/procedures/pins-merge.sh both-pins.json pins.json | cmp - both-pins.json'
	expect "keys: merged again, it stays the same" 0
	sed 's|example.com/drill|example.com/other|g' "$desk/pins.json" >"$desk/other-pins.json"
	at_desk 'deployment/procedures/pins-merge.sh pins.json other-pins.json'
	expect "keys: pins of another service are refused" 1 'two services have two pin files'
	at_desk "sed 's/\"key_id\": *\"[0-9a-f]*\"/\"key_id\":\"00000000\"/' new-pins.json >spoiled.json; deployment/procedures/pins-merge.sh pins.json spoiled.json"
	expect "keys: a pin file that does not hold together is refused" 1 'key_id'
	stop a
	mv "$work/keys" "$work/old-keys"
	cp -r "$desk/new-keys" "$work/keys"
	node a
	await_ready a
	at_desk "$(page docs/procedures/key-rotation.md show-key)"
	expect "keys: a node with the new key decides on the same chain; both keys' verdicts verify under both pins" 0 'all of it holds' 'verified: request "ask-1004"'
	procedure smoke.sh --url "$NODE_A" --pins "$pins" --timeout 3
	expect "keys: under the old pins alone the new key's verdicts are refused" 1 'has no verdict that verifies'
	passes "keys: the chains hold across the change, since they do not depend on the key" verify
	same "keys: and no entry says that it changed" 0 "$(entries '"event_type":"key"')"
	stop a
	rm -rf "$work/keys"
	mv "$work/old-keys" "$work/keys"
	node a
	await_ready a
	procedure smoke.sh --url "$NODE_A" --pins "$desk/both-pins.json"
	expect "keys: and back again" 0 'all of it holds'
}

# ---- more partitions ----

case_partitions() {
	node b
	await_ready b
	local flags=(--bootstrap "$bootstrap" --url "${node_url[a]}" --url "${node_url[b]}" --pins "$pins")
	at_desk "$(page docs/procedures/partition-expansion.md plan)"
	expect "partitions: the plan, answers first and requests last" 0 \
		'lexecon.verdicts: 4 to 8' 'lexecon.ledger: 4 to 8' 'lexecon.dead-letters: 4 to 8' 'lexecon.requests: 4 to 8' 'Nothing was changed'
	same "partitions: and only the plan" 4 "$("$LEX_KAFKA_TOOL" topics --bootstrap-server "$bootstrap" --describe --topic lexecon.requests | grep -c 'Partition:')"
	"$procedures/load.sh" --pins "$pins" --rate 40 --seconds 25 --p99-ms 60000 --timeout 60 --yes >"$work/load" 2>&1 &
	local load=$!
	sleep 3
	at_desk "$(page docs/procedures/partition-expansion.md expand)"
	expect "partitions: 4 become 8 under load, and each of them is decided on and has its chain" 0 \
		'lexecon_assigned_partitions is 8 over 2' 'none is halted' '8 chains hold'
	wait $load
	passes "partitions: each request of that load has one verdict and one entry" grep -q 'all of it holds' "$work/load"
	says "partitions: none lost, none twice" 'lost 0: 1000 of 1000' "$(cat "$work/load")"
	same "partitions: the new ones begin with their genesis" 4 "$(entries '"partition":[4-7],.*"seq":0,.*"event_type":"genesis"')"
	procedure partition-expand.sh "${flags[@]}" --to 6 --yes
	expect "partitions: fewer are refused" 1 'lexecon.requests has 8 partitions: there can only be more'
	stop b
}

# ---- another version ----

# other_build FROM TO FILE: the program under another version's name, which is all that an upgrade of equal formats is.
other_build() {
	LC_ALL=C sed "s/$1/$2/g" "$(command -v lexecon-consumer)" >"$3"
	chmod +x "$3"
}
case_upgrade() {
	local version nodes
	version=$(lexecon --version | grep -o '[0-9][0-9.]*')
	other_build "${version//./\\.}" "${version%?}9" "$work/newer"
	node b
	await_ready b
	export NEW_VERSION=${version%?}9 OLD_VERSION=$version BACK_A=$work/a.again BACK_B=$work/b.again
	export REPLACE_A="LEX_PROGRAM=$work/newer $work/a.again" REPLACE_B="LEX_PROGRAM=$work/newer $work/b.again"
	nodes=(--node "$NODE_A" "$REPLACE_A" --node "$NODE_B" "$REPLACE_B")
	procedure upgrade.sh --to "${version%?}9" "${nodes[@]}"
	expect "upgrade: the plan" 0 "runs $version" 'would run for' 'Nothing was done'
	"$procedures/load.sh" --pins "$pins" --rate 40 --seconds 25 --p99-ms 60000 --timeout 60 --yes >"$work/load" 2>&1 &
	local load=$!
	sleep 2
	at_desk "$(page docs/procedures/upgrade.md upgrade)"
	expect "upgrade: one node after the other, under load" 0 "node 1 of 2" "ok    ready, version ${version%?}9" "node 2 of 2" 'all of it holds'
	wait $load
	says "upgrade: every request of that load has one verdict" 'lost 0: 1000 of 1000' "$(cat "$work/load")"
	says "upgrade: and one entry" 'duplicate 0: 1000 entries' "$(cat "$work/load")"
	procedure upgrade.sh --to "$version" --node "${node_url[a]}" 'exit 3' --node "${node_url[b]}" "touch $work/touched" --wait 3 --yes
	expect "upgrade: it stops at a node that does not come back" 1 'its command failed' 'nodes behind this one were not touched'
	refuses "upgrade: and touched no further one" test -e "$work/touched"
	at_desk "$(page docs/procedures/upgrade.md downgrade)"
	expect "downgrade: the same way back; the older one reads ledger and mirror" 0 "ok    ready, version $version" 'all of it holds'
	stop b
}

# ---- backup, and the whole site lost ----

case_site_lost() {
	local files there
	local backup
	backup=$(page docs/procedures/backup-and-restore.md backup)
	ask 200
	at_desk "$backup"
	expect "backup: ledger, mirror, pins, policy and sealed keys, while the service runs" 0 'every partition is exported' \
		'the chain holds' 'copied and verified' 'keys, sealed'
	refuses "backup: no key lies in it in the clear" grep -rqa 'PRIVATE KEY' "$desk/backup"
	ask 100 200
	at_desk "$backup"
	expect "backup: again, it appends what was decided since" 0 ' 100 new, in '
	procedure backup.sh --out "$work/other" --pins "$pins" --bootstrap "$bootstrap" --keys "$work/keys"
	expect "backup: keys are never copied in the clear" 2 'keys are never copied in the clear'
	head -c -5 "$desk/backup/ledger/lexecon.ledger-0.ledger" >"$work/cut" && cp "$work/cut" "$desk/backup/ledger/lexecon.ledger-0.ledger"
	at_desk "$backup"
	expect "backup: an export that was cut off is gone on with" 0 'lexecon.ledger/0: .* 1 new, in'

	at_desk "$(page docs/procedures/backup-and-restore.md export)"
	expect "backup: an export may be gone on with from a mirror, and a file verifies by itself" 0 ' 0 new, in export/' 'the chain holds'
	at_desk "$(page docs/procedures/backup-and-restore.md manifest)"
	expect "backup: the sums may be written anew" 0
	local before
	before=$(verify | sort)
	stop a -KILL
	cluster_destroy
	cluster_up
	files=$(ls "$desk"/backup/ledger | wc -l)
	topics "$files"
	at_desk "$(page docs/procedures/backup-and-restore.md keys)"
	expect "restore: the sealed keys open" 0
	passes "restore: to the very keys" diff -r "$work/keys" "$desk/restored-keys"
	local restore=(--from "$desk/backup" --pins "$pins" --bootstrap "$bootstrap")
	procedure restore.sh "${restore[@]}"
	expect "restore: without --yes it checks and compares" 0 'as the MANIFEST says' 'would write [0-9]+ more' 'Nothing was written'
	cp -r "$desk/backup" "$work/altered"
	printf '\001' | dd of="$work/altered/ledger/lexecon.ledger-0.ledger" bs=1 seek=60 conv=notrunc 2>/dev/null
	procedure restore.sh --from "$work/altered" --pins "$pins" --bootstrap "$bootstrap" --yes
	expect "restore: an altered backup is refused before anything is written" 1 'FAIL  not as the MANIFEST says'
	# More in the new request topic than the old one had decided: nothing would contradict itself, and all of it be skipped.
	seq 3000 | "$LEX_KAFKA_TOOL" console-producer --bootstrap-server "$bootstrap" --topic lexecon.requests >/dev/null 2>&1
	procedure restore.sh "${restore[@]}" --yes
	expect "restore: requests that nobody would ever decide are noticed" 1 'FAIL  partition .*the requests before it would never be decided'
	"$LEX_KAFKA_TOOL" topics --bootstrap-server "$bootstrap" --delete --topic lexecon.requests >/dev/null
	wait_for 20 bash -c "! '$LEX_KAFKA_TOOL' topics --bootstrap-server '$bootstrap' --list | grep -qx lexecon.requests"
	"$LEX_KAFKA_TOOL" topics --bootstrap-server "$bootstrap" --create --topic lexecon.requests --partitions "$files" >/dev/null
	at_desk "$(page docs/procedures/backup-and-restore.md restore)"
	expect "restore: every entry is in the new topic, byte for byte, and every partition released" 0 \
		'read back and compared' 'partition 0: written: recovery entry'
	passes "restore: the whole chain holds" verify
	procedure restore.sh "${restore[@]}" --yes
	expect "restore: again, it finds all of it there and writes nothing" 0 '0 missing; it goes on behind them' 'nothing contradicts itself'
	mkdir "$work/foreign" && head -c -1 "$desk/backup/ledger/lexecon.ledger-1.ledger" >"$work/foreign/lexecon.ledger-1.ledger"
	refuses "restore: a file that is cut off is refused" lexecon ledger restore "$work/foreign/lexecon.ledger-1.ledger" --pins "$pins" --bootstrap "$bootstrap" --yes
	rm -rf "$work/a"
	node a
	await_ready a
	ask 20 400
	there=$(grep -o '"partition":[0-9]*,"offset"' "$work/answers.jsonl" | head -n 1 | tr -dc 0-9)
	passes "restore: the service goes on, and decides" test "$(grep -c '"verified":true' "$work/answers.jsonl")" = 20
	# A recovery entry and the policy's, then the 20.
	says "restore: behind the numbers that were there" "/$there: $(($(sed -n "s|.*/$there: \([0-9]*\) entries.*|\1|p" <<<"$before") + 22)) entries" "$(verify)"
	passes "restore: verdicts from before the loss verify" lexecon verdict verify --pins "$pins" "$work/proofs.jsonl"
	passes "restore: the mirror is built again, and holds" wait_for 20 lexecon ledger verify --mirror "$work/a/mirror.db" --pins "$pins"
	refuses "restore: never under a running service" lexecon ledger restore "$desk"/backup/ledger/*.ledger --pins "$pins" --bootstrap "$bootstrap" --yes
	stop a
}

# ---- a broker lost ----

case_broker_lost() {
	[ ! -e "$work/a.pid" ] || stop a -KILL
	cluster_destroy
	export KAFKA_HEAP=192m
	cluster_up 3
	topics 4
	rm -rf "$work/a"
	node a
	await_ready a
	local drill=(--pins "$pins" --bootstrap "$bootstrap" --url "${node_url[a]}" --rate 30 --seconds 12)
	procedure broker-drill.sh "${drill[@]}" --stop "kill -9 \$(cat $kafka/2/pid)" --start true
	expect "broker lost: the state before, and the plan" 0 'lexecon.ledger has 3 replicas' 'every replica is in sync' 'Nothing was done'
	# The hard one to lose: it leads the group, so its end is a rebalance too.
	local coordinator
	coordinator=$("$LEX_KAFKA_TOOL" groups --bootstrap-server "$bootstrap" --describe --group lexecon --state 2>/dev/null | grep -o '([0-9])' | tr -dc 0-9)
	[ -e "$kafka/$coordinator/pid" ] || die "the group's coordinator is not to be found: '$coordinator'"
	export STOP_BROKER="kill -9 \$(cat $kafka/$coordinator/pid)" START_BROKER="$ops_root/tests/kafka/up $kafka ${port} 3"
	at_desk "$(page docs/procedures/disaster-recovery.md broker)"
	expect "broker lost: one of three dies under load, nothing is lost, and it comes back" 0 'lost 0: 100 of 100' 'duplicate 0: 100' 'every replica is in sync again'
	passes "broker lost: the chains hold" verify
	procedure broker-drill.sh "${drill[@]}" --stop false --start true --requests-topic nowhere --yes
	expect "broker lost: it does not begin where a topic has too few replicas" 1 'nowhere has no replicas'
	stop a
}

# ---- the run: one broker for most of it, its state handed on from case to case ----

cluster_up
topics 4
node a
await_ready a
for case in case_smoke case_load case_pages case_alert_fire case_policy_rollout case_mirror case_keys case_partitions case_upgrade \
	case_site_lost case_broker_lost; do
	# shellcheck disable=SC2053  # a pattern
	[[ $case == ${LEX_CASE:-*} ]] || continue
	from=$SECONDS
	"$case"
	echo "# $case: $((SECONDS - from)) s"
done
done_testing
