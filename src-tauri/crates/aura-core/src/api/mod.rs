//! The one list of operations. The desktop window, the command line and the HTTP server are thin doors onto it.

mod operations;
mod types;

pub use operations::*;
pub use types::*;
