//! How tokens are chosen.

use aura_local::protocol::{FailedKind, Sampling};
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::sampling::LlamaSampler;
use llguidance::api::TopLevelGrammar;
use llguidance::{Matcher, ParserFactory};
use serde_json::{Value, json};

use crate::model::Failed;

/// The model's default values: those that its file names, and otherwise values that keep small models to the point.
#[derive(Debug)]
pub(super) struct SamplingDefaults {
    temperature: f32,
    top_k: i32,
    top_p: f32,
    min_p: f32,
    /// A penalty for repeating one of the last tokens; 1 for none.
    repeat: f32,
}

/// How far back [`SamplingDefaults::repeat`] looks, in tokens.
const REPEAT_TOKENS: i32 = 64;

/// Small models fall into loops: one sentence again and again, without end. DRY ("don't repeat yourself") makes each further token of a
/// passage that was written before less likely, by `MULTIPLIER * BASE^(length - ALLOWED)`. The values are those of its author.
mod dry {
    pub(super) const MULTIPLIER: f32 = 0.8;
    pub(super) const BASE: f32 = 1.75;
    /// Tokens that may be repeated: names and set phrases. The author proposes 2, which keeps models from repeating a full name.
    pub(super) const ALLOWED: i32 = 4;
    /// How far back it looks, in tokens.
    pub(super) const TOKENS: i32 = 1024;
    /// What ends a passage. The author's list also has the line break and the asterisk, with which lists go round in circles.
    pub(super) const BREAKERS: [&str; 2] = [":", "\""];
}

impl SamplingDefaults {
    pub(super) fn of(model: &LlamaModel) -> Self {
        Self {
            temperature: number(model, "temp", 0.0..=2.0).unwrap_or(0.6),
            // The file's value is a whole number of at most the vocabulary.
            top_k: number(model, "top_k", 0.0..=1_000_000.0).map_or(40, |k| k as i32),
            top_p: number(model, "top_p", 0.0..=1.0).unwrap_or(0.9),
            min_p: number(model, "min_p", 0.0..=1.0).unwrap_or(0.05),
            repeat: number(model, "penalty_repeat", 0.5..=2.0).unwrap_or(1.0),
        }
    }
}

/// A number under `general.sampling` in the model's file.
fn number(model: &LlamaModel, name: &str, range: std::ops::RangeInclusive<f32>) -> Option<f32> {
    let text = model.meta_val_str(&format!("general.sampling.{name}")).ok()?;
    text.parse().ok().filter(|value| range.contains(value))
}

/// The chain that chooses the tokens of one answer.
pub(super) fn chain(
    model: &LlamaModel,
    defaults: &SamplingDefaults,
    asked: &Sampling,
    grammar: Option<Matcher>,
) -> LlamaSampler {
    // JSON repeats the names of its fields.
    let has_grammar = grammar.is_some();
    let mut chain: Vec<LlamaSampler> = grammar.map(LlamaSampler::from).into_iter().collect();
    if defaults.repeat != 1.0 {
        chain.push(LlamaSampler::penalties(model.n_vocab(), REPEAT_TOKENS, defaults.repeat, 0.0, 0.0));
    }
    if !has_grammar {
        let (multiplier, base, allowed, tokens) = (dry::MULTIPLIER, dry::BASE, dry::ALLOWED, dry::TOKENS);
        chain.push(LlamaSampler::dry(model, multiplier, base, allowed, tokens, dry::BREAKERS));
    }
    let temperature = asked.temperature.unwrap_or(defaults.temperature);
    if temperature <= 0.0 {
        chain.push(LlamaSampler::greedy());
    } else {
        let top_k = asked.top_k.map_or(defaults.top_k, |k| i32::try_from(k).unwrap_or(i32::MAX));
        chain.push(LlamaSampler::top_k(top_k));
        chain.push(LlamaSampler::top_p(asked.top_p.unwrap_or(defaults.top_p), 1));
        chain.push(LlamaSampler::min_p(defaults.min_p, 1));
        chain.push(LlamaSampler::temp(temperature));
        chain.push(LlamaSampler::dist(asked.seed.unwrap_or_else(random)));
    }
    LlamaSampler::chain(chain, true)
}

/// A seed that nobody chose: the standard library seeds its hash maps from the system.
fn random() -> u32 {
    use std::hash::{BuildHasher, Hasher};
    std::collections::hash_map::RandomState::new().build_hasher().finish() as u32
}

/// Compiles JSON schemas for one vocabulary.
pub(super) struct Grammars(ParserFactory);

impl Grammars {
    /// Reads the whole vocabulary, which takes a moment.
    pub(super) fn new(model: &LlamaModel) -> Result<Self, Failed> {
        let vocabulary = LlamaSampler::llguidance_tok_env(model);
        let mut factory = ParserFactory::new_simple(&vocabulary).map_err(|_| {
            Failed::new(FailedKind::Engine, "This model's vocabulary cannot be used for answers in JSON.")
        })?;
        factory.quiet();
        Ok(Self(factory))
    }

    /// A matcher for the answers that follow `schema`.
    ///
    /// # Errors
    /// With [`FailedKind::Unsupported`] if the schema uses something that cannot be enforced.
    pub(super) fn matcher(&self, schema: &Value) -> Result<Matcher, Failed> {
        let unsupported = |error: String| {
            Failed::new(FailedKind::Unsupported, format!("Answers cannot be held to this JSON schema: {error}"))
        };
        let mut schema = match schema {
            Value::Object(fields) if fields.is_empty() => json!({ "type": "object" }),
            Value::Object(_) => schema.clone(),
            _ => return Err(unsupported("it is not a JSON object.".into())),
        };
        // Small models fill the space between the parts of an answer without end.
        schema["x-guidance"] = json!({ "whitespace_flexible": false, "item_separator": ", ", "key_separator": ": " });
        let parser = self.0.create_parser(TopLevelGrammar::from_json_schema(schema));
        parser.map(|parser| Matcher::new(Ok(parser))).map_err(|error| unsupported(error.to_string()))
    }
}
