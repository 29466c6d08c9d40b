//! The assistant's router with scripted providers, on a paused clock.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod checks;
mod properties;
mod requests;
mod scenario;
