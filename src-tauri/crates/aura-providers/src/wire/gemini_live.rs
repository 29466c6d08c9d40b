//! Live transcription in the format of Gemini's Live API.

use aura_audio::SPEECH_RATE;
use serde_json::{Map, Value, json};

use super::live::{self, LiveFormat, MAX_TEXT};
use super::transcription::language_code;
use crate::types::{Failure, FailureKind, PartialTranscript, StreamingRequest, Transcript, Usage};

/// The most terms of vocabulary: more are an error.
const MAX_TERMS: usize = 1_000;

/// One session.
#[derive(Debug)]
pub(crate) struct GeminiLive {
    request: StreamingRequest,
    is_ready: bool,
    has_ended: bool,
    /// Whether the server said after the end that it is done.
    is_done: bool,
    /// Text that does not change any more.
    settled: String,
    /// What follows it. Each message replaces it.
    interim: String,
    language: Option<String>,
    usage: Usage,
}

impl GeminiLive {
    pub(crate) fn new(request: StreamingRequest) -> Self {
        Self {
            request,
            is_ready: false,
            has_ended: false,
            is_done: false,
            settled: String::new(),
            interim: String::new(),
            language: None,
            usage: Usage::default(),
        }
    }

    fn read_content(&mut self, content: &Value) {
        if let Some(text) = content["interimInputTranscription"]["text"].as_str() {
            self.interim = text.to_owned();
        }
        let transcription = &content["inputTranscription"];
        if let Some(text) = transcription["text"].as_str().filter(|text| !text.is_empty()) {
            live::append(&mut self.settled, text);
            self.interim.clear();
        }
        if let Some(language) = transcription["languageCode"].as_str() {
            self.language = language_code(Some(language)).or_else(|| self.language.take());
        }
        let says = |value: &Value| *value == Value::Bool(true);
        let is_done =
            says(&transcription["finished"]) || says(&content["generationComplete"]) || says(&content["turnComplete"]);
        self.is_done |= is_done && self.has_ended;
    }
}

impl LiveFormat for GeminiLive {
    fn rate(&self) -> u32 {
        SPEECH_RATE
    }

    fn begin(&self) -> Vec<String> {
        let mut transcription = Map::new();
        if let Some(language) = language_code(self.request.language.as_deref()) {
            transcription.insert("languageCodes".into(), json!([language]));
        }
        let terms = &self.request.vocabulary[..self.request.vocabulary.len().min(MAX_TERMS)];
        if !terms.is_empty() {
            transcription.insert("customVocabulary".into(), json!(terms));
        }
        let model = self.request.model.strip_prefix("models/").unwrap_or(&self.request.model);
        let setup = json!({
            "model": format!("models/{model}"),
            "generationConfig": { "responseModalities": ["TEXT"] },
            "inputAudioTranscription": transcription,
            // The person says when the speech begins and ends, by the key.
            "realtimeInputConfig": { "automaticActivityDetection": { "disabled": true } },
        });
        let start = json!({ "realtimeInput": { "activityStart": {} } });
        vec![json!({ "setup": setup }).to_string(), start.to_string()]
    }

    /// Audio that arrives before the setup is complete is an error.
    fn is_ready(&self) -> bool {
        self.is_ready
    }

    fn audio(&self, samples: &[i16]) -> String {
        let audio = json!({ "data": live::base64_pcm(samples), "mimeType": format!("audio/pcm;rate={SPEECH_RATE}") });
        json!({ "realtimeInput": { "audio": audio } }).to_string()
    }

    fn end(&mut self) -> Vec<String> {
        self.has_ended = true;
        vec![json!({ "realtimeInput": { "activityEnd": {} } }).to_string()]
    }

    fn read(&mut self, message: &str) -> Result<(), Failure> {
        let value = live::event(message)?;
        if value["error"].is_object() {
            return Err(live::reported(&value));
        }
        self.is_ready |= value["setupComplete"].is_object();
        // Sent a minute before the server closes the connection.
        if value["goAway"].is_object() {
            return Err(Failure::new(FailureKind::Interrupted, "The server ends the session."));
        }
        let count = |name: &str| value["usageMetadata"][name].as_u64().and_then(|count| u32::try_from(count).ok());
        self.usage.input_tokens = count("promptTokenCount").or(self.usage.input_tokens);
        self.usage.output_tokens = count("responseTokenCount").or(self.usage.output_tokens);
        self.read_content(&value["serverContent"]);
        if self.settled.len() + self.interim.len() > MAX_TEXT { Err(live::too_long()) } else { Ok(()) }
    }

    fn partial(&self) -> PartialTranscript {
        let mut whole = self.settled.clone();
        live::append(&mut whole, &self.interim);
        let start = whole.len() - whole.trim_start().len();
        let at = self.settled.len().max(start);
        PartialTranscript { committed: whole[start..at].to_owned(), tentative: whole[at..].to_owned() }
    }

    fn transcript(&self) -> Option<Transcript> {
        // What was shown as interim is still to be settled.
        (self.is_done && self.interim.trim().is_empty()).then(|| Transcript {
            text: live::clean(&self.settled, &self.request),
            language: self.language.clone(),
            usage: self.usage.clone(),
            ..Transcript::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(content: Value) -> String {
        json!({ "serverContent": content }).to_string()
    }

    fn interim(text: &str) -> String {
        content(json!({ "interimInputTranscription": { "text": text } }))
    }

    fn settled(text: &str) -> String {
        content(json!({ "inputTranscription": { "text": text } }))
    }

    fn shown(session: &GeminiLive) -> (String, String) {
        let PartialTranscript { committed, tentative } = session.partial();
        (committed, tentative)
    }

    #[test]
    fn interim_text_is_replaced_and_settled_text_stays() {
        let mut session = GeminiLive::new(StreamingRequest::default());
        assert!(!session.is_ready());
        session.read(r#"{"setupComplete":{}}"#).unwrap();
        assert!(session.is_ready());
        session.read(&interim("What is")).unwrap();
        assert_eq!(shown(&session), (String::new(), "What is".into()));
        session.read(&interim("Wait, is")).unwrap();
        session.read(&settled("Wait.")).unwrap();
        assert_eq!(shown(&session), ("Wait.".into(), String::new()));
        session.read(&interim("Is it")).unwrap();
        assert_eq!(shown(&session), ("Wait.".into(), " Is it".into()));
        session.read(&content(json!({ "turnComplete": true }))).unwrap();
        session.end();
        assert_eq!(session.transcript(), None, "that was before the end");
        session.read(&content(json!({ "generationComplete": true }))).unwrap();
        assert_eq!(session.transcript(), None, "the last words are not settled");
        let last = json!({ "inputTranscription": { "text": "Is it late?", "languageCode": "en-US" } });
        session.read(&content(last)).unwrap();
        let transcript = session.transcript().unwrap();
        assert_eq!((transcript.text.as_str(), transcript.language.as_deref()), ("Wait. Is it late?", Some("en")));
    }

    #[test]
    fn errors_and_the_end_of_the_session_are_failures() {
        let mut session = GeminiLive::new(StreamingRequest::default());
        let error = r#"{"error":{"code":429,"message":"Quota exceeded","status":"RESOURCE_EXHAUSTED"}}"#;
        assert_eq!(session.read(error).unwrap_err().kind, FailureKind::RateLimited);
        let away = r#"{"goAway":{"timeLeft":"10s"}}"#;
        assert_eq!(session.read(away).unwrap_err().kind, FailureKind::Interrupted);
        assert!(session.read("\u{0}").is_err());
    }

    #[test]
    fn the_setup_leaves_the_end_of_speech_to_the_person() {
        let request = StreamingRequest {
            model: "live".into(),
            language: Some("es".into()),
            vocabulary: (0..1_200).map(|number| format!("term {number}")).collect(),
        };
        let mut session = GeminiLive::new(request);
        let sent: Vec<Value> = session.begin().iter().map(|text| serde_json::from_str(text).unwrap()).collect();
        let setup = &sent[0]["setup"];
        assert_eq!(setup["model"], "models/live");
        assert_eq!(setup["inputAudioTranscription"]["languageCodes"], json!(["es"]));
        assert_eq!(setup["inputAudioTranscription"]["customVocabulary"].as_array().unwrap().len(), MAX_TERMS);
        assert_eq!(setup["realtimeInputConfig"]["automaticActivityDetection"]["disabled"], true);
        assert!(sent[1]["realtimeInput"]["activityStart"].is_object());
        let end: Value = serde_json::from_str(&session.end()[0]).unwrap();
        assert!(end["realtimeInput"]["activityEnd"].is_object());
        let audio: Value = serde_json::from_str(&session.audio(&[1, -2])).unwrap();
        assert_eq!(audio["realtimeInput"]["audio"], json!({ "data": "AQD+/w==", "mimeType": "audio/pcm;rate=16000" }));
    }
}
