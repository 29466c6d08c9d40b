//! The real window: a question goes in by every way there is, and the answer, or what went wrong, appears.

mod asked;
mod pictures;
mod switched;
mod trouble;
