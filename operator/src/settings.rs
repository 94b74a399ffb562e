//! What the administrator set, by the chart's values.

use redyno_contract::plan::{Flush, TargetKind};
use redyno_crds::{Catalogue, Engine};

use crate::seal::Seal;

/// What the administrator set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Sizes and plans.
    pub catalogue: Catalogue,
    /// Image of preflight, dynos and finish.
    pub runner_image: String,
    /// Image of managed Redis servers.
    pub redis_image: String,
    /// Image of managed Valkey servers.
    pub valkey_image: String,
    /// When images are pulled: Always, IfNotPresent or Never.
    pub image_pull_policy: String,
    /// Secrets for pulling them, by name, in the LoadTest's namespace.
    pub image_pull_secrets: Vec<String>,
    /// Hosts of existing targets whose database a LoadTest may flush.
    pub flush_database_hosts: Vec<String>,
    /// Hosts of existing targets of which a LoadTest may flush all databases.
    pub flush_all_databases_hosts: Vec<String>,
    /// How long a dyno stays after its report, to be scraped once more.
    pub linger_seconds: u32,
    /// Whether dynos are annotated for a Prometheus that finds pods by `prometheus.io/scrape`.
    pub scrape_annotations: bool,
    /// By which the operator knows again what it wrote itself.
    pub seal: Seal,
    /// Whether a verdict other than Passed makes the LoadTest `Stalled` for tools that read it.
    pub failed_verdict_is_stalled: bool,
}

impl Settings {
    /// The image of a managed target.
    pub fn server_image(&self, engine: Engine) -> &str {
        match engine {
            Engine::Redis => &self.redis_image,
            Engine::Valkey => &self.valkey_image,
        }
    }

    /// Hosts on which this may be done to a target.
    pub fn flush_hosts(&self, target: TargetKind) -> &[String] {
        match target {
            TargetKind::Managed
            | TargetKind::Existing {
                flush: Flush::None | Flush::RunKeys,
            } => &[],
            TargetKind::Existing {
                flush: Flush::Database,
            } => &self.flush_database_hosts,
            TargetKind::Existing {
                flush: Flush::AllDatabases,
            } => &self.flush_all_databases_hosts,
        }
    }
}
