//! The command line. Every flag of `run` can also be set by its environment variable.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::{ArgAction, Parser, Subcommand};
use redyno_crds::Catalogue;

use crate::seal::Seal;
use crate::settings::Settings;
use crate::telemetry::LogFormat;

/// The Kubernetes operator of redyno: load tests of Redis by formations of dynos.
#[derive(Debug, Parser)]
#[command(name = "redyno-operator", version)]
pub struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Watch LoadTests and carry them out.
    Run(Box<RunArguments>),
    /// Print the CustomResourceDefinition as YAML.
    Crd,
}

#[derive(Debug, Parser)]
pub(crate) struct RunArguments {
    /// Watch only these namespaces; all of them if none is given.
    #[arg(
        long = "watch-namespace",
        env = "REDYNO_WATCH_NAMESPACES",
        value_delimiter = ',',
        value_name = "NAMESPACE"
    )]
    pub(crate) watch_namespaces: Vec<String>,

    /// Image of preflight, dynos and finish.
    #[arg(long, env = "REDYNO_RUNNER_IMAGE", value_name = "IMAGE")]
    pub(crate) runner_image: String,

    /// Image of managed Redis servers.
    #[arg(long, env = "REDYNO_REDIS_IMAGE", value_name = "IMAGE")]
    pub(crate) redis_image: String,

    /// Image of managed Valkey servers. The chart of an earlier release names none.
    #[arg(
        long,
        env = "REDYNO_VALKEY_IMAGE",
        default_value = "docker.io/valkey/valkey:8.1",
        value_name = "IMAGE"
    )]
    pub(crate) valkey_image: String,

    /// When images are pulled.
    #[arg(
        long,
        env = "REDYNO_IMAGE_PULL_POLICY",
        default_value = "IfNotPresent",
        value_parser = ["Always", "IfNotPresent", "Never"]
    )]
    pub(crate) image_pull_policy: String,

    /// Secrets for pulling images, by name; they must be in the LoadTests' namespaces.
    #[arg(
        long,
        env = "REDYNO_IMAGE_PULL_SECRETS",
        value_delimiter = ',',
        value_name = "SECRET"
    )]
    pub(crate) image_pull_secrets: Vec<String>,

    /// A JSON file with sizes and plans to add to the built-in ones.
    #[arg(long, env = "REDYNO_CATALOGUE", value_name = "FILE")]
    pub(crate) catalogue: Option<PathBuf>,

    /// Hosts of existing targets whose database a LoadTest may flush (FLUSHDB), as their URLs name
    /// them: `*` for any, `*.example.com` for any below it; none if empty.
    #[arg(
        long = "flush-database-host",
        env = "REDYNO_FLUSH_DATABASE_HOSTS",
        default_value = "*",
        value_delimiter = ',',
        value_name = "HOST"
    )]
    pub(crate) flush_database_hosts: Vec<String>,

    /// Hosts of existing targets of which a LoadTest may flush all databases (FLUSHALL).
    #[arg(
        long = "flush-all-databases-host",
        env = "REDYNO_FLUSH_ALL_DATABASES_HOSTS",
        value_delimiter = ',',
        value_name = "HOST"
    )]
    pub(crate) flush_all_databases_hosts: Vec<String>,

    /// How long a dyno stays after its report was written, to be scraped once more.
    #[arg(
        long,
        env = "REDYNO_LINGER_SECONDS",
        default_value_t = 0,
        value_parser = clap::value_parser!(u32).range(0..=3600)
    )]
    pub(crate) linger_seconds: u32,

    /// Whether dynos are annotated for a Prometheus that finds pods by `prometheus.io/scrape`.
    #[arg(
        long,
        env = "REDYNO_SCRAPE_ANNOTATIONS",
        default_value_t = false,
        action = ArgAction::Set
    )]
    pub(crate) scrape_annotations: bool,

    /// Where to serve /metrics, /healthz and /readyz.
    #[arg(long, env = "REDYNO_HTTP", default_value = "0.0.0.0:8080")]
    pub(crate) http: SocketAddr,

    /// A file with the key by which the operator knows again what it wrote itself: 32 bytes or more,
    /// at random. Without it the operator makes one that is gone with it: after a restart the
    /// reports of pods that are gone by then count as missing.
    #[arg(long, env = "REDYNO_SEAL_KEY", value_name = "FILE")]
    pub(crate) seal_key: Option<PathBuf>,

    /// Whether a verdict other than Passed sets the condition Stalled.
    #[arg(
        long,
        env = "REDYNO_FAILED_VERDICT_IS_STALLED",
        default_value_t = true,
        action = ArgAction::Set
    )]
    pub(crate) failed_verdict_is_stalled: bool,

    /// How log lines are written.
    #[arg(long, env = "REDYNO_LOG_FORMAT", value_enum, default_value = "text")]
    pub(crate) log_format: LogFormat,
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidSettings {
    /// The catalogue's file cannot be read.
    #[error("failed to read the catalogue {path}")]
    Unreadable {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The key of the seal cannot be read.
    #[error("failed to read the key of the seal {path}")]
    SealKey {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no key.
    #[error("the key of the seal {path} cannot be used")]
    Seal {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: crate::seal::KeyTooShort,
    },
    /// There is none, and none can be made.
    #[error("the system has no randomness to make a key of")]
    NoRandomness,
    /// It is not a catalogue.
    #[error("the catalogue {path} is not valid")]
    Catalogue {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: redyno_crds::catalogue::InvalidCatalogue,
    },
}

impl RunArguments {
    /// The namespaces to watch; None stands for all of them.
    pub(crate) fn namespaces(&self) -> Vec<Option<String>> {
        let mut names = self.watch_namespaces.clone();
        names.retain(|name| !name.is_empty());
        names.sort();
        names.dedup();
        if names.is_empty() {
            vec![None]
        } else {
            names.into_iter().map(Some).collect()
        }
    }

    /// What the administrator set.
    pub(crate) fn settings(&self) -> Result<Settings, InvalidSettings> {
        let Self {
            watch_namespaces: _,
            runner_image,
            redis_image,
            valkey_image,
            image_pull_policy,
            image_pull_secrets,
            catalogue,
            flush_database_hosts,
            flush_all_databases_hosts,
            linger_seconds,
            scrape_annotations,
            http: _,
            seal_key,
            failed_verdict_is_stalled,
            log_format: _,
        } = self;
        let catalogue = match catalogue {
            None => Catalogue::built_in(),
            Some(path) => {
                let json = std::fs::read_to_string(path).map_err(|source| {
                    InvalidSettings::Unreadable {
                        path: path.clone(),
                        source,
                    }
                })?;
                Catalogue::with_additions(&json).map_err(|source| InvalidSettings::Catalogue {
                    path: path.clone(),
                    source,
                })?
            }
        };
        Ok(Settings {
            catalogue,
            runner_image: runner_image.clone(),
            redis_image: redis_image.clone(),
            valkey_image: valkey_image.clone(),
            image_pull_policy: image_pull_policy.clone(),
            image_pull_secrets: named(image_pull_secrets),
            flush_database_hosts: named(flush_database_hosts),
            flush_all_databases_hosts: named(flush_all_databases_hosts),
            linger_seconds: *linger_seconds,
            scrape_annotations: *scrape_annotations,
            seal: seal(seal_key.as_deref())?,
            failed_verdict_is_stalled: *failed_verdict_is_stalled,
        })
    }
}

fn seal(file: Option<&Path>) -> Result<Seal, InvalidSettings> {
    let Some(path) = file.filter(|path| !path.as_os_str().is_empty()) else {
        return Seal::of_this_process().map_err(|_| InvalidSettings::NoRandomness);
    };
    let path = path.to_owned();
    let key = match std::fs::read(&path) {
        Ok(key) => key,
        Err(source) => return Err(InvalidSettings::SealKey { path, source }),
    };
    Seal::new(&key).map_err(|source| InvalidSettings::Seal { path, source })
}

/// An empty variable is one empty name to the parser; it means none.
fn named(names: &[String]) -> Vec<String> {
    let mut names = names.to_vec();
    names.retain(|name| !name.is_empty());
    names
}

#[cfg(test)]
mod tests {
    use redyno_contract::plan::{Flush, TargetKind};
    use redyno_crds::Engine;

    use super::*;

    fn run(arguments: &[&str]) -> RunArguments {
        let all = [
            "redyno-operator",
            "run",
            "--runner-image=r",
            "--redis-image=s",
        ]
        .iter()
        .chain(arguments);
        let Command::Run(run) = Arguments::parse_from(all).command else {
            panic!("not run");
        };
        *run
    }

    #[test]
    fn namespaces_are_a_list_or_a_repeated_flag_and_none_means_all() {
        assert_eq!(run(&[]).namespaces(), [None]);
        assert_eq!(run(&["--watch-namespace="]).namespaces(), [None]);
        assert_eq!(
            run(&["--watch-namespace=b,a", "--watch-namespace=a"]).namespaces(),
            [Some("a".to_owned()), Some("b".to_owned())]
        );
    }

    #[test]
    fn a_failed_verdict_can_be_told_not_to_stall() {
        assert!(run(&[]).failed_verdict_is_stalled);
        assert!(!run(&["--failed-verdict-is-stalled", "false"]).failed_verdict_is_stalled);
    }

    #[test]
    fn a_database_may_be_flushed_anywhere_and_all_of_them_nowhere_unless_said() {
        let hosts = |arguments: &[&str]| {
            let settings = run(arguments).settings().unwrap();
            [Flush::RunKeys, Flush::Database, Flush::AllDatabases].map(|flush| {
                settings
                    .flush_hosts(TargetKind::Existing { flush })
                    .join(" ")
            })
        };
        assert_eq!(hosts(&[]), ["", "*", ""]);
        assert_eq!(hosts(&["--flush-database-host="]), ["", "", ""]);
        assert_eq!(
            hosts(&[
                "--flush-database-host=a,*.b",
                "--flush-all-databases-host=c"
            ]),
            ["", "a *.b", "c"]
        );
    }

    #[test]
    fn each_server_has_an_image_of_its_own() {
        let images = |arguments: &[&str]| {
            let settings = run(arguments).settings().unwrap();
            [Engine::Redis, Engine::Valkey].map(|engine| settings.server_image(engine).to_owned())
        };
        assert_eq!(images(&["--valkey-image=v"]), ["s", "v"]);
        assert_eq!(images(&[]), ["s", "docker.io/valkey/valkey:8.1"]);
    }

    #[test]
    fn a_missing_catalogue_is_named() {
        let error = run(&["--catalogue=/does/not/exist"])
            .settings()
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "failed to read the catalogue /does/not/exist"
        );
    }
}
