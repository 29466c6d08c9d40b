//! What the router keeps to whatever providers do, on a clock that stands still while nothing waits for it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[allow(dead_code, reason = "the turns' tests use all of it")]
#[path = "../turn/machine.rs"]
mod machine;
mod properties;
mod requests;
mod scripted;
