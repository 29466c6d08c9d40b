//! What whole-system tests need of a machine, each private to the test and gone after it: a sound server, a display, a key store.
//!
//! A program that is missing makes the test fail with the name of its Debian package; no test passes by being skipped.

pub mod aura;
pub mod axe;
pub mod display;
pub mod http;
pub mod keyboard;
pub mod keyring;
pub mod machine;
pub mod process;
pub mod processes;
pub mod providers;
pub mod sound;
pub mod speech;
pub mod tray;
pub mod window;
