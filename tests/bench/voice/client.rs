//! The programs that are measured, each with a key that is held and let go.

use std::io::Write;
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};

use aura_tests::aura::{App, Aura};
use aura_tests::process::Running;
use x11rb::connection::Connection;
use x11rb::protocol::xproto::{KEY_PRESS_EVENT, KEY_RELEASE_EVENT};
use x11rb::protocol::xtest::ConnectionExt as _;
use x11rb::rust_connection::RustConnection;

use crate::providers::Providers;

/// The longest measurement, in seconds. An app that outlives it ends by itself.
const LIFETIME: u32 = 3_600;

/// The evdev keycode of F1. Those of the other function keys follow.
const F1: u8 = 67;

/// A program that answers a spoken question while its key is held.
pub(crate) enum Client {
    /// The real app, whose key is pressed on the display.
    Aura(Box<AuraClient>),
    /// Another program, which reads the edges of its key from standard input. That is quicker than a key on the display.
    Other { key: ChildStdin, _program: Running },
}

pub(crate) struct AuraClient {
    pub(crate) app: App,
    display: RustConnection,
    key: u8,
}

impl Client {
    /// Starts AURA with its window. `key` is the number of its function key, `share` the setting for screenshots.
    pub(crate) fn aura(programs: &Path, providers: &Providers, key: u8, share: &str) -> Self {
        let settings = format!("shortcut = \"F{key}\"\n[appearance]\noverlay = true\n[screen]\nshare = \"{share}\"\n");
        let base = format!("{}/groq/openai/v1", providers.url());
        let aura = Aura::of(programs.join("aura")).with("GROQ_API_KEY", "sandbox-key").with("GROQ_BASE_URL", base);
        let app = aura.settings(&settings).living(LIFETIME).start();
        let (display, _) = x11rb::connect(None).expect("a display");
        Self::Aura(Box::new(AuraClient { app, display, key: F1 + key - 1 }))
    }

    /// Starts a Python program and waits until it is ready.
    pub(crate) fn python(interpreter: &Path, script: &Path, providers: &Providers) -> Self {
        let mut command = Command::new(interpreter);
        command.arg(script).arg(format!("{}/openai/v1", providers.url()));
        // PortAudio prints a list of devices that this computer does not have.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut running = Running::start(&mut command, "the Python environment of `cargo xtask bench voice --peers`");
        assert_eq!(running.first_line(), "ready", "{} did not start", script.display());
        let key = running.stdin().expect("standard input was piped");
        Self::Other { key, _program: running }
    }

    pub(crate) fn press(&mut self) {
        self.edge(true);
        if let Self::Aura(aura) = self {
            aura.app.wait_for_recording();
        }
    }

    pub(crate) fn release(&mut self) {
        self.edge(false);
    }

    fn edge(&mut self, is_down: bool) {
        match self {
            Self::Aura(aura) => {
                let kind = if is_down { KEY_PRESS_EVENT } else { KEY_RELEASE_EVENT };
                aura.display.xtest_fake_input(kind, aura.key, 0, x11rb::NONE, 0, 0, 0).expect("a display");
                aura.display.flush().expect("a display");
            }
            Self::Other { key, .. } => {
                let edge = if is_down { "press" } else { "release" };
                writeln!(key, "{edge}").expect("the program reads its standard input");
            }
        }
    }
}
