//! Providers, models, voices and servers, by the catalog and the providers' own lists.

use std::sync::Arc;
use std::time::Duration;

use aura_providers::catalog::{Catalog, Unit};
use aura_providers::{Connection, HttpPools, ListedModel, ModelListing, Preset, Service, find, presets};

use crate::cost::today;
use crate::info::{ModelInfo, ModelSource, PriceInfo, ProviderInfo, ServerInfo, VoiceInfo};
use crate::routing_table::{ConnectedProvider, ModelLister, RoutingTable, SERVER_KIND};
use crate::settings::RouteOverrides;

/// The model that AURA's own local API lists, and no other server does: its default route.
const OWN_MODEL: &str = "auto";
/// How long a server on this computer may take to list its models.
const DISCOVERY_TIMEOUT: Duration = Duration::from_millis(700);

impl RoutingTable {
    /// The providers whose models can be listed.
    pub(crate) fn listers(&self) -> Vec<ModelLister> {
        let is_ready = |provider: &&ConnectedProvider| provider.problem.is_none() && !provider.address.is_empty();
        self.providers
            .iter()
            .filter(is_ready)
            .filter_map(|provider| {
                Some(ModelLister {
                    name: provider.name.clone(),
                    address: provider.address.clone(),
                    is_custom: provider.kind.id == SERVER_KIND,
                    models: provider.services.models.clone()?,
                })
            })
            .collect()
    }

    /// The servers that may list voices: name, model for speech, and the listing. `name` selects one server.
    pub(crate) fn voice_listers(&self, name: Option<&str>) -> Vec<(String, String, Arc<dyn ModelListing>)> {
        let servers = self.providers.iter().filter(|provider| {
            provider.kind.id == SERVER_KIND
                && provider.problem.is_none()
                && provider.services.tts.is_some()
                && name.is_none_or(|name| provider.name == name)
        });
        servers
            .filter_map(|provider| {
                let model = self.model(provider, Service::Tts, &RouteOverrides::default()).unwrap_or_default();
                Some((provider.name.clone(), model.to_owned(), provider.services.models.clone()?))
            })
            .collect()
    }

    /// The voices in the catalog and in the known model lists. `name` selects one provider.
    pub(crate) fn voices(&self, name: Option<&str>) -> Vec<VoiceInfo> {
        let is_selected = |provider: &&ConnectedProvider| name.is_none_or(|name| provider.name == name);
        let mut voices = Vec::new();
        for provider in self.providers.iter().filter(is_selected) {
            let ConnectedProvider { name, catalog_id, .. } = provider;
            let for_speech =
                self.catalog.models(catalog_id).iter().filter(|model| model.services.contains(&Service::Tts));
            for model in for_speech {
                voices.extend(self.catalog.voices(catalog_id, &model.id).iter().map(|voice| VoiceInfo {
                    name: voice.id.clone(),
                    provider: name.clone(),
                    model: model.id.clone(),
                    language: voice.language.clone(),
                    gender: voice.gender.clone(),
                }));
            }
            let listed = self.listed(provider).unwrap_or_default().iter();
            for model in listed.filter(|model| self.catalog.find(catalog_id, &model.id).is_none()) {
                voices.extend(model.voices.iter().map(|voice| VoiceInfo {
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

    /// The models that can be requested: the catalog's, and those that the providers list beyond them.
    pub(crate) fn models(&self) -> Vec<ModelInfo> {
        let today = today();
        let mut models = Vec::new();
        for provider in &self.providers {
            let ConnectedProvider { name, catalog_id, .. } = provider;
            if provider.kind.local {
                models.extend(self.local_models.installed().into_iter().map(|model| ModelInfo {
                    name: model.id,
                    provider: name.clone(),
                    services: model.services,
                    voices: Vec::new(),
                    context: None,
                    max_output: None,
                    price: None,
                    retired_on: None,
                    replaced_by: None,
                    problem: None,
                    source: ModelSource::Live,
                    note: Some(model.label),
                    note_facts: None,
                }));
            }
            let listed = self.listed(provider);
            let find_listed = |id: &str| listed.and_then(|listed| listed.iter().find(|model| model.id == id));
            let in_catalog = self.catalog.models(catalog_id);
            models.extend(in_catalog.iter().map(|model| {
                let live = find_listed(&model.id);
                let is_unlisted = listed.is_some() && live.is_none();
                let unlisted = is_unlisted.then(|| "The provider does not list it for this account.".to_owned());
                // The provider's own price is newer than the catalog's.
                let price = live.and_then(listed_price).or_else(|| {
                    self.catalog.price(catalog_id, &model.id, today).map(|price| PriceInfo {
                        unit: price.unit,
                        input: price.input,
                        output: price.output,
                    })
                });
                ModelInfo {
                    name: model.id.clone(),
                    provider: name.clone(),
                    services: model.services.clone(),
                    voices: model.voices.clone(),
                    context: live.and_then(|live| live.context).or(model.context),
                    max_output: live.and_then(|live| live.max_output).or(model.max_output),
                    price,
                    retired_on: live.and_then(|live| live.shutdown_on).or(model.shutdown_on),
                    replaced_by: model.replaced_by.clone(),
                    problem: self.missing_problem(name, &model.id).or(unlisted),
                    source: if live.is_some() { ModelSource::Live } else { ModelSource::Catalog },
                    note: model.note.as_ref().map(ToString::to_string),
                    note_facts: model.note.clone(),
                }
            }));
            let is_only_listed = |model: &&ListedModel| {
                !model.services.is_empty() && in_catalog.iter().all(|known| known.id != model.id)
            };
            models.extend(listed.unwrap_or_default().iter().filter(is_only_listed).map(|model| ModelInfo {
                name: model.id.clone(),
                provider: name.clone(),
                services: model.services.clone(),
                voices: match model.voices.as_slice() {
                    [] => self.catalog.voices(catalog_id, &model.id).iter().map(|voice| voice.id.clone()).collect(),
                    listed => listed.to_vec(),
                },
                context: model.context,
                max_output: model.max_output,
                price: listed_price(model),
                retired_on: model.shutdown_on,
                replaced_by: None,
                problem: self.missing_problem(name, &model.id),
                source: ModelSource::Live,
                note: None,
                note_facts: None,
            }));
        }
        models
    }

    /// The services of a model in [`Self::models`]; `None` when it is not among them. Empty when they are not known.
    pub(crate) fn services_of(&self, name: &str, model: &str) -> Option<Vec<Service>> {
        let provider = self.provider(name)?;
        if provider.kind.local {
            let installed = self.local_models.installed().into_iter().find(|local| local.id == model);
            if let Some(installed) = installed {
                return Some(installed.services);
            }
        }
        let in_catalog = self.catalog.models(&provider.catalog_id).iter().find(|known| known.id == model);
        if let Some(known) = in_catalog {
            return Some(known.services.clone());
        }
        let listed = self.listed(provider).unwrap_or_default().iter().find(|listed| listed.id == model)?;
        (!listed.services.is_empty()).then(|| listed.services.clone())
    }

    /// The context window of a model in tokens, by the provider's own list, else by the catalog; `None` when neither tells.
    pub(crate) fn context_of(&self, name: &str, model: &str) -> Option<u32> {
        let provider = self.provider(name)?;
        let listed = self.listed(provider).unwrap_or_default().iter().find(|listed| listed.id == model);
        let context = listed.and_then(|listed| listed.context);
        context.or_else(|| self.catalog.find(&provider.catalog_id, model).and_then(|known| known.context))
    }

    /// Why a model cannot be used, when the provider refused it.
    fn missing_problem(&self, provider: &str, model: &str) -> Option<String> {
        let reason = self.known.missing_reason(provider, model)?;
        Some(reason.unwrap_or("The provider no longer serves it.").to_owned())
    }

    /// The services of a provider; empty when it is unknown.
    pub(crate) fn offered(&self, name: &str) -> &'static [Service] {
        self.provider(name).map(|provider| provider.kind.services).unwrap_or_default()
    }

    /// The names of the providers that offer embeddings.
    pub(crate) fn embedding_providers(&self) -> Vec<String> {
        let offering = self.providers.iter().filter(|provider| provider.services.embedding.is_some());
        offering.map(|provider| provider.name.clone()).collect()
    }

    /// Whether a provider serves a model for a service, under this name or by a replacement. `None` when its models are not known.
    pub(crate) fn serves(&self, name: &str, service: Service, model: &str) -> Option<bool> {
        let provider = self.provider(name)?;
        let resolved = self.resolve(provider, service, model);
        if resolved.replaced.is_some() {
            return Some(true);
        }
        if let Some(known) = self.catalog.find(&provider.catalog_id, &resolved.model) {
            return Some(known.services.contains(&service));
        }
        match self.listed(provider) {
            Some(listed) => {
                let found = listed.iter().find(|listed| listed.id.eq_ignore_ascii_case(&resolved.model));
                Some(found.is_some_and(|found| found.services.is_empty() || found.services.contains(&service)))
            }
            // What this computer has is known.
            None => provider.kind.local.then(|| {
                let installed = self.local_models.installed();
                installed.iter().any(|local| local.id == resolved.model && local.services.contains(&service))
            }),
        }
    }

    /// The names of every provider and configured server, in fallback order.
    pub(crate) fn provider_names(&self) -> Vec<String> {
        self.providers.iter().map(|provider| provider.name.clone()).collect()
    }

    /// Every provider and configured server, in fallback order.
    pub(crate) fn provider_infos(&self) -> Vec<ProviderInfo> {
        self.providers
            .iter()
            .map(|provider| ProviderInfo {
                name: provider.name.clone(),
                label: provider.label(),
                services: provider.kind.services.to_vec(),
                local: provider.kind.local,
                needs_key: provider.kind.key_env.is_some(),
                address: provider.location.clone(),
                preset: provider.catalog_id.clone(),
                may_receive: provider.consent,
                problem: provider.problem.clone(),
            })
            .collect()
    }
}

/// The price in a provider's model list.
fn listed_price(model: &ListedModel) -> Option<PriceInfo> {
    let price = model.price?;
    Some(PriceInfo { unit: Unit::MillionTokens, input: price.input, output: Some(price.output) })
}

/// Every preset for a server, and whether one answers on this computer at the preset's address.
pub(crate) async fn servers(http: &HttpPools, catalog: &Arc<Catalog>) -> Vec<ServerInfo> {
    let checks = presets().iter().map(async |preset: &Preset| ServerInfo {
        preset: preset.id.clone(),
        label: preset.label.clone(),
        base_url: preset.base_url.as_ref().map(ToString::to_string),
        local: preset.local,
        needs_key: preset.needs_key,
        services: preset.services.clone(),
        found: is_running(preset, http, catalog).await,
    });
    futures::future::join_all(checks).await
}

async fn is_running(preset: &Preset, http: &HttpPools, catalog: &Arc<Catalog>) -> bool {
    let Some(base_url) = preset.base_url.clone().filter(|_| preset.local) else { return false };
    let Some(kind) = find(SERVER_KIND) else { return false };
    let connection = Connection::new(preset.id.clone(), http.clone())
        .with_catalog(catalog.clone())
        .with_base_url(base_url)
        .with_preset(preset.id.clone());
    let Some(listing) = (kind.connect)(connection).models else { return false };
    match tokio::time::timeout(DISCOVERY_TIMEOUT, listing.models()).await {
        // AURA's own local API may use the same port. It is no server to route to: its requests would come back here.
        Ok(Ok(models)) => models.iter().all(|model| model.id != OWN_MODEL),
        Ok(Err(_)) | Err(_) => false,
    }
}
