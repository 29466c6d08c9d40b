//! `POST /models/{id}:generateContent` and `:streamGenerateContent`

use std::time::Duration;

use serde_json::{Value, json};

use super::auth::{check_access, query_parameter};
use super::generate_request::{self, GenerateRequest};
use super::models::{self, GeminiModel, GeminiModelKind};
use super::response::{ResponseMode, base_response, candidate_response, in_json_array, stream_reply};
use super::{embeddings, fields, speech};
use crate::completion::{Completion, FinishReason, complete};
use crate::error_reply::{ErrorCause, ErrorReply};
use crate::faults::{FaultKind, FilterForm};
use crate::http_reply::{FrameKind, HttpReply};
use crate::ids::Service;
use crate::request::RequestContext;
use crate::request_image::RequestImage;
use crate::speech::recogniser::Transcript;
use crate::text::estimate_tokens;
use crate::transcription::{received_audio, transcribe, transcript_due};

/// Prompt tokens for one second of audio.
const AUDIO_TOKENS: f64 = 32.0;

/// Thought signature: base64 of "sandbox-signature".
const SIGNATURE: &str = "c2FuZGJveC1zaWduYXR1cmU=";

pub(super) async fn handle(context: &mut RequestContext) -> Result<HttpReply, ErrorReply> {
    let tail = context.path.rsplit_once("/models/").map_or("", |(_, tail)| tail).replace("%3A", ":");
    let (id, method) = tail.split_once(':').unwrap_or((&tail, ""));
    if matches!(method, "embedContent" | "batchEmbedContents") {
        return embeddings::handle(context, id, method == "batchEmbedContents").await;
    }
    let mode = match method {
        "generateContent" => ResponseMode::Single,
        "streamGenerateContent" if query_parameter(context, "alt") == Some("sse") => ResponseMode::Sse,
        "streamGenerateContent" => ResponseMode::JsonArray,
        _ => {
            let route = ErrorCause::UnknownRoute { method: context.method.clone(), path: context.path.clone() };
            return Err(context.error(&route));
        }
    };
    let result = generate(context, id, mode).await;
    result.map_err(|error_reply| if mode == ResponseMode::JsonArray { in_json_array(error_reply) } else { error_reply })
}

async fn generate(context: &mut RequestContext, id: &str, mode: ResponseMode) -> Result<HttpReply, ErrorReply> {
    check_access(context)?;
    let body = fields::to_camel_case(&context.json()?);
    let mut request = generate_request::parse(&body).map_err(|message| context.invalid_request(message))?;
    context.apply_fault(request.service(id), id).await?;
    let model = models::find(context, id)?;
    fields::reject_unknown(&body)?;
    let config = &body["generationConfig"];
    if model.kind != GeminiModelKind::Tts {
        generate_request::check_thinking(model, config).map_err(|message| context.invalid_request(message))?;
    } else if !body["systemInstruction"].is_null() {
        return Err(context.invalid_request("Developer instruction is not enabled for this model"));
    }
    generate_request::check_calls(model, &body).map_err(|message| context.invalid_request(message))?;
    generate_request::check_modalities(model, config).map_err(|message| context.invalid_request(message))?;
    if context.content_filter() == Some(FilterForm::Prompt) {
        return Ok(blocked(context, model, mode));
    }
    if model.kind == GeminiModelKind::Tts {
        return speech::handle(context, model, &body, &request, mode).await;
    }
    let transcript = transcribe_all(context, &mut request).await?;
    if context.service == Service::Stt {
        return Ok(transcript_reply(context, model, &request, &transcript, mode));
    }
    for bytes in std::mem::take(&mut request.images) {
        let image = RequestImage::read(bytes).await;
        let image =
            image.ok_or_else(|| context.invalid_request("Unable to process input image. Please retry or report."))?;
        request.prompt.images.push(image);
    }
    if !transcript.text.is_empty() {
        // A rule may match the user's text or the speech in the audio.
        request.prompt.user_text = format!("{} {}", request.prompt.user_text, transcript.text).trim().to_owned();
    }
    let completion = complete(context, &request.prompt).await?;
    Ok(completion_reply(context, model, &request, &completion, mode))
}

/// Transcribes all audio parts of the request into one transcript.
async fn transcribe_all(context: &RequestContext, request: &mut GenerateRequest) -> Result<Transcript, ErrorReply> {
    let mut transcript = Transcript::default();
    for bytes in &request.audio {
        let pcm = received_audio(context, bytes).await.map_err(|error| context.error(&ErrorCause::from(&error)))?;
        let next = transcribe(context, &pcm).await.map_err(|error| context.error(&ErrorCause::from(&error)))?;
        transcript.seconds += next.seconds;
        transcript.text = format!("{} {}", transcript.text, next.text).trim().to_owned();
    }
    request.prompt.prompt_tokens += (transcript.seconds * AUDIO_TOKENS) as u64;
    Ok(transcript)
}

fn blocked(context: &RequestContext, model: &GeminiModel, mode: ResponseMode) -> HttpReply {
    let mut response = base_response(context, model);
    let rating = json!({"category": "HARM_CATEGORY_SEXUALLY_EXPLICIT", "probability": "HIGH", "blocked": true});
    response["promptFeedback"] = json!({"blockReason": "SAFETY", "safetyRatings": [rating]});
    response["usageMetadata"] = json!({"promptTokenCount": 12, "totalTokenCount": 12});
    match mode {
        ResponseMode::Single => HttpReply::json(Duration::ZERO, &response),
        _ => stream_reply(mode, vec![(FrameKind::Finish, Duration::ZERO, response)]),
    }
}

fn usage(request: &GenerateRequest, prompt: u64, output: u64, thought: u64) -> Value {
    let audio = request.prompt.prompt_tokens.saturating_sub(request.text_tokens + request.image_tokens);
    let by_modality = [("TEXT", request.text_tokens), ("IMAGE", request.image_tokens), ("AUDIO", audio)];
    let details: Vec<Value> = by_modality
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(modality, count)| json!({"modality": modality, "tokenCount": count}))
        .collect();
    let mut usage = json!({
        "promptTokenCount": prompt,
        "candidatesTokenCount": output,
        "totalTokenCount": prompt + output + thought,
        "promptTokensDetails": details,
        "serviceTier": "standard",
    });
    if thought > 0 {
        usage["thoughtsTokenCount"] = Value::from(thought);
    }
    usage
}

fn finish(completion: &Completion) -> &str {
    match &completion.finish {
        FinishReason::Stop | FinishReason::ToolCalls => "STOP",
        FinishReason::Length => "MAX_TOKENS",
        FinishReason::ContentFilter => "SAFETY",
        FinishReason::Other(reason) => reason,
    }
}

fn completion_reply(
    context: &RequestContext,
    model: &GeminiModel,
    request: &GenerateRequest,
    completion: &Completion,
    mode: ResponseMode,
) -> HttpReply {
    let used = completion.usage;
    let mut parts: Vec<Value> = Vec::new();
    if request.include_thoughts {
        parts.extend(completion.reasoning.iter().map(|thought| json!({"text": thought, "thought": true})));
    }
    let calls = completion.tool_calls.iter().enumerate().map(|(at, tool)| {
        let id = format!("call_{}x{at}", context.record.id());
        let mut part = json!({"functionCall": {"name": tool.name, "args": tool.arguments, "id": id}});
        // Of parallel calls only the first has a signature.
        if at == 0 {
            part["thoughtSignature"] = Value::from(SIGNATURE);
        }
        part
    });
    let all = usage(request, used.prompt, used.completion, used.reasoning);
    if mode == ResponseMode::Single {
        if !completion.text_chunks.is_empty() {
            parts.push(json!({"text": completion.text()}));
        }
        parts.extend(calls);
        let content = content(parts, completion);
        let body = candidate_response(context, model, content, Some(finish(completion)), all);
        return HttpReply::json(completion.last_chunk_due(), &body);
    }
    parts.extend(completion.text_chunks.iter().map(|chunk| json!({"text": chunk})));
    parts.extend(calls);
    let mut responses = Vec::new();
    for (n, part) in parts.into_iter().enumerate() {
        let so_far = usage(request, used.prompt, (n as u64 + 1).min(used.completion), used.reasoning);
        let content = json!({"parts": [part], "role": "model"});
        responses.push((
            FrameKind::Content,
            completion.chunk_due(n),
            candidate_response(context, model, content, None, so_far),
        ));
    }
    let last = if responses.is_empty() || completion.finish == FinishReason::ContentFilter {
        content(Vec::new(), completion)
    } else {
        json!({"parts": [{"text": "", "thoughtSignature": SIGNATURE}], "role": "model"})
    };
    let end = responses.last().map_or(completion.chunk_due(0), |chunk| chunk.1);
    responses.push((FrameKind::Finish, end, candidate_response(context, model, last, Some(finish(completion)), all)));
    stream_reply(mode, responses)
}

/// The content of a response. Without parts, `parts` is absent; in a filtered response, `role` is absent too.
fn content(parts: Vec<Value>, completion: &Completion) -> Value {
    if !parts.is_empty() {
        return json!({"parts": parts, "role": "model"});
    }
    if completion.finish == FinishReason::ContentFilter { json!({}) } else { json!({"role": "model"}) }
}

fn transcript_reply(
    context: &RequestContext,
    model: &GeminiModel,
    request: &GenerateRequest,
    transcript: &Transcript,
    mode: ResponseMode,
) -> HttpReply {
    let mut part = json!({"text": transcript.text});
    if request.word_times {
        let words: Vec<&str> = transcript.text.split_whitespace().collect();
        let step = transcript.seconds / words.len().max(1) as f64;
        let time = |n: usize| format!("{:.3}s", step * n as f64);
        let words = words.iter().enumerate();
        let words: Vec<Value> =
            words.map(|(n, word)| json!({"word": word, "startOffset": time(n), "endOffset": time(n + 1)})).collect();
        part["audioTranscription"] = json!({"text": transcript.text, "languageCode": "en-US", "words": words});
    }
    let used = usage(request, request.prompt.prompt_tokens, estimate_tokens(&transcript.text), 0);
    let empty = matches!(context.fault(), Some(FaultKind::EmptyAnswer { .. }));
    let parts = if empty { json!({"role": "model"}) } else { json!({"parts": [part], "role": "model"}) };
    let body = candidate_response(context, model, parts, Some("STOP"), used);
    match mode {
        ResponseMode::Single => HttpReply::json(transcript_due(context), &body),
        _ => stream_reply(mode, vec![(FrameKind::Content, transcript_due(context), body)]),
    }
}
