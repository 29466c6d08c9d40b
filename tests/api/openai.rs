//! OpenAI's format where the official client does not look: refusals, limits, and whose time is whose.

use std::time::Duration;

use aura_sandbox::Rule;
use aura_tests::http::{HttpDoor, answer, sandboxed};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use reqwest::multipart::{Form, Part};
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{guard, quick, recording};

async fn door() -> (aura_sandbox::Sandbox, HttpDoor) {
    let (sandbox, aura) = sandboxed(quick(vec![Rule::reply("Paris.")])).await;
    (sandbox, HttpDoor::start(aura))
}

/// Makes sure that a refusal is as OpenAI's clients read it.
fn refusal(what: &str, body: &str) -> Value {
    let body: Value = serde_json::from_str(body).unwrap_or_else(|cause| panic!("{what}: not JSON ({cause}): {body}"));
    let error = &body["error"];
    assert!(error["type"].as_str().is_some_and(|kind| kind.ends_with("_error")), "{what}: {body}");
    assert!(error["code"].is_string() && error.get("param").is_some(), "{what}: {body}");
    let message = error["message"].as_str().unwrap();
    assert!(message.ends_with(['.', '…']) && message.contains(' ') && message.len() < 600, "{what}: {body}");
    body
}

async fn refused(what: &str, reply: Response, status: u16) -> Value {
    let got = reply.status().as_u16();
    let text = reply.text().await.unwrap();
    assert_eq!(got, status, "{what}: {}", &text[..text.len().min(500)]);
    refusal(what, &text)
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_refuses_says_it_in_openais_form() {
    let (_sandbox, door) = door().await;
    let port = door.port();
    for (line, host, status) in [
        ("GET /v1/models", format!("attacker.example:{port}"), 403),
        ("GET /v1/models", format!("localhost:{port}\r\nOrigin: https://attacker.example"), 403),
        ("GET /v1/models", format!("localhost:{port}\r\nAuthorization: Bearer wrong"), 401),
        ("GET /v1/models/%FF", format!("localhost:{port}"), 400),
        ("GET /v1/nothing", format!("localhost:{port}"), 404),
        ("GET /v1/chat/completions", format!("localhost:{port}"), 405),
        ("POST /v1/chat/completions", format!("localhost:{port}"), 415),
    ] {
        let what = format!("{line}, {host}");
        let (head, body) =
            guard::raw(&door, &format!("{line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{what}: {head}{body}");
        refusal(&what, &body);
        let asks = head.to_lowercase().contains("www-authenticate: bearer");
        assert_eq!(asks, status == 401, "{what}: {head}");
    }
    // The guide's own routes keep theirs.
    let (_, body) = guard::raw(&door, "GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    let body: Value = serde_json::from_str(&body).unwrap();
    assert!(body["error"].get("type").is_none() && body["error"]["attempts"].is_array(), "{body}");
}

fn chat(door: &HttpDoor, body: &Value) -> RequestBuilder {
    door.post("/v1/chat/completions").json(body)
}

fn asking(content: Value) -> Value {
    json!({"model": "auto", "messages": [{"role": "user", "content": content}]})
}

/// A PNG file of about so many bytes.
fn noise(bytes: usize) -> Vec<u8> {
    let side = ((bytes / 3) as f64).sqrt() as u32;
    let mut state = 1_u32;
    let pixels = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    });
    let picture = image::RgbImage::from_raw(side, side, pixels.take((side * side * 3) as usize).collect()).unwrap();
    let mut png = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut png, image::ImageFormat::Png).unwrap();
    png.into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_megabyte_of_json_is_the_most_apart_from_files() {
    let (sandbox, door) = door().await;
    let large = "a ".repeat(600_000);
    refused("a long question", chat(&door, &asking(json!(large))).send().await.unwrap(), 413).await;
    let picture = noise(1_500_000);
    assert!(picture.len() > 1_200_000);
    let shown = format!("data:image/png;base64,{}", BASE64.encode(&picture));
    let with = |text: &str| {
        asking(json!([{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": shown}}]))
    };
    refused("a long question with a picture", chat(&door, &with(&large)).send().await.unwrap(), 413).await;
    for (what, body) in [
        ("a long text to say", json!({"service_type": "tts", "test_input": large})),
        ("a long name", json!({"service_type": "stt", "provider": large})),
        ("a field that nobody knows", json!({"service_type": "llm", "more": large})),
    ] {
        let reply = door.post("/providers/test").json(&body).send().await.unwrap();
        assert_eq!(reply.status(), 413, "{what}");
        assert_eq!(serde_json::from_str::<Value>(&reply.text().await.unwrap()).unwrap()["error"]["code"], "too_large");
    }
    let asked = sandbox.requests().await.into_iter().filter(|request| request.method == "POST");
    assert_eq!(asked.count(), 0, "no provider was asked");
    // A file has a limit of its own.
    let seen = answer(chat(&door, &with("What is this?")).send().await.unwrap()).await;
    assert_eq!(seen["choices"][0]["message"]["content"], "Paris.", "{seen}");
    let test = json!({"service_type": "vlm", "provider": "groq", "test_input": BASE64.encode(&picture)});
    answer(door.post("/providers/test").json(&test).send().await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_long_is_repeated() {
    let (_sandbox, door) = door().await;
    let long = "x".repeat(400_000);
    let model = json!({"model": long, "messages": [{"role": "user", "content": "Who?"}]});
    refused("a model", chat(&door, &model).send().await.unwrap(), 404).await;
    let role = json!({"model": "auto", "messages": [{"role": long, "content": "Who?"}]});
    refused("a role", chat(&door, &role).send().await.unwrap(), 400).await;
    refused("a part", chat(&door, &asking(json!([{"type": long}]))).send().await.unwrap(), 400).await;
    let reply = door.get(&format!("/v1/models/{}", &long[..5_000])).send().await.unwrap();
    refused("a model in the path", reply, 404).await;
    let reply = door.post(&format!("/v1/models/{}", &long[..5_000])).send().await.unwrap();
    refused("a model by POST", reply, 405).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_has_its_limits_besides_the_sound() {
    let (_sandbox, door) = door().await;
    let form = || Form::new().text("model", "auto").part("file", Part::bytes(recording()).file_name("a.wav"));
    let send = |form: Form| door.post("/v1/audio/transcriptions").multipart(form).send();
    let many = (0..100).fold(form(), |form, number| form.text(format!("field-{number}"), "x"));
    refused("a hundred parts", send(many).await.unwrap(), 400).await;
    let long = form().text("prompt", "x".repeat(50_000));
    refused("a long field", send(long).await.unwrap(), 400).await;
    assert_eq!(answer(send(form()).await.unwrap()).await["text"], "What is the capital of France?");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_request_takes_to_come_in_is_not_the_providers_time() {
    let (_sandbox, door) = door().await;
    let body = asking(json!("Which?")).to_string();
    let (begin, end) = body.split_at(body.len() / 2);
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost:{}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{begin}",
        door.port(),
        body.len()
    );
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", door.port())).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    // Its head has come when the time begins; this pause is a part of it whatever else the machine does.
    tokio::time::sleep(Duration::from_secs(2)).await;
    stream.write_all(end.as_bytes()).await.unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await.unwrap();
    let told =
        reply.lines().find_map(|line| line.strip_prefix("x-aura-overhead-ms: ")).unwrap_or_else(|| panic!("{reply}"));
    // Half of it, for a machine on which the head took long to be looked at.
    assert!(told.trim().parse::<f64>().unwrap() > 1_000.0, "{reply}");
}
