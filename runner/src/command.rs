//! The three parts of a run, each a process.

use std::sync::Arc;

use redyno_contract::exit::Exit;
use redyno_contract::message::{PreflightResult, Refusal};
use redyno_contract::{FinishReport, Message, Plan, PreflightReport, files};
use redyno_target::{InvalidTarget, SystemNetwork, Target};

use crate::arguments::{CommonArguments, DynoArguments, Part};
use crate::command_error::CommandError;
use crate::configuration;
use crate::dyno;
use crate::output::RecordFile;
use crate::termination::Termination;

/// Does one part of a run.
pub(crate) async fn run(part: Part) -> Result<Exit, CommandError> {
    match part {
        Part::Preflight(common) => preflight(&common).await,
        Part::Dyno(arguments) => dyno(arguments).await,
        Part::Finish(common) => finish(&common).await,
    }
}

fn target(common: &CommonArguments, plan: &Plan) -> Result<Target, InvalidTarget> {
    let directory = common.config.join(files::TARGET);
    Target::from_directory(&directory, plan.target.tls, Arc::new(SystemNetwork))
}

async fn preflight(common: &CommonArguments) -> Result<Exit, CommandError> {
    let mut termination = Termination::listen(common.parent_guard)?;
    let plan = configuration::read_plan(&common.config)?;
    let mut record = RecordFile::open(&common.report)?;
    let report = match target(common, &plan) {
        Ok(target) => tokio::select! {
            report = redyno_target::preflight::run(&plan, &target, &common.pod_uid) => report,
            () = termination.wait() => return Ok(Exit::Terminated),
        },
        Err(error) => PreflightReport {
            run: plan.run.uid.clone(),
            result: PreflightResult::Refused {
                reason: match error {
                    InvalidTarget::NoUrl | InvalidTarget::UrlNotText | InvalidTarget::Url(_) => {
                        Refusal::InvalidUrl
                    }
                    InvalidTarget::File { .. }
                    | InvalidTarget::FileTooLong(_)
                    | InvalidTarget::Certificates(_) => Refusal::Other,
                },
            },
            message: error.to_string(),
            target: None,
        },
    };
    let exit = match report.result {
        PreflightResult::Passed => Exit::Done,
        PreflightResult::Refused { reason } => {
            tracing::error!(?reason, "{}", report.message);
            Exit::PreflightRefused
        }
    };
    record.write_message(&Message::Preflight(report))?;
    Ok(exit)
}

async fn finish(common: &CommonArguments) -> Result<Exit, CommandError> {
    let mut termination = Termination::listen(common.parent_guard)?;
    let plan = configuration::read_plan(&common.config)?;
    let mut record = RecordFile::open(&common.report)?;
    let report = match target(common, &plan) {
        Ok(target) => tokio::select! {
            report = redyno_target::finish::run(&plan, &target) => report,
            () = termination.wait() => return Ok(Exit::Terminated),
        },
        Err(error) => FinishReport {
            run: plan.run.uid.clone(),
            complete: false,
            removed_keys: 0,
            left_keys: None,
            message: error.to_string(),
        },
    };
    let exit = if report.complete {
        Exit::Done
    } else {
        tracing::error!("{}", report.message);
        Exit::TargetLost
    };
    record.write_message(&Message::Finish(report))?;
    Ok(exit)
}

async fn dyno(arguments: DynoArguments) -> Result<Exit, CommandError> {
    let termination = Termination::listen(arguments.common.parent_guard)?;
    let plan = configuration::read_plan(&arguments.common.config)?;
    let target = target(&arguments.common, &plan)?;
    dyno::run(arguments, plan, target, termination).await
}
