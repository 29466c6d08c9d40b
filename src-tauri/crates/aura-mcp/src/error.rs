//! Why a server is not ready, and why a call failed.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Why a server is not ready. The sentence ends without what to do next, which depends on where it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(rename = "McpFailure"))]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Failure {
    /// A variable or header has no value.
    #[error("the value of “{name}” is missing")]
    MissingSecret {
        /// The variable or header.
        name: String,
    },
    /// The values could not be read.
    #[error("its values could not be read: {cause}")]
    Secrets {
        /// A sentence.
        cause: String,
    },
    /// The program is not there, or could not be started.
    #[error("the program “{program}” could not be started: {cause}")]
    NotStarted {
        /// The command of the configuration.
        program: String,
        /// The system's reason.
        cause: String,
    },
    /// The address is not one that AURA connects to.
    #[error("its address cannot be used: {cause}")]
    Address {
        /// The reason.
        cause: String,
    },
    /// No connection, or it broke.
    #[error("it cannot be reached: {cause}")]
    Unreachable {
        /// The reason.
        cause: String,
    },
    /// It was started again and forgot the connection.
    #[error("it no longer knows the connection")]
    SessionLost,
    /// The server refuses the headers that it gets, or wants some.
    #[error("it denies access; check the values of its headers")]
    Unauthorized,
    /// It does not speak the protocol, or no version that AURA speaks.
    #[error("it did not answer as an MCP server: {cause}")]
    Handshake {
        /// The reason.
        cause: String,
    },
    /// It was not ready in time.
    #[error("it was not ready within {} s", limit.as_secs_f32())]
    StartTimeout {
        /// The limit, in seconds outside.
        #[serde(rename = "seconds", with = "seconds")]
        #[cfg_attr(feature = "ts", ts(type = "number"))]
        limit: Duration,
    },
    /// It ended, or closed the connection.
    #[error("it ended: {status}")]
    Ended {
        /// The exit status and the last line of standard error, without secrets.
        status: String,
    },
    /// It sent more than it may, or asked more than AURA answers at a time.
    #[error("it sent too much and was stopped")]
    Flooded,
    /// It takes no messages any more.
    #[error("it stopped reading and was stopped")]
    NotReading,
    /// It answers nothing any more.
    #[error("it stopped answering and was stopped")]
    Unresponsive,
}

/// A duration as seconds.
mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(limit: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(limit.as_secs_f64())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No server has this name.
    #[error("There is no MCP server named “{server}”.")]
    UnknownServer {
        /// The name.
        server: String,
    },
    /// The server is switched off.
    #[error("The MCP server “{server}” is switched off.")]
    Disabled {
        /// The server.
        server: String,
    },
    /// The server is not ready.
    #[error("The MCP server “{server}” is not ready: {failure}.")]
    NotReady {
        /// The server.
        server: String,
        /// Why.
        failure: Failure,
    },
    /// The server has no such tool.
    #[error("The MCP server “{server}” has no tool named “{tool}”.")]
    UnknownTool {
        /// The server.
        server: String,
        /// The name.
        tool: String,
    },
    /// The tool is not the one that was offered: the server changed its description, schema or hints.
    #[error("The MCP server “{server}” changed its tool “{tool}” in the meantime. Nothing was done.")]
    ToolChanged {
        /// The server.
        server: String,
        /// The tool.
        tool: String,
    },
    /// The arguments are longer than a message may be.
    #[error("The arguments are longer than {limit} bytes. Nothing was done.")]
    ArgumentsTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// All the calls that the server may carry out at once hang.
    #[error("The MCP server “{server}” is still busy with earlier calls.")]
    Busy {
        /// The server.
        server: String,
    },
    /// The call was cancelled.
    #[error("The call was cancelled.")]
    Cancelled,
    /// The call took too long. The server was told to stop.
    #[error("The tool “{tool}” took longer than {} s and was stopped.", limit.as_secs_f32())]
    Timeout {
        /// The tool.
        tool: String,
        /// The limit.
        limit: Duration,
    },
    /// The server ended, or the connection did, during the call.
    #[error("The MCP server “{server}” ended during the call: {failure}.")]
    Ended {
        /// The server.
        server: String,
        /// Why.
        failure: Failure,
    },
    /// The answer is longer than a message may be.
    #[error("The answer of the tool “{tool}” is longer than {limit} bytes.")]
    AnswerTooLarge {
        /// The tool.
        tool: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// The server answered with an error of the protocol. An error of the tool itself is an output with `is_error`.
    #[error("The MCP server “{server}” rejected the call: {message}")]
    Rejected {
        /// The server.
        server: String,
        /// The code of JSON-RPC.
        code: i32,
        /// What the server says, cut and without secrets.
        message: String,
    },
    /// The server wants something in the middle of a call that AURA gives to none: an answer of the user, a model.
    #[error("The tool “{tool}” wants an answer during the call, which AURA gives to no server.")]
    NeedsInput {
        /// The tool.
        tool: String,
    },
    /// The answer is none to a call of a tool.
    #[error("The answer of the tool “{tool}” cannot be understood.")]
    InvalidAnswer {
        /// The tool.
        tool: String,
    },
}

impl Error {
    /// Whether the server may have carried out the call, wholly or in part. It is then not to be repeated without asking.
    pub fn may_have_run(&self) -> bool {
        match self {
            Self::UnknownServer { .. }
            | Self::Disabled { .. }
            | Self::NotReady { .. }
            | Self::UnknownTool { .. }
            | Self::ToolChanged { .. }
            | Self::ArgumentsTooLarge { .. }
            | Self::Busy { .. } => false,
            Self::Cancelled
            | Self::Timeout { .. }
            | Self::Ended { .. }
            | Self::AnswerTooLarge { .. }
            | Self::Rejected { .. }
            | Self::NeedsInput { .. }
            | Self::InvalidAnswer { .. } => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_failure_crosses_with_its_kind_and_its_facts() {
        let slow = Failure::StartTimeout { limit: Duration::from_millis(2_500) };
        let written = serde_json::to_value(&slow).unwrap();
        assert_eq!(written, json!({"kind": "start_timeout", "seconds": 2.5}));
        assert_eq!(serde_json::from_value::<Failure>(written).unwrap(), slow);
    }
}
