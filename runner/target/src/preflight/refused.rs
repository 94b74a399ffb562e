//! Why a run must not begin.

use redis::{ErrorKind, RedisError};
use redyno_contract::message::Refusal;

use crate::connect::ConnectFailure;
use crate::words::presentable;

/// Why a run must not begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) reason: Refusal,
    pub(super) message: String,
}

impl Refused {
    pub(super) fn new(reason: Refusal, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
        }
    }
}

impl From<ConnectFailure> for Refused {
    fn from(failure: ConnectFailure) -> Self {
        let ConnectFailure {
            refusal,
            message,
            key_missing: _,
            may_heal: _,
        } = failure;
        Self::new(refusal, message)
    }
}

impl From<RedisError> for Refused {
    fn from(error: RedisError) -> Self {
        if error.is_timeout() {
            return Self::new(
                Refusal::ConnectionTimeout,
                "the target did not answer in time",
            );
        }
        if error.kind() == ErrorKind::Io {
            return Self::new(Refusal::Other, format!("the connection broke: {error}"));
        }
        let code = error.code().unwrap_or_default();
        of_reply(code, error.detail().unwrap_or_default())
    }
}

/// What an error reply means for the run.
pub(super) fn of_reply(code: &str, detail: &str) -> Refused {
    let words = presentable(&format!("{code} {detail}"), None);
    let (reason, meaning) = match code {
        "NOPERM" => (
            Refusal::PermissionDenied,
            "the URL's user lacks a permission",
        ),
        "NOAUTH" | "WRONGPASS" => (
            Refusal::AuthenticationFailed,
            "the target wants another password",
        ),
        "READONLY" => (
            Refusal::TargetIsReplica,
            "the target is a replica and refuses writes",
        ),
        "MOVED" | "ASK" | "CLUSTERDOWN" | "CROSSSLOT" => (
            Refusal::ClusterModeUnsupported,
            "the target is a Redis Cluster, which redyno cannot test",
        ),
        "OOM" => (Refusal::TooLittleMemory, "the target's memory is full"),
        "LOADING" => (Refusal::Other, "the target is still loading its data"),
        "MISCONF" => (
            Refusal::Other,
            "the target refuses writes because it cannot save its data",
        ),
        "NOREPLICAS" => (
            Refusal::Other,
            "the target refuses writes because it has too few replicas",
        ),
        _ => (Refusal::Other, "the target answered with an error"),
    };
    // Many a server ends its words as a sentence.
    Refused::new(
        reason,
        format!("{meaning} ({})", words.trim_end_matches('.')),
    )
}
