//! Chooses the installed model for a request.

use crate::local_models::{LocalModel, LocalModels};
use crate::types::{Failure, FailureKind, Service};

/// The installed model with this id, if it provides the service.
pub(super) fn named(models: &dyn LocalModels, id: &str, service: Service) -> Option<LocalModel> {
    models.installed().into_iter().find(|model| model.id == id && model.services.contains(&service))
}

/// The model for a service: the named one, or else the first one that knows the language. When the language is not known, one that
/// knows several is better than the first one for speech to text, which has to detect it.
pub fn installed_model(
    models: &dyn LocalModels,
    id: &str,
    service: Service,
    language: Option<&str>,
) -> Option<LocalModel> {
    let installed: Vec<LocalModel> =
        models.installed().into_iter().filter(|model| model.services.contains(&service)).collect();
    let several = |model: &&LocalModel| model.languages.len() != 1;
    let named = installed.iter().find(|model| model.id == id);
    let chosen = named.or_else(|| match language {
        Some(language) => installed.iter().find(|model| model.knows(language)),
        None if service == Service::Stt => installed.iter().find(several).or_else(|| installed.first()),
        None => installed.first(),
    });
    chosen.cloned()
}

/// Whether a program or server may do what an installed model could not: the model does not fit this computer or the request. After a
/// crash, the caller tries the model again.
pub(super) fn may_be_replaced(failure: &Failure) -> bool {
    matches!(failure.kind, FailureKind::Unsupported | FailureKind::ModelGone)
}
