//! The bodies of a transcript: JSON, plain text, subtitles, or server-sent events.

use std::time::Duration;

use aura_providers::{Segment, SegmentConfidence, Transcript, Usage};
use axum::Json;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::form::{TranscriptFormat, TranscriptionFields};
use super::subtitles;
use crate::event_stream::{MEDIA_TYPE, push_event};
use crate::openai::request_trace::{Provenance, RequestTrace};

/// A transcript. `task`, `language`, `duration`, `segments` and `words` are present only with `verbose_json`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Transcription {
    /// The whole text.
    text: String,
    /// What the provider counted; absent when it counted nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    usage: Option<Value>,
    /// An extension of AURA: the route, attempts and notices.
    aura: Provenance,
    /// `transcribe` or `translate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<&'static str>,
    /// The language, as the provider names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<String>,
    /// The duration of the sound, seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<f64>,
    /// The segments with their times; a single one if the provider reports none.
    #[serde(skip_serializing_if = "Option::is_none")]
    segments: Option<Vec<SegmentBody>>,
    /// The words with their times, if requested by `timestamp_granularities[]=word`.
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<Vec<WordBody>>,
}

/// A word of a transcript.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WordBody {
    /// The word.
    word: String,
    /// The start, seconds.
    start: f64,
    /// The end, seconds.
    end: f64,
}

/// A segment of a transcript.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SegmentBody {
    /// The index of the segment.
    id: usize,
    /// The start, seconds.
    start: f64,
    /// The end, seconds.
    end: f64,
    /// The text.
    text: String,
    /// The mean log probability of its tokens, where the provider reports it.
    #[serde(skip_serializing_if = "Option::is_none")]
    avg_logprob: Option<f32>,
    /// The probability that nobody spoke, where the provider reports it.
    #[serde(skip_serializing_if = "Option::is_none")]
    no_speech_prob: Option<f32>,
}

/// The response in the format that the form asks for. `duration`: of the sound.
pub(super) fn response(
    fields: &TranscriptionFields,
    task: &'static str,
    transcript: Transcript,
    duration: Duration,
    trace: &RequestTrace,
) -> Response {
    let text_response = |kind: &'static str, text: String| ([(header::CONTENT_TYPE, kind)], text).into_response();
    let seconds = duration.as_secs_f64();
    match fields.format {
        TranscriptFormat::Json if fields.stream => text_response(MEDIA_TYPE, events(&transcript, trace)),
        TranscriptFormat::Json => Json(plain(transcript, trace)).into_response(),
        TranscriptFormat::Text => text_response("text/plain; charset=utf-8", format!("{}\n", transcript.text)),
        TranscriptFormat::Srt => {
            text_response("application/x-subrip; charset=utf-8", subtitles::srt(&segments(&transcript, seconds)))
        }
        TranscriptFormat::Vtt => {
            text_response("text/vtt; charset=utf-8", subtitles::vtt(&segments(&transcript, seconds)))
        }
        TranscriptFormat::Verbose => Json(Transcription {
            task: Some(task),
            language: Some(transcript.language.clone().unwrap_or_else(|| "unknown".to_owned())),
            duration: Some(seconds),
            // Only words, when only words are asked for.
            segments: (fields.segments || !fields.words).then(|| segment_bodies(&transcript, seconds)),
            words: fields.words.then(|| {
                let words = transcript.words.iter();
                words.map(|word| WordBody { word: word.text.clone(), start: word.start, end: word.end }).collect()
            }),
            ..plain(transcript, trace)
        })
        .into_response(),
    }
}

fn plain(transcript: Transcript, trace: &RequestTrace) -> Transcription {
    Transcription {
        usage: usage(&transcript.usage),
        text: transcript.text,
        aura: trace.provenance(),
        task: None,
        language: None,
        duration: None,
        segments: None,
        words: None,
    }
}

/// The transcript as events. A provider returns it whole, so each of its segments is one event.
fn events(transcript: &Transcript, trace: &RequestTrace) -> String {
    let mut out = String::new();
    for delta in deltas(transcript) {
        push_event(&mut out, "", &json!({"type": "transcript.text.delta", "delta": delta}));
    }
    let mut done = json!({"type": "transcript.text.done", "text": transcript.text, "aura": trace.provenance()});
    if let Some(usage) = usage(&transcript.usage) {
        done["usage"] = usage;
    }
    push_event(&mut out, "", &done);
    out
}

/// The text in pieces that together are the whole of it, cut at the segments where they can be found in it.
fn deltas(transcript: &Transcript) -> Vec<&str> {
    let (mut pieces, mut rest) = (Vec::new(), transcript.text.as_str());
    for segment in transcript.segments.iter().skip(1) {
        let begin = rest.find(segment.text.as_str()).filter(|at| *at > 0 && !segment.text.is_empty());
        if let Some((piece, after)) = begin.and_then(|at| rest.split_at_checked(at)) {
            pieces.push(piece);
            rest = after;
        }
    }
    pieces.extend(Some(rest).filter(|rest| !rest.is_empty()));
    pieces
}

/// What the provider counted, in OpenAI's format: tokens, otherwise seconds.
fn usage(usage: &Usage) -> Option<Value> {
    match (usage.input_tokens, usage.output_tokens, usage.audio_seconds) {
        (Some(input), Some(output), _) => Some(json!({
            "type": "tokens", "input_tokens": input, "output_tokens": output, "total_tokens": u64::from(input) + u64::from(output),
        })),
        (_, _, Some(seconds)) => Some(json!({"type": "duration", "seconds": seconds})),
        _ => None,
    }
}

/// The segments that are not empty. A provider that reports no times yields one segment that spans the whole sound.
fn segments(transcript: &Transcript, seconds: f64) -> Vec<Segment> {
    let whole = Segment { start: 0.0, end: seconds, text: transcript.text.clone() };
    let segments = if transcript.segments.is_empty() { vec![whole] } else { transcript.segments.clone() };
    segments.into_iter().filter(|segment| !segment.text.is_empty()).collect()
}

fn segment_bodies(transcript: &Transcript, seconds: f64) -> Vec<SegmentBody> {
    let confidence = |segment: &Segment| -> Option<&SegmentConfidence> {
        transcript.confidences.iter().find(|confidence| confidence.text == segment.text)
    };
    let segments = segments(transcript, seconds).into_iter().enumerate();
    segments
        .map(|(id, segment)| SegmentBody {
            id,
            start: segment.start,
            end: segment.end,
            avg_logprob: confidence(&segment).map(|confidence| confidence.log_prob),
            no_speech_prob: confidence(&segment).map(|confidence| confidence.no_speech),
            text: segment.text,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transcript(text: &str, segments: &[&str]) -> Transcript {
        let segment = |text: &&str| Segment { text: (*text).to_owned(), ..Segment::default() };
        Transcript { text: text.to_owned(), segments: segments.iter().map(segment).collect(), ..Transcript::default() }
    }

    #[test]
    fn the_pieces_of_a_transcript_are_the_whole_of_it() {
        for (text, segments, expected) in [
            (
                "Good morning. How are you?",
                vec!["Good morning.", "How are you?"],
                vec!["Good morning. ", "How are you?"],
            ),
            ("Yes. Yes. No.", vec!["Yes.", "Yes.", "No."], vec!["Yes. Yes. ", "No."]),
            ("Good morning.", vec![], vec!["Good morning."]),
            ("Good morning.", vec!["something", "else", ""], vec!["Good morning."]),
            ("", vec![], vec![]),
        ] {
            let transcript = transcript(text, &segments);
            assert_eq!(deltas(&transcript), expected, "{text}");
            assert_eq!(deltas(&transcript).concat(), text);
        }
    }
}
