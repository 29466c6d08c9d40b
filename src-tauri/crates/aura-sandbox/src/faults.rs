//! Fault injection: what goes wrong, for which requests and how often.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::{Provider, Service};

/// A fault that is injected into the requests it matches. The first matching fault in the order of their addition is
/// used, so several counted faults for one service form a queue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// Applies only to this provider; to all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Provider>,
    /// Applies only to this service; to all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Service>,
    /// Applies only to this model id; to all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Number of requests it applies to. Applies until it is cleared if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// Milliseconds to wait before the fault takes effect. Nothing is sent during that time.
    #[serde(default)]
    pub after_ms: u64,
    /// Kind of fault, with its parameters.
    #[serde(flatten)]
    pub kind: FaultKind,
}

impl Fault {
    /// A fault for every request until it is cleared. The other methods narrow it.
    pub fn new(kind: FaultKind) -> Self {
        Self { provider: None, service: None, model: None, count: None, after_ms: 0, kind }
    }

    /// An error status with the provider's own body.
    pub fn status(code: u16) -> Self {
        Self::new(FaultKind::Status { code, body: ErrorBody::default(), headers: BTreeMap::new() })
    }

    /// Limits the fault to one provider.
    pub fn provider(mut self, provider: Provider) -> Self {
        self.provider = Some(provider);
        self
    }

    /// Limits the fault to one service.
    pub fn service(mut self, service: Service) -> Self {
        self.service = Some(service);
        self
    }

    /// Limits the fault to one model id.
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// Limits the fault to `count` requests.
    pub fn times(mut self, count: u32) -> Self {
        self.count = Some(count);
        self
    }

    /// Adds a response header, such as `retry-after`, to a status fault. No effect on other kinds.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        if let FaultKind::Status { headers, .. } = &mut self.kind {
            headers.insert(name.into(), value.into());
        }
        self
    }

    /// Replaces the body of a status fault. No effect on other kinds.
    pub fn body(mut self, replacement: ErrorBody) -> Self {
        if let FaultKind::Status { body, .. } = &mut self.kind {
            *body = replacement;
        }
        self
    }

    fn matches(&self, provider: Provider, service: Service, model: Option<&str>) -> bool {
        self.provider.is_none_or(|wanted| wanted == provider)
            && self.service.is_none_or(|wanted| wanted == service)
            && self.model.as_deref().is_none_or(|wanted| Some(wanted) == model)
    }
}

/// Kind of fault. The JSON field `kind` has its name in snake case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FaultKind {
    /// An error status.
    Status {
        /// Status code.
        code: u16,
        /// Response body.
        #[serde(default)]
        body: ErrorBody,
        /// Response headers to add or replace.
        #[serde(default)]
        headers: BTreeMap<String, String>,
    },
    /// The provider rejects the API key.
    RefuseAuth,
    /// The response is correct, but its headers are late.
    DelayHeaders {
        /// Milliseconds from the end of the request's body to the headers.
        ms: u64,
    },
    /// The headers are on time, but the content is late.
    DelayContent {
        /// Milliseconds to add to the usual delay.
        ms: u64,
    },
    /// The provider never sends a byte, and the connection stays open.
    Silent,
    /// The connection is reset before the first byte of the response.
    Reset,
    /// The connection breaks in the middle of the response.
    CutAfter {
        /// Content chunks that are still sent. A buffered body loses its second half if this is at least 1, and is
        /// empty if 0.
        chunks: usize,
        /// Whether to end with a TCP reset instead of a plain close.
        #[serde(default)]
        reset: bool,
    },
    /// The response stalls in the middle, and the connection stays open.
    StallAfter {
        /// Content chunks that are still sent. A buffered body loses its second half if this is at least 1, and is
        /// empty if 0.
        chunks: usize,
    },
    /// One chunk of the stream cannot be parsed.
    MalformedChunk {
        /// Content chunks before the malformed one.
        #[serde(default)]
        after: usize,
    },
    /// The stream ends cleanly with neither a finish reason nor `[DONE]`.
    NoFinish,
    /// The stream ends cleanly with a finish reason, but without `[DONE]`.
    NoDone,
    /// Status 200 with no content.
    EmptyAnswer {
        /// Finish reason to report, such as `length` or `MAX_TOKENS`.
        #[serde(default)]
        finish: Option<String>,
    },
    /// Status 200 with an empty transcript.
    EmptyTranscript,
    /// Status 200 with no audio.
    ZeroAudio,
    /// The second half of the audio is missing, although the WAV header announces the full length.
    TruncatedAudio,
    /// The response is correct, but has the wrong content type.
    WrongContentType {
        /// Content type to send.
        content_type: String,
    },
    /// An error in the middle of a stream that began with status 200.
    StreamError {
        /// Format of the error.
        form: StreamErrorForm,
        /// Content chunks before the error.
        #[serde(default)]
        after: usize,
    },
    /// The model is no longer served.
    ModelGone {
        /// Error that the provider reports.
        #[serde(default)]
        form: GoneForm,
    },
    /// The prompt exceeds the model's context window.
    ContextTooLong,
    /// The content filter blocks the prompt or the completion.
    ContentFilter {
        /// What the filter blocks.
        #[serde(default)]
        form: FilterForm,
    },
    /// The request's body exceeds the limit.
    BodyTooLarge,
    /// A live transcription contains a message of a mebibyte.
    OversizedMessage {
        /// Content messages before it.
        #[serde(default)]
        after: usize,
    },
    /// The messages of a live transcription come in another order: the complete text first, then its parts, and what announces them last.
    WrongOrder,
    /// The provider rejects a request whose last message is the assistant's (prefill). Other requests succeed.
    RefusePrefill,
}

impl FaultKind {
    /// The value of `kind` in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Status { .. } => "status",
            Self::RefuseAuth => "refuse_auth",
            Self::DelayHeaders { .. } => "delay_headers",
            Self::DelayContent { .. } => "delay_content",
            Self::Silent => "silent",
            Self::Reset => "reset",
            Self::CutAfter { .. } => "cut_after",
            Self::StallAfter { .. } => "stall_after",
            Self::MalformedChunk { .. } => "malformed_chunk",
            Self::NoFinish => "no_finish",
            Self::NoDone => "no_done",
            Self::EmptyAnswer { .. } => "empty_answer",
            Self::EmptyTranscript => "empty_transcript",
            Self::ZeroAudio => "zero_audio",
            Self::TruncatedAudio => "truncated_audio",
            Self::WrongContentType { .. } => "wrong_content_type",
            Self::StreamError { .. } => "stream_error",
            Self::ModelGone { .. } => "model_gone",
            Self::ContextTooLong => "context_too_long",
            Self::ContentFilter { .. } => "content_filter",
            Self::BodyTooLarge => "body_too_large",
            Self::OversizedMessage { .. } => "oversized_message",
            Self::WrongOrder => "wrong_order",
            Self::RefusePrefill => "refuse_prefill",
        }
    }
}

/// What the body of an error looks like.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorBody {
    /// The provider's usual body for the status.
    #[default]
    Provider,
    /// The provider's body for another cause of the same status: Groq 429 `day`, `audio`; Groq 413 `tokens`; Groq 400
    /// `terms`; Groq 403 `edge` (blocked by the proxy); Gemini 429 `day`, `bare`; Gemini 400 `location`, `expired`;
    /// OpenAI 429 `quota`.
    Variant(String),
    /// An empty body.
    Empty,
    /// The HTML error page of a proxy.
    Html,
    /// This JSON. `{key}` is replaced with the API key of the request, because some servers repeat the key in their
    /// errors.
    Json(Value),
    /// This plain text. `{key}` is replaced with the API key of the request.
    Text(String),
}

/// Format of an error inside a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamErrorForm {
    /// Groq: `event: error` and `data: {"error": …}`, then the stream ends.
    Event,
    /// All providers: a plain `data: {"error": …}` event.
    Data,
    /// Groq: a completion chunk with `x_groq.error`.
    XGroq,
    /// Gemini: a JSON object over several lines, without `data:`.
    RawJson,
}

/// Error that a provider reports for a model it does not serve.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GoneForm {
    /// Status 404.
    #[default]
    NotFound,
    /// Groq: status 400 with `model_decommissioned`. Gemini and OpenAI: as `not_found`.
    Decommissioned,
    /// Gemini: status 404 with "no longer available to new users". Groq and OpenAI: as `not_found`.
    NewUsers,
}

/// What the content filter blocks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FilterForm {
    /// The prompt.
    #[default]
    Prompt,
    /// The completion, after its first chunk.
    Answer,
}

/// The active faults, in the order of their addition.
#[derive(Debug, Default)]
pub(crate) struct FaultQueue(VecDeque<Fault>);

impl FaultQueue {
    pub(crate) fn push(&mut self, fault: Fault) {
        self.0.push_back(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn list(&self) -> Vec<Fault> {
        self.0.iter().cloned().collect()
    }

    /// Returns the first fault that matches a request and takes one off its count.
    pub(crate) fn take_matching(&mut self, provider: Provider, service: Service, model: Option<&str>) -> Option<Fault> {
        let at = self.0.iter().position(|fault| fault.count != Some(0) && fault.matches(provider, service, model))?;
        let fault = self.0.get_mut(at)?;
        let taken = fault.clone();
        if let Some(left) = &mut fault.count {
            *left -= 1;
            if *left == 0 {
                self.0.remove(at);
            }
        }
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counted_faults_form_a_queue_and_an_uncounted_one_stays() {
        let mut queue = FaultQueue::default();
        queue.push(Fault::status(429).provider(Provider::Groq).service(Service::Llm).times(2));
        queue.push(Fault::new(FaultKind::Reset).provider(Provider::Groq));
        let mut next = |service| queue.take_matching(Provider::Groq, service, None).map(|fault| fault.kind.name());
        assert_eq!(next(Service::Tts), Some("reset"));
        assert_eq!([next(Service::Llm), next(Service::Llm)], [Some("status"), Some("status")]);
        assert_eq!([next(Service::Llm), next(Service::Llm)], [Some("reset"), Some("reset")]);
        assert_eq!(queue.take_matching(Provider::Gemini, Service::Llm, None), None);
    }

    #[test]
    fn a_fault_is_parsed_from_json_and_serialized_back() {
        let text =
            r#"{"provider":"gemini","service":"llm","count":1,"kind":"stream_error","form":"raw_json","after":2}"#;
        let fault: Fault = serde_json::from_str(text).unwrap();
        assert_eq!(fault.kind, FaultKind::StreamError { form: StreamErrorForm::RawJson, after: 2 });
        let text = r#"{"kind":"status","code":429,"body":{"variant":"day"},"headers":{"retry-after":"2"}}"#;
        let fault: Fault = serde_json::from_str(text).unwrap();
        assert_eq!(fault, Fault::status(429).header("retry-after", "2").body(ErrorBody::Variant("day".into())));
        assert_eq!(serde_json::from_value::<Fault>(serde_json::to_value(&fault).unwrap()).unwrap(), fault);
    }
}
