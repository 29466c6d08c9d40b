//! Check of the API key.

use crate::error_reply::{ErrorCause, ErrorReply};
use crate::request::RequestContext;

/// Value of a query parameter.
pub(super) fn query_parameter<'a>(context: &'a RequestContext, name: &str) -> Option<&'a str> {
    context
        .query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

/// Checks the API key in the header or the query.
pub(super) fn check_access(context: &RequestContext) -> Result<(), ErrorReply> {
    match context.header("x-goog-api-key").or_else(|| query_parameter(context, "key")) {
        None | Some("") => Err(context.error(&ErrorCause::MissingKey)),
        Some(key) if key == context.state.config.key => Ok(()),
        Some(_) => Err(context.error(&ErrorCause::WrongKey)),
    }
}
