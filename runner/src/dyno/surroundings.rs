//! Looks after what is around the run, and says how the run ends if something is wrong there.

use redis::RedisResult;
use redyno_contract::report::Ending;
use redyno_target::Connection;
use redyno_target::coordination::{self, Evictions, Seat, Surroundings};

/// Looks once. `evictions` are counted where others' keys are to be spared.
pub(super) async fn look(
    connection: &mut Connection,
    seat: &Seat,
    evictions: &mut Option<Evictions>,
) -> RedisResult<Option<Ending>> {
    let seen = coordination::look_around(connection, seat, evictions.as_mut()).await?;
    Ok(judge(seen))
}

fn judge(seen: Surroundings) -> Option<Ending> {
    let Surroundings {
        lock_taken_by,
        evicted_keys,
    } = seen;
    if let Some(keys @ 1..) = evicted_keys {
        return Some(Ending::ForeignKeysEvicted { keys });
    }
    lock_taken_by.map(|name| Ending::TargetChanged {
        detail: format!(
            "the run {name} holds the target's lock: this one's was removed, and both are on the target now"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_wrong_ends_the_run() {
        for (lock_taken_by, evicted_keys, ending) in [
            (None, None, None),
            (None, Some(0), None),
            (None, Some(3), Some(Ending::ForeignKeysEvicted { keys: 3 })),
        ] {
            let seen = Surroundings {
                lock_taken_by,
                evicted_keys,
            };
            assert_eq!(judge(seen), ending);
        }
        let taken = Surroundings {
            lock_taken_by: Some("team/other".to_owned()),
            evicted_keys: None,
        };
        assert!(matches!(
            judge(taken),
            Some(Ending::TargetChanged { detail }) if detail.contains("team/other")
        ));
    }
}
