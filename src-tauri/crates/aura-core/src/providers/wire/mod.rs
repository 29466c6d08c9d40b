//! The wire formats that providers share: how a request is written, how an answer is read, what an error means.
//!
//! Bytes go in and pieces come out, so every codec is tested with recorded bytes and no network. All of them are tolerant by
//! rule: every field may be missing or null, unknown fields and unknown words are ignored.

pub mod http;
pub mod sse;

pub(super) mod delay;
pub(super) mod effort;
pub(super) mod errors;
pub(super) mod gemini_audio;
pub(super) mod gemini_generate;
pub(super) mod gemini_models;
pub(super) mod gemini_request;
pub(super) mod heard;
pub(super) mod json_events;
pub(super) mod limits;
pub(super) mod multipart;
pub(super) mod openai_audio;
pub(super) mod openai_chat;
pub(super) mod openai_models;
pub(super) mod openai_request;
pub(super) mod speech;
pub(super) mod stream;
pub(super) mod think;
pub(super) mod verdict;

/// The most that the tool calls of one answer may hold, in bytes: far more than any model writes.
const MAX_CALL_BYTES: usize = 256 * 1024;

/// A name for a tool call whose provider gave it none.
fn new_call_id() -> String {
    format!("call_{}", uuid::Uuid::new_v4().simple())
}

#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;

#[cfg(test)]
mod foreign;
#[cfg(test)]
mod properties;
#[cfg(test)]
pub(super) mod recorded;
#[cfg(test)]
pub(super) mod scripted;
