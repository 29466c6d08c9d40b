//! The assistant: a spoken question becomes a spoken answer.
//!
//! This crate knows nothing about windows, HTTP servers, sound cards or screens. It reaches the computer through the traits in
//! [`ports`], and every host (the desktop window, the command line, the local API) calls the operations in [`api`].
//!
//! A turn listens, transcribes, looks at the screen if asked to, thinks and speaks. `aura-router` chooses the provider for each
//! call and fails over. Progress is reported as an [`event`]; a finished turn leaves a [`record`].
#![forbid(unsafe_code)]

mod action;
mod action_words;
pub mod api;
mod assistant;
mod blocking;
pub mod config;
mod consent;
pub mod desktop;
mod diagnostic;
pub mod error;
pub mod event;
mod files;
pub mod history_problem;
pub mod intent;
pub mod local_models;
mod mcp;
mod other_sound;
pub mod ports;
mod purpose;
pub mod record;
mod recording;
pub mod recordings;
pub mod session;
mod standby;
mod timers;
mod turn;
mod update_checks;
pub mod updates;
mod upkeep;
mod views;
mod words;

pub use assistant::{Assistant, Setup};
pub use files::{private_file, replace_file};
pub use turn::{ANSWER_RATE, DetachedTurn, TurnOutcome};
