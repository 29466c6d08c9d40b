//! The environment of whole-system tests: a sound server, a display and a key store, private to each test and removed after it.
//!
//! A test that needs a program which is not installed fails with the name of its Debian package. No test is skipped.

pub mod aura;
pub mod axe;
pub mod catcher;
pub mod clipboard;
pub mod desktop;
pub mod desktop_port;
pub mod display;
pub mod field;
pub mod http;
pub mod keyboard;
pub mod keyring;
pub mod mcp_client;
pub mod models;
pub mod process;
pub mod processes;
pub mod providers;
pub mod quantile;
pub mod sound;
pub mod speech;
pub mod tray;
pub mod window;
pub mod xsettings;
