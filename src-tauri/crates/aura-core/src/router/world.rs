//! The settings and connections of one moment, and the plan that a request makes from them.

#[cfg(test)]
mod tests;
mod views;

pub(super) use views::servers;

use std::sync::Arc;

use reqwest::Url;
use tokio::time::Instant;

use super::lists::{self, Known};
use crate::api::Wishes;
use crate::catalog::{self, Resolved};
use crate::config::{Clocks, Config, Consent, Keys, Preference, RouteChoice, Store};
use crate::error::{Code, Error, Result};
use crate::ports::Programs;
use crate::providers::{
    Account, Connection, Delivery, Http, ListedModel, PROVIDERS, Provider, Service, Services, find, preset,
};
use crate::record::{Notice, Route};

/// The provider kind that serves every configured server which is no built-in provider.
const SERVER_KIND: &str = "openai_compatible";

/// Settings and connections that belong together.
pub(super) struct World {
    config: Arc<Config>,
    connected: Vec<Connected>,
    known: Arc<Known>,
    /// When the keys were read.
    pub(super) made: Instant,
}

struct Connected {
    name: String,
    /// Under which name the catalog knows its models: a server is known by its preset.
    known_as: String,
    kind: &'static Provider,
    services: Services,
    consent: Consent,
    /// Whether it runs on this computer or in this house: its model may have to be loaded first, and nobody bills it.
    near: bool,
    /// Why it is not used.
    problem: Option<String>,
    /// Where it is; empty for programs on this computer.
    address: String,
}

impl Connected {
    /// Its name for the person, who gave a server its own.
    fn label(&self) -> String {
        if self.kind.id == SERVER_KIND { self.name.clone() } else { self.kind.label.into() }
    }
}

/// A provider that can be asked for its models.
pub(super) struct Lister {
    pub(super) name: String,
    pub(super) address: String,
    /// Whether it is a server that the person added.
    pub(super) own_server: bool,
    pub(super) account: Arc<dyn Account>,
}

/// One route that may be tried.
#[derive(Clone)]
pub struct Candidate {
    /// The route.
    pub route: Route,
    /// The provider's name for the person.
    pub label: String,
    /// Under which name the catalog knows the provider's models.
    pub known_as: String,
    /// Its calls.
    pub services: Services,
    /// Whether it runs on this computer or in this house: its model may have to be loaded first, and nobody bills it.
    pub local: bool,
    /// Whether it is what this computer can do by itself, which stands in for a provider and is none.
    pub stand_in: bool,
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
    /// Whether the next route is started as well when one takes longer than it usually does.
    pub hedge: bool,
    /// Whether another provider may answer what one blocked.
    pub past_blocks: bool,
    /// How a text is spoken.
    pub delivery: Delivery,
    /// Why the first candidate is first, when AURA chose it.
    pub why: Option<String>,
    /// When the settings and keys were read.
    pub made: Instant,
}

impl World {
    pub(super) fn build(
        store: &Store,
        keys: &Keys,
        http: &Http,
        programs: &Arc<dyn Programs>,
        known: Arc<Known>,
        sandbox: bool,
    ) -> Self {
        let made = Instant::now();
        let config = store.get();
        let built_in = PROVIDERS.iter().filter(|kind| kind.id != SERVER_KIND).map(|kind| (kind.id.to_owned(), *kind));
        let servers = config
            .settings
            .providers
            .keys()
            .filter(|name| !sandbox && PROVIDERS.iter().all(|kind| kind.id != name.as_str()))
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
                let of = preset(&known_as);
                let place = base_url.as_ref().or(of.base_url.as_ref());
                let near = kind.local || (kind.id == SERVER_KIND && place.is_some_and(|url| of.is_near(url)));
                let address = base_url.as_ref().map(Url::to_string).unwrap_or_default();
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
                Connected { name, known_as, kind, services, consent, near, problem, address }
            })
            .collect();
        Self { config, connected, known, made }
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
        let mut plan = Plan {
            service,
            candidates: Vec::new(),
            clocks: settings.clocks,
            notices: Vec::new(),
            hedge: settings.hedge,
            past_blocks: settings.fallback_when_blocked,
            delivery: Delivery::default(),
            why: None,
            made: self.made,
        };
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
                        let message = format!("{} was not asked: {reason}", connected.label());
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
                let resolved = self.resolve(connected, service, &named);
                if let Some(replaced) = &resolved.replaced {
                    let when = replaced.on.as_deref().map(|on| format!(" on {on}")).unwrap_or_default();
                    notices.push(Notice {
                        kind: "model_replaced".into(),
                        message: format!("{} was retired{when}. {} answers in its place.", replaced.from, replaced.by),
                    });
                }
                self.unless_gone(connected, service, resolved.model, notices)
            }
            None => self.model(connected, service, wishes).ok_or("it needs a model to be chosen.")?.to_owned(),
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
            label: connected.label(),
            known_as: connected.known_as.clone(),
            services: connected.services.clone(),
            local: connected.near,
            stand_in: connected.kind.local,
        })
    }

    /// The name to send for a name that was asked for. What the provider still lists is served, whatever the catalog says.
    fn resolve(&self, of: &Connected, service: Service, named: &str) -> Resolved {
        let asked = catalog::plain(named);
        let listed = self.listed(of).is_some_and(|listed| listed.iter().any(|model| model.id == asked));
        if listed && !self.known.is_gone(&of.name, asked) {
            return Resolved { model: asked.to_owned(), replaced: None };
        }
        catalog::resolve(&of.known_as, service, named)
    }

    /// The named model, or what stands in for it while it is gone.
    fn unless_gone(&self, of: &Connected, service: Service, model: String, notices: &mut Vec<Notice>) -> String {
        let Some(why) = self.known.why_gone(&of.name, &model) else { return model };
        let Some(by) = self.instead(of, service, &model) else { return model };
        let message = format!("{} {by} answers in its place.", lists::reason(&model, why));
        notices.push(Notice { kind: "model_gone".into(), message });
        by
    }

    /// The model of a provider that stands in for one that is gone: the catalog's, else another one that the provider lists.
    pub(super) fn substitute(&self, provider: &str, service: Service, gone: &str) -> Option<String> {
        let of = self.connected.iter().find(|connected| connected.name == provider)?;
        self.instead(of, service, gone)
    }

    fn instead(&self, of: &Connected, service: Service, gone: &str) -> Option<String> {
        let listed = self.listed(of);
        let there = |id: &str| !self.known.is_gone(&of.name, id) && id != gone;
        let on_list =
            |id: &str| listed.is_none_or(|listed| listed.iter().any(|model| model.id.eq_ignore_ascii_case(id)));
        let known = || catalog::substitutes(&of.known_as, service, gone).filter(|id| there(id));
        known()
            .find(|id| on_list(id))
            .map(str::to_owned)
            .or_else(|| {
                let does = |model: &&ListedModel| model.services.contains(&service) && there(&model.id);
                let mut others = listed?.iter().filter(does).map(|model| model.id.as_str());
                others.find(|id| catalog::speak_alike(&of.known_as, gone, id)).map(str::to_owned)
            })
            // A list may leave out what is served all the same.
            .or_else(|| known().next().map(str::to_owned))
    }

    /// The model for a service when none is named. The provider's own list overrules the catalog: a default that is not listed,
    /// or answered "gone", is passed over for the next one of the catalog, and at last for the first that is listed.
    fn model<'a>(&'a self, of: &'a Connected, service: Service, wishes: &Wishes) -> Option<&'a str> {
        let listed = self.listed(of);
        let served = |id: &str| {
            !self.known.is_gone(&of.name, id)
                && listed.is_none_or(|listed| listed.iter().any(|model| model.id.eq_ignore_ascii_case(id)))
        };
        let known = || catalog::models(&of.known_as).iter().filter(|model| model.services.contains(&service));
        let not_by_chance = |id: &str| catalog::find(&of.known_as, id).is_some_and(|model| !model.only_by_name);
        let preferred = match self.preference(service, wishes) {
            Some(Preference::Quality) => {
                known().filter(|model| served(&model.id) && not_by_chance(&model.id)).max_by_key(|model| model.quality)
            }
            Some(Preference::Cost) => known()
                .filter(|model| served(&model.id) && not_by_chance(&model.id))
                .filter_map(|model| {
                    Some((super::choice::typical_cost(&of.known_as, &model.id, service, false)?, model))
                })
                .min_by(|(a, _), (b, _)| a.total_cmp(b))
                .map(|(_, model)| model),
            _ => None,
        };
        let default = catalog::default_model(&of.known_as, service);
        preferred
            .map(|model| model.id.as_str())
            .or_else(|| default.filter(|id| served(id)))
            .or_else(|| known().map(|model| model.id.as_str()).find(|id| served(id)))
            .or_else(|| {
                let does = |model: &&ListedModel| model.services.contains(&service);
                listed?.iter().filter(does).map(|model| model.id.as_str()).find(|id| served(id))
            })
            // A list that holds nothing of use says less than the catalog.
            .or(default)
    }

    /// The models that it says it has.
    fn listed<'a>(&'a self, of: &Connected) -> Option<&'a [ListedModel]> {
        self.known.models(&of.name, &of.address)
    }

    /// How the first route is chosen, when the person named none.
    pub(super) fn preference(&self, service: Service, wishes: &Wishes) -> Option<Preference> {
        let settings = &self.config.settings;
        let open = wishes.get(service).is_none() && settings.routes.get(service).provider.is_none();
        (open && settings.choose != Preference::Order).then_some(settings.choose)
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
