//! Speech in and out of Gemini: both are `generateContent` with audio in a part.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::gemini_generate::{finish, parts, read_usage};
use super::gemini_request::{configure, inline};
use super::json_events::Dialect;
use super::{delay, errors, heard, openai_audio, speech};
use crate::audio::WavDecoder;
use crate::providers::{
    Class, Delivery, Failure, Finish, SpeechPiece, SttRequest, Transcript, TtsRequest, Usage, Word,
};

/// The field that makes a model of the transcribing kind do so; the catalog gives it to those models.
const TRANSCRIPTION: &str = "audioTranscriptionConfig";
/// A reply may hold a whole WAV file in one event: ten minutes of it in base64.
pub(in crate::providers) const MAX_EVENT: usize = 40 * 1024 * 1024;

/// The body of a transcription, by instruction or, for models made for it, by configuration.
pub(in crate::providers) fn transcription(request: &SttRequest, params: Option<&Map<String, Value>>) -> Value {
    let mut parts = vec![inline("audio/wav", &request.wav)];
    let mut config = json!({});
    configure(&mut config, params);
    // What is made for writing down does not translate: that is said in words.
    if config[TRANSCRIPTION].is_object() && !request.translate {
        let how = &mut config[TRANSCRIPTION];
        if let Some(language) = openai_audio::language(request.language.as_deref()) {
            how["languageCodes"] = json!([language]);
        }
        if !request.vocabulary.is_empty() {
            how["customVocabulary"] = json!(request.vocabulary);
        }
        if request.words {
            how["wordTimestamp"] = json!(true);
        }
        if let Some(prompt) = &request.prompt {
            how["sourceText"] = json!(prompt);
        }
    } else {
        if let Some(config) = config.as_object_mut() {
            config.remove(TRANSCRIPTION);
        }
        parts.push(json!({ "text": heard::instruction(request) }));
        config["maxOutputTokens"] = json!(heard::room(request));
    }
    json!({ "contents": [{ "role": "user", "parts": parts }], "generationConfig": config })
}

/// Reads a transcription. No words are no error: there may have been no speech.
pub(in crate::providers) fn transcript(value: &Value, request: &SttRequest) -> Result<Transcript, Failure> {
    let spoken = |part: &&Value| part["thought"].as_bool() != Some(true);
    let text: String = parts(value)
        .iter()
        .filter(spoken)
        .filter_map(|part| part["text"].as_str().or_else(|| part["audioTranscription"]["text"].as_str()))
        .collect();
    let mut usage = Usage { audio_seconds: Some(request.duration.as_secs_f32()), ..Usage::default() };
    read_usage(&mut usage, value);
    let used = |failure: Failure| Failure { usage: Some(Box::new(usage.clone())), ..failure };
    let words = !text.trim().is_empty();
    if finish(value, words).map_err(used)? == Some(Finish::Length) {
        return Err(used(heard::cut_off(words)));
    }
    Ok(Transcript {
        text: heard::words(&text, request),
        words: parts(value).iter().flat_map(timed).collect(),
        usage,
        ..Transcript::default()
    })
}

/// The words of a part with their times, `"0.120s"`.
fn timed(part: &Value) -> Vec<Word> {
    let seconds = |value: &Value| value.as_str().and_then(delay::go_duration).map(|time| time.as_secs_f64());
    let word = |said: &Value| {
        let (start, end) = (seconds(&said["startOffset"])?, seconds(&said["endOffset"])?);
        Some(Word { start, end, text: said["word"].as_str()?.trim().to_owned() })
    };
    part["audioTranscription"]["words"].as_array().into_iter().flatten().filter_map(word).collect()
}

/// The body of a request to speak. No system instruction and no temperature: these models refuse the one and trip over the other.
pub(in crate::providers) fn speech(request: &TtsRequest, params: Option<&Map<String, Value>>) -> Value {
    let Delivery { style, language, speakers, .. } = &request.delivery;
    let voice = |name: &str| json!({ "prebuiltVoiceConfig": { "voiceName": name } });
    let mut speech = match speakers.as_slice() {
        // One voice for all, or one for each of two: the other field must not be there.
        [_, _] => {
            let each = speakers.iter().map(|who| json!({ "speaker": who.name, "voiceConfig": voice(&who.voice) }));
            json!({ "multiSpeakerVoiceConfig": { "speakerVoiceConfigs": each.collect::<Vec<_>>() } })
        }
        _ => json!({ "voiceConfig": voice(&request.voice) }),
    };
    if let Some(language) = language {
        speech["languageCode"] = json!(language);
    }
    let mut config = json!({ "responseModalities": ["AUDIO"], "speechConfig": speech });
    configure(&mut config, params);
    let style = style.as_deref().map(str::trim).filter(|style| !style.is_empty());
    // Models that are told the format of their speech take a style of its own; older ones read it from the text.
    let part = match style {
        Some(style) if config["responseFormat"].is_object() => {
            json!({ "text": request.text, "speechMetadata": { "style": style } })
        }
        Some(style) => json!({ "text": format!("Say {style}: {}", request.text) }),
        None => json!({ "text": request.text }),
    };
    json!({ "contents": [{ "role": "user", "parts": [part] }], "generationConfig": config })
}

#[derive(Debug)]
enum Format {
    Raw(speech::Raw),
    Wav(WavDecoder),
}

/// Reads spoken audio, streamed or whole, raw or as a WAV file.
#[derive(Debug, Default)]
pub(in crate::providers) struct Speech {
    format: Option<Format>,
    finish: Option<Finish>,
    content: bool,
    usage: Usage,
}

impl Speech {
    fn audio(&mut self, mime: &str, bytes: &[u8], out: &mut Vec<SpeechPiece>) -> Result<(), Failure> {
        let mime = mime.to_ascii_lowercase();
        if bytes.starts_with(b"RIFF") {
            self.close(out)?; // a second header starts a second file; played as samples it would click
            self.format = Some(Format::Wav(WavDecoder::new()));
        } else if self.format.is_none() {
            if !mime.starts_with("audio/l16") && !mime.starts_with("audio/pcm") {
                return Err(Failure::new(
                    Class::Unsupported,
                    errors::shorten(&format!("Gemini sent audio of the kind {mime}.")),
                ));
            }
            self.format = Some(Format::Raw(speech::Raw::new(&mime)));
        }
        let pcm = match &mut self.format {
            Some(Format::Raw(raw)) => raw.push(bytes),
            Some(Format::Wav(wav)) => wav.push(bytes).map_err(|error| speech::unreadable(self.content, &error))?,
            None => None,
        };
        self.say(pcm, out);
        Ok(())
    }

    fn close(&mut self, out: &mut Vec<SpeechPiece>) -> Result<(), Failure> {
        if let Some(Format::Wav(wav)) = self.format.take() {
            let last = wav.finish().map_err(|error| speech::unreadable(self.content, &error))?;
            self.say(last, out);
        }
        Ok(())
    }

    fn say(&mut self, pcm: Option<crate::audio::Pcm>, out: &mut Vec<SpeechPiece>) {
        if let Some(pcm) = pcm.filter(|pcm| !pcm.samples.is_empty()) {
            self.content = true;
            out.push(SpeechPiece::Pcm(pcm));
        }
    }
}

impl Dialect for Speech {
    type Piece = SpeechPiece;

    fn value(&mut self, value: &Value, out: &mut Vec<SpeechPiece>) -> Result<(), Failure> {
        read_usage(&mut self.usage, value);
        for part in parts(value) {
            if let Some(data) = part["inlineData"]["data"].as_str() {
                let bytes = STANDARD
                    .decode(data)
                    .map_err(|_| errors::broken(self.content, "Gemini sent audio that is not base64."))?;
                self.audio(part["inlineData"]["mimeType"].as_str().unwrap_or("audio/pcm"), &bytes, out)?;
            }
        }
        let used = |failure: Failure| Failure { usage: Some(Box::new(self.usage.clone())), ..failure };
        self.finish = finish(value, self.content).map_err(used)?.or(self.finish);
        Ok(())
    }

    fn end(&mut self, _said_done: bool, out: &mut Vec<SpeechPiece>) -> Result<(), Failure> {
        self.close(out)?;
        let failure = match (self.finish, self.content) {
            (Some(Finish::Length), true) => errors::broken(true, "The speech is longer than the model speaks at once."),
            (Some(_), true) => {
                if self.usage != Usage::default() {
                    out.push(SpeechPiece::Used(Box::new(std::mem::take(&mut self.usage))));
                }
                return Ok(());
            }
            (Some(_), false) => speech::silent(), // `content: {}`, and billed
            (None, content) => errors::broken(content, "The speech broke off."),
        };
        Err(Failure { usage: Some(Box::new(std::mem::take(&mut self.usage))), ..failure })
    }

    fn has_content(&self) -> bool {
        self.content
    }

    fn has_ended(&self) -> bool {
        self.finish.is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::providers::SpeakerVoice;
    use crate::providers::wire::json_events::JsonEvents;
    use crate::providers::wire::{recorded, stream::decode_all};

    fn asked(name: &str, language: Option<&str>) -> SttRequest {
        let data = &recorded::json(name)["contents"][0]["parts"][0]["inlineData"]["data"];
        SttRequest {
            model: String::new(),
            wav: STANDARD.decode(data.as_str().unwrap()).unwrap().into(),
            duration: Duration::from_millis(3400),
            language: language.map(str::to_owned),
            ..SttRequest::default()
        }
    }

    #[test]
    fn the_transcription_request_is_the_recorded_one() {
        let params = json!({ "thinkingConfig": { "thinkingLevel": "minimal" } });
        let body = transcription(&asked("gemini_stt_request.json", None), params.as_object());
        assert_eq!(body, recorded::json("gemini_stt_request.json"));
        let body = transcription(&asked("gemini_stt_request.json", Some("de-AT")), params.as_object());
        assert!(body["contents"][0]["parts"][1]["text"].as_str().unwrap().ends_with("The language is de."));
    }

    #[test]
    fn a_model_made_for_it_is_configured_instead() {
        let params = json!({ "audioTranscriptionConfig": { "mode": "VERBATIM" } });
        let mut request = asked("gemini_transcribe_generate_request.json", Some("en-US"));
        request.vocabulary = vec!["AURA".into(), "Tauri".into()];
        let mut expected = recorded::json("gemini_transcribe_generate_request.json");
        expected["generationConfig"][TRANSCRIPTION]["languageCodes"] = json!(["en"]);
        assert_eq!(transcription(&request, params.as_object()), expected);
        request.words = true;
        request.prompt = Some("We spoke of doors.".into());
        let how = transcription(&request, params.as_object())["generationConfig"][TRANSCRIPTION].clone();
        assert_eq!((&how["wordTimestamp"], &how["sourceText"]), (&json!(true), &json!("We spoke of doors.")));
        request.translate = true;
        let body = transcription(&request, params.as_object());
        assert!(body["generationConfig"][TRANSCRIPTION].is_null(), "it writes down and does not translate");
        assert!(body["contents"][0]["parts"][1]["text"].as_str().unwrap().starts_with("Translate"));
    }

    #[test]
    fn transcripts() {
        let request = asked("gemini_stt_request.json", None);
        let found = transcript(&recorded::json("gemini_stt.json"), &request).unwrap();
        assert_eq!(found.text, "Open the settings window.");
        assert_eq!((found.usage.input_tokens, found.usage.audio_seconds), (Some(138), Some(3.4)));
        let class = |name: &str| transcript(&recorded::json(name), &request).map_err(|failure| failure.class);
        assert_eq!(class("gemini_prompt_blocked.json"), Err(Class::Blocked));
        assert_eq!(class("gemini_max_tokens_no_parts.json"), Err(Class::Empty));
        let silence = json!({ "candidates": [{ "content": { "role": "model" }, "finishReason": "STOP" }] });
        assert_eq!(transcript(&silence, &request).unwrap().text, "");
        // The Interactions dialect is not spoken here: its answer holds no transcript for this reader, and does no harm.
        assert_eq!(transcript(&recorded::json("gemini_transcribe_interactions.json"), &request).unwrap().text, "");
        assert!(recorded::json("gemini_transcribe_interactions_request.json")["contents"].is_null());
    }

    /// A transcript that the token limit cut, or that the model gave up, is told apart from a whole one.
    #[test]
    fn half_a_transcript_is_none() {
        let request = asked("gemini_stt_request.json", None);
        let ended = |text: &str, reason: &str| {
            let parts = json!([{ "text": text }]);
            let value = json!({
                "candidates": [{ "content": { "parts": parts }, "finishReason": reason }],
                "usageMetadata": { "promptTokenCount": 100, "candidatesTokenCount": 9 },
            });
            transcript(&value, &request)
        };
        assert_eq!(ended("Open the window.", "STOP").unwrap().text, "Open the window.");
        for (text, reason, class, no_room) in [
            ("Open the", "MAX_TOKENS", Class::Interrupted, true),
            ("", "MAX_TOKENS", Class::Empty, true),
            ("Open the", "OTHER", Class::Interrupted, false),
            ("", "OTHER", Class::Empty, false),
            ("Open the", "MALFORMED_RESPONSE", Class::Interrupted, false),
        ] {
            let failure = ended(text, reason).unwrap_err();
            assert_eq!((failure.class, failure.no_room), (class, no_room), "{reason}");
            assert_eq!(failure.usage.unwrap().output_tokens, Some(9), "it is billed all the same");
        }
    }

    #[test]
    fn the_times_of_words() {
        let word = |word: &str, start: &str, end: &str| json!({ "word": word, "startOffset": start, "endOffset": end });
        let words = [word("Good", "0.120s", "0.4s"), word("morning.", "0.5s", "1.1s"), word("?", "", "")];
        let part = json!({ "audioTranscription": { "text": "Good morning.", "words": words } });
        let value = json!({ "candidates": [{ "content": { "parts": [part] }, "finishReason": "STOP" }] });
        let found = transcript(&value, &asked("gemini_stt_request.json", None)).unwrap();
        assert_eq!((found.text.as_str(), found.words.len(), found.words[0].start), ("Good morning.", 2, 0.12));
    }

    fn samples(name: &str) -> (Vec<f32>, Option<Failure>) {
        let bytes = recorded::bytes(name);
        let chunks: Vec<&[u8]> = bytes.chunks(7).collect();
        let (pieces, failure) = decode_all(JsonEvents::with_limit(Speech::default(), MAX_EVENT), &chunks);
        let samples = pieces.into_iter().flat_map(|piece| match piece {
            SpeechPiece::Pcm(pcm) => {
                assert_eq!(pcm.rate, 24_000);
                pcm.samples
            }
            SpeechPiece::File(file) => panic!("a file of {} bytes", file.len()),
            SpeechPiece::Used(_) => Vec::new(),
        });
        (samples.collect(), failure)
    }

    /// WAV or bare samples, by the model; a second header would click.
    #[test]
    fn trap_26_raw_samples_wav_and_an_odd_byte_sound_the_same() {
        let (expected, failure) = samples("gemini_tts_wav.json");
        assert_eq!((expected.len(), failure), (240, None));
        let (raw, failure) = samples("gemini_tts_l16.json");
        assert_eq!(failure, None);
        assert_eq!(raw, expected);
        let (streamed, failure) = samples("gemini_tts_stream.sse");
        assert_eq!(failure, None);
        assert_eq!(streamed, expected);
        // Two whole files in one answer: the second header is none of the samples.
        let event = recorded::json("gemini_tts_wav.json");
        let twice = format!("data: {event}\n\ndata: {event}\n\n");
        let (pieces, failure) = decode_all(JsonEvents::with_limit(Speech::default(), MAX_EVENT), &[twice.as_bytes()]);
        let heard = |piece: &SpeechPiece| if let SpeechPiece::Pcm(pcm) = piece { pcm.samples.len() } else { 0 };
        assert_eq!((pieces.iter().map(heard).sum::<usize>(), failure), (480, None));
    }

    /// A success without sound, though billed; and a temperature is never sent, because a low one is what leads to it.
    #[test]
    fn trap_25_billed_silence_is_empty_and_a_cut_is_no_end() {
        let failure = samples("gemini_tts_no_audio.json").1.unwrap();
        assert_eq!(failure.class, Class::Empty);
        assert!(failure.usage.unwrap().input_tokens.is_some(), "what it was billed is kept");
        let nothing = json!({ "inlineData": { "mimeType": "audio/L16;rate=24000", "data": "" } });
        let value = json!({ "candidates": [{ "content": { "parts": [nothing] }, "finishReason": "STOP" }] });
        let empty = decode_all(JsonEvents::new(Speech::default()), &[value.to_string().as_bytes()]);
        assert_eq!((empty.0.len(), empty.1.unwrap().class), (0, Class::Empty), "zero bytes");
        let bytes = recorded::bytes("gemini_tts_stream.sse");
        let first = String::from_utf8_lossy(&bytes).find("\r\n\r\n").unwrap() + 4;
        let (pieces, failure) = decode_all(JsonEvents::new(Speech::default()), &[&bytes[..first]]);
        assert_eq!((pieces.len(), failure.unwrap().class), (1, Class::Interrupted));
        let sent = speech(&TtsRequest { text: "Hello.".into(), ..TtsRequest::default() }, None);
        assert!(sent["generationConfig"].get("temperature").is_none());
    }

    #[test]
    fn speech_that_the_model_gave_up_is_not_whole() {
        let bytes = String::from_utf8(recorded::bytes("gemini_tts_stream.sse")).unwrap();
        for reason in ["OTHER", "MAX_TOKENS", "SOMETHING_NEW"] {
            let cut = bytes.replace("\"STOP\"", &format!("\"{reason}\""));
            let (pieces, failure) = decode_all(JsonEvents::new(Speech::default()), &[cut.as_bytes()]);
            assert!(!pieces.is_empty());
            assert_eq!(failure.unwrap().class, Class::Interrupted, "{reason}");
        }
    }

    #[test]
    fn what_speech_used_is_told() {
        let bytes = recorded::bytes("gemini_tts_wav.json");
        let (pieces, _) = decode_all(JsonEvents::with_limit(Speech::default(), MAX_EVENT), &[&bytes]);
        let Some(SpeechPiece::Used(usage)) = pieces.last() else { panic!("{pieces:?}") };
        assert!(usage.input_tokens.is_some() && usage.output_tokens.is_some(), "{usage:?}");
    }

    #[test]
    fn the_speech_requests_are_the_recorded_ones() {
        let say = |text: &str, style: &str| TtsRequest {
            voice: "Kore".into(),
            text: text.into(),
            delivery: Delivery { style: Some(style.into()), ..Delivery::default() },
            ..TtsRequest::default()
        };
        let legacy = speech(&say("Good morning.", "warmly"), None);
        assert_eq!(legacy, recorded::json("gemini_tts_request_legacy.json"));

        let params = json!({ "responseFormat": { "audio": { "mimeType": "AUDIO_L16" } } });
        let mut styled = say("Good morning. <short pause> Ready when you are.", "Warm, relaxed");
        styled.delivery.language = Some("en-US".into());
        assert_eq!(speech(&styled, params.as_object()), recorded::json("gemini_tts_request_38.json"));

        let speaker = |name: &str, voice: &str| SpeakerVoice { name: name.into(), voice: voice.into() };
        styled.delivery.speakers = vec![speaker("Anna", "Kore"), speaker("Ben", "Puck")];
        let config = speech(&styled, params.as_object())["generationConfig"]["speechConfig"].clone();
        assert!(config["voiceConfig"].is_null(), "one or the other");
        let second = &config["multiSpeakerVoiceConfig"]["speakerVoiceConfigs"][1];
        assert_eq!(second["speaker"], "Ben");
        assert_eq!(second["voiceConfig"]["prebuiltVoiceConfig"]["voiceName"], "Puck");
    }
}
