# shellcheck shell=bash
# What a cluster leaves on the machine while it runs, or after it was killed
# at any point; finding it and removing it. Sourced after all.sh and
# control-groups.sh. Nothing here relies on what a start managed to write down.

network_file=$state/network-namespace

# Processes in the node's network namespace: the node's first process among
# them, and with that one the kernel ends every process of the node.
network_processes() {
	local namespace process
	[[ -e $network_file ]] || return 0
	namespace=$(stat -Lc '%d:%i' -- "$network_file")
	for process in /proc/[0-9]*; do
		if [[ $(stat -Lc '%d:%i' -- "$process/ns/net" 2>/dev/null) == "$namespace" ]]; then
			printf '%s\n' "${process#/proc/}"
		fi
	done
}

node_processes() {
	{
		network_processes
		control_group_processes
	} | sort -un
}

mounts_below_state() {
	# findmnt would escape other characters than it decodes; the kernel's list is plain.
	awk -v folder="$state/" 'index($5, folder) == 1 { print $5 }' /proc/self/mountinfo
}

# Tries "$@" until it succeeds, for ten seconds.
await() {
	local tries
	for ((tries = 0; tries < 200; tries++)); do
		if "$@"; then return; fi
		sleep 0.05
	done
	return 1
}

no_node_process() { [[ -z $(node_processes) ]]; }
no_host_interface() { ! ip link show "$host_interface" &>/dev/null; }

anything_remains() {
	[[ -e $state ]] || ! no_host_interface || [[ -n $(list_control_groups) ]]
}

# A machine has room for one: its interface and control group have fixed names.
refuse_other_cluster() {
	local other
	other=$(awk -v file="$network_file" '$5 ~ /\/redyno\/cluster\/network-namespace$/ && $5 != file { print $5 }' \
		/proc/self/mountinfo | head -n 1)
	[[ -z $other ]] || fail "another local cluster is up, of another cache folder; take it down first:" \
		"XDG_CACHE_HOME=${other%/redyno/cluster/network-namespace} $cluster_source/down"
}

remove_remains() {
	local process folder
	for process in $(node_processes); do
		kill -KILL "$process" 2>/dev/null || true
	done
	await no_node_process || fail "these processes of the node do not end: $(node_processes | paste -sd' ')"
	if ! no_host_interface; then
		ip link delete "$host_interface" 2>/dev/null || true
		await no_host_interface || fail "the interface $host_interface does not go away"
	fi
	await remove_control_groups || fail "these control groups do not go away: $(list_control_groups | paste -sd' ')"
	for folder in $(mounts_below_state); do
		umount -- "$folder"
	done
	[[ -z $(mounts_below_state) ]] || fail "still mounted: $(mounts_below_state | paste -sd' ')"
	rm -rf --one-file-system -- "$state"
}
