//! Test support that several packages share: fake ports, scripted providers, and an assistant that runs on them.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test that cannot continue fails")]

pub mod fake_desktop;
pub mod fake_other_sound;
pub mod fake_ports;
pub mod harness;
pub mod scripted;
