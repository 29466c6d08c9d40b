//! Behaviour that only Groq has.

use std::time::{Duration, Instant};

use aura_sandbox::{Delays, Rule, Script};
use reqwest::Client;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::harness::{Harness, groq_text, read_to_end};

#[tokio::test]
async fn a_request_needs_a_user_agent_and_the_right_api_key() {
    let harness = Harness::start().await;
    let url = format!("{}/models", harness.sandbox.groq_base_url());
    let without_user_agent = Client::builder().no_proxy().build().unwrap();
    let response = without_user_agent.get(&url).bearer_auth(harness.sandbox.key()).send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.text().await.unwrap().as_str()), (403, "error code: 1010"));
    assert_eq!(harness.client.get(&url).send().await.unwrap().status(), 401);
    assert_eq!(harness.client.get(&url).bearer_auth("no").send().await.unwrap().status(), 401);
    let response = harness.client.get(&url).bearer_auth(harness.sandbox.key()).send().await.unwrap();
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn a_stream_reports_usage_twice_and_rate_limits_in_headers() {
    let harness = Harness::start().await;
    let response = harness.groq_chat(true).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert!(response.headers().contains_key("x-ratelimit-remaining-tokens"));
    let (text, is_complete) = read_to_end(response).await;
    assert!(is_complete && text.ends_with("data: [DONE]\n\n") && !text.contains('\r'));
    assert_eq!(groq_text(&text), "This is the sandbox. You said: Good morning");
    let last = text.lines().filter_map(|line| line.strip_prefix("data: {")).next_back().unwrap();
    let last: Value = serde_json::from_str(&format!("{{{last}")).unwrap();
    assert_eq!(last["usage"], last["x_groq"]["usage"]);
    assert!(last["usage"]["total_tokens"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn streamed_chunks_follow_the_configured_delays() {
    let harness = Harness::start().await;
    harness.sandbox.set_delays(Delays { llm_first_ms: 100, llm_chunk_ms: 50, ..Delays::default() });
    harness.sandbox.set_script(Script { rules: vec![Rule::reply("One two three.")] });
    let start = Instant::now();
    let mut response = harness.groq_chat(true).send().await.unwrap();
    let mut arrivals = Vec::new();
    while let Some(chunk) = response.chunk().await.unwrap() {
        let text = String::from_utf8_lossy(&chunk).into_owned();
        arrivals.extend(["One", "two", "three."].iter().filter(|word| text.contains(**word)).map(|_| start.elapsed()));
    }
    assert_eq!(arrivals.len(), 3);
    // No chunk may be early. How late they are depends on the computer.
    for (arrival, due) in arrivals.iter().zip([100, 150, 200]) {
        assert!(*arrival >= Duration::from_millis(due), "{arrivals:?}");
    }
}

#[tokio::test]
async fn reasoning_tokens_count_against_the_token_limit() {
    let harness = Harness::start().await;
    let mut rule = Rule::reply("The answer.");
    rule.reply.reasoning = Some("One two three four five six seven eight nine".into());
    harness.sandbox.set_script(Script { rules: vec![rule] });
    let body = json!({
        "model": "openai/gpt-oss-20b", "max_completion_tokens": 2, "messages": [{"role": "user", "content": "Hello"}],
    });
    let answer: Value = harness.groq("chat/completions").json(&body).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["choices"][0]["message"]["content"], "");
    assert_eq!(answer["choices"][0]["finish_reason"], "length");
}

#[tokio::test]
async fn audio_uploads_are_validated_with_groqs_rules() {
    let harness = Harness::start().await;
    let tone = |samples: usize| {
        let mut bytes = std::io::Cursor::new(Vec::new());
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 16_000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
        (0..samples).for_each(|n| writer.write_sample(((n % 40) * 500) as i16).unwrap());
        writer.finalize().unwrap();
        bytes.into_inner()
    };
    let send = async |bytes: Vec<u8>, name: &str, fields: &[(&str, &str)]| {
        let part = Part::bytes(bytes).file_name(name.to_owned());
        let mut form = Form::new().text("model", "whisper-large-v3-turbo").part("file", part);
        for (name, value) in fields {
            form = form.text(name.to_string(), value.to_string());
        }
        let response = harness.groq("audio/transcriptions").multipart(form).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    let (status, body) = send(tone(16_000), "a.wav", &[("response_format", "verbose_json"), ("language", "en")]).await;
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, body["text"].as_str().unwrap()), (200, " open the window"));
    assert_eq!(body["duration"], 1.0);
    let (_, body) = send(tone(16_000), "a.wav", &[("response_format", "text")]).await;
    assert_eq!(body, " open the window");
    for (bytes, name, fields, words) in [
        (tone(100), "a.wav", vec![], "too short"),
        (b"<html>not a sound</html>".to_vec(), "a.wav", vec![], "valid media file"),
        (tone(16_000), "a.txt", vec![], "file must be one of"),
        (tone(16_000), "a.wav", vec![("response_format", "srt")], "response_format"),
        (tone(16_000), "a.wav", vec![("language", "en-US")], "language"),
        (tone(16_000), "a.wav", vec![("colour", "red")], "colour"),
    ] {
        let (status, body) = send(bytes, name, &fields).await;
        assert!(status == 400 && body.contains(words), "{body}");
    }
    let records = harness.sandbox.requests().await;
    assert_eq!(records[0].audio_seconds, Some(1.0));
    assert_eq!(records[0].file.as_ref().unwrap().name.as_deref(), Some("a.wav"));
}
