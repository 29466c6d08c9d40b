//! What providers say about their models: their live lists, kept in a file for the next start, and which models were gone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};

use crate::providers::ListedModel;

/// A list older than this is asked for again.
pub(super) const STALE: jiff::SignedDuration = jiff::SignedDuration::from_hours(6);

/// What one provider listed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct List {
    /// Where it was listed: another address is another server.
    pub(super) address: String,
    /// When it was asked for.
    pub(super) at: jiff::Timestamp,
    /// The models.
    pub(super) models: Vec<ListedModel>,
}

/// What is known at one moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Known {
    lists: BTreeMap<String, List>,
    /// Providers and models that answered "gone" in this run.
    #[serde(skip)]
    gone: BTreeMap<(String, String), Gone>,
}

/// When a model answered that it is gone.
#[derive(Debug, Clone, PartialEq)]
struct Gone {
    at: jiff::Timestamp,
    /// What to do about it, when it is there and only this account may not use it.
    why: Option<String>,
}

/// What is said of a model that is passed over.
pub(super) fn reason(model: &str, why: Option<&str>) -> String {
    match why {
        Some(why) => format!("{model} may not be used by this account. {why}"),
        None => format!("{model} is no longer served."),
    }
}

impl Known {
    /// The models that the provider lists at that address; `None` when it was never asked there.
    pub(super) fn models(&self, provider: &str, address: &str) -> Option<&[ListedModel]> {
        let list = self.lists.get(provider).filter(|list| list.address == address && !list.models.is_empty())?;
        Some(&list.models)
    }

    /// Whether the list is due to be asked for.
    pub(super) fn is_stale(&self, provider: &str, address: &str, now: jiff::Timestamp) -> bool {
        let list = self.lists.get(provider).filter(|list| list.address == address);
        list.is_none_or(|list| now.duration_since(list.at) > STALE)
    }

    /// Whether the model answered "gone" since it was last listed.
    pub(super) fn is_gone(&self, provider: &str, model: &str) -> bool {
        self.why_gone(provider, model).is_some()
    }

    /// The same, with what to do about it where that is known.
    pub(super) fn why_gone(&self, provider: &str, model: &str) -> Option<Option<&str>> {
        if self.gone.is_empty() {
            return None;
        }
        self.gone.get(&(provider.to_owned(), model.to_owned())).map(|gone| gone.why.as_deref())
    }
}

/// The lists, read by every request and changed seldom.
pub(super) struct Lists {
    file: Option<PathBuf>,
    known: ArcSwap<Known>,
    changing: Mutex<()>,
}

impl Lists {
    /// What the last run kept. Called before the runtime has work to do; a file that cannot be read is as good as none.
    pub(super) fn open(file: Option<PathBuf>) -> Self {
        let kept = file.as_deref().and_then(|file| std::fs::read(file).ok());
        let known = kept.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        Self { file, known: ArcSwap::from_pointee(known), changing: Mutex::default() }
    }

    pub(super) fn known(&self) -> Arc<Known> {
        self.known.load_full()
    }

    /// Takes over what providers said. A model that is listed, in a list asked for since, is no longer gone. True when there was something new.
    pub(super) fn learn(&self, answers: Vec<(String, List)>) -> bool {
        if answers.is_empty() {
            return false;
        }
        let (known, news) = {
            let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
            let before = self.known.load();
            let mut known = Known::clone(&before);
            for (provider, list) in answers {
                let listed = |model: &str| list.models.iter().any(|listed| listed.id == model);
                known.gone.retain(|(of, model), gone| *of != provider || list.at < gone.at || !listed(model));
                known.lists.insert(provider, list);
            }
            let same = |list: &List, other: &List| list.address == other.address && list.models == other.models;
            let news = known.gone != before.gone
                || known.lists.len() != before.lists.len()
                || known.lists.iter().any(|(name, list)| before.lists.get(name).is_none_or(|old| !same(old, list)));
            let known = Arc::new(known);
            self.known.store(known.clone());
            (known, news)
        };
        if let Some(file) = self.file.clone() {
            tokio::task::spawn_blocking(move || keep(&file, &known));
        }
        news
    }

    /// Notes that a model is gone, or, with a reason, that it is not for this account. True when that is news.
    pub(super) fn gone(&self, provider: &str, model: &str, why: Option<&str>) -> bool {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known = Known::clone(&self.known.load());
        let gone = Gone { at: jiff::Timestamp::now(), why: why.map(str::to_owned) };
        let news = known.gone.insert((provider.to_owned(), model.to_owned()), gone).is_none();
        self.known.store(Arc::new(known));
        news
    }
}

/// Replaces the file in one step. It is only a memory: when it cannot be written, the lists are asked for at the next start.
fn keep(file: &Path, known: &Known) {
    let write = || -> std::io::Result<()> {
        // Beside it, so that the change of names stays on one disk; with this process's number, so that two do not share it.
        let beside = file.with_extension(format!("{}.new", std::process::id()));
        std::fs::write(&beside, serde_json::to_vec(known)?)?;
        std::fs::rename(&beside, file)
    };
    if let Err(cause) = write() {
        tracing::warn!(%cause, "the model lists could not be kept for the next start");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(models: &[&str]) -> List {
        let models = models.iter().map(|id| ListedModel { id: (*id).into(), ..ListedModel::default() }).collect();
        List { address: "http://a/".into(), at: jiff::Timestamp::now(), models }
    }

    #[tokio::test]
    async fn a_list_is_kept_for_its_address_and_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("models.json");
        let lists = Lists::open(Some(file.clone()));
        assert!(lists.learn(vec![("x".into(), list(&["one", "two"]))]));
        assert!(!lists.learn(vec![("x".into(), list(&["one", "two"]))]), "nothing new");
        assert_eq!(lists.known().models("x", "http://a/").unwrap().len(), 2);
        assert_eq!(lists.known().models("x", "http://b/"), None);
        for _ in 0..200 {
            if file.exists() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        let again = Lists::open(Some(file.clone()));
        assert_eq!(again.known().models("x", "http://a/").unwrap()[1].id, "two");
        let now = jiff::Timestamp::now();
        assert!(!again.known().is_stale("x", "http://a/", now));
        assert!(again.known().is_stale("x", "http://a/", now + STALE + jiff::SignedDuration::from_secs(60)));
        std::fs::write(&file, "{ half").unwrap();
        assert_eq!(*Lists::open(Some(file)).known(), Known::default());
    }

    #[tokio::test]
    async fn gone_until_the_list_says_otherwise() {
        let lists = Lists::open(None);
        let earlier = list(&["one"]);
        assert!(lists.gone("x", "one", None));
        lists.learn(vec![("x".into(), earlier)]);
        assert!(lists.known().is_gone("x", "one"), "a list that was asked for before does not know yet");
        assert!(!lists.gone("x", "one", None));
        lists.learn(vec![("x".into(), list(&["two"])), ("y".into(), list(&["one"]))]);
        assert!(lists.known().is_gone("x", "one"));
        assert!(lists.learn(vec![("x".into(), list(&["one", "two"]))]));
        assert!(!lists.known().is_gone("x", "one"));
    }
}
