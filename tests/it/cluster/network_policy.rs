//! A stand-in for the component that enforces NetworkPolicies, which the local cluster lacks. It
//! makes rules of nft in the node's network namespace from the live objects. Another part tries
//! which addresses a pod reaches.

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
    // All attempts run at once, since each dropped one is waited for.
    let script = format!(
        "attempt() {{ if timeout 3 bash -c \"exec 3<>/dev/tcp/$1/$2\" 2>/dev/null; then echo \"$1:$2\"; fi; }}; {attempts} wait"
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

/// The addresses that are tried from within a dyno's network. They are looked up before the run
/// begins, since its time is short.
pub(crate) struct Attempts {
    process: u32,
    allowed: Vec<String>,
    forbidden: Vec<String>,
    /// The world outside; its port is open as long as this lives.
    _outside: TcpListener,
}

impl Attempts {
    /// Attempts from the first of these dynos. Their run has a managed target, and its namespace
    /// also holds a Redis called `target`.
    pub(crate) fn from_dyno(namespace: &Namespace, node: &Node, dynos: &[Value]) -> Self {
        let process = dynos[0]["metadata"]["name"]
            .as_str()
            .and_then(|pod| node.process(namespace, pod, "runner"))
            .expect("the dyno runs");
        // The machine stands for the world outside, since the node's default route leads to it.
        let machine = node
            .shell("ip route show default | cut -d' ' -f3")
            .expect_success("finding the machine");
        let outside = TcpListener::bind((machine.trim(), 0)).expect("a port of this machine");
        let outside_address = outside.local_addr().expect("its address");
        let api_server = jsonpath("default", "service/kubernetes", ".spec.clusterIP");
        let node_address = jsonpath("default", "nodes", ".items[0].status.addresses[0].address");
        let pod = |namespace: &str, selector: &str| {
            let selector = format!("--selector={selector}");
            jsonpath_of("pods", &[&selector], namespace, ".items[0].status.podIP")
        };
        let redis = pod(namespace.name(), "app.kubernetes.io/component=redis");
        let other_redis = pod(namespace.name(), "app=target");
        let operator = pod(NAMESPACE, "app.kubernetes.io/component=operator");
        let other_dyno = dynos[1]["status"]["podIP"].as_str().expect("an address");
        Self {
            process,
            allowed: vec![
                format!("{redis}:6379"),
                // The cluster's DNS is a program of the node.
                format!("{node_address}:53"),
            ],
            forbidden: vec![
                format!("{api_server}:443"),
                format!("{node_address}:6443"),
                format!("{other_redis}:6379"),
                format!("{other_dyno}:9090"),
                format!("{operator}:8080"),
                outside_address.to_string(),
            ],
            _outside: outside,
        }
    }

    /// Asserts that only the allowed addresses are reached, and that all are reached when the
    /// policies are not enforced.
    pub(crate) fn make(&self, node: &Node, enforced: &StandIn<'_>) {
        let all = [&self.allowed[..], &self.forbidden[..]].concat();
        enforced.follow();
        assert_eq!(
            reached(node, self.process, &all),
            self.allowed,
            "behind the NetworkPolicies"
        );
        enforced.pause();
        assert_eq!(
            reached(node, self.process, &all),
            all,
            "without NetworkPolicies; so it is they that keep the others away"
        );
        enforced.follow();
    }
}

fn jsonpath(namespace: &str, object: &str, path: &str) -> String {
    jsonpath_of(object, &[], namespace, path)
}

fn jsonpath_of(object: &str, more: &[&str], namespace: &str, path: &str) -> String {
    let path = format!("--output=jsonpath={{{path}}}");
    let mut arguments = vec!["--namespace", namespace, "get", object, &path];
    arguments.extend(more);
    kubectl(&arguments).expect_success("looking up an address")
}
