//! Invalid requests: each is rejected with a status, a code and a sentence, and changes nothing.

use aura_tests::http::{HttpServer, answer, sandboxed};
use reqwest::multipart::{Form, Part};
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};

use super::{form, quick, recording};

/// Checks the status and the format of an error reply.
async fn rejected(what: &str, reply: Response, status: u16) -> Value {
    let got = reply.status().as_u16();
    let text = reply.text().await.unwrap();
    assert_eq!(got, status, "{what}: {text}");
    let body: Value = serde_json::from_str(&text).unwrap_or_else(|cause| panic!("{what}: not JSON ({cause}): {text}"));
    let error = &body["error"];
    assert!(error["code"].as_str().is_some_and(|code| !code.is_empty()), "{what}: {body}");
    let message = error["message"].as_str().unwrap_or_default();
    assert!(message.ends_with(['.', '…']) && message.contains(' '), "{what}: no sentence: {body}");
    assert!(error["attempts"].is_array() && error.get("detail").is_some(), "{what}: {body}");
    assert!(body.get("success").is_none(), "{what}: {body}");
    body
}

async fn all_rejected(cases: Vec<(&str, RequestBuilder, u16)>) {
    for (what, request, status) in cases {
        let reply = request.send().await.unwrap_or_else(|cause| panic!("{what}: {cause:?}"));
        rejected(what, reply, status).await;
    }
}

/// The state that a request could change.
async fn state(server: &HttpServer) -> (Value, String) {
    (answer(server.get("/providers/info").send().await.unwrap()).await, server.settings())
}

#[tokio::test(flavor = "multi_thread")]
async fn questions() {
    let (sandbox, aura) = sandboxed(quick(Vec::new())).await;
    let server = HttpServer::start(aura);
    let before = state(&server).await;
    let raw = |body: &'static str| server.post("/chat").header("content-type", "application/json").body(body);
    let huge = format!("{{\"text\": \"{}\"}}", "a".repeat(2_000_000));
    all_rejected(vec![
        ("no body", server.post("/chat"), 400),
        ("truncated JSON", raw("{\"text\": \"Hel"), 400),
        ("not JSON", raw("hello"), 400),
        ("JSON followed by other text", raw("{\"text\": \"Hello\"} rubbish"), 400),
        ("a list", raw("[1, 2]"), 422),
        ("no text", raw("{}"), 422),
        ("empty text", raw("{\"text\": \"  \"}"), 422),
        ("a number as text", raw("{\"text\": 5}"), 422),
        ("an object as session", raw("{\"text\": \"Hello\", \"session_id\": {}}"), 422),
        ("a control character in the session", raw("{\"text\": \"Hello\", \"session_id\": \"a\\u0000b\"}"), 422),
        ("an unknown provider", raw("{\"text\": \"Hello\", \"llm_provider\": \"nobody\"}"), 422),
        (
            "an unknown model",
            raw("{\"text\": \"Hello\", \"llm_provider\": \"groq\", \"llm_model\": \"nothing-70b\"}"),
            422,
        ),
        ("a model unknown to every provider", raw("{\"text\": \"Hello\", \"llm_model\": \"nothing-70b\"}"), 422),
        ("a model of another service", raw("{\"text\": \"Hello\", \"llm_model\": \"whisper-large-v3\"}"), 422),
        (
            "an unknown provider in the query",
            server.post("/chat?llm_provider=nobody").json(&json!({"text": "Hello"})),
            422,
        ),
        ("an unknown provider after the JSON", raw("{\"text\": \"Hello\"}&llm_provider=nobody"), 422),
        ("huge JSON", server.post("/chat").header("content-type", "application/json").body(huge), 413),
        ("XML", server.post("/chat").header("content-type", "text/xml").body("<text/>"), 415),
        ("another method", server.get("/chat"), 405),
        ("another path", server.get("/chats"), 404),
    ])
    .await;
    assert_eq!(state(&server).await, before);
    let asked = sandbox.requests().await.into_iter().filter(|request| request.method == "POST");
    assert_eq!(asked.count(), 0, "no provider was called");
}

#[tokio::test(flavor = "multi_thread")]
async fn recordings_and_pictures() {
    let (sandbox, aura) = sandboxed(quick(Vec::new())).await;
    let server = HttpServer::start(aura);
    let before = state(&server).await;
    let audio = |bytes: Vec<u8>| Form::new().part("audio", Part::bytes(bytes).file_name("question.wav"));
    let with = |form: Form| server.post("/process").multipart(form);
    let half = |body: &'static [u8]| {
        server.post("/process").header("content-type", "multipart/form-data; boundary=cut").body(body)
    };
    let picture = |bytes: Vec<u8>| form().part("screenshot", Part::bytes(bytes).file_name("screen.png"));
    let silence = aura_audio::speech_wav(&[0; 16_000]).to_vec();
    let large = [recording(), vec![0; 26 * 1024 * 1024]].concat();
    all_rejected(vec![
        ("no form", server.post("/process"), 415),
        ("JSON", server.post("/process").json(&json!({"audio": "AAAA"})), 415),
        ("no recording", with(Form::new().text("session_id", "x")), 422),
        ("an empty recording", with(audio(Vec::new())), 422),
        ("text named as WAV", with(audio(b"This is a text and no recording.".to_vec())), 415),
        ("a header without samples", with(audio(recording()[..40].to_vec())), 422),
        ("silence", with(audio(silence)), 422),
        ("26 MB", with(audio(large)), 413),
        (
            "a form that ends in a part's headers",
            half(b"--cut\r\nContent-Disposition: form-data; name=\"audio\"; file"),
            400,
        ),
        (
            "a form that ends in the recording",
            half(b"--cut\r\nContent-Disposition: form-data; name=\"audio\"; filename=\"a.wav\"\r\n\r\nRIFF"),
            400,
        ),
        (
            "a form without a boundary",
            server.post("/process").header("content-type", "multipart/form-data").body("x"),
            400,
        ),
        ("text named as PNG", with(picture(b"not a picture".to_vec())), 415),
        ("a picture of 21 MB", with(picture([b"\x89PNG\r\n\x1a\n".as_slice(), &[0; 21 * 1024 * 1024]].concat())), 413),
        ("an unknown provider", with(form().text("tts_provider", "nobody")), 422),
        ("an unknown model", with(form().text("vlm_provider", "groq").text("vlm_model", "nothing-70b")), 422),
        ("a session that is no text", with(form().part("session_id", Part::bytes(vec![0xFF, 0xFE]))), 422),
        ("another method", server.get("/process"), 405),
    ])
    .await;
    assert_eq!(state(&server).await, before);
    let asked = sandbox.requests().await.into_iter().filter(|request| request.method == "POST");
    assert_eq!(asked.count(), 0, "no provider was called");
}

#[tokio::test(flavor = "multi_thread")]
async fn switches_tests_and_lists() {
    let (sandbox, aura) = sandboxed(quick(Vec::new())).await;
    let server = HttpServer::start(aura);
    let before = state(&server).await;
    let switch = |body: Value| server.post("/providers/switch").json(&body);
    let test = |body: Value| server.post("/providers/test").json(&body);
    let model = |service: &str, query: &str| server.post(&format!("/providers/config/{service}/model{query}"));
    let huge = json!({"service_type": "llm", "provider": "a".repeat(2_000_000)});
    all_rejected(vec![
        ("an unknown service", switch(json!({"service_type": "smell", "provider": "groq"})), 422),
        ("an unknown provider", switch(json!({"service_type": "llm", "provider": "nobody"})), 422),
        ("an unknown model", switch(json!({"service_type": "llm", "provider": "groq", "model": "nothing"})), 422),
        (
            "a model of another provider",
            switch(json!({"service_type": "llm", "provider": "groq", "model": "gemini-1.5-flash"})),
            422,
        ),
        ("no provider", switch(json!({"service_type": "llm"})), 422),
        ("a number as provider", switch(json!({"service_type": "llm", "provider": 7})), 422),
        ("a list", switch(json!([])), 422),
        ("huge JSON", switch(huge), 413),
        ("no JSON", server.post("/providers/switch").header("content-type", "application/json").body("{"), 400),
        ("a form", server.post("/providers/switch").header("content-type", "text/plain").body("{}"), 415),
        ("a switch by GET", server.get("/providers/switch"), 405),
        ("a test of an unknown service", test(json!({"service_type": "smell"})), 422),
        ("a test of an unknown provider", test(json!({"service_type": "llm", "provider": "nobody"})), 422),
        (
            "a test of an unknown model",
            test(json!({"service_type": "llm", "provider": "groq", "model": "nothing"})),
            422,
        ),
        ("bad base64", test(json!({"service_type": "stt", "provider": "groq", "test_input": "!!!"})), 422),
        (
            "base64 of text",
            test(json!({"service_type": "stt", "provider": "groq", "test_input": "SGVsbG8gdGhlcmU="})),
            415,
        ),
        ("a picture in bad base64", test(json!({"service_type": "vlm", "provider": "groq", "test_input": "%%"})), 422),
        ("a number as input", test(json!({"service_type": "llm", "test_input": 7})), 422),
        ("models of an unknown service", server.get("/providers/models?service_type=smell"), 422),
        ("models of an unknown provider", server.get("/providers/models?provider=nobody"), 422),
        ("voices of an unknown provider", server.get("/providers/voices?provider=nobody"), 422),
        ("the configuration of an unknown service", server.get("/providers/config/smell"), 404),
        ("a model for an unknown service", model("smell", "?model=x"), 404),
        ("no model", model("llm", ""), 422),
        ("an empty model", model("llm", "?model="), 422),
        ("a model unknown to every provider", model("llm", "?model=nothing-70b"), 422),
        ("a model by GET", server.get("/providers/config/llm/model?model=x"), 405),
        ("health by DELETE", server.delete("/providers/health"), 405),
    ])
    .await;
    assert_eq!(state(&server).await, before);
    let asked = sandbox.requests().await.into_iter().filter(|request| request.method == "POST");
    assert_eq!(asked.count(), 0, "no provider was called");
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_queries_and_paths_get_an_error_in_the_same_format() {
    let (_sandbox, aura) = sandboxed(quick(Vec::new())).await;
    let server = HttpServer::start(aura);
    // Sent raw, because a URL library would not produce these.
    let answers = [
        ("GET /session/%FF/history", 400),
        ("GET /providers/models?service_type=%FF%FE", 422),
        ("GET /providers/models?provider=a&provider=b", 400),
    ];
    for (line, status) in answers {
        let (head, body) = super::guard::raw(
            &server,
            &format!("{line} HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\n\r\n", server.port()),
        )
        .await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{line}: {head}{body}");
        let body: Value = serde_json::from_str(&body).unwrap_or_else(|cause| panic!("{line}: {cause}: {body}"));
        assert!(body["error"]["message"].is_string(), "{line}: {body}");
    }
}
