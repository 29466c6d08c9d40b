//! Which models a plan names, by what the catalog and the providers' own lists say.

use async_trait::async_trait;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::super::lists::{List, Lists};
use super::*;
use crate::config::Environment;
use crate::ports::{Job, JobOutput, Secrets};

/// A computer without programs and without a keyring.
struct Bare;

#[async_trait]
impl Programs for Bare {
    fn find(&self, _name: &str) -> Option<std::path::PathBuf> {
        None
    }

    async fn run(&self, _job: Job) -> Result<JobOutput> {
        unreachable!("nothing is found, so nothing is run")
    }
}

#[async_trait]
impl Secrets for Bare {
    async fn check(&self) -> Result<()> {
        Err(Error::new(Code::Internal, "There is none."))
    }

    async fn get(&self, _name: &str) -> Result<Option<SecretString>> {
        Ok(None)
    }

    async fn set(&self, _name: &str, _secret: SecretString) -> Result<()> {
        Ok(())
    }

    async fn delete(&self, _name: &str) -> Result<()> {
        Ok(())
    }
}

/// Where each provider of a test is.
fn address(provider: &str) -> String {
    match provider {
        "groq" => "https://groq.example/".into(),
        "gemini" => "https://gemini.example/".into(),
        own => format!("http://127.0.0.1:9/{own}/"),
    }
}

/// Settings, with keys for both big providers, and what was learnt of models.
async fn world(settings: Value, lists: &Lists) -> World {
    let variables = [
        ("GROQ_API_KEY", "k".to_owned()),
        ("GROQ_BASE_URL", address("groq")),
        ("GEMINI_API_KEY", "k".to_owned()),
        ("GEMINI_BASE_URL", address("gemini")),
    ];
    let environment: Environment = variables.into_iter().collect();
    let store = Store::open(None, environment.clone());
    store.change(&settings).unwrap();
    let keys = Keys::new(Arc::new(Bare), environment);
    keys.load(&["groq".into(), "gemini".into()]).await;
    let programs: Arc<dyn Programs> = Arc::new(Bare);
    World::build(
        &store,
        &keys,
        &Http::new(crate::providers::Waits::default()).unwrap(),
        &programs,
        lists.known(),
        false,
    )
}

/// A list of models for a service.
fn listed(provider: &str, service: Service, models: &[&str]) -> (String, List) {
    let model = |id: &&str| ListedModel { id: (*id).to_owned(), services: vec![service], ..ListedModel::default() };
    let list =
        List { address: address(provider), at: jiff::Timestamp::now(), models: models.iter().map(model).collect() };
    (provider.to_owned(), list)
}

/// The first model of a plan, and the kinds of what is said about it.
fn first(world: &World, service: Service) -> (String, Vec<String>) {
    let plan = world.plan(service, &Wishes::default()).unwrap();
    (plan.candidates[0].route.model.clone(), plan.notices.into_iter().map(|notice| notice.kind).collect())
}

#[tokio::test]
async fn a_retired_name_that_is_still_listed_is_used() {
    let settings = json!({"routes": {"llm": {"provider": "groq", "model": "llama-3.3-70b-versatile"}}});
    let lists = Lists::open(None);
    let replaced = ("openai/gpt-oss-120b".to_owned(), vec!["model_replaced".to_owned()]);
    assert_eq!(first(&world(settings.clone(), &lists).await, Service::Llm), replaced, "nobody lists it");
    lists.learn(vec![listed("groq", Service::Llm, &["llama-3.3-70b-versatile", "openai/gpt-oss-120b"])]);
    let kept = ("llama-3.3-70b-versatile".to_owned(), vec![]);
    assert_eq!(first(&world(settings.clone(), &lists).await, Service::Llm), kept, "this account still has it");
    lists.gone("groq", "llama-3.3-70b-versatile", None);
    assert_eq!(first(&world(settings, &lists).await, Service::Llm), replaced, "it is listed and gone all the same");
}

#[tokio::test]
async fn what_is_gone_at_a_server_of_ones_own_is_replaced_by_what_it_lists() {
    let settings = json!({
        "providers": {"desk": {"preset": "ollama", "base_url": address("desk"), "may_receive": {"text": true}}},
        "routes": {"llm": {"provider": "desk", "model": "llama3"}},
    });
    let lists = Lists::open(None);
    lists.learn(vec![listed("desk", Service::Llm, &["qwen3:8b", "gemma3:4b"])]);
    assert_eq!(first(&world(settings.clone(), &lists).await, Service::Llm).0, "llama3");
    lists.gone("desk", "llama3", None);
    let world = world(settings, &lists).await;
    assert_eq!(first(&world, Service::Llm), ("qwen3:8b".into(), vec!["model_gone".into()]), "nobody pays for it again");
    assert_eq!(world.substitute("desk", Service::Llm, "qwen3:8b").as_deref(), Some("gemma3:4b"));
    assert_eq!(world.substitute("desk", Service::Tts, "llama3"), None);
}

#[tokio::test]
async fn a_voice_is_only_replaced_by_one_that_speaks_its_language() {
    let (english, arabic) = ("canopylabs/orpheus-v1-english", "canopylabs/orpheus-arabic-saudi");
    let lists = Lists::open(None);
    let nobody = world(json!({}), &lists).await;
    assert_eq!(nobody.substitute("groq", Service::Tts, english), None);
    lists.learn(vec![listed("groq", Service::Tts, &[english, arabic, "someone/new-tts"])]);
    let listed = world(json!({}), &lists).await;
    assert_eq!(listed.substitute("groq", Service::Tts, english).as_deref(), Some("someone/new-tts"));
    lists.gone("groq", english, Some("Its terms must be accepted once."));
    let plan = world(json!({"routes": {"tts": {"provider": "groq", "model": english}}}), &lists).await;
    let plan = plan.plan(Service::Tts, &Wishes::default()).unwrap();
    assert_eq!(plan.candidates[0].route.model, "someone/new-tts");
    assert!(plan.notices[0].message.contains("terms must be accepted"), "{:?}", plan.notices);
}

#[tokio::test]
async fn a_server_near_by_has_time_to_load_its_model_and_stands_in_for_nobody() {
    let own = |preset: &str, at: &str| json!({"preset": preset, "base_url": at, "may_receive": {"text": true}});
    let settings = json!({
        "providers": {
            "desk": own("ollama", "http://127.0.0.1:9/"),
            "house": own("vllm", "http://192.168.1.9:8000/"),
            "cloud": own("openai", "http://127.0.0.1:9/"),
        },
    });
    let lists = Lists::open(None);
    let world = world(settings, &lists).await;
    for (name, near) in [("desk", true), ("house", true), ("cloud", false), ("groq", false)] {
        let wishes = Wishes { llm: Some(format!("{name}/m")), ..Wishes::default() };
        let candidate = &world.plan(Service::Llm, &wishes).unwrap().candidates[0];
        assert_eq!((candidate.local, candidate.stand_in), (near, false), "{name}");
    }
    let wishes = Wishes { llm: Some("offline/built-in".into()), ..Wishes::default() };
    let offline = &world.plan(Service::Llm, &wishes).unwrap().candidates[0];
    assert!(offline.local && offline.stand_in);
}

#[tokio::test]
async fn what_lists_tell_is_shown() {
    let lists = Lists::open(None);
    let (name, mut list) = listed("gemini", Service::Tts, &["gemini-3.8-flash-lite-tts", "gemini-9-flash-tts"]);
    for model in &mut list.models {
        model.price = Some(crate::providers::ListedPrice { input: 1.5, output: 9.0 });
        model.shutdown_on = Some("2031-05-06".parse().unwrap());
        model.voices = vec!["Anna".into()];
    }
    lists.learn(vec![(name, list)]);
    let world = world(json!({}), &lists).await;
    let models = world.models();
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
    let voices = world.voices(Some("gemini"));
    assert!(voices.iter().any(|voice| voice.name == "Anna" && voice.model == "gemini-9-flash-tts"));
}
