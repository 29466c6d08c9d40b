//! Actions: what a tool does outside AURA, exactly as it is shown to the person, carried out and recorded.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::desktop::{Control, MediaCommand, OpenTarget, TargetWindow};

/// Something that a tool does. What is shown in the question is this value, and what is carried out is this value too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Action {
    /// Opens an application, a file or an address.
    Open {
        /// What is opened.
        target: OpenTarget,
    },
    /// Gives the model the text on the clipboard.
    ReadClipboard,
    /// Gives the model the selected text.
    ReadSelection,
    /// Puts a text on the clipboard.
    SetClipboard {
        /// The text.
        text: String,
    },
    /// Types a text into a window.
    TypeText {
        /// The text.
        text: String,
        /// The window.
        window: TargetWindow,
    },
    /// Presses a combination of keys in a window.
    PressShortcut {
        /// The combination, such as `Ctrl+S`.
        keys: String,
        /// The window.
        window: TargetWindow,
    },
    /// Gives the model what a window shows.
    ReadWindow {
        /// The window.
        window: TargetWindow,
    },
    /// Presses a control of a window, or puts the cursor into it.
    UseControl {
        /// The control.
        control: Control,
        /// The window.
        window: TargetWindow,
    },
    /// Controls media players, or the volume.
    Media {
        /// What is done.
        media: MediaCommand,
    },
    /// Sets a timer.
    SetTimer {
        /// How long it takes, in seconds.
        seconds: u32,
        /// What it is for; may be empty.
        label: String,
    },
    /// Cancels a timer.
    CancelTimer {
        /// The timer's number.
        timer: u32,
        /// What it is for; may be empty.
        label: String,
    },
    /// Calls a tool of an MCP server.
    CallMcpTool {
        /// The server's name in the settings.
        server: String,
        /// The tool's name on the server.
        tool: String,
        /// The tool's name for people; absent when it has none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "ts", ts(optional))]
        title: Option<String>,
        /// The arguments.
        #[cfg_attr(feature = "ts", ts(type = "Record<string, unknown>"))]
        arguments: Map<String, Value>,
        /// The fingerprint of the tool, which a permission is for.
        fingerprint: String,
    },
    /// Shows what is to be done, step by step.
    Plan {
        /// The steps, in order.
        steps: Vec<PlanStep>,
    },
    /// An action that a later version of AURA wrote.
    #[serde(other)]
    Unknown,
}

/// A step of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct PlanStep {
    /// What is done, in the person's language.
    pub text: String,
    /// Why it cannot be done here, in a sentence; absent when it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub problem: Option<String>,
}

/// How much a tool can do, which decides whether the person is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It shows the model what a setting lets it see, or what belongs to AURA. Nobody is asked.
    Reads,
    /// It shows the model what the person may not want to share: the clipboard, the selection or a window.
    ReadsPrivate,
    /// It changes something within AURA that can be changed back. Asked only when text that AURA read may have led to it.
    ChangesAura,
    /// It changes something outside AURA.
    Changes,
}
