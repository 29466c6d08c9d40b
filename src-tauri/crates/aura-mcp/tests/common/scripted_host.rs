//! AURA's MCP server over standard input and output with a scripted assistant behind it, for tests. The first argument lists what the user
//! allows.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aura_mcp::Picture;
use aura_mcp::host::{Allowed, Host, HostError, serve};
use tokio_util::sync::CancellationToken;

struct Scripted(Allowed);

/// Notes what was done, for the tests.
fn note(what: &str) {
    if let Some(path) = std::env::var_os("SCRIPT_LOG")
        && let Ok(mut file) = std::fs::OpenOptions::new().create(true).append(true).open(path)
    {
        let _ = writeln!(file, "{what}");
    }
}

/// Notes that something was stopped, unless it ended.
struct Running(bool);

impl Drop for Running {
    fn drop(&mut self) {
        if !self.0 {
            note("stopped");
        }
    }
}

#[async_trait]
impl Host for Scripted {
    fn allowed(&self) -> Allowed {
        self.0
    }

    async fn ask(&self, question: String) -> Result<String, HostError> {
        match question.as_str() {
            "nothing" => Err(HostError("No provider answered.".into())),
            question => Ok(format!("You asked: {question}")),
        }
    }

    async fn listen(&self) -> Result<String, HostError> {
        note("listening");
        Ok(String::new())
    }

    async fn speak(&self, text: String) -> Result<(), HostError> {
        let mut running = Running(false);
        note("speaking");
        if text == "on and on" {
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        running.0 = true;
        Ok(())
    }

    async fn look_at_screen(&self) -> Result<Picture, HostError> {
        Ok(Picture { media_type: "image/png", data: b"\x89PNG\r\n\x1a\nscreen"[..].into() })
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::process::ExitCode {
    let allowed = std::env::args().nth(1).unwrap_or_default();
    let allowed = Allowed { microphone: allowed.contains("microphone"), screen: allowed.contains("screen") };
    let (input, output) = (tokio::io::stdin(), tokio::io::stdout());
    match serve(Arc::new(Scripted(allowed)), input, output, CancellationToken::new()).await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            std::process::ExitCode::FAILURE
        }
    }
}
