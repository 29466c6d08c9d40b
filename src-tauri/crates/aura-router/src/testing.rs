//! Test doubles: routes, attempts, and providers that answer from a script.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use aura_providers::{
    Chat, ChatEvent, ChatRequest, ChatStream, Failure, FailureKind, FinishReason, Service, Services, Usage,
};
use futures::StreamExt;

use crate::attempt::{Attempt, Route};
use crate::cost::Cost;
use crate::plan::{Candidate, RoutePlan};
use crate::router::Router;
use crate::settings::RouteOverrides;

/// A route without a voice.
pub(crate) fn route(provider: &str, model: &str) -> Route {
    Route { provider: provider.into(), model: model.into(), voice: None }
}

/// A text route without services; `offline` is the built-in fallback.
pub(crate) fn candidate(provider: &str, model: &str) -> Candidate {
    let is_offline = provider == "offline";
    Candidate {
        route: route(provider, model),
        label: provider.into(),
        catalog_id: provider.into(),
        services: Services::default(),
        is_local: is_offline,
        is_builtin_fallback: is_offline,
    }
}

/// A call for text that took `ms` milliseconds.
pub(crate) fn attempt(provider: &str, ms: u32, kind: Option<FailureKind>) -> Attempt {
    Attempt {
        service: Service::Llm,
        route: route(provider, "m"),
        ms,
        first_ms: None,
        kind,
        message: kind.map(|kind| format!("It failed: {}.", kind.as_str())),
        usage: Usage::default(),
        cost: Cost::default(),
    }
}

/// A router with API keys for Groq and Gemini and default settings.
pub(crate) fn router() -> Router {
    Router::builder().key("groq", "k").key("gemini", "k").build().unwrap()
}

/// The default plan for text, with every provider's chat replaced.
pub(crate) fn chat_plan(router: &Router, chat: &Arc<dyn Chat>) -> RoutePlan {
    let plan = router.plan(Service::Llm, &RouteOverrides::default()).unwrap();
    plan.map_services(|_, mut services| {
        services.chat = Some(chat.clone());
        services
    })
}

/// What a [`ScriptedChat`] does after its texts.
#[derive(Clone, Copy)]
pub(crate) enum Ending {
    /// The answer is complete.
    Complete,
    /// Nothing more arrives; the connection stays open.
    Hang,
}

/// Answers with these texts, and counts how far it was read.
pub(crate) struct ScriptedChat {
    pub(crate) texts: Vec<String>,
    pub(crate) ending: Ending,
    /// Texts that were read from all streams.
    pub(crate) read: Arc<AtomicUsize>,
}

#[async_trait]
impl Chat for ScriptedChat {
    async fn chat(&self, _request: &ChatRequest) -> Result<ChatStream, Failure> {
        let read = self.read.clone();
        let texts = futures::stream::iter(self.texts.clone()).map(move |text| {
            read.fetch_add(1, Ordering::Relaxed);
            Ok(ChatEvent::Text(text))
        });
        Ok(match self.ending {
            Ending::Complete => {
                let end = ChatEvent::End { finish: FinishReason::Stop, usage: Usage::default() };
                texts.chain(futures::stream::iter([Ok(end)])).boxed()
            }
            Ending::Hang => texts.chain(futures::stream::pending()).boxed(),
        })
    }
}

/// Fails every call in one way.
pub(crate) struct FailingChat(pub(crate) FailureKind);

#[async_trait]
impl Chat for FailingChat {
    async fn chat(&self, _request: &ChatRequest) -> Result<ChatStream, Failure> {
        Err(Failure::new(self.0, "It failed."))
    }
}
