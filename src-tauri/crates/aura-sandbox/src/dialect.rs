//! The provider-specific part of the shared request path.

use std::collections::BTreeMap;
use std::fmt::Debug;

use bytes::Bytes;

use crate::error_reply::{ErrorCause, ErrorReply, proxy_error_page};
use crate::faults::{ErrorBody, StreamErrorForm};
use crate::ids::Provider;

/// How one provider reports errors. Each provider folder has one implementation.
pub(crate) trait Dialect: Debug + Sync {
    /// The imitated provider.
    fn provider(&self) -> Provider;

    /// The provider's error reply for `cause` to a request for `model`.
    fn error_reply(&self, cause: &ErrorCause, model: &str) -> ErrorReply;

    /// The chunks that report an error inside a stream that began with status 200.
    fn stream_error(&self, form: StreamErrorForm) -> Vec<Bytes>;

    /// Whether the provider reports a blocked prompt with an error status. If not, the handler reports it with status
    /// 200.
    fn rejects_blocked_prompts(&self) -> bool {
        true
    }

    /// The reply for a status fault. Headers of the fault replace the provider's own.
    fn status_fault(&self, model: &str, code: u16, body: &ErrorBody, headers: &BTreeMap<String, String>) -> ErrorReply {
        let usual = |variant| self.error_reply(&ErrorCause::Status { code, variant }, model);
        let mut error_reply = match body {
            ErrorBody::Provider => usual(None),
            ErrorBody::Variant(name) => usual(Some(name.clone())),
            ErrorBody::Empty => ErrorReply::text(code, "application/json", Bytes::new()),
            ErrorBody::Html => proxy_error_page(code),
            ErrorBody::Json(value) => ErrorReply::json(code, value),
            ErrorBody::Text(text) => ErrorReply::text(code, "text/plain; charset=UTF-8", text.clone()),
        };
        error_reply.headers.extend(headers.iter().map(|(name, value)| (name.to_lowercase(), value.clone())));
        error_reply
    }
}
