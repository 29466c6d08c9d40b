//! A connection to a server that is ready: its tools, and calls of them.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use rmcp::RoleClient;
use rmcp::model::{
    CallToolRequest, CallToolRequestParams, CallToolResult, ClientRequest, ErrorCode, JsonObject, ListToolsRequest,
    PaginatedRequestParams, PingRequest, ServerResult, Tool,
};
use rmcp::service::{Peer, ServiceError};
use rmcp::transport::streamable_http_client::StreamableHttpError;
use serde_json::Value;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

use super::handshake::{Opened, broken, closed};
use super::pending::request;
use crate::error::{Error, Failure};
use crate::limits::Limits;
use crate::secrets::Redactor;
use crate::tools::{Listing, Offer, ToolInfo, ToolOutput, clean, output};
use crate::transport::{End, TOO_LARGE, UNREADABLE};

/// Pages of the list of tools.
const MAX_PAGES: usize = 32;
/// The longest wait for why a connection ended: a program has a second to end by itself.
const REASON_TIMEOUT: Duration = Duration::from_secs(3);

/// A connection that is open.
pub(crate) struct Connection {
    server: String,
    peer: Peer<RoleClient>,
    listing: RwLock<Arc<Listing>>,
    limits: Limits,
    redactor: Redactor,
    end: End,
    /// One for each call at a time.
    free: Semaphore,
    /// The server says that its tools changed.
    pub(super) tools_changed: Arc<Notify>,
    /// A call took too long: is anybody there?
    pub(super) suspected: Notify,
    /// Cancelled when a request finds that the connection does not work any more.
    pub(super) broken: CancellationToken,
}

impl Connection {
    /// Asks for the tools and makes a connection of what was opened.
    pub(super) async fn new(server: &str, opened: &Opened, limits: &Limits) -> Result<Self, Failure> {
        let connection = Self {
            server: server.to_owned(),
            peer: opened.service.peer().clone(),
            listing: RwLock::default(),
            limits: limits.clone(),
            redactor: opened.redactor.clone(),
            end: opened.end.clone(),
            free: Semaphore::new(limits.calls_at_once),
            tools_changed: opened.tools_changed.clone(),
            suspected: Notify::new(),
            broken: CancellationToken::new(),
        };
        connection.refresh().await?;
        Ok(connection)
    }

    /// Whether a request found that it does not work any more.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.is_cancelled()
    }

    /// The tools as the server last listed them.
    pub(crate) fn listing(&self) -> Arc<Listing> {
        self.listing.read().clone()
    }

    /// The name and version that the server gives itself.
    pub(crate) fn implementation(&self) -> Option<String> {
        let about = self.peer.peer_info()?.server_info.clone()?;
        Some(clean(&format!("{} {}", about.name, about.version), &self.redactor))
    }

    /// Asks for the tools again. Returns whether they changed.
    pub(super) async fn refresh(&self) -> Result<bool, Failure> {
        let (offers, is_cut) = self.offers().await?;
        let listing = Listing::new(&self.server, offers, is_cut, &self.limits);
        let mut known = self.listing.write();
        let has_changed = **known != listing;
        *known = Arc::new(listing);
        Ok(has_changed)
    }

    /// All tools, and whether there are more.
    async fn offers(&self) -> Result<(Vec<Offer>, bool), Failure> {
        let (mut offers, mut cursor) = (Vec::new(), None);
        for _ in 0..MAX_PAGES {
            let list = match cursor.take() {
                Some(cursor) => {
                    ListToolsRequest::with_param(PaginatedRequestParams::default().with_cursor(Some(cursor)))
                }
                None => ListToolsRequest::default(),
            };
            let answer = match request(&self.peer, ClientRequest::ListToolsRequest(list)).await {
                // A server without tools need not know the request.
                Err(ServiceError::McpError(error)) if error.code == ErrorCode::METHOD_NOT_FOUND => break,
                Err(ServiceError::McpError(error)) => {
                    return Err(Failure::Handshake { cause: clean(&error.message, &self.redactor) });
                }
                Err(error) => return Err(self.failure(&error).await),
                Ok(answer) => answer,
            };
            let (page, next) = page(answer)?;
            offers.extend(page);
            if offers.len() > self.limits.tools * 2 {
                return Ok((offers, true));
            }
            match next.filter(|next| !next.is_empty()) {
                None => return Ok((offers, false)),
                next => cursor = next,
            }
        }
        let is_cut = cursor.is_some();
        Ok((offers, is_cut))
    }

    /// Carries out a call. Dropping the future, or cancelling the token, tells the server to stop.
    pub(crate) async fn call(
        &self,
        tool: &ToolInfo,
        arguments: JsonObject,
        limit: Duration,
        cancel: &CancellationToken,
    ) -> Result<ToolOutput, Error> {
        let length = serde_json::to_vec(&arguments).map_or(usize::MAX, |json| json.len());
        if length > self.limits.message_bytes / 2 {
            return Err(Error::ArgumentsTooLarge { limit: self.limits.message_bytes / 2 });
        }
        let waiting = cancel.run_until_cancelled(tokio::time::timeout(limit, self.free.acquire()));
        let permit = waiting.await.ok_or(Error::Cancelled)?;
        let Ok(Ok(_permit)) = permit else {
            self.suspected.notify_one();
            return Err(Error::Busy { server: self.server.clone() });
        };
        let params = CallToolRequestParams::new(tool.name.clone()).with_arguments(arguments);
        let call = ClientRequest::CallToolRequest(CallToolRequest::new(params));
        let answering = tokio::time::timeout(limit, request(&self.peer, call));
        let answer = cancel.run_until_cancelled(answering).await.ok_or(Error::Cancelled)?;
        let Ok(answer) = answer else {
            self.suspected.notify_one();
            return Err(Error::Timeout { tool: tool.name.clone(), limit });
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                let error = cancel.run_until_cancelled(self.error(tool, &error)).await;
                return Err(error.unwrap_or(Error::Cancelled));
            }
        };
        let result = result(answer, tool)?;
        Ok(output(result, &self.limits, &self.redactor))
    }

    /// Whether the server answers at all.
    pub(super) async fn ping(&self) -> Result<(), Failure> {
        match request(&self.peer, ClientRequest::PingRequest(PingRequest::default())).await {
            // A refusal is an answer, too.
            Ok(_) | Err(ServiceError::McpError(_)) => Ok(()),
            Err(error) => Err(self.failure(&error).await),
        }
    }

    /// Why a request got no answer.
    async fn failure(&self, error: &ServiceError) -> Failure {
        let failure = match error {
            ServiceError::TransportSend(error) => broken(error),
            _ => closed(),
        };
        let known = if failure == closed() { self.end.within(REASON_TIMEOUT).await } else { self.end.get() };
        known.unwrap_or(failure)
    }

    async fn error(&self, tool: &ToolInfo, error: &ServiceError) -> Error {
        let (server, name) = (self.server.clone(), tool.name.clone());
        let too_large = || Error::AnswerTooLarge { tool: name.clone(), limit: self.limits.message_bytes };
        match error {
            ServiceError::McpError(error) => match error.code.0 {
                TOO_LARGE => too_large(),
                UNREADABLE => Error::InvalidAnswer { tool: name },
                code => Error::Rejected { server, code, message: clean(&error.message, &self.redactor) },
            },
            ServiceError::TransportSend(sending) => {
                match sending.error.downcast_ref::<StreamableHttpError<reqwest::Error>>() {
                    Some(StreamableHttpError::ResponseBodyTooLarge { .. }) => too_large(),
                    Some(StreamableHttpError::Deserialize(_) | StreamableHttpError::UnexpectedServerResponse(_)) => {
                        Error::InvalidAnswer { tool: name }
                    }
                    _ => {
                        // It closes the connection, and so finds out how the program ended.
                        self.broken.cancel();
                        Error::Ended { server, failure: self.failure(error).await }
                    }
                }
            }
            ServiceError::UnexpectedResponse => Error::InvalidAnswer { tool: name },
            error => Error::Ended { server, failure: self.failure(error).await },
        }
    }
}

/// The tools of a page, and where the next one begins.
fn page(answer: ServerResult) -> Result<(Vec<Offer>, Option<String>), Failure> {
    match answer {
        ServerResult::ListToolsResult(page) => {
            let tools = page.tools.into_iter().map(|tool| Offer::Tool(Box::new(tool)));
            Ok((tools.collect(), page.next_cursor))
        }
        // One false tool does not spoil the others.
        ServerResult::CustomResult(page) => {
            let Some(tools) = page.0["tools"].as_array() else { return Err(no_list()) };
            let offer = |tool: &Value| match serde_json::from_value::<Tool>(tool.clone()) {
                Ok(tool) => Offer::Tool(Box::new(tool)),
                Err(_) => Offer::Invalid { name: tool["name"].as_str().unwrap_or_default().to_owned() },
            };
            Ok((tools.iter().map(offer).collect(), page.0["nextCursor"].as_str().map(str::to_owned)))
        }
        _ => Err(no_list()),
    }
}

fn no_list() -> Failure {
    Failure::Handshake { cause: "its list of tools cannot be understood".into() }
}

/// The result of a call in an answer.
fn result(answer: ServerResult, tool: &ToolInfo) -> Result<CallToolResult, Error> {
    match answer {
        ServerResult::CallToolResult(result) => Ok(result),
        // A result without content.
        ServerResult::EmptyResult(_) | ServerResult::TaskAckResult(_) => Ok(CallToolResult::default()),
        ServerResult::InputRequiredResult(_) | ServerResult::CreateTaskResult(_) => {
            Err(Error::NeedsInput { tool: tool.name.clone() })
        }
        _ => Err(Error::InvalidAnswer { tool: tool.name.clone() }),
    }
}
