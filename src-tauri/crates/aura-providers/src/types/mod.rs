//! Requests, replies, failures, and one trait per service.

mod chat;
mod collect;
mod embedding;
mod failure;
mod models;
mod service;
mod speech;
mod streaming;
mod traits;
mod transcription;
mod usage;

pub use chat::{
    ChatEvent, ChatRequest, ChatStream, ContentPart, FinishReason, ImageDetail, Message, ReasoningEffort,
    ResponseFormat, Role, SafetyLevel, Sampling, ServiceTier, Tool, ToolCall, ToolChoice,
};
pub use collect::{ChatAnswer, collect_chat, collect_speech};
pub use embedding::{EmbeddingReply, EmbeddingRequest};
pub use failure::{Failure, FailureDetail, FailureKind};
pub(crate) use models::parameter_count;
pub use models::{ListedModel, ListedPrice, ListedVoice};
pub use service::{Service, UnknownService};
pub use speech::{SpeakerVoice, SpeechEvent, SpeechOptions, SpeechRequest, SpeechStream};
pub use streaming::{PartialTranscript, SessionAudio, StreamingRequest, TranscriptionSession};
pub use traits::{Chat, Embed, ModelListing, SpeechToText, StreamingSpeechToText, TextToSpeech};
pub use transcription::{Segment, SegmentConfidence, Transcript, TranscriptionRequest, Word};
pub use usage::{RateLimit, Usage};
