# shellcheck shell=bash
# Names and addresses of the local cluster. Sourced, never run.
# 198.18.0.0/15 is reserved for benchmarks (RFC 2544, RFC 6890): no real
# network that a machine talks to has these addresses.

node_name=redyno-node
# The host's end of the wire to the node; the other end is called eth0.
host_interface=redyno0
host_address=198.18.0.1
node_address=198.18.0.2
wire_prefix=24
cluster_pods=198.18.128.0/17
node_pods=198.18.128.0/24
services=198.19.0.0/16
kubernetes_service_address=198.19.0.1
api_server=https://$node_address:6443
# The control group of everything in the node, pods included.
control_group=redyno-node
# Where the node sees the state folder: short, as a socket's path may be.
inside=/run/redyno
# Where programs of Kubernetes write unless told otherwise; ours must not.
usual_places=(/run/netns/cni-* /run/containerd /run/flannel /var/lib/kubelet /var/lib/cni /var/lib/containerd
	/var/lib/containers /var/log/pods /var/log/containers /etc/cni /etc/kubernetes /opt/cni /opt/containerd
	/usr/libexec/kubernetes)

export node_name host_interface host_address node_address wire_prefix cluster_pods node_pods \
	services kubernetes_service_address api_server control_group inside usual_places
