//! The HTTP door as a process of its own, over real sockets, with sandbox providers.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod actions;
mod app;
mod bad;
mod crash;
mod failover;
mod guard;
mod openai;
mod program;
mod sessions;
mod sound;
mod stream;
mod switch;
mod watching;

use aura_sandbox::{Reply, Rule, When};

/// A rule for questions that hold these words.
fn rule(words: &str, reply: Reply) -> Rule {
    Rule { when: When { contains: Some(words.into()), ..When::default() }, reply, times: None }
}

/// An answer.
fn text(text: &str) -> Reply {
    Reply { text: text.into(), ..Reply::default() }
}

/// A second of something as loud as speech, as a WAV file.
fn recording() -> Vec<u8> {
    let samples: Vec<i16> = (0..16_000).map(|i| ((i % 80) - 40) * 200).collect();
    aura_core::audio::speech_wav(&samples).to_vec()
}

/// A small picture.
fn picture() -> Vec<u8> {
    let mut png = std::io::Cursor::new(Vec::new());
    image::RgbImage::new(64, 48).write_to(&mut png, image::ImageFormat::Png).unwrap();
    png.into_inner()
}

/// A form with a recording.
fn form() -> reqwest::multipart::Form {
    let audio = reqwest::multipart::Part::bytes(recording()).file_name("question.wav");
    reqwest::multipart::Form::new().part("audio", audio)
}

/// Providers that hear and speak without running a program.
fn quick(script: Vec<Rule>) -> aura_sandbox::SandboxConfig {
    aura_sandbox::SandboxConfig {
        script: aura_sandbox::Script { rules: script },
        fixed: aura_sandbox::Fixed {
            transcript: Some("What is the capital of France?".into()),
            audio: Some(aura_sandbox::FixedAudio { sound: aura_sandbox::Sound::Tone, ms: 400 }),
        },
        ..aura_sandbox::SandboxConfig::default()
    }
}
