# shellcheck shell=bash
# Everything that the scripts of the local cluster share. Sourced, never run.
# shellcheck source=tests/cluster/lib/paths.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/paths.sh"
# shellcheck source=tests/cluster/lib/names.sh
. "$cluster_source/lib/names.sh"
# shellcheck source=.ci/lib/say.sh
. "$cluster_source/../../.ci/lib/say.sh"
# shellcheck source=tests/cluster/lib/binaries.sh
. "$cluster_source/lib/binaries.sh"
