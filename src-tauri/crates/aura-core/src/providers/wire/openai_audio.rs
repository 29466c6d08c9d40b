//! Transcriptions and speech in OpenAI's dialect, with what its many servers make of them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{errors, heard, multipart};
use crate::providers::{Class, Delivery, Doubt, Failure, Segment, SttRequest, Transcript, TtsRequest, Usage, Word};

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

/// What differs between the servers that take a form.
#[derive(Debug, Clone, Copy)]
pub(in crate::providers) struct Form<'a> {
    /// `json`, or `verbose_json` where the server tells more in it.
    pub(in crate::providers) format: &'a str,
    /// Whether it tells the times of words, in `verbose_json` alone.
    pub(in crate::providers) words: bool,
    /// The field for names and terms; none: they go into the prompt.
    pub(in crate::providers) vocabulary: Option<&'a str>,
    /// The field that asks for English; none: it has an endpoint of its own.
    pub(in crate::providers) translate: Option<&'a str>,
}

/// The content type and body of `POST audio/transcriptions`, and of `POST audio/translations`, which takes no language.
pub(in crate::providers) fn transcription_form(request: &SttRequest, form: Form<'_>) -> (String, Bytes) {
    let language = language(request.language.as_deref()).filter(|_| !request.translate || form.translate.is_some());
    let temperature = request.temperature.unwrap_or(0.0).to_string();
    let terms = request.vocabulary.join(", ");
    let prompt = heard::prompt(request, form.vocabulary.is_none());
    let words = request.words && form.words && !request.translate;
    let format = if words { "verbose_json" } else { form.format };
    let mut fields =
        vec![("model", request.model.as_str()), ("response_format", format), ("temperature", temperature.as_str())];
    fields.extend(language.as_deref().map(|language| ("language", language)));
    fields.extend(prompt.as_deref().map(|prompt| ("prompt", prompt)));
    if let Some(name) = form.vocabulary.filter(|_| !terms.is_empty()) {
        fields.push((name, &terms));
    }
    if words {
        fields.extend(["segment", "word"].map(|what| ("timestamp_granularities[]", what)));
    }
    if let Some(name) = form.translate.filter(|_| request.translate) {
        fields.push((name, "true"));
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
    if let Some(temperature) = request.temperature {
        body["temperature"] = json!(temperature);
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
    let list = |name: &str| value[name].as_array().map(Vec::as_slice).unwrap_or_default();
    let segments = list("segments");
    let usage = &value["usage"];
    let count = |name: &str| usage[name].as_u64().and_then(|number| u32::try_from(number).ok());
    let reported = value["duration"].as_f64().or_else(|| usage["seconds"].as_f64()).filter(|seconds| *seconds > 0.0);
    Ok(Transcript {
        text: heard::words(text, request),
        segments: segments.iter().filter_map(segment).collect(),
        // whisper.cpp keeps them in its segments.
        words: list("words").iter().chain(segments.iter().flat_map(words_of)).filter_map(word).collect(),
        doubts: segments.iter().filter_map(doubt).collect(),
        language: value["language"].as_str().filter(|language| !language.is_empty()).map(str::to_owned),
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

fn words_of(segment: &Value) -> &[Value] {
    segment["words"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn word(value: &Value) -> Option<Word> {
    let (start, end) = (value["start"].as_f64()?, value["end"].as_f64()?);
    let text = value["word"].as_str()?.trim().to_owned();
    (end >= start && !text.is_empty()).then_some(Word { start, end, text })
}

/// How unsure the model is of a part, if it tells both numbers: one of them alone says little.
fn doubt(value: &Value) -> Option<Doubt> {
    let (no_speech, log_prob) = (value["no_speech_prob"].as_f64()? as f32, value["avg_logprob"].as_f64()? as f32);
    let text = value["text"].as_str().unwrap_or_default().trim().to_owned();
    Some(Doubt { no_speech, log_prob, text })
}

/// What of a delivery a server takes.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::providers) struct Takes {
    /// `speed`, 0.25 to 4 at OpenAI.
    speed: bool,
    /// `instructions`: how it should sound.
    instructions: bool,
    /// `sample_rate`.
    sample_rate: bool,
    /// Directions in brackets at the beginning of the text.
    brackets: bool,
}

impl Takes {
    /// Groq's Orpheus: neither speed nor rate are honoured; English voices follow directions in brackets.
    pub(in crate::providers) const fn directions(brackets: bool) -> Self {
        Self { speed: false, instructions: false, sample_rate: false, brackets }
    }
}

/// The body of `POST audio/speech`. What is not asked for, and what the server does not take, is left to its defaults.
pub(in crate::providers) fn speech(request: &TtsRequest, response_format: &str, takes: Takes) -> Value {
    let Delivery { speed, style, sample_rate, .. } = &request.delivery;
    let style = style.as_deref().map(str::trim).filter(|style| !style.is_empty());
    let input = match style.filter(|_| takes.brackets) {
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
    set("speed", speed.filter(|_| takes.speed).map(|speed| json!(speed)));
    set("instructions", style.filter(|_| takes.instructions).map(Value::from));
    set("sample_rate", sample_rate.filter(|_| takes.sample_rate).map(Value::from));
    body
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
            ..SttRequest::default()
        }
    }

    /// Verbose where words are told, with a prompt for names and terms.
    const FORM: Form<'static> = Form { format: "json", words: true, vocabulary: None, translate: None };

    /// They mean that nobody spoke.
    #[test]
    fn trap_03_no_words_with_status_200_are_no_error() {
        let found = transcript(&recorded::bytes("groq_transcription_empty.json"), &asked(b"", None)).unwrap();
        assert_eq!(found.text, "");
        assert_eq!(transcript(b"{\"text\": \"  \"}", &asked(b"", None)).unwrap().text, "");
    }

    #[test]
    fn every_recorded_transcription() {
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

    /// For silence Whisper invents words; these numbers tell.
    #[test]
    fn trap_02_the_numbers_of_a_hallucination_are_returned_together() {
        let found =
            transcript(&recorded::bytes("groq_transcription_silence_hallucination.json"), &asked(b"", None)).unwrap();
        assert_eq!(found.doubts, [Doubt { no_speech: 0.91, log_prob: -0.93, text: "Thank you.".into() }]);
        let found = transcript(&recorded::bytes("groq_transcription_verbose.json"), &asked(b"", None)).unwrap();
        assert!(found.doubts[0].no_speech < 0.01);
    }

    #[test]
    fn words_are_asked_for_and_told_with_their_times() {
        let asked = SttRequest { words: true, ..asked(b"RIFF", None) };
        let form = String::from_utf8(transcription_form(&asked, FORM).1.to_vec()).unwrap();
        for part in ["verbose_json", "name=\"timestamp_granularities[]\"\r\n\r\nword\r\n"] {
            assert!(form.contains(part), "{part} is missing in {form}");
        }
        let told = json!({
            "text": "Good morning.",
            "words": [{ "word": " Good", "start": 0.1, "end": 0.4 }, { "word": "morning.", "start": 0.5, "end": 0.9 }],
        });
        let words = transcript(told.to_string().as_bytes(), &asked).unwrap().words;
        assert_eq!((words[0].text.as_str(), words[1].end, words.len()), ("Good", 0.9, 2));
        let cpp = transcript(&recorded::bytes("whispercpp_verbose.json"), &asked).unwrap();
        assert_eq!(cpp.text, "Open the settings window.");
    }

    #[test]
    fn a_form_holds_what_the_server_takes() {
        let asked = SttRequest {
            prompt: Some("We spoke of windows.".into()),
            vocabulary: vec!["AURA".into(), "Tauri".into()],
            temperature: Some(0.4),
            translate: true,
            ..asked(b"RIFF", Some("de"))
        };
        let of = |form| String::from_utf8(transcription_form(&asked, form).1.to_vec()).unwrap();
        let prompted = of(FORM);
        assert!(prompted.contains("name=\"prompt\"\r\n\r\nAURA, Tauri. We spoke of windows.\r\n"), "{prompted}");
        assert!(prompted.contains("name=\"temperature\"\r\n\r\n0.4\r\n"));
        assert!(!prompted.contains("language"), "an endpoint for translations takes none: {prompted}");
        let own = of(Form { vocabulary: Some("hotwords"), translate: Some("translate"), ..FORM });
        assert!(own.contains("name=\"hotwords\"\r\n\r\nAURA, Tauri\r\n"), "{own}");
        assert!(own.contains("name=\"prompt\"\r\n\r\nWe spoke of windows.\r\n"), "{own}");
        assert!(own.contains("name=\"translate\"\r\n\r\ntrue\r\n") && own.contains("name=\"language\""), "{own}");
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
        let (_, body) = transcription_form(&asked(b"RIFF", Some("en-GB")), FORM);
        let body = String::from_utf8(body.to_vec()).unwrap();
        for part in [
            "name=\"language\"\r\n\r\nen\r\n",
            "name=\"temperature\"\r\n\r\n0\r\n",
            "filename=\"audio.wav\"\r\nContent-Type: audio/wav",
        ] {
            assert!(body.contains(part), "{part} is missing in {body}");
        }
        assert!(
            !String::from_utf8_lossy(&transcription_form(&asked(b"RIFF", Some("auto")), FORM).1).contains("language")
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
            ..TtsRequest::default()
        };
        let plain = Takes::default();
        let groq = speech(&say("canopylabs/orpheus-v1-english", "hannah", "[cheerful] Good morning."), "wav", plain);
        assert_eq!(groq, recorded::json("groq_speech_request.json"));
        let mut directed = say("canopylabs/orpheus-v1-english", "hannah", "Good morning.");
        directed.delivery = Delivery { style: Some(" cheerful".into()), speed: Some(1.5), ..Delivery::default() };
        let groq = speech(&directed, "wav", Takes::directions(true));
        assert_eq!(groq, recorded::json("groq_speech_request.json"), "the direction, and no speed");
        assert_eq!(speech(&directed, "wav", Takes::directions(false))["input"], "Good morning.");
        let mut kokoro = recorded::json("kokoro_speech_request.json");
        let fields = kokoro.as_object_mut().unwrap();
        // The recorded request turns streaming off; AURA wants it.
        fields.remove("stream");
        let mut paced = say("kokoro", "af_heart", "Good morning.");
        paced.delivery.speed = Some(1.0);
        let takes = Takes { speed: true, ..plain };
        assert_eq!(speech(&paced, "wav", takes), kokoro);
        paced.delivery.style = Some("warmly".into());
        paced.delivery.sample_rate = Some(16_000);
        assert_eq!(speech(&paced, "wav", takes), kokoro, "it takes neither");
        let openai = speech(&paced, "wav", Takes { instructions: true, sample_rate: true, ..takes });
        assert_eq!((&openai["instructions"], &openai["sample_rate"]), (&"warmly".into(), &16_000.into()));
    }

    /// A header without sound, and less than a hundredth of a second, are refused by every server.
    #[test]
    fn trap_05_recordings_that_no_server_takes_stay_here() {
        assert_eq!(check(&asked(&[0; 44], None), 1_000_000).unwrap_err().class, Class::InvalidRequest);
        assert_eq!(check(&asked(&[0; 44 + 319], None), 1_000_000).unwrap_err().class, Class::InvalidRequest);
        assert_eq!(check(&asked(&[0; 44 + 320], None), 1_000_000), Ok(()));
        assert_eq!(check(&asked(&[0; 2000], None), 1000).unwrap_err().class, Class::Unsupported);
        assert_eq!(check(&asked(&[0; 2000], None), 2000), Ok(()));
    }
}
