//! The timeouts of the server, and bounds that the formats of OpenAI and Anthropic share.

use std::time::Duration;

/// The most tools of a request, as at OpenAI and Groq.
pub(crate) const MAX_TOOLS: usize = 128;
/// The most that a number of tokens may be: far more than any model has.
pub(crate) const MAX_COUNT: u32 = 10_000_000;

/// How long the server waits before it gives up on a connection, a request or its shutdown. Tests shorten these times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerLimits {
    /// From the connection, or the end of the previous response, to the end of the next request head. Default 15 s.
    pub header_read: Duration,
    /// Longest pause while a request body arrives. Default 10 s.
    pub body_idle: Duration,
    /// Longest time for a whole request body. Default 60 s.
    pub body_total: Duration,
    /// Longest time to read the rest of a request body that nobody needs any more. Default 15 s.
    pub drain: Duration,
    /// From the request head to the response head. Default 240 s: three services, each with its own timeout of a minute, and a margin.
    pub response_start: Duration,
    /// Longest time in which the client accepts no byte of the response. Default 30 s.
    pub write_stall: Duration,
    /// Pause after which an idle event stream sends a keep-alive comment. Default 15 s.
    pub keep_alive: Duration,
    /// How long requests in flight may take to finish once the server shuts down. Default 10 s.
    pub shutdown_grace: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            header_read: Duration::from_secs(15),
            body_idle: Duration::from_secs(10),
            body_total: Duration::from_secs(60),
            drain: Duration::from_secs(15),
            response_start: Duration::from_secs(240),
            write_stall: Duration::from_secs(30),
            keep_alive: Duration::from_secs(15),
            shutdown_grace: Duration::from_secs(10),
        }
    }
}

impl ServerLimits {
    /// Every limit multiplied by a factor.
    ///
    /// # Panics
    /// When the factor is negative or not finite, or a limit overflows.
    #[must_use]
    pub fn scaled(self, factor: f64) -> Self {
        Self {
            header_read: self.header_read.mul_f64(factor),
            body_idle: self.body_idle.mul_f64(factor),
            body_total: self.body_total.mul_f64(factor),
            drain: self.drain.mul_f64(factor),
            response_start: self.response_start.mul_f64(factor),
            write_stall: self.write_stall.mul_f64(factor),
            keep_alive: self.keep_alive.mul_f64(factor),
            shutdown_grace: self.shutdown_grace.mul_f64(factor),
        }
    }
}
