//! Builds the assistant for this computer, in the same way as the `aura-server` program.

pub(crate) use aura_server::bootstrap::{Bootstrap, bootstrap, paths};
