//! Every way for a run to end, or to get stuck: what happens, and what is made of it.

mod accepting;
mod cancelling;
mod dying;
mod ending;
mod forging;
mod managed_redis;
mod preflight;
mod waiting;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use redyno_crds::children::Child;
use redyno_crds::conditions::SUCCEEDED;

use crate::fixtures::Cluster;

/// What is expected at the end of a row.
enum Expect {
    /// The run is over: verdict, reason of Succeeded, words of the message.
    Over(&'static str, &'static str, &'static [&'static str]),
    /// It is not: a condition, its status and reason.
    Waiting(&'static str, &'static str),
}
use Expect::{Over, Waiting};

struct Row {
    title: &'static str,
    yaml: &'static str,
    happens: fn(&mut Cluster),
    expect: Expect,
}

const fn row(
    title: &'static str,
    yaml: &'static str,
    happens: fn(&mut Cluster),
    expect: Expect,
) -> Row {
    Row {
        title,
        yaml,
        happens,
        expect,
    }
}

fn check(rows: &[Row]) {
    for Row {
        title,
        yaml,
        happens,
        expect,
    } in rows
    {
        let mut cluster = Cluster::new(yaml);
        happens(&mut cluster);
        cluster.look();
        match expect {
            Over(verdict, reason, words) => {
                let status = cluster.status();
                assert_eq!(
                    status.verdict.as_deref(),
                    Some(*verdict),
                    "{title}: {status:#?}\n{:?}",
                    cluster.done
                );
                let succeeded = cluster.condition(SUCCEEDED);
                assert!(
                    succeeded.ends_with(&format!(" {reason}")),
                    "{title}: {succeeded}, {:?}",
                    status.message
                );
                let message = status.message.clone().unwrap();
                for word in *words {
                    assert!(message.contains(word), "{title}: no {word} in: {message}");
                }
                let told = cluster.notices.last().unwrap();
                assert!(told.is_verdict(), "{title}: {told:?}");
            }
            Waiting(type_, expected) => {
                assert_eq!(cluster.status().verdict, None, "{title}");
                assert_eq!(cluster.condition(type_), *expected, "{title}");
                assert!(cluster.requeue.is_some(), "{title}: looks again");
            }
        }
        let done = cluster.done.len();
        cluster.look();
        assert_eq!(cluster.done.len(), done, "{title}: twice is once");
    }
}

/// SIGTERM reaches the pods of the Jobs that were deleted; the finish ends.
fn finish(cluster: &mut Cluster) {
    cluster.look();
    if !cluster.pods_of(&Child::Finish).is_empty() {
        cluster.finish_ends();
    }
}

fn delete_mark(cluster: &mut Cluster, name: &str) {
    let now = Time(cluster.now);
    cluster.change_pod(name, |pod| pod.metadata.deletion_timestamp = Some(now));
    cluster.look();
}
