# shellcheck shell=bash
# The node's control group, on version 1 (one tree for each controller),
# version 2 (one tree) and both at once. Sourced after all.sh.

control_group_trees() {
	findmnt --noheadings --raw --types cgroup,cgroup2 --output TARGET
}

# Makes the node's group with one group inside for the programs of the node;
# the kubelet puts the pods beside it.
make_control_groups() {
	local tree file
	for tree in $(control_group_trees); do
		if [[ -e $tree/cgroup.controllers ]]; then
			allow_controllers "$tree"
			mkdir -p -- "$tree/$control_group"
			allow_controllers "$tree/$control_group"
			mkdir -p -- "$tree/$control_group/system"
			continue
		fi
		mkdir -p -- "$tree/$control_group/system"
		# A group of version 1 takes no process before it has CPUs and memory nodes.
		for file in cpuset.cpus cpuset.mems; do
			[[ -e $tree/$file ]] || continue
			cat -- "$tree/$file" >"$tree/$control_group/$file"
			cat -- "$tree/$file" >"$tree/$control_group/system/$file"
		done
	done
}

# Version 2: lets the children of a group use what the group may use.
allow_controllers() {
	local controller
	for controller in $(<"$1/cgroup.controllers"); do
		echo "+$controller" >"$1/cgroup.subtree_control" 2>/dev/null || true
	done
}

enter_control_groups() { # pid
	local tree
	for tree in $(control_group_trees); do
		echo "$1" >"$tree/$control_group/system/cgroup.procs"
	done
}

# Every group below the node's and itself, deepest first.
list_control_groups() {
	local tree
	for tree in $(control_group_trees); do
		[[ -d $tree/$control_group ]] || continue
		find "$tree/$control_group" -depth -type d
	done
}

# Processes that belong to the node, wherever they are in it.
control_group_processes() {
	local group
	list_control_groups | while read -r group; do
		cat -- "$group/cgroup.procs" 2>/dev/null || true
	done | sort -un
}

remove_control_groups() {
	local group
	list_control_groups | while read -r group; do
		rmdir -- "$group" 2>/dev/null || true
	done
	[[ -z $(list_control_groups) ]]
}
