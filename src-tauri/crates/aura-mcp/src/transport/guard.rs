//! What every connection refuses, whatever carries it: floods, and messages that AURA has no use for.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rmcp::RoleClient;
use rmcp::model::{JsonRpcMessage, ServerNotification};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::End;
use crate::error::Failure;

/// Requests of a server that wait for their answer. AURA answers each at once, if only with a refusal.
const MAX_REQUESTS: usize = 16;

/// A transport without floods. A notification other than "the list of tools changed" is dropped here: progress, logs and the like.
pub(crate) struct Guarded<T> {
    inner: T,
    traffic: Traffic,
    /// Requests of the server without an answer.
    requests: Arc<AtomicUsize>,
    tools_changed: Arc<Notify>,
    end: End,
    /// Whether an error that belongs to no request ends the connection.
    has_sessions: bool,
}

impl<T> Guarded<T> {
    pub(crate) fn new(inner: T, messages_per_second: u32, tools_changed: Arc<Notify>, end: End) -> Self {
        let traffic = Traffic::new(messages_per_second);
        Self { inner, traffic, requests: Arc::default(), tools_changed, end, has_sessions: false }
    }

    /// For a transport whose server may forget the session. Many a server says so in an error without the id of the request, whose answer
    /// would be waited for in vain.
    pub(crate) fn with_sessions(self) -> Self {
        Self { has_sessions: true, ..self }
    }

    fn flooded<M>(&self) -> Option<M> {
        self.end.set(Failure::Flooded);
        None
    }
}

impl<T: Transport<RoleClient>> Transport<RoleClient> for Guarded<T> {
    type Error = T::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleClient>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        let is_answer = matches!(message, JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_));
        let requests = is_answer.then(|| self.requests.clone());
        let sending = self.inner.send(message);
        async move {
            let sent = sending.await;
            if let Some(requests) = requests {
                requests.fetch_sub(1, Ordering::Relaxed);
            }
            sent
        }
    }

    // Dropping the future loses nothing: there is one await, and what it returns is handled at once.
    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleClient>> {
        loop {
            let message = self.inner.receive().await?;
            if !self.traffic.allows_one_more() {
                return self.flooded();
            }
            match &message {
                JsonRpcMessage::Notification(notification) => {
                    if let ServerNotification::ToolListChangedNotification(_) = notification.notification {
                        self.tools_changed.notify_one();
                    }
                }
                JsonRpcMessage::Request(_) => {
                    if self.requests.fetch_add(1, Ordering::Relaxed) >= MAX_REQUESTS {
                        return self.flooded();
                    }
                    return Some(message);
                }
                JsonRpcMessage::Error(error) if error.id.is_none() && self.has_sessions => {
                    self.end.set(Failure::SessionLost);
                    return None;
                }
                JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_) => return Some(message),
            }
        }
    }

    fn close(&mut self) -> impl Future<Output = Result<(), Self::Error>> + Send {
        self.inner.close()
    }
}

/// Counts in windows of one second.
pub(super) struct Traffic {
    max: u32,
    count: u32,
    window: Instant,
}

impl Traffic {
    pub(super) fn new(per_second: u32) -> Self {
        Self { max: per_second, count: 0, window: Instant::now() }
    }

    pub(super) fn allows_one_more(&mut self) -> bool {
        if self.window.elapsed() >= Duration::from_secs(1) {
            (self.window, self.count) = (Instant::now(), 0);
        }
        self.count = self.count.saturating_add(1);
        self.count <= self.max
    }
}
