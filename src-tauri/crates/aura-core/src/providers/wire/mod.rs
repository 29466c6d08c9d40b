//! The wire formats that providers share: how a request is written, how an answer is read, what an error means.
//!
//! Bytes go in and pieces come out, so every codec is tested with recorded bytes and no network. All of them are tolerant by
//! rule: every field may be missing or null, unknown fields and unknown words are ignored.

pub mod http;
pub mod sse;

pub(super) mod delay;
pub(super) mod errors;
pub(super) mod gemini_audio;
pub(super) mod gemini_generate;
pub(super) mod gemini_models;
pub(super) mod json_events;
pub(super) mod limits;
pub(super) mod multipart;
pub(super) mod openai_audio;
pub(super) mod openai_chat;
pub(super) mod openai_models;
pub(super) mod speech;
pub(super) mod stream;
pub(super) mod think;
pub(super) mod verdict;

#[cfg(test)]
mod foreign;
#[cfg(test)]
pub(super) mod recorded;
#[cfg(test)]
pub(super) mod scripted;
