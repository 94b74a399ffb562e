# shellcheck shell=bash
# The configuration files of the node's programs, with the paths as the node
# sees them. Sourced after all.sh.

write_configuration() {
	mkdir -p -- "$state"/{etcd,containerd,kubelet,network,temporary}
	write_containerd
	write_pod_network
	write_kubelet
	write_kube_proxy
	write_coredns
	# Nothing to look up outside: pods have the cluster's names alone.
	: >"$state/resolv.conf"
}

write_containerd() {
	# An overlay cannot lie on another one, as a container's own files do.
	local snapshotter=overlayfs
	if [[ $(stat -f -c %T -- "$state") == overlayfs ]]; then
		snapshotter=native
	fi
	cat >"$state/containerd.toml" <<-END
		version = 2
		root = "$inside/containerd/root"
		state = "$inside/containerd/state"

		[grpc]
		address = "$inside/containerd/containerd.sock"

		[plugins."io.containerd.internal.v1.opt"]
		path = "$inside/containerd/opt"

		[plugins."io.containerd.grpc.v1.cri"]
		sandbox_image = "localhost/redyno-pause:1"
		# Without the right to lower it (CAP_SYS_RESOURCE) runc refuses to start anything.
		restrict_oom_score_adj = true

		[plugins."io.containerd.grpc.v1.cri".cni]
		bin_dir = "/usr/lib/cni"
		conf_dir = "$inside/network"

		[plugins."io.containerd.grpc.v1.cri".containerd]
		snapshotter = "$snapshotter"

		[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
		runtime_type = "io.containerd.runc.v2"
	END
}

write_pod_network() {
	cat >"$state/network/redyno.conflist" <<-END
		{
		  "cniVersion": "1.0.0",
		  "name": "redyno",
		  "plugins": [
		    {
		      "type": "bridge",
		      "bridge": "pods",
		      "isGateway": true,
		      "hairpinMode": true,
		      "ipMasq": false,
		      "ipam": {
		        "type": "host-local",
		        "dataDir": "/run/pod-addresses",
		        "ranges": [[{"subnet": "$node_pods"}]],
		        "routes": [{"dst": "0.0.0.0/0"}]
		      }
		    }
		  ]
		}
	END
}

write_kubelet() {
	cat >"$state/kubelet.yaml" <<-END
		apiVersion: kubelet.config.k8s.io/v1beta1
		kind: KubeletConfiguration
		address: $node_address
		# Its port is reached from this machine and the pods of the tests alone.
		authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
		authorization: {mode: AlwaysAllow}
		cgroupDriver: cgroupfs
		cgroupRoot: /$control_group
		containerRuntimeEndpoint: unix://$inside/containerd/containerd.sock
		clusterDNS: [$node_address]
		clusterDomain: cluster.local
		resolvConf: $inside/resolv.conf
		podLogsDir: $inside/pod-logs
		volumePluginDir: $inside/volume-plugins
		failSwapOn: false
		oomScoreAdj: 0
		# A lost node is seen within seconds (see also the controller manager).
		nodeStatusUpdateFrequency: 1s
		nodeLeaseDurationSeconds: 4
		# Images are loaded by hand and must stay, however full the disk is.
		imageGCHighThresholdPercent: 100
		imageGCLowThresholdPercent: 99
		# Named so that nothing is held back from the node's memory.
		evictionHard: {nodefs.available: 0%, nodefs.inodesFree: 0%, imagefs.available: 0%}
	END
}

write_kube_proxy() {
	cat >"$state/kube-proxy.yaml" <<-END
		apiVersion: kubeproxy.config.k8s.io/v1alpha1
		kind: KubeProxyConfiguration
		mode: nftables
		clusterCIDR: $cluster_pods
		hostnameOverride: $node_name
		clientConnection: {kubeconfig: $inside/kube-proxy.kubeconfig}
		# The machine's own limit is left alone.
		conntrack: {maxPerCore: 0}
		oomScoreAdj: 0
	END
}

write_coredns() {
	cat >"$state/Corefile" <<-END
		.:53 {
		    bind $node_address
		    errors
		    ready $node_address:8181
		    kubernetes cluster.local in-addr.arpa {
		        kubeconfig $inside/coredns.kubeconfig
		        pods insecure
		        ttl 1
		    }
		}
	END
}
