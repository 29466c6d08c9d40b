//! What works on this machine, and what to do about what does not.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aura_core::error::Error;
use aura_core::ports::{CaptureTarget, Doctor, Finding, Microphone, Programs, Screen, Secrets, Speaker};
use tokio::net::TcpStream;

use crate::hotkey;

/// How much of the microphone is listened to.
const LISTEN: Duration = Duration::from_millis(400);

/// Looks over this machine by trying everything. Nothing is heard and nothing is kept.
#[derive(Clone)]
pub struct MachineDoctor {
    /// Records for half a second.
    pub microphone: Arc<dyn Microphone>,
    /// Is opened.
    pub speaker: Arc<dyn Speaker>,
    /// Takes a picture.
    pub screen: Arc<dyn Screen>,
    /// Is asked for a key that does not exist.
    pub secrets: Arc<dyn Secrets>,
    /// Are looked for.
    pub programs: Arc<dyn Programs>,
}

/// What a local program is good for, and the programs that do it, best first.
struct Need {
    purpose: &'static str,
    names: &'static [&'static str],
    remedy: &'static str,
}

const NEEDS: &[Need] = &[
    Need {
        purpose: "understands speech",
        names: &["whisper-cli", "pocketsphinx_continuous", "pocketsphinx"],
        remedy: "Install whisper.cpp, or on Debian: apt install pocketsphinx pocketsphinx-en-us",
    },
    Need {
        purpose: "reads the text on the screen",
        names: &["tesseract"],
        remedy: "On Debian: apt install tesseract-ocr",
    },
    Need {
        purpose: "speaks",
        names: &["piper", "espeak-ng", "say"],
        remedy: "Install piper, or on Debian: apt install espeak-ng",
    },
];

fn good(area: &str, message: impl Into<String>) -> Finding {
    Finding { area: area.into(), ok: true, message: message.into(), remedy: None }
}

fn bad(area: &str, message: impl Into<String>, remedy: impl Into<String>) -> Finding {
    Finding { area: area.into(), ok: false, message: message.into(), remedy: Some(remedy.into()) }
}

/// An error's first sentence says what is, the rest what to do.
fn failed(area: &str, error: &Error, otherwise: &str) -> Finding {
    let (message, remedy) = error.message.split_once(". ").unwrap_or((&error.message, otherwise));
    bad(area, format!("{}.", message.trim_end_matches('.')), remedy)
}

#[async_trait]
impl Doctor for MachineDoctor {
    async fn examine(&self) -> Vec<Finding> {
        // All at the same time: each may take seconds when something is wrong.
        let (microphone, speaker, screen, keyring, model) = tokio::join!(
            microphone(&*self.microphone),
            speaker(&*self.speaker),
            screen(&*self.screen),
            keyring(&*self.secrets),
            local_model()
        );
        let mut findings = vec![microphone, speaker, screen, keyring, shortcut()];
        findings.extend(NEEDS.iter().map(|need| program(&*self.programs, need)));
        findings.push(model);
        findings
    }
}

async fn microphone(microphone: &dyn Microphone) -> Finding {
    const AREA: &str = "microphone";
    const REMEDY: &str = "Check the sound settings of your computer.";
    let begun = std::time::Instant::now();
    let mut recording = match microphone.record(None).await {
        Ok(recording) => recording,
        Err(error) => return failed(AREA, &error, REMEDY),
    };
    let (mut heard, mut first) = (Vec::new(), None);
    while let Some(block) = recording.next().await {
        match block {
            Ok(block) => heard.extend(block),
            Err(error) => return failed(AREA, &error, REMEDY),
        }
        let first = *first.get_or_insert_with(|| begun.elapsed());
        if begun.elapsed() > first + LISTEN {
            break;
        }
    }
    let ms = first.unwrap_or_default().as_millis();
    if heard.iter().all(|sample| *sample == 0) {
        return bad(
            AREA,
            format!("The microphone gives only silence (first block after {ms} ms)."),
            "Check that it is not muted, and that AURA may use it.",
        );
    }
    let level = aura_core::audio::meter(&heard);
    good(AREA, format!("Works: first block after {ms} ms, level {:.0} %.", level * 100.0))
}

async fn speaker(speaker: &dyn Speaker) -> Finding {
    match speaker.open(None).await {
        Ok(output) => good("speaker", format!("Works: open at {} Hz.", output.rate())),
        Err(error) => failed("speaker", &error, "Check the sound settings of your computer."),
    }
}

async fn screen(screen: &dyn Screen) -> Finding {
    let begun = std::time::Instant::now();
    match screen.capture(&CaptureTarget::default()).await {
        Ok(shot) => good(
            "screen",
            format!(
                "Works: {} x {} in {} ms, {} KB.",
                shot.width,
                shot.height,
                begun.elapsed().as_millis(),
                shot.jpeg.len() / 1024
            ),
        ),
        Err(error) => failed("screen", &error, "Questions are answered without the screen."),
    }
}

async fn keyring(secrets: &dyn Secrets) -> Finding {
    match secrets.check().await {
        Ok(()) => good("keyring", "Works: keys are kept in the operating system's key store."),
        Err(error) => failed("keyring", &error, "Keys are kept for this session only."),
    }
}

/// Whether keys can be heard at all. The shortcut itself is not tried: while AURA runs, AURA holds it.
fn shortcut() -> Finding {
    match hotkey::check() {
        Ok(()) => good("shortcut", "Works: this desktop tells AURA of its shortcut."),
        Err(error) => failed("shortcut", &error, "Use `aura ptt press` and `aura ptt release`."),
    }
}

fn program(programs: &dyn Programs, need: &Need) -> Finding {
    match need.names.iter().find_map(|name| Some((name, programs.find(name)?))) {
        Some((name, path)) => good(name, format!("Works: {} without an account ({}).", need.purpose, path.display())),
        None => bad(
            need.names[0],
            format!("No program that {} was found: {}.", need.purpose, need.names.join(", ")),
            need.remedy,
        ),
    }
}

/// Looks where Ollama and llama.cpp usually listen.
async fn local_model() -> Finding {
    let connects = async |port: u16| {
        let call = TcpStream::connect(("127.0.0.1", port));
        matches!(tokio::time::timeout(Duration::from_millis(300), call).await, Ok(Ok(_)))
    };
    let (ollama, llama) = tokio::join!(connects(11434), connects(8080));
    match (ollama, llama) {
        (true, _) => good("ollama", "Ollama listens on port 11434."),
        (_, true) => good("ollama", "Something listens on port 8080, where llama.cpp usually does."),
        _ => bad(
            "ollama",
            "No model runs on this computer; without an account, AURA only repeats what it heard.",
            "Install Ollama from https://ollama.com, then: ollama run llama3.2",
        ),
    }
}

#[cfg(test)]
mod tests {
    use aura_core::error::Code;

    use super::*;

    #[test]
    fn tells_what_is_from_what_to_do() {
        let error = Error::new(Code::NoSpeaker, "No speaker was found. Connect one.");
        let finding = failed("speaker", &error, "-");
        assert_eq!(
            (finding.message.as_str(), finding.remedy.as_deref()),
            ("No speaker was found.", Some("Connect one."))
        );
        let finding = failed("speaker", &Error::new(Code::NoSpeaker, "Gone."), "Restart.");
        assert_eq!((finding.message.as_str(), finding.remedy.as_deref()), ("Gone.", Some("Restart.")));
    }

    #[test]
    fn names_the_best_program_or_what_to_install() {
        struct Only(&'static str);
        #[async_trait]
        impl Programs for Only {
            fn find(&self, name: &str) -> Option<std::path::PathBuf> {
                (name == self.0).then(|| "/usr/bin/it".into())
            }
            async fn run(&self, _: aura_core::ports::Job) -> aura_core::error::Result<aura_core::ports::JobOutput> {
                Err(Error::internal("not run here"))
            }
        }
        let found = program(&Only("espeak-ng"), &NEEDS[2]);
        assert_eq!((found.area.as_str(), found.ok), ("espeak-ng", true));
        let missing = program(&Only("none"), &NEEDS[2]);
        assert_eq!((missing.area.as_str(), missing.ok), ("piper", false));
        assert!(missing.remedy.is_some_and(|remedy| remedy.contains("apt install espeak-ng")));
    }
}
