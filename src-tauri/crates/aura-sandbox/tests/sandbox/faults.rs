//! What each fault kind puts on the wire.

use std::time::{Duration, Instant};

use aura_sandbox::{ErrorBody, Fault, FaultKind, FilterForm, GoneForm, Provider, Service, StreamErrorForm};
use serde_json::Value;
use tokio::time::timeout;

use crate::harness::{Harness, groq_text, read_to_end};

/// Limit for everything that must arrive at all.
const DEADLINE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_status_fault_has_the_providers_body_and_the_ordered_headers() {
    let harness = Harness::start().await;
    harness.sandbox.add_fault(Fault::status(429).provider(Provider::Groq).header("Retry-After", "2").times(1));
    let response = harness.groq_chat(false).send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.headers()["retry-after"].to_str().unwrap()), (429, "2"));
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["error"]["code"], "rate_limit_exceeded");

    harness.sandbox.add_fault(Fault::status(429).body(ErrorBody::Variant("day".into())).times(1));
    let body: Value = harness.gemini_stream().send().await.unwrap().json().await.unwrap();
    assert!(body["error"]["details"][1]["violations"][0]["quotaId"].as_str().unwrap().contains("PerDay"));

    harness.sandbox.add_fault(Fault::status(502).times(1));
    let response = harness.groq_chat(false).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/html");

    harness.sandbox.add_fault(Fault::new(FaultKind::ModelGone { form: GoneForm::Decommissioned }).times(1));
    let body: Value = harness.groq_chat(false).send().await.unwrap().json().await.unwrap();
    assert_eq!(body["error"]["code"], "model_decommissioned");

    harness.sandbox.add_fault(Fault::new(FaultKind::RefuseAuth).times(1));
    let response = harness.gemini_stream().send().await.unwrap();
    assert_eq!(response.status(), 400);
    assert!(response.text().await.unwrap().contains("API_KEY_INVALID"));
    assert_eq!(harness.groq_chat(false).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn reset_aborts_the_connection_and_silent_never_answers() {
    let harness = Harness::start().await;
    harness.sandbox.add_fault(Fault::new(FaultKind::Reset).times(1));
    let error = timeout(DEADLINE, harness.groq_chat(false).send()).await.unwrap().unwrap_err();
    assert!(format!("{error:?}").contains("ConnectionReset"), "{error:?}");

    harness.sandbox.add_fault(Fault::new(FaultKind::Silent).times(1));
    let mut pending = tokio::spawn(harness.groq_chat(false).send());
    harness.wait_for_record(|request| request.fault.as_deref() == Some("silent")).await;
    assert!(timeout(Duration::from_millis(200), &mut pending).await.is_err(), "the sandbox answered");
    pending.abort();
    let request = harness.wait_for_record(|request| request.cancelled).await;
    assert_eq!((request.fault.as_deref(), request.status), (Some("silent"), None));
}

#[tokio::test]
async fn a_stream_is_cut_stalled_or_ends_without_a_finish_reason() {
    let harness = Harness::start().await;
    harness.sandbox.add_fault(Fault::new(FaultKind::CutAfter { chunks: 2, reset: false }).times(1));
    harness.sandbox.add_fault(Fault::new(FaultKind::CutAfter { chunks: 3, reset: true }).times(1));
    for expected in ["This is ", "This is the "] {
        let (text, is_complete) =
            timeout(DEADLINE, read_to_end(harness.groq_chat(true).send().await.unwrap())).await.unwrap();
        assert_eq!((groq_text(&text).as_str(), is_complete), (expected, false));
    }

    harness.sandbox.add_fault(Fault::new(FaultKind::StallAfter { chunks: 1 }).times(1));
    let mut response = harness.gemini_stream().send().await.unwrap();
    assert!(response.chunk().await.unwrap().is_some());
    assert!(timeout(Duration::from_millis(200), response.chunk()).await.is_err());

    harness.sandbox.add_fault(Fault::new(FaultKind::NoFinish).times(2));
    let (text, is_complete) = read_to_end(harness.groq_chat(true).send().await.unwrap()).await;
    assert!(is_complete && !text.contains("[DONE]") && !text.contains("\"finish_reason\":\"stop\""));
    let (text, is_complete) = read_to_end(harness.gemini_stream().send().await.unwrap()).await;
    assert!(is_complete && text.contains("morning") && !text.contains("finishReason"));

    // A buffered body that is cut has fewer bytes than its Content-Length says.
    harness.sandbox.add_fault(Fault::new(FaultKind::CutAfter { chunks: 1, reset: false }).times(1));
    let (text, is_complete) = read_to_end(harness.groq_chat(false).send().await.unwrap()).await;
    assert!(!is_complete && text.starts_with('{') && serde_json::from_str::<Value>(&text).is_err());
}

#[tokio::test]
async fn an_error_inside_a_stream_takes_every_form() {
    let harness = Harness::start().await;
    let error = |form| Fault::new(FaultKind::StreamError { form, after: 1 }).times(1);
    let stream_with = async |form, gemini: bool| {
        harness.sandbox.add_fault(error(form));
        let request = if gemini { harness.gemini_stream() } else { harness.groq_chat(true) };
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        read_to_end(response).await.0
    };
    let event = stream_with(StreamErrorForm::Event, false).await;
    assert!(event.contains("\nevent: error\ndata: {\"error\"") && !event.contains("[DONE]"));
    assert!(stream_with(StreamErrorForm::Data, false).await.contains("\ndata: {\"error\""));
    let chunk = stream_with(StreamErrorForm::XGroq, false).await;
    assert!(chunk.contains("\"error\":\"over_capacity\"") && chunk.contains("[DONE]"));
    assert!(stream_with(StreamErrorForm::Data, true).await.contains("\r\ndata: {\"error\""));
    assert!(stream_with(StreamErrorForm::RawJson, true).await.contains("\r\n\r\n{\n  \"error\""));
}

#[tokio::test]
async fn status_200_can_carry_empty_filtered_or_malformed_content() {
    let harness = Harness::start().await;
    let order = |kind| harness.sandbox.add_fault(Fault::new(kind).times(1));
    let value = async |request: reqwest::RequestBuilder| -> Value {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        response.json().await.unwrap()
    };
    order(FaultKind::EmptyAnswer { finish: Some("length".into()) });
    let answer = value(harness.groq_chat(false)).await;
    assert_eq!(answer["choices"][0]["message"]["content"], "");
    assert_eq!(answer["choices"][0]["finish_reason"], "length");

    order(FaultKind::ContentFilter { form: FilterForm::Prompt });
    let (text, _) = read_to_end(harness.gemini_stream().send().await.unwrap()).await;
    assert!(text.contains("blockReason") && !text.contains("candidates"));
    order(FaultKind::ContentFilter { form: FilterForm::Answer });
    let (text, _) = read_to_end(harness.gemini_stream().send().await.unwrap()).await;
    assert!(text.contains("This ") && text.contains("\"content\":{}") && text.contains("SAFETY"));

    order(FaultKind::MalformedChunk { after: 1 });
    let (text, _) = read_to_end(harness.groq_chat(true).send().await.unwrap()).await;
    let broken = text.lines().filter_map(|line| line.strip_prefix("data: {")).filter(|json| !json.ends_with('}'));
    assert_eq!(broken.count(), 1);

    order(FaultKind::WrongContentType { content_type: "text/html".into() });
    let response = harness.groq_chat(true).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/html");

    let speech_with = |kind| {
        harness.sandbox.add_fault(Fault::new(kind).service(Service::Tts).times(1));
        let body = serde_json::json!({
            "model": "canopylabs/orpheus-v1-english", "voice": "hannah", "input": "Hello", "response_format": "wav",
        });
        harness.groq("audio/speech").json(&body)
    };
    assert!(speech_with(FaultKind::ZeroAudio).send().await.unwrap().bytes().await.unwrap().is_empty());
    let half = speech_with(FaultKind::TruncatedAudio).send().await.unwrap().bytes().await.unwrap();
    let promised = u32::from_le_bytes(half[40..44].try_into().unwrap()) as usize;
    assert!(half.len() - 44 < promised && half.len() > promised / 3);
}

#[tokio::test]
async fn delay_faults_delay_the_headers_or_the_content() {
    let harness = Harness::start().await;
    harness.sandbox.add_fault(Fault::new(FaultKind::DelayHeaders { ms: 200 }).times(1));
    let start = Instant::now();
    harness.groq_chat(true).send().await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(200));

    harness.sandbox.add_fault(Fault::new(FaultKind::DelayContent { ms: 300 }).times(1));
    let start = Instant::now();
    harness.gemini_stream().send().await.unwrap().chunk().await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(300));

    // The headers are sent at once although the content is ten minutes away.
    harness.sandbox.add_fault(Fault::new(FaultKind::DelayContent { ms: 600_000 }).times(1));
    let mut response = timeout(DEADLINE, harness.gemini_stream().send()).await.unwrap().unwrap();
    assert!(timeout(Duration::from_millis(200), response.chunk()).await.is_err(), "the content was not delayed");
}

#[tokio::test]
async fn refuse_prefill_rejects_only_a_trailing_assistant_message() {
    let harness = Harness::start().await;
    harness.sandbox.add_fault(Fault::new(FaultKind::RefusePrefill));
    let user = serde_json::json!({"role": "user", "content": "Good morning"});
    let prefill = serde_json::json!({"role": "assistant", "content": "Good"});
    for (messages, status) in [(vec![&user], 200), (vec![&user, &prefill], 400), (vec![&prefill, &user], 200)] {
        let body = serde_json::json!({"model": "openai/gpt-oss-20b", "messages": messages});
        assert_eq!(harness.groq("chat/completions").json(&body).send().await.unwrap().status(), status, "{body}");
    }
    let message = |role: &str| serde_json::json!({"role": role, "parts": [{"text": "Good morning"}]});
    for (last, status) in [("user", 200), ("model", 400)] {
        let body = serde_json::json!({"contents": [message("user"), message(last)]});
        let response = harness.gemini("gemini-3.5-flash-lite:generateContent", &body).send().await.unwrap();
        assert_eq!(response.status(), status);
    }
}

#[tokio::test]
async fn an_ordered_error_body_can_contain_the_api_key() {
    let harness = Harness::start().await;
    harness.sandbox.add_fault(Fault::status(401).body(ErrorBody::Text("Who is {key}?".into())));
    for request in [harness.groq_chat(true), harness.gemini_stream()] {
        let text = request.send().await.unwrap().text().await.unwrap();
        assert_eq!(text, format!("Who is {}?", harness.sandbox.key()));
    }
}

#[tokio::test]
async fn stopping_aborts_pending_requests_and_refuses_new_connections() {
    let harness = Harness::start().await;
    harness.sandbox.add_fault(Fault::new(FaultKind::Silent));
    let pending = tokio::spawn(harness.groq_chat(false).send());
    while harness.sandbox.requests().await.is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let later = harness.groq_chat(false);
    harness.sandbox.stop().await;
    assert!(timeout(DEADLINE, pending).await.unwrap().unwrap().is_err());
    assert!(timeout(DEADLINE, later.send()).await.unwrap().unwrap_err().is_connect());
}
