//! Who may talk to whom: the NetworkPolicies, applied to the labels that the operator's pods have,
//! by the rules of <https://kubernetes.io/docs/concepts/services-networking/network-policies/>.

use std::net::Ipv4Addr;

use redyno_tests::repository::read;
use serde_json::{Value, json};

use super::{helm_is_there, objects, only};

/// Something that talks or is talked to.
#[derive(Debug)]
struct Party {
    namespace: &'static str,
    labels: Value,
    address: Ipv4Addr,
    /// Policies choose pods; of anything else they know only the address.
    is_pod: bool,
}

impl Party {
    fn pod(namespace: &'static str, labels: Value) -> Self {
        Self {
            namespace,
            labels,
            address: Ipv4Addr::new(10, 244, 0, 9),
            is_pod: true,
        }
    }

    fn outside(address: [u8; 4]) -> Self {
        Self {
            namespace: "",
            labels: json!({}),
            address: address.into(),
            is_pod: false,
        }
    }

    /// A pod of a run, with the labels of the operator's own snapshot.
    fn of_the_run(snapshot: &str, pointer: &str) -> Self {
        let path =
            format!("operator/src/build/snapshots/redyno_operator__build__tests__{snapshot}.snap");
        let text = read(&path);
        let yaml = text.splitn(3, "---\n").nth(2).expect("a snapshot's text");
        let object: Value = serde_saphyr::from_str(yaml).expect("YAML");
        let labels = object.pointer(pointer).expect("labels").clone();
        Self::pod("tests", labels)
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn selects(selector: &Value, labels: &Value) -> bool {
    let by_labels = selector["matchLabels"]
        .as_object()
        .into_iter()
        .flatten()
        .all(|(label, value)| &labels[label] == value);
    let by_expressions = list(&selector["matchExpressions"]).all(|expression| {
        let label = &labels[expression["key"].as_str().expect("a key")];
        match expression["operator"].as_str() {
            Some("In") => list(&expression["values"]).any(|value| value == label),
            Some("Exists") => !label.is_null(),
            other => panic!("{other:?} is not used"),
        }
    });
    by_labels && by_expressions
}

fn within(cidr: &Value, address: Ipv4Addr) -> bool {
    let (network, bits) = cidr
        .as_str()
        .and_then(|it| it.split_once('/'))
        .expect("a CIDR");
    let network: Ipv4Addr = network.parse().expect("an address");
    let bits: u32 = bits.parse().expect("a number of bits");
    let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
    u32::from(network) & mask == u32::from(address) & mask
}

fn matches(peer: &Value, policy_namespace: &str, party: &Party) -> bool {
    if !peer["ipBlock"].is_null() {
        let block = &peer["ipBlock"];
        return within(&block["cidr"], party.address)
            && !list(&block["except"]).any(|cidr| within(cidr, party.address));
    }
    let namespace = match &peer["namespaceSelector"] {
        Value::Null => party.namespace == policy_namespace,
        selector => selects(
            selector,
            &json!({"kubernetes.io/metadata.name": party.namespace}),
        ),
    };
    let pod = peer["podSelector"].is_null() || selects(&peer["podSelector"], &party.labels);
    party.is_pod && namespace && pod
}

/// Whether the policies of `subject` let it talk to (`egress`) or be reached by (`ingress`) a party.
fn allowed(policies: &[Value], direction: &str, subject: &Party, party: &Party, port: u16) -> bool {
    let (policy_type, peers) = match direction {
        "egress" => ("Egress", "to"),
        _ => ("Ingress", "from"),
    };
    let mut isolated = false;
    for policy in policies {
        let namespace = policy["metadata"]["namespace"]
            .as_str()
            .expect("a namespace");
        let spec = &policy["spec"];
        if namespace != subject.namespace
            || !selects(&spec["podSelector"], &subject.labels)
            || !list(&spec["policyTypes"]).any(|it| it == policy_type)
        {
            continue;
        }
        isolated = true;
        let passes = list(&spec[direction]).any(|rule| {
            let peer = rule[peers].is_null()
                || list(&rule[peers]).any(|peer| matches(peer, namespace, party));
            peer && list(&rule["ports"]).any(|it| it["port"] == port)
        });
        if passes {
            return true;
        }
    }
    !isolated
}

/// Whether a connection comes about: the one may talk, the other may be talked to.
fn connects(policies: &[Value], from: &Party, to: &Party, port: u16) -> bool {
    allowed(policies, "egress", from, to, port) && allowed(policies, "ingress", to, from, port)
}

fn policies(values: &Value) -> Vec<Value> {
    let mut objects = objects(values, &[]);
    objects.retain(|object| object["kind"] == "NetworkPolicy");
    objects
}

#[test]
fn pods_of_a_run_reach_dns_and_their_target_alone() {
    if !helm_is_there() {
        return;
    }
    let template = "/spec/template/metadata/labels";
    let dyno = Party::of_the_run("dynos_of_a_managed_target", template);
    let preflight = Party::of_the_run("preflight_of_a_managed_target", template);
    let finish = Party::of_the_run("finish", template);
    let redis = Party::of_the_run("redis_pod", "/metadata/labels");
    let neighbour = Party::pod("tests", json!({"app": "shop"}));
    let prometheus = Party::pod("monitoring", json!({"app": "prometheus"}));
    let dns = Party::pod("kube-system", json!({"k8s-app": "kube-dns"}));
    let far_redis = Party::outside([10, 1, 2, 3]);
    let metadata_service = Party::outside([169, 254, 169, 254]);

    let default = policies(&json!({"networkPolicy": {"namespaces": ["tests"]}}));
    for pod in [&dyno, &preflight, &finish] {
        for (party, port, expected) in [
            (&dns, 53, true),
            (&redis, 6379, true),
            (&far_redis, 6380, true),
            (&far_redis, 443, false),
            (&neighbour, 8080, false),
            (&dyno, 9090, false),
            (&metadata_service, 80, false),
        ] {
            let found = connects(&default, pod, party, port);
            assert_eq!(found, expected, "{pod:?} to {party:?} at {port}");
        }
        assert!(connects(&default, &prometheus, pod, 9090));
        assert!(!connects(&default, &prometheus, pod, 22));
        assert!(!connects(&default, &far_redis, pod, 9090));
        assert!(!connects(&default, &neighbour, &redis, 6379));
        assert!(
            !connects(&default, &redis, &far_redis, 6379),
            "it replicates nothing"
        );
    }

    // Narrowed to one network and one scraper.
    let narrow = policies(&json!({"watchNamespaces": ["tests"], "networkPolicy": {
        "runs": {"targets": [{"to": [{"ipBlock": {"cidr": "10.1.0.0/16", "except": ["10.1.9.0/24"]}}], "ports": [7000]}]},
        "scrapers": {"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]},
    }}));
    assert!(connects(&narrow, &dyno, &redis, 6379));
    assert!(connects(&narrow, &dyno, &far_redis, 7000));
    assert!(!connects(&narrow, &dyno, &far_redis, 6379));
    assert!(!connects(
        &narrow,
        &dyno,
        &Party::outside([10, 1, 9, 1]),
        7000
    ));
    assert!(!connects(
        &narrow,
        &dyno,
        &Party::outside([10, 2, 0, 1]),
        7000
    ));
    assert!(connects(&narrow, &prometheus, &dyno, 9090));
    assert!(!connects(&narrow, &neighbour, &dyno, 9090));
}

#[test]
fn the_operator_reaches_dns_and_the_api_server_alone() {
    if !helm_is_there() {
        return;
    }
    let objects = objects(&json!({}), &[]);
    let template = &only(&objects, "Deployment")["spec"]["template"];
    let operator = Party::pod("redyno-system", template["metadata"]["labels"].clone());
    let policies = policies(&json!({}));
    let api_server = Party::outside([10, 0, 0, 1]);
    let prometheus = Party::pod("monitoring", json!({}));
    assert!(connects(&policies, &operator, &api_server, 6443));
    assert!(connects(&policies, &operator, &api_server, 53));
    assert!(!connects(&policies, &operator, &api_server, 6379));
    assert!(connects(&policies, &prometheus, &operator, 8080));
    assert!(!connects(&policies, &prometheus, &operator, 9090));
}

#[test]
fn each_policy_can_be_switched_off() {
    if !helm_is_there() {
        return;
    }
    for (values, expected) in [
        (json!({}), 3),
        (json!({"enabled": false}), 0),
        (json!({"operator": {"enabled": false}}), 2),
        (json!({"managedRedis": false}), 2),
        (json!({"runs": {"enabled": false}}), 2),
        (json!({"namespaces": ["a", "b"]}), 5),
    ] {
        let found = policies(&json!({"watchNamespaces": ["tests"], "networkPolicy": values}));
        assert_eq!(found.len(), expected, "{values}");
    }
    // Where nobody says where the tests are, only the operator has one.
    assert_eq!(policies(&json!({})).len(), 1);
}
