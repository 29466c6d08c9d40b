//! Faults to order: what goes wrong, for whom, and how often.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::kinds::{Provider, Service};

/// Something that goes wrong for the requests it matches. Faults are looked through in the order they were
/// given and the first that matches is used, so several counted ones for the same service form a queue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// Only for this provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Provider>,
    /// Only for this service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Service>,
    /// Only for this model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// For that many requests; until cleared when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// Milliseconds to wait, without sending headers, before the fault shows.
    #[serde(default)]
    pub after_ms: u64,
    /// What goes wrong.
    #[serde(flatten)]
    pub kind: FaultKind,
}

impl Fault {
    /// A fault for every request until cleared; narrow it with the other methods.
    pub fn new(kind: FaultKind) -> Self {
        Self { provider: None, service: None, model: None, count: None, after_ms: 0, kind }
    }

    /// An error status with the provider's own body for it.
    pub fn status(code: u16) -> Self {
        Self::new(FaultKind::Status { code, body: ErrorBody::default(), headers: BTreeMap::new() })
    }

    /// Narrows to one provider.
    pub fn provider(mut self, provider: Provider) -> Self {
        self.provider = Some(provider);
        self
    }

    /// Narrows to one service.
    pub fn service(mut self, service: Service) -> Self {
        self.service = Some(service);
        self
    }

    /// Narrows to one model.
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// Ends after `count` requests.
    pub fn times(mut self, count: u32) -> Self {
        self.count = Some(count);
        self
    }

    /// Adds a header to a status fault, such as `retry-after`. Nothing happens for other kinds.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        if let FaultKind::Status { headers, .. } = &mut self.kind {
            headers.insert(name.into(), value.into());
        }
        self
    }

    /// Replaces the body of a status fault. Nothing happens for other kinds.
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

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FaultKind {
    /// An error status.
    Status {
        /// The status code.
        code: u16,
        /// What the body looks like.
        #[serde(default)]
        body: ErrorBody,
        /// Headers to add or replace.
        #[serde(default)]
        headers: BTreeMap<String, String>,
    },
    /// The key is refused, in the provider's own way.
    RefuseAuth,
    /// The answer is right, but its headers come late.
    DelayHeaders {
        /// Milliseconds to wait.
        ms: u64,
    },
    /// Headers come at once, the first content late.
    DelayContent {
        /// Milliseconds to wait, on top of the usual delay.
        ms: u64,
    },
    /// Nothing is ever answered.
    Silent,
    /// The connection is reset before a byte is answered.
    Reset,
    /// The connection ends abruptly in the middle of the answer.
    CutAfter {
        /// Pieces of content that still arrive.
        chunks: usize,
        /// With a TCP reset rather than a plain close.
        #[serde(default)]
        reset: bool,
    },
    /// The answer stops in the middle, and the connection stays open.
    StallAfter {
        /// Pieces of content that still arrive.
        chunks: usize,
    },
    /// A piece of the stream that cannot be parsed.
    MalformedChunk {
        /// Pieces of content before it.
        #[serde(default)]
        after: usize,
    },
    /// The stream ends cleanly, but with neither a finish reason nor `[DONE]`.
    NoFinish,
    /// The stream ends cleanly and with a finish reason, but without `[DONE]`.
    NoDone,
    /// Success with nothing in it.
    EmptyAnswer {
        /// The finish reason to give, such as `length` or `MAX_TOKENS`.
        #[serde(default)]
        finish: Option<String>,
    },
    /// Success with an empty transcript.
    EmptyTranscript,
    /// Success with no audio.
    ZeroAudio,
    /// The second half of the audio is missing, though the header promises it.
    TruncatedAudio,
    /// The right answer under the wrong content type.
    WrongContentType {
        /// What is claimed.
        content_type: String,
    },
    /// An error in the middle of a stream that began with status 200.
    StreamError {
        /// In which of the known forms.
        form: StreamErrorForm,
        /// Pieces of content before it.
        #[serde(default)]
        after: usize,
    },
    /// The model is not served any more.
    ModelGone {
        /// In which words.
        #[serde(default)]
        form: GoneForm,
    },
    /// The prompt does not fit the model.
    ContextTooLong,
    /// The prompt or the answer is blocked.
    ContentFilter {
        /// Which of the two.
        #[serde(default)]
        form: FilterForm,
    },
    /// The request's body is larger than allowed.
    BodyTooLarge,
    /// A request whose last message is the assistant's is refused; any other is answered.
    RefusePrefill,
}

impl FaultKind {
    /// The name used over HTTP.
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
    /// The provider's body for another cause of the same status: Groq 429 `day`, `audio`; Groq 413 `tokens`;
    /// Groq 400 `terms`; Groq 403 `edge`; Gemini 429 `day`, `bare`; Gemini 400 `location`, `expired`; OpenAI 429
    /// `quota`.
    Variant(String),
    /// Nothing.
    Empty,
    /// A proxy's HTML page.
    Html,
    /// This JSON. In its strings `{key}` is the key that was sent: some servers repeat it in their errors.
    Json(Value),
    /// This plain text, with the same placeholder.
    Text(String),
}

/// Forms of an error inside a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamErrorForm {
    /// Groq: `event: error`, then `data: {"error": …}`, then the end.
    Event,
    /// All providers: a plain `data: {"error": …}`.
    Data,
    /// Groq: a chunk with `x_groq.error`.
    XGroq,
    /// Gemini: JSON lines without `data:`.
    RawJson,
}

/// Forms in which a provider says that a model is gone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GoneForm {
    /// 404.
    #[default]
    NotFound,
    /// Groq: 400 `model_decommissioned`. Gemini and OpenAI: as `not_found`.
    Decommissioned,
    /// Gemini: 404 "no longer available to new users". Others: as `not_found`.
    NewUsers,
}

/// What is blocked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FilterForm {
    /// The prompt.
    #[default]
    Prompt,
    /// The answer, after its first piece.
    Answer,
}

/// The faults that are waiting for a request.
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

    /// The fault for a request, counting it down.
    pub(crate) fn take(&mut self, provider: Provider, service: Service, model: Option<&str>) -> Option<Fault> {
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
    fn counted_faults_form_a_queue_and_a_standing_one_stays() {
        let mut queue = FaultQueue::default();
        queue.push(Fault::status(429).provider(Provider::Groq).service(Service::Llm).times(2));
        queue.push(Fault::new(FaultKind::Reset).provider(Provider::Groq));
        let mut next = |service| queue.take(Provider::Groq, service, None).map(|fault| fault.kind.name());
        assert_eq!(next(Service::Tts), Some("reset"));
        assert_eq!([next(Service::Llm), next(Service::Llm)], [Some("status"), Some("status")]);
        assert_eq!([next(Service::Llm), next(Service::Llm)], [Some("reset"), Some("reset")]);
        assert_eq!(queue.take(Provider::Gemini, Service::Llm, None), None);
    }

    #[test]
    fn a_fault_travels_as_json() {
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
