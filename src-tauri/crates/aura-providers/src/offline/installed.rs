//! The `offline` provider with the programs that are installed on this computer. A test fails if its programs are missing, unless
//! `AURA_CORE_ALONE` is set, as `cargo xtask test --only core` does.

use std::process::Stdio;

use futures::TryStreamExt;
use tokio::io::AsyncWriteExt;

use super::*;
use crate::local_models::NoLocalModels;
use crate::types::{Message, Role, SpeechEvent};
use aura_audio::{Resampler, SPEECH_RATE, speech_wav, to_i16};

/// The programs on `PATH`.
struct Installed;

#[async_trait]
impl Programs for Installed {
    fn find(&self, name: &str) -> Option<PathBuf> {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
    }

    async fn run(&self, job: Job) -> Result<JobOutput, crate::programs::ProgramError> {
        let mut child = tokio::process::Command::new(&job.program)
            .args(&job.args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let (_, output) = tokio::join!(
            async move {
                let written = stdin.write_all(&job.stdin).await;
                drop(stdin);
                written
            },
            child.wait_with_output()
        );
        let output = output.unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        Ok(JobOutput { success: output.status.success(), stdout: output.stdout.into(), stderr })
    }
}

fn offline() -> Offline {
    let config = OfflineConfig { no_model: true, ..OfflineConfig::default() };
    let http = crate::http::HttpPools::new(crate::http::HttpTimeouts::default()).unwrap();
    Offline {
        http,
        programs: Arc::new(Installed),
        local: Arc::new(NoLocalModels),
        catalog: Catalog::embedded(),
        config,
        last_used: parking_lot::Mutex::default(),
    }
}

/// Whether the test can run.
fn has(programs: bool, packages: &str) -> bool {
    let alone = std::env::var_os("AURA_CORE_ALONE").is_some();
    assert!(programs || alone, "this test needs: apt install {packages} (or AURA_CORE_ALONE=1 to skip it)");
    programs
}

#[tokio::test]
async fn pocketsphinx_recognises_speech_of_espeak() {
    // An American voice, because the recogniser's model was trained on American speakers.
    let offline = offline();
    let programs = listen::program(&offline).is_some() && speak::program(&offline, None).is_some();
    if !has(programs, "espeak-ng pocketsphinx pocketsphinx-en-us") {
        return;
    }
    let request = SpeechRequest {
        voice: "en-us".into(),
        text: "What is the weather like today".into(),
        ..SpeechRequest::default()
    };
    let events: Vec<SpeechEvent> = offline.speak(&request).await.unwrap().try_collect().await.unwrap();
    let mut samples = Vec::new();
    for event in events {
        let SpeechEvent::Pcm(pcm) = event else { panic!("not decoded") };
        let mut resampler = Resampler::new(pcm.rate, SPEECH_RATE);
        samples.extend(resampler.push(&pcm.samples));
        samples.extend(resampler.finish());
    }
    let samples: Vec<i16> = samples.into_iter().map(to_i16).collect();
    let duration = Duration::from_secs_f64(samples.len() as f64 / f64::from(SPEECH_RATE));
    assert!(duration > Duration::from_secs(1), "{duration:?}");
    let request = TranscriptionRequest { wav: speech_wav(&samples), duration, ..TranscriptionRequest::default() };
    let heard = offline.transcribe(&request).await.unwrap().text;
    // A recogniser of this size misses a word now and then.
    let found = ["what", "weather", "today"].iter().filter(|word| heard.contains(**word)).count();
    assert!(found >= 2, "{heard}");
}

#[tokio::test]
async fn tesseract_reads_an_image_from_standard_input() {
    let offline = offline();
    if !has(look::program(&offline).is_some(), "tesseract-ocr") {
        return;
    }
    // A blank image is enough to see that tesseract accepts one.
    let mut image = b"P5 64 64 255\n".to_vec();
    image.extend([255; 64 * 64]);
    let request = ChatRequest {
        messages: vec![Message::new(Role::User, "").with_image(Some(image.into()))],
        max_tokens: Some(10),
        ..ChatRequest::default()
    };
    let events: Vec<_> = offline.chat(&request).await.unwrap().try_collect().await.unwrap();
    assert!(events.len() > 1);
}
