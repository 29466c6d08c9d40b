//! What the interface shows of providers, models, voices and servers.

use std::sync::Arc;
use std::time::Duration;

use super::{Connected, Lister, SERVER_KIND, World};
use crate::api::{ModelView, PriceView, ProviderView, ServerView, Source, VoiceView};
use crate::catalog::{self, Unit};
use crate::config::Keys;
use crate::ports::Programs;
use crate::providers::{Account, Connection, Http, ListedModel, Preset, Service, find, presets};

/// The model that only AURA's own HTTP door lists: its default route.
const OWN: &str = "auto";
/// How long a server on this computer may take to be found.
const FOUND_WITHIN: Duration = Duration::from_millis(700);

impl World {
    /// Who can be asked for their models.
    pub(in crate::router) fn listers(&self) -> Vec<Lister> {
        let ready =
            self.connected.iter().filter(|connected| connected.problem.is_none() && !connected.address.is_empty());
        ready
            .filter_map(|connected| {
                Some(Lister {
                    name: connected.name.clone(),
                    address: connected.address.clone(),
                    own_server: connected.kind.id == SERVER_KIND,
                    account: connected.services.account.clone()?,
                })
            })
            .collect()
    }

    /// The servers that may have voices of their own, with the model that speaks.
    pub(in crate::router) fn voice_listers(&self, provider: Option<&str>) -> Vec<(String, String, Arc<dyn Account>)> {
        let servers = self.connected.iter().filter(|connected| {
            connected.kind.id == SERVER_KIND
                && connected.problem.is_none()
                && connected.services.tts.is_some()
                && provider.is_none_or(|provider| connected.name == provider)
        });
        servers
            .filter_map(|connected| {
                let model = self.model(connected, Service::Tts, &crate::api::Wishes::default()).unwrap_or_default();
                Some((connected.name.clone(), model.to_owned(), connected.services.account.clone()?))
            })
            .collect()
    }

    /// The voices of the catalog.
    pub(in crate::router) fn voices(&self, provider: Option<&str>) -> Vec<VoiceView> {
        let asked = |connected: &&Connected| provider.is_none_or(|provider| connected.name == provider);
        let mut voices = Vec::new();
        for connected in self.connected.iter().filter(asked) {
            let Connected { name, known_as, .. } = connected;
            let speaking = catalog::models(known_as).iter().filter(|model| model.services.contains(&Service::Tts));
            for model in speaking {
                voices.extend(catalog::voices(known_as, &model.id).iter().map(|voice| VoiceView {
                    name: voice.id.clone(),
                    provider: name.clone(),
                    model: model.id.clone(),
                    language: voice.language.clone(),
                    gender: voice.gender.clone(),
                }));
            }
            let listed = self.listed(connected).unwrap_or_default().iter();
            for model in listed.filter(|model| catalog::find(known_as, &model.id).is_none()) {
                voices.extend(model.voices.iter().map(|voice| VoiceView {
                    name: voice.clone(),
                    provider: name.clone(),
                    model: model.id.clone(),
                    language: None,
                    gender: None,
                }));
            }
        }
        voices
    }

    /// The models that can be asked for: the catalog's, then what a provider lists beyond them.
    pub(in crate::router) fn models(&self) -> Vec<ModelView> {
        let today = jiff::Zoned::now().date();
        let mut models = Vec::new();
        for connected in &self.connected {
            let Connected { name, known_as, .. } = connected;
            let listed = self.listed(connected);
            let on_list = |id: &str| listed.and_then(|listed| listed.iter().find(|model| model.id == id));
            let catalogued = catalog::models(known_as);
            models.extend(catalogued.iter().map(|model| {
                let live = on_list(&model.id);
                let problem = if let Some(why) = self.known.why_gone(name, &model.id) {
                    Some(why.unwrap_or("It answered that it is gone.").to_owned())
                } else if listed.is_some() && live.is_none() {
                    Some("The provider does not list it for this account.".to_owned())
                } else {
                    None
                };
                ModelView {
                    name: model.id.clone(),
                    provider: name.clone(),
                    services: model.services.clone(),
                    voices: model.voices.clone(),
                    context: live.and_then(|live| live.context).or(model.context),
                    max_output: live.and_then(|live| live.max_output).or(model.max_output),
                    // What the provider itself says is newer than what was written down.
                    price: live.and_then(listed_price).or_else(|| {
                        catalog::price(known_as, &model.id, today).map(|price| PriceView {
                            unit: price.unit.as_str().into(),
                            input: price.input,
                            output: price.output,
                        })
                    }),
                    retired_on: live.and_then(|live| live.shutdown_on).or(model.shutdown_on),
                    replaced_by: model.replaced_by.clone(),
                    problem,
                    source: if live.is_some() { Source::Live } else { Source::Catalog },
                    note: model.note.clone(),
                }
            }));
            let beyond = |model: &&ListedModel| {
                !model.services.is_empty() && catalogued.iter().all(|known| known.id != model.id)
            };
            models.extend(listed.unwrap_or_default().iter().filter(beyond).map(|model| {
                ModelView {
                    name: model.id.clone(),
                    provider: name.clone(),
                    services: model.services.clone(),
                    voices: match model.voices.as_slice() {
                        [] => catalog::voices(known_as, &model.id).iter().map(|voice| voice.id.clone()).collect(),
                        listed => listed.to_vec(),
                    },
                    context: model.context,
                    max_output: model.max_output,
                    price: listed_price(model),
                    retired_on: model.shutdown_on,
                    replaced_by: None,
                    problem: self
                        .known
                        .why_gone(name, &model.id)
                        .map(|why| why.unwrap_or("It answered that it is gone.").to_owned()),
                    source: Source::Live,
                    note: None,
                }
            }));
        }
        models
    }

    /// What a provider offers.
    pub(in crate::router) fn offered(&self, provider: &str) -> &'static [Service] {
        let of = self.connected.iter().find(|connected| connected.name == provider);
        of.map(|connected| connected.kind.services).unwrap_or_default()
    }

    /// Whether a provider serves a model for a service, under this name or by what replaces it. `None`: nobody knows.
    pub(in crate::router) fn serves(&self, provider: &str, service: Service, model: &str) -> Option<bool> {
        let connected = self.connected.iter().find(|connected| connected.name == provider)?;
        let resolved = self.resolve(connected, service, model);
        if resolved.replaced.is_some() {
            return Some(true);
        }
        if let Some(known) = catalog::find(&connected.known_as, &resolved.model) {
            return Some(known.services.contains(&service));
        }
        match self.listed(connected) {
            Some(listed) => {
                let same = listed.iter().find(|listed| listed.id.eq_ignore_ascii_case(&resolved.model));
                Some(same.is_some_and(|listed| listed.services.is_empty() || listed.services.contains(&service)))
            }
            // What is on this computer is in the catalog.
            None => (connected.kind.local).then_some(false),
        }
    }

    pub(in crate::router) fn views(&self, keys: &Keys) -> Vec<ProviderView> {
        self.connected
            .iter()
            .map(|connected| ProviderView {
                name: connected.name.clone(),
                label: connected.label(),
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

/// The price that a provider lists, if it lists one.
fn listed_price(model: &ListedModel) -> Option<PriceView> {
    let price = model.price?;
    Some(PriceView { unit: Unit::MillionTokens.as_str().into(), input: price.input, output: Some(price.output) })
}

/// The kinds of servers, each looked for where it usually is on this computer.
pub(in crate::router) async fn servers(http: &Http, programs: &Arc<dyn Programs>) -> Vec<ServerView> {
    let looked = presets().iter().map(async |preset: &Preset| {
        let found = match preset.base_url.clone().filter(|_| preset.local) {
            None => false,
            Some(base_url) => {
                let account = find(SERVER_KIND).and_then(|kind| {
                    let connection = Connection {
                        name: preset.id.clone(),
                        http: http.clone(),
                        base_url: Some(base_url),
                        key: None,
                        programs: programs.clone(),
                        preset: Some(preset.id.clone()),
                    };
                    (kind.connect)(connection).account
                });
                match account {
                    None => false,
                    Some(account) => {
                        let listed = tokio::time::timeout(FOUND_WITHIN, account.models()).await;
                        // AURA's own HTTP door has the port that others use too; asking oneself would go in a circle.
                        listed.is_ok_and(|listed| listed.is_ok_and(|models| models.iter().all(|model| model.id != OWN)))
                    }
                }
            }
        };
        ServerView {
            preset: preset.id.clone(),
            label: preset.label.clone(),
            base_url: preset.base_url.as_ref().map(ToString::to_string),
            local: preset.local,
            needs_key: preset.needs_key,
            services: preset.services.clone(),
            found,
        }
    });
    futures::future::join_all(looked).await
}
