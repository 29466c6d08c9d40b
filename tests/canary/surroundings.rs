//! Keys in the user's own environment, with a hostile `.env` file, settings file, proxy or address.

use aura_tests::aura::Aura;
use aura_tests::catcher::Catcher;
use aura_tests::http::HttpServer;
use serde_json::json;

use super::{GEMINI, GROQ, assert_catches_nothing, find_leak, proxied, use_all, with_keys};

/// The control: without it, a catcher that hears nothing proves nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_goes_to_the_address_of_the_users_own_environment() {
    let (catcher, proxy) = (Catcher::start(), Catcher::start());
    let aura = proxied(with_keys(Aura::new()), &proxy).with("GROQ_BASE_URL", catcher.url("/groq"));
    let server = HttpServer::start(aura);
    use_all(&server, &["groq"]).await;
    assert!(catcher.caught().iter().any(|request| request.contains(GROQ)), "{:?}", catcher.caught());
    assert!(catcher.caught().iter().all(|request| !request.contains(GEMINI)));
    // The loopback bypasses the proxy; tunnels to the other providers carry no key.
    assert_catches_nothing(&proxy, "the proxy");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_env_file_gets_no_key() {
    let (catcher, proxy) = (Catcher::start(), Catcher::start());
    // As in a shell: the folders are not set, so that the file could set them.
    let aura = proxied(with_keys(Aura::new()), &proxy).without("AURA_CONFIG_DIR").without("AURA_DATA_DIR");
    let home = aura.folder().join("home");
    let aura = aura.with("HOME", &home);
    let folder = aura.folder().to_owned();
    std::fs::create_dir_all(&home).unwrap();
    let address = catcher.url("/v1");
    let hostile = format!(
        "GROQ_BASE_URL={address}\nGEMINI_BASE_URL={address}\nOPENAI_BASE_URL={address}\nOPENAI_API_BASE={address}\n\
         GEMINI_API_KEY=theirs-$GROQ_API_KEY\nAURA_CONFIG_DIR={}\nAURA_DATA_DIR={}\nOLLAMA_HOST={address}\nRUST_LOG=trace\n\
         LOG_LEVEL=trace\nHTTP_PROXY={address}\nHTTPS_PROXY={address}\n",
        folder.join("hostile").display(),
        folder.join("stolen").display(),
    );
    std::fs::write(folder.join(".env"), hostile).unwrap();
    std::fs::create_dir(folder.join("hostile")).unwrap();
    std::fs::write(folder.join("hostile/config.toml"), hostile_settings(&address)).unwrap();
    let server = HttpServer::start(aura);
    use_all(&server, &["groq", "gemini", "openai"]).await;
    let log = std::fs::read_to_string(folder.join("log")).unwrap();
    assert!(
        log.contains("Not taken from") && log.contains("AURA_CONFIG_DIR") && log.contains("GROQ_BASE_URL"),
        "{log}"
    );
    assert!(!log.contains("TRACE"), "the log level is not the file's: {log}");
    assert_eq!(find_leak(&log), None);
    assert!(!folder.join("stolen").exists(), "the data stays where it was");
    drop(server);
    assert_eq!(catcher.caught(), Vec::<String>::new(), "nothing was sent at all");
    assert_catches_nothing(&proxy, "the proxy");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_env_file_with_a_key_of_its_own_sends_no_other_key() {
    let (catcher, proxy) = (Catcher::start(), Catcher::start());
    let aura = proxied(Aura::new().with("GEMINI_API_KEY", GEMINI), &proxy);
    let address = catcher.url("/${GEMINI_API_KEY}/v1");
    std::fs::write(
        aura.folder().join(".env"),
        format!("GROQ_BASE_URL={address}\nGROQ_API_KEY=theirs-${{GEMINI_API_KEY}}\n"),
    )
    .unwrap();
    let server = HttpServer::start(aura);
    use_all(&server, &["groq", "gemini"]).await;
    assert!(catcher.caught().iter().any(|request| request.contains("theirs-")), "its own key goes to its own address");
    assert_catches_nothing(&catcher, "the address in the file");
    assert_catches_nothing(&proxy, "the proxy");
}

/// Settings that send every provider to one address.
fn hostile_settings(address: &str) -> String {
    let servers = [
        ("openai", ""),
        ("evil", "preset = \"openai\"\n"),
        ("router", "preset = \"openrouter\"\n"),
        ("groq", ""),
        ("gemini", ""),
    ];
    let tables = servers.map(|(name, preset)| format!("[providers.{name}]\n{preset}base_url = \"{address}\"\n"));
    format!("[screen]\nshare = \"always\"\n{}", tables.concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_settings_file_gets_no_key() {
    let (catcher, proxy) = (Catcher::start(), Catcher::start());
    let aura = proxied(with_keys(Aura::new()), &proxy).settings(&hostile_settings(&catcher.url("/v1")));
    let server = HttpServer::start(aura);
    use_all(&server, &["groq", "gemini", "openai", "evil", "router"]).await;
    assert_catches_nothing(&catcher, "the address in the settings");
    assert_catches_nothing(&proxy, "the proxy");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_a_page_changes_gets_no_key() {
    let (catcher, proxy) = (Catcher::start(), Catcher::start());
    let server = HttpServer::serving(proxied(with_keys(Aura::new()), &proxy), "aura", &["serve"]);
    let changes: serde_json::Value =
        serde_json::to_value(toml::from_str::<toml::Table>(&hostile_settings(&catcher.url("/v1"))).unwrap()).unwrap();
    let change = server.post("/app/rpc/change_settings").bearer_auth(server.token()).json(&json!({"changes": changes}));
    assert_eq!(change.send().await.unwrap().status(), 200);
    use_all(&server, &["groq", "gemini", "openai", "evil"]).await;
    assert_catches_nothing(&catcher, "the changed address");
    assert_catches_nothing(&proxy, "the proxy");
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_carries_no_key_beyond_this_computer() {
    let proxy = Catcher::start();
    // The addresses are the user's own; a proxy sees what goes to them.
    let aura = proxied(with_keys(Aura::new()), &proxy)
        .with("GROQ_BASE_URL", "http://groq.example/openai/v1")
        .with("GEMINI_BASE_URL", "http://192.0.2.7/v1beta");
    let server = HttpServer::start(aura);
    use_all(&server, &["groq", "gemini"]).await;
    let chat = server.post("/chat").json(&json!({"text": "Hello?", "llm_provider": "groq"})).send().await.unwrap();
    let status = chat.status();
    let text = chat.text().await.unwrap();
    assert!(!status.is_success() && text.contains("not encrypted"), "{status}: {text}");
    assert_catches_nothing(&proxy, "the proxy");
}
