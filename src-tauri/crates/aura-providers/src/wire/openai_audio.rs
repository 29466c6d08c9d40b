//! Speech to text and text to speech in OpenAI's format, with the deviations of compatible servers.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::error_reply;
use super::multipart::{self, OpenForm};
use super::transcription::{language_code, prompt, without_echo};
use crate::types::{
    Failure, FailureKind, Segment, SegmentConfidence, SpeechOptions, SpeechRequest, Transcript, TranscriptionRequest,
    Usage, Word,
};

/// The differences between servers that accept a transcription as a form.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TranscriptionDialect<'a> {
    /// The reply format: `json`, or `verbose_json` if the server reports more in it.
    pub(crate) format: &'a str,
    /// Whether it reports the times of words, which requires `verbose_json`.
    pub(crate) words: bool,
    /// The field for vocabulary; `None`: the vocabulary goes into the prompt.
    pub(crate) vocabulary: Option<&'a str>,
    /// The field that requests a translation into English; `None`: there is a separate endpoint.
    pub(crate) translate: Option<&'a str>,
}

/// The form of `POST audio/transcriptions`, and of `POST audio/translations`, which accepts no language. Its file is the recording, as WAV.
pub(crate) fn transcription_form(request: &TranscriptionRequest, dialect: TranscriptionDialect<'_>) -> OpenForm {
    let language =
        language_code(request.language.as_deref()).filter(|_| !request.translate || dialect.translate.is_some());
    let temperature = request.temperature.unwrap_or(0.0).to_string();
    let vocabulary = request.vocabulary.join(", ");
    let prompt = prompt(request, dialect.vocabulary.is_none());
    let words = request.words && dialect.words && !request.translate;
    let format = if words { "verbose_json" } else { dialect.format };
    let mut fields =
        vec![("model", request.model.as_str()), ("response_format", format), ("temperature", temperature.as_str())];
    fields.extend(language.as_deref().map(|language| ("language", language)));
    fields.extend(prompt.as_deref().map(|prompt| ("prompt", prompt)));
    if let Some(name) = dialect.vocabulary.filter(|_| !vocabulary.is_empty()) {
        fields.push((name, &vocabulary));
    }
    if words {
        fields.extend(["segment", "word"].map(|what| ("timestamp_granularities[]", what)));
    }
    if let Some(name) = dialect.translate.filter(|_| request.translate) {
        fields.push((name, "true"));
    }
    multipart::open_form(&fields, "audio.wav", "audio/wav")
}

/// The JSON body of a transcription with the recording in base64, for OpenRouter.
pub(crate) fn transcription_json(request: &TranscriptionRequest) -> Value {
    let mut body = json!({
        "model": request.model,
        "input_audio": { "data": STANDARD.encode(&request.wav), "format": "wav" },
    });
    if let Some(language) = language_code(request.language.as_deref()) {
        body["language"] = json!(language);
    }
    if let Some(temperature) = request.temperature {
        body["temperature"] = json!(temperature);
    }
    body
}

/// Reads a transcript in any reply format: `json`, `verbose_json` or `text`.
pub(crate) fn transcript(body: &[u8], request: &TranscriptionRequest) -> Result<Transcript, Failure> {
    let seconds = request.duration.as_secs_f32();
    let value = match serde_json::from_slice::<Value>(body) {
        Ok(value @ Value::Object(_)) => value,
        _ => {
            let text = String::from_utf8_lossy(body);
            // Half a JSON reply is not a transcript in plain text.
            if text.trim_start().starts_with(['{', '[']) {
                return Err(error_reply::interrupted(false, "The reply is incomplete or damaged."));
            }
            if text.trim_start().starts_with('<') {
                return Err(Failure::new(
                    FailureKind::Unreachable,
                    "The reply is a web page. Check the provider's base URL and the network.",
                ));
            }
            json!({ "text": text })
        }
    };
    if let Some(failure) = error_reply::in_success(&value) {
        return Err(failure);
    }
    let Some(text) = value["text"].as_str() else {
        return Err(Failure::new(
            FailureKind::Unsupported,
            "The reply contains no transcript. This server may not support transcription.",
        ));
    };
    let list = |name: &str| value[name].as_array().map(Vec::as_slice).unwrap_or_default();
    let segments = list("segments");
    let usage = &value["usage"];
    let count = |name: &str| usage[name].as_u64().and_then(|number| u32::try_from(number).ok());
    let reported = value["duration"].as_f64().or_else(|| usage["seconds"].as_f64()).filter(|seconds| *seconds > 0.0);
    Ok(Transcript {
        text: without_echo(text, request),
        segments: segments.iter().filter_map(segment).collect(),
        // whisper.cpp reports words inside its segments.
        words: list("words").iter().chain(segments.iter().flat_map(words_of)).filter_map(word).collect(),
        confidences: segments.iter().filter_map(confidence).collect(),
        language: value["language"].as_str().filter(|language| !language.is_empty()).map(str::to_owned),
        usage: Usage {
            input_tokens: count("input_tokens"),
            output_tokens: count("output_tokens"),
            audio_seconds: Some(reported.map_or(seconds, |seconds| seconds as f32)),
            ..Usage::default()
        },
    })
}

/// A segment, if it has times.
fn segment(value: &Value) -> Option<Segment> {
    let (start, end) = (value["start"].as_f64()?, value["end"].as_f64()?);
    let text = value["text"].as_str()?.trim().to_owned();
    (end >= start).then_some(Segment { start, end, text })
}

/// The words of a segment.
fn words_of(segment: &Value) -> &[Value] {
    segment["words"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn word(value: &Value) -> Option<Word> {
    let (start, end) = (value["start"].as_f64()?, value["end"].as_f64()?);
    let text = value["word"].as_str()?.trim().to_owned();
    (end >= start && !text.is_empty()).then_some(Word { start, end, text })
}

/// The confidence in a segment, if both numbers are present: one alone says little.
fn confidence(value: &Value) -> Option<SegmentConfidence> {
    let (no_speech, log_prob) = (value["no_speech_prob"].as_f64()? as f32, value["avg_logprob"].as_f64()? as f32);
    let text = value["text"].as_str().unwrap_or_default().trim().to_owned();
    Some(SegmentConfidence { no_speech, log_prob, text })
}

/// The speech options that a server accepts.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SpeechDialect {
    /// `speed`, 0.25 to 4 at OpenAI.
    pub(crate) speed: bool,
    /// `instructions`: the style in words.
    instructions: bool,
    /// `sample_rate`.
    sample_rate: bool,
    /// A style direction in brackets at the beginning of the text.
    brackets: bool,
}

impl SpeechDialect {
    /// The options of Groq's Orpheus: neither speed nor sample rate; English voices follow directions in brackets.
    pub(crate) const fn with_directions(brackets: bool) -> Self {
        Self { speed: false, instructions: false, sample_rate: false, brackets }
    }
}

/// The body of `POST audio/speech`. Options that are not requested, or not supported, are left to the server's defaults.
pub(crate) fn speech(request: &SpeechRequest, response_format: &str, dialect: SpeechDialect) -> Value {
    let SpeechOptions { speed, style, sample_rate, .. } = &request.options;
    let style = style.as_deref().map(str::trim).filter(|style| !style.is_empty());
    let input = match style.filter(|_| dialect.brackets) {
        Some(style) => format!("[{}] {}", style.replace(['[', ']'], ""), request.text),
        None => request.text.clone(),
    };
    let mut body = json!({
        "model": request.model,
        "voice": request.voice,
        "input": input,
        "response_format": response_format,
    });
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            body[name] = value;
        }
    };
    set("speed", speed.filter(|_| dialect.speed).map(|speed| json!(speed)));
    set("instructions", style.filter(|_| dialect.instructions).map(Value::from));
    set("sample_rate", sample_rate.filter(|_| dialect.sample_rate).map(Value::from));
    body
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;
    use crate::wire::recorded;

    fn sample_request(wav: &'static [u8], language: Option<&str>) -> TranscriptionRequest {
        TranscriptionRequest {
            model: "openai/whisper-large-v3-turbo".into(),
            wav: Bytes::from_static(wav),
            duration: Duration::from_secs(2),
            language: language.map(str::to_owned),
            ..TranscriptionRequest::default()
        }
    }

    /// `verbose_json` for words, and the vocabulary in the prompt.
    const DIALECT: TranscriptionDialect<'static> =
        TranscriptionDialect { format: "json", words: true, vocabulary: None, translate: None };

    /// An empty text means that nobody spoke.
    #[test]
    fn trap_03_an_empty_transcript_with_status_200_is_not_an_error() {
        let found = transcript(&recorded::bytes("groq_transcription_empty.json"), &sample_request(b"", None)).unwrap();
        assert_eq!(found.text, "");
        assert_eq!(transcript(b"{\"text\": \"  \"}", &sample_request(b"", None)).unwrap().text, "");
    }

    #[test]
    fn every_recorded_transcription_is_read() {
        for (name, text, seconds) in [
            ("groq_transcription_json.json", "Open the settings window.", 2.0),
            ("groq_transcription_verbose.json", "Open the settings window.", 3.42),
            ("groq_transcription_text.txt", "Open the settings window.", 2.0),
            ("groq_translation_json.json", "Where is the train station?", 2.0),
            ("openai_transcription_json.json", "Open the settings window.", 2.0),
            ("openrouter_stt.json", "Open the settings window.", 3.4),
            ("whispercpp_inference.json", "Open the settings window.", 2.0),
            ("whispercpp_verbose.json", "Open the settings window.", 3.42),
        ] {
            let found = transcript(&recorded::bytes(name), &sample_request(b"", None)).unwrap();
            assert_eq!((found.text.as_str(), found.usage.audio_seconds), (text, Some(seconds)), "{name}");
        }
        let verbose =
            transcript(&recorded::bytes("groq_transcription_verbose.json"), &sample_request(b"", None)).unwrap();
        let joined: Vec<&str> = verbose.segments.iter().map(|segment| segment.text.as_str()).collect();
        assert_eq!((joined.join(" "), verbose.segments[0].start), (verbose.text.clone(), 0.0));
        assert!(verbose.segments.last().unwrap().end > 1.0 && verbose.language.is_some());
        let tokens =
            transcript(&recorded::bytes("openai_transcription_json.json"), &sample_request(b"", None)).unwrap().usage;
        assert_eq!((tokens.input_tokens, tokens.output_tokens), (Some(36), Some(7)));
    }

    /// Whisper invents text for silence; its confidence reveals it.
    #[test]
    fn trap_02_the_confidence_in_a_hallucination_is_returned() {
        let found =
            transcript(&recorded::bytes("groq_transcription_silence_hallucination.json"), &sample_request(b"", None))
                .unwrap();
        assert_eq!(
            found.confidences,
            [SegmentConfidence { no_speech: 0.91, log_prob: -0.93, text: "Thank you.".into() }]
        );
        let found =
            transcript(&recorded::bytes("groq_transcription_verbose.json"), &sample_request(b"", None)).unwrap();
        assert!(found.confidences[0].no_speech < 0.01);
    }

    #[test]
    fn words_are_requested_and_read_with_their_times() {
        let request = TranscriptionRequest { words: true, ..sample_request(b"RIFF", None) };
        let dialect = String::from_utf8(transcription_form(&request, DIALECT).with(&request.wav).1.to_vec()).unwrap();
        for part in ["verbose_json", "name=\"timestamp_granularities[]\"\r\n\r\nword\r\n"] {
            assert!(dialect.contains(part), "{part} is missing in {dialect}");
        }
        let reply = json!({
            "text": "Good morning.",
            "words": [{ "word": " Good", "start": 0.1, "end": 0.4 }, { "word": "morning.", "start": 0.5, "end": 0.9 }],
        });
        let words = transcript(reply.to_string().as_bytes(), &request).unwrap().words;
        assert_eq!((words[0].text.as_str(), words[1].end, words.len()), ("Good", 0.9, 2));
        let cpp = transcript(&recorded::bytes("whispercpp_verbose.json"), &request).unwrap();
        assert_eq!(cpp.text, "Open the settings window.");
    }

    #[test]
    fn a_form_contains_what_the_server_accepts() {
        let request = TranscriptionRequest {
            prompt: Some("We spoke of windows.".into()),
            vocabulary: vec!["AURA".into(), "Tauri".into()],
            temperature: Some(0.4),
            translate: true,
            ..sample_request(b"RIFF", Some("de"))
        };
        let of =
            |dialect| String::from_utf8(transcription_form(&request, dialect).with(&request.wav).1.to_vec()).unwrap();
        let prompted = of(DIALECT);
        assert!(prompted.contains("name=\"prompt\"\r\n\r\nAURA, Tauri. We spoke of windows.\r\n"), "{prompted}");
        assert!(prompted.contains("name=\"temperature\"\r\n\r\n0.4\r\n"));
        assert!(!prompted.contains("language"), "the translation endpoint accepts none: {prompted}");
        let own = of(TranscriptionDialect { vocabulary: Some("hotwords"), translate: Some("translate"), ..DIALECT });
        assert!(own.contains("name=\"hotwords\"\r\n\r\nAURA, Tauri\r\n"), "{own}");
        assert!(own.contains("name=\"prompt\"\r\n\r\nWe spoke of windows.\r\n"), "{own}");
        assert!(own.contains("name=\"translate\"\r\n\r\ntrue\r\n") && own.contains("name=\"language\""), "{own}");
    }

    #[test]
    fn a_reply_without_a_transcript_fails() {
        let kind = |body: &[u8]| transcript(body, &sample_request(b"", None)).unwrap_err().kind;
        assert_eq!(kind(&recorded::bytes("lmstudio_200_unexpected_endpoint.json")), FailureKind::Unsupported);
        assert_eq!(kind(b"<html>"), FailureKind::Unreachable);
        assert_eq!(kind(b"{\"text\": \"Open the wi"), FailureKind::Unreachable);
        assert_eq!(kind(b"{}"), FailureKind::Unsupported);
    }

    #[test]
    fn a_form_names_the_language_by_its_code() {
        let (_, body) = transcription_form(&sample_request(b"RIFF", Some("en-GB")), DIALECT).with(b"RIFF");
        let body = String::from_utf8(body.to_vec()).unwrap();
        for part in [
            "name=\"language\"\r\n\r\nen\r\n",
            "name=\"temperature\"\r\n\r\n0\r\n",
            "filename=\"audio.wav\"\r\nContent-Type: audio/wav",
        ] {
            assert!(body.contains(part), "{part} is missing in {body}");
        }
        assert!(
            !String::from_utf8_lossy(
                &transcription_form(&sample_request(b"RIFF", Some("auto")), DIALECT).with(b"RIFF").1
            )
            .contains("language")
        );
    }

    #[test]
    fn the_json_request_is_the_recorded_one() {
        assert_eq!(
            transcription_json(&sample_request(b"RIFF$\0\0\0WAVE", Some("en"))),
            recorded::json("openrouter_stt_request.json")
        );
    }

    #[test]
    fn the_speech_request_is_the_recorded_one() {
        let say = |model: &str, voice: &str, text: &str| SpeechRequest {
            model: model.into(),
            voice: voice.into(),
            text: text.into(),
            ..SpeechRequest::default()
        };
        let plain = SpeechDialect::default();
        let groq = speech(&say("canopylabs/orpheus-v1-english", "hannah", "[cheerful] Good morning."), "wav", plain);
        assert_eq!(groq, recorded::json("groq_speech_request.json"));
        let mut directed = say("canopylabs/orpheus-v1-english", "hannah", "Good morning.");
        directed.options =
            SpeechOptions { style: Some(" cheerful".into()), speed: Some(1.5), ..SpeechOptions::default() };
        let groq = speech(&directed, "wav", SpeechDialect::with_directions(true));
        assert_eq!(groq, recorded::json("groq_speech_request.json"), "with the direction and without the speed");
        assert_eq!(speech(&directed, "wav", SpeechDialect::with_directions(false))["input"], "Good morning.");
        let mut kokoro = recorded::json("kokoro_speech_request.json");
        let fields = kokoro.as_object_mut().unwrap();
        // The recorded request turns streaming off; this crate streams.
        fields.remove("stream");
        let mut paced = say("kokoro", "af_heart", "Good morning.");
        paced.options.speed = Some(1.0);
        let dialect = SpeechDialect { speed: true, ..plain };
        assert_eq!(speech(&paced, "wav", dialect), kokoro);
        paced.options.style = Some("warmly".into());
        paced.options.sample_rate = Some(16_000);
        assert_eq!(speech(&paced, "wav", dialect), kokoro, "neither is supported");
        let openai = speech(&paced, "wav", SpeechDialect { instructions: true, sample_rate: true, ..dialect });
        assert_eq!((&openai["instructions"], &openai["sample_rate"]), (&"warmly".into(), &16_000.into()));
    }
}
