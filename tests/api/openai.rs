//! The OpenAI format beyond what the official client checks: errors, limits, and the overhead header.

use std::time::Duration;

use aura_sandbox::Rule;
use aura_tests::http::{HttpServer, answer, sandboxed};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use reqwest::multipart::{Form, Part};
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{guard, quick, recording};

async fn server() -> (aura_sandbox::Sandbox, HttpServer) {
    let (sandbox, aura) = sandboxed(quick(vec![Rule::reply("Paris.")])).await;
    (sandbox, HttpServer::start(aura))
}

/// Checks that an error has OpenAI's format.
fn openai_error(what: &str, body: &str) -> Value {
    let body: Value = serde_json::from_str(body).unwrap_or_else(|cause| panic!("{what}: not JSON ({cause}): {body}"));
    let error = &body["error"];
    assert!(error["type"].as_str().is_some_and(|kind| kind.ends_with("_error")), "{what}: {body}");
    assert!(error["code"].is_string() && error.get("param").is_some(), "{what}: {body}");
    let message = error["message"].as_str().unwrap();
    assert!(message.ends_with(['.', '…']) && message.contains(' ') && message.len() < 600, "{what}: {body}");
    body
}

async fn rejected(what: &str, reply: Response, status: u16) -> Value {
    let got = reply.status().as_u16();
    let text = reply.text().await.unwrap();
    assert_eq!(got, status, "{what}: {}", &text[..text.len().min(500)]);
    openai_error(what, &text)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_error_has_the_openai_format() {
    let (_sandbox, server) = server().await;
    let port = server.port();
    for (line, host, status) in [
        ("GET /v1/models", format!("attacker.example:{port}"), 403),
        ("GET /v1/models", format!("localhost:{port}\r\nOrigin: https://attacker.example"), 403),
        ("GET /v1/models", format!("localhost:{port}\r\nVia: 1.1 proxy\r\nAuthorization: Bearer wrong"), 401),
        ("GET /v1/models/%FF", format!("localhost:{port}"), 400),
        ("GET /v1/nothing", format!("localhost:{port}"), 404),
        ("GET /v1/chat/completions", format!("localhost:{port}"), 405),
        ("POST /v1/chat/completions", format!("localhost:{port}"), 415),
        ("POST /v1/embeddings", format!("localhost:{port}"), 415),
        ("POST /v1/audio/translations", format!("localhost:{port}"), 415),
        ("GET /v1/audio/voices", format!("attacker.example:{port}"), 403),
        ("POST /v1/audio/voices", format!("localhost:{port}"), 405),
        ("GET /openai/v1/models", format!("attacker.example:{port}"), 403),
        ("GET /openai/v1/models", format!("localhost:{port}\r\nOrigin: https://attacker.example"), 403),
        ("GET /openai/v1/models", format!("localhost:{port}\r\nVia: 1.1 proxy\r\nAuthorization: Bearer wrong"), 401),
        ("GET /openai/v1/models/%FF", format!("localhost:{port}"), 400),
        ("GET /openai/v1/nothing", format!("localhost:{port}"), 404),
        ("GET /openai/v1/chat/completions", format!("localhost:{port}"), 405),
        ("POST /openai/v1/audio/speech", format!("localhost:{port}"), 415),
    ] {
        let what = format!("{line}, {host}");
        let (head, body) =
            guard::raw(&server, &format!("{line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{what}: {head}{body}");
        openai_error(&what, &body);
        let challenges = head.to_lowercase().contains("www-authenticate: bearer");
        assert_eq!(challenges, status == 401, "{what}: {head}");
    }
    // Other routes keep their own format.
    let (_, body) = guard::raw(&server, "GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    let body: Value = serde_json::from_str(&body).unwrap();
    assert!(body["error"].get("type").is_none() && body["error"]["attempts"].is_array(), "{body}");
}

fn chat(server: &HttpServer, body: &Value) -> RequestBuilder {
    server.post("/v1/chat/completions").json(body)
}

fn asking(content: Value) -> Value {
    json!({"model": "auto", "messages": [{"role": "user", "content": content}]})
}

/// A PNG file of about this size.
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
async fn json_without_files_is_limited_to_a_megabyte() {
    let (sandbox, server) = server().await;
    let large = "a ".repeat(600_000);
    rejected("a long question", chat(&server, &asking(json!(large))).send().await.unwrap(), 413).await;
    for (path, body) in [
        ("/v1/embeddings", json!({"model": "auto", "input": large})),
        ("/openai/v1/embeddings", json!({"model": "auto", "input": [large, large]})),
        ("/v1/audio/speech", json!({"model": "auto", "input": large})),
    ] {
        rejected(path, server.post(path).json(&body).send().await.unwrap(), 413).await;
    }
    let picture = noise(1_500_000);
    assert!(picture.len() > 1_200_000);
    let shown = format!("data:image/png;base64,{}", BASE64.encode(&picture));
    let with = |text: &str| {
        asking(json!([{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": shown}}]))
    };
    rejected("a long question with a picture", chat(&server, &with(&large)).send().await.unwrap(), 413).await;
    for (what, body) in [
        ("a long text to speak", json!({"service_type": "tts", "test_input": large})),
        ("a long name", json!({"service_type": "stt", "provider": large})),
        ("an unknown field", json!({"service_type": "llm", "more": large})),
    ] {
        let reply = server.post("/providers/test").json(&body).send().await.unwrap();
        assert_eq!(reply.status(), 413, "{what}");
        assert_eq!(serde_json::from_str::<Value>(&reply.text().await.unwrap()).unwrap()["error"]["code"], "too_large");
    }
    let asked = sandbox.requests().await.into_iter().filter(|request| request.method == "POST");
    assert_eq!(asked.count(), 0, "no provider was called");
    // Files have a limit of their own.
    let seen = answer(chat(&server, &with("What is this?")).send().await.unwrap()).await;
    assert_eq!(seen["choices"][0]["message"]["content"], "Paris.", "{seen}");
    let test = json!({"service_type": "vlm", "provider": "groq", "test_input": BASE64.encode(&picture)});
    answer(server.post("/providers/test").json(&test).send().await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_do_not_repeat_long_values() {
    let (_sandbox, server) = server().await;
    let long = "x".repeat(400_000);
    let model = json!({"model": long, "messages": [{"role": "user", "content": "Who?"}]});
    rejected("a model", chat(&server, &model).send().await.unwrap(), 404).await;
    let role = json!({"model": "auto", "messages": [{"role": long, "content": "Who?"}]});
    rejected("a role", chat(&server, &role).send().await.unwrap(), 400).await;
    rejected("a part", chat(&server, &asking(json!([{"type": long}]))).send().await.unwrap(), 400).await;
    let reply = server.get(&format!("/v1/models/{}", &long[..5_000])).send().await.unwrap();
    rejected("a model in the path", reply, 404).await;
    let reply = server.post(&format!("/v1/models/{}", &long[..5_000])).send().await.unwrap();
    rejected("a model by POST", reply, 405).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn form_fields_have_limits() {
    let (_sandbox, server) = server().await;
    let form = || Form::new().text("model", "auto").part("file", Part::bytes(recording()).file_name("a.wav"));
    for path in ["/v1/audio/transcriptions", "/v1/audio/translations", "/openai/v1/audio/transcriptions"] {
        let send = |form: Form| server.post(path).multipart(form).send();
        let many = (0..100).fold(form(), |form, number| form.text(format!("field-{number}"), "x"));
        rejected("a hundred parts", send(many).await.unwrap(), 400).await;
        let long = form().text("prompt", "x".repeat(50_000));
        rejected("a long field", send(long).await.unwrap(), 400).await;
        let crowd = (0..30).fold(form(), |form, number| form.text("models[]", format!("model-{number}")));
        rejected("thirty models", send(crowd).await.unwrap(), 400).await;
        assert_eq!(answer(send(form()).await.unwrap()).await["text"], "What is the capital of France?", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_to_receive_a_request_counts_as_overhead() {
    let (_sandbox, server) = server().await;
    let body = asking(json!("Which?")).to_string();
    let (begin, end) = body.split_at(body.len() / 2);
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost:{}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{begin}",
        server.port(),
        body.len()
    );
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", server.port())).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    // The overhead is measured from the end of the head, so it includes this pause.
    tokio::time::sleep(Duration::from_millis(600)).await;
    stream.write_all(end.as_bytes()).await.unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await.unwrap();
    let overhead =
        reply.lines().find_map(|line| line.strip_prefix("x-aura-overhead-ms: ")).unwrap_or_else(|| panic!("{reply}"));
    // Half of the pause, because a busy computer may read the head late.
    assert!(overhead.trim().parse::<f64>().unwrap() > 300.0, "{reply}");
}
