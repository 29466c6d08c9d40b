//! Reads Gemini's model list.

use serde_json::Value;

use crate::catalog::Catalog;
use crate::types::{ListedModel, Service};

/// The usable models of one page, and the token of the next page.
pub(crate) fn page(catalog: &Catalog, value: &Value) -> (Vec<ListedModel>, Option<String>) {
    let models = value["models"].as_array().into_iter().flatten().filter_map(|value| model(catalog, value)).collect();
    let next = value["nextPageToken"].as_str().filter(|token| !token.is_empty()).map(str::to_owned);
    (models, next)
}

fn model(catalog: &Catalog, value: &Value) -> Option<ListedModel> {
    let name = value["name"].as_str()?;
    let id = name.strip_prefix("models/").unwrap_or(name).to_owned();
    let methods = value["supportedGenerationMethods"].as_array();
    if methods
        .is_some_and(|methods| methods.iter().all(|method| method != "generateContent" && method != "embedContent"))
    {
        return None; // models with a WebSocket API only
    }
    // The list does not mention images and audio, so the services follow from the name.
    let services: Vec<Service> = catalog.services("gemini", &id);
    let number = |name: &str| value[name].as_u64().and_then(|number| u32::try_from(number).ok());
    (!services.is_empty()).then(|| ListedModel {
        id,
        services,
        context: number("inputTokenLimit"),
        max_output: number("outputTokenLimit"),
        ..ListedModel::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::recorded;

    #[test]
    fn recorded_pages_are_read() {
        let (models, next) = page(&Catalog::embedded(), &recorded::json("gemini_models.json"));
        let found: Vec<(&str, usize)> = models.iter().map(|model| (model.id.as_str(), model.services.len())).collect();
        assert_eq!(
            found,
            [
                ("gemini-3.5-flash-lite", 3),
                ("gemini-3.8-flash", 3),
                ("gemini-3.8-flash-lite-tts", 1),
                ("gemini-3.5-transcribe", 1),
                ("gemini-embedding-001", 1)
            ]
        );
        assert_eq!((models[0].context, models[0].max_output), (Some(1_048_576), Some(65_536)));
        assert_eq!(next.as_deref(), Some("cGFnZS0y"));
        assert_eq!(page(&Catalog::embedded(), &recorded::json("gemini_models_page2.json")), (vec![], None));
        assert_eq!(page(&Catalog::embedded(), &serde_json::json!({})), (vec![], None));
    }
}
