//! Chooses the model of a server on this computer by what it is: its size, and what it was trained for.

use crate::types::{ListedModel, Service, parameter_count};

/// Sizes from here on answer well, in parameters.
const GOOD: u64 = 3_000_000_000;
/// Sizes from here on are slow on most computers.
const LARGE: u64 = 16_000_000_000;
/// The size to expect when neither the list nor the name says one: models without a size in their name are usually of this kind.
const UNKNOWN: u64 = 4_000_000_000;
/// Parts of the names of models that were trained for something other than a conversation.
const SPECIAL: &[&str] =
    &["code", "coder", "math", "ocr", "sql", "translate", "translategemma", "medgemma", "uncensored", "draft", "embed"];
/// Parts of the names of models that only continue a text.
const UNTRAINED: &[&str] = &["base", "pt", "pretrain", "pretrained", "text"];
/// Parts of the names of models that reason at length before they answer.
const REASONING: &[&str] = &["r1", "thinking", "reasoning", "reasoner", "qwq", "think"];

/// The best model for a service; `None` when no model provides it.
pub(super) fn best(models: &[ListedModel], service: Service) -> Option<&ListedModel> {
    let suitable = models.iter().filter(|model| model.services.contains(&service) && is_local(model));
    // The first one of the best, so that the server's own order decides between equals.
    suitable.rev().max_by_key(|model| rank(model))
}

/// Whether the model runs on this computer. Ollama lists models that it runs in its cloud, too.
pub(super) fn is_local(model: &ListedModel) -> bool {
    !parts(&model.id).any(|part| part == "cloud")
}

/// How good a model is for a spoken answer: by its class of size, what it was trained for, and its size.
fn rank(model: &ListedModel) -> (u8, u8, u64) {
    let has = |kind: &[&str]| parts(&model.id).any(|part| kind.contains(&part.as_str()));
    let training = match () {
        () if has(UNTRAINED) => 0,
        () if has(SPECIAL) => 1,
        () if has(REASONING) => 2,
        () => 3,
    };
    let parameters = model.parameters.or_else(|| size_in_name(&model.id)).unwrap_or(UNKNOWN);
    match parameters {
        GOOD..LARGE => (2, training, parameters),
        LARGE.. => (1, training, u64::MAX - parameters),
        _ => (0, training, parameters),
    }
}

/// The parts of a name, in lower case.
fn parts(id: &str) -> impl Iterator<Item = String> + '_ {
    id.split(|letter: char| !letter.is_alphanumeric() && letter != '.').map(str::to_lowercase)
}

/// The number of parameters in a name: 8 billion in `qwen3-vl:8b`, 135 million in `SmolLM2-135M-Instruct`.
fn size_in_name(id: &str) -> Option<u64> {
    parts(id).find_map(|part| parameter_count(&part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best_of(ids: &[&str]) -> String {
        let models: Vec<ListedModel> = ids
            .iter()
            .map(|id| ListedModel { id: (*id).into(), services: vec![Service::Llm], ..ListedModel::default() })
            .collect();
        best(&models, Service::Llm).map(|model| model.id.clone()).unwrap_or_default()
    }

    #[test]
    fn the_model_is_chosen_by_what_it_is() {
        for (ids, expected) in [
            // By size, but not one that is too large for most computers.
            (&["smollm2:135m", "llama3.2:1b", "qwen3:8b", "llama3.2:3b"][..], "qwen3:8b"),
            (&["llama3.3:70b", "qwen3:4b"], "qwen3:4b"),
            (&["llama3.3:70b", "qwen3:0.6b"], "llama3.3:70b"),
            (&["llama3.3:70b", "gemma3:27b"], "gemma3:27b"),
            (&["smollm2:135m", "llama3.2:latest"], "llama3.2:latest"),
            // By what it was trained for.
            (&["qwen2.5-coder:7b", "llama3.2:3b"], "llama3.2:3b"),
            (&["deepseek-r1:8b", "llama3.1:8b-instruct-q4_K_M"], "llama3.1:8b-instruct-q4_K_M"),
            (&["llama3.1:8b-text-q4_0", "gemma3:4b"], "gemma3:4b"),
            (&["qwen2.5-coder:7b", "smollm2:135m"], "qwen2.5-coder:7b"),
            // Never one that sends the question over the network.
            (&["gpt-oss:120b-cloud", "kimi-k2:cloud", "llama3.2:1b"], "llama3.2:1b"),
            (&["gpt-oss:120b-cloud"], ""),
            // The server's order, between equals.
            (&["mistral:7b", "qwen2.5:7b"], "mistral:7b"),
        ] {
            assert_eq!(best_of(ids), expected, "{ids:?}");
        }
    }

    #[test]
    fn sizes_are_read() {
        for (text, expected) in [("8.8B", Some(8_800_000_000)), ("135M", Some(135_000_000)), ("q4", None), ("b", None)]
        {
            assert_eq!(parameter_count(text), expected, "{text}");
        }
        assert_eq!(size_in_name("Qwen/Qwen3-VL-8B-Instruct"), Some(8_000_000_000));
        assert_eq!(size_in_name("llama3.2:latest"), None);
    }
}
