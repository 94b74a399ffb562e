//! After the end: what is kept, and for how long. The verdict stays as it is.

use jiff::SignedDuration;
use redyno_crds::children::Child;
use redyno_crds::children::REDIS_CONTAINER;

use super::decision::Effect;
use super::draft::{Draft, later};
use crate::fate::PodFacts;
use crate::object_readers::is_controlled_by;

/// How often the deletion of something that is still there is tried again.
const RETRY: SignedDuration = SignedDuration::from_secs(30);

/// Deletes the managed Redis at once, the run's pods after `retention.podSeconds`, and the LoadTest
/// after `retention.ttlSecondsAfterFinished`.
pub(super) fn step(draft: &mut Draft<'_>) {
    let Some(ended) = draft.status.completion_time.as_ref().map(|time| time.0) else {
        return;
    };
    let retention = draft.load_test.spec.retention.clone();
    let after = |seconds: i32| later(ended, SignedDuration::from_secs(i64::from(seconds)));
    if let Some(seconds) = retention.ttl_seconds_after_finished {
        if draft.now >= after(seconds) {
            if draft.load_test.metadata.deletion_timestamp.is_none() {
                draft.effect(Effect::DeleteLoadTest {
                    uid: draft.uid().to_owned(),
                });
            }
            return;
        }
        draft.wake_at(after(seconds));
    }
    let pods_until = after(retention.pod_seconds);
    let is_over = draft.now >= pods_until;
    // A Redis that still runs holds its memory for nobody; one that has ended has a log to read.
    let redis_runs = draft
        .observed
        .redis_pod
        .as_ref()
        .is_some_and(|pod| !PodFacts::of(pod, REDIS_CONTAINER).ended);
    let mut doomed = Vec::new();
    if is_over || redis_runs {
        doomed.extend([Child::RedisPod, Child::RedisService]);
    }
    if is_over {
        doomed.extend([Child::Preflight, Child::Finish]);
        doomed.extend(draft.observed.dynos.keys().cloned().map(Child::Dynos));
    } else {
        draft.wake_at(pods_until);
    }
    for child in doomed {
        let found = draft
            .observed
            .metadata(&child)
            .filter(|metadata| is_controlled_by(metadata, draft.load_test));
        let Some(metadata) = found else {
            continue;
        };
        if metadata.deletion_timestamp.is_none()
            && let Some(uid) = metadata.uid.clone()
        {
            draft.effect(Effect::Delete { child, uid });
        }
        draft.wake_in(RETRY);
    }
}
