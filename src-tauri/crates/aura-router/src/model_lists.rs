//! The providers' own model lists, cached in a file for the next start, and the models that providers refused as missing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use aura_providers::ListedModel;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// The age at which a list is stale.
const MAX_AGE: jiff::SignedDuration = jiff::SignedDuration::from_hours(6);

/// The model list of one provider.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ModelList {
    /// The address that was queried: another address is another server, so the list does not apply to it.
    pub(crate) address: String,
    /// When it was requested.
    #[serde(rename = "at")]
    pub(crate) requested_at: jiff::Timestamp,
    pub(crate) models: Vec<ListedModel>,
}

/// What is known about the providers' models at one moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct KnownModels {
    /// By provider.
    lists: BTreeMap<String, ModelList>,
    /// Models that a provider refused since the router was built, by provider and model.
    #[serde(skip)]
    missing: BTreeMap<(String, String), MissingModel>,
}

/// A model that a provider refused.
#[derive(Debug, Clone, PartialEq)]
struct MissingModel {
    refused_at: jiff::Timestamp,
    /// What to do about it, when the model exists and only this account may not use it.
    reason: Option<String>,
}

/// A sentence on why a missing model is not used. `reason` is given when only this account may not use it.
pub(crate) fn describe_missing(model: &str, reason: Option<&str>) -> String {
    match reason {
        Some(reason) => format!("This account may not use {model}. {reason}"),
        None => format!("{model} is no longer served."),
    }
}

impl KnownModels {
    /// The models that the provider lists at this address. `None` when its list is not known, or empty.
    pub(crate) fn models(&self, provider: &str, address: &str) -> Option<&[ListedModel]> {
        let list = self.lists.get(provider).filter(|list| list.address == address && !list.models.is_empty())?;
        Some(&list.models)
    }

    /// Whether the provider's list at this address is unknown or too old.
    pub(crate) fn is_stale(&self, provider: &str, address: &str, now: jiff::Timestamp) -> bool {
        let list = self.lists.get(provider).filter(|list| list.address == address);
        list.is_none_or(|list| now.duration_since(list.requested_at) > MAX_AGE)
    }

    /// Whether the provider refused the model since it last listed it.
    pub(crate) fn is_missing(&self, provider: &str, model: &str) -> bool {
        self.missing_reason(provider, model).is_some()
    }

    /// `Some` when the provider refused the model since it last listed it; inside, what to do about it, where that is known.
    pub(crate) fn missing_reason(&self, provider: &str, model: &str) -> Option<Option<&str>> {
        if self.missing.is_empty() {
            return None;
        }
        self.missing.get(&(provider.to_owned(), model.to_owned())).map(|missing| missing.reason.as_deref())
    }
}

/// The model lists. Every request reads them; they change rarely.
pub(crate) struct ModelLists {
    file: Option<PathBuf>,
    known: ArcSwap<KnownModels>,
    /// Held while the lists change.
    changing: Mutex<()>,
}

impl ModelLists {
    /// Reads the lists of the last run, blocking. A file that is missing or cannot be read counts as empty.
    pub(crate) fn open(file: Option<PathBuf>) -> Self {
        let saved = file.as_deref().and_then(|file| std::fs::read(file).ok());
        let known = saved.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        Self { file, known: ArcSwap::from_pointee(known), changing: Mutex::default() }
    }

    pub(crate) fn known(&self) -> Arc<KnownModels> {
        self.known.load_full()
    }

    /// Adds new lists, and saves them. A missing model is available again when a list that was requested after the refusal
    /// contains it. True when anything changed.
    pub(crate) fn update(&self, lists: Vec<(String, ModelList)>) -> bool {
        if lists.is_empty() {
            return false;
        }
        let (known, has_changed) = {
            let _changing = self.changing.lock();
            let before = self.known.load();
            let mut known = KnownModels::clone(&before);
            for (provider, list) in lists {
                let is_listed = |model: &str| list.models.iter().any(|listed| listed.id == model);
                known.missing.retain(|(of, model), missing| {
                    *of != provider || list.requested_at < missing.refused_at || !is_listed(model)
                });
                known.lists.insert(provider, list);
            }
            let is_same =
                |list: &ModelList, other: &ModelList| list.address == other.address && list.models == other.models;
            let has_changed = known.missing != before.missing
                || known.lists.len() != before.lists.len()
                || known.lists.iter().any(|(name, list)| before.lists.get(name).is_none_or(|old| !is_same(old, list)));
            let known = Arc::new(known);
            self.known.store(known.clone());
            (known, has_changed)
        };
        if let Some(file) = self.file.clone() {
            tokio::task::spawn_blocking(move || save(&file, &known));
        }
        has_changed
    }

    /// Records that a provider refused a model: because it is gone or, with a reason, because this account may not use it. True
    /// when this was not known.
    pub(crate) fn mark_missing(&self, provider: &str, model: &str, reason: Option<&str>) -> bool {
        let _changing = self.changing.lock();
        let mut known = KnownModels::clone(&self.known.load());
        let missing = MissingModel { refused_at: jiff::Timestamp::now(), reason: reason.map(str::to_owned) };
        let is_new = known.missing.insert((provider.to_owned(), model.to_owned()), missing).is_none();
        self.known.store(Arc::new(known));
        is_new
    }
}

/// Replaces the file in one step. The file is only a cache: when it cannot be written, the lists are requested at the next start.
fn save(file: &Path, known: &KnownModels) {
    let write = || -> std::io::Result<()> {
        // In the same folder, because a rename must stay on one file system. With the process id, so that two processes do not
        // write the same file.
        let temporary = file.with_extension(format!("{}.new", std::process::id()));
        std::fs::write(&temporary, serde_json::to_vec(known)?)?;
        std::fs::rename(&temporary, file)
    };
    if let Err(error) = write() {
        tracing::warn!(%error, "cannot save the model lists for the next start");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(models: &[&str]) -> ModelList {
        let models = models.iter().map(|id| ListedModel { id: (*id).into(), ..ListedModel::default() }).collect();
        ModelList { address: "http://a/".into(), requested_at: jiff::Timestamp::now(), models }
    }

    #[test]
    fn a_list_is_kept_for_its_address_and_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("models.json");
        let lists = ModelLists::open(Some(file.clone()));
        // Blocking tasks run one after the other, so the empty ones end after the file is written.
        let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
        runtime.block_on(async {
            assert!(lists.update(vec![("x".into(), list(&["one", "two"]))]));
            assert!(!lists.update(vec![("x".into(), list(&["one", "two"]))]), "nothing changed");
            tokio::task::spawn_blocking(|| ()).await.unwrap();
        });
        assert_eq!(lists.known().models("x", "http://a/").unwrap().len(), 2);
        assert_eq!(lists.known().models("x", "http://b/"), None);
        let again = ModelLists::open(Some(file.clone()));
        assert_eq!(again.known().models("x", "http://a/").unwrap()[1].id, "two");
        let now = jiff::Timestamp::now();
        assert!(!again.known().is_stale("x", "http://a/", now));
        assert!(again.known().is_stale("x", "http://a/", now + MAX_AGE + jiff::SignedDuration::from_secs(60)));
        std::fs::write(&file, "{ half").unwrap();
        assert_eq!(*ModelLists::open(Some(file)).known(), KnownModels::default());
    }

    #[test]
    fn a_refused_model_is_missing_until_a_later_list_contains_it() {
        let lists = ModelLists::open(None);
        let earlier = list(&["one"]);
        assert!(lists.mark_missing("x", "one", None));
        lists.update(vec![("x".into(), earlier)]);
        assert!(lists.known().is_missing("x", "one"), "the list was requested before the refusal");
        assert!(!lists.mark_missing("x", "one", None));
        lists.update(vec![("x".into(), list(&["two"])), ("y".into(), list(&["one"]))]);
        assert!(lists.known().is_missing("x", "one"));
        assert!(lists.update(vec![("x".into(), list(&["one", "two"]))]));
        assert!(!lists.known().is_missing("x", "one"));
    }
}
