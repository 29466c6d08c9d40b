//! The providers, with fixed delays, and what they saw of a turn.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use aura_tests::process::Running;
use serde_json::{Value, json};

/// The delays of the providers, in milliseconds.
const DELAYS: &str = "stt=120,llm=150,chunk=15,tts=100";
const CHUNK_MS: f64 = 15.0;

/// The answer of the model, one chunk per word. Speech starts once the first sentence is complete.
const ANSWER: &str = "It is going to rain today. Take a coat with you, and an umbrella if you have one. The wind comes from the west and \
    gets stronger in the evening.";
const FIRST_SENTENCE_WORDS: usize = 6;

/// The sandbox as a separate program, so that it shares no threads with what is measured.
pub(crate) struct Providers {
    _running: Running,
    url: String,
    runtime: tokio::runtime::Runtime,
    http: reqwest::Client,
}

/// Where the time of a turn goes, in milliseconds. The first four are the client's own.
pub(crate) struct Stages {
    /// From the release of the key until the recording has arrived at the provider.
    pub(crate) to_recording: f64,
    /// From the transcript until the question has arrived at the model.
    pub(crate) to_question: f64,
    /// From the end of the first sentence until it has arrived at the voice.
    pub(crate) to_sentence: f64,
    /// From the first sound of the voice until it is heard.
    pub(crate) to_sound: f64,
    /// What the providers take.
    pub(crate) providers: f64,
}

impl Stages {
    pub(crate) fn own(&self) -> f64 {
        self.to_recording + self.to_question + self.to_sentence + self.to_sound
    }

    pub(crate) fn json(&self) -> Value {
        let Self { to_recording, to_question, to_sentence, to_sound, providers } = self;
        json!({
            "release_to_recording_ms": to_recording,
            "transcript_to_question_ms": to_question,
            "sentence_to_speech_request_ms": to_sentence,
            "first_byte_to_sound_ms": to_sound,
            "providers_ms": providers,
        })
    }

    pub(crate) fn whole(&self) -> f64 {
        self.own() + self.providers
    }
}

impl Providers {
    pub(crate) fn start(programs: &Path, folder: &Path) -> Self {
        let script = folder.join("script.json");
        let rules = json!({"rules": [{"reply": {"text": ANSWER}}]}).to_string();
        std::fs::write(&script, rules).expect("the folder can be written");
        let mut command = Command::new(programs.join("aura-sandbox"));
        command.args(["--delays", DELAYS, "--fixed-transcript", "do I need a coat", "--fixed-audio", "tone"]);
        command.args(["--fixed-audio-ms", "600", "--script"]).arg(script);
        let mut running = Running::start(command.stdout(Stdio::piped()), "the workspace's own build");
        let lines = BufReader::new(running.stdout().expect("standard output was piped")).lines().map_while(Result::ok);
        let url = lines
            .filter_map(|line| Some(line.strip_prefix("control ")?.trim().strip_suffix("/control")?.to_owned()))
            .next();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
        let url = url.expect("the sandbox prints its addresses");
        Self { _running: running, url, runtime, http: reqwest::Client::new() }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The requests received since the last call.
    pub(crate) fn requests(&self) -> Vec<Value> {
        let url = format!("{}/control/requests", self.url);
        self.runtime.block_on(async {
            let response = self.http.get(&url).send().await.expect("the sandbox answers");
            let all = response.json().await.expect("a list of requests");
            self.http.delete(&url).send().await.expect("the sandbox answers");
            all
        })
    }

    /// The stages of the turn since the last call of [`Self::requests`].
    pub(crate) fn stages(&self, released: Instant, heard: Instant) -> Stages {
        let requests = self.requests();
        let request = |services: &[&str]| {
            let is_one = |request: &&Value| {
                request["method"] == "POST" && services.iter().any(|name| request["service"] == *name)
            };
            requests.iter().find(is_one).unwrap_or_else(|| panic!("no request for {services:?}: {requests:#?}"))
        };
        let time = |request: &Value, name: &str| request[name].as_f64().expect("the request is complete");
        let (recording, question, sentence) = (request(&["stt"]), request(&["llm", "vlm"]), request(&["tts"]));
        // The sandbox counts from its start and gives the time of day in whole milliseconds, rounded down.
        let starts =
            requests.iter().map(|request| time(request, "arrived_unix_ms") + 0.5 - time(request, "arrived_ms"));
        let start = starts.sum::<f64>() / requests.len() as f64;
        let at = |moment: Instant| {
            let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
            (since_epoch - moment.elapsed()).as_secs_f64() * 1_000.0 - start
        };
        // Speech starts after the first sentence, so the rest of the answer is not waited for.
        let rest = (ANSWER.split_whitespace().count() - FIRST_SENTENCE_WORDS) as f64 * CHUNK_MS;
        let first_sentence = time(question, "ended_ms") - rest;
        let took = |request: &Value, end: f64| end - time(request, "body_ms");
        let first_sound = time(sentence, "answered_ms");
        Stages {
            to_recording: time(recording, "body_ms") - at(released),
            to_question: time(question, "body_ms") - time(recording, "ended_ms"),
            to_sentence: time(sentence, "body_ms") - first_sentence,
            to_sound: at(heard) - first_sound,
            providers: took(recording, time(recording, "ended_ms"))
                + took(question, first_sentence)
                + took(sentence, first_sound),
        }
    }
}
