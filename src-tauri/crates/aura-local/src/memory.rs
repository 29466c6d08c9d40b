//! The memory that is free on this computer.

use std::path::Path;

/// The bytes that programs can use without swapping, from a file in the format of `/proc/meminfo`; `None` where there is none.
pub(crate) async fn available(meminfo: &Path) -> Option<u64> {
    parse_available(&tokio::fs::read_to_string(meminfo).await.ok()?)
}

/// The bytes that programs can use without swapping, from a text in the format of `/proc/meminfo`.
pub fn parse_available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn available_memory_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("meminfo");
        std::fs::write(&file, "MemTotal:       8000000 kB\nMemAvailable:    1000 kB\n").unwrap();
        assert_eq!(available(&file).await, Some(1_024_000));
        std::fs::write(&file, "MemAvailable: many\n").unwrap();
        assert_eq!(available(&file).await, None);
        assert_eq!(available(&folder.path().join("none")).await, None);
    }
}
