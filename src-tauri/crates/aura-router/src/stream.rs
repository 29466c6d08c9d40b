//! An answer as a [`Stream`], for callers that do not want to pass a [`Sink`](crate::Sink).

#[cfg(test)]
mod tests;

use std::pin::Pin;
use std::task::{Context, Poll};

use aura_providers::ChatRequest;
use futures::Stream;
use futures::future::BoxFuture;
use tokio::sync::mpsc;

use crate::chat::ChatResponse;
use crate::error::Result;
use crate::outcome::Routed;
use crate::plan::RoutePlan;
use crate::router::Router;

/// Texts that may wait for the reader. The smallest channel: the provider is read at the pace of the reader.
const CAPACITY: usize = 1;

/// An event of [`Router::chat_stream`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum RoutedChatEvent {
    /// The next part of the answer, in whole words.
    Text(String),
    /// The complete answer; the last event.
    End(Box<Routed<ChatResponse>>),
}

/// An answer as a stream of [`RoutedChatEvent`]s. Ends after [`RoutedChatEvent::End`] or the first error.
///
/// The request makes progress only while the stream is polled. Dropping the stream cancels the request.
pub struct RoutedChat {
    request: Option<BoxFuture<'static, Result<Routed<ChatResponse>>>>,
    text: mpsc::Receiver<String>,
}

impl Router {
    /// Answers a question as a stream. Makes no call before the stream is polled, and reads from the provider only as fast as the
    /// stream is read. Attempts are recorded by the router; to observe them, use [`Router::chat`].
    pub fn chat_stream(&self, plan: RoutePlan, request: ChatRequest) -> RoutedChat {
        let (mut sink, text) = mpsc::channel(CAPACITY);
        let router = self.clone();
        let request = async move { router.chat(&plan, &request, &(), &mut sink).await };
        RoutedChat { request: Some(Box::pin(request)), text }
    }
}

impl Stream for RoutedChat {
    type Item = Result<RoutedChatEvent>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // Poll the request first: it sends the text that is received below.
        let finished = match &mut self.request {
            Some(request) => request.as_mut().poll(context),
            None => Poll::Pending,
        };
        if let Poll::Ready(result) = finished {
            self.request = None;
            // The last text may still be in the channel: it comes before the end.
            if let Ok(text) = self.text.try_recv() {
                self.request = Some(Box::pin(std::future::ready(result)));
                return Poll::Ready(Some(Ok(RoutedChatEvent::Text(text))));
            }
            return Poll::Ready(Some(result.map(|response| RoutedChatEvent::End(Box::new(response)))));
        }
        match self.text.poll_recv(context) {
            Poll::Ready(Some(text)) => Poll::Ready(Some(Ok(RoutedChatEvent::Text(text)))),
            Poll::Ready(None) if self.request.is_none() => Poll::Ready(None),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}
