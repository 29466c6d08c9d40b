//! Embeddings with failover.

use aura_providers::{EmbeddingReply, EmbeddingRequest, Failure, FailureKind};
use futures::FutureExt;
use tokio::time::timeout_at;

use crate::attempt::Observer;
use crate::cost::LocalCount;
use crate::error::Result;
use crate::failover::{Call, CallOutcome, Failover};
use crate::outcome::{Routed, char_count, timed_out};
use crate::plan::RoutePlan;
use crate::router::Router;

impl Router {
    /// Embeds texts. The vectors of one reply are all of one route.
    ///
    /// Vectors of different models cannot be compared. A plan whose routes have different models suits texts that are compared only with
    /// each other; [`RoutePlan::same_model`] leaves the others out.
    ///
    /// # Errors
    /// When every route failed, or one failed in a way that rules out the others; see [`retry_policy`](crate::retry_policy).
    pub async fn embed(
        &self,
        plan: &RoutePlan,
        request: &EmbeddingRequest,
        observer: &dyn Observer,
    ) -> Result<Routed<EmbeddingReply>> {
        let mut failover = Failover::new(self, plan, observer);
        let start = |call: Call| embed(call, request.clone()).boxed();
        let (embedded, in_flight) = failover.start(&start).await?;
        let input_chars = request.inputs.iter().map(|text| char_count(text)).fold(0_u32, u32::saturating_add);
        let measured = LocalCount { input_chars, ..LocalCount::default() };
        let outcome = CallOutcome { usage: embedded.usage.clone(), measured, ..CallOutcome::default() };
        failover.succeeded(&in_flight, outcome);
        Ok(Routed { value: embedded, route: in_flight.route })
    }
}

/// Makes one call.
async fn embed(call: Call, request: EmbeddingRequest) -> Result<EmbeddingReply, Failure> {
    let Some(embedding) = &call.services.embedding else {
        return Err(Failure::new(FailureKind::Unsupported, "This provider does not offer embeddings."));
    };
    let request = EmbeddingRequest { model: call.route.model.clone(), ..request };
    timeout_at(call.due(), embedding.embed(&request)).await.unwrap_or_else(|_| Err(timed_out("embedding")))
}
