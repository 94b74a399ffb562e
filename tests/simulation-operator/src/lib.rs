//! The operator on simulated time.
//!
//! Real: a look with all that it consists of (`observe`, `decide`, `write`, `carry_out`), the view
//! of pods, the report ConfigMap with its seals, the judge. Modelled: the API server
//! ([`api_server`]), the Job controller, the kubelet and the dynos ([`cluster`]), people, forgers and
//! a second operator ([`fault`]). The real `kube::Client` speaks to the model: it is a tower service,
//! and the model is one, too. An operator that is killed is a look that is dropped at one of its
//! requests, before or after the server carried it out.
//!
//! [`laws`] says what has to hold whatever happens. Not modelled: the controller runtime's own
//! queue. The model looks when something changed or when the last look asked for it, late or soon.

mod api_server;
mod cluster;
mod fault;
mod laws;
mod operator;
mod scenario;
mod words;
mod world;

pub use world::Operators;
