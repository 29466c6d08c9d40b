//! Every fault shows on the wire as it was ordered.

use std::time::{Duration, Instant};

use aura_sandbox::{ErrorBody, Fault, FaultKind, FilterForm, GoneForm, Provider, Service, StreamErrorForm};
use serde_json::Value;
use tokio::time::timeout;

use crate::bench::{Bench, drain, groq_text};

/// What does not come by then does not come.
const SOON: Duration = Duration::from_secs(30);

#[tokio::test]
async fn statuses_come_with_the_providers_own_bodies_and_the_ordered_headers() {
    let bench = Bench::start().await;
    bench.sandbox.add_fault(Fault::status(429).provider(Provider::Groq).header("Retry-After", "2").times(1));
    let response = bench.ask_groq(false).send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.headers()["retry-after"].to_str().unwrap()), (429, "2"));
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["error"]["code"], "rate_limit_exceeded");

    bench.sandbox.add_fault(Fault::status(429).body(ErrorBody::Variant("day".into())).times(1));
    let body: Value = bench.ask_gemini().send().await.unwrap().json().await.unwrap();
    assert!(body["error"]["details"][1]["violations"][0]["quotaId"].as_str().unwrap().contains("PerDay"));

    bench.sandbox.add_fault(Fault::status(502).times(1));
    let response = bench.ask_groq(false).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/html");

    bench.sandbox.add_fault(Fault::new(FaultKind::ModelGone { form: GoneForm::Decommissioned }).times(1));
    let body: Value = bench.ask_groq(false).send().await.unwrap().json().await.unwrap();
    assert_eq!(body["error"]["code"], "model_decommissioned");

    bench.sandbox.add_fault(Fault::new(FaultKind::RefuseAuth).times(1));
    let response = bench.ask_gemini().send().await.unwrap();
    assert_eq!(response.status(), 400);
    assert!(response.text().await.unwrap().contains("API_KEY_INVALID"));
    assert_eq!(bench.ask_groq(false).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_reset_and_a_silence_are_seen_as_such() {
    let bench = Bench::start().await;
    bench.sandbox.add_fault(Fault::new(FaultKind::Reset).times(1));
    let error = timeout(SOON, bench.ask_groq(false).send()).await.unwrap().unwrap_err();
    assert!(format!("{error:?}").contains("ConnectionReset"), "{error:?}");

    bench.sandbox.add_fault(Fault::new(FaultKind::Silent).times(1));
    let mut waiting = tokio::spawn(bench.ask_groq(false).send());
    bench.logged(|request| request.fault.as_deref() == Some("silent")).await;
    assert!(timeout(Duration::from_millis(200), &mut waiting).await.is_err(), "it answers");
    waiting.abort();
    let request = bench.logged(|request| request.cancelled).await;
    assert_eq!((request.fault.as_deref(), request.status), (Some("silent"), None));
}

#[tokio::test]
async fn a_stream_is_cut_stalled_or_ends_without_saying_so() {
    let bench = Bench::start().await;
    bench.sandbox.add_fault(Fault::new(FaultKind::CutAfter { chunks: 2, reset: false }).times(1));
    bench.sandbox.add_fault(Fault::new(FaultKind::CutAfter { chunks: 3, reset: true }).times(1));
    for expected in ["This is ", "This is the "] {
        let (text, whole) = timeout(SOON, drain(bench.ask_groq(true).send().await.unwrap())).await.unwrap();
        assert_eq!((groq_text(&text).as_str(), whole), (expected, false));
    }

    bench.sandbox.add_fault(Fault::new(FaultKind::StallAfter { chunks: 1 }).times(1));
    let mut response = bench.ask_gemini().send().await.unwrap();
    assert!(response.chunk().await.unwrap().is_some());
    assert!(timeout(Duration::from_millis(200), response.chunk()).await.is_err());

    bench.sandbox.add_fault(Fault::new(FaultKind::NoFinish).times(2));
    let (text, whole) = drain(bench.ask_groq(true).send().await.unwrap()).await;
    assert!(whole && !text.contains("[DONE]") && !text.contains("\"finish_reason\":\"stop\""));
    let (text, whole) = drain(bench.ask_gemini().send().await.unwrap()).await;
    assert!(whole && text.contains("morning") && !text.contains("finishReason"));

    // A whole body that is cut announces more than it brings.
    bench.sandbox.add_fault(Fault::new(FaultKind::CutAfter { chunks: 1, reset: false }).times(1));
    let (text, whole) = drain(bench.ask_groq(false).send().await.unwrap()).await;
    assert!(!whole && text.starts_with('{') && serde_json::from_str::<Value>(&text).is_err());
}

#[tokio::test]
async fn errors_inside_a_stream_take_every_known_form() {
    let bench = Bench::start().await;
    let error = |form| Fault::new(FaultKind::StreamError { form, after: 1 }).times(1);
    let seen = async |form, gemini: bool| {
        bench.sandbox.add_fault(error(form));
        let request = if gemini { bench.ask_gemini() } else { bench.ask_groq(true) };
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        drain(response).await.0
    };
    let event = seen(StreamErrorForm::Event, false).await;
    assert!(event.contains("\nevent: error\ndata: {\"error\"") && !event.contains("[DONE]"));
    assert!(seen(StreamErrorForm::Data, false).await.contains("\ndata: {\"error\""));
    let chunk = seen(StreamErrorForm::XGroq, false).await;
    assert!(chunk.contains("\"error\":\"over_capacity\"") && chunk.contains("[DONE]"));
    assert!(seen(StreamErrorForm::Data, true).await.contains("\r\ndata: {\"error\""));
    assert!(seen(StreamErrorForm::RawJson, true).await.contains("\r\n\r\n{\n  \"error\""));
}

#[tokio::test]
async fn success_can_be_hollow() {
    let bench = Bench::start().await;
    let order = |kind| bench.sandbox.add_fault(Fault::new(kind).times(1));
    let value = async |request: reqwest::RequestBuilder| -> Value {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        response.json().await.unwrap()
    };
    order(FaultKind::EmptyAnswer { finish: Some("length".into()) });
    let answer = value(bench.ask_groq(false)).await;
    assert_eq!(answer["choices"][0]["message"]["content"], "");
    assert_eq!(answer["choices"][0]["finish_reason"], "length");

    order(FaultKind::ContentFilter { form: FilterForm::Prompt });
    let (text, _) = drain(bench.ask_gemini().send().await.unwrap()).await;
    assert!(text.contains("blockReason") && !text.contains("candidates"));
    order(FaultKind::ContentFilter { form: FilterForm::Answer });
    let (text, _) = drain(bench.ask_gemini().send().await.unwrap()).await;
    assert!(text.contains("This ") && text.contains("\"content\":{}") && text.contains("SAFETY"));

    order(FaultKind::MalformedChunk { after: 1 });
    let (text, _) = drain(bench.ask_groq(true).send().await.unwrap()).await;
    let broken = text.lines().filter_map(|line| line.strip_prefix("data: {")).filter(|json| !json.ends_with('}'));
    assert_eq!(broken.count(), 1);

    order(FaultKind::WrongContentType { content_type: "text/html".into() });
    let response = bench.ask_groq(true).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/html");

    let voice = |kind| {
        bench.sandbox.add_fault(Fault::new(kind).service(Service::Tts).times(1));
        let body = serde_json::json!({
            "model": "canopylabs/orpheus-v1-english", "voice": "hannah", "input": "Hello", "response_format": "wav",
        });
        bench.groq("audio/speech").json(&body)
    };
    assert!(voice(FaultKind::ZeroAudio).send().await.unwrap().bytes().await.unwrap().is_empty());
    let half = voice(FaultKind::TruncatedAudio).send().await.unwrap().bytes().await.unwrap();
    let promised = u32::from_le_bytes(half[40..44].try_into().unwrap()) as usize;
    assert!(half.len() - 44 < promised && half.len() > promised / 3);
}

#[tokio::test]
async fn delays_fall_where_they_were_ordered() {
    let bench = Bench::start().await;
    bench.sandbox.add_fault(Fault::new(FaultKind::DelayHeaders { ms: 200 }).times(1));
    let start = Instant::now();
    bench.ask_groq(true).send().await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(200));

    bench.sandbox.add_fault(Fault::new(FaultKind::DelayContent { ms: 300 }).times(1));
    let start = Instant::now();
    bench.ask_gemini().send().await.unwrap().chunk().await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(300));

    // The headers do not wait for the content, which here comes after all patience.
    bench.sandbox.add_fault(Fault::new(FaultKind::DelayContent { ms: 600_000 }).times(1));
    let mut response = timeout(SOON, bench.ask_gemini().send()).await.unwrap().unwrap();
    assert!(timeout(Duration::from_millis(200), response.chunk()).await.is_err(), "the content did not wait");
}

#[tokio::test]
async fn a_beginning_of_the_answer_is_refused_when_ordered() {
    let bench = Bench::start().await;
    bench.sandbox.add_fault(Fault::new(FaultKind::RefusePrefill));
    let question = serde_json::json!({"role": "user", "content": "Good morning"});
    let begun = serde_json::json!({"role": "assistant", "content": "Good"});
    for (messages, status) in [(vec![&question], 200), (vec![&question, &begun], 400), (vec![&begun, &question], 200)] {
        let body = serde_json::json!({"model": "openai/gpt-oss-20b", "messages": messages});
        assert_eq!(bench.groq("chat/completions").json(&body).send().await.unwrap().status(), status, "{body}");
    }
    let said = |role: &str| serde_json::json!({"role": role, "parts": [{"text": "Good morning"}]});
    for (last, status) in [("user", 200), ("model", 400)] {
        let body = serde_json::json!({"contents": [said("user"), said(last)]});
        let response = bench.gemini("gemini-3.5-flash-lite:generateContent", &body).send().await.unwrap();
        assert_eq!(response.status(), status);
    }
}

#[tokio::test]
async fn an_ordered_body_can_repeat_the_key() {
    let bench = Bench::start().await;
    bench.sandbox.add_fault(Fault::status(401).body(ErrorBody::Text("Who is {key}?".into())));
    for request in [bench.ask_groq(true), bench.ask_gemini()] {
        let text = request.send().await.unwrap().text().await.unwrap();
        assert_eq!(text, format!("Who is {}?", bench.sandbox.key()));
    }
}

#[tokio::test]
async fn stopping_refuses_connections_and_ends_those_that_wait() {
    let bench = Bench::start().await;
    bench.sandbox.add_fault(Fault::new(FaultKind::Silent));
    let waiting = tokio::spawn(bench.ask_groq(false).send());
    while bench.sandbox.requests().await.is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let later = bench.ask_groq(false);
    bench.sandbox.stop().await;
    assert!(timeout(SOON, waiting).await.unwrap().unwrap().is_err());
    assert!(timeout(SOON, later.send()).await.unwrap().unwrap_err().is_connect());
}
