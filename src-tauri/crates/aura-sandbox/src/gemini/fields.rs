//! Field names of generateContent: camel case and snake case are accepted, unknown fields rejected.

use serde_json::{Map, Value};

use super::errors;
use crate::error_reply::ErrorReply;

const TOP: &[&str] = &[
    "model",
    "contents",
    "systemInstruction",
    "generationConfig",
    "safetySettings",
    "tools",
    "toolConfig",
    "cachedContent",
    "serviceTier",
    "store",
    "labels",
    "continuationToken",
];

const GENERATION: &[&str] = &[
    "maxOutputTokens",
    "stopSequences",
    "temperature",
    "topP",
    "topK",
    "candidateCount",
    "seed",
    "responseMimeType",
    "responseSchema",
    "responseJsonSchema",
    "responseFormat",
    "responseModalities",
    "mediaResolution",
    "speechConfig",
    "thinkingConfig",
    "audioTranscriptionConfig",
    "presencePenalty",
    "frequencyPenalty",
    "responseLogprobs",
    "logprobs",
    "enableEnhancedCivicAnswers",
    "translationConfig",
    "imageConfig",
];

const THINKING: &[&str] = &["thinkingLevel", "thinkingBudget", "includeThoughts"];

const TRANSCRIPTION: &[&str] = &[
    "languageCodes",
    "languageAuto",
    "languageHints",
    "customVocabulary",
    "adaptationPhrases",
    "wordTimestamp",
    "diarization",
    "mode",
    "sourceText",
];

const SPEECH: &[&str] = &["voiceConfig", "languageCode", "multiSpeakerVoiceConfig"];

const PART: &[&str] = &[
    "text",
    "inlineData",
    "fileData",
    "functionCall",
    "functionResponse",
    "executableCode",
    "codeExecutionResult",
    "thought",
    "thoughtSignature",
    "mediaResolution",
    "videoMetadata",
    "audioMetadata",
    "speechMetadata",
    "audioTranscription",
    "partMetadata",
    "toolCall",
    "toolResponse",
    "mediaProcessing",
];

/// Fields whose content has names chosen by the user. These names are kept.
const USER_NAMED: &[&str] = &[
    "args",
    "response",
    "parameters",
    "parametersJsonSchema",
    "responseSchema",
    "responseJsonSchema",
    "labels",
    "partMetadata",
];

/// A copy of `value` with every API field in lowerCamelCase.
pub(super) fn to_camel_case(value: &Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.iter().map(to_camel_case).collect()),
        Value::Object(fields) => {
            let mut out = Map::new();
            for (name, field) in fields {
                let name = camel_name(name);
                let field = if USER_NAMED.contains(&name.as_str()) { field.clone() } else { to_camel_case(field) };
                out.insert(name, field);
            }
            Value::Object(out)
        }
        other => other.clone(),
    }
}

fn camel_name(name: &str) -> String {
    let mut words = name.split('_');
    let mut out = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        out.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        out.push_str(letters.as_str());
    }
    out
}

/// Rejects unknown fields. `body` is in camel case.
pub(super) fn reject_unknown(body: &Value) -> Result<(), ErrorReply> {
    check_names(body, TOP, "")?;
    let config = &body["generationConfig"];
    check_names(config, GENERATION, "generation_config")?;
    check_names(&config["thinkingConfig"], THINKING, "generation_config.thinking_config")?;
    check_names(&config["speechConfig"], SPEECH, "generation_config.speech_config")?;
    check_names(&config["audioTranscriptionConfig"], TRANSCRIPTION, "generation_config.audio_transcription_config")?;
    for (content, parts) in
        body["contents"].as_array().into_iter().flatten().map(|content| &content["parts"]).enumerate()
    {
        for (at, part) in parts.as_array().into_iter().flatten().enumerate() {
            check_names(part, PART, &format!("contents[{content}].parts[{at}]"))?;
        }
    }
    Ok(())
}

fn check_names(object: &Value, names: &[&str], path: &str) -> Result<(), ErrorReply> {
    let unknown = object.as_object().and_then(|fields| fields.keys().find(|name| !names.contains(&name.as_str())));
    unknown.map_or(Ok(()), |name| Err(errors::unknown_field(name, path)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_spellings_are_accepted_and_names_chosen_by_the_user_are_kept() {
        let body = to_camel_case(&json!({
            "generation_config": {"max_output_tokens": 4},
            "contents": [{"parts": [{"function_call": {"name": "f", "args": {"my_name": 1}}}]}],
        }));
        assert_eq!(body["generationConfig"]["maxOutputTokens"], 4);
        assert_eq!(body["contents"][0]["parts"][0]["functionCall"]["args"]["my_name"], 1);
        assert!(reject_unknown(&body).is_ok());
        assert!(reject_unknown(&json!({"contents": [], "colour": 1})).is_err());
        assert!(reject_unknown(&json!({"generationConfig": {"audioTranscriptionConfig": {"colour": 1}}})).is_err());
    }
}
