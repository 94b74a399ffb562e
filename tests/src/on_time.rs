//! Stories on the cluster whose verdict needs a machine that is on time. One that the machine was
//! too noisy for is told anew, alone on the cluster, and after a few attempts the test fails: a
//! runner that is always late must not pass for a noisy machine.

use crate::installation::{Quiet, measuring, quiet};

/// The run of a story ended Inconclusive because its dynos were late or sent too little.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Late;

/// How often a story is told before its test fails.
const ATTEMPTS: usize = 3;

/// Tells a story that measures with little, beside others of its kind at first. Without a cluster
/// nothing is told.
///
/// # Panics
/// If every attempt was late.
#[track_caller]
pub fn measured(mut story: impl FnMut() -> Result<(), Late>) {
    let Some(cluster) = measuring() else { return };
    let first = story();
    drop(cluster);
    if first.is_err() {
        let Some(_cluster) = quiet() else { return };
        tell(ATTEMPTS - 1, story);
    }
}

/// Tells a story that measures with most of the cluster, or changes it. Without a cluster nothing
/// is told.
///
/// # Panics
/// If every attempt was late.
#[track_caller]
pub fn measured_alone(mut story: impl FnMut(&Quiet) -> Result<(), Late>) {
    let Some(cluster) = quiet() else { return };
    tell(ATTEMPTS, || story(&cluster));
}

#[track_caller]
fn tell(attempts: usize, mut story: impl FnMut() -> Result<(), Late>) {
    let is_told = (0..attempts).any(|_| story().is_ok());
    assert!(
        is_told,
        "late in {ATTEMPTS} attempts, the last of them alone on the cluster: either this machine \
         is too slow for these tests, or redyno is late by itself"
    );
}

#[cfg(test)]
mod tests {
    use super::{ATTEMPTS, Late, tell};

    #[test]
    fn a_late_story_is_told_anew_until_it_is_on_time() {
        let mut told = 0;
        tell(ATTEMPTS, || {
            told += 1;
            if told == 2 { Ok(()) } else { Err(Late) }
        });
        assert_eq!(told, 2);
    }

    #[test]
    #[should_panic(expected = "late in 3 attempts")]
    fn a_story_that_is_always_late_fails() {
        tell(ATTEMPTS, || Err(Late));
    }
}
