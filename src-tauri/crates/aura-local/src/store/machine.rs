//! What this computer has: memory, processors, and room on the disk.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use super::catalog::Entry;
use super::error::StoreError;
use crate::protocol::Engine;

/// The memory and processors of a computer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Machine {
    /// The memory, in bytes; 0 when it is not known.
    pub memory: u64,
    /// The number of processors.
    pub cores: usize,
}

/// Whether a computer has the memory for a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fits {
    /// It does, and the model is fast enough.
    Yes,
    /// It does, but other programs may be slowed down, or the model is slow.
    Tight,
    /// It does not.
    No,
}

impl Machine {
    /// This computer.
    pub fn this() -> Self {
        static THIS: LazyLock<Machine> = LazyLock::new(|| {
            let cores = std::thread::available_parallelism().map_or(1, usize::from);
            let memory = sysinfo::System::new().map_or(0, |mut system| {
                system.refresh_memory();
                // The memory of a container is what its control group allows.
                let limit = system.cgroup_limits().map_or(u64::MAX, |limits| limits.total_memory);
                system.total_memory().min(limit)
            });
            Machine { memory, cores }
        });
        *THIS
    }

    /// Whether it has the memory for a model. Half of it is left to other programs; a language model needs processors as well.
    pub fn fits(&self, entry: &Entry) -> Fits {
        if self.memory == 0 {
            return Fits::Tight;
        }
        // About 6 tokens per second and processor for a billion parameters at four bits, which are 0.6 GB.
        let is_slow = entry.engine == Engine::Llama && entry.memory / 1_200_000_000 > self.cores as u64;
        match entry.memory {
            needed if needed > self.memory / 10 * 8 => Fits::No,
            needed if needed > self.memory / 2 || is_slow => Fits::Tight,
            _ => Fits::Yes,
        }
    }
}

/// The bytes that are free for this user where a file is or will be; `None` when the system does not say.
pub(crate) fn free(path: &Path) -> Option<u64> {
    path.ancestors().find(|folder| folder.is_dir()).and_then(|folder| fs4::available_space(folder).ok())
}

/// Fails when a disk has no room for so many bytes beside the reserve.
pub(crate) async fn check_space(path: &Path, needed: u64, reserve: u64) -> Result<(), StoreError> {
    let path: PathBuf = path.to_owned();
    let free = tokio::task::spawn_blocking(move || free(&path)).await.ok().flatten();
    match free {
        Some(free) if needed > 0 && free < needed.saturating_add(reserve) => {
            Err(StoreError::DiskFull { needed: needed.saturating_add(reserve) - free, free })
        }
        _ => Ok(()),
    }
}
