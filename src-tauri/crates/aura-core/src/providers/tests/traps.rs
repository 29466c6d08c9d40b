//! What real servers are known to trip a client with, where no other test has it.

use futures::TryStreamExt;
use serde_json::{Value, json};

use super::*;
use crate::providers::wire::{recorded, scripted};

fn body(request: &str) -> Value {
    serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap()
}

/// Trap 12: a model that reasons may spend all its tokens on it. That is told apart from an answer, so that there is more room
/// the next time (`router`, and the wall's row "thinking ate the answer").
#[tokio::test]
async fn thinking_that_took_all_the_room_is_no_answer() {
    let thought = json!({"choices": [{"delta": {"reasoning": "Let me see.", "channel": "analysis"}}]});
    let full = json!({"choices": [{"delta": {}, "finish_reason": "length"}]});
    let stream = format!("data: {thought}\n\ndata: {full}\n\ndata: [DONE]\n\n");
    let server = scripted::start(vec![scripted::events(stream.as_bytes())]).await;
    let chat = at("groq", &server.base, Some(KEY), None).chat.unwrap();
    let model = crate::catalog::default_model("groq", Service::Llm).unwrap();
    let pieces: Vec<ChatPiece> = chat.chat(&question(model)).await.unwrap().try_collect().await.unwrap();
    assert!(
        matches!(pieces.as_slice(), [ChatPiece::Thinking, ChatPiece::End { finish: Finish::Length, .. }]),
        "{pieces:?}"
    );
    assert_eq!(body(&server.requests()[0])["reasoning_effort"], "low", "it is asked to think little");
}

/// Trap 13: how much a model thinks is said in words that another model refuses.
#[test]
fn each_model_is_asked_to_think_in_its_own_words() {
    let effort = |model: &str| {
        crate::catalog::reasoning("groq", model).and_then(|params| params.get("reasoning_effort").cloned())
    };
    assert_eq!(effort("openai/gpt-oss-20b"), Some(json!("low")), "it refuses `none`");
    assert_eq!(effort("qwen/qwen3.8-27b"), Some(json!("none")));
    assert_ne!(effort("qwen/qwen3-32b"), Some(json!("low")), "it refuses `low`");
    assert_eq!(effort("a/model-of-tomorrow"), None, "what is not known is not asked for");
}

/// Trap 14: Groq's JSON is neither streamed nor combined with tools.
#[tokio::test]
async fn json_is_not_combined_with_streams_or_tools() {
    let server = scripted::start(vec![scripted::json(&recorded::text("groq_chat.json"))]).await;
    let chat = at("groq", &server.base, Some(KEY), None).chat.unwrap();
    let mut asked = ChatRequest { format: AnswerFormat::Json, ..question("m") };
    assert_eq!(collect(chat.chat(&asked).await).await.0, "Hello there.");
    assert_eq!(body(&server.requests()[0])["stream"], false);
    asked.tools = vec![Tool { name: "clock".into(), description: None, parameters: None, strict: None }];
    assert_eq!(chat.chat(&asked).await.err().unwrap().class, Class::Unsupported);
    assert_eq!(server.requests().len(), 1, "the second one was not sent");
}

/// Trap 15: four megabytes of base64 in all; the pictures of earlier questions are not sent again (`turn`).
#[tokio::test]
async fn pictures_that_are_too_large_are_not_sent() {
    let server = scripted::start(vec![]).await;
    let chat = at("groq", &server.base, Some(KEY), None).chat.unwrap();
    let mut asked = question("m");
    asked.messages[0] = Message::new(Role::User, "hi").showing(Some(Bytes::from(vec![0xff; 3_200_000])));
    assert_eq!(chat.chat(&asked).await.err().unwrap().class, Class::Unsupported);
    assert!(server.requests().is_empty());
}

/// Trap 35: one pool of connections, no compression of streams, and no clock of the client's own but the one for connecting.
#[tokio::test]
async fn a_slow_stream_is_not_ended_by_the_client() {
    let act = scripted::slowly(scripted::events(&recorded::bytes("groq_chat_stream.sse")), 9);
    let server = scripted::start(vec![act]).await;
    let chat = at("groq", &server.base, Some(KEY), None).chat.unwrap();
    assert!(collect(chat.chat(&question("m")).await).await.1.is_ok());
    assert!(!server.requests()[0].to_lowercase().contains("accept-encoding"));
}
