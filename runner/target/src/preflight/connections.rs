//! Whether all connections of the run fit under maxclients.

use redyno_contract::message::Refusal;

use crate::preflight::refused::Refused;

/// Either is None where the server does not say; what is not known refuses nothing.
pub(super) fn check(
    needed: u32,
    maxclients: Option<u64>,
    other_clients: Option<u64>,
) -> Result<(), Refused> {
    let Some(maxclients) = maxclients.filter(|limit| *limit > 0) else {
        return Ok(());
    };
    let free = maxclients.saturating_sub(other_clients.unwrap_or(0));
    if u64::from(needed) <= free {
        return Ok(());
    }
    Err(Refused::new(
        Refusal::TooFewConnections,
        format!(
            "the run needs {needed} connections, one per worker and dyno and 2 more; the target allows {maxclients} (maxclients){}: use fewer workers or a target with more connections",
            other_clients.map_or_else(String::new, |others| format!(
                " and {others} are in use by others"
            ))
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_fit_or_do_not() {
        for (needed, maxclients, others, fine) in [
            (40, Some(40), Some(0), true),
            (41, Some(40), Some(0), false),
            (41, Some(40), None, false),
            (40, Some(40), None, true),
            (40, Some(40), Some(1), false),
            (1, Some(40), Some(99), false),
            (u32::MAX, None, Some(5), true),
            (u32::MAX, Some(0), Some(5), true),
        ] {
            assert_eq!(check(needed, maxclients, others).is_ok(), fine);
        }
    }
}
