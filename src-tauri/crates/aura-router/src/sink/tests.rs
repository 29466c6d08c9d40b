use futures::FutureExt;

use super::*;

#[tokio::test]
async fn a_vector_collects_every_item_in_order() {
    let mut items = Vec::new();
    for item in 1..=3 {
        Sink::send(&mut items, item).await;
    }
    assert_eq!(items, [1, 2, 3]);
}

#[tokio::test]
async fn a_closure_is_called_with_every_item_in_order() {
    let mut items = Vec::new();
    let mut sink = sink_fn(|item: i32| items.push(item));
    sink.send(1).await;
    sink.send(2).await;
    assert_eq!(items, [1, 2]);
}

#[tokio::test]
async fn a_full_channel_makes_the_sender_wait() {
    let (mut sink, mut items) = mpsc::channel(1);
    Sink::send(&mut sink, 1).await;
    let mut second = Box::pin(Sink::send(&mut sink, 2));
    assert!(second.as_mut().now_or_never().is_none(), "there is room for one item only");
    assert_eq!(items.recv().await, Some(1));
    second.await;
    assert_eq!(items.recv().await, Some(2));
}

#[tokio::test]
async fn items_for_a_closed_channel_are_dropped() {
    let (mut sink, items) = mpsc::channel(1);
    drop(items);
    for item in 1..=3 {
        Sink::send(&mut sink, item).await;
    }
}
