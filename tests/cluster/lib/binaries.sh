# shellcheck shell=bash
# The versions of the cluster's programs, and where each built one lies.
# Sourced after paths.sh and say.sh.

kubernetes_version=v1.34.4
coredns_version=v1.14.7
helm_version=3.17.3.post1
prometheus_version=v3.5.0
prometheus_operator_version=v0.85.0

# Without these the servers call themselves v0.0.0 and clients complain.
kubernetes_ldflags="-s -w \
-X k8s.io/component-base/version.gitVersion=$kubernetes_version \
-X k8s.io/component-base/version.gitMajor=1 \
-X k8s.io/component-base/version.gitMinor=34"
coredns_ldflags="-s -w"
prometheus_ldflags="-s -w"

# A folder name that changes with anything that changes the binaries.
keyed() { # name version module-folder flags
	local hash
	hash=$({
		cat -- "$3/go.mod" "$3/go.sum"
		printf '%s' "$4"
	} | sha256sum | cut -c1-12)
	printf '%s/%s-%s-%s' "$binary_root" "$1" "$2" "$hash"
}

kubernetes_module=$cluster_source/binaries/kubernetes
coredns_module=$cluster_source/binaries/coredns
kubernetes_binaries=$(keyed kubernetes "$kubernetes_version" "$kubernetes_module" "$kubernetes_ldflags")
coredns_binaries=$(keyed coredns "$coredns_version" "$coredns_module" "$coredns_ldflags")
prometheus_module=$cluster_source/binaries/prometheus
prometheus_operator_module=$cluster_source/binaries/prometheus-operator
prometheus_binaries=$(keyed prometheus "$prometheus_version" "$prometheus_module" "$prometheus_ldflags")
prometheus_operator_binaries=$(keyed prometheus-operator "$prometheus_operator_version" \
	"$prometheus_operator_module" "$prometheus_ldflags")
helm_binaries=$binary_root/helm-$helm_version

export kubernetes_version coredns_version helm_version prometheus_version prometheus_operator_version \
	kubernetes_module coredns_module prometheus_module prometheus_operator_module \
	kubernetes_binaries coredns_binaries prometheus_binaries prometheus_operator_binaries helm_binaries \
	kubernetes_ldflags coredns_ldflags prometheus_ldflags
