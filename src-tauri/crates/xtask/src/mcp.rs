//! The reference servers of the Model Context Protocol, and programs that use such servers, for a test of `aura-mcp`.

use crate::program::{self, Result};
use crate::{sdk, ui};

/// The lists of packages, in the repository.
const LISTS: &str = "src-tauri/crates/aura-mcp/tests/reference";

/// Installs them from npm and PyPI below the target folder, where the test looks for them.
pub(crate) fn servers() -> Result {
    let (lists, folder) = (program::root().join(LISTS), program::target().join("mcp-servers"));
    std::fs::create_dir_all(&folder).map_err(|cause| format!("{}: {cause}", folder.display()))?;
    for file in ["package.json", "package-lock.json"] {
        let (list, copy) = (lists.join(file), folder.join(file));
        let wanted = std::fs::read(&list).map_err(|cause| format!("{}: {cause}", list.display()))?;
        // Only a change is written: its time says that the packages must be installed again.
        if std::fs::read(&copy).is_ok_and(|list| list == wanted) {
            continue;
        }
        std::fs::write(&copy, wanted).map_err(|cause| format!("{}: {cause}", copy.display()))?;
    }
    ui::packages_of(&folder)?;
    sdk::environment(&lists.join("requirements.txt"), "python-mcp").map(drop)
}
