# shellcheck shell=bash
# What the scripts tell a person. Sourced, never run.

say() { printf '%s\n' "$*" >&2; }

fail() {
	printf 'error: %s\n' "$*" >&2
	exit 1
}

# Runs "$@" and tells how long it took.
timed() {
	local name=$1 start=$SECONDS
	shift
	"$@"
	say "$name: $((SECONDS - start)) s"
}
