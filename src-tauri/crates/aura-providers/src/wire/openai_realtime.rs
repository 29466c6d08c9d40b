//! Live transcription in OpenAI's realtime format: one item per stretch of committed audio, of which AURA commits one.

use serde_json::{Value, json};

use super::live::{self, LiveFormat, MAX_TEXT};
use super::transcription::language_code;
use crate::types::{Failure, PartialTranscript, StreamingRequest, Transcript, Usage};

/// The only rate that the format has, in hertz.
const RATE: u32 = 24_000;
/// The most stretches of speech in one session, for servers that find pauses themselves.
const MAX_ITEMS: usize = 1_000;

/// One session.
#[derive(Debug)]
pub(crate) struct OpenaiRealtime {
    request: StreamingRequest,
    /// Whether the model takes lists of keywords and languages.
    takes_keywords: bool,
    /// In the order in which they were spoken.
    items: Vec<Item>,
    has_ended: bool,
    /// Whether the server confirms what is committed, and what was committed at the end.
    confirms: bool,
    confirmed_end: bool,
    language: Option<String>,
    usage: Usage,
}

#[derive(Debug, Default)]
struct Item {
    id: String,
    text: String,
    is_complete: bool,
}

impl OpenaiRealtime {
    pub(crate) fn new(request: StreamingRequest, takes_keywords: bool) -> Self {
        Self {
            request,
            takes_keywords,
            items: Vec::new(),
            has_ended: false,
            confirms: false,
            confirmed_end: false,
            language: None,
            usage: Usage::default(),
        }
    }

    /// The item with this id, which is added after the item `previous`, or else as the last one.
    fn item(&mut self, id: &str, previous: Option<&str>) -> Result<&mut Item, Failure> {
        let at = match self.items.iter().position(|item| item.id == id) {
            Some(known) => known,
            None if self.items.len() == MAX_ITEMS => return Err(live::too_long()),
            None => {
                let after = previous.and_then(|previous| self.items.iter().position(|item| item.id == previous));
                let at = after.map_or(self.items.len(), |after| after + 1);
                self.items.insert(at, Item { id: id.to_owned(), ..Item::default() });
                at
            }
        };
        Ok(&mut self.items[at])
    }

    fn check_length(&self) -> Result<(), Failure> {
        let length: usize = self.items.iter().map(|item| item.text.len()).sum();
        if length > MAX_TEXT { Err(live::too_long()) } else { Ok(()) }
    }

    /// Adds what a completed item cost.
    fn add_usage(&mut self, usage: &Value) {
        let add = |sum: &mut Option<u32>, name: &str| {
            let more = usage[name].as_u64().and_then(|count| u32::try_from(count).ok());
            *sum = more.map(|more| sum.unwrap_or_default().saturating_add(more)).or(*sum);
        };
        add(&mut self.usage.input_tokens, "input_tokens");
        add(&mut self.usage.output_tokens, "output_tokens");
        if let Some(seconds) = usage["seconds"].as_f64().filter(|seconds| seconds.is_finite() && *seconds >= 0.0) {
            *self.usage.audio_seconds.get_or_insert(0.0) += seconds as f32;
        }
    }

    fn text(&self) -> String {
        let texts = self.items.iter().map(|item| item.text.trim()).filter(|text| !text.is_empty());
        texts.collect::<Vec<_>>().join(" ")
    }
}

impl LiveFormat for OpenaiRealtime {
    fn rate(&self) -> u32 {
        RATE
    }

    fn begin(&self) -> Vec<String> {
        let mut transcription = json!({ "model": self.request.model });
        let language = language_code(self.request.language.as_deref());
        if self.takes_keywords {
            if let Some(language) = language {
                transcription["languages"] = json!([language]);
            }
            if !self.request.vocabulary.is_empty() {
                transcription["keywords"] = json!(self.request.vocabulary);
            }
        } else {
            if let Some(language) = language {
                transcription["language"] = json!(language);
            }
            if let Some(prompt) = live::vocabulary_prompt(&self.request) {
                transcription["prompt"] = json!(prompt);
            }
        }
        // The person says when the speech ends, by releasing the key.
        let input = json!({
            "format": { "type": "audio/pcm", "rate": RATE },
            "transcription": transcription,
            "turn_detection": null,
        });
        let session = json!({ "type": "transcription", "audio": { "input": input } });
        vec![json!({ "type": "session.update", "session": session }).to_string()]
    }

    fn audio(&self, samples: &[i16]) -> String {
        json!({ "type": "input_audio_buffer.append", "audio": live::base64_pcm(samples) }).to_string()
    }

    fn end(&mut self) -> Vec<String> {
        self.has_ended = true;
        vec![json!({ "type": "input_audio_buffer.commit" }).to_string()]
    }

    fn read(&mut self, message: &str) -> Result<(), Failure> {
        let value = live::event(message)?;
        let text = |name: &str| value[name].as_str();
        let id = text("item_id").unwrap_or_default();
        match text("type").unwrap_or_default() {
            "error" | "conversation.item.input_audio_transcription.failed" => return Err(live::reported(&value)),
            "input_audio_buffer.committed" => {
                self.confirms = true;
                self.confirmed_end |= self.has_ended;
                // Some servers do not say which.
                if !id.is_empty() {
                    self.item(id, text("previous_item_id"))?;
                }
            }
            "conversation.item.input_audio_transcription.delta" => {
                let item = self.item(id, None)?;
                if let Some(delta) = text("delta").filter(|_| !item.is_complete) {
                    item.text.push_str(delta);
                }
            }
            "conversation.item.input_audio_transcription.completed" => {
                let item = self.item(id, None)?;
                item.is_complete = true;
                if let Some(whole) = text("transcript") {
                    item.text = whole.to_owned();
                }
                self.add_usage(&value["usage"]);
                if let [Value::String(language)] = value["languages"].as_array().map_or(&[][..], Vec::as_slice) {
                    self.language = Some(language.clone());
                }
            }
            _ => {}
        }
        self.check_length()
    }

    fn partial(&self) -> PartialTranscript {
        match self.items.iter().rposition(|item| item.is_complete) {
            Some(last) if last + 1 == self.items.len() => {
                PartialTranscript { committed: self.text(), tentative: String::new() }
            }
            _ => live::growing(&self.text()),
        }
    }

    fn transcript(&self) -> Option<Transcript> {
        let is_whole = !self.items.is_empty() && self.items.iter().all(|item| item.is_complete);
        // A stretch that was complete before is not the one that the end committed.
        let is_confirmed = self.confirmed_end || !self.confirms;
        (self.has_ended && is_confirmed && is_whole).then(|| Transcript {
            text: live::clean(&self.text(), &self.request),
            language: self.language.clone(),
            usage: self.usage.clone(),
            ..Transcript::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::FailureKind;

    const PREFIX: &str = "conversation.item.input_audio_transcription";

    fn session() -> OpenaiRealtime {
        OpenaiRealtime::new(StreamingRequest { model: "live".into(), ..StreamingRequest::default() }, true)
    }

    fn delta(id: &str, delta: &str) -> String {
        json!({ "type": format!("{PREFIX}.delta"), "item_id": id, "delta": delta }).to_string()
    }

    fn completed(id: &str, transcript: &str) -> String {
        json!({ "type": format!("{PREFIX}.completed"), "item_id": id, "transcript": transcript,
                "usage": { "type": "duration", "seconds": 2.5 } })
        .to_string()
    }

    fn committed(id: &str, previous: Option<&str>) -> String {
        json!({ "type": "input_audio_buffer.committed", "item_id": id, "previous_item_id": previous }).to_string()
    }

    #[test]
    fn words_grow_and_the_last_one_may_still_change() {
        let mut session = session();
        for (piece, is_committed, is_tentative) in [
            ("What", "", "What"),
            (" ti", "What", " ti"),
            ("me is", "What time", " is"),
            (" it", "What time is", " it"),
        ] {
            session.read(&delta("a", piece)).unwrap();
            let PartialTranscript { committed, tentative } = session.partial();
            assert_eq!((committed.as_str(), tentative.as_str()), (is_committed, is_tentative));
        }
        assert_eq!(session.transcript(), None);
        assert_eq!(session.end().len(), 1);
        session.read(&committed("a", None)).unwrap();
        assert_eq!(session.transcript(), None, "it is not complete");
        session.read(&completed("a", "What time is it?")).unwrap();
        let transcript = session.transcript().unwrap();
        assert_eq!((transcript.text.as_str(), transcript.usage.audio_seconds), ("What time is it?", Some(2.5)));
    }

    /// A server that finds pauses itself completes one stretch while the last one has not been committed yet.
    #[test]
    fn a_stretch_that_ends_early_is_not_the_whole_transcript() {
        let mut session = session();
        session.read(&committed("a", None)).unwrap();
        session.end();
        session.read(&completed("a", "First.")).unwrap();
        assert_eq!(session.transcript(), None);
        session.read(&committed("c", Some("b"))).unwrap();
        session.read(&committed("b", Some("a"))).unwrap();
        session.read(&completed("c", "Third.")).unwrap();
        assert_eq!(session.transcript(), None);
        session.read(&completed("b", "Second.")).unwrap();
        assert_eq!(session.transcript().unwrap().text, "First. Second. Third.");
    }

    #[test]
    fn a_commit_that_names_no_stretch_is_confirmed_all_the_same() {
        let mut session = session();
        session.end();
        session.read(r#"{"type":"input_audio_buffer.committed"}"#).unwrap();
        session.read(&delta("a", "Hello")).unwrap();
        assert_eq!(session.transcript(), None);
        session.read(&completed("a", "Hello.")).unwrap();
        assert_eq!(session.transcript().unwrap().text, "Hello.");
    }

    #[test]
    fn a_completed_stretch_before_the_end_is_no_transcript() {
        let mut session = session();
        session.read(&completed("a", "Too early.")).unwrap();
        assert_eq!(session.transcript(), None);
    }

    #[test]
    fn errors_and_damaged_messages_are_failures() {
        let error = json!({ "type": "error", "error": { "type": "invalid_request_error", "code": "invalid_api_key",
                                                        "message": "Incorrect API key provided." } });
        assert_eq!(session().read(&error.to_string()).unwrap_err().kind, FailureKind::KeyRejected);
        let failed = json!({ "type": format!("{PREFIX}.failed"), "item_id": "a" });
        assert!(session().read(&failed.to_string()).is_err());
        for damaged in ["{\"type\":", "", "[]", "null", "<html>"] {
            assert_eq!(session().read(damaged).unwrap_err().kind, FailureKind::Interrupted, "{damaged}");
        }
        session().read("{\"type\":\"something.new\",\"item_id\":7}").unwrap();
    }

    #[test]
    fn a_transcript_without_end_is_refused() {
        let mut session = session();
        let endless = "word ".repeat(10_000);
        let result = (0..10).try_for_each(|_| session.read(&delta("a", &endless)));
        assert_eq!(result.unwrap_err().kind, FailureKind::Interrupted);
    }

    #[test]
    fn the_session_names_model_language_and_vocabulary_as_the_model_takes_them() {
        let request = StreamingRequest {
            model: "live".into(),
            language: Some("de-DE".into()),
            vocabulary: vec!["AURA".into(), "Tauri".into()],
        };
        let sent = |keywords| -> Value {
            let session = OpenaiRealtime::new(request.clone(), keywords);
            serde_json::from_str(&session.begin()[0]).unwrap()
        };
        let input = &sent(true)["session"]["audio"]["input"];
        assert_eq!(
            input["transcription"],
            json!({ "model": "live", "languages": ["de"], "keywords": ["AURA", "Tauri"] })
        );
        assert_eq!((&input["format"]["rate"], &input["turn_detection"]), (&json!(24_000), &Value::Null));
        let input = &sent(false)["session"]["audio"]["input"];
        assert_eq!(input["transcription"], json!({ "model": "live", "language": "de", "prompt": "AURA, Tauri" }));
    }
}
