//! What a pod of a run says when it ends: the payload of a [`crate::record`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::report::Report;
use crate::verdict::Reason;

/// What one pod says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Message {
    /// From a dyno.
    Dyno(Box<Report>),
    /// From the preflight.
    Preflight(PreflightReport),
    /// From the finish.
    Finish(FinishReport),
}

/// What the preflight found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreflightReport {
    /// The run's uid.
    pub run: String,
    /// What it decided.
    pub result: PreflightResult,
    /// One sentence for people: what it saw.
    pub message: String,
    /// The target as it found it; None if it never got that far.
    pub target: Option<TargetFound>,
}

/// What the preflight decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PreflightResult {
    /// The run may begin. The lock is held and the phase is set.
    Passed,
    /// The run must not begin.
    Refused {
        /// Why.
        reason: Refusal,
    },
}

macro_rules! refusals {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// Why the preflight refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum Refusal {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Refusal {
            /// As it stands in the status: the reason of the condition `PreflightPassed`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }
        }
    };
}

refusals! {
    /// The host's name does not resolve.
    HostNotFound,
    /// Nothing listens there.
    ConnectionRefused,
    /// No answer in time.
    ConnectionTimeout,
    /// Wrong user or password, or one is required.
    AuthenticationFailed,
    /// The user may not run a command that the run needs.
    PermissionDenied,
    /// The server's certificate does not verify.
    TlsVerificationFailed,
    /// The URL asks for TLS, the server does not speak it.
    TlsNotOffered,
    /// The server wants TLS, the URL does not.
    TlsRequired,
    /// The target is a replica and refuses writes.
    TargetIsReplica,
    /// The target is a cluster.
    ClusterModeUnsupported,
    /// Fewer connections are free than the run needs.
    TooFewConnections,
    /// Prefill and warm-up do not fit into its memory.
    TooLittleMemory,
    /// The run would fill the target so far that it evicts keys that are not the run's.
    WouldEvictForeignKeys,
    /// A flush was asked for that the administrator does not allow on this host.
    FlushNotAllowed,
    /// A flush was asked for while others are connected.
    FlushOtherClients,
    /// A flush was asked for and foreign keys were found.
    FlushForeignData,
    /// Another run holds the lock.
    TargetBusy,
    /// The mounted URL is not one that redyno understands.
    InvalidUrl,
    /// Anything else that went wrong.
    Other,
}

impl Refusal {
    /// The reason of the verdict.
    pub const fn reason(self) -> Reason {
        match self {
            Self::TargetBusy => Reason::TargetBusy,
            Self::HostNotFound
            | Self::ConnectionRefused
            | Self::ConnectionTimeout
            | Self::AuthenticationFailed
            | Self::PermissionDenied
            | Self::TlsVerificationFailed
            | Self::TlsNotOffered
            | Self::TlsRequired
            | Self::TargetIsReplica
            | Self::ClusterModeUnsupported
            | Self::TooFewConnections
            | Self::TooLittleMemory
            | Self::WouldEvictForeignKeys
            | Self::FlushNotAllowed
            | Self::FlushOtherClients
            | Self::FlushForeignData
            | Self::InvalidUrl
            | Self::Other => Reason::PreflightFailed,
        }
    }
}

/// The target as the preflight found it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetFound {
    /// What it calls itself where that is not Redis: `server_name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// Its own version: `valkey_version` of a Valkey, else `redis_version`.
    pub version: Option<String>,
    /// `role`.
    pub role: Option<String>,
    /// `maxmemory` in bytes, 0 for none; None where neither INFO nor CONFIG says.
    pub maxmemory_bytes: Option<u64>,
    /// `maxclients`; None where neither INFO nor CONFIG says.
    pub maxclients: Option<u64>,
    /// Keys in the run's database before anything was done; None where INFO does not say.
    pub keys: Option<u64>,
    /// Clients connected, the preflight's own excluded; None where INFO does not say.
    pub other_clients: Option<u64>,
    /// Bytes that the whole run is expected to add, and after how long it is full: a forecast.
    pub expected_growth_bytes: u64,
    /// Seconds from t0 until maxmemory is reached at the planned rate; None if never in this run.
    pub full_after_seconds: Option<u64>,
    /// Keys that were flushed before the run.
    pub flushed_keys: u64,
}

/// What the finish did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FinishReport {
    /// The run's uid.
    pub run: String,
    /// Whether everything that had to go is gone and the lock is free.
    pub complete: bool,
    /// Keys removed: by the finish, and by dynos that were told to end before their time.
    pub removed_keys: u64,
    /// Data keys of the run that stay in the target; None where nobody could count them.
    #[serde(default)]
    pub left_keys: Option<u64>,
    /// One sentence for people: what was removed, or why it could not be.
    pub message: String,
}
