//! Sizes of dynos and plans of Redis by name: the built-in ones and an administrator's.

mod additions;
mod plans;
mod sizes;

use std::fmt;

pub use additions::InvalidCatalogue;

/// Every size and plan that a LoadTest may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalogue {
    sizes: Vec<Size>,
    plans: Vec<RedisPlan>,
}

/// A size of a dyno.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Size {
    /// Its name, `performance-2xl`.
    pub name: String,
    /// CPU request, in thousandths of a core.
    pub cpu_request_millis: u32,
    /// CPU limit, in thousandths of a core; above the request where the size shares its cores.
    pub cpu_limit_millis: u32,
    /// Memory, request and limit alike, in bytes.
    pub memory_bytes: u64,
    /// Most processes and threads; None where none is known.
    pub process_limit: Option<u32>,
    /// Workers if the LoadTest names none: the platform's WEB_CONCURRENCY for Node.
    pub default_workers: u32,
    /// Which of its cells nobody has published or measured.
    pub estimates: Vec<Cell>,
}

/// A cell of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cell {
    /// CPU.
    Cpu,
    /// Memory.
    Memory,
    /// Process limit.
    ProcessLimit,
    /// Default workers.
    DefaultWorkers,
}

impl fmt::Display for Cell {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Cpu => "CPU",
            Self::Memory => "memory",
            Self::ProcessLimit => "process limit",
            Self::DefaultWorkers => "default workers",
        })
    }
}

/// A plan of a managed Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisPlan {
    /// Its name, `premium-14`.
    pub name: String,
    /// Its maxmemory, in bytes.
    pub memory_bytes: u64,
    /// Its maxclients.
    pub connections: u32,
    /// Its CPU, in thousandths of a core.
    pub cpu_millis: u32,
    /// Which of its cells nobody has published or measured.
    pub estimates: Vec<Cell>,
}

impl Catalogue {
    /// The sizes and plans that redyno brings.
    pub fn built_in() -> Self {
        Self {
            sizes: sizes::built_in(),
            plans: plans::built_in(),
        }
    }

    /// The built-in ones and an administrator's, given as JSON:
    ///
    /// ```json
    /// {
    ///   "sizes": [{"name": "small", "cpu": "500m", "cpuLimit": "1", "memory": "512Mi",
    ///              "processLimit": 256, "workers": 2}],
    ///   "plans": [{"name": "tiny", "cpu": "1", "memory": "100Mi", "connections": 50}]
    /// }
    /// ```
    ///
    /// `cpuLimit` (default `cpu`) and `processLimit` (default none) may be left out, as may either
    /// list. A name of the built-in catalogue replaces that entry.
    ///
    /// # Errors
    /// [`InvalidCatalogue`] names the entry and what would be right.
    pub fn with_additions(json: &str) -> Result<Self, InvalidCatalogue> {
        additions::add(Self::built_in(), json)
    }

    /// The size of this name.
    pub fn size(&self, name: &str) -> Option<&Size> {
        self.sizes.iter().find(|size| size.name == name)
    }

    /// The plan of this name.
    pub fn plan(&self, name: &str) -> Option<&RedisPlan> {
        self.plans.iter().find(|plan| plan.name == name)
    }

    /// Every size, in the order of the catalogue.
    pub fn sizes(&self) -> &[Size] {
        &self.sizes
    }

    /// Every plan, in the order of the catalogue.
    pub fn plans(&self) -> &[RedisPlan] {
        &self.plans
    }

    /// Names of all sizes, in the order of the catalogue.
    pub fn size_names(&self) -> Vec<&str> {
        self.sizes.iter().map(|size| size.name.as_str()).collect()
    }

    /// Names of all plans, in the order of the catalogue.
    pub fn plan_names(&self) -> Vec<&str> {
        self.plans.iter().map(|plan| plan.name.as_str()).collect()
    }
}

#[cfg(test)]
mod tests;
