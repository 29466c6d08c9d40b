//! Everything that can be wrong with a request: the right status, a code and a sentence, and nothing changed.

use aura_tests::http::{HttpDoor, answer, sandboxed};
use reqwest::multipart::{Form, Part};
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};

use super::{form, quick, recording};

/// Makes sure of the status and the form of a refusal.
async fn refused(what: &str, reply: Response, status: u16) -> Value {
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

async fn all_refused(cases: Vec<(&str, RequestBuilder, u16)>) {
    for (what, request, status) in cases {
        let reply = request.send().await.unwrap_or_else(|cause| panic!("{what}: {cause:?}"));
        refused(what, reply, status).await;
    }
}

/// All that a request could have changed.
async fn state(door: &HttpDoor) -> (Value, String) {
    (answer(door.get("/providers/info").send().await.unwrap()).await, door.settings())
}

#[tokio::test(flavor = "multi_thread")]
async fn questions() {
    let (sandbox, aura) = sandboxed(quick(Vec::new())).await;
    let door = HttpDoor::start(aura);
    let before = state(&door).await;
    let raw = |body: &'static str| door.post("/chat").header("content-type", "application/json").body(body);
    let huge = format!("{{\"text\": \"{}\"}}", "a".repeat(2_000_000));
    all_refused(vec![
        ("no body", door.post("/chat"), 400),
        ("half a JSON", raw("{\"text\": \"Hel"), 400),
        ("no JSON", raw("hello"), 400),
        ("JSON and rubbish", raw("{\"text\": \"Hello\"} rubbish"), 400),
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
        ("an unknown model of anyone", raw("{\"text\": \"Hello\", \"llm_model\": \"nothing-70b\"}"), 422),
        ("a model of another service", raw("{\"text\": \"Hello\", \"llm_model\": \"whisper-large-v3\"}"), 422),
        (
            "an unknown provider in the query",
            door.post("/chat?llm_provider=nobody").json(&json!({"text": "Hello"})),
            422,
        ),
        ("an unknown provider after the JSON", raw("{\"text\": \"Hello\"}&llm_provider=nobody"), 422),
        ("huge JSON", door.post("/chat").header("content-type", "application/json").body(huge), 413),
        ("XML", door.post("/chat").header("content-type", "text/xml").body("<text/>"), 415),
        ("another method", door.get("/chat"), 405),
        ("another path", door.get("/chats"), 404),
    ])
    .await;
    assert_eq!(state(&door).await, before);
    let asked = sandbox.requests().await.into_iter().filter(|request| request.method == "POST");
    assert_eq!(asked.count(), 0, "no provider was asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn recordings_and_pictures() {
    let (sandbox, aura) = sandboxed(quick(Vec::new())).await;
    let door = HttpDoor::start(aura);
    let before = state(&door).await;
    let audio = |bytes: Vec<u8>| Form::new().part("audio", Part::bytes(bytes).file_name("question.wav"));
    let with = |form: Form| door.post("/process").multipart(form);
    let half = |body: &'static [u8]| {
        door.post("/process").header("content-type", "multipart/form-data; boundary=cut").body(body)
    };
    let picture = |bytes: Vec<u8>| form().part("screenshot", Part::bytes(bytes).file_name("screen.png"));
    let silence = aura_core::audio::speech_wav(&[0; 16_000]).to_vec();
    let large = [recording(), vec![0; 26 * 1024 * 1024]].concat();
    all_refused(vec![
        ("no form", door.post("/process"), 415),
        ("JSON", door.post("/process").json(&json!({"audio": "AAAA"})), 415),
        ("no recording", with(Form::new().text("session_id", "x")), 422),
        ("an empty recording", with(audio(Vec::new())), 422),
        ("text called WAV", with(audio(b"This is a text and no recording.".to_vec())), 415),
        ("a header without sound", with(audio(recording()[..40].to_vec())), 422),
        ("silence", with(audio(silence)), 422),
        ("26 MB", with(audio(large)), 413),
        ("a form that ends in its head", half(b"--cut\r\nContent-Disposition: form-data; name=\"audio\"; file"), 400),
        (
            "a form that ends in its recording",
            half(b"--cut\r\nContent-Disposition: form-data; name=\"audio\"; filename=\"a.wav\"\r\n\r\nRIFF"),
            400,
        ),
        (
            "a form without a boundary",
            door.post("/process").header("content-type", "multipart/form-data").body("x"),
            400,
        ),
        ("text called PNG", with(picture(b"not a picture".to_vec())), 415),
        ("a picture of 21 MB", with(picture([b"\x89PNG\r\n\x1a\n".as_slice(), &[0; 21 * 1024 * 1024]].concat())), 413),
        ("an unknown provider", with(form().text("tts_provider", "nobody")), 422),
        ("an unknown model", with(form().text("vlm_provider", "groq").text("vlm_model", "nothing-70b")), 422),
        ("a session that is no text", with(form().part("session_id", Part::bytes(vec![0xFF, 0xFE]))), 422),
        ("another method", door.get("/process"), 405),
    ])
    .await;
    assert_eq!(state(&door).await, before);
    let asked = sandbox.requests().await.into_iter().filter(|request| request.method == "POST");
    assert_eq!(asked.count(), 0, "no provider was asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn switches_tests_and_lists() {
    let (sandbox, aura) = sandboxed(quick(Vec::new())).await;
    let door = HttpDoor::start(aura);
    let before = state(&door).await;
    let switch = |body: Value| door.post("/providers/switch").json(&body);
    let test = |body: Value| door.post("/providers/test").json(&body);
    let model = |service: &str, query: &str| door.post(&format!("/providers/config/{service}/model{query}"));
    let huge = json!({"service_type": "llm", "provider": "a".repeat(2_000_000)});
    all_refused(vec![
        ("an unknown service", switch(json!({"service_type": "smell", "provider": "groq"})), 422),
        ("an unknown provider", switch(json!({"service_type": "llm", "provider": "nobody"})), 422),
        ("an unknown model", switch(json!({"service_type": "llm", "provider": "groq", "model": "nothing"})), 422),
        (
            "another's model",
            switch(json!({"service_type": "llm", "provider": "groq", "model": "gemini-1.5-flash"})),
            422,
        ),
        ("no provider", switch(json!({"service_type": "llm"})), 422),
        ("a number as provider", switch(json!({"service_type": "llm", "provider": 7})), 422),
        ("a list", switch(json!([])), 422),
        ("huge JSON", switch(huge), 413),
        ("no JSON", door.post("/providers/switch").header("content-type", "application/json").body("{"), 400),
        ("a form", door.post("/providers/switch").header("content-type", "text/plain").body("{}"), 415),
        ("a switch by GET", door.get("/providers/switch"), 405),
        ("a test of an unknown service", test(json!({"service_type": "smell"})), 422),
        ("a test of nobody", test(json!({"service_type": "llm", "provider": "nobody"})), 422),
        ("a test of nothing", test(json!({"service_type": "llm", "provider": "groq", "model": "nothing"})), 422),
        ("bad base64", test(json!({"service_type": "stt", "provider": "groq", "test_input": "!!!"})), 422),
        (
            "base64 of a text",
            test(json!({"service_type": "stt", "provider": "groq", "test_input": "SGVsbG8gdGhlcmU="})),
            415,
        ),
        ("a picture in bad base64", test(json!({"service_type": "vlm", "provider": "groq", "test_input": "%%"})), 422),
        ("a number as input", test(json!({"service_type": "llm", "test_input": 7})), 422),
        ("models of an unknown service", door.get("/providers/models?service_type=smell"), 422),
        ("models of nobody", door.get("/providers/models?provider=nobody"), 422),
        ("voices of nobody", door.get("/providers/voices?provider=nobody"), 422),
        ("the configuration of nothing", door.get("/providers/config/smell"), 404),
        ("a model for nothing", model("smell", "?model=x"), 404),
        ("no model", model("llm", ""), 422),
        ("an empty model", model("llm", "?model="), 422),
        ("a model that nobody has", model("llm", "?model=nothing-70b"), 422),
        ("a model by GET", door.get("/providers/config/llm/model?model=x"), 405),
        ("health by DELETE", door.delete("/providers/health"), 405),
    ])
    .await;
    assert_eq!(state(&door).await, before);
    let asked = sandbox.requests().await.into_iter().filter(|request| request.method == "POST");
    assert_eq!(asked.count(), 0, "no provider was asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_or_a_path_that_is_not_well_formed_has_the_same_form() {
    let (_sandbox, aura) = sandboxed(quick(Vec::new())).await;
    let door = HttpDoor::start(aura);
    // What a URL library would never send.
    let answers = [
        ("GET /session/%FF/history", 400),
        ("GET /providers/models?service_type=%FF%FE", 422),
        ("GET /providers/models?provider=a&provider=b", 400),
    ];
    for (line, status) in answers {
        let (head, body) = super::guard::raw(
            &door,
            &format!("{line} HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\n\r\n", door.port()),
        )
        .await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{line}: {head}{body}");
        let body: Value = serde_json::from_str(&body).unwrap_or_else(|cause| panic!("{line}: {cause}: {body}"));
        assert!(body["error"]["message"].is_string(), "{line}: {body}");
    }
}
