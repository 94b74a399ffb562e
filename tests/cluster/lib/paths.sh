# shellcheck shell=bash
# Where everything of the local cluster lies. Sourced, never run. The node sees
# the rest of the machine's files read-only, so that it cannot write elsewhere
# (see node-start).

cluster_source=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=.ci/lib/paths.sh
. "$cluster_source/../../.ci/lib/paths.sh"
# Kept for good: built programs and Helm.
binary_root=$cache_root/binaries
# Of the last start: what the node's programs said.
log_root=$cache_root/logs
# Of one run of the cluster, deleted when it is taken down: data, certificates.
state=$cache_root/cluster
admin_kubeconfig=$state/kubeconfig

export cluster_source binary_root log_root state admin_kubeconfig
