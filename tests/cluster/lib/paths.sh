# shellcheck shell=bash
# Where everything of the local cluster lies. Sourced, never run.
# Nothing is written outside these folders. The node sees the rest of the
# machine's files read-only, so that it cannot break this (see node-start).

cluster_source=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
cache_root=${XDG_CACHE_HOME:-$HOME/.cache}/redyno
# Kept for good: built programs, Helm, image files.
binary_root=$cache_root/binaries
image_root=$cache_root/images
# Of the last start: what the node's programs said.
log_root=$cache_root/logs
# Of one run of the cluster, deleted when it is taken down: data, certificates.
state=$cache_root/cluster
admin_kubeconfig=$state/kubeconfig

export cluster_source cache_root binary_root image_root log_root state admin_kubeconfig
