//! The labels by which a run's objects are found. They select and prove nothing: whoever may create
//! an object can give it any. A user's pod labels may not use their prefixes.

/// The LoadTest's name.
pub const LOAD_TEST: &str = "redyno.dev/loadtest";
/// The LoadTest's uid: two LoadTests of the same name, one after the other, differ in it.
pub const RUN: &str = "redyno.dev/run";
/// The dyno's type, on dynos and their Jobs.
pub const DYNO_TYPE: &str = "redyno.dev/dyno-type";
/// What the object does in its run.
pub const COMPONENT: &str = "app.kubernetes.io/component";
/// Set by Kubernetes on the pods of an Indexed Job.
pub const COMPLETION_INDEX: &str = "batch.kubernetes.io/job-completion-index";
