//! The command line: exit codes and output.

mod answers;
mod conversations;
mod failures;
mod mcp;
mod models;
mod providers;
mod stopped;
mod updates;
