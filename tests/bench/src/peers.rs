//! Other tools, under the same conditions.

use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

use crate::run::Cores;

/// What a tool took for one command.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PerCommand {
    /// CPU time of the client in microseconds.
    pub(crate) cpu_microseconds: f64,
    /// Commands per second.
    pub(crate) per_second: f64,
}

/// GET of 16-byte values by `redis-benchmark`: 50 connections, one command at a time on each.
pub(crate) async fn redis_benchmark(cores: &Cores, commands: u64) -> Result<PerCommand> {
    let server = cores.redis().await?;
    let arguments = format!(
        "redis-benchmark -p {} -c 50 -d 16 -r 100000 -P 1 -n {commands} -t get -q",
        server.port()
    );
    timed(cores, &arguments, commands).await
}

/// The same by `memtier_benchmark`; None where it is not installed.
pub(crate) async fn memtier(cores: &Cores, commands: u64) -> Result<Option<PerCommand>> {
    let there = Command::new("memtier_benchmark")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .await
        .is_ok_and(|status| status.success());
    if !there {
        return Ok(None);
    }
    let server = cores.redis().await?;
    let each = commands / 50;
    let arguments = format!(
        "memtier_benchmark -p {} -t 1 -c 50 -n {each} -d 16 --ratio 0:1 --key-maximum 100000 --hide-histogram",
        server.port()
    );
    timed(cores, &arguments, each * 50).await.map(Some)
}

/// Runs a command on the runner's core. The shell's `times` tells how much CPU time it used.
async fn timed(cores: &Cores, command: &str, commands: u64) -> Result<PerCommand> {
    let began = std::time::Instant::now();
    let output = Command::new("bash")
        .arg("-c")
        .arg(format!(
            "taskset --cpu-list {} {command} >/dev/null 2>&1 && times",
            cores.own
        ))
        .stdin(Stdio::null())
        .output()
        .await?;
    let seconds = began.elapsed().as_secs_f64();
    ensure!(output.status.success(), "{command} failed");
    let said = String::from_utf8_lossy(&output.stdout);
    // The second line is that of the children: user and system time.
    let line = said.lines().nth(1).context("the shell told no times")?;
    let used: f64 = line
        .split_whitespace()
        .map(shell_seconds)
        .sum::<Option<f64>>()
        .with_context(|| format!("{line:?} are no times"))?;
    Ok(PerCommand {
        cpu_microseconds: used * 1e6 / commands as f64,
        per_second: commands as f64 / seconds,
    })
}

/// `1m2.345s` in seconds.
fn shell_seconds(text: &str) -> Option<f64> {
    let (minutes, seconds) = text.strip_suffix('s')?.split_once('m')?;
    Some(minutes.parse::<f64>().ok()? * 60.0 + seconds.parse::<f64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_the_shell_are_read() {
        assert_eq!(shell_seconds("1m2.5s"), Some(62.5));
        assert_eq!(shell_seconds("0m0.004s"), Some(0.004));
        assert_eq!(shell_seconds("2.5s"), None);
        assert_eq!(shell_seconds("xms"), None);
    }
}
