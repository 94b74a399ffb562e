//! A stand-in for the component that enforces NetworkPolicies, which the local cluster lacks: rules
//! of nft in the node's network namespace, made from the live objects. And what a pod reaches.

use std::fmt::Write as _;
use std::net::TcpListener;

use k8s_openapi::api::core::v1::{Namespace as NamespaceObject, Pod};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use redyno_tests::command::kubectl;
use redyno_tests::installation::NAMESPACE;
use redyno_tests::namespace::Namespace;
use redyno_tests::network_policy::{Objects, TABLE, rules};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::dynos_lost::dyno_pod;
use super::node::Node;

/// Enforces the cluster's NetworkPolicies, as they and the pods were at the last `follow`, until
/// it is dropped.
pub(crate) struct StandIn<'a> {
    node: &'a Node,
}

impl<'a> StandIn<'a> {
    pub(crate) fn start(node: &'a Node) -> Self {
        let stand_in = Self { node };
        stand_in.follow();
        stand_in
    }

    /// Replaces the rules by what the objects say now. A connection that was made before, against
    /// what they say, is cut: every packet is looked at.
    pub(crate) fn follow(&self) {
        let objects = live();
        assert!(
            !objects.policies.is_empty(),
            "there is nothing to be enforced"
        );
        self.node
            .shell_with_input("nft -f -", &rules(&objects))
            .expect_success("enforcing the NetworkPolicies");
    }

    /// Enforces nothing until the next `follow`.
    pub(crate) fn pause(&self) {
        self.node
            .shell(&format!("nft delete table inet {TABLE}"))
            .expect_success("taking the rules away");
    }
}

impl Drop for StandIn<'_> {
    fn drop(&mut self) {
        self.node.shell(&format!(
            "nft delete table inet {TABLE} 2>/dev/null || true"
        ));
    }
}

fn live() -> Objects {
    let text = kubectl(&[
        "get",
        "networkpolicies,pods,namespaces",
        "--all-namespaces",
        "--output=json",
    ])
    .expect_success("reading the NetworkPolicies");
    let list: Value = serde_json::from_str(&text).expect("kubectl prints JSON");
    let items = list["items"].as_array().expect("a list");
    Objects {
        policies: of_kind::<NetworkPolicy>(items, "NetworkPolicy"),
        pods: of_kind::<Pod>(items, "Pod"),
        namespaces: of_kind::<NamespaceObject>(items, "Namespace"),
    }
}

fn of_kind<T: DeserializeOwned>(items: &[Value], kind: &str) -> Vec<T> {
    items
        .iter()
        .filter(|item| item["kind"] == kind)
        .map(|item| serde_json::from_value(item.clone()).expect("an object of Kubernetes"))
        .collect()
}

/// Which of these addresses (`host:port`) the container with this process connects to by TCP.
fn reached(node: &Node, process: u32, addresses: &[String]) -> Vec<String> {
    let mut attempts = String::new();
    for (host, port) in addresses
        .iter()
        .filter_map(|address| address.rsplit_once(':'))
    {
        write!(attempts, "attempt {host} {port} & ").expect("a String takes any text");
    }
    // All at once: what is dropped is waited for.
    let script = format!(
        "attempt() {{ if timeout 2 bash -c \"exec 3<>/dev/tcp/$1/$2\" 2>/dev/null; then echo \"$1:$2\"; fi; }}; {attempts} wait"
    );
    let output = node
        .shell(&format!(
            "nsenter --net=/proc/{process}/ns/net -- bash -c '{script}'"
        ))
        .expect_success("connecting from a pod's network");
    let found: Vec<&str> = output.lines().collect();
    addresses
        .iter()
        .filter(|address| found.contains(&address.as_str()))
        .cloned()
        .collect()
}

/// From within a dyno's network: what the policies allow is reached, and nothing else, all of which
/// is reached when they are not enforced.
pub(crate) fn dynos_reach_their_target_and_dns_alone(
    namespace: &Namespace,
    load_test: &str,
    node: &Node,
    enforced: &StandIn<'_>,
) {
    let dyno = dyno_pod(namespace, load_test, 0);
    let process = node
        .process(namespace, &dyno, "runner")
        .expect("the dyno runs");
    let shell = |command: &str| {
        let output = node.shell(command).expect_success(command);
        output.trim().to_owned()
    };
    // The machine is the world outside: the node's way out leads to it.
    let machine = shell("ip route show default | cut -d' ' -f3");
    let outside = TcpListener::bind((machine.as_str(), 0)).expect("a port of this machine");
    let outside = outside
        .local_addr()
        .map(|address| (address.to_string(), outside))
        .expect("its address");
    let pod = |namespace: &str, selector: &str, port: u16| {
        let address = kubectl(&[
            "--namespace",
            namespace,
            "get",
            "pods",
            "--selector",
            selector,
            "--output=jsonpath={.items[0].status.podIP}",
        ]);
        format!("{}:{port}", address.expect_success("finding a pod").trim())
    };
    let in_default = |object: &str, path: &str| {
        let path = format!("--output=jsonpath={{{path}}}");
        let found = kubectl(&["--namespace", "default", "get", object, &path]);
        found.expect_success("finding the API server")
    };
    let node_address = in_default("nodes", ".items[0].status.addresses[0].address");
    let other_dyno = dyno_pod(namespace, load_test, 1);
    let other_dyno = namespace.get("pod", &other_dyno).expect("the other dyno");
    let allowed = [
        pod(namespace.name(), "app.kubernetes.io/component=redis", 6379),
        // DNS: a program of the node.
        format!("{node_address}:53"),
    ];
    let forbidden = [
        format!(
            "{}:443",
            in_default("service/kubernetes", ".spec.clusterIP")
        ),
        format!("{node_address}:6443"),
        pod(namespace.name(), "app=target", 6379),
        format!(
            "{}:9090",
            other_dyno["status"]["podIP"].as_str().expect("an address")
        ),
        pod(NAMESPACE, "app.kubernetes.io/component=operator", 8080),
        outside.0,
    ];
    let all = [&allowed[..], &forbidden[..]].concat();
    enforced.follow();
    assert_eq!(
        reached(node, process, &all),
        allowed,
        "behind the NetworkPolicies"
    );
    enforced.pause();
    assert_eq!(
        reached(node, process, &all),
        all,
        "without NetworkPolicies; so it is they that keep the others away"
    );
    enforced.follow();
}
