# shellcheck shell=bash
# The cluster's certificate authority, keys and tokens, new with each start.
# Sourced after all.sh.

make_certificates() {
	local folder=$state/certificates
	mkdir -p -- "$folder"
	(
		cd -- "$folder"
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 365 \
			-subj /CN=redyno-local-cluster -keyout authority.key -out authority.crt \
			-addext keyUsage=critical,keyCertSign,digitalSignature
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 365 \
			-subj /CN=kube-apiserver -keyout server.key -out server.crt \
			-CA authority.crt -CAkey authority.key \
			-addext basicConstraints=critical,CA:FALSE \
			-addext extendedKeyUsage=serverAuth \
			-addext "subjectAltName=IP:$node_address,IP:127.0.0.1,IP:$kubernetes_service_address,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local"
		openssl ecparam -name prime256v1 -genkey -noout -out service-accounts.key
	) 2>"$log_root/openssl.log" || fail "openssl could not make the certificates: $(<"$log_root/openssl.log")"
}

# One line for each user: token,name,id,groups.
make_user() { # file name groups
	local token
	token=$(openssl rand -hex 16)
	printf '%s,%s,%s,"%s"\n' "$token" "$2" "$2" "$3" >>"$state/tokens.csv"
	write_kubeconfig "$1" "$token"
}

write_kubeconfig() { # file token
	cat >"$1" <<-END
		apiVersion: v1
		kind: Config
		clusters:
		- name: redyno-local
		  cluster:
		    server: $api_server
		    certificate-authority-data: $(base64 -w0 -- "$state/certificates/authority.crt")
		users:
		- name: redyno-local
		  user: {token: $2}
		contexts:
		- name: redyno-local
		  context: {cluster: redyno-local, user: redyno-local}
		current-context: redyno-local
	END
}

make_credentials() {
	make_certificates
	make_user "$admin_kubeconfig" admin system:masters
	make_user "$state/kube-controller-manager.kubeconfig" system:kube-controller-manager ""
	make_user "$state/kube-scheduler.kubeconfig" system:kube-scheduler ""
	make_user "$state/kubelet.kubeconfig" "system:node:$node_name" system:nodes
	make_user "$state/kube-proxy.kubeconfig" system:kube-proxy ""
	make_user "$state/coredns.kubeconfig" system:coredns ""
}
