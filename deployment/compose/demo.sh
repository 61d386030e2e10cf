#!/bin/sh
# demo.sh: what the profile `demo` of docker-compose.yml runs: example requests, for as long as it lives.
#
# About nine requests every two seconds, by actors known and unknown, some allowed, some forbidden, some too risky, one in
# a while malformed: every panel of the dashboards has something to show. It never goes faster, however fast the
# answers come. Bounded in the other direction too: an answer that does not come is given up after 10 seconds.
set -u
pins=${PINS:-/data/.lexecon/pins.json}
pause=${PAUSE:-2}
child=

# The shell is process 1, and a shell waits for its child before it looks at a signal; so children run beside it.
stop() {
	[ -z "$child" ] || kill "$child" 2>/dev/null
	exit 0
}
trap stop TERM INT
beside() {
	"$@" &
	child=$!
	wait "$child"
	child=
}

request() { # request ACTOR ACTION RESOURCE RISK
	printf '{"actor": "%s", "proposed_action": "%s", "resource": "%s", "risk_level": %s}\n' "$@"
}
round() { # round N: the requests of round N
	request user read "orders/$1" 1
	request user write "orders/$1" 2
	request model search "orders/$1" 1
	request model write "orders/$1" 3
	request model read "customers/$1" 2
	request "guest-$(($1 % 3))" read orders 1
	[ $(($1 % 2)) = 0 ] || request user read "customers/$1" 5
	[ $(($1 % 3)) = 0 ] || request model search "logs/$1" 2
	[ $(($1 % 5)) != 0 ] || request user read orders 9
}
submit() { round "$1" | lexecon submit --pins "$pins" --any-outcome --file -; }

n=1
while :; do
	beside submit "$n"
	beside sleep "$pause"
	n=$((n + 1))
done
