//! Speech in and out of Gemini: both are `generateContent` with audio in a part.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::gemini_generate::{finish, parts, read_usage};
use super::gemini_request::{configure, inline};
use super::json_events::Dialect;
use super::{errors, openai_audio, speech};
use crate::audio::WavDecoder;
use crate::providers::{Class, Failure, Finish, SpeechPiece, SttRequest, Transcript, TtsRequest, Usage};

/// Without its last sentence silence is answered with invented words.
const INSTRUCTION: &str =
    "Transcribe the speech in this audio verbatim. Output only the transcript. If there is no speech, output nothing.";
/// Room for ten minutes of fast speech.
const TRANSCRIPT_TOKENS: u32 = 2048;
/// The field that makes a model of the transcribing kind do so; the catalog gives it to those models.
const TRANSCRIPTION: &str = "audioTranscriptionConfig";
/// A reply may hold a whole WAV file in one event: ten minutes of it in base64.
pub(in crate::providers) const MAX_EVENT: usize = 40 * 1024 * 1024;

/// The body of a transcription, by instruction or, for models made for it, by configuration.
pub(in crate::providers) fn transcription(request: &SttRequest, params: Option<&Map<String, Value>>) -> Value {
    let mut parts = vec![inline("audio/wav", &request.wav)];
    let mut config = json!({});
    configure(&mut config, params);
    if config[TRANSCRIPTION].is_object() {
        if let Some(language) = openai_audio::language(request.language.as_deref()) {
            config[TRANSCRIPTION]["languageCodes"] = json!([language]);
        }
    } else {
        parts.push(json!({ "text": INSTRUCTION }));
        config["maxOutputTokens"] = json!(TRANSCRIPT_TOKENS);
    }
    json!({ "contents": [{ "role": "user", "parts": parts }], "generationConfig": config })
}

/// Reads a transcription. No words are no error: there may have been no speech.
pub(in crate::providers) fn transcript(value: &Value, request: &SttRequest) -> Result<Transcript, Failure> {
    let ended = finish(value)?;
    let spoken = |part: &&Value| part["thought"].as_bool() != Some(true);
    let text: String = parts(value)
        .iter()
        .filter(spoken)
        .filter_map(|part| part["text"].as_str().or_else(|| part["audioTranscription"]["text"].as_str()))
        .collect();
    // For silence some models repeat what they were asked.
    let text = Some(text.trim()).filter(|text| !repeats_instruction(text)).unwrap_or_default();
    if text.is_empty() && ended == Some(Finish::Length) {
        return Err(Failure::new(Class::Empty, "Gemini thought so long that no room was left for the transcript."));
    }
    let mut usage = Usage { audio_seconds: Some(request.duration.as_secs_f32()), ..Usage::default() };
    read_usage(&mut usage, value);
    Ok(Transcript { text: text.to_owned(), usage, ..Transcript::default() })
}

fn repeats_instruction(text: &str) -> bool {
    let plain =
        |text: &str| text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>();
    let (text, asked) = (plain(text), plain(INSTRUCTION));
    text.len() > 20 && asked.starts_with(&text)
}

/// The body of a request to speak. No system instruction and no temperature: these models refuse the one and trip over the other.
pub(in crate::providers) fn speech(request: &TtsRequest, params: Option<&Map<String, Value>>) -> Value {
    let mut config = json!({
        "responseModalities": ["AUDIO"],
        "speechConfig": { "voiceConfig": { "prebuiltVoiceConfig": { "voiceName": request.voice } } },
    });
    configure(&mut config, params);
    json!({ "contents": [{ "role": "user", "parts": [{ "text": request.text }] }], "generationConfig": config })
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
        for part in parts(value) {
            if let Some(data) = part["inlineData"]["data"].as_str() {
                let bytes = STANDARD
                    .decode(data)
                    .map_err(|_| errors::broken(self.content, "Gemini sent audio that is not base64."))?;
                self.audio(part["inlineData"]["mimeType"].as_str().unwrap_or("audio/pcm"), &bytes, out)?;
            }
        }
        self.finish = finish(value)?.or(self.finish);
        Ok(())
    }

    fn end(&mut self, _said_done: bool, out: &mut Vec<SpeechPiece>) -> Result<(), Failure> {
        self.close(out)?;
        match (self.finish, self.content) {
            (Some(_), true) => Ok(()),
            (Some(_), false) => Err(speech::silent()), // finishReason OTHER with `content: {}`, and billed
            (None, content) => Err(errors::broken(content, "The speech broke off.")),
        }
    }

    fn has_content(&self) -> bool {
        self.content
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::providers::wire::json_events::JsonEvents;
    use crate::providers::wire::{recorded, stream::decode_all};

    fn asked(name: &str, language: Option<&str>) -> SttRequest {
        let data = &recorded::json(name)["contents"][0]["parts"][0]["inlineData"]["data"];
        SttRequest {
            model: String::new(),
            wav: STANDARD.decode(data.as_str().unwrap()).unwrap().into(),
            duration: Duration::from_millis(3400),
            language: language.map(str::to_owned),
        }
    }

    #[test]
    fn the_transcription_request_is_the_recorded_one() {
        let params = json!({ "thinkingConfig": { "thinkingLevel": "minimal" } });
        let body = transcription(&asked("gemini_stt_request.json", Some("en")), params.as_object());
        assert_eq!(body, recorded::json("gemini_stt_request.json"));
    }

    #[test]
    fn a_model_made_for_it_is_configured_instead() {
        let params = json!({ "audioTranscriptionConfig": { "mode": "VERBATIM" } });
        let body = transcription(&asked("gemini_transcribe_generate_request.json", Some("en-US")), params.as_object());
        let mut expected = recorded::json("gemini_transcribe_generate_request.json");
        expected["generationConfig"][TRANSCRIPTION]["languageCodes"] = json!(["en"]);
        expected["generationConfig"][TRANSCRIPTION].as_object_mut().unwrap().remove("customVocabulary");
        assert_eq!(body, expected);
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

    /// Trap 4: for silence a prompt may come back word for word. Whisper is given none, and Gemini's is known.
    #[test]
    fn the_instruction_is_no_transcript() {
        let request = asked("gemini_stt_request.json", None);
        let said = |text: &str| {
            let parts = json!([{ "text": text }]);
            let value = json!({ "candidates": [{ "content": { "parts": parts }, "finishReason": "STOP" }] });
            transcript(&value, &request).unwrap().text
        };
        assert_eq!(said(INSTRUCTION), "");
        assert_eq!(said("Transcribe the speech in this audio, verbatim\n"), "");
        for spoken in ["Transcribe the speech in this audio for me.", "transcribe"] {
            assert_eq!(said(spoken), spoken);
        }
        let (_, form) = openai_audio::transcription_form(&request, "json");
        assert!(!String::from_utf8_lossy(&form).contains("name=\"prompt\""));
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
        });
        (samples.collect(), failure)
    }

    /// Trap 26: WAV or bare samples, by the model; a second header would click.
    #[test]
    fn raw_samples_wav_and_an_odd_byte_sound_the_same() {
        let (expected, failure) = samples("gemini_tts_wav.json");
        assert_eq!((expected.len(), failure), (240, None));
        let (raw, failure) = samples("gemini_tts_l16.json");
        assert_eq!(failure, None);
        assert_eq!(raw, expected);
        let (streamed, failure) = samples("gemini_tts_stream.sse");
        assert_eq!(failure, None);
        assert_eq!(streamed, expected);
    }

    /// Trap 25: a success without sound, though billed.
    #[test]
    fn billed_silence_is_empty_and_a_cut_is_no_end() {
        assert_eq!(samples("gemini_tts_no_audio.json").1.unwrap().class, Class::Empty);
        let bytes = recorded::bytes("gemini_tts_stream.sse");
        let first = String::from_utf8_lossy(&bytes).find("\r\n\r\n").unwrap() + 4;
        let (pieces, failure) = decode_all(JsonEvents::new(Speech::default()), &[&bytes[..first]]);
        assert_eq!((pieces.len(), failure.unwrap().class), (1, Class::Interrupted));
    }

    #[test]
    fn the_speech_requests_are_the_recorded_ones() {
        let say = |text: &str| TtsRequest { model: String::new(), voice: "Kore".into(), text: text.into() };
        let legacy = speech(&say("Say warmly: Good morning."), None);
        assert_eq!(legacy, recorded::json("gemini_tts_request_legacy.json"));

        let params = json!({ "responseFormat": { "audio": { "mimeType": "AUDIO_L16" } } });
        let mut expected = recorded::json("gemini_tts_request_38.json");
        // AURA has neither a style nor a language to ask for.
        expected["contents"][0]["parts"][0].as_object_mut().unwrap().remove("speechMetadata");
        expected["generationConfig"]["speechConfig"].as_object_mut().unwrap().remove("languageCode");
        assert_eq!(speech(&say("Good morning. <short pause> Ready when you are."), params.as_object()), expected);
    }
}
