//! The catalog's file and its shape.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use jiff::civil::Date;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::price::Price;
use crate::providers::{Effort, Service};

/// The file, read once.
pub(super) static DATA: LazyLock<Data> = LazyLock::new(|| {
    // The file is compiled in, and a test reads it.
    let mut data: Data = serde_json::from_str(include_str!("data.json")).expect("the catalog's file is valid");
    for (provider, entry) in &mut data.providers {
        for model in &mut entry.models {
            model.provider.clone_from(provider);
            if let Some(set) = &model.voice_set {
                model.voices = data.voices[set].iter().map(|voice| voice.id.clone()).collect();
            }
        }
    }
    data
});

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Data {
    pub(super) verified_on: Date,
    pub(super) voices: HashMap<String, Vec<Voice>>,
    pub(super) providers: BTreeMap<String, Entry>,
    /// Rules for models of any provider.
    pub(super) families: Vec<Family>,
    /// Parts of the names of models that begin to think before they answer, with no mark where their thoughts begin.
    pub(super) thinking: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) defaults: HashMap<Service, String>,
    pub(super) models: Vec<Model>,
    #[serde(default)]
    pub(super) retired: Vec<Retired>,
    #[serde(default)]
    pub(super) families: Vec<Family>,
}

/// A model that is served.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// The name to send.
    pub id: String,
    /// Whose it is.
    #[serde(skip)]
    pub provider: String,
    /// What it does.
    pub services: Vec<Service>,
    /// Tokens it reads.
    pub context: Option<u32>,
    /// Tokens it writes.
    pub max_output: Option<u32>,
    /// The longest text it speaks at once, in characters.
    pub max_chars: Option<usize>,
    /// Parameters every request to it carries: how much it should reason, or in which format it speaks.
    pub params: Option<Map<String, Value>>,
    /// Its prices, in the order they apply.
    #[serde(default)]
    pub price: Vec<Price>,
    pub(super) voice_set: Option<String>,
    /// The names of its voices.
    #[serde(skip)]
    pub voices: Vec<String>,
    /// Whether it takes voices that are not listed.
    #[serde(default)]
    pub open_voices: bool,
    /// The voice when none is named.
    pub default_voice: Option<String>,
    /// When the provider switches it off.
    pub shutdown_on: Option<Date>,
    /// What the provider recommends instead.
    pub replaced_by: Option<String>,
    /// What a request to it must keep to.
    #[serde(default)]
    pub(super) limits: Limits,
    /// Whether it also translates what it hears into English.
    #[serde(default)]
    pub(super) translates: bool,
    /// The lighter model of the same provider that answers while this one is overloaded.
    pub(super) when_busy: Option<String>,
    /// Whether it is used only where the person names it: previews, and names that change what they mean.
    #[serde(default)]
    pub only_by_name: bool,
    /// How capable it is among the models of its kind, 1 to 5: the provider's own ranking of its models, and its price class.
    pub quality: Option<u8>,
    /// A remark for the person.
    pub note: Option<String>,
}

/// What a request to a model must keep to.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// The least room for an answer, tokens: the model thinks first, and a smaller limit would leave nothing for words.
    pub least_room: Option<u32>,
    /// The most pictures in a request.
    pub max_images: Option<usize>,
    /// Whether it tells the times of words.
    pub words: bool,
    /// How much it can be asked to think, in the order of [`crate::providers::Effort`]; none: it is not known.
    pub efforts: Vec<Effort>,
}

/// A voice.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Voice {
    /// The name to send.
    pub id: String,
    /// ISO 639-1 code, where the voice speaks one language only.
    pub language: Option<String>,
    /// `female` or `male`, where the provider says so.
    pub gender: Option<String>,
}

/// Models that are no longer served.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Retired {
    pub(super) ids: Vec<String>,
    pub(super) on: Option<Date>,
    pub(super) by: String,
    #[serde(default)]
    pub(super) by_service: HashMap<Service, String>,
}

/// What the name of an unknown model tells. The first rule that fits counts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Family {
    pub(super) contains: Vec<String>,
    /// Empty: of no use here.
    pub(super) services: Vec<Service>,
    pub(super) params: Option<Map<String, Value>>,
    pub(super) max_chars: Option<usize>,
    pub(super) voice_set: Option<String>,
    pub(super) default_voice: Option<String>,
    #[serde(default)]
    pub(super) limits: Limits,
}

impl Family {
    pub(super) fn fits(&self, model: &str) -> bool {
        self.contains.iter().any(|part| model.contains(part.as_str()))
    }
}
