//! Who may talk to whom: the chart's NetworkPolicies, applied to the labels that the operator's pods
//! have.

use std::net::Ipv4Addr;

use redyno_tests::network_policy::Objects;
use redyno_tests::repository::read;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{helm_is_there, objects, only};

/// Something that talks or is talked to.
#[derive(Clone, Debug)]
struct Party {
    address: Ipv4Addr,
    /// Namespace and labels of a pod; None for anything else, of which policies know the address
    /// alone.
    pod: Option<(&'static str, Value)>,
}

impl Party {
    /// A pod with the last byte of its address.
    fn pod(byte: u8, namespace: &'static str, labels: Value) -> Self {
        Self {
            address: Ipv4Addr::new(10, 244, 0, byte),
            pod: Some((namespace, labels)),
        }
    }

    fn outside(address: [u8; 4]) -> Self {
        Self {
            address: address.into(),
            pod: None,
        }
    }

    /// A pod of a run, with the labels of the operator's own snapshot.
    fn of_the_run(byte: u8, snapshot: &str, pointer: &str) -> Self {
        let path =
            format!("operator/src/build/snapshots/redyno_operator__build__tests__{snapshot}.snap");
        let text = read(&path);
        let yaml = text.splitn(3, "---\n").nth(2).expect("a snapshot's text");
        let object: Value = serde_saphyr::from_str(yaml).expect("YAML");
        let labels = object.pointer(pointer).expect("labels").clone();
        Self::pod(byte, "tests", labels)
    }
}

fn of_kubernetes<T: DeserializeOwned>(object: Value) -> T {
    serde_json::from_value(object).expect("an object of Kubernetes")
}

/// Whether a connection comes about between two of these parties.
fn connects(policies: &[Value], parties: [&Party; 2], port: u16) -> bool {
    let pods = parties.map(|party| (party.address, party.pod.clone()));
    let pods = pods.iter().filter_map(|(address, pod)| {
        let (namespace, labels) = pod.as_ref()?;
        Some(of_kubernetes(json!({
            "metadata": {"namespace": namespace, "labels": labels},
            "spec": {"containers": []},
            "status": {"phase": "Running", "podIP": address.to_string()},
        })))
    });
    let namespaces = ["tests", "monitoring", "kube-system", "redyno-system"];
    let cluster = Objects {
        policies: policies.iter().cloned().map(of_kubernetes).collect(),
        pods: pods.collect(),
        namespaces: namespaces
            .map(|name| {
                let labels = json!({"kubernetes.io/metadata.name": name});
                of_kubernetes(json!({"metadata": {"name": name, "labels": labels}}))
            })
            .to_vec(),
    };
    let [from, to] = parties;
    cluster.connects(from.address, to.address, port)
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
    let dyno = Party::of_the_run(11, "dynos_of_a_managed_target", template);
    let preflight = Party::of_the_run(12, "preflight_of_a_managed_target", template);
    let finish = Party::of_the_run(13, "finish", template);
    let redis = Party::of_the_run(14, "redis_pod", "/metadata/labels");
    let neighbour = Party::pod(15, "tests", json!({"app": "shop"}));
    let prometheus = Party::pod(16, "monitoring", json!({"app": "prometheus"}));
    let dns = Party::pod(17, "kube-system", json!({"k8s-app": "kube-dns"}));
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
            let found = connects(&default, [pod, party], port);
            assert_eq!(found, expected, "{pod:?} to {party:?} at {port}");
        }
        assert!(connects(&default, [&prometheus, pod], 9090));
        assert!(!connects(&default, [&prometheus, pod], 22));
        assert!(!connects(&default, [&far_redis, pod], 9090));
        assert!(!connects(&default, [&neighbour, &redis], 6379));
        assert!(
            !connects(&default, [&redis, &far_redis], 6379),
            "it replicates nothing"
        );
    }

    // Narrowed to one network and one scraper.
    let narrow = policies(&json!({"watchNamespaces": ["tests"], "networkPolicy": {
        "runs": {"targets": [{"to": [{"ipBlock": {"cidr": "10.1.0.0/16", "except": ["10.1.9.0/24"]}}], "ports": [7000]}]},
        "scrapers": {"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]},
    }}));
    assert!(connects(&narrow, [&dyno, &redis], 6379));
    assert!(connects(&narrow, [&dyno, &far_redis], 7000));
    assert!(!connects(&narrow, [&dyno, &far_redis], 6379));
    assert!(!connects(
        &narrow,
        [&dyno, &Party::outside([10, 1, 9, 1])],
        7000
    ));
    assert!(!connects(
        &narrow,
        [&dyno, &Party::outside([10, 2, 0, 1])],
        7000
    ));
    assert!(connects(&narrow, [&prometheus, &dyno], 9090));
    assert!(!connects(&narrow, [&neighbour, &dyno], 9090));
}

#[test]
fn the_operator_reaches_dns_and_the_api_server_alone() {
    if !helm_is_there() {
        return;
    }
    let objects = objects(&json!({}), &[]);
    let template = &only(&objects, "Deployment")["spec"]["template"];
    let operator = Party::pod(18, "redyno-system", template["metadata"]["labels"].clone());
    let policies = policies(&json!({}));
    let api_server = Party::outside([10, 0, 0, 1]);
    let prometheus = Party::pod(19, "monitoring", json!({}));
    assert!(connects(&policies, [&operator, &api_server], 6443));
    assert!(connects(&policies, [&operator, &api_server], 53));
    assert!(!connects(&policies, [&operator, &api_server], 6379));
    assert!(connects(&policies, [&prometheus, &operator], 8080));
    assert!(!connects(&policies, [&prometheus, &operator], 9090));
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
    // If the values do not name the namespaces of the tests, only the operator has a policy.
    assert_eq!(policies(&json!({})).len(), 1);
}
