//! The command line as a person or a script uses it: one process, its exit code, and what it prints.

mod answers;
mod failures;
mod providers;
