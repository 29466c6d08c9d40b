//! The assistant: a spoken question becomes a spoken answer.
//!
//! It knows nothing of windows, HTTP servers, sound cards or screens: what a machine must offer is in [`ports`], and every
//! door (the desktop window, the command line, the HTTP server) calls the operations of [`api`].
//!
//! The way of a question: `turn` listens, transcribes, looks, thinks and speaks; [`router`] chooses who does it and what happens
//! when they fail; [`providers`] make the calls; [`event`] tells everyone who listens.
#![forbid(unsafe_code)]

pub mod api;
mod assistant;
pub mod audio;
pub mod catalog;
pub mod config;
mod direct;
pub mod error;
pub mod event;
pub mod health;
pub mod intent;
pub mod ports;
pub mod providers;
pub mod record;
pub mod router;
pub mod tally;
mod turn;
pub mod usage;

pub use assistant::{Assistant, Setup};
pub use turn::{Aside, Outcome, SOUND_RATE};
