//! Which models a plan names, by the catalog and the providers' own lists.

use std::collections::BTreeMap;

use aura_providers::{HttpTimeouts, NoLocalModels, NoPrograms};
use serde::Deserialize;
use serde_json::{Value, json};

use super::*;
use crate::model_lists::{ModelList, ModelLists};
use crate::settings::{ProviderSettings, Routes};

/// The parts of the settings that these tests give as JSON.
#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct Fragment {
    routes: Routes,
    providers: BTreeMap<String, ProviderSettings>,
}

fn settings(fragment: Value) -> RoutingSettings {
    let Fragment { routes, providers } = serde_json::from_value(fragment).unwrap();
    RoutingSettings { routes, providers, ..RoutingSettings::default() }
}

/// The address of each provider in these tests.
fn address(provider: &str) -> String {
    match provider {
        "groq" => "https://groq.example/".into(),
        "gemini" => "https://gemini.example/".into(),
        own => format!("http://127.0.0.1:9/{own}/"),
    }
}

/// The routing table for these settings and model lists, with API keys for Groq and Gemini.
fn table(fragment: Value, lists: &ModelLists) -> RoutingTable {
    let environment = Environment {
        catalog: Catalog::embedded(),
        programs: Arc::new(NoPrograms),
        local_models: Arc::new(NoLocalModels),
        variables: [("GROQ_BASE_URL", "groq"), ("GEMINI_BASE_URL", "gemini")]
            .map(|(variable, provider)| (variable.to_owned(), address(provider)))
            .into(),
        builtin_only: false,
    };
    let keys: ApiKeys = [("groq", "k"), ("gemini", "k")].into_iter().collect();
    let http = HttpPools::new(HttpTimeouts::default()).unwrap();
    RoutingTable::build(&environment, &Inputs::new(settings(fragment), keys), &http, lists.known(), None)
}

/// A provider's list of models for one service.
fn listed(provider: &str, service: Service, models: &[&str]) -> (String, ModelList) {
    let model = |id: &&str| ListedModel { id: (*id).to_owned(), services: vec![service], ..ListedModel::default() };
    let list = ModelList {
        address: address(provider),
        requested_at: jiff::Timestamp::now(),
        models: models.iter().map(model).collect(),
    };
    (provider.to_owned(), list)
}

/// The first model of a plan, and the kinds of the plan's notices.
fn first(table: &RoutingTable, service: Service) -> (String, Vec<RouteNoticeKind>) {
    let plan = table.plan(service, &RouteOverrides::default()).unwrap();
    (plan.candidates[0].route.model.clone(), plan.notices.into_iter().map(|notice| notice.kind).collect())
}

#[test]
fn a_retired_model_that_is_still_listed_is_used() {
    let settings = json!({"routes": {"llm": {"provider": "groq", "model": "llama-3.3-70b-versatile"}}});
    let lists = ModelLists::open(None);
    let replaced = ("openai/gpt-oss-120b".to_owned(), vec![RouteNoticeKind::ModelReplaced]);
    assert_eq!(first(&table(settings.clone(), &lists), Service::Llm), replaced, "the provider lists no models");
    lists.update(vec![listed("groq", Service::Llm, &["llama-3.3-70b-versatile", "openai/gpt-oss-120b"])]);
    let kept = ("llama-3.3-70b-versatile".to_owned(), vec![]);
    assert_eq!(first(&table(settings.clone(), &lists), Service::Llm), kept, "this account still has it");
    lists.mark_missing("groq", "llama-3.3-70b-versatile", None);
    assert_eq!(first(&table(settings, &lists), Service::Llm), replaced, "it is listed, but the provider refused it");
}

#[test]
fn a_missing_model_of_an_added_server_is_replaced_by_a_listed_one() {
    let settings = json!({
        "providers": {"desk": {"preset": "ollama", "base_url": address("desk"), "may_receive": {"text": true}}},
        "routes": {"llm": {"provider": "desk", "model": "llama3"}},
    });
    let lists = ModelLists::open(None);
    lists.update(vec![listed("desk", Service::Llm, &["qwen3:8b", "gemma3:4b"])]);
    assert_eq!(first(&table(settings.clone(), &lists), Service::Llm).0, "llama3");
    lists.mark_missing("desk", "llama3", None);
    let table = table(settings, &lists);
    assert_eq!(
        first(&table, Service::Llm),
        ("qwen3:8b".into(), vec![RouteNoticeKind::ModelGone]),
        "the missing model is not called again"
    );
    assert_eq!(table.substitute("desk", Service::Llm, "qwen3:8b").as_deref(), Some("gemma3:4b"));
    assert_eq!(table.substitute("desk", Service::Tts, "llama3"), None);
}

#[test]
fn a_missing_speech_model_is_only_replaced_by_one_for_the_same_language() {
    let (english, arabic) = ("canopylabs/orpheus-v1-english", "canopylabs/orpheus-arabic-saudi");
    let lists = ModelLists::open(None);
    let unlisted = table(json!({}), &lists);
    assert_eq!(unlisted.substitute("groq", Service::Tts, english), None);
    lists.update(vec![listed("groq", Service::Tts, &[english, arabic, "someone/new-tts"])]);
    let listed = table(json!({}), &lists);
    assert_eq!(listed.substitute("groq", Service::Tts, english).as_deref(), Some("someone/new-tts"));
    lists.mark_missing("groq", english, Some("Its terms must be accepted once."));
    let plan = table(json!({"routes": {"tts": {"provider": "groq", "model": english}}}), &lists);
    let plan = plan.plan(Service::Tts, &RouteOverrides::default()).unwrap();
    assert_eq!(plan.candidates[0].route.model, "someone/new-tts");
    assert!(plan.notices[0].message.contains("terms must be accepted"), "{:?}", plan.notices);
}

#[test]
fn an_added_server_in_the_local_network_is_local_but_no_builtin_fallback() {
    let own = |preset: &str, at: &str| json!({"preset": preset, "base_url": at, "may_receive": {"text": true}});
    let settings = json!({
        "providers": {
            "desk": own("ollama", "http://127.0.0.1:9/"),
            "house": own("vllm", "http://192.168.1.9:8000/"),
            "cloud": own("openai", "http://127.0.0.1:9/"),
        },
    });
    let lists = ModelLists::open(None);
    let table = table(settings, &lists);
    for (name, is_local) in [("desk", true), ("house", true), ("cloud", false), ("groq", false)] {
        let overrides = RouteOverrides { llm: Some(format!("{name}/m")), ..RouteOverrides::default() };
        let candidate = &table.plan(Service::Llm, &overrides).unwrap().candidates[0];
        assert_eq!((candidate.is_local, candidate.is_builtin_fallback), (is_local, false), "{name}");
    }
    let overrides = RouteOverrides { llm: Some("offline/built-in".into()), ..RouteOverrides::default() };
    let offline = &table.plan(Service::Llm, &overrides).unwrap().candidates[0];
    assert!(offline.is_local && offline.is_builtin_fallback);
}

#[test]
fn local_is_another_name_of_offline_unless_a_server_bears_it() {
    let lists = ModelLists::open(None);
    let overrides = RouteOverrides { stt: Some("local/small".into()), ..RouteOverrides::default() };
    let plan = table(json!({}), &lists).plan(Service::Stt, &overrides).unwrap();
    assert_eq!((plan.first().route.provider.as_str(), plan.first().route.model.as_str()), ("offline", "small"));

    let chosen = json!({"routes": {"tts": {"provider": "local", "voice": "de", "then": ["gemini", "local"]}}});
    let plan = table(chosen, &lists).plan(Service::Tts, &RouteOverrides::default()).unwrap();
    let providers: Vec<&str> = plan.candidates.iter().map(|candidate| candidate.route.provider.as_str()).collect();
    assert_eq!((providers, plan.first().route.voice.as_deref()), (vec!["offline", "gemini"], Some("de")));

    let server = json!({"providers": {"local": {"base_url": "http://127.0.0.1:9/"}}});
    let overrides = RouteOverrides { llm: Some("local/m".into()), ..RouteOverrides::default() };
    assert_eq!(table(server, &lists).plan(Service::Llm, &overrides).unwrap().first().route.provider, "local");
}

#[test]
fn prices_retirements_and_voices_come_from_the_provider_list() {
    let lists = ModelLists::open(None);
    let (name, mut list) = listed("gemini", Service::Tts, &["gemini-3.8-flash-lite-tts", "gemini-9-flash-tts"]);
    for model in &mut list.models {
        model.price = Some(aura_providers::ListedPrice { input: 1.5, output: 9.0 });
        model.shutdown_on = Some("2031-05-06".parse().unwrap());
        model.voices = vec!["Anna".into()];
    }
    lists.update(vec![(name, list)]);
    let table = table(json!({}), &lists);
    let models = table.models();
    for id in ["gemini-3.8-flash-lite-tts", "gemini-9-flash-tts"] {
        let model = models.iter().find(|model| model.name == id).unwrap();
        let price = model.price.as_ref().unwrap();
        assert_eq!(
            (price.input, price.output, model.retired_on),
            (1.5, Some(9.0), Some("2031-05-06".parse().unwrap()))
        );
    }
    let new = models.iter().find(|model| model.name == "gemini-9-flash-tts").unwrap();
    assert_eq!(new.voices, ["Anna"]);
    let voices = table.voices(Some("gemini"));
    assert!(voices.iter().any(|voice| voice.name == "Anna" && voice.model == "gemini-9-flash-tts"));
}
