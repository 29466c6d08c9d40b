//! The other direction: AURA as an MCP server. Programs that speak the protocol ask, listen, speak and see through it.

mod input;
mod tool;

use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData, Implementation, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig as Config,
};
use rmcp::service::{RequestContext, ServerInitializeError, serve_server_with_ct};
use rmcp::transport::async_rw::AsyncRwTransport;
use rmcp::{RoleServer, ServerHandler};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::tools::Picture;
use input::Input;
pub use tool::MAX_TEXT;
use tool::{Request, Tool};

/// The longest message of the other program, in bytes.
const MAX_MESSAGE: usize = 1 << 20;
/// Calls at the same time.
const MAX_CALLS: usize = 4;
/// For the model of the other program.
const INSTRUCTIONS: &str = "AURA is the voice assistant on the user's desktop. `listen` hears what the user says and `speak` says something \
    to them; `ask` asks AURA's own model; `look_at_screen` shows what is on their screen. A tool that is missing or fails with a word about \
    permission is one that the user has not allowed.";

/// What the user allows other programs. Everything else is always allowed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Allowed {
    /// To open the microphone.
    pub microphone: bool,
    /// To see the screen.
    pub screen: bool,
}

/// Why AURA could not do what it was asked for: a sentence for the other program's model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct HostError(pub String);

/// What stands behind the tools. Dropping a future stops what it does.
#[async_trait]
pub trait Host: Send + Sync {
    /// What the user allows at this moment: the tools of the rest are not offered, and their calls are refused.
    fn allowed(&self) -> Allowed;

    /// Answers a question, at most [`MAX_TEXT`] bytes long. Returns the answer.
    ///
    /// # Errors
    /// When there is no answer.
    async fn ask(&self, question: String) -> Result<String, HostError>;

    /// Records until the user stops speaking. Returns what was said; nothing when nobody spoke.
    ///
    /// # Errors
    /// When the microphone or the recognition fails.
    async fn listen(&self) -> Result<String, HostError>;

    /// Says a text, at most [`MAX_TEXT`] bytes long. Returns when it was said.
    ///
    /// # Errors
    /// When the speaker or the voice fails.
    async fn speak(&self, text: String) -> Result<(), HostError>;

    /// Takes a picture of the screen.
    ///
    /// # Errors
    /// When the screen cannot be captured.
    async fn look_at_screen(&self) -> Result<Picture, HostError>;
}

/// Serves one program over a pair of streams, such as standard input and output, until it closes its end or `stop` is cancelled. What it
/// asked for last is stopped then. Nothing else may be written to `output`.
///
/// # Errors
/// When the other program does not speak the protocol.
pub async fn serve<H: Host + 'static>(
    host: Arc<H>,
    input: impl AsyncRead + Send + Unpin + 'static,
    output: impl AsyncWrite + Send + Unpin + 'static,
    stop: CancellationToken,
) -> Result<(), HostError> {
    let ended = CancellationToken::new();
    let input = Input { inner: input, ended: ended.clone() };
    let streams = AsyncRwTransport::new_server(input, output).with_max_line_length(MAX_MESSAGE);
    // Dropping the future stops the calls, too.
    let _end = ended.clone().drop_guard();
    let serving = Serving { host, free: Arc::new(Semaphore::new(MAX_CALLS)), ended };
    match Box::pin(serve_server_with_ct(serving, streams, stop)).await {
        Ok(running) => {
            // An error is a panic of the task, which ended the connection.
            let _ = running.waiting().await;
            Ok(())
        }
        Err(ServerInitializeError::ConnectionClosed(_) | ServerInitializeError::Cancelled) => Ok(()),
        Err(_) => Err(HostError("The program at the other end does not speak the Model Context Protocol.".into())),
    }
}

struct Serving<H> {
    host: Arc<H>,
    free: Arc<Semaphore>,
    ended: CancellationToken,
}

impl<H: Host + 'static> ServerHandler for Serving<H> {
    fn get_info(&self) -> Config {
        Config::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("aura", env!("CARGO_PKG_VERSION")))
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let allowed = self.host.allowed();
        let tools = Tool::ALL.into_iter().filter(|tool| tool.is_allowed(allowed)).map(Tool::definition);
        Ok(ListToolsResult::with_all_items(tools.collect()))
    }

    async fn call_tool(
        &self,
        call: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(tool) = Tool::named(&call.name) else {
            return Err(ErrorData::invalid_params("There is no such tool.", None));
        };
        let request = tool.request(call.arguments).map_err(|wrong| ErrorData::invalid_params(wrong, None))?;
        if !tool.is_allowed(self.host.allowed()) {
            return Ok(failed("The user has not allowed this in AURA's settings."));
        }
        let Ok(_free) = self.free.try_acquire() else {
            return Ok(failed("AURA is still busy with earlier calls. Wait for them."));
        };
        let done = tokio::select! {
            done = self.carry_out(request) => done,
            () = context.ct.cancelled() => Err(HostError("This was cancelled.".into())),
            () = self.ended.cancelled() => Err(HostError("AURA ends.".into())),
        };
        Ok(match done {
            Ok(content) => CallToolResult::success(vec![content]).into(),
            Err(error) => failed(error.0),
        })
    }
}

impl<H: Host> Serving<H> {
    async fn carry_out(&self, request: Request) -> Result<ContentBlock, HostError> {
        match request {
            Request::Ask(question) => self.host.ask(question).await.map(ContentBlock::text),
            Request::Listen => self.host.listen().await.map(|said| match said.trim() {
                "" => ContentBlock::text("[Nobody spoke.]"),
                said => ContentBlock::text(said),
            }),
            Request::Speak(text) => self.host.speak(text).await.map(|()| ContentBlock::text("It was said.")),
            Request::LookAtScreen => {
                let picture = self.host.look_at_screen().await?;
                Ok(ContentBlock::image(STANDARD.encode(&picture.data), picture.media_type))
            }
        }
    }
}

fn failed(why: impl Into<Cow<'static, str>>) -> CallToolResponse {
    CallToolResult::error(vec![ContentBlock::text(why.into())]).into()
}
