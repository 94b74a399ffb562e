//! What a LoadTest's spec comes to.

use redyno_contract::Plan;

use crate::spec::{Engine, PodPlacement};

/// A LoadTest with every name looked up and every default filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// What the run's pods read.
    pub plan: Plan,
    /// One entry per dyno type, in the order of the LoadTest.
    pub formation: Vec<ResolvedDynos>,
    /// The managed Redis; None for an existing target.
    pub managed: Option<ResolvedRedis>,
    /// Whether a size or the managed Redis was shrunk: the verdict's message must say so.
    pub scaled: bool,
}

/// One dyno type's pods.
#[derive(Clone, Debug, PartialEq)]
pub struct ResolvedDynos {
    /// The type's name, `web`.
    pub dyno_type: String,
    /// The size as people call it: its name, or its CPU and memory.
    pub size_title: String,
    /// CPU request, in thousandths of a core, scaled.
    pub cpu_request_millis: u32,
    /// CPU limit, in thousandths of a core, scaled.
    pub cpu_limit_millis: u32,
    /// Memory, request and limit alike, in bytes, scaled.
    pub memory_bytes: u64,
    /// What the size was scaled to, in percent.
    pub scale_percent: u32,
    /// How many dynos.
    pub quantity: u32,
    /// Workers in each.
    pub workers: u32,
    /// Where and how its pods are placed.
    pub placement: Option<PodPlacement>,
}

/// The managed Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedRedis {
    /// The plan's name.
    pub plan_name: String,
    /// Which server it is.
    pub engine: Engine,
    /// CPU, request and limit alike, in thousandths of a core, scaled, at least 1000.
    pub cpu_millis: u32,
    /// Memory of its container, request and limit alike, in bytes: above maxmemory.
    pub memory_limit_bytes: u64,
    /// `maxmemory`, in bytes, scaled.
    pub maxmemory_bytes: u64,
    /// `maxclients`, never scaled.
    pub maxclients: u32,
    /// What the plan was scaled to, in percent.
    pub scale_percent: u32,
}

impl Resolved {
    /// What the verdict's message has to say of scaled sizes; None if nothing was scaled.
    pub fn scale_note(&self) -> Option<String> {
        if !self.scaled {
            return None;
        }
        let mut parts: Vec<(&str, u32)> = self
            .formation
            .iter()
            .map(|dynos| (dynos.dyno_type.as_str(), dynos.scale_percent))
            .collect();
        if let Some(redis) = &self.managed {
            parts.push((redis.engine.name(), redis.scale_percent));
        }
        let (_, first) = *parts.first()?;
        if parts.iter().all(|(_, percent)| *percent == first) {
            return Some(format!("Sizes were scaled to {first} %."));
        }
        let each: Vec<String> = parts
            .iter()
            .filter(|(_, percent)| *percent != 100)
            .map(|(name, percent)| format!("{name} to {percent} %"))
            .collect();
        Some(format!("Sizes were scaled: {}.", each.join(", ")))
    }
}
