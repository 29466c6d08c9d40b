//! Which model a route uses, by the catalog, the provider's own list, and the models that the provider refused.

use aura_providers::catalog::{self, Resolved};
use aura_providers::{ListedModel, Service};

use super::{ConnectedProvider, RoutingTable};
use crate::attempt::{RouteNotice, RouteNoticeKind, RouteNoticeReason};
use crate::model_lists;
use crate::ranking;
use crate::settings::{RouteOverrides, RoutePreference};

impl RoutingTable {
    /// The model to send for a requested name. A model that the provider still lists is kept, even if the catalog says that it is
    /// retired.
    pub(crate) fn resolve(&self, provider: &ConnectedProvider, service: Service, named: &str) -> Resolved {
        let plain = catalog::bare_id(named);
        let is_listed = self.listed(provider).is_some_and(|listed| listed.iter().any(|model| model.id == plain));
        if is_listed && !self.known.is_missing(&provider.name, plain) {
            return Resolved { model: plain.to_owned(), replaced: None };
        }
        self.catalog.resolve(&provider.catalog_id, service, named)
    }

    /// The named model, or its substitute while the provider refuses it.
    pub(super) fn replace_if_missing(
        &self,
        provider: &ConnectedProvider,
        service: Service,
        model: String,
        notices: &mut Vec<RouteNotice>,
    ) -> String {
        let Some(reason) = self.known.missing_reason(&provider.name, &model) else { return model };
        let Some(substitute) = self.substitute_at(provider, service, &model) else { return model };
        let why = model_lists::describe_missing(&model, reason);
        // The provider gives a reason only for a model that the account may not use.
        let reason = if reason.is_some() { RouteNoticeReason::NotEntitled } else { RouteNoticeReason::Gone };
        notices.push(RouteNotice::replaced(RouteNoticeKind::ModelGone, &model, &substitute, reason, &why));
        substitute
    }

    /// The model of a provider that replaces a missing one: the catalog's, otherwise another one that the provider lists.
    pub(crate) fn substitute(&self, provider: &str, service: Service, missing: &str) -> Option<String> {
        self.substitute_at(self.provider(provider)?, service, missing)
    }

    fn substitute_at(&self, provider: &ConnectedProvider, service: Service, missing: &str) -> Option<String> {
        let listed = self.listed(provider);
        let is_available = |id: &str| !self.known.is_missing(&provider.name, id) && id != missing;
        let may_be_listed =
            |id: &str| listed.is_none_or(|listed| listed.iter().any(|model| model.id.eq_ignore_ascii_case(id)));
        let in_catalog =
            || self.catalog.substitutes(&provider.catalog_id, service, missing).filter(|id| is_available(id));
        in_catalog()
            .find(|id| may_be_listed(id))
            .map(str::to_owned)
            .or_else(|| {
                let is_suitable = |model: &&ListedModel| model.services.contains(&service) && is_available(&model.id);
                let mut others = listed?.iter().filter(is_suitable).map(|model| model.id.as_str());
                others.find(|id| self.catalog.share_language(&provider.catalog_id, missing, id)).map(str::to_owned)
            })
            // A provider may serve models that its list leaves out.
            .or_else(|| in_catalog().next().map(str::to_owned))
    }

    /// The model for a service when none is named.
    ///
    /// The provider's own list overrules the catalog: a default that is not listed, or that the provider refused, is replaced by
    /// the catalog's next model, and otherwise by the first listed one.
    pub(crate) fn model<'a>(
        &'a self,
        provider: &'a ConnectedProvider,
        service: Service,
        overrides: &RouteOverrides,
    ) -> Option<&'a str> {
        let listed = self.listed(provider);
        let is_served = |id: &str| {
            !self.known.is_missing(&provider.name, id)
                && listed.is_none_or(|listed| listed.iter().any(|model| model.id.eq_ignore_ascii_case(id)))
        };
        let in_catalog =
            || self.catalog.models(&provider.catalog_id).iter().filter(|model| model.services.contains(&service));
        let may_be_preferred =
            |id: &str| self.catalog.find(&provider.catalog_id, id).is_some_and(|model| !model.only_by_name);
        let preferred = match self.preference(service, overrides) {
            Some(RoutePreference::Quality) => in_catalog()
                .filter(|model| is_served(&model.id) && may_be_preferred(&model.id))
                .max_by_key(|model| model.quality),
            Some(RoutePreference::Cost) => in_catalog()
                .filter(|model| is_served(&model.id) && may_be_preferred(&model.id))
                .filter_map(|model| {
                    let usd = ranking::typical_cost(&self.catalog, &provider.catalog_id, &model.id, service, false);
                    Some((usd?, model))
                })
                .min_by(|(a, _), (b, _)| a.total_cmp(b))
                .map(|(_, model)| model),
            _ => None,
        };
        let default = self.catalog.default_model(&provider.catalog_id, service);
        preferred
            .map(|model| model.id.as_str())
            .or_else(|| default.filter(|id| is_served(id)))
            .or_else(|| in_catalog().map(|model| model.id.as_str()).find(|id| is_served(id)))
            .or_else(|| {
                let is_suitable = |model: &&ListedModel| model.services.contains(&service);
                listed?.iter().filter(is_suitable).map(|model| model.id.as_str()).find(|id| is_served(id))
            })
            // When the list has no suitable model, the catalog's default is the best guess.
            .or(default)
    }
}
