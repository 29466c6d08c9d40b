//! How much a model thinks: the catalog's word for it, or the caller's, in the terms that the model takes.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use crate::providers::Effort;

/// Tokens of thought that stand for an effort where a model counts them: what Google's own OpenAI facade makes of the words.
const BUDGETS: [(Effort, u32); 3] = [(Effort::Low, 1_024), (Effort::Medium, 8_192), (Effort::High, 24_576)];

/// The parameters of a request: the catalog's, with the caller's effort in the place of the catalog's. `efforts` are those that the
/// model takes; one that it does not take becomes the nearest that it does. Where nothing is known of them, `unknown` decides
/// whether the caller's word is sent as it is.
pub(in crate::providers) fn params<'a>(
    base: Option<&'a Map<String, Value>>,
    wish: Option<Effort>,
    efforts: &[Effort],
    unknown: bool,
) -> Option<Cow<'a, Map<String, Value>>> {
    let kept = || base.map(Cow::Borrowed);
    let Some(wish) = wish else { return kept() };
    let budget = base.is_some_and(|base| base.get("thinkingConfig").is_some_and(|it| !it["thinkingBudget"].is_null()));
    if budget {
        return Some(Cow::Owned(with_budget(base.cloned().unwrap_or_default(), wish)));
    }
    let effort = match nearest(efforts, wish) {
        Some(effort) => effort,
        None if unknown => wish,
        None => return kept(),
    };
    let mut params = base.cloned().unwrap_or_default();
    match params.get_mut("thinkingConfig") {
        Some(config) => config["thinkingLevel"] = json!(effort.as_str()),
        None => drop(params.insert("reasoning_effort".into(), json!(effort.as_str()))),
    }
    Some(Cow::Owned(params))
}

/// The models that count their thoughts may be told how many. The catalog's own number is the least that they take.
fn with_budget(mut params: Map<String, Value>, wish: Effort) -> Map<String, Value> {
    let tokens = BUDGETS.iter().find(|(effort, _)| *effort == wish).map(|(_, tokens)| *tokens);
    if let (Some(tokens), Some(config)) = (tokens, params.get_mut("thinkingConfig")) {
        config["thinkingBudget"] = json!(tokens);
    }
    params
}

/// The effort of a list that is closest to a wish; of two that are equally close the smaller one, which answers sooner.
fn nearest(efforts: &[Effort], wish: Effort) -> Option<Effort> {
    efforts.iter().copied().min_by_key(|effort| (*effort as i8 - wish as i8).abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(base: Value, wish: Option<Effort>, efforts: &[Effort], unknown: bool) -> Value {
        params(base.as_object(), wish, efforts, unknown).map_or(Value::Null, |params| json!(params.as_ref()))
    }

    #[test]
    fn the_callers_word_becomes_one_that_the_model_takes() {
        use Effort::*;
        let gpt = json!({ "reasoning_effort": "low", "include_reasoning": false });
        assert_eq!(of(gpt.clone(), Option::None, &[Low, Medium, High], false), gpt);
        assert_eq!(of(gpt.clone(), Some(High), &[Low, Medium, High], false)["reasoning_effort"], "high");
        assert_eq!(of(gpt, Some(None), &[Low, Medium, High], false)["reasoning_effort"], "low", "it refuses `none`");
        let gemini = json!({ "thinkingConfig": { "thinkingLevel": "low", "includeThoughts": false } });
        let told = of(gemini, Some(Minimal), &[Low, Medium, High], false);
        assert_eq!(told["thinkingConfig"], json!({ "thinkingLevel": "low", "includeThoughts": false }));
    }

    #[test]
    fn models_that_count_their_thoughts_are_told_a_number() {
        let counted = json!({ "thinkingConfig": { "thinkingBudget": 128 } });
        let budget = |wish| of(counted.clone(), Some(wish), &[], false)["thinkingConfig"]["thinkingBudget"].clone();
        assert_eq!(budget(Effort::Medium), 8_192);
        assert_eq!(budget(Effort::None), 128, "the least that it takes");
    }

    #[test]
    fn nothing_is_sent_to_who_may_not_know_it() {
        assert_eq!(of(Value::Null, Some(Effort::High), &[], false), Value::Null);
        assert_eq!(of(Value::Null, Some(Effort::High), &[], true), json!({ "reasoning_effort": "high" }));
    }
}
