//! Whether the server is one that keeps what is written: no replica, no sentinel, no cluster.

use redyno_contract::message::Refusal;

use crate::info::Info;
use crate::preflight::refused::Refused;

pub(super) fn check(info: &Info) -> Result<(), Refused> {
    if info.cluster_enabled || info.mode.as_deref() == Some("cluster") {
        return Err(Refused::new(
            Refusal::ClusterModeUnsupported,
            "the target is a Redis Cluster, which redyno cannot test: every dyno speaks with one server",
        ));
    }
    if info.mode.as_deref() == Some("sentinel") {
        return Err(Refused::new(
            Refusal::Other,
            "the target is a Sentinel, not a Redis: give the URL of the master that it watches",
        ));
    }
    // What is written to a writable replica is lost with its next synchronisation.
    if matches!(info.role.as_deref(), Some("slave" | "replica")) {
        return Err(Refused::new(
            Refusal::TargetIsReplica,
            "the target is a replica: give the URL of its master",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_and_modes() {
        for (reply, refusal) in [
            (
                "role:master\nredis_mode:standalone\ncluster_enabled:0",
                None,
            ),
            ("", None),
            ("role:slave", Some(Refusal::TargetIsReplica)),
            (
                "role:master\ncluster_enabled:1",
                Some(Refusal::ClusterModeUnsupported),
            ),
            ("redis_mode:cluster", Some(Refusal::ClusterModeUnsupported)),
            ("redis_mode:sentinel", Some(Refusal::Other)),
        ] {
            let found = check(&Info::parse(reply.as_bytes())).err();
            assert_eq!(found.map(|refused| refused.reason), refusal, "{reply}");
        }
    }
}
