//! Newer catalogs of models and prices: what was fetched with the last check, verified again at each start.

use std::path::Path;
use std::sync::Arc;

use aura_local::download::is_file;
use aura_local::store::catalog::Catalog as LocalCatalog;
use aura_providers::catalog::Catalog;
use jiff::civil::Date;

use super::manifest::{Catalogs, Manifest};
use super::source::UpdateSource;

/// The names of the files in the folder of updates.
pub(super) const MANIFEST: &str = "latest.json";
pub(super) const SIGNATURE: &str = "latest.json.minisig";
pub(super) const PROVIDERS: &str = "catalog.json";
pub(super) const LOCAL: &str = "models.json";

/// Catalogs that are newer than those of this version.
pub struct NewerCatalogs {
    /// The models, prices and voices of providers.
    pub providers: Arc<Catalog>,
    /// The models for this computer.
    pub local: LocalCatalog,
}

/// The newer catalogs in the data folder, if there are any, their signature is right, and this version can read them. Waits for the disk.
pub fn newer_catalogs(data: &Path) -> Option<NewerCatalogs> {
    let folder = super::folder(data);
    let manifest = saved(&folder, &UpdateSource::find()?)?;
    let catalogs = manifest.catalogs.filter(|catalogs| catalogs.date > own_date())?;
    read(&folder, &catalogs)
        .inspect_err(|cause| tracing::info!(%cause, "the newer catalogs of models are not used"))
        .ok()
}

/// The manifest of the last check, if its signature is right.
pub(super) fn saved(folder: &Path, source: &UpdateSource) -> Option<Manifest> {
    let (manifest, signature) =
        (std::fs::read(folder.join(MANIFEST)).ok()?, std::fs::read(folder.join(SIGNATURE)).ok()?);
    Manifest::verified(&manifest, &signature, &source.key).ok()
}

/// Reads both catalogs, whose checksums the manifest has.
pub(super) fn read(folder: &Path, catalogs: &Catalogs) -> Result<NewerCatalogs, String> {
    let text = |name: &str, size: u64, sha256: &str| {
        let file = folder.join(name);
        if !is_file(&file, size, sha256) {
            return Err(format!("{name} is not the signed one"));
        }
        std::fs::read_to_string(&file).map_err(|cause| format!("{name}: {cause}"))
    };
    let providers = text(PROVIDERS, catalogs.providers.size, &catalogs.providers.sha256)?;
    let local = text(LOCAL, catalogs.local.size, &catalogs.local.sha256)?;
    Ok(NewerCatalogs {
        providers: Arc::new(Catalog::from_json(&providers).map_err(|error| error.to_string())?),
        local: LocalCatalog::parse(&local).map_err(|error| error.to_string())?,
    })
}

/// The date of the catalogs that this version came with.
pub(super) fn own_date() -> Date {
    Catalog::embedded().verified_on()
}
