//! The routes of one request, in the order they are tried.

#[cfg(test)]
mod tests;

use std::time::Duration;

use aura_providers::catalog::{Catalog, Voice};
use aura_providers::{Service, Services, SpeechOptions};
use tokio::time::Instant;

use crate::attempt::{Route, RouteNotice};
use crate::route_reason::RouteReason;
use crate::settings::Timeouts;

/// A route of a plan, with what is needed to call it.
#[derive(Clone)]
#[non_exhaustive]
pub struct Candidate {
    /// The route.
    pub route: Route,
    /// The provider's display name.
    pub label: String,
    /// The name under which the catalog lists the provider's models: the preset, for a server that the user added.
    pub catalog_id: String,
    /// The provider's adapters, one per service.
    pub services: Services,
    /// Whether it runs on this computer or in the local network: it may have to load its model first, and no call is billed.
    pub is_local: bool,
    /// Whether this is the built-in offline fallback.
    pub is_builtin_fallback: bool,
}

/// The routes of one request, in the order they are tried, and its timeouts. Never empty.
#[derive(Clone)]
pub struct RoutePlan {
    pub(crate) service: Service,
    /// At least one.
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) timeouts: Timeouts,
    pub(crate) notices: Vec<RouteNotice>,
    pub(crate) hedge: bool,
    pub(crate) fallback_on_block: bool,
    pub(crate) speech: SpeechOptions,
    pub(crate) reason: Option<Box<RouteReason>>,
    /// When the API keys were read.
    pub(crate) keys_read_at: Instant,
}

impl RoutePlan {
    /// The service that the plan is for.
    pub fn service(&self) -> Service {
        self.service
    }

    /// The routes, in the order they are tried. At least one.
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// The route that is tried first.
    pub fn first(&self) -> &Candidate {
        // `RoutingTable::plan` returns an error rather than an empty plan, and no method removes the last candidate.
        &self.candidates[0]
    }

    /// What the user should know about the choice of routes, such as that a retired model was replaced. The observer of each
    /// request made with this plan receives them, too.
    pub fn notices(&self) -> &[RouteNotice] {
        &self.notices
    }

    /// Why the first route is first, when it was chosen by a [`RoutePreference`](crate::RoutePreference).
    pub fn reason(&self) -> Option<&RouteReason> {
        self.reason.as_deref()
    }

    /// The timeouts of the request.
    pub fn timeouts(&self) -> Timeouts {
        self.timeouts
    }

    /// The longest text, in characters, that every route of this plan speaks in one call; at least 1.
    pub fn max_speech_chars(&self) -> usize {
        let limits = self.candidates.iter().filter_map(|candidate| {
            let tts = candidate.services.tts.as_ref()?;
            Some(tts.max_chars(&candidate.route.model))
        });
        limits.min().unwrap_or(usize::MAX).max(1)
    }

    /// Appends the routes and notices of `other`, for a model that several providers serve, or an order of the caller's own. A route that
    /// is there already is left out. Both plans should be for one service.
    #[must_use]
    pub fn followed_by(mut self, other: Self) -> Self {
        for candidate in other.candidates {
            if self.candidates.iter().all(|known| known.route != candidate.route) {
                self.candidates.push(candidate);
            }
        }
        self.notices.extend(other.notices);
        self
    }

    /// Keeps only the first route, so that no other one is tried.
    #[must_use]
    pub fn only_first(mut self) -> Self {
        self.candidates.truncate(1);
        self
    }

    /// Keeps only the routes with the model of the first one, so that all replies can be compared with each other.
    #[must_use]
    pub fn same_model(mut self) -> Self {
        let model = self.candidates[0].route.model.clone();
        self.candidates.retain(|candidate| candidate.route.model.eq_ignore_ascii_case(&model));
        self
    }

    /// Replaces the timeouts.
    #[must_use]
    pub fn with_timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// Sets how text is spoken.
    #[must_use]
    pub fn with_speech_options(mut self, options: SpeechOptions) -> Self {
        self.speech = options;
        self
    }

    /// Turns hedged requests on or off.
    #[must_use]
    pub fn with_hedge(mut self, hedge: bool) -> Self {
        self.hedge = hedge;
        self
    }

    /// Replaces the adapters of each route, to wrap them or for tests.
    #[must_use]
    pub fn map_services(mut self, replace: impl Fn(&Route, Services) -> Services) -> Self {
        for candidate in &mut self.candidates {
            candidate.services = replace(&candidate.route, std::mem::take(&mut candidate.services));
        }
        self
    }

    /// Moves the provider of `route` to the first place, so that the parts of one answer keep one voice. Does nothing when the plan
    /// has no route of this provider.
    pub fn pin(&mut self, route: &Route) {
        if let Some(index) = self.candidates.iter().position(|candidate| candidate.route.provider == route.provider) {
            self.candidates[..=index].rotate_right(1);
        }
    }

    /// Prepares a plan for speech in a language, an ISO 639-1 code. A voice that is known not to speak it gives way to one of the same
    /// model that does; a route without such a voice comes after all others. False when no route may speak the language.
    pub fn speak_in(&mut self, catalog: &Catalog, language: &str) -> bool {
        self.speech.language = Some(language.to_owned());
        let speaks = |voice: &Voice| voice.language.as_deref().is_none_or(|known| known.eq_ignore_ascii_case(language));
        let (mut able, mut unable) = (Vec::new(), Vec::new());
        for mut candidate in std::mem::take(&mut self.candidates) {
            let voices = catalog.voices(&candidate.catalog_id, &candidate.route.model);
            let chosen = candidate.route.voice.as_deref().unwrap_or_default();
            let is_wrong = voices.iter().any(|voice| voice.id.eq_ignore_ascii_case(chosen) && !speaks(voice));
            match voices.iter().find(|voice| speaks(voice)) {
                _ if !is_wrong => able.push(candidate),
                Some(other) => {
                    candidate.route.voice = Some(other.id.clone());
                    able.push(candidate);
                }
                None => unable.push(candidate),
            }
        }
        let is_spoken = !able.is_empty();
        able.append(&mut unable);
        self.candidates = able;
        is_spoken
    }

    /// The display name of a provider, or its name when the plan has no route of it.
    pub(crate) fn label<'a>(&'a self, provider: &'a str) -> &'a str {
        let candidate = self.candidates.iter().find(|candidate| candidate.route.provider == provider);
        candidate.map_or(provider, |candidate| &candidate.label)
    }

    /// How long the first content of a candidate may take. For a transcript, that is the whole of it.
    pub(crate) fn first_token_timeout(&self, candidate: &Candidate) -> Duration {
        let timeouts = self.timeouts;
        let ms = match (self.service, candidate.is_local) {
            (Service::Stt, false) => timeouts.transcript_ms,
            (_, true) => timeouts.local_first_content_ms,
            _ => timeouts.first_content_ms,
        };
        Duration::from_millis(ms.into())
    }
}
