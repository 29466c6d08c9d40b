//! The model store against a server of faults over real sockets: a file is whole or not used, and the user is told what to do.
#![allow(clippy::unwrap_used, reason = "a test that cannot continue fails")]

mod faults;
mod fixture;
mod killed;
mod server;
mod whole;
