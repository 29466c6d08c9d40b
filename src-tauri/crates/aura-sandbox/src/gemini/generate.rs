//! `POST /models/{id}:generateContent` and `:streamGenerateContent`

use std::time::Duration;

use serde_json::{Value, json};

use super::models::{self, Kind, Model};
use super::request::{self, Generate};
use super::{admit, fields, parameter, speech};
use crate::call::Call;
use crate::compose::{Answer, Finish, compose, tokens};
use crate::faults::{FaultKind, FilterForm};
use crate::hearing::{due, listen, transcribe};
use crate::kinds::Service;
use crate::refusal::{Cause, Refusal};
use crate::reply::{Frame, Part, Reply};
use crate::speech::Heard;
use crate::vision::Picture;

/// Tokens of one second of sound.
const AUDIO_TOKENS: f64 = 32.0;

/// base64 of "sandbox-signature".
const SIGNATURE: &str = "c2FuZGJveC1zaWduYXR1cmU=";

/// How the answer is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Whole,
    Events,
    Array,
}

pub(super) async fn answer(call: &mut Call) -> Result<Reply, Refusal> {
    let tail = call.path.rsplit_once("/models/").map_or("", |(_, tail)| tail).replace("%3A", ":");
    let (id, method) = tail.split_once(':').unwrap_or((&tail, ""));
    let form = match method {
        "generateContent" => Form::Whole,
        "streamGenerateContent" if parameter(call, "alt") == Some("sse") => Form::Events,
        "streamGenerateContent" => Form::Array,
        _ => {
            let route = Cause::UnknownRoute { method: call.method.clone(), path: call.path.clone() };
            return Err(call.refuse(&route));
        }
    };
    let result = generate(call, id, form).await;
    result.map_err(|refusal| if form == Form::Array { in_array(refusal) } else { refusal })
}

/// Without `alt=sse` even an error comes in an array.
fn in_array(mut refusal: Refusal) -> Refusal {
    if refusal.content_type == "application/json" {
        refusal.body = [b"[", &refusal.body[..], b"]\n"].concat().into();
    }
    refusal
}

async fn generate(call: &mut Call, id: &str, form: Form) -> Result<Reply, Refusal> {
    admit(call)?;
    let body = fields::camel(&call.json()?);
    let mut request = request::read(&body).map_err(|message| call.invalid(message))?;
    call.meet(request.service(id), id).await?;
    let model = models::find(call, id)?;
    fields::check(&body)?;
    let config = &body["generationConfig"];
    if model.kind != Kind::Tts {
        request::check_thinking(model, config).map_err(|message| call.invalid(message))?;
    } else if !body["systemInstruction"].is_null() {
        return Err(call.invalid("Developer instruction is not enabled for this model"));
    }
    request::check_calls(model, &body).map_err(|message| call.invalid(message))?;
    request::check_modalities(model, config).map_err(|message| call.invalid(message))?;
    if call.filter() == Some(FilterForm::Prompt) {
        return Ok(blocked(call, model, form));
    }
    if model.kind == Kind::Tts {
        return speech::answer(call, model, &body, &request, form).await;
    }
    let heard = hear(call, &mut request).await?;
    if call.service == Service::Stt {
        return Ok(transcript(call, model, &request, &heard, form));
    }
    for bytes in std::mem::take(&mut request.images) {
        let picture = Picture::read(bytes).await;
        let picture = picture.ok_or_else(|| call.invalid("Unable to process input image. Please retry or report."))?;
        request.question.pictures.push(picture);
    }
    if !heard.text.is_empty() {
        // The question about the sound and what is said in it: a rule may look for either.
        request.question.heard = format!("{} {}", request.question.heard, heard.text).trim().to_owned();
    }
    let answer = compose(call, &request.question).await?;
    Ok(text(call, model, &request, &answer, form))
}

/// Recognises what is said in the request's sound.
async fn hear(call: &Call, request: &mut Generate) -> Result<Heard, Refusal> {
    let mut heard = Heard::default();
    for bytes in &request.audio {
        let pcm = listen(call, bytes).await.map_err(|error| call.refuse(&Cause::from(&error)))?;
        let next = transcribe(call, &pcm).await.map_err(|error| call.refuse(&Cause::from(&error)))?;
        heard.seconds += next.seconds;
        heard.text = format!("{} {}", heard.text, next.text).trim().to_owned();
    }
    request.question.prompt_tokens += (heard.seconds * AUDIO_TOKENS) as u64;
    Ok(heard)
}

/// Puts responses into the form that was asked for. The last of them finishes the answer.
pub(super) fn written(form: Form, pieces: Vec<(Part, Duration, Value)>) -> Reply {
    let count = pieces.len();
    let end = pieces.last().map_or(Duration::ZERO, |piece| piece.1);
    let mut frames: Vec<Frame> = Vec::with_capacity(count + 1);
    for (n, (part, at, value)) in pieces.into_iter().enumerate() {
        let text = match form {
            Form::Array => format!("{}{value}", if n == 0 { "[" } else { ",\r\n" }),
            Form::Events | Form::Whole => format!("data: {value}\r\n\r\n"),
        };
        frames.push(Frame::new(part, at, text));
    }
    if form == Form::Array {
        frames.push(Frame::new(Part::Done, end, &b"]\n"[..]));
        return Reply::stream("application/json; charset=UTF-8", frames).headers_with_first_piece();
    }
    Reply::stream("text/event-stream", frames)
        .with("content-disposition", "attachment")
        .with("vary", "Origin, X-Origin, Referer")
        .with("server-timing", "gfet4t7; dur=12")
}

/// One response, without its candidates.
pub(super) fn base(call: &Call, model: &Model) -> Value {
    json!({"modelVersion": model.version(), "responseId": format!("sandbox{:09}", call.entry.id())})
}

/// A response with one candidate.
pub(super) fn candidate(call: &Call, model: &Model, content: Value, finish: Option<&str>, usage: Value) -> Value {
    let mut response = base(call, model);
    let mut candidate = json!({"content": content, "index": 0});
    if let Some(finish) = finish {
        candidate["finishReason"] = Value::from(finish);
        if finish == "SAFETY" {
            let rating = json!({"category": "HARM_CATEGORY_HATE_SPEECH", "probability": "MEDIUM", "blocked": true});
            candidate["safetyRatings"] = json!([rating]);
        }
    }
    response["candidates"] = json!([candidate]);
    if !usage.is_null() {
        response["usageMetadata"] = usage;
    }
    response
}

fn blocked(call: &Call, model: &Model, form: Form) -> Reply {
    let mut response = base(call, model);
    let rating = json!({"category": "HARM_CATEGORY_SEXUALLY_EXPLICIT", "probability": "HIGH", "blocked": true});
    response["promptFeedback"] = json!({"blockReason": "SAFETY", "safetyRatings": [rating]});
    response["usageMetadata"] = json!({"promptTokenCount": 12, "totalTokenCount": 12});
    match form {
        Form::Whole => Reply::json(Duration::ZERO, &response),
        _ => written(form, vec![(Part::Finish, Duration::ZERO, response)]),
    }
}

fn usage(request: &Generate, prompt: u64, written: u64, thought: u64) -> Value {
    let audio = request.question.prompt_tokens.saturating_sub(request.text_tokens + request.image_tokens);
    let by_modality = [("TEXT", request.text_tokens), ("IMAGE", request.image_tokens), ("AUDIO", audio)];
    let details: Vec<Value> = by_modality
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(modality, count)| json!({"modality": modality, "tokenCount": count}))
        .collect();
    let mut usage = json!({
        "promptTokenCount": prompt,
        "candidatesTokenCount": written,
        "totalTokenCount": prompt + written + thought,
        "promptTokensDetails": details,
        "serviceTier": "standard",
    });
    if thought > 0 {
        usage["thoughtsTokenCount"] = Value::from(thought);
    }
    usage
}

fn finish(answer: &Answer) -> &str {
    match &answer.finish {
        Finish::Stop | Finish::Tool => "STOP",
        Finish::Length => "MAX_TOKENS",
        Finish::Filtered => "SAFETY",
        Finish::Other(reason) => reason,
    }
}

fn text(call: &Call, model: &Model, request: &Generate, answer: &Answer, form: Form) -> Reply {
    let used = answer.usage;
    let mut parts: Vec<Value> = Vec::new();
    if request.include_thoughts {
        parts.extend(answer.reasoning.iter().map(|thought| json!({"text": thought, "thought": true})));
    }
    let calls = answer.tool_calls.iter().enumerate().map(|(at, tool)| {
        let id = format!("call_{}x{at}", call.entry.id());
        let mut part = json!({"functionCall": {"name": tool.name, "args": tool.arguments, "id": id}});
        // Of calls made together only the first is signed.
        if at == 0 {
            part["thoughtSignature"] = Value::from(SIGNATURE);
        }
        part
    });
    let all = usage(request, used.prompt, used.completion, used.reasoning);
    if form == Form::Whole {
        if !answer.pieces.is_empty() {
            parts.push(json!({"text": answer.text()}));
        }
        parts.extend(calls);
        let content = content(parts, answer);
        let body = candidate(call, model, content, Some(finish(answer)), all);
        return Reply::json(answer.complete(), &body);
    }
    parts.extend(answer.pieces.iter().map(|piece| json!({"text": piece})));
    parts.extend(calls);
    let mut pieces = Vec::new();
    for (n, part) in parts.into_iter().enumerate() {
        let so_far = usage(request, used.prompt, (n as u64 + 1).min(used.completion), used.reasoning);
        let content = json!({"parts": [part], "role": "model"});
        pieces.push((Part::Content, answer.due(n), candidate(call, model, content, None, so_far)));
    }
    let last = if pieces.is_empty() || answer.finish == Finish::Filtered {
        content(Vec::new(), answer)
    } else {
        json!({"parts": [{"text": "", "thoughtSignature": SIGNATURE}], "role": "model"})
    };
    let end = pieces.last().map_or(answer.due(0), |piece| piece.1);
    pieces.push((Part::Finish, end, candidate(call, model, last, Some(finish(answer)), all)));
    written(form, pieces)
}

/// Content without parts has no `parts` at all, and a filtered answer not even a role.
fn content(parts: Vec<Value>, answer: &Answer) -> Value {
    if !parts.is_empty() {
        return json!({"parts": parts, "role": "model"});
    }
    if answer.finish == Finish::Filtered { json!({}) } else { json!({"role": "model"}) }
}

fn transcript(call: &Call, model: &Model, request: &Generate, heard: &Heard, form: Form) -> Reply {
    let mut part = json!({"text": heard.text});
    if request.word_times {
        let words: Vec<&str> = heard.text.split_whitespace().collect();
        let step = heard.seconds / words.len().max(1) as f64;
        let time = |n: usize| format!("{:.3}s", step * n as f64);
        let words = words.iter().enumerate();
        let words: Vec<Value> =
            words.map(|(n, word)| json!({"word": word, "startOffset": time(n), "endOffset": time(n + 1)})).collect();
        part["audioTranscription"] = json!({"text": heard.text, "languageCode": "en-US", "words": words});
    }
    let used = usage(request, request.question.prompt_tokens, tokens(&heard.text), 0);
    let empty = matches!(call.fault(), Some(FaultKind::EmptyAnswer { .. }));
    let parts = if empty { json!({"role": "model"}) } else { json!({"parts": [part], "role": "model"}) };
    let body = candidate(call, model, parts, Some("STOP"), used);
    match form {
        Form::Whole => Reply::json(due(call), &body),
        _ => written(form, vec![(Part::Content, due(call), body)]),
    }
}
