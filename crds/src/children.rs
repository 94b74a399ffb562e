//! The children of a run and their names: `<name>-<token>`, the same for everybody who looks.
//!
//! A LoadTest's name has at most 40 characters and a dyno type's at most 15 and no dash, so every
//! name is a valid Service and Job name, and no two LoadTests of a namespace share one.

use std::fmt;

/// Name of the only container of a runner's pod: preflight, dyno or finish.
pub const RUNNER_CONTAINER: &str = "runner";

/// Name of the only container of the managed Redis' pod.
pub const REDIS_CONTAINER: &str = "redis";

/// The last parts of names that are taken, so that no dyno type may be called like one.
pub(crate) const TOKENS: [&str; 5] = [PREFLIGHT, FINISH, REDIS, REPORT, PLAN];

const PLAN: &str = "plan";
const REPORT: &str = "report";
const REDIS: &str = "redis";
const PREFLIGHT: &str = "preflight";
const FINISH: &str = "finish";

/// An object that is made for a run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Child {
    /// The plan that all pods of the run read.
    Plan,
    /// The reports that the pods left.
    Report,
    /// The managed Redis.
    RedisPod,
    /// The Service by which the managed Redis is reached.
    RedisService,
    /// The check of the target.
    Preflight,
    /// The dynos of one type.
    Dynos(String),
    /// The Job that cleans up an existing target.
    Finish,
}

/// The kinds of children.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `v1` ConfigMap.
    ConfigMap,
    /// `v1` Pod.
    Pod,
    /// `v1` Service.
    Service,
    /// `batch/v1` Job.
    Job,
}

impl Kind {
    /// As it stands in `status.children`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConfigMap => "ConfigMap",
            Self::Pod => "Pod",
            Self::Service => "Service",
            Self::Job => "Job",
        }
    }
}

impl Child {
    /// Its kind.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Plan | Self::Report => Kind::ConfigMap,
            Self::RedisPod => Kind::Pod,
            Self::RedisService => Kind::Service,
            Self::Preflight | Self::Dynos(_) | Self::Finish => Kind::Job,
        }
    }

    /// The last part of its name. No dyno type may be called like one of the fixed ones.
    pub fn token(&self) -> &str {
        match self {
            Self::Plan => PLAN,
            Self::Report => REPORT,
            Self::RedisPod | Self::RedisService => REDIS,
            Self::Preflight => PREFLIGHT,
            Self::Dynos(dyno_type) => dyno_type,
            Self::Finish => FINISH,
        }
    }

    /// Its name in a LoadTest of this name.
    pub fn name(&self, load_test: &str) -> String {
        format!("{load_test}-{}", self.token())
    }

    /// What its pods do; the value of the label `app.kubernetes.io/component`.
    pub const fn component(&self) -> &'static str {
        match self {
            Self::Plan => PLAN,
            Self::Report => REPORT,
            Self::RedisPod | Self::RedisService => REDIS,
            Self::Preflight => PREFLIGHT,
            Self::Dynos(_) => "dyno",
            Self::Finish => FINISH,
        }
    }

    /// For people: `Job quickstart-web`.
    pub fn title(&self, load_test: &str) -> String {
        format!("{} {}", self.kind(), self.name(load_test))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_name_is_a_valid_name_of_a_service_and_a_pod() {
        let longest = Child::Dynos("a".repeat(15)).name(&"b".repeat(40));
        // An Indexed Job's pods have the hostname <job>-<index>, of at most 63 characters.
        assert!(format!("{longest}-99").len() <= 63, "{longest}");
    }

    #[test]
    fn pod_and_service_of_the_redis_share_a_name_but_not_a_kind() {
        assert_eq!(Child::RedisPod.name("a"), Child::RedisService.name("a"));
        assert_ne!(Child::RedisPod.kind(), Child::RedisService.kind());
    }
}
