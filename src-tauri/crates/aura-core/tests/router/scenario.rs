//! Random scenarios for the property tests: settings, a request, and what each provider does.

use std::time::Duration;

use aura_core::error::Error;
use aura_providers::{ChatRequest, FailureKind, Message, ResponseFormat, Role, Service, Tool};
use aura_router::{Attempt, RouteNotice};
use aura_testkit::scripted::{CallMade, End, ObserverStep, ScriptedCall};
use proptest::prelude::*;
use serde_json::{Value, json};

/// All providers. The last one is the offline fallback, which needs no consent.
pub(super) const PROVIDERS: [&str; 5] = ["groq", "gemini", "alpha", "beta", "offline"];
/// The timeout for a whole request in all scenarios.
pub(super) const WHOLE: Duration = Duration::from_secs(40);

/// Settings, one request, and the behaviour of the providers.
#[derive(Debug, Clone)]
pub(super) struct Scenario {
    pub(super) service: Service,
    /// Consent to audio, screen and text, for each provider but the last.
    pub(super) consent: Vec<(bool, bool, bool)>,
    /// Index of the default provider in the settings.
    pub(super) default_provider: Option<usize>,
    /// Index of the provider that the request names.
    pub(super) route_override: Option<usize>,
    /// Indices of the fallback providers in the settings.
    pub(super) then: Option<Vec<usize>>,
    pub(super) fallback: bool,
    pub(super) fallback_when_blocked: bool,
    pub(super) hedge: bool,
    /// Whether the recording holds words for certain.
    pub(super) has_words: bool,
    /// Whether the question offers an optional tool.
    pub(super) tools: bool,
    pub(super) json: bool,
    /// When the request is cancelled, in milliseconds.
    pub(super) cancelled_after: Option<u64>,
    /// The next calls to each provider.
    pub(super) calls: Vec<Vec<ScriptedCall>>,
    /// Failures of every provider before the request, so that some circuits are open.
    pub(super) before: Vec<FailureKind>,
}

/// The outcome of a scenario's request.
pub(super) struct Outcome {
    /// `None` when the request was cancelled.
    pub(super) result: Option<Result<String, Error>>,
    pub(super) attempts: Vec<Attempt>,
    pub(super) notices: Vec<RouteNotice>,
    pub(super) steps: Vec<ObserverStep>,
    pub(super) calls: Vec<CallMade>,
    /// The providers of the route plan, in order.
    pub(super) candidates: Vec<String>,
    /// The providers whose circuit was open when the request began.
    pub(super) open_circuits: Vec<String>,
    pub(super) elapsed: Duration,
}

const FAILURE_KINDS: [FailureKind; 12] = [
    FailureKind::KeyRejected,
    FailureKind::RateLimited,
    FailureKind::Quota,
    FailureKind::ModelGone,
    FailureKind::Overloaded,
    FailureKind::Unreachable,
    FailureKind::Timeout,
    FailureKind::Interrupted,
    FailureKind::Empty,
    FailureKind::Unsupported,
    FailureKind::Blocked,
    FailureKind::InvalidRequest,
];

fn failure_kind() -> impl Strategy<Value = FailureKind> {
    prop::sample::select(FAILURE_KINDS.to_vec())
}

fn scripted_call() -> impl Strategy<Value = ScriptedCall> {
    let fails = (failure_kind(), prop::option::of(0_u64..20_000))
        .prop_map(|(kind, retry_after)| End::Fails(kind, retry_after.map(Duration::from_millis)));
    let end = prop_oneof![
        3 => Just(End::Complete),
        1 => Just(End::TokenLimit),
        5 => fails,
        1 => Just(End::Cut),
        1 => Just(End::Never),
    ];
    let wait = prop_oneof![4 => 0_u64..2_000, 1 => 0_u64..30_000];
    let pause = prop_oneof![4 => 0_u64..500, 1 => 0_u64..12_000];
    let tool_call = prop::option::weighted(0.1, Just("{}"));
    (wait, 0_usize..4, pause, end, tool_call).prop_map(|(wait, pieces, pause, end, calls)| ScriptedCall {
        wait: Duration::from_millis(wait),
        pieces,
        pause: Duration::from_millis(pause),
        end,
        says: None,
        calls,
    })
}

pub(super) fn scenario() -> impl Strategy<Value = Scenario> {
    let provider = 0..PROVIDERS.len();
    let settings = (
        prop::sample::select(Service::ALL.to_vec()),
        prop::collection::vec(
            prop::sample::select(vec![
                (true, true, true),
                (false, true, true),
                (true, false, true),
                (true, true, false),
            ]),
            4,
        ),
        prop::option::weighted(0.5, provider.clone()),
        prop::option::weighted(0.2, provider.clone()),
        prop::option::of(prop::collection::vec(provider, 0..5)),
        prop::bool::weighted(0.8),
    );
    let cancelled = prop::option::weighted(0.15, 0_u64..10_000);
    let request = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), cancelled);
    let calls = prop::collection::vec(prop::collection::vec(scripted_call(), 0..5), PROVIDERS.len());
    let before = prop::collection::vec(failure_kind(), 0..3);
    (settings, request, calls, before).prop_map(|(settings, request, calls, before)| {
        let (service, consent, default_provider, route_override, then, fallback) = settings;
        let (fallback_when_blocked, hedge, has_words, tools, json, cancelled_after) = request;
        Scenario {
            service,
            consent,
            default_provider,
            route_override,
            then,
            fallback,
            fallback_when_blocked,
            hedge,
            has_words,
            tools,
            json,
            cancelled_after,
            calls,
            before,
        }
    })
}

impl Scenario {
    /// The settings as a JSON merge patch.
    pub(super) fn settings(&self) -> Value {
        let consent = |index: usize| {
            let (audio, screen, text) = self.consent[index];
            json!({"audio": audio, "screen": screen, "text": text})
        };
        let server =
            |index| json!({"preset": "openai", "base_url": "http://127.0.0.1:9/", "may_receive": consent(index)});
        let name = |index: usize| PROVIDERS[index];
        json!({
            "routes": {self.service.as_str(): {
                "provider": self.default_provider.map(name),
                "then": self.then.as_ref().map(|then| then.iter().map(|index| name(*index)).collect::<Vec<_>>()),
            }},
            "providers": {
                "groq": {"may_receive": consent(0)},
                "gemini": {"may_receive": consent(1)},
                "alpha": server(2),
                "beta": server(3),
            },
            "fallback": self.fallback,
            "fallback_when_blocked": self.fallback_when_blocked,
            "hedge": self.hedge,
            "timeouts": {
                "first_content_ms": 8_000,
                "transcript_ms": 8_000,
                "local_first_content_ms": 8_000,
                "between_ms": 5_000,
                "whole_ms": WHOLE.as_millis() as u64,
            },
        })
    }

    pub(super) fn is_chat(&self) -> bool {
        matches!(self.service, Service::Llm | Service::Vlm)
    }

    /// The chat request.
    pub(super) fn question(&self) -> ChatRequest {
        let tool = Tool { name: "tool".into(), description: None, parameters: None, strict: None };
        ChatRequest {
            messages: vec![Message::new(Role::User, "What time is it?")],
            tools: if self.tools { vec![tool] } else { Vec::new() },
            tools_optional: true,
            format: if self.json { ResponseFormat::Json } else { ResponseFormat::Text },
            ..ChatRequest::default()
        }
    }

    /// Whether the settings allow the request to be sent to a provider.
    pub(super) fn allows(&self, provider: &str) -> bool {
        let Some(index) = PROVIDERS[..4].iter().position(|name| *name == provider) else { return true };
        let (audio, screen, text) = self.consent[index];
        match self.service {
            Service::Stt => audio,
            Service::Llm | Service::Tts | Service::Embedding => text,
            Service::Vlm => screen && text,
        }
    }
}
