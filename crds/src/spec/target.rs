//! The Redis under test.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{SECRET_NAME, SIZE_NAME, number};
use crate::rules;

/// The Redis under test: exactly one of managed and existing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::cel(rules::TARGET)))]
pub struct Target {
    /// A Redis made for this run alone: empty at its start, gone after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed: Option<ManagedTarget>,
    /// A Redis that is already there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub existing: Option<ExistingTarget>,
}

/// A Redis made for this run alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ManagedTarget {
    /// The plan whose memory, connection limit and CPU it gets: mini, premium-0, -1, -2, -3, -4,
    /// -5, -7, -9, -10, -12, -14, private- and shield-7, -9, -10, -12, -14, or a plan of the administrator's catalogue.
    #[schemars(length(min = 1, max = 40), regex(pattern = SIZE_NAME))]
    pub plan: String,
    /// Shrinks the plan's CPU and memory for small clusters, in percent, 1 to 100; never below 1
    /// CPU and 16 MiB, and never its connection limit. The verdict's message then says so. Default
    /// 100.
    #[serde(default = "number::<100>")]
    #[schemars(range(min = 1, max = 100))]
    pub scale_percent: i32,
    /// Which server it is. Redis: the image that the administrator set for Redis. Valkey: the one
    /// set for Valkey, with the same memory, connection limit and CPU. More values may join. Default
    /// Redis.
    #[serde(default = "Engine::default_value")]
    pub engine: Engine,
}

/// Which server a managed Redis is. More values may join.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Engine {
    /// redis-server.
    Redis,
    /// valkey-server.
    Valkey,
}

impl Engine {
    const fn default_value() -> Self {
        Self::Redis
    }

    /// Its name, for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Redis => "Redis",
            Self::Valkey => "Valkey",
        }
    }

    /// Its program, as it is called in its image and where it is installed.
    pub const fn program(self) -> &'static str {
        match self {
            Self::Redis => "redis-server",
            Self::Valkey => "valkey-server",
        }
    }
}

/// A Redis that is already there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::cel(rules::EXISTING)))]
pub struct ExistingTarget {
    /// The Secret that says where it is, in the LoadTest's namespace. Key url: redis:// or
    /// rediss://, with user, password and database. Optional keys ca.crt, tls.crt and tls.key. Only
    /// the pods of the run read it; the operator has no right to.
    pub secret_ref: SecretReference,
    /// How the certificate of a rediss:// server is verified. VerifyFull: the chain and the host
    /// name. VerifyCa: the chain only. SkipVerification: nothing, so that anyone in between can
    /// read and change the traffic. More values may join. Default VerifyFull.
    #[serde(default = "Tls::default_value")]
    pub tls: Tls,
    /// What may be removed from it. None: nothing but the run's coordination keys; its data stays.
    /// RunKeys: this run's own keys, afterwards. Database and AllDatabases: FLUSHDB and FLUSHALL
    /// before the run, refused unless the preflight finds nothing foreign there; they need
    /// confirmFlush. More values may join. Default RunKeys.
    #[serde(default = "Flush::default_value")]
    pub flush: Flush,
    /// Must equal the Secret's name if flush is Database or AllDatabases, so that nobody flushes by
    /// a slip. May be left out otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub confirm_flush: Option<String>,
}

/// A Secret in the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretReference {
    /// The Secret's name.
    #[schemars(length(min = 1, max = 253), regex(pattern = SECRET_NAME))]
    pub name: String,
}

/// How a TLS server's certificate is verified. More values may join.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Tls {
    /// The chain and the host name.
    VerifyFull,
    /// The chain only: any host name.
    VerifyCa,
    /// Nothing: anyone in between can read and change the traffic.
    SkipVerification,
}

impl Tls {
    const fn default_value() -> Self {
        Self::VerifyFull
    }
}

/// What may be removed from an existing Redis. More values may join.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Flush {
    /// Nothing but the run's coordination keys: its data stays.
    None,
    /// This run's own keys, afterwards.
    RunKeys,
    /// FLUSHDB before the run.
    Database,
    /// FLUSHALL before the run.
    AllDatabases,
}

impl Flush {
    const fn default_value() -> Self {
        Self::RunKeys
    }
}
