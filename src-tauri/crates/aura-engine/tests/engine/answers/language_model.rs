//! The program with a language model.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};

use aura_local::protocol::{Engine, Event, FailedKind, Finish, Load, LoadFailedKind, Message, Request, Sampling};

use crate::program::{Program, files, models};

/// The weights of the test model, or `None` where the tests that need weights are left out.
///
/// # Panics
/// When they are missing.
pub(crate) fn model_file() -> Option<PathBuf> {
    let folder = models()?.join("smollm2-135m");
    let file = files(&folder).into_iter().find(|path| path.extension().is_some_and(|extension| extension == "gguf"));
    Some(file.unwrap_or_else(|| panic!("no .gguf file in {}; `cargo xtask test` fetches it", folder.display())))
}

/// A request to load. One thread: several wait for each other by spinning, which takes for ever where other tests run at the same time.
pub(crate) fn load(files: &[(&str, &Path)], context: u32) -> Load {
    let files: BTreeMap<String, PathBuf> =
        files.iter().map(|(role, path)| ((*role).into(), path.to_path_buf())).collect();
    Load { engine: Engine::Llama, files, onnx_runtime: None, espeak: None, threads: 1, context }
}

pub(crate) fn message(role: &str, text: &str) -> Message {
    Message { role: role.into(), text: text.into(), images: Vec::new() }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) text: String,
    pub(crate) pieces: usize,
    pub(crate) finish: Finish,
    pub(crate) prompt_tokens: u32,
    pub(crate) completion_tokens: u32,
}

/// The program with the test model.
pub(crate) struct LanguageModel(Program);

impl Deref for LanguageModel {
    type Target = Program;

    fn deref(&self) -> &Program {
        &self.0
    }
}

impl DerefMut for LanguageModel {
    fn deref_mut(&mut self) -> &mut Program {
        &mut self.0
    }
}

impl LanguageModel {
    /// Starts the program with the test model; see [`model_file`].
    pub(crate) fn start(context: u32) -> Option<Self> {
        let (program, event) = Program::start(&load(&[("model", &model_file()?)], context));
        assert!(matches!(&event, Event::Ready { engine, .. } if engine == "llama.cpp"), "{event:?}");
        Some(Self(program))
    }

    /// Sends a question. Returns its id.
    pub(crate) fn send_question(&mut self, messages: Vec<Message>, sampling: Sampling, images: &[&[u8]]) -> u64 {
        let id = self.next_id();
        let lengths = images.iter().map(|image| image.len()).collect();
        let request = Request::Generate { id, messages, images: lengths, sampling };
        self.send(&request, &images.concat());
        id
    }

    /// Asks a question and waits for the whole answer.
    pub(crate) fn ask(&mut self, messages: Vec<Message>, sampling: Sampling) -> Answer {
        let asked = self.send_question(messages, sampling, &[]);
        let (mut text, mut pieces) = (String::new(), 0);
        loop {
            match self.event() {
                Event::Text { id, text: piece } if id == asked => {
                    assert!(!piece.is_empty());
                    text.push_str(&piece);
                    pieces += 1;
                }
                Event::End { id, finish, prompt_tokens, completion_tokens } if id == asked => {
                    return Answer { text, pieces, finish, prompt_tokens, completion_tokens };
                }
                event => panic!("{event:?}"),
            }
        }
    }

    /// Asks a question that fails.
    pub(crate) fn fail(
        &mut self,
        messages: Vec<Message>,
        sampling: Sampling,
        images: &[&[u8]],
    ) -> (FailedKind, String) {
        let asked = self.send_question(messages, sampling, images);
        match self.event() {
            Event::Failed { id, kind, message } if id == asked => (kind, message),
            event => panic!("{event:?}"),
        }
    }

    /// Ends the input and waits for the program to end by itself.
    pub(crate) fn end(mut self) {
        self.0.input = None;
        assert!(self.0.child.wait().expect("the engine ends").success());
    }
}

/// Why a model cannot be loaded.
pub(crate) fn damaged(load: &Load) -> (LoadFailedKind, String) {
    match Program::start(load).1 {
        Event::LoadFailed { kind, message } => (kind, message),
        event => panic!("{event:?}"),
    }
}

/// The bytes of a GGUF file with two entries more in its head: that it pools what it computes, as models do that embed text, and one that
/// keeps the weights where they have to stand.
pub(crate) fn with_pooling(model: &[u8]) -> Vec<u8> {
    const ALIGNMENT: usize = 32;
    let entry = |key: &str, kind: u32, value: &[u8]| {
        let mut bytes = (key.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(key.as_bytes());
        bytes.extend_from_slice(&kind.to_le_bytes());
        bytes.extend_from_slice(value);
        bytes
    };
    // The kinds of values: 4 is a number of 32 bits, 8 a text.
    let pooling = entry("llama.pooling_type", 4, &1_u32.to_le_bytes());
    let empty = entry("test.filler", 8, &0_u64.to_le_bytes());
    let filler = ALIGNMENT - (pooling.len() + empty.len()) % ALIGNMENT;
    let mut text = (filler as u64).to_le_bytes().to_vec();
    text.resize(8 + filler, b'x');
    // Magic, version, the number of weights, the number of entries.
    let mut bytes = model[..16].to_vec();
    let entries = u64::from_le_bytes(model[16..24].try_into().expect("eight bytes"));
    bytes.extend_from_slice(&(entries + 2).to_le_bytes());
    bytes.extend_from_slice(&pooling);
    bytes.extend_from_slice(&entry("test.filler", 8, &text));
    bytes.extend_from_slice(&model[24..]);
    bytes
}
