//! Where an API key may be sent.

use std::sync::Arc;

use aura_core::api::{self, ProviderName, ProviderView, SaveKey, Snapshot};
use aura_core::config::{Environment, KeyPlace, KeyView, Keys, Settings};
use aura_core::error::ErrorCode;
use aura_core::ports::Secrets;
use aura_router::{ProviderInfo, ProviderProblem, Router};
use aura_sandbox::DEFAULT_KEY;
use aura_testkit::fake_ports::FakeSecrets;
use aura_testkit::harness::Harness;
use serde_json::{Value, json};

fn save(provider: &str, key: &str) -> SaveKey {
    SaveKey { provider: provider.into(), key: key.into(), session_only: false }
}

fn provider<'a>(snapshot: &'a Snapshot, name: &str) -> &'a ProviderView {
    snapshot.providers.iter().find(|provider| provider.name == name).unwrap()
}

/// Keys and providers as at a start with these settings. Nothing is sent.
struct Started {
    keys: Keys,
    router: Router,
    settings: Settings,
}

impl Started {
    async fn with(secrets: Arc<FakeSecrets>, settings: Value, variables: &[(&str, &str)]) -> Self {
        let environment: Environment = variables.iter().copied().collect();
        let settings: Settings = serde_json::from_value(settings).unwrap();
        let router = Router::builder().settings(settings.routing()).variables(environment.variables()).build().unwrap();
        let started = Self { keys: Keys::new(secrets, environment), router, settings };
        started.keys.load(&started.router.providers()).await;
        started.apply();
        started
    }

    fn apply(&self) {
        self.router.reconfigure(self.settings.routing(), self.keys.all(&self.settings));
    }

    fn info(&self, name: &str) -> ProviderInfo {
        self.router.providers().into_iter().find(|provider| provider.name == name).unwrap()
    }

    fn problem(&self, name: &str) -> Option<ProviderProblem> {
        self.info(name).problem
    }

    fn key(&self, name: &str) -> KeyView {
        self.keys.view(&self.info(name)).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_stays_with_the_address_that_it_was_saved_for() {
    let harness = Harness::new().await;
    let (one, other) = (harness.sandbox.openai_base_url(), "http://127.0.0.1:9/v1");
    harness.change(json!({"providers": {"desk": {"base_url": one}}, "routes": {"llm": {"provider": "desk"}}})).await;
    let snapshot = api::save_key(&harness.assistant, save("desk", DEFAULT_KEY)).await.unwrap();
    assert_eq!(provider(&snapshot, "desk").problem, None);
    harness.change(json!({"providers": {"desk": {"base_url": other}}})).await;
    let moved = harness.assistant.snapshot();
    let view = provider(&moved, "desk");
    assert!(view.problem.as_ref().unwrap().contains("Save its key again"), "{view:?}");
    let only_for = view.key.as_ref().unwrap().only_for.clone().unwrap();
    assert!(one.starts_with(&only_for), "{only_for}");
    // Back at the first address, the key is used again. Saved at the other one, it belongs there.
    harness.change(json!({"providers": {"desk": {"base_url": one}}})).await;
    assert_eq!(provider(&harness.assistant.snapshot(), "desk").problem, None);
    harness.change(json!({"providers": {"desk": {"base_url": other}}})).await;
    let saved = api::save_key(&harness.assistant, save("desk", DEFAULT_KEY)).await.unwrap();
    assert_eq!(provider(&saved, "desk").problem, None);
    harness.change(json!({"providers": {"desk": {"base_url": one}}})).await;
    assert!(provider(&harness.assistant.snapshot(), "desk").problem.is_some());
    // Plain HTTP beyond this computer carries no key, even one that was saved for it.
    harness.change(json!({"providers": {"desk": {"base_url": "http://192.0.2.7/v1"}}})).await;
    let unprotected = api::save_key(&harness.assistant, save("desk", DEFAULT_KEY)).await.unwrap();
    assert!(provider(&unprotected, "desk").problem.as_ref().unwrap().contains("not encrypted"));
    let removed = api::forget_key(&harness.assistant, ProviderName { provider: "desk".into() }).await.unwrap();
    assert_eq!((provider(&removed, "desk").key.as_ref(), provider(&removed, "desk").problem.as_ref()), (None, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_an_earlier_version_is_for_the_address_at_the_upgrade() {
    let secrets = Arc::<FakeSecrets>::default();
    for name in ["desk", "groq"] {
        secrets.set(name, DEFAULT_KEY.into()).await.unwrap();
    }
    let desk = |port: u16| json!({"base_url": format!("http://127.0.0.1:{port}/v1")});
    let first = Started::with(secrets.clone(), json!({"providers": {"desk": desk(9)}}), &[]).await;
    for name in ["desk", "groq"] {
        assert_eq!(first.problem(name), None, "{name}");
    }
    // Now it is bound: to the address at that time, and for a built-in provider to its own.
    let groq = json!({"base_url": "https://groq.example/v1"});
    let moved = Started::with(secrets, json!({"providers": {"desk": desk(10), "groq": groq}}), &[]).await;
    for (name, only_for) in [("desk", "http://127.0.0.1:9"), ("groq", "https://api.groq.com")] {
        assert_eq!(moved.key(name), KeyView { only_for: Some(only_for.into()), ..first.key(name) });
        assert!(moved.problem(name).is_some(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_variable_names_the_key_of_a_kind_of_server() {
    let settings = json!({"providers": {
        "openai": {},
        "work": {"preset": "openrouter"},
        "evil": {"preset": "openai", "base_url": "https://evil.example/v1"},
        "vllm": {"base_url": "http://127.0.0.1:9/v1"},
        "lan": {"preset": "vllm", "base_url": "https://gpu.example/v1"},
    }});
    let variables = [
        ("OPENAI_API_KEY", "sk-from-openai"),
        ("OPENROUTER_API_KEY", "sk-from-openrouter"),
        ("VLLM_API_KEY", "sk-from-local-vllm"),
    ];
    let started = Started::with(Arc::default(), settings, &variables).await;
    for (name, end) in [("openai", "enai"), ("work", "uter"), ("vllm", "vllm")] {
        let expected = KeyView { ends_with: end.into(), place: KeyPlace::Environment, only_for: None };
        assert_eq!((started.key(name), started.problem(name)), (expected, None), "{name}");
        let refused = started.keys.save(&started.info(name), "another".into(), false).await.unwrap_err();
        assert_eq!(refused.code, ErrorCode::InvalidRequest, "{name}");
    }
    assert_eq!(started.key("evil").only_for.as_deref(), Some("https://api.openai.com"));
    for name in ["evil", "lan"] {
        assert!(started.problem(name).is_some(), "{name}");
    }
    // A key of its own may be saved for it.
    started.keys.save(&started.info("evil"), "key-of-its-own".into(), false).await.unwrap();
    started.apply();
    assert_eq!((started.problem("evil"), started.key("evil").place), (None, KeyPlace::Keyring));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_a_variable_is_not_for_an_address_in_the_settings() {
    let settings = json!({"providers": {"groq": {"base_url": "https://proxy.example/v1"}}});
    let key = ("GROQ_API_KEY", "gsk_from-the-environment");
    let started = Started::with(Arc::default(), settings.clone(), &[key]).await;
    assert_eq!(started.problem("groq"), Some(ProviderProblem::KeyOfOtherAddress));
    started.keys.save(&started.info("groq"), "gsk_saved-for-proxy".into(), true).await.unwrap();
    started.apply();
    assert_eq!((started.problem("groq"), started.key("groq").place), (None, KeyPlace::Session));
    // An address of the same environment takes the key.
    let address = ("GROQ_BASE_URL", "https://mine.example/v1");
    let started = Started::with(Arc::default(), settings, &[key, address]).await;
    assert_eq!((started.problem("groq"), started.key("groq").place), (None, KeyPlace::Environment));
}
