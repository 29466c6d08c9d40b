//! Speech, text and vision providers behind one set of traits: Groq, Gemini, any OpenAI-compatible server, and the programs on this
//! computer.
//!
//! A [`Client`] connects to providers by name. Each provider has up to six services: [`SpeechToText`], [`StreamingSpeechToText`],
//! [`Chat`] (text and vision), [`TextToSpeech`], [`Embed`] and [`ModelListing`]. A method makes one call and reports how it failed ([`Failure`], [`FailureKind`]).
//! There are no retries, no failover and no timeouts beyond those for connecting ([`HttpTimeouts`]): the `aura-router` crate adds them,
//! or your own code does. Dropping a future or a stream cancels its call.
//!
//! Model names, limits, prices and voices are data, in a [`catalog::Catalog`] that you can replace.
//!
//! # Ask a question
//! ```no_run
#![doc = include_str!("../examples/chat.rs")]
//! ```
//! # Stream an answer
//! ```no_run
#![doc = include_str!("../examples/chat_stream.rs")]
//! ```
//! # Ask about an image
//! ```no_run
#![doc = include_str!("../examples/see.rs")]
//! ```
//! # Transcribe a file
//! ```no_run
#![doc = include_str!("../examples/transcribe.rs")]
//! ```
//! # Transcribe while somebody speaks
//! ```no_run
#![doc = include_str!("../examples/transcribe_live.rs")]
//! ```
//! # Speak a sentence
//! ```no_run
#![doc = include_str!("../examples/speak.rs")]
//! ```
//! # Use another catalog
//! ```no_run
#![doc = include_str!("../examples/own_catalog.rs")]
//! ```
//! # Features
//! - `ts`: TypeScript types ([ts-rs](https://docs.rs/ts-rs)) of the types that cross to a user interface.
//! - `openapi`: OpenAPI schemas ([utoipa](https://docs.rs/utoipa)) of the same types.
//! - `fuzzing`: opens the decoders to fuzz targets.
#![forbid(unsafe_code)]

pub mod catalog;
pub mod types;

mod api_client;
mod client;
mod gemini;
mod groq;
mod http;
mod limits;
mod local_models;
mod media;
mod offline;
mod openai_compatible;
mod presets;
mod programs;
mod provider;
mod redact;
mod registry;
mod response_stream;
mod streaming;
#[cfg(test)]
mod tests;
mod upload;
mod web_socket;
mod wire;

#[cfg(any(test, feature = "fuzzing"))]
pub use wire::fuzzing;

pub use aura_audio;
pub use client::{Client, ClientBuilder, ClientError};
pub use http::{HttpError, HttpPools, HttpTimeouts, is_loopback, is_this_computer, may_carry_key};
pub use limits::{MAX_AUDIO_FILE_BYTES, MAX_IMAGE_BYTES, MAX_UPLOAD_BYTES};
pub use local_models::{LocalModel, LocalModels, NoLocalModels};
pub use media::MediaType;
pub use offline::{installed_model, sweep_temp_files};
pub use presets::{Preset, Realtime, preset, presets};
pub use programs::{Job, JobOutput, NoPrograms, ProgramError, Programs, inherited_variables};
pub use provider::{Connection, Provider, Services};
pub use registry::{PROVIDERS, find};
pub use types::*;
pub use wire::transcription::{language_code, prompt as transcription_prompt};
