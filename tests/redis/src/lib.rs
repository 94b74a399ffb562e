//! A real redis-server of its own for one test, and certificates for it.
//!
//! Apart from the other tests' crate, so that the crates that know only Redis can use it without
//! building a Kubernetes client.

mod certificates;
mod folder;
mod server;
mod software;

pub use certificates::Certificates;
pub use folder::Folder;
pub use server::RedisServer;
pub use software::Software;
