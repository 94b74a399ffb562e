//! Readers of Kubernetes' objects.

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use redyno_crds::LoadTest;

/// When an object was created.
pub(crate) fn created(metadata: &ObjectMeta) -> Option<Timestamp> {
    metadata.creation_timestamp.as_ref().map(|time| time.0)
}

/// Whether an object is this LoadTest's, and not that of a former one of the same name.
pub(crate) fn is_controlled_by(metadata: &ObjectMeta, load_test: &LoadTest) -> bool {
    metadata.owner_references.iter().flatten().any(|owner| {
        owner.controller == Some(true) && Some(&owner.uid) == load_test.metadata.uid.as_ref()
    })
}

/// The end of a Job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct JobEnd {
    /// When.
    pub at: Option<Timestamp>,
    /// By its deadline.
    pub past_deadline: bool,
}

/// Whether and how a Job has ended. What its pods did is not read from here.
pub(crate) fn job_end(job: &Job) -> Option<JobEnd> {
    job.status
        .as_ref()?
        .conditions
        .as_ref()?
        .iter()
        .find(|condition| {
            matches!(condition.type_.as_str(), "Complete" | "Failed") && condition.status == "True"
        })
        .map(|condition| JobEnd {
            at: condition.last_transition_time.as_ref().map(|time| time.0),
            past_deadline: condition.reason.as_deref() == Some("DeadlineExceeded"),
        })
}

/// Whether a Job passed its deadline, even if its pods are still going.
pub(crate) fn past_deadline(job: &Job) -> bool {
    job.status
        .as_ref()
        .and_then(|status| status.conditions.as_ref())
        .is_some_and(|conditions| {
            conditions.iter().any(|condition| {
                matches!(condition.type_.as_str(), "FailureTarget" | "Failed")
                    && condition.status == "True"
                    && condition.reason.as_deref() == Some("DeadlineExceeded")
            })
        })
}

/// A quantity in thousandths of its unit: `2`, `1500m`, `24Gi`.
pub(crate) fn thousandths(quantity: &Quantity) -> Option<u64> {
    let text = quantity.0.as_str();
    let end = text
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let factor: u64 = match unit {
        "m" => 1,
        "" => 1000,
        "k" => 1_000_000,
        "M" => 1_000_000_000,
        "G" => 1_000_000_000_000,
        "Ki" => 1000 << 10,
        "Mi" => 1000 << 20,
        "Gi" => 1000 << 30,
        "Ti" => 1000 << 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_as_nodes_state_them_are_read() {
        for (text, expected) in [
            ("2", Some(2000)),
            ("1500m", Some(1500)),
            ("24674532Ki", Some(24_674_532 * 1024 * 1000)),
            ("16Gi", Some(16_000 << 30)),
            ("0.5", None),
            ("", None),
        ] {
            assert_eq!(thousandths(&Quantity(text.to_owned())), expected, "{text}");
        }
    }
}
