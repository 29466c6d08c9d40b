//! The format of the catalog file.

use std::collections::{BTreeMap, HashMap};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::price::Price;
use crate::types::{ReasoningEffort, Service};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CatalogFile {
    pub(super) verified_on: Date,
    pub(super) voices: HashMap<String, Vec<Voice>>,
    pub(super) providers: BTreeMap<String, ProviderEntry>,
    /// Rules for models that have no entry, of any provider.
    pub(super) families: Vec<ModelFamily>,
    /// Substrings of the names of models that begin with reasoning that has no opening tag.
    pub(super) thinking: Vec<String>,
}

impl CatalogFile {
    /// Parses the file and fills in the derived fields: each model's provider and voices.
    pub(super) fn parse(json: &str) -> Result<Self, String> {
        let mut data: CatalogFile = serde_json::from_str(json).map_err(|cause| cause.to_string())?;
        for (provider, entry) in &mut data.providers {
            for model in &mut entry.models {
                model.provider.clone_from(provider);
                if let Some(set) = &model.voice_set {
                    let voices = data.voices.get(set).ok_or_else(|| format!("the voice set `{set}` is not defined"))?;
                    model.voices = voices.iter().map(|voice| voice.id.clone()).collect();
                }
            }
        }
        Ok(data)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProviderEntry {
    pub(super) defaults: HashMap<Service, String>,
    pub(super) models: Vec<Model>,
    #[serde(default)]
    pub(super) retired: Vec<RetiredModels>,
    #[serde(default)]
    pub(super) families: Vec<ModelFamily>,
}

/// A model in the catalog.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Model {
    /// The name in requests.
    pub id: String,
    /// The catalog's name of its provider or preset.
    #[serde(skip)]
    pub provider: String,
    /// The services it provides.
    pub services: Vec<Service>,
    /// The context length, in tokens.
    pub context: Option<u32>,
    /// The longest answer, in tokens.
    pub max_output: Option<u32>,
    /// The longest text that one speech request may have, in characters.
    pub max_chars: Option<usize>,
    /// Fields that every request to it contains, such as its reasoning effort or its audio format.
    pub params: Option<Map<String, Value>>,
    /// Its prices, in the order in which they take effect.
    #[serde(default)]
    pub price: Vec<Price>,
    pub(super) voice_set: Option<String>,
    /// The ids of its voices.
    #[serde(skip)]
    pub voices: Vec<String>,
    /// Whether it accepts voices that are not listed.
    #[serde(default)]
    pub open_voices: bool,
    /// The voice when a request names none.
    pub default_voice: Option<String>,
    /// The day on which the provider shuts it down.
    pub shutdown_on: Option<Date>,
    /// The replacement that the provider recommends.
    pub replaced_by: Option<String>,
    /// The limits of a request to it.
    #[serde(default)]
    pub(super) limits: ModelLimits,
    /// Whether it can translate speech into English.
    #[serde(default)]
    pub(super) translates: bool,
    /// The model that transcribes live speech in its place.
    #[serde(rename = "live")]
    pub(super) streaming_model: Option<String>,
    /// Whether it takes vocabulary and languages as the lists `keywords` and `languages`.
    #[serde(default)]
    pub(super) keywords: bool,
    /// A lighter model of the same provider, for when this one is overloaded.
    #[serde(rename = "when_busy")]
    pub(super) overload_fallback: Option<String>,
    /// Whether it is used only when a user names it: previews, and aliases whose target changes.
    #[serde(default)]
    pub only_by_name: bool,
    /// Its capability among models of its kind, 1 to 5, from the provider's own ranking and its price class.
    pub quality: Option<u8>,
    /// A remark for users.
    pub note: Option<ModelNote>,
}

/// A remark about a model. Displayed in English.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ModelNote {
    /// The provider may change or remove it at any time.
    Preview,
    /// The account has to accept its terms once.
    AcceptTerms {
        /// The page where that is done.
        page: String,
    },
    /// New accounts may not be offered it any more.
    OldAccounts,
    /// Many use it, and it may be overloaded.
    Busy,
    /// Its name moves to newer models.
    Moves,
    /// The server uses the model it was started with, whatever is named.
    ServerDecides,
    /// The best that is installed on this computer.
    BestHere,
}

impl std::fmt::Display for ModelNote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Preview => "preview",
            Self::AcceptTerms { page } => return write!(f, "its terms must be accepted once at {page}"),
            Self::OldAccounts => "new accounts may not be offered it any more",
            Self::Busy => "the busiest; may answer that it is overloaded",
            Self::Moves => "moves to newer models by itself",
            Self::ServerDecides => "the server uses the model it was started with",
            Self::BestHere => "the best model or program on this computer",
        })
    }
}

/// The limits of a request to a model.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ModelLimits {
    /// The smallest useful token limit: the model reasons first, and less would leave nothing for the answer.
    pub min_max_tokens: Option<u32>,
    /// The most images in a request.
    pub max_images: Option<usize>,
    /// Whether it reports the times of words.
    pub words: bool,
    /// The reasoning efforts it accepts, in ascending order; empty when unknown.
    pub efforts: Vec<ReasoningEffort>,
}

/// A voice in the catalog.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Voice {
    /// The name in requests.
    pub id: String,
    /// An ISO 639-1 code, if the voice speaks only one language.
    pub language: Option<String>,
    /// `female` or `male`, if the provider says so.
    pub gender: Option<String>,
}

/// Models that were shut down, and their replacement.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RetiredModels {
    pub(super) ids: Vec<String>,
    pub(super) on: Option<Date>,
    pub(super) by: String,
    #[serde(default)]
    pub(super) by_service: HashMap<Service, String>,
}

/// What the name of a model without an entry implies. The first matching rule applies.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ModelFamily {
    pub(super) contains: Vec<String>,
    /// Empty when the model provides none of the four services.
    pub(super) services: Vec<Service>,
    pub(super) params: Option<Map<String, Value>>,
    pub(super) max_chars: Option<usize>,
    pub(super) voice_set: Option<String>,
    pub(super) default_voice: Option<String>,
    #[serde(default)]
    pub(super) limits: ModelLimits,
}

impl ModelFamily {
    pub(super) fn matches(&self, model: &str) -> bool {
        self.contains.iter().any(|part| model.contains(part.as_str()))
    }
}
