//! The vocabulary of the settings: what reaches each provider with a recording.

use aura_core::api::{self, ChangeSettings};
use aura_core::error::ErrorCode;
use aura_sandbox::{Provider, RequestRecord, Service};
use aura_testkit::harness::Harness;
use serde_json::json;

/// The last request for a transcript.
async fn last_request(harness: &Harness) -> RequestRecord {
    let requests = harness.sandbox.requests().await;
    requests.into_iter().rfind(|request| request.service == Service::Stt).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_vocabulary_is_sent_with_every_recording() {
    let mut harness = Harness::new().await;
    let prompt = |request: &RequestRecord| {
        request.fields.iter().find(|(name, _)| name == "prompt").map(|(_, value)| value.clone())
    };
    assert_eq!(harness.speak().await.error, None);
    assert_eq!(prompt(&last_request(&harness).await), None);

    harness.change(json!({"listening": {"vocabulary": ["Tauri", "Orpheus", "Jürgen"]}})).await;
    assert_eq!(harness.speak().await.error, None);
    let request = last_request(&harness).await;
    assert_eq!(request.provider, Provider::Groq);
    assert_eq!(prompt(&request).as_deref(), Some("Tauri, Orpheus, Jürgen"));

    harness.change(json!({"routes": {"stt": {"provider": "gemini"}}})).await;
    assert_eq!(harness.speak().await.error, None);
    let request = last_request(&harness).await;
    assert_eq!(request.provider, Provider::Gemini);
    let body = request.json.unwrap().to_string();
    assert!(["Tauri", "Orpheus", "Jürgen"].iter().all(|term| body.contains(term)), "{body}");

    // A recording that a program sends to the local API.
    let file = aura_audio::speech_wav(&aura_testkit::fake_ports::speech(1.5));
    let (request, _) = harness.assistant.transcription_request(file).await.unwrap();
    assert_eq!(request.vocabulary, ["Tauri", "Orpheus", "Jürgen"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vocabulary_with_a_bad_term_is_refused_and_the_old_one_stays() {
    let harness = Harness::new().await;
    harness.change(json!({"listening": {"vocabulary": ["Tauri"]}})).await;
    for bad in [json!([""]), json!(["x".repeat(81)]), json!(["a\nb"]), json!(vec!["x"; 201]), json!("Tauri")] {
        let changes = json!({"listening": {"vocabulary": bad}});
        let error = api::change_settings(&harness.assistant, ChangeSettings { changes }).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidRequest, "{bad}");
    }
    assert_eq!(harness.assistant.config().settings.listening.vocabulary, ["Tauri"]);
}
