//! Language models, and vision models with their projector, in the GGUF format, by llama.cpp.

mod detokenizer;
mod log;
mod machine;
mod sampling;
mod template;
#[cfg(test)]
mod tests;
mod vision;

use std::cell::OnceCell;
use std::num::NonZeroU32;
use std::path::Path;
use std::time::{Duration, Instant};

use aura_local::format_bytes;
use aura_local::protocol::{Event, FailedKind, Finish, Load, LoadFailedKind, Message};
use llama_cpp_2::DecodeError;
use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::context::params::LlamaContextParams;
use llama_cpp_2::gguf::GgufContext;
use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::model::params::LlamaModelParams;
use llama_cpp_2::token::LlamaToken;

use self::detokenizer::{Detokenizer, Piece};
use self::sampling::{Grammars, SamplingDefaults};
use self::template::Template;
use self::vision::Vision;
use crate::model::{Answered, Conversation, Failed, LoadFailed, Model, Stop, TakeText};

/// The context that a conversation gets unless the caller says otherwise, in tokens: about 6,000 words.
const CONTEXT: u32 = 8_192;
/// The least context that is of use.
const MIN_CONTEXT: u32 = 1_024;
/// The context that must be left for an answer.
const MIN_ANSWER: usize = 16;
/// The most tokens that are computed in one step.
const MAX_STEP: usize = 512;
/// The tokens of a step when nothing is known of the speed, or when the answer shall be repeatable.
const STEP: usize = 64;
/// How long a step may take, so that a cancellation is seen.
const STEP_TIME: Duration = Duration::from_millis(150);

/// A loaded model. It is never freed: an engine process runs one model, and ends with it.
pub(crate) struct Llama {
    model: &'static LlamaModel,
    context: LlamaContext<'static>,
    template: Template,
    defaults: SamplingDefaults,
    vision: Option<Vision>,
    grammars: OnceCell<Grammars>,
    /// The tokens whose keys and values are in the context's cache, from its start.
    cached: Vec<LlamaToken>,
    /// The tokens of a step.
    step: usize,
    /// The tokens of the last question that had to be computed.
    computed: usize,
}

impl Llama {
    /// Loads the file `model`, and the file `projector` if it is there.
    ///
    /// # Errors
    /// When a file is missing or damaged, the memory does not suffice, or this machine's processor is too old.
    pub(crate) fn load(load: &Load) -> Result<Self, LoadFailed> {
        machine::check_processor()?;
        log::start();
        let bad = |message: String| LoadFailed::new(LoadFailedKind::BadFile, message);
        let file = load.files.get("model").ok_or_else(|| bad("The model has no file `model`.".into()))?;
        let backend = LlamaBackend::init().map_err(|error| {
            LoadFailed::new(LoadFailedKind::Unsupported, format!("llama.cpp cannot be started: {error}"))
        })?;
        let (backend, weights) = (Box::leak(Box::new(backend)), check_files(load, file)?);
        let params = LlamaModelParams::default().with_n_gpu_layers(0);
        log::take_errors();
        let model = LlamaModel::load_from_file(backend, file, &params).map_err(|_| load_error("The model"))?;
        let model: &'static LlamaModel = Box::leak(Box::new(model));
        check_kind(model)?;
        let threads = i32::try_from(machine::threads(load)).unwrap_or(1);
        let context = new_context(backend, model, load.context, threads, weights)?;
        let vision = load.files.get("projector").map(|file| Vision::load(file, model, threads)).transpose()?;
        let mut llama = Self {
            model,
            context,
            template: Template::of(model),
            defaults: SamplingDefaults::of(model),
            vision,
            grammars: OnceCell::new(),
            cached: Vec::new(),
            step: STEP,
            computed: 0,
        };
        llama.warm_up()?;
        Ok(llama)
    }

    /// Computes one token, so that the first question does not wait for the weights to be read from the disk.
    fn warm_up(&mut self) -> Result<(), LoadFailed> {
        let vocabulary = self.model.vocab();
        let token =
            [vocabulary.bos(), vocabulary.eos()].into_iter().find(|token| token.0 >= 0).unwrap_or(LlamaToken(0));
        log::take_errors();
        let outcome = self.compute(&mut LlamaBatch::new(1, 1), &[token], true);
        self.truncate_cache(0);
        outcome.map_err(|_| load_error("The model"))
    }

    /// The most tokens of a conversation.
    fn limit(&self) -> usize {
        self.context.n_ctx() as usize
    }

    /// Forgets what was computed after the first `keep` tokens, or everything where the model cannot forget a part.
    fn truncate_cache(&mut self, keep: usize) {
        let partly = |context: &mut LlamaContext<'_>| {
            context.clear_kv_cache_seq(Some(0), u32::try_from(keep).ok(), None).is_ok_and(|done| done)
        };
        if keep > 0 && (keep == self.cached.len() || partly(&mut self.context)) {
            self.cached.truncate(keep);
        } else {
            // Without an end this cannot fail, and unlike clearing the whole cache it does not write to all of its memory.
            let _ = self.context.clear_kv_cache_seq(Some(0), None, None);
            self.cached.clear();
        }
    }

    /// Computes a question, apart from what the last conversation has in common with it.
    fn prefill(&mut self, tokens: &[LlamaToken], repeatable: bool, stop: &Stop) -> Result<(), Failed> {
        // The last token is computed in any case: its logits are needed.
        let common = self.cached.iter().zip(&tokens[..tokens.len() - 1]).take_while(|(a, b)| a == b).count();
        // Steps of another size round differently, which a seed would not make up for.
        self.truncate_cache(if repeatable { 0 } else { common });
        self.computed = tokens.len() - self.cached.len();
        let mut batch = LlamaBatch::new(MAX_STEP, 1);
        while let Some(rest) = tokens.get(self.cached.len()..).filter(|rest| !rest.is_empty()) {
            stop.check()?;
            let step = if repeatable { STEP } else { self.step };
            let part = &rest[..rest.len().min(step)];
            let start = Instant::now();
            self.compute(&mut batch, part, part.len() == rest.len())?;
            if part.len() == step && !repeatable {
                self.step = next_step(step, start.elapsed());
            }
        }
        Ok(())
    }

    /// Computes tokens that follow the cached ones. `logits`: an answer follows.
    fn compute(&mut self, batch: &mut LlamaBatch<'_>, tokens: &[LlamaToken], logits: bool) -> Result<(), Failed> {
        batch.clear();
        for (index, token) in tokens.iter().enumerate() {
            let position = i32::try_from(self.cached.len() + index).unwrap_or(i32::MAX);
            batch.add(*token, position, &[0], logits && index + 1 == tokens.len()).map_err(|_| broken())?;
        }
        if let Err(error) = self.context.decode(batch) {
            // What is in the cache now is not known.
            self.truncate_cache(0);
            return Err(if error == DecodeError::NoKvCacheSlot { too_long(self.limit()) } else { broken() });
        }
        self.cached.extend_from_slice(tokens);
        Ok(())
    }

    /// The tokens of a prompt, with the token that begins a conversation where the model wants one.
    fn tokenize(&self, prompt: &str) -> Vec<LlamaToken> {
        let vocabulary = self.model.vocab();
        let mut tokens = vocabulary.tokenize(prompt.as_bytes(), false, true);
        if vocabulary.should_add_bos() && tokens.first() != Some(&vocabulary.bos()) {
            tokens.insert(0, vocabulary.bos());
        }
        tokens
    }

    /// Computes a question with images. Returns the number of its tokens and the position after them.
    fn prefill_with_images(&mut self, prompt: &str, images: &[Vec<u8>], stop: &Stop) -> Result<(usize, i32), Failed> {
        let prompt = prompt.strip_prefix(self.template.bos()).unwrap_or(prompt);
        let limit = self.limit();
        let vision = self.vision.as_mut().ok_or_else(no_vision)?;
        let parts = vision.parts(prompt.to_owned(), images)?;
        let tokens = parts.total_tokens();
        if tokens + MIN_ANSWER > limit {
            return Err(too_long(limit));
        }
        stop.check()?;
        let _ = self.context.clear_kv_cache_seq(Some(0), None, None);
        self.cached.clear();
        let position = vision.compute(&parts, &mut self.context, MAX_STEP as i32)?;
        Ok((tokens, position))
    }

    /// Chooses tokens until the answer ends. `position`: where the first one stands.
    fn answer(
        &mut self,
        conversation: &Conversation,
        mut position: i32,
        stop: &Stop,
        text: &mut TakeText<'_>,
    ) -> Result<(Finish, u32), Failed> {
        let sampling = &conversation.sampling;
        let grammar = sampling.json_schema.as_ref().map(|schema| self.grammars()?.matcher(schema)).transpose()?;
        let mut chain = sampling::chain(self.model, &self.defaults, sampling, grammar);
        let mut detokenizer = Detokenizer::new(&sampling.stop);
        let vocabulary = self.model.vocab();
        let (mut bytes, mut count) = (Vec::new(), 0);
        let mut batch = LlamaBatch::new(1, 1);
        let most = sampling.max_tokens.unwrap_or(u32::MAX);
        let limit = i32::try_from(self.limit()).unwrap_or(i32::MAX);
        // With images, positions and tokens are not the same, and nothing of the cache is used again.
        let track = conversation.images.is_empty();
        let finish = loop {
            stop.check()?;
            if count >= most || position >= limit {
                break Finish::Length;
            }
            let token = chain.sample(&self.context, -1);
            if vocabulary.is_eog(token) {
                break Finish::Stop;
            }
            count += 1;
            bytes.clear();
            vocabulary.token_to_piece_into(token, &mut bytes, false, None);
            let Piece { text: piece, stopped } = detokenizer.push(&bytes);
            if !piece.is_empty() {
                text(&piece)?;
            }
            if stopped {
                return Ok((Finish::Stop, count));
            }
            batch.clear();
            batch.add(token, position, &[0], true).map_err(|_| broken())?;
            match self.context.decode(&mut batch) {
                Ok(()) => {}
                Err(DecodeError::NoKvCacheSlot) => break Finish::Length,
                Err(_) => {
                    self.truncate_cache(0);
                    return Err(broken());
                }
            }
            if track {
                self.cached.push(token);
            }
            position += 1;
        };
        let rest = detokenizer.finish();
        if !rest.is_empty() {
            text(&rest)?;
        }
        Ok((finish, count))
    }

    fn grammars(&self) -> Result<&Grammars, Failed> {
        if let Some(grammars) = self.grammars.get() {
            return Ok(grammars);
        }
        let grammars = Grammars::new(self.model)?;
        Ok(self.grammars.get_or_init(|| grammars))
    }
}

impl Model for Llama {
    fn ready(&self) -> Event {
        Event::Ready { engine: "llama.cpp".into(), languages: Vec::new(), voices: Vec::new() }
    }

    fn generate(
        &mut self,
        conversation: &Conversation,
        stop: &Stop,
        text: &mut TakeText<'_>,
    ) -> Result<Answered, Failed> {
        let (messages, images) = with_markers(conversation)?;
        if !images.is_empty() && self.vision.is_none() {
            return Err(no_vision());
        }
        let prompt = self.template.render(self.model, &messages)?;
        let (count, position) = if images.is_empty() {
            let tokens = self.tokenize(&prompt);
            if tokens.is_empty() {
                return Err(Failed::new(FailedKind::Invalid, "The conversation is empty."));
            }
            if tokens.len() + MIN_ANSWER > self.limit() {
                return Err(too_long(self.limit()));
            }
            self.prefill(&tokens, conversation.sampling.seed.is_some(), stop)?;
            (tokens.len(), i32::try_from(tokens.len()).unwrap_or(i32::MAX))
        } else {
            self.prefill_with_images(&prompt, &images, stop)?
        };
        // The template itself begins the reasoning of some models; whoever takes the reasoning out of the answer must see its start.
        if prompt.trim_end().ends_with("<think>") {
            text("<think>\n")?;
        }
        let (finish, completion_tokens) = self.answer(conversation, position, stop, text)?;
        let prompt_tokens = u32::try_from(count).unwrap_or(u32::MAX);
        Ok(Answered { finish, prompt_tokens, completion_tokens })
    }
}

/// The messages with a marker before the text for each of their images, and the images in that order.
fn with_markers(conversation: &Conversation) -> Result<(Vec<Message>, Vec<Vec<u8>>), Failed> {
    let mut images = Vec::new();
    let mut messages = Vec::with_capacity(conversation.messages.len());
    for message in &conversation.messages {
        let mut text = String::new();
        for &index in &message.images {
            let image = conversation.images.get(index);
            let image =
                image.ok_or_else(|| Failed::new(FailedKind::Invalid, "A message names an image that is not there."))?;
            images.push(image.clone());
            text.push_str(vision::MARKER);
            text.push('\n');
        }
        text.push_str(&message.text.replace(vision::MARKER, ""));
        messages.push(Message { role: message.role.clone(), text, images: Vec::new() });
    }
    Ok((messages, images))
}

/// The tokens of the next step, after one of `step` tokens took `time`.
fn next_step(step: usize, time: Duration) -> usize {
    let fitting = step as f64 * STEP_TIME.as_secs_f64() / time.as_secs_f64().max(1e-6);
    // Multiples of 16 keep the matrix code at its best.
    ((fitting as usize).min(MAX_STEP) / 16 * 16).max(16)
}

/// Checks the files before llama.cpp sees them. Returns their length.
fn check_files(load: &Load, model: &Path) -> Result<u64, LoadFailed> {
    let mut length = 0;
    for (role, file) in &load.files {
        let bad = |what: &str| {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            LoadFailed::new(
                LoadFailedKind::BadFile,
                format!("The file {name} ({role}) {what} Download the model again."),
            )
        };
        length += file.metadata().map_err(|error| bad(&format!("cannot be read: {error}.")))?.len();
        if file.to_str().is_none() {
            return Err(bad("has a name that is not valid Unicode."));
        }
        // Reads the head only: the weights are not touched.
        let head = GgufContext::from_file(file).ok_or_else(|| bad("is damaged, or no GGUF file."))?;
        if file.as_path() == model && head.n_tensors() == 0 {
            return Err(bad("has no weights."));
        }
    }
    match machine::free_memory() {
        Some(free) if free < length => Err(LoadFailed::new(
            LoadFailedKind::NoMemory,
            format!(
                "The model needs {} of memory and {} are free. Close other programs, or choose a smaller model.",
                format_bytes(length),
                format_bytes(free)
            ),
        )),
        _ => Ok(length),
    }
}

/// Checks that the model answers questions.
fn check_kind(model: &LlamaModel) -> Result<(), LoadFailed> {
    let architecture = model.meta_val_str("general.architecture").unwrap_or_default();
    let value = |key: &str| model.meta_val_str(&format!("{architecture}.{key}")).ok();
    let embeds =
        value("pooling_type").is_some_and(|kind| kind != "0") || value("attention.causal").as_deref() == Some("false");
    // A model that translates one text into another has an encoder, and names the token that begins its answers.
    if embeds || model.decode_start_token().0 >= 0 {
        return Err(LoadFailed::new(
            LoadFailedKind::Unsupported,
            format!("The model (kind: {architecture}) does not answer questions. Choose a chat model."),
        ));
    }
    Ok(())
}

/// The context: as long as asked for, or as the model and the memory allow.
fn new_context(
    backend: &LlamaBackend,
    model: &'static LlamaModel,
    asked: u32,
    threads: i32,
    weights: u64,
) -> Result<LlamaContext<'static>, LoadFailed> {
    let most = Some(model.n_ctx_train()).filter(|most| *most > 0).unwrap_or(CONTEXT);
    let mut length = (if asked > 0 { asked } else { CONTEXT }).min(most).max(MIN_ANSWER as u32);
    // Half of what the weights leave; the rest is for the computation itself and other programs.
    let room = machine::free_memory().map_or(u64::MAX, |free| free.saturating_sub(weights) / 2);
    while length > MIN_CONTEXT && cache_size(model, length) > room {
        length /= 2;
    }
    loop {
        let params = LlamaContextParams::default()
            .with_n_ctx(NonZeroU32::new(length))
            .with_n_batch(MAX_STEP as u32)
            .with_n_ubatch(MAX_STEP as u32)
            .with_n_threads(threads)
            .with_n_threads_batch(threads)
            .with_no_perf(true);
        log::take_errors();
        match model.new_context(backend, params) {
            Ok(context) => return Ok(context),
            Err(_) if length > MIN_CONTEXT => length = (length / 2).max(MIN_CONTEXT),
            Err(_) => return Err(load_error("The model")),
        }
    }
}

/// The memory of a cache of keys and values for `length` tokens, at most.
fn cache_size(model: &LlamaModel, length: u32) -> u64 {
    let architecture = model.meta_val_str("general.architecture").unwrap_or_default();
    let head = |name: &str| {
        let length = model.meta_val_str(&format!("{architecture}.attention.{name}_length")).ok();
        length.and_then(|length| length.parse::<u64>().ok())
    };
    let head_size = u64::try_from(model.n_embd()).unwrap_or(0) / u64::from(model.n_head().max(1));
    let both = head("key").unwrap_or(head_size) + head("value").unwrap_or(head_size);
    // Numbers of two bytes.
    2 * u64::from(length) * u64::from(model.n_layer()) * u64::from(model.n_head_kv()) * both
}

/// Why llama.cpp failed to load, from its messages.
fn load_error(what: &str) -> LoadFailed {
    let errors = log::take_errors();
    let text = errors.join("\n").to_lowercase();
    if ["alloc", "memory", "mmap failed"].iter().any(|word| text.contains(word)) {
        let message = format!("{what} does not fit into the memory. Close other programs, or choose a smaller model.");
        return LoadFailed::new(LoadFailedKind::NoMemory, message);
    }
    let reason = errors.into_iter().next().unwrap_or_default();
    if text.contains("unknown model architecture") || text.contains("unsupported") {
        return LoadFailed::new(
            LoadFailedKind::Unsupported,
            format!("{what} is of a kind that AURA cannot run. {reason}"),
        );
    }
    LoadFailed::new(LoadFailedKind::BadFile, format!("{what} cannot be loaded. Download it again. {reason}").trim_end())
}

fn no_vision() -> Failed {
    Failed::new(FailedKind::Unsupported, "This model does not see images.")
}

fn too_long(limit: usize) -> Failed {
    let message = format!("The conversation is longer than the model's context of {limit} tokens.");
    Failed::new(FailedKind::Unsupported, message)
}

fn broken() -> Failed {
    Failed::new(FailedKind::Engine, "The model failed while it computed the answer.")
}
