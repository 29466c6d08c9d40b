//! The operations of the assistant. The desktop window, the command line and the local API all expand this one list.

mod catalog_types;
mod consent;
mod devices;
mod export;
mod hands_free;
mod mcp_servers;
mod operations;
mod personas;
mod playback;
mod sessions;
mod single;
mod speech;
mod test;
mod trends;
mod types;
mod updates;

pub use catalog_types::*;
pub use consent::*;
pub use mcp_servers::*;
pub use operations::*;
pub use sessions::*;
pub use speech::*;
pub use trends::*;
pub use types::*;

pub use crate::local_models::*;
pub use crate::purpose::Purpose;
pub use crate::session::*;
pub use crate::turn::Speech;
pub use crate::updates::*;
pub use crate::views::*;
