//! The assistant's router: with scripted providers, most on a paused clock, and with sandbox providers over real sockets.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod checks;
mod keys;
mod properties;
mod requests;
mod scenario;
