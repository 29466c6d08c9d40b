//! `/models/local`: the store of models over the local API.

use aura_tests::aura::Aura;
use aura_tests::http::{HttpServer, answer, eventually};
use aura_tests::models::ModelServer;
use serde_json::{Value, json};

fn model(view: &Value, id: &str) -> Value {
    let models = view["models"].as_array().and_then(|models| models.iter().find(|model| model["id"] == id));
    models.unwrap_or_else(|| panic!("no {id} in {view:#}")).clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn models_are_downloaded_paused_used_and_removed() {
    let models = ModelServer::start();
    models.hold(true);
    let server = HttpServer::start(models.with(Aura::new()));
    let view = async || answer(server.get("/models/local").send().await.unwrap()).await;
    let post = async |path: &str| answer(server.post(&format!("/models/local/{path}")).send().await.unwrap()).await;
    assert_eq!(model(&view().await, "one")["state"], json!({"state": "available"}));
    let started = post("one/download").await;
    assert_eq!(model(&started, "one")["state"]["state"], "downloading");
    let arriving = async || model(&view().await, "one")["state"]["done_bytes"].as_u64().is_some_and(|done| done > 0);
    assert!(eventually(arriving).await, "{:#}", view().await);
    let paused = post("one/pause").await;
    assert_eq!(model(&paused, "one")["state"]["state"], "paused", "{paused:#}");
    // Its state outlives the process.
    let server = server.restart();
    let view = async || answer(server.get("/models/local").send().await.unwrap()).await;
    let post = async |path: &str| answer(server.post(&format!("/models/local/{path}")).send().await.unwrap()).await;
    assert_eq!(model(&view().await, "one")["state"]["state"], "paused");
    models.hold(false);
    post("one/resume").await;
    let installed = async |id: &str| model(&view().await, id)["state"]["state"] == "installed";
    assert!(eventually(async || installed("one").await).await, "{:#}", view().await);
    post("two/download").await;
    assert!(eventually(async || installed("two").await).await, "{:#}", view().await);
    let used = post("two/use?service=llm").await;
    assert_eq!(
        (model(&used, "one")["used_for"].clone(), model(&used, "two")["used_for"].clone()),
        (json!([]), json!(["llm"]))
    );
    let removed = answer(server.delete("/models/local/two").send().await.unwrap()).await;
    assert_eq!(model(&removed, "two")["state"], json!({"state": "available"}));
    assert_eq!(model(&removed, "one")["used_for"], json!(["llm"]));
    let folder = server.aura().data().join("models");
    assert!(folder.join("one/installed.json").is_file() && !folder.join("two").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_requests_and_web_pages_are_refused() {
    let models = ModelServer::start();
    let server = HttpServer::start(models.with(Aura::new()));
    for (request, status, word) in [
        (server.post("/models/local/three/download"), 404, "There is no model `three`"),
        (server.post("/models/local/one/pause"), 422, "not being downloaded"),
        (server.post("/models/local/one/use"), 422, "`service`"),
        (server.post("/models/local/one/use?service=smell"), 422, "no service"),
        (server.post("/models/local/one/use?service=llm"), 404, "not installed"),
        (server.delete("/models/local/one"), 404, "not installed"),
    ] {
        let reply = request.send().await.unwrap();
        let (got, body) = (reply.status().as_u16(), reply.text().await.unwrap());
        assert!(got == status && body.contains(word), "{status} {word}: {got} {body}");
    }
    for request in [server.post("/models/local/one/download"), server.delete("/models/local/one")] {
        let reply = request.header("origin", "https://example.com").send().await.unwrap();
        assert_eq!(reply.status(), 403);
    }
    assert!(!server.aura().data().join("models/one.partial").exists());
}
