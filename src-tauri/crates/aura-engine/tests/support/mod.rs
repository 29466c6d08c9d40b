//! The built program, over its protocol, with the models in the folder of `AURA_MODELS`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use aura_local::protocol::{Engine, Event, Load, Request, Segment, read_blocking, write_blocking};

/// The program.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_aura-engine");

/// The folder of the models: `AURA_MODELS`, or `models` in the target folder, which `cargo xtask test` fills. `None` where only the core
/// is tested.
pub(crate) fn models() -> Option<PathBuf> {
    let beside = || Path::new(PROGRAM).ancestors().nth(2).expect("a program lies in target/debug").join("models");
    let folder = std::env::var_os("AURA_MODELS").map_or_else(beside, PathBuf::from);
    let alone = std::env::var_os("AURA_CORE_ALONE").is_some();
    assert!(
        folder.is_dir() || alone,
        "this test needs the models in {}: fill it with `cargo xtask test`, or set AURA_MODELS (or AURA_CORE_ALONE=1 to skip it)",
        folder.display()
    );
    folder.is_dir().then_some(folder)
}

/// The file under `folder` whose name begins with `name`.
pub(crate) fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    let named = |path: &PathBuf| {
        path.is_file() && path.file_name().is_some_and(|file| file.to_string_lossy().starts_with(name))
    };
    paths.iter().find(|path| named(path)).cloned().or_else(|| paths.iter().find_map(|path| find(path, name)))
}

fn demand(folder: &Path, name: &str) -> PathBuf {
    find(folder, name).unwrap_or_else(|| panic!("there is no {name} in {}", folder.display()))
}

/// What loads the model of this id.
pub(crate) fn load(models: &Path, engine: Engine, id: &str, files: &[(&str, &str)]) -> Load {
    load_from(&models.join(id), models, engine, files)
}

/// What loads a model that is not in the store, by the store's ONNX Runtime.
pub(crate) fn load_from(folder: &Path, models: &Path, engine: Engine, files: &[(&str, &str)]) -> Load {
    let files = files.iter().map(|(role, name)| ((*role).to_owned(), demand(folder, name)));
    let onnx_runtime = ["libonnxruntime.so", "libonnxruntime.dylib", "onnxruntime.dll"];
    let onnx_runtime = onnx_runtime.iter().find_map(|name| find(models, name));
    assert!(onnx_runtime.is_some(), "there is no ONNX Runtime in {}", models.display());
    Load { engine, files: files.collect::<BTreeMap<_, _>>(), onnx_runtime, espeak: None, threads: 2, context: 0 }
}

pub(crate) fn moonshine(models: &Path) -> Load {
    let files = [("encoder", "encoder_model"), ("decoder", "decoder_model_merged"), ("tokenizer", "tokenizer")];
    load(models, Engine::Moonshine, "moonshine-tiny-en", &files)
}

pub(crate) fn whisper(models: &Path) -> Load {
    let files = [("encoder", "encoder_model"), ("decoder", "decoder_model_merged"), ("tokenizer", "tokenizer.json")];
    load(models, Engine::Whisper, "whisper-base", &files)
}

/// The program with a model in it. It is killed at the end.
pub(crate) struct Process {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
    next: u64,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    /// Starts the program and loads a model; the event is its answer to that.
    pub(crate) fn start(load: Load) -> (Self, Event) {
        let mut command = Command::new(PROGRAM);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program starts");
        let (input, output) = (child.stdin.take().expect("it is piped"), child.stdout.take().expect("it is piped"));
        let mut process = Self { child, input, output, next: 0 };
        process.send(&Request::Load(load), &[]);
        let event = process.event();
        (process, event)
    }

    /// Starts the program with a model that loads.
    pub(crate) fn ready(load: Load) -> Self {
        let (process, event) = Self::start(load);
        assert!(matches!(event, Event::Ready { .. }), "{event:?}");
        process
    }

    pub(crate) fn send(&mut self, request: &Request, payload: &[u8]) {
        write_blocking(&mut self.input, request, payload).expect("the program reads");
    }

    pub(crate) fn event(&mut self) -> Event {
        read_blocking(&mut self.output).expect("the program writes frames").expect("the program goes on").0
    }

    /// Sends a recording to transcribe; the result is the request's id.
    pub(crate) fn begin(&mut self, samples: &[f32], ask: Ask<'_>) -> u64 {
        self.next += 1;
        let id = self.next;
        let Ask { language, prompt, translate } = ask;
        let (language, prompt) = (language.map(str::to_owned), prompt.map(str::to_owned));
        // Exactly the samples of the file: other rounding is enough to change what random weights make of it.
        let sample = |sample: &f32| (sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16;
        let pcm: Vec<u8> = samples.iter().flat_map(|value| sample(value).to_le_bytes()).collect();
        self.send(&Request::Transcribe { id, language, prompt, translate, words: true }, &pcm);
        id
    }

    /// Transcribes a recording.
    pub(crate) fn hear(&mut self, samples: &[f32], ask: Ask<'_>) -> Heard {
        let id = self.begin(samples, ask);
        let event = self.event();
        let Event::Transcript { id: of, text, language, segments, words } = event else { panic!("{event:?}") };
        let end = self.event();
        assert!(of == id && matches!(end, Event::End { id: of, .. } if of == id), "{end:?}");
        Heard { text, language, segments, words }
    }

    /// The most memory that the program had, in bytes, where the system tells.
    pub(crate) fn peak_memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
    }
}

/// How a recording is to be transcribed.
#[derive(Clone, Copy, Default)]
pub(crate) struct Ask<'a> {
    pub(crate) language: Option<&'a str>,
    pub(crate) prompt: Option<&'a str>,
    pub(crate) translate: bool,
}

/// What was heard.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) text: String,
    pub(crate) language: Option<String>,
    pub(crate) segments: Vec<Segment>,
    pub(crate) words: Vec<Segment>,
}

/// A folder of `tests/fixtures`.
pub(crate) fn fixtures(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/fixtures").join(name)
}

/// The samples of a file of `tests/fixtures/speech`.
pub(crate) fn speech(name: &str) -> Vec<f32> {
    let file = std::fs::read(fixtures("speech").join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let pcm = aura_audio::read_wav(&file).expect("it is a WAV file");
    assert_eq!(pcm.rate, 16_000, "{name}");
    pcm.samples
}
