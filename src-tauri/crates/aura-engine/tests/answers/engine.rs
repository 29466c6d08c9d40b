//! Starts the program with the test model and speaks the protocol with it.

use std::collections::BTreeMap;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use aura_local::protocol::{
    Engine as Family, Event, FailedKind, Finish, Load, LoadFailedKind, Message, Request, Sampling, read_blocking,
    write_blocking,
};

/// The weights of the test model, or `None` where the tests that need weights are left out.
///
/// # Panics
/// When they are missing.
pub(crate) fn model_file() -> Option<PathBuf> {
    if std::env::var_os("AURA_CORE_ALONE").is_some() {
        return None;
    }
    let models = std::env::var_os("AURA_MODELS").map_or_else(
        // target/debug/aura-engine
        || {
            Path::new(env!("CARGO_BIN_EXE_aura-engine"))
                .ancestors()
                .nth(2)
                .expect("the folder of the build")
                .join("models")
        },
        PathBuf::from,
    );
    let folder = models.join("smollm2-135m");
    let mut files = std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let file = files.find(|path| path.extension().is_some_and(|extension| extension == "gguf"));
    Some(file.unwrap_or_else(|| {
        panic!(
            "the test model is missing: no .gguf file in {}; `cargo xtask test` fetches it, or set AURA_MODELS",
            folder.display()
        )
    }))
}

/// A request to load. One thread: several wait for each other by spinning, which takes for ever where other tests run at the same time.
pub(crate) fn load(files: &[(&str, &Path)], context: u32) -> Load {
    let files: BTreeMap<String, PathBuf> =
        files.iter().map(|(role, path)| ((*role).into(), path.to_path_buf())).collect();
    Load { engine: Family::Llama, files, onnx_runtime: None, espeak: None, threads: 1, context }
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

/// A running engine. It is stopped when this is dropped.
pub(crate) struct Engine {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    id: u64,
}

impl Engine {
    /// Starts the program and sends it the request to load.
    pub(crate) fn start(load: &Load) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_aura-engine"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the engine starts");
        let (input, output) = (child.stdin.take(), BufReader::new(child.stdout.take().expect("a pipe")));
        let mut engine = Self { child, input, output, id: 0 };
        engine.request(&Request::Load(load.clone()), &[]);
        engine
    }

    /// An engine with the test model loaded; see [`model_file`].
    pub(crate) fn start_with_model(context: u32) -> Option<Self> {
        let mut engine = Self::start(&load(&[("model", &model_file()?)], context));
        let event = engine.event();
        assert!(matches!(&event, Event::Ready { engine, .. } if engine == "llama.cpp"), "{event:?}");
        Some(engine)
    }

    pub(crate) fn request(&mut self, request: &Request, payload: &[u8]) {
        let input = self.input.as_mut().expect("a pipe");
        write_blocking(input, request, payload).and_then(|()| input.flush()).expect("the engine takes requests");
    }

    pub(crate) fn event(&mut self) -> Event {
        read_blocking::<Event>(&mut self.output).expect("a whole frame").expect("the engine answers").0
    }

    /// Sends a question. Returns its id.
    pub(crate) fn send(&mut self, messages: Vec<Message>, sampling: Sampling, images: &[&[u8]]) -> u64 {
        self.id += 1;
        let lengths = images.iter().map(|image| image.len()).collect();
        let request = Request::Generate { id: self.id, messages, images: lengths, sampling };
        self.request(&request, &images.concat());
        self.id
    }

    /// Asks a question and waits for the whole answer.
    pub(crate) fn ask(&mut self, messages: Vec<Message>, sampling: Sampling) -> Answer {
        let asked = self.send(messages, sampling, &[]);
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
        let asked = self.send(messages, sampling, images);
        match self.event() {
            Event::Failed { id, kind, message } if id == asked => (kind, message),
            event => panic!("{event:?}"),
        }
    }

    /// Ends the input and waits for the program to end by itself.
    pub(crate) fn end(mut self) {
        self.input = None;
        assert!(self.child.wait().expect("the engine ends").success());
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Why a model cannot be loaded.
pub(crate) fn damaged(load: &Load) -> (LoadFailedKind, String) {
    let mut engine = Engine::start(load);
    match engine.event() {
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
