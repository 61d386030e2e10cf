#!/usr/bin/env bash
# alert-fire.sh --alertmanager URL [--prometheus URL] [--dead-letter --bootstrap HOST:PORT] [flags]
#
# Does an alert reach a person? Checks that Prometheus scrapes the service, has the rules and knows the Alertmanager;
# then puts an alert marked as a drill into Alertmanager, and waits until a notification has gone out without an error.
#
#   --alertmanager URL     http://HOST:9093
#   --prometheus URL       http://HOST:9090; without it only the way from Alertmanager on is tried
#   --severity WORD        of the drill, so that it takes that route: warning or critical (warning)
#   --alert NAME           the drill's name (LexeconDrill)
#   --dead-letter          make a real condition instead: one record that is no request, on the requests' topic, and
#                          wait for the alert DeadLetters. Needs --prometheus, --bootstrap and Kafka's tools, and
#                          leaves one record in the dead letters and a rejection in the ledger
#   --wait SECONDS         for the alert and its notification (120): group_wait, and for a real condition two scrapes
#                          and an evaluation, are in it
#   --job NAME             the scrape job (lexecon)
#   --yes                  do it; without it only what is there is checked
#   --requests-topic NAME
#
# What it leaves: the drill ends itself (it is resolved at the end, so a "resolved" message follows).
#
# Exit status: 0 the notification went out; 1 something does not hold; 2 it could not be tried.
# shellcheck disable=SC2329  # until_true calls functions by their names
# shellcheck source=deployment/procedures/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

alertmanager='' prometheus='' severity=warning alert=LexeconDrill real='' wait_s=120 job=lexecon yes=''
word() {
	case $1 in
	--dead-letter) real=1 ;;
	--yes) yes=1 ;;
	*) return 1 ;;
	esac
}
option() {
	case $1 in
	--alertmanager) alertmanager=${2%/} ;;
	--prometheus) prometheus=${2%/} ;;
	--severity)
		[[ $2 =~ ^(warning|critical)$ ]] || die "--severity $2: expected warning or critical"
		severity=$2
		;;
	--alert)
		[[ $2 =~ ^[A-Za-z][A-Za-z0-9_]*$ ]] || die "--alert $2: expected a name of letters and digits"
		alert=$2
		;;
	--wait) number "$1" "$2" && wait_s=$2 ;;
	--job) job=$2 ;;
	*) return 1 ;;
	esac
}
flags "$@"
need curl awk date
[ -n "$alertmanager" ] || die "--alertmanager URL is needed"
[ -z "$real" ] || [ -n "$prometheus" ] || die "--dead-letter needs --prometheus URL, which has to see it"
[ -z "$real" ] || alert=DeadLetters

has() { grep -qF -- "$2" <<<"$1"; }

# ---- what is there ----

if [ -n "$prometheus" ]; then
	step "Prometheus"
	said=$(get "$prometheus/api/v1/rules?type=alert" -f) || die "$prometheus does not answer"
	for rule in LexeconDown LedgerIntegrityFailure DeadLetters; do
		if has "$said" "\"name\":\"$rule\""; then good "has the rule $rule"; else bad "has no rule $rule: is deployment/prometheus/alerts/lexecon.yml in its rule_files?"; fi
	done
	said=$(get "$prometheus/api/v1/query" -f -G --data-urlencode "query=sum(up{job=\"$job\"})")
	up=$(grep -o '"value":\[[^]]*' <<<"$said" | sed 's/.*"\([0-9.]*\)"$/\1/' || true)
	if [ "${up:-0}" != 0 ]; then good "scrapes $up node(s) of the job $job"; else bad "no target of the job $job is up"; fi
	said=$(get "$prometheus/api/v1/alertmanagers" -f)
	if [ "$(grep -o '"activeAlertmanagers":\[[^]]*' <<<"$said" | grep -c '"url"')" -gt 0 ]; then
		good "knows an Alertmanager"
	else
		bad "knows no Alertmanager: alerting.alertmanagers in prometheus.yml"
	fi
fi
step "Alertmanager"
[ "$(status_of "$alertmanager/-/ready")" = 200 ] || die "$alertmanager is not ready"
good "$alertmanager is ready"
[ $problems = 0 ] || finish
if [ -z "$yes" ]; then
	echo
	echo "Nothing was fired: add --yes."
	exit 0
fi

# ---- fire, and follow it ----

sent() { # notifications that went out, or failed, over all receivers
	get "$alertmanager/metrics" -f | awk -v name="alertmanager_notifications$1_total" '{s = $1; sub(/\{.*/, "", s)} s == name {n += $NF} END {print n + 0}'
}
drill() { # drill ENDS: the alert, as Alertmanager takes it
	printf '[{"labels":{"alertname":"%s","severity":"%s","drill":"true","job":"%s"},"annotations":{"summary":"A drill: nothing is wrong","description":"alert-fire.sh was run to see whether alerts arrive. Nothing is to be done."},"endsAt":"%s"}]' \
		"$alert" "$severity" "$job" "$1"
}
post_drill() { get "$alertmanager/api/v2/alerts" -f -X POST -H 'Content-Type: application/json' -d "$(drill "$1")"; }
in_alertmanager() { has "$(get "$alertmanager/api/v2/alerts?active=true" -f -G --data-urlencode "filter=alertname=\"$alert\"")" '"state":"active"'; }
firing() { has "$(get "$prometheus/api/v1/query" -f -G --data-urlencode "query=ALERTS{alertname=\"$alert\",alertstate=\"firing\"}")" "\"$alert\""; }
went_out() { [ "$(sent '')" -gt "$before" ]; }

before=$(sent '') failed_before=$(sent _failed)
if [ -n "$real" ]; then
	step "a record that is no request"
	printf 'lexecon alert drill: this is no request\n' | kafka_tool console-producer --topic "$requests_topic"
	if until_true "$wait_s" firing; then good "$alert fires in Prometheus"; else bad "$alert does not fire within $wait_s s"; fi
else
	step "the drill"
	post_drill "$(date -u -d '+10 minutes' +%Y-%m-%dT%H:%M:%SZ)"
	good "$alert, severity $severity, was posted"
fi
if until_true "$wait_s" in_alertmanager; then
	good "$alert is active in Alertmanager"
else
	bad "$alert is not active in Alertmanager: silenced, inhibited, or it never came"
fi
if until_true "$wait_s" went_out; then good "a notification went out"; else bad "no notification went out within $wait_s s: see its route's receiver and group_wait"; fi
if [ "$(sent _failed)" = "$failed_before" ]; then good "none failed"; else bad "a notification failed: see Alertmanager's log"; fi
[ -n "$real" ] || post_drill "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
note "now ask who is on call whether it arrived: only they can say"
finish
