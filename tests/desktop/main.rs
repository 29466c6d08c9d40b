//! The real window: questions by every input method, answers, errors, settings, tray and accessibility.

mod acting;
mod axe;
mod errors;
mod history;
mod keyboard_only;
mod legibility;
mod local_models;
mod overlay;
mod pictures;
mod policy;
mod questions;
mod starts;
mod switching;
mod tray;
mod welcome;
