//! Parser and checks for generateContent requests.

use bytes::Bytes;
use serde_json::Value;

use super::models::{GeminiModel, GeminiModelKind};
use crate::completion::{Prompt, ToolDefinition};
use crate::data_url::decode_base64;
use crate::ids::Service;
use crate::text::estimate_tokens;

/// Prompt tokens for one image.
const IMAGE_TOKENS: u64 = 1_064;

/// A parsed generateContent request. The checks for its model have not run yet.
#[derive(Debug, Default)]
pub(super) struct GenerateRequest {
    pub(super) prompt: Prompt,
    /// Encoded images, in order.
    pub(super) images: Vec<Bytes>,
    /// Encoded recordings, in order.
    pub(super) audio: Vec<Bytes>,
    /// Estimated prompt tokens of the text.
    pub(super) text_tokens: u64,
    /// Estimated prompt tokens of the images.
    pub(super) image_tokens: u64,
    pub(super) include_thoughts: bool,
    /// Whether a transcript needs word timestamps.
    pub(super) word_times: bool,
}

impl GenerateRequest {
    /// The service that the request is for. Audio without text, or with a text about transcription, is speech to text.
    pub(super) fn service(&self, id: &str) -> Service {
        let asked = self.prompt.user_text.to_lowercase();
        if id.contains("-tts") {
            Service::Tts
        } else if !self.audio.is_empty()
            && (id.contains("transcribe") || asked.contains("transcri") || asked.is_empty())
        {
            Service::Stt
        } else if !self.images.is_empty() {
            Service::Vlm
        } else {
            Service::Llm
        }
    }
}

/// Parses a body in camel case. `Err` is the text of Gemini's invalid-request error.
pub(super) fn parse(body: &Value) -> Result<GenerateRequest, String> {
    let contents = body["contents"].as_array().filter(|contents| !contents.is_empty());
    let contents = contents.ok_or("* GenerateContentRequest.contents: contents is not specified")?;
    let mut request = GenerateRequest::default();
    for (index, content) in contents.iter().enumerate() {
        read_content(&mut request, index, content)?;
    }
    for part in body["systemInstruction"]["parts"].as_array().into_iter().flatten() {
        request.text_tokens += estimate_tokens(part["text"].as_str().unwrap_or_default());
    }
    let config = &body["generationConfig"];
    request.include_thoughts = config["thinkingConfig"]["includeThoughts"].as_bool().unwrap_or(false);
    request.word_times = config["audioTranscriptionConfig"]["wordTimestamp"].as_bool().unwrap_or(false);
    let prompt = &mut request.prompt;
    prompt.max_tokens = config["maxOutputTokens"].as_u64();
    let stops = config["stopSequences"].as_array().into_iter().flatten();
    prompt.stop = stops.filter_map(|stop| stop.as_str().map(str::to_owned)).collect();
    prompt.wants_json = config["responseMimeType"] == "application/json";
    prompt.wants_reasoning =
        config["thinkingConfig"]["thinkingBudget"] != 0 && !level(config).eq_ignore_ascii_case("minimal");
    prompt.prompt_tokens = request.text_tokens + request.image_tokens;
    read_tools(prompt, body);
    Ok(request)
}

fn read_content(request: &mut GenerateRequest, index: usize, content: &Value) -> Result<(), String> {
    let role = content["role"].as_str().unwrap_or("user");
    if !matches!(role, "user" | "model") {
        return Err("Please use a valid role: user, model.".to_owned());
    }
    let parts = content["parts"].as_array().filter(|parts| !parts.is_empty());
    let parts =
        parts.ok_or(format!("* GenerateContentRequest.contents[{index}].parts: contents.parts must not be empty."))?;
    let mut text = String::new();
    for part in parts {
        text.push_str(part["text"].as_str().unwrap_or_default());
        request.prompt.called.extend(part["functionCall"]["name"].as_str().map(str::to_owned));
        let data = &part["inlineData"];
        if data.is_null() {
            continue;
        }
        let bytes = data["data"].as_str().and_then(decode_base64);
        let bytes =
            bytes.ok_or(format!("Invalid value at 'contents[{index}].parts' (TYPE_BYTES), Base64 decoding failed"))?;
        let mime = data["mimeType"].as_str().unwrap_or_default().to_lowercase();
        match mime.split('/').next() {
            Some("image") => {
                request.image_tokens += IMAGE_TOKENS;
                request.images.push(bytes);
            }
            Some("audio") if mime != "audio/webm" => request.audio.push(bytes),
            _ => return Err(format!("Unsupported MIME type: {mime}")),
        }
    }
    request.text_tokens += estimate_tokens(&text);
    request.prompt.ends_with_assistant = role == "model";
    // A function result has the role `user`, but is not the user's message.
    if role == "user" && parts.iter().any(|part| part["functionResponse"].is_null()) {
        request.prompt.user_text = text;
        request.prompt.called.clear();
    }
    Ok(())
}

fn read_tools(prompt: &mut Prompt, body: &Value) {
    for tool in body["tools"].as_array().into_iter().flatten() {
        for function in tool["functionDeclarations"].as_array().into_iter().flatten() {
            let schema = [&function["parameters"], &function["parametersJsonSchema"]];
            prompt.tools.push(ToolDefinition {
                name: function["name"].as_str().unwrap_or_default().to_owned(),
                parameters: schema.into_iter().find(|schema| !schema.is_null()).cloned().unwrap_or_default(),
            });
        }
    }
    let calling = &body["toolConfig"]["functionCallingConfig"];
    if calling["mode"] == "NONE" {
        prompt.tools.clear();
    }
    if calling["mode"] == "ANY" {
        prompt.required_tool = Some(calling["allowedFunctionNames"][0].as_str().unwrap_or_default().to_owned());
    }
}

fn level(config: &Value) -> &str {
    config["thinkingConfig"]["thinkingLevel"].as_str().unwrap_or_default()
}

/// Checks that the model supports the thinking level. `Err` is Gemini's message.
pub(super) fn check_thinking(model: &GeminiModel, config: &Value) -> Result<(), String> {
    let level = level(config);
    if level.is_empty() {
        return Ok(());
    }
    if !config["thinkingConfig"]["thinkingBudget"].is_null() {
        return Err("You can only set only one of thinking budget and thinking level.".to_owned());
    }
    let lower = level.to_lowercase();
    if !matches!(lower.as_str(), "minimal" | "low" | "medium" | "high" | "xhigh") {
        return Err(format!("Invalid value at 'generation_config.thinking_config.thinking_level', \"{level}\""));
    }
    if model.levels.is_empty() {
        return Err("Thinking level is not supported for this model.".to_owned());
    }
    if !model.levels.contains(&lower) {
        let level = level.to_uppercase();
        return Err(format!(
            "Thinking level {level} is not supported for this model. Please retry with other thinking level."
        ));
    }
    Ok(())
}

/// Checks that each function call in the history has a signature, which models with thinking levels require, and a
/// result. `Err` is Gemini's message.
pub(super) fn check_calls(model: &GeminiModel, body: &Value) -> Result<(), String> {
    let contents = body["contents"].as_array().map(Vec::as_slice).unwrap_or_default();
    let parts = |content: &Value, name: &str| -> Vec<Value> {
        content["parts"].as_array().into_iter().flatten().filter(|part| part[name].is_object()).cloned().collect()
    };
    for (index, content) in contents.iter().enumerate() {
        let calls = parts(content, "functionCall");
        let Some(first) = calls.first() else { continue };
        if !model.levels.is_empty() && first["thoughtSignature"].as_str().is_none_or(str::is_empty) {
            return Err(
                "Function call is missing a thought_signature in functionCall parts. This is required for tools to \
                        work correctly."
                    .to_owned(),
            );
        }
        let results = contents.get(index + 1).map(|next| parts(next, "functionResponse")).unwrap_or_default();
        if results.len() != calls.len() {
            return Err(
                "Please ensure that the number of function response parts is equal to the number of function call \
                        parts of the function call turn."
                    .to_owned(),
            );
        }
    }
    Ok(())
}

/// Checks that the model supports the response modalities. `Err` is Gemini's message.
pub(super) fn check_modalities(model: &GeminiModel, config: &Value) -> Result<(), String> {
    let asked: Vec<&str> =
        config["responseModalities"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let only = if model.kind == GeminiModelKind::Tts { "AUDIO" } else { "TEXT" };
    // The default modality is text.
    let fits = if asked.is_empty() {
        only == "TEXT"
    } else {
        asked.iter().all(|modality| modality.eq_ignore_ascii_case(only))
    };
    if fits {
        return Ok(());
    }
    Err(format!(
        "The requested combination of response modalities is not supported by the model. models/{} accepts the \
         following combination of response modalities:\n* {only}\n",
        model.id
    ))
}
