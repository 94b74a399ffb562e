//! What a new status says that the former one did not. This module is pure: it does no IO.

use redyno_crds::LoadTestStatus;
use redyno_crds::conditions::{ACCEPTED, DYNOS_READY, PREFLIGHT_PASSED, STARTED, condition};

/// One line for everything that is new and worth telling.
pub(super) fn news(old: Option<&LoadTestStatus>, new: &LoadTestStatus) -> Vec<String> {
    let mut lines = Vec::new();
    let state = |status: &LoadTestStatus| (status.state.clone(), status.dynos_ready.clone());
    if old.map(state) != Some(state(new))
        && let Some(state) = &new.state
    {
        lines.push(match &new.dynos_ready {
            Some(ready) => format!("{state}, {ready} dynos ready"),
            None => state.clone(),
        });
    }
    for type_ in [ACCEPTED, PREFLIGHT_PASSED, DYNOS_READY, STARTED] {
        let Some(now) = condition(&new.conditions, type_) else {
            continue;
        };
        let before = old.and_then(|old| condition(&old.conditions, type_));
        let told = before.is_some_and(|before| {
            before.status == now.status
                && before.reason == now.reason
                && before.message == now.message
        });
        if !told && !now.message.is_empty() {
            lines.push(format!(
                "  {type_} is {} ({}): {}",
                now.status, now.reason, now.message
            ));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

    use super::*;

    fn status(state: &str, message: &str) -> LoadTestStatus {
        LoadTestStatus {
            state: Some(state.to_owned()),
            dynos_ready: Some("0/2".to_owned()),
            conditions: vec![Condition {
                type_: DYNOS_READY.to_owned(),
                status: "False".to_owned(),
                reason: "Unschedulable".to_owned(),
                message: message.to_owned(),
                last_transition_time: Time(Timestamp::UNIX_EPOCH),
                observed_generation: Some(1),
            }],
            ..LoadTestStatus::default()
        }
    }

    #[test]
    fn only_what_is_new_is_told() {
        let first = status("Starting", "");
        assert_eq!(news(None, &first), ["Starting, 0/2 dynos ready"]);
        assert!(news(Some(&first), &first).is_empty());
        assert_eq!(
            news(Some(&first), &status("Starting", "0 of 2 nodes fit")),
            ["  DynosReady is False (Unschedulable): 0 of 2 nodes fit"]
        );
        assert_eq!(
            news(Some(&first), &status("Running", "")),
            ["Running, 0/2 dynos ready"]
        );
    }
}
