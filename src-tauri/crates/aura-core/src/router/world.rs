//! The settings and connections of one moment, and the plan that a request makes from them.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;

use super::Listed;
use crate::api::{ModelView, ProviderView, Wishes};
use crate::catalog;
use crate::config::{Clocks, Config, Consent, Keys, RouteChoice, Store};
use crate::error::{Code, Error, Result};
use crate::ports::Programs;
use crate::providers::{Account, Connection, ListedModel, PROVIDERS, Provider, Service, Services, find};
use crate::record::{Notice, Route};

/// The provider kind that serves every configured server which is no built-in provider.
const SERVER_KIND: &str = "openai_compatible";

/// Settings and connections that belong together.
pub(super) struct World {
    config: Arc<Config>,
    connected: Vec<Connected>,
}

struct Connected {
    name: String,
    /// Under which name the catalog knows its models: a server is known by its preset.
    known_as: String,
    kind: &'static Provider,
    services: Services,
    consent: Consent,
    /// Why it is not used.
    problem: Option<String>,
    /// The models it says it has.
    listed: Vec<ListedModel>,
}

impl Connected {
    /// The model for a service when none is chosen: the catalog's, else the first that the server lists for it.
    fn default_model(&self, service: Service) -> Option<&str> {
        let first =
            || self.listed.iter().find(|model| model.services.contains(&service)).map(|model| model.id.as_str());
        catalog::default_model(&self.known_as, service).or_else(first)
    }
}

/// One route that may be tried.
#[derive(Clone)]
pub struct Candidate {
    /// The route.
    pub route: Route,
    /// Under which name the catalog knows the provider's models.
    pub known_as: String,
    /// Its calls.
    pub services: Services,
    /// Whether it runs on this computer.
    pub local: bool,
}

/// The routes of one request, in the order they are tried, and its clocks.
#[derive(Clone)]
pub struct Plan {
    /// For what.
    pub service: Service,
    /// At least one.
    pub candidates: Vec<Candidate>,
    /// How long to wait.
    pub clocks: Clocks,
    /// What the person should know about the choice: a retired model was replaced.
    pub notices: Vec<Notice>,
}

impl Plan {
    /// How long the first content of a candidate may take.
    pub fn first_content(&self, candidate: &Candidate) -> Duration {
        let clocks = self.clocks;
        let ms = match (self.service, candidate.local) {
            (Service::Stt, false) => clocks.transcript_ms,
            (_, true) => clocks.local_first_content_ms,
            _ => clocks.first_content_ms,
        };
        Duration::from_millis(ms.into())
    }
}

impl World {
    pub(super) fn build(
        store: &Store,
        keys: &Keys,
        http: &reqwest::Client,
        programs: &Arc<dyn Programs>,
        listed: &Listed,
    ) -> Self {
        let config = store.get();
        let built_in = PROVIDERS.iter().filter(|kind| kind.id != SERVER_KIND).map(|kind| (kind.id.to_owned(), *kind));
        let servers = config
            .settings
            .providers
            .keys()
            .filter(|name| PROVIDERS.iter().all(|kind| kind.id != name.as_str()))
            .filter_map(|name| Some((name.clone(), find(SERVER_KIND)?)));
        let mut all: Vec<(String, &'static Provider)> = built_in.collect();
        // Offline is the last link of every order, also after the person's own servers.
        let offline = all.pop();
        all.extend(servers);
        all.extend(offline);
        let connected = all
            .into_iter()
            .map(|(name, kind)| {
                let settings = config.settings.providers.get(&name).cloned().unwrap_or_default();
                let address = kind
                    .base_url_env
                    .and_then(|variable| store.environment().get(variable))
                    .or(settings.base_url.as_deref())
                    .or(kind.base_url);
                let key = keys.get(&name);
                let mut problem = (kind.key_env.is_some() && key.is_none()).then(|| "It has no key yet.".to_owned());
                let base_url = address.and_then(|address| {
                    let slash = if address.ends_with('/') { "" } else { "/" };
                    Url::parse(&format!("{address}{slash}"))
                        .map_err(|_| problem = Some(format!("Its address `{address}` is not valid.")))
                        .ok()
                });
                let known_as = settings.preset.clone().unwrap_or_else(|| name.clone());
                let services = (kind.connect)(Connection {
                    name: name.clone(),
                    http: http.clone(),
                    base_url,
                    key,
                    programs: programs.clone(),
                    preset: settings.preset,
                });
                let consent =
                    if kind.local { Consent { audio: true, screen: true, text: true } } else { settings.may_receive };
                let listed = listed.get(&name).cloned().unwrap_or_default();
                Connected { name, known_as, kind, services, consent, problem, listed }
            })
            .collect();
        Self { config, connected }
    }

    /// The routes a request may try.
    pub(super) fn plan(&self, service: Service, wishes: &Wishes) -> Result<Plan> {
        let settings = &self.config.settings;
        let choice = settings.routes.get(service);
        let wish = wishes.get(service).map(split_wish);
        if let Some((name, _)) = wish
            && self.connected.iter().all(|connected| connected.name != name)
        {
            let names: Vec<&str> = self.connected.iter().map(|connected| connected.name.as_str()).collect();
            return Err(Error::invalid(format!("There is no provider `{name}`. Use one of: {}.", names.join(", "))));
        }
        let may_fall_back = match wish {
            Some(_) => wishes.fallback,
            None => settings.fallback || wishes.fallback,
        };
        let mut plan = Plan { service, candidates: Vec::new(), clocks: settings.clocks, notices: Vec::new() };
        let mut reasons = Vec::new();
        for (place, name) in self.order(choice, wish.map(|(name, _)| name)).into_iter().enumerate() {
            let Some(connected) = self.connected.iter().find(|connected| connected.name == name) else { continue };
            // Without a chosen provider the first one that is ready is the default route.
            let chosen = wish.is_some() || choice.provider.is_some();
            if !may_fall_back && (if chosen { place > 0 } else { !plan.candidates.is_empty() }) {
                break;
            }
            match self.candidate(connected, service, choice, wish, wishes, &mut plan.notices) {
                Ok(candidate) => plan.candidates.push(candidate),
                Err(reason) => {
                    // Whoever was chosen is missed; the others are only a fallback.
                    if place == 0 && chosen && may_fall_back {
                        let message = format!("{} was not asked: {reason}", connected.name);
                        plan.notices.push(Notice { kind: "not_ready".into(), message });
                    }
                    reasons.push(format!("{}: {reason}", connected.name));
                }
            }
        }
        if plan.candidates.is_empty() {
            return Err(Error::new(Code::NoRoute, no_route(service)).because(reasons.join(" ")));
        }
        Ok(plan)
    }

    /// The names to try: the wish or the default first, then the fallback order, offline last.
    fn order(&self, choice: &RouteChoice, wish: Option<&str>) -> Vec<String> {
        let first = wish.map(str::to_owned).or_else(|| choice.provider.clone());
        let then = choice
            .then
            .clone()
            .unwrap_or_else(|| self.connected.iter().map(|connected| connected.name.clone()).collect());
        let last = self.connected.last().map(|connected| connected.name.clone());
        let mut order: Vec<String> = Vec::new();
        for name in first.into_iter().chain(then).chain(last) {
            if !order.contains(&name) {
                order.push(name);
            }
        }
        order
    }

    fn candidate(
        &self,
        connected: &Connected,
        service: Service,
        choice: &RouteChoice,
        wish: Option<(&str, Option<&str>)>,
        wishes: &Wishes,
        notices: &mut Vec<Notice>,
    ) -> Result<Candidate, String> {
        let offered = match service {
            Service::Stt => connected.services.stt.is_some(),
            Service::Llm | Service::Vlm => connected.services.chat.is_some(),
            Service::Tts => connected.services.tts.is_some(),
        };
        if !offered || !connected.kind.services.contains(&service) {
            return Err("it does not offer this.".into());
        }
        if let Some(problem) = &connected.problem {
            return Err(problem.clone());
        }
        if !connected.consent.allows(service) {
            return Err("it may not receive this kind of data; see Providers.".into());
        }
        let wished = wish.filter(|(name, _)| *name == connected.name);
        let preferred = choice.provider.as_deref() == Some(connected.name.as_str());
        let named = wished
            .and_then(|(_, model)| model.map(str::to_owned))
            .or_else(|| choice.model.clone().filter(|_| preferred));
        let model = match named {
            Some(named) => {
                let resolved = catalog::resolve(&connected.known_as, service, &named);
                if let Some(replaced) = &resolved.replaced {
                    let when = replaced.on.as_deref().map(|on| format!(" on {on}")).unwrap_or_default();
                    notices.push(Notice {
                        kind: "model_replaced".into(),
                        message: format!("{} was retired{when}. {} answers in its place.", replaced.from, replaced.by),
                    });
                }
                resolved.model
            }
            None => connected.default_model(service).map(str::to_owned).ok_or("it needs a model to be chosen.")?,
        };
        let voice = (service == Service::Tts).then(|| {
            let wanted = wishes.voice.clone().filter(|_| wish.is_none() || wished.is_some());
            wanted
                .or_else(|| choice.voice.clone().filter(|_| preferred))
                .map(|voice| catalog::resolve_voice(&connected.known_as, &model, &voice))
                .or_else(|| catalog::default_voice(&connected.known_as, &model).map(str::to_owned))
                .unwrap_or_default()
        });
        Ok(Candidate {
            route: Route { provider: connected.name.clone(), model, voice },
            known_as: connected.known_as.clone(),
            services: connected.services.clone(),
            local: connected.kind.local,
        })
    }

    /// The person's own servers, to be asked for their models.
    pub(super) fn servers(&self) -> Vec<(String, Arc<dyn Account>)> {
        let own =
            self.connected.iter().filter(|connected| connected.kind.id == SERVER_KIND && connected.problem.is_none());
        own.filter_map(|connected| Some((connected.name.clone(), connected.services.account.clone()?))).collect()
    }

    /// The models that can be asked for: the catalog's, then what a server lists beyond them.
    pub(super) fn models(&self) -> Vec<ModelView> {
        let mut models: Vec<ModelView> = Vec::new();
        for Connected { name, known_as, listed, .. } in &self.connected {
            let catalogued = catalog::models(known_as);
            let known = catalogued.iter().map(|model| (&model.id, &model.services));
            let beyond = listed.iter().filter(|model| catalogued.iter().all(|known| known.id != model.id));
            models.extend(known.chain(beyond.map(|model| (&model.id, &model.services))).map(|(id, services)| {
                ModelView {
                    name: id.clone(),
                    provider: name.clone(),
                    services: services.clone(),
                    voices: catalog::voices(known_as, id).iter().map(|voice| voice.id.clone()).collect(),
                }
            }));
        }
        models
    }

    pub(super) fn views(&self, keys: &Keys) -> Vec<ProviderView> {
        self.connected
            .iter()
            .map(|connected| ProviderView {
                name: connected.name.clone(),
                label: if connected.kind.id == SERVER_KIND {
                    connected.name.clone()
                } else {
                    connected.kind.label.into()
                },
                services: connected.kind.services.to_vec(),
                local: connected.kind.local,
                needs_key: connected.kind.key_env.is_some(),
                key: keys.view(&connected.name),
                may_receive: connected.consent,
                problem: connected.problem.clone(),
            })
            .collect()
    }
}

/// `provider` or `provider/model`; a model's name may hold slashes of its own.
fn split_wish(wish: &str) -> (&str, Option<&str>) {
    match wish.split_once('/') {
        Some((provider, model)) if !model.is_empty() => (provider, Some(model)),
        _ => (wish.trim_end_matches('/'), None),
    }
}

fn no_route(service: Service) -> &'static str {
    match service {
        Service::Stt => {
            "Nothing here can turn speech into text. Add a key under Providers, or install pocketsphinx or whisper-cli."
        }
        Service::Llm => "Nothing here can answer. Add a key under Providers, or start Ollama.",
        Service::Vlm => "Nothing here can look at a picture. Add a key under Providers, or install tesseract.",
        Service::Tts => "Nothing here can speak. Add a key under Providers, or install espeak-ng.",
    }
}
