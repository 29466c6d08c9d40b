//! The system check: tries each device and program, and says how to fix what does not work.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aura_core::error::Error;
use aura_core::local_models::{LocalModelState, LocalModelView, LocalModelsView};
use aura_core::ports::{
    CaptureTarget, Diagnostic, DiagnosticArea, Doctor, History, LocalModelStore, Microphone, Programs, Screen, Secrets,
    Speaker,
};
use aura_providers::Service;
use tokio::net::TcpStream;

use crate::hotkey;

/// Length of the test recording, from its first block on.
const TEST_RECORDING: Duration = Duration::from_millis(400);

/// Checks this computer by trying each port. Plays nothing and keeps nothing.
#[derive(Clone)]
pub struct SystemDoctor {
    /// Records for about half a second.
    pub microphone: Arc<dyn Microphone>,
    /// Opens the default output.
    pub speaker: Arc<dyn Speaker>,
    /// Takes a screenshot.
    pub screen: Arc<dyn Screen>,
    /// Looks up a key that does not exist.
    pub secrets: Arc<dyn Secrets>,
    /// Looks for local programs.
    pub programs: Arc<dyn Programs>,
    /// Reports damage, and whether turns are saved.
    pub history: Arc<dyn History>,
    /// Knows which models are installed.
    pub models: Arc<dyn LocalModelStore>,
}

/// A task of the `offline` provider that needs a local program.
struct ProgramCheck {
    /// What the program does, in the third person.
    purpose: &'static str,
    /// Programs that can do it, best first.
    names: &'static [&'static str],
    /// How to install one.
    remedy: &'static str,
}

const PROGRAM_CHECKS: &[ProgramCheck] = &[
    ProgramCheck {
        purpose: "recognizes speech",
        names: &["whisper-cli", "pocketsphinx_continuous", "pocketsphinx"],
        remedy: "Install whisper.cpp, or on Debian: apt install pocketsphinx pocketsphinx-en-us",
    },
    ProgramCheck {
        purpose: "reads text on the screen",
        names: &["tesseract"],
        remedy: "On Debian: apt install tesseract-ocr",
    },
    ProgramCheck {
        purpose: "speaks",
        names: &["piper", "espeak-ng", "say"],
        remedy: "Install piper, or on Debian: apt install espeak-ng",
    },
];

/// A service for which a model can be installed on this computer.
struct ModelCheck {
    service: Service,
    /// The subject of the check.
    area: &'static str,
    /// What such a model is called.
    kind: &'static str,
}

/// The subject of the check for a language model.
const LANGUAGE_MODEL: &str = "language model";

const MODEL_CHECKS: &[ModelCheck] = &[
    ModelCheck { service: Service::Stt, area: "speech recognition model", kind: "model for speech recognition" },
    ModelCheck { service: Service::Llm, area: LANGUAGE_MODEL, kind: "language model" },
    ModelCheck { service: Service::Vlm, area: "vision model", kind: "vision model" },
    ModelCheck { service: Service::Tts, area: "voice", kind: "voice" },
];

/// Whether a model is installed for a service, and what it needs is there.
fn installed(view: &LocalModelsView, check: &ModelCheck) -> Diagnostic {
    let of_service = |model: &&LocalModelView| model.services.contains(&check.service);
    let labels: Vec<&str> = view
        .models
        .iter()
        .filter(of_service)
        .filter(|model| model.state == LocalModelState::Installed)
        .map(|model| model.label.as_str())
        .collect();
    let is_speech = matches!(check.service, Service::Stt | Service::Tts);
    if labels.is_empty() {
        let suggested =
            view.suggested.iter().find(|id| view.models.iter().filter(of_service).any(|model| model.id == **id));
        let first = || view.models.iter().find(of_service).map(|model| &model.id);
        let remedy = match suggested.or_else(first) {
            Some(id) => format!("Run: aura models get {id}. Or open Models in the window."),
            None => "Use a provider for it.".to_owned(),
        };
        return problem(named(check.area), format!("No {} is installed on this computer.", check.kind), remedy);
    }
    if is_speech && view.runtime.state != LocalModelState::Installed {
        let message = format!("{} cannot run: {} is missing.", labels.join(", "), view.runtime.label);
        return problem(named(check.area), message, "Remove the model and download it again under Models.");
    }
    passed(named(check.area), format!("Installed, files complete: {}.", labels.join(", ")))
}

fn passed(area: DiagnosticArea, message: impl Into<String>) -> Diagnostic {
    Diagnostic { area, ok: true, message: message.into(), remedy: None }
}

fn problem(area: DiagnosticArea, message: impl Into<String>, remedy: impl Into<String>) -> Diagnostic {
    Diagnostic { area, ok: false, message: message.into(), remedy: Some(remedy.into()) }
}

/// The result for an error, whose first sentence states the problem and whose rest is the remedy. `default` is the remedy of an error
/// with one sentence.
fn failed(area: DiagnosticArea, error: &Error, default: &str) -> Diagnostic {
    let (message, remedy) = error.message.split_once(". ").unwrap_or((&error.message, default));
    problem(area, format!("{}.", message.trim_end_matches('.')), remedy)
}

#[async_trait]
impl Doctor for SystemDoctor {
    async fn examine(&self) -> Vec<Diagnostic> {
        // At the same time, because each may take seconds when something is wrong.
        let (microphone, speaker, screen, keyring, history, models, model) = tokio::join!(
            microphone(&*self.microphone),
            speaker(&*self.speaker),
            screen(&*self.screen),
            keyring(&*self.secrets),
            history(&*self.history),
            self.models.view(None),
            local_model()
        );
        let mut results = vec![microphone, speaker, screen, keyring, history, shortcut()];
        results.extend(PROGRAM_CHECKS.iter().map(|check| program(&*self.programs, check)));
        results.extend(MODEL_CHECKS.iter().map(|check| installed(&models, check)));
        let has_model = results.iter().any(|result| result.ok && result.area == named(LANGUAGE_MODEL));
        results.push(model_server(model, has_model));
        results
    }
}

async fn microphone(microphone: &dyn Microphone) -> Diagnostic {
    const AREA: DiagnosticArea = DiagnosticArea::Microphone;
    const REMEDY: &str = "Check your computer's sound settings.";
    let begun = std::time::Instant::now();
    let mut recording = match microphone.record(None).await {
        Ok(recording) => recording,
        Err(error) => return failed(AREA, &error, REMEDY),
    };
    let (mut samples, mut first) = (Vec::new(), None);
    while let Some(block) = recording.next().await {
        match block {
            Ok(block) => samples.extend(block),
            Err(error) => return failed(AREA, &error, REMEDY),
        }
        let first = *first.get_or_insert_with(|| begun.elapsed());
        if begun.elapsed() > first + TEST_RECORDING {
            break;
        }
    }
    let ms = first.unwrap_or_default().as_millis();
    if samples.iter().all(|sample| *sample == 0) {
        return problem(
            AREA,
            format!("The microphone records only silence (first block after {ms} ms)."),
            "Check that it is not muted and that AURA is allowed to use it.",
        );
    }
    let level = aura_audio::meter(&samples);
    passed(AREA, format!("Works: first block after {ms} ms, level {:.0} %.", level * 100.0))
}

async fn speaker(speaker: &dyn Speaker) -> Diagnostic {
    match speaker.open(None).await {
        Ok(output) => passed(DiagnosticArea::Speaker, format!("Works: open at {} Hz.", output.rate())),
        Err(error) => failed(DiagnosticArea::Speaker, &error, "Check your computer's sound settings."),
    }
}

async fn screen(screen: &dyn Screen) -> Diagnostic {
    let begun = std::time::Instant::now();
    match screen.capture(&CaptureTarget::default()).await {
        Ok(shot) => passed(
            DiagnosticArea::Screen,
            format!(
                "Works: {} x {} in {} ms, {} KB.",
                shot.width,
                shot.height,
                begun.elapsed().as_millis(),
                shot.jpeg.len() / 1024
            ),
        ),
        Err(error) => failed(DiagnosticArea::Screen, &error, "Until then, AURA answers without screenshots."),
    }
}

async fn keyring(secrets: &dyn Secrets) -> Diagnostic {
    match secrets.check().await {
        Ok(()) => passed(DiagnosticArea::Keyring, "Works: API keys are saved in the operating system's key store."),
        Err(error) => failed(DiagnosticArea::Keyring, &error, "Keys are kept for this session only."),
    }
}

async fn history(history: &dyn History) -> Diagnostic {
    history.checked().await;
    match &*history.problem().borrow() {
        Some(found) => problem(DiagnosticArea::History, found.message(), found.remedy()),
        None => passed(DiagnosticArea::History, "Works: past turns are saved, and the database is undamaged."),
    }
}

/// Checks the desktop only. The shortcut itself is not tried, because a running AURA has grabbed it.
fn shortcut() -> Diagnostic {
    match hotkey::check() {
        Ok(()) => passed(DiagnosticArea::Shortcut, "Works: this desktop supports a global shortcut."),
        Err(error) => failed(DiagnosticArea::Shortcut, &error, "Use `aura ptt press` and `aura ptt release` instead."),
    }
}

fn program(programs: &dyn Programs, check: &ProgramCheck) -> Diagnostic {
    match check.names.iter().find_map(|name| Some((name, programs.find(name)?))) {
        Some((name, path)) => {
            passed(named(name), format!("Works: {} without an account ({}).", check.purpose, path.display()))
        }
        None => problem(
            named(check.names[0]),
            format!("No program that {} was found: {}.", check.purpose, check.names.join(", ")),
            check.remedy,
        ),
    }
}

fn named(program: &str) -> DiagnosticArea {
    DiagnosticArea::Named(program.to_owned())
}

/// Looks for a local model server on the default ports of Ollama and llama.cpp. Returns what was found, in a sentence.
async fn local_model() -> Option<&'static str> {
    let connects = async |port: u16| {
        let connection = TcpStream::connect(("127.0.0.1", port));
        matches!(tokio::time::timeout(Duration::from_millis(300), connection).await, Ok(Ok(_)))
    };
    let (ollama, llama) = tokio::join!(connects(11434), connects(8080));
    match (ollama, llama) {
        (true, _) => Some("Ollama is running on port 11434."),
        (_, true) => Some("A server is running on port 8080, the default port of llama.cpp."),
        _ => None,
    }
}

/// Whether a model server is running. It is not missed where a language model is installed.
fn model_server(running: Option<&str>, has_model: bool) -> Diagnostic {
    match running {
        Some(found) => passed(named("ollama"), found),
        None if has_model => passed(named("ollama"), "Not running, and not needed: a language model is installed."),
        None => problem(
            named("ollama"),
            "No language model is running on this computer. Without an account, AURA can only repeat what you said.",
            "Download a language model under Models, or install Ollama from https://ollama.com and run: ollama run llama3.2",
        ),
    }
}

#[cfg(test)]
mod tests {
    use aura_core::error::ErrorCode;
    use aura_core::ports::{Job, JobOutput, ProgramError};

    use super::*;

    #[test]
    fn an_error_is_split_into_problem_and_remedy() {
        let error = Error::new(ErrorCode::NoSpeaker, "No speaker was found. Connect one.");
        let result = failed(DiagnosticArea::Speaker, &error, "-");
        assert_eq!(
            (result.message.as_str(), result.remedy.as_deref()),
            ("No speaker was found.", Some("Connect one."))
        );
        let result = failed(DiagnosticArea::Speaker, &Error::new(ErrorCode::NoSpeaker, "Gone."), "Restart.");
        assert_eq!((result.message.as_str(), result.remedy.as_deref()), ("Gone.", Some("Restart.")));
    }

    #[test]
    fn the_best_program_is_named_or_a_remedy_is_given() {
        struct Only(&'static str);
        #[async_trait]
        impl Programs for Only {
            fn find(&self, name: &str) -> Option<std::path::PathBuf> {
                (name == self.0).then(|| "/usr/bin/it".into())
            }
            async fn run(&self, _: Job) -> Result<JobOutput, ProgramError> {
                Err(ProgramError("not run here".into()))
            }
        }
        let found = program(&Only("espeak-ng"), &PROGRAM_CHECKS[2]);
        assert_eq!((found.area, found.ok), (named("espeak-ng"), true));
        let missing = program(&Only("none"), &PROGRAM_CHECKS[2]);
        assert_eq!((missing.area, missing.ok), (named("piper"), false));
        assert!(missing.remedy.is_some_and(|remedy| remedy.contains("apt install espeak-ng")));
    }
}
