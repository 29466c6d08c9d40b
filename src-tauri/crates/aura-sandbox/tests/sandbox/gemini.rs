//! Behaviour that only Gemini has.

use serde_json::{Value, json};

use crate::harness::{Harness, read_to_end};

#[tokio::test]
async fn stream_events_end_in_crlf_without_a_done_event() {
    let harness = Harness::start().await;
    let (text, is_complete) = read_to_end(harness.gemini_stream().send().await.unwrap()).await;
    let events: Vec<&str> = text.split_terminator("\r\n\r\n").collect();
    assert!(is_complete && events.len() > 3 && !text.contains("[DONE]"));
    let event = |text: &str| serde_json::from_str::<Value>(text.strip_prefix("data: ").unwrap()).unwrap();
    let events: Vec<Value> = events.into_iter().map(event).collect();
    assert!(events.iter().all(|event| event["usageMetadata"]["promptTokenCount"].is_u64()));
    let last = &events[events.len() - 1];
    assert_eq!(last["candidates"][0]["finishReason"], "STOP");
    assert_eq!(last["modelVersion"], "gemini-3.5-flash-lite");
}

#[tokio::test]
async fn a_stream_without_alt_sse_is_one_json_array() {
    let harness = Harness::start().await;
    let body = json!({"contents": [{"parts": [{"text": "Good morning"}]}]});
    let send = async |model: &str| -> Value {
        let tail = format!("{model}:streamGenerateContent");
        harness.gemini(&tail, &body).send().await.unwrap().json().await.unwrap()
    };
    assert!(send("gemini-3.5-flash-lite").await.as_array().unwrap().len() > 3);
    assert_eq!(send("gemini-1.5-flash").await[0]["error"]["status"], "NOT_FOUND");
}

#[tokio::test]
async fn both_field_spellings_are_accepted_and_unknown_fields_rejected() {
    let harness = Harness::start().await;
    let contents = json!([{"role": "user", "parts": [{"text": "One two three four"}]}]);
    let send = async |config: Value| -> (u16, Value) {
        let body = json!({"contents": contents, "generation_config": config});
        let response = harness.gemini("gemini-3.8-flash:generateContent", &body).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    };
    let (status, body) = send(json!({"max_output_tokens": 2})).await;
    assert_eq!((status, body["candidates"][0]["finishReason"].as_str()), (200, Some("MAX_TOKENS")));
    let (status, body) = send(json!({"colour": 1})).await;
    assert_eq!(
        (status, body["error"]["details"][0]["fieldViolations"][0]["field"].as_str()),
        (400, Some("generation_config"))
    );
    for (config, words) in [
        (json!({"thinkingConfig": {"thinkingLevel": "minimal"}}), "MINIMAL is not supported"),
        (json!({"thinkingConfig": {"thinkingLevel": "low", "thinkingBudget": 0}}), "only one of"),
        (json!({"responseModalities": ["AUDIO"]}), "response modalities"),
    ] {
        let (status, body) = send(config).await;
        assert!(status == 400 && body["error"]["message"].as_str().unwrap().contains(words), "{body}");
    }
}

#[tokio::test]
async fn speech_is_a_wav_file_or_raw_samples() {
    let harness = Harness::start().await;
    let speak = async |model: &str, format: Value| -> (String, String) {
        let mut body = json!({
            "contents": [{"parts": [{"text": "Good morning"}]}],
            "generationConfig": {"responseModalities": ["AUDIO"]},
        });
        if !format.is_null() {
            body["generationConfig"]["responseFormat"] = json!({"audio": {"mimeType": format}});
        }
        let tail = format!("{model}:generateContent");
        let body: Value = harness.gemini(&tail, &body).send().await.unwrap().json().await.unwrap();
        let blob = body["candidates"][0]["content"]["parts"][0]["inlineData"].clone();
        (blob["mimeType"].as_str().unwrap().to_owned(), blob["data"].as_str().unwrap().to_owned())
    };
    let (mime, data) = speak("gemini-3.8-flash-lite-tts", Value::Null).await;
    // base64 of "RIFF"
    assert!(mime == "audio/wav" && data.starts_with("UklGR"));
    let raw = "audio/L16;codec=pcm;rate=24000";
    let (mime, data) = speak("gemini-3.8-flash-lite-tts", json!("AUDIO_L16")).await;
    // Half a second of 24 kHz samples, in base64.
    assert!(mime == raw && data.len() == 24_000 * 4 / 3);
    assert_eq!(speak("gemini-2.5-flash-preview-tts", Value::Null).await.0, raw);
}

#[tokio::test]
async fn missing_and_wrong_api_keys_are_rejected_and_the_query_key_is_redacted() {
    let harness = Harness::start().await;
    let url = format!("{}/models?pageSize=2", harness.sandbox.gemini_base_url());
    assert_eq!(harness.client.get(&url).send().await.unwrap().status(), 403);
    let response = harness.client.get(&url).header("x-goog-api-key", "no").send().await.unwrap();
    assert_eq!(response.status(), 400);
    let request = harness.client.get(format!("{url}&key={}", harness.sandbox.key()));
    let page: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(page["models"].as_array().unwrap().len(), 2);
    assert!(page["nextPageToken"].is_string());
    let records = harness.sandbox.requests().await;
    assert_eq!(records[2].query.as_deref(), Some("pageSize=2&key=[hidden]"));
}
