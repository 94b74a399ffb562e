//! A limit was broken by lost connections or lost data alone: is the target still there, and the
//! one that was prepared?

use std::time::Duration;

use redyno_contract::message::Refusal;
use redyno_target::{ConnectOptions, Info, Target};
use tokio::time::Instant;

/// How long the target has to come back.
const PATIENCE: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(250);

/// What became of the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The same server as at the start answers.
    There,
    /// A server answers that has no connection left.
    Full,
    /// It is lost; how that was seen.
    Lost(String),
    /// A server answers that has not what was prepared for the run; how that was seen.
    Changed(String),
}

/// Asks on a fresh connection, for up to five seconds.
pub(super) async fn look(
    target: Target,
    name: String,
    run_id: Option<String>,
    phase: Option<String>,
) -> Found {
    let options = ConnectOptions {
        name,
        connect_timeout: CONNECT_TIMEOUT,
        response_timeout: Some(PATIENCE),
        expects_key: phase,
        counters: None,
    };
    let deadline = Instant::now() + PATIENCE;
    let mut seen = "no answer".to_owned();
    let asking = async {
        loop {
            match ask(&target, &options, run_id.as_deref()).await {
                Ok(found) => return found,
                Err(detail) => seen = detail,
            }
            tokio::time::sleep(BETWEEN_ATTEMPTS).await;
        }
    };
    let answered = tokio::time::timeout_at(deadline, asking).await;
    match answered {
        Ok(Asked::Full) => Found::Full,
        Ok(Asked::PhaseMissing(detail)) => Found::Changed(detail),
        Ok(Asked::Info(info)) => {
            restarted(run_id.as_deref(), info.run_id.as_deref()).map_or(Found::There, Found::Lost)
        }
        Err(_) => Found::Lost(format!("connections did not come back within 5 s: {seen}")),
    }
}

/// What a server answered.
enum Asked {
    Info(Box<Info>),
    Full,
    PhaseMissing(String),
}

async fn ask(
    target: &Target,
    options: &ConnectOptions,
    run_id: Option<&str>,
) -> Result<Asked, String> {
    let mut connection = match target.connect(options).await {
        Ok(connection) => connection,
        // It is there, and full.
        Err(failure) if failure.refusal == Refusal::TooFewConnections => return Ok(Asked::Full),
        // Another server than at the start tells that by its run_id.
        Err(failure) if failure.key_missing => {
            let mut connection = target
                .connect(&ConnectOptions {
                    expects_key: None,
                    ..options.clone()
                })
                .await
                .map_err(|failure| failure.to_string())?;
            let info = Info::read(&mut connection)
                .await
                .map_err(|error| error.to_string())?;
            return Ok(match restarted(run_id, info.run_id.as_deref()) {
                Some(_) => Asked::Info(Box::new(info)),
                None => Asked::PhaseMissing(failure.message),
            });
        }
        Err(failure) => return Err(failure.to_string()),
    };
    Info::read(&mut connection)
        .await
        .map(|info| Asked::Info(Box::new(info)))
        .map_err(|error| error.to_string())
}

/// How it shows that another server answers than at the start, if it does.
pub(super) fn restarted(before: Option<&str>, now: Option<&str>) -> Option<String> {
    match (before, now) {
        (Some(before), Some(now)) if before != now => Some(format!(
            "its run_id changed from {} to {}: it was restarted, or another one answers",
            short(before),
            short(now)
        )),
        _ => None,
    }
}

fn short(run_id: &str) -> String {
    run_id.chars().take(8).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_two_known_and_different_servers_are_a_restart() {
        assert_eq!(restarted(Some("a"), Some("a")), None);
        assert_eq!(restarted(None, Some("a")), None);
        assert_eq!(restarted(Some("a"), None), None);
        let detail = restarted(Some("0123456789"), Some("abcdefghij")).unwrap();
        assert!(detail.contains("from 01234567 to abcdefgh"), "{detail}");
    }
}
