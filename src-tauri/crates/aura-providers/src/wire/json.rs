//! Complete JSON replies.

use serde_json::Value;

use super::error_reply;
use crate::types::{Failure, FailureKind};

/// Parses a JSON reply. Fails when it contains an error in spite of its status.
pub(crate) fn parse(body: &[u8]) -> Result<Value, Failure> {
    let value: Value = serde_json::from_slice(body).map_err(|_| {
        // A captive portal, or a base URL that belongs to another service.
        Failure::new(FailureKind::Unreachable, "The reply is not JSON. Check the provider's base URL and the network.")
    })?;
    match error_reply::in_success(&value) {
        Some(failure) => Err(failure),
        None => Ok(value),
    }
}
