//! Tests of the sandbox through a real TCP socket.

#[cfg(test)]
mod control;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod gemini;
#[cfg(test)]
mod groq;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod request_log;
#[cfg(test)]
mod speech;
#[cfg(test)]
mod tools;
