//! The real window: a question goes in by every way there is, and the answer, or what went wrong, appears.

mod asked;
mod axe;
mod by_key;
mod kept;
mod pictures;
mod policy;
mod switched;
mod tray;
mod trouble;
mod welcome;
