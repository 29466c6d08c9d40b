//! What is wrong with the history, or was repaired: typed, and in sentences for the window and the system check.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A problem of the history that the user must know of. Displayed as what happened, then what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum HistoryProblem {
    /// The database cannot be used. New turns are kept in memory and written to the disk as soon as that works again.
    InMemory {
        /// Why the database cannot be used.
        reason: MemoryReason,
    },
    /// The last write failed; the database works otherwise.
    NotSaved,
    /// The database was damaged. Every row that could still be read was copied to a new one.
    Repaired {
        /// Turns in the new database.
        #[cfg_attr(feature = "ts", ts(type = "number"))]
        turns: u64,
        /// How many of them were no longer readable and came from a backup.
        #[cfg_attr(feature = "ts", ts(type = "number"))]
        from_backup: u64,
        /// The damaged file, kept for a repair by hand.
        kept: PathBuf,
    },
    /// Only the search index was damaged. It was rebuilt from the turns.
    IndexRebuilt,
}

/// Why the history is kept in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum MemoryReason {
    /// A newer version of AURA wrote the database.
    NewerVersion,
    /// The disk is full.
    DiskFull,
    /// The folder or the file is read-only.
    ReadOnly,
    /// Another process holds the database.
    Busy,
    /// The disk reports errors, or the file cannot be opened.
    Unreadable,
    /// The database is damaged, and there is no room or permission to repair it.
    Damaged,
}

impl HistoryProblem {
    /// What happened, in a sentence or two.
    pub fn message(&self) -> String {
        const MEMORY: &str = "New turns are kept in memory only.";
        match self {
            Self::InMemory { reason } => {
                let why = match reason {
                    MemoryReason::NewerVersion => "A newer version of AURA wrote the history.",
                    MemoryReason::DiskFull => "The disk is full.",
                    MemoryReason::ReadOnly => "The folder of the history is read-only.",
                    MemoryReason::Busy => "Another program blocks the history.",
                    MemoryReason::Unreadable => "The history cannot be opened.",
                    MemoryReason::Damaged => "The history is damaged and cannot be repaired here.",
                };
                format!("{why} {MEMORY}")
            }
            Self::NotSaved => "The last turn or deletion could not be written to the history.".into(),
            Self::Repaired { turns, from_backup: 0, .. } => {
                format!("The history was damaged. AURA repaired it; it holds {turns} turns.")
            }
            Self::Repaired { turns, from_backup, .. } => format!(
                "The history was damaged. AURA repaired it; it holds {turns} turns, {from_backup} of them from a backup."
            ),
            Self::IndexRebuilt => {
                "The search index of the history was damaged. AURA rebuilt it; no turn is lost.".into()
            }
        }
    }

    /// What the user can do.
    pub fn remedy(&self) -> String {
        match self {
            Self::InMemory { reason } => match reason {
                MemoryReason::NewerVersion => "Update AURA, or set AURA_DATA_DIR to another folder.".into(),
                MemoryReason::DiskFull => "Free some space. AURA then saves them.".into(),
                MemoryReason::ReadOnly => "Make the folder writable. AURA then saves them.".into(),
                MemoryReason::Busy => "Close other programs that use it. AURA then saves them.".into(),
                MemoryReason::Unreadable => "Check the disk and the permissions of the data folder.".into(),
                MemoryReason::Damaged => "Free some space and make the data folder writable.".into(),
            },
            Self::NotSaved => "Check that the disk is not full and the folder is writable.".into(),
            Self::Repaired { kept, .. } => {
                format!("Check the disk. The damaged file is {}; delete it if you miss nothing.", kept.display())
            }
            Self::IndexRebuilt => "If this happens again, check the disk.".into(),
        }
    }
}

impl fmt::Display for HistoryProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.message(), self.remedy())
    }
}
