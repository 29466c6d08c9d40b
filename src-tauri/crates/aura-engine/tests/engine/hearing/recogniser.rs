//! The program with a speech recognition model.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};

use aura_local::protocol::{Engine, Event, Load, Request, Segment};

use crate::program::{Program, find, onnx_runtime};

/// What loads the model of this id.
pub(crate) fn load(models: &Path, engine: Engine, id: &str, files: &[(&str, &str)]) -> Load {
    load_from(&models.join(id), engine, files)
}

/// What loads a model that is not in the store, by the store's ONNX Runtime.
pub(crate) fn load_from(folder: &Path, engine: Engine, files: &[(&str, &str)]) -> Load {
    let demand =
        |name: &str| find(folder, name).unwrap_or_else(|| panic!("there is no {name} in {}", folder.display()));
    let files = files.iter().map(|(role, name)| ((*role).to_owned(), demand(name)));
    Load {
        engine,
        files: files.collect::<BTreeMap<_, _>>(),
        onnx_runtime: onnx_runtime(),
        espeak: None,
        threads: 2,
        context: 0,
    }
}

pub(crate) fn moonshine(models: &Path) -> Load {
    let files = [("encoder", "encoder_model"), ("decoder", "decoder_model_merged"), ("tokenizer", "tokenizer")];
    load(models, Engine::Moonshine, "moonshine-tiny-en", &files)
}

pub(crate) fn whisper(models: &Path) -> Load {
    let files = [("encoder", "encoder_model"), ("decoder", "decoder_model_merged"), ("tokenizer", "tokenizer.json")];
    load(models, Engine::Whisper, "whisper-base", &files)
}

/// The program with a speech recognition model.
pub(crate) struct Recogniser(Program);

impl Deref for Recogniser {
    type Target = Program;

    fn deref(&self) -> &Program {
        &self.0
    }
}

impl DerefMut for Recogniser {
    fn deref_mut(&mut self) -> &mut Program {
        &mut self.0
    }
}

impl Recogniser {
    /// Starts the program with a model that loads.
    pub(crate) fn ready(load: &Load) -> Self {
        Self(Program::ready(load))
    }

    /// Sends a recording to transcribe; the result is the request's id.
    pub(crate) fn begin(&mut self, samples: &[f32], ask: Ask<'_>) -> u64 {
        let id = self.next_id();
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
