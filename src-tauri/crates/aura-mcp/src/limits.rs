//! What a server may cost.

use std::time::Duration;

/// The limits for each server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The longest start: from the start of the program, or the first request, to the list of tools. A package runner may download
    /// the server first.
    pub start: Duration,
    /// The longest call of a tool, unless the server's configuration or the call says otherwise.
    pub call: Duration,
    /// The longest time until a server takes a message, and answers a ping after a call took too long. Then it counts as hanging.
    pub hang: Duration,
    /// Calls that one server carries out at the same time. Further ones wait.
    pub calls_at_once: usize,
    /// The longest message in either direction, in bytes.
    pub message_bytes: usize,
    /// Messages that a server may send in a second.
    pub messages_per_second: u32,
    /// The text of an output, in bytes. The rest is cut off.
    pub text_bytes: usize,
    /// The pictures of an output together, in bytes. Those beyond it are left out.
    pub picture_bytes: usize,
    /// The pictures of an output.
    pub pictures: usize,
    /// The tools of a server. Further ones are left out.
    pub tools: usize,
    /// The description of a tool, in characters. The rest is cut off.
    pub description_chars: usize,
    /// The schema of a tool's arguments as JSON, in bytes. A tool with a longer one is rejected.
    pub schema_bytes: usize,
    /// The wait before the first restart of a server that failed. It doubles with each further failure.
    pub first_restart: Duration,
    /// The longest wait before a restart.
    pub last_restart: Duration,
    /// Restarts in a row that fail before AURA stops trying by itself. A call or [`Servers::restart`](crate::Servers::restart) tries again.
    pub restarts: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            start: Duration::from_secs(60),
            call: Duration::from_secs(30),
            hang: Duration::from_secs(10),
            calls_at_once: 8,
            message_bytes: 8 << 20,
            messages_per_second: 2_000,
            text_bytes: 64 << 10,
            picture_bytes: 4 << 20,
            pictures: 4,
            tools: 128,
            description_chars: 2_000,
            schema_bytes: 32 << 10,
            first_restart: Duration::from_secs(1),
            last_restart: Duration::from_secs(60),
            restarts: 5,
        }
    }
}
