//! Transcriptions and speech in OpenAI's dialect, with what its many servers make of them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

use super::{errors, multipart};
use crate::providers::{Class, Failure, Segment, SttRequest, Transcript, TtsRequest, Usage};

/// Shorter recordings are refused by every server: the header of a WAV file and a hundredth of a second.
const SHORTEST_WAV: usize = 44 + 320;

/// Refuses what no server takes, before it is sent.
pub(in crate::providers) fn check(request: &SttRequest, max_bytes: usize) -> Result<(), Failure> {
    if request.wav.len() < SHORTEST_WAV {
        return Err(Failure::new(Class::InvalidRequest, "The recording is too short to hold a word."));
    }
    if request.wav.len() > max_bytes {
        let megabytes = max_bytes / 1_000_000;
        return Err(Failure::new(
            Class::Unsupported,
            format!("The recording is longer than this provider takes: {megabytes} MB."),
        ));
    }
    Ok(())
}

/// The ISO 639-1 part of a language tag: `en-US` is `en`. Nothing for `auto` and the like.
pub(in crate::providers) fn language(tag: Option<&str>) -> Option<String> {
    let code = tag?.split(['-', '_']).next()?.trim().to_ascii_lowercase();
    // Three letters for the few languages without a code of two, such as `haw` and `yue`.
    ((2..=3).contains(&code.len()) && code.chars().all(|c| c.is_ascii_alphabetic()) && code != "und").then_some(code)
}

/// The content type and body of `POST audio/transcriptions`.
pub(in crate::providers) fn transcription_form(request: &SttRequest, response_format: &str) -> (String, Bytes) {
    let language = language(request.language.as_deref());
    let mut fields =
        vec![("model", request.model.as_str()), ("response_format", response_format), ("temperature", "0")];
    if let Some(language) = &language {
        fields.push(("language", language));
    }
    multipart::form(&fields, &multipart::File { name: "audio.wav", mime: "audio/wav", bytes: &request.wav })
}

/// The same as JSON, for OpenRouter.
pub(in crate::providers) fn transcription_json(request: &SttRequest) -> Value {
    let mut body = json!({
        "model": request.model,
        "input_audio": { "data": STANDARD.encode(&request.wav), "format": "wav" },
    });
    if let Some(language) = language(request.language.as_deref()) {
        body["language"] = json!(language);
    }
    body
}

/// Reads any of the reply formats: `json`, `verbose_json`, `text`.
pub(in crate::providers) fn transcript(body: &[u8], request: &SttRequest) -> Result<Transcript, Failure> {
    let seconds = request.duration.as_secs_f32();
    let value = match serde_json::from_slice::<Value>(body) {
        Ok(value @ Value::Object(_)) => value,
        _ => {
            let text = String::from_utf8_lossy(body);
            // Half a JSON reply is not what somebody said.
            if text.trim_start().starts_with(['{', '[']) {
                return Err(errors::broken(false, "The reply broke off, or something on the way damaged it."));
            }
            if text.trim_start().starts_with('<') {
                return Err(Failure::new(
                    Class::Unreachable,
                    "The reply is a web page. Check the provider's address and the network.",
                ));
            }
            json!({ "text": text })
        }
    };
    if let Some(failure) = errors::in_success(&value) {
        return Err(failure);
    }
    let Some(text) = value["text"].as_str() else {
        return Err(Failure::new(Class::Unsupported, "The reply holds no transcript. This server may not transcribe."));
    };
    let segments = value["segments"].as_array().map(Vec::as_slice).unwrap_or_default();
    let numbers = |name: &'static str| segments.iter().filter_map(move |segment| segment[name].as_f64());
    let usage = &value["usage"];
    let count = |name: &str| usage[name].as_u64().and_then(|number| u32::try_from(number).ok());
    let reported = value["duration"].as_f64().or_else(|| usage["seconds"].as_f64()).filter(|seconds| *seconds > 0.0);
    Ok(Transcript {
        text: text.trim().to_owned(),
        segments: segments.iter().filter_map(segment).collect(),
        language: value["language"].as_str().filter(|language| !language.is_empty()).map(str::to_owned),
        no_speech: numbers("no_speech_prob").reduce(f64::max).map(|number| number as f32),
        log_prob: numbers("avg_logprob").reduce(f64::min).map(|number| number as f32),
        usage: Usage {
            input_tokens: count("input_tokens"),
            output_tokens: count("output_tokens"),
            audio_seconds: Some(reported.map_or(seconds, |seconds| seconds as f32)),
            ..Usage::default()
        },
    })
}

/// A part of the transcript, if it tells when it was said.
fn segment(value: &Value) -> Option<Segment> {
    let (start, end) = (value["start"].as_f64()?, value["end"].as_f64()?);
    let text = value["text"].as_str()?.trim().to_owned();
    (end >= start).then_some(Segment { start, end, text })
}

/// The body of `POST audio/speech`. `stream` is Kokoro's: its default of true is named so that it stays so.
pub(in crate::providers) fn speech(request: &TtsRequest, response_format: &str) -> Value {
    json!({
        "model": request.model,
        "voice": request.voice,
        "input": request.text,
        "response_format": response_format,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::providers::wire::recorded;

    fn asked(wav: &'static [u8], language: Option<&str>) -> SttRequest {
        SttRequest {
            model: "openai/whisper-large-v3-turbo".into(),
            wav: Bytes::from_static(wav),
            duration: Duration::from_secs(2),
            language: language.map(str::to_owned),
        }
    }

    /// Trap 3: no words with status 200 are no error.
    #[test]
    fn every_recorded_transcription() {
        for (name, text, seconds) in [
            ("groq_transcription_json.json", "Open the settings window.", 2.0),
            ("groq_transcription_verbose.json", "Open the settings window.", 3.42),
            ("groq_transcription_text.txt", "Open the settings window.", 2.0),
            ("groq_transcription_empty.json", "", 2.0),
            ("groq_translation_json.json", "Where is the train station?", 2.0),
            ("openai_transcription_json.json", "Open the settings window.", 2.0),
            ("openrouter_stt.json", "Open the settings window.", 3.4),
            ("whispercpp_inference.json", "Open the settings window.", 2.0),
            ("whispercpp_verbose.json", "Open the settings window.", 3.42),
        ] {
            let found = transcript(&recorded::bytes(name), &asked(b"", None)).unwrap();
            assert_eq!((found.text.as_str(), found.usage.audio_seconds), (text, Some(seconds)), "{name}");
        }
        let verbose = transcript(&recorded::bytes("groq_transcription_verbose.json"), &asked(b"", None)).unwrap();
        let joined: Vec<&str> = verbose.segments.iter().map(|segment| segment.text.as_str()).collect();
        assert_eq!((joined.join(" "), verbose.segments[0].start), (verbose.text.clone(), 0.0));
        assert!(verbose.segments.last().unwrap().end > 1.0 && verbose.language.is_some());
        let tokens = transcript(&recorded::bytes("openai_transcription_json.json"), &asked(b"", None)).unwrap().usage;
        assert_eq!((tokens.input_tokens, tokens.output_tokens), (Some(36), Some(7)));
    }

    /// Trap 2: for silence Whisper invents words; these numbers tell.
    #[test]
    fn the_numbers_of_a_hallucination_are_returned() {
        let found =
            transcript(&recorded::bytes("groq_transcription_silence_hallucination.json"), &asked(b"", None)).unwrap();
        assert_eq!((found.text.as_str(), found.no_speech, found.log_prob), ("Thank you.", Some(0.91), Some(-0.93)));
        let found = transcript(&recorded::bytes("groq_transcription_verbose.json"), &asked(b"", None)).unwrap();
        assert!(found.no_speech.unwrap() < 0.01);
    }

    #[test]
    fn what_is_no_transcript_fails() {
        let class = |body: &[u8]| transcript(body, &asked(b"", None)).unwrap_err().class;
        assert_eq!(class(&recorded::bytes("lmstudio_200_unexpected_endpoint.json")), Class::Unsupported);
        assert_eq!(class(b"<html>"), Class::Unreachable);
        assert_eq!(class(b"{\"text\": \"Open the wi"), Class::Unreachable);
        assert_eq!(class(b"{}"), Class::Unsupported);
    }

    #[test]
    fn languages_are_stripped_to_their_code() {
        for (tag, code) in [
            ("en-US", Some("en")),
            ("pt_BR", Some("pt")),
            ("DE", Some("de")),
            ("haw", Some("haw")),
            ("auto", None),
            ("", None),
            ("und", None),
        ] {
            assert_eq!(language(Some(tag)).as_deref(), code, "{tag}");
        }
        let (_, body) = transcription_form(&asked(b"RIFF", Some("en-GB")), "verbose_json");
        let body = String::from_utf8(body.to_vec()).unwrap();
        for part in [
            "name=\"language\"\r\n\r\nen\r\n",
            "name=\"temperature\"\r\n\r\n0\r\n",
            "filename=\"audio.wav\"\r\nContent-Type: audio/wav",
        ] {
            assert!(body.contains(part), "{part} is missing in {body}");
        }
        assert!(
            !String::from_utf8_lossy(&transcription_form(&asked(b"RIFF", Some("auto")), "json").1).contains("language")
        );
    }

    #[test]
    fn the_json_request_is_the_recorded_one() {
        assert_eq!(
            transcription_json(&asked(b"RIFF$\0\0\0WAVE", Some("en"))),
            recorded::json("openrouter_stt_request.json")
        );
    }

    #[test]
    fn the_speech_request_is_the_recorded_one() {
        let say = |model: &str, voice: &str, text: &str| TtsRequest {
            model: model.into(),
            voice: voice.into(),
            text: text.into(),
        };
        let groq = speech(&say("canopylabs/orpheus-v1-english", "hannah", "[cheerful] Good morning."), "wav");
        assert_eq!(groq, recorded::json("groq_speech_request.json"));
        let mut kokoro = recorded::json("kokoro_speech_request.json");
        let fields = kokoro.as_object_mut().unwrap();
        // The recorded request turns streaming off and names the speed; AURA wants the defaults of both.
        fields.remove("stream");
        fields.remove("speed");
        assert_eq!(speech(&say("kokoro", "af_heart", "Good morning."), "wav"), kokoro);
    }

    /// Trap 5: a header without sound is refused by every server.
    #[test]
    fn recordings_that_no_server_takes_stay_here() {
        assert_eq!(check(&asked(&[0; 44], None), 1_000_000).unwrap_err().class, Class::InvalidRequest);
        assert_eq!(check(&asked(&[0; 2000], None), 1000).unwrap_err().class, Class::Unsupported);
        assert_eq!(check(&asked(&[0; 2000], None), 2000), Ok(()));
    }
}
