//! What NetworkPolicies allow, as Kubernetes' reference defines it
//! (<https://kubernetes.io/docs/concepts/services-networking/network-policies/>), and the same as
//! rules of nft: a stand-in for the component that enforces policies, which the local cluster lacks.
//! Nothing here knows what the chart writes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::Ipv4Addr;

use k8s_openapi::api::core::v1::{Namespace, Pod};
use k8s_openapi::api::networking::v1::{
    IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// The table of the rules.
pub const TABLE: &str = "redyno_network_policy_stand_in";

/// What rules are made from: all of a cluster.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    /// All NetworkPolicies.
    pub policies: Vec<NetworkPolicy>,
    /// All pods.
    pub pods: Vec<Pod>,
    /// All namespaces, for their labels.
    pub namespaces: Vec<Namespace>,
}

/// A way that packets go, as seen from the pod that a policy selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Ingress,
    Egress,
}

impl Direction {
    const fn name(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Egress => "egress",
        }
    }

    /// Where a packet carries the selected pod's address.
    const fn own_address(self) -> &'static str {
        match self {
            Self::Ingress => "daddr",
            Self::Egress => "saddr",
        }
    }

    /// Where it carries the peer's.
    const fn peer_address(self) -> &'static str {
        match self {
            Self::Ingress => "saddr",
            Self::Egress => "daddr",
        }
    }
}

/// One end of what a rule allows.
#[derive(Clone, Debug)]
enum Peer<'a> {
    Anyone,
    Pod(&'a Pod),
    Block(&'a IPBlock),
}

/// Ports that a rule allows.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Ports {
    protocol: String,
    /// First and last, both allowed; None for all of them.
    range: Option<(i32, i32)>,
}

/// What one rule of a policy allows the pod that the policy selects.
#[derive(Clone, Debug)]
struct Permission<'a> {
    peer: Peer<'a>,
    /// None for every port of every protocol.
    ports: Option<Ports>,
}

impl Objects {
    /// Whether a connection by TCP comes about: the policies of `from` let it out, and those of
    /// `to` let it in. An address that is no pod's is subject to no policy.
    ///
    /// # Panics
    /// If an address or a block of a policy cannot be read, or is not of IPv4.
    pub fn connects(&self, from: Ipv4Addr, to: Ipv4Addr, port: u16) -> bool {
        let passes = |own: Ipv4Addr, peer: Ipv4Addr, direction| {
            let pod = self
                .pods
                .iter()
                .find(|pod| address(pod) == Some(&own.to_string()));
            pod.and_then(|pod| self.permissions(pod, direction))
                .is_none_or(|allowed| {
                    allowed
                        .iter()
                        .any(|permission| permission.includes(peer, port))
                })
        };
        passes(from, to, Direction::Egress) && passes(to, from, Direction::Ingress)
    }

    /// What all policies together allow this pod; None if none of them selects it, so that
    /// everything is allowed.
    fn permissions(&self, pod: &Pod, direction: Direction) -> Option<Vec<Permission<'_>>> {
        let policies: Vec<&NetworkPolicy> = self
            .policies
            .iter()
            .filter(|policy| selects(policy, pod) && has_type(policy, direction))
            .collect();
        if policies.is_empty() {
            return None;
        }
        let allowed = policies
            .into_iter()
            .flat_map(|policy| allowed(self, policy, pod, direction));
        Some(allowed.collect())
    }
}

impl Permission<'_> {
    fn includes(&self, peer: Ipv4Addr, port: u16) -> bool {
        let is_peer = match &self.peer {
            Peer::Anyone => true,
            Peer::Pod(pod) => address(pod) == Some(&peer.to_string()),
            Peer::Block(block) => {
                is_within(&block.cidr, peer)
                    && !block
                        .except
                        .iter()
                        .flatten()
                        .any(|cidr| is_within(cidr, peer))
            }
        };
        is_peer
            && self.ports.as_ref().is_none_or(|ports| {
                ports.protocol == "TCP"
                    && ports
                        .range
                        .is_none_or(|(first, last)| (first..=last).contains(&i32::from(port)))
            })
    }

    /// The same as a match of nft, which ends in a space unless it is empty.
    fn to_nft(&self, direction: Direction) -> String {
        let ports = self.ports.as_ref().map(|ports| {
            let protocol = ports.protocol.to_lowercase();
            match ports.range {
                None => format!("meta l4proto {protocol} "),
                Some((first, last)) if first == last => format!("{protocol} dport {first} "),
                Some((first, last)) => format!("{protocol} dport {first}-{last} "),
            }
        });
        peer_match(&self.peer, direction) + &ports.unwrap_or_default()
    }
}

fn is_within(cidr: &str, address: Ipv4Addr) -> bool {
    let (network, bits) = cidr.split_once('/').expect("a CIDR");
    let network: Ipv4Addr = network.parse().expect("an address of IPv4");
    let bits: u32 = bits.parse().expect("a number of bits");
    let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
    u32::from(network) & mask == u32::from(address) & mask
}

/// A file for `nft -f` that replaces the rules of before, all at once: every pod that a policy
/// selects may then only do what the policies allow. Answers to what was allowed pass, and so does
/// what the node itself sends, its probes among it.
pub fn rules(objects: &Objects) -> String {
    let mut chains = String::new();
    let mut jumps = BTreeMap::from([("egress", String::new()), ("ingress", String::new())]);
    for pod in objects.pods.iter().filter(|pod| address(pod).is_some()) {
        for direction in [Direction::Egress, Direction::Ingress] {
            let Some(permissions) = objects.permissions(pod, direction) else {
                continue;
            };
            let address = address(pod).unwrap_or_default();
            let chain = format!("{}_{}", direction.name(), address.replace(['.', ':'], "_"));
            line(
                jumps.entry(direction.name()).or_default(),
                &format!("\t\tip {} {address} jump {chain}", direction.own_address()),
            );
            line(&mut chains, &format!("\tchain {chain} {{"));
            for permission in permissions {
                let allowed = permission.to_nft(direction);
                line(&mut chains, &format!("\t\t{allowed}return"));
            }
            line(&mut chains, "\t\tcounter drop\n\t}");
        }
    }
    // A packet between pods passes `forward`, one to the node itself (DNS, the API server) `input`;
    // by then a Service's address has become that of what is behind it.
    format!(
        "table inet {TABLE}\ndelete table inet {TABLE}\ntable inet {TABLE} {{\n{chains}\
         \tchain egress {{\n\t\tct direction reply return\n\t\tct state related return\n{}\t}}\n\
         \tchain ingress {{\n\t\tct direction reply return\n\t\tct state related return\n{}\t}}\n\
         \tchain forward {{\n\t\ttype filter hook forward priority filter + 10\n\t\tjump egress\n\t\tjump ingress\n\t}}\n\
         \tchain input {{\n\t\ttype filter hook input priority filter + 10\n\t\tjump egress\n\t}}\n}}\n",
        jumps["egress"], jumps["ingress"],
    )
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("a String takes any text");
}

/// The address of a pod in the pod network, as long as it has one.
fn address(pod: &Pod) -> Option<&str> {
    let status = pod.status.as_ref()?;
    let over = ["Succeeded", "Failed"].contains(&status.phase.as_deref().unwrap_or_default());
    let on_the_host = pod
        .spec
        .as_ref()
        .is_some_and(|spec| spec.host_network == Some(true));
    (!over && !on_the_host)
        .then_some(status.pod_ip.as_deref())
        .flatten()
}

fn selects(policy: &NetworkPolicy, pod: &Pod) -> bool {
    let selector = policy.spec.as_ref().map(|spec| &spec.pod_selector);
    policy.metadata.namespace == pod.metadata.namespace
        && selector.is_some_and(|selector| matches(selector.as_ref(), pod.metadata.labels.as_ref()))
}

fn has_type(policy: &NetworkPolicy, direction: Direction) -> bool {
    let Some(spec) = &policy.spec else {
        return false;
    };
    match (&spec.policy_types, direction) {
        (Some(types), Direction::Ingress) => types.iter().any(|name| name == "Ingress"),
        (Some(types), Direction::Egress) => types.iter().any(|name| name == "Egress"),
        (None, Direction::Ingress) => true,
        (None, Direction::Egress) => spec.egress.is_some(),
    }
}

/// What a policy allows this pod.
fn allowed<'a>(
    objects: &'a Objects,
    policy: &'a NetworkPolicy,
    pod: &Pod,
    direction: Direction,
) -> Vec<Permission<'a>> {
    let Some(spec) = &policy.spec else {
        return Vec::new();
    };
    let rules: Vec<_> = match direction {
        Direction::Ingress => {
            let rules = spec.ingress.iter().flatten();
            rules
                .map(|rule| (rule.from.as_ref(), rule.ports.as_ref()))
                .collect()
        }
        Direction::Egress => {
            let rules = spec.egress.iter().flatten();
            rules
                .map(|rule| (rule.to.as_ref(), rule.ports.as_ref()))
                .collect()
        }
    };
    let mut found = Vec::new();
    for (peers, ports) in rules {
        for peer in resolve(objects, policy, peers) {
            let listening = match (direction, &peer) {
                (Direction::Ingress, _) => Some(pod),
                (Direction::Egress, Peer::Pod(peer)) => Some(*peer),
                (Direction::Egress, Peer::Anyone | Peer::Block(_)) => None,
            };
            match ports.filter(|ports| !ports.is_empty()) {
                None => found.push(Permission { peer, ports: None }),
                Some(ports) => {
                    let ports = ports
                        .iter()
                        .filter_map(|port| resolve_ports(port, listening));
                    found.extend(ports.map(|ports| Permission {
                        peer: peer.clone(),
                        ports: Some(ports),
                    }));
                }
            }
        }
    }
    found
}

/// Who these peers are; an empty list is anyone.
fn resolve<'a>(
    objects: &'a Objects,
    policy: &NetworkPolicy,
    peers: Option<&'a Vec<NetworkPolicyPeer>>,
) -> Vec<Peer<'a>> {
    let Some(peers) = peers.filter(|peers| !peers.is_empty()) else {
        return vec![Peer::Anyone];
    };
    let mut found = Vec::new();
    for peer in peers {
        if let Some(block) = &peer.ip_block {
            found.push(Peer::Block(block));
            continue;
        }
        let pods = objects.pods.iter().filter(|pod| {
            let in_namespace = match &peer.namespace_selector {
                None => pod.metadata.namespace == policy.metadata.namespace,
                Some(selector) => matches(Some(selector), namespace_labels(objects, pod)),
            };
            let of_the_kind = peer
                .pod_selector
                .as_ref()
                .is_none_or(|selector| matches(Some(selector), pod.metadata.labels.as_ref()));
            in_namespace && of_the_kind && address(pod).is_some()
        });
        found.extend(pods.map(Peer::Pod));
    }
    found
}

fn namespace_labels<'a>(objects: &'a Objects, pod: &Pod) -> Option<&'a BTreeMap<String, String>> {
    objects
        .namespaces
        .iter()
        .find(|namespace| namespace.metadata.name == pod.metadata.namespace)?
        .metadata
        .labels
        .as_ref()
}

fn peer_match(peer: &Peer<'_>, direction: Direction) -> String {
    let field = direction.peer_address();
    match peer {
        Peer::Anyone => String::new(),
        Peer::Pod(pod) => format!("ip {field} {} ", address(pod).unwrap_or_default()),
        Peer::Block(block) => {
            let mut text = format!("ip {field} {} ", block.cidr);
            for except in block.except.iter().flatten() {
                write!(text, "ip {field} != {except} ").expect("a String takes any text");
            }
            text
        }
    }
}

/// The ports that a rule names; None if that is a name which the listening pod does not have.
fn resolve_ports(port: &NetworkPolicyPort, listening: Option<&Pod>) -> Option<Ports> {
    let protocol = port.protocol.as_deref().unwrap_or("TCP");
    let range = match (&port.port, port.end_port) {
        (None, _) => None,
        (Some(IntOrString::Int(first)), last) => Some((*first, last.unwrap_or(*first))),
        (Some(IntOrString::String(name)), _) => {
            let containers = listening?.spec.as_ref()?.containers.iter();
            let number = containers
                .flat_map(|container| container.ports.iter().flatten())
                .find(|candidate| {
                    candidate.name.as_deref() == Some(name)
                        && candidate.protocol.as_deref().unwrap_or("TCP") == protocol
                })?
                .container_port;
            Some((number, number))
        }
    };
    Some(Ports {
        protocol: protocol.to_owned(),
        range,
    })
}

/// Whether labels match a selector; one that is absent or empty matches everything.
fn matches(selector: Option<&LabelSelector>, labels: Option<&BTreeMap<String, String>>) -> bool {
    let Some(selector) = selector else {
        return true;
    };
    let value = |key: &str| labels.and_then(|labels| labels.get(key));
    selector
        .match_labels
        .iter()
        .flatten()
        .all(|(key, wanted)| value(key) == Some(wanted))
        && selector
            .match_expressions
            .iter()
            .flatten()
            .all(|expression| {
                let found = value(&expression.key);
                let listed = found.is_some_and(|found| {
                    expression
                        .values
                        .iter()
                        .flatten()
                        .any(|value| value == found)
                });
                match expression.operator.as_str() {
                    "In" => listed,
                    "NotIn" => !listed,
                    "Exists" => found.is_some(),
                    "DoesNotExist" => found.is_none(),
                    other => panic!("no operator of a selector: {other}"),
                }
            })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(namespace: &str, app: &str, address: &str) -> Value {
        json!({
            "metadata": {"namespace": namespace, "labels": {"app": app}},
            "spec": {"containers": [{"name": "x", "ports": [{"name": "metrics", "containerPort": 9090}]}]},
            "status": {"phase": "Running", "podIP": address},
        })
    }

    /// The rules of the chain of the pod `a`, which this policy selects, in a cluster where `b` is
    /// its neighbour, `c` lives in the namespace `other` and `d`'s address is no longer its own.
    fn chain(direction: &str, spec: Value) -> Vec<String> {
        let mut policy = json!({"metadata": {"namespace": "here"}, "spec": spec});
        policy["spec"]["podSelector"] = json!({"matchLabels": {"app": "a"}});
        let mut over = pod("here", "d", "10.0.0.4");
        over["status"]["phase"] = json!("Succeeded");
        let objects = Objects {
            policies: vec![serde_json::from_value(policy).unwrap()],
            pods: [
                pod("here", "a", "10.0.0.1"),
                pod("here", "b", "10.0.0.2"),
                pod("other", "c", "10.0.0.3"),
                over,
            ]
            .map(|pod| serde_json::from_value(pod).unwrap())
            .to_vec(),
            namespaces: ["here", "other"]
                .map(|name| {
                    serde_json::from_value(
                        json!({"metadata": {"name": name, "labels": {"name": name}}}),
                    )
                    .unwrap()
                })
                .to_vec(),
        };
        let text = rules(&objects);
        let name = format!("\tchain {direction}_10_0_0_1 {{");
        let lines: Vec<String> = text
            .lines()
            .skip_while(|line| *line != name)
            .skip(1)
            .take_while(|line| *line != "\t}")
            .map(|line| line.trim().to_owned())
            .collect();
        // Nobody else is selected, and exactly the pod with a chain is sent there.
        assert_eq!(
            text.contains(" jump egress_10_0_0_1"),
            text.contains("chain egress_10_0_0_1")
        );
        assert!(!text.contains("jump egress_10_0_0_2"), "{text}");
        lines
    }

    #[test]
    fn policies_become_what_the_reference_says() {
        let allowed: Vec<(&str, Value, &[&str])> = vec![
            (
                "egress",
                json!({"policyTypes": ["Egress"]}),
                &["counter drop"],
            ),
            // Ingress alone selects for ingress alone.
            ("egress", json!({"policyTypes": ["Ingress"]}), &[]),
            ("egress", json!({}), &[]),
            ("ingress", json!({}), &["counter drop"]),
            ("egress", json!({"egress": []}), &["counter drop"]),
            (
                "egress",
                json!({"egress": [{}]}),
                &["return", "counter drop"],
            ),
            (
                "egress",
                json!({"egress": [{"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53}, {"port": 10, "endPort": 20}, {"protocol": "TCP"}]}]}),
                &[
                    "udp dport 53 return",
                    "tcp dport 53 return",
                    "tcp dport 10-20 return",
                    "meta l4proto tcp return",
                    "counter drop",
                ],
            ),
            (
                "egress",
                json!({"egress": [{"to": [{"podSelector": {}}], "ports": [{"port": "metrics"}]}]}),
                &[
                    "ip daddr 10.0.0.1 tcp dport 9090 return",
                    "ip daddr 10.0.0.2 tcp dport 9090 return",
                    "counter drop",
                ],
            ),
            (
                "ingress",
                json!({"ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"name": "other"}}}], "ports": [{"port": "metrics"}]}]}),
                &["ip saddr 10.0.0.3 tcp dport 9090 return", "counter drop"],
            ),
            (
                "ingress",
                json!({"ingress": [{"from": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "b"}}}]}]}),
                &["ip saddr 10.0.0.2 return", "counter drop"],
            ),
            (
                "egress",
                json!({"egress": [{"to": [{"ipBlock": {"cidr": "10.1.0.0/16", "except": ["10.1.2.0/24"]}}]}]}),
                &[
                    "ip daddr 10.1.0.0/16 ip daddr != 10.1.2.0/24 return",
                    "counter drop",
                ],
            ),
            // A name that nobody has allows nothing.
            (
                "ingress",
                json!({"ingress": [{"ports": [{"port": "web"}]}]}),
                &["counter drop"],
            ),
            (
                "ingress",
                json!({"ingress": [{"from": [{"podSelector": {"matchExpressions": [
                    {"key": "app", "operator": "NotIn", "values": ["a"]},
                    {"key": "app", "operator": "Exists"},
                    {"key": "absent", "operator": "DoesNotExist"},
                ]}}]}]}),
                &["ip saddr 10.0.0.2 return", "counter drop"],
            ),
        ];
        for (direction, spec, expected) in allowed {
            assert_eq!(
                chain(direction, spec.clone()),
                expected,
                "{direction} of {spec}"
            );
        }
    }
}
