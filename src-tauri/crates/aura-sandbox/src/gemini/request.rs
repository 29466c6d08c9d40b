//! A generateContent request, read but not yet judged.

use bytes::Bytes;
use serde_json::Value;

use super::models::{Kind, Model};
use crate::compose::{Question, Tool, tokens};
use crate::kinds::Service;
use crate::vision::base64;

/// What an image counts in tokens.
const IMAGE_TOKENS: u64 = 1_064;

/// A request, read but not yet judged.
#[derive(Debug, Default)]
pub(super) struct Generate {
    pub(super) question: Question,
    pub(super) images: Vec<Bytes>,
    pub(super) audio: Vec<Bytes>,
    /// Tokens by modality.
    pub(super) text_tokens: u64,
    pub(super) image_tokens: u64,
    pub(super) include_thoughts: bool,
    pub(super) word_times: bool,
}

impl Generate {
    /// What the request is for. Sound is transcribed when nothing else is asked about it.
    pub(super) fn service(&self, id: &str) -> Service {
        let asked = self.question.heard.to_lowercase();
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

/// Reads a body in camel case; `Err` is the caller's mistake, in words.
pub(super) fn read(body: &Value) -> Result<Generate, String> {
    let contents = body["contents"].as_array().filter(|contents| !contents.is_empty());
    let contents = contents.ok_or("* GenerateContentRequest.contents: contents is not specified")?;
    let mut request = Generate::default();
    for (index, content) in contents.iter().enumerate() {
        read_content(&mut request, index, content)?;
    }
    for part in body["systemInstruction"]["parts"].as_array().into_iter().flatten() {
        request.text_tokens += tokens(part["text"].as_str().unwrap_or_default());
    }
    let config = &body["generationConfig"];
    request.include_thoughts = config["thinkingConfig"]["includeThoughts"].as_bool().unwrap_or(false);
    request.word_times = config["audioTranscriptionConfig"]["wordTimestamp"].as_bool().unwrap_or(false);
    let question = &mut request.question;
    question.max_tokens = config["maxOutputTokens"].as_u64();
    let stops = config["stopSequences"].as_array().into_iter().flatten();
    question.stop = stops.filter_map(|stop| stop.as_str().map(str::to_owned)).collect();
    question.json = config["responseMimeType"] == "application/json";
    question.reasoning =
        config["thinkingConfig"]["thinkingBudget"] != 0 && !level(config).eq_ignore_ascii_case("minimal");
    question.prompt_tokens = request.text_tokens + request.image_tokens;
    read_tools(question, body);
    Ok(request)
}

fn read_content(request: &mut Generate, index: usize, content: &Value) -> Result<(), String> {
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
        let data = &part["inlineData"];
        if data.is_null() {
            continue;
        }
        let bytes = data["data"].as_str().and_then(base64);
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
    request.text_tokens += tokens(&text);
    request.question.prefilled = role == "model";
    // A function's result is a turn of the user's, but nothing the user said.
    if role == "user" && parts.iter().any(|part| part["functionResponse"].is_null()) {
        request.question.heard = text;
    }
    Ok(())
}

fn read_tools(question: &mut Question, body: &Value) {
    for tool in body["tools"].as_array().into_iter().flatten() {
        for function in tool["functionDeclarations"].as_array().into_iter().flatten() {
            let schema = [&function["parameters"], &function["parametersJsonSchema"]];
            question.tools.push(Tool {
                name: function["name"].as_str().unwrap_or_default().to_owned(),
                parameters: schema.into_iter().find(|schema| !schema.is_null()).cloned().unwrap_or_default(),
            });
        }
    }
    let calling = &body["toolConfig"]["functionCallingConfig"];
    if calling["mode"] == "ANY" {
        question.must_call = Some(calling["allowedFunctionNames"][0].as_str().unwrap_or_default().to_owned());
    }
}

fn level(config: &Value) -> &str {
    config["thinkingConfig"]["thinkingLevel"].as_str().unwrap_or_default()
}

/// Whether the model thinks as it is told to; `Err` is Gemini's message.
pub(super) fn check_thinking(model: &Model, config: &Value) -> Result<(), String> {
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

/// Whether every call that is sent back is signed, as models with levels of thinking want it, and has its result; `Err` is
/// Gemini's message.
pub(super) fn check_calls(model: &Model, body: &Value) -> Result<(), String> {
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

/// Whether the model answers in the modalities asked for; `Err` is Gemini's message.
pub(super) fn check_modalities(model: &Model, config: &Value) -> Result<(), String> {
    let asked: Vec<&str> =
        config["responseModalities"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let only = if model.kind == Kind::Tts { "AUDIO" } else { "TEXT" };
    // What is not asked for is text.
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
