//! The one list of operations. The desktop window, the command line and the HTTP server are thin doors onto it.

mod catalog_types;
mod desk;
mod operations;
mod test;
mod types;

pub use catalog_types::*;
pub use operations::*;
pub use types::*;
