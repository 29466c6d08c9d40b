//! A request that the server is told to stop when nobody waits for it any more.

use std::time::Duration;

use rmcp::RoleClient;
use rmcp::model::{ClientRequest, ServerResult};
use rmcp::service::{Peer, PeerRequestOptions, RequestHandle, ServiceError};
use tokio::runtime::Handle;

/// The longest time for the message that a request is cancelled.
const CANCEL: Duration = Duration::from_secs(5);

/// Sends a request and waits for its answer. Dropping the future tells the server to stop.
pub(super) async fn request(peer: &Peer<RoleClient>, request: ClientRequest) -> Result<ServerResult, ServiceError> {
    let handle = peer.send_cancellable_request(request, PeerRequestOptions::no_options()).await?;
    let mut pending = Pending(Some(handle));
    let answer = match &mut pending.0 {
        Some(handle) => (&mut handle.rx).await,
        None => return Err(ServiceError::TransportClosed),
    };
    pending.0 = None;
    answer.map_err(|_| ServiceError::TransportClosed)?
}

struct Pending(Option<RequestHandle<RoleClient>>);

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(handle) = self.0.take()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(async move {
                // A server that takes no messages any more is found out elsewhere.
                let _ = tokio::time::timeout(CANCEL, handle.cancel(None)).await;
            });
        }
    }
}
