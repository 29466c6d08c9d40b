//! The system check: tries each device and program, and says how to fix what does not work.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
#[cfg(feature = "devices")]
use aura_core::error::ErrorCode;
use aura_core::error::{Error, Result};
use aura_core::local_models::{LocalModelState, LocalModelView, LocalModelsView};
use aura_core::ports::{
    CaptureTarget, Diagnostic, DiagnosticArea, Doctor, Finding, History, LocalModelStore, Microphone, ProgramTask,
    Programs, Replacement, Screen, Secrets, Speaker,
};
use aura_providers::Service;
use tokio::net::TcpStream;

#[cfg(feature = "devices")]
use crate::blocking::run_blocking;

/// The default port of Ollama.
const OLLAMA_PORT: u16 = 11_434;
/// The default port of llama.cpp's server.
const LLAMA_PORT: u16 = 8_080;
/// Length of the test recording, from its first block on.
const TEST_RECORDING: Duration = Duration::from_millis(400);

/// Checks this computer by trying each port. Plays nothing and keeps nothing.
#[derive(Clone)]
pub struct SystemDoctor {
    /// Records for about half a second.
    pub microphone: Arc<dyn Microphone>,
    /// Opens the output.
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
    task: ProgramTask,
    /// The service of a model that does the same.
    service: Service,
    /// The task, in the third person.
    purpose: &'static str,
    /// Programs that can do it, best first.
    names: &'static [&'static str],
    /// What to install, before the packages.
    remedy: &'static str,
    /// Debian's packages of one of them.
    packages: &'static str,
}

const PROGRAM_CHECKS: &[ProgramCheck] = &[
    ProgramCheck {
        task: ProgramTask::Hear,
        service: Service::Stt,
        purpose: "recognizes speech",
        names: &["whisper-cli", "pocketsphinx_continuous", "pocketsphinx"],
        remedy: "Install whisper.cpp, or on Debian",
        packages: "pocketsphinx pocketsphinx-en-us",
    },
    ProgramCheck {
        task: ProgramTask::Read,
        service: Service::Vlm,
        purpose: "reads text on the screen",
        names: &["tesseract"],
        remedy: "On Debian",
        packages: "tesseract-ocr",
    },
    ProgramCheck {
        task: ProgramTask::Speak,
        service: Service::Tts,
        purpose: "speaks",
        names: &["piper", "espeak-ng", "say"],
        remedy: "Install piper, or on Debian",
        packages: "espeak-ng",
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
    let service = check.service;
    let installed = view.models.iter().filter(of_service).filter(|model| model.state == LocalModelState::Installed);
    let labels: Vec<String> = installed.map(|model| model.label.clone()).collect();
    let is_speech = matches!(check.service, Service::Stt | Service::Tts);
    if labels.is_empty() {
        let suggested =
            view.suggested.iter().find(|id| view.models.iter().filter(of_service).any(|model| model.id == **id));
        let first = || view.models.iter().find(of_service).map(|model| &model.id);
        let remedy = match suggested.or_else(first) {
            Some(id) => format!("Run: aura models get {id}. Or open Models in the window."),
            None => "Use a provider for it.".to_owned(),
        };
        let message = format!("No {} is installed on this computer.", check.kind);
        return Diagnostic::problem(named(check.area), Finding::ModelMissing { service }, message, remedy);
    }
    if is_speech && view.runtime.state != LocalModelState::Installed {
        let message = format!("{} cannot run: {} is missing.", labels.join(", "), view.runtime.label);
        let finding = Finding::LibraryMissing { service, labels, library: view.runtime.label.clone() };
        let remedy = "Remove the model and download it again under Models.";
        return Diagnostic::problem(named(check.area), finding, message, remedy);
    }
    let message = format!("Installed, files complete: {}.", labels.join(", "));
    Diagnostic::passed(named(check.area), Finding::ModelsInstalled { service, labels }, message)
}

/// The result for an error, whose first sentence states the problem and whose rest is the remedy. `default` is the remedy of an error
/// with one sentence.
fn failed(area: DiagnosticArea, error: &Error, default: &str) -> Diagnostic {
    let (message, remedy) = error.message.split_once(". ").unwrap_or((&error.message, default));
    let message = format!("{}.", message.trim_end_matches('.'));
    Diagnostic::problem(area, Finding::Failed { code: error.code }, message, remedy)
}

#[async_trait]
impl Doctor for SystemDoctor {
    async fn examine(&self, microphones: &[String], chosen_speaker: Option<&str>) -> Vec<Diagnostic> {
        // At the same time, because each may take seconds when something is wrong.
        let (microphone, speaker, screen, shortcut, keyring, history, models, model) = tokio::join!(
            microphone(&*self.microphone, microphones),
            speaker(&*self.speaker, chosen_speaker),
            screen(&*self.screen),
            shortcut(),
            keyring(&*self.secrets),
            history(&*self.history),
            self.models.view(None),
            local_model()
        );
        let mut results = vec![keyring, history];
        if cfg!(feature = "devices") {
            results.splice(0..0, [microphone, speaker, screen]);
            results.push(shortcut);
        }
        let with_models: Vec<Diagnostic> = MODEL_CHECKS.iter().map(|check| installed(&models, check)).collect();
        let found = PROGRAM_CHECKS.iter().filter(|check| {
            // A program is not missed where an installed model does its task.
            let with_model = MODEL_CHECKS.iter().zip(&with_models).find(|(model, _)| model.service == check.service);
            is_worth_telling(&*self.programs, check, with_model.is_some_and(|(_, result)| result.ok))
        });
        results.extend(found.map(|check| program(&*self.programs, check)));
        results.extend(with_models);
        let has_model = results.iter().any(|result| result.ok && result.area == named(LANGUAGE_MODEL));
        results.push(model_server(model, has_model));
        results
    }
}

async fn microphone(microphone: &dyn Microphone, order: &[String]) -> Diagnostic {
    const AREA: DiagnosticArea = DiagnosticArea::Microphone;
    const REMEDY: &str = "Check your computer's sound settings.";
    let begun = std::time::Instant::now();
    let mut recording = match microphone.record(order).await {
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
    let replaced = recording.take_replacement().map(|Replacement { label, is_default }| {
        let message = format!("“{label}” records, because the microphone that you chose cannot be used.");
        (is_default, Finding::MicrophoneReplaced { microphone: label }, message)
    });
    if let Some((true, finding, message)) = replaced {
        let remedy = "Connect the one that you chose, or choose another one in Settings.";
        return Diagnostic::problem(AREA, finding, message, remedy);
    }
    let first_ms = whole_ms(first.unwrap_or_default());
    if samples.iter().all(|sample| *sample == 0) {
        return Diagnostic::problem(
            AREA,
            Finding::MicrophoneSilent { first_ms },
            format!("The microphone records only silence (first block after {first_ms} ms)."),
            "Check that it is not muted and that AURA is allowed to use it.",
        );
    }
    if let Some((_, finding, message)) = replaced {
        return Diagnostic::passed(AREA, finding, message);
    }
    let level_percent = (aura_audio::meter(&samples) * 100.0).round() as u32;
    let message = format!("Works: first block after {first_ms} ms, level {level_percent} %.");
    Diagnostic::passed(AREA, Finding::MicrophoneWorks { first_ms, level_percent }, message)
}

fn whole_ms(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

async fn speaker(speaker: &dyn Speaker, device: Option<&str>) -> Diagnostic {
    match speaker.open(device).await {
        Ok(output) => {
            let rate = output.rate();
            let message = format!("Works: open at {rate} Hz.");
            Diagnostic::passed(DiagnosticArea::Speaker, Finding::SpeakerWorks { rate }, message)
        }
        Err(error) => failed(DiagnosticArea::Speaker, &error, "Check your computer's sound settings."),
    }
}

async fn screen(screen: &dyn Screen) -> Diagnostic {
    let begun = std::time::Instant::now();
    match screen.capture(&CaptureTarget::default()).await {
        Ok(shot) => {
            let (width, height, ms) = (shot.width, shot.height, whole_ms(begun.elapsed()));
            let message = format!("Works: {width} x {height} in {ms} ms, {} KB.", shot.jpeg.len() / 1024);
            Diagnostic::passed(DiagnosticArea::Screen, Finding::ScreenWorks { width, height, ms }, message)
        }
        Err(error) => failed(DiagnosticArea::Screen, &error, "Until then, AURA answers without screenshots."),
    }
}

async fn keyring(secrets: &dyn Secrets) -> Diagnostic {
    match secrets.check().await {
        Ok(()) => Diagnostic::passed(
            DiagnosticArea::Keyring,
            Finding::KeyringWorks,
            "Works: API keys are saved in the operating system's key store.",
        ),
        Err(error) => failed(DiagnosticArea::Keyring, &error, "Keys are kept for this session only."),
    }
}

async fn history(history: &dyn History) -> Diagnostic {
    history.checked().await;
    match &*history.problem().borrow() {
        Some(found) => {
            let finding = Finding::HistoryProblem { problem: found.clone() };
            Diagnostic::problem(DiagnosticArea::History, finding, found.message(), found.remedy())
        }
        None => Diagnostic::passed(
            DiagnosticArea::History,
            Finding::HistoryWorks,
            "Works: past turns are saved, and the database is undamaged.",
        ),
    }
}

/// Checks the desktop only. The shortcut itself is not tried, because a running AURA has grabbed it.
async fn shortcut() -> Diagnostic {
    match check_shortcut().await {
        Ok(()) => Diagnostic::passed(
            DiagnosticArea::Shortcut,
            Finding::ShortcutWorks,
            "Works: this desktop supports a global shortcut.",
        ),
        Err(error) => {
            let desktop = std::env::var("XDG_CURRENT_DESKTOP").unwrap_or_default();
            failed(DiagnosticArea::Shortcut, &error, own_shortcut(&desktop))
        }
    }
}

/// How long the desktop may take to say whether it has shortcuts.
#[cfg(feature = "devices")]
const SHORTCUT_TIMEOUT: Duration = Duration::from_secs(5);

#[cfg(feature = "devices")]
async fn check_shortcut() -> Result<()> {
    let checked = run_blocking("aura-doctor", SHORTCUT_TIMEOUT, crate::hotkey::check).await;
    checked
        .unwrap_or_else(|_| Err(Error::new(ErrorCode::Shortcut, "The desktop does not say whether it has shortcuts.")))
}

#[cfg(not(feature = "devices"))]
async fn check_shortcut() -> Result<()> {
    Ok(())
}

/// How to set up a shortcut where the desktop offers programs none. `desktop` is the value of `XDG_CURRENT_DESKTOP`.
fn own_shortcut(desktop: &str) -> &'static str {
    const OTHER: &str =
        "Bind a key to `aura ptt press`, and its release to `aura ptt release`. docs/wayland.md has the steps.";
    const RECIPES: [(&str, &str); 5] = [
        (
            "gnome",
            "Settings, Keyboard, Custom Shortcuts: add one with the command `aura ptt press`. A second press sends.",
        ),
        ("kde", "System Settings, Shortcuts: add a command, `aura ptt press`. A second press sends."),
        (
            "cosmic",
            "Settings, Keyboard, Custom Shortcuts: add one with the command `aura ptt press`. A second press sends.",
        ),
        (
            "sway",
            "Add `bindsym --no-repeat` and `bindsym --release` to your configuration. docs/wayland.md has the lines.",
        ),
        ("hyprland", "Add `bind` and `bindr` to your configuration. docs/wayland.md has the lines."),
    ];
    let desktop = desktop.to_lowercase();
    RECIPES.iter().find(|(name, _)| desktop.split(':').any(|part| part == *name)).map_or(OTHER, |(_, recipe)| recipe)
}

/// Whether the result for a program says something: it is there, or nothing else does its task.
fn is_worth_telling(programs: &dyn Programs, check: &ProgramCheck, has_model: bool) -> bool {
    !has_model || check.names.iter().any(|name| programs.find(name).is_some())
}

fn program(programs: &dyn Programs, check: &ProgramCheck) -> Diagnostic {
    match check.names.iter().find_map(|name| Some((name, programs.find(name)?))) {
        Some((name, path)) => {
            let path = path.display().to_string();
            let message = format!("Works: {} without an account ({path}).", check.purpose);
            Diagnostic::passed(named(name), Finding::ProgramFound { task: check.task, path }, message)
        }
        None => {
            let finding = Finding::ProgramMissing {
                task: check.task,
                names: check.names.iter().map(ToString::to_string).collect(),
                packages: check.packages.to_owned(),
            };
            let message = format!("No program that {} was found: {}.", check.purpose, check.names.join(", "));
            let remedy = format!("{}: apt install {}", check.remedy, check.packages);
            Diagnostic::problem(named(check.names[0]), finding, message, remedy)
        }
    }
}

fn named(program: &str) -> DiagnosticArea {
    DiagnosticArea::Named(program.to_owned())
}

/// Looks for a local model server on the default ports of Ollama and llama.cpp. Returns the port of the one that was found.
async fn local_model() -> Option<u16> {
    let connects = async |port: u16| {
        let connection = TcpStream::connect(("127.0.0.1", port));
        matches!(tokio::time::timeout(Duration::from_millis(300), connection).await, Ok(Ok(_)))
    };
    let (ollama, llama) = tokio::join!(connects(OLLAMA_PORT), connects(LLAMA_PORT));
    if ollama { Some(OLLAMA_PORT) } else { llama.then_some(LLAMA_PORT) }
}

/// Whether a model server is running. It is not missed where a language model is installed.
fn model_server(running: Option<u16>, has_model: bool) -> Diagnostic {
    let area = named("ollama");
    match running {
        Some(port) => {
            let message = match port {
                OLLAMA_PORT => format!("Ollama is running on port {port}."),
                _ => format!("A server is running on port {port}, the default port of llama.cpp."),
            };
            Diagnostic::passed(area, Finding::ServerRunning { port }, message)
        }
        None if has_model => {
            let message = "Not running, and not needed: a language model is installed.";
            Diagnostic::passed(area, Finding::ServerNotNeeded, message)
        }
        None => Diagnostic::problem(
            area,
            Finding::NothingAnswers,
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
        // A program that is missing is no news where an installed model speaks.
        let told = |name, has_model| is_worth_telling(&Only(name), &PROGRAM_CHECKS[2], has_model);
        assert_eq!([told("none", false), told("none", true), told("espeak-ng", true)], [true, false, true]);
    }
}
