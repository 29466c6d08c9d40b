//! Speech to text and text to speech at Gemini: both are `generateContent` with audio in a part.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::gemini_generate::{finish, parts, read_usage};
use super::gemini_request::{configure, inline};
use super::json_events::JsonReader;
use super::{error_reply, retry_after, speech_decoder, transcription as shared};
use crate::redact::shorten;
use crate::types::{
    Failure, FailureKind, FinishReason, SpeechEvent, SpeechOptions, SpeechRequest, Transcript, TranscriptionRequest,
    Usage, Word,
};
use aura_audio::{Pcm, WavDecoder};

/// The field that makes a transcription model transcribe. The catalog has it for those models.
const TRANSCRIPTION: &str = "audioTranscriptionConfig";
/// The longest event that is accepted, in bytes: ten minutes of WAV in base64.
pub(crate) const MAX_EVENT: usize = 40 * 1024 * 1024;

/// The body of a transcription: configured, for transcription models; by instruction, for all others.
pub(crate) fn transcription(request: &TranscriptionRequest, params: Option<&Map<String, Value>>) -> Value {
    let mut parts = vec![inline("audio/wav", &request.wav)];
    let mut config = json!({});
    configure(&mut config, params);
    // Transcription models have no configuration for translation, so that is done by instruction.
    if config[TRANSCRIPTION].is_object() && !request.translate {
        let options = &mut config[TRANSCRIPTION];
        if let Some(language) = shared::language_code(request.language.as_deref()) {
            options["languageCodes"] = json!([language]);
        }
        if !request.vocabulary.is_empty() {
            options["customVocabulary"] = json!(request.vocabulary);
        }
        if request.words {
            options["wordTimestamp"] = json!(true);
        }
        if let Some(prompt) = &request.prompt {
            options["sourceText"] = json!(prompt);
        }
    } else {
        if let Some(config) = config.as_object_mut() {
            config.remove(TRANSCRIPTION);
        }
        parts.push(json!({ "text": shared::instruction(request) }));
        config["maxOutputTokens"] = json!(shared::max_tokens(request));
    }
    json!({ "contents": [{ "role": "user", "parts": parts }], "generationConfig": config })
}

/// Reads a transcript. An empty one is no error: there may have been no speech.
pub(crate) fn transcript(value: &Value, request: &TranscriptionRequest) -> Result<Transcript, Failure> {
    let is_answer = |part: &&Value| part["thought"].as_bool() != Some(true);
    let text: String = parts(value)
        .iter()
        .filter(is_answer)
        .filter_map(|part| part["text"].as_str().or_else(|| part["audioTranscription"]["text"].as_str()))
        .collect();
    let mut usage = Usage { audio_seconds: Some(request.duration.as_secs_f32()), ..Usage::default() };
    read_usage(&mut usage, value);
    let used = |failure: Failure| Failure { usage: Some(Box::new(usage.clone())), ..failure };
    let has_text = !text.trim().is_empty();
    if finish(value, has_text).map_err(used)? == Some(FinishReason::Length) {
        return Err(used(shared::truncated(has_text)));
    }
    Ok(Transcript {
        text: shared::without_echo(&text, request),
        words: parts(value).iter().flat_map(words).collect(),
        usage,
        ..Transcript::default()
    })
}

/// The words of a part with their times, such as `"0.120s"`.
fn words(part: &Value) -> Vec<Word> {
    let seconds = |value: &Value| value.as_str().and_then(retry_after::go_duration).map(|time| time.as_secs_f64());
    let word = |value: &Value| {
        let (start, end) = (seconds(&value["startOffset"])?, seconds(&value["endOffset"])?);
        Some(Word { start, end, text: value["word"].as_str()?.trim().to_owned() })
    };
    part["audioTranscription"]["words"].as_array().into_iter().flatten().filter_map(word).collect()
}

/// The body of a speech request, without system instruction, which speech models refuse, and without temperature, because a low one
/// leads to empty replies.
pub(crate) fn speech(request: &SpeechRequest, params: Option<&Map<String, Value>>) -> Value {
    let SpeechOptions { style, language, speakers, .. } = &request.options;
    let voice = |name: &str| json!({ "prebuiltVoiceConfig": { "voiceName": name } });
    let mut speech = match speakers.as_slice() {
        // One voice, or one for each of two speakers. The two fields exclude each other.
        [_, _] => {
            let each =
                speakers.iter().map(|speaker| json!({ "speaker": speaker.name, "voiceConfig": voice(&speaker.voice) }));
            json!({ "multiSpeakerVoiceConfig": { "speakerVoiceConfigs": each.collect::<Vec<_>>() } })
        }
        _ => json!({ "voiceConfig": voice(&request.voice) }),
    };
    // Only tags with a region are valid. Without one, the voice follows the text.
    if let Some(language) = language.as_deref().filter(|tag| tag.contains('-')) {
        speech["languageCode"] = json!(language);
    }
    let mut config = json!({ "responseModalities": ["AUDIO"], "speechConfig": speech });
    configure(&mut config, params);
    let style = style.as_deref().map(str::trim).filter(|style| !style.is_empty());
    // Models with a configurable audio format have a field for the style; older ones take it from the text.
    let part = match style {
        Some(style) if config["responseFormat"].is_object() => {
            json!({ "text": request.text, "speechMetadata": { "style": style } })
        }
        Some(style) => json!({ "text": format!("Say {style}: {}", request.text) }),
        None => json!({ "text": request.text }),
    };
    json!({ "contents": [{ "role": "user", "parts": [part] }], "generationConfig": config })
}

/// The format of the audio, with the state of its decoder.
#[derive(Debug)]
enum InlineAudio {
    Raw(speech_decoder::RawPcmDecoder),
    Wav(WavDecoder),
}

/// Reads speech, streamed or complete, as raw samples or as a WAV file.
#[derive(Debug, Default)]
pub(crate) struct GeminiSpeechReader {
    audio_format: Option<InlineAudio>,
    finish: Option<FinishReason>,
    content: bool,
    usage: Usage,
}

impl GeminiSpeechReader {
    fn audio(&mut self, mime: &str, bytes: &[u8], out: &mut Vec<SpeechEvent>) -> Result<(), Failure> {
        let mime = mime.to_ascii_lowercase();
        if bytes.starts_with(b"RIFF") {
            self.close(out)?; // a second header starts a second file; as samples it would be a click
            self.audio_format = Some(InlineAudio::Wav(WavDecoder::new()));
        } else if self.audio_format.is_none() {
            if !mime.starts_with("audio/l16") && !mime.starts_with("audio/pcm") {
                return Err(Failure::new(
                    FailureKind::Unsupported,
                    shorten(&format!("Gemini sent audio in an unsupported format: {mime}.")),
                ));
            }
            self.audio_format = Some(InlineAudio::Raw(speech_decoder::RawPcmDecoder::new(&mime)));
        }
        let pcm = match &mut self.audio_format {
            Some(InlineAudio::Raw(raw)) => raw.push(bytes),
            Some(InlineAudio::Wav(wav)) => {
                wav.push(bytes).map_err(|error| speech_decoder::unreadable(self.content, &error))?
            }
            None => None,
        };
        self.emit(pcm, out);
        Ok(())
    }

    fn close(&mut self, out: &mut Vec<SpeechEvent>) -> Result<(), Failure> {
        if let Some(InlineAudio::Wav(wav)) = self.audio_format.take() {
            let last = wav.finish().map_err(|error| speech_decoder::unreadable(self.content, &error))?;
            self.emit(last, out);
        }
        Ok(())
    }

    fn emit(&mut self, pcm: Option<Pcm>, out: &mut Vec<SpeechEvent>) {
        if let Some(pcm) = pcm.filter(|pcm| !pcm.samples.is_empty()) {
            self.content = true;
            out.push(SpeechEvent::Pcm(pcm));
        }
    }
}

impl JsonReader for GeminiSpeechReader {
    type Output = SpeechEvent;

    fn value(&mut self, value: &Value, out: &mut Vec<SpeechEvent>) -> Result<(), Failure> {
        read_usage(&mut self.usage, value);
        for part in parts(value) {
            if let Some(data) = part["inlineData"]["data"].as_str() {
                let bytes = STANDARD
                    .decode(data)
                    .map_err(|_| error_reply::interrupted(self.content, "Gemini sent audio that is not base64."))?;
                self.audio(part["inlineData"]["mimeType"].as_str().unwrap_or("audio/pcm"), &bytes, out)?;
            }
        }
        let used = |failure: Failure| Failure { usage: Some(Box::new(self.usage.clone())), ..failure };
        self.finish = finish(value, self.content).map_err(used)?.or(self.finish);
        Ok(())
    }

    fn end(&mut self, _said_done: bool, out: &mut Vec<SpeechEvent>) -> Result<(), Failure> {
        self.close(out)?;
        let failure = match (self.finish, self.content) {
            (Some(FinishReason::Length), true) => {
                error_reply::interrupted(true, "The token limit ended the speech. Send a shorter text.")
            }
            (Some(_), true) => {
                if self.usage != Usage::default() {
                    out.push(SpeechEvent::Usage(Box::new(std::mem::take(&mut self.usage))));
                }
                return Ok(());
            }
            (Some(_), false) => speech_decoder::silent(), // `content: {}`, which is billed
            (None, content) => error_reply::interrupted(content, "The speech ended early."),
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
    use crate::types::{FailureDetail, SpeakerVoice};
    use crate::wire::json_events::JsonEvents;
    use crate::wire::{decoder::decode_all, recorded};

    fn sample_request(name: &str, language: Option<&str>) -> TranscriptionRequest {
        let data = &recorded::json(name)["contents"][0]["parts"][0]["inlineData"]["data"];
        TranscriptionRequest {
            model: String::new(),
            wav: STANDARD.decode(data.as_str().unwrap()).unwrap().into(),
            duration: Duration::from_millis(3400),
            language: language.map(str::to_owned),
            ..TranscriptionRequest::default()
        }
    }

    #[test]
    fn the_transcription_request_is_the_recorded_one() {
        let params = json!({ "thinkingConfig": { "thinkingLevel": "minimal" } });
        let body = transcription(&sample_request("gemini_stt_request.json", None), params.as_object());
        assert_eq!(body, recorded::json("gemini_stt_request.json"));
        let body = transcription(&sample_request("gemini_stt_request.json", Some("de-AT")), params.as_object());
        assert!(body["contents"][0]["parts"][1]["text"].as_str().unwrap().ends_with("The language is de."));
    }

    #[test]
    fn a_transcription_model_is_configured_instead() {
        let params = json!({ "audioTranscriptionConfig": { "mode": "VERBATIM" } });
        let mut request = sample_request("gemini_transcribe_generate_request.json", Some("en-US"));
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
        assert!(body["generationConfig"][TRANSCRIPTION].is_null(), "a transcription model does not translate");
        assert!(body["contents"][0]["parts"][1]["text"].as_str().unwrap().starts_with("Translate"));
    }

    #[test]
    fn transcripts_are_read() {
        let request = sample_request("gemini_stt_request.json", None);
        let found = transcript(&recorded::json("gemini_stt.json"), &request).unwrap();
        assert_eq!(found.text, "Open the settings window.");
        assert_eq!((found.usage.input_tokens, found.usage.audio_seconds), (Some(138), Some(3.4)));
        let kind = |name: &str| transcript(&recorded::json(name), &request).map_err(|failure| failure.kind);
        assert_eq!(kind("gemini_prompt_blocked.json"), Err(FailureKind::Blocked));
        assert_eq!(kind("gemini_max_tokens_no_parts.json"), Err(FailureKind::Empty));
        let silence = json!({ "candidates": [{ "content": { "role": "model" }, "finishReason": "STOP" }] });
        assert_eq!(transcript(&silence, &request).unwrap().text, "");
        // Replies of the Interactions API, which is not used, contain no transcript for this reader.
        assert_eq!(transcript(&recorded::json("gemini_transcribe_interactions.json"), &request).unwrap().text, "");
        assert!(recorded::json("gemini_transcribe_interactions_request.json")["contents"].is_null());
    }

    /// The token limit cut it, or the model stopped.
    #[test]
    fn an_incomplete_transcript_fails() {
        let request = sample_request("gemini_stt_request.json", None);
        let ended = |text: &str, reason: &str| {
            let parts = json!([{ "text": text }]);
            let value = json!({
                "candidates": [{ "content": { "parts": parts }, "finishReason": reason }],
                "usageMetadata": { "promptTokenCount": 100, "candidatesTokenCount": 9 },
            });
            transcript(&value, &request)
        };
        assert_eq!(ended("Open the window.", "STOP").unwrap().text, "Open the window.");
        for (text, reason, kind, max_tokens_exhausted) in [
            ("Open the", "MAX_TOKENS", FailureKind::Interrupted, true),
            ("", "MAX_TOKENS", FailureKind::Empty, true),
            ("Open the", "OTHER", FailureKind::Interrupted, false),
            ("", "OTHER", FailureKind::Empty, false),
            ("Open the", "MALFORMED_RESPONSE", FailureKind::Interrupted, false),
        ] {
            let failure = ended(text, reason).unwrap_err();
            assert_eq!(
                (failure.kind, failure.detail),
                (kind, max_tokens_exhausted.then_some(FailureDetail::MaxTokensExhausted)),
                "{reason}"
            );
            assert_eq!(failure.usage.unwrap().output_tokens, Some(9), "usage is kept, because it is billed");
        }
    }

    #[test]
    fn the_times_of_words_are_read() {
        let word = |word: &str, start: &str, end: &str| json!({ "word": word, "startOffset": start, "endOffset": end });
        let words = [word("Good", "0.120s", "0.4s"), word("morning.", "0.5s", "1.1s"), word("?", "", "")];
        let part = json!({ "audioTranscription": { "text": "Good morning.", "words": words } });
        let value = json!({ "candidates": [{ "content": { "parts": [part] }, "finishReason": "STOP" }] });
        let found = transcript(&value, &sample_request("gemini_stt_request.json", None)).unwrap();
        assert_eq!((found.text.as_str(), found.words.len(), found.words[0].start), ("Good morning.", 2, 0.12));
    }

    fn samples(name: &str) -> (Vec<f32>, Option<Failure>) {
        let bytes = recorded::bytes(name);
        let chunks: Vec<&[u8]> = bytes.chunks(7).collect();
        let (events, failure) = decode_all(JsonEvents::with_limit(GeminiSpeechReader::default(), MAX_EVENT), &chunks);
        let samples = events.into_iter().flat_map(|piece| match piece {
            SpeechEvent::Pcm(pcm) => {
                assert_eq!(pcm.rate, 24_000);
                pcm.samples
            }
            SpeechEvent::File(file) => panic!("a file of {} bytes", file.len()),
            SpeechEvent::Usage(_) => Vec::new(),
        });
        (samples.collect(), failure)
    }

    /// The format depends on the model, and a second WAV header must not be played.
    #[test]
    fn trap_26_raw_samples_wav_and_an_odd_byte_decode_to_the_same_samples() {
        let (expected, failure) = samples("gemini_tts_wav.json");
        assert_eq!((expected.len(), failure), (240, None));
        let (raw, failure) = samples("gemini_tts_l16.json");
        assert_eq!(failure, None);
        assert_eq!(raw, expected);
        let (streamed, failure) = samples("gemini_tts_stream.sse");
        assert_eq!(failure, None);
        assert_eq!(streamed, expected);
        // Two complete files in one reply.
        let event = recorded::json("gemini_tts_wav.json");
        let twice = format!("data: {event}\n\ndata: {event}\n\n");
        let (events, failure) =
            decode_all(JsonEvents::with_limit(GeminiSpeechReader::default(), MAX_EVENT), &[twice.as_bytes()]);
        let heard = |piece: &SpeechEvent| if let SpeechEvent::Pcm(pcm) = piece { pcm.samples.len() } else { 0 };
        assert_eq!((events.iter().map(heard).sum::<usize>(), failure), (480, None));
    }

    /// A successful, billed reply may contain no audio. A low temperature leads to that, so none is sent.
    #[test]
    fn trap_25_a_reply_without_audio_is_empty_and_a_cut_one_interrupted() {
        let failure = samples("gemini_tts_no_audio.json").1.unwrap();
        assert_eq!(failure.kind, FailureKind::Empty);
        assert!(failure.usage.unwrap().input_tokens.is_some(), "usage is kept, because it is billed");
        let nothing = json!({ "inlineData": { "mimeType": "audio/L16;rate=24000", "data": "" } });
        let value = json!({ "candidates": [{ "content": { "parts": [nothing] }, "finishReason": "STOP" }] });
        let empty = decode_all(JsonEvents::new(GeminiSpeechReader::default()), &[value.to_string().as_bytes()]);
        assert_eq!((empty.0.len(), empty.1.unwrap().kind), (0, FailureKind::Empty), "zero bytes");
        let bytes = recorded::bytes("gemini_tts_stream.sse");
        let first = String::from_utf8_lossy(&bytes).find("\r\n\r\n").unwrap() + 4;
        let (events, failure) = decode_all(JsonEvents::new(GeminiSpeechReader::default()), &[&bytes[..first]]);
        assert_eq!((events.len(), failure.unwrap().kind), (1, FailureKind::Interrupted));
        let sent = speech(&SpeechRequest { text: "Hello.".into(), ..SpeechRequest::default() }, None);
        assert!(sent["generationConfig"].get("temperature").is_none());
    }

    #[test]
    fn speech_without_stop_is_interrupted() {
        let bytes = String::from_utf8(recorded::bytes("gemini_tts_stream.sse")).unwrap();
        for reason in ["OTHER", "MAX_TOKENS", "SOMETHING_NEW"] {
            let cut = bytes.replace("\"STOP\"", &format!("\"{reason}\""));
            let (events, failure) = decode_all(JsonEvents::new(GeminiSpeechReader::default()), &[cut.as_bytes()]);
            assert!(!events.is_empty());
            assert_eq!(failure.unwrap().kind, FailureKind::Interrupted, "{reason}");
        }
    }

    #[test]
    fn the_usage_of_speech_is_reported() {
        let bytes = recorded::bytes("gemini_tts_wav.json");
        let (events, _) = decode_all(JsonEvents::with_limit(GeminiSpeechReader::default(), MAX_EVENT), &[&bytes]);
        let Some(SpeechEvent::Usage(usage)) = events.last() else { panic!("{events:?}") };
        assert!(usage.input_tokens.is_some() && usage.output_tokens.is_some(), "{usage:?}");
    }

    #[test]
    fn the_speech_requests_are_the_recorded_ones() {
        let say = |text: &str, style: &str| SpeechRequest {
            voice: "Kore".into(),
            text: text.into(),
            options: SpeechOptions { style: Some(style.into()), ..SpeechOptions::default() },
            ..SpeechRequest::default()
        };
        let legacy = speech(&say("Good morning.", "warmly"), None);
        assert_eq!(legacy, recorded::json("gemini_tts_request_legacy.json"));

        let params = json!({ "responseFormat": { "audio": { "mimeType": "AUDIO_L16" } } });
        let mut styled = say("Good morning. <short pause> Ready when you are.", "Warm, relaxed");
        styled.options.language = Some("en-US".into());
        assert_eq!(speech(&styled, params.as_object()), recorded::json("gemini_tts_request_38.json"));

        let speaker = |name: &str, voice: &str| SpeakerVoice { name: name.into(), voice: voice.into() };
        styled.options.speakers = vec![speaker("Anna", "Kore"), speaker("Ben", "Puck")];
        let config = speech(&styled, params.as_object())["generationConfig"]["speechConfig"].clone();
        assert!(config["voiceConfig"].is_null(), "the two fields exclude each other");
        let second = &config["multiSpeakerVoiceConfig"]["speakerVoiceConfigs"][1];
        assert_eq!(second["speaker"], "Ben");
        assert_eq!(second["voiceConfig"]["prebuiltVoiceConfig"]["voiceName"], "Puck");
    }
}
