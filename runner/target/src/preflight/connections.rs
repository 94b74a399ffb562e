//! Whether all connections of the run fit under maxclients.

use redyno_contract::message::Refusal;

use crate::preflight::refused::Refused;

/// `maxclients` is None where the server does not say; then nothing can be refused.
pub(super) fn check(
    needed: u32,
    maxclients: Option<u64>,
    other_clients: u64,
) -> Result<(), Refused> {
    let Some(maxclients) = maxclients.filter(|limit| *limit > 0) else {
        return Ok(());
    };
    let free = maxclients.saturating_sub(other_clients);
    if u64::from(needed) <= free {
        return Ok(());
    }
    Err(Refused::new(
        Refusal::TooFewConnections,
        format!(
            "the run needs {needed} connections, one per worker and dyno and 2 more; the target allows {maxclients} (maxclients) and {other_clients} are in use by others: use fewer workers or a target with more connections"
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_fit_or_do_not() {
        for (needed, maxclients, others, fine) in [
            (40, Some(40), 0, true),
            (41, Some(40), 0, false),
            (40, Some(40), 1, false),
            (1, Some(40), 99, false),
            (u32::MAX, None, 5, true),
            (u32::MAX, Some(0), 5, true),
        ] {
            assert_eq!(check(needed, maxclients, others).is_ok(), fine);
        }
    }
}
