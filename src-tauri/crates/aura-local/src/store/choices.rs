//! Which model is preferred for each service.

use std::collections::BTreeMap;
use std::path::Path;

use aura_providers::Service;
use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::files;

/// The name of the file with the choices.
const FILE: &str = "chosen.json";

/// The ID of the preferred model of each service that has one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Choices(BTreeMap<String, String>);

impl Choices {
    pub(crate) fn read(store: &Path) -> Self {
        files::read_json(&store.join(FILE)).unwrap_or_default()
    }

    pub(crate) fn write(&self, store: &Path) -> Result<(), StoreError> {
        files::create_folder(store)
            .and_then(|()| files::write_json(&store.join(FILE), self))
            .map_err(|cause| StoreError::storage("save which model is used", &cause))
    }

    pub(crate) fn set(&mut self, service: Service, id: Option<String>) {
        match id {
            Some(id) => drop(self.0.insert(service.as_str().to_owned(), id)),
            None => drop(self.0.remove(service.as_str())),
        }
    }

    /// Whether a model is preferred for any service.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.0.values().any(|chosen| chosen == id)
    }

    pub(crate) fn of(&self, service: Service) -> Option<&str> {
        self.0.get(service.as_str()).map(String::as_str)
    }

    /// Drops the choices of a model. Returns whether there were any.
    pub(crate) fn forget(&mut self, id: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|_, chosen| chosen != id);
        self.0.len() < before
    }
}
