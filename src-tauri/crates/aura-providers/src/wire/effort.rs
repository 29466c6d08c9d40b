//! Reasoning effort: chooses the request parameters that a model accepts for the effort of the caller, or of the catalog.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use crate::types::ReasoningEffort;

/// The thinking budget for each effort, in tokens, for models that take a budget. Source: Google's OpenAI-compatible endpoint.
const BUDGETS: [(ReasoningEffort, u32); 3] =
    [(ReasoningEffort::Low, 1_024), (ReasoningEffort::Medium, 8_192), (ReasoningEffort::High, 24_576)];

/// The parameters of a request: those of the catalog, with `requested` in place of the catalog's effort. An effort that is not in
/// `efforts`, which the model accepts, becomes the nearest one that is. If `efforts` is empty, `send_unknown` says whether to send the
/// requested effort as it is.
pub(crate) fn params<'a>(
    base: Option<&'a Map<String, Value>>,
    requested: Option<ReasoningEffort>,
    efforts: &[ReasoningEffort],
    send_unknown: bool,
) -> Option<Cow<'a, Map<String, Value>>> {
    let unchanged = || base.map(Cow::Borrowed);
    let Some(requested) = requested else { return unchanged() };
    let budget =
        base.is_some_and(|base| base.get("thinkingConfig").is_some_and(|config| !config["thinkingBudget"].is_null()));
    if budget {
        return Some(Cow::Owned(with_budget(base.cloned().unwrap_or_default(), requested)));
    }
    let effort = match nearest(efforts, requested) {
        Some(effort) => effort,
        None if send_unknown => requested,
        None => return unchanged(),
    };
    let mut params = base.cloned().unwrap_or_default();
    match params.get_mut("thinkingConfig") {
        Some(config) => config["thinkingLevel"] = json!(effort.as_str()),
        None => drop(params.insert("reasoning_effort".into(), json!(effort.as_str()))),
    }
    Some(Cow::Owned(params))
}

/// Sets the thinking budget. The catalog's own budget is the smallest that the model accepts, so it stays for lower efforts.
fn with_budget(mut params: Map<String, Value>, requested: ReasoningEffort) -> Map<String, Value> {
    let tokens = BUDGETS.iter().find(|(effort, _)| *effort == requested).map(|(_, tokens)| *tokens);
    if let (Some(tokens), Some(config)) = (tokens, params.get_mut("thinkingConfig")) {
        config["thinkingBudget"] = json!(tokens);
    }
    params
}

/// The nearest effort in the list; of two equally near ones the first, which is lower and answers sooner.
fn nearest(efforts: &[ReasoningEffort], requested: ReasoningEffort) -> Option<ReasoningEffort> {
    efforts.iter().copied().min_by_key(|effort| (*effort as i8 - requested as i8).abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(base: Value, requested: Option<ReasoningEffort>, efforts: &[ReasoningEffort], unknown: bool) -> Value {
        params(base.as_object(), requested, efforts, unknown).map_or(Value::Null, |params| json!(params.as_ref()))
    }

    #[test]
    fn the_requested_effort_becomes_the_nearest_accepted_one() {
        use ReasoningEffort::*;
        let gpt = json!({ "reasoning_effort": "low", "include_reasoning": false });
        assert_eq!(of(gpt.clone(), Option::None, &[Low, Medium, High], false), gpt);
        assert_eq!(of(gpt.clone(), Some(High), &[Low, Medium, High], false)["reasoning_effort"], "high");
        assert_eq!(
            of(gpt, Some(None), &[Low, Medium, High], false)["reasoning_effort"],
            "low",
            "the model rejects `none`"
        );
        let gemini = json!({ "thinkingConfig": { "thinkingLevel": "low", "includeThoughts": false } });
        let accepted = of(gemini, Some(Minimal), &[Low, Medium, High], false);
        assert_eq!(accepted["thinkingConfig"], json!({ "thinkingLevel": "low", "includeThoughts": false }));
    }

    #[test]
    fn an_effort_becomes_a_budget_for_models_that_take_one() {
        let counted = json!({ "thinkingConfig": { "thinkingBudget": 128 } });
        let budget =
            |requested| of(counted.clone(), Some(requested), &[], false)["thinkingConfig"]["thinkingBudget"].clone();
        assert_eq!(budget(ReasoningEffort::Medium), 8_192);
        assert_eq!(budget(ReasoningEffort::None), 128, "the smallest budget that it accepts");
    }

    #[test]
    fn an_effort_is_sent_to_an_unknown_model_only_on_request() {
        assert_eq!(of(Value::Null, Some(ReasoningEffort::High), &[], false), Value::Null);
        assert_eq!(of(Value::Null, Some(ReasoningEffort::High), &[], true), json!({ "reasoning_effort": "high" }));
    }
}
