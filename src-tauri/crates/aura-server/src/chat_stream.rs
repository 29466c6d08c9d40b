//! A chat request whose answer is streamed, in whichever format the client speaks.

use std::sync::Arc;

use aura_core::Assistant;
use aura_core::error::{Error, Result};
use aura_providers::ChatRequest;
use aura_router::{ChatResponse, Observer, RoutePlan};

use crate::event_stream::{EventStream, Item};

/// Pieces of text that are queued for a client that reads slowly.
const QUEUE: usize = 32;

/// An item of a streamed answer: the next part of the text, or the whole answer.
pub(crate) type ChatItem = Item<String, Box<ChatResponse>>;

/// A streamed answer.
pub(crate) type ChatStream = EventStream<String, Box<ChatResponse>>;

/// Starts a request and waits for its first item.
///
/// # Errors
/// When every route failed before the first content.
pub(crate) async fn stream_chat(
    assistant: Assistant,
    plan: RoutePlan,
    request: ChatRequest,
    observer: Arc<impl Observer + 'static>,
) -> Result<ChatStream> {
    let answer = |mut queue| async move {
        let routed = assistant.router().chat(&plan, &request, &*observer, &mut queue).await;
        routed.map(|routed| Box::new(routed.value)).map_err(Error::from)
    };
    ChatStream::start(QUEUE, answer).await
}
