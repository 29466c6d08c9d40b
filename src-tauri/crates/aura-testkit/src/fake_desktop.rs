//! A desktop in memory.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use aura_core::desktop::{Control, KeyCombination, MediaCommand, OpenTarget, TargetWindow, WindowContents};
use aura_core::error::{Error, ErrorCode, Result};
use aura_core::ports::Desktop;

/// A desktop with two applications and one window, which remembers what was done.
#[derive(Debug, Default)]
pub struct FakeDesktop {
    /// What was done, in words, in order.
    pub done: Mutex<Vec<String>>,
    /// The clipboard.
    pub clipboard: Mutex<Option<String>>,
    /// The selected text.
    pub selection: Mutex<Option<String>>,
    /// Whether every action fails.
    pub refuses: AtomicBool,
    /// Whether every action takes for ever.
    pub hangs: AtomicBool,
    /// What the window shows.
    pub contents: Mutex<WindowContents>,
    /// The volume in percent.
    pub volume: Mutex<u32>,
}

impl FakeDesktop {
    /// What was done so far.
    pub fn done(&self) -> Vec<String> {
        self.done.lock().unwrap().clone()
    }

    async fn act(&self, what: String) -> Result<()> {
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if self.refuses.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorCode::Desktop, "This desktop lets nobody do anything."));
        }
        self.done.lock().unwrap().push(what);
        Ok(())
    }
}

#[async_trait]
impl Desktop for FakeDesktop {
    async fn find_application(&self, name: &str) -> Result<OpenTarget> {
        match name {
            "Editor" | "Calculator" => {
                Ok(OpenTarget::Application { id: format!("org.example.{name}"), name: name.to_owned() })
            }
            _ => {
                Err(Error::new(ErrorCode::NotFound, format!("There is no application named {name} on this computer.")))
            }
        }
    }

    async fn open(&self, target: &OpenTarget) -> Result<()> {
        let what = match target {
            OpenTarget::Application { id, .. } => id,
            OpenTarget::File { path } => path,
            OpenTarget::Address { url } => url,
        };
        self.act(format!("open {what}")).await
    }

    async fn clipboard(&self) -> Result<Option<String>> {
        Ok(self.clipboard.lock().unwrap().clone())
    }

    async fn set_clipboard(&self, text: &str) -> Result<()> {
        self.act(format!("copy {text}")).await?;
        *self.clipboard.lock().unwrap() = Some(text.to_owned());
        Ok(())
    }

    async fn selection(&self) -> Result<Option<String>> {
        Ok(self.selection.lock().unwrap().clone())
    }

    async fn target_window(&self) -> Result<TargetWindow> {
        Ok(TargetWindow::new(7, "Letter"))
    }

    async fn type_text(&self, text: &str, window: &TargetWindow) -> Result<()> {
        self.act(format!("type {text} into {}", window.title)).await
    }

    async fn paste_text(&self, text: &str, window: &TargetWindow) -> Result<()> {
        self.act(format!("paste {text} into {}", window.title)).await
    }

    async fn press(&self, keys: &KeyCombination, window: &TargetWindow) -> Result<()> {
        self.act(format!("press {keys} in {}", window.title)).await
    }

    async fn read_window(&self, _window: &TargetWindow) -> Result<WindowContents> {
        Ok(self.contents.lock().unwrap().clone())
    }

    async fn use_control(&self, control: &Control, window: &TargetWindow) -> Result<()> {
        self.act(format!("use the {} {} in {}", control.role, control.name, window.title)).await
    }

    async fn media(&self, command: MediaCommand) -> Result<()> {
        self.act(format!("media {command:?}")).await?;
        if let MediaCommand::Volume { percent } = command {
            *self.volume.lock().unwrap() = percent;
        }
        Ok(())
    }

    async fn volume(&self) -> Result<u32> {
        Ok(*self.volume.lock().unwrap())
    }
}
