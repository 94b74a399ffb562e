//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use redyno_runner::arguments::RunnerArguments;

use crate::local::GuardArguments;

/// Load-tests Redis the way your dynos will use it.
///
/// Exit codes: 0 Passed, 1 Failed, 2 Errored, 3 Inconclusive, 64 invalid file or usage.
#[derive(Debug, Parser)]
#[command(name = "redyno", version, propagate_version = true)]
pub(crate) struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a LoadTest, without a cluster or in one, and report it
    Run(RunArguments),
    /// Run a small LoadTest against a Redis of its own and stall that Redis for a second
    Demo(DemoArguments),
    /// Check LoadTests of files as the API server would
    Validate(ValidateArguments),
    /// Follow a LoadTest in the cluster to its end and report it
    Watch(WatchArguments),
    /// Report a LoadTest of the cluster
    Report(ReportArguments),
    /// Remove what killed runs left in a Redis
    Clean(CleanArguments),
    /// One process of a run; the command starts these itself
    #[command(hide = true)]
    Runner(RunnerArguments),
    /// Ends a managed Redis and removes a run's folder when the command is gone
    #[command(hide = true)]
    Guard(GuardArguments),
}

/// How the result is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// Tables for people
    #[default]
    Table,
    /// The LoadTest with its status, as the API server would hold it
    Json,
    /// The same as YAML
    Yaml,
    /// The tables and charts as one page that needs nothing else: redirect it into a file
    Html,
    /// A JUnit test suite for CI systems
    Junit,
}

impl Output {
    /// Whether this format shows the run's evidence, which is more than the LoadTest holds.
    pub(crate) const fn shows_evidence(self) -> bool {
        match self {
            Self::Table | Self::Html | Self::Junit => true,
            Self::Json | Self::Yaml => false,
        }
    }
}

/// Values of a file that are changed for one run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Args)]
pub(crate) struct Changes {
    /// Measure for this long instead of the file's durationSeconds
    #[arg(long, value_name = "N")]
    pub(crate) duration_seconds: Option<i32>,
    /// Scale every rate to this percentage, instead of the file's loadPercent
    #[arg(long, value_name = "N")]
    pub(crate) load_percent: Option<i32>,
    /// Shrink every size to this percentage, instead of the file's scalePercent
    #[arg(long, value_name = "N")]
    pub(crate) scale_percent: Option<i32>,
}

/// `redyno run`.
#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// File with one LoadTest, or - for standard input
    pub(crate) file: PathBuf,
    /// Values of the file that are changed for this run.
    #[command(flatten)]
    pub(crate) changes: Changes,
    /// Print the result as
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: Output,
    /// The Redis to load, in place of the file's target; REDIS_URL is read for an existing target only
    #[arg(long, value_name = "URL", conflicts_with = "in_cluster")]
    pub(crate) redis_url: Option<String>,
    /// How TLS is spoken with a rediss:// URL.
    #[command(flatten)]
    pub(crate) tls: TlsArguments,
    /// Confirms that this database may be flushed, when the file's target says so
    #[arg(long, value_name = "HOST:PORT/DB", conflicts_with = "in_cluster")]
    pub(crate) confirm_flush: Option<String>,
    /// Create the LoadTest in the current cluster and follow it
    #[arg(long, conflicts_with_all = ["ca", "cert", "key", "verification"])]
    pub(crate) in_cluster: bool,
    /// Namespace of the cluster
    #[arg(short, long, requires = "in_cluster")]
    pub(crate) namespace: Option<String>,
}

/// How TLS is spoken with the Redis of a rediss:// URL.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct TlsArguments {
    /// PEM file of the authorities that may sign the server's certificate; without it, the
    /// system's, or those of SSL_CERT_FILE
    #[arg(long = "tls-ca", value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// PEM file of the client's own certificate, for servers that want one
    #[arg(long = "tls-cert", value_name = "FILE", requires = "key")]
    pub(crate) cert: Option<PathBuf>,
    /// PEM file of its key
    #[arg(long = "tls-key", value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,
    /// How much of the server's certificate is verified, instead of the file's tls
    #[arg(long = "tls", value_enum, value_name = "WHAT")]
    pub(crate) verification: Option<Verification>,
}

/// How much of a server's certificate is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
#[expect(
    clippy::enum_variant_names,
    reason = "the words of the API, which are written here as they are there"
)]
pub(crate) enum Verification {
    /// The chain and the host name
    VerifyFull,
    /// The chain only: any host name
    VerifyCa,
    /// Nothing: anyone in between can read and change the traffic
    SkipVerification,
}

/// `redyno demo`.
#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// File with one LoadTest on a managed target; without it, a built-in one
    pub(crate) file: Option<PathBuf>,
    /// Backlog limit of every worker, such as 5 to see a test fail
    #[arg(long, value_name = "N")]
    pub(crate) max_worker_backlog: Option<i32>,
    /// Values of the file that are changed for this run.
    #[command(flatten)]
    pub(crate) changes: Changes,
    /// Print the result as
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: Output,
}

/// `redyno validate`.
#[derive(Debug, Args)]
pub(crate) struct ValidateArguments {
    /// Files with LoadTests, or - for standard input
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
}

/// Which LoadTest of the cluster.
#[derive(Clone, Debug, Args)]
pub(crate) struct InCluster {
    /// The LoadTest's name
    pub(crate) name: String,
    /// Its namespace; the kubeconfig's current one if not given
    #[arg(short, long)]
    pub(crate) namespace: Option<String>,
    /// Print the result as
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: Output,
}

/// `redyno watch`.
#[derive(Debug, Args)]
pub(crate) struct WatchArguments {
    /// Which LoadTest.
    #[command(flatten)]
    pub(crate) which: InCluster,
}

/// `redyno report`.
#[derive(Debug, Args)]
pub(crate) struct ReportArguments {
    /// Which LoadTest.
    #[command(flatten)]
    pub(crate) which: InCluster,
    /// Read full-precision histograms from the dynos' logs, with your own rights
    #[arg(long)]
    pub(crate) full: bool,
}

/// `redyno clean`.
#[derive(Debug, Args)]
pub(crate) struct CleanArguments {
    /// The Redis and its database; without it, that of REDIS_URL
    #[arg(long, value_name = "URL")]
    pub(crate) redis_url: Option<String>,
    /// Also end this run, which holds the Redis: without it, clean says which one that is
    #[arg(long, value_name = "NAMESPACE/NAME")]
    pub(crate) end_dead_run: Option<String>,
    /// How TLS is spoken with a rediss:// URL.
    #[command(flatten)]
    pub(crate) tls: TlsArguments,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parsed(line: &str) -> Result<Command, String> {
        Arguments::try_parse_from(std::iter::once("redyno").chain(line.split_whitespace()))
            .map(|arguments| arguments.command)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_run_takes_its_changes() {
        let Ok(Command::Run(arguments)) = parsed(
            "run test.yaml --duration-seconds 3 --load-percent 50 --scale-percent 5 -o json",
        ) else {
            panic!("not a run");
        };
        assert_eq!(arguments.file, PathBuf::from("test.yaml"));
        assert_eq!(
            arguments.changes,
            Changes {
                duration_seconds: Some(3),
                load_percent: Some(50),
                scale_percent: Some(5),
            }
        );
        assert_eq!(arguments.output, Output::Json);
        assert!(!arguments.in_cluster);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (line, named) in [
            ("run", "<FILE>"),
            (
                "run test.yaml --duration-seconds soon",
                "--duration-seconds",
            ),
            ("run test.yaml -o xml", "junit"),
            ("run test.yaml -n team", "--in-cluster"),
            (
                "run test.yaml --in-cluster --redis-url redis://x",
                "--redis-url",
            ),
            (
                "run test.yaml --in-cluster --confirm-flush x:1/0",
                "--confirm-flush",
            ),
            ("clean redis://x", "redis://x"),
            ("report", "<NAME>"),
            ("validate", "<FILES>"),
            ("explode", "explode"),
        ] {
            let error = parsed(line).err().unwrap_or_default();
            assert!(error.contains(named), "{line}: {error}");
        }
    }

    #[test]
    fn a_cluster_takes_a_namespace() {
        assert!(matches!(
            parsed("run test.yaml --in-cluster -n team"),
            Ok(Command::Run(RunArguments { in_cluster: true, namespace: Some(namespace), .. }))
                if namespace == "team"
        ));
        assert!(matches!(
            parsed("report nightly --namespace team --full -o yaml"),
            Ok(Command::Report(ReportArguments { full: true, which }))
                if which.name == "nightly"
                    && which.namespace.as_deref() == Some("team")
                    && which.output == Output::Yaml
        ));
        assert!(matches!(parsed("watch nightly"), Ok(Command::Watch(_))));
    }

    #[test]
    fn processes_of_a_run_are_hidden() {
        let help = Arguments::command().render_long_help().to_string();
        assert!(help.contains("demo"));
        assert!(
            !help.contains("guard") && !help.contains("runner"),
            "{help}"
        );
    }
}
