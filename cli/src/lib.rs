//! Run a LoadTest without a cluster or in one, watch it, report it.
//!
//! [`start`] is the whole program. Of its parts, [`report`] prints a run that has ended and
//! [`progress`] one that is under way; `local` runs one with processes of this machine, `cluster`
//! with pods.

mod arguments;
mod cluster;
mod demo;
mod exit;
mod file;
mod local;
mod output;
mod precision;
pub mod progress;
pub mod report;

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::pin::Pin;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};
use redyno_contract::Verdict;

use crate::arguments::{
    Arguments, CleanArguments, Command, DemoArguments, ReportArguments, RunArguments,
    ValidateArguments, WatchArguments,
};
use crate::exit::Failure;
use crate::local::Wishes;
use crate::progress::Display;

/// Runs the command that the arguments ask for.
pub fn start(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let arguments = match parse(&arguments) {
        Ok(arguments) => arguments,
        Err(message) => {
            drop(message.print());
            return ExitCode::from(if message.use_stderr() { exit::USAGE } else { 0 });
        }
    };
    let work: Pin<Box<dyn Future<Output = Result<ExitCode, Failure>>>> = match arguments.command {
        Command::Run(arguments) => Box::pin(run(arguments)),
        Command::Demo(arguments) => Box::pin(demo(arguments)),
        Command::Validate(arguments) => Box::pin(async { validate(arguments) }),
        Command::Clean(arguments) => Box::pin(clean(arguments)),
        Command::Watch(arguments) => Box::pin(watch(arguments)),
        Command::Report(arguments) => Box::pin(report_of(arguments)),
        Command::Guard(arguments) => Box::pin(async { Ok(local::guard(arguments).await?) }),
        // A process of a run makes its own runtime, of another kind.
        Command::Runner(arguments) => {
            redyno_runner::log_to_standard_error();
            return redyno_runner::run_blocking(arguments);
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return failed(&Failure::Other(error.into())),
    };
    let outcome = runtime.block_on(work);
    // A read of standard input that still blocks must not delay the end.
    runtime.shutdown_background();
    outcome.unwrap_or_else(|failure| failed(&failure))
}

/// Parses the arguments. As a plugin of kubectl, the command calls itself `kubectl redyno`.
fn parse(arguments: &[OsString]) -> Result<Arguments, clap::Error> {
    let is_plugin = arguments
        .first()
        .and_then(|program| Path::new(program).file_stem())
        .is_some_and(|name| name == "kubectl-redyno");
    let mut command = Arguments::command();
    if is_plugin {
        command = command.bin_name("kubectl redyno");
    }
    let matches = command.try_get_matches_from_mut(arguments)?;
    Arguments::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

fn failed(failure: &Failure) -> ExitCode {
    let chain = match failure {
        Failure::Usage(sentence) => sentence.clone(),
        Failure::Other(error) => format!("{error:#}"),
    };
    // If standard error is gone, nobody is left to be told.
    drop(writeln!(std::io::stderr(), "error: {chain}"));
    failure.code()
}

async fn watch(arguments: WatchArguments) -> Result<ExitCode, Failure> {
    Ok(exit_code(cluster::watch(arguments.which).await?))
}

async fn report_of(arguments: ReportArguments) -> Result<ExitCode, Failure> {
    let verdict = cluster::report(arguments.which, arguments.full).await?;
    Ok(exit_code(verdict))
}

fn exit_code(verdict: Verdict) -> ExitCode {
    ExitCode::from(exit::of(verdict))
}

async fn run(arguments: RunArguments) -> Result<ExitCode, Failure> {
    let RunArguments {
        file,
        changes,
        output,
        redis_url,
        tls,
        confirm_flush,
        in_cluster,
        namespace,
    } = arguments;
    if in_cluster {
        let verdict = cluster::run(&file, changes, namespace.as_deref(), output).await?;
        return Ok(exit_code(verdict));
    }
    let load_test = file::load(&file, changes)?;
    let wishes = Wishes {
        redis_url,
        environment_url: environment_url(),
        confirm_flush,
        tls,
    };
    let prepared = local::prepare(load_test, &wishes)
        .map_err(|problem| Failure::Usage(format!("{}: {problem}", file.display())))?;
    let mut display = Display::standard_error();
    if prepared.is_managed() && wishes.environment_url.is_some() {
        display.say("REDIS_URL is not used: this target is a Redis of the run's own; --redis-url would replace it");
    }
    let finished = local::run(prepared, None, &mut display).await?;
    let verdict = output::local(&finished, output).map_err(anyhow::Error::from)?;
    Ok(exit_code(verdict))
}

async fn clean(arguments: CleanArguments) -> Result<ExitCode, Failure> {
    let CleanArguments {
        redis_url,
        end_dead_run,
        tls,
    } = arguments;
    let dead = end_dead_run.as_deref();
    match (redis_url, environment_url()) {
        (Some(url), _) => local::clean("--redis-url", &url, &tls, dead).await,
        (None, Some(url)) => local::clean("REDIS_URL", &url, &tls, dead).await,
        (None, None) => Err(Failure::Usage(
            "which Redis is to be cleaned? Give --redis-url, such as redis://user:password@host:6379/0, or set REDIS_URL"
                .to_owned(),
        )),
    }
}

/// `REDIS_URL`.
fn environment_url() -> Option<String> {
    std::env::var("REDIS_URL")
        .ok()
        .filter(|url| !url.is_empty())
}

async fn demo(arguments: DemoArguments) -> Result<ExitCode, Failure> {
    let load_test = demo::load_test(&arguments)?;
    let prepared = local::prepare(load_test, &Wishes::default()).map_err(Failure::Usage)?;
    let mut display = Display::standard_error();
    for line in demo::forecast(prepared.resolved(), prepared.maxmemory_bytes()) {
        display.say(&line);
    }
    let finished = local::run(prepared, Some(demo::STALL), &mut display).await?;
    display.say("");
    let verdict = output::local(&finished, arguments.output).map_err(anyhow::Error::from)?;
    display.say("");
    if let Some(lesson) = finished.judgement.as_ref().and_then(demo::lesson) {
        display.emphasize(&lesson);
    }
    display.say("Next:");
    let program = std::env::args()
        .next()
        .unwrap_or_else(|| "redyno".to_owned());
    for command in demo::next_commands(
        &program,
        arguments.file.as_deref(),
        arguments.changes,
        verdict,
    ) {
        display.say(&command);
    }
    Ok(exit_code(verdict))
}

fn validate(arguments: ValidateArguments) -> Result<ExitCode, Failure> {
    for path in arguments.files {
        let load_tests = file::load_all(&path)?;
        let names: Vec<&str> = load_tests
            .iter()
            .filter_map(|load_test| load_test.metadata.name.as_deref())
            .collect();
        output::line(&format!("{}: valid ({})", path.display(), names.join(", ")))
            .map_err(anyhow::Error::from)?;
    }
    Ok(ExitCode::SUCCESS)
}
