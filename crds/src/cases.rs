//! Every rule of validation as cases, accepted and refused: one table for the twin and for a real
//! API server.

/// One case.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// Its name, unique.
    pub name: String,
    /// The object before the update; None for a creation. Complete, ready to be sent.
    pub old: Option<serde_json::Value>,
    /// The object to be created, or to update to. Complete, ready to be sent.
    pub object: serde_json::Value,
    /// None if it is accepted, else a fragment of the API server's and the twin's message.
    pub refused: Option<String>,
}

/// Every case.
pub fn all() -> Vec<Case> {
    unimplemented!()
}
