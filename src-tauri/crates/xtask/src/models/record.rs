//! The record of an installed model, as AURA's store reads it.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::program::Result;

/// The name of the record. It is written last.
const FILE: &str = "installed.json";

/// Whether a folder holds a model whose files are all there.
pub(super) fn is_complete(folder: &Path) -> bool {
    let Ok(text) = std::fs::read(folder.join(FILE)) else { return false };
    let Ok(record) = serde_json::from_slice::<Value>(&text) else { return false };
    let is_there = |file: &Value| {
        let size =
            file["name"].as_str().and_then(|name| std::fs::metadata(folder.join(name)).ok()).map(|file| file.len());
        size.is_some() && size == file["size"].as_u64()
    };
    record["files"].as_array().is_some_and(|files| files.iter().all(is_there))
}

/// Writes the record of a model with these files, each a role and a name, into its folder. `entry` is the model in AURA's catalog, or ONNX
/// Runtime there.
pub(super) fn write(folder: &Path, id: &str, entry: &Value, files: &[(String, String)]) -> Result {
    let mut recorded = Vec::new();
    for (role, name) in files {
        let path = folder.join(name);
        let size = std::fs::metadata(&path).map_err(|cause| format!("{}: {cause}", path.display()))?.len();
        recorded.push(json!({ "role": role, "name": name, "size": size, "sha256": sha256(&path)? }));
    }
    let mut record = json!({ "id": id, "label": entry["label"], "files": recorded });
    for field in ["engine", "services", "languages", "memory"] {
        if !entry[field].is_null() {
            record[field] = entry[field].clone();
        }
    }
    let path = folder.join(FILE);
    std::fs::write(&path, format!("{record:#}\n")).map_err(|cause| format!("{}: {cause}", path.display()))?;
    make_private(folder)
}

/// Takes away other users' access, as AURA does with its own files.
#[cfg(unix)]
fn make_private(folder: &Path) -> Result {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt;
    let failed = |cause: std::io::Error| format!("{}: {cause}", folder.display());
    set_permissions(folder, Permissions::from_mode(0o700)).map_err(failed)?;
    for file in std::fs::read_dir(folder).map_err(failed)? {
        set_permissions(file.map_err(failed)?.path(), Permissions::from_mode(0o600)).map_err(failed)?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn make_private(_: &Path) -> Result {
    Ok(())
}

/// The SHA-256 of a file in hexadecimal.
pub(crate) fn sha256(path: &Path) -> Result<String> {
    let failed = |cause: std::io::Error| format!("{}: {cause}", path.display());
    let (mut file, mut hash) = (File::open(path).map_err(failed)?, Sha256::new());
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).map_err(failed)? {
            0 => break,
            count => hash.update(&buffer[..count]),
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Compares the SHA-256 of a file with the expected one.
///
/// # Errors
/// When it is another one.
pub(super) fn check(path: &Path, expected: &Value) -> Result {
    let expected = expected.as_str().ok_or_else(|| format!("no checksum is known for {}", path.display()))?;
    let actual = sha256(path)?;
    if actual == expected {
        return Ok(());
    }
    Err(format!("{} has the SHA-256 {actual} instead of {expected}. Delete it and try again", path.display()))
}
