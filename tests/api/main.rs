//! The local API as a process of its own, over real sockets, with sandbox providers.

#![allow(clippy::unwrap_used, reason = "a test that cannot continue fails")]

mod actions;
mod crash;
mod failover;
mod guard;
mod invalid_requests;
mod keys;
mod leaving;
mod models;
mod monitoring;
mod openai;
mod program;
mod refusals;
mod sessions;
mod sound;
mod stream;
mod switch;
mod unsaved;
mod upgrade;
mod web_ui;

use aura_sandbox::{Rule, RuleCondition, ScriptedReply};

/// A rule for questions that contain these words.
fn rule(words: &str, reply: ScriptedReply) -> Rule {
    Rule { when: RuleCondition { contains: Some(words.into()), ..RuleCondition::default() }, reply, times: None }
}

/// A text reply.
fn text(text: &str) -> ScriptedReply {
    ScriptedReply { text: text.into(), ..ScriptedReply::default() }
}

/// A second of a signal as loud as speech, as a WAV file.
fn recording() -> Vec<u8> {
    aura_audio::speech_wav(&aura_testkit::fake_ports::speech(1.0)).to_vec()
}

/// A small PNG file.
fn picture() -> Vec<u8> {
    let mut png = std::io::Cursor::new(Vec::new());
    image::RgbImage::new(64, 48).write_to(&mut png, image::ImageFormat::Png).unwrap();
    png.into_inner()
}

/// A multipart form with a recording.
fn form() -> reqwest::multipart::Form {
    let audio = reqwest::multipart::Part::bytes(recording()).file_name("question.wav");
    reqwest::multipart::Form::new().part("audio", audio)
}

/// Providers with a fixed transcript and fixed audio, which run no speech programs.
fn quick(script: Vec<Rule>) -> aura_sandbox::SandboxConfig {
    aura_sandbox::SandboxConfig {
        script: aura_sandbox::Script { rules: script },
        fixed: aura_sandbox::FixedAnswers {
            transcript: Some("What is the capital of France?".into()),
            audio: Some(aura_sandbox::FixedAudio { sound: aura_sandbox::TestSignal::Tone, ms: 400 }),
        },
        ..aura_sandbox::SandboxConfig::default()
    }
}
