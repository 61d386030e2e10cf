# shellcheck shell=bash
# cluster.sh: what fake and node share. They run inside kube-up, with KUBECONFIG of a fresh cluster.
# shellcheck source=tests/ops/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
export PATH=$build/bin:$PATH

# on_page COMMANDS: run a page's block (`page ...`) from the root of the tree; it stops at the first that fails. A block may write
# files where it stands, so it stands in a copy of what it needs.
stand=$work/stand
mkdir -p "$stand"
ln -s "$ops_root"/{deployment,policies,docs} "$stand/"
on_page() { (cd "$stand" && bash -euo pipefail -c "$1"); }

# of KIND NAME JSONPATH
of() { kubectl get "$1" "$2" -n lexecon -o "jsonpath=$3" 2>/dev/null; }
of_is() { [ "$(of "$1" "$2" "$3")" = "$4" ]; }
none_left() { [ -z "$(kubectl get pods -n lexecon -l "app.kubernetes.io/name=lexecon" -o name 2>/dev/null)" ]; }
strictly() { kubectl apply --dry-run=server --validate=strict -n lexecon -f "$1"; }
show() {
	kubectl get pods -n lexecon 2>&1
	kubectl get events -n lexecon --sort-by=.lastTimestamp 2>&1 | tail -n 8
	kubectl logs -n lexecon -l app.kubernetes.io/name=lexecon --tail=3 2>&1 | tail -n 12
}
# settles NAME SECONDS COMMAND...: it comes true in this time; what the cluster says of itself is shown when it does not.
settles() {
	local name=$1
	shift
	if wait_for "$@"; then ok "$name"; else not_ok "$name" "$(show)"; fi
}
