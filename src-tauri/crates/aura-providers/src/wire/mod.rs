//! The wire formats: how requests are encoded, how replies are decoded, and what errors mean.
//!
//! Decoders turn bytes into events and do no I/O, so that tests feed them recorded bytes. All of them are tolerant: any field may be
//! missing or null, and unknown fields and values are ignored.

pub(crate) mod chat_transcription;
pub(crate) mod classify;
pub(crate) mod decoder;
pub(crate) mod effort;
pub(crate) mod embeddings;
pub(crate) mod error_body;
pub(crate) mod error_reply;
pub(crate) mod gemini_audio;
pub(crate) mod gemini_generate;
pub(crate) mod gemini_live;
pub(crate) mod gemini_models;
pub(crate) mod gemini_request;
pub(crate) mod json;
pub(crate) mod json_events;
pub(crate) mod live;
pub(crate) mod multipart;
pub(crate) mod openai_audio;
pub(crate) mod openai_chat;
pub(crate) mod openai_models;
pub(crate) mod openai_realtime;
pub(crate) mod openai_request;
pub(crate) mod openai_text_chunk;
pub(crate) mod rate_limit;
pub(crate) mod reasoning_filter;
pub(crate) mod retry_after;
pub(crate) mod speech_decoder;
pub(crate) mod sse;
pub(crate) mod transcription;
pub(crate) mod vllm_realtime;

/// The largest size of all tool calls of one answer, in bytes: far more than any model writes.
const MAX_TOOL_CALL_BYTES: usize = 256 * 1024;

/// An id for a tool call that came without one.
fn new_tool_call_id() -> String {
    format!("call_{}", uuid::Uuid::new_v4().simple())
}

#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;

#[cfg(test)]
mod foreign;
#[cfg(test)]
mod properties;
#[cfg(test)]
pub(crate) mod recorded;
#[cfg(test)]
pub(crate) mod scripted;
