//! The command line: exit codes and output.

mod answers;
mod failures;
mod providers;
mod stopped;
