//! Tools and their output, as far as a caller may rely on them.

mod info;
mod name;
mod output;
mod schema;

pub use info::{Fingerprint, Hints, RejectedTool, ToolInfo};
pub(crate) use info::{Listing, Offer};
pub use name::model_name;
pub use output::{Picture, ToolOutput};
pub(crate) use output::{clean, output};
