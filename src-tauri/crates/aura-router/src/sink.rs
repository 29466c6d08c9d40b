//! Receiving a streamed result with back-pressure.

#[cfg(test)]
mod tests;

use tokio::sync::mpsc;

/// Receives the items of a streamed result, in order.
///
/// The router waits for [`send`](Sink::send) before it reads more from the provider, so a slow receiver slows the provider down.
/// When a route fails after content, the next route continues into the same sink, and nothing that was sent is withdrawn.
pub trait Sink<T: Send>: Send {
    /// Takes one item. The next one is read when the future is ready.
    fn send(&mut self, item: T) -> impl Future<Output = ()> + Send;
}

/// A bounded channel: [`Sink::send`] waits while it is full. Items for a closed channel are dropped.
impl<T: Send> Sink<T> for mpsc::Sender<T> {
    async fn send(&mut self, item: T) {
        let _ = mpsc::Sender::send(self, item).await;
    }
}

/// A vector, which collects every item.
impl<T: Send> Sink<T> for Vec<T> {
    async fn send(&mut self, item: T) {
        self.push(item);
    }
}

/// A sink that calls a closure, which must not block.
#[derive(Debug, Clone)]
pub struct FnSink<F>(F);

/// A sink that calls `receive` with each item.
pub fn sink_fn<T, F: FnMut(T) + Send>(receive: F) -> FnSink<F> {
    FnSink(receive)
}

impl<T: Send, F: FnMut(T) + Send> Sink<T> for FnSink<F> {
    async fn send(&mut self, item: T) {
        (self.0)(item);
    }
}
