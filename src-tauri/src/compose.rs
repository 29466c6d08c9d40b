//! The assistant on this machine, composed as the HTTP door's own program does it.

pub(crate) use aura_server::compose::{Composed, compose, paths};
