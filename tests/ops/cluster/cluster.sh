# shellcheck shell=bash
# cluster.sh: what fake and node share. They run inside kube-up, with KUBECONFIG of a fresh cluster.
# shellcheck source=tests/ops/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
export PATH=$build/bin:$PATH
kubernetes=docs/deployment/kubernetes.md helm=docs/deployment/helm.md scaling=docs/deployment/scaling.md security=docs/deployment/security.md

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
show() { kubectl get pods,events -n lexecon 2>&1 | tail -n 20; }
