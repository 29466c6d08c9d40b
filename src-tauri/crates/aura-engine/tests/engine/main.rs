//! The built program, over its protocol, with the models in the folder of `AURA_MODELS`. `cargo xtask test` fills that folder.

#![allow(clippy::unwrap_used, reason = "a test that cannot continue fails")]

mod answers;
mod hearing;
mod program;
mod voices;
