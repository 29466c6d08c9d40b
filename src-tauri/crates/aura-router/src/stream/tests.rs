use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aura_providers::{Chat, FailureKind};
use futures::StreamExt;

use super::*;
use crate::error::Error;
use crate::testing::{Ending, FailingChat, ScriptedChat, chat_plan, router};

/// Texts of one word each, so that every text of the provider is one event of the stream.
fn words(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("word{number} ")).collect()
}

fn scripted(texts: Vec<String>, ending: Ending) -> (Arc<dyn Chat>, Arc<AtomicUsize>) {
    let read = Arc::new(AtomicUsize::new(0));
    (Arc::new(ScriptedChat { texts, ending, read: read.clone() }), read)
}

fn text(event: Option<Result<RoutedChatEvent>>) -> String {
    match event {
        Some(Ok(RoutedChatEvent::Text(text))) => text,
        other => panic!("expected text, got {other:?}"),
    }
}

#[tokio::test]
async fn text_arrives_in_order_and_then_the_end() {
    let router = router();
    let (chat, _) = scripted(words(20), Ending::Complete);
    let events: Vec<_> = router.chat_stream(chat_plan(&router, &chat), ChatRequest::default()).collect().await;
    let (last, texts) = events.split_last().unwrap();
    let texts: Vec<String> = texts.iter().map(|event| text(Some(event.clone()))).collect();
    assert_eq!(texts, words(20));
    let Ok(RoutedChatEvent::End(response)) = last else { panic!("expected the end, got {last:?}") };
    assert_eq!(response.value.text, words(20).concat());
    assert_eq!(response.route.provider, "groq");
}

#[tokio::test]
async fn the_stream_ends_after_the_first_error() {
    let router = router();
    let chat: Arc<dyn Chat> = Arc::new(FailingChat(FailureKind::InvalidRequest));
    let mut stream = router.chat_stream(chat_plan(&router, &chat), ChatRequest::default());
    assert!(matches!(stream.next().await, Some(Err(Error::InvalidRequest { .. }))));
    assert!(stream.next().await.is_none());
    assert!(stream.next().await.is_none(), "an ended stream may be polled again");
}

#[tokio::test]
async fn the_provider_is_read_at_the_pace_of_the_reader() {
    let router = router();
    let (chat, read) = scripted(words(100), Ending::Complete);
    let mut stream = router.chat_stream(chat_plan(&router, &chat), ChatRequest::default());
    assert_eq!(read.load(Ordering::Relaxed), 0, "nothing is called before the stream is polled");
    for taken in 1..=50 {
        text(stream.next().await);
        // One text may wait in the channel, and one at its entrance.
        let read = read.load(Ordering::Relaxed);
        assert!((taken..=taken + 2).contains(&read), "{taken} taken, {read} read");
    }
}

#[tokio::test]
async fn dropping_the_stream_cancels_the_request() {
    let router = router();
    let (chat, read) = scripted(words(1), Ending::Hang);
    let mut stream = router.chat_stream(chat_plan(&router, &chat), ChatRequest::default());
    assert_eq!(text(stream.next().await), "word0 ");
    drop(chat);
    // The test holds one reference; the other belongs to the provider's stream.
    assert!(Arc::strong_count(&read) > 1);
    drop(stream);
    assert_eq!(Arc::strong_count(&read), 1, "the provider's stream is dropped at once");
    let counts = router.attempt_counts();
    assert_eq!(counts.len(), 1);
    assert_eq!((counts[0].kind, counts[0].totals.attempts), (Some(FailureKind::Cancelled), 1));
}
