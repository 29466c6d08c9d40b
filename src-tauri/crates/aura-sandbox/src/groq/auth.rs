//! Checks of the User-Agent and the API key.

use super::errors;
use crate::error_reply::ErrorReply;
use crate::request::RequestContext;

/// Checks the headers that Groq requires: its proxy a User-Agent, its API a bearer key.
pub(super) fn check_access(context: &RequestContext) -> Result<(), ErrorReply> {
    if context.header("user-agent").is_none_or(str::is_empty) {
        return Err(errors::missing_user_agent());
    }
    context.check_bearer()
}
